/* Exchanges of established IKE_SAs, with and without losses: new children, rekeying, deletes, liveness,
 * traps. */
#include "tests/unit/charon/duo.h"

#define BASE                                                                                                 \
    "conn %default\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n"  \
    " rightid=@b.test\n auto=add\n"
#define NET  "conn net\n leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n"
#define NET2 "conn net2\n leftsubnet=10.3.0.0/16\n rightsubnet=10.4.0.0/16\n"

static duo *pair_with(const char *a, const char *b, const char *set)
{
    duo *d = duo_new_with(set, 2);

    duo_add(&d->p[0], a);
    duo_add(&d->p[1], b);
    for (int i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    return d;
}

static duo *pair(const char *conf)
{
    return pair_with(conf, conf, NULL);
}

static void up(duo *d, unsigned who, const char *name)
{
    duo_done done;
    charon_wait w = duo_wait(&done);

    charon_initiate(d->p[who].ch, name, &w);
    duo_run(d, 2000);
    assert_int_equal(done.n, 1);
    assert_string_equal(status_text(done.result), "ok");
}

static void assert_state(duo *d, unsigned ikes, unsigned children)
{
    for (unsigned i = 0; i < 2; i++) {
        charon_stats s = duo_stats(&d->p[i]);
        unsigned all = 0;
        for (int k = 0; k < IKE_STATE_COUNT; k++)
            all += s.ike[k];
        assert_int_equal(s.ike[IKE_ESTABLISHED], ikes);
        assert_int_equal(all, ikes);
        assert_int_equal(s.child[CHILD_INSTALLED], children);
        assert_int_equal(s.half_open, 0);
        assert_int_equal(kernel_fake_sas(d->p[i].env.kernel), 2 * children);
    }
    duo_assert_clean(d);
}

static fake_fate ping(duo *d, const char *from, const char *to, bool back)
{
    fake_packet p = {
        .src = duo_addr(from), .dst = duo_addr(to), .proto = 17, .sport = 1000, .dport = 2000, .bytes = 100};
    msgbuf why = {0};
    fake_fate f = kernel_fake_send(d->p[back ? 1 : 0].env.kernel, d->p[back ? 0 : 1].env.kernel, &p, false,
                                   &why);

    if (f != FAKE_DELIVERED)
        fprintf(stderr, "%s\n", why.text);
    return f;
}

static void assert_traffic(duo *d)
{
    assert_int_equal(ping(d, "10.1.0.1", "10.2.0.1", false), FAKE_DELIVERED);
    assert_int_equal(ping(d, "10.2.0.1", "10.1.0.1", true), FAKE_DELIVERED);
}

static void second_conn_joins(void **state)
{
    duo *d = pair(BASE NET NET2);

    (void)state;
    up(d, 0, "net");
    up(d, 0, "net2");
    assert_state(d, 1, 2);
    assert_traffic(d);
    assert_int_equal(ping(d, "10.3.0.1", "10.4.0.1", false), FAKE_DELIVERED);
    duo_free(d);
}

static void rekeys_child(void **state)
{
    const char *confs[] = {BASE NET, BASE NET " esp=aes128-sha256-modp2048!\n",
                           BASE NET " esp=aes128gcm16-ecp256-x25519!\n"};

    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        duo *d = pair(confs[k]);
        duo_done done;
        charon_wait w = duo_wait(&done);
        up(d, 0, "net");
        for (unsigned who = 0; who < 2; who++) {
            w = duo_wait(&done);
            charon_rekey(d->p[who].ch, "net{1}", &w);
            duo_run(d, 1000);
            assert_int_equal(done.n, 1);
            assert_int_equal(done.result, ST_OK);
            assert_state(d, 1, 1);
            assert_traffic(d);
        }
        assert_int_equal(duo_stats(&d->p[0]).child_rekeyed, 2);
        duo_free(d);
    }
}

/* Whenever a packet is sent, the other end can take it. */
static void rekeying_loses_nothing(void **state)
{
    duo *d = pair(BASE NET);

    (void)state;
    up(d, 0, "net");
    d->delay_ms = 50;
    for (unsigned who = 0; who < 2; who++) {
        charon_rekey(d->p[who].ch, "net{1}", NULL);
        for (int ms = 0; ms < 300; ms += 5) {
            duo_run(d, 5);
            assert_traffic(d);
        }
        assert_int_equal(duo_stats(&d->p[0]).child_rekeyed, who + 1);
    }
    assert_state(d, 1, 1);
    duo_free(d);
}

static void rekeys_ike(void **state)
{
    duo *d = pair(BASE NET NET2);

    (void)state;
    up(d, 0, "net");
    for (unsigned who = 0; who < 2; who++) {
        duo_done done;
        charon_wait w = duo_wait(&done);
        charon_rekey(d->p[who].ch, "net", &w);
        duo_run(d, 1000);
        assert_int_equal(done.n, 1);
        assert_int_equal(done.result, ST_OK);
        assert_state(d, 1, 1);
        assert_traffic(d);
    }
    up(d, 1, "net2");
    assert_state(d, 1, 2);
    duo_free(d);
}

/* Both begin before either has seen the other's request. */
static void rekey_collisions(void **state)
{
    const char *what[] = {"net{1}", "net"};

    (void)state;
    for (int k = 0; k < 2; k++) {
        for (int round = 0; round < 6; round++) {
            duo *d = pair(BASE NET);
            up(d, 0, "net");
            d->delay_ms = 50;
            charon_rekey(d->p[0].ch, what[k], NULL);
            if (round & 1)
                d->now_ms += 20;
            charon_rekey(d->p[1].ch, what[k], NULL);
            duo_run(d, 30000);
            assert_state(d, 1, 1);
            assert_traffic(d);
            duo_free(d);
        }
    }
}

static bool lose_some(duo *d, party *from, party *to, const packet *p)
{
    (void)from;
    (void)to;
    (void)p;
    d->random ^= d->random << 13;
    d->random ^= d->random >> 17;
    d->random ^= d->random << 5;
    if (d->random % 4 != 0 || ++d->row > 3) /* as bad as a bad line gets */
        d->row = 0;
    return d->row == 0;
}

static void survives_losses(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 8; seed++) {
        duo *d = pair(BASE NET NET2);
        d->random = seed * 7919 + 1;
        d->filter = lose_some;
        charon_initiate(d->p[0].ch, "net", NULL);
        duo_run(d, 200000);
        charon_initiate(d->p[0].ch, "net2", NULL);
        duo_run(d, 200000);
        charon_rekey(d->p[1].ch, "net", NULL);
        charon_rekey(d->p[0].ch, "net{1}", NULL);
        duo_run(d, 400000);
        assert_state(d, 1, 2);
        assert_traffic(d);
        duo_free(d);
    }
}

static void deletes(void **state)
{
    duo *d = pair(BASE NET NET2);
    duo_done done;
    charon_wait w = duo_wait(&done);

    (void)state;
    up(d, 0, "net");
    up(d, 0, "net2");
    charon_terminate(d->p[1].ch, "net2{}", &w);
    duo_run(d, 1000);
    assert_int_equal(done.result, ST_OK);
    assert_state(d, 1, 1);
    w = duo_wait(&done);
    charon_terminate(d->p[0].ch, "net", &w);
    duo_run(d, 1000);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.result, ST_OK);
    assert_state(d, 0, 0);
    w = duo_wait(&done);
    charon_terminate(d->p[0].ch, "net", &w);
    duo_run(d, 1000);
    assert_int_equal(done.result, ST_NOT_FOUND);
    assert_string_equal(done.why, "no such SA found");
    duo_free(d);
}

static void both_delete(void **state)
{
    duo *d = pair(BASE NET);

    (void)state;
    up(d, 0, "net");
    d->delay_ms = 50;
    charon_terminate(d->p[0].ch, "net{}", NULL);
    charon_terminate(d->p[1].ch, "net{}", NULL);
    duo_run(d, 5000);
    assert_state(d, 1, 0);
    charon_terminate(d->p[0].ch, "net", NULL);
    charon_terminate(d->p[1].ch, "net", NULL);
    duo_run(d, 5000);
    assert_state(d, 0, 0);
    duo_free(d);
}

static bool lose_all(duo *d, party *from, party *to, const packet *p)
{
    (void)d;
    (void)from;
    (void)to;
    (void)p;
    return false;
}

static void gives_up(void **state)
{
    duo *d = pair(BASE NET " keyingtries=2\n");
    duo_done done;
    charon_wait w = duo_wait(&done);

    (void)state;
    d->filter = lose_all;
    charon_initiate(d->p[0].ch, "net", &w);
    duo_run(d, 160000);
    assert_int_equal(done.n, 0);
    duo_run(d, 10000);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.result, ST_TIMEOUT);
    assert_true(duo_logged(&d->p[0], "giving up after 5 retransmits"));
    assert_true(duo_logged(&d->p[0], "peer not responding, trying again (2/2) in background "));
    duo_run(d, 170000);
    assert_true(duo_logged(&d->p[0], "establishing IKE_SA failed, peer not responding"));
    assert_state(d, 0, 0);
    duo_free(d);
}

static void liveness(void **state)
{
    const char *actions[] = {"clear", "hold", "restart"};

    (void)state;
    for (int k = 0; k < 3; k++) {
        char conf[1024];
        snprintf(conf, sizeof(conf), "%s dpdaction=%s\n dpddelay=10s\n keyingtries=1\n", BASE NET,
                 actions[k]);
        duo *d = pair(conf);
        up(d, 0, "net");
        duo_run(d, 35000);
        assert_true(duo_logged(&d->p[0], "sending DPD request") ||
                    duo_logged(&d->p[1], "sending DPD request"));
        assert_state(d, 1, 1);
        d->filter = lose_all;
        duo_run(d, 180000);
        assert_true(duo_logged(&d->p[0], "giving up after 5 retransmits"));
        assert_int_equal(duo_stats(&d->p[0]).ike[IKE_ESTABLISHED], 0);
        assert_int_equal(duo_stats(&d->p[0]).child[CHILD_ROUTED], k == 1 ? 1 : 0);
        assert_int_equal(duo_stats(&d->p[0]).ike[IKE_CONNECTING], k == 2 ? 1 : 0);
        d->filter = NULL;
        duo_run(d, 60000);
        if (k == 2)
            assert_int_equal(duo_stats(&d->p[0]).ike[IKE_ESTABLISHED] > 0, true);
        if (k == 1) {
            fake_packet p = {
                .src = duo_addr("10.1.0.1"), .dst = duo_addr("10.2.0.1"), .proto = 17, .bytes = 100};
            assert_int_equal(kernel_fake_send(d->p[0].env.kernel, d->p[1].env.kernel, &p, false, NULL),
                             FAKE_ACQUIRED);
            duo_run(d, 1000);
            assert_int_equal(duo_stats(&d->p[0]).child[CHILD_INSTALLED], 1);
            assert_traffic(d);
        }
        duo_free(d);
    }
}

static void traps(void **state)
{
    duo *d = pair(BASE NET);
    duo_done done;
    charon_wait w = duo_wait(&done);
    fake_packet p = {.src = duo_addr("10.1.0.1"), .dst = duo_addr("10.2.0.1"), .proto = 17, .bytes = 100};

    (void)state;
    charon_route(d->p[0].ch, "net", &w);
    duo_run(d, 100);
    assert_int_equal(done.result, ST_OK);
    assert_true(duo_logged(&d->p[0], "CHILD_SA routed"));
    assert_int_equal(kernel_fake_send(d->p[0].env.kernel, d->p[1].env.kernel, &p, false, NULL),
                     FAKE_ACQUIRED);
    assert_int_equal(kernel_fake_send(d->p[0].env.kernel, d->p[1].env.kernel, &p, false, NULL),
                     FAKE_ACQUIRED);
    duo_run(d, 1000);
    assert_true(duo_logged(&d->p[0], "creating acquire job for CHILD_SA with reqid 1"));
    assert_int_equal(duo_stats(&d->p[0]).child[CHILD_INSTALLED], 1);
    assert_int_equal(duo_stats(&d->p[0]).child[CHILD_ROUTED], 1);
    assert_traffic(d);
    charon_terminate(d->p[0].ch, "net", NULL);
    duo_run(d, 1000);
    assert_int_equal(kernel_fake_send(d->p[0].env.kernel, d->p[1].env.kernel, &p, false, NULL),
                     FAKE_ACQUIRED);
    duo_run(d, 1000);
    assert_traffic(d);
    w = duo_wait(&done);
    charon_unroute(d->p[0].ch, "net", &w);
    duo_run(d, 100);
    assert_int_equal(done.result, ST_OK);
    duo_free(d);
}

/* Timers: children get replaced in time, IKE_SAs get rekeyed or reauthenticated, and nothing is left behind.
 */
static void lifetimes(void **state)
{
    const char *confs[] = {BASE NET " reauth=no\n ikelifetime=20m\n keylife=5m\n rekeymargin=1m\n",
                           BASE NET " reauth=yes\n ikelifetime=20m\n keylife=5m\n rekeymargin=1m\n"};

    (void)state;
    for (int k = 0; k < 2; k++) {
        duo *d = pair(confs[k]);
        up(d, 0, "net");
        for (int i = 0; i < 24; i++) {
            duo_run(d, 300 * 1000);
            assert_traffic(d);
        }
        assert_state(d, 1, 1);
        if (k == 0)
            assert_true(duo_stats(&d->p[0]).ike_rekeyed >= 6);
        else
            assert_true(
                duo_stats(&d->p[0]).established_initiator + duo_stats(&d->p[0]).established_responder >= 6);
        assert_true(duo_stats(&d->p[0]).child_rekeyed >= 20);
        duo_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_conn_joins),
        cmocka_unit_test(rekeys_child),
        cmocka_unit_test(rekeys_ike),
        cmocka_unit_test(rekeying_loses_nothing),
        cmocka_unit_test(rekey_collisions),
        cmocka_unit_test(survives_losses),
        cmocka_unit_test(deletes),
        cmocka_unit_test(both_delete),
        cmocka_unit_test(gives_up),
        cmocka_unit_test(liveness),
        cmocka_unit_test(traps),
        cmocka_unit_test(lifetimes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
