/* What is offered and accepted without `ike=` or `esp=`: today's algorithms, then, last, what an untouched
 * peer of the 4.2 age offers, so that a gateway can move while its peers stay.
 */
#include "libfreeswan/proposal/proposal.h"

#include <stdio.h>

// clang-format off
static const char *const ikev2_ike =
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512"
        "-curve25519-ecp256-ecp384-modp3072-modp2048-modp4096,"
    "aes256-aes128-sha256-sha384-sha512-curve25519-ecp256-ecp384-modp3072-modp2048-modp4096,"
    "aes128-sha1-modp2048-modp1536";
static const char *const ikev2_esp =
    "aes256gcm16-aes128gcm16-chacha20poly1305,aes256-aes128-sha256-sha384-sha512,aes128-sha1";
static const char *const ikev1_ike =
    "aes256-aes128-sha256-sha512-curve25519-ecp256-modp3072-modp2048,aes128-sha1-modp2048-modp1536";
static const char *const ikev1_esp =
    "aes256gcm16-aes128gcm16,aes256-aes128-sha256-sha512,aes128-sha1";
static const char *const any_ah = "sha256-sha384-sha512,sha1";
// clang-format on

void proposals_default(proposals *out, ipsec_proto proto, bool ikev1, const crypto *c)
{
    const char *text = any_ah;
    if (proto == PROTO_IKE)
        text = ikev1 ? ikev1_ike : ikev2_ike;
    else if (proto == PROTO_ESP)
        text = ikev1 ? ikev1_esp : ikev2_esp;
    /* Our own constants: a failure would be a mistake here, and the unit test would see the empty list. */
    if (proposals_from_text(out, text, proto, ikev1, NULL) != ST_OK)
        *out = (proposals){0};
    if (c)
        proposals_keep_supported(out, c, NULL);
}

/* ESP and AH belong to the kernel, which is asked elsewhere; of theirs only the group is ours. */
static bool supported(const proposal *p, const transform *t, const crypto *c)
{
    if (t->type == TRANSFORM_ESN || !t->id || (p->proto != PROTO_IKE && t->type != TRANSFORM_DH))
        return true;
    return crypto_has(c, t->type, t->id, 0);
}

void proposals_keep_supported(proposals *p, const crypto *c, msgbuf *msg)
{
    uint8_t n = 0;
    msg_clear(msg);
    for (uint8_t i = 0; i < p->n; i++) {
        proposal was = p->p[i], now = was;
        bool usable = true;
        now.n = 0;
        for (uint8_t k = 0; k < was.n; k++) {
            const transform *t = &was.t[k];
            char tmp[ENUM_TEXT_SIZE];
            if (supported(&was, t, c))
                now.t[now.n++] = *t;
            else
                msg_add(msg, "%s%s", msg && msg->text[0] ? " " : "",
                        transform_names(t->type) ? enum_name(transform_names(t->type), t->id, tmp) : "?");
        }
        for (uint8_t k = 0; k < was.n; k++)
            usable &= proposal_get(&now, was.t[k].type) != NULL;
        if (usable) {
            now.number = (uint8_t)(n + 1);
            p->p[n++] = now;
        }
    }
    p->n = n;
}
