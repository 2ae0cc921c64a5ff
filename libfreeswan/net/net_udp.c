/* The real network. Receiving: the loop thread drains each readable socket with recvmmsg() and hands every
 * IKE packet to the engine's callback; on the NAT-T port it tells IKE (four zero octets first), ESP and
 * keepalives apart. Sending: any worker appends to the socket's queue; whoever finds nobody flushing becomes
 * the flusher and sends all that is there in batches, its own and what others add meanwhile. When the
 * socket's buffer is full the rest waits for EPOLLOUT.
 */
#include "libfreeswan/net/net_internal.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT /* not in every C library yet */
#define UDP_SEGMENT 103
#define UDP_GRO     104
#endif

enum { BATCH = 32, ROUNDS = 8, QUEUE_LIMIT = 8192, MARKER = 4, SMALLEST_ESP = 9, TRAIN_WAIT_MS = 100 };

typedef struct out_packet {
    struct out_packet *next;
    endpoint local, remote;
    size_t n;
    uint8_t data[];
} out_packet;

typedef struct udp_socket {
    struct net_udp *net;
    int fd, index;
    pthread_mutex_t lock; /* leaf: guards the fields below */
    out_packet *head, **tail;
    size_t queued;
    bool flushing; /* somebody sends, or the loop waits for EPOLLOUT */
} udp_socket;

typedef struct control {
    _Alignas(struct cmsghdr) uint8_t room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
} control;

typedef struct receive_slot {
    struct sockaddr_storage from;
    control control;
    struct iovec iov;
    uint8_t data[NET_MAX_PACKET];
} receive_slot;

typedef struct net_udp {
    net base;
    runtime *rt;
    log_scope log;
    uint16_t port, natt_port;
    net_ike_fn *ike; /* set before the first packet, on the loop thread or before it runs */
    void *ike_ctx;
    net_esp_fn *esp;
    void *esp_ctx;
    receive_slot *slots; /* of the loop thread */
    udp_socket sock[NET_FDS];
} net_udp;

/* ---- receiving ---- */

static void local_address(const net_udp *n, const udp_socket *s, struct msghdr *h, endpoint *local)
{
    *local = (endpoint){.ip = addr_any(sock_family(s->index)),
                        .port = sock_is_natt(s->index) ? n->natt_port : n->port};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            addr_from_bytes(&local->ip, span_of(&info.ipi_addr, 4));
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            addr_from_bytes(&local->ip, span_of(&info.ipi6_addr, 16));
        }
    }
}

static void deliver_ike(net_udp *n, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    packet *p = NULL;
    if (!n->ike || data.n == 0 || packet_new(&p, local, remote, natt, data) != ST_OK)
        return;
    n->ike(n->ike_ctx, p);
}

/* What a datagram on the NAT-T port is: IKE behind its marker, ESP, or nothing (keepalives). */
static bool is_esp(span data)
{
    return data.n >= SMALLEST_ESP && get_u32(data.p) != 0;
}

static void deliver_natt(net_udp *n, const endpoint *local, const endpoint *remote, span data, size_t seg)
{
    while (data.n) {
        size_t esp = 0, one = data.n < seg ? data.n : seg;
        while (esp < data.n && is_esp(span_take(span_skip(data, esp), seg)))
            esp += seg;
        if (esp > data.n)
            esp = data.n;
        if (esp && n->esp)
            n->esp(n->esp_ctx, local, remote, span_take(data, esp), seg);
        else if (!esp && one >= MARKER && get_u32(data.p) == 0)
            deliver_ike(n, local, remote, true, span_skip(span_take(data, one), MARKER));
        data = span_skip(data, esp ? esp : one);
    }
}

static size_t segment_size(struct msghdr *h, size_t whole)
{
    int size = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
            memcpy(&size, CMSG_DATA(c), sizeof(size));
    }
    return size > 0 ? (size_t)size : whole;
}

static void deliver(net_udp *n, const udp_socket *s, struct msghdr *h, span data)
{
    endpoint local, remote;
    if ((h->msg_flags & MSG_TRUNC) || !endpoint_from_sockaddr(&remote, h->msg_name) || remote.port == 0)
        return;
    local_address(n, s, h, &local);
    if (sock_is_natt(s->index))
        deliver_natt(n, &local, &remote, data, segment_size(h, data.n));
    else
        deliver_ike(n, &local, &remote, false, data);
}

static int receive_batch(net_udp *n, udp_socket *s)
{
    struct mmsghdr h[BATCH];
    memset(h, 0, sizeof(h));
    for (size_t i = 0; i < BATCH; i++) {
        receive_slot *slot = &n->slots[i];
        slot->iov = (struct iovec){slot->data, sizeof(slot->data)};
        h[i].msg_hdr = (struct msghdr){.msg_name = &slot->from,
                                       .msg_namelen = sizeof(slot->from),
                                       .msg_iov = &slot->iov,
                                       .msg_iovlen = 1,
                                       .msg_control = &slot->control,
                                       .msg_controllen = sizeof(slot->control)};
    }
    int got = recvmmsg(s->fd, h, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++)
        deliver(n, s, &h[i].msg_hdr, span_of(n->slots[i].data, h[i].msg_len));
    return got;
}

/* ---- sending ---- */

static size_t put_control(const out_packet *p, control *c)
{
    struct cmsghdr *h = (struct cmsghdr *)(void *)c->room;
    if (addr_is_any(&p->local.ip))
        return 0;
    memset(c, 0, sizeof(*c));
    if (p->local.ip.family == AF_INET6) {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, p->local.ip.b, 16);
        *h = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO};
        memcpy(CMSG_DATA(h), &info, sizeof(info));
        return CMSG_SPACE(sizeof(info));
    }
    struct in_pktinfo info = {0};
    memcpy(&info.ipi_spec_dst, p->local.ip.b, 4);
    *h = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO};
    memcpy(CMSG_DATA(h), &info, sizeof(info));
    return CMSG_SPACE(sizeof(info));
}

typedef struct send_batch {
    struct mmsghdr h[BATCH];
    struct sockaddr_storage to[BATCH];
    control control[BATCH];
    struct iovec iov[BATCH];
} send_batch;

/* Sends the first `count` packets of the chain, at most BATCH; returns how many are done with, -1 when the
 * socket would block. What follows them is not touched: somebody may be appending to it. */
static int send_chain(const udp_socket *s, out_packet *first, unsigned count)
{
    send_batch b;
    unsigned n = 0;
    if (count > BATCH)
        count = BATCH;
    for (out_packet *p = first; n < count; p = ++n < count ? p->next : NULL) {
        socklen_t to_n = endpoint_to_sockaddr(&p->remote, &b.to[n]);
        size_t control_n = put_control(p, &b.control[n]);
        b.iov[n] = (struct iovec){p->data, p->n};
        b.h[n].msg_hdr = (struct msghdr){.msg_name = &b.to[n],
                                         .msg_namelen = to_n,
                                         .msg_iov = &b.iov[n],
                                         .msg_iovlen = 1,
                                         .msg_control = control_n ? &b.control[n] : NULL,
                                         .msg_controllen = control_n};
    }
    int sent = sendmmsg(s->fd, b.h, n, MSG_DONTWAIT);
    if (sent > 0)
        return sent;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
        return -1;
    if (errno == EINTR)
        return 0;
    LOG(&s->net->log, NET, 1, "error writing to socket: %s (%s to %s)", strerror(errno),
        ENDPOINT_STR(&first->local), ENDPOINT_STR(&first->remote));
    return 1; /* this one is lost */
}

static void drop_sent(udp_socket *s, int n)
{
    for (int i = 0; i < n; i++) {
        out_packet *p = s->head;
        s->head = p->next;
        if (!s->head)
            s->tail = &s->head;
        s->queued--;
        free(p);
    }
}

/* The caller is the flusher (s->flushing is true and it made it so). Packets stay on the queue while they are
 * sent: only the flusher takes from its head. */
static void flush_socket(udp_socket *s)
{
    bool blocked = false;
    pthread_mutex_lock(&s->lock);
    while (s->head && !blocked) {
        out_packet *first = s->head;
        unsigned count = (unsigned)s->queued;
        pthread_mutex_unlock(&s->lock);
        int done = send_chain(s, first, count);
        pthread_mutex_lock(&s->lock);
        blocked = done < 0;
        drop_sent(s, done);
    }
    s->flushing = blocked;
    pthread_mutex_unlock(&s->lock);
    if (blocked && runtime_watch_change(s->net->rt, s->fd, EPOLLIN | EPOLLOUT) != ST_OK) {
        pthread_mutex_lock(&s->lock);
        s->flushing = false;
        pthread_mutex_unlock(&s->lock);
    }
}

static status queue_packet(udp_socket *s, out_packet *p)
{
    pthread_mutex_lock(&s->lock);
    if (s->queued >= QUEUE_LIMIT) {
        pthread_mutex_unlock(&s->lock);
        free(p);
        return ST_LIMIT;
    }
    *s->tail = p;
    s->tail = &p->next;
    s->queued++;
    bool flush = !s->flushing;
    s->flushing = true;
    pthread_mutex_unlock(&s->lock);
    if (flush)
        flush_socket(s);
    return ST_OK;
}

static status send_packet(net_udp *n, const endpoint *local, const endpoint *remote, bool natt, bool marker,
                          span data)
{
    udp_socket *s = &n->sock[sock_index(remote->ip.family, natt)];
    size_t room = marker ? MARKER : 0;
    if (s->fd < 0 || data.n > NET_MAX_PACKET - MARKER)
        return ST_IO;
    out_packet *p = malloc(sizeof(*p) + room + data.n);
    if (!p)
        return ST_NO_MEMORY;
    *p = (out_packet){.local = *local, .remote = *remote, .n = room + data.n};
    memset(p->data, 0, room);
    if (data.n)
        memcpy(p->data + room, data.p, data.n);
    return queue_packet(s, p);
}

static status udp_send(net *base, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    return send_packet((net_udp *)base, local, remote, natt, natt, data);
}

static status udp_send_raw(net *base, const endpoint *local, const endpoint *remote, span data)
{
    net_udp *n = (net_udp *)base;
    return send_packet(n, local, remote, local->port != n->port, false, data);
}

/* Segmentation by the kernel (UDP_SEGMENT): one trip through the stack for many datagrams. */
static ssize_t send_segmented(const udp_socket *s, const out_packet *addrs, const struct iovec *parts,
                              size_t n, size_t seg)
{
    struct sockaddr_storage to;
    control c;
    size_t control_n = put_control(addrs, &c);
    struct msghdr h = {.msg_name = &to,
                       .msg_namelen = endpoint_to_sockaddr(&addrs->remote, &to),
                       .msg_iov = (struct iovec *)(uintptr_t)parts,
                       .msg_iovlen = n,
                       .msg_control = &c,
                       .msg_controllen = control_n + CMSG_SPACE(sizeof(uint16_t))};
    struct cmsghdr *m = (struct cmsghdr *)(void *)(c.room + control_n);
    uint16_t size = (uint16_t)seg;
    *m = (struct cmsghdr){CMSG_LEN(sizeof(size)), SOL_UDP, UDP_SEGMENT};
    memcpy(CMSG_DATA(m), &size, sizeof(size));
    ssize_t sent;
    while ((sent = sendmsg(s->fd, &h, MSG_DONTWAIT)) < 0 && (errno == EAGAIN || errno == EINTR)) {
        struct pollfd p = {.fd = s->fd, .events = POLLOUT};
        if (poll(&p, 1, TRAIN_WAIT_MS) == 0)
            break;
    }
    return sent;
}

static status udp_send_train(net *base, const endpoint *local, const endpoint *remote,
                             const struct iovec *parts, size_t n, size_t seg)
{
    net_udp *u = (net_udp *)base;
    const udp_socket *s = &u->sock[sock_index(remote->ip.family, true)];
    const out_packet addrs = {.local = *local, .remote = *remote};
    status st = ST_OK;
    if (local->port == u->port || s->fd < 0 || n < 2 || send_segmented(s, &addrs, parts, n, seg) < 0) {
        /* too big for the path or no such device: one by one they are fragmented */
        for (size_t i = 0; i < n && st == ST_OK; i++)
            st = udp_send_raw(base, local, remote, span_of(parts[i].iov_base, parts[i].iov_len));
    }
    return st;
}

/* ---- the loop's callback ---- */

static void on_event(void *ctx, int fd, uint32_t events)
{
    udp_socket *s = ctx;
    if (events & EPOLLOUT) {
        if (runtime_watch_change(s->net->rt, fd, EPOLLIN) != ST_OK)
            LOG(&s->net->log, NET, 1, "unable to watch a socket again");
        flush_socket(s);
    }
    if (events & (EPOLLIN | EPOLLERR))
        for (int round = 0; round < ROUNDS && receive_batch(s->net, s) == BATCH; round++)
            ;
}

/* ---- life ---- */

static void udp_set_ike(net *base, net_ike_fn *fn, void *ctx)
{
    net_udp *n = (net_udp *)base;
    n->ike_ctx = ctx;
    n->ike = fn;
}

static void udp_set_esp(net *base, net_esp_fn *fn, void *ctx)
{
    net_udp *n = (net_udp *)base;
    n->esp_ctx = ctx;
    n->esp = fn;
    /* many at once from the kernel, if it can */
    int on = fn != NULL;
    for (int i = 0; i < NET_FDS; i++) {
        if (sock_is_natt(i) && n->sock[i].fd >= 0)
            (void)!setsockopt(n->sock[i].fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
    }
}

static uint16_t udp_port(net *base, bool natt)
{
    net_udp *n = (net_udp *)base;
    return natt ? n->natt_port : n->port;
}

static void udp_free(net *base)
{
    net_udp *n = (net_udp *)base;
    for (int i = 0; i < NET_FDS; i++) {
        udp_socket *s = &n->sock[i];
        if (s->fd >= 0) {
            runtime_unwatch(n->rt, s->fd);
            close(s->fd);
        }
        drop_sent(s, (int)s->queued);
        pthread_mutex_destroy(&s->lock);
    }
    free(n->slots);
    free(n);
}

static const net_ops udp_ops = {
    .send = udp_send,
    .send_raw = udp_send_raw,
    .send_train = udp_send_train,
    .set_ike = udp_set_ike,
    .set_esp = udp_set_esp,
    .port = udp_port,
    .free = udp_free,
};

/* The port a socket is really bound to: inherited ones may differ from the defaults. */
static void learn_ports(net_udp *n)
{
    for (int i = 0; i < NET_FDS; i++) {
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);
        endpoint e;
        if (n->sock[i].fd < 0 || getsockname(n->sock[i].fd, (struct sockaddr *)&sa, &size) ||
            !endpoint_from_sockaddr(&e, (struct sockaddr *)&sa))
            continue;
        if (sock_is_natt(i))
            n->natt_port = e.port;
        else
            n->port = e.port;
    }
}

status net_udp_new(net **out, runtime *rt, const net_udp_config *cfg, msgbuf *msg)
{
    net_sockets fds;
    status st = net_inherit(&fds, msg);
    if (st == ST_OK)
        net_mark_sockets(&fds, cfg);
    else if (st == ST_NOT_FOUND)
        st = net_open_own(&fds, cfg, msg);
    if (st != ST_OK)
        return st;
    net_udp *n = calloc(1, sizeof(*n));
    receive_slot *slots = calloc(BATCH, sizeof(*slots));
    if (!n || !slots) {
        free(n);
        free(slots);
        net_close_sockets(&fds);
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    }
    n->base.ops = &udp_ops;
    n->rt = rt;
    n->log = cfg->log;
    n->slots = slots;
    for (int i = 0; i < NET_FDS; i++) {
        udp_socket *s = &n->sock[i];
        *s = (udp_socket){.net = n, .fd = fds.fd[i], .index = i, .tail = &s->head};
        pthread_mutex_init(&s->lock, NULL);
    }
    learn_ports(n);
    for (int i = 0; i < NET_FDS && st == ST_OK; i++)
        if (n->sock[i].fd >= 0)
            st = runtime_watch(rt, n->sock[i].fd, EPOLLIN, WATCH_INLINE, on_event, &n->sock[i]);
    if (st != ST_OK) {
        udp_free(&n->base);
        return msg_fail(msg, st, "unable to watch sockets: %s", status_text(st));
    }
    *out = &n->base;
    return ST_OK;
}
