/* All credentials of a daemon: certificates of ipsec.d, CA information, private keys and shared secrets of ipsec.secrets.
 * Many threads read; reloading builds a new set and swaps it. What it returns is referenced for the caller.
 */
#pragma once
#include "libstrongswan/base/clock.h"
#include "libstrongswan/base/log.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/cred/cert.h"
#include "libstrongswan/crypto/crypto.h"

typedef struct credstore credstore;

typedef enum cert_dir { DIR_CACERTS, DIR_CERTS, DIR_AACERTS, DIR_OCSPCERTS, DIR_ACERTS, DIR_CRLS, DIR_PRIVATE, DIR_COUNT } cert_dir;
extern const char *const cert_dir_names[DIR_COUNT]; /* "cacerts", … */

typedef struct credstore_config {
    const char *confdir; /* the folder that holds ipsec.d and ipsec.secrets */
    const char *secrets; /* file or glob; NULL = <confdir>/ipsec.secrets */
    const char *daemon;  /* "pluto": its log lines and its rule which secret wins; anything else: charon's */
    const clock_source *clock;
    log_scope log;
} credstore_config;
status credstore_new(credstore **out, const credstore_config *cfg) MUST_CHECK;
void credstore_free(credstore *s);

/* ---- loading ---- logs what it loaded and what it refused, file and reason */
status credstore_load_dir(credstore *s, cert_dir dir) MUST_CHECK;
/* `path` relative to ipsec.d/<dir> unless absolute. The certificate is kept in the store (once) and returned. */
status credstore_load_cert(credstore *s, const char *path, cert_dir dir, cert **out, msgbuf *msg) MUST_CHECK;
/* Asks for %prompt pass phrases; returns the length, 0 = refused. NULL prompt: such entries are skipped with a log line. */
typedef size_t secret_prompt_fn(void *ctx, const char *what, char *answer, size_t size);
/* Errors name FILE:LINE and word; good entries of the file are loaded all the same. */
status credstore_load_secrets(credstore *s, secret_prompt_fn *prompt, void *ctx) MUST_CHECK;
status credstore_add_cert(credstore *s, cert *c, cert_dir dir) MUST_CHECK;
status credstore_add_privkey(credstore *s, privkey *k) MUST_CHECK;
typedef enum secret_kind { SECRET_PSK, SECRET_RSA, SECRET_ECDSA, SECRET_EAP, SECRET_XAUTH, SECRET_PIN } secret_kind;
status credstore_add_shared(credstore *s, secret_kind kind, ident *const *ids, size_t n, span value) MUST_CHECK;
/* raw public key of a peer (leftrsasigkey), or of ours */
status credstore_add_pubkey(credstore *s, ident *id, pubkey *k) MUST_CHECK;
void credstore_remove_pubkeys(credstore *s, ident *id);

/* ---- CA information: `ca` sections ---- */
typedef struct ca_info {
    const char *name, *cacert, *ldaphost, *ldapbase, *crluri, *crluri2, *ocspuri, *ocspuri2, *certuribase;
} ca_info;
status credstore_add_ca(credstore *s, const ca_info *ca, msgbuf *msg) MUST_CHECK;
status credstore_del_ca(credstore *s, const char *name) MUST_CHECK;

/* ---- looking up ---- */
/* The shared secret whose ids fit best (reference ipsec-secrets.md: matching rules). me/other: identities or addresses,
 * tried in the order given; NULL entries skipped. ST_NOT_FOUND and msg = what was looked for and what there was. */
status credstore_find_shared(credstore *s, secret_kind kind, const ident *const *me, size_t n_me, const ident *const *other,
                             size_t n_other, secret *out, msgbuf *msg) MUST_CHECK;
/* Every secret that fits, best first, until fn returns true (the MAC it gave was right). ids: those of its entry, none for
 * an entry without; for XAUTH the one id is the user. Returns how many were tried. XAUTH and EAP compare ids by their text
 * only, whatever their type; without me and other all entries of the kind are given, the last in the file first. */
size_t credstore_each_shared(credstore *s, secret_kind kind, const ident *const *me, size_t n_me, const ident *const *other,
                             size_t n_other, bool (*fn)(void *ctx, ident *const *ids, size_t n_ids, span value), void *ctx);
/* Our private key: for a certificate, or for an id of ours (through certificates and raw keys). NULL and msg. */
privkey *credstore_find_privkey(credstore *s, key_type type, const cert *c, const ident *id, msgbuf *msg);
privkey *credstore_privkey_by_keyid(credstore *s, span keyid);
/* Our certificate for an id, for which there is a private key. NULL if there is none. */
cert *credstore_find_own_cert(credstore *s, key_type type, const ident *id, const ident *ca);
cert *credstore_find_cert_by_subject(credstore *s, const ident *subject);
/* Certificates of the chain of `c` up to but without the root, c not included; for sending. Returns how many. */
size_t credstore_chain(credstore *s, const cert *c, cert **out, size_t max);
/* Is c issued (through any depth) below the CA named, signatures checked? */
bool credstore_issued_below(credstore *s, const cert *c, const ident *ca);

typedef struct auth_wanted {
    const ident *id;      /* the identity the peer claims */
    const ident *ca;      /* required CA somewhere in its chain; NULL = any */
    key_type type;        /* KEY_ANY */
    const cert *pinned;   /* rightcert: only this one; NULL */
    cert *const *sent;    /* certificates of the message, end entity first; untrusted */
    size_t n_sent;
    int strict_crl; /* 0 no, 1 yes, 2 ifuri */
} auth_wanted;
/* Calls fn with each public key that is trusted to speak for wanted->id - from a certificate with a valid chain, or a raw
 * key - until it returns true (it verified). cert is NULL for raw keys. ST_OK if fn said so, ST_NOT_FOUND if there was no
 * candidate, ST_CRYPTO if none verified. msg explains: which credential was looked for, why each candidate was refused. */
status credstore_verify(credstore *s, const auth_wanted *wanted, bool (*fn)(void *ctx, const pubkey *k, const cert *c),
                        void *ctx, msgbuf *msg) MUST_CHECK;
/* Is the chain of c valid now? On success *root (may be NULL) is the trust anchor, referenced. */
status credstore_check_chain(credstore *s, const cert *c, cert *const *untrusted, size_t n, int strict_crl, cert **root, msgbuf *msg) MUST_CHECK;
/* Our trusted CAs for CERTREQ, until fn returns false. */
void credstore_each_cert(credstore *s, cert_dir dir, bool (*fn)(void *ctx, cert *c, int64_t loaded_at), void *ctx);
void credstore_each_ca(credstore *s, bool (*fn)(void *ctx, const ca_info *ca, int64_t loaded_at), void *ctx);
void credstore_each_pubkey(credstore *s, bool (*fn)(void *ctx, ident *id, pubkey *k, cert *c, int64_t loaded_at), void *ctx);
bool credstore_has_privkey(credstore *s, const pubkey *k);

/* ---- revocation: the interface; who answers registers later ---- */
typedef enum revocation { REV_GOOD, REV_REVOKED, REV_UNKNOWN, REV_STALE, REV_SKIPPED } revocation;
typedef struct revocation_ops {
    revocation (*check)(void *ctx, credstore *s, const cert *c, const cert *issuer, int64_t now, msgbuf *msg);
    /* a file of ipsec.d/crls that was read (DER or PEM); NULL: such files are not loaded */
    status (*add_crl)(void *ctx, span data, const char *path, msgbuf *msg);
    void *ctx;
} revocation_ops;
void credstore_set_revocation(credstore *s, const revocation_ops *ops);
