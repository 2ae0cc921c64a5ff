/* rtnetlink messages, built and read with libmnl. */
#include "libfreeswan/net/rtnl.h"
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_OCTETS = 1024, ANSWER_OCTETS = 32768, MAX_LEFTOVERS = 4096 };

typedef union request {
    struct nlmsghdr h;
    uint8_t room[REQUEST_OCTETS];
} request;

/* ---- socket ---- */

status rtnl_open(rtnl *r, msgbuf *msg)
{
    r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID)) {
        if (r->nl)
            mnl_socket_close(r->nl);
        return msg_fail(msg, ST_IO, "unable to open a netlink socket for routes: %s", strerror(errno));
    }
    pthread_mutex_init(&r->lock, NULL);
    return ST_OK;
}

void rtnl_close(rtnl *r)
{
    mnl_socket_close(r->nl);
    pthread_mutex_destroy(&r->lock);
}

static status status_of_errno(int error)
{
    switch (error) {
    case EEXIST:
        return ST_EXISTS;
    case ESRCH:
    case ENOENT:
    case ENODEV:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return ST_NOT_FOUND;
    case EPERM:
        return ST_DENIED;
    default:
        return ST_IO;
    }
}

/* Sends and reads until the acknowledgement or the end of the dump. */
static status transact(rtnl *r, struct nlmsghdr *h, mnl_cb_t fn, void *ctx)
{
    static _Thread_local uint8_t answer[ANSWER_OCTETS];
    int result = MNL_CB_OK;
    pthread_mutex_lock(&r->lock);
    unsigned port = mnl_socket_get_portid(r->nl);
    h->nlmsg_seq = ++r->seq;
    errno = 0;
    if (mnl_socket_sendto(r->nl, h, h->nlmsg_len) < 0)
        result = MNL_CB_ERROR;
    while (result > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(r->nl, answer, sizeof(answer));
        if (n < 0 && errno == EINTR)
            continue;
        result = n < 0 ? MNL_CB_ERROR : mnl_cb_run(answer, (size_t)n, h->nlmsg_seq, port, fn, ctx);
        if (result == MNL_CB_ERROR && n > 0 && errno == EPROTO)
            result = MNL_CB_OK; /* another sequence number: the rest of an earlier answer */
    }
    int error = errno;
    pthread_mutex_unlock(&r->lock);
    return result == MNL_CB_ERROR ? status_of_errno(error) : ST_OK;
}

static void *start(request *q, uint16_t type, uint16_t flags, size_t body)
{
    memset(q, 0, sizeof(*q));
    mnl_nlmsg_put_header(q);
    q->h.nlmsg_type = type;
    q->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    return mnl_nlmsg_put_extra_header(&q->h, body);
}

static void put_ip(request *q, uint16_t type, const ip_addr *a)
{
    mnl_attr_put(&q->h, type, addr_bytes(a), a->b);
}

static bool get_ip(const struct nlattr *a, ip_addr *out)
{
    return addr_from_bytes(out, span_of(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a)));
}

static bool is_u32(const struct nlattr *a)
{
    return mnl_attr_get_payload_len(a) == sizeof(uint32_t);
}

/* ---- links and addresses ---- */

static void *grow(void *items, size_t n, size_t size)
{
    return n & (n - 1) ? items : realloc(items, (n ? n * 2 : 1) * size);
}

static int on_link(const struct nlmsghdr *h, void *ctx)
{
    rtnl_table *t = ctx;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    struct nlattr *a;
    rtnl_link *links = grow(t->links, t->n_links, sizeof(*links));
    if (!links)
        return MNL_CB_ERROR;
    t->links = links;
    rtnl_link *l = &t->links[t->n_links];
    *l = (rtnl_link){
        .index = info->ifi_index, .up = info->ifi_flags & IFF_UP, .loopback = info->ifi_flags & IFF_LOOPBACK};
    mnl_attr_for_each(a, h, sizeof(*info)) if (mnl_attr_get_type(a) == IFLA_IFNAME)
        snprintf(l->name, sizeof(l->name), "%.*s", (int)mnl_attr_get_payload_len(a), mnl_attr_get_str(a));
    t->n_links++;
    return MNL_CB_OK;
}

static int on_addr(const struct nlmsghdr *h, void *ctx)
{
    rtnl_table *t = ctx;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
    uint32_t flags = info->ifa_flags;
    ip_addr local = {0}, address = {0};
    struct nlattr *a;
    mnl_attr_for_each(a, h, sizeof(*info))
    {
        if (mnl_attr_get_type(a) == IFA_LOCAL)
            get_ip(a, &local);
        else if (mnl_attr_get_type(a) == IFA_ADDRESS)
            get_ip(a, &address);
        else if (mnl_attr_get_type(a) == IFA_FLAGS && is_u32(a))
            flags = mnl_attr_get_u32(a);
    }
    rtnl_addr *addrs = grow(t->addrs, t->n_addrs, sizeof(*addrs));
    if (!addrs)
        return MNL_CB_ERROR;
    t->addrs = addrs;
    t->addrs[t->n_addrs++] = (rtnl_addr){.ip = local.family ? local : address,
                                         .bits = info->ifa_prefixlen,
                                         .index = (int)info->ifa_index,
                                         .usable = !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))};
    return MNL_CB_OK;
}

status rtnl_dump(rtnl *r, rtnl_table *out)
{
    request q;
    *out = (rtnl_table){0};
    start(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
    status st = transact(r, &q.h, on_link, out);
    start(&q, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
    if (st == ST_OK)
        st = transact(r, &q.h, on_addr, out);
    if (st != ST_OK)
        rtnl_table_free(out);
    return st;
}

void rtnl_table_free(rtnl_table *t)
{
    free(t->links);
    free(t->addrs);
    *t = (rtnl_table){0};
}

status rtnl_addr_change(rtnl *r, bool add, const ip_addr *a, int index)
{
    request q;
    struct ifaddrmsg *m = start(&q, add ? RTM_NEWADDR : RTM_DELADDR,
                                NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0), sizeof(*m));
    m->ifa_family = a->family;
    m->ifa_prefixlen = (uint8_t)(8 * addr_bytes(a));
    m->ifa_index = (unsigned)index;
    m->ifa_scope = RT_SCOPE_UNIVERSE;
    if (a->family == AF_INET6)
        m->ifa_flags = IFA_F_NODAD; /* usable at once */
    put_ip(&q, IFA_LOCAL, a);
    return transact(r, &q.h, NULL, NULL);
}

/* ---- routes ---- */

typedef struct route_found {
    rtnl_route route;
    uint8_t type, bits, protocol;
    uint32_t table, metric;
    ip_addr dst;
} route_found;

static void read_route(const struct nlmsghdr *h, route_found *f)
{
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    struct nlattr *a;
    *f = (route_found){
        .type = m->rtm_type, .bits = m->rtm_dst_len, .table = m->rtm_table, .protocol = m->rtm_protocol};
    mnl_attr_for_each(a, h, sizeof(*m))
    {
        switch (mnl_attr_get_type(a)) {
        case RTA_PREFSRC:
            get_ip(a, &f->route.src);
            break;
        case RTA_GATEWAY:
            get_ip(a, &f->route.gateway);
            break;
        case RTA_DST:
            get_ip(a, &f->dst);
            break;
        case RTA_OIF:
            f->route.index = is_u32(a) ? (int)mnl_attr_get_u32(a) : 0;
            break;
        case RTA_TABLE:
            f->table = is_u32(a) ? mnl_attr_get_u32(a) : f->table;
            break;
        case RTA_PRIORITY:
            f->metric = is_u32(a) ? mnl_attr_get_u32(a) : 0;
            break;
        }
    }
}

static int on_answer(const struct nlmsghdr *h, void *ctx)
{
    if (h->nlmsg_type == RTM_NEWROUTE)
        read_route(h, ctx);
    return MNL_CB_OK;
}

typedef struct best_route {
    const rtnl *r;
    const ip_addr *dst;
    route_found best;
    bool found;
} best_route;

/* For kernels and settings where asking would answer with a route of our own table: longest prefix, then
 * metric. */
static int on_candidate(const struct nlmsghdr *h, void *ctx)
{
    best_route *b = ctx;
    route_found f;
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_family != b->dst->family)
        return MNL_CB_OK;
    read_route(h, &f);
    subnet net = {.ip = f.dst.family ? f.dst : addr_any(b->dst->family), .bits = f.bits};
    if (f.table == b->r->table || (f.type != RTN_UNICAST && f.type != RTN_LOCAL) ||
        !subnet_contains(&net, b->dst))
        return MNL_CB_OK;
    if (!b->found || f.bits > b->best.bits || (f.bits == b->best.bits && f.metric < b->best.metric))
        b->best = f;
    b->found = true;
    return MNL_CB_OK;
}

static status lookup_in_dump(rtnl *r, const ip_addr *dst, rtnl_route *out)
{
    request q;
    best_route b = {.r = r, .dst = dst};
    struct rtmsg *m = start(&q, RTM_GETROUTE, NLM_F_DUMP, sizeof(*m));
    m->rtm_family = dst->family;
    status st = transact(r, &q.h, on_candidate, &b);
    if (st == ST_OK && !b.found)
        st = ST_NOT_FOUND;
    *out = b.best.route;
    return st;
}

status rtnl_lookup(rtnl *r, const ip_addr *dst, rtnl_route *out)
{
    request q;
    route_found f = {0};
    struct rtmsg *m = start(&q, RTM_GETROUTE, NLM_F_ACK, sizeof(*m));
    m->rtm_family = dst->family;
    m->rtm_dst_len = (uint8_t)(8 * addr_bytes(dst));
    m->rtm_flags = RTM_F_LOOKUP_TABLE;
    put_ip(&q, RTA_DST, dst);
    if (r->mark)
        mnl_attr_put_u32(&q.h, RTA_MARK, r->mark); /* our rule does not apply to marked packets */
    status st = transact(r, &q.h, on_answer, &f);
    if (st == ST_OK && f.table == r->table)
        return lookup_in_dump(r, dst, out);
    if (st == ST_OK && f.type != RTN_UNICAST && f.type != RTN_LOCAL && f.type != RTN_MULTICAST &&
        f.type != RTN_BROADCAST)
        return ST_NOT_FOUND;
    *out = f.route;
    return st;
}

static status change_route(rtnl *r, bool add, const subnet *dst, const ip_addr *src, const ip_addr *gateway,
                           int index)
{
    request q;
    struct rtmsg *m = start(&q, add ? RTM_NEWROUTE : RTM_DELROUTE,
                            NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0), sizeof(*m));
    m->rtm_family = dst->ip.family;
    m->rtm_dst_len = dst->bits;
    m->rtm_protocol = r->protocol;
    m->rtm_scope = add ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
    m->rtm_type = add ? RTN_UNICAST : RTN_UNSPEC;
    m->rtm_table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_UNSPEC;
    mnl_attr_put_u32(&q.h, RTA_TABLE, r->table);
    if (dst->bits)
        put_ip(&q, RTA_DST, &dst->ip);
    if (add && !addr_is_any(src))
        put_ip(&q, RTA_PREFSRC, src);
    if (!addr_is_any(gateway))
        put_ip(&q, RTA_GATEWAY, gateway);
    else if (add && dst->ip.family == AF_INET)
        m->rtm_scope = RT_SCOPE_LINK;
    if (index)
        mnl_attr_put_u32(&q.h, RTA_OIF, (uint32_t)index);
    return transact(r, &q.h, NULL, NULL);
}

status rtnl_route_change(rtnl *r, bool add, const host_route *route, int index)
{
    return change_route(r, add, &route->dst, &route->src, &route->gateway, index);
}

/* ---- the rule ---- */

status rtnl_rule_change(rtnl *r, bool add, int family)
{
    request q;
    struct fib_rule_hdr *m = start(&q, add ? RTM_NEWRULE : RTM_DELRULE, NLM_F_ACK | (add ? NLM_F_CREATE : 0),
                                   sizeof(*m));
    m->family = (uint8_t)family;
    m->action = FR_ACT_TO_TBL;
    m->table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_UNSPEC;
    mnl_attr_put_u32(&q.h, FRA_TABLE, r->table);
    mnl_attr_put_u32(&q.h, FRA_PRIORITY, r->prio);
    mnl_attr_put_u8(&q.h, FRA_PROTOCOL, r->protocol);
    if (r->mark) {
        m->flags |= FIB_RULE_INVERT;
        mnl_attr_put_u32(&q.h, FRA_FWMARK, r->mark);
        mnl_attr_put_u32(&q.h, FRA_FWMASK, UINT32_MAX);
    }
    return transact(r, &q.h, NULL, NULL);
}

typedef struct leftovers {
    const rtnl *r;
    subnet *dst;
    size_t n;
} leftovers;

static int on_leftover(const struct nlmsghdr *h, void *ctx)
{
    leftovers *l = ctx;
    route_found f;
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWROUTE || (m->rtm_family != AF_INET && m->rtm_family != AF_INET6) ||
        l->n >= MAX_LEFTOVERS)
        return MNL_CB_OK;
    read_route(h, &f);
    if (f.table != l->r->table || f.protocol != l->r->protocol)
        return MNL_CB_OK;
    subnet *dst = grow(l->dst, l->n, sizeof(*dst));
    if (!dst)
        return MNL_CB_ERROR;
    l->dst = dst;
    l->dst[l->n++] = (subnet){.ip = f.dst.family ? f.dst : addr_any(m->rtm_family), .bits = f.bits};
    return MNL_CB_OK;
}

void rtnl_remove_leftovers(rtnl *r)
{
    request q;
    leftovers l = {.r = r};
    ip_addr none = {0};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 16 && rtnl_rule_change(r, false, i ? AF_INET6 : AF_INET) == ST_OK; k++)
            ;
    start(&q, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
    if (transact(r, &q.h, on_leftover, &l) == ST_OK)
        for (size_t i = 0; i < l.n; i++)
            if (change_route(r, false, &l.dst[i], &none, &none, 0) != ST_OK)
                break;
    free(l.dst);
}
