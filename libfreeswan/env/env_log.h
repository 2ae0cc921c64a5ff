/* The log's part of env_start(). */
#pragma once
#include "libfreeswan/env/env.h"

/* The bus and its sinks: as strongswan.conf says, else those of the command line. */
status env_start_log(env *e, const env_config *cfg, msgbuf *msg) MUST_CHECK;
