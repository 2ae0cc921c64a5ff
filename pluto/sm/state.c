/* The tables behind state.h. */
#include "pluto/sm/state.h"

typedef struct state_row {
    const char *name, *story;
} state_row;

static const state_row states[STATE_COUNT] = {
#define X(name, n, story) [n] = {"STATE_" #name, story},
    STATE_LIST(X)
#undef X
};

// clang-format off
static const char *const events[EVENT_COUNT] = {
    [EVENT_NULL] = "EVENT_NULL",
    [EVENT_REINIT_SECRET] = "EVENT_REINIT_SECRET",
    [EVENT_SHUNT_SCAN] = "EVENT_SHUNT_SCAN",
    [EVENT_SO_DISCARD] = "EVENT_SO_DISCARD",
    [EVENT_RETRANSMIT] = "EVENT_RETRANSMIT",
    [EVENT_SA_REPLACE] = "EVENT_SA_REPLACE",
    [EVENT_SA_REPLACE_IF_USED] = "EVENT_SA_REPLACE_IF_USED",
    [EVENT_SA_EXPIRE] = "EVENT_SA_EXPIRE",
    [EVENT_NAT_T_KEEPALIVE] = "EVENT_NAT_T_KEEPALIVE",
    [EVENT_DPD] = "EVENT_DPD",
    [EVENT_DPD_TIMEOUT] = "EVENT_DPD_TIMEOUT",
    [EVENT_LOG_DAILY] = "EVENT_LOG_DAILY",
};
// clang-format on

const char *state_name(pl_state s)
{
    return (unsigned)s < STATE_COUNT && states[s].name ? states[s].name : "STATE_UNDEFINED";
}

const char *state_story(pl_state s)
{
    return (unsigned)s < STATE_COUNT && states[s].story ? states[s].story : "";
}

const char *event_name(pl_event e)
{
    return (unsigned)e < EVENT_COUNT ? events[e] : "EVENT_NULL";
}

bool state_isakmp_established(pl_state s)
{
    return s == STATE_MAIN_R3 || s == STATE_MAIN_I4 || s >= STATE_XAUTH_I0;
}

bool state_ipsec_established(pl_state s)
{
    return s == STATE_QUICK_I2 || s == STATE_QUICK_R2;
}
