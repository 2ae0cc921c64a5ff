/* Proposals of IKEv1: our lists to SA payloads, the peer's SA payloads to what we choose.   RFC 2407 4.4-4.6,
 * RFC 2409 11
 */
#pragma once
#include "pluto/sa/sa.h"

/* ---- phase 1 ---- */
typedef struct oakley_choice {
    encr_alg encr;
    uint16_t key_bits; /* real bits, also of ciphers that send none */
    hash_alg hash;
    dh_group group;
    uint16_t auth; /* as on the wire */
    int64_t life_s;
    const ikev1_proposal *prop; /* into the message */
    const ikev1_transform *trans;
} oakley_choice;
/* The SA payload of message 1 for a conn we initiate with. */
status spdb_add_oakley(ikev1_builder *b, const pconn *c) MUST_CHECK;
/* The answer: the transform chosen, word for word. */
void spdb_add_oakley_choice(ikev1_builder *b, const oakley_choice *ch);
/* First transform of the peer that the conn takes. initiator: `sa` is the answer to ours and must be one of
 * our offers. Refusals are logged with st; ST_NOT_FOUND and msg (nearest miss) if there is none; ST_INVALID:
 * malformed. */
status spdb_choose_oakley(pstate *st, const pconn *c, const ikev1_sa *sa, bool initiator, bool quiet,
                          oakley_choice *out, msgbuf *msg) MUST_CHECK;
/* May this conn use the method, seen from us as initiator or responder? */
bool pconn_allows_auth(const pconn *c, uint16_t method, bool initiator);
/* The method we propose for it; 0 = none */
uint16_t pconn_auth_method(const pconn *c, size_t n);
/* Methods a peer's SA asks for as policy words: "PSK", "RSASIG", "XAUTHPSK+…" */
char *spdb_auth_policy(const ikev1_sa *sa, char *dst, size_t size);
bool auth_is_psk(uint16_t method), auth_is_xauth(uint16_t method);
bool spdb_oakley_listed(const proposals *list, encr_alg e, uint16_t bits, hash_alg h, dh_group g);
/* "AES_CBC_128-SHA-MODP2048" */
char *oakley_text(encr_alg e, uint16_t bits, hash_alg h, dh_group g, char *dst, size_t size);
uint16_t encr_default_bits(encr_alg e);

/* ---- phase 2 ---- */
typedef struct ipsec_choice {
    proposal esp, ah, ipcomp; /* proto 0: not there; spi: the peer's */
    uint16_t encaps;          /* as on the wire, 0 = absent (IPCOMP alone) */
    dh_group group;
    int64_t life_s;
    uint64_t life_kb;
    const ikev1_proposal *prop[3]; /* AH, ESP, IPCOMP */
    const ikev1_transform *trans[3];
} ipsec_choice;
status spdb_add_ipsec(ikev1_builder *b, const quick *q, dh_group pfs) MUST_CHECK;
void spdb_add_ipsec_choice(ikev1_builder *b, const quick *q, const ipsec_choice *ch);
status spdb_choose_ipsec(quick *q, const ikev1_sa *sa, bool initiator, ipsec_choice *out,
                         msgbuf *msg) MUST_CHECK;
/* Which encapsulation value says it to this peer? */
uint16_t encaps_value(const ike *i, bool tunnel);
