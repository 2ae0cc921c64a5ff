/* The engine as an object: birth, end, and operations by name. */
#include "pluto/pluto.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/leases.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sm/engine.h"
#include <stdlib.h>
#include <string.h>

/* ---- birth and end ---- */

static status make_tables(pluto *p)
{
    hashmap **const maps[] = {&p->by_cookies, &p->by_i, &p->by_serial, &p->peers, &p->by_spi, &p->lease_ips};
    status st = conns_init(p);
    for (size_t k = 0; k < sizeof(maps) / sizeof(maps[0]) && st == ST_OK; k++)
        st = hashmap_new(maps[k]);
    return st;
}

static status make_defaults(pluto *p)
{
    p->default_ike = calloc(1, sizeof(proposals));
    p->default_esp = calloc(1, sizeof(proposals));
    p->default_ah = calloc(1, sizeof(proposals));
    if (!p->default_ike || !p->default_esp || !p->default_ah)
        return ST_NO_MEMORY;
    proposals_default(p->default_ike, PROTO_IKE, true, p->e->crypto);
    proposals_default(p->default_esp, PROTO_ESP, true, p->e->crypto);
    proposals_default(p->default_ah, PROTO_AH, true, p->e->crypto);
    return reqids_new(&p->reqids, REQID_PLUTO_FIRST, REQID_PLUTO_STEP);
}

/* "%v4:10.0.0.0/8,%v4:!10.1.0.0/16" */
static void parse_virtual_private(pluto *p)
{
    span rest = span_str(p->virtual_private ? p->virtual_private : ""), word;
    while (span_cut(&rest, ',', &word) && p->n_priv < sizeof(p->priv) / sizeof(p->priv[0])) {
        char text[80];
        msgbuf why;
        word = span_trim(word);
        if (!span_starts(word, SPAN_LIT("%v4:")) && !span_starts(word, SPAN_LIT("%v6:")))
            continue;
        word = span_skip(word, 4);
        bool not = word.n && word.p[0] == '!';
        span_cstr(span_skip(word, not ), text, sizeof(text));
        if (subnet_from_text(&p->priv[p->n_priv], text, &why) == ST_OK)
            p->priv_not[p->n_priv++] = not ;
        else
            plog_daemon(p, "virtual_private: %s", why.text);
    }
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static void free_memory(pluto *p)
{
    hashmap_free(p->by_cookies);
    hashmap_free(p->by_i);
    hashmap_free(p->by_serial);
    hashmap_free(p->peers);
    hashmap_free(p->by_spi);
    reqids_free(p->reqids);
    pluto_leases_free(p);
    hashmap_free(p->lease_ips);
    free(p->default_ike);
    free(p->default_esp);
    free(p->default_ah);
    free(p->virtual_private);
    free(p->interfaces);
    free(p->myid);
    wipe(p->cookie_secret, sizeof(p->cookie_secret));
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->route_lock);
    free(p);
}

void pluto_unref(pluto *p)
{
    if (p && ref_put(&p->refs))
        free_memory(p);
}

static void on_host_change(void *ctx)
{
    conns_reorient(ctx);
}

static void on_secret_age(void *ctx, uint64_t key)
{
    pluto *p = ctx;
    uint8_t fresh[sizeof(p->cookie_secret)];
    if (rng_bytes(p->e->crypto, RNG_STRONG, fresh, sizeof(fresh)) == ST_OK) {
        pluto_lock(p);
        memcpy(p->cookie_secret, fresh, sizeof(fresh));
        pluto_unlock(p);
    }
    wipe(fresh, sizeof(fresh));
    p->daily = runtime_timer(p->e->rt, COOKIE_SECRET_S * 1000, on_secret_age, p, 0);
}

/* Out of range: the default. Never at once, which would be a storm on the server. */
static int64_t xauth_retry_ms(const settings *s)
{
    int64_t v = settings_time_s(s, XAUTH_RETRY_S, "pluto.xauth_retry");
    return (v >= 1 && v <= XAUTH_RETRY_MAX_S ? v : XAUTH_RETRY_S) * 1000;
}

status pluto_new(pluto **out, env *e, const pluto_options *opt, msgbuf *msg)
{
    pluto *p = calloc(1, sizeof(*p));
    if (!p)
        return msg_fail(msg, ST_NO_MEMORY, "no memory for the engine");
    ref_init(&p->refs);
    p->e = e;
    p->opt = *opt;
    p->log = (log_scope){.bus = e->log};
    p->debug = opt->debug;
    p->listening = !opt->deaf;
    p->xauth_retry_ms = xauth_retry_ms(e->settings);
    p->kenv = (kchild_env){e->kernel, e->host, e->updown};
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->route_lock, NULL);
    list_init(&p->ikes);
    list_init(&p->half_open);
    list_init(&p->leases);
    list_init(&p->half_proven);
    list_init(&p->conns);
    bool copied = copy_text(&p->virtual_private, opt->virtual_private) &&
                  copy_text(&p->interfaces, opt->interfaces) && copy_text(&p->myid, opt->myid);
    status st = copied ? make_tables(p) : ST_NO_MEMORY;
    if (st == ST_OK)
        st = make_defaults(p);
    if (st == ST_OK)
        st = rng_bytes(e->crypto, RNG_STRONG, p->cookie_secret, sizeof(p->cookie_secret));
    if (st != ST_OK) {
        conns_fini(p);
        pluto_unref(p);
        return msg_fail(msg, st, "the engine could not be made: %s", status_text(st));
    }
    parse_virtual_private(p);
    p->daily = runtime_timer(e->rt, COOKIE_SECRET_S * 1000, on_secret_age, p, 0);
    kernel_events ev = {
        .ctx = p, .acquire = pluto_on_acquire, .expire = pluto_on_expire, .mapping = pluto_on_mapping};
    e->kernel->ops->set_events(e->kernel, &ev);
    if (e->host->ops->on_change)
        e->host->ops->on_change(e->host, on_host_change, p);
    e->net->ops->set_ike(e->net, demux_packet, p);
    *out = p;
    return ST_OK;
}

static void nothing(void *ctx)
{
}

static void end_everything(pluto *p)
{
    ikes l = ikes_all(p);
    for (size_t k = 0; k < l.n; k++) {
        ike *i = l.i[k];
        list_node *n, *x;
        mailbox_close(&i->peer->mb);
        for (n = i->quicks.next; n != &i->quicks; n = x) {
            x = n->next;
            quick_delete(container_of(n, quick, node), true);
        }
    }
    for (size_t k = 0; k < l.n; k++)
        ike_delete(l.i[k], true);
    ikes_free(&l);
}

static void unroute_everything(pluto *p)
{
    pconns all = conns_all(p);
    for (size_t k = 0; k < all.n; k++)
        pluto_conn_unroute(p, all.c[k], NULL);
    pconns_free(&all);
}

void pluto_free(pluto *p)
{
    kernel_events none = {0};
    if (!p)
        return;
    p->stopping = true;
    p->e->net->ops->set_ike(p->e->net, NULL, NULL);
    p->e->kernel->ops->set_events(p->e->kernel, &none);
    if (p->e->host->ops->on_change)
        p->e->host->ops->on_change(p->e->host, nothing, NULL);
    runtime_timer_cancel(p->e->rt, p->daily);
    runtime_timer_cancel(p->e->rt, p->close_timer);
    end_everything(p);
    unroute_everything(p);
    conns_fini(p);
    pluto_unref(p);
}

/* ---- shutting down ---- */

enum { CLOSE_POLL_MS = 20 };

static void close_mail(ike *i, ike_args *a)
{
    list_node *n, *x;
    for (n = i->quicks.next; n != &i->quicks; n = x) {
        x = n->next;
        quick_delete(container_of(n, quick, node), true);
    }
    ike_delete(i, true);
}

/* The SAs go first, then the traps below them, then the scripts of both are waited for. */
static void on_close_poll(void *ctx, uint64_t key)
{
    pluto *p = ctx;
    updown *u = p->e->updown;
    pluto_lock(p);
    bool over = runtime_now_ms(p->e->rt) >= p->close_until_ms;
    bool unroute = !p->unrouted && list_empty(&p->ikes);
    p->unrouted |= unroute;
    pluto_unlock(p);
    if (unroute)
        unroute_everything(p);
    if (!over && (!p->unrouted || (u && u->ops->busy(u)))) {
        pluto_lock(p);
        p->close_timer = runtime_timer(p->e->rt, CLOSE_POLL_MS, on_close_poll, p, 0);
        over = !p->close_timer;
        pluto_unlock(p);
        if (!over)
            return;
    }
    p->close_done(p->close_ctx);
}

void pluto_shutdown(pluto *p, int64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
    p->stopping = true;
    ikes l = ikes_all(p);
    for (size_t k = 0; k < l.n; k++) {
        ike_args a = {0};
        if (ike_post(l.i[k], close_mail, &a) != ST_OK)
            plog(&l.i[k]->st, "is too busy to be closed before the end");
    }
    ikes_free(&l);
    pluto_lock(p);
    p->close_done = done;
    p->close_ctx = ctx;
    p->close_until_ms = runtime_now_ms(p->e->rt) + grace_ms;
    p->close_timer = runtime_timer(p->e->rt, 0, on_close_poll, p, 0);
    bool dead = !p->close_timer;
    pluto_unlock(p);
    if (dead)
        done(ctx);
}

/* ---- conns ---- */

status pluto_add_conn(pluto *p, conn *c, bool replace, msgbuf *msg)
{
    return conns_add(p, c, replace, msg);
}

status pluto_del_conn(pluto *p, const char *name)
{
    return conns_del(p, name);
}

/* ---- operations ---- */

typedef void conn_op(pluto *p, pconn *c, pl_client *cl);

/* Every conn is known here; one that only charon may start is silently left to it, as `ipsec up` asks both.
 */
static bool ours(const pconn *c)
{
    return c->c->version != CONN_IKEV2;
}

static void each_named(pluto *p, const char *name, bool instances, const pluto_waiter *w, conn_op *op)
{
    pl_client *cl = client_new(w);
    pconns l = conns_by_name(p, name, instances);
    if (l.n == 0)
        client_printf(cl, RC_UNKNOWN_NAME, "no connection named \"%s\"", name);
    for (size_t k = 0; k < l.n; k++)
        if (ours(l.c[k]))
            op(p, l.c[k], cl);
    pconns_free(&l);
    client_unref(cl);
}

static void initiate_op(pluto *p, pconn *c, pl_client *cl)
{
    pluto_lock(p);
    c->up = true;
    pluto_unlock(p);
    pluto_conn_initiate(p, c, cl, 0, 1);
}

void pluto_initiate(pluto *p, const char *name, bool async, const pluto_waiter *w)
{
    if (!async) {
        each_named(p, name, false, w, initiate_op);
        return;
    }
    pconns l = conns_by_name(p, name, false);
    pl_client *cl = client_new(w);
    if (l.n == 0)
        client_printf(cl, RC_UNKNOWN_NAME, "no connection named \"%s\"", name);
    for (size_t k = 0; k < l.n; k++)
        if (ours(l.c[k]))
            initiate_op(p, l.c[k], NULL);
    pconns_free(&l);
    client_unref(cl);
}

static void terminate_op(pluto *p, pconn *c, pl_client *cl)
{
    if (!c->instance)
        plog_conn(c, cl, RC_LOG, "terminating SAs using this connection");
    pluto_conn_down(p, c, cl);
}

void pluto_terminate(pluto *p, const char *name, const pluto_waiter *w)
{
    each_named(p, name, true, w, terminate_op);
}

static void route_op(pluto *p, pconn *c, pl_client *cl)
{
    if (pluto_conn_route(p, c, cl) != ST_OK)
        pdebug(p, PLDBG_KLIPS, "%s is not routed", c->name);
}

void pluto_route(pluto *p, const char *name, const pluto_waiter *w)
{
    each_named(p, name, false, w, route_op);
}

void pluto_unroute(pluto *p, const char *name, const pluto_waiter *w)
{
    each_named(p, name, false, w, pluto_conn_unroute);
}

/* ---- single states ---- */

static void delete_mail(ike *i, ike_args *a)
{
    quick *q = quick_by_serial(i, a->serial);
    pstate *st = q ? &q->st : i->st.serial == a->serial && !i->phase1_gone ? &i->st : NULL;
    if (!st)
        return;
    state_set_client(st, a->client);
    if (q)
        quick_delete(q, true);
    else
        ike_delete(i, true);
}

void pluto_delete_state(pluto *p, uint64_t serial, const pluto_waiter *w)
{
    pl_client *cl = client_new(w);
    ike *i = ike_by_serial(p, serial);
    ike_args a = {.serial = serial, .client = cl};
    if (!i)
        client_printf(cl, RC_UNKNOWN_NAME, "no state #%llu to delete", (unsigned long long)serial);
    else if (ike_post(i, delete_mail, &a) != ST_OK)
        client_printf(cl, RC_INTERNALERR, "#%llu is too busy", (unsigned long long)serial);
    if (i)
        ike_unref(i);
    client_unref(cl);
}

static void crash_mail(ike *i, ike_args *a)
{
    list_node *n, *x;
    for (n = i->quicks.next; n != &i->quicks; n = x) {
        x = n->next;
        quick_delete(container_of(n, quick, node), false);
    }
    ike_delete(i, false);
}

void pluto_crash(pluto *p, const ip_addr *at, const pluto_waiter *w)
{
    pl_client *cl = client_new(w);
    ikes l = ikes_of_address(p, at);
    for (size_t k = 0; k < l.n; k++) {
        ike_args a = {.client = cl};
        if (ike_post(l.i[k], crash_mail, &a) != ST_OK)
            client_printf(cl, RC_INTERNALERR, "#%llu is too busy", (unsigned long long)l.i[k]->st.serial);
    }
    ikes_free(&l);
    client_unref(cl);
}

void pluto_listen(pluto *p)
{
    p->listening = true;
    plog_daemon(p, "listening for IKE messages");
    conns_reorient(p);
}

void pluto_unlisten(pluto *p)
{
    p->listening = false;
    plog_daemon(p, "no longer listening for IKE messages");
}

void pluto_set_debug(pluto *p, const char *name, unsigned bits)
{
    if (!name) {
        p->debug = bits;
        return;
    }
    pconns l = conns_by_name(p, name, true);
    pluto_lock(p);
    for (size_t k = 0; k < l.n; k++)
        l.c[k]->debug = bits;
    pluto_unlock(p);
    pconns_free(&l);
}

void pluto_set_myid(pluto *p, const char *id)
{
    char *copy = id ? strdup(id) : NULL;
    pluto_lock(p);
    char *old = p->myid;
    p->myid = copy;
    pluto_unlock(p);
    free(old);
}

void pluto_on_shutdown(pluto *p, void (*fn)(void *ctx), void *ctx)
{
    p->on_shutdown = fn;
    p->shutdown_ctx = ctx;
}

void pluto_get_stats(pluto *p, pluto_stats *out)
{
    pluto_lock(p);
    *out = p->stats;
    out->half_open = p->n_half_open;
    pluto_unlock(p);
}
