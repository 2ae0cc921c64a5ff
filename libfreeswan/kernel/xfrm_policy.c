/* Policies in the kernel. Counting and precedence are poltab's; here the one in force becomes one or, for
 * ranges that are no subnets, several policies of the kernel.
 */
#include "libfreeswan/kernel/xfrm_priv.h"
#include <stdlib.h>

enum {
    MAX_NETS = 62,
    MAX_PAIRS = 256
}; /* subnets a range of addresses can take; kernel policies for one of ours */

typedef struct pair_walk {
    subnet src[MAX_NETS], dst[MAX_NETS];
    size_t n_src, n_dst;
} pair_walk;

static void cover(const traffic_sel *ts, subnet *nets, size_t *n)
{
    *n = ts_to_subnets(ts, nets, MAX_NETS);
    if (*n == 0) {
        ts_to_subnet(ts, &nets[0]);
        *n = 1;
    }
}

static void pairs_of(const kernel_policy *p, pair_walk *w)
{
    cover(&p->src, w->src, &w->n_src);
    cover(&p->dst, w->dst, &w->n_dst);
    if (w->n_src * w->n_dst > MAX_PAIRS) {
        /* more than anybody means: the subnets around both ranges, as narrow as they come */
        ts_to_subnet(&p->src, &w->src[0]);
        ts_to_subnet(&p->dst, &w->dst[0]);
        w->n_src = w->n_dst = 1;
    }
}

static uint8_t dir_of(policy_dir dir)
{
    return dir == POLICY_OUT ? XFRM_POLICY_OUT : dir == POLICY_IN ? XFRM_POLICY_IN : XFRM_POLICY_FWD;
}

static uint8_t mode_of(sa_mode mode)
{
    return mode == MODE_TUNNEL ? XFRM_MODE_TUNNEL : mode == MODE_BEET ? XFRM_MODE_BEET : XFRM_MODE_TRANSPORT;
}

/* One template per protocol, innermost first; the innermost carries mode and tunnel addresses. */
static status put_templates(xfrm_msg *m, const kernel_policy *p)
{
    size_t n = 0;

    while (n < sizeof p->protos && p->protos[n])
        n++;
    struct xfrm_user_tmpl *t = xfrm_attr(m, XFRMA_TMPL, n * sizeof *t);
    if (!n || !t)
        return ST_INVALID;
    for (size_t i = 0; i < n; i++) {
        bool innermost = i == 0;

        t[i].id.proto = xfrm_ipproto(p->protos[i]);
        t[i].reqid = p->reqid;
        t[i].mode = innermost ? mode_of(p->mode) : XFRM_MODE_TRANSPORT;
        t[i].family = p->tun_src.family ? p->tun_src.family : p->src.from.family;
        t[i].aalgos = t[i].ealgos = t[i].calgos = ~0u;
        /* packets that compression would make larger come without it */
        t[i].optional = p->protos[i] == PROTO_IPCOMP && p->dir != POLICY_OUT;
        if (innermost && p->mode != MODE_TRANSPORT) {
            xfrm_put_addr(&t[i].saddr, &p->tun_src);
            xfrm_put_addr(&t[i].id.daddr, &p->tun_dst);
        }
    }
    return ST_OK;
}

static status put_one(xfrm *x, const kernel_policy *p, const subnet *src, const subnet *dst)
{
    xfrm_msg m;
    struct xfrm_userpolicy_info *u = xfrm_begin(&m, XFRM_MSG_UPDPOLICY, 0, sizeof *u);
    status st = ST_OK;

    xfrm_put_sel(&u->sel, src, dst, &p->src, &p->dst);
    u->lft.soft_byte_limit = u->lft.hard_byte_limit = XFRM_INF;
    u->lft.soft_packet_limit = u->lft.hard_packet_limit = XFRM_INF;
    u->priority = p->priority;
    u->dir = dir_of(p->dir);
    u->action = p->kind == POLICY_DROP || p->kind == POLICY_REJECT ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
    u->share = XFRM_SHARE_ANY;
    if (p->kind == POLICY_IPSEC)
        st = put_templates(&m, p);
    if (st != ST_OK)
        return st;
    xfrm_mark(&m, p->mark, p->mark_mask);
    return xfrm_call(x, &m, NULL);
}

static status delete_one(xfrm *x, const kernel_policy *p, const subnet *src, const subnet *dst)
{
    xfrm_msg m;
    struct xfrm_userpolicy_id *u = xfrm_begin(&m, XFRM_MSG_DELPOLICY, 0, sizeof *u);

    xfrm_put_sel(&u->sel, src, dst, &p->src, &p->dst);
    u->dir = dir_of(p->dir);
    xfrm_mark(&m, p->mark, p->mark_mask);
    return xfrm_call(x, &m, NULL);
}

static status put_policy(xfrm *x, const kernel_policy *p)
{
    pair_walk w;
    status st = ST_OK;

    pairs_of(p, &w);
    for (size_t i = 0; i < w.n_src && st == ST_OK; i++) {
        for (size_t j = 0; j < w.n_dst && st == ST_OK; j++)
            st = put_one(x, p, &w.src[i], &w.dst[j]);
    }
    return st;
}

static status delete_policy(xfrm *x, const kernel_policy *p)
{
    pair_walk w;
    status st = ST_OK;

    pairs_of(p, &w);
    for (size_t i = 0; i < w.n_src; i++) {
        for (size_t j = 0; j < w.n_dst; j++) {
            status one = delete_one(x, p, &w.src[i], &w.dst[j]);
            st = one == ST_OK ? st : one;
        }
    }
    return st;
}

status xfrm_add_policy(kernel *k, const kernel_policy *p)
{
    xfrm *x = xfrm_of(k);
    poltab_change change;
    kernel_policy now;

    if (!ts_valid(&p->src) || !ts_valid(&p->dst) || p->src.from.family != p->dst.from.family)
        return ST_INVALID;
    pthread_mutex_lock(&x->lock);
    status st = poltab_add(x->policies, p, &change, &now);
    if (st == ST_OK && change != POLTAB_SAME) {
        st = put_policy(x, &now);
        if (st != ST_OK) {
            /* as it was before: what had been in force is put back, or nothing stays */
            if (poltab_del(x->policies, p, &change, &now) == ST_OK)
                (void)!(change == POLTAB_REMOVED ? delete_policy(x, &now) : put_policy(x, &now));
        }
    }
    pthread_mutex_unlock(&x->lock);
    return st;
}

status xfrm_del_policy(kernel *k, const kernel_policy *p)
{
    xfrm *x = xfrm_of(k);
    poltab_change change;
    kernel_policy now;

    pthread_mutex_lock(&x->lock);
    status st = poltab_del(x->policies, p, &change, &now);
    if (st == ST_OK && change == POLTAB_CHANGED)
        st = put_policy(x, &now);
    else if (st == ST_OK && change == POLTAB_REMOVED)
        st = delete_policy(x, &now);
    pthread_mutex_unlock(&x->lock);
    return st;
}

status xfrm_query_policy(kernel *k, const kernel_policy *p, int64_t *use_time_s)
{
    xfrm *x = xfrm_of(k);
    xfrm_msg m;
    const struct nlmsghdr *reply;
    pair_walk w;
    status st = ST_OK;

    *use_time_s = 0;
    pairs_of(p, &w);
    for (size_t i = 0; i < w.n_src * w.n_dst && st == ST_OK; i++) {
        struct xfrm_userpolicy_id *u = xfrm_begin(&m, XFRM_MSG_GETPOLICY, 0, sizeof *u);

        xfrm_put_sel(&u->sel, &w.src[i / w.n_dst], &w.dst[i % w.n_dst], &p->src, &p->dst);
        u->dir = dir_of(p->dir);
        xfrm_mark(&m, p->mark, p->mark_mask);
        st = xfrm_call(x, &m, &reply);
        if (st != ST_OK || mnl_nlmsg_get_payload_len(reply) < sizeof(struct xfrm_userpolicy_info))
            continue;
        const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(reply);
        if ((int64_t)info->curlft.use_time > *use_time_s)
            *use_time_s = (int64_t)info->curlft.use_time;
    }
    return st;
}

static bool delete_each(void *ctx, const kernel_policy *now, unsigned users)
{
    (void)!delete_policy(ctx, now);
    return true;
}

void xfrm_del_all_policies(xfrm *x)
{
    poltab_each(x->policies, delete_each, x);
}
