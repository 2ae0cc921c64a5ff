/* Public and private keys: RSA, ECDSA, Ed25519, Ed448. Immutable, reference counted, any thread. Signing happens here or
 * in a smartcard; users see no difference.
 */
#pragma once
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/enumname.h"
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/base/span.h"
#include "libstrongswan/crypto/algs.h"

typedef enum key_type { KEY_ANY = 0, KEY_RSA, KEY_ECDSA, KEY_ED25519, KEY_ED448 } key_type;
extern const enum_names key_type_names; /* "RSA", … */

typedef enum sig_scheme {
    SIG_UNKNOWN = 0,
    SIG_RSA_PKCS1_RAW, /* block type 1 without DigestInfo: IKEv1 RSA_SIG; `data` is the hash itself */
    SIG_RSA_PKCS1_MD5,
    SIG_RSA_PKCS1_SHA1,
    SIG_RSA_PKCS1_SHA2_256,
    SIG_RSA_PKCS1_SHA2_384,
    SIG_RSA_PKCS1_SHA2_512,
    SIG_RSA_PSS_SHA2_256, /* salt as long as the hash */
    SIG_RSA_PSS_SHA2_384,
    SIG_RSA_PSS_SHA2_512,
    SIG_ECDSA_256, /* RFC 4754: r|s of fixed length, curve and hash tied */
    SIG_ECDSA_384,
    SIG_ECDSA_521,
    SIG_ECDSA_RAW,      /* r|s over a hash that is given as data: IKEv1 */
    SIG_ECDSA_DER_SHA1, /* ASN.1 form, RFC 7427 */
    SIG_ECDSA_DER_SHA2_256,
    SIG_ECDSA_DER_SHA2_384,
    SIG_ECDSA_DER_SHA2_512,
    SIG_ED25519,
    SIG_ED448,
} sig_scheme;
extern const enum_names sig_scheme_names; /* "RSA_EMSA_PKCS1_SHA2_256" … */
key_type sig_key_type(sig_scheme s);
hash_alg sig_hash(sig_scheme s);
/* AlgorithmIdentifier (DER) of RFC 7427 for a scheme, and back. SIG_UNKNOWN if there is none or it is not exact. */
span sig_algorithm_identifier(sig_scheme s);
sig_scheme sig_from_algorithm_identifier(span der);

typedef struct pubkey pubkey;
typedef struct privkey privkey;

/* SubjectPublicKeyInfo (DER). Refuses what hazards.md class 5 lists: even or tiny modulus, e of 0 or 1 or even, … */
status pubkey_from_spki(pubkey **out, span der, msgbuf *msg) MUST_CHECK;
/* RFC 3110 / 2537: exponent length, exponent, modulus - what leftrsasigkey=0s… holds */
status pubkey_from_rfc3110(pubkey **out, span data, msgbuf *msg) MUST_CHECK;
/* n and e, big-endian */
status pubkey_from_rsa(pubkey **out, span n, span e, msgbuf *msg) MUST_CHECK;
pubkey *pubkey_ref(pubkey *k);
void pubkey_unref(pubkey *k);
key_type pubkey_type(const pubkey *k);
unsigned pubkey_bits(const pubkey *k);
/* SHA-1 of the subjectPublicKey bits (X.509 key identifier) and of the SubjectPublicKeyInfo (CERTREQ, hash-and-url) */
span pubkey_keyid(const pubkey *k); /* 20 octets, owned by k */
span pubkey_spki_hash(const pubkey *k);
/* FreeS/WAN's 9-character key id, "AwEAAb3Xz" */
const char *pubkey_freeswan_id(const pubkey *k);
bool pubkey_equal(const pubkey *a, const pubkey *b);
/* ST_CRYPTO if the signature is not exactly right. Never accepts an empty, short, long or >= n signature. */
status pubkey_verify(const pubkey *k, sig_scheme s, span data, span sig) MUST_CHECK;
const void *pubkey_evp(const pubkey *k); /* EVP_PKEY *, for cert.c */

/* PEM (PKCS#1, SEC1, PKCS#8, encrypted) or DER. pass is asked for when the key is encrypted; NULL: none. */
status privkey_from_file(privkey **out, const char *path, const char *pass, msgbuf *msg) MUST_CHECK;
status privkey_from_data(privkey **out, span data, const char *pass, msgbuf *msg) MUST_CHECK;
/* The eight numbers of an RSA key (big-endian), which are checked against each other. */
enum { RSA_N, RSA_E, RSA_D, RSA_P, RSA_Q, RSA_DP, RSA_DQ, RSA_QINV, RSA_NUMBERS };
status privkey_from_rsa_numbers(privkey **out, const span numbers[RSA_NUMBERS], msgbuf *msg) MUST_CHECK;
privkey *privkey_ref(privkey *k);
void privkey_unref(privkey *k);
pubkey *privkey_public(const privkey *k); /* borrowed */
status privkey_sign(const privkey *k, sig_scheme s, span data, buf *sig) MUST_CHECK;
/* Schemes this key can use with a peer that knows these hashes (bit 1 << hash_alg; RFC 7427), best first; returns how many. */
size_t privkey_schemes(const privkey *k, uint32_t peer_hashes, sig_scheme *out, size_t max);
