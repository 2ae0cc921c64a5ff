/* Certificates in the store: folders, chains of any depth and their traps, who is trusted for an identity. */
#include "tests/unit/cred/storetest.h"
#include <openssl/pem.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct chain_keys {
    EVP_PKEY *k[8];
} chain_keys;
static chain_keys keys;

static int setup(void **state)
{
    for (size_t i = 0; i < 8; i++)
        keys.k[i] = test_key();
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < 8; i++)
        EVP_PKEY_free(keys.k[i]);
    return 0;
}

/* CA `subject` with key ks, issued by `issuer` with key ki */
static cert *ca(const char *subject, int ks, const char *issuer, int ki)
{
    return order_cert(&(cert_order){
        .subject = subject, .issuer = issuer, .key = keys.k[ks], .signer = keys.k[ki], .ext = {CA_EXT}});
}

static cert *end(const char *subject, int ks, const char *issuer, int ki)
{
    return order_cert(
        &(cert_order){.subject = subject, .issuer = issuer, .key = keys.k[ks], .signer = keys.k[ki]});
}

static void add(store_test *t, cert *c, cert_dir dir)
{
    assert_int_equal(credstore_add_cert(t->s, c, dir), ST_OK);
    cert_unref(c);
}

/* Chain of c with up to four sent along: NULL, or why not. Frees what it is given. */
static const char *judge(store_test *t, cert *c, cert *s1, cert *s2, cert *s3)
{
    static msgbuf msg;
    cert *sent[] = {s1, s2, s3}, *root = NULL;
    size_t n = 0;
    while (n < 3 && sent[n])
        n++;
    msg.text[0] = 0;
    status st = credstore_check_chain(t->s, c, sent, n, 0, &root, &msg);
    assert_int_equal(st == ST_OK, root != NULL);
    assert_int_equal(st == ST_OK, msg.text[0] == 0);
    cert_unref(root);
    cert_unref(c);
    for (size_t i = 0; i < n; i++)
        cert_unref(sent[i]);
    return st == ST_OK ? NULL : msg.text;
}

#define REFUSED(text, expr)                                                                                  \
    do {                                                                                                     \
        const char *why_ = (expr);                                                                           \
        if (!why_ || !strstr(why_, text))                                                                    \
            fail_msg("%s: %s", #expr, why_ ? why_ : "accepted");                                             \
    } while (0)
#define ACCEPTED(expr)                                                                                       \
    do {                                                                                                     \
        const char *why_ = (expr);                                                                           \
        if (why_)                                                                                            \
            fail_msg("%s: %s", #expr, why_);                                                                 \
    } while (0)

static void chains(void **state)
{
    store_test t;
    store_open(&t, NULL);
    REFUSED("no trusted certificate of issuer \"C=CH, CN=Root\"",
            judge(&t, end("gw", 1, "Root", 0), NULL, NULL, NULL));
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    ACCEPTED(judge(&t, end("gw", 1, "Root", 0), NULL, NULL, NULL));
    ACCEPTED(
        judge(&t, end("gw", 3, "B", 2), ca("B", 2, "A", 1), ca("A", 1, "Root", 0), NULL)); /* two between */
    REFUSED("issuer \"C=CH, CN=B\"", judge(&t, end("gw", 3, "B", 2), ca("A", 1, "Root", 0), NULL, NULL));
    REFUSED("self-signed certificate \"C=CH, CN=gw\" is not trusted",
            judge(&t, end("gw", 1, "gw", 1), NULL, NULL, NULL));
    REFUSED(
        "self-signed certificate \"C=CH, CN=Bad\" is not trusted",
        judge(&t, end("gw", 1, "Bad", 2), ca("Bad", 2, "Bad", 2), NULL, NULL)); /* a root that came along */
    REFUSED("is not signed by", judge(&t, end("gw", 1, "Root", 2), NULL, NULL, NULL));
    store_close(&t);
}

static void deep_chain(void **state)
{
    store_test t;
    char name[2][16];
    cert *sent[30];
    store_open(&t, NULL);
    add(&t, ca("C0", 0, "C0", 0), DIR_CACERTS);
    for (int i = 0; i < 30; i++) {
        snprintf(name[0], sizeof(name[0]), "C%d", i + 1);
        snprintf(name[1], sizeof(name[1]), "C%d", i);
        sent[i] = ca(name[0], (i + 1) % 8, name[1], i % 8);
    }
    msgbuf msg = {{0}};
    assert_int_equal(credstore_check_chain(t.s, sent[21], sent, 21, 0, NULL, &msg), ST_OK);
    assert_int_equal(credstore_check_chain(t.s, sent[29], sent, 29, 0, NULL, &msg), ST_DENIED);
    assert_non_null(strstr(msg.text, "maximum ca path length"));
    for (int i = 0; i < 30; i++)
        cert_unref(sent[i]);
    store_close(&t);
}

static void constraints(void **state)
{
    store_test t;
    store_open(&t, NULL);
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    /* an end certificate as issuer */
    REFUSED("issuer \"C=CH, CN=gw\" is not a CA",
            judge(&t, end("x", 2, "gw", 1), end("gw", 1, "Root", 0), NULL, NULL));
    cert *said_no = order_cert(&(cert_order){.subject = "gw",
                                             .issuer = "Root",
                                             .key = keys.k[1],
                                             .signer = keys.k[0],
                                             .ext = {"basicConstraints", "CA:FALSE"}});
    REFUSED("is not a CA", judge(&t, end("x", 2, "gw", 1), said_no, NULL, NULL));
    /* key usage without keyCertSign */
    cert *no_sign = order_cert(&(cert_order){.subject = "A",
                                             .issuer = "Root",
                                             .key = keys.k[1],
                                             .signer = keys.k[0],
                                             .ext = {CA_EXT, "keyUsage", "cRLSign"}});
    REFUSED("does not permit signing certificates", judge(&t, end("x", 2, "A", 1), no_sign, NULL, NULL));
    /* path length */
    cert_order zero = {.subject = "A",
                       .issuer = "Root",
                       .key = keys.k[1],
                       .signer = keys.k[0],
                       .ext = {"basicConstraints", "CA:TRUE,pathlen:0"}};
    ACCEPTED(judge(&t, end("x", 2, "A", 1), order_cert(&zero), NULL, NULL));
    REFUSED("path length constraint",
            judge(&t, end("x", 3, "B", 2), ca("B", 2, "A", 1), order_cert(&zero), NULL));
    /* names, by a CA farther up */
    cert_order named = {.subject = "A",
                        .issuer = "Root",
                        .key = keys.k[1],
                        .signer = keys.k[0],
                        .ext = {CA_EXT, "nameConstraints", "critical,permitted;DNS:.example.net"}};
    cert_order inside = {.subject = "x",
                         .issuer = "B",
                         .key = keys.k[3],
                         .signer = keys.k[2],
                         .ext = {"subjectAltName", "DNS:a.example.net"}};
    cert_order outside = {.subject = "x",
                          .issuer = "B",
                          .key = keys.k[3],
                          .signer = keys.k[2],
                          .ext = {"subjectAltName", "DNS:a.example.org"}};
    ACCEPTED(judge(&t, order_cert(&inside), ca("B", 2, "A", 1), order_cert(&named), NULL));
    REFUSED("name constraints of \"C=CH, CN=A\"",
            judge(&t, order_cert(&outside), ca("B", 2, "A", 1), order_cert(&named), NULL));
    store_close(&t);
}

static void validity(void **state)
{
    store_test t;
    store_open(&t, NULL);
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    t.now = TEST_NOW + 1000;
    ACCEPTED(judge(&t, end("gw", 1, "Root", 0), NULL, NULL, NULL));
    t.now++;
    REFUSED("\"C=CH, CN=gw\" has expired", judge(&t, end("gw", 1, "Root", 0), NULL, NULL, NULL));
    t.now = TEST_NOW - 1001;
    REFUSED("\"C=CH, CN=gw\" is not valid yet", judge(&t, end("gw", 1, "Root", 0), NULL, NULL, NULL));
    t.now = TEST_NOW;
    cert *old = order_cert(&(cert_order){.subject = "A",
                                         .issuer = "Root",
                                         .key = keys.k[1],
                                         .signer = keys.k[0],
                                         .to = TEST_NOW - 1,
                                         .ext = {CA_EXT}});
    REFUSED("\"C=CH, CN=A\" has expired", judge(&t, end("gw", 2, "A", 1), old, NULL, NULL));
    store_close(&t);
}

/* A certifies B, B certifies A; a certificate that is its own issuer's issuer; many of one name. */
static void loops(void **state)
{
    store_test t;
    store_open(&t, NULL);
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    REFUSED("leads back to itself",
            judge(&t, end("gw", 3, "A", 1), ca("A", 1, "B", 2), ca("B", 2, "A", 1), NULL));
    ACCEPTED(judge(&t, end("gw", 3, "A", 1), ca("A", 1, "B", 2), ca("B", 2, "A", 1), ca("A", 1, "Root", 0)));
    cert *same[16];
    for (int i = 0; i < 16; i++) /* all of one name, each signed by another: every order is a path */
        same[i] = ca("A", i % 8, "A", (i + 1) % 8);
    msgbuf msg = {{0}};
    cert *c = end("gw", 5, "A", 1);
    assert_int_equal(credstore_check_chain(t.s, c, same, 16, 0, NULL, &msg), ST_DENIED);
    assert_true(msg.text[0]);
    cert_unref(c);
    for (int i = 0; i < 16; i++)
        cert_unref(same[i]);
    store_close(&t);
}

/* A bad certificate with the name and serial of a good one hides nothing, whichever comes first. */
static void bad_one_does_not_shadow(void **state)
{
    for (int order = 0; order < 2; order++) {
        store_test t;
        store_open(&t, NULL);
        cert *good = ca("Root", 0, "Root", 0),
             *bad = ca("Root", 7, "Root", 7); /* same name, same serial, other key */
        add(&t, order ? good : bad, DIR_CACERTS);
        add(&t, order ? bad : good, DIR_CACERTS);
        ACCEPTED(judge(&t, end("gw", 1, "Root", 0), NULL, NULL, NULL));
        cert *i1 = ca("A", 2, "Root", 0), *i2 = ca("A", 2, "Root", 6); /* the second has a forged signature */
        ACCEPTED(judge(&t, end("gw", 3, "A", 2), order ? i1 : i2, order ? i2 : i1, NULL));
        store_close(&t);
    }
}

static void intermediate_as_anchor(void **state)
{
    store_test t;
    store_open(&t, NULL);
    add(&t, ca("A", 1, "Root", 0), DIR_CACERTS); /* without its root */
    ACCEPTED(judge(&t, end("gw", 2, "A", 1), NULL, NULL, NULL));
    store_close(&t);
}

/* ---- authentication ---- */

typedef struct offered {
    buf names;
    bool take;
} offered;

static bool take(void *ctx, const pubkey *k, const cert *c)
{
    offered *o = ctx;
    buf_put_str(&o->names, c ? IDENT_STR(cert_subject(c)) : "raw");
    buf_put_u8(&o->names, ';');
    return o->take;
}

static ident *id_of(const char *text)
{
    ident *id;
    assert_int_equal(ident_from_text(&id, text, NULL), ST_OK);
    return id;
}

static status verify(store_test *t, auth_wanted w, const char *id, const char *ca_name, bool accept,
                     const char *want, msgbuf *msg)
{
    offered o = {.take = accept};
    ident *i = id_of(id), *c = ca_name ? id_of(ca_name) : NULL;
    w.id = i;
    w.ca = c;
    msg->text[0] = 0;
    status st = credstore_verify(t->s, &w, take, &o, msg);
    if (strcmp(buf_cstr(&o.names), want))
        fail_msg("%s: offered '%s' instead of '%s' (%s)", id, buf_cstr(&o.names), want, msg->text);
    buf_free(&o.names);
    ident_unref(i);
    ident_unref(c);
    return st;
}

static void who_is_trusted(void **state)
{
    store_test t;
    msgbuf msg;
    store_open(&t, NULL);
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    cert *gw = order_cert(&(cert_order){.subject = "gw",
                                        .issuer = "Root",
                                        .key = keys.k[1],
                                        .signer = keys.k[0],
                                        .ext = {"subjectAltName", "DNS:gw.test"}});
    cert *self = end("lone", 2, "lone", 2), *imp = end("gw", 3, "gw", 3), *below_a = end("deep", 4, "A", 5),
         *a = ca("A", 5, "Root", 0);
    auth_wanted w = {.sent = &gw, .n_sent = 1};
    assert_int_equal(verify(&t, w, "gw.test", NULL, true, "C=CH, CN=gw;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "C=CH, CN=gw", NULL, true, "C=CH, CN=gw;", &msg), ST_OK);
    /* another identity than the certificate's */
    assert_int_equal(verify(&t, w, "root.test", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "'root.test'"));
    assert_non_null(strstr(msg.text, "received certificate \"C=CH, CN=gw\": it does not hold the identity"));
    /* the signature is wrong */
    assert_int_equal(verify(&t, w, "gw.test", NULL, false, "C=CH, CN=gw;", &msg), ST_CRYPTO);
    assert_non_null(strstr(msg.text, "does not verify"));
    /* another kind of key is wanted */
    w.type = KEY_RSA;
    assert_int_equal(verify(&t, w, "gw.test", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "its key is ECDSA, RSA is needed"));
    w.type = KEY_ECDSA;
    assert_int_equal(verify(&t, w, "gw.test", NULL, true, "C=CH, CN=gw;", &msg), ST_OK);
    /* required CA */
    w.type = KEY_ANY;
    assert_int_equal(verify(&t, w, "gw.test", "C=CH, CN=Root", true, "C=CH, CN=gw;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "gw.test", "C=CH, CN=*", true, "C=CH, CN=gw;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "gw.test", "%any", true, "C=CH, CN=gw;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "gw.test", "C=CH, CN=A", true, "", &msg), ST_NOT_FOUND);
    assert_true(logged(&t, "constraint check failed: peer not authenticated by CA 'C=CH, CN=A'."));
    cert *two[] = {below_a, a};
    w.sent = two;
    w.n_sent = 2;
    assert_int_equal(verify(&t, w, "C=CH, CN=deep", "C=CH, CN=Root", true, "C=CH, CN=deep;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "C=CH, CN=deep", "C=CH, CN=A", true, "C=CH, CN=deep;", &msg), ST_OK);
    /* self-signed: only when it is ours to trust */
    w.sent = &self;
    w.n_sent = 1;
    assert_int_equal(verify(&t, w, "C=CH, CN=lone", NULL, true, "", &msg), ST_NOT_FOUND);
    w.n_sent = 0;
    w.pinned = self;
    assert_int_equal(verify(&t, w, "C=CH, CN=lone", NULL, true, "C=CH, CN=lone;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "C=CH, CN=gw", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_int_equal(verify(&t, w, "C=CH, CN=lone", "C=CH, CN=Root", true, "", &msg), ST_NOT_FOUND);
    t.now = TEST_NOW + 5000; /* expired is expired */
    assert_int_equal(verify(&t, w, "C=CH, CN=lone", NULL, true, "", &msg), ST_NOT_FOUND);
    t.now = TEST_NOW;
    /* pinned: what the peer sends does not count */
    w.pinned = gw;
    w.sent = &imp;
    w.n_sent = 1;
    assert_int_equal(verify(&t, w, "C=CH, CN=gw", NULL, false, "C=CH, CN=gw;", &msg), ST_CRYPTO);
    /* stored by configuration: found without being sent; the imposter of that name gets nothing */
    w.pinned = NULL;
    assert_int_equal(verify(&t, w, "C=CH, CN=gw", NULL, true, "", &msg), ST_NOT_FOUND);
    add(&t, cert_ref(gw), DIR_CERTS);
    assert_int_equal(verify(&t, w, "C=CH, CN=gw", NULL, true, "C=CH, CN=gw;", &msg), ST_OK);
    w.n_sent = 0;
    assert_int_equal(verify(&t, w, "gw.test", NULL, true, "C=CH, CN=gw;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "nobody.test", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_string_equal(msg.text, "no trusted public key found for 'nobody.test': no certificate was "
                                  "received and none and no raw key is stored for it");
    cert_unref(gw);
    cert_unref(self);
    cert_unref(imp);
    cert_unref(below_a);
    cert_unref(a);
    store_close(&t);
}

static void wrong_purpose(void **state)
{
    store_test t;
    msgbuf msg;
    store_open(&t, NULL);
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    cert *c = order_cert(&(cert_order){.subject = "gw",
                                       .issuer = "Root",
                                       .key = keys.k[1],
                                       .signer = keys.k[0],
                                       .ext = {"extendedKeyUsage", "codeSigning"}});
    auth_wanted w = {.sent = &c, .n_sent = 1};
    assert_int_equal(verify(&t, w, "C=CH, CN=gw", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "extendedKeyUsage"));
    cert_unref(c);
    store_close(&t);
}

static void raw_keys(void **state)
{
    store_test t;
    msgbuf msg;
    store_open(&t, NULL);
    cert *c = end("x", 1, "x", 1), *d = end("y", 2, "y", 2);
    ident *id = id_of("@raw"), *other = id_of("@other");
    auth_wanted w = {0};
    assert_int_equal(credstore_add_pubkey(t.s, id, cert_key(c)), ST_OK);
    assert_int_equal(credstore_add_pubkey(t.s, id, cert_key(c)), ST_OK); /* once */
    assert_int_equal(credstore_add_pubkey(t.s, other, cert_key(d)), ST_OK);
    assert_int_equal(verify(&t, w, "@raw", NULL, true, "raw;", &msg), ST_OK);
    assert_int_equal(verify(&t, w, "@raw", NULL, false, "raw;", &msg), ST_CRYPTO);
    assert_int_equal(verify(&t, w, "@rawx", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_int_equal(verify(&t, w, "@raw", "C=CH, CN=Root", true, "", &msg), ST_NOT_FOUND);
    credstore_remove_pubkeys(t.s, id);
    assert_int_equal(verify(&t, w, "@raw", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_int_equal(verify(&t, w, "@other", NULL, true, "raw;", &msg), ST_OK);
    ident_unref(id);
    ident_unref(other);
    cert_unref(c);
    cert_unref(d);
    store_close(&t);
}

/* ---- revocation: only what the store makes of the answers ---- */

static revocation answers[2]; /* for the end certificate, for the CA */

static revocation answer(void *ctx, credstore *s, const cert *c, const cert *issuer, int64_t now, msgbuf *msg)
{
    assert_int_equal(now, TEST_NOW);
    assert_true(ident_equal(cert_issuer(c), cert_subject(issuer)));
    revocation r = answers[(cert_flags(c) & CERT_CA) != 0];
    if (r == REV_REVOKED)
        msg_set(msg, "certificate was revoked on Monday");
    return r;
}

static void revocation_policy(void **state)
{
    static const struct {
        revocation end, ca;
        bool ok[3]; /* strictcrlpolicy no, yes, ifuri - without a URI */
    } rows[] = {
        {REV_GOOD, REV_GOOD, {1, 1, 1}},    {REV_REVOKED, REV_GOOD, {0, 0, 0}},
        {REV_GOOD, REV_REVOKED, {0, 0, 0}}, {REV_UNKNOWN, REV_GOOD, {1, 0, 1}},
        {REV_STALE, REV_GOOD, {1, 0, 1}},   {REV_SKIPPED, REV_SKIPPED, {1, 0, 1}},
        {REV_GOOD, REV_STALE, {1, 0, 1}},
    };
    store_test t;
    store_open(&t, NULL);
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    cert *c = end("gw", 2, "A", 1), *a = ca("A", 1, "Root", 0);
    cert *with_uri = order_cert(&(cert_order){.subject = "gw",
                                              .issuer = "Root",
                                              .key = keys.k[2],
                                              .signer = keys.k[0],
                                              .ext = {"crlDistributionPoints", "URI:http://x/y"}});
    credstore_set_revocation(t.s, &(revocation_ops){.check = answer});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int strict = 0; strict < 3; strict++) {
            msgbuf msg = {{0}};
            answers[0] = rows[i].end;
            answers[1] = rows[i].ca;
            status st = credstore_check_chain(t.s, c, &a, 1, strict, NULL, &msg);
            if ((st == ST_OK) != rows[i].ok[strict])
                fail_msg("row %zu, strict %d: %s", i, strict, msg.text);
            assert_int_equal(st == ST_OK, msg.text[0] == 0);
        }
    answers[0] = REV_UNKNOWN;
    msgbuf msg;
    assert_int_equal(credstore_check_chain(t.s, with_uri, NULL, 0, 2, NULL, &msg), ST_DENIED);
    assert_true(logged(&t, "constraint check failed: AUTHZ_CRL_VALIDATION is VALIDATION_FAILED, but requires "
                           "at least VALIDATION_GOOD"));
    /* a revoked certificate is not saved by standing in our folder */
    answers[0] = REV_REVOKED;
    add(&t, cert_ref(with_uri), DIR_CERTS);
    auth_wanted w = {.sent = &with_uri, .n_sent = 1};
    assert_int_equal(verify(&t, w, "C=CH, CN=gw", NULL, true, "", &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "was revoked on Monday"));
    cert_unref(c);
    cert_unref(a);
    cert_unref(with_uri);
    store_close(&t);
}

/* ---- folders, own certificates, CAs ---- */

static void write_cert(const store_test *t, const char *name, const cert *c)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/ipsec.d/%s", t->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    PEM_write_X509(f, (X509 *)(uintptr_t)cert_x509(c));
    fclose(f);
}

static bool count(void *ctx, cert *c, int64_t loaded_at)
{
    ++*(int *)ctx;
    return true;
}

static int cas_in(store_test *t)
{
    int n = 0;
    credstore_each_cert(t->s, DIR_CACERTS, count, &n);
    return n;
}

static void folders(void **state)
{
    store_test t;
    char path[200];
    store_open(&t, NULL);
    cert *root = ca("Root", 0, "Root", 0), *a = ca("A", 1, "Root", 0), *gw = end("gw", 2, "A", 1), *got,
         *again;
    write_cert(&t, "cacerts/root.pem", root);
    write_cert(&t, "cacerts/twice.pem", root);
    write_cert(&t, "cacerts/a.pem", a);
    write_cert(&t, "cacerts/noca.pem", gw);
    put_file(&t, "ipsec.d/cacerts/junk.pem", "no certificate", 0600);
    put_file(&t, "ipsec.d/cacerts/.hidden", "x", 0600);
    assert_int_equal(credstore_load_dir(t.s, DIR_CACERTS), ST_OK);
    assert_int_equal(cas_in(&t), 2);
    assert_true(logged(&t, "loading ca certificates from '"));
    assert_true(logged(&t, "  loaded certificate file '"));
    assert_true(logged(&t, "/junk.pem': "));
    assert_true(logged(&t, "is not one of a CA"));
    assert_false(logged(&t, ".hidden"));
    /* the same certificate read again is the same object; a file that went is gone; what was added by hand
     * stays */
    ident *id = id_of("C=CH, CN=Root");
    got = credstore_find_cert_by_subject(t.s, id);
    assert_int_equal(credstore_load_dir(t.s, DIR_CACERTS), ST_OK);
    again = credstore_find_cert_by_subject(t.s, id);
    assert_ptr_equal(got, again);
    cert_unref(got);
    cert_unref(again);
    add(&t, ca("Kept", 3, "Kept", 3), DIR_CACERTS);
    snprintf(path, sizeof(path), "%s/ipsec.d/cacerts/a.pem", t.dir);
    unlink(path);
    assert_int_equal(credstore_load_dir(t.s, DIR_CACERTS), ST_OK);
    assert_int_equal(cas_in(&t), 2);
    /* one file */
    msgbuf msg;
    write_cert(&t, "certs/gw.pem", gw);
    assert_int_equal(credstore_load_cert(t.s, "gw.pem", DIR_CERTS, &got, &msg), ST_OK);
    assert_true(cert_equal(got, gw));
    snprintf(path, sizeof(path), "%s/ipsec.d/certs/gw.pem", t.dir);
    assert_int_equal(credstore_load_cert(t.s, path, DIR_CERTS, &again, &msg), ST_OK);
    assert_ptr_equal(got, again);
    cert_unref(got);
    cert_unref(again);
    assert_int_equal(credstore_load_cert(t.s, "none.pem", DIR_CERTS, &got, &msg), ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "/ipsec.d/certs/none.pem"));
    assert_null(got);
    ident_unref(id);
    cert_unref(root);
    cert_unref(a);
    cert_unref(gw);
    store_close(&t);
}

static void own_certificate_and_chain(void **state)
{
    store_test t;
    msgbuf msg;
    store_open(&t, NULL);
    add(&t, ca("Root", 0, "Root", 0), DIR_CACERTS);
    add(&t, ca("A", 1, "Root", 0), DIR_CACERTS);
    cert *peer = end("gw", 3, "A", 1), *mine = end("gw", 2, "A", 1), *out[4];
    add(&t, cert_ref(peer), DIR_CERTS); /* same name, no key of ours */
    add(&t, cert_ref(mine), DIR_CERTS);
    privkey *k;
    EVP_PKEY_up_ref(keys.k[2]);
    uint8_t *der = NULL;
    int n = i2d_PrivateKey(keys.k[2], &der);
    EVP_PKEY_free(keys.k[2]);
    assert_int_equal(privkey_from_data(&k, span_of(der, (size_t)n), NULL, &msg), ST_OK);
    OPENSSL_free(der);
    ident *id = id_of("C=CH, CN=gw"), *root_id = id_of("C=CH, CN=Root"), *bad = id_of("C=CH, CN=Bad");
    assert_null(credstore_find_own_cert(t.s, KEY_ANY, id, NULL));
    assert_int_equal(credstore_add_privkey(t.s, k), ST_OK);
    cert *c = credstore_find_own_cert(t.s, KEY_ANY, id, NULL);
    assert_ptr_equal(c, mine);
    cert_unref(c);
    c = credstore_find_own_cert(t.s, KEY_ECDSA, id, root_id);
    assert_ptr_equal(c, mine);
    cert_unref(c);
    assert_null(credstore_find_own_cert(t.s, KEY_ECDSA, id, bad));
    assert_null(credstore_find_own_cert(t.s, KEY_RSA, id, NULL));
    privkey *found = credstore_find_privkey(t.s, KEY_ANY, mine, NULL, &msg);
    assert_ptr_equal(found, k);
    privkey_unref(found);
    found = credstore_find_privkey(t.s, KEY_ANY, NULL, id, &msg);
    assert_ptr_equal(found, k);
    privkey_unref(found);
    assert_null(credstore_find_privkey(t.s, KEY_ANY, peer, NULL, &msg));
    assert_non_null(strstr(msg.text, "belongs to certificate \"C=CH, CN=gw\""));
    assert_int_equal(credstore_chain(t.s, mine, out, 4), 1); /* A; the root is not sent */
    assert_string_equal(IDENT_STR(cert_subject(out[0])), "C=CH, CN=A");
    cert_unref(out[0]);
    assert_int_equal(credstore_chain(t.s, mine, out, 0), 0);
    assert_true(credstore_issued_below(t.s, mine, root_id));
    assert_false(credstore_issued_below(t.s, mine, bad));
    cert *claims = end("x", 3, "Root", 5); /* says Root, and Root did not sign it */
    assert_false(credstore_issued_below(t.s, claims, root_id));
    cert_unref(claims);
    ident_unref(id);
    ident_unref(root_id);
    ident_unref(bad);
    privkey_unref(k);
    cert_unref(peer);
    cert_unref(mine);
    store_close(&t);
}

static bool see_ca(void *ctx, const ca_info *info, int64_t loaded_at)
{
    buf_printf(ctx, "%s %s;", info->name, info->crluri ? info->crluri : "-");
    return true;
}

static void ca_sections(void **state)
{
    store_test t;
    msgbuf msg = {{0}};
    buf b = {0};
    store_open(&t, NULL);
    cert *root = ca("Root", 0, "Root", 0);
    write_cert(&t, "cacerts/root.pem", root);
    assert_int_equal(
        credstore_add_ca(t.s, &(ca_info){.name = "lab", .cacert = "root.pem", .crluri = "http://x"}, &msg),
        ST_OK);
    assert_int_equal(credstore_add_ca(t.s, &(ca_info){.name = "lab", .cacert = "root.pem"}, &msg), ST_EXISTS);
    assert_int_equal(credstore_add_ca(t.s, &(ca_info){.name = "b", .cacert = "none.pem"}, &msg),
                     ST_NOT_FOUND);
    assert_non_null(strstr(msg.text, "ca 'b'"));
    assert_int_equal(credstore_add_ca(t.s, &(ca_info){.name = "c"}, &msg), ST_INVALID);
    assert_int_equal(credstore_add_ca(t.s, &(ca_info){.name = "d", .cacert = "root.pem"}, &msg), ST_OK);
    credstore_each_ca(t.s, see_ca, &b);
    assert_string_equal(buf_cstr(&b), "lab http://x;d -;");
    ACCEPTED(judge(&t, end("gw", 1, "Root", 0), NULL, NULL, NULL));
    assert_int_equal(credstore_del_ca(t.s, "lab"), ST_OK);
    assert_int_equal(credstore_del_ca(t.s, "lab"), ST_NOT_FOUND);
    cert_unref(root);
    buf_free(&b);
    store_close(&t);
}

/* ---- many readers while everything is loaded again and again ---- */

static atomic_bool stop;

static void *reader(void *arg)
{
    store_test *t = arg;
    intptr_t bad = 0;
    cert *c = end("gw", 2, "Root", 0);
    ident *moon = id_of("@moon"), *sun = id_of("@sun");
    while (!atomic_load(&stop)) {
        secret psk;
        if (credstore_check_chain(t->s, c, NULL, 0, 0, NULL, NULL) != ST_OK)
            bad++;
        if (credstore_find_shared(t->s, SECRET_PSK, (const ident *const *)&moon, 1,
                                  (const ident *const *)&sun, 1, &psk, NULL) != ST_OK)
            bad++;
        secret_free(&psk);
    }
    ident_unref(moon);
    ident_unref(sun);
    cert_unref(c);
    return (void *)bad;
}

static void reload_under_readers(void **state)
{
    store_test t;
    pthread_t threads[4];
    store_open(&t, NULL);
    cert *root = ca("Root", 0, "Root", 0);
    write_cert(&t, "cacerts/root.pem", root);
    put_file(&t, "ipsec.secrets", "@moon @sun : PSK \"a secret that is long enough\"\n", 0600);
    assert_int_equal(credstore_load_dir(t.s, DIR_CACERTS), ST_OK);
    assert_int_equal(credstore_load_secrets(t.s, NULL, NULL), ST_OK);
    atomic_store(&stop, false);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, reader, &t);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(credstore_load_dir(t.s, DIR_CACERTS), ST_OK);
        assert_int_equal(credstore_load_secrets(t.s, NULL, NULL), ST_OK);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 4; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    cert_unref(root);
    store_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains),
        cmocka_unit_test(deep_chain),
        cmocka_unit_test(constraints),
        cmocka_unit_test(validity),
        cmocka_unit_test(loops),
        cmocka_unit_test(bad_one_does_not_shadow),
        cmocka_unit_test(intermediate_as_anchor),
        cmocka_unit_test(who_is_trusted),
        cmocka_unit_test(wrong_purpose),
        cmocka_unit_test(raw_keys),
        cmocka_unit_test(revocation_policy),
        cmocka_unit_test(folders),
        cmocka_unit_test(own_certificate_and_chain),
        cmocka_unit_test(ca_sections),
        cmocka_unit_test(reload_under_readers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
