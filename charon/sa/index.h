/* A hash index of intrusive nodes in 64 independently locked shards, which allows several nodes with one key.
 * The IKE_SA table keeps four of these. Functions given to it run under a shard's lock: they compare and take
 * references, no more.
 */
#pragma once
#include "libstrongswan/base/list.h"
#include "libstrongswan/base/status.h"
#include <pthread.h>
#include <stdint.h>

enum { INDEX_SHARDS = 64 };

typedef struct idx_node {
    list_node node; /* guarded by the shard's lock */
    uint64_t hash;
} idx_node;
typedef struct idx_shard {
    pthread_mutex_t lock;
    list *buckets; /* power of two */
    size_t n_buckets, n;
} idx_shard;
typedef struct idx {
    idx_shard shard[INDEX_SHARDS];
} idx;

status idx_init(idx *x) MUST_CHECK;
void idx_fini(idx *x); /* empty by then */
void idx_insert(idx *x, idx_node *n, uint64_t hash);
void idx_remove(idx *x, idx_node *n); /* not in it: nothing */
/* Calls fn for each node of that hash until it returns true, which is the result. */
bool idx_find(idx *x, uint64_t hash, bool (*fn)(void *ctx, idx_node *n), void *ctx);
/* Every node, shard by shard, until fn returns true. */
bool idx_each(idx *x, bool (*fn)(void *ctx, idx_node *n), void *ctx);
size_t idx_count(idx *x);
