/* X.509 certificates: extensions decoded by OpenSSL, the rest and all judgement ours. Immutable, reference
 * counted, any thread. */
#pragma once
#include "libstrongswan/cred/ident.h"
#include "libstrongswan/cred/keys.h"

typedef struct cert cert;

enum {
    CERT_CA = 1,          /* basicConstraints CA */
    CERT_SELF_SIGNED = 2, /* subject = issuer and its own key verifies it */
    CERT_SERVER_AUTH = 4, /* extendedKeyUsage */
    CERT_CLIENT_AUTH = 8,
    CERT_OCSP_SIGNER = 16,
    CERT_IKE_INTERMEDIATE = 32,
    CERT_CRL_SIGN = 64, /* keyUsage */
    CERT_CERT_SIGN = 128,
    CERT_HAS_EKU = 256,
    CERT_HAS_KEY_USAGE = 512,
    CERT_DIGITAL_SIGNATURE = 1024, /* keyUsage digitalSignature or nonRepudiation */
    CERT_ANY_EKU = 2048,
};

/* PEM or DER; rejects what hazards.md class 7 lists, unknown critical extensions included. */
status cert_from_data(cert **out, span data, msgbuf *msg) MUST_CHECK;
status cert_from_file(cert **out, const char *path, msgbuf *msg) MUST_CHECK;
cert *cert_ref(cert *c);
void cert_unref(cert *c);
span cert_der(const cert *c);
ident *cert_subject(const cert *c); /* borrowed */
ident *cert_issuer(const cert *c);
span cert_serial(const cert *c);
pubkey *cert_key(const cert *c); /* borrowed */
unsigned cert_flags(const cert *c);
int cert_pathlen(const cert *c); /* -1 = none */
span cert_subject_key_id(const cert *c);
span cert_authority_key_id(const cert *c);
span cert_authority_serial(const cert *c); /* of authorityKeyIdentifier; empty if it gives none */
int64_t cert_not_before(const cert *c);    /* wall seconds */
int64_t cert_not_after(const cert *c);
size_t cert_alt_names(const cert *c); /* subjectAltName */
ident *cert_alt_name(const cert *c, size_t i);
size_t cert_crl_uris(const cert *c);
const char *cert_crl_uri(const cert *c, size_t i);
size_t cert_ocsp_uris(const cert *c);
const char *cert_ocsp_uri(const cert *c, size_t i);
bool cert_equal(const cert *a, const cert *b);
/* May its key sign IKE messages, as far as keyUsage and extendedKeyUsage tell? msg says why not. */
bool cert_may_authenticate(const cert *c, msgbuf *msg);
/* Do the name constraints of the CA (if it has any) permit the names of c? */
bool cert_names_permitted(const cert *c, const cert *ca, msgbuf *msg);
/* Best ident_match() of subject and alt names against a pattern; and does the certificate speak for this
 * exact id? */
int cert_match_id(const cert *c, const ident *pattern);
bool cert_has_id(const cert *c, const ident *id);
/* Did `issuer` sign it? Names and signature; not validity or CA flag. ST_CRYPTO if not. A signature that was
 * found good is remembered: asking again costs nothing. */
status cert_verify_signature(const cert *c, const cert *issuer) MUST_CHECK;
const void *cert_x509(const cert *c); /* X509 *, for other files of cred/; NULL: no memory */
