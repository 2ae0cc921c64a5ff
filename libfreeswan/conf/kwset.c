/* Setters of keywords without a side whose value has a syntax of its own, those of other suites included. */
#include "libfreeswan/conf/keywords.h"

#include "libstrongswan/base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

static status unexpected(msgbuf *msg, const char *what)
{
    return msg_fail(msg, ST_INVALID, "%s is expected", what);
}

/* The index of a word in a list that ends with NULL; -1. */
static int word_index(const char *const *words, span word)
{
    for (int i = 0; words[i]; i++)
        if (strlen(words[i]) == word.n && strncasecmp(words[i], (const char *)word.p, word.n) == 0)
            return i;
    return -1;
}

static status copy(kw_target *t, const char **field, const char *text)
{
    const char *s = arena_str(t->mem, span_str(text));
    if (!s)
        return ST_NO_MEMORY;
    *field = s;
    return ST_OK;
}

static bool is_yes(const char *v)
{
    static const char *const words[] = {"yes", "true", "on", "1", NULL};
    return word_index(words, span_str(v)) >= 0;
}

static bool is_no(const char *v)
{
    static const char *const words[] = {"no", "false", "off", "0", NULL};
    return word_index(words, span_str(v)) >= 0;
}

/* ---- protocol ---- */

status kw_set_keyexchange(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"ike", "ikev1", "ikev2", NULL};
    int i = word_index(words, span_str(v));
    if (i < 0)
        return unexpected(msg, "ike, ikev1 or ikev2");
    t->c->version = i == 2 ? CONN_IKEV2 : CONN_IKEV1;
    return ST_OK;
}

status kw_set_ikev2(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"never", "no", "permit", "propose", "yes", "insist", "always", NULL};
    static const conn_version version[] = {CONN_IKEV1, CONN_IKEV1, CONN_IKE_BOTH, CONN_IKEV2,
                                           CONN_IKEV2, CONN_IKEV2, CONN_IKEV2};
    int i = word_index(words, span_str(v));
    if (i < 0)
        return unexpected(msg, "never, no, permit, propose, yes, insist or always");
    t->c->version = version[i];
    return ST_OK;
}

status kw_set_auto(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"ignore",   "add",  "route",  "start", "up",
                                        "ondemand", "keep", "manual", NULL};
    static const conn_auto value[] = {AUTO_IGNORE, AUTO_ADD,   AUTO_ROUTE, AUTO_START,
                                      AUTO_START,  AUTO_ROUTE, AUTO_KEEP};
    int i = word_index(words, span_str(v));
    if (i == 7)
        return msg_fail(msg, ST_UNSUPPORTED,
                        "manual keying is not supported; ignore, add, route or start is expected");
    if (i < 0)
        return unexpected(msg, "ignore, add, route or start");
    t->c->autostart = value[i];
    return ST_OK;
}

static const struct {
    const char *word;
    unsigned bits;
} auth_methods[] = {
    {"rsasig", AUTH_PUBKEY},
    {"pubkey", AUTH_PUBKEY},
    {"rsa", AUTH_PUBKEY | AUTH_RSA_ONLY},
    {"ecdsa", AUTH_PUBKEY | AUTH_ECDSA_ONLY},
    {"ecdsasig", AUTH_PUBKEY | AUTH_ECDSA_ONLY},
    {"secret", AUTH_PSK},
    {"psk", AUTH_PSK},
    {"xauthrsasig", AUTH_XAUTH_RSA},
    {"xauthpsk", AUTH_XAUTH_PSK},
    {"eap", AUTH_EAP},
    {"never", AUTH_NEVER},
};

/* "rsa-sha2_256", "ecdsa-384-sha384" and the like count as the method before the dash. */
static unsigned auth_bits(span word)
{
    size_t n = 0;
    while (n < word.n && word.p[n] != '-')
        n++;
    for (size_t i = 0; i < sizeof(auth_methods) / sizeof(auth_methods[0]); i++) {
        const char *w = auth_methods[i].word;
        bool strong = strcmp(w, "rsa") == 0 || strcmp(w, "ecdsa") == 0;
        size_t len = strong ? n : word.n;
        if (strlen(w) == len && strncasecmp(w, (const char *)word.p, len) == 0)
            return auth_methods[i].bits;
    }
    return 0;
}

status kw_set_authby(kw_target *t, const char *v, msgbuf *msg)
{
    unsigned bits = 0, one;
    bool rsa = false, ecdsa = false, free_choice = false, unknown = false;
    span rest = span_str(v);
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '|' && rest.p[n] != ',' && rest.p[n] != ' ')
            n++;
        span word = span_take(rest, n);
        rest = span_skip(rest, n + 1);
        one = auth_bits(word);
        if (word.n && !one) {
            unknown = true;
            msg_set(msg,
                    "'%.*s' is left out: rsasig, ecdsasig, pubkey, secret, xauthrsasig, xauthpsk, eap or "
                    "never is expected",
                    (int)(word.n > 60 ? 60 : word.n), (const char *)word.p);
        }
        rsa |= (one & AUTH_RSA_ONLY) != 0;
        ecdsa |= (one & AUTH_ECDSA_ONLY) != 0;
        free_choice |= one == AUTH_PUBKEY;
        bits |= one & ~(unsigned)(AUTH_RSA_ONLY | AUTH_ECDSA_ONLY);
    }
    if (!bits)
        return unexpected(msg, "rsasig, ecdsasig, pubkey, secret (psk), xauthrsasig, xauthpsk, eap or never, "
                               "or several joined by |");
    if (!free_choice && rsa != ecdsa)
        bits |= rsa ? AUTH_RSA_ONLY : AUTH_ECDSA_ONLY;
    t->c->authby = bits;
    t->warned = unknown;
    return ST_OK;
}

status kw_set_eap(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"aka", "sim",  "md5",  "gtc",     "mschapv2", "radius",
                                        "tls", "ttls", "peap", "dynamic", NULL};
    span s = span_str(v), type;
    uint64_t n;
    if (strncasecmp(v, "eap-", 4) == 0)
        s = span_skip(s, 4);
    bool ok = word_index(words, s) >= 0;
    span rest = s;
    if (!ok && span_cut(&rest, '-', &type))
        ok = span_to_u64(type, 255, &n) && n > 0 && (!rest.n || span_to_u64(rest, UINT32_MAX, &n));
    if (!ok)
        return unexpected(
            msg, "md5, sim, aka, gtc, mschapv2, tls, ttls, peap, radius, a type number or type-vendor");
    return copy(t, &t->c->eap, (const char *)s.p);
}

status kw_set_keyingtries(kw_target *t, const char *v, msgbuf *msg)
{
    uint64_t n;
    if (strcmp(v, "%forever") == 0)
        n = 0;
    else if (!isdigit((unsigned char)v[0]) || !span_to_u64(span_str(v), INT32_MAX, &n))
        return unexpected(msg, "a number or %forever");
    t->c->keyingtries = (unsigned)n;
    return ST_OK;
}

status kw_set_dpdaction(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"none", "clear", "hold", "restart", "restart_by_peer", "trap", NULL};
    static const dpd_action value[] = {DPD_NONE, DPD_CLEAR, DPD_HOLD, DPD_RESTART, DPD_RESTART, DPD_HOLD};
    int i = word_index(words, span_str(v));
    if (i < 0)
        return unexpected(msg, "none, clear, hold or restart");
    t->c->dpdaction = value[i];
    t->c->dpdaction_set = true;
    return ST_OK;
}

status kw_set_modecfgpull(kw_target *t, const char *v, msgbuf *msg)
{
    if (!is_yes(v) && !is_no(v))
        return unexpected(msg, "yes or no");
    t->c->modecfg_push = is_no(v);
    return ST_OK;
}

status kw_set_encapsulation(kw_target *t, const char *v, msgbuf *msg)
{
    if (!is_yes(v) && !is_no(v) && strcasecmp(v, "auto") != 0)
        return unexpected(msg, "yes, no or auto");
    t->c->forceencaps = is_yes(v);
    return ST_OK;
}

status kw_set_ah(kw_target *t, const char *v, msgbuf *msg)
{
    t->c->auth_ah = t->c->ah_only = true;
    return copy(t, &t->c->esp, v);
}

status kw_set_phase2(kw_target *t, const char *v, msgbuf *msg)
{
    bool ah = strcasecmp(v, "ah") == 0, both = strcasecmp(v, "ah+esp") == 0;
    if (!ah && !both && strcasecmp(v, "esp") != 0)
        return unexpected(msg, "esp, ah or ah+esp");
    t->c->auth_ah = ah || both;
    t->c->ah_only = ah;
    return ST_OK;
}

/* "3des-md5;modp1024": what follows the semicolon is the group. */
status kw_set_phase2alg(kw_target *t, const char *v, msgbuf *msg)
{
    const char *semicolon = strchr(v, ';');
    if (!semicolon)
        return copy(t, &t->c->esp, v);
    const char *alg = arena_str(t->mem, span_of(v, (size_t)(semicolon - v)));
    if (!alg)
        return ST_NO_MEMORY;
    t->c->esp = alg;
    return copy(t, &t->c->pfsgroup, semicolon + 1);
}

status kw_set_failureshunt(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"none", "passthrough", "drop", "reject", NULL};
    int i = word_index(words, span_str(v));
    if (i < 0)
        return unexpected(msg, "none, passthrough, drop or reject");
    t->c->failureshunt = words[i];
    return ST_OK;
}

/* ---- kernel ---- */

static status parse_mark(const char *v, uint32_t *mark, uint32_t *mask, msgbuf *msg)
{
    span rest = span_str(v), first;
    uint64_t value, m = UINT32_MAX;
    if (!span_cut(&rest, '/', &first) || !span_to_u64(first, UINT32_MAX, &value) ||
        (rest.n && !span_to_u64(rest, UINT32_MAX, &m)) || strchr(v, '/') == v + strlen(v) - 1)
        return unexpected(msg, "number or number/mask");
    *mark = (uint32_t)value;
    *mask = (uint32_t)m;
    return ST_OK;
}

status kw_set_mark_in(kw_target *t, const char *v, msgbuf *msg)
{
    return parse_mark(v, &t->c->mark_in, &t->c->mark_in_mask, msg);
}

status kw_set_mark_out(kw_target *t, const char *v, msgbuf *msg)
{
    return parse_mark(v, &t->c->mark_out, &t->c->mark_out_mask, msg);
}

status kw_set_mark(kw_target *t, const char *v, msgbuf *msg)
{
    status st = kw_set_mark_in(t, v, msg);
    return st ? st : kw_set_mark_out(t, v, msg);
}

status kw_set_reqid(kw_target *t, const char *v, msgbuf *msg)
{
    uint64_t n;
    if (!span_to_u64(span_str(v), UINT32_MAX - 1, &n) || !n)
        return unexpected(msg, "a number from 1 to 4294967294");
    t->c->reqid = (uint32_t)n;
    return ST_OK;
}

/* ---- attributes for clients ---- */

/* Appends the addresses of a list (blanks or commas between) to a blank-separated text. */
static status add_addresses(kw_target *t, const char **field, const char *v, msgbuf *msg)
{
    span rest = span_str(v);
    buf all = {0};
    status st = ST_OK;
    if (*field)
        buf_put_str(&all, *field);
    while (rest.n && !st) {
        size_t n = 0;
        char text[ADDR_TEXT];
        ip_addr a;
        while (n < rest.n && rest.p[n] != ',' && !isspace(rest.p[n]))
            n++;
        if (n) {
            span_cstr(span_take(rest, n), text, sizeof(text));
            st = n < sizeof(text) ? addr_from_text(&a, text, msg) : unexpected(msg, "an address");
            if (all.n)
                buf_put_u8(&all, ' ');
            buf_put_str(&all, text);
        }
        rest = span_skip(rest, n + 1);
    }
    if (!st)
        st = copy(t, field, buf_cstr(&all));
    buf_free(&all);
    return st;
}

status kw_set_dns(kw_target *t, const char *v, msgbuf *msg)
{
    return add_addresses(t, &t->c->dns, v, msg);
}

status kw_set_nbns(kw_target *t, const char *v, msgbuf *msg)
{
    return add_addresses(t, &t->c->nbns, v, msg);
}

/* ---- config setup ---- */

status kw_set_plutodebug(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"none",     "all",     "raw",         "crypt",   "parsing",
                                        "emitting", "control", "lifecycle",   "klips",   "dns",
                                        "natt",     "oppo",    "controlmore", "private", NULL};
    span rest = span_str(v);
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && !isspace(rest.p[n]) && rest.p[n] != ',')
            n++;
        if (n && word_index(words, span_take(rest, n)) < 0)
            return unexpected(
                msg,
                "a list of none, all, raw, crypt, parsing, emitting, control, lifecycle, klips, dns, natt, "
                "oppo, controlmore, private");
        rest = span_skip(rest, n + 1);
    }
    return copy(t, &t->s->plutodebug, v);
}

status kw_set_charondebug(kw_target *t, const char *v, msgbuf *msg)
{
    span rest = span_str(v), pair;
    while (span_cut(&rest, ',', &pair)) {
        pair = span_trim(pair);
        char name[8], level[8];
        size_t n = 0;
        while (n < pair.n && !isspace(pair.p[n]))
            n++;
        span_cstr(span_take(pair, n), name, sizeof(name));
        span_cstr(span_trim(span_skip(pair, n)), level, sizeof(level));
        bool known = strcasecmp(name, "all") == 0 || log_group_by_name(name) >= 0;
        bool good = strcmp(level, "-1") == 0 || (level[0] >= '0' && level[0] <= '4' && !level[1]);
        if (!known || !good)
            return unexpected(msg, "pairs of dmn, mgr, ike, chd, job, cfg, knl, net, enc or lib and a level "
                                   "from -1 to 4, separated "
                                   "by commas,");
    }
    return copy(t, &t->s->charondebug, v);
}

status kw_set_protostack(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const good[] = {"auto", "netkey", "native", "xfrm", NULL};
    if (word_index(good, span_str(v)) < 0)
        return msg_fail(msg, ST_INVALID,
                        "this stack is not supported; auto, netkey, native or xfrm is expected");
    return ST_OK;
}

status kw_set_pluto_off(kw_target *t, const char *v, msgbuf *msg)
{
    if (!is_yes(v) && !is_no(v))
        return unexpected(msg, "yes or no");
    t->s->plutostart = is_yes(v);
    return ST_OK;
}

status kw_set_port_floating(kw_target *t, const char *v, msgbuf *msg)
{
    if (!is_yes(v) && !is_no(v))
        return unexpected(msg, "yes or no");
    t->s->disable_port_floating = is_yes(v);
    return ST_OK;
}

status kw_set_listen(kw_target *t, const char *v, msgbuf *msg)
{
    ip_addr a;
    if (addr_from_text(&a, v, msg) != ST_OK)
        return unexpected(msg, "an address");
    return copy(t, &t->s->listen, v);
}

status kw_set_virtual_private(kw_target *t, const char *v, msgbuf *msg)
{
    span rest = span_str(v), one;
    while (span_cut(&rest, ',', &one)) {
        char text[128];
        subnet s;
        one = span_trim(one);
        bool v4 = span_starts(one, SPAN_LIT("%v4:")), v6 = span_starts(one, SPAN_LIT("%v6:"));
        span net = span_skip(one, 4);
        if (net.n && net.p[0] == '!')
            net = span_skip(net, 1);
        span_cstr(net, text, sizeof(text));
        if (one.n &&
            ((!v4 && !v6) || subnet_from_text(&s, text, NULL) != ST_OK || (s.ip.family == AF_INET) != v4))
            return msg_fail(
                msg, ST_INVALID,
                "'%.*s' is not %%v4:net/bits or %%v6:net/bits (with ! after the colon to exclude)",
                (int)(one.n > 60 ? 60 : one.n), (const char *)one.p);
    }
    return copy(t, &t->s->virtual_private, v);
}

/* ---- ca ---- */

status kw_set_ca_auto(kw_target *t, const char *v, msgbuf *msg)
{
    static const char *const words[] = {"ignore", "add", "route", "start", NULL};
    int i = word_index(words, span_str(v));
    if (i < 0)
        return unexpected(msg, "ignore or add");
    t->ca->autoadd = i > 0;
    return ST_OK;
}
