/* An IKEv2 initiator that does what it likes: its own small Diffie-Hellman, key derivation and AUTH, so that
 * it can send any message under the right keys, at any moment.
 */
#pragma once
#include "libfreeswan/wire/ikev2_payloads.h"
#include "libstrongswan/crypto/crypto.h"
#include "tests/hostile/target.h"

typedef struct v2peer {
    endpoint at;
    uint16_t to_port;
    uint64_t spi_i, spi_r;
    dh *dh;
    dh_group group;
    uint8_t ni[32];
    span nr;
    buf init_request, init_response;
    ikev2_cipher out, in;
    secret sk_pi;
    bool keys;
} v2peer;

enum { V2_PAYLOADS = 3 }; /* of IKE_SA_INIT: SA, KE, No */

void v2_start(v2peer *p, const char *address, uint64_t spi_i);
void v2_free(v2peer *p);
/* The payloads of a good IKE_SA_INIT request, in order; each may be added alone. */
void v2_add_init(v2peer *p, ikev2_builder *b, unsigned which);
status v2_init_request(v2peer *p, const ikev2_builder *b, buf *out) MUST_CHECK;
/* Runs IKE_SA_INIT with the target and derives keys; follows a cookie. */
bool v2_handshake(v2peer *p, target *t);
/* The payloads of a good IKE_AUTH request: IDi, AUTH, SA, TSi, TSr. */
enum { V2_AUTH_IDI, V2_AUTH_AUTH, V2_AUTH_SA, V2_AUTH_TSI, V2_AUTH_TSR, V2_AUTH_PAYLOADS };
void v2_add_auth(v2peer *p, ikev2_builder *b, unsigned which, const char *psk);
/* Any message under our keys. flags as on the wire. */
status v2_seal(v2peer *p, uint8_t exchange, uint8_t flags, uint32_t mid, const ikev2_builder *b,
               buf *out) MUST_CHECK;
void v2_send(v2peer *p, target *t, uint8_t exchange, uint8_t flags, uint32_t mid, const ikev2_builder *b);
/* IKE_SA_INIT and IKE_AUTH: true if the target has an established IKE_SA with us then. */
bool v2_establish(v2peer *p, target *t, const char *psk);
/* Reads the target's last answer to us into m (memory in mem): decrypted if it is encrypted. false: none, or
 * not for us. */
bool v2_answer(v2peer *p, target *t, ikev2_msg *m, arena *mem);
