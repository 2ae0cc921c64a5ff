/* The engine on a real runtime with eight workers: many IKE_SAs are made, rekeyed, looked at and ended at
 * once. What it is worth shows under the thread sanitizer.
 */
#include "tests/unit/charon/duo.h"
#include <pthread.h>
#include <stdatomic.h>

enum { CONNS = 24, ROUNDS = 3, PATIENCE_MS = 60000 };

typedef struct crowd {
    duo *d;
    atomic_int pending, good;
    atomic_bool over;
} crowd;

static void *run_loop(void *arg)
{
    runtime_run(((crowd *)arg)->d->rt);
    return NULL;
}

static void done(void *ctx, status result, const char *why)
{
    crowd *c = ctx;

    (void)why;
    atomic_fetch_add(&c->good, result == ST_OK);
    atomic_fetch_sub(&c->pending, 1);
}

static void *look(void *arg)
{
    crowd *c = arg;

    while (!atomic_load(&c->over)) {
        for (int i = 0; i < 2; i++) {
            buf text = {0};
            charon_stats s;
            charon_status(c->d->p[i].ch, NULL, true, &text);
            charon_get_stats(c->d->p[i].ch, &s);
            buf_free(&text);
        }
        usleep(2000);
    }
    return NULL;
}

typedef void order_fn(charon *c, const char *name, const charon_wait *w);

static void all(crowd *c, order_fn *fn, bool both, bool wait)
{
    charon_wait w = {.done = done, .ctx = c};

    atomic_store(&c->good, 0);
    for (int i = 0; i < CONNS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        for (int k = 0; k < (both ? 2 : 1); k++) {
            atomic_fetch_add(&c->pending, wait);
            fn(c->d->p[both ? k : i & 1].ch, name, wait ? &w : NULL);
        }
    }
    for (int i = 0; i < PATIENCE_MS && atomic_load(&c->pending); i++)
        usleep(1000);
    assert_int_equal(atomic_load(&c->pending), 0);
}

static unsigned established(party *p)
{
    charon_stats s;

    charon_get_stats(p->ch, &s);
    return s.ike[IKE_ESTABLISHED];
}

static void wait_for(crowd *c, unsigned ikes)
{
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        if (established(&c->d->p[0]) == ikes && established(&c->d->p[1]) == ikes)
            return;
        usleep(10000);
    }
    assert_int_equal(established(&c->d->p[0]), ikes);
    assert_int_equal(established(&c->d->p[1]), ikes);
}

static void crowd_of_peers(void **state)
{
    crowd c = {.d = duo_make(NULL, 2, true)};
    pthread_t loop, looker;

    (void)state;
    for (int i = 0; i < CONNS; i++) {
        char conf[512];
        snprintf(conf, sizeof(conf),
                 "conn n%d\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n "
                 "leftid=@a%d.test\n"
                 " rightid=@b%d.test\n leftsubnet=10.%d.0.0/24\n rightsubnet=10.%d.1.0/24\n auto=add\n",
                 i, i, i, i + 1, i + 1);
        for (int k = 0; k < 2; k++)
            duo_add(&c.d->p[k], conf);
    }
    for (int k = 0; k < 2; k++)
        duo_psk(&c.d->p[k], "%any", "%any", "a secret");
    assert_int_equal(pthread_create(&loop, NULL, run_loop, &c), 0);
    assert_int_equal(pthread_create(&looker, NULL, look, &c), 0);
    for (int round = 0; round < ROUNDS; round++) {
        all(&c, charon_initiate, false, true);
        assert_int_equal(atomic_load(&c.good), CONNS);
        wait_for(&c, CONNS);
        all(&c, charon_rekey, round == 0, true);
        all(&c, charon_route, false, true);
        wait_for(&c, CONNS);
        all(&c, charon_unroute, false, true);
        all(&c, charon_terminate, true, true);
        wait_for(&c, 0);
    }
    all(&c, charon_initiate, false, true); /* the engine ends with everything up */
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
