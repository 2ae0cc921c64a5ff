/* What has a syntax of its own at the ends of a conn: hosts, subnets, protocol and port; and the look-up of
 * host names.
 */
#include "libfreeswan/conf/conn.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>

status conn_set_str(conn *c, const char **field, const char *text)
{
    const char *s = text ? arena_str(&c->mem, span_str(text)) : NULL;
    if (text && !s)
        return ST_NO_MEMORY;
    *field = s;
    return ST_OK;
}

/* Letters, digits, dots, dashes and underscores: what may be looked up. */
static bool name_plausible(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr(".-_:", *p))
            return false;
    return text[0] && strlen(text) < 256;
}

static const struct {
    const char *word;
    uint8_t family;
    bool any, defaultroute, group;
} host_words[] = {
    {"%any", 0, true, false, false},
    {"%any4", AF_INET, true, false, false},
    {"%any6", AF_INET6, true, false, false},
    {"0.0.0.0", AF_INET, true, false, false},
    {"::", AF_INET6, true, false, false},
    {"%defaultroute", 0, false, true, false},
    {"%group", 0, true, false, true},
    {"%opportunistic", 0, true, false, false},
    {"%opportunisticgroup", 0, true, false, true},
};

status conn_end_set_host(conn *c, conn_end *e, const char *text, msgbuf *msg)
{
    const char *name = text;
    ip_addr host = {0};
    bool any = false, defaultroute = false, group = false, allow_any = e->allow_any;
    size_t i, n = sizeof(host_words) / sizeof(host_words[0]);
    for (i = 0; i < n && strcmp(host_words[i].word, text) != 0; i++)
        ;
    if (i < n) {
        any = host_words[i].any;
        defaultroute = host_words[i].defaultroute;
        group = host_words[i].group;
        if (host_words[i].family)
            host = addr_any(host_words[i].family);
        if (host_words[i].family == AF_INET6)
            c->host_family = AF_INET6;
    } else {
        if (text[0] == '%') {
            allow_any = true;
            name++;
        }
        if (addr_from_text(&host, name, NULL) != ST_OK && !name_plausible(name))
            return msg_fail(
                msg, ST_INVALID,
                "'%.80s' is neither an address nor a host name nor %%any, %%any6, %%defaultroute or %%group",
                text);
    }
    status st = conn_set_str(c, &e->host_text, name);
    if (st)
        return st;
    e->host = host;
    e->host_any = any;
    e->host_defaultroute = defaultroute;
    e->host_group = group;
    e->allow_any = allow_any;
    return ST_OK;
}

/* Cuts "[tcp/http]" off, as strongSwan 5 writes it; it holds for the whole end, as leftprotoport does. */
static status cut_protoport(conn_end *e, char *text, msgbuf *msg)
{
    char *open = strchr(text, '[');
    size_t n = strlen(text);
    if (!open)
        return ST_OK;
    if (text[n - 1] != ']')
        return msg_fail(msg, ST_INVALID,
                        "'%s' is not a subnet (address/bits or address/bits[protocol/port] is expected)",
                        text);
    text[n - 1] = '\0';
    *open = '\0';
    return conn_end_set_protoport(e, open + 1, msg);
}

static status add_net(conn_end *e, span word, bool *more, msgbuf *msg)
{
    char text[128];
    subnet s;
    if (word.n >= sizeof(text))
        return msg_fail(msg, ST_INVALID, "'%.*s…' is not a subnet (address/bits is expected)", 60,
                        (const char *)word.p);
    span_cstr(word, text, sizeof(text));
    status st = cut_protoport(e, text, msg);
    if (st)
        return st;
    if (strcmp(text, "%dynamic") == 0 || strncmp(text, "%dynamic/", 9) == 0) {
        e->subnet_dynamic = true;
        return ST_OK;
    }
    st = subnet_from_text(&s, text, msg);
    if (st)
        return st;
    if (e->n_subnets >= CONN_MAX_SUBNETS)
        return msg_fail(msg, ST_LIMIT, "more than %d subnets at one end", CONN_MAX_SUBNETS);
    e->subnets[e->n_subnets++] = s;
    *more = true;
    return ST_OK;
}

status conn_end_set_subnets(conn *c, conn_end *e, const char *text, msgbuf *msg)
{
    span rest = span_trim(span_str(text));
    bool any = false;
    e->n_subnets = 0;
    e->subnet_dynamic = false;
    e->virt = NULL;
    if (strncmp(text, "vhost:", 6) == 0 || strncmp(text, "vnet:", 5) == 0)
        return conn_set_str(c, &e->virt, text);
    if (rest.n >= 2 && rest.p[0] == '{' && rest.p[rest.n - 1] == '}')
        rest = span_of(rest.p + 1, rest.n - 2);
    status st = ST_OK;
    while (!st && rest.n) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != ',' && !isspace(rest.p[n]))
            n++;
        span word = span_take(rest, n);
        rest = n < rest.n ? span_skip(rest, n + 1) : SPAN_NULL;
        if (word.n)
            st = add_net(e, word, &any, msg);
    }
    if (!st && !any && !e->subnet_dynamic)
        st = msg_fail(msg, ST_INVALID, "an empty list of subnets");
    return st;
}

status conn_end_set_protoport(conn_end *e, const char *text, msgbuf *msg)
{
    return protoport_from_text(text, &e->proto, &e->port, &e->port_any, msg);
}

/* ---- names ---- */

static bool look_up(const char *name, int family, ip_addr *out)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM}, *list = NULL;
    endpoint e;
    bool found = false;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    for (struct addrinfo *a = list; a && !found; a = a->ai_next)
        if (endpoint_from_sockaddr(&e, a->ai_addr)) {
            *out = e.ip;
            found = true;
        }
    freeaddrinfo(list);
    return found;
}

static status resolve_end(conn *c, conn_end *e, const conn_end *other, msgbuf *msg)
{
    int family = c->host_family ? c->host_family : other->host.family ? other->host.family : AF_UNSPEC;
    if (e->nexthop_text && !e->nexthop.family && e->nexthop_text[0] != '%' &&
        addr_from_text(&e->nexthop, e->nexthop_text, NULL) != ST_OK &&
        !look_up(e->nexthop_text, family, &e->nexthop))
        return msg_fail(msg, ST_NOT_FOUND, "the name '%.80s' cannot be resolved", e->nexthop_text);
    if (e->host_any || e->host_defaultroute || e->host_group || e->host.family || !e->host_text)
        return ST_OK;
    if (addr_from_text(&e->host, e->host_text, NULL) == ST_OK || look_up(e->host_text, family, &e->host))
        return ST_OK;
    msg_set(msg, "the name '%.80s' cannot be resolved", e->host_text);
    if (!e->allow_any)
        return ST_NOT_FOUND;
    e->host_any = true;
    return ST_OK;
}

status conn_resolve(conn *c, msgbuf *msg)
{
    status st = resolve_end(c, &c->left, &c->right, msg);
    return st ? st : resolve_end(c, &c->right, &c->left, msg);
}
