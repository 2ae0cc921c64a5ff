/* What a plugin is: one constant descriptor, `const plugin_desc NAME_plugin` (a '-' in the name is '_'), that
 * lists const operation tables. Built-in plugins stand in loader.c's table; others are libstrongswan-NAME.so
 * in the plugin folder.
 *
 * The registry allocates the state of an object (`size` octets, zeroed, aligned for any type) and wipes it
 * after fini(), so most implementations need no fini at all. init() copies the key. Lengths are checked by
 * the registry before an operation is called: keys, IVs, whole blocks, room for ICVs.
 */
#pragma once
#include "libstrongswan/crypto/crypto.h"

/* changes whenever a table below changes its shape: a .so with another number is refused */
#define PLUGIN_ABI 1

/* Tested only when it is first asked for: its provider is expensive to load and it is in no default proposal.
 */
#define OPS_ON_DEMAND 1u

typedef struct crypter_ops {
    uint16_t alg;
    uint8_t key_min, key_max, key_step; /* octets, salt included; step 0 = fixed */
    unsigned flags;
    size_t size;
    status (*init)(void *self, const crypto *c, encr_alg alg, span key);
    void (*fini)(void *self);
    status (*encrypt)(void *self, span iv, span in, uint8_t *out);
    status (*decrypt)(void *self, span iv, span in, uint8_t *out);
} crypter_ops;

typedef struct aead_ops {
    uint16_t alg;
    uint8_t key_min, key_max, key_step;
    unsigned flags;
    size_t size;
    status (*init)(void *self, const crypto *c, encr_alg alg, span key);
    void (*fini)(void *self);
    status (*seal)(void *self, span iv, span aad, span in, uint8_t *out);
    status (*open)(void *self, span iv, span aad, span in, uint8_t *out); /* ST_CRYPTO: registry wipes out */
} aead_ops;

/* The state of a hash is plain memory: copying `size` octets copies a running hash (HMAC lives on that), and
 * there is nothing to free. */
enum { HASH_STATE_MAX = 256 };
typedef struct hasher_ops {
    uint16_t alg;
    uint8_t block; /* octets of input a compression takes */
    unsigned flags;
    size_t size; /* at most HASH_STATE_MAX */
    status (*init)(void *self);
    status (*update)(void *self, span in);
    status (*final)(void *self, uint8_t *out); /* the state is used up until the next init */
} hasher_ops;

typedef struct prf_ops {
    uint16_t alg;
    unsigned flags;
    size_t size;
    /* also called again to change the key: must release what an earlier init took */
    status (*init)(void *self, const crypto *c, prf_alg alg, span key);
    void (*fini)(void *self);
    status (*compute)(void *self, const span *parts, size_t n, uint8_t *out);
} prf_ops;

typedef struct signer_ops {
    uint16_t alg;
    unsigned flags;
    size_t size;
    status (*init)(void *self, const crypto *c, integ_alg alg, span key);
    void (*fini)(void *self);
    /* the whole MAC, up to MAX_HASH_BYTES; the registry truncates */
    status (*mac)(void *self, const span *parts, size_t n, uint8_t *mac);
} signer_ops;

typedef struct dh_ops {
    uint16_t group;
    unsigned flags;
    size_t size;
    /* priv empty: a fresh key from rng_bytes(c, RNG_STRONG, …). Otherwise that big-endian number
     * (little-endian string for X25519 and X448) is the private key: test vectors. */
    status (*init)(void *self, const crypto *c, dh_group group, span priv);
    void (*fini)(void *self);
    span (*public_value)(const void *self);
    status (*compute)(void *self, span peer, secret *shared);
} dh_ops;

typedef struct rng_ops {
    rng_quality best; /* serves this and the weaker ones */
    unsigned flags;
    status (*bytes)(rng_quality q, uint8_t *out, size_t n);
} rng_ops;

#define OPS_TABLE(type)                                                                                      \
    struct {                                                                                                 \
        const type *rows;                                                                                    \
        size_t n;                                                                                            \
    }
#define OPS_ROWS(table)                                                                                      \
    {                                                                                                        \
        (table), sizeof(table) / sizeof((table)[0])                                                          \
    }

typedef struct plugin_desc {
    uint32_t abi; /* PLUGIN_ABI */
    const char *name;
    /* Both may be NULL. init runs once per crypto_load; a failure skips the plugin. Plugins that register
     * elsewhere (fetchers, databases) do it here. */
    status (*init)(const settings *cfg, const log_scope *log);
    void (*fini)(void);
    OPS_TABLE(rng_ops) rngs;
    OPS_TABLE(hasher_ops) hashers;
    OPS_TABLE(crypter_ops) crypters;
    OPS_TABLE(aead_ops) aeads;
    OPS_TABLE(prf_ops) prfs;
    OPS_TABLE(signer_ops) signers;
    OPS_TABLE(dh_ops) dhs;
} plugin_desc;

/* The implementation the registry would choose, for plugins that build on hashes; NULL if there is none. */
const hasher_ops *crypto_hasher_ops(const crypto *c, hash_alg alg);
/* Makes a registry of exactly these plugins, in this order: tests and tools. */
status crypto_load_plugins(crypto **out, const plugin_desc *const *plugins, size_t n, const settings *cfg,
                           const log_scope *log) MUST_CHECK;
/* A key pair with a given private key, for known answers. */
status dh_new_private(const crypto *c, dh **out, dh_group group, span priv) MUST_CHECK;
