/* The registry: one array of entries per class, in load order. It is filled by loader.c, tested (vectors.c)
 * and sealed; after that only the state of on-demand entries changes, once each, under a lock.
 */
#include "libstrongswan/crypto/registry.h"
#include "libstrongswan/crypto/vectors.h"
#include <stdio.h>
#include <stdlib.h>

status crypto_make(crypto **out, const log_scope *log)
{
    crypto *c = calloc(1, sizeof *c);
    if (!c)
        return ST_NO_MEMORY;
    if (log)
        c->log = *log;
    pthread_mutex_init(&c->test_lock, NULL);
    *out = c;
    return ST_OK;
}

void crypto_free(crypto *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CLASS_COUNT; i++)
        free(c->entries[i]);
    /* Last in, first out. Handles stay open: code of a plugin may still be on another thread's stack or in
     * atexit. */
    for (size_t i = c->n_plugins; i-- > 0;)
        if (c->plugins[i].desc && c->plugins[i].desc->fini)
            c->plugins[i].desc->fini();
    free(c->plugins);
    free(c->names);
    pthread_mutex_destroy(&c->test_lock);
    free(c);
}

/* ---- filling
 * ---------------------------------------------------------------------------------------------------- */

static status add_rows(crypto *c, ops_class cls, const char *plugin, const entry *rows, size_t n)
{
    if (n == 0)
        return ST_OK;
    entry *grown = realloc(c->entries[cls], (c->n[cls] + n) * sizeof *grown);
    if (!grown)
        return ST_NO_MEMORY;
    c->entries[cls] = grown;
    for (size_t i = 0; i < n; i++) {
        entry *e = &grown[c->n[cls]++];
        e->cls = cls;
        e->alg = rows[i].alg;
        e->flags = rows[i].flags;
        e->ops = rows[i].ops;
        e->plugin = plugin;
        atomic_init(&e->state, ENTRY_UNTESTED);
    }
    return ST_OK;
}

enum { MAX_ROWS = 64 }; /* per class and plugin */

#define ADD_CLASS(cls, table, member)                                                                        \
    do {                                                                                                     \
        entry rows[MAX_ROWS];                                                                                \
        size_t n = desc->table.n < MAX_ROWS ? desc->table.n : MAX_ROWS;                                      \
        for (size_t i = 0; i < n; i++) {                                                                     \
            rows[i].alg = (uint16_t)desc->table.rows[i].member;                                              \
            rows[i].flags = desc->table.rows[i].flags;                                                       \
            rows[i].ops = &desc->table.rows[i];                                                              \
        }                                                                                                    \
        status st = add_rows(c, (cls), name, rows, n);                                                       \
        if (st != ST_OK)                                                                                     \
            return st;                                                                                       \
    } while (0)

static status add_tables(crypto *c, const char *name, const plugin_desc *desc)
{
    ADD_CLASS(CLASS_RNG, rngs, best);
    ADD_CLASS(CLASS_HASHER, hashers, alg);
    ADD_CLASS(CLASS_CRYPTER, crypters, alg);
    ADD_CLASS(CLASS_AEAD, aeads, alg);
    ADD_CLASS(CLASS_PRF, prfs, alg);
    ADD_CLASS(CLASS_SIGNER, signers, alg);
    ADD_CLASS(CLASS_DH, dhs, group);
    return ST_OK;
}

status crypto_add_plugin(crypto *c, const char *name, const plugin_desc *desc, void *dl)
{
    loaded_plugin *grown = realloc(c->plugins, (c->n_plugins + 1) * sizeof *grown);
    if (!grown)
        return ST_NO_MEMORY;
    c->plugins = grown;
    grown[c->n_plugins++] = (loaded_plugin){name, desc, dl};
    return desc ? add_tables(c, name, desc) : ST_OK;
}

static const enum_names *class_names(ops_class cls)
{
    switch (cls) {
    case CLASS_HASHER:
        return &hash_names;
    case CLASS_PRF:
        return &prf_names;
    case CLASS_SIGNER:
        return &integ_names;
    case CLASS_DH:
        return &dh_names;
    default:
        return &encr_names;
    }
}

static void entry_test(const crypto *c, entry *e)
{
    char tmp[ENUM_TEXT_SIZE];
    const char *name = e->cls == CLASS_RNG ? "RNG" : enum_name(class_names(e->cls), e->alg, tmp);
    msgbuf why;
    status st = vectors_check(c, e, &why);
    if (st == ST_UNSUPPORTED)
        /* what it builds on is not loaded, or the library was built without it: no fault */
        LOG(&c->log, LIB, 2, "plugin '%s': %s is not available: %s", e->plugin, name, why.text);
    else if (st != ST_OK)
        LOG(&c->log, LIB, 0, "plugin '%s': %s failed its test vectors and is refused: %s", e->plugin, name,
            why.text);
    atomic_store(&e->state, st == ST_OK ? ENTRY_GOOD : ENTRY_REFUSED);
}

status crypto_seal(crypto *c)
{
    for (size_t cls = 0; cls < CLASS_COUNT; cls++)
        for (size_t i = 0; i < c->n[cls]; i++)
            if (!(c->entries[cls][i].flags & OPS_ON_DEMAND))
                entry_test(c, &c->entries[cls][i]);
    size_t n = 1;
    for (size_t i = 0; i < c->n_plugins; i++)
        n += strlen(c->plugins[i].name) + 1;
    c->names = malloc(n);
    if (!c->names)
        return ST_NO_MEMORY;
    char *p = c->names;
    *p = '\0';
    for (size_t i = 0; i < c->n_plugins; i++)
        p += sprintf(p, "%s%s", i ? " " : "", c->plugins[i].name);
    return ST_OK;
}

/* ---- looking up
 * --------------------------------------------------------------------------------------------------- */

static bool entry_good(const crypto *c, const entry *e)
{
    int state = atomic_load_explicit(&e->state, memory_order_acquire);
    if (state == ENTRY_UNTESTED && (e->flags & OPS_ON_DEMAND)) {
        /* the lock and the state are the registry's own bookkeeping; to users it stays immutable */
        crypto *own = (crypto *)(uintptr_t)c;
        pthread_mutex_lock(&own->test_lock);
        if (atomic_load(&e->state) == ENTRY_UNTESTED)
            entry_test(c, (entry *)(uintptr_t)e);
        pthread_mutex_unlock(&own->test_lock);
        state = atomic_load(&e->state);
    }
    return state == ENTRY_GOOD;
}

const entry *crypto_find(const crypto *c, ops_class cls, uint16_t alg, size_t *at)
{
    for (; *at < c->n[cls]; (*at)++) {
        const entry *e = &c->entries[cls][*at];
        if (e->alg == alg && entry_good(c, e)) {
            (*at)++;
            return e;
        }
    }
    return NULL;
}

const hasher_ops *crypto_hasher_ops(const crypto *c, hash_alg alg)
{
    size_t at = 0;
    const entry *e = crypto_find(c, CLASS_HASHER, (uint16_t)alg, &at);
    return e ? e->ops : NULL;
}

bool crypto_has_hash(const crypto *c, hash_alg alg)
{
    return crypto_hasher_ops(c, alg) != NULL;
}

static bool has_key_length(const crypto *c, ops_class cls, uint16_t alg, size_t n)
{
    size_t at = 0;
    const entry *e;
    while ((e = crypto_find(c, cls, alg, &at))) {
        if (n == 0)
            return true;
        const crypter_ops *x = cls == CLASS_CRYPTER ? e->ops : NULL;
        const aead_ops *a = cls == CLASS_AEAD ? e->ops : NULL;
        if ((x && key_fits(n, x->key_min, x->key_max, x->key_step)) ||
            (a && key_fits(n, a->key_min, a->key_max, a->key_step)))
            return true;
    }
    return false;
}

bool crypto_has(const crypto *c, transform_type type, uint16_t alg, size_t key_bytes)
{
    size_t at = 0;
    switch (type) {
    case TRANSFORM_ENCR:
        return has_key_length(c, encr_is_aead(alg) ? CLASS_AEAD : CLASS_CRYPTER, alg, key_bytes);
    case TRANSFORM_PRF:
        return crypto_find(c, CLASS_PRF, alg, &at) != NULL;
    case TRANSFORM_INTEG:
        return crypto_find(c, CLASS_SIGNER, alg, &at) != NULL;
    case TRANSFORM_DH:
        return crypto_find(c, CLASS_DH, alg, &at) != NULL;
    case TRANSFORM_ESN:
        return alg == ESN_NO || alg == ESN_YES;
    }
    return false;
}

/* Does an earlier good entry of the class have the same algorithm? Entries nobody asked for yet count as
 * good. */
static bool shadowed(const crypto *c, const entry *e)
{
    for (const entry *i = c->entries[e->cls]; i < e; i++)
        if (i->alg == e->alg && atomic_load(&i->state) != ENTRY_REFUSED)
            return true;
    return false;
}

static bool each_of_class(const crypto *c, ops_class cls,
                          bool (*fn)(void *ctx, uint16_t alg, const char *plugin), void *ctx)
{
    for (size_t i = 0; i < c->n[cls]; i++) {
        const entry *e = &c->entries[cls][i];
        if (atomic_load(&e->state) == ENTRY_REFUSED || shadowed(c, e))
            continue;
        if (!fn(ctx, e->alg, e->plugin))
            return false;
    }
    return true;
}

void crypto_each(const crypto *c, transform_type type,
                 bool (*fn)(void *ctx, uint16_t alg, const char *plugin), void *ctx)
{
    switch (type) {
    case TRANSFORM_ENCR:
        if (each_of_class(c, CLASS_CRYPTER, fn, ctx))
            each_of_class(c, CLASS_AEAD, fn, ctx);
        break;
    case TRANSFORM_PRF:
        each_of_class(c, CLASS_PRF, fn, ctx);
        break;
    case TRANSFORM_INTEG:
        each_of_class(c, CLASS_SIGNER, fn, ctx);
        break;
    case TRANSFORM_DH:
        each_of_class(c, CLASS_DH, fn, ctx);
        break;
    case TRANSFORM_ESN:
        break;
    }
}

void crypto_each_hash(const crypto *c, bool (*fn)(void *ctx, uint16_t alg, const char *plugin), void *ctx)
{
    each_of_class(c, CLASS_HASHER, fn, ctx);
}

const char *crypto_loaded_plugins(const crypto *c)
{
    return c->names;
}

/* ---- random numbers
 * ----------------------------------------------------------------------------------------------- */

void crypto_set_rng(crypto *c, status (*fn)(void *ctx, rng_quality q, uint8_t *out, size_t n), void *ctx)
{
    c->rng_fn = fn;
    c->rng_ctx = ctx;
}

status rng_bytes(const crypto *c, rng_quality q, uint8_t *out, size_t n)
{
    if (c->rng_fn)
        return c->rng_fn(c->rng_ctx, q, out, n);
    for (size_t i = 0; i < c->n[CLASS_RNG]; i++) {
        const entry *e = &c->entries[CLASS_RNG][i];
        const rng_ops *ops = e->ops;
        if (ops->best >= q && entry_good(c, e))
            return ops->bytes(q, out, n);
    }
    return ST_UNSUPPORTED;
}

uint32_t rng_u32(const crypto *c)
{
    uint8_t b[4];
    if (rng_bytes(c, RNG_WEAK, b, sizeof b) != ST_OK)
        abort(); /* a system without random numbers must not run IKE */
    return get_u32(b);
}
