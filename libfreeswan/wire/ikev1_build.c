/* Building IKEv1 messages, and fragments of them. */
#include "libfreeswan/wire/ikev1_payloads.h"
#include <stdlib.h>

enum { VERSION_1_0 = 0x10, FRAGMENT_FIELDS = 4, FRAGMENT_LAST = 1 };

void ikev1_builder_free(ikev1_builder *b)
{
    buf_free(&b->out);
    *b = (ikev1_builder){0};
}

void ikev1_builder_reset(ikev1_builder *b)
{
    buf_reset(&b->out);
    b->first = PLV1_NONE;
    b->last = 0;
    b->failed = false;
}

bool ikev1_builder_ok(const ikev1_builder *b)
{
    return !b->failed && buf_ok(&b->out);
}

span ikev1_builder_from(const ikev1_builder *b, size_t at)
{
    return span_skip(buf_span(&b->out), at);
}

span ikev1_builder_last_body(const ikev1_builder *b)
{
    return span_skip(buf_span(&b->out), b->last + IKEV1_GENERIC);
}

static size_t begin_payload(ikev1_builder *b, uint8_t type)
{
    size_t start = b->out.n;
    if (start == 0)
        b->first = type;
    else
        buf_patch_u8(&b->out, b->last, type);
    buf_put_u8(&b->out, PLV1_NONE);
    buf_put_u8(&b->out, 0);
    buf_put_u16(&b->out, 0);
    return start;
}

static void end_payload(ikev1_builder *b, size_t start)
{
    if (!buf_ok(&b->out) || b->out.n - start > UINT16_MAX) {
        b->failed = true;
        return;
    }
    buf_patch_u16(&b->out, start + 2, (uint16_t)(b->out.n - start));
    b->last = start;
}

void ikev1_add(ikev1_builder *b, uint8_t type, const void *payload)
{
    const wire_table *t = ikev1_payload_table(type);
    if (!ikev1_builder_ok(b))
        return;
    size_t start = begin_payload(b, type);
    if (!t || wire_emit(t, payload, &b->out) != ST_OK)
        b->failed = true;
    else
        end_payload(b, start);
}

void ikev1_add_raw(ikev1_builder *b, uint8_t type, span body)
{
    if (!ikev1_builder_ok(b))
        return;
    size_t start = begin_payload(b, type);
    buf_put(&b->out, body);
    end_payload(b, start);
}

void ikev1_add_hash_room(ikev1_builder *b, size_t n)
{
    if (!ikev1_builder_ok(b))
        return;
    size_t start = begin_payload(b, PLV1_HASH);
    buf_put_zero(&b->out, n);
    end_payload(b, start);
}

void ikev1_set_hash(ikev1_builder *b, span hash)
{
    if (!ikev1_builder_ok(b))
        return;
    if (b->first != PLV1_HASH || b->out.n < IKEV1_GENERIC || get_u16(b->out.p + 2) != IKEV1_GENERIC + hash.n)
        b->failed = true;
    else
        memcpy(b->out.p + IKEV1_GENERIC, hash.p, hash.n);
}

void ikev1_add_id(ikev1_builder *b, uint8_t type, uint8_t proto, uint16_t port, span data)
{
    ikev1_add(b, PLV1_ID, &(ikev1_id){type, proto, port, data});
}

void ikev1_add_cert(ikev1_builder *b, uint8_t payload_type, uint8_t encoding, span data)
{
    ikev1_add(b, payload_type, &(ikev1_cert){encoding, data});
}

void ikev1_add_notify(ikev1_builder *b, uint32_t doi, uint8_t proto, span spi, uint16_t type, span data)
{
    ikev1_add(b, PLV1_N, &(ikev1_notify){.doi = doi, .proto = proto, .type = type, .spi = spi, .data = data});
}

void ikev1_add_delete(ikev1_builder *b, uint8_t proto, uint8_t spi_size, span spis)
{
    if (spi_size == 0 || spis.n % spi_size || spis.n / spi_size > UINT16_MAX) {
        b->failed = true;
        return;
    }
    ikev1_add(b, PLV1_D,
              &(ikev1_delete){.doi = IKEV1_DOI_IPSEC,
                              .proto = proto,
                              .spi_size = spi_size,
                              .count = (uint16_t)(spis.n / spi_size),
                              .spis = spis});
}

void ikev1_add_cfg(ikev1_builder *b, uint8_t type, uint16_t id, const wire_attr *attrs, size_t n)
{
    ikev1_add(b, PLV1_ATTR, &(ikev1_cfg){.type = type, .id = id, .attrs = WIRE_LIST(attrs, n)});
}

void ikev1_add_natoa(ikev1_builder *b, bool draft, const ip_addr *a)
{
    ikev1_add(b, draft ? PLV1_NAT_OA_DRAFT : PLV1_NAT_OA,
              &(ikev1_natoa){.type = addr_bytes(a) == 16 ? 5 : 1, .data = addr_span(a)});
}

static void put_header(buf *out, const ikev1_header *h, uint8_t next, size_t length)
{
    buf_put(out, SPAN_ARRAY(h->icookie));
    buf_put(out, SPAN_ARRAY(h->rcookie));
    buf_put_u8(out, next);
    buf_put_u8(out, h->major ? (uint8_t)(h->major << 4 | (h->minor & 0x0f)) : VERSION_1_0);
    buf_put_u8(out, h->exchange);
    buf_put_u8(out, h->flags);
    buf_put_u32(out, h->mid);
    buf_put_u32(out, (uint32_t)length);
}

status ikev1_emit(const ikev1_header *h, const ikev1_builder *b, size_t pad, buf *out)
{
    size_t body = b->out.n + pad;
    if (!ikev1_builder_ok(b) || pad > UINT8_MAX || body > IKEV1_MAX_MESSAGE - IKEV1_HEADER)
        return ST_INVALID;
    buf_reset(out);
    put_header(out, h, b->first, IKEV1_HEADER + body);
    buf_put(out, buf_span(&b->out));
    buf_put_zero(out, pad);
    return buf_ok(out) ? ST_OK : ST_NO_MEMORY;
}

wire_attr ikev1_attr_num(uint16_t type, uint32_t value, uint8_t room[4])
{
    if (value <= UINT16_MAX)
        return wire_attr_tv(type, (uint16_t)value);
    set_u32(room, value);
    return wire_attr_tlv(type, span_of(room, 4));
}

/* ---- fragments ---- */

struct ikev1_fragments {
    uint16_t id;
    unsigned last; /* number of the last one; 0 = not seen */
    unsigned have;
    size_t octets;
    buf piece[IKEV1_MAX_FRAGMENTS];
    bool there[IKEV1_MAX_FRAGMENTS];
    buf whole;
};

bool ikev1_is_fragment(const ikev1_msg *m)
{
    return m->n == 1 && m->p[0].type == PLV1_FRAGMENT;
}

static void drop_pieces(struct ikev1_fragments *f)
{
    for (size_t i = 0; i < IKEV1_MAX_FRAGMENTS; i++) {
        buf_free(&f->piece[i]);
        f->there[i] = false;
    }
    f->last = f->have = 0;
    f->octets = 0;
}

void ikev1_defrag_reset(ikev1_defrag *d)
{
    if (!d->f)
        return;
    drop_pieces(d->f);
    buf_free(&d->f->whole);
    free(d->f);
    d->f = NULL;
}

static status join_pieces(struct ikev1_fragments *f, span *whole)
{
    buf_reset(&f->whole);
    for (size_t i = 0; i < f->last; i++)
        buf_put(&f->whole, buf_span(&f->piece[i]));
    drop_pieces(f);
    if (!buf_ok(&f->whole))
        return ST_NO_MEMORY;
    *whole = buf_span(&f->whole);
    return ST_OK;
}

/* Numbers beyond the last one, or a second "last": nothing of such a set can be trusted. */
static bool contradicts(const struct ikev1_fragments *d, const ikev1_fragment *f)
{
    bool is_last = (f->flags & FRAGMENT_LAST) != 0;
    if (d->last && (f->number > d->last || (is_last && f->number != d->last)))
        return true;
    for (unsigned i = f->number; is_last && i < IKEV1_MAX_FRAGMENTS; i++)
        if (d->there[i])
            return true;
    return false;
}

status ikev1_defrag_add(ikev1_defrag *d, const ikev1_fragment *f, span *whole, msgbuf *msg)
{
    if (f->number == 0 || f->data.n == 0)
        return msg_fail(msg, ST_INVALID, "fragment number %u of %zu octets", f->number, f->data.n);
    if (f->number > IKEV1_MAX_FRAGMENTS)
        return msg_fail(msg, ST_LIMIT, "fragment number %u, at most %u are taken", f->number,
                        (unsigned)IKEV1_MAX_FRAGMENTS);
    if (!d->f && !(d->f = calloc(1, sizeof(*d->f))))
        return ST_NO_MEMORY;
    struct ikev1_fragments *s = d->f;
    if (s->have == 0 || s->id != f->id) {
        drop_pieces(s);
        s->id = f->id;
    }
    if (s->there[f->number - 1])
        return ST_NEED_MORE;
    if (contradicts(s, f)) {
        drop_pieces(s);
        return msg_fail(msg, ST_INVALID, "fragment %u contradicts earlier ones", f->number);
    }
    if (s->octets + f->data.n > IKEV1_MAX_MESSAGE) {
        drop_pieces(s);
        return msg_fail(msg, ST_LIMIT, "message in fragments exceeds %u octets", (unsigned)IKEV1_MAX_MESSAGE);
    }
    status st = buf_copy_of(&s->piece[f->number - 1], f->data);
    if (st != ST_OK)
        return st;
    s->there[f->number - 1] = true;
    s->octets += f->data.n;
    s->have++;
    if (f->flags & FRAGMENT_LAST)
        s->last = f->number;
    return s->last && s->have == s->last ? join_pieces(s, whole) : ST_NEED_MORE;
}

status ikev1_fragment_each(span message, size_t max, uint16_t id, status (*fn)(void *ctx, span datagram),
                           void *ctx)
{
    const size_t fixed = IKEV1_HEADER + IKEV1_GENERIC + FRAGMENT_FIELDS;
    ikev1_header h;
    buf out = {0};
    status st = ikev1_parse_header(&h, message, NULL);
    if (st != ST_OK || max <= fixed)
        return ST_INVALID;
    size_t room = max - fixed, total = (message.n + room - 1) / room;
    if (total > IKEV1_MAX_FRAGMENTS)
        return ST_LIMIT;
    h.flags &= (uint8_t)~IKEV1_FLAG_ENCRYPTION;
    h.mid = 0;
    if (h.exchange != ISAKMP_XCHG_AGGR)
        h.exchange = ISAKMP_XCHG_IDPROT;
    for (size_t i = 0; i < total && st == ST_OK; i++) {
        ikev1_builder b = {0};
        ikev1_add(&b, PLV1_FRAGMENT,
                  &(ikev1_fragment){.id = id,
                                    .number = (uint8_t)(i + 1),
                                    .flags = i + 1 == total ? FRAGMENT_LAST : 0,
                                    .data = span_take(span_skip(message, i * room), room)});
        st = ikev1_emit(&h, &b, 0, &out);
        if (st == ST_OK)
            st = fn(ctx, buf_span(&out));
        ikev1_builder_free(&b);
    }
    buf_free(&out);
    return st;
}
