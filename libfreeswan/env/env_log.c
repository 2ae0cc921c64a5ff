/* Where a daemon logs to. strongswan.conf: DAEMON.syslog.{daemon,auth} and DAEMON.filelog.<FILE>; if any of
 * them is there, only those. Otherwise the classic ones: charon to syslog (daemon; auth at level 0) and the
 * console unless it is told not to; pluto to syslog (authpriv) or the console.   Facts: reference
 * strongswan-conf.md 5
 */
#include "libfreeswan/env/env_log.h"
#include <string.h>
#include <strings.h>
#include <syslog.h>

typedef struct sink_maker {
    env *e;
    const env_config *cfg;
    size_t n;
} sink_maker;

static bool add_sink(sink_maker *m, uint64_t id)
{
    if (id == 0 || m->n >= ENV_MAX_SINKS)
        return false;
    m->e->sinks[m->n++] = id;
    return true;
}

/* ---- strongswan.conf ---- */

static void read_levels(const env *e, const char *kind, const char *name, int levels[LG_COUNT])
{
    int64_t dflt = settings_int(e->settings, 1, "%s.%s.%s.default", e->daemon, kind, name);
    for (int g = 0; g < LG_COUNT; g++) {
        char group[8] = "";
        for (size_t i = 0; i + 1 < sizeof(group) && log_group_names[g][i]; i++)
            group[i] = (char)(log_group_names[g][i] | 0x20); /* lower case */
        levels[g] = (int)settings_int(e->settings, dflt, "%s.%s.%s.%s", e->daemon, kind, name, group);
    }
}

static bool add_syslog_section(void *ctx, const char *name)
{
    sink_maker *m = ctx;
    log_sink_config sink = {.style = m->cfg->style, .ident = m->e->daemon};
    if (strcmp(name, "daemon") == 0)
        sink.facility = LOG_DAEMON;
    else if (strcmp(name, "auth") == 0)
        sink.facility = LOG_AUTHPRIV;
    else
        return true;
    read_levels(m->e, "syslog", name, sink.levels);
    add_sink(m, log_sink_syslog(m->e->log, &sink));
    return true;
}

static bool add_filelog_section(void *ctx, const char *name)
{
    sink_maker *m = ctx;
    const env *e = m->e;
    log_scope log = {.bus = e->log};
    log_sink_config sink = {.style = m->cfg->style, .ident = e->daemon, .path = name};
    sink.append = settings_bool(e->settings, true, "%s.filelog.%s.append", e->daemon, name);
    sink.timestamps = settings_bool(e->settings, false, "%s.filelog.%s.timestamps", e->daemon, name);
    sink.json = settings_bool(e->settings, false, "%s.filelog.%s.json", e->daemon, name);
    read_levels(e, "filelog", name, sink.levels);
    if (!add_sink(m, log_sink_file(e->log, &sink)))
        LOG(&log, DMN, 0, "opening file %s for logging failed", name);
    return true;
}

static bool seen_one(void *ctx, const char *name)
{
    *(bool *)ctx = true;
    return false;
}

static bool configured(const env *e)
{
    bool any = false;
    static const char *const kinds[] = {"syslog", "filelog"};
    for (size_t i = 0; i < 2; i++) {
        buf text = {0};
        buf_printf(&text, "%s.%s", e->daemon, kinds[i]);
        settings_sections(e->settings, buf_cstr(&text), seen_one, &any);
        buf_free(&text);
    }
    return any;
}

static void add_sections(sink_maker *m, const char *kind, bool (*fn)(void *ctx, const char *name))
{
    buf section = {0};
    buf_printf(&section, "%s.%s", m->e->daemon, kind);
    settings_sections(m->e->settings, buf_cstr(&section), fn, m);
    buf_free(&section);
}

/* ---- the classic ones ---- */

static void add_classic(sink_maker *m)
{
    const env_config *cfg = m->cfg;
    bool pluto = cfg->style == LOG_STYLE_PLUTO;
    log_sink_config sink = {
        .style = cfg->style, .ident = m->e->daemon, .facility = pluto ? LOG_AUTHPRIV : LOG_DAEMON};
    for (int g = 0; g < LG_COUNT; g++)
        sink.levels[g] = cfg->log_levels ? cfg->log_levels[g] : 1;
    if (!cfg->no_syslog && !(pluto && cfg->log_console))
        add_sink(m, log_sink_syslog(m->e->log, &sink));
    if (cfg->log_console) {
        sink.path = pluto ? "stderr" : "stdout";
        add_sink(m, log_sink_file(m->e->log, &sink));
    }
    if (!pluto && !cfg->no_syslog) { /* audit lines; its level stays */
        sink.facility = LOG_AUTHPRIV;
        memset(sink.levels, 0, sizeof(sink.levels));
        log_sink_syslog(m->e->log, &sink);
    }
}

static void log_warning(void *ctx, const char *text)
{
    log_scope log = {.bus = ctx};
    LOG(&log, CFG, 1, "%s", text);
}

status env_start_log(env *e, const env_config *cfg, msgbuf *msg)
{
    sink_maker m = {.e = e, .cfg = cfg};
    status st = log_bus_new(&e->log, NULL);
    if (st != ST_OK)
        return msg_fail(msg, st, "unable to start the log: %s", status_text(st));
    if (configured(e)) {
        add_sections(&m, "syslog", add_syslog_section);
        add_sections(&m, "filelog", add_filelog_section);
    } else {
        add_classic(&m);
    }
    settings_warnings(e->settings, log_warning, e->log);
    return explain_new(&e->explain, e->log);
}

void env_set_log_level(env *e, log_group group, int level)
{
    for (size_t i = 0; e->sinks[i]; i++)
        log_set_level(e->log, e->sinks[i], group, level);
}
