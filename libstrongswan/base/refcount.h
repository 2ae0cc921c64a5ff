/* Reference count for shared immutable things. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

typedef struct refcount {
    atomic_int n;
} refcount;

static inline void ref_init(refcount *r)
{
    atomic_init(&r->n, 1);
}
static inline void ref_get(refcount *r)
{
    atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}
/* true when this was the last one */
static inline bool ref_put(refcount *r)
{
    return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}
