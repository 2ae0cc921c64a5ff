/* Closing an IKE_SA with all its children, on order or because it was replaced.   RFC 7296 1.4.1, 2.25.2 */
#include "charon/sa/ike_sa.h"
#include "charon/task/task.h"

static verdict delete_request(task *t, xchg *x)
{
    ike_sa *sa = t->sa;

    LOG(&sa->log, IKE, sa->replaced ? 1 : 0, "deleting IKE_SA %s[%llu] between %s[%s]...%s[%s]", sa->name,
        (unsigned long long)sa->unique, ADDR_STR(&sa->local.ip), SA_ID(sa->my_id), ADDR_STR(&sa->remote.ip),
        SA_ID(sa->peer_id));
    ike_sa_set_state(sa, IKE_DELETING);
    ikev2_add_delete_ike(x->out);
    return V_DONE;
}

static verdict delete_response(task *t, xchg *x)
{
    ike_sa *sa = t->sa;

    (void)x;
    LOG(&sa->log, IKE, sa->replaced ? 1 : 0, "IKE_SA deleted");
    wait_done(sa->ch, &t->wait, ST_OK, "IKE_SA deleted");
    wait_done(sa->ch, &sa->wait, ST_OK, "IKE_SA deleted");
    if (sa->reauth_pending)
        ike_sa_children_again(sa, DPD_RESTART, NULL);
    return V_DESTROY;
}

static const task_ops delete_ops = {"ike_delete",   INFORMATIONAL,   RANK_IKE_DELETE,
                                    delete_request, delete_response, NULL};

task *task_ike_delete_new(ike_sa *sa)
{
    return task_make(sizeof(task), &delete_ops, sa);
}
