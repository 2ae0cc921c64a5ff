/* Checksums, and the TCP trains of the TUN device: the host hands us up to 64 KiB of one connection at a time
 * with one header (virtio_net.h), which is cut into packets here. That saves most of the system calls and
 * most of the host's own work.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <netinet/in.h>

/* ---- checksums (RFC 1071): the sum of 16-bit words in host order, carries folded at the end ---- */
uint32_t esp_checksum_add(const void *data, size_t n, uint32_t sum)
{
    const uint8_t *p = data;
    uint64_t acc = sum, v;

    while (n >= 8) {
        memcpy(&v, p, 8);
        acc += v;
        acc += acc < v;
        p += 8;
        n -= 8;
    }
    v = 0;
    if (n)
        memcpy(&v, p, n);
    acc += v;
    acc += acc < v;
    acc = (acc & 0xffffffff) + (acc >> 32);
    acc = (acc & 0xffffffff) + (acc >> 32);
    acc = (acc & 0xffff) + (acc >> 16);
    return (uint32_t)((acc & 0xffff) + (acc >> 16));
}

uint16_t esp_checksum(const void *p, size_t n, uint32_t sum)
{
    sum = esp_checksum_add(p, n, sum);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum; /* in memory order: store with memcpy */
}

void esp_ip4_checksum(uint8_t *pkt)
{
    pkt[10] = pkt[11] = 0;
    uint16_t sum = esp_checksum(pkt, (size_t)(pkt[0] & 15) * 4, 0);
    memcpy(pkt + 10, &sum, 2);
}

uint32_t esp_pseudo_sum(span pkt, size_t l4, uint8_t proto)
{
    uint8_t tail[8] = {0};
    bool v6 = pkt.p[0] >> 4 == 6;

    set_u32(tail, (uint32_t)(pkt.n - l4));
    tail[7] = proto;
    return esp_checksum_add(pkt.p + (v6 ? 8 : 12), v6 ? 32 : 8, esp_checksum_add(tail, 8, 0));
}

void esp_renew_checksum(uint8_t *pkt, size_t l4, size_t n, uint8_t proto)
{
    size_t at = l4 + (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2);
    bool v4 = pkt[0] >> 4 == 4;
    uint16_t sum;

    if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_ICMPV6) || at + 2 > n)
        return;
    if (v4 && proto == IPPROTO_UDP && get_u16(pkt + at) == 0)
        return; /* has none */
    set_u16(pkt + at, 0);
    sum = esp_checksum(pkt + l4, n - l4, esp_pseudo_sum(span_of(pkt, n), l4, proto));
    if (sum == 0 && proto == IPPROTO_UDP)
        sum = 0xffff;
    memcpy(pkt + at, &sum, 2);
}

/* ---- cutting trains ---- */
/* The device left the checksum to us: the pseudo header's part is there already. */
static bool complete_checksum(const struct virtio_net_hdr *vh, uint8_t *pkt, size_t n)
{
    size_t start = vh->csum_start, at = start + vh->csum_offset;
    uint16_t sum;

    if (start >= n || at + 2 > n)
        return false;
    sum = esp_checksum(pkt + start, n - start, 0);
    if (sum == 0)
        sum = 0xffff; /* UDP: 0 would mean none */
    memcpy(pkt + at, &sum, 2);
    return true;
}

bool esp_gso_begin(esp_gso *g, const struct virtio_net_hdr *vh, uint8_t *pkt, size_t n)
{
    uint8_t type = vh->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

    *g = (esp_gso){.pkt = pkt, .n = n};
    if (type == VIRTIO_NET_HDR_GSO_NONE)
        return !(vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || complete_checksum(vh, pkt, n);
    if ((type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6) || !vh->gso_size || n < 40)
        return false;
    g->v6 = type == VIRTIO_NET_HDR_GSO_TCPV6;
    g->l4 = vh->csum_start;
    g->seg = vh->gso_size;
    if (g->l4 < (g->v6 ? 40u : 20u) || g->l4 + 20 > n || pkt[0] >> 4 != (g->v6 ? 6 : 4))
        return false;
    g->header = g->l4 + (size_t)(pkt[g->l4 + 12] >> 4) * 4;
    g->at = g->header;
    return g->header >= g->l4 + 20 && g->header < n && g->header + g->seg <= ESP_MAX_PACKET;
}

/* Header fields of the index-th packet of the train; p has header and payload. */
static void fix_headers(const esp_gso *g, uint8_t *p, size_t n, bool last)
{
    uint8_t *tcp = p + g->l4;
    uint16_t sum;

    if (g->v6) {
        set_u16(p + 4, (uint16_t)(n - 40));
    } else {
        set_u16(p + 2, (uint16_t)n);
        set_u16(p + 4, (uint16_t)(get_u16(g->pkt + 4) + g->index));
        esp_ip4_checksum(p);
    }
    set_u32(tcp + 4, get_u32(g->pkt + g->l4 + 4) + (uint32_t)(g->at - g->header));
    if (!last)
        tcp[13] &= (uint8_t)~0x09; /* FIN and PSH belong to the last one */
    if (g->index)
        tcp[13] &= (uint8_t)~0x80; /* CWR to the first */
    tcp[16] = tcp[17] = 0;
    sum = esp_checksum(tcp, n - g->l4, esp_pseudo_sum(span_of(p, n), g->l4, IPPROTO_TCP));
    memcpy(tcp + 16, &sum, 2);
}

size_t esp_gso_next(esp_gso *g, uint8_t *to)
{
    size_t left = g->n - g->at, part;

    if (!g->seg) {
        if (g->index++)
            return 0;
        memcpy(to, g->pkt, g->n);
        return g->n;
    }
    if (!left)
        return 0;
    part = left < g->seg ? left : g->seg;
    memcpy(to, g->pkt, g->header);
    memcpy(to + g->header, g->pkt + g->at, part);
    fix_headers(g, to, g->header + part, part == left);
    g->at += part;
    g->index++;
    return g->header + part;
}
