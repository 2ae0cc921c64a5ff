/* Timers: a heap by due time and a map by number. A timer that is due stays in the map until its function
 * starts, so it can be cancelled up to that moment.
 */
#include "libstrongswan/run/runtime_i.h"
#include <stdlib.h>

typedef struct timer {
    heap_node node;
    timer_id id;
    runtime *rt;
    timer_fn *fn;
    void *ctx;
    uint64_t key;
    job job;
    bool cancelled; /* after it was queued */
} timer;

static span id_key(const timer_id *id)
{
    return span_of(id, sizeof(*id));
}

static void timer_run(void *arg)
{
    timer *t = arg;
    runtime *rt = t->rt;
    pthread_mutex_lock(&rt->timers);
    bool cancelled = t->cancelled;
    if (!cancelled)
        hashmap_remove(rt->by_id, id_key(&t->id));
    pthread_mutex_unlock(&rt->timers);
    timer_fn *fn = t->fn;
    void *ctx = t->ctx;
    uint64_t key = t->key;
    free(t);
    if (!cancelled)
        fn(ctx, key);
}

static void timer_drop(void *arg)
{
    timer *t = arg;
    if (!t->cancelled)
        hashmap_remove(t->rt->by_id, id_key(&t->id));
    free(t);
}

status timers_init(runtime *rt)
{
    pthread_mutex_init(&rt->timers, NULL);
    heap_init(&rt->due);
    rt->loop_until = INT64_MIN;
    return hashmap_new(&rt->by_id);
}

void timers_fini(runtime *rt)
{
    heap_node *n;
    while ((n = heap_pop(&rt->due)))
        free(container_of(n, timer, node));
    heap_fini(&rt->due);
    hashmap_free(rt->by_id);
    pthread_mutex_destroy(&rt->timers);
}

timer_id runtime_timer(runtime *rt, int64_t delay_ms, timer_fn *fn, void *ctx, uint64_t key)
{
    timer *t = calloc(1, sizeof(*t));
    if (!t)
        return 0;
    t->rt = rt;
    t->fn = fn;
    t->ctx = ctx;
    t->key = key;
    t->job = (job){.fn = timer_run, .drop = timer_drop, .arg = t};
    int64_t due;
    if (delay_ms < 0)
        delay_ms = 0;
    if (__builtin_add_overflow(runtime_now_ms(rt), delay_ms, &due))
        due = INT64_MAX;
    pthread_mutex_lock(&rt->timers);
    timer_id id = t->id = ++rt->last_id;
    if (hashmap_add(rt->by_id, id_key(&t->id), t) != ST_OK) {
        id = 0;
    } else if (heap_push(&rt->due, &t->node, due) != ST_OK) {
        hashmap_remove(rt->by_id, id_key(&t->id));
        id = 0;
    }
    bool wake = id && due < rt->loop_until;
    if (wake)
        rt->loop_until = due;
    pthread_mutex_unlock(&rt->timers);
    if (!id)
        free(t);
    if (wake)
        loop_wake(rt);
    return id;
}

bool runtime_timer_cancel(runtime *rt, timer_id id)
{
    if (!id)
        return false;
    timer *t, *gone = NULL;
    pthread_mutex_lock(&rt->timers);
    t = hashmap_remove(rt->by_id, id_key(&id));
    if (t && t->node.index == HEAP_NONE) {
        t->cancelled = true; /* its job frees it */
    } else if (t) {
        heap_remove(&rt->due, &t->node);
        gone = t;
    }
    pthread_mutex_unlock(&rt->timers);
    free(gone);
    return t != NULL;
}

int64_t runtime_timer_left(runtime *rt, timer_id id)
{
    int64_t left = -1, now = runtime_now_ms(rt);
    pthread_mutex_lock(&rt->timers);
    timer *t = id ? hashmap_get(rt->by_id, id_key(&id)) : NULL;
    if (t)
        left = t->node.index == HEAP_NONE || t->node.key < now ? 0 : t->node.key - now;
    pthread_mutex_unlock(&rt->timers);
    return left;
}

/* `timers` is held */
static timer *pop_due(runtime *rt, int64_t now)
{
    heap_node *n = heap_peek(&rt->due);
    if (!n || n->key > now)
        return NULL;
    heap_pop(&rt->due);
    return container_of(n, timer, node);
}

int64_t timers_collect(runtime *rt)
{
    int64_t now = runtime_now_ms(rt);
    timer *t;
    pthread_mutex_lock(&rt->timers);
    while ((t = pop_due(rt, now)))
        runtime_post_job(rt, &t->job);
    heap_node *n = heap_peek(&rt->due);
    int64_t left = n ? n->key - now : -1;
    rt->loop_until = n ? n->key : INT64_MAX;
    pthread_mutex_unlock(&rt->timers);
    return left;
}

void timers_awake(runtime *rt)
{
    pthread_mutex_lock(&rt->timers);
    rt->loop_until = INT64_MIN;
    pthread_mutex_unlock(&rt->timers);
}

job *timers_take(runtime *rt)
{
    pthread_mutex_lock(&rt->timers);
    timer *t = pop_due(rt, runtime_now_ms(rt));
    pthread_mutex_unlock(&rt->timers);
    return t ? &t->job : NULL;
}

int64_t runtime_next_ms(runtime *rt)
{
    pthread_mutex_lock(&rt->timers);
    heap_node *n = heap_peek(&rt->due);
    int64_t at = n ? n->key : INT64_MAX;
    pthread_mutex_unlock(&rt->timers);
    return at;
}
