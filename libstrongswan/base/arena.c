/* Blocks of growing size; pieces are cut from the newest one. A piece larger than a quarter block gets a
 * block of its own, so that one long string does not waste the rest of the current block.
 */
#include "libstrongswan/base/arena.h"
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BLOCK = 2048, LARGEST_BLOCK = 64 * 1024 };

struct arena_block {
    arena_block *next;
    size_t size, used; /* of data */
    alignas(max_align_t) uint8_t data[];
};

void arena_init(arena *a, size_t limit)
{
    *a = (arena){.limit = limit};
}

void arena_free(arena *a)
{
    for (arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    a->blocks = NULL;
    a->used = 0;
}

static arena_block *block_new(size_t size)
{
    size_t total;
    if (!size_add(sizeof(arena_block), size, &total))
        return NULL;
    arena_block *b = malloc(total);
    if (b) {
        b->next = NULL;
        b->size = size;
        b->used = 0;
    }
    return b;
}

/* a block with room for n; the first of the list is the one that is being cut */
static arena_block *block_for(arena *a, size_t n)
{
    arena_block *first = a->blocks;
    if (first && first->size - first->used >= n)
        return first;
    size_t size = first ? first->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < FIRST_BLOCK)
        size = FIRST_BLOCK;
    bool own = n > size / 4;
    arena_block *b = block_new(own ? n : size);
    if (!b)
        return NULL;
    if (own && first) {
        b->next = first->next;
        first->next = b;
    } else {
        b->next = first;
        a->blocks = b;
    }
    return b;
}

void *arena_alloc(arena *a, size_t n)
{
    const size_t mask = alignof(max_align_t) - 1;
    size_t total, size;
    if (n == 0)
        n = 1;
    if (!size_add(n, mask, &size))
        return NULL;
    size &= ~mask;
    if (!size_add(a->used, size, &total) || (a->limit && total > a->limit))
        return NULL;
    arena_block *b = block_for(a, size);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += size;
    a->used = total;
    memset(p, 0, size);
    return p;
}

void *arena_array(arena *a, size_t count, size_t size)
{
    size_t n;
    return size_mul(count, size, &n) ? arena_alloc(a, n) : NULL;
}

char *arena_str(arena *a, span s)
{
    size_t n;
    if ((s.n && memchr(s.p, 0, s.n)) || !size_add(s.n, 1, &n))
        return NULL;
    char *c = arena_alloc(a, n);
    if (c)
        span_cstr(s, c, n);
    return c;
}

bool arena_copy(arena *a, span s, span *out)
{
    uint8_t *p = arena_alloc(a, s.n);
    if (!p)
        return false;
    if (s.n)
        memcpy(p, s.p, s.n);
    *out = (span){p, s.n};
    return true;
}

char *arena_printf(arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    char *c = arena_alloc(a, (size_t)n + 1);
    if (!c)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(c, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return c;
}
