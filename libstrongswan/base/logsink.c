/* Sinks: listeners that write to syslog, to a file or to stderr. They run on the bus's thread; a file is
 * flushed after each batch of lines, not after each line.
 */
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/log_bus.h"
#include "libstrongswan/base/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

typedef struct sink {
    log_style style;
    int facility;
    bool timestamps, json, append;
    char *ident, *path;
    FILE *f;
    bool standard; /* stdout or stderr: not ours to close */
    buf line;
} sink;

static void sink_destroy(void *ctx)
{
    sink *s = ctx;
    if (s->f && !s->standard)
        fclose(s->f);
    buf_free(&s->line);
    free(s->path);
    free(s->ident);
    free(s);
}

static sink *sink_new(const log_sink_config *cfg)
{
    sink *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->style = cfg->style;
    s->facility = cfg->facility;
    s->timestamps = cfg->timestamps;
    s->json = cfg->json;
    s->append = cfg->append;
    s->ident = strdup(cfg->ident ? cfg->ident : "ipsec");
    s->path = cfg->path ? strdup(cfg->path) : NULL;
    if (!s->ident || (cfg->path && !s->path)) {
        sink_destroy(s);
        return NULL;
    }
    return s;
}

/* Lines for the security log carry the tag of old: everything of level 0 is an audit line there. */
static const char *tag_of(const sink *s, const log_event *ev)
{
    return s->facility == LOG_AUTHPRIV && ev->level == 0 ? "AUD" : log_group_names[ev->group];
}

static void put_plain(sink *s, const log_event *ev)
{
    if (s->style == LOG_STYLE_CHARON)
        buf_printf(&s->line, "%02d[%s] ", ev->thread, tag_of(s, ev));
    buf_put_str(&s->line, ev->text);
}

static void put_json(sink *s, const log_event *ev)
{
    time_t t = (time_t)(ev->wall_ms / 1000);
    struct tm tm;
    char when[40];
    gmtime_r(&t, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(&s->line, "{\"time\":\"%s.%03dZ\",\"daemon\":", when, (int)(ev->wall_ms % 1000));
    text_put_json(&s->line, span_str(s->ident));
    buf_printf(&s->line, ",\"group\":\"%s\",\"level\":%d,\"thread\":%d", log_group_names[ev->group],
               ev->level, ev->thread);
    if (ev->code)
        buf_printf(&s->line, ",\"code\":%d", ev->code);
    if (ev->name) {
        buf_put_str(&s->line, ",\"conn\":");
        text_put_json(&s->line, span_str(ev->name));
    }
    if (ev->unique)
        buf_printf(&s->line, ",\"sa\":%llu", (unsigned long long)ev->unique);
    buf_put_str(&s->line, ",\"text\":");
    text_put_json(&s->line, span_str(ev->text));
    buf_put_u8(&s->line, '}');
}

static void on_syslog(void *ctx, const log_event *ev)
{
    sink *s = ctx;
    buf_reset(&s->line);
    if (s->json)
        put_json(s, ev);
    else
        put_plain(s, ev);
    int priority = s->style == LOG_STYLE_PLUTO ? LOG_WARNING : LOG_INFO;
    syslog(s->facility | priority, "%s", buf_cstr(&s->line));
}

static void on_file(void *ctx, const log_event *ev)
{
    sink *s = ctx;
    buf_reset(&s->line);
    if (s->json) {
        put_json(s, ev);
    } else {
        if (s->timestamps) {
            time_t t = (time_t)(ev->wall_ms / 1000);
            struct tm tm;
            char when[40];
            localtime_r(&t, &tm);
            strftime(when, sizeof(when), "%b %e %H:%M:%S ", &tm);
            buf_put_str(&s->line, when);
        }
        put_plain(s, ev);
    }
    buf_put_u8(&s->line, '\n');
    if (buf_ok(&s->line) && s->f)
        fwrite(s->line.p, 1, s->line.n, s->f);
}

static void file_flush(void *ctx)
{
    sink *s = ctx;
    if (s->f)
        fflush(s->f);
}

static bool file_open(sink *s, bool append)
{
    if (!s->path || strcmp(s->path, "stderr") == 0 || strcmp(s->path, "stdout") == 0) {
        s->f = s->path && s->path[3] == 'o' ? stdout : stderr;
        s->standard = true;
        return true;
    }
    FILE *f = fopen(s->path, append ? "ae" : "we");
    if (!f)
        return false;
    if (s->f)
        fclose(s->f);
    s->f = f;
    return true;
}

/* A file that cannot be opened again goes on where it was. What was rotated is never truncated. */
static void file_reopen(void *ctx)
{
    sink *s = ctx;
    if (!s->standard)
        file_open(s, true);
}

uint64_t log_sink_syslog(log_bus *bus, const log_sink_config *cfg)
{
    static const log_hooks hooks = {NULL, NULL, sink_destroy};
    sink *s = sink_new(cfg);
    if (!s)
        return 0;
    /* openlog() keeps the pointer for the life of the process: one name per process, kept on purpose */
    static char ident[64];
    if (!ident[0]) {
        snprintf(ident, sizeof(ident), "%s", s->ident);
        openlog(ident, cfg->style == LOG_STYLE_PLUTO ? LOG_PID : 0, cfg->facility);
    }
    uint64_t id = log_listen_hooked(bus, 0, cfg->levels, on_syslog, s, &hooks);
    if (!id)
        sink_destroy(s);
    return id;
}

uint64_t log_sink_file(log_bus *bus, const log_sink_config *cfg)
{
    static const log_hooks hooks = {file_flush, file_reopen, sink_destroy};
    sink *s = sink_new(cfg);
    if (!s)
        return 0;
    if (!file_open(s, cfg->append)) {
        log_scope scope = {.bus = bus};
        LOG(&scope, DMN, 1, "opening file %s for logging failed: %s", s->path, strerror(errno));
        sink_destroy(s);
        return 0;
    }
    uint64_t id = log_listen_hooked(bus, 0, cfg->levels, on_file, s, &hooks);
    if (!id)
        sink_destroy(s);
    return id;
}

void log_reopen(log_bus *bus)
{
    log_each_hook(bus);
}
