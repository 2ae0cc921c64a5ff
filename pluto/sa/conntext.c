/* What a conn says, and how it is shown: topology, policy bits, routing. */
#include "pluto/sa/conns.h"
#include <stdio.h>
#include <string.h>

unsigned pconn_authby(const pconn *c)
{
    unsigned a = c->me.cfg->auth ? c->me.cfg->auth : c->c->authby;
    return a ? a : AUTH_PUBKEY;
}

bool pconn_is_shunt(const pconn *c)
{
    return c->c->type == CONN_PASS || c->c->type == CONN_DROP || c->c->type == CONN_REJECT;
}

policy_kind pconn_shunt_kind(const pconn *c)
{
    switch (c->c->type) {
    case CONN_PASS:
        return POLICY_PASS;
    case CONN_DROP:
        return POLICY_DROP;
    case CONN_REJECT:
        return POLICY_REJECT;
    default:
        return POLICY_IPSEC;
    }
}

bool pconn_is_tunnel(const pconn *c)
{
    return c->c->type != CONN_TRANSPORT && !pconn_is_shunt(c);
}

static subnet host_subnet(const pconn_end *e)
{
    subnet s = {.ip = e->host, .bits = addr_is_any(&e->host) ? 0 : (e->host.family == AF_INET6 ? 128 : 32)};
    return s;
}

traffic_sel pconn_ts(const pconn *c, bool mine)
{
    const pconn_end *e = mine ? &c->me : &c->peer;
    subnet s = e->has_client ? e->client : host_subnet(e);
    if (s.ip.family == 0)
        s.ip.family = c->me.host.family;
    return ts_from_subnet(&s, e->proto, e->port_any ? 0 : e->port);
}

ip_addr pconn_nexthop(const pconn *c)
{
    return c->me.cfg->nexthop;
}

static void put(buf *b, const char *s)
{
    buf_put_str(b, s);
}

static void put_client(buf *b, const pconn_end *e, bool left)
{
    bool modecfg = e->cfg->sourceip && e->cfg->sourceip[0] == '%' && !e->has_client;
    if (!e->has_client && !modecfg && !e->cfg->virt)
        return;
    if (!left)
        put(b, "===");
    if (e->has_client)
        buf_printf(b, e->has_wildcard_client ? "{%s}" : "%s", SUBNET_STR(&e->client));
    else if (e->cfg->virt)
        put(b, "?");
    else
        put(b, "%modecfg");
    if (left)
        put(b, "===");
}

static void put_host(buf *b, const pconn_end *e)
{
    char id[IDENT_TEXT], addr[ADDR_TEXT];
    addr_text(&e->host, addr, sizeof(addr));
    if (addr_is_any(&e->host))
        put(b, e->cfg->virt ? "%virtual" : e->cfg->host_group ? "%group" : "%any");
    else
        buf_printf(b, "%s%s", e->cfg->host_any && !addr_is_any(&e->cfg->host) ? "%" : "", addr);
    if (e->ikeport && e->ikeport != IKE_PORT)
        buf_printf(b, ":%u", e->ikeport);
    if (e->id && ident_type(e->id) != ID_ANY) {
        ident_text_pluto(e->id, id, sizeof(id));
        if (strcmp(id, addr) != 0)
            buf_printf(b, "[%s]", id);
    }
    if (e->proto || e->port) {
        if (e->port_any)
            buf_printf(b, ":%u/%%any", e->proto);
        else
            buf_printf(b, ":%u/%u", e->proto, e->port);
    }
}

static bool shows_hop(const pconn_end *e, const pconn_end *other)
{
    return !addr_is_any(&e->cfg->nexthop) && !addr_equal(&e->cfg->nexthop, &other->host);
}

char *pconn_topology(const pconn *c, char *dst, size_t size)
{
    buf b = {.max = size};
    put_client(&b, &c->me, true);
    put_host(&b, &c->me);
    if (shows_hop(&c->me, &c->peer))
        buf_printf(&b, "---%s", ADDR_STR(&c->me.cfg->nexthop));
    put(&b, "...");
    if (shows_hop(&c->peer, &c->me))
        buf_printf(&b, "%s---", ADDR_STR(&c->peer.cfg->nexthop));
    put_host(&b, &c->peer);
    put_client(&b, &c->peer, false);
    snprintf(dst, size, "%s", buf_cstr(&b));
    buf_free(&b);
    return dst;
}

char *pconn_prefix(const pconn *c, char *dst, size_t size)
{
    if (c->instance)
        snprintf(dst, size, "\"%s\"[%u] %s", c->name, c->instance, ADDR_STR(&c->peer.host));
    else
        snprintf(dst, size, "\"%s\"", c->name);
    return dst;
}

char *pconn_policy(const pconn *c, char *dst, size_t size)
{
    const conn *k = c->c;
    unsigned auth = pconn_authby(c);
    bool shunt = pconn_is_shunt(c);
    const struct {
        bool on;
        const char *word;
    } bits[] = {
        {auth & AUTH_PSK, "PSK"},
        {auth & (AUTH_PUBKEY | AUTH_RSA_ONLY | AUTH_ECDSA_ONLY), "RSASIG"},
        {!shunt && !k->ah_only, "ENCRYPT"},
        {!shunt && k->auth_ah, "AUTHENTICATE"},
        {!shunt && k->compress, "COMPRESS"},
        {pconn_is_tunnel(c) || shunt, "TUNNEL"},
        {!shunt && k->pfs, "PFS"},
        {k->disable_arrival_check, "DISABLEARRIVALCHECK"},
        {!k->rekey, "DONTREKEY"},
        {c->up, "UP"},
        {k->modecfg_push, "MODECFGPUSH"},
        {auth & AUTH_XAUTH_PSK, "XAUTHPSK"},
        {auth & AUTH_XAUTH_RSA, "XAUTHRSASIG"},
        {k->xauth_server, "XAUTHSERVER"},
        {!k->reauth, "DONTREAUTH"},
        {k->type == CONN_PASS, "PASS"},
        {k->type == CONN_DROP, "DROP"},
        {k->type == CONN_REJECT, "REJECT"},
        {auth & AUTH_NEVER, "NEVER_NEGOTIATE"},
    };
    size_t n = 0;
    dst[0] = 0;
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        if (bits[i].on && n < size) {
            int w = snprintf(dst + n, size - n, "%s%s", n ? "+" : "", bits[i].word);
            n += w > 0 ? (size_t)w : 0;
        }
    }
    if (n == 0)
        snprintf(dst, size, "none");
    return dst;
}

const char *routing_text(routing r)
{
    // clang-format off
    static const char *const text[] = {
        [RT_UNROUTED] = "unrouted", [RT_UNROUTED_HOLD] = "unrouted HOLD", [RT_ROUTED_ECLIPSED] = "eroute eclipsed",
        [RT_ROUTED_PROSPECTIVE] = "prospective erouted", [RT_ROUTED_HOLD] = "erouted HOLD",
        [RT_ROUTED_FAILURE] = "fail erouted", [RT_ROUTED_TUNNEL] = "erouted", [RT_UNROUTED_KEYED] = "keyed, unrouted",
    };
    // clang-format on
    return (unsigned)r < sizeof(text) / sizeof(text[0]) ? text[r] : "unrouted";
}
