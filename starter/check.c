/* `ipsec checkconf`: what a file says, without starting anything: its mistakes, the effective value of every
 * keyword and the line that decided it, and what starter/findings.c finds wrong with the whole. And the
 * keyword table as text, for the manual page and for completion.
 */
#include "starter/check.h"

#include "libfreeswan/conf/keywords.h"
#include "libstrongswan/run/paths.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const severities[] = {"note", "warning", "error", "fatal"};
static const char *const origins[] = {"own", "also", "%default", "built-in"};

/* ---- text ---- */

typedef struct printer {
    char section[512]; /* whose values are being printed */
    bool quiet;
} printer;

static void print_value(void *ctx, const conf_value *v)
{
    printer *p = ctx;
    char head[512], word[96];
    if (p->quiet)
        return;
    snprintf(head, sizeof(head), "%s%s%s", v->kind, v->section[0] ? " " : "", v->section);
    if (strcmp(head, p->section) != 0)
        printf("%s\n", head);
    memcpy(p->section, head, sizeof(head));
    snprintf(word, sizeof(word), "%s%s%s", v->side, v->keyword, "=");
    printf("    %-24s %-32s ", word, v->value);
    if (v->origin == CONF_BUILT_IN)
        printf("# built-in\n");
    else if (v->origin == CONF_ALSO)
        printf("# %s:%u, also=%s\n", v->file, v->line, v->from);
    else
        printf("# %s:%u%s\n", v->file, v->line, v->origin == CONF_DEFAULT_SECTION ? ", %default" : "");
}

static void print_message(void *ctx, const conf_message *m)
{
    (void)ctx;
    if (m->line)
        printf("%s:%u: %s: %s\n", m->file, m->line, severities[m->severity], m->text);
    else
        printf("%s: %s: %s\n", m->file, severities[m->severity], m->text);
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *s)
{
    json_t *j = s ? json_string(s) : json_null();
    return j ? j : json_string("(not UTF-8)");
}

typedef struct collector {
    json_t *values, *messages;
} collector;

static void collect_value(void *ctx, const conf_value *v)
{
    collector *c = ctx;
    char word[96];
    snprintf(word, sizeof(word), "%s%s", v->side, v->keyword[0] || !v->side[0] ? v->keyword : "");
    json_array_append_new(c->values, json_pack("{s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:i}", "section", v->kind,
                                               "name", text_or_null(v->section), "keyword", word, "value",
                                               text_or_null(v->value), "origin", origins[v->origin], "from",
                                               text_or_null(v->origin == CONF_ALSO ? v->from : NULL), "file",
                                               text_or_null(v->file), "line", (int)v->line));
}

static void collect_message(void *ctx, const conf_message *m)
{
    collector *c = ctx;
    json_array_append_new(c->messages, json_pack("{s:s, s:o, s:i, s:o}", "severity", severities[m->severity],
                                                 "file", text_or_null(m->file), "line", (int)m->line, "text",
                                                 text_or_null(m->text)));
}

/* ---- both ---- */

int check_config(const char *path, bool as_json, bool quiet)
{
    config *cfg;
    printer p = {.quiet = quiet};
    collector c = {0};
    size_t loaded = 0, errors, found[4] = {0};
    if (as_json)
        c = (collector){json_array(), json_array()};
    void *ctx = as_json ? (void *)&c : (void *)&p;
    finding_fn *say_it = as_json ? collect_message : print_message;
    status st = config_load_values(&cfg, path, as_json ? collect_value : print_value, ctx);
    if (!cfg) {
        fprintf(stderr, "%s: %s\n", path, status_text(st));
        json_decref(c.values);
        json_decref(c.messages);
        return STARTER_BAD_CONFIG;
    }
    for (size_t i = 0; i < cfg->n_messages; i++)
        say_it(ctx, &cfg->messages[i]);
    find_faults(cfg, path_confdir(), say_it, ctx, found);
    for (size_t i = 0; i < cfg->n_conns; i++)
        loaded += cfg->conns[i]->autostart != AUTO_IGNORE;
    errors = cfg->n_errors + found[CONF_ERROR] + found[CONF_FATAL];
    int code = st ? STARTER_BAD_CONFIG : errors ? 1 : 0;
    if (as_json) {
        json_t *doc = json_pack("{s:o, s:i, s:i, s:i, s:i, s:o, s:o}", "file", text_or_null(path), "conns",
                                (int)cfg->n_conns, "loaded", (int)loaded, "cas", (int)cfg->n_cas, "errors",
                                (int)errors, "messages", c.messages, "values", c.values);
        if (!doc || json_dumpf(doc, stdout, JSON_INDENT(2)) != 0)
            code = STARTER_BAD_CONFIG;
        putchar('\n');
        json_decref(doc);
    } else {
        printf("%s: %zu conns, %zu of them to be loaded, %zu ca sections; %zu errors\n", path, cfg->n_conns,
               loaded, cfg->n_cas, errors);
    }
    config_free(cfg);
    return code;
}

/* section, name, values, default, meaning: one line each, separated by tabs */
int print_keywords(void)
{
    for (size_t i = 0; i < keywords_n; i++) {
        const keyword *k = &keywords[i];
        char values[512];
        const char *section = k->where == KW_SETUP ? "setup"
                              : k->where == KW_CA  ? "ca"
                              : k->where == KW_END ? "end"
                                                   : "conn";
        if (k->alias)
            printf("%s\t%s\t\t\tthe same as %s\n", section, k->name, k->alias);
        else if (k->type == KW_WARN)
            printf("%s\t%s\t\t\taccepted, without effect\n", section, k->name);
        else if (k->type != KW_REFUSE)
            printf("%s\t%s\t%s\t%s\t%s%s\n", section, k->name[0] ? k->name : "(left, right)",
                   kw_values_text(k, values, sizeof(values)), k->dflt ? k->dflt : "", k->doc ? k->doc : "",
                   kw_not_yet(k) ? " (without effect in this release)" : "");
    }
    return 0;
}
