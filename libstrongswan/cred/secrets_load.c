/* Loading ipsec.secrets: files and includes, private key files, pass phrases, log lines. A new set is built
 * without any lock and swapped in at the end; the old one is freed then.
 */
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/readfile.h"
#include "libstrongswan/cred/secrets.h"
#include "libstrongswan/cred/store.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { INCLUDE_DEPTH = 10, INCLUDE_FILES = 1000, PASS_TRIALS = 5, PASS_SIZE = 512, SHORT_PSK = 20 };

typedef struct loader {
    credstore *s;
    secret_set set;
    secret_prompt_fn *prompt;
    void *prompt_ctx;
    const char *path; /* of the file being read */
    unsigned depth, files;
    status st; /* the first thing that went wrong as a whole */
} loader;

static void load_pattern(loader *l, const char *pattern);

/* ---- log lines ---- */

static void refuse(void *ctx, unsigned line, const char *why)
{
    loader *l = ctx;
    LOG(&l->s->log, CFG, 1, "%s:%u: %s", l->path, line, why);
}

static void ids_text(const secret_entry *e, buf *b)
{
    if (e->n_ids == 0)
        buf_put_str(b, "%any");
    for (size_t i = 0; i < e->n_ids; i++) {
        if (i)
            buf_put_u8(b, ' ');
        text_put_quoted(b, e->ids[i]);
    }
}

static void log_shared(loader *l, const secret_entry *e)
{
    buf ids = {0};
    ids_text(e, &ids);
    if (l->s->pluto && e->kind == SECRET_XAUTH)
        LOG(&l->s->log, CFG, 1, "  loaded xauth credentials of user '%s'", buf_cstr(&ids));
    else if (l->s->pluto && e->kind == SECRET_PSK)
        LOG(&l->s->log, CFG, 1, "  loaded shared key for %s ", buf_cstr(&ids));
    else
        LOG(&l->s->log, CFG, 1, "  loaded %s secret for %s",
            e->kind == SECRET_PSK   ? "IKE"
            : e->kind == SECRET_EAP ? "EAP"
            : e->kind == SECRET_PIN ? "PIN"
                                    : "XAUTH",
            buf_cstr(&ids));
    buf_free(&ids);
}

static void warn_mode(loader *l, const char *path, const struct stat *st)
{
    if (st->st_mode & (S_IROTH | S_IWOTH))
        LOG(&l->s->log, CFG, 1, "warning: '%s' is %s by everybody (mode %04o), it should be 0600", path,
            st->st_mode & S_IWOTH ? "writable" : "readable", (unsigned)(st->st_mode & 07777));
}

/* ---- entries ---- */

static void unref_ids(ident **ids, size_t n);

/* The identities before the colon. An entry with one that cannot be read is left out: without it, it would be
 * for more peers than its author meant. Entries that name only %any belong to everybody, as those that name
 * nobody. */
static bool read_ids(loader *l, const secret_entry *e, ident **out, size_t *n)
{
    bool named = false;
    *n = 0;
    for (size_t i = 0; i < e->n_ids; i++) {
        msgbuf msg = {{0}};
        char *text = span_dup_cstr(e->ids[i]);
        status st = text ? ident_from_text(&out[*n], text, &msg) : ST_INVALID;
        free(text);
        if (st != ST_OK) {
            char why[MSGBUF_SIZE], shown[80];
            snprintf(why, sizeof(why), "malformed ID '%s': %.300s",
                     text_quote(e->ids[i], shown, sizeof(shown)), msg.text[0] ? msg.text : status_text(st));
            refuse(l, e->line, why);
            unref_ids(out, *n);
            *n = 0;
            return false;
        }
        named |= ident_type(out[*n]) != ID_ANY;
        ++*n;
    }
    if (!named) {
        unref_ids(out, *n);
        *n = 0;
    }
    return true;
}

static void unref_ids(ident **ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ident_unref(ids[i]);
}

static void check_psk(loader *l, const secret_entry *e)
{
    if (e->kind == SECRET_PSK && e->value.n < SHORT_PSK)
        LOG(&l->s->log, CFG, 1,
            "warning: %s:%u: the shared secret has only %zu octets; what can be guessed should be replaced",
            l->path, e->line, e->value.n);
}

static void take_shared(loader *l, const secret_entry *e)
{
    ident *ids[SECRETS_MAX_IDS];
    size_t n;
    if (!read_ids(l, e, ids, &n))
        return;
    if (secret_set_add_shared(&l->set, e->kind, ids, n, e->value) == ST_OK) {
        log_shared(l, e);
        check_psk(l, e);
    } else {
        l->st = ST_NO_MEMORY;
    }
    unref_ids(ids, n);
}

static void keep_key(loader *l, const secret_entry *e, privkey *key)
{
    ident *ids[SECRETS_MAX_IDS];
    size_t n;
    if (!read_ids(l, e, ids, &n)) {
        privkey_unref(key);
        return;
    }
    if (secret_set_add_key(&l->set, key, ids, n) != ST_OK)
        l->st = ST_NO_MEMORY;
    unref_ids(ids, n);
    privkey_unref(key);
}

static status open_with_prompt(loader *l, const char *path, span data, privkey **key, msgbuf *msg)
{
    char what[400], pass[PASS_SIZE];
    status st = privkey_from_data(key, data, NULL, msg);
    if (st != ST_DENIED)
        return st; /* it is not encrypted after all */
    if (!l->prompt)
        return msg_fail(msg, ST_DENIED, "private key file -- enter passphrase using 'ipsec secrets'");
    for (int i = 0; i < PASS_TRIALS && st == ST_DENIED; i++) {
        snprintf(what, sizeof(what), "%s%.250s'",
                 i ? "invalid passphrase, please try again for private key '"
                   : "need passphrase for private key '",
                 path);
        size_t n = l->prompt(l->prompt_ctx, what, pass, sizeof(pass) - 1);
        if (n == 0 || n >= sizeof(pass))
            break;
        pass[n] = 0;
        st = privkey_from_data(key, data, pass, msg);
    }
    wipe(pass, sizeof(pass));
    return st;
}

static status open_key(loader *l, const secret_entry *e, const char *path, privkey **key, size_t *size,
                       msgbuf *msg)
{
    secret data = {0};
    struct stat info;
    char pass[PASS_SIZE];
    status st = read_file(path, &data, &info, msg);
    *key = NULL;
    if (st != ST_OK)
        return st;
    *size = data.n;
    warn_mode(l, path, &info);
    if (e->prompt) {
        st = open_with_prompt(l, path, secret_view(&data), key, msg);
    } else if (!e->has_value) {
        st = privkey_from_data(key, secret_view(&data), NULL, msg);
    } else if (e->value.n >= sizeof(pass) || memchr(e->value.p, 0, e->value.n)) {
        st = msg_fail(msg, ST_INVALID, "malformed passphrase: longer than %d octets or with a zero octet",
                      PASS_SIZE - 1);
    } else {
        st = privkey_from_data(key, secret_view(&data), span_cstr(e->value, pass, sizeof(pass)), msg);
        wipe(pass, sizeof(pass));
    }
    secret_free(&data);
    return st;
}

static void take_key_file(loader *l, const secret_entry *e)
{
    char *name = span_dup_cstr(e->path), *path = NULL;
    msgbuf msg = {{0}};
    privkey *key = NULL;
    size_t size = 0;
    if (name && name[0] == '/')
        path = strdup(name);
    else if (name && asprintf(&path, "%s/ipsec.d/private/%s", l->s->confdir, name) < 0)
        path = NULL;
    free(name);
    if (!path)
        return;
    status st = open_key(l, e, path, &key, &size, &msg);
    if (st == ST_OK && e->kind == SECRET_ECDSA && pubkey_type(privkey_public(key)) == KEY_RSA) {
        st = msg_fail(&msg, ST_INVALID, "the entry says ECDSA, the file holds an RSA key");
        privkey_unref(key);
    }
    if (st != ST_OK) {
        char why[MSGBUF_SIZE * 2];
        snprintf(why, sizeof(why), "could not load private key file '%s': %s", path,
                 msg.text[0] ? msg.text : status_text(st));
        refuse(l, e->line, why);
    } else {
        if (l->s->pluto)
            LOG(&l->s->log, CFG, 1, "  loaded private key file '%s' (%zu bytes)", path, size);
        else
            LOG(&l->s->log, CFG, 1, "  loaded private key file '%s'", path);
        keep_key(l, e, key);
    }
    free(path);
}

static void take_rsa(loader *l, const secret_entry *e)
{
    msgbuf msg = {{0}};
    privkey *key;
    status st = privkey_from_rsa_numbers(&key, e->numbers, &msg);
    if (st != ST_OK) {
        refuse(l, e->line, msg.text[0] ? msg.text : status_text(st));
        return;
    }
    buf ids = {0};
    ids_text(e, &ids);
    LOG(&l->s->log, CFG, 1, "  loaded RSA key %s for %s", pubkey_freeswan_id(privkey_public(key)),
        buf_cstr(&ids));
    buf_free(&ids);
    keep_key(l, e, key);
}

/* The PIN is kept under the text of its selector as a key id. */
static void take_pin(loader *l, const secret_entry *e)
{
    char pin[PASS_SIZE], what[200], shown[120];
    span value = e->value;
    ident *id;
    text_quote(e->path, shown, sizeof(shown));
    if (e->prompt && !l->prompt) {
        LOG(&l->s->log, CFG, 1, "%s:%u: PIN of %s -- enter it using 'ipsec secrets'", l->path, e->line,
            shown);
        return;
    }
    if (e->prompt) {
        snprintf(what, sizeof(what), "need PIN for %s", shown);
        size_t n = l->prompt(l->prompt_ctx, what, pin, sizeof(pin));
        value = span_of(pin, n < sizeof(pin) ? n : 0);
    }
    if (e->pinpad || value.n) {
        if (ident_from_wire(&id, ID_KEY_ID, e->path, NULL) != ST_OK ||
            secret_set_add_shared(&l->set, SECRET_PIN, &id, 1, value) != ST_OK)
            l->st = ST_NO_MEMORY;
        else
            LOG(&l->s->log, CFG, 1, "  loaded PIN secret for %s%s", shown,
                e->pinpad ? " (pin entry via pad)" : "");
        ident_unref(id);
    }
    wipe(pin, sizeof(pin));
}

static void take_include(loader *l, const secret_entry *e)
{
    char *name = span_dup_cstr(e->path), *path = NULL;
    const char *slash = strrchr(l->path, '/');
    if (name && name[0] == '/')
        path = strdup(name);
    else if (name && asprintf(&path, "%.*s%s", slash ? (int)(slash - l->path + 1) : 0, l->path, name) < 0)
        path = NULL;
    free(name);
    if (!path)
        l->st = ST_NO_MEMORY;
    else if (l->depth >= INCLUDE_DEPTH)
        refuse(l, e->line, "include files are nested too deeply (more than 10 levels)");
    else
        load_pattern(l, path);
    free(path);
}

static void take_entry(void *ctx, const secret_entry *e)
{
    loader *l = ctx;
    switch (e->what) {
    case ENTRY_SHARED:
        take_shared(l, e);
        break;
    case ENTRY_KEYFILE:
        take_key_file(l, e);
        break;
    case ENTRY_RSA:
        take_rsa(l, e);
        break;
    case ENTRY_PIN:
        take_pin(l, e);
        break;
    case ENTRY_INCLUDE:
        take_include(l, e);
        break;
    }
}

/* ---- files ---- */

static void load_file(loader *l, const char *path)
{
    secret text = {0};
    struct stat info;
    msgbuf msg = {{0}};
    const char *outer = l->path;
    if (++l->files > INCLUDE_FILES) {
        if (l->files == INCLUDE_FILES + 1)
            LOG(&l->s->log, CFG, 1, "'%s': more than %d secrets files, the rest is left out", path,
                INCLUDE_FILES);
        return;
    }
    if (l->s->pluto)
        LOG(&l->s->log, CFG, 1, "loading secrets from \"%s\"", path);
    else
        LOG(&l->s->log, CFG, 1, "loading secrets from '%s'", path);
    status st = read_file(path, &text, &info, &msg);
    if (st != ST_OK) {
        LOG(&l->s->log, CFG, 1, "opening secrets file '%s' failed: %s", path, msg.text);
        if (l->depth == 0)
            l->st = st;
        return;
    }
    warn_mode(l, path, &info);
    secrets_sink sink = {.entry = take_entry, .error = refuse, .ctx = l};
    l->path = path;
    l->depth++;
    secrets_parse(secret_view(&text), &sink);
    l->depth--;
    l->path = outer;
    secret_free(&text);
}

static void load_pattern(loader *l, const char *pattern)
{
    glob_t g;
    int r = glob(pattern, 0, NULL, &g);
    if (r == GLOB_NOMATCH) {
        if (l->depth)
            LOG(&l->s->log, CFG, 1, "no secrets filename matched \"%s\"", pattern);
        else if (l->s->pluto)
            LOG(&l->s->log, CFG, 1, "no secrets filename matched \"%s\"", pattern);
        else
            LOG(&l->s->log, CFG, 1, "opening secrets file '%s' failed", pattern);
        if (l->depth == 0)
            l->st = ST_NOT_FOUND;
        return;
    }
    if (r) {
        l->st = ST_IO;
        return;
    }
    for (size_t i = 0; i < g.gl_pathc; i++)
        load_file(l, g.gl_pathv[i]);
    globfree(&g);
}

status credstore_load_secrets(credstore *s, secret_prompt_fn *prompt, void *ctx)
{
    loader l = {.s = s, .prompt = prompt, .prompt_ctx = ctx};
    pthread_rwlock_rdlock(&s->lock);
    bool had = s->from_file.n_shared || s->from_file.n_keys;
    pthread_rwlock_unlock(&s->lock);
    if (had && s->pluto)
        LOG(&s->log, CFG, 1, "forgetting secrets");
    load_pattern(&l, s->secrets_path);
    if (l.st == ST_NO_MEMORY) { /* half a set is worse than the old one */
        secret_set_free(&l.set);
        return l.st;
    }
    pthread_rwlock_wrlock(&s->lock);
    secret_set old = s->from_file;
    s->from_file = l.set;
    pthread_rwlock_unlock(&s->lock);
    secret_set_free(&old);
    return l.st;
}
