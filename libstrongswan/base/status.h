/* What a function of the suite returns when it can fail. One enum for all rooms; OK is zero.
 * Functions that explain a refusal to a person also take a `msgbuf`, see msgbuf.h.
 */
#pragma once

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

// clang-format off
#define STATUS_LIST(X)                                                        \
    X(ST_OK,          "ok")                                                   \
    X(ST_NEED_MORE,   "more input needed")                                    \
    X(ST_INVALID,     "invalid")            /* malformed or out of range */   \
    X(ST_NOT_FOUND,   "not found")                                            \
    X(ST_EXISTS,      "exists already")                                       \
    X(ST_NO_MEMORY,   "out of memory")                                        \
    X(ST_CRYPTO,      "cryptographic failure") /* verification, decryption */ \
    X(ST_IO,          "input/output error")    /* errno tells */              \
    X(ST_DENIED,      "not permitted")                                        \
    X(ST_AGAIN,       "try again")                                            \
    X(ST_LIMIT,       "limit exceeded")                                       \
    X(ST_UNSUPPORTED, "not supported")                                        \
    X(ST_TIMEOUT,     "timed out")                                            \
    X(ST_CLOSED,      "closed")
// clang-format on

typedef enum status {
#define X(name, text) name,
    STATUS_LIST(X)
#undef X
} status;

/* English text of a status, never NULL. */
const char *status_text(status st);
