/* Which conn does the peer mean? First by addresses and offer (message 1), then, when its name is known, anew
 * among all that fit: the best match of IDs wins.
 */
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sa/spdb.h"
#include <string.h>

static bool answers(const pconn *c)
{
    return c->oriented && !c->deleted && !pconn_is_shunt(c) && !(pconn_authby(c) & AUTH_NEVER) &&
           c->c->version != CONN_IKEV2;
}

/* Does any method the peer offers suit the conn? Then it came nearer than others. */
static bool some_auth(const pconn *c, const ikev1_sa *sa)
{
    for (size_t i = 0; i < sa->proposals.n; i++) {
        const ikev1_proposal *p = WIRE_AT(sa->proposals, ikev1_proposal, i);
        for (size_t k = 0; k < p->transforms.n; k++) {
            const ikev1_transform *t = WIRE_AT(p->transforms, ikev1_transform, k);
            const wire_attr *a = wire_attr_find(&t->attrs, OAKLEY_AUTHENTICATION_METHOD);
            uint32_t m;
            if (a && wire_attr_u32(a, &m) && m < 65536 && pconn_allows_auth(c, (uint16_t)m, false))
                return true;
        }
    }
    return false;
}

static bool asks_for_encryption_auth(const ikev1_sa *sa)
{
    for (size_t i = 0; i < sa->proposals.n; i++) {
        const ikev1_proposal *p = WIRE_AT(sa->proposals, ikev1_proposal, i);
        for (size_t k = 0; k < p->transforms.n; k++) {
            const wire_attr *a = wire_attr_find(&WIRE_AT(p->transforms, ikev1_transform, k)->attrs,
                                                OAKLEY_AUTHENTICATION_METHOD);
            uint32_t m;
            if (a && wire_attr_u32(a, &m) && (m == OAKLEY_RSA_ENC || m == OAKLEY_RSA_ENC_REV))
                return true;
        }
    }
    return false;
}

static verdict nobody(msgctx *md, const ikev1_sa *sa, size_t candidates)
{
    char policy[64];
    spdb_auth_policy(sa, policy, sizeof(policy));
    plog_packet(md->p, md->from,
                "initial Main Mode message received on %s but no connection has been authorized%s%s",
                ADDR_PORT(md->to), policy[0] ? " with policy=" : "", policy);
    if (asks_for_encryption_auth(sa))
        plog_packet(md->p, md->from, "explain: authentication by public-key encryption is always refused");
    else
        plog_packet(md->p, md->from,
                    candidates ? "explain: %zu connections fit the addresses, none the authentication"
                               : "explain: no connection fits the addresses (%zu)",
                    candidates);
    md->notify = NV1_NO_PROPOSAL_CHOSEN;
    msg_clear(&md->why);
    return SM_FAIL;
}

verdict lookup_for_I1(msgctx *md, const ikev1_sa *sa)
{
    pconns l = conns_for_hosts(md->p, &md->to->ip, &md->from->ip, false);
    pconn *best = NULL, *nearest = NULL;
    char policy[64];
    spdb_auth_policy(sa, policy, sizeof(policy));
    if (policy[0])
        pdebug(md->p, PLDBG_CONTROL, "preparse_isakmp_policy: peer requests %s authentication", policy);
    for (size_t k = 0; k < l.n && !best; k++) {
        oakley_choice ch;
        msgbuf why;
        if (!answers(l.c[k]) || !some_auth(l.c[k], sa))
            continue;
        nearest = nearest ? nearest : l.c[k];
        if (spdb_choose_oakley(md->st, l.c[k], sa, false, true, &ch, &why) == ST_OK)
            best = l.c[k];
    }
    best = best ? best : nearest;
    if (!best) {
        verdict v = nobody(md, sa, l.n);
        pconns_free(&l);
        return v;
    }
    if (best->is_template) {
        instance_of of = {.peer = *md->from};
        pconn *inst = pconn_instantiate(best, &of);
        if (inst)
            state_set_conn(md->st, inst);
        pconn_unref(inst);
    } else {
        state_set_conn(md->st, best);
    }
    pconns_free(&l);
    return md->st->c ? SM_OK : SM_FATAL;
}

/* ---- when the ID is known ---- */

bool conn_accepts_peer_id(const pconn *c, const ident *id)
{
    return c->peer.id && ident_match(id, c->peer.id) != ID_MATCH_NONE;
}

/* The PSK that proved the peer must be the one that this conn, with this ID, stands for. */
static bool same_psk(ike *i, const pconn *c)
{
    secret s = {0};
    pconn *was = i->st.c;
    if (!auth_is_psk(i->auth) || c == was)
        return true;
    ident *any = ident_any();
    const ident *me[] = {c->me.id}, *peer[] = {i->peer_id, any};
    status st = credstore_find_shared(i->p->e->cred, SECRET_PSK, me, 1, peer, 2, &s, NULL);
    bool same = st == ST_NOT_FOUND || (st == ST_OK && secret_equal(secret_view(&s), secret_view(&i->psk)));
    secret_free(&s);
    ident_unref(any);
    return same;
}

static bool ca_fits(ike *i, const pconn *c)
{
    return !c->peer.ca || i->n_certs == 0 || credstore_issued_below(i->p->e->cred, i->certs[0], c->peer.ca);
}

static bool fits(ike *i, const pconn *c)
{
    return answers(c) && pconn_allows_auth(c, i->auth, false) && conn_accepts_peer_id(c, i->peer_id) &&
           ident_equal(c->me.id, i->st.c->me.id) &&
           (!c->ike->strict ||
            spdb_oakley_listed(c->ike, i->keys.encr, i->keys.key_bits, i->keys.hash, i->group)) &&
           ca_fits(i, c) && same_psk(i, c);
}

verdict lookup_for_peer_id(msgctx *md, pconn **out)
{
    ike *i = md->i;
    pconn *now = i->st.c, *best = NULL;
    int best_score = 0;
    if (i->st.initiator) {
        if (!conn_accepts_peer_id(now, i->peer_id))
            return sm_fail(md, SM_FATAL, NV1_INVALID_ID_INFORMATION,
                           "we require peer to have ID '%s', but peer declares '%s'",
                           IDENT_PLUTO(now->peer.id), IDENT_PLUTO(i->peer_id));
        *out = pconn_ref(now);
        return SM_OK;
    }
    pconns l = conns_for_hosts(md->p, &now->me.host, &md->from->ip, false);
    for (size_t k = 0; k < l.n; k++) {
        pconn *c = l.c[k];
        if (!fits(i, c))
            continue;
        /* a better ID first; then the conn chosen by addresses; then an exact address */
        int score = 4 * ident_match(i->peer_id, c->peer.id) + 2 * (c == now || c == now->parent) +
                    !addr_is_any(&c->peer.host);
        if (score > best_score) {
            best = c;
            best_score = score;
        }
    }
    if (best)
        *out = pconn_ref(best);
    pconns_free(&l);
    if (best)
        return SM_OK;
    explain_count(md->p->e->explain, AUTHF_NO_CONN);
    return sm_fail(
        md, SM_FATAL, NV1_INVALID_ID_INFORMATION,
        "no suitable connection for peer '%s'. explain: \"%s\" came nearest, it wants peer ID '%s'%s",
        IDENT_PLUTO(i->peer_id), now->name,
        ident_type(now->peer.id) == ID_ANY ? "%any" : IDENT_PLUTO(now->peer.id),
        now->peer.ca ? " below its own CA" : "");
}

verdict lookup_settle(msgctx *md, pconn *c)
{
    ike *i = md->i;
    char from[CONN_LABEL], to[CONN_LABEL];
    pconn *now = i->st.c;
    if (i->st.initiator || c == now)
        return SM_OK;
    bool same = now->parent == c;
    if (same && ident_equal(now->peer.id, i->peer_id))
        return SM_OK;
    pconn_prefix(now, from, sizeof(from));
    if (c->is_template) {
        instance_of of = {.peer = *md->from, .peer_id = i->peer_id};
        pconn_ref(c);
        state_set_conn(md->st, c); /* frees the nameless instance, and its number */
        pconn *inst = pconn_instantiate(c, &of);
        if (inst)
            state_set_conn(md->st, inst);
        pconn_unref(c);
        if (!inst)
            return sm_fail(md, SM_FATAL, 0, "no room for another instance of \"%s\"", c->name);
        pconn_unref(inst);
    } else {
        state_set_conn(md->st, c);
    }
    pconn_prefix(i->st.c, to, sizeof(to));
    if (!same)
        plog(md->st, "switched from %s to %s", from, to);
    return SM_OK;
}
