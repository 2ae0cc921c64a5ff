/* See keymat.h. Every derivation writes to a local and is moved into place at the end, so that a failure in
 * the middle leaves no half-made keys; what is derived lives in `secret` and is wiped with it.
 */
#include "pluto/sa/keymat.h"
#include <string.h>

prf_alg prf_of_hash(hash_alg h)
{
    switch (h) {
    case HASH_MD5:
        return PRF_HMAC_MD5;
    case HASH_SHA1:
        return PRF_HMAC_SHA1;
    case HASH_SHA2_256:
        return PRF_HMAC_SHA2_256;
    case HASH_SHA2_384:
        return PRF_HMAC_SHA2_384;
    case HASH_SHA2_512:
        return PRF_HMAC_SHA2_512;
    default:
        return PRF_UNDEFINED;
    }
}

status keymat_init(keymat *k, const crypto *c, encr_alg encr, uint16_t key_bits, hash_alg hash)
{
    keymat_fini(k);
    k->crypto = c;
    k->encr = encr;
    k->key_bits = key_bits;
    k->hash = hash;
    k->prf_alg = prf_of_hash(hash);
    k->hash_n = hash_bytes_of(hash);
    k->block_n = encr_block_bytes(encr);
    if (k->prf_alg == PRF_UNDEFINED || k->hash_n == 0 || k->hash_n > MAX_HASH_BYTES || k->block_n < 8 ||
        k->block_n > MAX_IV_BYTES || k->block_n > k->hash_n)
        return ST_UNSUPPORTED;
    return ST_OK;
}

void keymat_fini(keymat *k)
{
    secret_free(&k->skeyid);
    secret_free(&k->skeyid_d);
    secret_free(&k->skeyid_a);
    secret_free(&k->skeyid_e);
    crypter_free(k->crypter);
    wipe(k->iv, sizeof(k->iv));
    memset(k, 0, sizeof(*k));
}

bool keymat_ready(const keymat *k)
{
    return k->crypter != NULL;
}

static status prf_once(const keymat *k, span key, const span *parts, size_t n, uint8_t *out)
{
    prf *p;
    status st = prf_new(k->crypto, &p, k->prf_alg, key);
    if (st != ST_OK)
        return st;
    st = prf_compute(p, parts, n, out);
    prf_free(p);
    return st;
}

static status prf_secret(const keymat *k, span key, const span *parts, size_t n, secret *out)
{
    status st = secret_new(out, k->hash_n);
    return st != ST_OK ? st : prf_once(k, key, parts, n, out->p);
}

/* appendix B: SKEYID_e as the key, or K1 | K2 | … with K1 = prf(SKEYID_e, 0) */
static status make_crypter(const keymat *k, const keymat_input *in, const secret *skeyid_e, crypter **out)
{
    size_t want = encr_keymat_bytes(k->encr, k->key_bits), have = 0;
    secret key = {0};
    uint8_t block[MAX_HASH_BYTES], zero = 0;
    status st;
    if (want == 0)
        return ST_UNSUPPORTED;
    if (want <= skeyid_e->n) {
        keylog_ikev1(in->save, in->cky_i, span_take(secret_view(skeyid_e), want));
        return crypter_new(k->crypto, out, k->encr, span_take(secret_view(skeyid_e), want));
    }
    if ((st = secret_new(&key, want)) != ST_OK)
        return st;
    while (have < want) {
        span part = have ? span_of(block, k->hash_n) : span_of(&zero, 1);
        size_t step = want - have < k->hash_n ? want - have : k->hash_n;
        if ((st = prf_once(k, secret_view(skeyid_e), &part, 1, block)) != ST_OK)
            goto out;
        memcpy(key.p + have, block, step);
        have += step;
    }
    keylog_ikev1(in->save, in->cky_i, secret_view(&key));
    st = crypter_new(k->crypto, out, k->encr, secret_view(&key));
out:
    wipe(block, sizeof(block));
    secret_free(&key);
    return st;
}

static status derive_skeyid(const keymat *k, const keymat_input *in, secret *out)
{
    if (in->psk.n) {
        span parts[] = {in->ni, in->nr};
        return prf_secret(k, in->psk, parts, 2, out);
    }
    secret key = {0};
    status st = secret_new(&key, in->ni.n + in->nr.n);
    if (st != ST_OK)
        return st;
    memcpy(key.p, in->ni.p, in->ni.n);
    memcpy(key.p + in->ni.n, in->nr.p, in->nr.n);
    st = prf_secret(k, secret_view(&key), &in->gxy, 1, out);
    secret_free(&key);
    return st;
}

status isakmp_keymat_derive(keymat *k, const keymat_input *in)
{
    secret id = {0}, d = {0}, a = {0}, e = {0};
    crypter *x = NULL;
    uint8_t iv[MAX_HASH_BYTES];
    static const uint8_t n012[3] = {0, 1, 2};
    span dparts[] = {in->gxy, in->cky_i, in->cky_r, span_of(&n012[0], 1)};
    status st = derive_skeyid(k, in, &id);
    if (st != ST_OK)
        goto out;
    if ((st = prf_secret(k, secret_view(&id), dparts, 4, &d)) != ST_OK)
        goto out;
    span aparts[] = {secret_view(&d), in->gxy, in->cky_i, in->cky_r, span_of(&n012[1], 1)};
    if ((st = prf_secret(k, secret_view(&id), aparts, 5, &a)) != ST_OK)
        goto out;
    span eparts[] = {secret_view(&a), in->gxy, in->cky_i, in->cky_r, span_of(&n012[2], 1)};
    if ((st = prf_secret(k, secret_view(&id), eparts, 5, &e)) != ST_OK)
        goto out;
    if ((st = make_crypter(k, in, &e, &x)) != ST_OK)
        goto out;
    span ivparts[] = {in->gxi, in->gxr};
    if ((st = hash_once(k->crypto, k->hash, ivparts, 2, iv)) != ST_OK)
        goto out;
    secret_move(&k->skeyid, &id);
    secret_move(&k->skeyid_d, &d);
    secret_move(&k->skeyid_a, &a);
    secret_move(&k->skeyid_e, &e);
    crypter_free(k->crypter);
    k->crypter = x;
    x = NULL;
    memcpy(k->iv, iv, k->block_n);
out:
    crypter_free(x);
    secret_free(&id);
    secret_free(&d);
    secret_free(&a);
    secret_free(&e);
    return st;
}

status keymat_auth_hash(const keymat *k, const keymat_input *in, bool initiator, span sa_body, span id_body,
                        uint8_t *out)
{
    span parts[] = {initiator ? in->gxi : in->gxr,
                    initiator ? in->gxr : in->gxi,
                    initiator ? in->cky_i : in->cky_r,
                    initiator ? in->cky_r : in->cky_i,
                    sa_body,
                    id_body};
    return prf_once(k, secret_view(&k->skeyid), parts, 6, out);
}

status keymat_hash(const keymat *k, const span *parts, size_t n, uint8_t *out)
{
    return k->skeyid_a.n ? prf_once(k, secret_view(&k->skeyid_a), parts, n, out) : ST_INVALID;
}

status keymat_start_iv(const keymat *k, uint32_t msgid, iv_chain *out)
{
    uint8_t id[4], iv[MAX_HASH_BYTES];
    set_u32(id, msgid);
    span parts[] = {span_of(k->iv, k->block_n), span_of(id, 4)};
    status st = hash_once(k->crypto, k->hash, parts, 2, iv);
    if (st != ST_OK)
        return st;
    memcpy(out->iv, iv, k->block_n);
    out->started = true;
    return ST_OK;
}

status keymat_encrypt(const keymat *k, const uint8_t *iv, uint8_t *data, size_t n, uint8_t *next_iv)
{
    if (!k->crypter || n < k->block_n || n % k->block_n)
        return ST_INVALID;
    status st = crypter_encrypt(k->crypter, span_of(iv, k->block_n), span_of(data, n), data);
    if (st == ST_OK)
        memcpy(next_iv, data + n - k->block_n, k->block_n);
    return st;
}

status keymat_decrypt(const keymat *k, const uint8_t *iv, uint8_t *data, size_t n, uint8_t *next_iv)
{
    uint8_t next[MAX_IV_BYTES];
    if (!k->crypter || n < k->block_n || n % k->block_n)
        return ST_INVALID;
    memcpy(next, data + n - k->block_n, k->block_n);
    status st = crypter_decrypt(k->crypter, span_of(iv, k->block_n), span_of(data, n), data);
    if (st == ST_OK)
        memcpy(next_iv, next, k->block_n);
    return st;
}

status keymat_ipsec(const keymat *k, span gxy, uint8_t proto, uint32_t spi, span ni, span nr, secret *out,
                    size_t n)
{
    uint8_t tail[5] = {proto}, block[MAX_HASH_BYTES];
    size_t have = 0;
    set_u32(tail + 1, spi);
    status st = secret_new(out, n);
    while (st == ST_OK && have < n) {
        span parts[] = {have ? span_of(block, k->hash_n) : SPAN_NULL, gxy, span_of(tail, 5), ni, nr};
        size_t step = n - have < k->hash_n ? n - have : k->hash_n;
        st = prf_once(k, secret_view(&k->skeyid_d), parts, 5, block);
        if (st == ST_OK)
            memcpy(out->p + have, block, step);
        have += step;
    }
    wipe(block, sizeof(block));
    if (st != ST_OK)
        secret_free(out);
    return st;
}

status keymat_natd(const keymat *k, const uint8_t cookies[16], span addr, uint16_t port, uint8_t *out)
{
    uint8_t p[2];
    set_u16(p, port);
    span parts[] = {span_of(cookies, 16), addr, span_of(p, 2)};
    return hash_once(k->crypto, k->hash, parts, 3, out);
}
