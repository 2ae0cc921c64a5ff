/* Putting fragments together before they are protected. Transport mode protects whole datagrams only (RFC
 * 4303 3.1.1), and policies with ports cannot be asked about later fragments; but the host cuts what it sends
 * at the TUN device's MTU (L2TP does that all day). A small table: what is not complete within seconds, or
 * pushed out by others, is lost like any fragment.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <netinet/in.h>
#include <stdlib.h>

enum {
    FRAG_MAX = 32,
    FRAG_MS = 15000,
    FRAG_BLOCKS = 8192
}; /* datagrams at a time; patience; 8-octet blocks of 64 KiB */

typedef struct frag_key {
    uint8_t src[16], dst[16];
    uint32_t id;
    uint8_t family, proto, zero[2];
} frag_key;
typedef struct datagram {
    frag_key key;
    int64_t since_ms;       /* 0: free */
    size_t header, payload; /* of the first fragment; of all, 0 until the last one is there */
    size_t octets;          /* payload so far */
    uint8_t *data;          /* header room, then payload */
    uint8_t have[FRAG_BLOCKS / 8];
} datagram;
struct esp_frags {
    datagram d[FRAG_MAX];
};
enum { HEADER_ROOM = 256 };

typedef struct piece {
    frag_key key;
    size_t header; /* octets before the payload; IPv6: without the fragment header */
    size_t offset;
    span payload;
    bool more;
} piece;

status esp_frags_new(esp_frags **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? ST_OK : ST_NO_MEMORY;
}

static void forget(datagram *d)
{
    free(d->data);
    memset(d, 0, sizeof *d);
}

void esp_frags_free(esp_frags *t)
{
    for (size_t i = 0; t && i < FRAG_MAX; i++)
        forget(&t->d[i]);
    free(t);
}

/* Only IPv6 packets whose fragment header comes directly behind the fixed one: our own host sends no others.
 */
static bool parse(span pkt, piece *f)
{
    size_t head = esp_ip_header(pkt);

    memset(f, 0, sizeof *f);
    if (!head)
        return false;
    if (pkt.p[0] >> 4 == 4) {
        uint16_t field = get_u16(pkt.p + 6);

        f->key.family = AF_INET;
        memcpy(f->key.src, pkt.p + 12, 4);
        memcpy(f->key.dst, pkt.p + 16, 4);
        f->key.id = get_u16(pkt.p + 4);
        f->key.proto = pkt.p[9];
        f->offset = (size_t)(field & 0x1fff) * 8;
        f->more = field & 0x2000;
        f->header = head;
        f->payload = span_skip(span_take(pkt, get_u16(pkt.p + 2)), head);
    } else {
        if (pkt.p[6] != IPPROTO_FRAGMENT || pkt.n < 48)
            return false;
        f->key.family = AF_INET6;
        memcpy(f->key.src, pkt.p + 8, 16);
        memcpy(f->key.dst, pkt.p + 24, 16);
        f->key.id = get_u32(pkt.p + 44);
        f->key.proto = pkt.p[40];
        f->offset = get_u16(pkt.p + 42) & 0xfff8;
        f->more = pkt.p[43] & 1;
        f->header = 40;
        f->payload = span_skip(span_take(pkt, get_u16(pkt.p + 4) + 40u), 48);
    }
    return f->payload.n && (!f->more || f->payload.n % 8 == 0) &&
           f->offset + f->payload.n + f->header <= ESP_MAX_PACKET;
}

static datagram *slot_for(esp_frags *t, const frag_key *key, int64_t now)
{
    datagram *oldest = &t->d[0];

    for (size_t i = 0; i < FRAG_MAX; i++) {
        datagram *d = &t->d[i];

        if (d->since_ms && now - d->since_ms > FRAG_MS)
            forget(d);
        if (d->since_ms && memcmp(&d->key, key, sizeof *key) == 0)
            return d;
        if (d->since_ms < oldest->since_ms)
            oldest = d; /* free ones are the oldest */
    }
    forget(oldest);
    oldest->data = malloc(HEADER_ROOM + ESP_MAX_PACKET + 8);
    if (!oldest->data)
        return NULL;
    oldest->key = *key;
    oldest->since_ms = now ? now : 1;
    return oldest;
}

/* Marks the blocks of a fragment; false: some were there already. Overlaps are an attack or a mistake, never
 * useful. */
static bool mark_blocks(datagram *d, size_t offset, size_t n)
{
    for (size_t b = offset / 8; b < (offset + n + 7) / 8; b++) {
        if (d->have[b / 8] & 1u << b % 8)
            return false;
        d->have[b / 8] |= (uint8_t)(1u << b % 8);
    }
    return true;
}

/* All there: the header again before the payload, without anything about fragments. */
static span finish(datagram *d)
{
    uint8_t *p = d->data + HEADER_ROOM - d->header;

    if (d->key.family == AF_INET) {
        set_u16(p + 2, (uint16_t)(d->header + d->payload));
        set_u16(p + 6, 0);
        esp_ip4_checksum(p);
    } else {
        set_u16(p + 4, (uint16_t)d->payload);
        p[6] = d->key.proto;
    }
    return span_of(p, d->header + d->payload);
}

span esp_frags_add(esp_frags *t, span pkt, int64_t now_ms, uint8_t **owned)
{
    piece f;
    datagram *d = parse(pkt, &f) ? slot_for(t, &f.key, now_ms) : NULL;

    if (!d)
        return SPAN_NULL;
    bool last_again = !f.more && d->payload;
    bool beyond = d->payload && f.offset + f.payload.n > d->payload;
    if (last_again || beyond || !mark_blocks(d, f.offset, f.payload.n)) {
        forget(d);
        return SPAN_NULL;
    }
    memcpy(d->data + HEADER_ROOM + f.offset, f.payload.p, f.payload.n);
    d->octets += f.payload.n;
    if (!f.more)
        d->payload = f.offset + f.payload.n;
    if (f.offset == 0) {
        d->header = f.header;
        memcpy(d->data + HEADER_ROOM - f.header, pkt.p, f.header);
    }
    if (!d->payload || !d->header || d->octets != d->payload)
        return SPAN_NULL;
    span whole = finish(d);
    *owned = d->data;
    d->data = NULL;
    forget(d);
    return whole;
}
