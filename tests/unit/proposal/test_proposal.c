/* Algorithm strings of all dialects, the defaults, selection with its explanation, IKEv1's numbers. */
#include "libfreeswan/proposal/proposal.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

enum dialect { V1_IKE, V1_ESP, V2_IKE, V2_ESP, V1_AH, V2_AH };

static status parse(proposals *out, enum dialect d, const char *text, msgbuf *msg)
{
    static const ipsec_proto proto[] = {PROTO_IKE, PROTO_ESP, PROTO_IKE, PROTO_ESP, PROTO_AH, PROTO_AH};
    msg_clear(msg);
    return proposals_from_text(out, text, proto[d], d == V1_IKE || d == V1_ESP || d == V1_AH, msg);
}

static void good_strings(void **state)
{
    static const struct {
        enum dialect d;
        const char *in, *out;
    } row[] = {
        {V2_IKE, "aes128-sha1-modp2048", "IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048"},
        {V2_IKE, "modp2048-sha1-aes128", "IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048"},
        {V2_IKE, "aes256gcm16-prfsha384-ecp384!", "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_384"},
        {V2_IKE, "aes256gcm128-sha256-x25519", "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_256/CURVE_25519"},
        {V2_IKE, "chacha20poly1305-prfsha256-curve25519",
         "IKE:CHACHA20_POLY1305/PRF_HMAC_SHA2_256/CURVE_25519"},
        {V2_IKE, "aes128-aes128gcm16-sha256-modp2048",
         "IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048, "
         "IKE:AES_GCM_16_128/PRF_HMAC_SHA2_256/MODP_2048"},
        {V2_IKE, "3des-sha256_96-modp1024", "IKE:3DES_CBC/HMAC_SHA2_256_96/PRF_HMAC_SHA2_256/MODP_1024"},
        {V2_IKE, "aes128-aesxcbc-modp2048", "IKE:AES_CBC_128/AES_XCBC_96/PRF_AES128_XCBC/MODP_2048"},
        {V2_IKE, "aes_cbc_128-sha2-dh14", NULL},
        {V2_ESP, "aes128-sha1", "ESP:AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ"},
        {V2_ESP, "aes128-sha1-esn-noesn", "ESP:AES_CBC_128/HMAC_SHA1_96/EXT_SEQ/NO_EXT_SEQ"},
        {V2_ESP, "aes128-sha1-modp2048", "ESP:AES_CBC_128/HMAC_SHA1_96/MODP_2048/NO_EXT_SEQ"},
        {V2_ESP, "aes256ccm96", "ESP:AES_CCM_12_256/NO_EXT_SEQ"},
        {V2_ESP, "aes_gcm_c-160-null", "ESP:AES_GCM_16_128/NO_EXT_SEQ"},
        {V2_ESP, "null-sha1", "ESP:NULL/HMAC_SHA1_96/NO_EXT_SEQ"},
        {V2_ESP, "aes256ctr-sha512", "ESP:AES_CTR_256/HMAC_SHA2_512_256/NO_EXT_SEQ"},
        {V2_ESP, "aes128gmac", "ESP:NULL_AES_GMAC_128/NO_EXT_SEQ"},
        {V2_ESP, "camellia192-sha384", "ESP:CAMELLIA_CBC_192/HMAC_SHA2_384_192/NO_EXT_SEQ"},
        {V2_ESP, "aes-sha2-512", "ESP:AES_CBC_128/AES_CBC_192/AES_CBC_256/HMAC_SHA2_512_256/NO_EXT_SEQ"},
        {V1_IKE, "3des-sha,aes-128-sha",
         "IKE:3DES_CBC/PRF_HMAC_SHA1/MODP_1536/MODP_1024, "
         "IKE:AES_CBC_128/PRF_HMAC_SHA1/MODP_1536/MODP_1024"},
        {V1_IKE, " aes256-sha2_512-modp4096 , 3des-md5-modp1024!",
         "IKE:AES_CBC_256/PRF_HMAC_SHA2_512/MODP_4096, IKE:3DES_CBC/PRF_HMAC_MD5/MODP_1024"},
        {V1_IKE, "3des", "IKE:3DES_CBC/PRF_HMAC_SHA1/PRF_HMAC_MD5/MODP_1536/MODP_1024"},
        {V1_IKE, "aes128-id4-modp2048", "IKE:AES_CBC_128/PRF_HMAC_SHA2_256/MODP_2048"},
        {V1_IKE, "aes256gcm16-prfsha256-modp2048,aes128-sha1-modp2048",
         "IKE:AES_CBC_128/PRF_HMAC_SHA1/MODP_2048"},
        {V1_IKE, "3des-sha1;modp1024", "IKE:3DES_CBC/PRF_HMAC_SHA1/MODP_1024"},
        {V1_ESP, "aes-sha1", "ESP:AES_CBC_256/AES_CBC_192/AES_CBC_128/HMAC_SHA1_96"},
        {V1_ESP, "aes128-sha256_96", "ESP:AES_CBC_128/HMAC_SHA2_256_96"},
        {V1_ESP, "3des", "ESP:3DES_CBC/HMAC_SHA1_96/HMAC_MD5_96"},
        {V1_ESP, "id12-id5", "ESP:AES_CBC/HMAC_SHA2_256_128"},
        {V1_ESP, "blowfish-ripemd", NULL},
        {V1_ESP, "serpent256-twofish-sha1", NULL},
        {V1_AH, "aes128-sha256", "AH:HMAC_SHA2_256_128"},
        {V2_AH, "sha1-md5-aes128gmac", "AH:HMAC_MD5_96/HMAC_SHA1_96/AES_128_GMAC/NO_EXT_SEQ"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        proposals p;
        msgbuf msg;
        char text[PROPOSAL_TEXT];
        if (parse(&p, row[i].d, row[i].in, &msg) != ST_OK)
            fail_msg("'%s': %s", row[i].in, msg.text);
        assert_int_equal(p.strict, strchr(row[i].in, '!') != NULL);
        assert_int_equal(p.p[0].number, 1);
        if (row[i].out && row[i].d != V2_AH)
            assert_string_equal(proposals_text(&p, text, sizeof(text)), row[i].out);
    }
}

static void bad_strings(void **state)
{
    static const struct {
        enum dialect d;
        const char *in, *why;
    } row[] = {
        {V2_IKE, "aes129-sha1-modp2048", "128, 192 or 256"},
        {V2_IKE, "aes512-sha1-modp2048", "128, 192 or 256"},
        {V2_IKE, "aes-100-sha1", "128, 192 or 256"},
        {V2_IKE, "aas128-sha1", "aes128"},
        {V2_IKE, "aes128-sah1-modp2048", "'sah1' in 'aes128-sah1-modp2048'"},
        {V2_IKE, "aes128-sha1-modp2047", "modp2048"},
        {V2_IKE, "sha1-modp2048", "names no encryption"},
        {V2_IKE, "null-sha1-modp2048", "cannot be used for IKE"},
        {V2_IKE, "aes128-sha1-modp2048-esn", "cannot be used for IKE"},
        {V2_ESP, "aes128-sha1-prfsha1", "cannot be used for ESP"},
        {V2_IKE, "aes128--sha1", "empty place"},
        {V2_IKE, "", "empty"},
        {V2_IKE, "!", "empty"},
        {V2_IKE, "aes128-sha1-modp2048,", "stray comma"},
        {V2_ESP, "id12-id5", "not a known"},
        {V1_ESP, "id12-id99", "not the number"},
        {V1_IKE, "aes256gcm16-prfsha256-modp2048", "combined-mode"},
        {V2_ESP, "sha2-100-aes128", "256, 384 or 512"},
        {V2_ESP, "aes128-sha1!-md5", "'sha1!'"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        proposals p = {.n = 77};
        msgbuf msg;
        if (parse(&p, row[i].d, row[i].in, &msg) == ST_OK)
            fail_msg("'%s' was accepted", row[i].in);
        assert_int_equal(p.n, 77);
        if (!strstr(msg.text, row[i].why))
            fail_msg("'%s': %s", row[i].in, msg.text);
    }
}

static void ikev1_group_of_esp(void **state)
{
    proposals p;
    msgbuf msg;
    assert_int_equal(parse(&p, V1_ESP, "aes128-sha1;modp1536", &msg), ST_OK);
    assert_int_equal(p.pfs_group, DH_MODP_1536);
    assert_null(proposal_get(&p.p[0], TRANSFORM_DH));
    assert_int_equal(parse(&p, V1_ESP, "aes128-sha1,3des-md5-modp2048", &msg), ST_OK);
    assert_int_equal(p.pfs_group, DH_MODP_2048);
}

static void too_much(void **state)
{
    char text[4000] = "aes128-sha1-modp2048";
    proposals p;
    msgbuf msg;
    for (int i = 1; i < PROPOSALS_MAX; i++)
        strcat(text, ",aes128-sha1-modp2048");
    assert_int_equal(parse(&p, V2_IKE, text, &msg), ST_OK);
    assert_int_equal(p.n, PROPOSALS_MAX);
    strcat(text, ",aes128-sha1-modp2048");
    assert_int_equal(parse(&p, V2_IKE, text, &msg), ST_LIMIT);
    strcpy(text, "sha1-modp2048");
    for (int i = 128; i <= 448; i += 8)
        sprintf(text + strlen(text), "-blowfish%d", i);
    strcat(text, "-aes-aesccm8-aesccm12-aesccm16-aesgcm8-aesgcm12-aesgcm16-aesctr-camellia-serpent-twofish");
    assert_int_equal(parse(&p, V2_IKE, text, &msg), ST_LIMIT);
    proposal one = {0};
    for (uint16_t i = 0; i < PROPOSAL_MAX_TRANSFORMS; i++)
        assert_true(proposal_add(&one, TRANSFORM_DH, i, 0));
    assert_true(proposal_add(&one, TRANSFORM_DH, 5, 0));
    assert_false(proposal_add(&one, TRANSFORM_DH, 500, 0));
    assert_int_equal(one.n, PROPOSAL_MAX_TRANSFORMS);
}

static void defaults(void **state)
{
    static const struct {
        ipsec_proto proto;
        bool v1;
        uint8_t n;
    } row[] = {{PROTO_IKE, false, 3},
               {PROTO_ESP, false, 3},
               {PROTO_IKE, true, 2},
               {PROTO_ESP, true, 3},
               {PROTO_AH, false, 2}};
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        proposals p;
        proposals_default(&p, row[i].proto, row[i].v1, NULL);
        assert_int_equal(p.n, row[i].n);
        const proposal *last = &p.p[p.n - 1];
        if (row[i].proto == PROTO_IKE) {
            assert_true(proposal_has(last, TRANSFORM_PRF, PRF_HMAC_SHA1));
            assert_true(proposal_has(last, TRANSFORM_DH, DH_MODP_1536));
        } else {
            assert_true(proposal_has(last, TRANSFORM_INTEG, INTEG_HMAC_SHA1_96));
        }
        for (uint8_t k = 0; k < p.n; k++) {
            assert_false(proposal_has(&p.p[k], TRANSFORM_ENCR, ENCR_3DES));
            assert_false(proposal_has(&p.p[k], TRANSFORM_INTEG, INTEG_HMAC_MD5_96));
            assert_false(proposal_has(&p.p[k], TRANSFORM_DH, DH_MODP_1024));
        }
    }
}

static void must(proposals *p, enum dialect d, const char *text)
{
    msgbuf msg;
    if (parse(p, d, text, &msg) != ST_OK)
        fail_msg("%s: %s", text, msg.text);
}

static void selection(void **state)
{
    static const struct {
        enum dialect d;
        bool prefer_ours, no_dh;
        const char *ours, *theirs, *want; /* NULL: none */
    } row[] = {
        {V2_IKE, true, false, "aes256-aes128-sha256-modp2048", "aes128-aes256-sha256-modp2048",
         "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048"},
        {V2_IKE, false, false, "aes256-aes128-sha256-modp2048", "aes128-aes256-sha256-modp2048",
         "AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048"},
        {V2_IKE, true, false, "aes128-sha256-modp2048", "3des-sha1-modp1024,aes128-sha256-modp2048",
         "AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048"},
        {V2_IKE, true, false, "aes128-sha1-modp2048", "aes128-sha256-modp2048", NULL},
        {V2_ESP, true, false, "aes128-sha1", "aes128-sha1-modp2048", NULL},
        {V2_ESP, true, true, "aes128-sha1-modp2048", "aes128-sha1", "AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ"},
        {V2_ESP, true, false, "aes128-sha1-esn", "aes128-sha1-noesn", NULL},
        {V2_ESP, true, false, "aes128gcm16", "aes128gcm16-sha1", "AES_GCM_16_128/NO_EXT_SEQ"},
        {V2_ESP, true, false, "aes128-sha1-modp2048-modpnone", "aes128-sha1",
         "AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ"},
        {V1_IKE, true, false, "aes128-sha-modp2048", "3des-md5-modp1024,aes-sha1-modp2048",
         "AES_CBC_128/PRF_HMAC_SHA1/MODP_2048"},
        {V1_ESP, true, false, "aes128-sha1", "aes128-sha1", "AES_CBC_128/HMAC_SHA1_96"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        proposals ours, theirs;
        proposal out;
        msgbuf msg;
        char text[PROPOSAL_TEXT];
        must(&ours, row[i].d, row[i].ours);
        must(&theirs, row[i].d, row[i].theirs);
        bool found = proposals_select(&ours, &theirs, row[i].prefer_ours, row[i].no_dh, &out, &msg);
        if (found != (row[i].want != NULL))
            fail_msg("%s with %s: %s", row[i].ours, row[i].theirs, found ? "agreed" : msg.text);
        if (found)
            assert_string_equal(proposal_text(&out, false, text, sizeof(text)), row[i].want);
    }
}

static void the_answer_is_theirs(void **state)
{
    proposals ours, theirs;
    proposal out;
    must(&ours, V2_ESP, "aes128-sha1");
    must(&theirs, V2_ESP, "3des-sha1,aes128-sha1");
    theirs.p[1].spi_n = 4;
    memcpy(theirs.p[1].spi, "abcd", 4);
    assert_true(proposals_select(&ours, &theirs, true, false, &out, NULL));
    assert_int_equal(out.number, 2);
    assert_memory_equal(out.spi, "abcd", 4);
    /* a key length the peer left out is 128, and stays left out */
    theirs.p[1].t[0].key_bits = 0;
    assert_true(proposals_select(&ours, &theirs, true, false, &out, NULL));
    assert_int_equal(out.t[0].key_bits, 0);
}

static void explanations(void **state)
{
    proposals ours, theirs, none = {0};
    proposal out;
    msgbuf msg;
    must(&ours, V2_IKE, "aes256-sha256-modp2048,aes128-sha256-modp3072");
    must(&theirs, V2_IKE, "aes128-sha256-modp1024");
    assert_false(proposals_select(&ours, &theirs, true, false, &out, &msg));
    assert_string_equal(msg.text,
                        "no Diffie-Hellman group in common: we want MODP_3072, peer offers MODP_1024");
    must(&theirs, V2_IKE, "3des-md5-modp1024");
    assert_false(proposals_select(&ours, &theirs, true, false, &out, &msg));
    assert_string_equal(msg.text, "no encryption in common: we want AES_CBC_256, peer offers 3DES_CBC");
    assert_false(proposals_select(&ours, &none, true, false, &out, &msg));
    assert_true(msg.text[0] != '\0');
}

static void ikev1_numbers(void **state)
{
    assert_int_equal(ikev1_encr_from(ENCR_AES_CBC), 7);
    assert_int_equal(ikev1_encr_to(5), ENCR_3DES);
    assert_int_equal(ikev1_encr_to(65289), ENCR_TWOFISH_CBC);
    assert_int_equal(ikev1_encr_from(ENCR_TWOFISH_CBC), 65005);
    assert_int_equal(ikev1_encr_from(ENCR_AES_GCM_16), 0);
    assert_int_equal(ikev1_hash_to(4), HASH_SHA2_256);
    assert_int_equal(ikev1_hash_from(HASH_SHA1), 2);
    assert_int_equal(ikev1_esp_from(ENCR_CAMELLIA_CBC), 22);
    assert_int_equal(ikev1_esp_to(23), ENCR_NULL_AES_GMAC);
    assert_int_equal(ikev1_auth_to(5), INTEG_HMAC_SHA2_256_128);
    assert_int_equal(ikev1_auth_from(INTEG_HMAC_SHA2_256_96), 5);
    assert_int_equal(ikev1_ah_from(INTEG_HMAC_SHA1_96), 3);
    assert_int_equal(ikev1_ah_to(2), INTEG_HMAC_MD5_96);
    assert_int_equal(ikev1_ah_to(999), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_strings),
        cmocka_unit_test(bad_strings),
        cmocka_unit_test(ikev1_group_of_esp),
        cmocka_unit_test(too_much),
        cmocka_unit_test(defaults),
        cmocka_unit_test(selection),
        cmocka_unit_test(the_answer_is_theirs),
        cmocka_unit_test(explanations),
        cmocka_unit_test(ikev1_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
