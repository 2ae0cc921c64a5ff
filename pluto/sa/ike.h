/* Making, finding, waking and ending ISAKMP SAs and quick modes. */
#pragma once
#include "pluto/sa/sa.h"

/* ---- life ---- the table holds one reference; the caller gets another */
status ike_new(ike **out, pluto *p, const endpoint *local, const endpoint *remote, bool initiator,
               const uint8_t *icookie) MUST_CHECK;
ike *ike_ref(ike *i);
void ike_unref(ike *i);
/* Both cookies are known: it is found by them from now on. */
status ike_set_cookies(ike *i, const uint8_t rcookie[8]) MUST_CHECK;
/* The phase 1 state is over; quick modes stay. Announces nothing. The ike goes with its last state. */
void ike_end_phase1(ike *i);
void ike_leave_half_open(ike *i);
/* The same for those who hold the lock. */
void ike_add_half_open(ike *i);
void ike_remove_half_open(ike *i);
uint16_t ike_half_bucket(const ip_addr *peer);
/* The peer sent our cookie back, so its address is no invention: makes room for others last. */
void ike_prove_half_open(ike *i);
void ike_random_cookie(pluto *p, uint8_t out[8]);
void ike_responder_cookie(pluto *p, const endpoint *remote, const uint8_t icookie[8], uint8_t out[8]);

status quick_new(quick **out, ike *i, pconn *c, uint32_t msgid, bool initiator) MUST_CHECK;
void quick_end(quick *q); /* removes its SAs; announces nothing */
quick *quick_by_msgid(ike *i, uint32_t msgid);
quick *quick_by_serial(ike *i, uint64_t serial);
void quick_index_spis(quick *q); /* after spi_in, spi_out are set */

/* ---- finding ---- referenced; NULL */
ike *ike_by_cookies(pluto *p, const uint8_t cookies[16]);
ike *ike_by_initiator(pluto *p, const uint8_t icookie[8], const endpoint *remote);
ike *ike_by_serial(pluto *p, uint64_t state); /* the owner of that state */
/* The quick mode that sends with (or, inbound, receives by) this SPI: its serial, 0 = none. */
uint64_t quick_serial_by_spi(pluto *p, bool inbound, uint8_t proto, uint32_t spi, const ip_addr *peer);
/* All of them, for walks outside the lock. */
typedef struct ikes {
    ike **i;
    size_t n;
} ikes;
ikes ikes_all(pluto *p);
ikes ikes_near(ike *i);                           /* those that share its mailbox, itself included */
ikes ikes_of_conn(pluto *p, const pconn *c);      /* those with a state of that conn */
ikes ikes_of_address(pluto *p, const ip_addr *a); /* those with a peer there */
void ikes_free(ikes *l);

/* ---- mail ---- args are copied; packet is taken over, c and client are referenced. ST_CLOSED, ST_LIMIT:
 * nothing happened (the packet is freed all the same). */
typedef struct ike_args {
    packet *pk;
    uint64_t serial, other;
    pconn *c;
    pl_client *client;
    unsigned n;
    bool flag;
    endpoint ep;
} ike_args;
typedef void ike_fn(ike *i, ike_args *a);
status ike_post(ike *i, ike_fn *fn, const ike_args *a);

/* ---- events of a state ---- from its mailbox */
void state_arm(pstate *st, pl_event ev, int64_t delay_ms);
void state_disarm(pstate *st);
void state_change(pstate *st, pl_state to);
void state_set_client(pstate *st, pl_client *cl); /* takes a reference, gives the old one back */
