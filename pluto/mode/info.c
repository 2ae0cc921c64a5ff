/* Informational exchanges: notifies and Deletes, ours and the peer's. Only what comes under an established
 * ISAKMP SA with a correct HASH has any effect; in clear it is told to people and to nobody else.   RFC
 * 2408 3.14, 3.15, 4.8
 */
#include "pluto/mode/mode.h"
#include "libstrongswan/base/text.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <string.h>

/* ---- sending ---- */

static void send_info(ike *i, ikev1_builder *b)
{
    uint32_t mid = engine_new_msgid(i);
    iv_chain iv = {0};
    status st = ST_OK;
    bool encrypted = keymat_ready(&i->keys);
    if (encrypted && (st = engine_set_hash(i, mid, SPAN_NULL, b)) == ST_OK)
        st = engine_start_iv(i, mid, &iv);
    if (st == ST_OK)
        st = engine_send(i, NULL, ISAKMP_XCHG_INFO, mid, b, encrypted ? &iv : NULL);
    if (st != ST_OK)
        plog(&i->st, "informational message could not be sent: %s", status_text(st));
}

static void start_info(ike *i, ikev1_builder *b)
{
    if (keymat_ready(&i->keys))
        ikev1_add_hash_room(b, i->keys.hash_n);
}

void info_send_notify(ike *i, uint16_t type, uint8_t proto, span spi, span data)
{
    ikev1_builder b = {0};
    start_info(i, &b);
    ikev1_add_notify(&b, IKEV1_DOI_IPSEC, proto, spi, type, data);
    send_info(i, &b);
    ikev1_builder_free(&b);
}

void info_send_clear(pluto *p, const packet *pk, const ikev1_header *h, uint16_t type)
{
    ikev1_builder b = {0};
    buf out = {0};
    ikev1_header r = {.major = 1, .exchange = ISAKMP_XCHG_INFO, .mid = rng_u32(p->e->crypto)};
    memcpy(r.icookie, h->icookie, 8);
    memcpy(r.rcookie, h->rcookie, 8);
    plog_packet(p, &pk->remote, "sending notification %s to %s", ENUM_STR(ikev1_notify_names, type),
                ADDR_PORT(&pk->remote));
    ikev1_add_notify(&b, IKEV1_DOI_ISAKMP, IPV1_PROTO_ISAKMP, SPAN_NULL, type, SPAN_NULL);
    if (ikev1_emit(&r, &b, 0, &out) == ST_OK &&
        net_send(p->e->net, &pk->local, &pk->remote, pk->natt, buf_span(&out)) == ST_OK) {
        pluto_lock(p);
        p->stats.packets_out++;
        pluto_unlock(p);
    }
    buf_free(&out);
    ikev1_builder_free(&b);
}

void info_send_delete_isakmp(ike *i)
{
    ikev1_builder b = {0};
    start_info(i, &b);
    ikev1_add_delete(&b, IPV1_PROTO_ISAKMP, 16, span_of(i->cookies, 16));
    send_info(i, &b);
    ikev1_builder_free(&b);
}

/* An established SA with the same peer, to say something about a quick mode whose own ISAKMP SA is gone. */
static ike *speaker_for(ike *i)
{
    pluto *p = i->p;
    ike *k, *found = NULL;
    if (!i->phase1_gone)
        return state_isakmp_established(i->st.state) ? ike_ref(i) : NULL;
    pluto_lock(p);
    LIST_EACH(&i->peer->ikes, ike, near, k)
    {
        if (!k->phase1_gone && state_isakmp_established(k->st.state) &&
            addr_equal(&k->local.ip, &i->local.ip) && k->remote.port == i->remote.port)
            found = k;
    }
    if (found)
        ike_ref(found);
    pluto_unlock(p);
    return found;
}

void info_send_delete_ipsec(ike *i, const quick *q)
{
    ike *by = speaker_for(i);
    if (!by)
        return;
    for (uint8_t n = 0; n < 2; n++) { /* AH, ESP; the CPI goes with them */
        uint8_t spi[4];
        ikev1_builder b = {0};
        if (!q->spi_in[n] || (n == 0 && !q->ah.proto))
            continue;
        set_u32(spi, q->spi_in[n]);
        start_info(by, &b);
        ikev1_add_delete(&b, (uint8_t)(n + PROTO_AH), 4, SPAN_ARRAY(spi));
        send_info(by, &b);
        ikev1_builder_free(&b);
    }
    ike_unref(by);
}

/* ---- receiving ---- */

static void tell_notify(pstate *st, const ikev1_notify *n)
{
    if (n->type == NV1_NHTB_INFORM || n->type == NV1_UNITY_LOAD_BALANCE)
        return;
    plog_serious(st, "ignoring informational payload, type %s", ENUM_STR(ikev1_notify_names, n->type));
}

verdict info_clear(msgctx *md)
{
    for (size_t k = 0; k < md->m.n; k++) {
        const ikev1_payload *p = &md->m.p[k];
        if (p->type == PLV1_N) {
            /* what a peer says before it can prove anything is a hint for people */
            tell_notify(md->st, &p->notify);
            if (md->st->initiator && !state_isakmp_established(md->st->state) && p->notify.type < 16384)
                plog(md->st,
                     "explain: the peer refuses %s (%s), unauthenticated: we go on until the retransmissions "
                     "are used up",
                     state_name(md->st->state), ENUM_STR(ikev1_notify_names, p->notify.type));
        } else if (p->type == PLV1_D) {
            plog_serious(md->st, "ignoring Delete SA payload: not encrypted");
        }
    }
    return SM_OK;
}

static void deleted_isakmp(msgctx *md, span cookies)
{
    ike *i = ike_by_cookies(md->p, cookies.p);
    if (!i) {
        plog(md->st, "ignoring Delete SA payload: ISAKMP SA not found (maybe expired)");
        return;
    }
    /* only the peer itself ends its SA */
    bool same = i->peer == md->i->peer && md->i->peer_id && i->peer_id &&
                ident_equal(i->peer_id, md->i->peer_id);
    if (!same && i != md->i) {
        plog_serious(md->st, "ignoring Delete SA payload: ISAKMP SA used to convey Delete has different IDs "
                             "from ISAKMP SA it deletes");
    } else {
        plog_serious(md->st, "received Delete SA payload: deleting ISAKMP State #%llu",
                     (unsigned long long)i->st.serial);
        i->deleting = true;
        if (i != md->i)
            ike_end_phase1(i);
    }
    ike_unref(i);
}

static void restart_if_up(pluto *p, pconn *c)
{
    pluto_lock(p);
    bool again = c->up && !c->deleted && !c->newest_ipsec && c->c->closeaction == DPD_RESTART;
    pluto_unlock(p);
    if (again)
        pluto_conn_initiate(p, c, NULL, 0, 1);
}

static void deleted_ipsec(msgctx *md, uint8_t proto, uint32_t spi)
{
    pluto *p = md->p;
    uint64_t serial = quick_serial_by_spi(p, false, proto, spi, &md->i->remote.ip);
    ike *i = serial ? ike_by_serial(p, serial) : NULL;
    quick *q = i && i->peer == md->i->peer ? quick_by_serial(i, serial) : NULL;
    if (!q) {
        plog(md->st, "ignoring Delete SA payload: %s SA(0x%08x) not found (maybe expired)",
             ENUM_STR(ikev1_protocol_names, proto), spi);
    } else if (i != md->i && i->peer_id && md->i->peer_id && !ident_equal(i->peer_id, md->i->peer_id)) {
        plog_serious(md->st, "ignoring Delete SA payload: it is about an SA of another peer");
    } else {
        pconn *c = pconn_ref(q->st.c);
        plog_serious(md->st, "received Delete SA(0x%08x) payload: deleting IPSEC State #%llu", spi,
                     (unsigned long long)serial);
        quick_end(q);
        restart_if_up(p, c);
        pconn_unref(c);
    }
    if (i)
        ike_unref(i);
}

static void take_delete(msgctx *md, const ikev1_delete *d)
{
    if (d->doi != IKEV1_DOI_IPSEC && d->doi != IKEV1_DOI_ISAKMP) {
        plog_serious(md->st, "ignoring Delete SA payload: unknown DOI %u", d->doi);
        return;
    }
    size_t want = d->proto == IPV1_PROTO_ISAKMP ? 16 : 4;
    if (d->proto == IPV1_PROTO_IPCOMP || d->spi_size != want || d->spis.n != (size_t)d->count * want) {
        if (d->proto != IPV1_PROTO_IPCOMP)
            plog_serious(md->st, "ignoring Delete SA payload: SPI size %u for protocol %u", d->spi_size,
                         d->proto);
        return;
    }
    for (size_t k = 0; k < d->count; k++) {
        span spi = span_of(d->spis.p + k * want, want);
        if (d->proto == IPV1_PROTO_ISAKMP)
            deleted_isakmp(md, spi);
        else
            deleted_ipsec(md, d->proto, get_u32(spi.p));
    }
}

verdict info_protected(msgctx *md)
{
    ike *i = md->i;
    bool up = state_isakmp_established(i->st.state);
    for (size_t k = 0; k < md->m.n && !i->phase1_gone; k++) {
        const ikev1_payload *p = &md->m.p[k];
        if (p->type == PLV1_N && up && p->notify.type == NV1_R_U_THERE)
            dpd_in_request(i, &p->notify);
        else if (p->type == PLV1_N && up && p->notify.type == NV1_R_U_THERE_ACK)
            dpd_in_ack(i, &p->notify);
        else if (p->type == PLV1_N)
            info_take_notify(md, &p->notify);
        else if (p->type == PLV1_D && up)
            take_delete(md, &p->del);
        else if (p->type == PLV1_D)
            plog_serious(md->st, "ignoring Delete SA payload: the ISAKMP SA is not established");
    }
    if (i->deleting && !i->phase1_gone)
        ike_end_phase1(i);
    return SM_OK;
}

/* An authenticated refusal of our quick mode: who waits for it hears so at once. The state stays until its
 * retransmissions are used up, which paces the next attempt. */
void info_take_notify(msgctx *md, const ikev1_notify *n)
{
    quick *q, *larval = NULL;
    unsigned count = 0;
    tell_notify(&md->i->st, n);
    if (n->type >= 16384 || n->proto == IPV1_PROTO_ISAKMP || !state_isakmp_established(md->i->st.state))
        return;
    LIST_EACH(&md->i->quicks, quick, node, q)
    {
        if (q->st.state == STATE_QUICK_I1) {
            count++;
            larval = q;
        }
    }
    if (count != 1)
        return;
    plog_serious(&larval->st, "explain: the peer refused our Quick Mode: %s",
                 ENUM_STR(ikev1_notify_names, n->type));
    plog_progress(&larval->st, RC_NOTIFICATION + n->type, "%s: %s", state_name(larval->st.state),
                  ENUM_STR(ikev1_notify_names, n->type));
    state_set_client(&larval->st, NULL);
}
