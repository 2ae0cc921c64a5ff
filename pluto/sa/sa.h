/* What the IKEv1 engine keeps: conns with their instances, states, ISAKMP SAs, quick modes. Internal to
 * pluto/.
 *
 * An `ike` is one ISAKMP SA and the quick modes made under it. Its phase 1 state can end earlier than its
 * quick modes; then the ike lives on as their owner until the last one is gone. All ikes with one address of
 * a peer share a mailbox. A `pstate` is what both kinds of state have in common; it has a serial number (#1,
 * #2, …), which is what timers and other SAs know it by.
 *
 * Locking: pluto.lock guards the tables, every `pconn`'s fields below "dynamic", and those fields of states
 * that the status shows (marked L: written under the lock by the owner's mailbox, read by it without). It is
 * a leaf but for the mailbox lock: nothing is called under it but hash maps and mailbox_post().
 */
#pragma once
#include <stdatomic.h>
#include "libfreeswan/kernel/child.h"
#include "libfreeswan/wire/ikev1_payloads.h"
#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/list.h"
#include "libstrongswan/base/refcount.h"
#include "pluto/limits.h"
#include "pluto/pluto.h"
#include "pluto/sa/client.h"
#include "pluto/sa/keymat.h"
#include "pluto/sm/state.h"

typedef struct ike ike;
typedef struct quick quick;
typedef struct pconn pconn;
typedef struct pstate pstate;

enum { CONN_LABEL = 160 };

/* ---- conns ---- */
typedef enum routing {
    RT_UNROUTED,
    RT_UNROUTED_HOLD,
    RT_ROUTED_ECLIPSED,
    RT_ROUTED_PROSPECTIVE,
    RT_ROUTED_HOLD,
    RT_ROUTED_FAILURE,
    RT_ROUTED_TUNNEL,
    RT_UNROUTED_KEYED
} routing;

typedef struct pconn_end {
    const conn_end *cfg; /* into pconn.c */
    ip_addr host;        /* any: %any */
    uint16_t ikeport;
    uint64_t id_hash;
    ident *id; /* what we say, or demand of the peer; may have wildcards in a template */
    subnet client;
    bool has_client, has_wildcard_client; /* no client: the host itself */
    uint8_t proto;
    uint16_t port;
    bool port_any;
    ip_addr sourceip;
    ident *ca;  /* leftca / rightca; NULL = any */
    cert *cert; /* leftcert, or the peer's pinned one */
} pconn_end;

struct pconn {
    list_node node; /* pluto.conns; L */
    list_node pair; /* bucket of pluto.pairs; L */
    refcount refs;
    pluto *p;
    uint64_t serial;
    conn *c;
    char *name;
    unsigned instance; /* 0: not an instance */
    pconn *parent;     /* of an instance; referenced */
    pconn_end me, peer;
    bool left_is_me, oriented, is_template; /* template: makes instances */
    char dev[HOST_IFNAME];
    const proposals *ike, *esp;   /* esp: AH's with ah_only; the root conn's own, or the daemon's defaults */
    proposals *own_ike, *own_esp; /* NULL: the defaults, or an instance, which shares its root's */
    dh_group pfs_group;           /* pfsgroup=, or the group in esp=; DH_NONE: phase 1's */
    uint32_t reqid;
    /* dynamic, under pluto.lock */
    unsigned next_instance;
    uint64_t newest_isakmp, newest_ipsec, eroute_owner;
    atomic_bool up, deleted; /* written under the lock, read anywhere */
    bool routed;
    routing route;
    unsigned debug;
    unsigned n_states;
    timer_id retry_timer;
    uint64_t retry_replaces;
    unsigned retry_try;
    kchild *trap; /* under pluto.route_lock */
};

/* ---- states ---- */
struct pstate {
    uint64_t serial;
    bool phase1, initiator;
    ike *ike;
    pl_state state; /* L */
    pconn *c;       /* referenced; L */
    pl_client *client;
    /* the one event a state waits for; L */
    pl_event event;
    int64_t due_ms;
    timer_id timer;
    int64_t rekey_margin_ms; /* left until expiry when the REPLACE event is due */
    /* last message that came and our last one */
    buf rx, tx;
    bool tx_natt;
    unsigned tries, duplicates;
    unsigned keying_try; /* 1 = first */
    uint64_t replaces;   /* serial of the state this one shall replace; 0 */
    int64_t established_wall;
    char label[CONN_LABEL]; /* "conn"[1] 10.0.0.1 #3 */
};

typedef enum natt_method { NATT_NONE, NATT_DRAFT_02, NATT_DRAFT_03, NATT_RFC } natt_method;
enum { NAT_ME = 1, NAT_PEER = 2 };

typedef struct pending {
    list_node node;
    pconn *c;
    pl_client *client;
    uint64_t replaces;
    unsigned keying_try;
} pending;

typedef struct dpd_info {
    bool peer_knows;
    _Atomic bool on; /* read by the status */
    uint32_t seq_out, seq_in;
    bool seq_in_set;
    bool waiting;
    timer_id timer, timeout;
    int64_t due_ms, timeout_due_ms, last_activity_ms;
} dpd_info;

typedef enum xauth_role { XAUTH_NONE_ROLE, XAUTH_SERVER, XAUTH_CLIENT } xauth_role;

/* one Mode Config or XAUTH transaction under way */
typedef struct cfg_transaction {
    bool active, ours;
    uint32_t msgid;
    uint16_t id;
    iv_chain iv;
    unsigned tries;
} cfg_transaction;

/* One address of a peer: the mailbox of everything we have with it, so that SAs that replace each other never
 * run at the same time. */
typedef struct peerbox {
    uint8_t key[20];
    unsigned refs; /* L */
    list ikes;     /* L */
    pluto *p;
    mailbox mb;
} peerbox;

enum { HALF_BUCKETS = 4096 };
struct ike {
    list_node node; /* pluto.ikes; L */
    list_node near; /* peerbox.ikes; L */
    list_node half; /* pluto.half_open or half_proven; L */
    refcount refs;
    peerbox *peer;
    pluto *p;
    pstate st; /* phase 1 */
    uint8_t cookies[16];
    uint8_t key_by_i[8 + 20]; /* hash key while only the initiator's cookie is sure: cookie, address */
    bool in_cookies, in_by_i, half_open; /* which tables hold us; L */
    uint16_t half_bucket;                /* L */
    bool phase1_gone;                    /* L */
    endpoint local, remote;              /* L */
    bool natt;                           /* talks on the NAT-T port; L */

    /* what was negotiated */
    keymat keys;
    uint16_t auth; /* ikev1_auth_method */
    dh_group group;
    int64_t life_s;
    dh *dh;
    secret gxy, psk;
    buf gxi, gxr, ni, nr, sa_body, my_id, peer_id_body;
    iv_chain iv; /* phase 1 */
    ident *peer_id;
    cert *certs[PLUTO_MAX_CERTS]; /* the peer sent */
    size_t n_certs;
    cert *peer_cert; /* which verified; NULL with raw keys and PSK */
    bool cert_asked; /* peer sent a CR */
    ident *asked_ca[PLUTO_MAX_CERTREQS];
    size_t n_asked;

    /* peer's abilities */
    bool peer_xauth, peer_unity, peer_frag;
    vid_kind natt_seen; /* best one received */
    natt_method natt_method;
    unsigned nat; /* NAT_ME, NAT_PEER */
    ip_addr nat_oa;
    timer_id keepalive;

    dpd_info dpd;
    ikev1_defrag defrag;
    list quicks; /* L */
    unsigned n_larval;
    list pendings; /* L */
    uint32_t seen_msgid[PLUTO_SEEN_MSGIDS];
    unsigned n_seen;

    xauth_role xauth;
    bool xauth_done, xauth_failed, modecfg_client, modecfg_done;
    char *xauth_user;
    cfg_transaction cfg;
    buf cfg_tx, cfg_rx, cfg_answer; /* our last request; the peer's last request and our answer to it */
    timer_id phase15_timer;
    ip_addr virtual_ip; /* given to us or by us */
    bool virtual_ip_installed;
    atomic_bool deleting; /* read by whoever looks for an ISAKMP SA to use */
    unsigned failures;
};

/* what by_spi holds; part of its quick mode */
typedef struct spi_entry {
    uint8_t key[24]; /* direction and protocol, SPI, address */
    uint64_t serial; /* 0: not in the table */
} spi_entry;

struct quick {
    list_node node; /* ike.quicks; L */
    pstate st;
    ike *ike;
    uint32_t msgid;
    iv_chain iv;
    buf ni, nr;
    dh *dh;
    dh_group pfs;
    secret gxy;
    bool ids_sent;
    traffic_sel my_ts, peer_ts; /* L once established */
    proposal esp, ah, ipcomp;   /* chosen; proto 0 = not */
    bool tunnel, udp_encap;
    uint16_t encaps; /* value on the wire */
    int64_t life_s;
    uint32_t spi_in[3], spi_out[3];  /* AH, ESP, IPCOMP: index proto - PROTO_AH; host order; L */
    spi_entry idx_in[3], idx_out[3]; /* L */
    kchild *child;
    bool inbound_up, established; /* L */
    ip_addr nat_oa;
    uint16_t pfs_shown; /* for the status: group of phase 2; 0 = none */
};

/* ---- the daemon ---- */
struct pluto {
    refcount refs; /* the owner's, and one per peer: mail may outlive pluto_free() */
    env *e;
    pluto_options opt;
    char *virtual_private, *interfaces, *myid;
    int64_t xauth_retry_ms;
    log_scope log;
    pthread_mutex_t lock;
    list conns;     /* pconn, by order of loading, instances behind their template */
    hashmap *pairs; /* host pair -> pair_bucket */
    list ikes;
    hashmap *by_cookies, *by_i, *by_serial, *peers;
    hashmap *by_spi; /* inbound and outbound SPIs -> spi_entry */
    list leases;     /* leases.c; L */
    hashmap *lease_ips;
    list half_open,
        half_proven; /* responders without and with proof that the peer is where it says; oldest first */
    unsigned n_half_open;
    uint16_t half_bucket[HALF_BUCKETS]; /* of these, by a hash of the peer's address: tells who has few
                                           without a walk */
    uint64_t next_state, next_conn;
    uint32_t next_reqid;
    bool listening;
    atomic_bool stopping;
    unsigned debug;
    pluto_stats stats;
    uint8_t cookie_secret[32];
    kchild_env kenv;
    reqids *reqids;
    pthread_mutex_t route_lock; /* guards every pconn's trap; held over kernel calls; before `lock` */
    proposals *default_ike, *default_esp, *default_ah;
    void (*on_shutdown)(void *ctx);
    void *shutdown_ctx;
    /* pluto_shutdown(): what is called when all is gone, and until when that may take; L */
    void (*close_done)(void *ctx);
    void *close_ctx;
    int64_t close_until_ms;
    bool unrouted;
    timer_id close_timer;
    subnet priv[32];
    bool priv_not[32];
    size_t n_priv;
    timer_id daily;
};

static inline void pluto_lock(pluto *p)
{
    pthread_mutex_lock(&p->lock);
}
static inline void pluto_unlock(pluto *p)
{
    pthread_mutex_unlock(&p->lock);
}

void pluto_unref(pluto *p);
/* Replaces what the buffer holds. */
status buf_assign(buf *b, span s) MUST_CHECK;
