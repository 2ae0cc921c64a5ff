/* Runs the test vectors of one implementation. The tables are in vectors_*.c; here is only what "passes"
 * means for each class. Objects are made from the implementation itself, never looked up, so that what is
 * tested is what was loaded.
 */
#include "libstrongswan/crypto/vectors.h"
#include "libstrongswan/base/text.h"

/* ---- hexadecimal scratch
 * ---------------------------------------------------------------------------------------------- */

typedef struct scratch {
    buf key, iv, aad, in, want, got;
} scratch;

static void scratch_free(scratch *s)
{
    buf_free(&s->key);
    buf_free(&s->iv);
    buf_free(&s->aad);
    buf_free(&s->in);
    buf_free(&s->want);
    buf_free(&s->got);
}

static bool hex(buf *out, const char *text)
{
    buf_reset(out);
    return !text || !*text || text_parse_hex(out, span_str(text)) == ST_OK;
}

/* Room for n octets of result, filled with what is not the answer. */
static uint8_t *room(buf *b, size_t n)
{
    buf_reset(b);
    uint8_t *p = buf_reserve(b, n + 1);
    if (p) {
        memset(p, 0xa5, n + 1);
        b->n = n;
    }
    return p;
}

static status compare(const buf *got, span want, const char *what, msgbuf *why)
{
    if (span_equal(buf_span(got), want))
        return ST_OK;
    return msg_fail(why, ST_CRYPTO, "%s differs", what);
}

/* ---- hashes, MACs
 * -------------------------------------------------------------------------------------------------------- */

/* In one piece, and again in pieces of odd sizes: buffering is where hashes go wrong. */
static status hash_in_pieces(hasher *h, span in, size_t piece, uint8_t *out)
{
    status st = ST_OK;
    for (span rest = in; st == ST_OK && rest.n; rest = span_skip(rest, piece))
        st = hasher_update(h, span_take(rest, piece));
    return st == ST_OK ? hasher_final(h, out) : st;
}

static status check_hash(const hasher_ops *ops, const hash_vector *v, scratch *s, msgbuf *why)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 7, 64, 127};
    hasher *h = NULL;
    size_t n = hash_bytes_of((hash_alg)ops->alg);
    if (!hex(&s->in, v->in) || !hex(&s->want, v->out) || s->want.n != n || !room(&s->got, n))
        return msg_fail(why, ST_CRYPTO, "broken vector");
    status st = hasher_make(&h, ops);
    for (size_t i = 0; st == ST_OK && i < sizeof pieces / sizeof pieces[0]; i++) {
        st = hash_in_pieces(h, buf_span(&s->in), pieces[i], s->got.p);
        if (st == ST_OK)
            st = compare(&s->got, buf_span(&s->want), "digest", why);
    }
    hasher_free(h);
    return st;
}

static status check_prf(const crypto *c, const prf_ops *ops, const mac_vector *v, scratch *s, msgbuf *why)
{
    prf *p = NULL;
    size_t n = prf_out_bytes((prf_alg)ops->alg);
    if (!hex(&s->key, v->key) || !hex(&s->in, v->in) || !hex(&s->want, v->out) || s->want.n != n ||
        !room(&s->got, n))
        return msg_fail(why, ST_CRYPTO, "broken vector");
    static const uint8_t other_key[20] = {1};
    status st = prf_make(c, &p, ops, SPAN_ARRAY(other_key));
    for (size_t cut = 0; st == ST_OK && cut < 3; cut++) {
        span in = buf_span(&s->in);
        span parts[3] = {span_take(in, cut), span_take(span_skip(in, cut), 5), span_skip(in, cut + 5)};
        st = prf_rekey(p, buf_span(&s->key)); /* each time: the FIPS generator moves on */
        if (st == ST_OK)
            st = prf_compute(p, parts, 3, s->got.p);
        if (st == ST_OK)
            st = compare(&s->got, buf_span(&s->want), "output", why);
    }
    prf_free(p);
    return st;
}

static status check_signer(const crypto *c, const signer_ops *ops, const mac_vector *v, scratch *s,
                           msgbuf *why)
{
    signer *x = NULL;
    size_t n = integ_icv_bytes((integ_alg)ops->alg);
    if (!hex(&s->key, v->key) || !hex(&s->in, v->in) || !hex(&s->want, v->out) || s->want.n < n ||
        !room(&s->got, n))
        return msg_fail(why, ST_CRYPTO, "broken vector");
    span in = buf_span(&s->in), want = span_take(buf_span(&s->want), n);
    status st = signer_make(c, &x, ops, buf_span(&s->key));
    if (st == ST_OK)
        st = signer_sign(x, &in, 1, s->got.p);
    if (st == ST_OK)
        st = compare(&s->got, want, "MAC", why);
    if (st == ST_OK)
        st = signer_verify(x, &in, 1, want);
    if (st == ST_OK) {
        s->got.p[n - 1] ^= 1;
        if (signer_verify(x, &in, 1, buf_span(&s->got)) != ST_CRYPTO)
            st = msg_fail(why, ST_CRYPTO, "a wrong MAC is accepted");
    }
    signer_free(x);
    return st;
}

/* ---- ciphers
 * ---------------------------------------------------------------------------------------------------------------
 */

static bool encr_hex(scratch *s, const encr_vector *v)
{
    return hex(&s->key, v->key) && hex(&s->iv, v->iv) && hex(&s->aad, v->aad) && hex(&s->in, v->plain) &&
           hex(&s->want, v->cipher);
}

static status check_crypter(const crypto *c, const crypter_ops *ops, const encr_vector *v, scratch *s,
                            msgbuf *why)
{
    crypter *x = NULL;
    if (!encr_hex(s, v) || s->in.n != s->want.n || !room(&s->got, s->in.n))
        return msg_fail(why, ST_CRYPTO, "broken vector");
    span iv = buf_span(&s->iv);
    status st = crypter_make(c, &x, ops, buf_span(&s->key));
    if (st == ST_OK)
        st = crypter_encrypt(x, iv, buf_span(&s->in), s->got.p);
    if (st == ST_OK)
        st = compare(&s->got, buf_span(&s->want), "cipher text", why);
    if (st == ST_OK) /* in place */
        st = crypter_decrypt(x, iv, buf_span(&s->got), s->got.p);
    if (st == ST_OK)
        st = compare(&s->got, buf_span(&s->in), "plain text", why);
    if (st == ST_OK) /* the other direction used first, and in place */
        st = crypter_encrypt(x, iv, buf_span(&s->got), s->got.p);
    if (st == ST_OK)
        st = compare(&s->got, buf_span(&s->want), "cipher text made in place", why);
    crypter_free(x);
    return st;
}

static status check_aead(const crypto *c, const aead_ops *ops, const encr_vector *v, scratch *s, msgbuf *why)
{
    aead *x = NULL;
    size_t icv = encr_icv_bytes((encr_alg)ops->alg);
    if (!encr_hex(s, v) || s->want.n != s->in.n + icv || !room(&s->got, s->want.n))
        return msg_fail(why, ST_CRYPTO, "broken vector");
    span iv = buf_span(&s->iv), aad = buf_span(&s->aad);
    status st = aead_make(c, &x, ops, buf_span(&s->key));
    if (st == ST_OK)
        st = aead_seal(x, iv, aad, buf_span(&s->in), s->got.p);
    if (st == ST_OK)
        st = compare(&s->got, buf_span(&s->want), "cipher text", why);
    if (st == ST_OK)
        st = aead_open(x, iv, aad, buf_span(&s->got), s->got.p);
    s->got.n = s->in.n;
    if (st == ST_OK)
        st = compare(&s->got, buf_span(&s->in), "plain text", why);
    for (size_t bit = 0; st == ST_OK && bit<s->want.n; bit += s->want.n> 40 ? 13 : 1) {
        s->want.p[bit] ^= 0x10;
        if (aead_open(x, iv, aad, buf_span(&s->want), s->got.p) != ST_CRYPTO)
            st = msg_fail(why, ST_CRYPTO, "a forged text is accepted");
        s->want.p[bit] ^= 0x10;
    }
    aead_free(x);
    return st;
}

/* ---- Diffie-Hellman, random
 * -------------------------------------------------------------------------------------------------- */

static status check_dh_side(const crypto *c, const dh_ops *ops, const char *priv, const char *pub,
                            const char *peer, const dh_vector *v, scratch *s, msgbuf *why)
{
    dh *d = NULL;
    secret shared = {0};
    if (!hex(&s->key, priv) || !hex(&s->in, pub) || !hex(&s->aad, peer) || !hex(&s->want, v->shared))
        return msg_fail(why, ST_CRYPTO, "broken vector");
    status st = dh_make(c, &d, ops, buf_span(&s->key));
    if (st == ST_OK && !span_equal(dh_public(d), buf_span(&s->in)))
        st = msg_fail(why, ST_CRYPTO, "public value differs");
    if (st == ST_OK)
        st = dh_compute(d, buf_span(&s->aad), &shared);
    if (st == ST_OK && !span_equal(secret_view(&shared), buf_span(&s->want)))
        st = msg_fail(why, ST_CRYPTO, "shared secret differs");
    secret_free(&shared);
    dh_free(d);
    return st;
}

static status check_dh(const crypto *c, const dh_ops *ops, const dh_vector *v, scratch *s, msgbuf *why)
{
    status st = check_dh_side(c, ops, v->priv_a, v->pub_a, v->pub_b, v, s, why);
    if (st == ST_OK && v->priv_b)
        st = check_dh_side(c, ops, v->priv_b, v->pub_b, v->pub_a, v, s, why);
    return st;
}

/* No vectors for true randomness; but a generator that repeats itself or leaves the buffer alone is caught.
 */
static status check_rng(const rng_ops *ops, msgbuf *why)
{
    uint8_t a[32] = {0}, b[32] = {0};
    static const uint8_t zero[32];
    for (rng_quality q = RNG_WEAK; q <= ops->best; q++) {
        status st = ops->bytes(q, a, sizeof a);
        if (st == ST_OK)
            st = ops->bytes(q, b, sizeof b);
        if (st != ST_OK)
            return st;
        if (memcmp(a, b, sizeof a) == 0 || memcmp(a, zero, sizeof a) == 0)
            return msg_fail(why, ST_CRYPTO, "its octets are not random");
    }
    return ST_OK;
}

/* ---- all of them
 * ---------------------------------------------------------------------------------------------------------------
 */

#define EACH_VECTOR(table, member, call)                                                                     \
    for (size_t i = 0; st == ST_OK && i < table##_n; i++)                                                    \
        if (table[i].member == e->alg) {                                                                     \
            seen++;                                                                                          \
            st = (call);                                                                                     \
        }                                                                                                    \
    break

status vectors_check(const crypto *c, const entry *e, msgbuf *why)
{
    scratch s = {0};
    size_t seen = 0;
    status st = ST_OK;
    msg_clear(why);
    switch (e->cls) {
    case CLASS_RNG:
        seen++;
        st = check_rng(e->ops, why);
        break;
    case CLASS_HASHER:
        EACH_VECTOR(vectors_hash, alg, check_hash(e->ops, &vectors_hash[i], &s, why));
    case CLASS_CRYPTER:
        EACH_VECTOR(vectors_crypter, alg, check_crypter(c, e->ops, &vectors_crypter[i], &s, why));
    case CLASS_AEAD:
        EACH_VECTOR(vectors_aead, alg, check_aead(c, e->ops, &vectors_aead[i], &s, why));
    case CLASS_PRF:
        EACH_VECTOR(vectors_prf, alg, check_prf(c, e->ops, &vectors_prf[i], &s, why));
    case CLASS_SIGNER:
        EACH_VECTOR(vectors_signer, alg, check_signer(c, e->ops, &vectors_signer[i], &s, why));
    case CLASS_DH:
        EACH_VECTOR(vectors_dh, group, check_dh(c, e->ops, &vectors_dh[i], &s, why));
    case CLASS_COUNT:
        break;
    }
    scratch_free(&s);
    if (st == ST_OK && seen == 0)
        return msg_fail(why, ST_NOT_FOUND, "there are no test vectors for it");
    if (st != ST_OK && why->text[0] == '\0')
        msg_set(why, "%s", status_text(st));
    return st;
}
