/* Certificates, public keys, private keys, algorithm identifiers: the first octet says which. */
#include "libstrongswan/cred/cert.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void examine(cert *c)
{
    ident *any = ident_any();
    msgbuf msg;
    char text[IDENT_TEXT];
    ident_text(cert_subject(c), text, sizeof(text));
    ident_text(cert_issuer(c), text, sizeof(text));
    for (size_t i = 0; i < cert_alt_names(c); i++)
        ident_text(cert_alt_name(c, i), text, sizeof(text));
    for (size_t i = 0; i < cert_crl_uris(c); i++)
        if (!cert_crl_uri(c, i)[0])
            abort();
    if (!cert_has_id(c, cert_subject(c)) || !cert_match_id(c, any) || cert_serial(c).n == 0)
        abort();
    (void)cert_may_authenticate(c, &msg);
    (void)cert_names_permitted(c, c, &msg);
    (void)!cert_verify_signature(c, c);
    ident_unref(any);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    msgbuf msg;
    if (size < 1)
        return 0;
    span in = span_of(data + 1, size - 1);
    cert *c = NULL;
    pubkey *k = NULL;
    privkey *p = NULL;
    switch (data[0]) {
    case 'k':
        if (pubkey_from_spki(&k, in, &msg) == ST_OK)
            (void)!pubkey_verify(k, SIG_RSA_PKCS1_SHA2_256, SPAN_LIT("x"), in);
        break;
    case 'r':
        (void)!pubkey_from_rfc3110(&k, in, &msg);
        break;
    case 'p':
        (void)!privkey_from_data(&p, in, "geheim", &msg);
        break;
    case 'a':
        (void)sig_from_algorithm_identifier(in);
        break;
    default:
        if (cert_from_data(&c, in, &msg) == ST_OK)
            examine(c);
    }
    cert_unref(c);
    pubkey_unref(k);
    privkey_unref(p);
    return 0;
}
