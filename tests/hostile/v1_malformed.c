/* Main mode with lies in it: headers, payloads missing, doubled and truncated, proposals, Diffie-Hellman
 * values, identities.   hazards.md classes 1, 2, 6, 10
 */
#include "tests/hostile/hostile.h"
#include <stdio.h>
#include <stdlib.h>

static endpoint attacker(void)
{
    endpoint e = {.port = IKE_PORT};
    if (addr_from_text(&e.ip, ATTACKER_IP, NULL) != ST_OK)
        abort();
    return e;
}

static void good_main1(buf *out)
{
    v1peer p;
    ikev1_builder b = {0};
    ikev1_header h = {.exchange = ISAKMP_XCHG_IDPROT};
    v1_start(&p, ATTACKER_IP, 1);
    memcpy(h.icookie, p.ci, 8);
    v1_add_sa(&p, &b);
    ikev1_add_raw(&b, PLV1_VID, vid_octets(VID_DPD));
    ikev1_add_raw(&b, PLV1_VID, vid_octets(VID_NATT_RFC));
    if (ikev1_emit(&h, &b, 0, out) != ST_OK)
        abort();
    ikev1_builder_free(&b);
    v1_free(&p);
}

static void header_lies(void)
{
    static const struct {
        size_t at, n;
        uint8_t v[8];
    } rows[] = {
        {24, 4, {0, 0, 0, 27}},
        {24, 4, {0, 0, 0, 0}},
        {24, 4, {0xff, 0xff, 0xff, 0xff}},
        {24, 4, {0, 0, 0, 28}},
        {17, 1, {0x00}},
        {17, 1, {0x20}},
        {17, 1, {0x30}},
        {17, 1, {0x1f}},
        {18, 1, {0}},
        {18, 1, {1}},
        {18, 1, {3}},
        {18, 1, {4}},
        {18, 1, {5}},
        {18, 1, {6}},
        {18, 1, {32}},
        {18, 1, {33}},
        {18, 1, {34}},
        {18, 1, {255}},
        {19, 1, {1}},
        {19, 1, {2}},
        {19, 1, {4}},
        {19, 1, {0xff}},
        {20, 4, {0, 0, 0, 1}},
        {0, 8, {0}},
        {8, 8, {1, 2, 3, 4, 5, 6, 7, 8}},
        {16, 1, {0}},
        {16, 1, {2}},
        {16, 1, {8}},
        {16, 1, {13}},
        {16, 1, {132}},
        {16, 1, {255}},
        {28, 1, {1}},
        {28, 1, {132}},
        {28, 1, {77}},
        {29, 1, {0xff}},
        {30, 2, {0, 0}},
        {30, 2, {0, 1}},
        {30, 2, {0, 3}},
        {30, 2, {0xff, 0xff}},
    };
    target t;
    buf good = {0};
    endpoint from = attacker();
    good_main1(&good);
    start_target(&t, TARGET_IP, conf_v1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char what[64];
        uint8_t was[8];
        memcpy(was, good.p + rows[i].at, 8);
        memcpy(good.p + rows[i].at, rows[i].v, rows[i].n);
        snprintf(what, sizeof(what), "main mode with a lying header, row %zu", i);
        target_receive(&t, &from, 500, buf_span(&good));
        expect_rest(&t, what);
        memcpy(good.p + rows[i].at, was, 8);
    }
    target_stop(&t);
    buf_free(&good);
}

static void prefixes_and_flips(void)
{
    static const uint8_t flips[] = {0, 1, 0x7f, 0x80, 0xff};
    target t;
    buf good = {0};
    endpoint from = attacker();
    good_main1(&good);
    start_target(&t, TARGET_IP, conf_v1);
    for (size_t n = 0; n < good.n; n++) {
        buf cut = {0};
        buf_put(&cut, span_of(good.p, n));
        target_receive(&t, &from, 500, buf_span(&cut));
        if (n >= IKEV1_HEADER) {
            buf_patch_u32(&cut, 24, (uint32_t)n);
            target_receive(&t, &from, 500, buf_span(&cut));
        }
        buf_free(&cut);
    }
    expect_rest(&t, "truncated main mode messages");
    for (size_t at = 0; at < good.n; at++) {
        uint8_t was = good.p[at];
        for (size_t k = 0; k < sizeof(flips); k++) {
            good.p[at] = flips[k];
            target_receive(&t, &from, 500, buf_span(&good));
            target_forget(&t);
            target_pass(&t, 100 * 1000);
        }
        good.p[at] = was;
    }
    expect_rest(&t, "main mode messages with one wrong octet");
    target_stop(&t);
    buf_free(&good);
}

static void proposals_of_main1(void)
{
#define DOI "\0\0\0\1\0\0\0\1"
    static const struct {
        const char *what, *p;
        size_t n;
    } rows[] = {
#define B(what, s) {what, s, sizeof(s) - 1}
        B("SA empty", ""),
        B("SA without proposals", DOI),
        B("SA of another DOI", "\0\0\0\2\0\0\0\1\0\0\0\20\0\1\0\1\0\0\0\10\0\1\0\0"),
        B("SA of another situation", "\0\0\0\1\0\0\0\2\0\0\0\20\0\1\0\1\0\0\0\10\0\1\0\0"),
        B("SA without transforms", DOI "\0\0\0\10\0\1\0\0"),
        B("SA with an empty transform", DOI "\0\0\0\20\0\1\0\1\0\0\0\10\0\1\0\0"),
        B("SA for ESP", DOI "\0\0\0\24\0\3\4\1\1\2\3\4\0\0\0\10\0\14\0\0"),
        B("SA with two proposals",
          DOI "\2\0\0\20\0\1\0\1\0\0\0\10\0\1\0\0\0\0\0\20\1\1\0\1\0\0\0\10\0\1\0\0"),
        B("transform with key length first", DOI "\0\0\0\50\0\1\0\1\0\0\0\40\0\1\0\0\200\16\0\200\200\1\0\7"
                                                 "\200\2\0\2\200\3\0\1\200\4\0\23\200\13\0\1"),
        B("transform without a group",
          DOI "\0\0\0\44\0\1\0\1\0\0\0\34\0\1\0\0\200\1\0\7\200\16\0\200\200\2\0\2\200\3\0\1\200\13\0\1"),
        B("transform without a hash",
          DOI "\0\0\0\44\0\1\0\1\0\0\0\34\0\1\0\0\200\1\0\7\200\16\0\200\200\3\0\1\200\4\0\23\200\13\0\1"),
        B("transform with two ciphers", DOI "\0\0\0\50\0\1\0\1\0\0\0\40\0\1\0\0\200\1\0\7\200\1\0\5\200\16\0"
                                            "\200\200\2\0\2\200\3\0\1\200\4\0\23"),
        B("transform with RSA encryption",
          DOI "\0\0\0\44\0\1\0\1\0\0\0\34\0\1\0\0\200\1\0\7\200\16\0\200\200\2\0\2\200\3\0\4\200\4\0\23"),
        B("transform with method 0",
          DOI "\0\0\0\44\0\1\0\1\0\0\0\34\0\1\0\0\200\1\0\7\200\16\0\200\200\2\0\2\200\3\0\0\200\4\0\23"),
        B("transform with group 0",
          DOI "\0\0\0\44\0\1\0\1\0\0\0\34\0\1\0\0\200\1\0\7\200\16\0\200\200\2\0\2\200\3\0\1\200\4\0\0"),
        B("transform with key length 0",
          DOI "\0\0\0\44\0\1\0\1\0\0\0\34\0\1\0\0\200\1\0\7\200\16\0\0\200\2\0\2\200\3\0\1\200\4\0\23"),
        B("transform with key length 65535",
          DOI "\0\0\0\44\0\1\0\1\0\0\0\34\0\1\0\0\200\1\0\7\200\16\377\377\200\2\0\2\200\3\0\1\200\4\0\23"),
        B("transform with an attribute beyond the end", DOI "\0\0\0\24\0\1\0\1\0\0\0\14\0\1\0\0\0\14\0\4"),
        B("transform with a prime of its own", DOI
          "\0\0\0\50\0\1\0\1\0\0\0\40\0\1\0\0\200\1\0\7\200\16\0\200\200\2\0\2\200\3\0\1\0\6\0\4\0\0\0\7"),
#undef B
    };
    target t;
    start_target(&t, TARGET_IP, conf_v1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v1peer p;
        ikev1_builder b = {0};
        v1_start(&p, ATTACKER_IP, (uint32_t)(100 + i));
        ikev1_add_raw(&b, PLV1_SA, span_of(rows[i].p, rows[i].n));
        v1_send_clear(&p, &t, ISAKMP_XCHG_IDPROT, 0, 0, &b);
        const datagram *d = target_last(&t, &p.at);
        check(!d || d->data.p[16] != PLV1_SA, "%s is accepted", rows[i].what);
        expect_rest(&t, rows[i].what);
        ikev1_builder_free(&b);
        v1_free(&p);
    }
    target_stop(&t);
}

/* ---- message 3 ---- */

static bool answered_with_ke(target *t, const v1peer *p)
{
    const datagram *d = target_last(t, &p->at);
    return d && d->data.n > IKEV1_HEADER && d->data.p[16] == PLV1_KE;
}

static void main3(target *t, uint32_t cookie, dh_group group, span ke, span ni, unsigned n_ke, unsigned n_ni,
                  bool good, const char *what)
{
    v1peer p;
    ikev1_builder b = {0};
    v1_start(&p, ATTACKER_IP, cookie);
    p.group = group;
    if (check(v1_main1(&p, t), "%s: no answer to the first message", what)) {
        for (unsigned i = 0; i < n_ke; i++)
            ikev1_add_raw(&b, PLV1_KE, ke);
        for (unsigned i = 0; i < n_ni; i++)
            ikev1_add_raw(&b, PLV1_NONCE, ni);
        v1_send_clear(&p, t, ISAKMP_XCHG_IDPROT, 0, 0, &b);
        check(answered_with_ke(t, &p) == good, "%s: %s", what, good ? "refused" : "accepted");
    }
    expect_rest(t, what);
    ikev1_builder_free(&b);
    v1_free(&p);
}

static void ke_and_nonce(void)
{
    static const dh_group groups[] = {DH_ECP_256, DH_MODP_2048};
    static uint8_t big[30000], nonce[257] = {1};
    uint32_t cookie = 1000;
    target t;
    memset(big, 0xff, sizeof(big));
    start_target(&t, TARGET_IP, conf_v1);
    for (size_t g = 0; g < 2; g++) {
        uint8_t v[MAX_DH_BYTES] = {0};
        size_t n = dh_public_bytes(groups[g]);
        span ni = span_of(nonce, 16);
        dh *d = NULL;
        if (dh_new(lib, &d, groups[g]) != ST_OK)
            abort();
        span good = dh_public(d);
        main3(&t, cookie++, groups[g], good, ni, 1, 1, true, "good message 3");
        main3(&t, cookie++, groups[g], good, ni, 0, 1, false, "message 3 without KE");
        main3(&t, cookie++, groups[g], good, ni, 1, 0, false, "message 3 without nonce");
        main3(&t, cookie++, groups[g], good, ni, 2, 1, false, "message 3 with two KE");
        main3(&t, cookie++, groups[g], good, ni, 1, 2, false, "message 3 with two nonces");
        main3(&t, cookie++, groups[g], good, span_of(nonce, 7), 1, 1, false, "nonce of 7 octets");
        main3(&t, cookie++, groups[g], good, span_of(nonce, 257), 1, 1, false, "nonce of 257 octets");
        main3(&t, cookie++, groups[g], span_of(v, n), ni, 1, 1, false, "KE of zeros");
        v[n - 1] = 1;
        main3(&t, cookie++, groups[g], span_of(v, n), ni, 1, 1, false, "KE of value 1");
        main3(&t, cookie++, groups[g], span_of(big, n), ni, 1, 1, false, "KE of ones");
        main3(&t, cookie++, groups[g], span_take(good, n - 1), ni, 1, 1, false, "KE one octet short");
        memcpy(v, good.p, n);
        v[n] = 0;
        main3(&t, cookie++, groups[g], span_of(v, n + 1), ni, 1, 1, false, "KE one octet long");
        main3(&t, cookie++, groups[g], SPAN_NULL, ni, 1, 1, false, "empty KE");
        main3(&t, cookie++, groups[g], SPAN_ARRAY(big), ni, 1, 1, false, "KE of 30000 octets");
        v[n - 1] ^= 1;
        if (groups[g] == DH_ECP_256)
            main3(&t, cookie++, groups[g], span_of(v, n), ni, 1, 1, false, "a point off the curve");
        dh_free(d);
    }
    target_stop(&t);
}

/* ---- message 5 ---- */

static void main5(unsigned set, unsigned twice, const char *what, uint8_t type, span body, bool good)
{
    target t;
    v1peer p;
    ikev1_builder b = {0};
    start_target(&t, TARGET_IP, conf_v1);
    v1_start(&p, ATTACKER_IP, 2000);
    if (check(v1_main1(&p, &t) && v1_main2(&p, &t), "%s: no keys", what)) {
        if (type == PLV1_ID)
            ikev1_add_raw(&b, PLV1_ID, body);
        else if (set & 1)
            v1_add_id(&b);
        if (type == PLV1_HASH)
            ikev1_add_raw(&b, PLV1_HASH, body);
        else if (set & 2)
            v1_add_hash(&p, &b);
        if (twice == 1)
            v1_add_id(&b);
        if (twice == 2)
            v1_add_hash(&p, &b);
        if (type && type != PLV1_ID && type != PLV1_HASH)
            ikev1_add_raw(&b, type, body);
        v1_send_sealed(&p, &t, ISAKMP_XCHG_IDPROT, IKEV1_FLAG_ENCRYPTION, 0, &b, p.iv);
        check((target_established(&t) == 1) == good, "%s: %s", what, good ? "refused" : "accepted");
    }
    if (!good)
        expect_rest(&t, what);
    ikev1_builder_free(&b);
    v1_free(&p);
    target_stop(&t);
}

static void message5(void)
{
    static const struct {
        const char *what;
        uint8_t type;
        const char *p;
        size_t n;
        bool good;
    } rows[] = {
#define B(what, type, s, good) {what, type, s, sizeof(s) - 1, good}
        B("ID empty", PLV1_ID, "", false),
        B("ID of length 0", PLV1_ID, "\2\0\0\0", false),
        B("ID of type 0", PLV1_ID, "\0\0\0\0attacker", false),
        B("ID of type 255", PLV1_ID, "\377\0\0\0attacker", false),
        B("ID that is a subnet", PLV1_ID, "\4\0\0\0\12\0\0\0\377\0\0\0", false),
        B("ID that is a range", PLV1_ID, "\7\0\0\0\12\0\0\0\12\0\0\1", false),
        B("ID that is half an address", PLV1_ID, "\1\0\0\0\12\0", false),
        B("ID that is a bad DN", PLV1_ID, "\11\0\0\0\60\204\377\377\377\377", false),
        B("ID with a NUL", PLV1_ID, "\2\0\0\0att\0cker", false),
        B("ID with protocol 6", PLV1_ID, "\2\6\0\0attacker", false),
        B("ID with port 1", PLV1_ID, "\2\21\0\1attacker", false),
        B("ID user FQDN without @", PLV1_ID, "\3\0\0\0attacker", false),
        B("ID with format and shell characters", PLV1_ID, "\2\0\0\0%n%s;$(touch x)`id`\n'\"", false),
        B("HASH of one octet", PLV1_HASH, "x", false),
        B("HASH of zeros", PLV1_HASH, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", false),
        B("HASH of 16 octets", PLV1_HASH, "0123456789abcdef", false),
        B("SIG instead", PLV1_SIG, "signature", false),
        B("SA in message 5", PLV1_SA, DOI "\0\0\0\20\0\1\0\1\0\0\0\10\0\1\0\0", false),
        B("KE in message 5", PLV1_KE, "x", false),
        B("ATTR in message 5", PLV1_ATTR, "\1\0\0\0", false),
        B("unknown payload", 99, "x", false),
        B("fragment in message 5", PLV1_FRAGMENT, "\0\1\1\1x", false),
        B("INITIAL_CONTACT", PLV1_N, "\0\0\0\1\1\0\140\2", true),
        B("Delete in message 5", PLV1_D,
          "\0\0\0\1\1\20\0\1"
          "0123456789abcdef",
          true),
        B("vendor ID", PLV1_VID, "x", true),
#undef B
    };
    main5(3, 0, "good message 5", 0, SPAN_NULL, true);
    main5(0, 0, "message 5 without payloads", 0, SPAN_NULL, false);
    main5(1, 0, "message 5 without HASH", 0, SPAN_NULL, false);
    main5(2, 0, "message 5 without ID", 0, SPAN_NULL, false);
    main5(3, 1, "message 5 with two IDs", 0, SPAN_NULL, false);
    main5(3, 2, "message 5 with two HASHes", 0, SPAN_NULL, false);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        main5(3, 0, rows[i].what, rows[i].type, span_of(rows[i].p, rows[i].n), rows[i].good);
}

void v1_malformed(void)
{
    header_lies();
    prefixes_and_flips();
    proposals_of_main1();
    ke_and_nonce();
    message5();
}
