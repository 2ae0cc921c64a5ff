/* The userland ESP from inside.
 *
 *   esp.c        life, threads, the operations' table        esp_tun.c    the TUN device: batches in,
 * coalesced batches out esp_sad.c    SAs: tables, lifetimes, counters            esp_offload.c  checksums,
 * segmentation and coalescing of TCP esp_spd.c    policies and the way packets find them      esp_sock.c raw
 * sockets for what travels outside esp_crypt.c  one packet sealed or opened                 esp_out.c,
 * esp_in.c  the two directions; esp_icmp.c errors to senders esp_replay.c the window of RFC 4303 3.4.3, with
 * ESN      esp_flow.c   what of a packet policies look at
 *                                                           esp_frag.c   fragments put together before
 * sealing
 *
 * Threads: `out` reads the TUN device, seals and sends; `in` receives from the raw sockets, opens and writes
 * to the TUN; UDP-encapsulated packets come on the runtime's loop thread. All of them hold `lock` for reading
 * while they handle a batch; the operations of kernel.h hold it for writing while they change tables. An SA's
 * own lock guards its keys' contexts, sequence numbers and counters. Order: lock, then an SA's lock; jobs are
 * posted under either.
 */
#pragma once
#include "libfreeswan/kernel/events.h"
#include "libfreeswan/kernel/poltab.h"
#include "libstrongswan/base/hashmap.h"
#include <linux/virtio_net.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum {
    ESP_HEADER = 8,     /* SPI, sequence number */
    ESP_HEADROOM = 128, /* before a packet in a slot: ESP header, IV, a rebuilt IP header */
    ESP_TAILROOM = 64,  /* behind it: padding, trailer, ICV */
    ESP_MAX_PACKET = 65535,
    ESP_SLOT = ESP_HEADROOM + ESP_MAX_PACKET + 1 + ESP_TAILROOM + 64,
    ESP_BATCH = 64,      /* packets handled under one lock and by one system call */
    ESP_BUCKETS = 4096,  /* of the SPI and the reqid table */
    ESP_FLOWS = 1024,    /* entries of a thread's flow cache */
    ESP_HELD_MAX = 1024, /* first packets kept while their tunnel is set up */
    ESP_HELD_MS = 30 * 1000,
    ESP_ACQUIRE_MS = 4 * 1000, /* between two acquires for one reqid */
    ESP_DEFAULT_MTU = 1400,
};

typedef struct esp esp;

/* ---- esp_flow.c ---- */
typedef struct esp_flow {
    uint8_t src[16], dst[16];
    uint16_t sport, dport; /* ICMP: type and code in both */
    uint8_t family, proto;
    bool has_ports; /* false: a later fragment, or cut off */
    uint8_t zero;   /* compared as bytes: no padding */
} esp_flow;
/* false: not a packet, or a malformed one. *l4 gets where its payload begins; IPv6 extension headers are
 * walked over. */
bool esp_flow_parse(esp_flow *f, span pkt, size_t *l4);
bool esp_flow_is_fragment(span pkt);
size_t esp_ip_header(span pkt); /* 20…60 or 40; 0: no packet */
uint8_t esp_get_tos(span pkt);
void esp_set_ce(uint8_t *pkt, size_t n); /* congestion experienced, IPv4's checksum follows */

/* ---- esp_frag.c ---- not thread safe: one per thread that sends */
typedef struct esp_frags esp_frags;
status esp_frags_new(esp_frags **out) MUST_CHECK;
void esp_frags_free(esp_frags *t); /* NULL ok */
/* A fragment; when it was the missing one, the whole packet in memory the caller frees (*owned), else an
 * empty span. */
span esp_frags_add(esp_frags *t, span pkt, int64_t now_ms, uint8_t **owned);

/* ---- esp_guard.c ---- */
typedef struct esp_guard esp_guard;
esp_guard *esp_guard_new(esp *e); /* NULL: the kernel has no nftables, and it has been said */
void esp_guard_free(esp_guard *g);
void esp_guard_changed(esp_guard *g); /* inbound policies are others now; NULL ok; without e->lock held */

/* ---- esp_replay.c ---- */
enum { ESP_REPLAY_MAX = 4096 };
typedef struct esp_replay {
    uint64_t top; /* highest that was authentic */
    uint32_t window;
    bool esn;
    uint64_t bits[ESP_REPLAY_MAX / 64]; /* of number n: bit n % ESP_REPLAY_MAX */
} esp_replay;
void esp_replay_init(esp_replay *r, uint32_t window, bool esn);
/* The full number for what the packet carries (RFC 4304 A2); 0 is never valid. */
uint64_t esp_replay_number(const esp_replay *r, uint32_t low);
bool esp_replay_fresh(const esp_replay *r, uint64_t seq);
void esp_replay_seen(esp_replay *r, uint64_t seq); /* it was authentic */

/* ---- esp_crypt.c ---- */
typedef struct esp_crypt {
    const crypto *c;
    aead *aead;
    crypter *crypter; /* NULL: none (NULL cipher) */
    signer *signer;
    uint8_t iv_n, icv_n, block;
    bool random_iv;    /* CBC: unpredictable; counter modes take the packet counter */
    uint8_t pool[512]; /* random octets not used yet */
    size_t pool_left;
} esp_crypt;
status esp_crypt_init(esp_crypt *x, const crypto *c, const kernel_sa *sa) MUST_CHECK;
void esp_crypt_fini(esp_crypt *x);
/* n octets at p become an ESP packet in place, which begins before p (8 + iv_n) and ends behind p + n (room:
 * ESP_TAILROOM). */
status esp_seal(esp_crypt *x, uint32_t spi, uint64_t seq, bool esn, uint8_t next, uint8_t *p, size_t n,
                span *sealed) MUST_CHECK;
/* The ESP packet p is opened in place; *inner is what was inside. ST_CRYPTO: not authentic; ST_INVALID:
 * nonsense inside. */
status esp_open(esp_crypt *x, uint64_t seq, bool esn, uint8_t *p, size_t n, uint8_t *next,
                span *inner) MUST_CHECK;

/* ---- esp_sad.c ---- */
typedef struct esp_sa {
    struct esp_sa *next_spi, *next_reqid; /* chains of the tables */
    kernel_sa_id id;
    bool inbound, udp_encap, esn, valid; /* valid: has keys, not only reserved */
    uint32_t reqid;
    sa_mode mode;
    uint16_t src_port, dst_port;
    kernel_lifetime life;
    uint64_t serial;
    timer_id soft, hard;
    pthread_mutex_t lock; /* guards what follows */
    esp_crypt crypt;
    esp_replay replay;
    uint64_t seq; /* outbound: last one used */
    kernel_sa_stats stats;
    bool soft_done, hard_done;
    endpoint reported; /* mapping that was told already */
} esp_sa;

typedef struct esp_sad {
    esp_sa **by_spi;      /* inbound */
    esp_sa **by_peer_spi; /* outbound; through next_spi too */
    esp_sa **by_reqid;    /* outbound, newest first */
    uint64_t serial;
} esp_sad;
/* with e->lock held for reading */
esp_sa *esp_sad_in(esp *e, uint32_t spi);
esp_sa *esp_sad_out(esp *e, uint32_t reqid);
/* Counts a packet with s->lock held; false: the SA's hard limit is reached, drop it. */
bool esp_sa_count(esp *e, esp_sa *s, size_t bytes);
status esp_sad_init(esp *e) MUST_CHECK;
void esp_sad_fini(esp *e);
status esp_get_spi(kernel *k, const ip_addr *src, const ip_addr *dst, ipsec_proto proto, uint32_t reqid,
                   uint32_t *spi);
status esp_add_sa(kernel *k, const kernel_sa *sa);
status esp_update_sa(kernel *k, const kernel_sa_id *id, const endpoint *src, const endpoint *dst,
                     bool udp_encap);
status esp_query_sa(kernel *k, const kernel_sa_id *id, kernel_sa_stats *out);
status esp_del_sa(kernel *k, const kernel_sa_id *id);

/* ---- esp_spd.c ---- */
typedef struct esp_policy {
    kernel_policy p;
    _Atomic int64_t use_time_s;
} esp_policy;
typedef struct esp_spd {
    poltab *counted;
    esp_policy *
        *list[2]; /* POLICY_OUT, POLICY_IN: best first. FWD is counted only: what comes in is checked once */
    size_t n[2], cap[2];
    uint64_t generation; /* changes with every change: flow caches are good for one */
    bool whole;          /* some outbound policy can only be asked about whole datagrams */
} esp_spd;
typedef struct esp_flow_cache {
    struct {
        esp_flow flow;
        uint64_t generation; /* 0 = empty */
        esp_policy *policy;  /* may be NULL: no policy matches */
    } e[ESP_FLOWS];
} esp_flow_cache;
status esp_spd_init(esp *e) MUST_CHECK;
void esp_spd_fini(esp *e);
/* NULL: none. with e->lock held for reading */
esp_policy *esp_spd_find(esp *e, esp_flow_cache *cache, policy_dir dir, const esp_flow *f);
bool esp_ts_matches(const traffic_sel *ts, const uint8_t addr[16], const esp_flow *f, bool source);
status esp_add_policy(kernel *k, const kernel_policy *p);
status esp_del_policy(kernel *k, const kernel_policy *p);
status esp_query_policy(kernel *k, const kernel_policy *p, int64_t *use_time_s);

/* ---- esp_offload.c ---- */
uint16_t esp_checksum(const void *p, size_t n, uint32_t sum); /* folded and inverted */
uint32_t esp_checksum_add(const void *p, size_t n, uint32_t sum);
/* New checksum of a TCP, UDP or ICMPv6 packet whose addresses are not those it was made for. */
void esp_renew_checksum(uint8_t *pkt, size_t l4, size_t n, uint8_t proto);
uint32_t esp_pseudo_sum(span pkt, size_t l4, uint8_t proto); /* addresses, protocol, length of the rest */
void esp_ip4_checksum(uint8_t *pkt);
/* A packet as the TUN device gives it, maybe a TCP train of up to 64 KiB. esp_gso_next() writes one packet of
 * it after the other, complete with checksums. */
typedef struct esp_gso {
    uint8_t *pkt;
    size_t n, header, seg; /* seg 0: one packet, as it is */
    size_t at, l4;
    unsigned index;
    bool v6;
} esp_gso;
/* false: nonsense, drop it */
bool esp_gso_begin(esp_gso *g, const struct virtio_net_hdr *vh, uint8_t *pkt, size_t n);
size_t esp_gso_next(esp_gso *g, uint8_t *to); /* octets; 0: that was all */

/* ---- esp_tun.c ---- */
typedef struct esp_tun_pkt {
    uint8_t *p;
    size_t n;
} esp_tun_pkt;
status esp_tun_open(esp *e, const char *name, unsigned mtu, msgbuf *msg) MUST_CHECK;
/* Writes packets to the device, trains of TCP segments in one go. p is used up. */
void esp_tun_write(esp *e, esp_tun_pkt *p, size_t n);

/* ---- esp_sock.c ---- */
typedef struct esp_wire_pkt {
    span data; /* the ESP packet */
    endpoint src, dst;
    bool udp;
    uint8_t tos;
} esp_wire_pkt;
status esp_sock_open(esp *e, msgbuf *msg) MUST_CHECK;
void esp_sock_close(esp *e);
void esp_sock_send(esp *e, const esp_wire_pkt *p, size_t n);
/* A whole IP packet past our own policies: pass policies, ICMP errors. */
void esp_sock_reinject(esp *e, span pkt);
/* What a raw socket received */
typedef struct esp_received {
    endpoint src, dst; /* ports 0 for native ESP */
    bool udp;
    uint8_t tos;
    uint8_t *p; /* ESP packet, ESP_HEADROOM before it */
    size_t n;
} esp_received;

/* ---- esp_out.c, esp_in.c ---- */
typedef struct esp_out_batch {
    esp_wire_pkt pkt[ESP_BATCH];
    size_t n;
    uint8_t *slots; /* ESP_BATCH of ESP_SLOT octets */
    esp_flow_cache *cache;
    esp_frags *frags;
    bool joined; /* the packet in hand was put together from fragments: its size says nothing about the sender
                  */
} esp_out_batch;
typedef struct esp_held {
    list_node node;
    uint32_t reqid;
    int64_t since_ms, asked_ms;
    size_t n; /* 0: nothing is kept, only the time of the last acquire */
    uint8_t pkt[];
} esp_held;
status esp_out_batch_init(esp_out_batch *b) MUST_CHECK;
void esp_out_batch_fini(esp_out_batch *b);
/* One packet (or train) from the TUN; e->lock held for reading. Sends whenever the batch is full. */
void esp_output(esp *e, esp_out_batch *b, const struct virtio_net_hdr *vh, uint8_t *pkt, size_t n);
void esp_out_flush(esp *e, esp_out_batch *b);
/* An SA for reqid is there: what was kept goes out. Without locks held. */
void esp_out_release(esp *e, uint32_t reqid);
void esp_out_drop_held(esp *e);
/* e->lock held for reading; false: dropped */
bool esp_input(esp *e, esp_flow_cache *cache, const esp_received *r, esp_tun_pkt *out);
void esp_input_udp(void *ctx, const endpoint *local, const endpoint *remote, span data, size_t seg);
void esp_icmp_unreachable(esp *e, span pkt, bool too_big);

/* ---- esp.c ---- */
struct esp {
    kernel base;
    log_scope log;
    runtime *rt;
    net *net;
    const crypto *crypto;
    bool is_pluto;
    uint32_t mark;
    unsigned mtu;
    char tun_name[HOST_IFNAME];
    int tun_fd, raw4, raw6, inject4, inject6, wake; /* wake: eventfd that ends the threads */
    kevents *events;
    pthread_rwlock_t lock;
    esp_sad sad;
    esp_spd spd;
    esp_guard *guard;
    pthread_mutex_t held_lock; /* leaf */
    list held;
    size_t n_held;
    pthread_mutex_t udp_lock; /* one UDP train at a time: guards the two below */
    uint8_t *udp_slots;
    esp_flow_cache *udp_cache;
    pthread_t out_thread, in_thread;
    bool out_running, in_running;
    atomic_bool stop;
    _Atomic uint64_t drops_policy, drops_no_sa, drops_replay, drops_auth, drops_malformed;
};
static inline esp *esp_of(kernel *k)
{
    return container_of(k, esp, base);
}
void *esp_out_main(void *arg);
void *esp_in_main(void *arg);
