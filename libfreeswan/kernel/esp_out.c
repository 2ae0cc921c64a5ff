/* From the TUN device to the wire: policy, SA, sealing, batch. A packet whose SA is not there yet raises
 * acquire and is kept, the first one per reqid, until the SA comes or it is too old to matter.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

status esp_out_batch_init(esp_out_batch *b)
{
    *b = (esp_out_batch){0};
    b->slots = malloc((size_t)ESP_BATCH *
                      ESP_SLOT); /* mostly never touched: a packet uses the first page of its slot */
    b->cache = calloc(1, sizeof *b->cache);
    if (b->slots && b->cache && esp_frags_new(&b->frags) == ST_OK)
        return ST_OK;
    esp_out_batch_fini(b);
    return ST_NO_MEMORY;
}

void esp_out_batch_fini(esp_out_batch *b)
{
    free(b->slots);
    free(b->cache);
    esp_frags_free(b->frags);
    *b = (esp_out_batch){0};
}

void esp_out_flush(esp *e, esp_out_batch *b)
{
    if (b->n)
        esp_sock_send(e, b->pkt, b->n);
    b->n = 0;
}

/* ---- packets without an SA ---- */
static traffic_sel packet_ts(const esp_flow *f, bool source)
{
    traffic_sel sel = {.proto = f->proto};

    sel.from.family = f->family;
    memcpy(sel.from.b, source ? f->src : f->dst, 16);
    sel.to = sel.from;
    sel.from_port = sel.to_port = source ? f->sport : f->dport;
    if (!f->has_ports)
        sel.to_port = 0xffff;
    return sel;
}

static esp_held *find_held(esp *e, uint32_t reqid)
{
    esp_held *h;

    LIST_EACH(&e->held, esp_held, node, h)
    {
        if (h->reqid == reqid)
            return h;
    }
    return NULL;
}

static void remove_held(esp *e, esp_held *h)
{
    list_remove(&h->node);
    e->n_held--;
    free(h);
}

static void drop_old_held(esp *e, int64_t now)
{
    esp_held *h;

    LIST_EACH(&e->held, esp_held, node, h)
    {
        if (now - h->since_ms > ESP_HELD_MS)
            remove_held(e, h);
    }
}

/* Trains are not kept: TCP starts with a SYN, and that is small. */
static void acquire(esp *e, const esp_policy *pol, const esp_flow *f, const uint8_t *pkt, size_t n)
{
    int64_t now = runtime_now_ms(e->rt);
    traffic_sel src = packet_ts(f, true), dst = packet_ts(f, false);

    pthread_mutex_lock(&e->held_lock);
    drop_old_held(e, now);
    esp_held *h = find_held(e, pol->p.reqid);
    bool ask = !h || now - h->asked_ms >= ESP_ACQUIRE_MS;
    if (!h && e->n_held >= ESP_HELD_MAX)
        remove_held(
            e, container_of(e->held.next, esp_held, node)); /* the oldest: it is also what limits acquires */
    if (!h && (h = calloc(1, sizeof *h + n)) != NULL) {
        h->reqid = pol->p.reqid;
        h->since_ms = now;
        h->n = n;
        memcpy(h->pkt, pkt, n);
        list_append(&e->held, &h->node);
        e->n_held++;
    }
    if (h && ask)
        h->asked_ms = now;
    pthread_mutex_unlock(&e->held_lock);
    if (ask)
        kevents_acquire(e->events, pol->p.reqid, &src, &dst);
}

void esp_out_drop_held(esp *e)
{
    pthread_mutex_lock(&e->held_lock);
    while (!list_empty(&e->held))
        remove_held(e, container_of(e->held.next, esp_held, node));
    pthread_mutex_unlock(&e->held_lock);
}

void esp_out_release(esp *e, uint32_t reqid)
{
    static const struct virtio_net_hdr plain;
    esp_out_batch b;

    pthread_mutex_lock(&e->held_lock);
    esp_held *h = find_held(e, reqid);
    if (h) {
        list_remove(&h->node);
        e->n_held--;
    }
    pthread_mutex_unlock(&e->held_lock);
    if (!h)
        return;
    if (h->n && runtime_now_ms(e->rt) - h->since_ms <= ESP_HELD_MS && esp_out_batch_init(&b) == ST_OK) {
        pthread_rwlock_rdlock(&e->lock);
        esp_output(e, &b, &plain, h->pkt, h->n);
        esp_out_flush(e, &b);
        pthread_rwlock_unlock(&e->lock);
        esp_out_batch_fini(&b);
    }
    free(h);
}

/* ---- sealing ---- */
/* Transport mode protects what is behind the IP header; the outer header is made anew from the SA's
 * addresses. */
static bool transport_payload(const esp_sa *s, uint8_t **p, size_t *n, uint8_t *next)
{
    size_t head = esp_ip_header(span_of(*p, *n));
    bool v4 = (*p)[0] >> 4 == 4;

    if (!head || (v4 ? AF_INET : AF_INET6) != s->id.dst.family)
        return false;
    *n = (v4 ? get_u16(*p + 2) : get_u16(*p + 4) + 40u);
    *next = v4 ? (*p)[9] : (*p)[6];
    *p += head;
    *n -= head;
    return true;
}

/* With the SA's lock held. The packet is in a slot with head and tail room. */
static bool seal_one(esp *e, esp_sa *s, esp_out_batch *b, uint8_t *p, size_t n)
{
    esp_wire_pkt *w = &b->pkt[b->n];
    uint8_t next = p[0] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;

    w->tos = esp_get_tos(span_of(p, n));
    if (s->mode == MODE_TRANSPORT && !transport_payload(s, &p, &n, &next))
        return false;
    s->seq++;
    if (!esp_sa_count(e, s, n))
        return false;
    w->src = (endpoint){s->id.src, s->src_port};
    w->dst = (endpoint){s->id.dst, s->dst_port};
    w->udp = s->udp_encap;
    if (esp_seal(&s->crypt, s->id.spi, s->seq, s->esn, next, p, n, &w->data) != ST_OK) {
        LOG(&e->log, KNL, 1, "sealing for SPI %08x failed", s->id.spi);
        return false;
    }
    b->n++;
    return true;
}

static void seal_all(esp *e, esp_sa *s, esp_out_batch *b, esp_gso *g)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        uint8_t *slot = b->slots + b->n * ESP_SLOT + ESP_HEADROOM;

        n = esp_gso_next(g, slot);
        if (!n || !seal_one(e, s, b, slot, n))
            break;
        if (b->n == ESP_BATCH) {
            /* the socket may wait for room: never with an SA's lock */
            pthread_mutex_unlock(&s->lock);
            esp_out_flush(e, b);
            pthread_mutex_lock(&s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static bool dont_fragment(span pkt)
{
    return pkt.p[0] >> 4 == 6 || (get_u16(pkt.p + 6) & 0x4000);
}

static void protect(esp *e, esp_out_batch *b, const esp_policy *pol, const esp_flow *f, esp_gso *g)
{
    esp_sa *s = esp_sad_out(e, pol->p.reqid);
    span pkt = span_of(g->pkt, g->n);

    if (!s || !s->valid) {
        atomic_fetch_add_explicit(&e->drops_no_sa, 1, memory_order_relaxed);
        acquire(e, pol, f, g->pkt, g->seg ? 0 : g->n);
        return;
    }
    if (!g->seg && !b->joined && g->n > e->mtu && dont_fragment(pkt)) {
        esp_icmp_unreachable(e, pkt, true);
        return;
    }
    if (s->mode == MODE_TRANSPORT && esp_flow_is_fragment(pkt)) {
        atomic_fetch_add_explicit(&e->drops_policy, 1,
                                  memory_order_relaxed); /* one that could not be completed */
        return;
    }
    seal_all(e, s, b, g);
}

static void output_whole(esp *e, esp_out_batch *b, const struct virtio_net_hdr *vh, uint8_t *pkt, size_t n)
{
    esp_flow f;
    esp_gso g;
    size_t l4;

    if (!esp_flow_parse(&f, span_of(pkt, n), &l4) || !esp_gso_begin(&g, vh, pkt, n)) {
        atomic_fetch_add_explicit(&e->drops_malformed, 1, memory_order_relaxed);
        return;
    }
    esp_policy *pol = esp_spd_find(e, b->cache, POLICY_OUT, &f);
    if (pol && pol->p.kind == POLICY_IPSEC) {
        protect(e, b, pol, &f, &g);
        return;
    }
    if (pol && pol->p.kind == POLICY_PASS) {
        uint8_t *slot = b->slots + b->n * ESP_SLOT + ESP_HEADROOM;
        for (size_t k; (k = esp_gso_next(&g, slot));)
            esp_sock_reinject(e, span_of(slot, k));
        return;
    }
    /* a route led here, but nobody says how to protect it: it must not go anywhere */
    atomic_fetch_add_explicit(&e->drops_policy, 1, memory_order_relaxed);
    if (pol && pol->p.kind == POLICY_REJECT)
        esp_icmp_unreachable(e, span_of(pkt, n), false);
}

void esp_output(esp *e, esp_out_batch *b, const struct virtio_net_hdr *vh, uint8_t *pkt, size_t n)
{
    uint8_t *owned = NULL;

    if (!e->spd.whole || vh->gso_type != VIRTIO_NET_HDR_GSO_NONE || !esp_ip_header(span_of(pkt, n)) ||
        !esp_flow_is_fragment(span_of(pkt, n))) {
        output_whole(e, b, vh, pkt, n);
        return;
    }
    span whole = esp_frags_add(b->frags, span_of(pkt, n), runtime_now_ms(e->rt), &owned);
    if (whole.n) {
        b->joined = true;
        output_whole(e, b, vh, (uint8_t *)(uintptr_t)whole.p, whole.n);
        b->joined = false;
    }
    free(owned);
}

/* ---- the thread ---- */
/* Reads what is there, up to a batch, under one lock. */
static void read_some(esp *e, esp_out_batch *b, uint8_t *buffer)
{
    struct virtio_net_hdr vh;
    struct iovec iov[2] = {{&vh, sizeof vh}, {buffer, ESP_MAX_PACKET + 1}};

    pthread_rwlock_rdlock(&e->lock);
    for (int i = 0; i < ESP_BATCH; i++) {
        ssize_t n = readv(e->tun_fd, iov, 2);
        if (n <= (ssize_t)sizeof vh)
            break;
        esp_output(e, b, &vh, buffer, (size_t)n - sizeof vh);
    }
    esp_out_flush(e, b);
    pthread_rwlock_unlock(&e->lock);
}

void *esp_out_main(void *arg)
{
    esp *e = arg;
    esp_out_batch b;
    uint8_t *buffer = malloc(ESP_MAX_PACKET + 1);
    struct pollfd fds[2] = {{.fd = e->tun_fd, .events = POLLIN}, {.fd = e->wake, .events = POLLIN}};

    if (!buffer || esp_out_batch_init(&b) != ST_OK) {
        LOG(&e->log, KNL, 0, "out of memory: nothing is sent through %s", e->tun_name);
        free(buffer);
        return NULL;
    }
    while (!atomic_load(&e->stop)) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].revents & POLLIN)
            read_some(e, &b, buffer);
        else if (fds[0].revents)
            usleep(10000); /* the device is down: somebody set it so */
    }
    esp_out_batch_fini(&b);
    free(buffer);
    return NULL;
}
