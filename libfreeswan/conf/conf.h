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

/* One effective value, for `ipsec checkconf`: which line decided. Texts live as long as the config. */
typedef enum conf_origin { CONF_OWN, CONF_ALSO, CONF_DEFAULT_SECTION, CONF_BUILT_IN } conf_origin;
typedef struct conf_value {
    const char *kind, *section; /* "config setup" and "", "conn" or "ca" and its name */
    const char *side, *keyword; /* side: "left", "right" or "" */
    const char *value;
    conf_origin origin;
    const char *from; /* CONF_ALSO: the section that has the line */
    const char *file; /* NULL: built in */
    unsigned line;
} conf_value;
typedef void conf_value_fn(void *ctx, const conf_value *v);

/* Always makes a config, with what could be read; ST_INVALID if there was a fatal error, ST_NOT_FOUND/ST_IO without the
 * main file. Names are not resolved here. */
status config_load(config **out, const char *path) MUST_CHECK;
/* The same; fn hears every effective value of every section that is good, in the order of the keyword table. */
status config_load_values(config **out, const char *path, conf_value_fn *fn, void *ctx) MUST_CHECK;
status config_parse(config **out, const char *text, size_t n, const char *name, const char *dir) MUST_CHECK;
void config_free(config *c);
