/* HMAC (RFC 2104) over any hasher of the registry's shape. The two keyed states are computed once; a message
 * copies them, which is why hash states are plain memory. Used by the hmac and openssl plugins.
 */
#pragma once
#include "libstrongswan/crypto/plugin.h"
#include <stdalign.h>

typedef struct hmac_state {
    const hasher_ops *h;
    size_t out;
    alignas(max_align_t) uint8_t inner[HASH_STATE_MAX];
    alignas(max_align_t) uint8_t outer[HASH_STATE_MAX];
} hmac_state;

/* self is a hmac_state; h NULL gives ST_UNSUPPORTED. May be called again with another key. */
status hmac_init(void *self, const hasher_ops *h, span key);
status hmac_compute(void *self, const span *parts, size_t n, uint8_t *out);
/* the hash inside an HMAC integrity algorithm; HASH_UNDEFINED if none */
hash_alg hmac_integ_hash(integ_alg alg);
