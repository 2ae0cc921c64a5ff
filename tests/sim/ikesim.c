/* ikesim: every scenario under every schedule of one and two disturbed packets, with the line cut at
 * every packet, and with every mishap of mishaps.c.
 *
 *   ikesim [--only NAME-GLOB] [--pairs all|drop|none] [--random N] [--allocs N] [--long] [--list]
 *       runs them; --long: everything; last line "sim: N passed, M failed, …"
 *   ikesim --only NAME --schedule 3=drop,5=late [--seed N] [-v LEVEL]   runs one: how a failure is
 * looked at
 */
#include "tests/sim/ikesim.h"
#include "tests/sim/faultalloc.h"
#include "libstrongswan/base/text.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIFETIMES_MS = 4 * 3600 * 1000 };
enum { MAX_REPORTS = 4 }; /* of each scenario */

typedef struct totals {
    unsigned passed, failed, skipped, reported;
} totals;

typedef struct effort {
    const char *pairs;
    unsigned random, allocs; /* of each scenario */
} effort;

static const char *self = "ikesim";

static void print_schedule(FILE *f, const schedule *sch)
{
    for (unsigned i = 0; i < sch->n; i++)
        fprintf(f, "%s%u=%s", i ? "," : "", sch->f[i].k, what_name(sch->f[i].fate));
}

/* A line that is cut takes its time to be noticed, a handshake with a forgery in it to be given up. */
static int64_t extra_ms(const scenario *sc, const schedule *sch)
{
    if (is_shaken(sch))
        return 14 * 60 * 1000;
    if (sch->n == 0 || sch->f[sch->n - 1].fate < SIM_CUT || sch->f[sch->n - 1].fate >= SIM_FATE_COUNT)
        return 0;
    return sch->f[sch->n - 1].fate == SIM_CUT ? 14 * 60 * 1000 : sc->established ? 0 : 6 * 60 * 1000;
}

/* What the undisturbed run takes. */
typedef struct extent {
    unsigned packets, orders;
    uint64_t kernel_calls[2], allocs;
} extent;

static void measure(world *w, extent *x)
{
    x->packets = sim_sent(w->s);
    x->orders = w->orders;
    x->allocs = fault_alloc_count();
    for (int i = 0; i < 2; i++)
        x->kernel_calls[i] = kernel_fake_calls(sim_env(w->p[i].host)->kernel) - w->kernel_calls[i];
}

/* What was shaken must be able to begin anew, unless it never could. */
static bool recovers(world *w, msgbuf *msg)
{
    msgbuf why;
    if (!w->sc->established && (w->sc->goals & (GOAL_DOWN | GOAL_NO_CHILD)))
        return true;
    if (check_up(w, &why))
        return true;
    order_up(w, 0);
    sim_run(w->s, 6 * 60 * 1000);
    return check_up(w, msg);
}

/* x->packets 0: this is the undisturbed run. */
static bool run_one(const scenario *sc, const schedule *sch, extent *x, int log_level, msgbuf *msg)
{
    world w;
    status st = world_new(&w, sc, sch, log_level, msg);
    bool good = st == ST_OK;
    if (good) {
        mishaps_arm(&w);
        sc->act(&w);
        world_run(&w, sc->settle_ms + extra_ms(sc, sch));
        extent now;
        measure(&w, &now);
        fault_alloc_at(0);
        good = check_rest(&w, sch, x->packets, msg);
        /* without memory for a Delete the other end keeps what it has until its lifetime is over */
        if (!good && is_shaken(sch) && x->packets) {
            w.waited = true;
            sim_run(w.s, LIFETIMES_MS);
            good = check_rest(&w, sch, x->packets, msg);
        }
        if (!x->packets)
            *x = now;
        if (good && is_shaken(sch))
            good = recovers(&w, msg);
    }
    if (w.s) {
        engines_free(&w);
        good = good && check_after(&w, msg);
    }
    world_free(&w);
    return good;
}

static void account(totals *t, const scenario *sc, const schedule *sch, bool good, const msgbuf *msg)
{
    if (good) {
        t->passed++;
        return;
    }
    t->failed++;
    if (t->reported++ >= MAX_REPORTS)
        return;
    printf("FAILED %s: ", sc->name);
    for (const char *c = msg->text; *c; c++)
        putchar(*c == '\n' ? ';' : *c);
    printf("\n    %s --only %s --schedule '", self, sc->name);
    print_schedule(stdout, sch);
    printf("' --seed %llu -v 2\n", (unsigned long long)sch->seed);
    fflush(stdout);
}

static void try_schedule(totals *t, const scenario *sc, const schedule *sch, unsigned packets)
{
    msgbuf msg = {.text = ""};
    extent x = {.packets = packets};
    bool good = run_one(sc, sch, &x, -1, &msg);
    account(t, sc, sch, good, &msg);
}

static const sim_fate bad[] = {SIM_DROP, SIM_DUP, SIM_DELAY, SIM_LATE};
enum { N_BAD = sizeof(bad) / sizeof(bad[0]) };

static void run_pairs(totals *t, const scenario *sc, unsigned packets, bool all)
{
    /* retransmissions come behind the last packet of the undisturbed run */
    for (unsigned k = 1; k <= packets; k++)
        for (unsigned l = k + 1; l <= packets + 3; l++)
            for (int i = 0; i < (all ? N_BAD : 1); i++)
                for (int j = 0; j < (all ? N_BAD : 1); j++) {
                    schedule sch = {.f = {{k, bad[i]}, {l, bad[j]}}, .n = 2};
                    try_schedule(t, sc, &sch, packets);
                }
}

/* Up to eight disturbed packets; two may be lost for good, which is what IKEv1's retransmissions make up for.
 */
static void run_random(totals *t, const scenario *sc, unsigned packets, unsigned n)
{
    uint64_t r = 88172645463325252u;
    for (unsigned i = 0; i < n; i++) {
        schedule sch = {.n = 0};
        unsigned lost = 0;
        for (unsigned f = 0; f < MAX_FATES_GIVEN; f++) {
            r ^= r << 13, r ^= r >> 7, r ^= r << 17;
            sim_fate fate = bad[(r >> 20) % N_BAD];
            lost += fate == SIM_DROP;
            if (lost > 2 && fate == SIM_DROP)
                fate = SIM_DUP;
            sch.f[sch.n++] = (fate_given){1 + (unsigned)((r >> 32) % (packets * 2 + 2)), fate};
        }
        try_schedule(t, sc, &sch, packets);
    }
}

/* What somebody on the way does to each packet: replays, noise, forgeries. */
static void run_hostile(totals *t, const scenario *sc, unsigned packets, unsigned seeds)
{
    static const sim_fate hostile[] = {SIM_REPLAY, SIM_GARBLE, SIM_FORGE, SIM_SHORT};
    for (unsigned k = 1; k <= packets; k++)
        for (unsigned i = 0; i < (sc->twists & TWIST_CLEAR ? 1 : sizeof(hostile) / sizeof(hostile[0])); i++)
            for (unsigned seed = 0; seed < (hostile[i] == SIM_REPLAY ? 1 : seeds); seed++) {
                schedule sch = {.f = {{k, hostile[i]}}, .n = 1, .seed = seed};
                try_schedule(t, sc, &sch, packets);
            }
}

static void try_mishap(totals *t, const scenario *sc, unsigned k, int what, unsigned packets)
{
    schedule sch = {.f = {{k, what}}, .n = 1};
    try_schedule(t, sc, &sch, packets);
}

/* Blocks that every run leaves behind more of than the one before are leaks; what libraries keep is not. */
static void try_without_memory(totals *t, const scenario *sc, const extent *x, uint64_t step)
{
    schedule none = {.n = 0};
    msgbuf msg = {.text = ""};
    extent again = *x;
    (void)run_one(sc, &none, &again, -1, &msg);
    for (uint64_t n = 1; n <= x->allocs; n += step) {
        schedule sch = {.f = {{(unsigned)n, MISHAP_MEMORY}}, .n = 1};
        long before = fault_alloc_live();
        again = *x;
        bool good = run_one(sc, &sch, &again, -1, &msg);
        if (good && fault_alloc_live() > before) {
            good = false;
            msg_set(&msg, "%ld allocations are not given back", fault_alloc_live() - before);
        }
        account(t, sc, &sch, good, &msg);
    }
}

/* Restarts, clocks and later orders at every packet; every kernel call; allocations, every step-th of them.
 */
static void run_mishaps(totals *t, const scenario *sc, const extent *x, unsigned allocs)
{
    for (unsigned k = 1; k <= x->packets; k++)
        for (int what = MISHAP_FIRST; what < MISHAP_KERNEL_MOON; what++)
            if (x->orders >= 2 || what > MISHAP_SECOND)
                try_mishap(t, sc, k, what, x->packets);
    for (int i = 0; i < 2; i++)
        for (unsigned k = 1; k <= x->kernel_calls[i]; k++)
            try_mishap(t, sc, k, MISHAP_KERNEL_MOON + i, x->packets);
    if (!fault_alloc_works())
        t->skipped++;
    else if (allocs)
        try_without_memory(t, sc, x, allocs < x->allocs ? x->allocs / allocs : 1);
}

static void run_scenario(totals *t, const scenario *sc, const effort *e)
{
    schedule none = {.n = 0};
    msgbuf msg = {.text = ""};
    extent x = {0};
    unsigned failed = t->failed, packets;
    bool good = run_one(sc, &none, &x, -1, &msg);
    packets = x.packets;
    t->reported = 0;
    account(t, sc, &none, good, &msg);
    if (!good) {
        t->skipped++; /* nothing to compare with */
        return;
    }
    for (unsigned k = 1; k <= packets; k++) {
        for (int i = 0; i < N_BAD; i++) {
            schedule sch = {.f = {{k, bad[i]}}, .n = 1};
            try_schedule(t, sc, &sch, packets);
        }
        schedule cut = {.f = {{k, SIM_CUT}}, .n = 1};
        try_schedule(t, sc, &cut, packets);
    }
    run_mishaps(t, sc, &x, e->allocs);
    if (e->pairs[0] != 'n')
        run_pairs(t, sc, packets, e->pairs[0] == 'a');
    run_random(t, sc, packets, e->random);
    run_hostile(t, sc, packets, e->random / 4 + 1);
    if (t->failed > failed + MAX_REPORTS)
        printf("... %u of %s\n", t->failed - failed, sc->name);
}

static bool parse_schedule(schedule *sch, const char *text)
{
    span rest = span_str(text), word, number;
    *sch = (schedule){.n = 0};
    while (span_cut(&rest, ',', &word)) {
        uint64_t k;
        int fate = 0;
        if (sch->n == MAX_FATES_GIVEN || !span_cut(&word, '=', &number) || !span_to_u64(number, 100000, &k))
            return false;
        while (fate < MISHAP_END && !span_equal(word, span_str(what_name(fate))))
            fate++;
        if (fate == MISHAP_END)
            return false;
        sch->f[sch->n++] = (fate_given){(unsigned)k, fate};
    }
    return true;
}

static int run_given(const char *name, const char *text, uint64_t seed, int log_level)
{
    schedule sch;
    if (!parse_schedule(&sch, text)) {
        fprintf(stderr, "%s: schedule '%s': K=WHAT,… with", self, text);
        for (int i = 0; i < MISHAP_END; i++)
            fprintf(stderr, " %s", what_name(i));
        fputc('\n', stderr);
        return 2;
    }
    sch.seed = seed;
    for (size_t i = 0; i < n_scenarios; i++) {
        if (strcmp(scenarios[i].name, name) != 0)
            continue;
        msgbuf msg = {.text = ""};
        extent x = {0};
        schedule none = {.n = 0};
        /* three times: what libraries keep for later is there when memory runs out */
        for (int warm = 0; sch.n && warm < 3; warm++, x.packets = warm < 3 ? 0 : x.packets)
            if (!run_one(&scenarios[i], &none, &x, -1, &msg))
                printf("undisturbed: %s\n", msg.text);
        bool good = run_one(&scenarios[i], &sch, &x, log_level, &msg);
        printf("%s: %s\n", name, good ? "good" : msg.text);
        return good ? 0 : 1;
    }
    fprintf(stderr, "%s: no scenario '%s'\n", self, name);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"only", required_argument, NULL, 'o'},
                                            {"pairs", required_argument, NULL, 'p'},
                                            {"random", required_argument, NULL, 'r'},
                                            {"seed", required_argument, NULL, 'e'},
                                            {"schedule", required_argument, NULL, 's'},
                                            {"allocs", required_argument, NULL, 'a'},
                                            {"long", no_argument, NULL, 'L'},
                                            {"list", no_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};
    const char *only = "*", *given = NULL;
    effort e = {"all", 100, 60};
    uint64_t seed = 0;
    int level = -1, c;
    fault_alloc_prepare();
    self = argv[0];
    while ((c = getopt_long(argc, argv, "v:", options, NULL)) >= 0) {
        if (c == 'o')
            only = optarg;
        else if (c == 'p')
            e.pairs = optarg;
        else if (c == 's')
            given = optarg;
        else if (c == 'r')
            e.random = (unsigned)atoi(optarg);
        else if (c == 'a')
            e.allocs = (unsigned)atoi(optarg);
        else if (c == 'L')
            e = (effort){"all", 2000, 1u << 30};
        else if (c == 'e')
            seed = strtoull(optarg, NULL, 10);
        else if (c == 'v')
            level = atoi(optarg);
        else if (c != 'l')
            return 2;
        for (size_t i = 0; c == 'l' && i < n_scenarios; i++)
            puts(scenarios[i].name);
        if (c == 'l')
            return 0;
    }
    if (given)
        return run_given(only, given, seed, level);
    totals t = {0};
    for (size_t i = 0; i < n_scenarios; i++)
        if (text_glob(span_str(only), span_str(scenarios[i].name)))
            run_scenario(&t, &scenarios[i], &e);
    sim_crypto_free();
    printf("sim: %u passed, %u failed, %u skipped\n", t.passed, t.failed, t.skipped);
    return t.failed ? 1 : 0;
}
