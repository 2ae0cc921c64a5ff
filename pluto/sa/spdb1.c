/* Phase 1 proposals. Ours are sets of alternatives per kind; the wire wants every combination spelt out as a
 * transform. What the peer offers is judged one transform at a time, in the peer's order.
 */
#include "pluto/sa/algnames.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/log.h"
#include "pluto/sa/spdb.h"
#include <stdio.h>
#include <stdlib.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OFFERS = 200, ATTRS = 7 };

bool auth_is_psk(uint16_t m)
{
    return m == OAKLEY_PRESHARED_KEY || m == OAKLEY_XAUTH_INIT_PSK || m == OAKLEY_XAUTH_RESP_PSK;
}

bool auth_is_xauth(uint16_t m)
{
    return m >= OAKLEY_XAUTH_INIT_PSK && m <= OAKLEY_XAUTH_RESP_RSA;
}

uint16_t encr_default_bits(encr_alg e)
{
    switch (e) {
    case ENCR_DES:
        return 64;
    case ENCR_3DES:
        return 192;
    case ENCR_NULL:
        return 0;
    default:
        return 128;
    }
}

/* Ciphers of one key length send no KEY_LENGTH. */
static bool fixed_key(encr_alg e)
{
    return e == ENCR_DES || e == ENCR_3DES || e == ENCR_NULL;
}

static bool we_are_xauth_server(const pconn *c)
{
    return c->c->xauth_server || c->me.cfg->xauth_server;
}

/* Signature methods by the key we have: RSA, or the curve of our ECDSA key. */
static uint16_t signature_method(const pconn *c)
{
    const pubkey *k = c->me.cert ? cert_key(c->me.cert) : NULL;
    if (!k || pubkey_type(k) != KEY_ECDSA)
        return OAKLEY_RSA_SIG;
    unsigned bits = pubkey_bits(k);
    return bits == 256   ? OAKLEY_ECDSA_256
           : bits == 384 ? OAKLEY_ECDSA_384
           : bits == 521 ? OAKLEY_ECDSA_521
                         : 0;
}

uint16_t pconn_auth_method(const pconn *c, size_t n)
{
    unsigned by = pconn_authby(c);
    bool server = we_are_xauth_server(c);
    uint16_t m[4];
    size_t k = 0;
    if (by & AUTH_XAUTH_RSA)
        m[k++] = server ? OAKLEY_XAUTH_RESP_RSA : OAKLEY_XAUTH_INIT_RSA;
    if (by & AUTH_XAUTH_PSK)
        m[k++] = server ? OAKLEY_XAUTH_RESP_PSK : OAKLEY_XAUTH_INIT_PSK;
    if (by & (AUTH_PUBKEY | AUTH_RSA_ONLY | AUTH_ECDSA_ONLY))
        m[k++] = signature_method(c);
    if (by & AUTH_PSK)
        m[k++] = OAKLEY_PRESHARED_KEY;
    return n < k ? m[n] : 0;
}

bool pconn_allows_auth(const pconn *c, uint16_t method, bool initiator)
{
    unsigned by = pconn_authby(c);
    bool server = we_are_xauth_server(c);
    switch (method) {
    case OAKLEY_PRESHARED_KEY:
        return (by & AUTH_PSK) != 0;
    case OAKLEY_RSA_SIG:
        return (by & (AUTH_PUBKEY | AUTH_RSA_ONLY)) && signature_method(c) == OAKLEY_RSA_SIG;
    case OAKLEY_ECDSA_256:
    case OAKLEY_ECDSA_384:
    case OAKLEY_ECDSA_521:
        return (by & (AUTH_PUBKEY | AUTH_ECDSA_ONLY)) && signature_method(c) == method;
    case OAKLEY_XAUTH_INIT_PSK: /* the initiator is the client */
        return (by & AUTH_XAUTH_PSK) && server != initiator;
    case OAKLEY_XAUTH_RESP_PSK:
        return (by & AUTH_XAUTH_PSK) && server == initiator;
    case OAKLEY_XAUTH_INIT_RSA:
        return (by & AUTH_XAUTH_RSA) && server != initiator;
    case OAKLEY_XAUTH_RESP_RSA:
        return (by & AUTH_XAUTH_RSA) && server == initiator;
    default:
        return false;
    }
}

/* ---- offering ---- */

typedef struct offers {
    wire_attr attrs[MAX_OFFERS][ATTRS];
    uint8_t room[MAX_OFFERS][4];
    ikev1_transform t[MAX_OFFERS];
    size_t n;
} offers;

static void offer(offers *o, const pconn *c, uint16_t encr, uint16_t bits, uint16_t hash, uint16_t group,
                  uint16_t auth)
{
    size_t n = 0;
    if (o->n >= MAX_OFFERS || !encr || !hash)
        return;
    wire_attr *a = o->attrs[o->n];
    int64_t life = c->c->ikelifetime_s > SA_LIFE_MAX_S ? SA_LIFE_MAX_S : c->c->ikelifetime_s;
    a[n++] = wire_attr_tv(OAKLEY_LIFE_TYPE, IKEV1_LIFE_SECONDS);
    a[n++] = ikev1_attr_num(OAKLEY_LIFE_DURATION, (uint32_t)life, o->room[o->n]);
    a[n++] = wire_attr_tv(OAKLEY_ENCRYPTION_ALGORITHM, encr);
    a[n++] = wire_attr_tv(OAKLEY_HASH_ALGORITHM, hash);
    if (bits)
        a[n++] = wire_attr_tv(OAKLEY_KEY_LENGTH, bits);
    a[n++] = wire_attr_tv(OAKLEY_AUTHENTICATION_METHOD, auth);
    a[n++] = wire_attr_tv(OAKLEY_GROUP_DESCRIPTION, group);
    o->t[o->n] = (ikev1_transform){
        .number = (uint8_t)o->n, .id = IKEV1_TRANSFORM_KEY_IKE, .attrs = WIRE_LIST(a, n)};
    o->n++;
}

static void offer_groups(offers *o, const pconn *c, const proposal *p, const transform *e, const transform *h,
                         uint16_t auth)
{
    uint16_t bits = fixed_key(e->id) ? 0 : e->key_bits ? e->key_bits : encr_default_bits(e->id);
    for (uint8_t g = 0; g < p->n; g++) {
        if (p->t[g].type == TRANSFORM_DH)
            offer(o, c, ikev1_encr_from(e->id), bits, ikev1_hash_from(prf_hash(h->id)), p->t[g].id, auth);
    }
}

static void offer_proposal(offers *o, const pconn *c, const proposal *p, uint16_t auth)
{
    for (uint8_t e = 0; e < p->n; e++) {
        if (p->t[e].type != TRANSFORM_ENCR)
            continue;
        for (uint8_t h = 0; h < p->n; h++) {
            if (p->t[h].type == TRANSFORM_PRF)
                offer_groups(o, c, p, &p->t[e], &p->t[h], auth);
        }
    }
}

status spdb_add_oakley(ikev1_builder *b, const pconn *c)
{
    offers *o = calloc(1, sizeof(*o));
    uint16_t auth;
    if (!o)
        return ST_NO_MEMORY;
    for (size_t m = 0; (auth = pconn_auth_method(c, m)) != 0; m++) {
        for (uint8_t i = 0; i < c->ike->n; i++)
            offer_proposal(o, c, &c->ike->p[i], auth);
    }
    size_t n = o->n;
    ikev1_proposal p = {.number = 0, .proto = IPV1_PROTO_ISAKMP, .transforms = WIRE_LIST(o->t, n)};
    ikev1_sa sa = {IKEV1_DOI_IPSEC, IKEV1_SIT_IDENTITY_ONLY, WIRE_LIST(&p, 1)};
    if (n)
        ikev1_add(b, PLV1_SA, &sa);
    free(o);
    return n == 0 ? ST_NOT_FOUND : ikev1_builder_ok(b) ? ST_OK : ST_NO_MEMORY;
}

void spdb_add_oakley_choice(ikev1_builder *b, const oakley_choice *ch)
{
    ikev1_proposal p = *ch->prop;
    p.transforms = WIRE_LIST(ch->trans, 1);
    p.spi = SPAN_NULL;
    ikev1_sa sa = {IKEV1_DOI_IPSEC, IKEV1_SIT_IDENTITY_ONLY, WIRE_LIST(&p, 1)};
    ikev1_add(b, PLV1_SA, &sa);
}

/* ---- choosing ---- */

typedef struct parsed {
    uint16_t encr, bits, hash, group, auth;
    bool have_bits, have_life_type;
    int64_t life_s;
} parsed;

/* One attribute; false: the transform cannot be taken, why says so. */
static bool take_attr(parsed *x, const wire_attr *a, uint32_t *life_type, msgbuf *why)
{
    uint32_t v;
    if (!wire_attr_u32(a, &v)) {
        if (a->type != OAKLEY_LIFE_DURATION) {
            msg_set(why, "attribute %s is too long", ENUM_STR(ikev1_oakley_attr_names, a->type));
            return false;
        }
        v = UINT32_MAX;
    }
    if (a->type != OAKLEY_LIFE_DURATION && v > 65535) {
        msg_set(why, "attribute %s is out of range", ENUM_STR(ikev1_oakley_attr_names, a->type));
        return false;
    }
    switch (a->type) {
    case OAKLEY_ENCRYPTION_ALGORITHM:
        x->encr = (uint16_t)v;
        return true;
    case OAKLEY_HASH_ALGORITHM:
        x->hash = (uint16_t)v;
        return true;
    case OAKLEY_AUTHENTICATION_METHOD:
        x->auth = (uint16_t)v;
        return true;
    case OAKLEY_GROUP_DESCRIPTION:
        x->group = (uint16_t)v;
        return true;
    case OAKLEY_KEY_LENGTH:
        if (!x->encr) {
            msg_set(why, "KEY_LENGTH comes before ENCRYPTION_ALGORITHM");
            return false;
        }
        x->bits = (uint16_t)v;
        x->have_bits = true;
        return true;
    case OAKLEY_LIFE_TYPE:
        *life_type = v;
        return true;
    case OAKLEY_LIFE_DURATION:
        if (*life_type == IKEV1_LIFE_SECONDS)
            x->life_s = v;
        return true;
    case OAKLEY_PRF:
        msg_set(why, "a PRF is named, and we know none by number");
        return false;
    case OAKLEY_GROUP_TYPE:
        return true; /* says again what the group is */
    default:
        msg_set(why, "attribute %s is not supported", ENUM_STR(ikev1_oakley_attr_names, a->type));
        return false;
    }
}

static bool parse_transform(const ikev1_transform *t, parsed *x, msgbuf *why)
{
    uint32_t life_type = 0;
    *x = (parsed){.life_s = SA_LIFE_RFC_S};
    if (t->id != IKEV1_TRANSFORM_KEY_IKE) {
        msg_set(why, "transform id %u is not KEY_IKE", t->id);
        return false;
    }
    for (size_t i = 0; i < t->attrs.n; i++) {
        if (!take_attr(x, WIRE_AT(t->attrs, wire_attr, i), &life_type, why))
            return false;
    }
    if (!x->encr || !x->hash || !x->auth || !x->group) {
        msg_set(why, "it lacks %s",
                !x->encr   ? "ENCRYPTION_ALGORITHM"
                : !x->hash ? "HASH_ALGORITHM"
                : !x->auth ? "AUTHENTICATION_METHOD"
                           : "GROUP_DESCRIPTION");
        return false;
    }
    return true;
}

bool spdb_oakley_listed(const proposals *from, encr_alg e, uint16_t bits, hash_alg h, dh_group g)
{
    for (uint8_t i = 0; i < from->n; i++) {
        const proposal *p = &from->p[i];
        bool encr = false, hash = false;
        for (uint8_t k = 0; k < p->n; k++) {
            const transform *t = &p->t[k];
            if (t->type == TRANSFORM_ENCR && t->id == e)
                encr |= fixed_key(e) || (t->key_bits ? t->key_bits : encr_default_bits(e)) == bits;
            else if (t->type == TRANSFORM_PRF)
                hash |= prf_hash(t->id) == h;
        }
        if (encr && hash && proposal_has(p, TRANSFORM_DH, g))
            return true;
    }
    return false;
}

static void transform_text(const parsed *x, char *dst, size_t size)
{
    snprintf(dst, size, "Oakley Transform [%s (%u), %s, %s]", ENUM_STR(oakley_encr_names, x->encr), x->bits,
             ENUM_STR(oakley_hash_names, x->hash), ENUM_STR(oakley_group_names, x->group));
}

/* Judges one transform. */
static bool acceptable(const pconn *c, parsed *x, bool initiator, oakley_choice *out, msgbuf *why)
{
    char text[160];
    const crypto *lib = c->p->e->crypto;
    encr_alg e = ikev1_encr_to(x->encr);
    hash_alg h = ikev1_hash_to(x->hash);
    if (!x->have_bits)
        x->bits = encr_default_bits(e);
    transform_text(x, text, sizeof(text));
    if (x->auth == OAKLEY_RSA_ENC || x->auth == OAKLEY_RSA_ENC_REV) {
        msg_set(why, "%s refused: authentication by public-key encryption is not done", text);
        return false;
    }
    if (!pconn_allows_auth(c, x->auth, initiator)) {
        msg_set(why, "%s refused: authentication %s is not what \"%s\" wants", text,
                ENUM_STR(ikev1_auth_method_names, x->auth), c->name);
        return false;
    }
    if (!e || !h || prf_of_hash(h) == PRF_UNDEFINED ||
        !crypto_has(lib, TRANSFORM_ENCR, e, encr_keymat_bytes(e, x->bits)) ||
        !crypto_has(lib, TRANSFORM_PRF, prf_of_hash(h), 0) || x->group == DH_MODP_768 ||
        !crypto_has(lib, TRANSFORM_DH, x->group, 0) ||
        (fixed_key(e) && x->have_bits && x->bits != encr_default_bits(e))) {
        msg_set(why, "%s refused: not supported", text);
        return false;
    }
    bool ours = spdb_oakley_listed(c->ike, e, x->bits, h, x->group);
    if (!ours && c->ike->strict) {
        msg_set(why, "%s refused due to strict flag, \"%s\" wants ike=%s", text, c->name, c->c->ike);
        return false;
    }
    if (!ours && (initiator || !spdb_oakley_listed(c->p->default_ike, e, x->bits, h, x->group))) {
        msg_set(why, "%s refused due to insecure key_len and enc. alg. not listed in \"ike\" string", text);
        return false;
    }
    if (x->life_s > SA_LIFE_MAX_S) {
        msg_set(why, "%s refused: peer wants a lifetime of %lld s, at most %d are allowed", text,
                (long long)x->life_s, SA_LIFE_MAX_S);
        return false;
    }
    *out = (oakley_choice){
        .encr = e, .key_bits = x->bits, .hash = h, .group = x->group, .auth = x->auth, .life_s = x->life_s};
    return true;
}

static status choose_in(pstate *st, const pconn *c, const ikev1_proposal *p, bool initiator, bool quiet,
                        oakley_choice *out, msgbuf *msg)
{
    for (size_t i = 0; i < p->transforms.n; i++) {
        const ikev1_transform *t = WIRE_AT(p->transforms, ikev1_transform, i);
        parsed x;
        msgbuf why;
        msg_clear(&why);
        if (parse_transform(t, &x, &why) && acceptable(c, &x, initiator, out, &why)) {
            out->prop = p;
            out->trans = t;
            return ST_OK;
        }
        if (!quiet)
            plog(st, "%s", why.text);
        if (!msg->text[0])
            msg_set(msg, "%s", why.text);
    }
    return ST_NOT_FOUND;
}

status spdb_choose_oakley(pstate *st, const pconn *c, const ikev1_sa *sa, bool initiator, bool quiet,
                          oakley_choice *out, msgbuf *msg)
{
    msg_clear(msg);
    if (sa->doi != IKEV1_DOI_IPSEC || sa->situation != IKEV1_SIT_IDENTITY_ONLY)
        return msg_fail(msg, ST_INVALID, "unknown DOI or situation (%u, %u)", sa->doi, sa->situation);
    if (sa->proposals.n == 0)
        return msg_fail(msg, ST_INVALID, "SA payload without a proposal");
    if (initiator && (sa->proposals.n != 1 || WIRE_AT(sa->proposals, ikev1_proposal, 0)->transforms.n != 1))
        return msg_fail(msg, ST_INVALID, "the answer must hold exactly one transform");
    for (size_t i = 0; i < sa->proposals.n; i++) {
        const ikev1_proposal *p = WIRE_AT(sa->proposals, ikev1_proposal, i);
        if (p->proto != IPV1_PROTO_ISAKMP || p->spi.n > 16)
            return msg_fail(msg, ST_INVALID, "proposal for %s in phase 1",
                            ENUM_STR(ikev1_protocol_names, p->proto));
        if (choose_in(st, c, p, initiator, quiet, out, msg) == ST_OK)
            return ST_OK;
    }
    if (!msg->text[0])
        msg_set(msg, "the peer offers nothing");
    return ST_NOT_FOUND;
}

char *spdb_auth_policy(const ikev1_sa *sa, char *dst, size_t size)
{
    static const struct {
        uint16_t method;
        const char *word;
    } words[] = {
        {OAKLEY_PRESHARED_KEY, "PSK"},
        {OAKLEY_RSA_SIG, "RSASIG"},
        {OAKLEY_ECDSA_256, "RSASIG"},
        {OAKLEY_ECDSA_384, "RSASIG"},
        {OAKLEY_ECDSA_521, "RSASIG"},
        {OAKLEY_XAUTH_INIT_PSK, "XAUTHPSK"},
        {OAKLEY_XAUTH_RESP_PSK, "XAUTHPSK+XAUTHSERVER"},
        {OAKLEY_XAUTH_INIT_RSA, "XAUTHRSASIG"},
        {OAKLEY_XAUTH_RESP_RSA, "XAUTHRSASIG+XAUTHSERVER"},
    };
    msgbuf why;
    dst[0] = 0;
    for (size_t i = 0; i < sa->proposals.n; i++) {
        const ikev1_proposal *p = WIRE_AT(sa->proposals, ikev1_proposal, i);
        for (size_t k = 0; k < p->transforms.n; k++) {
            parsed x;
            if (!parse_transform(WIRE_AT(p->transforms, ikev1_transform, k), &x, &why))
                continue;
            for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
                if (words[w].method == x.auth && !strstr(dst, words[w].word) &&
                    strlen(dst) + strlen(words[w].word) + 2 < size) {
                    strcat(dst, dst[0] ? "+" : "");
                    strcat(dst, words[w].word);
                }
            }
        }
    }
    return dst;
}

char *oakley_text(encr_alg e, uint16_t bits, hash_alg h, dh_group g, char *dst, size_t size)
{
    snprintf(dst, size, "%s_%u-%s-%s", SHORT_ALG(oakley_encr_names, ikev1_encr_from(e)), bits,
             SHORT_ALG(oakley_hash_names, ikev1_hash_from(h)), SHORT_ALG(oakley_group_names, g));
    return dst;
}
