/* The descriptor engine: every kind of row parses, emits and prints; nothing is read outside; limits hold. */
#include "libfreeswan/wire/wire.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

typedef struct leaf {
    uint8_t kind;
    span data;
} leaf;
typedef struct node {
    uint32_t id;
    uint16_t bits;
    span name;
    wire_list leaves; /* counted */
    wire_list attrs;  /* until the end */
} node;

ENUM_NAMES(kind_names, {1, "ONE"}, {2, "TWO"});
static const wire_field leaf_fields[] = {WIRE_MORE(7), WIRE_UINT_IN(leaf, kind, 1, 1, 9, &kind_names),
                                         WIRE_LENGTH(2), WIRE_REST(leaf, data, 0, 8)};
static const wire_table leaf_table = WIRE_TABLE("leaf", leaf, leaf_fields);
static const wire_field attr_fields[] = {WIRE_ATTR(&kind_names)};
static const wire_table attr_table = WIRE_TABLE("attribute", wire_attr, attr_fields);
static const wire_field node_fields[] = {
    WIRE_UINT(node, id, 4, NULL),
    WIRE_BITS(node, bits, 2, 0x7fff, NULL),
    WIRE_RESERVED(2),
    WIRE_SIZE(node, name, 1),
    WIRE_COUNT(node, leaves, 1),
    WIRE_BYTES(node, name, 0, 0),
    WIRE_COUNTED(node, leaves, 1, 4, &leaf_table),
    WIRE_ITEMS(node, attrs, 0, 3, &attr_table),
};
static const wire_table node_table = WIRE_TABLE("node", node, node_fields);

// clang-format off
static const uint8_t good[] = {
    0, 0, 1, 2,  0x12, 0x34,  0, 0,  3, 2,  'a', 'b', 'c',
    7, 1, 0, 6, 0xaa, 0xbb,  0, 2, 0, 4,
    0x80, 1, 0, 5,  0, 2, 0, 3, 1, 2, 3,
};
// clang-format on

/* An exact-size heap copy, so that a sanitizer sees a read one octet too far. */
static status parse(const uint8_t *p, size_t n, node *out, arena *mem, msgbuf *msg)
{
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    status st = wire_parse(&node_table, span_of(copy, n), out, mem, msg);
    free(copy);
    return st;
}

static void parses_and_emits(void **state)
{
    arena mem;
    node x;
    buf out = {0};
    arena_init(&mem, 0);
    assert_int_equal(wire_parse(&node_table, SPAN_ARRAY(good), &x, &mem, NULL), ST_OK);
    assert_int_equal(x.id, 0x102);
    assert_int_equal(x.bits, 0x1234);
    assert_true(span_equal(x.name, SPAN_LIT("abc")));
    assert_int_equal(x.leaves.n, 2);
    assert_int_equal(WIRE_AT(x.leaves, leaf, 0)->kind, 1);
    assert_int_equal(WIRE_AT(x.leaves, leaf, 0)->data.n, 2);
    assert_int_equal(WIRE_AT(x.leaves, leaf, 1)->data.n, 0);
    assert_int_equal(x.attrs.n, 2);
    uint32_t v = 0;
    assert_true(wire_attr_u32(wire_attr_find(&x.attrs, 1), &v));
    assert_int_equal(v, 5);
    assert_true(wire_attr_u32(wire_attr_find(&x.attrs, 2), &v));
    assert_int_equal(v, 0x010203);
    assert_null(wire_attr_find(&x.attrs, 3));
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_OK);
    assert_int_equal(out.n, sizeof(good));
    assert_memory_equal(out.p, good, sizeof(good));
    buf_reset(&out);
    wire_print(&node_table, &x, &out, 1);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "  id = 258\n"));
    assert_non_null(strstr(text, "kind = 1 (ONE)\n"));
    assert_non_null(strstr(text, "name = 3 octets 616263\n"));
    assert_non_null(strstr(text, "attribute 2 (TWO) = 3 octets 010203\n"));
    buf_free(&out);
    arena_free(&mem);
}

static void reserved_and_masked_bits_are_ignored(void **state)
{
    arena mem;
    node x;
    uint8_t in[sizeof(good)];
    memcpy(in, good, sizeof(good));
    in[4] |= 0x80;
    in[6] = in[7] = 0xff;
    arena_init(&mem, 0);
    assert_int_equal(parse(in, sizeof(in), &x, &mem, NULL), ST_OK);
    assert_int_equal(x.bits, 0x1234);
    arena_free(&mem);
}

static void refuses(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *word;
    } rows[] = {
        {8, 200, "name"}, /* size beyond the end */
        {9, 0, "behind"}, /* no leaves: what follows is no attribute list of at most 3, or too few leaves */
        {9, 1, "another follows"}, /* fewer than "more" says */
        {9, 3, "it is the last"},  /* more than there are */
        {9, 255, "announced"},     /* more than octets */
        {13, 6, "next structure"}, /* a wrong "more" value */
        {14, 0, "kind"},           /* below min */
        {14, 10, "kind"},          /* above max */
        {16, 3, "length"},         /* ends before its own length field */
        {16, 0, "length"},         {15, 0xff, "length"}, {30, 200, "attribute"}, /* TLV beyond the end */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        arena mem;
        node x;
        msgbuf msg = {{0}};
        uint8_t in[sizeof(good)];
        memcpy(in, good, sizeof(good));
        in[rows[i].at] = rows[i].value;
        arena_init(&mem, 0);
        status st = parse(in, sizeof(in), &x, &mem, &msg);
        if (st != ST_INVALID || (i != 1 && !strstr(msg.text, rows[i].word)))
            fail_msg("octet %zu = %u: %s, %s", rows[i].at, rows[i].value, status_text(st), msg.text);
        arena_free(&mem);
    }
}

static void every_prefix_and_flip_gets_a_verdict(void **state)
{
    arena mem;
    node x;
    arena_init(&mem, 1 << 16);
    for (size_t n = 0; n < sizeof(good); n++) {
        /* cutting between attributes leaves a valid one; everything else does not */
        status st = parse(good, n, &x, &mem, NULL);
        assert_int_equal(st == ST_OK, n == 23 || n == 27);
    }
    for (size_t at = 0; at < sizeof(good); at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t in[sizeof(good)];
            memcpy(in, good, sizeof(good));
            in[at] = (uint8_t)v;
            arena_free(&mem);
            arena_init(&mem, 1 << 16);
            status st = parse(in, sizeof(in), &x, &mem, NULL);
            assert_true(st == ST_OK || st == ST_INVALID || st == ST_LIMIT);
        }
    arena_free(&mem);
}

static void emitting_checks_too(void **state)
{
    leaf one = {1, SPAN_LIT("12345678")};
    wire_attr a[4] = {wire_attr_tv(1, 2), wire_attr_tv(1, 2), wire_attr_tv(1, 2), wire_attr_tv(1, 2)};
    node x = {.id = 1, .name = SPAN_LIT("n"), .leaves = WIRE_LIST(&one, 1), .attrs = WIRE_LIST(a, 3)};
    buf out = {0};
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_OK);
    x.attrs.n = 4;
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_INVALID);
    x.attrs.n = 1;
    a[0].type = 0x8001;
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_INVALID);
    a[0].type = 1;
    one.kind = 0;
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_INVALID);
    one.kind = 1;
    one.data.n = 9;
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_INVALID);
    one.data.n = 8;
    x.bits = 0x8000;
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_INVALID);
    x.bits = 0;
    static uint8_t big[300];
    x.name = SPAN_ARRAY(big); /* its size has one octet */
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_INVALID);
    x.name = SPAN_NULL;
    x.leaves.n = 0;
    assert_int_equal(wire_emit(&node_table, &x, &out), ST_INVALID);
    buf_free(&out);
}

static void long_numbers(void **state)
{
    uint32_t v = 1;
    wire_attr a = wire_attr_tlv(1, SPAN_LIT("\0\0\0\0\xff\xff\xff\xff"));
    assert_true(wire_attr_u32(&a, &v));
    assert_int_equal(v, UINT32_MAX);
    a.data = SPAN_LIT("\1\0\0\0\0");
    assert_false(wire_attr_u32(&a, &v));
    a.data = SPAN_NULL;
    assert_true(wire_attr_u32(&a, &v));
    assert_int_equal(v, 0);
}

static void memory_is_bounded(void **state)
{
    arena mem;
    node x;
    msgbuf msg;
    arena_init(&mem, 16);
    assert_int_equal(parse(good, sizeof(good), &x, &mem, &msg), ST_NO_MEMORY);
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_emits),
        cmocka_unit_test(reserved_and_masked_bits_are_ignored),
        cmocka_unit_test(refuses),
        cmocka_unit_test(every_prefix_and_flip_gets_a_verdict),
        cmocka_unit_test(emitting_checks_too),
        cmocka_unit_test(long_numbers),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
