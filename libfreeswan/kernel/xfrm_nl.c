/* Netlink requests to XFRM: one socket, one request at a time, the kernel's own explanation in the log when
 * it refuses. */
#include "libfreeswan/kernel/xfrm_priv.h"
#include <errno.h>
#include <linux/netlink.h>

void *xfrm_begin(xfrm_msg *m, uint16_t type, uint16_t flags, size_t body)
{
    m->h = mnl_nlmsg_put_header(m->u.bytes);
    m->h->nlmsg_type = type;
    m->h->nlmsg_flags = NLM_F_REQUEST | flags;
    return mnl_nlmsg_put_extra_header(m->h, body);
}

void *xfrm_attr(xfrm_msg *m, uint16_t type, size_t n)
{
    struct nlattr *a = mnl_nlmsg_get_payload_tail(m->h);

    if (m->h->nlmsg_len + MNL_ALIGN(sizeof *a + n) > sizeof m->u.bytes)
        return NULL;
    memset(a, 0, MNL_ALIGN(sizeof *a + n));
    a->nla_type = type;
    a->nla_len = (uint16_t)(sizeof *a + n);
    m->h->nlmsg_len += (uint32_t)MNL_ALIGN(a->nla_len);
    return mnl_attr_get_payload(a);
}

void xfrm_mark(xfrm_msg *m, uint32_t mark, uint32_t mask)
{
    struct xfrm_mark *mk;

    if (mask && (mk = xfrm_attr(m, XFRMA_MARK, sizeof *mk)) != NULL)
        *mk = (struct xfrm_mark){.v = mark, .m = mask};
}

// clang-format off
static const struct { int err; status st; } errors[] = {
    {0, ST_OK}, {EEXIST, ST_EXISTS}, {ESRCH, ST_NOT_FOUND}, {ENOENT, ST_NOT_FOUND}, {EPERM, ST_DENIED}, {EACCES, ST_DENIED},
    {ENOMEM, ST_NO_MEMORY}, {ENOBUFS, ST_NO_MEMORY}, {EINVAL, ST_INVALID}, {ENOSYS, ST_UNSUPPORTED}, {EOPNOTSUPP, ST_UNSUPPORTED},
    {EPROTONOSUPPORT, ST_UNSUPPORTED}, {EAFNOSUPPORT, ST_UNSUPPORTED}, {ENOPROTOOPT, ST_UNSUPPORTED},
};
// clang-format on

status xfrm_status(int err)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].err == err)
            return errors[i].st;
    }
    return ST_IO;
}

/* The text the kernel sends along with an error, if it does. */
static const char *extended_text(const struct nlmsghdr *h)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
    size_t skip = sizeof *e;
    const struct nlattr *a;

    if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
        return "";
    if (!(h->nlmsg_flags & NLM_F_CAPPED))
        skip += MNL_ALIGN(e->msg.nlmsg_len) - sizeof e->msg;
    mnl_attr_for_each(a, h, skip)
    {
        if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
            return mnl_attr_get_str(a);
    }
    return "";
}

static status error_of(xfrm *x, uint16_t request, const struct nlmsghdr *h)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

    if (h->nlmsg_len < mnl_nlmsg_size(sizeof *e))
        return ST_IO;
    if (e->error)
        LOG(&x->log, KNL, 2, "netlink request %u refused: %s (%d) %s", request, strerror(-e->error),
            -e->error, extended_text(h));
    return xfrm_status(-e->error);
}

/* One answer of the right sequence number; older ones, of requests that were given up, are skipped. */
static status receive(xfrm *x, xfrm_msg *m, uint16_t request, const struct nlmsghdr **reply)
{
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(x->nl, m->u.bytes, sizeof m->u.bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ST_IO;
        int left = (int)n;
        for (const struct nlmsghdr *h = &m->u.align; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            if (h->nlmsg_seq != x->seq)
                continue;
            if (h->nlmsg_type == NLMSG_ERROR)
                return error_of(x, request, h);
            if (reply)
                *reply = h;
            return ST_OK;
        }
    }
}

status xfrm_call(xfrm *x, xfrm_msg *m, const struct nlmsghdr **reply)
{
    uint16_t request = m->h->nlmsg_type;
    status st = ST_IO;

    if (reply)
        *reply = NULL;
    else
        m->h->nlmsg_flags |= NLM_F_ACK;
    pthread_mutex_lock(&x->nl_lock);
    m->h->nlmsg_seq = ++x->seq;
    if (mnl_socket_sendto(x->nl, m->h, m->h->nlmsg_len) >= 0)
        st = receive(x, m, request, reply);
    pthread_mutex_unlock(&x->nl_lock);
    return st == ST_OK && reply && !*reply ? ST_IO : st;
}

void xfrm_put_addr(xfrm_address_t *to, const ip_addr *from)
{
    memset(to, 0, sizeof *to);
    memcpy(to, from->b, addr_bytes(from));
}

ip_addr xfrm_get_addr(const xfrm_address_t *from, uint16_t family)
{
    ip_addr a = {.family = (uint8_t)family};

    memcpy(a.b, from, family == AF_INET6 ? 16 : 4);
    return a;
}

uint8_t xfrm_ipproto(uint8_t proto)
{
    return proto == PROTO_ESP      ? IPPROTO_ESP
           : proto == PROTO_AH     ? IPPROTO_AH
           : proto == PROTO_IPCOMP ? IPPROTO_COMP
                                   : 0;
}

uint8_t xfrm_from_ipproto(uint8_t proto)
{
    return proto == IPPROTO_ESP    ? PROTO_ESP
           : proto == IPPROTO_AH   ? PROTO_AH
           : proto == IPPROTO_COMP ? PROTO_IPCOMP
                                   : PROTO_NONE;
}
