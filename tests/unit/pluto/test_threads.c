/* The engine on a real runtime with eight workers: SAs with many addresses are made, looked at and ended at
 * once. What it is worth shows under the thread sanitizer.
 */
#include "tests/unit/pluto/duo.h"
#include <pthread.h>
#include <stdatomic.h>

enum { CONNS = 32, ROUNDS = 3, PATIENCE_MS = 60000 };

typedef struct crowd {
    duo *d;
    atomic_int waiting, good;
    atomic_bool over;
} crowd;

static void *run_loop(void *arg)
{
    runtime_run(((crowd *)arg)->d->rt);
    return NULL;
}

static void on_done(void *ctx, int exit_code)
{
    crowd *c = ctx;
    atomic_fetch_add(&c->good, exit_code == 0);
    atomic_fetch_sub(&c->waiting, 1);
}

static void on_line(void *ctx, int code, const char *text)
{
    if (getenv("PLUTO_TEST_LOG"))
        fprintf(stderr, "%03d %s\n", code, text);
}

static void count_lines(void *ctx, const char *text)
{
    (*(unsigned *)ctx)++;
}

static void count_states(void *ctx, const pluto_state_info *st)
{
    (*(unsigned *)ctx)++;
}

static void *look(void *arg)
{
    crowd *c = arg;
    while (!atomic_load(&c->over)) {
        for (int k = 0; k < 2; k++) {
            unsigned n = 0;
            pluto_stats s;
            pluto_status(c->d->p[k].pl, true, NULL, count_lines, &n);
            pluto_each_state(c->d->p[k].pl, count_states, &n);
            pluto_get_stats(c->d->p[k].pl, &s);
        }
        usleep(2000);
    }
    return NULL;
}

static void start(crowd *c, int from, const char *name)
{
    pluto_waiter w = {.line = on_line, .done = on_done, .ctx = c};
    pluto_initiate(c->d->p[from].pl, name, false, &w);
}

static void stop(crowd *c, int from, const char *name)
{
    pluto_waiter w = {.line = on_line, .done = on_done, .ctx = c};
    pluto_terminate(c->d->p[from].pl, name, &w);
}

static void route(crowd *c, int from, const char *name)
{
    pluto_waiter w = {.line = on_line, .done = on_done, .ctx = c};
    pluto_route(c->d->p[from].pl, name, &w);
}

static void unroute(crowd *c, int from, const char *name)
{
    pluto_waiter w = {.line = on_line, .done = on_done, .ctx = c};
    pluto_unroute(c->d->p[from].pl, name, &w);
}

static void all(crowd *c, void (*fn)(crowd *c, int from, const char *name), bool both)
{
    atomic_store(&c->good, 0);
    for (int n = 0; n < CONNS; n++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", n);
        for (int k = 0; k < (both ? 2 : 1); k++) {
            atomic_fetch_add(&c->waiting, 1);
            fn(c, both ? k : n & 1, name);
        }
    }
    for (int n = 0; n < PATIENCE_MS && atomic_load(&c->waiting); n++)
        usleep(1000);
    assert_int_equal(atomic_load(&c->waiting), 0);
}

static void wait_for(crowd *c, size_t at_least, size_t at_most)
{
    size_t n[2] = {0};
    for (int t = 0; t < PATIENCE_MS / 10; t++) {
        for (int k = 0; k < 2; k++)
            n[k] = duo_stats(&c->d->p[k]).quick_established;
        if (n[0] >= at_least && n[1] >= at_least && n[0] <= at_most && n[1] <= at_most)
            return;
        usleep(10000);
    }
    fail_msg("%zu and %zu IPsec SAs, wanted are %zu to %zu", n[0], n[1], at_least, at_most);
}

static void crowd_of_peers(void **state)
{
    crowd c = {.d = duo_make(NULL, 2, true)};
    pthread_t loop, looker;
    for (int n = 0; n < CONNS; n++) {
        char conf[512];
        snprintf(conf, sizeof(conf),
                 "conn n%d\n keyexchange=ikev1\n authby=secret\n left=10.64.0.%d\n right=10.0.0.2\n "
                 "leftid=@a%d.test\n rightid=@b.test\n"
                 " leftsubnet=10.%d.0.0/24\n rightsubnet=10.%d.1.0/24\n dpdaction=clear\n dpddelay=1s\n "
                 "dpdtimeout=30s\n auto=add\n",
                 n, n / 2 + 1, n / 2, n + 100, n + 100);
        for (int k = 0; k < 2; k++)
            duo_add(&c.d->p[k], conf);
    }
    for (int k = 0; k < 2; k++) {
        ident *any = ident_any();
        assert_int_equal(
            credstore_add_shared(c.d->p[k].env.cred, SECRET_PSK, &any, 0, SPAN_LIT("a secret for all")),
            ST_OK);
        ident_unref(any);
    }
    assert_int_equal(pthread_create(&loop, NULL, run_loop, &c), 0);
    assert_int_equal(pthread_create(&looker, NULL, look, &c), 0);
    for (int round = 0; round < ROUNDS; round++) {
        all(&c, start, round == 1);
        assert_int_equal(atomic_load(&c.good), round == 1 ? 2 * CONNS : CONNS);
        wait_for(&c, CONNS, 2 * CONNS);
        all(&c, route, false);
        all(&c, stop, true);
        wait_for(&c, 0, 0);
        all(&c, unroute, false);
    }
    all(&c, start, false); /* the engine ends with everything up */
    usleep(1200000);       /* and has probed its peers */
    atomic_store(&c.over, true);
    pthread_join(looker, NULL);
    runtime_stop(c.d->rt, 0);
    pthread_join(loop, NULL);
    duo_free(c.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowd_of_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
