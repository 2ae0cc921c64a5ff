/* Spans, cursors, buffers, secrets, arenas, message buffers, hexadecimal, base64, quoting. */
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/enumname.h"
#include "libstrongswan/base/file.h"
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void test_span_cut_trim_numbers(void **state)
{
    span rest = SPAN_LIT("a, b,,c"), word;
    char text[8];
    assert_true(span_cut(&rest, ',', &word));
    assert_true(span_equal(word, SPAN_LIT("a")));
    assert_true(span_cut(&rest, ',', &word));
    assert_true(span_equal(span_trim(word), SPAN_LIT("b")));
    assert_true(span_cut(&rest, ',', &word));
    assert_true(span_empty(word));
    assert_true(span_cut(&rest, ',', &word));
    assert_string_equal(span_cstr(word, text, sizeof(text)), "c");
    assert_false(span_cut(&rest, ',', &word));

    uint64_t v = 7;
    assert_true(span_to_u64(SPAN_LIT("18446744073709551615"), UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    assert_false(span_to_u64(SPAN_LIT("18446744073709551616"), UINT64_MAX, &v));
    assert_true(span_to_u64(SPAN_LIT("0xfF"), 255, &v));
    assert_int_equal(v, 255);
    assert_false(span_to_u64(SPAN_LIT("256"), 255, &v));
    assert_false(span_to_u64(SPAN_LIT(""), 255, &v));
    assert_false(span_to_u64(SPAN_LIT("0x"), 255, &v));
    assert_false(span_to_u64(SPAN_LIT("1 "), 255, &v));
    assert_false(span_to_u64(SPAN_LIT("-1"), 255, &v));
    assert_false(span_to_u64(SPAN_LIT("1a"), 255, &v));

    assert_true(span_equal(SPAN_NULL, SPAN_LIT("")));
    assert_true(span_empty(span_skip(SPAN_LIT("abc"), 9)));
    assert_int_equal(span_take(SPAN_LIT("abc"), 2).n, 2);
    assert_int_equal(span_compare(SPAN_LIT("ab"), SPAN_LIT("abc")), -1);
    assert_int_equal(span_compare(SPAN_LIT("b"), SPAN_LIT("abc")), 1);
    assert_int_equal(span_compare(SPAN_LIT("abc"), SPAN_LIT("abc")), 0);
    assert_true(span_equal_nocase(SPAN_LIT("AbZ"), SPAN_LIT("aBz")));
    assert_string_equal(span_cstr(SPAN_LIT("long text"), text, 5), "long");
    assert_null(span_dup_cstr(SPAN_LIT("a\0b")));
    size_t n = 1;
    assert_false(size_add(SIZE_MAX, 1, &n));
    assert_false(size_mul(SIZE_MAX / 2, 3, &n));
    assert_int_equal(n, 1);
    assert_true(size_mul(0, SIZE_MAX, &n));
}

static void test_cursor_stays_failed(void **state)
{
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
    cursor c = cursor_of(SPAN_ARRAY(data));
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_u16(&c), 0x0203);
    assert_int_equal(cursor_u24(&c), 0x040506);
    assert_int_equal(cursor_u32(&c), 0x0708090a);
    assert_true(cursor_u64(&c) == 0x0b0c0d0e0f101112u);
    assert_false(c.failed);
    assert_int_equal(cursor_u16(&c), 0);
    assert_true(c.failed);
    assert_int_equal(cursor_u8(&c), 0); /* one octet is left, but the cursor has failed */
    assert_true(span_empty(cursor_rest(&c)));
    c = cursor_of(SPAN_ARRAY(data));
    assert_true(span_empty(cursor_bytes(&c, SIZE_MAX)));
    assert_true(c.failed);
}

static void test_buf_grows_patches_and_fails(void **state)
{
    buf b = {.max = 1000};
    buf_put_u8(&b, 1);
    buf_put_u16(&b, 0x0203);
    buf_put_u24(&b, 0x040506);
    buf_put_u32(&b, 0x0708090a);
    buf_put_u64(&b, 0x0b0c0d0e0f101112u);
    for (size_t i = 0; i < 18; i++)
        assert_int_equal(b.p[i], i + 1);
    buf_patch_u16(&b, 16, 0xffff);
    assert_int_equal(b.p[17], 0xff);
    assert_true(buf_ok(&b));
    buf_put_zero(&b, 982);
    assert_true(buf_ok(&b));
    buf_put_u8(&b, 1);
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 1000);
    buf_reset(&b);
    buf_put_u8(&b, 1);
    assert_true(buf_ok(&b));
    buf_patch_u16(&b, 0, 1);
    assert_false(buf_ok(&b));
    buf_free(&b);

    buf t = {0};
    assert_string_equal(buf_cstr(&t), "");
    buf_printf(&t, "%s-%d", "x", 5);
    buf_printf(&t, "%0400d", 7);
    assert_int_equal(t.n, 403);
    assert_int_equal(strlen(buf_cstr(&t)), 403);
    size_t n;
    uint8_t *p = buf_detach(&t, &n);
    assert_int_equal(n, 403);
    free(p);
    assert_int_equal(t.n, 0);
    buf tight = {.max = 10};
    buf_printf(&tight, "%s", "0123456789a");
    assert_false(buf_ok(&tight));
    buf_free(&tight);
}

static void test_secret(void **state)
{
    secret a, b;
    assert_int_equal(secret_copy(&a, SPAN_LIT("password")), ST_OK);
    assert_int_equal(secret_new(&b, 8), ST_OK);
    assert_false(secret_equal(secret_view(&a), secret_view(&b)));
    assert_false(secret_equal(secret_view(&a), SPAN_LIT("passwor")));
    secret_move(&b, &a);
    assert_null(a.p);
    assert_true(secret_equal(secret_view(&b), SPAN_LIT("password")));
    wipe(b.p, b.n);
    assert_int_equal(b.p[0] | b.p[7], 0);
    secret_free(&b);
    secret_free(&b);
    assert_int_equal(secret_new(&a, 0), ST_OK);
    assert_true(secret_equal(secret_view(&a), SPAN_NULL));
}

static void test_arena(void **state)
{
    arena a;
    arena_init(&a, 0);
    for (int i = 0; i < 2000; i++) {
        size_t n = (size_t)(i * 37 % 5000);
        uint8_t *p = arena_alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xff, n);
    }
    assert_string_equal(arena_printf(&a, "%d+%s", 1, "x"), "1+x");
    assert_string_equal(arena_str(&a, SPAN_LIT("abc")), "abc");
    assert_null(arena_str(&a, SPAN_LIT("a\0c")));
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&a, SIZE_MAX));
    span copy;
    assert_true(arena_copy(&a, SPAN_LIT("abc"), &copy));
    assert_true(span_equal(copy, SPAN_LIT("abc")));
    arena_free(&a);
    arena_init(&a, 100);
    assert_non_null(arena_alloc(&a, 90));
    assert_null(arena_alloc(&a, 16));
    arena_free(&a);
    assert_non_null(arena_alloc(&a, 16));
    arena_free(&a);
}

static void test_msgbuf(void **state)
{
    msgbuf m;
    msg_set(&m, "%s", "end");
    msg_prefix(&m, "conn '%s': ", "x");
    assert_string_equal(m.text, "conn 'x': end");
    msg_prefix(&m, "<%s> ", m.text); /* its own text */
    assert_string_equal(m.text, "<conn 'x': end> conn 'x': end");
    for (int i = 0; i < 100; i++)
        msg_add(&m, "0123456789");
    assert_int_equal(strlen(m.text), MSGBUF_SIZE - 1);
    msg_prefix(&m, "head ");
    assert_int_equal(strlen(m.text), MSGBUF_SIZE - 1);
    assert_int_equal(msg_fail(&m, ST_LIMIT, "no %d", 1), ST_LIMIT);
    assert_string_equal(m.text, "no 1");
    assert_int_equal(msg_fail(NULL, ST_CRYPTO, "no"), ST_CRYPTO);
    assert_string_equal(status_text(ST_NO_MEMORY), "out of memory");
    assert_string_equal(status_text((status)999), "unknown status");
}

static void check_quote(const char *in, size_t n, const char *want)
{
    char out[64];
    assert_string_equal(text_quote(span_of(in, n), out, sizeof(out)), want);
    buf b = {0};
    text_put_quoted(&b, span_of(in, n));
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void test_quote(void **state)
{
    check_quote("plain", 5, "plain");
    check_quote("a\nb\0c", 5, "a\\x0ab\\x00c");
    check_quote("back\\slash", 10, "back\\\\slash");
    check_quote("\xc3\xa4", 2, "\xc3\xa4");            /* well-formed UTF-8 stays */
    check_quote("\xc3", 1, "\\xc3");                   /* cut off */
    check_quote("\xc0\xaf", 2, "\\xc0\\xaf");          /* overlong */
    check_quote("\xed\xa0\x80", 3, "\\xed\\xa0\\x80"); /* surrogate */
    check_quote("\xe2\x80\xae", 3, "\\xe2\\x80\\xae"); /* turns the direction of writing */
    check_quote("\x1b[31m", 5, "\\x1b[31m");
    char small[8];
    assert_string_equal(text_quote(SPAN_LIT("1234567"), small, sizeof(small)), "1234567");
    assert_string_equal(text_quote(SPAN_LIT("12345678"), small, sizeof(small)), "1234...");
    assert_string_equal(text_quote(SPAN_LIT("\n\n\n"), small, sizeof(small)), "\\x0a...");
    assert_string_equal(text_quote(SPAN_LIT("abc"), small, 1), "");
    buf b = {0};
    text_put_json(&b, SPAN_LIT("a\"b\\\n\x01\xff\xc3\xa4"));
    assert_string_equal(buf_cstr(&b), "\"a\\\"b\\\\\\n\\u0001\\ufffd\xc3\xa4\"");
    buf_free(&b);
}

typedef struct data_case {
    const char *text, *want; /* want NULL: refused */
} data_case;

static void check_data(const data_case *c, size_t n, status (*parse)(buf *, span))
{
    for (size_t i = 0; i < n; i++) {
        buf b = {0};
        status st = parse(&b, span_str(c[i].text));
        if (!c[i].want) {
            if (st != ST_INVALID)
                fail_msg("'%s' was taken", c[i].text);
        } else {
            if (st != ST_OK)
                fail_msg("'%s' was refused", c[i].text);
            assert_string_equal(buf_cstr(&b), c[i].want);
        }
        buf_free(&b);
    }
}

static void test_hex_base64_data(void **state)
{
    static const data_case hex[] = {{"", ""},           {"0x414243", "ABC"}, {"41:42:43", "ABC"},
                                    {"4142_43", "ABC"}, {"4", NULL},         {"41:", NULL},
                                    {":41", NULL},      {"41::42", NULL},    {"4g", NULL},
                                    {"0x4x", NULL},     {"0X4a", "J"},       {"41 42", NULL}};
    static const data_case base64[] = {
        {"QUJD", "ABC"},    {"0sQUJD", "ABC"}, {"QUI=", "AB"},     {"QUI", "AB"},
        {"QQ==", "A"},      {"QQ", "A"},       {"Q", NULL},        {"Q=", NULL},
        {"QQ=", NULL},      {"QUJD=", NULL},   {"QQ==QQ==", NULL}, {"QR==", NULL},
        {"QU\n JD", "ABC"}, {"QU-D", NULL},    {"", ""},           {"====", NULL}};
    static const data_case data[] = {{"0x41", "A"}, {"0sQQ==", "A"}, {"0tA b", "A b"},
                                     {"41", NULL},  {"0", NULL},     {"0z41", NULL}};
    check_data(hex, sizeof(hex) / sizeof(hex[0]), text_parse_hex);
    check_data(base64, sizeof(base64) / sizeof(base64[0]), text_parse_base64);
    check_data(data, sizeof(data) / sizeof(data[0]), text_parse_data);
    for (size_t n = 0; n < 70; n++) {
        uint8_t raw[70];
        for (size_t i = 0; i < n; i++)
            raw[i] = (uint8_t)(i * 77 + n);
        buf b = {0}, back = {0};
        text_put_base64(&b, span_of(raw, n));
        assert_int_equal(text_parse_base64(&back, buf_span(&b)), ST_OK);
        assert_true(span_equal(buf_span(&back), span_of(raw, n)));
        buf_reset(&b);
        buf_reset(&back);
        text_put_hex(&b, span_of(raw, n), ':');
        assert_int_equal(text_parse_hex(&back, buf_span(&b)), ST_OK);
        assert_true(span_equal(buf_span(&back), span_of(raw, n)));
        buf_free(&b);
        buf_free(&back);
    }
    char small[6];
    assert_string_equal(text_hex(SPAN_LIT("ABC"), ':', small, sizeof(small)), "41:42");
    assert_string_equal(text_hex(SPAN_LIT("ABC"), 0, small, sizeof(small)), "4142");
}

static void test_glob(void **state)
{
    assert_true(text_glob(SPAN_LIT("*.example.org"), SPAN_LIT("gw.example.org")));
    assert_false(text_glob(SPAN_LIT("*.example.org"), SPAN_LIT("example.org")));
    assert_true(text_glob(SPAN_LIT("a*b*c"), SPAN_LIT("aXbXbXc")));
    assert_false(text_glob(SPAN_LIT("a*b*c"), SPAN_LIT("aXbXbX")));
    assert_true(text_glob(SPAN_LIT("?*"), SPAN_LIT("x")));
    assert_false(text_glob(SPAN_LIT("?*"), SPAN_LIT("")));
    assert_true(text_glob(SPAN_LIT("**"), SPAN_LIT("")));
    assert_false(text_glob(SPAN_LIT(""), SPAN_LIT("x")));
}

ENUM_NAMES(fruit, {1, "APPLE"}, {2, "PEAR"}, {250, "PLUM"}, {16384, "FIG"});

static void test_enum_names(void **state)
{
    assert_string_equal(ENUM_STR(fruit, 1), "APPLE");
    assert_string_equal(ENUM_STR(fruit, 250), "PLUM");
    assert_string_equal(ENUM_STR(fruit, 16384), "FIG");
    assert_string_equal(ENUM_STR(fruit, 3), "(3)");
    assert_string_equal(ENUM_STR(fruit, UINT32_MAX), "(4294967295)");
    assert_null(enum_lookup(&fruit, 0));
    assert_int_equal(enum_value(&fruit, "pear"), 2);
    assert_int_equal(enum_value(&fruit, "grape"), -1);
}

static void test_file_read(void **state)
{
    char name[] = "/tmp/unit-file-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hello", 5), 5);
    close(fd);
    buf b = {0};
    assert_int_equal(file_read(&b, name, 5), ST_OK);
    assert_true(span_equal(buf_span(&b), SPAN_LIT("hello")));
    buf_free(&b);
    assert_int_equal(file_read(&b, name, 4), ST_LIMIT);
    assert_int_equal(file_read(&b, "/tmp", 0), ST_INVALID);
    unlink(name);
    assert_int_equal(file_read(&b, name, 0), ST_NOT_FOUND);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_span_cut_trim_numbers),
        cmocka_unit_test(test_cursor_stays_failed),
        cmocka_unit_test(test_buf_grows_patches_and_fails),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_msgbuf),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_hex_base64_data),
        cmocka_unit_test(test_glob),
        cmocka_unit_test(test_enum_names),
        cmocka_unit_test(test_file_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
