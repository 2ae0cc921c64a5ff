/* The registry: what is loaded, what is refused, and that every algorithm of the default plugins passes its
 * vectors. */
#include "libstrongswan/crypto/registry.h"
#include "libstrongswan/crypto/vectors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

typedef struct heard {
    char text[8192];
    size_t n;
} heard;

static void hear(void *ctx, const log_event *ev)
{
    heard *h = ctx;
    if (h->n + strlen(ev->text) + 2 < sizeof h->text)
        h->n += (size_t)sprintf(h->text + h->n, "%s\n", ev->text);
}

static log_bus *listen_to(heard *h)
{
    log_bus *bus;
    int levels[LG_COUNT];
    for (int i = 0; i < LG_COUNT; i++)
        levels[i] = 2;
    assert_int_equal(log_bus_new(&bus, &(log_bus_config){.direct = true}), ST_OK);
    assert_int_not_equal(log_listen(bus, 0, levels, hear, h), 0);
    return bus;
}

static void test_nothing_is_refused(void **state)
{
    heard h = {0};
    log_bus *bus = listen_to(&h);
    log_scope scope = {.bus = bus};
    crypto *c;
    assert_int_equal(crypto_load(&c, NULL, NULL, &scope), ST_OK);
    for (int cls = 0; cls < CLASS_COUNT; cls++)
        for (size_t i = 0; i < c->n[cls]; i++)
            if (!(c->entries[cls][i].flags & OPS_ON_DEMAND) && c->entries[cls][i].state != ENTRY_GOOD)
                fail_msg("%s", h.text);
    /* those that wait until they are asked for, too */
    for (int cls = 0; cls < CLASS_COUNT; cls++)
        for (size_t i = 0; i < c->n[cls]; i++) {
            msgbuf why;
            if (c->entries[cls][i].flags & OPS_ON_DEMAND &&
                vectors_check(c, &c->entries[cls][i], &why) != ST_OK)
                fail_msg("%s %u: %s", c->entries[cls][i].plugin, c->entries[cls][i].alg, why.text);
        }
    crypto_free(c);
    log_bus_free(bus);
}

/* Each algorithm's every implementation was tested, not only the first; and the software ones do without
 * openssl. */
static void test_software_plugins_alone(void **state)
{
    static const encr_alg encr[] = {ENCR_AES_CBC, ENCR_3DES, ENCR_DES, ENCR_TWOFISH_CBC, ENCR_SERPENT_CBC};
    static const prf_alg prfs[] = {PRF_HMAC_MD5,      PRF_HMAC_SHA1,     PRF_HMAC_SHA2_256,
                                   PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_512, PRF_AES128_XCBC,
                                   PRF_AES128_CMAC,   PRF_FIPS_SHA1_160, PRF_KEYED_SHA1};
    static const integ_alg integ[] = {
        INTEG_HMAC_MD5_96,       INTEG_HMAC_SHA1_96,      INTEG_AES_XCBC_96, INTEG_HMAC_SHA2_256_128,
        INTEG_HMAC_SHA2_384_192, INTEG_HMAC_SHA2_512_256, INTEG_AES_CMAC_96, INTEG_HMAC_SHA2_256_96};
    heard h = {0};
    log_bus *bus = listen_to(&h);
    log_scope scope = {.bus = bus};
    crypto *c;
    const char *list = "aes des twofish serpent md4 md5 sha1 sha2 hmac xcbc cmac fips-prf gmp random";
    assert_int_equal(crypto_load(&c, list, NULL, &scope), ST_OK);
    assert_string_equal(crypto_loaded_plugins(c), list);
    assert_null(strstr(h.text, "refused"));
    assert_null(strstr(h.text, "not available"));
    for (size_t i = 0; i < sizeof encr / sizeof encr[0]; i++)
        assert_true(crypto_has(c, TRANSFORM_ENCR, encr[i], 0));
    for (size_t i = 0; i < sizeof prfs / sizeof prfs[0]; i++)
        assert_true(crypto_has(c, TRANSFORM_PRF, prfs[i], 0));
    for (size_t i = 0; i < sizeof integ / sizeof integ[0]; i++)
        assert_true(crypto_has(c, TRANSFORM_INTEG, integ[i], 0));
    assert_true(crypto_has(c, TRANSFORM_DH, DH_MODP_2048, 0));
    assert_false(crypto_has(c, TRANSFORM_DH, DH_CURVE25519, 0));
    crypto_free(c);
    log_bus_free(bus);
}

static status broken_update(void *self, span in)
{
    return ST_OK;
}
static status broken_init(void *self)
{
    return ST_OK;
}
static status broken_final(void *self, uint8_t *out)
{
    memset(out, 0x5a, 32);
    return ST_OK;
}
static const hasher_ops broken_hashers[] = {
    {HASH_SHA2_256, 64, 0, 8, broken_init, broken_update, broken_final},
};
static const plugin_desc broken_plugin = {
    .abi = PLUGIN_ABI, .name = "broken", .hashers = OPS_ROWS(broken_hashers)};
extern const plugin_desc hmac_plugin, openssl_plugin;

static void test_broken_plugin_is_refused(void **state)
{
    heard h = {0};
    log_bus *bus = listen_to(&h);
    log_scope scope = {.bus = bus};
    crypto *c;
    const plugin_desc *alone[] = {&broken_plugin, &hmac_plugin};
    assert_int_equal(crypto_load_plugins(&c, alone, 2, NULL, &scope), ST_OK);
    assert_false(crypto_has_hash(c, HASH_SHA2_256));
    assert_non_null(strstr(h.text, "plugin 'broken': HASH_SHA2_256 failed its test vectors and is refused"));
    /* what builds on it is not there either, but nobody calls it broken */
    assert_false(crypto_has(c, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0));
    assert_null(strstr(h.text, "PRF_HMAC_SHA2_256 failed"));
    crypto_free(c);
    /* the next plugin takes its place */
    const plugin_desc *both[] = {&broken_plugin, &openssl_plugin};
    assert_int_equal(crypto_load_plugins(&c, both, 2, NULL, &scope), ST_OK);
    uint8_t out[32];
    span part = SPAN_LIT("abc");
    assert_int_equal(hash_once(c, HASH_SHA2_256, &part, 1, out), ST_OK);
    assert_int_equal(out[0], 0xba);
    crypto_free(c);
    log_bus_free(bus);
}

static void test_load_list(void **state)
{
    heard h = {0};
    log_bus *bus = listen_to(&h);
    log_scope scope = {.bus = bus};
    crypto *c;
    assert_int_equal(
        crypto_load(&c, " random x509 nosuch  openssl openssl stroke hmac! ../evil", NULL, &scope), ST_OK);
    assert_string_equal(crypto_loaded_plugins(c), "random x509 openssl stroke hmac");
    assert_non_null(strstr(h.text, "plugin 'nosuch' failed to load"));
    assert_non_null(strstr(h.text, "plugin '../evil': no such plugin"));
    crypto_free(c);
    assert_int_equal(crypto_load(&c, "", NULL, &scope), ST_OK);
    assert_string_equal(crypto_loaded_plugins(c), "");
    uint8_t b[4];
    assert_int_equal(rng_bytes(c, RNG_WEAK, b, 4), ST_UNSUPPORTED);
    dh *d;
    assert_int_equal(dh_new(c, &d, DH_CURVE25519), ST_UNSUPPORTED);
    crypto_free(c);
    log_bus_free(bus);
}

static void test_on_demand(void **state)
{
    crypto *c;
    assert_int_equal(crypto_load(&c, "openssl", NULL, NULL), ST_OK);
    for (size_t i = 0; i < c->n[CLASS_CRYPTER]; i++)
        if (c->entries[CLASS_CRYPTER][i].alg == ENCR_BLOWFISH)
            assert_int_equal(c->entries[CLASS_CRYPTER][i].state, ENTRY_UNTESTED);
    assert_true(crypto_has(c, TRANSFORM_ENCR, ENCR_BLOWFISH, 32));
    assert_false(crypto_has(c, TRANSFORM_ENCR, ENCR_BLOWFISH, 57));
    assert_true(crypto_has(c, TRANSFORM_ENCR, ENCR_CAST, 16));
    for (size_t i = 0; i < c->n[CLASS_CRYPTER]; i++)
        if (c->entries[CLASS_CRYPTER][i].alg == ENCR_BLOWFISH)
            assert_int_equal(c->entries[CLASS_CRYPTER][i].state, ENTRY_GOOD);
    crypto_free(c);
}

static void test_key_lengths(void **state)
{
    crypto *c;
    crypter *x;
    aead *a;
    uint8_t key[64] = {0}, in[32] = {0}, out[64];
    assert_int_equal(crypto_load(&c, NULL, NULL, NULL), ST_OK);
    for (size_t n = 0; n <= sizeof key; n++) {
        status st = crypter_new(c, &x, ENCR_AES_CBC, span_of(key, n));
        assert_int_equal(st, n == 16 || n == 24 || n == 32 ? ST_OK : ST_INVALID);
        if (st == ST_OK)
            crypter_free(x);
        assert_int_equal(crypto_has(c, TRANSFORM_ENCR, ENCR_AES_CBC, n), n == 0 || st == ST_OK);
    }
    assert_int_equal(crypter_new(c, &x, ENCR_AES_CBC, span_of(key, 16)), ST_OK);
    assert_int_equal(crypter_encrypt(x, span_of(key, 16), span_of(in, 31), out), ST_INVALID);
    assert_int_equal(crypter_encrypt(x, span_of(key, 15), span_of(in, 32), out), ST_INVALID);
    assert_int_equal(crypter_encrypt(x, span_of(key, 16), SPAN_NULL, out), ST_OK);
    crypter_free(x);
    assert_int_equal(aead_new(c, &a, ENCR_AES_GCM_16, span_of(key, 16)), ST_INVALID);
    assert_int_equal(aead_new(c, &a, ENCR_AES_GCM_16, span_of(key, 20)), ST_OK);
    assert_int_equal(aead_open(a, span_of(key, 8), SPAN_NULL, span_of(in, 15), out), ST_CRYPTO);
    assert_int_equal(aead_open(a, span_of(key, 7), SPAN_NULL, span_of(in, 16), out), ST_INVALID);
    aead_free(a);
    crypto_free(c);
}

static status fixed_rng(void *ctx, rng_quality q, uint8_t *out, size_t n)
{
    memset(out, *(int *)ctx, n);
    return ST_OK;
}

static void test_rng_override(void **state)
{
    static const dh_group groups[] = {DH_CURVE25519, DH_CURVE448, DH_MODP_2048,
                                      DH_ECP_256,    DH_ECP_521,  DH_MODP_2048_256};
    crypto *c;
    int value = 0x11;
    uint8_t a[32], b[32];
    assert_int_equal(crypto_load(&c, NULL, NULL, NULL), ST_OK);
    assert_int_equal(rng_bytes(c, RNG_STRONG, a, 32), ST_OK);
    assert_int_equal(rng_bytes(c, RNG_STRONG, b, 32), ST_OK);
    assert_memory_not_equal(a, b, 32);
    crypto_set_rng(c, fixed_rng, &value);
    assert_int_equal(rng_u32(c), 0x11111111);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        dh *x, *y;
        assert_int_equal(dh_new(c, &x, groups[i]), ST_OK);
        assert_int_equal(dh_new(c, &y, groups[i]), ST_OK);
        assert_int_equal(dh_public(x).n, dh_public_bytes(groups[i]));
        assert_true(span_equal(dh_public(x), dh_public(y)));
        dh_free(x);
        dh_free(y);
    }
    crypto_free(c);
}

static void test_prf_plus(void **state)
{
    crypto *c;
    prf *p;
    uint8_t out[100], t1[32], t2[32], one = 1, two = 2;
    assert_int_equal(crypto_load(&c, NULL, NULL, NULL), ST_OK);
    assert_int_equal(prf_new(c, &p, PRF_HMAC_SHA2_256, SPAN_LIT("key")), ST_OK);
    span seed[2] = {SPAN_LIT("nonce"), SPAN_LIT("spis")};
    assert_int_equal(prf_plus(p, seed, 2, out, sizeof out), ST_OK);
    span first[3] = {seed[0], seed[1], span_of(&one, 1)};
    assert_int_equal(prf_compute(p, first, 3, t1), ST_OK);
    span second[4] = {SPAN_ARRAY(t1), seed[0], seed[1], span_of(&two, 1)};
    assert_int_equal(prf_compute(p, second, 4, t2), ST_OK);
    assert_memory_equal(out, t1, 32);
    assert_memory_equal(out + 32, t2, 32);
    uint8_t *big = malloc(32 * 255 + 1);
    assert_non_null(big);
    assert_int_equal(prf_plus(p, seed, 2, big, 32 * 255), ST_OK);
    assert_memory_equal(big, out, sizeof out);
    assert_int_equal(prf_plus(p, seed, 2, big, 32 * 255 + 1), ST_INVALID);
    free(big);
    prf_free(p);
    crypto_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_refused),
        cmocka_unit_test(test_software_plugins_alone),
        cmocka_unit_test(test_broken_plugin_is_refused),
        cmocka_unit_test(test_load_list),
        cmocka_unit_test(test_on_demand),
        cmocka_unit_test(test_key_lengths),
        cmocka_unit_test(test_rng_override),
        cmocka_unit_test(test_prf_plus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
