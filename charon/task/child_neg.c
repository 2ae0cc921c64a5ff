/* Negotiating a CHILD_SA; see the header. The responder half is in child_answer.c. */
#include "charon/task/child_neg.h"
#include "charon/task/child_parts.h"
#include <stdlib.h>

int nonce_compare(span a, span b)
{
    return span_compare(a, b);
}

void child_neg_init(child_neg *n, ike_sa *sa, peer_cfg *cfg, uint32_t reqid)
{
    n->sa = sa;
    n->cfg = peer_cfg_ref(cfg);
    n->reqid = reqid;
}

static child_sa *current(child_neg *n)
{
    return n->serial ? ike_sa_child_by_serial(n->sa, n->serial) : NULL;
}

void child_neg_fini(child_neg *n)
{
    child_sa *c = n->sa ? current(n) : NULL;

    if (c && c->state == CHILD_CREATED)
        child_sa_free(c);
    dh_free(n->dh);
    peer_cfg_unref(n->cfg);
    wipe(n->ni, sizeof(n->ni));
    n->dh = NULL;
    n->cfg = NULL;
}

/* ---- parts both halves use ---- */
proposals *child_proposals(const peer_cfg *cfg, bool no_dh, uint32_t spi)
{
    proposals *p = malloc(sizeof(*p));

    if (!p)
        return NULL;
    *p = *cfg->child;
    for (unsigned i = 0; i < p->n; i++) {
        proposal *q = &p->p[i];
        unsigned kept = 0;
        for (unsigned j = 0; j < q->n; j++) {
            if (!no_dh || q->t[j].type != TRANSFORM_DH)
                q->t[kept++] = q->t[j];
        }
        q->n = (uint8_t)kept;
        q->number = (uint8_t)(i + 1);
        q->spi_n = spi ? 4 : 0;
        set_u32(q->spi, spi);
    }
    return p;
}

uint16_t child_first_group(const proposals *ps)
{
    for (unsigned i = 0; i < ps->n; i++) {
        const transform *t = proposal_get(&ps->p[i], TRANSFORM_DH);
        if (t && t->id != DH_NONE)
            return t->id;
    }
    return DH_NONE;
}

const ip_addr *child_host(const ike_sa *sa, bool mine)
{
    if (mine)
        return sa->vip.family ? &sa->vip : &sa->local.ip;
    return sa->peer_vip.family ? &sa->peer_vip : &sa->remote.ip;
}

size_t child_narrow(const traffic_sel *ours, size_t n_ours, const traffic_sel *theirs, size_t n_theirs,
                    traffic_sel *out, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < n_ours; i++) {
        for (size_t j = 0; j < n_theirs && n < max; j++) {
            bool covered = false;
            if (!ts_intersect(&ours[i], &theirs[j], &out[n]))
                continue;
            for (size_t k = 0; k < n; k++) {
                if (ts_contains(&out[k], &out[n]))
                    covered = true;
            }
            if (covered)
                continue;
            for (size_t k = 0; k < n;) { /* narrower ones found before say nothing any more */
                if (ts_contains(&out[n], &out[k])) {
                    memmove(&out[k], &out[k + 1], (n - k) * sizeof(*out));
                    n--;
                } else {
                    k++;
                }
            }
            n++;
        }
    }
    return n;
}

bool child_is_host_to_host(const ike_sa *sa, const child_sa *c)
{
    for (size_t i = 0; i < c->n_mine; i++) {
        if (!ts_is_host(&c->mine[i], &sa->local.ip))
            return false;
    }
    for (size_t i = 0; i < c->n_theirs; i++) {
        if (!ts_is_host(&c->theirs[i], &sa->remote.ip))
            return false;
    }
    return true;
}

/* Transport mode through a NAT (RFC 7296 2.23.1): each end's selectors name addresses the other one does not
 * see. What a peer sends is read as if it had named the addresses of the packets. */
void child_ts_seen(const ike_sa *sa, traffic_sel *ts, size_t n, bool mine)
{
    const ip_addr *seen = mine ? &sa->local.ip : &sa->remote.ip;

    if (!sa->nat_local && !sa->nat_remote && !sa->nat_faked)
        return;
    for (size_t i = 0; i < n; i++) {
        if (addr_equal(&ts[i].from, &ts[i].to) && ts[i].from.family == seen->family)
            ts[i].from = ts[i].to = *seen;
    }
}

bool child_transport_possible(const ike_sa *sa, const child_sa *c)
{
    if (!child_is_host_to_host(sa, c)) {
        LOG(&sa->log, IKE, 1, "not using transport mode, not host-to-host");
        return false;
    }
    return true;
}

void child_add_ipcomp(const child_sa *c, ikev2_builder *out)
{
    uint8_t b[3];

    set_u16(b, c->cpi_in);
    b[2] = IPCOMP_DEFLATE;
    ikev2_add_notify(out, N_IPCOMP_SUPPORTED, SPAN_ARRAY(b));
}

uint16_t child_read_ipcomp(const ikev2_msg *in)
{
    const ikev2_notify *n;

    for (size_t i = 0; (n = ikev2_nth_notify(in, N_IPCOMP_SUPPORTED, i)); i++) {
        if (n->data.n == 3 && n->data.p[2] == IPCOMP_DEFLATE)
            return get_u16(n->data.p);
    }
    return 0;
}

/* ---- initiator ---- */
static status begin(child_neg *n, bool in_auth)
{
    ike_sa *sa = n->sa;
    child_sa *c = current(n);
    status st = ST_OK;

    if (!c) {
        st = child_sa_new(&c, sa, n->cfg, n->reqid);
        if (st != ST_OK)
            return st;
        n->c = c;
        n->serial = c->serial;
        st = child_sa_alloc_spi(c);
        n->group = child_first_group(n->cfg->child);
    }
    if (st == ST_OK && !n->ni_n && !in_auth) {
        st = rng_bytes(sa->ch->env->crypto, RNG_WEAK, n->ni, NONCE_BYTES);
        n->ni_n = NONCE_BYTES;
    }
    if (st == ST_OK && !in_auth && n->group != DH_NONE && !n->dh)
        st = dh_new(sa->ch->env->crypto, &n->dh, (dh_group)n->group);
    return st;
}

static void add_selectors(const child_neg *n, ikev2_builder *out)
{
    traffic_sel ts[MAX_TS];
    size_t k = peer_cfg_ts(n->cfg, true, child_host(n->sa, true), ts, MAX_TS);
    static const traffic_sel any4 = {
        .from = {.family = AF_INET}, .to = {.family = AF_INET, .b = {255, 255, 255, 255}}, .to_port = 65535};

    if (n->cfg->me->n_subnets == 0 && n->cfg->me->sourceip && n->cfg->me->sourceip[0] == '%' &&
        !n->sa->vip.family && k == 1) {
        uint8_t proto =
            ts[0].proto; /* the address is asked for in this very message: any, to be narrowed to it */
        uint16_t from = ts[0].from_port, to = ts[0].to_port;
        ts[0] = any4;
        ts[0].proto = proto;
        ts[0].from_port = from;
        ts[0].to_port = to;
    }
    ikev2_add_ts(out, PLV2_TSI, ts, k);
    k = peer_cfg_ts(n->cfg, false, child_host(n->sa, false), ts, MAX_TS);
    ikev2_add_ts(out, PLV2_TSR, ts, k);
}

status child_neg_request(child_neg *n, bool in_auth, ikev2_builder *out)
{
    ike_sa *sa = n->sa;
    status st = begin(n, in_auth);
    child_sa *c = current(n);
    proposals *p;

    if (st != ST_OK || !c)
        return st != ST_OK ? st : ST_NOT_FOUND;
    p = child_proposals(n->cfg, in_auth || n->group == DH_NONE, c->spi_in);
    if (!p)
        return ST_NO_MEMORY;
    if (c->cpi_in)
        child_add_ipcomp(c, out);
    c->n_mine = peer_cfg_ts(n->cfg, true, child_host(sa, true), c->mine, MAX_TS);
    c->n_theirs = peer_cfg_ts(n->cfg, false, child_host(sa, false), c->theirs, MAX_TS);
    c->mode = peer_cfg_mode(n->cfg);
    if (c->mode == MODE_TRANSPORT && !child_transport_possible(sa, c))
        c->mode = MODE_TUNNEL;
    if (c->mode == MODE_TRANSPORT)
        ikev2_add_notify(out, N_USE_TRANSPORT_MODE, SPAN_NULL);
    else if (c->mode == MODE_BEET)
        ikev2_add_notify(out, N_USE_BEET_MODE, SPAN_NULL);
    ikev2_add_sa(out, p);
    if (!in_auth) {
        ikev2_add_nonce(out, span_of(n->ni, n->ni_n));
        if (n->dh)
            ikev2_add_ke(out, n->group, dh_public(n->dh));
    }
    add_selectors(n, out);
    free(p);
    return ST_OK;
}

static void explain_refusal(child_neg *n, uint16_t type)
{
    const child_sa *c = n->c;
    char text[PROPOSAL_TEXT];

    if (!c || !log_enabled(n->sa->log.bus, LG_CHD, 1))
        return;
    if (type == N_TS_UNACCEPTABLE)
        LOG(&n->sa->log, CHD, 1, "*explain* conn '%s' asked for %s", n->cfg->c->name,
            child_ts_text(c->mine, c->n_mine, c->theirs, c->n_theirs, text, sizeof(text)));
    else if (type == N_NO_PROPOSAL_CHOSEN)
        LOG(&n->sa->log, CHD, 1, "*explain* conn '%s' offered %s", n->cfg->c->name,
            proposals_text(n->cfg->child, text, sizeof(text)));
}

static neg_result refused(child_neg *n, const ikev2_msg *in, const ikev2_notify *e)
{
    uint16_t group = e->data.n == 2 ? get_u16(e->data.p) : 0;
    bool offered = false;

    (void)in;
    switch (e->type) {
    case N_TEMPORARY_FAILURE:
        return NEG_LATER;
    case N_CHILD_SA_NOT_FOUND:
        return NEG_NOT_FOUND;
    case N_INVALID_KE_PAYLOAD:
        for (unsigned i = 0; i < n->cfg->child->n; i++)
            offered |= proposal_has(&n->cfg->child->p[i], TRANSFORM_DH, group);
        if (!offered || group == n->group || ++n->restarts > INIT_RESTARTS)
            break;
        LOG(&n->sa->log, IKE, 1, "peer didn't accept DH group %s, it requested %s",
            ENUM_STR(dh_names, n->group), ENUM_STR(dh_names, group));
        dh_free(n->dh);
        n->dh = NULL;
        n->group = group;
        return NEG_AGAIN;
    default:
        break;
    }
    LOG(&n->sa->log, CHD, 0, "received %s notify, no CHILD_SA built", ENUM_STR(ikev2_notify_names, e->type));
    msg_set(&n->why, "received %s notify, no CHILD_SA built", ENUM_STR(ikev2_notify_names, e->type));
    explain_refusal(n, e->type);
    return e->type == N_NO_ADDITIONAL_SAS ? NEG_FULL : NEG_FAILED;
}

static bool read_selectors(child_neg *n, child_sa *c, const ikev2_msg *in)
{
    ike_sa *sa = n->sa;
    const ikev2_payload *i = ikev2_find(in, PLV2_TSI), *r = ikev2_find(in, PLV2_TSR);
    traffic_sel ours[MAX_TS], theirs[MAX_TS], mine[MAX_TS], peer[MAX_TS];
    size_t n_mine = 0, n_peer = 0, k;
    char text[CHILD_TS_TEXT];
    msgbuf why = {0};

    if (!i || !r || ikev2_ts_get(&i->ts, mine, MAX_TS, &n_mine, &why) != ST_OK ||
        ikev2_ts_get(&r->ts, peer, MAX_TS, &n_peer, &why) != ST_OK) {
        msg_set(&n->why, "the peer's traffic selectors are malformed");
        return false;
    }
    if (c->mode == MODE_TRANSPORT && ikev2_find_notify(in, N_USE_TRANSPORT_MODE)) {
        child_ts_seen(sa, mine, n_mine, true);
        child_ts_seen(sa, peer, n_peer, false);
    }
    k = peer_cfg_ts(n->cfg, true, child_host(sa, true), ours, MAX_TS);
    c->n_mine = child_narrow(ours, k, mine, n_mine, c->mine, MAX_TS);
    k = peer_cfg_ts(n->cfg, false, child_host(sa, false), theirs, MAX_TS);
    c->n_theirs = child_narrow(theirs, k, peer, n_peer, c->theirs, MAX_TS);
    if (c->n_mine && c->n_theirs)
        return true;
    child_ts_text(mine, n_mine, peer, n_peer, text, sizeof(text));
    LOG(&sa->log, CHD, 0, "traffic selectors %s inacceptable", text);
    msg_set(&n->why, "traffic selectors %s inacceptable", text);
    return false;
}

static void read_mode(child_neg *n, child_sa *c, const ikev2_msg *in)
{
    bool transport = ikev2_find_notify(in, N_USE_TRANSPORT_MODE) != NULL;
    bool beet = ikev2_find_notify(in, N_USE_BEET_MODE) != NULL;

    if ((c->mode == MODE_TRANSPORT && !transport) || (c->mode == MODE_BEET && !beet)) {
        LOG(&n->sa->log, CHD, 1, "the peer wants tunnel mode");
        c->mode = MODE_TUNNEL;
    }
    c->cpi_out = c->cpi_in ? child_read_ipcomp(in) : 0;
}

static neg_result take_keys(child_neg *n, child_sa *c, bool in_auth, const ikev2_msg *in, secret *shared)
{
    const ikev2_payload *no = ikev2_find(in, PLV2_NONCE), *ke = ikev2_find(in, PLV2_KE);
    const transform *group = proposal_get(&c->prop, TRANSFORM_DH);

    if (in_auth)
        return NEG_OK;
    if (!no || no->nonce.data.n < NONCE_MIN || no->nonce.data.n > NONCE_MAX)
        return NEG_BAD_ANSWER;
    memcpy(n->nr, no->nonce.data.p, no->nonce.data.n);
    n->nr_n = no->nonce.data.n;
    if (!group || group->id == DH_NONE)
        return NEG_OK;
    if (!n->dh || !ke || ke->ke.group != group->id || group->id != n->group ||
        dh_compute(n->dh, ke->ke.data, shared) != ST_OK) {
        msg_set(&n->why, "the peer's KE payload is invalid");
        return NEG_BAD_ANSWER;
    }
    return NEG_OK;
}

static bool read_proposal(child_neg *n, child_sa *c, bool in_auth, const ikev2_msg *in)
{
    const ikev2_payload *p = ikev2_find(in, PLV2_SA);
    proposals theirs, *ours;
    bool ok;

    if (!p || ikev2_sa_get(&p->sa, &theirs, &n->why) != ST_OK || theirs.n != 1 || theirs.p[0].spi_n != 4)
        return false;
    c->spi_out = get_u32(theirs.p[0].spi);
    ours = child_proposals(n->cfg, in_auth || !n->dh, c->spi_in);
    ok = ours && c->spi_out && proposals_select(ours, &theirs, true, in_auth, &c->prop, &n->why);
    free(ours);
    if (!ok)
        msg_prefix(&n->why, "the peer chose a proposal we did not make: ");
    return ok;
}

neg_result child_neg_response(child_neg *n, bool in_auth, const ikev2_msg *in, child_sa *replaces,
                              bool collision)
{
    const ikev2_notify *e = ikev2_find_error(in);
    child_sa *c = current(n);
    secret shared = {0};
    neg_result r;
    status st;

    n->c = c;
    if (!c) {
        msg_set(&n->why, "the CHILD_SA is gone");
        return NEG_FAILED;
    }
    if (!ikev2_find(in, PLV2_SA)) {
        if (e)
            return refused(n, in, e);
        msg_set(&n->why, "the peer's answer holds no CHILD_SA");
        LOG(&n->sa->log, CHD, 0, "%s, no CHILD_SA built", n->why.text);
        return NEG_FAILED;
    }
    if (!read_proposal(n, c, in_auth, in) || !read_selectors(n, c, in)) {
        LOG(&n->sa->log, CHD, 1, "*explain* CHILD_SA '%s': %s", n->cfg->c->name, n->why.text);
        return c->spi_out ? NEG_BAD_ANSWER : NEG_FAILED;
    }
    read_mode(n, c, in);
    r = take_keys(n, c, in_auth, in, &shared);
    if (r == NEG_OK) {
        const handshake *hs = n->sa->hs;
        child_install in_ = {
            .initiator = true,
            .shared = secret_view(&shared),
            .ni = in_auth ? span_of(hs->ni, hs->ni_n) : span_of(n->ni, n->ni_n),
            .nr = in_auth ? span_of(hs->nr, hs->nr_n) : span_of(n->nr, n->nr_n),
            .replaces = replaces,
            .collision = collision,
        };
        st = child_sa_install(c, &in_);
        if (st != ST_OK) {
            msg_set(&n->why, "the CHILD_SA could not be installed: %s", status_text(st));
            r = NEG_BAD_ANSWER;
        }
    }
    secret_free(&shared);
    return r;
}
