/* Open addressing with linear probing and tombstones; SipHash-2-4 under a key drawn once per process. The
 * table is rebuilt when live entries and tombstones fill three quarters of it, so a probe always finds a free
 * slot.
 */
#include "libstrongswan/base/hashmap.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { MIN_SLOTS = 16 };

typedef struct slot {
    uint64_t hash;
    span key;
    void *value; /* NULL: free or removed */
    bool removed;
} slot;

struct hashmap {
    slot *slots;
    size_t size; /* power of two */
    size_t count, removed;
};

static uint64_t key0, key1;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void key_draw(void)
{
    uint64_t k[2] = {0, 0};
    if (key0 || key1)
        return; /* hash_seed() was first */
    while (getrandom(k, sizeof(k), 0) != (ssize_t)sizeof(k)) {
        if (errno == EINTR)
            continue;
        /* a kernel without getrandom: still different in every process */
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        k[0] = (uint64_t)ts.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
        k[1] = (uint64_t)(uintptr_t)&ts ^ (uint64_t)ts.tv_sec << 32;
        break;
    }
    key0 = k[0];
    key1 = k[1];
}

void hash_seed(uint64_t k0, uint64_t k1)
{
    pthread_once(&key_once, key_draw);
    key0 = k0;
    key1 = k1;
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND(v)                                                                                          \
    do {                                                                                                     \
        v[0] += v[1], v[1] = ROTL(v[1], 13), v[1] ^= v[0], v[0] = ROTL(v[0], 32);                            \
        v[2] += v[3], v[3] = ROTL(v[3], 16), v[3] ^= v[2];                                                   \
        v[0] += v[3], v[3] = ROTL(v[3], 21), v[3] ^= v[0];                                                   \
        v[2] += v[1], v[1] = ROTL(v[1], 17), v[1] ^= v[2], v[2] = ROTL(v[2], 32);                            \
    } while (0)

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t hash_bytes(span s)
{
    pthread_once(&key_once, key_draw);
    uint64_t v[4] = {key0 ^ 0x736f6d6570736575u, key1 ^ 0x646f72616e646f6du, key0 ^ 0x6c7967656e657261u,
                     key1 ^ 0x7465646279746573u};
    size_t at = 0;
    for (; s.n - at >= 8; at += 8) {
        uint64_t m = load_le(s.p + at, 8);
        v[3] ^= m;
        SIPROUND(v);
        SIPROUND(v);
        v[0] ^= m;
    }
    uint64_t last = load_le(s.p + at, s.n - at) | (uint64_t)(s.n & 0xff) << 56;
    v[3] ^= last;
    SIPROUND(v);
    SIPROUND(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        SIPROUND(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

status hashmap_new(hashmap **out)
{
    *out = calloc(1, sizeof(hashmap));
    return *out ? ST_OK : ST_NO_MEMORY;
}

void hashmap_free(hashmap *m)
{
    if (!m)
        return;
    free(m->slots);
    free(m);
}

static slot *find(const hashmap *m, span key, uint64_t hash)
{
    if (m->size == 0)
        return NULL;
    for (size_t i = (size_t)hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        slot *s = &m->slots[i];
        if (!s->value && !s->removed)
            return NULL;
        if (s->value && s->hash == hash && span_equal(s->key, key))
            return s;
    }
}

static void place(slot *slots, size_t size, const slot *what)
{
    size_t i = (size_t)what->hash & (size - 1);
    while (slots[i].value)
        i = (i + 1) & (size - 1);
    slots[i] = *what;
}

static status make_room(hashmap *m)
{
    if (m->size && (m->count + m->removed + 1) * 4 <= m->size * 3)
        return ST_OK;
    size_t size = m->size ? m->size : MIN_SLOTS;
    while ((m->count + 1) * 2 > size)
        size *= 2;
    slot *slots = calloc(size, sizeof(slot));
    if (!slots)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].value)
            place(slots, size, &m->slots[i]);
    free(m->slots);
    m->slots = slots;
    m->size = size;
    m->removed = 0;
    return ST_OK;
}

/* the key is known to be absent */
static status insert(hashmap *m, span key, uint64_t hash, void *value)
{
    status st = make_room(m);
    if (st != ST_OK)
        return st;
    size_t i = (size_t)hash & (m->size - 1);
    while (m->slots[i].value)
        i = (i + 1) & (m->size - 1);
    if (m->slots[i].removed)
        m->removed--;
    m->slots[i] = (slot){.hash = hash, .key = key, .value = value};
    m->count++;
    return ST_OK;
}

status hashmap_add(hashmap *m, span key, void *value)
{
    uint64_t hash = hash_bytes(key);
    if (!value)
        return ST_INVALID;
    return find(m, key, hash) ? ST_EXISTS : insert(m, key, hash, value);
}

status hashmap_set(hashmap *m, span key, void *value, void **old)
{
    uint64_t hash = hash_bytes(key);
    if (old)
        *old = NULL;
    if (!value)
        return ST_INVALID;
    slot *s = find(m, key, hash);
    if (!s)
        return insert(m, key, hash, value);
    if (old)
        *old = s->value;
    s->key = key; /* the old key may go with the old value */
    s->value = value;
    return ST_OK;
}

void *hashmap_get(const hashmap *m, span key)
{
    slot *s = m->count ? find(m, key, hash_bytes(key)) : NULL;
    return s ? s->value : NULL;
}

void *hashmap_remove(hashmap *m, span key)
{
    slot *s = m->count ? find(m, key, hash_bytes(key)) : NULL;
    if (!s)
        return NULL;
    void *value = s->value;
    *s = (slot){.removed = true};
    m->count--;
    m->removed++;
    return value;
}

size_t hashmap_count(const hashmap *m)
{
    return m->count;
}

void *hashmap_next(const hashmap *m, size_t *it)
{
    while (*it < m->size) {
        void *value = m->slots[(*it)++].value;
        if (value)
            return value;
    }
    return NULL;
}
