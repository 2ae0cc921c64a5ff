/* strongswan.conf from memory: parsed, looked up, listed. */
#include "libstrongswan/base/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool see(void *ctx, const char *name)
{
    (void)settings_str(ctx, NULL, "charon.%s.x", name);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    settings *s;
    msgbuf msg;
    if (settings_parse(&s, (const char *)data, n, "fuzz.conf", NULL, &msg) != ST_OK)
        return 0;
    (void)settings_time_s(s, 1, "charon.a.b");
    (void)settings_double(s, 1, "charon.a.b");
    (void)settings_bool(s, true, "charon.plugins.sql.x");
    settings_sections(s, "charon", see, s);
    settings_free(s);
    return 0;
}
