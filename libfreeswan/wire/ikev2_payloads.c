/* IKEv2 payloads: their tables, and the walk over header and payload chain. Diagrams are those of RFC 7296
 * section 3; a row's place in its table is its place on the wire. A payload is parsed by the table of its
 * type at once, so handlers never see a malformed one; octets a table does not account for make the message
 * invalid.
 */
#include "libfreeswan/wire/ikev2_payloads.h"
#include "libfreeswan/wire/ikev2_internal.h"
#include "libstrongswan/cred/ident.h"

enum { FIRST_PAYLOADS = 16 };

// clang-format off
/* 3.3.5 */
static const wire_field attr_fields[] = {WIRE_ATTR(NULL)};
static const wire_table attr_table = WIRE_TABLE("attribute", wire_attr, attr_fields);
/* 3.3.2 */
static const wire_field transform_fields[] = {
    WIRE_MORE(3), WIRE_RESERVED(1), WIRE_LENGTH(2),
    WIRE_UINT(ikev2_transform, type, 1, &transform_type_names), WIRE_RESERVED(1),
    WIRE_UINT(ikev2_transform, id, 2, NULL),
    WIRE_ITEMS(ikev2_transform, attrs, 0, 0, &attr_table),
};
static const wire_table transform_table = WIRE_TABLE("transform", ikev2_transform, transform_fields);
/* 3.3.1 */
static const wire_field proposal_fields[] = {
    WIRE_MORE(2), WIRE_RESERVED(1), WIRE_LENGTH(2),
    WIRE_UINT(ikev2_proposal, number, 1, NULL), WIRE_UINT(ikev2_proposal, proto, 1, NULL),
    WIRE_SIZE(ikev2_proposal, spi, 1), WIRE_COUNT(ikev2_proposal, transforms, 1),
    WIRE_BYTES(ikev2_proposal, spi, 0, 8),
    WIRE_COUNTED(ikev2_proposal, transforms, 1, 0, &transform_table),
};
static const wire_table proposal_table = WIRE_TABLE("proposal", ikev2_proposal, proposal_fields);
/* 3.3 */
static const wire_field sa_fields[] = {WIRE_ITEMS(ikev2_sa, proposals, 1, 0, &proposal_table)};
/* 3.4 */
static const wire_field ke_fields[] = {
    WIRE_UINT(ikev2_ke, group, 2, &dh_names), WIRE_RESERVED(2), WIRE_REST(ikev2_ke, data, 1, 0),
};
/* 3.5 */
static const wire_field id_fields[] = {
    WIRE_UINT(ikev2_id, type, 1, &id_type_names), WIRE_RESERVED(3), WIRE_REST(ikev2_id, data, 0, 0),
};
/* 3.6, 3.7 */
static const wire_field cert_fields[] = {
    WIRE_UINT(ikev2_cert, encoding, 1, &ikev2_cert_names), WIRE_REST(ikev2_cert, data, 0, 0),
};
/* 3.8 */
static const wire_field auth_fields[] = {
    WIRE_UINT(ikev2_auth, method, 1, &ikev2_auth_method_names), WIRE_RESERVED(3), WIRE_REST(ikev2_auth, data, 0, 0),
};
/* 3.9: 16 to 256 octets */
static const wire_field nonce_fields[] = {WIRE_REST(ikev2_raw, data, 16, 256)};
/* 3.10 */
static const wire_field notify_fields[] = {
    WIRE_UINT(ikev2_notify, proto, 1, NULL), WIRE_SIZE(ikev2_notify, spi, 1),
    WIRE_UINT(ikev2_notify, type, 2, &ikev2_notify_names),
    WIRE_BYTES(ikev2_notify, spi, 0, 0), WIRE_REST(ikev2_notify, data, 0, 0),
};
/* 3.11 */
static const wire_field delete_fields[] = {
    WIRE_UINT(ikev2_delete, proto, 1, NULL), WIRE_UINT(ikev2_delete, spi_size, 1, NULL),
    WIRE_UINT(ikev2_delete, count, 2, NULL), WIRE_REST(ikev2_delete, spis, 0, 0),
};
/* 3.12 */
static const wire_field raw_fields[] = {WIRE_REST(ikev2_raw, data, 0, 0)};
/* 3.13.1 */
static const wire_field ts_item_fields[] = {
    WIRE_UINT(ikev2_ts_item, type, 1, NULL), WIRE_UINT(ikev2_ts_item, proto, 1, NULL), WIRE_LENGTH(2),
    WIRE_UINT(ikev2_ts_item, from_port, 2, NULL), WIRE_UINT(ikev2_ts_item, to_port, 2, NULL),
    WIRE_REST(ikev2_ts_item, addrs, 0, 0),
};
static const wire_table ts_item_table = WIRE_TABLE("traffic selector", ikev2_ts_item, ts_item_fields);
/* 3.13 */
static const wire_field ts_fields[] = {
    WIRE_COUNT(ikev2_ts, items, 1), WIRE_RESERVED(3), WIRE_COUNTED(ikev2_ts, items, 1, 0, &ts_item_table),
};
/* 3.15.1 */
static const wire_field cp_item_fields[] = {
    WIRE_BITS(ikev2_cp_item, type, 2, 0x7fff, &ikev2_cp_attr_names), WIRE_SIZE(ikev2_cp_item, value, 2),
    WIRE_BYTES(ikev2_cp_item, value, 0, 0),
};
static const wire_table cp_item_table = WIRE_TABLE("configuration attribute", ikev2_cp_item, cp_item_fields);
/* 3.15 */
static const wire_field cp_fields[] = {
    WIRE_UINT(ikev2_cp, type, 1, &ikev2_cp_type_names), WIRE_RESERVED(3),
    WIRE_ITEMS(ikev2_cp, items, 0, 0, &cp_item_table),
};
/* 3.16; RFC 3748 4: its own length must be that of the payload */
static const wire_field eap_fields[] = {
    WIRE_UINT(ikev2_eap, code, 1, NULL), WIRE_UINT(ikev2_eap, id, 1, NULL), WIRE_LENGTH(2),
    WIRE_REST(ikev2_eap, data, 0, 0),
};
/* RFC 7383 2.5 */
static const wire_field skf_fields[] = {
    WIRE_UINT(ikev2_skf, number, 2, NULL), WIRE_UINT(ikev2_skf, total, 2, NULL), WIRE_REST(ikev2_skf, data, 0, 0),
};

static const struct {
    uint8_t type;
    wire_table table;
} tables[] = {
    {PLV2_SA,      WIRE_TABLE("SA", ikev2_sa, sa_fields)},
    {PLV2_KE,      WIRE_TABLE("KE", ikev2_ke, ke_fields)},
    {PLV2_IDI,     WIRE_TABLE("IDi", ikev2_id, id_fields)},
    {PLV2_IDR,     WIRE_TABLE("IDr", ikev2_id, id_fields)},
    {PLV2_CERT,    WIRE_TABLE("CERT", ikev2_cert, cert_fields)},
    {PLV2_CERTREQ, WIRE_TABLE("CERTREQ", ikev2_cert, cert_fields)},
    {PLV2_AUTH,    WIRE_TABLE("AUTH", ikev2_auth, auth_fields)},
    {PLV2_NONCE,   WIRE_TABLE("Nonce", ikev2_raw, nonce_fields)},
    {PLV2_NOTIFY,  WIRE_TABLE("Notify", ikev2_notify, notify_fields)},
    {PLV2_DELETE,  WIRE_TABLE("Delete", ikev2_delete, delete_fields)},
    {PLV2_VENDOR,  WIRE_TABLE("Vendor ID", ikev2_raw, raw_fields)},
    {PLV2_TSI,     WIRE_TABLE("TSi", ikev2_ts, ts_fields)},
    {PLV2_TSR,     WIRE_TABLE("TSr", ikev2_ts, ts_fields)},
    {PLV2_SK,      WIRE_TABLE("SK", ikev2_raw, raw_fields)},
    {PLV2_CP,      WIRE_TABLE("CP", ikev2_cp, cp_fields)},
    {PLV2_EAP,     WIRE_TABLE("EAP", ikev2_eap, eap_fields)},
    {PLV2_SKF,     WIRE_TABLE("SKF", ikev2_skf, skf_fields)},
    {PLV2_IDP,     WIRE_TABLE("IDp", ikev2_id, id_fields)},
};
// clang-format on
static const wire_table unknown_table = WIRE_TABLE("unknown payload", ikev2_raw, raw_fields);

const wire_table *ikev2_payload_table(uint8_t type)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (tables[i].type == type)
            return &tables[i].table;
    return NULL;
}

/* Types that open the way to the payload's struct: PLV2_SA stands for a member at the union's start. */
void *ikev2_payload_body(ikev2_payload *p)
{
    return &p->sa;
}

status ikev2_parse_header(ikev2_header *h, span in)
{
    cursor c = cursor_of(in);
    h->spi_i = cursor_u64(&c);
    h->spi_r = cursor_u64(&c);
    h->next = cursor_u8(&c);
    uint8_t version = cursor_u8(&c);
    h->major = version >> 4;
    h->minor = version & 0x0f;
    h->exchange = cursor_u8(&c);
    h->flags = cursor_u8(&c);
    h->mid = cursor_u32(&c);
    h->length = cursor_u32(&c);
    if (c.failed || h->length != in.n || in.n > IKEV2_MAX_MESSAGE || h->major < 2)
        return ST_INVALID;
    return h->major > 2 ? ST_UNSUPPORTED : ST_OK;
}

static payset set_bit(uint8_t type)
{
    return ikev2_payload_table(type) ? PS2(type) : PS2_OTHER;
}

static void remember(ikev2_msg *m, const ikev2_payload *p)
{
    payset bit = set_bit(p->type);
    payset *there = p->encrypted ? &m->enc : &m->clear;
    payset *many = p->encrypted ? &m->many_enc : &m->many_clear;
    *many |= *there & bit;
    *there |= bit;
}

static status parse_delete(const ikev2_delete *d, msgbuf *msg)
{
    if ((size_t)d->count * d->spi_size != d->spis.n)
        return msg_fail(msg, ST_INVALID, "Delete: %u SPIs of %u octets, %zu octets there", d->count,
                        d->spi_size, d->spis.n);
    return ST_OK;
}

static status parse_body(ikev2_msg *m, ikev2_payload *p, msgbuf *msg)
{
    const wire_table *t = ikev2_payload_table(p->type);
    if (!t && p->critical) {
        m->critical = p->type;
        return msg_fail(msg, ST_UNSUPPORTED, "payload type %u is unknown and critical", p->type);
    }
    status st = wire_parse(t ? t : &unknown_table, p->body, ikev2_payload_body(p), m->mem, msg);
    if (st == ST_OK && p->type == PLV2_DELETE)
        st = parse_delete(&p->del, msg);
    return st;
}

/* The outer chain ends with SK or SKF, whose next payload is the type of the first inner one. */
static bool ends_chain(ikev2_msg *m, ikev2_payload *p, uint8_t next)
{
    if (p->type != PLV2_SK && p->type != PLV2_SKF)
        return false;
    m->sk = p;
    m->sk_first = next;
    return true;
}

/* Most messages have few payloads. */
static status make_room(ikev2_msg *m)
{
    if (m->n < m->cap)
        return ST_OK;
    size_t cap = m->cap ? 4 * m->cap : FIRST_PAYLOADS;
    ikev2_payload *p = arena_array(m->mem, cap, sizeof(*p));
    if (!p)
        return ST_NO_MEMORY;
    if (m->n)
        memcpy(p, m->p, m->n * sizeof(*p));
    if (m->sk)
        m->sk = p + (m->sk - m->p);
    m->p = p;
    m->cap = cap;
    return ST_OK;
}

static status parse_payload(ikev2_msg *m, uint8_t type, span in, size_t *at, uint8_t *next, bool encrypted,
                            msgbuf *msg)
{
    if (m->n >= IKEV2_MAX_PAYLOADS)
        return msg_fail(msg, ST_LIMIT, "more than %u payloads", (unsigned)IKEV2_MAX_PAYLOADS);
    if (in.n - *at < IKEV2_GENERIC)
        return msg_fail(msg, ST_INVALID, "message ends before payload %zu", m->n + 1);
    size_t length = get_u16(in.p + *at + 2);
    if (length < IKEV2_GENERIC || length > in.n - *at)
        return msg_fail(msg, ST_INVALID, "length %zu of payload %zu, %zu octets left", length, m->n + 1,
                        in.n - *at);
    if (encrypted && (type == PLV2_SK || type == PLV2_SKF))
        return msg_fail(msg, ST_INVALID, "encrypted payload inside an encrypted payload");
    status st = make_room(m);
    if (st != ST_OK)
        return st;
    ikev2_payload *p = &m->p[m->n];
    memset(p, 0, sizeof(*p));
    p->type = type;
    p->encrypted = encrypted;
    p->critical = (in.p[*at + 1] & 0x80) != 0;
    p->raw = span_of(in.p + *at, length);
    p->body = span_skip(p->raw, IKEV2_GENERIC);
    if ((st = parse_body(m, p, msg)) != ST_OK)
        return st;
    *next = in.p[*at];
    *at += length;
    m->n++;
    remember(m, p);
    return ST_OK;
}

status ikev2_parse_chain(ikev2_msg *m, uint8_t first, span in, bool encrypted, msgbuf *msg)
{
    size_t at = 0;
    uint8_t type = first;
    m->opened |= encrypted;
    while (type != PLV2_NONE) {
        uint8_t next = PLV2_NONE;
        status st = parse_payload(m, type, in, &at, &next, encrypted, msg);
        if (st != ST_OK)
            return st;
        if (ends_chain(m, &m->p[m->n - 1], next))
            break;
        type = next;
    }
    if (at != in.n)
        return msg_fail(msg, ST_INVALID, "%zu octets behind the last payload", in.n - at);
    return ST_OK;
}

status ikev2_parse(ikev2_msg *m, span packet, arena *mem, msgbuf *msg)
{
    memset(m, 0, sizeof(*m));
    m->packet = packet;
    m->mem = mem;
    status st = ikev2_parse_header(&m->h, packet);
    if (st == ST_UNSUPPORTED)
        return msg_fail(msg, st, "major version %u", m->h.major);
    if (st != ST_OK)
        return msg_fail(msg, st, "bad header: %zu octets, length field %u, version %u.%u", packet.n,
                        m->h.length, m->h.major, m->h.minor);
    return ikev2_parse_chain(m, m->h.next, span_skip(packet, IKEV2_HEADER), false, msg);
}

/* ---- looking up ---- */

const ikev2_payload *ikev2_nth(const ikev2_msg *m, uint8_t type, size_t nth)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->p[i].type == type && nth-- == 0)
            return &m->p[i];
    return NULL;
}

const ikev2_payload *ikev2_find(const ikev2_msg *m, uint8_t type)
{
    return ikev2_nth(m, type, 0);
}

const ikev2_notify *ikev2_nth_notify(const ikev2_msg *m, uint16_t type, size_t nth)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->p[i].type == PLV2_NOTIFY && m->p[i].notify.type == type && nth-- == 0)
            return &m->p[i].notify;
    return NULL;
}

const ikev2_notify *ikev2_find_notify(const ikev2_msg *m, uint16_t type)
{
    return ikev2_nth_notify(m, type, 0);
}

const ikev2_notify *ikev2_find_error(const ikev2_msg *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->p[i].type == PLV2_NOTIFY && ikev2_notify_is_error(m->p[i].notify.type))
            return &m->p[i].notify;
    return NULL;
}

const ikev2_cp_item *ikev2_cp_find(const ikev2_cp *cp, uint16_t type)
{
    for (size_t i = 0; i < cp->items.n; i++)
        if (WIRE_AT(cp->items, ikev2_cp_item, i)->type == type)
            return WIRE_AT(cp->items, ikev2_cp_item, i);
    return NULL;
}

/* ---- text ---- */

void ikev2_put_payload_name(buf *out, uint8_t type, uint16_t notify)
{
    if (type == PLV2_NOTIFY)
        buf_printf(out, "N(%s) ", ENUM_STR(ikev2_notify_short_names, notify));
    else
        buf_printf(out, "%s ", ENUM_STR(ikev2_payload_names, type));
}

void ikev2_put_message_name(buf *out, const ikev2_header *h)
{
    buf_printf(out, "%s %s %u [ ", ENUM_STR(ikev2_exchange_names, h->exchange),
               ikev2_is_response(h) ? "response" : "request", h->mid);
}

void ikev2_summary(const ikev2_msg *m, buf *out)
{
    ikev2_put_message_name(out, &m->h);
    for (size_t i = 0; i < m->n; i++)
        if (!(m->opened && &m->p[i] == m->sk))
            ikev2_put_payload_name(out, m->p[i].type, m->p[i].notify.type);
    buf_put_u8(out, ']');
}

void ikev2_dump(const ikev2_msg *m, buf *out)
{
    buf_printf(
        out, "SPIs %016llx_i %016llx_r, version %u.%u, exchange %s, flags 0x%02x, message ID %u, %u octets\n",
        (unsigned long long)m->h.spi_i, (unsigned long long)m->h.spi_r, m->h.major, m->h.minor,
        ENUM_STR(ikev2_exchange_names, m->h.exchange), m->h.flags, m->h.mid, m->h.length);
    for (size_t i = 0; i < m->n; i++) {
        const wire_table *t = ikev2_payload_table(m->p[i].type);
        buf_printf(out, "%s payload, type %u, %zu octets%s\n", t ? t->name : "unknown", m->p[i].type,
                   m->p[i].raw.n, m->p[i].encrypted ? ", encrypted" : "");
        wire_print(t ? t : &unknown_table, &m->p[i].sa, out, 1);
    }
}
