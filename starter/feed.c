/* Telling the daemons what the configuration says. Every conn goes to both (each can answer with it), its
 * auto= to the one of its protocol. An update sends differences only: what did not change is not mentioned,
 * and keeps its tunnels.
 */
#include "starter/starter.h"

#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/run/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

enum { ANSWER_MS = 30 * 1000 };

typedef struct link { /* one connection to a daemon */
    const starter *s;
    const daemon_state *d;
    ctl_conn c;
    bool open;
    const char *about; /* what the request under way is about */
    bool said;
} link;

static bool link_open(link *l, const starter *s, daemon_kind kind)
{
    char path[4096];
    *l = (link){.s = s, .d = &s->d[kind]};
    if (!l->d->pid)
        return false;
    snprintf(path, sizeof(path), "%s/%s.ctl", path_piddir(), l->d->name);
    if (ctl_connect(&l->c, path, l->d->magic) != ST_OK) {
        say(LOG_WARNING, "cannot connect to %s: %s: %s", l->d->name, path, strerror(errno));
        return false;
    }
    l->open = true;
    return true;
}

static void link_close(link *l)
{
    if (l->open)
        ctl_close(&l->c);
    l->open = false;
}

/* What a daemon answers goes to the log with its refusals (and all of it with --debug). */
static void heard(void *ctx, int code, span text)
{
    link *l = ctx;
    bool trouble = code != 0 && code != 2 && code != 4;
    if (trouble || l->s->debug)
        say(trouble ? LOG_WARNING : LOG_DEBUG, "%s: %s: %.*s", l->d->name, l->about,
            (int)(text.n > 500 ? 500 : text.n), (const char *)text.p);
    l->said |= trouble;
}

/* No terminal here: whoever needs a pass phrase runs `ipsec secrets`. */
static void ask(link *l, const ctl_request *r, const char *about)
{
    buf body = {0};
    msgbuf msg = {""};
    int code = 0;
    const ctl_reply_ops ops = {heard, NULL, l};
    if (!l->open)
        return;
    l->about = about;
    l->said = false;
    status st = ctl_encode(r, &body, &msg);
    if (st) {
        say(LOG_WARNING, "%s: %s", about, msg.text[0] ? msg.text : status_text(st));
        buf_free(&body);
        return;
    }
    st = ctl_send(&l->c, (uint16_t)r->type, buf_span(&body));
    if (!st)
        st = ctl_receive(&l->c, &ops, ANSWER_MS, &code);
    buf_free(&body);
    if (st) {
        say(LOG_WARNING, "%s did not answer (%s): %s", l->d->name, about, status_text(st));
        link_close(l);
    } else if (code && !l->said) {
        say(LOG_WARNING, "%s refused (%s), code %d", l->d->name, about, code);
    }
}

static void ask_name(link *l, ctl_type type, const char *name, bool asynchronous)
{
    ctl_request r;
    ctl_request_init(&r, type);
    r.name = name;
    r.asynchronous = asynchronous;
    ask(l, &r, name);
}

/* ---- conns ---- */

static daemon_kind owner_of(const conn *c)
{
    return c->version & CONN_IKEV1 ? PLUTO : CHARON;
}

static bool is_raw_key(const char *key)
{
    return key && key[0] != '%' && strcmp(key, "0x00") != 0;
}

static void add_key(link *l, const conn *c, const conn_end *e)
{
    ctl_request r;
    buf key = {0};
    if (!e->id_text || !is_raw_key(e->rsasigkey) || !(c->authby & AUTH_PUBKEY))
        return;
    ctl_request_init(&r, CTL_REQ_ADD_PUBKEY);
    r.text = e->id_text;
    if (text_parse_data(&key, span_str(e->rsasigkey)) == ST_OK) {
        r.data = buf_span(&key);
        ask(l, &r, c->name);
    }
    buf_free(&key);
}

static void add_conn(link *l, const conn *c)
{
    ctl_request r;
    buf body = {0};
    if (!l->open || c->autostart == AUTO_IGNORE)
        return;
    ctl_request_init(&r, CTL_REQ_ADD_CONN);
    if (conn_encode(c, &body) == ST_OK) {
        r.conn = buf_span(&body);
        ask(l, &r, c->name);
    } else {
        say(LOG_WARNING, "conn '%s': out of memory", c->name);
    }
    buf_free(&body);
    if (l->d->kind == PLUTO) {
        add_key(l, c, &c->left);
        add_key(l, c, &c->right);
    }
}

static void start_conn(link *l, const conn *c)
{
    if (owner_of(c) != l->d->kind)
        return;
    if (c->autostart == AUTO_ROUTE)
        ask_name(l, CTL_REQ_ROUTE, c->name, false);
    else if (c->autostart == AUTO_START || c->autostart == AUTO_KEEP)
        ask_name(l, CTL_REQ_INITIATE, c->name, true);
}

/* What the old auto= had done and no tunnel needs. */
static void end_auto(link *l, const conn *was)
{
    if (owner_of(was) == l->d->kind && was->autostart == AUTO_ROUTE)
        ask_name(l, CTL_REQ_UNROUTE, was->name, false);
}

static void add_ca(link *l, const ca_section *ca)
{
    ctl_request r;
    buf body = {0};
    if (!l->open || !ca->autoadd || !ca->cacert)
        return;
    ctl_request_init(&r, CTL_REQ_ADD_CA);
    if (ca_section_encode(ca, &body) == ST_OK) {
        r.ca = buf_span(&body);
        ask(l, &r, ca->name);
    }
    buf_free(&body);
}

/* ---- options that travel outside of conns ---- */

static void send_options(link *l, const setup *s)
{
    ctl_request r;
    ctl_request_init(&r, CTL_REQ_CONFIG);
    r.options.strictcrl = s->strictcrl;
    r.options.cachecrls = s->cachecrls;
    r.options.uniqueids = s->uniqueids;
    r.options.nocrsend = s->nocrsend;
    if (s->cookie_threshold)
        r.options.cookie_threshold = s->cookie_threshold;
    if (s->crlcheckinterval_s)
        r.options.crlcheckinterval_s = s->crlcheckinterval_s;
    ask(l, &r, "config setup");
}

void feed_all(starter *s, daemon_kind kind, const config *cfg)
{
    link l;
    if (!link_open(&l, s, kind))
        return;
    send_options(&l, &cfg->setup);
    if (kind == PLUTO) {
        ctl_request r;
        ctl_request_init(&r, CTL_REQ_LISTEN);
        ask(&l, &r, "listen");
    }
    for (size_t i = 0; i < cfg->n_cas; i++)
        add_ca(&l, cfg->cas[i]);
    for (size_t i = 0; i < cfg->n_conns && !s->stopping; i++) {
        add_conn(&l, cfg->conns[i]);
        if (cfg->conns[i]->autostart != AUTO_IGNORE)
            start_conn(&l, cfg->conns[i]);
    }
    link_close(&l);
}

/* ---- differences ---- */

typedef struct names { /* what a configuration holds, by name */
    hashmap *conns, *cas;
} names;

static void names_free(names *n)
{
    hashmap_free(n->conns);
    hashmap_free(n->cas);
}

static status names_of(const config *cfg, names *out)
{
    *out = (names){0};
    status st = hashmap_new(&out->conns);
    if (!st)
        st = hashmap_new(&out->cas);
    for (size_t i = 0; i < cfg->n_conns && !st; i++)
        if (cfg->conns[i]->autostart != AUTO_IGNORE)
            st = hashmap_add(out->conns, span_str(cfg->conns[i]->name), cfg->conns[i]);
    for (size_t i = 0; i < cfg->n_cas && !st; i++)
        if (cfg->cas[i]->autoadd)
            st = hashmap_add(out->cas, span_str(cfg->cas[i]->name), cfg->cas[i]);
    return st;
}

/* The same conn is there; its auto= does not count, for it is no property of the tunnel. */
static bool conn_known(const names *n, const conn *c)
{
    const conn *other = hashmap_get(n->conns, span_str(c->name));
    if (!other)
        return false;
    conn like = *c;
    like.autostart = other->autostart;
    return conn_equal(other, &like);
}

static bool auto_differs(const names *n, const conn *c)
{
    const conn *other = hashmap_get(n->conns, span_str(c->name));
    return other && other->autostart != c->autostart;
}

static bool ca_known(const names *n, const ca_section *ca)
{
    const ca_section *other = hashmap_get(n->cas, span_str(ca->name));
    return other && ca_section_equal(other, ca);
}

static void send_difference(starter *s, daemon_kind kind, const config *was, const config *now,
                            const names *old, const names *new)
{
    link l;
    if (!link_open(&l, s, kind))
        return;
    send_options(&l, &now->setup);
    for (size_t i = 0; i < was->n_conns; i++)
        if (hashmap_get(old->conns, span_str(was->conns[i]->name)) && !conn_known(new, was->conns[i]))
            ask_name(&l, CTL_REQ_DEL_CONN, was->conns[i]->name, false);
    for (size_t i = 0; i < was->n_cas; i++)
        if (was->cas[i]->autoadd && !ca_known(new, was->cas[i]))
            ask_name(&l, CTL_REQ_DEL_CA, was->cas[i]->name, false);
    for (size_t i = 0; i < now->n_cas; i++)
        if (!ca_known(old, now->cas[i]))
            add_ca(&l, now->cas[i]);
    for (size_t i = 0; i < now->n_conns; i++) {
        const conn *c = now->conns[i];
        bool known = conn_known(old, c);
        if (c->autostart == AUTO_IGNORE)
            continue;
        if (!known)
            add_conn(&l, c);
        if (known && auto_differs(old, c))
            end_auto(&l, hashmap_get(old->conns, span_str(c->name)));
        if (!known || auto_differs(old, c))
            start_conn(&l, c);
    }
    link_close(&l);
}

/* charondebug may change while charon runs. */
static void send_log_levels(starter *s, const setup *now)
{
    link l;
    span rest = span_str(now->charondebug), pair;
    if (!link_open(&l, s, CHARON))
        return;
    ctl_request r;
    ctl_request_init(&r, CTL_REQ_LOGLEVEL);
    r.level = 1;
    ask(&l, &r, "charondebug");
    while (span_cut(&rest, ',', &pair)) {
        char name[8] = "", level[8] = "";
        pair = span_trim(pair);
        size_t n = 0;
        while (n < pair.n && pair.p[n] != ' ' && pair.p[n] != '\t')
            n++;
        span_cstr(span_take(pair, n), name, sizeof(name));
        span_cstr(span_trim(span_skip(pair, n)), level, sizeof(level));
        int group = log_group_by_name(name);
        r.group = group < 0 ? LG_COUNT : group;
        r.level = (int)strtol(level, NULL, 10);
        ask(&l, &r, "charondebug");
    }
    link_close(&l);
}

static bool str_differs(const char *a, const char *b)
{
    return (a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0);
}

/* The options pluto gets on its command line. */
static bool pluto_options_differ(const setup *a, const setup *b)
{
    return str_differs(a->plutodebug, b->plutodebug) || str_differs(a->prepluto, b->prepluto) ||
           str_differs(a->postpluto, b->postpluto) || str_differs(a->plutostderrlog, b->plutostderrlog) ||
           str_differs(a->virtual_private, b->virtual_private) ||
           str_differs(a->pkcs11module, b->pkcs11module) ||
           str_differs(a->pkcs11initargs, b->pkcs11initargs) || str_differs(a->plutoopts, b->plutoopts) ||
           a->uniqueids != b->uniqueids || a->crlcheckinterval_s != b->crlcheckinterval_s ||
           a->cachecrls != b->cachecrls || a->strictcrl != b->strictcrl || a->nocrsend != b->nocrsend ||
           a->nat_traversal != b->nat_traversal || a->keep_alive_s != b->keep_alive_s ||
           a->force_keepalive != b->force_keepalive || a->pkcs11keepstate != b->pkcs11keepstate ||
           a->pkcs11proxy != b->pkcs11proxy;
}

static void take_place(starter *s, config *cfg)
{
    config_free(s->cfg);
    s->cfg = cfg;
}

void feed_update(starter *s, config *cfg)
{
    names old, new;
    bool pluto_changed = s->d[PLUTO].pid && pluto_options_differ(&s->cfg->setup, &cfg->setup);
    if (names_of(s->cfg, &old) == ST_OK && names_of(cfg, &new) == ST_OK) {
        send_difference(s, CHARON, s->cfg, cfg, &old, &new);
        if (!pluto_changed)
            send_difference(s, PLUTO, s->cfg, cfg, &old, &new);
        names_free(&new);
    } else {
        say(LOG_WARNING, "update: out of memory");
    }
    names_free(&old);
    if (str_differs(s->cfg->setup.charondebug, cfg->setup.charondebug))
        send_log_levels(s, &cfg->setup);
    take_place(s, cfg);
    if (pluto_changed) {
        say(LOG_NOTICE, "Pluto has changed");
        daemon_replace(s, PLUTO);
    }
}

void feed_reload(starter *s, config *cfg)
{
    for (int k = 0; k < DAEMONS; k++) {
        link l;
        if (!link_open(&l, s, (daemon_kind)k))
            continue;
        for (size_t i = 0; i < s->cfg->n_conns; i++)
            if (s->cfg->conns[i]->autostart != AUTO_IGNORE)
                ask_name(&l, CTL_REQ_DEL_CONN, s->cfg->conns[i]->name, false);
        for (size_t i = 0; i < s->cfg->n_cas; i++)
            if (s->cfg->cas[i]->autoadd && s->cfg->cas[i]->cacert)
                ask_name(&l, CTL_REQ_DEL_CA, s->cfg->cas[i]->name, false);
        link_close(&l);
    }
    bool pluto_changed = s->d[PLUTO].pid && cfg != s->cfg &&
                         pluto_options_differ(&s->cfg->setup, &cfg->setup);
    if (cfg != s->cfg)
        take_place(s, cfg);
    feed_all(s, CHARON, s->cfg);
    if (pluto_changed)
        daemon_replace(s, PLUTO);
    else
        feed_all(s, PLUTO, s->cfg);
}

static void tell_again(starter *s, const conn *c)
{
    for (int k = 0; k < DAEMONS; k++) {
        link l;
        if (!link_open(&l, s, (daemon_kind)k))
            continue;
        ask_name(&l, CTL_REQ_DEL_CONN, c->name, false);
        add_conn(&l, c);
        start_conn(&l, c);
        link_close(&l);
    }
}

bool feed_resolved(starter *s)
{
    bool waiting = false;
    for (size_t i = 0; i < s->cfg->n_conns && !s->stopping; i++) {
        conn *c = s->cfg->conns[i];
        if (!conn_waits(c))
            continue;
        if (conn_resolve(c, NULL) != ST_OK) {
            waiting = true;
            continue;
        }
        say(LOG_NOTICE, "conn '%s': its names are resolved now", c->name);
        tell_again(s, c);
    }
    return waiting;
}
