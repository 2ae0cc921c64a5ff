/* A live engine in a bottle: virtual clock, a network that only remembers, a fake kernel and host. The
 * attacker puts datagrams in and looks at what comes out and what is left behind.
 */
#pragma once
#include "charon/charon.h"
#include "libfreeswan/conf/conf.h"
#include "libfreeswan/env/env.h"
#include "libfreeswan/kernel/fake.h"
#include "pluto/pluto.h"

enum { OUTBOX = 512 };
#define HOSTILE_PSK "a shared secret"

typedef struct datagram {
    endpoint local, remote;
    bool natt;
    buf data;
} datagram;

typedef struct target {
    net net; /* first: the operations find the target by it */
    host host;
    ip_addr address;
    int64_t now_ms;
    clock_source clock;
    net_ike_fn *ike;
    void *ike_ctx;
    datagram out[OUTBOX];
    size_t n_out, sent; /* in the outbox; ever */
    env env;
    config *cfg;
    charon *charon; /* one of them */
    pluto *pluto;
} target;

extern crypto *lib;  /* loaded once */
extern bool verbose; /* logs go to stderr */
status lib_load(void) MUST_CHECK;
void lib_free(void);

/* An engine with the conns of an ipsec.conf text and one shared secret for everybody: pluto if v1, else
 * charon. */
status target_start(target *t, bool v1, const char *address, const char *conf, const char *psk) MUST_CHECK;
void target_stop(target *t);
/* A datagram arrives; everything that is due runs. */
void target_receive(target *t, const endpoint *from, uint16_t to_port, span data);
void target_run(target *t);
void target_pass(target *t, int64_t ms); /* virtual time goes by, timers run */
void target_forget(target *t);           /* empties the outbox */
/* The last datagram it sent to that address; NULL if there is none. */
const datagram *target_last(const target *t, const endpoint *to);
unsigned target_ike_sas(target *t);
unsigned target_established(target *t);
/* Delivers what a and b send each other until both are silent; other datagrams stay in the outboxes. */
void pump(target *a, target *b);
