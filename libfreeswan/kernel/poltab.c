/* Counted policies. An entry is one set of selectors, direction and mark; it holds every different policy
 * somebody asked for, best first. It lives from the first add to the last del.
 */
#include "libfreeswan/kernel/poltab.h"
#include "libstrongswan/base/hashmap.h"
#include <stdlib.h>

enum { KEY_BYTES = 1 + 8 + 2 * (2 * 17 + 5) };

typedef struct poltab_user {
    list_node node;
    kernel_policy p;
    unsigned n;
} poltab_user;
struct poltab_entry {
    uint8_t key[KEY_BYTES];
    list users; /* best first */
};
struct poltab {
    hashmap *entries;
};

static uint8_t *put_ts(uint8_t *at, const traffic_sel *ts)
{
    *at++ = ts->from.family;
    memcpy(at, ts->from.b, 16);
    *(at += 16) = ts->to.family;
    memcpy(++at, ts->to.b, 16);
    *(at += 16) = ts->proto;
    set_u16(++at, ts->from_port);
    set_u16(at + 2, ts->to_port);
    return at + 4;
}

static void make_key(uint8_t key[KEY_BYTES], const kernel_policy *p)
{
    key[0] = (uint8_t)p->dir;
    set_u32(key + 1, p->mark);
    set_u32(key + 5, p->mark_mask);
    put_ts(put_ts(key + 9, &p->src), &p->dst);
}

bool policy_equal(const kernel_policy *a, const kernel_policy *b)
{
    return a->dir == b->dir && a->kind == b->kind && ts_equal(&a->src, &b->src) &&
           ts_equal(&a->dst, &b->dst) && a->priority == b->priority && a->trap == b->trap &&
           a->reqid == b->reqid && a->mode == b->mode && addr_equal(&a->tun_src, &b->tun_src) &&
           addr_equal(&a->tun_dst, &b->tun_dst) && memcmp(a->protos, b->protos, sizeof a->protos) == 0 &&
           a->spi == b->spi && a->mark == b->mark && a->mark_mask == b->mark_mask;
}

status poltab_new(poltab **out)
{
    poltab *t = calloc(1, sizeof *t);

    if (!t)
        return ST_NO_MEMORY;
    if (hashmap_new(&t->entries) != ST_OK) {
        free(t);
        return ST_NO_MEMORY;
    }
    *out = t;
    return ST_OK;
}

static void entry_free(poltab_entry *e)
{
    for (list_node *n; (n = list_pop(&e->users));)
        free(container_of(n, poltab_user, node));
    free(e);
}

void poltab_free(poltab *t)
{
    size_t it = 0;

    if (!t)
        return;
    for (poltab_entry *e; (e = hashmap_next(t->entries, &it));)
        entry_free(e);
    hashmap_free(t->entries);
    free(t);
}

static poltab_entry *find(const poltab *t, const kernel_policy *p)
{
    uint8_t key[KEY_BYTES];

    make_key(key, p);
    return hashmap_get(t->entries, SPAN_ARRAY(key));
}

static kernel_policy complete(const kernel_policy *p)
{
    kernel_policy full = *p;

    if (!full.priority)
        full.priority = kernel_priority(&p->src, &p->dst, p->trap);
    return full;
}

static poltab_user *first_user(const poltab_entry *e)
{
    return list_empty(&e->users) ? NULL : container_of(e->users.next, poltab_user, node);
}

/* Before the first one that is not better, so that of equals the newest leads. */
static void insert_user(poltab_entry *e, poltab_user *u)
{
    list_node *at = e->users.next;

    while (at != &e->users && container_of(at, poltab_user, node)->p.priority < u->p.priority)
        at = at->next;
    list_insert_before(at, &u->node);
}

static poltab_user *find_user(poltab_entry *e, const kernel_policy *p)
{
    poltab_user *u;

    LIST_EACH(&e->users, poltab_user, node, u)
    {
        if (policy_equal(&u->p, p))
            return u;
    }
    return NULL;
}

static status new_entry(poltab *t, const kernel_policy *p, poltab_entry **out)
{
    poltab_entry *e = calloc(1, sizeof *e);

    if (!e)
        return ST_NO_MEMORY;
    list_init(&e->users);
    make_key(e->key, p);
    if (hashmap_add(t->entries, SPAN_ARRAY(e->key), e) != ST_OK) {
        free(e);
        return ST_NO_MEMORY;
    }
    *out = e;
    return ST_OK;
}

status poltab_add(poltab *t, const kernel_policy *asked, poltab_change *change, kernel_policy *now)
{
    kernel_policy p = complete(asked);
    poltab_entry *e = find(t, &p);
    poltab_user *u = e ? find_user(e, &p) : NULL;

    *change = POLTAB_SAME;
    if (u) {
        u->n++;
    } else {
        u = calloc(1, sizeof *u);
        if (!u || (!e && new_entry(t, &p, &e) != ST_OK)) {
            free(u);
            return ST_NO_MEMORY;
        }
        u->p = p;
        u->n = 1;
        *change = list_empty(&e->users) ? POLTAB_ADDED : POLTAB_SAME;
        insert_user(e, u);
        if (*change == POLTAB_SAME && first_user(e) == u)
            *change = POLTAB_CHANGED;
    }
    *now = first_user(e)->p;
    return ST_OK;
}

status poltab_del(poltab *t, const kernel_policy *asked, poltab_change *change, kernel_policy *now)
{
    kernel_policy p = complete(asked);
    poltab_entry *e = find(t, &p);
    poltab_user *u = e ? find_user(e, &p) : NULL;

    if (!u)
        return ST_NOT_FOUND;
    *change = POLTAB_SAME;
    *now = first_user(e)->p;
    if (--u->n)
        return ST_OK;
    if (first_user(e) == u)
        *change = POLTAB_CHANGED;
    list_remove(&u->node);
    free(u);
    if (list_empty(&e->users)) {
        *change = POLTAB_REMOVED;
        hashmap_remove(t->entries, SPAN_ARRAY(e->key));
        entry_free(e);
    } else {
        *now = first_user(e)->p;
    }
    return ST_OK;
}

const kernel_policy *poltab_get(const poltab *t, const kernel_policy *p)
{
    poltab_entry *e = find(t, p);

    return e ? &first_user(e)->p : NULL;
}

size_t poltab_count(const poltab *t)
{
    return hashmap_count(t->entries);
}

void poltab_each(const poltab *t, bool (*fn)(void *ctx, const kernel_policy *now, unsigned users), void *ctx)
{
    size_t it = 0;

    for (poltab_entry *e; (e = hashmap_next(t->entries, &it));) {
        unsigned users = 0;
        poltab_user *u;

        LIST_EACH(&e->users, poltab_user, node, u)
        users += u->n;
        if (!fn(ctx, &first_user(e)->p, users))
            return;
    }
}
