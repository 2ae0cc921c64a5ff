/* Replacing the keys of an IKE_SA: a new IKE_SA object takes over everything, the old one is deleted by who
 * asked. RFC 7296 1.3.2, 2.8, 2.18, 2.25.2
 *
 * When both ask at once there are two new ones. Both are published, neither gets the children until our own
 * answer has come; then the one made with the lowest nonce is closed by who asked for it.
 */
#include "charon/sm/manager.h"
#include "charon/task/child_neg.h"
#include <stdlib.h>

typedef struct ike_rekey {
    task t;
    ike_sa *next; /* not published before its keys are made */
    dh *dh;
    uint16_t group;
    uint8_t ni[NONCE_BYTES];
    unsigned restarts;
    bool sent;
} ike_rekey;

static ike_rekey *self(task *t)
{
    return container_of(t, ike_rekey, t);
}

static proposals *with_spi(const peer_cfg *cfg, uint64_t spi)
{
    proposals *p = malloc(sizeof(*p));

    if (!p)
        return NULL;
    *p = *cfg->ike;
    for (unsigned i = 0; i < p->n; i++) {
        p->p[i].spi_n = 8;
        set_u64(p->p[i].spi, spi);
    }
    return p;
}

static uint16_t preferred_group(ike_sa *sa)
{
    const transform *t = proposal_get(&sa->prop, TRANSFORM_DH);

    return t ? t->id : DH_NONE;
}

/* ---- initiator ---- */
static verdict rekey_request(task *t, xchg *x)
{
    ike_rekey *r = self(t);
    ike_sa *sa = t->sa;
    proposals *p;
    status st = ST_OK;

    if ((ike_sa_state(sa) != IKE_ESTABLISHED && !r->sent) || sa->replaced) {
        wait_done(sa->ch, &t->wait, ST_NOT_FOUND, "the IKE_SA is rekeyed or closed already");
        return V_SKIP;
    }
    if (!r->next) {
        st = ike_sa_new(&r->next, sa->ch, true);
        r->group = preferred_group(sa);
        if (st == ST_OK)
            st = rng_bytes(sa->ch->env->crypto, RNG_WEAK, r->ni, sizeof(r->ni));
    }
    if (st == ST_OK && !r->dh)
        st = dh_new(sa->ch->env->crypto, &r->dh, (dh_group)r->group);
    p = st == ST_OK ? with_spi(sa->cfg, r->next->spi_i) : NULL;
    if (!p) {
        LOG(&sa->log, IKE, 1, "rekeying the IKE_SA is not possible: %s",
            status_text(st == ST_OK ? ST_NO_MEMORY : st));
        return V_SKIP;
    }
    r->sent = true;
    ike_sa_set_state(sa, IKE_REKEYING);
    ikev2_add_sa(x->out, p);
    ikev2_add_nonce(x->out, SPAN_ARRAY(r->ni));
    ikev2_add_ke(x->out, r->group, dh_public(r->dh));
    free(p);
    return V_DONE;
}

static void drop_next(ike_rekey *r)
{
    ike_sa_unref(r->next);
    r->next = NULL;
}

/* Only the peer's new IKE_SA is there. */
static void theirs_remains(ike_sa *sa)
{
    ike_sa *theirs = sa->rekey.theirs;

    if (!theirs || sa->replaced)
        return;
    sa->rekey.theirs = NULL;
    ike_sa_inherit(theirs, sa);
    ike_sa_unref(theirs);
    ike_sa_timer(sa, T_EXPIRE, 2 * sm_patience_ms(sa->ch));
}

static verdict rekey_failed(ike_rekey *r, bool later)
{
    ike_sa *sa = r->t.sa;

    drop_next(r);
    dh_free(r->dh);
    r->dh = NULL;
    r->sent = false;
    if (sa->rekey.theirs) {
        theirs_remains(sa);
        return V_DONE;
    }
    ike_sa_set_state(sa, IKE_ESTABLISHED);
    if (later && ++r->t.tries < TEMPORARY_TRIES) {
        r->t.not_before_ms = runtime_now_ms(RT(sa->ch)) + TEMPORARY_RETRY_MS +
                             charon_random(sa->ch) % TEMPORARY_RETRY_MS;
        return V_LATER;
    }
    wait_done(sa->ch, &r->t.wait, ST_DENIED, "the IKE_SA is not rekeyed");
    return V_DONE;
}

static status derive(ike_sa *sa, ike_sa *next, span shared, span ni, span nr)
{
    keymat_input in = {
        .prop = &next->prop,
        .initiator = next->initiator,
        .shared = shared,
        .ni = ni,
        .nr = nr,
        .spi_i = next->spi_i,
        .spi_r = next->spi_r,
        .old = &sa->keys,
        .save = sa->ch->env->save_keys,
    };

    return keymat_derive(&next->keys, sa->ch->env->crypto, &in);
}

static bool read_answer(ike_rekey *r, const ikev2_msg *in, span *nr)
{
    ike_sa *sa = r->t.sa, *next = r->next;
    const ikev2_payload *sap = ikev2_find(in, PLV2_SA), *ke = ikev2_find(in, PLV2_KE),
                        *no = ikev2_find(in, PLV2_NONCE);
    proposals theirs;
    msgbuf why = {0};
    secret shared = {0};
    status st;

    if (!sap || !ke || !no || no->nonce.data.n < NONCE_MIN || no->nonce.data.n > NONCE_MAX ||
        ikev2_sa_get(&sap->sa, &theirs, &why) != ST_OK || theirs.n != 1 || theirs.p[0].spi_n != 8 ||
        !proposals_select(sa->cfg->ike, &theirs, true, false, &next->prop, &why) ||
        !proposal_has(&next->prop, TRANSFORM_DH, r->group) || ke->ke.group != r->group) {
        LOG(&sa->log, IKE, 1, "the peer's answer to rekeying the IKE_SA is not usable %s", why.text);
        return false;
    }
    next->spi_r = get_u64(theirs.p[0].spi);
    *nr = no->nonce.data;
    st = dh_compute(r->dh, ke->ke.data, &shared);
    if (st == ST_OK)
        st = derive(sa, next, secret_view(&shared), SPAN_ARRAY(r->ni), *nr);
    secret_free(&shared);
    if (st != ST_OK)
        LOG(&sa->log, IKE, 1, "rekeying the IKE_SA failed: %s", status_text(st));
    return st == ST_OK && next->spi_r != 0;
}

static void delete_sa(ike_sa *sa, void *arg)
{
    (void)arg;
    sa->replaced = true; /* nothing of it is missed */
    sm_queue(sa, task_ike_delete_new(sa));
    sm_initiate(sa);
}

static verdict other_group(ike_rekey *r, const ikev2_notify *n)
{
    ike_sa *sa = r->t.sa;
    uint16_t group = n->data.n == 2 ? get_u16(n->data.p) : 0;
    bool offered = false;

    for (unsigned i = 0; i < sa->cfg->ike->n; i++)
        offered |= proposal_has(&sa->cfg->ike->p[i], TRANSFORM_DH, group);
    if (!offered || group == r->group || ++r->restarts > INIT_RESTARTS)
        return rekey_failed(r, true);
    dh_free(r->dh);
    r->dh = NULL;
    r->group = group;
    return V_MORE;
}

static verdict rekey_response(task *t, xchg *x)
{
    ike_rekey *r = self(t);
    ike_sa *sa = t->sa, *next = r->next, *theirs = sa->rekey.theirs;
    const ikev2_notify *e = ikev2_find_error(x->in);
    span low, nr = SPAN_NULL, ni = SPAN_ARRAY(r->ni);

    if (!ikev2_find(x->in, PLV2_SA)) {
        if (e && e->type == N_INVALID_KE_PAYLOAD)
            return other_group(r, e);
        LOG(&sa->log, IKE, 1, "the peer does not rekey the IKE_SA: %s",
            e ? ENUM_STR(ikev2_notify_names, e->type) : "no SA payload");
        return rekey_failed(r, true);
    }
    if (!read_answer(r, x->in, &nr))
        return rekey_failed(r, false);
    low = nonce_compare(ni, nr) < 0 ? ni : nr;
    ike_sa_prepare_successor(next, sa);
    wait_done(sa->ch, &t->wait, ST_OK, "IKE_SA rekeyed");
    if (theirs && nonce_compare(low, span_of(sa->rekey.low_theirs, sa->rekey.low_theirs_n)) < 0) {
        LOG(&sa->log, IKE, 1, "IKE_SA rekey collision: the peer's new IKE_SA stays");
        (void)ike_sa_post(next, delete_sa, NULL, NULL);
        theirs_remains(sa);
        return V_DONE;
    }
    if (theirs)
        LOG(&sa->log, IKE, 1, "IKE_SA rekey collision: our new IKE_SA stays");
    ike_sa_inherit(next, sa);
    sm_queue(sa, task_ike_delete_new(sa));
    return V_DONE;
}

static void rekey_fini(task *t)
{
    ike_rekey *r = self(t);

    drop_next(r);
    dh_free(r->dh);
    wipe(r->ni, sizeof(r->ni));
}

static const task_ops rekey_ops = {"ike_rekey",   CREATE_CHILD_SA, RANK_IKE_REKEY,
                                   rekey_request, rekey_response,  rekey_fini};

task *task_ike_rekey_new(ike_sa *sa)
{
    ike_rekey *r = task_make(sizeof(*r), &rekey_ops, sa);

    return r ? &r->t : NULL;
}

/* ---- responder ---- */
/* 2.25.2: not while a child is being made, rekeyed or closed by us. */
static bool children_in_progress(const ike_sa *sa)
{
    for (const list_node *n = sa->active.next; n != &sa->active; n = n->next) {
        unsigned rank = container_of(n, task, node)->ops->rank;
        if (rank == RANK_CHILD_DELETE || rank == RANK_CHILD_REKEY || rank == RANK_CHILD_CREATE)
            return true;
    }
    return false;
}

static void refuse(xchg *x, uint16_t type, span data)
{
    ikev2_builder_reset(x->out);
    ikev2_add_notify(x->out, type, data);
}

static status answer_keys(xchg *x, ike_sa *next, const ikev2_payload *ke, span ni)
{
    ike_sa *sa = x->sa;
    uint8_t nr[NONCE_BYTES];
    secret shared = {0};
    proposal p;
    dh *d = NULL;
    status st = rng_bytes(sa->ch->env->crypto, RNG_WEAK, nr, sizeof(nr));
    span low = nonce_compare(ni, SPAN_ARRAY(nr)) < 0 ? ni : SPAN_ARRAY(nr);

    if (st == ST_OK)
        st = dh_new(sa->ch->env->crypto, &d, (dh_group)ke->ke.group);
    if (st == ST_OK)
        st = dh_compute(d, ke->ke.data, &shared);
    if (st == ST_OK)
        st = derive(sa, next, secret_view(&shared), ni, SPAN_ARRAY(nr));
    if (st == ST_OK) {
        p = next->prop;
        p.spi_n = 8;
        set_u64(p.spi, next->spi_r);
        ikev2_add_proposal(x->out, &p);
        ikev2_add_nonce(x->out, SPAN_ARRAY(nr));
        ikev2_add_ke(x->out, ke->ke.group, dh_public(d));
        memcpy(sa->rekey.low_theirs, low.p, low.n);
        sa->rekey.low_theirs_n = low.n;
    }
    secret_free(&shared);
    dh_free(d);
    return st;
}

static ike_sa *make_next(xchg *x)
{
    ike_sa *sa = x->sa, *next = NULL;
    const ikev2_payload *sap = ikev2_find(x->in, PLV2_SA), *ke = ikev2_find(x->in, PLV2_KE),
                        *no = ikev2_find(x->in, PLV2_NONCE);
    const transform *group;
    proposals theirs;
    msgbuf why = {0};
    uint8_t want[2];
    status st;

    if (!sap || !ke || !no || no->nonce.data.n < NONCE_MIN || no->nonce.data.n > NONCE_MAX ||
        ikev2_sa_get(&sap->sa, &theirs, &why) != ST_OK || theirs.n == 0 || theirs.p[0].spi_n != 8) {
        LOG(&sa->log, IKE, 1, "the peer's request to rekey the IKE_SA is malformed %s", why.text);
        refuse(x, N_INVALID_SYNTAX, SPAN_NULL);
        return NULL;
    }
    if (ike_sa_new(&next, sa->ch, false) != ST_OK) {
        refuse(x, N_TEMPORARY_FAILURE, SPAN_NULL);
        return NULL;
    }
    if (!proposals_select(sa->cfg->ike, &theirs, true, false, &next->prop, &why) || next->prop.spi_n != 8) {
        LOG(&sa->log, IKE, 1, "*explain* rekeying the IKE_SA: %s", why.text);
        refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
        goto fail;
    }
    group = proposal_get(&next->prop, TRANSFORM_DH);
    if (!group || group->id != ke->ke.group) {
        set_u16(want, group ? group->id : 0);
        refuse(x, N_INVALID_KE_PAYLOAD, SPAN_ARRAY(want));
        goto fail;
    }
    next->spi_i = get_u64(next->prop.spi);
    st = next->spi_i ? answer_keys(x, next, ke, no->nonce.data) : ST_INVALID;
    if (st == ST_OK)
        return next;
    LOG(&sa->log, IKE, 1, "rekeying the IKE_SA failed: %s", status_text(st));
    refuse(x, st == ST_INVALID ? N_INVALID_SYNTAX : N_TEMPORARY_FAILURE, SPAN_NULL);
fail:
    ike_sa_unref(next);
    return NULL;
}

verdict ike_rekey_answer(xchg *x)
{
    ike_sa *sa = x->sa, *next;
    ike_state st = ike_sa_state(sa);

    if (st == IKE_DELETING || sa->replaced || sa->rekey.theirs || children_in_progress(sa)) {
        LOG(&sa->log, IKE, 1, "the peer wants to rekey the IKE_SA, which is not possible just now");
        ikev2_add_notify(x->out, N_TEMPORARY_FAILURE, SPAN_NULL);
        return V_DONE;
    }
    next = make_next(x);
    if (!next)
        return V_DONE;
    ike_sa_prepare_successor(next, sa);
    if (st == IKE_REKEYING) { /* we asked, too: wait for our answer */
        sa->rekey.theirs = next;
        return V_DONE;
    }
    ike_sa_set_state(sa, IKE_REKEYING);
    ike_sa_inherit(next, sa);
    ike_sa_unref(next);
    ike_sa_timer_stop(sa, T_REKEY);
    ike_sa_timer_stop(sa, T_REAUTH);
    ike_sa_timer_stop(sa, T_DPD);
    ike_sa_timer(sa, T_EXPIRE, 2 * sm_patience_ms(sa->ch)); /* the peer deletes it */
    return V_DONE;
}
