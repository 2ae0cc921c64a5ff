/* An IKE_SA: a reference-counted object with a mailbox. Packets, timers, kernel events and orders are posted
 * to it; at most one worker runs it, holding sa->lock, so handlers use its fields freely. Others may read it
 * only with the lock held (status), never from inside another IKE_SA's mail - but for a new IKE_SA that
 * replaces an old one: lock order is by serial number, the older first.
 *
 * Life: ike_sa_new() -> in the table -> CONNECTING -> ESTABLISHED -> REKEYING / DELETING -> ike_sa_destroy():
 * out of the table, timers cancelled, mailbox closed, children removed, waiting clients told -> freed with
 * the last reference.
 */
#pragma once
#include "charon/engine.h"
#include "charon/sa/child_sa.h"
#include "charon/sa/ike_sa_table.h"
#include "charon/sa/keymat.h"
#include "charon/task/task.h"
#include "libstrongswan/run/runtime.h"

typedef enum ike_timer {
    T_RETRANSMIT,
    T_REKEY,
    T_REAUTH,
    T_EXPIRE,
    T_DPD,
    T_KEEPALIVE,
    T_HALF_OPEN,
    T_RETRY,
    T_REFUSED,
    T_COUNT
} ike_timer;

/* What only the first two exchanges need; freed when the IKE_SA is established. */
typedef struct handshake {
    dh *dh;
    uint8_t ni[NONCE_MAX], nr[NONCE_MAX];
    size_t ni_n, nr_n;
    proposal chosen;
    buf init_request, init_response; /* as on the wire */
    uint8_t cookie[COOKIE_MAX];
    size_t cookie_n;
    uint16_t group; /* of our KE; 0 = first of the proposal */
    unsigned restarts;
    const char *auth_text; /* the method we used */
    msgbuf refusal;        /* why the peer seems to refuse, in clear */
    bool peer_asked_cert;  /* it sent CERTREQ */
    ident *asked_ca;       /* of the first CERTREQ hash that we know; NULL */
} handshake;

/* One exchange outstanding, ours. */
typedef struct exchange_out {
    bool active;
    uint8_t exchange;
    uint32_t mid; /* of the outstanding or the next request */
    ikev2_packets packets;
    unsigned tries;
    int64_t sent_ms;
} exchange_out;
/* The peer's requests: the next message ID and the last answer. */
typedef struct exchange_in {
    uint32_t mid;  /* expected */
    bool answered; /* mid-1 */
    uint64_t hash; /* of the request answered (of its first fragment) */
    ikev2_packets packets;
} exchange_in;

struct ike_sa {
    refcount refs;
    mailbox mb;
    pthread_mutex_t lock;
    charon *ch;
    sa_nodes nodes;
    log_scope log;
    char name[80]; /* log.name points here */

    uint64_t unique;
    _Atomic int state; /* ike_state */
    bool initiator;    /* of this IKE_SA */
    uint64_t spi_i, spi_r, init_hash;
    endpoint local, remote;
    uint8_t family; /* of the addresses; never changes */
    bool natt;      /* on port 4500 */
    bool nat_local, nat_remote, nat_faked;
    bool fragment;        /* peer reassembles */
    uint32_t peer_hashes; /* RFC 7427; 0 = not announced */
    bool authenticated, peer_authenticated;
    bool counted_half_open;

    peer_cfg *cfg; /* responder: set in IKE_AUTH */
    ident *my_id, *peer_id;
    cert *peer_cert; /* it authenticated with; NULL */
    keymat keys;
    proposal prop; /* of this IKE_SA */
    handshake *hs;
    ip_addr vip;      /* we got (initiator) */
    ip_addr peer_vip; /* we gave */
    char *vip_pool;

    list queued, active; /* tasks; active ones make up the outstanding exchange */
    exchange_out out;
    exchange_in in;
    ikev2_defrag *defrag_in, *defrag_out;

    list children;
    unsigned n_children;
    timer_id timer[T_COUNT];
    uint8_t timer_gen[T_COUNT];
    int64_t timer_due[T_COUNT]; /* mono ms, for status */
    int64_t last_in_ms, last_out_ms;
    int64_t created_ms;
    _Atomic int64_t established_ms; /* others look when they decide who stays */
    unsigned tries;                 /* keyingtries used up */
    charon_wait wait;               /* whoever waits for its end */
    struct ike_rekey_state {
        ike_sa *theirs; /* new IKE_SAs of a simultaneous rekeying, held until it is decided */
        uint8_t low_theirs[NONCE_MAX];
        size_t low_theirs_n;
    } rekey;
    uint64_t
        lost_rekey; /* serial of a CHILD_SA both rekeyed, that the peer has closed for its own successor */
    bool replaced;  /* rekeyed: its children live in another one */
    bool reauth_pending;
    const char *end_reason;
};

status ike_sa_new(ike_sa **out, charon *ch,
                  bool initiator) MUST_CHECK; /* referenced; own SPI and serial are set */
ike_sa *ike_sa_ref(ike_sa *sa);
void ike_sa_unref(ike_sa *sa);
uint64_t ike_sa_own_spi(const ike_sa *sa);
void ike_sa_set_cfg(ike_sa *sa, peer_cfg *cfg); /* takes a reference; names the log scope */

static inline ike_state ike_sa_state(const ike_sa *sa)
{
    return (ike_state)atomic_load_explicit(&sa->state, memory_order_acquire);
}
void ike_sa_set_state(ike_sa *sa, ike_state st); /* logs the change */
/* The end, from inside its own mail (or when nothing runs). Idempotent. */
void ike_sa_destroy(ike_sa *sa);

/* ---- mail ---- any thread; false: the SA is gone or has too much mail; arg is then the caller's again */
typedef void ike_sa_fn(ike_sa *sa, void *arg);
bool ike_sa_post(ike_sa *sa, ike_sa_fn *fn, void (*drop)(void *arg), void *arg);
bool ike_sa_post_unique(charon *ch, uint64_t unique, ike_sa_fn *fn, void (*drop)(void *arg), void *arg);

/* ---- timers ---- inside */
void ike_sa_timer(ike_sa *sa, ike_timer which, int64_t delay_ms);
void ike_sa_timer_stop(ike_sa *sa, ike_timer which);
int64_t ike_sa_timer_left(const ike_sa *sa, ike_timer which); /* ms, -1 = not set */

/* ---- events of its life ---- sa/ike_life.c */
void ike_sa_established(ike_sa *sa);                     /* timers, log lines, uniqueids; both roles */
bool ike_sa_unique(ike_sa *sa, bool initial_contact);    /* responder: false = must not be */
void ike_sa_prepare_successor(ike_sa *to, ike_sa *from); /* rekeying: keys are made; published in the table */
void ike_sa_schedule(ike_sa *sa);                        /* rekey, reauth, dpd, keepalive timers */
void ike_sa_failed(ike_sa *sa, status st,
                   const char *why);           /* not established: retry or give up, then destroy */
void ike_sa_peer_dead(ike_sa *sa);             /* retransmissions exhausted */
void ike_sa_reauth(ike_sa *sa);                /* new IKE_SA with the same children */
void ike_sa_inherit(ike_sa *to, ike_sa *from); /* children, identity, virtual addresses after a rekeying */
void ike_sa_children_again(ike_sa *sa, dpd_action action, const char *only);  /* after their SA is gone */
void ike_sa_moved(ike_sa *sa, const endpoint *local, const endpoint *remote); /* NAT mapping changed */
void ike_sa_on_timer(ike_sa *sa, ike_timer which);
void ike_sa_send_keepalive(ike_sa *sa);
void ike_sa_forget_handshake(ike_sa *sa);

child_sa *ike_sa_child_by_spi_out(ike_sa *sa, uint32_t spi);
child_sa *ike_sa_child_by_spi_in(ike_sa *sa, uint32_t spi);
child_sa *ike_sa_child_by_serial(ike_sa *sa, uint64_t serial);

/* Text "A[ID]" for the log. */
#define SA_ID(id) ((id) ? IDENT_STR(id) : "%any")
