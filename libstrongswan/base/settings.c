/* The tree of a strongswan.conf and the look-ups in it. Everything lives in one arena; the tree is immutable
 * after loading, so all readers share it without a lock. The parser is settings_parse.c.
 */
#include "libstrongswan/base/settings_tree.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_MAX = 1024 };

settings *settings_tree_new(void)
{
    settings *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    arena_init(&s->arena, SETTINGS_MAX_BYTES);
    s->root.name = "";
    return s;
}

void settings_free(settings *s)
{
    if (!s)
        return;
    arena_free(&s->arena);
    free(s);
}

section *settings_find_child(const section *in, span name)
{
    for (section *c = in->children; c; c = c->next)
        if (span_equal(span_str(c->name), name))
            return c;
    return NULL;
}

setting *settings_find_key(const section *in, span name)
{
    for (setting *k = in->keys; k; k = k->next)
        if (span_equal(span_str(k->name), name))
            return k;
    return NULL;
}

/* Names may hold dots, so every child whose name is the head of the path is tried; the usual case is one. */
static const setting *find_setting(const section *in, span path)
{
    const setting *k = settings_find_key(in, path);
    if (k)
        return k;
    for (const section *c = in->children; c; c = c->next) {
        span name = span_str(c->name);
        if (span_starts(path, name) && path.n > name.n && path.p[name.n] == '.') {
            k = find_setting(c, span_skip(path, name.n + 1));
            if (k)
                return k;
        }
    }
    return NULL;
}

static const section *find_section(const section *in, span path)
{
    if (span_empty(path))
        return in;
    const section *c = settings_find_child(in, path);
    if (c)
        return c;
    for (c = in->children; c; c = c->next) {
        span name = span_str(c->name);
        if (span_starts(path, name) && path.n > name.n && path.p[name.n] == '.') {
            const section *found = find_section(c, span_skip(path, name.n + 1));
            if (found)
                return found;
        }
    }
    return NULL;
}

static const char *lookup(const settings *s, const char *key, va_list ap) PRINTF_LIKE(2, 0);
static const char *lookup(const settings *s, const char *key, va_list ap)
{
    char path[KEY_MAX];
    int n = vsnprintf(path, sizeof(path), key, ap);
    if (!s || n <= 0 || (size_t)n >= sizeof(path))
        return NULL;
    const setting *k = find_setting(&s->root, span_of(path, (size_t)n));
    return k ? k->value : NULL;
}

#define LOOKUP(var, s, key)                                                                                  \
    const char *var;                                                                                         \
    do {                                                                                                     \
        va_list ap_;                                                                                         \
        va_start(ap_, key);                                                                                  \
        var = lookup(s, key, ap_);                                                                           \
        va_end(ap_);                                                                                         \
    } while (0)

const char *settings_str(const settings *s, const char *dflt, const char *key, ...)
{
    LOOKUP(value, s, key);
    return value ? value : dflt;
}

int64_t settings_int(const settings *s, int64_t dflt, const char *key, ...)
{
    LOOKUP(value, s, key);
    if (!value)
        return dflt;
    errno = 0;
    long long v = strtoll(value, NULL, 10);
    return errno == ERANGE ? dflt : v;
}

double settings_double(const settings *s, double dflt, const char *key, ...)
{
    LOOKUP(value, s, key);
    if (!value)
        return dflt;
    errno = 0;
    double v = strtod(value, NULL);
    return errno == ERANGE || v != v ? dflt : v;
}

static bool any_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(word, *words) == 0)
            return true;
    return false;
}

bool settings_bool(const settings *s, bool dflt, const char *key, ...)
{
    static const char *const yes[] = {"true", "yes", "1", "on", "enabled", "enables", NULL};
    static const char *const no[] = {"false", "no", "0", "off", "disabled", NULL};
    LOOKUP(value, s, key);
    if (!value)
        return dflt;
    return any_of(value, yes) || (dflt && !any_of(value, no));
}

int64_t settings_time_s(const settings *s, int64_t dflt, const char *key, ...)
{
    LOOKUP(value, s, key);
    if (!value)
        return dflt;
    char *end;
    errno = 0;
    long long v = strtoll(value, &end, 10);
    long long unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 1;
    long long out;
    if (errno == ERANGE || __builtin_mul_overflow(v, unit, &out))
        return dflt;
    return out;
}

void settings_sections(const settings *s, const char *name, bool (*fn)(void *ctx, const char *name),
                       void *ctx)
{
    const section *in = s ? find_section(&s->root, span_str(name)) : NULL;
    for (const section *c = in ? in->children : NULL; c; c = c->next)
        if (!fn(ctx, c->name))
            return;
}

void settings_keys(const settings *s, const char *name,
                   bool (*fn)(void *ctx, const char *key, const char *value), void *ctx)
{
    const section *in = s ? find_section(&s->root, span_str(name)) : NULL;
    for (const setting *k = in ? in->keys : NULL; k; k = k->next)
        if (!fn(ctx, k->name, k->value))
            return;
}

void settings_warnings(const settings *s, void (*fn)(void *ctx, const char *text), void *ctx)
{
    for (const warning *w = s ? s->warnings : NULL; w; w = w->next)
        fn(ctx, w->text);
}
