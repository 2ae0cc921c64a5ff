/* The runtime with many threads: jobs, timers, watches, mailboxes; and in manual mode. */
#include "libstrongswan/run/runtime.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static runtime *threaded(unsigned workers)
{
    runtime *rt;
    runtime_config cfg = {.workers = workers};
    assert_int_equal(runtime_new(&rt, &cfg), ST_OK);
    return rt;
}

static void *run_it(void *rt)
{
    return (void *)(intptr_t)runtime_run(rt);
}

static pthread_t start(runtime *rt)
{
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, run_it, rt), 0);
    return t;
}

static int end(runtime *rt, pthread_t t)
{
    void *code;
    runtime_stop(rt, 7);
    assert_int_equal(pthread_join(t, &code), 0);
    runtime_free(rt);
    return (int)(intptr_t)code;
}

/* waits up to 20 s: machines that test are slow */
static bool reaches(atomic_int *n, int want)
{
    for (int i = 0; i < 200000 && atomic_load(n) < want; i++)
        usleep(100);
    return atomic_load(n) >= want;
}

static void add_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

typedef struct poster {
    runtime *rt;
    atomic_int *n;
} poster;

static void *post_many(void *arg)
{
    poster *p = arg;
    for (int i = 0; i < 20000; i++)
        if (runtime_post(p->rt, add_one, NULL, p->n) != ST_OK)
            return arg;
    return NULL;
}

static void test_jobs_from_many_threads(void **state)
{
    runtime *rt = threaded(16);
    pthread_t loop = start(rt), posters[4];
    atomic_int n = 0;
    poster p = {rt, &n};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&posters[i], NULL, post_many, &p), 0);
    for (int i = 0; i < 4; i++) {
        void *bad;
        pthread_join(posters[i], &bad);
        assert_null(bad);
    }
    assert_true(reaches(&n, 80000));
    runtime_stats stats;
    for (int i = 0; i < 1000; i++) {
        runtime_get_stats(rt, &stats);
        if (stats.idle == 16)
            break;
        usleep(1000);
    }
    assert_int_equal(stats.workers, 16);
    assert_int_equal(stats.idle, 16);
    assert_int_equal(stats.queue, 0);
    assert_int_equal(stats.jobs_done, 80000);
    assert_int_equal(end(rt, loop), 7);
}

/* one job at a time, each posted when the one before has run: a lost wake-up hangs here */
static void test_no_wakeup_is_lost(void **state)
{
    runtime *rt = threaded(8);
    pthread_t loop = start(rt);
    atomic_int n = 0;
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(runtime_post(rt, add_one, NULL, &n), ST_OK);
        if (i % 3 == 0)
            assert_int_equal(runtime_post(rt, add_one, NULL, &n), ST_OK);
        int want = i + 1 + i / 3 + 1;
        int64_t limit = now_us() + 20000000;
        while (atomic_load(&n) < want && now_us() < limit)
            sched_yield();
        assert_true(atomic_load(&n) >= want);
    }
    end(rt, loop);
}

/* a job that blocks must not keep others from running */
typedef struct gate {
    atomic_int in, open;
} gate;
static void wait_gate(void *arg)
{
    gate *g = arg;
    atomic_fetch_add(&g->in, 1);
    while (!atomic_load(&g->open))
        usleep(200);
}

static void test_busy_workers_do_not_hold_others(void **state)
{
    runtime *rt = threaded(8);
    pthread_t loop = start(rt);
    gate g = {0, 0};
    atomic_int n = 0;
    for (int i = 0; i < 7; i++)
        assert_int_equal(runtime_post(rt, wait_gate, NULL, &g), ST_OK);
    assert_true(reaches(&g.in, 7));
    for (int i = 0; i < 100; i++)
        assert_int_equal(runtime_post(rt, add_one, NULL, &n), ST_OK);
    assert_true(reaches(&n, 100));
    atomic_store(&g.open, 1);
    end(rt, loop);
}

static void test_cost_of_a_job(void **state)
{
    runtime *rt = threaded(4);
    pthread_t loop = start(rt);
    atomic_int n = 0;
    int64_t from = now_us();
    for (int i = 0; i < 200000; i++)
        assert_int_equal(runtime_post(rt, add_one, NULL, &n), ST_OK);
    assert_true(reaches(&n, 200000));
    print_message("post + run: %lld ns\n", (long long)(now_us() - from) * 1000 / 200000);
    end(rt, loop);
}

static void test_slow_jobs(void **state)
{
    runtime *rt = threaded(2);
    pthread_t loop = start(rt);
    gate g = {0, 0};
    atomic_int n = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(runtime_post_slow(rt, wait_gate, NULL, &g), ST_OK);
    assert_true(reaches(&g.in, 4)); /* all four threads */
    assert_int_equal(runtime_post_slow(rt, add_one, NULL, &n), ST_OK);
    assert_int_equal(runtime_post(rt, add_one, NULL, &n), ST_OK); /* fast work goes on */
    assert_true(reaches(&n, 1));
    atomic_store(&g.open, 1);
    assert_true(reaches(&n, 2));
    end(rt, loop);
}

/* ---- timers ---- */

typedef struct fired {
    atomic_int n;
    uint64_t order[64];
    pthread_mutex_t lock;
} fired;

static void on_timer(void *ctx, uint64_t key)
{
    fired *f = ctx;
    pthread_mutex_lock(&f->lock);
    int n = atomic_load(&f->n);
    if (n < 64)
        f->order[n] = key;
    atomic_fetch_add(&f->n, 1);
    pthread_mutex_unlock(&f->lock);
}

static void test_timers(void **state)
{
    runtime *rt = threaded(1);
    fired f = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t loop = start(rt);
    int64_t from = now_us();
    assert_true(runtime_timer(rt, 60, on_timer, &f, 3));
    assert_true(runtime_timer(rt, 30, on_timer, &f, 2));
    timer_id gone = runtime_timer(rt, 40, on_timer, &f, 9);
    assert_true(runtime_timer(rt, 0, on_timer, &f, 1));
    int64_t left = runtime_timer_left(rt, gone);
    assert_true(left >= 0 && left <= 40);
    assert_true(runtime_timer_cancel(rt, gone));
    assert_false(runtime_timer_cancel(rt, gone));
    assert_int_equal(runtime_timer_left(rt, gone), -1);
    assert_true(reaches(&f.n, 3));
    assert_true(now_us() - from >= 58000);
    assert_int_equal(f.order[0], 1);
    assert_int_equal(f.order[1], 2);
    assert_int_equal(f.order[2], 3);
    assert_int_equal(atomic_load(&f.n), 3);
    end(rt, loop);
}

static void test_stop_is_prompt(void **state)
{
    runtime *rt = threaded(16);
    fired f = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t loop = start(rt);
    assert_true(runtime_timer(rt, 3600 * 1000, on_timer, &f, 1));
    usleep(20000);
    int64_t from = now_us();
    assert_int_equal(end(rt, loop), 7);
    assert_true(now_us() - from < 2000000);
    assert_int_equal(atomic_load(&f.n), 0);
}

typedef struct race {
    runtime *rt;
    fired *f;
    atomic_int cancelled;
} race;

static void *arm_and_cancel(void *arg)
{
    race *r = arg;
    for (int i = 0; i < 3000; i++) {
        timer_id id = runtime_timer(r->rt, i % 3, on_timer, r->f, 1);
        if (i % 7 == 0)
            usleep(500);
        if (id && runtime_timer_cancel(r->rt, id))
            atomic_fetch_add(&r->cancelled, 1);
    }
    return NULL;
}

/* each timer either fires or is cancelled, never both, never neither */
static void test_cancel_races(void **state)
{
    runtime *rt = threaded(8);
    fired f = {.lock = PTHREAD_MUTEX_INITIALIZER};
    race r = {rt, &f, 0};
    pthread_t loop = start(rt), t[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, arm_and_cancel, &r), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_true(reaches(&f.n, 12000 - atomic_load(&r.cancelled)));
    usleep(10000);
    assert_int_equal(atomic_load(&f.n) + atomic_load(&r.cancelled), 12000);
    runtime_stats stats;
    runtime_get_stats(rt, &stats);
    assert_int_equal(stats.timers, 0);
    end(rt, loop);
}

/* ---- watches ---- */

typedef struct reader {
    atomic_int bytes, inside, overlaps;
} reader;

static void on_readable(void *ctx, int fd, uint32_t events)
{
    reader *r = ctx;
    char c[3];
    if (atomic_fetch_add(&r->inside, 1))
        atomic_fetch_add(&r->overlaps, 1);
    ssize_t n = recv(fd, c, sizeof(c), MSG_DONTWAIT);
    atomic_fetch_sub(&r->inside, 1);
    if (n > 0)
        atomic_fetch_add(&r->bytes, (int)n);
}

static void watch_with(unsigned flags)
{
    runtime *rt = threaded(8);
    pthread_t loop = start(rt);
    reader r = {0, 0, 0};
    int sv[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    assert_int_equal(runtime_watch(rt, sv[0], EPOLLIN, flags, on_readable, &r), ST_OK);
    assert_int_equal(runtime_watch(rt, sv[0], EPOLLIN, flags, on_readable, &r), ST_EXISTS);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(send(sv[1], "abcde", 5, 0), 5);
    assert_true(reaches(&r.bytes, 5000));
    assert_int_equal(atomic_load(&r.overlaps), 0);
    assert_int_equal(runtime_watch_change(rt, sv[0], 0), ST_OK);
    usleep(20000); /* what was under way is through */
    int before = atomic_load(&r.bytes);
    assert_int_equal(send(sv[1], "x", 1, 0), 1);
    usleep(20000);
    assert_int_equal(atomic_load(&r.bytes), before);
    assert_int_equal(runtime_watch_change(rt, sv[0], EPOLLIN), ST_OK);
    assert_true(reaches(&r.bytes, before + 1));
    runtime_unwatch(rt, sv[0]);
    assert_int_equal(send(sv[1], "x", 1, 0), 1);
    usleep(20000);
    assert_int_equal(atomic_load(&r.bytes), before + 1);
    assert_int_equal(runtime_watch_change(rt, sv[0], EPOLLIN), ST_NOT_FOUND);
    close(sv[0]);
    close(sv[1]);
    end(rt, loop);
}

static void test_watch_as_job(void **state)
{
    watch_with(0);
}

static void test_watch_inline(void **state)
{
    watch_with(WATCH_INLINE);
}

static void linger(void *ctx, int fd, uint32_t events)
{
    atomic_int *in = ctx;
    uint64_t n;
    ssize_t got = read(fd, &n, sizeof(n));
    (void)got;
    atomic_store(in, 1);
    usleep(3000);
    atomic_store(in, 2);
}

static void test_unwatch_waits(void **state)
{
    runtime *rt = threaded(4);
    pthread_t loop = start(rt);
    for (int i = 0; i < 50; i++) {
        atomic_int in = 0;
        int fd = eventfd(1, EFD_NONBLOCK);
        assert_int_equal(runtime_watch(rt, fd, EPOLLIN, i % 2 ? WATCH_INLINE : 0, linger, &in), ST_OK);
        if (i % 5)
            while (atomic_load(&in) == 0)
                usleep(50);
        runtime_unwatch(rt, fd);
        int seen = atomic_load(&in);
        assert_true(seen == 0 || seen == 2);
        close(fd);
    }
    end(rt, loop);
}

static void unwatch_self(void *ctx, int fd, uint32_t events)
{
    void **args = ctx;
    runtime_unwatch(args[0], fd);
    close(fd);
    atomic_fetch_add((atomic_int *)args[1], 1);
}

static void test_unwatch_from_inside(void **state)
{
    runtime *rt = threaded(4);
    pthread_t loop = start(rt);
    atomic_int n = 0;
    void *args[2] = {rt, &n};
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            runtime_watch(rt, eventfd(1, 0), EPOLLIN, i % 2 ? WATCH_INLINE : 0, unwatch_self, args), ST_OK);
    assert_true(reaches(&n, 100));
    end(rt, loop);
}

/* ---- mailboxes ---- */

typedef struct box {
    mailbox mb;
    atomic_int refs, inside, overlaps, disorder, done, dropped;
    int last[4]; /* number of the last mail of each sender */
} box;

typedef struct letter {
    mail m;
    int sender, number;
} letter;

static void box_ref(void *owner)
{
    atomic_fetch_add(&((box *)owner)->refs, 1);
}
static void box_unref(void *owner)
{
    atomic_fetch_sub(&((box *)owner)->refs, 1);
}
static const mailbox_ops box_ops = {box_ref, box_unref};

static void read_letter(void *owner, mail *m)
{
    box *b = owner;
    letter *l = container_of(m, letter, m);
    if (atomic_fetch_add(&b->inside, 1))
        atomic_fetch_add(&b->overlaps, 1);
    if (b->last[l->sender] + 1 != l->number)
        atomic_fetch_add(&b->disorder, 1);
    b->last[l->sender] = l->number;
    free(l);
    atomic_fetch_sub(&b->inside, 1);
    atomic_fetch_add(&b->done, 1);
}

static void drop_letter(void *owner, mail *m)
{
    atomic_fetch_add(&((box *)owner)->dropped, 1);
    free(m);
}

static letter *letter_new(int sender, int number)
{
    letter *l = calloc(1, sizeof(*l));
    assert_non_null(l);
    *l = (letter){.m = {.run = read_letter, .drop = drop_letter}, .sender = sender, .number = number};
    return l;
}

enum { BOXES = 50, LETTERS = 400 };
typedef struct sender {
    box *boxes;
    int number;
} sender;

static void *send_letters(void *arg)
{
    sender *s = arg;
    for (int i = 1; i <= LETTERS; i++)
        for (int b = 0; b < BOXES; b++) {
            letter *l = letter_new(s->number, i);
            while (mailbox_post(&s->boxes[b].mb, &l->m) == ST_LIMIT)
                sched_yield();
        }
    return NULL;
}

static void test_mailboxes_keep_order_and_run_once(void **state)
{
    runtime *rt = threaded(16);
    box *boxes = calloc(BOXES, sizeof(box));
    assert_non_null(boxes);
    for (int i = 0; i < BOXES; i++)
        mailbox_init(&boxes[i].mb, rt, &boxes[i], &box_ops);
    pthread_t loop = start(rt), t[4];
    sender s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = (sender){boxes, i};
        assert_int_equal(pthread_create(&t[i], NULL, send_letters, &s[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < BOXES; i++) {
        assert_true(reaches(&boxes[i].done, 4 * LETTERS));
        assert_int_equal(atomic_load(&boxes[i].overlaps), 0);
        assert_int_equal(atomic_load(&boxes[i].disorder), 0);
    }
    end(rt, loop);
    for (int i = 0; i < BOXES; i++) {
        assert_int_equal(atomic_load(&boxes[i].refs), 0);
        mailbox_fini(&boxes[i].mb);
    }
    free(boxes);
}

static void test_mailbox_limit_close_drop(void **state)
{
    runtime *rt;
    runtime_config cfg = {.manual = true};
    assert_int_equal(runtime_new(&rt, &cfg), ST_OK);
    box b = {0};
    mailbox_init(&b.mb, rt, &b, &box_ops);
    b.mb.limit = 3;
    for (int i = 1; i <= 3; i++)
        assert_int_equal(mailbox_post(&b.mb, &letter_new(0, i)->m), ST_OK);
    letter *more = letter_new(0, 4);
    assert_int_equal(mailbox_post(&b.mb, &more->m), ST_LIMIT);
    assert_int_equal(b.refs, 1);
    assert_true(runtime_step(rt));
    assert_int_equal(b.done, 1);
    mailbox_close(&b.mb);
    assert_int_equal(b.dropped, 2);
    assert_int_equal(mailbox_post(&b.mb, &more->m), ST_CLOSED);
    free(more);
    assert_true(runtime_step(rt));
    assert_int_equal(b.refs, 0);
    assert_false(runtime_step(rt));
    mailbox_fini(&b.mb);

    /* the runtime ends while mail waits */
    box c = {0};
    mailbox_init(&c.mb, rt, &c, &box_ops);
    assert_int_equal(mailbox_post(&c.mb, &letter_new(0, 1)->m), ST_OK);
    runtime_free(rt);
    assert_int_equal(c.dropped, 1);
    assert_int_equal(c.refs, 0);
    mailbox_fini(&c.mb);
}

/* ---- manual mode ---- */

static int64_t fake_now;
static int64_t fake_mono(void *ctx)
{
    return fake_now;
}

static void test_manual_mode(void **state)
{
    const clock_source clock = {fake_mono, fake_mono, NULL};
    runtime *rt;
    runtime_config cfg = {.manual = true, .clock = &clock};
    atomic_int n = 0, dropped = 0;
    fired f = {.lock = PTHREAD_MUTEX_INITIALIZER};
    fake_now = 1000;
    assert_int_equal(runtime_new(&rt, &cfg), ST_OK);
    assert_int_equal(runtime_next_ms(rt), INT64_MAX);
    assert_true(runtime_timer(rt, 500, on_timer, &f, 1));
    assert_true(runtime_timer(rt, 500, on_timer, &f, 2));
    assert_int_equal(runtime_post(rt, add_one, NULL, &n), ST_OK);
    assert_int_equal(runtime_post_slow(rt, add_one, NULL, &n), ST_OK);
    assert_true(runtime_step(rt));
    assert_true(runtime_step(rt));
    assert_false(runtime_step(rt));
    assert_int_equal(n, 2);
    assert_int_equal(runtime_next_ms(rt), 1500);
    fake_now = 1500;
    assert_true(runtime_step(rt));
    assert_true(runtime_step(rt));
    assert_int_equal(f.order[0], 1);
    assert_int_equal(f.order[1], 2);
    assert_int_equal(runtime_post(rt, add_one, add_one, &dropped), ST_OK);
    assert_true(runtime_timer(rt, 500, on_timer, &f, 3));
    runtime_free(rt);
    assert_int_equal(dropped, 1);
    assert_int_equal(f.n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_from_many_threads),
        cmocka_unit_test(test_no_wakeup_is_lost),
        cmocka_unit_test(test_busy_workers_do_not_hold_others),
        cmocka_unit_test(test_cost_of_a_job),
        cmocka_unit_test(test_slow_jobs),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_stop_is_prompt),
        cmocka_unit_test(test_cancel_races),
        cmocka_unit_test(test_watch_as_job),
        cmocka_unit_test(test_watch_inline),
        cmocka_unit_test(test_unwatch_waits),
        cmocka_unit_test(test_unwatch_from_inside),
        cmocka_unit_test(test_mailboxes_keep_order_and_run_once),
        cmocka_unit_test(test_mailbox_limit_close_drop),
        cmocka_unit_test(test_manual_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
