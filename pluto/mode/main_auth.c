/* Messages 5 and 6 of main mode: who we are and the proof, who the peer is and its proof. A peer's conn is
 * only settled after its proof has been checked with the credentials that conn demands.   RFC 2409 5.1, 5.4
 */
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sa/spdb.h"
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

static sig_scheme scheme_of(uint16_t auth)
{
    switch (auth) {
    case OAKLEY_ECDSA_256:
        return SIG_ECDSA_256;
    case OAKLEY_ECDSA_384:
        return SIG_ECDSA_384;
    case OAKLEY_ECDSA_521:
        return SIG_ECDSA_521;
    default:
        return SIG_RSA_PKCS1_RAW;
    }
}

/* ---- ours ---- */

static bool sends_cert(ike *i)
{
    const pconn *c = i->st.c;
    bool send = false;
    const char *more = "";
    if (!c->me.cert)
        return false;
    switch (c->me.cfg->sendcert) {
    case SENDCERT_ALWAYS:
        send = true;
        break;
    case SENDCERT_IFASKED:
        send = i->cert_asked;
        more = send ? "upon request" : "without request";
        break;
    case SENDCERT_NEVER:
        break;
    }
    if (send)
        plog(&i->st, "we have a cert and are sending it%s%s", more[0] ? " " : "", more);
    else
        plog(&i->st, "we have a cert but are not sending it %s", more);
    return send;
}

static void add_certs(ike *i, ikev1_builder *b)
{
    cert *chain[PLUTO_MAX_CERTS];
    const pconn *c = i->st.c;
    ikev1_add_cert(b, PLV1_CERT, CERTV1_X509_SIGNATURE, cert_der(c->me.cert));
    size_t n = credstore_chain(i->p->e->cred, c->me.cert, chain, PLUTO_MAX_CERTS - 1);
    for (size_t k = 0; k < n; k++) {
        ikev1_add_cert(b, PLV1_CERT, CERTV1_X509_SIGNATURE, cert_der(chain[k]));
        cert_unref(chain[k]);
    }
}

static status add_signature(ike *i, ikev1_builder *b, span hash, msgbuf *msg)
{
    const pconn *c = i->st.c;
    sig_scheme scheme = scheme_of(i->auth);
    buf sig = {0};
    msgbuf why;
    privkey *k = credstore_find_privkey(i->p->e->cred, sig_key_type(scheme), c->me.cert, c->me.id, &why);
    if (!k)
        return msg_fail(msg, ST_NOT_FOUND, "unable to locate my private key for %s Signature",
                        scheme == SIG_RSA_PKCS1_RAW ? "RSA" : "ECDSA");
    if (sends_cert(i))
        add_certs(i, b);
    if (i->st.initiator)
        main_add_certreqs(i, b);
    status st = privkey_sign(k, scheme, hash, &sig);
    if (st == ST_OK)
        ikev1_add_raw(b, PLV1_SIG, buf_span(&sig));
    else
        msg_set(msg, "signature could not be made: %s", status_text(st));
    privkey_unref(k);
    buf_free(&sig);
    return st;
}

status main_add_auth(ike *i, ikev1_builder *b, msgbuf *msg)
{
    keymat_input in;
    uint8_t hash[MAX_HASH_BYTES];
    const ident *id = i->st.c->me.id;
    ikev1_add_id(b, (uint8_t)ident_type(id), 0, 0, ident_data(id));
    if (buf_assign(&i->my_id, ikev1_builder_last_body(b)) != ST_OK)
        return ST_NO_MEMORY;
    keymat_input_of(i, &in);
    status st = keymat_auth_hash(&i->keys, &in, i->st.initiator, buf_span(&i->sa_body), buf_span(&i->my_id),
                                 hash);
    if (st != ST_OK)
        return msg_fail(msg, st, "our proof could not be computed: %s", status_text(st));
    if (auth_is_psk(i->auth)) {
        ikev1_add_raw(b, PLV1_HASH, span_of(hash, i->keys.hash_n));
        return ST_OK;
    }
    return add_signature(i, b, span_of(hash, i->keys.hash_n), msg);
}

/* ---- the peer's ---- */

static void keep_cert(msgctx *md, span der)
{
    ike *i = md->i;
    msgbuf why;
    cert *c;
    if (i->n_certs >= PLUTO_MAX_CERTS)
        return;
    if (cert_from_data(&c, der, &why) == ST_OK)
        i->certs[i->n_certs++] = c;
    else
        plog(md->st, "the peer's certificate was not understood: %s", why.text);
}

/* Certificates wrapped in PKCS#7, as Windows sends them. */
static void keep_pkcs7(msgctx *md, span der)
{
    const uint8_t *p = der.p;
    PKCS7 *p7 = der.n < 65536 ? d2i_PKCS7(NULL, &p, (long)der.n) : NULL;
    STACK_OF(X509) *certs = p7 && PKCS7_type_is_signed(p7) && p7->d.sign ? p7->d.sign->cert : NULL;
    int n = certs ? sk_X509_num(certs) : 0;
    for (int k = 0; k < n && k < PLUTO_MAX_CERTS; k++) {
        uint8_t *out = NULL;
        int len = i2d_X509(sk_X509_value(certs, k), &out);
        if (len > 0)
            keep_cert(md, span_of(out, (size_t)len));
        OPENSSL_free(out);
    }
    if (n <= 0)
        plog(md->st, "PKCS#7 certificate payload holds no certificate");
    PKCS7_free(p7);
}

static void take_certs(msgctx *md)
{
    ike *i = md->i;
    while (i->n_certs) /* of an earlier, refused message */
        cert_unref(i->certs[--i->n_certs]);
    for (size_t k = 0; k < md->m.n; k++) {
        const ikev1_payload *p = &md->m.p[k];
        if (p->type != PLV1_CERT)
            continue;
        if (p->cert.encoding == CERTV1_X509_SIGNATURE)
            keep_cert(md, p->cert.data);
        else if (p->cert.encoding == CERTV1_PKCS7)
            keep_pkcs7(md, p->cert.data);
        else
            plog(md->st, "ignoring %s certificate payload", ENUM_STR(ikev1_cert_names, p->cert.encoding));
    }
}

static bool id_ports_ok(const ikev1_id *id)
{
    return (id->proto == 0 && id->port == 0) ||
           (id->proto == 17 && (id->port == IKE_PORT || id->port == IKE_NATT_PORT || id->port == 0));
}

static bool id_type_ok(uint8_t type)
{
    return type == ID_IPV4_ADDR || type == ID_FQDN || type == ID_USER_FQDN || type == ID_IPV6_ADDR ||
           type == ID_DER_ASN1_DN || type == ID_KEY_ID;
}

static verdict take_id(msgctx *md)
{
    ike *i = md->i;
    const ikev1_payload *p = ikev1_find(&md->m, PLV1_ID);
    msgbuf why;
    ident *id;
    msg_clear(&why);
    if (!id_ports_ok(&p->id))
        return sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION,
                       "protocol/port in Phase 1 ID Payload must be 0/0 or 17/500 but are %u/%u", p->id.proto,
                       p->id.port);
    if (!id_type_ok(p->id.type) || ident_from_wire(&id, p->id.type, p->id.data, &why) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_INVALID_ID_INFORMATION,
                       "unacceptable identity type %s of the peer%s%s", ENUM_STR(id_type_names, p->id.type),
                       why.text[0] ? ": " : "", why.text);
    ident_unref(i->peer_id);
    i->peer_id = id;
    if (buf_assign(&i->peer_id_body, p->body) != ST_OK)
        return SM_IGNORE;
    plog(md->st, "Peer ID is %s: '%s'", ENUM_STR(id_type_names, ident_type(id)), IDENT_PLUTO(id));
    return SM_OK;
}

typedef struct verify_ctx {
    sig_scheme scheme;
    span hash, sig;
    cert *by;
    bool raw;
} verify_ctx;

static bool verify_with(void *ctx, const pubkey *k, const cert *c)
{
    verify_ctx *v = ctx;
    if (pubkey_verify(k, v->scheme, v->hash, v->sig) != ST_OK)
        return false;
    v->raw = c == NULL;
    v->by = c ? cert_ref((cert *)c) : NULL;
    return true;
}

static verdict check_signature(msgctx *md, const pconn *c, span hash)
{
    ike *i = md->i;
    msgbuf why;
    verify_ctx v = {scheme_of(i->auth), hash, ikev1_find(&md->m, PLV1_SIG)->sig.data, NULL, false};
    auth_wanted w = {
        .id = i->peer_id,
        .ca = c->peer.ca,
        .type = sig_key_type(v.scheme),
        .pinned = c->peer.cert,
        .sent = i->certs,
        .n_sent = i->n_certs,
        .strict_crl = md->p->opt.strictcrl,
    };
    msg_clear(&why);
    status st = credstore_verify(md->p->e->cred, &w, verify_with, &v, &why);
    if (st == ST_OK) {
        cert_unref(i->peer_cert);
        i->peer_cert = v.by;
        return SM_OK;
    }
    explain_count(md->p->e->explain, st == ST_NOT_FOUND ? AUTHF_NOT_TRUSTED : AUTHF_BAD_SIGNATURE);
    if (st == ST_NOT_FOUND) {
        if (i->n_certs)
            plog(md->st, "X.509 certificate rejected");
        plog(md->st, "explain: %s", why.text);
        return sm_fail(md, SM_FATAL, NV1_INVALID_KEY_INFORMATION, "no RSA public key known for '%s'",
                       IDENT_PLUTO(i->peer_id));
    }
    return sm_fail(md, SM_FATAL, NV1_INVALID_KEY_INFORMATION, "signature check for '%s' failed: %s",
                   IDENT_PLUTO(i->peer_id), why.text);
}

static verdict check_proof(msgctx *md, const pconn *c)
{
    ike *i = md->i;
    keymat_input in;
    uint8_t hash[MAX_HASH_BYTES];
    keymat_input_of(i, &in);
    if (keymat_auth_hash(&i->keys, &in, !i->st.initiator, buf_span(&i->sa_body), buf_span(&i->peer_id_body),
                         hash) != ST_OK)
        return sm_fail(md, SM_FATAL, 0, "the peer's proof could not be computed");
    if (!auth_is_psk(i->auth))
        return check_signature(md, c, span_of(hash, i->keys.hash_n));
    if (!secret_equal(ikev1_find(&md->m, PLV1_HASH)->hash.data, span_of(hash, i->keys.hash_n))) {
        explain_count(md->p->e->explain, AUTHF_BAD_SECRET);
        return sm_fail(md, SM_FAIL, NV1_INVALID_HASH_INFORMATION,
                       "received Hash Payload does not match computed value");
    }
    return SM_OK;
}

verdict main_take_auth(msgctx *md)
{
    ike *i = md->i;
    pconn *c = NULL;
    verdict v = take_id(md);
    if (v != SM_OK)
        return v;
    take_certs(md);
    main_take_certreqs(md);
    /* the proof of a PSK needs no conn: check it before looking for one */
    if (auth_is_psk(i->auth) && (v = check_proof(md, i->st.c)) != SM_OK)
        return v;
    if ((v = lookup_for_peer_id(md, &c)) != SM_OK)
        return v;
    if (!auth_is_psk(i->auth))
        v = check_proof(md, c);
    if (v == SM_OK)
        v = lookup_settle(md, c);
    pconn_unref(c);
    return v;
}
