/* The kernel's own IPsec over netlink: opening and closing of the back end, and the questions that come
 * before it is open. */
#include "libfreeswan/kernel/xfrm_priv.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static unsigned xfrm_features(kernel *k)
{
    return KERNEL_ESP | KERNEL_AH | KERNEL_IPCOMP | KERNEL_ESN | KERNEL_BEET | KERNEL_TRANSPORT |
           KERNEL_NATIVE;
}

static void xfrm_set_events(kernel *k, const kernel_events *ev)
{
    kevents_set(xfrm_of(k)->events, ev);
}

static const char *xfrm_route_dev(kernel *k)
{
    return "";
}

static void xfrm_free(kernel *k)
{
    xfrm *x = xfrm_of(k);

    xfrm_events_stop(x);
    kevents_close(x->events);
    if (x->policies && x->nl)
        xfrm_del_all_policies(x);
    if (x->sas && x->nl)
        xfrm_del_all_sas(x);
    poltab_free(x->policies);
    hashmap_free(x->sas);
    if (x->nl)
        mnl_socket_close(x->nl);
    pthread_mutex_destroy(&x->lock);
    pthread_mutex_destroy(&x->nl_lock);
    free(x);
}

static const kernel_ops xfrm_ops = {
    .name = "xfrm",
    .features = xfrm_features,
    .has_alg = xfrm_has_alg,
    .set_events = xfrm_set_events,
    .get_spi = xfrm_get_spi,
    .add_sa = xfrm_add_sa,
    .update_sa = xfrm_update_sa,
    .query_sa = xfrm_query_sa,
    .del_sa = xfrm_del_sa,
    .add_policy = xfrm_add_policy,
    .del_policy = xfrm_del_policy,
    .query_policy = xfrm_query_policy,
    .route_dev = xfrm_route_dev,
    .free = xfrm_free,
};

static status open_requests(xfrm *x)
{
    int on = 1;

    x->nl = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
    if (!x->nl || mnl_socket_bind(x->nl, 0, MNL_SOCKET_AUTOPID) < 0)
        return xfrm_status(errno);
    /* explanations with errors; kernels before 4.12 have none */
    (void)!mnl_socket_setsockopt(x->nl, NETLINK_EXT_ACK, &on, sizeof on);
    return ST_OK;
}

static xfrm *xfrm_alloc(const log_scope *log)
{
    xfrm *x = calloc(1, sizeof *x);

    if (!x)
        return NULL;
    x->base.ops = &xfrm_ops;
    x->event_fd = -1;
    if (log)
        x->log = *log;
    pthread_mutex_init(&x->lock, NULL);
    pthread_mutex_init(&x->nl_lock, NULL);
    return x;
}

status kernel_xfrm_new(kernel **out, const kernel_config *cfg, msgbuf *msg)
{
    xfrm *x = xfrm_alloc(&cfg->log);
    status st;

    if (!x)
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    x->rt = cfg->rt;
    if (poltab_new(&x->policies) != ST_OK || hashmap_new(&x->sas) != ST_OK ||
        kevents_new(&x->events, cfg->rt) != ST_OK)
        st = msg_fail(msg, ST_NO_MEMORY, "out of memory");
    else if ((st = open_requests(x)) != ST_OK)
        msg_set(msg, "no XFRM in this kernel: %s", status_text(st));
    else
        st = xfrm_events_start(x, msg);
    if (st != ST_OK) {
        xfrm_free(&x->base);
        return st;
    }
    *out = &x->base;
    return ST_OK;
}

/* The only sure way to know is to try: the SA goes from one loopback address to another under an SPI nobody
 * gets. */
bool kernel_has_xfrm(void)
{
    static const uint8_t key[20] = {1};
    xfrm *x = xfrm_alloc(NULL);
    kernel_sa sa = {.reqid = 1,
                    .mode = MODE_TRANSPORT,
                    .encr = ENCR_AES_CBC,
                    .encr_key = {key, 16},
                    .integ = INTEG_HMAC_SHA1_96,
                    .integ_key = {key, 20}};
    status st = x ? ST_OK : ST_NO_MEMORY;

    sa.id = (kernel_sa_id){.spi = 0x101, .proto = PROTO_ESP};
    sa.id.src = (ip_addr){.family = AF_INET, .b = {127, 0, 0, 2}};
    sa.id.dst = (ip_addr){.family = AF_INET, .b = {127, 0, 0, 3}};
    if (st == ST_OK && hashmap_new(&x->sas) != ST_OK)
        st = ST_NO_MEMORY;
    if (st == ST_OK)
        st = open_requests(x);
    if (st == ST_OK)
        st = xfrm_add_sa(&x->base, &sa);
    if (st == ST_OK)
        (void)!xfrm_del_sa(&x->base, &sa.id);
    if (x)
        xfrm_free(&x->base);
    return st == ST_OK || st == ST_EXISTS;
}

status kernel_bypass_socket(int fd)
{
    struct sockaddr_storage ss = {0};
    socklen_t n = sizeof ss;
    struct xfrm_userpolicy_info pol = {.action = XFRM_POLICY_ALLOW};

    if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
        return ST_IO;
    bool v6 = ss.ss_family == AF_INET6;
    pol.sel.family = ss.ss_family;
    for (int dir = XFRM_POLICY_IN; dir <= XFRM_POLICY_OUT; dir++) {
        pol.dir = (uint8_t)dir;
        if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY, &pol,
                       sizeof pol) < 0)
            return xfrm_status(errno);
    }
    return ST_OK;
}
