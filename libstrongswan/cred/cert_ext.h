/* Inside of a certificate, shared by cert.c (life, questions) and cert_read.c (decoding). */
#pragma once
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/cred/cert.h"
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

enum {
    CERT_MAX_BYTES = 65536,
    CERT_MAX_EXTENSIONS = 64,
    CERT_MAX_ALT_NAMES = 256,
    CERT_MAX_URIS = 16,
    CERT_MAX_DEPTH = 32
};

struct cert {
    refcount refs;
    uint8_t *der;
    size_t der_n;
    span tbs, signature_algorithm, signature; /* in der: what is signed, how, and the signature */
    STACK_OF(X509_EXTENSION) * extensions;    /* while it is decoded */
    _Atomic(X509 *) x509;                     /* made when first asked for, see cert_x509() */
    ident *subject, *issuer;
    span serial; /* in der */
    pubkey *key;
    unsigned flags;
    int pathlen;
    span subject_key_id, authority_key_id; /* in skid and akid */
    ASN1_OCTET_STRING *skid;
    AUTHORITY_KEYID *akid;
    NAME_CONSTRAINTS *constraints;
    int64_t not_before, not_after;
    ident **alt_names;
    size_t n_alt_names;
    char *crl_uris[CERT_MAX_URIS], *ocsp_uris[CERT_MAX_URIS];
    size_t n_crl_uris, n_ocsp_uris;
    _Atomic(pubkey *) verified_by; /* key of the issuer that signed it, once that was checked */
};

/* Is the signature one by this key? Nothing else is checked. */
bool cert_signed_by(const cert *c, const pubkey *key);
/* Fills in everything from c->der. On failure what was filled in stays for cert_unref(). */
status cert_decode(cert *c, msgbuf *msg) MUST_CHECK;
