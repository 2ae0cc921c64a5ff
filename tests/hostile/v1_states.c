/* IKEv1 messages in the wrong state, in clear, forged, replayed; quick modes of an authenticated and
 * malicious peer; fragments; floods.   hazards.md classes 3, 4, 9, 10, 14
 */
#include "tests/hostile/hostile.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t exchanges[] = {ISAKMP_XCHG_IDPROT,
                                    ISAKMP_XCHG_AGGR,
                                    ISAKMP_XCHG_INFO,
                                    ISAKMP_XCHG_MODE_CFG,
                                    ISAKMP_XCHG_QUICK,
                                    33,
                                    34,
                                    0,
                                    1,
                                    255};

/* Contents somebody might want to be believed. */
enum {
    BODY_NONE,
    BODY_DELETE_ISAKMP,
    BODY_DELETE_ESP,
    BODY_DPD,
    BODY_DPD_ACK,
    BODY_CONTACT,
    BODY_INVALID_SPI,
    BODY_REFUSAL,
    BODY_QUICK,
    BODY_CFG,
    BODY_COUNT
};

static void add_quick(ikev1_builder *b, const char *sa, size_t sa_n, const char *ids)
{
    ikev1_add_raw(b, PLV1_SA, span_of(sa, sa_n));
    ikev1_add_raw(b, PLV1_NONCE, SPAN_LIT("0123456789abcdef"));
    if (ids[0] == '1' || ids[0] == '2')
        ikev1_add_id(b, 4, 0, 0, SPAN_LIT("\12\2\0\0\377\377\0\0"));
    if (ids[0] == '2')
        ikev1_add_id(b, 4, 0, 0, SPAN_LIT("\12\1\0\0\377\377\0\0"));
}

#define GOOD_QUICK_SA                                                                                        \
    "\0\0\0\1\0\0\0\1\0\0\0\54\0\3\4\1\312\376\0\1\0\0\0\40\0\14\0\0\200\4\0\1\200\1\0\1\200\2\16\20\200\5"  \
    "\0\2\200\6\0\200\200\1\0\1"

static void add_body(v1peer *p, ikev1_builder *b, unsigned body)
{
    uint8_t cookies[16];
    memcpy(cookies, p->ci, 8);
    memcpy(cookies + 8, p->cr, 8);
    wire_attr wish = wire_attr_tlv(1, SPAN_NULL);
    span seq = SPAN_LIT("\0\0\0\1");
    switch (body) {
    case BODY_DELETE_ISAKMP:
        ikev1_add_delete(b, IPV1_PROTO_ISAKMP, 16, SPAN_ARRAY(cookies));
        break;
    case BODY_DELETE_ESP:
        ikev1_add_delete(b, IPV1_PROTO_ESP, 4, SPAN_LIT("\312\376\0\1"));
        break;
    case BODY_DPD:
    case BODY_DPD_ACK:
        ikev1_add_notify(b, IKEV1_DOI_IPSEC, IPV1_PROTO_ISAKMP, SPAN_ARRAY(cookies),
                         body == BODY_DPD ? NV1_R_U_THERE : NV1_R_U_THERE_ACK, seq);
        break;
    case BODY_CONTACT:
        ikev1_add_notify(b, IKEV1_DOI_IPSEC, IPV1_PROTO_ISAKMP, SPAN_ARRAY(cookies), NV1_INITIAL_CONTACT,
                         SPAN_NULL);
        break;
    case BODY_INVALID_SPI:
        ikev1_add_notify(b, IKEV1_DOI_IPSEC, IPV1_PROTO_ESP, SPAN_LIT("\312\376\0\1"), NV1_INVALID_SPI,
                         SPAN_NULL);
        break;
    case BODY_REFUSAL:
        ikev1_add_notify(b, IKEV1_DOI_IPSEC, IPV1_PROTO_ISAKMP, SPAN_NULL, NV1_NO_PROPOSAL_CHOSEN, SPAN_NULL);
        break;
    case BODY_QUICK:
        add_quick(b, GOOD_QUICK_SA, sizeof(GOOD_QUICK_SA) - 1, "2");
        break;
    case BODY_CFG:
        ikev1_add_cfg(b, CFGV1_REQUEST, 1, &wish, 1);
        break;
    }
}

/* ---- in clear, in every state ---- stage: 0 nothing, 1 after message 2, 2 after message 4, 3 established */

static bool reach(v1peer *p, target *t, int stage)
{
    return (stage < 1 || v1_main1(p, t)) && (stage < 2 || v1_main2(p, t)) && (stage < 3 || v1_main3(p, t));
}

static void clear_control(void)
{
    static const uint8_t flags[] = {0, IKEV1_FLAG_ENCRYPTION, IKEV1_FLAG_COMMIT, IKEV1_FLAG_AUTH_ONLY};
    static const uint32_t mids[] = {0, 1, 0xffffffff};
    for (int stage = 0; stage <= 3; stage++) {
        target t;
        v1peer p;
        start_target(&t, TARGET_IP, conf_v1);
        v1_start(&p, ATTACKER_IP, 10);
        if (check(reach(&p, &t, stage), "stage %d is not reached", stage))
            for (size_t x = 0; x < sizeof(exchanges); x++)
                for (size_t f = 0; f < sizeof(flags); f++)
                    for (size_t i = 0; i < 3; i++)
                        for (unsigned body = 0; body < BODY_COUNT; body++) {
                            ikev1_builder b = {0};
                            add_body(&p, &b, body);
                            unsigned sas = target_ike_sas(&t);
                            v1_send_clear(&p, &t, exchanges[x], flags[f], mids[i], &b);
                            check(target_established(&t) == (stage == 3) &&
                                      kernel_fake_sas(t.env.kernel) == 0,
                                  "stage %d: clear exchange %u flags %u ID %08x body %u is believed", stage,
                                  exchanges[x], flags[f], mids[i], body);
                            check(t.n_out <= 1, "stage %d: exchange %u body %u is answered by %zu datagrams",
                                  stage, exchanges[x], body, t.n_out);
                            check(target_ike_sas(&t) <= sas || exchanges[x] == ISAKMP_XCHG_IDPROT,
                                  "stage %d: exchange %u body %u makes states", stage, exchanges[x], body);
                            ikev1_builder_free(&b);
                        }
        if (stage < 3) {
            expect_rest(&t, "clear messages");
        } else {
            target_pass(&t, 60 * 1000);
            check(target_established(&t) == 1, "clear messages end an ISAKMP SA");
        }
        v1_free(&p);
        target_stop(&t);
    }
}

/* Encrypted before the peer is authenticated: keys are there, but nothing but message 5 counts. */
static void sealed_before_auth(void)
{
    for (size_t x = 0; x < sizeof(exchanges); x++) {
        if (exchanges[x] == ISAKMP_XCHG_IDPROT)
            continue;
        target t;
        start_target(&t, TARGET_IP, conf_v1);
        for (unsigned body = 0; body < BODY_COUNT; body++) {
            v1peer p;
            ikev1_builder b = {0};
            v1_start(&p, ATTACKER_IP, 20 + body);
            if (check(reach(&p, &t, 2), "no keys")) {
                add_body(&p, &b, body);
                v1_send_hashed(&p, &t, exchanges[x], 77, &b, false);
                check(target_established(&t) == 0 && kernel_fake_sas(t.env.kernel) == 0 &&
                          kernel_fake_reserved(t.env.kernel) == 0,
                      "before authentication: exchange %u body %u is believed", exchanges[x], body);
                check(t.n_out <= 1, "before authentication: exchange %u body %u gets %zu answers",
                      exchanges[x], body, t.n_out);
            }
            ikev1_builder_free(&b);
            v1_free(&p);
        }
        expect_rest(&t, "encrypted messages before authentication");
        target_stop(&t);
    }
}

/* ---- established: wrong hashes, replays, DPD ---- */

static void forged_under_keys(void)
{
    target t;
    v1peer p;
    start_target(&t, TARGET_IP, conf_v1);
    v1_start(&p, ATTACKER_IP, 30);
    if (check(v1_establish(&p, &t), "no SA to attack")) {
        uint32_t mid = 100;
        for (size_t x = 0; x < sizeof(exchanges); x++)
            for (unsigned body = 0; body < BODY_COUNT; body++) {
                ikev1_builder b = {0};
                add_body(&p, &b, body);
                v1_send_hashed(&p, &t, exchanges[x], mid++, &b, true);
                check(target_established(&t) == 1 && kernel_fake_sas(t.env.kernel) == 0,
                      "wrong hash: exchange %u body %u is believed", exchanges[x], body);
                ikev1_builder_free(&b);
            }
        /* noise instead of cipher text */
        for (unsigned i = 0; i < 64; i++) {
            uint8_t noise[160], iv[16] = {(uint8_t)i};
            ikev1_builder b = {0};
            memset(noise, (int)(i * 5), sizeof(noise));
            ikev1_add_raw(&b, PLV1_HASH, span_of(noise, i * 2));
            v1_send_sealed(&p, &t, ISAKMP_XCHG_INFO, IKEV1_FLAG_ENCRYPTION, mid++, &b, iv);
            v1_send_clear(&p, &t, ISAKMP_XCHG_INFO, IKEV1_FLAG_ENCRYPTION, mid++, &b);
            ikev1_builder_free(&b);
        }
        target_pass(&t, 60 * 1000);
        check(target_established(&t) == 1, "forgeries end an ISAKMP SA");
    }
    v1_free(&p);
    target_stop(&t);
}

static void dpd_inputs(void)
{
    static const struct {
        const char *what, *p;
        size_t n;
    } rows[] = {
#define B(what, s) {what, s, sizeof(s) - 1}
        B("R_U_THERE without SPI", "\0\0\0\1\1\0\215\50\0\0\0\1"),
        B("R_U_THERE with an SPI of 4", "\0\0\0\1\1\4\215\50\1\2\3\4\0\0\0\1"),
        B("R_U_THERE with other cookies", "\0\0\0\1\1\20\215\50"
                                          "0123456789abcdef\0\0\0\1"),
        B("R_U_THERE without a number", "\0\0\0\1\1\20\215\50"
                                        "0123456789abcdef"),
        B("R_U_THERE with half a number", "\0\0\0\1\1\20\215\50"
                                          "0123456789abcdef\0\0"),
        B("R_U_THERE_ACK nobody asked for", "\0\0\0\1\1\20\215\51"
                                            "0123456789abcdef\0\0\0\1"),
        B("RESPONDER_LIFETIME of nonsense", "\0\0\0\1\3\4\140\0\1\2\3\4\200\1\0\1\0\2\0\377"),
        B("Delete of one octet", ""),
#undef B
    };
    target t;
    v1peer p;
    start_target(&t, TARGET_IP, conf_v1);
    v1_start(&p, ATTACKER_IP, 40);
    if (check(v1_establish(&p, &t), "no SA to attack")) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            ikev1_builder b = {0};
            ikev1_add_raw(&b, PLV1_N, span_of(rows[i].p, rows[i].n));
            v1_send_hashed(&p, &t, ISAKMP_XCHG_INFO, (uint32_t)(500 + i), &b, false);
            check(target_established(&t) == 1, "%s ends the SA", rows[i].what);
            check(t.n_out <= 1, "%s is answered by %zu datagrams", rows[i].what, t.n_out);
            ikev1_builder_free(&b);
        }
        ikev1_builder b = {0};
        add_body(&p, &b, BODY_DPD);
        v1_send_hashed(&p, &t, ISAKMP_XCHG_INFO, 600, &b, false);
        size_t first = t.n_out;
        v1_send_hashed(&p, &t, ISAKMP_XCHG_INFO, 601, &b, false); /* the same number again */
        check(first == 1 && t.n_out == 0, "R_U_THERE answered %zu times, its replay %zu times", first,
              t.n_out);
        ikev1_builder_reset(&b);
        add_body(&p, &b, BODY_DELETE_ISAKMP);
        v1_send_hashed(&p, &t, ISAKMP_XCHG_INFO, 602, &b, false);
        check(target_established(&t) == 0, "an authentic Delete is not followed");
        ikev1_builder_free(&b);
        expect_rest(&t, "after a Delete");
    }
    v1_free(&p);
    target_stop(&t);
}

void v1_states(void)
{
    clear_control();
    sealed_before_auth();
    forged_under_keys();
    dpd_inputs();
}

/* ---- quick modes ---- */

static void end_isakmp(v1peer *p, target *t, const char *what)
{
    ikev1_builder b = {0};
    add_body(p, &b, BODY_DELETE_ISAKMP);
    v1_send_hashed(p, t, ISAKMP_XCHG_INFO, 0xdead, &b, false);
    ikev1_builder_free(&b);
    expect_rest(t, what);
}

#define P(type, s)                                                                                           \
    {                                                                                                        \
        type, s, sizeof(s) - 1                                                                               \
    }
#define Q_SA    P(PLV1_SA, GOOD_QUICK_SA)
#define Q_NONCE P(PLV1_NONCE, "0123456789abcdef")
#define Q_IDI   P(PLV1_ID, "\4\0\0\0\12\2\0\0\377\377\0\0")
#define Q_IDR   P(PLV1_ID, "\4\0\0\0\12\1\0\0\377\377\0\0")
static const struct quick_case {
    const char *what;
    bool answered;
    struct {
        uint8_t type;
        const char *p;
        size_t n;
    } payloads[7];
} quicks[] = {
    {"good quick mode", true, {Q_SA, Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode without payloads", false, {{0}}},
    {"quick mode without SA", false, {Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode without nonce", false, {Q_SA, Q_IDI, Q_IDR}},
    {"quick mode with one ID", false, {Q_SA, Q_NONCE, Q_IDI}},
    {"quick mode with three IDs", false, {Q_SA, Q_NONCE, Q_IDI, Q_IDR, Q_IDR}},
    {"quick mode with two SAs", false, {Q_SA, Q_SA, Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode with two nonces", false, {Q_SA, Q_NONCE, Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode with KE nobody agreed on", false, {Q_SA, Q_NONCE, P(PLV1_KE, "x"), Q_IDI, Q_IDR}},
    {"quick mode with SPI 0",
     false,
     {P(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\50\0\3\4\1\0\0\0\0\0\0\0\34\0\14\0\0\200\4\0\1\200\1\0\1\200\2\16\20"
                 "\200\5\0\2\200\6\0\200"),
      Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode with an SPI of 0 octets",
     false,
     {P(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\44\0\3\0\1\0\0\0\34\0\14\0\0\200\4\0\1\200\1\0\1\200\2\16\20\200\5\0"
                 "\2\200\6\0\200"),
      Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode with an SPI of 8 octets",
     false,
     {P(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\54\0\3\10\1spi8spi8\0\0\0\34\0\14\0\0\200\4\0\1\200\1\0\1\200\2\16"
                 "\20\200\5\0\2\200\6\0\200"),
      Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode without a mode",
     false,
     {P(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\44\0\3\4\1\312\376\0\1\0\0\0\30\0\14\0\0\200\1\0\1\200\2\16\20\200\5"
                 "\0\2\200\6\0\200"),
      Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode with UDP mode without NAT",
     false,
     {P(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\50\0\3\4\1\312\376\0\1\0\0\0\34\0\14\0\0\200\4\0\3\200\1\0\1\200\2"
                 "\16\20\200\5\0\2\200\6\0\200"),
      Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode of protocol ISAKMP",
     false,
     {P(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\20\0\1\0\1\0\0\0\10\0\1\0\0"), Q_NONCE, Q_IDI, Q_IDR}},
    {"quick mode of protocol 77",
     false,
     {P(PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\24\0\115\4\1\1\2\3\4\0\0\0\10\0\1\0\0"), Q_NONCE, Q_IDI, Q_IDR}},
    {"IDcr FQDN", false, {Q_SA, Q_NONCE, Q_IDI, P(PLV1_ID, "\2\0\0\0example.net")}},
    {"IDci of type 0", false, {Q_SA, Q_NONCE, P(PLV1_ID, "\0\0\0\0\12\2\0\0\377\377\0\0"), Q_IDR}},
    {"IDci of half a subnet", false, {Q_SA, Q_NONCE, P(PLV1_ID, "\4\0\0\0\12\2\0\0"), Q_IDR}},
    {"IDci with a mask of holes", false, {Q_SA, Q_NONCE, P(PLV1_ID, "\4\0\0\0\12\2\0\0\377\0\377\0"), Q_IDR}},
    {"IDci that is a range the wrong way",
     false,
     {Q_SA, Q_NONCE, P(PLV1_ID, "\7\0\0\0\12\2\0\377\12\2\0\0"), Q_IDR}},
    {"IDci of IPv6, IDcr of IPv4",
     false,
     {Q_SA, Q_NONCE,
      P(PLV1_ID, "\6\0\0\0"
                 "0123456789abcdef\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377"),
      Q_IDR}},
    {"IDci of somebody else", false, {Q_SA, Q_NONCE, P(PLV1_ID, "\4\0\0\0\13\0\0\0\377\0\0\0"), Q_IDR}},
    {"IDcr of somebody else", false, {Q_SA, Q_NONCE, Q_IDI, P(PLV1_ID, "\4\0\0\0\13\0\0\0\377\0\0\0")}},
    {"NAT-OA without NAT", true, {Q_SA, Q_NONCE, Q_IDI, Q_IDR, P(PLV1_NAT_OA, "\1\0\0\0\12\0\0\1")}},
    {"NAT-OA of type 2", true, {Q_SA, Q_NONCE, Q_IDI, Q_IDR, P(PLV1_NAT_OA, "\2\0\0\0\12\0\0\1")}},
    {"ATTR in quick mode", false, {Q_SA, Q_NONCE, Q_IDI, Q_IDR, P(PLV1_ATTR, "\1\0\0\0")}},
};
#undef P

static void quick_cases(void)
{
    for (size_t i = 0; i < sizeof(quicks) / sizeof(quicks[0]); i++) {
        const struct quick_case *c = &quicks[i];
        target t;
        v1peer p;
        ikev1_builder b = {0};
        start_target(&t, TARGET_IP, conf_v1);
        v1_start(&p, ATTACKER_IP, 50);
        if (check(v1_establish(&p, &t), "no SA for a quick mode")) {
            for (size_t k = 0; k < 7 && c->payloads[k].type; k++)
                ikev1_add_raw(&b, c->payloads[k].type, span_of(c->payloads[k].p, c->payloads[k].n));
            v1_send_hashed(&p, &t, ISAKMP_XCHG_QUICK, 0x1234, &b, false);
            const datagram *d = target_last(&t, &p.at);
            bool quick = d && d->data.p[18] == ISAKMP_XCHG_QUICK;
            check(quick == c->answered, "%s: %s", c->what, quick ? "accepted" : "refused");
            v1_send_hashed(&p, &t, ISAKMP_XCHG_QUICK, 0x1234, &b, false); /* the same message again */
            v1_send_hashed(&p, &t, ISAKMP_XCHG_QUICK, 0x1234, &b, true);
            end_isakmp(&p, &t, c->what);
        }
        ikev1_builder_free(&b);
        v1_free(&p);
        target_stop(&t);
    }
}

/* Hundreds of quick modes begun and never finished: states and SPIs are bounded and go away. */
static void larval_flood(void)
{
    target t;
    v1peer p;
    start_target(&t, TARGET_IP, conf_v1);
    v1_start(&p, ATTACKER_IP, 60);
    if (check(v1_establish(&p, &t), "no SA to fill")) {
        for (uint32_t i = 0; i < 1000; i++) {
            ikev1_builder b = {0};
            add_body(&p, &b, BODY_QUICK);
            v1_send_hashed(&p, &t, ISAKMP_XCHG_QUICK, 0x10000 + i, &b, false);
            ikev1_builder_free(&b);
        }
        check(target_ike_sas(&t) <= 1 + 64, "%u states for one peer", target_ike_sas(&t));
        check(kernel_fake_reserved(t.env.kernel) + kernel_fake_sas(t.env.kernel) <= 2 * 64,
              "%zu SPIs for one peer", kernel_fake_reserved(t.env.kernel) + kernel_fake_sas(t.env.kernel));
        end_isakmp(&p, &t, "a thousand quick modes");
    }
    v1_free(&p);
    target_stop(&t);
}

/* Transactions nobody offered. */
static void config_inputs(void)
{
    static const struct {
        const char *what, *p;
        size_t n;
    } rows[] = {
#define B(what, s) {what, s, sizeof(s) - 1}
        B("request", "\1\0\0\0\0\1\0\0"),
        B("reply nobody asked for", "\2\0\0\0\0\1\0\4\12\0\0\1"),
        B("set", "\3\0\0\0\0\1\0\4\12\0\0\1\0\2\0\4\377\377\377\0"),
        B("ack nobody asked for", "\4\0\0\0"),
        B("type 0", "\0\0\0\0"),
        B("type 255", "\377\0\0\0"),
        B("XAUTH request", "\1\0\0\0\100\211\0\0\100\212\0\0"),
        B("XAUTH reply with names", "\2\0\0\0\100\211\0\4%n%s\100\212\0\3a\0b"),
        B("XAUTH status ok", "\3\0\0\0\300\217\0\1"),
        B("XAUTH status in long form", "\3\0\0\0\100\217\0\2\0\1"),
        B("address of one octet", "\3\0\0\0\0\1\0\1\12"),
        B("banner with escapes", "\3\0\0\0\160\0\0\10\33[2J\r\n%n"),
        B("attribute beyond the end", "\3\0\0\0\0\1\0\377"),
#undef B
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        target t;
        v1peer p;
        ikev1_builder b = {0};
        start_target(&t, TARGET_IP, conf_v1);
        v1_start(&p, ATTACKER_IP, 70);
        if (check(v1_establish(&p, &t), "no SA for a transaction")) {
            ikev1_add_raw(&b, PLV1_ATTR, span_of(rows[i].p, rows[i].n));
            v1_send_hashed(&p, &t, ISAKMP_XCHG_MODE_CFG, 0x77, &b, false);
            check(t.n_out <= 2, "Mode Config %s: %zu answers", rows[i].what, t.n_out);
            check(kernel_fake_sas(t.env.kernel) == 0, "Mode Config %s installs something", rows[i].what);
            end_isakmp(&p, &t, rows[i].what);
        }
        ikev1_builder_free(&b);
        v1_free(&p);
        target_stop(&t);
    }
}

void v1_quick(void)
{
    quick_cases();
    larval_flood();
    config_inputs();
}

/* ---- fragments ---- */

static void fragment(v1peer *p, target *t, uint16_t id, uint8_t number, uint8_t flags, span data)
{
    ikev1_builder b = {0};
    ikev1_add(&b, PLV1_FRAGMENT, &(ikev1_fragment){.id = id, .number = number, .flags = flags, .data = data});
    v1_send_clear(p, t, ISAKMP_XCHG_IDPROT, 0, 0, &b);
    ikev1_builder_free(&b);
}

void v1_fragments(void)
{
    static uint8_t big[20000];
    for (int stage = 0; stage <= 3; stage++) {
        target t;
        v1peer p;
        start_target(&t, TARGET_IP, conf_v1);
        v1_start(&p, ATTACKER_IP, 80);
        if (!check(reach(&p, &t, stage), "stage %d is not reached", stage))
            return;
        fragment(&p, &t, 1, 0, 0, SPAN_LIT("x"));
        fragment(&p, &t, 1, 1, 1, SPAN_LIT("x"));
        fragment(&p, &t, 1, 255, 1, SPAN_LIT("x"));
        fragment(&p, &t, 1, 2, 1, SPAN_LIT("x"));
        fragment(&p, &t, 1, 3, 0, SPAN_LIT("x"));
        fragment(&p, &t, 2, 1, 0, SPAN_LIT("x"));
        fragment(&p, &t, 2, 1, 0, SPAN_LIT("y"));
        fragment(&p, &t, 2, 2, 1, SPAN_LIT("z"));
        for (uint8_t i = 1; i <= 64; i++)
            fragment(&p, &t, 3, i, 0, SPAN_ARRAY(big));
        /* a fragment that holds a fragment that holds … */
        buf inner = {0};
        for (int i = 0; i < 20; i++) {
            ikev1_builder b = {0};
            ikev1_header h = {.exchange = ISAKMP_XCHG_IDPROT};
            memcpy(h.icookie, p.ci, 8);
            memcpy(h.rcookie, p.cr, 8);
            ikev1_add(&b, PLV1_FRAGMENT,
                      &(ikev1_fragment){.id = (uint16_t)(10 + i),
                                        .number = 1,
                                        .flags = 1,
                                        .data = inner.n ? buf_span(&inner) : SPAN_LIT("end")});
            buf next = {0};
            if (ikev1_emit(&h, &b, 0, &next) != ST_OK)
                abort();
            buf_free(&inner);
            inner = next;
            ikev1_builder_free(&b);
        }
        target_receive(&t, &p.at, 500, buf_span(&inner));
        buf_free(&inner);
        check(target_established(&t) == (stage == 3), "fragments at stage %d are believed", stage);
        if (stage == 3)
            end_isakmp(&p, &t, "fragments");
        else
            expect_rest(&t, "fragments");
        v1_free(&p);
        target_stop(&t);
    }
}

/* ---- flood ---- */

enum { SPOOFED = 50000, STATES_MAX = 1100, MEMORY_MAX = 32 << 20 };

static size_t memory_in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void flood(target *t, unsigned from, unsigned n)
{
    v1peer p;
    ikev1_builder b = {0};
    v1_start(&p, "203.0.113.1", 1);
    v1_add_sa(&p, &b);
    for (unsigned i = from; i < from + n; i++) {
        set_u32(p.ci + 4, i + 1);
        p.at.ip.b[1] = (uint8_t)(i >> 16);
        p.at.ip.b[2] = (uint8_t)(i >> 8);
        p.at.ip.b[3] = (uint8_t)i;
        size_t sent = t->sent;
        v1_send_clear(&p, t, ISAKMP_XCHG_IDPROT, 0, 0, &b);
        if (t->sent > sent + 1)
            check(false, "a first message is answered by %zu datagrams", t->sent - sent);
        if (i % 100 == 0)
            target_pass(t, 1);
    }
    ikev1_builder_free(&b);
    v1_free(&p);
}

/* One address with many cookies. */
static void one_greedy_peer(void)
{
    target t;
    v1peer p;
    ikev1_builder b = {0};
    start_target(&t, TARGET_IP, conf_v1);
    v1_start(&p, ATTACKER_IP, 1);
    v1_add_sa(&p, &b);
    for (uint32_t i = 0; i < 500; i++) {
        set_u32(p.ci + 4, i + 1);
        v1_send_clear(&p, &t, ISAKMP_XCHG_IDPROT, 0, 0, &b);
    }
    check(target_ike_sas(&t) <= 33, "%u half-open states of one peer", target_ike_sas(&t));
    expect_rest(&t, "a greedy peer");
    ikev1_builder_free(&b);
    v1_free(&p);
    target_stop(&t);
}

void v1_flood(void)
{
    one_greedy_peer();
    static target t;
    v1peer honest;
    start_target(&t, TARGET_IP, conf_v1);
    size_t before = memory_in_use();
    flood(&t, 0, SPOOFED / 2);
    check(target_ike_sas(&t) <= STATES_MAX, "a flood makes %u states", target_ike_sas(&t));
    check(memory_in_use() < before + MEMORY_MAX, "a flood costs %zu octets of memory",
          memory_in_use() - before);
    v1_start(&honest, ATTACKER_IP, 90);
    bool ok = v1_main1(&honest, &t);
    flood(&t, SPOOFED / 2, 500); /* they keep coming between its messages */
    ok = ok && v1_main2(&honest, &t);
    flood(&t, SPOOFED / 2 + 500, 500);
    check(ok && v1_main3(&honest, &t), "an honest peer does not get through");
    v1_free(&honest);
    flood(&t, SPOOFED / 2 + 1000, SPOOFED / 2);
    check(target_established(&t) == 1, "a flood ends what is established");
    size_t sent = t.sent;
    target_pass(&t, 60 * 1000);
    check(t.sent == sent, "%zu retransmissions to addresses that never proved to be there", t.sent - sent);
    target_pass(&t, 60 * 1000);
    check(target_ike_sas(&t) == 1, "%u states are left of a flood", target_ike_sas(&t));
    check(memory_in_use() < before + MEMORY_MAX / 2, "memory of a flood is not given back");
    target_stop(&t);
}
