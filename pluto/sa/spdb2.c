/* Phase 2 proposals: bundles of AH, ESP and IPComp. Proposals with one number are one bundle ("and"),
 * different numbers are alternatives; in each the peer's first acceptable transform is taken.
 */
#include "pluto/sa/algnames.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/log.h"
#include "pluto/sa/spdb.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OFFERS = 64, ATTRS = 6, IPCOMP_DEFLATE = 2 };
#define IDX(proto) ((proto)-PROTO_AH)

static bool fixed_key(encr_alg e)
{
    return e == ENCR_DES || e == ENCR_3DES || e == ENCR_NULL;
}

uint16_t encaps_value(const ike *i, bool tunnel)
{
    if (i->nat && i->natt_method == NATT_RFC)
        return tunnel ? ENCAPS_UDP_TUNNEL : ENCAPS_UDP_TRANSPORT;
    if (i->nat && i->natt_method != NATT_NONE)
        return tunnel ? ENCAPS_UDP_TUNNEL_DRAFT : ENCAPS_UDP_TRANSPORT_DRAFT;
    return tunnel ? ENCAPS_TUNNEL : ENCAPS_TRANSPORT;
}

/* ---- offering ---- */

typedef struct offers {
    const quick *q;
    dh_group pfs;
    wire_attr attrs[MAX_OFFERS][ATTRS];
    uint8_t room[MAX_OFFERS][4];
    ikev1_transform t[MAX_OFFERS];
    size_t n;
} offers;

static void offer(offers *o, uint8_t id, uint16_t auth, uint16_t bits)
{
    size_t n = 0;
    const conn *k = o->q->st.c->c;
    if (o->n >= MAX_OFFERS || !id)
        return;
    wire_attr *a = o->attrs[o->n];
    int64_t life = k->keylife_s > SA_LIFE_MAX_S ? SA_LIFE_MAX_S : k->keylife_s;
    if (o->pfs)
        a[n++] = wire_attr_tv(IPSEC_GROUP_DESCRIPTION, (uint16_t)o->pfs);
    a[n++] = wire_attr_tv(IPSEC_ENCAPSULATION_MODE, o->q->encaps);
    a[n++] = wire_attr_tv(IPSEC_SA_LIFE_TYPE, IKEV1_LIFE_SECONDS);
    a[n++] = ikev1_attr_num(IPSEC_SA_LIFE_DURATION, (uint32_t)life, o->room[o->n]);
    if (auth)
        a[n++] = wire_attr_tv(IPSEC_AUTH_ALGORITHM, auth);
    if (bits)
        a[n++] = wire_attr_tv(IPSEC_KEY_LENGTH, bits);
    o->t[o->n] = (ikev1_transform){.number = (uint8_t)o->n, .id = id, .attrs = WIRE_LIST(a, n)};
    o->n++;
}

static bool kernel_can(const quick *q, ipsec_proto proto, transform_type type, uint16_t alg, uint16_t bits)
{
    kernel *k = q->ike->p->e->kernel;
    return !k->ops->has_alg || k->ops->has_alg(k, proto, type, alg, bits);
}

static void offer_esp(offers *o, const proposal *p)
{
    bool ah = o->q->st.c->c->auth_ah;
    for (uint8_t e = 0; e < p->n; e++) {
        if (p->t[e].type != TRANSFORM_ENCR ||
            !kernel_can(o->q, PROTO_ESP, TRANSFORM_ENCR, p->t[e].id, p->t[e].key_bits))
            continue;
        uint16_t bits = fixed_key(p->t[e].id) ? 0
                        : p->t[e].key_bits    ? p->t[e].key_bits
                                              : encr_default_bits(p->t[e].id);
        uint8_t id = (uint8_t)ikev1_esp_from(p->t[e].id);
        if (encr_is_aead(p->t[e].id) || ah) {
            offer(o, id, 0, bits);
            continue;
        }
        for (uint8_t h = 0; h < p->n; h++) {
            if (p->t[h].type == TRANSFORM_INTEG &&
                kernel_can(o->q, PROTO_ESP, TRANSFORM_INTEG, p->t[h].id, 0))
                offer(o, id, ikev1_auth_from(p->t[h].id), bits);
        }
    }
}

static void offer_ah(offers *o, const proposals *from)
{
    uint32_t seen = 0;
    for (uint8_t i = 0; i < from->n; i++) {
        for (uint8_t h = 0; h < from->p[i].n; h++) {
            const transform *t = &from->p[i].t[h];
            if (t->type != TRANSFORM_INTEG || !kernel_can(o->q, PROTO_AH, TRANSFORM_INTEG, t->id, 0))
                continue;
            uint16_t auth = ikev1_auth_from(t->id);
            if (auth && auth < 32 && !(seen & 1u << auth))
                offer(o, (uint8_t)ikev1_ah_from(t->id), auth, 0);
            seen |= auth < 32 ? 1u << auth : 0;
        }
    }
}

status spdb_add_ipsec(ikev1_builder *b, const quick *q, dh_group pfs)
{
    const pconn *c = q->st.c;
    status st = ST_NO_MEMORY;
    uint8_t spi[3][4];
    ikev1_proposal p[4];
    size_t n = 0;
    offers *esp = calloc(1, sizeof(*esp)), *ah = calloc(1, sizeof(*ah));
    if (!esp || !ah)
        goto out;
    esp->q = ah->q = q;
    esp->pfs = ah->pfs = pfs;
    for (size_t i = 0; i < 3; i++)
        set_u32(spi[i], q->spi_in[i]);
    bool with_esp = !c->c->ah_only;
    for (uint8_t i = 0; i < c->esp->n && with_esp; i++)
        offer_esp(esp, &c->esp->p[i]);
    if (c->c->auth_ah)
        offer_ah(ah, c->esp);
    if ((with_esp && esp->n == 0) || (c->c->auth_ah && ah->n == 0)) {
        st = ST_NOT_FOUND;
        goto out;
    }
    ikev1_proposal pah = {0, IPV1_PROTO_AH, SPAN_ARRAY(spi[IDX(PROTO_AH)]), WIRE_LIST(ah->t, ah->n)};
    ikev1_proposal pesp = {0, IPV1_PROTO_ESP, SPAN_ARRAY(spi[IDX(PROTO_ESP)]), WIRE_LIST(esp->t, esp->n)};
    wire_attr mode = wire_attr_tv(IPSEC_ENCAPSULATION_MODE, q->encaps);
    ikev1_transform deflate = {0, IPCOMP_DEFLATE, WIRE_LIST(&mode, 1)};
    ikev1_proposal pcomp = {0, IPV1_PROTO_IPCOMP, span_skip(SPAN_ARRAY(spi[IDX(PROTO_IPCOMP)]), 2),
                            WIRE_LIST(&deflate, 1)};
    if (c->c->auth_ah)
        p[n++] = pah;
    if (with_esp)
        p[n++] = pesp;
    if (c->c->compress && q->spi_in[IDX(PROTO_IPCOMP)]) {
        /* with compression, or without: a peer that has none still gets its tunnel */
        p[n++] = pcomp;
        if (n == 2) {
            p[n] = p[0];
            p[n++].number = 1;
        }
    }
    ikev1_sa sa = {IKEV1_DOI_IPSEC, IKEV1_SIT_IDENTITY_ONLY, WIRE_LIST(p, n)};
    ikev1_add(b, PLV1_SA, &sa);
    st = ikev1_builder_ok(b) ? ST_OK : ST_NO_MEMORY;
out:
    free(esp);
    free(ah);
    return st;
}

void spdb_add_ipsec_choice(ikev1_builder *b, const quick *q, const ipsec_choice *ch)
{
    ikev1_proposal p[3];
    uint8_t spi[3][4];
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) {
        if (!ch->prop[i])
            continue;
        set_u32(spi[i], q->spi_in[i]);
        p[n] = *ch->prop[i];
        p[n].transforms = WIRE_LIST(ch->trans[i], 1);
        p[n].spi = i == IDX(PROTO_IPCOMP) ? span_skip(SPAN_ARRAY(spi[i]), 2) : SPAN_ARRAY(spi[i]);
        n++;
    }
    ikev1_sa sa = {IKEV1_DOI_IPSEC, IKEV1_SIT_IDENTITY_ONLY, WIRE_LIST(p, n)};
    ikev1_add(b, PLV1_SA, &sa);
}

/* ---- choosing ---- */

typedef struct parsed {
    uint16_t encaps, auth, bits, group;
    int64_t life_s;
    uint64_t life_kb;
} parsed;

static bool take_attr(parsed *x, const wire_attr *a, uint32_t *life_type, msgbuf *why)
{
    uint32_t v;
    if (!wire_attr_u32(a, &v))
        v = UINT32_MAX;
    if (a->type != IPSEC_SA_LIFE_DURATION && v > 65535)
        return msg_set(why, "attribute %s is out of range", ENUM_STR(ikev1_ipsec_attr_names, a->type)), false;
    switch (a->type) {
    case IPSEC_SA_LIFE_TYPE:
        *life_type = v;
        return true;
    case IPSEC_SA_LIFE_DURATION:
        if (*life_type == IKEV1_LIFE_SECONDS)
            x->life_s = v;
        else if (*life_type == IKEV1_LIFE_KBYTES)
            x->life_kb = v;
        return true;
    case IPSEC_GROUP_DESCRIPTION:
        x->group = (uint16_t)v;
        return true;
    case IPSEC_ENCAPSULATION_MODE:
        x->encaps = (uint16_t)v;
        return true;
    case IPSEC_AUTH_ALGORITHM:
        x->auth = (uint16_t)v;
        return true;
    case IPSEC_KEY_LENGTH:
        x->bits = (uint16_t)v;
        return true;
    case IPSEC_KEY_ROUNDS:
    case IPSEC_ECN_TUNNEL:
        return true;
    case IPSEC_EXT_SEQ:
        return msg_set(why, "extended sequence numbers are not done in IKEv1"), v == 0;
    default:
        return msg_set(why, "attribute %s is not supported", ENUM_STR(ikev1_ipsec_attr_names, a->type)),
               false;
    }
}

static bool parse_transform(const ikev1_transform *t, parsed *x, msgbuf *why)
{
    uint32_t life_type = 0;
    *x = (parsed){.life_s = SA_LIFE_RFC_S};
    for (size_t i = 0; i < t->attrs.n; i++) {
        if (!take_attr(x, WIRE_AT(t->attrs, wire_attr, i), &life_type, why))
            return false;
    }
    if (x->life_s > SA_LIFE_MAX_S)
        x->life_s = SA_LIFE_MAX_S;
    return x->life_s > 0 || (msg_set(why, "a lifetime of 0 s"), false);
}

/* Tunnel or transport as the conn says, encapsulated as NAT detection says. */
static bool encaps_ok(quick *q, uint16_t v, bool ipcomp, bool *tunnel, msgbuf *why)
{
    const ike *i = q->ike;
    if (v == 0 && ipcomp)
        v = ENCAPS_TRANSPORT;
    bool udp = v == ENCAPS_UDP_TUNNEL || v == ENCAPS_UDP_TRANSPORT;
    bool draft = v == ENCAPS_UDP_TUNNEL_DRAFT || v == ENCAPS_UDP_TRANSPORT_DRAFT;
    *tunnel = v == ENCAPS_TUNNEL || v == ENCAPS_UDP_TUNNEL || v == ENCAPS_UDP_TUNNEL_DRAFT;
    if (v != ENCAPS_TUNNEL && v != ENCAPS_TRANSPORT && !udp && !draft)
        return msg_set(why, v ? "encapsulation mode %u is unknown" : "there is no encapsulation mode (%u)",
                       v),
               false;
    if ((udp && (!i->nat || i->natt_method != NATT_RFC)) ||
        (draft && (!i->nat || i->natt_method == NATT_RFC || i->natt_method == NATT_NONE)))
        return msg_set(why, "encapsulation mode %s does not fit what NAT detection found",
                       ENUM_STR(ikev1_encaps_names, v)),
               false;
    if (ipcomp)
        return true;
    if (i->nat && !udp && !draft)
        plog(&q->st,
             "the peer asks for plain encapsulation although there is a NAT: UDP encapsulation is used");
    if (*tunnel != pconn_is_tunnel(q->st.c))
        return msg_set(why, "the peer wants %s mode, \"%s\" %s mode", *tunnel ? "tunnel" : "transport",
                       q->st.c->name, *tunnel ? "transport" : "tunnel"),
               false;
    return true;
}

static bool listed_esp(const proposals *from, encr_alg e, uint16_t bits, integ_alg integ, bool with_ah)
{
    for (uint8_t i = 0; i < from->n; i++) {
        const proposal *p = &from->p[i];
        bool encr = false, in = integ == INTEG_NONE && (encr_is_aead(e) || with_ah);
        for (uint8_t k = 0; k < p->n; k++) {
            const transform *t = &p->t[k];
            if (t->type == TRANSFORM_ENCR && t->id == e)
                encr |= fixed_key(e) || (t->key_bits ? t->key_bits : encr_default_bits(e)) == bits;
            else if (t->type == TRANSFORM_INTEG && !in)
                in = t->id == integ;
        }
        if (encr && in)
            return true;
    }
    return false;
}

static bool listed_integ(const proposals *from, integ_alg integ)
{
    for (uint8_t i = 0; i < from->n; i++) {
        if (proposal_has(&from->p[i], TRANSFORM_INTEG, integ))
            return true;
    }
    return false;
}

/* The truncation that the configuration means by attribute 5. */
static integ_alg integ_of(const pconn *c, uint16_t attr)
{
    integ_alg a = attr == 252 ? INTEG_HMAC_SHA2_256_96 : ikev1_auth_to(attr);
    if (a == INTEG_HMAC_SHA2_256_128 &&
        (c->c->sha256_96 || (listed_integ(c->esp, INTEG_HMAC_SHA2_256_96) && !listed_integ(c->esp, a))))
        return INTEG_HMAC_SHA2_256_96;
    return a;
}

static void set_transform(proposal *p, ipsec_proto proto, span spi, encr_alg e, uint16_t bits,
                          integ_alg integ)
{
    *p = (proposal){.proto = (uint8_t)proto, .spi_n = (uint8_t)spi.n};
    memcpy(p->spi, spi.p, spi.n);
    if (e)
        proposal_add(p, TRANSFORM_ENCR, (uint16_t)e, bits);
    if (integ)
        proposal_add(p, TRANSFORM_INTEG, (uint16_t)integ, 0);
}

static bool take_esp(quick *q, const ikev1_transform *t, parsed *x, bool with_ah, bool initiator, span spi,
                     proposal *out, msgbuf *why)
{
    const pconn *c = q->st.c;
    encr_alg e = ikev1_esp_to(t->id);
    integ_alg integ = x->auth ? integ_of(c, x->auth) : INTEG_NONE;
    uint16_t bits = x->bits ? x->bits : e ? encr_default_bits(e) : 0;
    char text[160];
    snprintf(text, sizeof(text), "IPSec Transform [%s (%u), %s]", ENUM_STR(esp_transform_names, t->id), bits,
             ENUM_STR(auth_alg_names, x->auth));
    if (!e || (x->auth && !integ) || (!x->auth && !with_ah && !encr_is_aead(e)) ||
        (x->auth && encr_is_aead(e)) || !kernel_can(q, PROTO_ESP, TRANSFORM_ENCR, (uint16_t)e, bits) ||
        (integ && !kernel_can(q, PROTO_ESP, TRANSFORM_INTEG, (uint16_t)integ, 0)) ||
        (fixed_key(e) && x->bits && x->bits != encr_default_bits(e)))
        return msg_set(why, "%s refused: %s", text,
                       !x->auth && !encr_is_aead(e) ? "encryption without authentication" : "not supported"),
               false;
    bool ours = listed_esp(c->esp, e, bits, integ, with_ah);
    if (!ours && c->esp->strict)
        return msg_set(why, "%s refused due to strict flag", text), false;
    if (!ours && (initiator || !listed_esp(c->p->default_esp, e, bits, integ, with_ah)))
        return msg_set(why, "%s refused due to insecure key_len and enc. alg. not listed in \"esp\" string",
                       text),
               false;
    set_transform(out, PROTO_ESP, spi, e, fixed_key(e) ? x->bits : bits, integ);
    return true;
}

static bool take_ah(quick *q, const ikev1_transform *t, parsed *x, bool initiator, span spi, proposal *out,
                    msgbuf *why)
{
    const pconn *c = q->st.c;
    integ_alg integ = x->auth ? integ_of(c, x->auth) : INTEG_NONE;
    if (!integ || ikev1_ah_from(integ) != t->id ||
        !kernel_can(q, PROTO_AH, TRANSFORM_INTEG, (uint16_t)integ, 0))
        return msg_set(why, "AH Transform [%s] refused: not supported", ENUM_STR(auth_alg_names, x->auth)),
               false;
    bool ours = listed_integ(c->esp, integ);
    if (!ours && (c->esp->strict || initiator || !listed_integ(c->p->default_ah, integ)))
        return msg_set(why, "AH Transform [%s] refused due to %s", ENUM_STR(auth_alg_names, x->auth),
                       c->esp->strict ? "strict flag" : "not being listed in \"esp\" string"),
               false;
    set_transform(out, PROTO_AH, spi, ENCR_UNDEFINED, 0, integ);
    return true;
}

static bool group_ok(const quick *q, uint16_t group, bool initiator, msgbuf *why)
{
    const pconn *c = q->st.c;
    if (initiator)
        return group == q->pfs ||
               (msg_set(why, "the peer answers with group %u, we proposed %u", group, q->pfs), false);
    if (!group)
        return !c->c->pfs ||
               (msg_set(why, "\"%s\" requires PFS, but the peer proposes no group", c->name), false);
    if (group == DH_MODP_768 || !crypto_has(c->p->e->crypto, TRANSFORM_DH, group, 0))
        return msg_set(why, "PFS group %s is not supported", ENUM_STR(oakley_group_names, group)), false;
    dh_group want = c->pfs_group;
    if (c->esp->strict && want && group != (uint16_t)want)
        return msg_set(why, "PFS group %s refused due to strict flag, \"%s\" wants %s",
                       ENUM_STR(oakley_group_names, group), c->name, ENUM_STR(oakley_group_names, want)),
               false;
    return true;
}

typedef struct bundle {
    const ikev1_proposal *p[3]; /* AH, ESP, IPCOMP */
} bundle;

static bool take_transform(quick *q, const bundle *b, size_t idx, const ikev1_transform *t, bool initiator,
                           ipsec_choice *out, msgbuf *why)
{
    parsed x;
    bool tunnel;
    span spi = b->p[idx]->spi;
    if (!parse_transform(t, &x, why) || !encaps_ok(q, x.encaps, idx == IDX(PROTO_IPCOMP), &tunnel, why))
        return false;
    if (idx == IDX(PROTO_IPCOMP)) {
        if (t->id != IPCOMP_DEFLATE)
            return msg_set(why, "compression %u is not deflate", t->id), false;
        set_transform(&out->ipcomp, PROTO_IPCOMP, spi, ENCR_UNDEFINED, 0, INTEG_NONE);
        return true;
    }
    if (idx == IDX(PROTO_ESP)
            ? !take_esp(q, t, &x, b->p[IDX(PROTO_AH)] != NULL, initiator, spi, &out->esp, why)
            : !take_ah(q, t, &x, initiator, spi, &out->ah, why))
        return false;
    if (!group_ok(q, x.group, initiator, why))
        return false;
    if (out->encaps && out->group != (dh_group)x.group)
        return msg_set(why, "AH and ESP name different groups"), false;
    out->group = x.group;
    out->encaps = x.encaps;
    out->life_s = out->life_s && out->life_s < x.life_s ? out->life_s : x.life_s;
    out->life_kb = x.life_kb;
    return true;
}

static bool bundle_shape_ok(const quick *q, const bundle *b, msgbuf *why)
{
    const conn *k = q->st.c->c;
    static const uint8_t size[3] = {4, 4, 2};
    for (size_t i = 0; i < 3; i++) {
        if (!b->p[i])
            continue;
        span spi = b->p[i]->spi;
        uint32_t v = spi.n == 4 ? get_u32(spi.p) : spi.n == 2 ? get_u16(spi.p) : 0;
        if (spi.n != size[i] && !(i == IDX(PROTO_IPCOMP) && spi.n == 4))
            return msg_set(why, "SPI of %zu octets", spi.n), false;
        if (i == IDX(PROTO_IPCOMP) ? (v == 0 || v > 65535) : v < 256)
            return msg_set(why, "SPI 0x%x is reserved", v), false;
    }
    if ((b->p[IDX(PROTO_ESP)] != NULL) == k->ah_only)
        return msg_set(why,
                       k->ah_only ? "the peer offers ESP, \"%s\" wants AH alone"
                                  : "the peer offers no ESP, \"%s\" wants it",
                       q->st.c->name),
               false;
    if ((b->p[IDX(PROTO_AH)] != NULL) != k->auth_ah)
        return msg_set(why,
                       k->auth_ah ? "the peer offers no AH, \"%s\" has auth=ah"
                                  : "the peer offers AH, \"%s\" has not auth=ah",
                       q->st.c->name),
               false;
    if (b->p[IDX(PROTO_AH)] && q->ike->nat)
        return msg_set(why, "AH cannot pass a NAT"), false;
    if (b->p[IDX(PROTO_IPCOMP)] && !k->compress)
        return msg_set(why, "the peer offers IPCOMP, \"%s\" has not compress=yes", q->st.c->name), false;
    return true;
}

static bool take_bundle(quick *q, const bundle *b, bool initiator, ipsec_choice *out, msgbuf *msg)
{
    msgbuf why;
    memset(out, 0, sizeof(*out));
    if (!bundle_shape_ok(q, b, &why)) {
        if (!msg->text[0])
            msg_set(msg, "%s", why.text);
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        for (size_t t = 0; b->p[i] && t < b->p[i]->transforms.n && !out->trans[i]; t++) {
            const ikev1_transform *tr = WIRE_AT(b->p[i]->transforms, ikev1_transform, t);
            msg_clear(&why);
            if (take_transform(q, b, i, tr, initiator, out, &why)) {
                out->prop[i] = b->p[i];
                out->trans[i] = tr;
                continue;
            }
            plog(&q->st, "%s", why.text);
            if (!msg->text[0])
                msg_set(msg, "%s", why.text);
        }
        if (b->p[i] && !out->trans[i])
            return false;
    }
    return true;
}

status spdb_choose_ipsec(quick *q, const ikev1_sa *sa, bool initiator, ipsec_choice *out, msgbuf *msg)
{
    size_t n = sa->proposals.n;
    msg_clear(msg);
    if (sa->doi != IKEV1_DOI_IPSEC || sa->situation != IKEV1_SIT_IDENTITY_ONLY || n == 0)
        return msg_fail(msg, ST_INVALID, "unknown DOI or situation, or no proposal");
    for (size_t i = 0; i < n;) {
        bundle b = {{NULL}};
        uint8_t number = WIRE_AT(sa->proposals, ikev1_proposal, i)->number;
        bool bad = false;
        for (; i < n && WIRE_AT(sa->proposals, ikev1_proposal, i)->number == number; i++) {
            const ikev1_proposal *p = WIRE_AT(sa->proposals, ikev1_proposal, i);
            if (p->proto < PROTO_AH || p->proto > PROTO_IPCOMP || b.p[IDX(p->proto)])
                return msg_fail(msg, ST_INVALID, "proposal %u names protocol %u %s", number, p->proto,
                                p->proto < PROTO_AH || p->proto > PROTO_IPCOMP ? "" : "twice");
            bad |= initiator && p->transforms.n != 1;
            b.p[IDX(p->proto)] = p;
        }
        if (initiator && (bad || i < n))
            return msg_fail(msg, ST_INVALID,
                            "the answer must hold exactly one proposal with one transform each");
        if (take_bundle(q, &b, initiator, out, msg))
            return ST_OK;
    }
    if (!msg->text[0])
        msg_set(msg, "the peer offers nothing");
    return ST_NOT_FOUND;
}
