/* Identities: from text and wire to one immutable reference-counted value, back to text, and comparison. The
 * bytes held are those of the wire; what a text form means is decided here and nowhere else.
 */
#include "libstrongswan/cred/ident.h"
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/der.h"
#include "libstrongswan/cred/dn.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct ident {
    refcount refs;
    id_type type;
    size_t n;
    uint8_t data[];
};

enum { ID_MAX_BYTES = 16384 };

// clang-format off
ENUM_NAMES(id_type_names,
    {ID_ANY, "ID_ANY"}, {ID_IPV4_ADDR, "ID_IPV4_ADDR"}, {ID_FQDN, "ID_FQDN"}, {ID_USER_FQDN, "ID_USER_FQDN"},
    {ID_IPV4_ADDR_SUBNET, "ID_IPV4_ADDR_SUBNET"}, {ID_IPV6_ADDR, "ID_IPV6_ADDR"},
    {ID_IPV6_ADDR_SUBNET, "ID_IPV6_ADDR_SUBNET"}, {ID_IPV4_ADDR_RANGE, "ID_IPV4_ADDR_RANGE"},
    {ID_IPV6_ADDR_RANGE, "ID_IPV6_ADDR_RANGE"}, {ID_DER_ASN1_DN, "ID_DER_ASN1_DN"},
    {ID_DER_ASN1_GN, "ID_DER_ASN1_GN"}, {ID_KEY_ID, "ID_KEY_ID"});
// clang-format on

/* ---- life ---- */

/* %any is needed where nothing may fail, so it is always there. Its first reference is never given back. */
static ident any = {.refs = {1}, .type = ID_ANY};

static status make(ident **out, id_type type, span data)
{
    ident *id = malloc(sizeof(*id) + data.n);
    if (!id)
        return ST_NO_MEMORY;
    ref_init(&id->refs);
    id->type = type;
    id->n = data.n;
    if (data.n)
        memcpy(id->data, data.p, data.n);
    *out = id;
    return ST_OK;
}

ident *ident_any(void)
{
    return ident_ref(&any);
}

ident *ident_ref(ident *id)
{
    if (id)
        ref_get(&id->refs);
    return id;
}

void ident_unref(ident *id)
{
    if (id && ref_put(&id->refs))
        free(id);
}

id_type ident_type(const ident *id)
{
    return id->type;
}

span ident_data(const ident *id)
{
    return span_of(id->data, id->n);
}

/* ---- from the wire ---- */

/* Octets an identity of this type has; 0 = any number. */
static size_t exact_bytes(uint8_t type)
{
    switch (type) {
    case ID_IPV4_ADDR:
        return 4;
    case ID_IPV4_ADDR_SUBNET:
    case ID_IPV4_ADDR_RANGE:
        return 8;
    case ID_IPV6_ADDR:
        return 16;
    case ID_IPV6_ADDR_SUBNET:
    case ID_IPV6_ADDR_RANGE:
        return 32;
    }
    return 0;
}

status ident_from_wire(ident **out, uint8_t type, span data, msgbuf *msg)
{
    *out = NULL;
    const char *name = enum_lookup(&id_type_names, type);
    if (!name || type == ID_ANY)
        return msg_fail(msg, ST_INVALID, "identity of unknown type %u", type);
    size_t want = exact_bytes(type);
    if (want && data.n != want)
        return msg_fail(msg, ST_INVALID, "%s of %zu octets instead of %zu", name, data.n, want);
    if (data.n == 0)
        return msg_fail(msg, ST_INVALID, "empty identity of type %s", name);
    if (data.n > ID_MAX_BYTES)
        return msg_fail(msg, ST_LIMIT, "%s of %zu octets is too long", name, data.n);
    if (type == ID_DER_ASN1_DN && !dn_valid(data))
        return msg_fail(msg, ST_INVALID, "identity of type %s holds no well-formed distinguished name", name);
    uint8_t tag;
    span rest = data, body;
    if (type == ID_DER_ASN1_GN && (!der_next(&rest, &tag, &body) || rest.n))
        return msg_fail(msg, ST_INVALID, "identity of type %s holds no well-formed general name", name);
    return make(out, type, data);
}

/* ---- from text ---- */

static status from_dn(ident **out, const char *text, msgbuf *msg)
{
    buf der = {0};
    status st = dn_from_text(&der, text, msg);
    if (st == ST_OK)
        st = make(out, ID_DER_ASN1_DN, buf_span(&der));
    buf_free(&der);
    return st;
}

static status from_hex(ident **out, id_type type, span text, msgbuf *msg)
{
    char shown[100];
    buf b = {0};
    status st = text_parse_hex(&b, text);
    if (st == ST_INVALID || (st == ST_OK && b.n == 0))
        st = msg_fail(msg, ST_INVALID, "'%s' is not a hexadecimal identity",
                      text_quote(text, shown, sizeof(shown)));
    if (st == ST_OK)
        st = ident_from_wire(out, (uint8_t)type, buf_span(&b), msg);
    buf_free(&b);
    return st;
}

static status from_address(ident **out, int family, const char *text, msgbuf *msg)
{
    uint8_t b[16];
    char shown[100];
    bool v4 = family == AF_INET;
    if (inet_pton(family, text, b) != 1)
        return msg_fail(msg, ST_INVALID, "'%s' is not an %s address",
                        text_quote(span_str(text), shown, sizeof(shown)), v4 ? "IPv4" : "IPv6");
    return make(out, v4 ? ID_IPV4_ADDR : ID_IPV6_ADDR, span_of(b, v4 ? 4 : 16));
}

static status from_string(ident **out, id_type type, span text, msgbuf *msg)
{
    if (text.n == 0)
        return msg_fail(msg, ST_INVALID, "empty identity");
    if (text.n > ID_MAX_BYTES)
        return msg_fail(msg, ST_LIMIT, "an identity of %zu octets is too long", text.n);
    return make(out, type, text);
}

static bool looks_like_ipv4(const char *text)
{
    return strspn(text, "0123456789.") == strlen(text) && strchr(text, '.');
}

/* "fqdn:gw.example.net": the type said in front, as later releases write it */
static bool from_prefixed(ident **out, const char *text, status *st, msgbuf *msg)
{
    static const struct {
        const char *prefix;
        id_type type;
    } prefixes[] = {
        {"fqdn:", ID_FQDN},          {"dns:", ID_FQDN},       {"email:", ID_USER_FQDN},
        {"rfc822:", ID_USER_FQDN},   {"keyid:", ID_KEY_ID},   {"ipv4:", ID_IPV4_ADDR},
        {"userfqdn:", ID_USER_FQDN}, {"ipv6:", ID_IPV6_ADDR}, {"asn1dn:", ID_DER_ASN1_DN},
    };
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t n = strlen(prefixes[i].prefix);
        if (strncasecmp(text, prefixes[i].prefix, n))
            continue;
        id_type type = prefixes[i].type;
        const char *value = text + n;
        if (type == ID_IPV4_ADDR || type == ID_IPV6_ADDR)
            *st = from_address(out, type == ID_IPV4_ADDR ? AF_INET : AF_INET6, value, msg);
        else if (value[0] == '#')
            *st = from_hex(out, type, span_str(value + 1), msg);
        else if (type == ID_DER_ASN1_DN)
            *st = from_dn(out, value, msg);
        else
            *st = from_string(out, type, span_str(value), msg);
        return true;
    }
    return false;
}

static bool is_any_text(const char *text)
{
    static const char *const words[] = {"%any", "%any4", "%any6", "*", "0.0.0.0", "::", "0::0"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcasecmp(text, words[i]))
            return true;
    return false;
}

static status from_trimmed(ident **out, const char *text, msgbuf *msg)
{
    status st;
    char shown[100];
    span s = span_str(text);
    if (text[0] == '@' && (text[1] == '#' || text[1] == '~'))
        return from_hex(out, text[1] == '#' ? ID_KEY_ID : ID_DER_ASN1_DN, span_skip(s, 2), msg);
    if (text[0] == '@' && text[1] == '[')
        return text[s.n - 1] == ']' && s.n > 3
                   ? from_string(out, ID_KEY_ID, span_of(text + 2, s.n - 3), msg)
                   : msg_fail(msg, ST_INVALID, "'%s' is not of the form @[key-id]",
                              text_quote(s, shown, sizeof(shown)));
    if (from_prefixed(out, text, &st, msg))
        return st;
    if (strchr(text, '='))
        return from_dn(out, text + (text[0] == '@'), msg);
    if (is_any_text(text)) {
        *out = ident_any();
        return ST_OK;
    }
    if (text[0] == '%')
        return msg_fail(msg, ST_INVALID, "'%s' is not an identity", text_quote(s, shown, sizeof(shown)));
    if (text[0] == '@')
        return from_string(out, ID_FQDN, span_skip(s, 1), msg);
    if (strchr(text, '@'))
        return from_string(out, ID_USER_FQDN, s, msg);
    if (strchr(text, ':'))
        return from_address(out, AF_INET6, text, msg);
    if (looks_like_ipv4(text))
        return from_address(out, AF_INET, text, msg);
    return from_string(out, ID_FQDN, s, msg);
}

status ident_from_text(ident **out, const char *text, msgbuf *msg)
{
    *out = NULL;
    span s = span_trim(span_str(text));
    if (s.n == 0)
        return msg_fail(msg, ST_INVALID, "empty identity");
    char *copy = span_dup_cstr(s);
    if (!copy)
        return ST_NO_MEMORY;
    status st = from_trimmed(out, copy, msg);
    free(copy);
    return st;
}

/* ---- to text ---- */

static void put_address(buf *b, int family, const uint8_t *p)
{
    char text[INET6_ADDRSTRLEN];
    buf_put_str(b, inet_ntop(family, p, text, sizeof(text)) ? text : "?");
}

/* Leading one bits of a mask, -1 if ones follow a zero. */
static int mask_bits(const uint8_t *p, size_t n)
{
    size_t bits = 0;
    while (bits < n * 8 && (p[bits / 8] >> (7 - bits % 8) & 1))
        bits++;
    for (size_t i = bits; i < n * 8; i++)
        if (p[i / 8] >> (7 - i % 8) & 1)
            return -1;
    return (int)bits;
}

static void put_subnet(buf *b, int family, const uint8_t *p, size_t n)
{
    int bits = mask_bits(p + n, n);
    put_address(b, family, p);
    buf_put_u8(b, '/');
    if (bits >= 0)
        buf_printf(b, "%d", bits);
    else
        put_address(b, family, p + n);
}

static void put_range(buf *b, int family, const uint8_t *p, size_t n)
{
    put_address(b, family, p);
    buf_put_u8(b, '-');
    put_address(b, family, p + n);
}

static char *to_text(const ident *id, bool pluto, char *dst, size_t size)
{
    buf b = {0};
    span data = ident_data(id);
    if (id->type == ID_DER_ASN1_DN)
        return dn_text(data, dst, size);
    switch (id->type) {
    case ID_ANY:
        buf_put_str(&b, "%any");
        break;
    case ID_IPV4_ADDR:
        put_address(&b, AF_INET, id->data);
        break;
    case ID_IPV6_ADDR:
        put_address(&b, AF_INET6, id->data);
        break;
    case ID_IPV4_ADDR_SUBNET:
        put_subnet(&b, AF_INET, id->data, 4);
        break;
    case ID_IPV6_ADDR_SUBNET:
        put_subnet(&b, AF_INET6, id->data, 16);
        break;
    case ID_IPV4_ADDR_RANGE:
        put_range(&b, AF_INET, id->data, 4);
        break;
    case ID_IPV6_ADDR_RANGE:
        put_range(&b, AF_INET6, id->data, 16);
        break;
    case ID_FQDN:
        if (pluto)
            buf_put_u8(&b, '@');
        text_put_quoted(&b, data);
        break;
    case ID_KEY_ID:
        if (pluto)
            buf_put_str(&b, "@#");
        text_put_hex(&b, data, pluto ? 0 : ':');
        break;
    case ID_DER_ASN1_GN:
        text_put_hex(&b, data, ':');
        break;
    case ID_USER_FQDN:
    case ID_DER_ASN1_DN:
        text_put_quoted(&b, data);
        break;
    }
    span_cstr(buf_span(&b), dst, size);
    buf_free(&b);
    return dst;
}

char *ident_text(const ident *id, char *dst, size_t size)
{
    return to_text(id, false, dst, size);
}

char *ident_text_pluto(const ident *id, char *dst, size_t size)
{
    return to_text(id, true, dst, size);
}

/* ---- comparison ---- */

static span without_trailing_dots(span s)
{
    while (s.n && s.p[s.n - 1] == '.')
        s.n--;
    return s;
}

bool ident_equal(const ident *a, const ident *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->type != b->type)
        return false;
    span x = ident_data(a), y = ident_data(b);
    if (a->type == ID_FQDN || a->type == ID_USER_FQDN)
        return span_equal_nocase(without_trailing_dots(x), without_trailing_dots(y));
    if (a->type == ID_DER_ASN1_DN)
        return dn_equal(x, y);
    return span_equal(x, y);
}

static bool starts_with_star(const ident *id)
{
    return (id->type == ID_FQDN || id->type == ID_USER_FQDN) && id->n && id->data[0] == '*';
}

bool ident_has_wildcards(const ident *id)
{
    return id->type == ID_ANY || starts_with_star(id) ||
           (id->type == ID_DER_ASN1_DN && dn_has_wildcards(ident_data(id)));
}

int ident_match(const ident *id, const ident *pattern)
{
    if (!id || !pattern)
        return ID_MATCH_NONE;
    if (pattern->type == ID_ANY)
        return id->type == ID_ANY ? ID_MATCH_PERFECT : ID_MATCH_ANY;
    if (id->type != pattern->type)
        return ID_MATCH_NONE;
    if (id->type == ID_DER_ASN1_DN) {
        int wildcards = dn_match(ident_data(id), ident_data(pattern));
        if (wildcards < 0)
            return ID_MATCH_NONE;
        if (wildcards == 0 || ident_equal(id, pattern))
            return ID_MATCH_PERFECT;
        int points = ID_MATCH_MAX_WILDCARDS + 1 - wildcards;
        return points > ID_MATCH_ANY ? points : ID_MATCH_ANY + 1;
    }
    if (ident_equal(id, pattern))
        return ID_MATCH_PERFECT;
    if (starts_with_star(pattern)) {
        span tail = without_trailing_dots(span_skip(ident_data(pattern), 1));
        span whole = without_trailing_dots(ident_data(id));
        if (whole.n > tail.n && span_equal_nocase(span_skip(whole, whole.n - tail.n), tail))
            return ID_MATCH_MAX_WILDCARDS;
    }
    return ID_MATCH_NONE;
}
