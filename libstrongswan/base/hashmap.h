/* Hash map from bytes to pointers. Keys are borrowed: they must live as long as the entry (usually they are part of
 * the value). SipHash with a random key per process, so that peers cannot choose collisions. Not thread safe.
 */
#pragma once
#include "libstrongswan/base/span.h"
#include "libstrongswan/base/status.h"

typedef struct hashmap hashmap;

status hashmap_new(hashmap **out) MUST_CHECK;
void hashmap_free(hashmap *m); /* not the values; NULL ok */
/* ST_EXISTS when the key is there already. value must not be NULL. */
status hashmap_add(hashmap *m, span key, void *value) MUST_CHECK;
/* Adds or replaces; *old (may be NULL) gets the value that was there. */
status hashmap_set(hashmap *m, span key, void *value, void **old) MUST_CHECK;
void *hashmap_get(const hashmap *m, span key);
void *hashmap_remove(hashmap *m, span key); /* the value that was there, or NULL */
size_t hashmap_count(const hashmap *m);
/* Iteration: size_t it = 0; while ((v = hashmap_next(m, &it))) …  Removing the entry just returned is allowed; adding is
 * not. Order is arbitrary. */
void *hashmap_next(const hashmap *m, size_t *it);
/* 64-bit SipHash-2-4 of s under the process key (also for shards and cookies' table index, not for cookies). */
uint64_t hash_bytes(span s);
/* For tests that must be reproducible: fixes the process key. Call before any map is made. */
void hash_seed(uint64_t k0, uint64_t k1);
