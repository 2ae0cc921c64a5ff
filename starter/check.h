/* What `ipsec checkconf` finds wrong with a configuration that parses. */
#pragma once
#include "starter/starter.h"

typedef void finding_fn(void *ctx, const conf_message *m);
/* fn hears each finding, valid during the call; counts[severity] is raised for each. Dangling references and
 * secrets that are not there are errors; weak algorithms and conns that cannot be used as they stand are
 * warnings. Nothing is resolved, connected or changed; confdir is where ipsec.d and ipsec.secrets are. */
void find_faults(const config *cfg, const char *confdir, finding_fn *fn, void *ctx, size_t counts[4]);
