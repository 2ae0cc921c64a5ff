/* Growable bytes. Growth doubles, up to b->max; a put that does not fit sets `failed` and leaves what was
 * written. */
#include "libstrongswan/base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_free(buf *b)
{
    free(b->p);
    size_t max = b->max;
    *b = (buf){.max = max};
}

void buf_reset(buf *b)
{
    b->n = 0;
    b->failed = false;
}

uint8_t *buf_reserve(buf *b, size_t n)
{
    size_t max = b->max ? b->max : BUF_MAX;
    if (b->failed || b->n > max || n > max - b->n) {
        b->failed = true;
        return NULL;
    }
    if (b->p && n <= b->cap - b->n)
        return b->p + b->n;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < b->n + n)
        cap *= 2;
    uint8_t *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return p + b->n;
}

void buf_put(buf *b, span s)
{
    uint8_t *p = buf_reserve(b, s.n);
    if (p && s.n) {
        memcpy(p, s.p, s.n);
        b->n += s.n;
    }
}

void buf_put_u8(buf *b, uint8_t v)
{
    uint8_t *p = buf_reserve(b, 1);
    if (p) {
        p[0] = v;
        b->n += 1;
    }
}

void buf_put_u16(buf *b, uint16_t v)
{
    uint8_t *p = buf_reserve(b, 2);
    if (p) {
        set_u16(p, v);
        b->n += 2;
    }
}

void buf_put_u24(buf *b, uint32_t v)
{
    uint8_t *p = buf_reserve(b, 3);
    if (p) {
        p[0] = (uint8_t)(v >> 16);
        set_u16(p + 1, (uint16_t)v);
        b->n += 3;
    }
}

void buf_put_u32(buf *b, uint32_t v)
{
    uint8_t *p = buf_reserve(b, 4);
    if (p) {
        set_u32(p, v);
        b->n += 4;
    }
}

void buf_put_u64(buf *b, uint64_t v)
{
    uint8_t *p = buf_reserve(b, 8);
    if (p) {
        set_u64(p, v);
        b->n += 8;
    }
}

void buf_put_zero(buf *b, size_t n)
{
    uint8_t *p = buf_reserve(b, n);
    if (p) {
        memset(p, 0, n);
        b->n += n;
    }
}

void buf_put_str(buf *b, const char *s)
{
    buf_put(b, span_str(s));
}

void buf_printf(buf *b, const char *fmt, ...)
{
    /* mostly it fits at the first try; otherwise the length is known for the second */
    size_t room = 128;
    for (int round = 0; round < 2; round++) {
        uint8_t *p = buf_reserve(b, room);
        if (!p)
            return;
        room = b->cap - b->n;
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf((char *)p, room, fmt, ap);
        va_end(ap);
        if (n < 0) {
            b->failed = true;
            return;
        }
        if ((size_t)n < room) {
            size_t max = b->max ? b->max : BUF_MAX;
            if ((size_t)n > max - b->n)
                b->failed = true;
            else
                b->n += (size_t)n;
            return;
        }
        room = (size_t)n + 1;
    }
}

void buf_patch_u8(buf *b, size_t at, uint8_t v)
{
    if (!b->failed && b->n >= 1 && at <= b->n - 1)
        b->p[at] = v;
    else
        b->failed = true;
}

void buf_patch_u16(buf *b, size_t at, uint16_t v)
{
    if (!b->failed && b->n >= 2 && at <= b->n - 2)
        set_u16(b->p + at, v);
    else
        b->failed = true;
}

void buf_patch_u32(buf *b, size_t at, uint32_t v)
{
    if (!b->failed && b->n >= 4 && at <= b->n - 4)
        set_u32(b->p + at, v);
    else
        b->failed = true;
}

const char *buf_cstr(buf *b)
{
    uint8_t *p = buf_reserve(b, 1);
    if (!p)
        return "";
    *p = 0;
    return (const char *)b->p;
}

uint8_t *buf_detach(buf *b, size_t *n)
{
    uint8_t *p = b->p;
    if (n)
        *n = b->n;
    *b = (buf){.max = b->max};
    return p;
}

status buf_copy_of(buf *out, span s)
{
    *out = (buf){0};
    buf_put(out, s);
    if (buf_ok(out))
        return ST_OK;
    buf_free(out);
    return ST_NO_MEMORY;
}
