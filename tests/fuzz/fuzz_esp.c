/* What the userland ESP makes of packets. First octet: 0 a packet from the host (flow, train), 1 an ESP
 * packet from a peer that has the keys and lies inside (so the MAC is made here), 2 one without keys.
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[32] = {1, 2, 3};

static void from_host(const uint8_t *data, size_t size)
{
    static uint8_t pkt[ESP_MAX_PACKET + 1], out[ESP_SLOT];
    struct virtio_net_hdr vh;
    esp_gso g;
    esp_flow f;
    size_t l4, n, total = 0;

    if (size < sizeof vh)
        return;
    memcpy(&vh, data, sizeof vh);
    size -= sizeof vh;
    memcpy(pkt, data + sizeof vh, size);
    if (!esp_flow_parse(&f, span_of(pkt, size), &l4))
        return;
    if (l4 > size)
        abort();
    (void)esp_flow_is_fragment(span_of(pkt, size));
    if (!esp_gso_begin(&g, &vh, pkt, size))
        return;
    while ((n = esp_gso_next(&g, out + ESP_HEADROOM))) {
        total += n - g.header;
        if (n > ESP_MAX_PACKET)
            abort();
    }
    if (g.seg && total + g.header != size)
        abort();
    esp_set_ce(pkt, size);
}

static void from_peer(const uint8_t *data, size_t size, bool knows_keys)
{
    static crypto *c;
    static uint8_t slot[ESP_SLOT + ESP_MAX_PACKET];
    kernel_sa sa = {.encr = ENCR_NULL, .integ = INTEG_HMAC_SHA1_96, .integ_key = {key, 20}};
    esp_crypt x;
    esp_flow f;
    uint8_t next = 0, *p = slot + ESP_HEADROOM;
    span inner, whole = span_of(p, size);
    size_t l4;

    if (!c && crypto_load(&c, "openssl random hmac", NULL, NULL) != ST_OK)
        abort();
    if (esp_crypt_init(&x, c, &sa) != ST_OK)
        abort();
    memcpy(p, data, size);
    if (knows_keys && size > ESP_HEADER && signer_sign(x.signer, &whole, 1, p + size) == ST_OK)
        size += x.icv_n;
    if (esp_open(&x, 1, false, p, size, &next, &inner) == ST_OK) {
        if (inner.p < p || inner.p + inner.n > p + size)
            abort();
        if (esp_flow_parse(&f, inner, &l4) && l4 > inner.n)
            abort();
    }
    esp_crypt_fini(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 60000)
        return 0;
    if (data[0] == 0)
        from_host(data + 1, size - 1);
    else
        from_peer(data + 1, size - 1, data[0] == 1);
    return 0;
}
