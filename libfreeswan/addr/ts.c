/* Protocol/port words and traffic selectors. A selector is a range of addresses, a protocol and a range of
 * ports; the two OPAQUE ports (from 65535, to 0) stand for packets whose ports cannot be seen and meet only
 * "all ports" or OPAQUE. RFC 7296 2.9 and 3.13.1, RFC 4301 4.4.1.1
 */
#include "libfreeswan/addr/addr.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>

enum { PORT_MAX = 65535, NETDB_BUFFER = 2048 };

/* What a configuration may name even where /etc/protocols is missing. */
static const struct {
    const char *name;
    uint8_t number;
} common_protocols[] = {
    {"icmp", 1}, {"igmp", 2}, {"ipencap", 4}, {"tcp", 6},        {"udp", 17},   {"ipv6", 41},  {"gre", 47},
    {"esp", 50}, {"ah", 51},  {"ospf", 89},   {"ipv6-icmp", 58}, {"l2tp", 115}, {"sctp", 132},
};

static bool protocol_number(const char *name, uint8_t *out)
{
    uint64_t v;
    if (isdigit((unsigned char)name[0])) {
        if (!span_to_u64(span_str(name), 255, &v))
            return false;
        *out = (uint8_t)v;
        return true;
    }
    for (size_t i = 0; i < sizeof(common_protocols) / sizeof(common_protocols[0]); i++)
        if (strcmp(common_protocols[i].name, name) == 0) {
            *out = common_protocols[i].number;
            return true;
        }
    struct protoent entry, *found = NULL;
    char tmp[NETDB_BUFFER];
    if (getprotobyname_r(name, &entry, tmp, sizeof(tmp), &found) || !found || entry.p_proto > 255)
        return false;
    *out = (uint8_t)entry.p_proto;
    return true;
}

static void put_protocol(uint8_t proto, char *dst, size_t size)
{
    for (size_t i = 0; i < sizeof(common_protocols) / sizeof(common_protocols[0]); i++)
        if (common_protocols[i].number == proto) {
            snprintf(dst, size, "%s", common_protocols[i].name);
            return;
        }
    struct protoent entry, *found = NULL;
    char tmp[NETDB_BUFFER];
    if (proto && !getprotobynumber_r(proto, &entry, tmp, sizeof(tmp), &found) && found)
        snprintf(dst, size, "%s", entry.p_name);
    else
        snprintf(dst, size, "%u", proto);
}

static const char *service_protocol(uint8_t proto)
{
    return proto == IPPROTO_UDP ? "udp" : proto == IPPROTO_TCP ? "tcp" : NULL;
}

static bool port_number(const char *name, uint8_t proto, uint16_t *out)
{
    uint64_t v;
    if (isdigit((unsigned char)name[0])) {
        if (!span_to_u64(span_str(name), PORT_MAX, &v))
            return false;
        *out = (uint16_t)v;
        return true;
    }
    if (strcmp(name, "l2tp") == 0) { /* 1701 is called l2f in most /etc/services */
        *out = 1701;
        return true;
    }
    struct servent entry, *found = NULL;
    char tmp[NETDB_BUFFER];
    if (getservbyname_r(name, service_protocol(proto), &entry, tmp, sizeof(tmp), &found) || !found)
        return false;
    *out = ntohs((uint16_t)entry.s_port);
    return true;
}

static void put_port(uint16_t port, uint8_t proto, char *dst, size_t size)
{
    struct servent entry, *found = NULL;
    char tmp[NETDB_BUFFER];
    const char *name = service_protocol(proto);
    if (name && !getservbyport_r(htons(port), name, &entry, tmp, sizeof(tmp), &found) && found)
        snprintf(dst, size, "%s", entry.s_name);
    else
        snprintf(dst, size, "%u", port);
}

status protoport_from_text(const char *text, uint8_t *proto, uint16_t *port, bool *any_port, msgbuf *msg)
{
    char name[64];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    uint8_t number = 0;
    uint16_t p = 0;
    bool any = false;
    if (!n || n >= sizeof(name))
        return msg_fail(msg, ST_INVALID, "'%.80s' is not a protocol (protocol or protocol/port is expected)",
                        text);
    memcpy(name, text, n);
    name[n] = '\0';
    if (strcmp(name, "%any") != 0 && !protocol_number(name, &number))
        return msg_fail(msg, ST_INVALID,
                        "'%s' is not a protocol (a name of /etc/protocols or 0 to 255 is expected)", name);
    if (slash && strcmp(slash + 1, "%any") == 0)
        any = true;
    else if (slash && !port_number(slash + 1, number, &p))
        return msg_fail(msg, ST_INVALID,
                        "'%.60s' is not a port (a name of /etc/services, 0 to 65535 or %%any is expected)",
                        slash + 1);
    *proto = number;
    *port = p;
    *any_port = any;
    return ST_OK;
}

/* ---- traffic selectors ---- */

traffic_sel ts_from_subnet(const subnet *s, uint8_t proto, uint16_t port)
{
    return (traffic_sel){
        .from = subnet_first(s),
        .to = subnet_last(s),
        .proto = proto,
        .from_port = port,
        .to_port = port ? port : PORT_MAX,
    };
}

traffic_sel ts_dynamic(uint8_t proto, uint16_t port)
{
    subnet all = {.ip = addr_any(AF_INET)};
    traffic_sel ts = ts_from_subnet(&all, proto, port);
    ts.dynamic = true;
    return ts;
}

static bool ports_opaque(const traffic_sel *ts)
{
    return ts->from_port == PORT_MAX && ts->to_port == 0;
}

static bool ports_all(const traffic_sel *ts)
{
    return ts->from_port == 0 && ts->to_port == PORT_MAX;
}

static void put_restriction(const traffic_sel *ts, char *dst, size_t size)
{
    char proto[32], from[64] = "", to[64] = "";
    if (!size)
        return;
    dst[0] = '\0';
    if (!ts->proto && ports_all(ts))
        return;
    put_protocol(ts->proto, proto, sizeof(proto));
    if (ports_all(ts)) {
        snprintf(dst, size, "[%s]", proto);
    } else if (ports_opaque(ts)) {
        snprintf(dst, size, "[%s/OPAQUE]", proto);
    } else if (ts->from_port == ts->to_port) {
        put_port(ts->from_port, ts->proto, from, sizeof(from));
        snprintf(dst, size, "[%s/%s]", proto, from);
    } else {
        snprintf(from, sizeof(from), "%u", ts->from_port);
        snprintf(to, sizeof(to), "%u", ts->to_port);
        snprintf(dst, size, "[%s/%s-%s]", proto, from, to);
    }
}

char *ts_text(const traffic_sel *ts, char *dst, size_t size)
{
    char from[ADDR_TEXT], to[ADDR_TEXT], tail[192];
    subnet s;
    put_restriction(ts, tail, sizeof(tail));
    if (!size)
        return dst;
    if (ts->dynamic)
        snprintf(dst, size, "dynamic/%u%s", 8 * (unsigned)addr_bytes(&ts->from), tail);
    else if (ts_to_subnet(ts, &s))
        snprintf(dst, size, "%s%s", subnet_text(&s, from, sizeof(from)), tail);
    else
        snprintf(dst, size, "%s-%s%s", addr_text(&ts->from, from, sizeof(from)),
                 addr_text(&ts->to, to, sizeof(to)), tail);
    return dst;
}

bool ts_equal(const traffic_sel *a, const traffic_sel *b)
{
    return a->dynamic == b->dynamic && a->proto == b->proto && a->from_port == b->from_port &&
           a->to_port == b->to_port && addr_equal(&a->from, &b->from) && addr_equal(&a->to, &b->to);
}

bool ts_valid(const traffic_sel *ts)
{
    return addr_bytes(&ts->from) && ts->from.family == ts->to.family &&
           addr_compare(&ts->from, &ts->to) <= 0 && (ts->from_port <= ts->to_port || ports_opaque(ts));
}

static bool intersect_ports(const traffic_sel *a, const traffic_sel *b, traffic_sel *out)
{
    if (ports_opaque(a) || ports_opaque(b)) {
        const traffic_sel *other = ports_opaque(a) ? b : a;
        out->from_port = PORT_MAX;
        out->to_port = 0;
        return ports_opaque(other) || ports_all(other);
    }
    out->from_port = a->from_port > b->from_port ? a->from_port : b->from_port;
    out->to_port = a->to_port < b->to_port ? a->to_port : b->to_port;
    return out->from_port <= out->to_port;
}

bool ts_intersect(const traffic_sel *a, const traffic_sel *b, traffic_sel *out)
{
    traffic_sel r = {.dynamic = a->dynamic && b->dynamic};
    if (a->from.family != b->from.family || (a->proto && b->proto && a->proto != b->proto))
        return false;
    r.proto = a->proto ? a->proto : b->proto;
    r.from = addr_compare(&a->from, &b->from) > 0 ? a->from : b->from;
    r.to = addr_compare(&a->to, &b->to) < 0 ? a->to : b->to;
    if (addr_compare(&r.from, &r.to) > 0 || !intersect_ports(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool ts_contains(const traffic_sel *outer, const traffic_sel *inner)
{
    traffic_sel both;
    if (!ts_intersect(outer, inner, &both))
        return false;
    both.dynamic = inner->dynamic;
    return ts_equal(&both, inner);
}

void ts_set_dynamic(traffic_sel *ts, const ip_addr *host)
{
    if (!ts->dynamic)
        return;
    ts->from = ts->to = *host;
    ts->dynamic = false;
}

bool ts_is_host(const traffic_sel *ts, const ip_addr *host)
{
    return ts->dynamic || (addr_equal(&ts->from, host) && addr_equal(&ts->to, host));
}

bool ts_covers_addr(const traffic_sel *ts, const ip_addr *a)
{
    return ts->from.family == a->family && addr_compare(&ts->from, a) <= 0 && addr_compare(a, &ts->to) <= 0;
}

/* How many leading bits the two have in common. */
static unsigned common_bits(const ip_addr *a, const ip_addr *b)
{
    unsigned max = 8 * (unsigned)addr_bytes(a), bits = 0;
    while (bits < max && !((a->b[bits / 8] ^ b->b[bits / 8]) & (0x80 >> bits % 8)))
        bits++;
    return bits;
}

static unsigned trailing_zero_bits(const ip_addr *a)
{
    unsigned max = 8 * (unsigned)addr_bytes(a), n = 0;
    while (n < max && !(a->b[(max - 1 - n) / 8] & (0x80 >> (max - 1 - n) % 8)))
        n++;
    return n;
}

static subnet subnet_at(const ip_addr *a, unsigned bits)
{
    subnet s = {*a, (uint8_t)bits};
    ip_addr mask = subnet_mask(&s);
    for (size_t i = 0; i < addr_bytes(a); i++)
        s.ip.b[i] &= mask.b[i];
    return s;
}

bool ts_to_subnet(const traffic_sel *ts, subnet *out)
{
    subnet s = subnet_at(&ts->from, common_bits(&ts->from, &ts->to));
    ip_addr last = subnet_last(&s);
    *out = s;
    return addr_equal(&s.ip, &ts->from) && addr_equal(&last, &ts->to);
}

/* The address after a; false when a is the last one. */
static bool addr_next(ip_addr *a)
{
    for (size_t i = addr_bytes(a); i-- > 0;)
        if (++a->b[i])
            return true;
    return false;
}

size_t ts_to_subnets(const traffic_sel *ts, subnet *out, size_t max)
{
    size_t n = 0;
    ip_addr at = ts->from;
    if (ts->from.family != ts->to.family || !addr_bytes(&at))
        return 0;
    while (n < max && addr_compare(&at, &ts->to) <= 0) {
        unsigned width = 8 * (unsigned)addr_bytes(&at);
        unsigned bits = width - trailing_zero_bits(&at);
        subnet s = subnet_at(&at, bits);
        ip_addr last = subnet_last(&s);
        while (addr_compare(&last, &ts->to) > 0) {
            s = subnet_at(&at, ++bits);
            last = subnet_last(&s);
        }
        out[n++] = s;
        at = last;
        if (!addr_next(&at))
            break;
    }
    return n;
}
