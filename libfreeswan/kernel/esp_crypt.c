/* One ESP packet sealed or opened in place, with whatever the SA's algorithms are: an AEAD, or a cipher (or
 * none) under a MAC. Keys are in the contexts of the crypto registry and nowhere else.
 */
#include "libfreeswan/kernel/esp_priv.h"

status esp_crypt_init(esp_crypt *x, const crypto *c, const kernel_sa *sa)
{
    status st = ST_OK;

    *x = (esp_crypt){.c = c, .block = 4};
    if (encr_is_aead((uint16_t)sa->encr)) {
        x->iv_n = (uint8_t)encr_iv_bytes(sa->encr);
        x->icv_n = (uint8_t)encr_icv_bytes(sa->encr);
        return aead_new(c, &x->aead, sa->encr, sa->encr_key);
    }
    if (sa->encr != ENCR_NULL) {
        size_t block = encr_block_bytes(sa->encr);
        x->iv_n = (uint8_t)encr_iv_bytes(sa->encr);
        x->block = block > 4 ? (uint8_t)block : 4;
        x->random_iv = block > 1;
        st = crypter_new(c, &x->crypter, sa->encr, sa->encr_key);
    }
    if (st == ST_OK && sa->integ != INTEG_NONE) {
        x->icv_n = (uint8_t)integ_icv_bytes(sa->integ);
        st = signer_new(c, &x->signer, sa->integ, sa->integ_key);
    }
    if (st == ST_OK && !x->signer)
        st = ST_UNSUPPORTED; /* encryption alone protects nothing */
    if (st != ST_OK)
        esp_crypt_fini(x);
    return st;
}

void esp_crypt_fini(esp_crypt *x)
{
    if (x->aead)
        aead_free(x->aead);
    if (x->crypter)
        crypter_free(x->crypter);
    if (x->signer)
        signer_free(x->signer);
    wipe(x, sizeof *x);
}

static status make_iv(esp_crypt *x, uint64_t counter, uint8_t *iv)
{
    if (!x->random_iv) {
        if (x->iv_n >= 8)
            set_u64(iv + x->iv_n - 8, counter);
        return ST_OK;
    }
    if (x->pool_left < x->iv_n) {
        status st = rng_bytes(x->c, RNG_WEAK, x->pool, sizeof x->pool);
        if (st != ST_OK)
            return st;
        x->pool_left = sizeof x->pool;
    }
    x->pool_left -= x->iv_n;
    memcpy(iv, x->pool + x->pool_left, x->iv_n);
    return ST_OK;
}

/* What an AEAD authenticates besides the text: SPI and the full sequence number. */
static span make_aad(uint8_t aad[12], const uint8_t *header, uint64_t seq, bool esn)
{
    memcpy(aad, header, 4);
    if (esn)
        set_u64(aad + 4, seq);
    else
        memcpy(aad + 4, header + 4, 4);
    return span_of(aad, esn ? 12 : 8);
}

/* A MAC covers everything up to the ICV, then the high half of an extended number. */
static size_t mac_parts(span parts[2], uint8_t high[4], span covered, uint64_t seq, bool esn)
{
    parts[0] = covered;
    set_u32(high, (uint32_t)(seq >> 32));
    parts[1] = span_of(high, 4);
    return esn ? 2 : 1;
}

static size_t put_trailer(const esp_crypt *x, uint8_t next, uint8_t *p, size_t n)
{
    size_t pad = (x->block - (n + 2) % x->block) % x->block;

    for (size_t i = 0; i < pad; i++)
        p[n + i] = (uint8_t)(i + 1);
    p[n + pad] = (uint8_t)pad;
    p[n + pad + 1] = next;
    return n + pad + 2;
}

status esp_seal(esp_crypt *x, uint32_t spi, uint64_t seq, bool esn, uint8_t next, uint8_t *p, size_t n,
                span *sealed)
{
    uint8_t *header = p - x->iv_n - ESP_HEADER, *iv = p - x->iv_n, aad[12], high[4];
    size_t text = put_trailer(x, next, p, n), total = ESP_HEADER + x->iv_n + text;
    span parts[2];
    status st = make_iv(x, seq, iv);

    set_u32(header, spi);
    set_u32(header + 4, (uint32_t)seq);
    *sealed = span_of(header, total + x->icv_n);
    if (st != ST_OK)
        return st;
    if (x->aead)
        return aead_seal(x->aead, span_of(iv, x->iv_n), make_aad(aad, header, seq, esn), span_of(p, text), p);
    if (x->crypter)
        st = crypter_encrypt(x->crypter, span_of(iv, x->iv_n), span_of(p, text), p);
    if (st == ST_OK)
        st = signer_sign(x->signer, parts, mac_parts(parts, high, span_of(header, total), seq, esn),
                         p + text);
    return st;
}

static status check_trailer(const uint8_t *p, size_t n, uint8_t *next, span *inner)
{
    if (n < 2)
        return ST_INVALID;
    size_t pad = p[n - 2];
    if (pad + 2 > n)
        return ST_INVALID;
    for (size_t i = 0; i < pad; i++) {
        if (p[n - 2 - pad + i] != (uint8_t)(i + 1))
            return ST_INVALID;
    }
    *next = p[n - 1];
    *inner = span_of(p, n - 2 - pad);
    return ST_OK;
}

status esp_open(esp_crypt *x, uint64_t seq, bool esn, uint8_t *p, size_t n, uint8_t *next, span *inner)
{
    size_t head = (size_t)ESP_HEADER + x->iv_n;
    uint8_t aad[12], high[4];
    span parts[2];
    status st = ST_OK;

    if (n < head + x->icv_n + 2 || (!x->aead && (n - head - x->icv_n) % x->block))
        return ST_INVALID;
    uint8_t *text = p + head;
    size_t text_n = n - head - x->icv_n;
    span iv = span_of(p + ESP_HEADER, x->iv_n);
    if (x->aead) {
        st = aead_open(x->aead, iv, make_aad(aad, p, seq, esn), span_of(text, text_n + x->icv_n), text);
    } else {
        st = signer_verify(x->signer, parts, mac_parts(parts, high, span_of(p, n - x->icv_n), seq, esn),
                           span_of(text + text_n, x->icv_n));
        if (st == ST_OK && x->crypter)
            st = crypter_decrypt(x->crypter, iv, span_of(text, text_n), text);
    }
    return st == ST_OK ? check_trailer(text, text_n, next, inner) : st;
}
