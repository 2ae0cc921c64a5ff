/* Raw sockets: ESP as IP protocol 50, out in batches; and whole IP packets past our own TUN device. Packets
 * inside UDP go through the net room, whose sockets they share with IKE.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <unistd.h>

enum { SOCK_BUFFER = 8 << 20, TRAIN_OCTETS = 60000 };

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* Another daemon of ours may sit on the same host: its SPIs differ in one bit, so that the kernel can drop
 * its packets before they wake us. The offset of the SPI: behind the IP header for IPv4, at the start for
 * IPv6. */
static void filter_spis(int fd, bool v6, bool pluto)
{
    uint8_t odd = pluto ? 0 : 1; /* jump distances: keep, drop */
    struct sock_filter v4_code[] = {
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, odd, !odd),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),  BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_filter v6_code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
                                    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
                                    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, odd, !odd),
                                    BPF_STMT(BPF_RET | BPF_K, 0xffffffff), BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_fprog prog = {.len = v6 ? 5 : 6, .filter = v6 ? v6_code : v4_code};

    (void)!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog);
}

static int open_esp(esp *e, int family)
{
    bool v6 = family == AF_INET6;
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP);

    if (fd < 0)
        return -1;
    filter_spis(fd, v6, e->is_pluto);
    if (e->mark)
        set_int(fd, SOL_SOCKET, SO_MARK, (int)e->mark);
    if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCK_BUFFER))
        set_int(fd, SOL_SOCKET, SO_RCVBUF, SOCK_BUFFER);
    set_int(fd, SOL_SOCKET, SO_SNDBUF, SOCK_BUFFER);
    if (v6) {
        set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    } else {
        /* too big for the path: the kernel fragments, the TUN device's MTU makes that rare */
        set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    }
    return fd;
}

static int open_inject(esp *e, int family)
{
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);

    if (fd < 0)
        return -1;
    if (e->mark)
        set_int(fd, SOL_SOCKET, SO_MARK, (int)e->mark);
    if (family == AF_INET6)
        set_int(fd, IPPROTO_IPV6, IPV6_HDRINCL, 1);
    return fd;
}

status esp_sock_open(esp *e, msgbuf *msg)
{
    e->raw4 = open_esp(e, AF_INET);
    if (e->raw4 < 0)
        return msg_fail(msg, errno == EPERM ? ST_DENIED : ST_IO, "cannot open a raw socket for ESP: %s",
                        strerror(errno));
    e->raw6 = open_esp(e, AF_INET6); /* a host without IPv6 has none */
    e->inject4 = open_inject(e, AF_INET);
    e->inject6 = open_inject(e, AF_INET6);
    return ST_OK;
}

void esp_sock_close(esp *e)
{
    int *fds[] = {&e->raw4, &e->raw6, &e->inject4, &e->inject6};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* ---- sending ---- */
typedef struct send_msg {
    struct sockaddr_storage to;
    struct iovec iov;
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    } control;
} send_msg;

static void put_cmsg(struct msghdr *h, int level, int type, const void *data, size_t n)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)h->msg_control + h->msg_controllen);

    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(c), data, n);
    h->msg_controllen += CMSG_SPACE(n);
}

/* Source address and type of service go along with each packet: one socket serves all SAs. */
static void fill_msg(struct mmsghdr *mm, send_msg *m, const esp_wire_pkt *p)
{
    endpoint to = {.ip = p->dst.ip};
    int tos = p->tos;

    mm->msg_hdr = (struct msghdr){.msg_name = &m->to,
                                  .msg_namelen = endpoint_to_sockaddr(&to, &m->to),
                                  .msg_iov = &m->iov,
                                  .msg_iovlen = 1,
                                  .msg_control = m->control.bytes};
    m->iov = (struct iovec){(void *)(uintptr_t)p->data.p, p->data.n};
    if (p->dst.ip.family == AF_INET) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, p->src.ip.b, 4);
        put_cmsg(&mm->msg_hdr, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        if (tos)
            put_cmsg(&mm->msg_hdr, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    } else {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, p->src.ip.b, 16);
        put_cmsg(&mm->msg_hdr, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        if (tos)
            put_cmsg(&mm->msg_hdr, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    }
}

/* A packet the kernel refuses (no route, too big) is skipped, the others go on. */
static void send_all(esp *e, int fd, struct mmsghdr *mm, unsigned n)
{
    while (n) {
        int sent = sendmmsg(fd, mm, n, 0);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0) {
            LOG(&e->log, KNL, 2, "sending ESP: %s", strerror(errno));
            sent = 1;
        }
        mm += sent;
        n -= (unsigned)sent;
    }
}

/* The first packet and those behind it that make a train with it: same ends, same size, the last one maybe
 * shorter. Returns how many were sent. */
static size_t send_udp(esp *e, const esp_wire_pkt *p, size_t n)
{
    struct iovec parts[ESP_BATCH];
    size_t i = 0, total = 0, seg = p[0].data.n;

    do {
        parts[i] = (struct iovec){(void *)(uintptr_t)p[i].data.p, p[i].data.n};
        total += p[i].data.n;
        i++;
    } while (i < n && p[i].udp && p[i - 1].data.n == seg && p[i].data.n <= seg &&
             total + seg <= TRAIN_OCTETS && endpoint_equal(&p[i].src, &p[0].src) &&
             endpoint_equal(&p[i].dst, &p[0].dst));
    if (i > 1 && e->net->ops->send_train) {
        (void)!e->net->ops->send_train(e->net, &p[0].src, &p[0].dst, parts, i, seg);
        return i;
    }
    for (size_t k = 0; k < i; k++)
        (void)!e->net->ops->send_raw(e->net, &p[k].src, &p[k].dst, p[k].data);
    return i;
}

void esp_sock_send(esp *e, const esp_wire_pkt *p, size_t n)
{
    struct mmsghdr mm[ESP_BATCH];
    send_msg m[ESP_BATCH];

    for (int v6 = 0; v6 < 2; v6++) {
        int fd = v6 ? e->raw6 : e->raw4;
        unsigned k = 0;

        for (size_t i = 0; i < n; i++) {
            if (!p[i].udp && (p[i].dst.ip.family == AF_INET6) == v6) {
                fill_msg(&mm[k], &m[k], &p[i]);
                k++;
            }
        }
        if (k && fd >= 0)
            send_all(e, fd, mm, k);
    }
    for (size_t i = 0; i < n;)
        i += p[i].udp ? send_udp(e, p + i, n - i) : 1;
}

void esp_sock_reinject(esp *e, span pkt)
{
    esp_flow f;
    size_t l4;
    endpoint to = {0};
    struct sockaddr_storage ss;

    if (!esp_flow_parse(&f, pkt, &l4))
        return;
    to.ip.family = f.family;
    memcpy(to.ip.b, f.dst, 16);
    int fd = f.family == AF_INET ? e->inject4 : e->inject6;
    socklen_t len = endpoint_to_sockaddr(&to, &ss);
    if (f.family == AF_INET6) /* port of a raw IPv6 address: the protocol, or 0 */
        ((struct sockaddr_in6 *)(void *)&ss)->sin6_port = 0;
    if (fd >= 0)
        (void)!sendto(fd, pkt.p, pkt.n, 0, (struct sockaddr *)&ss, len);
}
