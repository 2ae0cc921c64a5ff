/* Binary min-heap of intrusive nodes ordered by a 64-bit key (due times). Not thread safe. */
#pragma once
#include "libstrongswan/base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct heap_node {
    int64_t key;
    uint64_t seq; /* set by heap_push: equal keys leave in the order they came */
    size_t index; /* set by the heap; HEAP_NONE when not on it */
} heap_node;
#define HEAP_NONE ((size_t)-1)

typedef struct heap {
    heap_node **items;
    size_t n, cap;
    uint64_t next_seq;
} heap;

void heap_init(heap *h);
void heap_fini(heap *h); /* frees the array, not the nodes */
status heap_push(heap *h, heap_node *node, int64_t key) MUST_CHECK;
heap_node *heap_peek(const heap *h); /* smallest or NULL */
heap_node *heap_pop(heap *h);
void heap_remove(heap *h, heap_node *node); /* not on the heap: nothing */
