/* 50,000 IKE_SA_INIT requests from addresses that do not exist, and an honest peer who gets through all the
 * same. hazards.md class 14 */
#include "tests/hostile/hostile.h"
#include <malloc.h>

enum { SPOOFED = 50000, HALF_OPEN_MAX = 64, MEMORY_MAX = 8 << 20 };

static size_t memory_in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void flood(target *t, unsigned from, unsigned n)
{
    ikev2_builder b = {0};
    buf out = {0};
    v2peer p;
    v2_start(&p, "203.0.113.1", 1);
    for (unsigned i = 0; i < V2_PAYLOADS; i++)
        v2_add_init(&p, &b, i);
    for (unsigned i = from; i < from + n; i++) {
        p.spi_i = i + 1;
        p.at.ip.b[1] = (uint8_t)(i >> 16);
        p.at.ip.b[2] = (uint8_t)(i >> 8);
        p.at.ip.b[3] = (uint8_t)i;
        if (v2_init_request(&p, &b, &out) == ST_OK)
            target_receive(t, &p.at, 500, buf_span(&out));
        target_forget(t);
        if (i % 100 == 0)
            target_pass(t, 1);
    }
    buf_free(&out);
    ikev2_builder_free(&b);
    v2_free(&p);
}

/* One address with many SPIs, which answers every cookie. */
static void one_greedy_peer(void)
{
    static target t;
    start_target(&t, TARGET_IP, conf_responder);
    for (uint64_t i = 0; i < 100; i++) {
        v2peer p;
        v2_start(&p, ATTACKER_IP, 0xd000 + i);
        (void)v2_handshake(&p, &t);
        v2_free(&p);
    }
    check(target_ike_sas(&t) <= 6, "%u half-open IKE_SAs of one peer", target_ike_sas(&t));
    expect_rest(&t, "a greedy peer");
    target_stop(&t);
}

void v2_flood(void)
{
    one_greedy_peer();
    static target t;
    charon_stats s;
    v2peer honest;
    start_target(&t, TARGET_IP, conf_responder);
    size_t before = memory_in_use();
    flood(&t, 0, SPOOFED / 2);
    charon_get_stats(t.charon, &s);
    check(target_ike_sas(&t) <= HALF_OPEN_MAX, "a flood makes %u IKE_SAs", target_ike_sas(&t));
    check(s.cookies_sent > SPOOFED / 2 - 100, "only %llu cookies are asked for",
          (unsigned long long)s.cookies_sent);
    size_t after = memory_in_use();
    check(after < before + MEMORY_MAX, "a flood costs %zu octets of memory", after - before);
    v2_start(&honest, ATTACKER_IP, 0xc001);
    check(v2_establish(&honest, &t, HOSTILE_PSK), "an honest peer does not get through");
    v2_free(&honest);
    flood(&t, SPOOFED / 2, SPOOFED / 2);
    check(target_established(&t) == 1, "a flood ends what is established");
    target_pass(&t, 60 * 1000);
    check(target_ike_sas(&t) == 1, "%u IKE_SAs are left of a flood", target_ike_sas(&t));
    v2_start(&honest, "198.51.100.8", 0xc002);
    check(v2_establish(&honest, &t, HOSTILE_PSK), "after a flood a peer does not get in");
    v2_free(&honest);
    check(memory_in_use() < before + MEMORY_MAX, "memory of a flood is not given back");
    target_stop(&t);
}
