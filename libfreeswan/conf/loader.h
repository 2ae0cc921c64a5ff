/* Between the stages of loading ipsec.conf: what the reader leaves for the one that makes conns of it. */
#pragma once
#include "libfreeswan/conf/conf.h"
#include "libfreeswan/conf/keywords.h"
#include "libstrongswan/base/hashmap.h"

enum { CONF_MAX_DEPTH = 20, CONF_MAX_FILE = 64 << 20, CONF_MAX_MESSAGES = 10000 };

typedef struct section section;
typedef struct entry {
    struct entry *next;
    const section *owner;
    const keyword *k; /* of conn or ca; for also and alsoflip, too */
    bool right;
    const char *word; /* as written */
    const char *value;
    const char *file;
    unsigned line;
} entry;

struct section {
    struct section *next;
    uint8_t kind;   /* KW_SETUP, KW_CONN, KW_CA */
    bool bad;       /* an error was reported: skip it */
    bool on_path;   /* being followed by also= */
    uint64_t stamp; /* of the last conn that took it over */
    const char *name, *file;
    unsigned line;
    entry *first, **last;
};

typedef struct loader {
    config *cfg;
    kw_index *index;
    section *sections, **last;
    section *open;       /* lines now read belong to it */
    hashmap *by_name[2]; /* conn, ca: the last section of a name */
    hashmap *warned;     /* words a warning was given for */
    unsigned autos;      /* conns so far, for %auto */
    size_t messages_cap;
    uint64_t stamp;
    conf_value_fn *tell; /* NULL: nobody wants to know */
    void *tell_ctx;
    status st; /* ST_NO_MEMORY ends it all */
} loader;

void conf_report(loader *l, conf_severity severity, const char *file, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
/* reader.c: a text into sections; files are included. dir NULL: no includes. */
void conf_read_text(loader *l, span text, const char *file, const char *dir, unsigned depth);
status conf_read_file(loader *l, const char *path, unsigned depth) MUST_CHECK;
/* sections.c: sections into setup, cas and conns. */
void conf_make_sections(loader *l);
