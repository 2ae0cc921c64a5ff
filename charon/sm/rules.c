/* The state table: which message is welcome in which state of an IKE_SA, which payloads it must and may have,
 * and which tasks answer a request. A message without a row is dropped and leaves no trace but a log line.
 * Responses have no answers: the tasks that asked read them.
 */
#include "charon/sm/manager.h"

#define IN(state) (1u << IKE_##state)
#define UP        (IN(ESTABLISHED) | IN(REKEYING) | IN(DELETING))

static verdict create_child_answer(xchg *x);

// clang-format off
const sm_row sm_rows[] = {
    /* exchange         response role          states          payloads             answered by */
    {IKE_SA_INIT,       false,   SM_RESPONDER, IN(CREATED),    RULE_INIT_REQUEST,   {ike_init_answer, ike_natd_answer, ike_features_answer},
     "a peer begins"},
    {IKE_SA_INIT,       true,    SM_INITIATOR, IN(CONNECTING), RULE_INIT_RESPONSE,  {NULL},
     "algorithms, KE and nonce of the responder, or a refusal"},
    {IKE_AUTH,          false,   SM_RESPONDER, IN(CONNECTING), RULE_AUTH_REQUEST,   {ike_auth_answer, ike_config_answer, child_create_answer},
     "the peer proves who it is and wants a CHILD_SA"},
    {IKE_AUTH,          true,    SM_INITIATOR, IN(CONNECTING), RULE_AUTH_RESPONSE,  {NULL},
     "the responder proves who it is"},
    {CREATE_CHILD_SA,   false,   SM_ANY,       UP,             RULE_CHILD_REQUEST,  {create_child_answer},
     "new CHILD_SA, or rekeying of a CHILD_SA or the IKE_SA"},
    {CREATE_CHILD_SA,   true,    SM_ANY,       UP,             RULE_CHILD_RESPONSE, {NULL},
     "the same from the other side"},
    {INFORMATIONAL,     false,   SM_ANY,       UP,             RULE_INFO_REQUEST,   {informational_answer},
     "deletes, liveness"},
    {INFORMATIONAL,     true,    SM_ANY,       UP,             RULE_INFO_RESPONSE,  {NULL},
     "the same from the other side"},
};
// clang-format on
const size_t sm_n_rows = sizeof(sm_rows) / sizeof(sm_rows[0]);

/* CREATE_CHILD_SA is three exchanges in one (RFC 7296 1.3). */
static verdict create_child_answer(xchg *x)
{
    if (!ikev2_find(x->in, PLV2_TSI) && !ikev2_find(x->in, PLV2_TSR))
        return ike_rekey_answer(x);
    if (ikev2_find_notify(x->in, N_REKEY_SA))
        return child_rekey_answer(x);
    return child_create_answer(x);
}

const sm_row *sm_find_row(uint8_t exchange, bool response, ike_state st, bool initiator)
{
    for (size_t i = 0; i < sm_n_rows; i++) {
        const sm_row *r = &sm_rows[i];
        if (r->exchange == exchange && r->response == response && (r->states & 1u << st) &&
            (r->role == SM_ANY || (r->role == SM_INITIATOR) == initiator))
            return r;
    }
    return NULL;
}
