/* The Linux host in a network namespace of our own: addresses, lookups that ignore our table, what we add is
 * counted and removed, changes are told. */
#include "libfreeswan/net/host.h"
#include "netns.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static runtime *rt;
static host *h;
static unsigned changes;

static void run_ip(const char *args)
{
    char cmd[256];
    snprintf(cmd, sizeof(cmd), "ip %s", args);
    if (system(cmd) != 0)
        fail_msg("%s", cmd);
}

/* Does the output of `ip ARGS` hold the text? */
static bool ip_shows(const char *args, const char *text)
{
    char cmd[256], line[512];
    bool found = false;
    snprintf(cmd, sizeof(cmd), "ip %s", args);
    FILE *f = popen(cmd, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        found = found || strstr(line, text);
    pclose(f);
    return found;
}

static ip_addr ip(const char *text)
{
    ip_addr a;
    assert_int_equal(addr_from_text(&a, text, NULL), ST_OK);
    return a;
}

static void count(void *ctx)
{
    changes++;
}

static void settle(void)
{
    for (int i = 0; i < 100; i++) {
        while (runtime_step(rt))
            ;
        poll(NULL, 0, 3);
    }
}

static void start_with(uint32_t mark, uint8_t protocol)
{
    msgbuf msg = {{0}};
    assert_int_equal(runtime_new(&rt, &(runtime_config){.manual = true}), ST_OK);
    if (host_linux_new(&h, rt, &(host_linux_config){.mark = mark, .protocol = protocol}, &msg) != ST_OK)
        fail_msg("%s", msg.text);
    h->ops->on_change(h, count, NULL);
}

static void start(uint32_t mark)
{
    if (!enter_own_netns() || system("command -v ip >/dev/null") != 0)
        skip();
    run_ip("link add wire0 type veth peer name wire1");
    run_ip("link set wire1 up");
    run_ip("link set wire0 addrgenmode none"); /* no link-local addresses that come later */
    run_ip("link set wire0 up");
    run_ip("addr add 192.0.2.1/24 dev wire0");
    run_ip("route add default via 192.0.2.254");
    start_with(mark, 112);
}

static void stop(void)
{
    h->ops->free(h);
    runtime_free(rt);
}

static void addresses(void **state)
{
    char dev[HOST_IFNAME];
    host_addr *list_of = NULL;
    size_t n = 0;
    start(0);
    ip_addr ours = ip("192.0.2.1"), lo = ip("127.0.0.1"), other = ip("192.0.2.2");
    assert_true(h->ops->is_local(h, &ours, dev));
    assert_string_equal(dev, "wire0");
    assert_true(h->ops->is_local(h, &lo, NULL));
    assert_false(h->ops->is_local(h, &other, NULL));
    assert_int_equal(h->ops->addrs(h, &list_of, &n), ST_OK);
    assert_true(n >= 2);
    free(list_of);
    changes = 0;
    run_ip("addr add 192.0.2.2/24 dev wire0");
    settle();
    assert_true(changes > 0);
    assert_true(h->ops->is_local(h, &other, NULL));
    run_ip("link set wire0 down");
    settle();
    assert_false(h->ops->is_local(h, &other, NULL));
    stop();
}

static void lookups_with(uint32_t mark)
{
    ip_addr src, gateway;
    char dev[HOST_IFNAME];
    start(mark);
    ip_addr far_one = ip("198.51.100.7"), near_one = ip("192.0.2.9"), six = ip("2001:db8::1"),
            lo = ip("127.0.0.1"), v = ip("10.9.9.9");
    host_route r = {.src = v, .gateway = ip("192.0.2.77"), .dev = "wire0"};
    assert_int_equal(subnet_from_text(&r.dst, "198.51.100.0/24", NULL), ST_OK);
    for (int i = 0; i < 2; i++) { /* before and after a route of ours covers the destination */
        assert_int_equal(h->ops->route_to(h, &far_one, &src, &gateway, dev), ST_OK);
        assert_string_equal(ADDR_STR(&src), "192.0.2.1");
        assert_string_equal(ADDR_STR(&gateway), "192.0.2.254");
        assert_string_equal(dev, "wire0");
        assert_int_equal(h->ops->route_to(h, &near_one, &src, &gateway, dev), ST_OK);
        assert_true(addr_is_any(&gateway));
        assert_int_equal(h->ops->route_to(h, &lo, &src, &gateway, NULL), ST_OK);
        assert_int_equal(h->ops->route_to(h, &six, &src, &gateway, NULL), ST_NOT_FOUND);
        if (i == 0) {
            assert_int_equal(h->ops->add_ip(h, &v, "wire0"), ST_OK);
            assert_int_equal(h->ops->add_route(h, &r), ST_OK);
            if (!ip_shows("route get 198.51.100.7", "10.9.9.9"))
                print_message("this kernel has no rules: the route is there, but not followed\n");
            assert_true(ip_shows("route show table 220", "198.51.100.0/24"));
        }
    }
    stop();
    assert_false(ip_shows("route show table all", "198.51.100.0/24"));
    assert_false(ip_shows("addr", "10.9.9.9"));
    assert_false(ip_shows("rule", "220"));
}

static void lookups_without_mark(void **state)
{
    lookups_with(0);
}

static void lookups_with_mark(void **state)
{
    lookups_with(0x43);
}

static void what_is_added_is_counted(void **state)
{
    start(0);
    ip_addr v = ip("10.9.9.9"), ours = ip("192.0.2.1"), six = ip("2001:db8::99");
    settle();
    changes = 0;
    assert_int_equal(h->ops->add_ip(h, &v, "wire0"), ST_OK);
    assert_int_equal(h->ops->add_ip(h, &v, "wire0"), ST_OK);
    assert_true(h->ops->is_local(h, &v, NULL));
    assert_int_equal(h->ops->del_ip(h, &v), ST_OK);
    assert_true(ip_shows("addr", "10.9.9.9"));
    assert_int_equal(h->ops->del_ip(h, &v), ST_OK);
    assert_false(ip_shows("addr", "10.9.9.9"));
    assert_false(h->ops->is_local(h, &v, NULL));
    assert_int_equal(h->ops->del_ip(h, &v), ST_NOT_FOUND);
    assert_int_equal(h->ops->add_ip(h, &v, "nosuchdev"), ST_NOT_FOUND);
    if (h->ops->add_ip(h, &six, "wire0") == ST_OK) {
        assert_true(h->ops->is_local(h, &six, NULL)); /* usable at once */
        assert_int_equal(h->ops->del_ip(h, &six), ST_OK);
    }
    /* an address that was there stays */
    assert_int_equal(h->ops->add_ip(h, &ours, "wire0"), ST_OK);
    assert_int_equal(h->ops->del_ip(h, &ours), ST_OK);
    assert_true(ip_shows("addr", "192.0.2.1/24"));
    settle();
    assert_int_equal(changes, 0); /* what we do ourselves is no news */
    host_route r = {.dev = "wire0"}, def = {.dev = "wire0"};
    assert_int_equal(subnet_from_text(&r.dst, "10.7.0.0/16", NULL), ST_OK);
    assert_int_equal(subnet_from_text(&def.dst, "0.0.0.0/0", NULL), ST_OK);
    assert_int_equal(h->ops->add_route(h, &r), ST_OK);
    assert_int_equal(h->ops->add_route(h, &r), ST_OK);
    assert_int_equal(h->ops->add_route(h, &def), ST_OK);
    assert_true(ip_shows("route show table 220", "default"));
    assert_int_equal(h->ops->del_route(h, &r), ST_OK);
    assert_true(ip_shows("route show table 220", "10.7.0.0/16"));
    assert_int_equal(h->ops->del_route(h, &r), ST_OK);
    assert_false(ip_shows("route show table 220", "10.7.0.0/16"));
    assert_int_equal(h->ops->del_route(h, &r), ST_NOT_FOUND);
    stop();
}

static void leftovers_of_a_crash_go(void **state)
{
    start(0);
    host_route r = {.dev = "wire0"};
    assert_int_equal(subnet_from_text(&r.dst, "10.7.0.0/16", NULL), ST_OK);
    assert_int_equal(h->ops->add_route(h, &r), ST_OK);
    run_ip("route add 10.8.0.0/16 dev wire0 table 220"); /* not ours */
    host *crashed = h;
    runtime *crashed_rt = rt;
    start_with(0, 112);
    assert_false(ip_shows("route show table 220", "10.7.0.0/16"));
    assert_true(ip_shows("route show table 220", "10.8.0.0/16"));
    assert_false(ip_shows("rule", "220"));
    stop();
    h = crashed;
    rt = crashed_rt;
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(lookups_without_mark),
        cmocka_unit_test(lookups_with_mark),
        cmocka_unit_test(what_is_added_is_counted),
        cmocka_unit_test(leftovers_of_a_crash_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
