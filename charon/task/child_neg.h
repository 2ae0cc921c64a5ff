/* What every negotiation of a CHILD_SA has in common, whether new or a replacement, inside IKE_AUTH or in
 * CREATE_CHILD_SA: proposals, nonces, KE, traffic selectors, mode, IPComp.   RFC 7296 1.3, 2.9, 2.17, 2.22
 */
#pragma once
#include "charon/sa/ike_sa.h"
#include "charon/task/task.h"

typedef struct child_neg {
    ike_sa *sa;
    peer_cfg *cfg;
    uint32_t reqid;  /* 0 = a new one */
    child_sa *c;     /* under way */
    uint64_t serial; /* of c; it may have been removed behind our back */
    dh *dh;
    uint16_t group; /* of our KE */
    uint8_t ni[NONCE_MAX], nr[NONCE_MAX];
    size_t ni_n, nr_n;
    unsigned restarts;
    msgbuf why;
} child_neg;

void child_neg_init(child_neg *n, ike_sa *sa, peer_cfg *cfg, uint32_t reqid);
void child_neg_fini(child_neg *n); /* removes the CHILD_SA if it was not installed */

/* ---- initiator ---- in_auth: nonces and keys are those of IKE_SA_INIT, no KE */
status child_neg_request(child_neg *n, bool in_auth, ikev2_builder *out) MUST_CHECK;
typedef enum neg_result {
    NEG_OK,
    NEG_AGAIN,     /* another group: ask again */
    NEG_LATER,     /* TEMPORARY_FAILURE */
    NEG_NOT_FOUND, /* CHILD_SA_NOT_FOUND */
    NEG_FULL,      /* NO_ADDITIONAL_SAS */
    NEG_FAILED,    /* n->why */
    NEG_BAD_ANSWER /* the peer has an SA we cannot use: it must be deleted; n->c has its SPIs */
} neg_result;
/* replaces: the CHILD_SA being rekeyed; collision: the peer rekeys it, too. */
neg_result child_neg_response(child_neg *n, bool in_auth, const ikev2_msg *in, child_sa *replaces,
                              bool collision);

/* ---- responder ---- */
typedef struct child_answer {
    peer_cfg *cfg;      /* rekeying: the old one's; NULL: chosen by traffic selectors */
    child_sa *replaces; /* NULL: a new one */
    bool collision;
    child_sa *c;                  /* out: installed; NULL: refused with a notify */
    uint8_t nonce_low[NONCE_MAX]; /* out: the lower nonce of the exchange */
    size_t nonce_low_n;
} child_answer;
void child_neg_answer(xchg *x, bool in_auth, child_answer *a);
/* Do the traffic selectors of the request fit this conn? (also true if there are none) */
bool child_neg_ts_fit(ike_sa *sa, const peer_cfg *cfg, const ikev2_msg *in);
/* The lower of two nonces, as of RFC 7296 2.8.1: octet by octet. */
int nonce_compare(span a, span b);
