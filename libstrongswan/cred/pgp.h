/* OpenPGP secret keys (RFC 4880) as IKEv1 sites of old keep them: armored, RSA, not encrypted. */
#pragma once
#include "libstrongswan/cred/keys.h"

/* Does it look like one? */
bool pgp_is_key(span data);
/* The first secret key in it. */
status pgp_secret_key(privkey **out, span data, msgbuf *msg) MUST_CHECK;
