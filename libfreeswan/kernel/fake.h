/* The recording kernel of tests and of the simulator: SAs and policies in memory, deterministic SPIs, events
 * on demand, failures on demand, and packets "sent" from one fake to another, which only arrive when both
 * ends agree.
 *
 * Any thread, like every back end. With a manual runtime all events come out of runtime_step().
 */
#pragma once
#include "libfreeswan/kernel/kernel.h"
#include "libstrongswan/base/buf.h"

typedef struct kernel_fake_config {
    runtime *rt;
    uint32_t first_spi; /* 0 = 0xc0000001; counts up */
    uint16_t first_cpi; /* 0 = 0x1001 */
    unsigned features;  /* 0 = all but KERNEL_NATIVE */
} kernel_fake_config;
status kernel_fake_new(kernel **out, const kernel_fake_config *cfg) MUST_CHECK;

/* ---- what it holds ---- fn returns false to stop; what it gets is valid during the call. It must not call
 * the kernel. */
typedef struct fake_sa {
    kernel_sa sa; /* keys point to the fake's copies; sa.encr == 0 and sa.integ == 0 for one that is only
                     reserved */
    bool reserved;
    kernel_sa_stats stats;
    unsigned updates; /* update_sa() calls it has seen */
    uint64_t serial;  /* in order of installation */
} fake_sa;
typedef struct fake_policy {
    kernel_policy p; /* the one in force */
    unsigned users;
} fake_policy;
void kernel_fake_each_sa(kernel *k, bool (*fn)(void *ctx, const fake_sa *sa), void *ctx);
void kernel_fake_each_policy(kernel *k, bool (*fn)(void *ctx, const fake_policy *p), void *ctx);
size_t kernel_fake_sas(kernel *k);      /* installed, without the reserved ones */
size_t kernel_fake_reserved(kernel *k); /* SPIs that get_spi() gave and nobody used or deleted */
size_t kernel_fake_policies(kernel *k);
uint64_t kernel_fake_calls(kernel *k); /* of operations that change something, so far */
/* Counts what must not be there in a state of rest and says it in *out (one line each; NULL: only count): SAs
 * whose reqid no policy has, IPsec policies (not traps) without an SA of their reqid, policies without users,
 * reserved SPIs, inbound SAs without outbound ones of the same reqid and the other way round. */
size_t kernel_fake_orphans(kernel *k, buf *out);
/* Everything, for a failing test's message. */
void kernel_fake_dump(kernel *k, buf *out);

/* ---- failures ---- the n-th changing call from now (1 = the next) returns st and changes nothing; then
 * normal again. n = 0: never. `times` calls in a row fail. */
void kernel_fake_fail(kernel *k, unsigned n, unsigned times, status st);

/* ---- events on demand ---- all go through the runtime as jobs */
/* As if the host sent a packet: the best policy is a trap -> acquire with its reqid. false: no trap matches.
 */
bool kernel_fake_acquire(kernel *k, const ip_addr *src, const ip_addr *dst, uint8_t proto, uint16_t sport,
                         uint16_t dport);
/* false: there is no such SA. Hard ones are removed. */
bool kernel_fake_expire(kernel *k, uint32_t spi, bool hard);
bool kernel_fake_mapping(kernel *k, uint32_t spi, const endpoint *peer);

/* ---- traffic ---- */
typedef struct fake_packet {
    ip_addr src, dst;
    uint8_t proto;
    uint16_t sport, dport; /* ICMP: type and code */
    size_t bytes;
} fake_packet;
typedef enum fake_fate {
    FAKE_CLEAR,     /* no policy, or a pass policy: went (or came) unprotected */
    FAKE_DELIVERED, /* protected, and the other end agrees in everything */
    FAKE_ACQUIRED,  /* met a trap policy: acquire raised */
    FAKE_DROPPED,   /* met a drop or reject policy */
    FAKE_NO_SA,     /* policy, but no SA for it */
    FAKE_LOST,      /* protected, but the other end has no such SA or does not agree: why tells */
    FAKE_REFUSED    /* the other end wants it protected otherwise (policy check) */
} fake_fate;
/* Sends p from `a` to `b` as far as policies and SAs let it. Compares SPI, addresses as far as they are the
 * same network (nat: addresses and ports may differ), mode, algorithms, keys, ESN, UDP encapsulation,
 * selectors; counts bytes in both SAs (which may raise expire by bytes or packets). why (may be NULL) gets a
 * sentence. */
fake_fate kernel_fake_send(kernel *a, kernel *b, const fake_packet *p, bool nat, msgbuf *why);
