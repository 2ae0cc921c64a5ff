/* Worlds, hosts, time. */
#include "tests/sim/lib/sim_priv.h"
#include <stdio.h>
#include <stdlib.h>

enum { SPIN_LIMIT = 200000, START_MS = 1000000 };

static int64_t sim_mono(void *ctx)
{
    return ((sim *)ctx)->now_ms;
}

static int64_t sim_wall(void *ctx)
{
    const sim *s = ctx;
    return SIM_START_WALL_S + s->wall_offset_s + (s->now_ms - START_MS) / 1000;
}

status sim_new(sim **out, const sim_config *cfg)
{
    *out = NULL;
    sim *s = calloc(1, sizeof(*s));
    if (!s)
        return ST_NO_MEMORY;
    s->clock = (clock_source){sim_mono, sim_wall, s};
    s->now_ms = START_MS;
    s->log_level = cfg ? cfg->log_level : -1;
    s->seed = cfg ? cfg->seed : 0;
    list_init(&s->flights);
    runtime_config rc = {.manual = true, .clock = &s->clock, .workers = 1};
    status st = runtime_new(&s->rt, &rc);
    if (st != ST_OK) {
        free(s);
        return st;
    }
    if (!sim_crypto()) {
        runtime_free(s->rt);
        free(s);
        return ST_CRYPTO;
    }
    sim_rng_seed(cfg ? cfg->seed : 0);
    *out = s;
    return ST_OK;
}

static void host_free(sim_host *h)
{
    if (!h)
        return;
    if (h->env.kernel)
        h->env.kernel->ops->free(h->env.kernel);
    if (h->env.updown)
        h->env.updown->ops->free(h->env.updown);
    credstore_free(h->env.cred);
    settings_free(h->env.settings);
    log_bus_free(h->env.log);
    free(h);
}

void sim_free(sim *s)
{
    if (!s)
        return;
    /* what engines and kernels still had to do */
    for (int i = 0; i < SPIN_LIMIT && runtime_step(s->rt); i++)
        continue;
    sim_flights_free(s);
    for (unsigned i = 0; i < s->n_hosts; i++)
        host_free(s->hosts[i]);
    runtime_free(s->rt);
    free(s);
}

/* ---- hosts ---- */

static void print_event(void *ctx, const log_event *ev)
{
    const sim_host *h = ctx;
    fprintf(stderr, "%9.3f %-6s %s%d[%s] %s\n", (double)(h->s->now_ms - START_MS) / 1000, h->name,
            ev->name ? ev->name : "", ev->level, log_group_names[ev->group], ev->text);
}

static status start_log(sim_host *h)
{
    log_bus_config lc = {.direct = true};
    status st = log_bus_new(&h->env.log, &lc);
    if (st != ST_OK || h->s->log_level < 0)
        return st;
    int levels[LG_COUNT];
    for (int g = 0; g < LG_COUNT; g++)
        levels[g] = h->s->log_level;
    return log_listen(h->env.log, 0, levels, print_event, h) ? ST_OK : ST_NO_MEMORY;
}

static status take_addrs(sim_host *h, const char *text)
{
    span rest = span_str(text), word;
    char one[ADDR_TEXT];
    while (span_cut(&rest, ' ', &word)) {
        if (span_empty(word))
            continue;
        if (h->n_addrs == SIM_MAX_ADDRS)
            return ST_LIMIT;
        span_cstr(word, one, sizeof(one));
        status st = addr_from_text(&h->addrs[h->n_addrs], one, NULL);
        if (st != ST_OK)
            return st;
        h->n_addrs++;
    }
    return h->n_addrs ? ST_OK : ST_INVALID;
}

static status fill_env(sim_host *h, const sim_host_config *cfg)
{
    sim *s = h->s;
    env *e = &h->env;
    e->daemon = h->daemon;
    e->rt = s->rt;
    e->crypto = (crypto *)(uintptr_t)sim_crypto();
    e->net = &h->net.base;
    e->host = &h->ops.base;
    status st = start_log(h);
    if (st == ST_OK && cfg->settings)
        st = settings_parse(&e->settings, cfg->settings, strlen(cfg->settings), "sim", NULL, NULL);
    credstore_config cc = {
        .confdir = "/nonexistent", .daemon = h->daemon, .clock = &s->clock, .log = {.bus = e->log}};
    if (st == ST_OK)
        st = credstore_new(&e->cred, &cc);
    kernel_fake_config kc = {.rt = s->rt, .first_spi = cfg->first_spi, .features = cfg->kernel_features};
    if (!kc.first_spi)
        kc.first_spi = 0xc0000001u + (h->index << 20);
    kc.first_cpi = (uint16_t)(0x1001 + (h->index << 8));
    if (st == ST_OK)
        st = kernel_fake_new(&e->kernel, &kc);
    if (st == ST_OK)
        st = updown_fake_new(&e->updown, s->rt);
    return st;
}

status sim_host_new(sim_host **out, sim *s, const sim_host_config *cfg)
{
    *out = NULL;
    if (s->n_hosts == SIM_MAX_HOSTS)
        return ST_LIMIT;
    sim_host *h = calloc(1, sizeof(*h));
    if (!h)
        return ST_NO_MEMORY;
    h->s = s;
    h->index = s->n_hosts;
    snprintf(h->name, sizeof(h->name), "%s", cfg->name);
    snprintf(h->daemon, sizeof(h->daemon), "%s", cfg->daemon ? cfg->daemon : "charon");
    sim_net_init(h);
    sim_ops_init(h);
    status st = take_addrs(h, cfg->addrs);
    if (st == ST_OK)
        st = fill_env(h, cfg);
    if (st != ST_OK) {
        host_free(h);
        return st;
    }
    s->hosts[s->n_hosts++] = h;
    *out = h;
    return ST_OK;
}

env *sim_env(sim_host *h)
{
    return &h->env;
}

status sim_psk(sim_host *h, const char *words)
{
    return credstore_add_shared(h->env.cred, SECRET_PSK, NULL, 0, span_str(words));
}

unsigned sim_keepalives(const sim_host *h)
{
    return h->keepalives;
}

/* ---- time ---- */

runtime *sim_runtime(sim *s)
{
    return s->rt;
}

int64_t sim_now_ms(const sim *s)
{
    return s->now_ms;
}

bool sim_spins(const sim *s)
{
    return s->spins;
}

/* All that is due now; true when pred came true. */
static bool settle(sim *s, bool (*pred)(void *ctx), void *ctx)
{
    for (int i = 0; i < SPIN_LIMIT; i++) {
        if (pred && pred(ctx))
            return true;
        if (!runtime_step(s->rt))
            return false;
    }
    s->spins = true;
    return false;
}

bool sim_run_until(sim *s, int64_t ms, bool (*pred)(void *ctx), void *ctx)
{
    int64_t end = s->now_ms + ms;
    for (;;) {
        if (settle(s, pred, ctx))
            return true;
        if (s->spins)
            return false;
        int64_t next = runtime_next_ms(s->rt);
        if (next > end) {
            s->now_ms = end;
            return pred && pred(ctx);
        }
        if (next > s->now_ms)
            s->now_ms = next;
    }
}

void sim_run(sim *s, int64_t ms)
{
    sim_run_until(s, ms, NULL, NULL);
}

void sim_wall_jump(sim *s, int64_t seconds)
{
    s->wall_offset_s += seconds;
}

void sim_gap(sim *s, int64_t ms)
{
    s->now_ms += ms;
}
