/* The updown script: environment, verbs and order (reference commands.md 12). Runs without a shell string:
 * argv is /bin/sh -c SCRIPT as configured by the administrator; everything that comes from a peer is in the
 * environment only, never in a string a shell parses. Scripts of one conn run one after another.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/base/log.h"
#include "libstrongswan/run/runtime.h"

typedef struct updown updown;
typedef struct updown_vars {
    const char *verb;       /* "up-client", "prepare-host", with "-v6" where the outer family is IPv6 */
    const char *connection; /* conn name */
    const char *interface;
    ip_addr next_hop; /* any = unset */
    bool hostaccess, firewall;
    uint32_t reqid;
    ip_addr me, peer;
    const char *my_id, *peer_id, *peer_ca; /* text; NULL = unset */
    traffic_sel my_ts, peer_ts;
    ip_addr my_sourceip; /* any = unset */
    const char *xauth_id;
    uint64_t unique_id;
    uint32_t mark_in, mark_out;
    uint16_t udp_encap_port; /* 0 = none */
} updown_vars;
/* done (may be NULL) runs as a job with the exit status (-1: could not run). */
typedef void updown_done_fn(void *ctx, uint64_t key, int exit_status);
typedef struct updown_ops {
    status (*run)(updown *u, const char *script, const updown_vars *vars, log_scope log, updown_done_fn *done,
                  void *ctx, uint64_t key);
    void (*free)(updown *u);
} updown_ops;
struct updown {
    const updown_ops *ops;
};
status updown_new(updown **out, runtime *rt) MUST_CHECK;
/* Builds the verb: action + -host/-client + -v6. */
const char *updown_verb(char dst[32], const char *action, bool host, bool v6);
