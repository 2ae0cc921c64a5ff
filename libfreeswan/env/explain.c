/* A table of lines with two bounds: so many in all, and so few for one name. Lines come on the bus's thread,
 * readers from anywhere; the lock is a leaf and held for copying only.
 */
#include "libfreeswan/env/explain.h"

#include "libstrongswan/base/span.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_TEXT = 256 };

typedef struct kept {
    char *name, *text; /* NULL: free */
    int64_t wall_ms;
    uint64_t order;
    unsigned times;
} kept;

struct explain_book {
    log_bus *bus;
    uint64_t listener;
    pthread_mutex_t lock; /* guards what follows; leaf */
    kept lines[EXPLAIN_LINES];
    uint64_t order;
    char last_name[NAME_MAX_TEXT]; /* whom the line before was about, and of which SA it was */
    uint64_t last_unique;
    _Atomic uint64_t failures[AUTHF_COUNT];
};

const char *const auth_failure_names[AUTHF_COUNT] = {
    [AUTHF_NO_CONN] = "no_conn",         [AUTHF_NO_SECRET] = "no_secret",
    [AUTHF_NO_KEY] = "no_private_key",   [AUTHF_BAD_SECRET] = "wrong_secret",
    [AUTHF_NOT_TRUSTED] = "not_trusted", [AUTHF_BAD_SIGNATURE] = "bad_signature",
    [AUTHF_REFUSED] = "refused_by_peer",
};

/* The word behind one of the phrases that name a conn; false: the line has none. */
static bool named_in(const char *text, char *dst, size_t size)
{
    static const char *const before[] = {"conn '", "CHILD_SA '", "conn \"", "explain: \""};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        const char *at = strstr(text, before[i]);
        if (!at)
            continue;
        at += strlen(before[i]);
        size_t n = strcspn(at, "'\"");
        if (!n || !at[n] || n >= size)
            continue;
        snprintf(dst, size, "%.*s", (int)n, at);
        return true;
    }
    return false;
}

/* pluto's label at the head of a line: "lab"[2] 10.0.0.1 #7: … */
static bool labelled(const char *text, char *dst, size_t size)
{
    size_t n = text[0] == '"' ? strcspn(text + 1, "\"") : 0;
    if (!n || n >= size || text[n + 1] != '"')
        return false;
    snprintf(dst, size, "%.*s", (int)n, text + 1);
    return true;
}

static void name_of(const explain_book *b, const log_event *ev, const char *said, char *dst, size_t size)
{
    if (named_in(said, dst, size) || labelled(ev->text, dst, size))
        return;
    if (ev->name && ev->name[0])
        snprintf(dst, size, "%s", ev->name);
    else if (ev->unique && ev->unique == b->last_unique) /* goes on about the conn of the line before */
        snprintf(dst, size, "%s", b->last_name);
    else
        dst[0] = 0;
}

static void forget(kept *k)
{
    free(k->name);
    free(k->text);
    *k = (kept){0};
}

/* Where a new line of that name goes: over the oldest of its own when it has its share, else a free place,
 * else the oldest of all. *same: the last one, if it says the same. */
static kept *place_for(explain_book *b, const char *name, const char *text, bool *same)
{
    kept *own = NULL, *last = NULL, *empty = NULL, *oldest = NULL;
    unsigned n = 0;
    for (size_t i = 0; i < EXPLAIN_LINES; i++) {
        kept *k = &b->lines[i];
        if (!k->name) {
            empty = empty ? empty : k;
            continue;
        }
        if (!oldest || k->order < oldest->order)
            oldest = k;
        if (strcmp(k->name, name) != 0)
            continue;
        n++;
        if (!own || k->order < own->order)
            own = k;
        if (strcmp(k->text, text) == 0)
            last = k;
    }
    *same = last != NULL;
    return last ? last : n >= EXPLAIN_PER_NAME ? own : empty ? empty : oldest;
}

static void keep(explain_book *b, const char *name, const char *text, int64_t wall_ms)
{
    bool same;
    kept *k = place_for(b, name, text, &same);
    if (same) {
        k->times++;
        k->wall_ms = wall_ms;
        k->order = ++b->order;
        return;
    }
    forget(k);
    k->name = strdup(name);
    k->text = strndup(text, EXPLAIN_TEXT);
    if (!k->name || !k->text) {
        forget(k);
        return;
    }
    k->wall_ms = wall_ms;
    k->order = ++b->order;
    k->times = 1;
}

static void hear(void *ctx, const log_event *ev)
{
    explain_book *b = ctx;
    char name[NAME_MAX_TEXT];
    const char *said = strstr(ev->text, "*explain* ");
    const char *plain = said ? said + 10 : ev->text;
    if (!said) {
        said = strstr(ev->text, "explain: ");
        if (!said)
            return;
        /* what stands before it belongs to it when it is more than the label: "…: no preshared key found.
         * explain: …" */
        const char *label = strstr(ev->text, ": ");
        plain = label && label + 2 < said ? label + 2 : said + 9;
    }
    pthread_mutex_lock(&b->lock);
    name_of(b, ev, said, name, sizeof(name));
    keep(b, name, plain, ev->wall_ms);
    snprintf(b->last_name, sizeof(b->last_name), "%s", name);
    b->last_unique = ev->unique;
    pthread_mutex_unlock(&b->lock);
}

status explain_new(explain_book **out, log_bus *bus)
{
    int levels[LG_COUNT];
    explain_book *b = calloc(1, sizeof(*b));
    if (!b)
        return ST_NO_MEMORY;
    for (int g = 0; g < LG_COUNT; g++)
        levels[g] = g == LG_IKE || g == LG_CHD ? 1 : -1;
    pthread_mutex_init(&b->lock, NULL);
    b->bus = bus;
    b->listener = log_listen(bus, 0, levels, hear, b);
    if (!b->listener) {
        explain_free(b);
        return ST_NO_MEMORY;
    }
    *out = b;
    return ST_OK;
}

void explain_free(explain_book *b)
{
    if (!b)
        return;
    if (b->listener)
        log_unlisten(b->bus, b->listener);
    for (size_t i = 0; i < EXPLAIN_LINES; i++)
        forget(&b->lines[i]);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static bool is_of(const kept *k, const char *name)
{
    size_t n = strlen(name);
    return k->name && strncmp(k->name, name, n) == 0 && (!k->name[n] || (n && k->name[n] == '/'));
}

static int by_order(const void *a, const void *b)
{
    const kept *const *x = a, *const *y = b;
    return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

void explain_each(explain_book *b, const char *name, void (*fn)(void *ctx, const explain_line *l), void *ctx)
{
    const kept *found[EXPLAIN_LINES];
    size_t n = 0;
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < EXPLAIN_LINES; i++)
        if (is_of(&b->lines[i], name))
            found[n++] = &b->lines[i];
    if (n)
        qsort(found, n, sizeof(found[0]), by_order);
    for (size_t i = 0; i < n; i++)
        fn(ctx, &(explain_line){found[i]->wall_ms, found[i]->times, found[i]->name, found[i]->text});
    pthread_mutex_unlock(&b->lock);
}

void explain_count(explain_book *b, auth_failure why)
{
    if (b)
        atomic_fetch_add_explicit(&b->failures[why], 1, memory_order_relaxed);
}

uint64_t explain_counted(const explain_book *b, auth_failure why)
{
    return b ? atomic_load_explicit(&b->failures[why], memory_order_relaxed) : 0;
}
