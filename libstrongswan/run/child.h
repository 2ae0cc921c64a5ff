/* Child processes: updown scripts, helpers, supervised daemons. No shell unless the caller's argv is one. The
 * child gets exactly the environment given, /dev/null as standard input, default signals, no inherited
 * descriptors beyond 0-2 and those listed.
 */
#pragma once
#include "libstrongswan/run/runtime.h"
#include <sys/types.h>

typedef struct child_spec {
    const char *const *argv; /* argv[0] is the absolute path */
    const char *const *envp; /* NULL = empty environment */
    const int *pass_fds; /* kept open in the child under the same numbers; -1 ends the list; NULL = none */
    int64_t timeout_ms;  /* then SIGTERM, 2 s later SIGKILL; 0 = none */
    /* each line of stdout and stderr, without newline, cut at 1 KiB; NULL: output is inherited */
    void (*on_line)(void *ctx, const char *line);
    /* wait status as of waitpid(); called once, after the last on_line */
    void (*on_exit)(void *ctx, int wstatus);
    void *ctx;
} child_spec;

/* Starts it; callbacks run as jobs. What spec points to is copied, but for ctx. */
status child_start(runtime *rt, const child_spec *spec, pid_t *pid) MUST_CHECK;
/* The same for who may have to let go of it before its end; *out is set before any callback runs. */
typedef struct child child;
status child_start_held(runtime *rt, const child_spec *spec, child **out) MUST_CHECK;
/* Gives the handle back, once; NULL ok. true: it had not ended; it runs on by itself and nothing of ctx is
 * called any more. false: on_exit was called or is being called. Not from its callbacks but on_exit. */
bool child_forget(child *c);
/* Starts it and waits; without a runtime; callbacks run in the caller. *wstatus may be NULL. */
status child_run(const child_spec *spec, int *wstatus) MUST_CHECK;
