/* Quoting of foreign text, hexadecimal, base64. All writers append to a buf; the C-string forms work in place
 * in the caller's array.
 */
#include "libstrongswan/base/text.h"

static const char hex_digits[] = "0123456789abcdef";

/* length of the well-formed UTF-8 sequence of a printable character at s.p[at], 0 if there is none */
static size_t utf8_length(span s, size_t at)
{
    uint8_t c = s.p[at];
    size_t n = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || n > s.n - at)
        return 0;
    uint32_t v = c & (0xff >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s.p[at + i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (s.p[at + i] & 0x3f);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = v >= 0xd800 && v <= 0xdfff;
    bool control = v < 0xa0;
    /* line separators and the marks that turn the writing direction could fake a log line */
    bool direction = (v >= 0x200e && v <= 0x200f) || (v >= 0x2028 && v <= 0x202e) ||
                     (v >= 0x2066 && v <= 0x2069);
    if (v < smallest[n] || v > 0x10ffff || surrogate || control || direction)
        return 0;
    return n;
}

/* Writes the next character of s in its quoted form; *at moves behind it. Returns the octets in out. */
static size_t quote_one(span s, size_t *at, char out[5])
{
    uint8_t c = s.p[*at];
    if (c == '\\') {
        memcpy(out, "\\\\", 2);
        *at += 1;
        return 2;
    }
    if (c >= 0x20 && c < 0x7f) {
        out[0] = (char)c;
        *at += 1;
        return 1;
    }
    size_t n = c >= 0x80 ? utf8_length(s, *at) : 0;
    if (n) {
        memcpy(out, s.p + *at, n);
        *at += n;
        return n;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex_digits[c >> 4];
    out[3] = hex_digits[c & 15];
    *at += 1;
    return 4;
}

void text_put_quoted(buf *b, span s)
{
    char piece[5];
    for (size_t at = 0; at < s.n;) {
        size_t n = quote_one(s, &at, piece);
        buf_put(b, span_of(piece, n));
    }
}

char *text_quote(span s, char *dst, size_t size)
{
    static const char dots[] = "...";
    if (size == 0)
        return dst;
    size_t used = 0, keep = 0; /* keep: where "..." would go */
    char piece[5];
    for (size_t at = 0; at < s.n;) {
        size_t n = quote_one(s, &at, piece);
        if (used + n + 1 > size) {
            size_t tail = size - 1 - keep < 3 ? size - 1 - keep : 3;
            memcpy(dst + keep, dots, tail);
            used = keep + tail;
            break;
        }
        memcpy(dst + used, piece, n);
        used += n;
        if (used + 3 + 1 <= size)
            keep = used;
    }
    dst[used] = '\0';
    return dst;
}

void text_put_json(buf *b, span s)
{
    buf_put_u8(b, '"');
    for (size_t at = 0; at < s.n;) {
        uint8_t c = s.p[at];
        size_t n = c >= 0x80 ? utf8_length(s, at) : 1;
        if (c == '"' || c == '\\') {
            buf_put_u8(b, '\\');
            buf_put_u8(b, c);
        } else if (c == '\n') {
            buf_put(b, SPAN_LIT("\\n"));
        } else if (n == 0) {
            buf_put(b, SPAN_LIT("\\ufffd")); /* not UTF-8: JSON has no way to hold the byte */
            n = 1;
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(b, "\\u%04x", c);
        } else {
            buf_put(b, span_of(s.p + at, n));
        }
        at += n;
    }
    buf_put_u8(b, '"');
}

void text_put_hex(buf *b, span s, char separator)
{
    for (size_t i = 0; i < s.n; i++) {
        if (i && separator)
            buf_put_u8(b, (uint8_t)separator);
        buf_put_u8(b, (uint8_t)hex_digits[s.p[i] >> 4]);
        buf_put_u8(b, (uint8_t)hex_digits[s.p[i] & 15]);
    }
}

char *text_hex(span s, char separator, char *dst, size_t size)
{
    size_t used = 0;
    if (size == 0)
        return dst;
    for (size_t i = 0; i < s.n; i++) {
        size_t need = 2 + (i && separator ? 1 : 0);
        if (used + need + 1 > size)
            break;
        if (i && separator)
            dst[used++] = separator;
        dst[used++] = hex_digits[s.p[i] >> 4];
        dst[used++] = hex_digits[s.p[i] & 15];
    }
    dst[used] = '\0';
    return dst;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

status text_parse_hex(buf *out, span text)
{
    if (text.n >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x')
        text = span_skip(text, 2);
    bool between = false; /* a separator is allowed only between two bytes */
    for (size_t i = 0; i < text.n;) {
        if (text.p[i] == ':' || text.p[i] == '_') {
            if (!between)
                return ST_INVALID;
            between = false;
            i++;
            continue;
        }
        int high = hex_value(text.p[i]);
        int low = i + 1 < text.n ? hex_value(text.p[i + 1]) : -1;
        if (high < 0 || low < 0)
            return ST_INVALID;
        buf_put_u8(out, (uint8_t)(high << 4 | low));
        between = true;
        i += 2;
    }
    if (text.n && !between)
        return ST_INVALID;
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

status text_parse_base64(buf *out, span text)
{
    text = span_trim(text);
    if (text.n >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 's')
        text = span_skip(text, 2);
    uint32_t bits = 0;
    unsigned have = 0, pad = 0, quantum = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == ' ' || (c >= '\t' && c <= '\r'))
            continue;
        quantum++;
        if (c == '=') {
            pad++;
            continue;
        }
        int v = base64_value(c);
        if (v < 0 || pad)
            return ST_INVALID;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_put_u8(out, (uint8_t)(bits >> have));
        }
    }
    /* padding may be left out, but what is there must fit, and left-over bits must be zero */
    if (have == 6 || (pad && (quantum % 4 || pad > 2)) || (bits & ((1u << have) - 1)))
        return ST_INVALID;
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}

void text_put_base64(buf *b, span s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        size_t n = s.n - i < 3 ? s.n - i : 3;
        uint32_t v = (uint32_t)s.p[i] << 16 | (n > 1 ? (uint32_t)s.p[i + 1] << 8 : 0) |
                     (n > 2 ? s.p[i + 2] : 0);
        buf_put_u8(b, (uint8_t)digits[v >> 18]);
        buf_put_u8(b, (uint8_t)digits[v >> 12 & 63]);
        buf_put_u8(b, n > 1 ? (uint8_t)digits[v >> 6 & 63] : '=');
        buf_put_u8(b, n > 2 ? (uint8_t)digits[v & 63] : '=');
    }
}

status text_parse_data(buf *out, span text)
{
    if (text.n < 2 || text.p[0] != '0')
        return ST_INVALID;
    span body = span_skip(text, 2);
    switch (text.p[1] | 0x20) {
    case 'x':
        return text_parse_hex(out, body);
    case 's':
        return text_parse_base64(out, body);
    case 't':
        buf_put(out, body);
        return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
    default:
        return ST_INVALID;
    }
}

bool text_glob(span pattern, span text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1; /* let the last star take one more */
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}
