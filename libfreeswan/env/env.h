/* All that a daemon's engine gets from outside. Both engines are made from one of these; the real one is put
 * together by env_start(), the simulator puts together its own. Members are borrowed by the engine and live
 * longer than it.
 */
#pragma once
#include "libfreeswan/env/keylog.h"
#include "libfreeswan/env/explain.h"
#include "libfreeswan/kernel/kernel.h"
#include "libfreeswan/kernel/updown.h"
#include "libfreeswan/net/host.h"
#include "libfreeswan/net/net.h"
#include "libstrongswan/base/settings.h"
#include "libstrongswan/cred/credstore.h"
#include "libstrongswan/crypto/crypto.h"
#include "libstrongswan/run/runtime.h"

enum { ENV_MAX_SINKS = 16 };
/* SO_MARK of our own sockets, so that IKE and ESP avoid the routes of table 220; starter opens them with it
 * too. Other value: DAEMON.mark in strongswan.conf. */
#define ENV_MARK 0xdcu

typedef struct env {
    const char *daemon; /* "charon", "pluto": section of strongswan.conf, syslog ident */
    runtime *rt;
    log_bus *log;
    explain_book *explain; /* NULL: nobody keeps what is explained */
    settings *settings;
    crypto *crypto;
    credstore *cred;
    net *net;
    host *host;
    kernel *kernel;
    updown *updown;
    keylog *save_keys;                 /* NULL: keys go nowhere, which is how it should be */
    int64_t started_wall_s;
    uint64_t sinks[ENV_MAX_SINKS + 1]; /* ids of log sinks whose levels may be changed; 0 ends */
} env;

typedef struct env_config {
    const char *daemon;
    net_role role;
    const char *confdir;         /* NULL = path_confdir() */
    const char *strongswan_conf; /* NULL = $STRONGSWAN_CONF or confdir/strongswan.conf */
    const char *secrets;         /* NULL = confdir/ipsec.secrets */
    uint16_t port, natt_port;    /* 0 = 500, 4500 */
    const ip_addr *listen;
    bool no_kernel;        /* --noklips: fake back end, no scripts, no routes */
    bool keep_privileges;  /* tests, debuggers */
    log_style style;       /* how lines look */
    const int *log_levels; /* LG_COUNT of the command line; NULL = 1 for all */
    bool log_console;      /* charon: stdout as well as syslog; pluto: stderr instead of syslog */
    bool no_syslog;
} env_config;

/* In the order of design.md: settings, log, crypto, descriptors, kernel; privileges are dropped last. On
 * failure msg says what and everything is undone. Certificates and secrets are not loaded yet: the daemon
 * does that when it is ready to log and to ask for pass phrases. */
status env_start(env *out, const env_config *cfg, msgbuf *msg) MUST_CHECK;
/* After runtime_run() has returned and the engine is freed. */
void env_stop(env *e);
/* Loads ipsec.d: CA, AA and OCSP certificates, attribute certificates, CRLs. What cannot be loaded is logged.
 */
void env_load_certs(env *e);
/* `stroke loglevel`: group LG_COUNT = all. */
void env_set_log_level(env *e, log_group group, int level);
