/* What the two ends are asked to do. Times are virtual: ten minutes cost nothing. */
#include "tests/sim/ikesim.h"

static void up(world *w)
{
    order_up(w, 0);
}

static void up_both(world *w)
{
    order_up(w, 0);
    order_up(w, 1);
}

static void up_by_responder(world *w)
{
    order_up(w, 1);
}

static void down(world *w)
{
    order_down(w, 0);
}

static void down_by_responder(world *w)
{
    order_down(w, 1);
}

static void down_both(world *w)
{
    order_down(w, 0);
    order_down(w, 1);
}

static void rekey_child(world *w)
{
    order_rekey(w, 0, "net{}");
}

static void rekey_child_by_responder(world *w)
{
    order_rekey(w, 1, "net{}");
}

static void rekey_child_both(world *w)
{
    order_rekey(w, 0, "net{}");
    order_rekey(w, 1, "net{}");
}

static void rekey_ike(world *w)
{
    order_rekey(w, 0, "net[]");
}

static void rekey_ike_by_responder(world *w)
{
    order_rekey(w, 1, "net[]");
}

static void rekey_ike_both(world *w)
{
    order_rekey(w, 0, "net[]");
    order_rekey(w, 1, "net[]");
}

static void rekey_ike_and_child(world *w)
{
    order_rekey(w, 0, "net[]");
    order_rekey(w, 1, "net{}");
}

static void rekey_child_and_down(world *w)
{
    order_rekey(w, 0, "net{}");
    order_down(w, 1);
}

static void rekey_ike_and_down(world *w)
{
    order_rekey(w, 0, "net[]");
    order_down(w, 1);
}

static void reauth(world *w)
{
    order_reauth(w, 0);
}

static void nothing(world *w)
{
}

#define MINUTES *60 * 1000
#define DPD     " dpdaction=clear\n dpddelay=30s\n dpdtimeout=120s\n"
/* IPsec SAs of three minutes, replaced a minute before their end; ISAKMP SAs that outlive the run */
#define SHORT_IPSEC " keylife=180s\n rekeymargin=60s\n ikelifetime=3h\n"
#define UNIQUE      "config setup\n uniqueids=yes\n"
/* IKEv1 does not acknowledge a Delete: what one Delete too few leaves behind goes with its lifetime, or by
 * DPD */
#define FORGETS   DPD " rekey=no\n keylife=10m\n rekeymargin=60s\n"
#define SHORT_IKE " ikelifetime=180s\n rekeymargin=60s\n keylife=12m\n"

// clang-format off
const scenario scenarios[] = {
    {"v2-up",                 false, NULL, NULL, false, up, 3 MINUTES, GOAL_UP, 1},
    {"v2-up-both",            false, NULL, NULL, false, up_both, 3 MINUTES, GOAL_TWINS, 2},
    {"v2-up-both-unique",     false, UNIQUE, NULL, false, up_both, 3 MINUTES, GOAL_TWINS, 2},
    {"v2-up-again-unique",    false, UNIQUE, NULL, true, up_by_responder, 3 MINUTES, GOAL_TWINS, 1},
    {"v2-down",               false, NULL, NULL, true, down, 3 MINUTES, GOAL_DOWN, 1},
    {"v2-down-responder",     false, NULL, NULL, true, down_by_responder, 3 MINUTES, GOAL_DOWN, 1},
    {"v2-down-both",          false, NULL, NULL, true, down_both, 3 MINUTES, GOAL_DOWN, 2},
    {"v2-rekey-child",        false, NULL, NULL, true, rekey_child, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 1},
    {"v2-rekey-child-responder", false, NULL, NULL, true, rekey_child_by_responder, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 1},
    {"v2-rekey-child-both",   false, NULL, NULL, true, rekey_child_both, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 2},
    {"v2-rekey-ike",          false, NULL, NULL, true, rekey_ike, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE, 1},
    {"v2-rekey-ike-responder", false, NULL, NULL, true, rekey_ike_by_responder, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE, 1},
    {"v2-rekey-ike-both",     false, NULL, NULL, true, rekey_ike_both, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE, 2},
    {"v2-rekey-ike-and-child", false, NULL, NULL, true, rekey_ike_and_child, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE | GOAL_NEW_CHILD, 2},
    {"v2-rekey-child-and-down", false, NULL, NULL, true, rekey_child_and_down, 3 MINUTES, GOAL_DOWN, 2},
    {"v2-rekey-ike-and-down", false, NULL, NULL, true, rekey_ike_and_down, 10 MINUTES, GOAL_DOWN, 2},
    {"v2-reauth",             false, NULL, NULL, true, reauth, 3 MINUTES, GOAL_UP | GOAL_NEW_IKE | GOAL_NEW_CHILD, 1},
    {"v1-up",                 true, NULL, NULL, false, up, 3 MINUTES, GOAL_UP, 1},
    {"v1-up-both",            true, NULL, NULL, false, up_both, 3 MINUTES, GOAL_TWINS, 2},
    {"v1-down",               true, FORGETS, NULL, true, down, 12 MINUTES, GOAL_DOWN, 1},
    {"v1-down-responder",     true, FORGETS, NULL, true, down_by_responder, 12 MINUTES, GOAL_DOWN, 1},
    {"v1-down-both",          true, FORGETS, NULL, true, down_both, 12 MINUTES, GOAL_DOWN, 2},
    {"v1-rekey-quick",        true, SHORT_IPSEC, " rekey=no\n", true, nothing, 205 * 1000, GOAL_UP | GOAL_NEW_CHILD, 0},
    {"v1-rekey-quick-both",   true, SHORT_IPSEC, NULL, true, nothing, 205 * 1000, GOAL_TWINS | GOAL_NEW_CHILD, 0},
    {"v1-rekey-main",         true, SHORT_IKE, " rekey=no\n", true, nothing, 205 * 1000, GOAL_UP | GOAL_NEW_IKE, 0},
    {"v1-rekey-main-both",    true, SHORT_IKE, NULL, true, nothing, 205 * 1000, GOAL_TWINS | GOAL_NEW_IKE, 0},
};
// clang-format on
const size_t n_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);
