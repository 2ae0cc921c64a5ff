/* Plugins in shared objects: loaded from the plugin folder, tested like the built-in ones, refused when they
 * are of another version.
 */
#include "libstrongswan/crypto/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char heard[4096];

static void hear(void *ctx, const log_event *ev)
{
    size_t n = strlen(heard);
    snprintf(heard + n, sizeof heard - n, "%s\n", ev->text);
}

/* BUILD/tests/unit/crypto/test_loader -> BUILD/tests/plugins */
static settings *plugin_folder(void)
{
    char exe[512], text[700];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(n > 0);
    exe[n] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(exe, '/') = '\0';
    int len = snprintf(text, sizeof text, "libstrongswan {\n plugindir = %s/plugins\n}\n", exe);
    settings *s;
    msgbuf msg;
    assert_int_equal(settings_parse(&s, text, (size_t)len, "test", NULL, &msg), ST_OK);
    return s;
}

static void test_shared_objects(void **state)
{
    settings *cfg = plugin_folder();
    log_bus *bus;
    int levels[LG_COUNT] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    assert_int_equal(log_bus_new(&bus, &(log_bus_config){.direct = true}), ST_OK);
    assert_int_not_equal(log_listen(bus, 0, levels, hear, NULL), 0);
    log_scope scope = {.bus = bus};
    crypto *c;
    assert_int_equal(crypto_load(&c, "ones oldabi absent openssl", cfg, &scope), ST_OK);
    assert_string_equal(crypto_loaded_plugins(c), "ones openssl");
    assert_non_null(strstr(heard, "plugin 'oldabi' failed to load: it was built for another version"));
    assert_non_null(strstr(heard, "plugin 'absent' failed to load"));
    assert_non_null(
        strstr(heard, "plugin 'ones': HMAC_SHA1_96 failed its test vectors and is refused: MAC differs"));
    uint8_t a[4], mac[20], key[20] = {0};
    /* first in the list: its weak numbers are taken; strong ones come from openssl */
    assert_int_equal(rng_bytes(c, RNG_WEAK, a, 4), ST_OK);
    assert_true(a[0] == a[1] && a[1] == a[2] && a[2] == a[3]);
    signer *s;
    assert_int_equal(signer_new(c, &s, INTEG_HMAC_SHA1_96, SPAN_ARRAY(key)), ST_OK);
    span part = SPAN_LIT("x");
    assert_int_equal(signer_sign(s, &part, 1, mac), ST_OK);
    static const uint8_t ones[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_memory_not_equal(mac, ones, 12);
    signer_free(s);
    crypto_free(c);
    log_bus_free(bus);
    settings_free(cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shared_objects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
