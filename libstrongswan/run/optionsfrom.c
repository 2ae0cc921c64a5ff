/* Expands --optionsfrom before a program looks at its arguments. */
#include "libstrongswan/run/optionsfrom.h"

#include "libstrongswan/base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct expansion {
    char **argv;
    int n;
    const char *dir;
    arena *mem;
    msgbuf *msg;
} expansion;

static status put(expansion *x, char *word)
{
    if (!word)
        return ST_NO_MEMORY;
    if (x->n >= OPTIONSFROM_WORDS)
        return msg_fail(x->msg, ST_LIMIT, "more than %d arguments", OPTIONSFROM_WORDS);
    x->argv[x->n++] = word;
    return ST_OK;
}

/* The next word of a text; SPAN_NULL in *word at its end. */
static status next_word(span *s, span *word)
{
    *word = SPAN_NULL;
    while (s->n) {
        while (s->n && isspace(s->p[0]))
            *s = span_skip(*s, 1);
        if (!s->n || s->p[0] != '#')
            break;
        while (s->n && s->p[0] != '\n')
            *s = span_skip(*s, 1);
    }
    if (!s->n)
        return ST_OK;
    if (s->p[0] == '"' || s->p[0] == '\'') {
        const uint8_t *end = memchr(s->p + 1, s->p[0], s->n - 1);
        if (!end)
            return ST_INVALID;
        *word = span_of(s->p + 1, (size_t)(end - s->p) - 1);
        *s = span_skip(*s, word->n + 2);
        return ST_OK;
    }
    size_t n = 0;
    while (n < s->n && !isspace(s->p[n]))
        n++;
    *word = span_take(*s, n);
    *s = span_skip(*s, n);
    return ST_OK;
}

static status read_file(const char *path, buf *out)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return ST_IO;
    uint8_t *p;
    size_t n;
    out->max = 1 << 20;
    while ((p = buf_reserve(out, 4096)) && (n = fread(p, 1, 4096, f)) > 0)
        out->n += n;
    bool bad = ferror(f) != 0;
    fclose(f);
    return bad ? ST_IO : buf_ok(out) ? ST_OK : ST_LIMIT;
}

static status expand_word(expansion *x, char *word, bool *file_next, int depth);

static status expand_file(expansion *x, const char *name, int depth)
{
    buf text = {0};
    char *path = name[0] == '/' || !x->dir ? arena_printf(x->mem, "%s", name)
                                           : arena_printf(x->mem, "%s/%s", x->dir, name);
    if (!path)
        return ST_NO_MEMORY;
    if (depth >= OPTIONSFROM_DEPTH)
        return msg_fail(x->msg, ST_LIMIT, "--optionsfrom %s: nested too deep", name);
    status st = read_file(path, &text);
    if (st) {
        msg_set(x->msg, "--optionsfrom %s: %s", path, st == ST_IO ? strerror(errno) : "too long");
        buf_free(&text);
        return st;
    }
    span rest = buf_span(&text), word;
    bool file_next = false;
    while (!st) {
        st = next_word(&rest, &word);
        if (st)
            msg_set(x->msg, "--optionsfrom %s: a quote is not closed", path);
        if (st || !word.p)
            break;
        char *copy = arena_str(x->mem, word);
        st = copy ? expand_word(x, copy, &file_next, depth + 1) : ST_NO_MEMORY;
    }
    buf_free(&text);
    return st;
}

static status expand_word(expansion *x, char *word, bool *file_next, int depth)
{
    if (*file_next) {
        *file_next = false;
        return expand_file(x, word, depth);
    }
    if (strcmp(word, "--optionsfrom") == 0 || strcmp(word, "-+") == 0) {
        *file_next = true;
        return ST_OK;
    }
    if (strncmp(word, "--optionsfrom=", 14) == 0)
        return expand_file(x, word + 14, depth);
    return put(x, word);
}

status options_expand(int *argc, char ***argv, const char *dir, arena *mem, msgbuf *msg)
{
    expansion x = {.dir = dir, .mem = mem, .msg = msg};
    bool file_next = false;
    x.argv = arena_array(mem, OPTIONSFROM_WORDS + 1, sizeof(char *));
    if (!x.argv)
        return ST_NO_MEMORY;
    status st = ST_OK;
    for (int i = 0; i < *argc && !st; i++)
        st = expand_word(&x, (*argv)[i], &file_next, 0);
    if (!st && file_next)
        st = msg_fail(msg, ST_INVALID, "--optionsfrom needs a file name");
    if (st)
        return st;
    x.argv[x.n] = NULL;
    *argc = x.n;
    *argv = x.argv;
    return ST_OK;
}
