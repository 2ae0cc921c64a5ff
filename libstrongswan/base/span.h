/* Bytes that belong to somebody else. A span never owns and is never freed; it is valid as long as what it points
 * into. Empty spans may have p == NULL. Owned bytes are `buf` (buf.h) or `secret` (secret.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct span {
    const uint8_t *p;
    size_t n;
} span;

#define SPAN_NULL ((span){NULL, 0})
/* of an array, a string literal (without its NUL), an object */
#define SPAN_ARRAY(a) ((span){(const uint8_t *)(a), sizeof(a)})
#define SPAN_LIT(s)   ((span){(const uint8_t *)("" s), sizeof(s) - 1})

static inline span span_of(const void *p, size_t n)
{
    return (span){p, n};
}
static inline span span_str(const char *s)
{
    return (span){(const uint8_t *)s, s ? strlen(s) : 0};
}
static inline bool span_empty(span s)
{
    return s.n == 0;
}
/* not constant-time: use secret_equal() for anything a peer must not learn */
static inline bool span_equal(span a, span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool span_equal_nocase(span a, span b);
/* order for sorting: shorter first when one is a prefix of the other */
int span_compare(span a, span b);
bool span_starts(span s, span prefix);
/* The first n bytes / all but the first n; n beyond the end is clamped. */
span span_take(span s, size_t n);
span span_skip(span s, size_t n);
/* White space off both ends. */
span span_trim(span s);
/* Cuts *rest at the first `sep`: returns what is before it and moves *rest behind it. false when *rest is used up. */
bool span_cut(span *rest, char sep, span *word);
/* Decimal or 0x number without sign, the whole span, at most max. */
bool span_to_u64(span s, uint64_t max, uint64_t *out);
/* Copies as a C string, cut to size-1, always terminated; returns dst. Bytes are not changed: see text.h for quoting. */
char *span_cstr(span s, char *dst, size_t size);
/* New heap copy as a C string; NULL without memory or if the span holds a NUL. Caller frees. */
char *span_dup_cstr(span s);

/* A cursor that reads network-order numbers. Once a read fails all later ones return zero and `failed` stays set,
 * so a parser checks once at the end. */
typedef struct cursor {
    const uint8_t *p;
    size_t n;
    bool failed;
} cursor;

static inline cursor cursor_of(span s)
{
    return (cursor){s.p, s.n, false};
}
uint8_t cursor_u8(cursor *c);
uint16_t cursor_u16(cursor *c);
uint32_t cursor_u24(cursor *c);
uint32_t cursor_u32(cursor *c);
uint64_t cursor_u64(cursor *c);
span cursor_bytes(cursor *c, size_t n);
/* all that is left */
span cursor_rest(cursor *c);

/* numbers at a place whose length the caller has checked */
static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}
static inline void set_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void set_u32(uint8_t *p, uint32_t v)
{
    set_u16(p, (uint16_t)(v >> 16));
    set_u16(p + 2, (uint16_t)v);
}
static inline void set_u64(uint8_t *p, uint64_t v)
{
    set_u32(p, (uint32_t)(v >> 32));
    set_u32(p + 4, (uint32_t)v);
}

/* Checked size arithmetic: false on overflow, *out untouched then. */
bool size_add(size_t a, size_t b, size_t *out);
bool size_mul(size_t a, size_t b, size_t *out);
