/* Traffic selectors as the kernel has them: two prefixes, a protocol, ports under masks. */
#include "libfreeswan/kernel/xfrm_priv.h"
#include <arpa/inet.h>

static bool is_icmp(uint8_t proto)
{
    return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* A range of ports as value and mask: the smallest aligned block around it. RFC 7296's OPAQUE (from > to) is
 * "no ports to be seen", which the kernel can say only by not asking. */
static void put_port(__be16 *port, __be16 *mask, const traffic_sel *ts)
{
    uint16_t differ = ts->from_port ^ ts->to_port, m = 0xffff;

    if (ts->from_port > ts->to_port)
        return;
    while (differ & m)
        m = (uint16_t)(m << 1);
    *port = htons(ts->from_port & m);
    *mask = htons(m);
}

static void put_icmp(struct xfrm_selector *sel, const traffic_sel *ts)
{
    /* one field of type and code; the kernel sees the type as source port, the code as destination port */
    uint8_t type = (uint8_t)(ts->from_port >> 8), code = (uint8_t)ts->from_port;

    if (ts->from_port == 0 && ts->to_port == 0xffff)
        return;
    sel->sport = htons(type);
    sel->sport_mask = 0xffff;
    if (ts->from_port == ts->to_port) {
        sel->dport = htons(code);
        sel->dport_mask = 0xffff;
    }
}

void xfrm_put_sel(struct xfrm_selector *sel, const subnet *src, const subnet *dst, const traffic_sel *sts,
                  const traffic_sel *dts)
{
    *sel = (struct xfrm_selector){
        .family = src->ip.family, .prefixlen_s = src->bits, .prefixlen_d = dst->bits};
    xfrm_put_addr(&sel->saddr, &src->ip);
    xfrm_put_addr(&sel->daddr, &dst->ip);
    sel->proto = sts->proto ? sts->proto : dts->proto;
    if (!sel->proto)
        return;
    if (is_icmp(sel->proto)) {
        put_icmp(sel, sts->from_port || sts->to_port != 0xffff ? sts : dts);
    } else {
        put_port(&sel->sport, &sel->sport_mask, sts);
        put_port(&sel->dport, &sel->dport_mask, dts);
    }
}

static traffic_sel get_side(const struct xfrm_selector *sel, const xfrm_address_t *addr, uint8_t bits,
                            __be16 port, __be16 mask)
{
    subnet prefix = {.ip = xfrm_get_addr(addr, sel->family), .bits = bits};
    traffic_sel ts = ts_from_subnet(&prefix, sel->proto, 0);

    if (mask && sel->proto) {
        ts.from_port = ntohs(port) & ntohs(mask);
        ts.to_port = (uint16_t)(ts.from_port | (uint16_t)~ntohs(mask));
    }
    return ts;
}

void xfrm_get_sel(const struct xfrm_selector *sel, traffic_sel *src, traffic_sel *dst)
{
    *src = get_side(sel, &sel->saddr, sel->prefixlen_s, sel->sport, sel->sport_mask);
    *dst = get_side(sel, &sel->daddr, sel->prefixlen_d, sel->dport, sel->dport_mask);
    if (is_icmp(sel->proto) && sel->sport_mask) {
        uint16_t type_code = (uint16_t)(ntohs(sel->sport) << 8 | (ntohs(sel->dport) & 0xff));
        src->from_port = src->to_port = type_code;
        dst->from_port = dst->to_port = type_code;
    }
}
