/* The little engine behind conn_encode(), conn_decode() and conn_equal(): it walks a table of members, so
 * that a new keyword's member is written down once.
 */
#include "libfreeswan/conf/fields.h"

static const void *at(const void *object, size_t offset)
{
    return (const char *)object + offset;
}

static uint64_t number_of(const void *object, const field *f)
{
    const void *p = at(object, f->offset);
    switch (f->kind) {
    case FIELD_BOOL:
        return *(const bool *)p;
    case FIELD_U8:
        return *(const uint8_t *)p;
    case FIELD_U16:
        return *(const uint16_t *)p;
    case FIELD_U32:
        return *(const uint32_t *)p;
    case FIELD_U64:
        return *(const uint64_t *)p;
    default:
        return 0;
    }
}

static void set_number(void *object, const field *f, uint64_t v)
{
    void *p = (char *)object + f->offset;
    switch (f->kind) {
    case FIELD_BOOL:
        *(bool *)p = v != 0;
        break;
    case FIELD_U8:
        *(uint8_t *)p = (uint8_t)v;
        break;
    case FIELD_U16:
        *(uint16_t *)p = (uint16_t)v;
        break;
    case FIELD_U32:
        *(uint32_t *)p = (uint32_t)v;
        break;
    default:
        *(uint64_t *)p = v;
        break;
    }
}

static size_t number_bytes(field_kind kind)
{
    switch (kind) {
    case FIELD_BOOL:
    case FIELD_U8:
        return 1;
    case FIELD_U16:
        return 2;
    case FIELD_U32:
        return 4;
    case FIELD_U64:
        return 8;
    default:
        return 0;
    }
}

/* ---- encoding ---- */

static void put_header(buf *out, uint16_t tag, size_t n)
{
    buf_put_u16(out, tag);
    buf_put_u32(out, (uint32_t)n);
}

static void put_nets(buf *out, uint16_t tag, const subnet *nets, unsigned n)
{
    size_t total = 0;
    for (unsigned i = 0; i < n; i++)
        total += 2 + addr_bytes(&nets[i].ip);
    put_header(out, tag, total);
    for (unsigned i = 0; i < n; i++) {
        buf_put_u8(out, nets[i].ip.family == AF_INET ? 4 : 6);
        buf_put_u8(out, nets[i].bits);
        buf_put(out, addr_span(&nets[i].ip));
    }
}

static void put_field(buf *out, const void *object, const field *f, uint16_t tag)
{
    const void *p = at(object, f->offset);
    if (f->kind == FIELD_STR) {
        const char *s = *(const char *const *)p;
        if (s) {
            put_header(out, tag, strlen(s));
            buf_put_str(out, s);
        }
    } else if (f->kind == FIELD_ADDR) {
        const ip_addr *a = p;
        if (a->family) {
            put_header(out, tag, addr_bytes(a));
            buf_put(out, addr_span(a));
        }
    } else if (f->kind == FIELD_NETS) {
        unsigned n = *(const unsigned *)at(object, f->offset2);
        if (n)
            put_nets(out, tag, p, n);
    } else {
        uint64_t v = number_of(object, f);
        size_t n = number_bytes(f->kind);
        if (!v)
            return;
        put_header(out, tag, n);
        for (size_t i = n; i-- > 0;)
            buf_put_u8(out, (uint8_t)(v >> 8 * i));
    }
}

status fields_encode(const void *object, const field *table, size_t n, uint16_t tag_base, buf *out)
{
    for (size_t i = 0; i < n; i++)
        put_field(out, object, &table[i], (uint16_t)(tag_base + table[i].tag));
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}

/* ---- comparison ---- */

static bool str_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool field_equal(const void *a, const void *b, const field *f)
{
    const void *pa = at(a, f->offset), *pb = at(b, f->offset);
    if (f->kind == FIELD_STR)
        return str_equal(*(const char *const *)pa, *(const char *const *)pb);
    if (f->kind == FIELD_ADDR)
        return addr_equal(pa, pb);
    if (f->kind != FIELD_NETS)
        return number_of(a, f) == number_of(b, f);
    unsigned n = *(const unsigned *)at(a, f->offset2);
    const subnet *na = pa, *nb = pb;
    if (n != *(const unsigned *)at(b, f->offset2))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (!subnet_equal(&na[i], &nb[i]))
            return false;
    return true;
}

bool fields_equal(const void *a, const void *b, const field *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!field_equal(a, b, &table[i]))
            return false;
    return true;
}

/* ---- decoding ---- */

static status decode_nets(void *object, const field *f, span value)
{
    subnet *nets = (subnet *)(void *)((char *)object + f->offset);
    cursor c = cursor_of(value);
    unsigned n = 0;
    while (c.n) {
        unsigned family = cursor_u8(&c), bits = cursor_u8(&c);
        size_t width = family == 4 ? 4 : family == 6 ? 16 : 0;
        subnet s = {.bits = (uint8_t)bits};
        span ip = cursor_bytes(&c, width);
        if (c.failed || !width || bits > 8 * width || n >= f->max || !addr_from_bytes(&s.ip, ip))
            return ST_INVALID;
        ip_addr first = s.ip, mask = subnet_mask(&s);
        for (size_t i = 0; i < width; i++)
            if (first.b[i] & (uint8_t)~mask.b[i])
                return ST_INVALID;
        nets[n++] = s;
    }
    *(unsigned *)(void *)((char *)object + f->offset2) = n;
    return ST_OK;
}

static status decode_number(void *object, const field *f, span value)
{
    uint64_t v = 0;
    if (value.n != number_bytes(f->kind))
        return ST_INVALID;
    for (size_t i = 0; i < value.n; i++)
        v = v << 8 | value.p[i];
    if ((f->max && v > f->max) || (f->kind == FIELD_BOOL && v > 1) || (f->kind == FIELD_U64 && v > INT64_MAX))
        return ST_INVALID;
    set_number(object, f, v);
    return ST_OK;
}

status field_decode(void *object, const field *f, span value, arena *mem)
{
    void *p = (char *)object + f->offset;
    if (f->kind == FIELD_STR) {
        if (value.n > FIELD_MAX_TEXT || (value.n && memchr(value.p, 0, value.n)))
            return ST_INVALID;
        char *s = arena_str(mem, value);
        if (!s)
            return ST_NO_MEMORY;
        *(const char **)p = s;
        return ST_OK;
    }
    if (f->kind == FIELD_ADDR)
        return addr_from_bytes(p, value) ? ST_OK : ST_INVALID;
    if (f->kind == FIELD_NETS)
        return decode_nets(object, f, value);
    return decode_number(object, f, value);
}

bool fields_next(cursor *c, uint16_t *tag, span *value)
{
    if (!c->n || c->failed)
        return false;
    *tag = cursor_u16(c);
    size_t n = cursor_u32(c);
    *value = cursor_bytes(c, n);
    return !c->failed;
}
