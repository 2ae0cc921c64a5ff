/* A conn made ready for negotiation: which end is ours, identities, certificates and proposals parsed once,
 * not for every handshake. Immutable, reference counted, any thread. Two conns with the same *peer part*
 * (addresses, identities, authentication, IKE proposals) may share one IKE_SA, as the conns of these files
 * always did.
 */
#pragma once
#include "libfreeswan/conf/conntab.h"
#include "libfreeswan/env/env.h"
#include "libstrongswan/cred/cert.h"

typedef struct peer_cfg {
    refcount refs;
    conn *c;
    bool right_is_me;
    const conn_end *me, *peer;
    ident *my_id;           /* NULL: the address */
    ident *peer_id;         /* may hold wildcards or be %any; never NULL */
    ident *my_ca, *peer_ca; /* NULL: any */
    cert *my_cert, *peer_cert;
    proposals *ike, *child;      /* the proposals to offer and accept, in order */
    unsigned my_auth, peer_auth; /* AUTH_ bits; peer_auth 0 = whatever has a credential */
} peer_cfg;

typedef struct cfg_cache cfg_cache;
status cfg_cache_new(cfg_cache **out, const env *e, const log_scope *log) MUST_CHECK;
void cfg_cache_free(cfg_cache *c);
/* *out gets a reference. The oriented conn keeps its own. */
status cfg_cache_get(cfg_cache *c, const oriented *o, peer_cfg **out, msgbuf *msg) MUST_CHECK;
/* The conn is gone or replaced, or credentials changed (NULL: all). */
void cfg_cache_forget(cfg_cache *c, const conn *cn);

peer_cfg *peer_cfg_ref(peer_cfg *p);
void peer_cfg_unref(peer_cfg *p);
bool peer_cfg_same_peer(const peer_cfg *a, const peer_cfg *b);

/* Traffic selectors of one end; `dynamic` ones are filled with `self` unless it is NULL. Returns how many. */
size_t peer_cfg_ts(const peer_cfg *p, bool mine, const ip_addr *self, traffic_sel *out, size_t max);
sa_mode peer_cfg_mode(const peer_cfg *p);
/* Name of the identity we use: the configured one, or the address. Referenced for the caller; NULL: no
 * memory. */
ident *peer_cfg_my_id(const peer_cfg *p, const ip_addr *me);
ident *ident_of_addr(const ip_addr *a);
/* Lifetime numbers with margin and fuzz taken off: seconds until rekeying; 0 = never. rnd: random number. */
int64_t peer_cfg_rekey_s(const peer_cfg *p, bool ike, uint32_t rnd);
