/* Words of ipsec.secrets. */
#pragma once
#include "libstrongswan/base/span.h"

typedef enum word_kind { WORD_END, WORD_BARE, WORD_QUOTED, WORD_COLON, WORD_BAD_QUOTE } word_kind;

typedef struct secrets_word {
    word_kind kind;
    span text;
    unsigned line;
    bool first;    /* of its line */
    bool indented; /* the line begins with a blank; for the first word */
} secrets_word;

typedef struct secrets_lexer {
    span rest;
    unsigned line;
    bool at_line_start, indented;
    secrets_word pushed[2]; /* words split off, to be given next */
    size_t n_pushed;
} secrets_lexer;

void secrets_lex_init(secrets_lexer *l, span text);
secrets_word secrets_lex_next(secrets_lexer *l);
