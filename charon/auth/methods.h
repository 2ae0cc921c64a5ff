/* The methods behind auth.c. */
#pragma once
#include "charon/auth/auth.h"

/* What an AUTH of ours (own) or of the peer covers. */
status auth_octets(ike_sa *sa, bool own, span id_body, buf *out) MUST_CHECK;

status psk_sign(ike_sa *sa, const ident *my_id, const ident *other, span octets, buf *out) MUST_CHECK;
status psk_verify(ike_sa *sa, auth_peer *p, span octets) MUST_CHECK;

status pubkey_choose(ike_sa *sa, const peer_cfg *cfg, const ident *my_id, auth_own *out) MUST_CHECK;
status pubkey_sign(const auth_own *a, span octets, buf *out) MUST_CHECK;
status pubkey_verify_peer(ike_sa *sa, const peer_cfg *cfg, auth_peer *p, span octets) MUST_CHECK;
