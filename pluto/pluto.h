/* The IKEv1 daemon as an object: `pluto` takes its clock, sockets, kernel, host, credentials and log from an
 * `env` and keeps no globals, so that several engines run in one process (simulator, tests, benches).
 *
 * Life of an engine: env_start() or a test's own env -> pluto_new() (takes the packets of env->net and the
 * events of env->kernel) -> pluto_add_conn(), pluto_listen(), … -> pluto_shutdown(), if scripts shall be
 * waited for -> pluto_free(), which sends Deletes and
 * removes what it put into the kernel. With a manual runtime everything happens inside runtime_step().
 *
 * Threads: every function may be called from any thread. An ISAKMP SA with its quick modes is one mailbox;
 * what several of them share (conns, routing, the state table) is behind one lock that is held only for
 * look-ups.
 */
#pragma once
#include "libfreeswan/conf/conn.h"
#include "libfreeswan/env/env.h"
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/run/ctlserver.h"

typedef struct pluto pluto;

/* Words of plutodebug, --debug-*; the bits of CTL_DEBUG_. PLDBG_ALL leaves PRIVATE and the impairments out.
 */
enum {
    PLDBG_RAW = 1,
    PLDBG_CRYPT = 2,
    PLDBG_PARSING = 4,
    PLDBG_EMITTING = 8,
    PLDBG_CONTROL = 16,
    PLDBG_LIFECYCLE = 32,
    PLDBG_KLIPS = 64,
    PLDBG_DNS = 128,
    PLDBG_NATT = 256,
    PLDBG_OPPO = 512,
    PLDBG_CONTROLMORE = 1024,
    PLDBG_ALL = 2047,
    PLDBG_PRIVATE = 4096,
};

typedef struct pluto_options {
    bool nat_traversal;         /* offer and accept NAT-T */
    bool disable_port_floating; /* only the method that stays on port 500; as there is no kernel for it, none
                                   at all */
    bool force_keepalive;
    int64_t keep_alive_s; /* 0 = 20 */
    bool uniqueids;
    bool nocrsend;
    int strictcrl;               /* as auth_wanted.strict_crl */
    unsigned debug;              /* PLDBG_ bits */
    const char *virtual_private; /* "%v4:10.0.0.0/8,%v4:!10.1.0.0/16"; copied */
    const char *interfaces;      /* blank-separated device names; NULL = all; copied */
    const char *myid;            /* %myid; copied */
    unsigned max_half_open;      /* 0 = PLUTO_MAX_HALF_OPEN */
    bool deaf;                   /* do not answer before pluto_listen() */
    bool no_vendor_id, no_xauth_vid;
    unsigned natt_best; /* for tests: the newest NAT-T method we know, a vid_kind; 0 = RFC 3947 */
} pluto_options;

/* Takes env->net's packets and env->kernel's events. */
status pluto_new(pluto **out, env *e, const pluto_options *opt, msgbuf *msg) MUST_CHECK;
/* Sends Deletes for everything that is up, removes SAs, policies and routes. Not while another thread is
 * inside; the runtime may still exist but must not run any more, or be manual. NULL ok. */
void pluto_free(pluto *p);
/* Says goodbye while the runtime still runs: Deletes, SAs and routes go, then the scripts are waited for.
 * done comes once, as a job, when nothing is left or grace_ms is over; pluto_free() does the rest. Once. */
void pluto_shutdown(pluto *p, int64_t grace_ms, void (*done)(void *ctx), void *ctx);

/* ---- who waits ----
 * Output of an operation: lines as whack shows them, each with its code, then done() once, when nothing of
 * what was asked for is under way any more. exit_code is what whack ends with (0 after a 004). Functions take
 * NULL for "nobody waits". line() and done() may be called from any worker, one at a time; never after
 * done(). */
typedef struct pluto_waiter {
    void (*line)(void *ctx, int code, const char *text);
    void (*done)(void *ctx, int exit_code);
    void *ctx;
} pluto_waiter;

/* ---- conns ---- takes its own reference. ST_EXISTS when the name is taken and replace is false; msg
 * explains. */
status pluto_add_conn(pluto *p, conn *c, bool replace, msgbuf *msg) MUST_CHECK;
/* Deletes its SAs (Deletes are sent), its routes and all its instances. */
status pluto_del_conn(pluto *p, const char *name) MUST_CHECK;

/* ---- operations on a conn by name ---- "name" stands for all of "name/1x1", "name/1x2", … They return at
 * once; the outcome goes to the waiter. async: the waiter is done as soon as it is started. */
void pluto_initiate(pluto *p, const char *name, bool async, const pluto_waiter *w);
void pluto_terminate(pluto *p, const char *name, const pluto_waiter *w);
void pluto_route(pluto *p, const char *name, const pluto_waiter *w);
void pluto_unroute(pluto *p, const char *name, const pluto_waiter *w);
/* One state (#serial) with its SAs; an ISAKMP SA leaves its IPsec SAs standing. */
void pluto_delete_state(pluto *p, uint64_t serial, const pluto_waiter *w);
/* All states of a peer, without telling it: --crash */
void pluto_crash(pluto *p, const ip_addr *peer, const pluto_waiter *w);

void pluto_listen(pluto *p);
void pluto_unlisten(pluto *p);
void pluto_set_debug(pluto *p, const char *name, unsigned bits); /* name NULL: the daemon's */
void pluto_set_myid(pluto *p, const char *id);

/* ---- status ---- lines as in `ipsec status`, without "000 "; name NULL: all */
typedef void pluto_line_fn(void *ctx, const char *text);
void pluto_status(pluto *p, bool all, const char *name, pluto_line_fn *fn, void *ctx);
/* The same as a JSON document; with a name: its credentials, too. */
status pluto_status_json(pluto *p, const char *name, buf *out) MUST_CHECK;
/* the bits of CTL_LIST_ */
enum {
    PLIST_ALGS = 1,
    PLIST_PUBKEYS = 2,
    PLIST_CERTS = 4,
    PLIST_CACERTS = 8,
    PLIST_ACERTS = 16,
    PLIST_AACERTS = 32,
    PLIST_OCSPCERTS = 64,
    PLIST_GROUPS = 128,
    PLIST_CAINFOS = 256,
    PLIST_CRLS = 512,
    PLIST_OCSP = 1024,
    PLIST_CARDS = 2048,
    PLIST_ALL = 4095,
};
void pluto_list(pluto *p, unsigned what, bool utc, pluto_line_fn *fn, void *ctx);

/* ---- figures, for tests and metrics ---- */
typedef struct pluto_state_info {
    uint64_t serial, isakmp; /* isakmp: the phase 1 state it belongs to; = serial for phase 1 */
    const char *conn;        /* "rw" */
    unsigned instance;       /* 0 = none */
    const char *state;       /* "STATE_MAIN_I4" */
    bool phase1, established, initiator;
    endpoint local, peer;
    uint32_t spi_in, spi_out; /* ESP, or AH if there is no ESP */
    uint8_t cookies[16];
} pluto_state_info;
void pluto_each_state(pluto *p, void (*fn)(void *ctx, const pluto_state_info *st), void *ctx);

typedef struct pluto_stats {
    size_t isakmp, isakmp_established, quick, quick_established, half_open, conns, instances, pending;
    uint64_t packets_in, packets_out, packets_dropped, retransmits, half_open_evicted;
    uint64_t isakmp_rekeyed, quick_rekeyed; /* by us: a state took the place of an older one */
} pluto_stats;
void pluto_get_stats(pluto *p, pluto_stats *out);

/* ---- whack ---- the `handle` of ctl_server_config with magic CTL_MAGIC_WHACK, ctx = the engine; `shutdown`
 * is called for
 * --shutdown. */
void pluto_whack_handle(void *p, ctl_client *client, uint16_t type, span body);
void pluto_on_shutdown(pluto *p, void (*fn)(void *ctx), void *ctx);
