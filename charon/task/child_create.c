/* A new CHILD_SA: the first one inside IKE_AUTH, later ones by CREATE_CHILD_SA.   RFC 7296 1.2, 1.3.1 */
#include "charon/sm/manager.h"
#include "charon/task/child_neg.h"

typedef struct child_create {
    task t;
    child_neg neg;
    bool in_auth;
} child_create;

static child_create *self(task *t)
{
    return container_of(t, child_create, t);
}

static verdict create_request(task *t, xchg *x)
{
    child_create *c = self(t);
    status st;

    c->neg.sa = t->sa; /* the IKE_SA may have been rekeyed since */
    c->in_auth = x->exchange == IKE_AUTH;
    if (!c->in_auth && c->neg.restarts == 0)
        LOG(&t->sa->log, CHD, 0, "establishing CHILD_SA %s", c->neg.cfg->c->name);
    else if (c->in_auth)
        LOG(&t->sa->log, CHD, 0, "establishing CHILD_SA %s", c->neg.cfg->c->name);
    st = child_neg_request(&c->neg, c->in_auth, x->out);
    if (st == ST_OK)
        return V_DONE;
    LOG(&t->sa->log, CHD, 1, "CHILD_SA '%s' cannot be asked for: %s", c->neg.cfg->c->name, status_text(st));
    wait_done(t->sa->ch, &t->wait, st, "CHILD_SA '%s' cannot be asked for: %s", c->neg.cfg->c->name,
              status_text(st));
    if (!c->in_auth)
        return V_SKIP;
    x->why = "the first CHILD_SA cannot be asked for";
    return V_FAILED;
}

static void delete_unusable(child_create *c)
{
    child_sa *ch = c->neg.c;

    child_sa_set_state(ch, CHILD_INSTALLED);
    sm_queue(c->t.sa, task_child_delete_new(c->t.sa, ch->serial));
}

static verdict create_response(task *t, xchg *x)
{
    child_create *c = self(t);
    ike_sa *sa = t->sa;
    neg_result r = child_neg_response(&c->neg, c->in_auth, x->in, NULL, false);

    switch (r) {
    case NEG_OK:
        wait_done(sa->ch, &t->wait, ST_OK, "CHILD_SA '%s' established", c->neg.cfg->c->name);
        return V_DONE;
    case NEG_AGAIN:
        return V_MORE;
    case NEG_LATER:
        if (++t->tries < TEMPORARY_TRIES) {
            t->not_before_ms = runtime_now_ms(RT(sa->ch)) + TEMPORARY_RETRY_MS +
                               charon_random(sa->ch) % TEMPORARY_RETRY_MS;
            LOG(&sa->log, CHD, 1, "the peer is busy, CHILD_SA '%s' is asked for again later",
                c->neg.cfg->c->name);
            return V_LATER;
        }
        break;
    case NEG_BAD_ANSWER:
        delete_unusable(c);
        break;
    case NEG_NOT_FOUND:
    case NEG_FULL:
    case NEG_FAILED:
        break;
    }
    wait_done(sa->ch, &t->wait, ST_DENIED, "%s", c->neg.why.text[0] ? c->neg.why.text : "no CHILD_SA built");
    if (c->in_auth && sa->ch->set.close_on_child_failure)
        sm_queue(sa, task_ike_delete_new(sa));
    return V_DONE;
}

static void create_fini(task *t)
{
    child_create *c = self(t);

    c->neg.sa = t->sa;
    child_neg_fini(&c->neg);
}

static const task_ops create_ops = {"child_create", CREATE_CHILD_SA, RANK_CHILD_CREATE,
                                    create_request, create_response, create_fini};

task *task_child_create_new(ike_sa *sa, peer_cfg *cfg, uint32_t reqid)
{
    child_create *c = task_make(sizeof(*c), &create_ops, sa);

    if (!c)
        return NULL;
    child_neg_init(&c->neg, sa, cfg, reqid);
    return &c->t;
}

bool task_is_child_create(const task *t)
{
    return t->ops == &create_ops;
}

peer_cfg *task_child_create_cfg(const task *t, uint32_t *reqid)
{
    const child_create *c = container_of((task *)t, child_create, t);

    if (reqid)
        *reqid = c->neg.reqid;
    return c->neg.cfg;
}

/* ---- responder ---- */
static bool busy(xchg *x)
{
    ike_state st = ike_sa_state(x->sa);

    if (st == IKE_ESTABLISHED && !x->sa->replaced)
        return false;
    /* 2.25.2: no new children while the IKE_SA is rekeyed or closed */
    LOG(&x->sa->log, CHD, 1, "no CHILD_SA while the IKE_SA is %s", st == IKE_DELETING ? "closed" : "rekeyed");
    ikev2_add_notify(x->out, N_TEMPORARY_FAILURE, SPAN_NULL);
    return true;
}

verdict child_create_answer(xchg *x)
{
    bool in_auth = x->exchange == IKE_AUTH;
    child_answer a = {0};

    if (in_auth && !ikev2_find(x->in, PLV2_SA))
        return V_DONE; /* an IKE_SA without children is wanted */
    if (!in_auth && busy(x))
        return V_DONE;
    child_neg_answer(x, in_auth, &a);
    if (in_auth && !a.c && x->sa->ch->set.close_on_child_failure)
        sm_queue(x->sa, task_ike_delete_new(x->sa));
    return V_DONE;
}
