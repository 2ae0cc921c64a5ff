/* Control requests: every type round-trips, every malformed record is refused.   hazards.md class 12 */
#include "libfreeswan/wire/control.h"
#include "libstrongswan/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

static ctl_request full(ctl_type type)
{
    ctl_request r;
    ctl_request_init(&r, type);
    r.name = "conn";
    r.text = "a text";
    r.conn = SPAN_LIT("conn body");
    r.ca = SPAN_LIT("ca body");
    r.data = SPAN_LIT("\0data");
    r.from = (ip_addr){.family = AF_INET, .b = {10, 0, 0, 1}};
    r.to = (ip_addr){.family = AF_INET6, .b = {0x20, 1}};
    r.mask = 0x80000001;
    r.serial = 77;
    r.group = LG_ENC;
    r.level = -1;
    r.inbase = 16;
    r.outbase = 256;
    r.asynchronous = r.all = r.utc = r.keep = true;
    r.options.strictcrl = 2;
    r.options.crlcheckinterval_s = 600;
    return r;
}

static void all_types_round_trip(void **state)
{
    for (unsigned type = CTL_REQ_ADD_CONN; type < CTL_REQ_END; type++) {
        buf body = {0};
        arena mem;
        ctl_request in = full((ctl_type)type), out;
        arena_init(&mem, 0);
        assert_int_equal(ctl_encode(&in, &body, NULL), ST_OK);
        assert_int_equal(ctl_decode(&out, (uint16_t)type, buf_span(&body), &mem, NULL), ST_OK);
        assert_int_equal(out.type, type);
        assert_string_equal(out.name, in.name);
        assert_string_equal(out.text, in.text);
        assert_true(span_equal(out.conn, in.conn) && span_equal(out.ca, in.ca) &&
                    span_equal(out.data, in.data));
        assert_true(addr_equal(&out.from, &in.from) && addr_equal(&out.to, &in.to));
        assert_true(out.mask == in.mask && out.serial == in.serial);
        assert_true(out.group == LG_ENC && out.level == -1 && out.inbase == 16 && out.outbase == 256);
        assert_true(out.asynchronous && out.all && out.utc && out.keep);
        assert_int_equal(out.options.strictcrl, 2);
        assert_int_equal(out.options.cachecrls, -1);
        assert_int_equal(out.options.crlcheckinterval_s, 600);
        assert_int_equal(out.options.keep_alive_s, -1);
        assert_non_null(enum_lookup(&ctl_type_names, type));
        buf_free(&body);
        arena_free(&mem);
    }
}

static status decode(ctl_type type, const char *p, size_t n, msgbuf *msg)
{
    arena mem;
    ctl_request r;
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    arena_init(&mem, 1 << 16);
    status st = ctl_decode(&r, (uint16_t)type, span_of(copy, n), &mem, msg);
    arena_free(&mem);
    free(copy);
    return st;
}

static void malformed_records(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        const char *word;
    } rows[] = {
#define B(s, word) {s, sizeof(s) - 1, word}
        B("", "no name"),
        B("\0\1\0\0\0\0", "name"),      /* empty */
        B("\0\1\0\0\0\4con", "beyond"), /* length beyond the record */
        B("\0\1\377\377\377\377abc", "beyond"),
        B("\0\1\0\0\0", "beyond"),     /* half a field header */
        B("\0\1\0\0\0\3a\0b", "name"), /* NUL inside */
        B("\0\1\0\0\0\1a\0\1\0\0\0\1b", "twice"),
        B("\0\1\0\0\0\1a\0\10\0\0\0\4\0\0\0\1", "mask"), /* a number of 4 octets */
        B("\0\1\0\0\0\1a\0\16\0\0\0\10\0\0\0\0\0\0\0\2", "asynchronous"),
        B("\0\1\0\0\0\1a\0\13\0\0\0\10\0\0\0\0\0\0\0\5", "level"),
        B("\0\1\0\0\0\1a\0\13\0\0\0\10\377\377\377\377\377\377\377\376", "level"),
        B("\0\1\0\0\0\1a\0\6\0\0\0\5\1\2\3\4\5", "from"), /* an address of 5 octets */
#undef B
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        msgbuf msg = {{0}};
        status st = decode(CTL_REQ_INITIATE, rows[i].p, rows[i].n, &msg);
        if (st != ST_INVALID || !strstr(msg.text, rows[i].word))
            fail_msg("row %zu: %s, %s", i, status_text(st), msg.text);
    }
    /* unknown tags are skipped */
    static const char newer[] = "\377\377\0\0\0\2xx\0\1\0\0\0\1a";
    assert_int_equal(decode(CTL_REQ_INITIATE, newer, sizeof(newer) - 1, NULL), ST_OK);
    assert_int_equal(decode((ctl_type)1, newer, sizeof(newer) - 1, NULL), ST_UNSUPPORTED);
    assert_int_equal(decode(CTL_REQ_END, newer, sizeof(newer) - 1, NULL), ST_UNSUPPORTED);
    assert_int_equal(decode((ctl_type)65535, newer, sizeof(newer) - 1, NULL), ST_UNSUPPORTED);
    char name[6 + CTL_MAX_NAME + 1] = "\0\1\0\0\1";
    memset(name + 6, 'x', CTL_MAX_NAME + 1);
    assert_int_equal(decode(CTL_REQ_INITIATE, name, sizeof(name), NULL), ST_INVALID); /* 256 octets */
}

static void needs(void **state)
{
    static const ctl_type needy[] = {CTL_REQ_ADD_CONN,  CTL_REQ_DEL_CONN,    CTL_REQ_ADD_CA, CTL_REQ_INITIATE,
                                     CTL_REQ_LIST,      CTL_REQ_DELETESTATE, CTL_REQ_CRASH,  CTL_REQ_MYID,
                                     CTL_REQ_SCDECRYPT, CTL_REQ_OPPO};
    for (size_t i = 0; i < sizeof(needy) / sizeof(needy[0]); i++) {
        ctl_request r;
        buf body = {0};
        msgbuf msg = {{0}};
        ctl_request_init(&r, needy[i]);
        assert_int_equal(ctl_encode(&r, &body, &msg), ST_INVALID);
        assert_non_null(strstr(msg.text, "given"));
        buf_free(&body);
    }
    ctl_request r;
    buf body = {0};
    ctl_request_init(&r, CTL_REQ_LOGLEVEL);
    r.level = 5;
    assert_int_equal(ctl_encode(&r, &body, NULL), ST_INVALID);
    r.level = 4;
    assert_int_equal(ctl_encode(&r, &body, NULL), ST_OK);
    buf_free(&body);
}

static void every_prefix_and_flip_gets_a_verdict(void **state)
{
    buf body = {0};
    ctl_request r = full(CTL_REQ_CONFIG);
    assert_int_equal(ctl_encode(&r, &body, NULL), ST_OK);
    for (size_t n = 0; n <= body.n; n++)
        decode(CTL_REQ_CONFIG, (const char *)body.p, n, NULL);
    for (size_t at = 0; at < body.n; at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t was = body.p[at];
            body.p[at] = (uint8_t)v;
            status st = decode(CTL_REQ_CONFIG, (const char *)body.p, body.n, NULL);
            assert_true(st == ST_OK || st == ST_INVALID);
            body.p[at] = was;
        }
    buf_free(&body);
}

static void words(void **state)
{
    assert_int_equal(enum_value(&ctl_list_names, "ocspcerts"), CTL_LIST_OCSPCERTS);
    assert_int_equal(enum_value(&ctl_reread_names, "all"), CTL_REREAD_ALL);
    assert_int_equal(enum_value(&ctl_debug_names, "controlmore"), CTL_DEBUG_CONTROLMORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types_round_trip),
        cmocka_unit_test(malformed_records),
        cmocka_unit_test(needs),
        cmocka_unit_test(every_prefix_and_flip_gets_a_verdict),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
