/* The other half of inbound policy: packets that should have come through a tunnel and did not. The native
 * stack drops them by itself; the userland ESP never sees them, so it asks nftables to. One table, owned by
 * our socket: it is gone when the daemon is, however it ends. Without nf_tables tunnels work all the same,
 * and the log says what is missing.
 *
 * What may pass anyway: our TUN devices, loopback, ESP and IKE, IPv6 neighbour discovery. Then the inbound
 * policies, best first. Changes are gathered for a moment and replace all rules in one transaction.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    GUARD_MAX = 1000,  /* policies; a gateway with more has better places for a firewall */
    GUARD_FIXED = 10,  /* rules for what may pass */
    GUARD_RULE = 1024, /* octets of a rule's message, at most */
    GUARD_DELAY_MS = 20,
    GUARD_DELAY_MAX_MS = 500,
    GUARD_SHARE = 20,      /* of the time goes into changing rules, at most one part in so many */
    GUARD_GATHER = 32,     /* policies from which on changes are gathered */
    GUARD_PRIORITY = -150, /* before anything else is decided, behind defragmentation */
    GUARD_BUFFER = 8 << 20,
};
static const char chain_name[] = "in";

struct esp_guard {
    esp *e;
    struct mnl_socket *nl;
    char table[32];
    pthread_mutex_t lock; /* guards timer and the socket; before e->lock */
    timer_id timer;       /* runs for a moment after a change */
    size_t rules;         /* policies in the table */
    bool dirty;           /* changed again meanwhile */
    bool told;            /* about GUARD_MAX */
};

/* ---- messages ---- all of a transaction one behind the other */
typedef struct batch {
    uint8_t *p;
    size_t n, cap;
    uint32_t seq;
    struct nlmsghdr *h; /* the one being written */
} batch;

static struct nlmsghdr *begin(batch *b, uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id)
{
    b->h = mnl_nlmsg_put_header(b->p + b->n);
    b->h->nlmsg_type = type;
    b->h->nlmsg_flags = NLM_F_REQUEST | flags;
    b->h->nlmsg_seq = b->seq++;
    struct nfgenmsg *g = mnl_nlmsg_put_extra_header(b->h, sizeof *g);
    *g = (struct nfgenmsg){.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(res_id)};
    return b->h;
}

static void end(batch *b)
{
    b->n += MNL_ALIGN(b->h->nlmsg_len);
}

static struct nlmsghdr *begin_nft(batch *b, int type, uint16_t flags)
{
    return begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0);
}

static status batch_open(batch *b, size_t rules)
{
    *b = (batch){.cap = (rules + 8) * GUARD_RULE};
    b->p = calloc(1, b->cap);
    if (!b->p)
        return ST_NO_MEMORY;
    begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end(b);
    return ST_OK;
}

/* Netfilter handles it within the send; errors are waiting behind it. */
static int batch_send(batch *b, struct mnl_socket *nl)
{
    char reply[8192];
    int err = 0;
    ssize_t n;

    begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end(b);
    if (mnl_socket_sendto(nl, b->p, b->n) < 0)
        err = errno;
    while ((n = recv(mnl_socket_get_fd(nl), reply, sizeof reply, MSG_DONTWAIT)) > 0) {
        int left = (int)n;
        for (const struct nlmsghdr *h = (void *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
            if (h->nlmsg_type == NLMSG_ERROR && e->error && !err)
                err = -e->error;
        }
    }
    free(b->p);
    return err;
}

/* ---- expressions ---- */
static struct nlattr *expr_begin(batch *b, const char *name, struct nlattr **elem)
{
    *elem = mnl_attr_nest_start(b->h, NFTA_LIST_ELEM);
    mnl_attr_put_strz(b->h, NFTA_EXPR_NAME, name);
    return mnl_attr_nest_start(b->h, NFTA_EXPR_DATA);
}

static void expr_end(batch *b, struct nlattr *data, struct nlattr *elem)
{
    mnl_attr_nest_end(b->h, data);
    mnl_attr_nest_end(b->h, elem);
}

static void put_u32(batch *b, uint16_t type, uint32_t v)
{
    mnl_attr_put_u32(b->h, type, htonl(v));
}

static void put_data(batch *b, uint16_t type, const void *p, size_t n)
{
    struct nlattr *d = mnl_attr_nest_start(b->h, type);

    mnl_attr_put(b->h, NFTA_DATA_VALUE, n, p);
    mnl_attr_nest_end(b->h, d);
}

static void load_meta(batch *b, uint32_t key)
{
    struct nlattr *elem, *data = expr_begin(b, "meta", &elem);

    put_u32(b, NFTA_META_DREG, NFT_REG_1);
    put_u32(b, NFTA_META_KEY, key);
    expr_end(b, data, elem);
}

static void load_payload(batch *b, uint32_t base, uint32_t offset, uint32_t n)
{
    struct nlattr *elem, *data = expr_begin(b, "payload", &elem);

    put_u32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
    put_u32(b, NFTA_PAYLOAD_BASE, base);
    put_u32(b, NFTA_PAYLOAD_OFFSET, offset);
    put_u32(b, NFTA_PAYLOAD_LEN, n);
    expr_end(b, data, elem);
}

static void compare(batch *b, const void *p, size_t n)
{
    struct nlattr *elem, *data = expr_begin(b, "cmp", &elem);

    put_u32(b, NFTA_CMP_SREG, NFT_REG_1);
    put_u32(b, NFTA_CMP_OP, NFT_CMP_EQ);
    put_data(b, NFTA_CMP_DATA, p, n);
    expr_end(b, data, elem);
}

/* Register 1, two octets: are any of these bits set? */
static void any_bits(batch *b, uint16_t mask)
{
    static const uint16_t zero;
    uint16_t be = htons(mask);
    struct nlattr *elem, *data = expr_begin(b, "bitwise", &elem);

    put_u32(b, NFTA_BITWISE_SREG, NFT_REG_1);
    put_u32(b, NFTA_BITWISE_DREG, NFT_REG_1);
    put_u32(b, NFTA_BITWISE_LEN, 2);
    put_data(b, NFTA_BITWISE_MASK, &be, 2);
    put_data(b, NFTA_BITWISE_XOR, &zero, 2);
    expr_end(b, data, elem);
    data = expr_begin(b, "cmp", &elem);
    put_u32(b, NFTA_CMP_SREG, NFT_REG_1);
    put_u32(b, NFTA_CMP_OP, NFT_CMP_NEQ);
    put_data(b, NFTA_CMP_DATA, &zero, 2);
    expr_end(b, data, elem);
}

static void load_exthdr(batch *b, uint8_t header, uint32_t offset, uint32_t n)
{
    struct nlattr *elem, *data = expr_begin(b, "exthdr", &elem);

    put_u32(b, NFTA_EXTHDR_DREG, NFT_REG_1);
    mnl_attr_put_u8(b->h, NFTA_EXTHDR_TYPE, header);
    put_u32(b, NFTA_EXTHDR_OFFSET, offset);
    put_u32(b, NFTA_EXTHDR_LEN, n);
    expr_end(b, data, elem);
}

static void in_range(batch *b, const void *from, const void *to, size_t n)
{
    struct nlattr *elem, *data = expr_begin(b, "range", &elem);

    put_u32(b, NFTA_RANGE_SREG, NFT_REG_1);
    put_u32(b, NFTA_RANGE_OP, NFT_RANGE_EQ);
    put_data(b, NFTA_RANGE_FROM_DATA, from, n);
    put_data(b, NFTA_RANGE_TO_DATA, to, n);
    expr_end(b, data, elem);
}

static void verdict(batch *b, uint32_t code)
{
    struct nlattr *elem, *data = expr_begin(b, "immediate", &elem);

    put_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *d = mnl_attr_nest_start(b->h, NFTA_IMMEDIATE_DATA),
                  *v = mnl_attr_nest_start(b->h, NFTA_DATA_VERDICT);
    put_u32(b, NFTA_VERDICT_CODE, code);
    mnl_attr_nest_end(b->h, v);
    mnl_attr_nest_end(b->h, d);
    expr_end(b, data, elem);
}

static struct nlattr *rule_begin(batch *b, const esp_guard *g)
{
    begin_nft(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    mnl_attr_put_strz(b->h, NFTA_RULE_TABLE, g->table);
    mnl_attr_put_strz(b->h, NFTA_RULE_CHAIN, chain_name);
    return mnl_attr_nest_start(b->h, NFTA_RULE_EXPRESSIONS);
}

static void rule_end(batch *b, struct nlattr *exprs, uint32_t code)
{
    verdict(b, code);
    mnl_attr_nest_end(b->h, exprs);
    end(b);
}

/* ---- rules ---- */
static void match_byte(batch *b, uint32_t meta_key, uint8_t value)
{
    load_meta(b, meta_key);
    compare(b, &value, 1);
}

static void pass_device(batch *b, const esp_guard *g, const char *name, size_t n)
{
    struct nlattr *exprs = rule_begin(b, g);

    load_meta(b, NFT_META_IIFNAME);
    compare(b, name, n); /* n without the final NUL: every name that begins like this */
    rule_end(b, exprs, NF_ACCEPT);
}

static void pass_port(batch *b, const esp_guard *g, uint16_t port)
{
    struct nlattr *exprs = rule_begin(b, g);
    uint16_t be = htons(port);

    match_byte(b, NFT_META_L4PROTO, IPPROTO_UDP);
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    compare(b, &be, 2);
    rule_end(b, exprs, NF_ACCEPT);
}

/* Later fragments show no ports, and IKE messages are cut as well. Without their first one, which is judged,
 * they are lost. */
static void pass_later_fragments(batch *b, const esp_guard *g)
{
    struct nlattr *exprs = rule_begin(b, g);

    match_byte(b, NFT_META_NFPROTO, NFPROTO_IPV4);
    load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, 6, 2);
    any_bits(b, 0x1fff);
    rule_end(b, exprs, NF_ACCEPT);
    exprs = rule_begin(b, g);
    match_byte(b, NFT_META_NFPROTO, NFPROTO_IPV6);
    load_exthdr(b, IPPROTO_FRAGMENT, 2, 2);
    any_bits(b, 0xfff8);
    rule_end(b, exprs, NF_ACCEPT);
}

static void put_fixed(batch *b, const esp_guard *g)
{
    const esp *e = g->e;
    struct nlattr *exprs;
    uint8_t from = 133, to = 137;

    pass_device(b, g, "ipsec", 5);
    pass_device(b, g, e->tun_name, strlen(e->tun_name) + 1);
    pass_device(b, g, "lo", 3);
    pass_later_fragments(b, g);
    exprs = rule_begin(b, g);
    match_byte(b, NFT_META_L4PROTO, IPPROTO_ESP);
    rule_end(b, exprs, NF_ACCEPT);
    pass_port(b, g, e->net ? e->net->ops->port(e->net, false) : IKE_PORT);
    pass_port(b, g, e->net ? e->net->ops->port(e->net, true) : IKE_NATT_PORT);
    exprs = rule_begin(b, g);
    match_byte(b, NFT_META_L4PROTO, IPPROTO_ICMPV6);
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
    in_range(b, &from, &to, 1);
    rule_end(b, exprs, NF_ACCEPT);
}

static void match_addr(batch *b, const traffic_sel *ts, bool source)
{
    bool v4 = ts->from.family == AF_INET;
    uint32_t n = v4 ? 4 : 16, offset = v4 ? (source ? 12 : 16) : (source ? 8 : 24);

    load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, offset, n);
    in_range(b, ts->from.b, ts->to.b, n);
}

static void match_port(batch *b, const traffic_sel *ts, uint32_t offset)
{
    uint16_t from = htons(ts->from_port), to = htons(ts->to_port);

    if ((ts->from_port == 0 && ts->to_port == 0xffff) || ts->from_port > ts->to_port)
        return;
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2);
    in_range(b, &from, &to, 2);
}

static void put_policy(batch *b, const esp_guard *g, const kernel_policy *p)
{
    struct nlattr *exprs = rule_begin(b, g);
    uint8_t proto = p->src.proto ? p->src.proto : p->dst.proto;
    bool icmp = proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;

    match_byte(b, NFT_META_NFPROTO, p->src.from.family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
    match_addr(b, &p->src, true);
    match_addr(b, &p->dst, false);
    if (proto) {
        match_byte(b, NFT_META_L4PROTO, proto);
        match_port(b, &p->src, 0); /* ICMP: type and code */
        match_port(b, &p->dst, icmp ? 0 : 2);
    }
    rule_end(b, exprs, p->kind == POLICY_PASS ? NF_ACCEPT : NF_DROP);
}

/* ---- transactions ---- */
static void put_hook(batch *b)
{
    struct nlattr *hook = mnl_attr_nest_start(b->h, NFTA_CHAIN_HOOK);

    put_u32(b, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
    put_u32(b, NFTA_HOOK_PRIORITY, (uint32_t)GUARD_PRIORITY);
    mnl_attr_nest_end(b->h, hook);
}

static int make_table(esp_guard *g)
{
    batch b;

    if (batch_open(&b, 2) != ST_OK)
        return ENOMEM;
    begin_nft(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
    mnl_attr_put_strz(b.h, NFTA_TABLE_NAME, g->table);
    put_u32(&b, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
    end(&b);
    begin_nft(&b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    mnl_attr_put_strz(b.h, NFTA_CHAIN_TABLE, g->table);
    mnl_attr_put_strz(b.h, NFTA_CHAIN_NAME, chain_name);
    put_hook(&b);
    mnl_attr_put_strz(b.h, NFTA_CHAIN_TYPE, "filter");
    end(&b);
    return batch_send(&b, g->nl);
}

static int replace_rules(esp_guard *g)
{
    esp *e = g->e;
    batch b;

    pthread_rwlock_rdlock(&e->lock);
    size_t n = e->spd.n[POLICY_IN];
    bool cut = n > GUARD_MAX;
    n = cut ? GUARD_MAX : n;
    if (batch_open(&b, GUARD_FIXED + n) != ST_OK) {
        pthread_rwlock_unlock(&e->lock);
        return ENOMEM;
    }
    begin_nft(&b, NFT_MSG_DELRULE, 0);
    mnl_attr_put_strz(b.h, NFTA_RULE_TABLE, g->table);
    mnl_attr_put_strz(b.h, NFTA_RULE_CHAIN, chain_name);
    end(&b);
    if (n)
        put_fixed(&b, g);
    for (size_t i = 0; i < n; i++)
        put_policy(&b, g, &e->spd.list[POLICY_IN][i]->p);
    pthread_rwlock_unlock(&e->lock);
    g->rules = n;
    if (cut && !g->told) {
        LOG(&e->log, KNL, 0, "more than %d inbound policies: the firewall knows only the first", GUARD_MAX);
        g->told = true;
    }
    return batch_send(&b, g->nl);
}

static int64_t thread_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* With g->lock held. The first change is carried out at once; those that follow closely wait for each other,
 * the longer the more rules there are: while a thousand peers connect, handshakes are what the time is for.
 */
static void on_timer(void *ctx, uint64_t key);
static void carry_out(esp_guard *g)
{
    int64_t began = thread_us();
    int err = replace_rules(g);
    int64_t delay = (thread_us() - began) * GUARD_SHARE / 1000;

    if (err)
        LOG(&g->e->log, KNL, 1, "cannot change nftables rules: %s", strerror(err));
    g->dirty = false;
    delay = delay < GUARD_DELAY_MS ? GUARD_DELAY_MS : delay > GUARD_DELAY_MAX_MS ? GUARD_DELAY_MAX_MS : delay;
    if (!g->timer)
        g->timer = runtime_timer(g->e->rt, delay, on_timer, g, 0);
}

static void on_timer(void *ctx, uint64_t key)
{
    esp_guard *g = ctx;

    pthread_mutex_lock(&g->lock);
    g->timer = 0;
    if (g->dirty)
        carry_out(g);
    pthread_mutex_unlock(&g->lock);
}

void esp_guard_changed(esp_guard *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    if (g->timer && g->rules > GUARD_GATHER)
        g->dirty = true;
    else
        carry_out(g);
    pthread_mutex_unlock(&g->lock);
}

/* ---- life ---- */
static int open_table(esp_guard *g)
{
    int size = GUARD_BUFFER;

    g->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!g->nl || mnl_socket_bind(g->nl, 0, MNL_SOCKET_AUTOPID) < 0)
        return errno;
    (void)!setsockopt(mnl_socket_get_fd(g->nl), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return make_table(g);
}

esp_guard *esp_guard_new(esp *e)
{
    esp_guard *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->e = e;
    snprintf(g->table, sizeof g->table, "cygnet-%s", e->tun_name);
    pthread_mutex_init(&g->lock, NULL);
    int err = open_table(g);
    if (err) {
        LOG(&e->log, KNL, 1,
            "no nftables (%s): packets that should come through a tunnel are not refused when they come in "
            "the clear",
            strerror(err));
        esp_guard_free(g);
        return NULL;
    }
    return g;
}

void esp_guard_free(esp_guard *g)
{
    if (!g)
        return;
    if (g->timer)
        runtime_timer_cancel(g->e->rt, g->timer);
    if (g->nl)
        mnl_socket_close(g->nl); /* the table goes with its owner */
    pthread_mutex_destroy(&g->lock);
    free(g);
}
