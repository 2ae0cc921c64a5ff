/* The des plugin: DES-CBC and 3DES-CBC (FIPS 46-3) in plain software. The tables are those of the standard,
 * with bits counted from 1 at the left as there; S-boxes and the permutation P are merged into one table per
 * box when the plugin is first used. Like the aes plugin it looks tables up by secret bits.
 */
#include "libstrongswan/crypto/plugin.h"
#include <pthread.h>

enum { DES_BLOCK = 8, DES_ROUNDS = 16 };

// clang-format off
static const uint8_t IP[64] = {
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17,  9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
};
static const uint8_t FP[64] = {
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
    36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41,  9, 49, 17, 57, 25,
};
static const uint8_t P[32] = {
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
};
static const uint8_t PC1[56] = {
    57, 49, 41, 33, 25, 17,  9,  1, 58, 50, 42, 34, 26, 18, 10,  2, 59, 51, 43, 35, 27, 19, 11,  3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15,  7, 62, 54, 46, 38, 30, 22, 14,  6, 61, 53, 45, 37, 29, 21, 13,  5, 28, 20, 12,  4,
};
static const uint8_t PC2[48] = {
    14, 17, 11, 24,  1,  5,  3, 28, 15,  6, 21, 10, 23, 19, 12,  4, 26,  8, 16,  7, 27, 20, 13,  2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
};
static const uint8_t SHIFTS[DES_ROUNDS] = {1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1};
static const uint8_t S[8][4][16] = {
    {{14,  4, 13,  1,  2, 15, 11,  8,  3, 10,  6, 12,  5,  9,  0,  7},
     { 0, 15,  7,  4, 14,  2, 13,  1, 10,  6, 12, 11,  9,  5,  3,  8},
     { 4,  1, 14,  8, 13,  6,  2, 11, 15, 12,  9,  7,  3, 10,  5,  0},
     {15, 12,  8,  2,  4,  9,  1,  7,  5, 11,  3, 14, 10,  0,  6, 13}},
    {{15,  1,  8, 14,  6, 11,  3,  4,  9,  7,  2, 13, 12,  0,  5, 10},
     { 3, 13,  4,  7, 15,  2,  8, 14, 12,  0,  1, 10,  6,  9, 11,  5},
     { 0, 14,  7, 11, 10,  4, 13,  1,  5,  8, 12,  6,  9,  3,  2, 15},
     {13,  8, 10,  1,  3, 15,  4,  2, 11,  6,  7, 12,  0,  5, 14,  9}},
    {{10,  0,  9, 14,  6,  3, 15,  5,  1, 13, 12,  7, 11,  4,  2,  8},
     {13,  7,  0,  9,  3,  4,  6, 10,  2,  8,  5, 14, 12, 11, 15,  1},
     {13,  6,  4,  9,  8, 15,  3,  0, 11,  1,  2, 12,  5, 10, 14,  7},
     { 1, 10, 13,  0,  6,  9,  8,  7,  4, 15, 14,  3, 11,  5,  2, 12}},
    {{ 7, 13, 14,  3,  0,  6,  9, 10,  1,  2,  8,  5, 11, 12,  4, 15},
     {13,  8, 11,  5,  6, 15,  0,  3,  4,  7,  2, 12,  1, 10, 14,  9},
     {10,  6,  9,  0, 12, 11,  7, 13, 15,  1,  3, 14,  5,  2,  8,  4},
     { 3, 15,  0,  6, 10,  1, 13,  8,  9,  4,  5, 11, 12,  7,  2, 14}},
    {{ 2, 12,  4,  1,  7, 10, 11,  6,  8,  5,  3, 15, 13,  0, 14,  9},
     {14, 11,  2, 12,  4,  7, 13,  1,  5,  0, 15, 10,  3,  9,  8,  6},
     { 4,  2,  1, 11, 10, 13,  7,  8, 15,  9, 12,  5,  6,  3,  0, 14},
     {11,  8, 12,  7,  1, 14,  2, 13,  6, 15,  0,  9, 10,  4,  5,  3}},
    {{12,  1, 10, 15,  9,  2,  6,  8,  0, 13,  3,  4, 14,  7,  5, 11},
     {10, 15,  4,  2,  7, 12,  9,  5,  6,  1, 13, 14,  0, 11,  3,  8},
     { 9, 14, 15,  5,  2,  8, 12,  3,  7,  0,  4, 10,  1, 13, 11,  6},
     { 4,  3,  2, 12,  9,  5, 15, 10, 11, 14,  1,  7,  6,  0,  8, 13}},
    {{ 4, 11,  2, 14, 15,  0,  8, 13,  3, 12,  9,  7,  5, 10,  6,  1},
     {13,  0, 11,  7,  4,  9,  1, 10, 14,  3,  5, 12,  2, 15,  8,  6},
     { 1,  4, 11, 13, 12,  3,  7, 14, 10, 15,  6,  8,  0,  5,  9,  2},
     { 6, 11, 13,  8,  1,  4, 10,  7,  9,  5,  0, 15, 14,  2,  3, 12}},
    {{13,  2,  8,  4,  6, 15, 11,  1, 10,  9,  3, 14,  5,  0, 12,  7},
     { 1, 15, 13,  8, 10,  3,  7,  4, 12,  5,  6, 11,  0, 14,  9,  2},
     { 7, 11,  4,  1,  9, 12, 14,  2,  0,  6, 10, 13, 15,  3,  5,  8},
     { 2,  1, 14,  7,  4, 10,  8, 13, 15, 12,  9,  0,  3,  5,  6, 11}},
};
// clang-format on

/* Bit i of the result (from the left, n of them) is bit table[i] of in (from the left of in_bits). */
static uint64_t permute(uint64_t in, unsigned in_bits, const uint8_t *table, unsigned n)
{
    uint64_t out = 0;
    for (unsigned i = 0; i < n; i++)
        out = out << 1 | (in >> (in_bits - table[i]) & 1);
    return out;
}

static uint32_t sp[8][64]; /* P of what S-box b gives for six bits, at its place in the word */
static pthread_once_t sp_once = PTHREAD_ONCE_INIT;

static void sp_make(void)
{
    for (unsigned b = 0; b < 8; b++)
        for (unsigned v = 0; v < 64; v++) {
            uint32_t s = S[b][(v >> 4 & 2) | (v & 1)][v >> 1 & 15];
            sp[b][v] = (uint32_t)permute(s << (28 - 4 * b), 32, P, 32);
        }
}

typedef struct des_key {
    uint64_t round[DES_ROUNDS]; /* 48 bits each */
} des_key;

typedef struct des3 {
    des_key k[3];
    unsigned n; /* 1: DES, 3: 3DES (EDE) */
} des3;

static uint32_t rotate28(uint32_t x, unsigned n)
{
    return (x << n | x >> (28 - n)) & 0xfffffff;
}

static void schedule(des_key *k, const uint8_t *key)
{
    uint64_t cd = permute(get_u64(key), 64, PC1, 56);
    uint32_t c = (uint32_t)(cd >> 28), d = (uint32_t)cd & 0xfffffff;
    for (unsigned r = 0; r < DES_ROUNDS; r++) {
        c = rotate28(c, SHIFTS[r]);
        d = rotate28(d, SHIFTS[r]);
        k->round[r] = permute((uint64_t)c << 28 | d, 56, PC2, 48);
    }
}

static uint32_t feistel(uint32_t r, uint64_t key)
{
    uint32_t out = 0;
    for (unsigned b = 0; b < 8; b++) {
        /* E: bits 4b .. 4b+5 of r with bit 0 meaning bit 32, that is r turned right by one and read in sixes
         */
        unsigned turn = (4 * b + 31) % 32;
        uint32_t turned = turn ? r << turn | r >> (32 - turn) : r;
        out ^= sp[b][(turned >> 26 ^ key >> (42 - 6 * b)) & 63];
    }
    return out;
}

/* One DES between the initial and final permutations; the halves end up swapped, as the next one needs them.
 */
static uint64_t rounds(const des_key *k, uint64_t block, bool decrypt)
{
    uint32_t l = (uint32_t)(block >> 32), r = (uint32_t)block;
    for (unsigned i = 0; i < DES_ROUNDS; i++) {
        uint32_t next = l ^ feistel(r, k->round[decrypt ? DES_ROUNDS - 1 - i : i]);
        l = r;
        r = next;
    }
    return (uint64_t)r << 32 | l;
}

static uint64_t des_block(const des3 *x, uint64_t block, bool decrypt)
{
    block = permute(block, 64, IP, 64);
    for (unsigned i = 0; i < x->n; i++)
        block = rounds(&x->k[decrypt ? x->n - 1 - i : i], block, decrypt != (i == 1));
    return permute(block, 64, FP, 64);
}

static status des_init(void *self, const crypto *c, encr_alg alg, span key)
{
    des3 *x = self;
    pthread_once(&sp_once, sp_make);
    x->n = (unsigned)key.n / DES_BLOCK;
    for (unsigned i = 0; i < x->n; i++)
        schedule(&x->k[i], key.p + DES_BLOCK * i);
    return ST_OK;
}

static status des_encrypt(void *self, span iv, span in, uint8_t *out)
{
    uint64_t v = get_u64(iv.p);
    for (size_t i = 0; i < in.n; i += DES_BLOCK) {
        v = des_block(self, v ^ get_u64(in.p + i), false);
        set_u64(out + i, v);
    }
    return ST_OK;
}

static status des_decrypt(void *self, span iv, span in, uint8_t *out)
{
    uint64_t v = get_u64(iv.p);
    for (size_t i = 0; i < in.n; i += DES_BLOCK) {
        uint64_t cipher = get_u64(in.p + i);
        set_u64(out + i, v ^ des_block(self, cipher, true));
        v = cipher;
    }
    return ST_OK;
}

static const crypter_ops crypters[] = {
    {ENCR_3DES, 24, 24, 0, 0, sizeof(des3), des_init, NULL, des_encrypt, des_decrypt},
    {ENCR_DES, 8, 8, 0, 0, sizeof(des3), des_init, NULL, des_encrypt, des_decrypt},
};

const plugin_desc des_plugin = {.abi = PLUGIN_ABI, .name = "des", .crypters = OPS_ROWS(crypters)};
