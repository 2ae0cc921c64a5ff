/* What our objects cost beside the same work asked of OpenSSL's EVP in its plainest form: tiny hashes and
 * MACs as IKE does them, packets as ESP does them, Diffie-Hellman for every group.   bench_crypto [seconds
 * per round]
 */
#include "libstrongswan/crypto/crypto.h"
#include "tests/bench/bench.h"
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static crypto *c;
static double round_s = 0.03;
static uint8_t data[2048], out[4096];
static const uint8_t key[64] = {1, 2, 3, 4, 5, 6, 7, 8};

static void row(const char *what, double ours, double theirs)
{
    if (theirs > 0)
        printf("%-34s %10.2f us %10.2f us %8.2f\n", what, ours * 1e6, theirs * 1e6, ours / theirs);
    else
        printf("%-34s %10.2f us\n", what, ours * 1e6);
}

/* ---- MACs ---- */

typedef struct mac_case {
    prf *p;
    signer *s;
    const EVP_MD *md;
    prf_alg alg;
    size_t n;
} mac_case;

static void prf_once(void *ctx)
{
    mac_case *m = ctx;
    span part = span_of(data, m->n);
    prf *p;
    MUST(prf_new(c, &p, m->alg, span_of(key, 32)) == ST_OK);
    MUST(prf_compute(p, &part, 1, out) == ST_OK);
    prf_free(p);
}

static void prf_keyed(void *ctx)
{
    mac_case *m = ctx;
    span part = span_of(data, m->n);
    MUST(prf_compute(m->p, &part, 1, out) == ST_OK);
}

static void sign(void *ctx)
{
    mac_case *m = ctx;
    span part = span_of(data, m->n);
    MUST(signer_sign(m->s, &part, 1, out) == ST_OK);
}

static void evp_hmac(void *ctx)
{
    mac_case *m = ctx;
    unsigned n = sizeof out;
    MUST(HMAC(m->md, key, 32, data, m->n, out, &n));
}

static void bench_macs(void)
{
    static const struct {
        prf_alg prf;
        integ_alg integ;
        const char *name, *md;
    } algs[] = {{PRF_HMAC_SHA2_256, INTEG_HMAC_SHA2_256_128, "HMAC_SHA2_256", "SHA256"},
                {PRF_HMAC_SHA1, INTEG_HMAC_SHA1_96, "HMAC_SHA1", "SHA1"},
                {PRF_HMAC_SHA2_512, INTEG_HMAC_SHA2_512_256, "HMAC_SHA2_512", "SHA512"},
                {PRF_AES128_XCBC, INTEG_AES_XCBC_96, "AES_XCBC", NULL}};
    static const size_t sizes[] = {64, 300, 1400};
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++)
        for (size_t j = 0; j < 3; j++) {
            char name[64];
            mac_case m = {.alg = algs[i].prf, .n = sizes[j]};
            double evp = 0;
            m.md = algs[i].md ? EVP_MD_fetch(NULL, algs[i].md, NULL) : NULL;
            if (m.md)
                evp = bench_time(evp_hmac, &m, round_s);
            MUST(prf_new(c, &m.p, m.alg, span_of(key, 32)) == ST_OK);
            MUST(signer_new(c, &m.s, algs[i].integ, span_of(key, integ_key_bytes(algs[i].integ))) == ST_OK);
            snprintf(name, sizeof name, "%s prf new+compute %zu", algs[i].name, m.n);
            row(name, bench_time(prf_once, &m, round_s), evp);
            snprintf(name, sizeof name, "%s prf compute %zu", algs[i].name, m.n);
            row(name, bench_time(prf_keyed, &m, round_s), evp);
            snprintf(name, sizeof name, "%s sign %zu", algs[i].name, m.n);
            row(name, bench_time(sign, &m, round_s), evp);
            prf_free(m.p);
            signer_free(m.s);
            EVP_MD_free((EVP_MD *)(uintptr_t)m.md);
        }
}

/* ---- ciphers ---- */

typedef struct encr_case {
    aead *a;
    crypter *x;
    EVP_CIPHER_CTX *evp;
    size_t n, iv;
} encr_case;

static void seal(void *ctx)
{
    encr_case *e = ctx;
    MUST(aead_seal(e->a, span_of(data, 8), span_of(data, 8), span_of(data, e->n), out) == ST_OK);
}

static void evp_seal(void *ctx)
{
    encr_case *e = ctx;
    int n;
    MUST(EVP_EncryptInit_ex(e->evp, NULL, NULL, NULL, data));
    MUST(EVP_EncryptUpdate(e->evp, NULL, &n, data, 8));
    MUST(EVP_EncryptUpdate(e->evp, out, &n, data, (int)e->n));
    MUST(EVP_EncryptFinal_ex(e->evp, out + n, &n));
    MUST(EVP_CIPHER_CTX_ctrl(e->evp, EVP_CTRL_AEAD_GET_TAG, 16, out + e->n));
}

static void cbc(void *ctx)
{
    encr_case *e = ctx;
    MUST(crypter_encrypt(e->x, span_of(data, e->iv), span_of(data, e->n), out) == ST_OK);
}

static void evp_cbc(void *ctx)
{
    encr_case *e = ctx;
    int n;
    MUST(EVP_EncryptInit_ex(e->evp, NULL, NULL, NULL, data));
    MUST(EVP_EncryptUpdate(e->evp, out, &n, data, (int)e->n));
}

static void bench_ciphers(void)
{
    static const struct {
        encr_alg alg;
        size_t key;
        const char *name, *evp;
    } algs[] = {{ENCR_AES_GCM_16, 20, "AES_GCM_16_128 seal", "AES-128-GCM"},
                {ENCR_CHACHA20_POLY1305, 36, "CHACHA20_POLY1305 seal", "ChaCha20-Poly1305"},
                {ENCR_AES_CBC, 16, "AES_CBC_128 encrypt", "AES-128-CBC"},
                {ENCR_3DES, 24, "3DES_CBC encrypt", "DES-EDE3-CBC"}};
    static const size_t sizes[] = {64, 304, 1408};
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++)
        for (size_t j = 0; j < 3; j++) {
            char name[64];
            encr_case e = {.n = sizes[j], .iv = encr_iv_bytes(algs[i].alg), .evp = EVP_CIPHER_CTX_new()};
            EVP_CIPHER *evp = EVP_CIPHER_fetch(NULL, algs[i].evp, NULL);
            MUST(evp && e.evp && EVP_EncryptInit_ex(e.evp, evp, NULL, key, data));
            EVP_CIPHER_CTX_set_padding(e.evp, 0);
            snprintf(name, sizeof name, "%s %zu", algs[i].name, e.n);
            if (encr_is_aead((uint16_t)algs[i].alg)) {
                MUST(aead_new(c, &e.a, algs[i].alg, span_of(key, algs[i].key)) == ST_OK);
                row(name, bench_time(seal, &e, round_s), bench_time(evp_seal, &e, round_s));
            } else {
                MUST(crypter_new(c, &e.x, algs[i].alg, span_of(key, algs[i].key)) == ST_OK);
                row(name, bench_time(cbc, &e, round_s), bench_time(evp_cbc, &e, round_s));
            }
            aead_free(e.a);
            crypter_free(e.x);
            EVP_CIPHER_CTX_free(e.evp);
            EVP_CIPHER_free(evp);
        }
}

/* ---- Diffie-Hellman: key pair and shared secret, what each side of a handshake does ---- */

typedef struct dh_case {
    dh_group group;
    dh *peer;
    EVP_PKEY *params, *evp_peer;
} dh_case;

static void dh_whole(void *ctx)
{
    dh_case *d = ctx;
    dh *own;
    secret s = {0};
    MUST(dh_new(c, &own, d->group) == ST_OK);
    MUST(dh_compute(own, dh_public(d->peer), &s) == ST_OK);
    secret_free(&s);
    dh_free(own);
}

static EVP_PKEY *evp_keygen(EVP_PKEY *params)
{
    EVP_PKEY *k = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(params, NULL);
    MUST(ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_keygen(ctx, &k) == 1);
    EVP_PKEY_CTX_free(ctx);
    return k;
}

static void evp_dh_whole(void *ctx)
{
    dh_case *d = ctx;
    EVP_PKEY *own = evp_keygen(d->params);
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(own, NULL);
    size_t n = sizeof out;
    MUST(x && EVP_PKEY_derive_init(x) == 1 && EVP_PKEY_derive_set_peer(x, d->evp_peer) == 1 &&
         EVP_PKEY_derive(x, out, &n) == 1);
    EVP_PKEY_CTX_free(x);
    EVP_PKEY_free(own);
}

/* A key serves as parameters for more keys of its kind. */
static EVP_PKEY *evp_params(const char *kind, const char *group)
{
    EVP_PKEY *k = NULL;
    if (group[0] == '\0') {
        k = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    } else if (kind[0] == 'E') {
        k = EVP_EC_gen(group);
    } else {
        OSSL_PARAM params[] = {{"group", OSSL_PARAM_UTF8_STRING, (void *)(uintptr_t)group, strlen(group), 0},
                               {NULL, 0, NULL, 0, 0}};
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
        MUST(ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_params(ctx, params) == 1);
        MUST(EVP_PKEY_keygen(ctx, &k) == 1);
        EVP_PKEY_CTX_free(ctx);
    }
    MUST(k);
    return k;
}

static void bench_dh(void)
{
    static const struct {
        dh_group group;
        const char *kind, *evp;
    } groups[] = {{DH_CURVE25519, "X25519", ""},     {DH_CURVE448, "X448", ""},
                  {DH_ECP_256, "EC", "P-256"},       {DH_ECP_384, "EC", "P-384"},
                  {DH_ECP_521, "EC", "P-521"},       {DH_MODP_1536, "DH", "modp_1536"},
                  {DH_MODP_2048, "DH", "modp_2048"}, {DH_MODP_3072, "DH", "modp_3072"},
                  {DH_MODP_4096, "DH", "modp_4096"}, {DH_MODP_8192, "DH", "modp_8192"},
                  {DH_MODP_1024, NULL, NULL},        {DH_MODP_2048_256, NULL, NULL}};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        char name[64];
        dh_case d = {.group = groups[i].group};
        double evp = 0;
        MUST(dh_new(c, &d.peer, d.group) == ST_OK);
        if (groups[i].kind) {
            d.params = evp_params(groups[i].kind, groups[i].evp);
            d.evp_peer = evp_keygen(d.params);
            evp = bench_time(evp_dh_whole, &d, round_s);
        }
        snprintf(name, sizeof name, "%s pair+secret", enum_lookup(&dh_names, groups[i].group));
        row(name, bench_time(dh_whole, &d, round_s), evp);
        EVP_PKEY_free(d.params);
        EVP_PKEY_free(d.evp_peer);
        dh_free(d.peer);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        round_s = atof(argv[1]);
    MUST(crypto_load(&c, argc > 2 ? argv[2] : NULL, NULL, NULL) == ST_OK);
    printf("%-34s %13s %13s %8s\n", "CPU per operation", "ours", "plain EVP", "ratio");
    bench_macs();
    bench_ciphers();
    bench_dh();
    crypto_free(c);
    return 0;
}
