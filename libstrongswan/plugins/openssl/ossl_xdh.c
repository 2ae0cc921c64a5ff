/* X25519 and X448 (RFC 8031) by EVP_PKEY, with private keys from the registry's random numbers. */
#include "libstrongswan/plugins/openssl/openssl.h"

status ossl_xdh_init(void *self, const crypto *c, dh_group group, span priv)
{
    xdh_key *d = self;
    uint8_t raw[XDH_MAX];
    d->type = group == DH_CURVE25519 ? EVP_PKEY_X25519 : EVP_PKEY_X448;
    d->n = (uint8_t)dh_public_bytes(group);
    if (priv.n && priv.n != d->n)
        return ST_INVALID;
    if (priv.n) {
        memcpy(raw, priv.p, priv.n);
    } else {
        status st = rng_bytes(c, RNG_STRONG, raw, d->n);
        if (st != ST_OK)
            return st;
    }
    d->key = EVP_PKEY_new_raw_private_key(d->type, NULL, raw, d->n);
    wipe(raw, sizeof raw);
    size_t n = sizeof d->pub;
    if (!d->key || EVP_PKEY_get_raw_public_key(d->key, d->pub, &n) != 1 || n != d->n)
        return ST_UNSUPPORTED;
    return ST_OK;
}

void ossl_xdh_fini(void *self)
{
    EVP_PKEY_free(((xdh_key *)self)->key);
}

span ossl_xdh_public(const void *self)
{
    const xdh_key *d = self;
    return span_of(d->pub, d->n);
}

status ossl_xdh_compute(void *self, span peer, secret *shared)
{
    xdh_key *d = self;
    secret out = {0};
    status st = secret_new(&out, d->n);
    if (st != ST_OK)
        return st;
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(d->type, NULL, peer.p, peer.n);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(d->key, NULL);
    size_t n = out.n;
    if (!other || !ctx || EVP_PKEY_derive_init(ctx) != 1)
        st = ST_NO_MEMORY;
    else if (EVP_PKEY_derive_set_peer(ctx, other) != 1 || EVP_PKEY_derive(ctx, out.p, &n) != 1 || n != out.n)
        st = ST_INVALID; /* among other things the all-zero result of a point of small order */
    uint8_t any = 0;
    for (size_t i = 0; i < out.n; i++)
        any |= out.p[i];
    if (st == ST_OK && any == 0)
        st = ST_INVALID;
    if (st == ST_OK)
        secret_move(shared, &out);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(other);
    secret_free(&out);
    return st;
}
