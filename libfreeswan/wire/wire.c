/* The descriptor engine. One walk over the rows of a table for each of the three jobs. Parsing narrows the
 * end of the input at each WK_LENGTH row, so that no row can look beyond its own structure; everything it
 * allocates comes from the caller's arena and is bounded by the octets that are really there.
 */
#include "libfreeswan/wire/wire.h"
#include "libstrongswan/base/text.h"

enum { PRINT_OCTETS = 64, FIRST_ITEMS = 4 };

typedef struct parser {
    arena *mem;
    msgbuf *msg;
    unsigned depth;
} parser;

static uint64_t read_uint(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v = v << 8 | p[i];
    return v;
}

static void put_uint(buf *out, uint64_t v, unsigned width)
{
    for (unsigned i = width; i > 0; i--)
        buf_put_u8(out, (uint8_t)(v >> (8 * (i - 1))));
}

/* A C member is as wide as its field; memcpy because offsets come from a table. */
static void store_member(void *member, uint64_t v, unsigned width)
{
    switch (width) {
    case 1:
        memcpy(member, &(uint8_t){(uint8_t)v}, 1);
        break;
    case 2:
        memcpy(member, &(uint16_t){(uint16_t)v}, 2);
        break;
    case 4:
        memcpy(member, &(uint32_t){(uint32_t)v}, 4);
        break;
    default:
        memcpy(member, &v, 8);
        break;
    }
}

static uint64_t load_member(const void *member, unsigned width)
{
    uint8_t v1;
    uint16_t v2;
    uint32_t v4;
    uint64_t v8;
    switch (width) {
    case 1:
        memcpy(&v1, member, 1);
        return v1;
    case 2:
        memcpy(&v2, member, 2);
        return v2;
    case 4:
        memcpy(&v4, member, 4);
        return v4;
    default:
        memcpy(&v8, member, 8);
        return v8;
    }
}

static uint64_t width_max(unsigned width)
{
    return width >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * width)) - 1;
}

static bool in_limits(const wire_field *f, uint64_t v)
{
    return v >= f->min && (f->max == 0 || v <= f->max);
}

/* ---- parsing ---- */

static status parse_struct(parser *ps, const wire_table *t, span in, void *out, size_t *used, uint8_t *more);

static status too_short(parser *ps, const wire_table *t, const wire_field *f)
{
    return msg_fail(ps->msg, ST_INVALID, "%s: ends before field '%s'", t->name, f->name);
}

static status parse_attr(parser *ps, const wire_table *t, const wire_field *f, span in, void *out,
                         size_t *used)
{
    wire_attr a = {0};
    if (in.n < 4)
        return too_short(ps, t, f);
    uint16_t type = get_u16(in.p);
    a.type = type & 0x7fff;
    a.tv = (type & 0x8000) != 0;
    *used = 4;
    if (a.tv) {
        a.value = get_u16(in.p + 2);
    } else {
        size_t n = get_u16(in.p + 2);
        if (n > in.n - 4)
            return msg_fail(ps->msg, ST_INVALID, "%s: attribute %u of %zu octets goes beyond the end",
                            t->name, a.type, n);
        a.data = span_of(in.p + 4, n);
        *used = 4 + n;
    }
    memcpy((uint8_t *)out + f->offset, &a, sizeof(a));
    return ST_OK;
}

static status grow_items(parser *ps, const wire_table *sub, uint8_t **items, size_t n, size_t *cap)
{
    if (n < *cap)
        return ST_OK;
    size_t want = *cap ? *cap * 2 : FIRST_ITEMS;
    uint8_t *bigger = arena_array(ps->mem, want, sub->size);
    if (!bigger)
        return ST_NO_MEMORY;
    if (n)
        memcpy(bigger, *items, n * sub->size);
    *items = bigger;
    *cap = want;
    return ST_OK;
}

/* count: as announced, SIZE_MAX: until the end. */
static status parse_list(parser *ps, const wire_table *t, const wire_field *f, span in, size_t count,
                         wire_list *list, size_t *used)
{
    const wire_table *sub = f->sub;
    uint8_t *items = NULL;
    size_t n = 0, cap = 0, at = 0;
    status st;
    bool announced = count != SIZE_MAX;
    if (ps->depth >= WIRE_MAX_DEPTH)
        return msg_fail(ps->msg, ST_LIMIT, "%s: nested too deeply", t->name);
    if (announced && count > in.n)
        return msg_fail(ps->msg, ST_INVALID, "%s: %zu %s announced, %zu octets there", t->name, count,
                        f->name, in.n);
    ps->depth++;
    while (announced ? n < count : at < in.n) {
        uint8_t more = 0;
        size_t item = 0;
        if (n >= WIRE_MAX_ITEMS)
            return msg_fail(ps->msg, ST_LIMIT, "%s: more than %u %s", t->name, (unsigned)WIRE_MAX_ITEMS,
                            f->name);
        if ((st = grow_items(ps, sub, &items, n, &cap)) != ST_OK)
            return st;
        if ((st = parse_struct(ps, sub, span_skip(in, at), items + n * sub->size, &item, &more)) != ST_OK)
            return st;
        at += item;
        n++;
        bool last = announced ? n == count : at == in.n;
        if (more != UINT8_MAX && (more != 0) == last)
            return msg_fail(ps->msg, ST_INVALID, "%s: %s %zu says %s, but %s", t->name, f->name, n,
                            more ? "another follows" : "it is the last",
                            last ? "it is the last" : "another follows");
    }
    ps->depth--;
    if (!in_limits(f, n))
        return msg_fail(ps->msg, ST_INVALID, "%s: %zu %s", t->name, n, f->name);
    list->items = items;
    list->n = n;
    *used = at;
    return ST_OK;
}

static status parse_span(parser *ps, const wire_table *t, const wire_field *f, span in, size_t n, void *out)
{
    if (n > in.n)
        return msg_fail(ps->msg, ST_INVALID, "%s: '%s' of %zu octets goes beyond the end", t->name, f->name,
                        n);
    if (!in_limits(f, n))
        return msg_fail(ps->msg, ST_INVALID, "%s: '%s' has %zu octets", t->name, f->name, n);
    span s = span_of(in.p, n);
    memcpy((uint8_t *)out + f->offset, &s, sizeof(s));
    return ST_OK;
}

/* One fixed-width row. *end moves for WK_LENGTH. */
static status parse_number(parser *ps, const wire_table *t, const wire_field *f, span in, size_t at,
                           size_t *end, void *out, uint8_t *more)
{
    uint8_t *member = (uint8_t *)out + f->offset;
    uint64_t v = read_uint(in.p + at, f->width);
    switch (f->kind) {
    case WK_UINT:
        if (!in_limits(f, v))
            return msg_fail(ps->msg, ST_INVALID, "%s: '%s' is %llu", t->name, f->name, (unsigned long long)v);
        store_member(member, v, f->width);
        break;
    case WK_BITS:
        store_member(member, v & f->max, f->width);
        break;
    case WK_LENGTH:
        if (v < at + f->width || v > *end)
            return msg_fail(ps->msg, ST_INVALID, "%s: length %llu, %zu octets there", t->name,
                            (unsigned long long)v, *end);
        *end = (size_t)v;
        break;
    case WK_MORE:
        if (v != 0 && v != f->max)
            return msg_fail(ps->msg, ST_INVALID, "%s: next structure %llu", t->name, (unsigned long long)v);
        *more = (uint8_t)v;
        break;
    case WK_COUNT: {
        wire_list l = {NULL, (size_t)v};
        memcpy(member, &l, sizeof(l));
        break;
    }
    case WK_SIZE: {
        span s = {NULL, (size_t)v};
        memcpy(member, &s, sizeof(s));
        break;
    }
    default: /* WK_RESERVED: ignored on receipt */
        break;
    }
    return ST_OK;
}

/* One row of variable length. *used: octets taken. */
static status parse_variable(parser *ps, const wire_table *t, const wire_field *f, span rest, void *out,
                             size_t *used)
{
    uint8_t *member = (uint8_t *)out + f->offset;
    wire_list list = {0};
    span s = SPAN_NULL;
    status st;
    switch (f->kind) {
    case WK_BYTES:
        memcpy(&s, member, sizeof(s));
        *used = s.n;
        return parse_span(ps, t, f, rest, s.n, out);
    case WK_REST:
        *used = rest.n;
        return parse_span(ps, t, f, rest, rest.n, out);
    case WK_ATTR:
        return parse_attr(ps, t, f, rest, out, used);
    default: /* WK_LIST, WK_ITEMS */
        memcpy(&list, member, sizeof(list));
        st = parse_list(ps, t, f, rest, f->kind == WK_LIST ? list.n : SIZE_MAX, &list, used);
        if (st == ST_OK)
            memcpy(member, &list, sizeof(list));
        return st;
    }
}

/* *used: octets of the structure. *more: value of the WK_MORE row, UINT8_MAX without one. */
static status parse_struct(parser *ps, const wire_table *t, span in, void *out, size_t *used, uint8_t *more)
{
    size_t at = 0, end = in.n;
    bool bounded = false;
    status st;
    memset(out, 0, t->size);
    *more = UINT8_MAX;
    for (size_t i = 0; i < t->n; i++) {
        const wire_field *f = &t->fields[i];
        size_t taken = f->width;
        if (f->width > end - at)
            return too_short(ps, t, f);
        if (f->width)
            st = parse_number(ps, t, f, in, at, &end, out, more);
        else
            st = parse_variable(ps, t, f, span_of(in.p + at, end - at), out, &taken);
        if (st != ST_OK)
            return st;
        at += taken;
        bounded = bounded || f->kind == WK_LENGTH;
    }
    if (bounded && at != end)
        return msg_fail(ps->msg, ST_INVALID, "%s: %zu octets behind its end", t->name, end - at);
    *used = at;
    return ST_OK;
}

status wire_parse(const wire_table *t, span in, void *out, arena *mem, msgbuf *msg)
{
    parser ps = {mem, msg, 0};
    size_t used = 0;
    uint8_t more;
    status st = parse_struct(&ps, t, in, out, &used, &more);
    if (st == ST_NO_MEMORY)
        return msg_fail(msg, st, "%s: out of memory", t->name);
    if (st == ST_OK && used != in.n)
        return msg_fail(msg, ST_INVALID, "%s: %zu octets behind its end", t->name, in.n - used);
    return st;
}

/* ---- emitting ---- */

static status emit_struct(const wire_table *t, const void *obj, bool last, buf *out);

static status emit_attr(const wire_attr *a, buf *out)
{
    if (a->type > 0x7fff || a->data.n > UINT16_MAX)
        return ST_INVALID;
    buf_put_u16(out, a->tv ? a->type | 0x8000 : a->type);
    buf_put_u16(out, a->tv ? a->value : (uint16_t)a->data.n);
    if (!a->tv)
        buf_put(out, a->data);
    return ST_OK;
}

static status emit_list(const wire_field *f, const wire_list *list, buf *out)
{
    status st;
    if (!in_limits(f, list->n))
        return ST_INVALID;
    for (size_t i = 0; i < list->n; i++)
        if ((st = emit_struct(f->sub, (const uint8_t *)list->items + i * f->sub->size, i + 1 == list->n,
                              out)) != ST_OK)
            return st;
    return ST_OK;
}

static status emit_number(const wire_field *f, const uint8_t *member, bool last, buf *out)
{
    uint64_t v = 0;
    wire_list list;
    span s;
    switch (f->kind) {
    case WK_UINT:
        v = load_member(member, f->width);
        if (!in_limits(f, v))
            return ST_INVALID;
        break;
    case WK_BITS:
        v = load_member(member, f->width);
        if (v & ~(uint64_t)f->max)
            return ST_INVALID;
        break;
    case WK_MORE:
        v = last ? 0 : f->max;
        break;
    case WK_COUNT:
        memcpy(&list, member, sizeof(list));
        v = list.n;
        break;
    case WK_SIZE:
        memcpy(&s, member, sizeof(s));
        v = s.n;
        break;
    default: /* WK_RESERVED, and WK_LENGTH: patched later */
        break;
    }
    if (v > width_max(f->width))
        return ST_INVALID;
    put_uint(out, v, f->width);
    return ST_OK;
}

static status emit_variable(const wire_field *f, const uint8_t *member, buf *out)
{
    wire_attr a;
    wire_list list;
    span s;
    switch (f->kind) {
    case WK_ATTR:
        memcpy(&a, member, sizeof(a));
        return emit_attr(&a, out);
    case WK_LIST:
    case WK_ITEMS:
        memcpy(&list, member, sizeof(list));
        return emit_list(f, &list, out);
    default: /* WK_BYTES, WK_REST */
        memcpy(&s, member, sizeof(s));
        if (!in_limits(f, s.n))
            return ST_INVALID;
        buf_put(out, s);
        return ST_OK;
    }
}

static status emit_struct(const wire_table *t, const void *obj, bool last, buf *out)
{
    size_t start = out->n, length_at = 0;
    unsigned length_width = 0;
    status st;
    for (size_t i = 0; i < t->n; i++) {
        const wire_field *f = &t->fields[i];
        const uint8_t *member = (const uint8_t *)obj + f->offset;
        if (f->kind == WK_LENGTH) {
            length_at = out->n;
            length_width = f->width;
        }
        if ((st = f->width ? emit_number(f, member, last, out) : emit_variable(f, member, out)) != ST_OK)
            return st;
    }
    if (!buf_ok(out))
        return ST_NO_MEMORY;
    if (length_width && out->n - start > width_max(length_width))
        return ST_INVALID;
    if (length_width == 2)
        buf_patch_u16(out, length_at, (uint16_t)(out->n - start));
    else if (length_width == 4)
        buf_patch_u32(out, length_at, (uint32_t)(out->n - start));
    else if (length_width == 1)
        buf_patch_u8(out, length_at, (uint8_t)(out->n - start));
    return ST_OK;
}

status wire_emit(const wire_table *t, const void *obj, buf *out)
{
    return emit_struct(t, obj, true, out);
}

/* ---- printing ---- */

static void print_indent(buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buf_put_str(out, "  ");
}

static void print_number(buf *out, uint64_t v, const enum_names *names)
{
    const char *name = names ? enum_lookup(names, (uint32_t)v) : NULL;
    buf_printf(out, name ? "%llu (%s)\n" : "%llu\n", (unsigned long long)v, name);
}

static void print_bytes(buf *out, span s)
{
    buf_printf(out, "%zu octets ", s.n);
    text_put_hex(out, span_take(s, PRINT_OCTETS), 0);
    buf_put_str(out, s.n > PRINT_OCTETS ? "...\n" : "\n");
}

static void print_attr(buf *out, const wire_field *f, const wire_attr *a)
{
    const char *name = f->names ? enum_lookup(f->names, a->type) : NULL;
    buf_printf(out, name ? "attribute %u (%s) = " : "attribute %u = ", a->type, name);
    if (a->tv)
        buf_printf(out, "%u\n", a->value);
    else
        print_bytes(out, a->data);
}

static void print_list(buf *out, const wire_field *f, const wire_list *list, unsigned depth)
{
    buf_printf(out, "%s: %zu\n", f->name, list->n);
    for (size_t i = 0; i < list->n; i++) {
        if (f->sub->n > 1 || f->sub->fields[0].kind != WK_ATTR) {
            print_indent(out, depth + 1);
            buf_printf(out, "%s %zu\n", f->sub->name, i + 1);
        }
        wire_print(f->sub, (const uint8_t *)list->items + i * f->sub->size, out, depth + 2);
    }
}

void wire_print(const wire_table *t, const void *obj, buf *out, unsigned depth)
{
    for (size_t i = 0; i < t->n; i++) {
        const wire_field *f = &t->fields[i];
        const uint8_t *member = (const uint8_t *)obj + f->offset;
        wire_list list;
        wire_attr a;
        span s;
        if (f->kind == WK_RESERVED || f->kind == WK_LENGTH || f->kind == WK_MORE || f->kind == WK_COUNT ||
            f->kind == WK_SIZE)
            continue;
        print_indent(out, depth);
        switch (f->kind) {
        case WK_UINT:
        case WK_BITS:
            buf_printf(out, "%s = ", f->name);
            print_number(out, load_member(member, f->width), f->names);
            break;
        case WK_ATTR:
            memcpy(&a, member, sizeof(a));
            print_attr(out, f, &a);
            break;
        case WK_LIST:
        case WK_ITEMS:
            memcpy(&list, member, sizeof(list));
            print_list(out, f, &list, depth);
            break;
        default:
            memcpy(&s, member, sizeof(s));
            buf_printf(out, "%s = ", f->name);
            print_bytes(out, s);
            break;
        }
    }
}

/* ---- attributes ---- */

bool wire_attr_u32(const wire_attr *a, uint32_t *out)
{
    span s = a->data;
    if (a->tv) {
        *out = a->value;
        return true;
    }
    while (s.n && s.p[0] == 0)
        s = span_skip(s, 1);
    if (s.n > 4)
        return false;
    *out = (uint32_t)read_uint(s.p, (unsigned)s.n);
    return true;
}

wire_attr wire_attr_tv(uint16_t type, uint16_t value)
{
    return (wire_attr){.type = type, .tv = true, .value = value};
}

wire_attr wire_attr_tlv(uint16_t type, span data)
{
    return (wire_attr){.type = type, .data = data};
}

const wire_attr *wire_attr_find(const wire_list *attrs, uint16_t type)
{
    for (size_t i = 0; i < attrs->n; i++)
        if (WIRE_AT(*attrs, wire_attr, i)->type == type)
            return WIRE_AT(*attrs, wire_attr, i);
    return NULL;
}
