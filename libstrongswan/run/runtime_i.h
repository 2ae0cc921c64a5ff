/* Inside of the runtime, shared by its files. Lock order: none is taken while another is held, but `jobs`
 * inside `watches` and `timers`.
 */
#pragma once
#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/heap.h"
#include "libstrongswan/run/runtime.h"
#include <stdatomic.h>
#include <sys/epoll.h>

enum {
    DEFAULT_WORKERS = 16,
    DEFAULT_SLOW = 4,
    MAX_WORKERS = 1024,
    MAIL_BATCH = 16,
    POOL_MAX = 1024,
    EPOLL_BATCH = 64
};

typedef struct worker {
    runtime *rt;
    struct worker *next_idle;
    pthread_cond_t wake;
    bool woken;
    int number;
    pthread_t thread;
    atomic_ullong jobs_done, mail_done; /* written by the worker only */
} worker;

typedef struct job_queue {
    job *head, **tail;
    size_t length;
} job_queue;

typedef struct watch watch;

struct runtime {
    const clock_source *clock;
    log_scope log;
    bool manual;

    pthread_mutex_t jobs; /* guards: */
    job_queue queue;
    job *pool;
    size_t pooled;
    worker *idle; /* the one that went idle last is woken first: its caches are warm */
    unsigned idle_count;
    bool waking; /* a worker was woken and has not come yet */
    bool stopping;

    unsigned worker_count;
    worker *workers; /* [0] stands for the loop thread and manual mode */

    pthread_mutex_t slow_lock; /* guards: */
    pthread_cond_t slow_wake, slow_ended;
    job_queue slow;
    unsigned slow_max, slow_threads, slow_idle;
    bool slow_stop;

    pthread_mutex_t timers; /* guards: */
    heap due;
    hashmap *by_id;
    struct timer *spare;
    unsigned n_spare;
    timer_id last_id;
    int64_t loop_until; /* the loop sleeps until then; INT64_MIN: it is awake */

    pthread_mutex_t watches; /* guards: */
    pthread_cond_t watch_idle;
    watch **by_fd;
    size_t fds, watch_count;
    uint32_t watch_gen;
    int epoll, event; /* event: eventfd that ends the loop's sleep */

    atomic_bool stop;
    atomic_int stop_code;
};

extern _Thread_local worker *this_worker;

void queue_init(job_queue *q);
void queue_push(job_queue *q, job *j);
job *queue_pop(job_queue *q);
/* Runs it; returns it if it is the runtime's own and free again. */
job *job_run(job *j);
void loop_wake(runtime *rt);
static inline void count(atomic_ullong *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

status timers_init(runtime *rt);
void timers_fini(runtime *rt);
/* Loop thread: queues the jobs of all due timers, notes how long the loop will sleep; returns ms, -1 for
 * ever. */
int64_t timers_collect(runtime *rt);
void timers_awake(runtime *rt);
/* Manual mode: the job of the first due timer; NULL if none. */
job *timers_take(runtime *rt);

status watches_init(runtime *rt);
void watches_fini(runtime *rt);
/* Waits and dispatches; returns how many events there were. */
int watches_poll(runtime *rt, int timeout_ms);

status slow_init(runtime *rt, unsigned max);
/* Waits a moment for the slow threads; false: some hang on, the runtime must not be freed. */
bool slow_stop(runtime *rt);
void slow_fini(runtime *rt);
