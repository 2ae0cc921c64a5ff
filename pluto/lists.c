/* `ipsec list…`; line shapes: reference outputs.md 3. Each list: a blank line, its title, a blank line,
 * entries; nothing at all when it is empty, but for the algorithms.
 */
#include "libstrongswan/base/text.h"
#include "pluto/pluto.h"
#include "pluto/sa/algnames.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/spdb.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DATE_TEXT = 40, DAY = 86400, CERT_WARNING = 30, PUBKEY_WARNING = 7 };

typedef struct printer {
    pluto *p;
    pluto_line_fn *fn;
    void *ctx;
    bool utc;
    const char *title; /* not printed yet */
    int64_t now;
} printer;

static void line(printer *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line(printer *o, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    if (o->title) {
        const char *title = o->title;
        o->title = NULL;
        o->fn(o->ctx, " ");
        o->fn(o->ctx, title);
        o->fn(o->ctx, " ");
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    o->fn(o->ctx, text);
}

static char *date_text(const printer *o, int64_t t, char dst[DATE_TEXT])
{
    struct tm tm;
    time_t tt = (time_t)t;
    if (t == 0 || !(o->utc ? gmtime_r(&tt, &tm) : localtime_r(&tt, &tm))) {
        snprintf(dst, DATE_TEXT, o->utc ? "--- -- --:--:-- UTC ----" : "--- -- --:--:-- ----");
        return dst;
    }
    strftime(dst, DATE_TEXT, o->utc ? "%b %d %H:%M:%S UTC %Y" : "%b %d %H:%M:%S %Y", &tm);
    return dst;
}
#define DATE(t) date_text(o, (t), (char[DATE_TEXT]){0})

static const char *expiry_text(const printer *o, int64_t until, int days, bool strict, char dst[64])
{
    int64_t left = until - o->now;
    if (until == 0) {
        snprintf(dst, 64, "ok (expires never)");
    } else if (left < 0) {
        snprintf(dst, 64, "%s (expired)", strict ? "fatal" : "warning");
    } else if (left > (int64_t)days * DAY) {
        snprintf(dst, 64, "ok");
    } else {
        int64_t n = left > 2 * DAY ? left / DAY : left > 7200 ? left / 3600 : left > 120 ? left / 60 : left;
        const char *unit = left > 2 * DAY ? "day" : left > 7200 ? "hour" : left > 120 ? "minute" : "second";
        snprintf(dst, 64, "warning (expires in %lld %s%s)", (long long)n, unit, n == 1 ? "" : "s");
    }
    return dst;
}
#define EXPIRY(until, days, strict) expiry_text(o, (until), (days), (strict), (char[64]){0})

static const char *hex_text(span s, char dst[256])
{
    return text_hex(s, ':', dst, 256);
}
#define HEX(s) hex_text((s), (char[256]){0})

/* ---- algorithms ---- */

static void encryption_algs(printer *o)
{
    static const struct {
        uint16_t id;
        uint16_t min, def, max;
    } rows[] = {{3, 128, 128, 448}, {5, 192, 192, 192},     {7, 128, 128, 256},
                {8, 128, 128, 256}, {65004, 128, 128, 256}, {65005, 128, 128, 256}};
    o->title = "List of registered IKE Encryption Algorithms:";
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        encr_alg e = ikev1_encr_to(rows[k].id);
        if (e && crypto_has(o->p->e->crypto, TRANSFORM_ENCR, e, encr_keymat_bytes(e, rows[k].def)))
            line(o, "#%-5u %s, blocksize: %zu, keylen: %u-%u-%u", rows[k].id,
                 ENUM_STR(oakley_encr_names, rows[k].id), encr_block_bytes(e) * 8, rows[k].min, rows[k].def,
                 rows[k].max);
    }
}

static void ike_algs(printer *o)
{
    static const uint16_t groups[] = {2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 31, 32};
    encryption_algs(o);
    o->title = "List of registered IKE Hash Algorithms:";
    for (uint16_t n = 1; n <= 6; n++) {
        hash_alg h = ikev1_hash_to(n);
        if (h && crypto_has_hash(o->p->e->crypto, h))
            line(o, "#%-5u %s, hashsize: %zu", n, ENUM_STR(oakley_hash_names, n), hash_bytes_of(h) * 8);
    }
    o->title = "List of registered IKE DH Groups:";
    for (size_t k = 0; k < sizeof(groups) / sizeof(groups[0]); k++) {
        static const uint16_t curve_bits[] = {
            [19] = 256, [20] = 384, [21] = 521, [25] = 192, [26] = 224, [31] = 256, [32] = 448};
        uint16_t g = groups[k];
        unsigned bits = g < sizeof(curve_bits) / sizeof(curve_bits[0]) && curve_bits[g]
                            ? curve_bits[g]
                            : (unsigned)dh_public_bytes(g) * 8;
        if (crypto_has(o->p->e->crypto, TRANSFORM_DH, g, 0))
            line(o, "#%-5u %s, groupsize: %u", g, ENUM_STR(oakley_group_names, g), bits);
    }
}

static bool kernel_has(const printer *o, transform_type type, uint16_t alg, uint16_t bits)
{
    kernel *k = o->p->e->kernel;
    return !k->ops->has_alg || k->ops->has_alg(k, PROTO_ESP, type, alg, bits);
}

static void esp_algs(printer *o)
{
    o->title = "List of registered ESP Encryption Algorithms:";
    for (uint16_t n = 2; n < 254; n++) {
        encr_alg e = ikev1_esp_to(n);
        bool fixed = e == ENCR_3DES || e == ENCR_DES || e == ENCR_NULL;
        uint16_t min = encr_default_bits(e), max = fixed ? min : e == ENCR_BLOWFISH ? 448 : 256;
        if (e && kernel_has(o, TRANSFORM_ENCR, (uint16_t)e, fixed ? 0 : min))
            line(o, "#%-5u %s, blocksize: %zu, keylen: %u-%u", n, ENUM_STR(esp_transform_names, n),
                 e == ENCR_NULL ? (size_t)0 : (size_t)8, min, max);
    }
    o->title = "List of registered ESP Authentication Algorithms:";
    for (uint16_t n = 1; n < 254; n++) {
        integ_alg a = ikev1_auth_to(n);
        if (a && kernel_has(o, TRANSFORM_INTEG, (uint16_t)a, 0))
            line(o, "#%-5u %s, keylen: %zu-%zu", n, ENUM_STR(auth_alg_names, n), integ_key_bytes(a) * 8,
                 integ_key_bytes(a) * 8);
    }
}

/* ---- keys and certificates ---- */

static bool show_pubkey(void *ctx, ident *id, pubkey *k, cert *c, int64_t loaded_at)
{
    printer *o = ctx;
    int64_t until = c ? cert_not_after(c) : 0;
    line(o, "%s, %4u %s Key %s, until %s %s", DATE(loaded_at), pubkey_bits(k),
         ENUM_STR(key_type_names, pubkey_type(k)), pubkey_freeswan_id(k), DATE(until),
         EXPIRY(until, PUBKEY_WARNING, true));
    line(o, "       %s '%s'", ENUM_STR(id_type_names, ident_type(id)),
         ident_text_pluto(id, (char[IDENT_TEXT]){0}, IDENT_TEXT));
    if (c) {
        line(o, "       issuer: '%s'", IDENT_STR(cert_issuer(c)));
        line(o, "       serial:  %s", HEX(cert_serial(c)));
    }
    return true;
}

static bool show_cert(void *ctx, cert *c, int64_t loaded_at)
{
    printer *o = ctx;
    const pubkey *k = cert_key(c);
    span sub = cert_subject_key_id(c), auth = cert_authority_key_id(c);
    line(o, "%s, count: 1", DATE(loaded_at));
    line(o, "       subject:  '%s'", IDENT_STR(cert_subject(c)));
    line(o, "       issuer:   '%s'", IDENT_STR(cert_issuer(c)));
    line(o, "       serial:    %s", HEX(cert_serial(c)));
    line(o, "       pubkey:    %4u %s Key %s%s", pubkey_bits(k), ENUM_STR(key_type_names, pubkey_type(k)),
         pubkey_freeswan_id(k), credstore_has_privkey(o->p->e->cred, k) ? ", has private key" : "");
    line(o, "       validity:  not before %s %s", DATE(cert_not_before(c)),
         cert_not_before(c) <= o->now ? "ok" : "fatal (not valid yet)");
    line(o, "                  not after  %s %s", DATE(cert_not_after(c)),
         EXPIRY(cert_not_after(c), CERT_WARNING, true));
    if (sub.n)
        line(o, "       subjkey:   %s", HEX(sub));
    if (auth.n)
        line(o, "       authkey:   %s", HEX(auth));
    return true;
}

static void certs(printer *o, cert_dir dir, const char *title)
{
    o->title = title;
    credstore_each_cert(o->p->e->cred, dir, show_cert, o);
    o->title = NULL;
}

static bool show_ca(void *ctx, const ca_info *ca, int64_t loaded_at)
{
    printer *o = ctx;
    cert *c = NULL;
    msgbuf why;
    line(o, "%s, \"%s\"", DATE(loaded_at), ca->name);
    if (ca->cacert && credstore_load_cert(o->p->e->cred, ca->cacert, DIR_CACERTS, &c, &why) == ST_OK)
        line(o, "       authname: '%s'", IDENT_STR(cert_subject(c)));
    if (ca->ldaphost)
        line(o, "       ldaphost: '%s'", ca->ldaphost);
    if (ca->ldapbase)
        line(o, "       ldapbase: '%s'", ca->ldapbase);
    if (ca->ocspuri)
        line(o, "       ocspuri:  '%s'", ca->ocspuri);
    if (ca->crluri)
        line(o, "       distPts:  '%s'", ca->crluri);
    if (ca->crluri2)
        line(o, "                 '%s'", ca->crluri2);
    if (c && cert_subject_key_id(c).n)
        line(o, "       authkey:   %s", HEX(cert_subject_key_id(c)));
    cert_unref(c);
    return true;
}

void pluto_list(pluto *p, unsigned what, bool utc, pluto_line_fn *fn, void *ctx)
{
    printer o = {p, fn, ctx, utc, NULL, runtime_wall_s(p->e->rt)};
    if (what & PLIST_ALGS) {
        ike_algs(&o);
        esp_algs(&o);
    }
    if (what & PLIST_PUBKEYS) {
        o.title = "List of Public Keys:";
        credstore_each_pubkey(p->e->cred, show_pubkey, &o);
        o.title = NULL;
    }
    if (what & PLIST_CERTS)
        certs(&o, DIR_CERTS, "List of X.509 End Certificates:");
    if (what & PLIST_CACERTS)
        certs(&o, DIR_CACERTS, "List of X.509 CA Certificates:");
    if (what & PLIST_AACERTS)
        certs(&o, DIR_AACERTS, "List of X.509 AA Certificates:");
    if (what & PLIST_OCSPCERTS)
        certs(&o, DIR_OCSPCERTS, "List of X.509 OCSP Certificates:");
    if (what & PLIST_CAINFOS) {
        o.title = "List of X.509 CA Information Records:";
        credstore_each_ca(p->e->cred, show_ca, &o);
        o.title = NULL;
    }
}
