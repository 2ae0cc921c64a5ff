/* The grammar of ipsec.secrets. Every entry it gives lies in bounds and every input comes to an end. */
#include "libstrongswan/cred/secrets.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned sum;

static void touch(span s)
{
    for (size_t i = 0; i < s.n; i++)
        sum += s.p[i];
}

static void on_entry(void *ctx, const secret_entry *e)
{
    size_t *n = ctx;
    for (size_t i = 0; i < e->n_ids; i++)
        touch(e->ids[i]);
    touch(e->path);
    touch(e->value);
    for (size_t i = 0; i < 8; i++)
        touch(e->numbers[i]);
    ++*n;
}

static void on_error(void *ctx, unsigned line, const char *why)
{
    size_t *n = ctx;
    if (!line || !why[0])
        abort();
    ++*n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = 0;
    secrets_parse(span_of(data, size), &(secrets_sink){on_entry, on_error, &n});
    if (n > size + 1)
        abort();
    return 0;
}
