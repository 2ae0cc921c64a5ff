/* ipsec.conf as a whole: reads it in two stages (reader.c: lines to sections; sections.c: sections to conns)
 * and keeps the messages. Loading never stops at a mistake; what could be read is there afterwards.
 */
#include "libfreeswan/conf/loader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void conf_report(loader *l, conf_severity severity, const char *file, unsigned line, const char *fmt, ...)
{
    config *cfg = l->cfg;
    char text[1024], safe[1500];
    va_list args;
    cfg->n_errors += severity >= CONF_ERROR;
    cfg->n_fatal += severity == CONF_FATAL;
    if (cfg->n_messages >= CONF_MAX_MESSAGES)
        return;
    if (cfg->n_messages == l->messages_cap) {
        size_t cap = l->messages_cap ? 2 * l->messages_cap : 16;
        conf_message *more = realloc(cfg->messages, cap * sizeof(*more));
        if (!more) {
            l->st = ST_NO_MEMORY;
            return;
        }
        cfg->messages = more;
        l->messages_cap = cap;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t n = 0; /* the file's words may hold anything: one printable line */
    for (const char *p = text; *p && n + 5 < sizeof(safe); p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            n += (size_t)snprintf(safe + n, 5, "\\x%02x", (unsigned char)*p);
        else
            safe[n++] = *p;
    }
    const char *kept = arena_str(&cfg->mem, span_of(safe, n));
    if (!kept) {
        l->st = ST_NO_MEMORY;
        return;
    }
    cfg->messages[cfg->n_messages++] = (conf_message){severity, file, line, kept};
}

/* Defaults of `config setup`. */
static void setup_defaults(setup *s)
{
    arena_init(&s->mem, 0);
    s->charonstart = s->plutostart = s->plutorestartoncrash = true;
    s->uniqueids = UNIQUE_REPLACE;
}

static status loader_new(loader *l, config **out)
{
    *l = (loader){0};
    l->cfg = calloc(1, sizeof(*l->cfg));
    if (!l->cfg)
        return ST_NO_MEMORY;
    arena_init(&l->cfg->mem, 0);
    setup_defaults(&l->cfg->setup);
    l->last = &l->sections;
    status st = kw_index_new(&l->index);
    if (!st)
        st = hashmap_new(&l->by_name[0]);
    if (!st)
        st = hashmap_new(&l->by_name[1]);
    if (!st)
        st = hashmap_new(&l->warned);
    *out = l->cfg;
    return st;
}

static status loader_end(loader *l, config **out, status st)
{
    hashmap_free(l->by_name[0]);
    hashmap_free(l->by_name[1]);
    hashmap_free(l->warned);
    kw_index_free(l->index);
    if (st == ST_NO_MEMORY || l->st == ST_NO_MEMORY) {
        config_free(l->cfg);
        *out = NULL;
        return ST_NO_MEMORY;
    }
    if (!st && l->cfg->n_fatal)
        st = ST_INVALID;
    return st;
}

status config_load(config **out, const char *path)
{
    return config_load_values(out, path, NULL, NULL);
}

status config_load_values(config **out, const char *path, conf_value_fn *fn, void *ctx)
{
    loader l;
    *out = NULL;
    status st = loader_new(&l, out);
    l.tell = fn;
    l.tell_ctx = ctx;
    if (!st) {
        st = conf_read_file(&l, path, 0);
        if (st == ST_NOT_FOUND || st == ST_IO || st == ST_LIMIT)
            conf_report(&l, CONF_FATAL, path, 0, "%s", strerror(errno));
        if (st != ST_NO_MEMORY)
            conf_make_sections(&l);
    }
    return loader_end(&l, out, st);
}

status config_parse(config **out, const char *text, size_t n, const char *name, const char *dir)
{
    loader l;
    *out = NULL;
    status st = loader_new(&l, out);
    if (!st) {
        const char *file = arena_str(&l.cfg->mem, span_str(name));
        if (file)
            conf_read_text(&l, span_of(text, n), file, dir, 0);
        else
            st = ST_NO_MEMORY;
        if (!st)
            conf_make_sections(&l);
    }
    return loader_end(&l, out, st);
}

void config_free(config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_conns; i++)
        conn_unref(c->conns[i]);
    for (size_t i = 0; i < c->n_cas; i++)
        ca_section_unref(c->cas[i]);
    free(c->conns);
    free(c->cas);
    free(c->messages);
    arena_free(&c->setup.mem);
    arena_free(&c->mem);
    free(c);
}
