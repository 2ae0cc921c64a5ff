/* Chooses the back end: the kernel's own stack where there is one, the userland ESP otherwise. */
#include "libfreeswan/kernel/kernel.h"
#include <string.h>

status kernel_new(kernel **out, const kernel_config *cfg, msgbuf *msg)
{
    const char *want = cfg->backend ? cfg->backend : "auto";

    if (strcmp(want, "xfrm") == 0)
        return kernel_xfrm_new(out, cfg, msg);
    if (strcmp(want, "esp") == 0)
        return kernel_esp_new(out, cfg, msg);
    if (strcmp(want, "auto") != 0)
        return msg_fail(msg, ST_INVALID, "unknown kernel back end '%s' (xfrm, esp or auto)", want);
    if (kernel_has_xfrm())
        return kernel_xfrm_new(out, cfg, msg);
    LOG(&cfg->log, KNL, 0, "this kernel has no ESP of its own, using the userland one");
    return kernel_esp_new(out, cfg, msg);
}
