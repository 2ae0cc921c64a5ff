/* The starter as one object: the configuration it holds, the two daemons it runs and feeds. One thread;
 * signals arrive through a descriptor; talking to a daemon blocks, with a limit.
 */
#pragma once
#include "libfreeswan/conf/conf.h"
#include "libfreeswan/net/net.h"
#include "libfreeswan/wire/control.h"
#include "libstrongswan/run/ctlserver.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
    STARTER_OK = 0,
    STARTER_MISSING = 1, /* exit codes of LSB init scripts */
    STARTER_BAD_CONFIG = 2,
    STARTER_NOT_ROOT = 4
};

typedef enum daemon_kind { PLUTO, CHARON, DAEMONS } daemon_kind;

typedef struct daemon_state {
    daemon_kind kind;
    const char *name;
    uint32_t magic;
    bool wanted;         /* plutostart, charonstart, and nobody else's is running */
    pid_t pid;           /* 0: does not run */
    net_sockets sockets; /* handed to each of its lives */
    bool have_sockets;
    int64_t started_ms;
    int64_t restart_ms; /* when it is tried again; 0: not scheduled */
    unsigned pause_s;   /* before the next restart */
} daemon_state;

typedef struct starter {
    bool nofork, debug, checkconf, keywords;
    bool json, quiet;       /* of checkconf */
    const char *report;     /* --status, --metrics, --explain: what report() is to make */
    const char *about_conn; /* its conn; NULL */
    unsigned auto_update_s;
    char conf_path[4096];
    config *cfg; /* what the daemons were told */
    daemon_state d[DAEMONS];
    bool stopping;
} starter;

/* log.c: syslog (authpriv, "ipsec_starter") and, before the fork or with --nofork, stderr */
void say_open(bool on_stderr);
void say_background(void);
void say(int priority, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* load.c: reads the file, says what is wrong, resolves names. previous (may be NULL): its addresses serve
 * where a name cannot be resolved now. *out is made even with errors; NULL without memory. */
status starter_load(starter *s, const config *previous, config **out) MUST_CHECK;
/* An end has a name that could not be resolved yet. */
bool conn_waits(const conn *c);

/* daemon.c */
void daemon_init(starter *s);
status daemon_prepare_sockets(starter *s) MUST_CHECK;
/* Starts it and waits until it answers. */
status daemon_start(starter *s, daemon_kind kind) MUST_CHECK;
void daemon_stop_all(starter *s);
/* Ends it and starts it anew, with the configuration as it is now. */
void daemon_replace(starter *s, daemon_kind kind);
/* It died or could not be started: tries again later, with growing pauses. */
void daemon_schedule(starter *s, daemon_kind kind);
/* A child has ended: who was it? Schedules the restart. */
void daemon_reaped(starter *s, pid_t pid, int wstatus);
/* ms until a restart is due; -1: none. */
int64_t daemon_next_restart(const starter *s);
void daemon_restart_due(starter *s, bool now);

/* feed.c */
/* All of the configuration to a daemon that knows nothing yet. */
void feed_all(starter *s, daemon_kind kind, const config *cfg);
/* The difference between what was told and `cfg`; which takes its place. */
void feed_update(starter *s, config *cfg);
/* Tries the names again that could not be resolved; conns that got their addresses are told anew. true: some
 * still wait. */
bool feed_resolved(starter *s);
/* Takes everything away, then tells all of cfg. */
void feed_reload(starter *s, config *cfg);

/* check.c; exit codes: 0 good, 1 some sections are not, 2 fatal */
int check_config(const char *path, bool as_json, bool quiet);
int print_keywords(void);

/* report.c: what is "json", "metrics" or "explain"; name: only that conn, NULL for all */
int report(const char *what, const char *name);
