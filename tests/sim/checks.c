/* What must hold when everything has come to rest, whatever the network did. */
#include "tests/sim/ikesim.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {"moon", "sun"};

static bool has(const sa_pair *rows, unsigned n, uint64_t a, uint64_t b)
{
    for (unsigned i = 0; i < n; i++)
        if (rows[i].a == a && rows[i].b == b)
            return true;
    return false;
}

/* Every SA of one end is known to the other. */
static bool agree(const snapshot s[2], msgbuf *msg)
{
    for (int i = 0; i < 2; i++) {
        const snapshot *me = &s[i], *peer = &s[!i];
        for (unsigned k = 0; k < me->n_ike; k++)
            if (!has(peer->ike, peer->n_ike, me->ike[k].a, me->ike[k].b)) {
                msg_set(msg, "%s has IKE SA %016llx alone", names[i], (unsigned long long)me->ike[k].a);
                return false;
            }
        for (unsigned k = 0; k < me->n_child; k++)
            if (!has(peer->child, peer->n_child, me->child[k].b, me->child[k].a)) {
                msg_set(msg, "%s has child %08llx alone", names[i], (unsigned long long)me->child[k].a);
                return false;
            }
    }
    return true;
}

static bool kernels_clean(world *w, const snapshot s[2], msgbuf *msg)
{
    for (int i = 0; i < 2; i++) {
        kernel *k = sim_env(w->p[i].host)->kernel;
        buf orphans = {0};
        size_t n = kernel_fake_orphans(k, &orphans);
        if (n)
            msg_set(msg, "%s: %s", names[i], buf_cstr(&orphans));
        buf_free(&orphans);
        if (n)
            return false;
        /* an IKEv1 SA that was replaced has lost its outbound half and waits for its end */
        size_t most = 2 * (size_t)s[i].n_child, least = w->sc->v1 && s[i].n_child ? s[i].n_child + 1 : most;
        if (kernel_fake_sas(k) > most || kernel_fake_sas(k) < least) {
            msg_set(msg, "%s: %zu SAs in the kernel, %u children", names[i], kernel_fake_sas(k),
                    s[i].n_child);
            return false;
        }
        if (!s[i].n_child && kernel_fake_policies(k) && !(w->sc->twists & TWIST_TRAP)) {
            msg_set(msg, "%s: %zu policies without a child", names[i], kernel_fake_policies(k));
            return false;
        }
    }
    return true;
}

static bool traffic(world *w, msgbuf *msg)
{
    for (int i = 0; i < 2; i++) {
        msgbuf why = {.text = ""};
        fake_packet p = {.proto = 1, .bytes = 84};
        if (addr_from_text(i ? &p.dst : &p.src, "10.1.0.1", NULL) != ST_OK ||
            addr_from_text(i ? &p.src : &p.dst, "10.2.0.1", NULL) != ST_OK)
            return false;
        fake_fate f = kernel_fake_send(sim_env(w->p[i].host)->kernel, sim_env(w->p[!i].host)->kernel, &p,
                                       (w->sc->twists & TWIST_NAT) != 0, &why);
        if (f != FAKE_DELIVERED) {
            msg_set(msg, "traffic from %s does not arrive (%d): %s", names[i], (int)f, why.text);
            return false;
        }
    }
    return true;
}

static bool goals_reached(world *w, unsigned goals, const snapshot s[2], msgbuf *msg)
{
    unsigned most = goals & GOAL_TWINS ? 2 : 1;
    for (int i = 0; i < 2; i++) {
        if ((goals & GOAL_DOWN) && (s[i].n_ike || s[i].n_child)) {
            msg_set(msg, "%s still has %u IKE SAs, %u children", names[i], s[i].n_ike, s[i].n_child);
            return false;
        }
        unsigned child = goals & GOAL_NO_CHILD ? 0 : 1;
        if (!(goals & GOAL_DOWN) &&
            (!s[i].n_ike || s[i].n_child < child || s[i].n_ike > most || s[i].n_child > child * most)) {
            msg_set(msg, "%s has %u IKE SAs, %u children", names[i], s[i].n_ike, s[i].n_child);
            return false;
        }
        for (unsigned k = 0; k < s[i].n_child; k++)
            if ((goals & GOAL_NEW_CHILD) &&
                has(w->before[i].child, w->before[i].n_child, s[i].child[k].a, s[i].child[k].b)) {
                msg_set(msg, "%s still has the old child", names[i]);
                return false;
            }
        for (unsigned k = 0; k < s[i].n_ike; k++)
            if ((goals & GOAL_NEW_IKE) &&
                has(w->before[i].ike, w->before[i].n_ike, s[i].ike[k].a, s[i].ike[k].b)) {
                msg_set(msg, "%s still has the old IKE SA", names[i]);
                return false;
            }
    }
    return (goals & (GOAL_DOWN | GOAL_NO_CHILD)) || (w->sc->twists & TWIST_NO_TRAFFIC) || traffic(w, msg);
}

/* In clear nobody can tell a forgery: a handshake may fail by it, but only cleanly. */
static bool may_fail(const world *w, const schedule *sch)
{
    for (unsigned i = 0; i < sch->n; i++)
        if (!w->sc->established &&
            (sch->f[i].fate == SIM_GARBLE || sch->f[i].fate == SIM_FORGE || sch->f[i].fate == SIM_SHORT))
            return true;
    return false;
}

static bool is_cut(const schedule *sch)
{
    for (unsigned i = 0; i < sch->n; i++)
        if (sch->f[i].fate == SIM_CUT)
            return true;
    return false;
}

bool is_shaken(const schedule *sch)
{
    for (unsigned i = 0; i < sch->n; i++)
        if (sch->f[i].fate >= MISHAP_RESTART_MOON && sch->f[i].fate != MISHAP_WALL_ON &&
            sch->f[i].fate != MISHAP_WALL_BACK)
            return true;
    return false;
}

bool check_up(world *w, msgbuf *msg)
{
    snapshot s[2];
    for (int i = 0; i < 2; i++) {
        party_snapshot(&w->p[i], &s[i]);
        if (!s[i].n_ike || !s[i].n_child) {
            msg_set(msg, "%s has %u IKE SAs, %u children later either", names[i], s[i].n_ike, s[i].n_child);
            return false;
        }
    }
    return (w->sc->twists & TWIST_NO_TRAFFIC) || traffic(w, msg);
}

bool check_rest(world *w, const schedule *sch, unsigned packets_undisturbed, msgbuf *msg)
{
    snapshot s[2];
    for (int i = 0; i < 2; i++)
        party_snapshot(&w->p[i], &s[i]);
    if (sim_spins(w->s)) {
        msg_set(msg, "an engine spins");
        return false;
    }
    /* each fate costs a few retransmissions, not a flood; peers that are cut off ask for each other */
    bool shaken = is_shaken(sch);
    unsigned limit = w->waited     ? 10000
                     : shaken      ? 600
                     : is_cut(sch) ? 120
                                   : 2 * packets_undisturbed + 16 * sch->n + 8;
    if (packets_undisturbed && sim_sent(w->s) > limit) {
        msg_set(msg, "%u packets, %u undisturbed", sim_sent(w->s), packets_undisturbed);
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (s[i].other) {
            msg_set(msg, "%s: %u SAs are still under way", names[i], s[i].other);
            return false;
        }
    if (w->told != w->sc->waiters) {
        msg_set(msg, "%u of %u waiters were told", w->told, w->sc->waiters);
        return false;
    }
    if (!agree(s, msg) || !kernels_clean(w, s, msg))
        return false;
    return shaken || may_fail(w, sch) || goals_reached(w, is_cut(sch) ? GOAL_DOWN : w->sc->goals, s, msg);
}

/* The engines are gone: nothing of them is left. */
bool check_after(world *w, msgbuf *msg)
{
    for (int i = 0; i < 2; i++) {
        kernel *k = sim_env(w->p[i].host)->kernel;
        size_t left = kernel_fake_sas(k) + kernel_fake_policies(k) + kernel_fake_reserved(k);
        if (left) {
            buf dump = {0};
            kernel_fake_dump(k, &dump);
            msg_set(msg, "%s left behind in the kernel: %s", names[i], buf_cstr(&dump));
            buf_free(&dump);
            return false;
        }
        if (sim_host_leftovers(w->p[i].host)) {
            msg_set(msg, "%s left %zu addresses or routes behind", names[i],
                    sim_host_leftovers(w->p[i].host));
            return false;
        }
    }
    return true;
}
