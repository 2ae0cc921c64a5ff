/* IKE_SA_INIT and IKE_AUTH with lies in them: headers, payloads missing, doubled, reordered and truncated,
 * Diffie-Hellman values, identities, selectors.   hazards.md classes 1, 2, 6, 10
 */
#include "tests/hostile/hostile.h"
#include <stdio.h>
#include <stdlib.h>

static void send_init(v2peer *p, target *t, const ikev2_builder *b)
{
    buf out = {0};
    target_forget(t);
    if (v2_init_request(p, b, &out) == ST_OK)
        target_receive(t, &p->at, p->to_port, buf_span(&out));
    buf_free(&out);
}

static void good_init(buf *out)
{
    v2peer p;
    ikev2_builder b = {0};
    v2_start(&p, ATTACKER_IP, 0x1111);
    for (unsigned i = 0; i < V2_PAYLOADS; i++)
        v2_add_init(&p, &b, i);
    if (v2_init_request(&p, &b, out) != ST_OK)
        abort();
    ikev2_builder_free(&b);
    v2_free(&p);
}

/* ---- class 1 ---- */
static void header_lies(void)
{
    static const struct {
        size_t at, n;
        uint8_t v[8];
    } rows[] = {
        {24, 4, {0, 0, 0, 27}},
        {24, 4, {0, 0, 0, 0}},
        {24, 4, {0xff, 0xff, 0xff, 0xff}},
        {24, 4, {0, 0, 1, 0}},
        {17, 1, {0x00}},
        {17, 1, {0x10}},
        {17, 1, {0x30}},
        {17, 1, {0xf0}},
        {17, 1, {0x2f}},
        {18, 1, {0}},
        {18, 1, {33}},
        {18, 1, {35}},
        {18, 1, {36}},
        {18, 1, {37}},
        {18, 1, {240}},
        {18, 1, {255}},
        {19, 1, {0}},
        {19, 1, {0x20}},
        {19, 1, {0x28}},
        {19, 1, {0xff}},
        {20, 4, {0, 0, 0, 1}},
        {20, 4, {0xff, 0xff, 0xff, 0xff}},
        {0, 8, {0}},
        {8, 8, {1, 2, 3, 4, 5, 6, 7, 8}},
        {30, 2, {0, 0}},
        {30, 2, {0, 1}},
        {30, 2, {0, 3}},
        {30, 2, {0xff, 0xff}},
        {28, 1, {33}},
        {28, 1, {46}},
        {28, 1, {53}},
        {16, 1, {46}},
        {16, 1, {53}},
        {16, 1, {200}},
        {29, 1, {0xff}},
    };
    target t;
    buf good = {0};
    good_init(&good);
    start_target(&t, TARGET_IP, conf_responder);
    endpoint from = {.port = 500};
    if (addr_from_text(&from.ip, ATTACKER_IP, NULL) != ST_OK)
        abort();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char what[64];
        uint8_t was[8];
        memcpy(was, good.p + rows[i].at, 8);
        memcpy(good.p + rows[i].at, rows[i].v, rows[i].n);
        snprintf(what, sizeof(what), "IKE_SA_INIT with a lying header, row %zu", i);
        target_receive(&t, &from, 500, buf_span(&good));
        expect_rest(&t, what);
        memcpy(good.p + rows[i].at, was, 8);
    }
    static const char *const scraps[] = {"", "\xff", "\xff\xff", "SSH-2.0-", "GET / HTTP/1.0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(scraps) / sizeof(scraps[0]); i++)
        for (uint16_t port = 500; port <= 4500; port = (uint16_t)(port + 4000))
            target_receive(&t, &from, port, span_str(scraps[i]));
    expect_rest(&t, "scraps");
    target_stop(&t);
    buf_free(&good);
}

static void prefixes_and_flips(void)
{
    static const uint8_t flips[] = {0, 1, 0x7f, 0x80, 0xff};
    target t;
    buf good = {0};
    endpoint from = {.port = 500};
    good_init(&good);
    start_target(&t, TARGET_IP, conf_responder);
    if (addr_from_text(&from.ip, ATTACKER_IP, NULL) != ST_OK)
        abort();
    for (size_t n = 0; n < good.n; n++) {
        buf cut = {0};
        buf_put(&cut, span_of(good.p, n));
        target_receive(&t, &from, 500, buf_span(&cut));
        if (n >= IKEV2_HEADER) {
            buf_patch_u32(&cut, 24, (uint32_t)n);
            target_receive(&t, &from, 500, buf_span(&cut));
        }
        buf_free(&cut);
    }
    expect_rest(&t, "truncated IKE_SA_INIT requests");
    for (size_t at = 0; at < good.n; at++) {
        uint8_t was = good.p[at];
        for (size_t k = 0; k < sizeof(flips); k++) {
            good.p[at] = flips[k];
            target_receive(&t, &from, 500, buf_span(&good));
            target_forget(&t);
            target_pass(&t, 60 * 1000);
        }
        good.p[at] = was;
    }
    expect_rest(&t, "IKE_SA_INIT requests with one wrong octet");
    target_stop(&t);
    buf_free(&good);
}

/* ---- class 2: IKE_SA_INIT ---- */
static void init_payload_sets(void)
{
    target t;
    start_target(&t, TARGET_IP, conf_responder);
    for (unsigned set = 0; set < 1u << V2_PAYLOADS; set++)
        for (unsigned twice = 0; twice <= V2_PAYLOADS; twice++) {
            v2peer p;
            ikev2_builder b = {0};
            char what[96];
            bool good = set == 7 && twice == V2_PAYLOADS;
            v2_start(&p, ATTACKER_IP, 0x2000 + set * 16 + twice);
            for (unsigned i = 0; i < V2_PAYLOADS; i++)
                if (set & 1u << i)
                    v2_add_init(&p, &b, i);
            if (twice < V2_PAYLOADS && (set & 1u << twice))
                v2_add_init(&p, &b, twice);
            else if (twice < V2_PAYLOADS)
                good = set == 7;
            send_init(&p, &t, &b);
            snprintf(what, sizeof(what), "IKE_SA_INIT of payload set %u, payload %u twice", set, twice);
            check((target_ike_sas(&t) == 1) == good, "%s: %u IKE_SAs", what, target_ike_sas(&t));
            expect_rest(&t, what);
            ikev2_builder_free(&b);
            v2_free(&p);
        }
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        v2peer p;
        ikev2_builder b = {0};
        v2_start(&p, ATTACKER_IP, 0x3000 + i);
        for (unsigned k = 0; k < V2_PAYLOADS; k++)
            v2_add_init(&p, &b, orders[i][k]);
        send_init(&p, &t, &b);
        check(target_ike_sas(&t) == 1, "IKE_SA_INIT in order %zu is not answered", i);
        expect_rest(&t, "IKE_SA_INIT in another order");
        ikev2_builder_free(&b);
        v2_free(&p);
    }
    target_stop(&t);
}

/* One more payload of any type and content in an otherwise good request. */
static void init_with_extra(target *t, uint64_t spi, uint8_t type, bool critical, span body, bool answered,
                            const char *what)
{
    v2peer p;
    ikev2_builder b = {0};
    v2_start(&p, ATTACKER_IP, spi);
    for (unsigned i = 0; i < V2_PAYLOADS; i++)
        v2_add_init(&p, &b, i);
    ikev2_add_raw(&b, type, critical, body);
    send_init(&p, t, &b);
    check((target_ike_sas(t) == 1) == answered, "%s: %u IKE_SAs", what, target_ike_sas(t));
    expect_rest(t, what);
    ikev2_builder_free(&b);
    v2_free(&p);
}

static void init_extras(void)
{
    target t;
    static uint8_t big[60000];
    start_target(&t, TARGET_IP, conf_responder);
    init_with_extra(&t, 1, 200, false, SPAN_LIT("x"), true, "an unknown payload");
    init_with_extra(&t, 2, 200, true, SPAN_LIT("x"), false, "an unknown critical payload");
    init_with_extra(&t, 3, PLV2_AUTH, false, SPAN_LIT("\2\0\0\0x"), false, "AUTH in IKE_SA_INIT");
    init_with_extra(&t, 4, PLV2_DELETE, false, SPAN_LIT("\1\0\0\0"), false, "Delete in IKE_SA_INIT");
    init_with_extra(&t, 5, PLV2_SK, false, SPAN_ARRAY(big), false, "SK in IKE_SA_INIT");
    init_with_extra(&t, 6, PLV2_SKF, false, SPAN_LIT("\0\1\0\1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
                    false, "SKF in IKE_SA_INIT");
    init_with_extra(&t, 7, PLV2_VENDOR, false, SPAN_ARRAY(big), true, "a vendor ID of 60000 octets");
    init_with_extra(&t, 8, PLV2_NOTIFY, false, SPAN_LIT("\0\0\100\4"), true, "an empty NAT detection notify");
    init_with_extra(&t, 9, PLV2_NOTIFY, false, SPAN_LIT("\0\0\100\57\0"), true, "half a hash algorithm");
    init_with_extra(&t, 10, PLV2_NOTIFY, false, SPAN_LIT("\0\0\100\6%n%s"), true,
                    "a cookie nobody asked for");
    target_stop(&t);
}

static void init_proposals(void)
{
    static const struct {
        const char *what, *p;
        size_t n;
    } rows[] = {
#define B(what, s) {what, s, sizeof(s) - 1}
        B("SA without proposals", ""),
        B("SA without transforms", "\0\0\0\10\1\1\0\0"),
        B("SA without DH",
          "\0\0\0\44\1\1\0\3\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\0\0\0\10\2\0\0\2"),
        B("SA with only DH", "\0\0\0\20\1\1\0\1\0\0\0\10\4\0\0\37"),
        B("SA with two key lengths", "\0\0\0\60\1\1\0\4\3\0\0\20\1\0\0\14\200\16\0\200\200\16\1\0\3\0\0\10\3"
                                     "\0\0\2\3\0\0\10\2\0\0\2\0\0\0\10\4\0\0\37"),
        B("SA with key length 0", "\0\0\0\54\1\1\0\4\3\0\0\14\1\0\0\14\200\16\0\0\3\0\0\10\3\0\0\2\3\0\0\10\2"
                                  "\0\0\2\0\0\0\10\4\0\0\37"),
        B("SA with key length 65535", "\0\0\0\54\1\1\0\4\3\0\0\14\1\0\0\14\200\16\377\377\3\0\0\10\3\0\0\2\3"
                                      "\0\0\10\2\0\0\2\0\0\0\10\4\0\0\37"),
        B("SA with an IKE SPI", "\0\0\0\64\1\1\10\4spi8spi8\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\3"
                                "\0\0\10\2\0\0\2\0\0\0\10\4\0\0\37"),
        B("SA for ESP", "\0\0\0\34\1\3\4\2\1\2\3\4\3\0\0\10\1\0\0\3\0\0\0\10\3\0\0\2"),
        B("SA with an unknown transform type", "\0\0\0\64\1\1\0\5\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0"
                                               "\0\2\3\0\0\10\2\0\0\2\3\0\0\10\4\0\0\37\0\0\0\10\11\0\0\1"),
#undef B
    };
    target t;
    start_target(&t, TARGET_IP, conf_responder);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v2peer p;
        ikev2_builder b = {0};
        v2_start(&p, ATTACKER_IP, 0x4000 + i);
        ikev2_add_raw(&b, PLV2_SA, false, span_of(rows[i].p, rows[i].n));
        v2_add_init(&p, &b, 1);
        v2_add_init(&p, &b, 2);
        send_init(&p, &t, &b);
        check(target_ike_sas(&t) == 0 || strstr(rows[i].what, "IKE SPI"), "%s is accepted", rows[i].what);
        expect_rest(&t, rows[i].what);
        ikev2_builder_free(&b);
        v2_free(&p);
    }
    /* as many proposals and transforms as fit */
    buf many = {0};
    for (unsigned i = 0; i < 255; i++) {
        buf_put(&many, span_of("\2\0\2\10\1\1\0\100", 8));
        buf_patch_u8(&many, many.n - 8, i == 254 ? 0 : 2);
        for (unsigned k = 0; k < 64; k++) {
            buf_put(&many, span_of("\3\0\0\10\1\0\0\3", 8));
            buf_patch_u8(&many, many.n - 8, k == 63 ? 0 : 3);
        }
        if (many.n > 60000) {
            buf_patch_u8(&many, many.n - 520, 0);
            break;
        }
    }
    v2peer p;
    ikev2_builder b = {0};
    v2_start(&p, ATTACKER_IP, 0x5000);
    ikev2_add_raw(&b, PLV2_SA, false, buf_span(&many));
    v2_add_init(&p, &b, 1);
    v2_add_init(&p, &b, 2);
    send_init(&p, &t, &b);
    expect_rest(&t, "thousands of transforms");
    ikev2_builder_free(&b);
    v2_free(&p);
    buf_free(&many);
    target_stop(&t);
}

/* ---- class 6 ---- */
static void ke_value(target *t, dh_group group, uint16_t said_group, span value, const char *what)
{
    static uint64_t spi = 0x6000;
    v2peer p;
    ikev2_builder b = {0};
    v2_start(&p, ATTACKER_IP, spi++);
    p.group = group;
    v2_add_init(&p, &b, 0);
    ikev2_add_ke(&b, said_group, value);
    v2_add_init(&p, &b, 2);
    send_init(&p, t, &b);
    ikev2_msg m;
    arena mem;
    arena_init(&mem, 0);
    bool answer = v2_answer(&p, t, &m, &mem);
    check(!(answer && ikev2_find(&m, PLV2_KE)), "%s in %s is accepted", what, ENUM_STR(dh_names, group));
    arena_free(&mem);
    expect_rest(t, what);
    ikev2_builder_free(&b);
    v2_free(&p);
}

static void ke_values(void)
{
    static const dh_group groups[] = {DH_MODP_2048, DH_ECP_256, DH_CURVE25519};
    static uint8_t big[60000];
    target t;
    memset(big, 0xff, sizeof(big));
    start_target(&t, TARGET_IP, conf_responder);
    for (size_t g = 0; g < 3; g++) {
        size_t n = dh_public_bytes(groups[g]);
        uint16_t group = (uint16_t)groups[g];
        uint8_t v[MAX_DH_BYTES] = {0};
        dh *d = NULL;
        if (dh_new(lib, &d, groups[g]) != ST_OK)
            abort();
        span good = dh_public(d);
        ke_value(&t, groups[g], group, span_of(v, n), "KE of zeros");
        if (groups[g] != DH_CURVE25519) { /* any 32 octets are a point there, low order ones apart */
            memset(v, 0xff, n);
            ke_value(&t, groups[g], group, span_of(v, n), "KE of ones");
            memcpy(v, good.p, n);
            v[n - 1] ^= 1;
            if (groups[g] == DH_ECP_256)
                ke_value(&t, groups[g], group, span_of(v, n), "a point off the curve");
        }
        memset(v, 0, n);
        v[groups[g] == DH_CURVE25519 ? 0 : n - 1] = 1;
        ke_value(&t, groups[g], group, span_of(v, n), "KE of value 1");
        ke_value(&t, groups[g], group, span_take(good, n - 1), "KE one octet short");
        memcpy(v, good.p, n);
        v[n] = 0;
        ke_value(&t, groups[g], group, span_of(v, n + 1), "KE one octet long");
        ke_value(&t, groups[g], group, span_of(good.p, 1), "KE of one octet");
        ke_value(&t, groups[g], group, SPAN_NULL, "empty KE");
        ke_value(&t, groups[g], group, SPAN_ARRAY(big), "KE of 60000 octets");
        ke_value(&t, groups[g], 0, good, "KE of group 0");
        ke_value(&t, groups[g], 1025, good, "KE of group 1025");
        ke_value(&t, groups[g], 65535, good, "KE of group 65535");
        ke_value(&t, groups[g], groups[(g + 1) % 3], good, "KE of another group than proposed");
        dh_free(d);
    }
    target_stop(&t);
}

void v2_malformed(void)
{
    header_lies();
    prefixes_and_flips();
    init_payload_sets();
    init_extras();
    init_proposals();
    ke_values();
}

/* ---- IKE_AUTH, by somebody who knows the keys of the IKE_SA and even the shared secret ---- */

typedef struct auth_case {
    target t;
    v2peer p;
    ikev2_builder b;
} auth_case;

static bool begin(auth_case *c)
{
    start_target(&c->t, TARGET_IP, conf_responder);
    v2_start(&c->p, ATTACKER_IP, 0x7777);
    c->b = (ikev2_builder){0};
    return check(v2_handshake(&c->p, &c->t), "no handshake with the target");
}

static void add(auth_case *c, unsigned which)
{
    v2_add_auth(&c->p, &c->b, which, HOSTILE_PSK);
}

/* Sends what was built. children: what must be installed then. The engine must clean up when it is asked to
 * end. */
static void finish(auth_case *c, bool child, const char *what)
{
    v2_send(&c->p, &c->t, IKE_AUTH, IKEV2_FLAG_INITIATOR, 1, &c->b);
    check((kernel_fake_sas(c->t.env.kernel) == 2) == child, "%s: %zu SAs in the kernel", what,
          kernel_fake_sas(c->t.env.kernel));
    expect_no_orphans(&c->t, what);
    if (target_established(&c->t)) { /* well, it knows the secret: then it can say goodbye */
        ikev2_builder bye = {0};
        ikev2_add_delete_ike(&bye);
        v2_send(&c->p, &c->t, INFORMATIONAL, IKEV2_FLAG_INITIATOR, 2, &bye);
        ikev2_builder_free(&bye);
    }
    expect_rest(&c->t, what);
    ikev2_builder_free(&c->b);
    v2_free(&c->p);
    target_stop(&c->t);
}

static void auth_payload_sets(void)
{
    for (unsigned set = 0; set < 1u << V2_AUTH_PAYLOADS; set++) {
        auth_case c;
        char what[64];
        snprintf(what, sizeof(what), "IKE_AUTH of payload set 0x%02x", set);
        if (!begin(&c))
            return;
        for (unsigned i = 0; i < V2_AUTH_PAYLOADS; i++)
            if (set & 1u << i)
                add(&c, i);
        finish(&c, set == (1u << V2_AUTH_PAYLOADS) - 1, what);
    }
    for (unsigned twice = 0; twice < V2_AUTH_PAYLOADS; twice++) {
        auth_case c;
        char what[64];
        snprintf(what, sizeof(what), "IKE_AUTH with payload %u twice", twice);
        if (!begin(&c))
            return;
        for (unsigned i = 0; i < V2_AUTH_PAYLOADS; i++)
            add(&c, i);
        add(&c, twice);
        finish(&c, false, what);
    }
    for (unsigned shift = 1; shift < V2_AUTH_PAYLOADS; shift++) {
        auth_case c;
        if (!begin(&c))
            return;
        for (unsigned i = 0; i < V2_AUTH_PAYLOADS; i++)
            add(&c, (i + shift) % V2_AUTH_PAYLOADS);
        finish(&c, true, "IKE_AUTH in another order");
    }
}

/* One payload's content replaced. */
static void auth_bodies(void)
{
    static const struct {
        const char *what;
        uint8_t which, type;
        const char *p;
        size_t n;
    } rows[] = {
#define B(what, which, type, s) {what, which, type, s, sizeof(s) - 1}
        B("IDi of length 0", V2_AUTH_IDI, PLV2_IDI, "\2\0\0\0"),
        B("IDi of half a header", V2_AUTH_IDI, PLV2_IDI, "\2\0"),
        B("IDi of type 0", V2_AUTH_IDI, PLV2_IDI, "\0\0\0\0attacker"),
        B("IDi of type 255", V2_AUTH_IDI, PLV2_IDI, "\377\0\0\0attacker"),
        B("IDi of type IPv6 with 8 octets", V2_AUTH_IDI, PLV2_IDI, "\5\0\0\0attacker"),
        B("IDi that is a subnet", V2_AUTH_IDI, PLV2_IDI, "\4\0\0\0\12\0\0\0\377\0\0\0"),
        B("IDi that is a bad DN", V2_AUTH_IDI, PLV2_IDI, "\11\0\0\0\60\204\377\377\377\377"),
        B("IDi with a NUL", V2_AUTH_IDI, PLV2_IDI, "\2\0\0\0att\0cker"),
        B("IDi with format and shell characters", V2_AUTH_IDI, PLV2_IDI, "\2\0\0\0%n%s;$(touch x)`id`\n'\""),
        B("AUTH of length 0", V2_AUTH_AUTH, PLV2_AUTH, "\2\0\0\0"),
        B("AUTH of zeros", V2_AUTH_AUTH, PLV2_AUTH, "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        B("AUTH of method 0", V2_AUTH_AUTH, PLV2_AUTH, "\0\0\0\0\0\0\0\0"),
        B("AUTH of method NULL", V2_AUTH_AUTH, PLV2_AUTH, "\15\0\0\0\0\0\0\0"),
        B("AUTH of method RSA without a certificate", V2_AUTH_AUTH, PLV2_AUTH, "\1\0\0\0\0\0\0\0"),
        B("AUTH of method signature, empty", V2_AUTH_AUTH, PLV2_AUTH, "\16\0\0\0"),
        B("AUTH of method signature, lying length", V2_AUTH_AUTH, PLV2_AUTH, "\16\0\0\0\377\60\1"),
        B("AUTH of method 255", V2_AUTH_AUTH, PLV2_AUTH, "\377\0\0\0\0\0\0\0"),
        B("SA without proposals", V2_AUTH_SA, PLV2_SA, ""),
        B("SA with an SPI of 0 octets", V2_AUTH_SA, PLV2_SA, "\0\0\0\20\1\3\0\1\0\0\0\10\1\0\0\14"),
        B("SA with an SPI of 8 octets", V2_AUTH_SA, PLV2_SA, "\0\0\0\30\1\3\10\1spi8spi8\0\0\0\10\1\0\0\14"),
        B("SA with SPI 0", V2_AUTH_SA, PLV2_SA,
          "\0\0\0\50\1\3\4\3\0\0\0\0\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\0\0\0\10\5\0\0\0"),
        B("SA with SPI 1", V2_AUTH_SA, PLV2_SA,
          "\0\0\0\50\1\3\4\3\0\0\0\1\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\0\0\0\10\5\0\0\0"),
        B("SA for IKE", V2_AUTH_SA, PLV2_SA, "\0\0\0\20\1\1\0\1\0\0\0\10\1\0\0\14"),
        B("TSi without selectors", V2_AUTH_TSI, PLV2_TSI, "\0\0\0\0"),
        B("TSi of 255 selectors, none there", V2_AUTH_TSI, PLV2_TSI, "\377\0\0\0"),
        B("TSi of type 0", V2_AUTH_TSI, PLV2_TSI, "\1\0\0\0\0\0\0\20\0\0\377\377\12\2\0\0\12\2\377\377"),
        B("TSi of type 9", V2_AUTH_TSI, PLV2_TSI, "\1\0\0\0\11\0\0\20\0\0\377\377\12\2\0\0\12\2\377\377"),
        B("TSi of type 241", V2_AUTH_TSI, PLV2_TSI, "\1\0\0\0\361\0\0\20\0\0\377\377\12\2\0\0\12\2\377\377"),
        B("TSi with start above end", V2_AUTH_TSI, PLV2_TSI,
          "\1\0\0\0\7\0\0\20\0\0\377\377\12\2\377\377\12\2\0\0"),
        B("TSi IPv6 of 8 octets", V2_AUTH_TSI, PLV2_TSI,
          "\1\0\0\0\10\0\0\20\0\0\377\377\12\2\0\0\12\2\377\377"),
        B("TSi length 8", V2_AUTH_TSI, PLV2_TSI, "\1\0\0\0\7\0\0\10\0\0\377\377"),
        B("TSi length 0", V2_AUTH_TSI, PLV2_TSI, "\1\0\0\0\7\0\0\0\0\0\377\377\12\2\0\0\12\2\377\377"),
        B("TSi of other addresses", V2_AUTH_TSI, PLV2_TSI, "\1\0\0\0\7\0\0\20\0\0\377\377\13\0\0\0\13\0\0\1"),
        B("TSr of other addresses", V2_AUTH_TSR, PLV2_TSR, "\1\0\0\0\7\0\0\20\0\0\377\377\13\0\0\0\13\0\0\1"),
        B("TSr of no addresses", V2_AUTH_TSR, PLV2_TSR, "\1\0\0\0\7\0\0\20\0\0\377\377\0\0\0\0\0\0\0\0"),
#undef B
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auth_case c;
        if (!begin(&c))
            return;
        for (unsigned k = 0; k < V2_AUTH_PAYLOADS; k++)
            if (k == rows[i].which)
                ikev2_add_raw(&c.b, rows[i].type, false, span_of(rows[i].p, rows[i].n));
            else
                add(&c, k);
        finish(&c, false, rows[i].what);
    }
}

static void auth_extras(void)
{
    static uint8_t big[50000];
    static const struct {
        const char *what;
        uint8_t type;
        const char *p;
        size_t n;
        bool child;
    } rows[] = {
#define B(what, type, s, child) {what, type, s, sizeof(s) - 1, child}
        B("IDr of nobody", PLV2_IDR, "\2\0\0\0nobody", false),
        B("IDr of length 0", PLV2_IDR, "\2\0\0\0", false),
        B("CERT that is none", PLV2_CERT, "\4\60\204\377\377\377\377", true),
        B("CERT empty", PLV2_CERT, "\4", true),
        B("CERT hash and URL to a file", PLV2_CERT,
          "\14"
          "01234567890123456789file:///etc/passwd",
          true),
        B("CERTREQ of half a hash", PLV2_CERTREQ, "\4abc", true),
        B("CP request of nonsense", PLV2_CP, "\1\0\0\0\177\377\0\4abcd", true),
        B("CP of an attribute beyond the end", PLV2_CP, "\1\0\0\0\0\1\0\377", false),
        B("CP reply", PLV2_CP, "\2\0\0\0\0\1\0\4\12\0\0\1", true),
        B("EAP out of the blue", PLV2_EAP, "\3\1\0\4", false),
        B("Delete", PLV2_DELETE, "\1\0\0\0", false),
        B("second nonce", PLV2_NONCE, "0123456789abcdef", false),
        B("KE", PLV2_KE,
          "\0\37\0\0"
          "01234567890123456789012345678901",
          false),
        B("INITIAL_CONTACT", PLV2_NOTIFY, "\0\0\100\0", true),
        B("REKEY_SA without SPI", PLV2_NOTIFY, "\3\0\100\11", true),
        B("USE_TRANSPORT_MODE with data", PLV2_NOTIFY, "\0\0\100\7xxxx", true),
        B("IPCOMP_SUPPORTED of one octet", PLV2_NOTIFY, "\0\0\100\3\1", true),
        B("ADDITIONAL_IP4_ADDRESS of one octet", PLV2_NOTIFY, "\0\0\100\15\1", true),
        B("error notify", PLV2_NOTIFY, "\0\0\0\30", true),
#undef B
        {"vendor ID of 50000 octets", PLV2_VENDOR, (const char *)big, sizeof(big), true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auth_case c;
        if (!begin(&c))
            return;
        for (unsigned k = 0; k < V2_AUTH_PAYLOADS; k++)
            add(&c, k);
        ikev2_add_raw(&c.b, rows[i].type, false, span_of(rows[i].p, rows[i].n));
        finish(&c, rows[i].child, rows[i].what);
    }
    auth_case c;
    if (!begin(&c))
        return;
    ikev2_add_id(&c.b, PLV2_IDI, 2, SPAN_ARRAY(big));
    for (unsigned k = 1; k < V2_AUTH_PAYLOADS; k++)
        add(&c, k);
    finish(&c, false, "IDi of 50000 octets");
}

void v2_auth_inputs(void)
{
    auth_payload_sets();
    auth_bodies();
    auth_extras();
}
