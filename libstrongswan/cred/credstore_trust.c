/* Whose public key is to be believed. A chain is searched depth first from the end certificate up: every
 * certificate that has the right name is tried as the issuer, so one bad certificate hides no good one; a
 * certificate is never twice in a chain; the number of signatures checked for one question is bounded. What
 * was wrong with each candidate goes into msg.
 */
#include "libstrongswan/cred/store.h"
#include <stdlib.h>

typedef struct chain {
    credstore *s;
    int64_t now;
    cert *const *untrusted;
    size_t n_untrusted;
    cert *path[CHAIN_MAX]; /* end certificate first; references are held */
    size_t n;
    unsigned checks;     /* signatures so far */
    bool found;          /* there is a way to a trusted CA; whether it may be used is another question */
    bool missing_issuer; /* an issuer is not known */
    msgbuf why;          /* the deepest failure */
    size_t why_depth;
} chain;

enum { MAX_ISSUERS = 16 };

/* Keeps the explanation of the path that came farthest. */
static void chain_fail(chain *ch, const char *text)
{
    if (ch->why.text[0] && ch->n < ch->why_depth)
        return;
    msg_set(&ch->why, "%s", text);
    ch->why_depth = ch->n;
}

static bool valid_now(const cert *c, int64_t now, msgbuf *msg)
{
    if (now < cert_not_before(c)) {
        msg_set(msg, "certificate \"%s\" is not valid yet", IDENT_STR(cert_subject(c)));
        return false;
    }
    if (now > cert_not_after(c)) {
        msg_set(msg, "certificate \"%s\" has expired", IDENT_STR(cert_subject(c)));
        return false;
    }
    return true;
}

static bool in_path(const chain *ch, const cert *c)
{
    for (size_t i = 0; i < ch->n; i++)
        if (cert_equal(ch->path[i], c) || (ident_equal(cert_subject(ch->path[i]), cert_subject(c)) &&
                                           pubkey_equal(cert_key(ch->path[i]), cert_key(c))))
            return true;
    return false;
}

/* CA certificates between the issuer and the end certificate, self-issued ones not counted (RFC 5280 4.2.1.9)
 */
static int intermediates(const chain *ch)
{
    int n = 0;
    for (size_t i = 1; i < ch->n; i++)
        n += !ident_equal(cert_subject(ch->path[i]), cert_issuer(ch->path[i]));
    return n;
}

/* Everything that has to be right for `issuer` to stand above the path but its own issuer. */
static bool may_issue(chain *ch, const cert *issuer, msgbuf *msg)
{
    const cert *c = ch->path[ch->n - 1];
    const char *name = IDENT_STR(cert_subject(issuer));
    if (!(cert_flags(issuer) & CERT_CA)) {
        msg_set(msg, "issuer \"%s\" is not a CA", name);
        return false;
    }
    if ((cert_flags(issuer) & CERT_HAS_KEY_USAGE) && !(cert_flags(issuer) & CERT_CERT_SIGN)) {
        msg_set(msg, "the key usage of issuer \"%s\" does not permit signing certificates", name);
        return false;
    }
    if (cert_pathlen(issuer) >= 0 && intermediates(ch) > cert_pathlen(issuer)) {
        msg_set(msg, "path length constraint of issuer \"%s\" (%d) is exceeded", name, cert_pathlen(issuer));
        return false;
    }
    if (!valid_now(issuer, ch->now, msg))
        return false;
    if (++ch->checks > CHAIN_MAX_CHECKS) {
        msg_set(msg, "too many certificates with the names of issuers");
        return false;
    }
    if (cert_verify_signature(c, issuer) != ST_OK) {
        msg_set(msg, "certificate \"%s\" is not signed by \"%s\"", IDENT_STR(cert_subject(c)), name);
        return false;
    }
    for (size_t i = 0; i < ch->n; i++) {
        msgbuf names = {{0}};
        if (cert_names_permitted(ch->path[i], issuer, &names))
            continue;
        msg_set(msg, "certificate \"%s\": %s", IDENT_STR(cert_subject(ch->path[i])), names.text);
        return false;
    }
    return true;
}

/* Certificates with the subject that is the issuer of the path's top, trusted ones first. */
static size_t find_issuers(chain *ch, cert *out[MAX_ISSUERS])
{
    const ident *name = cert_issuer(ch->path[ch->n - 1]);
    size_t n = store_certs_by_subject(ch->s, DIR_CACERTS, name, out, MAX_ISSUERS);
    for (size_t i = 0; i < ch->n_untrusted && n < MAX_ISSUERS; i++) {
        bool known = !ident_equal(cert_subject(ch->untrusted[i]), name);
        for (size_t k = 0; k < n && !known; k++)
            known = cert_equal(out[k], ch->untrusted[i]);
        if (!known)
            out[n++] = cert_ref(ch->untrusted[i]);
    }
    return n;
}

static bool climb(chain *ch);

static bool try_issuer(chain *ch, cert *issuer)
{
    msgbuf msg = {{0}};
    if (in_path(ch, issuer)) {
        msg_set(&msg, "certificate \"%s\" leads back to itself", IDENT_STR(cert_subject(issuer)));
        chain_fail(ch, msg.text);
        return false;
    }
    if (!may_issue(ch, issuer, &msg)) {
        ch->missing_issuer = false;
        chain_fail(ch, msg.text);
        return false;
    }
    ch->path[ch->n++] = issuer;
    if (climb(ch))
        return true;
    ch->n--;
    return false;
}

/* Is there a way from the top of the path to a trusted CA?  On success path[n - 1] is the anchor. */
static bool climb(chain *ch)
{
    msgbuf msg = {{0}};
    cert *top = ch->path[ch->n - 1], *issuers[MAX_ISSUERS];
    bool trusted = store_has_cert(ch->s, DIR_CACERTS, top), found = false;
    if (trusted && (cert_flags(top) & CERT_SELF_SIGNED))
        return true;
    if (cert_flags(top) & CERT_SELF_SIGNED) {
        msg_set(&msg, "self-signed certificate \"%s\" is not trusted", IDENT_STR(cert_subject(top)));
        chain_fail(ch, msg.text);
        return false;
    }
    if (ch->n == CHAIN_MAX) {
        msg_set(&msg, "maximum ca path length of %d levels exceeded", CHAIN_MAX);
        chain_fail(ch, msg.text);
        return false;
    }
    size_t n = find_issuers(ch, issuers), kept = ch->n;
    if (n == 0 && !trusted) {
        ch->missing_issuer = true;
        msg_set(&msg, "no trusted certificate of issuer \"%s\" found", IDENT_STR(cert_issuer(top)));
        chain_fail(ch, msg.text);
    }
    for (size_t i = 0; i < n; i++) {
        if (!found)
            found = try_issuer(ch, issuers[i]);
        if (found && ch->n > kept && ch->path[kept] == issuers[i])
            continue; /* the path keeps this reference */
        cert_unref(issuers[i]);
    }
    /* somebody put it into cacerts without its root: then it is the root */
    return found || trusted;
}

/* ---- revocation ---- */

/* Do we know where its status could be asked? */
static bool has_uri(credstore *s, const cert *c, const cert *issuer)
{
    bool found = cert_crl_uris(c) || cert_ocsp_uris(c);
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < s->n_cas && !found; i++)
        found = cert_equal(s->cas[i].cert, issuer) && (s->cas[i].info.crluri || s->cas[i].info.crluri2 ||
                                                       s->cas[i].info.ocspuri || s->cas[i].info.ocspuri2);
    pthread_rwlock_unlock(&s->lock);
    return found;
}

static bool status_permits(chain *ch, const cert *c, const cert *issuer, int strict, msgbuf *msg)
{
    static const char *const names[] = {[REV_GOOD] = "VALIDATION_GOOD",
                                        [REV_REVOKED] = "VALIDATION_REVOKED",
                                        [REV_UNKNOWN] = "VALIDATION_FAILED",
                                        [REV_STALE] = "VALIDATION_STALE",
                                        [REV_SKIPPED] = "VALIDATION_SKIPPED"};
    msgbuf why = {{0}};
    pthread_rwlock_rdlock(&ch->s->lock);
    revocation_ops ops = ch->s->revocation;
    pthread_rwlock_unlock(&ch->s->lock);
    revocation r = ops.check ? ops.check(ops.ctx, ch->s, c, issuer, ch->now, &why) : REV_SKIPPED;
    if (r == REV_REVOKED) {
        msg_set(msg, "certificate \"%s\": %s", IDENT_STR(cert_subject(c)),
                why.text[0] ? why.text : "it was revoked");
        return false;
    }
    if (r == REV_GOOD || strict == 0 || (strict == 2 && !has_uri(ch->s, c, issuer)))
        return true;
    LOG(&ch->s->log, CFG, 1,
        "constraint check failed: AUTHZ_CRL_VALIDATION is %s, but requires at least VALIDATION_GOOD",
        names[r]);
    msg_set(
        msg,
        "certificate \"%s\": its revocation status is not known to be good%s%s, as strictcrlpolicy demands",
        IDENT_STR(cert_subject(c)), why.text[0] ? ": " : "", why.text);
    return false;
}

/* ---- chains as a whole ---- */

static void chain_init(chain *ch, credstore *s, const cert *c, cert *const *untrusted, size_t n)
{
    *ch = (chain){.s = s, .now = store_now(s), .untrusted = untrusted, .n_untrusted = n};
    ch->path[ch->n++] = cert_ref((cert *)(uintptr_t)c);
}

static void chain_fini(chain *ch)
{
    while (ch->n)
        cert_unref(ch->path[--ch->n]);
}

static bool chain_valid(chain *ch, int strict, msgbuf *msg)
{
    if (!valid_now(ch->path[0], ch->now, msg))
        return false;
    ch->found = climb(ch);
    if (!ch->found) {
        msg_set(msg, "%s", ch->why.text);
        return false;
    }
    for (size_t i = 0; i + 1 < ch->n; i++)
        if (!status_permits(ch, ch->path[i], ch->path[i + 1], strict, msg))
            return false;
    return true;
}

/* Is the CA one of the issuers in the chain? */
static bool below(const chain *ch, const ident *ca)
{
    for (size_t i = 1; i < ch->n; i++)
        if (ident_match(cert_subject(ch->path[i]), ca))
            return true;
    return false;
}

status credstore_check_chain(credstore *s, const cert *c, cert *const *untrusted, size_t n, int strict_crl,
                             cert **root, msgbuf *msg)
{
    chain ch;
    msgbuf local = {{0}};
    if (root)
        *root = NULL;
    chain_init(&ch, s, c, untrusted, n);
    bool ok = chain_valid(&ch, strict_crl, msg ? msg : &local);
    if (ok && root)
        *root = cert_ref(ch.path[ch.n - 1]);
    chain_fini(&ch);
    return ok ? ST_OK : ST_DENIED;
}

bool credstore_issued_below(credstore *s, const cert *c, const ident *ca)
{
    chain ch;
    chain_init(&ch, s, c, NULL, 0);
    bool ok = climb(&ch) && below(&ch, ca);
    chain_fini(&ch);
    return ok;
}

size_t credstore_chain(credstore *s, const cert *c, cert **out, size_t max)
{
    chain ch;
    size_t n = 0;
    chain_init(&ch, s, c, NULL, 0);
    if (climb(&ch))
        for (size_t i = 1; i < ch.n && n < max && !(cert_flags(ch.path[i]) & CERT_SELF_SIGNED); i++)
            out[n++] = cert_ref(ch.path[i]);
    chain_fini(&ch);
    return n;
}

/* ---- who speaks for an identity ---- */

typedef struct verifier {
    credstore *s;
    const auth_wanted *w;
    bool (*fn)(void *ctx, const pubkey *k, const cert *c);
    void *ctx;
    unsigned offered; /* keys given to fn */
    unsigned refused;
    msgbuf why;
} verifier;

static void refuse_cert(verifier *v, const cert *c, const char *origin, const char *why)
{
    char name[160];
    ident_text(cert_subject(c), name, sizeof(name));
    if (v->refused++)
        msg_add(&v->why, "; ");
    msg_add(&v->why, "%s certificate \"%s\": %s", origin, name, why);
    LOG(&v->s->log, CFG, 2, "  %s certificate \"%s\" refused: %s", origin, name, why);
}

static bool offer(verifier *v, const pubkey *k, const cert *c, const char *origin)
{
    v->offered++;
    if (v->fn(v->ctx, k, c))
        return true;
    if (c) {
        refuse_cert(v, c, origin, "the signature does not verify with its key");
    } else {
        if (v->refused++)
            msg_add(&v->why, "; ");
        msg_add(&v->why, "raw public key %s: the signature does not verify with it", pubkey_freeswan_id(k));
    }
    return false;
}

/* Local: put here by our own administrator, trusted even without a chain (but not against one that says no).
 */
static bool try_cert(verifier *v, cert *c, bool local, const char *origin)
{
    msgbuf msg = {{0}};
    chain ch;
    const auth_wanted *w = v->w;
    if (w->type != KEY_ANY && pubkey_type(cert_key(c)) != w->type) {
        msg_set(&msg, "its key is %s, %s is needed", ENUM_STR(key_type_names, pubkey_type(cert_key(c))),
                ENUM_STR(key_type_names, w->type));
        refuse_cert(v, c, origin, msg.text);
        return false;
    }
    if (!local && !cert_may_authenticate(c, &msg)) {
        refuse_cert(v, c, origin, msg.text);
        return false;
    }
    chain_init(&ch, v->s, c, w->sent, w->n_sent);
    bool has_chain = chain_valid(&ch, w->strict_crl, &msg), ok = has_chain;
    if (!has_chain && local && !ch.found && valid_now(c, ch.now, &msg))
        ok = ch.missing_issuer || (cert_flags(c) & CERT_SELF_SIGNED);
    if (ok && w->ca && ident_type(w->ca) != ID_ANY && !(has_chain && below(&ch, w->ca))) {
        ok = false;
        LOG(&v->s->log, CFG, 1, "constraint check failed: peer not authenticated by CA '%s'.",
            IDENT_STR(w->ca));
        msg_set(&msg, "it is not issued below the required CA \"%s\"", IDENT_STR(w->ca));
    }
    chain_fini(&ch);
    if (!ok) {
        refuse_cert(v, c, origin, msg.text);
        return false;
    }
    return offer(v, cert_key(c), c, origin);
}

static bool try_pinned(verifier *v)
{
    cert *c = (cert *)(uintptr_t)v->w->pinned;
    if (!cert_has_id(c, v->w->id)) {
        refuse_cert(v, c, "configured", "it does not hold the identity");
        return false;
    }
    return try_cert(v, c, true, "configured");
}

static bool try_sent(verifier *v)
{
    for (size_t i = 0; i < v->w->n_sent; i++) {
        cert *c = v->w->sent[i];
        if (!cert_has_id(c, v->w->id)) {
            if (i == 0) /* the others are there for the chain */
                refuse_cert(v, c, "received", "it does not hold the identity");
            continue;
        }
        if (try_cert(v, c, store_has_cert(v->s, DIR_CERTS, c), "received"))
            return true;
    }
    return false;
}

static bool was_sent(const verifier *v, const cert *c)
{
    for (size_t i = 0; i < v->w->n_sent; i++)
        if (cert_equal(v->w->sent[i], c))
            return true;
    return false;
}

static bool try_stored(verifier *v)
{
    enum { MAX_STORED = 32 };
    cert *list[MAX_STORED];
    size_t n = 0;
    bool done = false;
    pthread_rwlock_rdlock(&v->s->lock);
    const cert_list *l = &v->s->certs[DIR_CERTS];
    for (size_t i = 0; i < l->n && n < MAX_STORED; i++)
        if (cert_has_id(l->items[i].cert, v->w->id))
            list[n++] = cert_ref(l->items[i].cert);
    pthread_rwlock_unlock(&v->s->lock);
    for (size_t i = 0; i < n; i++) {
        if (!done && !was_sent(v, list[i]))
            done = try_cert(v, list[i], true, "stored");
        cert_unref(list[i]);
    }
    return done;
}

static bool try_raw(verifier *v)
{
    enum { MAX_RAW = 32 };
    pubkey *list[MAX_RAW];
    size_t n = 0;
    bool done = false;
    pthread_rwlock_rdlock(&v->s->lock);
    for (size_t i = 0; i < v->s->n_pubkeys && n < MAX_RAW; i++) {
        const stored_pubkey *p = &v->s->pubkeys[i];
        if (ident_equal(p->id, v->w->id) && (v->w->type == KEY_ANY || pubkey_type(p->key) == v->w->type))
            list[n++] = pubkey_ref(p->key);
    }
    pthread_rwlock_unlock(&v->s->lock);
    for (size_t i = 0; i < n; i++) {
        if (!done)
            done = offer(v, list[i], NULL, NULL);
        pubkey_unref(list[i]);
    }
    return done;
}

status credstore_verify(credstore *s, const auth_wanted *wanted,
                        bool (*fn)(void *ctx, const pubkey *k, const cert *c), void *ctx, msgbuf *msg)
{
    verifier v = {.s = s, .w = wanted, .fn = fn, .ctx = ctx};
    bool ok;
    if (wanted->pinned)
        ok = try_pinned(&v);
    else /* a raw key names no CA, so it cannot satisfy one that is required */
        ok = try_sent(&v) || try_stored(&v) ||
             (!(wanted->ca && ident_type(wanted->ca) != ID_ANY) && try_raw(&v));
    if (ok)
        return ST_OK;
    const char *kind = wanted->type == KEY_ANY ? "" : ENUM_STR(key_type_names, wanted->type);
    msg_set(msg, "no trusted %s%spublic key found for '%s'", kind, *kind ? " " : "", IDENT_STR(wanted->id));
    if (v.offered)
        msg_set(msg, "signature validation failed for '%s'", IDENT_STR(wanted->id));
    msg_add(msg, ": %s",
            v.refused ? v.why.text : "no certificate was received and none and no raw key is stored for it");
    return v.offered ? ST_CRYPTO : ST_NOT_FOUND;
}
