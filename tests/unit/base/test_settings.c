/* strongswan.conf: every file an old reader took, the quirks a new one takes as well, and what is refused. */
#include "libstrongswan/base/settings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static settings *parse(const char *text)
{
    settings *s;
    msgbuf msg;
    if (settings_parse(&s, text, strlen(text), "t.conf", NULL, &msg) != ST_OK)
        fail_msg("refused: %s", msg.text);
    return s;
}

static void add_text(void *ctx, const char *text)
{
    char *all = ctx;
    strcat(strcat(all, text), "|");
}

static void test_values(void **state)
{
    settings *s = parse("# comment\n"
                        "charon {\n"
                        "  load = aes des  sha1 \t\n"
                        "\tthreads = 12 of them\n"
                        "  keep_alive = 2m\n"
                        "  factor = 1.8\n"
                        "  yes1 = Yes\n  yes2 = enables\n  no1 = off\n odd = maybe\n"
                        "  empty =\n"
                        "  word = text\n"
                        "  huge = 99999999999999999999\n"
                        "  plugins { # with a comment\n"
                        "    sql {\n"
                        "      database = mysql://u:p#1@h/d\n"
                        "    }\n"
                        "  }\n"
                        "} # end\n"
                        "other = 1");
    assert_string_equal(settings_str(s, "", "charon.load"), "aes des  sha1");
    assert_int_equal(settings_int(s, 0, "charon.threads"), 12);
    assert_int_equal(settings_time_s(s, 0, "charon.keep_alive"), 120);
    assert_int_equal(settings_time_s(s, 7, "charon.none"), 7);
    assert_true(settings_double(s, 0, "charon.factor") == 1.8);
    assert_true(settings_bool(s, false, "charon.yes1"));
    assert_true(settings_bool(s, false, "charon.yes2"));
    assert_false(settings_bool(s, true, "charon.no1"));
    assert_true(settings_bool(s, true, "charon.odd"));
    assert_false(settings_bool(s, false, "charon.odd"));
    assert_string_equal(settings_str(s, "x", "charon.empty"), "");
    assert_int_equal(settings_int(s, 5, "charon.empty"), 0);
    assert_true(settings_bool(s, true, "charon.empty"));
    assert_int_equal(settings_int(s, 5, "charon.word"), 0);
    assert_int_equal(settings_int(s, 5, "charon.huge"), 5);
    assert_string_equal(settings_str(s, "", "charon.plugins.%s.database", "sql"), "mysql://u:p#1@h/d");
    assert_int_equal(settings_int(s, 0, "other"), 1);
    assert_null(settings_str(s, NULL, "charon.plugins"));
    assert_null(settings_str(s, NULL, "Charon.load"));
    assert_int_equal(settings_int(NULL, 3, "charon.threads"), 3);
    settings_free(s);
}

static bool collect(void *ctx, const char *name)
{
    add_text(ctx, name);
    return true;
}

static bool collect_key(void *ctx, const char *key, const char *value)
{
    add_text(ctx, key);
    add_text(ctx, value);
    return true;
}

static void test_enumeration_and_file_names(void **state)
{
    settings *s = parse("charon {\n filelog {\n  /var/log/x.log {\n   default = 2\n   ike = 3\n  }\n  stderr "
                        "{\n  }\n }\n}\n");
    char all[512] = "";
    settings_sections(s, "charon.filelog", collect, all);
    assert_string_equal(all, "/var/log/x.log|stderr|");
    all[0] = '\0';
    settings_keys(s, "charon.filelog./var/log/x.log", collect_key, all);
    assert_string_equal(all, "default|2|ike|3|");
    assert_int_equal(settings_int(s, 1, "charon.filelog.%s.ike", "/var/log/x.log"), 3);
    all[0] = '\0';
    settings_sections(s, "", collect, all);
    assert_string_equal(all, "charon|");
    settings_free(s);
}

static void test_kinder_than_the_old_reader(void **state)
{
    settings *s = parse("\xef\xbb\xbf"
                        "a { b = c }\r\n d\n{\n e = f}\ng = h");
    assert_string_equal(settings_str(s, "", "a.b"), "c");
    assert_string_equal(settings_str(s, "", "d.e"), "f");
    assert_string_equal(settings_str(s, "", "g"), "h");
    settings_free(s);
}

static void test_first_one_counts(void **state)
{
    settings *s = parse("a {\n k = 1\n k = 2\n}\na {\n k = 3\n l = 4\n}\nstray words\nv = x # y\n");
    char all[1024] = "";
    assert_int_equal(settings_int(s, 0, "a.k"), 1);
    assert_int_equal(settings_int(s, 0, "a.l"), 0);
    assert_string_equal(settings_str(s, "", "v"), "x # y");
    settings_warnings(s, add_text, all);
    assert_non_null(strstr(all, "t.conf:3: "));
    assert_non_null(strstr(all, "t.conf:5: "));
    assert_non_null(strstr(all, "t.conf:9: neither '=' nor '{' behind 'stray words'"));
    assert_non_null(strstr(all, "t.conf:10: a comment"));
    settings_free(s);
}

static void refused(const char *text, size_t n, const char *why)
{
    settings *s;
    msgbuf msg;
    assert_int_not_equal(settings_parse(&s, text, n, "t.conf", NULL, &msg), ST_OK);
    if (!strstr(msg.text, why))
        fail_msg("'%s' does not say '%s'", msg.text, why);
    assert_null(s);
}

static void test_refused(void **state)
{
    refused("a {\n b = c\n", 11, "t.conf:1: no '}' ends the section 'a'");
    refused("a = b\n}\n", 8, "t.conf:2:");
    refused("a = b\n = c\n", 11, "t.conf:2:");
    refused("\n{\n}\n", 5, "t.conf:2: section without a name");
    refused("a = b\nc = \0d\n", 13, "t.conf:2: a NUL octet");
    refused("include /etc/passwd\n", 20, "t.conf:1: include is not allowed");
    char deep[200];
    memset(deep, 0, sizeof(deep));
    for (int i = 0; i < 40; i++)
        strcat(deep, "a{\n");
    refused(deep, strlen(deep), "nested too deep");
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_includes(void **state)
{
    char dir[] = "/tmp/unit-settings-XXXXXX", path[256], all[2048] = "";
    settings *s;
    msgbuf msg;
    assert_non_null(mkdtemp(dir));
    put_file(
        dir, "main.conf",
        "charon {\n threads = 3\n plugins {\n  include p-*.conf\n }\n}\ninclude more.conf\ninclude none*\n");
    put_file(dir, "p-a.conf", "aes {\n load = yes\n}\n");
    put_file(dir, "p-b.conf", "des {\n load = no\n}\n");
    put_file(dir, "more.conf", "charon {\n threads = 5\n extra = 1\n}\n");
    put_file(dir, "loop.conf", "include loop.conf\n");
    snprintf(path, sizeof(path), "%s/main.conf", dir);
    assert_int_equal(settings_load(&s, path, &msg), ST_OK);
    assert_true(settings_bool(s, false, "charon.plugins.aes.load"));
    assert_false(settings_bool(s, true, "charon.plugins.des.load"));
    assert_int_equal(settings_int(s, 0, "charon.threads"), 5); /* an included file replaces */
    assert_int_equal(settings_int(s, 0, "charon.extra"), 1);
    settings_warnings(s, add_text, all);
    assert_non_null(strstr(all, "no file matches 'none*'"));
    settings_free(s);
    snprintf(path, sizeof(path), "%s/loop.conf", dir);
    assert_int_equal(settings_load(&s, path, &msg), ST_LIMIT);
    /* a missing file is an empty one, with a warning */
    snprintf(path, sizeof(path), "%s/missing.conf", dir);
    assert_int_equal(settings_load(&s, path, &msg), ST_OK);
    all[0] = '\0';
    settings_warnings(s, add_text, all);
    assert_non_null(strstr(all, "missing.conf' does not exist or is not readable"));
    settings_free(s);
    static const char *const names[] = {"main.conf", "p-a.conf", "p-b.conf", "more.conf", "loop.conf"};
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_enumeration_and_file_names),
        cmocka_unit_test(test_kinder_than_the_old_reader),
        cmocka_unit_test(test_first_one_counts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_includes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
