/* IKEv2 messages: building, parsing, names, payload rules, and the malformed inputs peers have crashed
 * daemons with. */
#include "libfreeswan/wire/ikev2_payloads.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

static const ikev2_header init_header = {
    .spi_i = 0x0102030405060708, .exchange = IKE_SA_INIT, .flags = IKEV2_FLAG_INITIATOR};

static proposals one_proposal(ipsec_proto proto)
{
    proposals p = {.n = 1};
    p.p[0] = (proposal){.proto = (uint8_t)proto};
    if (proto == PROTO_ESP) {
        p.p[0].spi_n = 4;
        memcpy(p.p[0].spi, "\xc0\x00\x00\x01", 4);
    }
    p.p[0].t[p.p[0].n++] = (transform){TRANSFORM_ENCR, ENCR_AES_CBC, 256};
    p.p[0].t[p.p[0].n++] = (transform){TRANSFORM_ENCR, ENCR_3DES, 0};
    p.p[0].t[p.p[0].n++] = (transform){TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 0};
    if (proto == PROTO_IKE) {
        p.p[0].t[p.p[0].n++] = (transform){TRANSFORM_PRF, PRF_HMAC_SHA1, 0};
        p.p[0].t[p.p[0].n++] = (transform){TRANSFORM_DH, DH_MODP_2048, 0};
    }
    return p;
}

static void build_init(ikev2_builder *b)
{
    static uint8_t ke[256] = {7}, nonce[32] = {9};
    proposals p = one_proposal(PROTO_IKE);
    ikev2_add_sa(b, &p);
    ikev2_add_ke(b, DH_MODP_2048, SPAN_ARRAY(ke));
    ikev2_add_nonce(b, SPAN_ARRAY(nonce));
    ikev2_add_notify(b, N_NAT_DETECTION_SOURCE_IP, SPAN_LIT("01234567890123456789"));
    ikev2_add_notify(b, N_NAT_DETECTION_DESTINATION_IP, SPAN_LIT("01234567890123456789"));
    ikev2_add_vendor(b, SPAN_LIT("vendor"));
}

static void emit_init(buf *out)
{
    ikev2_builder b = {0};
    build_init(&b);
    assert_int_equal(ikev2_emit(&init_header, &b, out), ST_OK);
    ikev2_builder_free(&b);
}

/* Every payload emitted from what was parsed is what was there. */
static void assert_same_again(const ikev2_msg *m)
{
    for (size_t i = 0; i < m->n; i++) {
        buf out = {0};
        const wire_table *t = ikev2_payload_table(m->p[i].type);
        assert_non_null(t);
        assert_int_equal(wire_emit(t, &m->p[i].sa, &out), ST_OK);
        assert_true(span_equal(buf_span(&out), m->p[i].body));
        buf_free(&out);
    }
}

static status parse_copy(span in, msgbuf *msg)
{
    ikev2_msg m;
    arena mem;
    uint8_t *copy = malloc(in.n ? in.n : 1);
    assert_non_null(copy);
    if (in.n)
        memcpy(copy, in.p, in.n);
    arena_init(&mem, IKEV2_ARENA_LIMIT);
    status st = ikev2_parse(&m, span_of(copy, in.n), &mem, msg);
    if (st == ST_OK) {
        buf text = {0};
        ikev2_summary(&m, &text);
        ikev2_dump(&m, &text);
        buf_free(&text);
    }
    arena_free(&mem);
    free(copy);
    return st;
}

/* A message with one payload of the given body. */
static status parse_body(uint8_t type, span body, msgbuf *msg)
{
    ikev2_builder b = {0};
    buf out = {0};
    ikev2_add_raw(&b, type, false, body);
    assert_int_equal(ikev2_emit(&init_header, &b, &out), ST_OK);
    status st = parse_copy(buf_span(&out), msg);
    buf_free(&out);
    ikev2_builder_free(&b);
    return st;
}

static void init_round_trip(void **state)
{
    buf out = {0}, text = {0};
    ikev2_msg m;
    arena mem;
    ikev2_builder b = {0};
    proposals got;
    emit_init(&out);
    arena_init(&mem, IKEV2_ARENA_LIMIT);
    assert_int_equal(ikev2_parse(&m, buf_span(&out), &mem, NULL), ST_OK);
    assert_int_equal(m.h.spi_i, init_header.spi_i);
    assert_int_equal(m.h.major, 2);
    assert_int_equal(m.n, 6);
    assert_same_again(&m);
    ikev2_summary(&m, &text);
    assert_string_equal(buf_cstr(&text), "IKE_SA_INIT request 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) V ]");
    build_init(&b);
    buf_reset(&text);
    ikev2_builder_summary(&init_header, &b, NULL, &text);
    assert_string_equal(buf_cstr(&text), "IKE_SA_INIT request 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) V ]");
    assert_int_equal(ikev2_sa_get(&ikev2_find(&m, PLV2_SA)->sa, &got, NULL), ST_OK);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.p[0].number, 1);
    assert_int_equal(got.p[0].n, 5);
    assert_int_equal(got.p[0].t[0].key_bits, 256);
    assert_int_equal(got.p[0].t[1].id, ENCR_3DES);
    assert_int_equal(got.p[0].t[2].type, TRANSFORM_PRF); /* grouped by type */
    assert_int_equal(ikev2_find(&m, PLV2_KE)->ke.group, DH_MODP_2048);
    assert_int_equal(ikev2_find_notify(&m, N_NAT_DETECTION_SOURCE_IP)->data.n, 20);
    assert_null(ikev2_find_notify(&m, N_COOKIE));
    assert_null(ikev2_find_error(&m));
    assert_int_equal(ikev2_check(&m, &ikev2_rules[RULE_INIT_REQUEST], NULL), ST_OK);
    msgbuf msg;
    assert_int_equal(ikev2_check(&m, &ikev2_rules[RULE_INIT_RESPONSE], &msg), ST_INVALID);
    assert_int_equal(ikev2_check(&m, &ikev2_rules[RULE_AUTH_REQUEST], &msg), ST_INVALID);
    ikev2_builder_free(&b);
    buf_free(&out);
    buf_free(&text);
    arena_free(&mem);
}

static void every_payload_round_trip(void **state)
{
    traffic_sel ts[2];
    subnet net;
    ikev2_builder b = {0};
    buf out = {0};
    ikev2_msg m = {0};
    arena mem;
    traffic_sel got[4];
    size_t n = 0;
    assert_int_equal(subnet_from_text(&net, "10.1.0.0/16", NULL), ST_OK);
    ts[0] = ts_from_subnet(&net, 17, 1701);
    assert_int_equal(subnet_from_text(&net, "2001:db8::/32", NULL), ST_OK);
    ts[1] = ts_from_subnet(&net, 0, 0);
    proposals p = one_proposal(PROTO_ESP);
    ikev2_cp_item items[] = {{CPA_IP4_ADDRESS, SPAN_NULL}, {CPA_IP4_DNS, SPAN_LIT("\1\2\3\4")}};
    uint32_t spis[] = {1, 0xc0000001};
    ikev2_add_id(&b, PLV2_IDI, 2, SPAN_LIT("gw.example.net"));
    ikev2_add_id(&b, PLV2_IDR, 1, SPAN_LIT("\12\0\0\1"));
    ikev2_add_id(&b, PLV2_IDP, 11, SPAN_LIT("key"));
    ikev2_add_cert(&b, CERT_X509, SPAN_LIT("der"));
    ikev2_add_certreq(&b, CERT_X509, SPAN_LIT("01234567890123456789"));
    ikev2_add_auth(&b, AUTHM_PSK, SPAN_LIT("mac"));
    ikev2_add_proposal(&b, &p.p[0]);
    ikev2_add_ts(&b, PLV2_TSI, ts, 2);
    ikev2_add_ts(&b, PLV2_TSR, ts, 1);
    ikev2_add_cp(&b, CP_REQUEST, items, 2);
    ikev2_add_eap(&b, SPAN_LIT("\2\1\0\7\1id"));
    ikev2_add_delete_ike(&b);
    ikev2_add_delete(&b, PROTO_ESP, spis, 2);
    ikev2_add_notify_spi(&b, N_REKEY_SA, PROTO_ESP, SPAN_LIT("\xc0\0\0\1"), SPAN_NULL);
    assert_true(ikev2_builder_ok(&b));
    arena_init(&mem, IKEV2_ARENA_LIMIT);
    m.mem = &mem;
    assert_int_equal(ikev2_parse_chain(&m, b.first, buf_span(&b.out), true, NULL), ST_OK);
    assert_int_equal(m.n, 14);
    assert_same_again(&m);
    assert_int_equal(ikev2_ts_get(&ikev2_find(&m, PLV2_TSI)->ts, got, 4, &n, NULL), ST_OK);
    assert_int_equal(n, 2);
    assert_true(ts_equal(&got[0], &ts[0]) && ts_equal(&got[1], &ts[1]));
    const ikev2_delete *d = &ikev2_nth(&m, PLV2_DELETE, 1)->del;
    assert_int_equal(d->count, 2);
    assert_int_equal(ikev2_delete_spi(d, 1), 0xc0000001);
    assert_int_equal(ikev2_delete_spi(d, 2), 0);
    assert_int_equal(ikev2_find(&m, PLV2_CP)->cp.items.n, 2);
    assert_int_equal(ikev2_cp_find(&ikev2_find(&m, PLV2_CP)->cp, CPA_IP4_DNS)->value.n, 4);
    assert_int_equal(ikev2_find(&m, PLV2_EAP)->eap.data.n, 3);
    assert_int_equal(ikev2_find_notify(&m, N_REKEY_SA)->spi.n, 4);
    buf_free(&out);
    ikev2_builder_free(&b);
    arena_free(&mem);
}

/* Hazard class 1: the header lies. */
static void header_lies(void **state)
{
    static const struct {
        size_t at;
        uint8_t v[4];
        size_t n;
        status want;
    } rows[] = {
        {24, {0, 0, 0, 27}, 4, ST_INVALID},
        {24, {0, 0, 0, 0}, 4, ST_INVALID},
        {24, {0xff, 0xff, 0xff, 0xff}, 4, ST_INVALID},
        {24, {0, 0, 1, 0}, 4, ST_INVALID},
        {17, {0x00}, 1, ST_INVALID},
        {17, {0x10}, 1, ST_INVALID},
        {17, {0x30}, 1, ST_UNSUPPORTED},
        {17, {0xf0}, 1, ST_UNSUPPORTED},
        {17, {0x2f}, 1, ST_OK}, /* minor versions are ignored */
        {19, {0xff}, 1, ST_OK}, /* so are unknown flags */
        {30, {0, 0}, 2, ST_INVALID},
        {30, {0, 1}, 2, ST_INVALID},
        {30, {0, 3}, 2, ST_INVALID},
        {30, {0xff, 0xff}, 2, ST_INVALID},
        {16, {0}, 1, ST_INVALID}, /* no payload, but octets */
        {28, {0}, 1, ST_INVALID}, /* chain ends early */
        {29, {0x7f}, 1, ST_OK},   /* reserved bits */
        {29, {0x80}, 1, ST_OK},   /* critical and known */
    };
    buf out = {0};
    emit_init(&out);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t was[4];
        msgbuf msg = {{0}};
        memcpy(was, out.p + rows[i].at, 4);
        memcpy(out.p + rows[i].at, rows[i].v, rows[i].n);
        status st = parse_copy(buf_span(&out), &msg);
        if (st != rows[i].want)
            fail_msg("row %zu: %s (%s)", i, status_text(st), msg.text);
        memcpy(out.p + rows[i].at, was, 4);
    }
    assert_int_equal(parse_copy(SPAN_LIT("\xff"), NULL), ST_INVALID);
    assert_int_equal(parse_copy(SPAN_LIT("\0\0\0\0"), NULL), ST_INVALID);
    assert_int_equal(parse_copy(SPAN_NULL, NULL), ST_INVALID);
    buf_free(&out);
}

static void every_prefix_and_flip_gets_a_verdict(void **state)
{
    buf out = {0};
    emit_init(&out);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(parse_copy(span_of(out.p, n), NULL), ST_INVALID);
    for (size_t at = 0; at < out.n; at++) {
        static const uint8_t flips[] = {0, 1, 0x80, 0xff};
        uint8_t was = out.p[at];
        for (size_t k = 0; k < sizeof(flips); k++) {
            out.p[at] = flips[k];
            status st = parse_copy(buf_span(&out), NULL);
            assert_true(st == ST_OK || st == ST_INVALID || st == ST_UNSUPPORTED || st == ST_LIMIT);
        }
        out.p[at] = was;
    }
    buf_free(&out);
}

static void payload_limits(void **state)
{
    ikev2_builder b = {0};
    buf out = {0};
    for (size_t i = 0; i < IKEV2_MAX_PAYLOADS; i++)
        ikev2_add_raw(&b, PLV2_VENDOR, false, SPAN_NULL);
    assert_int_equal(ikev2_emit(&init_header, &b, &out), ST_OK);
    assert_int_equal(parse_copy(buf_span(&out), NULL), ST_OK);
    ikev2_add_raw(&b, PLV2_VENDOR, false, SPAN_NULL);
    assert_int_equal(ikev2_emit(&init_header, &b, &out), ST_OK);
    assert_int_equal(parse_copy(buf_span(&out), NULL), ST_LIMIT);
    ikev2_builder_reset(&b);
    static uint8_t big[65536];
    ikev2_add_raw(&b, PLV2_VENDOR, false, SPAN_ARRAY(big));
    assert_false(ikev2_builder_ok(&b));
    assert_int_equal(ikev2_emit(&init_header, &b, &out), ST_INVALID);
    ikev2_builder_free(&b);
    buf_free(&out);
}

static void unknown_payloads(void **state)
{
    ikev2_builder b = {0};
    buf out = {0};
    ikev2_msg m;
    arena mem;
    build_init(&b);
    ikev2_add_raw(&b, 200, false, SPAN_LIT("x"));
    arena_init(&mem, 0);
    assert_int_equal(ikev2_emit(&init_header, &b, &out), ST_OK);
    assert_int_equal(ikev2_parse(&m, buf_span(&out), &mem, NULL), ST_OK);
    assert_int_equal(ikev2_check(&m, &ikev2_rules[RULE_INIT_REQUEST], NULL), ST_OK);
    ikev2_add_raw(&b, 201, true, SPAN_LIT("x"));
    assert_int_equal(ikev2_emit(&init_header, &b, &out), ST_OK);
    assert_int_equal(ikev2_parse(&m, buf_span(&out), &mem, NULL), ST_UNSUPPORTED);
    assert_int_equal(m.critical, 201);
    ikev2_builder_free(&b);
    buf_free(&out);
    arena_free(&mem);
}

/* Hazard classes 2 and 10, bodies only: what no table row may let through. */
static void malformed_bodies(void **state)
{
    static const struct {
        uint8_t type;
        const char *p;
        size_t n;
    } rows[] = {
#define B(type, s) {type, s, sizeof(s) - 1}
        B(PLV2_SA, ""),                                          /* no proposal */
        B(PLV2_SA, "\0\0\0\10\1\1\0\0"),                         /* no transform */
        B(PLV2_SA, "\0\0\0\7\1\1\0\1"),                          /* length below its header */
        B(PLV2_SA, "\0\0\0\20\1\1\0\2\0\0\0\10\1\0\0\3"),        /* two announced, one there */
        B(PLV2_SA, "\2\0\0\20\1\1\0\1\0\0\0\10\1\0\0\3"),        /* "more", but the last */
        B(PLV2_SA, "\0\0\0\20\1\1\0\1\3\0\0\10\1\0\0\3"),        /* the same for transforms */
        B(PLV2_SA, "\0\0\0\20\1\1\0\1\0\0\0\0\1\0\0\3"),         /* transform length 0 */
        B(PLV2_SA, "\0\0\0\20\1\1\11\1\0\0\0\10\1\0\0\3"),       /* SPI of 9 octets */
        B(PLV2_SA, "\0\0\0\22\1\1\0\1\0\0\0\12\1\0\0\3\200\16"), /* half an attribute */
        B(PLV2_KE, "\0\16\0\0"),                                 /* no key */
        B(PLV2_KE, "\0\16\0"),
        B(PLV2_IDI, "\2\0\0"),
        B(PLV2_CERT, ""),
        B(PLV2_AUTH, "\2\0\0"),
        B(PLV2_NONCE, "123456789012345"),    /* 15 octets */
        B(PLV2_NOTIFY, "\3\4\100\11\1\2\3"), /* SPI beyond the end */
        B(PLV2_NOTIFY, "\0\0\100"),
        B(PLV2_DELETE, "\3\4\0\2\1\2\3\4"), /* two announced */
        B(PLV2_DELETE, "\3\4\377\377"),
        B(PLV2_DELETE, "\3\0\0\1\0"),
        B(PLV2_TSI, "\0\0\0\0"), /* no selector */
        B(PLV2_TSI, "\1\0\0\0"),
        B(PLV2_TSI, "\377\0\0\0\7\0\0\20\0\0\377\377\1\1\1\1\2\2\2\2"),
        B(PLV2_TSI, "\1\0\0\0\7\0\0\7\0\0\377\377\1\1\1\1\2\2\2\2"),
        B(PLV2_TSI, "\1\0\0\0\7\0\0\21\0\0\377\377\1\1\1\1\2\2\2\2"),
        B(PLV2_TSI, "\1\0\0\0\7\0\0\20\0\0\377\377\1\1\1\1\2\2\2\2\0"), /* an octet too many */
        B(PLV2_CP, "\1\0\0"),
        B(PLV2_CP, "\1\0\0\0\0\1\0\4\1\2\3"),
        B(PLV2_EAP, "\1\1\0\3"),   /* length below 4 */
        B(PLV2_EAP, "\1\1\0\5"),   /* length beyond the payload */
        B(PLV2_EAP, "\1\1\0\4\1"), /* length below the payload */
        B(PLV2_SKF, "\0\1\0"),
#undef B
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        msgbuf msg = {{0}};
        status st = parse_body(rows[i].type, span_of(rows[i].p, rows[i].n), &msg);
        if (st != ST_INVALID || !msg.text[0])
            fail_msg("row %zu (type %u): %s", i, rows[i].type, status_text(st));
    }
    static uint8_t nonce[257];
    assert_int_equal(parse_body(PLV2_NONCE, SPAN_ARRAY(nonce), NULL), ST_INVALID);
}

static status sa_of(const char *p, size_t n, proposals *out)
{
    ikev2_builder b = {0};
    ikev2_msg m = {0};
    arena mem;
    arena_init(&mem, 0);
    m.mem = &mem;
    ikev2_add_raw(&b, PLV2_SA, false, span_of(p, n));
    status st = ikev2_parse_chain(&m, PLV2_SA, buf_span(&b.out), false, NULL);
    if (st == ST_OK)
        st = ikev2_sa_get(&m.p[0].sa, out, NULL);
    ikev2_builder_free(&b);
    arena_free(&mem);
    return st;
}

static void proposals_from_peers(void **state)
{
    proposals p;
    /* a transform with an unknown attribute, one with two key lengths: algorithms we do not know */
    static const char odd[] =
        "\0\0\0\44\1\1\0\2\3\0\0\14\1\0\0\14\200\17\0\200\0\0\0\20\1\0\0\14\200\16\0\200\200\16\1\0";
    assert_int_equal(sa_of(odd, sizeof(odd) - 1, &p), ST_OK);
    assert_int_equal(p.p[0].n, 2);
    assert_int_equal(p.p[0].t[0].id, 65535);
    assert_int_equal(p.p[0].t[1].id, 65535);
    /* an unknown protocol is skipped, and so is a proposal with an unknown transform type */
    static const char three[] = "\2\0\0\20\1\11\0\1\0\0\0\10\1\0\0\3\2\0\0\20\2\1\0\1\0\0\0\10\11\0\0\3"
                                "\0\0\0\20\3\1\0\1\0\0\0\10\1\0\0\3";
    assert_int_equal(sa_of(three, sizeof(three) - 1, &p), ST_OK);
    assert_int_equal(p.n, 1);
    assert_int_equal(p.p[0].number, 3);
    static const char esp_spi255[] = "\0\0\0\24\1\3\4\1\0\0\0\377\0\0\0\10\1\0\0\3";
    assert_int_equal(sa_of(esp_spi255, sizeof(esp_spi255) - 1, &p), ST_INVALID);
    static const char ah_spi8[] = "\0\0\0\30\1\2\10\1\1\2\3\4\5\6\7\10\0\0\0\10\1\0\0\3";
    assert_int_equal(sa_of(ah_spi8, sizeof(ah_spi8) - 1, &p), ST_INVALID);
    static const char esp_no_spi[] = "\0\0\0\20\1\3\0\1\0\0\0\10\1\0\0\3";
    assert_int_equal(sa_of(esp_no_spi, sizeof(esp_no_spi) - 1, &p), ST_INVALID);
}

static void selectors_from_peers(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        status want;
        size_t count;
    } rows[] = {
#define B(s, want, count) {s, sizeof(s) - 1, want, count}
        B("\1\0\0\0\7\21\0\20\0\0\377\377\1\1\1\1\2\2\2\2", ST_OK, 1),
        B("\1\0\0\0\7\0\0\20\0\0\377\377\2\2\2\2\1\1\1\1", ST_INVALID, 0),    /* start above end */
        B("\1\0\0\0\7\0\0\20\0\12\0\11\1\1\1\1\2\2\2\2", ST_INVALID, 0),      /* ports */
        B("\1\0\0\0\10\0\0\20\0\0\377\377\1\1\1\1\2\2\2\2", ST_INVALID, 0),   /* IPv6 with 8 octets */
        B("\1\0\0\0\11\0\0\20\0\0\377\377\1\1\1\1\2\2\2\2", ST_NOT_FOUND, 0), /* unknown type */
        B("\1\0\0\0\0\0\0\10\0\0\0\0", ST_NOT_FOUND, 0),
        B("\2\0\0\0\361\0\0\10\0\0\0\0\7\0\0\20\0\0\377\377\1\1\1\1\2\2\2\2", ST_OK, 1),
#undef B
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ikev2_builder b = {0};
        ikev2_msg m = {0};
        arena mem;
        traffic_sel ts[4];
        size_t n = 0;
        arena_init(&mem, 0);
        m.mem = &mem;
        ikev2_add_raw(&b, PLV2_TSI, false, span_of(rows[i].p, rows[i].n));
        assert_int_equal(ikev2_parse_chain(&m, PLV2_TSI, buf_span(&b.out), false, NULL), ST_OK);
        assert_int_equal(ikev2_ts_get(&m.p[0].ts, ts, 4, &n, NULL), rows[i].want);
        assert_int_equal(rows[i].want == ST_OK ? n : 0, rows[i].count);
        ikev2_builder_free(&b);
        arena_free(&mem);
    }
}

/* Hazard class 2: for each stage, each needed payload missing, then doubled; and one that has no business
 * there. */
static void rules_are_sound_and_enforced(void **state)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        const ikev2_rule *r = &ikev2_rules[i];
        assert_non_null(r->story);
        assert_int_equal(r->need_clear & r->may_clear, 0);
        assert_int_equal(r->need_enc & r->may_enc, 0);
        /* IKE_SA_INIT and connectivity checks come in clear, all others protected */
        bool clear = r->exchange == IKE_SA_INIT || i == RULE_INFO_CHECK;
        assert_int_equal(clear, (r->need_enc | r->may_enc) == 0);
        ikev2_payload sk = {.type = PLV2_SK};
        ikev2_msg m = {.sk = clear ? NULL : &sk, .h = {.exchange = r->exchange}};
        m.h.flags = r->response ? IKEV2_FLAG_RESPONSE : 0;
        m.clear = clear ? r->need_clear : PS2(PLV2_SK);
        m.enc = r->need_enc;
        assert_int_equal(ikev2_check(&m, r, NULL), ST_OK);
        for (unsigned bit = 0; bit < 64; bit++) {
            payset one = (payset)1 << bit;
            msgbuf msg = {{0}};
            ikev2_msg bad = m;
            if (r->need_clear & one || r->need_enc & one) {
                bad.clear &= ~one;
                bad.enc &= ~one;
                assert_int_equal(ikev2_check(&bad, r, &msg), ST_INVALID);
                assert_non_null(strstr(msg.text, "missing"));
                bad = m;
                bad.many_clear = bad.many_enc = one;
                if (!(one & (r->many | PS2(PLV2_NOTIFY))))
                    assert_int_equal(ikev2_check(&bad, r, &msg), ST_INVALID);
            } else if (!((r->may_clear | r->may_enc) & one)) {
                bad.clear |= clear ? one : 0;
                bad.enc |= clear ? 0 : one;
                assert_int_equal(ikev2_check(&bad, r, &msg), ST_INVALID);
            }
        }
        if (!clear) { /* the protected payloads in clear */
            ikev2_msg bad = m;
            msgbuf msg;
            bad.clear |= PS2(PLV2_AUTH);
            assert_int_equal(ikev2_check(&bad, r, &msg), ST_INVALID);
            bad = m;
            bad.sk = NULL;
            assert_int_equal(ikev2_check(&bad, r, &msg), ST_INVALID);
        }
    }
}

static void names(void **state)
{
    assert_string_equal(ENUM_STR(ikev2_notify_names, N_TS_UNACCEPTABLE), "TS_UNACCEPTABLE");
    assert_string_equal(ENUM_STR(ikev2_notify_short_names, N_ME_CONNECTAUTH), "ME_CAUTH");
    assert_string_equal(ENUM_STR(ikev2_payload_names, PLV2_IDP), "IDp");
    assert_string_equal(ENUM_STR(ikev2_exchange_names, ME_CONNECT), "ME_CONNECT");
    assert_string_equal(ENUM_STR(ikev2_exchange_names, 99), "(99)");
    assert_int_equal(enum_value(&ikev2_notify_names, "COOKIE"), N_COOKIE);
    for (size_t i = 1; i < ikev2_notify_names.n; i++)
        assert_true(ikev2_notify_names.rows[i - 1].value < ikev2_notify_names.rows[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_round_trip),
        cmocka_unit_test(every_payload_round_trip),
        cmocka_unit_test(header_lies),
        cmocka_unit_test(every_prefix_and_flip_gets_a_verdict),
        cmocka_unit_test(payload_limits),
        cmocka_unit_test(unknown_payloads),
        cmocka_unit_test(malformed_bodies),
        cmocka_unit_test(proposals_from_peers),
        cmocka_unit_test(selectors_from_peers),
        cmocka_unit_test(rules_are_sound_and_enforced),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
