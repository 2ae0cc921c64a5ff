/* Building IKEv2 messages: a builder is a chain of finished payloads; each new one patches the next-payload
 * octet of the one before. Failures stick in the builder.
 */
#include "libfreeswan/wire/ikev2_internal.h"

enum { KEY_LENGTH_ATTR = 14, TS_IPV4 = 7, TS_IPV6 = 8, VERSION_2_0 = 0x20 };

void ikev2_builder_free(ikev2_builder *b)
{
    buf_free(&b->out);
    *b = (ikev2_builder){0};
}

void ikev2_builder_reset(ikev2_builder *b)
{
    buf_reset(&b->out);
    b->first = PLV2_NONE;
    b->last = 0;
    b->failed = false;
}

bool ikev2_builder_ok(const ikev2_builder *b)
{
    return !b->failed && buf_ok(&b->out);
}

/* Chains a generic header; returns where it starts. */
static size_t begin_payload(ikev2_builder *b, uint8_t type, bool critical)
{
    size_t start = b->out.n;
    if (start == 0)
        b->first = type;
    else
        buf_patch_u8(&b->out, b->last, type);
    buf_put_u8(&b->out, PLV2_NONE);
    buf_put_u8(&b->out, critical ? 0x80 : 0);
    buf_put_u16(&b->out, 0);
    return start;
}

static void end_payload(ikev2_builder *b, size_t start)
{
    if (!buf_ok(&b->out) || b->out.n - start > UINT16_MAX) {
        b->failed = true;
        return;
    }
    buf_patch_u16(&b->out, start + 2, (uint16_t)(b->out.n - start));
    b->last = start;
}

void ikev2_add_raw(ikev2_builder *b, uint8_t type, bool critical, span body)
{
    if (!ikev2_builder_ok(b))
        return;
    size_t start = begin_payload(b, type, critical);
    buf_put(&b->out, body);
    end_payload(b, start);
}

void ikev2_add(ikev2_builder *b, uint8_t type, const void *payload)
{
    const wire_table *t = ikev2_payload_table(type);
    if (!ikev2_builder_ok(b))
        return;
    size_t start = begin_payload(b, type, false);
    if (!t || wire_emit(t, payload, &b->out) != ST_OK)
        b->failed = true;
    else
        end_payload(b, start);
}

/* One proposal as wire structs; attrs and transforms are arrays of PROPOSAL_MAX_TRANSFORMS. */
static ikev2_proposal proposal_view(const proposal *p, unsigned number, ikev2_transform *ts, wire_attr *attrs)
{
    for (size_t i = 0; i < p->n; i++) {
        const transform *t = &p->t[i];
        ts[i] = (ikev2_transform){.type = t->type, .id = t->id};
        if (t->key_bits) {
            attrs[i] = wire_attr_tv(KEY_LENGTH_ATTR, t->key_bits);
            ts[i].attrs = WIRE_LIST(&attrs[i], 1);
        }
    }
    return (ikev2_proposal){.number = (uint8_t)number,
                            .proto = p->proto,
                            .spi = span_of(p->spi, p->spi_n),
                            .transforms = WIRE_LIST(ts, p->n)};
}

typedef struct sa_room {
    ikev2_proposal proposals[PROPOSALS_MAX];
    ikev2_transform transforms[PROPOSALS_MAX][PROPOSAL_MAX_TRANSFORMS];
    wire_attr attrs[PROPOSALS_MAX][PROPOSAL_MAX_TRANSFORMS];
} sa_room;

void ikev2_add_sa(ikev2_builder *b, const proposals *p)
{
    arena mem;
    arena_init(&mem, 0);
    sa_room *room = ARENA_NEW(&mem, sa_room);
    if (!room) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < p->n; i++) /* numbered from 1 in order, RFC 7296 3.3.1 */
        room->proposals[i] = proposal_view(&p->p[i], (unsigned)i + 1, room->transforms[i], room->attrs[i]);
    ikev2_add(b, PLV2_SA, &(ikev2_sa){WIRE_LIST(room->proposals, p->n)});
    arena_free(&mem);
}

void ikev2_add_proposal(ikev2_builder *b, const proposal *p)
{
    ikev2_transform transforms[PROPOSAL_MAX_TRANSFORMS];
    wire_attr attrs[PROPOSAL_MAX_TRANSFORMS];
    ikev2_proposal one = proposal_view(p, p->number ? p->number : 1, transforms, attrs);
    ikev2_add(b, PLV2_SA, &(ikev2_sa){WIRE_LIST(&one, 1)});
}

void ikev2_add_ke(ikev2_builder *b, uint16_t group, span data)
{
    ikev2_add(b, PLV2_KE, &(ikev2_ke){group, data});
}

void ikev2_add_id(ikev2_builder *b, uint8_t payload_type, uint8_t id_type, span data)
{
    ikev2_add(b, payload_type, &(ikev2_id){id_type, data});
}

void ikev2_add_cert(ikev2_builder *b, uint8_t encoding, span data)
{
    ikev2_add(b, PLV2_CERT, &(ikev2_cert){encoding, data});
}

void ikev2_add_certreq(ikev2_builder *b, uint8_t encoding, span hashes)
{
    ikev2_add(b, PLV2_CERTREQ, &(ikev2_cert){encoding, hashes});
}

void ikev2_add_auth(ikev2_builder *b, uint8_t method, span data)
{
    ikev2_add(b, PLV2_AUTH, &(ikev2_auth){method, data});
}

void ikev2_add_nonce(ikev2_builder *b, span nonce)
{
    ikev2_add(b, PLV2_NONCE, &(ikev2_raw){nonce});
}

void ikev2_add_notify(ikev2_builder *b, uint16_t type, span data)
{
    ikev2_add_notify_spi(b, type, PROTO_NONE, SPAN_NULL, data);
}

void ikev2_add_notify_spi(ikev2_builder *b, uint16_t type, uint8_t proto, span spi, span data)
{
    ikev2_add(b, PLV2_NOTIFY, &(ikev2_notify){.proto = proto, .type = type, .spi = spi, .data = data});
}

void ikev2_add_delete_ike(ikev2_builder *b)
{
    ikev2_add(b, PLV2_DELETE, &(ikev2_delete){.proto = PROTO_IKE});
}

void ikev2_add_delete(ikev2_builder *b, uint8_t proto, const uint32_t *spis, size_t n)
{
    buf octets = {0};
    for (size_t i = 0; i < n; i++)
        buf_put_u32(&octets, spis[i]);
    if (!buf_ok(&octets) || n > UINT16_MAX)
        b->failed = true;
    ikev2_add(
        b, PLV2_DELETE,
        &(ikev2_delete){.proto = proto, .spi_size = 4, .count = (uint16_t)n, .spis = buf_span(&octets)});
    buf_free(&octets);
}

void ikev2_add_vendor(ikev2_builder *b, span vid)
{
    ikev2_add_raw(b, PLV2_VENDOR, false, vid);
}

void ikev2_add_ts(ikev2_builder *b, uint8_t payload_type, const traffic_sel *ts, size_t n)
{
    ikev2_ts_item items[IKEV2_MAX_TS];
    uint8_t addrs[IKEV2_MAX_TS][32];
    if (n > IKEV2_MAX_TS) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        span from = addr_span(&ts[i].from), to = addr_span(&ts[i].to);
        if (from.n == 0 || from.n != to.n) {
            b->failed = true;
            return;
        }
        memcpy(addrs[i], from.p, from.n);
        memcpy(addrs[i] + from.n, to.p, to.n);
        items[i] = (ikev2_ts_item){.type = from.n == 4 ? TS_IPV4 : TS_IPV6,
                                   .proto = ts[i].proto,
                                   .from_port = ts[i].from_port,
                                   .to_port = ts[i].to_port,
                                   .addrs = span_of(addrs[i], from.n + to.n)};
    }
    ikev2_add(b, payload_type, &(ikev2_ts){WIRE_LIST(items, n)});
}

void ikev2_add_cp(ikev2_builder *b, uint8_t cp_type, const ikev2_cp_item *items, size_t n)
{
    ikev2_add(b, PLV2_CP, &(ikev2_cp){cp_type, WIRE_LIST(items, n)});
}

void ikev2_add_eap(ikev2_builder *b, span packet)
{
    ikev2_add_raw(b, PLV2_EAP, false, packet);
}

/* ---- header and message ---- */

void ikev2_put_header(buf *out, const ikev2_header *h, uint8_t next, uint32_t length)
{
    buf_put_u64(out, h->spi_i);
    buf_put_u64(out, h->spi_r);
    buf_put_u8(out, next);
    buf_put_u8(out, h->major ? (uint8_t)(h->major << 4 | (h->minor & 0x0f)) : VERSION_2_0);
    buf_put_u8(out, h->exchange);
    buf_put_u8(out, h->flags);
    buf_put_u32(out, h->mid);
    buf_put_u32(out, length);
}

status ikev2_emit(const ikev2_header *h, const ikev2_builder *b, buf *out)
{
    if (!ikev2_builder_ok(b) || b->out.n > IKEV2_MAX_MESSAGE - IKEV2_HEADER)
        return ST_INVALID;
    buf_reset(out);
    ikev2_put_header(out, h, b->first, (uint32_t)(IKEV2_HEADER + b->out.n));
    buf_put(out, buf_span(&b->out));
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}

/* The builder's own octets are well-formed, so the walk needs no checks beyond its end. */
static void put_chain_names(buf *out, const ikev2_builder *b)
{
    uint8_t type = b ? b->first : PLV2_NONE;
    for (size_t at = 0; type != PLV2_NONE && at + IKEV2_GENERIC <= b->out.n;) {
        const uint8_t *p = b->out.p + at;
        size_t length = get_u16(p + 2);
        ikev2_put_payload_name(out, type, length >= 8 ? get_u16(p + 6) : 0);
        type = p[0];
        at += length;
    }
}

void ikev2_builder_summary(const ikev2_header *h, const ikev2_builder *clear, const ikev2_builder *enc,
                           buf *out)
{
    ikev2_put_message_name(out, h);
    put_chain_names(out, clear);
    put_chain_names(out, enc);
    buf_put_u8(out, ']');
}
