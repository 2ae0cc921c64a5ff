/* Exhaustive schedules: two engines of one protocol, what they are asked to do, what must hold afterwards. */
#pragma once
#include "charon/charon.h"
#include "pluto/pluto.h"
#include "tests/sim/lib/sim.h"

enum { MAX_SAS = 16, MAX_FATES_GIVEN = 8 };

typedef struct sa_pair {
    uint64_t a, b; /* IKE: SPIs or cookies of initiator and responder; child: inbound, outbound */
} sa_pair;

/* What one end has, in the words both protocols share. */
typedef struct snapshot {
    sa_pair ike[MAX_SAS], child[MAX_SAS];
    unsigned n_ike, n_child; /* established; installed */
    unsigned other;          /* under way: not to be there in a state of rest */
} snapshot;

typedef struct party {
    sim_host *host;
    charon *ch;
    pluto *pl;
} party;

typedef enum goal {
    GOAL_UP = 1,        /* one IKE SA and one child at both ends, traffic passes */
    GOAL_NEW_CHILD = 2, /* … and the child is not the one of before */
    GOAL_NEW_IKE = 4,   /* … nor the IKE SA */
    GOAL_DOWN = 8,      /* nothing at both ends */
    GOAL_TWINS = 16,    /* up, but both began at once and each may have its own */
    GOAL_NO_CHILD = 32  /* the IKE SA stands alone */
} goal;

enum {
    TWIST_NAT = 1,
    TWIST_WRONG_PSK = 2,
    TWIST_NO_TRAFFIC = 4,
    TWIST_TRAP = 16,
    TWIST_CLEAR = 8 /* a handshake is part of it */
};

/* What else may happen, numbered on from the fates of a packet: after the k-th packet, or at the k-th call.
 */
typedef enum mishap {
    MISHAP_FIRST = SIM_FATE_COUNT, /* the first (second) order is given only then */
    MISHAP_SECOND,
    MISHAP_RESTART_MOON, /* the engine says goodbye and is made anew */
    MISHAP_RESTART_SUN,
    MISHAP_CRASH_MOON, /* nobody hears the goodbyes */
    MISHAP_CRASH_SUN,
    MISHAP_WALL_ON, /* the wall clock jumps by a year, the monotonic one does not */
    MISHAP_WALL_BACK,
    MISHAP_GAP,         /* both sleep for ten minutes; timers that were due are late */
    MISHAP_LONG_GAP,    /* … for four hours */
    MISHAP_KERNEL_MOON, /* the k-th changing call of the kernel fails */
    MISHAP_KERNEL_SUN,
    MISHAP_MEMORY, /* the k-th allocation of all fails */
    MISHAP_END
} mishap;
const char *what_name(int what);

typedef struct world world;
typedef struct scenario {
    const char *name;
    bool v1;
    const char *conf;     /* lines added to the conn */
    const char *conf_sun; /* and those of sun alone */
    bool established;     /* the SAs are there before the packets are counted */
    void (*act)(world *w);
    int64_t settle_ms; /* how long things may take with losses */
    unsigned goals;
    unsigned waiters;     /* that must have been told */
    const char *settings; /* text of both strongswan.conf */
    unsigned twists;
} scenario;
extern const scenario scenarios[];
extern const size_t n_scenarios;

typedef struct fate_given {
    unsigned k;
    int fate; /* sim_fate or mishap */
} fate_given;
typedef struct schedule {
    fate_given f[MAX_FATES_GIVEN];
    unsigned n;
    uint64_t seed;
} schedule;

struct world {
    const scenario *sc;
    sim *s;
    party p[2]; /* moon, sun */
    snapshot before[2];
    unsigned told; /* calls of done */
    const schedule *sch;
    bool waited;     /* until lifetimes ended what nobody noticed */
    bool armed;      /* what comes now is act's */
    unsigned orders; /* given by act */
    struct {
        const char *what; /* NULL: nothing waits */
        const char *arg;
        int who;
    } deferred;
    unsigned due;                    /* bit i: of sch->f[i] */
    uint64_t kernel_calls[2], count; /* before act; allocations of it */
};

/* parties.c */
status world_new(world *w, const scenario *sc, const schedule *sch, int log_level, msgbuf *msg);
void world_free(world *w);
void party_snapshot(const party *p, snapshot *out);
void order_up(world *w, int who);
void order_down(world *w, int who);
void order_rekey(world *w, int who, const char *what);
void order_reauth(world *w, int who);
/* a trap policy, and a packet of that host that meets it */
void order_trap(world *w, int who);
void meet_trap(world *w, int who);
/* Everything that is due within the next ms, and the mishaps. */
void world_run(world *w, int64_t ms);
/* frees the engines: what they leave behind is looked at after it */
void engines_free(world *w);

/* checks.c: what is wrong now, in *msg; false: something is */
bool check_rest(world *w, const schedule *sch, unsigned packets_undisturbed, msgbuf *msg);
bool check_after(world *w, msgbuf *msg);
/* Both up, traffic passes. */
bool check_up(world *w, msgbuf *msg);
/* The goal may be missed, as long as both agree and can begin anew. */
bool is_shaken(const schedule *sch);

/* mishaps.c */
void mishaps_arm(world *w); /* before act */
void mishap_happens(world *w, int what);
bool mishaps_defer(world *w, const char *what, const char *arg, int who);
status party_restart(world *w, int i, bool silent, msgbuf *msg); /* parties.c */
void order(world *w, const char *what, const char *arg, int who);
