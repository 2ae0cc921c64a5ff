/* The sha1 plugin: SHA-1 (FIPS 180-4) in software, and the keyed variant of EAP-AKA's software functions
 * (3GPP2 S.S0055): SHA-1 whose initial state is XORed with a 160-bit key.
 */
#include "libstrongswan/plugins/sha1/sha1.h"
#include "libstrongswan/crypto/blockhash.h"
#include "libstrongswan/crypto/plugin.h"

typedef struct sha1 {
    uint32_t h[5];
    block_hash b;
} sha1;

const uint32_t sha1_initial[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

static uint32_t round_value(unsigned i, uint32_t b, uint32_t c, uint32_t d)
{
    if (i < 20)
        return ((b & c) | (~b & d)) + 0x5a827999;
    if (i < 40)
        return (b ^ c ^ d) + 0x6ed9eba1;
    if (i < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    return (b ^ c ^ d) + 0xca62c1d6;
}

void sha1_compress(uint32_t h[5], const uint8_t block[64])
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (size_t i = 0; i < 16; i++)
        w[i] = get_u32(block + 4 * i);
    for (size_t i = 16; i < 80; i++)
        w[i] = rol32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t next = rol32(a, 5) + round_value(i, b, c, d) + e + w[i];
        e = d;
        d = c;
        c = rol32(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
    wipe(w, sizeof w);
}

static void compress_block(void *state, const uint8_t *block)
{
    sha1_compress(((sha1 *)state)->h, block);
}

static status sha1_init(void *self)
{
    sha1 *x = self;
    *x = (sha1){0};
    memcpy(x->h, sha1_initial, sizeof x->h);
    return ST_OK;
}

static status sha1_update(void *self, span in)
{
    block_hash_update(&((sha1 *)self)->b, 64, in, compress_block, self);
    return ST_OK;
}

static status sha1_final(void *self, uint8_t *out)
{
    sha1 *x = self;
    block_hash_pad(&x->b, 64, true, compress_block, x);
    for (size_t i = 0; i < 5; i++)
        set_u32(out + 4 * i, x->h[i]);
    return ST_OK;
}

static const hasher_ops hashers[] = {{HASH_SHA1, 64, 0, sizeof(sha1), sha1_init, sha1_update, sha1_final}};

/* ---- keyed ---- the state is a sha1 whose h is the keyed start */

static status keyed_init(void *self, const crypto *c, prf_alg alg, span key)
{
    sha1 *x = self;
    uint8_t k[20] = {0};
    if (key.n > sizeof k)
        return ST_INVALID;
    if (key.n)
        memcpy(k, key.p, key.n);
    sha1_init(x);
    for (size_t i = 0; i < 5; i++)
        x->h[i] ^= get_u32(k + 4 * i);
    wipe(k, sizeof k);
    return ST_OK;
}

static status keyed_compute(void *self, const span *parts, size_t n, uint8_t *out)
{
    sha1 work = *(const sha1 *)self;
    for (size_t i = 0; i < n; i++)
        sha1_update(&work, parts[i]);
    sha1_final(&work, out);
    wipe(&work, sizeof work);
    return ST_OK;
}

static const prf_ops prfs[] = {{PRF_KEYED_SHA1, 0, sizeof(sha1), keyed_init, NULL, keyed_compute}};

const plugin_desc sha1_plugin = {
    .abi = PLUGIN_ABI, .name = "sha1", .hashers = OPS_ROWS(hashers), .prfs = OPS_ROWS(prfs)};
