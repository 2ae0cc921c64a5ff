/* Five indexes over the same IKE_SAs. The serial-number index is the one that owns: its entry holds the
 * table's reference.
 */
#include "charon/sa/ike_sa_table.h"
#include "charon/sa/ike_sa.h"
#include "libstrongswan/base/hashmap.h"
#include <stdlib.h>

struct sa_table {
    idx spi, unique, init, id, host;
};

static uint64_t hash_u64(uint64_t v)
{
    uint8_t b[8];

    set_u64(b, v);
    return hash_bytes(SPAN_ARRAY(b));
}

static uint64_t hash_init(uint64_t spi_i, const endpoint *remote)
{
    uint8_t b[8 + 16 + 2];

    set_u64(b, spi_i);
    memcpy(b + 8, remote->ip.b, 16);
    set_u16(b + 24, remote->port);
    return hash_bytes(SPAN_ARRAY(b));
}

static uint64_t hash_ident(const ident *id)
{
    /* equality of DNs and names ignores case, so only what cannot differ goes into the hash */
    span d = ident_data(id);
    uint8_t b[2] = {(uint8_t)ident_type(id), (uint8_t)(ident_type(id) == ID_DER_ASN1_DN ? 0 : d.n)};
    uint8_t low[64];
    size_t n = 0;

    if (ident_type(id) == ID_DER_ASN1_DN)
        return hash_bytes(SPAN_ARRAY(b)) ^ 1;
    low[n++] = b[0];
    low[n++] = b[1];
    for (size_t i = 0; i < d.n && n < sizeof(low); i++)
        low[n++] = d.p[i] | 0x20;
    return hash_bytes(span_of(low, n));
}

status sa_table_new(sa_table **out)
{
    sa_table *t = calloc(1, sizeof(*t));
    idx *all[5];
    status st = ST_OK;
    int i;

    if (!t)
        return ST_NO_MEMORY;
    all[0] = &t->spi, all[1] = &t->unique, all[2] = &t->init, all[3] = &t->id, all[4] = &t->host;
    for (i = 0; i < 5 && st == ST_OK; i++)
        st = idx_init(all[i]);
    if (st != ST_OK) {
        for (i -= 2; i >= 0; i--)
            idx_fini(all[i]);
        free(t);
        return st;
    }
    *out = t;
    return ST_OK;
}

void sa_table_free(sa_table *t)
{
    if (!t)
        return;
    idx_fini(&t->spi);
    idx_fini(&t->unique);
    idx_fini(&t->init);
    idx_fini(&t->id);
    idx_fini(&t->host);
    free(t);
}

void sa_table_add(sa_table *t, ike_sa *sa)
{
    ike_sa_ref(sa);
    idx_insert(&t->unique, &sa->nodes.unique, hash_u64(sa->unique));
    idx_insert(&t->spi, &sa->nodes.spi, hash_u64(ike_sa_own_spi(sa)));
}

void sa_table_remove(sa_table *t, ike_sa *sa)
{
    bool was_in = sa->nodes.unique.node.next != NULL;

    idx_remove(&t->spi, &sa->nodes.spi);
    idx_remove(&t->init, &sa->nodes.init);
    idx_remove(&t->id, &sa->nodes.id);
    idx_remove(&t->host, &sa->nodes.host);
    idx_remove(&t->unique, &sa->nodes.unique);
    if (was_in)
        ike_sa_unref(sa);
}

void sa_table_add_init(sa_table *t, ike_sa *sa)
{
    idx_insert(&t->init, &sa->nodes.init, hash_init(sa->spi_i, &sa->remote));
}

void sa_table_add_host(sa_table *t, ike_sa *sa)
{
    idx_insert(&t->host, &sa->nodes.host, hash_bytes(addr_span(&sa->remote.ip)));
}

void sa_table_remove_host(sa_table *t, ike_sa *sa)
{
    idx_remove(&t->host, &sa->nodes.host);
}

void sa_table_add_id(sa_table *t, ike_sa *sa)
{
    if (sa->peer_id)
        idx_insert(&t->id, &sa->nodes.id, hash_ident(sa->peer_id));
}

/* ---- look-ups ---- */
typedef struct lookup {
    uint64_t number, init_hash;
    const endpoint *remote;
    const ip_addr *ip;
    bool changed;
    unsigned count;
    ike_sa *found;
} lookup;

static bool is_spi(void *ctx, idx_node *n)
{
    lookup *l = ctx;
    ike_sa *sa = container_of(n, ike_sa, nodes.spi);

    if (ike_sa_own_spi(sa) != l->number)
        return false;
    l->found = ike_sa_ref(sa);
    return true;
}

static bool is_unique(void *ctx, idx_node *n)
{
    lookup *l = ctx;
    ike_sa *sa = container_of(n, ike_sa, nodes.unique);

    if (sa->unique != l->number)
        return false;
    l->found = ike_sa_ref(sa);
    return true;
}

static bool is_init(void *ctx, idx_node *n)
{
    lookup *l = ctx;
    ike_sa *sa = container_of(n, ike_sa, nodes.init);

    if (sa->spi_i != l->number)
        return false;
    if (sa->init_hash != l->init_hash) {
        l->changed = true;
        return false;
    }
    l->found = ike_sa_ref(sa);
    return true;
}

static bool count_host(void *ctx, idx_node *n)
{
    lookup *l = ctx;

    (void)n; /* the hash of the address is enough: 64 bits under a secret key */
    l->count++;
    return false;
}

ike_sa *sa_table_by_spi(sa_table *t, uint64_t own_spi)
{
    lookup l = {.number = own_spi};

    idx_find(&t->spi, hash_u64(own_spi), is_spi, &l);
    return l.found;
}

ike_sa *sa_table_by_unique(sa_table *t, uint64_t unique)
{
    lookup l = {.number = unique};

    idx_find(&t->unique, hash_u64(unique), is_unique, &l);
    return l.found;
}

ike_sa *sa_table_by_init(sa_table *t, uint64_t spi_i, const endpoint *remote, uint64_t init_hash,
                         bool *changed)
{
    lookup l = {.number = spi_i, .init_hash = init_hash};

    idx_find(&t->init, hash_init(spi_i, remote), is_init, &l);
    *changed = l.changed;
    return l.found;
}

unsigned sa_table_half_open_of(sa_table *t, const ip_addr *peer)
{
    lookup l = {.ip = peer};

    idx_find(&t->host, hash_bytes(addr_span(peer)), count_host, &l);
    return l.count;
}

/* ---- snapshots ---- */
typedef struct snapshot {
    ike_sa **list;
    size_t n, max;
    const ident *id;
} snapshot;

static bool take_any(void *ctx, idx_node *n)
{
    snapshot *s = ctx;

    if (s->n == s->max)
        return true;
    s->list[s->n++] = ike_sa_ref(container_of(n, ike_sa, nodes.unique));
    return false;
}

static bool take_id(void *ctx, idx_node *n)
{
    snapshot *s = ctx;
    ike_sa *sa = container_of(n, ike_sa, nodes.id);

    if (s->n == s->max)
        return true;
    if (ident_equal(sa->peer_id, s->id))
        s->list[s->n++] = ike_sa_ref(sa);
    return false;
}

static int by_unique(const void *a, const void *b)
{
    uint64_t x = (*(ike_sa *const *)a)->unique, y = (*(ike_sa *const *)b)->unique;

    return x < y ? -1 : x > y;
}

static ike_sa **finish(snapshot *s, size_t *n)
{
    if (s->n == 0) {
        free(s->list);
        s->list = NULL;
    } else {
        qsort(s->list, s->n, sizeof(*s->list), by_unique);
    }
    *n = s->n;
    return s->list;
}

ike_sa **sa_table_all(sa_table *t, size_t *n)
{
    snapshot s = {.max = idx_count(&t->unique) + 64};

    s.list = calloc(s.max, sizeof(*s.list));
    if (s.list)
        idx_each(&t->unique, take_any, &s);
    return finish(&s, n);
}

ike_sa **sa_table_by_id(sa_table *t, const ident *peer_id, size_t *n)
{
    snapshot s = {.max = 256, .id = peer_id};

    s.list = calloc(s.max, sizeof(*s.list));
    if (s.list)
        idx_find(&t->id, hash_ident(peer_id), take_id, &s);
    return finish(&s, n);
}

void sa_list_free(ike_sa **sas, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ike_sa_unref(sas[i]);
    free(sas);
}

size_t sa_table_count(sa_table *t)
{
    return idx_count(&t->unique);
}
