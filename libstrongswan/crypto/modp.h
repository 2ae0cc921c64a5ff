/* The MODP groups' numbers, for plugins. */
#pragma once
#include "libstrongswan/crypto/algs.h"

typedef struct modp_group {
    dh_group group;
    uint16_t bytes;    /* of p */
    uint8_t exp_bytes; /* private exponent: about twice the strength RFC 3526 section 8 gives the group; q's
                          size */
    const char *p, *g; /* hexadecimal */
    const char *q;     /* order of the subgroup; NULL for a safe prime, where q = (p-1)/2 */
} modp_group;

const modp_group *modp_find(dh_group group);
