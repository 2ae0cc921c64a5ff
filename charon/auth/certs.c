/* CERT and CERTREQ payloads.   RFC 7296 3.6, 3.7 */
#include "charon/auth/auth.h"

enum { MAX_CHAIN = 8, CA_HASH = 20 };

/* ---- our certificates ---- */
static bool may_send(const ike_sa *sa, const peer_cfg *cfg)
{
    switch (cfg->me->sendcert) {
    case SENDCERT_ALWAYS:
        return true;
    case SENDCERT_NEVER:
        return false;
    default:
        return sa->hs->peer_asked_cert;
    }
}

void auth_add_certs(ike_sa *sa, const peer_cfg *cfg, const auth_own *a, ikev2_builder *out)
{
    cert *chain[MAX_CHAIN];
    size_t n;

    if (!a->cert || !may_send(sa, cfg))
        return;
    LOG(&sa->log, IKE, 1, "sending end entity cert \"%s\"", IDENT_STR(cert_subject(a->cert)));
    ikev2_add_cert(out, CERT_X509, cert_der(a->cert));
    n = credstore_chain(sa->ch->env->cred, a->cert, chain, MAX_CHAIN);
    for (size_t i = 0; i < n; i++) {
        LOG(&sa->log, IKE, 1, "sending issuer cert \"%s\"", IDENT_STR(cert_subject(chain[i])));
        ikev2_add_cert(out, CERT_X509, cert_der(chain[i]));
        cert_unref(chain[i]);
    }
}

/* ---- what we ask for ---- */
typedef struct ca_list {
    ike_sa *sa;
    uint8_t hashes[MAX_CAS_REQUESTED * CA_HASH];
    size_t n;
} ca_list;

static bool add_ca(void *ctx, cert *c, int64_t loaded_at)
{
    ca_list *l = ctx;
    span h = pubkey_spki_hash(cert_key(c));

    (void)loaded_at;
    if (h.n != CA_HASH || l->n == MAX_CAS_REQUESTED)
        return l->n < MAX_CAS_REQUESTED;
    LOG(&l->sa->log, IKE, 1, "sending cert request for \"%s\"", IDENT_STR(cert_subject(c)));
    memcpy(l->hashes + CA_HASH * l->n++, h.p, CA_HASH);
    return true;
}

void auth_add_certreqs(ike_sa *sa, const peer_cfg *cfg, ikev2_builder *out)
{
    ca_list l = {.sa = sa};

    if (!sa->ch->env->cred || (cfg && (cfg->peer->sendcert == SENDCERT_NEVER || cfg->peer_auth == AUTH_PSK)))
        return;
    credstore_each_cert(sa->ch->env->cred, DIR_CACERTS, add_ca, &l);
    if (l.n)
        ikev2_add_certreq(out, CERT_X509, span_of(l.hashes, CA_HASH * l.n));
}

/* ---- what the peer asks for ---- */
typedef struct ca_search {
    ike_sa *sa;
    span hash;
    bool found;
} ca_search;

static bool is_ca(void *ctx, cert *c, int64_t loaded_at)
{
    ca_search *s = ctx;

    (void)loaded_at;
    if (!span_equal(pubkey_spki_hash(cert_key(c)), s->hash))
        return true;
    LOG(&s->sa->log, IKE, 1, "received cert request for \"%s\"", IDENT_STR(cert_subject(c)));
    if (!s->sa->hs->asked_ca)
        s->sa->hs->asked_ca = ident_ref(cert_subject(c));
    s->found = true;
    return false;
}

void auth_read_certreqs(ike_sa *sa, const ikev2_msg *m)
{
    const ikev2_payload *p;
    size_t hashes = 0, unknown = 0;

    for (size_t i = 0; (p = ikev2_nth(m, PLV2_CERTREQ, i)); i++) {
        span rest = p->cert.data;
        if (p->cert.encoding != CERT_X509)
            continue;
        sa->hs->peer_asked_cert = true;
        while (rest.n >= CA_HASH && hashes++ < MAX_CERTREQ_HASHES && sa->ch->env->cred) {
            ca_search s = {.sa = sa, .hash = span_take(rest, CA_HASH)};
            credstore_each_cert(sa->ch->env->cred, DIR_CACERTS, is_ca, &s);
            unknown += !s.found;
            rest = span_skip(rest, CA_HASH);
        }
    }
    if (unknown)
        LOG(&sa->log, IKE, 1, "received %zu cert requests for an unknown ca", unknown);
}

void auth_read_certs(ike_sa *sa, const ikev2_msg *m, auth_peer *p)
{
    const ikev2_payload *pl;

    for (size_t i = 0; (pl = ikev2_nth(m, PLV2_CERT, i)) && p->n_certs < MAX_CERTS_IN; i++) {
        msgbuf why = {0};
        if (pl->cert.encoding != CERT_X509) {
            LOG(&sa->log, IKE, 1, "certificate encoding %s is not supported: ignored",
                ENUM_STR(ikev2_cert_names, pl->cert.encoding));
        } else if (cert_from_data(&p->certs[p->n_certs], pl->cert.data, &why) != ST_OK) {
            LOG(&sa->log, IKE, 1, "received certificate refused: %s", why.text);
        } else {
            LOG(&sa->log, IKE, 1, "received %s cert \"%s\"", p->n_certs ? "issuer" : "end entity",
                IDENT_STR(cert_subject(p->certs[p->n_certs])));
            p->n_certs++;
        }
    }
}
