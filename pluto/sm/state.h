/* Names of states, events and the stories told on entering a state. The numbers are those of whack's codes
 * (100 + n).
 */
#pragma once
#include <stdbool.h>

// clang-format off
#define STATE_LIST(X)                                                                          \
    X(MAIN_R0,     3, "expecting MI1")                                                         \
    X(MAIN_I1,     4, "sent MI1, expecting MR1")                                               \
    X(MAIN_R1,     5, "sent MR1, expecting MI2")                                               \
    X(MAIN_I2,     6, "sent MI2, expecting MR2")                                               \
    X(MAIN_R2,     7, "sent MR2, expecting MI3")                                               \
    X(MAIN_I3,     8, "sent MI3, expecting MR3")                                               \
    X(MAIN_R3,     9, "sent MR3, ISAKMP SA established")                                       \
    X(MAIN_I4,    10, "ISAKMP SA established")                                                 \
    X(QUICK_R0,   11, "expecting QI1")                                                         \
    X(QUICK_I1,   12, "sent QI1, expecting QR1")                                               \
    X(QUICK_R1,   13, "sent QR1, inbound IPsec SA installed, expecting QI2")                   \
    X(QUICK_I2,   14, "sent QI2, IPsec SA established")                                        \
    X(QUICK_R2,   15, "IPsec SA established")                                                  \
    X(INFO,       16, "got Informational Message in clear")                                    \
    X(INFO_PROTECTED, 17, "got encrypted Informational Message")                               \
    X(XAUTH_I0,   18, "expecting XAUTH request")                                               \
    X(XAUTH_R1,   19, "sent XAUTH request, expecting reply")                                   \
    X(XAUTH_I1,   20, "sent XAUTH reply, expecting status")                                    \
    X(XAUTH_R2,   21, "sent XAUTH status, expecting ack")                                      \
    X(XAUTH_I2,   22, "sent XAUTH ack, established")                                           \
    X(XAUTH_R3,   23, "received XAUTH ack, established")                                       \
    X(MODE_CFG_R0, 24, "expecting ModeCfg request")                                            \
    X(MODE_CFG_I1, 25, "sent ModeCfg request, expecting reply")                                \
    X(MODE_CFG_R1, 26, "sent ModeCfg reply, established")                                      \
    X(MODE_CFG_I2, 27, "received ModeCfg reply, established")                                  \
    X(MODE_CFG_I0, 28, "expecting ModeCfg set")                                                \
    X(MODE_CFG_R3, 29, "sent ModeCfg set, expecting ack")                                      \
    X(MODE_CFG_I3, 30, "sent ModeCfg ack, established")                                        \
    X(MODE_CFG_R4, 31, "received ModeCfg ack, established")
// clang-format on

typedef enum pl_state {
    STATE_NONE = 0,
#define X(name, n, story) STATE_##name = n,
    STATE_LIST(X)
#undef X
        STATE_COUNT
} pl_state;

const char *state_name(pl_state s);  /* "STATE_MAIN_I4" */
const char *state_story(pl_state s); /* "ISAKMP SA established" */
bool state_isakmp_established(pl_state s);
bool state_ipsec_established(pl_state s);

typedef enum pl_event {
    EVENT_NULL,
    EVENT_REINIT_SECRET,
    EVENT_SHUNT_SCAN,
    EVENT_SO_DISCARD,
    EVENT_RETRANSMIT,
    EVENT_SA_REPLACE,
    EVENT_SA_REPLACE_IF_USED,
    EVENT_SA_EXPIRE,
    EVENT_NAT_T_KEEPALIVE,
    EVENT_DPD,
    EVENT_DPD_TIMEOUT,
    EVENT_LOG_DAILY,
    EVENT_COUNT
} pl_event;
const char *event_name(pl_event e);
