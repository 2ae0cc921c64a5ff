/* See conns.h. The table's list is in order of loading with instances behind their template; host pairs are
 * buckets of a hash map, so that a first message costs two look-ups however many conns there are.
 */
#include "pluto/sa/conns.h"
#include "libstrongswan/base/text.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair_key {
    uint8_t b[40];
} pair_key;
typedef struct pair_bucket {
    pair_key key;
    list conns;
} pair_bucket;

static pair_key make_key(const ip_addr *me, const ip_addr *peer)
{
    pair_key k = {{0}};
    k.b[0] = me->family;
    memcpy(k.b + 1, me->b, 16);
    bool any = addr_is_any(peer);
    k.b[17] = any ? 0 : peer->family;
    if (!any)
        memcpy(k.b + 18, peer->b, 16);
    return k;
}

static status pair_insert(pluto *p, pconn *c)
{
    pair_key k = make_key(&c->me.host, &c->peer.host);
    pair_bucket *b = hashmap_get(p->pairs, SPAN_ARRAY(k.b));
    if (!b) {
        if (!(b = calloc(1, sizeof(*b))))
            return ST_NO_MEMORY;
        b->key = k;
        list_init(&b->conns);
        status st = hashmap_add(p->pairs, SPAN_ARRAY(b->key.b), b);
        if (st != ST_OK) {
            free(b);
            return st;
        }
    }
    list_append(&b->conns, &c->pair);
    return ST_OK;
}

static void pair_remove(pluto *p, pconn *c)
{
    if (!c->pair.next)
        return;
    pair_key k = make_key(&c->me.host, &c->peer.host);
    list_remove(&c->pair);
    pair_bucket *b = hashmap_get(p->pairs, SPAN_ARRAY(k.b));
    if (b && list_empty(&b->conns)) {
        hashmap_remove(p->pairs, SPAN_ARRAY(k.b));
        free(b);
    }
}

status conns_init(pluto *p)
{
    list_init(&p->conns);
    return hashmap_new(&p->pairs);
}

pconn *pconn_ref(pconn *c)
{
    if (c)
        ref_get(&c->refs);
    return c;
}

static void end_free(pconn_end *e)
{
    ident_unref(e->id);
    ident_unref(e->ca);
    cert_unref(e->cert);
}

void pconn_unref(pconn *c)
{
    if (!c || !ref_put(&c->refs))
        return;
    end_free(&c->me);
    end_free(&c->peer);
    kchild_free(c->trap);
    if (c->reqid && c->p->reqids)
        reqids_put(c->p->reqids, c->reqid);
    pconn_unref(c->parent);
    conn_unref(c->c);
    free(c->own_ike);
    free(c->own_esp);
    free(c->name);
    free(c);
}

/* ---- making one ---- */

static status end_identity(pluto *p, pconn *c, pconn_end *e, bool mine, msgbuf *msg)
{
    const char *text = e->cfg->id_text;
    char addr[ADDR_TEXT];
    if (e->cfg->cert && strncmp(e->cfg->cert, "%smartcard", 10) != 0) {
        msgbuf why;
        if (credstore_load_cert(p->e->cred, e->cfg->cert, DIR_CERTS, &e->cert, &why) != ST_OK)
            plog_conn(c, NULL, RC_LOG_SERIOUS, "%s", why.text);
    }
    if (text && strcmp(text, "%myid") == 0)
        text = p->myid;
    if (text) {
        status st = ident_from_text(&e->id, text, msg);
        if (st != ST_OK)
            return st;
        if (e->cert && !ident_has_wildcards(e->id) && !cert_has_id(e->cert, e->id)) {
            plog_conn(c, NULL, RC_LOG, "  no subjectAltName matches ID '%s', replaced by subject DN",
                      IDENT_PLUTO(e->id));
            ident_unref(e->id);
            e->id = ident_ref(cert_subject(e->cert));
        }
        return ST_OK;
    }
    if (e->cert) {
        e->id = ident_ref(cert_subject(e->cert));
        return ST_OK;
    }
    if (addr_is_any(&e->host) || (!mine && e->cfg->host_any && addr_is_any(&e->cfg->host))) {
        e->id = ident_any();
        return e->id ? ST_OK : ST_NO_MEMORY;
    }
    return ident_from_text(&e->id, addr_text(&e->host, addr, sizeof(addr)), msg);
}

static status end_ca(pconn_end *e, const pconn_end *other, msgbuf *msg)
{
    const char *ca = e->cfg->ca;
    if (ca && strcmp(ca, "%same") == 0)
        ca = other->cfg->ca && strcmp(other->cfg->ca, "%same") != 0 ? other->cfg->ca : NULL;
    if (ca && strcmp(ca, "%any") != 0)
        return ident_from_text(&e->ca, ca, msg);
    /* "%same" towards an end that has no leftca of its own: the issuer of its certificate */
    if (e->cfg->ca && strcmp(e->cfg->ca, "%same") == 0 && other->cert)
        e->ca = ident_ref(cert_issuer(other->cert));
    return ST_OK;
}

static void end_from_cfg(pconn_end *e, const conn_end *cfg, size_t sub)
{
    e->cfg = cfg;
    e->host = cfg->host;
    e->ikeport = cfg->ikeport;
    e->proto = cfg->proto;
    e->port = cfg->port;
    e->port_any = cfg->port_any;
    if (cfg->n_subnets) {
        e->client = cfg->subnets[sub];
        e->has_client = true;
        e->has_wildcard_client = cfg->subnet_within;
    }
    if (cfg->virt)
        e->has_wildcard_client = true;
    if (cfg->sourceip && cfg->sourceip[0] != '%') {
        char addr[ADDR_TEXT];
        size_t n = strcspn(cfg->sourceip, "/,- ");
        span_cstr(span_of(cfg->sourceip, n), addr, sizeof(addr));
        if (addr_from_text(&e->sourceip, addr, NULL) != ST_OK)
            e->sourceip = addr_any(0);
    }
}

static bool is_our_address(pluto *p, const ip_addr *a, char *dev)
{
    return !addr_is_any(a) && p->e->host->ops->is_local(p->e->host, a, dev);
}

/* Which end is us; fills me, peer, dev. */
static void orient(pconn *c, size_t left_sub, size_t right_sub)
{
    const conn *k = c->c;
    pluto *p = c->p;
    bool left = is_our_address(p, &k->left.host, c->dev);
    bool right = !left && is_our_address(p, &k->right.host, c->dev);
    ip_addr src = {0}, gw;
    /* `left=%any` beside a peer with an address: we are where the route to the peer starts */
    if (!left && !right && (addr_is_any(&k->left.host) != addr_is_any(&k->right.host))) {
        const conn_end *peer = addr_is_any(&k->left.host) ? &k->right : &k->left;
        if (p->e->host->ops->route_to(p->e->host, &peer->host, &src, &gw, c->dev) == ST_OK &&
            !addr_is_any(&src)) {
            left = peer == &k->right;
            right = !left;
        } else {
            src = addr_any(0);
        }
    }
    c->oriented = left || right;
    c->left_is_me = !right;
    end_from_cfg(&c->me, right ? &k->right : &k->left, right ? right_sub : left_sub);
    end_from_cfg(&c->peer, right ? &k->left : &k->right, right ? left_sub : right_sub);
    if (!addr_is_any(&src))
        c->me.host = src;
}

/* pfsgroup= is a word of the proposals' language: read as the tail of one. */
static status pick_pfs_group(pconn *c, msgbuf *msg)
{
    char text[80];
    c->pfs_group = c->esp->pfs_group;
    if (!c->c->pfsgroup)
        return ST_OK;
    proposals *tmp = calloc(1, sizeof(*tmp));
    if (!tmp)
        return ST_NO_MEMORY;
    snprintf(text, sizeof(text), "aes128-sha1-%s", c->c->pfsgroup);
    status st = proposals_from_text(tmp, text, PROTO_ESP, true, msg);
    if (st == ST_OK)
        c->pfs_group = tmp->pfs_group;
    free(tmp);
    return st;
}

static status pick_proposals(pconn *c, msgbuf *msg)
{
    pluto *p = c->p;
    status st;
    c->ike = p->default_ike;
    ipsec_proto proto = c->c->ah_only ? PROTO_AH : PROTO_ESP;
    c->esp = c->c->ah_only ? p->default_ah : p->default_esp;
    if (c->c->ike) {
        if (!(c->own_ike = calloc(1, sizeof(proposals))))
            return ST_NO_MEMORY;
        if ((st = proposals_from_text(c->own_ike, c->c->ike, PROTO_IKE, true, msg)) != ST_OK)
            return st;
        c->ike = c->own_ike;
    }
    if (c->c->esp) {
        if (!(c->own_esp = calloc(1, sizeof(proposals))))
            return ST_NO_MEMORY;
        if ((st = proposals_from_text(c->own_esp, c->c->esp, proto, true, msg)) != ST_OK)
            return st;
        c->esp = c->own_esp;
    }
    return pick_pfs_group(c, msg);
}

static bool wants_template(const pconn *c)
{
    if (addr_is_any(&c->peer.host) || c->peer.cfg->host_any || c->peer.has_wildcard_client)
        return true;
    return c->peer.id && ident_has_wildcards(c->peer.id);
}

static status pconn_make(pconn **out, pluto *p, conn *k, const char *name, size_t ls, size_t rs, msgbuf *msg)
{
    status st;
    pconn *c = calloc(1, sizeof(*c));
    if (!c)
        return ST_NO_MEMORY;
    ref_init(&c->refs);
    c->p = p;
    c->c = conn_ref(k);
    if (!(c->name = strdup(name))) {
        st = ST_NO_MEMORY;
        goto fail;
    }
    orient(c, ls, rs);
    if ((st = end_identity(p, c, &c->me, true, msg)) != ST_OK ||
        (st = end_identity(p, c, &c->peer, false, msg)) != ST_OK ||
        (st = end_ca(&c->me, &c->peer, msg)) != ST_OK || (st = end_ca(&c->peer, &c->me, msg)) != ST_OK ||
        (st = pick_proposals(c, msg)) != ST_OK)
        goto fail;
    c->peer.id_hash = ident_hash(c->peer.id);
    c->is_template = wants_template(c);
    c->reqid = k->reqid ? 0 : reqids_get(p->reqids, span_str(name));
    *out = c;
    return ST_OK;
fail:
    pconn_unref(c);
    return st;
}

/* A raw public key of the peer, or of ours for others to see. */
static void load_rsasigkey(pluto *p, pconn *c, const pconn_end *e)
{
    const char *text = e->cfg->rsasigkey;
    pubkey *k = NULL;
    buf data = {0};
    msgbuf why;
    if (!text || text[0] != '0' || strcmp(text, "0x00") == 0 || !e->id || ident_type(e->id) == ID_ANY)
        return;
    if (text_parse_data(&data, span_str(text)) != ST_OK)
        plog_conn(c, NULL, RC_LOG_SERIOUS, "bad rsasigkey for %s: it is neither 0x… nor 0s…",
                  IDENT_PLUTO(e->id));
    else if (pubkey_from_rfc3110(&k, buf_span(&data), &why) != ST_OK)
        plog_conn(c, NULL, RC_LOG_SERIOUS, "bad rsasigkey for %s: %s", IDENT_PLUTO(e->id), why.text);
    else if (credstore_add_pubkey(p->e->cred, e->id, k) != ST_OK)
        plog_conn(c, NULL, RC_LOG_SERIOUS, "rsasigkey for %s could not be kept", IDENT_PLUTO(e->id));
    pubkey_unref(k);
    buf_free(&data);
}

/* ---- the table ---- */

static void name_part(char *dst, size_t size, const conn *k, size_t l, size_t r)
{
    if (k->left.n_subnets > 1 || k->right.n_subnets > 1)
        snprintf(dst, size, "%s/%zux%zu", k->name, l + 1, r + 1);
    else
        snprintf(dst, size, "%s", k->name);
}

static bool name_matches(const pconn *c, const char *name)
{
    return strcmp(c->name, name) == 0 || strcmp(c->c->name, name) == 0;
}

static void table_insert(pluto *p, pconn **c, size_t n)
{
    pluto_lock(p);
    for (size_t i = 0; i < n; i++) {
        c[i]->serial = ++p->next_conn;
        if (!c[i]->oriented || pair_insert(p, c[i]) == ST_OK) {
            list_append(&p->conns, &c[i]->node);
            p->stats.conns++;
        } else {
            c[i]->deleted = true;
            pconn_unref(c[i]);
        }
    }
    pluto_unlock(p);
}

status conns_add(pluto *p, conn *k, bool replace, msgbuf *msg)
{
    size_t nl = k->left.n_subnets ? k->left.n_subnets : 1, nr = k->right.n_subnets ? k->right.n_subnets : 1,
           n = 0;
    status st = ST_OK;
    pconns old = conns_by_name(p, k->name, false);
    bool exists = old.n > 0;
    pconns_free(&old);
    if (exists && !replace)
        return msg_fail(msg, ST_EXISTS, "attempt to redefine connection \"%s\"", k->name);
    pconn **made = calloc(nl * nr, sizeof(pconn *));
    if (!made)
        return ST_NO_MEMORY;
    for (size_t l = 0; l < nl && st == ST_OK; l++) {
        for (size_t r = 0; r < nr && st == ST_OK; r++) {
            char name[320];
            name_part(name, sizeof(name), k, l, r);
            if (nl * nr > 1 && k->left.n_subnets && k->right.n_subnets &&
                k->left.subnets[l].ip.family != k->right.subnets[r].ip.family)
                continue; /* an IPv4 net and an IPv6 net make no pair */
            st = pconn_make(&made[n], p, k, name, l, r, msg);
            n += st == ST_OK;
        }
    }
    if (st == ST_OK && exists)
        st = conns_del(p, k->name);
    if (st == ST_OK) {
        if (n) {
            load_rsasigkey(p, made[0], &made[0]->me);
            load_rsasigkey(p, made[0], &made[0]->peer);
        }
        table_insert(p, made, n);
        plog_daemon(p, "added connection description \"%s\"", k->name);
    } else {
        for (size_t i = 0; i < n; i++)
            pconn_unref(made[i]);
    }
    free(made);
    return st;
}

static int by_name(const void *a, const void *b)
{
    const pconn *x = *(pconn *const *)a, *y = *(pconn *const *)b;
    int d = strcmp(x->name, y->name);
    if (d == 0)
        d = x->instance < y->instance ? -1 : x->instance > y->instance;
    return d ? d : (x->serial < y->serial ? -1 : x->serial > y->serial);
}

/* caller holds the lock */
static bool push(pconns *l, size_t *cap, pconn *c)
{
    if (l->n == *cap) {
        size_t more = *cap ? *cap * 2 : 8;
        pconn **grown = realloc(l->c, more * sizeof(*grown));
        if (!grown)
            return false;
        l->c = grown;
        *cap = more;
    }
    l->c[l->n++] = pconn_ref(c);
    return true;
}

pconns conns_by_name(pluto *p, const char *name, bool instances)
{
    pconns out = {0};
    size_t cap = 0;
    pconn *c;
    pluto_lock(p);
    LIST_EACH(&p->conns, pconn, node, c)
    {
        if ((instances || !c->instance) && name_matches(c, name) && !push(&out, &cap, c))
            break;
    }
    pluto_unlock(p);
    return out;
}

pconns conns_all(pluto *p)
{
    pconns out = {0};
    size_t cap = 0;
    pconn *c;
    pluto_lock(p);
    LIST_EACH(&p->conns, pconn, node, c)
    {
        if (!push(&out, &cap, c))
            break;
    }
    pluto_unlock(p);
    if (out.n)
        qsort(out.c, out.n, sizeof(*out.c), by_name);
    return out;
}

static void push_bucket(pluto *p, pconns *out, size_t *cap, const pair_key *k, bool instances)
{
    pair_bucket *b = hashmap_get(p->pairs, SPAN_ARRAY(k->b));
    pconn *c;
    if (!b)
        return;
    LIST_EACH(&b->conns, pconn, pair, c)
    {
        if ((instances || !c->instance) && !push(out, cap, c))
            break;
    }
}

pconns conns_for_hosts(pluto *p, const ip_addr *me, const ip_addr *peer, bool instances)
{
    pconns out = {0};
    size_t cap = 0;
    ip_addr any = {0};
    pair_key exact = make_key(me, peer), wild = make_key(me, &any);
    pluto_lock(p);
    push_bucket(p, &out, &cap, &exact, instances);
    push_bucket(p, &out, &cap, &wild, instances);
    pluto_unlock(p);
    return out;
}

list *conns_bucket(pluto *p, const ip_addr *me, const ip_addr *other)
{
    pair_key k = make_key(me, other);
    pair_bucket *b = hashmap_get(p->pairs, SPAN_ARRAY(k.b));
    return b ? &b->conns : NULL;
}

uint64_t ident_hash(const ident *id)
{
    return id ? hash_bytes(ident_data(id)) : 0;
}

pconns conns_with_peer_id(pluto *p, const pconn *c, const ident *id)
{
    pconns out = {0};
    size_t cap = 0;
    uint64_t h = ident_hash(id);
    pconn *d;
    pluto_lock(p);
    LIST_EACH(&p->conns, pconn, node, d)
    {
        if (d->peer.id_hash == h && d != c && (d->newest_isakmp || d->newest_ipsec) &&
            ident_equal(d->peer.id, id) && !push(&out, &cap, d))
            break;
    }
    pluto_unlock(p);
    return out;
}

void pconns_free(pconns *l)
{
    for (size_t i = 0; i < l->n; i++)
        pconn_unref(l->c[i]);
    free(l->c);
    *l = (pconns){0};
}

/* caller holds the lock; the table's reference is given back by the caller afterwards */
void conns_table_remove(pluto *p, pconn *c)
{
    pair_remove(p, c);
    list_remove(&c->node);
    c->deleted = true;
    p->stats.conns -= p->stats.conns > 0;
    p->stats.instances -= c->instance && p->stats.instances > 0;
    if (c->retry_timer)
        runtime_timer_cancel(p->e->rt, c->retry_timer);
    c->retry_timer = 0;
}

status conns_table_insert_instance(pluto *p, pconn *t, pconn *c)
{
    pluto_lock(p);
    status st = t->deleted ? ST_CLOSED : pair_insert(p, c);
    if (st == ST_OK) {
        c->serial = ++p->next_conn;
        c->instance = ++t->next_instance;
        list_insert_before(t->node.next, &c->node);
        p->stats.instances++;
        p->stats.conns++;
    }
    pluto_unlock(p);
    return st;
}

status conns_del(pluto *p, const char *name)
{
    pconns l = conns_by_name(p, name, true);
    if (l.n == 0)
        return ST_NOT_FOUND;
    for (size_t i = 0; i < l.n; i++) {
        plog_conn(l.c[i], NULL, RC_LOG, "deleting connection");
        pluto_conn_down(p, l.c[i], NULL);
        pluto_conn_unroute(p, l.c[i], NULL);
        pluto_lock(p);
        bool there = l.c[i]->node.next != NULL;
        if (there)
            conns_table_remove(p, l.c[i]);
        pluto_unlock(p);
        if (there)
            pconn_unref(l.c[i]);
    }
    pconns_free(&l);
    return ST_OK;
}

void conns_fini(pluto *p)
{
    for (;;) {
        pluto_lock(p);
        pconn *c = list_empty(&p->conns) ? NULL : container_of(p->conns.next, pconn, node);
        if (c)
            conns_table_remove(p, c);
        pluto_unlock(p);
        if (!c)
            break;
        pconn_unref(c);
    }
    hashmap_free(p->pairs);
    p->pairs = NULL;
}

void conns_reorient(pluto *p)
{
    pconn *c;
    char dev[HOST_IFNAME];
    pconns l = conns_all(p);
    for (size_t i = 0; i < l.n; i++) {
        c = l.c[i];
        bool left = is_our_address(p, &c->c->left.host, dev),
             right = !left && is_our_address(p, &c->c->right.host, dev);
        if (c->oriented || c->instance || !(left || right))
            continue;
        /* it could not be used so far, so nothing refers to its ends yet */
        pluto_lock(p);
        if (left != c->left_is_me) {
            pconn_end e = c->me;
            c->me = c->peer;
            c->peer = e;
            c->left_is_me = left;
        }
        memcpy(c->dev, dev, sizeof(dev));
        c->is_template = wants_template(c);
        c->oriented = pair_insert(p, c) == ST_OK;
        pluto_unlock(p);
    }
    pconns_free(&l);
}
