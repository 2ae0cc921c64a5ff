/* What policies look at in a packet: addresses, protocol, ports. Packets come from the host or, decrypted,
 * from a peer: nothing in them is believed beyond their length.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <netinet/in.h>

size_t esp_ip_header(span pkt)
{
    if (pkt.n >= 20 && pkt.p[0] >> 4 == 4) {
        size_t n = (size_t)(pkt.p[0] & 15) * 4;
        return n >= 20 && n <= pkt.n && get_u16(pkt.p + 2) >= n && get_u16(pkt.p + 2) <= pkt.n ? n : 0;
    }
    if (pkt.n >= 40 && pkt.p[0] >> 4 == 6)
        return (size_t)get_u16(pkt.p + 4) + 40 <= pkt.n ? 40 : 0;
    return 0;
}

/* IPv6: over the extension headers to the one that is no extension. false: cut off. */
static bool skip_extensions(span pkt, uint8_t *proto, size_t *at, bool *later_fragment)
{
    for (;;) {
        const uint8_t *p = pkt.p + *at;
        size_t left = pkt.n - *at, n;

        switch (*proto) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            if (left < 8)
                return false;
            n = ((size_t)p[1] + 1) * 8;
            break;
        case IPPROTO_FRAGMENT:
            if (left < 8)
                return false;
            n = 8;
            *later_fragment = (get_u16(p + 2) & 0xfff8) != 0;
            break;
        default:
            return true;
        }
        if (n > left)
            return false;
        *proto = p[0];
        *at += n;
        if (*later_fragment)
            return true;
    }
}

static void get_ports(esp_flow *f, span l4)
{
    switch (f->proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
        f->has_ports = l4.n >= 4;
        if (f->has_ports) {
            f->sport = get_u16(l4.p);
            f->dport = get_u16(l4.p + 2);
        }
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        f->has_ports = l4.n >= 2;
        if (f->has_ports)
            f->sport = f->dport = get_u16(l4.p); /* type and code, as selectors have them */
        break;
    default:
        break;
    }
}

bool esp_flow_parse(esp_flow *f, span pkt, size_t *l4)
{
    size_t at = esp_ip_header(pkt);
    bool later = false;

    memset(f, 0, sizeof *f);
    if (!at)
        return false;
    if (pkt.p[0] >> 4 == 4) {
        f->family = AF_INET;
        f->proto = pkt.p[9];
        memcpy(f->src, pkt.p + 12, 4);
        memcpy(f->dst, pkt.p + 16, 4);
        later = (get_u16(pkt.p + 6) & 0x1fff) != 0;
    } else {
        f->family = AF_INET6;
        f->proto = pkt.p[6];
        memcpy(f->src, pkt.p + 8, 16);
        memcpy(f->dst, pkt.p + 24, 16);
        if (!skip_extensions(pkt, &f->proto, &at, &later))
            return false;
    }
    *l4 = at;
    if (!later)
        get_ports(f, span_skip(pkt, at));
    return true;
}

bool esp_flow_is_fragment(span pkt)
{
    if (pkt.p[0] >> 4 == 4)
        return (get_u16(pkt.p + 6) & 0x3fff) != 0; /* offset, or more to come */
    return pkt.p[6] == IPPROTO_FRAGMENT;
}

uint8_t esp_get_tos(span pkt)
{
    return pkt.p[0] >> 4 == 4 ? pkt.p[1] : (uint8_t)(get_u16(pkt.p) >> 4);
}

/* RFC 6040: what the outer network marked reaches the end, if the end understands it at all. */
void esp_set_ce(uint8_t *pkt, size_t n)
{
    uint8_t tos = esp_get_tos(span_of(pkt, n));

    if ((tos & 3) == 0 || (tos & 3) == 3)
        return;
    if (pkt[0] >> 4 == 4) {
        pkt[1] |= 3;
        esp_ip4_checksum(pkt);
    } else {
        pkt[1] |= 0x30;
    }
}
