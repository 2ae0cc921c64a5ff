/* What happens to SAs as time goes by: rekeying of both phases, expiry, dead peers, traps, modes, several
 * subnets. */
#include "tests/unit/pluto/pair.h"

static void test_rekey_ipsec(void **state)
{
    duo *d = pair(DUO_CONN(" keylife=20m\n rekeymargin=3m\n rekeyfuzz=0%\n"));
    up_ok(d, "net");
    duo_run(d, 16 * 60000);
    assert_int_equal(duo_stats(&d->p[0]).quick, 1);
    duo_run(d, 2 * 60000); /* the initiator replaces at 17 min */
    assert_int_equal(duo_stats(&d->p[0]).quick_established, 2);
    assert_int_equal(duo_stats(&d->p[1]).quick_established, 2);
    assert_true(duo_logged(
        &d->p[0], "#3: initiating Quick Mode PSK+ENCRYPT+TUNNEL+PFS+UP to replace #2 {using isakmp#1}"));
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_run(d, 3 * 60000); /* the old one is gone at 20 min */
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_run(d, 60 * 60000);
    pluto_stats s = duo_stats(&d->p[0]);
    assert_true(s.quick_established >= 1 && s.quick_established <= 2);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_free(d);
}

static void test_rekey_isakmp(void **state)
{
    duo *d = pair(DUO_CONN(" ikelifetime=60m\n keylife=8h\n rekeymargin=5m\n rekeyfuzz=0%\n"));
    up_ok(d, "net");
    duo_run(d, 56 * 60000);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(duo_stats(&d->p[i]).isakmp_established, 2);
        assert_int_equal(duo_stats(&d->p[i]).quick_established, 1);
    }
    assert_true(duo_logged(&d->p[0], "initiating Main Mode to replace #1"));
    duo_run(d, 6 * 60000);
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_free(d);
}

static void test_no_rekey(void **state)
{
    duo *d = pair(DUO_CONN(" rekey=no\n keylife=20m\n ikelifetime=30m\n"));
    up_ok(d, "net");
    duo_run(d, 21 * 60000);
    assert_int_equal(duo_stats(&d->p[0]).quick, 0);
    assert_int_equal(duo_stats(&d->p[1]).quick, 0);
    duo_run(d, 10 * 60000);
    assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
    assert_int_equal(kernel_fake_policies(d->p[0].env.kernel), 0);
    duo_free(d);
}

/* ---- dead peer detection ---- */

static bool cut;
static bool maybe_cut(duo *d, party *from, party *to, const packet *p)
{
    return !cut;
}

#define DPD(action) DUO_CONN(" dpdaction=" action "\n dpddelay=10s\n dpdtimeout=60s\n keyingtries=%forever\n")

static duo *dead(const char *text)
{
    duo *d = pair(text);
    cut = false;
    d->filter = maybe_cut;
    up_ok(d, "net");
    duo_run(d, 300000); /* probes are answered */
    assert_up(d, 1);
    assert_true(d->frames > 30);
    cut = true;
    duo_run(d, 90000);
    assert_true(duo_logged(&d->p[0], "DPD: No response from peer - declaring peer dead"));
    assert_true(duo_logged(&d->p[0], "DPD: Terminating all SAs using this connection"));
    assert_int_equal(duo_stats(&d->p[0]).quick, 0);
    return d;
}

static void test_dpd_clear(void **state)
{
    duo *d = dead(DPD("clear"));
    assert_true(duo_logged(&d->p[0], "DPD: Clearing connection"));
    assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
    assert_int_equal(kernel_fake_policies(d->p[0].env.kernel), 0);
    cut = false;
    duo_free(d);
}

static void test_dpd_hold(void **state)
{
    duo *d = dead(DPD("hold"));
    fake_packet p = {.src = duo_addr("10.1.0.1"), .dst = duo_addr("10.2.0.1"), .proto = 1, .bytes = 84};
    assert_true(duo_logged(&d->p[0], "DPD: Putting connection into %trap"));
    assert_true(kernel_fake_policies(d->p[0].env.kernel) > 0);
    duo_run(d, 60000);
    cut = false;
    assert_int_equal(kernel_fake_send(d->p[0].env.kernel, d->p[1].env.kernel, &p, false, NULL),
                     FAKE_ACQUIRED);
    duo_run(d, 5000);
    assert_int_equal(duo_stats(&d->p[0]).quick_established, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_free(d);
}

static void test_dpd_restart(void **state)
{
    duo *d = dead(DPD("restart"));
    assert_true(duo_logged(&d->p[0], "DPD: Restarting connection"));
    cut = false;
    duo_run(d, 60000);
    assert_true(duo_stats(&d->p[0]).quick_established >= 1); /* both sides may have started again */
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_free(d);
}

/* ---- traps, shunts ---- */

static void test_trap(void **state)
{
    duo *d = pair(DUO_CONN(""));
    duo_done done;
    buf out = {0};
    pluto_waiter w = duo_wait(&done);
    pluto_route(d->p[0].pl, "net", &w);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.exit_code, 0);
    assert_non_null(strstr(status_of(&d->p[0], false, &out), "; prospective erouted; eroute owner: #0"));
    assert_int_equal(ping(d, 0, "10.1.0.1", "10.2.0.1", false), FAKE_ACQUIRED);
    duo_run(d, 3000);
    assert_true(duo_logged(&d->p[0], "| initiate on demand from 10.1.0.1:"));
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    w = duo_wait(&done);
    pluto_unroute(d->p[0].pl, "net", &w);
    assert_int_equal(done.exit_code, 26);
    assert_non_null(strstr(buf_cstr(&done.text), "026 \"net\": cannot unroute: route busy"));
    buf_free(&done.text);
    pluto_terminate(d->p[0].pl, "net", NULL);
    duo_run(d, 1000);
    assert_non_null(strstr(status_of(&d->p[0], false, &out), "; prospective erouted; eroute owner: #0"));
    pluto_unroute(d->p[0].pl, "net", NULL);
    assert_non_null(strstr(status_of(&d->p[0], false, &out), "; unrouted; eroute owner: #0"));
    assert_int_equal(kernel_fake_policies(d->p[0].env.kernel), 0);
    buf_free(&out);
    duo_free(d);
}

static void test_shunt(void **state)
{
    duo *d = duo_new();
    duo_add(&d->p[0], "conn pass\n keyexchange=ikev1\n type=passthrough\n authby=never\n left=10.0.0.1\n "
                      "right=10.0.0.2\n leftprotoport=tcp/22\n rightprotoport=tcp\n auto=route\n");
    duo_done done;
    pluto_waiter w = duo_wait(&done);
    pluto_route(d->p[0].pl, "pass", &w);
    assert_int_equal(done.exit_code, 0);
    assert_true(kernel_fake_policies(d->p[0].env.kernel) > 0);
    buf_free(&done.text);
    w = duo_wait(&done);
    pluto_initiate(d->p[0].pl, "pass", false, &w);
    assert_int_not_equal(done.exit_code, 0);
    buf_free(&done.text);
    duo_free(d);
}

/* ---- modes ---- */

#define HOSTS(extra)                                                                                         \
    "conn host\n keyexchange=ikev1\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n "     \
    "rightid=@b.test\n auto=add\n" extra

static void test_transport(void **state)
{
    duo *d = pair(HOSTS(" type=transport\n"));
    buf out = {0};
    up_ok(d, "host");
    assert_up(d, 1);
    assert_traffic(d, "10.0.0.1", "10.0.0.2", false);
    assert_non_null(strstr(status_of(&d->p[0], true, &out), "; transport\n"));
    assert_non_null(strstr(buf_cstr(&out), "policy: PSK+ENCRYPT+PFS+UP;"));
    buf_free(&out);
    duo_free(d);
}

static void test_ah_esp(void **state)
{
    duo *d = pair(HOSTS(" type=tunnel\n auth=ah\n esp=aes128-sha1\n"));
    buf out = {0};
    up_ok(d, "host");
    assert_up(d, 1);
    assert_int_equal(kernel_fake_sas(d->p[0].env.kernel), 4);
    const char *t = status_of(&d->p[0], true, &out);
    assert_non_null(strstr(t, "ESP algorithm newest: AES_128-; pfsgroup=<Phase1>"));
    assert_non_null(strstr(t, "#2: \"host\" ah."));
    assert_non_null(strstr(t, " esp."));
    assert_traffic(d, "10.0.0.1", "10.0.0.2", false);
    buf_free(&out);
    duo_free(d);
}

/* AH without ESP: both keywords, both modes, lists and defaults, with compression or not */
static void test_ah_alone(void **state)
{
    static const char *const texts[] = {
        " type=tunnel\n ah=sha256,sha1\n", " type=transport\n phase2=ah\n esp=sha1!\n",
        " type=transport\n phase2=ah\n", " type=tunnel\n ah=md5-modp2048\n compress=yes\n"};
    for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
        char conf[1024];
        snprintf(conf, sizeof(conf), HOSTS("%s"), texts[k]);
        duo *d = pair(conf);
        buf out = {0};
        up_ok(d, "host");
        assert_up(d, 1);
        if (k < 3)
            assert_int_equal(kernel_fake_sas(d->p[0].env.kernel), 2);
        const char *t = status_of(&d->p[0], true, &out);
        assert_non_null(strstr(t, k == 1 || k == 2 ? "policy: PSK+AUTHENTICATE+PFS+UP;" : "+AUTHENTICATE+"));
        assert_null(strstr(t, "ENCRYPT"));
        assert_non_null(strstr(t, k == 0 ? "AH algorithm newest: HMAC_SHA2_256; pfsgroup=<Phase1>"
                                         : "AH algorithm newest: "));
        assert_non_null(strstr(t, "#2: \"host\" ah."));
        assert_null(strstr(t, " esp."));
        assert_traffic(d, "10.0.0.1", "10.0.0.2", false);
        pluto_terminate(d->p[1].pl, "host", NULL); /* the Delete names AH */
        duo_run(d, 1000);
        assert_int_equal(duo_stats(&d->p[0]).quick, 0);
        buf_free(&out);
        duo_free(d);
    }
}

/* AH alone, AH around ESP and ESP do not agree with each other. */
static void test_ah_refused(void **state)
{
    static const char *const texts[] = {" phase2=ah\n", " phase2=ah+esp\n", " phase2=esp\n"};
    for (size_t k = 0; k < 9; k++) {
        char conf[2][1024];
        duo *d = duo_new();
        duo_done done;
        for (unsigned i = 0; i < 2; i++) {
            snprintf(conf[i], sizeof(conf[i]), HOSTS("%s"), texts[i ? k / 3 : k % 3]);
            duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
            duo_add(&d->p[i], conf[i]);
        }
        up(d, "host", &done);
        assert_int_equal(duo_stats(&d->p[0]).quick_established, k / 3 == k % 3);
        buf_free(&done.text);
        duo_free(d);
    }
}

static void test_ipcomp(void **state)
{
    duo *d = pair(DUO_CONN(" compress=yes\n"));
    buf out = {0};
    up_ok(d, "net");
    assert_up(d, 1);
    const char *t = status_of(&d->p[0], true, &out);
    assert_non_null(strstr(t, "COMPRESS"));
    assert_non_null(strstr(t, " comp."));
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    buf_free(&out);
    duo_free(d);
}

/* one side has compress=yes only: they do without */
static void test_ipcomp_refused(void **state)
{
    duo *d = duo_new();
    for (unsigned i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    duo_add(&d->p[0], DUO_CONN(" compress=yes\n"));
    duo_add(&d->p[1], DUO_CONN(""));
    up_ok(d, "net");
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_free(d);
}

static void test_algorithms(void **state)
{
    static const char *const texts[] = {
        " ike=3des-md5-modp1024!\n esp=3des-md5!\n",
        " ike=aes256-sha512-modp4096!\n esp=aes256-sha512!\n",
        " ike=aes128-sha384-ecp256!\n esp=aes256gcm16!\n",
        " ike=aes192-sha256-modp3072!\n esp=null-sha1!\n",
        " ike=camellia256-sha256-modp2048!\n esp=camellia128-aesxcbc!\n",
        " ike=aes128-sha1-modp1536!\n esp=aes128-sha256_96!\n",
        " ike=aes256-sha256-curve25519!\n esp=aes128gcm8!\n pfs=no\n",
    };
    for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
        char conf[1024];
        snprintf(conf, sizeof(conf), DUO_CONN("%s"), texts[k]);
        duo *d = pair(conf);
        up_ok(d, "net");
        assert_up(d, 1);
        assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
        duo_free(d);
    }
}

static void test_subnets(void **state)
{
    duo *d = pair("conn multi\n keyexchange=ikev1\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n "
                  "leftid=@a.test\n rightid=@b.test\n"
                  " leftsubnet=10.1.0.0/16,10.11.0.0/16\n rightsubnet=10.2.0.0/16,10.12.0.0/16\n auto=add\n");
    buf out = {0};
    up_ok(d, "multi");
    assert_up(d, 4);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    assert_traffic(d, "10.11.0.1", "10.2.0.1", false);
    assert_traffic(d, "10.1.0.1", "10.12.0.1", false);
    assert_traffic(d, "10.11.0.1", "10.12.0.1", false);
    const char *t = status_of(&d->p[0], false, &out);
    assert_non_null(strstr(
        t, "\"multi/1x2\": 10.1.0.0/16===10.0.0.1[@a.test]...10.0.0.2[@b.test]===10.12.0.0/16; erouted"));
    buf_free(&out);
    pluto_terminate(d->p[1].pl, "multi", NULL);
    duo_run(d, 1000);
    assert_int_equal(duo_stats(&d->p[0]).quick, 0);
    assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
    duo_free(d);
}

/* ---- the end ---- */

static void on_gone(void *ctx)
{
    ++*(unsigned *)ctx;
}

/* A script of party A's that runs is waited for, with a limit. */
static size_t busy_now;
static size_t slow_busy(updown *u)
{
    return busy_now;
}
static status slow_run(updown *u, const char *script, const updown_vars *vars, log_scope log,
                       updown_done_fn *done, void *ctx, uint64_t key)
{
    busy_now += strncmp(vars->verb, "down", 4) == 0;
    done(ctx, key, 0);
    return ST_OK;
}
static const updown_ops slow_ops = {slow_run, slow_busy, NULL};

static void test_shutdown(void **state)
{
    for (unsigned hangs = 0; hangs < 2; hangs++) {
        duo *d = duo_new();
        updown slow = {&slow_ops};
        unsigned ended = 0;
        busy_now = 0;
        pluto_free(d->p[0].pl);
        d->p[0].env.updown = &slow;
        assert_int_equal(pluto_new(&d->p[0].pl, &d->p[0].env, &d->p[0].opt, &(msgbuf){0}), ST_OK);
        for (unsigned i = 0; i < 2; i++) {
            duo_psk(&d->p[i], "@a.test", "@b.test", "a secret of both sides");
            duo_add(&d->p[i], DUO_CONN(""));
        }
        up_ok(d, "net");
        pluto_route(d->p[0].pl, "net", NULL);
        assert_int_equal(busy_now, 0);
        pluto_shutdown(d->p[0].pl, 3000, on_gone, &ended);
        duo_run(d, 1000);
        assert_int_equal(busy_now, 1);
        assert_int_equal(ended, 0);
        assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
        assert_int_equal(duo_stats(&d->p[1]).isakmp, 0); /* was told */
        assert_int_equal(kernel_fake_policies(d->p[0].env.kernel), 0);
        if (!hangs)
            busy_now = 0;
        duo_run(d, 1000);
        assert_int_equal(ended, !hangs);
        duo_run(d, 2000);
        assert_int_equal(ended, 1);
        duo_free(d);
    }
}

/* ---- both at once ---- */

static void test_simultaneous(void **state)
{
    duo *d = pair(DUO_CONN(""));
    pluto_initiate(d->p[0].pl, "net", true, NULL);
    pluto_initiate(d->p[1].pl, "net", true, NULL);
    duo_run(d, 30000);
    assert_true(duo_stats(&d->p[0]).quick_established >= 1);
    assert_int_equal(duo_stats(&d->p[0]).quick_established, duo_stats(&d->p[1]).quick_established);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_run(d, 4 * 3600 * 1000);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    assert_true(duo_stats(&d->p[0]).quick <= 4);
    assert_true(duo_stats(&d->p[0]).isakmp <= 4);
    duo_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rekey_ipsec),  cmocka_unit_test(test_rekey_isakmp),
        cmocka_unit_test(test_no_rekey),     cmocka_unit_test(test_dpd_clear),
        cmocka_unit_test(test_dpd_hold),     cmocka_unit_test(test_dpd_restart),
        cmocka_unit_test(test_trap),         cmocka_unit_test(test_shunt),
        cmocka_unit_test(test_transport),    cmocka_unit_test(test_ah_esp),
        cmocka_unit_test(test_ipcomp),       cmocka_unit_test(test_ipcomp_refused),
        cmocka_unit_test(test_algorithms),   cmocka_unit_test(test_subnets),
        cmocka_unit_test(test_simultaneous), cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_ah_alone),     cmocka_unit_test(test_ah_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
