/* Views of bytes and the cursor that reads numbers from them. Nothing here allocates but span_dup_cstr(). */
#include "libstrongswan/base/span.h"
#include <stdlib.h>

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool span_equal_nocase(span a, span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

int span_compare(span a, span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c < 0 ? -1 : 1;
    return (a.n > b.n) - (a.n < b.n);
}

bool span_starts(span s, span prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

span span_take(span s, size_t n)
{
    return (span){s.p, n < s.n ? n : s.n};
}

span span_skip(span s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return (span){s.p ? s.p + n : NULL, s.n - n};
}

span span_trim(span s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool span_cut(span *rest, char sep, span *word)
{
    if (rest->n == 0)
        return false;
    const uint8_t *at = memchr(rest->p, (unsigned char)sep, rest->n);
    if (!at) {
        *word = *rest;
        *rest = span_skip(*rest, rest->n);
        return true;
    }
    *word = (span){rest->p, (size_t)(at - rest->p)};
    *rest = span_skip(*rest, word->n + 1);
    return true;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (uint8_t)lower(c);
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return 255;
}

bool span_to_u64(span s, uint64_t max, uint64_t *out)
{
    unsigned base = 10;
    if (s.n > 2 && s.p[0] == '0' && lower(s.p[1]) == 'x') {
        base = 16;
        s = span_skip(s, 2);
    }
    if (s.n == 0)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)digit_of(s.p[i]);
        if (d >= base || v > (UINT64_MAX - d) / base)
            return false;
        v = v * base + d;
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

char *span_cstr(span s, char *dst, size_t size)
{
    if (size == 0)
        return dst;
    size_t n = s.n < size - 1 ? s.n : size - 1;
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
    return dst;
}

char *span_dup_cstr(span s)
{
    if (s.n && memchr(s.p, 0, s.n))
        return NULL;
    char *c = s.n < SIZE_MAX ? malloc(s.n + 1) : NULL;
    if (c)
        span_cstr(s, c, s.n + 1);
    return c;
}

/* the next n bytes, or NULL and `failed` */
static const uint8_t *take(cursor *c, size_t n)
{
    if (c->failed || n > c->n) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    if (n) {
        c->p += n;
        c->n -= n;
    }
    return p;
}

uint8_t cursor_u8(cursor *c)
{
    const uint8_t *p = take(c, 1);
    return p ? p[0] : 0;
}

uint16_t cursor_u16(cursor *c)
{
    const uint8_t *p = take(c, 2);
    return p ? get_u16(p) : 0;
}

uint32_t cursor_u24(cursor *c)
{
    const uint8_t *p = take(c, 3);
    return p ? (uint32_t)p[0] << 16 | get_u16(p + 1) : 0;
}

uint32_t cursor_u32(cursor *c)
{
    const uint8_t *p = take(c, 4);
    return p ? get_u32(p) : 0;
}

uint64_t cursor_u64(cursor *c)
{
    const uint8_t *p = take(c, 8);
    return p ? get_u64(p) : 0;
}

span cursor_bytes(cursor *c, size_t n)
{
    const uint8_t *p = take(c, n);
    return c->failed ? SPAN_NULL : (span){p, n};
}

span cursor_rest(cursor *c)
{
    return cursor_bytes(c, c->n);
}

bool size_add(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b)
        return false;
    *out = a + b;
    return true;
}

bool size_mul(size_t a, size_t b, size_t *out)
{
    if (b && a > SIZE_MAX / b)
        return false;
    *out = a * b;
    return true;
}
