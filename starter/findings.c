/* See check.h. Everything here looks at the finished conns and at files, as the daemons will; it does not say
 * which end is ours unless an address of this host tells.
 */
#include "starter/check.h"

#include "libstrongswan/base/file.h"
#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/cred/cert.h"
#include "libstrongswan/cred/secrets.h"

#include <glob.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SECRETS_DEPTH = 8, SECRETS_SIZE = 16 << 20, MAX_LOCAL = 1024, PATH_SIZE = 4096 };

typedef struct finder {
    arena mem; /* the keys of the maps */
    const config *cfg;
    const char *confdir;
    finding_fn *fn;
    void *ctx;
    size_t *counts;
    ip_addr local[MAX_LOCAL]; /* of this host */
    size_t n_local;
    hashmap *seen, *claims; /* peer and selectors -> conn; selectors -> conn */
    hashmap *cas;           /* text of a CA's subject */
    size_t psks, keys;
    bool secrets_read;
} finder;

static void found(finder *f, conf_severity severity, const char *file, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
static void found(finder *f, conf_severity severity, const char *file, unsigned line, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    f->counts[severity]++;
    f->fn(f->ctx, &(conf_message){severity, file, line, text});
}

/* Without memory nothing is remembered, and the check that would have needed it finds less. */
static void remember(finder *f, hashmap *m, span key, const void *value)
{
    const char *kept = arena_str(&f->mem, key);
    if (kept)
        (void)!hashmap_add(m, span_str(kept), (void *)(uintptr_t)value);
}

static char *in_folder(const finder *f, const char *folder, const char *name, char *dst)
{
    if (name[0] == '/')
        snprintf(dst, PATH_SIZE, "%s", name);
    else
        snprintf(dst, PATH_SIZE, "%s/ipsec.d/%s/%s", f->confdir, folder, name);
    return dst;
}

/* ---- certificates and CAs ---- */

static void remember_ca(finder *f, const cert *c)
{
    remember(f, f->cas, span_str(IDENT_STR(cert_subject(c))), f);
}

static void check_cert(finder *f, const conn *c, const char *word, const char *name)
{
    char path[PATH_SIZE];
    cert *k;
    msgbuf why = {""};
    int64_t now = (int64_t)time(NULL);
    if (!name || name[0] == '%')
        return;
    in_folder(f, "certs", name, path);
    if (access(path, F_OK) != 0) {
        found(f, CONF_ERROR, c->file, c->line, "conn '%s': %s=%s: there is no file %s", c->name, word, name,
              path);
    } else if (cert_from_file(&k, path, &why) != ST_OK) {
        found(f, CONF_ERROR, c->file, c->line, "conn '%s': %s=%s: %s is no certificate: %s", c->name, word,
              name, path, why.text);
    } else {
        if (cert_not_after(k) < now)
            found(f, CONF_WARNING, c->file, c->line, "conn '%s': %s=%s: the certificate has expired", c->name,
                  word, name);
        else if (cert_not_before(k) > now)
            found(f, CONF_WARNING, c->file, c->line, "conn '%s': %s=%s: the certificate is not valid yet",
                  c->name, word, name);
        cert_unref(k);
    }
}

static void check_ca_name(finder *f, const conn *c, const char *word, const char *dn)
{
    ident *id;
    if (!dn || dn[0] == '%' || ident_from_text(&id, dn, NULL) != ST_OK)
        return;
    if (!hashmap_get(f->cas, span_str(IDENT_STR(id))))
        found(f, CONF_ERROR, c->file, c->line, "conn '%s': %s=\"%s\": there is no such CA in ipsec.d/cacerts",
              c->name, word, dn);
    ident_unref(id);
}

static void load_cas(finder *f)
{
    char path[PATH_SIZE];
    glob_t g = {0};
    msgbuf why = {""};
    cert *k;
    if (glob(in_folder(f, "cacerts", "*", path), 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            if (cert_from_file(&k, g.gl_pathv[i], &why) != ST_OK) {
                found(f, CONF_WARNING, g.gl_pathv[i], 0, "this file is no certificate: %s", why.text);
                continue;
            }
            remember_ca(f, k);
            cert_unref(k);
        }
    }
    globfree(&g);
    for (size_t i = 0; i < f->cfg->n_cas; i++) {
        const ca_section *ca = f->cfg->cas[i];
        if (!ca->cacert)
            continue;
        in_folder(f, "cacerts", ca->cacert, path);
        if (cert_from_file(&k, path, &why) != ST_OK) {
            found(f, CONF_ERROR, ca->file, ca->line, "ca '%s': cacert=%s: %s", ca->name, ca->cacert,
                  why.text[0] ? why.text : path);
            continue;
        }
        remember_ca(f, k);
        cert_unref(k);
    }
}

/* ---- ipsec.secrets ---- */

typedef struct secrets_file {
    finder *f;
    const char *path;
    unsigned depth;
} secrets_file;

static void read_secrets(finder *f, const char *path, unsigned depth);

static void include_secrets(secrets_file *x, const char *pattern)
{
    glob_t g = {0};
    char path[PATH_SIZE];
    if (pattern[0] == '/')
        snprintf(path, sizeof(path), "%s", pattern);
    else
        snprintf(path, sizeof(path), "%s/%s", x->f->confdir, pattern);
    if (x->depth < SECRETS_DEPTH && glob(path, 0, NULL, &g) == 0)
        for (size_t i = 0; i < g.gl_pathc; i++)
            read_secrets(x->f, g.gl_pathv[i], x->depth + 1);
    globfree(&g);
}

static void on_entry(void *ctx, const secret_entry *e)
{
    secrets_file *x = ctx;
    char name[1024], path[PATH_SIZE];
    span_cstr(e->path, name, sizeof(name));
    x->f->psks += e->what == ENTRY_SHARED && e->kind == SECRET_PSK;
    x->f->keys += e->what == ENTRY_KEYFILE || e->what == ENTRY_RSA || e->what == ENTRY_PIN;
    if (e->what == ENTRY_INCLUDE)
        include_secrets(x, name);
    if (e->what == ENTRY_KEYFILE && access(in_folder(x->f, "private", name, path), F_OK) != 0)
        found(x->f, CONF_ERROR, x->path, e->line, "there is no key file %s", path);
}

static void on_error(void *ctx, unsigned line, const char *why)
{
    secrets_file *x = ctx;
    found(x->f, CONF_ERROR, x->path, line, "%s", why);
}

static void read_secrets(finder *f, const char *path, unsigned depth)
{
    secrets_file x = {f, path, depth};
    const secrets_sink sink = {on_entry, on_error, &x};
    buf text = {.max = SECRETS_SIZE};
    status st = file_read(&text, path, SECRETS_SIZE);
    if (st == ST_OK) {
        f->secrets_read = true;
        secrets_parse(buf_span(&text), &sink);
    } else {
        found(f, CONF_WARNING, path, 0, "it cannot be read (%s), secrets are not checked", status_text(st));
    }
    if (text.p)
        explicit_bzero(text.p, text.n);
    buf_free(&text);
}

static void check_secrets(finder *f, const conn *c)
{
    unsigned auth = c->authby | c->left.auth | c->right.auth;
    if (!f->secrets_read || (auth & AUTH_NEVER))
        return;
    if (!(auth & AUTH_PUBKEY) && (auth & (AUTH_PSK | AUTH_XAUTH_PSK)) && f->psks == 0)
        found(f, CONF_ERROR, c->file, c->line, "conn '%s' wants a shared secret, ipsec.secrets has none",
              c->name);
    if (!(auth & AUTH_PSK) && !(auth & AUTH_EAP) && (auth & (AUTH_PUBKEY | AUTH_XAUTH_RSA)) && f->keys == 0)
        found(f, CONF_ERROR, c->file, c->line, "conn '%s' wants a private key, ipsec.secrets has none",
              c->name);
}

/* ---- algorithms ---- */

static const char *weak_transform(const transform *t)
{
    static const struct {
        uint8_t type;
        uint16_t id;
        const char *why;
    } weak[] = {
        {TRANSFORM_ENCR, ENCR_DES, "DES can be broken by trying all keys"},
        {TRANSFORM_ENCR, ENCR_NULL, "NULL does not encrypt"},
        {TRANSFORM_ENCR, ENCR_3DES, "3DES has blocks of 64 bits"},
        {TRANSFORM_ENCR, ENCR_CAST, "CAST has blocks of 64 bits"},
        {TRANSFORM_ENCR, ENCR_BLOWFISH, "Blowfish has blocks of 64 bits"},
        {TRANSFORM_INTEG, INTEG_HMAC_MD5_96, "MD5 is broken"},
        {TRANSFORM_INTEG, INTEG_HMAC_MD5_128, "MD5 is broken"},
        {TRANSFORM_PRF, PRF_HMAC_MD5, "MD5 is broken"},
        {TRANSFORM_DH, DH_MODP_768, "modp768 can be broken"},
        {TRANSFORM_DH, DH_MODP_1024, "modp1024 is within reach of a state"},
        {TRANSFORM_DH, DH_MODP_1536, "modp1536 is less than 2048 bits"},
        {TRANSFORM_DH, DH_MODP_1024_160, "modp1024s160 is within reach of a state"},
    };
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++)
        if (weak[i].type == t->type && weak[i].id == t->id)
            return weak[i].why;
    return NULL;
}

static void check_algorithms(finder *f, const conn *c, const char *word, const char *text, ipsec_proto proto)
{
    proposals p;
    const char *said[16];
    size_t n = 0;
    if (!text || proposals_from_text(&p, text, proto, (c->version & CONN_IKEV1) != 0, NULL) != ST_OK)
        return;
    for (uint8_t i = 0; i < p.n; i++) {
        for (uint8_t k = 0; k < p.p[i].n; k++) {
            const char *why = weak_transform(&p.p[i].t[k]);
            size_t s = 0;
            while (why && s < n && strcmp(said[s], why) != 0)
                s++;
            if (!why || s < n || n == 16)
                continue;
            said[n++] = why;
            found(f, CONF_WARNING, c->file, c->line, "conn '%s': %s=%s: weak: %s", c->name, word, text, why);
        }
    }
}

/* ---- conns that cannot be used ---- */

static void find_local(finder *f)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *i = all; i && f->n_local < MAX_LOCAL; i = i->ifa_next) {
        int family = i->ifa_addr ? i->ifa_addr->sa_family : 0;
        char text[INET6_ADDRSTRLEN];
        const void *raw = family == AF_INET
                              ? (const void *)&((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr
                          : family == AF_INET6
                              ? (const void *)&((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr
                              : NULL;
        if (raw && inet_ntop(family, raw, text, sizeof(text)) &&
            addr_from_text(&f->local[f->n_local], text, NULL) == ST_OK)
            f->n_local++;
    }
    freeifaddrs(all);
}

static bool may_be_ours(const finder *f, const conn_end *e)
{
    if (e->host_any || e->host_defaultroute || e->host_group || !e->host.family || addr_is_any(&e->host))
        return true; /* names are not resolved here */
    for (size_t i = 0; i < f->n_local; i++)
        if (addr_equal(&f->local[i], &e->host))
            return true;
    return false;
}

static void put_nets(const conn_end *e, buf *out)
{
    for (unsigned i = 0; i < e->n_subnets; i++)
        buf_printf(out, "%s,", SUBNET_STR(&e->subnets[i]));
    buf_printf(out, "%s %u/%u", e->virt ? e->virt : "", e->proto, e->port);
}

static const char *host_text(const conn_end *e)
{
    return e->host_text ? e->host_text : "%any";
}

/* One key for both ways of writing left and right. */
static void put_key(const conn *c, bool peers, buf *out)
{
    buf half[2] = {{0}, {0}};
    const conn_end *ends[] = {&c->left, &c->right};
    for (int i = 0; i < 2; i++) {
        if (peers)
            buf_printf(&half[i], "%s [%s] %s ", host_text(ends[i]), ends[i]->id_text ? ends[i]->id_text : "",
                       ends[i]->cert ? ends[i]->cert : "");
        put_nets(ends[i], &half[i]);
    }
    bool swap = strcmp(buf_cstr(&half[0]), buf_cstr(&half[1])) > 0;
    buf_printf(out, "%d %s | %s", c->version, buf_cstr(&half[swap]), buf_cstr(&half[!swap]));
    buf_free(&half[0]);
    buf_free(&half[1]);
}

static void check_shadow(finder *f, const conn *c)
{
    buf key = {0}, claim = {0};
    put_key(c, true, &key);
    put_key(c, false, &claim);
    const conn *same = hashmap_get(f->seen, buf_span(&key));
    const conn *rival = hashmap_get(f->claims, buf_span(&claim));
    if (same)
        found(f, CONF_WARNING, c->file, c->line,
              "conn '%s' is never chosen for a peer that calls: conn '%s' (%s:%u) has the same ends, "
              "identities and "
              "networks",
              c->name, same->name, same->file, same->line);
    else if (rival && c->left.n_subnets && c->right.n_subnets)
        found(f, CONF_WARNING, c->file, c->line,
              "conn '%s' and conn '%s' (%s:%u) claim the same networks with other peers: only one can be up",
              c->name, rival->name, rival->file, rival->line);
    if (!same)
        remember(f, f->seen, buf_span(&key), c);
    if (!rival)
        remember(f, f->claims, buf_span(&claim), c);
    buf_free(&key);
    buf_free(&claim);
}

static void check_usable(finder *f, const conn *c)
{
    const setup *s = &f->cfg->setup;
    if (c->version == CONN_IKEV1 && !s->plutostart)
        found(f, CONF_WARNING, c->file, c->line,
              "conn '%s' is for IKEv1 and plutostart=no: it can never be up", c->name);
    if (c->version == CONN_IKEV2 && !s->charonstart)
        found(f, CONF_WARNING, c->file, c->line,
              "conn '%s' is for IKEv2 and charonstart=no: it can never be up", c->name);
    if (!may_be_ours(f, &c->left) && !may_be_ours(f, &c->right))
        found(f, CONF_WARNING, c->file, c->line,
              "conn '%s': neither left=%s nor right=%s is an address of this host: it cannot be used now",
              c->name, host_text(&c->left), host_text(&c->right));
    if (c->left.host.family && !addr_is_any(&c->left.host) && addr_equal(&c->left.host, &c->right.host))
        found(f, CONF_WARNING, c->file, c->line, "conn '%s': left and right are the same host", c->name);
    for (unsigned i = 0; i < c->left.n_subnets; i++)
        for (unsigned k = 0; k < c->right.n_subnets; k++)
            if (strcmp(SUBNET_STR(&c->left.subnets[i]), SUBNET_STR(&c->right.subnets[k])) == 0)
                found(f, CONF_WARNING, c->file, c->line, "conn '%s': %s is on both sides", c->name,
                      SUBNET_STR(&c->left.subnets[i]));
    if (c->aggressive && (c->authby & AUTH_PSK))
        found(f, CONF_WARNING, c->file, c->line,
              "conn '%s': weak: aggressive mode with a shared secret lets anybody try secrets offline",
              c->name);
    check_shadow(f, c);
}

static void check_conn(finder *f, const conn *c)
{
    check_cert(f, c, "leftcert", c->left.cert);
    check_cert(f, c, "leftcert2", c->left.cert2);
    check_cert(f, c, "rightcert", c->right.cert);
    check_cert(f, c, "rightcert2", c->right.cert2);
    check_ca_name(f, c, "leftca", c->left.ca);
    check_ca_name(f, c, "rightca", c->right.ca);
    if (c->type != CONN_PASS && c->type != CONN_DROP && c->type != CONN_REJECT)
        check_secrets(f, c);
    check_algorithms(f, c, "ike", c->ike, PROTO_IKE);
    check_algorithms(f, c, c->auth_ah ? "ah" : "esp", c->esp, c->auth_ah ? PROTO_AH : PROTO_ESP);
    check_usable(f, c);
}

void find_faults(const config *cfg, const char *confdir, finding_fn *fn, void *ctx, size_t counts[4])
{
    char path[PATH_SIZE];
    finder *f = calloc(1, sizeof(*f));
    if (!f)
        return;
    *f = (finder){.cfg = cfg, .confdir = confdir, .fn = fn, .ctx = ctx, .counts = counts};
    arena_init(&f->mem, 0);
    if (hashmap_new(&f->seen) == ST_OK && hashmap_new(&f->claims) == ST_OK && hashmap_new(&f->cas) == ST_OK) {
        find_local(f);
        load_cas(f);
        snprintf(path, sizeof(path), "%s/ipsec.secrets", confdir);
        read_secrets(f, path, 0);
        for (size_t i = 0; i < cfg->n_conns; i++)
            if (cfg->conns[i]->autostart != AUTO_IGNORE)
                check_conn(f, cfg->conns[i]);
    } else {
        found(f, CONF_FATAL, confdir, 0, "out of memory");
    }
    hashmap_free(f->seen);
    hashmap_free(f->claims);
    hashmap_free(f->cas);
    arena_free(&f->mem);
    free(f);
}
