/* See leases.h. A lease whose peer has no ISAKMP SA any more is given to another only when no address is
 * free. */
#include "pluto/sa/leases.h"
#include "pluto/sa/conns.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_POOL_BITS = 16 }; /* at most 65535 addresses are used of a larger net */

typedef struct lease {
    list_node node;
    ip_addr ip;
    uint64_t id_hash;
    ident *id;
} lease;

/* The n-th address of the pool. */
static ip_addr nth(const subnet *pool, uint32_t n)
{
    ip_addr a = pool->ip;
    size_t bytes = addr_bytes(&a); /* 4 or 16: a subnet's address is set */
    uint32_t low = get_u32(a.b + bytes - 4) + n;
    set_u32(a.b + bytes - 4, low);
    return a;
}

static uint32_t pool_size(const subnet *pool)
{
    unsigned host_bits = (unsigned)addr_bytes(&pool->ip) * 8 - pool->bits;
    if (host_bits > MAX_POOL_BITS)
        host_bits = MAX_POOL_BITS;
    return (1u << host_bits) -
           1; /* without the last one, which is the broadcast address; 0 is the net's own */
}

/* the functions below want the lock held */
static lease *find_id(pluto *p, const subnet *pool, const ident *id)
{
    lease *l;
    uint64_t h = ident_hash(id);
    LIST_EACH(&p->leases, lease, node, l)
    {
        if (l->id_hash == h && subnet_contains(pool, &l->ip) && ident_equal(l->id, id))
            return l;
    }
    return NULL;
}

static bool connected(pluto *p, const ident *id)
{
    ike *i;
    LIST_EACH(&p->ikes, ike, node, i)
    {
        if (!i->phase1_gone && state_isakmp_established(i->st.state) && i->st.c && i->st.c->peer.id &&
            ident_equal(i->st.c->peer.id, id))
            return true;
    }
    return false;
}

static lease *take_over(pluto *p, const subnet *pool, const ident *id)
{
    lease *l;
    LIST_EACH(&p->leases, lease, node, l)
    {
        if (!subnet_contains(pool, &l->ip) || connected(p, l->id))
            continue;
        ident_unref(l->id);
        l->id = ident_ref((ident *)id);
        l->id_hash = ident_hash(id);
        return l;
    }
    return NULL;
}

static status new_lease(pluto *p, const subnet *pool, const ident *id, lease **out)
{
    uint32_t size = pool_size(pool), used = (uint32_t)hashmap_count(p->lease_ips);
    for (uint32_t k = 0; k + 1 < size; k++) {
        ip_addr ip = nth(pool, 1 + (used + k) % (size - 1));
        if (hashmap_get(p->lease_ips, addr_span(&ip)))
            continue;
        lease *l = calloc(1, sizeof(*l));
        if (!l)
            return ST_NO_MEMORY;
        l->ip = ip;
        status st = hashmap_add(p->lease_ips, addr_span(&l->ip), l);
        if (st != ST_OK) {
            free(l);
            return st;
        }
        l->id = ident_ref((ident *)id);
        l->id_hash = ident_hash(id);
        list_append(&p->leases, &l->node);
        *out = l;
        return ST_OK;
    }
    *out = take_over(p, pool, id);
    return *out ? ST_OK : ST_LIMIT;
}

status pluto_lease_get(pluto *p, const pconn_end *end, const ident *id, ip_addr *out)
{
    const char *text = end->cfg->sourceip;
    subnet pool;
    lease *l;
    if (addr_is_any(&end->sourceip))
        return ST_NOT_FOUND;
    *out = end->sourceip;
    if (!id || !strchr(text, '/') || subnet_from_text(&pool, text, NULL) != ST_OK ||
        pool.bits + 1u >= addr_bytes(&pool.ip) * 8)
        return ST_OK;
    pluto_lock(p);
    status st = ST_OK;
    if (!(l = find_id(p, &pool, id)))
        st = new_lease(p, &pool, id, &l);
    if (st == ST_OK)
        *out = l->ip;
    pluto_unlock(p);
    return st;
}

void pluto_leases_free(pluto *p)
{
    list_node *n;
    while ((n = list_pop(&p->leases)) != NULL) {
        lease *l = container_of(n, lease, node);
        ident_unref(l->id);
        free(l);
    }
}
