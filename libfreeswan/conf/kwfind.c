/* Looking keywords up, and setting what they stand for. Case does not count, and '-' stands for '_', as in
 * libreswan. */
#include "libfreeswan/conf/keywords.h"

#include "libstrongswan/base/hashmap.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 48 };

typedef struct slot {
    char key[NAME_MAX_BYTES + 2]; /* section, then the name */
    const keyword *k;
} slot;

struct kw_index {
    hashmap *map;
    slot slots[]; /* keywords_n */
};

/* Lower case, '_' for '-', a letter for the section in front; 0: too long to be one. */
static size_t make_key(char key[NAME_MAX_BYTES + 2], uint8_t where, const char *name)
{
    size_t n = strlen(name);
    if (n > NAME_MAX_BYTES)
        return 0;
    key[0] = (char)('0' + where);
    for (size_t i = 0; i < n; i++)
        key[i + 1] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    key[n + 1] = '\0';
    return n + 1;
}

static const keyword *find_key(const kw_index *x, uint8_t where, const char *name)
{
    char key[NAME_MAX_BYTES + 2];
    size_t n = make_key(key, where, name);
    slot *s = n ? hashmap_get(x->map, span_of(key, n)) : NULL;
    if (!s)
        return NULL;
    return s->k->alias ? find_key(x, where, s->k->alias) : s->k;
}

status kw_index_new(kw_index **out)
{
    kw_index *x = calloc(1, sizeof(*x) + keywords_n * sizeof(slot));
    if (!x)
        return ST_NO_MEMORY;
    status st = hashmap_new(&x->map);
    for (size_t i = 0; i < keywords_n && !st; i++) {
        slot *s = &x->slots[i];
        s->k = &keywords[i];
        size_t n = make_key(s->key, s->k->where, s->k->name);
        st = hashmap_add(x->map, span_of(s->key, n), s);
    }
    if (st) {
        kw_index_free(x);
        return st;
    }
    *out = x;
    return ST_OK;
}

void kw_index_free(kw_index *x)
{
    if (!x)
        return;
    hashmap_free(x->map);
    free(x);
}

const keyword *kw_find(const kw_index *x, uint8_t section, const char *word, bool *right)
{
    *right = false;
    const keyword *k = find_key(x, section, word);
    if (k || section != KW_CONN)
        return k;
    if (strncasecmp(word, "left", 4) == 0)
        k = find_key(x, KW_END, word + 4 + (word[4] == '-'));
    else if (strncasecmp(word, "right", 5) == 0 && (*right = true))
        k = find_key(x, KW_END, word + 5 + (word[5] == '-'));
    return k;
}

/* Edit distance, given up beyond 2. */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned row[NAME_MAX_BYTES + 1];
    if (n > NAME_MAX_BYTES || m > NAME_MAX_BYTES || n > m + 2 || m > n + 2)
        return 3;
    for (size_t k = 0; k <= m; k++)
        row[k] = (unsigned)k;
    for (size_t i = 1; i <= n; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= m; k++) {
            unsigned best = diagonal + (tolower((unsigned char)a[i - 1]) != b[k - 1]);
            diagonal = row[k];
            if (row[k] + 1 < best)
                best = row[k] + 1;
            if (row[k - 1] + 1 < best)
                best = row[k - 1] + 1;
            row[k] = best;
        }
    }
    return row[m];
}

const keyword *kw_nearest(uint8_t section, const char *word, const char **side)
{
    const keyword *best = NULL;
    unsigned nearest = 3;
    const char *rest = word, *prefix = "";
    if (section == KW_CONN && strncasecmp(word, "left", 4) == 0) {
        rest = word + 4;
        prefix = "left";
    } else if (section == KW_CONN && strncasecmp(word, "right", 5) == 0) {
        rest = word + 5;
        prefix = "right";
    }
    *side = "";
    for (size_t i = 0; i < keywords_n; i++) {
        const keyword *k = &keywords[i];
        bool at_end = k->where == KW_END && prefix[0];
        if ((k->where != section && !at_end) || k->type == KW_WARN || k->type == KW_REFUSE)
            continue;
        unsigned d = distance(at_end ? rest : word, k->name);
        if (d < nearest) {
            nearest = d;
            best = k;
            *side = at_end ? prefix : "";
        }
    }
    return best;
}

/* ---- values ---- */

char *kw_values_text(const keyword *k, char *dst, size_t size)
{
    static const char *const by_type[] = {
        [KW_BOOL] = "yes or no",
        [KW_UINT] = "a number",
        [KW_U16] = "a port from 1 to 65535",
        [KW_U64] = "a number",
        [KW_TIME] = "a time such as 30s, 5m, 3h or 1d",
        [KW_PERCENT] = "a percentage such as 100%",
        [KW_STRING] = "a text",
        [KW_CUSTOM] = "a value",
        [KW_IGNORE] = "anything",
        [KW_WARN] = "anything",
        [KW_REFUSE] = "nothing",
    };
    if (!size)
        return dst;
    dst[0] = '\0';
    if (k->values || k->type != KW_WORD) {
        snprintf(dst, size, "%s", k->values ? k->values : by_type[k->type]);
        return dst;
    }
    for (const kw_word *w = k->words; w->text; w++) {
        size_t n = strlen(dst);
        snprintf(dst + n, size - n, "%s%s", w == k->words ? "" : w[1].text ? ", " : " or ", w->text);
    }
    return dst;
}

status kw_parse_time(const char *text, int64_t *out, msgbuf *msg)
{
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}, {"ms", 0.001}};
    const char *p = text;
    double v = 0, place = 1;
    for (; isdigit((unsigned char)*p); p++)
        v = v * 10 + (*p - '0');
    bool any = p != text;
    if (any && *p == '.')
        for (p++; isdigit((unsigned char)*p); p++)
            v += (*p - '0') * (place /= 10);
    for (size_t i = 0; any && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(p, units[i].suffix) == 0 && v * units[i].seconds < 1e11) {
            *out = (int64_t)ceil(v * units[i].seconds - 1e-9);
            return ST_OK;
        }
    return msg_fail(msg, ST_INVALID, "a time such as 30s, 5m, 3h or 1d is expected");
}

static status expected(const keyword *k, msgbuf *msg)
{
    char text[400];
    return msg_fail(msg, ST_INVALID, "%s is expected", kw_values_text(k, text, sizeof(text)));
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"yes", "no", "true", "false", "on", "off", "1", "0"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2 == 0;
            return true;
        }
    return false;
}

static status set_word(const keyword *k, void *member, const char *value, msgbuf *msg)
{
    for (const kw_word *w = k->words; w->text; w++)
        if (strcasecmp(w->text, value) == 0) {
            if (k->size == 1)
                *(uint8_t *)member = (uint8_t)w->value; /* bool and uint8_t */
            else
                *(unsigned *)member = w->value;
            return ST_OK;
        }
    return expected(k, msg);
}

static status set_number(const keyword *k, void *member, const char *value, msgbuf *msg)
{
    size_t n = strlen(value);
    uint64_t v, max = k->type == KW_U16 ? 65535 : k->type == KW_U64 ? INT64_MAX : INT32_MAX;
    if (k->type == KW_PERCENT && n && value[n - 1] == '%')
        n--;
    if (!isdigit((unsigned char)value[0]) || !span_to_u64(span_of(value, n), max, &v) ||
        (k->type == KW_U16 && !v))
        return expected(k, msg);
    if (k->type == KW_U16)
        *(uint16_t *)member = (uint16_t)v;
    else if (k->type == KW_U64)
        *(uint64_t *)member = v;
    else
        *(unsigned *)member = (unsigned)v;
    return ST_OK;
}

/* Words whose feature is missing so far: whoever uses one is told, as long as it is not switched off. */
static const struct {
    uint8_t where;
    const char *name;
} not_yet[] = {
    {KW_CONN, "aggressive"},
    {KW_CONN, "initial_contact"},
    {KW_CONN, "inactivity"},
    {KW_CONN, "eap_identity"},
    {KW_CONN, "aaa_identity"},
    {KW_CONN, "mediation"},
    {KW_CONN, "mediated_by"},
    {KW_CONN, "me_peerid"},
    {KW_CONN, "failureshunt"},
    {KW_CONN, "connalias"},
    {KW_CONN, "modecfgdomains"},
    {KW_CONN, "modecfgbanner"},
    {KW_CONN, "esn"},
    {KW_END, "id2"},
    {KW_END, "cert2"},
    {KW_END, "ca2"},
    {KW_END, "auth2"},
    {KW_END, "natip"},
    {KW_END, "certpolicy"},
    {KW_SETUP, "dumpdir"},
    {KW_SETUP, "pkcs11module"},
};

bool kw_not_yet(const keyword *k)
{
    for (size_t i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++)
        if (k->where == not_yet[i].where && strcmp(k->name, not_yet[i].name) == 0)
            return true;
    return false;
}

static bool is_off(const char *value)
{
    static const char *const words[] = {"no", "false", "off", "0", "0s", "none"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

static status set_member(const keyword *k, kw_target *t, const char *value, msgbuf *msg)
{
    void *object = k->where == KW_END ? (void *)t->end
                   : t->c             ? (void *)t->c
                   : t->s             ? (void *)t->s
                                      : (void *)t->ca;
    void *member = (char *)object + k->offset;
    switch (k->type) {
    case KW_BOOL:
        return parse_bool(value, member) ? ST_OK : expected(k, msg);
    case KW_UINT:
    case KW_U16:
    case KW_U64:
    case KW_PERCENT:
        return set_number(k, member, value, msg);
    case KW_TIME:
        return kw_parse_time(value, member, msg);
    case KW_STRING: {
        const char *s = arena_str(t->mem, span_str(value));
        if (s)
            *(const char **)member = s;
        return s ? ST_OK : ST_NO_MEMORY;
    }
    case KW_WORD:
        return set_word(k, member, value, msg);
    case KW_CUSTOM:
        return k->set(t, value, msg);
    case KW_IGNORE:
        return ST_OK;
    case KW_WARN:
        msg_set(msg, "is accepted, but has no effect");
        t->warned = true;
        return ST_OK;
    case KW_REFUSE:
        return msg_fail(msg, ST_UNSUPPORTED, "%s", k->doc);
    }
    return ST_OK;
}

status kw_apply(const keyword *k, kw_target *t, const char *value, msgbuf *msg)
{
    t->warned = false;
    status st = set_member(k, t, value, msg);
    if (st == ST_OK && kw_not_yet(k) && !is_off(value)) {
        msg_set(msg, "is accepted, but has no effect in this release");
        t->warned = true;
    }
    return st;
}
