/* Control-socket server (whack, stroke, later SMP): a UNIX stream socket that takes records of a bounded size from many
 * clients at once. A client that connects and says nothing costs a descriptor and times out; it never holds a worker.
 *
 * Record on the wire, network order: u32 length of all of it, u32 magic, u16 version, u16 type, then the body. The body's
 * fields are libfreeswan/wire/control.h's business. A record of wrong magic, version or length is answered with an error
 * line and the connection is closed.
 *
 * Bodies of what the server sends: CTL_LINE u32 code, text (may hold several lines); CTL_PROMPT u8 echo, text; CTL_DONE
 * u32 exit code. The client answers a prompt with a CTL_PROMPT record: u8 1 and the words, or u8 0 for a refusal.
 */
#pragma once
#include "libstrongswan/base/span.h"
#include "libstrongswan/run/runtime.h"
#include <sys/types.h>

enum {
    CTL_HEADER = 12,           /* octets before the body */
    CTL_MAX_RECORD = 1 << 20,  /* octets */
    CTL_MAX_CLIENTS = 4096,    /* (or half the descriptor limit) the longest silent one is closed to make room */
    CTL_MAX_PENDING = 64 << 20, /* octets of incomplete records of all clients */
    CTL_MAX_OUTPUT = 64 << 20,  /* octets a client has not read */
    CTL_SILENCE_MS = 10 * 1000 /* until a complete record must have arrived */
};
#define CTL_MAGIC_WHACK  0x57484b31u
#define CTL_MAGIC_STROKE 0x53544b31u
#define CTL_VERSION      1

/* types of the records a server sends: every line of output, a question, the end */
enum { CTL_LINE = 1, CTL_PROMPT = 2, CTL_DONE = 3 };

typedef struct ctl_server ctl_server;
typedef struct ctl_client ctl_client; /* one connection; reference counted */

typedef struct ctl_server_config {
    const char *path;
    uint32_t magic;
    mode_t mode; /* 0 = 0600 */
    gid_t group; /* (gid_t)-1 = leave */
    log_scope log;
    /* One complete record; runs as a job. body is valid during the call. The handler must end every request with
     * ctl_done(), now or later (then it keeps a reference). A client may send several records, one after another. */
    void (*handle)(void *ctx, ctl_client *client, uint16_t type, span body);
    void *ctx;
} ctl_server_config;

status ctl_server_new(ctl_server **out, runtime *rt, const ctl_server_config *cfg) MUST_CHECK;
/* Closes the clients and removes the socket file. After runtime_run() returned, or in manual mode. NULL ok. */
void ctl_server_free(ctl_server *s);

ctl_client *ctl_ref(ctl_client *c);
void ctl_unref(ctl_client *c);
/* One line of output with its whack code (0 for none; stroke ignores it). Never blocks: output of a client that does not
 * read is queued up to 64 MiB, then the client is closed. */
void ctl_line(ctl_client *c, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Raw text, may hold many lines. */
void ctl_text(ctl_client *c, int code, span text);
/* Asks for a pass phrase; answer comes to fn (span empty if the client is gone or refuses). */
void ctl_prompt(ctl_client *c, const char *text, bool echo, void (*fn)(void *ctx, span answer), void *ctx);
/* The request is finished; exit status for the client program. */
void ctl_done(ctl_client *c, int exit_code);
bool ctl_closed(const ctl_client *c);

/* ---- the client side, blocking, for whack, stroke and starter ---- */
typedef struct ctl_conn {
    int fd;
    uint32_t magic;
} ctl_conn;
status ctl_connect(ctl_conn *c, const char *path, uint32_t magic) MUST_CHECK; /* errno tells why not */
void ctl_close(ctl_conn *c);
status ctl_send(ctl_conn *c, uint16_t type, span body) MUST_CHECK;
/* Reads until CTL_DONE; calls line() for each line and prompt() for each question (NULL: refused; it fills answer and
 * returns its length). *exit_code gets the server's word. timeout_ms 0 = none. */
typedef struct ctl_reply_ops {
    void (*line)(void *ctx, int code, span text);
    size_t (*prompt)(void *ctx, span text, bool echo, char *answer, size_t size);
    void *ctx;
} ctl_reply_ops;
status ctl_receive(ctl_conn *c, const ctl_reply_ops *ops, int64_t timeout_ms, int *exit_code) MUST_CHECK;
