/* Public keys. Checked once when they are made - size, exponent, curve, point - so that using one needs no
 * checks and decodes nothing; the only thing that changes later is the cache of prepared contexts.
 */
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/der.h"
#include "libstrongswan/cred/sig.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { RSA_MIN_BITS = 1024, RSA_MAX_BITS = 16384, RSA_MAX_E_BITS = 64, MAX_SPKI = 8192 };

struct pubkey {
    refcount refs;
    EVP_PKEY *pkey;
    key_info info;
    uint8_t keyid[20], spki_hash[20];
    char freeswan_id[10];
    sig_cache cache;
};

/* ---- checks ---- */

/* An RSA key's numbers, big-endian without leading zeros. */
typedef struct rsa_numbers {
    span n, e;
} rsa_numbers;

static unsigned bit_count(span number)
{
    unsigned bits = (unsigned)(8 * number.n);
    for (unsigned top = number.n ? number.p[0] : 0; number.n && !(top & 0x80); top <<= 1)
        bits--;
    return bits;
}

static status check_rsa_numbers(const rsa_numbers *r, key_info *info, msgbuf *msg)
{
    unsigned bits = bit_count(r->n), e_bits = bit_count(r->e);
    info->bits = bits;
    if (!bits || !e_bits)
        return msg_fail(msg, ST_INVALID, "the RSA key has no modulus or exponent");
    if (bits < RSA_MIN_BITS)
        return msg_fail(msg, ST_INVALID, "the RSA modulus has only %u bits, at least %d are needed", bits,
                        RSA_MIN_BITS);
    if (bits > RSA_MAX_BITS)
        return msg_fail(msg, ST_INVALID, "the RSA modulus has %u bits, at most %d are taken", bits,
                        RSA_MAX_BITS);
    if (!(r->n.p[r->n.n - 1] & 1))
        return msg_fail(msg, ST_INVALID, "the RSA modulus is even");
    if (!(r->e.p[r->e.n - 1] & 1) || e_bits == 1)
        return msg_fail(msg, ST_INVALID, "the RSA exponent is even or one");
    if (e_bits > RSA_MAX_E_BITS)
        return msg_fail(msg, ST_INVALID, "the RSA exponent has %u bits, at most %d are taken", e_bits,
                        RSA_MAX_E_BITS);
    return ST_OK;
}

/* The numbers of a key that was not taken apart here; they stay in space. */
typedef struct rsa_space {
    uint8_t n[RSA_MAX_BITS / 8], e[RSA_MAX_BITS / 8];
} rsa_space;

static bool number_of_key(EVP_PKEY *pkey, const char *name, uint8_t *space, span *out)
{
    BIGNUM *v = NULL;
    *out = SPAN_NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &v) && !BN_is_negative(v) && BN_num_bytes(v) <= RSA_MAX_BITS / 8)
        *out = span_of(space, (size_t)BN_bn2bin(v, space));
    BN_free(v);
    return out->n != 0;
}

static bool numbers_of_key(EVP_PKEY *pkey, rsa_space *space, rsa_numbers *out)
{
    return number_of_key(pkey, OSSL_PKEY_PARAM_RSA_N, space->n, &out->n) &&
           number_of_key(pkey, OSSL_PKEY_PARAM_RSA_E, space->e, &out->e);
}

static status check_rsa(EVP_PKEY *pkey, key_info *info, msgbuf *msg)
{
    rsa_space space;
    rsa_numbers r;
    if (EVP_PKEY_get_bits(pkey) > RSA_MAX_BITS)
        return msg_fail(msg, ST_INVALID, "the RSA modulus has %d bits, at most %d are taken",
                        EVP_PKEY_get_bits(pkey), RSA_MAX_BITS);
    if (!numbers_of_key(pkey, &space, &r))
        return msg_fail(msg, ST_INVALID, "the RSA key has no modulus or exponent, or a number out of range");
    return check_rsa_numbers(&r, info, msg);
}

static status check_ec(EVP_PKEY *pkey, key_info *info, msgbuf *msg)
{
    static const struct {
        const char *name;
        unsigned bits;
    } curves[] = {{"prime256v1", 256},      {"secp384r1", 384},       {"secp521r1", 521},
                  {"brainpoolP256r1", 256}, {"brainpoolP384r1", 384}, {"brainpoolP512r1", 512}};
    char group[64] = "", encoding[32] = "";
    size_t n;
    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof(encoding), &n);
    if (!EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) ||
        strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP))
        return msg_fail(msg, ST_INVALID, "the ECDSA key does not name its curve");
    info->bits = 0;
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
        if (!strcmp(group, curves[i].name))
            info->bits = curves[i].bits;
    if (!info->bits)
        return msg_fail(msg, ST_UNSUPPORTED, "ECDSA keys on curve %s are not supported", group);
    info->half = (info->bits + 7) / 8;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx && EVP_PKEY_public_check_quick(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? ST_OK : msg_fail(msg, ST_INVALID, "the ECDSA key is not a point of its curve");
}

status key_describe(EVP_PKEY *pkey, key_info *out, msgbuf *msg)
{
    *out = (key_info){.bits = (unsigned)EVP_PKEY_get_bits(pkey)};
    status st = ST_OK;
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA_PSS:
        out->pss_only = true;
        /* fallthrough */
    case EVP_PKEY_RSA:
        out->type = KEY_RSA;
        st = check_rsa(pkey, out, msg);
        break;
    case EVP_PKEY_EC:
        out->type = KEY_ECDSA;
        st = check_ec(pkey, out, msg);
        break;
    case EVP_PKEY_ED25519:
        out->type = KEY_ED25519;
        out->bits = 256;
        break;
    case EVP_PKEY_ED448:
        out->type = KEY_ED448;
        out->bits = 456;
        break;
    default: {
        const char *name = EVP_PKEY_get0_type_name(pkey);
        st = msg_fail(msg, ST_UNSUPPORTED, "keys of type %s are not supported", name ? name : "unknown");
    }
    }
    ERR_clear_error();
    return st;
}

/* ---- making ---- */

/* What FreeS/WAN shows of a key: the first nine base64 digits of its RFC 3110 form. Other kinds get those of
 * the id. */
static bool set_freeswan_id(pubkey *k, const rsa_numbers *r)
{
    uint8_t blob[64];
    buf text = {0};
    span from = span_of(k->keyid, sizeof(k->keyid));
    if (r) {
        size_t e_n = r->e.n, take = r->n.n < 16 ? r->n.n : 16;
        blob[0] = (uint8_t)e_n; /* at most 8: checked */
        memcpy(blob + 1, r->e.p, e_n);
        memcpy(blob + 1 + e_n, r->n.p, take);
        from = span_of(blob, 1 + e_n + take);
    }
    text_put_base64(&text, from);
    span_cstr(span_take(buf_span(&text), 9), k->freeswan_id, sizeof(k->freeswan_id));
    bool ok = buf_ok(&text);
    buf_free(&text);
    return ok;
}

static status set_ids(pubkey *k, span spki, const rsa_numbers *r)
{
    span body, algorithm, bits;
    if (!der_whole(spki, DER_SEQUENCE, &body) || !der_next_is(&body, DER_SEQUENCE, &algorithm) ||
        !der_next_is(&body, DER_BIT_STRING, &bits) || bits.n <= 1 ||
        EVP_Digest(bits.p + 1, bits.n - 1, k->keyid, NULL, sig_md(HASH_SHA1), NULL) != 1 ||
        EVP_Digest(spki.p, spki.n, k->spki_hash, NULL, sig_md(HASH_SHA1), NULL) != 1)
        return ST_CRYPTO;
    return set_freeswan_id(k, r) ? ST_OK : ST_NO_MEMORY;
}

/* Both key ids come from the SubjectPublicKeyInfo as OpenSSL writes it, so that equal keys have equal ids. */
static status set_ids_of_key(pubkey *k)
{
    uint8_t *der = NULL;
    rsa_space space;
    rsa_numbers r;
    bool rsa = k->info.type == KEY_RSA && numbers_of_key(k->pkey, &space, &r);
    int n = i2d_PUBKEY(k->pkey, &der);
    if (n <= 0)
        return ST_NO_MEMORY;
    status st = set_ids(k, span_of(der, (size_t)n), rsa ? &r : NULL);
    OPENSSL_free(der);
    return st;
}

/* spki: the key as OpenSSL would write it; empty if that is not known yet. r: an RSA key's numbers; NULL if
 * they are not known. */
static status adopt(pubkey **out, EVP_PKEY *pkey, span spki, const rsa_numbers *r, msgbuf *msg)
{
    *out = NULL;
    pubkey *k = calloc(1, sizeof(*k));
    if (!k) {
        EVP_PKEY_free(pkey);
        return ST_NO_MEMORY;
    }
    ref_init(&k->refs);
    k->pkey = pkey;
    status st;
    if (r) {
        k->info.type = KEY_RSA;
        st = check_rsa_numbers(r, &k->info, msg);
    } else {
        st = key_describe(pkey, &k->info, msg);
    }
    if (st == ST_OK)
        st = span_empty(spki) ? set_ids_of_key(k) : set_ids(k, spki, r);
    if (st != ST_OK) {
        pubkey_unref(k);
        return st;
    }
    *out = k;
    return ST_OK;
}

status pubkey_adopt(pubkey **out, EVP_PKEY *pkey, msgbuf *msg)
{
    return adopt(out, pkey, SPAN_NULL, NULL, msg);
}

/* ---- the two forms nearly every key has, without OpenSSL's decoder ----
 * The decoder and the encoder try every key type of every provider: 170 us a key, more than a Diffie-Hellman.
 * A key that stands here exactly as OpenSSL would write it is taken apart by hand; anything else goes the
 * long way. */

static EVP_PKEY *key_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx && EVP_PKEY_fromdata_init(ctx) > 0)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* OpenSSL's parameters hold numbers in the machine's byte order. */
static OSSL_PARAM number_param(const char *name, span number, uint8_t *space)
{
    for (size_t i = 0; i < number.n; i++)
        space[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? i : number.n - 1 - i] = number.p[number.n - 1 - i];
    return OSSL_PARAM_construct_BN(name, space, number.n);
}

/* Both numbers fit RSA_MAX_BITS and are not empty. */
static EVP_PKEY *rsa_key(const rsa_numbers *r)
{
    rsa_space space;
    OSSL_PARAM params[] = {number_param(OSSL_PKEY_PARAM_RSA_N, r->n, space.n),
                           number_param(OSSL_PKEY_PARAM_RSA_E, r->e, space.e), OSSL_PARAM_construct_end()};
    return key_from_params("RSA", params);
}

/* A positive INTEGER in its shortest form; the zero octet of the sign is cut off. */
static bool positive_integer(span *rest, span *out)
{
    if (!der_next_is(rest, DER_INTEGER, out) || out->n == 0 || out->p[0] & 0x80)
        return false;
    if (out->p[0] == 0) {
        *out = span_skip(*out, 1);
        return out->n && out->p[0] & 0x80;
    }
    return true;
}

static EVP_PKEY *plain_rsa(span bits, rsa_numbers *r)
{
    span body;
    if (!der_whole(bits, DER_SEQUENCE, &body) || !positive_integer(&body, &r->n) ||
        !positive_integer(&body, &r->e) || body.n || r->n.n > RSA_MAX_BITS / 8 || r->e.n > RSA_MAX_E_BITS / 8)
        return NULL;
    return rsa_key(r);
}

static EVP_PKEY *plain_ec(const char *curve, size_t coordinate, span point)
{
    if (point.n != 1 + 2 * coordinate || point.p[0] != 4)
        return NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.p, point.n),
        OSSL_PARAM_construct_end()};
    return key_from_params("EC", params);
}

/* r gets an RSA key's numbers, in spki; r->n is empty for other keys. */
static EVP_PKEY *plain_key(span spki, rsa_numbers *r)
{
    static const char rsa[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    static const char ec[] = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    static const char p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    static const char p384[] = "\x06\x05\x2b\x81\x04\x00\x22";
    span body, algorithm, bits;
    if (!der_whole(spki, DER_SEQUENCE, &body) || !der_next_is(&body, DER_SEQUENCE, &algorithm) ||
        !der_next_is(&body, DER_BIT_STRING, &bits) || body.n || bits.n < 2 || bits.p[0] != 0)
        return NULL;
    bits = span_skip(bits, 1);
    if (span_equal(algorithm, span_of(rsa, sizeof(rsa) - 1)))
        return plain_rsa(bits, r);
    if (!span_starts(algorithm, span_of(ec, sizeof(ec) - 1)))
        return NULL;
    algorithm = span_skip(algorithm, sizeof(ec) - 1);
    if (span_equal(algorithm, span_of(p256, sizeof(p256) - 1)))
        return plain_ec("prime256v1", 32, bits);
    if (span_equal(algorithm, span_of(p384, sizeof(p384) - 1)))
        return plain_ec("secp384r1", 48, bits);
    return NULL;
}

status pubkey_from_spki(pubkey **out, span der, msgbuf *msg)
{
    const uint8_t *p = der.p;
    *out = NULL;
    if (der.n > MAX_SPKI)
        return msg_fail(msg, ST_LIMIT, "a public key of %zu octets is too long", der.n);
    rsa_numbers r = {SPAN_NULL, SPAN_NULL};
    EVP_PKEY *pkey = plain_key(der, &r);
    if (pkey)
        return adopt(out, pkey, der, r.n.n ? &r : NULL, msg);
    pkey = der.n ? d2i_PUBKEY(NULL, &p, (long)der.n) : NULL;
    ERR_clear_error();
    if (pkey && p != der.p + der.n) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    if (!pkey)
        return msg_fail(msg, ST_INVALID, "not a well-formed public key");
    return pubkey_adopt(out, pkey, msg);
}

static span without_leading_zeros(span s)
{
    while (s.n && s.p[0] == 0)
        s = span_skip(s, 1);
    return s;
}

status pubkey_from_rsa(pubkey **out, span n, span e, msgbuf *msg)
{
    rsa_numbers r = {without_leading_zeros(n), without_leading_zeros(e)};
    key_info info;
    *out = NULL;
    status st = check_rsa_numbers(&r, &info, msg);
    if (st != ST_OK)
        return st;
    EVP_PKEY *pkey = rsa_key(&r);
    ERR_clear_error();
    if (!pkey)
        return msg_fail(msg, ST_INVALID, "not the numbers of an RSA key");
    return adopt(out, pkey, SPAN_NULL, &r, msg);
}

status pubkey_from_rfc3110(pubkey **out, span data, msgbuf *msg)
{
    cursor c = cursor_of(data);
    *out = NULL;
    size_t e_n = cursor_u8(&c);
    if (e_n == 0)
        e_n = cursor_u16(&c);
    span e = cursor_bytes(&c, e_n), n = cursor_rest(&c);
    if (c.failed || e.n == 0 || n.n == 0)
        return msg_fail(msg, ST_INVALID, "an RSA key of %zu octets (RFC 3110) is cut short", data.n);
    return pubkey_from_rsa(out, n, e, msg);
}

pubkey *pubkey_ref(pubkey *k)
{
    if (k)
        ref_get(&k->refs);
    return k;
}

void pubkey_unref(pubkey *k)
{
    if (!k || !ref_put(&k->refs))
        return;
    sig_cache_free(&k->cache);
    EVP_PKEY_free(k->pkey);
    free(k);
}

/* ---- asking ---- */

key_type pubkey_type(const pubkey *k)
{
    return k->info.type;
}

unsigned pubkey_bits(const pubkey *k)
{
    return k->info.bits;
}

span pubkey_keyid(const pubkey *k)
{
    return SPAN_ARRAY(k->keyid);
}

span pubkey_spki_hash(const pubkey *k)
{
    return SPAN_ARRAY(k->spki_hash);
}

const char *pubkey_freeswan_id(const pubkey *k)
{
    return k->freeswan_id;
}

bool pubkey_equal(const pubkey *a, const pubkey *b)
{
    return a == b || (a && b && !memcmp(a->spki_hash, b->spki_hash, sizeof(a->spki_hash)) &&
                      EVP_PKEY_eq(a->pkey, b->pkey) == 1);
}

const void *pubkey_evp(const pubkey *k)
{
    return k->pkey;
}

status pubkey_verify(const pubkey *k, sig_scheme s, span data, span sig)
{
    /* the cache is not part of the key's value */
    return sig_verify(k->pkey, &k->info, (sig_cache *)&k->cache, s, data, sig);
}
