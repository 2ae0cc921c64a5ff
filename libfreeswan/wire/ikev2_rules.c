/* What may be in a message, as data: one row per stage of an exchange. ikev2_check() runs before any handler,
 * so that a handler finds what it needs and nothing comes in clear that must be protected.   RFC
 * 7296 1.2-1.4, appendix C
 */
#include "libfreeswan/wire/ikev2_payloads.h"

// clang-format off
#define SA       PS2(PLV2_SA)
#define KE       PS2(PLV2_KE)
#define NO       PS2(PLV2_NONCE)
#define IDI      PS2(PLV2_IDI)
#define IDR      PS2(PLV2_IDR)
#define IDP      PS2(PLV2_IDP)
#define CERT     PS2(PLV2_CERT)
#define CERTREQ  PS2(PLV2_CERTREQ)
#define AUTH     PS2(PLV2_AUTH)
#define EAP      PS2(PLV2_EAP)
#define CP       PS2(PLV2_CP)
#define TS       (PS2(PLV2_TSI) | PS2(PLV2_TSR))
#define N        PS2(PLV2_NOTIFY)
#define D        PS2(PLV2_DELETE)
#define ANYWHERE (PS2(PLV2_NOTIFY) | PS2(PLV2_VENDOR) | PS2_OTHER)
#define SK       (PS2(PLV2_SK) | PS2(PLV2_SKF))

const ikev2_rule ikev2_rules[RULE_COUNT] = {
    [RULE_INIT_REQUEST]  = {IKE_SA_INIT, false, "request",      SA | KE | NO, ANYWHERE, 0, 0, 0},
    [RULE_INIT_RESPONSE] = {IKE_SA_INIT, true,  "response",     SA | KE | NO, ANYWHERE | CERTREQ, 0, 0, CERTREQ},
    [RULE_INIT_REFUSAL]  = {IKE_SA_INIT, true,  "refusal",      N, ANYWHERE & ~N, 0, 0, 0},

    [RULE_AUTH_REQUEST]       = {IKE_AUTH, false, "first request", 0, 0,
                                 IDI | SA | TS, IDR | CERT | CERTREQ | AUTH | CP | ANYWHERE, CERT | CERTREQ},
    [RULE_AUTH_REQUEST_EAP]   = {IKE_AUTH, false, "EAP round", 0, 0, EAP, ANYWHERE, 0},
    [RULE_AUTH_REQUEST_LAST]  = {IKE_AUTH, false, "AUTH after EAP", 0, 0, AUTH, ANYWHERE, 0},
    [RULE_AUTH_RESPONSE]      = {IKE_AUTH, true,  "response", 0, 0,
                                 IDR | AUTH, CERT | EAP | SA | TS | CP | ANYWHERE, CERT},
    [RULE_AUTH_RESPONSE_EAP]  = {IKE_AUTH, true,  "EAP round", 0, 0, EAP, ANYWHERE, 0},
    [RULE_AUTH_RESPONSE_LAST] = {IKE_AUTH, true,  "AUTH after EAP", 0, 0, AUTH, SA | TS | CP | ANYWHERE, 0},
    [RULE_AUTH_ME_REQUEST]    = {IKE_AUTH, false, "first request, mediation", 0, 0,
                                 IDI, IDR | CERT | CERTREQ | AUTH | CP | ANYWHERE, CERT | CERTREQ},
    [RULE_AUTH_ME_RESPONSE]   = {IKE_AUTH, true,  "response, mediation", 0, 0,
                                 IDR | AUTH, CERT | EAP | CP | ANYWHERE, CERT},

    /* rekeying an IKE_SA has KE and no TS; everything else has both TS */
    [RULE_CHILD_REQUEST]  = {CREATE_CHILD_SA, false, "request",  0, 0, SA | NO, KE | TS | CP | ANYWHERE, 0},
    [RULE_CHILD_RESPONSE] = {CREATE_CHILD_SA, true,  "response", 0, 0, SA | NO, KE | TS | CP | ANYWHERE, 0},
    [RULE_INFO_REQUEST]   = {INFORMATIONAL,   false, "request",  0, 0, 0, D | CP | ANYWHERE, D},
    [RULE_INFO_RESPONSE]  = {INFORMATIONAL,   true,  "response", 0, 0, 0, D | CP | ANYWHERE, D},
    [RULE_INFO_CHECK]     = {INFORMATIONAL,   false, "connectivity check", N, ANYWHERE & ~N, 0, 0, 0},
    [RULE_ME_REQUEST]     = {ME_CONNECT,      false, "request",  0, 0, IDP, ANYWHERE, 0},
    [RULE_ME_RESPONSE]    = {ME_CONNECT,      true,  "response", 0, 0, 0, IDP | ANYWHERE, 0},
};
// clang-format on

static const char *first_name(payset set, char tmp[ENUM_TEXT_SIZE])
{
    for (unsigned type = PLV2_SA; type <= PLV2_SKF; type++)
        if (set & PS2(type))
            return enum_name(&ikev2_payload_names, type, tmp);
    return set & PS2(PLV2_IDP) ? "IDp" : "unknown";
}

static status complain(const ikev2_msg *m, const char *what, payset set, msgbuf *msg)
{
    char tmp[ENUM_TEXT_SIZE];
    return msg_fail(msg, ST_INVALID, "%s %s: %s payload %s", ENUM_STR(ikev2_exchange_names, m->h.exchange),
                    ikev2_is_response(&m->h) ? "response" : "request", first_name(set, tmp), what);
}

status ikev2_check(const ikev2_msg *m, const ikev2_rule *rule, msgbuf *msg)
{
    payset allowed_clear = rule->need_clear | rule->may_clear;
    payset allowed_enc = rule->need_enc | rule->may_enc;
    payset protected_rule = rule->need_enc | rule->may_enc;
    payset often = rule->many | ANYWHERE;
    if (m->h.exchange != rule->exchange ||
        (rule != &ikev2_rules[RULE_INFO_CHECK] && ikev2_is_response(&m->h) != rule->response))
        return msg_fail(msg, ST_INVALID, "not a %s %s", ENUM_STR(ikev2_exchange_names, rule->exchange),
                        rule->response ? "response" : "request");
    if (protected_rule && !m->sk)
        return msg_fail(msg, ST_INVALID, "%s %s is not encrypted",
                        ENUM_STR(ikev2_exchange_names, m->h.exchange),
                        rule->response ? "response" : "request");
    if (protected_rule)
        allowed_clear |= SK | ANYWHERE;
    if (m->clear & ~allowed_clear)
        return complain(m, "is not allowed here in clear", m->clear & ~allowed_clear, msg);
    if (m->enc & ~allowed_enc)
        return complain(m, "is not allowed here", m->enc & ~allowed_enc, msg);
    if ((m->many_clear | m->many_enc) & ~often)
        return complain(m, "comes more than once", (m->many_clear | m->many_enc) & ~often, msg);
    if (rule->response && ikev2_find_error(m))
        return ST_OK;
    if (rule->need_clear & ~m->clear)
        return complain(m, "is missing", rule->need_clear & ~m->clear, msg);
    if (rule->need_enc & ~m->enc)
        return complain(m, "is missing", rule->need_enc & ~m->enc, msg);
    return ST_OK;
}
