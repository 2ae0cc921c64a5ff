/* Powers of a fixed base: key pairs of MODP groups. */
#pragma once
#include "libstrongswan/base/status.h"
#include <openssl/bn.h>
#include <stddef.h>
#include <stdint.h>

typedef struct comb comb;

/* A table for base^x mod p with x of at most exponent_bytes octets. mont is of p and must outlive the table.
 * NULL: no memory. Immutable, any thread. */
comb *comb_new(const BIGNUM *base, const BIGNUM *p, const BN_MONT_CTX *mont, size_t exponent_bytes);
void comb_free(comb *t);
/* base^x mod p, x big-endian in the table's exponent_bytes, into p's full number of octets. Time and memory
 * accesses do not depend on x. */
status comb_power(const comb *t, const uint8_t *x, uint8_t *out) MUST_CHECK;
