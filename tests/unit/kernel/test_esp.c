/* The parts of the userland ESP that need no device: replay window, sealing and opening, checksums, trains,
 * flows. */
#include "kernel_test.h"
#include "libfreeswan/kernel/esp_priv.h"
#include <stdlib.h>

/* ---- replay ---- */
static void window_slides(void **state)
{
    esp_replay r;

    esp_replay_init(&r, 64, false);
    assert_false(esp_replay_fresh(&r, 0));
    assert_true(esp_replay_fresh(&r, 1));
    esp_replay_seen(&r, 1);
    assert_false(esp_replay_fresh(&r, 1));
    esp_replay_seen(&r, 100);
    assert_true(esp_replay_fresh(&r, 37));
    assert_false(esp_replay_fresh(&r, 36)); /* fell out */
    esp_replay_seen(&r, 37);
    assert_false(esp_replay_fresh(&r, 37));
    assert_true(esp_replay_fresh(&r, 99));
    /* far ahead and round the bitmap: nothing old shines through */
    esp_replay_seen(&r, 100 + 3 * ESP_REPLAY_MAX);
    assert_true(esp_replay_fresh(&r, 100 + 3 * ESP_REPLAY_MAX - 63));
    assert_false(esp_replay_fresh(&r, 100 + 3 * ESP_REPLAY_MAX));
    esp_replay_init(&r, 0, false);
    esp_replay_seen(&r, 9);
    assert_true(esp_replay_fresh(&r, 9)); /* off */
}

static void every_number_once_in_any_order(void **state)
{
    esp_replay r;
    enum { N = 20000, WINDOW = 128 };
    static unsigned char seen[N + WINDOW];

    memset(seen, 0, sizeof seen);
    esp_replay_init(&r, WINDOW, false);
    srand(7);
    for (uint64_t base = 1; base < N; base++) {
        uint64_t seq = base + (uint64_t)(rand() % WINDOW);
        bool fresh = esp_replay_fresh(&r, seq);
        bool expect = !seen[seq] && (seq > r.top || r.top - seq < WINDOW);
        assert_int_equal(fresh, expect);
        if (fresh) {
            esp_replay_seen(&r, seq);
            seen[seq] = 1;
        }
    }
}

static void extended_numbers(void **state)
{
    esp_replay r;

    esp_replay_init(&r, 64, true);
    assert_int_equal(esp_replay_number(&r, 5), 5);
    assert_int_equal(esp_replay_number(&r, 0xffffffff), 0); /* before the very first */
    r.top = 0xfffffff0;
    assert_true(esp_replay_number(&r, 0xffffffff) == 0xffffffff);
    assert_true(esp_replay_number(&r, 3) == 0x100000003); /* wrapped */
    r.top = 0x100000005;
    assert_true(esp_replay_number(&r, 0xfffffffe) == 0xfffffffe); /* late, from before the wrap */
    assert_true(esp_replay_number(&r, 6) == 0x100000006);
    r.top = 0x2ffffffff;
    assert_true(esp_replay_number(&r, 0) == 0x300000000);
    esp_replay_init(&r, 64, false);
    r.top = 0xfffffff0;
    assert_true(esp_replay_number(&r, 3) == 3);
}

/* ---- sealing ---- */
static const struct {
    encr_alg encr;
    size_t encr_key;
    integ_alg integ;
} suites[] = {
    {ENCR_AES_GCM_16, 20, INTEG_NONE},
    {ENCR_AES_GCM_12, 28, INTEG_NONE},
    {ENCR_AES_GCM_8, 36, INTEG_NONE},
    {ENCR_AES_CCM_16, 19, INTEG_NONE},
    {ENCR_AES_CCM_12, 27, INTEG_NONE},
    {ENCR_AES_CCM_8, 35, INTEG_NONE},
    {ENCR_CHACHA20_POLY1305, 36, INTEG_NONE},
    {ENCR_NULL_AES_GMAC, 20, INTEG_NONE},
    {ENCR_AES_CBC, 16, INTEG_HMAC_SHA1_96},
    {ENCR_AES_CBC, 32, INTEG_HMAC_SHA2_256_128},
    {ENCR_AES_CBC, 24, INTEG_HMAC_SHA2_512_256},
    {ENCR_AES_CTR, 20, INTEG_HMAC_SHA2_384_192},
    {ENCR_3DES, 24, INTEG_HMAC_MD5_96},
    {ENCR_NULL, 0, INTEG_HMAC_SHA2_256_96},
    {ENCR_AES_CBC, 16, INTEG_AES_XCBC_96},
    {ENCR_AES_CBC, 16, INTEG_AES_CMAC_96},
    {ENCR_CAMELLIA_CBC, 16, INTEG_HMAC_SHA1_96},
};
static const uint8_t test_key[72] = {7, 1, 9, 4, 200, 13, 5, 77};

static crypto *load_crypto(void)
{
    crypto *c;

    assert_int_equal(crypto_load(&c, NULL, NULL, NULL), ST_OK);
    return c;
}

static void open_what_was_sealed(const crypto *c, size_t i, size_t n, bool esn)
{
    uint64_t seq = esn ? 0x100000007 : 7;
    kernel_sa sa = {.encr = suites[i].encr, .integ = suites[i].integ};
    esp_crypt x, y;
    uint8_t slot[2048], copy[2048], next;
    span sealed, inner;

    sa.encr_key = span_of(test_key, suites[i].encr_key);
    sa.integ_key = span_of(test_key, integ_key_bytes(sa.integ));
    assert_int_equal(esp_crypt_init(&x, c, &sa), ST_OK);
    assert_int_equal(esp_crypt_init(&y, c, &sa), ST_OK);
    memset(slot, 0xee, sizeof slot);
    for (size_t k = 0; k < n; k++)
        slot[ESP_HEADROOM + k] = (uint8_t)k;
    assert_int_equal(esp_seal(&x, 0xc1234567, seq, esn, 4, slot + ESP_HEADROOM, n, &sealed), ST_OK);
    assert_true(sealed.p >= slot && sealed.p + sealed.n <= slot + ESP_HEADROOM + n + ESP_TAILROOM + 64);
    assert_int_equal(get_u32(sealed.p), 0xc1234567);
    assert_int_equal((sealed.n - x.icv_n - x.iv_n - 8) % x.block, 0);
    /* what is written stays within the room there is */
    assert_int_equal(slot[ESP_HEADROOM + n + ESP_TAILROOM + 64], 0xee);
    /* any changed octet shows, also the number's half that does not travel */
    for (size_t at = 4; at < sealed.n; at += sealed.n / 7 + 1) {
        memcpy(copy, sealed.p, sealed.n);
        copy[at] ^= 1;
        uint64_t carried = esn ? (seq & ~(uint64_t)0xffffffff) | get_u32(copy + 4) : get_u32(copy + 4);
        assert_int_equal(esp_open(&y, carried, esn, copy, sealed.n, &next, &inner), ST_CRYPTO);
    }
    memcpy(copy, sealed.p, sealed.n);
    if (esn)
        assert_int_equal(esp_open(&y, seq + 0x100000000, esn, copy, sealed.n, &next, &inner), ST_CRYPTO);
    for (size_t cut = 1; cut < sealed.n; cut += 5) {
        memcpy(copy, sealed.p, sealed.n);
        assert_int_not_equal(esp_open(&y, seq, esn, copy, sealed.n - cut, &next, &inner), ST_OK);
    }
    memcpy(copy, sealed.p, sealed.n);
    assert_int_equal(esp_open(&y, seq, esn, copy, sealed.n, &next, &inner), ST_OK);
    assert_int_equal(next, 4);
    assert_int_equal(inner.n, n);
    for (size_t k = 0; k < n; k++)
        assert_int_equal(inner.p[k], (uint8_t)k);
    esp_crypt_fini(&x);
    esp_crypt_fini(&y);
}

static void all_suites(void **state)
{
    crypto *c = load_crypto();

    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        for (size_t n = 0; n < 40; n++)
            open_what_was_sealed(c, i, n, n % 2);
        open_what_was_sealed(c, i, 1400, true);
    }
    crypto_free(c);
}

static void bare_encryption_is_refused(void **state)
{
    crypto *c = load_crypto();
    kernel_sa sa = {.encr = ENCR_AES_CBC, .encr_key = {test_key, 16}};
    esp_crypt x;

    assert_int_equal(esp_crypt_init(&x, c, &sa), ST_UNSUPPORTED);
    sa.encr_key.n = 15;
    assert_int_not_equal(esp_crypt_init(&x, c, &sa), ST_OK);
    crypto_free(c);
}

/* ---- packets ---- */
static size_t make_tcp4(uint8_t *p, size_t payload)
{
    size_t n = 40 + payload;

    memset(p, 0, 40);
    p[0] = 0x45;
    set_u16(p + 2, (uint16_t)n);
    set_u16(p + 4, 1000);
    p[6] = 0x40;
    p[8] = 64;
    p[9] = 6;
    memcpy(p + 12, (uint8_t[]){10, 1, 0, 1, 10, 2, 0, 1}, 8);
    esp_ip4_checksum(p);
    set_u16(p + 20, 1234);
    set_u16(p + 22, 80);
    set_u32(p + 24, 0xfffffff0); /* wraps within the train */
    p[32] = 0x50;
    p[33] = 0x18;
    for (size_t i = 0; i < payload; i++)
        p[40 + i] = (uint8_t)(i * 7 + i / 256);
    return n;
}

static bool tcp_checksum_ok(const uint8_t *p, size_t n, size_t l4)
{
    return esp_checksum(p + l4, n - l4, esp_pseudo_sum(span_of(p, n), l4, 6)) == 0;
}

static void checksum_of_rfc1071(void **state)
{
    static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    uint16_t sum = esp_checksum(data, sizeof data, 0);
    uint8_t b[2];

    memcpy(b, &sum, 2);
    assert_int_equal(b[0] << 8 | b[1], 0xffff & ~0xddf2);
    for (size_t n = 1; n < 8; n++) { /* odd ends are padded with zero */
        uint8_t padded[8] = {0};
        memcpy(padded, data, n);
        assert_int_equal(esp_checksum(data, n, 0), esp_checksum(padded, (n + 1) / 2 * 2, 0));
    }
}

static void trains_are_cut(void **state)
{
    static uint8_t train[70000], out[2000];
    size_t n = make_tcp4(train, 10000), total = 0, k, packets = 0;
    struct virtio_net_hdr vh = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                .hdr_len = 40,
                                .gso_size = 1348,
                                .csum_start = 20,
                                .csum_offset = 16};
    esp_gso g;

    assert_true(esp_gso_begin(&g, &vh, train, n));
    while ((k = esp_gso_next(&g, out))) {
        assert_int_equal(get_u16(out + 2), k);
        assert_int_equal(get_u16(out + 4), 1000 + packets);
        assert_int_equal(esp_checksum(out, 20, 0), 0);
        assert_true(tcp_checksum_ok(out, k, 20));
        assert_true(get_u32(out + 24) == (uint32_t)(0xfffffff0 + total));
        assert_memory_equal(out + 40, train + 40 + total, k - 40);
        total += k - 40;
        packets++;
        assert_int_equal(out[33], total == 10000 ? 0x18 : 0x10); /* PSH only on the last one */
    }
    assert_int_equal(total, 10000);
    assert_int_equal(packets, 8);
    /* lies about lengths */
    vh.csum_start = 60000;
    assert_false(esp_gso_begin(&g, &vh, train, n));
    vh.csum_start = 20;
    vh.gso_size = 0;
    assert_false(esp_gso_begin(&g, &vh, train, n));
    vh = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = 60000};
    assert_false(esp_gso_begin(&g, &vh, train, n));
}

static void flows(void **state)
{
    uint8_t p[200];
    size_t n = make_tcp4(p, 20), l4;
    esp_flow f;

    assert_true(esp_flow_parse(&f, span_of(p, n), &l4));
    assert_int_equal(l4, 20);
    assert_int_equal(f.sport, 1234);
    assert_int_equal(f.dport, 80);
    assert_true(f.has_ports);
    traffic_sel web = ts_port("10.2.0.0/16", 6, 80), other = ts_port("10.2.0.0/16", 6, 81),
                any = ts("10.2.0.0/16");
    assert_true(esp_ts_matches(&web, f.dst, &f, false));
    assert_false(esp_ts_matches(&other, f.dst, &f, false));
    assert_true(esp_ts_matches(&any, f.dst, &f, false));
    assert_false(esp_ts_matches(&any, f.src, &f, true));
    for (size_t cut = 0; cut < n; cut++) /* lengths that lie */
        assert_false(esp_flow_parse(&f, span_of(p, cut), &l4));
    set_u16(p + 6, 0x0010); /* later fragment: no ports to be seen */
    assert_true(esp_flow_parse(&f, span_of(p, n), &l4));
    assert_false(f.has_ports);
    assert_false(esp_ts_matches(&web, f.dst, &f, false));
    assert_true(esp_ts_matches(&any, f.dst, &f, false));
    /* IPv6 with a destination options header before UDP */
    uint8_t v6[60] = {0x60, 0, 0, 0, 0, 16, 60, 64};
    v6[40] = 17;
    set_u16(v6 + 48, 500);
    set_u16(v6 + 50, 4500);
    assert_true(esp_flow_parse(&f, span_of(v6, 56), &l4));
    assert_int_equal(l4, 48);
    assert_int_equal(f.proto, 17);
    assert_int_equal(f.dport, 4500);
    v6[41] = 200; /* longer than the packet */
    assert_false(esp_flow_parse(&f, span_of(v6, 56), &l4));
}

/* Cuts a packet at `mtu`, feeds the pieces in the order given by step, expects the packet back. */
static void cut_and_join(esp_frags *t, const uint8_t *pkt, size_t n, size_t mtu, size_t step, uint16_t id)
{
    size_t payload = n - 20, part = (mtu - 20) / 8 * 8, pieces = (payload + part - 1) / part;
    uint8_t piece[2000], *owned = NULL;
    span whole = SPAN_NULL;

    for (size_t i = 0; i < pieces; i++) {
        size_t k = i * step % pieces, at = k * part, len = payload - at < part ? payload - at : part;

        assert_int_equal(whole.n, 0);
        memcpy(piece, pkt, 20);
        memcpy(piece + 20, pkt + 20 + at, len);
        set_u16(piece + 2, (uint16_t)(20 + len));
        set_u16(piece + 4, id);
        set_u16(piece + 6, (uint16_t)(at / 8 | (k + 1 < pieces ? 0x2000 : 0)));
        esp_ip4_checksum(piece);
        whole = esp_frags_add(t, span_of(piece, 20 + len), 1000, &owned);
    }
    assert_int_equal(whole.n, n);
    assert_memory_equal(whole.p + 20, pkt + 20, n - 20);
    assert_int_equal(get_u16(whole.p + 6), 0);
    assert_int_equal(get_u16(whole.p + 2), n);
    assert_int_equal(esp_checksum(whole.p, 20, 0), 0);
    free(owned);
}

static void fragments_are_joined(void **state)
{
    static uint8_t pkt[20000];
    size_t n = make_tcp4(pkt, 17001);
    uint8_t *owned = NULL;
    esp_frags *t;

    assert_int_equal(esp_frags_new(&t), ST_OK);
    cut_and_join(t, pkt, n, 1400, 1, 1);
    cut_and_join(t, pkt, n, 1400, 5, 2); /* out of order: 13 pieces */
    cut_and_join(t, pkt, n, 600, 7, 3);
    /* more unfinished ones than there is room for: the oldest goes */
    uint8_t first[64];
    memcpy(first, pkt, 44);
    set_u16(first + 2, 44);
    set_u16(first + 6, 0x2000);
    for (uint16_t id = 10; id < 200; id++) {
        set_u16(first + 4, id);
        assert_int_equal(esp_frags_add(t, span_of(first, 44), 2000, &owned).n, 0);
    }
    cut_and_join(t, pkt, n, 1400, 1, 500);
    /* overlapping: all of it is forgotten */
    set_u16(first + 4, 300);
    assert_int_equal(esp_frags_add(t, span_of(first, 44), 3000, &owned).n, 0);
    assert_int_equal(esp_frags_add(t, span_of(first, 44), 3000, &owned).n, 0);
    set_u16(first + 6, 3); /* the last one, behind the 24 octets */
    assert_int_equal(esp_frags_add(t, span_of(first, 44), 3000, &owned).n, 0);
    /* beyond 64 KiB */
    set_u16(first + 6, 0x1fff);
    assert_int_equal(esp_frags_add(t, span_of(first, 44), 3000, &owned).n, 0);
    assert_null(owned);
    esp_frags_free(t);
}

static void congestion_mark(void **state)
{
    uint8_t p[100];
    size_t n = make_tcp4(p, 0);

    esp_set_ce(p, n);
    assert_int_equal(p[1], 0); /* not capable: stays */
    p[1] = 0x2e << 2 | 1;
    esp_ip4_checksum(p);
    esp_set_ce(p, n);
    assert_int_equal(p[1], 0x2e << 2 | 3);
    assert_int_equal(esp_checksum(p, 20, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_slides),
        cmocka_unit_test(every_number_once_in_any_order),
        cmocka_unit_test(extended_numbers),
        cmocka_unit_test(all_suites),
        cmocka_unit_test(bare_encryption_is_refused),
        cmocka_unit_test(checksum_of_rfc1071),
        cmocka_unit_test(trains_are_cut),
        cmocka_unit_test(flows),
        cmocka_unit_test(congestion_mark),
        cmocka_unit_test(fragments_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
