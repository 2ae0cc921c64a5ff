/* OpenPGP secret keys. Only the primary key is read: armor, packet header, key material; the rest of the ring
 * is not looked at. What comes out is an RSA key like any other, checked the same way.
 */
#include "libstrongswan/cred/pgp.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/base/text.h"
#include <openssl/bn.h>
#include <openssl/err.h>

enum { TAG_SECRET_KEY = 5, MAX_PGP = 65536, MAX_MPI = 2100 };

static const char armor[] = "-----BEGIN PGP PRIVATE KEY BLOCK-----";

bool pgp_is_key(span data)
{
    return data.n > sizeof(armor) &&
           memmem(data.p, data.n < 4096 ? data.n : 4096, armor, sizeof(armor) - 1) != NULL;
}

/* The base64 between the headers, which an empty line ends, and the check sum or the last line. */
static status dearmor(buf *out, span data, msgbuf *msg)
{
    const uint8_t *begin = memmem(data.p, data.n, armor, sizeof(armor) - 1);
    span rest = span_skip(data, (size_t)(begin - data.p)), line;
    buf base64 = {0};
    bool body = false;
    (void)buf_reserve(&base64, data.n); /* no copies of a secret are left behind by growing */
    (void)span_cut(&rest, '\n', &line);
    while (span_cut(&rest, '\n', &line)) {
        line = span_trim(line);
        if (body && (line.n == 0 || line.p[0] == '=' || line.p[0] == '-'))
            break;
        if (body)
            buf_put(&base64, line);
        body |= line.n == 0;
    }
    (void)buf_reserve(out, base64.n + 1);
    status st = buf_ok(&base64) && buf_ok(out) ? text_parse_base64(out, buf_span(&base64)) : ST_NO_MEMORY;
    if (base64.p)
        wipe(base64.p, base64.cap);
    buf_free(&base64);
    if (st == ST_INVALID || (st == ST_OK && out->n == 0))
        return msg_fail(msg, ST_INVALID, "the armor of the OpenPGP key is damaged");
    return st;
}

/* The body of the first packet, old or new header (RFC 4880 4.2). */
static bool first_packet(span data, uint8_t *tag, span *body)
{
    cursor c = cursor_of(data);
    uint8_t head = cursor_u8(&c);
    size_t n;
    if (!(head & 0x80))
        return false;
    if (head & 0x40) {
        *tag = head & 0x3f;
        n = cursor_u8(&c);
        if (n >= 224 && n < 255)
            return false; /* partial lengths are for data, not for keys */
        if (n == 255)
            n = cursor_u32(&c);
        else if (n >= 192)
            n = (n - 192) * 256 + cursor_u8(&c) + 192;
    } else {
        *tag = head >> 2 & 0x0f;
        n = (head & 3) == 0 ? cursor_u8(&c) : ((head & 3) == 1 ? cursor_u16(&c) : cursor_u32(&c));
        if ((head & 3) == 3)
            return false;
    }
    *body = cursor_bytes(&c, n);
    return !c.failed;
}

static span read_mpi(cursor *c)
{
    size_t bits = cursor_u16(c);
    span s = cursor_bytes(c, (bits + 7) / 8);
    if (s.n > MAX_MPI)
        c->failed = true;
    return s;
}

/* d mod (prime - 1) */
static bool reduce(span d, span prime, uint8_t *out, span *result)
{
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *a = BN_secure_new(), *b = BN_secure_new();
    bool ok = ctx && a && b && BN_bin2bn(d.p, (int)d.n, a) && BN_bin2bn(prime.p, (int)prime.n, b) &&
              !BN_is_zero(b) && BN_sub_word(b, 1) && !BN_is_zero(b) && BN_mod(a, a, b, ctx);
    if (ok)
        *result = span_of(out, (size_t)BN_bn2bin(a, out));
    BN_clear_free(a);
    BN_clear_free(b);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

/* n e | 0 d p q u checksum. u is the inverse of p, so that their p is our second prime. */
static status read_key(privkey **out, span body, msgbuf *msg)
{
    uint8_t reduced[2][MAX_MPI];
    span n[RSA_NUMBERS];
    cursor c = cursor_of(body);
    uint8_t version = cursor_u8(&c);
    (void)cursor_u32(&c); /* when it was made */
    if (version == 2 || version == 3)
        (void)cursor_u16(&c); /* days it is valid */
    uint8_t algorithm = cursor_u8(&c);
    if (c.failed || version < 2 || version > 4)
        return msg_fail(msg, ST_UNSUPPORTED, "OpenPGP keys of version %u are not supported", version);
    if (algorithm < 1 || algorithm > 3)
        return msg_fail(msg, ST_UNSUPPORTED, "the OpenPGP key is not an RSA key (algorithm %u)", algorithm);
    n[RSA_N] = read_mpi(&c);
    n[RSA_E] = read_mpi(&c);
    uint8_t protection = cursor_u8(&c);
    if (!c.failed && protection)
        return msg_fail(msg, ST_DENIED, "the OpenPGP key is encrypted; export it without a passphrase");
    n[RSA_D] = read_mpi(&c);
    n[RSA_Q] = read_mpi(&c);
    n[RSA_P] = read_mpi(&c);
    n[RSA_QINV] = read_mpi(&c);
    (void)cursor_u16(&c); /* the numbers are checked against each other instead */
    if (c.failed || !reduce(n[RSA_D], n[RSA_P], reduced[0], &n[RSA_DP]) ||
        !reduce(n[RSA_D], n[RSA_Q], reduced[1], &n[RSA_DQ]))
        return msg_fail(msg, ST_INVALID, "the OpenPGP key is cut short or malformed");
    status st = privkey_from_rsa_numbers(out, n, msg);
    wipe(reduced, sizeof(reduced));
    return st;
}

status pgp_secret_key(privkey **out, span data, msgbuf *msg)
{
    buf raw = {0};
    span body;
    uint8_t tag;
    *out = NULL;
    if (data.n > MAX_PGP)
        return msg_fail(msg, ST_LIMIT, "an OpenPGP key of %zu octets is too long", data.n);
    status st = dearmor(&raw, data, msg);
    if (st == ST_OK && (!first_packet(buf_span(&raw), &tag, &body) || tag != TAG_SECRET_KEY))
        st = msg_fail(msg, ST_INVALID, "the OpenPGP block does not begin with a secret key");
    if (st == ST_OK)
        st = read_key(out, body, msg);
    if (raw.p)
        wipe(raw.p, raw.cap);
    buf_free(&raw);
    return st;
}
