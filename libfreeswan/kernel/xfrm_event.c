/* What the kernel says by itself: acquire, expire, mapping. Heard by every daemon; whose reqid it is decides
 * who acts. */
#include "libfreeswan/kernel/xfrm_priv.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/epoll.h>

static kernel_sa_id get_id(const struct xfrm_usersa_info *u)
{
    return (kernel_sa_id){.src = xfrm_get_addr(&u->saddr, u->family),
                          .dst = xfrm_get_addr(&u->id.daddr, u->family),
                          .spi = ntohl(u->id.spi),
                          .proto = xfrm_from_ipproto(u->id.proto)};
}

static void on_acquire(xfrm *x, const struct nlmsghdr *h)
{
    const struct xfrm_user_acquire *u = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    traffic_sel src, dst;

    if (mnl_nlmsg_get_payload_len(h) < sizeof *u)
        return;
    xfrm_get_sel(&u->sel, &src, &dst);
    mnl_attr_for_each(a, h, sizeof *u)
    {
        const struct xfrm_user_tmpl *t = mnl_attr_get_payload(a);

        if (mnl_attr_get_type(a) != XFRMA_TMPL || mnl_attr_get_payload_len(a) < sizeof *t)
            continue;
        LOG(&x->log, KNL, 2, "kernel asks for reqid %u: %s === %s", t->reqid, TS_STR(&src), TS_STR(&dst));
        kevents_acquire(x->events, t->reqid, &src, &dst);
        return;
    }
}

static void on_expire(xfrm *x, const struct nlmsghdr *h)
{
    const struct xfrm_user_expire *u = mnl_nlmsg_get_payload(h);

    /* SPI 0: the kernel's own placeholder for an acquire nobody answered */
    if (mnl_nlmsg_get_payload_len(h) < sizeof *u || !u->state.id.spi)
        return;
    kernel_sa_id id = get_id(&u->state);
    if (id.proto != PROTO_NONE)
        kevents_expire(x->events, &id, u->state.reqid, u->hard != 0);
}

static void on_mapping(xfrm *x, const struct nlmsghdr *h)
{
    const struct xfrm_user_mapping *u = mnl_nlmsg_get_payload(h);

    if (mnl_nlmsg_get_payload_len(h) < sizeof *u)
        return;
    kernel_sa_id id = {.src = xfrm_get_addr(&u->old_saddr, u->id.family),
                       .dst = xfrm_get_addr(&u->id.daddr, u->id.family),
                       .spi = ntohl(u->id.spi),
                       .proto = xfrm_from_ipproto(u->id.proto)};
    endpoint peer = {.ip = xfrm_get_addr(&u->new_saddr, u->id.family), .port = ntohs(u->new_sport)};
    kevents_mapping(x->events, &id, u->reqid, &peer);
}

static void on_readable(void *ctx, int fd, uint32_t events)
{
    xfrm *x = ctx;
    union {
        struct nlmsghdr align;
        char bytes[16384];
    } u;

    ssize_t n = mnl_socket_recvfrom(x->nl_events, u.bytes, sizeof u.bytes);
    if (n < 0) {
        if (errno == ENOBUFS)
            LOG(&x->log, KNL, 1, "the kernel dropped IPsec events, too many at once");
        return;
    }
    int left = (int)n;
    for (const struct nlmsghdr *h = &u.align; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
        if (h->nlmsg_type == XFRM_MSG_ACQUIRE)
            on_acquire(x, h);
        else if (h->nlmsg_type == XFRM_MSG_EXPIRE)
            on_expire(x, h);
        else if (h->nlmsg_type == XFRM_MSG_MAPPING)
            on_mapping(x, h);
    }
}

status xfrm_events_start(xfrm *x, msgbuf *msg)
{
    static const int groups[] = {XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING};

    x->event_fd = -1;
    x->nl_events = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!x->nl_events || mnl_socket_bind(x->nl_events, 0, MNL_SOCKET_AUTOPID) < 0)
        return msg_fail(msg, ST_IO, "netlink socket for XFRM events: %s", strerror(errno));
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        int group = groups[i];
        if (mnl_socket_setsockopt(x->nl_events, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
            return msg_fail(msg, ST_IO, "cannot hear XFRM events: %s", strerror(errno));
    }
    int fd = mnl_socket_get_fd(x->nl_events);
    status st = runtime_watch(x->rt, fd, EPOLLIN, 0, on_readable, x);
    if (st != ST_OK)
        return msg_fail(msg, st, "cannot watch XFRM events: %s", status_text(st));
    x->event_fd = fd;
    return ST_OK;
}

void xfrm_events_stop(xfrm *x)
{
    if (x->event_fd >= 0)
        runtime_unwatch(x->rt, x->event_fd);
    x->event_fd = -1;
    if (x->nl_events)
        mnl_socket_close(x->nl_events);
    x->nl_events = NULL;
}
