/* Dead peer detection.   RFC 3706
 *
 * A probe goes out when the peer has not been heard for dpddelay: neither IKE nor, by the kernel's use time,
 * ESP. The timeout starts with the first unanswered probe; anything authentic from the peer cancels it.
 */
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"

static void on_dpd(void *ctx, uint64_t key);
static void on_dpd_timeout(void *ctx, uint64_t key);

static int64_t now_ms(const ike *i)
{
    return runtime_now_ms(i->p->e->rt);
}

static void arm(ike *i, int64_t delay_ms)
{
    pluto *p = i->p;
    if (i->dpd.timer)
        runtime_timer_cancel(p->e->rt, i->dpd.timer);
    timer_id t = runtime_timer(p->e->rt, delay_ms, on_dpd, p, i->st.serial);
    pluto_lock(p);
    i->dpd.timer = t;
    i->dpd.due_ms = now_ms(i) + delay_ms;
    pluto_unlock(p);
    pdebug(p, PLDBG_CONTROL, "inserting event EVENT_DPD, timeout in %lld seconds for #%llu",
           (long long)(delay_ms / 1000), (unsigned long long)i->st.serial);
}

static void cancel_timeout(ike *i)
{
    if (i->dpd.timeout)
        runtime_timer_cancel(i->p->e->rt, i->dpd.timeout);
    i->dpd.timeout = 0;
    i->dpd.waiting = false;
}

void dpd_start(ike *i)
{
    const conn *k = i->st.c->c;
    i->dpd.last_activity_ms = now_ms(i);
    if (!i->dpd.peer_knows || k->dpdaction == DPD_NONE || k->dpddelay_s <= 0)
        return;
    plog(&i->st, "Dead Peer Detection (RFC 3706) enabled");
    i->dpd.on = true;
    i->dpd.seq_out = (rng_u32(i->p->e->crypto) & 0x7fff) + 1;
    /* not all at once after a restart: half to one and a half times the delay */
    int64_t d = k->dpddelay_s * 1000;
    arm(i, d / 2 + (int64_t)(((uint64_t)rng_u32(i->p->e->crypto) * (uint64_t)d) >> 32));
}

void dpd_activity(ike *i)
{
    i->dpd.last_activity_ms = now_ms(i);
    cancel_timeout(i);
}

/* When was the peer last heard, by IKE or ESP, in ms before now? */
static int64_t silence_ms(ike *i)
{
    pluto *p = i->p;
    int64_t best = now_ms(i) - i->dpd.last_activity_ms, wall = runtime_wall_s(p->e->rt);
    ike *k;
    quick *q;
    ikes l = ikes_near(i);
    for (size_t n = 0; n < l.n; n++) {
        k = l.i[n];
        LIST_EACH(&k->quicks, quick, node, q)
        {
            kchild_stats s;
            if (q->established && q->child && kchild_query(q->child, &s) == ST_OK && s.use_in_s &&
                (wall - s.use_in_s) * 1000 < best)
                best = (wall - s.use_in_s) * 1000;
        }
    }
    ikes_free(&l);
    return best < 0 ? 0 : best;
}

static void notify(ike *i, uint16_t type, uint32_t seq)
{
    uint8_t data[4];
    set_u32(data, seq);
    info_send_notify(i, type, IPV1_PROTO_ISAKMP, span_of(i->cookies, 16), SPAN_ARRAY(data));
}

static void probe_mail(ike *i, ike_args *a)
{
    pluto *p = i->p;
    if (i->phase1_gone || !i->dpd.on || !i->st.c)
        return;
    const conn *k = i->st.c->c;
    i->dpd.timer = 0;
    pluto_lock(p);
    uint64_t newest = i->st.c->newest_isakmp;
    pluto_unlock(p);
    if (newest && newest != i->st.serial) {
        pdebug(p, PLDBG_CONTROL, "DPD: Phase1 state #%llu has been superseded by #%llu",
               (unsigned long long)i->st.serial, (unsigned long long)newest);
        return;
    }
    int64_t delay = k->dpddelay_s * 1000, silence = silence_ms(i);
    if (silence < delay) {
        cancel_timeout(i);
        arm(i, delay - silence);
        return;
    }
    if (!i->dpd.timeout) {
        i->dpd.timeout = runtime_timer(p->e->rt, k->dpdtimeout_s * 1000, on_dpd_timeout, p, i->st.serial);
        i->dpd.timeout_due_ms = now_ms(i) + k->dpdtimeout_s * 1000;
    }
    notify(i, NV1_R_U_THERE, i->dpd.seq_out++);
    i->dpd.waiting = true;
    arm(i, delay);
}

static void act(pluto *p, pconn *c)
{
    switch (c->c->dpdaction) {
    case DPD_CLEAR:
        plog_conn(c, NULL, RC_LOG_SERIOUS, "DPD: Clearing connection");
        pluto_conn_unroute(p, c, NULL);
        break;
    case DPD_HOLD:
        plog_conn(c, NULL, RC_LOG_SERIOUS, "DPD: Putting connection into %%trap");
        if (pluto_conn_route(p, c, NULL) != ST_OK)
            plog_conn(c, NULL, RC_LOG_SERIOUS, "DPD: the trap could not be set");
        break;
    case DPD_RESTART:
        plog_conn(c, NULL, RC_LOG_SERIOUS, "DPD: Restarting connection");
        pluto_lock(p);
        c->up = true;
        pluto_unlock(p);
        pluto_conn_initiate(p, c, NULL, 0, 1);
        break;
    case DPD_NONE:
        break;
    }
}

/* Ends all SAs with the dead peer in this mailbox that belong to conns sharing this ISAKMP SA. */
static void timeout_mail(ike *i, ike_args *a)
{
    pluto *p = i->p;
    pconn *dead[PLUTO_MAX_PENDING];
    size_t n = 0;
    quick *q;
    if (i->phase1_gone || !i->dpd.timeout || now_ms(i) < i->dpd.timeout_due_ms || !i->st.c)
        return;
    i->dpd.timeout = 0;
    if (silence_ms(i) < i->st.c->c->dpddelay_s * 1000)
        return;
    plog_serious(&i->st, "DPD: No response from peer - declaring peer dead");
    plog(&i->st, "DPD: Terminating all SAs using this connection");
    dead[n++] = pconn_ref(i->st.c);
    ikes l = ikes_near(i);
    for (size_t k = 0; k < l.n; k++) {
        ike *o = l.i[k];
        if (!o->peer_id || !ident_equal(o->peer_id, i->peer_id) || o->remote.port != i->remote.port)
            continue;
        list_node *at, *next;
        for (at = o->quicks.next; at != &o->quicks; at = next) {
            next = at->next;
            q = container_of(at, quick, node);
            bool known = false;
            for (size_t d = 0; d < n; d++)
                known |= dead[d] == q->st.c;
            if (!known && n < PLUTO_MAX_PENDING)
                dead[n++] = pconn_ref(q->st.c);
            quick_end(q);
        }
        if (!o->phase1_gone && state_isakmp_established(o->st.state))
            ike_end_phase1(o);
    }
    ikes_free(&l);
    for (size_t d = 0; d < n; d++) {
        if (!dead[d]->deleted || dead[d]->instance)
            act(p, dead[d]);
        pconn_unref(dead[d]);
    }
}

static void post(void *ctx, uint64_t key, ike_fn *fn, timer_fn *again)
{
    pluto *p = ctx;
    ike *i = ike_by_serial(p, key);
    ike_args a = {0};
    if (!i)
        return;
    if (ike_post(i, fn, &a) == ST_LIMIT)
        runtime_timer(p->e->rt, 1000, again, p, key);
    ike_unref(i);
}

static void on_dpd(void *ctx, uint64_t key)
{
    post(ctx, key, probe_mail, on_dpd);
}

static void on_dpd_timeout(void *ctx, uint64_t key)
{
    post(ctx, key, timeout_mail, on_dpd_timeout);
}

/* ---- the peer's messages ---- under the ISAKMP SA they name, with a good HASH */

static bool well_formed(ike *i, const ikev1_notify *n)
{
    if (n->spi.n != 16 || !span_equal(n->spi, span_of(i->cookies, 16)))
        plog(&i->st, "DPD: notification with invalid cookies ignored");
    else if (n->data.n != 4)
        plog(&i->st, "DPD: notification with %zu octets of data ignored", n->data.n);
    else
        return true;
    return false;
}

void dpd_in_request(ike *i, const ikev1_notify *n)
{
    if (!well_formed(i, n))
        return;
    uint32_t seq = get_u32(n->data.p);
    if (i->dpd.seq_in_set && seq <= i->dpd.seq_in) {
        plog(&i->st, "DPD: received old or duplicate R_U_THERE");
        return;
    }
    i->dpd.seq_in = seq;
    i->dpd.seq_in_set = true;
    notify(i, NV1_R_U_THERE_ACK, seq);
    dpd_activity(i);
}

void dpd_in_ack(ike *i, const ikev1_notify *n)
{
    if (!well_formed(i, n))
        return;
    uint32_t seq = get_u32(n->data.p);
    if (!i->dpd.waiting || seq + 1 != i->dpd.seq_out) {
        pdebug(i->p, PLDBG_CONTROL, "DPD: unexpected R_U_THERE_ACK %u ignored", seq);
        return;
    }
    dpd_activity(i);
}
