/* Looking up our own credentials: shared secrets by the identities of both ends, private keys, own
 * certificates. */
#include "libstrongswan/base/text.h"
#include "libstrongswan/cred/store.h"
#include <stdlib.h>

/* ---- shared secrets ---- */

typedef struct wanted_ids {
    secret_kind kind;
    const ident *const *me;
    size_t n_me;
    const ident *const *other;
    size_t n_other;
} wanted_ids;

typedef struct ranked {
    shared_secret *entry;
    int rank;
    size_t order;
} ranked;

/* User names are compared by their octets, so that "carol" is carol whether somebody took it for a host name
 * or not. */
static bool by_octets(secret_kind kind)
{
    return kind == SECRET_EAP || kind == SECRET_XAUTH;
}

static int match_one(secret_kind kind, const ident *id, const ident *pattern)
{
    if (by_octets(kind) && ident_type(pattern) != ID_ANY && span_equal(ident_data(id), ident_data(pattern)))
        return ID_MATCH_PERFECT;
    return ident_match(id, pattern);
}

/* How well a side fits the entry; an earlier identity of the side counts a little more than a later one.
 * `named` is set when it was not just %any that fitted. */
static int match_side(const shared_secret *e, const ident *const *side, size_t n, bool *named)
{
    int best = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; side[i] && k < e->n_ids; k++) {
            int m = match_one(e->kind, side[i], e->ids[k]);
            *named |= m > ID_MATCH_ANY || (m && ident_type(e->ids[k]) != ID_ANY);
            int points = m ? m * 8 - (i < 7 ? (int)i : 7) : 0;
            best = points > best ? points : best;
        }
    }
    return best;
}

/* 0: does not fit. charon looks at the peer first; pluto's order is both ends named, own one alone, the
 * default. In both an entry for two named ends is for these two: one of them alone does not fit it. */
static int rank_entry(const shared_secret *e, const wanted_ids *w, bool pluto)
{
    enum { CLASS = 1000 };
    bool named = false;
    if (e->kind != w->kind)
        return 0;
    if (e->n_ids == 0)
        return pluto ? 2 * CLASS : 8 * ID_MATCH_ANY * CLASS + 8 * ID_MATCH_ANY;
    if (w->n_me + w->n_other == 0 && by_octets(e->kind))
        return 1;
    int other = match_side(e, w->other, w->n_other, &named);
    int me = match_side(e, w->me, w->n_me, &named);
    if (!named || (me && !other && e->n_ids > 1))
        return 0;
    if (!pluto)
        return other * CLASS + me;
    if (me && other)
        return 4 * CLASS + other * 4 + me;
    return (me ? 3 : 1) * CLASS + other + me;
}

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* The entries that fit, best first, referenced. NULL: none or no memory. */
static ranked *find_entries(credstore *s, const wanted_ids *w, size_t *n)
{
    ranked *found = NULL;
    size_t cap = 0, order = 0;
    /* without any identity (an XAUTH client) the last entry of the file is the first */
    bool backwards = w->n_me + w->n_other == 0 && by_octets(w->kind);
    *n = 0;
    pthread_rwlock_rdlock(&s->lock);
    const secret_set *sets[] = {&s->from_file, &s->added};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sets[k]->n_shared; i++, order++) {
            shared_secret *e = sets[k]->shared[i];
            int rank = rank_entry(e, w, s->pluto);
            if (!rank || !array_grow((void **)&found, &cap, *n, sizeof(*found)))
                continue;
            ref_get(&e->refs);
            found[(*n)++] = (ranked){e, rank, backwards ? SIZE_MAX - order : order};
        }
    }
    pthread_rwlock_unlock(&s->lock);
    if (*n > 1)
        qsort(found, *n, sizeof(*found), by_rank);
    return found;
}

static void free_entries(ranked *found, size_t n)
{
    for (size_t i = 0; i < n; i++)
        shared_secret_unref(found[i].entry);
    free(found);
}

static const char *kind_text(secret_kind kind)
{
    static const char *const names[] = {"PSK", "RSA", "ECDSA", "EAP", "XAUTH", "PIN"};
    return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

static void describe_side(msgbuf *msg, const ident *const *side, size_t n)
{
    char text[120];
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!side[i])
            continue;
        msg_add(msg, "%s'%s'", any ? " or " : "", ident_text(side[i], text, sizeof(text)));
        any = true;
    }
    if (!any)
        msg_add(msg, "'%%any'");
}

static void explain_missing(credstore *s, const wanted_ids *w, msgbuf *msg)
{
    size_t same_kind = 0, near = 0;
    if (!msg)
        return;
    pthread_rwlock_rdlock(&s->lock);
    const secret_set *sets[] = {&s->from_file, &s->added};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < sets[k]->n_shared; i++) {
            const shared_secret *e = sets[k]->shared[i];
            bool named = false;
            same_kind += e->kind == w->kind;
            near += e->kind == w->kind && match_side(e, w->me, w->n_me, &named) && named;
        }
    pthread_rwlock_unlock(&s->lock);
    msg_set(msg, "no %s found for ", w->kind == SECRET_PSK ? "shared key" : "secret");
    describe_side(msg, w->me, w->n_me);
    msg_add(msg, " - ");
    describe_side(msg, w->other, w->n_other);
    if (!same_kind)
        msg_add(msg, ": there is no %s entry in ipsec.secrets", kind_text(w->kind));
    else if (near)
        msg_add(msg, ": %zu of %zu %s entries name our end, but together with other peers", near, same_kind,
                kind_text(w->kind));
    else
        msg_add(msg, ": none of the %zu %s entries names these ends", same_kind, kind_text(w->kind));
}

status credstore_find_shared(credstore *s, secret_kind kind, const ident *const *me, size_t n_me,
                             const ident *const *other, size_t n_other, secret *out, msgbuf *msg)
{
    wanted_ids w = {kind, me, n_me, other, n_other};
    size_t n;
    ranked *found = find_entries(s, &w, &n);
    *out = (secret){0};
    if (n == 0) {
        free(found);
        explain_missing(s, &w, msg);
        return ST_NOT_FOUND;
    }
    for (size_t i = 1; i < n && found[i].rank == found[0].rank; i++)
        if (!secret_equal(secret_view(&found[0].entry->value), secret_view(&found[i].entry->value))) {
            LOG(&s->log, CFG, 1,
                "multiple ipsec.secrets entries with distinct secrets match endpoints: first secret used");
            break;
        }
    status st = secret_copy(out, secret_view(&found[0].entry->value));
    free_entries(found, n);
    return st;
}

size_t credstore_each_shared(credstore *s, secret_kind kind, const ident *const *me, size_t n_me,
                             const ident *const *other, size_t n_other,
                             bool (*fn)(void *ctx, ident *const *ids, size_t n_ids, span value), void *ctx)
{
    wanted_ids w = {kind, me, n_me, other, n_other};
    size_t n, tried = 0;
    ranked *found = find_entries(s, &w, &n);
    for (bool done = false; tried < n && !done; tried++) {
        const shared_secret *e = found[tried].entry;
        done = fn(ctx, e->ids, e->n_ids, secret_view(&e->value));
    }
    free_entries(found, n);
    return tried;
}

/* ---- private keys ---- */

typedef bool key_fits_fn(const stored_key *k, const void *arg);

static privkey *find_key(credstore *s, key_fits_fn *fits, const void *arg)
{
    privkey *found = NULL;
    pthread_rwlock_rdlock(&s->lock);
    const secret_set *sets[] = {&s->from_file, &s->added};
    for (size_t k = 0; k < 2 && !found; k++)
        for (size_t i = 0; i < sets[k]->n_keys && !found; i++)
            if (fits(&sets[k]->keys[i], arg))
                found = privkey_ref(sets[k]->keys[i].key);
    pthread_rwlock_unlock(&s->lock);
    return found;
}

static bool fits_pubkey(const stored_key *k, const void *arg)
{
    return pubkey_equal(privkey_public(k->key), arg);
}

static bool fits_keyid(const stored_key *k, const void *arg)
{
    const span *id = arg;
    const pubkey *pub = privkey_public(k->key);
    return span_equal(pubkey_keyid(pub), *id) || span_equal(pubkey_spki_hash(pub), *id);
}

privkey *credstore_privkey_by_keyid(credstore *s, span keyid)
{
    return find_key(s, fits_keyid, &keyid);
}

bool credstore_has_privkey(credstore *s, const pubkey *k)
{
    privkey *p = find_key(s, fits_pubkey, k);
    privkey_unref(p);
    return p != NULL;
}

typedef struct key_wanted {
    key_type type;
    const ident *id;
} key_wanted;

static bool type_fits(key_type wanted, const pubkey *k)
{
    return wanted == KEY_ANY || wanted == pubkey_type(k);
}

static bool fits_named(const stored_key *k, const void *arg)
{
    const key_wanted *w = arg;
    for (size_t i = 0; w->id && i < k->n_ids; i++)
        if (type_fits(w->type, privkey_public(k->key)) && ident_match(w->id, k->ids[i]))
            return true;
    return false;
}

static bool fits_default(const stored_key *k, const void *arg)
{
    const key_wanted *w = arg;
    return k->n_ids == 0 && type_fits(w->type, privkey_public(k->key));
}

/* A raw public key of that id whose private half we have. */
static privkey *find_by_pubkey_of(credstore *s, key_type type, const ident *id)
{
    privkey *found = NULL;
    for (size_t i = 0; !found; i++) {
        pubkey *k = NULL;
        pthread_rwlock_rdlock(&s->lock);
        while (i < s->n_pubkeys && !(type_fits(type, s->pubkeys[i].key) && ident_equal(s->pubkeys[i].id, id)))
            i++;
        if (i < s->n_pubkeys)
            k = pubkey_ref(s->pubkeys[i].key);
        pthread_rwlock_unlock(&s->lock);
        if (!k)
            return NULL;
        found = find_key(s, fits_pubkey, k);
        pubkey_unref(k);
    }
    return found;
}

static void explain_no_key(credstore *s, key_type type, const cert *c, const ident *id, msgbuf *msg)
{
    pthread_rwlock_rdlock(&s->lock);
    size_t n = s->from_file.n_keys + s->added.n_keys;
    pthread_rwlock_unlock(&s->lock);
    const char *kind = type == KEY_ANY ? "" : ENUM_STR(key_type_names, type);
    msg_set(msg, "no %s%sprivate key found for '%s'", kind, *kind ? " " : "",
            id  ? IDENT_STR(id)
            : c ? IDENT_STR(cert_subject(c))
                : "%any");
    if (c)
        msg_add(msg, ": none of the %zu private keys loaded belongs to certificate \"%s\"", n,
                IDENT_STR(cert_subject(c)));
    else if (n)
        msg_add(msg, ": none of the %zu private keys loaded belongs to a certificate or key of this identity",
                n);
    else
        msg_add(msg, ": ipsec.secrets gave no private key");
}

privkey *credstore_find_privkey(credstore *s, key_type type, const cert *c, const ident *id, msgbuf *msg)
{
    privkey *k = NULL;
    key_wanted w = {type, id};
    if (c) {
        if (type_fits(type, cert_key(c)))
            k = find_key(s, fits_pubkey, cert_key(c));
    } else {
        cert *own = id ? credstore_find_own_cert(s, type, id, NULL) : NULL;
        if (own)
            k = find_key(s, fits_pubkey, cert_key(own));
        cert_unref(own);
        if (!k && id)
            k = find_by_pubkey_of(s, type, id);
        if (!k)
            k = find_key(s, fits_named, &w);
        if (!k) /* a key that is for nobody in particular */
            k = find_key(s, fits_default, &w);
    }
    if (!k)
        explain_no_key(s, type, c, id, msg);
    return k;
}

/* ---- own certificates ---- */

cert *credstore_find_own_cert(credstore *s, key_type type, const ident *id, const ident *ca)
{
    cert *best = NULL;
    int best_points = 0;
    pthread_rwlock_rdlock(&s->lock);
    size_t n = s->certs[DIR_CERTS].n, count = 0;
    cert **list = n ? malloc(n * sizeof(*list)) : NULL;
    for (; list && count < n; count++)
        list[count] = cert_ref(s->certs[DIR_CERTS].items[count].cert);
    pthread_rwlock_unlock(&s->lock);
    for (size_t i = 0; i < count; i++) {
        cert *c = list[i];
        int points = id ? cert_match_id(c, id) : ID_MATCH_ANY;
        /* of two that fit alike the one valid longer */
        bool better = points > best_points ||
                      (points && points == best_points && cert_not_after(c) > cert_not_after(best));
        if (better && type_fits(type, cert_key(c)) && credstore_has_privkey(s, cert_key(c)) &&
            (!ca || ident_match(cert_issuer(c), ca) || credstore_issued_below(s, c, ca))) {
            best = c;
            best_points = points;
        }
    }
    cert_ref(best);
    for (size_t i = 0; i < count; i++)
        cert_unref(list[i]);
    free(list);
    return best;
}

cert *credstore_find_cert_by_subject(credstore *s, const ident *subject)
{
    static const cert_dir order[] = {DIR_CERTS, DIR_CACERTS, DIR_OCSPCERTS, DIR_AACERTS};
    cert *c = NULL;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (store_certs_by_subject(s, order[i], subject, &c, 1))
            return c;
    return NULL;
}
