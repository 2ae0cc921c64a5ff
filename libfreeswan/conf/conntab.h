/* The conns of a daemon: by name, and by who could be meant when a peer appears. Holds references; any
 * thread; lock is a leaf. Which end is ours (`orientation`) is decided with the host's addresses and kept
 * beside the conn.
 */
#pragma once
#include "libfreeswan/conf/conn.h"
#include "libfreeswan/net/host.h"

typedef struct conntab conntab;
typedef struct oriented {
    conn *c;
    const conn_end *me, *peer; /* into c */
    bool local_is_right;
    bool oriented;   /* false: neither end is us; then me = left */
    uint64_t serial; /* order of loading; new for each replacement */
} oriented;

status conntab_new(conntab **out, host *h) MUST_CHECK;
void conntab_free(conntab *t);
status conntab_add(conntab *t, conn *c) MUST_CHECK; /* takes its own reference; ST_EXISTS */
status conntab_replace(conntab *t, conn *c) MUST_CHECK;
status conntab_del(conntab *t, const char *name) MUST_CHECK;
/* out gets a reference in out->c (conn_unref). */
status conntab_find(conntab *t, const char *name, oriented *out) MUST_CHECK;
/* All conns by load order; the snapshot is the caller's to conntab_list_free(). */
status conntab_list(conntab *t, oriented **out, size_t *n) MUST_CHECK;
void conntab_list_free(oriented *rows, size_t n);
/* Candidates for a peer at these addresses, best first: exact host pair, then %any peers; version is a
 * conn_version mask. peer_id NULL: not known yet. msg: the nearest miss, for the *explain* line. */
typedef struct conn_query {
    ip_addr me, peer;
    unsigned version;
    const ident *my_id;   /* IDr the peer asked for; NULL */
    const ident *peer_id; /* NULL */
    size_t max;           /* at most so many %any peers while peer_id is not known; 0 = all */
} conn_query;
status conntab_match(conntab *t, const conn_query *q, oriented **out, size_t *n, msgbuf *msg) MUST_CHECK;
/* After addresses or names changed. */
void conntab_reorient(conntab *t);
