/* The updown runner of tests: writes down what it would have run, answers with the exit status it was told.
 */
#include "libfreeswan/kernel/updown.h"
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/list.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct recorder {
    updown base;
    runtime *rt;
    pthread_mutex_t lock;
    buf log;
    char verb[32]; /* runs whose verb begins like this end with exit_status */
    int exit_status;
} recorder;
typedef struct done_job {
    updown_done_fn *done;
    void *ctx;
    uint64_t key;
    int exit_status;
} done_job;

static recorder *self(updown *u)
{
    return container_of(u, recorder, base);
}

static void done_run(void *arg)
{
    done_job *j = arg;

    j->done(j->ctx, j->key, j->exit_status);
    free(j);
}

static void done_drop(void *arg)
{
    ((done_job *)arg)->exit_status = -1;
    done_run(arg);
}

static status fake_run(updown *u, const char *script, const updown_vars *vars, log_scope log,
                       updown_done_fn *done, void *ctx, uint64_t key)
{
    recorder *r = self(u);
    done_job *j = done ? malloc(sizeof *j) : NULL;

    if (done && !j)
        return ST_NO_MEMORY;
    pthread_mutex_lock(&r->lock);
    bool hit = strncmp(vars->verb, r->verb, strlen(r->verb)) == 0;
    if (j)
        *j = (done_job){done, ctx, key, hit ? r->exit_status : 0};
    if (script && script[0])
        buf_printf(&r->log, "%s %s\n", vars->verb, vars->connection ? vars->connection : "");
    pthread_mutex_unlock(&r->lock);
    if (!j)
        return ST_OK;
    status st = runtime_post(r->rt, done_run, done_drop, j);
    if (st != ST_OK)
        free(j);
    return st;
}

static size_t fake_busy(updown *u)
{
    (void)u;
    return 0;
}

static void fake_free(updown *u)
{
    recorder *r = self(u);

    buf_free(&r->log);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static const updown_ops recorder_ops = {fake_run, fake_busy, fake_free};

status updown_fake_new(updown **out, runtime *rt)
{
    recorder *r = calloc(1, sizeof *r);

    if (!r)
        return ST_NO_MEMORY;
    r->base.ops = &recorder_ops;
    r->rt = rt;
    pthread_mutex_init(&r->lock, NULL);
    *out = &r->base;
    return ST_OK;
}

const char *updown_fake_log(updown *u)
{
    recorder *r = self(u);

    pthread_mutex_lock(&r->lock);
    const char *text = buf_cstr(&r->log);
    pthread_mutex_unlock(&r->lock);
    return text;
}

void updown_fake_exit(updown *u, const char *verb, int exit_status)
{
    recorder *r = self(u);

    pthread_mutex_lock(&r->lock);
    snprintf(r->verb, sizeof r->verb, "%s", verb ? verb : "");
    r->exit_status = exit_status;
    pthread_mutex_unlock(&r->lock);
}
