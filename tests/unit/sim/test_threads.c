/* Both engines on a real runtime with real threads: forty peers at once come up, are rekeyed, and go. What is
 * wrong here is found by ThreadSanitizer (make tsan) rather than by the assertions.
 */
#include "charon/charon.h"
#include "libfreeswan/conf/conf.h"
#include "libfreeswan/kernel/fake.h"
#include "pluto/pluto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { PEERS = 40, WORKERS = 8, WAIT_S = 20 };

typedef struct end end;
struct end {
    net net;
    host host;
    end *peer;
    runtime *rt;
    mailbox wire; /* packets to it */
    uint8_t last; /* last octet of its addresses */
    _Atomic(net_ike_fn *) fn;
    void *fn_ctx;
    env env;
    charon *ch;
    pluto *pl;
};

typedef struct pair {
    runtime *rt;
    pthread_t loop;
    crypto *crypto;
    end e[2];
    atomic_uint packets, done, good;
} pair;

/* ---- a network that keeps the order, like the loop thread of the real one ---- */

typedef struct frame {
    mail m;
    packet *p;
} frame;

static void deliver(void *owner, mail *m)
{
    end *e = owner;
    frame *f = container_of(m, frame, m);
    net_ike_fn *fn = atomic_load(&e->fn);
    if (fn)
        fn(e->fn_ctx, f->p);
    else
        packet_free(f->p);
    free(f);
}

static void drop(void *owner, mail *m)
{
    frame *f = container_of(m, frame, m);
    packet_free(f->p);
    free(f);
}

static void nothing(void *owner)
{
}

static const mailbox_ops wire_ops = {nothing, nothing};

static status n_send(net *n, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    end *e = container_of(n, end, net);
    frame *f = calloc(1, sizeof(*f));
    if (!f)
        return ST_NO_MEMORY;
    f->m = (mail){.run = deliver, .drop = drop};
    status st = packet_new(&f->p, remote, local, natt, data);
    if (st == ST_OK)
        st = mailbox_post(&e->peer->wire, &f->m);
    if (st != ST_OK)
        drop(NULL, &f->m);
    return st;
}

static status n_send_raw(net *n, const endpoint *local, const endpoint *remote, span data)
{
    return ST_OK;
}

static void n_set_ike(net *n, net_ike_fn *fn, void *ctx)
{
    end *e = container_of(n, end, net);
    e->fn_ctx = ctx;
    atomic_store(&e->fn, fn);
}

static void n_set_esp(net *n, net_esp_fn *fn, void *ctx)
{
}

static uint16_t n_port(net *n, bool natt)
{
    return natt ? IKE_NATT_PORT : IKE_PORT;
}

static void n_free(net *n)
{
}

static const net_ops the_net = {.send = n_send,
                                .send_raw = n_send_raw,
                                .set_ike = n_set_ike,
                                .set_esp = n_set_esp,
                                .port = n_port,
                                .free = n_free};

/* ---- a host with many addresses ---- */

static bool h_is_local(host *h, const ip_addr *a, char *dev)
{
    if (dev)
        snprintf(dev, HOST_IFNAME, "eth0");
    return a->b[0] == 192 && a->b[3] == container_of(h, end, host)->last;
}

static status h_route_to(host *h, const ip_addr *dst, ip_addr *src, ip_addr *gateway, char *dev)
{
    if (src) {
        *src = *dst;
        src->b[3] = container_of(h, end, host)->last;
    }
    if (gateway)
        *gateway = addr_any(dst->family);
    if (dev)
        snprintf(dev, HOST_IFNAME, "eth0");
    return ST_OK;
}

static status h_addrs(host *h, host_addr **out, size_t *n)
{
    *out = calloc(PEERS, sizeof(**out));
    if (!*out)
        return ST_NO_MEMORY;
    *n = PEERS;
    for (int i = 0; i < PEERS; i++) {
        (*out)[i].ip = (ip_addr){.family = AF_INET,
                                 .b = {192, 0, (uint8_t)i, container_of(h, end, host)->last}};
        (*out)[i].bits = 24;
        snprintf((*out)[i].dev, HOST_IFNAME, "eth0");
    }
    return ST_OK;
}

static status h_add_ip(host *h, const ip_addr *a, const char *dev)
{
    return ST_OK;
}

static status h_del_ip(host *h, const ip_addr *a)
{
    return ST_OK;
}

static status h_route(host *h, const host_route *r)
{
    return ST_OK;
}

static void h_on_change(host *h, void (*fn)(void *ctx), void *ctx)
{
}

static void h_free(host *h)
{
}

static const host_ops the_host = {h_is_local, h_route_to, h_addrs,     h_add_ip, h_del_ip,
                                  h_route,    h_route,    h_on_change, h_free};

/* ---- set-up ---- */

static void make_end(pair *p, int i, bool v1)
{
    end *e = &p->e[i];
    e->net.ops = &the_net;
    e->host.ops = &the_host;
    e->peer = &p->e[!i];
    e->rt = p->rt;
    mailbox_init(&e->wire, p->rt, e, &wire_ops);
    e->wire.limit = 100000;
    e->last = (uint8_t)(i + 1);
    e->env = (env){.daemon = v1 ? "pluto" : "charon",
                   .rt = p->rt,
                   .crypto = p->crypto,
                   .net = &e->net,
                   .host = &e->host};
    assert_int_equal(log_bus_new(&e->env.log, NULL), ST_OK);
    /* all that the engines would log is put together */
    static const int levels[LG_COUNT] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    log_sink_config lc = {.path = "/dev/null"};
    memcpy(lc.levels, levels, sizeof(levels));
    assert_true(log_sink_file(e->env.log, &lc));
    credstore_config cc = {.confdir = "/nonexistent",
                           .daemon = e->env.daemon,
                           .clock = &clock_system,
                           .log = {.bus = e->env.log}};
    assert_int_equal(credstore_new(&e->env.cred, &cc), ST_OK);
    assert_int_equal(credstore_add_shared(e->env.cred, SECRET_PSK, NULL, 0, SPAN_LIT("a secret")), ST_OK);
    /* as a handshake costs more under a sanitizer than the thresholds expect */
    static const char relaxed[] = "charon {\n dos_protection = no\n}\n";
    assert_int_equal(settings_parse(&e->env.settings, relaxed, strlen(relaxed), "t", NULL, NULL), ST_OK);
    kernel_fake_config kc = {.rt = p->rt, .first_spi = 0xc0000001u + ((unsigned)i << 20)};
    assert_int_equal(kernel_fake_new(&e->env.kernel, &kc), ST_OK);
    assert_int_equal(updown_fake_new(&e->env.updown, p->rt), ST_OK);
    msgbuf why = {.text = ""};
    pluto_options opt = {.nat_traversal = true, .max_half_open = 10 * PEERS};
    status st = v1 ? pluto_new(&e->pl, &e->env, &opt, &why) : charon_new(&e->ch, &e->env, &why);
    if (st != ST_OK)
        fail_msg("%s", why.text);
    for (int k = 0; k < PEERS; k++) {
        char text[512];
        config *cfg;
        snprintf(text, sizeof(text),
                 "conn net%d\n keyexchange=%s\n authby=secret\n left=192.0.%d.1\n right=192.0.%d.2\n"
                 " leftsubnet=10.1.%d.0/24\n rightsubnet=10.2.%d.0/24\n ike=aes128-sha256-%s!\n "
                 "esp=aes128-sha256!\n auto=add\n",
                 k, v1 ? "ikev1" : "ikev2", k, k, k, k, v1 ? "ecp256" : "curve25519");
        assert_int_equal(config_parse(&cfg, text, strlen(text), "t.conf", NULL), ST_OK);
        assert_int_equal(cfg->n_conns, 1);
        st = v1 ? pluto_add_conn(e->pl, cfg->conns[0], false, &why)
                : charon_add_conn(e->ch, cfg->conns[0], &why);
        if (st != ST_OK)
            fail_msg("%s", why.text);
        config_free(cfg);
    }
}

static void *run_loop(void *rt)
{
    runtime_run(rt);
    return NULL;
}

static pair *make(bool v1)
{
    pair *p = calloc(1, sizeof(*p));
    log_scope silent = {0};
    runtime_config rc = {.workers = WORKERS};
    assert_non_null(p);
    assert_int_equal(crypto_load(&p->crypto, NULL, NULL, &silent), ST_OK);
    assert_int_equal(runtime_new(&p->rt, &rc), ST_OK);
    for (int i = 0; i < 2; i++)
        make_end(p, i, v1);
    assert_int_equal(pthread_create(&p->loop, NULL, run_loop, p->rt), 0);
    return p;
}

static void unmake(pair *p)
{
    runtime_stop(p->rt, 0);
    pthread_join(p->loop, NULL);
    for (int i = 0; i < 2; i++) {
        charon_free(p->e[i].ch);
        pluto_free(p->e[i].pl);
    }
    for (int i = 0; i < 2; i++) {
        env *e = &p->e[i].env;
        assert_int_equal(kernel_fake_sas(e->kernel), 0);
        assert_int_equal(kernel_fake_policies(e->kernel), 0);
    }
    runtime_free(p->rt);
    for (int i = 0; i < 2; i++) {
        mailbox_fini(&p->e[i].wire);
        env *e = &p->e[i].env;
        e->kernel->ops->free(e->kernel);
        e->updown->ops->free(e->updown);
        credstore_free(e->cred);
        settings_free(e->settings);
        log_bus_free(e->log);
    }
    crypto_free(p->crypto);
    free(p);
}

/* ---- orders ---- */

static void on_charon_done(void *ctx, status result, const char *why)
{
    pair *p = ctx;
    atomic_fetch_add(&p->good, result == ST_OK);
    atomic_fetch_add(&p->done, 1);
}

static void on_pluto_line(void *ctx, int code, const char *text)
{
}

static void on_pluto_done(void *ctx, int exit_code)
{
    pair *p = ctx;
    atomic_fetch_add(&p->good, exit_code == 0);
    atomic_fetch_add(&p->done, 1);
}

static void wait_all(pair *p, unsigned n)
{
    for (int i = 0; i < WAIT_S * 1000 && atomic_load(&p->done) < n; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&p->done), n);
    assert_int_equal(atomic_load(&p->good), n);
    atomic_store(&p->done, 0);
    atomic_store(&p->good, 0);
}

/* Looks at everything while it changes, as `ipsec statusall` in a loop would. */
typedef struct looker {
    pair *p;
    atomic_bool stop;
} looker;

static bool count_ike(void *ctx, const charon_ike_info *i)
{
    ++*(unsigned *)ctx;
    return true;
}

static bool count_child(void *ctx, const charon_child_info *i)
{
    ++*(unsigned *)ctx;
    return true;
}

static void count_state(void *ctx, const pluto_state_info *st)
{
    ++*(unsigned *)ctx;
}

static void count_line(void *ctx, const char *text)
{
    ++*(unsigned *)ctx;
}

static void *look(void *arg)
{
    looker *l = arg;
    while (!atomic_load(&l->stop)) {
        for (int i = 0; i < 2; i++) {
            end *e = &l->p->e[i];
            unsigned n = 0;
            if (e->ch) {
                buf out = {0};
                charon_stats cs;
                charon_status(e->ch, NULL, true, &out);
                charon_each_ike(e->ch, count_ike, &n);
                charon_each_child(e->ch, count_child, &n);
                charon_get_stats(e->ch, &cs);
                buf_free(&out);
            } else {
                pluto_stats ps;
                pluto_status(e->pl, true, NULL, count_line, &n);
                pluto_each_state(e->pl, count_state, &n);
                pluto_get_stats(e->pl, &ps);
            }
        }
        usleep(2000);
    }
    return NULL;
}

typedef void order_fn(pair *p, int who, const char *name);

static void up_v2(pair *p, int who, const char *name)
{
    charon_wait w = {.done = on_charon_done, .ctx = p};
    charon_initiate(p->e[who].ch, name, &w);
}

static void down_v2(pair *p, int who, const char *name)
{
    charon_wait w = {.done = on_charon_done, .ctx = p};
    charon_terminate(p->e[who].ch, name, &w);
}

static void rekey_ike_v2(pair *p, int who, const char *name)
{
    charon_wait w = {.done = on_charon_done, .ctx = p};
    char what[32];
    snprintf(what, sizeof(what), "%s[]", name);
    charon_rekey(p->e[who].ch, what, &w);
}

static void rekey_child_v2(pair *p, int who, const char *name)
{
    charon_wait w = {.done = on_charon_done, .ctx = p};
    char what[32];
    snprintf(what, sizeof(what), "%s{}", name);
    charon_rekey(p->e[who].ch, what, &w);
}

static void up_v1(pair *p, int who, const char *name)
{
    pluto_waiter w = {on_pluto_line, on_pluto_done, p};
    pluto_initiate(p->e[who].pl, name, false, &w);
}

static void down_v1(pair *p, int who, const char *name)
{
    pluto_waiter w = {on_pluto_line, on_pluto_done, p};
    pluto_terminate(p->e[who].pl, name, &w);
}

/* from both sides: the even ones from here, the odd ones from there */
static void order_all(pair *p, order_fn *fn)
{
    for (int k = 0; k < PEERS; k++) {
        char name[16];
        snprintf(name, sizeof(name), "net%d", k);
        fn(p, k % 2, name);
    }
    wait_all(p, PEERS);
}

/* The other end may need a moment more. */
static void settle(pair *p, size_t sas)
{
    for (int i = 0; i < WAIT_S * 1000; i++) {
        if (kernel_fake_sas(p->e[0].env.kernel) == sas && kernel_fake_sas(p->e[1].env.kernel) == sas)
            break;
        usleep(1000);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(kernel_fake_sas(p->e[i].env.kernel), sas);
}

static void test_charon(void **state)
{
    pair *p = make(false);
    looker l = {.p = p};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, look, &l), 0);
    order_all(p, up_v2);
    settle(p, 2 * PEERS);
    order_all(p, rekey_child_v2);
    settle(p, 2 * PEERS);
    order_all(p, rekey_ike_v2);
    order_all(p, rekey_child_v2);
    settle(p, 2 * PEERS);
    order_all(p, down_v2);
    settle(p, 0);
    order_all(p, up_v2);
    atomic_store(&l.stop, true);
    pthread_join(t, NULL);
    unmake(p); /* with everything up */
}

static void test_pluto(void **state)
{
    pair *p = make(true);
    looker l = {.p = p};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, look, &l), 0);
    order_all(p, up_v1);
    settle(p, 2 * PEERS);
    order_all(p, down_v1);
    settle(p, 0);
    order_all(p, up_v1);
    settle(p, 2 * PEERS);
    atomic_store(&l.stop, true);
    pthread_join(t, NULL);
    unmake(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charon),
        cmocka_unit_test(test_pluto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
