/* Reading and writing single DER elements: just enough for distinguished names and for looking at what
 * OpenSSL is about to decode. Strict: definite minimal lengths, low tag numbers, nothing beyond the end.
 */
#pragma once
#include "libstrongswan/base/buf.h"

// clang-format off
enum {
    DER_BOOLEAN = 0x01, DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_OCTET_STRING = 0x04, DER_NULL = 0x05,
    DER_OID = 0x06, DER_UTF8 = 0x0c, DER_NUMERIC = 0x12, DER_PRINTABLE = 0x13, DER_T61 = 0x14, DER_IA5 = 0x16,
    DER_VISIBLE = 0x1a, DER_UNIVERSAL = 0x1c, DER_BMP = 0x1e, DER_SEQUENCE = 0x30, DER_SET = 0x31,
};
// clang-format on

/* Takes the next element off *rest. false: there is none or it is malformed. */
bool der_next(span *rest, uint8_t *tag, span *body);
/* The same, and the tag must be this one. */
bool der_next_is(span *rest, uint8_t tag, span *body);
/* The whole of `der` is one element with this tag. */
bool der_whole(span der, uint8_t tag, span *body);
/* Every element in `der`, constructed ones included, is well formed; nesting at most `depth`. */
bool der_well_formed(span der, unsigned depth);
void der_put(buf *b, uint8_t tag, span body);
