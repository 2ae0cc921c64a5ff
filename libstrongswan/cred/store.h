/* Inside of the credential store. One read-write lock guards the arrays; it is held for looking things up
 * only, never while a file is read, a signature is checked or somebody is called back. What leaves the lock
 * is referenced.
 */
#pragma once
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/cred/credstore.h"
#include <pthread.h>

enum { CHAIN_MAX = 24, CHAIN_MAX_CHECKS = 64 }; /* levels of a chain; signatures checked for one question */

typedef struct stored_cert {
    cert *cert;
    int64_t loaded_at;
    bool scanned; /* found by reading the folder: goes when the file goes */
} stored_cert;

typedef struct cert_list {
    stored_cert *items;
    size_t n, cap;
} cert_list;

/* One entry of ipsec.secrets that holds a secret. Immutable, reference counted. */
typedef struct shared_secret {
    refcount refs;
    secret_kind kind;
    secret value;
    size_t n_ids;
    ident *ids[];
} shared_secret;

/* One that holds a private key. */
typedef struct stored_key {
    privkey *key;
    ident **ids;
    size_t n_ids;
} stored_key;

/* What ipsec.secrets gave: built aside and swapped in as a whole. */
typedef struct secret_set {
    shared_secret **shared;
    size_t n_shared, cap_shared;
    stored_key *keys;
    size_t n_keys, cap_keys;
} secret_set;

typedef struct stored_pubkey {
    ident *id;
    pubkey *key;
    int64_t loaded_at;
} stored_pubkey;

typedef struct stored_ca {
    ca_info info; /* strings owned */
    cert *cert;
    int64_t loaded_at;
} stored_ca;

struct credstore {
    char *confdir, *secrets_path;
    bool pluto;
    const clock_source *clock;
    log_scope log;
    pthread_rwlock_t lock;
    cert_list certs[DIR_COUNT];
    secret_set from_file; /* replaced by credstore_load_secrets() */
    secret_set added;     /* stays */
    stored_pubkey *pubkeys;
    size_t n_pubkeys, cap_pubkeys;
    stored_ca *cas;
    size_t n_cas, cap_cas;
    revocation_ops revocation;
};

/* Room for one more element; false without memory. */
bool array_grow(void **items, size_t *cap, size_t n, size_t size);
int64_t store_now(const credstore *s);

void shared_secret_unref(shared_secret *e); /* NULL ok */
void secret_set_free(secret_set *set);
/* Both reference what they keep. */
status secret_set_add_shared(secret_set *set, secret_kind kind, ident *const *ids, size_t n,
                             span value) MUST_CHECK;
status secret_set_add_key(secret_set *set, privkey *key, ident *const *ids, size_t n) MUST_CHECK;

/* The certificate in one of the folders' lists that is equal to c; NULL. Referenced. */
cert *store_find_equal(credstore *s, const cert *c);
/* All certificates of a folder's list whose subject is this one, referenced; returns how many (at most max).
 */
size_t store_certs_by_subject(credstore *s, cert_dir dir, const ident *subject, cert **out, size_t max);
bool store_has_cert(credstore *s, cert_dir dir, const cert *c);
