/* Slow jobs: files, DNS, fetching, SQL. Threads are made when a job finds none idle, up to a bound, and stay.
 * In manual mode slow jobs are ordinary ones. A thread that hangs in its job when the runtime ends is waited
 * for only so long.
 */
#include "libstrongswan/run/runtime_i.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { STOP_WAIT_S = 3 };

status slow_init(runtime *rt, unsigned max)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&rt->slow_lock, NULL);
    pthread_cond_init(&rt->slow_wake, NULL);
    pthread_cond_init(&rt->slow_ended, &attr);
    pthread_condattr_destroy(&attr);
    queue_init(&rt->slow);
    rt->slow_max = max;
    return ST_OK;
}

void slow_fini(runtime *rt)
{
    pthread_cond_destroy(&rt->slow_wake);
    pthread_cond_destroy(&rt->slow_ended);
    pthread_mutex_destroy(&rt->slow_lock);
}

static void *slow_main(void *arg)
{
    runtime *rt = arg;
    pthread_mutex_lock(&rt->slow_lock);
    while (!rt->slow_stop) {
        job *j = queue_pop(&rt->slow);
        if (!j) {
            rt->slow_idle++;
            pthread_cond_wait(&rt->slow_wake, &rt->slow_lock);
            rt->slow_idle--;
            continue;
        }
        pthread_mutex_unlock(&rt->slow_lock);
        free(job_run(j));
        pthread_mutex_lock(&rt->slow_lock);
    }
    rt->slow_threads--;
    pthread_cond_signal(&rt->slow_ended);
    pthread_mutex_unlock(&rt->slow_lock);
    return NULL;
}

/* `slow_lock` is held */
static bool add_thread(runtime *rt)
{
    sigset_t all, old;
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&thread, &attr, slow_main, rt);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    rt->slow_threads += err == 0;
    return err == 0;
}

status runtime_post_slow(runtime *rt, job_fn *fn, job_fn *drop, void *arg)
{
    if (rt->manual)
        return runtime_post(rt, fn, drop, arg);
    job *j = malloc(sizeof(*j));
    if (!j)
        return ST_NO_MEMORY;
    *j = (job){.fn = fn, .drop = drop, .arg = arg, .pooled = true};
    status st = ST_OK;
    pthread_mutex_lock(&rt->slow_lock);
    bool want = rt->slow.length >= rt->slow_idle && rt->slow_threads < rt->slow_max;
    if (want && !add_thread(rt) && rt->slow_threads == 0)
        st = ST_NO_MEMORY;
    else
        queue_push(&rt->slow, j);
    pthread_cond_signal(&rt->slow_wake);
    pthread_mutex_unlock(&rt->slow_lock);
    if (st != ST_OK)
        free(j);
    return st;
}

bool slow_stop(runtime *rt)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STOP_WAIT_S;
    pthread_mutex_lock(&rt->slow_lock);
    rt->slow_stop = true;
    pthread_cond_broadcast(&rt->slow_wake);
    int err = 0;
    while (rt->slow_threads && err == 0)
        err = pthread_cond_timedwait(&rt->slow_ended, &rt->slow_lock, &until);
    bool ended = rt->slow_threads == 0;
    pthread_mutex_unlock(&rt->slow_lock);
    return ended;
}
