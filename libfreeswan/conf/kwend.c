/* Setters of the keywords with left and right in front. */
#include "libfreeswan/conf/keywords.h"

#include "libstrongswan/base/text.h"

#include <stdio.h>
#include <strings.h>

status kw_end_host(kw_target *t, const char *v, msgbuf *msg)
{
    return conn_end_set_host(t->c, t->end, v, msg);
}

status kw_end_nexthop(kw_target *t, const char *v, msgbuf *msg)
{
    ip_addr a = {0};
    if (v[0] == '%' && strcmp(v, "%defaultroute") != 0 && strcmp(v, "%direct") != 0)
        return msg_fail(msg, ST_INVALID, "an address, %%defaultroute or %%direct is expected");
    if (v[0] != '%' && addr_from_text(&a, v, NULL) != ST_OK)
        a = addr_any(0); /* a name: conn_resolve() looks it up */
    t->end->nexthop = a;
    return conn_set_str(t->c, &t->end->nexthop_text, v);
}

status kw_end_subnet(kw_target *t, const char *v, msgbuf *msg)
{
    return conn_end_set_subnets(t->c, t->end, v, msg);
}

status kw_end_subnetwithin(kw_target *t, const char *v, msgbuf *msg)
{
    status st = conn_end_set_subnets(t->c, t->end, v, msg);
    if (!st && t->end->n_subnets != 1)
        return msg_fail(msg, ST_INVALID, "one subnet is expected");
    t->end->subnet_within = true;
    return st;
}

status kw_end_protoport(kw_target *t, const char *v, msgbuf *msg)
{
    return conn_end_set_protoport(t->end, v, msg);
}

/* "10.0.0.1-10.0.0.9" */
static bool is_range(const char *v)
{
    char first[ADDR_TEXT];
    const char *dash = strchr(v, '-');
    ip_addr a, b;
    if (!dash || (size_t)(dash - v) >= sizeof(first))
        return false;
    span_cstr(span_of(v, (size_t)(dash - v)), first, sizeof(first));
    return addr_from_text(&a, first, NULL) == ST_OK && addr_from_text(&b, dash + 1, NULL) == ST_OK &&
           a.family == b.family && addr_compare(&a, &b) <= 0;
}

status kw_end_sourceip(kw_target *t, const char *v, msgbuf *msg)
{
    span rest = span_str(v), one;
    while (span_cut(&rest, ',', &one)) {
        char text[128];
        subnet s;
        span_cstr(span_trim(one), text, sizeof(text));
        if (!(text[0] == '%' && text[1]) && subnet_from_text(&s, text, NULL) != ST_OK && !is_range(text))
            return msg_fail(msg, ST_INVALID,
                            "an address, a pool (addr/bits or first-last), %%config, %%modeconfig or "
                            "%%poolname is expected");
    }
    return conn_set_str(t->c, &t->end->sourceip, v);
}

status kw_end_natip(kw_target *t, const char *v, msgbuf *msg)
{
    ip_addr a;
    if (strcmp(v, "%defaultroute") != 0 && addr_from_text(&a, v, NULL) != ST_OK)
        return msg_fail(msg, ST_INVALID, "an address or %%defaultroute is expected");
    return conn_set_str(t->c, &t->end->natip, v);
}

/* libreswan's %fromcert is what happens without an id. */
status kw_end_id(kw_target *t, const char *v, msgbuf *msg)
{
    return conn_set_str(t->c, &t->end->id_text, strcmp(v, "%fromcert") == 0 ? NULL : v);
}

status kw_end_rsasigkey(kw_target *t, const char *v, msgbuf *msg)
{
    if (strncmp(v, "%dns", 4) == 0) {
        msg_set(msg, "keys are not looked up in the DNS");
        t->warned = true;
        return ST_OK;
    }
    if (v[0] == '%' && strcmp(v, "%cert") != 0 && strcmp(v, "%none") != 0)
        return msg_fail(msg, ST_INVALID, "0s… or 0x… (RFC 2537), %%cert or %%none is expected");
    if (v[0] != '%' && strcmp(v, "0x00") != 0) {
        buf key = {0};
        status st = text_parse_data(&key, span_str(v));
        bool short_key = key.n < 2;
        buf_free(&key);
        if (st || short_key)
            return msg_fail(msg, ST_INVALID,
                            "0s… (base64) or 0x… (hex) of an RFC 2537 key, %%cert or %%none is expected");
    }
    return conn_set_str(t->c, &t->end->rsasigkey, v);
}

static status set_auth(kw_target *t, unsigned *field, const char *v, msgbuf *msg)
{
    static const struct {
        const char *word;
        unsigned bits;
    } words[] = {
        {"pubkey", AUTH_PUBKEY},
        {"rsasig", AUTH_PUBKEY},
        {"rsa", AUTH_PUBKEY | AUTH_RSA_ONLY},
        {"ecdsa", AUTH_PUBKEY | AUTH_ECDSA_ONLY},
        {"psk", AUTH_PSK},
        {"secret", AUTH_PSK},
        {"eap", AUTH_EAP},
        {"xauth", AUTH_XAUTH_RSA},
        {"never", AUTH_NEVER},
    };
    size_t n = strcspn(v, "-");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i].word) != n || strncasecmp(words[i].word, v, n) != 0)
            continue;
        *field = words[i].bits;
        if (words[i].bits != AUTH_EAP || !v[n])
            return ST_OK;
        status st = kw_set_eap(t, v + n + 1, msg);
        return st;
    }
    return msg_fail(msg, ST_INVALID, "pubkey, rsa, ecdsa, psk, eap, eap-METHOD or xauth is expected");
}

status kw_end_auth(kw_target *t, const char *v, msgbuf *msg)
{
    return set_auth(t, &t->end->auth, v, msg);
}

status kw_end_auth2(kw_target *t, const char *v, msgbuf *msg)
{
    return set_auth(t, &t->end->auth2, v, msg);
}

static bool flag(const char *v, bool *out)
{
    *out = strcasecmp(v, "yes") == 0 || strcmp(v, "1") == 0 || strcasecmp(v, "true") == 0 ||
           strcasecmp(v, "on") == 0;
    return *out || strcasecmp(v, "no") == 0 || strcmp(v, "0") == 0 || strcasecmp(v, "false") == 0 ||
           strcasecmp(v, "off") == 0;
}

status kw_end_modecfgclient(kw_target *t, const char *v, msgbuf *msg)
{
    bool on;
    if (!flag(v, &on))
        return msg_fail(msg, ST_INVALID, "yes or no is expected");
    if (on && !t->end->sourceip)
        return conn_set_str(t->c, &t->end->sourceip, "%modeconfig");
    return ST_OK;
}

/* libreswan names the pool at the server's own end; here it stands at the client's. */
status kw_end_addresspool(kw_target *t, const char *v, msgbuf *msg)
{
    subnet s;
    conn_end *other = t->end == &t->c->left ? &t->c->right : &t->c->left;
    if (!is_range(v) && subnet_from_text(&s, v, NULL) != ST_OK)
        return msg_fail(msg, ST_INVALID, "first-last (two addresses) is expected");
    return conn_set_str(t->c, &other->sourceip, v);
}

/* strongSwan 5: rightdns hands servers out; leftdns=%config asks, which a client does anyway. */
status kw_end_dns(kw_target *t, const char *v, msgbuf *msg)
{
    return v[0] == '%' ? ST_OK : kw_set_dns(t, v, msg);
}
