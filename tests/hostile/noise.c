/* Noise on the line: two honest engines set up a tunnel, and one octet of one datagram is not what was sent.
 * Every octet of every message of the handshake has its turn. Retransmissions get through, so the tunnel
 * comes up late or not at all, but nobody crashes, nothing half-made stays, and the next attempt succeeds.
 */
#include "tests/hostile/hostile.h"
#include <stdio.h>
#include <stdlib.h>

enum { ATTEMPT_S = 300, ROUNDS = 64, STEP = 3 };

typedef struct line {
    target a, b;
    bool v1;
    size_t carried;   /* datagrams so far */
    size_t noisy, at; /* which one, which octet */
    uint8_t flip;
    bool hit;       /* there was such an octet */
    size_t longest; /* octets of the noisy one */
} line;

/* Carries what `from` has sent to `to`; true if there was anything. */
static bool carry(line *l, target *from, target *to)
{
    bool any = from->n_out > 0;
    while (from->n_out) {
        datagram d = from->out[0];
        memmove(&from->out[0], &from->out[1], --from->n_out * sizeof(d));
        if (l->carried++ == l->noisy) {
            l->longest = d.data.n;
            l->hit = l->at < d.data.n;
            if (l->hit)
                d.data.p[l->at] ^= l->flip;
        }
        endpoint source = {from->address, d.local.port};
        target_receive(to, &source, d.remote.port, buf_span(&d.data));
        buf_free(&d.data);
    }
    return any;
}

static void talk(line *l)
{
    bool any = true;
    target_run(&l->a);
    for (int i = 0; any && i < ROUNDS; i++) {
        any = carry(l, &l->a, &l->b);
        any = carry(l, &l->b, &l->a) || any;
    }
}

static void initiate(line *l)
{
    if (l->v1)
        pluto_initiate(l->a.pluto, "call", true, NULL);
    else
        charon_initiate(l->a.charon, "call", NULL);
}

/* As `ipsec down` on both sides: NAT detection of main mode is not authenticated, so an ISAKMP SA may believe
 * in a NAT that is not there, and no quick mode fits it. */
static void down(line *l)
{
    if (l->v1) {
        pluto_terminate(l->a.pluto, "call", NULL);
        pluto_terminate(l->b.pluto, "answer", NULL);
    } else {
        charon_terminate(l->a.charon, "call", NULL);
        charon_terminate(l->b.charon, "answer", NULL);
    }
    talk(l);
    target_pass(&l->a, REST_MS);
    target_pass(&l->b, REST_MS);
    talk(l);
}

static bool up(line *l)
{
    return target_established(&l->a) >= 1 && target_established(&l->b) >= 1 &&
           kernel_fake_sas(l->a.env.kernel) == 2 && kernel_fake_sas(l->b.env.kernel) == 2;
}

static void one_flip(line *l)
{
    char what[96];
    snprintf(what, sizeof(what), "IKEv%d, datagram %zu, octet %zu ^ 0x%02x", l->v1 ? 1 : 2, l->noisy, l->at,
             l->flip);
    start_target(&l->a, TARGET_IP, l->v1 ? conf_v1_call : conf_initiator);
    start_target(&l->b, HONEST_IP, l->v1 ? conf_v1_honest : conf_honest);
    l->carried = 0;
    l->hit = false;
    initiate(l);
    talk(l);
    for (int i = 0; i < ATTEMPT_S && !up(l); i++) {
        target_pass(&l->a, 1000);
        target_pass(&l->b, 1000);
        talk(l);
    }
    if (!up(l)) {
        down(l);
        initiate(l);
        talk(l);
        for (int i = 0; i < 10 && !up(l); i++) {
            target_pass(&l->a, 1000);
            target_pass(&l->b, 1000);
            talk(l);
        }
        check(up(l),
              "%s: the next attempt does not succeed either (%u and %u SAs, %zu and %zu in the kernel)", what,
              target_established(&l->a), target_established(&l->b), kernel_fake_sas(l->a.env.kernel),
              kernel_fake_sas(l->b.env.kernel));
    } else {
        check(true, "%s", what);
    }
    expect_no_orphans(&l->a, what);
    expect_no_orphans(&l->b, what);
    target_stop(&l->a);
    target_stop(&l->b);
}

static void every_octet(bool v1, size_t datagrams)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};
    static line l;
    for (size_t d = 0; d < datagrams; d++) {
        l = (line){.v1 = v1, .noisy = d, .flip = 1};
        l.hit = true;
        for (size_t at = 0; l.hit; at += at < 64 ? 1 : STEP) {
            l.at = at;
            l.flip = flips[at % 3];
            one_flip(&l);
        }
    }
}

void v2_noise(void)
{
    every_octet(false, 4);
}

void v1_noise(void)
{
    every_octet(true, 9);
}
