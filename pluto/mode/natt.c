/* NAT traversal: detection, floating to port 4500, keepalives.   RFC 3947, RFC 3948; drafts 02, 03 */
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <string.h>

static uint8_t natd_type(const ike *i)
{
    return i->natt_method == NATT_RFC ? PLV1_NAT_D : PLV1_NAT_D_DRAFT;
}

void natt_add_hashes(ike *i, ikev1_builder *b)
{
    uint8_t h[MAX_HASH_BYTES];
    const endpoint *ends[] = {&i->remote, &i->local};
    if (i->natt_method == NATT_NONE)
        return;
    for (size_t k = 0; k < 2; k++) {
        if (keymat_natd(&i->keys, i->cookies, addr_span(&ends[k]->ip), ends[k]->port, h) != ST_OK) {
            b->failed = true;
            return;
        }
        if (k == 1 && i->st.c->c->forceencaps)
            h[0] ^= 0xff; /* we claim to be behind a NAT */
        ikev1_add_raw(b, natd_type(i), span_of(h, i->keys.hash_n));
    }
}

static bool is_hash_of(const ike *i, span got, const endpoint *e)
{
    uint8_t h[MAX_HASH_BYTES];
    return keymat_natd(&i->keys, i->cookies, addr_span(&e->ip), e->port, h) == ST_OK &&
           span_equal(got, span_of(h, i->keys.hash_n));
}

void natt_take_hashes(msgctx *md)
{
    // clang-format off
    static const char *const methods[] = {[NATT_NONE] = "none", [NATT_DRAFT_02] = "draft-ietf-ipsec-nat-t-ike-02", [NATT_DRAFT_03] = "draft-ietf-ipsec-nat-t-ike-03", [NATT_RFC] = "RFC 3947"};
    static const char *const results[] = {"no NAT detected", "i am NATed", "peer is NATed", "both are NATed"};
    // clang-format on
    ike *i = md->i;
    size_t n = ikev1_count(&md->m, PLV1_NAT_D);
    bool peer_seen = false;
    if (i->natt_method == NATT_NONE)
        return;
    if (n < 2) { /* the peer does not mean it */
        i->natt_method = NATT_NONE;
        return;
    }
    i->nat = is_hash_of(i, ikev1_nth(&md->m, PLV1_NAT_D, 0)->natd.data, md->to) ? 0 : NAT_ME;
    for (size_t k = 1; k < n; k++)
        peer_seen |= is_hash_of(i, ikev1_nth(&md->m, PLV1_NAT_D, k)->natd.data, md->from);
    if (!peer_seen)
        i->nat |= NAT_PEER;
    if (i->st.c->c->forceencaps)
        i->nat |= NAT_ME;
    plog(md->st, "NAT-Traversal: Result using %s: %s", methods[i->natt_method], results[i->nat]);
}

void natt_float(ike *i)
{
    const net *n = i->p->e->net;
    if (!i->nat || i->natt)
        return;
    pluto_lock(i->p);
    i->natt = true;
    i->local.port = n->ops->port((net *)n, true);
    if (i->remote.port == IKE_PORT)
        i->remote.port = IKE_NATT_PORT;
    pluto_unlock(i->p);
    state_relabel(&i->st);
}

void natt_follow(msgctx *md)
{
    ike *i = md->i;
    quick *q;
    if (!(md->row->flags & SMF_ENCRYPTED) ||
        (endpoint_equal(md->from, &i->remote) && endpoint_equal(md->to, &i->local) && md->natt == i->natt))
        return;
    if (!addr_equal(&md->from->ip, &i->remote.ip) || !addr_equal(&md->to->ip, &i->local.ip)) {
        plog(&i->st, "the peer's packet came from %s to %s: a change of addresses is not followed",
             ADDR_PORT(md->from), ADDR_STR(&md->to->ip));
        return;
    }
    if (i->natt && !md->natt)
        return; /* does not go back */
    bool first = !state_isakmp_established(i->st.state);
    if (!first)
        plog(&i->st, "NAT-Traversal: new mapping of the peer: port %u became %u", i->remote.port,
             md->from->port);
    pluto_lock(i->p);
    i->remote.port = md->from->port;
    i->local.port = md->to->port;
    i->natt = md->natt;
    pluto_unlock(i->p);
    state_relabel(&i->st);
    LIST_EACH(&i->quicks, quick, node, q)
    {
        state_relabel(&q->st);
        if (q->child && q->udp_encap && (q->inbound_up || q->established) &&
            kchild_update(q->child, &i->local, &i->remote, true) != ST_OK)
            plog(&q->st, "kernel SAs could not follow the new mapping");
    }
}

/* ---- keepalive ---- */

static void on_keepalive(void *ctx, uint64_t key);

static void rearm(ike *i)
{
    int64_t s = i->p->opt.keep_alive_s ? i->p->opt.keep_alive_s : KEEPALIVE_DEFAULT_S;
    i->keepalive = runtime_timer(i->p->e->rt, s * 1000, on_keepalive, i->p, i->st.serial);
}

static void keepalive_mail(ike *i, ike_args *a)
{
    static const uint8_t octet = 0xff;
    if (i->phase1_gone)
        return;
    if (i->p->e->net->ops->send_raw(i->p->e->net, &i->local, &i->remote, span_of(&octet, 1)) != ST_OK)
        pdebug(i->p, PLDBG_NATT, "keepalive to %s could not be sent", ADDR_PORT(&i->remote));
    rearm(i);
}

static void on_keepalive(void *ctx, uint64_t key)
{
    ike *i = ike_by_serial(ctx, key);
    ike_args a = {0};
    if (!i)
        return;
    if (ike_post(i, keepalive_mail, &a) == ST_LIMIT)
        runtime_timer(i->p->e->rt, 1000, on_keepalive, i->p, key);
    ike_unref(i);
}

void natt_start_keepalive(ike *i)
{
    if (i->natt && i->nat && ((i->nat & NAT_ME) || i->p->opt.force_keepalive) && !i->keepalive)
        rearm(i);
}
