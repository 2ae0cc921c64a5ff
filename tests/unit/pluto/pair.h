/* Shorthands over duo.h: two gateways with a preshared key. */
#pragma once
#include "tests/unit/pluto/duo.h"

static inline void up(duo *d, const char *name, duo_done *done)
{
    pluto_waiter w = duo_wait(done);
    pluto_initiate(d->p[0].pl, name, false, &w);
    duo_run(d, 5000);
    if (getenv("PLUTO_TEST_LOG"))
        fprintf(stderr, "%s", buf_cstr(&done->text));
}

static inline void up_ok(duo *d, const char *name)
{
    duo_done done;
    up(d, name, &done);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.exit_code, 0);
    buf_free(&done.text);
}

static inline void assert_up(duo *d, unsigned quicks)
{
    for (unsigned i = 0; i < 2; i++) {
        pluto_stats s = duo_stats(&d->p[i]);
        assert_int_equal(s.isakmp_established, 1);
        assert_int_equal(s.quick_established, quicks);
        assert_int_equal(s.half_open, 0);
        assert_int_equal(s.pending, 0);
    }
    duo_assert_clean(d);
}

static inline fake_fate ping(duo *d, unsigned from, const char *a, const char *b, bool nat)
{
    fake_packet p = {.src = duo_addr(a), .dst = duo_addr(b), .proto = 1, .bytes = 84};
    msgbuf why = {0};
    fake_fate f = kernel_fake_send(d->p[from].env.kernel, d->p[1 - from].env.kernel, &p, nat, &why);
    if (f != FAKE_DELIVERED && getenv("PLUTO_TEST_LOG"))
        fprintf(stderr, "%s\n", why.text);
    return f;
}

static inline void assert_traffic(duo *d, const char *a, const char *b, bool nat)
{
    assert_int_equal(ping(d, 0, a, b, nat), FAKE_DELIVERED);
    assert_int_equal(ping(d, 1, b, a, nat), FAKE_DELIVERED);
}

static inline duo *pair(const char *text)
{
    duo *d = duo_new();
    for (unsigned i = 0; i < 2; i++) {
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret of both sides");
        duo_add(&d->p[i], text);
    }
    return d;
}

static inline const char *status_of(party *p, bool all, buf *out)
{
    buf_reset(out);
    pluto_status(p->pl, all, NULL, duo_status_line, out);
    return buf_cstr(out);
}
