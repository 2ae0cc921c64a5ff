/* Bringing conns up and down. An operation is spread over mailboxes: what runs in another ISAKMP SA's mailbox
 * is posted there and finds out for itself whether it still applies.
 */
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ike_ready(const ike *i)
{
    return !i->phase1_gone && !i->deleting && state_isakmp_established(i->st.state) &&
           i->st.state != STATE_XAUTH_R1 && (i->xauth == XAUTH_NONE_ROLE || i->xauth_done) &&
           (!i->modecfg_client || i->modecfg_done);
}

/* ---- pending quick modes ---- */

static void add_pending(ike *i, pconn *c, pl_client *cl, uint64_t replaces, unsigned keying_try)
{
    pluto *p = i->p;
    pending *w;
    size_t n = 0;
    pluto_lock(p);
    LIST_EACH(&i->pendings, pending, node, w)
    {
        n++;
        if (w->c == c) { /* asked for twice */
            pluto_unlock(p);
            if (cl && !w->client)
                w->client = client_ref(cl);
            return;
        }
    }
    pluto_unlock(p);
    if (n >= PLUTO_MAX_PENDING || !(w = calloc(1, sizeof(*w)))) {
        plog_conn(c, cl, RC_INTERNALERR, "too many quick modes wait for #%llu",
                  (unsigned long long)i->st.serial);
        return;
    }
    w->c = pconn_ref(c);
    w->client = client_ref(cl);
    w->replaces = replaces;
    w->keying_try = keying_try;
    pluto_lock(p);
    list_append(&i->pendings, &w->node);
    p->stats.pending++;
    pluto_unlock(p);
}

void ike_unpend(ike *i)
{
    pluto *p = i->p;
    while (ike_ready(i)) {
        pluto_lock(p);
        list_node *n = list_pop(&i->pendings);
        p->stats.pending -= n != NULL;
        pluto_unlock(p);
        if (!n)
            return;
        pending *w = container_of(n, pending, node);
        /* the conn may have been switched to an instance or narrowed by Mode Config meanwhile */
        pconn *c = i->st.c && (w->c == i->st.c || (i->st.c->parent && w->c == i->st.c->parent)) ? i->st.c
                                                                                                : w->c;
        if (quick_out_I1(i, c, w->client, w->replaces, w->keying_try) != ST_OK)
            plog_conn(c, w->client, RC_INTERNALERR, "Quick Mode could not be started");
        client_unref(w->client);
        pconn_unref(w->c);
        free(w);
    }
}

void ike_want_quick(ike *i, pconn *c, pl_client *cl, uint64_t replaces, unsigned keying_try)
{
    if (!ike_ready(i)) {
        add_pending(i, c, cl, replaces, keying_try);
        return;
    }
    if (quick_out_I1(i, c, cl, replaces, keying_try) != ST_OK)
        plog_conn(c, cl, RC_INTERNALERR, "Quick Mode could not be started");
}

static void want_mail(ike *i, ike_args *a)
{
    if (i->phase1_gone || i->deleting)
        pluto_conn_initiate(i->p, a->c, a->client, a->serial, a->n);
    else
        ike_want_quick(i, a->c, a->client, a->serial, a->n);
}

/* ---- phase 1 ---- */

static void start_mail(ike *i, ike_args *a)
{
    state_set_client(&i->st, a->client);
    if (main_out_I1(i) != ST_OK) {
        plog_code(&i->st, RC_INTERNALERR, "Main Mode could not be started");
        ike_end_phase1(i);
    }
}

static void start_main(ike *i, pl_client *cl)
{
    ike_args a = {.client = cl};
    if (ike_post(i, start_mail, &a) != ST_OK)
        ike_end_phase1(i);
}

void ike_start_main(ike *i)
{
    start_main(i, NULL);
}

static bool same_ids(const pconn *a, const pconn *b)
{
    return ident_equal(a->me.id, b->me.id) &&
           (ident_equal(a->peer.id, b->peer.id) || ident_match(b->peer.id, a->peer.id) != ID_MATCH_NONE);
}

/* caller holds the lock: does this SA serve the conn? */
static bool serves(const ike *i, const pconn *c)
{
    const pconn *k = i->st.c;
    if (i->phase1_gone || i->deleting || !k || (k->deleted && k != c))
        return false;
    if (k == c || (k->instance && k->parent == c))
        return true;
    if (c->instance && !k->instance && addr_is_any(&k->peer.host))
        return false;
    return addr_equal(&k->me.host, &c->me.host) && addr_equal(&i->remote.ip, &c->peer.host) &&
           k->c->authby == c->c->authby && same_ids(c, k);
}

/* The SA to use: the newest established one, else one under way that we have started. */
static ike *find_isakmp(pluto *p, const pconn *c)
{
    ike *best = NULL;
    ikes l = ikes_of_address(p, &c->peer.host);
    pluto_lock(p);
    for (size_t k = 0; k < l.n; k++) {
        ike *i = l.i[k];
        bool is_up = state_isakmp_established(i->st.state);
        if (!serves(i, c) || (!is_up && !i->st.initiator))
            continue;
        bool best_up = best && state_isakmp_established(best->st.state);
        if (!best || (is_up && !best_up) || (is_up == best_up && i->st.serial > best->st.serial))
            best = i;
    }
    if (best)
        ike_ref(best);
    pluto_unlock(p);
    ikes_free(&l);
    return best;
}

static bool can_initiate(pluto *p, pconn *c, pl_client *cl)
{
    if (!c->oriented) {
        plog_conn(c, cl, RC_ORIENT, "we have no interface with an address of either end of this connection");
        return false;
    }
    if (!p->listening) {
        plog_conn(c, cl, RC_DEAF, "need --listen before --initiate");
        return false;
    }
    if (pconn_is_shunt(c) || (pconn_authby(c) & AUTH_NEVER)) {
        plog_conn(c, cl, RC_WHACK_PROBLEM, "cannot initiate: this connection only passes or drops traffic");
        return false;
    }
    if (addr_is_any(&c->peer.host)) {
        plog_conn(c, cl, RC_NOPEERIP, "cannot initiate connection without knowing peer IP address");
        return false;
    }
    if (!c->instance && c->peer.has_wildcard_client) {
        plog_conn(c, cl, RC_WHACK_PROBLEM, "cannot initiate connection with a range of client subnets");
        return false;
    }
    return true;
}

void pluto_conn_initiate(pluto *p, pconn *c, pl_client *cl, uint64_t replaces, unsigned keying_try)
{
    if (!can_initiate(p, c, cl))
        return;
    ike *i = find_isakmp(p, c);
    ike_args a = {.c = c, .client = cl, .serial = replaces, .n = keying_try};
    if (i) {
        if (ike_post(i, want_mail, &a) != ST_OK)
            plog_conn(c, cl, RC_INTERNALERR, "#%llu is too busy", (unsigned long long)i->st.serial);
        ike_unref(i);
        return;
    }
    endpoint local = {c->me.host, c->me.ikeport ? c->me.ikeport : p->e->net->ops->port(p->e->net, false)};
    endpoint remote = {c->peer.host, c->peer.ikeport ? c->peer.ikeport : IKE_PORT};
    if (ike_new(&i, p, &local, &remote, true, NULL) != ST_OK) {
        plog_conn(c, cl, RC_INTERNALERR, "no room for another state");
        return;
    }
    i->st.keying_try = keying_try;
    state_set_conn(&i->st, c);
    add_pending(i, c, cl, replaces, keying_try);
    start_main(i, cl);
    ike_unref(i);
}

/* ---- down ---- */

static void drop_pending(ike *i, const pconn *c)
{
    pluto *p = i->p;
    pending *w, *found = NULL;
    pluto_lock(p);
    LIST_EACH(&i->pendings, pending, node, w)
    {
        if (w->c == c)
            found = w;
    }
    if (found) {
        list_remove(&found->node);
        p->stats.pending--;
    }
    pluto_unlock(p);
    if (!found)
        return;
    client_unref(found->client);
    pconn_unref(found->c);
    free(found);
}

/* Ends the states of a conn in one mailbox, quick modes first so that their Deletes can still be sent. */
static void down_mail(ike *i, ike_args *a)
{
    quick *q;
    uint64_t upto = a->serial;
    list_node *n, *x;
    drop_pending(i, a->c);
    for (n = i->quicks.next; n != &i->quicks; n = x) {
        q = container_of(n, quick, node);
        x = n->next;
        if (q->st.c == a->c && q->st.serial <= upto) {
            if (a->client)
                state_set_client(&q->st, a->client);
            quick_delete(q, a->flag);
        }
    }
    bool mine = !i->phase1_gone && i->st.c && i->st.c->c == a->c->c && i->st.c->instance == a->c->instance &&
                i->st.serial <= upto;
    /* an SA that other conns still use stays */
    if (mine && !list_empty(&i->quicks) && !a->c->deleted && a->flag)
        mine = false;
    if (mine) {
        if (a->client)
            state_set_client(&i->st, a->client);
        ike_delete(i, a->flag);
    }
}

static void conn_down(pluto *p, pconn *c, pl_client *cl, bool tell)
{
    ikes l = ikes_of_conn(p, c);
    pluto_lock(p);
    uint64_t upto = p->next_state;
    c->up = false;
    pluto_unlock(p);
    for (size_t k = 0; k < l.n; k++) {
        ike_args a = {.c = c, .client = cl, .flag = tell, .serial = upto};
        if (ike_post(l.i[k], down_mail, &a) == ST_LIMIT)
            plog_conn(c, cl, RC_INTERNALERR, "#%llu is too busy to be told",
                      (unsigned long long)l.i[k]->st.serial);
    }
    ikes_free(&l);
}

void pluto_conn_down(pluto *p, pconn *c, pl_client *cl)
{
    conn_down(p, c, cl, true);
}

void pluto_conn_forget(pluto *p, pconn *c)
{
    conn_down(p, c, NULL, false);
}

/* ---- what the kernel says ---- */

static pconn *by_reqid(pluto *p, uint32_t reqid)
{
    pconn *c, *found = NULL;
    pluto_lock(p);
    LIST_EACH(&p->conns, pconn, node, c)
    {
        if ((c->reqid ? c->reqid : c->c->reqid) == reqid) {
            found = pconn_ref(c);
            break;
        }
    }
    pluto_unlock(p);
    return found;
}

void pluto_on_acquire(void *ctx, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst)
{
    pluto *p = ctx;
    pconn *c = by_reqid(p, reqid);
    if (!c)
        return;
    pdebug(p, PLDBG_CONTROL, "initiate on demand from %s:%u to %s:%u proto=%u state: %s because: acquire",
           ADDR_STR(&src->from), src->from_port, ADDR_STR(&dst->from), dst->from_port, src->proto,
           "fos_start");
    pluto_lock(p);
    bool busy = c->newest_ipsec != 0;
    c->up = true;
    pluto_unlock(p);
    if (!busy)
        pluto_conn_initiate(p, c, NULL, 0, 1);
    pconn_unref(c);
}

static void expire_mail(ike *i, ike_args *a)
{
    quick *q = quick_by_serial(i, a->serial);
    if (!q)
        return;
    if (a->flag)
        quick_delete(q, true);
    else if (q->st.event == EVENT_SA_REPLACE)
        state_event(&q->st, EVENT_SA_REPLACE);
}

static void mapping_mail(ike *i, ike_args *a)
{
    quick *q = quick_by_serial(i, a->serial);
    if (!q || !q->child || !addr_equal(&a->ep.ip, &i->remote.ip) || !i->natt)
        return;
    plog(&q->st, "NAT mapping of the peer changed to %s", ADDR_PORT(&a->ep));
    if (kchild_update(q->child, &i->local, &a->ep, true) != ST_OK)
        plog(&q->st, "kernel SAs could not follow the new mapping");
}

static void post_to_quick(pluto *p, const kernel_sa_id *id, ike_fn *fn, ike_args *a)
{
    ip_addr any = {0};
    uint64_t serial = quick_serial_by_spi(p, true, id->proto, id->spi, &any);
    if (!serial)
        serial = quick_serial_by_spi(p, false, id->proto, id->spi, &id->dst);
    ike *i = serial ? ike_by_serial(p, serial) : NULL;
    if (!i)
        return;
    a->serial = serial;
    if (ike_post(i, fn, a) != ST_OK)
        pdebug(p, PLDBG_KLIPS, "an event of the kernel was dropped: its SA is too busy");
    ike_unref(i);
}

void pluto_on_expire(void *ctx, const kernel_sa_id *id, uint32_t reqid, bool hard)
{
    ike_args a = {.flag = hard};
    post_to_quick(ctx, id, expire_mail, &a);
}

void pluto_on_mapping(void *ctx, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer)
{
    ike_args a = {.ep = *peer};
    post_to_quick(ctx, id, mapping_mail, &a);
}
