/* The second stage: sections of entries into setup, ca sections and conns.
 *
 * A conn is what the defaults say, then %default, then the sections it takes over by also=, then its own
 * lines; whoever includes wins over what is included, and of several also= the first. For each keyword (and
 * side) there is one slot, so that every keyword is set once, whatever stands where.
 */
#include "libfreeswan/conf/loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { ALSO = 1, ALSOFLIP = 2 };

typedef struct slots { /* which entry decides, per keyword and side */
    const entry **at;  /* 2 * keywords_n */
    size_t *order, n;  /* slots in use, in the order they were filled */
} slots;

typedef struct maker {
    loader *l;
    slots used;
    section *defaults[2]; /* all entries of conn %default and ca %default in one section each */
} maker;

static int also_kind(const entry *e)
{
    return strcasecmp(e->word, "also") == 0 ? ALSO : strcasecmp(e->word, "alsoflip") == 0 ? ALSOFLIP : 0;
}

static const char *kind_text(uint8_t kind)
{
    return kind == KW_SETUP ? "config setup" : kind == KW_CA ? "ca" : "conn";
}

static bool is_private(const char *word)
{
    return word[0] == '_' || strncasecmp(word, "x-", 2) == 0 || strncasecmp(word, "x_", 2) == 0;
}

/* ---- keywords of the entries ---- */

static void unknown_keyword(loader *l, section *s, const entry *e, bool fatal)
{
    const char *side = "";
    const keyword *near = kw_nearest(s->kind, e->word, &side);
    bool right;
    uint8_t others[] = {KW_SETUP, KW_CONN, KW_CA};
    for (size_t i = 0; i < sizeof(others); i++)
        if (others[i] != s->kind && kw_find(l->index, others[i], e->word, &right)) {
            conf_report(l, fatal ? CONF_FATAL : CONF_ERROR, e->file, e->line,
                        "unsupported keyword '%s' in %s %s: it belongs to %s%s", e->word, kind_text(s->kind),
                        s->kind == KW_SETUP ? "" : s->name, kind_text(others[i]),
                        others[i] == KW_SETUP ? "" : " sections");
            return;
        }
    conf_report(l, fatal ? CONF_FATAL : CONF_ERROR, e->file, e->line, "unknown keyword '%s' in %s %s%s%s%s%s",
                e->word, kind_text(s->kind), s->kind == KW_SETUP ? "" : s->name,
                near ? "; did you mean '" : "", near ? side : "", near ? near->name : "", near ? "'?" : "");
}

/* Finds every entry's keyword; unlinks those to be ignored. */
static void resolve_keywords(loader *l, section *s, bool fatal)
{
    entry **link = &s->first;
    while (*link) {
        entry *e = *link;
        e->k = kw_find(l->index, s->kind, e->word, &e->right);
        if (!e->k && is_private(e->word)) {
            *link = e->next;
            continue;
        }
        if (!e->k) {
            unknown_keyword(l, s, e, fatal);
            s->bad = true;
            *link = e->next;
            continue;
        }
        link = &e->next;
    }
    s->last = link;
}

/* ---- slots ---- */

static void slots_clear(slots *u)
{
    for (size_t i = 0; i < u->n; i++)
        u->at[u->order[i]] = NULL;
    u->n = 0;
}

static void slot_put(slots *u, size_t i, const entry *e)
{
    if (!u->at[i])
        u->order[u->n++] = i;
    u->at[i] = e;
}

static size_t slot_of(const entry *e, bool flip)
{
    bool right = e->k->where == KW_END && e->right != flip;
    return 2 * (size_t)(e->k - keywords) + right;
}

/* A section's own lines: the last of a keyword counts. Where an including section has it already, that one
 * counts. */
static void take_own(maker *m, const section *s, bool flip, const section *by)
{
    slots *u = &m->used;
    for (const entry *e = s->first; e; e = e->next) {
        if (also_kind(e))
            continue;
        size_t i = slot_of(e, flip);
        const entry *before = u->at[i];
        bool mine = before && before->owner == s;
        if (mine)
            conf_report(m->l, CONF_WARNING, e->file, e->line, "'%s' stands twice in %s %s; this one counts",
                        e->word, kind_text(s->kind), s->name);
        else if (before && by && strcmp(before->value, e->value) != 0)
            conf_report(m->l, CONF_WARNING, before->file, before->line,
                        "'%s' takes the place of the one in %s %s (%s:%u)", before->word, kind_text(s->kind),
                        s->name, e->file, e->line);
        if (!before || mine)
            slot_put(u, i, e);
    }
}

/* The sections `s` takes over. false: an error was reported. */
static bool take_also(maker *m, section *s, section *top, bool flip)
{
    loader *l = m->l;
    hashmap *names = l->by_name[s->kind == KW_CA];
    bool good = true;
    s->on_path = true;
    for (const entry *e = s->first; e; e = e->next) {
        int kind = also_kind(e);
        if (!kind)
            continue;
        section *target = hashmap_get(names, span_str(e->value));
        if (!target) {
            conf_report(l, CONF_ERROR, e->file, e->line, "%s=%s: there is no %s of that name", e->word,
                        e->value, kind_text(s->kind));
            good = false;
        } else if (target->on_path) {
            conf_report(l, CONF_ERROR, e->file, e->line,
                        "%s '%s' cannot include '%s': they include each other", kind_text(s->kind), top->name,
                        e->value);
            good = false;
        } else if (target->stamp != l->stamp) {
            bool turned = flip != (kind == ALSOFLIP);
            target->stamp = l->stamp;
            good &= !target->bad;
            take_own(m, target, turned, s);
            good &= take_also(m, target, top, turned);
        }
    }
    s->on_path = false;
    return good;
}

/* ---- values ---- */

/* false: the section is no good. */
static bool apply_one(maker *m, kw_target *t, const entry *e, bool fatal, bool quiet)
{
    msgbuf msg = {""};
    status st = kw_apply(e->k, t, e->value, &msg);
    loader *l = m->l;
    if (st == ST_NO_MEMORY) {
        l->st = st;
        return false;
    }
    if (st) {
        if (!quiet)
            conf_report(l, fatal ? CONF_FATAL : CONF_ERROR, e->file, e->line, "%s=%s: %s", e->word, e->value,
                        msg.text);
        return false;
    }
    if (!t->warned || quiet)
        return true;
    if (e->k->type == KW_WARN || kw_not_yet(e->k)) { /* once for each word */
        if (hashmap_add(l->warned, span_str(e->k->name), (void *)(uintptr_t)e->k) == ST_OK)
            conf_report(l, CONF_WARNING, e->file, e->line, "%s %s", e->word, msg.text);
    } else {
        conf_report(l, CONF_WARNING, e->file, e->line, "%s=%s: %s", e->word, e->value, msg.text);
    }
    return true;
}

static bool apply_defaults(maker *m, kw_target *t, const section *d)
{
    bool good = true;
    conn *c = t->c;
    for (const entry *e = d ? d->first : NULL; e; e = e->next) {
        if (also_kind(e) || m->used.at[slot_of(e, false)])
            continue;
        t->end = c ? (e->right ? &c->right : &c->left) : NULL;
        good &= apply_one(m, t, e, true, true);
    }
    return good;
}

static bool apply_slots(maker *m, kw_target *t)
{
    bool good = true;
    conn *c = t->c;
    for (size_t i = 0; i < m->used.n; i++) {
        size_t slot = m->used.order[i];
        t->end = c ? (slot & 1 ? &c->right : &c->left) : NULL;
        good &= apply_one(m, t, m->used.at[slot], false, false);
    }
    return good;
}

/* ---- telling who decided ---- */

static bool tells(const keyword *k, uint8_t kind)
{
    bool mine = k->where & (kind == KW_CONN ? KW_CONN | KW_END : kind);
    return mine && !k->alias && k->type != KW_WARN && k->type != KW_REFUSE && k->type != KW_IGNORE;
}

static const entry *in_defaults(const section *d, size_t slot)
{
    const entry *found = NULL;
    for (const entry *e = d ? d->first : NULL; e; e = e->next)
        if (!also_kind(e) && slot_of(e, false) == slot)
            found = e;
    return found;
}

/* Every keyword of the section: the line that counts, or what holds without one. */
static void tell_values(maker *m, uint8_t kind, const section *s, const section *defaults)
{
    loader *l = m->l;
    for (size_t i = 0; l->tell && i < 2 * keywords_n; i++) {
        const keyword *k = &keywords[i / 2];
        const entry *own = m->used.at[i], *e = own ? own : in_defaults(defaults, i);
        bool end = k->where == KW_END;
        if (!tells(k, kind) || (!end && (i & 1)) || (!e && !k->dflt))
            continue;
        conf_value v = {.kind = kind_text(kind),
                        .section = s ? s->name : "",
                        .side = !end ? "" : i & 1 ? "right" : "left",
                        .keyword = k->name,
                        .value = e ? e->value : k->dflt,
                        .origin = !e                    ? CONF_BUILT_IN
                                  : !own                ? CONF_DEFAULT_SECTION
                                  : s && e->owner != s ? CONF_ALSO
                                                        : CONF_OWN,
                        .from = e && s ? e->owner->name : "",
                        .file = e ? e->file : NULL,
                        .line = e ? e->line : 0};
        l->tell(l->tell_ctx, &v);
    }
}

/* ---- conns ---- */

static status conn_consequences(conn *c, const setup *s)
{
    conn_end *ends[] = {&c->left, &c->right};
    for (int i = 0; i < 2; i++) {
        if (ends[i]->sourceip && c->type == CONN_TRANSPORT)
            c->type = CONN_TUNNEL;
        if (ends[i]->host_group && c->type == CONN_TRANSPORT)
            c->type = CONN_TUNNEL;
        if (ends[i]->id_text && strcmp(ends[i]->id_text, "%myid") == 0 && s->myid) {
            status st = conn_set_str(c, &ends[i]->id_text, s->myid);
            if (st)
                return st;
        }
    }
    c->strictcrl = s->strictcrl;
    c->uniqueids = s->uniqueids;
    return ST_OK;
}

/* Short lifetimes with the default margin are common and always worked. */
static void check_margin(loader *l, const section *s, conn *c)
{
    int64_t least = c->ikelifetime_s && c->ikelifetime_s < c->keylife_s ? c->ikelifetime_s : c->keylife_s;
    if (!c->rekey || !least || c->rekeymargin_s < least)
        return;
    conf_report(l, CONF_WARNING, s->file, s->line,
                "conn '%s': rekeymargin (%" PRId64 " s) is not less than the lifetime (%" PRId64
                " s); half of that is used",
                c->name, c->rekeymargin_s, least);
    c->rekeymargin_s = least / 2;
}

static void skipped(loader *l, const section *s)
{
    conf_report(l, CONF_NOTE, s->file, s->line, "%s %s is skipped", kind_text(s->kind), s->name);
}

static void make_conn(maker *m, section *s)
{
    loader *l = m->l;
    conn *c;
    msgbuf msg = {""};
    l->st = conn_new(&c, s->name);
    if (l->st)
        return;
    kw_target t = {.c = c, .mem = &c->mem};
    slots_clear(&m->used);
    l->stamp++;
    s->stamp = l->stamp;
    take_own(m, s, false, NULL);
    bool good = take_also(m, s, s, false) && !s->bad;
    apply_defaults(m, &t, m->defaults[0]);
    good &= apply_slots(m, &t);
    c->file = arena_str(&c->mem, span_str(s->file));
    c->line = s->line;
    if (!l->st && (!c->file || conn_consequences(c, &l->cfg->setup) != ST_OK))
        l->st = ST_NO_MEMORY;
    if (good && c->autostart != AUTO_IGNORE)
        check_margin(l, s, c);
    if (good && !l->st && c->autostart != AUTO_IGNORE && conn_seal(c, &msg) != ST_OK) {
        conf_report(l, CONF_ERROR, s->file, s->line, "%s", msg.text);
        good = false;
    }
    if (good && !l->st) {
        l->cfg->conns[l->cfg->n_conns++] = c;
        tell_values(m, KW_CONN, s, m->defaults[0]);
        return;
    }
    skipped(l, s);
    conn_unref(c);
}

static void make_ca(maker *m, section *s)
{
    loader *l = m->l;
    ca_section *ca;
    l->st = ca_section_new(&ca, s->name);
    if (l->st)
        return;
    kw_target t = {.ca = ca, .mem = &ca->mem};
    slots_clear(&m->used);
    l->stamp++;
    s->stamp = l->stamp;
    take_own(m, s, false, NULL);
    bool good = take_also(m, s, s, false) && !s->bad;
    apply_defaults(m, &t, m->defaults[1]);
    good &= apply_slots(m, &t);
    ca->file = arena_str(&ca->mem, span_str(s->file));
    ca->line = s->line;
    ca->strictcrl = l->cfg->setup.strictcrl != CRL_NO;
    if (good && !l->st && ca->file) {
        l->cfg->cas[l->cfg->n_cas++] = ca;
        tell_values(m, KW_CA, s, m->defaults[1]);
        return;
    }
    if (!l->st)
        skipped(l, s);
    ca_section_unref(ca);
}

/* ---- setup, %default ---- */

static void make_setup(maker *m)
{
    loader *l = m->l;
    setup *s = &l->cfg->setup;
    kw_target t = {.s = s, .mem = &s->mem};
    slots_clear(&m->used);
    for (section *x = l->sections; x; x = x->next) {
        if (x->kind != KW_SETUP)
            continue;
        resolve_keywords(l, x, true);
        for (const entry *e = x->first; e; e = e->next) {
            const entry *before = m->used.at[slot_of(e, false)];
            if (before)
                conf_report(l, CONF_WARNING, e->file, e->line,
                            "'%s' in config setup takes the place of the one at %s:%u", e->word, before->file,
                            before->line);
            slot_put(&m->used, slot_of(e, false), e);
        }
        if (x->bad)
            l->cfg->n_fatal += l->cfg->n_fatal == 0;
    }
    for (size_t i = 0; i < m->used.n; i++)
        (void)apply_one(m, &t, m->used.at[m->used.order[i]], true, false);
    tell_values(m, KW_SETUP, NULL, NULL);
}

/* All %default sections become one; errors in it are found once, here. */
static void collect_defaults(maker *m, uint8_t kind)
{
    loader *l = m->l;
    section *all = NULL;
    for (section *s = l->sections; s; s = s->next) {
        if (s->kind != kind || strcmp(s->name, "%default") != 0)
            continue;
        resolve_keywords(l, s, true);
        for (entry *e = s->first; e; e = e->next) {
            e->owner = all ? all : s;
            if (also_kind(e))
                conf_report(l, CONF_WARNING, e->file, e->line, "%s= has no effect in %%default", e->word);
        }
        if (s->bad)
            l->cfg->n_fatal += l->cfg->n_fatal == 0;
        if (all && s->first) {
            *all->last = s->first;
            all->last = s->last;
        } else if (!all) {
            all = s;
        }
    }
    m->defaults[kind == KW_CA] = all;
    if (!all)
        return;
    slots_clear(&m->used);
    take_own(m, all, false, NULL);
    conn *c = NULL;
    ca_section *ca = NULL;
    l->st = kind == KW_CONN ? conn_new(&c, "%default") : ca_section_new(&ca, "%default");
    if (l->st)
        return;
    kw_target t = {.c = c, .ca = ca, .mem = c ? &c->mem : &ca->mem};
    for (size_t i = 0; i < m->used.n; i++) {
        t.end = c ? (m->used.order[i] & 1 ? &c->right : &c->left) : NULL;
        (void)apply_one(m, &t, m->used.at[m->used.order[i]], true, false);
    }
    conn_unref(c);
    ca_section_unref(ca);
}

/* ---- all of it ---- */

static bool is_ordinary(const section *s)
{
    return s->kind != KW_SETUP && strcmp(s->name, "%default") != 0;
}

/* The last section of a name is the one that counts. */
static void index_sections(loader *l)
{
    for (section *s = l->sections; s && !l->st; s = s->next) {
        void *old = NULL;
        if (!is_ordinary(s))
            continue;
        resolve_keywords(l, s, false);
        hashmap *names = l->by_name[s->kind == KW_CA];
        old = hashmap_remove(names, span_str(s->name));
        l->st = hashmap_add(names, span_str(s->name), s);
        if (old)
            conf_report(l, CONF_WARNING, s->file, s->line, "%s '%s' takes the place of the one at %s:%u",
                        kind_text(s->kind), s->name, ((section *)old)->file, ((section *)old)->line);
    }
}

static bool allocate(maker *m)
{
    loader *l = m->l;
    size_t conns = hashmap_count(l->by_name[0]), cas = hashmap_count(l->by_name[1]);
    m->used.at = calloc(2 * keywords_n, sizeof(*m->used.at));
    m->used.order = calloc(2 * keywords_n, sizeof(*m->used.order));
    l->cfg->conns = calloc(conns + 1, sizeof(*l->cfg->conns));
    l->cfg->cas = calloc(cas + 1, sizeof(*l->cfg->cas));
    return m->used.at && m->used.order && l->cfg->conns && l->cfg->cas;
}

void conf_make_sections(loader *l)
{
    maker m = {.l = l};
    index_sections(l);
    if (!l->st && !allocate(&m))
        l->st = ST_NO_MEMORY;
    if (!l->st)
        make_setup(&m);
    if (!l->st)
        collect_defaults(&m, KW_CONN);
    if (!l->st)
        collect_defaults(&m, KW_CA);
    for (section *s = l->sections; s && !l->st; s = s->next) {
        if (!is_ordinary(s) || hashmap_get(l->by_name[s->kind == KW_CA], span_str(s->name)) != s)
            continue;
        if (s->kind == KW_CA)
            make_ca(&m, s);
        else
            make_conn(&m, s);
    }
    free(m.used.at);
    free(m.used.order);
}
