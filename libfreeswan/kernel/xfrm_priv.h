/* The xfrm back end from inside: xfrm.c (life, socket options), xfrm_nl.c (requests), xfrm_alg.c (the
 * kernel's names), xfrm_sa.c, xfrm_policy.c, xfrm_event.c.
 */
#pragma once
#include "libfreeswan/kernel/events.h"
#include "libfreeswan/kernel/poltab.h"
#include "libstrongswan/base/hashmap.h"
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

typedef struct xfrm {
    kernel base;
    log_scope log;
    runtime *rt;
    kevents *events;
    pthread_mutex_t nl_lock; /* leaf: one request at a time */
    struct mnl_socket *nl;
    uint32_t seq;
    struct mnl_socket *nl_events;
    int event_fd;
    pthread_mutex_t lock; /* guards sas and policies and, around a change, its request: above nl_lock */
    hashmap *sas;         /* xfrm_sa_entry: what we have to remove in the end */
    poltab *policies;
} xfrm;

enum { XFRM_SA_KEY = 1 + 4 + 17, XFRM_MSG_BYTES = 8192 };
typedef struct xfrm_sa_entry {
    uint8_t key[XFRM_SA_KEY];
    kernel_sa_id id;
    uint32_t mark, mark_mask;
} xfrm_sa_entry;

static inline xfrm *xfrm_of(kernel *k)
{
    return container_of(k, xfrm, base);
}

/* ---- xfrm_nl.c ---- */
typedef struct xfrm_msg {
    union {
        struct nlmsghdr align;
        char bytes[XFRM_MSG_BYTES];
    } u;
    struct nlmsghdr *h;
} xfrm_msg;
/* Starts a request; returns its zeroed body. */
void *xfrm_begin(xfrm_msg *m, uint16_t type, uint16_t flags, size_t body);
/* Appends an attribute with room for n octets, zeroed; NULL: does not fit. */
void *xfrm_attr(xfrm_msg *m, uint16_t type, size_t n);
void xfrm_mark(xfrm_msg *m, uint32_t mark, uint32_t mask); /* nothing without a mask */
/* Sends m and waits. reply (may be NULL) gets the answer's message, m is overwritten with it then. */
status xfrm_call(xfrm *x, xfrm_msg *m, const struct nlmsghdr **reply) MUST_CHECK;
status xfrm_status(int err);
void xfrm_put_addr(xfrm_address_t *to, const ip_addr *from);
ip_addr xfrm_get_addr(const xfrm_address_t *from, uint16_t family);
uint8_t xfrm_ipproto(uint8_t proto); /* ipsec_proto -> IPPROTO_ */
uint8_t xfrm_from_ipproto(uint8_t proto);

/* ---- xfrm_alg.c ---- */
typedef struct xfrm_alg {
    uint16_t id;
    const char *name;
    uint16_t bits; /* AEAD: ICV; integrity: truncation */
    bool aead;
} xfrm_alg;
const xfrm_alg *xfrm_encr(uint16_t id); /* NULL: the kernel has none */
const xfrm_alg *xfrm_integ(uint16_t id);
bool xfrm_has_alg(kernel *k, ipsec_proto proto, transform_type type, uint16_t alg, uint16_t key_bits);

/* ---- xfrm_sel.c ---- */
/* One selector of the kernel for subnets of the two sides; ports and protocol from ts. */
void xfrm_put_sel(struct xfrm_selector *sel, const subnet *src, const subnet *dst, const traffic_sel *sts,
                  const traffic_sel *dts);
void xfrm_get_sel(const struct xfrm_selector *sel, traffic_sel *src, traffic_sel *dst);

/* ---- the operations ---- */
status xfrm_get_spi(kernel *k, const ip_addr *src, const ip_addr *dst, ipsec_proto proto, uint32_t reqid,
                    uint32_t *spi);
status xfrm_add_sa(kernel *k, const kernel_sa *sa);
status xfrm_update_sa(kernel *k, const kernel_sa_id *id, const endpoint *src, const endpoint *dst,
                      bool udp_encap);
status xfrm_query_sa(kernel *k, const kernel_sa_id *id, kernel_sa_stats *out);
status xfrm_del_sa(kernel *k, const kernel_sa_id *id);
void xfrm_del_all_sas(xfrm *x);
status xfrm_add_policy(kernel *k, const kernel_policy *p);
status xfrm_del_policy(kernel *k, const kernel_policy *p);
status xfrm_query_policy(kernel *k, const kernel_policy *p, int64_t *use_time_s);
void xfrm_del_all_policies(xfrm *x);
status xfrm_events_start(xfrm *x, msgbuf *msg) MUST_CHECK;
void xfrm_events_stop(xfrm *x);
