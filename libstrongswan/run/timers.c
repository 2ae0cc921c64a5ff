/* Timers: a heap by due time and a map by number. A timer that is due stays in the map until its function
 * starts, so it can be cancelled up to that moment. A timer that cannot be set leaves an SA behind that
 * nobody ever looks at again, so a few are kept for when there is no memory.
 */
#include "libstrongswan/run/runtime_i.h"
#include <stdlib.h>

enum { SPARE_TIMERS = 32 };

typedef struct timer {
    struct timer *next_spare;
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

/* ---- memory ---- with rt->timers held */
static timer *timer_take(runtime *rt)
{
    timer *t = calloc(1, sizeof(*t));
    if (!t && (t = rt->spare)) {
        rt->spare = t->next_spare;
        rt->n_spare--;
        *t = (timer){0};
    }
    return t;
}

static void timer_give(runtime *rt, timer *t)
{
    if (t && rt->n_spare < SPARE_TIMERS) {
        t->next_spare = rt->spare;
        rt->spare = t;
        rt->n_spare++;
    } else {
        free(t);
    }
}

static void timer_run(void *arg)
{
    timer *t = arg;
    runtime *rt = t->rt;
    pthread_mutex_lock(&rt->timers);
    bool cancelled = t->cancelled;
    if (!cancelled)
        hashmap_remove(rt->by_id, id_key(&t->id));
    timer_fn *fn = t->fn;
    void *ctx = t->ctx;
    uint64_t key = t->key;
    timer_give(rt, t);
    pthread_mutex_unlock(&rt->timers);
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
    for (int i = 0; i < SPARE_TIMERS; i++)
        timer_give(rt, calloc(1, sizeof(timer)));
    return hashmap_new(&rt->by_id);
}

void timers_fini(runtime *rt)
{
    heap_node *n;
    while ((n = heap_pop(&rt->due)))
        free(container_of(n, timer, node));
    heap_fini(&rt->due);
    for (timer *t; (t = rt->spare);) {
        rt->spare = t->next_spare;
        free(t);
    }
    hashmap_free(rt->by_id);
    pthread_mutex_destroy(&rt->timers);
}

timer_id runtime_timer(runtime *rt, int64_t delay_ms, timer_fn *fn, void *ctx, uint64_t key)
{
    pthread_mutex_lock(&rt->timers);
    timer *t = timer_take(rt);
    pthread_mutex_unlock(&rt->timers);
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
    timer_give(rt, gone);
    pthread_mutex_unlock(&rt->timers);
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
