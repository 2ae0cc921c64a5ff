/* Counted policies and priorities. */
#include "kernel_test.h"
#include "libfreeswan/kernel/poltab.h"

static kernel_policy pol(const char *src, const char *dst, uint32_t reqid, bool trap)
{
    return (kernel_policy){.dir = POLICY_OUT,
                           .src = ts(src),
                           .dst = ts(dst),
                           .reqid = reqid,
                           .trap = trap,
                           .protos = {PROTO_ESP}};
}

static void narrower_wins(void **state)
{
    traffic_sel site = ts("10.1.0.0/16"), one = ts("10.1.0.1/32"), all = ts("0.0.0.0/0"),
                web = ts_port("10.1.0.0/16", 6, 80);

    assert_true(kernel_priority(&site, &one, false) < kernel_priority(&site, &site, false));
    assert_true(kernel_priority(&site, &site, false) < kernel_priority(&site, &all, false));
    assert_true(kernel_priority(&site, &web, false) < kernel_priority(&site, &site, false));
    assert_true(kernel_priority(&web, &web, false) < kernel_priority(&site, &web, false));
    /* a trap: behind its own tunnel, before anything wider */
    assert_true(kernel_priority(&site, &site, false) < kernel_priority(&site, &site, true));
    assert_true(kernel_priority(&site, &web, true) < kernel_priority(&site, &site, false));
    assert_true(kernel_priority(&site, &site, true) < kernel_priority(&site, &all, false));
    traffic_sel v6 = ts("2001:db8::1/128");
    assert_true(kernel_priority(&v6, &v6, false) > 0 &&
                kernel_priority(&v6, &v6, false) < kernel_priority(&one, &one, false));
}

static void users_are_counted(void **state)
{
    poltab *t;
    poltab_change change;
    kernel_policy now, p = pol("10.1.0.0/16", "10.2.0.0/16", 1, false);

    assert_int_equal(poltab_new(&t), ST_OK);
    assert_int_equal(poltab_add(t, &p, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_ADDED);
    assert_int_not_equal(now.priority, 0);
    assert_int_equal(poltab_add(t, &p, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_SAME);
    assert_int_equal(poltab_del(t, &p, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_SAME);
    assert_int_equal(poltab_count(t), 1);
    assert_int_equal(poltab_del(t, &p, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_REMOVED);
    assert_int_equal(now.reqid, 1);
    assert_int_equal(poltab_count(t), 0);
    assert_int_equal(poltab_del(t, &p, &change, &now), ST_NOT_FOUND);
    poltab_free(t);
}

static void best_is_in_force(void **state)
{
    poltab *t;
    poltab_change change;
    kernel_policy now, trap = pol("10.1.0.0/16", "10.2.0.0/16", 1, true),
                       live = pol("10.1.0.0/16", "10.2.0.0/16", 1, false),
                       other = pol("10.1.0.0/16", "10.2.0.0/16", 2, false);

    assert_int_equal(poltab_new(&t), ST_OK);
    assert_int_equal(poltab_add(t, &trap, &change, &now), ST_OK);
    assert_int_equal(poltab_add(t, &live, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_CHANGED);
    assert_false(now.trap);
    /* of equals the newest */
    assert_int_equal(poltab_add(t, &other, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_CHANGED);
    assert_int_equal(now.reqid, 2);
    assert_int_equal(poltab_del(t, &live, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_SAME);
    assert_int_equal(poltab_del(t, &other, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_CHANGED);
    assert_true(now.trap);
    assert_true(poltab_get(t, &live)->trap);
    /* other direction, other mark: other policies */
    kernel_policy in = live, marked = live;
    in.dir = POLICY_IN;
    marked.mark = 5;
    marked.mark_mask = 0xff;
    assert_int_equal(poltab_add(t, &in, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_ADDED);
    assert_int_equal(poltab_add(t, &marked, &change, &now), ST_OK);
    assert_int_equal(change, POLTAB_ADDED);
    assert_int_equal(poltab_count(t), 3);
    poltab_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(narrower_wins),
        cmocka_unit_test(users_are_counted),
        cmocka_unit_test(best_is_in_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
