/* Owned, growable bytes; also the writer of everything that goes out. A failed allocation or a limit sets `failed`,
 * later puts do nothing, and the writer checks buf_ok() once at the end. Zero-initialised is a valid empty buf.
 * Not for key material: growing leaves copies behind, use `secret`.
 */
#pragma once
#include "libstrongswan/base/span.h"
#include "libstrongswan/base/status.h"

typedef struct buf {
    uint8_t *p;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* never grow beyond; 0 = BUF_MAX */
    bool failed;
} buf;

#define BUF_MAX ((size_t)64 << 20)

void buf_free(buf *b);  /* frees the bytes and makes it empty again */
void buf_reset(buf *b); /* n = 0, failed = false, memory kept */
static inline bool buf_ok(const buf *b)
{
    return !b->failed;
}
static inline span buf_span(const buf *b)
{
    return (span){b->p, b->n};
}
/* Makes room for n more bytes and returns where to write them (b->n is not changed); NULL if failed. */
uint8_t *buf_reserve(buf *b, size_t n);
void buf_put(buf *b, span s);
void buf_put_u8(buf *b, uint8_t v);
void buf_put_u16(buf *b, uint16_t v);
void buf_put_u24(buf *b, uint32_t v);
void buf_put_u32(buf *b, uint32_t v);
void buf_put_u64(buf *b, uint64_t v);
void buf_put_zero(buf *b, size_t n);
void buf_put_str(buf *b, const char *s); /* without the NUL */
void buf_printf(buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Overwrites bytes already written, for lengths that are known late. */
void buf_patch_u8(buf *b, size_t at, uint8_t v);
void buf_patch_u16(buf *b, size_t at, uint16_t v);
void buf_patch_u32(buf *b, size_t at, uint32_t v);
/* NUL behind the text (not counted in n) so that b->p is a C string; "" when it failed or is empty. */
const char *buf_cstr(buf *b);
/* Gives the bytes away: caller frees with free(); b is empty after it. */
uint8_t *buf_detach(buf *b, size_t *n);
status buf_copy_of(buf *out, span s) MUST_CHECK;
