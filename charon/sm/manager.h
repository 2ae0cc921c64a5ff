/* The engine of exchanges: message IDs, the one outstanding request (window 1), retransmission, replay of the
 * last answer, decryption and the check of every message against the state table before any task sees it.
 * Runs inside the IKE_SA's mail.   RFC 7296 2.1, 2.2, 2.3
 */
#pragma once
#include "charon/sa/ike_sa.h"

void sm_queue(ike_sa *sa, task *t); /* by rank; NULL (no memory) is logged and ignored */
void sm_initiate(ike_sa *sa);       /* begins the next exchange if none is outstanding */
void sm_receive(ike_sa *sa, packet *p);
void sm_retransmit(ike_sa *sa); /* T_RETRANSMIT */
/* How long a peer of our settings repeats a request before it gives up: so long an answer may be asked for.
 */
int64_t sm_patience_ms(const charon *ch);
/* Forgets the outstanding request and its tasks; for an IKE_SA that starts over or ends. */
void sm_abandon(ike_sa *sa);
/* One INFORMATIONAL with Delete, without waiting for an answer (the engine is going away). */
void sm_send_last_delete(ike_sa *sa);
/* The same for an initiator that does not believe the responder. */
void sm_send_notify_and_delete(ike_sa *sa, uint16_t type);
bool sm_has_child_task(const ike_sa *sa, const conn *c);

/* ---- shared by manager.c and receive.c ---- */
ikev2_header sm_header(const ike_sa *sa, uint8_t exchange, bool response, uint32_t mid);
status sm_seal(ike_sa *sa, const ikev2_header *h, const ikev2_builder *b, ikev2_packets *out) MUST_CHECK;
void sm_send_packets(ike_sa *sa, const ikev2_packets *p, const endpoint *local, const endpoint *remote,
                     bool natt);
void sm_end_request(ike_sa *sa); /* the outstanding one is answered or given up */

/* ---- the state table ---- */
typedef verdict answer_fn(xchg *x);
enum { SM_ANSWERS = 4 };
typedef enum sm_role { SM_ANY, SM_INITIATOR, SM_RESPONDER } sm_role; /* of the IKE_SA */
typedef struct sm_row {
    uint8_t exchange;
    bool response;
    uint8_t role;
    uint8_t states; /* bits 1 << ike_state */
    uint8_t rule;   /* enum ikev2_rule_index: payload sets */
    answer_fn *answers[SM_ANSWERS];
    const char *story;
} sm_row;
extern const sm_row sm_rows[];
extern const size_t sm_n_rows;
const sm_row *sm_find_row(uint8_t exchange, bool response, ike_state st, bool initiator);
