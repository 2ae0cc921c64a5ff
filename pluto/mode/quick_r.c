/* Quick mode, responder: which conn has these clients, what of the offer is taken. */
#include "pluto/mode/quick.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <stdio.h>

/* ---- which conn ---- */

typedef struct wish {
    traffic_sel mine, theirs;
} wish;

static bool port_fits(const pconn_end *e, const traffic_sel *ts)
{
    uint16_t port = ts->from_port == ts->to_port ? ts->from_port : 0;
    return e->proto == ts->proto && (e->port_any || e->port == port);
}

static bool net_equal(const traffic_sel *a, const traffic_sel *b)
{
    return addr_equal(&a->from, &b->from) && addr_equal(&a->to, &b->to);
}

static bool private_net(const pluto *p, const traffic_sel *ts)
{
    bool in = false;
    for (size_t k = 0; k < p->n_priv; k++) {
        bool inside = subnet_contains(&p->priv[k], &ts->from) && subnet_contains(&p->priv[k], &ts->to);
        if (p->priv_not[k] && (inside || subnet_contains(&p->priv[k], &ts->from)))
            return false;
        in |= inside && !p->priv_not[k];
    }
    return in;
}

/* vhost:, vnet: "%no,%priv,%v4:10.0.0.0/8" */
static bool virtual_fits(const ike *i, const pconn *c, const traffic_sel *ts)
{
    span rest = span_str(c->peer.cfg->virt), word;
    bool vhost = span_starts(rest, SPAN_LIT("vhost:"));
    if (vhost && !addr_equal(&ts->from, &ts->to))
        return false;
    rest = span_skip(rest, vhost ? 6 : 5);
    while (span_cut(&rest, ',', &word)) {
        char text[80];
        subnet s;
        if (span_equal(word, SPAN_LIT("%all")) ||
            (span_equal(word, SPAN_LIT("%no")) && ts_is_host(ts, &i->remote.ip)) ||
            (span_equal(word, SPAN_LIT("%priv")) && private_net(i->p, ts)))
            return true;
        if ((span_starts(word, SPAN_LIT("%v4:")) || span_starts(word, SPAN_LIT("%v6:"))) &&
            subnet_from_text(&s, span_cstr(span_skip(word, 4), text, sizeof(text)), NULL) == ST_OK &&
            subnet_contains(&s, &ts->from) && subnet_contains(&s, &ts->to))
            return true;
    }
    return false;
}

/* 0 = no; 2 = as configured; 1 = by narrowing a range. */
static int peer_client_fits(const ike *i, const pconn *c, const traffic_sel *ts)
{
    const pconn_end *e = &c->peer;
    if (!port_fits(e, ts))
        return 0;
    if (e->cfg->virt && e->has_wildcard_client)
        return virtual_fits(i, c, ts);
    if (e->has_wildcard_client)
        return subnet_contains(&e->client, &ts->from) && subnet_contains(&e->client, &ts->to);
    if (e->has_client) {
        traffic_sel want = pconn_ts(c, false);
        return net_equal(&want, ts) ? 2 : 0;
    }
    if (!addr_is_any(&i->virtual_ip) && !i->modecfg_client && ts_is_host(ts, &i->virtual_ip))
        return 1;
    if (!addr_is_any(&e->sourceip) && ts_is_host(ts, &e->sourceip))
        return 1;
    if (ts_is_host(ts, &i->remote.ip))
        return 2;
    /* transport mode through a NAT: the peer names the address it has behind it */
    return !pconn_is_tunnel(c) && (i->nat & NAT_PEER) && addr_equal(&ts->from, &ts->to) ? 2 : 0;
}

static bool my_client_fits(const ike *i, const pconn *c, const traffic_sel *ts)
{
    traffic_sel want = pconn_ts(c, true);
    if (!port_fits(&c->me, ts))
        return false;
    if (!c->me.has_client && i->modecfg_client && i->modecfg_done && ts_is_host(ts, &i->virtual_ip))
        return true;
    if (!pconn_is_tunnel(c) && (i->nat & NAT_ME) && !c->me.has_client && addr_equal(&ts->from, &ts->to))
        return true; /* it names the address it sees us at */
    return net_equal(&want, ts);
}

static bool same_peer(const ike *i, const pconn *c)
{
    return c->oriented && !c->deleted && !pconn_is_shunt(c) && ident_equal(c->me.id, i->st.c->me.id) &&
           (i->peer_id ? conn_accepts_peer_id(c, i->peer_id) : true) &&
           pconn_allows_auth(c, i->auth, i->st.initiator) &&
           (!c->peer.ca || !i->peer_cert || credstore_issued_below(i->p->e->cred, i->peer_cert, c->peer.ca));
}

static pconn *find_client(ike *i, const wish *w)
{
    pconn *best = NULL, *now = i->st.c;
    int best_score = 0;
    pconns l = conns_for_hosts(i->p, &now->me.host, &i->remote.ip, false);
    for (size_t k = 0; k < l.n; k++) {
        pconn *c = l.c[k];
        if (!same_peer(i, c) || !my_client_fits(i, c, &w->mine))
            continue;
        int fit = peer_client_fits(i, c, &w->theirs);
        int score = fit ? 8 * fit + 2 * (c == now || c == now->parent) + (c->c == now->c) : 0;
        if (score > best_score) {
            best = c;
            best_score = score;
        }
    }
    if (!best) {
        pconns_free(&l);
        return NULL;
    }
    bool narrowed = peer_client_fits(i, best, &w->theirs) == 1;
    pconn *out;
    if (!best->is_template && !narrowed) {
        out = pconn_ref(best);
    } else if (best == now->parent && !narrowed && !best->peer.port_any) {
        out = pconn_ref(now);
    } else {
        subnet s = {0};
        bool exact = ts_to_subnet(&w->theirs, &s);
        instance_of of = {
            .peer = i->remote,
            .peer_id = i->peer_id,
            .peer_client = narrowed || best->peer.port_any ? &s : NULL,
            .proto = w->theirs.proto,
            .peer_port = w->theirs.from_port == w->theirs.to_port ? w->theirs.from_port : 0,
        };
        out = exact || !of.peer_client ? pconn_instantiate(best, &of) : NULL;
    }
    pconns_free(&l);
    return out;
}

/* "10.1.0.0/16===1.2.3.4[@me]...5.6.7.8[@peer]===10.2.0.0/16": what the peer wants, for people. */
static void wish_text(const ike *i, const wish *w, char *dst, size_t size)
{
    const pconn *c = i->st.c;
    snprintf(dst, size, "%s===%s[%s]...%s[%s]===%s", TS_STR(&w->mine), ADDR_STR(&i->local.ip),
             IDENT_PLUTO(c->me.id), ADDR_STR(&i->remote.ip), i->peer_id ? IDENT_PLUTO(i->peer_id) : "?",
             TS_STR(&w->theirs));
}

static verdict take_ids(msgctx *md, wish *w)
{
    ike *i = md->i;
    msgbuf why;
    size_t n = ikev1_count(&md->m, PLV1_ID);
    const ikev1_payload *a = ikev1_nth(&md->m, PLV1_ID, 0), *b = ikev1_nth(&md->m, PLV1_ID, 1);
    if (n == 0) {
        subnet me = subnet_of_host(&i->local.ip), peer = subnet_of_host(&i->remote.ip);
        w->mine = ts_from_subnet(&me, 0, 0);
        w->theirs = ts_from_subnet(&peer, 0, 0);
        return SM_OK;
    }
    if (n != 2)
        return sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION, "Quick Mode with %zu client identities", n);
    if (!quick_ts_from_id(&a->id, &w->theirs, &why) || !quick_ts_from_id(&b->id, &w->mine, &why))
        return sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION, "%s", why.text);
    return SM_OK;
}

static verdict unknown_client(msgctx *md, const wish *w)
{
    char topo[TOPO_TEXT];
    const pconn *now = md->i->st.c;
    traffic_sel mine = pconn_ts(now, true), theirs = pconn_ts(now, false);
    wish_text(md->i, w, topo, sizeof(topo));
    plog(md->st, "explain: conn \"%s\" came nearest: it has clients %s and %s, wanted are %s and %s",
         now->name, TS_STR(&mine), TS_STR(&theirs), TS_STR(&w->mine), TS_STR(&w->theirs));
    return sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION,
                   "cannot respond to IPsec SA request because no connection is known for %s", topo);
}

/* ---- QI1 ---- */

static status fill_kernel_view(quick *q)
{
    /* in transport mode the SAs are between the hosts as they reach each other */
    if (!q->tunnel && q->ike->nat) {
        subnet me = subnet_of_host(&q->ike->local.ip), peer = subnet_of_host(&q->ike->remote.ip);
        traffic_sel mine = ts_from_subnet(&me, q->my_ts.proto, 0),
                    theirs = ts_from_subnet(&peer, q->peer_ts.proto, 0);
        mine.from_port = q->my_ts.from_port;
        mine.to_port = q->my_ts.to_port;
        theirs.from_port = q->peer_ts.from_port;
        theirs.to_port = q->peer_ts.to_port;
        return kchild_set_ts(q->child, &mine, 1, &theirs, 1);
    }
    return ST_OK;
}

static verdict respond(msgctx *md, const ipsec_choice *ch)
{
    quick *q = md->q;
    ike *i = md->i;
    uint8_t nonce[PLUTO_NONCE];
    msgbuf why;
    verdict v;
    q->encaps = ch->encaps;
    q->udp_encap = i->nat != 0 && i->natt_method != NATT_NONE;
    if ((v = quick_take_nonce(md, &q->ni)) != SM_OK || (v = quick_take_ke(md, ch->group)) != SM_OK)
        return v;
    if (rng_bytes(md->p->e->crypto, RNG_WEAK, nonce, sizeof(nonce)) != ST_OK ||
        buf_assign(&q->nr, SPAN_ARRAY(nonce)) != ST_OK)
        return sm_fail(md, SM_FAIL, 0, "no random numbers");
    if (quick_make_child(q, ch->ipcomp.proto != 0, &why) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "%s", why.text);
    quick_take_natoa(md);
    quick_remember_choice(q, ch);
    if (fill_kernel_view(q) != ST_OK || quick_install(q, true, &why) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "%s", why.text);
    quick_index_spis(q);
    ikev1_add_hash_room(&md->reply, i->keys.hash_n);
    spdb_add_ipsec_choice(&md->reply, q, ch);
    ikev1_add_raw(&md->reply, PLV1_NONCE, buf_span(&q->nr));
    if (q->pfs)
        ikev1_add_raw(&md->reply, PLV1_KE, dh_public(q->dh));
    if (q->ids_sent)
        quick_add_ids(q, &md->reply);
    quick_add_natoa(q, &md->reply);
    return SM_OK;
}

verdict quick_in_I1_out_R1(msgctx *md)
{
    ike *i = md->i;
    quick *q;
    wish w;
    ipsec_choice ch;
    msgbuf why;
    if (!ike_ready(i))
        return sm_fail(md, SM_FAIL, 0, "Quick Mode before XAUTH or Mode Config is done: dropped");
    verdict v = take_ids(md, &w);
    if (v != SM_OK)
        return v;
    pconn *c = find_client(i, &w);
    if (!c)
        return unknown_client(md, &w);
    status st = quick_new(&q, i, c, md->m.h.mid, false);
    pconn_unref(c);
    if (st != ST_OK)
        return sm_fail(md, SM_IGNORE, 0, "no room for another Quick Mode: %s", status_text(st));
    state_arm(&q->st, EVENT_SO_DISCARD, HALF_OPEN_LIFE_MS); /* whatever comes of the message */
    md->q = q;
    md->st = &q->st;
    q->iv = md->iv;
    q->tunnel = pconn_is_tunnel(c);
    q->ids_sent = ikev1_find(&md->m, PLV1_ID) != NULL;
    pluto_lock(md->p);
    q->my_ts = w.mine;
    q->peer_ts = w.theirs;
    q->st.state = STATE_QUICK_R0;
    pluto_unlock(md->p);
    plog(md->st, "responding to Quick Mode");
    st = spdb_choose_ipsec(q, &ikev1_find(&md->m, PLV1_SA)->sa, false, &ch, &why);
    if (st == ST_INVALID)
        return sm_fail(md, SM_FAIL, NV1_BAD_PROPOSAL_SYNTAX, "malformed SA payload: %s", why.text);
    if (st != ST_OK) {
        plog(md->st, "explain: %s", why.text);
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "no acceptable Proposal in IPsec SA");
    }
    return respond(md, &ch);
}

verdict quick_in_I2(msgctx *md)
{
    quick *q = md->q;
    msgbuf why;
    status st = quick_install(q, false, &why);
    if (st == ST_OK && (st = quick_conn_up(q)) != ST_OK)
        msg_set(&why, "policies could not be installed: %s", status_text(st));
    if (st == ST_OK)
        return SM_OK;
    info_send_delete_ipsec(md->i, q); /* the peer has it installed already */
    return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "%s", why.text);
}
