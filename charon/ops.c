/* What people, scripts and the kernel ask for: initiate, terminate, rekey, by name. Orders become tasks in
 * the mail of the IKE_SA they concern.
 */
#include "charon/engine.h"
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include <stdio.h>
#include <stdlib.h>

enum { WHAT_NAME = 256 };

status charon_find_cfg(charon *ch, const char *name, peer_cfg **out, msgbuf *msg)
{
    oriented o;
    status st = conntab_find(ch->conns, name, &o);

    if (st != ST_OK)
        return msg_fail(msg, ST_NOT_FOUND, "no config named '%s'", name);
    if (!o.oriented)
        st = msg_fail(msg, ST_INVALID, "conn '%s': neither left nor right is an address of this host", name);
    else if (!(o.c->version & CONN_IKEV2))
        st = msg_fail(msg, ST_UNSUPPORTED, "conn '%s' is for IKEv1", name);
    else
        st = cfg_cache_get(ch->cfgs, &o, out, msg);
    conn_unref(o.c);
    return st;
}

/* ---- initiating ---- */
static bool addresses(charon *ch, const peer_cfg *cfg, ike_sa *sa, msgbuf *why)
{
    host *h = ch->env->host;

    sa->remote = (endpoint){cfg->peer->host, cfg->peer->ikeport ? cfg->peer->ikeport : IKE_PORT};
    sa->local = (endpoint){cfg->me->host, ch->env->net->ops->port(ch->env->net, false)};
    sa->family = sa->remote.ip.family;
    if (addr_is_any(&sa->remote.ip)) {
        msg_set(why, "conn '%s': unable to initiate to %%any", cfg->c->name);
        return false;
    }
    if (addr_is_any(&sa->local.ip) &&
        h->ops->route_to(h, &sa->remote.ip, &sa->local.ip, NULL, NULL) != ST_OK) {
        msg_set(why, "conn '%s': no route to %s", cfg->c->name, ADDR_STR(&sa->remote.ip));
        return false;
    }
    return true;
}

static void begin(ike_sa *sa, void *arg)
{
    (void)arg;
    sm_initiate(sa);
}

/* All of it or nothing: half a handshake would wait for what nobody sends. */
static bool queue_handshake(ike_sa *sa, const initiate_args *a)
{
    task *t[] = {task_ike_init_new(sa), task_ike_natd_new(sa),   task_ike_features_new(sa),
                 task_ike_auth_new(sa), task_ike_config_new(sa), task_child_create_new(sa, a->cfg, a->reqid)};
    enum { N = sizeof(t) / sizeof(t[0]) };
    bool all = true;

    for (int i = 0; i < N; i++)
        all = all && t[i];
    if (all)
        t[N - 1]->wait = a->wait;
    for (int i = 0; i < N; i++) {
        if (all)
            sm_queue(sa, t[i]);
        else
            task_free(t[i]);
    }
    return all;
}

static ike_sa *new_initiator(charon *ch, const initiate_args *a, msgbuf *why)
{
    ike_sa *sa = NULL;

    if (atomic_load(&ch->closing)) {
        msg_set(why, "the daemon is shutting down");
        return NULL;
    }
    if (ike_sa_new(&sa, ch, true) != ST_OK) {
        msg_set(why, "out of memory");
        return NULL;
    }
    ike_sa_set_cfg(sa, a->cfg);
    sa->tries = a->tries;
    sa->log.channel = a->wait.channel;
    if (!addresses(ch, a->cfg, sa, why)) {
        ike_sa_unref(sa);
        return NULL;
    }
    if (!queue_handshake(sa, a)) {
        msg_set(why, "out of memory");
        ike_sa_unref(sa);
        return NULL;
    }
    sa_table_add(ch->sas, sa);
    return sa;
}

/* ---- joining an IKE_SA that is there ---- */
typedef struct join {
    charon *ch;
    peer_cfg *cfg;
    uint32_t reqid;
    charon_wait wait;
} join;

static void free_join(join *j)
{
    peer_cfg_unref(j->cfg);
    free(j);
}

/* The IKE_SA went away in between: a new one. */
static void join_failed(void *arg)
{
    join *j = arg;
    initiate_args a = {.cfg = j->cfg, .reqid = j->reqid, .wait = j->wait, .fresh = true};

    charon_start(j->ch, &a);
    free_join(j);
}

static void join_mail(ike_sa *sa, void *arg)
{
    join *j = arg;
    task *t;

    if (ike_sa_state(sa) == IKE_DELETING || sa->reauth_pending || sa->replaced) {
        join_failed(j);
        return;
    }
    t = task_child_create_new(sa, j->cfg, j->reqid);
    if (j->wait.channel)
        sa->log.channel = j->wait.channel;
    if (t)
        t->wait = j->wait;
    else
        wait_done(j->ch, &j->wait, ST_NO_MEMORY, "out of memory");
    sm_queue(sa, t);
    sm_initiate(sa);
    free_join(j);
}

static ike_sa *find_same_peer(charon *ch, const peer_cfg *cfg)
{
    size_t n;
    ike_sa **all = sa_table_all(ch->sas, &n), *found = NULL;

    for (size_t i = 0; i < n && !found; i++) {
        ike_sa *sa = all[i];
        ike_state st = ike_sa_state(sa);
        /* cfg is set before ESTABLISHED, and in an initiator before anybody can see it */
        if ((st == IKE_ESTABLISHED || st == IKE_REKEYING || (sa->initiator && st < IKE_ESTABLISHED)) &&
            peer_cfg_same_peer(sa->cfg, cfg))
            found = ike_sa_ref(sa);
    }
    sa_list_free(all, n);
    return found;
}

static bool join_existing(charon *ch, const initiate_args *a)
{
    ike_sa *sa = find_same_peer(ch, a->cfg);
    join *j;
    bool ok = false;

    if (!sa)
        return false;
    j = calloc(1, sizeof(*j));
    if (j) {
        *j = (join){ch, peer_cfg_ref(a->cfg), a->reqid, a->wait};
        ok = ike_sa_post(sa, join_mail, join_failed, j);
        if (!ok)
            free_join(j);
    }
    ike_sa_unref(sa);
    return ok;
}

void charon_start(charon *ch, const initiate_args *a)
{
    charon_wait w = a->wait;
    msgbuf why = {0};
    ike_sa *sa;

    if (!a->fresh && ch->set.reuse_ikesa && join_existing(ch, a))
        return;
    sa = new_initiator(ch, a, &why);
    if (!sa) {
        log_scope log = {.bus = ch->log.bus, .name = a->cfg->c->name, .channel = w.channel};
        LOG(&log, IKE, 1, "%s", why.text);
        wait_done(ch, &w, ST_INVALID, "%s", why.text);
        return;
    }
    if (!ike_sa_post(sa, begin, NULL, NULL)) {
        ike_sa_destroy(sa);
    }
    ike_sa_unref(sa);
}

static void tell_unknown(charon *c, charon_wait *w, log_group group, const char *text)
{
    log_scope log = {.bus = c->log.bus, .channel = w->channel};

    if (log_enabled(log.bus, group, 1))
        log_emit(&log, group, 1, 0, "%s", text);
    wait_done(c, w, ST_NOT_FOUND, "%s", text);
}

void charon_initiate(charon *c, const char *name, const charon_wait *w)
{
    initiate_args a = {.wait = w ? *w : (charon_wait){0}};
    msgbuf why = {0};

    if (charon_find_cfg(c, name, &a.cfg, &why) != ST_OK) {
        tell_unknown(c, &a.wait, LG_CFG, why.text);
        return;
    }
    charon_start(c, &a);
    peer_cfg_unref(a.cfg);
}

/* ---- naming SAs: NAME NAME[] NAME[N] NAME{} NAME{N} [N] {N} [*] {*} ---- */
typedef struct target {
    char name[WHAT_NAME];
    bool child, all, plain;
    uint64_t number; /* 0 = by name */
} target;

static bool parse_target(const char *what, target *t)
{
    size_t n = strlen(what), at;
    char close;

    *t = (target){.plain = true};
    if (n == 0 || n >= WHAT_NAME)
        return false;
    at = strcspn(what, "[{");
    memcpy(t->name, what, at);
    if (at == n)
        return true;
    t->plain = false;
    t->child = what[at] == '{';
    close = t->child ? '}' : ']';
    if (what[n - 1] != close)
        return false;
    if (n - at == 2)
        return t->name[0] != 0;
    if (n - at == 3 && what[at + 1] == '*') {
        t->all = true;
        return true;
    }
    return span_to_u64(span_of(what + at + 1, n - at - 2), UINT64_MAX, &t->number) && t->number != 0;
}

typedef enum order_kind { ORDER_TERMINATE, ORDER_REKEY, ORDER_REAUTH } order_kind;
typedef struct order {
    order_kind kind;
    uint64_t child; /* serial; 0 = the IKE_SA */
    charon *ch;
    charon_wait wait;
} order;

static void drop_order(void *arg)
{
    order *o = arg;

    wait_done(o->ch, &o->wait, o->kind == ORDER_TERMINATE ? ST_OK : ST_NOT_FOUND, "the SA is gone");
    free(o);
}

static void terminate_ike(ike_sa *sa, order *o)
{
    task *t;

    if (ike_sa_state(sa) < IKE_ESTABLISHED) {
        LOG(&sa->log, IKE, 0, "deleting unestablished IKE_SA");
        sa->end_reason = "terminated";
        wait_done(sa->ch, &o->wait, ST_OK, "IKE_SA deleted");
        ike_sa_destroy(sa);
        return;
    }
    sa->wait = o->wait; /* told when it is gone, whoever ends it first */
    sa->reauth_pending = false;
    sa->end_reason = "terminated";
    o->wait = (charon_wait){0};
    t = task_ike_delete_new(sa);
    if (!t) { /* the peer finds out by itself */
        ike_sa_destroy(sa);
        return;
    }
    sm_queue(sa, t);
    sm_initiate(sa);
}

static void order_mail(ike_sa *sa, void *arg)
{
    order *o = arg;
    task *t = NULL;

    if (o->wait.channel)
        sa->log.channel = o->wait.channel;
    if (o->kind == ORDER_TERMINATE && !o->child) {
        terminate_ike(sa, o);
    } else if (o->kind == ORDER_REAUTH) {
        wait_done(sa->ch, &o->wait, ST_OK, "reauthentication begun");
        ike_sa_reauth(sa);
    } else {
        if (o->kind == ORDER_TERMINATE)
            t = task_child_delete_new(sa, o->child);
        else
            t = o->child ? task_child_rekey_new(sa, o->child) : task_ike_rekey_new(sa);
        if (t)
            t->wait = o->wait;
        else
            wait_done(sa->ch, &o->wait, ST_NO_MEMORY, "out of memory");
        sm_queue(sa, t);
        sm_initiate(sa);
    }
    free(o);
}

static bool give_order(charon *c, ike_sa *sa, order_kind kind, uint64_t child, charon_wait *w)
{
    order *o = calloc(1, sizeof(*o));

    if (!o)
        return false;
    *o = (order){kind, child, c, *w};
    *w = (charon_wait){0};
    if (ike_sa_post(sa, order_mail, drop_order, o))
        return true;
    drop_order(o);
    return true;
}

static bool ike_fits(const ike_sa *sa, const target *t)
{
    if (ike_sa_state(sa) == IKE_DESTROYED)
        return false;
    if (t->number)
        return sa->unique == t->number;
    if (sa->replaced) /* its successor has the name, and the children */
        return false;
    return (t->all && !t->name[0]) || strcmp(sa->name, t->name) == 0;
}

static bool child_fits(const child_sa *c, const target *t)
{
    if (c->rekeyed || c->redundant || c->state == CHILD_DELETING)
        return false;
    if (t->number)
        return c->reqid == t->number;
    return (t->all && !t->name[0]) || strcmp(c->cfg->c->name, t->name) == 0;
}

/* Sends the order to what the target names; false: nothing. */
static bool order_by_target(charon *c, order_kind kind, const target *t, charon_wait *w, bool children)
{
    size_t n;
    ike_sa **all = sa_table_all(c->sas, &n);
    bool found = false;

    for (size_t i = 0; i < n && (!found || t->all); i++) {
        ike_sa *sa = all[i];
        uint64_t serials[64];
        size_t k = 0;
        child_sa *ch;
        bool fits;
        pthread_mutex_lock(&sa->lock);
        fits = !children && ike_fits(sa, t);
        LIST_EACH(&sa->children, child_sa, node, ch)
        {
            if (children && k < 64 && child_fits(ch, t) && (k == 0 || t->all))
                serials[k++] = ch->serial;
        }
        pthread_mutex_unlock(&sa->lock);
        if (fits)
            found |= give_order(c, sa, kind, 0, w);
        for (size_t j = 0; j < k; j++)
            found |= give_order(c, sa, kind, serials[j], w);
    }
    sa_list_free(all, n);
    return found;
}

static void order_by_name(charon *c, order_kind kind, const char *what, const charon_wait *w_)
{
    charon_wait w = w_ ? *w_ : (charon_wait){0};
    target t;

    if (!parse_target(what, &t)) {
        tell_unknown(c, &w, LG_CFG, "no such SA found");
        return;
    }
    if (order_by_target(c, kind, &t, &w, t.child))
        return;
    /* a conn that joined another one's IKE_SA has only a CHILD_SA of its name */
    if (t.plain && order_by_target(c, kind, &t, &w, true))
        return;
    tell_unknown(c, &w, LG_IKE, "no such SA found");
}

void charon_terminate(charon *c, const char *what, const charon_wait *w)
{
    order_by_name(c, ORDER_TERMINATE, what, w);
}

unsigned charon_terminate_vip(charon *c, const ip_addr *from, const ip_addr *to)
{
    size_t n;
    ike_sa **all = sa_table_all(c->sas, &n);
    unsigned found = 0;

    for (size_t i = 0; i < n; i++) {
        charon_wait nobody = {0};
        ip_addr vip;
        pthread_mutex_lock(&all[i]->lock);
        vip = all[i]->peer_vip.family ? all[i]->peer_vip : all[i]->vip;
        pthread_mutex_unlock(&all[i]->lock);
        if (vip.family == from->family && addr_compare(&vip, from) >= 0 && addr_compare(&vip, to) <= 0)
            found += give_order(c, all[i], ORDER_TERMINATE, 0, &nobody);
    }
    sa_list_free(all, n);
    return found;
}

void charon_rekey(charon *c, const char *what, const charon_wait *w)
{
    order_by_name(c, ORDER_REKEY, what, w);
}

void charon_reauth(charon *c, const char *what, const charon_wait *w)
{
    order_by_name(c, ORDER_REAUTH, what, w);
}

/* ---- trap policies ---- */
void charon_route(charon *c, const char *name, const charon_wait *w_)
{
    charon_wait w = w_ ? *w_ : (charon_wait){0};
    msgbuf why = {0};
    status st = trap_add(c, name, &why);

    if (st == ST_OK)
        wait_done(c, &w, ST_OK, "CHILD_SA routed");
    else
        tell_unknown(c, &w, LG_CFG, why.text);
}

void charon_unroute(charon *c, const char *name, const charon_wait *w_)
{
    charon_wait w = w_ ? *w_ : (charon_wait){0};
    char text[WHAT_NAME + 64];

    if (trap_remove(c, name) == ST_OK) {
        wait_done(c, &w, ST_OK, "CHILD_SA unrouted");
        return;
    }
    snprintf(text, sizeof(text), "no routed conn named '%s'", name);
    tell_unknown(c, &w, LG_CFG, text);
}
