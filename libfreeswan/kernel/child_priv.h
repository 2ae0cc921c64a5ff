/* A kchild from inside: child.c has its life and its SAs, child_policy.c policies, routes and scripts. */
#pragma once
#include "libfreeswan/kernel/child.h"

enum { SLOT_IPCOMP, SLOT_ESP, SLOT_AH, SLOT_COUNT }; /* innermost first */

typedef enum slot_state { SLOT_EMPTY, SLOT_RESERVED, SLOT_INSTALLED } slot_state;
typedef struct child_slot {
    slot_state state;
    kernel_sa_id id; /* as the kernel knows it */
} child_slot;

/* What a kchild has in the policy table and the routing table: exactly this is taken away again. */
typedef struct child_polset {
    kernel_policy *policies;
    size_t n_policies, cap_policies;
    host_route *routes;
    size_t n_routes, cap_routes;
} child_polset;

struct kchild {
    kchild_env env;
    kchild_params p; /* strings point into strings */
    log_scope log;
    char *strings;
    traffic_sel *mine, *theirs;
    size_t n_mine, n_theirs;
    child_slot in[SLOT_COUNT], out[SLOT_COUNT];
    kchild_sa algs[SLOT_COUNT]; /* without keys; proto 0: not negotiated */
    uint16_t peer_cpi;
    bool ipcomp;
    child_polset live, traps;
    bool up;
    kchild_stats kept; /* of directions that are gone */
};

const conn_end *child_my_end(const kchild *c);
/* protos innermost first, 0 ends */
void child_protos(const kchild *c, uint8_t protos[3]);
/* Takes away what the set has installed and frees it. */
void child_polset_remove(kchild *c, child_polset *set);
/* Installs policies and routes for the addresses and selectors of now. */
status child_polset_build(kchild *c, child_polset *set, policy_kind kind, bool trap) MUST_CHECK;
