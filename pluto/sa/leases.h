/* Virtual addresses given out from rightsourceip=net/bits: one per peer identity, the same one again when the
 * peer comes back. Kept in memory, as long as the daemon runs. Guarded by pluto.lock, except for what the
 * callers hold.
 */
#pragma once
#include "pluto/sa/sa.h"

/* The address for this peer from the end's pool; a single address is everybody's. ST_NOT_FOUND: nothing is
 * configured, ST_LIMIT: the pool is used up by peers that are connected. */
status pluto_lease_get(pluto *p, const pconn_end *end, const ident *id, ip_addr *out) MUST_CHECK;
void pluto_leases_free(pluto *p);
