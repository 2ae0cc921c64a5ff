/* What every daemon does once: pid file, signals, privileges, readiness. */
#pragma once
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/run/runtime.h"
#include <sys/types.h>

/* Creates `path` with our pid, O_EXCL and not through a symbolic link. A file of a dead process is replaced. ST_EXISTS:
 * another one runs; *other (may be NULL) gets its pid. */
status pidfile_create(const char *path, pid_t *other) MUST_CHECK;
void pidfile_remove(const char *path); /* only if it is ours */

/* At the start of main(), before any thread is made: threads inherit it, and a signal comes to process_signals() only. */
void process_block_signals(void);
/* Signals as events: TERM, INT, QUIT, HUP, USR1, CHLD, ALRM come to fn as jobs; PIPE is ignored. */
status process_signals(runtime *rt, void (*fn)(void *ctx, int signo), void *ctx) MUST_CHECK;

/* Keeps the named capabilities (CAP_NET_ADMIN, …; -1 ends), drops all others and the group list, changes user and group
 * if given (0 = stay), sets no_new_privs. */
status process_drop_privileges(const int *keep_caps, uid_t uid, gid_t gid, msgbuf *msg) MUST_CHECK;
/* "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1" to $NOTIFY_SOCKET; nothing without one. */
void process_notify(const char *state);
/* Forks into the background: the parent exits with 0 when the child calls process_ready(), with the child's code if it
 * ends before. */
status process_daemonize(void) MUST_CHECK;
void process_ready(void);
