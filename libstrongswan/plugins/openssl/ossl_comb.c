/* Fixed-base exponentiation with a comb (Lim and Lee): the exponent is cut into TEETH rows of bits, column
 * after column is looked up in a table of all products of the rows' bases, so that a 256-bit power takes 42
 * squarings and 43 multiplications instead of some 310 - half of a MODP key exchange is such a power of the
 * generator. Every column multiplies, and reads the whole table.
 */
#include "libstrongswan/plugins/openssl/ossl_comb.h"
#include "libstrongswan/base/secret.h"
#include <stdlib.h>

enum { TEETH = 6, PRODUCTS = 1 << TEETH };

struct comb {
    const BIGNUM *p;
    BN_MONT_CTX *mont;
    size_t words, exponent_bytes, columns;
    uint64_t *products; /* PRODUCTS numbers of `words` words, little-endian octets, Montgomery form */
};

static size_t number_bytes(const comb *t)
{
    return t->words * sizeof(uint64_t);
}

static bool product_set(comb *t, size_t i, const BIGNUM *v)
{
    return BN_bn2lebinpad(v, (uint8_t *)(t->products + i * t->words), (int)number_bytes(t)) >= 0;
}

static bool product_get(const comb *t, size_t i, BIGNUM *v)
{
    return BN_lebin2bn((const uint8_t *)(t->products + i * t->words), (int)number_bytes(t), v) != NULL;
}

/* products[i] = the product of base^(2^(row * columns)) over the rows whose bit is set in i */
static bool fill(comb *t, const BIGNUM *base, BN_CTX *ctx)
{
    BIGNUM *row = BN_CTX_get(ctx), *v = BN_CTX_get(ctx);
    if (!v || !BN_to_montgomery(v, BN_value_one(), t->mont, ctx) || !product_set(t, 0, v) ||
        !BN_to_montgomery(row, base, t->mont, ctx))
        return false;
    for (size_t top = 1; top < PRODUCTS; top *= 2) {
        for (size_t i = 0; i < top; i++)
            if (!product_get(t, i, v) || !BN_mod_mul_montgomery(v, v, row, t->mont, ctx) ||
                !product_set(t, top + i, v))
                return false;
        for (size_t i = 0; i < t->columns; i++)
            if (!BN_mod_mul_montgomery(row, row, row, t->mont, ctx))
                return false;
    }
    return true;
}

comb *comb_new(const BIGNUM *base, const BIGNUM *p, const BN_MONT_CTX *mont, size_t exponent_bytes)
{
    comb *t = calloc(1, sizeof *t);
    BN_CTX *ctx = BN_CTX_new();
    bool ok = false;
    if (t && ctx) {
        t->p = p;
        t->mont =
            (BN_MONT_CTX *)(uintptr_t)mont; /* BN's functions take it unqualified and do not change it */
        t->words = ((size_t)BN_num_bytes(p) + 7) / 8;
        t->exponent_bytes = exponent_bytes;
        t->columns = (8 * exponent_bytes + TEETH - 1) / TEETH;
        t->products = calloc(PRODUCTS, number_bytes(t));
        BN_CTX_start(ctx);
        ok = t->products && fill(t, base, ctx);
        BN_CTX_end(ctx);
    }
    BN_CTX_free(ctx);
    if (ok)
        return t;
    comb_free(t);
    return NULL;
}

void comb_free(comb *t)
{
    if (!t)
        return;
    free(t->products);
    free(t);
}

/* The rows' bits of one column, as an index into the products. */
static size_t column_index(const comb *t, const uint8_t *x, size_t column)
{
    size_t index = 0;
    for (size_t row = 0; row < TEETH; row++) {
        size_t bit = row * t->columns + column;
        if (bit < 8 * t->exponent_bytes)
            index |= (size_t)(x[t->exponent_bytes - 1 - bit / 8] >> bit % 8 & 1) << row;
    }
    return index;
}

/* Reads every product and keeps one. */
static void select_product(const comb *t, size_t index, uint64_t *out)
{
    memset(out, 0, number_bytes(t));
    for (size_t i = 0; i < PRODUCTS; i++) {
        uint64_t mask = (uint64_t)0 - (uint64_t)(((i ^ index) - 1) >> (8 * sizeof(size_t) - 1));
        const uint64_t *product = t->products + i * t->words;
        for (size_t w = 0; w < t->words; w++)
            out[w] |= product[w] & mask;
    }
}

static bool run(const comb *t, const uint8_t *x, uint64_t *chosen, BIGNUM *result, BN_CTX *ctx)
{
    BIGNUM *factor = BN_CTX_get(ctx);
    if (!factor)
        return false;
    for (size_t column = t->columns; column-- > 0;) {
        select_product(t, column_index(t, x, column), chosen);
        if (column + 1 == t->columns) {
            if (!BN_lebin2bn((uint8_t *)chosen, (int)number_bytes(t), result))
                return false;
            continue;
        }
        if (!BN_lebin2bn((uint8_t *)chosen, (int)number_bytes(t), factor) ||
            !BN_mod_mul_montgomery(result, result, result, t->mont, ctx) ||
            !BN_mod_mul_montgomery(result, result, factor, t->mont, ctx))
            return false;
    }
    return BN_from_montgomery(result, result, t->mont, ctx) == 1;
}

status comb_power(const comb *t, const uint8_t *x, uint8_t *out)
{
    int bytes = BN_num_bytes(t->p);
    BN_CTX *ctx = BN_CTX_secure_new();
    uint64_t *chosen = calloc(t->words, sizeof *chosen);
    bool ok = false;
    if (ctx && chosen) {
        BN_CTX_start(ctx);
        BIGNUM *result = BN_CTX_get(ctx);
        ok = result && run(t, x, chosen, result, ctx) && BN_bn2binpad(result, out, bytes) == bytes;
        BN_CTX_end(ctx);
    }
    if (chosen)
        wipe(chosen, number_bytes(t));
    free(chosen);
    BN_CTX_free(ctx);
    return ok ? ST_OK : ST_NO_MEMORY;
}
