/* Virtual addresses lent to peers (rightsourceip): one address, or a pool "net/bits" kept in memory. The same
 * identity gets the same address again as long as nobody else needed it. Pools live as long as the engine.
 */
#include "charon/engine.h"
#include "libstrongswan/base/hashmap.h"
#include <stdlib.h>

enum { MAX_POOL = 1 << 16 };

typedef struct lease {
    ident *id;     /* last user */
    unsigned used; /* IKE_SAs that hold it: a reauthentication overlaps */
} lease;
typedef struct pool {
    char *text;
    subnet net;
    size_t size, next; /* addresses 1..size of the net */
    lease *leases;
} pool;
struct leases {
    pthread_mutex_t lock; /* guards map and pools; leaf */
    hashmap *map;
};

status leases_new(struct leases **out)
{
    struct leases *l = calloc(1, sizeof(*l));

    if (!l || hashmap_new(&l->map) != ST_OK) {
        free(l);
        return ST_NO_MEMORY;
    }
    pthread_mutex_init(&l->lock, NULL);
    *out = l;
    return ST_OK;
}

static void free_pool(pool *p)
{
    for (size_t i = 0; p->leases && i < p->size; i++)
        ident_unref(p->leases[i].id);
    free(p->leases);
    free(p->text);
    free(p);
}

void leases_free(struct leases *l)
{
    size_t it = 0;
    pool *p;

    if (!l)
        return;
    while ((p = hashmap_next(l->map, &it)))
        free_pool(p);
    hashmap_free(l->map);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static unsigned host_bits(const subnet *s)
{
    return (s->ip.family == AF_INET6 ? 128u : 32u) - s->bits;
}

static pool *get_pool(charon *ch, const char *text)
{
    pool *p = hashmap_get(ch->leases->map, span_str(text));
    unsigned bits;

    if (p)
        return p;
    p = calloc(1, sizeof(*p));
    if (!p || !(p->text = strdup(text)) || subnet_from_text(&p->net, text, NULL) != ST_OK)
        goto fail;
    bits = host_bits(&p->net);
    p->size = bits == 0 ? 1 : bits >= 16 ? MAX_POOL - 2 : ((size_t)1 << bits) - 2;
    if (p->size == 0)
        p->size = 2;
    p->leases = calloc(p->size, sizeof(*p->leases));
    if (!p->leases || hashmap_add(ch->leases->map, span_str(p->text), p) != ST_OK)
        goto fail;
    return p;
fail:
    if (p)
        free_pool(p);
    return NULL;
}

static ip_addr address_at(const pool *p, size_t i)
{
    ip_addr a = p->net.ip;
    size_t n = addr_bytes(&a), carry = host_bits(&p->net) < 2 ? i : i + 1;

    while (carry && n--) {
        carry += a.b[n];
        a.b[n] = (uint8_t)carry;
        carry >>= 8;
    }
    return a;
}

static size_t index_of(const pool *p, const ip_addr *a)
{
    for (size_t i = 0; i < p->size; i++) {
        ip_addr x = address_at(p, i);
        if (addr_equal(&x, a))
            return i;
    }
    return p->size;
}

/* Same identity first, then one never used, then one that is free. */
static size_t choose(pool *p, const ident *id)
{
    for (size_t i = 0; i < p->next; i++) {
        if (p->leases[i].id && ident_equal(p->leases[i].id, id))
            return i;
    }
    if (p->next < p->size)
        return p->next++;
    for (size_t i = 0; i < p->size; i++) {
        if (!p->leases[i].used)
            return i;
    }
    return p->size;
}

status leases_take(charon *ch, const char *text, const ident *id, const ip_addr *wanted, ip_addr *out)
{
    status st = ST_OK;
    size_t i;
    pool *p;

    if (text[0] == '%') { /* %config: whatever the peer wants */
        if (addr_is_any(wanted))
            return ST_NOT_FOUND;
        *out = *wanted;
        return ST_OK;
    }
    pthread_mutex_lock(&ch->leases->lock);
    p = get_pool(ch, text);
    i = p ? choose(p, id) : 0;
    if (!p) {
        st = ST_NOT_FOUND;
    } else if (i == p->size) {
        st = ST_LIMIT;
    } else {
        ident_unref(p->leases[i].id);
        p->leases[i].id = ident_ref((ident *)id);
        p->leases[i].used++;
        *out = address_at(p, i);
    }
    pthread_mutex_unlock(&ch->leases->lock);
    return st;
}

void leases_give_back(charon *ch, const char *text, const ip_addr *a)
{
    pool *p;
    size_t i;

    if (!text || text[0] == '%')
        return;
    pthread_mutex_lock(&ch->leases->lock);
    p = hashmap_get(ch->leases->map, span_str(text));
    i = p ? index_of(p, a) : 0;
    if (p && i < p->size && p->leases[i].used)
        p->leases[i].used--;
    pthread_mutex_unlock(&ch->leases->lock);
}

void leases_put(charon *ch, const char *name, const char *text, const ip_addr *only, buf *out)
{
    size_t known = 0, online = 0;
    pool *p;

    pthread_mutex_lock(&ch->leases->lock);
    p = get_pool(ch, text);
    for (size_t i = 0; p && i < p->next; i++) {
        known += p->leases[i].id != NULL;
        online += p->leases[i].used > 0;
    }
    if (p)
        buf_printf(out, "Leases in pool '%s', usage: %zu/%zu, %zu online\n", name, known, p->size, online);
    for (size_t i = 0; p && i < p->next; i++) {
        ip_addr a = address_at(p, i);
        if (p->leases[i].id && (!only || addr_equal(only, &a)))
            buf_printf(out, "  %15s   %s   '%s'\n", ADDR_STR(&a), p->leases[i].used ? "online" : "offline",
                       IDENT_STR(p->leases[i].id));
    }
    if (p && known == 0)
        buf_put_str(out, "  no matching leases found\n");
    pthread_mutex_unlock(&ch->leases->lock);
}
