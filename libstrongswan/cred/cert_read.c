/* Decoding certificates. The bytes are checked to be strict DER, the outer structure is taken apart here,
 * OpenSSL decodes the extensions; checked is what later questions rely on: times, serial, one of each
 * extension, no extension we would have to honour and cannot.
 */
#include "libstrongswan/cred/cert_ext.h"
#include "libstrongswan/cred/der.h"
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <time.h>

/* ---- the outer structure: names, serial and key are taken from the bytes that are signed ---- */

static bool two_digits(const uint8_t *p, int min, int max, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return *out >= min && *out <= max;
}

/* YYMMDDhhmmssZ or YYYYMMDDhhmmssZ and nothing else (RFC 5280 4.1.2.5) */
static bool read_time(span *rest, int64_t *out)
{
    uint8_t tag;
    span s;
    struct tm tm = {0};
    int century = 0;
    if (!der_next(rest, &tag, &s) || (tag != V_ASN1_UTCTIME && tag != V_ASN1_GENERALIZEDTIME))
        return false;
    size_t n = tag == V_ASN1_UTCTIME ? 13 : 15;
    if (s.n != n || s.p[n - 1] != 'Z')
        return false;
    const uint8_t *p = s.p;
    if (n == 15) {
        if (!two_digits(p, 0, 99, &century))
            return false;
        p += 2;
    }
    if (!two_digits(p, 0, 99, &tm.tm_year) || !two_digits(p + 2, 1, 12, &tm.tm_mon) ||
        !two_digits(p + 4, 1, 31, &tm.tm_mday) || !two_digits(p + 6, 0, 23, &tm.tm_hour) ||
        !two_digits(p + 8, 0, 59, &tm.tm_min) || !two_digits(p + 10, 0, 60, &tm.tm_sec))
        return false;
    tm.tm_year = n == 15 ? century * 100 + tm.tm_year - 1900
                         : (tm.tm_year < 50 ? tm.tm_year + 100 : tm.tm_year);
    tm.tm_mon--;
    *out = timegm(&tm);
    return true;
}

static bool read_validity(cert *c, span validity)
{
    return read_time(&validity, &c->not_before) && read_time(&validity, &c->not_after) && validity.n == 0;
}

/* An element with its tag and length: from where `before` stands to where `after` does. */
static span with_header(span before, span after)
{
    return span_of(before.p, before.n - after.n);
}

/* The three parts: what is signed, the algorithm, the signature. */
static bool read_outer(cert *c, span *tbs)
{
    span whole = span_of(c->der, c->der_n), body, at, skip, bits;
    if (!der_well_formed(whole, CERT_MAX_DEPTH) || !der_whole(whole, DER_SEQUENCE, &body))
        return false;
    at = body;
    if (!der_next_is(&body, DER_SEQUENCE, tbs))
        return false;
    c->tbs = with_header(at, body);
    at = body;
    if (!der_next_is(&body, DER_SEQUENCE, &skip))
        return false;
    c->signature_algorithm = with_header(at, body);
    if (!der_next_is(&body, DER_BIT_STRING, &bits) || body.n || bits.n == 0 || bits.p[0] != 0)
        return false;
    c->signature = span_skip(bits, 1);
    return true;
}

/* What may follow the key: unique ids, which nobody uses, and the extensions of version 3. */
static status read_tail(cert *c, span tbs, bool version3, msgbuf *msg)
{
    uint8_t tag;
    span body;
    while (tbs.n) {
        if (!der_next(&tbs, &tag, &body))
            return msg_fail(msg, ST_INVALID, "not a well-formed certificate");
        if (tag == 0x81 || tag == 0x82)
            continue;
        const uint8_t *p = body.p;
        if (tag == 0xa3 && tbs.n == 0 && version3)
            c->extensions = d2i_X509_EXTENSIONS(NULL, &p, (long)body.n);
        ERR_clear_error();
        if (!c->extensions || p != body.p + body.n)
            return msg_fail(msg, ST_INVALID, "the extensions are malformed");
    }
    return ST_OK;
}

static bool read_version(span *tbs, bool *version3)
{
    span version, number;
    *version3 = false;
    if (!der_next_is(tbs, 0xa0, &version)) /* absent in version 1 */
        return true;
    if (!der_whole(version, DER_INTEGER, &number) || number.n != 1 || number.p[0] > 2)
        return false;
    *version3 = number.p[0] == 2;
    return true;
}

static status read_structure(cert *c, msgbuf *msg)
{
    span tbs, skip, at, field;
    bool version3;
    if (!read_outer(c, &tbs) || !read_version(&tbs, &version3))
        return msg_fail(msg, ST_INVALID, "not a well-formed certificate (DER)");
    if (!der_next_is(&tbs, DER_INTEGER, &c->serial) || c->serial.n == 0 || c->serial.n > 64)
        return msg_fail(msg, ST_INVALID, "the serial number is not an integer of 1 to 64 octets");
    at = tbs;
    if (!der_next_is(&tbs, DER_SEQUENCE, &skip))
        return msg_fail(msg, ST_INVALID, "the signature algorithm is missing");
    if (!span_equal(with_header(at, tbs), c->signature_algorithm))
        return msg_fail(msg, ST_INVALID, "the signature algorithm is not the one that is signed");
    at = tbs;
    if (!der_next_is(&tbs, DER_SEQUENCE, &field) || field.n == 0)
        return msg_fail(msg, ST_INVALID, "the issuer's name is missing or empty");
    status st = ident_from_wire(&c->issuer, ID_DER_ASN1_DN, with_header(at, tbs), msg);
    if (st != ST_OK)
        return st;
    if (!der_next_is(&tbs, DER_SEQUENCE, &field) || !read_validity(c, field))
        return msg_fail(msg, ST_INVALID, "the validity is malformed");
    at = tbs;
    if (!der_next_is(&tbs, DER_SEQUENCE, &field))
        return msg_fail(msg, ST_INVALID, "the subject's name is missing");
    st = ident_from_wire(&c->subject, ID_DER_ASN1_DN, with_header(at, tbs), msg);
    if (st != ST_OK)
        return st;
    at = tbs;
    if (!der_next_is(&tbs, DER_SEQUENCE, &field))
        return msg_fail(msg, ST_INVALID, "the public key is missing");
    st = pubkey_from_spki(&c->key, with_header(at, tbs), msg);
    return st == ST_OK ? read_tail(c, tbs, version3, msg) : st;
}

/* ---- extensions ---- */

/* The ones that may be critical, because they are honoured or only inform. */
static bool is_known(int nid)
{
    static const int known[] = {NID_basic_constraints,        NID_key_usage,
                                NID_subject_alt_name,         NID_ext_key_usage,
                                NID_name_constraints,         NID_subject_key_identifier,
                                NID_authority_key_identifier, NID_issuer_alt_name,
                                NID_certificate_policies,     NID_crl_distribution_points};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i] == nid)
            return true;
    return false;
}

static status check_extensions(const STACK_OF(X509_EXTENSION) * all, msgbuf *msg)
{
    int n = X509v3_get_ext_count(all);
    char name[80];
    if (n > CERT_MAX_EXTENSIONS)
        return msg_fail(msg, ST_LIMIT, "%d extensions are too many", n);
    for (int i = 0; i < n; i++) {
        X509_EXTENSION *ext = X509v3_get_ext(all, i);
        ASN1_OBJECT *oid = X509_EXTENSION_get_object(ext);
        OBJ_obj2txt(name, sizeof(name), oid, 0);
        if (X509_EXTENSION_get_critical(ext) && !is_known(OBJ_obj2nid(oid)))
            return msg_fail(msg, ST_UNSUPPORTED, "the critical extension %s is not supported", name);
        if (X509v3_get_ext_by_OBJ(all, oid, i) >= 0)
            return msg_fail(msg, ST_INVALID, "the extension %s is there twice", name);
    }
    return ST_OK;
}

/* An extension's value: *out is NULL if it is absent. */
static status get_ext(const cert *c, int nid, void **out, msgbuf *msg)
{
    int critical;
    *out = X509V3_get_d2i(c->extensions, nid, &critical, NULL);
    ERR_clear_error();
    if (!*out && critical != -1)
        return msg_fail(msg, ST_INVALID, "the extension %s is malformed", OBJ_nid2sn(nid));
    return ST_OK;
}

static status read_basic(cert *c, msgbuf *msg)
{
    void *v;
    status st = get_ext(c, NID_basic_constraints, &v, msg);
    BASIC_CONSTRAINTS *bc = v;
    c->pathlen = -1;
    if (st != ST_OK || !bc)
        return st;
    if (bc->ca)
        c->flags |= CERT_CA;
    if (bc->pathlen) {
        int64_t n = -1;
        if (!ASN1_INTEGER_get_int64(&n, bc->pathlen) || n < 0)
            st = msg_fail(msg, ST_INVALID, "the path length of basicConstraints is negative or too large");
        else
            c->pathlen = n > 1000 ? 1000 : (int)n;
    }
    BASIC_CONSTRAINTS_free(bc);
    return st;
}

static status read_usage(cert *c, msgbuf *msg)
{
    static const struct {
        const char *oid;
        unsigned flag;
    } purposes[] = {
        {"1.3.6.1.5.5.7.3.1", CERT_SERVER_AUTH},       {"1.3.6.1.5.5.7.3.2", CERT_CLIENT_AUTH},
        {"1.3.6.1.5.5.7.3.9", CERT_OCSP_SIGNER},       {"1.3.6.1.5.5.8.2.2", CERT_IKE_INTERMEDIATE},
        {"1.3.6.1.5.5.7.3.17", CERT_IKE_INTERMEDIATE}, {"2.5.29.37.0", CERT_ANY_EKU}};
    void *v;
    status st = get_ext(c, NID_key_usage, &v, msg);
    if (v) {
        ASN1_BIT_STRING *bits = v;
        c->flags |= CERT_HAS_KEY_USAGE;
        if (ASN1_BIT_STRING_get_bit(bits, 0) || ASN1_BIT_STRING_get_bit(bits, 1))
            c->flags |= CERT_DIGITAL_SIGNATURE;
        if (ASN1_BIT_STRING_get_bit(bits, 5))
            c->flags |= CERT_CERT_SIGN;
        if (ASN1_BIT_STRING_get_bit(bits, 6))
            c->flags |= CERT_CRL_SIGN;
        ASN1_BIT_STRING_free(bits);
    }
    if (st == ST_OK)
        st = get_ext(c, NID_ext_key_usage, &v, msg);
    if (st != ST_OK || !v)
        return st;
    EXTENDED_KEY_USAGE *eku = v;
    c->flags |= CERT_HAS_EKU;
    for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
        char oid[64] = "";
        OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(eku, i), 1);
        for (size_t k = 0; k < sizeof(purposes) / sizeof(purposes[0]); k++)
            if (!strcmp(oid, purposes[k].oid))
                c->flags |= purposes[k].flag;
    }
    EXTENDED_KEY_USAGE_free(eku);
    return ST_OK;
}

static span asn1_span(const ASN1_STRING *s)
{
    return span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* *out stays NULL for kinds of names that are no identities. */
static status read_general_name(const GENERAL_NAME *name, ident **out, msgbuf *msg)
{
    status st;
    uint8_t *der = NULL;
    span s = name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_IPADD
                 ? asn1_span(name->d.ia5)
                 : SPAN_NULL;
    switch (name->type) {
    case GEN_DNS:
    case GEN_EMAIL:
        for (size_t i = 0; i < s.n; i++)
            if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
                return msg_fail(msg, ST_INVALID, "a subjectAltName holds a character no name has");
        return ident_from_wire(out, name->type == GEN_DNS ? ID_FQDN : ID_USER_FQDN, s, msg);
    case GEN_IPADD:
        return ident_from_wire(out, s.n == 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR, s, msg);
    case GEN_DIRNAME: {
        int n = i2d_X509_NAME(name->d.directoryName, &der);
        st = n > 0 ? ident_from_wire(out, ID_DER_ASN1_DN, span_of(der, (size_t)n), msg) : ST_NO_MEMORY;
        OPENSSL_free(der);
        return st;
    }
    }
    return ST_OK;
}

static status read_alt_names(cert *c, msgbuf *msg)
{
    void *v;
    status st = get_ext(c, NID_subject_alt_name, &v, msg);
    if (st != ST_OK || !v)
        return st;
    GENERAL_NAMES *names = v;
    int n = sk_GENERAL_NAME_num(names);
    if (n < 1 || n > CERT_MAX_ALT_NAMES)
        st = msg_fail(msg, ST_INVALID, "%d subjectAltNames are not between 1 and %d", n, CERT_MAX_ALT_NAMES);
    else if (!(c->alt_names = calloc((size_t)n, sizeof(ident *))))
        st = ST_NO_MEMORY;
    for (int i = 0; i < n && st == ST_OK; i++) {
        ident *id = NULL;
        st = read_general_name(sk_GENERAL_NAME_value(names, i), &id, msg);
        if (id)
            c->alt_names[c->n_alt_names++] = id;
    }
    GENERAL_NAMES_free(names);
    return st;
}

/* Only URIs that are plain ASCII are of use; others are left out. */
static status add_uri(char **uris, size_t *n, const GENERAL_NAME *name)
{
    if (name->type != GEN_URI || *n == CERT_MAX_URIS)
        return ST_OK;
    span s = asn1_span(name->d.uniformResourceIdentifier);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return ST_OK;
    if (s.n == 0 || s.n > 2048)
        return ST_OK;
    uris[*n] = span_dup_cstr(s);
    if (!uris[*n])
        return ST_NO_MEMORY;
    ++*n;
    return ST_OK;
}

static status read_crl_uris(cert *c, msgbuf *msg)
{
    void *v;
    status st = get_ext(c, NID_crl_distribution_points, &v, msg);
    CRL_DIST_POINTS *points = v;
    for (int i = 0; st == ST_OK && points && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT *p = sk_DIST_POINT_value(points, i);
        if (!p->distpoint || p->distpoint->type != 0)
            continue;
        const GENERAL_NAMES *names = p->distpoint->name.fullname;
        for (int k = 0; st == ST_OK && k < sk_GENERAL_NAME_num(names); k++)
            st = add_uri(c->crl_uris, &c->n_crl_uris, sk_GENERAL_NAME_value(names, k));
    }
    CRL_DIST_POINTS_free(points);
    return st;
}

static status read_ocsp_uris(cert *c, msgbuf *msg)
{
    void *v;
    status st = get_ext(c, NID_info_access, &v, msg);
    AUTHORITY_INFO_ACCESS *aia = v;
    for (int i = 0; st == ST_OK && aia && i < sk_ACCESS_DESCRIPTION_num(aia); i++) {
        const ACCESS_DESCRIPTION *ad = sk_ACCESS_DESCRIPTION_value(aia, i);
        if (OBJ_obj2nid(ad->method) == NID_ad_OCSP)
            st = add_uri(c->ocsp_uris, &c->n_ocsp_uris, ad->location);
    }
    AUTHORITY_INFO_ACCESS_free(aia);
    return st;
}

static status read_key_ids(cert *c, msgbuf *msg)
{
    void *v;
    status st = get_ext(c, NID_authority_key_identifier, &v, msg);
    c->akid = v;
    if (c->akid && c->akid->keyid)
        c->authority_key_id = asn1_span(c->akid->keyid);
    if (st == ST_OK)
        st = get_ext(c, NID_subject_key_identifier, &v, msg);
    c->skid = st == ST_OK ? v : NULL;
    if (c->skid)
        c->subject_key_id = asn1_span(c->skid);
    if (st == ST_OK)
        st = get_ext(c, NID_name_constraints, &v, msg);
    c->constraints = st == ST_OK ? v : NULL;
    return st;
}

status cert_decode(cert *c, msgbuf *msg)
{
    status st = read_structure(c, msg);
    if (st != ST_OK)
        return st;
    st = check_extensions(c->extensions, msg);
    status (*const readers[])(cert *, msgbuf *) = {read_basic,    read_usage,     read_alt_names,
                                                   read_crl_uris, read_ocsp_uris, read_key_ids};
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]) && st == ST_OK; i++)
        st = readers[i](c, msg);
    if (st == ST_OK && span_empty(span_skip(ident_data(c->subject), 2)) && c->n_alt_names == 0)
        st = msg_fail(msg, ST_INVALID, "neither a subject nor a subjectAltName");
    if (st == ST_OK && ident_equal(c->subject, c->issuer) && cert_signed_by(c, c->key))
        c->flags |= CERT_SELF_SIGNED;
    sk_X509_EXTENSION_pop_free(c->extensions, X509_EXTENSION_free);
    c->extensions = NULL;
    return st;
}
