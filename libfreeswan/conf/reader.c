/* The first stage: lines into sections of entries. A file is a sequence of headers in column 1 (config setup,
 * conn, ca, include, version) and indented `keyword = value` lines. Blank and comment lines may stand
 * anywhere. What cannot be understood is reported with its place, and reading goes on, so that one mistake
 * costs one section.
 */
#include "libfreeswan/conf/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct source { /* the text being read */
    loader *l;
    const char *file, *dir;
    unsigned line, depth;
} source;

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(span *s)
{
    while (s->n && is_blank(s->p[0]))
        *s = span_skip(*s, 1);
}

/* The end of the line, but for a comment. */
static bool at_end(span *s)
{
    skip_blanks(s);
    return !s->n || s->p[0] == '#';
}

/* A word: quoted, or a run of other characters; '=' ends it unless it is a value. NULL without memory or with
 * a message. */
static const char *next_word(source *src, span *s, bool value)
{
    size_t n = 0;
    skip_blanks(s);
    if (s->n && s->p[0] == '"') {
        const uint8_t *end = memchr(s->p + 1, '"', s->n - 1);
        if (!end) {
            conf_report(src->l, CONF_ERROR, src->file, src->line, "the closing \" is missing");
            return NULL;
        }
        span word = span_of(s->p + 1, (size_t)(end - s->p) - 1);
        *s = span_skip(*s, word.n + 2);
        return arena_str(&src->l->cfg->mem, word);
    }
    bool braced = value && s->n && s->p[0] == '{'; /* libreswan's lists: {a b} */
    while (n < s->n && (braced || !is_blank(s->p[n])) && s->p[n] != '"' && (value || s->p[n] != '=')) {
        braced &= s->p[n] != '}';
        n++;
    }
    span word = span_take(*s, n);
    *s = span_skip(*s, n);
    return arena_str(&src->l->cfg->mem, word);
}

static void spoil(source *src)
{
    if (src->l->open)
        src->l->open->bad = true;
}

static void no_memory(source *src)
{
    src->l->st = ST_NO_MEMORY;
}

/* ---- sections ---- */

static bool name_is_odd(const char *name)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return strspn(name, good) != strlen(name) || !strchr(good, name[0]) || strspn(name, good + 52) > 0;
}

static void open_section(source *src, uint8_t kind, const char *name)
{
    loader *l = src->l;
    section *s = ARENA_NEW(&l->cfg->mem, section);
    if (!s) {
        no_memory(src);
        return;
    }
    l->autos += kind == KW_CONN && strcmp(name, "%default") != 0;
    if (kind == KW_CONN && strcmp(name, "%auto") == 0)
        name = arena_printf(&l->cfg->mem, "conn_%u", l->autos);
    if (!name) {
        no_memory(src);
        return;
    }
    *s = (section){.kind = kind, .name = name, .file = src->file, .line = src->line};
    s->last = &s->first;
    *l->last = s;
    l->last = &s->next;
    l->open = s;
    if (strcmp(name, "%default") == 0 || kind == KW_SETUP)
        return;
    if (!name[0] || strlen(name) > 255) {
        conf_report(l, CONF_ERROR, src->file, src->line, "a section's name has 1 to 255 characters");
        s->bad = true;
    } else if (name_is_odd(name)) {
        conf_report(
            l, CONF_WARNING, src->file, src->line,
            "'%s' is an odd name: a letter, then letters, digits, '.', '_' and '-' are safe everywhere",
            name);
    }
}

static void read_header(source *src, span rest, const char *word);

/* `keyword = value` */
static void read_entry(source *src, span rest)
{
    loader *l = src->l;
    const char *word = next_word(src, &rest, false);
    if (!word) {
        spoil(src);
        return;
    }
    skip_blanks(&rest);
    bool header = strcmp(word, "conn") == 0 || strcmp(word, "ca") == 0 || strcmp(word, "config") == 0 ||
                  strcmp(word, "include") == 0 || strcmp(word, "version") == 0;
    if (!rest.n || rest.p[0] != '=') {
        if (header) {
            conf_report(l, CONF_ERROR, src->file, src->line, "'%s' must stand in column 1", word);
            read_header(src, rest, word);
            if (strcmp(word, "version") != 0 && strcmp(word, "include") != 0)
                spoil(src);
            return;
        }
        conf_report(l, CONF_ERROR, src->file, src->line, "'=' is expected behind '%s'", word);
        spoil(src);
        return;
    }
    rest = span_skip(rest, 1);
    if (!l->open) {
        conf_report(l, CONF_FATAL, src->file, src->line, "'%s=' stands outside of any section", word);
        return;
    }
    if (at_end(&rest))
        return; /* an empty value: as if the line were not there */
    if (rest.p[0] == '=') {
        conf_report(l, CONF_ERROR, src->file, src->line, "a second '=' behind '%s'", word);
        spoil(src);
        return;
    }
    const char *value = next_word(src, &rest, true);
    bool clean = value && at_end(&rest);
    if (value && !clean)
        conf_report(l, CONF_ERROR, src->file, src->line,
                    "a value with blanks or quotes in it must stand in double quotes (%s)", word);
    if (!clean) {
        spoil(src);
        return;
    }
    if (!value[0])
        return;
    entry *e = ARENA_NEW(&l->cfg->mem, entry);
    if (!e) {
        no_memory(src);
        return;
    }
    *e = (entry){.owner = l->open, .word = word, .value = value, .file = src->file, .line = src->line};
    *l->open->last = e;
    l->open->last = &e->next;
}

/* ---- include ---- */

static void include_failed(source *src, const char *pattern, const char *why)
{
    conf_report(src->l, CONF_FATAL, src->file, src->line, "include %s: %s", pattern, why);
}

static void include_matches(source *src, const char *pattern, const glob_t *found)
{
    for (size_t i = 0; i < found->gl_pathc && !src->l->st; i++) {
        status st = conf_read_file(src->l, found->gl_pathv[i], src->depth + 1);
        src->l->open = NULL;
        if (st && st != ST_NO_MEMORY)
            include_failed(src, pattern, strerror(errno));
    }
}

/* A folder that is not there matches nothing; one that cannot be read is an error. */
static int glob_error(const char *path, int error)
{
    return error != ENOENT && error != ENOTDIR;
}

static void read_include(source *src, const char *pattern)
{
    char path[PATH_MAX];
    glob_t found = {0};
    src->l->open = NULL;
    if (!src->dir) {
        include_failed(src, pattern, "not allowed here");
        return;
    }
    if (src->depth >= CONF_MAX_DEPTH) {
        include_failed(src, pattern, "files include each other more than 20 deep (a loop?)");
        return;
    }
    int n = snprintf(path, sizeof(path), "%s%s%s", pattern[0] == '/' ? "" : src->dir,
                     pattern[0] == '/' ? "" : "/", pattern);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        include_failed(src, pattern, "the name is too long");
        return;
    }
    switch (glob(path, 0, glob_error, &found)) {
    case 0:
        include_matches(src, pattern, &found);
        break;
    case GLOB_NOMATCH:
        if (strpbrk(pattern, "*?["))
            conf_report(src->l, CONF_NOTE, src->file, src->line, "include %s: no file matches", pattern);
        else
            include_failed(src, pattern, "no such file");
        break;
    case GLOB_NOSPACE:
        no_memory(src);
        break;
    default:
        include_failed(src, pattern, strerror(errno));
        break;
    }
    globfree(&found);
}

/* ---- lines ---- */

/* What follows a header's word: one word, then nothing. */
static const char *header_argument(source *src, span *rest, const char *what)
{
    const char *arg = at_end(rest) ? NULL : next_word(src, rest, true);
    if (arg && at_end(rest))
        return arg;
    conf_report(src->l, CONF_FATAL, src->file, src->line, "one word is expected behind '%s'", what);
    return NULL;
}

static void read_header(source *src, span rest, const char *word)
{
    loader *l = src->l;
    uint8_t kind = strcmp(word, "config") == 0 ? KW_SETUP
                   : strcmp(word, "conn") == 0 ? KW_CONN
                   : strcmp(word, "ca") == 0   ? KW_CA
                                               : 0;
    l->open = NULL;
    if (kind || strcmp(word, "include") == 0 || strcmp(word, "version") == 0) {
        const char *arg = header_argument(src, &rest, word);
        if (!arg)
            return;
        if (kind == KW_SETUP && strcmp(arg, "setup") != 0)
            conf_report(l, CONF_FATAL, src->file, src->line, "'setup' is expected behind 'config', not '%s'",
                        arg);
        else if (kind)
            open_section(src, kind, arg);
        else if (word[0] == 'i')
            read_include(src, arg);
        return; /* version: any will do */
    }
    conf_report(l, CONF_FATAL, src->file, src->line,
                "'%s' in column 1: config setup, conn NAME, ca NAME, include FILE or version is expected "
                "there; keywords of a "
                "section stand behind a blank",
                word);
}

static void read_line(source *src, span line)
{
    bool indented = line.n && is_blank(line.p[0]);
    if (memchr(line.p ? line.p : (const uint8_t *)"", 0, line.n)) {
        conf_report(src->l, CONF_FATAL, src->file, src->line, "a NUL octet: this is no text");
        return;
    }
    if (at_end(&line))
        return;
    if (indented) {
        read_entry(src, line);
        return;
    }
    const char *word = next_word(src, &line, false);
    if (word)
        read_header(src, line, word);
}

void conf_read_text(loader *l, span text, const char *file, const char *dir, unsigned depth)
{
    source src = {.l = l, .file = file, .dir = dir, .depth = depth};
    span line;
    if (span_starts(text, SPAN_LIT("\xef\xbb\xbf")))
        text = span_skip(text, 3);
    while (text.n && !l->st) {
        const uint8_t *nl = memchr(text.p, '\n', text.n);
        size_t n = nl ? (size_t)(nl - text.p) : text.n;
        line = span_take(text, n);
        text = span_skip(text, n + 1);
        src.line++;
        while (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        read_line(&src, line);
    }
    l->open = NULL;
}

static status read_all(int fd, buf *out)
{
    for (;;) {
        uint8_t *p = buf_reserve(out, 64 * 1024);
        if (!p)
            return ST_NO_MEMORY;
        ssize_t n = read(fd, p, 64 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ST_IO;
        if (!n)
            return ST_OK;
        out->n += (size_t)n;
        if (out->n > CONF_MAX_FILE) {
            errno = EFBIG;
            return ST_LIMIT;
        }
    }
}

status conf_read_file(loader *l, const char *path, unsigned depth)
{
    char tmp[PATH_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ST_NOT_FOUND : ST_IO;
    buf text = {.max = CONF_MAX_FILE + 128 * 1024};
    status st = read_all(fd, &text);
    int saved = errno;
    close(fd);
    if (!st) {
        snprintf(tmp, sizeof(tmp), "%s", path);
        const char *file = arena_str(&l->cfg->mem, span_str(path));
        const char *dir = arena_str(&l->cfg->mem, span_str(dirname(tmp)));
        if (file && dir)
            conf_read_text(l, buf_span(&text), file, dir, depth);
        else
            st = ST_NO_MEMORY;
    }
    buf_free(&text);
    if (st == ST_NO_MEMORY)
        l->st = st;
    errno = saved;
    return st;
}
