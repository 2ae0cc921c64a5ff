/* The inside of whack: arguments become one list of requests for pluto, in the order in which pluto always
 * did them. */
#pragma once
#include "libfreeswan/conf/conn.h"
#include "libfreeswan/wire/control.h"
#include "libstrongswan/base/arena.h"

typedef enum whack_action { /* in the order of execution */
                            WA_DEBUG,
                            WA_MYID,
                            WA_DELETE,
                            WA_CRASH,
                            WA_DELETESTATE,
                            WA_CONN,
                            WA_CA,
                            WA_KEY,
                            WA_REREAD,
                            WA_PURGE,
                            WA_LISTEN,
                            WA_UNLISTEN,
                            WA_LIST,
                            WA_ROUTE,
                            WA_UNROUTE,
                            WA_INITIATE,
                            WA_OPPO,
                            WA_TERMINATE,
                            WA_SCENCRYPT,
                            WA_SCDECRYPT,
                            WA_STATUS,
                            WA_SHUTDOWN,
                            WA_COUNT
} whack_action;

typedef struct whack_args {
    arena mem;
    msgbuf msg; /* what is wrong */
    const char *label, *name, *ctlbase;
    bool wanted[WA_COUNT];
    bool asynchronous, all_status, utc, addkey, help, version;
    uint32_t list, reread, purge, debug, deletestate;
    ip_addr crash, oppo_here, oppo_there;
    const char *myid, *keyid, *pubkey, *sc_value;
    uint16_t inbase, outbase;
    /* the conn being described */
    conn *c;
    conn_end *end;
    bool described, to_seen, psk, rsasig, encrypt, authenticate, tunnel, shunt, dontrekey;
    bool dpd_action, dpd_delay, dpd_timeout, client_seen[2], within_seen[2], host_seen[2];
    int family, tunnel_family;
    /* the ca being described */
    ca_section *ca;
} whack_args;

status whack_args_init(whack_args *a) MUST_CHECK;
void whack_args_free(whack_args *a);
/* ST_INVALID: a->msg tells what is wrong. */
status whack_parse(whack_args *a, int argc, char **argv) MUST_CHECK;
/* The checks that need all arguments; afterwards conn and ca are complete. */
status whack_finish(whack_args *a) MUST_CHECK;
/* The body of the request for an action; *type is its record type. */
status whack_request(whack_args *a, whack_action action, uint16_t *type, buf *body) MUST_CHECK;
void whack_usage(void);
