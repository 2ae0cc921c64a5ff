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

static void trapped(world *w)
{
    order_trap(w, 0);
    meet_trap(w, 0);
    meet_trap(w, 0); /* the second packet must not begin anew */
}

static void trapped_both(world *w)
{
    order_trap(w, 0);
    order_trap(w, 1);
    meet_trap(w, 0);
    meet_trap(w, 1);
}

static void reauth(world *w)
{
    order_reauth(w, 0);
}

static void reauth_both(world *w)
{
    order_reauth(w, 0);
    order_reauth(w, 1);
}

static void nothing(world *w)
{
}

#define MINUTES *60 * 1000
#define DPD     " dpdaction=clear\n dpddelay=30s\n dpdtimeout=120s\n"
/* IPsec SAs of three minutes, replaced a minute before their end; ISAKMP SAs that outlive the run */
#define SHORT_IPSEC " keylife=180s\n rekeymargin=60s\n ikelifetime=3h\n"
/* long enough for what a lost message leaves behind to be given up before the next rekeying */
#define LONGER_IKE     " ikelifetime=800s\n rekeymargin=60s\n keylife=3h\n"
#define PFS_V2         " esp=aes128gcm16-curve25519!\n"
#define ALWAYS_COOKIES "charon {\n cookie_threshold = 0\n}\n"
#define UNIQUE         "config setup\n uniqueids=yes\n"
/* IKEv1 does not acknowledge a Delete: what one Delete too few leaves behind goes with its lifetime, or by
 * DPD */
#define FORGETS   DPD " rekey=no\n keylife=10m\n rekeymargin=60s\n"
#define SHORT_IKE " ikelifetime=180s\n rekeymargin=60s\n keylife=12m\n"

// clang-format off
const scenario scenarios[] = {
    {"v2-up",                 false, NULL, NULL, false, up, 3 MINUTES, GOAL_UP, 1, NULL, 0},
    {"v2-up-both",            false, NULL, NULL, false, up_both, 3 MINUTES, GOAL_TWINS, 2, NULL, 0},
    {"v2-up-both-unique",     false, UNIQUE, NULL, false, up_both, 3 MINUTES, GOAL_TWINS, 2, NULL, 0},
    {"v2-up-again-unique",    false, UNIQUE, NULL, true, up_by_responder, 3 MINUTES, GOAL_TWINS, 1, NULL, 0},
    {"v2-down",               false, NULL, NULL, true, down, 3 MINUTES, GOAL_DOWN, 1, NULL, 0},
    {"v2-down-responder",     false, NULL, NULL, true, down_by_responder, 3 MINUTES, GOAL_DOWN, 1, NULL, 0},
    {"v2-down-both",          false, NULL, NULL, true, down_both, 3 MINUTES, GOAL_DOWN, 2, NULL, 0},
    {"v2-rekey-child",        false, NULL, NULL, true, rekey_child, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 1, NULL, 0},
    {"v2-rekey-child-responder", false, NULL, NULL, true, rekey_child_by_responder, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 1, NULL, 0},
    {"v2-rekey-child-both",   false, NULL, NULL, true, rekey_child_both, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 2, NULL, 0},
    {"v2-rekey-ike",          false, NULL, NULL, true, rekey_ike, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE, 1, NULL, 0},
    {"v2-rekey-ike-responder", false, NULL, NULL, true, rekey_ike_by_responder, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE, 1, NULL, 0},
    {"v2-rekey-ike-both",     false, NULL, NULL, true, rekey_ike_both, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE, 2, NULL, 0},
    {"v2-rekey-ike-and-child", false, NULL, NULL, true, rekey_ike_and_child, 10 MINUTES, GOAL_UP | GOAL_NEW_IKE | GOAL_NEW_CHILD, 2, NULL, 0},
    {"v2-rekey-child-and-down", false, NULL, NULL, true, rekey_child_and_down, 3 MINUTES, GOAL_DOWN, 2, NULL, 0},
    {"v2-rekey-ike-and-down", false, NULL, NULL, true, rekey_ike_and_down, 10 MINUTES, GOAL_DOWN, 2, NULL, 0},
    {"v2-reauth",             false, NULL, NULL, true, reauth, 3 MINUTES, GOAL_UP | GOAL_NEW_IKE | GOAL_NEW_CHILD, 1, NULL, TWIST_CLEAR},
    {"v2-reauth-both",        false, NULL, NULL, true, reauth_both, 10 MINUTES, GOAL_TWINS | GOAL_NEW_IKE | GOAL_NEW_CHILD, 2, NULL, TWIST_CLEAR},
    {"v2-up-nat",             false, NULL, NULL, false, up, 3 MINUTES, GOAL_UP, 1, NULL, TWIST_NAT},
    {"v2-down-nat",           false, NULL, NULL, true, down, 3 MINUTES, GOAL_DOWN, 1, NULL, TWIST_NAT},
    {"v2-rekey-child-nat",    false, NULL, NULL, true, rekey_child_both, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 2, NULL, TWIST_NAT},
    {"v2-up-cookie",          false, NULL, NULL, false, up, 3 MINUTES, GOAL_UP, 1, ALWAYS_COOKIES, 0},
    {"v2-up-other-group",     false, " ike=aes128-sha256-curve25519,aes128-sha256-ecp256!\n", " ike=aes128-sha256-ecp256!\n", false, up, 3 MINUTES, GOAL_UP, 1, NULL, 0},
    {"v2-up-wrong-psk",       false, NULL, NULL, false, up, 3 MINUTES, GOAL_DOWN, 1, NULL, TWIST_WRONG_PSK},
    {"v2-up-wrong-proposal",  false, NULL, " esp=aes256-sha512!\n", false, up, 3 MINUTES, GOAL_UP | GOAL_NO_CHILD, 1, NULL, 0},
    {"v2-up-wrong-ike",       false, NULL, " ike=aes256-sha512-modp3072!\n", false, up, 3 MINUTES, GOAL_DOWN, 1, NULL, 0},
    {"v2-up-vip",             false, " leftsourceip=10.3.0.1\n leftsubnet=10.3.0.1/32\n", NULL, false, up, 3 MINUTES, GOAL_UP, 1, NULL, TWIST_NO_TRAFFIC},
    {"v2-rekey-child-pfs",    false, PFS_V2, NULL, true, rekey_child_both, 3 MINUTES, GOAL_UP | GOAL_NEW_CHILD, 2, NULL, 0},
    {"v2-rekey-child-time",   false, SHORT_IPSEC, NULL, true, nothing, 205 * 1000, GOAL_UP | GOAL_NEW_CHILD, 0, NULL, 0},
    {"v2-rekey-ike-time",     false, LONGER_IKE " reauth=no\n", NULL, true, nothing, 19 MINUTES, GOAL_UP | GOAL_NEW_IKE, 0, NULL, 0},
    {"v2-reauth-time",        false, SHORT_IKE, NULL, true, nothing, 205 * 1000, GOAL_UP | GOAL_NEW_IKE, 0, NULL, TWIST_CLEAR},
    {"v2-trap",               false, NULL, NULL, false, trapped, 3 MINUTES, GOAL_UP, 0, NULL, TWIST_TRAP},
    {"v2-trap-both",          false, NULL, NULL, false, trapped_both, 3 MINUTES, GOAL_TWINS, 0, NULL, TWIST_TRAP},
    {"v1-trap",               true, NULL, NULL, false, trapped, 3 MINUTES, GOAL_UP, 0, NULL, TWIST_TRAP},
    {"v1-trap-both",          true, NULL, NULL, false, trapped_both, 3 MINUTES, GOAL_TWINS, 0, NULL, TWIST_TRAP},
    {"v1-up-nat",             true, NULL, NULL, false, up, 3 MINUTES, GOAL_UP, 1, NULL, TWIST_NAT},
    {"v1-up-aggressive",      true, " aggressive=yes\n", NULL, false, up, 3 MINUTES, GOAL_UP, 1, NULL, 0},
    {"v1-up-no-pfs",          true, " pfs=no\n", NULL, false, up, 3 MINUTES, GOAL_UP, 1, NULL, 0},
    {"v1-up-wrong-psk",       true, NULL, NULL, false, up, 8 MINUTES, GOAL_DOWN, 1, NULL, TWIST_WRONG_PSK},
    {"v1-up-wrong-ike",       true, NULL, " ike=aes256-sha2_512-modp3072!\n", false, up, 8 MINUTES, GOAL_DOWN, 1, NULL, 0},
    {"v1-up",                 true, NULL, NULL, false, up, 3 MINUTES, GOAL_UP, 1, NULL, 0},
    {"v1-up-both",            true, NULL, NULL, false, up_both, 3 MINUTES, GOAL_TWINS, 2, NULL, 0},
    {"v1-down",               true, FORGETS, NULL, true, down, 12 MINUTES, GOAL_DOWN, 1, NULL, 0},
    {"v1-down-responder",     true, FORGETS, NULL, true, down_by_responder, 12 MINUTES, GOAL_DOWN, 1, NULL, 0},
    {"v1-down-both",          true, FORGETS, NULL, true, down_both, 12 MINUTES, GOAL_DOWN, 2, NULL, 0},
    {"v1-rekey-quick",        true, SHORT_IPSEC, " rekey=no\n", true, nothing, 205 * 1000, GOAL_UP | GOAL_NEW_CHILD, 0, NULL, 0},
    {"v1-rekey-quick-both",   true, SHORT_IPSEC, NULL, true, nothing, 205 * 1000, GOAL_TWINS | GOAL_NEW_CHILD, 0, NULL, 0},
    {"v1-rekey-main",         true, SHORT_IKE, " rekey=no\n", true, nothing, 205 * 1000, GOAL_UP | GOAL_NEW_IKE, 0, NULL, TWIST_CLEAR},
    {"v1-rekey-main-both",    true, SHORT_IKE, NULL, true, nothing, 205 * 1000, GOAL_TWINS | GOAL_NEW_IKE, 0, NULL, TWIST_CLEAR},
};
// clang-format on
const size_t n_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);
