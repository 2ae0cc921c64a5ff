/* The encrypted payload (RFC 7296 3.14, RFC 5282) and fragments of it (RFC 7383).
 *
 *   header | clear payloads | generic header (SK) [number, total (SKF)] | IV | cipher text and padding | ICV
 *
 * The ICV covers all before it; with an AEAD everything before the IV is associated data. Plain text is
 * padding-free for AEAD and stream modes but always ends with its pad length octet. Opening never tells a
 * wrong ICV from wrong padding: the ICV is checked first, padding only of authentic text.
 */
#include "libfreeswan/wire/ikev2_internal.h"
#include <stdlib.h>

enum { SKF_FIELDS = 4 };

static size_t iv_octets(const ikev2_cipher *c)
{
    return encr_iv_bytes(c->encr);
}

static size_t icv_octets(const ikev2_cipher *c)
{
    return c->aead ? encr_icv_bytes(c->encr) : integ_icv_bytes(c->integ);
}

/* Octets of padding and pad length octet that make n fit. */
static size_t pad_octets(const ikev2_cipher *c, size_t n)
{
    size_t block = encr_block_bytes(c->encr);
    size_t over = (n + 1) % (block ? block : 1);
    return 1 + (over ? block - over : 0);
}

static status make_iv(ikev2_cipher *c, uint8_t *iv)
{
    size_t n = iv_octets(c);
    bool counter = c->aead || encr_block_bytes(c->encr) == 1;
    if (n == 0)
        return ST_OK;
    if (!counter)
        return rng_bytes(c->crypto, RNG_WEAK, iv, n);
    if (n < 8 || c->iv_next == UINT64_MAX)
        return ST_LIMIT;
    memset(iv, 0, n);
    set_u64(iv + n - 8, c->iv_next++);
    return ST_OK;
}

/* ---- sealing ---- */

/* What precedes the IV of one datagram. */
typedef struct sk_frame {
    const ikev2_header *h;
    span clear;
    uint8_t first_clear;    /* type of the first clear payload, NONE without */
    size_t last_clear;      /* where the last one starts in `clear` */
    uint8_t inner;          /* first inner payload */
    uint16_t number, total; /* SKF; total 0: SK */
} sk_frame;

static status encrypt(ikev2_cipher *c, buf *out, size_t start, size_t iv_at, size_t text_at)
{
    size_t text_n = out->n - text_at, icv_n = icv_octets(c);
    status st;
    if (!buf_reserve(out, icv_n))
        return ST_NO_MEMORY;
    uint8_t *p = out->p;
    span iv = span_of(p + iv_at, text_at - iv_at), text = span_of(p + text_at, text_n);
    if (c->aead) {
        uint8_t *sealed = malloc(text_n + icv_n);
        if (!sealed)
            return ST_NO_MEMORY;
        st = aead_seal(c->aead, iv, span_of(p + start, iv_at - start), text, sealed);
        if (st == ST_OK)
            memcpy(p + text_at, sealed, text_n + icv_n);
        free(sealed);
    } else {
        st = c->crypter ? crypter_encrypt(c->crypter, iv, text, p + text_at) : ST_OK;
        span all = span_of(p + start, text_at + text_n - start);
        if (st == ST_OK)
            st = signer_sign(c->signer, &all, 1, p + text_at + text_n);
    }
    out->n += icv_n;
    return st;
}

static status seal_one(const sk_frame *f, ikev2_cipher *c, span text, buf *out)
{
    size_t pad = pad_octets(c, text.n), extra = f->total ? SKF_FIELDS : 0, start = out->n;
    size_t sk_n = IKEV2_GENERIC + extra + iv_octets(c) + text.n + pad + icv_octets(c);
    size_t whole = IKEV2_HEADER + f->clear.n + sk_n;
    uint8_t type = f->total ? PLV2_SKF : PLV2_SK;
    uint8_t iv[MAX_IV_BYTES] = {0};
    if (whole > IKEV2_MAX_MESSAGE)
        return ST_LIMIT;
    status st = make_iv(c, iv);
    if (st != ST_OK)
        return st;
    ikev2_put_header(out, f->h, f->clear.n ? f->first_clear : type, (uint32_t)whole);
    size_t clear_at = out->n;
    buf_put(out, f->clear);
    if (f->clear.n)
        buf_patch_u8(out, clear_at + f->last_clear, type);
    buf_put_u8(out, f->number > 1 ? PLV2_NONE : f->inner);
    buf_put_u8(out, 0);
    buf_put_u16(out, (uint16_t)sk_n);
    if (f->total) {
        buf_put_u16(out, f->number);
        buf_put_u16(out, f->total);
    }
    size_t iv_at = out->n;
    buf_put(out, span_of(iv, iv_octets(c)));
    size_t text_at = out->n;
    buf_put(out, text);
    buf_put_zero(out, pad - 1);
    buf_put_u8(out, (uint8_t)(pad - 1));
    if (!buf_ok(out))
        return ST_NO_MEMORY;
    return encrypt(c, out, start, iv_at, text_at);
}

static void end_packet(ikev2_packets *out)
{
    out->end[out->n++] = (uint32_t)out->bytes.n;
}

static status seal_fragments(sk_frame *f, ikev2_cipher *c, span text, size_t max, ikev2_packets *out)
{
    size_t block = encr_block_bytes(c->encr);
    size_t fixed = IKEV2_HEADER + IKEV2_GENERIC + SKF_FIELDS + iv_octets(c) + icv_octets(c);
    if (max < IKEV2_MIN_FRAGMENT)
        max = IKEV2_MIN_FRAGMENT;
    size_t room = max - fixed;
    if (block > 1)
        room -= room % block;
    room -= 1; /* the pad length octet */
    size_t total = (text.n + room - 1) / room;
    if (total > IKEV2_MAX_FRAGMENTS)
        return ST_LIMIT;
    f->total = (uint16_t)total;
    for (size_t i = 0; i < total; i++) {
        f->number = (uint16_t)(i + 1);
        status st = seal_one(f, c, span_take(span_skip(text, i * room), room), &out->bytes);
        if (st != ST_OK)
            return st;
        end_packet(out);
    }
    return ST_OK;
}

status ikev2_seal(const ikev2_header *h, const ikev2_builder *clear, const ikev2_builder *enc,
                  ikev2_cipher *c, size_t max_datagram, ikev2_packets *out)
{
    static const ikev2_builder nothing;
    if (!enc)
        enc = &nothing;
    if (!ikev2_builder_ok(enc) || (clear && !ikev2_builder_ok(clear)) || (!c->aead && !c->signer))
        return ST_INVALID;
    buf_reset(&out->bytes);
    out->n = 0;
    sk_frame f = {.h = h, .inner = enc->first};
    if (clear && clear->out.n) {
        f.clear = buf_span(&clear->out);
        f.first_clear = clear->first;
        f.last_clear = clear->last;
    }
    span text = buf_span(&enc->out);
    size_t whole = IKEV2_HEADER + f.clear.n + IKEV2_GENERIC + iv_octets(c) + text.n + pad_octets(c, text.n) +
                   icv_octets(c);
    if (max_datagram && whole > max_datagram && !f.clear.n)
        return seal_fragments(&f, c, text, max_datagram, out);
    status st = seal_one(&f, c, text, &out->bytes);
    if (st == ST_OK)
        end_packet(out);
    return st;
}

span ikev2_packet_at(const ikev2_packets *p, size_t i)
{
    if (i >= p->n)
        return SPAN_NULL;
    size_t start = i ? p->end[i - 1] : 0;
    return span_of(p->bytes.p + start, p->end[i] - start);
}

void ikev2_packets_free(ikev2_packets *p)
{
    buf_free(&p->bytes);
    p->n = 0;
}

/* ---- opening ---- */

/* Authenticates and decrypts what is behind `skip` octets of the SK payload's body. *text: without padding,
 * in m's arena. */
static status decrypt(const ikev2_msg *m, ikev2_cipher *c, size_t skip, span *text, msgbuf *msg)
{
    size_t iv_n = iv_octets(c), icv_n = icv_octets(c), block = encr_block_bytes(c->encr);
    span in = span_skip(m->sk->body, skip);
    if (m->sk->body.n < skip || in.n < iv_n + icv_n + 1)
        return msg_fail(msg, ST_CRYPTO, "encrypted payload of %zu octets is too short", m->sk->body.n);
    span iv = span_take(in, iv_n);
    span sealed = span_skip(in, iv_n);
    size_t n = sealed.n - icv_n;
    if (block > 1 && n % block)
        return msg_fail(msg, ST_CRYPTO, "%zu octets of cipher text are no multiple of %zu", n, block);
    uint8_t *plain = arena_alloc(m->mem, n);
    if (!plain)
        return ST_NO_MEMORY;
    status st;
    if (c->aead) {
        st = aead_open(c->aead, iv, span_of(m->packet.p, (size_t)(in.p - m->packet.p)), sealed, plain);
    } else {
        span all = span_of(m->packet.p, (size_t)(sealed.p + n - m->packet.p));
        st = signer_verify(c->signer, &all, 1, span_skip(sealed, n));
        if (st == ST_OK && c->crypter)
            st = crypter_decrypt(c->crypter, iv, span_take(sealed, n), plain);
        else if (st == ST_OK)
            memcpy(plain, sealed.p, n);
    }
    if (st != ST_OK)
        return msg_fail(msg, ST_CRYPTO, "integrity check failed");
    size_t pad = plain[n - 1];
    if (pad + 1 > n)
        return msg_fail(msg, ST_INVALID, "padding of %zu octets in %zu", pad, n);
    *text = span_of(plain, n - pad - 1);
    return ST_OK;
}

static bool sk_usable(const ikev2_msg *m, uint8_t type, const ikev2_cipher *c)
{
    return m->sk && m->sk->type == type && m->enc == 0 && (c->aead || c->signer) &&
           m->sk->raw.p + m->sk->raw.n == m->packet.p + m->packet.n;
}

status ikev2_open(ikev2_msg *m, ikev2_cipher *c, msgbuf *msg)
{
    span text;
    if (!sk_usable(m, PLV2_SK, c))
        return msg_fail(msg, ST_CRYPTO, "no encrypted payload");
    status st = decrypt(m, c, 0, &text, msg);
    return st == ST_OK ? ikev2_parse_chain(m, m->sk_first, text, true, msg) : st;
}

/* ---- reassembly ---- */

struct ikev2_fragments {
    uint32_t mid;
    uint16_t total, have;
    uint8_t first; /* inner payload type, from fragment 1 */
    size_t octets;
    buf piece[IKEV2_MAX_FRAGMENTS];
    bool there[IKEV2_MAX_FRAGMENTS];
};

void ikev2_defrag_reset(ikev2_defrag *d)
{
    if (!d->f)
        return;
    for (size_t i = 0; i < IKEV2_MAX_FRAGMENTS; i++)
        buf_free(&d->f->piece[i]);
    free(d->f);
    d->f = NULL;
}

static status start_fragments(ikev2_defrag *d, uint32_t mid, uint16_t total)
{
    ikev2_defrag_reset(d);
    d->f = calloc(1, sizeof(*d->f));
    if (!d->f)
        return ST_NO_MEMORY;
    d->f->mid = mid;
    d->f->total = total;
    return ST_OK;
}

static status fragment_limits(const ikev2_defrag *d, const ikev2_msg *m, msgbuf *msg)
{
    const ikev2_skf *s = &m->sk->skf;
    if (s->total == 0 || s->number == 0 || s->number > s->total)
        return msg_fail(msg, ST_INVALID, "fragment %u of %u", s->number, s->total);
    if (s->total > IKEV2_MAX_FRAGMENTS)
        return msg_fail(msg, ST_LIMIT, "fragment %u of %u, at most %u are taken", s->number, s->total,
                        (unsigned)IKEV2_MAX_FRAGMENTS);
    if (d->f && d->f->mid == m->h.mid && s->total < d->f->total)
        return msg_fail(msg, ST_INVALID, "fragment %u of %u, earlier ones said %u", s->number, s->total,
                        d->f->total);
    return ST_OK;
}

static status join_fragments(ikev2_defrag *d, ikev2_msg *m, msgbuf *msg)
{
    struct ikev2_fragments *f = d->f;
    size_t at = 0;
    uint8_t *whole = arena_alloc(m->mem, f->octets ? f->octets : 1);
    if (!whole)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < f->total; i++) {
        if (f->piece[i].n)
            memcpy(whole + at, f->piece[i].p, f->piece[i].n);
        at += f->piece[i].n;
    }
    m->sk_first = f->first;
    ikev2_defrag_reset(d);
    return ikev2_parse_chain(m, m->sk_first, span_of(whole, at), true, msg);
}

status ikev2_open_fragment(ikev2_defrag *d, ikev2_msg *m, ikev2_cipher *c, msgbuf *msg)
{
    span text;
    if (!sk_usable(m, PLV2_SKF, c))
        return msg_fail(msg, ST_CRYPTO, "no encrypted fragment");
    status st = fragment_limits(d, m, msg);
    if (st != ST_OK)
        return st;
    const ikev2_skf *s = &m->sk->skf;
    bool same = d->f && d->f->mid == m->h.mid && d->f->total == s->total;
    if (same && d->f->there[s->number - 1])
        return ST_NEED_MORE; /* a duplicate costs no decryption */
    if ((st = decrypt(m, c, SKF_FIELDS, &text, msg)) != ST_OK)
        return st;
    if (!same && (st = start_fragments(d, m->h.mid, s->total)) != ST_OK)
        return st;
    if (d->f->octets + text.n > IKEV2_MAX_MESSAGE) {
        ikev2_defrag_reset(d);
        return msg_fail(msg, ST_LIMIT, "message in fragments exceeds %u octets", (unsigned)IKEV2_MAX_MESSAGE);
    }
    buf *piece = &d->f->piece[s->number - 1];
    if ((st = buf_copy_of(piece, text)) != ST_OK)
        return st;
    d->f->there[s->number - 1] = true;
    d->f->octets += text.n;
    if (s->number == 1)
        d->f->first = m->sk_first;
    return ++d->f->have < d->f->total ? ST_NEED_MORE : join_fragments(d, m, msg);
}
