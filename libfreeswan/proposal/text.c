/* `ike=` and `esp=` strings to proposals. The text is cut at commas into proposals and these at '-', '+' and
 * ';' into words; what a proposal leaves out is filled in by the rules of the dialect it was written for
 * (ipsec.conf reference 9.1).
 *
 * An IKEv1 IKE proposal carries ENCR, PRF and DH: its "hash" is the PRF's hash (prf_hash()). An IKEv1 ESP
 * proposal carries no group; that one is proposals.pfs_group.
 */
#include "libfreeswan/proposal/tokens.h"

#include <ctype.h>

typedef struct parse {
    proposals *out;
    uint8_t where; /* one TOKEN_ bit */
    bool ikev1;
    msgbuf *msg;
    span whole; /* the proposal being read, for messages */
    proposal p;
    uint16_t ids_seen; /* "idNNN" words so far */
    bool aead_skipped; /* IKEv1: an AEAD for IKE was left out */
} parse;

static bool has_type(const proposal *p, transform_type type)
{
    return proposal_get(p, type) != NULL;
}

static status refuse(parse *x, const char *why, span word)
{
    return msg_fail(x->msg, ST_INVALID, "'%.*s' in '%.*s' %s", (int)(word.n > 60 ? 60 : word.n),
                    (const char *)word.p, (int)(x->whole.n > 100 ? 100 : x->whole.n),
                    (const char *)x->whole.p, why);
}

/* "… is not an algorithm; expected: aes128 …", with what is missing most at this place. */
static status refuse_unknown(parse *x, span word)
{
    status st = refuse(x, "is not a known algorithm; expected is one of:", word);
    if (!x->msg)
        return st;
    if (x->where != TOKEN_AH && !has_type(&x->p, TRANSFORM_ENCR)) {
        proposal_token_hints(x->msg, TRANSFORM_ENCR, x->where);
    } else if (!has_type(&x->p, TRANSFORM_INTEG) && !has_type(&x->p, TRANSFORM_DH)) {
        proposal_token_hints(x->msg, TRANSFORM_INTEG, x->where);
        proposal_token_hints(x->msg, TRANSFORM_DH, x->where);
    } else {
        proposal_token_hints(x->msg, TRANSFORM_DH, x->where);
        proposal_token_hints(x->msg, TRANSFORM_ESN, x->where);
    }
    return st;
}

static status add(parse *x, transform_type type, uint16_t id, uint16_t bits)
{
    if (!proposal_add(&x->p, type, id, bits))
        return msg_fail(x->msg, ST_LIMIT, "'%.*s' holds more than %d algorithms",
                        (int)(x->whole.n > 100 ? 100 : x->whole.n), (const char *)x->whole.p,
                        PROPOSAL_MAX_TRANSFORMS);
    return ST_OK;
}

/* A cipher without a key length takes any: 128 first, but for IKEv1 ESP the longest first, as these files
 * always meant. */
static status add_all_lengths(parse *x, const proposal_token *t)
{
    uint16_t max = t->max_bits > 256 ? 256 : t->max_bits;
    bool longest_first = x->ikev1 && x->where == TOKEN_ESP;
    if (t->id == ENCR_BLOWFISH)
        return add(x, TRANSFORM_ENCR, t->id, 128);
    for (uint16_t i = t->min_bits; i <= max; i = (uint16_t)(i + 64)) {
        uint16_t bits = longest_first ? (uint16_t)(max + t->min_bits - i) : i;
        status st = add(x, TRANSFORM_ENCR, t->id, bits);
        if (st)
            return st;
    }
    return ST_OK;
}

static bool all_digits(span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isdigit(s.p[i]))
            return false;
    return s.n > 0;
}

static bool next_word(span *rest, span *word)
{
    size_t n = 0;
    if (!rest->n)
        return false;
    while (n < rest->n && rest->p[n] != '-' && rest->p[n] != '+' && rest->p[n] != ';')
        n++;
    *word = span_trim(span_take(*rest, n));
    *rest = n < rest->n ? span_skip(*rest, n + 1) : SPAN_NULL;
    return true;
}

/* A following word of digits belongs to this one: "aes-128", "sha2-512", "sha-160". */
static bool next_digits(span *rest, uint16_t *v)
{
    span look = *rest, word;
    uint64_t n;
    if (!next_word(&look, &word) || !all_digits(word) || !span_to_u64(word, 4096, &n))
        return false;
    *rest = look;
    *v = (uint16_t)n;
    return true;
}

static status take_encr(parse *x, const proposal_token *t, uint16_t bits, span word, span *rest)
{
    uint16_t digits = bits;
    if (!bits && next_digits(rest, &digits) && !t->max_bits) {
        if (digits != 192 && digits != 168 && digits != 56 && digits != 128)
            return refuse(x, "has no key length to choose", word);
        digits = 0;
    }
    if (x->where == TOKEN_AH)
        return ST_OK; /* auth=ah beside a common esp=: only its integrity algorithm matters here */
    if (x->ikev1 && x->where == TOKEN_IKE && encr_is_aead(t->id)) {
        x->aead_skipped = true;
        return ST_OK;
    }
    if (!t->max_bits)
        return add(x, TRANSFORM_ENCR, t->id, 0);
    if (!digits)
        return add_all_lengths(x, t);
    if (!proposal_token_bits(t, &digits))
        return refuse(x,
                      t->max_bits > 256 ? "has no such key length; 128 to 448 is expected"
                                        : "has no such key length; 128, 192 or 256 is expected",
                      word);
    return add(x, TRANSFORM_ENCR, t->id, digits);
}

static status take_integ(parse *x, const proposal_token *t, span word, span *rest)
{
    uint16_t id = t->id, digits;
    if (next_digits(rest, &digits) && span_equal(word, SPAN_LIT("sha2"))) {
        id = digits == 512   ? INTEG_HMAC_SHA2_512_256
             : digits == 384 ? INTEG_HMAC_SHA2_384_192
                             : INTEG_HMAC_SHA2_256_128;
        if (digits != 256 && digits != 384 && digits != 512)
            return refuse(x, "is followed by an unknown length; 256, 384 or 512 is expected", word);
    }
    return add(x, TRANSFORM_INTEG, id, 0);
}

static prf_alg prf_of_integ(uint16_t integ)
{
    switch (integ) {
    case INTEG_HMAC_MD5_96:
    case INTEG_HMAC_MD5_128:
        return PRF_HMAC_MD5;
    case INTEG_HMAC_SHA1_96:
    case INTEG_HMAC_SHA1_160:
        return PRF_HMAC_SHA1;
    case INTEG_AES_XCBC_96:
        return PRF_AES128_XCBC;
    case INTEG_AES_CMAC_96:
        return PRF_AES128_CMAC;
    case INTEG_HMAC_SHA2_256_128:
    case INTEG_HMAC_SHA2_256_96:
        return PRF_HMAC_SHA2_256;
    case INTEG_HMAC_SHA2_384_192:
        return PRF_HMAC_SHA2_384;
    case INTEG_HMAC_SHA2_512_256:
        return PRF_HMAC_SHA2_512;
    default:
        return PRF_UNDEFINED;
    }
}

static const struct {
    hash_alg hash;
    integ_alg integ;
} hash_integ[] = {
    {HASH_MD5, INTEG_HMAC_MD5_96},
    {HASH_SHA1, INTEG_HMAC_SHA1_96},
    {HASH_SHA2_256, INTEG_HMAC_SHA2_256_128},
    {HASH_SHA2_384, INTEG_HMAC_SHA2_384_192},
    {HASH_SHA2_512, INTEG_HMAC_SHA2_512_256},
};

/* "idNNN": IKEv1's number of a hash (ike=), or of the cipher and then the authenticator (esp=). */
static status take_number(parse *x, span word)
{
    uint64_t n;
    uint16_t id = 0;
    bool encr = x->where == TOKEN_ESP && x->ids_seen == 0 && !has_type(&x->p, TRANSFORM_ENCR);
    if (!x->ikev1 || !span_to_u64(span_skip(word, 2), 65535, &n))
        return refuse_unknown(x, word);
    x->ids_seen++;
    if (encr) {
        id = ikev1_esp_to((uint16_t)n);
    } else if (x->where == TOKEN_IKE) {
        hash_alg h = ikev1_hash_to((uint16_t)n);
        for (size_t i = 0; i < sizeof(hash_integ) / sizeof(hash_integ[0]); i++)
            if (hash_integ[i].hash == h)
                id = hash_integ[i].integ;
    } else {
        id = ikev1_auth_to((uint16_t)n);
    }
    if (!id)
        return refuse(x, "is not the number of an algorithm that is implemented", word);
    return add(x, encr ? TRANSFORM_ENCR : TRANSFORM_INTEG, id, 0);
}

static status take_word(parse *x, span word, span *rest)
{
    uint16_t bits;
    if (!word.n)
        return msg_fail(x->msg, ST_INVALID, "'%.*s' has an empty place between its words",
                        (int)(x->whole.n > 100 ? 100 : x->whole.n), (const char *)x->whole.p);
    bool after_encr = has_type(&x->p, TRANSFORM_ENCR);
    if (after_encr && (span_equal(word, SPAN_LIT("null")) || span_equal(word, SPAN_LIT("none"))))
        return ST_OK; /* libreswan's "no integrity" behind an AEAD; without one it is refused below */
    if (word.n > 2 && word.p[0] == 'i' && word.p[1] == 'd')
        return take_number(x, word);
    const proposal_token *t = proposal_token_find(word, x->where, &bits);
    if (!t)
        return refuse_unknown(x, word);
    bool ignored = x->where == TOKEN_AH && t->type == TRANSFORM_ENCR;
    if (!(t->where & x->where) && !ignored)
        return refuse(x, x->where == TOKEN_IKE ? "cannot be used for IKE" : "cannot be used for ESP or AH",
                      word);
    if (t->type == TRANSFORM_ENCR)
        return take_encr(x, t, bits, word, rest);
    if (t->type == TRANSFORM_INTEG)
        return take_integ(x, t, word, rest);
    if (t->type == TRANSFORM_DH && x->ikev1 && x->where != TOKEN_IKE) {
        if (!x->out->pfs_group)
            x->out->pfs_group = t->id;
        return ST_OK;
    }
    if (t->type == TRANSFORM_ESN && x->ikev1 && t->id == ESN_NO)
        return ST_OK;
    return add(x, t->type, t->id, 0);
}

/* ---- what was left out ---- */

static status add_list(parse *x, transform_type type, const uint16_t *ids, size_t n)
{
    status st = ST_OK;
    for (size_t i = 0; i < n && !st; i++)
        st = add(x, type, ids[i], 0);
    return st;
}
#define ADD_LIST(x, type, ...)                                                                               \
    add_list((x), (type), (const uint16_t[]){__VA_ARGS__},                                                   \
             sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void drop_type(proposal *p, transform_type type)
{
    uint8_t n = 0;
    for (uint8_t i = 0; i < p->n; i++)
        if (p->t[i].type != type)
            p->t[n++] = p->t[i];
    p->n = n;
}

static status fill_prf(parse *x)
{
    status st = ST_OK;
    if (has_type(&x->p, TRANSFORM_PRF))
        return ST_OK;
    proposal before = x->p;
    for (uint8_t i = 0; i < before.n && !st; i++)
        if (before.t[i].type == TRANSFORM_INTEG && prf_of_integ(before.t[i].id))
            st = add(x, TRANSFORM_PRF, prf_of_integ(before.t[i].id), 0);
    if (!st && !has_type(&x->p, TRANSFORM_PRF))
        st = ADD_LIST(x, TRANSFORM_PRF, PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_512,
                      PRF_HMAC_SHA1);
    return st;
}

static status fill_ikev1_ike(parse *x)
{
    status st = ST_OK;
    if (!has_type(&x->p, TRANSFORM_INTEG) && !has_type(&x->p, TRANSFORM_PRF))
        st = ADD_LIST(x, TRANSFORM_PRF, PRF_HMAC_SHA1, PRF_HMAC_MD5);
    if (!st)
        st = fill_prf(x);
    drop_type(&x->p, TRANSFORM_INTEG);
    if (!st && !has_type(&x->p, TRANSFORM_DH))
        st = ADD_LIST(x, TRANSFORM_DH, DH_MODP_1536, DH_MODP_1024);
    return st;
}

static bool only_aead(const proposal *p)
{
    bool any = false;
    for (uint8_t i = 0; i < p->n; i++)
        if (p->t[i].type == TRANSFORM_ENCR) {
            any = true;
            if (!encr_is_aead(p->t[i].id))
                return false;
        }
    return any;
}

static status fill(parse *x)
{
    status st = ST_OK;
    bool v1 = x->ikev1;
    if (x->where == TOKEN_IKE && v1)
        return fill_ikev1_ike(x);
    if (!has_type(&x->p, TRANSFORM_INTEG) && !only_aead(&x->p))
        st = v1 ? ADD_LIST(x, TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, INTEG_HMAC_MD5_96)
                : ADD_LIST(x, TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, INTEG_HMAC_SHA1_96);
    if (!st && x->where == TOKEN_IKE)
        st = fill_prf(x);
    if (!st && x->where == TOKEN_IKE && !has_type(&x->p, TRANSFORM_DH))
        st = ADD_LIST(x, TRANSFORM_DH, DH_CURVE25519, DH_ECP_256, DH_MODP_3072, DH_MODP_2048);
    if (!st && x->where != TOKEN_IKE && !v1 && !has_type(&x->p, TRANSFORM_ESN))
        st = add(x, TRANSFORM_ESN, ESN_NO, 0);
    return st;
}

/* ---- proposals ---- */

static status keep(parse *x, const proposal *p)
{
    proposals *out = x->out;
    if (out->n >= PROPOSALS_MAX)
        return msg_fail(x->msg, ST_LIMIT, "more than %d proposals", PROPOSALS_MAX);
    out->p[out->n] = *p;
    out->p[out->n].number = (uint8_t)(out->n + 1);
    out->n++;
    return ST_OK;
}

/* AEADs and other ciphers cannot stand in one proposal (RFC 5282 8): it becomes two, in the order of the
 * first of each. */
static status keep_split(parse *x)
{
    proposal part[2] = {x->p, x->p}; /* [0] keeps the kind of the first cipher */
    const transform *first = proposal_get(&x->p, TRANSFORM_ENCR);
    bool first_aead = first && encr_is_aead(first->id);
    status st = ST_OK;
    for (int k = 0; k < 2 && !st; k++) {
        bool want_aead = k ? !first_aead : first_aead;
        uint8_t n = 0;
        for (uint8_t i = 0; i < part[k].n; i++) {
            transform t = part[k].t[i];
            if (t.type == TRANSFORM_ENCR ? encr_is_aead(t.id) == want_aead
                                         : !(t.type == TRANSFORM_INTEG && want_aead))
                part[k].t[n++] = t;
        }
        part[k].n = n;
        if (has_type(&part[k], TRANSFORM_ENCR))
            st = keep(x, &part[k]);
    }
    return st;
}

static status parse_one(parse *x, span text)
{
    span rest, word;
    status st = ST_OK;
    x->whole = rest = span_trim(text);
    x->p = (proposal){.proto = x->p.proto};
    x->ids_seen = 0;
    bool skipped_before = x->aead_skipped;
    x->aead_skipped = false;
    if (!rest.n)
        return msg_fail(x->msg, ST_INVALID, "an empty proposal (a stray comma?)");
    while (!st && next_word(&rest, &word))
        st = take_word(x, word, &rest);
    bool skip = x->aead_skipped && !has_type(&x->p, TRANSFORM_ENCR);
    x->aead_skipped |= skipped_before;
    if (st || skip)
        return st;
    if (x->where != TOKEN_AH && !has_type(&x->p, TRANSFORM_ENCR)) {
        st = msg_fail(x->msg, ST_INVALID, "'%.*s' names no encryption algorithm; expected is one of:",
                      (int)(x->whole.n > 100 ? 100 : x->whole.n), (const char *)x->whole.p);
        if (x->msg)
            proposal_token_hints(x->msg, TRANSFORM_ENCR, x->where);
        return st;
    }
    st = fill(x);
    if (st)
        return st;
    return x->where == TOKEN_AH ? keep(x, &x->p) : keep_split(x);
}

status proposals_from_text(proposals *out, const char *text, ipsec_proto proto, bool ikev1, msgbuf *msg)
{
    proposals result = {0};
    parse x = {.out = &result, .ikev1 = ikev1, .msg = msg, .p = {.proto = (uint8_t)proto}};
    x.where = proto == PROTO_IKE ? TOKEN_IKE : proto == PROTO_AH ? TOKEN_AH : TOKEN_ESP;
    span rest = span_trim(span_str(text)), one;
    if (rest.n && rest.p[rest.n - 1] == '!') {
        result.strict = true;
        rest = span_trim(span_take(rest, rest.n - 1));
    }
    if (!rest.n)
        return msg_fail(msg, ST_INVALID, "an empty proposal string");
    bool more = true;
    while (more) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != ',')
            n++;
        one = span_take(rest, n);
        more = n < rest.n;
        rest = more ? span_skip(rest, n + 1) : SPAN_NULL;
        status st = parse_one(&x, one);
        if (st)
            return st;
    }
    if (!result.n)
        return msg_fail(msg, ST_INVALID,
                        "'%.100s' holds only combined-mode ciphers, which IKEv1 cannot use for IKE", text);
    *out = result;
    return ST_OK;
}
