/* See v2peer.h. One suite: AES-CBC-128, HMAC-SHA1-96, PRF-HMAC-SHA1, Curve25519 (or another group). */
#include "tests/hostile/v2peer.h"
#include <stdlib.h>

enum { KEY = 16, MAC_KEY = 20, PRF_KEY = 20, PRF_OUT = 20 };

void v2_start(v2peer *p, const char *address, uint64_t spi_i)
{
    memset(p, 0, sizeof(*p));
    if (addr_from_text(&p->at.ip, address, NULL) != ST_OK)
        abort();
    p->at.port = p->to_port = IKE_PORT;
    p->spi_i = spi_i;
    p->group = DH_CURVE25519;
    for (size_t i = 0; i < sizeof(p->ni); i++)
        p->ni[i] = (uint8_t)(spi_i >> (i % 8 * 8) ^ i);
}

static void free_cipher(ikev2_cipher *c)
{
    crypter_free(c->crypter);
    signer_free(c->signer);
    *c = (ikev2_cipher){0};
}

void v2_free(v2peer *p)
{
    dh_free(p->dh);
    buf_free(&p->init_request);
    buf_free(&p->init_response);
    free_cipher(&p->out);
    free_cipher(&p->in);
    secret_free(&p->sk_pi);
}

static proposal suite(ipsec_proto proto, dh_group group)
{
    proposal o = {.number = 1, .proto = (uint8_t)proto};
    proposal_add(&o, TRANSFORM_ENCR, ENCR_AES_CBC, 128);
    proposal_add(&o, TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 0);
    if (proto == PROTO_IKE) {
        proposal_add(&o, TRANSFORM_PRF, PRF_HMAC_SHA1, 0);
        proposal_add(&o, TRANSFORM_DH, (uint16_t)group, 0);
    } else {
        proposal_add(&o, TRANSFORM_ESN, ESN_NO, 0);
        o.spi_n = 4;
        memcpy(o.spi, "\xca\xfe\0\1", 4);
    }
    return o;
}

void v2_add_init(v2peer *p, ikev2_builder *b, unsigned which)
{
    proposal o = suite(PROTO_IKE, p->group);
    if (!p->dh && dh_new(lib, &p->dh, p->group) != ST_OK)
        abort();
    if (which == 0)
        ikev2_add_proposal(b, &o);
    else if (which == 1)
        ikev2_add_ke(b, (uint16_t)p->group, dh_public(p->dh));
    else
        ikev2_add_nonce(b, SPAN_ARRAY(p->ni));
}

status v2_init_request(v2peer *p, const ikev2_builder *b, buf *out)
{
    ikev2_header h = {.spi_i = p->spi_i, .exchange = IKE_SA_INIT, .flags = IKEV2_FLAG_INITIATOR};
    status st = ikev2_emit(&h, b, out);
    if (st != ST_OK)
        return st;
    buf_free(&p->init_request);
    return buf_copy_of(&p->init_request, buf_span(out));
}

static status make_cipher(ikev2_cipher *c, const uint8_t *encr, const uint8_t *mac)
{
    *c = (ikev2_cipher){.crypto = lib, .encr = ENCR_AES_CBC, .integ = INTEG_HMAC_SHA1_96};
    status st = crypter_new(lib, &c->crypter, ENCR_AES_CBC, span_of(encr, KEY));
    return st == ST_OK ? signer_new(lib, &c->signer, INTEG_HMAC_SHA1_96, span_of(mac, MAC_KEY)) : st;
}

/* RFC 7296 2.14 */
static status derive(v2peer *p, span shared)
{
    uint8_t seed[PRF_OUT], spis[16], keys[3 * PRF_KEY + 2 * MAC_KEY + 2 * KEY];
    buf nonces = {0};
    prf *f = NULL;
    buf_put(&nonces, SPAN_ARRAY(p->ni));
    buf_put(&nonces, p->nr);
    set_u64(spis, p->spi_i);
    set_u64(spis + 8, p->spi_r);
    status st = prf_new(lib, &f, PRF_HMAC_SHA1, buf_span(&nonces));
    if (st == ST_OK)
        st = prf_compute(f, &shared, 1, seed);
    if (st == ST_OK)
        st = prf_rekey(f, SPAN_ARRAY(seed));
    if (st == ST_OK)
        st = prf_plus(f, (span[]){buf_span(&nonces), SPAN_ARRAY(spis)}, 2, keys, sizeof(keys));
    const uint8_t *ai = keys + PRF_KEY, *ar = ai + MAC_KEY, *ei = ar + MAC_KEY, *er = ei + KEY,
                  *pi = er + KEY;
    if (st == ST_OK)
        st = make_cipher(&p->out, ei, ai);
    if (st == ST_OK)
        st = make_cipher(&p->in, er, ar);
    if (st == ST_OK)
        st = secret_copy(&p->sk_pi, span_of(pi, PRF_KEY));
    prf_free(f);
    buf_free(&nonces);
    p->keys = st == ST_OK;
    return st;
}

/* true: keys. false: no answer, or a refusal (cookie: copied to *cookie). */
static bool take_init_answer(v2peer *p, target *t, buf *cookie)
{
    const datagram *d = target_last(t, &p->at);
    ikev2_msg m;
    arena mem;
    secret shared = {0};
    bool ok = false;
    arena_init(&mem, 0);
    if (d && buf_copy_of(&p->init_response, buf_span(&d->data)) == ST_OK &&
        ikev2_parse(&m, buf_span(&p->init_response), &mem, NULL) == ST_OK) {
        const ikev2_payload *ke = ikev2_find(&m, PLV2_KE), *no = ikev2_find(&m, PLV2_NONCE);
        const ikev2_notify *n = ikev2_find_notify(&m, N_COOKIE);
        if (n)
            buf_put(cookie, n->data);
        if (ke && no) {
            p->spi_r = m.h.spi_r;
            p->nr = no->nonce.data;
            ok = dh_compute(p->dh, ke->ke.data, &shared) == ST_OK && derive(p, secret_view(&shared)) == ST_OK;
        }
    }
    secret_free(&shared);
    arena_free(&mem);
    return ok;
}

bool v2_handshake(v2peer *p, target *t)
{
    buf cookie = {0};
    bool ok = false;
    for (int round = 0; round < 2 && !ok; round++) {
        ikev2_builder b = {0};
        buf out = {0};
        if (cookie.n)
            ikev2_add_notify(&b, N_COOKIE, buf_span(&cookie));
        for (unsigned i = 0; i < V2_PAYLOADS; i++)
            v2_add_init(p, &b, i);
        buf_free(&p->init_request);
        buf_free(&p->init_response);
        target_forget(t);
        if (v2_init_request(p, &b, &out) == ST_OK)
            target_receive(t, &p->at, p->to_port, buf_span(&out));
        ok = take_init_answer(p, t, &cookie);
        buf_free(&out);
        ikev2_builder_free(&b);
        if (!ok && !cookie.n)
            break;
    }
    buf_free(&cookie);
    return ok;
}

/* prf(prf(psk, "Key Pad for IKEv2"), init request | Nr | prf(SK_pi, IDi)) */
static void add_auth_payload(v2peer *p, ikev2_builder *b, const char *psk, span id_body)
{
    uint8_t inner[PRF_OUT], key[PRF_OUT], mac[PRF_OUT];
    span pad = SPAN_LIT("Key Pad for IKEv2");
    prf *f = NULL;
    if (prf_new(lib, &f, PRF_HMAC_SHA1, span_str(psk)) != ST_OK || prf_compute(f, &pad, 1, key) != ST_OK ||
        prf_rekey(f, secret_view(&p->sk_pi)) != ST_OK || prf_compute(f, &id_body, 1, inner) != ST_OK ||
        prf_rekey(f, SPAN_ARRAY(key)) != ST_OK ||
        prf_compute(f, (span[]){buf_span(&p->init_request), p->nr, SPAN_ARRAY(inner)}, 3, mac) != ST_OK)
        abort();
    prf_free(f);
    ikev2_add_auth(b, AUTHM_PSK, SPAN_ARRAY(mac));
}

void v2_add_auth(v2peer *p, ikev2_builder *b, unsigned which, const char *psk)
{
    static const uint8_t id[] = "\2\0\0\0attacker";
    proposal esp = suite(PROTO_ESP, DH_NONE);
    traffic_sel ts;
    subnet clients;
    if (subnet_from_text(&clients, which == V2_AUTH_TSI ? "10.2.0.0/16" : "10.1.0.0/16", NULL) != ST_OK)
        abort();
    ts = ts_from_subnet(&clients, 0, 0);
    switch (which) {
    case V2_AUTH_IDI:
        ikev2_add_id(b, PLV2_IDI, 2, span_of(id + 4, sizeof(id) - 5));
        break;
    case V2_AUTH_AUTH:
        add_auth_payload(p, b, psk, span_of(id, sizeof(id) - 1));
        break;
    case V2_AUTH_SA:
        ikev2_add_proposal(b, &esp);
        break;
    default:
        ikev2_add_ts(b, which == V2_AUTH_TSI ? PLV2_TSI : PLV2_TSR, &ts, 1);
        break;
    }
}

status v2_seal(v2peer *p, uint8_t exchange, uint8_t flags, uint32_t mid, const ikev2_builder *b, buf *out)
{
    ikev2_header h = {.spi_i = p->spi_i, .spi_r = p->spi_r, .exchange = exchange, .flags = flags, .mid = mid};
    ikev2_packets one = {0};
    status st = ikev2_seal(&h, NULL, b, &p->out, 0, &one);
    buf_reset(out);
    if (st == ST_OK) {
        buf_put(out, ikev2_packet_at(&one, 0));
        st = buf_ok(out) ? ST_OK : ST_NO_MEMORY;
    }
    ikev2_packets_free(&one);
    return st;
}

void v2_send(v2peer *p, target *t, uint8_t exchange, uint8_t flags, uint32_t mid, const ikev2_builder *b)
{
    buf out = {0};
    target_forget(t);
    if (v2_seal(p, exchange, flags, mid, b, &out) == ST_OK)
        target_receive(t, &p->at, p->to_port, buf_span(&out));
    buf_free(&out);
}

bool v2_establish(v2peer *p, target *t, const char *psk)
{
    ikev2_builder b = {0};
    charon_stats before, after;
    charon_get_stats(t->charon, &before);
    if (!v2_handshake(p, t))
        return false;
    for (unsigned i = 0; i < V2_AUTH_PAYLOADS; i++)
        v2_add_auth(p, &b, i, psk);
    v2_send(p, t, IKE_AUTH, IKEV2_FLAG_INITIATOR, 1, &b);
    ikev2_builder_free(&b);
    charon_get_stats(t->charon, &after);
    return after.established_responder == before.established_responder + 1;
}

bool v2_answer(v2peer *p, target *t, ikev2_msg *m, arena *mem)
{
    const datagram *d = target_last(t, &p->at);
    if (!d || ikev2_parse(m, buf_span(&d->data), mem, NULL) != ST_OK)
        return false;
    return !m->sk || ikev2_open(m, &p->in, NULL) == ST_OK;
}
