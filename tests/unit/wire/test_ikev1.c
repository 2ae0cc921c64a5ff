/* IKEv1 messages: building, parsing, fragments, vendor IDs, and malformed inputs. */
#include "libfreeswan/wire/ikev1_payloads.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const ikev1_header main_header = {.icookie = {1, 2, 3, 4, 5, 6, 7, 8}, .exchange = ISAKMP_XCHG_IDPROT};

static void add_sa(ikev1_builder *b)
{
    uint8_t room[4];
    wire_attr attrs[] = {
        wire_attr_tv(OAKLEY_LIFE_TYPE, 1),
        ikev1_attr_num(OAKLEY_LIFE_DURATION, 86400, room),
        wire_attr_tv(OAKLEY_ENCRYPTION_ALGORITHM, 7),
        wire_attr_tv(OAKLEY_KEY_LENGTH, 128),
        wire_attr_tv(OAKLEY_HASH_ALGORITHM, 2),
        wire_attr_tv(OAKLEY_AUTHENTICATION_METHOD, 1),
        wire_attr_tv(OAKLEY_GROUP_DESCRIPTION, 14),
    };
    ikev1_transform t[] = {{0, 1, WIRE_LIST(attrs, 7)}, {1, 1, WIRE_LIST(attrs, 6)}};
    ikev1_proposal p = {0, IPV1_PROTO_ISAKMP, SPAN_NULL, WIRE_LIST(t, 2)};
    ikev1_add(b, PLV1_SA, &(ikev1_sa){IKEV1_DOI_IPSEC, IKEV1_SIT_IDENTITY_ONLY, WIRE_LIST(&p, 1)});
}

static void emit_main1(buf *out)
{
    ikev1_builder b = {0};
    add_sa(&b);
    ikev1_add_raw(&b, PLV1_VID, vid_octets(VID_DPD));
    ikev1_add_raw(&b, PLV1_VID, vid_octets(VID_NATT_RFC));
    assert_int_equal(ikev1_emit(&main_header, &b, 0, out), ST_OK);
    ikev1_builder_free(&b);
}

static void assert_same_again(const ikev1_msg *m)
{
    for (size_t i = 0; i < m->n; i++) {
        buf out = {0};
        assert_int_equal(wire_emit(ikev1_payload_table(m->p[i].type), &m->p[i].sa, &out), ST_OK);
        assert_true(span_equal(buf_span(&out), m->p[i].body));
        buf_free(&out);
    }
}

static status parse_copy(span in, msgbuf *msg)
{
    ikev1_msg m;
    arena mem;
    uint8_t *copy = malloc(in.n ? in.n : 1);
    assert_non_null(copy);
    if (in.n)
        memcpy(copy, in.p, in.n);
    arena_init(&mem, IKEV1_ARENA_LIMIT);
    status st = ikev1_parse(&m, span_of(copy, in.n), &mem, msg);
    if (st == ST_OK) {
        buf text = {0};
        ikev1_dump(&m, &text);
        buf_free(&text);
    }
    arena_free(&mem);
    free(copy);
    return st;
}

static status parse_body(uint8_t type, span body, msgbuf *msg)
{
    ikev1_builder b = {0};
    buf out = {0};
    ikev1_add_raw(&b, type, body);
    assert_int_equal(ikev1_emit(&main_header, &b, 0, &out), ST_OK);
    status st = parse_copy(buf_span(&out), msg);
    buf_free(&out);
    ikev1_builder_free(&b);
    return st;
}

static void main1_round_trip(void **state)
{
    buf out = {0};
    ikev1_msg m;
    arena mem;
    uint32_t v = 0;
    emit_main1(&out);
    arena_init(&mem, 0);
    assert_int_equal(ikev1_parse(&m, buf_span(&out), &mem, NULL), ST_OK);
    assert_int_equal(m.n, 3);
    assert_same_again(&m);
    const ikev1_sa *sa = &ikev1_find(&m, PLV1_SA)->sa;
    const ikev1_proposal *p = WIRE_AT(sa->proposals, ikev1_proposal, 0);
    assert_int_equal(p->transforms.n, 2);
    const ikev1_transform *t = WIRE_AT(p->transforms, ikev1_transform, 0);
    assert_true(wire_attr_u32(wire_attr_find(&t->attrs, OAKLEY_LIFE_DURATION), &v));
    assert_int_equal(v, 86400);
    assert_false(wire_attr_find(&t->attrs, OAKLEY_LIFE_DURATION)->tv);
    assert_true(wire_attr_find(&t->attrs, OAKLEY_KEY_LENGTH)->tv);
    assert_int_equal(ikev1_count(&m, PLV1_VID), 2);
    assert_int_equal(vid_find(ikev1_nth(&m, PLV1_VID, 1)->vid.data)->kind, VID_NATT_RFC);
    assert_int_equal(ikev1_check(&m, PS1(PLV1_SA), 0, 0, NULL), ST_OK);
    msgbuf msg;
    assert_int_equal(ikev1_check(&m, PS1(PLV1_SA) | PS1(PLV1_KE), 0, 0, &msg), ST_INVALID);
    assert_non_null(strstr(msg.text, "ISAKMP_NEXT_KE is missing"));
    assert_int_equal(ikev1_check(&m, 0, PS1(PLV1_KE), 0, &msg), ST_INVALID);
    assert_non_null(strstr(msg.text, "ISAKMP_NEXT_SA is not expected"));
    buf_free(&out);
    arena_free(&mem);
}

static void protected_round_trip(void **state)
{
    ikev1_builder b = {0};
    buf out = {0};
    ikev1_msg m = {0};
    arena mem;
    ip_addr a = {.family = AF_INET, .b = {10, 0, 0, 1}};
    wire_attr attrs[] = {wire_attr_tlv(XAUTH_USER_NAME, SPAN_LIT("user")), wire_attr_tv(XAUTH_STATUS, 1)};
    ikev1_add_hash_room(&b, 20);
    size_t behind = b.out.n;
    ikev1_add_id(&b, 4, 17, 1701, SPAN_LIT("\12\1\0\0\377\377\0\0"));
    ikev1_add_cert(&b, PLV1_CERT, CERTV1_X509_SIGNATURE, SPAN_LIT("der"));
    ikev1_add_cert(&b, PLV1_CR, CERTV1_X509_SIGNATURE, SPAN_NULL);
    ikev1_add_raw(&b, PLV1_SIG, SPAN_LIT("sig"));
    ikev1_add_raw(&b, PLV1_NONCE, SPAN_LIT("0123456789abcdef"));
    ikev1_add_raw(&b, PLV1_KE, SPAN_LIT("ke"));
    ikev1_add_notify(&b, IKEV1_DOI_IPSEC, IPV1_PROTO_ISAKMP, SPAN_LIT("0123456789abcdef"), NV1_R_U_THERE,
                     SPAN_LIT("\0\0\0\1"));
    ikev1_add_delete(&b, IPV1_PROTO_ESP, 4, SPAN_LIT("\0\0\0\1\0\0\0\2"));
    ikev1_add_cfg(&b, CFGV1_REPLY, 7, attrs, 2);
    ikev1_add_raw(&b, PLV1_NAT_D_DRAFT, SPAN_LIT("01234567890123456789"));
    ikev1_add_natoa(&b, true, &a);
    ikev1_add_natoa(&b, false, &a);
    ikev1_set_hash(&b, SPAN_LIT("hhhhhhhhhhhhhhhhhhhh"));
    assert_true(ikev1_builder_ok(&b));
    assert_int_equal(ikev1_emit(&main_header, &b, 5, &out), ST_OK);
    arena_init(&mem, 0);
    m.mem = &mem;
    span body = span_skip(buf_span(&out), IKEV1_HEADER);
    m.h.next = out.p[16];
    msgbuf msg;
    assert_int_equal(ikev1_parse_chain(&m, body, false, &msg), ST_INVALID); /* padding in clear */
    m = (ikev1_msg){.mem = &mem};
    m.h.next = out.p[16];
    assert_int_equal(ikev1_parse_chain(&m, body, true, &msg), ST_OK);
    assert_same_again(&m);
    assert_int_equal(m.n, 13);
    assert_true(span_equal(m.p[0].hash.data, SPAN_LIT("hhhhhhhhhhhhhhhhhhhh")));
    assert_true(span_equal(m.after_hash, ikev1_builder_from(&b, behind)));
    assert_int_equal(ikev1_count(&m, PLV1_NAT_OA), 2);
    assert_int_equal(ikev1_nth(&m, PLV1_NAT_OA, 0)->wire_type, PLV1_NAT_OA_DRAFT);
    assert_int_equal(ikev1_find(&m, PLV1_NAT_D)->wire_type, PLV1_NAT_D_DRAFT);
    assert_int_equal(ikev1_find(&m, PLV1_ID)->id.port, 1701);
    assert_int_equal(ikev1_find(&m, PLV1_ATTR)->cfg.attrs.n, 2);
    ikev1_set_hash(&b, SPAN_LIT("short"));
    assert_false(ikev1_builder_ok(&b));
    buf_free(&out);
    ikev1_builder_free(&b);
    arena_free(&mem);
}

static void header_lies(void **state)
{
    static const struct {
        size_t at;
        uint8_t v[4];
        size_t n;
        status want;
    } rows[] = {
        {24, {0, 0, 0, 27}, 4, ST_INVALID}, {24, {0xff, 0xff, 0xff, 0xff}, 4, ST_INVALID},
        {24, {0, 0, 0, 28}, 4, ST_INVALID}, {17, {0x00}, 1, ST_UNSUPPORTED},
        {17, {0x20}, 1, ST_UNSUPPORTED},    {17, {0x1f}, 1, ST_OK},
        {16, {0}, 1, ST_INVALID},           {16, {19}, 1, ST_UNSUPPORTED},
        {16, {255}, 1, ST_UNSUPPORTED},     {16, {2}, 1, ST_UNSUPPORTED}, /* P and T only inside SA */
        {28, {1}, 1, ST_INVALID},                                         /* the VID read as SA */
        {30, {0, 0}, 2, ST_INVALID},        {30, {0, 1}, 2, ST_INVALID},
        {30, {0, 3}, 2, ST_INVALID},        {30, {0xff, 0xff}, 2, ST_INVALID},
    };
    buf out = {0};
    emit_main1(&out);
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
    /* Cisco's 16 surplus zero octets only where they are wanted */
    ikev1_header h;
    size_t surplus = 0;
    buf_put_zero(&out, 16);
    assert_int_equal(ikev1_parse_header(&h, buf_span(&out), NULL), ST_INVALID);
    assert_int_equal(ikev1_parse_header(&h, buf_span(&out), &surplus), ST_OK);
    assert_int_equal(surplus, 16);
    out.p[out.n - 1] = 1;
    assert_int_equal(ikev1_parse_header(&h, buf_span(&out), &surplus), ST_INVALID);
    buf_free(&out);
    assert_int_equal(parse_copy(SPAN_LIT("\xff"), NULL), ST_INVALID);
    assert_int_equal(parse_copy(SPAN_NULL, NULL), ST_INVALID);
}

static void every_prefix_and_flip_gets_a_verdict(void **state)
{
    buf out = {0};
    emit_main1(&out);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(parse_copy(span_of(out.p, n), NULL), ST_INVALID);
    for (size_t at = 0; at < out.n; at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t was = out.p[at];
            out.p[at] = (uint8_t)v;
            status st = parse_copy(buf_span(&out), NULL);
            assert_true(st == ST_OK || st == ST_INVALID || st == ST_UNSUPPORTED || st == ST_LIMIT);
            out.p[at] = was;
        }
    buf_free(&out);
}

static void malformed_bodies(void **state)
{
    static const struct {
        uint8_t type;
        const char *p;
        size_t n;
    } rows[] = {
#define B(type, s) {type, s, sizeof(s) - 1}
        B(PLV1_SA, "\0\0\0\1\0\0\0\1"), /* no proposal */
        B(PLV1_SA, "\0\0\0\1\0\0"),
        B(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\10\1\1\0\0"),                           /* no transform */
        B(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\20\1\1\0\2\0\0\0\10\1\1\0\0"),          /* two announced */
        B(PLV1_SA, "\0\0\0\1\0\0\0\1\2\0\0\20\1\1\0\1\0\0\0\10\1\1\0\0"),          /* "more" */
        B(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\20\1\1\21\1\0\0\0\10\1\1\0\0"),         /* SPI of 17 */
        B(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\22\1\1\0\1\0\0\0\12\1\1\0\0\200\1"),    /* half an attribute */
        B(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\24\1\1\0\1\0\0\0\14\1\1\0\0\0\14\0\4"), /* TLV beyond the end */
        B(PLV1_KE, ""),
        B(PLV1_HASH, ""),
        B(PLV1_NONCE, "1234567"),
        B(PLV1_ID, "\1\0\0"),
        B(PLV1_CERT, ""),
        B(PLV1_N, "\0\0\0\1\1\20\0\1\1"),
        B(PLV1_N, "\0\0\0\1\1\0"),
        B(PLV1_D, "\0\0\0\1\3\4\0\2\1\2\3\4"),
        B(PLV1_D, "\0\0\0\1\3\0\0\2\1"),
        B(PLV1_D, "\0\0\0\1\3\377\377\377"),
        B(PLV1_ATTR, "\1\0\0"),
        B(PLV1_ATTR, "\1\0\0\0\0\1\0\1"),
        B(PLV1_NAT_D, ""),
        B(PLV1_NAT_OA, "\1\0\0\0\1\2\3"),
        B(PLV1_NAT_OA, "\1\0\0"),
        B(PLV1_FRAGMENT, "\0\1\1\1"),
        B(PLV1_FRAGMENT, "\0\1"),
#undef B
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        msgbuf msg = {{0}};
        status st = parse_body(rows[i].type, span_of(rows[i].p, rows[i].n), &msg);
        if (st != ST_INVALID || !msg.text[0])
            fail_msg("row %zu (type %u): %s", i, rows[i].type, status_text(st));
    }
    ikev1_builder b = {0};
    buf out = {0};
    for (size_t i = 0; i <= IKEV1_MAX_PAYLOADS; i++)
        ikev1_add_raw(&b, PLV1_VID, SPAN_LIT("v"));
    assert_int_equal(ikev1_emit(&main_header, &b, 0, &out), ST_OK);
    assert_int_equal(parse_copy(buf_span(&out), NULL), ST_LIMIT);
    ikev1_builder_free(&b);
    buf_free(&out);
}

/* ---- fragments: hazard class 9 ---- */

typedef struct pieces {
    buf datagram[IKEV1_MAX_FRAGMENTS];
    size_t n;
} pieces;

static status keep_piece(void *ctx, span datagram)
{
    pieces *p = ctx;
    return buf_copy_of(&p->datagram[p->n++], datagram);
}

static status feed(ikev1_defrag *d, const buf *datagram, span *whole)
{
    ikev1_msg m;
    arena mem;
    arena_init(&mem, 0);
    assert_int_equal(ikev1_parse(&m, buf_span(datagram), &mem, NULL), ST_OK);
    assert_true(ikev1_is_fragment(&m));
    status st = ikev1_defrag_add(d, &m.p[0].frag, whole, NULL);
    arena_free(&mem);
    return st;
}

static void fragments_in_any_order(void **state)
{
    static uint8_t big[3000];
    ikev1_builder b = {0};
    buf message = {0};
    pieces *p = calloc(1, sizeof(*p));
    ikev1_defrag d = {0};
    span whole = SPAN_NULL;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7);
    assert_non_null(p);
    ikev1_add_raw(&b, PLV1_KE, SPAN_ARRAY(big));
    assert_int_equal(ikev1_emit(&main_header, &b, 0, &message), ST_OK);
    assert_int_equal(ikev1_fragment_each(buf_span(&message), 552, 1, keep_piece, p), ST_OK);
    assert_int_equal(p->n, 6);
    for (size_t i = p->n; i > 0; i--) { /* last first, each twice */
        assert_true(p->datagram[i - 1].n <= 552);
        status st = feed(&d, &p->datagram[i - 1], &whole);
        assert_int_equal(st, i == 1 ? ST_OK : ST_NEED_MORE);
        if (i > 1)
            assert_int_equal(feed(&d, &p->datagram[i - 1], &whole), ST_NEED_MORE);
    }
    assert_true(span_equal(whole, buf_span(&message)));
    ikev1_defrag_reset(&d);
    assert_int_equal(ikev1_fragment_each(buf_span(&message), 40, 1, keep_piece, p), ST_LIMIT);
    assert_int_equal(ikev1_fragment_each(buf_span(&message), 36, 1, keep_piece, p), ST_INVALID);
    for (size_t i = 0; i < p->n; i++)
        buf_free(&p->datagram[i]);
    free(p);
    ikev1_builder_free(&b);
    buf_free(&message);
}

static void bad_fragments(void **state)
{
    ikev1_defrag d = {0};
    span whole = SPAN_NULL;
    msgbuf msg;
    static uint8_t big[60000];
#define F(id_, number_, flags_)                                                                              \
    (&(ikev1_fragment){.id = id_, .number = number_, .flags = flags_, .data = SPAN_LIT("abc")})
    assert_int_equal(ikev1_defrag_add(&d, F(1, 0, 0), &whole, &msg), ST_INVALID);
    assert_int_equal(ikev1_defrag_add(&d, F(1, 65, 0), &whole, &msg), ST_LIMIT);
    assert_int_equal(ikev1_defrag_add(&d, F(1, 255, 1), &whole, &msg), ST_LIMIT);
    assert_int_equal(ikev1_defrag_add(&d, &(ikev1_fragment){.id = 1, .number = 1}, &whole, &msg), ST_INVALID);
    /* a number behind the last one */
    assert_int_equal(ikev1_defrag_add(&d, F(1, 2, 1), &whole, &msg), ST_NEED_MORE);
    assert_int_equal(ikev1_defrag_add(&d, F(1, 3, 0), &whole, &msg), ST_INVALID);
    /* the last one is not the last */
    assert_int_equal(ikev1_defrag_add(&d, F(1, 5, 0), &whole, &msg), ST_NEED_MORE);
    assert_int_equal(ikev1_defrag_add(&d, F(1, 4, 1), &whole, &msg), ST_INVALID);
    /* another id starts anew; a duplicate keeps the first octets */
    assert_int_equal(ikev1_defrag_add(&d, F(1, 1, 0), &whole, &msg), ST_NEED_MORE);
    assert_int_equal(ikev1_defrag_add(&d, F(2, 2, 1), &whole, &msg), ST_NEED_MORE);
    ikev1_fragment other = *F(2, 2, 1);
    other.data = SPAN_LIT("xyz");
    assert_int_equal(ikev1_defrag_add(&d, &other, &whole, &msg), ST_NEED_MORE);
    assert_int_equal(ikev1_defrag_add(&d, F(2, 1, 0), &whole, &msg), ST_OK);
    assert_true(span_equal(whole, SPAN_LIT("abcabc")));
    /* memory is bounded */
    other = (ikev1_fragment){.id = 3, .number = 1, .data = SPAN_ARRAY(big)};
    assert_int_equal(ikev1_defrag_add(&d, &other, &whole, &msg), ST_NEED_MORE);
    other.number = 2;
    assert_int_equal(ikev1_defrag_add(&d, &other, &whole, &msg), ST_LIMIT);
    ikev1_defrag_reset(&d);
#undef F
}

static void vendor_ids(void **state)
{
    char text[200];
    assert_int_equal(vid_find(vid_octets(VID_XAUTH))->kind, VID_XAUTH);
    assert_int_equal(vid_find(vid_octets(VID_NATT_02_N))->kind, VID_NATT_02_N);
    assert_string_equal(vid_find(vid_octets(VID_DPD))->name, "Dead Peer Detection");
    assert_true(VID_NATT_RFC > VID_NATT_03 && VID_NATT_03 > VID_NATT_02 && VID_NATT_02 > VID_NATT_02_N &&
                VID_NATT_02_N > VID_NATT_00);
    assert_int_equal(vid_octets(VID_FRAGMENTATION).n, 16);
    assert_int_equal(
        vid_find(SPAN_LIT("\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3\x80\0\0\0"))
            ->kind,
        VID_FRAGMENTATION);
    assert_int_equal(vid_find(SPAN_LIT("nobody"))->kind, VID_UNKNOWN);
    assert_int_equal(vid_find(SPAN_NULL)->kind, VID_UNKNOWN);
    assert_string_equal(vid_text(SPAN_LIT("\1\2"), text, sizeof(text)), "0102");
    assert_string_equal(vid_text(SPAN_LIT("OpenPGP10171"), text, sizeof(text)), "OpenPGP");
    assert_string_equal(vid_text(SPAN_LIT("\x1f\x07\xf7\x0e\xaa\x65\x14\xd3\xb0\xfa\x96\x54\x2a\x50\x04\x07"),
                                 text, sizeof(text)),
                        "Cisco VPN 3000 Series 0407");
    static const uint8_t strongswan423[] = {0x2d, 0x1f, 0x40, 0x61, 0x18, 0xfb, 0xd5, 0xd2,
                                            0x84, 0x74, 0x79, 0x1f, 0xfa, 0,    0x48, 0x8a};
    assert_string_equal(vid_text(SPAN_ARRAY(strongswan423), text, sizeof(text)), "strongSwan 4.2.3");
    uint8_t longer[40] = {1};
    vid_text(SPAN_ARRAY(longer), text, sizeof(text));
    assert_int_equal(strlen(text), 67); /* 32 octets and dots */
}

static void names(void **state)
{
    const enum_names *all[] = {&ikev1_exchange_names,    &ikev1_payload_names,     &ikev1_notify_names,
                               &ikev1_oakley_attr_names, &ikev1_auth_method_names, &ikev1_ipsec_attr_names,
                               &ikev1_encaps_names,      &ikev1_protocol_names,    &ikev1_cert_names,
                               &ikev1_cfg_type_names,    &ikev1_cfg_attr_names,    &ikev1_life_names};
    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
        for (size_t i = 1; i < all[k]->n; i++)
            assert_true(all[k]->rows[i - 1].value < all[k]->rows[i].value);
    assert_string_equal(ENUM_STR(ikev1_notify_names, NV1_INVALID_KEY_INFORMATION), "INVALID_KEY_INFORMATION");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main1_round_trip),
        cmocka_unit_test(protected_round_trip),
        cmocka_unit_test(header_lies),
        cmocka_unit_test(every_prefix_and_flip_gets_a_verdict),
        cmocka_unit_test(malformed_bodies),
        cmocka_unit_test(fragments_in_any_order),
        cmocka_unit_test(bad_fragments),
        cmocka_unit_test(vendor_ids),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
