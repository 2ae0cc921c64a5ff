/* IKE_AUTH: who is who.   RFC 7296 1.2, 2.15, 2.21.2, RFC 4478 (AUTH_LIFETIME)
 *
 * The responder chooses the conn here: candidates fit the addresses and both identities; of those whose
 * proposals and authentication constraints fit, the first with acceptable traffic selectors wins, else the
 * first one.
 */
#include "charon/auth/auth.h"
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include "charon/task/child_neg.h"
#include "charon/task/task.h"

/* The ID payload's body, which AUTH covers. */
static status id_body(const ident *id, buf *out)
{
    buf_put_u8(out, (uint8_t)ident_type(id));
    buf_put_zero(out, 3);
    buf_put(out, ident_data(id));
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}

static bool add_auth(ike_sa *sa, const auth_own *own, const ident *other, ikev2_builder *out)
{
    buf body = {0}, data = {0};
    status st = id_body(sa->my_id, &body);

    if (st == ST_OK)
        st = auth_sign(sa, own, sa->my_id, other, buf_span(&body), &data);
    if (st == ST_OK)
        ikev2_add_auth(out, own->method, buf_span(&data));
    buf_free(&body);
    buf_free(&data);
    return st == ST_OK;
}

static status read_peer(ike_sa *sa, const ikev2_msg *m, uint8_t id_payload, ident **id, auth_peer *p)
{
    const ikev2_payload *idp = ikev2_find(m, id_payload), *a = ikev2_find(m, PLV2_AUTH);
    msgbuf why = {0};
    status st;

    if (!idp || !a)
        return ST_INVALID;
    st = ident_from_wire(id, idp->id.type, idp->id.data, &why);
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "the peer's identity is malformed: %s", why.text);
        return st;
    }
    p->id = *id;
    p->id_body = idp->body;
    p->method = a->auth.method;
    p->data = a->auth.data;
    auth_read_certs(sa, m, p);
    return ST_OK;
}

/* ---- initiator ---- */
static bool first_with_peer(ike_sa *sa)
{
    size_t n;
    ike_sa **others = sa->cfg->peer_id && ident_type(sa->cfg->peer_id) != ID_ANY
                          ? sa_table_by_id(sa->ch->sas, sa->cfg->peer_id, &n)
                          : (n = 0, NULL);

    sa_list_free(others, n);
    return n == 0;
}

static verdict auth_request(task *t, xchg *x)
{
    ike_sa *sa = t->sa;
    const peer_cfg *cfg = sa->cfg;
    bool ask_id = ident_type(cfg->peer_id) != ID_ANY && !ident_has_wildcards(cfg->peer_id);
    auth_own own = {0};
    bool ok;

    if (!sa->my_id)
        sa->my_id = peer_cfg_my_id(cfg, &sa->local.ip);
    if (!sa->my_id)
        return V_FAILED;
    if (auth_choose(sa, cfg, sa->my_id, &own) != ST_OK) {
        x->why = "no credential of ours for this conn";
        return V_FAILED;
    }
    ikev2_add_id(x->out, PLV2_IDI, (uint8_t)ident_type(sa->my_id), ident_data(sa->my_id));
    auth_add_certs(sa, cfg, &own, x->out);
    if (cfg->c->uniqueids != UNIQUE_NO && first_with_peer(sa))
        ikev2_add_notify(x->out, N_INITIAL_CONTACT, SPAN_NULL);
    auth_add_certreqs(sa, cfg, x->out);
    if (ask_id)
        ikev2_add_id(x->out, PLV2_IDR, (uint8_t)ident_type(cfg->peer_id), ident_data(cfg->peer_id));
    ok = add_auth(sa, &own, cfg->peer_id, x->out);
    sa->hs->auth_text = own.text;
    auth_own_free(&own);
    if (!ok)
        x->why = "our AUTH payload could not be made";
    return ok ? V_DONE : V_FAILED;
}

static void read_lifetime(ike_sa *sa, const ikev2_msg *m)
{
    const ikev2_notify *n = ikev2_find_notify(m, N_AUTH_LIFETIME);
    int64_t life, due;

    if (!n || n->data.n != 4)
        return;
    life = get_u32(n->data.p);
    due = life - sa->cfg->c->rekeymargin_s;
    if (due < 1)
        due = life / 2 > 0 ? life / 2 : 1;
    LOG(&sa->log, IKE, 1, "received AUTH_LIFETIME of %llds, scheduling reauthentication in %llds",
        (long long)life, (long long)due);
    if (ike_sa_timer_left(sa, T_REAUTH) < 0 || ike_sa_timer_left(sa, T_REAUTH) > due * 1000)
        ike_sa_timer(sa, T_REAUTH, due * 1000);
}

/* We do not believe the responder, which believes us: tell it before we forget (2.21.2). */
static void reject_responder(ike_sa *sa)
{
    sa->out.active = false;
    sa->out.mid++;
    sm_send_notify_and_delete(sa, N_AUTHENTICATION_FAILED);
}

static verdict auth_response(task *t, xchg *x)
{
    ike_sa *sa = t->sa;
    auth_peer p = {.my_id = sa->my_id};
    const ikev2_notify *n = ikev2_find_error(x->in);
    ident *id = NULL;
    bool ok;

    if (!ikev2_find(x->in, PLV2_AUTH)) {
        LOG(&sa->log, IKE, 0, "received %s notify error",
            n ? ENUM_STR(ikev2_notify_names, n->type) : "no AUTH payload and no");
        if (n && n->type == N_AUTHENTICATION_FAILED) {
            explain_count(sa->ch->env->explain, AUTHF_REFUSED);
            LOG(&sa->log, IKE, 1,
                "*explain* the peer refused us as '%s' with %s, or has no conn for that and '%s': its log "
                "tells",
                SA_ID(sa->my_id), sa->hs->auth_text ? sa->hs->auth_text : "no method",
                SA_ID(sa->cfg->peer_id));
        }
        x->why = "the peer refused our authentication";
        return V_FAILED;
    }
    ok = read_peer(sa, x->in, PLV2_IDR, &id, &p) == ST_OK;
    if (ok && !ident_match(id, sa->cfg->peer_id)) {
        LOG(&sa->log, IKE, 0, "peer ID '%s' unacceptable, '%s' required", IDENT_STR(id),
            IDENT_STR(sa->cfg->peer_id));
        ok = false;
    }
    ok = ok && auth_verify(sa, sa->cfg, &p) == ST_OK && auth_constraints(sa, sa->cfg, &p, false);
    if (ok) {
        sa->peer_id = ident_ref(id);
        sa->peer_cert = p.cert ? cert_ref(p.cert) : NULL;
        sa->peer_authenticated = true;
        ike_sa_established(sa);
        read_lifetime(sa, x->in);
    } else {
        reject_responder(sa);
        x->why = "the peer did not prove its identity";
    }
    auth_peer_fini(&p);
    ident_unref(id);
    return ok ? V_DONE : V_FAILED;
}

static const task_ops auth_ops = {"ike_auth", IKE_AUTH, RANK_AUTH, auth_request, auth_response, NULL};

task *task_ike_auth_new(ike_sa *sa)
{
    return task_make(sizeof(task), &auth_ops, sa);
}

/* ---- responder ---- */
static verdict refuse(xchg *x)
{
    ikev2_builder_reset(x->out);
    ikev2_add_notify(x->out, N_AUTHENTICATION_FAILED, SPAN_NULL);
    x->refused = true;
    return V_FAILED;
}

typedef struct choice {
    xchg *x;
    auth_peer *p;
    const ident *asked; /* IDr; NULL */
    peer_cfg *cfg;      /* the best so far */
    bool verified;      /* by public key: it need not be done again for the next conn */
    bool tried;
} choice;

static bool same_proposal(const peer_cfg *cfg, const proposal *chosen)
{
    proposals one = {.n = 1};
    proposal out;

    one.p[0] = *chosen;
    return proposals_select(cfg->ike, &one, true, false, &out, NULL);
}

/* false: go on with the next candidate */
static bool consider(ike_sa *sa, choice *c, peer_cfg *cfg)
{
    ident *my_id;
    bool ok;

    if (!same_proposal(cfg, &sa->prop)) {
        LOG(&sa->log, CFG, 2, "conn '%s' does not allow the IKE proposal in use", cfg->c->name);
        return false;
    }
    if (c->cfg && !child_neg_ts_fit(sa, cfg, c->x->in))
        return false; /* no better than the one we have */
    my_id = peer_cfg_my_id(cfg, &sa->local.ip);
    c->p->my_id = my_id;
    if (!c->verified) {
        ok = auth_verify(sa, cfg, c->p) == ST_OK;
        c->tried = true;
        c->verified = ok && c->p->method != AUTHM_PSK;
        if (!ok && c->p->method != AUTHM_PSK && !cfg->peer_cert) {
            ident_unref(my_id);
            return true; /* the same for every conn: no use to go on */
        }
    } else {
        ok = true;
    }
    ok = ok && auth_constraints(sa, cfg, c->p, false);
    ident_unref(my_id);
    if (!ok)
        return false;
    peer_cfg_unref(c->cfg);
    c->cfg = peer_cfg_ref(cfg);
    return child_neg_ts_fit(sa, cfg, c->x->in);
}

static void choose_conn(ike_sa *sa, choice *c)
{
    conn_query q = {.me = sa->local.ip,
                    .peer = sa->remote.ip,
                    .version = CONN_IKEV2,
                    .my_id = c->asked,
                    .peer_id = c->p->id};
    oriented *conns = NULL;
    msgbuf why = {0};
    size_t n = 0;
    bool done = false;

    if (conntab_match(sa->ch->conns, &q, &conns, &n, &why) != ST_OK)
        n = 0;
    for (size_t i = 0; i < n && !done; i++) {
        peer_cfg *cfg = NULL;
        if (cfg_cache_get(sa->ch->cfgs, &conns[i], &cfg, NULL) != ST_OK)
            continue;
        done = consider(sa, c, cfg);
        peer_cfg_unref(cfg);
    }
    if (!c->cfg && !c->tried) {
        explain_count(sa->ch->env->explain, AUTHF_NO_CONN);
        LOG(&sa->log, IKE, 0, "no matching config found for '%s'...'%s'",
            c->asked ? IDENT_STR(c->asked) : ADDR_STR(&sa->local.ip), IDENT_STR(c->p->id));
        LOG(&sa->log, IKE, 1, "*explain* %s", why.text[0] ? why.text : "no conn fits both identities");
    }
    conntab_list_free(conns, n);
}

static bool answer_own(ike_sa *sa, xchg *x)
{
    auth_own own = {0};
    bool ok = auth_choose(sa, sa->cfg, sa->my_id, &own) == ST_OK;
    uint8_t life[4];

    if (ok) {
        ikev2_add_id(x->out, PLV2_IDR, (uint8_t)ident_type(sa->my_id), ident_data(sa->my_id));
        auth_add_certs(sa, sa->cfg, &own, x->out);
        ok = add_auth(sa, &own, sa->peer_id, x->out);
    }
    auth_own_free(&own);
    if (ok && sa->cfg->c->reauth && sa->cfg->c->rekey && sa->cfg->c->ikelifetime_s > 0) {
        set_u32(life, (uint32_t)sa->cfg->c->ikelifetime_s);
        ikev2_add_notify(x->out, N_AUTH_LIFETIME, SPAN_ARRAY(life));
    }
    return ok;
}

verdict ike_auth_answer(xchg *x)
{
    ike_sa *sa = x->sa;
    const ikev2_payload *asked = ikev2_find(x->in, PLV2_IDR);
    auth_peer p = {0};
    choice c = {.x = x, .p = &p};
    ident *id = NULL, *idr = NULL;
    bool ok = read_peer(sa, x->in, PLV2_IDI, &id, &p) == ST_OK;

    auth_read_certreqs(sa, x->in);
    if (asked)
        ok = ok && ident_from_wire(&idr, asked->id.type, asked->id.data, NULL) == ST_OK;
    c.asked = idr;
    if (ok)
        choose_conn(sa, &c);
    ok = c.cfg != NULL;
    if (ok) {
        ike_sa_set_cfg(sa, c.cfg);
        LOG(&sa->log, CFG, 1, "found matching config '%s' for %s[%s]...%s[%s]", c.cfg->c->name,
            ADDR_STR(&sa->local.ip), idr ? IDENT_STR(idr) : "%any", ADDR_STR(&sa->remote.ip), IDENT_STR(id));
        sa->my_id = peer_cfg_my_id(c.cfg, &sa->local.ip);
        sa->peer_id = ident_ref(id);
        sa->peer_cert = p.cert ? cert_ref(p.cert) : NULL;
        sa->peer_authenticated = true;
        ok = sa->my_id && ike_sa_unique(sa, ikev2_find_notify(x->in, N_INITIAL_CONTACT) != NULL) &&
             answer_own(sa, x);
    }
    if (ok)
        ike_sa_established(sa);
    auth_peer_fini(&p);
    peer_cfg_unref(c.cfg);
    ident_unref(id);
    ident_unref(idr);
    return ok ? V_DONE : refuse(x);
}
