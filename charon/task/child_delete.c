/* Closing a CHILD_SA.   RFC 7296 1.4.1, 2.25.1 */
#include "charon/sa/ike_sa.h"
#include "charon/task/task.h"

typedef struct child_delete {
    task t;
    uint64_t serial;
} child_delete;

static child_sa *target(task *t)
{
    return ike_sa_child_by_serial(t->sa, container_of(t, child_delete, t)->serial);
}

static verdict delete_request(task *t, xchg *x)
{
    child_sa *c = target(t);
    char text[CHILD_TS_TEXT];

    if (!c || c->delete_sent) {
        wait_done(t->sa->ch, &t->wait, ST_OK, "the CHILD_SA is gone");
        return V_SKIP;
    }
    child_ts_text(c->mine, c->n_mine, c->theirs, c->n_theirs, text, sizeof(text));
    LOG(&t->sa->log, CHD, c->rekeyed || c->redundant ? 1 : 0, "closing CHILD_SA %s", text);
    child_sa_set_state(c, CHILD_DELETING);
    child_sa_stop_timers(c);
    c->delete_sent = true;
    ikev2_add_delete(x->out, PROTO_ESP, &c->spi_in, 1);
    return V_DONE;
}

static verdict delete_response(task *t, xchg *x)
{
    child_sa *c = target(t);

    (void)x;
    if (c) {
        LOG(&t->sa->log, CHD, c->rekeyed || c->redundant ? 1 : 0, "CHILD_SA closed");
        child_sa_free(c);
    }
    wait_done(t->sa->ch, &t->wait, ST_OK, "CHILD_SA closed");
    return V_DONE;
}

static const task_ops delete_ops = {"child_delete", INFORMATIONAL,   RANK_CHILD_DELETE,
                                    delete_request, delete_response, NULL};

task *task_child_delete_new(ike_sa *sa, uint64_t child_serial)
{
    child_delete *d = task_make(sizeof(*d), &delete_ops, sa);

    if (!d)
        return NULL;
    d->serial = child_serial;
    return &d->t;
}
