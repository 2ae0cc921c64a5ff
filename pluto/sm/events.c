/* What happens when a state's time has come: retransmit, replace, expire, discard; and how states are given
 * up and deleted.
 */
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sm/engine.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- giving up, trying again ---- */

static void on_retry(void *ctx, uint64_t key)
{
    pluto *p = ctx;
    pconn *c, *found = NULL;
    uint64_t replaces = 0;
    unsigned keying_try = 1;
    pluto_lock(p);
    LIST_EACH(&p->conns, pconn, node, c)
    {
        if (c->serial != key)
            continue;
        found = pconn_ref(c);
        c->retry_timer = 0;
        replaces = c->retry_replaces;
        keying_try = c->retry_try;
        break;
    }
    pluto_unlock(p);
    if (found && !p->stopping)
        pluto_conn_initiate(p, found, NULL, replaces, keying_try);
    pconn_unref(found);
}

/* Later: the state that failed must be gone before another takes its place, and a peer that refuses at once
 * must not make us try without pause. */
static void try_again(pluto *p, pconn *c, uint64_t replaces, unsigned keying_try, int64_t delay_ms)
{
    pluto_lock(p);
    timer_id old = c->retry_timer;
    c->retry_replaces = replaces;
    c->retry_try = keying_try;
    c->retry_timer = c->deleted ? 0 : runtime_timer(p->e->rt, delay_ms, on_retry, p, c->serial);
    pluto_unlock(p);
    if (old)
        runtime_timer_cancel(p->e->rt, old);
}

static bool tries_left(const pstate *st)
{
    return st->c && !st->c->deleted && (st->c->c->keyingtries == 0 || st->keying_try < st->c->c->keyingtries);
}

static void give_up_pendings(ike *i, bool again, int64_t delay_ms)
{
    pluto *p = i->p;
    for (;;) {
        pluto_lock(p);
        list_node *n = list_pop(&i->pendings);
        p->stats.pending -= n != NULL;
        pluto_unlock(p);
        if (!n)
            return;
        pending *w = container_of(n, pending, node);
        if (w->client)
            plog_conn(w->c, w->client, RC_NORETRANSMISSION,
                      "pending Quick Mode is dropped: its Main Mode failed");
        if (again && !w->c->deleted)
            try_again(p, w->c, w->replaces, i->st.keying_try + 1, delay_ms);
        client_unref(w->client);
        pconn_unref(w->c);
        free(w);
    }
}

void state_give_up(pstate *st, int64_t delay_ms)
{
    pluto *p = st->ike->p;
    bool again = tries_left(st) && st->initiator;
    if (again) {
        char of[32] = "an unlimited number";
        if (st->c->c->keyingtries)
            snprintf(of, sizeof(of), "at most %u", st->c->c->keyingtries);
        plog(st, "starting keying attempt %u of %s%s", st->keying_try + 1, of,
             st->client ? ", but releasing whack" : "");
    }
    if (st->phase1) {
        bool had_pending = !list_empty(&st->ike->pendings);
        give_up_pendings(st->ike, again, delay_ms);
        if (again && !had_pending)
            try_again(p, st->c, st->replaces, st->keying_try + 1, delay_ms);
    } else if (again) {
        try_again(p, st->c, st->replaces, st->keying_try + 1, delay_ms);
    }
    state_set_client(st, NULL);
}

/* ---- retransmission ---- */

static const char *why_no_answer(const pstate *st)
{
    switch (st->state) {
    case STATE_MAIN_I1:
        return ".  No response (or no acceptable response) to our first IKE message";
    case STATE_MAIN_I3:
        return ".  Possible authentication failure: no acceptable response to our first encrypted message";
    case STATE_QUICK_I1:
        return st->c && st->c->newest_ipsec ? ""
                                            : ".  No acceptable response to our first Quick Mode message: "
                                              "perhaps peer likes no proposal";
    default:
        return "";
    }
}

static void retransmit(pstate *st)
{
    bool forever = st->state == STATE_MAIN_I1 && st->c && st->c->c->keyingtries == 0;
    unsigned max = forever ? RETRANSMIT_MAX_FOREVER : RETRANSMIT_MAX;
    if (st->tries < max) {
        st->tries++;
        int64_t delay = (int64_t)RETRANSMIT_FIRST_MS << (st->tries < 2 ? st->tries : 2);
        plog_code(st, RC_RETRANSMISSION, "%s: retransmission; will wait %llds for response",
                  state_name(st->state), (long long)(delay / 1000));
        engine_resend(st->ike, &st->tx);
        state_arm(st, EVENT_RETRANSMIT, delay);
        return;
    }
    plog_code(st, RC_NORETRANSMISSION, "max number of retransmissions (%u) reached %s%s", max,
              state_name(st->state), why_no_answer(st));
    bool phase1 = st->phase1;
    ike *i = st->ike;
    if (st->initiator)
        state_give_up(st, 0);
    if (phase1)
        ike_end_phase1(i);
    else
        quick_end(container_of(st, quick, st));
}

/* ---- lifetimes ---- */

static bool wants_replacing(const pstate *st)
{
    return st->c && st->c->c->rekey;
}

void state_arm_lifetime(pstate *st, int64_t life_s)
{
    pluto *p = st->ike->p;
    const conn *k = st->c->c;
    int64_t life = life_s * 1000, margin = 0;
    st->established_wall = runtime_wall_s(p->e->rt);
    if (wants_replacing(st)) {
        margin = k->rekeymargin_s * 1000;
        if (st->initiator) {
            uint64_t fuzz = (uint64_t)margin * k->rekeyfuzz_pct / 100;
            margin += fuzz ? (int64_t)(((uint64_t)rng_u32(p->e->crypto) * fuzz) >> 32) : 0;
        } else {
            margin /= 2;
        }
        if (margin >= life)
            margin = life / 2; /* the peer wants a life shorter than our margin */
    }
    st->rekey_margin_ms = margin;
    state_arm(st, wants_replacing(st) ? EVENT_SA_REPLACE : EVENT_SA_EXPIRE, life - margin);
}

static void replace(pstate *st)
{
    pluto *p = st->ike->p;
    pluto_lock(p);
    uint64_t newest = st->c ? (st->phase1 ? st->c->newest_isakmp : st->c->newest_ipsec) : 0;
    bool dead = !st->c || st->c->deleted;
    pluto_unlock(p);
    bool superseded = newest && newest != st->serial;
    state_arm(st, EVENT_SA_EXPIRE, st->rekey_margin_ms);
    if (dead || superseded || p->stopping)
        return;
    if (!st->phase1) {
        pluto_conn_initiate(p, st->c, NULL, st->serial, 1);
        return;
    }
    ike *n;
    ike *i = st->ike;
    if (ike_new(&n, p, &i->local, &i->remote, true, NULL) != ST_OK)
        return;
    n->natt = i->natt;
    n->st.replaces = st->serial;
    n->st.keying_try = 1;
    state_set_conn(&n->st, st->c);
    ike_start_main(n);
    ike_unref(n);
}

static void expire(pstate *st)
{
    pluto *p = st->ike->p;
    pluto_lock(p);
    uint64_t newest = st->c ? (st->phase1 ? st->c->newest_isakmp : st->c->newest_ipsec) : 0;
    pluto_unlock(p);
    plog(st, "%s SA expired (%s)", st->phase1 ? "ISAKMP" : "IPsec",
         newest && newest != st->serial ? "superseded" : "LATEST!");
    if (st->phase1)
        ike_delete(st->ike, true);
    else
        quick_delete(container_of(st, quick, st), true);
}

void state_event(pstate *st, pl_event ev)
{
    switch (ev) {
    case EVENT_RETRANSMIT:
        retransmit(st);
        break;
    case EVENT_SA_REPLACE:
    case EVENT_SA_REPLACE_IF_USED:
        replace(st);
        break;
    case EVENT_SA_EXPIRE:
        expire(st);
        break;
    case EVENT_SO_DISCARD:
        plog(st, "%s: nothing came for %d seconds, giving up", state_name(st->state),
             HALF_OPEN_LIFE_MS / 1000);
        if (st->phase1)
            ike_end_phase1(st->ike);
        else
            quick_end(container_of(st, quick, st));
        break;
    default:
        break;
    }
}

/* ---- deleting ---- */

void ike_delete(ike *i, bool tell)
{
    if (i->phase1_gone)
        return;
    plog(&i->st, "deleting state (%s)", state_name(i->st.state));
    if (tell && state_isakmp_established(i->st.state))
        info_send_delete_isakmp(i);
    ike_end_phase1(i);
}

void quick_delete(quick *q, bool tell)
{
    plog(&q->st, "deleting state (%s)", state_name(q->st.state));
    if (tell && (q->established || q->inbound_up))
        info_send_delete_ipsec(q->ike, q);
    quick_end(q);
}
