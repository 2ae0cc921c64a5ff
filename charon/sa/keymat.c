/* SKEYSEED and everything below it. Made once per IKE_SA, when both KE payloads are known; freed with it. */
#include "charon/sa/keymat.h"
#include "charon/limits.h"

enum { SHORT_KEY_NONCE = 8 };

static const span key_pad = SPAN_LIT("Key Pad for IKEv2");

void keymat_free(keymat *km)
{
    secret_free(&km->sk_d);
    secret_free(&km->sk_pi);
    secret_free(&km->sk_pr);
    for (int i = 0; i < 2; i++) {
        ikev2_cipher *x = i ? &km->out : &km->in;
        aead_free(x->aead);
        crypter_free(x->crypter);
        signer_free(x->signer);
    }
    *km = (keymat){0};
}

/* SKEYSEED; the result is a PRF keyed with it. A first IKE_SA: prf(Ni | Nr, g^ir), where PRFs with keys of
 * 128 bits take 64 bits of each nonce (2.14); a rekeyed one: prf(SK_d(old), g^ir | Ni | Nr) with the old
 * one's PRF (2.18). */
static status keyed_prf(const crypto *c, prf_alg alg, const keymat_input *in, prf **out)
{
    uint8_t key[2 * NONCE_MAX], seed[MAX_HASH_BYTES];
    bool short_key = alg == PRF_AES128_XCBC || alg == PRF_AES128_CMAC;
    span ni = in->ni, nr = in->nr;
    prf_alg seed_alg = alg;
    prf *p = NULL;
    status st;

    if (ni.n > NONCE_MAX || nr.n > NONCE_MAX)
        return ST_INVALID;
    if (in->old) {
        seed_alg = in->old->prf;
        st = prf_new(c, &p, seed_alg, secret_view(&in->old->sk_d));
        if (st == ST_OK)
            st = prf_compute(p, (span[]){in->shared, ni, nr}, 3, seed);
    } else {
        span ki = short_key ? span_take(ni, SHORT_KEY_NONCE) : ni;
        span kr = short_key ? span_take(nr, SHORT_KEY_NONCE) : nr;
        memcpy(key, ki.p, ki.n);
        memcpy(key + ki.n, kr.p, kr.n);
        st = prf_new(c, &p, alg, span_of(key, ki.n + kr.n));
        if (st == ST_OK)
            st = prf_compute(p, &in->shared, 1, seed);
    }
    prf_free(p);
    if (st == ST_OK)
        st = prf_new(c, out, alg, span_of(seed, prf_out_bytes(seed_alg)));
    wipe(seed, sizeof(seed));
    return st;
}

static status make_cipher(const crypto *c, const proposal *prop, span encr_key, span integ_key,
                          ikev2_cipher *x)
{
    const transform *e = proposal_get(prop, TRANSFORM_ENCR), *i = proposal_get(prop, TRANSFORM_INTEG);
    status st;

    x->crypto = c;
    x->encr = (encr_alg)e->id;
    if (encr_is_aead(e->id)) {
        x->integ = INTEG_NONE;
        return aead_new(c, &x->aead, (encr_alg)e->id, encr_key);
    }
    if (!i)
        return ST_INVALID;
    x->integ = (integ_alg)i->id;
    st = crypter_new(c, &x->crypter, (encr_alg)e->id, encr_key);
    if (st == ST_OK)
        st = signer_new(c, &x->signer, (integ_alg)i->id, integ_key);
    return st;
}

static span cut(span *rest, size_t n)
{
    span s = span_take(*rest, n);
    *rest = span_skip(*rest, n);
    return s;
}

/* SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr */
static status split_keys(keymat *km, const keymat_input *in, span all, const size_t len[3])
{
    size_t p = prf_key_bytes(km->prf);
    span d = cut(&all, p), ai = cut(&all, len[1]), ar = cut(&all, len[1]);
    span ei = cut(&all, len[0]), er = cut(&all, len[0]), pi = cut(&all, p), pr = cut(&all, p);
    ikev2_cipher *x_i = in->initiator ? &km->out : &km->in, *x_r = in->initiator ? &km->in : &km->out;
    status st;

    if ((st = secret_copy(&km->sk_d, d)) != ST_OK || (st = secret_copy(&km->sk_pi, pi)) != ST_OK ||
        (st = secret_copy(&km->sk_pr, pr)) != ST_OK)
        return st;
    const transform *e = proposal_get(in->prop, TRANSFORM_ENCR), *i = proposal_get(in->prop, TRANSFORM_INTEG);
    keylog_ikev2(in->save, &(keylog_keys){in->spi_i, in->spi_r, e->id, e->key_bits,
                                          len[1] ? i->id : (uint16_t)INTEG_NONE, ei, er, ai, ar});
    if ((st = make_cipher(km->crypto, in->prop, ei, ai, x_i)) != ST_OK)
        return st;
    return make_cipher(km->crypto, in->prop, er, ar, x_r);
}

status keymat_derive(keymat *km, const crypto *c, const keymat_input *in)
{
    const transform *e = proposal_get(in->prop, TRANSFORM_ENCR), *i = proposal_get(in->prop, TRANSFORM_INTEG);
    const transform *f = proposal_get(in->prop, TRANSFORM_PRF);
    uint8_t spis[16];
    size_t len[3];
    secret all = {0};
    prf *p = NULL;
    status st;

    if (!e || !f)
        return ST_INVALID;
    km->crypto = c;
    km->prf = (prf_alg)f->id;
    len[0] = encr_keymat_bytes((encr_alg)e->id, e->key_bits);
    len[1] = encr_is_aead(e->id) || !i ? 0 : integ_key_bytes((integ_alg)i->id);
    len[2] = prf_key_bytes(km->prf);
    if (!len[0] || !len[2])
        return ST_UNSUPPORTED;
    set_u64(spis, in->spi_i);
    set_u64(spis + 8, in->spi_r);
    st = keyed_prf(c, km->prf, in, &p);
    if (st == ST_OK)
        st = secret_new(&all, 2 * len[0] + 2 * len[1] + 3 * len[2]);
    if (st == ST_OK)
        st = prf_plus(p, (span[]){in->ni, in->nr, SPAN_ARRAY(spis)}, 3, all.p, all.n);
    if (st == ST_OK)
        st = split_keys(km, in, secret_view(&all), len);
    prf_free(p);
    secret_free(&all);
    if (st != ST_OK)
        keymat_free(km);
    else
        km->ready = true;
    return st;
}

status keymat_child(const keymat *km, const proposal *prop, span shared, span ni, span nr, child_keys *out)
{
    const transform *e = proposal_get(prop, TRANSFORM_ENCR), *i = proposal_get(prop, TRANSFORM_INTEG);
    size_t en = e ? encr_keymat_bytes((encr_alg)e->id, e->key_bits) : 0;
    size_t in = i && !(e && encr_is_aead(e->id)) ? integ_key_bytes((integ_alg)i->id) : 0;
    secret all = {0};
    prf *p = NULL;
    status st;

    *out = (child_keys){0};
    if (en + in == 0)
        return ST_UNSUPPORTED;
    st = prf_new(km->crypto, &p, km->prf, secret_view(&km->sk_d));
    if (st == ST_OK)
        st = secret_new(&all, 2 * (en + in));
    if (st == ST_OK)
        st = prf_plus(p, (span[]){shared, ni, nr}, 3, all.p, all.n);
    if (st == ST_OK) {
        span rest = secret_view(&all);
        secret *to[4] = {&out->encr_i, &out->integ_i, &out->encr_r, &out->integ_r};
        for (int k = 0; k < 4 && st == ST_OK; k++)
            st = secret_copy(to[k], cut(&rest, k & 1 ? in : en));
    }
    prf_free(p);
    secret_free(&all);
    if (st != ST_OK)
        child_keys_free(out);
    return st;
}

void child_keys_free(child_keys *k)
{
    secret_free(&k->encr_i);
    secret_free(&k->integ_i);
    secret_free(&k->encr_r);
    secret_free(&k->integ_r);
}

status keymat_auth_octets(const keymat *km, bool initiator, span message, span nonce, span id_body, buf *out)
{
    uint8_t mac[MAX_HASH_BYTES];
    prf *p = NULL;
    status st = prf_new(km->crypto, &p, km->prf, secret_view(initiator ? &km->sk_pi : &km->sk_pr));

    if (st == ST_OK)
        st = prf_compute(p, &id_body, 1, mac);
    prf_free(p);
    if (st != ST_OK)
        return st;
    buf_put(out, message);
    buf_put(out, nonce);
    buf_put(out, span_of(mac, prf_out_bytes(km->prf)));
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}

status keymat_psk_auth(const keymat *km, span psk, span octets, uint8_t *out, size_t *n)
{
    uint8_t key[MAX_HASH_BYTES];
    prf *p = NULL;
    status st = prf_new(km->crypto, &p, km->prf, psk);

    if (st == ST_OK)
        st = prf_compute(p, &key_pad, 1, key);
    if (st == ST_OK)
        st = prf_rekey(p, span_of(key, prf_out_bytes(km->prf)));
    if (st == ST_OK)
        st = prf_compute(p, &octets, 1, out);
    *n = prf_out_bytes(km->prf);
    prf_free(p);
    wipe(key, sizeof(key));
    return st;
}
