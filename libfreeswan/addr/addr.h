/* Addresses, endpoints, subnets, ranges, traffic selectors. Plain values, copied freely. Text forms are those of
 * ipsec.conf (reference ipsec-conf.md 2). One parser and one printer for all of the suite.
 */
#pragma once
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/base/span.h"
#include <netinet/in.h>
#include <sys/socket.h>

typedef struct ip_addr {
    uint8_t family; /* AF_INET, AF_INET6, 0 = not set */
    uint8_t b[16];  /* network order; IPv4 uses the first four, the rest is zero */
} ip_addr;
typedef struct endpoint {
    ip_addr ip;
    uint16_t port; /* host order */
} endpoint;
typedef struct subnet {
    ip_addr ip; /* host bits are zero */
    uint8_t bits;
} subnet;
/* A traffic selector (RFC 7296 3.13.1). Ports for ICMP hold type and code as the RFC says. */
typedef struct traffic_sel {
    ip_addr from, to;
    uint8_t proto; /* 0 = any */
    uint16_t from_port, to_port;
    bool dynamic; /* stands for "the host's own address"; filled in by ts_set_dynamic() */
} traffic_sel;

#define ADDR_TEXT 64
#define TS_TEXT   160

/* ---- addresses ---- numeric only; names are resolved elsewhere */
status addr_from_text(ip_addr *out, const char *text, msgbuf *msg) MUST_CHECK;
bool addr_from_bytes(ip_addr *out, span bytes); /* 4 or 16 octets */
char *addr_text(const ip_addr *a, char *dst, size_t size);
#define ADDR_STR(a) addr_text((a), (char[ADDR_TEXT]){0}, ADDR_TEXT)
size_t addr_bytes(const ip_addr *a); /* 4, 16, 0 */
static inline span addr_span(const ip_addr *a)
{
    return span_of(a->b, addr_bytes(a));
}
bool addr_equal(const ip_addr *a, const ip_addr *b);
int addr_compare(const ip_addr *a, const ip_addr *b); /* families differ: IPv4 first */
bool addr_is_any(const ip_addr *a);                   /* not set, 0.0.0.0 or :: */
ip_addr addr_any(int family);
bool addr_is_multicast(const ip_addr *a);
bool addr_is_loopback(const ip_addr *a);

/* ---- endpoints ---- "1.2.3.4[500]", IPv6 the same */
char *endpoint_text(const endpoint *e, char *dst, size_t size);
#define ENDPOINT_STR(e) endpoint_text((e), (char[ADDR_TEXT]){0}, ADDR_TEXT)
bool endpoint_equal(const endpoint *a, const endpoint *b);
socklen_t endpoint_to_sockaddr(const endpoint *e, struct sockaddr_storage *out);
bool endpoint_from_sockaddr(endpoint *out, const struct sockaddr *sa);

/* ---- subnets ---- "10.1.0.0/16", "10/8", "10.0.0.0/255.0.0.0", "2001:db8::/32", host address without slash */
status subnet_from_text(subnet *out, const char *text, msgbuf *msg) MUST_CHECK;
char *subnet_text(const subnet *s, char *dst, size_t size);
#define SUBNET_STR(s) subnet_text((s), (char[ADDR_TEXT]){0}, ADDR_TEXT)
subnet subnet_of_host(const ip_addr *a);
bool subnet_contains(const subnet *s, const ip_addr *a);
bool subnet_in(const subnet *inner, const subnet *outer);
bool subnet_equal(const subnet *a, const subnet *b);
ip_addr subnet_first(const subnet *s);
ip_addr subnet_last(const subnet *s);
ip_addr subnet_mask(const subnet *s);

/* ---- protocol and port ---- "udp/l2tp", "17/1701", "icmp", "6/%any" */
status protoport_from_text(const char *text, uint8_t *proto, uint16_t *port, bool *any_port, msgbuf *msg) MUST_CHECK;

/* ---- traffic selectors ---- */
traffic_sel ts_from_subnet(const subnet *s, uint8_t proto, uint16_t port); /* port 0 = all */
traffic_sel ts_dynamic(uint8_t proto, uint16_t port);
/* "10.1.0.0/16", "10.1.0.0/16[udp/1701]", "10.0.0.1-10.0.0.9", "dynamic" as charon prints them */
char *ts_text(const traffic_sel *ts, char *dst, size_t size);
#define TS_STR(ts) ts_text((ts), (char[TS_TEXT]){0}, TS_TEXT)
bool ts_equal(const traffic_sel *a, const traffic_sel *b);
bool ts_valid(const traffic_sel *ts); /* one family, from <= to, ports in order or OPAQUE */
/* What both cover: false if nothing. */
bool ts_intersect(const traffic_sel *a, const traffic_sel *b, traffic_sel *out);
bool ts_contains(const traffic_sel *outer, const traffic_sel *inner);
void ts_set_dynamic(traffic_sel *ts, const ip_addr *host);
bool ts_is_host(const traffic_sel *ts, const ip_addr *host); /* covers exactly this one address */
bool ts_covers_addr(const traffic_sel *ts, const ip_addr *a);
/* The range as a subnet, when it is one exactly (false: smallest subnet that holds it). */
bool ts_to_subnet(const traffic_sel *ts, subnet *out);
/* The exact cover of the range by subnets; returns how many were written (at most max). */
size_t ts_to_subnets(const traffic_sel *ts, subnet *out, size_t max);
