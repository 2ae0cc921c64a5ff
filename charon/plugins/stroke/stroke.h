/* Inside of the stroke server. */
#pragma once
#include "charon/engine.h"
#include "libfreeswan/wire/control.h"
#include "libstrongswan/run/ctlserver.h"

enum { STROKE_MAX_SINKS = 16 };

struct stroke_server {
    charon *ch;
    ctl_server *ctl;
    log_scope log;
    uint64_t sinks[STROKE_MAX_SINKS];
    size_t n_sinks;
};

/* `ipsec list…`: mask of CTL_LIST_ */
void stroke_list(charon *ch, uint32_t mask, bool utc, buf *out);
