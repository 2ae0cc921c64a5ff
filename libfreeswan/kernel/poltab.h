/* The policies a back end was asked for, counted. Several users may ask for the same selectors (rekeying, two
 * peers behind one NAT, a trap and the tunnel it set up): the one with the best priority is in force, of
 * equals the newest. Internal to this room. Not thread safe: the back end locks.
 */
#pragma once
#include "libfreeswan/kernel/kernel.h"
#include "libstrongswan/base/list.h"

typedef struct poltab poltab;
typedef struct poltab_entry poltab_entry;

typedef enum poltab_change { POLTAB_SAME, POLTAB_ADDED, POLTAB_CHANGED, POLTAB_REMOVED } poltab_change;

status poltab_new(poltab **out) MUST_CHECK;
void poltab_free(poltab *t); /* NULL ok */
/* *p with its priority filled in is counted; *now (never NULL) gets what is in force. */
status poltab_add(poltab *t, const kernel_policy *p, poltab_change *change, kernel_policy *now) MUST_CHECK;
/* ST_NOT_FOUND: nobody asked for exactly that. *now: what is in force, or with POLTAB_REMOVED what was. */
status poltab_del(poltab *t, const kernel_policy *p, poltab_change *change, kernel_policy *now) MUST_CHECK;
/* What is in force for the selectors, direction and mark of p; NULL: nothing. */
const kernel_policy *poltab_get(const poltab *t, const kernel_policy *p);
size_t poltab_count(const poltab *t);
/* In no order; users = how often it was asked for. fn returns false to stop. */
void poltab_each(const poltab *t, bool (*fn)(void *ctx, const kernel_policy *now, unsigned users), void *ctx);

/* Are they the same in every respect? */
bool policy_equal(const kernel_policy *a, const kernel_policy *b);
