/* CBC-MAC over a loaded AES-CBC crypter, see cbcmac.h. */
#include "libstrongswan/crypto/cbcmac.h"

static const uint8_t zero_iv[CBCMAC_BLOCK];

status cbcmac_key(cbcmac *m, const crypto *c, span key16)
{
    cbcmac_fini(m);
    return crypter_new(c, &m->aes, ENCR_AES_CBC, key16);
}

void cbcmac_fini(void *self)
{
    cbcmac *m = self;
    crypter_free(m->aes);
    m->aes = NULL;
}

status cbcmac_block(cbcmac *m, const uint8_t in[CBCMAC_BLOCK], uint8_t out[CBCMAC_BLOCK])
{
    return crypter_encrypt(m->aes, SPAN_ARRAY(zero_iv), span_of(in, CBCMAC_BLOCK), out);
}

/* The chain so far in `mac`, and the octets that wait for more: the last block is special and known only at
 * the end. */
typedef struct chain {
    uint8_t mac[CBCMAC_BLOCK], wait[CBCMAC_BLOCK];
    size_t n;
} chain;

/* Whole blocks straight from the input, several at a time: the last cipher block is the chain. */
static status absorb_blocks(cbcmac *m, chain *s, span in)
{
    uint8_t cipher[16 * CBCMAC_BLOCK];
    status st = ST_OK;
    while (st == ST_OK && in.n) {
        span piece = span_take(in, sizeof cipher);
        st = crypter_encrypt(m->aes, SPAN_ARRAY(s->mac), piece, cipher);
        memcpy(s->mac, cipher + piece.n - CBCMAC_BLOCK, CBCMAC_BLOCK);
        in = span_skip(in, piece.n);
    }
    wipe(cipher, sizeof cipher);
    return st;
}

static status absorb(cbcmac *m, chain *s, span in)
{
    status st = ST_OK;
    if (s->n && in.n) { /* fill up what waits; if there is more it was not the last */
        span head = span_take(in, CBCMAC_BLOCK - s->n);
        memcpy(s->wait + s->n, head.p, head.n);
        s->n += head.n;
        in = span_skip(in, head.n);
        if (in.n == 0)
            return ST_OK;
        st = absorb_blocks(m, s, SPAN_ARRAY(s->wait));
        s->n = 0;
    }
    if (in.n == 0)
        return st;
    span blocks = span_take(in, (in.n - 1) / CBCMAC_BLOCK * CBCMAC_BLOCK);
    if (st == ST_OK)
        st = absorb_blocks(m, s, blocks);
    in = span_skip(in, blocks.n);
    memcpy(s->wait, in.p, in.n); /* 1 to 16 octets */
    s->n = in.n;
    return st;
}

status cbcmac_compute(void *self, const span *parts, size_t n, uint8_t *mac)
{
    cbcmac *m = self;
    chain s = {0};
    status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < n; i++)
        st = absorb(m, &s, parts[i]);
    const uint8_t *last = m->whole;
    if (s.n < CBCMAC_BLOCK) {
        memset(s.wait + s.n, 0, CBCMAC_BLOCK - s.n);
        s.wait[s.n] = 0x80;
        last = m->padded;
    }
    for (size_t i = 0; i < CBCMAC_BLOCK; i++)
        s.wait[i] ^= last[i];
    if (st == ST_OK)
        st = crypter_encrypt(m->aes, SPAN_ARRAY(s.mac), SPAN_ARRAY(s.wait), mac);
    wipe(&s, sizeof s);
    return st;
}
