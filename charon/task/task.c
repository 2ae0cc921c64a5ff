/* What all tasks share: making and freeing. */
#include "charon/task/task.h"
#include "charon/sa/ike_sa.h"
#include <stdlib.h>

void *task_make(size_t size, const task_ops *ops, ike_sa *sa)
{
    task *t = calloc(1, size);

    if (t) {
        t->ops = ops;
        t->sa = sa;
    }
    return t;
}

void task_free(task *t)
{
    if (!t)
        return;
    list_remove(&t->node);
    wait_done(t->sa->ch, &t->wait, ST_CLOSED, "%s", t->sa->end_reason ? t->sa->end_reason : "given up");
    if (t->ops->fini)
        t->ops->fini(t);
    free(t);
}
