/* Our IKEv1 initiator, and somebody on the way who answers before the honest peer does, at each step of main
 * and quick mode: what comes in clear may cost time, no more.   hazards.md class 4
 */
#include "tests/hostile/hostile.h"
#include <stdlib.h>

typedef struct forgery {
    const char *what;
    uint8_t exchange, flags, payload;
    const char *p;
    size_t n;
} forgery;

static const forgery forgeries[] = {
#define B(what, exchange, flags, type, s)                                                                    \
    {                                                                                                        \
        what, exchange, flags, type, s, sizeof(s) - 1                                                        \
    }
    B("NO_PROPOSAL_CHOSEN", ISAKMP_XCHG_INFO, 0, PLV1_N, "\0\0\0\1\1\0\0\16"),
    B("AUTHENTICATION_FAILED", ISAKMP_XCHG_INFO, 0, PLV1_N, "\0\0\0\1\1\0\0\30"),
    B("INVALID_COOKIE", ISAKMP_XCHG_INFO, 0, PLV1_N, "\0\0\0\1\1\0\0\4"),
    B("PAYLOAD_MALFORMED", ISAKMP_XCHG_INFO, 0, PLV1_N, "\0\0\0\1\1\0\0\20"),
    B("INITIAL_CONTACT", ISAKMP_XCHG_INFO, 0, PLV1_N, "\0\0\0\1\1\0\140\2"),
    B("R_U_THERE", ISAKMP_XCHG_INFO, 0, PLV1_N,
      "\0\0\0\1\1\20\215\50"
      "0123456789abcdef\0\0\0\1"),
    B("Delete", ISAKMP_XCHG_INFO, 0, PLV1_D,
      "\0\0\0\1\1\20\0\1"
      "0123456789abcdef"),
    B("Delete that says it is encrypted", ISAKMP_XCHG_INFO, IKEV1_FLAG_ENCRYPTION, PLV1_D,
      "\0\0\0\1\1\20\0\1"
      "0123456789abcdef"),
    B("main mode message without payloads", ISAKMP_XCHG_IDPROT, 0, 0, ""),
    B("SA without proposals", ISAKMP_XCHG_IDPROT, 0, PLV1_SA, "\0\0\0\1\0\0\0\1"),
    B("SA of nonsense", ISAKMP_XCHG_IDPROT, 0, PLV1_SA, "\0\0\0\1\0\0\0\1\0\0\0\20\0\1\0\1\0\0\0\10\0\1\0\0"),
    B("KE of nonsense", ISAKMP_XCHG_IDPROT, 0, PLV1_KE, "xyz"),
    B("encrypted nonsense", ISAKMP_XCHG_IDPROT, IKEV1_FLAG_ENCRYPTION, PLV1_ID, "0123456789ab"),
    B("quick mode in clear", ISAKMP_XCHG_QUICK, 0, PLV1_SA, "\0\0\0\1\0\0\0\1"),
    B("quick mode of noise", ISAKMP_XCHG_QUICK, IKEV1_FLAG_ENCRYPTION, PLV1_HASH, "0123456789ab"),
    B("Mode Config of noise", ISAKMP_XCHG_MODE_CFG, IKEV1_FLAG_ENCRYPTION, PLV1_HASH, "0123456789ab"),
    B("aggressive mode", ISAKMP_XCHG_AGGR, 0, PLV1_SA, "\0\0\0\1\0\0\0\1"),
    B("fragment", ISAKMP_XCHG_IDPROT, 0, PLV1_FRAGMENT, "\0\1\1\1x"),
#undef B
};

/* As an answer to the datagram that was seen; its message id too when that is right for the exchange. */
static void forge(target *t, const ikev1_header *seen, const endpoint *from, const forgery *f, bool with_mid)
{
    ikev1_header h = *seen;
    ikev1_builder b = {0};
    buf out = {0};
    h.exchange = f->exchange;
    h.flags = f->flags;
    h.mid = with_mid ? seen->mid : f->exchange == ISAKMP_XCHG_IDPROT ? 0 : 0x5eed;
    if (f->payload)
        ikev1_add_raw(&b, f->payload, span_of(f->p, f->n));
    if (ikev1_emit(&h, &b, 0, &out) == ST_OK)
        target_receive(t, from, 500, buf_span(&out));
    ikev1_builder_free(&b);
    buf_free(&out);
}

static bool is_up(target *t)
{
    return target_established(t) >= 1 && kernel_fake_sas(t->env.kernel) == 2;
}

/* One datagram from each to the other at most. */
static void step(target *from, target *to)
{
    if (!from->n_out)
        return;
    datagram d = from->out[0];
    memmove(&from->out[0], &from->out[1], --from->n_out * sizeof(d));
    endpoint source = {from->address, d.local.port};
    target_receive(to, &source, d.remote.port, buf_span(&d.data));
    buf_free(&d.data);
}

/* The forgery is sent when the target has sent its message number `when`. */
static void race(const forgery *f, unsigned when, bool with_mid)
{
    target t, honest;
    start_target(&t, TARGET_IP, conf_v1_call);
    start_target(&honest, HONEST_IP, conf_v1_honest);
    endpoint peer = {honest.address, 500};
    pluto_initiate(t.pluto, "call", true, NULL);
    target_run(&t);
    for (unsigned i = 0; i < when; i++) {
        step(&t, &honest);
        step(&honest, &t);
    }
    ikev1_header seen;
    const datagram *d = target_last(&t, &peer);
    if (d && ikev1_parse_header(&seen, buf_span(&d->data), NULL) == ST_OK)
        for (int i = 0; i < 3; i++)
            forge(&t, &seen, &peer, f, with_mid);
    pump(&t, &honest);
    for (int i = 0; i < 60 && !(is_up(&t) && is_up(&honest)); i++) {
        target_pass(&t, 1000);
        target_pass(&honest, 1000);
        pump(&t, &honest);
    }
    check(is_up(&t) && is_up(&honest), "forged %s after message %u stops the initiator (%u and %u SAs)",
          f->what, when + 1, target_established(&t), target_established(&honest));
    expect_no_orphans(&t, f->what);
    target_stop(&t);
    target_stop(&honest);
}

void v1_initiator(void)
{
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++)
        for (unsigned when = 0; when < 4; when++) {
            race(&forgeries[i], when, false);
            race(&forgeries[i], when, true);
        }
}
