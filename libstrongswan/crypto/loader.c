/* Which plugins there are and in what order they are taken: the table of built-in ones, shared objects beside
 * them, and the names that a `load` line may carry although the work is done by the core or by the daemons
 * themselves.
 */
#include "libstrongswan/crypto/registry.h"
#include "libstrongswan/base/text.h"
#include "config.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

const char *const crypto_default_plugins =
    "openssl random aes des twofish serpent md4 md5 sha1 sha2 hmac xcbc cmac fips-prf gmp";

extern const plugin_desc openssl_plugin, gmp_plugin, aes_plugin, des_plugin, twofish_plugin, serpent_plugin,
    md4_plugin, md5_plugin, sha1_plugin, sha2_plugin, hmac_plugin, xcbc_plugin, cmac_plugin, fips_prf_plugin,
    random_plugin;

static const plugin_desc *const built_in[] = {
    &openssl_plugin, &gmp_plugin,  &aes_plugin,  &des_plugin,      &twofish_plugin,
    &serpent_plugin, &md4_plugin,  &md5_plugin,  &sha1_plugin,     &sha2_plugin,
    &hmac_plugin,    &xcbc_plugin, &cmac_plugin, &fips_prf_plugin, &random_plugin,
};

/* Plugins of the field whose work is part of the libraries or daemons here: accepted, and shown as loaded. */
static const char *const in_core[] = {
    "x509",  "pubkey",  "pkcs1",          "pkcs7",          "pkcs8",         "pkcs12", "pem",
    "pgp",   "dnskey",  "sshkey",         "stroke",         "updown",        "attr",   "resolve",
    "nonce", "kdf",     "kernel-netlink", "socket-default", "curve25519",    "ctr",    "ccm",
    "gcm",   "chapoly", "revocation",     "constraints",    "xauth-generic",
};

enum { MAX_PLUGIN_NAME = 48 };

/* "fips_prf", "fips-prf" and the older "fipsprf" are one plugin. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '-' || *a == '_')
            a++;
        while (*b == '-' || *b == '_')
            b++;
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

static const plugin_desc *find_built_in(const char *name)
{
    for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
        if (same_name(built_in[i]->name, name))
            return built_in[i];
    return NULL;
}

static const char *find_in_core(const char *name)
{
    for (size_t i = 0; i < sizeof in_core / sizeof in_core[0]; i++)
        if (same_name(in_core[i], name))
            return in_core[i];
    return NULL;
}

static bool already_loaded(const crypto *c, const char *name)
{
    for (size_t i = 0; i < c->n_plugins; i++)
        if (same_name(c->plugins[i].name, name))
            return true;
    return false;
}

static const plugin_desc *open_shared(const char *name, const settings *cfg, const log_scope *log, void **dl)
{
    char path[512], symbol[MAX_PLUGIN_NAME + 16];
    const char *dir = settings_str(cfg, IPSEC_PLUGINDIR, "libstrongswan.plugindir");
    if (strchr(name, '/') ||
        snprintf(path, sizeof path, "%s/libstrongswan-%s.so", dir, name) >= (int)sizeof path) {
        LOG(log, LIB, 0, "plugin '%s': no such plugin", name);
        return NULL;
    }
    void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!h) {
        LOG(log, LIB, 0, "plugin '%s' failed to load: %s", name, dlerror());
        return NULL;
    }
    snprintf(symbol, sizeof symbol, "%s_plugin", name);
    for (char *p = symbol; *p; p++)
        if (*p == '-')
            *p = '_';
    const plugin_desc *desc = dlsym(h, symbol);
    if (!desc || desc->abi != PLUGIN_ABI || !desc->name) {
        LOG(log, LIB, 0, "plugin '%s' failed to load: %s", name,
            desc ? "it was built for another version" : "it has no descriptor");
        dlclose(h);
        return NULL;
    }
    *dl = h;
    return desc;
}

static status load_one(crypto *c, const char *name, const settings *cfg)
{
    void *dl = NULL;
    if (already_loaded(c, name))
        return ST_OK;
    const plugin_desc *desc = find_built_in(name);
    if (!desc) {
        const char *core = find_in_core(name);
        if (core)
            return crypto_add_plugin(c, core, NULL, NULL);
        desc = open_shared(name, cfg, &c->log, &dl);
        if (!desc)
            return ST_OK; /* said so already; the rest of the list still counts */
    }
    if (desc->init) {
        status st = desc->init(cfg, &c->log);
        if (st != ST_OK) {
            LOG(&c->log, LIB, 0, "plugin '%s' failed to load: %s", name, status_text(st));
            return st == ST_NO_MEMORY ? st : ST_OK;
        }
    }
    return crypto_add_plugin(c, desc->name, desc, dl);
}

static status load_list(crypto *c, const char *load, const settings *cfg)
{
    for (const char *p = load; *p;) {
        p += strspn(p, " \t\r\n,");
        size_t n = strcspn(p, " \t\r\n,");
        if (n == 0)
            break;
        char name[MAX_PLUGIN_NAME];
        span word = span_of(p, n);
        p += n;
        if (n > 1 && word.p[n - 1] == '!') /* later versions: "critical" */
            word.n--;
        if (word.n >= sizeof name) {
            char quoted[96];
            LOG(&c->log, LIB, 0, "plugin '%s': no such plugin", text_quote(word, quoted, sizeof quoted));
            continue;
        }
        status st = load_one(c, span_cstr(word, name, sizeof name), cfg);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

status crypto_load(crypto **out, const char *load, const settings *cfg, const log_scope *log)
{
    crypto *c;
    status st = crypto_make(&c, log);
    if (st != ST_OK)
        return st;
    st = load_list(c, load ? load : crypto_default_plugins, cfg);
    if (st == ST_OK)
        st = crypto_seal(c);
    if (st != ST_OK) {
        crypto_free(c);
        return st;
    }
    LOG(&c->log, LIB, 1, "loaded plugins: %s", c->names);
    *out = c;
    return ST_OK;
}

status crypto_load_plugins(crypto **out, const plugin_desc *const *plugins, size_t n, const settings *cfg,
                           const log_scope *log)
{
    crypto *c = NULL;
    status st = crypto_make(&c, log);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (plugins[i]->init)
            st = plugins[i]->init(cfg, log);
        if (st == ST_OK)
            st = crypto_add_plugin(c, plugins[i]->name, plugins[i], NULL);
    }
    if (st == ST_OK)
        st = crypto_seal(c);
    if (st == ST_OK)
        *out = c;
    else
        crypto_free(c);
    return st;
}
