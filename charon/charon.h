/* The IKEv2 daemon's engine: IKE_SAs, CHILD_SAs, the conns they come from, and what people can ask it to do.
 * RFC 7296, 7383 (fragmentation), 7427 (signatures), 6989 (DH checks).
 *
 * Life: env_start() or a test puts an `env` together -> charon_new() takes over the net's IKE packets and the
 * kernel's events -> conns are added, SAs come and go -> charon_shutdown() says goodbye to peers while the
 * runtime still runs -> charon_free() removes whatever is left. There are no globals: several engines may
 * live in one process, also on one manual runtime with a virtual network (tests/sim).
 *
 * Thread rule: everything here may be called from any thread, but for charon_new() and charon_free(), which
 * want no other call in progress (charon_free(): after runtime_run() returned, or on a manual runtime between
 * two steps). `done` functions run as jobs on workers; they may call back in here.
 */
#pragma once
#include "libfreeswan/conf/conn.h"
#include "libfreeswan/conf/conntab.h"
#include "libfreeswan/env/env.h"
#include "libstrongswan/base/buf.h"

typedef struct charon charon;

/* Borrows *e and what it points to. Settings read once: charon.retransmit_timeout/_base/_tries, keep_alive,
 * cookie_threshold, block_threshold, dos_protection, reuse_ikesa, close_ike_on_child_failure, fragment_size,
 * half_open_timeout, install_virtual_ip. */
status charon_new(charon **out, const env *e, msgbuf *msg) MUST_CHECK;
/* Sends a Delete for every established IKE_SA, removes every CHILD_SA, policy and virtual address, frees all.
 * NULL ok. */
void charon_free(charon *c);
/* Deletes all SAs properly: done runs once when the last one is gone, or after grace_ms. No new SAs from now
 * on. */
void charon_shutdown(charon *c, int64_t grace_ms, void (*done)(void *ctx), void *ctx);

/* ---- configuration ---- */
/* Adds a conn (own reference). A conn of that name that is there: ST_EXISTS unless it is equal, then ST_OK.
 * auto= is the caller's business: route and initiate are calls of their own. msg says why not. */
status charon_add_conn(charon *c, conn *cn, msgbuf *msg) MUST_CHECK;
/* SAs that use it stay; a trap policy of that name is removed. */
status charon_del_conn(charon *c, const char *name, msgbuf *msg) MUST_CHECK;
status charon_add_ca(charon *c, const ca_section *ca, msgbuf *msg) MUST_CHECK;
status charon_del_ca(charon *c, const char *name, msgbuf *msg) MUST_CHECK;
/* Virtual IP pools and the like are seen through the conns. The table is shared with the engine; any thread.
 */
conntab *charon_conns(charon *c);

/* ---- operations ---- */
/* A client that waits. channel: events of the operation are logged to this channel of the log bus
 * (log_listen() before the call; charon_new_channel() gives a number nobody else uses); 0 = none. done (may
 * be NULL) is called exactly once: ST_OK, or why not and a sentence. */
typedef struct charon_wait {
    uint64_t channel;
    void (*done)(void *ctx, status result, const char *why);
    void *ctx;
} charon_wait;
uint64_t charon_new_channel(charon *c);
/* Each takes w by value; NULL = nobody waits. */
void charon_initiate(charon *c, const char *name, const charon_wait *w);
/* "NAME", "NAME[]", "NAME[N]", "[N]": IKE_SA; "NAME{}", "NAME{N}", "{N}": CHILD_SA; [*] and {*}: all of that
 * name. */
void charon_terminate(charon *c, const char *what, const charon_wait *w);
/* Every IKE_SA whose peer (or we) got a virtual address from..to. Returns how many are asked to end. */
unsigned charon_terminate_vip(charon *c, const ip_addr *from, const ip_addr *to);
void charon_route(charon *c, const char *name, const charon_wait *w);
void charon_unroute(charon *c, const char *name, const charon_wait *w);
/* Tests and scripts: rekey now. "NAME", "NAME[N]", "NAME{N}" as above. */
void charon_rekey(charon *c, const char *what, const charon_wait *w);
void charon_reauth(charon *c, const char *what, const charon_wait *w);

/* ---- what there is ---- */
/* `ipsec status` / `statusall`, exactly as scripts know it; name NULL = everything. */
void charon_status(charon *c, const char *name, bool all, buf *out);
/* The same and the conns that are down as a JSON document; with a name: its credentials, too. */
status charon_status_json(charon *c, const char *name, buf *out) MUST_CHECK;

typedef enum ike_state {
    IKE_CREATED,
    IKE_CONNECTING,
    IKE_ESTABLISHED,
    IKE_REKEYING,
    IKE_DELETING,
    IKE_DESTROYED,
    IKE_STATE_COUNT
} ike_state;
typedef enum child_state {
    CHILD_CREATED,
    CHILD_ROUTED,
    CHILD_INSTALLED,
    CHILD_REKEYING,
    CHILD_DELETING,
    CHILD_STATE_COUNT
} child_state;
extern const enum_names ike_state_names, child_state_names; /* "ESTABLISHED", "INSTALLED", … */

/* Snapshots for tests and metrics; strings are valid during the call. */
typedef struct charon_ike_info {
    const char *name;
    uint64_t unique;
    ike_state state;
    bool initiator; /* of the IKE_SA: are the _i SPI ours */
    uint64_t spi_i, spi_r;
    endpoint local, remote;
    const char *my_id, *peer_id;
    bool nat_local, nat_remote, fragmentation;
    unsigned children;
} charon_ike_info;
typedef struct charon_child_info {
    const char *name;
    uint64_t ike_unique;
    uint32_t reqid;
    child_state state;
    uint32_t spi_in, spi_out;
    uint16_t cpi_in, cpi_out;
    sa_mode mode;
    bool udp_encap, esn;
} charon_child_info;
void charon_each_ike(charon *c, bool (*fn)(void *ctx, const charon_ike_info *i), void *ctx);
void charon_each_child(charon *c, bool (*fn)(void *ctx, const charon_child_info *i),
                       void *ctx); /* trap policies too */

typedef struct charon_stats {
    unsigned ike[IKE_STATE_COUNT], child[CHILD_STATE_COUNT]; /* now */
    unsigned half_open;                                      /* responder, not authenticated */
    uint64_t cookies_sent, packets_in, packets_bad, handshakes_failed, retransmits, replays_answered;
    uint64_t established_initiator, established_responder, child_created, ike_rekeyed, child_rekeyed;
} charon_stats;
void charon_get_stats(charon *c, charon_stats *out);

/* ---- the stroke socket ---- charon/plugins/stroke */
typedef struct stroke_server stroke_server;
/* path NULL = the built-in one. sinks: ids of log sinks whose levels `stroke loglevel` changes, 0 ends; NULL
 * = none. */
status stroke_server_new(stroke_server **out, charon *c, const char *path, const uint64_t *sinks,
                         msgbuf *msg) MUST_CHECK;
void stroke_server_free(stroke_server *s);
