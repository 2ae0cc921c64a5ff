/* The kernel's IPsec behind one const table: `xfrm` (netlink), `esp` (userland, over TUN), `fake` (tests).
 * Chosen at start by asking the kernel, named in the log and in the status.   RFC 4301, 4303, 4302, 3173,
 * 3948, 4304
 *
 * Any thread. Calls may block for the time of a netlink round trip. Events come as jobs.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libfreeswan/net/host.h"
#include "libfreeswan/net/net.h"
#include "libfreeswan/proposal/proposal.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/crypto/crypto.h"

typedef enum sa_mode { MODE_TRANSPORT, MODE_TUNNEL, MODE_BEET } sa_mode;
typedef enum policy_dir { POLICY_OUT, POLICY_IN, POLICY_FWD } policy_dir;
typedef enum policy_kind { POLICY_IPSEC, POLICY_PASS, POLICY_DROP, POLICY_REJECT } policy_kind;

typedef struct kernel_sa_id {
    ip_addr src, dst;
    uint32_t spi;  /* host order; CPI for IPCOMP */
    uint8_t proto; /* ipsec_proto */
} kernel_sa_id;

typedef struct kernel_lifetime {
    uint64_t soft_s, hard_s, soft_bytes, hard_bytes, soft_packets, hard_packets; /* 0 = none */
} kernel_lifetime;

typedef struct kernel_sa {
    kernel_sa_id id;
    bool inbound;   /* updates the SA that get_spi() reserved */
    uint32_t reqid; /* binds SAs and policies */
    sa_mode mode;
    encr_alg encr; /* ESP; ENCR_UNDEFINED for AH, IPCOMP */
    span encr_key; /* with salt for AEAD and CTR */
    integ_alg integ;
    span integ_key;
    bool udp_encap;
    uint16_t src_port, dst_port; /* of the UDP encapsulation */
    bool esn;
    uint32_t replay_window; /* packets; 0 = off */
    bool ipcomp_bundled;    /* an IPCOMP SA stands in front of it */
    kernel_lifetime life;
    traffic_sel src_ts, dst_ts; /* transport and BEET: the selector of the SA */
    uint32_t mark, mark_mask;
} kernel_sa;

typedef struct kernel_sa_stats {
    uint64_t bytes, packets;
    int64_t use_time_s; /* wall; 0 = never */
    int64_t add_time_s;
    uint64_t replay_errors, integrity_failures;
} kernel_sa_stats;

typedef struct kernel_policy {
    policy_dir dir;
    policy_kind kind;
    traffic_sel src, dst;
    uint32_t priority; /* lower wins; 0 = computed from the selectors: kernel_priority() */
    bool trap;         /* low priority variant: SAs are not there yet, raise acquire */
    /* POLICY_IPSEC */
    uint32_t reqid;
    sa_mode mode;
    ip_addr tun_src, tun_dst;
    uint8_t protos[3]; /* innermost first: IPCOMP, ESP, AH; 0 ends */
    uint32_t spi;      /* esp back end and strict templates: 0 = any with this reqid */
    uint32_t mark, mark_mask;
} kernel_policy;

/* All run as jobs on workers. */
typedef struct kernel_events {
    void *ctx;
    void (*acquire)(void *ctx, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst);
    void (*expire)(void *ctx, const kernel_sa_id *id, uint32_t reqid, bool hard);
    /* the peer's UDP-encapsulated packets come from elsewhere now */
    void (*mapping)(void *ctx, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer);
} kernel_events;

enum {
    KERNEL_ESP = 1,
    KERNEL_AH = 2,
    KERNEL_IPCOMP = 4,
    KERNEL_ESN = 8,
    KERNEL_BEET = 16,
    KERNEL_TRANSPORT = 32,
    KERNEL_NATIVE = 64
};

typedef struct kernel kernel;
typedef struct kernel_ops {
    const char *name; /* "xfrm", "esp", "fake" */
    unsigned (*features)(kernel *k);
    bool (*has_alg)(kernel *k, ipsec_proto proto, transform_type type, uint16_t alg, uint16_t key_bits);
    void (*set_events)(kernel *k, const kernel_events *ev);
    /* Reserves an SPI (0xc0000000-0xcfffffff) or CPI for packets from src to dst=us. */
    status (*get_spi)(kernel *k, const ip_addr *src, const ip_addr *dst, ipsec_proto proto, uint32_t reqid,
                      uint32_t *spi);
    status (*add_sa)(kernel *k, const kernel_sa *sa);
    /* new addresses or ports of an SA that is there; counters and replay state are kept */
    status (*update_sa)(kernel *k, const kernel_sa_id *id, const endpoint *src, const endpoint *dst,
                        bool udp_encap);
    status (*query_sa)(kernel *k, const kernel_sa_id *id, kernel_sa_stats *out);
    status (*del_sa)(kernel *k, const kernel_sa_id *id);
    /* Policies are counted by value (selectors, direction, mark): several users may add the same one; the
     * best kind and priority is installed. */
    status (*add_policy)(kernel *k, const kernel_policy *p);
    status (*del_policy)(kernel *k, const kernel_policy *p);
    status (*query_policy)(kernel *k, const kernel_policy *p, int64_t *use_time_s);
    /* Interface that routes of protected traffic point at ("" = the normal one), for the esp back end's TUN
     * device. */
    const char *(*route_dev)(kernel *k);
    void (*free)(kernel *k); /* removes every SA and policy that is ours */
} kernel_ops;
struct kernel {
    const kernel_ops *ops;
};
uint32_t kernel_priority(const traffic_sel *src, const traffic_sel *dst, bool trap);

typedef struct kernel_config {
    runtime *rt;
    net *net;
    host *host;
    const crypto *crypto;
    bool is_pluto;        /* which SPIs are ours, see ESP_SPI_PLUTO_BIT */
    const char *tun_name; /* esp back end; NULL = "ipsec0" for pluto, "ipsec1" for charon */
    uint32_t mark;        /* of our own sockets */
    unsigned tun_mtu;     /* esp back end; 0 = 1400 */
    const char *backend;  /* NULL or "auto": ask; "xfrm", "esp" */
    log_scope log;
} kernel_config;
/* Exempts a socket from every IPsec policy, for our own IKE sockets and those of helpers (also those of a
 * userland ESP, where nothing has to be done: ST_OK). ST_UNSUPPORTED: this kernel knows no policies at all,
 * which is as good. */
status kernel_bypass_socket(int fd) MUST_CHECK;
/* Is there native ESP in this kernel? (before sockets are opened: UDP_ENCAP depends on it) */
bool kernel_has_xfrm(void);
status kernel_new(kernel **out, const kernel_config *cfg, msgbuf *msg) MUST_CHECK;
status kernel_xfrm_new(kernel **out, const kernel_config *cfg, msgbuf *msg) MUST_CHECK;
status kernel_esp_new(kernel **out, const kernel_config *cfg, msgbuf *msg) MUST_CHECK;
