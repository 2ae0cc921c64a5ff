/* Certificates: life cycle and questions. A cert is immutable once made; the one thing that changes is the
 * memory of who was found to have signed it.
 */
#include "libstrongswan/cred/cert.h"
#include "libstrongswan/cred/cert_ext.h"
#include "libstrongswan/cred/readfile.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* ---- making ---- */

static status from_der(cert **out, span der, msgbuf *msg)
{
    if (der.n > CERT_MAX_BYTES)
        return msg_fail(msg, ST_LIMIT, "a certificate of %zu octets is too long", der.n);
    cert *c = calloc(1, sizeof(*c));
    if (!c || !(c->der = malloc(der.n ? der.n : 1))) {
        free(c);
        return ST_NO_MEMORY;
    }
    ref_init(&c->refs);
    if (der.n)
        memcpy(c->der, der.p, der.n);
    c->der_n = der.n;
    status st = cert_decode(c, msg);
    if (st != ST_OK) {
        cert_unref(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

/* The first certificate in a text of PEM blocks. */
static status from_pem(cert **out, span data, msgbuf *msg)
{
    status st = ST_NOT_FOUND;
    BIO *bio = BIO_new_mem_buf(data.p, (int)data.n);
    if (!bio)
        return ST_NO_MEMORY;
    char *name = NULL, *header = NULL;
    uint8_t *der = NULL;
    long n = 0;
    while (st == ST_NOT_FOUND && PEM_read_bio(bio, &name, &header, &der, &n) == 1) {
        if (!strcmp(name, PEM_STRING_X509) || !strcmp(name, PEM_STRING_X509_OLD))
            st = from_der(out, span_of(der, (size_t)n), msg);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)n); /* may have been a private key */
        name = header = NULL;
        der = NULL;
    }
    BIO_free(bio);
    ERR_clear_error();
    if (st == ST_NOT_FOUND)
        st = msg_fail(msg, ST_INVALID, "no certificate in it (PEM)");
    return st;
}

status cert_from_data(cert **out, span data, msgbuf *msg)
{
    static const char begin[] = "-----BEGIN";
    *out = NULL;
    if (data.n == 0)
        return msg_fail(msg, ST_INVALID, "the certificate is empty");
    if (data.p[0] != 0x30 && memmem(data.p, data.n, begin, sizeof(begin) - 1))
        return data.n <= INT32_MAX ? from_pem(out, data, msg) : ST_LIMIT;
    return from_der(out, data, msg);
}

status cert_from_file(cert **out, const char *path, msgbuf *msg)
{
    secret data = {0};
    *out = NULL;
    status st = read_file(path, &data, NULL, msg);
    if (st != ST_OK)
        return st;
    st = cert_from_data(out, secret_view(&data), msg);
    if (st != ST_OK)
        msg_prefix(msg, "'%s': ", path);
    secret_free(&data);
    return st;
}

cert *cert_ref(cert *c)
{
    if (c)
        ref_get(&c->refs);
    return c;
}

void cert_unref(cert *c)
{
    if (!c || !ref_put(&c->refs))
        return;
    for (size_t i = 0; i < c->n_alt_names; i++)
        ident_unref(c->alt_names[i]);
    free(c->alt_names);
    for (size_t i = 0; i < c->n_crl_uris; i++)
        free(c->crl_uris[i]);
    for (size_t i = 0; i < c->n_ocsp_uris; i++)
        free(c->ocsp_uris[i]);
    ident_unref(c->subject);
    ident_unref(c->issuer);
    pubkey_unref(c->key);
    pubkey_unref(atomic_load(&c->verified_by));
    AUTHORITY_KEYID_free(c->akid);
    NAME_CONSTRAINTS_free(c->constraints);
    ASN1_OCTET_STRING_free(c->skid);
    sk_X509_EXTENSION_pop_free(c->extensions, X509_EXTENSION_free);
    X509_free(atomic_load(&c->x509));
    free(c->der);
    free(c);
}

/* ---- what it says ---- */

span cert_der(const cert *c)
{
    return span_of(c->der, c->der_n);
}

ident *cert_subject(const cert *c)
{
    return c->subject;
}

ident *cert_issuer(const cert *c)
{
    return c->issuer;
}

span cert_serial(const cert *c)
{
    return c->serial;
}

pubkey *cert_key(const cert *c)
{
    return c->key;
}

unsigned cert_flags(const cert *c)
{
    return c->flags;
}

int cert_pathlen(const cert *c)
{
    return c->pathlen;
}

span cert_subject_key_id(const cert *c)
{
    return c->subject_key_id;
}

span cert_authority_key_id(const cert *c)
{
    return c->authority_key_id;
}

span cert_authority_serial(const cert *c)
{
    const ASN1_INTEGER *serial = c->akid ? c->akid->serial : NULL;
    return serial ? span_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)) : SPAN_NULL;
}

int64_t cert_not_before(const cert *c)
{
    return c->not_before;
}

int64_t cert_not_after(const cert *c)
{
    return c->not_after;
}

size_t cert_alt_names(const cert *c)
{
    return c->n_alt_names;
}

ident *cert_alt_name(const cert *c, size_t i)
{
    return i < c->n_alt_names ? c->alt_names[i] : NULL;
}

size_t cert_crl_uris(const cert *c)
{
    return c->n_crl_uris;
}

const char *cert_crl_uri(const cert *c, size_t i)
{
    return i < c->n_crl_uris ? c->crl_uris[i] : NULL;
}

size_t cert_ocsp_uris(const cert *c)
{
    return c->n_ocsp_uris;
}

const char *cert_ocsp_uri(const cert *c, size_t i)
{
    return i < c->n_ocsp_uris ? c->ocsp_uris[i] : NULL;
}

/* Most certificates of peers never need it: OpenSSL's object costs more to make than everything else about a
 * handshake but its signatures (it looks for a decoder of the key in every provider). */
const void *cert_x509(const cert *c)
{
    cert *own = (cert *)(uintptr_t)c; /* a cache, not part of the value */
    X509 *x = atomic_load(&own->x509), *none = NULL;
    const uint8_t *p = c->der;
    if (x)
        return x;
    x = d2i_X509(NULL, &p, (long)c->der_n);
    if (x) /* reads the extensions now, while nobody else has it */
        (void)X509_check_purpose(x, -1, 0);
    ERR_clear_error();
    if (x && !atomic_compare_exchange_strong(&own->x509, &none, x)) {
        X509_free(x);
        x = none;
    }
    return x;
}

bool cert_equal(const cert *a, const cert *b)
{
    return a == b || (a && b && span_equal(cert_der(a), cert_der(b)));
}

/* ---- whom it speaks for ---- */

/* Names are taken literally: a certificate for "*.example.net" speaks for that text only (RFC 4945 3.1.2),
 * and a name in CN is no FQDN. A key id is the subjectKeyIdentifier or the hash of the key. */
bool cert_has_id(const cert *c, const ident *id)
{
    if (ident_equal(c->subject, id))
        return true;
    for (size_t i = 0; i < c->n_alt_names; i++)
        if (ident_equal(c->alt_names[i], id))
            return true;
    return ident_type(id) == ID_KEY_ID && (span_equal(ident_data(id), pubkey_keyid(c->key)) ||
                                           span_equal(ident_data(id), c->subject_key_id));
}

int cert_match_id(const cert *c, const ident *pattern)
{
    if (cert_has_id(c, pattern))
        return ID_MATCH_PERFECT;
    int best = ident_match(c->subject, pattern);
    for (size_t i = 0; i < c->n_alt_names; i++) {
        int m = ident_match(c->alt_names[i], pattern);
        best = m > best ? m : best;
    }
    return best;
}

bool cert_may_authenticate(const cert *c, msgbuf *msg)
{
    unsigned peers = CERT_SERVER_AUTH | CERT_CLIENT_AUTH | CERT_IKE_INTERMEDIATE | CERT_ANY_EKU;
    if ((c->flags & CERT_HAS_KEY_USAGE) && !(c->flags & CERT_DIGITAL_SIGNATURE)) {
        msg_set(msg, "its keyUsage does not permit signatures");
        return false;
    }
    if ((c->flags & CERT_HAS_EKU) && !(c->flags & peers)) {
        msg_set(msg, "its extendedKeyUsage permits neither IKE nor client nor server authentication");
        return false;
    }
    return true;
}

bool cert_names_permitted(const cert *c, const cert *ca, msgbuf *msg)
{
    if (!ca->constraints)
        return true;
    X509 *x = (X509 *)(uintptr_t)cert_x509(c);
    int err = x ? NAME_CONSTRAINTS_check(x, ca->constraints) : X509_V_ERR_OUT_OF_MEM;
    ERR_clear_error();
    if (err == X509_V_OK)
        return true;
    msg_set(msg, "its names violate the name constraints of \"%s\" (%s)", IDENT_STR(ca->subject),
            X509_verify_cert_error_string(err));
    return false;
}

/* ---- who signed it ---- */

/* Anybody can make two certificates with one MD5 signature. */
static bool hash_is_broken(const cert *c)
{
    int nid = NID_undef, md = NID_undef;
    const uint8_t *p = c->signature_algorithm.p;
    X509_ALGOR *alg = d2i_X509_ALGOR(NULL, &p, (long)c->signature_algorithm.n);
    if (alg)
        nid = OBJ_obj2nid(alg->algorithm);
    X509_ALGOR_free(alg);
    OBJ_find_sigid_algs(nid, &md, NULL);
    ERR_clear_error();
    return md == NID_md2 || md == NID_md4 || md == NID_md5;
}

bool cert_signed_by(const cert *c, const pubkey *key)
{
    sig_scheme scheme = sig_from_algorithm_identifier(c->signature_algorithm);
    if (scheme != SIG_UNKNOWN)
        return pubkey_verify(key, scheme, c->tbs, c->signature) == ST_OK;
    /* rare ones are OpenSSL's business */
    X509 *x = (X509 *)(uintptr_t)cert_x509(c);
    bool ok = x && X509_verify(x, (EVP_PKEY *)(uintptr_t)pubkey_evp(key)) == 1;
    ERR_clear_error();
    return ok;
}

status cert_verify_signature(const cert *c, const cert *issuer)
{
    if (!ident_equal(c->issuer, issuer->subject))
        return ST_CRYPTO;
    pubkey *known = atomic_load(&c->verified_by);
    if (known && pubkey_equal(known, issuer->key))
        return ST_OK;
    if (c != issuer && hash_is_broken(c))
        return ST_CRYPTO;
    if (!cert_signed_by(c, issuer->key))
        return ST_CRYPTO;
    if (!known) { /* the first one stays; it is freed with the certificate */
        pubkey *mine = pubkey_ref(issuer->key), *none = NULL;
        if (!atomic_compare_exchange_strong(&((cert *)(uintptr_t)c)->verified_by, &none, mine))
            pubkey_unref(mine);
    }
    return ST_OK;
}
