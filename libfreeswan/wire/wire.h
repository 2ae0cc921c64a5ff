/* The field-descriptor engine: a table says once how a structure looks on the wire and in C; the same table
 * parses it (into an arena, never outside the input), emits it (lengths, counts and "more" marks are
 * computed), and prints it for the ENC log. Spans of a parsed structure point into the input.
 *
 * A table row is one of twelve kinds. Reserved octets are emitted as zero and ignored on receipt, as the RFCs
 * say. Octets behind the last row are an error. Lists are `wire_list`: an arena array of the sub-table's C
 * struct.
 *
 *   static const wire_field ke_fields[] = {
 *       WIRE_UINT(ikev2_ke, group, 2, &dh_names), WIRE_RESERVED(2), WIRE_REST(ikev2_ke, data, 0, 0),
 *   };
 *   const wire_table ikev2_ke_table = WIRE_TABLE("KE", ikev2_ke, ke_fields);
 */
#pragma once
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/enumname.h"
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/base/span.h"

typedef enum wire_kind {
    WK_UINT,     /* number of `width` octets; min..max when max != 0; the C member is as wide */
    WK_BITS,     /* the same, but only the bits of `max` count, the others are reserved */
    WK_RESERVED, /* `width` octets of zero */
    WK_LENGTH,   /* octets of this whole structure, from its first one; the rows behind it end there */
    WK_MORE,     /* one octet: `max` if another structure of the list follows, 0 in the last one */
    WK_COUNT,    /* number of items of the wire_list at `offset`, which is a later row */
    WK_SIZE,     /* octets of the span at `offset`, which is a later row */
    WK_BYTES,    /* span of the size read by the WK_SIZE row; min..max octets */
    WK_REST,     /* span of all that is left; min..max octets */
    WK_LIST,     /* wire_list with the number of items read by the WK_COUNT row; min..max items */
    WK_ITEMS,    /* wire_list until the end; min..max items */
    WK_ATTR,     /* wire_attr: data attribute of RFC 2408 3.3, short (TV) or long (TLV) */
} wire_kind;

typedef struct wire_table wire_table;
typedef struct wire_field {
    uint8_t kind;
    uint8_t width; /* octets on the wire */
    uint16_t offset;
    uint32_t min, max; /* max 0 = no limit */
    const char *name;
    const enum_names *names;
    const wire_table *sub;
} wire_field;
struct wire_table {
    const char *name;
    size_t size; /* of the C struct */
    const wire_field *fields;
    size_t n;
};

typedef struct wire_list {
    void *items;
    size_t n;
} wire_list;
#define WIRE_AT(list, type, i) (&((type *)(list).items)[i])
/* A list over a C array, for emitting. */
#define WIRE_LIST(array, count) ((wire_list){(void *)(array), (count)})

typedef struct wire_attr {
    uint16_t type;  /* without the format bit */
    bool tv;        /* short form: the value is in `value` */
    uint16_t value; /* TV */
    span data;      /* TLV */
} wire_attr;
/* TV's value or TLV's data as a number; false if it does not fit 32 bits (leading zero octets are skipped).
 */
bool wire_attr_u32(const wire_attr *a, uint32_t *out);
wire_attr wire_attr_tv(uint16_t type, uint16_t value);
wire_attr wire_attr_tlv(uint16_t type, span data);
/* The attribute of that type; NULL if there is none. */
const wire_attr *wire_attr_find(const wire_list *attrs, uint16_t type);

enum { WIRE_MAX_DEPTH = 6, WIRE_MAX_ITEMS = 1024 };

/* Parses exactly `in`. out is zeroed first; lists are in the arena. ST_INVALID: msg says which field and why;
 * ST_LIMIT, ST_NO_MEMORY. */
status wire_parse(const wire_table *t, span in, void *out, arena *mem, msgbuf *msg) MUST_CHECK;
/* Appends. Fails (ST_INVALID) when a value does not fit its field or its limits. */
status wire_emit(const wire_table *t, const void *obj, buf *out) MUST_CHECK;
/* Appends lines "name = value", two blanks per depth, numbers with their names, bytes as hex cut at 64
 * octets. */
void wire_print(const wire_table *t, const void *obj, buf *out, unsigned depth);

// clang-format off
#define WIRE_ROW(kind_, type, member, width_, min_, max_, names_, sub_) \
    {.kind = (kind_), .width = (width_), .offset = offsetof(type, member), .min = (min_), .max = (max_), \
     .name = #member, .names = (names_), .sub = (sub_)}
#define WIRE_UINT(type, member, width_, names_)    WIRE_ROW(WK_UINT, type, member, width_, 0, 0, names_, NULL)
#define WIRE_UINT_IN(type, member, width_, min_, max_, names_) WIRE_ROW(WK_UINT, type, member, width_, min_, max_, names_, NULL)
#define WIRE_BITS(type, member, width_, mask_, names_) WIRE_ROW(WK_BITS, type, member, width_, 0, mask_, names_, NULL)
#define WIRE_RESERVED(width_)                      {.kind = WK_RESERVED, .width = (width_), .name = "reserved"}
#define WIRE_LENGTH(width_)                        {.kind = WK_LENGTH, .width = (width_), .name = "length"}
#define WIRE_MORE(value_)                          {.kind = WK_MORE, .width = 1, .max = (value_), .name = "more"}
#define WIRE_COUNT(type, list_, width_)            WIRE_ROW(WK_COUNT, type, list_, width_, 0, 0, NULL, NULL)
#define WIRE_SIZE(type, span_, width_)             WIRE_ROW(WK_SIZE, type, span_, width_, 0, 0, NULL, NULL)
#define WIRE_BYTES(type, span_, min_, max_)        WIRE_ROW(WK_BYTES, type, span_, 0, min_, max_, NULL, NULL)
#define WIRE_REST(type, span_, min_, max_)         WIRE_ROW(WK_REST, type, span_, 0, min_, max_, NULL, NULL)
#define WIRE_COUNTED(type, list_, min_, max_, sub_) WIRE_ROW(WK_LIST, type, list_, 0, min_, max_, NULL, sub_)
#define WIRE_ITEMS(type, list_, min_, max_, sub_)  WIRE_ROW(WK_ITEMS, type, list_, 0, min_, max_, NULL, sub_)
#define WIRE_ATTR(names_)                          {.kind = WK_ATTR, .offset = 0, .name = "attribute", .names = (names_)}
#define WIRE_TABLE(name_, type, rows)              {(name_), sizeof(type), (rows), sizeof(rows) / sizeof((rows)[0])}
// clang-format on
