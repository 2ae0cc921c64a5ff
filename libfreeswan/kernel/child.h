/* What both daemons do with a negotiated child (IKEv2: CHILD_SA, IKEv1: the IPsec SA pair of a quick mode):
 * the SAs of both directions, the policies of every selector pair, the routes, the updown script. Everything
 * a kchild put into the kernel or the host it removes exactly once, whatever failed in between and in
 * whatever order its owner goes on.
 *
 *   kchild_new -> kchild_alloc_spi ... -> kchild_set_ts -> kchild_install_in -> kchild_install_out ->
 * kchild_install_policies
 *   -> kchild_script("up")   …rekeyed, updated, queried…   -> kchild_free
 *   trap (auto=route):  kchild_new -> kchild_set_ts -> kchild_route -> … -> kchild_free
 *
 * Not thread safe: it belongs to the mailbox of its SA. Calls block for a netlink round trip at most; scripts
 * run asynchronously.
 */
#pragma once
#include "libfreeswan/conf/conn.h"
#include "libfreeswan/kernel/kernel.h"
#include "libfreeswan/kernel/updown.h"

typedef struct kchild kchild;

/* What it works with; borrowed. host and updown may be NULL (tests): no routes, no scripts. */
typedef struct kchild_env {
    kernel *kernel;
    host *host;
    updown *updown;
} kchild_env;

typedef struct kchild_params {
    const conn *conn;  /* a reference is taken: name, firewall, hostaccess, updown, marks, installpolicy,
                          replay window */
    bool right_is_me;  /* which end of the conn is ours */
    const char *name;  /* NULL = conn->name */
    endpoint me, peer; /* outer addresses; ports as of the UDP encapsulation */
    bool udp_encap;
    sa_mode mode;
    uint32_t reqid;     /* never 0: reqids_get() or conn->reqid */
    uint64_t unique_id; /* PLUTO_UNIQUEID */
    ip_addr
        my_sourceip; /* virtual or configured source address; any = none. The owner adds it to the host. */
    bool peer_vip;   /* peer's selectors are a virtual IP we gave: no route unless the back end needs one */
    bool auto_down;  /* kchild_free() and kchild_update() run "down"/"up" themselves (charon); pluto: false */
    bool no_routes;  /* the owner (or its script) does the routes */
    kernel_lifetime
        life; /* for all SAs of it; zero = none. Time based rekeying is usually the daemon's own business */
    const char *my_id, *peer_id, *peer_ca, *xauth_id; /* for scripts; copied; NULL = unset */
    ip_addr next_hop;                                 /* PLUTO_NEXT_HOP; any = as the host routes it */
} kchild_params;

/* Keys and numbers of one protocol, both directions. ESP alone, AH alone, or IKEv1's ESP and AH together.
 * Spans are only read during kchild_install_*(). */
typedef struct kchild_sa {
    uint8_t proto; /* PROTO_ESP, PROTO_AH */
    encr_alg encr;
    integ_alg integ; /* INTEG_NONE with an AEAD */
    bool esn;
    uint32_t peer_spi; /* what the peer wants to see: our outbound SPI */
    span encr_key_in, integ_key_in, encr_key_out, integ_key_out; /* salt at the end of encr_key */
} kchild_sa;

status kchild_new(kchild **out, const kchild_env *env, const kchild_params *p, log_scope log) MUST_CHECK;
/* Runs "down" if auto_down and it is up; removes policies, routes, outbound, inbound and reserved SAs. NULL
 * ok. */
void kchild_free(kchild *c);

/* ---- set-up ---- */
/* Own inbound SPI (PROTO_ESP, PROTO_AH) or CPI (PROTO_IPCOMP), host order; the same one when asked again. */
status kchild_alloc_spi(kchild *c, ipsec_proto proto, uint32_t *spi) MUST_CHECK;
/* Gives back an SPI that the negotiation did not need (IPComp that the peer refused); nothing once it is
 * installed. */
void kchild_drop_spi(kchild *c, ipsec_proto proto);
/* The owner learns these only during negotiation. IKEv2 with several selectors: every pair of the same
 * family. */
status kchild_set_ts(kchild *c, const traffic_sel *mine, size_t n_mine, const traffic_sel *theirs,
                     size_t n_theirs) MUST_CHECK;
void kchild_set_mode(kchild *c, sa_mode mode);
void kchild_set_reqid(kchild *c, uint32_t reqid); /* before installation */
void kchild_set_endpoints(kchild *c, const endpoint *me, const endpoint *peer,
                          bool udp_encap); /* before installation */
void kchild_set_sourceip(kchild *c, const ip_addr *ip);
/* The child moves to another IKE_SA: from now on it speaks under that one's name. NULL child: nothing. */
void kchild_set_log(kchild *c, log_scope log);
void kchild_set_script_ids(kchild *c, const char *my_id, const char *peer_id, const char *peer_ca,
                           const char *xauth_id);
/* Both peers agreed on IPComp: our CPI is the one of kchild_alloc_spi(), theirs: */
void kchild_set_ipcomp(kchild *c, uint16_t peer_cpi);
/* n is 1 or 2. Each direction once. On failure what this call installed is removed again. */
status kchild_install_in(kchild *c, const kchild_sa *sas, size_t n) MUST_CHECK;
status kchild_install_out(kchild *c, const kchild_sa *sas, size_t n) MUST_CHECK;
/* Policies out, in and (tunnel) fwd for every pair, then the routes. Nothing with installpolicy=no. */
status kchild_install_policies(kchild *c) MUST_CHECK;
/* auto=route: kind POLICY_IPSEC = trap policies that raise acquire with our reqid; the other kinds are shunts
 * (type=passthrough, drop, reject, failureshunt). */
status kchild_route(kchild *c, policy_kind kind) MUST_CHECK;
void kchild_unroute(kchild *c);

/* ---- rekeying ---- both children have the same reqid. Call when `next` has both SAs and its policies: the
 * script stays up without running again if the selectors are the same, and `old` loses its outbound SAs; its
 * inbound ones live on until it is freed. */
void kchild_take_over(kchild *next, kchild *old);
void kchild_remove_out(kchild *c);
void kchild_remove_in(kchild *c);
void kchild_remove_policies(kchild *c); /* and routes */

/* ---- new addresses ---- NAT mapping, MOBIKE. SAs, policies and routes follow; counters and replay state are
 * kept. With auto_down the script sees "down" with the old addresses and "up" with the new. */
status kchild_update(kchild *c, const endpoint *me, const endpoint *peer, bool udp_encap) MUST_CHECK;

/* ---- scripts ---- action: "up", "down", "route", "unroute", "prepare". Once per selector pair, one after
 * another. done (may be NULL) comes once, as a job, with the first exit status that is not 0; at once with 0
 * when no script is configured. `up` and `down` are remembered: "down" when it is not up does nothing (done
 * comes with 0). */
status kchild_script(kchild *c, const char *action, updown_done_fn *done, void *ctx, uint64_t key);
bool kchild_is_up(const kchild *c);

/* ---- what it is ---- */
typedef struct kchild_stats {
    uint64_t bytes_in, bytes_out, packets_in, packets_out;
    int64_t use_in_s, use_out_s; /* wall; 0 = never */
    uint64_t replay_errors, integrity_failures;
} kchild_stats;
/* Figures of the SAs that are installed; what a removed direction had is kept. ST_NOT_FOUND: nothing
 * installed. */
status kchild_query(kchild *c, kchild_stats *out);
uint32_t kchild_reqid(const kchild *c);
sa_mode kchild_mode(const kchild *c);
bool kchild_udp_encap(const kchild *c);
uint32_t kchild_spi_in(const kchild *c, ipsec_proto proto); /* 0 = has none */
uint32_t kchild_spi_out(const kchild *c, ipsec_proto proto);
const kchild_sa *kchild_algs(const kchild *c, ipsec_proto proto); /* keys are empty; NULL if not installed */
size_t kchild_ts(const kchild *c, bool mine, const traffic_sel **out);
const endpoint *kchild_endpoint(const kchild *c, bool mine);
bool kchild_installed(const kchild *c, bool inbound);
bool kchild_has_policies(const kchild *c);
/* Is this event about one of our SAs? */
bool kchild_owns(const kchild *c, const kernel_sa_id *id, bool *inbound);

/* ---- reqids ---- one table per daemon; any thread. The same key gets the same number as long as somebody
 * holds it. */
typedef struct reqids reqids;
enum { REQID_CHARON_FIRST = 1, REQID_PLUTO_FIRST = 16384, REQID_PLUTO_STEP = 4 };
status reqids_new(reqids **out, uint32_t first, uint32_t step) MUST_CHECK;
void reqids_free(reqids *r);
/* 0: no memory. key: whatever makes it one child for the daemon, as the conn's name and instance. Empty:
 * always a new one. */
uint32_t reqids_get(reqids *r, span key);
/* One more user of it; 0: nobody has it any more, and it may soon be another's. */
uint32_t reqids_ref(reqids *r, uint32_t reqid);
void reqids_put(reqids *r, uint32_t reqid);
/* A number that was got without a key learns it: becomes the one of that key if there is one (the caller's
 * reference moves to it), else keeps its own under that key. Returns the number to be used; 0: no memory,
 * nothing has changed. */
uint32_t reqids_bind(reqids *r, uint32_t reqid, span key);
