/* What one part of the engine asks of another, each implemented in the file named. */
#pragma once
#include "pluto/sa/sa.h"

/* ---- sa/updown.c: conns up, down, routed ---- */
/* The first or a further IPsec SA of a conn is up. ST_* when policies or the script refused. */
status quick_conn_up(quick *q) MUST_CHECK;
void quick_conn_down(quick *q);
void pluto_conn_unroute(pluto *p, pconn *c, pl_client *cl);
status pluto_conn_route(pluto *p, pconn *c, pl_client *cl);
void ike_remove_virtual_ip(ike *i);

/* ---- sa/initiate.c ---- */
/* Ends every state of the conn, telling the peers. */
void pluto_conn_down(pluto *p, pconn *c, pl_client *cl);
/* The same without telling them: they are dead. */
void pluto_conn_forget(pluto *p, pconn *c);
void ike_start_main(ike *i);
/* Starts whatever is missing: phase 1, or quick mode under the one there is. */
void pluto_conn_initiate(pluto *p, pconn *c, pl_client *cl, uint64_t replaces, unsigned keying_try);
/* Phase 1 is ready for quick modes: starts what waits. */
void ike_unpend(ike *i);
/* Puts a quick mode on the SA's queue, or starts it if the SA is ready. */
void ike_want_quick(ike *i, pconn *c, pl_client *cl, uint64_t replaces, unsigned keying_try);
bool ike_ready(const ike *i); /* phase 1 established, XAUTH and Mode Config done */
/* Acquire from the kernel. */
void pluto_on_acquire(void *ctx, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst);
void pluto_on_expire(void *ctx, const kernel_sa_id *id, uint32_t reqid, bool hard);
void pluto_on_mapping(void *ctx, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer);

/* ---- sm/events.c ---- */
void state_event(pstate *st, pl_event ev);
/* Lifetimes: arms SA_REPLACE or SA_EXPIRE of a state that has just been established. */
void state_arm_lifetime(pstate *st, int64_t life_s);
/* Ends a state as our own decision: Delete is sent if it was established. */
void ike_delete(ike *i, bool tell);
void quick_delete(quick *q, bool tell);
/* Gives up on a negotiation: tells who waits, tries again after delay_ms if keyingtries says so. The caller
 * ends the state. */
void state_give_up(pstate *st, int64_t delay_ms);

/* ---- mode/ ---- */
status main_out_I1(ike *i); /* main_i.c: sends MI1 */
status quick_out_I1(ike *i, pconn *c, pl_client *cl, uint64_t replaces, unsigned keying_try); /* quick_i.c */
void ike_established(ike *i);         /* main.c: after MAIN_I4, MAIN_R3 */
void phase15_start(ike *i);           /* modecfg.c: XAUTH, Mode Config; then ike_unpend() */
void info_send_delete_isakmp(ike *i); /* info.c */
void info_send_delete_ipsec(ike *i, const quick *q);
void info_send_notify(ike *i, uint16_t type, uint8_t proto, span spi, span data);
/* In clear, without any state. */
void info_send_clear(pluto *p, const packet *pk, const ikev1_header *h, uint16_t type);
void dpd_start(ike *i); /* dpd.c */
void dpd_activity(ike *i);
void natt_start_keepalive(ike *i); /* natt.c */
