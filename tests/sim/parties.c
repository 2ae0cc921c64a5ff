/* Two hosts with an engine each, and the orders they get. */
#include "tests/sim/ikesim.h"
#include "libfreeswan/conf/conf.h"
#include <stdio.h>
#include <stdlib.h>

static const char common[] =
    "conn net\n authby=secret\n left=192.0.2.1\n right=192.0.2.2\n leftid=@moon.test\n"
    " rightid=@sun.test\n leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n"
    " rekeyfuzz=0%\n auto=add\n";
static const char for_v2[] = " keyexchange=ikev2\n ike=aes128-sha256-curve25519!\n esp=aes128gcm16!\n";
static const char for_v1[] = " keyexchange=ikev1\n ike=aes128-sha256-ecp256!\n esp=aes128-sha256!\n";

static status add_conn(world *w, party *p, bool cut, msgbuf *msg)
{
    bool v1 = w->sc->v1;
    bool sun = p == &w->p[1];
    char text[2048];
    /* without a way to notice that the peer is gone, nobody can be asked to */
    bool any = sun && (w->sc->twists & TWIST_NAT);
    snprintf(text, sizeof(text), "%s%s%s%s%s%s", common, any ? " left=%any\n" : " left=192.0.2.1\n",
             v1 ? for_v1 : for_v2, cut ? " dpdaction=clear\n dpddelay=30s\n dpdtimeout=120s\n" : "",
             sun && w->sc->conf_sun ? w->sc->conf_sun : "", w->sc->conf ? w->sc->conf : "");
    config *cfg = NULL;
    status st = config_parse(&cfg, text, strlen(text), "sim.conf", NULL);
    if (st != ST_OK || cfg->n_errors || cfg->n_conns != 1)
        st = msg_fail(msg, ST_INVALID, "conn: %s",
                      cfg && cfg->n_messages ? cfg->messages[0].text : "not read");
    else if (v1)
        st = pluto_add_conn(p->pl, cfg->conns[0], false, msg);
    else
        st = charon_add_conn(p->ch, cfg->conns[0], msg);
    config_free(cfg);
    return st;
}

static status start_engine(world *w, int i, bool cut, msgbuf *msg)
{
    party *p = &w->p[i];
    pluto_options opt = {.nat_traversal = true, .uniqueids = true};
    status st = w->sc->v1 ? pluto_new(&p->pl, sim_env(p->host), &opt, msg)
                          : charon_new(&p->ch, sim_env(p->host), msg);
    return st == ST_OK ? add_conn(w, p, cut, msg) : st;
}

static status start_party(world *w, int i, bool cut, msgbuf *msg)
{
    static const char *const names[] = {"moon", "sun"}, *const addrs[] = {"192.0.2.1", "192.0.2.2"};
    party *p = &w->p[i];
    sim_host_config hc = {.name = names[i],
                          .daemon = w->sc->v1 ? "pluto" : "charon",
                          .addrs = addrs[i],
                          .settings = w->sc->settings};
    status st = sim_host_new(&p->host, w->s, &hc);
    if (st == ST_OK)
        st = sim_psk(p->host, i && (w->sc->twists & TWIST_WRONG_PSK) ? "another secret" : "a secret of both");
    if (i == 0 && (w->sc->twists & TWIST_NAT))
        sim_nat(p->host, "198.51.100.1");
    if (st != ST_OK)
        return msg_fail(msg, st, "host %s: %s", names[i], status_text(st));
    return start_engine(w, i, cut, msg);
}

status party_restart(world *w, int i, bool silent, msgbuf *msg)
{
    party *p = &w->p[i];
    sim_unplug(p->host, silent);
    charon_free(p->ch);
    pluto_free(p->pl);
    p->ch = NULL;
    p->pl = NULL;
    sim_unplug(p->host, false);
    return start_engine(w, i, true, msg);
}

static bool both_up(void *ctx)
{
    world *w = ctx;
    snapshot s[2];
    for (int i = 0; i < 2; i++) {
        party_snapshot(&w->p[i], &s[i]);
        if (s[i].n_ike != 1 || s[i].n_child != 1 || s[i].other)
            return false;
    }
    return true;
}

status world_new(world *w, const scenario *sc, const schedule *sch, int log_level, msgbuf *msg)
{
    *w = (world){.sc = sc, .sch = sch};
    sim_config cfg = {.seed = sch->seed + 1, .log_level = log_level};
    bool cut = is_shaken(sch);
    for (unsigned i = 0; i < sch->n; i++)
        cut |= sch->f[i].fate == SIM_CUT;
    status st = sim_new(&w->s, &cfg);
    if (st != ST_OK)
        return msg_fail(msg, st, "world: %s", status_text(st));
    for (int i = 0; i < 2 && st == ST_OK; i++)
        st = start_party(w, i, cut, msg);
    if (st == ST_OK && sc->established) {
        order_up(w, 0);
        sim_run_until(w->s, 20000, both_up, w);
        sim_run(w->s, 1000);
        if (!both_up(w) || w->told != 1)
            st = msg_fail(msg, ST_INVALID, "the SAs did not come up undisturbed");
        for (int i = 0; i < 2; i++)
            party_snapshot(&w->p[i], &w->before[i]);
        w->told = 0;
    }
    sim_arm(w->s);
    for (unsigned i = 0; i < sch->n; i++)
        if (sch->f[i].fate < SIM_FATE_COUNT)
            sim_fate_of(w->s, sch->f[i].k, (sim_fate)sch->f[i].fate);
    return st;
}

void engines_free(world *w)
{
    for (int i = 0; i < 2; i++) {
        charon_free(w->p[i].ch);
        pluto_free(w->p[i].pl);
        w->p[i].ch = NULL;
        w->p[i].pl = NULL;
    }
    for (int i = 0; w->s && i < 10000 && runtime_step(sim_runtime(w->s)); i++)
        continue;
}

void world_free(world *w)
{
    engines_free(w);
    sim_free(w->s);
    w->s = NULL;
}

/* ---- snapshots ---- */

static void note(sa_pair *rows, unsigned *n, uint64_t a, uint64_t b)
{
    if (*n < MAX_SAS)
        rows[(*n)++] = (sa_pair){a, b};
}

static bool see_ike(void *ctx, const charon_ike_info *i)
{
    snapshot *s = ctx;
    if (i->state == IKE_ESTABLISHED)
        note(s->ike, &s->n_ike, i->spi_i, i->spi_r);
    else
        s->other++;
    return true;
}

static bool see_child(void *ctx, const charon_child_info *i)
{
    snapshot *s = ctx;
    if (i->state == CHILD_INSTALLED)
        note(s->child, &s->n_child, i->spi_in, i->spi_out);
    else if (i->state != CHILD_ROUTED)
        s->other++;
    return true;
}

static void see_state(void *ctx, const pluto_state_info *st)
{
    snapshot *s = ctx;
    if (!st->established)
        s->other++;
    else if (st->phase1)
        note(s->ike, &s->n_ike, get_u64(st->cookies), get_u64(st->cookies + 8));
    else
        note(s->child, &s->n_child, st->spi_in, st->spi_out);
}

void party_snapshot(const party *p, snapshot *out)
{
    *out = (snapshot){0};
    if (p->ch) {
        charon_each_ike(p->ch, see_ike, out);
        charon_each_child(p->ch, see_child, out);
    }
    if (p->pl)
        pluto_each_state(p->pl, see_state, out);
}

/* ---- orders ---- */

static void on_charon_done(void *ctx, status result, const char *why)
{
    ((world *)ctx)->told++;
}

static void on_pluto_done(void *ctx, int exit_code)
{
    ((world *)ctx)->told++;
}

static void on_pluto_line(void *ctx, int code, const char *text)
{
}

static charon_wait charon_waiter(world *w)
{
    return (charon_wait){.done = on_charon_done, .ctx = w};
}

static pluto_waiter pluto_waits(world *w)
{
    return (pluto_waiter){on_pluto_line, on_pluto_done, w};
}

void order(world *w, const char *what, const char *arg, int who)
{
    charon_wait cw = charon_waiter(w);
    pluto_waiter pw = pluto_waits(w);
    charon *ch = w->p[who].ch;
    pluto *pl = w->p[who].pl;
    bool up = strcmp(what, "up") == 0, down = strcmp(what, "down") == 0;
    if (mishaps_defer(w, what, arg, who))
        return;
    if (pl && up)
        pluto_initiate(pl, arg, false, &pw);
    else if (pl && down)
        pluto_terminate(pl, arg, &pw);
    else if (ch && up)
        charon_initiate(ch, arg, &cw);
    else if (ch && down)
        charon_terminate(ch, arg, &cw);
    else if (ch && strcmp(what, "rekey") == 0)
        charon_rekey(ch, arg, &cw);
    else if (ch)
        charon_reauth(ch, arg, &cw);
}

void order_up(world *w, int who)
{
    order(w, "up", "net", who);
}

void order_down(world *w, int who)
{
    order(w, "down", "net", who);
}

void order_rekey(world *w, int who, const char *what)
{
    order(w, "rekey", what, who);
}

void order_reauth(world *w, int who)
{
    order(w, "reauth", "net", who);
}

void order_trap(world *w, int who)
{
    if (w->sc->v1)
        pluto_route(w->p[who].pl, "net", NULL);
    else
        charon_route(w->p[who].ch, "net", NULL);
    while (runtime_step(sim_runtime(w->s)))
        continue;
}

void meet_trap(world *w, int who)
{
    ip_addr moon, sun;
    if (addr_from_text(&moon, "10.1.0.1", NULL) == ST_OK && addr_from_text(&sun, "10.2.0.1", NULL) == ST_OK)
        kernel_fake_acquire(sim_env(w->p[who].host)->kernel, who ? &sun : &moon, who ? &moon : &sun, 1, 0, 0);
}
