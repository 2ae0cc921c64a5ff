/* Numbers that bind policies and SAs. Equal keys share a number while somebody holds it; a number that nobody
 * holds is not given out again before all others were.
 */
#include "libfreeswan/kernel/child.h"
#include "libstrongswan/base/hashmap.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct reqid_entry {
    uint8_t number_key[4];
    uint32_t number;
    unsigned refs;
    size_t key_n;
    uint8_t *key; /* NULL: none */
} reqid_entry;
struct reqids {
    pthread_mutex_t lock; /* leaf */
    hashmap *by_key, *by_number;
    uint32_t first, step, next;
};

status reqids_new(reqids **out, uint32_t first, uint32_t step)
{
    reqids *r = calloc(1, sizeof *r);

    if (!r)
        return ST_NO_MEMORY;
    if (hashmap_new(&r->by_key) != ST_OK || hashmap_new(&r->by_number) != ST_OK) {
        hashmap_free(r->by_key);
        free(r);
        return ST_NO_MEMORY;
    }
    pthread_mutex_init(&r->lock, NULL);
    r->first = r->next = first ? first : 1;
    r->step = step ? step : 1;
    *out = r;
    return ST_OK;
}

void reqids_free(reqids *r)
{
    size_t it = 0;

    if (!r)
        return;
    for (reqid_entry *e; (e = hashmap_next(r->by_number, &it));) {
        free(e->key);
        free(e);
    }
    hashmap_free(r->by_key);
    hashmap_free(r->by_number);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static reqid_entry *find_number(const reqids *r, uint32_t number)
{
    uint8_t key[4];

    set_u32(key, number);
    return hashmap_get(r->by_number, SPAN_ARRAY(key));
}

static uint32_t next_number(reqids *r)
{
    uint32_t n;

    do {
        n = r->next;
        r->next = r->next > UINT32_MAX - r->step ? r->first : r->next + r->step;
    } while (find_number(r, n));
    return n;
}

static void free_entry(reqids *r, reqid_entry *e)
{
    if (find_number(r, e->number) == e)
        hashmap_remove(r->by_number, SPAN_ARRAY(e->number_key));
    if (e->key)
        hashmap_remove(r->by_key, span_of(e->key, e->key_n));
    free(e->key);
    free(e);
}

static bool give_key(reqids *r, reqid_entry *e, span key)
{
    uint8_t *copy = malloc(key.n);

    if (!copy)
        return false;
    memcpy(copy, key.p, key.n);
    if (hashmap_add(r->by_key, span_of(copy, key.n), e) != ST_OK) {
        free(copy);
        return false;
    }
    e->key = copy;
    e->key_n = key.n;
    return true;
}

static reqid_entry *add_entry(reqids *r, span key)
{
    reqid_entry *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->number = next_number(r);
    e->refs = 1;
    set_u32(e->number_key, e->number);
    if (hashmap_add(r->by_number, SPAN_ARRAY(e->number_key), e) != ST_OK) {
        free(e);
        return NULL;
    }
    if (key.n && !give_key(r, e, key)) {
        free_entry(r, e);
        return NULL;
    }
    return e;
}

uint32_t reqids_get(reqids *r, span key)
{
    pthread_mutex_lock(&r->lock);
    reqid_entry *e = key.n ? hashmap_get(r->by_key, key) : NULL;
    if (e)
        e->refs++;
    else
        e = add_entry(r, key);
    uint32_t number = e ? e->number : 0;
    pthread_mutex_unlock(&r->lock);
    return number;
}

uint32_t reqids_ref(reqids *r, uint32_t reqid)
{
    pthread_mutex_lock(&r->lock);
    reqid_entry *e = find_number(r, reqid);
    if (e)
        e->refs++;
    pthread_mutex_unlock(&r->lock);
    return e ? reqid : 0;
}

void reqids_put(reqids *r, uint32_t reqid)
{
    pthread_mutex_lock(&r->lock);
    reqid_entry *e = find_number(r, reqid);
    if (e && --e->refs == 0)
        free_entry(r, e);
    pthread_mutex_unlock(&r->lock);
}

uint32_t reqids_bind(reqids *r, uint32_t reqid, span key)
{
    pthread_mutex_lock(&r->lock);
    reqid_entry *mine = find_number(r, reqid), *known = hashmap_get(r->by_key, key);
    if (known && known != mine) {
        known->refs++;
        reqid = known->number;
        if (mine && --mine->refs == 0)
            free_entry(r, mine);
    } else if (mine && !mine->key && !give_key(r, mine, key)) {
        reqid = 0;
    }
    pthread_mutex_unlock(&r->lock);
    return reqid;
}
