/* From the socket to a mailbox: header checks, the gate for first messages, look-up by cookies. Runs on the
 * loop thread and never blocks. What is refused here costs the peer's packet and nothing else.
 */
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sm/engine.h"
#include <string.h>

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t x = 0;
    while (n--)
        x |= *p++;
    return x == 0;
}

static void receive_mail(ike *i, ike_args *a)
{
    engine_receive(i, a->pk, packet_span(a->pk));
}

static void dropped(pluto *p)
{
    pluto_lock(p);
    p->stats.packets_dropped++;
    pluto_unlock(p);
}

static void end_half_open(ike *i, ike_args *a)
{
    if (i->half_open || a->flag) {
        plog(&i->st, "half-open state dropped to make room: %u are waiting", PLUTO_MAX_HALF_OPEN);
        ike_end_phase1(i);
    }
}

/* Counts the half-open states of an address on one of the two lists; the oldest goes to *oldest. */
static unsigned half_open_of(const list *l, const ip_addr *from, ike **oldest)
{
    unsigned n = 0;
    for (const list_node *node = l->next; node != l; node = node->next) {
        ike *i = container_of((list_node *)node, ike, half);
        if (!addr_equal(&i->remote.ip, from))
            continue;
        *oldest = *oldest ? *oldest : i;
        n++;
    }
    return n;
}

/* Room for another half-open state: the oldest goes, before those whose peer has sent our cookie back; a peer
 * that has many already loses its own oldest. */
static void gate(pluto *p, const endpoint *from)
{
    ike *victim = NULL, *oldest_same = NULL;
    unsigned same = 0, max = p->opt.max_half_open ? p->opt.max_half_open : PLUTO_MAX_HALF_OPEN;
    pluto_lock(p);
    if (p->half_bucket[ike_half_bucket(&from->ip)] >= PLUTO_MAX_HALF_OPEN_PEER)
        same = half_open_of(&p->half_open, &from->ip, &oldest_same) +
               half_open_of(&p->half_proven, &from->ip, &oldest_same);
    if (same >= PLUTO_MAX_HALF_OPEN_PEER)
        victim = oldest_same;
    else if (p->n_half_open >= max)
        victim = container_of(list_empty(&p->half_open) ? p->half_proven.next : p->half_open.next, ike, half);
    if (victim) {
        ike_ref(victim);
        ike_remove_half_open(victim);
        p->stats.half_open_evicted++;
    }
    pluto_unlock(p);
    if (victim) {
        ike_args a = {.flag = true};
        if (ike_post(victim, end_half_open, &a) != ST_OK)
            plog_packet(p, from, "a half-open state could not be dropped");
        ike_unref(victim);
    }
}

/* A first message: a new responder, unless it is one of ours come again. */
static ike *new_responder(pluto *p, const packet *pk, const ikev1_header *h)
{
    ike *i = ike_by_initiator(p, h->icookie, &pk->remote);
    if (i)
        return i;
    gate(p, &pk->remote);
    if (ike_new(&i, p, &pk->local, &pk->remote, false, h->icookie) != ST_OK)
        return NULL;
    i->natt = pk->natt;
    i->st.state = STATE_MAIN_R0;
    pluto_lock(p);
    ike_add_half_open(i);
    pluto_unlock(p);
    state_arm(&i->st, EVENT_SO_DISCARD, HALF_OPEN_LIFE_MS); /* whatever comes of the message */
    return i;
}

static ike *find(pluto *p, const packet *pk, const ikev1_header *h)
{
    uint8_t cookies[16];
    memcpy(cookies, h->icookie, 8);
    memcpy(cookies + 8, h->rcookie, 8);
    if (all_zero(h->icookie, 8)) {
        plog_packet(p, &pk->remote, "initiator cookie must not be zero in received packet");
        return NULL;
    }
    if (!all_zero(h->rcookie, 8)) {
        ike *i = ike_by_cookies(p, cookies);
        if (i || (h->exchange != ISAKMP_XCHG_IDPROT && h->exchange != ISAKMP_XCHG_INFO))
            return i;
        /* MR1, or a refusal of MI1: we do not know the peer's cookie yet */
        i = ike_by_initiator(p, h->icookie, &pk->remote);
        if (i && i->st.initiator)
            return i;
        if (i)
            ike_unref(i);
        return NULL;
    }
    if (h->exchange == ISAKMP_XCHG_INFO)
        return ike_by_initiator(p, h->icookie, &pk->remote);
    if (h->exchange == ISAKMP_XCHG_IDPROT) {
        if (h->mid == 0 && !(h->flags & IKEV1_FLAG_ENCRYPTION) && h->next == PLV1_SA)
            return new_responder(p, pk, h);
        plog_packet(p, &pk->remote,
                    "initial Main Mode message is malformed: message id, encryption flag or first payload");
        return NULL;
    }
    if (h->exchange == ISAKMP_XCHG_AGGR) {
        plog_packet(p, &pk->remote,
                    "initial Aggressive Mode message refused: Aggressive Mode is not supported");
        info_send_clear(p, pk, h, NV1_UNSUPPORTED_EXCHANGE_TYPE);
        return NULL;
    }
    return NULL;
}

void demux_packet(void *ctx, packet *pk)
{
    pluto *p = ctx;
    ikev1_header h;
    size_t surplus = 0;
    if (!p->listening || p->stopping)
        goto drop;
    pluto_lock(p);
    p->stats.packets_in++;
    pluto_unlock(p);
    if (pk->n > PLUTO_MAX_MESSAGE)
        goto drop;
    status st = ikev1_parse_header(&h, packet_span(pk), &surplus);
    if (st != ST_OK) {
        if (!(st == ST_UNSUPPORTED && h.major == 2)) /* IKEv2 is somebody else's */
            pdebug(p, PLDBG_CONTROL, "packet from %s dropped: its header is not that of an IKEv1 message",
                   ADDR_PORT(&pk->remote));
        goto drop;
    }
    ike *i = find(p, pk, &h);
    if (!i) {
        pdebug(p, PLDBG_CONTROL, "packet from %s: %s for nobody we know", ADDR_PORT(&pk->remote),
               ENUM_STR(ikev1_exchange_names, h.exchange));
        goto drop;
    }
    ike_args a = {.pk = pk};
    if (ike_post(i, receive_mail, &a) != ST_OK)
        dropped(p);
    ike_unref(i);
    return;
drop:
    dropped(p);
    packet_free(pk);
}
