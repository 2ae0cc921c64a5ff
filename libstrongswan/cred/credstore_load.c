/* Reading the folders of ipsec.d and single certificate files into the store. A folder is read without a
 * lock; then the certificates that were found replace those found the last time. A certificate that is there
 * already stays the same object, with what is known about it.
 */
#include "libstrongswan/cred/readfile.h"
#include "libstrongswan/cred/store.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *charon, *pluto; /* in log lines: what the folder holds, what one file is */
} words[DIR_COUNT] = {
    [DIR_CACERTS] = {"ca certificates", "ca cert"},
    [DIR_CERTS] = {"certificates", "host cert"},
    [DIR_AACERTS] = {"aa certificates", "aa cert"},
    [DIR_OCSPCERTS] = {"ocsp signer certificates", "ocsp cert"},
    [DIR_ACERTS] = {"attribute certificates", "acert"},
    [DIR_CRLS] = {"crls", "crl"},
    [DIR_PRIVATE] = {"private keys", "private key"},
};

static void log_loaded(credstore *s, cert_dir dir, const char *path, size_t size)
{
    if (s->pluto)
        LOG(&s->log, CFG, 1, "  loaded %s file '%s' (%zu bytes)", words[dir].pluto, path, size);
    else
        LOG(&s->log, LIB, 1, "  loaded %s file '%s'", dir == DIR_CRLS ? "crl" : "certificate", path);
}

/* The certificate in a file; what the store has already comes from there. */
static status read_cert(credstore *s, const char *path, cert_dir dir, cert **out, msgbuf *msg)
{
    secret data = {0};
    cert *c = NULL;
    *out = NULL;
    status st = read_file(path, &data, NULL, msg);
    if (st != ST_OK)
        return st;
    st = cert_from_data(&c, secret_view(&data), msg);
    if (st == ST_OK && dir == DIR_CACERTS && !(cert_flags(c) & CERT_CA))
        st = msg_fail(msg, ST_INVALID,
                      "certificate \"%s\" is not one of a CA (basicConstraints CA is not set)",
                      IDENT_STR(cert_subject(c)));
    if (st == ST_OK) {
        cert *known = store_find_equal(s, c);
        *out = known ? known : cert_ref(c);
        log_loaded(s, dir, path, data.n);
    }
    cert_unref(c);
    secret_free(&data);
    return st;
}

status credstore_load_cert(credstore *s, const char *path, cert_dir dir, cert **out, msgbuf *msg)
{
    char *full = NULL;
    *out = NULL;
    if (!path || !path[0] || dir >= DIR_COUNT)
        return msg_fail(msg, ST_INVALID, "no certificate file is named");
    if (path[0] == '/')
        full = strdup(path);
    else if (asprintf(&full, "%s/ipsec.d/%s/%s", s->confdir, cert_dir_names[dir], path) < 0)
        full = NULL;
    if (!full)
        return ST_NO_MEMORY;
    status st = read_cert(s, full, dir, out, msg);
    if (st == ST_OK)
        st = credstore_add_cert(s, *out, dir);
    if (st != ST_OK) {
        cert_unref(*out);
        *out = NULL;
        if (msg && !strstr(msg->text, full))
            msg_prefix(msg, "'%s': ", full);
        LOG(&s->log, LIB, 1, "  could not load certificate file %s%s", msg ? "" : full, msg ? msg->text : "");
    }
    free(full);
    return st;
}

/* ---- folders ---- */

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void load_crl(credstore *s, const char *path)
{
    secret data = {0};
    msgbuf msg = {{0}};
    pthread_rwlock_rdlock(&s->lock);
    revocation_ops ops = s->revocation;
    pthread_rwlock_unlock(&s->lock);
    if (!ops.add_crl)
        return;
    status st = read_file(path, &data, NULL, &msg);
    if (st == ST_OK)
        st = ops.add_crl(ops.ctx, secret_view(&data), path, &msg);
    if (st == ST_OK)
        log_loaded(s, DIR_CRLS, path, data.n);
    else
        LOG(&s->log, LIB, 1, "  could not load crl file '%s': %s", path,
            msg.text[0] ? msg.text : status_text(st));
    secret_free(&data);
}

static status load_one(credstore *s, const char *path, cert_dir dir, cert_list *fresh)
{
    struct stat info;
    msgbuf msg = {{0}};
    cert *c;
    if (stat(path, &info) || !S_ISREG(info.st_mode))
        return ST_OK; /* folders within, links to nowhere */
    if (dir == DIR_CRLS) {
        load_crl(s, path);
        return ST_OK;
    }
    status st = read_cert(s, path, dir, &c, &msg);
    if (st != ST_OK) {
        LOG(&s->log, LIB, 1, "  could not load %s file '%s': %s", words[dir].pluto, path,
            msg.text[0] ? msg.text : status_text(st));
        return st == ST_NO_MEMORY ? st : ST_OK;
    }
    for (size_t i = 0; i < fresh->n; i++)
        if (cert_equal(fresh->items[i].cert, c)) {
            cert_unref(c);
            return ST_OK;
        }
    if (!array_grow((void **)&fresh->items, &fresh->cap, fresh->n, sizeof(*fresh->items))) {
        cert_unref(c);
        return ST_NO_MEMORY;
    }
    fresh->items[fresh->n++] = (stored_cert){.cert = c, .loaded_at = store_now(s), .scanned = true};
    return ST_OK;
}

/* Swaps the scanned certificates of a folder for the fresh ones. Ones that were added otherwise stay. */
static status swap_scanned(credstore *s, cert_dir dir, cert_list *fresh)
{
    status st = ST_OK;
    pthread_rwlock_wrlock(&s->lock);
    cert_list *old = &s->certs[dir], merged = {0};
    size_t max = old->n + fresh->n;
    merged.items = max ? malloc(max * sizeof(*merged.items)) : NULL;
    merged.cap = max;
    if (max && !merged.items)
        st = ST_NO_MEMORY;
    for (size_t i = 0; i < old->n && st == ST_OK; i++) {
        stored_cert e = old->items[i];
        bool again = false;
        for (size_t k = 0; k < fresh->n; k++) {
            if (!fresh->items[k].cert || !cert_equal(fresh->items[k].cert, e.cert))
                continue;
            again = true;
            cert_unref(fresh->items[k].cert);
            fresh->items[k].cert = NULL;
        }
        if (e.scanned && !again)
            cert_unref(e.cert);
        else
            merged.items[merged.n++] = e;
    }
    for (size_t k = 0; k < fresh->n && st == ST_OK; k++) {
        if (!fresh->items[k].cert)
            continue;
        merged.items[merged.n++] = fresh->items[k];
        fresh->items[k].cert = NULL;
    }
    if (st == ST_OK) {
        free(old->items);
        *old = merged;
    }
    pthread_rwlock_unlock(&s->lock);
    return st;
}

status credstore_load_dir(credstore *s, cert_dir dir)
{
    char *path = NULL;
    struct dirent **names = NULL;
    cert_list fresh = {0};
    status st = ST_OK;
    if (dir >= DIR_COUNT)
        return ST_INVALID;
    if (dir == DIR_PRIVATE || dir == DIR_ACERTS)
        return ST_OK; /* keys come by ipsec.secrets; attribute certificates have their own reader */
    if (asprintf(&path, "%s/ipsec.d/%s", s->confdir, cert_dir_names[dir]) < 0)
        return ST_NO_MEMORY;
    if (s->pluto)
        LOG(&s->log, CFG, 1, "Changing to directory '%s'", path);
    else
        LOG(&s->log, CFG, 1, "loading %s from '%s'", words[dir].charon, path);
    int n = scandir(path, &names, not_hidden, alphasort);
    if (n < 0) {
        int err = errno;
        LOG(&s->log, CFG, 1, "  reading directory '%s' failed: %s", path, strerror(err));
        free(path);
        return err == ENOENT ? ST_NOT_FOUND : ST_IO;
    }
    for (int i = 0; i < n; i++) {
        char *file = NULL;
        if (st == ST_OK && asprintf(&file, "%s/%s", path, names[i]->d_name) >= 0) {
            st = load_one(s, file, dir, &fresh);
            free(file);
        }
        free(names[i]);
    }
    free(names);
    free(path);
    if (st == ST_OK && dir != DIR_CRLS)
        st = swap_scanned(s, dir, &fresh);
    for (size_t i = 0; i < fresh.n; i++)
        cert_unref(fresh.items[i].cert);
    free(fresh.items);
    return st;
}
