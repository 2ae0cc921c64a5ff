/* SAs of the userland ESP. Inbound ones are found by SPI (all SPIs are ours, so they are unique), outbound
 * ones by reqid, the newest first: that is how rekeying moves traffic. An SA lives from get_spi() or add_sa()
 * until del_sa() or its hard limit.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <stdlib.h>

enum { SPI_BASE = 0xc0000000, SPI_BITS = 0x0fffffff, SPI_TRIES = 64 };
/* sequence numbers left when a new SA must be made; without ESN there are 2^32 */
#define SEQ_SOFT_LEFT ((uint64_t)1 << 24)

status esp_sad_init(esp *e)
{
    e->sad.by_spi = calloc(ESP_BUCKETS, sizeof *e->sad.by_spi);
    e->sad.by_reqid = calloc(ESP_BUCKETS, sizeof *e->sad.by_reqid);
    e->sad.by_peer_spi = calloc(ESP_BUCKETS, sizeof *e->sad.by_peer_spi);
    return e->sad.by_spi && e->sad.by_reqid && e->sad.by_peer_spi ? ST_OK : ST_NO_MEMORY;
}

static esp_sa **bucket(esp_sa **table, uint32_t key)
{
    return &table[(key * 2654435761u) >> 20]; /* of ESP_BUCKETS = 2^12 */
}

esp_sa *esp_sad_in(esp *e, uint32_t spi)
{
    esp_sa *s = *bucket(e->sad.by_spi, spi);

    while (s && s->id.spi != spi)
        s = s->next_spi;
    return s;
}

esp_sa *esp_sad_out(esp *e, uint32_t reqid)
{
    esp_sa *s = *bucket(e->sad.by_reqid, reqid);

    while (s && s->reqid != reqid)
        s = s->next_reqid;
    return s;
}

/* ---- making and unmaking ---- with e->lock held for writing */
static esp_sa *find_out(esp *e, const kernel_sa_id *id)
{
    esp_sa *s = *bucket(e->sad.by_peer_spi, id->spi);

    while (s && (s->id.spi != id->spi || !addr_equal(&s->id.dst, &id->dst)))
        s = s->next_spi;
    return s;
}

static esp_sa *find(esp *e, const kernel_sa_id *id)
{
    esp_sa *s = esp_sad_in(e, id->spi);

    if (id->proto != PROTO_ESP)
        return NULL;
    return s && addr_equal(&s->id.dst, &id->dst) ? s : find_out(e, id);
}

/* Chains go through one of two members: `link` is its offset. */
static esp_sa **link_of(esp_sa *s, size_t link)
{
    return (esp_sa **)(void *)((char *)s + link);
}

static void push(esp_sa **head, esp_sa *s, size_t link)
{
    *link_of(s, link) = *head;
    *head = s;
}

static void pull(esp_sa **at, const esp_sa *s, size_t link)
{
    while (*at != s)
        at = link_of(*at, link);
    *at = *link_of(*at, link);
}

static esp_sa *sa_new(esp *e, const kernel_sa_id *id, bool inbound, uint32_t reqid)
{
    esp_sa *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    s->id = *id;
    s->inbound = inbound;
    s->reqid = reqid;
    s->serial = ++e->sad.serial;
    push(bucket(inbound ? e->sad.by_spi : e->sad.by_peer_spi, id->spi), s, offsetof(esp_sa, next_spi));
    if (!inbound)
        push(bucket(e->sad.by_reqid, reqid), s, offsetof(esp_sa, next_reqid));
    return s;
}

static void unlink_sa(esp *e, esp_sa *s)
{
    pull(bucket(s->inbound ? e->sad.by_spi : e->sad.by_peer_spi, s->id.spi), s, offsetof(esp_sa, next_spi));
    if (!s->inbound)
        pull(bucket(e->sad.by_reqid, s->reqid), s, offsetof(esp_sa, next_reqid));
}

static void sa_free(esp *e, esp_sa *s)
{
    if (s->soft)
        runtime_timer_cancel(e->rt, s->soft);
    if (s->hard)
        runtime_timer_cancel(e->rt, s->hard);
    esp_crypt_fini(&s->crypt);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void esp_sad_fini(esp *e)
{
    esp_sa **tables[] = {e->sad.by_spi, e->sad.by_peer_spi};

    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; tables[t] && i < ESP_BUCKETS; i++) {
            for (esp_sa *s; (s = tables[t][i]);) {
                tables[t][i] = s->next_spi;
                sa_free(e, s);
            }
        }
        free(tables[t]);
    }
    free(e->sad.by_reqid);
}

/* ---- lifetimes ---- */
static esp_sa *find_serial(esp *e, uint64_t serial)
{
    esp_sa **tables[] = {e->sad.by_spi, e->sad.by_peer_spi};

    for (size_t i = 0; i < 2 * ESP_BUCKETS; i++) {
        for (esp_sa *s = tables[i / ESP_BUCKETS][i % ESP_BUCKETS]; s; s = s->next_spi) {
            if (s->serial == serial)
                return s;
        }
    }
    return NULL;
}

static void on_soft(void *ctx, uint64_t serial)
{
    esp *e = ctx;

    pthread_rwlock_rdlock(&e->lock);
    esp_sa *s = find_serial(e, serial);
    if (s) {
        pthread_mutex_lock(&s->lock);
        bool first = !s->soft_done;
        s->soft_done = true;
        pthread_mutex_unlock(&s->lock);
        if (first)
            kevents_expire(e->events, &s->id, s->reqid, false);
    }
    pthread_rwlock_unlock(&e->lock);
}

static void on_hard(void *ctx, uint64_t serial)
{
    esp *e = ctx;

    pthread_rwlock_wrlock(&e->lock);
    esp_sa *s = find_serial(e, serial);
    if (s) {
        if (s->valid)
            kevents_expire(e->events, &s->id, s->reqid, true);
        unlink_sa(e, s);
        sa_free(e, s);
    }
    pthread_rwlock_unlock(&e->lock);
}

/* A limit of bytes, packets or numbers was met on the data path, which cannot remove the SA: a timer does. */
static void hard_limit(esp *e, esp_sa *s)
{
    if (s->hard_done)
        return;
    s->hard_done = true;
    if (!runtime_timer(e->rt, 0, on_hard, e, s->serial))
        s->hard_done = false; /* no memory: the next packet tries again */
}

bool esp_sa_count(esp *e, esp_sa *s, size_t bytes)
{
    const kernel_lifetime *l = &s->life;
    kernel_sa_stats *st = &s->stats;

    if ((l->hard_bytes && st->bytes + bytes > l->hard_bytes) ||
        (l->hard_packets && st->packets >= l->hard_packets) || (!s->esn && s->seq > UINT32_MAX)) {
        hard_limit(e, s);
        return false;
    }
    st->bytes += bytes;
    st->packets++;
    st->use_time_s = runtime_wall_s(e->rt);
    bool soft = (l->soft_bytes && st->bytes >= l->soft_bytes) ||
                (l->soft_packets && st->packets >= l->soft_packets) ||
                (!s->esn && s->seq > UINT32_MAX - SEQ_SOFT_LEFT);
    if (soft && !s->soft_done) {
        s->soft_done = true;
        kevents_expire(e->events, &s->id, s->reqid, false);
    }
    return true;
}

/* ---- operations ---- */
static uint32_t random_spi(esp *e)
{
    uint32_t spi = SPI_BASE | (rng_u32(e->crypto) & SPI_BITS);

    return e->is_pluto ? spi | ESP_SPI_PLUTO_BIT : spi & ~ESP_SPI_PLUTO_BIT;
}

status esp_get_spi(kernel *k, const ip_addr *src, const ip_addr *dst, ipsec_proto proto, uint32_t reqid,
                   uint32_t *spi)
{
    esp *e = esp_of(k);
    status st = ST_LIMIT;

    if (proto != PROTO_ESP)
        return ST_UNSUPPORTED;
    pthread_rwlock_wrlock(&e->lock);
    for (int i = 0; i < SPI_TRIES && st == ST_LIMIT; i++) {
        kernel_sa_id id = {.src = *src, .dst = *dst, .spi = random_spi(e), .proto = PROTO_ESP};

        if (esp_sad_in(e, id.spi))
            continue;
        st = sa_new(e, &id, true, reqid) ? ST_OK : ST_NO_MEMORY;
        *spi = id.spi;
    }
    pthread_rwlock_unlock(&e->lock);
    return st;
}

static status sa_fill(esp *e, esp_sa *s, const kernel_sa *sa)
{
    status st = esp_crypt_init(&s->crypt, e->crypto, sa);

    if (st != ST_OK)
        return st;
    s->id = sa->id;
    s->reqid = sa->reqid;
    s->mode = sa->mode;
    s->udp_encap = sa->udp_encap;
    s->src_port = sa->src_port;
    s->dst_port = sa->dst_port;
    s->esn = sa->esn;
    s->life = sa->life;
    s->stats.add_time_s = runtime_wall_s(e->rt);
    esp_replay_init(&s->replay, sa->replay_window, sa->esn);
    if (sa->life.soft_s)
        s->soft = runtime_timer(e->rt, (int64_t)sa->life.soft_s * 1000, on_soft, e, s->serial);
    if (sa->life.hard_s)
        s->hard = runtime_timer(e->rt, (int64_t)sa->life.hard_s * 1000, on_hard, e, s->serial);
    s->valid = true;
    return ST_OK;
}

static status add_locked(esp *e, const kernel_sa *sa)
{
    esp_sa *s = sa->inbound ? esp_sad_in(e, sa->id.spi) : find_out(e, &sa->id);

    if (s && (s->valid || !sa->inbound))
        return ST_EXISTS;
    if (!s && !(s = sa_new(e, &sa->id, sa->inbound, sa->reqid)))
        return ST_NO_MEMORY;
    status st = sa_fill(e, s, sa);
    if (st != ST_OK) {
        unlink_sa(e, s);
        sa_free(e, s);
    }
    return st;
}

status esp_add_sa(kernel *k, const kernel_sa *sa)
{
    esp *e = esp_of(k);

    if (!sa->reqid || !sa->id.spi)
        return ST_INVALID;
    if (sa->id.proto != PROTO_ESP || sa->mode == MODE_BEET || sa->ipcomp_bundled)
        return ST_UNSUPPORTED;
    if (sa->udp_encap && !e->net)
        return ST_UNSUPPORTED;
    pthread_rwlock_wrlock(&e->lock);
    status st = add_locked(e, sa);
    pthread_rwlock_unlock(&e->lock);
    if (st == ST_OK && !sa->inbound)
        esp_out_release(e, sa->reqid);
    return st;
}

status esp_update_sa(kernel *k, const kernel_sa_id *id, const endpoint *src, const endpoint *dst,
                     bool udp_encap)
{
    esp *e = esp_of(k);

    if (udp_encap && !e->net)
        return ST_UNSUPPORTED;
    pthread_rwlock_wrlock(&e->lock);
    esp_sa *s = find(e, id);
    if (s) {
        s->id.src = src->ip;
        s->id.dst = dst->ip;
        s->src_port = src->port;
        s->dst_port = dst->port;
        s->udp_encap = udp_encap;
        s->reported = (endpoint){0};
    }
    pthread_rwlock_unlock(&e->lock);
    return s ? ST_OK : ST_NOT_FOUND;
}

status esp_query_sa(kernel *k, const kernel_sa_id *id, kernel_sa_stats *out)
{
    esp *e = esp_of(k);

    pthread_rwlock_rdlock(&e->lock);
    esp_sa *s = find(e, id);
    if (s) {
        pthread_mutex_lock(&s->lock);
        *out = s->stats;
        pthread_mutex_unlock(&s->lock);
    }
    pthread_rwlock_unlock(&e->lock);
    return s ? ST_OK : ST_NOT_FOUND;
}

status esp_del_sa(kernel *k, const kernel_sa_id *id)
{
    esp *e = esp_of(k);

    pthread_rwlock_wrlock(&e->lock);
    esp_sa *s = find(e, id);
    if (s) {
        unlink_sa(e, s);
        sa_free(e, s);
    }
    pthread_rwlock_unlock(&e->lock);
    return s ? ST_OK : ST_NOT_FOUND;
}
