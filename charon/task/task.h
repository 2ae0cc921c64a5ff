/* A task is one thing to be done in an exchange. As initiator it is an object on the IKE_SA's queue with two
 * steps, request and response; several tasks may share one exchange (IKE_AUTH: ike_auth, ike_config,
 * child_create). As responder it is a function that reads the request and adds its payloads to the answer.
 *
 * The engine (charon/sm) picks tasks, counts messages, retransmits, and frees tasks when they are done; a
 * task changes no timer and sends nothing.
 */
#pragma once
#include "charon/charon.h"
#include "charon/limits.h"
#include "libfreeswan/wire/ikev2_payloads.h"

struct ike_sa;
struct peer_cfg;
struct child_sa;

typedef enum verdict {
    V_DONE,   /* this task is finished */
    V_MORE,   /* it needs another exchange */
    V_SKIP,   /* request: nothing to do any more, task is finished without an exchange */
    V_LATER,  /* response: put back on the queue, try again after a while (TEMPORARY_FAILURE) */
    V_AGAIN,  /* response: same exchange once more with the same message ID (IKE_SA_INIT: cookie, other group)
               */
    V_WAIT,   /* response: not the answer we want; the request stays outstanding */
    V_FAILED, /* the IKE_SA cannot go on: sm calls ike_sa_failed() */
    V_DESTROY /* the IKE_SA ends now (after the answer is sent) */
} verdict;

/* The exchange being worked on. */
typedef struct xchg {
    struct ike_sa *sa;
    uint8_t exchange;
    uint32_t mid;
    const ikev2_msg *in; /* what came; NULL while a request is built */
    ikev2_builder *out;  /* what goes; NULL while a response is read */
    arena *mem;
    const packet *packet; /* what came; NULL */
    bool refused;         /* answer: an error notify of the whole exchange was added */
    const char *why;      /* V_FAILED: for the waiting client */
} xchg;

typedef struct task task;
typedef struct task_ops {
    const char *name;
    uint8_t exchange; /* the one it begins with */
    uint8_t rank;     /* order in the queue: lower first */
    verdict (*request)(task *t, xchg *x);
    verdict (*response)(task *t, xchg *x);
    void (*fini)(task *t); /* frees what the task holds, not the task */
} task_ops;
struct task {
    list_node node;
    const task_ops *ops;
    struct ike_sa *sa;
    unsigned tries;
    int64_t not_before_ms;
    charon_wait wait; /* told by the engine if the task is dropped */
};

/* Orders of a task's rank */
enum {
    RANK_INIT = 0,
    RANK_AUTH,
    RANK_CONFIG,
    RANK_CHILD_FIRST,
    RANK_IKE_DELETE = 10,
    RANK_CHILD_DELETE,
    RANK_IKE_REKEY,
    RANK_CHILD_REKEY,
    RANK_CHILD_CREATE,
    RANK_DPD = 30
};

/* What the tasks of this daemon are; makers return NULL without memory. */
task *task_ike_init_new(struct ike_sa *sa);
task *task_ike_natd_new(struct ike_sa *sa);
task *task_ike_features_new(struct ike_sa *sa);
task *task_ike_auth_new(struct ike_sa *sa);
task *task_ike_config_new(struct ike_sa *sa);
task *task_ike_delete_new(struct ike_sa *sa);
task *task_ike_dpd_new(struct ike_sa *sa);
task *task_ike_rekey_new(struct ike_sa *sa);
/* reqid 0: a new one */
task *task_child_create_new(struct ike_sa *sa, struct peer_cfg *cfg, uint32_t reqid);
task *task_child_rekey_new(struct ike_sa *sa, uint64_t child_serial);
task *task_child_delete_new(struct ike_sa *sa, uint64_t child_serial);
void task_free(task *t);
void *task_make(size_t size, const task_ops *ops, struct ike_sa *sa);
bool task_is_child_create(const task *t);
struct peer_cfg *task_child_create_cfg(const task *t, uint32_t *reqid);

/* Answers. V_DONE: go on with the next function; V_FAILED: the error notify is added, the IKE_SA ends. */
verdict ike_init_answer(xchg *x);
verdict ike_natd_answer(xchg *x);
verdict ike_features_answer(xchg *x);
verdict ike_auth_answer(xchg *x);
verdict ike_config_answer(xchg *x);
verdict child_create_answer(xchg *x);
verdict child_rekey_answer(xchg *x);
verdict ike_rekey_answer(xchg *x);
verdict informational_answer(xchg *x); /* deletes, liveness */
