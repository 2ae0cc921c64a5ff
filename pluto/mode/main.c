/* Main mode, what both roles share: KE and nonce, keys, vendor IDs, what happens when it is done.   RFC 2409
 * 5 */
#include "libstrongswan/base/text.h"
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sa/spdb.h"
#include <string.h>

/* ---- vendor IDs ---- */

static bool natt_known(const pluto_options *o, vid_kind k)
{
    return k >= VID_NATT_02_N && k <= VID_NATT_RFC && (!o->natt_best || (unsigned)k <= o->natt_best);
}

void main_add_vendor_ids(ike *i, ikev1_builder *b)
{
    const pluto_options *o = &i->p->opt;
    static const vid_kind natt[] = {VID_NATT_RFC, VID_NATT_03, VID_NATT_02, VID_NATT_02_N};
    if (!o->no_vendor_id)
        ikev1_add_raw(b, PLV1_VID, vid_octets(VID_STRONGSWAN));
    if (!o->no_xauth_vid)
        ikev1_add_raw(b, PLV1_VID, vid_octets(VID_XAUTH));
    ikev1_add_raw(b, PLV1_VID, vid_octets(VID_DPD));
    if (i->st.c->c->fragmentation != FRAG_NO)
        ikev1_add_raw(b, PLV1_VID, vid_octets(VID_FRAGMENTATION));
    if (!o->nat_traversal || o->disable_port_floating)
        return;
    if (i->st.initiator) {
        for (size_t n = 0; n < sizeof(natt) / sizeof(natt[0]); n++)
            if (natt_known(o, natt[n]))
                ikev1_add_raw(b, PLV1_VID, vid_octets(natt[n]));
    } else if (i->natt_seen >= VID_NATT_02_N) {
        ikev1_add_raw(b, PLV1_VID, vid_octets(i->natt_seen));
    }
}

static natt_method method_of(vid_kind k)
{
    return k == VID_NATT_RFC    ? NATT_RFC
           : k == VID_NATT_03   ? NATT_DRAFT_03
           : k >= VID_NATT_02_N ? NATT_DRAFT_02
                                : NATT_NONE;
}

void main_take_vendor_ids(msgctx *md)
{
    ike *i = md->i;
    const pluto_options *o = &md->p->opt;
    unsigned n = 0;
    for (size_t k = 0; k < md->m.n; k++) {
        char text[160];
        if (md->m.p[k].type != PLV1_VID || ++n > PLUTO_MAX_VENDOR_IDS)
            continue;
        span v = md->m.p[k].vid.data;
        vid_kind kind = vid_find(v)->kind;
        vid_text(v, text, sizeof(text));
        bool natt = natt_known(o, kind) && o->nat_traversal && !o->disable_port_floating;
        bool useful = kind == VID_DPD || kind == VID_XAUTH || kind == VID_CISCO_UNITY ||
                      kind == VID_FRAGMENTATION || kind == VID_STRONGSWAN;
        i->dpd.peer_knows |= kind == VID_DPD;
        i->peer_xauth |= kind == VID_XAUTH;
        i->peer_unity |= kind == VID_CISCO_UNITY;
        i->peer_frag |= kind == VID_FRAGMENTATION;
        if (natt && kind > i->natt_seen) {
            i->natt_seen = kind;
            useful = true;
        }
        plog(md->st, "%s Vendor ID payload [%s]", useful ? "received" : "ignoring", text);
    }
    i->natt_method = method_of(i->natt_seen);
}

/* ---- KE and nonces ---- */

status main_make_ke(ike *i, msgbuf *msg)
{
    uint8_t nonce[PLUTO_NONCE];
    buf *ke = i->st.initiator ? &i->gxi : &i->gxr, *n = i->st.initiator ? &i->ni : &i->nr;
    status st = ST_OK;
    if (!i->dh && (st = dh_new(i->p->e->crypto, &i->dh, i->group)) != ST_OK)
        return msg_fail(msg, st, "no Diffie-Hellman key of group %u: %s", i->group, status_text(st));
    if ((st = rng_bytes(i->p->e->crypto, RNG_WEAK, nonce, sizeof(nonce))) != ST_OK)
        return msg_fail(msg, st, "no random numbers");
    if (buf_assign(ke, dh_public(i->dh)) != ST_OK || buf_assign(n, SPAN_ARRAY(nonce)) != ST_OK)
        return ST_NO_MEMORY;
    return ST_OK;
}

void main_add_ke(ike *i, ikev1_builder *b)
{
    ikev1_add_raw(b, PLV1_KE, buf_span(i->st.initiator ? &i->gxi : &i->gxr));
    ikev1_add_raw(b, PLV1_NONCE, buf_span(i->st.initiator ? &i->ni : &i->nr));
}

verdict main_take_ke(msgctx *md)
{
    ike *i = md->i;
    span ke = ikev1_find(&md->m, PLV1_KE)->ke.data, n = ikev1_find(&md->m, PLV1_NONCE)->nonce.data;
    if (n.n < PLUTO_MIN_NONCE || n.n > PLUTO_MAX_NONCE)
        return sm_fail(md, SM_FAIL, NV1_PAYLOAD_MALFORMED, "nonce of %zu octets: 8 to 256 are allowed", n.n);
    if (ke.n != dh_public_bytes(i->group))
        return sm_fail(md, SM_FAIL, NV1_INVALID_KEY_INFORMATION, "KE of %zu octets, but group %u has %zu",
                       ke.n, i->group, dh_public_bytes(i->group));
    if (buf_assign(i->st.initiator ? &i->gxr : &i->gxi, ke) != ST_OK ||
        buf_assign(i->st.initiator ? &i->nr : &i->ni, n) != ST_OK)
        return SM_IGNORE;
    return SM_OK;
}

void keymat_input_of(const ike *i, keymat_input *in)
{
    *in = (keymat_input){
        .psk = auth_is_psk(i->auth) ? secret_view(&i->psk) : SPAN_NULL,
        .ni = buf_span(&i->ni),
        .nr = buf_span(&i->nr),
        .gxi = buf_span(&i->gxi),
        .gxr = buf_span(&i->gxr),
        .gxy = secret_view(&i->gxy),
        .cky_i = span_of(i->cookies, 8),
        .cky_r = span_of(i->cookies + 8, 8),
        .save = i->p->e->save_keys,
    };
}

status main_find_psk(ike *i, secret *out, msgbuf *msg)
{
    const pconn *c = i->st.c;
    ident *me_addr = NULL, *peer_addr = NULL, *any = ident_any();
    char text[ADDR_TEXT];
    status st = ident_from_text(&me_addr, addr_text(&i->local.ip, text, sizeof(text)), msg);
    if (st == ST_OK)
        st = ident_from_text(&peer_addr, addr_text(&i->remote.ip, text, sizeof(text)), msg);
    if (st == ST_OK) {
        /* a peer whose name is not known yet is looked for by its address, then as anybody */
        bool known = ident_type(c->peer.id) != ID_ANY && !ident_has_wildcards(c->peer.id) &&
                     !addr_is_any(&c->peer.host) && !(c->instance && !i->peer_id && !i->st.initiator);
        const ident *me[] = {c->me.id, me_addr};
        const ident *peer[] = {i->peer_id ? i->peer_id : known ? c->peer.id : NULL, peer_addr, any};
        st = credstore_find_shared(i->p->e->cred, SECRET_PSK, me, 2, peer, 3, out, msg);
    }
    ident_unref(me_addr);
    ident_unref(peer_addr);
    ident_unref(any);
    return st;
}

verdict main_derive(msgctx *md, const ikev1_payload *ke)
{
    ike *i = md->i;
    keymat_input in;
    if (!i->dh) /* the keys are made, but the answer could not be: the message came again */
        return sm_fail(md, SM_FATAL, 0, "the answer to this message could not be made before");
    secret_free(&i->gxy);
    status st = dh_compute(i->dh, ke->ke.data, &i->gxy);
    if (st == ST_INVALID)
        return sm_fail(md, SM_FAIL, NV1_INVALID_KEY_INFORMATION,
                       "the peer's Diffie-Hellman value is not one of group %u", i->group);
    if (st != ST_OK)
        return sm_fail(md, SM_FATAL, NV1_INVALID_KEY_INFORMATION, "Diffie-Hellman failed: %s",
                       status_text(st));
    if (auth_is_psk(i->auth)) {
        secret_free(&i->psk);
        if (main_find_psk(i, &i->psk, &md->why) != ST_OK) {
            msgbuf why = md->why;
            explain_count(md->p->e->explain, AUTHF_NO_SECRET);
            return sm_fail(md, SM_FATAL, NV1_INVALID_KEY_INFORMATION,
                           "Can't authenticate: no preshared key found for '%s' and '%s'. explain: %s",
                           IDENT_PLUTO(i->st.c->me.id),
                           ident_type(i->st.c->peer.id) == ID_ANY ? "%any" : IDENT_PLUTO(i->st.c->peer.id),
                           why.text);
        }
    }
    keymat_input_of(i, &in);
    if ((st = isakmp_keymat_derive(&i->keys, &in)) != ST_OK)
        return sm_fail(md, SM_FATAL, 0, "keys could not be derived: %s", status_text(st));
    memcpy(i->iv.iv, i->keys.iv, i->keys.block_n);
    i->iv.started = true;
    dh_free(i->dh);
    i->dh = NULL;
    return SM_OK;
}

/* ---- certificate requests ---- */

void main_take_certreqs(msgctx *md)
{
    ike *i = md->i;
    for (size_t k = 0; k < md->m.n; k++) {
        const ikev1_payload *p = &md->m.p[k];
        if (p->type != PLV1_CR)
            continue;
        if (p->cert.encoding != CERTV1_X509_SIGNATURE) {
            plog(md->st, "ignoring %s certificate request payload",
                 ENUM_STR(ikev1_cert_names, p->cert.encoding));
            continue;
        }
        i->cert_asked = true;
        if (p->cert.data.n && i->n_asked < PLUTO_MAX_CERTREQS && dn_valid(p->cert.data) &&
            ident_from_wire(&i->asked_ca[i->n_asked], ID_DER_ASN1_DN, p->cert.data, NULL) == ST_OK)
            i->n_asked++;
    }
}

typedef struct cr_ctx {
    ikev1_builder *b;
    size_t n;
} cr_ctx;

static bool add_cr(void *ctx, cert *c, int64_t loaded_at)
{
    cr_ctx *x = ctx;
    ikev1_add_cert(x->b, PLV1_CR, CERTV1_X509_SIGNATURE, ident_data(cert_subject(c)));
    return ++x->n < PLUTO_MAX_CERTREQS;
}

void main_add_certreqs(ike *i, ikev1_builder *b)
{
    const pconn *c = i->st.c;
    cr_ctx x = {b, 0};
    if (auth_is_psk(i->auth) || i->p->opt.nocrsend || c->peer.cert || c->peer.cfg->sendcert == SENDCERT_NEVER)
        return;
    if (c->peer.cfg->rsasigkey && c->peer.cfg->rsasigkey[0] == '0')
        return; /* we have its key */
    if (c->peer.ca) {
        ikev1_add_cert(b, PLV1_CR, CERTV1_X509_SIGNATURE, ident_data(c->peer.ca));
        return;
    }
    if (!i->st.initiator)
        credstore_each_cert(i->p->e->cred, DIR_CACERTS, add_cr, &x);
    if (x.n == 0)
        ikev1_add_cert(b, PLV1_CR, CERTV1_X509_SIGNATURE, SPAN_NULL);
}

/* ---- done ---- */

/* uniqueids: another instance, or conn, with the same peer at another address is what the peer had before. */
static void replace_older(ike *i)
{
    pluto *p = i->p;
    const pconn *c = i->st.c;
    if (!p->opt.uniqueids || !i->peer_id)
        return;
    pconns all = conns_with_peer_id(p, c, i->peer_id);
    for (size_t k = 0; k < all.n; k++) {
        pconn *d = all.c[k];
        if (d->is_template || addr_equal(&d->peer.host, &i->remote.ip) || !ident_equal(d->me.id, c->me.id))
            continue;
        pluto_lock(p);
        uint64_t isakmp = d->newest_isakmp, ipsec = d->newest_ipsec;
        pluto_unlock(p);
        plog(&i->st, "deleting connection \"%s\" instance with peer %s {isakmp=#%llu/ipsec=#%llu}", d->name,
             ADDR_STR(&d->peer.host), (unsigned long long)isakmp, (unsigned long long)ipsec);
        pluto_conn_forget(p, d);
    }
    pconns_free(&all);
}

void main_address_proven(msgctx *md)
{
    ike_prove_half_open(md->i);
}

void main_established(msgctx *md)
{
    ike *i = md->i;
    pluto *p = md->p;
    ike_leave_half_open(i);
    pluto_lock(p);
    i->st.c->newest_isakmp = i->st.serial;
    pluto_unlock(p);
    secret_free(&i->gxy);
    secret_free(&i->psk);
    replace_older(i);
    dpd_start(i);
    natt_start_keepalive(i);
    phase15_start(i);
    /* what it replaces goes quietly when its time comes */
    ike_unpend(i);
    state_set_client(&i->st, NULL);
}
