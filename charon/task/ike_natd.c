/* NAT detection and the move to port 4500.   RFC 7296 2.23 */
#include "charon/sa/ike_sa.h"
#include "charon/task/task.h"

enum { NATD_HASH = 20 };

static status natd_hash(const ike_sa *sa, uint64_t spi_r, const endpoint *e, uint8_t out[NATD_HASH])
{
    uint8_t b[16 + 2];

    set_u64(b, sa->spi_i);
    set_u64(b + 8, spi_r);
    set_u16(b + 16, e->port);
    return hash_once(sa->ch->env->crypto, HASH_SHA1,
                     (span[]){span_of(b, 16), addr_span(&e->ip), span_of(b + 16, 2)}, 3, out);
}

static void add_hashes(xchg *x, uint64_t spi_r, const endpoint *me, const endpoint *peer, bool fake)
{
    uint8_t h[NATD_HASH];
    status st = natd_hash(x->sa, spi_r, me, h);

    if (fake && st == ST_OK) {
        LOG(&x->sa->log, IKE, 1, "faking NAT situation to enforce UDP encapsulation");
        x->sa->nat_faked = true;
        st = rng_bytes(x->sa->ch->env->crypto, RNG_WEAK, h, sizeof(h));
    }
    if (st == ST_OK)
        ikev2_add_notify(x->out, N_NAT_DETECTION_SOURCE_IP, SPAN_ARRAY(h));
    if (st == ST_OK && (st = natd_hash(x->sa, spi_r, peer, h)) == ST_OK)
        ikev2_add_notify(x->out, N_NAT_DETECTION_DESTINATION_IP, SPAN_ARRAY(h));
    if (st != ST_OK)
        LOG(&x->sa->log, IKE, 1, "NAT detection is not possible: %s", status_text(st));
}

/* Compares the peer's hashes with the addresses we see. false: the peer does not do NAT detection. */
static bool compare(xchg *x, uint64_t spi_r)
{
    ike_sa *sa = x->sa;
    const ikev2_notify *n;
    uint8_t me[NATD_HASH], peer[NATD_HASH];
    bool any_source = false, source = false, any_dest = false, dest = false;

    if (natd_hash(sa, spi_r, &x->packet->local, me) != ST_OK ||
        natd_hash(sa, spi_r, &x->packet->remote, peer) != ST_OK)
        return false;
    for (size_t i = 0; (n = ikev2_nth_notify(x->in, N_NAT_DETECTION_SOURCE_IP, i)); i++) {
        any_source = true;
        source |= span_equal(n->data, SPAN_ARRAY(peer));
    }
    for (size_t i = 0; (n = ikev2_nth_notify(x->in, N_NAT_DETECTION_DESTINATION_IP, i)); i++) {
        any_dest = true;
        dest |= span_equal(n->data, SPAN_ARRAY(me));
    }
    if (!any_source || !any_dest)
        return false;
    sa->nat_remote = !source;
    sa->nat_local = !dest;
    if (sa->nat_local)
        LOG(&sa->log, IKE, 1, "local host is behind NAT, sending keep alives");
    if (sa->nat_remote)
        LOG(&sa->log, IKE, 1, "remote host is behind NAT");
    return true;
}

static verdict natd_request(task *t, xchg *x)
{
    add_hashes(x, 0, &t->sa->local, &t->sa->remote, t->sa->cfg->c->forceencaps);
    return V_DONE;
}

static verdict natd_response(task *t, xchg *x)
{
    ike_sa *sa = t->sa;

    if (!compare(x, sa->spi_r)) {
        sa->nat_faked = false;
        return V_DONE;
    }
    if ((sa->nat_local || sa->nat_remote || sa->nat_faked) && !sa->natt) {
        sa->natt = true;
        sa->local.port = sa->ch->env->net->ops->port(sa->ch->env->net, true);
        sa->remote.port = IKE_NATT_PORT;
    }
    return V_DONE;
}

static const task_ops natd_ops = {"ike_natd", IKE_SA_INIT, RANK_INIT, natd_request, natd_response, NULL};

task *task_ike_natd_new(ike_sa *sa)
{
    return task_make(sizeof(task), &natd_ops, sa);
}

verdict ike_natd_answer(xchg *x)
{
    if (compare(x, 0))
        add_hashes(x, x->sa->spi_r, &x->packet->local, &x->packet->remote, false);
    return V_DONE;
}
