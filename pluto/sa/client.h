/* A client that waits for an operation. Every state that works for it holds a reference; when the last one is
 * gone the client is told the outcome.
 */
#pragma once
#include "pluto/pluto.h"

/* whack's line codes */
enum {
    RC_COMMENT = 0,
    RC_WHACK_PROBLEM = 1,
    RC_LOG = 2,
    RC_LOG_SERIOUS = 3,
    RC_SUCCESS = 4,
    RC_RETRANSMISSION = 10,
    RC_DUPNAME = 20,
    RC_UNKNOWN_NAME = 21,
    RC_ORIENT = 22,
    RC_CLASH = 23,
    RC_DEAF = 24,
    RC_ROUTE = 25,
    RC_RTBUSY = 26,
    RC_BADID = 27,
    RC_NOKEY = 28,
    RC_NOPEERIP = 29,
    RC_BADWHACKMESSAGE = 30,
    RC_NORETRANSMISSION = 31,
    RC_INTERNALERR = 32,
    RC_OPPOFAILURE = 33,
    RC_NEW_STATE = 100,
    RC_NOTIFICATION = 200,
};

typedef struct pl_client pl_client;
pl_client *client_new(const pluto_waiter *w); /* NULL waiter or no memory: NULL, which all of these accept */
pl_client *client_ref(pl_client *c);
void client_unref(pl_client *c);
void client_line(pl_client *c, int code, const char *text);
void client_printf(pl_client *c, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
