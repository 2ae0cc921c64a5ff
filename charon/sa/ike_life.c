/* What happens to an IKE_SA besides messages: it gets established, gets old, moves, falls silent, is
 * replaced. */
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include <stdlib.h>

/* ---- established ---- */
typedef struct goodbye {
    bool silent; /* the peer has forgotten everything: nobody to tell */
} goodbye;
static goodbye say_goodbye = {false}, vanish = {true};

static void leave(ike_sa *sa, void *arg)
{
    const goodbye *g = arg;

    if (ike_sa_state(sa) == IKE_DELETING)
        return;
    sa->end_reason = "replaced by a newer IKE_SA of the same peer";
    if (g->silent || ike_sa_state(sa) != IKE_ESTABLISHED) {
        ike_sa_destroy(sa);
        return;
    }
    LOG(&sa->log, IKE, 1, "deleting duplicate IKE_SA for peer '%s' due to uniqueness policy",
        SA_ID(sa->peer_id));
    sm_queue(sa, task_ike_delete_new(sa));
    sm_initiate(sa);
}

/* Other IKE_SAs of the same identities go (uniqueids=yes). false: this one must not be (uniqueids=keep). Only
 * who answers decides, so that two who call each other do not delete both. Conns of one pair of hosts that
 * differ in what an IKE_SA is made of each have their own. */
static bool check_unique(ike_sa *sa, bool initial_contact)
{
    unique_policy policy = sa->cfg->c->uniqueids;
    bool ok = true;
    size_t n;
    ike_sa **others;

    if (policy == UNIQUE_NO && !initial_contact)
        return true;
    others = sa_table_by_id(sa->ch->sas, sa->peer_id, &n);
    for (size_t i = 0; i < n; i++) {
        ike_sa *o = others[i];
        if (o == sa || ike_sa_state(o) != IKE_ESTABLISHED || !ident_equal(o->my_id, sa->my_id) ||
            o->family != sa->family)
            continue;
        /* what the peer said when this one began says nothing about those that came up since */
        bool forgotten = initial_contact && o->established_ms < sa->created_ms;
        if (!forgotten && !peer_cfg_same_peer(o->cfg, sa->cfg))
            continue;
        if (policy == UNIQUE_KEEP && !forgotten)
            ok = false;
        else if (policy == UNIQUE_REPLACE || forgotten)
            (void)ike_sa_post(o, leave, NULL, forgotten ? &vanish : &say_goodbye);
    }
    sa_list_free(others, n);
    return ok;
}

bool ike_sa_unique(ike_sa *sa, bool initial_contact)
{
    if (check_unique(sa, initial_contact))
        return true;
    LOG(&sa->log, IKE, 1, "cancelling IKE_SA setup due to uniqueness policy");
    return false;
}

void ike_sa_established(ike_sa *sa)
{
    LOG(&sa->log, IKE, 0, "IKE_SA '%s' established between %s[%s]...[%s]%s", sa->name,
        ADDR_STR(&sa->local.ip), SA_ID(sa->my_id), SA_ID(sa->peer_id), ADDR_STR(&sa->remote.ip));
    sa->authenticated = true;
    sa->tries = 0;
    sa->established_ms = runtime_now_ms(RT(sa->ch));
    ike_sa_timer_stop(sa, T_HALF_OPEN);
    ike_sa_timer_stop(sa, T_REFUSED);
    ike_sa_set_state(sa, IKE_ESTABLISHED);
    sa_table_add_id(sa->ch->sas, sa);
    atomic_fetch_add(sa->initiator ? &sa->ch->n_est_i : &sa->ch->n_est_r, 1);
    ike_sa_schedule(sa);
}

static void schedule_renewal(ike_sa *sa)
{
    const conn *c = sa->cfg->c;
    int64_t soft = peer_cfg_rekey_s(sa->cfg, true, charon_random(sa->ch));

    if (soft <= 0)
        return;
    if (!c->reauth) {
        LOG(&sa->log, IKE, 1, "scheduling rekeying in %llds", (long long)soft);
        ike_sa_timer(sa, T_REKEY, soft * 1000);
    } else if (sa->initiator) {
        LOG(&sa->log, IKE, 1, "scheduling reauthentication in %llds", (long long)soft);
        ike_sa_timer(sa, T_REAUTH, soft * 1000);
    } else if (!sa->peer_vip.family) {
        /* the initiator was told our AUTH_LIFETIME and goes first */
        int64_t late = c->ikelifetime_s - c->rekeymargin_s / 4;
        LOG(&sa->log, IKE, 1, "scheduling reauthentication in %llds", (long long)late);
        ike_sa_timer(sa, T_REAUTH, late * 1000);
    }
    LOG(&sa->log, IKE, 1, "maximum IKE_SA lifetime %llds", (long long)c->ikelifetime_s);
    ike_sa_timer(sa, T_EXPIRE, c->ikelifetime_s * 1000);
}

void ike_sa_schedule(ike_sa *sa)
{
    const conn *c = sa->cfg->c;

    schedule_renewal(sa);
    if (c->dpdaction != DPD_NONE && c->dpddelay_s > 0)
        ike_sa_timer(sa, T_DPD, c->dpddelay_s * 1000);
    if (sa->nat_local && sa->ch->set.keepalive_s > 0)
        ike_sa_timer(sa, T_KEEPALIVE, sa->ch->set.keepalive_s * 1000);
}

/* ---- timers ---- */
static void dpd_due(ike_sa *sa)
{
    int64_t now = runtime_now_ms(RT(sa->ch)), delay = sa->cfg->c->dpddelay_s * 1000,
            idle = now - sa->last_in_ms;
    int64_t wall = runtime_wall_s(RT(sa->ch));
    child_sa *c;

    LIST_EACH(&sa->children, child_sa, node, c)
    {
        kchild_stats s;
        if (c->state == CHILD_INSTALLED && idle >= delay && kchild_query(c->k, &s) == ST_OK && s.use_in_s &&
            (wall - s.use_in_s) * 1000 < idle)
            idle = (wall - s.use_in_s) * 1000;
    }
    if (idle < delay) {
        ike_sa_timer(sa, T_DPD, delay - idle);
        return;
    }
    ike_sa_timer(sa, T_DPD, delay);
    if (!sa->out.active && list_empty(&sa->queued)) {
        sm_queue(sa, task_ike_dpd_new(sa));
        sm_initiate(sa);
    }
}

void ike_sa_send_keepalive(ike_sa *sa)
{
    static const uint8_t octet = 0xff;
    int64_t due = sa->ch->set.keepalive_s * 1000, idle = runtime_now_ms(RT(sa->ch)) - sa->last_out_ms;

    if (!sa->nat_local || due <= 0)
        return;
    if (idle < due) {
        ike_sa_timer(sa, T_KEEPALIVE, due - idle);
        return;
    }
    LOG(&sa->log, IKE, 1, "sending keep alive");
    (void)sa->ch->env->net->ops->send_raw(sa->ch->env->net, &sa->local, &sa->remote, span_of(&octet, 1));
    sa->last_out_ms = runtime_now_ms(RT(sa->ch));
    ike_sa_timer(sa, T_KEEPALIVE, due);
}

static void rekey_due(ike_sa *sa)
{
    if (ike_sa_state(sa) != IKE_ESTABLISHED)
        return;
    sm_queue(sa, task_ike_rekey_new(sa));
    sm_initiate(sa);
}

static void expired(ike_sa *sa)
{
    LOG(&sa->log, IKE, 1, "IKE_SA maximum lifetime reached, deleting");
    sa->end_reason = "maximum lifetime reached";
    if (ike_sa_state(sa) == IKE_DELETING || sa->replaced) {
        ike_sa_destroy(sa);
        return;
    }
    sm_abandon(sa);
    sm_queue(sa, task_ike_delete_new(sa));
    sm_initiate(sa);
}

void ike_sa_on_timer(ike_sa *sa, ike_timer which)
{
    switch (which) {
    case T_RETRANSMIT:
        sm_retransmit(sa);
        break;
    case T_RETRY:
        sm_initiate(sa);
        break;
    case T_REKEY:
        rekey_due(sa);
        break;
    case T_REAUTH:
        ike_sa_reauth(sa);
        break;
    case T_EXPIRE:
        expired(sa);
        break;
    case T_DPD:
        dpd_due(sa);
        break;
    case T_KEEPALIVE:
        ike_sa_send_keepalive(sa);
        break;
    case T_HALF_OPEN:
        LOG(&sa->log, IKE, 0, "deleting unestablished IKE_SA: the peer at %s did not go on",
            ENDPOINT_STR(&sa->remote));
        sa->end_reason = "half-open for too long";
        atomic_fetch_add(&sa->ch->n_failed, 1);
        ike_sa_destroy(sa);
        break;
    case T_REFUSED:
        if (sa->hs && sa->hs->refusal.text[0])
            ike_sa_failed(sa, ST_DENIED, sa->hs->refusal.text);
        break;
    case T_COUNT:
        break;
    }
}

/* ---- ends ---- */
static void tell_tasks(ike_sa *sa, status st, const char *why)
{
    list *lists[2] = {&sa->active, &sa->queued};
    task *t;

    for (int i = 0; i < 2; i++) {
        LIST_EACH(lists[i], task, node, t)
        {
            wait_done(sa->ch, &t->wait, st, "%s", why);
        }
    }
}

/* The CHILD_SAs this IKE_SA was to make are tried again with a new IKE_SA. */
static void start_over(ike_sa *sa)
{
    list *lists[2] = {&sa->active, &sa->queued};
    bool fresh = true;
    task *t;

    for (int i = 0; i < 2; i++) {
        LIST_EACH(lists[i], task, node, t)
        {
            initiate_args a = {.tries = sa->tries + 1, .fresh = fresh};
            if (!task_is_child_create(t))
                continue;
            a.cfg = task_child_create_cfg(t, &a.reqid);
            charon_start(sa->ch, &a);
            fresh = false;
        }
    }
}

void ike_sa_failed(ike_sa *sa, status st, const char *why)
{
    if (!why)
        why = "the IKE_SA failed";
    atomic_fetch_add(&sa->ch->n_failed, 1);
    tell_tasks(sa, st, why);
    sa->end_reason = "IKE_SA failed";
    if (ike_sa_state(sa) >= IKE_ESTABLISHED && !sa->replaced) {
        LOG(&sa->log, IKE, 1, "IKE_SA cannot go on: %s", why);
        ike_sa_children_again(sa, DPD_NONE, NULL);
    }
    ike_sa_destroy(sa);
}

void ike_sa_peer_dead(ike_sa *sa)
{
    unsigned max = sa->cfg ? sa->cfg->c->keyingtries : 1;

    sa->end_reason = "peer not responding";
    switch (ike_sa_state(sa)) {
    case IKE_CREATED:
    case IKE_CONNECTING:
        atomic_fetch_add(&sa->ch->n_failed, 1);
        if (max == 0 || sa->tries + 1 < max) {
            if (max)
                LOG(&sa->log, IKE, 0, "peer not responding, trying again (%u/%u) in background ",
                    sa->tries + 2, max);
            else
                LOG(&sa->log, IKE, 0, "peer not responding, trying again (%u) in background ", sa->tries + 2);
            tell_tasks(sa, ST_TIMEOUT, "peer not responding, trying again in background");
            start_over(sa);
        } else {
            LOG(&sa->log, IKE, 0, "establishing IKE_SA failed, peer not responding");
            tell_tasks(sa, ST_TIMEOUT, "establishing IKE_SA failed, peer not responding");
        }
        break;
    case IKE_DELETING:
        LOG(&sa->log, IKE, 0, "proper IKE_SA delete failed, peer not responding");
        if (sa->reauth_pending)
            ike_sa_children_again(sa, DPD_RESTART, NULL);
        break;
    case IKE_REKEYING:
        LOG(&sa->log, IKE, 0, "rekeying IKE_SA failed, peer not responding");
        if (!sa->replaced)
            ike_sa_children_again(sa, DPD_NONE, NULL);
        break;
    default:
        LOG(&sa->log, IKE, 1, "peer %s is not responding any more", ADDR_STR(&sa->remote.ip));
        ike_sa_children_again(sa, DPD_NONE, NULL);
    }
    ike_sa_destroy(sa);
}

/* After the IKE_SA is lost: what dpdaction says (action DPD_NONE), or `action` for every child. */
void ike_sa_children_again(ike_sa *sa, dpd_action action, const char *only)
{
    bool fresh = true;
    child_sa *c;

    LIST_EACH(&sa->children, child_sa, node, c)
    {
        dpd_action a = action == DPD_NONE ? c->cfg->c->dpdaction : action;
        initiate_args args = {.cfg = c->cfg, .reqid = c->reqid, .fresh = fresh};
        msgbuf why;
        if (c->rekeyed || c->redundant || c->delete_sent || (only && strcmp(only, c->cfg->c->name) != 0) ||
            (c->state != CHILD_INSTALLED && c->state != CHILD_REKEYING))
            continue;
        if (a == DPD_HOLD && !trap_exists(sa->ch, c->cfg->c->name)) {
            if (trap_add(sa->ch, c->cfg->c->name, &why) != ST_OK)
                LOG(&sa->log, CHD, 1, "trap policy for '%s' not installed: %s", c->cfg->c->name, why.text);
        } else if (a == DPD_RESTART) {
            LOG(&sa->log, IKE, 1, "restarting CHILD_SA %s", c->cfg->c->name);
            charon_start(sa->ch, &args);
            fresh = false;
        }
    }
}

void ike_sa_reauth(ike_sa *sa)
{
    if (ike_sa_state(sa) != IKE_ESTABLISHED || sa->reauth_pending)
        return;
    LOG(&sa->log, IKE, 0, "reauthenticating IKE_SA due to its lifetime");
    sa->reauth_pending = true;
    sa->end_reason = "reauthentication";
    sm_queue(sa, task_ike_delete_new(sa));
    sm_initiate(sa);
}

/* ---- moved, replaced ---- */
void ike_sa_moved(ike_sa *sa, const endpoint *local, const endpoint *remote)
{
    child_sa *c;

    if (ike_sa_state(sa) >= IKE_ESTABLISHED)
        LOG(&sa->log, IKE, 1, "peer moved from %s to %s", ENDPOINT_STR(&sa->remote), ENDPOINT_STR(remote));
    sa->local = *local;
    sa->remote = *remote;
    LIST_EACH(&sa->children, child_sa, node, c)
    {
        if (c->state == CHILD_INSTALLED || c->state == CHILD_REKEYING) {
            status st = kchild_update(c->k, local, remote, kchild_udp_encap(c->k));
            if (st != ST_OK)
                LOG(&sa->log, CHD, 1, "updating CHILD_SA '%s' failed: %s", c->cfg->c->name, status_text(st));
        }
    }
}

static void take_identity(ike_sa *to, const ike_sa *from)
{
    ident_unref(to->my_id);
    ident_unref(to->peer_id);
    cert_unref(to->peer_cert);
    to->my_id = from->my_id ? ident_ref(from->my_id) : NULL;
    to->peer_id = from->peer_id ? ident_ref(from->peer_id) : NULL;
    to->peer_cert = from->peer_cert ? cert_ref(from->peer_cert) : NULL;
    to->local = from->local;
    to->remote = from->remote;
    to->natt = from->natt;
    to->family = from->family;
    to->nat_local = from->nat_local;
    to->nat_remote = from->nat_remote;
    to->nat_faked = from->nat_faked;
    to->fragment = from->fragment;
    to->peer_hashes = from->peer_hashes;
    to->authenticated = to->peer_authenticated = true;
}

void ike_sa_prepare_successor(ike_sa *to, ike_sa *from)
{
    ike_sa_set_cfg(to, from->cfg);
    take_identity(to, from);
    to->established_ms = runtime_now_ms(RT(from->ch));
    to->last_in_ms = to->established_ms;
    to->last_out_ms = to->established_ms;
    ike_sa_set_state(to, IKE_ESTABLISHED);
    ike_sa_forget_handshake(to);
    sa_table_add_id(from->ch->sas, to);
    sa_table_add(from->ch->sas, to);
}

/* Everything that lives on moves from the old IKE_SA to the new one; called in the old one's mail. */
void ike_sa_inherit(ike_sa *to, ike_sa *from)
{
    list_node *n;
    task *t;

    pthread_mutex_lock(&to->lock);
    if (ike_sa_state(to) == IKE_DESTROYED) {
        pthread_mutex_unlock(&to->lock);
        LOG(&from->log, IKE, 1, "the new IKE_SA is gone already: its CHILD_SAs go with the old one");
        return;
    }
    while ((n = list_pop(&from->children))) {
        child_sa *c = container_of(n, child_sa, node);
        c->sa = to;
        kchild_set_log(c->k, to->log); /* the old one's name goes with it */
        atomic_store(&c->owner, to->unique);
        list_append(&to->children, n);
        to->n_children++;
        from->n_children--;
    }
    LIST_EACH(&from->queued, task, node, t)
    {
        if (t->ops->rank < RANK_CHILD_DELETE || t->ops->rank == RANK_IKE_REKEY || t->ops->rank == RANK_DPD)
            continue;
        list_remove(&t->node);
        t->sa = to;
        sm_queue(to, t);
    }
    to->vip = from->vip;
    to->peer_vip = from->peer_vip;
    free(to->vip_pool);
    to->vip_pool = from->vip_pool;
    from->vip_pool = NULL;
    from->replaced = true;
    LOG(&to->log, IKE, 0, "IKE_SA '%s' rekeyed between %s[%s]...[%s]%s", to->name, ADDR_STR(&to->local.ip),
        SA_ID(to->my_id), SA_ID(to->peer_id), ADDR_STR(&to->remote.ip));
    ike_sa_schedule(to);
    atomic_fetch_add(&to->ch->n_ike_rekeyed, 1);
    sm_initiate(to);
    pthread_mutex_unlock(&to->lock);
}
