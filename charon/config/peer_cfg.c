/* Makes conns ready for negotiation and remembers the result for as long as the conn is loaded. */
#include "charon/config/peer_cfg.h"
#include "charon/limits.h"
#include "libstrongswan/base/hashmap.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct entry {
    uint8_t key[sizeof(void *) + 1];
    peer_cfg *cfg;
} entry;

struct cfg_cache {
    const env *env;
    const log_scope *log;
    pthread_mutex_t lock; /* guards map; leaf */
    hashmap *map;
};

status cfg_cache_new(cfg_cache **out, const env *e, const log_scope *log)
{
    cfg_cache *c = calloc(1, sizeof(*c));

    if (!c || hashmap_new(&c->map) != ST_OK) {
        free(c);
        return ST_NO_MEMORY;
    }
    pthread_mutex_init(&c->lock, NULL);
    c->env = e;
    c->log = log;
    *out = c;
    return ST_OK;
}

void cfg_cache_forget(cfg_cache *c, const conn *cn)
{
    size_t it = 0;
    entry *e;

    pthread_mutex_lock(&c->lock);
    while ((e = hashmap_next(c->map, &it))) {
        if (cn && e->cfg->c != cn)
            continue;
        hashmap_remove(c->map, SPAN_ARRAY(e->key));
        peer_cfg_unref(e->cfg);
        free(e);
    }
    pthread_mutex_unlock(&c->lock);
}

void cfg_cache_free(cfg_cache *c)
{
    if (!c)
        return;
    cfg_cache_forget(c, NULL);
    hashmap_free(c->map);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

peer_cfg *peer_cfg_ref(peer_cfg *p)
{
    ref_get(&p->refs);
    return p;
}

void peer_cfg_unref(peer_cfg *p)
{
    if (!p || !ref_put(&p->refs))
        return;
    ident_unref(p->my_id);
    ident_unref(p->peer_id);
    ident_unref(p->my_ca);
    ident_unref(p->peer_ca);
    cert_unref(p->my_cert);
    cert_unref(p->peer_cert);
    free(p->ike);
    free(p->child);
    conn_unref(p->c);
    free(p);
}

ident *ident_of_addr(const ip_addr *a)
{
    ident *id = NULL;

    if (ident_from_wire(&id, a->family == AF_INET6 ? ID_IPV6_ADDR : ID_IPV4_ADDR, addr_span(a), NULL) !=
        ST_OK)
        return NULL;
    return id;
}

ident *peer_cfg_my_id(const peer_cfg *p, const ip_addr *me)
{
    return p->my_id ? ident_ref(p->my_id) : ident_of_addr(me);
}

/* ---- building ---- */
static status parse_proposals(proposals **out, const char *text, ipsec_proto proto, const env *e, msgbuf *msg)
{
    proposals *p = calloc(1, sizeof(*p)), *more;
    status st;

    if (!p)
        return ST_NO_MEMORY;
    *out = p;
    if (!text) {
        proposals_default(p, proto, false, e->crypto);
        return ST_OK;
    }
    st = proposals_from_text(p, text, proto, false, msg);
    if (st != ST_OK)
        return st;
    if (p->strict)
        return ST_OK;
    more = calloc(1, sizeof(*more));
    if (!more)
        return ST_NO_MEMORY;
    proposals_default(more, proto, false, e->crypto);
    for (unsigned i = 0; i < more->n && p->n < PROPOSALS_MAX; i++)
        p->p[p->n++] = more->p[i];
    for (unsigned i = 0; i < p->n; i++)
        p->p[i].number = (uint8_t)(i + 1);
    free(more);
    return ST_OK;
}

/* Drops from CHILD_SA proposals what the kernel cannot do. */
static void keep_kernel_supported(proposals *ps, kernel *k)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < ps->n; i++) {
        proposal *p = &ps->p[i];
        bool had_encr = proposal_get(p, TRANSFORM_ENCR) != NULL,
             had_integ = proposal_get(p, TRANSFORM_INTEG) != NULL;
        unsigned n = 0;
        for (unsigned j = 0; j < p->n; j++) {
            const transform *t = &p->t[j];
            bool ask = t->type == TRANSFORM_ENCR || t->type == TRANSFORM_INTEG;
            if (ask &&
                !k->ops->has_alg(k, (ipsec_proto)p->proto, (transform_type)t->type, t->id, t->key_bits))
                continue;
            if (t->type == TRANSFORM_ESN && t->id == ESN_YES && !(k->ops->features(k) & KERNEL_ESN))
                continue;
            p->t[n++] = *t;
        }
        p->n = (uint8_t)n;
        if ((had_encr && !proposal_get(p, TRANSFORM_ENCR)) ||
            (had_integ && !proposal_get(p, TRANSFORM_INTEG)))
            continue;
        ps->p[kept++] = *p;
    }
    ps->n = (uint8_t)kept;
}

static status parse_ca(ident **out, const char *text, const char *other, msgbuf *msg)
{
    if (text && strcmp(text, "%same") == 0)
        text = other;
    if (!text || strcmp(text, "%any") == 0 || strcmp(text, "%same") == 0)
        return ST_OK;
    return ident_from_text(out, text, msg);
}

static void load_cert(cfg_cache *cc, const char *path, cert **out)
{
    msgbuf why;

    if (!path || !cc->env->cred || path[0] == '%')
        return;
    if (credstore_load_cert(cc->env->cred, path, DIR_CERTS, out, &why) != ST_OK)
        LOG(cc->log, CFG, 1, "loading certificate '%s' failed: %s", path, why.text);
}

static status own_identity(cfg_cache *cc, peer_cfg *p, msgbuf *msg)
{
    const char *text = p->me->id_text;
    status st = ST_OK;

    if (text)
        st = ident_from_text(&p->my_id, text, msg);
    if (st != ST_OK)
        return st;
    if (p->my_id && ident_type(p->my_id) == ID_ANY) {
        ident_unref(p->my_id);
        p->my_id = NULL;
    }
    if (!p->my_cert)
        return ST_OK;
    if (p->my_id && !cert_has_id(p->my_cert, p->my_id)) {
        LOG(cc->log, CFG, 1, "  peerid %s not confirmed by certificate, defaulting to subject DN",
            IDENT_STR(p->my_id));
        ident_unref(p->my_id);
        p->my_id = NULL;
    }
    if (!p->my_id)
        p->my_id = ident_ref(cert_subject(p->my_cert));
    return ST_OK;
}

static status peer_identity(peer_cfg *p, msgbuf *msg)
{
    if (p->peer->id_text)
        return ident_from_text(&p->peer_id, p->peer->id_text, msg);
    if (p->peer_cert)
        p->peer_id = ident_ref(cert_subject(p->peer_cert));
    else if (p->peer->host_any || addr_is_any(&p->peer->host))
        p->peer_id = ident_any();
    else
        p->peer_id = ident_of_addr(&p->peer->host);
    return p->peer_id ? ST_OK : ST_NO_MEMORY;
}

static status build(cfg_cache *cc, const oriented *o, peer_cfg **out, msgbuf *msg)
{
    peer_cfg *p = calloc(1, sizeof(*p));
    status st;

    if (!p)
        return ST_NO_MEMORY;
    ref_init(&p->refs);
    p->c = conn_ref(o->c);
    p->right_is_me = o->local_is_right;
    p->me = o->me;
    p->peer = o->peer;
    p->my_auth = o->me->auth ? o->me->auth : o->c->authby;
    p->peer_auth = o->peer->auth;
    load_cert(cc, p->me->cert, &p->my_cert);
    load_cert(cc, p->peer->cert, &p->peer_cert);
    st = own_identity(cc, p, msg);
    if (st == ST_OK)
        st = peer_identity(p, msg);
    if (st == ST_OK)
        st = parse_ca(&p->my_ca, p->me->ca, p->peer->ca, msg);
    if (st == ST_OK)
        st = parse_ca(&p->peer_ca, p->peer->ca, p->me->ca, msg);
    if (st == ST_OK)
        st = parse_proposals(&p->ike, o->c->ike, PROTO_IKE, cc->env, msg);
    if (st == ST_OK)
        st = parse_proposals(&p->child, o->c->esp, PROTO_ESP, cc->env, msg);
    if (st != ST_OK) {
        msg_prefix(msg, "conn '%s': ", o->c->name);
        peer_cfg_unref(p);
        return st;
    }
    proposals_keep_supported(p->ike, cc->env->crypto, NULL);
    keep_kernel_supported(p->child, cc->env->kernel);
    *out = p;
    return ST_OK;
}

status cfg_cache_get(cfg_cache *c, const oriented *o, peer_cfg **out, msgbuf *msg)
{
    uint8_t key[sizeof(void *) + 1];
    entry *e;
    status st;

    memcpy(key, &o->c, sizeof(o->c));
    key[sizeof(o->c)] = o->local_is_right;
    pthread_mutex_lock(&c->lock);
    e = hashmap_get(c->map, SPAN_ARRAY(key));
    if (e)
        *out = peer_cfg_ref(e->cfg);
    pthread_mutex_unlock(&c->lock);
    if (e)
        return ST_OK;
    st = build(c, o, out, msg);
    if (st != ST_OK)
        return st;
    e = calloc(1, sizeof(*e));
    if (!e)
        return ST_OK; /* it works without being remembered */
    memcpy(e->key, key, sizeof(key));
    e->cfg = peer_cfg_ref(*out);
    pthread_mutex_lock(&c->lock);
    st = hashmap_add(c->map, SPAN_ARRAY(e->key), e);
    pthread_mutex_unlock(&c->lock);
    if (st != ST_OK) { /* somebody else was faster */
        peer_cfg_unref(e->cfg);
        free(e);
    }
    return ST_OK;
}

/* ---- comparing ---- */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_ident(const ident *a, const ident *b)
{
    return a == b || (a && b && ident_equal(a, b));
}

static bool same_end(const conn_end *a, const conn_end *b)
{
    return a->host_any == b->host_any && addr_equal(&a->host, &b->host) && a->ikeport == b->ikeport &&
           a->auth == b->auth && same_text(a->sourceip, b->sourceip) && same_text(a->cert, b->cert) &&
           a->sendcert == b->sendcert;
}

bool peer_cfg_same_peer(const peer_cfg *a, const peer_cfg *b)
{
    const conn *x = a->c, *y = b->c;

    if (a == b)
        return true;
    return a->right_is_me == b->right_is_me && same_end(a->me, b->me) && same_end(a->peer, b->peer) &&
           same_ident(a->my_id, b->my_id) && same_ident(a->peer_id, b->peer_id) &&
           same_ident(a->my_ca, b->my_ca) && same_ident(a->peer_ca, b->peer_ca) && x->authby == y->authby &&
           same_text(x->ike, y->ike) && x->forceencaps == y->forceencaps && x->reauth == y->reauth &&
           x->rekey == y->rekey && x->ikelifetime_s == y->ikelifetime_s &&
           x->rekeymargin_s == y->rekeymargin_s && x->dpddelay_s == y->dpddelay_s &&
           x->strictcrl == y->strictcrl && same_text(x->eap, y->eap);
}

/* ---- what it means ---- */
size_t peer_cfg_ts(const peer_cfg *p, bool mine, const ip_addr *self, traffic_sel *out, size_t max)
{
    const conn_end *e = mine ? p->me : p->peer;
    uint16_t port = e->port_any ? 0 : e->port;
    size_t n = 0;

    for (unsigned i = 0; i < e->n_subnets && n < max; i++)
        out[n++] = ts_from_subnet(&e->subnets[i], e->proto, port);
    if (e->n_subnets == 0 && max) {
        out[0] = ts_dynamic(e->proto, port);
        if (self)
            ts_set_dynamic(&out[0], self);
        n = 1;
    }
    return n;
}

sa_mode peer_cfg_mode(const peer_cfg *p)
{
    switch (p->c->type) {
    case CONN_TRANSPORT:
    case CONN_TRANSPORT_PROXY:
        return MODE_TRANSPORT;
    case CONN_BEET:
        return MODE_BEET;
    default:
        return MODE_TUNNEL;
    }
}

int64_t peer_cfg_rekey_s(const peer_cfg *p, bool ike, uint32_t rnd)
{
    const conn *c = p->c;
    int64_t life = ike ? c->ikelifetime_s : c->keylife_s, margin = c->rekeymargin_s, fuzz;

    if (!c->rekey || life <= 0)
        return 0;
    fuzz = margin * c->rekeyfuzz_pct / 100;
    if (fuzz > 0)
        margin += rnd % (fuzz + 1);
    return life > margin ? life - margin : life / 2 > 0 ? life / 2 : 1;
}
