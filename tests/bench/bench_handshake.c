/* What a handshake costs each side, beside the bare Diffie-Hellman and signature operations that side cannot
 * avoid, measured in the same run; and what an established SA costs in memory.
 *
 *   bench_handshake [handshakes per kind [SAs for the memory figure [part of the kinds' names]]]
 *
 * Initiators are so many road warriors with an address each; the responder has one conn for all of them. Bare
 * cost: one key pair and one shared secret per DH (two of them with PFS in IKEv1), and where there are
 * signatures one own signature and two verifications, of the peer's signature and of its CA's in its
 * certificate. Nobody listens to the log.
 */
#include "charon/charon.h"
#include "pluto/pluto.h"
#include "tests/bench/side.h"
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct kind {
    const char *name;
    conn_version version;
    const char *ike, *esp;
    key_type key; /* KEY_ANY: pre-shared key */
    dh_group group;
    bool pfs;
    double aim; /* of the responder; 0 = none */
} kind;

// clang-format off
static const kind kinds[] = {
    {"IKEv2 PSK X25519",           CONN_IKEV2, "aes128gcm16-sha256-curve25519!", "aes128gcm16!", KEY_ANY,   DH_CURVE25519, false, 3.0},
    {"IKEv2 PSK MODP2048",         CONN_IKEV2, "aes128-sha256-modp2048!",        "aes128gcm16!", KEY_ANY,   DH_MODP_2048,  false, 2.5},
    {"IKEv2 RSA2048 X25519",       CONN_IKEV2, "aes128gcm16-sha256-curve25519!", "aes128gcm16!", KEY_RSA,   DH_CURVE25519, false, 1.3},
    {"IKEv2 ECDSA256 X25519",      CONN_IKEV2, "aes128gcm16-sha256-curve25519!", "aes128gcm16!", KEY_ECDSA, DH_CURVE25519, false, 3.0},
    {"IKEv1 PSK MODP2048",         CONN_IKEV1, "aes128-sha1-modp2048!",          "aes128-sha1!", KEY_ANY,   DH_MODP_2048,  false, 2.7},
    {"IKEv1 PSK MODP2048, PFS",    CONN_IKEV1, "aes128-sha1-modp2048!",          "aes128-sha1!", KEY_ANY,   DH_MODP_2048,  true,  0},
    {"IKEv1 RSA2048 MODP2048",     CONN_IKEV1, "aes128-sha1-modp2048!",          "aes128-sha1!", KEY_RSA,   DH_MODP_2048,  false, 0},
};
// clang-format on

enum { RESPONDER, INITIATOR, SIDES, BATCH = 50 };
static const char *const names[SIDES] = {"responder", "initiator"};

typedef struct pair {
    side s[SIDES];
    charon *c[SIDES];
    pluto *p[SIDES];
    unsigned up, failed;
    char why[256];
} pair;

static char folder[] = "/tmp/bench-handshake-XXXXXX";

/* ---- keys and certificates ---- */

static EVP_PKEY *new_key(key_type type)
{
    EVP_PKEY *k = type == KEY_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    MUST(k);
    return k;
}

static void extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    MUST(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static cert *new_cert(const char *cn, EVP_PKEY *key, const char *ca_cn, EVP_PKEY *ca_key, long serial)
{
    X509 *x = X509_new();
    cert *out;
    msgbuf msg;
    MUST(x && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), serial));
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    MUST(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1,
                                    0));
    MUST(X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC, (const uint8_t *)ca_cn, -1,
                                    -1, 0));
    MUST(X509_set_pubkey(x, key));
    extension(x, NID_basic_constraints, key == ca_key ? "critical,CA:TRUE" : "CA:FALSE");
    extension(x, NID_key_usage, key == ca_key ? "keyCertSign,cRLSign" : "digitalSignature");
    MUST(X509_sign(x, ca_key, EVP_sha256()) > 0);
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    MUST(n > 0 && cert_from_data(&out, span_of(der, (size_t)n), &msg) == ST_OK);
    OPENSSL_free(der);
    X509_free(x);
    return out;
}

static privkey *own_privkey(EVP_PKEY *key)
{
    uint8_t *der = NULL;
    privkey *out;
    msgbuf msg;
    int n = i2d_PrivateKey(key, &der);
    MUST(n > 0 && privkey_from_data(&out, span_of(der, (size_t)n), NULL, &msg) == ST_OK);
    OPENSSL_free(der);
    return out;
}

static char *cert_path(const char *who, char *dst, size_t size)
{
    snprintf(dst, size, "%s/%s.der", folder, who);
    return dst;
}

static void write_cert(const cert *c, const char *who)
{
    char path[128];
    FILE *f = fopen(cert_path(who, path, sizeof path), "w");
    MUST(f && fwrite(cert_der(c).p, 1, cert_der(c).n, f) == cert_der(c).n);
    MUST(fclose(f) == 0);
}

static void give_certs(pair *p, key_type type)
{
    EVP_PKEY *ca_key = new_key(type);
    cert *ca = new_cert("Bench CA", ca_key, "Bench CA", ca_key, 1);
    for (int i = 0; i < SIDES; i++) {
        EVP_PKEY *key = new_key(type);
        cert *own = new_cert(names[i], key, "Bench CA", ca_key, 2 + i);
        privkey *priv = own_privkey(key);
        write_cert(own, names[i]);
        MUST(credstore_add_cert(p->s[i].e.cred, ca, DIR_CACERTS) == ST_OK);
        MUST(credstore_add_privkey(p->s[i].e.cred, priv) == ST_OK);
        privkey_unref(priv);
        cert_unref(own);
        EVP_PKEY_free(key);
    }
    cert_unref(ca);
    EVP_PKEY_free(ca_key);
}

/* ---- conns ---- */

static conn *new_conn(const kind *k, const char *name, int who, const char *own, const char *peer)
{
    conn *c;
    msgbuf msg;
    MUST(conn_new(&c, name) == ST_OK);
    c->version = k->version;
    c->authby = k->key == KEY_ANY ? AUTH_PSK : AUTH_PUBKEY;
    c->pfs = k->pfs;
    c->uniqueids = UNIQUE_NO;
    c->autostart = AUTO_ADD;
    MUST(conn_set_str(c, &c->ike, k->ike) == ST_OK && conn_set_str(c, &c->esp, k->esp) == ST_OK);
    MUST(conn_end_set_host(c, &c->left, own, &msg) == ST_OK);
    MUST(conn_end_set_host(c, &c->right, peer, &msg) == ST_OK);
    if (k->key != KEY_ANY) {
        char path[128];
        MUST(conn_set_str(c, &c->left.cert, cert_path(names[who], path, sizeof path)) == ST_OK);
        if (who == INITIATOR)
            MUST(conn_set_str(c, &c->right.id_text, "CN=responder") == ST_OK);
    }
    if (conn_seal(c, &msg) != ST_OK) {
        fprintf(stderr, "%s\n", msg.text);
        exit(1);
    }
    return c;
}

static void add_conn(pair *p, int who, conn *c)
{
    msgbuf msg;
    status st = p->c[who] ? charon_add_conn(p->c[who], c, &msg) : pluto_add_conn(p->p[who], c, false, &msg);
    if (st != ST_OK) {
        fprintf(stderr, "%s\n", msg.text);
        exit(1);
    }
    conn_unref(c);
}

static char *initiator_name(unsigned i, char dst[32])
{
    snprintf(dst, 32, "i%u", i);
    return dst;
}

static void add_initiator(pair *p, const kind *k, unsigned i)
{
    char name[32], addr[32];
    snprintf(addr, sizeof addr, "10.1.%u.%u", i / 250, i % 250 + 1);
    add_conn(p, INITIATOR, new_conn(k, initiator_name(i, name), INITIATOR, addr, "192.0.2.1"));
}

/* ---- engines ---- */

static void pair_make(pair *p, const kind *k)
{
    static const char *const addresses[SIDES] = {"192.0.2.1/32", "10.1.0.0/16"};
    static const char conf[] =
        "charon {\n reuse_ikesa = no\n cookie_threshold = 0\n block_threshold = 0\n}\n";
    const char *daemon = k->version == CONN_IKEV2 ? "charon" : "pluto";
    msgbuf msg;
    memset(p, 0, sizeof *p);
    for (int i = 0; i < SIDES; i++) {
        side_make(&p->s[i], &p->s[!i], daemon, addresses[i], conf);
        MUST(credstore_add_shared(p->s[i].e.cred, SECRET_PSK, NULL, 0,
                                  SPAN_LIT("what the benches share 0123456")) == ST_OK);
    }
    if (k->key != KEY_ANY)
        give_certs(p, k->key);
    for (int i = 0; i < SIDES; i++) {
        if (k->version == CONN_IKEV2) {
            MUST(charon_new(&p->c[i], &p->s[i].e, &msg) == ST_OK);
        } else {
            MUST(pluto_new(&p->p[i], &p->s[i].e, &(pluto_options){.max_half_open = 100000}, &msg) == ST_OK);
            pluto_listen(p->p[i]);
        }
    }
    add_conn(p, RESPONDER, new_conn(k, "all", RESPONDER, "192.0.2.1", "%any"));
    sides_run(&p->s[0], &p->s[1]);
}

static void pair_free(pair *p)
{
    for (int i = 0; i < SIDES; i++) {
        charon_free(p->c[i]);
        pluto_free(p->p[i]);
    }
    for (int i = 0; i < SIDES; i++)
        side_free(&p->s[i]);
}

static void charon_done(void *ctx, status result, const char *why)
{
    pair *p = ctx;
    if (result == ST_OK)
        p->up++;
    else
        p->failed++;
    if (result != ST_OK)
        snprintf(p->why, sizeof p->why, "%s", why ? why : status_text(result));
}

static void pluto_line(void *ctx, int code, const char *text)
{
    pair *p = ctx;
    if (code != 4)
        snprintf(p->why, sizeof p->why, "%03d %s", code, text);
}

static void pluto_done(void *ctx, int exit_code)
{
    pair *p = ctx;
    if (exit_code == 0)
        p->up++;
    else
        p->failed++;
}

static void handshake(pair *p, unsigned i)
{
    char name[32];
    side *s = &p->s[INITIATOR];
    initiator_name(i, name);
    side_now_ms++;
    side_begin(s);
    if (p->c[INITIATOR])
        charon_initiate(p->c[INITIATOR], name, &(charon_wait){.done = charon_done, .ctx = p});
    else
        pluto_initiate(p->p[INITIATOR], name, false,
                       &(pluto_waiter){.line = pluto_line, .done = pluto_done, .ctx = p});
    side_end(s);
    sides_run(&p->s[INITIATOR], &p->s[RESPONDER]);
    if (p->failed || p->up != i + 1) {
        fprintf(stderr, "handshake %u did not come up: %s\n", i, p->why);
        exit(1);
    }
}

/* Both sides really have what they should. */
static void check_established(pair *p, unsigned n)
{
    for (int i = 0; i < SIDES; i++)
        if (kernel_fake_sas(p->s[i].e.kernel) != 2u * n) {
            fprintf(stderr, "the %s has %zu ESP SAs after %u handshakes\n", names[i],
                    kernel_fake_sas(p->s[i].e.kernel), n);
            exit(1);
        }
}

/* ---- bare cost ---- */

typedef struct bare {
    crypto *c;
    dh *peer;
    dh_group group;
    privkey *key;
    sig_scheme scheme;
    buf sig;
} bare;

static const uint8_t signed_octets[400];

static void bare_dh(void *ctx)
{
    bare *b = ctx;
    dh *own;
    secret s = {0};
    MUST(dh_new(b->c, &own, b->group) == ST_OK && dh_compute(own, dh_public(b->peer), &s) == ST_OK);
    secret_free(&s);
    dh_free(own);
}

static void bare_sign(void *ctx)
{
    bare *b = ctx;
    buf_reset(&b->sig);
    MUST(privkey_sign(b->key, b->scheme, SPAN_ARRAY(signed_octets), &b->sig) == ST_OK);
}

static void bare_verify(void *ctx)
{
    bare *b = ctx;
    MUST(pubkey_verify(privkey_public(b->key), b->scheme, SPAN_ARRAY(signed_octets), buf_span(&b->sig)) ==
         ST_OK);
}

static double bare_cost(const kind *k)
{
    bare b = {.group = k->group};
    MUST(crypto_load(&b.c, "openssl random", NULL, NULL) == ST_OK && dh_new(b.c, &b.peer, b.group) == ST_OK);
    double cost = bench_time(bare_dh, &b, 0.02) * (k->pfs ? 2 : 1);
    if (k->key != KEY_ANY) {
        EVP_PKEY *key = new_key(k->key);
        b.key = own_privkey(key);
        b.scheme = k->key == KEY_RSA ? SIG_RSA_PKCS1_SHA2_256 : SIG_ECDSA_256;
        cost += bench_time(bare_sign, &b, 0.02) + 2 * bench_time(bare_verify, &b, 0.02);
        privkey_unref(b.key);
        EVP_PKEY_free(key);
        buf_free(&b.sig);
    }
    dh_free(b.peer);
    crypto_free(b.c);
    return cost;
}

/* ---- figures ---- */

static void bench_kind(const kind *k, unsigned n)
{
    static pair p;
    double best[SIDES] = {1e9, 1e9};
    double cost = bare_cost(k);
    pair_make(&p, k);
    for (unsigned i = 0; i < n; i++)
        add_initiator(&p, k, i);
    sides_run(&p.s[0], &p.s[1]);
    for (unsigned i = 0; i < n; i += BATCH) {
        double before[SIDES] = {p.s[0].cpu, p.s[1].cpu};
        for (unsigned j = i; j < i + BATCH; j++)
            handshake(&p, j);
        for (int s = 0; s < SIDES; s++) {
            double each = (p.s[s].cpu - before[s]) / BATCH;
            if (each < best[s])
                best[s] = each;
        }
    }
    check_established(&p, n);
    char aim[16] = "-";
    if (k->aim > 0)
        snprintf(aim, sizeof aim, "%.1f", k->aim);
    printf("%-26s %8.0f %9.1f %9.1f %9.1f %7.2f %7.2f %5s\n", k->name, 1 / (best[0] + best[1]),
           best[INITIATOR] * 1e6, best[RESPONDER] * 1e6, cost * 1e6, best[INITIATOR] / cost,
           best[RESPONDER] / cost, aim);
    fflush(stdout);
    pair_free(&p);
}

static void bench_memory(const kind *k, unsigned n)
{
    static pair p;
    pair_make(&p, k);
    for (unsigned i = 0; i < n; i++)
        add_initiator(&p, k, i);
    sides_run(&p.s[0], &p.s[1]);
    handshake(&p, 0); /* tables, contexts of the libraries: not of the SA */
    for (int s = 0; s < SIDES; s++)
        p.s[s].measure_heap = true;
    for (unsigned i = 1; i < n; i++)
        handshake(&p, i);
    check_established(&p, n);
    printf("%-26s %8u %9.1f KiB initiator %9.1f KiB responder, fake kernel's SAs included\n", k->name, n,
           (double)p.s[INITIATOR].heap / (n - 1) / 1024, (double)p.s[RESPONDER].heap / (n - 1) / 1024);
    pair_free(&p);
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 300, sas = argc > 2 ? (unsigned)atoi(argv[2]) : 10000;
    const char *only = argc > 3 ? argv[3] : "";
    n = (n + BATCH - 1) / BATCH * BATCH;
    MUST(mkdtemp(folder));
    printf("%-26s %8s %9s %9s %9s %15s %5s\n", "handshake", "per s", "initiator", "responder", "bare",
           "times bare", "aim");
    printf("%-26s %8s %9s %9s %9s %7s %7s %5s\n", "", "both", "us CPU", "us CPU", "us CPU", "init.", "resp.",
           "resp.");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strstr(kinds[i].name, only))
            bench_kind(&kinds[i], n);
    printf("\nheap per established IKE SA with one CHILD SA\n");
    for (size_t i = 0; sas && i < sizeof kinds / sizeof kinds[0]; i += 4)
        if (strstr(kinds[i].name, only))
            bench_memory(&kinds[i], sas);
    for (int i = 0; i < SIDES; i++) {
        char path[128];
        unlink(cert_path(names[i], path, sizeof path));
    }
    rmdir(folder);
    return 0;
}
