/* The UDP sockets over loopback in a network namespace of our own: addresses of packets, the non-ESP marker,
 * keepalives, ESP, batches, and two daemons behind one port. */
#include "libfreeswan/net/net.h"
#include "netns.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct daemon {
    runtime *rt;
    net *net;
    packet *got[256];
    size_t n, esp, esp_octets;
    uint32_t last_spi;
} daemon_side;

static void on_ike(void *ctx, packet *p)
{
    daemon_side *d = ctx;
    if (d->n < 256)
        d->got[d->n++] = p;
    else
        packet_free(p);
}

static void on_esp(void *ctx, const endpoint *local, const endpoint *remote, span data, size_t seg)
{
    daemon_side *d = ctx;
    for (; data.n; data = span_skip(data, seg)) {
        d->esp++;
        d->last_spi = get_u32(data.p);
        d->esp_octets += span_take(data, seg).n;
    }
}

static void forget(daemon_side *d)
{
    for (size_t i = 0; i < d->n; i++)
        packet_free(d->got[i]);
    d->n = d->esp = 0;
}

static void start(daemon_side *d, net_role role)
{
    msgbuf msg = {{0}};
    memset(d, 0, sizeof(*d));
    assert_int_equal(runtime_new(&d->rt, &(runtime_config){.manual = true}), ST_OK);
    if (net_udp_new(&d->net, d->rt, &(net_udp_config){.role = role}, &msg) != ST_OK)
        fail_msg("%s", msg.text);
    d->net->ops->set_ike(d->net, on_ike, d);
    d->net->ops->set_esp(d->net, on_esp, d);
}

static void stop(daemon_side *d)
{
    forget(d);
    d->net->ops->free(d->net);
    runtime_free(d->rt);
}

static void settle(daemon_side *a, daemon_side *b)
{
    for (int quiet = 0; quiet < 5;) {
        bool did = runtime_step(a->rt);
        did = (b && runtime_step(b->rt)) || did;
        quiet = did ? 0 : quiet + 1;
        if (!did)
            poll(NULL, 0, 2);
    }
}

static endpoint at(const char *ip, uint16_t port)
{
    endpoint e = {.port = port};
    assert_int_equal(addr_from_text(&e.ip, ip, NULL), ST_OK);
    return e;
}

static void ike_message(uint8_t out[28], uint8_t version)
{
    memset(out, 0xab, 28);
    out[17] = version;
}

static void own_netns(void)
{
    if (!enter_own_netns())
        skip();
}

static void addresses_and_marker(void **state)
{
    daemon_side a;
    uint8_t m[28];
    own_netns();
    start(&a, NET_ROLE_ALL);
    ike_message(m, 0x20);
    endpoint one = at("127.0.0.1", 500), two = at("127.0.0.2", 500);
    assert_int_equal(a.net->ops->port(a.net, false), 500);
    assert_int_equal(a.net->ops->port(a.net, true), 4500);
    assert_int_equal(net_send(a.net, &one, &two, false, SPAN_ARRAY(m)), ST_OK);
    settle(&a, NULL);
    assert_int_equal(a.n, 1);
    assert_true(endpoint_equal(&a.got[0]->local, &two) && endpoint_equal(&a.got[0]->remote, &one));
    assert_false(a.got[0]->natt);
    assert_true(span_equal(packet_span(a.got[0]), SPAN_ARRAY(m)));
    forget(&a);
    one.port = two.port = 4500;
    assert_int_equal(net_send(a.net, &two, &one, true, SPAN_ARRAY(m)), ST_OK);
    settle(&a, NULL);
    assert_int_equal(a.n, 1);
    assert_true(a.got[0]->natt);
    assert_true(endpoint_equal(&a.got[0]->remote, &two));
    assert_true(span_equal(packet_span(a.got[0]), SPAN_ARRAY(m))); /* marker cut off */
    forget(&a);
    endpoint six = at("::1", 500);
    if (net_send(a.net, &six, &six, false, SPAN_ARRAY(m)) == ST_OK) {
        settle(&a, NULL);
        assert_int_equal(a.n, 1);
        assert_true(endpoint_equal(&a.got[0]->local, &six));
    }
    stop(&a);
}

/* Hazard class 1, what is no IKE: keepalives, the marker alone, ESP, empty datagrams. */
static void odd_datagrams(void **state)
{
    daemon_side a;
    own_netns();
    start(&a, NET_ROLE_ALL);
    endpoint from = at("127.0.0.1", 4500), to = at("127.0.0.3", 4500);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_LIT("\xff")), ST_OK);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_LIT("\xff\0")), ST_OK);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_LIT("\0\0\0\0")), ST_OK);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_LIT("\0\0\0")), ST_OK);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_NULL), ST_OK);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_LIT("\xc0\0\0\1\0\0\0\1")),
                     ST_OK); /* too short for ESP */
    settle(&a, NULL);
    assert_int_equal(a.n, 0);
    assert_int_equal(a.esp, 0);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_LIT("\xc0\0\0\1\0\0\0\1data")), ST_OK);
    assert_int_equal(a.net->ops->send_raw(a.net, &from, &to, SPAN_LIT("\0\0\0\0x")), ST_OK);
    settle(&a, NULL);
    assert_int_equal(a.esp, 1);
    assert_int_equal(a.last_spi, 0xc0000001);
    assert_int_equal(a.n, 1); /* one octet behind the marker: the engine's header check refuses it */
    assert_int_equal(a.got[0]->n, 1);
    stop(&a);
}

/* Many datagrams with one system call, and whatever the kernel makes of them on the way: each is what it was.
 */
static void trains(void **state)
{
    daemon_side a;
    uint8_t d[30][100];
    struct iovec parts[30];
    own_netns();
    start(&a, NET_ROLE_ALL);
    endpoint from = at("127.0.0.1", 4500), to = at("127.0.0.3", 4500);
    for (size_t i = 0; i < 30; i++) {
        memset(d[i], (int)i, sizeof d[i]);
        set_u32(d[i], i == 7 || i == 8 ? 0 : 0xc0000000u + (uint32_t)i); /* two IKE messages among ESP */
        parts[i] = (struct iovec){d[i], i == 29 ? 40 : 100};
    }
    assert_int_equal(a.net->ops->send_train(a.net, &from, &to, parts, 30, 100), ST_OK);
    settle(&a, NULL);
    assert_int_equal(a.esp, 28);
    assert_int_equal(a.esp_octets, 27 * 100 + 40);
    assert_int_equal(a.last_spi, 0xc000001d);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.got[0]->n, 96);
    assert_int_equal(a.got[1]->data[0], 8);
    stop(&a);
}

static void batches_keep_order(void **state)
{
    daemon_side a;
    uint8_t m[28];
    own_netns();
    start(&a, NET_ROLE_ALL);
    endpoint from = at("127.0.0.1", 500), to = at("127.0.0.2", 500);
    for (unsigned i = 0; i < 200; i++) {
        ike_message(m, 0x20);
        m[0] = (uint8_t)i;
        assert_int_equal(net_send(a.net, &from, &to, false, SPAN_ARRAY(m)), ST_OK);
    }
    settle(&a, NULL);
    assert_int_equal(a.n, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(a.got[i]->data[0], i);
    static uint8_t big[60000];
    assert_int_equal(net_send(a.net, &from, &to, false, SPAN_ARRAY(big)), ST_OK);
    static uint8_t huge[NET_MAX_PACKET];
    assert_int_equal(net_send(a.net, &from, &to, false, SPAN_ARRAY(huge)), ST_IO);
    settle(&a, NULL);
    assert_int_equal(a.n, 201);
    assert_int_equal(a.got[200]->n, sizeof(big));
    stop(&a);
}

/* Many workers send at once while the loop receives. */
enum { SENDERS = 4, EACH = 500 };

typedef struct crowd {
    runtime *rt;
    net *net;
    atomic_uint received;
} crowd;

static void count_ike(void *ctx, packet *p)
{
    crowd *c = ctx;
    atomic_fetch_add(&c->received, 1);
    packet_free(p);
}

static void *run_loop(void *arg)
{
    runtime_run(((crowd *)arg)->rt);
    return NULL;
}

static void *send_many(void *arg)
{
    crowd *c = arg;
    uint8_t m[200];
    endpoint from = at("127.0.0.1", 500), to = at("127.0.0.2", 500);
    memset(m, 1, sizeof(m));
    for (int i = 0; i < EACH; i++)
        if (net_send(c->net, &from, &to, false, SPAN_ARRAY(m)) != ST_OK)
            break;
    return NULL;
}

static void many_threads_send(void **state)
{
    crowd c = {0};
    pthread_t loop, sender[SENDERS];
    msgbuf msg = {{0}};
    own_netns();
    assert_int_equal(runtime_new(&c.rt, &(runtime_config){.workers = 2}), ST_OK);
    assert_int_equal(net_udp_new(&c.net, c.rt, &(net_udp_config){.role = NET_ROLE_ALL}, &msg), ST_OK);
    c.net->ops->set_ike(c.net, count_ike, &c);
    assert_int_equal(pthread_create(&loop, NULL, run_loop, &c), 0);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&sender[i], NULL, send_many, &c), 0);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(sender[i], NULL);
    for (int i = 0; i < 500 && atomic_load(&c.received) < SENDERS * EACH; i++)
        poll(NULL, 0, 10);
    runtime_stop(c.rt, 0);
    pthread_join(loop, NULL);
    assert_true(atomic_load(&c.received) >= SENDERS * EACH * 9 / 10); /* UDP: the buffer may have been full */
    c.net->ops->free(c.net);
    runtime_free(c.rt);
}

/* v1 must reach pluto, the rest charon, on both ports; ESP by the SPI's bit. */
static void split(daemon_side *pluto, daemon_side *charon)
{
    uint8_t m[28];
    endpoint from = at("127.0.0.1", 500), to = at("127.0.0.9", 500);
    for (unsigned natt = 0; natt < 2; natt++) {
        from.port = to.port = natt ? 4500 : 500;
        for (unsigned version = 0; version < 256; version += 16) {
            ike_message(m, (uint8_t)version);
            assert_int_equal(net_send(charon->net, &from, &to, natt, SPAN_ARRAY(m)), ST_OK);
            settle(pluto, charon);
            assert_int_equal(pluto->n, version == 0x10 ? 1 : 0);
            assert_int_equal(charon->n, version == 0x10 ? 0 : 1);
            forget(pluto);
            forget(charon);
        }
    }
    assert_int_equal(charon->net->ops->send_raw(charon->net, &from, &to, SPAN_LIT("\xc1\0\0\1\0\0\0\1data")),
                     ST_OK);
    settle(pluto, charon);
    assert_true(pluto->esp == 1 && charon->esp == 0);
    assert_int_equal(charon->net->ops->send_raw(charon->net, &from, &to, SPAN_LIT("\xc0\0\0\1\0\0\0\1data")),
                     ST_OK);
    settle(pluto, charon);
    assert_true(pluto->esp == 1 && charon->esp == 1);
    from.port = to.port = 500;
    assert_int_equal(net_send(pluto->net, &from, &to, false, SPAN_LIT("x")), ST_OK);
    settle(pluto, charon);
    assert_true(pluto->n == 0 && charon->n == 1);
    forget(pluto);
    forget(charon);
    pluto->esp = charon->esp = 0;
}

static void two_daemons_by_hand(void **state)
{
    daemon_side pluto, charon;
    own_netns();
    start(&pluto, NET_ROLE_IKEV1);
    start(&charon, NET_ROLE_OTHER);
    split(&pluto, &charon);
    stop(&charon);
    stop(&pluto);
    start(&charon, NET_ROLE_OTHER); /* the other order */
    start(&pluto, NET_ROLE_IKEV1);
    split(&pluto, &charon);
    stop(&charon);
    stop(&pluto);
}

static void two_daemons_of_starter(void **state)
{
    net_sockets p, c;
    daemon_side pluto, charon;
    char text[64];
    msgbuf msg = {{0}};
    own_netns();
    if (net_prepare_sockets(&p, &c, &(net_udp_config){.role = NET_ROLE_ALL}, &msg) != ST_OK)
        fail_msg("%s", msg.text);
    setenv(NET_SOCKETS_ENV, net_sockets_env(&p, text, sizeof(text)), 1);
    start(&pluto, NET_ROLE_IKEV1);
    assert_null(getenv(NET_SOCKETS_ENV));
    setenv(NET_SOCKETS_ENV, net_sockets_env(&c, text, sizeof(text)), 1);
    start(&charon, NET_ROLE_OTHER);
    split(&pluto, &charon);
    stop(&pluto);
    stop(&charon);
}

static void bad_inheritance(void **state)
{
    static const char *const bad[] = {"",           "x", "1,2,3", "0,1,2,3", "3,4,5,6,7", "999,999,999,999",
                                      "-2,-1,-1,-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        runtime *rt;
        net *n = NULL;
        msgbuf msg = {{0}};
        assert_int_equal(runtime_new(&rt, &(runtime_config){.manual = true}), ST_OK);
        setenv(NET_SOCKETS_ENV, bad[i], 1);
        assert_int_equal(net_udp_new(&n, rt, &(net_udp_config){.role = NET_ROLE_ALL}, &msg), ST_INVALID);
        assert_non_null(strstr(msg.text, NET_SOCKETS_ENV));
        unsetenv(NET_SOCKETS_ENV);
        runtime_free(rt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_marker),
        cmocka_unit_test(odd_datagrams),
        cmocka_unit_test(trains),
        cmocka_unit_test(batches_keep_order),
        cmocka_unit_test(many_threads_send),
        cmocka_unit_test(two_daemons_by_hand),
        cmocka_unit_test(two_daemons_of_starter),
        cmocka_unit_test(bad_inheritance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
