/* Identities: IP addresses, FQDN, user@FQDN, DN, KEY_ID, and the wildcard `%any`. Immutable, reference counted, any
 * thread.   RFC 7296 3.5, RFC 2407 4.6.2; text forms: reference ipsec-conf.md 7.2
 */
#pragma once
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/enumname.h"
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/base/span.h"

typedef enum id_type {
    ID_ANY = 0,
    ID_IPV4_ADDR = 1,
    ID_FQDN = 2,
    ID_USER_FQDN = 3, /* RFC822_ADDR in IKEv2 */
    ID_IPV4_ADDR_SUBNET = 4,
    ID_IPV6_ADDR = 5,
    ID_IPV6_ADDR_SUBNET = 6,
    ID_IPV4_ADDR_RANGE = 7,
    ID_IPV6_ADDR_RANGE = 8,
    ID_DER_ASN1_DN = 9,
    ID_DER_ASN1_GN = 10,
    ID_KEY_ID = 11,
} id_type;
extern const enum_names id_type_names; /* "ID_FQDN", … */

typedef struct ident ident;

/* "%any", "@fqdn", "fqdn", "user@host", "@#hex", "@~der-hex", "@[keyid]", "C=CH, O=…", "/C=CH/O=…", "1.2.3.4", … */
status ident_from_text(ident **out, const char *text, msgbuf *msg) MUST_CHECK;
/* From the wire. Checks the length of addresses, the encoding of DNs; subnet and range types are accepted for IKEv1. */
status ident_from_wire(ident **out, uint8_t type, span data, msgbuf *msg) MUST_CHECK;
ident *ident_any(void);
ident *ident_ref(ident *id);
void ident_unref(ident *id); /* NULL ok */
id_type ident_type(const ident *id);
span ident_data(const ident *id); /* as on the wire */
/* Text in charon's form ("gw.example.net", "C=CH, …", "10.0.0.1"); unprintable bytes quoted; cut at size. */
char *ident_text(const ident *id, char *dst, size_t size);
/* pluto's form: FQDN and key ids with a leading @. */
char *ident_text_pluto(const ident *id, char *dst, size_t size);
#define IDENT_TEXT 512
#define IDENT_STR(id) ident_text((id), (char[IDENT_TEXT]){0}, IDENT_TEXT)

/* Equality: DNs by RDN with case folded as X.520 says; FQDN and user FQDN without case. */
bool ident_equal(const ident *a, const ident *b);
bool ident_has_wildcards(const ident *id);
/* How well `id` fits `pattern`: 0 no match; larger is better; ID_MATCH_PERFECT equal; fewer points per wildcard; `%any`
 * matches everything with ID_MATCH_ANY. Wildcards: "*" as an RDN's value, "*.domain", "*@domain". */
enum { ID_MATCH_NONE = 0, ID_MATCH_ANY = 1, ID_MATCH_MAX_WILDCARDS = 14, ID_MATCH_PERFECT = 20 };
int ident_match(const ident *id, const ident *pattern);
/* DER of a DN <-> text */
status dn_from_text(buf *der, const char *text, msgbuf *msg) MUST_CHECK;
char *dn_text(span der, char *dst, size_t size);
bool dn_valid(span der);
bool dn_equal(span a, span b);
