/* Key material of an IKE_SA and of its CHILD_SAs.   RFC 7296 2.14, 2.15, 2.17, 2.18
 *
 * Belongs to its IKE_SA (one thread at a time). Zero-initialised is a valid empty one.
 */
#pragma once
#include "libfreeswan/env/keylog.h"
#include "libfreeswan/proposal/proposal.h"
#include "libfreeswan/wire/ikev2_payloads.h"
#include "libstrongswan/base/secret.h"

typedef struct keymat {
    const crypto *crypto;
    prf_alg prf;
    secret sk_d, sk_pi, sk_pr;
    ikev2_cipher in, out; /* objects owned here */
    bool ready;
} keymat;

typedef struct keymat_input {
    const proposal *prop;
    bool initiator;
    span shared, ni, nr;
    uint64_t spi_i, spi_r;
    const keymat *old; /* the IKE_SA that is rekeyed; NULL for a first one */
    keylog *save;      /* NULL: none */
} keymat_input;
status keymat_derive(keymat *km, const crypto *c, const keymat_input *in) MUST_CHECK;
void keymat_free(keymat *km);

/* Keys of a CHILD_SA by direction of the exchange: initiator to responder, responder to initiator. */
typedef struct child_keys {
    secret encr_i, integ_i, encr_r, integ_r;
} child_keys;
/* shared is empty without PFS. */
status keymat_child(const keymat *km, const proposal *prop, span shared, span ni, span nr,
                    child_keys *out) MUST_CHECK;
void child_keys_free(child_keys *k);

/* What AUTH signs: message | nonce of the peer | prf(SK_p, ID payload body). `initiator`: whose AUTH it is.
 */
status keymat_auth_octets(const keymat *km, bool initiator, span message, span nonce, span id_body,
                          buf *out) MUST_CHECK;
/* prf(prf(psk, "Key Pad for IKEv2"), octets); out has MAX_HASH_BYTES */
status keymat_psk_auth(const keymat *km, span psk, span octets, uint8_t *out, size_t *n) MUST_CHECK;
