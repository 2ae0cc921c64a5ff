/* The TUN device. Packets go in with the virtio header, so that several TCP segments of one connection that
 * arrived one behind the other go to the host as one train, with a scatter list and without copying.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- the device ---- */
static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok;
}

/* The strict filter of all interfaces together cannot be switched off for one. It drops a peer's own ESP and
 * IKE packets when that peer's address is itself reached through the tunnel (host to host). */
static void check_strict_filter(esp *e)
{
    char value = '0';
    int fd = open("/proc/sys/net/ipv4/conf/all/rp_filter", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (read(fd, &value, 1) == 1 && value == '1')
            LOG(&e->log, KNL, 0,
                "net.ipv4.conf.all.rp_filter is 1 (strict): tunnels that protect the peer's own address need "
                "2 or 0");
        close(fd);
    }
}

/* rp_filter: decrypted packets have source addresses whose way back may be another interface (transport mode,
 * several tunnels), and a strict filter would drop them silently. What arrives here has passed the policy
 * check. The device's own IPv6 address and router solicitations are of no use. */
static void tune(esp *e)
{
    static const struct {
        const char *path, *value;
    } knobs[] = {
        {"/proc/sys/net/ipv4/conf/%s/rp_filter", "0"},
        {"/proc/sys/net/ipv6/conf/%s/addr_gen_mode", "1"},
        {"/proc/sys/net/ipv6/conf/%s/accept_ra", "0"},
        {"/proc/sys/net/ipv6/conf/%s/router_solicitations", "0"},
    };
    char path[128];

    for (size_t i = 0; i < sizeof knobs / sizeof knobs[0]; i++) {
        const char *at = strstr(knobs[i].path, "%s");
        snprintf(path, sizeof path, "%.*s%s%s", (int)(at - knobs[i].path), knobs[i].path, e->tun_name,
                 at + 2);
        if (!write_file(path, knobs[i].value) && i == 0)
            LOG(&e->log, KNL, 1, "cannot write %s: with a strict reverse path filter packets may get lost",
                path);
    }
    check_strict_filter(e);
}

static bool bring_up(const char *name, unsigned mtu)
{
    struct ifreq req = {0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok;

    if (s < 0)
        return false;
    memcpy(req.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    req.ifr_mtu = (int)mtu;
    ok = ioctl(s, SIOCSIFMTU, &req) == 0;
    req.ifr_qlen = 1000;
    (void)!ioctl(s, SIOCSIFTXQLEN, &req);
    if (ok && ioctl(s, SIOCGIFFLAGS, &req) == 0) {
        req.ifr_flags |= IFF_UP | IFF_RUNNING;
        ok = ioctl(s, SIOCSIFFLAGS, &req) == 0;
    }
    close(s);
    return ok;
}

status esp_tun_open(esp *e, const char *name, unsigned mtu, msgbuf *msg)
{
    struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    int header = sizeof(struct virtio_net_hdr);

    e->tun_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (e->tun_fd < 0)
        return msg_fail(msg, errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO,
                        "cannot open /dev/net/tun: %s", strerror(errno));
    memcpy(req.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    if (ioctl(e->tun_fd, TUNSETIFF, &req) < 0)
        return msg_fail(msg, errno == EBUSY ? ST_EXISTS : ST_IO, "cannot make the TUN device %s: %s", name,
                        strerror(errno));
    memcpy(e->tun_name, req.ifr_name, sizeof e->tun_name - 1);
    if (ioctl(e->tun_fd, TUNSETVNETHDRSZ, &header) < 0)
        return msg_fail(msg, ST_IO, "TUN device %s: %s", name, strerror(errno));
    /* without offload everything still works, packet by packet */
    if (ioctl(e->tun_fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
        LOG(&e->log, KNL, 1, "TUN device %s has no segmentation offload: %s", name, strerror(errno));
    tune(e);
    if (!bring_up(e->tun_name, mtu))
        return msg_fail(msg, ST_IO, "cannot bring up the TUN device %s: %s", name, strerror(errno));
    return ST_OK;
}

/* ---- trains ---- */
typedef struct segment {
    bool tcp, v6; /* tcp: may be part of a train */
    size_t l4, header, payload;
    uint32_t seq;
    uint8_t flags;
} segment;

enum { TCP_FIN = 1, TCP_PSH = 8, TCP_ACK = 16, TRAIN_MAX = 60000 };

/* Plain ACK-with-data segments whose checksums are right: a train gets new ones, so a broken packet must not
 * get into it. */
static void inspect(const esp_tun_pkt *k, segment *s)
{
    esp_flow f;

    memset(s, 0, sizeof *s);
    if (k->n < 40 || !esp_flow_parse(&f, span_of(k->p, k->n), &s->l4) || f.proto != IPPROTO_TCP)
        return;
    s->v6 = f.family == AF_INET6;
    bool plain_ip = s->v6 ? s->l4 == 40 && get_u16(k->p + 4) + 40u == k->n
                          : s->l4 == 20 && get_u16(k->p + 2) == k->n && !(get_u16(k->p + 6) & 0x3fff);
    if (!plain_ip || k->n < s->l4 + 20)
        return;
    const uint8_t *tcp = k->p + s->l4;
    s->header = s->l4 + (size_t)(tcp[12] >> 4) * 4;
    s->flags = tcp[13];
    s->seq = get_u32(tcp + 4);
    if (s->header < s->l4 + 20 || s->header >= k->n || (s->flags & ~TCP_PSH) != TCP_ACK)
        return;
    s->payload = k->n - s->header;
    s->tcp = esp_checksum(tcp, k->n - s->l4, esp_pseudo_sum(span_of(k->p, k->n), s->l4, IPPROTO_TCP)) == 0;
}

/* Everything of both headers that a train has only once is the same. */
static bool same_train(const uint8_t *a, const uint8_t *b, const segment *sa, const segment *sb)
{
    size_t l4 = sa->l4;

    if (sa->v6 != sb->v6 || sa->header != sb->header || sa->l4 != sb->l4)
        return false;
    bool ip_same = sa->v6 ? memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, 34) == 0
                          : a[1] == b[1] && memcmp(a + 6, b + 6, 4) == 0 && memcmp(a + 12, b + 12, 8) == 0;
    return ip_same && memcmp(a + l4, b + l4, 4) == 0 && memcmp(a + l4 + 8, b + l4 + 8, 5) == 0 &&
           memcmp(a + l4 + 14, b + l4 + 14, 2) == 0 &&
           memcmp(a + l4 + 20, b + l4 + 20, sa->header - l4 - 20) == 0;
}

/* How many packets from `first` on make one train. */
static size_t train_length(const esp_tun_pkt *k, const segment *s, size_t first, size_t n, size_t *total)
{
    const segment *lead = &s[first];
    size_t i = first + 1;

    *total = k[first].n;
    if (!lead->tcp || (lead->flags & TCP_PSH))
        return 1;
    for (; i < n; i++) {
        if (!s[i].tcp || s[i].payload > lead->payload ||
            s[i].seq != s[i - 1].seq + (uint32_t)s[i - 1].payload || *total + s[i].payload > TRAIN_MAX ||
            !same_train(k[first].p, k[i].p, lead, &s[i]))
            break;
        *total += s[i].payload;
        if (s[i].payload < lead->payload || (s[i].flags & TCP_PSH)) {
            i++;
            break; /* a shorter one, or one that says "now", ends it */
        }
    }
    return i - first;
}

static void write_out(esp *e, struct iovec *iov, int n)
{
    ssize_t done;

    do
        done = writev(e->tun_fd, iov, n);
    while (done < 0 && errno == EINTR);
    if (done < 0 && errno != EAGAIN)
        LOG(&e->log, KNL, 2, "write to %s: %s", e->tun_name, strerror(errno));
}

static void write_train(esp *e, esp_tun_pkt *k, const segment *s, size_t n, size_t total)
{
    struct virtio_net_hdr vh = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                .gso_type = s->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
                                .hdr_len = (uint16_t)s->header,
                                .gso_size = (uint16_t)s->payload,
                                .csum_start = (uint16_t)s->l4,
                                .csum_offset = 16};
    struct iovec iov[ESP_BATCH + 1] = {{&vh, sizeof vh}};
    uint8_t *tcp = k->p + s->l4;
    uint16_t sum;

    if (s->v6) {
        set_u16(k->p + 4, (uint16_t)(total - 40));
    } else {
        set_u16(k->p + 2, (uint16_t)total);
        esp_ip4_checksum(k->p);
    }
    tcp[13] |= s[n - 1].flags & TCP_PSH;
    sum = (uint16_t)~esp_checksum(NULL, 0, esp_pseudo_sum(span_of(k->p, total), s->l4, IPPROTO_TCP));
    memcpy(tcp + 16, &sum, 2);
    iov[1] = (struct iovec){k->p, k->n};
    for (size_t i = 1; i < n; i++)
        iov[i + 1] = (struct iovec){k[i].p + s[i].header, s[i].payload};
    write_out(e, iov, (int)n + 1);
}

static void write_one(esp *e, const esp_tun_pkt *k)
{
    struct virtio_net_hdr vh = {0};
    struct iovec iov[2] = {{&vh, sizeof vh}, {k->p, k->n}};

    write_out(e, iov, 2);
}

void esp_tun_write(esp *e, esp_tun_pkt *k, size_t n)
{
    segment s[ESP_BATCH];

    if (n == 1) {
        write_one(e, k);
        return;
    }
    for (size_t i = 0; i < n; i++)
        inspect(&k[i], &s[i]);
    for (size_t i = 0; i < n;) {
        size_t total, length = train_length(k, s, i, n, &total);

        if (length == 1)
            write_one(e, &k[i]);
        else
            write_train(e, &k[i], &s[i], length, total);
        i += length;
    }
}
