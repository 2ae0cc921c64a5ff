/* See ike.h. Order of ending: disarm timers, leave the tables, give back the client, then free what the
 * mailbox owned.
 */
#include "pluto/sa/ike.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <stdlib.h>
#include <string.h>

/* ---- mail ---- */

typedef struct ike_mail {
    mail m;
    ike *i;
    ike_fn *fn;
    ike_args a;
} ike_mail;

static void mail_free(ike_mail *m)
{
    packet_free(m->a.pk);
    pconn_unref(m->a.c);
    client_unref(m->a.client);
    ike_unref(m->i);
    free(m);
}

static void mail_run(void *owner, mail *m)
{
    ike_mail *im = container_of(m, ike_mail, m);
    im->fn(im->i, &im->a);
    mail_free(im);
}

static void mail_drop(void *owner, mail *m)
{
    mail_free(container_of(m, ike_mail, m));
}

status ike_post(ike *i, ike_fn *fn, const ike_args *a)
{
    ike_mail *m = calloc(1, sizeof(*m));
    if (!m) {
        packet_free(a->pk);
        return ST_NO_MEMORY;
    }
    m->m.run = mail_run;
    m->m.drop = mail_drop;
    m->i = ike_ref(i);
    m->fn = fn;
    m->a = *a;
    pconn_ref(m->a.c);
    client_ref(m->a.client);
    status st = mailbox_post(&i->peer->mb, &m->m);
    if (st != ST_OK)
        mail_free(m);
    return st;
}

/* ---- references ---- */

ike *ike_ref(ike *i)
{
    ref_get(&i->refs);
    return i;
}

static void peer_ref(void *owner)
{
    peerbox *r = owner;
    pluto_lock(r->p);
    r->refs++;
    pluto_unlock(r->p);
}

static void peer_put(void *owner)
{
    peerbox *r = owner;
    if (!r)
        return;
    pluto_lock(r->p);
    bool last = --r->refs == 0;
    if (last)
        hashmap_remove(r->p->peers, SPAN_ARRAY(r->key));
    pluto_unlock(r->p);
    if (last) {
        pluto *p = r->p;
        mailbox_fini(&r->mb);
        free(r);
        pluto_unref(p);
    }
}
static const mailbox_ops peer_mailbox_ops = {peer_ref, peer_put};

static void peer_key(uint8_t key[20], const ip_addr *a)
{
    memset(key, 0, 20);
    key[0] = a->family;
    memcpy(key + 1, a->b, 16);
}

static peerbox *peer_get(pluto *p, const ip_addr *a)
{
    uint8_t key[20];
    peer_key(key, a);
    pluto_lock(p);
    peerbox *r = hashmap_get(p->peers, SPAN_ARRAY(key));
    if (r) {
        r->refs++;
    } else if ((r = calloc(1, sizeof(*r))) != NULL) {
        r->p = p;
        list_init(&r->ikes);
        ref_get(&p->refs);
        r->refs = 1;
        memcpy(r->key, key, sizeof(key));
        mailbox_init(&r->mb, p->e->rt, r, &peer_mailbox_ops);
        r->mb.limit = PLUTO_MAX_MAIL;
        if (hashmap_add(p->peers, SPAN_ARRAY(r->key), r) != ST_OK) {
            mailbox_fini(&r->mb);
            free(r);
            r = NULL;
            (void)ref_put(&p->refs); /* never the last: our caller has one */
        }
    }
    pluto_unlock(p);
    return r;
}

status buf_assign(buf *b, span s)
{
    buf_reset(b);
    buf_put(b, s);
    return buf_ok(b) ? ST_OK : ST_NO_MEMORY;
}

static void free_bufs(ike *i)
{
    buf *const bufs[] = {&i->gxi,          &i->gxr,   &i->ni,    &i->nr,     &i->sa_body, &i->my_id,
                         &i->peer_id_body, &i->st.rx, &i->st.tx, &i->cfg_tx, &i->cfg_rx,  &i->cfg_answer};
    for (size_t n = 0; n < sizeof(bufs) / sizeof(bufs[0]); n++)
        buf_free(bufs[n]);
}

void ike_unref(ike *i)
{
    if (!i || !ref_put(&i->refs))
        return;
    peer_put(i->peer);
    keymat_fini(&i->keys);
    dh_free(i->dh);
    secret_free(&i->gxy);
    secret_free(&i->psk);
    free_bufs(i);
    ident_unref(i->peer_id);
    for (size_t n = 0; n < i->n_certs; n++)
        cert_unref(i->certs[n]);
    for (size_t n = 0; n < i->n_asked; n++)
        ident_unref(i->asked_ca[n]);
    cert_unref(i->peer_cert);
    ikev1_defrag_reset(&i->defrag);
    free(i->xauth_user);
    client_unref(i->st.client);
    pconn_unref(i->st.c);
    free(i);
}

/* ---- tables ---- caller holds the lock */

static span serial_key(const pstate *st)
{
    return span_of(&st->serial, sizeof(st->serial));
}

static void make_by_i(uint8_t out[28], const uint8_t icookie[8], const endpoint *remote)
{
    memset(out, 0, 28);
    memcpy(out, icookie, 8);
    out[8] = remote->ip.family;
    memcpy(out + 9, remote->ip.b, 16);
}

static status state_enter(pluto *p, pstate *st)
{
    st->serial = ++p->next_state;
    return hashmap_add(p->by_serial, serial_key(st), st);
}

status ike_new(ike **out, pluto *p, const endpoint *local, const endpoint *remote, bool initiator,
               const uint8_t *icookie)
{
    ike *i = calloc(1, sizeof(*i));
    status st;
    if (!i)
        return ST_NO_MEMORY;
    ref_init(&i->refs);
    i->p = p;
    list_init(&i->quicks);
    list_init(&i->pendings);
    if (!(i->peer = peer_get(p, &remote->ip))) {
        ike_unref(i);
        return ST_NO_MEMORY;
    }
    i->local = *local;
    i->remote = *remote;
    i->st.phase1 = true;
    i->st.initiator = initiator;
    i->st.ike = i;
    if (icookie)
        memcpy(i->cookies, icookie, 8);
    else
        ike_random_cookie(p, i->cookies);
    make_by_i(i->key_by_i, i->cookies, remote);
    pluto_lock(p);
    st = hashmap_count(p->by_serial) >= PLUTO_MAX_STATES ? ST_LIMIT
                                                         : hashmap_add(p->by_i, SPAN_ARRAY(i->key_by_i), i);
    if (st == ST_OK && (st = state_enter(p, &i->st)) != ST_OK)
        hashmap_remove(p->by_i, SPAN_ARRAY(i->key_by_i));
    if (st == ST_OK) {
        i->in_by_i = true;
        list_append(&p->ikes, &i->node);
        list_append(&i->peer->ikes, &i->near);
        p->stats.isakmp++;
        ike_ref(i); /* the table's */
    }
    pluto_unlock(p);
    if (st != ST_OK) {
        ike_unref(i);
        return st;
    }
    *out = i;
    return ST_OK;
}

status ike_set_cookies(ike *i, const uint8_t rcookie[8])
{
    pluto *p = i->p;
    pluto_lock(p);
    if (!i->in_cookies)
        memcpy(i->cookies + 8, rcookie, 8);
    status st = i->in_cookies ? ST_OK : hashmap_add(p->by_cookies, SPAN_ARRAY(i->cookies), i);
    i->in_cookies = i->in_cookies || st == ST_OK;
    pluto_unlock(p);
    return st;
}

uint16_t ike_half_bucket(const ip_addr *peer)
{
    return (uint16_t)(hash_bytes(addr_span(peer)) % HALF_BUCKETS);
}

void ike_add_half_open(ike *i)
{
    pluto *p = i->p;
    i->half_open = true;
    i->half_bucket = ike_half_bucket(&i->remote.ip); /* the peer may move later */
    list_append(&p->half_open, &i->half);
    p->half_bucket[i->half_bucket]++;
    p->n_half_open++;
}

void ike_remove_half_open(ike *i)
{
    pluto *p = i->p;
    if (!i->half_open)
        return;
    list_remove(&i->half);
    i->half_open = false;
    p->half_bucket[i->half_bucket]--;
    p->n_half_open--;
}

void ike_leave_half_open(ike *i)
{
    pluto_lock(i->p);
    ike_remove_half_open(i);
    pluto_unlock(i->p);
}

void ike_prove_half_open(ike *i)
{
    pluto *p = i->p;
    pluto_lock(p);
    if (i->half_open) {
        list_remove(&i->half);
        list_append(&p->half_proven, &i->half);
    }
    pluto_unlock(p);
}

/* caller holds the lock; the table's reference is the caller's afterwards if this returns true */
static bool bury_if_empty(pluto *p, ike *i)
{
    if (!i->phase1_gone || !list_empty(&i->quicks) || !i->node.next)
        return false;
    list_remove(&i->node);
    list_remove(&i->near);
    return true;
}

static void free_pendings(ike *i)
{
    for (;;) {
        pluto_lock(i->p);
        list_node *n = list_pop(&i->pendings);
        i->p->stats.pending -= n && i->p->stats.pending > 0;
        pluto_unlock(i->p);
        if (!n)
            return;
        pending *w = container_of(n, pending, node);
        client_unref(w->client);
        pconn_unref(w->c);
        free(w);
    }
}

static void cancel_timer(pluto *p, timer_id *t)
{
    if (*t)
        runtime_timer_cancel(p->e->rt, *t);
    *t = 0;
}

void ike_end_phase1(ike *i)
{
    pluto *p = i->p;
    if (i->phase1_gone)
        return;
    state_disarm(&i->st);
    cancel_timer(p, &i->dpd.timer);
    cancel_timer(p, &i->dpd.timeout);
    cancel_timer(p, &i->keepalive);
    cancel_timer(p, &i->phase15_timer);
    ike_leave_half_open(i);
    ike_remove_virtual_ip(i);
    pluto_lock(p);
    bool was_up = state_isakmp_established(i->st.state);
    i->phase1_gone = true;
    if (i->in_by_i)
        hashmap_remove(p->by_i, SPAN_ARRAY(i->key_by_i));
    if (i->in_cookies)
        hashmap_remove(p->by_cookies, SPAN_ARRAY(i->cookies));
    i->in_by_i = i->in_cookies = false;
    hashmap_remove(p->by_serial, serial_key(&i->st));
    p->stats.isakmp--;
    p->stats.isakmp_established -= was_up;
    pluto_unlock(p);
    free_pendings(i);
    state_set_client(&i->st, NULL);
    state_set_conn(&i->st, NULL);
    pluto_lock(p);
    bool bury = bury_if_empty(p, i);
    pluto_unlock(p);
    if (bury)
        ike_unref(i);
}

/* ---- quick modes ---- */

status quick_new(quick **out, ike *i, pconn *c, uint32_t msgid, bool initiator)
{
    pluto *p = i->p;
    quick *q = calloc(1, sizeof(*q));
    if (!q)
        return ST_NO_MEMORY;
    q->ike = i;
    q->st.ike = i;
    q->st.initiator = initiator;
    q->msgid = msgid;
    pluto_lock(p);
    status st = hashmap_count(p->by_serial) >= PLUTO_MAX_STATES || i->n_larval >= PLUTO_MAX_QUICK_LARVAL
                    ? ST_LIMIT
                    : state_enter(p, &q->st);
    if (st == ST_OK) {
        list_append(&i->quicks, &q->node);
        i->n_larval++;
        p->stats.quick++;
    }
    pluto_unlock(p);
    if (st != ST_OK) {
        free(q);
        return st;
    }
    state_set_conn(&q->st, c);
    *out = q;
    return ST_OK;
}

static void spi_key(uint8_t out[24], bool inbound, uint8_t proto, uint32_t spi, const ip_addr *peer)
{
    memset(out, 0, 24);
    out[0] = (uint8_t)(proto | (inbound ? 0x80 : 0));
    set_u32(out + 1, spi);
    if (!inbound) {
        out[5] = peer->family;
        memcpy(out + 6, peer->b, 16);
    }
}

static void index_one(pluto *p, spi_entry *e, bool inbound, uint8_t proto, uint32_t spi, const quick *q)
{
    if (e->serial || !spi)
        return;
    spi_key(e->key, inbound, proto, spi, &q->ike->remote.ip);
    if (hashmap_add(p->by_spi, SPAN_ARRAY(e->key), e) == ST_OK)
        e->serial = q->st.serial;
}

void quick_index_spis(quick *q)
{
    pluto *p = q->ike->p;
    pluto_lock(p);
    for (uint8_t n = 0; n < 3; n++) {
        index_one(p, &q->idx_in[n], true, (uint8_t)(n + PROTO_AH), q->spi_in[n], q);
        index_one(p, &q->idx_out[n], false, (uint8_t)(n + PROTO_AH), q->spi_out[n], q);
    }
    pluto_unlock(p);
}

void quick_end(quick *q)
{
    ike *i = q->ike;
    pluto *p = i->p;
    state_disarm(&q->st);
    quick_conn_down(q);
    kchild_free(q->child);
    q->child = NULL;
    pluto_lock(p);
    for (size_t n = 0; n < 3; n++) {
        if (q->idx_in[n].serial)
            hashmap_remove(p->by_spi, SPAN_ARRAY(q->idx_in[n].key));
        if (q->idx_out[n].serial)
            hashmap_remove(p->by_spi, SPAN_ARRAY(q->idx_out[n].key));
    }
    hashmap_remove(p->by_serial, serial_key(&q->st));
    list_remove(&q->node);
    p->stats.quick--;
    p->stats.quick_established -= q->established;
    i->n_larval -= !q->established && i->n_larval > 0;
    pluto_unlock(p);
    state_set_client(&q->st, NULL);
    state_set_conn(&q->st, NULL);
    buf_free(&q->ni);
    buf_free(&q->nr);
    buf_free(&q->st.rx);
    buf_free(&q->st.tx);
    dh_free(q->dh);
    secret_free(&q->gxy);
    free(q);
    pluto_lock(p);
    bool bury = bury_if_empty(p, i);
    pluto_unlock(p);
    if (bury)
        ike_unref(i);
}

quick *quick_by_msgid(ike *i, uint32_t msgid)
{
    quick *q;
    LIST_EACH(&i->quicks, quick, node, q)
    {
        if (q->msgid == msgid)
            return q;
    }
    return NULL;
}

quick *quick_by_serial(ike *i, uint64_t serial)
{
    quick *q;
    LIST_EACH(&i->quicks, quick, node, q)
    {
        if (q->st.serial == serial)
            return q;
    }
    return NULL;
}

/* ---- finding ---- */

static ike *lookup(pluto *p, const hashmap *m, span key)
{
    pluto_lock(p);
    ike *i = hashmap_get(m, key);
    if (i)
        ike_ref(i);
    pluto_unlock(p);
    return i;
}

ike *ike_by_cookies(pluto *p, const uint8_t cookies[16])
{
    return lookup(p, p->by_cookies, span_of(cookies, 16));
}

ike *ike_by_initiator(pluto *p, const uint8_t icookie[8], const endpoint *remote)
{
    uint8_t key[28];
    make_by_i(key, icookie, remote);
    return lookup(p, p->by_i, SPAN_ARRAY(key));
}

ike *ike_by_serial(pluto *p, uint64_t state)
{
    pluto_lock(p);
    pstate *st = hashmap_get(p->by_serial, span_of(&state, sizeof(state)));
    ike *i = st ? ike_ref(st->ike) : NULL;
    pluto_unlock(p);
    return i;
}

uint64_t quick_serial_by_spi(pluto *p, bool inbound, uint8_t proto, uint32_t spi, const ip_addr *peer)
{
    uint8_t key[24];
    spi_key(key, inbound, proto, spi, peer);
    pluto_lock(p);
    const spi_entry *e = hashmap_get(p->by_spi, SPAN_ARRAY(key));
    uint64_t serial = e ? e->serial : 0;
    pluto_unlock(p);
    return serial;
}

/* caller holds the lock */
static bool ikes_push(ikes *l, size_t *cap, ike *i)
{
    if (l->n == *cap) {
        size_t more = *cap ? *cap * 2 : 8;
        ike **grown = realloc(l->i, more * sizeof(*grown));
        if (!grown)
            return false;
        l->i = grown;
        *cap = more;
    }
    l->i[l->n++] = ike_ref(i);
    return true;
}

ikes ikes_all(pluto *p)
{
    ikes out = {0};
    size_t cap = 0;
    ike *i;
    pluto_lock(p);
    LIST_EACH(&p->ikes, ike, node, i)
    {
        if (!ikes_push(&out, &cap, i))
            break;
    }
    pluto_unlock(p);
    return out;
}

static ikes of_peer(const peerbox *r)
{
    ikes out = {0};
    size_t cap = 0;
    ike *i;
    LIST_EACH(&r->ikes, ike, near, i)
    {
        if (!ikes_push(&out, &cap, i))
            break;
    }
    return out;
}

ikes ikes_near(ike *i)
{
    pluto_lock(i->p);
    ikes out = of_peer(i->peer);
    pluto_unlock(i->p);
    return out;
}

ikes ikes_of_address(pluto *p, const ip_addr *a)
{
    uint8_t key[20];
    ikes out = {0};
    peer_key(key, a);
    pluto_lock(p);
    const peerbox *r = hashmap_get(p->peers, SPAN_ARRAY(key));
    if (r)
        out = of_peer(r);
    pluto_unlock(p);
    return out;
}

static bool has_state_of(const ike *i, const pconn *c)
{
    quick *q;
    pending *w;
    if (i->st.c == c || (i->st.c && c->instance == i->st.c->instance && i->st.c->c == c->c))
        return true;
    LIST_EACH(&i->quicks, quick, node, q)
    {
        if (q->st.c == c)
            return true;
    }
    LIST_EACH(&i->pendings, pending, node, w)
    {
        if (w->c == c)
            return true;
    }
    return false;
}

ikes ikes_of_conn(pluto *p, const pconn *c)
{
    ikes out = {0};
    size_t cap = 0;
    ike *i;
    pluto_lock(p);
    LIST_EACH(&p->ikes, ike, node, i)
    {
        if (has_state_of(i, c) && !ikes_push(&out, &cap, i))
            break;
    }
    pluto_unlock(p);
    return out;
}

void ikes_free(ikes *l)
{
    for (size_t n = 0; n < l->n; n++)
        ike_unref(l->i[n]);
    free(l->i);
    *l = (ikes){0};
}

/* ---- cookies ---- */

void ike_random_cookie(pluto *p, uint8_t out[8])
{
    do {
        if (rng_bytes(p->e->crypto, RNG_WEAK, out, 8) != ST_OK) {
            set_u32(out, rng_u32(p->e->crypto));
            set_u32(out + 4, rng_u32(p->e->crypto));
        }
    } while (get_u64(out) == 0);
}

void ike_responder_cookie(pluto *p, const endpoint *remote, const uint8_t icookie[8], uint8_t out[8])
{
    uint8_t h[MAX_HASH_BYTES], port[2], salt[8];
    set_u16(port, remote->port);
    ike_random_cookie(p, salt);
    span parts[] = {addr_span(&remote->ip), span_of(port, 2), span_of(icookie, 8), span_of(salt, 8),
                    SPAN_ARRAY(p->cookie_secret)};
    if (hash_once(p->e->crypto, HASH_SHA2_256, parts, 5, h) == ST_OK && get_u64(h) != 0)
        memcpy(out, h, 8);
    else
        memcpy(out, salt, 8);
}

/* ---- events ---- */

static void event_mail(ike *i, ike_args *a)
{
    pstate *st = NULL;
    if (i->st.serial == a->serial) {
        st = i->phase1_gone ? NULL : &i->st;
    } else {
        quick *q = quick_by_serial(i, a->serial);
        st = q ? &q->st : NULL;
    }
    /* armed anew since: not this one */
    if (!st || st->event == EVENT_NULL || runtime_now_ms(i->p->e->rt) < st->due_ms)
        return;
    pl_event ev = st->event;
    pluto_lock(i->p);
    st->event = EVENT_NULL;
    st->timer = 0;
    pluto_unlock(i->p);
    state_event(st, ev);
}

static void on_timer(void *ctx, uint64_t key)
{
    pluto *p = ctx;
    ike *i = ike_by_serial(p, key);
    if (!i)
        return;
    ike_args a = {.serial = key};
    status st = ike_post(i, event_mail, &a);
    if (st == ST_LIMIT || st == ST_NO_MEMORY) /* an event must not get lost */
        runtime_timer(p->e->rt, 1000, on_timer, p, key);
    ike_unref(i);
}

void state_arm(pstate *st, pl_event ev, int64_t delay_ms)
{
    pluto *p = st->ike->p;
    if (delay_ms < 0)
        delay_ms = 0;
    state_disarm(st);
    timer_id t = runtime_timer(p->e->rt, delay_ms, on_timer, p, st->serial);
    pluto_lock(p);
    st->event = ev;
    st->timer = t;
    st->due_ms = runtime_now_ms(p->e->rt) + delay_ms;
    pluto_unlock(p);
    pdebug(p, PLDBG_CONTROL, "inserting event %s, timeout in %lld seconds for #%llu", event_name(ev),
           (long long)(delay_ms / 1000), (unsigned long long)st->serial);
}

void state_disarm(pstate *st)
{
    pluto *p = st->ike->p;
    pluto_lock(p);
    timer_id t = st->timer;
    st->timer = 0;
    st->event = EVENT_NULL;
    pluto_unlock(p);
    if (t)
        runtime_timer_cancel(p->e->rt, t);
}

void state_change(pstate *st, pl_state to)
{
    pluto *p = st->ike->p;
    pluto_lock(p);
    if (st->phase1 && !state_isakmp_established(st->state) && state_isakmp_established(to)) {
        p->stats.isakmp_established++;
        p->stats.isakmp_rekeyed += st->replaces != 0;
    }
    st->state = to;
    pluto_unlock(p);
}

void state_set_client(pstate *st, pl_client *cl)
{
    pl_client *old = st->client;
    st->client = client_ref(cl);
    client_unref(old);
}
