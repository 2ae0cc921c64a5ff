/* Messages in the wrong state, in clear, replayed, forged, in fragments.   hazards.md classes 3, 4, 9, 10 */
#include "tests/hostile/hostile.h"
#include <stdio.h>
#include <stdlib.h>

static const uint8_t exchanges[] = {
    IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL, IKE_INTERMEDIATE, ME_CONNECT, 0, 33, 255};
static const uint8_t flag_sets[] = {0, IKEV2_FLAG_INITIATOR, IKEV2_FLAG_RESPONSE,
                                    IKEV2_FLAG_INITIATOR | IKEV2_FLAG_RESPONSE};

/* Contents somebody might want to be believed. */
enum { BODY_EMPTY, BODY_DELETE_IKE, BODY_DELETE_ESP, BODY_REKEY_IKE, BODY_CHILD, BODY_ERROR, BODY_COUNT };

static void add_body(v2peer *p, ikev2_builder *b, unsigned body)
{
    static const uint32_t spi = 0xcafe0001;
    static const uint8_t nonce[32] = {1};
    proposal rekey = {.number = 1, .proto = PROTO_IKE, .spi_n = 8, .spi = {9, 9, 9, 9, 9, 9, 9, 9}};
    switch (body) {
    case BODY_DELETE_IKE:
        ikev2_add_delete_ike(b);
        break;
    case BODY_DELETE_ESP:
        ikev2_add_delete(b, PROTO_ESP, &spi, 1);
        break;
    case BODY_REKEY_IKE:
        proposal_add(&rekey, TRANSFORM_ENCR, ENCR_AES_CBC, 128);
        proposal_add(&rekey, TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 0);
        proposal_add(&rekey, TRANSFORM_PRF, PRF_HMAC_SHA1, 0);
        proposal_add(&rekey, TRANSFORM_DH, DH_CURVE25519, 0);
        ikev2_add_proposal(b, &rekey);
        ikev2_add_nonce(b, SPAN_ARRAY(nonce));
        ikev2_add_ke(b, DH_CURVE25519, dh_public(p->dh));
        break;
    case BODY_CHILD:
        v2_add_auth(p, b, V2_AUTH_SA, "");
        ikev2_add_nonce(b, SPAN_ARRAY(nonce));
        v2_add_auth(p, b, V2_AUTH_TSI, "");
        v2_add_auth(p, b, V2_AUTH_TSR, "");
        break;
    case BODY_ERROR:
        ikev2_add_notify(b, N_AUTHENTICATION_FAILED, SPAN_NULL);
        break;
    }
}

/* ---- between IKE_SA_INIT and IKE_AUTH, under the right keys: nothing but IKE_AUTH counts ---- */
static void before_auth(void)
{
    static const uint32_t mids[] = {0, 1, 2, UINT32_MAX};
    for (size_t x = 0; x < sizeof(exchanges); x++) {
        target t;
        start_target(&t, TARGET_IP, conf_responder);
        for (size_t f = 0; f < sizeof(flag_sets); f++)
            for (size_t i = 0; i < 4; i++) {
                v2peer p;
                char what[96];
                v2_start(&p, ATTACKER_IP, 0x8000 + f * 16 + i);
                if (!check(v2_handshake(&p, &t), "no handshake"))
                    break;
                for (unsigned body = 0; body < BODY_COUNT; body++) {
                    ikev2_builder b = {0};
                    if (exchanges[x] == IKE_AUTH && flag_sets[f] == IKEV2_FLAG_INITIATOR && mids[i] == 1)
                        continue; /* the one that is awaited: see v2_malformed.c */
                    add_body(&p, &b, body);
                    v2_send(&p, &t, exchanges[x], flag_sets[f], mids[i], &b);
                    snprintf(what, sizeof(what), "before AUTH: exchange %u flags 0x%02x ID %u body %u",
                             exchanges[x], flag_sets[f], mids[i], body);
                    check(target_established(&t) == 0 && kernel_fake_sas(t.env.kernel) == 0, "%s is believed",
                          what);
                    check(t.n_out == 0, "%s is answered", what);
                    ikev2_builder_free(&b);
                }
                expect_rest(&t, "messages before AUTH");
                v2_free(&p);
            }
        target_stop(&t);
    }
}

/* ---- against an established IKE_SA by somebody without its keys ---- */

static status clear_message(const v2peer *p, uint8_t exchange, uint8_t flags, uint32_t mid,
                            const ikev2_builder *b, buf *out)
{
    ikev2_header h = {.spi_i = p->spi_i, .spi_r = p->spi_r, .exchange = exchange, .flags = flags, .mid = mid};
    return ikev2_emit(&h, b, out);
}

static bool still_up(target *t)
{
    return target_established(t) == 1 && kernel_fake_sas(t->env.kernel) == 2;
}

/* how: 0 in clear, 1 under other keys, 2 right keys but one bit of the cipher text wrong, 3 wrong SPI */
static void outsider(target *t, v2peer *p, v2peer *stranger, unsigned how, uint8_t exchange, uint8_t flags,
                     uint32_t mid, unsigned body)
{
    ikev2_builder b = {0};
    buf out = {0};
    status st = ST_OK;
    uint64_t spi_r = p->spi_r;
    add_body(p, &b, body);
    if (how == 0) {
        st = clear_message(p, exchange, flags, mid, &b, &out);
    } else if (how == 1) {
        stranger->spi_i = p->spi_i;
        stranger->spi_r = p->spi_r;
        st = v2_seal(stranger, exchange, flags, mid, &b, &out);
    } else {
        p->spi_r = how == 3 ? spi_r ^ 1 : spi_r;
        st = v2_seal(p, exchange, flags, mid, &b, &out);
        p->spi_r = spi_r;
        if (st == ST_OK && how == 2)
            out.p[out.n - 20] ^= 4;
    }
    target_forget(t);
    if (st == ST_OK)
        target_receive(t, &p->at, p->to_port, buf_span(&out));
    check(still_up(t), "established: way %u exchange %u flags 0x%02x ID %u body %u is believed", how,
          exchange, flags, mid, body);
    check(t->n_out == 0 || exchange == IKE_SA_INIT,
          "established: way %u exchange %u flags 0x%02x ID %u body %u is answered", how, exchange, flags, mid,
          body);
    buf_free(&out);
    ikev2_builder_free(&b);
}

static void outsiders(void)
{
    static const uint32_t mids[] = {0, 1, 2, 3, UINT32_MAX};
    target t, elsewhere;
    v2peer p, stranger;
    start_target(&t, TARGET_IP, conf_responder);
    start_target(&elsewhere, TARGET_IP, conf_responder);
    v2_start(&p, ATTACKER_IP, 0x9001);
    v2_start(&stranger, ATTACKER_IP, 0x9002);
    if (check(v2_establish(&p, &t, HOSTILE_PSK) && v2_handshake(&stranger, &elsewhere), "no SA to attack"))
        for (size_t x = 0; x < sizeof(exchanges); x++)
            for (size_t f = 0; f < sizeof(flag_sets); f++)
                for (size_t i = 0; i < 5; i++)
                    for (unsigned how = 0; how < 4; how++)
                        for (unsigned body = 0; body < BODY_COUNT; body++)
                            outsider(&t, &p, &stranger, how, exchanges[x], flag_sets[f], mids[i], body);
    target_pass(&t, 60 * 1000);
    check(still_up(&t), "the SA does not survive strangers");
    v2_free(&p);
    v2_free(&stranger);
    target_stop(&t);
    target_stop(&elsewhere);
}

/* What was sent before is sent again, from the right and from another address. */
static void replays(void)
{
    target t;
    v2peer p;
    buf again[2] = {{0}, {0}};
    ikev2_builder b = {0};
    start_target(&t, TARGET_IP, conf_responder);
    v2_start(&p, ATTACKER_IP, 0x9003);
    if (v2_handshake(&p, &t)) {
        for (unsigned i = 0; i < V2_AUTH_PAYLOADS; i++)
            v2_add_auth(&p, &b, i, HOSTILE_PSK);
        if (v2_seal(&p, IKE_AUTH, IKEV2_FLAG_INITIATOR, 1, &b, &again[1]) != ST_OK ||
            buf_copy_of(&again[0], buf_span(&p.init_request)) != ST_OK)
            abort();
        target_receive(&t, &p.at, p.to_port, buf_span(&again[1]));
    }
    check(still_up(&t), "no SA to replay to");
    endpoint elsewhere = p.at;
    elsewhere.ip.b[3] ^= 1;
    for (int i = 0; i < 100; i++) {
        target_forget(&t);
        target_receive(&t, i & 1 ? &elsewhere : &p.at, p.to_port, buf_span(&again[i % 4 / 2]));
        check(t.n_out <= 1, "a replay is answered with %zu datagrams", t.n_out);
    }
    check(kernel_fake_sas(t.env.kernel) == 2, "replays change the kernel");
    target_pass(&t, 60 * 1000);
    check(still_up(&t), "replays leave something behind: %u IKE_SAs", target_ike_sas(&t));
    for (int i = 0; i < 2; i++)
        buf_free(&again[i]);
    ikev2_builder_free(&b);
    v2_free(&p);
    target_stop(&t);
}

void v2_states(void)
{
    before_auth();
    outsiders();
    replays();
}

/* ---- a peer that is authenticated and malicious ---- */

typedef struct insider {
    const char *what;
    uint8_t exchange;
    struct {
        uint8_t type;
        const char *p;
        size_t n;
    } payloads[6];
} insider;

#define P(type, s)                                                                                           \
    {                                                                                                        \
        type, s, sizeof(s) - 1                                                                               \
    }
#define ESP_SA                                                                                               \
    P(PLV2_SA,                                                                                               \
      "\0\0\0\50\1\3\4\3\312\376\0\2\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\0\0\0\10\5\0\0\0")
#define IKE_SA8                                                                                              \
    P(PLV2_SA, "\0\0\0\64\1\1\10\4spi8spi8\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\3\0\0\10\2\0\0\2" \
               "\0\0\0\10\4\0\0\37")
#define NONCE    P(PLV2_NONCE, "0123456789abcdef")
#define TSI      P(PLV2_TSI, "\1\0\0\0\7\0\0\20\0\0\377\377\12\2\0\0\12\2\377\377")
#define TSR      P(PLV2_TSR, "\1\0\0\0\7\0\0\20\0\0\377\377\12\1\0\0\12\1\377\377")
#define REKEY(s) P(PLV2_NOTIFY, s)
static const insider insiders[] = {
    {"CREATE_CHILD_SA empty", CREATE_CHILD_SA, {{0}}},
    {"child without SA", CREATE_CHILD_SA, {NONCE, TSI, TSR}},
    {"child without nonce", CREATE_CHILD_SA, {ESP_SA, TSI, TSR}},
    {"child without TSi", CREATE_CHILD_SA, {ESP_SA, NONCE, TSR}},
    {"child without TSr", CREATE_CHILD_SA, {ESP_SA, NONCE, TSI}},
    {"child with two nonces", CREATE_CHILD_SA, {ESP_SA, NONCE, NONCE, TSI, TSR}},
    {"child with two TSi", CREATE_CHILD_SA, {ESP_SA, NONCE, TSI, TSI, TSR}},
    {"child with KE nobody wants", CREATE_CHILD_SA, {ESP_SA, NONCE, P(PLV2_KE, "\0\37\0\0xx"), TSI, TSR}},
    {"child of an IKE proposal", CREATE_CHILD_SA, {IKE_SA8, NONCE, TSI, TSR}},
    {"rekeying with REKEY_SA of protocol 0",
     CREATE_CHILD_SA,
     {REKEY("\0\4\100\11\312\376\0\1"), ESP_SA, NONCE, TSI, TSR}},
    {"rekeying with REKEY_SA of protocol 1",
     CREATE_CHILD_SA,
     {REKEY("\1\4\100\11\312\376\0\1"), ESP_SA, NONCE, TSI, TSR}},
    {"rekeying with an SPI of 0 octets", CREATE_CHILD_SA, {REKEY("\3\0\100\11"), ESP_SA, NONCE, TSI, TSR}},
    {"rekeying with an SPI of 3 octets",
     CREATE_CHILD_SA,
     {REKEY("\3\3\100\11\312\376\0"), ESP_SA, NONCE, TSI, TSR}},
    {"rekeying with an SPI of 8 octets",
     CREATE_CHILD_SA,
     {REKEY("\3\10\100\11\312\376\0\1\312\376\0\1"), ESP_SA, NONCE, TSI, TSR}},
    {"rekeying with an unknown SPI",
     CREATE_CHILD_SA,
     {REKEY("\3\4\100\11\0\0\0\7"), ESP_SA, NONCE, TSI, TSR}},
    {"rekeying two at once",
     CREATE_CHILD_SA,
     {REKEY("\3\4\100\11\312\376\0\1"), REKEY("\3\4\100\11\312\376\0\3"), ESP_SA, NONCE, TSI, TSR}},
    {"IKE rekeying without KE", CREATE_CHILD_SA, {IKE_SA8, NONCE}},
    {"IKE rekeying without nonce",
     CREATE_CHILD_SA,
     {IKE_SA8, P(PLV2_KE, "\0\37\0\0"
                          "01234567890123456789012345678901")}},
    {"IKE rekeying with KE of zeros",
     CREATE_CHILD_SA,
     {IKE_SA8, NONCE,
      P(PLV2_KE, "\0\37\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}},
    {"IKE rekeying with a short KE", CREATE_CHILD_SA, {IKE_SA8, NONCE, P(PLV2_KE, "\0\37\0\0x")}},
    {"IKE rekeying with KE of another group",
     CREATE_CHILD_SA,
     {IKE_SA8, NONCE,
      P(PLV2_KE, "\0\23\0\0"
                 "01234567890123456789012345678901")}},
    {"IKE rekeying with SPI 0",
     CREATE_CHILD_SA,
     {P(PLV2_SA, "\0\0\0\64\1\1\10\4\0\0\0\0\0\0\0\0\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\3\0\0\10"
                 "\2\0\0\2\0\0\0\10\4\0\0\37"),
      NONCE,
      P(PLV2_KE, "\0\37\0\0"
                 "01234567890123456789012345678901")}},
    {"IKE rekeying without an SPI",
     CREATE_CHILD_SA,
     {P(PLV2_SA, "\0\0\0\54\1\1\0\4\3\0\0\14\1\0\0\14\200\16\0\200\3\0\0\10\3\0\0\2\3\0\0\10\2\0\0\2\0\0\0\10"
                 "\4\0\0\37"),
      NONCE,
      P(PLV2_KE, "\0\37\0\0"
                 "01234567890123456789012345678901")}},
    {"Delete of an ESP SPI that is not there", INFORMATIONAL, {P(PLV2_DELETE, "\3\4\0\1\1\2\3\4")}},
    {"Delete of our own SPI", INFORMATIONAL, {P(PLV2_DELETE, "\3\4\0\1\300\0\0\1")}},
    {"Delete of protocol 0", INFORMATIONAL, {P(PLV2_DELETE, "\0\4\0\1\312\376\0\1")}},
    {"Delete of AH with the ESP SPI", INFORMATIONAL, {P(PLV2_DELETE, "\2\4\0\1\312\376\0\1")}},
    {"Delete with SPIs of 8 octets", INFORMATIONAL, {P(PLV2_DELETE, "\3\10\0\1\312\376\0\1\312\376\0\1")}},
    {"Delete of the same SPI twice", INFORMATIONAL, {P(PLV2_DELETE, "\3\4\0\2\312\376\0\1\312\376\0\1")}},
    {"Delete of IKE and child",
     INFORMATIONAL,
     {P(PLV2_DELETE, "\3\4\0\1\312\376\0\1"), P(PLV2_DELETE, "\1\0\0\0")}},
    {"Delete of IKE twice", INFORMATIONAL, {P(PLV2_DELETE, "\1\0\0\0"), P(PLV2_DELETE, "\1\0\0\0")}},
    {"Delete of IKE with SPIs", INFORMATIONAL, {P(PLV2_DELETE, "\1\4\0\1\312\376\0\1")}},
    {"UPDATE_SA_ADDRESSES without MOBIKE", INFORMATIONAL, {P(PLV2_NOTIFY, "\0\0\100\20")}},
    {"COOKIE2 of 70 octets",
     INFORMATIONAL,
     {P(PLV2_NOTIFY, "\0\0\100\21"
                     "0123456789012345678901234567890123456789012345678901234567890123456789")}},
    {"AUTHENTICATION_FAILED", INFORMATIONAL, {P(PLV2_NOTIFY, "\0\0\0\30")}},
    {"SA in INFORMATIONAL", INFORMATIONAL, {ESP_SA}},
    {"AUTH in INFORMATIONAL", INFORMATIONAL, {P(PLV2_AUTH, "\2\0\0\0x")}},
    {"EAP in INFORMATIONAL", INFORMATIONAL, {P(PLV2_EAP, "\3\1\0\4")}},
    {"CP in INFORMATIONAL", INFORMATIONAL, {P(PLV2_CP, "\3\0\0\0\0\1\0\4\12\0\0\1")}},
    {"IKE_AUTH once more", IKE_AUTH, {P(PLV2_IDI, "\2\0\0\0attacker"), ESP_SA, TSI, TSR}},
    {"ME_CONNECT", ME_CONNECT, {P(PLV2_IDP, "\2\0\0\0x")}},
    {"IKE_INTERMEDIATE", IKE_INTERMEDIATE, {NONCE}},
};
#undef P

static void run_insider(const insider *c)
{
    target t;
    v2peer p;
    ikev2_builder b = {0};
    start_target(&t, TARGET_IP, conf_responder);
    v2_start(&p, ATTACKER_IP, 0xa000);
    if (check(v2_establish(&p, &t, HOSTILE_PSK), "no SA to misuse")) {
        for (size_t i = 0; i < 6 && c->payloads[i].type; i++)
            ikev2_add_raw(&b, c->payloads[i].type, false, span_of(c->payloads[i].p, c->payloads[i].n));
        v2_send(&p, &t, c->exchange, IKEV2_FLAG_INITIATOR, 2, &b);
        v2_send(&p, &t, c->exchange, IKEV2_FLAG_INITIATOR, 2, &b);
        check(kernel_fake_sas(t.env.kernel) <= 4, "%s: %zu SAs in the kernel", c->what,
              kernel_fake_sas(t.env.kernel));
        target_pass(&t, 1000);
        expect_no_orphans(&t, c->what);
        ikev2_builder_reset(&b);
        for (uint32_t mid = 2; mid < 5; mid++) { /* whatever number it expects now */
            ikev2_builder_reset(&b);
            ikev2_add_delete_ike(&b);
            v2_send(&p, &t, INFORMATIONAL, IKEV2_FLAG_INITIATOR, mid, &b);
        }
        expect_rest(&t, c->what);
    }
    ikev2_builder_free(&b);
    v2_free(&p);
    target_stop(&t);
}

/* Many children, then all at once gone. */
static void many_children(void)
{
    enum { MANY = 1100 };
    target t;
    v2peer p;
    start_target(&t, TARGET_IP, conf_responder);
    v2_start(&p, ATTACKER_IP, 0xa001);
    if (check(v2_establish(&p, &t, HOSTILE_PSK), "no SA to fill")) {
        for (uint32_t i = 0; i < MANY; i++) {
            ikev2_builder b = {0};
            add_body(&p, &b, BODY_CHILD);
            v2_send(&p, &t, CREATE_CHILD_SA, IKEV2_FLAG_INITIATOR, 2 + i, &b);
            ikev2_builder_free(&b);
        }
        check(kernel_fake_sas(t.env.kernel) <= 2 * 1024, "%zu SAs for one peer",
              kernel_fake_sas(t.env.kernel));
        ikev2_builder b = {0};
        ikev2_add_delete_ike(&b);
        v2_send(&p, &t, INFORMATIONAL, IKEV2_FLAG_INITIATOR, 2 + MANY, &b);
        ikev2_builder_free(&b);
        expect_rest(&t, "a thousand children");
    }
    v2_free(&p);
    target_stop(&t);
}

void v2_established(void)
{
    for (size_t i = 0; i < sizeof(insiders) / sizeof(insiders[0]); i++)
        run_insider(&insiders[i]);
    many_children();
}

/* ---- our initiator, and somebody who answers before the honest peer does ---- */

static void forge(target *t, const datagram *request, uint16_t notify, span data, bool clear_auth)
{
    ikev2_header h;
    ikev2_builder b = {0};
    buf out = {0};
    if (ikev2_parse_header(&h, buf_span(&request->data)) != ST_OK)
        return;
    h.flags = IKEV2_FLAG_RESPONSE;
    if (!clear_auth && notify == N_COOKIE)
        h.spi_r = 0;
    else if (!clear_auth)
        h.spi_r = 0xbad;
    ikev2_add_notify(&b, notify, data);
    if (ikev2_emit(&h, &b, &out) == ST_OK)
        target_receive(t, &request->remote, request->local.port, buf_span(&out));
    buf_free(&out);
    ikev2_builder_free(&b);
}

typedef struct forgery {
    const char *what;
    uint16_t notify;
    const char *data;
    size_t n;
} forgery;

static void race(const forgery *f, bool at_auth)
{
    target t, honest;
    start_target(&t, TARGET_IP, conf_initiator);
    start_target(&honest, HONEST_IP, conf_honest);
    charon_initiate(t.charon, "call", NULL);
    target_run(&t);
    if (at_auth) { /* let IKE_SA_INIT pass: IKE_AUTH is on its way then */
        endpoint from = {t.address, 500}, back = {honest.address, 500};
        const datagram *d = target_last(&t, &back);
        if (d)
            target_receive(&honest, &from, 500, buf_span(&d->data));
        target_forget(&t);
        d = target_last(&honest, &from);
        if (d)
            target_receive(&t, &back, 500, buf_span(&d->data));
        target_forget(&honest);
    }
    endpoint peer = {honest.address, 500};
    const datagram *request = target_last(&t, &peer);
    if (check(request != NULL, "nothing is sent to the honest peer")) {
        datagram copy = *request;
        copy.data = (buf){0};
        if (buf_copy_of(&copy.data, buf_span(&request->data)) != ST_OK)
            abort();
        for (int i = 0; i < 3; i++)
            forge(&t, &copy, f->notify, span_of(f->data, f->n), at_auth);
        buf_free(&copy.data);
        pump(&t, &honest);
        for (int i = 0; i < 60; i++) { /* a forgery may cost time, no more */
            target_pass(&t, 1000);
            target_pass(&honest, 1000);
            pump(&t, &honest);
        }
        /* A forged cookie makes it begin anew while the honest answer to the first request is on its way; who
         * can forge that can forge a whole answer as well. The next attempt gets through. */
        if (!at_auth && f->notify == N_COOKIE && target_established(&t) == 0) {
            charon_initiate(t.charon, "call", NULL);
            pump(&t, &honest);
        }
        check(target_established(&t) == 1 && target_established(&honest) == 1,
              "forged %s in reply to %s stops the initiator", f->what, at_auth ? "IKE_AUTH" : "IKE_SA_INIT");
        check(kernel_fake_sas(t.env.kernel) == 2, "forged %s: %zu SAs in the kernel", f->what,
              kernel_fake_sas(t.env.kernel));
    }
    target_stop(&t);
    target_stop(&honest);
}

/* A peer that never answers properly: the attempt ends, nothing stays. */
static void refusals(const forgery *f)
{
    target t;
    start_target(&t, TARGET_IP, conf_initiator);
    endpoint peer = {.port = 500};
    if (addr_from_text(&peer.ip, HONEST_IP, NULL) != ST_OK)
        abort();
    charon_initiate(t.charon, "call", NULL);
    target_run(&t);
    for (int i = 0; i < 20; i++) {
        const datagram *d = target_last(&t, &peer);
        if (d) {
            datagram copy = *d;
            copy.data = (buf){0};
            if (buf_copy_of(&copy.data, buf_span(&d->data)) != ST_OK)
                abort();
            target_forget(&t);
            forge(&t, &copy, f->notify, span_of(f->data, f->n), false);
            buf_free(&copy.data);
        }
        target_pass(&t, 1000);
    }
    check(t.sent < 60, "%s again and again makes it send %zu datagrams", f->what, t.sent);
    expect_rest(&t, f->what);
    target_stop(&t);
}

/* Both ends begin at once: whatever is left over belongs together, on both sides. */
static void both_begin(void)
{
    static const char call_back[] = "conn answer\n"
                                    "\tkeyexchange=ikev2\n\tleft=" HONEST_IP
                                    "\n\tleftid=@honest\n\tleftsubnet=10.2.0.0/16\n"
                                    "\tright=" TARGET_IP
                                    "\n\trightid=@target\n\trightsubnet=10.1.0.0/16\n\tauthby=secret\n"
                                    "\tike=aes128-sha1-curve25519!\n\tesp=aes128-sha1!\n\tauto=add\n";
    target t, honest;
    start_target(&t, TARGET_IP, conf_initiator);
    start_target(&honest, HONEST_IP, call_back);
    for (int again = 0; again < 2; again++) {
        charon_initiate(t.charon, "call", NULL);
        charon_initiate(honest.charon, "answer", NULL);
        pump(&t, &honest);
        for (int i = 0; i < 30; i++) {
            target_pass(&t, 1000);
            target_pass(&honest, 1000);
            pump(&t, &honest);
        }
        check(target_established(&t) >= 1 && target_established(&honest) >= 1,
              "both begin: nothing is established");
        expect_no_orphans(&t, "both begin");
        expect_no_orphans(&honest, "both begin");
    }
    target_stop(&t);
    target_stop(&honest);
}

void v2_initiator(void)
{
    static const forgery forgeries[] = {
        {"NO_PROPOSAL_CHOSEN", N_NO_PROPOSAL_CHOSEN, "", 0},
        {"INVALID_SYNTAX", N_INVALID_SYNTAX, "", 0},
        {"AUTHENTICATION_FAILED", N_AUTHENTICATION_FAILED, "", 0},
        {"INVALID_MAJOR_VERSION", N_INVALID_MAJOR_VERSION, "", 0},
        {"UNSUPPORTED_CRITICAL_PAYLOAD", N_UNSUPPORTED_CRITICAL_PAYLOAD, "\41", 1},
        {"INVALID_KE_PAYLOAD of a group not offered", N_INVALID_KE_PAYLOAD, "\0\2", 2},
        {"INVALID_KE_PAYLOAD of the same group", N_INVALID_KE_PAYLOAD, "\0\37", 2},
        {"INVALID_KE_PAYLOAD of another group", N_INVALID_KE_PAYLOAD, "\0\23", 2},
        {"INVALID_KE_PAYLOAD of one octet", N_INVALID_KE_PAYLOAD, "\0", 1},
        {"INVALID_KE_PAYLOAD empty", N_INVALID_KE_PAYLOAD, "", 0},
        {"COOKIE", N_COOKIE, "forged cookie", 13},
        {"COOKIE empty", N_COOKIE, "", 0},
        {"COOKIE of 65 octets", N_COOKIE, "01234567890123456789012345678901234567890123456789012345678901234",
         65},
        {"unknown error", 8000, "", 0},
        {"unknown status", 50000, "", 0},
    };
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        race(&forgeries[i], false);
        race(&forgeries[i], true);
        refusals(&forgeries[i]);
    }
    both_begin();
}

/* ---- class 9 ---- */

/* An SKF datagram under the right keys with any numbers in it: cut by the library, then numbered and signed
 * anew. */
static void fragment(v2peer *p, target *t, uint8_t exchange, uint32_t mid, uint16_t number, uint16_t total,
                     span text)
{
    ikev2_header h = {.spi_i = p->spi_i,
                      .spi_r = p->spi_r,
                      .exchange = exchange,
                      .flags = IKEV2_FLAG_INITIATOR,
                      .mid = mid};
    buf out = {0};
    uint8_t iv[16] = {(uint8_t)number}, plain[1024] = {0};
    size_t n = text.n + 1 + (16 - (text.n + 1) % 16) % 16, sk = 4 + 4 + 16 + n + 12;
    if (n > sizeof(plain))
        return;
    memcpy(plain, text.p, text.n);
    plain[n - 1] = (uint8_t)(n - 1 - text.n);
    buf_put_u64(&out, h.spi_i);
    buf_put_u64(&out, h.spi_r);
    buf_put(&out, span_of((uint8_t[]){PLV2_SKF, 0x20, exchange, h.flags}, 4));
    buf_put_u32(&out, mid);
    buf_put_u32(&out, (uint32_t)(IKEV2_HEADER + sk));
    buf_put(&out, span_of((uint8_t[]){number == 1 ? PLV2_IDI : 0, 0}, 2));
    buf_put_u16(&out, (uint16_t)sk);
    buf_put_u16(&out, number);
    buf_put_u16(&out, total);
    buf_put(&out, SPAN_ARRAY(iv));
    if (crypter_encrypt(p->out.crypter, SPAN_ARRAY(iv), span_of(plain, n), plain) == ST_OK) {
        uint8_t icv[MAX_ICV_BYTES];
        buf_put(&out, span_of(plain, n));
        span all = buf_span(&out);
        if (signer_sign(p->out.signer, &all, 1, icv) == ST_OK) {
            buf_put(&out, span_of(icv, 12));
            target_receive(t, &p->at, p->to_port, buf_span(&out));
        }
    }
    buf_free(&out);
}

static void fragment_sets(void)
{
    static const struct {
        const char *what;
        uint16_t numbers[8][2];
    } rows[] = {
        {"total 0", {{1, 0}, {0, 0}}},
        {"number 0", {{0, 3}, {0, 1}}},
        {"number above total", {{4, 3}, {65535, 3}}},
        {"total 65535", {{1, 65535}, {65535, 65535}}},
        {"shrinking total", {{1, 5}, {2, 4}, {3, 3}, {2, 2}, {1, 1}}},
        {"growing total", {{1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {1, 64}}},
        {"duplicates", {{1, 3}, {1, 3}, {1, 3}, {2, 3}, {2, 3}}},
        {"last first", {{3, 3}, {2, 3}}},
        {"complete, but no message", {{1, 2}, {2, 2}}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t length = 0; length <= 900; length += 450) {
            target t;
            v2peer p;
            uint8_t text[900];
            memset(text, 0xa5, sizeof(text));
            start_target(&t, TARGET_IP, conf_responder);
            v2_start(&p, ATTACKER_IP, 0xb000);
            if (check(v2_handshake(&p, &t), "no handshake")) {
                for (size_t k = 0; k < 8 && (rows[i].numbers[k][0] || rows[i].numbers[k][1]); k++)
                    fragment(&p, &t, IKE_AUTH, 1, rows[i].numbers[k][0], rows[i].numbers[k][1],
                             span_of(text, length));
                fragment(&p, &t, IKE_SA_INIT, 0, 1, 2, span_of(text, length));
                check(target_established(&t) == 0, "fragments, %s: established", rows[i].what);
                expect_rest(&t, rows[i].what);
            }
            v2_free(&p);
            target_stop(&t);
        }
}

/* A good IKE_AUTH in pieces, whatever order, with strangers' pieces between. */
static void honest_fragments(void)
{
    target t;
    v2peer p;
    ikev2_builder b = {0};
    start_target(&t, TARGET_IP, conf_responder);
    v2_start(&p, ATTACKER_IP, 0xb001);
    if (check(v2_handshake(&p, &t), "no handshake")) {
        for (unsigned i = 0; i < V2_AUTH_PAYLOADS; i++)
            v2_add_auth(&p, &b, i, HOSTILE_PSK);
        span all = buf_span(&b.out);
        size_t half = all.n / 2;
        fragment(&p, &t, IKE_AUTH, 1, 2, 2, span_skip(all, half));
        fragment(&p, &t, IKE_AUTH, 2, 1, 2, span_take(all, half)); /* not its turn */
        fragment(&p, &t, IKE_AUTH, 1, 1, 1, SPAN_LIT("x"));        /* fewer than said before: dropped */
        fragment(&p, &t, IKE_AUTH, 1, 2, 2, SPAN_LIT("another end"));
        fragment(&p, &t, IKE_AUTH, 1, 1, 2, span_take(all, half));
        check(still_up(&t), "an IKE_AUTH in fragments is not understood");
    }
    ikev2_builder_free(&b);
    v2_free(&p);
    target_stop(&t);
}

/* Fragments for IKE_SAs that do not exist cost nothing. */
static void fragments_for_nobody(void)
{
    target t;
    v2peer p, real;
    start_target(&t, TARGET_IP, conf_responder);
    v2_start(&real, ATTACKER_IP, 0xb002);
    if (check(v2_handshake(&real, &t), "no handshake")) {
        for (uint64_t i = 0; i < 10000; i++) {
            p = real;
            p.spi_r = i * 0x9e3779b97f4a7c15u + 1;
            fragment(&p, &t, IKE_AUTH, 1, 1, 2, SPAN_LIT("data"));
        }
        check(target_ike_sas(&t) == 1, "fragments make IKE_SAs");
        check(t.n_out == 1, "fragments for nobody are answered");
        expect_rest(&t, "fragments for nobody");
    }
    v2_free(&real);
    target_stop(&t);
}

void v2_fragments(void)
{
    fragment_sets();
    honest_fragments();
    fragments_for_nobody();
}
