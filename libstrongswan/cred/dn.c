/* Distinguished names: DER <-> text, comparison, wildcards. Pure functions. What is compared is the meaning:
 * the kind of string does not matter, ASCII case and surplus blanks do not matter (RFC 5280 7.1), the lengths
 * of what is left always do.
 */
#include "libstrongswan/cred/dn.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/der.h"
#include <openssl/objects.h>

typedef struct dn_attr {
    const char *name;
    uint8_t n; /* octets of the OID */
    uint8_t oid[11];
    uint8_t tag; /* that new values get if they can; 0: PrintableString or UTF8String */
} dn_attr;

#define X520(number)                                                                                         \
    3,                                                                                                       \
    {                                                                                                        \
        0x55, 0x04, number                                                                                   \
    }
#define PKCS9(number)                                                                                        \
    9,                                                                                                       \
    {                                                                                                        \
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, number                                               \
    }
#define UCL(number)                                                                                          \
    10,                                                                                                      \
    {                                                                                                        \
        0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, number                                         \
    }
#define NETSCAPE(number)                                                                                     \
    9,                                                                                                       \
    {                                                                                                        \
        0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x03, number                                               \
    }
#define EV(number)                                                                                           \
    11,                                                                                                      \
    {                                                                                                        \
        0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3c, 0x02, 0x01, number                                   \
    }

// clang-format off
/* The first name of an OID is the one that is printed. Names are read without regard to case. */
static const dn_attr dn_attrs[] = {
    {"C",  X520(6),  DER_PRINTABLE}, {"countryName", X520(6), DER_PRINTABLE},
    {"O",  X520(10), 0}, {"organizationName", X520(10), 0},
    {"OU", X520(11), 0}, {"organizationalUnitName", X520(11), 0},
    {"CN", X520(3),  0}, {"commonName", X520(3), 0},
    {"L",  X520(7),  0}, {"localityName", X520(7), 0},
    {"ST", X520(8),  0}, {"stateOrProvinceName", X520(8), 0},
    {"S",  X520(4),  0}, {"surname", X520(4), 0},
    {"SN", X520(5),  DER_PRINTABLE}, {"serialNumber", X520(5), DER_PRINTABLE},
    {"STREET", X520(9), 0}, {"streetAddress", X520(9), 0},
    {"T",  X520(12), 0}, {"title", X520(12), 0},
    {"D",  X520(13), 0}, {"description", X520(13), 0},
    {"postalAddress", X520(16), 0},
    {"postalCode", X520(17), 0},
    {"N",  X520(41), 0}, {"name", X520(41), 0},
    {"G",  X520(42), 0}, {"GN", X520(42), 0}, {"givenName", X520(42), 0},
    {"I",  X520(43), 0}, {"initials", X520(43), 0},
    {"generationQualifier", X520(44), 0},
    {"ID", X520(45), 0}, {"x500UniqueIdentifier", X520(45), 0},
    {"dnQualifier", X520(46), DER_PRINTABLE},
    {"pseudonym", X520(65), 0},
    {"businessCategory", X520(15), 0},
    {"E",  PKCS9(1), DER_IA5}, {"Email", PKCS9(1), DER_IA5}, {"emailAddress", PKCS9(1), DER_IA5},
    {"unstructuredName", PKCS9(2), DER_IA5}, {"UN", PKCS9(2), DER_IA5},
    {"unstructuredAddress", PKCS9(8), 0}, {"UA", PKCS9(8), 0},
    {"UID", UCL(1), 0}, {"userid", UCL(1), 0},
    {"DC", UCL(25), DER_IA5}, {"domainComponent", UCL(25), DER_IA5},
    {"EN", NETSCAPE(1), 0}, {"employeeNumber", NETSCAPE(1), 0},
    {"jurisdictionC", EV(3), DER_PRINTABLE}, {"jurisdictionST", EV(2), 0}, {"jurisdictionL", EV(1), 0},
};
// clang-format on
enum { DN_ATTRS = sizeof(dn_attrs) / sizeof(dn_attrs[0]) };

int dn_split(span der, dn_ava avas[DN_MAX_AVAS])
{
    span rdns, set, ava;
    unsigned n = 0, rdn = 0;
    if (der.n > DN_MAX_BYTES || !der_whole(der, DER_SEQUENCE, &rdns))
        return -1;
    for (; rdns.n; rdn++) {
        if (!der_next_is(&rdns, DER_SET, &set) || set.n == 0)
            return -1;
        while (set.n) {
            if (n == DN_MAX_AVAS || !der_next_is(&set, DER_SEQUENCE, &ava))
                return -1;
            dn_ava *a = &avas[n++];
            a->rdn = rdn;
            /* the last octet of an OID ends its last number */
            if (!der_next_is(&ava, DER_OID, &a->oid) || a->oid.n == 0 || (a->oid.p[a->oid.n - 1] & 0x80))
                return -1;
            if (!der_next(&ava, &a->tag, &a->value) || ava.n)
                return -1;
            if ((a->tag == DER_BMP && a->value.n % 2) || (a->tag == DER_UNIVERSAL && a->value.n % 4))
                return -1;
        }
    }
    return (int)n;
}

bool dn_valid(span der)
{
    dn_ava avas[DN_MAX_AVAS];
    return dn_split(der, avas) >= 0;
}

static bool is_text(uint8_t tag)
{
    switch (tag) {
    case DER_UTF8:
    case DER_NUMERIC:
    case DER_PRINTABLE:
    case DER_T61:
    case DER_IA5:
    case DER_VISIBLE:
    case DER_BMP:
    case DER_UNIVERSAL:
        return true;
    }
    return false;
}

/* ---- comparison: both values are read as streams of folded UTF-8 octets ---- */

typedef struct folded {
    span rest;
    uint8_t width; /* octets of one character */
    bool started, blank;
    uint8_t out[4];
    uint8_t out_n, out_i;
} folded;

static folded folded_of(const dn_ava *a)
{
    return (folded){.rest = a->value, .width = a->tag == DER_BMP ? 2 : (a->tag == DER_UNIVERSAL ? 4 : 1)};
}

static void put_utf8(folded *f, uint32_t c)
{
    f->out_i = f->out_n = 0;
    if (f->width == 1 || c < 0x80) {
        f->out[f->out_n++] = (uint8_t)c;
    } else if (c < 0x800) {
        f->out[f->out_n++] = (uint8_t)(0xc0 | c >> 6);
        f->out[f->out_n++] = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        f->out[f->out_n++] = (uint8_t)(0xe0 | c >> 12);
        f->out[f->out_n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        f->out[f->out_n++] = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        f->out[f->out_n++] = (uint8_t)(0xf0 | (c >> 18 & 7));
        f->out[f->out_n++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        f->out[f->out_n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        f->out[f->out_n++] = (uint8_t)(0x80 | (c & 0x3f));
    }
}

/* The next octet, -1 at the end. Leading and trailing blanks vanish, runs of them become one. */
static int folded_next(folded *f)
{
    if (f->out_i < f->out_n)
        return f->out[f->out_i++];
    while (f->rest.n >= f->width) {
        uint32_t c = 0;
        for (unsigned i = 0; i < f->width; i++)
            c = c << 8 | f->rest.p[i];
        if (c == ' ') {
            f->blank = f->started;
            f->rest = span_skip(f->rest, f->width);
            continue;
        }
        f->started = true;
        if (f->blank) { /* give the blank first, the character stays */
            f->blank = false;
            return ' ';
        }
        f->rest = span_skip(f->rest, f->width);
        put_utf8(f, c >= 'A' && c <= 'Z' ? c + 32 : c);
        return f->out[f->out_i++];
    }
    return -1;
}

static bool ava_equal(const dn_ava *a, const dn_ava *b)
{
    if (!span_equal(a->oid, b->oid))
        return false;
    if (!is_text(a->tag) || !is_text(b->tag))
        return a->tag == b->tag && span_equal(a->value, b->value);
    folded x = folded_of(a), y = folded_of(b);
    for (;;) {
        int c = folded_next(&x), d = folded_next(&y);
        if (c != d)
            return false;
        if (c < 0)
            return true;
    }
}

static bool ava_is_wildcard(const dn_ava *a)
{
    return is_text(a->tag) && a->value.n == 1 && a->value.p[0] == '*';
}

/* Both begin an RDN; *i and *j move behind it. Its attributes are a set: any order. */
static int rdn_match(const dn_ava *a, int n_a, int *i, const dn_ava *b, int n_b, int *j, bool wild)
{
    int i0 = *i, j0 = *j, wildcards = 0;
    uint64_t used = 0;
    while (*i < n_a && a[*i].rdn == a[i0].rdn)
        ++*i;
    while (*j < n_b && b[*j].rdn == b[j0].rdn)
        ++*j;
    if (*i - i0 != *j - j0)
        return -1;
    for (int k = j0; k < *j; k++) {
        bool any = wild && ava_is_wildcard(&b[k]), found = false;
        for (int l = i0; l < *i && !found; l++) {
            if (used >> l & 1)
                continue;
            found = any ? span_equal(a[l].oid, b[k].oid) : ava_equal(&a[l], &b[k]);
            if (found)
                used |= (uint64_t)1 << l;
        }
        if (!found)
            return -1;
        wildcards += any;
    }
    return wildcards;
}

static int compare(span x, span y, bool wild)
{
    dn_ava a[DN_MAX_AVAS], b[DN_MAX_AVAS];
    int n_a = dn_split(x, a), n_b = dn_split(y, b), i = 0, j = 0, wildcards = 0;
    if (n_a < 0 || n_b < 0 || n_a != n_b)
        return -1;
    while (i < n_a && j < n_b) {
        int w = rdn_match(a, n_a, &i, b, n_b, &j, wild);
        if (w < 0)
            return -1;
        wildcards += w;
    }
    return i == n_a && j == n_b ? wildcards : -1;
}

bool dn_equal(span a, span b)
{
    return (span_equal(a, b) && dn_valid(a)) || compare(a, b, false) == 0;
}

int dn_match(span der, span pattern)
{
    return compare(der, pattern, true);
}

bool dn_has_wildcards(span der)
{
    dn_ava avas[DN_MAX_AVAS];
    int n = dn_split(der, avas);
    for (int i = 0; i < n; i++)
        if (ava_is_wildcard(&avas[i]))
            return true;
    return false;
}

/* ---- to text ---- */

static bool name_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.';
}

/* Does s start with "NAME="?  Returns the length of NAME, 0 if not. */
static size_t attribute_name(span s)
{
    size_t n = 0, blanks = 0;
    while (n < s.n && name_char(s.p[n]))
        n++;
    while (n + blanks < s.n && s.p[n + blanks] == ' ')
        blanks++;
    return n && n + blanks < s.n && s.p[n + blanks] == '=' ? n : 0;
}

static void put_oid(buf *b, span oid)
{
    for (size_t i = 0; i < DN_ATTRS; i++)
        if (span_equal(oid, span_of(dn_attrs[i].oid, dn_attrs[i].n))) {
            buf_put_str(b, dn_attrs[i].name);
            return;
        }
    uint64_t v = 0;
    for (size_t i = 0, first = 1; i < oid.n; i++) {
        if (v >> 56) { /* larger than any real one */
            buf_put_str(b, ".?");
            return;
        }
        v = v << 7 | (oid.p[i] & 0x7f);
        if (oid.p[i] & 0x80)
            continue;
        if (first) {
            unsigned top = v < 40 ? 0 : (v < 80 ? 1 : 2);
            buf_printf(b, "%u.%llu", top, (unsigned long long)(v - top * 40));
        } else {
            buf_printf(b, ".%llu", (unsigned long long)v);
        }
        first = 0;
        v = 0;
    }
}

/* A value so that dn_from_text() reads it back as one. */
static void put_text_value(buf *b, span v)
{
    size_t from = 0;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        bool blank = c == ' ' && (i == 0 || i == v.n - 1);
        bool first = (c == '"' || c == '#') && i == 0;
        bool separator = (c == '/' || c == '+') && attribute_name(span_trim(span_skip(v, i + 1)));
        if (c != ',' && !blank && !first && !separator)
            continue;
        text_put_quoted(b, span_of(v.p + from, i - from));
        buf_put_str(b, blank ? "\\x20" : "\\"); /* a blank itself might be trimmed away */
        from = i + blank;
    }
    text_put_quoted(b, span_skip(v, from));
}

static void put_value(buf *b, const dn_ava *a)
{
    if (!is_text(a->tag)) {
        buf whole = {0};
        der_put(&whole, a->tag, a->value);
        buf_put_u8(b, '#');
        text_put_hex(b, buf_span(&whole), 0);
        b->failed |= !buf_ok(&whole);
        buf_free(&whole);
    } else if (a->tag == DER_BMP || a->tag == DER_UNIVERSAL) {
        buf utf8 = {0};
        folded f = folded_of(a);
        while (f.rest.n >= f.width) {
            uint32_t c = 0;
            for (unsigned i = 0; i < f.width; i++)
                c = c << 8 | f.rest.p[i];
            f.rest = span_skip(f.rest, f.width);
            put_utf8(&f, c);
            buf_put(&utf8, span_of(f.out, f.out_n));
        }
        put_text_value(b, buf_span(&utf8));
        b->failed |= !buf_ok(&utf8);
        buf_free(&utf8);
    } else {
        put_text_value(b, a->value);
    }
}

char *dn_text(span der, char *dst, size_t size)
{
    dn_ava avas[DN_MAX_AVAS];
    int n = dn_split(der, avas);
    buf b = {0};
    if (n < 0)
        return span_cstr(SPAN_LIT("(invalid DN)"), dst, size);
    for (int i = 0; i < n; i++) {
        if (i)
            buf_put_str(&b, avas[i].rdn == avas[i - 1].rdn ? "+" : ", ");
        put_oid(&b, avas[i].oid);
        buf_put_u8(&b, '=');
        put_value(&b, &avas[i]);
    }
    span_cstr(buf_span(&b), dst, size);
    buf_free(&b);
    return dst;
}

/* ---- from text ---- */

typedef struct dn_word {
    span name;
    buf value;
    bool hex;      /* value began with an unescaped # */
    uint8_t after; /* separator behind it: ',', '/', '+' or 0 */
} dn_word;

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : ((c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1);
}

/* One character behind a backslash: \xNN or the character itself. */
static void read_escape(span *rest, buf *value)
{
    int hi, lo;
    if (rest->n >= 3 && rest->p[0] == 'x' && (hi = hex_digit(rest->p[1])) >= 0 &&
        (lo = hex_digit(rest->p[2])) >= 0) {
        buf_put_u8(value, (uint8_t)(hi << 4 | lo));
        *rest = span_skip(*rest, 3);
    } else {
        buf_put_u8(value, rest->p[0]);
        *rest = span_skip(*rest, 1);
    }
}

static const dn_attr *attr_by_name(span name)
{
    for (size_t i = 0; i < DN_ATTRS; i++)
        if (span_equal_nocase(name, span_str(dn_attrs[i].name)))
            return &dn_attrs[i];
    return NULL;
}

/* "C=CH, CN=http/gw" has a slash in a value, "C=CH/CN=gw" one between two names; if the whole text begins
 * with a slash, every "/name=" separates. */
static bool is_separator(uint8_t c, span behind, bool slashes)
{
    if (c == ',')
        return true;
    if (c != '/' && c != '+')
        return false;
    behind = span_trim(behind);
    size_t n = attribute_name(behind);
    return n && ((slashes && c == '/') || (behind.p[0] >= '0' && behind.p[0] <= '2') ||
                 attr_by_name(span_take(behind, n)));
}

static status read_value(span *rest, dn_word *w, bool slashes, msgbuf *msg)
{
    bool quoted = false, closed = false;
    size_t keep = 0; /* trailing blanks beyond this go */
    while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t'))
        *rest = span_skip(*rest, 1);
    w->hex = rest->n && rest->p[0] == '#';
    if (rest->n && rest->p[0] == '"') {
        quoted = true;
        *rest = span_skip(*rest, 1);
    }
    while (rest->n) {
        uint8_t c = rest->p[0];
        *rest = span_skip(*rest, 1);
        if (c == '\\' && rest->n) {
            read_escape(rest, &w->value);
            keep = w->value.n;
            continue;
        }
        if (quoted && !closed) {
            closed = c == '"';
            if (!closed)
                buf_put_u8(&w->value, c);
            keep = w->value.n;
            continue;
        }
        if (is_separator(c, *rest, slashes)) {
            w->after = c;
            break;
        }
        if (closed && c != ' ')
            return msg_fail(msg, ST_INVALID, "text behind a quoted value in a distinguished name");
        buf_put_u8(&w->value, c);
        if (c != ' ' && c != '\t')
            keep = w->value.n;
    }
    if (quoted && !closed)
        return msg_fail(msg, ST_INVALID, "a quote in a distinguished name is not closed");
    w->value.n = keep < w->value.n ? keep : w->value.n;
    return buf_ok(&w->value) ? ST_OK : ST_NO_MEMORY;
}

static status read_word(span *rest, dn_word *w, bool slashes, msgbuf *msg)
{
    char shown[80];
    *w = (dn_word){0};
    *rest = span_trim(*rest);
    size_t n = attribute_name(*rest);
    if (!n)
        return msg_fail(msg, ST_INVALID, "'%s' is not of the form attribute=value",
                        text_quote(*rest, shown, sizeof(shown)));
    w->name = span_take(*rest, n);
    while (rest->p[n] != '=')
        n++;
    *rest = span_skip(*rest, n + 1);
    return read_value(rest, w, slashes, msg);
}

/* "2.5.4.3" or "OID.2.5.4.3" to the octets of the OID */
static bool oid_from_text(span name, buf *oid)
{
    char text[64];
    bool ok = false;
    if (name.n > 4 && span_equal_nocase(span_take(name, 4), SPAN_LIT("OID.")))
        name = span_skip(name, 4);
    if (name.n == 0 || name.n >= sizeof(text) || hex_digit(name.p[0]) < 0 || hex_digit(name.p[0]) > 2)
        return false;
    ASN1_OBJECT *obj = OBJ_txt2obj(span_cstr(name, text, sizeof(text)), 1);
    if (obj && OBJ_length(obj)) {
        buf_put(oid, span_of(OBJ_get0_data(obj), OBJ_length(obj)));
        ok = buf_ok(oid);
    }
    ASN1_OBJECT_free(obj);
    return ok;
}

static bool is_printable(span v, bool ia5)
{
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        if (ia5 ? c >= 0x80 : !(name_char(c) || (c && strchr(" '()+,-./:=?", c))))
            return false;
    }
    return true;
}

static uint8_t tag_for(const dn_attr *attr, span v)
{
    if (span_equal(v, SPAN_LIT("*")))
        return DER_PRINTABLE; /* a wildcard is never sent */
    if (attr && attr->tag == DER_IA5 && is_printable(v, true))
        return DER_IA5;
    return is_printable(v, false) ? DER_PRINTABLE : DER_UTF8;
}

/* SEQUENCE { OID, value } */
static status put_ava(buf *out, const dn_word *w, msgbuf *msg)
{
    buf oid = {0}, ava = {0}, raw = {0};
    char shown[64];
    status st = ST_OK;
    uint8_t tag;
    span body, rest;
    const dn_attr *attr = attr_by_name(w->name);
    if (attr)
        buf_put(&oid, span_of(attr->oid, attr->n));
    else if (!oid_from_text(w->name, &oid))
        st = msg_fail(msg, ST_INVALID, "'%s' is not a known attribute of a distinguished name",
                      text_quote(w->name, shown, sizeof(shown)));
    if (st == ST_OK) {
        der_put(&ava, DER_OID, buf_span(&oid));
        span value = buf_span(&w->value);
        if (!w->hex) {
            der_put(&ava, tag_for(attr, value), value);
        } else {
            st = text_parse_hex(&raw, span_skip(value, 1));
            rest = buf_span(&raw);
            if (st == ST_OK && (!der_next(&rest, &tag, &body) || rest.n))
                st = ST_INVALID;
            if (st == ST_INVALID)
                msg_set(msg, "the value behind '#' of attribute '%s' is not DER in hexadecimal",
                        text_quote(w->name, shown, sizeof(shown)));
            buf_put(&ava, buf_span(&raw));
        }
        der_put(out, DER_SEQUENCE, buf_span(&ava));
        if (st == ST_OK && (!buf_ok(&oid) || !buf_ok(&ava) || !buf_ok(out)))
            st = ST_NO_MEMORY;
    }
    buf_free(&oid);
    buf_free(&ava);
    buf_free(&raw);
    return st;
}

status dn_from_text(buf *der, const char *text, msgbuf *msg)
{
    buf rdns = {0}, rdn = {0};
    span rest = span_trim(span_str(text));
    status st = ST_OK;
    bool slashes = rest.n && rest.p[0] == '/';
    if (slashes)
        rest = span_skip(rest, 1);
    for (bool more = true; more && st == ST_OK;) {
        dn_word w;
        st = read_word(&rest, &w, slashes, msg);
        if (st == ST_OK)
            st = put_ava(&rdn, &w, msg);
        more = w.after != 0;
        if (st == ST_OK && w.after != '+') {
            der_put(&rdns, DER_SET, buf_span(&rdn));
            buf_reset(&rdn);
        }
        buf_free(&w.value);
        /* "C=CH, O=x," and a trailing slash are forgiven */
        if (more && (w.after == ',' || w.after == '/') && span_trim(rest).n == 0)
            break;
    }
    if (st == ST_OK) {
        buf_reset(der);
        der_put(der, DER_SEQUENCE, buf_span(&rdns));
        if (!buf_ok(der) || !buf_ok(&rdns))
            st = ST_NO_MEMORY;
        else if (!dn_valid(buf_span(der)))
            st = msg_fail(msg, ST_INVALID,
                          "the distinguished name is too long or one of its values is malformed");
    }
    buf_free(&rdns);
    buf_free(&rdn);
    return st;
}
