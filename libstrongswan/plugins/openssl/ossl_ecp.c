/* ECP groups (RFC 5903, RFC 5114) with EC_POINTs: the private scalar comes from the registry's random
 * numbers. Curves are made once per process and shared read-only.
 */
#include "libstrongswan/plugins/openssl/openssl.h"
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <pthread.h>

typedef struct curve {
    uint16_t group;
    int nid;
    uint8_t bytes; /* of a coordinate */
    EC_GROUP *g;
} curve;

static curve curves[] = {
    {DH_ECP_256, NID_X9_62_prime256v1, 32, NULL}, {DH_ECP_384, NID_secp384r1, 48, NULL},
    {DH_ECP_521, NID_secp521r1, 66, NULL},        {DH_ECP_224, NID_secp224r1, 28, NULL},
    {DH_ECP_192, NID_X9_62_prime192v1, 24, NULL},
};
static pthread_once_t curves_once = PTHREAD_ONCE_INIT;

static void curves_make(void)
{
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        curves[i].g = EC_GROUP_new_by_curve_name(curves[i].nid);
}

static const curve *curve_find(dh_group group)
{
    pthread_once(&curves_once, curves_make);
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (curves[i].group == (uint16_t)group)
            return &curves[i];
    return NULL;
}

/* A scalar in [1, n-1]: drawn again while it is not, which for these curves is nearly never (P-521: every
 * other time without the mask). */
static status private_scalar(ecp_key *d, const crypto *c, span given)
{
    uint8_t bytes[ECP_COORD_MAX];
    const BIGNUM *order = EC_GROUP_get0_order(d->curve->g);
    size_t n = d->curve->bytes;
    if (given.n > n)
        return ST_INVALID;
    d->x = BN_secure_new();
    if (!d->x)
        return ST_NO_MEMORY;
    status st = ST_OK;
    for (int tries = 0; st == ST_OK && tries < 100; tries++) {
        if (given.n)
            memcpy(bytes, given.p, given.n);
        else
            st = rng_bytes(c, RNG_STRONG, bytes, n);
        if (d->curve->group == DH_ECP_521 && !given.n)
            bytes[0] &= 1;
        if (st == ST_OK && !BN_bin2bn(bytes, (int)(given.n ? given.n : n), d->x))
            st = ST_NO_MEMORY;
        if (given.n || (!BN_is_zero(d->x) && BN_cmp(d->x, order) < 0))
            break;
    }
    wipe(bytes, sizeof bytes);
    if (st == ST_OK && (BN_is_zero(d->x) || BN_cmp(d->x, order) >= 0))
        st = ST_CRYPTO;
    BN_set_flags(d->x, BN_FLG_CONSTTIME);
    return st;
}

/* Writes the affine coordinates; y may be NULL. Infinity has none. */
static status coordinates(const curve *v, const EC_POINT *p, uint8_t *x, uint8_t *y, BN_CTX *ctx)
{
    BIGNUM *bx = BN_CTX_get(ctx), *by = BN_CTX_get(ctx);
    if (!by || EC_POINT_is_at_infinity(v->g, p))
        return by ? ST_INVALID : ST_NO_MEMORY;
    if (EC_POINT_get_affine_coordinates(v->g, p, bx, by, ctx) != 1 ||
        BN_bn2binpad(bx, x, v->bytes) != v->bytes || (y && BN_bn2binpad(by, y, v->bytes) != v->bytes))
        return ST_CRYPTO;
    return ST_OK;
}

/* x * point, or x * generator when point is NULL */
static status multiply(const ecp_key *d, const EC_POINT *point, uint8_t *x, uint8_t *y)
{
    const curve *v = d->curve;
    BN_CTX *ctx = BN_CTX_secure_new();
    EC_POINT *r = EC_POINT_new(v->g);
    status st = ST_NO_MEMORY;
    if (ctx && r) {
        BN_CTX_start(ctx);
        if (EC_POINT_mul(v->g, r, point ? NULL : d->x, point, point ? d->x : NULL, ctx) == 1)
            st = coordinates(v, r, x, y, ctx);
        BN_CTX_end(ctx);
    }
    EC_POINT_clear_free(r);
    BN_CTX_free(ctx);
    return st;
}

status ossl_ecp_init(void *self, const crypto *c, dh_group group, span priv)
{
    ecp_key *d = self;
    d->curve = curve_find(group);
    if (!d->curve || !d->curve->g)
        return ST_UNSUPPORTED;
    status st = private_scalar(d, c, priv);
    return st == ST_OK ? multiply(d, NULL, d->pub, d->pub + d->curve->bytes) : st;
}

void ossl_ecp_fini(void *self)
{
    BN_clear_free(((ecp_key *)self)->x);
}

span ossl_ecp_public(const void *self)
{
    const ecp_key *d = self;
    return span_of(d->pub, 2u * d->curve->bytes);
}

/* The peer's point; ST_INVALID if it is not on the curve. These curves have cofactor one: on the curve is
 * enough. */
static status peer_point(const curve *v, span peer, EC_POINT *point)
{
    BN_CTX *ctx = BN_CTX_new();
    status st = ST_NO_MEMORY;
    if (ctx) {
        BN_CTX_start(ctx);
        BIGNUM *x = BN_CTX_get(ctx), *y = BN_CTX_get(ctx);
        BIGNUM *field = BN_CTX_get(ctx);
        if (field && BN_bin2bn(peer.p, v->bytes, x) && BN_bin2bn(peer.p + v->bytes, v->bytes, y) &&
            EC_GROUP_get_curve(v->g, field, NULL, NULL, ctx) == 1)
            st = BN_cmp(x, field) < 0 && BN_cmp(y, field) < 0 &&
                         EC_POINT_set_affine_coordinates(v->g, point, x, y, ctx) == 1 &&
                         EC_POINT_is_on_curve(v->g, point, ctx) == 1
                     ? ST_OK
                     : ST_INVALID;
        BN_CTX_end(ctx);
    }
    BN_CTX_free(ctx);
    return st;
}

status ossl_ecp_compute(void *self, span peer, secret *shared)
{
    ecp_key *d = self;
    EC_POINT *point = EC_POINT_new(d->curve->g);
    if (!point)
        return ST_NO_MEMORY;
    secret out = {0};
    status st = peer_point(d->curve, peer, point);
    if (st == ST_OK)
        st = secret_new(&out, d->curve->bytes);
    if (st == ST_OK)
        st = multiply(d, point, out.p, NULL);
    if (st == ST_OK)
        secret_move(shared, &out);
    secret_free(&out);
    EC_POINT_free(point);
    return st;
}
