/* The sharded hash index. A shard starts with few buckets and doubles them when it holds more nodes than
 * buckets; if there is no memory for that it just gets slower.
 */
#include "charon/sa/index.h"
#include <stdlib.h>

enum { FIRST_BUCKETS = 8 };

static list *new_buckets(size_t n)
{
    list *b = malloc(n * sizeof(*b));

    for (size_t i = 0; b && i < n; i++)
        list_init(&b[i]);
    return b;
}

status idx_init(idx *x)
{
    for (size_t i = 0; i < INDEX_SHARDS; i++) {
        idx_shard *s = &x->shard[i];
        s->n = 0;
        s->n_buckets = FIRST_BUCKETS;
        s->buckets = new_buckets(FIRST_BUCKETS);
        if (!s->buckets) {
            while (i--) {
                free(x->shard[i].buckets);
                pthread_mutex_destroy(&x->shard[i].lock);
            }
            return ST_NO_MEMORY;
        }
        pthread_mutex_init(&s->lock, NULL);
    }
    return ST_OK;
}

void idx_fini(idx *x)
{
    for (size_t i = 0; i < INDEX_SHARDS; i++) {
        free(x->shard[i].buckets);
        pthread_mutex_destroy(&x->shard[i].lock);
    }
}

static idx_shard *shard_of(idx *x, uint64_t hash)
{
    return &x->shard[hash >> 58];
}

static list *bucket_of(idx_shard *s, uint64_t hash)
{
    return &s->buckets[hash & (s->n_buckets - 1)];
}

static void grow(idx_shard *s)
{
    size_t old_n = s->n_buckets;
    list *old = s->buckets, *bigger = new_buckets(old_n * 2);

    if (!bigger)
        return;
    s->buckets = bigger;
    s->n_buckets = old_n * 2;
    for (size_t i = 0; i < old_n; i++) {
        list_node *n;
        while ((n = list_pop(&old[i])))
            list_append(bucket_of(s, container_of(n, idx_node, node)->hash), n);
    }
    free(old);
}

void idx_insert(idx *x, idx_node *n, uint64_t hash)
{
    idx_shard *s = shard_of(x, hash);

    pthread_mutex_lock(&s->lock);
    if (s->n >= s->n_buckets)
        grow(s);
    n->hash = hash;
    list_append(bucket_of(s, hash), &n->node);
    s->n++;
    pthread_mutex_unlock(&s->lock);
}

void idx_remove(idx *x, idx_node *n)
{
    idx_shard *s = shard_of(x, n->hash);

    pthread_mutex_lock(&s->lock);
    if (n->node.next) {
        list_remove(&n->node);
        s->n--;
    }
    pthread_mutex_unlock(&s->lock);
}

bool idx_find(idx *x, uint64_t hash, bool (*fn)(void *ctx, idx_node *n), void *ctx)
{
    idx_shard *s = shard_of(x, hash);
    bool found = false;
    idx_node *n;

    pthread_mutex_lock(&s->lock);
    LIST_EACH(bucket_of(s, hash), idx_node, node, n)
    {
        if (n->hash == hash && (found = fn(ctx, n)))
            break;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

bool idx_each(idx *x, bool (*fn)(void *ctx, idx_node *n), void *ctx)
{
    bool found = false;

    for (size_t i = 0; i < INDEX_SHARDS && !found; i++) {
        idx_shard *s = &x->shard[i];
        pthread_mutex_lock(&s->lock);
        for (size_t b = 0; b < s->n_buckets && !found; b++) {
            idx_node *n;
            LIST_EACH(&s->buckets[b], idx_node, node, n)
            {
                if ((found = fn(ctx, n)))
                    break;
            }
        }
        pthread_mutex_unlock(&s->lock);
    }
    return found;
}

size_t idx_count(idx *x)
{
    size_t n = 0;

    for (size_t i = 0; i < INDEX_SHARDS; i++) {
        pthread_mutex_lock(&x->shard[i].lock);
        n += x->shard[i].n;
        pthread_mutex_unlock(&x->shard[i].lock);
    }
    return n;
}
