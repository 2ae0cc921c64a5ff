/* Authentication of IKE_AUTH: what the AUTH payload holds, by method, ours and the peer's.   RFC 7296 2.15,
 * RFC 7427, RFC 4754. Runs inside the IKE_SA's mail.
 */
#pragma once
#include "charon/sa/ike_sa.h"

/* "RSA signature", "pre-shared key", as in the log */
const char *auth_method_text(uint8_t method, key_type key);

/* Our side: which way we authenticate with this configuration. */
typedef struct auth_own {
    uint8_t method;
    sig_scheme scheme;
    privkey *key; /* NULL: PSK */
    cert *cert;   /* to send along; NULL */
    const char *text;
} auth_own;
/* ST_NOT_FOUND: no credential; it is logged. */
status auth_choose(ike_sa *sa, const peer_cfg *cfg, const ident *my_id, auth_own *out) MUST_CHECK;
void auth_own_free(auth_own *a);
/* The AUTH payload's data. other: the peer's identity as far as known, may be NULL. id_body: of our ID
 * payload. */
status auth_sign(ike_sa *sa, const auth_own *a, const ident *my_id, const ident *other, span id_body,
                 buf *out) MUST_CHECK;

/* The peer's side. */
typedef struct auth_peer {
    const ident *id, *my_id;
    uint8_t method;
    span data, id_body;
    cert *certs[MAX_CERTS_IN]; /* of the message, end entity first */
    size_t n_certs;
    const char *text; /* out: of the method */
    cert *cert;       /* out: it verified with; referenced; NULL */
} auth_peer;
/* Is the AUTH payload the peer's? cfg gives secrets' identities and pinned certificates. Logs why not. */
status auth_verify(ike_sa *sa, const peer_cfg *cfg, auth_peer *p) MUST_CHECK;
/* rightca, rightcert: does who proved to be p->id satisfy this configuration? Logs the constraint that
 * failed. */
bool auth_constraints(ike_sa *sa, const peer_cfg *cfg, const auth_peer *p, bool quiet);
void auth_peer_fini(auth_peer *p);

/* ---- certificates on the wire ---- */
void auth_add_certs(ike_sa *sa, const peer_cfg *cfg, const auth_own *a, ikev2_builder *out);
void auth_add_certreqs(ike_sa *sa, const peer_cfg *cfg, ikev2_builder *out); /* cfg NULL: not known yet */
void auth_read_certreqs(ike_sa *sa, const ikev2_msg *m);
void auth_read_certs(ike_sa *sa, const ikev2_msg *m, auth_peer *p);
