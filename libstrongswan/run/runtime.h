/* The runtime both daemons stand on: one thread that waits in epoll, a pool of workers, a heap of timers on the
 * monotonic clock, a queue of jobs, and mailboxes.
 *
 * Life of an event: a descriptor becomes readable or a timer is due -> its callback runs as a *job* on a worker (watch
 * callbacks marked WATCH_INLINE run on the loop thread and must not block) -> it looks up the SA by its number and posts
 * *mail* to the SA's mailbox -> at most one worker runs a mailbox at a time, in the order of posting. Workers never wait
 * for a mailbox. Slow work (files, DNS, CRLs, SQL) goes to runtime_post_slow(), which is served by a bounded number of
 * extra threads, and posts its result back as mail.
 *
 * A runtime in `manual` mode has no threads: runtime_step() runs what is due, in a fixed order; time is whatever the
 * clock source says. The simulator and the unit tests use that.
 */
#pragma once
#include "libstrongswan/base/clock.h"
#include "libstrongswan/base/list.h"
#include "libstrongswan/base/log.h"
#include "libstrongswan/base/status.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct runtime runtime;

typedef struct runtime_config {
    unsigned workers;          /* 0 = 16 */
    unsigned slow_workers;     /* 0 = 4; threads are made when needed */
    const clock_source *clock; /* NULL = clock_system */
    log_bus *log;              /* may be NULL */
    bool manual;
} runtime_config;

status runtime_new(runtime **out, const runtime_config *cfg) MUST_CHECK;
/* After runtime_run() returned. Jobs and mail that never ran are dropped (their drop function is called). NULL ok. */
void runtime_free(runtime *rt);
/* Runs until runtime_stop(); returns the code given there. Blocks the calling thread, which becomes the loop thread. */
int runtime_run(runtime *rt);
/* Any thread, and signal handlers. */
void runtime_stop(runtime *rt, int code);
/* manual mode: runs one due job, mail or timer; false when nothing is due. */
bool runtime_step(runtime *rt);
/* manual mode: when the next timer is due, in mono ms; INT64_MAX if there is none. */
int64_t runtime_next_ms(runtime *rt);

int64_t runtime_now_ms(const runtime *rt); /* monotonic */
int64_t runtime_wall_s(const runtime *rt);

/* ---- jobs ---- any thread */
typedef void job_fn(void *arg);
/* drop (may be NULL) is called instead of fn when the runtime ends first. ST_NO_MEMORY: neither is called. */
/* Work that is queued without an allocation: embedded in what it works on, on the queue at most once at a time. */
typedef struct job {
    struct job *next;
    job_fn *fn, *drop;
    void *arg;
    bool pooled; /* the runtime's own, freed after it ran */
} job;
void runtime_post_job(runtime *rt, job *j);
status runtime_post(runtime *rt, job_fn *fn, job_fn *drop, void *arg) MUST_CHECK;
status runtime_post_slow(runtime *rt, job_fn *fn, job_fn *drop, void *arg) MUST_CHECK;

/* ---- timers ---- any thread */
typedef uint64_t timer_id; /* 0 = none; never used twice */
/* fn runs on a worker. `key` is the number of the SA the timer belongs to: names, not pointers, across time. */
typedef void timer_fn(void *ctx, uint64_t key);
timer_id runtime_timer(runtime *rt, int64_t delay_ms, timer_fn *fn, void *ctx, uint64_t key); /* 0: no memory */
/* true: it will not run. false: unknown, has run, or is running now. */
bool runtime_timer_cancel(runtime *rt, timer_id id);
/* ms until it is due; -1 if it is not pending */
int64_t runtime_timer_left(runtime *rt, timer_id id);

/* ---- descriptors ---- */
typedef void watch_fn(void *ctx, int fd, uint32_t events);
enum { WATCH_INLINE = 1 }; /* flags: call on the loop thread instead of as a job */
/* events: EPOLLIN, EPOLLOUT. Level-triggered; a job watch is disarmed while its job runs. The fd stays the caller's. */
status runtime_watch(runtime *rt, int fd, uint32_t events, unsigned flags, watch_fn *fn, void *ctx) MUST_CHECK;
status runtime_watch_change(runtime *rt, int fd, uint32_t events) MUST_CHECK;
/* When it returns the callback is not running (unless called from inside it) and will not run again. */
void runtime_unwatch(runtime *rt, int fd);

/* ---- figures, for `statusall` and metrics ---- */
typedef struct runtime_stats {
    unsigned workers, idle;
    size_t queue;  /* jobs waiting */
    size_t timers; /* events scheduled */
    uint64_t jobs_done, mail_done;
} runtime_stats;
void runtime_get_stats(runtime *rt, runtime_stats *out);

/* ---- mailbox ----
 * Embedded in its owner. While mail waits or runs, the mailbox holds a reference on the owner (ops->ref / ops->unref),
 * so an owner may drop its last other reference from inside its own mail. */
typedef struct mail mail;
typedef void mail_fn(void *owner, mail *m); /* consumes m */
struct mail {
    list_node node;
    mail_fn *run;
    mail_fn *drop; /* mailbox was closed first; owner may be used only as far as its memory. NULL: free(m) */
};
typedef struct mailbox_ops {
    void (*ref)(void *owner);
    void (*unref)(void *owner);
} mailbox_ops;
typedef struct mailbox {
    runtime *rt;
    void *owner;
    const mailbox_ops *ops;
    pthread_mutex_t lock; /* leaf: guards the fields below */
    list queue;
    unsigned length;
    unsigned limit; /* posts beyond it are refused with ST_LIMIT; 0 = 256 */
    bool scheduled, closed;
    job job;
} mailbox;

void mailbox_init(mailbox *mb, runtime *rt, void *owner, const mailbox_ops *ops);
void mailbox_fini(mailbox *mb); /* by the owner's destructor */
/* On ST_OK the mailbox owns m; otherwise (ST_LIMIT, ST_CLOSED) the caller still does. The caller must hold a reference
 * on the owner for the duration of the call. */
status mailbox_post(mailbox *mb, mail *m) MUST_CHECK;
/* Later posts are refused, waiting mail is dropped. From inside a mail or outside. */
void mailbox_close(mailbox *mb);
