/* What happens besides the network: engines that start anew, clocks that jump, kernel calls and allocations
 * that fail, orders that come later. Mishaps bound to a packet are noted when it is sent and happen between
 * two steps of the runtime, when no engine is on the stack.
 */
#include "tests/sim/ikesim.h"
#include "tests/sim/faultalloc.h"

enum { GAP_MS = 10 * 60 * 1000, LONG_GAP_MS = 4 * 3600 * 1000, WALL_JUMP_S = 366 * 86400 };

const char *what_name(int what)
{
    static const char *const mishaps[] = {
        "first",     "second", "restart-moon", "restart-sun", "crash-moon", "crash-sun", "wall-on",
        "wall-back", "gap",    "long-gap",     "kernel-moon", "kernel-sun", "memory"};
    return what < SIM_FATE_COUNT ? sim_fate_names[what] : mishaps[what - SIM_FATE_COUNT];
}

static void on_packet(void *ctx, unsigned k, const endpoint *from, const endpoint *to, span data)
{
    world *w = ctx;
    for (unsigned i = 0; i < w->sch->n; i++)
        if (w->sch->f[i].k == k && w->sch->f[i].fate >= MISHAP_FIRST &&
            w->sch->f[i].fate < MISHAP_KERNEL_MOON)
            w->due |= 1u << i;
}

void mishaps_arm(world *w)
{
    w->armed = true;
    sim_tap(w->s, on_packet, w);
    for (int i = 0; i < 2; i++)
        w->kernel_calls[i] = kernel_fake_calls(sim_env(w->p[i].host)->kernel);
    fault_alloc_at(0);
    for (unsigned i = 0; i < w->sch->n; i++) {
        const fate_given *f = &w->sch->f[i];
        if (f->fate == MISHAP_KERNEL_MOON || f->fate == MISHAP_KERNEL_SUN)
            kernel_fake_fail(sim_env(w->p[f->fate == MISHAP_KERNEL_SUN].host)->kernel, f->k, 1, ST_IO);
        if (f->fate == MISHAP_MEMORY)
            fault_alloc_at(f->k);
    }
}

/* The n-th order of act waits for its packet. */
bool mishaps_defer(world *w, const char *what, const char *arg, int who)
{
    if (!w->armed)
        return false;
    w->orders++;
    for (unsigned i = 0; i < w->sch->n; i++)
        if (w->orders <= 2 && w->sch->f[i].fate == MISHAP_FIRST + (int)w->orders - 1) {
            w->deferred.what = what;
            w->deferred.arg = arg;
            w->deferred.who = who;
            return true;
        }
    return false;
}

static void give_deferred(world *w)
{
    const char *what = w->deferred.what;
    if (!what)
        return;
    w->deferred.what = NULL;
    w->orders = 2; /* it is not put off again */
    order(w, what, w->deferred.arg, w->deferred.who);
}

void mishap_happens(world *w, int what)
{
    msgbuf msg = {.text = ""};
    switch (what) {
    case MISHAP_FIRST:
    case MISHAP_SECOND:
        give_deferred(w);
        break;
    case MISHAP_RESTART_MOON:
    case MISHAP_RESTART_SUN:
        if (party_restart(w, what == MISHAP_RESTART_SUN, false, &msg) != ST_OK)
            w->told += 100; /* seen by the check */
        break;
    case MISHAP_CRASH_MOON:
    case MISHAP_CRASH_SUN:
        if (party_restart(w, what == MISHAP_CRASH_SUN, true, &msg) != ST_OK)
            w->told += 100;
        break;
    case MISHAP_WALL_ON:
        sim_wall_jump(w->s, WALL_JUMP_S);
        break;
    case MISHAP_WALL_BACK:
        sim_wall_jump(w->s, -WALL_JUMP_S);
        break;
    case MISHAP_GAP:
        sim_gap(w->s, GAP_MS);
        break;
    case MISHAP_LONG_GAP:
        sim_gap(w->s, LONG_GAP_MS);
        break;
    }
}

static bool something_is_due(void *ctx)
{
    return ((world *)ctx)->due != 0;
}

static void run_for(world *w, int64_t ms)
{
    int64_t end = sim_now_ms(w->s) + ms;
    while (sim_run_until(w->s, end - sim_now_ms(w->s), something_is_due, w)) {
        unsigned due = w->due;
        int64_t before = sim_now_ms(w->s);
        w->due = 0;
        for (unsigned i = 0; i < w->sch->n; i++)
            if (due & 1u << i)
                mishap_happens(w, w->sch->f[i].fate);
        end += sim_now_ms(w->s) - before; /* time asleep does not count */
    }
}

void world_run(world *w, int64_t ms)
{
    run_for(w, ms);
    if (!w->deferred.what)
        return;
    give_deferred(w); /* there never was such a packet */
    run_for(w, ms);
}
