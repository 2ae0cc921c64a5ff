/* The fake kernel: what a back end is asked for, kept in memory. Everything is behind one lock; events go out
 * as jobs. An SA lives from get_spi() or add_sa() to del_sa(), hard expiry or free().
 */
#include "libfreeswan/kernel/fake_priv.h"
#include <stdlib.h>

static const char *const proto_names[] = {"none", "ike", "ah", "esp", "ipcomp"};

static fake *self(kernel *k)
{
    return container_of(k, fake, base);
}

const char *fake_proto_name(uint8_t proto)
{
    return proto < sizeof proto_names / sizeof proto_names[0] ? proto_names[proto] : "?";
}

/* ---- failures on demand ---- with the lock held: ST_OK, or what this call has to return */
static status fake_turn(fake *f)
{
    f->calls++;
    if (!f->fail_in || --f->fail_in)
        return ST_OK;
    if (--f->fail_times)
        f->fail_in = 1;
    return f->fail_st;
}

void kernel_fake_fail(kernel *k, unsigned n, unsigned times, status st)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    f->fail_in = times ? n : 0;
    f->fail_times = times;
    f->fail_st = st;
    pthread_mutex_unlock(&f->lock);
}

/* ---- SAs ---- */
static list *bucket(fake *f, uint32_t spi)
{
    return &f->by_spi[(spi ^ spi >> 16) % FAKE_BUCKETS];
}

fake_entry *fake_find(fake *f, uint8_t proto, uint32_t spi, const ip_addr *dst)
{
    fake_entry *e;

    LIST_EACH(bucket(f, spi), fake_entry, chain, e)
    {
        if (e->pub.sa.id.proto == proto && e->pub.sa.id.spi == spi && addr_equal(&e->pub.sa.id.dst, dst))
            return e;
    }
    return NULL;
}

static void entry_free(fake *f, fake_entry *e)
{
    list_remove(&e->node);
    list_remove(&e->chain);
    if (e->soft)
        runtime_timer_cancel(f->rt, e->soft);
    if (e->hard)
        runtime_timer_cancel(f->rt, e->hard);
    secret_free(&e->encr_key);
    secret_free(&e->integ_key);
    free(e);
}

static fake_entry *entry_new(fake *f, uint32_t spi)
{
    fake_entry *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->pub.serial = ++f->serial;
    list_append(&f->sas, &e->node);
    list_append(bucket(f, spi), &e->chain);
    return e;
}

void fake_expire(fake *f, fake_entry *e, bool hard)
{
    kevents_expire(f->events, &e->pub.sa.id, e->pub.sa.reqid, hard);
    if (hard)
        entry_free(f, e);
}

static fake_entry *find_serial(fake *f, uint64_t serial)
{
    fake_entry *e;

    LIST_EACH(&f->sas, fake_entry, node, e)
    {
        if (e->pub.serial == serial)
            return e;
    }
    return NULL;
}

static void on_timer(fake *f, uint64_t serial, bool hard)
{
    pthread_mutex_lock(&f->lock);
    fake_entry *e = find_serial(f, serial);
    if (e)
        fake_expire(f, e, hard);
    pthread_mutex_unlock(&f->lock);
}

static void on_soft(void *ctx, uint64_t serial)
{
    on_timer(ctx, serial, false);
}

static void on_hard(void *ctx, uint64_t serial)
{
    on_timer(ctx, serial, true);
}

static unsigned fake_features(kernel *k)
{
    return self(k)->features;
}

static bool fake_has_alg(kernel *k, ipsec_proto proto, transform_type type, uint16_t alg, uint16_t key_bits)
{
    if (type == TRANSFORM_ESN)
        return alg == ESN_NO || (self(k)->features & KERNEL_ESN);
    if (type == TRANSFORM_ENCR)
        return proto == PROTO_ESP && (alg == ENCR_NULL || encr_keymat_bytes((encr_alg)alg, key_bits));
    if (type == TRANSFORM_INTEG)
        return alg == INTEG_NONE || integ_icv_bytes((integ_alg)alg);
    return false;
}

static void fake_set_events(kernel *k, const kernel_events *ev)
{
    kevents_set(self(k)->events, ev);
}

static status fake_get_spi(kernel *k, const ip_addr *src, const ip_addr *dst, ipsec_proto proto,
                           uint32_t reqid, uint32_t *spi)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    status st = fake_turn(f);
    if (st == ST_OK)
        *spi = proto == PROTO_IPCOMP ? f->next_cpi++ : f->next_spi++;
    fake_entry *e = st == ST_OK ? entry_new(f, *spi) : NULL;
    if (e) {
        e->pub.reserved = true;
        e->pub.sa.inbound = true;
        e->pub.sa.reqid = reqid;
        e->pub.sa.id = (kernel_sa_id){.src = *src, .dst = *dst, .spi = *spi, .proto = (uint8_t)proto};
    } else if (st == ST_OK) {
        st = ST_NO_MEMORY;
    }
    pthread_mutex_unlock(&f->lock);
    return st;
}

static status entry_fill(fake *f, fake_entry *e, const kernel_sa *sa)
{
    if (secret_copy(&e->encr_key, sa->encr_key) != ST_OK ||
        secret_copy(&e->integ_key, sa->integ_key) != ST_OK)
        return ST_NO_MEMORY;
    e->pub.sa = *sa;
    e->pub.sa.encr_key = secret_view(&e->encr_key);
    e->pub.sa.integ_key = secret_view(&e->integ_key);
    e->pub.reserved = false;
    e->pub.stats.add_time_s = runtime_wall_s(f->rt);
    if (sa->life.soft_s)
        e->soft = runtime_timer(f->rt, (int64_t)sa->life.soft_s * 1000, on_soft, f, e->pub.serial);
    if (sa->life.hard_s)
        e->hard = runtime_timer(f->rt, (int64_t)sa->life.hard_s * 1000, on_hard, f, e->pub.serial);
    return ST_OK;
}

static status add_sa_locked(fake *f, const kernel_sa *sa)
{
    fake_entry *e = fake_find(f, sa->id.proto, sa->id.spi, &sa->id.dst);

    if (!sa->reqid || !sa->id.spi)
        return ST_INVALID;
    if (e && !(e->pub.reserved && sa->inbound))
        return ST_EXISTS;
    if (!e && sa->inbound)
        return ST_NOT_FOUND; /* stricter than a kernel: whoever receives has asked for the SPI */
    if (!e && !(e = entry_new(f, sa->id.spi)))
        return ST_NO_MEMORY;
    status st = entry_fill(f, e, sa);
    if (st != ST_OK)
        entry_free(f, e);
    return st;
}

static status fake_add_sa(kernel *k, const kernel_sa *sa)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    status st = fake_turn(f);
    if (st == ST_OK)
        st = add_sa_locked(f, sa);
    pthread_mutex_unlock(&f->lock);
    return st;
}

static status fake_update_sa(kernel *k, const kernel_sa_id *id, const endpoint *src, const endpoint *dst,
                             bool udp_encap)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    status st = fake_turn(f);
    fake_entry *e = st == ST_OK ? fake_find(f, id->proto, id->spi, &id->dst) : NULL;
    if (e) {
        e->pub.sa.id.src = src->ip;
        e->pub.sa.id.dst = dst->ip;
        e->pub.sa.src_port = src->port;
        e->pub.sa.dst_port = dst->port;
        e->pub.sa.udp_encap = udp_encap;
        e->pub.updates++;
    } else if (st == ST_OK) {
        st = ST_NOT_FOUND;
    }
    pthread_mutex_unlock(&f->lock);
    return st;
}

static status fake_query_sa(kernel *k, const kernel_sa_id *id, kernel_sa_stats *out)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    fake_entry *e = fake_find(f, id->proto, id->spi, &id->dst);
    if (e)
        *out = e->pub.stats;
    pthread_mutex_unlock(&f->lock);
    return e ? ST_OK : ST_NOT_FOUND;
}

static status fake_del_sa(kernel *k, const kernel_sa_id *id)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    status st = fake_turn(f);
    fake_entry *e = st == ST_OK ? fake_find(f, id->proto, id->spi, &id->dst) : NULL;
    if (e)
        entry_free(f, e);
    else if (st == ST_OK)
        st = ST_NOT_FOUND;
    pthread_mutex_unlock(&f->lock);
    return st;
}

/* ---- policies ---- */
static status fake_add_policy(kernel *k, const kernel_policy *p)
{
    fake *f = self(k);
    poltab_change change;
    kernel_policy now;

    pthread_mutex_lock(&f->lock);
    status st = fake_turn(f);
    if (st == ST_OK)
        st = ts_valid(&p->src) && ts_valid(&p->dst) ? poltab_add(f->policies, p, &change, &now) : ST_INVALID;
    pthread_mutex_unlock(&f->lock);
    return st;
}

static status fake_del_policy(kernel *k, const kernel_policy *p)
{
    fake *f = self(k);
    poltab_change change;
    kernel_policy now;

    pthread_mutex_lock(&f->lock);
    status st = fake_turn(f);
    if (st == ST_OK)
        st = poltab_del(f->policies, p, &change, &now);
    pthread_mutex_unlock(&f->lock);
    return st;
}

static status fake_query_policy(kernel *k, const kernel_policy *p, int64_t *use_time_s)
{
    fake *f = self(k);
    int64_t newest = 0;
    fake_entry *e;

    pthread_mutex_lock(&f->lock);
    const kernel_policy *now = poltab_get(f->policies, p);
    if (now) {
        LIST_EACH(&f->sas, fake_entry, node, e)
        {
            bool out = now->dir == POLICY_OUT;
            if (e->pub.sa.reqid == now->reqid && e->pub.sa.inbound != out && e->pub.stats.use_time_s > newest)
                newest = e->pub.stats.use_time_s;
        }
        *use_time_s = newest;
    }
    pthread_mutex_unlock(&f->lock);
    return now ? ST_OK : ST_NOT_FOUND;
}

static const char *fake_route_dev(kernel *k)
{
    return "";
}

static void fake_free(kernel *k)
{
    fake *f = self(k);
    fake_entry *e;

    if (f->events)
        kevents_close(f->events);
    LIST_EACH(&f->sas, fake_entry, node, e)
    entry_free(f, e);
    poltab_free(f->policies);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static const kernel_ops fake_ops = {
    .name = "fake",
    .features = fake_features,
    .has_alg = fake_has_alg,
    .set_events = fake_set_events,
    .get_spi = fake_get_spi,
    .add_sa = fake_add_sa,
    .update_sa = fake_update_sa,
    .query_sa = fake_query_sa,
    .del_sa = fake_del_sa,
    .add_policy = fake_add_policy,
    .del_policy = fake_del_policy,
    .query_policy = fake_query_policy,
    .route_dev = fake_route_dev,
    .free = fake_free,
};

status kernel_fake_new(kernel **out, const kernel_fake_config *cfg)
{
    fake *f = calloc(1, sizeof *f);

    if (!f)
        return ST_NO_MEMORY;
    f->base.ops = &fake_ops;
    f->rt = cfg->rt;
    f->features = cfg->features
                      ? cfg->features
                      : KERNEL_ESP | KERNEL_AH | KERNEL_IPCOMP | KERNEL_ESN | KERNEL_BEET | KERNEL_TRANSPORT;
    f->next_spi = cfg->first_spi ? cfg->first_spi : 0xc0000001;
    f->next_cpi = cfg->first_cpi ? cfg->first_cpi : 0x1001;
    list_init(&f->sas);
    for (size_t i = 0; i < FAKE_BUCKETS; i++)
        list_init(&f->by_spi[i]);
    pthread_mutex_init(&f->lock, NULL);
    if (poltab_new(&f->policies) != ST_OK || kevents_new(&f->events, cfg->rt) != ST_OK) {
        fake_free(&f->base);
        return ST_NO_MEMORY;
    }
    *out = &f->base;
    return ST_OK;
}
