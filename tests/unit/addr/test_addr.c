/* Addresses, subnets, protocol/port words and traffic selectors: text forms, set arithmetic, edges. */
#include "libfreeswan/addr/addr.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

static ip_addr addr(const char *text)
{
    ip_addr a;
    msgbuf msg;
    if (addr_from_text(&a, text, &msg) != ST_OK)
        fail_msg("%s: %s", text, msg.text);
    return a;
}

static subnet net(const char *text)
{
    subnet s;
    msgbuf msg;
    if (subnet_from_text(&s, text, &msg) != ST_OK)
        fail_msg("%s: %s", text, msg.text);
    return s;
}

static traffic_sel sel(const char *from, const char *to, uint8_t proto, uint16_t p1, uint16_t p2)
{
    return (traffic_sel){.from = addr(from), .to = addr(to), .proto = proto, .from_port = p1, .to_port = p2};
}

static void addresses_from_text(void **state)
{
    static const struct {
        const char *in, *out;
    } good[] = {
        {"1.2.3.4", "1.2.3.4"},
        {"10", "10.0.0.0"},
        {"10.1", "10.1.0.0"},
        {"0x0a000001", "10.0.0.1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
        {"255.255.255.255", "255.255.255.255"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ip_addr a = addr(good[i].in);
        assert_string_equal(ADDR_STR(&a), good[i].out);
    }
    static const char *const bad[] = {"",      "1.2.3.4.5", "1.2.3.256", "1..2", "0x0a0000",   "0x0a00000g",
                                      "a.b.c", "1.2.3.4 ",  "2001:db8",  ":::",  "1.2.3.0004", ".1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ip_addr a = {0};
        msgbuf msg;
        if (addr_from_text(&a, bad[i], &msg) == ST_OK)
            fail_msg("'%s' was accepted", bad[i]);
        assert_non_null(strstr(msg.text, "is not an address"));
    }
}

static void addresses_compare(void **state)
{
    ip_addr a = addr("1.2.3.4"), b = addr("1.2.3.5"), c = addr("::1"), none = {0};
    assert_true(addr_compare(&a, &b) < 0);
    assert_true(addr_compare(&b, &a) > 0);
    assert_true(addr_compare(&b, &c) < 0);
    assert_int_equal(addr_compare(&c, &c), 0);
    assert_false(addr_equal(&a, &c));
    assert_true(addr_is_any(&none));
    ip_addr any4 = addr_any(AF_INET), any6 = addr("::");
    assert_true(addr_is_any(&any4) && addr_is_any(&any6) && !addr_is_any(&a));
    ip_addr m4 = addr("224.0.0.1"), m6 = addr("ff02::1"), lo = addr("127.1.2.3");
    assert_true(addr_is_multicast(&m4) && addr_is_multicast(&m6) && !addr_is_multicast(&a));
    assert_true(addr_is_loopback(&lo) && addr_is_loopback(&c) && !addr_is_loopback(&a));
    assert_string_equal(ADDR_STR(&none), "%any");
    ip_addr out;
    assert_true(addr_from_bytes(&out, addr_span(&c)) && addr_equal(&out, &c));
    assert_false(addr_from_bytes(&out, SPAN_LIT("123")));
}

static void endpoints(void **state)
{
    struct sockaddr_storage ss;
    endpoint e = {addr("2001:db8::7"), 4500}, back;
    assert_int_equal(endpoint_to_sockaddr(&e, &ss), sizeof(struct sockaddr_in6));
    assert_true(endpoint_from_sockaddr(&back, (struct sockaddr *)&ss));
    assert_true(endpoint_equal(&e, &back));
    assert_string_equal(ENDPOINT_STR(&back), "2001:db8::7[4500]");
    e = (endpoint){addr("::ffff:10.0.0.1"), 500};
    endpoint_to_sockaddr(&e, &ss);
    assert_true(endpoint_from_sockaddr(&back, (struct sockaddr *)&ss));
    assert_string_equal(ENDPOINT_STR(&back), "10.0.0.1[500]");
    ss.ss_family = AF_UNIX;
    assert_false(endpoint_from_sockaddr(&back, (struct sockaddr *)&ss));
}

static void subnets_from_text(void **state)
{
    static const struct {
        const char *in, *out;
    } good[] = {
        {"10.1.0.0/16", "10.1.0.0/16"},
        {"10/8", "10.0.0.0/8"},
        {"10.1/16", "10.1.0.0/16"},
        {"10.0.0.0/255.0.0.0", "10.0.0.0/8"},
        {"10.1.2.3/8", "10.0.0.0/8"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:db8:ffff::1/47", "2001:db8:fffe::/47"},
        {"1.2.3.4", "1.2.3.4/32"},
        {"::1", "::1/128"},
        {"0/0", "0.0.0.0/0"},
        {"%default", "0.0.0.0/0"},
        {"::/0", "::/0"},
        {"1.2.3.4/0.0.0.0", "0.0.0.0/0"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        subnet s = net(good[i].in);
        assert_string_equal(SUBNET_STR(&s), good[i].out);
    }
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "::/129",
                                      "10.0.0.0/255.0.255.0",
                                      "10.0.0.0/-1",
                                      "host/8",
                                      "10.0.0.0/0x8",
                                      "10.0.0.0/8/8"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        subnet s;
        msgbuf msg = {""};
        if (subnet_from_text(&s, bad[i], &msg) == ST_OK)
            fail_msg("'%s' was accepted", bad[i]);
        assert_true(msg.text[0] != '\0');
    }
}

static void subnets_compare(void **state)
{
    subnet big = net("10.0.0.0/8"), small = net("10.1.0.0/16"), other = net("11.0.0.0/16"), six = net("::/0");
    ip_addr in = addr("10.255.0.1"), out = addr("11.0.0.1");
    assert_true(subnet_in(&small, &big) && !subnet_in(&big, &small) && !subnet_in(&other, &big));
    assert_true(subnet_contains(&big, &in) && !subnet_contains(&big, &out) && !subnet_contains(&six, &in));
    ip_addr first = subnet_first(&small), last = subnet_last(&small), mask = subnet_mask(&small);
    assert_string_equal(ADDR_STR(&first), "10.1.0.0");
    assert_string_equal(ADDR_STR(&last), "10.1.255.255");
    assert_string_equal(ADDR_STR(&mask), "255.255.0.0");
    subnet odd = net("10.1.2.128/25");
    last = subnet_last(&odd);
    assert_string_equal(ADDR_STR(&last), "10.1.2.255");
    subnet host = subnet_of_host(&in);
    assert_string_equal(SUBNET_STR(&host), "10.255.0.1/32");
    assert_false(subnet_equal(&host, &big));
}

static void protoports(void **state)
{
    uint8_t proto;
    uint16_t port;
    bool any;
    msgbuf msg;
    assert_int_equal(protoport_from_text("17/1701", &proto, &port, &any, &msg), ST_OK);
    assert_true(proto == 17 && port == 1701 && !any);
    assert_int_equal(protoport_from_text("udp/l2tp", &proto, &port, &any, &msg), ST_OK);
    assert_true(proto == 17 && port == 1701 && !any);
    assert_int_equal(protoport_from_text("icmp", &proto, &port, &any, &msg), ST_OK);
    assert_true(proto == 1 && port == 0 && !any);
    assert_int_equal(protoport_from_text("6/%any", &proto, &port, &any, &msg), ST_OK);
    assert_true(proto == 6 && port == 0 && any);
    assert_int_equal(protoport_from_text("%any/%any", &proto, &port, &any, &msg), ST_OK);
    assert_true(proto == 0 && any);
    static const char *const bad[] = {"",     "/1", "256", "nosuchproto", "udp/65536", "udp/nosuchservice",
                                      "udp/", "-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (protoport_from_text(bad[i], &proto, &port, &any, &msg) == ST_OK)
            fail_msg("'%s' was accepted", bad[i]);
}

static void selectors_as_text(void **state)
{
    subnet s = net("10.1.0.0/16");
    traffic_sel ts = ts_from_subnet(&s, 0, 0);
    assert_string_equal(TS_STR(&ts), "10.1.0.0/16");
    ts = ts_from_subnet(&s, 17, 50001);
    assert_string_equal(TS_STR(&ts), "10.1.0.0/16[udp/50001]");
    ts = ts_from_subnet(&s, 1, 0);
    assert_string_equal(TS_STR(&ts), "10.1.0.0/16[icmp]");
    ts = sel("10.0.0.1", "10.0.0.9", 0, 0, 65535);
    assert_string_equal(TS_STR(&ts), "10.0.0.1-10.0.0.9");
    ts = sel("10.0.0.1", "10.0.0.1", 17, 1024, 2000);
    assert_string_equal(TS_STR(&ts), "10.0.0.1/32[udp/1024-2000]");
    ts = sel("10.0.0.1", "10.0.0.1", 6, 65535, 0);
    assert_string_equal(TS_STR(&ts), "10.0.0.1/32[tcp/OPAQUE]");
    ts = ts_dynamic(0, 0);
    assert_string_equal(TS_STR(&ts), "dynamic/32");
    char tiny[8];
    assert_string_equal(ts_text(&ts, tiny, sizeof(tiny)), "dynamic");
}

static void selectors_meet(void **state)
{
    traffic_sel out;
    subnet big = net("10.0.0.0/8"), small = net("10.1.0.0/16"), far = net("192.168.0.0/16"),
           six = net("::/0");
    traffic_sel a = ts_from_subnet(&big, 0, 0), b = ts_from_subnet(&small, 6, 80),
                c = ts_from_subnet(&far, 0, 0);
    traffic_sel d = ts_from_subnet(&six, 0, 0);
    assert_true(ts_intersect(&a, &b, &out));
    assert_true(ts_equal(&out, &b));
    assert_true(ts_contains(&a, &b) && !ts_contains(&b, &a));
    assert_false(ts_intersect(&a, &c, &out) || ts_intersect(&a, &d, &out));
    traffic_sel udp = ts_from_subnet(&small, 17, 0);
    assert_false(ts_intersect(&b, &udp, &out));
    traffic_sel overlap = sel("10.0.255.0", "10.1.0.7", 6, 70, 90);
    assert_true(ts_intersect(&b, &overlap, &out));
    assert_true(out.from_port == 80 && out.to_port == 80);
    assert_string_equal(ADDR_STR(&out.to), "10.1.0.7");
    traffic_sel opaque = sel("10.1.0.0", "10.1.255.255", 6, 65535, 0), all = ts_from_subnet(&big, 6, 0);
    assert_false(ts_intersect(&b, &opaque, &out));
    assert_true(ts_intersect(&all, &opaque, &out) && ts_equal(&out, &opaque));
    assert_true(ts_valid(&opaque) && ts_valid(&b));
    traffic_sel bad = sel("10.0.0.2", "10.0.0.1", 0, 0, 65535);
    assert_false(ts_valid(&bad));
    bad = sel("10.0.0.1", "10.0.0.2", 0, 9, 8);
    assert_false(ts_valid(&bad));
    bad.to = addr("::1");
    assert_false(ts_valid(&bad));
}

static void selectors_follow_the_host(void **state)
{
    ip_addr host = addr("192.0.2.7"), other = addr("192.0.2.8");
    traffic_sel ts = ts_dynamic(17, 500);
    assert_true(ts_is_host(&ts, &host));
    ts_set_dynamic(&ts, &host);
    assert_string_equal(ADDR_STR(&ts.from), "192.0.2.7");
    assert_true(!ts.dynamic && ts_is_host(&ts, &host) && !ts_is_host(&ts, &other));
    assert_true(ts_covers_addr(&ts, &host) && !ts_covers_addr(&ts, &other));
    ts_set_dynamic(&ts, &other);
    assert_true(ts_is_host(&ts, &host));
    ts = ts_dynamic(0, 0);
    ip_addr six = addr("2001:db8::1");
    ts_set_dynamic(&ts, &six);
    assert_string_equal(TS_STR(&ts), "2001:db8::1/128");
}

static void ranges_as_subnets(void **state)
{
    subnet s[40];
    traffic_sel ts = sel("10.0.0.1", "10.0.0.9", 0, 0, 65535);
    assert_false(ts_to_subnet(&ts, &s[0]));
    assert_string_equal(SUBNET_STR(&s[0]), "10.0.0.0/28");
    static const char *const want[] = {"10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/30", "10.0.0.8/31"};
    assert_int_equal(ts_to_subnets(&ts, s, 40), 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(SUBNET_STR(&s[i]), want[i]);
    assert_int_equal(ts_to_subnets(&ts, s, 2), 2);
    ts = sel("0.0.0.0", "255.255.255.255", 0, 0, 65535);
    assert_int_equal(ts_to_subnets(&ts, s, 40), 1);
    assert_string_equal(SUBNET_STR(&s[0]), "0.0.0.0/0");
    assert_true(ts_to_subnet(&ts, &s[0]));
    ts = sel("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, 0, 65535);
    assert_int_equal(ts_to_subnets(&ts, s, 40), 40);
    ts = sel("10.0.0.255", "10.0.0.255", 0, 0, 65535);
    assert_true(ts_to_subnet(&ts, &s[0]) && s[0].bits == 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_from_text),
        cmocka_unit_test(addresses_compare),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(subnets_from_text),
        cmocka_unit_test(subnets_compare),
        cmocka_unit_test(protoports),
        cmocka_unit_test(selectors_as_text),
        cmocka_unit_test(selectors_meet),
        cmocka_unit_test(selectors_follow_the_host),
        cmocka_unit_test(ranges_as_subnets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
