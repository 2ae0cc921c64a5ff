/* An IKEv1 initiator that does what it likes: main mode with a pre-shared key, any message under the keys. */
#pragma once
#include "libfreeswan/wire/ikev1_payloads.h"
#include "libstrongswan/crypto/crypto.h"
#include "tests/hostile/target.h"

typedef struct v1peer {
    endpoint at;
    uint16_t to_port;
    uint8_t ci[8], cr[8];
    dh_group group;
    dh *dh;
    uint8_t ni[16];
    buf nr, gr, sa_body;
    secret skeyid, skeyid_a;
    crypter *x;
    uint8_t iv[16]; /* of phase 1; at its end, the start of phase 2's */
} v1peer;

void v1_start(v1peer *p, const char *address, uint32_t cookie);
void v1_free(v1peer *p);
void v1_add_sa(v1peer *p, ikev1_builder *b); /* a good proposal */
/* A clear message with our cookies. */
void v1_send_clear(v1peer *p, target *t, uint8_t exchange, uint8_t flags, uint32_t mid,
                   const ikev1_builder *b);
/* Encrypted from iv, which moves on. */
void v1_send_sealed(v1peer *p, target *t, uint8_t exchange, uint8_t flags, uint32_t mid,
                    const ikev1_builder *b, uint8_t iv[16]);
/* A message of phase 2: HASH(1) is put before the payloads of b. spoil: one bit of the hash is wrong. */
void v1_send_hashed(v1peer *p, target *t, uint8_t exchange, uint32_t mid, const ikev1_builder *b, bool spoil);
/* The three round trips; each false if the target does not answer as it should. */
bool v1_main1(v1peer *p, target *t);
bool v1_main2(v1peer *p, target *t);
bool v1_main3(v1peer *p, target *t);
bool v1_establish(v1peer *p, target *t);
/* The payloads of a good message 5: ID and HASH. */
void v1_add_id(ikev1_builder *b);
void v1_add_hash(v1peer *p, ikev1_builder *b);
