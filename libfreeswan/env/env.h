/* All that a daemon's engine gets from outside. Both engines are made from one of these; the real one is put together by
 * env_start(), the simulator puts together its own. Members are borrowed by the engine and live longer than it.
 */
#pragma once
#include "libfreeswan/kernel/kernel.h"
#include "libfreeswan/kernel/updown.h"
#include "libfreeswan/net/host.h"
#include "libfreeswan/net/net.h"
#include "libstrongswan/base/settings.h"
#include "libstrongswan/cred/credstore.h"
#include "libstrongswan/crypto/crypto.h"
#include "libstrongswan/run/runtime.h"

typedef struct env {
    const char *daemon; /* "charon", "pluto": section of strongswan.conf, syslog ident */
    runtime *rt;
    log_bus *log;
    settings *settings;
    crypto *crypto;
    credstore *cred;
    net *net;
    host *host;
    kernel *kernel;
    updown *updown;
} env;

typedef struct env_config {
    const char *daemon;
    net_role role;
    const char *confdir;       /* NULL = IPSEC_CONFDIR */
    const char *strongswan_conf; /* NULL = $STRONGSWAN_CONF or confdir/strongswan.conf */
    const char *secrets;       /* NULL = confdir/ipsec.secrets */
    uint16_t port, natt_port;  /* 0 = 500, 4500 */
    const ip_addr *listen;
    bool no_kernel;            /* --noklips: fake back end */
} env_config;
/* In the order of design.md: settings, log, crypto, descriptors, kernel; privileges are dropped last. On failure msg says
 * what and everything is undone. */
status env_start(env *out, const env_config *cfg, msgbuf *msg) MUST_CHECK;
void env_stop(env *e);
