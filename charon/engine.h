/* Inside of the engine: what the files of charon/ share. */
#pragma once
#include "charon/charon.h"
#include "charon/config/peer_cfg.h"
#include "charon/limits.h"
#include "charon/sa/ike_sa_table.h"
#include "charon/sa/last_words.h"
#include "libfreeswan/kernel/child.h"
#include <stdatomic.h>

/* A trap policy (auto=route): waits for a packet that wants a CHILD_SA. */
typedef struct trap {
    list_node node;
    char *name;
    peer_cfg *cfg;
    kchild *child;
    uint32_t reqid;
    bool pending; /* an acquire is being served */
} trap;

typedef struct charon_settings {
    int64_t retransmit_ms;
    double retransmit_base;
    unsigned retransmit_tries;
    int64_t keepalive_s;
    atomic_uint cookie_threshold; /* 0 = off; `config setup` may change it later */
    unsigned block_threshold;     /* 0 = off */
    bool reuse_ikesa, close_on_child_failure, install_vip;
    size_t fragment_size; /* octets of an IP packet; 0 = never cut */
    int64_t half_open_ms;
} charon_settings;

typedef struct cookie_secret {
    uint8_t key[32];
    uint8_t version;
} cookie_secret;

struct charon {
    const env *env;
    log_scope log;
    charon_settings set;
    sa_table *sas;
    last_words *last_words;
    idx children; /* child_sa.by_serial */
    conntab *conns;
    cfg_cache *cfgs;
    reqids *reqids;
    kchild_env kenv;
    int64_t started_wall_s, started_mono_ms;
    _Atomic uint64_t next_unique, next_channel, next_child;
    /* figures */
    atomic_uint half_open;
    _Atomic uint64_t n_cookies, n_packets, n_bad, n_failed, n_retransmits, n_replays, n_est_i, n_est_r,
        n_child, n_ike_rekeyed, n_child_rekeyed;
    /* cookie secrets: only the thread that takes packets touches them */
    cookie_secret cookie[2]; /* now, before */
    int64_t cookie_until_ms;
    /* trap policies */
    pthread_mutex_t trap_lock; /* guards traps; leaf */
    list traps;
    /* virtual addresses lent to peers: charon/config/lease.c */
    struct leases *leases;
    /* shutting down */
    atomic_bool closing;
    bool freeing;
    pthread_mutex_t close_lock; /* guards close_done; leaf */
    void (*close_done)(void *ctx);
    void *close_ctx;
    timer_id close_timer;
};

#define RT(ch) ((ch)->env->rt)
static inline uint32_t charon_random(charon *ch)
{
    return rng_u32(ch->env->crypto);
}
/* Tells a waiting client, as a job; *w is emptied. why may be NULL. */
void wait_done(charon *ch, charon_wait *w, status result, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* ---- gate.c: what happens to a packet before an IKE_SA sees it ---- */
void gate_receive(void *ctx, packet *p); /* net_ike_fn */

/* ---- trap.c ---- */
status trap_add(charon *ch, const char *name, msgbuf *msg) MUST_CHECK;
status trap_remove(charon *ch, const char *name) MUST_CHECK;
void trap_forget(charon *ch, const char *name); /* the same, whether there is one or not */
void trap_remove_all(charon *ch);
void trap_each(charon *ch, void (*fn)(void *ctx, const trap *t), void *ctx);
bool trap_exists(charon *ch, const char *name);
uint32_t trap_reqid(charon *ch, const char *name); /* referenced; 0 = there is no such trap */
void trap_set_kernel_events(charon *ch);

/* ---- config/lease.c: virtual addresses for peers ---- */
status leases_new(struct leases **out) MUST_CHECK;
void leases_free(struct leases *l);
/* An address for `id` from the pool text ("10.3.0.0/24", "10.3.0.5", "%config"); wanted may be unset. */
status leases_take(charon *ch, const char *pool, const ident *id, const ip_addr *wanted,
                   ip_addr *out) MUST_CHECK;
/* `ipsec leases`: the pool of that text under the name of its conn; only: one address, or NULL. */
void leases_put(charon *ch, const char *name, const char *pool, const ip_addr *only, buf *out);
void leases_give_back(charon *ch, const char *pool, const ip_addr *a);

/* ---- ops.c ---- */
/* Initiates the conn of that configuration: joins an IKE_SA with the same peer or makes a new one. reqid 0: a
 * new one. tries: how often before, for keyingtries. */
typedef struct initiate_args {
    peer_cfg *cfg;
    uint32_t reqid;
    unsigned tries;
    charon_wait wait;
    bool fresh; /* never join an IKE_SA that is there */
} initiate_args;
void charon_start(charon *ch, const initiate_args *a);
status charon_find_cfg(charon *ch, const char *name, peer_cfg **out, msgbuf *msg) MUST_CHECK;
