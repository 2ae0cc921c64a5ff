/* Key material on the heap, wiped on the way out. */
#include "libstrongswan/base/secret.h"
#include <openssl/crypto.h>
#include <stdlib.h>

void wipe(void *p, size_t n)
{
    if (p && n)
        OPENSSL_cleanse(p, n);
}

status secret_new(secret *out, size_t n)
{
    *out = (secret){0};
    if (n == 0)
        return ST_OK;
    uint8_t *p = calloc(1, n);
    if (!p)
        return ST_NO_MEMORY;
    *out = (secret){p, n};
    return ST_OK;
}

status secret_copy(secret *out, span s)
{
    status st = secret_new(out, s.n);
    if (st == ST_OK && s.n)
        memcpy(out->p, s.p, s.n);
    return st;
}

void secret_free(secret *s)
{
    wipe(s->p, s->n);
    free(s->p);
    *s = (secret){0};
}

void secret_move(secret *to, secret *from)
{
    if (to == from)
        return;
    secret_free(to);
    *to = *from;
    *from = (secret){0};
}

bool secret_equal(span a, span b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
