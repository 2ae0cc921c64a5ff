/* Trap policies (auto=route): the kernel asks for an SA when a packet meets one. Also the other events of the
 * kernel, which go to the CHILD_SA they name.
 */
#include "charon/engine.h"
#include "charon/sa/child_sa.h"
#include <stdlib.h>

typedef struct trap_ref {
    charon *ch;
    char name[256];
} trap_ref;

static trap *find(charon *ch, const char *name, uint32_t reqid)
{
    trap *t;

    LIST_EACH(&ch->traps, trap, node, t)
    {
        if (name ? strcmp(t->name, name) == 0 : t->reqid == reqid)
            return t;
    }
    return NULL;
}

static void free_trap(charon *ch, trap *t)
{
    kchild_free(t->child);
    if (t->reqid && !t->cfg->c->reqid)
        reqids_put(ch->reqids, t->reqid);
    peer_cfg_unref(t->cfg);
    free(t->name);
    free(t);
}

static status install(charon *ch, trap *t, msgbuf *msg)
{
    const peer_cfg *cfg = t->cfg;
    traffic_sel mine[MAX_TS], theirs[MAX_TS];
    kchild_params p = {
        .conn = cfg->c,
        .right_is_me = cfg->right_is_me,
        .me = {cfg->me->host, IKE_PORT},
        .peer = {cfg->peer->host, IKE_PORT},
        .mode = peer_cfg_mode(cfg),
        .reqid = t->reqid,
    };
    size_t n_mine, n_theirs;
    status st;

    if (addr_is_any(&p.peer.ip))
        return msg_fail(msg, ST_INVALID, "conn '%s' cannot be routed: its peer has no address", t->name);
    if (addr_is_any(&p.me.ip) &&
        ch->env->host->ops->route_to(ch->env->host, &p.peer.ip, &p.me.ip, NULL, NULL) != ST_OK)
        return msg_fail(msg, ST_NOT_FOUND, "conn '%s' cannot be routed: no route to %s", t->name,
                        ADDR_STR(&p.peer.ip));
    n_mine = peer_cfg_ts(cfg, true, &p.me.ip, mine, MAX_TS);
    n_theirs = peer_cfg_ts(cfg, false, &p.peer.ip, theirs, MAX_TS);
    st = kchild_new(&t->child, &ch->kenv, &p, ch->log);
    if (st == ST_OK)
        st = kchild_set_ts(t->child, mine, n_mine, theirs, n_theirs);
    if (st == ST_OK)
        st = kchild_route(t->child, POLICY_IPSEC);
    return st == ST_OK ? ST_OK
                       : msg_fail(msg, st, "conn '%s' cannot be routed: %s", t->name, status_text(st));
}

status trap_add(charon *ch, const char *name, msgbuf *msg)
{
    trap *t = calloc(1, sizeof(*t));
    log_scope log = {.bus = ch->log.bus, .name = name};
    status st;

    if (!t || !(t->name = strdup(name))) {
        free(t);
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    }
    st = charon_find_cfg(ch, name, &t->cfg, msg);
    if (st != ST_OK) {
        free(t->name);
        free(t);
        return st;
    }
    LOG(&log, CHD, 0, "routing CHILD_SA");
    t->reqid = t->cfg->c->reqid ? t->cfg->c->reqid : reqids_get(ch->reqids, SPAN_NULL);
    st = t->reqid ? ST_OK : ST_NO_MEMORY;
    pthread_mutex_lock(&ch->trap_lock);
    if (find(ch, name, 0))
        st = msg_fail(msg, ST_EXISTS, "conn '%s' is routed already", name);
    if (st == ST_OK)
        st = install(ch, t, msg);
    if (st == ST_OK)
        list_append(&ch->traps, &t->node);
    pthread_mutex_unlock(&ch->trap_lock);
    if (st == ST_OK)
        LOG(&log, CHD, 0, "CHILD_SA routed");
    else
        free_trap(ch, t);
    return st;
}

status trap_remove(charon *ch, const char *name)
{
    trap *t;

    pthread_mutex_lock(&ch->trap_lock);
    t = find(ch, name, 0);
    if (t)
        list_remove(&t->node);
    pthread_mutex_unlock(&ch->trap_lock);
    if (!t)
        return ST_NOT_FOUND;
    LOG(&ch->log, CHD, 0, "unrouting CHILD_SA");
    free_trap(ch, t);
    return ST_OK;
}

void trap_forget(charon *ch, const char *name)
{
    if (trap_exists(ch, name) && trap_remove(ch, name) != ST_OK)
        LOG(&ch->log, CHD, 2, "trap policy of '%s' went away by itself", name);
}

void trap_remove_all(charon *ch)
{
    list_node *n;
    list all;

    list_init(&all);
    pthread_mutex_lock(&ch->trap_lock);
    list_splice(&all, &ch->traps);
    pthread_mutex_unlock(&ch->trap_lock);
    while ((n = list_pop(&all)))
        free_trap(ch, container_of(n, trap, node));
}

void trap_each(charon *ch, void (*fn)(void *ctx, const trap *t), void *ctx)
{
    trap *t;

    pthread_mutex_lock(&ch->trap_lock);
    LIST_EACH(&ch->traps, trap, node, t)
    {
        fn(ctx, t);
    }
    pthread_mutex_unlock(&ch->trap_lock);
}

bool trap_exists(charon *ch, const char *name)
{
    bool found;

    pthread_mutex_lock(&ch->trap_lock);
    found = find(ch, name, 0) != NULL;
    pthread_mutex_unlock(&ch->trap_lock);
    return found;
}

uint32_t trap_reqid(charon *ch, const char *name)
{
    uint32_t reqid = 0;
    trap *t;

    pthread_mutex_lock(&ch->trap_lock);
    t = find(ch, name, 0);
    if (t)
        reqid = reqids_ref(ch->reqids, t->reqid);
    pthread_mutex_unlock(&ch->trap_lock);
    return reqid;
}

/* ---- kernel events ---- */
static void acquired(void *ctx, status result, const char *why)
{
    trap_ref *r = ctx;
    trap *t;

    (void)result;
    (void)why;
    pthread_mutex_lock(&r->ch->trap_lock);
    t = find(r->ch, r->name, 0);
    if (t)
        t->pending = false;
    pthread_mutex_unlock(&r->ch->trap_lock);
    free(r);
}

/* What the trap covers is asked for, not just what this packet needs. */
static void on_acquire(void *ctx, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst)
{
    charon *ch = ctx;
    initiate_args a = {.reqid = reqid};
    trap_ref *r = calloc(1, sizeof(*r));
    trap *t;

    if (!r || atomic_load(&ch->closing)) {
        free(r);
        return;
    }
    pthread_mutex_lock(&ch->trap_lock);
    t = find(ch, NULL, reqid);
    if (t && !t->pending) {
        t->pending = true;
        a.cfg = peer_cfg_ref(t->cfg);
        r->ch = ch;
        strncpy(r->name, t->name, sizeof(r->name) - 1);
    }
    pthread_mutex_unlock(&ch->trap_lock);
    if (!a.cfg) {
        free(r);
        return;
    }
    LOG(&ch->log, KNL, 1, "creating acquire job for CHILD_SA with reqid %u", reqid);
    LOG(&ch->log, CHD, 0, "acquiring CHILD_SA on kernel request");
    a.wait = (charon_wait){.done = acquired, .ctx = r};
    charon_start(ch, &a);
    peer_cfg_unref(a.cfg);
}

void trap_set_kernel_events(charon *ch)
{
    kernel_events ev = {
        .ctx = ch, .acquire = on_acquire, .expire = child_sa_on_expire, .mapping = child_sa_on_mapping};

    ch->env->kernel->ops->set_events(ch->env->kernel, &ev);
}
