/* The table of signature schemes: key, hash, and the AlgorithmIdentifier of RFC 7427 for each. */
#include "libstrongswan/cred/der.h"
#include "libstrongswan/cred/keys.h"

// clang-format off
ENUM_NAMES(key_type_names,
    {KEY_ANY, "ANY"}, {KEY_RSA, "RSA"}, {KEY_ECDSA, "ECDSA"}, {KEY_ED25519, "ED25519"}, {KEY_ED448, "ED448"});

ENUM_NAMES(sig_scheme_names,
    {SIG_UNKNOWN, "UNKNOWN"},
    {SIG_RSA_PKCS1_RAW, "RSA_EMSA_PKCS1_NULL"}, {SIG_RSA_PKCS1_MD5, "RSA_EMSA_PKCS1_MD5"},
    {SIG_RSA_PKCS1_SHA1, "RSA_EMSA_PKCS1_SHA1"}, {SIG_RSA_PKCS1_SHA2_256, "RSA_EMSA_PKCS1_SHA2_256"},
    {SIG_RSA_PKCS1_SHA2_384, "RSA_EMSA_PKCS1_SHA2_384"}, {SIG_RSA_PKCS1_SHA2_512, "RSA_EMSA_PKCS1_SHA2_512"},
    {SIG_RSA_PSS_SHA2_256, "RSA_EMSA_PSS_SHA2_256"}, {SIG_RSA_PSS_SHA2_384, "RSA_EMSA_PSS_SHA2_384"},
    {SIG_RSA_PSS_SHA2_512, "RSA_EMSA_PSS_SHA2_512"}, {SIG_ECDSA_256, "ECDSA-256"}, {SIG_ECDSA_384, "ECDSA-384"},
    {SIG_ECDSA_521, "ECDSA-521"}, {SIG_ECDSA_RAW, "ECDSA_WITH_NULL"}, {SIG_ECDSA_DER_SHA1, "ECDSA_WITH_SHA1_DER"},
    {SIG_ECDSA_DER_SHA2_256, "ECDSA_WITH_SHA256_DER"}, {SIG_ECDSA_DER_SHA2_384, "ECDSA_WITH_SHA384_DER"},
    {SIG_ECDSA_DER_SHA2_512, "ECDSA_WITH_SHA512_DER"}, {SIG_ED25519, "ED25519"}, {SIG_ED448, "ED448"});

#define PKCS1(n) "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" n "\x05\x00"
#define SHA2(n) "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" n "\x05\x00"
#define PSS(sha2, salt) "\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f" sha2 \
                        "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" sha2 "\xa2\x03\x02\x01" salt

static const struct scheme {
    key_type key;
    hash_alg hash;
    span id;
} schemes[] = {
    [SIG_UNKNOWN] = {KEY_ANY, HASH_UNDEFINED, {0}},
    [SIG_RSA_PKCS1_RAW] = {KEY_RSA, HASH_UNDEFINED, {0}},
    [SIG_RSA_PKCS1_MD5] = {KEY_RSA, HASH_MD5, {0}},
    [SIG_RSA_PKCS1_SHA1] = {KEY_RSA, HASH_SHA1, SPAN_LIT(PKCS1("\x05"))},
    [SIG_RSA_PKCS1_SHA2_256] = {KEY_RSA, HASH_SHA2_256, SPAN_LIT(PKCS1("\x0b"))},
    [SIG_RSA_PKCS1_SHA2_384] = {KEY_RSA, HASH_SHA2_384, SPAN_LIT(PKCS1("\x0c"))},
    [SIG_RSA_PKCS1_SHA2_512] = {KEY_RSA, HASH_SHA2_512, SPAN_LIT(PKCS1("\x0d"))},
    [SIG_RSA_PSS_SHA2_256] = {KEY_RSA, HASH_SHA2_256, SPAN_LIT(PSS(SHA2("\x01"), "\x20"))},
    [SIG_RSA_PSS_SHA2_384] = {KEY_RSA, HASH_SHA2_384, SPAN_LIT(PSS(SHA2("\x02"), "\x30"))},
    [SIG_RSA_PSS_SHA2_512] = {KEY_RSA, HASH_SHA2_512, SPAN_LIT(PSS(SHA2("\x03"), "\x40"))},
    [SIG_ECDSA_256] = {KEY_ECDSA, HASH_SHA2_256, {0}},
    [SIG_ECDSA_384] = {KEY_ECDSA, HASH_SHA2_384, {0}},
    [SIG_ECDSA_521] = {KEY_ECDSA, HASH_SHA2_512, {0}},
    [SIG_ECDSA_RAW] = {KEY_ECDSA, HASH_UNDEFINED, {0}},
    [SIG_ECDSA_DER_SHA1] = {KEY_ECDSA, HASH_SHA1, SPAN_LIT("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01")},
    [SIG_ECDSA_DER_SHA2_256] = {KEY_ECDSA, HASH_SHA2_256, SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")},
    [SIG_ECDSA_DER_SHA2_384] = {KEY_ECDSA, HASH_SHA2_384, SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")},
    [SIG_ECDSA_DER_SHA2_512] = {KEY_ECDSA, HASH_SHA2_512, SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04")},
    [SIG_ED25519] = {KEY_ED25519, HASH_IDENTITY, SPAN_LIT("\x30\x05\x06\x03\x2b\x65\x70")},
    [SIG_ED448] = {KEY_ED448, HASH_IDENTITY, SPAN_LIT("\x30\x05\x06\x03\x2b\x65\x71")},
};
// clang-format on
enum { N_SCHEMES = sizeof(schemes) / sizeof(schemes[0]) };

key_type sig_key_type(sig_scheme s)
{
    return (size_t)s < N_SCHEMES ? schemes[s].key : KEY_ANY;
}

hash_alg sig_hash(sig_scheme s)
{
    return (size_t)s < N_SCHEMES ? schemes[s].hash : HASH_UNDEFINED;
}

span sig_algorithm_identifier(sig_scheme s)
{
    return (size_t)s < N_SCHEMES ? schemes[s].id : SPAN_NULL;
}

/* AlgorithmIdentifier of a SHA-2 hash, with or without the NULL; false: another one */
static bool read_sha2(span der, hash_alg *out)
{
    static const uint8_t prefix[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02};
    span body, oid, null;
    if (!der_whole(der, DER_SEQUENCE, &body) || !der_next_is(&body, DER_OID, &oid))
        return false;
    if (body.n && (!der_whole(body, DER_NULL, &null) || null.n))
        return false;
    if (oid.n != 9 || !span_starts(oid, SPAN_ARRAY(prefix)) || oid.p[8] < 1 || oid.p[8] > 3)
        return false;
    *out = oid.p[8] == 1 ? HASH_SHA2_256 : (oid.p[8] == 2 ? HASH_SHA2_384 : HASH_SHA2_512);
    return true;
}

/* RSASSA-PSS-params, written in any of the ways that mean: this SHA-2 everywhere, salt as long, trailer BC.
 * Absent fields default to SHA-1, which is not one of the schemes. */
static sig_scheme read_pss(span params)
{
    static const uint8_t mgf1[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08};
    span body, field, oid, number;
    hash_alg hash, mask_hash;
    if (!der_whole(params, DER_SEQUENCE, &body))
        return SIG_UNKNOWN;
    if (!der_next_is(&body, 0xa0, &field) || !read_sha2(field, &hash))
        return SIG_UNKNOWN;
    if (!der_next_is(&body, 0xa1, &field) || !der_whole(field, DER_SEQUENCE, &field) ||
        !der_next_is(&field, DER_OID, &oid) || !span_equal(oid, SPAN_ARRAY(mgf1)) ||
        !read_sha2(field, &mask_hash) || mask_hash != hash)
        return SIG_UNKNOWN;
    size_t salt = hash == HASH_SHA2_256 ? 32 : (hash == HASH_SHA2_384 ? 48 : 64);
    if (!der_next_is(&body, 0xa2, &field) || !der_whole(field, DER_INTEGER, &number) || number.n != 1 ||
        number.p[0] != salt)
        return SIG_UNKNOWN;
    if (body.n && (!der_whole(body, 0xa3, &field) || !der_whole(field, DER_INTEGER, &number) ||
                   number.n != 1 || number.p[0] != 1))
        return SIG_UNKNOWN;
    return hash == HASH_SHA2_256   ? SIG_RSA_PSS_SHA2_256
           : hash == HASH_SHA2_384 ? SIG_RSA_PSS_SHA2_384
                                   : SIG_RSA_PSS_SHA2_512;
}

sig_scheme sig_from_algorithm_identifier(span der)
{
    static const uint8_t pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
    span body, oid;
    for (size_t i = 0; i < N_SCHEMES; i++)
        if (schemes[i].id.n && span_equal(schemes[i].id, der))
            return (sig_scheme)i;
    if (der_whole(der, DER_SEQUENCE, &body) && der_next_is(&body, DER_OID, &oid) &&
        span_equal(oid, SPAN_ARRAY(pss)))
        return read_pss(body);
    return SIG_UNKNOWN;
}
