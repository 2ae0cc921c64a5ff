/* strongswan.conf from memory (no includes). */
#include "libstrongswan/base/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool each_key(void *ctx, const char *key, const char *value)
{
    const settings *s = ctx;
    (void)settings_int(s, 0, "%s", key);
    return true;
}

static bool each_section(void *ctx, const char *name)
{
    settings_keys(ctx, name, each_key, ctx);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    settings *s;
    msgbuf msg;
    if (settings_parse(&s, (const char *)data, size, "fuzz", NULL, &msg) != ST_OK)
        return 0;
    (void)settings_str(s, NULL, "charon.load");
    (void)settings_time_s(s, 0, "charon.keep_alive");
    (void)settings_bool(s, false, "charon.filelog.a.b");
    settings_sections(s, "", each_section, s);
    settings_sections(s, "charon", each_section, s);
    settings_free(s);
    return 0;
}
