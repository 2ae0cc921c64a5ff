/* What a daemon last said in its *explain* lines, by conn, for `ipsec explain` and `ipsec status --json`; and
 * how often authentication failed and why, for `ipsec metrics`. It hears the lines from the log bus, so that
 * nobody who explains has to know of it. Any thread.
 */
#pragma once
#include "libstrongswan/base/log.h"

typedef struct explain_book explain_book;

enum {
    EXPLAIN_LINES = 512,  /* kept in all */
    EXPLAIN_PER_NAME = 4, /* kept for one conn: a noisy one drives out only its own */
    EXPLAIN_TEXT = 1024,  /* octets of a line; the rest is cut */
};

typedef enum auth_failure {
    AUTHF_NO_CONN,       /* no conn fits the peer's identity */
    AUTHF_NO_SECRET,     /* we have no secret for the two */
    AUTHF_NO_KEY,        /* we have no private key of our own */
    AUTHF_BAD_SECRET,    /* the peer's secret is another one */
    AUTHF_NOT_TRUSTED,   /* no trusted public key for the peer */
    AUTHF_BAD_SIGNATURE, /* there was one, the signature is not its */
    AUTHF_REFUSED,       /* the peer refused us */
    AUTHF_COUNT
} auth_failure;
extern const char *const auth_failure_names[AUTHF_COUNT]; /* "no_conn", … */

status explain_new(explain_book **out, log_bus *bus) MUST_CHECK;
void explain_free(explain_book *b); /* before the bus; NULL ok */

typedef struct explain_line {
    int64_t wall_ms;  /* when it was said last */
    unsigned times;   /* in a row */
    const char *name; /* "" = of no conn */
    const char *text; /* without the log's prefix */
} explain_line;
/* Lines of that conn ("lab" means "lab/1x2", too), oldest first; "" = those of no conn. fn must not log. NULL
 * book: none. */
void explain_each(explain_book *b, const char *name, void (*fn)(void *ctx, const explain_line *l), void *ctx);

/* NULL ok: an engine without a book */
void explain_count(explain_book *b, auth_failure why);
uint64_t explain_counted(const explain_book *b, auth_failure why);
