/* The responder half of a CHILD_SA negotiation: which conn is meant, what of the selectors and algorithms is
 * acceptable, installation, the answer's payloads - or one notify that says why not.
 */
#include "charon/task/child_parts.h"
#include <stdlib.h>

static bool read_ts(const ikev2_msg *in, traffic_sel *mine, size_t *n_mine, traffic_sel *theirs,
                    size_t *n_theirs)
{
    const ikev2_payload *i = ikev2_find(in, PLV2_TSI), *r = ikev2_find(in, PLV2_TSR);
    msgbuf why;

    return i && r && ikev2_ts_get(&r->ts, mine, MAX_TS, n_mine, &why) == ST_OK &&
           ikev2_ts_get(&i->ts, theirs, MAX_TS, n_theirs, &why) == ST_OK;
}

/* 0: no; 1: after narrowing; 2: exactly what the peer wants */
typedef struct offer {
    traffic_sel mine[MAX_TS], theirs[MAX_TS];
    size_t n_mine, n_theirs;
    bool transport; /* the peer asks for it */
    proposals props;
} offer;

/* What the peer's selectors mean to a conn. */
static void meant(const ike_sa *sa, const peer_cfg *cfg, const offer *o, traffic_sel *mine,
                  traffic_sel *theirs)
{
    memcpy(mine, o->mine, o->n_mine * sizeof(*mine));
    memcpy(theirs, o->theirs, o->n_theirs * sizeof(*theirs));
    if (o->transport && peer_cfg_mode(cfg) == MODE_TRANSPORT) {
        child_ts_seen(sa, mine, o->n_mine, true);
        child_ts_seen(sa, theirs, o->n_theirs, false);
    }
}

static int fit(ike_sa *sa, const peer_cfg *cfg, const offer *o)
{
    traffic_sel ours[MAX_TS], got[MAX_TS], mine[MAX_TS], theirs[MAX_TS];
    size_t n_mine = o->n_mine, n_theirs = o->n_theirs;
    size_t k = peer_cfg_ts(cfg, true, child_host(sa, true), ours, MAX_TS), n;
    bool exact;

    meant(sa, cfg, o, mine, theirs);
    n = child_narrow(ours, k, mine, n_mine, got, MAX_TS);
    if (n == 0)
        return 0;
    exact = n == n_mine && k == n_mine && ts_equal(&got[0], &mine[0]) && ts_equal(&ours[0], &mine[0]);
    k = peer_cfg_ts(cfg, false, child_host(sa, false), ours, MAX_TS);
    n = child_narrow(ours, k, theirs, n_theirs, got, MAX_TS);
    if (n == 0)
        return 0;
    return exact && n == n_theirs && k == n_theirs && ts_equal(&got[0], &theirs[0]) &&
                   ts_equal(&ours[0], &theirs[0])
               ? 2
               : 1;
}

bool child_neg_ts_fit(ike_sa *sa, const peer_cfg *cfg, const ikev2_msg *in)
{
    offer o = {.transport = ikev2_find_notify(in, N_USE_TRANSPORT_MODE) != NULL};

    if (!ikev2_find(in, PLV2_TSI) || !read_ts(in, o.mine, &o.n_mine, o.theirs, &o.n_theirs))
        return true;
    if (cfg->peer->sourceip && !sa->peer_vip.family && cfg->peer->n_subnets == 0)
        return true; /* the peer gets an address only after the choice */
    return fit(sa, cfg, &o) > 0;
}

/* The conn with the same peer whose selectors fit best: exactly, or the IKE_SA's own, or the first. */
static peer_cfg *choose_cfg(ike_sa *sa, const offer *o)
{
    conn_query q = {.me = sa->local.ip,
                    .peer = sa->remote.ip,
                    .version = CONN_IKEV2,
                    .my_id = sa->my_id,
                    .peer_id = sa->peer_id};
    int best = fit(sa, sa->cfg, o);
    peer_cfg *found = best > 0 ? peer_cfg_ref(sa->cfg) : NULL;
    oriented *conns = NULL;
    size_t n = 0;

    if (best == 2 || conntab_match(sa->ch->conns, &q, &conns, &n, NULL) != ST_OK)
        return found;
    for (size_t i = 0; i < n && best < 2; i++) {
        peer_cfg *cfg = NULL;
        int how;
        if (cfg_cache_get(sa->ch->cfgs, &conns[i], &cfg, NULL) != ST_OK)
            continue;
        how = peer_cfg_same_peer(cfg, sa->cfg) ? fit(sa, cfg, o) : 0;
        if (how > best) {
            peer_cfg_unref(found);
            found = peer_cfg_ref(cfg);
            best = how;
        }
        peer_cfg_unref(cfg);
    }
    conntab_list_free(conns, n);
    return found;
}

static void refuse(xchg *x, uint16_t type, span data)
{
    ikev2_add_notify(x->out, type, data);
}

static void explain(ike_sa *sa, const peer_cfg *cfg, const proposals *theirs, const msgbuf *why)
{
    char a[PROPOSAL_TEXT], b[PROPOSAL_TEXT];

    LOG(&sa->log, CHD, 0, "no acceptable proposal found");
    if (!log_enabled(sa->log.bus, LG_CHD, 1))
        return;
    LOG(&sa->log, CHD, 1, "*explain* CHILD_SA of conn '%s': %s", cfg->c->name, why->text);
    LOG(&sa->log, CHD, 1, "*explain* configured: %s; received: %s", proposals_text(cfg->child, a, sizeof(a)),
        proposals_text(theirs, b, sizeof(b)));
}

/* Proposal and group. false: a notify is added. */
static bool agree(xchg *x, bool in_auth, const peer_cfg *cfg, const offer *o, child_sa *c)
{
    const ikev2_payload *ke = ikev2_find(x->in, PLV2_KE);
    const transform *group;
    msgbuf why = {0};
    uint8_t want[2];

    if (!proposals_select(cfg->child, &o->props, true, in_auth, &c->prop, &why)) {
        explain(x->sa, cfg, &o->props, &why);
        refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
        return false;
    }
    c->spi_out = get_u32(c->prop.spi);
    group = in_auth ? NULL : proposal_get(&c->prop, TRANSFORM_DH);
    if (group && group->id != DH_NONE && (!ke || ke->ke.group != group->id)) {
        LOG(&x->sa->log, IKE, 1, "DH group %s inacceptable, requesting %s",
            ENUM_STR(dh_names, ke ? ke->ke.group : 0), ENUM_STR(dh_names, group->id));
        set_u16(want, group->id);
        refuse(x, N_INVALID_KE_PAYLOAD, SPAN_ARRAY(want));
        return false;
    }
    return c->spi_out != 0;
}

static void choose_mode(xchg *x, const peer_cfg *cfg, child_sa *c)
{
    bool transport = ikev2_find_notify(x->in, N_USE_TRANSPORT_MODE) != NULL;
    bool beet = ikev2_find_notify(x->in, N_USE_BEET_MODE) != NULL;

    if (transport && peer_cfg_mode(cfg) == MODE_TRANSPORT && child_transport_possible(x->sa, c))
        c->mode = MODE_TRANSPORT;
    else if (beet && peer_cfg_mode(cfg) == MODE_BEET)
        c->mode = MODE_BEET;
    else
        c->mode = MODE_TUNNEL;
    c->cpi_out = c->cpi_in ? child_read_ipcomp(x->in) : 0;
}

static void add_answer(xchg *x, bool in_auth, const child_sa *c, const dh *d, span nr)
{
    proposal p = c->prop;

    if (c->cpi_in && c->cpi_out)
        child_add_ipcomp(c, x->out);
    if (c->mode == MODE_TRANSPORT)
        ikev2_add_notify(x->out, N_USE_TRANSPORT_MODE, SPAN_NULL);
    else if (c->mode == MODE_BEET)
        ikev2_add_notify(x->out, N_USE_BEET_MODE, SPAN_NULL);
    p.spi_n = 4;
    set_u32(p.spi, c->spi_in);
    ikev2_add_proposal(x->out, &p);
    if (!in_auth) {
        ikev2_add_nonce(x->out, nr);
        if (d)
            ikev2_add_ke(x->out, proposal_get(&c->prop, TRANSFORM_DH)->id, dh_public(d));
    }
    ikev2_add_ts(x->out, PLV2_TSI, c->theirs, c->n_theirs);
    ikev2_add_ts(x->out, PLV2_TSR, c->mine, c->n_mine);
}

static void lower_nonce(child_answer *a, span ni, span nr)
{
    span low = nonce_compare(ni, nr) < 0 ? ni : nr;

    a->nonce_low_n = low.n <= NONCE_MAX ? low.n : NONCE_MAX;
    memcpy(a->nonce_low, low.p, a->nonce_low_n);
}

/* Keys and installation. */
static status install(xchg *x, bool in_auth, child_answer *a, child_sa *c)
{
    ike_sa *sa = x->sa;
    const ikev2_payload *no = ikev2_find(x->in, PLV2_NONCE), *ke = ikev2_find(x->in, PLV2_KE);
    const transform *group = in_auth ? NULL : proposal_get(&c->prop, TRANSFORM_DH);
    child_install in = {
        .initiator = false, .replaces = a->collision ? NULL : a->replaces, .collision = a->collision};
    uint8_t nr[NONCE_BYTES];
    secret shared = {0};
    dh *d = NULL;
    status st = ST_OK;

    if (in_auth) {
        in.ni = span_of(sa->hs->ni, sa->hs->ni_n);
        in.nr = span_of(sa->hs->nr, sa->hs->nr_n);
    } else {
        if (!no || no->nonce.data.n < NONCE_MIN || no->nonce.data.n > NONCE_MAX)
            return ST_INVALID;
        in.ni = no->nonce.data;
        in.nr = SPAN_ARRAY(nr);
        st = rng_bytes(sa->ch->env->crypto, RNG_WEAK, nr, sizeof(nr));
        if (st == ST_OK && group && group->id != DH_NONE) {
            st = dh_new(sa->ch->env->crypto, &d, (dh_group)group->id);
            if (st == ST_OK)
                st = dh_compute(d, ke->ke.data, &shared);
        }
        lower_nonce(a, in.ni, in.nr);
    }
    in.shared = secret_view(&shared);
    if (st == ST_OK)
        st = child_sa_install(c, &in);
    if (st == ST_OK)
        add_answer(x, in_auth, c, d, in.nr);
    secret_free(&shared);
    dh_free(d);
    return st;
}

static void answer(xchg *x, bool in_auth, child_answer *a, offer *o)
{
    ike_sa *sa = x->sa;
    traffic_sel ours[MAX_TS], mine[MAX_TS], theirs[MAX_TS];
    char text[CHILD_TS_TEXT];
    peer_cfg *cfg = a->cfg ? peer_cfg_ref(a->cfg) : choose_cfg(sa, o);
    child_sa *c = NULL;
    status st;
    size_t k;

    if (!cfg || !fit(sa, cfg, o)) {
        child_ts_text(o->mine, o->n_mine, o->theirs, o->n_theirs, text, sizeof(text));
        LOG(&sa->log, CHD, 0, "traffic selectors %s inacceptable", text);
        k = peer_cfg_ts(sa->cfg, true, child_host(sa, true), ours, MAX_TS);
        if (k && log_enabled(sa->log.bus, LG_CHD, 1))
            LOG(&sa->log, CHD, 1, "*explain* conn '%s' came nearest: our side is %s%s", sa->cfg->c->name,
                TS_STR(&ours[0]), k > 1 ? " and more" : "");
        refuse(x, N_TS_UNACCEPTABLE, SPAN_NULL);
        peer_cfg_unref(cfg);
        return;
    }
    st = child_sa_new(&c, sa, cfg, a->replaces ? a->replaces->reqid : 0);
    if (st == ST_LIMIT)
        refuse(x, N_NO_ADDITIONAL_SAS, SPAN_NULL);
    else if (st != ST_OK)
        refuse(x, N_TEMPORARY_FAILURE, SPAN_NULL);
    if (st != ST_OK || !agree(x, in_auth, cfg, o, c))
        goto fail;
    meant(sa, cfg, o, mine, theirs);
    k = peer_cfg_ts(cfg, true, child_host(sa, true), ours, MAX_TS);
    c->n_mine = child_narrow(ours, k, mine, o->n_mine, c->mine, MAX_TS);
    k = peer_cfg_ts(cfg, false, child_host(sa, false), ours, MAX_TS);
    c->n_theirs = child_narrow(ours, k, theirs, o->n_theirs, c->theirs, MAX_TS);
    st = child_sa_alloc_spi(c);
    choose_mode(x, cfg, c);
    if (st == ST_OK)
        st = install(x, in_auth, a, c);
    if (st == ST_OK) {
        a->c = c;
        peer_cfg_unref(cfg);
        return;
    }
    LOG(&sa->log, CHD, 1, "CHILD_SA '%s' is not possible: %s", cfg->c->name, status_text(st));
    refuse(x, st == ST_INVALID ? N_INVALID_SYNTAX : N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
fail:
    child_sa_free(c);
    peer_cfg_unref(cfg);
}

void child_neg_answer(xchg *x, bool in_auth, child_answer *a)
{
    const ikev2_payload *sap = ikev2_find(x->in, PLV2_SA);
    offer *o = arena_alloc(x->mem, sizeof(*o));
    msgbuf why = {0};

    if (o)
        o->transport = ikev2_find_notify(x->in, N_USE_TRANSPORT_MODE) != NULL;
    if (!o) {
        refuse(x, N_TEMPORARY_FAILURE, SPAN_NULL);
        return;
    }
    if (!sap || ikev2_sa_get(&sap->sa, &o->props, &why) != ST_OK) {
        LOG(&x->sa->log, CHD, 1, "no usable CHILD_SA proposal: %s", why.text);
        refuse(x, N_NO_PROPOSAL_CHOSEN, SPAN_NULL);
    } else if (!read_ts(x->in, o->mine, &o->n_mine, o->theirs, &o->n_theirs)) {
        LOG(&x->sa->log, CHD, 0, "no acceptable traffic selectors found");
        refuse(x, N_TS_UNACCEPTABLE, SPAN_NULL);
    } else {
        answer(x, in_auth, a, o);
    }
}
