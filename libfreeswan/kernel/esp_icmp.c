/* What a router would say about a packet that cannot go on: too big, or forbidden by policy. Written back to
 * the TUN device, so that it reaches the sender wherever it is. At most so many a second, and never about
 * errors.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <netinet/in.h>

enum { ICMP_PER_SECOND = 100, QUOTE_V4 = 548, QUOTE_V6 = 1200 };

static bool within_rate(esp *e)
{
    static _Atomic int64_t second;
    static atomic_uint count;
    int64_t now = runtime_now_ms(e->rt) / 1000;

    if (atomic_exchange(&second, now) != now)
        atomic_store(&count, 0);
    return atomic_fetch_add(&count, 1) < ICMP_PER_SECOND;
}

/* RFC 1122 3.2.2: not about ICMP errors, later fragments, multicast. */
static bool may_answer(const esp_flow *f, span pkt)
{
    bool v4 = f->family == AF_INET;
    uint8_t type = (uint8_t)(f->sport >> 8);

    if (v4 ? f->dst[0] >= 224 || f->src[0] == 0 || f->src[0] >= 224 : f->dst[0] == 0xff || f->src[0] == 0xff)
        return false;
    if (v4 && (get_u16(pkt.p + 6) & 0x1fff))
        return false;
    if (f->proto == IPPROTO_ICMP)
        return type == 8 || type == 0;
    return f->proto != IPPROTO_ICMPV6 || type >= 128;
}

static size_t build_v4(uint8_t *p, span pkt, bool too_big, unsigned mtu)
{
    size_t quote = pkt.n < QUOTE_V4 ? pkt.n : QUOTE_V4, n = 28 + quote;
    uint16_t sum;

    memset(p, 0, 28);
    p[0] = 0x45;
    p[1] = 0xc0;
    set_u16(p + 2, (uint16_t)n);
    p[8] = 64;
    p[9] = IPPROTO_ICMP;
    memcpy(p + 12, pkt.p + 16, 4); /* in the name of the destination: an address the sender's policies know */
    memcpy(p + 16, pkt.p + 12, 4);
    esp_ip4_checksum(p);
    p[20] = 3;
    p[21] = too_big ? 4 : 13;
    if (too_big)
        set_u16(p + 26, (uint16_t)mtu);
    memcpy(p + 28, pkt.p, quote);
    sum = esp_checksum(p + 20, 8 + quote, 0);
    memcpy(p + 22, &sum, 2);
    return n;
}

static size_t build_v6(uint8_t *p, span pkt, bool too_big, unsigned mtu)
{
    size_t quote = pkt.n < QUOTE_V6 ? pkt.n : QUOTE_V6, n = 48 + quote;
    uint16_t sum;

    memset(p, 0, 48);
    p[0] = 0x60;
    set_u16(p + 4, (uint16_t)(8 + quote));
    p[6] = IPPROTO_ICMPV6;
    p[7] = 64;
    memcpy(p + 8, pkt.p + 24, 16);
    memcpy(p + 24, pkt.p + 8, 16);
    p[40] = too_big ? 2 : 1;
    p[41] = too_big ? 0 : 1;
    if (too_big)
        set_u32(p + 44, mtu);
    memcpy(p + 48, pkt.p, quote);
    sum = esp_checksum(p + 40, 8 + quote, esp_pseudo_sum(span_of(p, n), 40, IPPROTO_ICMPV6));
    memcpy(p + 42, &sum, 2);
    return n;
}

void esp_icmp_unreachable(esp *e, span pkt, bool too_big)
{
    uint8_t p[48 + QUOTE_V6];
    esp_flow f;
    size_t l4;

    if (!esp_flow_parse(&f, pkt, &l4) || !may_answer(&f, pkt) || !within_rate(e))
        return;
    size_t n = f.family == AF_INET ? build_v4(p, pkt, too_big, e->mtu) : build_v6(p, pkt, too_big, e->mtu);
    esp_tun_write(e, &(esp_tun_pkt){.p = p, .n = n}, 1);
}
