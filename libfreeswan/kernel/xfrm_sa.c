/* SAs in the kernel: reserve, add, move, query, delete. Which SAs are ours is kept, so that the last act of a
 * daemon can be to remove them.
 */
#include "libfreeswan/kernel/xfrm_priv.h"
#include <arpa/inet.h>
#include <linux/udp.h>
#include <stdlib.h>

enum {
    SPI_MIN = 0xc0000000,
    SPI_MAX = 0xcfffffff,
    CPI_MIN = 0x100, /* below: well-known algorithms */
    CPI_MAX = 0xefff,
    LEGACY_WINDOW = 32, /* packets the kernel's old replay bitmap holds */
    MAX_WINDOW = 4096,
};

/* ---- which ones are ours ---- */
static void make_key(uint8_t key[XFRM_SA_KEY], const kernel_sa_id *id)
{
    key[0] = id->proto;
    set_u32(key + 1, id->spi);
    key[5] = id->dst.family;
    memcpy(key + 6, id->dst.b, 16);
}

static xfrm_sa_entry *find_entry(xfrm *x, const kernel_sa_id *id)
{
    uint8_t key[XFRM_SA_KEY];

    make_key(key, id);
    return hashmap_get(x->sas, SPAN_ARRAY(key));
}

static status add_entry(xfrm *x, const kernel_sa_id *id, uint32_t mark, uint32_t mask)
{
    xfrm_sa_entry *e = find_entry(x, id);

    if (!e) {
        e = calloc(1, sizeof *e);
        if (!e)
            return ST_NO_MEMORY;
        make_key(e->key, id);
        if (hashmap_add(x->sas, SPAN_ARRAY(e->key), e) != ST_OK) {
            free(e);
            return ST_NO_MEMORY;
        }
    }
    e->id = *id;
    e->mark = mark;
    e->mark_mask = mask;
    return ST_OK;
}

static void drop_entry(xfrm *x, const kernel_sa_id *id)
{
    uint8_t key[XFRM_SA_KEY];

    make_key(key, id);
    free(hashmap_remove(x->sas, SPAN_ARRAY(key)));
}

/* ---- requests ---- */
static status request_spi(xfrm *x, const ip_addr *src, const ip_addr *dst, uint8_t proto, uint32_t reqid,
                          uint32_t *spi)
{
    xfrm_msg m;
    const struct nlmsghdr *reply;
    struct xfrm_userspi_info *u = xfrm_begin(&m, XFRM_MSG_ALLOCSPI, 0, sizeof *u);

    xfrm_put_addr(&u->info.id.daddr, dst);
    xfrm_put_addr(&u->info.saddr, src);
    u->info.id.proto = xfrm_ipproto(proto);
    u->info.family = dst->family;
    u->info.reqid = reqid;
    u->info.mode = XFRM_MODE_TUNNEL;
    u->min = proto == PROTO_IPCOMP ? CPI_MIN : SPI_MIN;
    u->max = proto == PROTO_IPCOMP ? CPI_MAX : SPI_MAX;
    status st = xfrm_call(x, &m, &reply);
    if (st != ST_OK)
        return st;
    if (reply->nlmsg_type != XFRM_MSG_NEWSA ||
        mnl_nlmsg_get_payload_len(reply) < sizeof(struct xfrm_usersa_info))
        return ST_IO;
    *spi = ntohl(((const struct xfrm_usersa_info *)mnl_nlmsg_get_payload(reply))->id.spi);
    return ST_OK;
}

static void put_id(struct xfrm_usersa_id *u, const kernel_sa_id *id)
{
    xfrm_put_addr(&u->daddr, &id->dst);
    u->spi = htonl(id->spi);
    u->family = id->dst.family;
    u->proto = xfrm_ipproto(id->proto);
}

/* entry tells the mark, without which the kernel does not find it */
static status request_del(xfrm *x, const kernel_sa_id *id, const xfrm_sa_entry *e)
{
    xfrm_msg m;
    struct xfrm_usersa_id *u = xfrm_begin(&m, XFRM_MSG_DELSA, 0, sizeof *u);

    put_id(u, id);
    if (e)
        xfrm_mark(&m, e->mark, e->mark_mask);
    return xfrm_call(x, &m, NULL);
}

static status request_get(xfrm *x, const kernel_sa_id *id, const xfrm_sa_entry *e, xfrm_msg *m,
                          const struct nlmsghdr **reply)
{
    struct xfrm_usersa_id *u = xfrm_begin(m, XFRM_MSG_GETSA, 0, sizeof *u);
    xfrm_address_t src;

    put_id(u, id);
    if (e)
        xfrm_mark(m, e->mark, e->mark_mask);
    xfrm_put_addr(&src, &id->src);
    xfrm_address_t *attr = xfrm_attr(m, XFRMA_SRCADDR, sizeof src);
    if (attr)
        *attr = src;
    status st = xfrm_call(x, m, reply);
    if (st == ST_OK && ((*reply)->nlmsg_type != XFRM_MSG_NEWSA ||
                        mnl_nlmsg_get_payload_len(*reply) < sizeof(struct xfrm_usersa_info)))
        st = ST_IO;
    return st;
}

status xfrm_get_spi(kernel *k, const ip_addr *src, const ip_addr *dst, ipsec_proto proto, uint32_t reqid,
                    uint32_t *spi)
{
    xfrm *x = xfrm_of(k);

    pthread_mutex_lock(&x->lock);
    status st = request_spi(x, src, dst, (uint8_t)proto, reqid, spi);
    if (st == ST_OK) {
        kernel_sa_id id = {.src = *src, .dst = *dst, .spi = *spi, .proto = (uint8_t)proto};
        st = add_entry(x, &id, 0, 0);
        if (st != ST_OK)
            (void)!request_del(x, &id, NULL);
    }
    pthread_mutex_unlock(&x->lock);
    return st;
}

/* ---- adding ---- */
static bool put_crypt(xfrm_msg *m, uint16_t type, const char *name, span key)
{
    struct xfrm_algo *a = xfrm_attr(m, type, sizeof *a + key.n);

    if (!a)
        return false;
    strncpy(a->alg_name, name, sizeof a->alg_name - 1);
    a->alg_key_len = (unsigned)key.n * 8;
    if (key.n)
        memcpy(a->alg_key, key.p, key.n);
    return true;
}

static bool put_aead(xfrm_msg *m, const xfrm_alg *alg, span key)
{
    struct xfrm_algo_aead *a = xfrm_attr(m, XFRMA_ALG_AEAD, sizeof *a + key.n);

    if (!a)
        return false;
    strncpy(a->alg_name, alg->name, sizeof a->alg_name - 1);
    a->alg_key_len = (unsigned)key.n * 8;
    a->alg_icv_len = alg->bits;
    memcpy(a->alg_key, key.p, key.n);
    return true;
}

static bool put_auth(xfrm_msg *m, const xfrm_alg *alg, span key)
{
    struct xfrm_algo_auth *a = xfrm_attr(m, XFRMA_ALG_AUTH_TRUNC, sizeof *a + key.n);

    if (!a)
        return false;
    strncpy(a->alg_name, alg->name, sizeof a->alg_name - 1);
    a->alg_key_len = (unsigned)key.n * 8;
    a->alg_trunc_len = alg->bits;
    memcpy(a->alg_key, key.p, key.n);
    return true;
}

static status put_algs(xfrm_msg *m, const kernel_sa *sa)
{
    const xfrm_alg *encr = xfrm_encr((uint16_t)sa->encr), *integ = xfrm_integ((uint16_t)sa->integ);
    bool fits = true;

    if (sa->id.proto == PROTO_IPCOMP)
        return put_crypt(m, XFRMA_ALG_COMP, "deflate", SPAN_NULL) ? ST_OK : ST_LIMIT;
    if ((sa->id.proto == PROTO_ESP && !encr) || (sa->integ != INTEG_NONE && !integ) ||
        (sa->id.proto == PROTO_AH && !integ))
        return ST_UNSUPPORTED;
    if (encr && encr->aead && sa->encr_key.n)
        return put_aead(m, encr, sa->encr_key) ? ST_OK : ST_LIMIT;
    if (integ)
        fits = put_auth(m, integ, sa->integ_key);
    if (encr)
        fits = put_crypt(m, XFRMA_ALG_CRYPT, encr->name, sa->encr_key) && fits;
    return fits ? ST_OK : ST_LIMIT;
}

static bool put_encap(xfrm_msg *m, uint16_t sport, uint16_t dport)
{
    struct xfrm_encap_tmpl *t = xfrm_attr(m, XFRMA_ENCAP, sizeof *t);

    if (!t)
        return false;
    t->encap_type = UDP_ENCAP_ESPINUDP;
    t->encap_sport = htons(sport);
    t->encap_dport = htons(dport);
    return true;
}

static bool put_replay(xfrm_msg *m, struct xfrm_usersa_info *u, const kernel_sa *sa)
{
    uint32_t window = sa->replay_window > MAX_WINDOW ? MAX_WINDOW : sa->replay_window;

    if (sa->id.proto == PROTO_IPCOMP)
        return true;
    if (!sa->esn && window <= LEGACY_WINDOW) {
        u->replay_window = (uint8_t)window;
        return true;
    }
    if (!window)
        window = LEGACY_WINDOW; /* the kernel wants one with ESN, also for outbound SAs */
    uint32_t words = (window + 31) / 32;
    struct xfrm_replay_state_esn *r = xfrm_attr(m, XFRMA_REPLAY_ESN_VAL,
                                                sizeof *r + words * sizeof(uint32_t));
    if (!r)
        return false;
    r->bmp_len = words;
    r->replay_window = window;
    if (sa->esn)
        u->flags |= XFRM_STATE_ESN;
    return true;
}

static void put_lifetime(struct xfrm_lifetime_cfg *c, const kernel_lifetime *l)
{
    c->soft_byte_limit = l->soft_bytes ? l->soft_bytes : XFRM_INF;
    c->hard_byte_limit = l->hard_bytes ? l->hard_bytes : XFRM_INF;
    c->soft_packet_limit = l->soft_packets ? l->soft_packets : XFRM_INF;
    c->hard_packet_limit = l->hard_packets ? l->hard_packets : XFRM_INF;
    c->soft_add_expires_seconds = l->soft_s;
    c->hard_add_expires_seconds = l->hard_s;
}

static void put_selector(struct xfrm_usersa_info *u, const kernel_sa *sa)
{
    subnet src, dst;

    if (sa->mode == MODE_TUNNEL)
        u->flags |= XFRM_STATE_AF_UNSPEC; /* whatever family goes through it */
    if (sa->mode == MODE_TUNNEL || !sa->src_ts.from.family || sa->ipcomp_bundled)
        return;
    /* SAs of transport mode get their addresses from the packets; a range that is no subnet cannot be said
     * here */
    if (ts_to_subnet(&sa->src_ts, &src) && ts_to_subnet(&sa->dst_ts, &dst))
        xfrm_put_sel(&u->sel, &src, &dst, &sa->src_ts, &sa->dst_ts);
}

static uint8_t mode_of(sa_mode mode)
{
    return mode == MODE_TUNNEL ? XFRM_MODE_TUNNEL : mode == MODE_BEET ? XFRM_MODE_BEET : XFRM_MODE_TRANSPORT;
}

static status request_add(xfrm *x, const kernel_sa *sa, uint16_t type)
{
    xfrm_msg m;
    struct xfrm_usersa_info *u = xfrm_begin(&m, type, 0, sizeof *u);

    xfrm_put_addr(&u->id.daddr, &sa->id.dst);
    xfrm_put_addr(&u->saddr, &sa->id.src);
    u->id.spi = htonl(sa->id.spi);
    u->id.proto = xfrm_ipproto(sa->id.proto);
    u->family = sa->id.dst.family;
    u->reqid = sa->reqid;
    u->mode = mode_of(sa->mode);
    put_lifetime(&u->lft, &sa->life);
    put_selector(u, sa);
    status st = put_algs(&m, sa);
    if (st == ST_OK &&
        (!put_replay(&m, u, sa) || (sa->udp_encap && !put_encap(&m, sa->src_port, sa->dst_port))))
        st = ST_LIMIT;
    if (st == ST_OK) {
        xfrm_mark(&m, sa->mark, sa->mark_mask);
        st = xfrm_call(x, &m, NULL);
    }
    wipe(&m, sizeof m);
    return st;
}

status xfrm_add_sa(kernel *k, const kernel_sa *sa)
{
    xfrm *x = xfrm_of(k);

    pthread_mutex_lock(&x->lock);
    bool reserved = sa->inbound && find_entry(x, &sa->id);
    status st = request_add(x, sa, reserved ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA);
    /* the kernel keeps a reserved SPI for some 30 seconds (xfrm_acq_expires) only, a slow peer takes longer
     */
    if (reserved && st == ST_NOT_FOUND)
        st = request_add(x, sa, XFRM_MSG_NEWSA);
    if (st == ST_OK) {
        st = add_entry(x, &sa->id, sa->mark, sa->mark_mask);
        if (st != ST_OK)
            (void)!request_del(x, &sa->id, &(xfrm_sa_entry){.mark = sa->mark, .mark_mask = sa->mark_mask});
    }
    pthread_mutex_unlock(&x->lock);
    return st;
}

/* ---- moving ---- */
/* Attributes that make the new SA the same as the old one. */
static bool is_kept(uint16_t type)
{
    switch (type) {
    case XFRMA_ALG_AUTH_TRUNC:
    case XFRMA_ALG_CRYPT:
    case XFRMA_ALG_AEAD:
    case XFRMA_ALG_COMP:
    case XFRMA_REPLAY_VAL:
    case XFRMA_REPLAY_ESN_VAL:
    case XFRMA_MARK:
    case XFRMA_TFCPAD:
    case XFRMA_SET_MARK:
    case XFRMA_SET_MARK_MASK:
    case XFRMA_IF_ID:
        return true;
    default:
        return false;
    }
}

static status copy_attrs(xfrm_msg *to, const struct nlmsghdr *from)
{
    const struct nlattr *a;

    mnl_attr_for_each(a, from, sizeof(struct xfrm_usersa_info))
    {
        uint16_t type = mnl_attr_get_type(a), n = mnl_attr_get_payload_len(a);

        if (!is_kept(type))
            continue;
        void *at = xfrm_attr(to, type, n);
        if (!at)
            return ST_LIMIT;
        memcpy(at, mnl_attr_get_payload(a), n);
    }
    return ST_OK;
}

/* The SA with new addresses as a request: what the kernel told about the old one, but for what moves. */
static status build_moved(xfrm_msg *m, const struct nlmsghdr *old, const endpoint *src, const endpoint *dst,
                          bool udp_encap)
{
    const struct xfrm_usersa_info *was = mnl_nlmsg_get_payload(old);
    struct xfrm_usersa_info *u = xfrm_begin(m, XFRM_MSG_NEWSA, 0, sizeof *u);

    *u = *was;
    xfrm_put_addr(&u->saddr, &src->ip);
    xfrm_put_addr(&u->id.daddr, &dst->ip);
    u->family = dst->ip.family;
    if (u->mode != XFRM_MODE_TUNNEL)
        memset(&u->sel, 0, sizeof u->sel);
    status st = copy_attrs(m, old);
    struct xfrm_lifetime_cur *cur = xfrm_attr(m, XFRMA_LTIME_VAL, sizeof *cur);
    if (st != ST_OK || !cur || (udp_encap && !put_encap(m, src->port, dst->port)))
        return ST_LIMIT;
    *cur = was->curlft;
    return ST_OK;
}

static status move_sa(xfrm *x, const kernel_sa_id *id, xfrm_sa_entry *e, const endpoint *src,
                      const endpoint *dst, bool udp_encap)
{
    xfrm_msg old, next;
    const struct nlmsghdr *reply;
    status st = request_get(x, id, e, &old, &reply);

    if (st == ST_OK)
        st = build_moved(&next, reply, src, dst, udp_encap);
    /* one SPI cannot be there twice, so the old one goes first: for a moment packets find none and are lost
     */
    if (st == ST_OK)
        st = request_del(x, id, e);
    if (st == ST_OK)
        st = xfrm_call(x, &next, NULL);
    wipe(&old, sizeof old);
    wipe(&next, sizeof next);
    return st;
}

status xfrm_update_sa(kernel *k, const kernel_sa_id *id, const endpoint *src, const endpoint *dst,
                      bool udp_encap)
{
    xfrm *x = xfrm_of(k);
    kernel_sa_id moved = *id;

    pthread_mutex_lock(&x->lock);
    xfrm_sa_entry *e = find_entry(x, id);
    uint32_t mark = e ? e->mark : 0, mask = e ? e->mark_mask : 0;
    status st = e ? move_sa(x, id, e, src, dst, udp_encap) : ST_NOT_FOUND;
    if (st == ST_OK) {
        moved.src = src->ip;
        moved.dst = dst->ip;
        drop_entry(x, id);
        st = add_entry(x, &moved, mark, mask);
    }
    pthread_mutex_unlock(&x->lock);
    return st;
}

/* ---- figures ---- */
status xfrm_query_sa(kernel *k, const kernel_sa_id *id, kernel_sa_stats *out)
{
    xfrm *x = xfrm_of(k);
    xfrm_msg m;
    const struct nlmsghdr *reply;
    const struct nlattr *a;

    pthread_mutex_lock(&x->lock);
    status st = request_get(x, id, find_entry(x, id), &m, &reply);
    pthread_mutex_unlock(&x->lock);
    if (st == ST_OK) {
        const struct xfrm_usersa_info *u = mnl_nlmsg_get_payload(reply);
        *out = (kernel_sa_stats){
            .bytes = u->curlft.bytes,
            .packets = u->curlft.packets,
            .add_time_s = (int64_t)u->curlft.add_time,
            .replay_errors = (uint64_t)u->stats.replay_window + u->stats.replay,
            .integrity_failures = u->stats.integrity_failed,
        };
        /* curlft.use_time is the first use; the last one comes as an attribute, from kernels that have it */
        mnl_attr_for_each(a, reply, sizeof *u)
        {
            if (mnl_attr_get_type(a) == XFRMA_LASTUSED && mnl_attr_validate(a, MNL_TYPE_U64) >= 0)
                out->use_time_s = (int64_t)mnl_attr_get_u64(a);
        }
    }
    wipe(&m, sizeof m);
    return st;
}

status xfrm_del_sa(kernel *k, const kernel_sa_id *id)
{
    xfrm *x = xfrm_of(k);

    pthread_mutex_lock(&x->lock);
    status st = request_del(x, id, find_entry(x, id));
    drop_entry(x, id);
    pthread_mutex_unlock(&x->lock);
    return st;
}

void xfrm_del_all_sas(xfrm *x)
{
    size_t it = 0;

    for (xfrm_sa_entry *e; (e = hashmap_next(x->sas, &it));) {
        (void)!request_del(x, &e->id, e);
        free(e);
    }
}
