/* Parser of strongswan.conf. Statements are `name { … }`, `key = value` up to the end of the line and
 * `include GLOB`. It takes everything the readers of the 4.2 and 4.3 age took and is kinder about the rest:
 * sections on one line, a last line without newline. Within one file the first of two equal keys or sections
 * counts; an included file extends sections and replaces keys, as include files do since 4.5.
 */
#include "libstrongswan/base/file.h"
#include "libstrongswan/base/settings_tree.h"
#include "libstrongswan/base/text.h"
#include <glob.h>
#include <limits.h>
#include <stdio.h>

typedef struct parser {
    settings *s;
    const char *name; /* of the file, for messages */
    const char *dir;  /* of includes; NULL: none allowed */
    span text;
    size_t at;
    int line;
    unsigned file, depth, includes;
    msgbuf *msg;
} parser;

static status parse_file(parser *outer, section *into, const char *path);

static void add_warning(settings *s, const char *text)
{
    if (!text || s->warning_count >= SETTINGS_MAX_WARNINGS)
        return;
    warning *w = ARENA_NEW(&s->arena, warning);
    if (!w)
        return;
    w->text = text;
    warning **end = &s->warnings;
    while (*end)
        end = &(*end)->next;
    *end = w;
    s->warning_count++;
}

static void warn(parser *p, const char *what, span word)
{
    char quoted[80];
    add_warning(p->s, arena_printf(&p->s->arena, "%s:%d: %s '%s'", p->name, p->line, what,
                                   text_quote(word, quoted, sizeof(quoted))));
}

static status fail(parser *p, status st, const char *what, span word)
{
    char quoted[80];
    return msg_fail(p->msg, st, "%s:%d: %s '%s'", p->name, p->line, what,
                    text_quote(word, quoted, sizeof(quoted)));
}

static status no_memory(parser *p)
{
    return msg_fail(p->msg, ST_NO_MEMORY, "%s:%d: out of memory", p->name, p->line);
}

static int peek(const parser *p)
{
    return p->at < p->text.n ? p->text.p[p->at] : -1;
}

static bool is_blank(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_line(parser *p)
{
    while (peek(p) >= 0 && peek(p) != '\n')
        p->at++;
}

/* blanks, newlines and comments */
static void skip_space(parser *p)
{
    for (;;) {
        int c = peek(p);
        if (c == '#') {
            skip_line(p);
        } else if (is_blank(c)) {
            p->line += c == '\n';
            p->at++;
        } else {
            return;
        }
    }
}

/* up to the first character of `stops` or the end */
static span read_until(parser *p, const char *stops)
{
    size_t from = p->at;
    while (peek(p) >= 0 && !strchr(stops, peek(p)))
        p->at++;
    return span_trim(span_of(p->text.p + from, p->at - from));
}

/* A value is the rest of the line. A '}' without its '{' ends the section it stands in. */
static span read_value(parser *p)
{
    size_t from = p->at, nested = 0;
    bool braces = false, hash = false;
    for (int c; (c = peek(p)) >= 0 && c != '\n'; p->at++) {
        if (c == '}' && nested == 0 && p->depth > 0)
            break;
        if (c == '{')
            nested++;
        else if (c == '}' && nested)
            nested--;
        braces |= c == '{' || c == '}';
        hash |= c == '#' && p->at > from && is_blank(p->text.p[p->at - 1]);
    }
    span value = span_trim(span_of(p->text.p + from, p->at - from));
    if (braces)
        warn(p, "brace in the value", value);
    if (hash)
        warn(p, "a comment behind a value is part of it:", value);
    return value;
}

static status add_key(parser *p, section *in, span name, span value)
{
    setting *k = settings_find_key(in, name);
    if (k && k->file == p->file) {
        warn(p, "the first one counts, ignored second key", name);
        return ST_OK;
    }
    const char *text = arena_str(&p->s->arena, value);
    if (!text)
        return no_memory(p);
    if (!k) {
        k = ARENA_NEW(&p->s->arena, setting);
        const char *key = arena_str(&p->s->arena, name);
        if (!k || !key)
            return no_memory(p);
        k->name = key;
        setting **end = &in->keys;
        while (*end)
            end = &(*end)->next;
        *end = k;
    }
    k->value = text;
    k->file = p->file;
    return ST_OK;
}

/* The section to read into: a new one, the one of an outer file, or, for a second one in this file, one that
 * is linked nowhere. */
static section *open_section(parser *p, section *in, span name)
{
    section *c = settings_find_child(in, name);
    if (c && c->file != p->file)
        return c;
    section *made = ARENA_NEW(&p->s->arena, section);
    const char *text = arena_str(&p->s->arena, name);
    if (!made || !text)
        return NULL;
    made->name = text;
    made->file = p->file;
    if (c) {
        warn(p, "the first one counts, ignored second section", name);
        return made;
    }
    section **end = &in->children;
    while (*end)
        end = &(*end)->next;
    *end = made;
    return made;
}

static status include_glob(parser *p, section *into, span pattern)
{
    char path[PATH_MAX], word[PATH_MAX];
    if (!p->dir)
        return fail(p, ST_DENIED, "include is not allowed here:", pattern);
    if (p->includes >= SETTINGS_MAX_INCLUDES)
        return fail(p, ST_LIMIT, "includes nested too deep:", pattern);
    if (pattern.n >= sizeof(word))
        return fail(p, ST_LIMIT, "name too long:", pattern);
    span_cstr(pattern, word, sizeof(word));
    int n = word[0] == '/' ? snprintf(path, sizeof(path), "%s", word)
                           : snprintf(path, sizeof(path), "%s/%s", p->dir, word);
    if (n < 0 || (size_t)n >= sizeof(path))
        return fail(p, ST_LIMIT, "name too long:", pattern);
    glob_t found;
    int code = glob(path, 0, NULL, &found);
    if (code == GLOB_NOMATCH) {
        warn(p, "no file matches", pattern);
        return ST_OK;
    }
    if (code != 0)
        return fail(p, code == GLOB_NOSPACE ? ST_NO_MEMORY : ST_IO, "cannot search for", pattern);
    status st = ST_OK;
    for (size_t i = 0; i < found.gl_pathc && st == ST_OK; i++)
        st = parse_file(p, into, found.gl_pathv[i]);
    globfree(&found);
    return st;
}

/* "include word" on one line, without = or { */
static bool is_include(span line, span *pattern)
{
    if (!span_starts(line, SPAN_LIT("include")) || line.n < 8 || !is_blank(line.p[7]))
        return false;
    *pattern = span_trim(span_skip(line, 8));
    return pattern->n > 0;
}

static status parse_section(parser *p, section *into);

/* A word that no '=' follows on its line: the name of a section whose '{' comes later, an include, or a
 * mistake. */
static status parse_lone_word(parser *p, section *into, span word)
{
    span pattern;
    if (is_include(word, &pattern))
        return include_glob(p, into, pattern);
    int line = p->line;
    skip_space(p);
    if (peek(p) == '{')
        return ST_NEED_MORE;
    int now = p->line;
    p->line = line;
    warn(p, "neither '=' nor '{' behind", word);
    p->line = now;
    return ST_OK;
}

static status parse_statement(parser *p, section *into)
{
    span name = read_until(p, "{}=#\n");
    if (peek(p) == '=') {
        p->at++;
        span value = read_value(p);
        if (span_empty(name))
            return fail(p, ST_INVALID, "no key before '=' and the value", value);
        return add_key(p, into, name, value);
    }
    if (peek(p) != '{') {
        status st = parse_lone_word(p, into, name);
        if (st != ST_NEED_MORE)
            return st;
    }
    if (span_empty(name))
        return fail(p, ST_INVALID, "section without a name before", SPAN_LIT("{"));
    if (p->depth >= SETTINGS_MAX_DEPTH)
        return fail(p, ST_LIMIT, "sections nested too deep:", name);
    section *inner = open_section(p, into, name);
    if (!inner)
        return no_memory(p);
    int opened = p->line;
    p->at++;
    p->depth++;
    status st = parse_section(p, inner);
    p->depth--;
    if (st != ST_OK)
        return st;
    if (peek(p) != '}') {
        p->line = opened;
        return fail(p, ST_INVALID, "no '}' ends the section", name);
    }
    p->at++;
    return ST_OK;
}

/* until '}' or the end of the text */
static status parse_section(parser *p, section *into)
{
    status st = ST_OK;
    while (st == ST_OK) {
        skip_space(p);
        if (peek(p) < 0 || (peek(p) == '}' && p->depth > 0))
            return ST_OK;
        if (peek(p) == '}')
            return fail(p, ST_INVALID, "no section is open before", SPAN_LIT("}"));
        st = parse_statement(p, into);
    }
    return st;
}

static status parse_text(parser *p, section *into)
{
    const uint8_t *nul = p->text.n ? memchr(p->text.p, 0, p->text.n) : NULL;
    if (nul) {
        for (const uint8_t *c = p->text.p; c < nul; c++)
            p->line += *c == '\n';
        return msg_fail(p->msg, ST_INVALID, "%s:%d: a NUL octet in the text", p->name, p->line);
    }
    if (span_starts(p->text, SPAN_LIT("\xef\xbb\xbf")))
        p->text = span_skip(p->text, 3);
    p->file = ++p->s->files;
    return parse_section(p, into);
}

static status parse_file(parser *outer, section *into, const char *path)
{
    buf text = {0};
    status st = file_read(&text, path, 0);
    if (st == ST_NO_MEMORY || st == ST_LIMIT) {
        buf_free(&text);
        return msg_fail(outer->msg, st, "%s: %s", path, status_text(st));
    }
    if (st != ST_OK) {
        buf_free(&text);
        add_warning(outer->s, arena_printf(&outer->s->arena, "'%s' does not exist or is not readable", path));
        return ST_OK;
    }
    char dir[PATH_MAX];
    span_cstr(span_str(path), dir, sizeof(dir));
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    parser p = {.s = outer->s,
                .name = arena_str(&outer->s->arena, span_str(path)),
                .dir = slash ? dir : ".",
                .text = buf_span(&text),
                .line = 1,
                .includes = outer->includes + 1,
                .msg = outer->msg};
    st = p.name ? parse_text(&p, into) : no_memory(outer);
    buf_free(&text);
    return st;
}

status settings_load(settings **out, const char *path, msgbuf *msg)
{
    *out = NULL;
    settings *s = settings_tree_new();
    if (!s)
        return msg_fail(msg, ST_NO_MEMORY, "%s: out of memory", path);
    parser top = {.s = s, .name = path, .line = 0, .msg = msg};
    status st = parse_file(&top, &s->root, path);
    if (st != ST_OK) {
        settings_free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

status settings_parse(settings **out, const char *text, size_t n, const char *name, const char *dir,
                      msgbuf *msg)
{
    *out = NULL;
    settings *s = settings_tree_new();
    if (!s)
        return msg_fail(msg, ST_NO_MEMORY, "%s: out of memory", name);
    parser p = {.s = s, .name = name, .dir = dir, .text = span_of(text, n), .line = 1, .msg = msg};
    status st = parse_text(&p, &s->root);
    if (st != ST_OK) {
        settings_free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}
