/* The parts of `ipsec status --json` both daemons say in the same words. The document of a daemon:
 *
 *   {"daemon", "started", "now", "kernel", "counters": {…}, "auth_failures": {reason: n},
 *    "explain": [{"time", "times", "text"}],
 *    "conns": [{"name", "up", "routed", "children", …, "local": {…}, "remote": {…}, "explain": […]}],
 *    "sas": [{"conn", "id", "state", …, "children": [{"conn", "id", "state", …, "bytes_in", "bytes_out"}]}]}
 *
 * Functions that make a value return NULL without memory; jansson's *_new functions pass that on.
 */
#pragma once
#include "libfreeswan/conf/conntab.h"
#include "libfreeswan/env/env.h"
#include <jansson.h>

/* The head, with empty "conns" and "sas". */
json_t *report_new(const env *e, int64_t started_wall_s);

typedef struct report_conn {
    const char *name; /* with pluto's "/1x2" */
    const conn *c;
    const conn_end *me, *peer;
    bool oriented, routed;
    const ident *my_id, *peer_id; /* NULL: the address; anybody */
    const cert *my_cert;          /* leftcert that is loaded; NULL */
    unsigned children;            /* installed now: up if there are some */
    bool details;                 /* credentials, too */
} report_conn;
json_t *report_conn_new(const env *e, const report_conn *r);

typedef struct report_child {
    const char *conn, *state, *mode;
    uint64_t id; /* reqid of charon, state number of pluto */
    uint32_t spi_in, spi_out;
    uint64_t bytes_in, bytes_out;
    int64_t established; /* wall seconds; 0 = not known */
    bool installed;
    traffic_sel const *mine, *theirs;
    size_t n_mine, n_theirs;
} report_child;
json_t *report_child_new(const report_child *r);

/* The finished document as one line of text; frees it. ST_NO_MEMORY. */
status report_end(json_t *doc, buf *out) MUST_CHECK;
