/* Conns in the kernel: which IPsec SA owns a conn's policies and its updown script, traps, shunts. `quick`
 * children belong to their mailbox; a rekeyed pair lives in the same one, because mailboxes are by peer. A
 * conn's trap is guarded by route_lock.
 */
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <stdio.h>
#include <string.h>

/* A script's output and a bad exit status are logged where it runs; a tunnel does not hang on them. */
static void run_script(quick *q, const char *action)
{
    if (kchild_script(q->child, action, NULL, NULL, q->st.serial) != ST_OK)
        plog(&q->st, "%s script could not be run", action);
}

/* The quick mode with that serial, if it is in the same mailbox (it is, unless the peer has moved). */
static quick *sibling(quick *q, uint64_t serial)
{
    pluto *p = q->ike->p;
    pluto_lock(p);
    pstate *st = serial ? hashmap_get(p->by_serial, span_of(&serial, sizeof(serial))) : NULL;
    quick *o = st && !st->phase1 && st->ike->peer == q->ike->peer ? container_of(st, quick, st) : NULL;
    pluto_unlock(p);
    return o;
}

status quick_conn_up(quick *q)
{
    pconn *c = q->st.c;
    pluto *p = c->p;
    status st = kchild_install_policies(q->child);
    if (st != ST_OK)
        return st;
    pluto_lock(p);
    uint64_t owner = c->eroute_owner;
    c->eroute_owner = c->newest_ipsec = q->st.serial;
    c->route = RT_ROUTED_TUNNEL;
    pluto_unlock(p);
    quick *old = sibling(q, owner);
    if (old && old->child) {
        kchild_take_over(q->child, old->child);
        if (kchild_is_up(q->child))
            return ST_OK;
    }
    run_script(q, "up");
    run_script(q, "prepare");
    run_script(q, "route");
    return ST_OK;
}

/* Another established pair of the same conn takes the policies over. */
static quick *heir(quick *q)
{
    pluto *p = q->ike->p;
    quick *o, *best = NULL;
    ike *i;
    pluto_lock(p);
    LIST_EACH(&q->ike->peer->ikes, ike, near, i)
    {
        LIST_EACH(&i->quicks, quick, node, o)
        {
            if (o != q && o->st.c == q->st.c && o->established && o->child &&
                (!best || o->st.serial > best->st.serial))
                best = o;
        }
    }
    pluto_unlock(p);
    return best;
}

void quick_conn_down(quick *q)
{
    pconn *c = q->st.c;
    if (!c || !q->child)
        return;
    pluto *p = c->p;
    pluto_lock(p);
    bool owner = c->eroute_owner == q->st.serial, newest = c->newest_ipsec == q->st.serial;
    pluto_unlock(p);
    if (!owner && !newest)
        return;
    quick *next = heir(q);
    pluto_lock(p);
    if (newest)
        c->newest_ipsec = next ? next->st.serial : 0;
    if (owner) {
        c->eroute_owner = next ? next->st.serial : 0;
        c->route = next ? RT_ROUTED_TUNNEL : c->routed ? RT_ROUTED_PROSPECTIVE : RT_UNROUTED;
    }
    bool routed = c->routed;
    pluto_unlock(p);
    if (!owner)
        return;
    if (next) {
        bool was_up = kchild_is_up(q->child);
        kchild_take_over(next->child, q->child);
        if (was_up && !kchild_is_up(next->child))
            run_script(next, "up");
        return;
    }
    if (kchild_is_up(q->child)) {
        run_script(q, "down");
        if (!routed)
            run_script(q, "unroute");
    }
}

/* ---- traps and shunts ---- */

static status make_trap(pluto *p, pconn *c, kchild **out)
{
    endpoint me = {c->me.host, 0}, peer = {c->peer.host, 0};
    traffic_sel mine = pconn_ts(c, true), theirs = pconn_ts(c, false);
    kchild_params kp = {
        .conn = c->c,
        .right_is_me = !c->left_is_me,
        .name = c->name,
        .me = me,
        .peer = peer,
        .mode = pconn_is_tunnel(c) ? MODE_TUNNEL : MODE_TRANSPORT,
        .reqid = c->reqid ? c->reqid : c->c->reqid,
        .my_sourceip = c->me.sourceip,
        .next_hop = pconn_nexthop(c),
    };
    status st = kchild_new(out, &p->kenv, &kp, p->log);
    if (st == ST_OK)
        st = kchild_set_ts(*out, &mine, 1, &theirs, 1);
    if (st == ST_OK)
        st = kchild_route(*out, pconn_shunt_kind(c));
    if (st != ST_OK) {
        kchild_free(*out);
        *out = NULL;
    }
    return st;
}

status pluto_conn_route(pluto *p, pconn *c, pl_client *cl)
{
    status st = ST_OK;
    if (!c->oriented) {
        plog_conn(c, cl, RC_ORIENT, "we have no interface with an address of either end of this connection");
        return ST_INVALID;
    }
    if ((addr_is_any(&c->peer.host) && !pconn_is_shunt(c)) || c->peer.has_wildcard_client) {
        plog_conn(c, cl, RC_ROUTE, "cannot route: the peer's address or subnet is not known yet");
        return ST_INVALID;
    }
    pthread_mutex_lock(&p->route_lock);
    if (!c->trap)
        st = make_trap(p, c, &c->trap);
    if (st == ST_OK) {
        if (kchild_script(c->trap, "prepare", NULL, NULL, 0) != ST_OK ||
            kchild_script(c->trap, "route", NULL, NULL, 0) != ST_OK)
            plog_conn(c, cl, RC_LOG, "route script could not be run");
    }
    pthread_mutex_unlock(&p->route_lock);
    if (st != ST_OK) {
        plog_conn(c, cl, RC_ROUTE, "cannot route: %s", status_text(st));
        return st;
    }
    pluto_lock(p);
    c->routed = true;
    if (c->route != RT_ROUTED_TUNNEL)
        c->route = RT_ROUTED_PROSPECTIVE;
    pluto_unlock(p);
    return ST_OK;
}

void pluto_conn_unroute(pluto *p, pconn *c, pl_client *cl)
{
    pluto_lock(p);
    bool busy = c->eroute_owner != 0, deleted = c->deleted;
    bool was = c->routed;
    c->routed = false;
    if (c->route != RT_ROUTED_TUNNEL)
        c->route = RT_UNROUTED;
    pluto_unlock(p);
    if (busy && cl && !deleted) {
        plog_conn(c, cl, RC_RTBUSY, "cannot unroute: route busy");
        pluto_lock(p);
        c->routed = was;
        pluto_unlock(p);
        return;
    }
    pthread_mutex_lock(&p->route_lock);
    kchild *t = c->trap;
    c->trap = NULL;
    if (t) {
        if (!busy && kchild_script(t, "unroute", NULL, NULL, 0) != ST_OK)
            plog_conn(c, cl, RC_LOG, "unroute script could not be run");
        kchild_free(t);
    }
    pthread_mutex_unlock(&p->route_lock);
}

void ike_remove_virtual_ip(ike *i)
{
    host *h = i->p->e->host;
    if (!i->virtual_ip_installed)
        return;
    i->virtual_ip_installed = false;
    if (h->ops->del_ip(h, &i->virtual_ip) != ST_OK)
        plog(&i->st, "virtual IP %s could not be removed", ADDR_STR(&i->virtual_ip));
}
