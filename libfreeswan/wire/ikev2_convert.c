/* Between payloads and the suite's own values: proposals, traffic selectors. */
#include "libfreeswan/wire/ikev2_payloads.h"

enum { KEY_LENGTH_ATTR = 14, TS_IPV4 = 7, TS_IPV6 = 8, UNKNOWN_ALG = UINT16_MAX, FIRST_SPI = 256 };

/* With an attribute we do not know, or a key length that is none, it is an algorithm we do not know. */
static transform transform_get(const ikev2_transform *in)
{
    transform out = {.type = in->type, .id = in->id};
    for (size_t i = 0; i < in->attrs.n; i++) {
        const wire_attr *a = WIRE_AT(in->attrs, wire_attr, i);
        uint32_t bits = 0;
        if (a->type != KEY_LENGTH_ATTR || !wire_attr_u32(a, &bits) || bits == 0 || bits > UINT16_MAX ||
            out.key_bits)
            return (transform){.type = in->type, .id = UNKNOWN_ALG};
        out.key_bits = (uint16_t)bits;
    }
    return out;
}

static size_t spi_octets(uint8_t proto)
{
    return proto == PROTO_AH || proto == PROTO_ESP ? 4 : 8;
}

/* A proposal with a transform type we do not understand is not acceptable (RFC 7296 3.3.6). */
static bool understood(const ikev2_proposal *p)
{
    if (p->proto != PROTO_IKE && p->proto != PROTO_AH && p->proto != PROTO_ESP)
        return false;
    for (size_t i = 0; i < p->transforms.n; i++) {
        uint8_t type = WIRE_AT(p->transforms, ikev2_transform, i)->type;
        if (type < TRANSFORM_ENCR || type > TRANSFORM_ESN)
            return false;
    }
    return true;
}

/* false: too many transforms */
static bool proposal_get_all(const ikev2_proposal *in, proposal *out)
{
    memset(out, 0, sizeof(*out));
    out->number = in->number;
    out->proto = in->proto;
    out->spi_n = (uint8_t)in->spi.n;
    if (in->spi.n)
        memcpy(out->spi, in->spi.p, in->spi.n);
    /* grouped by type, order within a type kept */
    for (unsigned type = TRANSFORM_ENCR; type <= TRANSFORM_ESN; type++)
        for (size_t i = 0; i < in->transforms.n; i++) {
            const ikev2_transform *t = WIRE_AT(in->transforms, ikev2_transform, i);
            if (t->type != type)
                continue;
            if (out->n >= PROPOSAL_MAX_TRANSFORMS)
                return false;
            out->t[out->n++] = transform_get(t);
        }
    return true;
}

status ikev2_sa_get(const ikev2_sa *sa, proposals *out, msgbuf *msg)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < sa->proposals.n && out->n < PROPOSALS_MAX; i++) {
        const ikev2_proposal *p = WIRE_AT(sa->proposals, ikev2_proposal, i);
        if (!understood(p))
            continue;
        if (p->spi.n != 0 && p->spi.n != spi_octets(p->proto))
            return msg_fail(msg, ST_INVALID, "proposal %u: SPI of %zu octets for protocol %u", p->number,
                            p->spi.n, p->proto);
        if (p->spi.n == 0 && p->proto != PROTO_IKE)
            return msg_fail(msg, ST_INVALID, "proposal %u: no SPI for protocol %u", p->number, p->proto);
        if (p->spi.n == 4 && get_u32(p->spi.p) < FIRST_SPI)
            return msg_fail(msg, ST_INVALID, "proposal %u: reserved SPI %u", p->number, get_u32(p->spi.p));
        if (proposal_get_all(p, &out->p[out->n]))
            out->n++;
    }
    if (out->n == 0)
        return msg_fail(msg, ST_INVALID, "no usable proposal among %zu", sa->proposals.n);
    return ST_OK;
}

static bool ts_item_get(const ikev2_ts_item *in, traffic_sel *out)
{
    size_t half = in->type == TS_IPV4 ? 4 : 16;
    memset(out, 0, sizeof(*out));
    if (in->addrs.n != 2 * half)
        return false;
    out->proto = in->proto;
    out->from_port = in->from_port;
    out->to_port = in->to_port;
    return addr_from_bytes(&out->from, span_take(in->addrs, half)) &&
           addr_from_bytes(&out->to, span_skip(in->addrs, half)) && ts_valid(out);
}

status ikev2_ts_get(const ikev2_ts *ts, traffic_sel *out, size_t max, size_t *n, msgbuf *msg)
{
    *n = 0;
    for (size_t i = 0; i < ts->items.n && *n < max; i++) {
        const ikev2_ts_item *item = WIRE_AT(ts->items, ikev2_ts_item, i);
        if (item->type != TS_IPV4 && item->type != TS_IPV6)
            continue;
        if (!ts_item_get(item, &out[*n]))
            return msg_fail(msg, ST_INVALID, "traffic selector %zu is invalid", i + 1);
        (*n)++;
    }
    if (*n == 0)
        return msg_fail(msg, ST_NOT_FOUND, "no traffic selector of a known type");
    return ST_OK;
}
