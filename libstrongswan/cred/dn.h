/* Inside of distinguished names, shared by dn.c and ident.c. The public functions are in ident.h. */
#pragma once
#include "libstrongswan/cred/ident.h"

enum { DN_MAX_AVAS = 64, DN_MAX_BYTES = 16384 };

typedef struct dn_ava {
    unsigned rdn; /* which relative name it belongs to */
    span oid, value;
    uint8_t tag; /* of the value */
} dn_ava;

/* Takes a DN apart; returns the number of attributes, -1 if it is malformed. An empty DN is well formed: 0.
 */
int dn_split(span der, dn_ava avas[DN_MAX_AVAS]);
/* -1: `der` does not fit the pattern; else how many of the pattern's values are the wildcard "*". */
int dn_match(span der, span pattern);
bool dn_has_wildcards(span der);
