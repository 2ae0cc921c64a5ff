/* Liveness: an empty INFORMATIONAL. That the peer is dead is found out by its retransmissions.   RFC 7296 2.4
 */
#include "charon/sa/ike_sa.h"
#include "charon/task/task.h"

static verdict dpd_request(task *t, xchg *x)
{
    (void)x;
    LOG(&t->sa->log, IKE, 1, "sending DPD request");
    return V_DONE;
}

static verdict dpd_response(task *t, xchg *x)
{
    (void)t;
    (void)x;
    return V_DONE;
}

static const task_ops dpd_ops = {"ike_dpd", INFORMATIONAL, RANK_DPD, dpd_request, dpd_response, NULL};

task *task_ike_dpd_new(ike_sa *sa)
{
    return task_make(sizeof(task), &dpd_ops, sa);
}
