/* HMAC over copied hash states, see hmac.h. */
#include "libstrongswan/crypto/hmac.h"

enum { HMAC_BLOCK_MAX = 128 };

static status keyed_state(const hasher_ops *h, uint8_t *state, const uint8_t *key, uint8_t pad)
{
    uint8_t block[HMAC_BLOCK_MAX];
    for (size_t i = 0; i < h->block; i++)
        block[i] = key[i] ^ pad;
    status st = h->init(state);
    if (st == ST_OK)
        st = h->update(state, span_of(block, h->block));
    wipe(block, sizeof block);
    return st;
}

status hmac_init(void *self, const hasher_ops *h, span key)
{
    hmac_state *m = self;
    uint8_t block[HMAC_BLOCK_MAX] = {0};
    status st = ST_OK;
    if (!h || h->block > sizeof block)
        return ST_UNSUPPORTED;
    m->h = h;
    m->out = hash_bytes_of((hash_alg)h->alg);
    if (key.n > h->block) {
        st = h->init(m->inner);
        if (st == ST_OK)
            st = h->update(m->inner, key);
        if (st == ST_OK)
            st = h->final(m->inner, block);
    } else if (key.n) {
        memcpy(block, key.p, key.n);
    }
    if (st == ST_OK)
        st = keyed_state(h, m->inner, block, 0x36);
    if (st == ST_OK)
        st = keyed_state(h, m->outer, block, 0x5c);
    wipe(block, sizeof block);
    return st;
}

status hmac_compute(void *self, const span *parts, size_t n, uint8_t *out)
{
    hmac_state *m = self;
    const hasher_ops *h = m->h;
    alignas(max_align_t) uint8_t work[HASH_STATE_MAX];
    uint8_t digest[MAX_HASH_BYTES];
    status st = ST_OK;
    memcpy(work, m->inner, h->size);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (parts[i].n)
            st = h->update(work, parts[i]);
    if (st == ST_OK)
        st = h->final(work, digest);
    memcpy(work, m->outer, h->size);
    if (st == ST_OK)
        st = h->update(work, span_of(digest, m->out));
    if (st == ST_OK)
        st = h->final(work, out);
    wipe(work, h->size);
    wipe(digest, sizeof digest);
    return st;
}

hash_alg hmac_integ_hash(integ_alg alg)
{
    switch (alg) {
    case INTEG_HMAC_MD5_96:
    case INTEG_HMAC_MD5_128:
        return HASH_MD5;
    case INTEG_HMAC_SHA1_96:
    case INTEG_HMAC_SHA1_160:
        return HASH_SHA1;
    case INTEG_HMAC_SHA2_256_96:
    case INTEG_HMAC_SHA2_256_128:
        return HASH_SHA2_256;
    case INTEG_HMAC_SHA2_384_192:
        return HASH_SHA2_384;
    case INTEG_HMAC_SHA2_512_256:
        return HASH_SHA2_512;
    default:
        return HASH_UNDEFINED;
    }
}
