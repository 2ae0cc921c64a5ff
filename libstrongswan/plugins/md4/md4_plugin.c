/* The md4 plugin: MD4 (RFC 1320) in software, for the NT password hash of EAP-MSCHAPv2 and nothing else. */
#include "libstrongswan/crypto/blockhash.h"
#include "libstrongswan/crypto/plugin.h"

typedef struct md4 {
    uint32_t h[4];
    block_hash b;
} md4;

static const uint8_t SHIFT[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
static const uint8_t ORDER[3][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                     {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
                                     {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}};

static void md4_compress(void *state, const uint8_t *block)
{
    md4 *x = state;
    uint32_t w[16], a = x->h[0], b = x->h[1], c = x->h[2], d = x->h[3];
    for (size_t i = 0; i < 16; i++)
        w[i] = get_u32_le(block + 4 * i);
    for (unsigned i = 0; i < 48; i++) {
        unsigned round = i / 16;
        uint32_t f;
        if (round == 0)
            f = (b & c) | (~b & d);
        else if (round == 1)
            f = ((b & c) | (b & d) | (c & d)) + 0x5a827999;
        else
            f = (b ^ c ^ d) + 0x6ed9eba1;
        uint32_t next = rol32(a + f + w[ORDER[round][i % 16]], SHIFT[round][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    x->h[0] += a;
    x->h[1] += b;
    x->h[2] += c;
    x->h[3] += d;
    wipe(w, sizeof w);
}

static status md4_init(void *self)
{
    md4 *x = self;
    *x = (md4){.h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
    return ST_OK;
}

static status md4_update(void *self, span in)
{
    block_hash_update(&((md4 *)self)->b, 64, in, md4_compress, self);
    return ST_OK;
}

static status md4_final(void *self, uint8_t *out)
{
    md4 *x = self;
    block_hash_pad(&x->b, 64, false, md4_compress, x);
    for (size_t i = 0; i < 4; i++)
        set_u32_le(out + 4 * i, x->h[i]);
    return ST_OK;
}

static const hasher_ops hashers[] = {{HASH_MD4, 64, 0, sizeof(md4), md4_init, md4_update, md4_final}};

const plugin_desc md4_plugin = {.abi = PLUGIN_ABI, .name = "md4", .hashers = OPS_ROWS(hashers)};
