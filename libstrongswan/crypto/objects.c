/* The objects users hold: a constant table of one implementation and, behind it in the same allocation, its
 * state. Everything a plugin should not have to check is checked here: lengths of keys, IVs, blocks, ICVs and
 * public values.
 */
#include "libstrongswan/crypto/registry.h"
#include <stdalign.h>
#include <stdlib.h>

struct crypter {
    const crypter_ops *ops;
    alignas(max_align_t) uint8_t state[];
};
struct aead {
    const aead_ops *ops;
    alignas(max_align_t) uint8_t state[];
};
struct hasher {
    const hasher_ops *ops;
    alignas(max_align_t) uint8_t state[];
};
struct prf {
    const prf_ops *ops;
    const crypto *c;
    alignas(max_align_t) uint8_t state[];
};
struct signer {
    const signer_ops *ops;
    alignas(max_align_t) uint8_t state[];
};
struct dh {
    const dh_ops *ops;
    alignas(max_align_t) uint8_t state[];
};

#define OBJECT_NEW(type, ops_ptr)                                                                            \
    type *x = calloc(1, sizeof *x + (ops_ptr)->size);                                                        \
    if (!x)                                                                                                  \
        return ST_NO_MEMORY;                                                                                 \
    x->ops = (ops_ptr)

#define OBJECT_FREE(x)                                                                                       \
    do {                                                                                                     \
        if (!(x))                                                                                            \
            return;                                                                                          \
        if ((x)->ops->fini)                                                                                  \
            (x)->ops->fini((x)->state);                                                                      \
        wipe((x)->state, (x)->ops->size);                                                                    \
        free(x);                                                                                             \
    } while (0)

/* Tries the implementations of an algorithm in load order until one takes it. */
#define FIRST_THAT_WORKS(cls, alg, make)                                                                     \
    do {                                                                                                     \
        size_t at = 0;                                                                                       \
        status st = ST_UNSUPPORTED;                                                                          \
        for (const entry *e;                                                                                 \
             st != ST_OK && st != ST_NO_MEMORY && (e = crypto_find(c, (cls), (uint16_t)(alg), &at));)        \
            st = (make);                                                                                     \
        return st;                                                                                           \
    } while (0)

/* ---- crypter
 * ------------------------------------------------------------------------------------------------------ */

status crypter_make(const crypto *c, crypter **out, const crypter_ops *ops, span key)
{
    if (!key_fits(key.n, ops->key_min, ops->key_max, ops->key_step))
        return ST_INVALID;
    OBJECT_NEW(crypter, ops);
    status st = ops->init(x->state, c, (encr_alg)ops->alg, key);
    if (st != ST_OK)
        crypter_free(x);
    else
        *out = x;
    return st;
}

status crypter_new(const crypto *c, crypter **out, encr_alg alg, span key)
{
    FIRST_THAT_WORKS(CLASS_CRYPTER, alg, crypter_make(c, out, e->ops, key));
}

void crypter_free(crypter *x)
{
    OBJECT_FREE(x);
}

static bool crypter_lengths_ok(const crypter *x, span iv, span in)
{
    encr_alg alg = (encr_alg)x->ops->alg;
    return iv.n == encr_iv_bytes(alg) && in.n % encr_block_bytes(alg) == 0;
}

status crypter_encrypt(crypter *x, span iv, span in, uint8_t *out)
{
    return crypter_lengths_ok(x, iv, in) ? x->ops->encrypt(x->state, iv, in, out) : ST_INVALID;
}

status crypter_decrypt(crypter *x, span iv, span in, uint8_t *out)
{
    return crypter_lengths_ok(x, iv, in) ? x->ops->decrypt(x->state, iv, in, out) : ST_INVALID;
}

/* ---- AEAD
 * ---------------------------------------------------------------------------------------------------------
 */

status aead_make(const crypto *c, aead **out, const aead_ops *ops, span key)
{
    if (!key_fits(key.n, ops->key_min, ops->key_max, ops->key_step))
        return ST_INVALID;
    OBJECT_NEW(aead, ops);
    status st = ops->init(x->state, c, (encr_alg)ops->alg, key);
    if (st != ST_OK)
        aead_free(x);
    else
        *out = x;
    return st;
}

status aead_new(const crypto *c, aead **out, encr_alg alg, span key)
{
    FIRST_THAT_WORKS(CLASS_AEAD, alg, aead_make(c, out, e->ops, key));
}

void aead_free(aead *x)
{
    OBJECT_FREE(x);
}

status aead_seal(aead *x, span iv, span aad, span in, uint8_t *out)
{
    if (iv.n != encr_iv_bytes((encr_alg)x->ops->alg))
        return ST_INVALID;
    return x->ops->seal(x->state, iv, aad, in, out);
}

status aead_open(aead *x, span iv, span aad, span in, uint8_t *out)
{
    size_t icv = encr_icv_bytes((encr_alg)x->ops->alg);
    if (iv.n != encr_iv_bytes((encr_alg)x->ops->alg))
        return ST_INVALID;
    if (in.n < icv)
        return ST_CRYPTO;
    status st = x->ops->open(x->state, iv, aad, in, out);
    if (st != ST_OK && in.n > icv)
        wipe(out, in.n - icv);
    return st;
}

/* ---- hasher
 * ------------------------------------------------------------------------------------------------------- */

status hasher_make(hasher **out, const hasher_ops *ops)
{
    if (ops->size > HASH_STATE_MAX)
        return ST_INVALID;
    OBJECT_NEW(hasher, ops);
    status st = ops->init(x->state);
    if (st != ST_OK)
        hasher_free(x);
    else
        *out = x;
    return st;
}

status hasher_new(const crypto *c, hasher **out, hash_alg alg)
{
    const hasher_ops *ops = crypto_hasher_ops(c, alg);
    return ops ? hasher_make(out, ops) : ST_UNSUPPORTED;
}

void hasher_free(hasher *h)
{
    if (!h)
        return;
    wipe(h->state, h->ops->size);
    free(h);
}

status hasher_update(hasher *h, span in)
{
    return in.n ? h->ops->update(h->state, in) : ST_OK;
}

status hasher_final(hasher *h, uint8_t *out)
{
    status st = h->ops->final(h->state, out);
    status again = h->ops->init(h->state);
    return st != ST_OK ? st : again;
}

status hash_once(const crypto *c, hash_alg alg, const span *parts, size_t n, uint8_t *out)
{
    const hasher_ops *ops = crypto_hasher_ops(c, alg);
    if (!ops)
        return ST_UNSUPPORTED;
    alignas(max_align_t) uint8_t state[HASH_STATE_MAX];
    status st = ops->init(state);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (parts[i].n)
            st = ops->update(state, parts[i]);
    if (st == ST_OK)
        st = ops->final(state, out);
    wipe(state, ops->size);
    return st;
}

/* ---- PRF
 * ----------------------------------------------------------------------------------------------------------
 */

status prf_make(const crypto *c, prf **out, const prf_ops *ops, span key)
{
    OBJECT_NEW(prf, ops);
    x->c = c;
    status st = ops->init(x->state, c, (prf_alg)ops->alg, key);
    if (st != ST_OK)
        prf_free(x);
    else
        *out = x;
    return st;
}

status prf_new(const crypto *c, prf **out, prf_alg alg, span key)
{
    FIRST_THAT_WORKS(CLASS_PRF, alg, prf_make(c, out, e->ops, key));
}

void prf_free(prf *p)
{
    OBJECT_FREE(p);
}

status prf_rekey(prf *p, span key)
{
    return p->ops->init(p->state, p->c, (prf_alg)p->ops->alg, key);
}

status prf_compute(prf *p, const span *parts, size_t n, uint8_t *out)
{
    return p->ops->compute(p->state, parts, n, out);
}

enum { PRF_PLUS_PARTS = 14, PRF_PLUS_BLOCKS = 255 };

status prf_plus(prf *p, const span *seed, size_t n, uint8_t *out, size_t out_n)
{
    size_t block = prf_out_bytes((prf_alg)p->ops->alg);
    if (n > PRF_PLUS_PARTS || out_n > PRF_PLUS_BLOCKS * block)
        return ST_INVALID;
    /* T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2), … */
    span parts[PRF_PLUS_PARTS + 2];
    uint8_t t[MAX_HASH_BYTES], counter = 1;
    parts[0] = SPAN_NULL;
    for (size_t i = 0; i < n; i++)
        parts[i + 1] = seed[i];
    parts[n + 1] = span_of(&counter, 1);
    status st = ST_OK;
    for (size_t done = 0; st == ST_OK && done < out_n; done += block, counter++) {
        st = p->ops->compute(p->state, parts, n + 2, t);
        if (st == ST_OK)
            memcpy(out + done, t, out_n - done < block ? out_n - done : block);
        parts[0] = span_of(t, block);
    }
    wipe(t, sizeof t);
    return st;
}

/* ---- signer
 * ------------------------------------------------------------------------------------------------------- */

status signer_make(const crypto *c, signer **out, const signer_ops *ops, span key)
{
    if (key.n != integ_key_bytes((integ_alg)ops->alg))
        return ST_INVALID;
    OBJECT_NEW(signer, ops);
    status st = ops->init(x->state, c, (integ_alg)ops->alg, key);
    if (st != ST_OK)
        signer_free(x);
    else
        *out = x;
    return st;
}

status signer_new(const crypto *c, signer **out, integ_alg alg, span key)
{
    FIRST_THAT_WORKS(CLASS_SIGNER, alg, signer_make(c, out, e->ops, key));
}

void signer_free(signer *s)
{
    OBJECT_FREE(s);
}

status signer_sign(signer *s, const span *parts, size_t n, uint8_t *icv)
{
    uint8_t mac[MAX_HASH_BYTES];
    status st = s->ops->mac(s->state, parts, n, mac);
    if (st == ST_OK)
        memcpy(icv, mac, integ_icv_bytes((integ_alg)s->ops->alg));
    wipe(mac, sizeof mac);
    return st;
}

status signer_verify(signer *s, const span *parts, size_t n, span icv)
{
    uint8_t mac[MAX_HASH_BYTES];
    size_t want = integ_icv_bytes((integ_alg)s->ops->alg);
    status st = s->ops->mac(s->state, parts, n, mac);
    if (st == ST_OK && (icv.n != want || !secret_equal(span_of(mac, want), icv)))
        st = ST_CRYPTO;
    wipe(mac, sizeof mac);
    return st;
}

/* ---- Diffie-Hellman
 * ----------------------------------------------------------------------------------------------- */

status dh_make(const crypto *c, dh **out, const dh_ops *ops, span priv)
{
    OBJECT_NEW(dh, ops);
    status st = ops->init(x->state, c, (dh_group)ops->group, priv);
    if (st != ST_OK)
        dh_free(x);
    else
        *out = x;
    return st;
}

status dh_new(const crypto *c, dh **out, dh_group group)
{
    FIRST_THAT_WORKS(CLASS_DH, group, dh_make(c, out, e->ops, SPAN_NULL));
}

status dh_new_private(const crypto *c, dh **out, dh_group group, span priv)
{
    FIRST_THAT_WORKS(CLASS_DH, group, dh_make(c, out, e->ops, priv));
}

void dh_free(dh *d)
{
    OBJECT_FREE(d);
}

span dh_public(const dh *d)
{
    return d->ops->public_value(d->state);
}

status dh_compute(dh *d, span peer, secret *shared)
{
    /* a number with leading zero octets cut or added is not what the group's RFC sends */
    if (peer.n != dh_public_bytes((dh_group)d->ops->group))
        return ST_INVALID;
    return d->ops->compute(d->state, peer, shared);
}
