/* A CHILD_SA: the protocol's view (state, selectors, nonces of a collision) around a kchild, which is the
 * kernel's view. Belongs to its IKE_SA. Named across time by serial number; the engine's index child serial
 * -> IKE_SA is child_owner.
 */
#pragma once
#include "charon/engine.h"
#include "charon/sa/index.h"

typedef struct child_sa {
    list_node node;
    charon *ch;
    struct ike_sa *sa;      /* owner; changes when the IKE_SA is rekeyed */
    idx_node by_serial;     /* in the engine's index */
    _Atomic uint64_t owner; /* serial number of sa, for those who find the child in the index */
    peer_cfg *cfg;
    kchild *k;
    uint64_t serial;
    _Atomic uint32_t reqid;
    bool reqid_free; /* nobody else knows it: may change until the SAs are installed */
    child_state state;
    bool initiator;    /* we began the exchange that made it */
    bool rekeyed;      /* a successor is there: policies and script are its business */
    uint64_t replaces; /* serial of the one it came for; 0: none */
    bool redundant;    /* lost a simultaneous rekeying */
    bool delete_sent, peer_deleted;
    uint32_t spi_in, spi_out;
    uint16_t cpi_in, cpi_out;
    sa_mode mode;
    proposal prop;
    traffic_sel *mine,
        *theirs; /* one block: room for MAX_TS each while they are negotiated, then just these */
    size_t n_mine, n_theirs;
    struct child_sa *successor_theirs; /* the peer's new CHILD_SA while we rekey this one ourselves */
    uint8_t low_theirs[NONCE_MAX];     /* lower nonce of the exchange that made successor_theirs */
    size_t low_theirs_n;
    struct late_keys *late; /* the outbound SA waits for the peer */
    timer_id rekey_timer, expire_timer, late_timer;
    int64_t rekey_due_ms, installed_ms;
} child_sa;

status child_sa_new(child_sa **out, struct ike_sa *sa, peer_cfg *cfg, uint32_t reqid) MUST_CHECK;
/* Out of its IKE_SA's list, timers cancelled, kernel state removed. */
void child_sa_free(child_sa *c);
status child_sa_alloc_spi(child_sa *c) MUST_CHECK; /* spi_in, and cpi_in if the conn compresses */
/* Keys and the peer's SPI are known: installs everything. initiator: of the exchange. */
typedef struct child_install {
    bool initiator;
    span shared, ni, nr;
    child_sa *replaces; /* rekeying */
    bool collision;     /* both sides rekey: who takes over is decided later */
} child_install;
status child_sa_install(child_sa *c, const child_install *in) MUST_CHECK;
/* Installs an outbound SA that waited for the peer to have the new keys, too. */
void child_sa_complete(child_sa *c);
void child_sa_predecessor_gone(child_sa *c); /* c is about to be freed */
void child_sa_wait_for_peer(child_sa *c);    /* child_sa_complete() after LATE_MS */
void child_sa_forget_keys(child_sa *c);
void child_sa_set_state(child_sa *c, child_state st);
/* The SA is replaced: its selectors belong to the successor. */
void child_sa_replaced(child_sa *c, child_sa *successor);
void child_sa_schedule(child_sa *c);
void child_sa_stop_timers(child_sa *c);
/* kernel events; ctx is the engine */
void child_sa_on_expire(void *ctx, const kernel_sa_id *id, uint32_t reqid, bool hard);
void child_sa_on_mapping(void *ctx, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer);
/* "10.8.0.0/16 === 10.9.0.0/16" with a blank behind, as status and log have it */
void child_sa_put_ts(const child_sa *c, buf *out);
#define CHILD_TS_TEXT 1024
char *child_ts_text(const traffic_sel *mine, size_t n_mine, const traffic_sel *theirs, size_t n_theirs,
                    char *dst, size_t size);
