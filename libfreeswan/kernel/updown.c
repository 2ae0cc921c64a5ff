/* Runs updown scripts: one queue per conn, one script of a queue at a time, different conns side by side. A
 * run copies all it needs when it is queued, holds a reference on the runner, and ends with its done
 * function.
 */
#include "libfreeswan/kernel/updown.h"
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/run/child.h"
#include <stdlib.h>
#include <sys/wait.h>

typedef struct queue {
    char *conn;
    list waiting; /* run; the first one is running */
} queue;
typedef struct runner {
    updown base;
    refcount refs;
    runtime *rt;
    pthread_mutex_t lock; /* guards the queues */
    hashmap *queues;
    bool closed;
} runner;
typedef struct run {
    list_node node;
    runner *owner;
    queue *q;
    arena mem;
    const char *script, *verb;
    const char *const *env;
    log_scope log;
    bool pluto_words;
    updown_done_fn *done;
    void *ctx;
    uint64_t key;
    int exit_status;
    child *child; /* while it runs */
} run;

enum { RUN_MEMORY = 1 << 20 };

/* ---- runs ---- */
static void runner_unref(runner *u)
{
    if (!ref_put(&u->refs))
        return;
    hashmap_free(u->queues);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

static void run_free(void *arg)
{
    run *r = arg;
    runner *u = r->owner;

    arena_free(&r->mem);
    free(r);
    runner_unref(u);
}

static void run_done(void *arg)
{
    run *r = arg;

    if (r->done)
        r->done(r->ctx, r->key, r->exit_status);
    run_free(r);
}

static void run_drop(void *arg)
{
    run *r = arg;

    r->exit_status = -1;
    run_done(r);
}

static void on_line(void *ctx, const char *line)
{
    const run *r = ctx;
    char quoted[1100];

    text_quote(span_str(line), quoted, sizeof quoted);
    if (r->pluto_words)
        LOG(&r->log, KNL, 1, "%s output: %s", r->verb, quoted);
    else
        LOG(&r->log, CHD, 1, "updown: %s", quoted);
}

static void start_first(runner *u, queue *q);

/* Takes r off its queue and lets the next one begin. */
static void run_finish(run *r)
{
    runner *u = r->owner;
    queue *q = r->q;

    pthread_mutex_lock(&u->lock);
    list_remove(&r->node);
    bool more = !list_empty(&q->waiting);
    if (!more)
        hashmap_remove(u->queues, span_str(q->conn));
    pthread_mutex_unlock(&u->lock);
    if (more) {
        start_first(u, q);
    } else {
        free(q->conn);
        free(q);
    }
}

static void on_exit_of(void *ctx, int wstatus)
{
    run *r = ctx;

    child_forget(r->child);
    r->child = NULL;
    r->exit_status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : -1;
    if (r->exit_status > 0)
        LOG(&r->log, CHD, r->pluto_words ? 0 : 1, "%s command exited with status %d", r->verb,
            r->exit_status);
    else if (r->exit_status < 0)
        LOG(&r->log, CHD, 0, "%s command ended by signal %d", r->verb, WTERMSIG(wstatus));
    run_finish(r);
    run_done(r);
}

static status spawn(runner *u, run *r)
{
    const char *argv[] = {"/bin/sh", "-c", r->script, NULL};
    child_spec spec = {
        .argv = argv,
        .envp = r->env,
        .timeout_ms = UPDOWN_TIMEOUT_MS,
        .on_line = on_line,
        .on_exit = on_exit_of,
        .ctx = r,
    };

    LOG(&r->log, CHD, 2, "executing %s: %s", r->verb, r->script);
    return child_start_held(u->rt, &spec, &r->child);
}

/* Whoever put the first run on a queue, or took the one before it off, comes here: never two for one queue.
 */
static void start_first(runner *u, queue *q)
{
    for (;;) {
        pthread_mutex_lock(&u->lock);
        run *r = container_of(q->waiting.next, run, node);
        pthread_mutex_unlock(&u->lock);
        if (spawn(u, r) == ST_OK)
            return;
        LOG(&r->log, CHD, 0, "%s command could not be started", r->verb);
        r->exit_status = -1;
        pthread_mutex_lock(&u->lock);
        list_remove(&r->node);
        bool more = !list_empty(&q->waiting);
        if (!more)
            hashmap_remove(u->queues, span_str(q->conn));
        pthread_mutex_unlock(&u->lock);
        if (runtime_post(u->rt, run_done, run_drop, r) != ST_OK)
            run_done(r);
        if (!more) {
            free(q->conn);
            free(q);
            return;
        }
    }
}

static status run_new(runner *u, run **out, const char *script, const updown_vars *vars, log_scope log)
{
    run *r = calloc(1, sizeof *r);

    if (!r)
        return ST_NO_MEMORY;
    arena_init(&r->mem, RUN_MEMORY);
    ref_get(&u->refs);
    r->owner = u;
    r->script = script ? arena_str(&r->mem, span_str(script)) : "";
    r->verb = arena_str(&r->mem, span_str(vars->verb));
    r->env = updown_env(&r->mem, vars);
    r->log = log;
    r->log.name = log.name ? arena_str(&r->mem, span_str(log.name)) : NULL;
    r->pluto_words = vars->pluto_words;
    if (!r->script || !r->verb || !r->env || (log.name && !r->log.name)) {
        run_free(r);
        return ST_NO_MEMORY;
    }
    *out = r;
    return ST_OK;
}

static status queue_for(runner *u, const char *conn, queue **out)
{
    queue *q = hashmap_get(u->queues, span_str(conn));

    if (!q) {
        q = calloc(1, sizeof *q);
        if (!q || !(q->conn = strdup(conn)) || hashmap_add(u->queues, span_str(q->conn), q) != ST_OK) {
            if (q)
                free(q->conn);
            free(q);
            return ST_NO_MEMORY;
        }
        list_init(&q->waiting);
    }
    *out = q;
    return ST_OK;
}

static status updown_run(updown *base, const char *script, const updown_vars *vars, log_scope log,
                         updown_done_fn *done, void *ctx, uint64_t key)
{
    runner *u = container_of(base, runner, base);
    run *r;
    queue *q = NULL;
    status st = run_new(u, &r, script, vars, log);

    if (st != ST_OK)
        return st;
    r->done = done;
    r->ctx = ctx;
    r->key = key;
    if (!r->script[0]) {
        st = runtime_post(u->rt, run_done, run_drop, r);
        if (st != ST_OK)
            run_free(r);
        return st;
    }
    pthread_mutex_lock(&u->lock);
    st = u->closed ? ST_CLOSED : queue_for(u, vars->connection ? vars->connection : "", &q);
    bool first = q && list_empty(&q->waiting);
    if (q) {
        r->q = q;
        list_append(&q->waiting, &r->node);
    }
    pthread_mutex_unlock(&u->lock);
    if (st != ST_OK)
        run_free(r);
    else if (first)
        start_first(u, q);
    return st;
}

static size_t updown_busy(updown *base)
{
    runner *u = container_of(base, runner, base);
    size_t it = 0, n = 0;

    pthread_mutex_lock(&u->lock);
    for (queue *q; (q = hashmap_next(u->queues, &it));)
        n += list_length(&q->waiting);
    pthread_mutex_unlock(&u->lock);
    return n;
}

/* Nobody will hear of these ends any more: whoever waits for them hears -1. */
static void updown_free(updown *base)
{
    runner *u = container_of(base, runner, base);
    list running, dropped;
    size_t it = 0;
    list_node *n;

    list_init(&running);
    list_init(&dropped);
    pthread_mutex_lock(&u->lock);
    u->closed = true;
    for (queue *q; (q = hashmap_next(u->queues, &it));) {
        n = list_pop(&q->waiting);
        list_splice(&dropped, &q->waiting);
        list_append(&running, n);
    }
    pthread_mutex_unlock(&u->lock);
    while ((n = list_pop(&running))) {
        run *r = container_of(n, run, node);
        queue *q = r->q;
        list_init(&r->node);
        if (!child_forget(r->child))
            continue; /* its end is being heard just now */
        list_append(&dropped, &r->node);
        hashmap_remove(u->queues, span_str(q->conn));
        free(q->conn);
        free(q);
    }
    while ((n = list_pop(&dropped)))
        run_drop(container_of(n, run, node));
    runner_unref(u);
}

static const updown_ops runner_ops = {updown_run, updown_busy, updown_free};

status updown_new(updown **out, runtime *rt)
{
    runner *u = calloc(1, sizeof *u);

    if (!u)
        return ST_NO_MEMORY;
    if (hashmap_new(&u->queues) != ST_OK) {
        free(u);
        return ST_NO_MEMORY;
    }
    u->base.ops = &runner_ops;
    u->rt = rt;
    ref_init(&u->refs);
    pthread_mutex_init(&u->lock, NULL);
    *out = &u->base;
    return ST_OK;
}
