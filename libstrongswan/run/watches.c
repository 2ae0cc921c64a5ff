/* Watched descriptors. The loop thread waits in epoll; an event is looked up by descriptor and generation, so
 * one that was taken from the kernel before its descriptor was unwatched (and perhaps reused) is ignored. A
 * job watch is EPOLLONESHOT: armed again after its job. runtime_unwatch() waits for a callback that runs in
 * another thread.
 */
#include "libstrongswan/run/runtime_i.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct watch {
    runtime *rt;
    int fd;
    uint32_t gen, events, ready;
    unsigned flags;
    watch_fn *fn;
    void *ctx;
    job job;
    bool pending, running, dead;
    bool awaited; /* somebody in runtime_unwatch() waits for the end of the callback and frees it */
    pthread_t runner;
};

status watches_init(runtime *rt)
{
    pthread_mutex_init(&rt->watches, NULL);
    pthread_cond_init(&rt->watch_idle, NULL);
    rt->epoll = epoll_create1(EPOLL_CLOEXEC);
    rt->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    if (rt->epoll < 0 || rt->event < 0 || epoll_ctl(rt->epoll, EPOLL_CTL_ADD, rt->event, &ev) != 0)
        return ST_IO;
    return ST_OK;
}

void watches_fini(runtime *rt)
{
    for (size_t i = 0; i < rt->fds; i++)
        free(rt->by_fd[i]);
    free(rt->by_fd);
    if (rt->epoll >= 0)
        close(rt->epoll);
    if (rt->event >= 0)
        close(rt->event);
    pthread_cond_destroy(&rt->watch_idle);
    pthread_mutex_destroy(&rt->watches);
}

/* `watches` is held from here on, unless said otherwise */

static int arm(watch *w, int op)
{
    struct epoll_event ev = {.events = w->events, .data.u64 = (uint64_t)w->gen << 32 | (uint32_t)w->fd};
    if (!(w->flags & WATCH_INLINE))
        ev.events |= EPOLLONESHOT;
    return epoll_ctl(w->rt->epoll, op, w->fd, &ev);
}

static watch *watch_at(const runtime *rt, int fd)
{
    return fd >= 0 && (size_t)fd < rt->fds ? rt->by_fd[fd] : NULL;
}

static status make_room(runtime *rt, int fd)
{
    if ((size_t)fd < rt->fds)
        return ST_OK;
    size_t n = rt->fds ? rt->fds : 64;
    while (n <= (size_t)fd)
        n *= 2;
    watch **all = realloc(rt->by_fd, n * sizeof(*all));
    if (!all)
        return ST_NO_MEMORY;
    for (size_t i = rt->fds; i < n; i++)
        all[i] = NULL;
    rt->by_fd = all;
    rt->fds = n;
    return ST_OK;
}

/* Calls fn with the lock left meanwhile; frees the watch if it was unwatched from inside. */
static void call(watch *w)
{
    runtime *rt = w->rt;
    w->running = true;
    w->runner = pthread_self();
    pthread_mutex_unlock(&rt->watches);
    w->fn(w->ctx, w->fd, w->ready);
    pthread_mutex_lock(&rt->watches);
    w->running = false;
    if (w->awaited) {
        pthread_cond_broadcast(&rt->watch_idle);
    } else if (w->dead) {
        free(w);
    } else if (!(w->flags & WATCH_INLINE)) {
        arm(w, EPOLL_CTL_MOD);
    }
}

/* the lock is not held */
static void watch_run(void *arg)
{
    watch *w = arg;
    runtime *rt = w->rt;
    pthread_mutex_lock(&rt->watches);
    w->pending = false;
    if (w->dead)
        free(w);
    else
        call(w);
    pthread_mutex_unlock(&rt->watches);
}

/* the lock is not held; the runtime ends */
static void watch_drop(void *arg)
{
    watch *w = arg;
    w->pending = false;
    if (w->dead)
        free(w);
}

static void dispatch(runtime *rt, const struct epoll_event *ev)
{
    if (ev->data.u64 == UINT64_MAX) {
        uint64_t n;
        ssize_t got = read(rt->event, &n, sizeof(n));
        (void)got;
        return;
    }
    watch *w = watch_at(rt, (int)(uint32_t)ev->data.u64);
    if (!w || w->gen != (uint32_t)(ev->data.u64 >> 32) || w->pending || w->running)
        return;
    w->ready = ev->events;
    if (w->flags & WATCH_INLINE) {
        call(w);
        return;
    }
    w->pending = true;
    runtime_post_job(rt, &w->job);
}

/* the lock is not held */
int watches_poll(runtime *rt, int timeout_ms)
{
    struct epoll_event events[EPOLL_BATCH];
    int n = epoll_wait(rt->epoll, events, EPOLL_BATCH, timeout_ms);
    if (n <= 0)
        return 0;
    pthread_mutex_lock(&rt->watches);
    for (int i = 0; i < n; i++)
        dispatch(rt, &events[i]);
    pthread_mutex_unlock(&rt->watches);
    return n;
}

/* ---- for everybody: the lock is not held ---- */

status runtime_watch(runtime *rt, int fd, uint32_t events, unsigned flags, watch_fn *fn, void *ctx)
{
    if (fd < 0)
        return ST_INVALID;
    watch *w = calloc(1, sizeof(*w));
    if (!w)
        return ST_NO_MEMORY;
    *w = (watch){.rt = rt, .fd = fd, .events = events, .flags = flags, .fn = fn, .ctx = ctx};
    w->job = (job){.fn = watch_run, .drop = watch_drop, .arg = w};
    pthread_mutex_lock(&rt->watches);
    status st = make_room(rt, fd);
    w->gen = ++rt->watch_gen;
    if (st == ST_OK && rt->by_fd[fd])
        st = ST_EXISTS;
    if (st == ST_OK && arm(w, EPOLL_CTL_ADD) != 0)
        st = ST_IO;
    if (st == ST_OK) {
        rt->by_fd[fd] = w;
        rt->watch_count++;
    }
    pthread_mutex_unlock(&rt->watches);
    if (st != ST_OK)
        free(w);
    return st;
}

status runtime_watch_change(runtime *rt, int fd, uint32_t events)
{
    status st = ST_NOT_FOUND;
    pthread_mutex_lock(&rt->watches);
    watch *w = watch_at(rt, fd);
    if (w) {
        w->events = events;
        /* a job watch whose job waits or runs is armed after it */
        bool later = !(w->flags & WATCH_INLINE) && (w->pending || w->running);
        st = later || arm(w, EPOLL_CTL_MOD) == 0 ? ST_OK : ST_IO;
    }
    pthread_mutex_unlock(&rt->watches);
    return st;
}

void runtime_unwatch(runtime *rt, int fd)
{
    pthread_mutex_lock(&rt->watches);
    watch *w = watch_at(rt, fd);
    if (w) {
        epoll_ctl(rt->epoll, EPOLL_CTL_DEL, fd, NULL);
        rt->by_fd[fd] = NULL;
        rt->watch_count--;
        w->dead = true;
        if (!w->pending && !w->running) {
            free(w);
        } else if (w->running && !pthread_equal(w->runner, pthread_self())) {
            w->awaited = true;
            while (w->running)
                pthread_cond_wait(&rt->watch_idle, &rt->watches);
            free(w);
        }
    }
    pthread_mutex_unlock(&rt->watches);
}
