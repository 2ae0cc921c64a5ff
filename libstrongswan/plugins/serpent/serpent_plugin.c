/* The serpent plugin: Serpent-CBC (Anderson, Biham, Knudsen, 1998) in plain software, for IKEv1 peers whose
 * configuration names it. The S-boxes are applied bit by bit across the four words, straight from the paper:
 * slow, and short.
 */
#include "libstrongswan/crypto/blockcbc.h"
#include "libstrongswan/crypto/blockhash.h"
#include "libstrongswan/crypto/plugin.h"

enum { ROUNDS = 32, BOXES = 8 };

// clang-format off
static const uint8_t S[BOXES][16] = {
    { 3,  8, 15,  1, 10,  6,  5, 11, 14, 13,  4,  2,  7,  0,  9, 12},
    {15, 12,  2,  7,  9,  0,  5, 10,  1, 11, 14,  8,  6, 13,  3,  4},
    { 8,  6,  7,  9,  3, 12, 10, 15, 13,  1, 14,  4,  0, 11,  5,  2},
    { 0, 15, 11,  8, 12,  9,  6,  3, 13,  1,  2,  4, 10,  7,  5, 14},
    { 1, 15,  8,  3, 12,  0, 11,  6,  2,  5,  4, 10,  9, 14,  7, 13},
    {15,  5,  2, 11,  4, 10,  9, 12,  0,  3, 14,  8, 13,  6,  7,  1},
    { 7,  2, 12,  5,  8,  4,  6, 11, 14,  9,  1, 15, 13,  3, 10,  0},
    { 1, 13, 15,  0, 14,  8,  2, 11,  7,  4, 12, 10,  9,  3,  5,  6},
};
// clang-format on

typedef struct serpent {
    uint32_t k[ROUNDS + 1][4];
} serpent;

/* Bit i of the four words is a number of four bits, the first word's the lowest. */
static void substitute(const uint8_t box[16], uint32_t x[4])
{
    uint32_t y[4] = {0};
    for (unsigned bit = 0; bit < 32; bit++) {
        unsigned in = 0;
        for (unsigned w = 0; w < 4; w++)
            in |= (x[w] >> bit & 1) << w;
        for (unsigned w = 0; w < 4; w++)
            y[w] |= (uint32_t)(box[in] >> w & 1) << bit;
    }
    memcpy(x, y, sizeof y);
}

static void inverse_of(const uint8_t box[16], uint8_t out[16])
{
    for (uint8_t i = 0; i < 16; i++)
        out[box[i]] = i;
}

static uint32_t ror32_by(uint32_t x, unsigned n)
{
    return rol32(x, 32 - n);
}

static void mix(uint32_t x[4])
{
    x[0] = rol32(x[0], 13);
    x[2] = rol32(x[2], 3);
    x[1] = rol32(x[1] ^ x[0] ^ x[2], 1);
    x[3] = rol32(x[3] ^ x[2] ^ x[0] << 3, 7);
    x[0] = rol32(x[0] ^ x[1] ^ x[3], 5);
    x[2] = rol32(x[2] ^ x[3] ^ x[1] << 7, 22);
}

static void unmix(uint32_t x[4])
{
    x[2] = ror32_by(x[2], 22) ^ x[3] ^ x[1] << 7;
    x[0] = ror32_by(x[0], 5) ^ x[1] ^ x[3];
    x[3] = ror32_by(x[3], 7) ^ x[2] ^ x[0] << 3;
    x[1] = ror32_by(x[1], 1) ^ x[0] ^ x[2];
    x[2] = ror32_by(x[2], 3);
    x[0] = ror32_by(x[0], 13);
}

static void add_key(const serpent *s, size_t round, uint32_t x[4])
{
    for (size_t i = 0; i < 4; i++)
        x[i] ^= s->k[round][i];
}

static status serpent_init(void *self, const crypto *c, encr_alg alg, span key)
{
    serpent *s = self;
    uint8_t padded[32] = {0};
    uint32_t w[8 + 4 * (ROUNDS + 1)];
    memcpy(padded, key.p, key.n);
    if (key.n < sizeof padded)
        padded[key.n] = 1;
    for (size_t i = 0; i < 8; i++)
        w[i] = get_u32_le(padded + 4 * i);
    for (uint32_t i = 8; i < sizeof w / sizeof w[0]; i++)
        w[i] = rol32(w[i - 8] ^ w[i - 5] ^ w[i - 3] ^ w[i - 1] ^ 0x9e3779b9 ^ (i - 8), 11);
    for (size_t r = 0; r <= ROUNDS; r++) {
        memcpy(s->k[r], w + 8 + 4 * r, sizeof s->k[r]);
        substitute(S[(ROUNDS + 3 - r) % BOXES], s->k[r]);
    }
    wipe(padded, sizeof padded);
    wipe(w, sizeof w);
    return ST_OK;
}

static void encrypt_block(const void *key, uint8_t *block)
{
    uint32_t x[4];
    for (size_t i = 0; i < 4; i++)
        x[i] = get_u32_le(block + 4 * i);
    for (size_t r = 0; r < ROUNDS; r++) {
        add_key(key, r, x);
        substitute(S[r % BOXES], x);
        if (r + 1 < ROUNDS)
            mix(x);
    }
    add_key(key, ROUNDS, x);
    for (size_t i = 0; i < 4; i++)
        set_u32_le(block + 4 * i, x[i]);
}

static void decrypt_block(const void *key, uint8_t *block)
{
    uint32_t x[4];
    uint8_t box[16];
    for (size_t i = 0; i < 4; i++)
        x[i] = get_u32_le(block + 4 * i);
    add_key(key, ROUNDS, x);
    for (size_t r = ROUNDS; r-- > 0;) {
        if (r + 1 < ROUNDS)
            unmix(x);
        inverse_of(S[r % BOXES], box);
        substitute(box, x);
        add_key(key, r, x);
    }
    for (size_t i = 0; i < 4; i++)
        set_u32_le(block + 4 * i, x[i]);
}

static status serpent_encrypt(void *self, span iv, span in, uint8_t *out)
{
    cbc_encrypt_blocks(encrypt_block, self, iv, in, out);
    return ST_OK;
}

static status serpent_decrypt(void *self, span iv, span in, uint8_t *out)
{
    cbc_decrypt_blocks(decrypt_block, self, iv, in, out);
    return ST_OK;
}

static const crypter_ops crypters[] = {{ENCR_SERPENT_CBC, 16, 32, 8, OPS_ON_DEMAND, sizeof(serpent),
                                        serpent_init, NULL, serpent_encrypt, serpent_decrypt}};

const plugin_desc serpent_plugin = {.abi = PLUGIN_ABI, .name = "serpent", .crypters = OPS_ROWS(crypters)};
