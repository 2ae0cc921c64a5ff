/* ipsec.conf: the parser. One keyword table (keywords.h) says what each word means; errors carry file:line, the word and
 * what would be accepted; a bad section is skipped, the others load.   Reference: ipsec-conf.md 1-6, 11-13
 */
#pragma once
#include "libfreeswan/conf/conn.h"

typedef enum conf_severity { CONF_NOTE, CONF_WARNING, CONF_ERROR, CONF_FATAL } conf_severity;
typedef struct conf_message {
    conf_severity severity;
    const char *file;
    unsigned line;
    const char *text; /* without file:line */
} conf_message;

typedef struct config {
    arena mem;
    setup setup;
    conn **conns; /* in file order; several subnets of an IKEv1 conn are expanded ("name/1x2") by the daemon, not here */
    size_t n_conns;
    ca_section **cas;
    size_t n_cas;
    conf_message *messages;
    size_t n_messages, n_errors, n_fatal;
} config;

/* Always makes a config, with what could be read; ST_INVALID if there was a fatal error, ST_NOT_FOUND/ST_IO without the
 * main file. Names are not resolved here. */
status config_load(config **out, const char *path) MUST_CHECK;
status config_parse(config **out, const char *text, size_t n, const char *name, const char *dir) MUST_CHECK;
void config_free(config *c);
