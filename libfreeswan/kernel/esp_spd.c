/* Policies: counted by poltab, the ones in force sorted by priority, found through a cache of flows. A list
 * is walked once per flow and change of policies, so that thousands of policies cost a packet nothing.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <stdlib.h>

status esp_spd_init(esp *e)
{
    e->spd.generation = 1;
    return poltab_new(&e->spd.counted);
}

void esp_spd_fini(esp *e)
{
    for (int dir = 0; dir < 2; dir++) {
        for (size_t i = 0; i < e->spd.n[dir]; i++)
            free(e->spd.list[dir][i]);
        free(e->spd.list[dir]);
    }
    poltab_free(e->spd.counted);
}

/* ---- looking up ---- */
bool esp_ts_matches(const traffic_sel *ts, const uint8_t addr[16], const esp_flow *f, bool source)
{
    uint16_t port = source ? f->sport : f->dport;

    if (ts->from.family != f->family || (ts->proto && ts->proto != f->proto))
        return false;
    if (memcmp(addr, ts->from.b, 16) < 0 || memcmp(addr, ts->to.b, 16) > 0)
        return false;
    if (ts->from_port == 0 && ts->to_port == 0xffff)
        return true;
    if (ts->from_port > ts->to_port) /* OPAQUE: only what shows no ports */
        return !f->has_ports;
    return f->has_ports && port >= ts->from_port && port <= ts->to_port;
}

static bool policy_matches(const kernel_policy *p, const esp_flow *f)
{
    return esp_ts_matches(&p->src, f->src, f, true) && esp_ts_matches(&p->dst, f->dst, f, false);
}

static uint32_t flow_hash(const esp_flow *f, policy_dir dir)
{
    /* only an index: whoever makes collisions makes his own packets slower */
    uint64_t h = 0x9e3779b97f4a7c15u * (dir + 1u), v;

    for (size_t i = 0; i < 16; i += 8) {
        memcpy(&v, f->src + i, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdu;
        h ^= h >> 29;
        memcpy(&v, f->dst + i, 8);
        h = (h ^ v) * 0xc4ceb9fe1a85ec53u;
        h ^= h >> 31;
    }
    h = (h ^ ((uint64_t)f->sport << 32 | (uint64_t)f->dport << 8 | f->proto)) * 0xff51afd7ed558ccdu;
    return (uint32_t)(h >> 40);
}

static esp_policy *walk(const esp_spd *d, policy_dir dir, const esp_flow *f)
{
    for (size_t i = 0; i < d->n[dir]; i++) {
        if (policy_matches(&d->list[dir][i]->p, f))
            return d->list[dir][i];
    }
    return NULL;
}

esp_policy *esp_spd_find(esp *e, esp_flow_cache *cache, policy_dir dir, const esp_flow *f)
{
    size_t at = flow_hash(f, dir) % ESP_FLOWS;

    /* generations are even for one direction and odd for the other, so that both share a cache */
    uint64_t generation = e->spd.generation * 2 + dir;
    if (cache->e[at].generation != generation || memcmp(&cache->e[at].flow, f, sizeof *f) != 0) {
        cache->e[at].flow = *f;
        cache->e[at].policy = walk(&e->spd, dir, f);
        cache->e[at].generation = generation;
    }
    esp_policy *p = cache->e[at].policy;
    if (p)
        atomic_store_explicit(&p->use_time_s, runtime_wall_s(e->rt), memory_order_relaxed);
    return p;
}

/* ---- changing ---- all with e->lock held for writing */
static bool same_place(const kernel_policy *a, const kernel_policy *b)
{
    return ts_equal(&a->src, &b->src) && ts_equal(&a->dst, &b->dst) && a->mark == b->mark &&
           a->mark_mask == b->mark_mask;
}

static size_t find_place(const esp_spd *d, const kernel_policy *p)
{
    size_t i = 0;

    while (i < d->n[p->dir] && !same_place(&d->list[p->dir][i]->p, p))
        i++;
    return i;
}

static esp_policy *take(esp_spd *d, const kernel_policy *p)
{
    size_t i = find_place(d, p);

    if (i == d->n[p->dir])
        return NULL;
    esp_policy *found = d->list[p->dir][i];
    d->n[p->dir]--;
    memmove(&d->list[p->dir][i], &d->list[p->dir][i + 1], (d->n[p->dir] - i) * sizeof found);
    return found;
}

static void put(esp_spd *d, esp_policy *pol)
{
    policy_dir dir = pol->p.dir;
    size_t i = d->n[dir];

    while (i > 0 && d->list[dir][i - 1]->p.priority > pol->p.priority)
        i--;
    memmove(&d->list[dir][i + 1], &d->list[dir][i], (d->n[dir] - i) * sizeof pol);
    d->list[dir][i] = pol;
    d->n[dir]++;
}

static status reserve(esp_spd *d, policy_dir dir)
{
    if (d->n[dir] < d->cap[dir])
        return ST_OK;
    size_t want = d->cap[dir] ? d->cap[dir] * 2 : 16;
    esp_policy **more = reallocarray(d->list[dir], want, sizeof *more);
    if (!more)
        return ST_NO_MEMORY;
    d->list[dir] = more;
    d->cap[dir] = want;
    return ST_OK;
}

/* Transport mode, and ports, which later fragments do not show. */
static bool wants_whole(const kernel_policy *p)
{
    return p->kind == POLICY_IPSEC &&
           (p->mode == MODE_TRANSPORT || p->src.from_port || p->src.to_port != 0xffff || p->dst.from_port ||
            p->dst.to_port != 0xffff);
}

static void note_whole(esp_spd *d)
{
    d->whole = false;
    for (size_t i = 0; i < d->n[POLICY_OUT] && !d->whole; i++)
        d->whole = wants_whole(&d->list[POLICY_OUT][i]->p);
}

static status apply(esp *e, poltab_change change, const kernel_policy *now)
{
    esp_policy *pol;

    if (change == POLTAB_SAME || now->dir > POLICY_IN)
        return ST_OK;
    if (change == POLTAB_ADDED) {
        pol = calloc(1, sizeof *pol);
        if (!pol || reserve(&e->spd, now->dir) != ST_OK) {
            free(pol);
            return ST_NO_MEMORY;
        }
    } else {
        pol = take(&e->spd, now);
    }
    e->spd.generation++;
    if (change == POLTAB_REMOVED) {
        free(pol);
    } else if (pol) {
        pol->p = *now;
        put(&e->spd, pol);
    }
    note_whole(&e->spd);
    return ST_OK;
}

status esp_add_policy(kernel *k, const kernel_policy *p)
{
    esp *e = esp_of(k);
    poltab_change change;
    kernel_policy now;

    if (!ts_valid(&p->src) || !ts_valid(&p->dst) || p->src.from.family != p->dst.from.family)
        return ST_INVALID;
    if (p->mark_mask)
        return ST_UNSUPPORTED; /* a packet's mark does not come through the TUN device */
    pthread_rwlock_wrlock(&e->lock);
    status st = poltab_add(e->spd.counted, p, &change, &now);
    if (st == ST_OK) {
        st = apply(e, change, &now);
        if (st != ST_OK)
            (void)!poltab_del(e->spd.counted, p, &change, &now);
    }
    pthread_rwlock_unlock(&e->lock);
    if (st == ST_OK && change != POLTAB_SAME && p->dir == POLICY_IN)
        esp_guard_changed(e->guard);
    return st;
}

status esp_del_policy(kernel *k, const kernel_policy *p)
{
    esp *e = esp_of(k);
    poltab_change change;
    kernel_policy now;

    pthread_rwlock_wrlock(&e->lock);
    status st = poltab_del(e->spd.counted, p, &change, &now);
    if (st == ST_OK)
        st = apply(e, change, &now);
    pthread_rwlock_unlock(&e->lock);
    if (st == ST_OK && change != POLTAB_SAME && p->dir == POLICY_IN)
        esp_guard_changed(e->guard);
    return st;
}

status esp_query_policy(kernel *k, const kernel_policy *p, int64_t *use_time_s)
{
    esp *e = esp_of(k);
    status st = ST_NOT_FOUND;

    *use_time_s = 0;
    pthread_rwlock_rdlock(&e->lock);
    if (p->dir > POLICY_IN) {
        st = poltab_get(e->spd.counted, p) ? ST_OK : ST_NOT_FOUND;
    } else {
        size_t i = find_place(&e->spd, p);
        if (i < e->spd.n[p->dir]) {
            *use_time_s = atomic_load(&e->spd.list[p->dir][i]->use_time_s);
            st = ST_OK;
        }
    }
    pthread_rwlock_unlock(&e->lock);
    return st;
}
