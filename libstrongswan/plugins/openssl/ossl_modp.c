/* MODP Diffie-Hellman with BIGNUMs. Numbers and the Montgomery context of a group are made once per process
 * and shared read-only. Private exponents are short (modp.h) and come from the registry's random numbers, so
 * that the simulator can own them; exponentiation is the constant-time one.
 */
#include "libstrongswan/plugins/openssl/openssl.h"
#include "libstrongswan/crypto/modp.h"
#include "libstrongswan/plugins/openssl/ossl_comb.h"
#include <openssl/bn.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct shared_group {
    const modp_group *numbers;
    BIGNUM *p, *g, *q, *p_minus_1;
    BN_MONT_CTX *mont;
    comb *generator;
} shared_group;

enum { SHARED_GROUPS = 16 };
static shared_group groups[SHARED_GROUPS];
static size_t n_groups;
static pthread_mutex_t groups_lock = PTHREAD_MUTEX_INITIALIZER;

static bool group_make(shared_group *s, const modp_group *numbers)
{
    BN_CTX *ctx = BN_CTX_new();
    s->numbers = numbers;
    s->mont = BN_MONT_CTX_new();
    s->p_minus_1 = BN_new();
    bool ok = ctx && s->mont && s->p_minus_1 && BN_hex2bn(&s->p, numbers->p) &&
              BN_hex2bn(&s->g, numbers->g) && (!numbers->q || BN_hex2bn(&s->q, numbers->q)) &&
              BN_sub(s->p_minus_1, s->p, BN_value_one()) == 1 && BN_MONT_CTX_set(s->mont, s->p, ctx) == 1 &&
              (s->generator = comb_new(s->g, s->p, s->mont, numbers->exp_bytes));
    BN_CTX_free(ctx);
    if (ok)
        return true;
    BN_free(s->p);
    BN_free(s->g);
    BN_free(s->q);
    BN_free(s->p_minus_1);
    BN_MONT_CTX_free(s->mont);
    memset(s, 0, sizeof *s);
    return false;
}

/* Entries are never moved or changed once made, so the pointer stays good without the lock. */
static const shared_group *group_get(const modp_group *numbers)
{
    const shared_group *found = NULL;
    pthread_mutex_lock(&groups_lock);
    for (size_t i = 0; i < n_groups && !found; i++)
        if (groups[i].numbers == numbers)
            found = &groups[i];
    if (!found && n_groups < SHARED_GROUPS && group_make(&groups[n_groups], numbers))
        found = &groups[n_groups++];
    pthread_mutex_unlock(&groups_lock);
    return found;
}

/* base^x mod p as p's full number of octets */
static status power(const modp_key *d, const BIGNUM *base, uint8_t *out)
{
    const shared_group *s = d->group;
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *r = BN_secure_new();
    bool ok = ctx && r && BN_mod_exp_mont_consttime(r, base, d->x, s->p, ctx, s->mont) == 1 &&
              BN_bn2binpad(r, out, s->numbers->bytes) == s->numbers->bytes;
    BN_clear_free(r);
    BN_CTX_free(ctx);
    return ok ? ST_OK : ST_NO_MEMORY;
}

static status private_exponent(modp_key *d, const crypto *c, span given)
{
    uint8_t bytes[MAX_DH_BYTES];
    size_t n = d->group->numbers->exp_bytes;
    status st = ST_OK;
    if (given.n > sizeof bytes)
        return ST_INVALID;
    if (given.n) {
        n = given.n;
        memcpy(bytes, given.p, n);
    } else {
        st = rng_bytes(c, RNG_STRONG, bytes, n);
        bytes[0] |= d->group->q ? 0 : 0x80; /* full length, so that its size tells nothing */
    }
    if (st == ST_OK) {
        d->x = BN_secure_new();
        if (!d->x || !BN_bin2bn(bytes, (int)n, d->x))
            st = ST_NO_MEMORY;
        else
            BN_set_flags(d->x, BN_FLG_CONSTTIME);
    }
    wipe(bytes, sizeof bytes);
    if (st == ST_OK && d->group->q && BN_cmp(d->x, d->group->q) >= 0)
        st = BN_sub(d->x, d->x, d->group->q) == 1 ? ST_OK : ST_NO_MEMORY;
    if (st == ST_OK && BN_is_zero(d->x))
        st = ST_CRYPTO;
    return st;
}

static status public_value(const modp_key *d)
{
    uint8_t x[MAX_DH_BYTES];
    int n = d->group->numbers->exp_bytes;
    if (BN_bn2binpad(d->x, x, n) != n) /* a test vector's longer exponent */
        return power(d, d->group->g, d->pub);
    status st = comb_power(d->group->generator, x, d->pub);
    wipe(x, (size_t)n);
    return st;
}

status ossl_modp_init(void *self, const crypto *c, dh_group group, span priv)
{
    modp_key *d = self;
    const modp_group *numbers = modp_find(group);
    if (!numbers)
        return ST_UNSUPPORTED;
    d->group = group_get(numbers);
    d->pub = malloc(numbers->bytes);
    if (!d->group || !d->pub)
        return ST_NO_MEMORY;
    status st = private_exponent(d, c, priv);
    return st == ST_OK ? public_value(d) : st;
}

void ossl_modp_fini(void *self)
{
    modp_key *d = self;
    BN_clear_free(d->x);
    free(d->pub);
}

span ossl_modp_public(const void *self)
{
    const modp_key *d = self;
    return span_of(d->pub, d->group->numbers->bytes);
}

/* 1 < y < p-1, and of order q where the group has a small subgroup (RFC 6989) */
static status peer_check(const shared_group *s, const BIGNUM *y)
{
    if (BN_cmp(y, BN_value_one()) <= 0 || BN_cmp(y, s->p_minus_1) >= 0)
        return ST_INVALID;
    if (!s->q)
        return ST_OK;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *r = BN_new();
    status st = ST_NO_MEMORY;
    if (ctx && r && BN_mod_exp_mont(r, y, s->q, s->p, ctx, s->mont) == 1)
        st = BN_is_one(r) ? ST_OK : ST_INVALID;
    BN_free(r);
    BN_CTX_free(ctx);
    return st;
}

status ossl_modp_compute(void *self, span peer, secret *shared)
{
    modp_key *d = self;
    BIGNUM *y = BN_bin2bn(peer.p, (int)peer.n, NULL);
    if (!y)
        return ST_NO_MEMORY;
    secret out = {0};
    status st = peer_check(d->group, y);
    if (st == ST_OK)
        st = secret_new(&out, d->group->numbers->bytes);
    if (st == ST_OK)
        st = power(d, y, out.p);
    if (st == ST_OK)
        secret_move(shared, &out);
    secret_free(&out);
    BN_free(y);
    return st;
}
