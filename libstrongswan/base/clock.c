/* The system's clocks. CLOCK_BOOTTIME, so that time spent suspended counts: lifetimes of SAs go on meanwhile.
 */
#include "libstrongswan/base/clock.h"
#include <stddef.h>
#include <time.h>

static int64_t system_mono(void *ctx)
{
    struct timespec ts;
    (void)ctx;
    if (clock_gettime(CLOCK_BOOTTIME, &ts) != 0)
        clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_wall(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

const clock_source clock_system = {system_mono, system_wall, NULL};
