/* XAUTH and Mode Config between phase 1 and the first quick mode. */
#include "tests/unit/pluto/pair.h"

#define CLIENT(extra)                                                                                        \
    "conn home\n keyexchange=ikev1\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n rightid=@b.test\n "   \
    "rightsubnet=10.2.0.0/16\n auto=add\n" extra
#define SERVER(extra)                                                                                        \
    "conn rw\n keyexchange=ikev1\n left=10.0.0.2\n right=%any\n leftid=@b.test\n rightid=@a.test\n "         \
    "leftsubnet=10.2.0.0/16\n auto=add\n" extra

static void add_user(party *p, const char *name, const char *password)
{
    ident *id;
    assert_int_equal(ident_from_wire(&id, ID_KEY_ID, span_str(name), NULL), ST_OK);
    assert_int_equal(credstore_add_shared(p->env.cred, SECRET_XAUTH, &id, 1, span_str(password)), ST_OK);
    ident_unref(id);
}

static duo *both_with(const char *settings_text, const char *client, const char *server)
{
    duo *d = duo_new_with(settings_text, 2);
    for (unsigned i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret of both sides");
    /* before the peer's name is known the server looks for its address, then for anybody */
    ident *any = ident_any();
    assert_int_equal(
        credstore_add_shared(d->p[1].env.cred, SECRET_PSK, &any, 0, SPAN_LIT("a secret of both sides")),
        ST_OK);
    ident_unref(any);
    duo_add(&d->p[0], client);
    duo_add(&d->p[1], server);
    return d;
}

static duo *both(const char *client, const char *server)
{
    return both_with(NULL, client, server);
}

static void test_pull(void **state)
{
    duo *d = both(CLIENT(" authby=secret\n leftsourceip=%modeconfig\n"),
                  SERVER(" authby=secret\n rightsourceip=10.3.0.1\n"));
    up_ok(d, "home");
    assert_up(d, 1);
    assert_true(duo_logged(&d->p[0], "setting virtual IP source address to 10.3.0.1"));
    assert_true(duo_logged(&d->p[1], "assigning virtual IP source address 10.3.0.1"));
    assert_true(duo_logged(&d->p[0], "received ModeCfg reply, established"));
    assert_traffic(d, "10.3.0.1", "10.2.0.1", false);
    duo_free(d);
}

/* a pool: everybody gets an address of its own, and the same one again */
static void test_pool(void **state)
{
    duo *d = duo_new_with(NULL, 3);
    ident *any = ident_any();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(
            credstore_add_shared(d->p[i].env.cred, SECRET_PSK, &any, 0, SPAN_LIT("a secret for all")), ST_OK);
    ident_unref(any);
    duo_add(&d->p[1], "conn rw\n keyexchange=ikev1\n authby=secret\n left=10.0.0.2\n right=%any\n "
                      "leftid=@b.test\n leftsubnet=10.2.0.0/16\n"
                      " rightsourceip=10.3.0.0/24\n auto=add\n");
    duo_add(&d->p[0], CLIENT(" authby=secret\n leftsourceip=%modeconfig\n"));
    duo_add(&d->p[2], "conn home\n keyexchange=ikev1\n authby=secret\n left=10.0.0.3\n right=10.0.0.2\n "
                      "leftid=@c.test\n rightid=@b.test\n"
                      " rightsubnet=10.2.0.0/16\n leftsourceip=%modeconfig\n auto=add\n");
    up_ok(d, "home");
    pluto_initiate(d->p[2].pl, "home", true, NULL);
    duo_run(d, 5000);
    assert_true(duo_logged(&d->p[0], "setting virtual IP source address to 10.3.0.1"));
    assert_true(duo_logged(&d->p[2], "setting virtual IP source address to 10.3.0.2"));
    assert_int_equal(duo_stats(&d->p[1]).quick_established, 2);
    assert_traffic(d, "10.3.0.1", "10.2.0.1", false);
    pluto_terminate(d->p[0].pl, "home", NULL);
    duo_run(d, 2000);
    buf_reset(&d->p[0].log_text);
    up_ok(d, "home");
    assert_true(duo_logged(&d->p[0], "setting virtual IP source address to 10.3.0.1"));
    assert_traffic(d, "10.3.0.1", "10.2.0.1", false);
    duo_free(d);
}

static void test_push(void **state)
{
    duo *d = both(CLIENT(" authby=secret\n leftsourceip=%modeconfig\n modeconfig=push\n"),
                  SERVER(" authby=secret\n rightsourceip=10.3.0.1\n modeconfig=push\n"));
    up_ok(d, "home");
    assert_up(d, 1);
    assert_true(duo_logged(&d->p[0], "sent ModeCfg ack, established"));
    assert_true(duo_logged(&d->p[1], "received ModeCfg ack, established"));
    assert_traffic(d, "10.3.0.1", "10.2.0.1", false);
    duo_free(d);
}

#define XC CLIENT(" authby=xauthpsk\n xauth=client\n keyingtries=1\n")
#define XS SERVER(" authby=xauthpsk\n xauth=server\n")

static void test_xauth(void **state)
{
    duo *d = both(XC, XS);
    buf out = {0};
    add_user(&d->p[0], "carol", "4iChxLT3");
    add_user(&d->p[1], "dave", "ryftzG4A");
    add_user(&d->p[1], "carol", "4iChxLT3");
    up_ok(d, "home");
    assert_up(d, 1);
    assert_true(duo_logged(&d->p[0], "extended authentication was successful"));
    assert_true(duo_logged(&d->p[1], "extended authentication was successful"));
    assert_non_null(
        strstr(status_of(&d->p[1], false, &out), "STATE_XAUTH_R3 (received XAUTH ack, established)"));
    assert_traffic(d, "10.0.0.1", "10.2.0.1", false);
    buf_free(&out);
    duo_free(d);
}

static void test_xauth_and_modecfg(void **state)
{
    duo *d = both(CLIENT(" authby=xauthpsk\n leftsourceip=%config\n"),
                  SERVER(" authby=xauthpsk\n xauth=server\n rightsourceip=10.3.0.7\n"));
    add_user(&d->p[0], "carol", "4iChxLT3");
    add_user(&d->p[1], "carol", "4iChxLT3");
    up_ok(d, "home");
    assert_up(d, 1);
    assert_traffic(d, "10.3.0.7", "10.2.0.1", false);
    duo_free(d);
}

static void fails(duo *d)
{
    duo_done done;
    up(d, "home", &done);
    duo_run(d, 100000);
    assert_int_equal(done.n, 1);
    assert_int_not_equal(done.exit_code, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(duo_stats(&d->p[i]).isakmp, 0);
        assert_int_equal(duo_stats(&d->p[i]).quick, 0);
        assert_int_equal(duo_stats(&d->p[i]).pending, 0);
    }
    buf_free(&done.text);
}

static void test_wrong_password(void **state)
{
    duo *d = both(XC, XS);
    add_user(&d->p[0], "carol", "wrong");
    add_user(&d->p[1], "carol", "4iChxLT3");
    fails(d);
    assert_true(duo_logged(&d->p[1], "extended authentication failed"));
    assert_true(duo_logged(&d->p[0], "extended authentication failed"));
    assert_true(duo_logged(&d->p[1], "xauth user 'carol' sent wrong password"));
    duo_free(d);
}

/* The next attempt comes as late as the settings say; values that make no sense are the default. */
static void test_retry(void **state)
{
    static const struct {
        const char *settings;
        int64_t ms;
    } rows[] = {{"", 60000},
                {"pluto { xauth_retry = 5m }", 300000},
                {"pluto { xauth_retry = 2 }", 2000},
                {"pluto { xauth_retry = 0 }", 60000},
                {"pluto { xauth_retry = 2d }", 60000}};
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        duo *d = both_with(rows[k].settings, CLIENT(" authby=xauthpsk\n xauth=client\n"), XS);
        add_user(&d->p[0], "carol", "wrong");
        add_user(&d->p[1], "carol", "4iChxLT3");
        pluto_initiate(d->p[0].pl, "home", true, NULL);
        duo_run(d, 0);
        unsigned frames = d->frames;
        assert_true(duo_logged(&d->p[0], "extended authentication failed"));
        duo_run(d, rows[k].ms - 1);
        assert_int_equal(d->frames, frames);
        duo_run(d, 1);
        assert_true(d->frames > frames);
        duo_free(d);
    }
}

static void test_no_credentials(void **state)
{
    duo *d = both(XC, XS);
    add_user(&d->p[1], "carol", "4iChxLT3");
    fails(d);
    assert_true(duo_logged(&d->p[0], "xauth user credentials not found"));
    assert_true(duo_logged(&d->p[1], "received FAIL status in XAUTH reply"));
    duo_free(d);
}

/* a client that skips XAUTH gets no quick mode */
static void test_no_quick_mode_before(void **state)
{
    duo *d = both(XC, XS);
    add_user(&d->p[0], "carol", "4iChxLT3");
    add_user(&d->p[1], "carol", "4iChxLT3");
    up_ok(d, "home");
    assert_int_equal(duo_stats(&d->p[1]).quick_established, 1);
    duo_free(d);
    d = both(CLIENT(" authby=secret\n keyingtries=1\n"), XS); /* plain PSK is not what the server wants */
    fails(d);
    assert_true(duo_logged(&d->p[1], "no connection has been authorized with policy=PSK"));
    duo_free(d);
}

/* every packet of the exchange lost once */
static unsigned lose_at;
static bool lose_nth(duo *d, party *from, party *to, const packet *p)
{
    return d->lost > 0 || from->sent + to->sent != lose_at;
}

static void test_loss(void **state)
{
    for (lose_at = 7; lose_at <= 12; lose_at++) {
        duo *d = both(CLIENT(" authby=xauthpsk\n leftsourceip=%config\n"),
                      SERVER(" authby=xauthpsk\n xauth=server\n rightsourceip=10.3.0.7\n"));
        duo_done done;
        add_user(&d->p[0], "carol", "4iChxLT3");
        add_user(&d->p[1], "carol", "4iChxLT3");
        d->filter = lose_nth;
        pluto_waiter w = duo_wait(&done);
        pluto_initiate(d->p[0].pl, "home", false, &w);
        duo_run(d, 60000);
        assert_int_equal(d->lost, 1);
        assert_int_equal(done.n, 1);
        assert_int_equal(done.exit_code, 0);
        assert_up(d, 1);
        buf_free(&done.text);
        duo_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pull),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_xauth),
        cmocka_unit_test(test_xauth_and_modecfg),
        cmocka_unit_test(test_wrong_password),
        cmocka_unit_test(test_no_credentials),
        cmocka_unit_test(test_no_quick_mode_before),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
