/* What the files of the openssl plugin share. Algorithms are fetched once per process: a fetch takes locks
 * and costs more than a small message.
 */
#pragma once
#include "libstrongswan/crypto/plugin.h"
#include <openssl/evp.h>

/* NULL if the library has it not. The handle stays with the process. */
const EVP_CIPHER *ossl_cipher(encr_alg alg, size_t key_bytes);

enum { OSSL_HASHERS = 6, OSSL_CRYPTERS = 8, OSSL_AEADS = 8 };
extern const hasher_ops ossl_hashers[OSSL_HASHERS];
extern const crypter_ops ossl_crypters[OSSL_CRYPTERS];
extern const aead_ops ossl_aeads[OSSL_AEADS];

/* Diffie-Hellman: states and operations of the three kinds */
typedef struct modp_key {
    const struct shared_group *group;
    BIGNUM *x;
    uint8_t *pub; /* allocated: 96 octets for the smallest group, 1024 for the largest */
} modp_key;
status ossl_modp_init(void *self, const crypto *c, dh_group group, span priv);
void ossl_modp_fini(void *self);
span ossl_modp_public(const void *self);
status ossl_modp_compute(void *self, span peer, secret *shared);

enum { ECP_COORD_MAX = 66 }; /* P-521 */
typedef struct ecp_key {
    const struct curve *curve;
    BIGNUM *x;
    uint8_t pub[2 * ECP_COORD_MAX];
} ecp_key;
status ossl_ecp_init(void *self, const crypto *c, dh_group group, span priv);
void ossl_ecp_fini(void *self);
span ossl_ecp_public(const void *self);
status ossl_ecp_compute(void *self, span peer, secret *shared);

enum { XDH_MAX = 56 };
typedef struct xdh_key {
    EVP_PKEY *key;
    int type;
    uint8_t n, pub[XDH_MAX];
} xdh_key;
status ossl_xdh_init(void *self, const crypto *c, dh_group group, span priv);
void ossl_xdh_fini(void *self);
span ossl_xdh_public(const void *self);
status ossl_xdh_compute(void *self, span peer, secret *shared);
