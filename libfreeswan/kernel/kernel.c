/* What the back ends have in common: how a policy's priority follows from its selectors. */
#include "libfreeswan/kernel/kernel.h"

enum {
    PRIO_BASE = 200000, /* below: room for 256 bits of prefix, protocol and ports */
    PRIO_PER_BIT = 512,
    PRIO_PROTO = 256,
    PRIO_PORT = 64,
};

static unsigned prefix_bits(const traffic_sel *ts)
{
    subnet around;

    ts_to_subnet(ts, &around); /* of a range: the smallest subnet around it */
    return around.bits;
}

static bool has_ports(const traffic_sel *ts)
{
    return ts->from_port != 0 || ts->to_port != 65535;
}

/* The narrower the selectors the smaller the number. A trap comes directly behind what it would set up, and
 * so still before everything wider. */
uint32_t kernel_priority(const traffic_sel *src, const traffic_sel *dst, bool trap)
{
    uint32_t prio = PRIO_BASE - PRIO_PER_BIT * (prefix_bits(src) + prefix_bits(dst));

    if (src->proto || dst->proto)
        prio -= PRIO_PROTO;
    if (has_ports(src))
        prio -= PRIO_PORT;
    if (has_ports(dst))
        prio -= PRIO_PORT;
    return prio + (trap ? 1 : 0);
}
