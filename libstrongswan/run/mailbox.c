/* Mailboxes: a queue of mail per owner and at most one worker that runs it. `scheduled` says that the
 * mailbox's job is queued or running; the reference on the owner is held as long. After a batch the job goes
 * to the end of the queue, so that a busy mailbox does not starve the others.
 */
#include "libstrongswan/run/runtime_i.h"
#include <stdlib.h>

enum { DEFAULT_LIMIT = 256 };

static void drop_all(mailbox *mb)
{
    list gone;
    list_init(&gone);
    pthread_mutex_lock(&mb->lock);
    list_splice(&gone, &mb->queue);
    mb->length = 0;
    pthread_mutex_unlock(&mb->lock);
    list_node *n;
    while ((n = list_pop(&gone))) {
        mail *m = container_of(n, mail, node);
        if (m->drop)
            m->drop(mb->owner, m);
        else
            free(m);
    }
}

/* the next mail; NULL: there is none and the mailbox is not scheduled any more */
static mail *next_mail(mailbox *mb)
{
    pthread_mutex_lock(&mb->lock);
    list_node *n = list_pop(&mb->queue);
    if (n)
        mb->length--;
    else
        mb->scheduled = false;
    pthread_mutex_unlock(&mb->lock);
    return n ? container_of(n, mail, node) : NULL;
}

static void mailbox_run(void *arg)
{
    mailbox *mb = arg;
    runtime *rt = mb->rt;
    const mailbox_ops *ops = mb->ops;
    void *owner = mb->owner;
    int batch = rt->manual ? 1 : MAIL_BATCH;
    for (int i = 0; i < batch; i++) {
        mail *m = next_mail(mb);
        if (!m) {
            ops->unref(owner); /* mb may be gone now */
            return;
        }
        m->run(owner, m);
        count(&this_worker->mail_done);
    }
    runtime_post_job(rt, &mb->job);
}

static void mailbox_drop(void *arg)
{
    mailbox *mb = arg;
    drop_all(mb);
    mb->scheduled = false;
    mb->ops->unref(mb->owner);
}

void mailbox_init(mailbox *mb, runtime *rt, void *owner, const mailbox_ops *ops)
{
    *mb = (mailbox){.rt = rt, .owner = owner, .ops = ops};
    mb->job = (job){.fn = mailbox_run, .drop = mailbox_drop, .arg = mb};
    pthread_mutex_init(&mb->lock, NULL);
    list_init(&mb->queue);
}

void mailbox_fini(mailbox *mb)
{
    drop_all(mb);
    pthread_mutex_destroy(&mb->lock);
}

status mailbox_post(mailbox *mb, mail *m)
{
    status st = ST_OK;
    bool schedule = false;
    pthread_mutex_lock(&mb->lock);
    if (mb->closed) {
        st = ST_CLOSED;
    } else if (mb->length >= (mb->limit ? mb->limit : DEFAULT_LIMIT)) {
        st = ST_LIMIT;
    } else {
        list_append(&mb->queue, &m->node);
        mb->length++;
        schedule = !mb->scheduled;
        if (schedule) {
            mb->scheduled = true;
            mb->ops->ref(mb->owner);
        }
    }
    pthread_mutex_unlock(&mb->lock);
    if (schedule)
        runtime_post_job(mb->rt, &mb->job);
    return st;
}

void mailbox_close(mailbox *mb)
{
    pthread_mutex_lock(&mb->lock);
    mb->closed = true;
    pthread_mutex_unlock(&mb->lock);
    drop_all(mb);
}
