/* Events of the kernel back ends as jobs. A job holds a reference on the sink and looks up the listener when
 * it runs, so a daemon that has taken its listener away is not called with what was still queued.
 */
#include "libfreeswan/kernel/events.h"
#include "libstrongswan/base/refcount.h"
#include <stdlib.h>

struct kevents {
    refcount refs;
    runtime *rt;
    pthread_mutex_t lock; /* leaf: guards ev */
    kernel_events ev;
};

typedef enum event_kind { EVENT_ACQUIRE, EVENT_EXPIRE, EVENT_MAPPING } event_kind;
typedef struct event_job {
    kevents *sink;
    event_kind kind;
    uint32_t reqid;
    bool hard;
    kernel_sa_id id;
    traffic_sel src, dst;
    endpoint peer;
} event_job;

status kevents_new(kevents **out, runtime *rt)
{
    kevents *e = calloc(1, sizeof *e);

    if (!e)
        return ST_NO_MEMORY;
    ref_init(&e->refs);
    e->rt = rt;
    pthread_mutex_init(&e->lock, NULL);
    *out = e;
    return ST_OK;
}

static void kevents_unref(kevents *e)
{
    if (!ref_put(&e->refs))
        return;
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void kevents_set(kevents *e, const kernel_events *ev)
{
    pthread_mutex_lock(&e->lock);
    e->ev = ev ? *ev : (kernel_events){0};
    pthread_mutex_unlock(&e->lock);
}

void kevents_close(kevents *e)
{
    if (!e)
        return;
    kevents_set(e, NULL);
    kevents_unref(e);
}

static void event_drop(void *arg)
{
    event_job *j = arg;

    kevents_unref(j->sink);
    free(j);
}

static void event_run(void *arg)
{
    event_job *j = arg;
    kernel_events ev;

    pthread_mutex_lock(&j->sink->lock);
    ev = j->sink->ev;
    pthread_mutex_unlock(&j->sink->lock);
    switch (j->kind) {
    case EVENT_ACQUIRE:
        if (ev.acquire)
            ev.acquire(ev.ctx, j->reqid, &j->src, &j->dst);
        break;
    case EVENT_EXPIRE:
        if (ev.expire)
            ev.expire(ev.ctx, &j->id, j->reqid, j->hard);
        break;
    case EVENT_MAPPING:
        if (ev.mapping)
            ev.mapping(ev.ctx, &j->id, j->reqid, &j->peer);
        break;
    }
    event_drop(j);
}

static void event_post(kevents *e, const event_job *what)
{
    event_job *j = malloc(sizeof *j);

    if (!j)
        return;
    *j = *what;
    j->sink = e;
    ref_get(&e->refs);
    if (runtime_post(e->rt, event_run, event_drop, j) != ST_OK)
        event_drop(j);
}

void kevents_acquire(kevents *e, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst)
{
    event_post(e, &(event_job){.kind = EVENT_ACQUIRE, .reqid = reqid, .src = *src, .dst = *dst});
}

void kevents_expire(kevents *e, const kernel_sa_id *id, uint32_t reqid, bool hard)
{
    event_post(e, &(event_job){.kind = EVENT_EXPIRE, .reqid = reqid, .id = *id, .hard = hard});
}

void kevents_mapping(kevents *e, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer)
{
    event_post(e, &(event_job){.kind = EVENT_MAPPING, .reqid = reqid, .id = *id, .peer = *peer});
}
