/* Making and ending an engine, its configuration, and clients that wait. */
#include "charon/engine.h"
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void read_settings(charon *c)
{
    const settings *s = c->env->settings;
    charon_settings *t = &c->set;
    bool protect = settings_bool(s, true, "charon.dos_protection");

    t->retransmit_ms = (int64_t)(settings_double(s, 4.0, "charon.retransmit_timeout") * 1000);
    t->retransmit_base = settings_double(s, 1.8, "charon.retransmit_base");
    t->retransmit_tries = (unsigned)settings_int(s, 5, "charon.retransmit_tries");
    if (t->retransmit_ms < 100)
        t->retransmit_ms = 100;
    if (t->retransmit_base < 1.0 || t->retransmit_base > 10.0)
        t->retransmit_base = 1.8;
    if (t->retransmit_tries > 30)
        t->retransmit_tries = 30;
    t->keepalive_s = settings_time_s(s, KEEPALIVE_S, "charon.keep_alive");
    t->cookie_threshold = protect ? (unsigned)settings_int(s, COOKIE_THRESHOLD, "charon.cookie_threshold")
                                  : 0;
    t->block_threshold = protect ? (unsigned)settings_int(s, BLOCK_THRESHOLD, "charon.block_threshold") : 0;
    t->reuse_ikesa = settings_bool(s, true, "charon.reuse_ikesa");
    t->close_on_child_failure = settings_bool(s, false, "charon.close_ike_on_child_failure");
    t->install_vip = settings_bool(s, true, "charon.install_virtual_ip");
    t->fragment_size = (size_t)settings_int(s, FRAGMENT_SIZE, "charon.fragment_size");
    if (t->fragment_size && t->fragment_size < 2 * IKEV2_MIN_FRAGMENT)
        t->fragment_size = 2 * IKEV2_MIN_FRAGMENT;
    t->half_open_ms = settings_time_s(s, HALF_OPEN_MS / 1000, "charon.half_open_timeout") * 1000;
}

/* Addresses came or went: conns may have found their end of it. */
static void host_changed(void *ctx)
{
    conntab_reorient(((charon *)ctx)->conns);
}

status charon_new(charon **out, const env *e, msgbuf *msg)
{
    charon *c = calloc(1, sizeof(*c));
    status st;

    if (!c)
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    c->env = e;
    c->log = (log_scope){.bus = e->log};
    list_init(&c->traps);
    pthread_mutex_init(&c->trap_lock, NULL);
    pthread_mutex_init(&c->close_lock, NULL);
    c->kenv = (kchild_env){e->kernel, e->host, e->updown};
    c->started_wall_s = runtime_wall_s(e->rt);
    c->started_mono_ms = runtime_now_ms(e->rt);
    read_settings(c);
    st = sa_table_new(&c->sas);
    if (st == ST_OK)
        st = idx_init(&c->children);
    if (st == ST_OK)
        st = conntab_new(&c->conns, e->host);
    if (st == ST_OK)
        st = cfg_cache_new(&c->cfgs, e, &c->log);
    if (st == ST_OK)
        st = reqids_new(&c->reqids, REQID_CHARON_FIRST, 1);
    if (st == ST_OK)
        st = leases_new(&c->leases);
    if (st == ST_OK)
        st = last_words_new(&c->last_words);
    if (st != ST_OK) { /* only memory can fail, and then the daemon does not start */
        msg_set(msg, "charon: %s", status_text(st));
        return st;
    }
    trap_set_kernel_events(c);
    if (e->host)
        e->host->ops->on_change(e->host, host_changed, c);
    e->net->ops->set_ike(e->net, gate_receive, c);
    *out = c;
    return ST_OK;
}

static void end_all(charon *c)
{
    size_t n;
    ike_sa **list_ = sa_table_all(c->sas, &n);

    for (size_t i = 0; i < n; i++) {
        ike_sa *sa = list_[i];
        pthread_mutex_lock(&sa->lock);
        if (ike_sa_state(sa) != IKE_DESTROYED) {
            if (ike_sa_state(sa) == IKE_ESTABLISHED)
                sm_send_last_delete(sa);
            sa->end_reason = "shutting down";
            ike_sa_destroy(sa);
        }
        pthread_mutex_unlock(&sa->lock);
    }
    sa_list_free(list_, n);
}

void charon_free(charon *c)
{
    static const kernel_events none = {0};

    if (!c)
        return;
    atomic_store(&c->closing, true);
    c->freeing = true; /* jobs will not run any more */
    c->close_done = NULL;
    if (c->close_timer)
        runtime_timer_cancel(RT(c), c->close_timer);
    end_all(c);
    trap_remove_all(c);
    c->env->net->ops->set_ike(c->env->net, NULL, NULL);
    if (c->env->host)
        c->env->host->ops->on_change(c->env->host, NULL, c);
    c->env->kernel->ops->set_events(c->env->kernel, &none);
    cfg_cache_free(c->cfgs);
    conntab_free(c->conns);
    leases_free(c->leases);
    last_words_free(c->last_words);
    reqids_free(c->reqids);
    idx_fini(&c->children);
    sa_table_free(c->sas);
    pthread_mutex_destroy(&c->trap_lock);
    pthread_mutex_destroy(&c->close_lock);
    wipe(c->cookie, sizeof(c->cookie));
    free(c);
}

/* ---- shutting down ---- */
static void call_close_done(charon *c)
{
    void (*done)(void *ctx);
    void *ctx;

    pthread_mutex_lock(&c->close_lock);
    done = c->close_done;
    ctx = c->close_ctx;
    c->close_done = NULL;
    pthread_mutex_unlock(&c->close_lock);
    if (done)
        done(ctx);
}

static void grace_is_over(void *ctx, uint64_t key)
{
    (void)key;
    call_close_done(ctx);
}

static void close_sa(ike_sa *sa, void *arg)
{
    (void)arg;
    sa->end_reason = "shutting down";
    if (ike_sa_state(sa) == IKE_DELETING)
        return;
    if (ike_sa_state(sa) != IKE_ESTABLISHED) {
        ike_sa_destroy(sa);
        return;
    }
    sm_abandon(sa);
    sm_queue(sa, task_ike_delete_new(sa));
    sm_initiate(sa);
}

void charon_shutdown(charon *c, int64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
    size_t n;
    ike_sa **list_;

    trap_remove_all(c);
    pthread_mutex_lock(&c->close_lock);
    c->close_done = done;
    c->close_ctx = ctx;
    pthread_mutex_unlock(&c->close_lock);
    atomic_store(&c->closing, true);
    list_ = sa_table_all(c->sas, &n);
    for (size_t i = 0; i < n; i++)
        (void)ike_sa_post(list_[i], close_sa, NULL, NULL);
    sa_list_free(list_, n);
    if (sa_table_count(c->sas) == 0)
        call_close_done(c);
    else
        c->close_timer = runtime_timer(RT(c), grace_ms, grace_is_over, c, 0);
}

/* ---- configuration ---- */
status charon_add_conn(charon *c, conn *cn, msgbuf *msg)
{
    oriented there;
    peer_cfg *cfg = NULL;
    status st = conntab_add(c->conns, cn);

    if (st == ST_EXISTS && conntab_find(c->conns, cn->name, &there) == ST_OK) {
        bool same = conn_equal(there.c, cn);
        conn_unref(there.c);
        return same ? ST_OK : msg_fail(msg, ST_EXISTS, "a conn named '%s' is loaded already", cn->name);
    }
    if (st != ST_OK)
        return msg_fail(msg, st, "conn '%s': %s", cn->name, status_text(st));
    /* parse everything now, so that errors are told to who adds it */
    if (conntab_find(c->conns, cn->name, &there) == ST_OK) {
        st = cfg_cache_get(c->cfgs, &there, &cfg, msg);
        conn_unref(there.c);
    }
    if (st != ST_OK) {
        return conntab_del(c->conns, cn->name) == ST_OK ? st : ST_NOT_FOUND;
    }
    LOG(&c->log, CFG, 1, "added configuration '%s': %s[%s]...%s[%s]", cn->name,
        addr_is_any(&cfg->me->host) ? "%any" : ADDR_STR(&cfg->me->host), SA_ID(cfg->my_id),
        addr_is_any(&cfg->peer->host) ? "%any" : ADDR_STR(&cfg->peer->host), SA_ID(cfg->peer_id));
    if (cfg->peer->sourceip && strchr(cfg->peer->sourceip, '/'))
        LOG(&c->log, CFG, 1, "adding virtual IP address pool '%s': %s", cn->name, cfg->peer->sourceip);
    peer_cfg_unref(cfg);
    return ST_OK;
}

status charon_del_conn(charon *c, const char *name, msgbuf *msg)
{
    oriented there;

    if (conntab_find(c->conns, name, &there) != ST_OK)
        return msg_fail(msg, ST_NOT_FOUND, "no config named '%s'", name);
    trap_forget(c, name);
    cfg_cache_forget(c->cfgs, there.c);
    conn_unref(there.c);
    if (conntab_del(c->conns, name) != ST_OK)
        return msg_fail(msg, ST_NOT_FOUND, "no config named '%s'", name);
    LOG(&c->log, CFG, 1, "deleted connection '%s'", name);
    return ST_OK;
}

status charon_add_ca(charon *c, const ca_section *ca, msgbuf *msg)
{
    ca_info i = {ca->name,    ca->cacert,  ca->ldaphost, ca->ldapbase,   ca->crluri,
                 ca->crluri2, ca->ocspuri, ca->ocspuri2, ca->certuribase};

    return credstore_add_ca(c->env->cred, &i, msg);
}

status charon_del_ca(charon *c, const char *name, msgbuf *msg)
{
    if (credstore_del_ca(c->env->cred, name) != ST_OK)
        return msg_fail(msg, ST_NOT_FOUND, "no ca named '%s'", name);
    return ST_OK;
}

conntab *charon_conns(charon *c)
{
    return c->conns;
}

/* ---- clients that wait ---- */
typedef struct done_job {
    charon_wait w;
    status result;
    char why[256];
} done_job;

static void run_done(void *arg)
{
    done_job *j = arg;

    j->w.done(j->w.ctx, j->result, j->why);
    free(j);
}

void wait_done(charon *ch, charon_wait *w, status result, const char *fmt, ...)
{
    done_job *j;
    va_list ap;

    if (!w->done)
        return;
    j = calloc(1, sizeof(*j));
    if (j) {
        j->w = *w;
        j->result = result;
        va_start(ap, fmt);
        vsnprintf(j->why, sizeof(j->why), fmt, ap);
        va_end(ap);
    }
    /* without memory, or with a runtime that has ended, the client is told at once rather than never */
    if (!j || ch->freeing || runtime_post(RT(ch), run_done, run_done, j) != ST_OK) {
        free(j);
        w->done(w->ctx, result, "");
    }
    *w = (charon_wait){0};
}

uint64_t charon_new_channel(charon *c)
{
    return atomic_fetch_add(&c->next_channel, 1) + 1;
}
