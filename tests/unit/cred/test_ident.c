/* Identities and distinguished names: text, wire, comparison, wildcards, and malformed input of hazard
 * class 7. */
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/dn.h"
#include "libstrongswan/cred/ident.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static ident *id_of(const char *text)
{
    ident *id;
    msgbuf msg = {{0}};
    status st = ident_from_text(&id, text, &msg);
    if (st != ST_OK)
        fail_msg("'%s': %s", text, msg.text);
    return id;
}

static void text_forms(void **state)
{
    // clang-format off
    static const struct { const char *text; id_type type; const char *charon, *pluto; } rows[] = {
        {"%any", ID_ANY, "%any", "%any"}, {"0.0.0.0", ID_ANY, "%any", "%any"}, {"::", ID_ANY, "%any", "%any"},
        {"%any6", ID_ANY, "%any", "%any"}, {"*", ID_ANY, "%any", "%any"},
        {"192.0.2.7", ID_IPV4_ADDR, "192.0.2.7", "192.0.2.7"},
        {"2001:db8::1", ID_IPV6_ADDR, "2001:db8::1", "2001:db8::1"},
        {"@gw.example.net", ID_FQDN, "gw.example.net", "@gw.example.net"},
        {"gw.example.net", ID_FQDN, "gw.example.net", "@gw.example.net"},
        {"@192.0.2.7", ID_FQDN, "192.0.2.7", "@192.0.2.7"},
        {" carol@example.net ", ID_USER_FQDN, "carol@example.net", "carol@example.net"},
        {"@#1f0A", ID_KEY_ID, "1f:0a", "@#1f0a"}, {"@[ab]", ID_KEY_ID, "61:62", "@#6162"},
        {"keyid:ab", ID_KEY_ID, "61:62", "@#6162"}, {"fqdn:gw", ID_FQDN, "gw", "@gw"},
        {"C=CH, O=Lab, CN=gw", ID_DER_ASN1_DN, "C=CH, O=Lab, CN=gw", "C=CH, O=Lab, CN=gw"},
        {"/C=CH/O=Lab/CN=gw", ID_DER_ASN1_DN, "C=CH, O=Lab, CN=gw", "C=CH, O=Lab, CN=gw"},
        {"@C=CH,O=Lab,CN=gw", ID_DER_ASN1_DN, "C=CH, O=Lab, CN=gw", "C=CH, O=Lab, CN=gw"},
        {"C=CH/O=Lab/CN=http/gw", ID_DER_ASN1_DN, "C=CH, O=Lab, CN=http/gw", "C=CH, O=Lab, CN=http/gw"},
        {"@~300d310b3009060355040613024348", ID_DER_ASN1_DN, "C=CH", "C=CH"},
        {"c=CH, emailAddress=a@b, 2.5.4.12=x, OID.1.2.3.4=y", ID_DER_ASN1_DN,
         "C=CH, E=a@b, T=x, 1.2.3.4=y", "C=CH, E=a@b, T=x, 1.2.3.4=y"},
        {"CN=a+OU=b, O=c", ID_DER_ASN1_DN, "CN=a+OU=b, O=c", "CN=a+OU=b, O=c"},
        {"O=\"Lab, Inc.\", CN=x\\,y", ID_DER_ASN1_DN, "O=Lab\\, Inc., CN=x\\,y", "O=Lab\\, Inc., CN=x\\,y"},
        {"CN=Z\xc3\xbcrich", ID_DER_ASN1_DN, "CN=Z\xc3\xbcrich", "CN=Z\xc3\xbcrich"},
        {"CN=a\\x0ab", ID_DER_ASN1_DN, "CN=a\\x0ab", "CN=a\\x0ab"},
        {"ID=#03020105", ID_DER_ASN1_DN, "ID=#03020105", "ID=#03020105"},
    };
    // clang-format on
    char text[IDENT_TEXT];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ident *id = id_of(rows[i].text);
        assert_int_equal(ident_type(id), rows[i].type);
        assert_string_equal(ident_text(id, text, sizeof(text)), rows[i].charon);
        assert_string_equal(ident_text_pluto(id, text, sizeof(text)), rows[i].pluto);
        ident *again = id_of(text); /* what we print we read */
        assert_true(ident_equal(id, again));
        ident_unref(again);
        ident_unref(id);
    }
}

static void bad_texts(void **state)
{
    static const char *const bad[] = {
        "",    "  ",     "@",         "@#",     "@#xyz",     "@#123",  "@~0400",       "@~30", "@[]",
        "@[a", "%myid",  "%none",     "1.2.3",  "1.2.3.256", "1:2",    "C=CH, O",      "XX=1", "C=CH, =x",
        "=x",  "CN=\"a", "CN=\"a\"b", "ID=#04", "ID=#zz",    "ipv4:x", "ipv6:1.2.3.4",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ident *id;
        msgbuf msg = {{0}};
        if (ident_from_text(&id, bad[i], &msg) == ST_OK)
            fail_msg("'%s' was taken", bad[i]);
        assert_null(id);
        assert_true(msg.text[0]);
    }
}

static void wire_lengths(void **state)
{
    static const struct {
        uint8_t type;
        size_t n;
    } good[] = {{1, 4}, {4, 8}, {5, 16}, {6, 32}, {7, 8}, {8, 32}, {2, 1}, {3, 9}, {11, 1}};
    static const uint8_t zeros[65];
    ident *id;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(ident_from_wire(&id, good[i].type, span_of(zeros, good[i].n), NULL), ST_OK);
        assert_int_equal(ident_type(id), good[i].type);
        char text[16]; /* shorter than some of them */
        ident_text(id, text, sizeof(text));
        ident_unref(id);
        assert_int_not_equal(ident_from_wire(&id, good[i].type, span_of(zeros, 0), NULL), ST_OK);
        if (good[i].type != 2 && good[i].type != 3 && good[i].type != 11) {
            assert_int_equal(ident_from_wire(&id, good[i].type, span_of(zeros, good[i].n - 1), NULL),
                             ST_INVALID);
            assert_int_equal(ident_from_wire(&id, good[i].type, span_of(zeros, good[i].n + 1), NULL),
                             ST_INVALID);
        }
    }
    for (unsigned type = 0; type < 256; type++)
        if (type == 0 || type > 11)
            assert_int_equal(ident_from_wire(&id, (uint8_t)type, span_of(zeros, 4), NULL), ST_INVALID);
    uint8_t *big = calloc(1, 65536);
    assert_non_null(big);
    assert_int_equal(ident_from_wire(&id, ID_FQDN, span_of(big, 65536), NULL), ST_LIMIT);
    free(big);
}

static void hostile_text_is_quoted(void **state)
{
    ident *id;
    char text[IDENT_TEXT];
    assert_int_equal(ident_from_wire(&id, ID_FQDN, SPAN_LIT("a%n\n\0\x1b;$(x)'"), NULL), ST_OK);
    ident_text(id, text, sizeof(text));
    assert_string_equal(text, "a%n\\x0a\\x00\\x1b;$(x)'");
    ident_unref(id);
}

static void der_of_dns(void **state)
{
    static const char *const bad[] = {
        "", /* nothing */
        "04",
        "30",
        "31",
        "3080",
        "3084ffffffff",
        "3001",
        "30820001",
        "308100",                           /* lies about lengths */
        "3100",                             /* not a sequence */
        "30023100",                         /* RDN without attributes */
        "300431023000",                     /* empty attribute */
        "30083106300406000c00",             /* empty OID */
        "300a310830060604558403800c00",     /* open OID */
        "300b3109300706035504030c01",       /* value longer than its place */
        "300d310b3009060355040613024348ff", /* bytes behind */
        "300e310c300a06035504061302434800", /* bytes behind the value */
        "300e310c300a06035504031e03004100", /* BMPString of odd length */
        "300a310830060603550403800c",       /* value tag with rubbish */
        "300d310b3009060355040613824348",   /* length over the end */
        "300d310b30090603550406",
        "3009310730050603550403", /* no value */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf b = {0};
        char text[100];
        ident *id;
        assert_int_equal(text_parse_hex(&b, span_str(bad[i])), ST_OK);
        if (dn_valid(buf_span(&b)))
            fail_msg("%s is no distinguished name", bad[i]);
        dn_text(buf_span(&b), text, sizeof(text));
        assert_false(dn_equal(buf_span(&b), buf_span(&b)));
        assert_int_not_equal(ident_from_wire(&id, ID_DER_ASN1_DN, buf_span(&b), NULL), ST_OK);
        buf_free(&b);
    }
    /* no RDN at all is a name, and an empty value is a value */
    assert_true(dn_valid(SPAN_LIT("\x30\x00")));
    assert_true(dn_valid(SPAN_LIT("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00")));
    assert_false(
        dn_equal(SPAN_LIT("\x30\x00"), SPAN_LIT("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00")));
}

static void too_many_attributes(void **state)
{
    char text[2000] = "CN=x";
    buf b = {0};
    for (int i = 0; i < 63; i++)
        strcat(text, ",CN=x");
    assert_int_equal(dn_from_text(&b, text, NULL), ST_OK);
    strcat(text, ",CN=x");
    assert_int_equal(dn_from_text(&b, text, NULL), ST_INVALID);
    buf_free(&b);
}

static void equality(void **state)
{
    // clang-format off
    static const struct { const char *a, *b; bool equal; } rows[] = {
        {"@GW.example.net", "gw.EXAMPLE.net.", true}, {"Carol@example.net", "carol@EXAMPLE.net", true},
        {"gw.example.net", "gw.example.ne", false}, {"@a@b", "a@b", false}, {"192.0.2.1", "@192.0.2.1", false},
        {"192.0.2.1", "192.0.2.2", false}, {"@#0a", "@#0A", true}, {"@#0a", "@#0b", false},
        {"C=CH, O=Lab", "c=ch,o=LAB", true}, {"C=CH, O=Lab", "C=CH, O=Lab, CN=x", false},
        {"C=CH, O=Lab X", "C=CH, O=  Lab    X ", true}, {"C=CH, O=LabX", "C=CH, O=Lab X", false},
        {"O=Lab, C=CH", "C=CH, O=Lab", false}, {"CN=a+OU=b", "OU=b+CN=a", true}, {"CN=a+OU=b", "CN=a, OU=b", false},
        {"CN=a", "CN=ab", false}, {"CN=ab", "CN=a", false}, {"CN=", "CN=a", false}, {"CN=a+CN=a", "CN=a+CN=b", false},
        {"CN=ab", "CN=#1e0400410042", true},  /* BMPString */
        {"CN=Z\xc3\xbc", "CN=#1e04005a00fc", true}, {"CN=ab", "CN=#1c080000004100000042", true},
        {"CN=ab", "CN=#14024142", true}, {"CN=ab", "CN=#04026162", false}, {"CN=*", "CN=x", false},
    };
    // clang-format on
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ident *a = id_of(rows[i].a), *b = id_of(rows[i].b);
        if (ident_equal(a, b) != rows[i].equal || ident_equal(b, a) != rows[i].equal)
            fail_msg("'%s' and '%s'", rows[i].a, rows[i].b);
        ident_unref(a);
        ident_unref(b);
    }
}

static void matching(void **state)
{
    // clang-format off
    static const struct { const char *id, *pattern; int points; } rows[] = {
        {"gw.example.net", "%any", ID_MATCH_ANY}, {"%any", "%any", ID_MATCH_PERFECT}, {"%any", "192.0.2.1", 0},
        {"gw.example.net", "gw.example.net", ID_MATCH_PERFECT}, {"gw.example.net", "*.example.net", 14},
        {"example.net", "*.example.net", 0}, {"gwexample.net", "*.example.net", 0},
        {"carol@example.net", "*@example.net", 14}, {"carol@example.net.org", "*@example.net", 0},
        {"@carol", "*@example.net", 0}, {"gw.example.net", "*.EXAMPLE.NET", 14},
        {"C=CH, O=Lab, CN=gw", "C=CH, O=Lab, CN=*", 14}, {"C=CH, O=Lab, CN=gw", "C=CH, O=*, CN=*", 13},
        {"C=CH, O=Lab, CN=gw", "C=*, O=*, CN=*", 12}, {"C=CH, O=Lab, CN=gw", "C=CH, O=Lab, CN=gw", ID_MATCH_PERFECT},
        {"C=CH, O=Lab, CN=gw", "C=CH, O=Lab, OU=*", 0}, {"C=CH, O=Lab, CN=gw", "C=CH, O=Lab", 0},
        {"C=CH, O=Lab", "C=CH, O=Lab, CN=*", 0}, {"C=CH, O=Lab, CN=*", "C=CH, O=Lab, CN=gw", 0},
        {"C=CH, O=Lab, CN=gw", "C=CH, O=Lab2, CN=*", 0}, {"192.0.2.1", "192.0.2.1", ID_MATCH_PERFECT},
        {"192.0.2.1", "@192.0.2.1", 0},
    };
    // clang-format on
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ident *id = id_of(rows[i].id), *pattern = id_of(rows[i].pattern);
        int got = ident_match(id, pattern);
        if (got != rows[i].points)
            fail_msg("'%s' against '%s': %d", rows[i].id, rows[i].pattern, got);
        ident_unref(id);
        ident_unref(pattern);
    }
    ident *star = id_of("CN=*"), *plain = id_of("CN=a*"), *any = ident_any();
    assert_true(ident_has_wildcards(star) && !ident_has_wildcards(plain) && ident_has_wildcards(any));
    ident_unref(star);
    ident_unref(plain);
    ident_unref(any);
}

/* A name never prints like another one, or as something that parses as another one. */
static void printed_names_are_unambiguous(void **state)
{
    static const char *const values[] = {"a, CN=b", "a/CN=b", "a+CN=b", "\"a\"", " a ",
                                         "#a",      "a\\",    "a\nb",   ""};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        buf der = {0}, again = {0};
        char text[200], in[200] = "CN=\"";
        for (const char *p = values[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                strcat(in, "\\");
            strncat(in, p, 1);
        }
        strcat(in, "\"");
        msgbuf msg = {{0}};
        if (dn_from_text(&der, in, &msg) != ST_OK)
            fail_msg("%s: %s", in, msg.text);
        dn_ava avas[DN_MAX_AVAS];
        assert_int_equal(dn_split(buf_span(&der), avas), 1);
        assert_true(span_equal(avas[0].value, span_str(values[i])));
        dn_text(buf_span(&der), text, sizeof(text));
        assert_int_equal(dn_from_text(&again, text, NULL), ST_OK);
        if (!span_equal(buf_span(&der), buf_span(&again)))
            fail_msg("'%s' became '%s'", values[i], text);
        buf_free(&der);
        buf_free(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_forms),
        cmocka_unit_test(bad_texts),
        cmocka_unit_test(wire_lengths),
        cmocka_unit_test(hostile_text_is_quoted),
        cmocka_unit_test(der_of_dns),
        cmocka_unit_test(too_many_attributes),
        cmocka_unit_test(equality),
        cmocka_unit_test(matching),
        cmocka_unit_test(printed_names_are_unambiguous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
