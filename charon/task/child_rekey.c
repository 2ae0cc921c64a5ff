/* Replacing a CHILD_SA before it gets too old.   RFC 7296 1.3.3, 2.8, 2.25.1
 *
 * Both peers may begin at once: then there are two new CHILD_SAs for one old, and the one made with the
 * lowest of the four nonces is closed by who asked for it. What the peer's exchange made is remembered at the
 * old CHILD_SA until our own answer comes.
 */
#include "charon/sm/manager.h"
#include "charon/task/child_neg.h"

typedef struct child_rekey {
    task t;
    child_neg neg;
    uint64_t old; /* serial of the CHILD_SA to be replaced */
} child_rekey;

static child_rekey *self(task *t)
{
    return container_of(t, child_rekey, t);
}

static verdict rekey_request(task *t, xchg *x)
{
    child_rekey *r = self(t);
    child_sa *old = ike_sa_child_by_serial(t->sa, r->old);
    uint8_t spi[4];
    status st;

    r->neg.sa = t->sa;
    if (!old || old->rekeyed || (old->state != CHILD_INSTALLED && old->state != CHILD_REKEYING)) {
        wait_done(t->sa->ch, &t->wait, ST_NOT_FOUND, "the CHILD_SA is gone or rekeyed already");
        return V_SKIP;
    }
    if (!r->neg.cfg)
        child_neg_init(&r->neg, t->sa, old->cfg, old->reqid);
    child_sa_set_state(old, CHILD_REKEYING);
    set_u32(spi, old->spi_in);
    ikev2_add_notify_spi(x->out, N_REKEY_SA, PROTO_ESP, SPAN_ARRAY(spi), SPAN_NULL);
    st = child_neg_request(&r->neg, false, x->out);
    if (st == ST_OK)
        return V_DONE;
    LOG(&t->sa->log, CHD, 1, "CHILD_SA '%s' cannot be rekeyed: %s", old->cfg->c->name, status_text(st));
    child_sa_set_state(old, CHILD_INSTALLED);
    x->why = "a CHILD_SA cannot be rekeyed";
    return V_FAILED;
}

/* The peer's exchange alone replaced the old one. */
static void theirs_remains(child_sa *old)
{
    if (old && old->successor_theirs) {
        child_sa_replaced(old, old->successor_theirs);
        old->successor_theirs = NULL;
    }
}

/* Both exchanges succeeded: who has the lowest nonce closes what it made. true: ours stays. */
static bool settle(child_rekey *r, child_sa *old)
{
    child_sa *mine = r->neg.c, *theirs = old->successor_theirs;
    span ni = span_of(r->neg.ni, r->neg.ni_n), nr = span_of(r->neg.nr, r->neg.nr_n);
    span low = nonce_compare(ni, nr) < 0 ? ni : nr;
    bool win = !theirs || nonce_compare(low, span_of(old->low_theirs, old->low_theirs_n)) > 0;

    if (theirs)
        LOG(&mine->sa->log, CHD, 1, "CHILD_SA rekey collision: %s", win ? "ours stays" : "the peer's stays");
    if (win) {
        if (theirs) {
            theirs->redundant = true;
            child_sa_stop_timers(theirs);
        }
        child_sa_replaced(old, mine);
    } else {
        mine->redundant = true;
        child_sa_stop_timers(mine);
        child_sa_replaced(old, theirs);
    }
    old->successor_theirs = NULL;
    return win;
}

static void start_anew(child_rekey *r, child_sa *old)
{
    ike_sa *sa = r->t.sa;
    peer_cfg *cfg = r->neg.cfg;
    uint32_t reqid = r->neg.reqid;

    LOG(&sa->log, CHD, 1, "the peer does not know CHILD_SA '%s' any more: making a new one", cfg->c->name);
    sm_queue(sa, task_child_create_new(sa, cfg, reqid));
    if (old)
        child_sa_free(old);
}

static verdict try_later(child_rekey *r, child_sa *old)
{
    task *t = &r->t;

    theirs_remains(old);
    if (!old || old->rekeyed || ++t->tries >= TEMPORARY_TRIES)
        return V_DONE;
    child_sa_set_state(old, CHILD_INSTALLED);
    t->not_before_ms = runtime_now_ms(RT(t->sa->ch)) + TEMPORARY_RETRY_MS +
                       charon_random(t->sa->ch) % TEMPORARY_RETRY_MS;
    return V_LATER;
}

static verdict rekey_response(task *t, xchg *x)
{
    child_rekey *r = self(t);
    ike_sa *sa = t->sa;
    child_sa *old = ike_sa_child_by_serial(sa, r->old);
    bool lost = !old && sa->lost_rekey == r->old; /* the peer's stays, and it has closed the old one */
    bool collision = lost || (old && old->successor_theirs);
    neg_result res = child_neg_response(&r->neg, false, x->in, collision ? NULL : old, collision);

    switch (res) {
    case NEG_OK:
        r->neg.c->replaces = r->old;
        atomic_fetch_add(&sa->ch->n_child_rekeyed, 1);
        if (lost) {
            r->neg.c->redundant = true;
            child_sa_stop_timers(r->neg.c);
            sm_queue(sa, task_child_delete_new(sa, r->neg.serial));
            break;
        }
        if (!old) /* the peer closed it in the meantime */
            break;
        if (!collision || settle(r, old))
            sm_queue(sa, task_child_delete_new(sa, old->serial));
        else
            sm_queue(sa, task_child_delete_new(sa, r->neg.serial));
        break;
    case NEG_AGAIN:
        return V_MORE;
    case NEG_LATER:
        return try_later(r, old);
    case NEG_NOT_FOUND:
        if (collision)
            theirs_remains(old);
        else if (old)
            start_anew(r, old);
        /* else the peer has replaced or closed it meanwhile, as it was free to do */
        break;
    case NEG_BAD_ANSWER:
        child_sa_set_state(r->neg.c, CHILD_INSTALLED);
        sm_queue(sa, task_child_delete_new(sa, r->neg.serial));
        theirs_remains(old);
        break;
    case NEG_FULL:
    case NEG_FAILED:
        LOG(&sa->log, CHD, 1, "CHILD_SA '%s' is not rekeyed: %s", r->neg.cfg->c->name, r->neg.why.text);
        if (collision)
            theirs_remains(old);
        else if (old)
            return try_later(r, old);
        break;
    }
    wait_done(sa->ch, &t->wait, res == NEG_OK ? ST_OK : ST_DENIED, "%s",
              res == NEG_OK ? "CHILD_SA rekeyed" : r->neg.why.text);
    return V_DONE;
}

static void rekey_fini(task *t)
{
    child_rekey *r = self(t);
    child_sa *old = ike_sa_child_by_serial(t->sa, r->old);

    theirs_remains(old);
    if (old && old->state == CHILD_REKEYING && !old->rekeyed)
        child_sa_set_state(old, CHILD_INSTALLED);
    r->neg.sa = t->sa;
    child_neg_fini(&r->neg);
}

static const task_ops rekey_ops = {"child_rekey", CREATE_CHILD_SA, RANK_CHILD_REKEY,
                                   rekey_request, rekey_response,  rekey_fini};

task *task_child_rekey_new(ike_sa *sa, uint64_t child_serial)
{
    child_rekey *r = task_make(sizeof(*r), &rekey_ops, sa);

    if (!r)
        return NULL;
    r->old = child_serial;
    return &r->t;
}

/* ---- responder ---- */
static void not_found(xchg *x, const ikev2_notify *n)
{
    LOG(&x->sa->log, CHD, 1, "the peer wants to rekey a CHILD_SA that is not there");
    ikev2_add_notify_spi(x->out, N_CHILD_SA_NOT_FOUND, n->proto, n->spi, SPAN_NULL);
}

verdict child_rekey_answer(xchg *x)
{
    ike_sa *sa = x->sa;
    const ikev2_notify *n = ikev2_find_notify(x->in, N_REKEY_SA);
    child_answer a = {0};
    child_sa *old;

    if (n->proto != PROTO_ESP || n->spi.n != 4) {
        not_found(x, n);
        return V_DONE;
    }
    if (ike_sa_state(sa) != IKE_ESTABLISHED || sa->replaced) {
        ikev2_add_notify(x->out, N_TEMPORARY_FAILURE, SPAN_NULL);
        return V_DONE;
    }
    old = ike_sa_child_by_spi_out(sa, get_u32(n->spi.p));
    if (!old) {
        not_found(x, n);
        return V_DONE;
    }
    if (old->state == CHILD_DELETING || old->state == CHILD_CREATED || old->rekeyed ||
        old->successor_theirs) {
        LOG(&sa->log, CHD, 1, "the peer wants to rekey CHILD_SA '%s' while it is closed", old->cfg->c->name);
        ikev2_add_notify(x->out, N_TEMPORARY_FAILURE, SPAN_NULL);
        return V_DONE;
    }
    a.cfg = old->cfg;
    a.replaces = old;
    a.collision = old->state == CHILD_REKEYING;
    child_neg_answer(x, false, &a);
    if (!a.c)
        return V_DONE;
    a.c->replaces = old->serial;
    if (a.collision) {
        old->successor_theirs = a.c;
        memcpy(old->low_theirs, a.nonce_low, a.nonce_low_n);
        old->low_theirs_n = a.nonce_low_n;
    } else {
        child_sa_set_state(old, CHILD_REKEYING);
        atomic_fetch_add(&sa->ch->n_child_rekeyed, 1);
    }
    return V_DONE;
}
