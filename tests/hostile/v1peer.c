/* See v1peer.h. One suite: AES-CBC-128, SHA-1, ECP-256 (or another group). */
#include "tests/hostile/v1peer.h"
#include <stdlib.h>

enum { KEY = 16, HASH = 20, BLOCK = 16 };
static const char id_octets[] = "attacker";

void v1_start(v1peer *p, const char *address, uint32_t cookie)
{
    memset(p, 0, sizeof(*p));
    if (addr_from_text(&p->at.ip, address, NULL) != ST_OK)
        abort();
    p->at.port = p->to_port = IKE_PORT;
    p->group = DH_ECP_256;
    set_u32(p->ci, 0xa77ac3e2);
    set_u32(p->ci + 4, cookie);
    for (size_t i = 0; i < sizeof(p->ni); i++)
        p->ni[i] = (uint8_t)(cookie >> (i % 4 * 8) ^ i);
}

void v1_free(v1peer *p)
{
    dh_free(p->dh);
    crypter_free(p->x);
    buf_free(&p->nr);
    buf_free(&p->gr);
    buf_free(&p->sa_body);
    secret_free(&p->skeyid);
    secret_free(&p->skeyid_a);
}

void v1_add_sa(v1peer *p, ikev1_builder *b)
{
    wire_attr attrs[] = {
        wire_attr_tv(OAKLEY_LIFE_TYPE, 1),
        wire_attr_tv(OAKLEY_LIFE_DURATION, 3600),
        wire_attr_tv(OAKLEY_ENCRYPTION_ALGORITHM, 7),
        wire_attr_tv(OAKLEY_HASH_ALGORITHM, 2),
        wire_attr_tv(OAKLEY_KEY_LENGTH, 128),
        wire_attr_tv(OAKLEY_AUTHENTICATION_METHOD, OAKLEY_PRESHARED_KEY),
        wire_attr_tv(OAKLEY_GROUP_DESCRIPTION, (uint16_t)p->group),
    };
    ikev1_transform t = {0, 1, WIRE_LIST(attrs, 7)};
    ikev1_proposal o = {0, IPV1_PROTO_ISAKMP, SPAN_NULL, WIRE_LIST(&t, 1)};
    ikev1_add(b, PLV1_SA, &(ikev1_sa){IKEV1_DOI_IPSEC, IKEV1_SIT_IDENTITY_ONLY, WIRE_LIST(&o, 1)});
}

static ikev1_header header(const v1peer *p, uint8_t exchange, uint8_t flags, uint32_t mid)
{
    ikev1_header h = {.exchange = exchange, .flags = flags, .mid = mid};
    memcpy(h.icookie, p->ci, 8);
    memcpy(h.rcookie, p->cr, 8);
    return h;
}

void v1_send_clear(v1peer *p, target *t, uint8_t exchange, uint8_t flags, uint32_t mid,
                   const ikev1_builder *b)
{
    ikev1_header h = header(p, exchange, flags, mid);
    buf out = {0};
    target_forget(t);
    if (ikev1_emit(&h, b, 0, &out) == ST_OK)
        target_receive(t, &p->at, p->to_port, buf_span(&out));
    buf_free(&out);
}

void v1_send_sealed(v1peer *p, target *t, uint8_t exchange, uint8_t flags, uint32_t mid,
                    const ikev1_builder *b, uint8_t iv[16])
{
    ikev1_header h = header(p, exchange, flags, mid);
    buf out = {0};
    target_forget(t);
    if (p->x && ikev1_emit(&h, b, (BLOCK - b->out.n % BLOCK) % BLOCK, &out) == ST_OK) {
        span body = span_skip(buf_span(&out), IKEV1_HEADER);
        if (body.n == 0 || crypter_encrypt(p->x, span_of(iv, BLOCK), body, out.p + IKEV1_HEADER) == ST_OK) {
            if (body.n)
                memcpy(iv, out.p + out.n - BLOCK, BLOCK);
            target_receive(t, &p->at, p->to_port, buf_span(&out));
        }
    }
    buf_free(&out);
}

static bool keyed(span key, const span *parts, size_t n, uint8_t out[HASH])
{
    prf *f = NULL;
    bool ok = prf_new(lib, &f, PRF_HMAC_SHA1, key) == ST_OK && prf_compute(f, parts, n, out) == ST_OK;
    prf_free(f);
    return ok;
}

void v1_send_hashed(v1peer *p, target *t, uint8_t exchange, uint32_t mid, const ikev1_builder *b, bool spoil)
{
    ikev1_builder whole = {0};
    uint8_t id[4], hash[HASH], iv[HASH];
    set_u32(id, mid);
    if (hash_once(lib, HASH_SHA1, (span[]){SPAN_ARRAY(p->iv), SPAN_ARRAY(id)}, 2, iv) != ST_OK ||
        !keyed(secret_view(&p->skeyid_a), (span[]){SPAN_ARRAY(id), buf_span(&b->out)}, 2, hash))
        abort();
    hash[7] ^= spoil ? 1 : 0;
    ikev1_add_raw(&whole, PLV1_HASH, SPAN_ARRAY(hash));
    if (b->out.n) {
        buf_patch_u8(&whole.out, 0, b->first);
        buf_put(&whole.out, buf_span(&b->out));
    }
    v1_send_sealed(p, t, exchange, IKEV1_FLAG_ENCRYPTION, mid, &whole, iv);
    ikev1_builder_free(&whole);
}

/* The target's last answer to us. */
static bool answer(v1peer *p, target *t, ikev1_msg *m, arena *mem)
{
    const datagram *d = target_last(t, &p->at);
    return d && ikev1_parse(m, buf_span(&d->data), mem, NULL) == ST_OK && memcmp(m->h.icookie, p->ci, 8) == 0;
}

bool v1_main1(v1peer *p, target *t)
{
    ikev1_builder b = {0};
    ikev1_msg m;
    arena mem;
    arena_init(&mem, 0);
    v1_add_sa(p, &b);
    buf_free(&p->sa_body);
    bool ok = buf_copy_of(&p->sa_body, ikev1_builder_last_body(&b)) == ST_OK;
    v1_send_clear(p, t, ISAKMP_XCHG_IDPROT, 0, 0, &b);
    ok = ok && answer(p, t, &m, &mem) && ikev1_find(&m, PLV1_SA);
    if (ok)
        memcpy(p->cr, m.h.rcookie, 8);
    ikev1_builder_free(&b);
    arena_free(&mem);
    return ok;
}

static bool derive(v1peer *p, span gxy, span psk)
{
    uint8_t id[HASH], d[HASH], a[HASH], e[HASH], iv[HASH];
    static const uint8_t zero = 0, one = 1, two = 2;
    span ci = SPAN_ARRAY(p->ci), cr = SPAN_ARRAY(p->cr), key = SPAN_ARRAY(id);
    return keyed(psk, (span[]){SPAN_ARRAY(p->ni), buf_span(&p->nr)}, 2, id) &&
           keyed(key, (span[]){gxy, ci, cr, span_of(&zero, 1)}, 4, d) &&
           keyed(key, (span[]){SPAN_ARRAY(d), gxy, ci, cr, span_of(&one, 1)}, 5, a) &&
           keyed(key, (span[]){SPAN_ARRAY(a), gxy, ci, cr, span_of(&two, 1)}, 5, e) &&
           hash_once(lib, HASH_SHA1, (span[]){dh_public(p->dh), buf_span(&p->gr)}, 2, iv) == ST_OK &&
           memcpy(p->iv, iv, BLOCK) && secret_copy(&p->skeyid, key) == ST_OK &&
           secret_copy(&p->skeyid_a, SPAN_ARRAY(a)) == ST_OK &&
           crypter_new(lib, &p->x, ENCR_AES_CBC, span_of(e, KEY)) == ST_OK;
}

bool v1_main2(v1peer *p, target *t)
{
    ikev1_builder b = {0};
    ikev1_msg m;
    arena mem;
    secret gxy = {0};
    bool ok = false;
    arena_init(&mem, 0);
    if (!p->dh && dh_new(lib, &p->dh, p->group) != ST_OK)
        abort();
    ikev1_add_raw(&b, PLV1_KE, dh_public(p->dh));
    ikev1_add_raw(&b, PLV1_NONCE, SPAN_ARRAY(p->ni));
    v1_send_clear(p, t, ISAKMP_XCHG_IDPROT, 0, 0, &b);
    if (answer(p, t, &m, &mem) && ikev1_find(&m, PLV1_KE) && ikev1_find(&m, PLV1_NONCE))
        ok = buf_copy_of(&p->gr, ikev1_find(&m, PLV1_KE)->ke.data) == ST_OK &&
             buf_copy_of(&p->nr, ikev1_find(&m, PLV1_NONCE)->ke.data) == ST_OK &&
             dh_compute(p->dh, buf_span(&p->gr), &gxy) == ST_OK &&
             derive(p, secret_view(&gxy), SPAN_LIT(HOSTILE_PSK));
    secret_free(&gxy);
    ikev1_builder_free(&b);
    arena_free(&mem);
    return ok;
}

void v1_add_id(ikev1_builder *b)
{
    ikev1_add_id(b, 2, 0, 0, span_str(id_octets));
}

void v1_add_hash(v1peer *p, ikev1_builder *b)
{
    uint8_t hash[HASH], id[4 + sizeof(id_octets) - 1] = {2};
    memcpy(id + 4, id_octets, sizeof(id_octets) - 1);
    if (!keyed(secret_view(&p->skeyid),
               (span[]){dh_public(p->dh), buf_span(&p->gr), SPAN_ARRAY(p->ci), SPAN_ARRAY(p->cr),
                        buf_span(&p->sa_body), SPAN_ARRAY(id)},
               6, hash))
        abort();
    ikev1_add_raw(b, PLV1_HASH, SPAN_ARRAY(hash));
}

bool v1_main3(v1peer *p, target *t)
{
    ikev1_builder b = {0};
    unsigned before = target_established(t);
    v1_add_id(&b);
    v1_add_hash(p, &b);
    v1_send_sealed(p, t, ISAKMP_XCHG_IDPROT, IKEV1_FLAG_ENCRYPTION, 0, &b, p->iv);
    ikev1_builder_free(&b);
    const datagram *d = target_last(t, &p->at);
    if (target_established(t) < before || !d || d->data.n < IKEV1_HEADER + BLOCK)
        return false;
    memcpy(p->iv, d->data.p + d->data.n - BLOCK, BLOCK);
    return target_established(t) > 0;
}

bool v1_establish(v1peer *p, target *t)
{
    return v1_main1(p, t) && v1_main2(p, t) && v1_main3(p, t);
}
