/* IKEv1 payloads: their tables, the header, and the walk over the payload chain. The same checks for clear
 * and decrypted chains; only the latter may have padding behind the last payload.
 */
#include "libfreeswan/wire/ikev1_payloads.h"
#include "libstrongswan/cred/ident.h"

enum { CISCO_SURPLUS = 16 };

// clang-format off
/* RFC 2408 3.3 */
static const wire_field oakley_attr_fields[] = {WIRE_ATTR(NULL)};
static const wire_table attr_table = WIRE_TABLE("attribute", wire_attr, oakley_attr_fields);
static const wire_field cfg_attr_fields[] = {WIRE_ATTR(&ikev1_cfg_attr_names)};
static const wire_table cfg_attr_table = WIRE_TABLE("attribute", wire_attr, cfg_attr_fields);
/* 3.6 */
static const wire_field transform_fields[] = {
    WIRE_MORE(PLV1_T), WIRE_RESERVED(1), WIRE_LENGTH(2),
    WIRE_UINT(ikev1_transform, number, 1, NULL), WIRE_UINT(ikev1_transform, id, 1, NULL), WIRE_RESERVED(2),
    WIRE_ITEMS(ikev1_transform, attrs, 0, 0, &attr_table),
};
static const wire_table transform_table = WIRE_TABLE("transform", ikev1_transform, transform_fields);
/* 3.5 */
static const wire_field proposal_fields[] = {
    WIRE_MORE(PLV1_P), WIRE_RESERVED(1), WIRE_LENGTH(2),
    WIRE_UINT(ikev1_proposal, number, 1, NULL), WIRE_UINT(ikev1_proposal, proto, 1, &ikev1_protocol_names),
    WIRE_SIZE(ikev1_proposal, spi, 1), WIRE_COUNT(ikev1_proposal, transforms, 1),
    WIRE_BYTES(ikev1_proposal, spi, 0, 16),
    WIRE_COUNTED(ikev1_proposal, transforms, 1, 0, &transform_table),
};
static const wire_table proposal_table = WIRE_TABLE("proposal", ikev1_proposal, proposal_fields);
/* 3.4, RFC 2407 4.6.1 */
static const wire_field sa_fields[] = {
    WIRE_UINT(ikev1_sa, doi, 4, NULL), WIRE_UINT(ikev1_sa, situation, 4, NULL),
    WIRE_ITEMS(ikev1_sa, proposals, 1, 0, &proposal_table),
};
/* 3.7, 3.11, 3.12, 3.13, 3.16; RFC 3947 3.2 */
static const wire_field raw_fields[] = {WIRE_REST(ikev1_raw, data, 0, 0)};
static const wire_field filled_fields[] = {WIRE_REST(ikev1_raw, data, 1, 0)};
/* RFC 2409 5: 8 to 256 octets */
static const wire_field nonce_fields[] = {WIRE_REST(ikev1_raw, data, 8, 256)};
/* 3.8, RFC 2407 4.6.2 */
static const wire_field id_fields[] = {
    WIRE_UINT(ikev1_id, type, 1, &id_type_names), WIRE_UINT(ikev1_id, proto, 1, NULL), WIRE_UINT(ikev1_id, port, 2, NULL),
    WIRE_REST(ikev1_id, data, 0, 0),
};
/* 3.9, 3.10 */
static const wire_field cert_fields[] = {
    WIRE_UINT(ikev1_cert, encoding, 1, &ikev1_cert_names), WIRE_REST(ikev1_cert, data, 0, 0),
};
/* 3.14 */
static const wire_field notify_fields[] = {
    WIRE_UINT(ikev1_notify, doi, 4, NULL), WIRE_UINT(ikev1_notify, proto, 1, &ikev1_protocol_names),
    WIRE_SIZE(ikev1_notify, spi, 1), WIRE_UINT(ikev1_notify, type, 2, &ikev1_notify_names),
    WIRE_BYTES(ikev1_notify, spi, 0, 0), WIRE_REST(ikev1_notify, data, 0, 0),
};
/* 3.15 */
static const wire_field delete_fields[] = {
    WIRE_UINT(ikev1_delete, doi, 4, NULL), WIRE_UINT(ikev1_delete, proto, 1, &ikev1_protocol_names),
    WIRE_UINT(ikev1_delete, spi_size, 1, NULL), WIRE_UINT(ikev1_delete, count, 2, NULL),
    WIRE_REST(ikev1_delete, spis, 0, 0),
};
/* draft-dukes-ike-mode-cfg 3.2 */
static const wire_field cfg_fields[] = {
    WIRE_UINT(ikev1_cfg, type, 1, &ikev1_cfg_type_names), WIRE_RESERVED(1), WIRE_UINT(ikev1_cfg, id, 2, NULL),
    WIRE_ITEMS(ikev1_cfg, attrs, 0, 0, &cfg_attr_table),
};
/* RFC 3947 5.2 */
static const wire_field natoa_fields[] = {
    WIRE_UINT(ikev1_natoa, type, 1, &id_type_names), WIRE_RESERVED(3), WIRE_REST(ikev1_natoa, data, 4, 16),
};
/* reference 9 */
static const wire_field fragment_fields[] = {
    WIRE_UINT(ikev1_fragment, id, 2, NULL), WIRE_UINT(ikev1_fragment, number, 1, NULL),
    WIRE_UINT(ikev1_fragment, flags, 1, NULL), WIRE_REST(ikev1_fragment, data, 1, 0),
};

static const struct {
    uint8_t type;
    wire_table table;
} tables[] = {
    {PLV1_SA,       WIRE_TABLE("SA", ikev1_sa, sa_fields)},
    {PLV1_KE,       WIRE_TABLE("KE", ikev1_raw, filled_fields)},
    {PLV1_ID,       WIRE_TABLE("ID", ikev1_id, id_fields)},
    {PLV1_CERT,     WIRE_TABLE("CERT", ikev1_cert, cert_fields)},
    {PLV1_CR,       WIRE_TABLE("CR", ikev1_cert, cert_fields)},
    {PLV1_HASH,     WIRE_TABLE("HASH", ikev1_raw, filled_fields)},
    {PLV1_SIG,      WIRE_TABLE("SIG", ikev1_raw, raw_fields)},
    {PLV1_NONCE,    WIRE_TABLE("NONCE", ikev1_raw, nonce_fields)},
    {PLV1_N,        WIRE_TABLE("N", ikev1_notify, notify_fields)},
    {PLV1_D,        WIRE_TABLE("D", ikev1_delete, delete_fields)},
    {PLV1_VID,      WIRE_TABLE("VID", ikev1_raw, raw_fields)},
    {PLV1_ATTR,     WIRE_TABLE("ATTR", ikev1_cfg, cfg_fields)},
    {PLV1_NAT_D,    WIRE_TABLE("NAT-D", ikev1_raw, filled_fields)},
    {PLV1_NAT_OA,   WIRE_TABLE("NAT-OA", ikev1_natoa, natoa_fields)},
    {PLV1_FRAGMENT, WIRE_TABLE("FRAGMENT", ikev1_fragment, fragment_fields)},
};
// clang-format on

/* Drafts 00-03 of NAT traversal numbered its payloads elsewhere. */
static uint8_t plain_type(uint8_t wire_type)
{
    if (wire_type == PLV1_NAT_D_DRAFT)
        return PLV1_NAT_D;
    return wire_type == PLV1_NAT_OA_DRAFT ? PLV1_NAT_OA : wire_type;
}

const wire_table *ikev1_payload_table(uint8_t type)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (tables[i].type == plain_type(type))
            return &tables[i].table;
    return NULL;
}

/* ---- header ---- */

static bool all_zero(span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i])
            return false;
    return true;
}

status ikev1_parse_header(ikev1_header *h, span in, size_t *surplus)
{
    cursor c = cursor_of(in);
    span icookie = cursor_bytes(&c, 8), rcookie = cursor_bytes(&c, 8);
    h->next = cursor_u8(&c);
    uint8_t version = cursor_u8(&c);
    h->major = version >> 4;
    h->minor = version & 0x0f;
    h->exchange = cursor_u8(&c);
    h->flags = cursor_u8(&c);
    h->mid = cursor_u32(&c);
    h->length = cursor_u32(&c);
    if (c.failed || h->length < IKEV1_HEADER || h->length > in.n || in.n > IKEV1_MAX_MESSAGE)
        return ST_INVALID;
    memcpy(h->icookie, icookie.p, sizeof(h->icookie));
    memcpy(h->rcookie, rcookie.p, sizeof(h->rcookie));
    span rest = span_skip(in, h->length);
    if (rest.n && !(surplus && rest.n == CISCO_SURPLUS && all_zero(rest)))
        return ST_INVALID;
    if (surplus)
        *surplus = rest.n;
    return h->major != 1 ? ST_UNSUPPORTED : ST_OK;
}

/* ---- payload chain ---- */

static status parse_body(ikev1_msg *m, ikev1_payload *p, msgbuf *msg)
{
    const wire_table *t = ikev1_payload_table(p->type);
    if (!t) {
        m->unknown = p->wire_type;
        return msg_fail(msg, ST_UNSUPPORTED, "unknown payload type %u", p->wire_type);
    }
    status st = wire_parse(t, p->body, &p->sa, m->mem, msg);
    if (st == ST_OK && p->type == PLV1_D && (size_t)p->del.count * p->del.spi_size != p->del.spis.n)
        return msg_fail(msg, ST_INVALID, "D: %u SPIs of %u octets, %zu octets there", p->del.count,
                        p->del.spi_size, p->del.spis.n);
    return st;
}

static status parse_payload(ikev1_msg *m, uint8_t type, span in, size_t *at, uint8_t *next, msgbuf *msg)
{
    if (m->n >= IKEV1_MAX_PAYLOADS)
        return msg_fail(msg, ST_LIMIT, "more than %u payloads", (unsigned)IKEV1_MAX_PAYLOADS);
    if (in.n - *at < IKEV1_GENERIC)
        return msg_fail(msg, ST_INVALID, "message ends before payload %zu", m->n + 1);
    size_t length = get_u16(in.p + *at + 2);
    if (length < IKEV1_GENERIC || length > in.n - *at)
        return msg_fail(msg, ST_INVALID, "length %zu of payload %zu, %zu octets left", length, m->n + 1,
                        in.n - *at);
    ikev1_payload *p = &m->p[m->n];
    memset(p, 0, sizeof(*p));
    p->wire_type = type;
    p->type = plain_type(type);
    p->raw = span_of(in.p + *at, length);
    p->body = span_skip(p->raw, IKEV1_GENERIC);
    status st = parse_body(m, p, msg);
    if (st != ST_OK)
        return st;
    m->many |= m->present & PS1(p->type);
    m->present |= PS1(p->type);
    m->n++;
    *next = in.p[*at];
    *at += length;
    return ST_OK;
}

status ikev1_parse_chain(ikev1_msg *m, span body, bool padded, msgbuf *msg)
{
    size_t at = 0;
    uint8_t type = m->h.next;
    if (!m->p && !(m->p = arena_array(m->mem, IKEV1_MAX_PAYLOADS, sizeof(*m->p))))
        return ST_NO_MEMORY;
    while (type != PLV1_NONE) {
        status st = parse_payload(m, type, body, &at, &type, msg);
        if (st != ST_OK)
            return st;
    }
    if (at != body.n && !padded)
        return msg_fail(msg, ST_INVALID, "%zu octets behind the last payload", body.n - at);
    if (m->n && m->p[0].type == PLV1_HASH) {
        size_t hash = (size_t)(m->p[0].raw.p - body.p) + m->p[0].raw.n;
        m->after_hash = span_take(span_skip(body, hash), at - hash);
    }
    return ST_OK;
}

status ikev1_parse(ikev1_msg *m, span packet, arena *mem, msgbuf *msg)
{
    memset(m, 0, sizeof(*m));
    m->packet = packet;
    m->mem = mem;
    status st = ikev1_parse_header(&m->h, packet, NULL);
    if (st == ST_UNSUPPORTED)
        return msg_fail(msg, st, "version %u.%u", m->h.major, m->h.minor);
    if (st != ST_OK)
        return msg_fail(msg, st, "bad header: %zu octets, length field %u", packet.n, m->h.length);
    return ikev1_parse_chain(m, span_skip(packet, IKEV1_HEADER), false, msg);
}

/* ---- looking up ---- */

const ikev1_payload *ikev1_nth(const ikev1_msg *m, uint8_t type, size_t nth)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->p[i].type == type && nth-- == 0)
            return &m->p[i];
    return NULL;
}

const ikev1_payload *ikev1_find(const ikev1_msg *m, uint8_t type)
{
    return ikev1_nth(m, type, 0);
}

size_t ikev1_count(const ikev1_msg *m, uint8_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        n += m->p[i].type == type;
    return n;
}

static status complain(const ikev1_msg *m, payset1 set, const char *what, msgbuf *msg)
{
    uint8_t type = 0;
    while (type < 63 && !(set & ((payset1)1 << type)))
        type++;
    if (type >= 30)
        type = (uint8_t)(type + 100);
    return msg_fail(msg, ST_INVALID, "%s: payload %s %s", ENUM_STR(ikev1_exchange_names, m->h.exchange),
                    ENUM_STR(ikev1_payload_names, type), what);
}

status ikev1_check(const ikev1_msg *m, payset1 need, payset1 may, payset1 many, msgbuf *msg)
{
    const payset1 always = PS1(PLV1_N) | PS1(PLV1_D) | PS1(PLV1_VID);
    if (m->present & ~(need | may | always))
        return complain(m, m->present & ~(need | may | always), "is not expected here", msg);
    if (m->many & ~(many | always))
        return complain(m, m->many & ~(many | always), "comes more than once", msg);
    if (need & ~m->present)
        return complain(m, need & ~m->present, "is missing", msg);
    return ST_OK;
}

void ikev1_dump(const ikev1_msg *m, buf *out)
{
    buf_printf(out, "version %u.%u, exchange %s, flags 0x%02x, message ID %08x, %u octets\n", m->h.major,
               m->h.minor, ENUM_STR(ikev1_exchange_names, m->h.exchange), m->h.flags, m->h.mid, m->h.length);
    for (size_t i = 0; i < m->n; i++) {
        const wire_table *t = ikev1_payload_table(m->p[i].type);
        buf_printf(out, "%s payload, type %u, %zu octets\n", t->name, m->p[i].wire_type, m->p[i].raw.n);
        wire_print(t, &m->p[i].sa, out, 1);
    }
}
