/* IKE_SA_INIT: algorithms, Diffie-Hellman, nonces.   RFC 7296 1.2, 2.6, 2.7, 2.14
 *
 * Nothing in this exchange is authenticated. A refusal may be forged, so the initiator remembers it and gives
 * the true answer a moment to come; cookies and requests for another group are followed a few times only.
 */
#include "charon/auth/auth.h"
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include "charon/task/task.h"

static status fresh_nonce(ike_sa *sa, uint8_t *nonce, size_t *n)
{
    *n = NONCE_BYTES;
    return rng_bytes(sa->ch->env->crypto, RNG_WEAK, nonce, NONCE_BYTES);
}

static uint16_t first_group(const proposals *ps)
{
    for (unsigned i = 0; i < ps->n; i++) {
        const transform *t = proposal_get(&ps->p[i], TRANSFORM_DH);
        if (t && t->id != DH_NONE)
            return t->id;
    }
    return 0;
}

static bool offers_group(const proposals *ps, uint16_t group)
{
    for (unsigned i = 0; i < ps->n; i++) {
        if (proposal_has(&ps->p[i], TRANSFORM_DH, group))
            return true;
    }
    return false;
}

/* ---- initiator ---- */
static verdict init_request(task *t, xchg *x)
{
    ike_sa *sa = t->sa;
    handshake *hs = sa->hs;
    status st = ST_OK;

    if (!hs->group)
        hs->group = first_group(sa->cfg->ike);
    if (!hs->ni_n) {
        LOG(&sa->log, IKE, 0, "initiating IKE_SA '%s' to %s", sa->name, ADDR_STR(&sa->remote.ip));
        st = fresh_nonce(sa, hs->ni, &hs->ni_n);
    }
    if (st == ST_OK && !hs->dh)
        st = dh_new(sa->ch->env->crypto, &hs->dh, (dh_group)hs->group);
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "key exchange with group %s is not possible: %s", ENUM_STR(dh_names, hs->group),
            status_text(st));
        x->why = "no usable Diffie-Hellman group";
        return V_FAILED;
    }
    if (hs->cookie_n)
        ikev2_add_notify(x->out, N_COOKIE, span_of(hs->cookie, hs->cookie_n));
    ikev2_add_sa(x->out, sa->cfg->ike);
    ikev2_add_ke(x->out, hs->group, dh_public(hs->dh));
    ikev2_add_nonce(x->out, span_of(hs->ni, hs->ni_n));
    return V_DONE;
}

static verdict refused(ike_sa *sa, const char *why)
{
    LOG(&sa->log, IKE, 1, "%s", why);
    if (!sa->hs->refusal.text[0]) {
        msg_set(&sa->hs->refusal, "%s", why);
        ike_sa_timer(sa, T_REFUSED, REFUSAL_GRACE_MS);
    }
    return V_WAIT;
}

static verdict take_cookie(ike_sa *sa, const ikev2_notify *n)
{
    handshake *hs = sa->hs;

    if (n->data.n == 0 || n->data.n > COOKIE_MAX || span_equal(n->data, span_of(hs->cookie, hs->cookie_n)) ||
        ++hs->restarts > INIT_RESTARTS)
        return V_WAIT;
    memcpy(hs->cookie, n->data.p, n->data.n);
    hs->cookie_n = n->data.n;
    LOG(&sa->log, IKE, 2, "the peer wants a cookie");
    return V_AGAIN;
}

static verdict other_group(ike_sa *sa, const ikev2_notify *n)
{
    handshake *hs = sa->hs;
    uint16_t group = n->data.n == 2 ? get_u16(n->data.p) : 0;

    if (group == hs->group)
        return V_WAIT;
    if (!offers_group(sa->cfg->ike, group)) {
        msgbuf why;
        msg_set(&why, "peer didn't accept DH group %s, it requested %s, which we do not offer",
                ENUM_STR(dh_names, hs->group), ENUM_STR(dh_names, group));
        return refused(sa, why.text);
    }
    if (++hs->restarts > INIT_RESTARTS)
        return V_WAIT;
    LOG(&sa->log, IKE, 1, "peer didn't accept DH group %s, it requested %s", ENUM_STR(dh_names, hs->group),
        ENUM_STR(dh_names, group));
    hs->group = group;
    dh_free(hs->dh);
    hs->dh = NULL;
    return V_AGAIN;
}

static status derive(ike_sa *sa, span shared, span ni, span nr)
{
    keymat_input in = {.prop = &sa->prop,
                       .initiator = sa->initiator,
                       .shared = shared,
                       .ni = ni,
                       .nr = nr,
                       .spi_i = sa->spi_i,
                       .spi_r = sa->spi_r,
                       .save = sa->ch->env->save_keys};

    return keymat_derive(&sa->keys, sa->ch->env->crypto, &in);
}

static verdict accept_answer(ike_sa *sa, const xchg *x)
{
    handshake *hs = sa->hs;
    const ikev2_payload *ke = ikev2_find(x->in, PLV2_KE), *no = ikev2_find(x->in, PLV2_NONCE);
    const ikev2_payload *sap = ikev2_find(x->in, PLV2_SA);
    proposals theirs;
    proposal chosen;
    secret shared = {0};
    msgbuf why = {0};
    status st;

    if (!sap || !ke || !no || no->nonce.data.n < NONCE_MIN || no->nonce.data.n > NONCE_MAX ||
        x->in->h.spi_r == 0)
        return refused(sa, "the peer's IKE_SA_INIT answer is incomplete");
    if (ikev2_sa_get(&sap->sa, &theirs, &why) != ST_OK)
        return refused(sa, "the peer's IKE_SA_INIT answer holds no usable proposal");
    if (theirs.n != 1 || !proposals_select(sa->cfg->ike, &theirs, true, false, &chosen, &why)) {
        msg_prefix(&why, "the peer chose a proposal we did not make: ");
        return refused(sa, why.text);
    }
    if (!proposal_has(&chosen, TRANSFORM_DH, ke->ke.group) || ke->ke.group != hs->group)
        return refused(sa, "the peer's KE payload is of another group than it chose");
    st = dh_compute(hs->dh, ke->ke.data, &shared);
    if (st != ST_OK)
        return refused(sa, "the peer's KE payload is invalid");
    sa->prop = chosen;
    sa->spi_r = x->in->h.spi_r;
    memcpy(hs->nr, no->nonce.data.p, no->nonce.data.n);
    hs->nr_n = no->nonce.data.n;
    st = derive(sa, secret_view(&shared), span_of(hs->ni, hs->ni_n), span_of(hs->nr, hs->nr_n));
    secret_free(&shared);
    buf_free(&hs->init_response);
    if (st == ST_OK)
        st = buf_copy_of(&hs->init_response, x->in->packet);
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "key derivation failed: %s", status_text(st));
        return V_FAILED;
    }
    dh_free(hs->dh);
    hs->dh = NULL;
    hs->refusal.text[0] = 0;
    ike_sa_timer_stop(sa, T_REFUSED);
    auth_read_certreqs(sa, x->in);
    return V_DONE;
}

/* The peer does not say what it would take: at least what we asked for. */
static void explain_refusal(ike_sa *sa, uint16_t type)
{
    char text[PROPOSAL_TEXT];

    if (type == N_NO_PROPOSAL_CHOSEN && log_enabled(sa->log.bus, LG_IKE, 1))
        LOG(&sa->log, IKE, 1,
            "*explain* the peer has no conn for these addresses, or none that takes what conn '%s' offers: "
            "%s",
            sa->cfg->c->name, proposals_text(sa->cfg->ike, text, sizeof(text)));
}

static verdict init_response(task *t, xchg *x)
{
    ike_sa *sa = t->sa;
    const ikev2_notify *n;
    msgbuf why;

    if (!ikev2_find(x->in, PLV2_SA)) {
        if ((n = ikev2_find_notify(x->in, N_COOKIE)))
            return take_cookie(sa, n);
        if ((n = ikev2_find_notify(x->in, N_INVALID_KE_PAYLOAD)))
            return other_group(sa, n);
        if (!(n = ikev2_find_error(x->in)))
            return V_WAIT;
        msg_set(&why, "received %s notify error", ENUM_STR(ikev2_notify_names, n->type));
        explain_refusal(sa, n->type);
        return refused(sa, why.text);
    }
    return accept_answer(sa, x);
}

static const task_ops init_ops = {"ike_init", IKE_SA_INIT, RANK_INIT, init_request, init_response, NULL};

task *task_ike_init_new(ike_sa *sa)
{
    return task_make(sizeof(task), &init_ops, sa);
}

/* ---- responder ---- */
static verdict refuse(xchg *x, uint16_t type, span data)
{
    ikev2_builder_reset(x->out);
    ikev2_add_notify(x->out, type, data);
    x->refused = true;
    return V_FAILED;
}

static void explain_proposals(ike_sa *sa, const peer_cfg *cfg, const proposals *theirs, const msgbuf *why)
{
    char ours_text[PROPOSAL_TEXT], theirs_text[PROPOSAL_TEXT];

    LOG(&sa->log, IKE, 0, "no acceptable proposal found");
    if (!log_enabled(sa->log.bus, LG_IKE, 1))
        return;
    LOG(&sa->log, IKE, 1, "*explain* conn '%s' came nearest: %s", cfg->c->name, why->text);
    LOG(&sa->log, IKE, 1, "*explain* configured: %s; received: %s",
        proposals_text(cfg->ike, ours_text, sizeof(ours_text)),
        proposals_text(theirs, theirs_text, sizeof(theirs_text)));
}

/* Of the conns the query finds, the first whose IKE proposals fit. *nearest: the first that did not. */
static bool try_conns(ike_sa *sa, const conn_query *q, const proposals *theirs, peer_cfg **nearest,
                      msgbuf why[2], bool *by_key)
{
    oriented *conns = NULL;
    bool found = false;
    size_t n = 0;

    if (conntab_match(sa->ch->conns, q, &conns, &n, &why[0]) != ST_OK)
        n = 0;
    for (size_t i = 0; i < n && !found; i++) {
        peer_cfg *cfg = NULL;
        if (cfg_cache_get(sa->ch->cfgs, &conns[i], &cfg, &why[0]) != ST_OK) {
            LOG(&sa->log, CFG, 1, "%s", why[0].text);
            continue;
        }
        found = proposals_select(cfg->ike, theirs, true, false, &sa->prop, &why[0]);
        if (found) {
            *by_key = !(cfg->my_auth & AUTH_PSK) || (cfg->my_auth & AUTH_PUBKEY) ||
                      (cfg->peer_auth & AUTH_PUBKEY);
            LOG(&sa->log, CFG, 2, "found matching conn '%s' for its IKE proposals", cfg->c->name);
        } else if (!*nearest) {
            *nearest = peer_cfg_ref(cfg);
            why[1] = why[0];
        }
        peer_cfg_unref(cfg);
    }
    conntab_list_free(conns, n);
    return found;
}

/* The first conn for this pair of addresses whose IKE proposals fit. A gateway may have thousands of conns
 * for travellers, nearly always with the same proposals: a few are looked at first. */
static bool choose_proposal(ike_sa *sa, const proposals *theirs, bool *by_key)
{
    conn_query q = {.me = sa->local.ip, .peer = sa->remote.ip, .version = CONN_IKEV2, .max = 16};
    peer_cfg *nearest = NULL;
    msgbuf why[2] = {0};
    bool found = try_conns(sa, &q, theirs, &nearest, why, by_key);

    if (!found && nearest) {
        peer_cfg_unref(nearest);
        nearest = NULL;
        q.max = 0;
        found = try_conns(sa, &q, theirs, &nearest, why, by_key);
    }
    if (!found && nearest) {
        explain_proposals(sa, nearest, theirs, &why[1]);
    } else if (!found) {
        LOG(&sa->log, IKE, 0, "no matching config found for %s...%s", ADDR_STR(&sa->local.ip),
            ADDR_STR(&sa->remote.ip));
        LOG(&sa->log, IKE, 1, "*explain* %s", why[0].text[0] ? why[0].text : "no conn is loaded for IKEv2");
    }
    peer_cfg_unref(nearest);
    return found;
}

static verdict answer_keys(ike_sa *sa, xchg *x, const ikev2_payload *ke)
{
    handshake *hs = sa->hs;
    secret shared = {0};
    status st = fresh_nonce(sa, hs->nr, &hs->nr_n);

    if (st == ST_OK)
        st = dh_new(sa->ch->env->crypto, &hs->dh, (dh_group)ke->ke.group);
    if (st == ST_OK)
        st = dh_compute(hs->dh, ke->ke.data, &shared);
    if (st == ST_INVALID) {
        LOG(&sa->log, IKE, 1, "the KE payload of %s is invalid", ENDPOINT_STR(&sa->remote));
        return refuse(x, N_INVALID_SYNTAX, SPAN_NULL);
    }
    if (st == ST_OK)
        st = derive(sa, secret_view(&shared), span_of(hs->ni, hs->ni_n), span_of(hs->nr, hs->nr_n));
    secret_free(&shared);
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "key derivation failed: %s", status_text(st));
        return refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
    }
    ikev2_add_proposal(x->out, &sa->prop);
    ikev2_add_ke(x->out, ke->ke.group, dh_public(hs->dh));
    ikev2_add_nonce(x->out, span_of(hs->nr, hs->nr_n));
    return V_DONE;
}

verdict ike_init_answer(xchg *x)
{
    ike_sa *sa = x->sa;
    handshake *hs = sa->hs;
    const ikev2_payload *ke = ikev2_find(x->in, PLV2_KE), *no = ikev2_find(x->in, PLV2_NONCE);
    const ikev2_payload *sap = ikev2_find(x->in, PLV2_SA);
    const transform *group;
    proposals theirs;
    msgbuf why = {0};
    bool by_key = false;
    uint8_t want[2];
    verdict v;

    LOG(&sa->log, IKE, 0, "%s is initiating an IKE_SA", ADDR_STR(&sa->remote.ip));
    if (!sap || !ke || !no || no->nonce.data.n < NONCE_MIN || no->nonce.data.n > NONCE_MAX)
        return refuse(x, N_INVALID_SYNTAX, SPAN_NULL);
    if (ikev2_sa_get(&sap->sa, &theirs, &why) != ST_OK) {
        LOG(&sa->log, IKE, 1, "no usable proposal from %s: %s", ENDPOINT_STR(&sa->remote), why.text);
        return refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
    }
    if (!choose_proposal(sa, &theirs, &by_key))
        return refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
    group = proposal_get(&sa->prop, TRANSFORM_DH);
    if (!group || group->id == DH_NONE)
        return refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
    if (group->id != ke->ke.group) {
        LOG(&sa->log, IKE, 1, "DH group %s inacceptable, requesting %s", ENUM_STR(dh_names, ke->ke.group),
            ENUM_STR(dh_names, group->id));
        set_u16(want, group->id);
        return refuse(x, N_INVALID_KE_PAYLOAD, SPAN_ARRAY(want));
    }
    memcpy(hs->ni, no->nonce.data.p, no->nonce.data.n);
    hs->ni_n = no->nonce.data.n;
    if (buf_copy_of(&hs->init_request, x->in->packet) != ST_OK)
        return refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
    v = answer_keys(sa, x, ke);
    if (v != V_DONE)
        return v;
    if (by_key)
        auth_add_certreqs(sa, NULL, x->out);
    ike_sa_set_state(sa, IKE_CONNECTING);
    ike_sa_timer(sa, T_HALF_OPEN, sa->ch->set.half_open_ms);
    return V_DONE;
}
