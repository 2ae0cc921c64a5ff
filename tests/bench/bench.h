/* What the benches share: CPU time of the calling thread per operation, measured as the best of several
 * rounds, so that a neighbour on the machine makes a figure no worse.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double bench_cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef void bench_fn(void *ctx);

/* Seconds one call takes: seven rounds of about `round_s` seconds each, the fastest counts. */
static inline double bench_time(bench_fn *fn, void *ctx, double round_s)
{
    double best = 1e9;
    unsigned calls = 1;
    fn(ctx);
    for (;;) { /* how many calls make a round */
        double start = bench_cpu_s();
        for (unsigned i = 0; i < calls; i++)
            fn(ctx);
        double took = bench_cpu_s() - start;
        if (took > round_s / 4 || calls > 1u << 24) {
            calls = (unsigned)(calls * round_s / (took > 0 ? took : 1e-9)) + 1;
            break;
        }
        calls *= 4;
    }
    for (int round = 0; round < 7; round++) {
        double start = bench_cpu_s();
        for (unsigned i = 0; i < calls; i++)
            fn(ctx);
        double each = (bench_cpu_s() - start) / calls;
        if (each < best)
            best = each;
    }
    return best;
}

/* A step of a bench that must not fail: the figure would be of nothing. */
#define MUST(x)                                                                                              \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #x);                                   \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)
