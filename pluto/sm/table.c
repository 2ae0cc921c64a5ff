/* The state table: RFC 2409 5.1, 5.2 (main mode), 5.5 (quick mode), 5.7 (informational);
 * draft-dukes-ike-mode-cfg. Aggressive mode, new group mode and authentication by encryption have no rows:
 * they are refused.
 */
#include "pluto/mode/mode.h"
#include "pluto/sm/engine.h"

#define P(x)       PS1(PLV1_##x)
#define MAIN_MAY   (P(VID) | P(NAT_D) | P(CR))
#define MAIN_MANY  (P(VID) | P(NAT_D) | P(CR))
#define SIG_MAY    (P(CERT) | P(CR) | P(VID))
#define QUICK_MAY  (P(KE) | P(ID) | P(NAT_OA) | P(VID))
#define QUICK_MANY (P(ID) | P(NAT_OA) | P(VID))
#define PHASE2     (SMF_ENCRYPTED | SMF_ESTABLISHED)

// clang-format off
const sm_row pluto_sm_rows[] = {
    /* main mode, responder */
    {STATE_MAIN_R0, ISAKMP_XCHG_IDPROT, SMA_ANY, false, SMF_REPLY | SMF_DUP_ANSWER,
     P(SA), P(VID), P(VID), main_in_I1_out_R1, STATE_MAIN_R1, EVENT_SO_DISCARD, NULL},
    {STATE_MAIN_R1, ISAKMP_XCHG_IDPROT, SMA_ANY, false, SMF_REPLY | SMF_DUP_ANSWER,
     P(KE) | P(NONCE), MAIN_MAY, MAIN_MANY, main_in_I2_out_R2, STATE_MAIN_R2, EVENT_SO_DISCARD, main_address_proven},
    {STATE_MAIN_R2, ISAKMP_XCHG_IDPROT, SMA_PSK, false, SMF_REPLY | SMF_DUP_ANSWER | SMF_ENCRYPTED,
     P(ID) | P(HASH), P(VID), P(VID), main_in_I3_out_R3, STATE_MAIN_R3, EVENT_SA_REPLACE, main_established},
    {STATE_MAIN_R2, ISAKMP_XCHG_IDPROT, SMA_SIG, false, SMF_REPLY | SMF_DUP_ANSWER | SMF_ENCRYPTED,
     P(ID) | P(SIG), SIG_MAY, SIG_MAY, main_in_I3_out_R3, STATE_MAIN_R3, EVENT_SA_REPLACE, main_established},
    /* main mode, initiator */
    {STATE_MAIN_I1, ISAKMP_XCHG_IDPROT, SMA_ANY, true, SMF_REPLY,
     P(SA), P(VID), P(VID), main_in_R1_out_I2, STATE_MAIN_I2, EVENT_RETRANSMIT, NULL},
    {STATE_MAIN_I2, ISAKMP_XCHG_IDPROT, SMA_ANY, true, SMF_REPLY,
     P(KE) | P(NONCE), MAIN_MAY, MAIN_MANY, main_in_R2_out_I3, STATE_MAIN_I3, EVENT_RETRANSMIT, NULL},
    {STATE_MAIN_I3, ISAKMP_XCHG_IDPROT, SMA_PSK, true, SMF_ENCRYPTED,
     P(ID) | P(HASH), P(VID), P(VID), main_in_R3, STATE_MAIN_I4, EVENT_SA_REPLACE, main_established},
    {STATE_MAIN_I3, ISAKMP_XCHG_IDPROT, SMA_SIG, true, SMF_ENCRYPTED,
     P(ID) | P(SIG), SIG_MAY, SIG_MAY, main_in_R3, STATE_MAIN_I4, EVENT_SA_REPLACE, main_established},
    /* quick mode */
    {STATE_QUICK_R0, ISAKMP_XCHG_QUICK, SMA_ANY, false, PHASE2 | SMF_NEW | SMF_HASH1 | SMF_REPLY | SMF_REPLY_HASH2 | SMF_DUP_ANSWER,
     P(HASH) | P(SA) | P(NONCE), QUICK_MAY, QUICK_MANY, quick_in_I1_out_R1, STATE_QUICK_R1, EVENT_RETRANSMIT, NULL},
    {STATE_QUICK_I1, ISAKMP_XCHG_QUICK, SMA_ANY, true, PHASE2 | SMF_HASH2 | SMF_REPLY | SMF_REPLY_HASH3 | SMF_DUP_ANSWER,
     P(HASH) | P(SA) | P(NONCE), QUICK_MAY, QUICK_MANY, quick_in_R1_out_I2, STATE_QUICK_I2, EVENT_SA_REPLACE, quick_established},
    {STATE_QUICK_R1, ISAKMP_XCHG_QUICK, SMA_ANY, false, PHASE2 | SMF_HASH3,
     P(HASH), P(VID), P(VID), quick_in_I2, STATE_QUICK_R2, EVENT_SA_REPLACE, quick_established},
    /* informational: under an established SA, or in clear, which only is logged */
    {STATE_INFO_PROTECTED, ISAKMP_XCHG_INFO, SMA_ANY, false, SMF_ENCRYPTED | SMF_HASH1,
     P(HASH), P(N) | P(D) | P(VID), P(N) | P(D) | P(VID), info_protected, STATE_NONE, EVENT_NULL, NULL},
    {STATE_INFO, ISAKMP_XCHG_INFO, SMA_ANY, false, 0,
     0, P(N) | P(D) | P(HASH) | P(VID), P(N) | P(D) | P(VID), info_clear, STATE_NONE, EVENT_NULL, NULL},
    /* XAUTH and Mode Config transactions; whose turn it is, the handler knows */
    {STATE_MODE_CFG_R0, ISAKMP_XCHG_MODE_CFG, SMA_ANY, false, PHASE2 | SMF_HASH1,
     P(HASH) | P(ATTR), P(VID), P(VID), cfg_receive, STATE_NONE, EVENT_NULL, NULL},
};
// clang-format on
const size_t sm_rows_n = sizeof(pluto_sm_rows) / sizeof(pluto_sm_rows[0]);

const sm_row *sm_find(pl_state state, uint8_t exchange, bool initiator, uint8_t auth)
{
    for (size_t i = 0; i < sm_rows_n; i++) {
        const sm_row *r = &pluto_sm_rows[i];
        if (r->state == state && r->exchange == exchange && r->initiator == initiator &&
            (r->auth == SMA_ANY || r->auth == auth))
            return r;
    }
    return NULL;
}
