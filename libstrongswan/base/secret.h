/* Key material: owned, wiped before it is freed, compared in constant time, never printed. Zero is a valid empty one. */
#pragma once
#include "libstrongswan/base/span.h"
#include "libstrongswan/base/status.h"

typedef struct secret {
    uint8_t *p;
    size_t n;
} secret;

/* n zero bytes; n = 0 gives an empty secret */
status secret_new(secret *out, size_t n) MUST_CHECK;
status secret_copy(secret *out, span s) MUST_CHECK;
void secret_free(secret *s); /* wipes; s is empty after it */
/* takes the bytes of *from into *to, freeing what was there; *from is empty after it */
void secret_move(secret *to, secret *from);
static inline span secret_view(const secret *s)
{
    return (span){s->p, s->n};
}
/* Constant time for equal lengths; unequal lengths are unequal at once. */
bool secret_equal(span a, span b);
/* Wipes memory in a way the compiler keeps. */
void wipe(void *p, size_t n);
