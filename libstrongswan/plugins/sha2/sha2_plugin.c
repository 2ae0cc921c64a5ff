/* The sha2 plugin: SHA-224/256 and SHA-384/512 (FIPS 180-4) in software. */
#include "libstrongswan/crypto/blockhash.h"
#include "libstrongswan/crypto/plugin.h"

// clang-format off
static const uint32_t K32[64] = { /* cube roots of the first primes */
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint64_t K64[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};
static const uint32_t START_224[8] = {
    0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4,
};
static const uint32_t START_256[8] = { /* square roots of the first primes */
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
static const uint64_t START_384[8] = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};
static const uint64_t START_512[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
// clang-format on

static uint32_t ror32(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}
static uint64_t ror64(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

/* ---- 32-bit words ---- */

typedef struct sha32 {
    uint32_t h[8];
    block_hash b;
} sha32;

static void sha32_compress(void *state, const uint8_t *block)
{
    sha32 *x = state;
    uint32_t w[64], v[8];
    for (size_t i = 0; i < 16; i++)
        w[i] = get_u32(block + 4 * i);
    for (size_t i = 16; i < 64; i++) {
        uint32_t s0 = ror32(w[i - 15], 7) ^ ror32(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = ror32(w[i - 2], 17) ^ ror32(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, x->h, sizeof v);
    for (size_t i = 0; i < 64; i++) {
        uint32_t s1 = ror32(v[4], 6) ^ ror32(v[4], 11) ^ ror32(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K32[i] + w[i];
        uint32_t s0 = ror32(v[0], 2) ^ ror32(v[0], 13) ^ ror32(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++)
        x->h[i] += v[i];
    wipe(w, sizeof w);
}

static status sha32_start(void *self, const uint32_t start[8])
{
    sha32 *x = self;
    *x = (sha32){0};
    memcpy(x->h, start, sizeof x->h);
    return ST_OK;
}
static status sha224_init(void *self)
{
    return sha32_start(self, START_224);
}
static status sha256_init(void *self)
{
    return sha32_start(self, START_256);
}

static status sha32_update(void *self, span in)
{
    block_hash_update(&((sha32 *)self)->b, 64, in, sha32_compress, self);
    return ST_OK;
}

static status sha32_final(sha32 *x, uint8_t *out, size_t words)
{
    block_hash_pad(&x->b, 64, true, sha32_compress, x);
    for (size_t i = 0; i < words; i++)
        set_u32(out + 4 * i, x->h[i]);
    return ST_OK;
}
static status sha224_final(void *self, uint8_t *out)
{
    return sha32_final(self, out, 7);
}
static status sha256_final(void *self, uint8_t *out)
{
    return sha32_final(self, out, 8);
}

/* ---- 64-bit words ---- */

typedef struct sha64 {
    uint64_t h[8];
    block_hash b;
} sha64;

static void sha64_compress(void *state, const uint8_t *block)
{
    sha64 *x = state;
    uint64_t w[80], v[8];
    for (size_t i = 0; i < 16; i++)
        w[i] = get_u64(block + 8 * i);
    for (size_t i = 16; i < 80; i++) {
        uint64_t s0 = ror64(w[i - 15], 1) ^ ror64(w[i - 15], 8) ^ w[i - 15] >> 7;
        uint64_t s1 = ror64(w[i - 2], 19) ^ ror64(w[i - 2], 61) ^ w[i - 2] >> 6;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, x->h, sizeof v);
    for (size_t i = 0; i < 80; i++) {
        uint64_t s1 = ror64(v[4], 14) ^ ror64(v[4], 18) ^ ror64(v[4], 41);
        uint64_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K64[i] + w[i];
        uint64_t s0 = ror64(v[0], 28) ^ ror64(v[0], 34) ^ ror64(v[0], 39);
        uint64_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++)
        x->h[i] += v[i];
    wipe(w, sizeof w);
}

static status sha64_start(void *self, const uint64_t start[8])
{
    sha64 *x = self;
    *x = (sha64){0};
    memcpy(x->h, start, sizeof x->h);
    return ST_OK;
}
static status sha384_init(void *self)
{
    return sha64_start(self, START_384);
}
static status sha512_init(void *self)
{
    return sha64_start(self, START_512);
}

static status sha64_update(void *self, span in)
{
    block_hash_update(&((sha64 *)self)->b, 128, in, sha64_compress, self);
    return ST_OK;
}

static status sha64_final(sha64 *x, uint8_t *out, size_t words)
{
    block_hash_pad(&x->b, 128, true, sha64_compress, x);
    for (size_t i = 0; i < words; i++)
        set_u64(out + 8 * i, x->h[i]);
    return ST_OK;
}
static status sha384_final(void *self, uint8_t *out)
{
    return sha64_final(self, out, 6);
}
static status sha512_final(void *self, uint8_t *out)
{
    return sha64_final(self, out, 8);
}

// clang-format off
static const hasher_ops hashers[] = {
    {HASH_SHA2_224,  64, 0, sizeof(sha32), sha224_init, sha32_update, sha224_final},
    {HASH_SHA2_256,  64, 0, sizeof(sha32), sha256_init, sha32_update, sha256_final},
    {HASH_SHA2_384, 128, 0, sizeof(sha64), sha384_init, sha64_update, sha384_final},
    {HASH_SHA2_512, 128, 0, sizeof(sha64), sha512_init, sha64_update, sha512_final},
};
// clang-format on

const plugin_desc sha2_plugin = {.abi = PLUGIN_ABI, .name = "sha2", .hashers = OPS_ROWS(hashers)};
