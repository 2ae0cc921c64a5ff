/* Main mode with a preshared key and quick mode between two engines. */
#include "tests/unit/pluto/pair.h"

static void test_up(void **state)
{
    duo *d = pair(DUO_CONN(""));
    duo_done done;
    up(d, "net", &done);
    const char *t = buf_cstr(&done.text);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.exit_code, 0);
    assert_non_null(
        strstr(t, "002 \"net\" #1: initiating Main Mode\n104 \"net\" #1: STATE_MAIN_I1: initiate\n"));
    assert_non_null(strstr(t, "106 \"net\" #1: STATE_MAIN_I2: sent MI2, expecting MR2\n"));
    assert_non_null(
        strstr(t, "002 \"net\" #1: Peer ID is ID_FQDN: '@b.test'\n002 \"net\" #1: ISAKMP SA established\n"
                  "004 \"net\" #1: STATE_MAIN_I4: ISAKMP SA established\n"));
    assert_non_null(
        strstr(t, "002 \"net\" #2: initiating Quick Mode PSK+ENCRYPT+TUNNEL+PFS+UP {using isakmp#1}\n"
                  "112 \"net\" #2: STATE_QUICK_I1: initiate\n"));
    assert_non_null(strstr(t, "004 \"net\" #2: STATE_QUICK_I2: sent QI2, IPsec SA established {ESP=>0x"));
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    buf_free(&done.text);
    duo_free(d);
}

static void test_without_pfs_and_group(void **state)
{
    duo *d = pair(DUO_CONN(" pfs=no\n"));
    up_ok(d, "net");
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_free(d);
    d = pair(DUO_CONN(" pfsgroup=modp2048\n ike=aes128-sha1-modp1536!\n esp=aes128-sha1!\n"));
    up_ok(d, "net");
    assert_up(d, 1);
    buf out = {0};
    const char *t = status_of(&d->p[0], true, &out);
    assert_non_null(strstr(t, "IKE algorithm newest: AES_CBC_128-SHA-MODP1536\n"));
    assert_non_null(strstr(t, "ESP algorithm newest: AES_128-HMAC_SHA1; pfsgroup=MODP2048\n"));
    assert_non_null(strstr(t, "IKE algorithms wanted: 7_128-2-5, strict"));
    buf_free(&out);
    duo_free(d);
}

static void test_status_shape(void **state)
{
    duo *d = pair(DUO_CONN(""));
    buf out = {0};
    up_ok(d, "net");
    const char *t = status_of(&d->p[0], false, &out);
    assert_non_null(strstr(t,
                           "000 \"net\": 10.1.0.0/16===10.0.0.1[@a.test]...10.0.0.2[@b.test]===10.2.0.0/16; "
                           "erouted; eroute owner: #2\n"
                           "000 \"net\":   newest ISAKMP SA: #1; newest IPsec SA: #2; \n000  \n000 #2: "
                           "\"net\" STATE_QUICK_I2 (sent QI2, IPsec SA established); EVENT_SA_REPLACE in "));
    assert_non_null(strstr(t, "s; newest IPSEC; eroute owner\n000 #2: \"net\" esp."));
    assert_non_null(strstr(t, "000 #1: \"net\" STATE_MAIN_I4 (ISAKMP SA established); EVENT_SA_REPLACE in "));
    assert_non_null(strstr(t, "s; newest ISAKMP\n000  \n"));
    t = status_of(&d->p[1], true, &out);
    assert_non_null(strstr(t, "000 interface eth0/eth0 10.0.0.2:500\n") ? t : strstr(t, "10.0.0.2:500"));
    assert_non_null(strstr(t, "000 %myid = (none)\n"));
    assert_non_null(strstr(t, "STATE_QUICK_R2 (IPsec SA established)"));
    assert_non_null(strstr(t, "STATE_MAIN_R3 (sent MR3, ISAKMP SA established)"));
    assert_non_null(
        strstr(t, "000 \"net\":   policy: PSK+ENCRYPT+TUNNEL+PFS; prio: 16,16; interface: eth0; \n"));
    buf_free(&out);
    duo_free(d);
}

/* ---- loss and duplicates: the n-th packet does not arrive, or arrives twice ---- */

static unsigned lose_at;
static bool lose_nth(duo *d, party *from, party *to, const packet *p)
{
    return d->lost > 0 || from->sent + to->sent != lose_at;
}

static void test_loss(void **state)
{
    for (lose_at = 1; lose_at <= 9; lose_at++) {
        duo *d = pair(DUO_CONN(""));
        duo_done done;
        d->filter = lose_nth;
        pluto_waiter w = duo_wait(&done);
        pluto_initiate(d->p[0].pl, "net", false, &w);
        duo_run(d, 60000);
        assert_int_equal(d->lost, 1);
        assert_int_equal(done.n, 1);
        assert_int_equal(done.exit_code, 0);
        assert_up(d, 1);
        assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
        buf_free(&done.text);
        duo_free(d);
    }
}

static void send_again(duo *d, party *to, const packet *p)
{
    packet *copy;
    assert_int_equal(packet_new(&copy, &p->local, &p->remote, p->natt, packet_span(p)), ST_OK);
    to->fn(to->fn_ctx, copy);
}

static bool twice(duo *d, party *from, party *to, const packet *p)
{
    send_again(d, to, p);
    return true;
}

static void test_duplicates(void **state)
{
    duo *d = pair(DUO_CONN(""));
    d->filter = twice;
    up_ok(d, "net");
    duo_run(d, 60000);
    assert_up(d, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    assert_true(duo_stats(&d->p[1]).packets_out < 40);
    d->filter = NULL;
    duo_free(d);
}

static bool nothing_passes(duo *d, party *from, party *to, const packet *p)
{
    return false;
}

static void test_no_answer(void **state)
{
    duo *d = pair(DUO_CONN(" keyingtries=1\n"));
    duo_done done;
    d->filter = nothing_passes;
    pluto_waiter w = duo_wait(&done);
    pluto_initiate(d->p[0].pl, "net", false, &w);
    duo_run(d, 69000);
    assert_int_equal(done.n, 0);
    duo_run(d, 5000);
    const char *t = buf_cstr(&done.text);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.exit_code, 31);
    assert_non_null(strstr(t, "010 \"net\" #1: STATE_MAIN_I1: retransmission; will wait 20s for response\n"));
    assert_non_null(strstr(t, "010 \"net\" #1: STATE_MAIN_I1: retransmission; will wait 40s for response\n"));
    assert_non_null(strstr(t, "031 \"net\" #1: max number of retransmissions (2) reached STATE_MAIN_I1.  No "
                              "response (or no acceptable response) to our first IKE message\n"));
    assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
    assert_int_equal(d->frames, 3);
    buf_free(&done.text);
    duo_free(d);
}

static void test_keyingtries(void **state)
{
    duo *d = pair(DUO_CONN(" keyingtries=3\n"));
    duo_done done;
    d->filter = nothing_passes;
    pluto_waiter w = duo_wait(&done);
    pluto_initiate(d->p[0].pl, "net", false, &w);
    duo_run(d, 3 * 70000 + 30000);
    assert_int_equal(done.n, 1);
    assert_non_null(
        strstr(buf_cstr(&done.text), "starting keying attempt 2 of at most 3, but releasing whack"));
    assert_int_equal(d->frames, 9);
    assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
    assert_int_equal(duo_stats(&d->p[0]).pending, 0);
    buf_free(&done.text);
    duo_free(d);
}

/* ---- failures explain themselves ---- */

static void test_wrong_secret(void **state)
{
    duo *d = duo_new();
    duo_done done;
    duo_psk(&d->p[0], "@a.test", "@b.test", "one secret");
    duo_psk(&d->p[1], "@a.test", "@b.test", "another secret");
    for (unsigned i = 0; i < 2; i++)
        duo_add(&d->p[i], DUO_CONN(" keyingtries=1\n"));
    up(d, "net", &done);
    duo_run(d, 100000);
    assert_int_equal(done.n, 1);
    assert_int_not_equal(done.exit_code, 0);
    assert_true(duo_logged(
        &d->p[1],
        "probable authentication failure (mismatch of preshared secrets?): malformed payload in packet"));
    assert_true(duo_logged(&d->p[1], "sending encrypted notification PAYLOAD_MALFORMED to 10.0.0.1:500"));
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(duo_stats(&d->p[i]).isakmp, 0);
    assert_int_equal(duo_stats(&d->p[1]).half_open, 0);
    buf_free(&done.text);
    duo_free(d);
}

static void test_no_proposal(void **state)
{
    duo *d = duo_new();
    duo_done done;
    for (unsigned i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    duo_add(&d->p[0], DUO_CONN(" ike=3des-sha1-modp1536!\n keyingtries=1\n"));
    duo_add(&d->p[1], DUO_CONN(" ike=aes128-sha1-modp2048!\n"));
    up(d, "net", &done);
    assert_true(duo_logged(&d->p[1], "Oakley Transform [OAKLEY_3DES_CBC (192), OAKLEY_SHA, "
                                     "OAKLEY_GROUP_MODP1536] refused due to strict flag"));
    assert_true(duo_logged(&d->p[1], "no acceptable Oakley Transform"));
    assert_true(duo_logged(&d->p[1], "explain: conn \"net\" came nearest"));
    assert_true(duo_logged(&d->p[1], "sending notification NO_PROPOSAL_CHOSEN to 10.0.0.1:500"));
    assert_true(duo_logged(&d->p[0], "ignoring informational payload, type NO_PROPOSAL_CHOSEN"));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    duo_run(d, 100000);
    assert_int_equal(done.n, 1);
    buf_free(&done.text);
    duo_free(d);
}

static void test_no_esp_proposal(void **state)
{
    duo *d = duo_new();
    duo_done done;
    for (unsigned i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    duo_add(&d->p[0], DUO_CONN(" esp=3des-sha1!\n keyingtries=1\n"));
    duo_add(&d->p[1], DUO_CONN(" esp=aes128-sha1!\n"));
    up(d, "net", &done);
    assert_true(duo_logged(
        &d->p[1], "IPSec Transform [ESP_3DES (192), AUTH_ALGORITHM_HMAC_SHA1] refused due to strict flag"));
    assert_true(duo_logged(&d->p[1], "no acceptable Proposal in IPsec SA"));
    assert_true(duo_logged(&d->p[0], "ignoring informational payload, type NO_PROPOSAL_CHOSEN"));
    assert_int_equal(done.n, 1); /* told at once */
    assert_int_equal(done.exit_code, 214);
    duo_run(d, 100000);
    assert_int_equal(duo_stats(&d->p[0]).quick, 0);
    assert_int_equal(duo_stats(&d->p[1]).quick, 0);
    assert_int_equal(kernel_fake_reserved(d->p[1].env.kernel), 0);
    buf_free(&done.text);
    duo_free(d);
}

static void test_unknown_client(void **state)
{
    duo *d = duo_new();
    duo_done done;
    for (unsigned i = 0; i < 2; i++)
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    duo_add(&d->p[0], DUO_CONN(" keyingtries=1\n"));
    duo_add(
        &d->p[1],
        "conn net\n keyexchange=ikev1\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n "
        "rightid=@b.test\n leftsubnet=10.7.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n");
    up(d, "net", &done);
    assert_true(
        duo_logged(&d->p[1], "cannot respond to IPsec SA request because no connection is known for "));
    assert_true(duo_logged(&d->p[1], "explain: conn \"net\" came nearest"));
    assert_true(duo_logged(&d->p[0], "ignoring informational payload, type INVALID_ID_INFORMATION"));
    assert_int_equal(done.exit_code, 218);
    duo_run(d, 100000);
    buf_free(&done.text);
    duo_free(d);
}

static void test_unknown_peer(void **state)
{
    duo *d = duo_new();
    duo_done done;
    duo_psk(&d->p[0], "@a.test", "@b.test", "a secret");
    duo_add(&d->p[0], DUO_CONN(" keyingtries=1\n"));
    up(d, "net", &done);
    assert_true(duo_logged(&d->p[1], "packet from 10.0.0.1:500: initial Main Mode message received on "
                                     "10.0.0.2:500 but no connection has been authorized with policy=PSK"));
    assert_true(duo_logged(&d->p[1], "preparse_isakmp_policy: peer requests PSK authentication"));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    duo_run(d, 100000);
    assert_int_equal(done.n, 1);
    buf_free(&done.text);
    duo_free(d);
}

static void test_wrong_peer_id(void **state)
{
    duo *d = duo_new();
    duo_done done;
    ident *any = ident_any();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            credstore_add_shared(d->p[i].env.cred, SECRET_PSK, &any, 0, SPAN_LIT("for everybody")), ST_OK);
    ident_unref(any);
    duo_add(&d->p[0], DUO_CONN(" keyingtries=1\n"));
    duo_add(
        &d->p[1],
        "conn net\n keyexchange=ikev1\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n "
        "rightid=@other.test\n leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n");
    up(d, "net", &done);
    assert_true(
        duo_logged(&d->p[0], "we require peer to have ID '@b.test', but peer declares '@other.test'"));
    assert_int_equal(done.n, 1);
    assert_int_not_equal(done.exit_code, 0);
    assert_int_equal(duo_stats(&d->p[0]).quick, 0);
    duo_run(d, 200000);
    buf_free(&done.text);
    duo_free(d);
}

/* ---- down ---- */

static void test_terminate(void **state)
{
    duo *d = pair(DUO_CONN(""));
    duo_done done;
    up_ok(d, "net");
    pluto_waiter w = duo_wait(&done);
    pluto_terminate(d->p[0].pl, "net", &w);
    duo_run(d, 1000);
    assert_int_equal(done.n, 1);
    for (unsigned i = 0; i < 2; i++) {
        pluto_stats s = duo_stats(&d->p[i]);
        assert_int_equal(s.isakmp, 0);
        assert_int_equal(s.quick, 0);
        assert_int_equal(kernel_fake_sas(d->p[i].env.kernel), 0);
        assert_int_equal(kernel_fake_policies(d->p[i].env.kernel), 0);
    }
    assert_true(duo_logged(&d->p[1], "received Delete SA payload: deleting ISAKMP State #1"));
    assert_true(duo_logged(&d->p[1], "payload: deleting IPSEC State #2"));
    buf_free(&done.text);
    up_ok(d, "net");
    assert_up(d, 1);
    duo_free(d);
}

static void test_names(void **state)
{
    duo *d = pair(DUO_CONN(""));
    duo_done done;
    pluto_waiter w = duo_wait(&done);
    pluto_initiate(d->p[0].pl, "nobody", false, &w);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.exit_code, 21);
    assert_string_equal(buf_cstr(&done.text), "021 no connection named \"nobody\"\n");
    buf_free(&done.text);
    w = duo_wait(&done);
    pluto_delete_state(d->p[0].pl, 77, &w);
    assert_int_equal(done.exit_code, 21);
    buf_free(&done.text);
    assert_int_equal(pluto_del_conn(d->p[0].pl, "nobody"), ST_NOT_FOUND);
    up_ok(d, "net");
    assert_int_equal(pluto_del_conn(d->p[0].pl, "net"), ST_OK);
    duo_run(d, 1000);
    assert_int_equal(duo_stats(&d->p[0]).conns, 0);
    assert_int_equal(duo_stats(&d->p[0]).isakmp, 0);
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    duo_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_without_pfs_and_group),
        cmocka_unit_test(test_status_shape),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_keyingtries),
        cmocka_unit_test(test_wrong_secret),
        cmocka_unit_test(test_no_proposal),
        cmocka_unit_test(test_no_esp_proposal),
        cmocka_unit_test(test_unknown_client),
        cmocka_unit_test(test_unknown_peer),
        cmocka_unit_test(test_wrong_peer_id),
        cmocka_unit_test(test_terminate),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
