/* Answers to INFORMATIONAL requests: Delete of the IKE_SA or of children, liveness, late authentication
 * failure. RFC 7296 1.4, 2.21.2, 2.25
 */
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include "charon/task/task.h"

static verdict delete_ike(xchg *x)
{
    ike_sa *sa = x->sa;
    ike_sa *heir = sa->rekey.theirs;

    LOG(&sa->log, IKE, sa->replaced ? 1 : 0, "deleting IKE_SA on request");
    if (heir && !sa->replaced) { /* the peer's new IKE_SA won, and it knew before us */
        sa->rekey.theirs = NULL;
        ike_sa_inherit(heir, sa);
        ike_sa_unref(heir);
        sa->replaced = true;
    }
    sa->end_reason = "closed by the peer";
    LOG(&sa->log, IKE, sa->replaced ? 1 : 0, "IKE_SA deleted");
    if (!sa->replaced && sa->cfg) {
        if (sa->reauth_pending)
            ike_sa_children_again(sa, DPD_RESTART, NULL);
        else if (ike_sa_state(sa) != IKE_DELETING && sa->cfg->c->closeaction > DPD_CLEAR)
            ike_sa_children_again(sa, sa->cfg->c->closeaction, NULL);
    }
    return V_DESTROY;
}

/* The peer gives its rekeying up, as when it could not install what it had made: the old CHILD_SA stays, or
 * goes, too, if nothing leaves by it any more. */
static void without_successor(child_sa *c)
{
    child_sa *old = c->replaces ? ike_sa_child_by_serial(c->sa, c->replaces) : NULL, *i;

    if (!old || old->delete_sent || old->successor_theirs || old->state != CHILD_REKEYING)
        return;
    LIST_EACH(&c->sa->children, child_sa, node, i)
    {
        if (i != c && i->replaces == c->replaces)
            return; /* both rekeyed it, and the other one's is there */
    }
    if (old->rekeyed)
        sm_queue(c->sa, task_child_delete_new(c->sa, old->serial));
    else
        child_sa_set_state(old, CHILD_INSTALLED);
}

static void close_child(child_sa *c)
{
    ike_sa *sa = c->sa;
    dpd_action action = c->cfg->c->closeaction;
    initiate_args again = {.cfg = peer_cfg_ref(c->cfg)};
    bool was_last = !c->rekeyed && !c->redundant && !c->delete_sent && c->state == CHILD_INSTALLED;
    char text[CHILD_TS_TEXT];
    msgbuf why;

    child_ts_text(c->mine, c->n_mine, c->theirs, c->n_theirs, text, sizeof(text));
    LOG(&sa->log, CHD, was_last ? 0 : 1, "closing CHILD_SA %s", text);
    if (c->successor_theirs) { /* our rekeying lost before its answer came */
        child_sa_replaced(c, c->successor_theirs);
        sa->lost_rekey = c->serial;
    }
    without_successor(c);
    child_sa_free(c);
    LOG(&sa->log, CHD, was_last ? 0 : 1, "CHILD_SA closed");
    if (was_last && action == DPD_HOLD && !trap_exists(sa->ch, again.cfg->c->name)) {
        if (trap_add(sa->ch, again.cfg->c->name, &why) != ST_OK)
            LOG(&sa->log, CHD, 1, "trap policy for '%s' not installed: %s", again.cfg->c->name, why.text);
    } else if (was_last && action == DPD_RESTART) {
        LOG(&sa->log, IKE, 1, "restarting CHILD_SA %s", again.cfg->c->name);
        sm_queue(sa, task_child_create_new(sa, again.cfg, 0));
    }
    peer_cfg_unref(again.cfg);
}

static void delete_children(xchg *x, const ikev2_delete *d, uint32_t *mine, size_t *n_mine, size_t max)
{
    ike_sa *sa = x->sa;

    for (size_t i = 0; i < d->count; i++) {
        uint32_t spi = ikev2_delete_spi(d, i);
        child_sa *c = ike_sa_child_by_spi_out(sa, spi);
        if (!c || c->state == CHILD_CREATED) {
            LOG(&sa->log, CHD, 1, "the peer deletes CHILD_SA 0x%08x, which is not there", spi);
            continue;
        }
        if (!c->delete_sent && *n_mine < max) /* 2.25.1: what we are closing ourselves is not mentioned */
            mine[(*n_mine)++] = c->spi_in;
        close_child(c);
    }
}

verdict informational_answer(xchg *x)
{
    ike_sa *sa = x->sa;
    uint32_t spis[MAX_CHILDREN];
    const ikev2_payload *p;
    size_t n = 0;

    if (ikev2_find_notify(x->in, N_AUTHENTICATION_FAILED)) {
        LOG(&sa->log, IKE, 0, "received AUTHENTICATION_FAILED notify error: the peer does not accept us");
        sa->end_reason = "the peer does not accept our authentication";
        atomic_fetch_add(&sa->ch->n_failed, 1);
        return V_DESTROY;
    }
    for (size_t i = 0; (p = ikev2_nth(x->in, PLV2_DELETE, i)); i++) {
        if (p->del.proto == PROTO_IKE)
            return delete_ike(x);
    }
    for (size_t i = 0; (p = ikev2_nth(x->in, PLV2_DELETE, i)); i++) {
        if (p->del.proto == PROTO_ESP)
            delete_children(x, &p->del, spis, &n, MAX_CHILDREN);
    }
    if (n)
        ikev2_add_delete(x->out, PROTO_ESP, spis, n);
    return V_DONE;
}
