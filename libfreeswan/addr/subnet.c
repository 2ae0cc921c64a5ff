/* Subnets as values. The host bits of a subnet are always zero: every function that makes one clears them. */
#include "libfreeswan/addr/addr.h"

#include <ctype.h>
#include <stdio.h>

/* Clears (or sets) the bits behind the prefix. */
static ip_addr fill_host_bits(const ip_addr *a, unsigned bits, bool ones)
{
    ip_addr r = *a;
    for (size_t i = 0; i < addr_bytes(a); i++) {
        unsigned keep = bits > 8 * i ? bits - 8 * (unsigned)i : 0;
        uint8_t mask = keep >= 8 ? 0xff : (uint8_t)(0xff00 >> keep);
        r.b[i] = (uint8_t)(ones ? r.b[i] | (uint8_t)~mask : r.b[i] & mask);
    }
    return r;
}

/* The prefix length of a netmask; -1 if its ones are not contiguous. */
static int mask_bits(const ip_addr *mask)
{
    size_t n = addr_bytes(mask);
    unsigned bits = 0;
    while (bits < 8 * n && mask->b[bits / 8] & (0x80 >> bits % 8))
        bits++;
    ip_addr again = fill_host_bits(mask, bits, false);
    return addr_equal(&again, mask) ? (int)bits : -1;
}

static int parse_bits(const char *text, const ip_addr *a, msgbuf *msg)
{
    unsigned max = 8 * (unsigned)addr_bytes(a);
    uint64_t v;
    if (isdigit((unsigned char)text[0]) && span_to_u64(span_str(text), max, &v) &&
        strncmp(text, "0x", 2) != 0)
        return (int)v;
    ip_addr mask;
    if (strpbrk(text, ".:x") && addr_from_text(&mask, text, NULL) == ST_OK && mask.family == a->family) {
        int bits = mask_bits(&mask);
        if (bits < 0)
            msg_set(msg, "'%.80s' is not a netmask (its ones are not contiguous)", text);
        return bits;
    }
    msg_set(msg, "'%.80s' is not a prefix length (0 to %u, or a netmask, is expected)", text, max);
    return -1;
}

status subnet_from_text(subnet *out, const char *text, msgbuf *msg)
{
    char host[ADDR_TEXT];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof(host))
        return msg_fail(msg, ST_INVALID, "'%.80s' is not a subnet (address/bits is expected)", text);
    memcpy(host, text, n);
    host[n] = '\0';
    ip_addr a;
    if (strcmp(host, "%default") == 0)
        a = addr_any(AF_INET);
    else if (addr_from_text(&a, host, NULL) != ST_OK)
        return msg_fail(msg, ST_INVALID, "'%.80s' is not a subnet (address/bits is expected)", text);
    int bits = 8 * (int)addr_bytes(&a);
    if (slash)
        bits = parse_bits(slash + 1, &a, msg);
    else if (host[0] == '%')
        bits = 0;
    if (bits < 0)
        return ST_INVALID;
    *out = (subnet){fill_host_bits(&a, (unsigned)bits, false), (uint8_t)bits};
    return ST_OK;
}

char *subnet_text(const subnet *s, char *dst, size_t size)
{
    char tmp[ADDR_TEXT];
    if (size)
        snprintf(dst, size, "%s/%u", addr_text(&s->ip, tmp, sizeof(tmp)), s->bits);
    return dst;
}

subnet subnet_of_host(const ip_addr *a)
{
    return (subnet){*a, (uint8_t)(8 * addr_bytes(a))};
}

bool subnet_contains(const subnet *s, const ip_addr *a)
{
    if (s->ip.family != a->family)
        return false;
    ip_addr net = fill_host_bits(a, s->bits, false);
    return addr_equal(&net, &s->ip);
}

bool subnet_in(const subnet *inner, const subnet *outer)
{
    return inner->bits >= outer->bits && subnet_contains(outer, &inner->ip);
}

bool subnet_equal(const subnet *a, const subnet *b)
{
    return a->bits == b->bits && addr_equal(&a->ip, &b->ip);
}

ip_addr subnet_first(const subnet *s)
{
    return s->ip;
}

ip_addr subnet_last(const subnet *s)
{
    return fill_host_bits(&s->ip, s->bits, true);
}

ip_addr subnet_mask(const subnet *s)
{
    ip_addr ones = {.family = s->ip.family};
    memset(ones.b, 0xff, addr_bytes(&ones));
    return fill_host_bits(&ones, s->bits, false);
}
