/* Reading ipsec.conf: messages to the log, names to addresses. */
#include "starter/starter.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

static void say_messages(const starter *s, const config *cfg)
{
    for (size_t i = 0; i < cfg->n_messages; i++) {
        const conf_message *m = &cfg->messages[i];
        if (m->severity == CONF_NOTE && !s->debug)
            continue;
        const char *what = m->severity == CONF_WARNING ? "warning: " : "";
        if (m->line)
            say(LOG_WARNING, "%s:%u: %s%s", m->file, m->line, what, m->text);
        else
            say(LOG_WARNING, "%s: %s%s", m->file, what, m->text);
    }
    if (cfg->n_errors)
        say(LOG_WARNING, "### %zu parsing error%s (%zu fatal) ###", cfg->n_errors,
            cfg->n_errors == 1 ? "" : "s", cfg->n_fatal);
}

static const conn *find_conn(const config *cfg, const char *name)
{
    for (size_t i = 0; cfg && i < cfg->n_conns; i++)
        if (strcmp(cfg->conns[i]->name, name) == 0)
            return cfg->conns[i];
    return NULL;
}

/* The address the name had last time, so that a sick resolver takes no tunnel down. */
static void keep_address(conn_end *e, const conn_end *old)
{
    if (!e->host.family && !e->host_any && e->host_text && old->host_text &&
        strcmp(e->host_text, old->host_text) == 0)
        e->host = old->host;
}

static void resolve(const config *previous, conn *c)
{
    msgbuf msg = {""};
    if (conn_resolve(c, &msg) == ST_OK) {
        if (msg.text[0])
            say(LOG_WARNING, "conn '%s': %s; any address is accepted", c->name, msg.text);
        return;
    }
    const conn *old = find_conn(previous, c->name);
    if (old) {
        keep_address(&c->left, &old->left);
        keep_address(&c->right, &old->right);
    }
    say(LOG_WARNING, "%s:%u: conn '%s': %s%s", c->file, c->line, c->name, msg.text,
        old ? "; the previous address is used" : "; it is loaded and waits for an address");
}

static bool end_waits(const conn_end *e)
{
    return e->host_text && !e->host.family && !e->host_any && !e->host_defaultroute && !e->host_group;
}

bool conn_waits(const conn *c)
{
    return c->autostart != AUTO_IGNORE && (end_waits(&c->left) || end_waits(&c->right));
}

status starter_load(starter *s, const config *previous, config **out)
{
    status st = config_load(out, s->conf_path);
    if (!*out)
        return st;
    say_messages(s, *out);
    for (size_t i = 0; i < (*out)->n_conns; i++)
        if ((*out)->conns[i]->autostart != AUTO_IGNORE)
            resolve(previous, (*out)->conns[i]);
    return st;
}
