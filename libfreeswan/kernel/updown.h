/* The updown script: environment, verbs and order (reference commands.md 12). Runs without a shell string:
 * argv is /bin/sh -c SCRIPT as configured by the administrator; everything that comes from a peer is in the
 * environment only, never in a string a shell parses. Scripts of one conn run one after another.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/base/arena.h"
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
    uint32_t mark_in, mark_in_mask, mark_out, mark_out_mask;
    uint16_t udp_encap_port; /* 0 = none */
    bool pluto_words; /* log lines as pluto writes them ("VERB output: …"), not as charon ("updown: …") */
} updown_vars;
/* done (may be NULL) runs as a job with the exit status (-1: could not run, or ended by a signal). script
 * NULL or "": nothing runs, done comes with 0. */
typedef void updown_done_fn(void *ctx, uint64_t key, int exit_status);
typedef struct updown_ops {
    status (*run)(updown *u, const char *script, const updown_vars *vars, log_scope log, updown_done_fn *done,
                  void *ctx, uint64_t key);
    /* Scripts that run or wait to. */
    size_t (*busy)(updown *u);
    /* Only when nobody is inside. What waits is dropped, what runs goes on by itself; done comes with -1 for
     * both. */
    void (*free)(updown *u);
} updown_ops;
struct updown {
    const updown_ops *ops;
};
enum { UPDOWN_TIMEOUT_MS = 120 * 1000 }; /* a script that hangs must not hold its conn for ever */
status updown_new(updown **out, runtime *rt) MUST_CHECK;
/* The default script; firewall: with its argument for leftfirewall=yes. */
const char *updown_default(bool firewall);
/* What the script sees: "NAME=value" strings, NULL at the end; all in mem. NULL: no memory. */

const char *const *updown_env(arena *mem, const updown_vars *v);
/* Builds the verb: action + -host/-client + -v6. */
const char *updown_verb(char dst[32], const char *action, bool host, bool v6);

/* ---- for tests and the simulator: nothing is run, "VERB CONN" is written down ---- */
status updown_fake_new(updown **out, runtime *rt) MUST_CHECK;
/* Lines so far, separated by newlines; valid until the next run. */
const char *updown_fake_log(updown *u);
/* Exit status of every run of a verb that starts with this word from now on; NULL: of all. */
void updown_fake_exit(updown *u, const char *verb, int status);
