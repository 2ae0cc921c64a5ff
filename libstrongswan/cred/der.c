/* DER elements, see der.h. Pure functions on borrowed bytes. */
#include "libstrongswan/cred/der.h"

bool der_next(span *rest, uint8_t *tag, span *body)
{
    const uint8_t *p = rest->p;
    size_t n = rest->n, len, head = 2;
    if (n < 2 || (p[0] & 0x1f) == 0x1f)
        return false;
    len = p[1];
    if (len >= 0x80) {
        size_t octets = len & 0x7f;
        if (octets == 0 || octets > 4 || n < 2 + octets || p[2] == 0)
            return false;
        len = 0;
        for (size_t i = 0; i < octets; i++)
            len = len << 8 | p[2 + i];
        if (len < 0x80)
            return false; /* not minimal */
        head += octets;
    }
    if (len > n - head)
        return false;
    *tag = p[0];
    *body = span_of(p + head, len);
    *rest = span_of(p + head + len, n - head - len);
    return true;
}

bool der_next_is(span *rest, uint8_t tag, span *body)
{
    uint8_t t;
    span r = *rest, b;
    if (!der_next(&r, &t, &b) || t != tag)
        return false;
    *rest = r;
    *body = b;
    return true;
}

bool der_whole(span der, uint8_t tag, span *body)
{
    return der_next_is(&der, tag, body) && der.n == 0;
}

bool der_well_formed(span der, unsigned depth)
{
    uint8_t tag;
    span body;
    while (der.n) {
        if (!der_next(&der, &tag, &body))
            return false;
        if ((tag & 0x20) && (depth == 0 || !der_well_formed(body, depth - 1)))
            return false;
    }
    return true;
}

void der_put(buf *b, uint8_t tag, span body)
{
    buf_put_u8(b, tag);
    if (body.n < 0x80) {
        buf_put_u8(b, (uint8_t)body.n);
    } else if (body.n < 0x100) {
        buf_put_u8(b, 0x81);
        buf_put_u8(b, (uint8_t)body.n);
    } else if (body.n < 0x10000) {
        buf_put_u8(b, 0x82);
        buf_put_u16(b, (uint16_t)body.n);
    } else if (body.n < 0x1000000) {
        buf_put_u8(b, 0x83);
        buf_put_u24(b, (uint32_t)body.n);
    } else {
        b->failed = true; /* nobody needs that */
        return;
    }
    buf_put(b, body);
}
