/* Main mode with a preshared key and quick mode between two engines. */
#include "tests/unit/pluto/duo.h"

static void up(duo *d, const char *name, duo_done *done)
{
    pluto_waiter w = duo_wait(done);
    pluto_initiate(d->p[0].pl, name, false, &w);
    duo_run(d, 5000);
}

static void established(duo *d)
{
    for (unsigned i = 0; i < 2; i++) {
        pluto_stats s = duo_stats(&d->p[i]);
        assert_int_equal(s.isakmp_established, 1);
        assert_int_equal(s.quick_established, 1);
        assert_int_equal(s.half_open, 0);
    }
    duo_assert_clean(d);
}

static void traffic(duo *d, const char *a, const char *b)
{
    fake_packet p = {.src = duo_addr(a), .dst = duo_addr(b), .proto = 1, .bytes = 84};
    fake_packet r = {.src = duo_addr(b), .dst = duo_addr(a), .proto = 1, .bytes = 84};
    msgbuf why = {0};
    assert_int_equal(kernel_fake_send(d->p[0].env.kernel, d->p[1].env.kernel, &p, false, &why),
                     FAKE_DELIVERED);
    assert_int_equal(kernel_fake_send(d->p[1].env.kernel, d->p[0].env.kernel, &r, false, &why),
                     FAKE_DELIVERED);
}

static duo *pair(const char *text)
{
    duo *d = duo_new();
    for (unsigned i = 0; i < 2; i++) {
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret of both sides");
        duo_add(&d->p[i], text);
    }
    return d;
}

static void test_up(void **state)
{
    duo *d = pair(DUO_CONN(""));
    duo_done done;
    up(d, "net", &done);
    if (getenv("PLUTO_TEST_LOG"))
        fprintf(stderr, "%s", buf_cstr(&done.text));
    assert_int_equal(done.n, 1);
    assert_int_equal(done.exit_code, 0);
    assert_non_null(
        strstr(buf_cstr(&done.text),
               "002 \"net\" #1: initiating Main Mode\n104 \"net\" #1: STATE_MAIN_I1: initiate\n"));
    assert_non_null(strstr(buf_cstr(&done.text), "106 \"net\" #1: STATE_MAIN_I2: sent MI2, expecting MR2\n"));
    assert_non_null(
        strstr(buf_cstr(&done.text),
               "002 \"net\" #1: Peer ID is ID_FQDN: '@b.test'\n002 \"net\" #1: ISAKMP SA established\n"
               "004 \"net\" #1: STATE_MAIN_I4: ISAKMP SA established\n"));
    assert_non_null(
        strstr(buf_cstr(&done.text),
               "002 \"net\" #2: initiating Quick Mode PSK+ENCRYPT+TUNNEL+PFS+UP {using isakmp#1}\n"
               "112 \"net\" #2: STATE_QUICK_I1: initiate\n"));
    assert_non_null(strstr(buf_cstr(&done.text),
                           "004 \"net\" #2: STATE_QUICK_I2: sent QI2, IPsec SA established {ESP=>0x"));
    established(d);
    traffic(d, "10.1.0.1", "10.2.0.1");
    buf_free(&done.text);
    duo_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
