/* The AUTH payload: chooses between pre-shared key and signature, makes ours and judges the peer's. */
#include "charon/auth/auth.h"
#include "charon/auth/methods.h"

const char *auth_method_text(uint8_t method, key_type key)
{
    switch (method) {
    case AUTHM_PSK:
        return "pre-shared key";
    case AUTHM_RSA:
        return "RSA signature";
    case AUTHM_DSS:
        return "DSS signature";
    case AUTHM_ECDSA_256:
        return "ECDSA-256 signature";
    case AUTHM_ECDSA_384:
        return "ECDSA-384 signature";
    case AUTHM_ECDSA_521:
        return "ECDSA-521 signature";
    case AUTHM_SIGNATURE:
        switch (key) {
        case KEY_RSA:
            return "RSA signature";
        case KEY_ECDSA:
            return "ECDSA signature";
        case KEY_ED25519:
            return "Ed25519 signature";
        case KEY_ED448:
            return "Ed448 signature";
        case KEY_ANY:
            return "digital signature";
        }
        return "digital signature";
    default:
        return "unknown method";
    }
}

status auth_octets(ike_sa *sa, bool own, span id_body, buf *out)
{
    const handshake *hs = sa->hs;
    bool initiator = own == sa->initiator;
    span message = buf_span(initiator ? &hs->init_request : &hs->init_response);
    span nonce = initiator ? span_of(hs->nr, hs->nr_n) : span_of(hs->ni, hs->ni_n);

    return keymat_auth_octets(&sa->keys, initiator, message, nonce, id_body, out);
}

status auth_choose(ike_sa *sa, const peer_cfg *cfg, const ident *my_id, auth_own *out)
{
    unsigned allowed = cfg->my_auth;
    status st = ST_NOT_FOUND;

    *out = (auth_own){0};
    if (allowed & (AUTH_PUBKEY | AUTH_RSA_ONLY | AUTH_ECDSA_ONLY))
        st = pubkey_choose(sa, cfg, my_id, out);
    if (st != ST_OK && (allowed & AUTH_PSK)) {
        out->method = AUTHM_PSK;
        st = ST_OK;
    }
    out->text = auth_method_text(out->method, out->key ? pubkey_type(privkey_public(out->key)) : KEY_ANY);
    return st;
}

void auth_own_free(auth_own *a)
{
    privkey_unref(a->key);
    cert_unref(a->cert);
    *a = (auth_own){0};
}

status auth_sign(ike_sa *sa, const auth_own *a, const ident *my_id, const ident *other, span id_body,
                 buf *out)
{
    buf octets = {0};
    status st = auth_octets(sa, true, id_body, &octets);

    if (st == ST_OK && a->method == AUTHM_PSK)
        st = psk_sign(sa, my_id, other, buf_span(&octets), out);
    else if (st == ST_OK)
        st = pubkey_sign(a, buf_span(&octets), out);
    buf_free(&octets);
    if (st == ST_OK)
        LOG(&sa->log, IKE, 1, "authentication of '%s' (myself) with %s", IDENT_STR(my_id), a->text);
    else
        LOG(&sa->log, IKE, 1, "authentication of '%s' (myself) with %s failed", IDENT_STR(my_id), a->text);
    return st;
}

status auth_verify(ike_sa *sa, const peer_cfg *cfg, auth_peer *p)
{
    buf octets = {0};
    status st = auth_octets(sa, false, p->id_body, &octets);

    p->text = auth_method_text(p->method, KEY_ANY);
    if (st == ST_OK) {
        switch (p->method) {
        case AUTHM_PSK:
            st = psk_verify(sa, p, buf_span(&octets));
            break;
        case AUTHM_RSA:
        case AUTHM_ECDSA_256:
        case AUTHM_ECDSA_384:
        case AUTHM_ECDSA_521:
        case AUTHM_SIGNATURE:
            st = pubkey_verify_peer(sa, cfg, p, buf_span(&octets));
            break;
        default:
            LOG(&sa->log, IKE, 1, "the peer's authentication method %u is not supported", p->method);
            st = ST_UNSUPPORTED;
        }
    }
    buf_free(&octets);
    if (st == ST_OK)
        LOG(&sa->log, IKE, 1, "authentication of '%s' with %s successful", IDENT_STR(p->id), p->text);
    else
        LOG(&sa->log, IKE, 0, "authentication of '%s' with %s failed", IDENT_STR(p->id), p->text);
    return st;
}

bool auth_constraints(ike_sa *sa, const peer_cfg *cfg, const auth_peer *p, bool quiet)
{
    unsigned allowed = cfg->peer_auth;
    unsigned used = p->method == AUTHM_PSK ? AUTH_PSK : AUTH_PUBKEY;

    if (allowed & (AUTH_RSA_ONLY | AUTH_ECDSA_ONLY))
        allowed |= AUTH_PUBKEY;
    if (allowed && !(allowed & used)) {
        if (!quiet)
            LOG(&sa->log, CFG, 1,
                "constraint check failed: conn '%s' wants the peer to authenticate by %s, it used %s",
                cfg->c->name, allowed & AUTH_PSK ? "pre-shared key" : "public key", p->text);
        return false;
    }
    if (cfg->peer_ca && p->method != AUTHM_PSK &&
        (!p->cert || !credstore_issued_below(sa->ch->env->cred, p->cert, cfg->peer_ca))) {
        if (!quiet)
            LOG(&sa->log, CFG, 1, "constraint check failed: peer not authenticated by CA '%s'.",
                IDENT_STR(cfg->peer_ca));
        return false;
    }
    if (cfg->peer_cert && p->method != AUTHM_PSK && (!p->cert || !cert_equal(p->cert, cfg->peer_cert))) {
        if (!quiet)
            LOG(&sa->log, CFG, 1,
                "constraint check failed: peer not authenticated by the certificate of conn '%s'",
                cfg->c->name);
        return false;
    }
    return true;
}

void auth_peer_fini(auth_peer *p)
{
    for (size_t i = 0; i < p->n_certs; i++)
        cert_unref(p->certs[i]);
    cert_unref(p->cert);
    p->n_certs = 0;
    p->cert = NULL;
}
