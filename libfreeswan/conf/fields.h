/* Structures as tagged fields: one table of members gives their encoding, decoding and comparison.
 * Field: u16 tag, u32 length, octets (as libfreeswan/wire/control.h). Members that are zero are not written.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/buf.h"

typedef enum field_kind {
    FIELD_STR,  /* const char *, NULL = absent */
    FIELD_BOOL, /* bool */
    FIELD_U8,   /* uint8_t */
    FIELD_U16,  /* uint16_t */
    FIELD_U32,  /* unsigned, uint32_t, enum */
    FIELD_U64,  /* uint64_t and int64_t >= 0 */
    FIELD_ADDR, /* ip_addr */
    FIELD_NETS  /* subnet[max], with their number (unsigned) at offset2 */
} field_kind;

typedef struct field {
    uint16_t tag;
    field_kind kind;
    size_t offset, offset2;
    uint64_t max; /* largest value of a number; 0 = whatever fits; FIELD_NETS: size of the array */
} field;

enum { FIELD_MAX_TEXT = 16 * 1024 };

status fields_encode(const void *object, const field *table, size_t n, uint16_t tag_base,
                     buf *out) MUST_CHECK;
bool fields_equal(const void *a, const void *b, const field *table, size_t n);
/* One field's octets into the object; strings are copied into mem. ST_INVALID: length or value. */
status field_decode(void *object, const field *f, span value, arena *mem) MUST_CHECK;
/* Cuts the next field off; false at the end; c->failed if it is cut short. */
bool fields_next(cursor *c, uint16_t *tag, span *value);
