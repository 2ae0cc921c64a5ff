/* The words algorithm strings are made of: one table for all dialects, used by the parser and by its error messages. */
#pragma once
#include "libfreeswan/proposal/proposal.h"

enum { TOKEN_IKE = 1, TOKEN_ESP = 2, TOKEN_AH = 4, TOKEN_HINT = 8 /* named in error messages */ };

typedef struct proposal_token {
    const char *name; /* '*' stands for the key length, which may be missing */
    uint8_t type;     /* transform_type */
    uint8_t where;    /* TOKEN_ bits */
    uint16_t id;
    uint16_t min_bits, max_bits; /* where the name has a '*'; the shortest that makes sense is the default */
} proposal_token;

/* The row of a word and its key length (0: none given); a row that is valid in `where` is preferred to one that is not.
 * NULL: unknown. */
const proposal_token *proposal_token_find(span word, uint8_t where, uint16_t *bits);
/* Checks a key length; the salt that Openswan counts in for AEADs is taken off. */
bool proposal_token_bits(const proposal_token *t, uint16_t *bits);
/* Appends the names one would expect: "aes128 aes256 3des". */
void proposal_token_hints(msgbuf *msg, uint8_t type, uint8_t where);
