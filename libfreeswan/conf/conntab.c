/* A daemon's conns: a map by name, a list in the order of loading, and two indexes for the question "who
 * could this peer be": conns by the peer's address, and those whose peer may be anywhere.
 *
 * Which end is ours is asked of the host before the lock is taken (the host has locks of its own; ours is a
 * leaf), and again by conntab_reorient(). The indexes hold oriented conns only.
 */
#include "libfreeswan/conf/conntab.h"

#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/list.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct entry {
    list_node node;    /* conntab.all */
    list_node same;    /* peers.list of its address, or conntab.any_peer */
    list_node same_id; /* any_peer: bucket of its identity, or conntab.any_id */
    conn *c;
    uint64_t serial;
    bool oriented, local_is_right;
    ident *my_id, *peer_id; /* NULL: a certificate will tell */
} entry;

typedef struct peers { /* conns with one peer address */
    ip_addr ip;
    list list;
} peers;

typedef struct id_bucket { /* %any peers with one identity (or what looks like one) */
    list list;
    size_t key_n;
    uint8_t key[];
} id_bucket;

enum { ID_KEY = IDENT_TEXT + 1 };

struct conntab {
    host *h;
    pthread_rwlock_t lock; /* guards all below */
    hashmap *by_name;
    hashmap *by_peer; /* ip -> peers */
    hashmap *by_id;   /* id_bucket.key -> id_bucket */
    list all, any_peer;
    list any_id;         /* of any_peer: identity not known, or with wildcards */
    size_t any_exact_me; /* of any_peer: how many name our address */
    uint64_t next_serial;
};

/* ---- which end is ours ---- */

static bool end_is_local(host *h, const conn_end *e)
{
    if (e->host_defaultroute)
        return true;
    return !e->host_any && !addr_is_any(&e->host) && h && h->ops->is_local(h, &e->host, NULL);
}

static void orient(host *h, const conn *c, bool *known, bool *local_is_right)
{
    bool left = end_is_local(h, &c->left), right = end_is_local(h, &c->right);
    *local_is_right = right && !(left && c->left.host_defaultroute);
    /* IKEv2 configurations leave the own end at %any; IKEv1 never knew that */
    *known = left || right || (c->left.host_any && (c->version & CONN_IKEV2));
}

static const conn_end *my_end(const entry *e)
{
    return e->local_is_right ? &e->c->right : &e->c->left;
}

static const conn_end *peer_end(const entry *e)
{
    return e->local_is_right ? &e->c->left : &e->c->right;
}

/* The identity a conn gives an end; NULL in *out when it depends on a certificate. */
static status end_ident(const conn_end *e, ident **out)
{
    *out = NULL;
    if (e->id_text && strcmp(e->id_text, "%myid") != 0)
        return ident_from_text(out, e->id_text, NULL);
    if (e->id_text || e->cert)
        return ST_OK;
    if (e->host_any || addr_is_any(&e->host)) {
        *out = ident_any();
        return ST_OK;
    }
    return ident_from_text(out, ADDR_STR(&e->host), NULL);
}

/* ---- indexes ---- under the write lock */

static span ip_key(const ip_addr *ip)
{
    return span_of(ip, sizeof(*ip));
}

static bool peer_is_fixed(const conn_end *e)
{
    return !e->host_any && !e->allow_any && !e->host_defaultroute && !addr_is_any(&e->host);
}

static bool may_match(const entry *e)
{
    const conn_end *p = peer_end(e);
    bool shunt = e->c->type == CONN_PASS || e->c->type == CONN_DROP || e->c->type == CONN_REJECT;
    return e->oriented && !shunt && (peer_is_fixed(p) || p->host_any || p->allow_any);
}

/* Identities that are equal have the same key; the reverse need not hold. 0: no key, compare with everything.
 * Case and blanks do not count in names; a DN is folded through its text. */
static size_t id_key(const ident *id, uint8_t key[ID_KEY])
{
    char text[IDENT_TEXT];
    size_t n = 1;
    key[0] = (uint8_t)ident_type(id);
    if (ident_type(id) != ID_FQDN && ident_type(id) != ID_USER_FQDN && ident_type(id) != ID_DER_ASN1_DN) {
        span data = ident_data(id);
        size_t m = data.n < ID_KEY - 1 ? data.n : ID_KEY - 1;
        if (m)
            memcpy(key + 1, data.p, m);
        return 1 + m;
    }
    ident_text(id, text, sizeof(text));
    if (ident_type(id) == ID_DER_ASN1_DN && (strchr(text, '+') || strlen(text) + 4 > sizeof(text)))
        return 0; /* the parts of an RDN have no order; a text that was cut says too little */
    for (const char *p = text; *p; p++)
        if (*p != ' ')
            key[n++] = (uint8_t)tolower((unsigned char)*p);
    while (n > 1 && key[n - 1] == '.')
        n--;
    return n;
}

static bool names_our_address(const entry *e)
{
    const conn_end *me = my_end(e);
    return !me->host_any && !me->host_defaultroute && !addr_is_any(&me->host);
}

static bool id_is_exact(const ident *id)
{
    return id && ident_type(id) != ID_ANY && !ident_has_wildcards(id);
}

static void unindex_id(conntab *t, entry *e)
{
    uint8_t key[ID_KEY];
    list_remove(&e->same_id);
    t->any_exact_me -= names_our_address(e);
    size_t n = id_is_exact(e->peer_id) ? id_key(e->peer_id, key) : 0;
    id_bucket *b = n ? hashmap_get(t->by_id, span_of(key, n)) : NULL;
    if (b && list_empty(&b->list)) {
        (void)hashmap_remove(t->by_id, span_of(b->key, b->key_n));
        free(b);
    }
}

static status index_id(conntab *t, entry *e)
{
    uint8_t key[ID_KEY];
    size_t n = id_is_exact(e->peer_id) ? id_key(e->peer_id, key) : 0;
    id_bucket *b = n ? hashmap_get(t->by_id, span_of(key, n)) : NULL;
    if (n && !b) {
        b = calloc(1, sizeof(*b) + n);
        if (!b)
            return ST_NO_MEMORY;
        list_init(&b->list);
        b->key_n = n;
        memcpy(b->key, key, n);
        status st = hashmap_add(t->by_id, span_of(b->key, n), b);
        if (st) {
            free(b);
            return st;
        }
    }
    list_append(b ? &b->list : &t->any_id, &e->same_id);
    t->any_exact_me += names_our_address(e);
    return ST_OK;
}

static void unindex(conntab *t, entry *e)
{
    if (!e->same.next)
        return;
    list_remove(&e->same);
    if (!peer_is_fixed(peer_end(e))) {
        unindex_id(t, e);
        return;
    }
    peers *p = hashmap_get(t->by_peer, ip_key(&peer_end(e)->host));
    if (p && list_empty(&p->list)) {
        (void)hashmap_remove(t->by_peer, ip_key(&p->ip));
        free(p);
    }
}

static status index_entry(conntab *t, entry *e)
{
    if (!may_match(e))
        return ST_OK;
    if (!peer_is_fixed(peer_end(e))) {
        status st = index_id(t, e);
        if (!st)
            list_append(&t->any_peer, &e->same);
        return st;
    }
    peers *p = hashmap_get(t->by_peer, ip_key(&peer_end(e)->host));
    if (!p) {
        p = calloc(1, sizeof(*p));
        if (!p)
            return ST_NO_MEMORY;
        p->ip = peer_end(e)->host;
        list_init(&p->list);
        status st = hashmap_add(t->by_peer, ip_key(&p->ip), p);
        if (st) {
            free(p);
            return st;
        }
    }
    list_append(&p->list, &e->same);
    return ST_OK;
}

static void entry_free(entry *e)
{
    if (!e)
        return;
    ident_unref(e->my_id);
    ident_unref(e->peer_id);
    conn_unref(e->c);
    free(e);
}

static status entry_new(conntab *t, conn *c, entry **out)
{
    entry *e = calloc(1, sizeof(*e));
    if (!e)
        return ST_NO_MEMORY;
    e->c = conn_ref(c);
    orient(t->h, c, &e->oriented, &e->local_is_right);
    status st = end_ident(my_end(e), &e->my_id);
    if (!st)
        st = end_ident(peer_end(e), &e->peer_id);
    if (st)
        entry_free(e);
    else
        *out = e;
    return st;
}

/* ---- the table ---- */

status conntab_new(conntab **out, host *h)
{
    conntab *t = calloc(1, sizeof(*t));
    if (!t)
        return ST_NO_MEMORY;
    t->h = h;
    t->next_serial = 1;
    list_init(&t->all);
    list_init(&t->any_peer);
    list_init(&t->any_id);
    status st = hashmap_new(&t->by_name);
    if (!st)
        st = hashmap_new(&t->by_peer);
    if (!st)
        st = hashmap_new(&t->by_id);
    if (st) {
        hashmap_free(t->by_name);
        hashmap_free(t->by_peer);
        free(t);
        return st;
    }
    pthread_rwlock_init(&t->lock, NULL);
    *out = t;
    return ST_OK;
}

static void drop(conntab *t, entry *e)
{
    unindex(t, e);
    list_remove(&e->node);
    entry_free(e);
}

void conntab_free(conntab *t)
{
    entry *e;
    if (!t)
        return;
    LIST_EACH(&t->all, entry, node, e)
    {
        drop(t, e);
    }
    hashmap_free(t->by_name);
    hashmap_free(t->by_peer);
    hashmap_free(t->by_id);
    pthread_rwlock_destroy(&t->lock);
    free(t);
}

static status put(conntab *t, conn *c, bool replace)
{
    entry *e;
    void *old = NULL;
    status st = entry_new(t, c, &e);
    if (st)
        return st;
    pthread_rwlock_wrlock(&t->lock);
    if (!replace && hashmap_get(t->by_name, span_str(c->name)))
        st = ST_EXISTS;
    if (!st)
        st = index_entry(t, e);
    if (!st) {
        /* the key belongs to the entry's conn: the old entry goes only after its key was replaced */
        old = hashmap_remove(t->by_name, span_str(c->name));
        st = hashmap_add(t->by_name, span_str(e->c->name), e);
        if (!st) {
            e->serial = t->next_serial++;
            list_append(&t->all, &e->node);
        } else {
            unindex(t, e);
        }
    }
    if (old)
        drop(t, old);
    pthread_rwlock_unlock(&t->lock);
    if (st)
        entry_free(e);
    return st;
}

status conntab_add(conntab *t, conn *c)
{
    return put(t, c, false);
}

status conntab_replace(conntab *t, conn *c)
{
    return put(t, c, true);
}

status conntab_del(conntab *t, const char *name)
{
    pthread_rwlock_wrlock(&t->lock);
    entry *e = hashmap_remove(t->by_name, span_str(name));
    if (e)
        drop(t, e);
    pthread_rwlock_unlock(&t->lock);
    return e ? ST_OK : ST_NOT_FOUND;
}

static oriented view(const entry *e)
{
    return (oriented){
        .c = conn_ref(e->c),
        .me = my_end(e),
        .peer = peer_end(e),
        .local_is_right = e->local_is_right,
        .oriented = e->oriented,
        .serial = e->serial,
    };
}

status conntab_find(conntab *t, const char *name, oriented *out)
{
    pthread_rwlock_rdlock(&t->lock);
    entry *e = hashmap_get(t->by_name, span_str(name));
    if (e)
        *out = view(e);
    pthread_rwlock_unlock(&t->lock);
    return e ? ST_OK : ST_NOT_FOUND;
}

status conntab_list(conntab *t, oriented **out, size_t *n)
{
    size_t i = 0;
    entry *e;
    pthread_rwlock_rdlock(&t->lock);
    size_t count = hashmap_count(t->by_name);
    oriented *rows = calloc(count ? count : 1, sizeof(*rows));
    if (rows)
        LIST_EACH(&t->all, entry, node, e)
        {
            rows[i++] = view(e);
        }
    pthread_rwlock_unlock(&t->lock);
    if (!rows)
        return ST_NO_MEMORY;
    *out = rows;
    *n = i;
    return ST_OK;
}

void conntab_list_free(oriented *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        conn_unref(rows[i].c);
    free(rows);
}

/* Asks the host about every conn without the lock, then files those anew that turned round. */
void conntab_reorient(conntab *t)
{
    oriented *rows;
    size_t n;
    if (conntab_list(t, &rows, &n) != ST_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        entry *fresh;
        if (entry_new(t, rows[i].c, &fresh) != ST_OK)
            continue;
        pthread_rwlock_wrlock(&t->lock);
        entry *e = hashmap_get(t->by_name, span_str(rows[i].c->name));
        if (e && e->serial == rows[i].serial &&
            (e->oriented != fresh->oriented || e->local_is_right != fresh->local_is_right)) {
            unindex(t, e);
            e->oriented = fresh->oriented;
            e->local_is_right = fresh->local_is_right;
            ident *my_id = e->my_id, *peer_id = e->peer_id;
            e->my_id = fresh->my_id;
            e->peer_id = fresh->peer_id;
            fresh->my_id = my_id;
            fresh->peer_id = peer_id;
            if (index_entry(t, e) != ST_OK) /* no memory: it is found by name only until the next time */
                e->oriented = false;
        }
        pthread_rwlock_unlock(&t->lock);
        entry_free(fresh);
    }
    conntab_list_free(rows, n);
}

/* ---- matching ---- */

typedef struct candidate {
    const entry *e;
    int score;
} candidate;

typedef struct search {
    const conn_query *q;
    candidate *found;
    size_t n, cap;
    int near; /* how far the nearest miss got */
    msgbuf *msg;
    bool failed;
} search;

enum { NEAR_VERSION = 1, NEAR_MY_ADDR, NEAR_MY_ID, NEAR_PEER_ID };

static void miss(search *s, int near, const entry *e, const char *what, const char *ours, const char *theirs)
{
    if (near <= s->near)
        return;
    s->near = near;
    msg_set(s->msg, "conn '%s' came nearest: it wants %s %s, the peer has %s", e->c->name, what, ours,
            theirs);
}

/* 0: no match */
static int id_score(const ident *wanted, const ident *have)
{
    return wanted && have ? ident_match(have, wanted) : ID_MATCH_ANY;
}

static int score_of(search *s, const entry *e)
{
    const conn_query *q = s->q;
    const conn_end *me = my_end(e), *peer = peer_end(e);
    bool me_any = me->host_any || me->host_defaultroute || addr_is_any(&me->host);
    bool peer_exact = !peer->host_any && addr_equal(&peer->host, &q->peer);
    if (!(e->c->version & q->version)) {
        miss(s, NEAR_VERSION, e, "the IKE version", e->c->version == CONN_IKEV1 ? "1" : "2",
             e->c->version == CONN_IKEV1 ? "2" : "1");
        return 0;
    }
    if (!me_any && !addr_is_any(&q->me) && !addr_equal(&me->host, &q->me)) {
        miss(s, NEAR_MY_ADDR, e, "our address", ADDR_STR(&me->host), ADDR_STR(&q->me));
        return 0;
    }
    int mine = id_score(e->my_id, q->my_id), theirs = id_score(e->peer_id, q->peer_id);
    if (!mine) {
        miss(s, NEAR_MY_ID, e, "our identity", IDENT_STR(e->my_id), IDENT_STR(q->my_id));
        return 0;
    }
    if (!theirs) {
        miss(s, NEAR_PEER_ID, e, "the peer's identity", IDENT_STR(e->peer_id), IDENT_STR(q->peer_id));
        return 0;
    }
    return 10000 * (2 * peer_exact + !me_any) + 100 * theirs + mine;
}

static void consider(search *s, const entry *e)
{
    int score = score_of(s, e);
    if (!score || s->failed)
        return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        candidate *more = realloc(s->found, cap * sizeof(*more));
        if (!more) {
            s->failed = true;
            return;
        }
        s->found = more;
        s->cap = cap;
    }
    s->found[s->n++] = (candidate){e, score};
}

static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->e->serial < y->e->serial ? -1 : x->e->serial > y->e->serial;
}

/* Once the peer's name is known, those of that name and those who may have any. Without it, all, or the first
 * `max` of the best kind: nothing but our own address tells them apart then. */
static void consider_travellers(const conntab *t, search *s)
{
    const conn_query *q = s->q;
    uint8_t key[ID_KEY];
    size_t n = q->peer_id ? id_key(q->peer_id, key) : 0, best = 0;
    entry *e;
    if (n) {
        id_bucket *b = hashmap_get(t->by_id, span_of(key, n));
        if (b)
            LIST_EACH(&b->list, entry, same_id, e)
            {
                consider(s, e);
            }
        LIST_EACH(&t->any_id, entry, same_id, e)
        {
            consider(s, e);
        }
        if (!s->n && !list_empty(&t->any_peer)) /* one of the others, for the explanation */
            consider(s, container_of(t->any_peer.next, entry, same));
        return;
    }
    LIST_EACH(&t->any_peer, entry, same, e)
    {
        size_t before = s->n;
        consider(s, e);
        best += s->n > before && (names_our_address(e) || !t->any_exact_me);
        if (q->max && !q->peer_id && best >= q->max)
            break;
    }
}

status conntab_match(conntab *t, const conn_query *q, oriented **out, size_t *n, msgbuf *msg)
{
    search s = {.q = q, .msg = msg};
    oriented *rows = NULL;
    entry *e;
    msg_set(msg, "no conn for %s...%s", ADDR_STR(&q->me), ADDR_STR(&q->peer));
    pthread_rwlock_rdlock(&t->lock);
    peers *p = hashmap_get(t->by_peer, ip_key(&q->peer));
    if (p)
        LIST_EACH(&p->list, entry, same, e)
        {
            consider(&s, e);
        }
    consider_travellers(t, &s);
    if (s.n)
        qsort(s.found, s.n, sizeof(*s.found), by_score);
    if (!s.failed && s.n)
        rows = calloc(s.n, sizeof(*rows));
    for (size_t i = 0; rows && i < s.n; i++)
        rows[i] = view(s.found[i].e);
    pthread_rwlock_unlock(&t->lock);
    free(s.found);
    if (s.failed || (s.n && !rows))
        return ST_NO_MEMORY;
    *out = rows;
    *n = s.n;
    return s.n ? ST_OK : ST_NOT_FOUND;
}
