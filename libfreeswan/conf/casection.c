/* `ca` sections: the same life as a conn's, with fewer members. */
#include "libfreeswan/conf/conn.h"

#include "libfreeswan/conf/fields.h"

#include <stdlib.h>

enum { CA_MEM = 64 * 1024 };

#define F(tag, kind, member)                                                                                 \
    {                                                                                                        \
        (tag), FIELD_##kind, offsetof(ca_section, member), 0, 0                                              \
    }
// clang-format off
static const field ca_fields[] = {
    F( 1, STR,  name),     F( 2, BOOL, autoadd), F( 3, BOOL, strictcrl), F( 4, STR, cacert),  F( 5, STR, ldaphost),
    F( 6, STR,  ldapbase), F( 7, STR,  crluri),  F( 8, STR,  crluri2),   F( 9, STR, ocspuri), F(10, STR, ocspuri2),
    F(11, STR,  certuribase),
};
// clang-format on
enum { N_FIELDS = sizeof(ca_fields) / sizeof(ca_fields[0]) };

static ca_section *ca_alloc(void)
{
    ca_section *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    ref_init(&c->refs);
    arena_init(&c->mem, CA_MEM);
    return c;
}

status ca_section_new(ca_section **out, const char *name)
{
    ca_section *c = ca_alloc();
    if (!c)
        return ST_NO_MEMORY;
    c->name = arena_str(&c->mem, span_str(name));
    if (!c->name) {
        ca_section_unref(c);
        return ST_NO_MEMORY;
    }
    *out = c;
    return ST_OK;
}

ca_section *ca_section_ref(ca_section *c)
{
    ref_get(&c->refs);
    return c;
}

void ca_section_unref(ca_section *c)
{
    if (c && ref_put(&c->refs)) {
        arena_free(&c->mem);
        free(c);
    }
}

bool ca_section_equal(const ca_section *a, const ca_section *b)
{
    return fields_equal(a, b, ca_fields, N_FIELDS);
}

status ca_section_encode(const ca_section *c, buf *out)
{
    return fields_encode(c, ca_fields, N_FIELDS, 0, out);
}

status ca_section_decode(ca_section **out, span body, msgbuf *msg)
{
    cursor in = cursor_of(body);
    uint32_t seen = 0;
    uint16_t tag;
    span value;
    ca_section *c = ca_alloc();
    if (!c)
        return ST_NO_MEMORY;
    status st = ST_OK;
    while (!st && fields_next(&in, &tag, &value)) {
        if (tag < 1 || tag > N_FIELDS)
            continue;
        if (seen & (1u << tag))
            st = msg_fail(msg, ST_INVALID, "field %u appears twice", tag);
        else if ((st = field_decode(c, &ca_fields[tag - 1], value, &c->mem)) != ST_OK)
            msg_set(msg, "field %u has a wrong length or value", tag);
        seen |= 1u << tag;
    }
    if (!st && (in.failed || !c->name || !c->name[0]))
        st = msg_fail(msg, ST_INVALID, "the description of the ca section is cut short or has no name");
    if (st)
        ca_section_unref(c);
    else
        *out = c;
    return st;
}
