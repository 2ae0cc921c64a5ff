/* `ipsec checkconf`: what a file says, without starting anything; and the keyword table as text, for the
 * manual page and for completion.
 */
#include "starter/starter.h"

#include "libfreeswan/conf/keywords.h"

#include <stdio.h>
#include <string.h>

int check_config(const char *path)
{
    static const char *const severity[] = {"note", "warning", "error", "fatal"};
    config *cfg;
    status st = config_load(&cfg, path);
    if (!cfg) {
        fprintf(stderr, "%s: %s\n", path, status_text(st));
        return STARTER_BAD_CONFIG;
    }
    for (size_t i = 0; i < cfg->n_messages; i++) {
        const conf_message *m = &cfg->messages[i];
        printf("%s:%u: %s: %s\n", m->file, m->line, severity[m->severity], m->text);
    }
    size_t loaded = 0;
    for (size_t i = 0; i < cfg->n_conns; i++)
        loaded += cfg->conns[i]->autostart != AUTO_IGNORE;
    printf("%s: %zu conns, %zu of them to be loaded, %zu ca sections; %zu errors\n", path, cfg->n_conns,
           loaded, cfg->n_cas, cfg->n_errors);
    int code = st ? STARTER_BAD_CONFIG : cfg->n_errors ? 1 : 0;
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
