/* Time comes in through an interface so that the simulator can own it. mono: milliseconds that never jump, for all
 * timers. wall: seconds since 1970, for certificates and for people.
 */
#pragma once
#include <stdint.h>

typedef struct clock_source {
    int64_t (*mono_ms)(void *ctx);
    int64_t (*wall_s)(void *ctx);
    void *ctx;
} clock_source;

extern const clock_source clock_system;

static inline int64_t clock_mono_ms(const clock_source *c)
{
    return c->mono_ms(c->ctx);
}
static inline int64_t clock_wall_s(const clock_source *c)
{
    return c->wall_s(c->ctx);
}
