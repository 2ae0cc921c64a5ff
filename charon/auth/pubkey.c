/* Signatures with RSA, ECDSA, Ed25519 and Ed448 keys. With peers that announced hashes (RFC 7427) always
 * method 14; otherwise method 1 (RSA with SHA-1, RFC 7296) and methods 9 to 11 (ECDSA, RFC 4754).
 */
#include "charon/auth/methods.h"

enum { MAX_SCHEMES = 8, MAX_ALG_ID = 128 };

/* ---- ours ---- */
static bool classic_scheme(const pubkey *k, uint8_t *method, sig_scheme *scheme)
{
    if (pubkey_type(k) == KEY_RSA) {
        *method = AUTHM_RSA;
        *scheme = SIG_RSA_PKCS1_SHA1;
        return true;
    }
    if (pubkey_type(k) != KEY_ECDSA)
        return false;
    switch (pubkey_bits(k)) {
    case 256:
        *method = AUTHM_ECDSA_256;
        *scheme = SIG_ECDSA_256;
        return true;
    case 384:
        *method = AUTHM_ECDSA_384;
        *scheme = SIG_ECDSA_384;
        return true;
    case 521:
        *method = AUTHM_ECDSA_521;
        *scheme = SIG_ECDSA_521;
        return true;
    default:
        return false;
    }
}

static bool pick_scheme(ike_sa *sa, auth_own *a)
{
    sig_scheme schemes[MAX_SCHEMES];

    if (sa->peer_hashes && privkey_schemes(a->key, sa->peer_hashes, schemes, MAX_SCHEMES) > 0) {
        a->method = AUTHM_SIGNATURE;
        a->scheme = schemes[0];
        return true;
    }
    return classic_scheme(privkey_public(a->key), &a->method, &a->scheme);
}

status pubkey_choose(ike_sa *sa, const peer_cfg *cfg, const ident *my_id, auth_own *out)
{
    credstore *cs = sa->ch->env->cred;
    key_type type = cfg->my_auth & AUTH_RSA_ONLY     ? KEY_RSA
                    : cfg->my_auth & AUTH_ECDSA_ONLY ? KEY_ECDSA
                                                     : KEY_ANY;
    msgbuf why = {0};

    out->cert = cfg->my_cert
                    ? cert_ref(cfg->my_cert)
                    : credstore_find_own_cert(cs, type, my_id, cfg->my_ca ? cfg->my_ca : sa->hs->asked_ca);
    out->key = credstore_find_privkey(cs, type, out->cert, my_id, &why);
    if (!out->key) {
        explain_count(sa->ch->env->explain, AUTHF_NO_KEY);
        LOG(&sa->log, IKE, 1, "no %s private key found for '%s'", type == KEY_ECDSA ? "ECDSA" : "RSA",
            IDENT_STR(my_id));
        if (why.text[0])
            LOG(&sa->log, IKE, 1, "*explain* %s", why.text);
    } else if (pick_scheme(sa, out)) {
        return ST_OK;
    } else {
        LOG(&sa->log, IKE, 1, "the peer knows no signature our %s key can make",
            ENUM_STR(key_type_names, pubkey_type(privkey_public(out->key))));
    }
    auth_own_free(out);
    return ST_NOT_FOUND;
}

status pubkey_sign(const auth_own *a, span octets, buf *out)
{
    buf sig = {0};
    status st = privkey_sign(a->key, a->scheme, octets, &sig);

    if (st == ST_OK && a->method == AUTHM_SIGNATURE) {
        span alg = sig_algorithm_identifier(a->scheme);
        buf_put_u8(out, (uint8_t)alg.n);
        buf_put(out, alg);
    }
    if (st == ST_OK) {
        buf_put(out, buf_span(&sig));
        st = buf_ok(out) ? ST_OK : ST_NO_MEMORY;
    }
    buf_free(&sig);
    return st;
}

/* ---- the peer's ---- */
typedef struct checking {
    ike_sa *sa;
    auth_peer *p;
    span octets, sig;
    sig_scheme scheme;
    unsigned tried;
} checking;

static bool try_key(void *ctx, const pubkey *k, const cert *c)
{
    checking *x = ctx;

    if (pubkey_type(k) != sig_key_type(x->scheme))
        return false;
    x->tried++;
    if (pubkey_verify(k, x->scheme, x->octets, x->sig) != ST_OK) {
        LOG(&x->sa->log, IKE, 1, "signature validation failed, looking for another key");
        return false;
    }
    x->p->cert = c ? cert_ref((cert *)c) : NULL;
    return true;
}

/* RFC 7427 3: length, AlgorithmIdentifier, signature. SHA-1 and what we did not announce is refused. */
static bool split_digital(checking *x)
{
    size_t n = x->p->data.n ? x->p->data.p[0] : 0;
    hash_alg h;

    if (n == 0 || n > MAX_ALG_ID || x->p->data.n < 1 + n)
        return false;
    x->scheme = sig_from_algorithm_identifier(span_of(x->p->data.p + 1, n));
    x->sig = span_skip(x->p->data, 1 + n);
    h = sig_hash(x->scheme);
    return x->scheme != SIG_UNKNOWN && h != HASH_SHA1 && h != HASH_MD5;
}

static bool split(checking *x)
{
    x->sig = x->p->data;
    switch (x->p->method) {
    case AUTHM_RSA:
        x->scheme = SIG_RSA_PKCS1_SHA1;
        return true;
    case AUTHM_ECDSA_256:
        x->scheme = SIG_ECDSA_256;
        return true;
    case AUTHM_ECDSA_384:
        x->scheme = SIG_ECDSA_384;
        return true;
    case AUTHM_ECDSA_521:
        x->scheme = SIG_ECDSA_521;
        return true;
    default:
        return split_digital(x);
    }
}

status pubkey_verify_peer(ike_sa *sa, const peer_cfg *cfg, auth_peer *p, span octets)
{
    checking x = {.sa = sa, .p = p, .octets = octets};
    auth_wanted w = {
        .id = p->id, .sent = p->certs, .n_sent = p->n_certs, .strict_crl = (int)cfg->c->strictcrl};
    msgbuf why = {0};
    status st;

    if (!split(&x)) {
        LOG(&sa->log, IKE, 1, "the peer's signature is of a kind we do not accept");
        return ST_UNSUPPORTED;
    }
    p->text = auth_method_text(p->method, sig_key_type(x.scheme));
    w.type = sig_key_type(x.scheme);
    w.pinned = cfg->peer_cert;
    st = credstore_verify(sa->ch->env->cred, &w, try_key, &x, &why);
    if (st != ST_OK) {
        explain_count(sa->ch->env->explain, x.tried ? AUTHF_BAD_SIGNATURE : AUTHF_NOT_TRUSTED);
        if (!x.tried)
            LOG(&sa->log, IKE, 1, "no trusted %s public key found for '%s'", ENUM_STR(key_type_names, w.type),
                IDENT_STR(p->id));
        LOG(&sa->log, IKE, 1, "*explain* %s", why.text[0] ? why.text : status_text(st));
    }
    return st;
}
