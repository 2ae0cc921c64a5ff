/* Two (or more) pluto engines in one process, for unit tests: one manual runtime, a clock that only moves
 * when nothing is due, a network in memory that can lose packets, fake kernels. PLUTO_TEST_LOG=1..3 in the
 * environment shows the logs.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pluto/pluto.h"
#include "libfreeswan/conf/conf.h"
#include "libfreeswan/kernel/fake.h"
#include "libfreeswan/wire/ikev1_payloads.h"

typedef struct duo duo;
typedef struct party {
    duo *d;
    net net;
    host host;
    env env;
    pluto *pl;
    pluto_options opt;
    net_ike_fn *fn;
    void *fn_ctx;
    ip_addr ip;  /* its own */
    ip_addr nat; /* what others see; any = the same */
    unsigned sent, received;
    uint64_t log_id;
    char dir[64];
    buf log_text; /* level <= 1 */
} party;

/* false: the packet is lost */
typedef bool duo_filter(duo *d, party *from, party *to, const packet *p);
struct duo {
    bool threaded; /* real workers: no log, no counters, no clock of ours */
    int64_t now_ms;
    clock_source clock;
    runtime *rt;
    crypto *crypto;
    party p[3];
    unsigned n;
    duo_filter *filter;
    unsigned lost, frames;
    int64_t delay_ms;
};

typedef struct duo_frame {
    party *to;
    packet *p;
} duo_frame;

static int64_t duo_mono(void *ctx)
{
    return ((duo *)ctx)->now_ms;
}

static int64_t duo_wall(void *ctx)
{
    return 1700000000 + ((duo *)ctx)->now_ms / 1000;
}

static void duo_deliver(void *arg)
{
    duo_frame *f = arg;

    if (f->to->fn) {
        if (!f->to->d->threaded)
            f->to->received++;
        f->to->fn(f->to->fn_ctx, f->p);
    } else {
        packet_free(f->p);
    }
    free(f);
}

static void duo_drop(void *arg)
{
    duo_frame *f = arg;

    packet_free(f->p);
    free(f);
}

static void duo_deliver_later(void *ctx, uint64_t key)
{
    (void)ctx;
    duo_deliver((void *)(uintptr_t)key);
}

/* A has all of 10.64.0.0/16, too */
static bool duo_is_crowd(const ip_addr *a)
{
    return a->family == AF_INET && a->b[0] == 10 && a->b[1] == 64;
}

static party *duo_find(duo *d, const ip_addr *ip)
{
    if (duo_is_crowd(ip))
        return &d->p[0];
    for (unsigned i = 0; i < d->n; i++) {
        if (addr_equal(ip, addr_is_any(&d->p[i].nat) ? &d->p[i].ip : &d->p[i].nat))
            return &d->p[i];
    }
    return NULL;
}

static status duo_send(net *n, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    party *from = container_of(n, party, net), *to = duo_find(from->d, &remote->ip);
    endpoint src = *local, dst = *remote;
    duo_frame *f;
    packet *p;

    if (!from->d->threaded) {
        from->sent++;
        from->d->frames++;
    }
    if (!addr_is_any(&from->nat)) {
        src.ip = from->nat;
        src.port = (uint16_t)(src.port + 10000);
    }
    if (!to)
        return ST_OK;
    if (!addr_is_any(&to->nat)) {
        dst.ip = to->ip;
        dst.port = (uint16_t)(dst.port - 10000);
    }
    assert_int_equal(packet_new(&p, &dst, &src, natt, data), ST_OK);
    if (from->d->filter && !from->d->filter(from->d, from, to, p)) {
        from->d->lost++;
        packet_free(p);
        return ST_OK;
    }
    f = calloc(1, sizeof(*f));
    assert_non_null(f);
    *f = (duo_frame){to, p};
    if (from->d->delay_ms)
        assert_int_not_equal(
            runtime_timer(from->d->rt, from->d->delay_ms, duo_deliver_later, NULL, (uint64_t)(uintptr_t)f),
            0);
    else
        assert_int_equal(runtime_post(from->d->rt, duo_deliver, duo_drop, f), ST_OK);
    return ST_OK;
}

static status duo_send_raw(net *n, const endpoint *local, const endpoint *remote, span data)
{
    (void)local;
    (void)remote;
    (void)data;
    if (!container_of(n, party, net)->d->threaded)
        container_of(n, party, net)->sent++;
    return ST_OK;
}

static void duo_set_ike(net *n, net_ike_fn *fn, void *ctx)
{
    party *p = container_of(n, party, net);

    p->fn = fn;
    p->fn_ctx = ctx;
}

static void duo_set_esp(net *n, net_esp_fn *fn, void *ctx)
{
    (void)n;
    (void)fn;
    (void)ctx;
}

static uint16_t duo_port(net *n, bool natt)
{
    (void)n;
    return natt ? 4500 : 500;
}

static void duo_net_free(net *n)
{
    (void)n;
}

static const net_ops duo_net_ops = {.send = duo_send,
                                    .send_raw = duo_send_raw,
                                    .set_ike = duo_set_ike,
                                    .set_esp = duo_set_esp,
                                    .port = duo_port,
                                    .free = duo_net_free};

static bool duo_is_local(host *h, const ip_addr *a, char *dev)
{
    if (dev)
        strcpy(dev, "eth0");
    party *p = container_of(h, party, host);
    return addr_equal(a, &p->ip) || (p == &p->d->p[0] && duo_is_crowd(a));
}

static status duo_route_to(host *h, const ip_addr *dst, ip_addr *src, ip_addr *gw, char *dev)
{
    (void)dst;
    if (src)
        *src = container_of(h, party, host)->ip;
    if (gw)
        *gw = (ip_addr){0};
    if (dev)
        strcpy(dev, "eth0");
    return ST_OK;
}

static status duo_addrs(host *h, host_addr **out, size_t *n)
{
    *out = calloc(1, sizeof(**out));
    assert_non_null(*out);
    (*out)->ip = container_of(h, party, host)->ip;
    *n = 1;
    return ST_OK;
}

static status duo_add_ip(host *h, const ip_addr *a, const char *dev)
{
    (void)h;
    (void)a;
    (void)dev;
    return ST_OK;
}

static status duo_del_ip(host *h, const ip_addr *a)
{
    (void)h;
    (void)a;
    return ST_OK;
}

static status duo_route(host *h, const host_route *r)
{
    (void)h;
    (void)r;
    return ST_OK;
}

static void duo_on_change(host *h, void (*fn)(void *ctx), void *ctx)
{
    (void)h;
    (void)fn;
    (void)ctx;
}

static void duo_host_free(host *h)
{
    (void)h;
}

static const host_ops duo_host_ops = {duo_is_local, duo_route_to, duo_addrs,     duo_add_ip,   duo_del_ip,
                                      duo_route,    duo_route,    duo_on_change, duo_host_free};

static void duo_log(void *ctx, const log_event *ev)
{
    party *p = ctx;
    const char *want = getenv("PLUTO_TEST_LOG");

    if (ev->level <= 1)
        buf_printf(&p->log_text, "%s\n", ev->text);
    if (want && ev->level <= atoi(want))
        fprintf(stderr, "%c %6lld [%s] %s: %s\n", (int)('A' + (p - p->d->p)), (long long)p->d->now_ms,
                log_group_names[ev->group], ev->name ? ev->name : "-", ev->text);
}

static inline bool duo_logged(party *p, const char *text)
{
    return strstr(buf_cstr(&p->log_text), text) != NULL;
}

static ip_addr duo_addr(const char *text)
{
    ip_addr a = {0};

    assert_int_equal(addr_from_text(&a, text, NULL), ST_OK);
    return a;
}

static void duo_start_party(duo *d, party *p, const char *ip, const char *settings_text)
{
    credstore_config cc = {.clock = &d->clock, .daemon = "pluto"};
    kernel_fake_config kc = {.rt = d->rt, .first_spi = 0xc0000001u + 0x10000u * (unsigned)(p - d->p)};
    int levels[LG_COUNT];
    msgbuf why = {0};

    p->d = d;
    p->ip = duo_addr(ip);
    p->net.ops = &duo_net_ops;
    p->host.ops = &duo_host_ops;
    p->env = (env){.daemon = "pluto", .rt = d->rt, .crypto = d->crypto, .net = &p->net, .host = &p->host};
    assert_int_equal(log_bus_new(&p->env.log, &(log_bus_config){.direct = true}), ST_OK);
    for (int i = 0; i < LG_COUNT; i++)
        levels[i] = 3;
    if (!d->threaded)
        p->log_id = log_listen(p->env.log, 0, levels, duo_log, p);
    if (settings_text)
        assert_int_equal(
            settings_parse(&p->env.settings, settings_text, strlen(settings_text), "test", NULL, &why),
            ST_OK);
    snprintf(p->dir, sizeof(p->dir), "/tmp/pluto-duo-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    cc.confdir = p->dir;
    cc.log.bus = p->env.log;
    assert_int_equal(credstore_new(&p->env.cred, &cc), ST_OK);
    assert_int_equal(kernel_fake_new(&p->env.kernel, &kc), ST_OK);
    p->opt.nat_traversal = true;
    p->opt.uniqueids = true;
    p->opt.debug = getenv("PLUTO_TEST_DEBUG") ? PLDBG_CONTROL | PLDBG_PARSING : PLDBG_CONTROL;
    assert_int_equal(pluto_new(&p->pl, &p->env, &p->opt, &why), ST_OK);
}

/* A is 10.0.0.1, B is 10.0.0.2, C is 10.0.0.3 */
static duo *duo_make(const char *settings_text, unsigned n, bool threaded)
{
    static const char *const ips[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    duo *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    d->now_ms = 1000;
    d->threaded = threaded;
    d->clock = (clock_source){duo_mono, duo_wall, d};
    if (threaded)
        assert_int_equal(runtime_new(&d->rt, &(runtime_config){.workers = 8}), ST_OK);
    else
        assert_int_equal(runtime_new(&d->rt, &(runtime_config){.clock = &d->clock, .manual = true}), ST_OK);
    assert_int_equal(crypto_load(&d->crypto, NULL, NULL, &(log_scope){0}), ST_OK);
    d->n = n;
    for (unsigned i = 0; i < n; i++)
        duo_start_party(d, &d->p[i], ips[i], settings_text);
    return d;
}

static inline duo *duo_new_with(const char *settings_text, unsigned n)
{
    return duo_make(settings_text, n, false);
}

static inline duo *duo_new(void)
{
    return duo_new_with(NULL, 2);
}

static void duo_add(party *p, const char *text)
{
    config *cfg = NULL;
    msgbuf why = {0};

    assert_int_equal(config_parse(&cfg, text, strlen(text), "test.conf", NULL), ST_OK);
    for (size_t i = 0; i < cfg->n_messages; i++)
        fprintf(stderr, "%s:%u: %s\n", cfg->messages[i].file, cfg->messages[i].line, cfg->messages[i].text);
    assert_int_equal(cfg->n_errors, 0);
    for (size_t i = 0; i < cfg->n_conns; i++) {
        status st = pluto_add_conn(p->pl, cfg->conns[i], false, &why);
        if (st != ST_OK)
            fprintf(stderr, "%s\n", why.text);
        assert_int_equal(st, ST_OK);
    }
    config_free(cfg);
}

static inline void duo_psk(party *p, const char *id1, const char *id2, const char *psk)
{
    ident *ids[2] = {NULL, NULL};

    assert_int_equal(ident_from_text(&ids[0], id1, NULL), ST_OK);
    assert_int_equal(ident_from_text(&ids[1], id2, NULL), ST_OK);
    assert_int_equal(credstore_add_shared(p->env.cred, SECRET_PSK, ids, 2, span_str(psk)), ST_OK);
    ident_unref(ids[0]);
    ident_unref(ids[1]);
}

/* Everything that is due, then time jumps to the next timer, for so many ms at most. */
static inline void duo_run(duo *d, int64_t ms)
{
    int64_t end = d->now_ms + ms, next;

    for (;;) {
        while (runtime_step(d->rt))
            ;
        next = runtime_next_ms(d->rt);
        if (next > end)
            break;
        if (next > d->now_ms)
            d->now_ms = next;
    }
    d->now_ms = end;
}

static void duo_free(duo *d)
{
    for (unsigned i = 0; i < d->n; i++) {
        pluto_free(d->p[i].pl);
        d->p[i].pl = NULL;
        while (!d->threaded && runtime_step(d->rt))
            ;
    }
    for (unsigned i = 0; i < d->n; i++) {
        party *p = &d->p[i];
        buf orphans = {0};
        assert_int_equal(kernel_fake_sas(p->env.kernel), 0);
        assert_int_equal(kernel_fake_policies(p->env.kernel), 0);
        assert_int_equal(kernel_fake_reserved(p->env.kernel), 0);
        buf_free(&orphans);
        p->env.kernel->ops->free(p->env.kernel);
        credstore_free(p->env.cred);
        settings_free(p->env.settings);
        log_bus_free(p->env.log);
        buf_free(&p->log_text);
        rmdir(p->dir);
    }
    runtime_free(d->rt);
    crypto_free(d->crypto);
    free(d);
}

static inline pluto_stats duo_stats(party *p)
{
    pluto_stats s;

    pluto_get_stats(p->pl, &s);
    return s;
}

typedef struct duo_done {
    unsigned n;
    int exit_code;
    buf text;
} duo_done;

static inline void duo_on_line(void *ctx, int code, const char *text)
{
    buf_printf(&((duo_done *)ctx)->text, "%03d %s\n", code, text);
}

static inline void duo_on_done(void *ctx, int exit_code)
{
    duo_done *d = ctx;

    d->n++;
    d->exit_code = exit_code;
}

static inline pluto_waiter duo_wait(duo_done *d)
{
    *d = (duo_done){0};
    return (pluto_waiter){duo_on_line, duo_on_done, d};
}

static inline void duo_status_line(void *ctx, const char *text)
{
    buf_printf(ctx, "000 %s\n", text);
}

/* In a state of rest: nothing in a kernel that does not belong together. */
static inline void duo_assert_clean(duo *d)
{
    for (unsigned i = 0; i < d->n; i++) {
        buf text = {0};
        size_t n = kernel_fake_orphans(d->p[i].env.kernel, &text);
        if (n)
            fprintf(stderr, "%s", buf_cstr(&text));
        buf_free(&text);
        assert_int_equal(n, 0);
    }
}

#define DUO_CONN(extra)                                                                                      \
    "conn net\n keyexchange=ikev1\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n"       \
    " rightid=@b.test\n leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n" extra
