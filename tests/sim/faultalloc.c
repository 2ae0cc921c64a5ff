/* See faultalloc.h. malloc() and its relatives are those of this file; OpenSSL is given the C library's own,
 * so that only allocations of the suite fail. For programs with one thread.
 */
#include "tests/sim/faultalloc.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
bool fault_alloc_works(void)
{
    return false;
}

void fault_alloc_prepare(void)
{
}

void fault_alloc_at(unsigned long n)
{
}

unsigned long fault_alloc_count(void)
{
    return 0;
}

long fault_alloc_live(void)
{
    return 0;
}
#else
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static _Atomic long live;            /* blocks of the suite */
static unsigned long count, fail_at; /* fail_at 0: never */

static bool fails(void)
{
    if (++count != fail_at)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    void *p = fails() ? NULL : __libc_malloc(n);
    live += p != NULL;
    return p;
}

void *calloc(size_t n, size_t size)
{
    void *p = fails() ? NULL : __libc_calloc(n, size);
    live += p != NULL;
    return p;
}

void *realloc(void *p, size_t n)
{
    void *q = fails() ? NULL : __libc_realloc(p, n);
    live += !p && q;
    return q;
}

void free(void *p)
{
    live -= p != NULL;
    __libc_free(p);
}

static void *ssl_malloc(size_t n, const char *file, int line)
{
    return __libc_malloc(n);
}

static void *ssl_realloc(void *p, size_t n, const char *file, int line)
{
    return __libc_realloc(p, n);
}

static void ssl_free(void *p, const char *file, int line)
{
    __libc_free(p);
}

bool fault_alloc_works(void)
{
    return true;
}

void fault_alloc_prepare(void)
{
    CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free);
}

void fault_alloc_at(unsigned long n)
{
    count = 0;
    fail_at = n;
}

unsigned long fault_alloc_count(void)
{
    return count;
}

long fault_alloc_live(void)
{
    return live;
}
#endif
