/* Life of the runtime, its job queue and its workers.
 *
 * One queue, one lock, held for a few instructions. Idle workers wait each on its own condition, stacked.
 * Whoever adds a job wakes at most one worker, and only when none is on its way already; a worker that comes
 * and finds more than its one job wakes the next. So the invariant under the lock is: jobs wait => nobody is
 * idle or somebody is waking, no wake-up is lost and no herd thunders.
 */
#include "libstrongswan/run/runtime_i.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

_Thread_local worker *this_worker;

/* ---- queue ---- */

void queue_init(job_queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
    q->length = 0;
}

void queue_push(job_queue *q, job *j)
{
    j->next = NULL;
    *q->tail = j;
    q->tail = &j->next;
    q->length++;
}

job *queue_pop(job_queue *q)
{
    job *j = q->head;
    if (!j)
        return NULL;
    q->head = j->next;
    if (!q->head)
        q->tail = &q->head;
    q->length--;
    j->next = NULL;
    return j;
}

/* ---- jobs ---- */

/* `jobs` is held. Returns the worker to be signalled after the lock is left. */
static worker *wake_one(runtime *rt)
{
    worker *w = rt->idle;
    if (!w || rt->waking)
        return NULL;
    rt->idle = w->next_idle;
    rt->idle_count--;
    rt->waking = true;
    w->woken = true;
    return w;
}

void runtime_post_job(runtime *rt, job *j)
{
    pthread_mutex_lock(&rt->jobs);
    queue_push(&rt->queue, j);
    worker *w = wake_one(rt);
    pthread_mutex_unlock(&rt->jobs);
    if (w)
        pthread_cond_signal(&w->wake);
}

status runtime_post(runtime *rt, job_fn *fn, job_fn *drop, void *arg)
{
    job *fresh = NULL;
    pthread_mutex_lock(&rt->jobs);
    job *j = rt->pool;
    if (j) {
        rt->pool = j->next;
        rt->pooled--;
    } else {
        pthread_mutex_unlock(&rt->jobs);
        j = fresh = malloc(sizeof(*j));
        if (!fresh)
            return ST_NO_MEMORY;
        pthread_mutex_lock(&rt->jobs);
    }
    *j = (job){.fn = fn, .drop = drop, .arg = arg, .pooled = true};
    queue_push(&rt->queue, j);
    worker *w = wake_one(rt);
    pthread_mutex_unlock(&rt->jobs);
    if (w)
        pthread_cond_signal(&w->wake);
    return ST_OK;
}

/* `jobs` is held; NULL ok */
static void pool_put(runtime *rt, job *j)
{
    if (!j)
        return;
    if (rt->pooled >= POOL_MAX) {
        free(j);
        return;
    }
    j->next = rt->pool;
    rt->pool = j;
    rt->pooled++;
}

job *job_run(job *j)
{
    /* an embedded job may be gone, or on the queue again, when fn returns */
    bool pooled = j->pooled;
    j->fn(j->arg);
    return pooled ? j : NULL;
}

static void job_drop(job *j)
{
    bool pooled = j->pooled;
    if (j->drop)
        j->drop(j->arg);
    if (pooled)
        free(j);
}

/* ---- workers ---- */

/* `jobs` is held. The next job, or NULL when the runtime stops. */
static job *next_job(runtime *rt, worker *w)
{
    for (;;) {
        if (w->woken) {
            w->woken = false;
            rt->waking = false;
        }
        if (rt->stopping)
            return NULL;
        job *j = queue_pop(&rt->queue);
        if (j)
            return j;
        w->next_idle = rt->idle;
        rt->idle = w;
        rt->idle_count++;
        while (!w->woken && !rt->stopping)
            pthread_cond_wait(&w->wake, &rt->jobs);
    }
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    runtime *rt = w->rt;
    this_worker = w;
    log_set_thread(w->number);
    job *done = NULL;
    for (;;) {
        pthread_mutex_lock(&rt->jobs);
        pool_put(rt, done);
        job *j = next_job(rt, w);
        worker *next = rt->queue.head ? wake_one(rt) : NULL;
        pthread_mutex_unlock(&rt->jobs);
        if (!j)
            return NULL;
        if (next)
            pthread_cond_signal(&next->wake);
        done = job_run(j);
        count(&w->jobs_done);
    }
}

static void stop_workers(runtime *rt, unsigned started)
{
    pthread_mutex_lock(&rt->jobs);
    rt->stopping = true;
    pthread_mutex_unlock(&rt->jobs);
    for (unsigned i = 1; i <= started; i++)
        pthread_cond_signal(&rt->workers[i].wake);
    for (unsigned i = 1; i <= started; i++)
        pthread_join(rt->workers[i].thread, NULL);
    rt->idle = NULL;
    rt->idle_count = 0;
    rt->waking = false;
}

/* Workers take no signals: those of the process belong to the signalfd. */
static unsigned start_workers(runtime *rt)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    unsigned started = 0;
    while (started < rt->worker_count) {
        worker *w = &rt->workers[started + 1];
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            break;
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

/* ---- loop ---- */

void loop_wake(runtime *rt)
{
    uint64_t one = 1;
    ssize_t n = write(rt->event, &one, sizeof(one));
    (void)n; /* full means it wakes anyway */
}

void runtime_stop(runtime *rt, int code)
{
    int saved = errno;
    if (!atomic_exchange(&rt->stop, true))
        atomic_store(&rt->stop_code, code);
    loop_wake(rt);
    errno = saved;
}

int runtime_run(runtime *rt)
{
    this_worker = &rt->workers[0];
    unsigned started = start_workers(rt);
    if (started == 0) {
        LOG(&rt->log, JOB, 1, "no worker thread could be started");
        return -1;
    }
    if (started < rt->worker_count)
        LOG(&rt->log, JOB, 1, "only %u of %u worker threads could be started", started, rt->worker_count);
    while (!atomic_load(&rt->stop)) {
        int64_t sleep_ms = timers_collect(rt);
        /* not for ever: the sleep of epoll does not count the time the machine is suspended */
        int timeout = sleep_ms < 0 || sleep_ms > 30000 ? 30000 : (int)sleep_ms;
        watches_poll(rt, timeout);
        timers_awake(rt);
    }
    stop_workers(rt, started);
    this_worker = NULL;
    return atomic_load(&rt->stop_code);
}

bool runtime_step(runtime *rt)
{
    worker *outer = this_worker; /* a step inside a step is possible in tests */
    this_worker = &rt->workers[0];
    pthread_mutex_lock(&rt->jobs);
    job *j = queue_pop(&rt->queue);
    pthread_mutex_unlock(&rt->jobs);
    if (!j)
        j = timers_take(rt);
    if (!j && rt->watch_count && watches_poll(rt, 0) > 0) {
        this_worker = outer;
        return true;
    }
    if (j) {
        job *done = job_run(j);
        pthread_mutex_lock(&rt->jobs);
        pool_put(rt, done);
        pthread_mutex_unlock(&rt->jobs);
        count(&rt->workers[0].jobs_done);
    }
    this_worker = outer;
    return j != NULL;
}

/* ---- life ---- */

static status init_workers(runtime *rt, const runtime_config *cfg)
{
    rt->worker_count = cfg && cfg->workers ? cfg->workers : DEFAULT_WORKERS;
    if (rt->worker_count > MAX_WORKERS)
        rt->worker_count = MAX_WORKERS;
    rt->workers = calloc(rt->worker_count + 1, sizeof(worker));
    if (!rt->workers)
        return ST_NO_MEMORY;
    for (unsigned i = 0; i <= rt->worker_count; i++) {
        rt->workers[i].rt = rt;
        rt->workers[i].number = (int)i;
        pthread_cond_init(&rt->workers[i].wake, NULL);
    }
    return ST_OK;
}

status runtime_new(runtime **out, const runtime_config *cfg)
{
    *out = NULL;
    runtime *rt = calloc(1, sizeof(*rt));
    if (!rt)
        return ST_NO_MEMORY;
    rt->clock = cfg && cfg->clock ? cfg->clock : &clock_system;
    rt->log.bus = cfg ? cfg->log : NULL;
    rt->manual = cfg && cfg->manual;
    rt->epoll = rt->event = -1;
    queue_init(&rt->queue);
    pthread_mutex_init(&rt->jobs, NULL);
    status st = init_workers(rt, cfg);
    status slow = slow_init(rt, cfg && cfg->slow_workers ? cfg->slow_workers : DEFAULT_SLOW);
    status timers = timers_init(rt);
    status watching = watches_init(rt);
    st = st != ST_OK ? st : slow != ST_OK ? slow : timers != ST_OK ? timers : watching;
    if (st != ST_OK) {
        runtime_free(rt);
        return st;
    }
    *out = rt;
    return ST_OK;
}

void runtime_free(runtime *rt)
{
    if (!rt || !slow_stop(rt))
        return; /* a thread that hangs in a slow job still points here: the process is about to end anyway */
    job *j;
    /* what is dropped may post: until nothing is left */
    while ((j = queue_pop(&rt->queue)) || (j = queue_pop(&rt->slow)))
        job_drop(j);
    timers_fini(rt);
    watches_fini(rt);
    slow_fini(rt);
    while ((j = rt->pool)) {
        rt->pool = j->next;
        free(j);
    }
    for (unsigned i = 0; rt->workers && i <= rt->worker_count; i++)
        pthread_cond_destroy(&rt->workers[i].wake);
    free(rt->workers);
    pthread_mutex_destroy(&rt->jobs);
    free(rt);
}

int64_t runtime_now_ms(const runtime *rt)
{
    return clock_mono_ms(rt->clock);
}

int64_t runtime_wall_s(const runtime *rt)
{
    return clock_wall_s(rt->clock);
}

void runtime_get_stats(runtime *rt, runtime_stats *out)
{
    *out = (runtime_stats){.workers = rt->worker_count};
    pthread_mutex_lock(&rt->jobs);
    out->idle = rt->idle_count;
    out->queue = rt->queue.length;
    pthread_mutex_unlock(&rt->jobs);
    pthread_mutex_lock(&rt->timers);
    out->timers = rt->due.n;
    pthread_mutex_unlock(&rt->timers);
    for (unsigned i = 0; i <= rt->worker_count; i++) {
        out->jobs_done += atomic_load_explicit(&rt->workers[i].jobs_done, memory_order_relaxed);
        out->mail_done += atomic_load_explicit(&rt->workers[i].mail_done, memory_order_relaxed);
    }
}
