/* The fips-prf plugin: the generator of FIPS 186-2 with change notice 1 (G from SHA-1, b = 160), from which
 * EAP-SIM and EAP-AKA make their keys. The key is XKEY; what is computed over is XSEED (nothing: 0). Every
 * call gives the next 40 octets and moves XKEY on, so four calls give the 160 octets RFC 4186 wants.
 */
#include "libstrongswan/crypto/plugin.h"
#include "libstrongswan/plugins/sha1/sha1.h"

typedef struct fips {
    uint8_t xkey[20];
} fips;

static status fips_init(void *self, const crypto *c, prf_alg alg, span key)
{
    if (key.n != 20)
        return ST_INVALID;
    memcpy(((fips *)self)->xkey, key.p, 20);
    return ST_OK;
}

/* a += b + carry, modulo 2^160 */
static void add160(uint8_t a[20], const uint8_t b[20], unsigned carry)
{
    for (size_t i = 20; i-- > 0;) {
        carry += a[i] + b[i];
        a[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static status fips_compute(void *self, const span *parts, size_t n, uint8_t *out)
{
    fips *f = self;
    uint8_t seed[20] = {0}, block[64] = {0};
    uint32_t h[5];
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n > sizeof seed - total)
            return ST_INVALID;
        if (parts[i].n)
            memcpy(seed + total, parts[i].p, parts[i].n);
        total += parts[i].n;
    }
    if (total && total != sizeof seed)
        return ST_INVALID;
    for (size_t j = 0; j < 2; j++) {
        uint8_t *w = out + 20 * j;
        memcpy(block, f->xkey, 20); /* XVAL = (XKEY + XSEED) mod 2^b */
        add160(block, seed, 0);
        memcpy(h, sha1_initial, sizeof h);
        sha1_compress(h, block); /* w = G(t, XVAL) */
        for (size_t i = 0; i < 5; i++)
            set_u32(w + 4 * i, h[i]);
        add160(f->xkey, w, 1); /* XKEY = (1 + XKEY + w) mod 2^b */
    }
    wipe(block, sizeof block);
    wipe(h, sizeof h);
    return ST_OK;
}

static const prf_ops prfs[] = {{PRF_FIPS_SHA1_160, 0, sizeof(fips), fips_init, NULL, fips_compute}};

const plugin_desc fips_prf_plugin = {.abi = PLUGIN_ABI, .name = "fips-prf", .prfs = OPS_ROWS(prfs)};
