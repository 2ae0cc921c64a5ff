/* Binary heap. Each node knows its index, so removal from the middle costs O(log n). */
#include "libstrongswan/base/heap.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

void heap_init(heap *h)
{
    *h = (heap){0};
}

void heap_fini(heap *h)
{
    free(h->items);
    *h = (heap){0};
}

static bool before(const heap_node *a, const heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void put(heap *h, size_t i, heap_node *node)
{
    h->items[i] = node;
    node->index = i;
}

static void sift_up(heap *h, size_t i, heap_node *node)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!before(node, h->items[parent]))
            break;
        put(h, i, h->items[parent]);
        i = parent;
    }
    put(h, i, node);
}

static void sift_down(heap *h, size_t i, heap_node *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(h->items[child + 1], h->items[child]))
            child++;
        if (!before(h->items[child], node))
            break;
        put(h, i, h->items[child]);
        i = child;
    }
    put(h, i, node);
}

status heap_push(heap *h, heap_node *node, int64_t key)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 32;
        if (cap > SIZE_MAX / sizeof(*h->items))
            return ST_NO_MEMORY;
        heap_node **items = realloc(h->items, cap * sizeof(*items));
        if (!items)
            return ST_NO_MEMORY;
        h->items = items;
        h->cap = cap;
    }
    node->key = key;
    node->seq = h->next_seq++;
    sift_up(h, h->n++, node);
    return ST_OK;
}

heap_node *heap_peek(const heap *h)
{
    return h->n ? h->items[0] : NULL;
}

heap_node *heap_pop(heap *h)
{
    heap_node *node = heap_peek(h);
    if (node)
        heap_remove(h, node);
    return node;
}

void heap_remove(heap *h, heap_node *node)
{
    size_t i = node->index;
    if (i >= h->n || h->items[i] != node)
        return;
    heap_node *last = h->items[--h->n];
    node->index = HEAP_NONE;
    if (last == node)
        return;
    if (i > 0 && before(last, h->items[(i - 1) / 2]))
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}
