/* Intrusive doubly linked list. The node is a member of the element; an element is on one list per node. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct list_node {
    struct list_node *prev, *next;
} list_node;
typedef list_node list; /* head: empty when it points at itself */

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(list *l)
{
    l->prev = l->next = l;
}
static inline bool list_empty(const list *l)
{
    return l->next == l;
}
static inline void list_insert_before(list_node *at, list_node *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}
static inline void list_append(list *l, list_node *n)
{
    list_insert_before(l, n);
}
static inline void list_prepend(list *l, list_node *n)
{
    list_insert_before(l->next, n);
}
/* Removing twice is harmless. */
static inline void list_remove(list_node *n)
{
    if (n->next) {
        n->prev->next = n->next;
        n->next->prev = n->prev;
    }
    n->prev = n->next = NULL;
}
static inline list_node *list_pop(list *l)
{
    list_node *n = l->next;
    if (n == l)
        return NULL;
    list_remove(n);
    return n;
}
/* Moves all of `from` to the end of `to`. */
static inline void list_splice(list *to, list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}
static inline size_t list_length(const list *l)
{
    size_t n = 0;
    for (const list_node *i = l->next; i != l; i = i->next)
        n++;
    return n;
}
/* The body may remove and free the current element. */
#define LIST_EACH(l, type, member, var)                                                                                \
    for (list_node *var##_n = (l)->next, *var##_x = var##_n->next;                                                     \
         var##_n != (l) && ((var = container_of(var##_n, type, member)), 1); var##_n = var##_x, var##_x = var##_n->next)
