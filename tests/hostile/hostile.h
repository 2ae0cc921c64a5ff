/* The hostile tests: constructed inputs against live engines. A case passes when the engine neither crashes
 * nor believes what it must not, and comes back to rest. */
#pragma once
#include "tests/hostile/v1peer.h"
#include "tests/hostile/v2peer.h"

#define TARGET_IP   "192.0.2.1"
#define HONEST_IP   "192.0.2.2"
#define ATTACKER_IP "198.51.100.7"
enum { REST_MS = 400 * 1000 }; /* after that long every attempt has been given up */

extern const char conf_v1[], conf_v1_call[], conf_v1_honest[]; /* the same for IKEv1 */
extern const char conf_responder[];                            /* anybody with the secret may come in */
extern const char conf_initiator[], conf_honest[];             /* TARGET_IP calls HONEST_IP: conn "call" */

/* Counts; a failure prints its text. Returns ok. */
bool check(bool ok, const char *fmt, ...) PRINTF_LIKE(2, 3);
void skip(const char *why); /* counts it and says why */
/* Starts or ends the process. pluto for conf_v1…, charon for the others. */
void start_target(target *t, const char *address, const char *conf);
/* No IKE_SA, nothing in the kernel, after the timeouts have passed. */
void expect_rest(target *t, const char *what);
/* Whatever there is belongs together. */
void expect_no_orphans(target *t, const char *what);

void v2_malformed(void); /* v2_malformed.c: classes 1, 2, 6, 10 */
void v2_auth_inputs(void);
void v2_states(void); /* v2_states.c: classes 3, 4, 9 */
void v2_established(void);
void v2_initiator(void);
void v2_fragments(void);
void v1_malformed(void); /* v1_malformed.c */
void v1_states(void);    /* v1_states.c */
void v1_quick(void);
void v1_fragments(void);
void v1_flood(void);
void v1_initiator(void); /* v1_initiator.c */
void oom_prepare(void);  /* oom.c; first of all */
void oom_v2(void);
void oom_v1(void);
void v1_noise(void); /* noise.c */
void v2_noise(void);
void v2_flood(void); /* v2_flood.c */
