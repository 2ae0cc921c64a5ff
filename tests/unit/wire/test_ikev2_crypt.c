/* SK and SKF: sealing and opening with each kind of cipher, tampering, and the fragment sets of hazard
 * class 9. */
#include "libfreeswan/wire/ikev2_payloads.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

static crypto *lib;
static const log_scope silent;

static const struct {
    encr_alg encr;
    uint16_t bits;
    integ_alg integ;
} suites[] = {
    {ENCR_AES_CBC, 128, INTEG_HMAC_SHA1_96}, {ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128},
    {ENCR_3DES, 0, INTEG_HMAC_MD5_96},       {ENCR_AES_CTR, 256, INTEG_HMAC_SHA2_512_256},
    {ENCR_NULL, 0, INTEG_HMAC_SHA2_384_192}, {ENCR_AES_GCM_16, 256, INTEG_NONE},
    {ENCR_AES_GCM_8, 128, INTEG_NONE},       {ENCR_AES_CCM_12, 128, INTEG_NONE},
    {ENCR_CHACHA20_POLY1305, 0, INTEG_NONE},
};
enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

static const ikev2_header auth_header = {
    .spi_i = 1, .spi_r = 2, .exchange = IKE_AUTH, .flags = IKEV2_FLAG_INITIATOR, .mid = 1};

static bool make_cipher(ikev2_cipher *c, size_t suite)
{
    static const uint8_t key[128] = "0123456789abcdefABCDEF9876543210fedcba98765432100123456789abcdef";
    uint16_t bits = suites[suite].bits;
    span encr_key = span_of(key, encr_keymat_bytes(suites[suite].encr, bits));
    *c = (ikev2_cipher){.crypto = lib, .encr = suites[suite].encr, .integ = suites[suite].integ};
    status st = ST_OK;
    if (encr_is_aead((uint16_t)c->encr))
        st = aead_new(lib, &c->aead, c->encr, encr_key);
    else if (c->encr != ENCR_NULL)
        st = crypter_new(lib, &c->crypter, c->encr, encr_key);
    if (st == ST_OK && !c->aead)
        st = signer_new(lib, &c->signer, c->integ, span_of(key, integ_key_bytes(c->integ)));
    return st == ST_OK;
}

static void free_cipher(ikev2_cipher *c)
{
    aead_free(c->aead);
    crypter_free(c->crypter);
    signer_free(c->signer);
}

static void build(ikev2_builder *b, size_t octets)
{
    static uint8_t big[40000];
    for (size_t i = 0; i < octets; i++)
        big[i] = (uint8_t)(i ^ i >> 8);
    ikev2_add_id(b, PLV2_IDI, 2, SPAN_LIT("peer"));
    ikev2_add_cert(b, CERT_X509, span_of(big, octets));
}

/* Parses an exact-size copy and opens it. Keeps nothing. */
static status open_copy(span datagram, ikev2_cipher *c, ikev2_defrag *d, size_t *cert)
{
    ikev2_msg m;
    arena mem;
    uint8_t *copy = malloc(datagram.n);
    assert_non_null(copy);
    memcpy(copy, datagram.p, datagram.n);
    arena_init(&mem, IKEV2_ARENA_LIMIT);
    status st = ikev2_parse(&m, span_of(copy, datagram.n), &mem, NULL);
    if (st == ST_OK && !m.sk)
        st = ST_INVALID;
    if (st == ST_OK)
        st = m.sk->type == PLV2_SK ? ikev2_open(&m, c, NULL) : ikev2_open_fragment(d, &m, c, NULL);
    if (st == ST_OK && cert) {
        assert_int_equal(m.enc, PS2(PLV2_IDI) | PS2(PLV2_CERT));
        buf text = {0};
        ikev2_summary(&m, &text);
        assert_string_equal(buf_cstr(&text), "IKE_AUTH request 1 [ IDi CERT ]");
        buf_free(&text);
        *cert = ikev2_find(&m, PLV2_CERT)->cert.data.n;
    }
    arena_free(&mem);
    free(copy);
    return st;
}

static void every_suite_seals_and_opens(void **state)
{
    for (size_t s = 0; s < SUITES; s++)
        for (size_t octets = 0; octets < 40; octets++) {
            ikev2_cipher c;
            ikev2_builder b = {0};
            ikev2_packets p = {0};
            size_t cert = SIZE_MAX;
            if (!make_cipher(&c, s))
                fail_msg("suite %zu", s);
            build(&b, octets);
            assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 0, &p), ST_OK);
            assert_int_equal(p.n, 1);
            assert_int_equal(open_copy(ikev2_packet_at(&p, 0), &c, NULL, &cert), ST_OK);
            assert_int_equal(cert, octets);
            /* sealed twice: never the same octets with an IV */
            ikev2_packets again = {0};
            assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 0, &again), ST_OK);
            if (c.encr != ENCR_NULL)
                assert_false(span_equal(ikev2_packet_at(&p, 0), ikev2_packet_at(&again, 0)));
            ikev2_packets_free(&again);
            ikev2_packets_free(&p);
            ikev2_builder_free(&b);
            free_cipher(&c);
        }
}

static void any_changed_octet_is_refused(void **state)
{
    for (size_t s = 0; s < SUITES; s++) {
        ikev2_cipher c;
        ikev2_builder b = {0};
        ikev2_packets p = {0};
        assert_true(make_cipher(&c, s));
        build(&b, 10);
        assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 0, &p), ST_OK);
        for (size_t at = 0; at < p.bytes.n; at++) {
            p.bytes.p[at] ^= 1;
            assert_int_not_equal(open_copy(ikev2_packet_at(&p, 0), &c, NULL, NULL), ST_OK);
            p.bytes.p[at] ^= 1;
        }
        for (size_t n = IKEV2_HEADER + IKEV2_GENERIC; n < p.bytes.n; n++) { /* shortened, lengths corrected */
            buf cut = {0};
            buf_put(&cut, span_of(p.bytes.p, n));
            buf_patch_u32(&cut, 24, (uint32_t)n);
            buf_patch_u16(&cut, IKEV2_HEADER + 2, (uint16_t)(n - IKEV2_HEADER));
            assert_int_equal(open_copy(buf_span(&cut), &c, NULL, NULL), ST_CRYPTO);
            buf_free(&cut);
        }
        ikev2_packets_free(&p);
        ikev2_builder_free(&b);
        free_cipher(&c);
    }
}

static void clear_payloads_are_covered(void **state)
{
    ikev2_cipher c;
    ikev2_builder clear = {0}, enc = {0};
    ikev2_packets p = {0};
    size_t cert;
    assert_true(make_cipher(&c, 5));
    build(&enc, 5);
    ikev2_add_notify(&clear, N_COOKIE, SPAN_LIT("cookie"));
    ikev2_add_vendor(&clear, SPAN_LIT("vendor"));
    assert_int_equal(ikev2_seal(&auth_header, &clear, &enc, &c, 0, &p), ST_OK);
    p.bytes.p[IKEV2_HEADER + 9] ^= 1; /* in the cookie */
    assert_int_equal(open_copy(ikev2_packet_at(&p, 0), &c, NULL, &cert), ST_CRYPTO);
    ikev2_packets_free(&p);
    /* an empty encrypted payload */
    assert_int_equal(ikev2_seal(&auth_header, NULL, NULL, &c, 0, &p), ST_OK);
    assert_int_equal(open_copy(ikev2_packet_at(&p, 0), &c, NULL, NULL), ST_OK);
    ikev2_packets_free(&p);
    ikev2_builder_free(&clear);
    ikev2_builder_free(&enc);
    free_cipher(&c);
}

static void fragments_come_in_any_order(void **state)
{
    for (size_t s = 0; s < SUITES; s++) {
        ikev2_cipher c;
        ikev2_builder b = {0};
        ikev2_packets p = {0};
        ikev2_defrag d = {0};
        size_t cert = 0;
        assert_true(make_cipher(&c, s));
        build(&b, 5000);
        assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 1200, &p), ST_OK);
        assert_true(p.n >= 5);
        for (size_t i = p.n; i > 0; i--) {
            span one = ikev2_packet_at(&p, i - 1);
            assert_true(one.n <= 1200);
            assert_int_equal(open_copy(one, &c, &d, &cert), i == 1 ? ST_OK : ST_NEED_MORE);
            if (i > 1)
                assert_int_equal(open_copy(one, &c, &d, &cert), ST_NEED_MORE); /* duplicate */
        }
        assert_int_equal(cert, 5000);
        assert_null(d.f);
        ikev2_packets_free(&p);
        ikev2_builder_free(&b);
        free_cipher(&c);
    }
}

/* Rewrites number and total of an SKF datagram; the ICV is wrong then, so that only checks before it are
 * reached. */
static void renumber(buf *datagram, uint16_t number, uint16_t total)
{
    buf_patch_u16(datagram, IKEV2_HEADER + IKEV2_GENERIC, number);
    buf_patch_u16(datagram, IKEV2_HEADER + IKEV2_GENERIC + 2, total);
}

static void bad_fragments(void **state)
{
    static const struct {
        uint16_t number, total;
        status want;
    } rows[] = {
        {0, 5, ST_INVALID}, {1, 0, ST_INVALID},   {0, 0, ST_INVALID},
        {6, 5, ST_INVALID}, {1, 65535, ST_LIMIT}, {65535, 65535, ST_LIMIT},
        {1, 65, ST_LIMIT},  {1, 4, ST_INVALID}, /* total shrinks */
        {3, 9, ST_CRYPTO},                      /* a larger total, but forged: what was collected stays */
    };
    ikev2_cipher c;
    ikev2_builder b = {0};
    ikev2_packets p = {0}, more = {0};
    ikev2_defrag d = {0};
    size_t cert = 0;
    assert_true(make_cipher(&c, 5));
    build(&b, 5000);
    assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 1200, &p), ST_OK);
    assert_int_equal(p.n, 5);
    assert_int_equal(open_copy(ikev2_packet_at(&p, 1), &c, &d, &cert), ST_NEED_MORE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf bad = {0};
        buf_put(&bad, ikev2_packet_at(&p, 0));
        renumber(&bad, rows[i].number, rows[i].total);
        assert_int_equal(open_copy(buf_span(&bad), &c, &d, &cert), rows[i].want);
        buf_free(&bad);
    }
    for (size_t i = 0; i < p.n; i++)
        assert_int_equal(open_copy(ikev2_packet_at(&p, i), &c, &d, &cert), i == 4 ? ST_OK : ST_NEED_MORE);
    assert_int_equal(cert, 5000);
    /* an authentic larger total (smaller path MTU): starts anew */
    assert_int_equal(open_copy(ikev2_packet_at(&p, 0), &c, &d, &cert), ST_NEED_MORE);
    assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 600, &more), ST_OK);
    assert_true(more.n > p.n);
    for (size_t i = 0; i < more.n; i++)
        assert_int_equal(open_copy(ikev2_packet_at(&more, i), &c, &d, &cert),
                         i + 1 == more.n ? ST_OK : ST_NEED_MORE);
    /* a whole SK message between fragments is on its own */
    ikev2_packets whole = {0};
    assert_int_equal(open_copy(ikev2_packet_at(&p, 2), &c, &d, &cert), ST_NEED_MORE);
    assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 0, &whole), ST_OK);
    assert_int_equal(open_copy(ikev2_packet_at(&whole, 0), &c, &d, &cert), ST_OK);
    /* too many fragments to send */
    ikev2_packets none = {0};
    ikev2_builder huge = {0};
    build(&huge, 40000);
    assert_int_equal(ikev2_seal(&auth_header, NULL, &huge, &c, 256, &none), ST_LIMIT);
    ikev2_builder_free(&huge);
    ikev2_packets_free(&none);
    ikev2_packets_free(&whole);
    ikev2_packets_free(&more);
    ikev2_packets_free(&p);
    ikev2_defrag_reset(&d);
    ikev2_builder_free(&b);
    free_cipher(&c);
}

static void nothing_opens_without_keys(void **state)
{
    ikev2_cipher c, none = {0};
    ikev2_builder b = {0};
    ikev2_packets p = {0};
    assert_true(make_cipher(&c, 0));
    build(&b, 5);
    assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &none, 0, &p), ST_INVALID);
    assert_int_equal(ikev2_seal(&auth_header, NULL, &b, &c, 0, &p), ST_OK);
    assert_int_equal(open_copy(ikev2_packet_at(&p, 0), &none, NULL, NULL), ST_CRYPTO);
    assert_true(span_empty(ikev2_packet_at(&p, 1)));
    ikev2_packets_free(&p);
    ikev2_builder_free(&b);
    free_cipher(&c);
}

static int setup(void **state)
{
    return crypto_load(&lib, NULL, NULL, &silent) == ST_OK ? 0 : -1;
}

static int teardown(void **state)
{
    crypto_free(lib);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suite_seals_and_opens),
        cmocka_unit_test(any_changed_octet_is_refused),
        cmocka_unit_test(clear_payloads_are_covered),
        cmocka_unit_test(fragments_come_in_any_order),
        cmocka_unit_test(bad_fragments),
        cmocka_unit_test(nothing_opens_without_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
