/* Conns as the engine sees them: oriented, with several subnets expanded ("name/1x2"), templates and their
 * instances.
 *
 * Life: conns_add() makes one pconn per pair of subnets -> found by name or by host pair -> a template (peer
 * %any, wildcard ID, range of clients) is never used itself: pconn_instantiate() makes `"name"[n] PEER`,
 * which leaves the table when its last state is gone.
 */
#pragma once
#include "pluto/sa/sa.h"

status conns_init(pluto *p) MUST_CHECK;
void conns_fini(pluto *p);
status conns_add(pluto *p, conn *c, bool replace, msgbuf *msg) MUST_CHECK;
status conns_del(pluto *p, const char *name) MUST_CHECK;
void conns_reorient(pluto *p);

pconn *pconn_ref(pconn *c);
void pconn_unref(pconn *c);
/* Referenced snapshots, to be given to pconns_free(). by_name: "lab" means "lab", "lab/1x1", … and their
 * instances if asked. */
typedef struct pconns {
    pconn **c;
    size_t n;
} pconns;
pconns conns_by_name(pluto *p, const char *name, bool instances);
/* Best first: exact pair, then peers %any. Instances are left out unless asked for. */
pconns conns_for_hosts(pluto *p, const ip_addr *me, const ip_addr *peer, bool instances);
pconns conns_all(pluto *p); /* sorted by name, instances behind their template */
void pconns_free(pconns *l);

/* What the peer turned out to be; NULL members as in the template. Referenced; NULL without memory or beyond
 * the limit. An instance that fits is used again. */
typedef struct instance_of {
    endpoint peer;
    ident *peer_id;
    const subnet *peer_client;
    uint8_t proto;
    uint16_t peer_port;
} instance_of;
pconn *pconn_instantiate(pconn *t, const instance_of *i);
/* for instance.c: the table's reference moves to / comes back from the table; remove wants the lock held */
status conns_table_insert_instance(pluto *p, pconn *t, pconn *c) MUST_CHECK;
void conns_table_remove(pluto *p, pconn *c);
/* The conns with exactly this pair of hosts; lock held. NULL: none */
list *conns_bucket(pluto *p, const ip_addr *me, const ip_addr *other);
/* Those that have SAs with a peer of this identity, but c itself. */
pconns conns_with_peer_id(pluto *p, const pconn *c, const ident *id);
uint64_t ident_hash(const ident *id);
/* Changes the state's conn and its label. */
void state_set_conn(pstate *st, pconn *c);
void state_relabel(pstate *st);

/* ---- what a conn says ---- */
unsigned pconn_authby(const pconn *c);           /* AUTH_ bits, from authby or left/rightauth */
traffic_sel pconn_ts(const pconn *c, bool mine); /* client or the host itself */
bool pconn_is_tunnel(const pconn *c);
bool pconn_is_shunt(const pconn *c);
policy_kind pconn_shunt_kind(const pconn *c);
ip_addr pconn_nexthop(const pconn *c);

/* ---- text ---- */
char *pconn_topology(const pconn *c, char *dst, size_t size); /* "10.1.0.0/16===1.2.3.4...5.6.7.8" */
char *pconn_prefix(const pconn *c, char *dst, size_t size);   /* "lab", "rw"[2] 10.0.0.1 with quotes */
char *pconn_policy(const pconn *c, char *dst, size_t size);   /* PSK+ENCRYPT+TUNNEL+PFS+UP */
const char *routing_text(routing r);
enum { TOPO_TEXT = 1024, POLICY_TEXT = 256 };
#define TOPOLOGY(c)    pconn_topology((c), (char[TOPO_TEXT]){0}, TOPO_TEXT)
#define POLICY_BITS(c) pconn_policy((c), (char[POLICY_TEXT]){0}, POLICY_TEXT)
