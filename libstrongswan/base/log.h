/* The log bus. Code logs to a *scope* (which daemon, which SA); the bus hands events to listeners: syslog, files,
 * stderr, and clients that wait for an operation. Delivery happens on the bus's own thread, in order, under no lock of
 * the logging code, so a stuck listener can delay only other listeners. A full queue drops level >= 2 events first and
 * says how many. In a `direct` bus (simulator, tools, tests) events are delivered by the caller.
 *
 * Levels: 0 audit (start, success, failure), 1 what happened, 2 why, 3 raw dumps, 4 secrets (only with `private`).
 * Peers' text goes through text_quote() before it comes here; as a second line of defence control characters are
 * escaped in delivery.
 */
#pragma once
#include "libstrongswan/base/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum log_group { LG_DMN, LG_MGR, LG_IKE, LG_CHD, LG_JOB, LG_CFG, LG_KNL, LG_NET, LG_ENC, LG_LIB, LG_COUNT } log_group;
extern const char *const log_group_names[LG_COUNT]; /* "DMN", … */
/* "ike" or "IKE" to the group, -1 if there is none; "any" and "default" give LG_COUNT */
int log_group_by_name(const char *name);

typedef struct log_bus log_bus;

/* Who speaks. Passed by pointer, owned by the speaker; the bus copies what it needs. */
typedef struct log_scope {
    log_bus *bus;
    const char *name; /* conn or SA name as shown in the log, may be NULL */
    uint64_t unique;  /* IKE_SA unique id / state serial, 0 = none */
    uint64_t channel; /* waiting clients listen to channels; 0 = none */
} log_scope;

typedef struct log_event {
    int64_t wall_ms;
    log_group group;
    int level;
    int thread; /* number of the worker, 0 = not a worker */
    int code;   /* whack code of the line, 0 = none */
    uint64_t unique, channel;
    const char *name;
    const char *text; /* one line, no newline at its end */
} log_event;

typedef void log_listener_fn(void *ctx, const log_event *ev);

typedef struct log_bus_config {
    bool direct;    /* deliver in the caller */
    unsigned queue; /* events held, 0 = 8192 */
} log_bus_config;

status log_bus_new(log_bus **out, const log_bus_config *cfg) MUST_CHECK;
void log_bus_flush(log_bus *bus); /* returns when all that was logged before is delivered */
void log_bus_free(log_bus *bus);  /* flushes; NULL ok */

/* A listener hears events of `channel` (0 = every event) up to levels[group]. Returns an id for log_unlisten(), 0 on
 * failure. After log_unlisten() returns the listener is not called any more. */
uint64_t log_listen(log_bus *bus, uint64_t channel, const int levels[LG_COUNT], log_listener_fn *fn, void *ctx);
void log_unlisten(log_bus *bus, uint64_t id);
/* Changes the levels of a listener; group LG_COUNT = all. */
void log_set_level(log_bus *bus, uint64_t id, log_group group, int level);

/* Sinks made of listeners. A line is "NN[GRP] text" (charon; NN = worker, GRP = AUD for level 0 in LOG_AUTHPRIV) or "text"
 * (pluto: the prefix is part of the text). */
typedef enum log_style { LOG_STYLE_CHARON, LOG_STYLE_PLUTO } log_style;
typedef struct log_sink_config {
    log_style style;
    int levels[LG_COUNT];
    int facility;      /* syslog: LOG_DAEMON, LOG_AUTHPRIV */
    const char *ident; /* syslog and file */
    const char *path;  /* file: NULL = stderr; "stdout" and "stderr" are what they say */
    bool append, timestamps, json;
} log_sink_config;
uint64_t log_sink_syslog(log_bus *bus, const log_sink_config *cfg);
uint64_t log_sink_file(log_bus *bus, const log_sink_config *cfg); /* reopened by log_reopen() */
void log_reopen(log_bus *bus);

bool log_enabled(const log_bus *bus, log_group group, int level); /* somebody would hear it; cheap; NULL bus: false */
void log_emit(const log_scope *scope, log_group group, int level, int code, const char *fmt, ...) PRINTF_LIKE(5, 6);
void log_set_thread(int number); /* number of the calling thread in log lines */

/* LOG(&sa->log, IKE, 1, "…", …): arguments are evaluated only if somebody listens */
#define LOG(scope, grp, lvl, ...) LOG_CODE(scope, grp, lvl, 0, __VA_ARGS__)
#define LOG_CODE(scope, grp, lvl, code, ...)                                                                           \
    do {                                                                                                               \
        if (log_enabled((scope)->bus, LG_##grp, (lvl)))                                                                \
            log_emit((scope), LG_##grp, (lvl), (code), __VA_ARGS__);                                                   \
    } while (0)
/* One of our own assumptions broke: logs place and text at level 0, prefixed "BUG:"; the caller drops the SA and goes on. */
#define LOG_BUG(scope, ...) log_bug((scope), __FILE__, __LINE__, __VA_ARGS__)
void log_bug(const log_scope *scope, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);
