/* Inside of the registry, shared by crypto.c, loader.c, objects.c and vectors.c; nobody else includes it. */
#pragma once
#include "libstrongswan/crypto/plugin.h"
#include <pthread.h>
#include <stdatomic.h>

typedef enum ops_class {
    CLASS_RNG,
    CLASS_HASHER,
    CLASS_CRYPTER,
    CLASS_AEAD,
    CLASS_PRF,
    CLASS_SIGNER,
    CLASS_DH,
    CLASS_COUNT
} ops_class;

/* An on-demand entry is tested when it is first looked for; all others while the registry is made. */
typedef enum entry_state { ENTRY_UNTESTED, ENTRY_GOOD, ENTRY_REFUSED } entry_state;

typedef struct entry {
    ops_class cls;
    uint16_t alg;
    unsigned flags;
    const void *ops; /* of the class's type */
    const char *plugin;
    atomic_int state;
} entry;

typedef struct loaded_plugin {
    const char *name;
    const plugin_desc *desc; /* NULL: a name the daemons answer for */
    void *dl;                /* dlopen handle */
} loaded_plugin;

struct crypto {
    entry *entries[CLASS_COUNT];
    size_t n[CLASS_COUNT];
    loaded_plugin *plugins;
    size_t n_plugins;
    char *names; /* "openssl random …" */
    log_scope log;
    pthread_mutex_t test_lock; /* one on-demand test at a time */
    status (*rng_fn)(void *ctx, rng_quality q, uint8_t *out, size_t n);
    void *rng_ctx;
};

status crypto_make(crypto **out, const log_scope *log) MUST_CHECK;
/* Takes the plugin's tables in and owns nothing of it; the plugin's init has run already. */
status crypto_add_plugin(crypto *c, const char *name, const plugin_desc *desc, void *dl) MUST_CHECK;
/* Tests everything that is not on demand, hashes first and what builds on them later, and makes the list of
 * names. */
status crypto_seal(crypto *c) MUST_CHECK;

/* The n-th good implementation of an algorithm, counted from *at; NULL when there is none. */
const entry *crypto_find(const crypto *c, ops_class cls, uint16_t alg, size_t *at);

/* Objects of a given implementation. */
status crypter_make(const crypto *c, crypter **out, const crypter_ops *ops, span key) MUST_CHECK;
status aead_make(const crypto *c, aead **out, const aead_ops *ops, span key) MUST_CHECK;
status prf_make(const crypto *c, prf **out, const prf_ops *ops, span key) MUST_CHECK;
status signer_make(const crypto *c, signer **out, const signer_ops *ops, span key) MUST_CHECK;
status dh_make(const crypto *c, dh **out, const dh_ops *ops, span priv) MUST_CHECK;
status hasher_make(hasher **out, const hasher_ops *ops) MUST_CHECK;

static inline bool key_fits(size_t n, size_t min, size_t max, size_t step)
{
    return n >= min && n <= max && (step ? (n - min) % step == 0 : n == min);
}
