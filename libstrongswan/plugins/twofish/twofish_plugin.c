/* The twofish plugin: Twofish-CBC (Schneier et al., 1998) in plain software, for IKEv1 peers whose
 * configuration names it. Written after the paper's formulas; only the permutations q0 and q1 are worked out
 * beforehand. It looks tables up by secret octets.
 */
#include "libstrongswan/crypto/blockcbc.h"
#include "libstrongswan/crypto/blockhash.h"
#include "libstrongswan/crypto/plugin.h"
#include <pthread.h>

enum { ROUNDS = 16, SUBKEYS = 2 * ROUNDS + 8, MAX_WORDS = 4 };

// clang-format off
static const uint8_t T[2][4][16] = {
    {{8, 1, 7, 13, 6, 15, 3, 2, 0, 11, 5, 9, 14, 12, 10, 4}, {14, 12, 11, 8, 1, 2, 3, 5, 15, 4, 10, 6, 7, 0, 9, 13},
     {11, 10, 5, 14, 6, 13, 9, 0, 12, 8, 15, 3, 2, 4, 7, 1}, {13, 7, 15, 4, 1, 2, 6, 14, 9, 11, 3, 0, 8, 5, 12, 10}},
    {{2, 8, 11, 13, 15, 7, 6, 14, 3, 1, 9, 4, 0, 10, 12, 5}, {1, 14, 2, 11, 4, 12, 3, 7, 6, 13, 10, 5, 15, 9, 0, 8},
     {4, 12, 7, 5, 1, 6, 9, 10, 0, 14, 13, 8, 2, 11, 3, 15}, {11, 9, 5, 1, 12, 3, 13, 14, 6, 4, 7, 15, 2, 0, 8, 10}},
};
static const uint8_t MDS[4][4] = {
    {0x01, 0xef, 0x5b, 0x5b}, {0x5b, 0xef, 0xef, 0x01}, {0xef, 0x5b, 0x01, 0xef}, {0xef, 0x01, 0xef, 0x5b},
};
static const uint8_t RS[4][8] = {
    {0x01, 0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e}, {0xa4, 0x56, 0x82, 0xf3, 0x1e, 0xc6, 0x68, 0xe5},
    {0x02, 0xa1, 0xfc, 0xc1, 0x47, 0xae, 0x3d, 0x19}, {0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e, 0x03},
};
/* which of q0 and q1 each octet goes through: first the stage of 256-bit keys, then of 192, then the two of all */
static const uint8_t ORDER[5][4] = {{1, 0, 0, 1}, {1, 1, 0, 0}, {0, 1, 0, 1}, {0, 0, 1, 1}, {1, 0, 1, 0}};
// clang-format on

static uint8_t q[2][256];
static pthread_once_t q_once = PTHREAD_ONCE_INIT;

static unsigned ror4(unsigned x)
{
    return (x >> 1 | x << 3) & 15;
}

static void q_make(void)
{
    for (unsigned n = 0; n < 2; n++)
        for (unsigned x = 0; x < 256; x++) {
            unsigned a = x >> 4, b = x & 15;
            for (unsigned half = 0; half < 4; half += 2) {
                unsigned mixed = (a ^ ror4(b) ^ 8 * a) & 15;
                a = T[n][half][a ^ b];
                b = T[n][half + 1][mixed];
            }
            q[n][x] = (uint8_t)(b << 4 | a);
        }
}

static uint8_t gf_multiply(unsigned a, unsigned b, unsigned polynomial)
{
    unsigned r = 0;
    for (; b; b >>= 1) {
        r ^= a & (0u - (b & 1));
        a = a << 1 ^ (polynomial & (0u - (a >> 7)));
    }
    return (uint8_t)r;
}

/* The function h: an octet at a time through the permutations, mixed with k words of l, then the matrix. */
static uint32_t h(uint32_t x, const uint32_t *l, size_t k)
{
    uint8_t y[4];
    uint32_t z = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned v = x >> 8 * i & 255;
        for (size_t stage = 4 - k; stage < 4; stage++)
            v = q[ORDER[stage][i]][v] ^ (l[3 - stage] >> 8 * i & 255);
        y[i] = q[ORDER[4][i]][v];
    }
    for (size_t row = 0; row < 4; row++)
        for (size_t i = 0; i < 4; i++)
            z ^= (uint32_t)gf_multiply(MDS[row][i], y[i], 0x169) << 8 * row;
    return z;
}

typedef struct twofish {
    uint32_t k[SUBKEYS];
    uint32_t g[4][256]; /* h(x, S) is the sum of what its octets give */
} twofish;

static status twofish_init(void *self, const crypto *c, encr_alg alg, span key)
{
    twofish *t = self;
    uint32_t even[MAX_WORDS], odd[MAX_WORDS], s[MAX_WORDS] = {0};
    size_t k = key.n / 8;
    pthread_once(&q_once, q_make);
    for (size_t i = 0; i < k; i++) {
        even[i] = get_u32_le(key.p + 8 * i);
        odd[i] = get_u32_le(key.p + 8 * i + 4);
        for (size_t row = 0; row < 4; row++)
            for (size_t j = 0; j < 8; j++)
                s[k - 1 - i] ^= (uint32_t)gf_multiply(RS[row][j], key.p[8 * i + j], 0x14d) << 8 * row;
    }
    for (uint32_t i = 0; i < SUBKEYS / 2; i++) {
        uint32_t a = h(2 * i * 0x01010101, even, k), b = rol32(h((2 * i + 1) * 0x01010101, odd, k), 8);
        t->k[2 * i] = a + b;
        t->k[2 * i + 1] = rol32(a + 2 * b, 9);
    }
    /* h is linear in its last step: with the other octets' share taken off, one table per octet */
    uint32_t zero = h(0, s, k);
    for (uint32_t x = 0; x < 256; x++)
        for (unsigned i = 0; i < 4; i++)
            t->g[i][x] = h(x << 8 * i, s, k) ^ (i ? zero : 0);
    wipe(even, sizeof even);
    wipe(odd, sizeof odd);
    wipe(s, sizeof s);
    return ST_OK;
}

static uint32_t g(const twofish *t, uint32_t x)
{
    return t->g[0][x & 255] ^ t->g[1][x >> 8 & 255] ^ t->g[2][x >> 16 & 255] ^ t->g[3][x >> 24];
}

static void load(const uint8_t *block, const uint32_t *whiten, uint32_t r[4])
{
    for (size_t i = 0; i < 4; i++)
        r[i] = get_u32_le(block + 4 * i) ^ whiten[i];
}

static void encrypt_block(const void *key, uint8_t *block)
{
    const twofish *t = key;
    uint32_t r[4];
    load(block, t->k, r);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t t0 = g(t, r[0]), t1 = g(t, rol32(r[1], 8));
        uint32_t r2 = rol32(r[2] ^ (t0 + t1 + t->k[8 + 2 * i]), 31);
        uint32_t r3 = rol32(r[3], 1) ^ (t0 + 2 * t1 + t->k[9 + 2 * i]);
        r[2] = r[0];
        r[3] = r[1];
        r[0] = r2;
        r[1] = r3;
    }
    for (size_t i = 0; i < 4; i++)
        set_u32_le(block + 4 * i, r[(i + 2) % 4] ^ t->k[4 + i]);
}

static void decrypt_block(const void *key, uint8_t *block)
{
    const twofish *t = key;
    uint32_t c[4], r[4];
    load(block, t->k + 4, c);
    for (size_t i = 0; i < 4; i++)
        r[(i + 2) % 4] = c[i];
    for (size_t i = ROUNDS; i-- > 0;) {
        uint32_t r0 = r[2], r1 = r[3];
        uint32_t t0 = g(t, r0), t1 = g(t, rol32(r1, 8));
        r[2] = rol32(r[0], 1) ^ (t0 + t1 + t->k[8 + 2 * i]);
        r[3] = rol32(r[1] ^ (t0 + 2 * t1 + t->k[9 + 2 * i]), 31);
        r[0] = r0;
        r[1] = r1;
    }
    for (size_t i = 0; i < 4; i++)
        set_u32_le(block + 4 * i, r[i] ^ t->k[i]);
}

static status twofish_encrypt(void *self, span iv, span in, uint8_t *out)
{
    cbc_encrypt_blocks(encrypt_block, self, iv, in, out);
    return ST_OK;
}

static status twofish_decrypt(void *self, span iv, span in, uint8_t *out)
{
    cbc_decrypt_blocks(decrypt_block, self, iv, in, out);
    return ST_OK;
}

static const crypter_ops crypters[] = {{ENCR_TWOFISH_CBC, 16, 32, 8, OPS_ON_DEMAND, sizeof(twofish),
                                        twofish_init, NULL, twofish_encrypt, twofish_decrypt}};

const plugin_desc twofish_plugin = {.abi = PLUGIN_ABI, .name = "twofish", .crypters = OPS_ROWS(crypters)};
