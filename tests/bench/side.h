/* Two engines in one process for the benches: each has its own manual runtime, fake kernel, credentials and
 * host, and the network between them is a ring of buffers. Whoever runs is known, so CPU time and heap are
 * booked to the side that used them. Nothing is lost or delayed; time stands still but for one millisecond a
 * handshake.
 */
#pragma once
#include "libfreeswan/env/env.h"
#include "libfreeswan/kernel/fake.h"
#include "tests/bench/bench.h"
#include <malloc.h>

enum { SIDE_RING = 32, SIDE_PACKET = 8192 };

typedef struct side_packet {
    endpoint local, remote;
    bool natt;
    size_t n;
    uint8_t data[SIDE_PACKET];
} side_packet;

typedef struct side side;
struct side {
    net net; /* first: net_ops get a pointer to it */
    host host;
    env e;
    side *other;
    subnet addresses; /* every address in it is ours */
    net_ike_fn *ike;
    void *ike_ctx;
    side_packet ring[SIDE_RING];
    unsigned head, count;
    double cpu; /* seconds */
    double started;
    bool measure_heap;
    int64_t heap, heap_started;
    uint64_t packets;
};

static int64_t side_now_ms = 1000000;
static int64_t side_mono(void *ctx)
{
    return side_now_ms;
}
static int64_t side_wall(void *ctx)
{
    return (int64_t)time(NULL);
}
static const clock_source side_clock = {side_mono, side_wall, NULL};

/* ---- booking ---- */

static inline void side_begin(side *s)
{
    if (s->measure_heap)
        s->heap_started = (int64_t)mallinfo2().uordblks;
    s->started = bench_cpu_s();
}

static inline void side_end(side *s)
{
    s->cpu += bench_cpu_s() - s->started;
    if (s->measure_heap)
        s->heap += (int64_t)mallinfo2().uordblks - s->heap_started;
}

/* ---- network ---- */

static status side_net_put(net *n, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    side *to = ((side *)(void *)n)->other;
    if (data.n > SIDE_PACKET || to->count == SIDE_RING)
        return ST_IO;
    side_packet *p = &to->ring[(to->head + to->count++) % SIDE_RING];
    p->local = *remote;
    p->remote = *local;
    p->natt = natt;
    p->n = data.n;
    memcpy(p->data, data.p, data.n);
    return ST_OK;
}
static status side_net_raw(net *n, const endpoint *local, const endpoint *remote, span data)
{
    return ST_OK;
}
static void side_net_set_ike(net *n, net_ike_fn *fn, void *ctx)
{
    side *s = (side *)(void *)n;
    s->ike = fn;
    s->ike_ctx = ctx;
}
static void side_net_set_esp(net *n, net_esp_fn *fn, void *ctx)
{
}
static uint16_t side_net_port(net *n, bool natt)
{
    return natt ? IKE_NATT_PORT : IKE_PORT;
}
static void side_net_free(net *n)
{
}
static const net_ops side_net_ops = {
    .send = side_net_put,
    .send_raw = side_net_raw,
    .set_ike = side_net_set_ike,
    .set_esp = side_net_set_esp,
    .port = side_net_port,
    .free = side_net_free,
};

/* ---- host ---- */

static side *side_of_host(host *h)
{
    return container_of(h, side, host);
}
static bool side_is_local(host *h, const ip_addr *a, char *dev)
{
    if (dev)
        strcpy(dev, "eth0");
    return subnet_contains(&side_of_host(h)->addresses, a);
}
static status side_route_to(host *h, const ip_addr *dst, ip_addr *src, ip_addr *gateway, char *dev)
{
    if (src)
        *src = side_of_host(h)->addresses.ip;
    if (gateway)
        *gateway = (ip_addr){0};
    if (dev)
        strcpy(dev, "eth0");
    return ST_OK;
}
static status side_addrs(host *h, host_addr **out, size_t *n)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return ST_NO_MEMORY;
    (*out)->ip = side_of_host(h)->addresses.ip;
    (*out)->bits = side_of_host(h)->addresses.bits;
    strcpy((*out)->dev, "eth0");
    *n = 1;
    return ST_OK;
}
static status side_add_ip(host *h, const ip_addr *a, const char *dev)
{
    return ST_OK;
}
static status side_del_ip(host *h, const ip_addr *a)
{
    return ST_OK;
}
static status side_route(host *h, const host_route *r)
{
    return ST_OK;
}
static void side_on_change(host *h, void (*fn)(void *ctx), void *ctx)
{
}
static void side_host_free(host *h)
{
}
static const host_ops side_host_ops = {
    .is_local = side_is_local,
    .route_to = side_route_to,
    .addrs = side_addrs,
    .add_ip = side_add_ip,
    .del_ip = side_del_ip,
    .add_route = side_route,
    .del_route = side_route,
    .on_change = side_on_change,
    .free = side_host_free,
};

/* ---- making, running ---- */

static inline void side_make(side *s, side *other, const char *daemon, const char *addresses,
                             const char *conf)
{
    msgbuf msg;
    memset(s, 0, sizeof *s);
    s->net.ops = &side_net_ops;
    s->host.ops = &side_host_ops;
    s->other = other;
    MUST(subnet_from_text(&s->addresses, addresses, &msg) == ST_OK);
    s->e.daemon = daemon;
    s->e.net = &s->net;
    s->e.host = &s->host;
    MUST(log_bus_new(&s->e.log, &(log_bus_config){.direct = true}) == ST_OK);
    MUST(runtime_new(&s->e.rt, &(runtime_config){.clock = &side_clock, .log = s->e.log, .manual = true}) ==
         ST_OK);
    MUST(settings_parse(&s->e.settings, conf, strlen(conf), "bench", NULL, &msg) == ST_OK);
    MUST(crypto_load(&s->e.crypto, "openssl random", NULL, NULL) == ST_OK);
    MUST(credstore_new(&s->e.cred, &(credstore_config){.confdir = "/nonexistent",
                                                       .clock = &side_clock,
                                                       .log = {.bus = s->e.log}}) == ST_OK);
    MUST(kernel_fake_new(&s->e.kernel, &(kernel_fake_config){.rt = s->e.rt}) == ST_OK);
    MUST(updown_fake_new(&s->e.updown, s->e.rt) == ST_OK);
}

static inline void side_free(side *s)
{
    s->e.updown->ops->free(s->e.updown);
    s->e.kernel->ops->free(s->e.kernel);
    credstore_free(s->e.cred);
    crypto_free(s->e.crypto);
    settings_free(s->e.settings);
    runtime_free(s->e.rt);
    log_bus_free(s->e.log);
}

/* Takes one packet off the ring, if there is one, and runs what is due. */
static inline bool side_step(side *s)
{
    bool any = false;
    side_begin(s);
    if (s->count) {
        side_packet *p = &s->ring[s->head];
        packet *copy;
        s->head = (s->head + 1) % SIDE_RING;
        s->count--;
        s->packets++;
        MUST(packet_new(&copy, &p->local, &p->remote, p->natt, span_of(p->data, p->n)) == ST_OK);
        s->ike(s->ike_ctx, copy);
        any = true;
    }
    while (runtime_step(s->e.rt))
        any = true;
    side_end(s);
    return any;
}

/* Until both are quiet. */
static inline void sides_run(side *a, side *b)
{
    bool any;
    do {
        any = side_step(a);
        any = side_step(b) || any;
    } while (any || a->count || b->count);
}
