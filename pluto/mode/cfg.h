/* Configuration exchanges after phase 1: XAUTH, then Mode Config. One transaction at a time; each has a
 * message id and a chain of IVs of its own.   draft-dukes-ike-mode-cfg-02, draft-beaulieu-ike-xauth-02;
 * reference ikev1-wire.md 4
 */
#pragma once
#include "pluto/mode/mode.h"

enum { CFG_MAX_ATTRS = 16, CFG_TIMEOUT_MS = XAUTH_TIMEOUT_MS };

/* A new transaction, or the answer to the one under way. to: the state after it; retransmitted if it wants an
 * answer. */
status cfg_send(ike *i, bool answer, uint8_t type, const wire_attr *attrs, size_t n, pl_state to) MUST_CHECK;
/* State and story; no more retransmissions. */
void cfg_reached(ike *i, pl_state to);
/* The phase after phase 1 goes on: Mode Config after XAUTH, quick modes after Mode Config. */
void phase15_next(ike *i);
void phase15_fail(ike *i, const char *why);

/* xauth.c */
void xauth_start_server(ike *i);
verdict xauth_receive(msgctx *md, const ikev1_cfg *cfg);
bool xauth_is_about(const ike *i, const ikev1_cfg *cfg);
