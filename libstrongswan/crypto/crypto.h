/* The registry of algorithms. Plugins register const operation tables; users ask for an algorithm by number
 * and get an object of the first plugin (in `load` order) that has it. Every algorithm is checked against its
 * published vectors when its plugin is loaded (crypto/vectors.h) and refused, with a log line, if it fails.
 *
 * Thread rule: the registry is immutable after crypto_load() and shared by all threads. Objects belong to one
 * thread at a time. Keys are copied in and wiped when the object is freed. All *_new functions:
 * ST_UNSUPPORTED if no plugin has it, ST_INVALID for a key of the wrong length.
 */
#pragma once
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/log.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/base/settings.h"
#include "libstrongswan/base/span.h"
#include "libstrongswan/crypto/algs.h"

typedef struct crypto crypto;

/* ---- registry ---- */
/* load: blank-separated plugin names, NULL = crypto_default_plugins. A name that is neither built in nor
 * found as libstrongswan-NAME.so in the plugin folder is logged and skipped. */
extern const char *const crypto_default_plugins;
status crypto_load(crypto **out, const char *load, const settings *cfg, const log_scope *log) MUST_CHECK;
void crypto_free(crypto *c);
/* "openssl random …": what was loaded, for `statusall` */
const char *crypto_loaded_plugins(const crypto *c);
/* Is there an implementation?  key_bytes 0 = any. For ESP ask the kernel back end instead. */
bool crypto_has(const crypto *c, transform_type type, uint16_t alg, size_t key_bytes);
bool crypto_has_hash(const crypto *c, hash_alg alg);
/* All algorithms of a type, for listalgs; fn returns false to stop. */
/* the same for hashes */
void crypto_each_hash(const crypto *c, bool (*fn)(void *ctx, uint16_t alg, const char *plugin), void *ctx);
void crypto_each(const crypto *c, transform_type type,
                 bool (*fn)(void *ctx, uint16_t alg, const char *plugin), void *ctx);

/* Octets of key an algorithm needs in IKE and ESP key material (salt of AEAD and CTR included), of IV on the
 * wire, of block, of ICV. key_bits 0: the fixed or default length. 0 if unknown. */
size_t encr_keymat_bytes(encr_alg alg, uint16_t key_bits);
size_t encr_iv_bytes(
    encr_alg alg); /* explicit IV on the wire: 8 for GCM/CCM/CTR/ChaCha, block for CBC, 0 for NULL */
size_t encr_block_bytes(encr_alg alg); /* padding granularity: 8, 16; 1 for stream and AEAD modes */
size_t encr_icv_bytes(encr_alg alg);   /* AEAD only */
size_t encr_salt_bytes(encr_alg alg);
size_t integ_key_bytes(integ_alg alg);
size_t integ_icv_bytes(integ_alg alg);
size_t prf_key_bytes(prf_alg alg); /* preferred key = output length (16 for XCBC, CMAC) */
size_t dh_public_bytes(dh_group group);

/* ---- crypter: CBC and CTR ---- in place is allowed */
typedef struct crypter crypter;
status crypter_new(const crypto *c, crypter **out, encr_alg alg, span key) MUST_CHECK;
void crypter_free(crypter *x);
/* n is a multiple of the block size. iv is not changed. CTR: iv is the 8 explicit octets, salt is the key's
 * tail. */
status crypter_encrypt(crypter *x, span iv, span in, uint8_t *out) MUST_CHECK;
status crypter_decrypt(crypter *x, span iv, span in, uint8_t *out) MUST_CHECK;

/* ---- AEAD ---- key includes the salt at its end; iv is the explicit part */
typedef struct aead aead;
status aead_new(const crypto *c, aead **out, encr_alg alg, span key) MUST_CHECK;
void aead_free(aead *x);
/* out gets in.n octets of cipher text followed by the ICV */
status aead_seal(aead *x, span iv, span aad, span in, uint8_t *out) MUST_CHECK;
/* in = cipher text and ICV; out gets in.n - icv octets. ST_CRYPTO: not authentic, out is wiped. */
status aead_open(aead *x, span iv, span aad, span in, uint8_t *out) MUST_CHECK;

/* ---- hasher ---- */
typedef struct hasher hasher;
status hasher_new(const crypto *c, hasher **out, hash_alg alg) MUST_CHECK;
void hasher_free(hasher *h);
size_t hash_bytes_of(hash_alg alg);
status hasher_update(hasher *h, span in) MUST_CHECK;
status hasher_final(hasher *h, uint8_t *out) MUST_CHECK; /* hash_bytes_of() octets; resets for the next use */
/* one call: parts are hashed in order */
status hash_once(const crypto *c, hash_alg alg, const span *parts, size_t n, uint8_t *out) MUST_CHECK;

/* ---- PRF ---- */
typedef struct prf prf;
status prf_new(const crypto *c, prf **out, prf_alg alg, span key) MUST_CHECK; /* key of any length */
void prf_free(prf *p);
size_t prf_out_bytes(prf_alg alg);
status prf_rekey(prf *p, span key) MUST_CHECK;
/* concatenation of the parts. PRF_FIPS_SHA1_160 is a generator: its parts are XSEED (none: 0) and each call gives the
 * next 40 octets. */
status prf_compute(prf *p, const span *parts, size_t n, uint8_t *out) MUST_CHECK;
/* prf+ (RFC 7296 2.13) over the concatenated seed: fills out */
status prf_plus(prf *p, const span *seed, size_t n, uint8_t *out, size_t out_n) MUST_CHECK;

/* ---- signer: truncated MACs ---- */
typedef struct signer signer;
status signer_new(const crypto *c, signer **out, integ_alg alg, span key) MUST_CHECK;
void signer_free(signer *s);
status signer_sign(signer *s, const span *parts, size_t n,
                   uint8_t *icv) MUST_CHECK; /* integ_icv_bytes() octets */
/* constant time; ST_CRYPTO if it does not match */
status signer_verify(signer *s, const span *parts, size_t n, span icv) MUST_CHECK;

/* ---- Diffie-Hellman ---- */
typedef struct dh dh;
status dh_new(const crypto *c, dh **out, dh_group group) MUST_CHECK; /* makes the key pair */
void dh_free(dh *d);
/* our public value as it goes into KE (EC: x|y without 04), dh_public_bytes() octets, owned by d */
span dh_public(const dh *d);
/* Range and curve checks first: ST_INVALID for a value a peer must not send (0, 1, p-1, >= p, off the curve,
 * wrong length, all-zero result). shared: p's full length for MODP, x for EC. */
status dh_compute(dh *d, span peer, secret *shared) MUST_CHECK;

/* ---- random ---- */
typedef enum rng_quality { RNG_WEAK, RNG_STRONG, RNG_TRUE } rng_quality; /* nonces, keys, long-term keys */
/* Fills out or fails; any thread. */
status rng_bytes(const crypto *c, rng_quality q, uint8_t *out, size_t n) MUST_CHECK;
uint32_t rng_u32(const crypto *c); /* never fails: aborts the process if the system has no random numbers */
/* For the simulator: all random numbers (DH keys of the openssl plugin included as far as it can be told)
 * come from fn. */
void crypto_set_rng(crypto *c, status (*fn)(void *ctx, rng_quality q, uint8_t *out, size_t n), void *ctx);

/* ---- what a plugin is ---- ops tables: crypto/plugin.h */
