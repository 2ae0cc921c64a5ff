/* `ipsec listcerts` and its sisters, as scripts know them. Empty lists print nothing. */
#include "charon/plugins/stroke/stroke.h"
#include "libstrongswan/base/text.h"
#include <stdlib.h>
#include <time.h>

enum { DAY = 86400, WARN_CERT_DAYS = 30 };

typedef struct lister {
    charon *ch;
    buf *out;
    bool utc;
    int64_t now;
    cert **certs; /* of the directory being listed */
    size_t n, max;
} lister;

static void put_date(lister *l, int64_t when)
{
    time_t t = (time_t)when;
    char text[64];
    struct tm tm;

    if (!(l->utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)))
        return;
    if (strftime(text, sizeof(text), l->utc ? "%b %d %H:%M:%S UTC %Y" : "%b %d %H:%M:%S %Y", &tm))
        buf_put_str(l->out, text);
}

static void put_span_of_time(buf *out, int64_t s)
{
    const char *unit = s > 172800 ? "day" : s > 7200 ? "hour" : s > 120 ? "minute" : "second";

    s = s > 172800 ? s / DAY : s > 7200 ? s / 3600 : s > 120 ? s / 60 : s;
    buf_printf(out, "%lld %s%s", (long long)s, unit, s == 1 ? "" : "s");
}

static void put_hex(lister *l, const char *label, span s)
{
    if (!s.n)
        return;
    buf_printf(l->out, "  %-10s ", label);
    text_put_hex(l->out, s, ':');
    buf_put_str(l->out, "\n");
}

static void put_validity(lister *l, int64_t from, int64_t to)
{
    buf_put_str(l->out, "  validity:  not before ");
    put_date(l, from);
    if (l->now < from) {
        buf_put_str(l->out, ", not valid yet (valid in ");
        put_span_of_time(l->out, from - l->now);
        buf_put_str(l->out, ")");
    } else {
        buf_put_str(l->out, ", ok");
    }
    buf_put_str(l->out, "\n             not after  ");
    put_date(l, to);
    if (l->now > to) {
        buf_put_str(l->out, ", expired (");
        put_span_of_time(l->out, l->now - to);
        buf_put_str(l->out, " ago)");
    } else if (to - l->now < (int64_t)WARN_CERT_DAYS * DAY) {
        buf_put_str(l->out, ", ok (expires in ");
        put_span_of_time(l->out, to - l->now);
        buf_put_str(l->out, ") ");
    } else {
        buf_put_str(l->out, ", ok ");
    }
    buf_put_str(l->out, "\n");
}

static void put_key(lister *l, const pubkey *k)
{
    buf_printf(l->out, "  pubkey:    %s %u bits%s\n", ENUM_STR(key_type_names, pubkey_type(k)),
               pubkey_bits(k), credstore_has_privkey(l->ch->env->cred, k) ? ", has private key" : "");
    put_hex(l, "keyid:", pubkey_spki_hash(k));
}

static void put_cert(lister *l, const cert *c)
{
    size_t names = cert_alt_names(c);

    buf_put_str(l->out, "\n");
    for (size_t i = 0; i < names; i++)
        buf_printf(l->out, "%s%s%s", i ? ", " : "  altNames:  ", IDENT_STR(cert_alt_name(c, i)),
                   i + 1 == names ? "\n" : "");
    buf_printf(l->out, "  subject:  \"%s\"\n", IDENT_STR(cert_subject(c)));
    buf_printf(l->out, "  issuer:   \"%s\"\n", IDENT_STR(cert_issuer(c)));
    put_hex(l, "serial:", cert_serial(c));
    put_validity(l, cert_not_before(c), cert_not_after(c));
    put_key(l, cert_key(c));
    put_hex(l, "subjkey:", pubkey_keyid(cert_key(c)));
    put_hex(l, "authkey:", cert_authority_key_id(c));
}

/* ---- certificates ---- */
static bool collect(void *ctx, cert *c, int64_t loaded_at)
{
    lister *l = ctx;

    (void)loaded_at;
    for (size_t i = 0; i < l->n; i++) {
        if (cert_equal(l->certs[i], c))
            return true;
    }
    if (l->n == l->max) {
        size_t more = l->max ? 2 * l->max : 64;
        cert **bigger = realloc(l->certs, more * sizeof(*bigger));
        if (!bigger)
            return false;
        l->certs = bigger;
        l->max = more;
    }
    l->certs[l->n++] = cert_ref(c);
    return true;
}

/* Certificates of one issuer stand together, in the order they were loaded. */
static void put_grouped(lister *l, const char *title)
{
    if (l->n)
        buf_printf(l->out, "\n%s\n", title);
    for (size_t i = 0; i < l->n; i++) {
        const ident *issuer = l->certs[i] ? cert_issuer(l->certs[i]) : NULL;
        for (size_t j = i; issuer && j < l->n; j++) {
            cert *c = l->certs[j];
            if (!c || (j != i && !ident_equal(cert_issuer(c), issuer)))
                continue;
            put_cert(l, c);
            l->certs[j] = NULL;
            if (j != i)
                cert_unref(c);
            else
                l->certs[i] = c; /* its issuer is needed until the group is done */
        }
        cert_unref(l->certs[i]);
        l->certs[i] = NULL;
    }
    l->n = 0;
}

static void list_dir(lister *l, cert_dir dir, const char *title)
{
    credstore_each_cert(l->ch->env->cred, dir, collect, l);
    put_grouped(l, title);
}

/* ---- CA sections ---- */
static void put_uris(lister *l, const char *label, const char *a, const char *b)
{
    if (a)
        buf_printf(l->out, "  %s'%s'\n", label, a);
    if (b)
        buf_printf(l->out, a ? "            '%s'\n" : "  %s'%s'\n", a ? b : label, b);
}

static bool put_ca(void *ctx, const ca_info *ca, int64_t loaded_at)
{
    lister *l = ctx;
    cert *c = NULL;

    (void)loaded_at;
    if (l->n++ == 0)
        buf_put_str(l->out, "\nList of CA Information Sections:\n");
    buf_put_str(l->out, "\n");
    if (ca->cacert && credstore_load_cert(l->ch->env->cred, ca->cacert, DIR_CACERTS, &c, NULL) == ST_OK) {
        buf_printf(l->out, "  authname:    \"%s\"\n", IDENT_STR(cert_subject(c)));
        buf_put_str(l->out, "  authkey:      ");
        text_put_hex(l->out, pubkey_keyid(cert_key(c)), ':');
        buf_put_str(l->out, "\n  keyid:        ");
        text_put_hex(l->out, pubkey_spki_hash(cert_key(c)), ':');
        buf_put_str(l->out, "\n");
        cert_unref(c);
    }
    put_uris(l, "crluris:     ", ca->crluri, ca->crluri2);
    put_uris(l, "ocspuris:    ", ca->ocspuri, ca->ocspuri2);
    put_uris(l, "certuribase: ", ca->certuribase, NULL);
    return true;
}

/* ---- raw keys, algorithms ---- */
static bool put_pubkey(void *ctx, ident *id, pubkey *k, cert *c, int64_t loaded_at)
{
    lister *l = ctx;

    (void)loaded_at;
    if (c)
        return true;
    if (l->n++ == 0)
        buf_put_str(l->out, "\nList of Raw Public Keys:\n");
    buf_printf(l->out, "\n  subject:   %s\n", IDENT_STR(id));
    put_key(l, k);
    return true;
}

typedef struct alg_list {
    buf *out;
    const enum_names *names;
} alg_list;

static bool put_alg(void *ctx, uint16_t alg, const char *plugin)
{
    alg_list *a = ctx;
    char tmp[ENUM_TEXT_SIZE];

    buf_printf(a->out, " %s[%s]", enum_name(a->names, alg, tmp), plugin);
    return true;
}

static void list_algs(lister *l)
{
    static const struct {
        transform_type type;
        const char *label;
    } kinds[] = {{TRANSFORM_ENCR, "encryption:"},
                 {TRANSFORM_INTEG, "integrity: "},
                 {TRANSFORM_PRF, "prf:       "},
                 {TRANSFORM_DH, "dh-group:  "}};

    buf_put_str(l->out, "\nList of registered IKEv2 Algorithms:\n\n");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        alg_list a = {l->out, transform_names(kinds[i].type)};
        buf_printf(l->out, "  %s", kinds[i].label);
        crypto_each(l->ch->env->crypto, kinds[i].type, put_alg, &a);
        buf_put_str(l->out, "\n");
    }
}

void stroke_list(charon *ch, uint32_t mask, bool utc, buf *out)
{
    lister l = {.ch = ch, .out = out, .utc = utc, .now = runtime_wall_s(RT(ch))};

    if (mask & CTL_LIST_ALGS)
        list_algs(&l);
    if (mask & CTL_LIST_PUBKEYS)
        credstore_each_pubkey(ch->env->cred, put_pubkey, &l);
    l.n = 0;
    if (mask & CTL_LIST_CERTS)
        list_dir(&l, DIR_CERTS, "List of X.509 End Entity Certificates:");
    if (mask & CTL_LIST_CACERTS)
        list_dir(&l, DIR_CACERTS, "List of X.509 CA Certificates:");
    if (mask & CTL_LIST_OCSPCERTS)
        list_dir(&l, DIR_OCSPCERTS, "List of X.509 OCSP Signer Certificates:");
    if (mask & CTL_LIST_AACERTS)
        list_dir(&l, DIR_AACERTS, "List of X.509 AA Certificates:");
    if (mask & CTL_LIST_CAINFOS)
        credstore_each_ca(ch->env->cred, put_ca, &l);
    free(l.certs);
}
