/* The part MD4, MD5, SHA-1 and SHA-2 have in common: cutting input into blocks and padding the last one. For
 * the software hash plugins; the state that embeds this stays plain memory.
 */
#pragma once
#include "libstrongswan/base/span.h"
#include "libstrongswan/base/status.h"

typedef struct block_hash {
    uint64_t bytes; /* of input so far */
    uint8_t block[128];
} block_hash;

typedef void compress_fn(void *state, const uint8_t *block);

static inline void block_hash_update(block_hash *b, size_t size, span in, compress_fn *compress, void *state)
{
    size_t used = (size_t)(b->bytes % size);
    b->bytes += in.n;
    if (used) {
        span head = span_take(in, size - used);
        memcpy(b->block + used, head.p, head.n);
        if (used + head.n < size)
            return;
        compress(state, b->block);
        in = span_skip(in, head.n);
    }
    for (; in.n >= size; in = span_skip(in, size))
        compress(state, in.p);
    if (in.n)
        memcpy(b->block, in.p, in.n);
}

/* 0x80, zeros, and the length in bits in the last 8 octets (the upper 8 of SHA-512's 16 are always zero
 * here). */
static inline void block_hash_pad(block_hash *b, size_t size, bool big_endian, compress_fn *compress,
                                  void *state)
{
    size_t used = (size_t)(b->bytes % size), length_bytes = size / 8;
    uint64_t bits = b->bytes * 8;
    b->block[used++] = 0x80;
    if (used > size - length_bytes) {
        memset(b->block + used, 0, size - used);
        compress(state, b->block);
        used = 0;
    }
    memset(b->block + used, 0, size - used);
    for (size_t i = 0; i < 8; i++)
        b->block[size - 8 + i] = (uint8_t)(bits >> 8 * (big_endian ? 7 - i : i));
    compress(state, b->block);
}

static inline uint32_t rol32(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}
static inline uint32_t get_u32_le(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}
static inline void set_u32_le(uint8_t *p, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}
