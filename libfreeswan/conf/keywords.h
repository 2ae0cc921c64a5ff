/* The words of ipsec.conf: one table says where each may stand, what it takes, which member it sets, what
 * holds without it and what it means. The parser, the default values' documentation, `checkconf` and
 * completion all read it.
 */
#pragma once
#include "libfreeswan/conf/conn.h"

enum { KW_SETUP = 1, KW_CONN = 2, KW_CA = 4, KW_END = 8 /* a conn's, behind left or right */ };

typedef enum kw_type {
    KW_BOOL,
    KW_UINT,    /* unsigned */
    KW_U16,     /* uint16_t, a port */
    KW_U64,     /* uint64_t */
    KW_TIME,    /* int64_t, seconds */
    KW_PERCENT, /* unsigned */
    KW_STRING,
    KW_WORD,   /* enum of `words` */
    KW_CUSTOM, /* `set` knows */
    KW_IGNORE, /* accepted; means nothing here and never did */
    KW_WARN,   /* accepted, does nothing: a warning says so once */
    KW_REFUSE  /* an error that explains (text in `doc`) */
} kw_type;

typedef struct kw_word {
    const char *text;
    unsigned value;
} kw_word;

/* What a custom setter works on; exactly one of conn, setup, ca is set. */
typedef struct kw_target {
    conn *c;
    conn_end *end; /* KW_END */
    setup *s;
    ca_section *ca;
    arena *mem;  /* for strings */
    bool warned; /* out: msg is a warning, not an error */
} kw_target;
typedef status kw_set_fn(kw_target *t, const char *value, msgbuf *msg);

typedef struct keyword {
    const char *name; /* '_' where '-' is accepted too; without left/right */
    uint8_t where;
    kw_type type;
    size_t offset, size;  /* of the member: in setup, conn, ca_section or conn_end */
    const kw_word *words; /* KW_WORD: ends with text == NULL */
    kw_set_fn *set;       /* KW_CUSTOM */
    const char *alias;    /* the name this one stands for: the same slot */
    const char *values;   /* what is accepted, for people; NULL: by the type */
    const char *dflt;     /* default as text; NULL: none */
    const char *doc;
} keyword;

extern const keyword keywords[];
extern const size_t keywords_n;

typedef struct kw_index kw_index; /* name -> row */
status kw_index_new(kw_index **out) MUST_CHECK;
void kw_index_free(kw_index *x);
/* The row for a word of a section (aliases are followed); *right for right…. NULL: unknown there. */
const keyword *kw_find(const kw_index *x, uint8_t section, const char *word, bool *right);
/* A known word that looks like it, for "did you mean"; NULL. May be a side word: then *side is "left" or
 * "right". */
const keyword *kw_nearest(uint8_t section, const char *word, const char **side);
/* Sets the member. ST_INVALID: msg tells what is accepted. */
status kw_apply(const keyword *k, kw_target *t, const char *value, msgbuf *msg) MUST_CHECK;
/* The word is read, but its feature is missing so far: kw_apply() warns. */
bool kw_not_yet(const keyword *k);
/* "yes or no", "a time such as 30s, 5m, 3h, 1d", …, for messages and documentation */
char *kw_values_text(const keyword *k, char *dst, size_t size);
status kw_parse_time(const char *text, int64_t *out, msgbuf *msg) MUST_CHECK;

/* custom setters: kwset.c */
kw_set_fn kw_set_keyexchange, kw_set_ikev2, kw_set_auto, kw_set_authby, kw_set_eap, kw_set_keyingtries,
    kw_set_dpdaction, kw_set_modecfgpull, kw_set_ah, kw_set_phase2, kw_set_phase2alg, kw_set_mark,
    kw_set_mark_in, kw_set_mark_out, kw_set_reqid, kw_set_dns, kw_set_nbns, kw_set_plutodebug,
    kw_set_charondebug, kw_set_protostack, kw_set_pluto_off, kw_set_port_floating, kw_set_failureshunt,
    kw_set_listen, kw_set_virtual_private, kw_set_ca_auto, kw_set_encapsulation;
kw_set_fn kw_end_host, kw_end_nexthop, kw_end_subnet, kw_end_subnetwithin, kw_end_protoport, kw_end_sourceip,
    kw_end_natip, kw_end_id, kw_end_rsasigkey, kw_end_auth, kw_end_auth2, kw_end_modecfgclient,
    kw_end_addresspool, kw_end_dns;
