/* The credential store: life cycle, adding, removing and listing. Loading from files is in credstore_load.c
 * and secrets.c, looking up in credstore_find.c, trust in credstore_trust.c.
 */
#include "libstrongswan/cred/store.h"
#include <stdio.h>
#include <stdlib.h>

const char *const cert_dir_names[DIR_COUNT] = {"cacerts", "certs", "aacerts", "ocspcerts",
                                               "acerts",  "crls",  "private"};

bool array_grow(void **items, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return true;
    size_t want = *cap ? *cap * 2 : 8, bytes;
    void *more = size_mul(want, size, &bytes) ? realloc(*items, bytes) : NULL;
    if (!more)
        return false;
    *items = more;
    *cap = want;
    return true;
}

int64_t store_now(const credstore *s)
{
    return clock_wall_s(s->clock);
}

/* ---- life ---- */

status credstore_new(credstore **out, const credstore_config *cfg)
{
    *out = NULL;
    credstore *s = calloc(1, sizeof(*s));
    if (!s)
        return ST_NO_MEMORY;
    s->clock = cfg->clock ? cfg->clock : &clock_system;
    s->log = cfg->log;
    s->pluto = cfg->daemon && !strcmp(cfg->daemon, "pluto");
    s->confdir = strdup(cfg->confdir ? cfg->confdir : "/etc");
    if (cfg->secrets)
        s->secrets_path = strdup(cfg->secrets);
    else if (s->confdir && asprintf(&s->secrets_path, "%s/ipsec.secrets", s->confdir) < 0)
        s->secrets_path = NULL;
    if (!s->confdir || !s->secrets_path || pthread_rwlock_init(&s->lock, NULL)) {
        free(s->confdir);
        free(s->secrets_path);
        free(s);
        return ST_NO_MEMORY;
    }
    *out = s;
    return ST_OK;
}

static void ca_fini(stored_ca *ca)
{
    const char *strings[] = {ca->info.name,     ca->info.cacert,   ca->info.ldaphost,
                             ca->info.ldapbase, ca->info.crluri,   ca->info.crluri2,
                             ca->info.ocspuri,  ca->info.ocspuri2, ca->info.certuribase};
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        free((void *)(uintptr_t)strings[i]);
    cert_unref(ca->cert);
}

void credstore_free(credstore *s)
{
    if (!s)
        return;
    for (size_t d = 0; d < DIR_COUNT; d++) {
        for (size_t i = 0; i < s->certs[d].n; i++)
            cert_unref(s->certs[d].items[i].cert);
        free(s->certs[d].items);
    }
    secret_set_free(&s->from_file);
    secret_set_free(&s->added);
    for (size_t i = 0; i < s->n_pubkeys; i++) {
        ident_unref(s->pubkeys[i].id);
        pubkey_unref(s->pubkeys[i].key);
    }
    free(s->pubkeys);
    for (size_t i = 0; i < s->n_cas; i++)
        ca_fini(&s->cas[i]);
    free(s->cas);
    free(s->confdir);
    free(s->secrets_path);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* ---- sets of secrets ---- */

void shared_secret_unref(shared_secret *e)
{
    if (!e || !ref_put(&e->refs))
        return;
    for (size_t i = 0; i < e->n_ids; i++)
        ident_unref(e->ids[i]);
    secret_free(&e->value);
    free(e);
}

void secret_set_free(secret_set *set)
{
    for (size_t i = 0; i < set->n_shared; i++)
        shared_secret_unref(set->shared[i]);
    for (size_t i = 0; i < set->n_keys; i++) {
        for (size_t k = 0; k < set->keys[i].n_ids; k++)
            ident_unref(set->keys[i].ids[k]);
        free(set->keys[i].ids);
        privkey_unref(set->keys[i].key);
    }
    free(set->shared);
    free(set->keys);
    *set = (secret_set){0};
}

status secret_set_add_shared(secret_set *set, secret_kind kind, ident *const *ids, size_t n, span value)
{
    if (!array_grow((void **)&set->shared, &set->cap_shared, set->n_shared, sizeof(*set->shared)))
        return ST_NO_MEMORY;
    shared_secret *e = calloc(1, sizeof(*e) + n * sizeof(ident *));
    if (!e || secret_copy(&e->value, value) != ST_OK) {
        free(e);
        return ST_NO_MEMORY;
    }
    ref_init(&e->refs);
    e->kind = kind;
    for (; e->n_ids < n; e->n_ids++)
        e->ids[e->n_ids] = ident_ref(ids[e->n_ids]);
    set->shared[set->n_shared++] = e;
    return ST_OK;
}

status secret_set_add_key(secret_set *set, privkey *key, ident *const *ids, size_t n)
{
    for (size_t i = 0; i < set->n_keys; i++) /* the same file named twice */
        if (n == 0 && set->keys[i].n_ids == 0 &&
            pubkey_equal(privkey_public(set->keys[i].key), privkey_public(key)))
            return ST_OK;
    if (!array_grow((void **)&set->keys, &set->cap_keys, set->n_keys, sizeof(*set->keys)))
        return ST_NO_MEMORY;
    stored_key *k = &set->keys[set->n_keys];
    *k = (stored_key){.ids = n ? calloc(n, sizeof(ident *)) : NULL};
    if (n && !k->ids)
        return ST_NO_MEMORY;
    for (; k->n_ids < n; k->n_ids++)
        k->ids[k->n_ids] = ident_ref(ids[k->n_ids]);
    k->key = privkey_ref(key);
    set->n_keys++;
    return ST_OK;
}

status credstore_add_shared(credstore *s, secret_kind kind, ident *const *ids, size_t n, span value)
{
    pthread_rwlock_wrlock(&s->lock);
    status st = secret_set_add_shared(&s->added, kind, ids, n, value);
    pthread_rwlock_unlock(&s->lock);
    return st;
}

status credstore_add_privkey(credstore *s, privkey *k)
{
    pthread_rwlock_wrlock(&s->lock);
    status st = secret_set_add_key(&s->added, k, NULL, 0);
    pthread_rwlock_unlock(&s->lock);
    return st;
}

/* ---- certificates ---- */

static cert *find_equal_locked(credstore *s, const cert *c)
{
    for (size_t d = 0; d < DIR_COUNT; d++)
        for (size_t i = 0; i < s->certs[d].n; i++)
            if (cert_equal(s->certs[d].items[i].cert, c))
                return s->certs[d].items[i].cert;
    return NULL;
}

cert *store_find_equal(credstore *s, const cert *c)
{
    pthread_rwlock_rdlock(&s->lock);
    cert *found = cert_ref(find_equal_locked(s, c));
    pthread_rwlock_unlock(&s->lock);
    return found;
}

status credstore_add_cert(credstore *s, cert *c, cert_dir dir)
{
    status st = ST_OK;
    pthread_rwlock_wrlock(&s->lock);
    cert_list *l = &s->certs[dir];
    size_t i = 0;
    while (i < l->n && !cert_equal(l->items[i].cert, c))
        i++;
    if (i < l->n)
        l->items[i].scanned = false; /* stays now even if its file goes */
    else if (!array_grow((void **)&l->items, &l->cap, l->n, sizeof(*l->items)))
        st = ST_NO_MEMORY;
    else
        l->items[l->n++] = (stored_cert){.cert = cert_ref(c), .loaded_at = store_now(s)};
    pthread_rwlock_unlock(&s->lock);
    return st;
}

bool store_has_cert(credstore *s, cert_dir dir, const cert *c)
{
    bool found = false;
    pthread_rwlock_rdlock(&s->lock);
    const cert_list *l = &s->certs[dir];
    for (size_t i = 0; i < l->n && !found; i++)
        found = cert_equal(l->items[i].cert, c);
    pthread_rwlock_unlock(&s->lock);
    return found;
}

size_t store_certs_by_subject(credstore *s, cert_dir dir, const ident *subject, cert **out, size_t max)
{
    size_t n = 0;
    pthread_rwlock_rdlock(&s->lock);
    const cert_list *l = &s->certs[dir];
    for (size_t i = 0; i < l->n && n < max; i++)
        if (ident_equal(cert_subject(l->items[i].cert), subject))
            out[n++] = cert_ref(l->items[i].cert);
    pthread_rwlock_unlock(&s->lock);
    return n;
}

/* ---- raw public keys ---- */

status credstore_add_pubkey(credstore *s, ident *id, pubkey *k)
{
    status st = ST_OK;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < s->n_pubkeys && st == ST_OK; i++)
        if (ident_equal(s->pubkeys[i].id, id) && pubkey_equal(s->pubkeys[i].key, k))
            st = ST_EXISTS;
    if (st == ST_OK && !array_grow((void **)&s->pubkeys, &s->cap_pubkeys, s->n_pubkeys, sizeof(*s->pubkeys)))
        st = ST_NO_MEMORY;
    if (st == ST_OK)
        s->pubkeys[s->n_pubkeys++] = (stored_pubkey){
            .id = ident_ref(id), .key = pubkey_ref(k), .loaded_at = store_now(s)};
    pthread_rwlock_unlock(&s->lock);
    return st == ST_EXISTS ? ST_OK : st;
}

void credstore_remove_pubkeys(credstore *s, ident *id)
{
    size_t kept = 0;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < s->n_pubkeys; i++) {
        if (!ident_equal(s->pubkeys[i].id, id)) {
            s->pubkeys[kept++] = s->pubkeys[i];
            continue;
        }
        ident_unref(s->pubkeys[i].id);
        pubkey_unref(s->pubkeys[i].key);
    }
    s->n_pubkeys = kept;
    pthread_rwlock_unlock(&s->lock);
}

/* ---- CA information ---- */

static bool dup_string(const char **dst, const char *src)
{
    if (!src)
        return true;
    *dst = strdup(src);
    return *dst != NULL;
}

static bool dup_info(ca_info *dst, const ca_info *src)
{
    *dst = (ca_info){0};
    return dup_string(&dst->name, src->name) && dup_string(&dst->cacert, src->cacert) &&
           dup_string(&dst->ldaphost, src->ldaphost) && dup_string(&dst->ldapbase, src->ldapbase) &&
           dup_string(&dst->crluri, src->crluri) && dup_string(&dst->crluri2, src->crluri2) &&
           dup_string(&dst->ocspuri, src->ocspuri) && dup_string(&dst->ocspuri2, src->ocspuri2) &&
           dup_string(&dst->certuribase, src->certuribase);
}

status credstore_add_ca(credstore *s, const ca_info *ca, msgbuf *msg)
{
    stored_ca mine = {.loaded_at = store_now(s)};
    if (!ca->name || !ca->name[0])
        return msg_fail(msg, ST_INVALID, "a ca section without a name");
    if (!ca->cacert || !ca->cacert[0])
        return msg_fail(msg, ST_INVALID, "ca '%s' has no cacert", ca->name);
    status st = credstore_load_cert(s, ca->cacert, DIR_CACERTS, &mine.cert, msg);
    if (st != ST_OK) {
        msg_prefix(msg, "ca '%s': ", ca->name);
        return st;
    }
    st = dup_info(&mine.info, ca) ? ST_OK : ST_NO_MEMORY;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < s->n_cas && st == ST_OK; i++)
        if (!strcmp(s->cas[i].info.name, ca->name))
            st = msg_fail(msg, ST_EXISTS, "ca '%s' exists already", ca->name);
    if (st == ST_OK && !array_grow((void **)&s->cas, &s->cap_cas, s->n_cas, sizeof(*s->cas)))
        st = ST_NO_MEMORY;
    if (st == ST_OK)
        s->cas[s->n_cas++] = mine;
    pthread_rwlock_unlock(&s->lock);
    if (st != ST_OK)
        ca_fini(&mine);
    return st;
}

status credstore_del_ca(credstore *s, const char *name)
{
    stored_ca gone = {0};
    status st = ST_NOT_FOUND;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < s->n_cas; i++) {
        if (strcmp(s->cas[i].info.name, name))
            continue;
        gone = s->cas[i];
        memmove(&s->cas[i], &s->cas[i + 1], (s->n_cas - i - 1) * sizeof(s->cas[0]));
        s->n_cas--;
        st = ST_OK;
        break;
    }
    pthread_rwlock_unlock(&s->lock);
    ca_fini(&gone);
    return st;
}

/* ---- lists: copied under the lock, told without it ---- */

void credstore_each_cert(credstore *s, cert_dir dir, bool (*fn)(void *ctx, cert *c, int64_t loaded_at),
                         void *ctx)
{
    pthread_rwlock_rdlock(&s->lock);
    size_t n = s->certs[dir].n;
    stored_cert *copy = n ? malloc(n * sizeof(*copy)) : NULL;
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = s->certs[dir].items[i];
        cert_ref(copy[i].cert);
    }
    pthread_rwlock_unlock(&s->lock);
    bool more = true;
    for (size_t i = 0; copy && i < n; i++) {
        more = more && fn(ctx, copy[i].cert, copy[i].loaded_at);
        cert_unref(copy[i].cert);
    }
    free(copy);
}

void credstore_each_ca(credstore *s, bool (*fn)(void *ctx, const ca_info *ca, int64_t loaded_at), void *ctx)
{
    pthread_rwlock_rdlock(&s->lock);
    size_t n = s->n_cas, made = 0;
    stored_ca *copy = n ? calloc(n, sizeof(*copy)) : NULL;
    for (; copy && made < n; made++) {
        copy[made].loaded_at = s->cas[made].loaded_at;
        if (!dup_info(&copy[made].info, &s->cas[made].info))
            break;
    }
    pthread_rwlock_unlock(&s->lock);
    bool more = true;
    for (size_t i = 0; copy && i < n; i++) {
        more = more && i < made && fn(ctx, &copy[i].info, copy[i].loaded_at);
        ca_fini(&copy[i]);
    }
    free(copy);
}

/* Raw keys, and behind them the keys of certificates we hold for peers and ourselves, under each of their
 * names. */
void credstore_each_pubkey(credstore *s,
                           bool (*fn)(void *ctx, ident *id, pubkey *k, cert *c, int64_t loaded_at), void *ctx)
{
    pthread_rwlock_rdlock(&s->lock);
    size_t n = s->n_pubkeys, n_certs = s->certs[DIR_CERTS].n;
    stored_pubkey *copy = n ? malloc(n * sizeof(*copy)) : NULL;
    stored_cert *certs = n_certs ? malloc(n_certs * sizeof(*certs)) : NULL;
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = s->pubkeys[i];
        ident_ref(copy[i].id);
        pubkey_ref(copy[i].key);
    }
    for (size_t i = 0; certs && i < n_certs; i++) {
        certs[i] = s->certs[DIR_CERTS].items[i];
        cert_ref(certs[i].cert);
    }
    pthread_rwlock_unlock(&s->lock);
    bool more = true;
    for (size_t i = 0; copy && i < n; i++) {
        more = more && fn(ctx, copy[i].id, copy[i].key, NULL, copy[i].loaded_at);
        ident_unref(copy[i].id);
        pubkey_unref(copy[i].key);
    }
    for (size_t i = 0; certs && i < n_certs; i++) {
        cert *c = certs[i].cert;
        more = more && fn(ctx, cert_subject(c), cert_key(c), c, certs[i].loaded_at);
        for (size_t k = 0; k < cert_alt_names(c); k++)
            more = more && fn(ctx, cert_alt_name(c, k), cert_key(c), c, certs[i].loaded_at);
        cert_unref(c);
    }
    free(copy);
    free(certs);
}

void credstore_set_revocation(credstore *s, const revocation_ops *ops)
{
    pthread_rwlock_wrlock(&s->lock);
    s->revocation = ops ? *ops : (revocation_ops){0};
    pthread_rwlock_unlock(&s->lock);
}
