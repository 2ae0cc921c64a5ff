/* Addresses and endpoints as values: text, bytes, sockaddr. Nothing here allocates or looks a name up; names
 * are resolved by the daemon, which may wait for DNS where this code may not.
 */
#include "libfreeswan/addr/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

/* One to four decimal octets; missing ones are zero, as FreeS/WAN files write them ("10.1" is 10.1.0.0). */
static bool parse_dotted(ip_addr *out, const char *text)
{
    ip_addr a = {.family = AF_INET};
    const char *p = text;
    for (int i = 0; i < 4; i++) {
        unsigned v = 0;
        int digits = 0;
        for (; isdigit((unsigned char)*p) && digits < 4; p++, digits++)
            v = v * 10 + (unsigned)(*p - '0');
        if (!digits || digits > 3 || v > 255)
            return false;
        a.b[i] = (uint8_t)v;
        if (!*p) {
            *out = a;
            return true;
        }
        if (*p++ != '.')
            return false;
    }
    return false;
}

static bool parse_hex(ip_addr *out, const char *text)
{
    ip_addr a = {.family = AF_INET};
    if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X') || strlen(text) != 10)
        return false;
    for (int i = 0; i < 4; i++) {
        unsigned v = 0;
        for (int k = 0; k < 2; k++) {
            unsigned char c = (unsigned char)text[2 + 2 * i + k];
            if (!isxdigit(c))
                return false;
            v = v * 16 + (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
        }
        a.b[i] = (uint8_t)v;
    }
    *out = a;
    return true;
}

status addr_from_text(ip_addr *out, const char *text, msgbuf *msg)
{
    ip_addr a = {0};
    if (parse_hex(&a, text) || parse_dotted(&a, text)) {
        *out = a;
        return ST_OK;
    }
    if (inet_pton(AF_INET6, text, a.b) == 1) {
        a.family = AF_INET6;
        *out = a;
        return ST_OK;
    }
    return msg_fail(msg, ST_INVALID, "'%.80s' is not an address (an IPv4 or IPv6 address is expected)", text);
}

bool addr_from_bytes(ip_addr *out, span bytes)
{
    if (bytes.n != 4 && bytes.n != 16)
        return false;
    *out = (ip_addr){.family = bytes.n == 4 ? AF_INET : AF_INET6};
    memcpy(out->b, bytes.p, bytes.n);
    return true;
}

char *addr_text(const ip_addr *a, char *dst, size_t size)
{
    char tmp[INET6_ADDRSTRLEN];
    if (!size)
        return dst;
    if (!a->family)
        snprintf(dst, size, "%%any");
    else if (inet_ntop(a->family, a->b, tmp, sizeof(tmp)))
        snprintf(dst, size, "%s", tmp);
    else
        dst[0] = '\0';
    return dst;
}

size_t addr_bytes(const ip_addr *a)
{
    switch (a->family) {
    case AF_INET:
        return 4;
    case AF_INET6:
        return 16;
    default:
        return 0;
    }
}

bool addr_equal(const ip_addr *a, const ip_addr *b)
{
    return a->family == b->family && memcmp(a->b, b->b, addr_bytes(a)) == 0;
}

int addr_compare(const ip_addr *a, const ip_addr *b)
{
    if (a->family != b->family)
        return addr_bytes(a) < addr_bytes(b) ? -1 : 1;
    return memcmp(a->b, b->b, addr_bytes(a));
}

bool addr_is_any(const ip_addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->b, zero, addr_bytes(a)) == 0;
}

ip_addr addr_any(int family)
{
    return (ip_addr){.family = (uint8_t)family};
}

bool addr_is_multicast(const ip_addr *a)
{
    return a->family == AF_INET ? (a->b[0] & 0xf0) == 0xe0 : a->family == AF_INET6 && a->b[0] == 0xff;
}

bool addr_is_loopback(const ip_addr *a)
{
    if (a->family == AF_INET)
        return a->b[0] == 127;
    static const uint8_t one[16] = {[15] = 1};
    return a->family == AF_INET6 && memcmp(a->b, one, sizeof(one)) == 0;
}

/* ---- endpoints ---- */

char *endpoint_text(const endpoint *e, char *dst, size_t size)
{
    char tmp[ADDR_TEXT];
    if (size)
        snprintf(dst, size, "%s[%u]", addr_text(&e->ip, tmp, sizeof(tmp)), e->port);
    return dst;
}

bool endpoint_equal(const endpoint *a, const endpoint *b)
{
    return a->port == b->port && addr_equal(&a->ip, &b->ip);
}

socklen_t endpoint_to_sockaddr(const endpoint *e, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (e->ip.family == AF_INET) {
        struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(e->port)};
        memcpy(&sin.sin_addr, e->ip.b, 4);
        memcpy(out, &sin, sizeof(sin));
        return sizeof(sin);
    }
    if (e->ip.family == AF_INET6) {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
        memcpy(&sin6.sin6_addr, e->ip.b, 16);
        memcpy(out, &sin6, sizeof(sin6));
        return sizeof(sin6);
    }
    return 0;
}

bool endpoint_from_sockaddr(endpoint *out, const struct sockaddr *sa)
{
    *out = (endpoint){0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof(sin));
        out->ip.family = AF_INET;
        memcpy(out->ip.b, &sin.sin_addr, 4);
        out->port = ntohs(sin.sin_port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, sa, sizeof(sin6));
        out->port = ntohs(sin6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr)) { /* a dual-stack socket's view of an IPv4 peer */
            out->ip.family = AF_INET;
            memcpy(out->ip.b, sin6.sin6_addr.s6_addr + 12, 4);
        } else {
            out->ip.family = AF_INET6;
            memcpy(out->ip.b, &sin6.sin6_addr, 16);
        }
        return true;
    }
    return false;
}
