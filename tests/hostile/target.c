/* See target.h. */
#include "tests/hostile/target.h"
#include <stdio.h>
#include <stdlib.h>

crypto *lib;
bool verbose;
static const log_scope silent;

enum { START_WALL_S = 1800000000, STEPS_MAX = 2000000 };

status lib_load(void)
{
    return crypto_load(&lib, NULL, NULL, &silent);
}

void lib_free(void)
{
    crypto_free(lib);
}

/* ---- clock ---- */
static int64_t mono(void *ctx)
{
    return ((target *)ctx)->now_ms;
}

static int64_t wall(void *ctx)
{
    return START_WALL_S + ((target *)ctx)->now_ms / 1000;
}

/* ---- network ---- */
static status remember(target *t, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    t->sent++;
    if (t->n_out >= OUTBOX)
        return ST_LIMIT;
    datagram *d = &t->out[t->n_out];
    *d = (datagram){.local = *local, .remote = *remote, .natt = natt};
    status st = buf_copy_of(&d->data, data);
    if (st == ST_OK)
        t->n_out++;
    return st;
}

static status net_send_op(net *n, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    return remember((target *)n, local, remote, natt, data);
}

static status net_raw_op(net *n, const endpoint *local, const endpoint *remote, span data)
{
    return ST_OK;
}

static void net_ike_op(net *n, net_ike_fn *fn, void *ctx)
{
    ((target *)n)->ike = fn;
    ((target *)n)->ike_ctx = ctx;
}

static void net_esp_op(net *n, net_esp_fn *fn, void *ctx)
{
}

static uint16_t net_port_op(net *n, bool natt)
{
    return natt ? IKE_NATT_PORT : IKE_PORT;
}

static const net_ops bottle_net = {.send = net_send_op,
                                   .send_raw = net_raw_op,
                                   .set_ike = net_ike_op,
                                   .set_esp = net_esp_op,
                                   .port = net_port_op};

/* ---- host ---- */
static target *of_host(host *h)
{
    return container_of(h, target, host);
}

static bool host_is_local_op(host *h, const ip_addr *a, char *dev)
{
    if (dev)
        snprintf(dev, HOST_IFNAME, "bottle0");
    return addr_equal(a, &of_host(h)->address);
}

static status host_route_op(host *h, const ip_addr *dst, ip_addr *src, ip_addr *gateway, char *dev)
{
    if (src)
        *src = of_host(h)->address;
    if (gateway)
        *gateway = addr_any(dst->family);
    if (dev)
        snprintf(dev, HOST_IFNAME, "bottle0");
    return ST_OK;
}

static status host_addrs_op(host *h, host_addr **out, size_t *n)
{
    *out = calloc(1, sizeof(**out));
    *n = *out ? 1 : 0;
    if (*out)
        **out = (host_addr){.ip = of_host(h)->address, .bits = 24, .dev = "bottle0"};
    return *out ? ST_OK : ST_NO_MEMORY;
}

static status host_add_ip_op(host *h, const ip_addr *a, const char *dev)
{
    return ST_OK;
}

static status host_del_ip_op(host *h, const ip_addr *a)
{
    return ST_OK;
}

static status host_change_route_op(host *h, const host_route *r)
{
    return ST_OK;
}

static void host_on_change_op(host *h, void (*fn)(void *ctx), void *ctx)
{
}

static const host_ops bottle_host = {.is_local = host_is_local_op,
                                     .route_to = host_route_op,
                                     .addrs = host_addrs_op,
                                     .add_ip = host_add_ip_op,
                                     .del_ip = host_del_ip_op,
                                     .add_route = host_change_route_op,
                                     .del_route = host_change_route_op,
                                     .on_change = host_on_change_op};

/* ---- engine ---- */
static void to_stderr(void *ctx, const log_event *ev)
{
    const target *t = ctx;
    fprintf(stderr, "%s %8lld [%s] %s\n", ADDR_STR(&t->address), (long long)t->now_ms,
            log_group_names[ev->group], ev->text);
}

static status make_env(target *t)
{
    int levels[LG_COUNT];
    for (int i = 0; i < LG_COUNT; i++)
        levels[i] = 2;
    env *e = &t->env;
    *e = (env){.daemon = "charon", .net = &t->net, .host = &t->host, .crypto = lib};
    status st = log_bus_new(&e->log, &(log_bus_config){.direct = true});
    if (st == ST_OK && verbose)
        log_listen(e->log, 0, levels, to_stderr, t);
    if (st == ST_OK)
        st = runtime_new(&e->rt, &(runtime_config){.manual = true, .clock = &t->clock, .log = e->log});
    if (st == ST_OK)
        st = kernel_fake_new(&e->kernel, &(kernel_fake_config){.rt = e->rt});
    if (st == ST_OK)
        st = updown_fake_new(&e->updown, e->rt);
    if (st == ST_OK)
        st = credstore_new(&e->cred, &(credstore_config){.confdir = "/nonexistent",
                                                         .daemon = "charon",
                                                         .clock = &t->clock,
                                                         .log = {.bus = e->log}});
    return st;
}

static status add_conns(target *t, const char *conf)
{
    msgbuf msg = {{0}};
    status st = config_parse(&t->cfg, conf, strlen(conf), "hostile.conf", NULL);
    for (size_t i = 0; t->cfg && i < t->cfg->n_messages; i++)
        fprintf(stderr, "hostile.conf:%u: %s\n", t->cfg->messages[i].line, t->cfg->messages[i].text);
    for (size_t i = 0; st == ST_OK && i < t->cfg->n_conns; i++) {
        st = t->pluto ? pluto_add_conn(t->pluto, t->cfg->conns[i], false, &msg)
                      : charon_add_conn(t->charon, t->cfg->conns[i], &msg);
        if (st != ST_OK)
            fprintf(stderr, "hostile: %s\n", msg.text);
    }
    return st;
}

status target_start(target *t, bool v1, const char *address, const char *conf, const char *psk)
{
    msgbuf msg = {{0}};
    memset(t, 0, sizeof(*t));
    t->net.ops = &bottle_net;
    t->host.ops = &bottle_host;
    t->now_ms = 1000;
    t->clock = (clock_source){mono, wall, t};
    status st = addr_from_text(&t->address, address, &msg);
    if (st == ST_OK)
        st = make_env(t);
    if (st == ST_OK)
        st = credstore_add_shared(t->env.cred, SECRET_PSK, NULL, 0, span_str(psk));
    t->env.daemon = v1 ? "pluto" : "charon";
    if (st == ST_OK && v1)
        st = pluto_new(&t->pluto, &t->env, &(pluto_options){.nat_traversal = true, .uniqueids = true}, &msg);
    else if (st == ST_OK)
        st = charon_new(&t->charon, &t->env, &msg);
    if (st == ST_OK)
        st = add_conns(t, conf);
    return st;
}

void target_stop(target *t)
{
    charon_free(t->charon);
    pluto_free(t->pluto);
    target_run(t);
    if (t->cfg)
        config_free(t->cfg);
    if (t->env.cred)
        credstore_free(t->env.cred);
    if (t->env.updown)
        t->env.updown->ops->free(t->env.updown);
    if (t->env.kernel)
        t->env.kernel->ops->free(t->env.kernel);
    runtime_free(t->env.rt);
    log_bus_free(t->env.log);
    target_forget(t);
}

void target_run(target *t)
{
    for (long i = 0; i < STEPS_MAX; i++)
        if (!runtime_step(t->env.rt))
            return;
    fprintf(stderr, "hostile: the engine does not come to rest\n");
    abort();
}

void target_pass(target *t, int64_t ms)
{
    int64_t until = t->now_ms + ms;
    target_run(t);
    for (;;) {
        int64_t next = runtime_next_ms(t->env.rt);
        if (next > until)
            break;
        if (next > t->now_ms)
            t->now_ms = next;
        target_run(t);
    }
    t->now_ms = until;
    target_run(t);
}

void target_receive(target *t, const endpoint *from, uint16_t to_port, span data)
{
    packet *p = NULL;
    endpoint local = {t->address, to_port};
    if (!t->ike || packet_new(&p, &local, from, to_port == IKE_NATT_PORT, data) != ST_OK)
        return;
    t->ike(t->ike_ctx, p);
    target_run(t);
}

void target_forget(target *t)
{
    for (size_t i = 0; i < t->n_out; i++)
        buf_free(&t->out[i].data);
    t->n_out = 0;
}

const datagram *target_last(const target *t, const endpoint *to)
{
    for (size_t i = t->n_out; i > 0; i--)
        if (addr_equal(&t->out[i - 1].remote.ip, &to->ip))
            return &t->out[i - 1];
    return NULL;
}

unsigned target_ike_sas(target *t)
{
    charon_stats s;
    pluto_stats p;
    unsigned n = 0;
    if (t->pluto) {
        pluto_get_stats(t->pluto, &p);
        return (unsigned)(p.isakmp + p.quick);
    }
    charon_get_stats(t->charon, &s);
    for (int i = 0; i < IKE_DESTROYED; i++)
        n += s.ike[i];
    return n;
}

unsigned target_established(target *t)
{
    charon_stats s;
    pluto_stats p;
    if (t->pluto) {
        pluto_get_stats(t->pluto, &p);
        return (unsigned)p.isakmp_established;
    }
    charon_get_stats(t->charon, &s);
    return s.ike[IKE_ESTABLISHED];
}

/* Moves what `from` sent to `to`; true if there was anything. */
static bool deliver(target *from, target *to)
{
    bool any = false;
    for (size_t i = 0; i < from->n_out; i++) {
        datagram d = from->out[i];
        if (!addr_equal(&d.remote.ip, &to->address))
            continue;
        memmove(&from->out[i], &from->out[i + 1], (--from->n_out - i) * sizeof(d));
        i--;
        endpoint source = {from->address, d.local.port};
        target_receive(to, &source, d.remote.port, buf_span(&d.data));
        buf_free(&d.data);
        any = true;
    }
    return any;
}

void pump(target *a, target *b)
{
    bool any = true;
    target_run(a);
    target_run(b);
    for (int i = 0; any && i < 1000; i++) {
        any = deliver(a, b);
        any = deliver(b, a) || any;
    }
}
