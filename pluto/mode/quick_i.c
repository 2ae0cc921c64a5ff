/* Quick mode, initiator. */
#include "pluto/mode/quick.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"

static void set_selectors(quick *q)
{
    ike *i = q->ike;
    const pconn *c = q->st.c;
    traffic_sel mine = pconn_ts(c, true), theirs = pconn_ts(c, false);
    if (i->modecfg_client && i->modecfg_done && !c->me.has_client) {
        subnet vip = subnet_of_host(&i->virtual_ip);
        mine = ts_from_subnet(&vip, c->me.proto, c->me.port);
    }
    pluto_lock(i->p);
    q->my_ts = mine;
    q->peer_ts = theirs;
    pluto_unlock(i->p);
}

static status make_nonce(pluto *p, buf *out)
{
    uint8_t n[PLUTO_NONCE];
    status st = rng_bytes(p->e->crypto, RNG_WEAK, n, sizeof(n));
    return st == ST_OK ? buf_assign(out, SPAN_ARRAY(n)) : st;
}

static status build(quick *q, dh_group pfs, ikev1_builder *b)
{
    ike *i = q->ike;
    status st = make_nonce(i->p, &q->ni);
    if (st == ST_OK && pfs)
        st = dh_new(i->p->e->crypto, &q->dh, pfs);
    if (st != ST_OK)
        return st;
    ikev1_add_hash_room(b, i->keys.hash_n);
    if ((st = spdb_add_ipsec(b, q, pfs)) != ST_OK) {
        if (st == ST_NOT_FOUND)
            plog_serious(&q->st, "explain: the kernel can do nothing of what esp= lists");
        return st;
    }
    ikev1_add_raw(b, PLV1_NONCE, buf_span(&q->ni));
    if (pfs)
        ikev1_add_raw(b, PLV1_KE, dh_public(q->dh));
    quick_add_ids(q, b);
    quick_add_natoa(q, b);
    if ((st = engine_set_hash(i, q->msgid, SPAN_NULL, b)) != ST_OK)
        return st;
    return engine_start_iv(i, q->msgid, &q->iv);
}

status quick_out_I1(ike *i, pconn *c, pl_client *cl, uint64_t replaces, unsigned keying_try)
{
    ikev1_builder b = {0};
    quick *q;
    msgbuf why;
    status st = quick_new(&q, i, c, engine_new_msgid(i), true);
    if (st != ST_OK)
        return st;
    state_set_client(&q->st, cl);
    q->st.replaces = replaces;
    q->st.keying_try = keying_try;
    q->tunnel = pconn_is_tunnel(c);
    q->udp_encap = i->nat != 0 && i->natt_method != NATT_NONE;
    q->encaps = encaps_value(i, q->tunnel);
    q->pfs = !c->c->pfs ? DH_NONE : c->pfs_group ? c->pfs_group : i->group;
    set_selectors(q);
    if (replaces)
        plog(&q->st, "initiating Quick Mode %s to replace #%llu {using isakmp#%llu}", POLICY_BITS(c),
             (unsigned long long)replaces, (unsigned long long)i->st.serial);
    else
        plog(&q->st, "initiating Quick Mode %s {using isakmp#%llu}", POLICY_BITS(c),
             (unsigned long long)i->st.serial);
    st = quick_make_child(q, true, &why);
    if (st != ST_OK)
        plog_serious(&q->st, "%s", why.text);
    if (st == ST_OK)
        st = build(q, q->pfs, &b);
    if (st == ST_OK)
        st = engine_send(i, &q->st.tx, ISAKMP_XCHG_QUICK, q->msgid, &b, &q->iv);
    if (st == ST_OK)
        engine_started(&q->st, STATE_QUICK_I1, "initiate");
    else
        quick_end(q);
    ikev1_builder_free(&b);
    return st;
}

/* The answer must name the clients we named; a narrowed answer is not ours to accept. */
static verdict check_ids(msgctx *md)
{
    const ikev1_payload *a = ikev1_nth(&md->m, PLV1_ID, 0), *b = ikev1_nth(&md->m, PLV1_ID, 1);
    traffic_sel mine, theirs;
    size_t n = ikev1_count(&md->m, PLV1_ID);
    if (n == 0) /* then it means the hosts */
        return ts_is_host(&md->q->my_ts, &md->i->local.ip) && ts_is_host(&md->q->peer_ts, &md->i->remote.ip)
                   ? SM_OK
                   : sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION,
                             "the peer's answer names no clients, we named some");
    if (n != 2 || !quick_ts_from_id(&a->id, &mine, &md->why) || !quick_ts_from_id(&b->id, &theirs, &md->why))
        return sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION, "the peer's answer names %zu clients", n);
    if (!ts_equal(&mine, &md->q->my_ts) || !ts_equal(&theirs, &md->q->peer_ts))
        return sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION,
                       "our client ID returned doesn't match our proposal: %s and %s", TS_STR(&mine),
                       TS_STR(&theirs));
    return SM_OK;
}

verdict quick_in_R1_out_I2(msgctx *md)
{
    quick *q = md->q;
    ipsec_choice ch;
    msgbuf why;
    verdict v;
    status st = spdb_choose_ipsec(q, &ikev1_find(&md->m, PLV1_SA)->sa, true, &ch, &why);
    if (st != ST_OK)
        return sm_fail(md, SM_FAIL, st == ST_INVALID ? NV1_BAD_PROPOSAL_SYNTAX : NV1_NO_PROPOSAL_CHOSEN,
                       "the peer's choice is not one of our proposals. explain: %s", why.text);
    dh_group pfs = q->pfs;
    if ((v = check_ids(md)) != SM_OK || (v = quick_take_nonce(md, &q->nr)) != SM_OK ||
        (v = quick_take_ke(md, pfs)) != SM_OK)
        return v;
    quick_take_natoa(md);
    quick_remember_choice(q, &ch);
    if (quick_install(q, true, &why) != ST_OK || quick_install(q, false, &why) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "%s", why.text);
    quick_index_spis(q);
    if ((st = quick_conn_up(q)) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "policies could not be installed: %s",
                       status_text(st));
    ikev1_add_hash_room(&md->reply, md->i->keys.hash_n);
    return SM_OK;
}
