/* The virtual network. A datagram that is sent gets its fate, is put on the list of flights and a timer; when
 * that is due the addresses decide who gets it. Address translation happens on the way out and on the way in.
 * A datagram that is delayed waits for the next one and lands right behind it.
 */
#include "tests/sim/lib/sim_priv.h"
#include <stdlib.h>

const char *const sim_fate_names[SIM_FATE_COUNT] = {"deliver", "drop",   "dup",    "delay", "late",
                                                    "cut",     "replay", "garble", "forge", "short"};

enum { DELAY_AT_MOST_MS = 20000 };

static void land(void *ctx, uint64_t serial);

/* ---- addresses ---- */

bool sim_has_addr(const sim_host *h, const ip_addr *a)
{
    for (size_t i = 0; i < h->n_addrs; i++)
        if (addr_equal(&h->addrs[i], a))
            return true;
    return false;
}

static uint16_t nat_port(const sim_host *h, uint16_t port)
{
    return (uint16_t)(port + NAT_PORT_SHIFT + 1000 * h->nat_epoch);
}

/* Who is at this address; translates it back. */
static sim_host *receiver(sim *s, endpoint *to)
{
    for (unsigned i = 0; i < s->n_hosts; i++) {
        sim_host *h = s->hosts[i];
        if (h->unplugged)
            continue;
        if (h->natted && addr_equal(&h->nat, &to->ip)) {
            /* nothing gets in that did not go out: only the two ports of the daemon are mapped */
            for (int natt = 0; natt < 2; natt++) {
                uint16_t port = natt ? IKE_NATT_PORT : IKE_PORT;
                if (nat_port(h, port) == to->port) {
                    *to = (endpoint){h->addrs[0], port};
                    return h;
                }
            }
        }
        if (!h->natted && sim_has_addr(h, &to->ip))
            return h;
    }
    return NULL;
}

/* ---- arriving ---- */

static void arrive(sim *s, const flight *f)
{
    endpoint to = f->to;
    sim_host *h = receiver(s, &to);
    if (!h)
        return;
    bool natt = to.port == IKE_NATT_PORT;
    span data = span_of(f->data, f->n);
    if (to.port != IKE_PORT && !natt)
        return;
    if (f->raw) {
        if (h->net.esp && f->n > 1)
            h->net.esp(h->net.esp_ctx, &to, &f->from, data, data.n);
        else
            h->keepalives++;
        return;
    }
    packet *p;
    /* a marker on port 500, or none on 4500, makes it unreadable there */
    if (f->natt != natt || !h->net.ike || packet_new(&p, &to, &f->from, natt, data) != ST_OK)
        return;
    h->net.ike(h->net.ike_ctx, p);
}

static flight *find_flight(sim *s, uint64_t serial)
{
    flight *f;
    LIST_EACH(&s->flights, flight, node, f)
    if (f->serial == serial)
        return f;
    return NULL;
}

static void land(void *ctx, uint64_t serial)
{
    sim *s = ctx;
    flight *f = find_flight(s, serial);
    if (!f)
        return;
    list_remove(&f->node);
    arrive(s, f);
    free(f);
}

void sim_flights_free(sim *s)
{
    flight *f;
    LIST_EACH(&s->flights, flight, node, f)
    {
        runtime_timer_cancel(s->rt, f->timer);
        list_remove(&f->node);
        free(f);
    }
}

/* ---- sending ---- */

static status take_off(sim *s, const flight *like, span data, int64_t delay_ms)
{
    flight *f = malloc(sizeof(*f) + data.n);
    if (!f)
        return ST_NO_MEMORY;
    *f = *like;
    f->serial = ++s->last_flight;
    f->n = data.n;
    if (data.n)
        memcpy(f->data, data.p, data.n);
    f->timer = runtime_timer(s->rt, delay_ms, land, s, f->serial);
    if (!f->timer) {
        free(f);
        return ST_NO_MEMORY;
    }
    list_append(&s->flights, &f->node);
    return ST_OK;
}

/* Those that wait for a next packet land behind the one that was just sent. */
static void release_delayed(sim *s)
{
    flight *f;
    LIST_EACH(&s->flights, flight, node, f)
    {
        if (!f->behind_next)
            continue;
        f->behind_next = false;
        if (runtime_timer_cancel(s->rt, f->timer))
            f->timer = runtime_timer(s->rt, SIM_LATENCY_MS + 1, land, s, f->serial);
    }
}

static sim_fate fate_of(const sim *s, unsigned k)
{
    for (unsigned i = 0; i < s->n_fates; i++)
        if (s->fates[i].k == k || (s->fates[i].fate == SIM_CUT && s->fates[i].k < k))
            return s->fates[i].fate;
    return SIM_DELIVER;
}

/* A copy that is not quite the same: which bit is turned over, or where it is cut, depends on seed and
 * number. */
static status send_spoilt(sim *s, const flight *like, span data, bool cut)
{
    uint64_t r = (s->seed * 0x9e3779b97f4a7c15u + s->sent) * 0xbf58476d1ce4e5b9u;
    buf copy = {0};
    r ^= r >> 31;
    if (data.n == 0)
        return ST_OK;
    buf_put(&copy, cut ? span_take(data, (size_t)(r % data.n)) : data);
    if (!cut && buf_ok(&copy))
        copy.p[r / 8 % data.n] ^= (uint8_t)(1u << (r % 8));
    status st = buf_ok(&copy) ? take_off(s, like, buf_span(&copy), SIM_LATENCY_MS) : ST_NO_MEMORY;
    buf_free(&copy);
    return st;
}

static status send_with_fate(sim *s, flight *like, span data, sim_fate fate)
{
    int64_t delay = SIM_LATENCY_MS;
    status st = ST_OK;
    switch (fate) {
    case SIM_DROP:
    case SIM_CUT:
        return ST_OK;
    case SIM_GARBLE:
        return send_spoilt(s, like, data, false);
    case SIM_FORGE:
    case SIM_SHORT:
        st = send_spoilt(s, like, data, fate == SIM_SHORT);
        delay = SIM_LATENCY_MS + 2;
        break;
    case SIM_DUP:
        st = take_off(s, like, data, 2 * SIM_LATENCY_MS);
        break;
    case SIM_REPLAY:
        st = take_off(s, like, data, SIM_REPLAY_MS);
        break;
    case SIM_LATE:
        delay = SIM_LATE_MS;
        break;
    case SIM_DELAY:
        like->behind_next = true;
        delay = DELAY_AT_MOST_MS;
        break;
    case SIM_DELIVER:
    case SIM_FATE_COUNT:
        break;
    }
    return st == ST_OK ? take_off(s, like, data, delay) : st;
}

static status send_from(sim_host *h, const endpoint *local, const endpoint *remote, bool raw, bool natt,
                        span data)
{
    sim *s = h->s;
    flight like = {.from = *local, .to = *remote, .raw = raw, .natt = natt};
    if (addr_is_any(&like.from.ip))
        like.from.ip = h->addrs[0];
    if (!like.from.port)
        like.from.port = natt ? IKE_NATT_PORT : IKE_PORT;
    bool ours = sim_has_addr(h, &like.from.ip);
    if (h->natted) {
        like.from.ip = h->nat;
        like.from.port = nat_port(h, like.from.port);
    }
    sim_fate fate = SIM_DELIVER;
    if (!raw) {
        s->sent++;
        s->octets += data.n;
        release_delayed(s);
        if (s->tap)
            s->tap(s->tap_ctx, s->sent, &like.from, &like.to, data);
        fate = fate_of(s, s->sent);
    }
    /* an address that the host no longer has */
    if (!ours || h->unplugged)
        return ours ? ST_OK : ST_IO;
    return send_with_fate(s, &like, data, fate);
}

static status net_send_ike(net *n, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    return send_from(container_of(n, sim_net, base)->host, local, remote, false, natt, data);
}

static status net_send_raw(net *n, const endpoint *local, const endpoint *remote, span data)
{
    return send_from(container_of(n, sim_net, base)->host, local, remote, true, true, data);
}

static void net_set_ike(net *n, net_ike_fn *fn, void *ctx)
{
    sim_net *sn = container_of(n, sim_net, base);
    sn->ike = fn;
    sn->ike_ctx = ctx;
}

static void net_set_esp(net *n, net_esp_fn *fn, void *ctx)
{
    sim_net *sn = container_of(n, sim_net, base);
    sn->esp = fn;
    sn->esp_ctx = ctx;
}

static uint16_t net_port(net *n, bool natt)
{
    return natt ? IKE_NATT_PORT : IKE_PORT;
}

/* part of its host */
static void net_free(net *n)
{
    net_set_ike(n, NULL, NULL);
}

void sim_net_init(sim_host *h)
{
    static const net_ops ops = {net_send_ike, net_send_raw, NULL,    net_set_ike,
                                net_set_esp,  net_port,     net_free};
    h->net.base.ops = &ops;
    h->net.host = h;
}

status sim_inject(sim *s, const endpoint *from, const endpoint *to, span data)
{
    flight like = {.from = *from, .to = *to, .natt = to->port == IKE_NATT_PORT};
    return take_off(s, &like, data, SIM_LATENCY_MS);
}

/* ---- schedule ---- */

void sim_arm(sim *s)
{
    s->sent = 0;
    s->octets = 0;
    sim_fates_clear(s);
}

void sim_fate_of(sim *s, unsigned k, sim_fate fate)
{
    if (s->n_fates < SIM_MAX_FATES) {
        s->fates[s->n_fates].k = k;
        s->fates[s->n_fates++].fate = fate;
    }
}

void sim_fates_clear(sim *s)
{
    s->n_fates = 0;
}

unsigned sim_sent(const sim *s)
{
    return s->sent;
}

uint64_t sim_octets(const sim *s)
{
    return s->octets;
}

void sim_tap(sim *s, sim_tap_fn *fn, void *ctx)
{
    s->tap = fn;
    s->tap_ctx = ctx;
}

void sim_nat(sim_host *h, const char *pub)
{
    h->natted = pub && addr_from_text(&h->nat, pub, NULL) == ST_OK;
    h->nat_epoch++;
}

void sim_unplug(sim_host *h, bool off)
{
    h->unplugged = off;
}
