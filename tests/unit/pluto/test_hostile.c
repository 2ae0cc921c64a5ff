/* An attacker on the path: every packet of the exchange also arrives changed, cut, or with another exchange
 * type, before the good one does. The good one must win, nothing may be left over, and nothing in clear may
 * have an effect.
 */
#include "tests/unit/pluto/pair.h"

static void inject(party *to, const packet *like, span data)
{
    packet *p;
    assert_int_equal(packet_new(&p, &like->local, &like->remote, like->natt, data), ST_OK);
    to->fn(to->fn_ctx, p);
}

/* ---- mutations ---- */

static unsigned step, phase, first_frame, last_frame;

static bool spared(const duo *d, const packet *p)
{
    return p->n > 4096 || d->frames < first_frame || d->frames > last_frame;
}

static bool flips(duo *d, party *from, party *to, const packet *p)
{
    uint8_t copy[4096];
    if (spared(d, p))
        return true;
    for (size_t k = phase; k < p->n; k += step) {
        memcpy(copy, p->data, p->n);
        copy[k] ^= (uint8_t)(1u << (k % 8));
        inject(to, p, span_of(copy, p->n));
        while (runtime_step(d->rt))
            ;
    }
    return true;
}

static bool cuts(duo *d, party *from, party *to, const packet *p)
{
    uint8_t copy[4096];
    if (spared(d, p))
        return true;
    for (size_t k = 0; k < p->n; k += step) {
        memcpy(copy, p->data, p->n);
        inject(to, p, span_of(copy, k));
        if (k > 28)
            set_u32(copy + 24, (uint32_t)k); /* the length fits, the payloads do not */
        inject(to, p, span_of(copy, k));
        while (runtime_step(d->rt))
            ;
    }
    return true;
}

/* each message as every exchange, with every first payload, encrypted or not */
static bool disguises(duo *d, party *from, party *to, const packet *p)
{
    static const uint8_t exchanges[] = {0, 1, 2, 3, 4, 5, 6, 32, 33, 34, 240, 255};
    uint8_t copy[4096];
    if (spared(d, p))
        return true;
    for (size_t k = 0; k < sizeof(exchanges); k++) {
        for (unsigned flags = 0; flags < 4; flags++) {
            memcpy(copy, p->data, p->n);
            if (exchanges[k] == p->data[18] && flags == p->data[19])
                continue;
            copy[18] = exchanges[k];
            copy[19] = (uint8_t)flags;
            inject(to, p, span_of(copy, p->n));
            copy[16] = (uint8_t)(k * 4 + flags);
            inject(to, p, span_of(copy, p->n));
            set_u32(copy + 20, 0x01020304u);
            inject(to, p, span_of(copy, p->n));
            while (runtime_step(d->rt))
                ;
        }
    }
    return true;
}

static void survive(duo_filter *filter, const char *extra)
{
    char text[512];
    snprintf(text, sizeof(text), DUO_CONN("%s"), extra);
    duo *d = pair(text);
    duo_done done;
    d->filter = filter;
    pluto_waiter w = duo_wait(&done);
    pluto_initiate(d->p[0].pl, "net", false, &w);
    duo_run(d, 240000);
    d->filter = NULL;
    assert_int_equal(done.n, 1);
    /* before message 5 nothing is authentic: who is on the path can spoil one attempt, not the next */
    if (first_frame > 4)
        assert_int_equal(done.exit_code, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(duo_stats(&d->p[i]).quick_established, 1);
    assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
    duo_run(d, 120000); /* half-open states of forged first messages have gone */
    assert_up(d, 1);
    buf_free(&done.text);
    duo_free(d);
}

static void on_both_parts(duo_filter *filter, const char *extra)
{
    first_frame = 1;
    last_frame = 4;
    survive(filter, extra);
    first_frame = 5;
    last_frame = 12;
    survive(filter, extra);
}

static void test_flips(void **state)
{
    step = 7;
    for (phase = 0; phase < step; phase++)
        on_both_parts(flips, "");
}

static void test_cuts(void **state)
{
    step = 3;
    on_both_parts(cuts, "");
    step = 5;
    on_both_parts(cuts, " pfs=no\n");
}

static void test_disguises(void **state)
{
    on_both_parts(disguises, "");
}

/* ---- clear-text control ---- */

static void header(buf *b, const uint8_t cookies[16], uint8_t next, uint8_t exchange, uint32_t mid)
{
    buf_put(b, span_of(cookies, 16));
    buf_put_u8(b, next);
    buf_put_u8(b, 0x10);
    buf_put_u8(b, exchange);
    buf_put_u8(b, 0);
    buf_put_u32(b, mid);
    buf_put_u32(b, 0);
}

static void grab(void *ctx, const pluto_state_info *st)
{
    if (st->phase1)
        memcpy(ctx, st->cookies, 16);
}

static void send_to(duo *d, unsigned k, buf *b)
{
    packet *p;
    endpoint local = {d->p[k].ip, 500}, remote = {d->p[1 - k].ip, 500};
    buf_patch_u32(b, 24, (uint32_t)b->n);
    assert_int_equal(packet_new(&p, &local, &remote, false, buf_span(b)), ST_OK);
    d->p[k].fn(d->p[k].fn_ctx, p);
    duo_run(d, 10);
    buf_reset(b);
}

static void test_clear_control(void **state)
{
    duo *d = pair(DUO_CONN(""));
    uint8_t cookies[16];
    buf b = {0};
    static const uint16_t types[] = {1,     4,     5,     11,    14,    17,    18,   24,
                                     16384, 24576, 24578, 36136, 36137, 40001, 65535};
    up_ok(d, "net");
    pluto_each_state(d->p[0].pl, grab, cookies);
    unsigned before = d->p[1].sent;
    for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
        header(&b, cookies, PLV1_N, 5, 0x11223344);
        buf_put_u8(&b, 0);
        buf_put_u8(&b, 0);
        buf_put_u16(&b, 12 + 16 + 4);
        buf_put_u32(&b, 1);
        buf_put_u8(&b, 1);
        buf_put_u8(&b, 16);
        buf_put_u16(&b, types[k]);
        buf_put(&b, SPAN_ARRAY(cookies));
        buf_put_u32(&b, 77);
        send_to(d, 1, &b);
    }
    for (uint8_t proto = 0; proto < 5; proto++) {
        header(&b, cookies, PLV1_D, 5, 0x55667788);
        buf_put_u8(&b, 0);
        buf_put_u8(&b, 0);
        buf_put_u16(&b, 12 + 16);
        buf_put_u32(&b, 1);
        buf_put_u8(&b, proto);
        buf_put_u8(&b, 16);
        buf_put_u16(&b, 1);
        buf_put(&b, SPAN_ARRAY(cookies));
        send_to(d, 1, &b);
    }
    assert_int_equal(d->p[1].sent, before); /* not even an answer */
    assert_up(d, 1);
    assert_true(duo_logged(&d->p[1], "ignoring informational payload, type R_U_THERE"));
    assert_true(duo_logged(&d->p[1], "ignoring Delete SA payload: not encrypted"));
    buf_free(&b);
    duo_free(d);
}

/* ---- floods ---- */

static void first_message(duo *d, unsigned n, buf *b)
{
    static const uint8_t sa[] = {0, 0,    0,    52, 0, 0,    0,    1,  0,  0,    0,    1, 0,
                                 0, 0,    40,   0,  1, 0,    1,    0,  0,  0,    32,   0, 1,
                                 0, 0,    0x80, 1,  0, 7,    0x80, 14, 0,  128,  0x80, 2, 0,
                                 2, 0x80, 3,    0,  1, 0x80, 4,    0,  14, 0x80, 11,   0, 1};
    uint8_t cookies[16] = {1};
    set_u32(cookies + 4, n + 1);
    header(b, cookies, PLV1_SA, 2, 0);
    buf_put(b, SPAN_ARRAY(sa));
}

static void test_flood(void **state)
{
    duo *d = pair(DUO_CONN(""));
    buf b = {0};
    duo_add(&d->p[1], "conn rw\n keyexchange=ikev1\n authby=secret\n left=10.0.0.2\n leftid=@b.test\n "
                      "right=%any\n leftsubnet=10.2.0.0/16\n auto=add\n");
    for (unsigned n = 0; n < 5000; n++) {
        packet *p;
        ip_addr src = duo_addr("172.16.0.1");
        src.b[2] = (uint8_t)(n >> 5);
        src.b[3] = (uint8_t)(n & 31);
        endpoint local = {d->p[1].ip, 500}, remote = {src, 500};
        first_message(d, n, &b);
        buf_patch_u32(&b, 24, (uint32_t)b.n);
        assert_int_equal(packet_new(&p, &local, &remote, false, buf_span(&b)), ST_OK);
        d->p[1].fn(d->p[1].fn_ctx, p);
        while (runtime_step(d->rt))
            ;
        buf_reset(&b);
    }
    pluto_stats s = duo_stats(&d->p[1]);
    assert_true(s.half_open <= 1000);
    assert_true(s.half_open >= 900);
    assert_true(s.isakmp <= 1000);
    assert_true(s.packets_out <= 5000); /* one answer to each, no more */
    assert_true(s.instances <= 1000);
    assert_true(s.half_open_evicted >= 4000);
    up_ok(d, "net"); /* who means it still gets through */
    uint64_t sent = duo_stats(&d->p[1]).packets_out;
    duo_run(d, 100000);
    assert_true(duo_stats(&d->p[1]).packets_out <= sent + 2); /* nothing was retransmitted */
    assert_int_equal(duo_stats(&d->p[1]).half_open, 0);
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 1);
    assert_int_equal(duo_stats(&d->p[1]).instances, 0);
    buf_free(&b);
    duo_free(d);
}

/* one address alone does not push others out */
static void test_flood_one_address(void **state)
{
    duo *d = pair(DUO_CONN(""));
    buf b = {0};
    for (unsigned n = 0; n < 500; n++) {
        first_message(d, n, &b);
        send_to(d, 1, &b);
    }
    assert_true(duo_stats(&d->p[1]).half_open <= 33);
    up_ok(d, "net");
    duo_run(d, 100000);
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 1);
    buf_free(&b);
    duo_free(d);
}

static void test_refused_methods(void **state)
{
    duo *d = pair(DUO_CONN(""));
    buf b = {0};
    uint8_t cookies[16] = {9};
    unsigned before = d->p[1].sent;
    header(&b, cookies, PLV1_SA, 4, 0); /* aggressive mode */
    buf_put_zero(&b, 40);
    send_to(d, 1, &b);
    assert_int_equal(d->p[1].sent, before + 1);
    assert_true(duo_logged(&d->p[1], "sending notification UNSUPPORTED_EXCHANGE_TYPE to 10.0.0.1:500"));
    first_message(d, 3, &b);
    b.p[28 + 43] = 4; /* RSA encryption */
    send_to(d, 1, &b);
    assert_true(duo_logged(&d->p[1], "authentication by public-key encryption is always refused"));
    assert_int_equal(duo_stats(&d->p[1]).isakmp, 0);
    buf_free(&b);
    duo_free(d);
}

/* ---- the kernel refuses, step by step ---- */

static void test_kernel_failures(void **state)
{
    for (unsigned who = 0; who < 2; who++) {
        for (unsigned n = 1; n <= 8; n++) {
            duo *d = pair(DUO_CONN(" keyingtries=1\n"));
            duo_done done;
            kernel_fake_fail(d->p[who].env.kernel, n, 1, ST_IO);
            pluto_waiter w = duo_wait(&done);
            pluto_initiate(d->p[0].pl, "net", false, &w);
            duo_run(d, 5000);
            kernel_fake_fail(d->p[who].env.kernel, 0, 0, ST_OK);
            duo_run(d, 200000);
            assert_int_equal(done.n, 1);
            pluto_terminate(d->p[0].pl, "net", NULL);
            pluto_terminate(d->p[1].pl, "net", NULL);
            duo_run(d, 5000);
            duo_assert_clean(d);
            for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(kernel_fake_sas(d->p[i].env.kernel), 0);
                assert_int_equal(kernel_fake_policies(d->p[i].env.kernel), 0);
            }
            up_ok(d, "net");
            assert_traffic(d, "10.1.0.1", "10.2.0.1", false);
            buf_free(&done.text);
            duo_free(d);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips),           cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_disguises),       cmocka_unit_test(test_clear_control),
        cmocka_unit_test(test_flood),           cmocka_unit_test(test_flood_one_address),
        cmocka_unit_test(test_refused_methods), cmocka_unit_test(test_kernel_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
