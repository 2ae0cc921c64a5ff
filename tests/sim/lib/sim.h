/* The simulator's world: hosts with one daemon each, on one manual runtime, one virtual clock and one virtual
 * network that loses, doubles, delays and reorders what a schedule says. Nothing in it waits, and a run with
 * the same seed and schedule is the same run.
 *
 *   sim_new -> sim_host_new (per machine) -> charon_new(&c, sim_env(h), …) -> sim_run_until …
 *   -> charon_free -> sim_free (frees the hosts)
 *
 * One thread. One world at a time: the random numbers of the shared crypto registry belong to it.
 */
#pragma once
#include "libfreeswan/env/env.h"
#include "libfreeswan/kernel/fake.h"
#include "libstrongswan/base/buf.h"

enum {
    SIM_LATENCY_MS = 10,
    SIM_START_WALL_S = 1800000000,
    SIM_MAX_HOSTS = 16,
    SIM_MAX_ADDRS = 8,
    SIM_MAX_FATES = 64
};

typedef struct sim sim;
typedef struct sim_host sim_host;

typedef enum sim_fate {
    SIM_DELIVER,
    SIM_DROP,
    SIM_DUP,   /* arrives twice, one latency apart */
    SIM_DELAY, /* arrives behind the next packet that somebody sends */
    SIM_LATE,  /* arrives SIM_LATE_MS later: after retransmissions of it */
    SIM_CUT,   /* it and all behind it are lost */
    /* and what somebody on the way may do */
    SIM_REPLAY, /* arrives, and again SIM_REPLAY_MS later */
    SIM_GARBLE, /* arrives with one bit turned over (seed tells which) */
    SIM_FORGE,  /* a copy with one bit turned over arrives first */
    SIM_SHORT,  /* a copy that was cut short arrives first */
    SIM_FATE_COUNT
} sim_fate;
enum { SIM_LATE_MS = 6000, SIM_REPLAY_MS = 25000 };
extern const char *const sim_fate_names[SIM_FATE_COUNT]; /* "deliver", "drop", … */

typedef struct sim_config {
    uint64_t seed;
    int log_level; /* of all hosts, to stderr; -1 = silent */
} sim_config;
status sim_new(sim **out, const sim_config *cfg) MUST_CHECK;
void sim_free(sim *s); /* engines must be gone */

/* ---- hosts ---- */
typedef struct sim_host_config {
    const char *name, *daemon; /* "moon", "charon" */
    const char *addrs;         /* blank-separated; the first is where packets come from */
    const char *settings;      /* text of a strongswan.conf; NULL = none */
    uint32_t first_spi;        /* 0 = a range of its own per host */
    unsigned kernel_features;  /* 0 = all the fake has */
} sim_host_config;
status sim_host_new(sim_host **out, sim *s, const sim_host_config *cfg) MUST_CHECK;
env *sim_env(sim_host *h);
/* A pre-shared key for every peer. */
status sim_psk(sim_host *h, const char *words) MUST_CHECK;
/* Puts the host behind a NAT: its packets leave from `pub` with other ports, and come back through it. NULL:
 * no more; the mapping of the old flow is forgotten. */
void sim_nat(sim_host *h, const char *pub);
/* Another address instead of the first one: the host tells its daemon. */
void sim_move(sim_host *h, const char *addr);
/* Cut off: everything from and to it is lost. */
void sim_unplug(sim_host *h, bool off);
/* What a daemon left on its host: virtual addresses and routes it added and did not remove. */
size_t sim_host_leftovers(sim_host *h);
/* UDP payload of ESP or a keepalive that the host has got and no engine took. */
unsigned sim_keepalives(const sim_host *h);

/* ---- schedule ---- packets are counted from sim_arm() on, over all hosts, from 1, retransmissions too */
void sim_arm(sim *s);
/* Fate of the k-th packet; every fate may be given for several packets. SIM_DELIVER forgets. */
void sim_fate_of(sim *s, unsigned k, sim_fate fate);
void sim_fates_clear(sim *s);
unsigned sim_sent(const sim *s);   /* IKE packets sent since sim_arm() */
uint64_t sim_octets(const sim *s); /* and their octets */
/* Sees every IKE packet as it is sent; NULL ends. */
typedef void sim_tap_fn(void *ctx, unsigned k, const endpoint *from, const endpoint *to, span data);
void sim_tap(sim *s, sim_tap_fn *fn, void *ctx);
/* Something that is no engine's: arrives at `to` after the usual latency. */
status sim_inject(sim *s, const endpoint *from, const endpoint *to, span data) MUST_CHECK;

/* ---- time ---- */
runtime *sim_runtime(sim *s);
int64_t sim_now_ms(const sim *s);
/* Runs everything that is due within the next ms. */
void sim_run(sim *s, int64_t ms);
/* Runs until pred says true (looked at after each step), at most ms; false: it never did. */
bool sim_run_until(sim *s, int64_t ms, bool (*pred)(void *ctx), void *ctx);
/* The wall clock is set, forwards or back; the monotonic one does not notice. */
void sim_wall_jump(sim *s, int64_t seconds);
/* All hosts sleep: time passes and no timer runs, whatever was due. */
void sim_gap(sim *s, int64_t ms);
/* More steps than a sane run takes within one virtual moment: somebody spins. */
bool sim_spins(const sim *s);

/* ---- shared by all worlds of the process ---- loaded once, random numbers from the present world */
const crypto *sim_crypto(void);
void sim_crypto_free(void);
