/* Instances of template conns, and which conn a state belongs to. */
#include "pluto/sa/conns.h"
#include "pluto/sa/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void end_copy(pconn_end *to, const pconn_end *from)
{
    *to = *from;
    to->id = from->id ? ident_ref(from->id) : NULL;
    to->ca = from->ca ? ident_ref(from->ca) : NULL;
    to->cert = from->cert ? cert_ref(from->cert) : NULL;
}

static bool same_instance(const pconn *c, const pconn *t, const instance_of *i)
{
    if (!c->instance || c->parent != t || c->deleted || !addr_equal(&c->peer.host, &i->peer.ip))
        return false;
    if (i->peer_id && !ident_equal(c->peer.id, i->peer_id))
        return false;
    if (i->peer_client) /* protocol and port have been narrowed as well */
        return c->peer.has_client && !c->peer.has_wildcard_client &&
               subnet_equal(&c->peer.client, i->peer_client) && c->peer.proto == i->proto &&
               c->peer.port == i->peer_port;
    /* what is not narrowed yet may serve anybody who wants it */
    return c->peer.has_client == t->peer.has_client &&
           c->peer.has_wildcard_client == t->peer.has_wildcard_client;
}

static void narrow(pconn *c, const instance_of *i)
{
    c->peer.host = i->peer.ip;
    if (i->peer_id) {
        ident_unref(c->peer.id);
        c->peer.id = ident_ref(i->peer_id);
        c->peer.id_hash = ident_hash(c->peer.id);
    }
    if (i->peer_client) {
        c->peer.client = *i->peer_client;
        c->peer.has_client = true;
        c->peer.has_wildcard_client = false;
        c->peer.proto = i->proto;
        c->peer.port = i->peer_port;
        c->peer.port_any = false;
    }
}

static pconn *make_instance(pconn *t, const instance_of *i)
{
    pconn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    ref_init(&c->refs);
    c->p = t->p;
    c->c = conn_ref(t->c);
    c->parent = pconn_ref(t);
    end_copy(&c->me, &t->me);
    end_copy(&c->peer, &t->peer);
    c->left_is_me = t->left_is_me;
    c->oriented = true;
    c->ike = t->ike;
    c->esp = t->esp;
    c->pfs_group = t->pfs_group;
    memcpy(c->dev, t->dev, sizeof(c->dev));
    c->name = strdup(t->name);
    c->reqid = t->c->reqid ? 0 : reqids_get(t->p->reqids, SPAN_NULL);
    if (!c->name || (!c->reqid && !t->c->reqid)) {
        pconn_unref(c);
        return NULL;
    }
    narrow(c, i);
    return c;
}

pconn *pconn_instantiate(pconn *from, const instance_of *i)
{
    pconn *t = from->instance ? from->parent : from, *c;
    pluto *p = t->p;
    pluto_lock(p);
    list *near = conns_bucket(p, &t->me.host, &i->peer.ip);
    if (near) {
        LIST_EACH(near, pconn, pair, c)
        {
            if (same_instance(c, t, i)) {
                pconn_ref(c);
                pluto_unlock(p);
                return c;
            }
        }
    }
    bool full = p->stats.instances >= PLUTO_MAX_INSTANCES;
    pluto_unlock(p);
    if (full || !(c = make_instance(t, i)))
        return NULL;
    if (conns_table_insert_instance(p, t, c) != ST_OK) {
        pconn_unref(c);
        return NULL;
    }
    return pconn_ref(c);
}

/* The instance has served: nothing negotiates or is up under it. */
static pconn *drop_if_unused(pluto *p, pconn *c)
{
    if (c->instance && c->n_states == 0 && !c->routed && c->node.next) {
        conns_table_remove(p, c);
        if (c->parent->next_instance == c->instance)
            c->parent->next_instance--;
        return c;
    }
    return NULL;
}

void state_set_conn(pstate *st, pconn *c)
{
    pconn *old = st->c, *dropped = NULL;
    pluto *p = st->ike->p;
    if (old == c)
        return;
    pluto_lock(p);
    st->c = pconn_ref(c);
    if (c)
        c->n_states++;
    if (old) {
        old->n_states--;
        if (old->newest_isakmp == st->serial)
            old->newest_isakmp = 0;
        dropped = drop_if_unused(p, old);
    }
    pluto_unlock(p);
    pconn_unref(dropped);
    pconn_unref(old);
    state_relabel(st);
}

void state_relabel(pstate *st)
{
    char prefix[CONN_LABEL];
    const pconn *c = st->c;
    int n;
    if (!c)
        return;
    if (c->instance && st->ike->remote.port != IKE_PORT)
        n = snprintf(prefix, sizeof(prefix), "\"%s\"[%u] %s", c->name, c->instance,
                     ADDR_PORT(&st->ike->remote));
    else if (c->instance)
        n = snprintf(prefix, sizeof(prefix), "\"%s\"[%u] %s", c->name, c->instance,
                     ADDR_STR(&st->ike->remote.ip));
    else
        n = snprintf(prefix, sizeof(prefix), "\"%s\"", c->name);
    if (n < 0 || n >= (int)sizeof(prefix) - 24)
        prefix[sizeof(prefix) - 24] = 0;
    pluto_lock(c->p);
    snprintf(st->label, sizeof(st->label), "%.130s #%llu", prefix, (unsigned long long)st->serial);
    pluto_unlock(c->p);
}
