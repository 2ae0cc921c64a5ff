/* How back ends raise kernel_events: each becomes a job of the runtime. Internal to this room. */
#pragma once
#include "libfreeswan/kernel/kernel.h"

typedef struct kevents kevents; /* reference counted: jobs under way hold it */

status kevents_new(kevents **out, runtime *rt) MUST_CHECK;
/* Nothing is called any more after this, but for what is running. NULL ok. */
void kevents_close(kevents *e);
void kevents_set(kevents *e, const kernel_events *ev); /* NULL: nobody listens */
/* A lost event (no memory) is not an error: acquires come again, expires have a hard limit behind them. */
void kevents_acquire(kevents *e, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst);
void kevents_expire(kevents *e, const kernel_sa_id *id, uint32_t reqid, bool hard);
void kevents_mapping(kevents *e, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer);
