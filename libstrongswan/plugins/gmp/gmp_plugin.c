/* The gmp plugin: MODP Diffie-Hellman with libgmp's constant-time exponentiation. Everything belongs to the
 * object; there is no shared state.
 */
#include "libstrongswan/crypto/modp.h"
#include "libstrongswan/crypto/plugin.h"
#include <gmp.h>
#include <stdlib.h>

typedef struct gmp_key {
    const modp_group *group;
    mpz_t p, x;
    uint8_t *pub;
    bool made; /* p and x are initialised */
} gmp_key;

static void number_wipe(mpz_t x)
{
    size_t n = mpz_size(x);
    if (n)
        wipe(mpz_limbs_modify(x, (mp_size_t)n), n * sizeof(mp_limb_t));
    mpz_clear(x);
}

static void import_bytes(mpz_t x, span s)
{
    mpz_import(x, s.n, 1, 1, 1, 0, s.p);
}

/* v as `bytes` octets, zeros in front */
static void export_bytes(const mpz_t v, uint8_t *out, size_t bytes)
{
    size_t n = (mpz_sizeinbase(v, 2) + 7) / 8, wrote = 0;
    memset(out, 0, bytes);
    if (n <= bytes)
        mpz_export(out + bytes - n, &wrote, 1, 1, 1, 0, v);
}

static void power(const gmp_key *d, const mpz_t base, uint8_t *out)
{
    mpz_t r;
    mpz_init2(r, 8u * d->group->bytes + GMP_NUMB_BITS);
    mpz_powm_sec(r, base, d->x, d->p);
    export_bytes(r, out, d->group->bytes);
    number_wipe(r);
}

static status private_exponent(gmp_key *d, const crypto *c, span given)
{
    uint8_t bytes[MAX_DH_BYTES];
    size_t n = given.n ? given.n : d->group->exp_bytes;
    status st = ST_OK;
    if (n > sizeof bytes)
        return ST_INVALID;
    if (given.n) {
        memcpy(bytes, given.p, n);
    } else {
        st = rng_bytes(c, RNG_STRONG, bytes, n);
        bytes[0] |= d->group->q ? 0 : 0x80; /* full length, so that its size tells nothing */
    }
    if (st == ST_OK)
        import_bytes(d->x, span_of(bytes, n));
    wipe(bytes, sizeof bytes);
    if (st == ST_OK && d->group->q) {
        mpz_t q;
        mpz_init_set_str(q, d->group->q, 16);
        if (mpz_cmp(d->x, q) >= 0)
            mpz_sub(d->x, d->x, q);
        mpz_clear(q);
    }
    return st == ST_OK && mpz_sgn(d->x) == 0 ? ST_CRYPTO : st;
}

static status gmp_init(void *self, const crypto *c, dh_group group, span priv)
{
    gmp_key *d = self;
    d->group = modp_find(group);
    if (!d->group)
        return ST_UNSUPPORTED;
    d->pub = malloc(d->group->bytes);
    if (!d->pub)
        return ST_NO_MEMORY;
    mpz_init_set_str(d->p, d->group->p, 16);
    mpz_init2(d->x, 8 * MAX_DH_BYTES);
    d->made = true;
    status st = private_exponent(d, c, priv);
    if (st != ST_OK)
        return st;
    mpz_t g;
    mpz_init_set_str(g, d->group->g, 16);
    power(d, g, d->pub);
    mpz_clear(g);
    return ST_OK;
}

static void gmp_fini(void *self)
{
    gmp_key *d = self;
    if (d->made) {
        number_wipe(d->x);
        mpz_clear(d->p);
    }
    free(d->pub);
}

static span gmp_public(const void *self)
{
    const gmp_key *d = self;
    return span_of(d->pub, d->group->bytes);
}

/* 1 < y < p-1, and of order q where the group has a small subgroup (RFC 6989) */
static bool peer_ok(const gmp_key *d, const mpz_t y)
{
    mpz_t t;
    mpz_init(t);
    mpz_sub_ui(t, d->p, 1);
    bool ok = mpz_cmp_ui(y, 1) > 0 && mpz_cmp(y, t) < 0;
    if (ok && d->group->q) {
        mpz_t q;
        mpz_init_set_str(q, d->group->q, 16);
        mpz_powm(t, y, q, d->p);
        ok = mpz_cmp_ui(t, 1) == 0;
        mpz_clear(q);
    }
    mpz_clear(t);
    return ok;
}

static status gmp_compute(void *self, span peer, secret *shared)
{
    gmp_key *d = self;
    secret out = {0};
    mpz_t y;
    mpz_init(y);
    import_bytes(y, peer);
    status st = peer_ok(d, y) ? secret_new(&out, d->group->bytes) : ST_INVALID;
    if (st == ST_OK) {
        power(d, y, out.p);
        secret_move(shared, &out);
    }
    mpz_clear(y);
    return st;
}

/* on demand: eleven groups in constant time take 80 ms to test, and usually openssl serves them */
#define MODP(group)                                                                                          \
    {                                                                                                        \
        group, OPS_ON_DEMAND, sizeof(gmp_key), gmp_init, gmp_fini, gmp_public, gmp_compute                   \
    }
static const dh_ops dhs[] = {
    MODP(DH_MODP_2048),     MODP(DH_MODP_3072),     MODP(DH_MODP_4096),     MODP(DH_MODP_6144),
    MODP(DH_MODP_8192),     MODP(DH_MODP_1536),     MODP(DH_MODP_1024),     MODP(DH_MODP_768),
    MODP(DH_MODP_1024_160), MODP(DH_MODP_2048_224), MODP(DH_MODP_2048_256),
};

const plugin_desc gmp_plugin = {.abi = PLUGIN_ABI, .name = "gmp", .dhs = OPS_ROWS(dhs)};
