/* From the wire to the TUN device: SA by SPI, replay window, opening, policy, batch. Nothing of a packet is
 * used before it proved authentic, but for its SPI and number.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void drop(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- one packet ---- */
/* Opens it with the SA's lock held. */
static bool open_packet(esp *e, esp_sa *s, const esp_received *r, uint8_t *next, span *inner)
{
    uint64_t seq = esp_replay_number(&s->replay, get_u32(r->p + 4));

    if (!esp_replay_fresh(&s->replay, seq)) {
        s->stats.replay_errors++;
        drop(&e->drops_replay);
        return false;
    }
    status st = esp_open(&s->crypt, seq, s->esn, r->p, r->n, next, inner);
    if (st != ST_OK) {
        s->stats.integrity_failures += st == ST_CRYPTO;
        drop(&e->drops_auth);
        return false;
    }
    esp_replay_seen(&s->replay, seq);
    return esp_sa_count(e, s, inner->n);
}

/* The peer's NAT has given it another address or port. Told once; the daemon decides and calls update_sa().
 */
static void check_mapping(esp *e, esp_sa *s, const esp_received *r)
{
    if (!r->udp || (addr_equal(&r->src.ip, &s->id.src) && r->src.port == s->src_port))
        return;
    if (endpoint_equal(&r->src, &s->reported))
        return;
    s->reported = r->src;
    kevents_mapping(e->events, &s->id, s->reqid, &r->src);
}

/* Puts an IP header before a transport-mode payload: what the sender took off, with the addresses of the
 * outer one. */
static bool rebuild(const esp_received *r, uint8_t next, span payload, esp_tun_pkt *out)
{
    bool v4 = r->src.ip.family == AF_INET;
    size_t head = v4 ? 20 : 40;
    uint8_t *p = (uint8_t *)(uintptr_t)payload.p - head;

    if (payload.n + head > ESP_MAX_PACKET)
        return false;
    memset(p, 0, head);
    if (v4) {
        p[0] = 0x45;
        p[1] = r->tos;
        set_u16(p + 2, (uint16_t)(payload.n + head));
        p[6] = 0x40; /* never a fragment, do not make it one */
        p[8] = 64;
        p[9] = next;
        memcpy(p + 12, r->src.ip.b, 4);
        memcpy(p + 16, r->dst.ip.b, 4);
        esp_ip4_checksum(p);
    } else {
        set_u32(p, 0x60000000u | (uint32_t)r->tos << 20);
        set_u16(p + 4, (uint16_t)payload.n);
        p[6] = next;
        p[7] = 64;
        memcpy(p + 8, r->src.ip.b, 16);
        memcpy(p + 24, r->dst.ip.b, 16);
    }
    if (r->udp) /* a NAT changed the addresses below its checksum (RFC 3948 3.1.2) */
        esp_renew_checksum(p, head, payload.n + head, next);
    *out = (esp_tun_pkt){.p = p, .n = payload.n + head};
    return true;
}

static bool unwrap(const esp_sa *s, const esp_received *r, uint8_t next, span inner, esp_tun_pkt *out)
{
    if (s->mode == MODE_TRANSPORT)
        return rebuild(r, next, inner, out);
    int version = next == IPPROTO_IPIP   ? 4
                  : next == IPPROTO_IPV6 ? 6
                                         : 0; /* 59: a dummy, for nothing but traffic analysts */
    if (!version || !esp_ip_header(inner) || inner.p[0] >> 4 != version)
        return false;
    /* behind the packet the sender may have put padding against traffic analysis */
    size_t n = version == 4 ? get_u16(inner.p + 2) : get_u16(inner.p + 4) + 40u;
    *out = (esp_tun_pkt){.p = (uint8_t *)(uintptr_t)inner.p, .n = n};
    if ((r->tos & 3) == 3)
        esp_set_ce(out->p, out->n);
    return true;
}

/* RFC 4301 5.2: it must have come through the SA that its policy wants. */
static bool allowed(esp *e, esp_flow_cache *cache, const esp_sa *s, const esp_tun_pkt *k)
{
    esp_flow f;
    size_t l4;

    if (!esp_flow_parse(&f, span_of(k->p, k->n), &l4)) {
        drop(&e->drops_malformed);
        return false;
    }
    const esp_policy *pol = esp_spd_find(e, cache, POLICY_IN, &f);
    if (pol && pol->p.kind == POLICY_IPSEC && pol->p.reqid == s->reqid)
        return true;
    drop(&e->drops_policy);
    return false;
}

bool esp_input(esp *e, esp_flow_cache *cache, const esp_received *r, esp_tun_pkt *out)
{
    uint8_t next;
    span inner;

    if (r->n < ESP_HEADER) {
        drop(&e->drops_malformed);
        return false;
    }
    esp_sa *s = esp_sad_in(e, get_u32(r->p));
    if (!s || !s->valid || s->udp_encap != r->udp || !addr_equal(&s->id.dst, &r->dst.ip)) {
        drop(&e->drops_no_sa);
        return false;
    }
    pthread_mutex_lock(&s->lock);
    bool ok = open_packet(e, s, r, &next, &inner);
    if (ok)
        check_mapping(e, s, r);
    pthread_mutex_unlock(&s->lock);
    return ok && unwrap(s, r, next, inner, out) && allowed(e, cache, s, out);
}

/* ---- UDP: from the net room, on the loop thread ---- */
/* One batch of datagrams of a train; they are copied, because a rebuilt IP header needs room before them. */
static void input_some(esp *e, const endpoint *local, const endpoint *remote, span data, size_t seg)
{
    esp_tun_pkt out[ESP_BATCH];
    size_t n = 0;

    pthread_mutex_lock(&e->udp_lock);
    pthread_rwlock_rdlock(&e->lock);
    for (size_t i = 0; data.n && i < ESP_BATCH; i++) {
        span one = span_take(data, seg);
        esp_received r = {.src = *remote, .dst = *local, .udp = true, .n = one.n};

        r.p = e->udp_slots + i * ESP_SLOT + ESP_HEADROOM;
        memcpy(r.p, one.p, one.n);
        data = span_skip(data, seg);
        if (esp_input(e, e->udp_cache, &r, &out[n]))
            n++;
    }
    pthread_rwlock_unlock(&e->lock);
    if (n)
        esp_tun_write(e, out, n);
    pthread_mutex_unlock(&e->udp_lock);
}

void esp_input_udp(void *ctx, const endpoint *local, const endpoint *remote, span data, size_t seg)
{
    esp *e = ctx;

    while (data.n && seg && seg <= ESP_MAX_PACKET && !atomic_load(&e->stop)) {
        input_some(e, local, remote, data, seg);
        data = span_skip(data, seg * ESP_BATCH);
    }
}

/* ---- native: the thread ---- */
typedef struct in_batch {
    uint8_t *slots;
    esp_flow_cache *cache;
    struct mmsghdr mm[ESP_BATCH];
    struct iovec iov[ESP_BATCH];
    struct sockaddr_storage from[ESP_BATCH];
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    } control[ESP_BATCH];
    esp_tun_pkt out[ESP_BATCH];
} in_batch;

static void arm(in_batch *b)
{
    for (size_t i = 0; i < ESP_BATCH; i++) {
        b->iov[i] = (struct iovec){b->slots + i * ESP_SLOT + ESP_HEADROOM, ESP_MAX_PACKET};
        b->mm[i].msg_hdr = (struct msghdr){.msg_name = &b->from[i],
                                           .msg_namelen = sizeof b->from[i],
                                           .msg_iov = &b->iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = b->control[i].bytes,
                                           .msg_controllen = sizeof b->control[i].bytes};
    }
}

/* A raw IPv4 socket gives the header along. */
static bool describe_v4(const uint8_t *p, size_t n, esp_received *r)
{
    size_t head = esp_ip_header(span_of(p, n));

    if (!head || p[0] >> 4 != 4)
        return false;
    r->src.ip = (ip_addr){.family = AF_INET};
    r->dst.ip = r->src.ip;
    memcpy(r->src.ip.b, p + 12, 4);
    memcpy(r->dst.ip.b, p + 16, 4);
    r->tos = p[1];
    r->p = (uint8_t *)(uintptr_t)p + head;
    r->n = n - head;
    return true;
}

static bool describe_v6(struct msghdr *h, uint8_t *p, size_t n, esp_received *r)
{
    if (!endpoint_from_sockaddr(&r->src, h->msg_name))
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != IPPROTO_IPV6)
            continue;
        if (c->cmsg_type == IPV6_PKTINFO) {
            r->dst.ip.family = AF_INET6;
            memcpy(r->dst.ip.b, CMSG_DATA(c), 16); /* ipi6_addr comes first */
        } else if (c->cmsg_type == IPV6_TCLASS) {
            int tos;
            memcpy(&tos, CMSG_DATA(c), sizeof tos);
            r->tos = (uint8_t)tos;
        }
    }
    r->src.port = 0;
    r->p = p;
    r->n = n;
    return r->dst.ip.family == AF_INET6;
}

static void receive_some(esp *e, in_batch *b, int fd, bool v6)
{
    size_t n_out = 0;

    arm(b);
    int n = recvmmsg(fd, b->mm, ESP_BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return;
    pthread_rwlock_rdlock(&e->lock);
    for (int i = 0; i < n; i++) {
        esp_received r = {0};
        uint8_t *p = b->iov[i].iov_base;
        size_t len = b->mm[i].msg_len;

        if ((b->mm[i].msg_hdr.msg_flags & MSG_TRUNC) ||
            !(v6 ? describe_v6(&b->mm[i].msg_hdr, p, len, &r) : describe_v4(p, len, &r)))
            drop(&e->drops_malformed);
        else if (esp_input(e, b->cache, &r, &b->out[n_out]))
            n_out++;
    }
    pthread_rwlock_unlock(&e->lock);
    if (n_out)
        esp_tun_write(e, b->out, n_out);
}

void *esp_in_main(void *arg)
{
    esp *e = arg;
    in_batch *b = calloc(1, sizeof *b);
    struct pollfd fds[3] = {{.fd = e->raw4, .events = POLLIN},
                            {.fd = e->raw6, .events = POLLIN},
                            {.fd = e->wake, .events = POLLIN}};

    if (b) {
        b->slots = malloc((size_t)ESP_BATCH * ESP_SLOT);
        b->cache = calloc(1, sizeof *b->cache);
    }
    if (!b || !b->slots || !b->cache)
        LOG(&e->log, KNL, 0, "out of memory: nothing is received through %s", e->tun_name);
    while (b && b->slots && b->cache && !atomic_load(&e->stop)) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].revents)
            receive_some(e, b, e->raw4, false);
        if (fds[1].revents)
            receive_some(e, b, e->raw6, true);
    }
    if (b) {
        free(b->slots);
        free(b->cache);
    }
    free(b);
    return NULL;
}
