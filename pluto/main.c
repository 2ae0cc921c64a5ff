/* pluto, the IKEv1 daemon: options, start, signals, end. The engine is pluto/pluto.h.
 *
 * Start: options -> env_start() (settings, log, descriptors, kernel, privileges) -> pid file -> engine ->
 * certificates -> control socket -> ready. It is deaf until whack says --listen; secrets are read then. TERM,
 * INT and --shutdown tell the peers; HUP opens log files again.
 */
#include "config.h"
#include "libfreeswan/net/net.h"
#include "libstrongswan/base/arena.h"
#include "libstrongswan/run/optionsfrom.h"
#include "libstrongswan/run/paths.h"
#include "libstrongswan/run/process.h"
#include "pluto/pluto.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_LOCKED = 10, GRACE_MS = 3000 };

typedef struct daemon_state {
    env env;
    pluto *engine;
    ctl_server *ctl;
    log_scope log;
    atomic_bool leaving; /* a signal and whack may come together */
    char pidfile[256], ctlfile[256];
} daemon_state;

typedef struct args {
    env_config env;
    pluto_options opt;
    bool nofork;
    char ctlbase[240];
    char interfaces[512];
    char confdir[240];
} args;

/* ---- options ---- */

enum opt_id {
    OPT_HELP = 256,
    OPT_VERSION,
    OPT_NOFORK,
    OPT_STDERRLOG,
    OPT_NOKLIPS,
    OPT_NOCRSEND,
    OPT_STRICTCRL,
    OPT_CACHECRLS,
    OPT_UNIQUEIDS,
    OPT_CRLCHECK,
    OPT_INTERFACE,
    OPT_IKEPORT,
    OPT_NATTPORT,
    OPT_CTLBASE,
    OPT_SECRETS,
    OPT_NATT,
    OPT_FORCE_KEEPALIVE,
    OPT_NO_FLOAT,
    OPT_KEEP_ALIVE,
    OPT_VPRIV,
    OPT_WORD,
    OPT_FLAG,
    OPT_DEBUG_NONE,
    OPT_DEBUG
};

// clang-format off
static const struct option options[] = {
    {"help", no_argument, NULL, OPT_HELP}, {"version", no_argument, NULL, OPT_VERSION},
    {"nofork", no_argument, NULL, OPT_NOFORK}, {"stderrlog", no_argument, NULL, OPT_STDERRLOG},
    {"noklips", no_argument, NULL, OPT_NOKLIPS}, {"nocrsend", no_argument, NULL, OPT_NOCRSEND},
    {"strictcrlpolicy", no_argument, NULL, OPT_STRICTCRL}, {"crlcheckinterval", required_argument, NULL, OPT_CRLCHECK},
    {"cachecrls", no_argument, NULL, OPT_CACHECRLS}, {"uniqueids", no_argument, NULL, OPT_UNIQUEIDS},
    {"interface", required_argument, NULL, OPT_INTERFACE}, {"ikeport", required_argument, NULL, OPT_IKEPORT},
    {"natikeport", required_argument, NULL, OPT_NATTPORT},
    {"ctlbase", required_argument, NULL, OPT_CTLBASE}, {"secretsfile", required_argument, NULL, OPT_SECRETS},
    {"nat_traversal", no_argument, NULL, OPT_NATT}, {"force_keepalive", no_argument, NULL, OPT_FORCE_KEEPALIVE},
    {"disable_port_floating", no_argument, NULL, OPT_NO_FLOAT}, {"keep_alive", required_argument, NULL, OPT_KEEP_ALIVE},
    {"virtual_private", required_argument, NULL, OPT_VPRIV},
    /* accepted, without effect in this daemon: DNS keys, policy groups, per-peer logs, smartcards, test impairments */
    {"foodgroupsdir", required_argument, NULL, OPT_WORD}, {"policygroupsdir", required_argument, NULL, OPT_WORD},
    {"perpeerlogbase", required_argument, NULL, OPT_WORD}, {"perpeerlog", no_argument, NULL, OPT_FLAG},
    {"adns", required_argument, NULL, OPT_WORD}, {"lwdnsq", required_argument, NULL, OPT_WORD},
    {"pkcs11module", required_argument, NULL, OPT_WORD}, {"pkcs11initargs", required_argument, NULL, OPT_WORD},
    {"pkcs11keepstate", no_argument, NULL, OPT_FLAG}, {"pkcs11proxy", no_argument, NULL, OPT_FLAG},
    {"impair-delay-adns-key-answer", no_argument, NULL, OPT_FLAG}, {"impair-delay-adns-txt-answer", no_argument, NULL, OPT_FLAG},
    {"impair-bust-mi2", no_argument, NULL, OPT_FLAG}, {"impair-bust-mr2", no_argument, NULL, OPT_FLAG},
    {"debug-none", no_argument, NULL, OPT_DEBUG_NONE}, {"debug-all", no_argument, NULL, OPT_DEBUG + 16},
    {"debug-raw", no_argument, NULL, OPT_DEBUG + 0}, {"debug-crypt", no_argument, NULL, OPT_DEBUG + 1},
    {"debug-parsing", no_argument, NULL, OPT_DEBUG + 2}, {"debug-emitting", no_argument, NULL, OPT_DEBUG + 3},
    {"debug-control", no_argument, NULL, OPT_DEBUG + 4}, {"debug-lifecycle", no_argument, NULL, OPT_DEBUG + 5},
    {"debug-klips", no_argument, NULL, OPT_DEBUG + 6}, {"debug-dns", no_argument, NULL, OPT_DEBUG + 7},
    {"debug-natt", no_argument, NULL, OPT_DEBUG + 8}, {"debug-oppo", no_argument, NULL, OPT_DEBUG + 9},
    {"debug-controlmore", no_argument, NULL, OPT_DEBUG + 10}, {"debug-private", no_argument, NULL, OPT_DEBUG + 12},
    {NULL, 0, NULL, 0},
};
// clang-format on

static int usage(const char *complaint)
{
    FILE *to = complaint ? stderr : stdout;
    if (complaint)
        fprintf(to, "pluto: %s\n", complaint);
    fputs("Usage: pluto", to);
    for (size_t k = 0; options[k].name; k++)
        fprintf(to, " [--%s%s]%s", options[k].name, options[k].has_arg ? " <value>" : "",
                k % 3 == 2 ? "\n\t" : "");
    fputs(" [--optionsfrom <file>]\n", to);
    return complaint ? 1 : 0;
}

static bool number(const char *text, long min, long max, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == 0 && *out >= min && *out <= max;
}

static int take_number(args *a, int c, const char *text)
{
    long v;
    bool port = c == OPT_IKEPORT || c == OPT_NATTPORT;
    if (!number(text, port ? 1 : 0, port ? 65535 : 10 * 86400, &v))
        return usage(port ? "a port is a number from 1 to 65535" : "a time is a number of seconds");
    if (c == OPT_IKEPORT)
        a->env.port = (uint16_t)v;
    else if (c == OPT_NATTPORT)
        a->env.natt_port = (uint16_t)v;
    else if (c == OPT_KEEP_ALIVE)
        a->opt.keep_alive_s = v;
    return -1;
}

static int take_option(args *a, int c)
{
    size_t n;
    switch (c) {
    case OPT_HELP:
        return usage(NULL);
    case OPT_VERSION:
        printf("Linux strongSwan %s\n", CYGNET_VERSION);
        return 0;
    case OPT_NOFORK:
        a->nofork = true;
        return -1;
    case OPT_STDERRLOG:
        a->env.log_console = true;
        a->env.no_syslog = true;
        return -1;
    case OPT_NOKLIPS:
        a->env.no_kernel = true;
        return -1;
    case OPT_NOCRSEND:
        a->opt.nocrsend = true;
        return -1;
    case OPT_STRICTCRL:
        a->opt.strictcrl = 1;
        return -1;
    case OPT_UNIQUEIDS:
        a->opt.uniqueids = true;
        return -1;
    case OPT_NATT:
        a->opt.nat_traversal = true;
        return -1;
    case OPT_FORCE_KEEPALIVE:
        a->opt.force_keepalive = true;
        return -1;
    case OPT_NO_FLOAT:
        a->opt.disable_port_floating = true;
        return -1;
    case OPT_VPRIV:
        a->opt.virtual_private = optarg;
        return -1;
    case OPT_SECRETS:
        a->env.secrets = optarg;
        return -1;
    case OPT_CTLBASE:
        snprintf(a->ctlbase, sizeof(a->ctlbase), "%s", optarg);
        return -1;
    case OPT_INTERFACE:
        n = strlen(a->interfaces);
        snprintf(a->interfaces + n, sizeof(a->interfaces) - n, "%s%s", n ? " " : "", optarg);
        return -1;
    case OPT_CRLCHECK:
    case OPT_IKEPORT:
    case OPT_NATTPORT:
    case OPT_KEEP_ALIVE:
        return take_number(a, c, optarg);
    case OPT_CACHECRLS:
    case OPT_WORD:
    case OPT_FLAG:
        return -1;
    case OPT_DEBUG_NONE:
        a->opt.debug = 0;
        return -1;
    case OPT_DEBUG + 16:
        a->opt.debug |= PLDBG_ALL;
        return -1;
    default:
        if (c < OPT_DEBUG)
            return usage("unknown option");
        a->opt.debug |= 1u << (c - OPT_DEBUG);
        return -1;
    }
}

/* -1: go on; else the exit status */
static int read_options(int argc, char **argv, args *a)
{
    int c, code = -1;
    while (code < 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
        code = take_option(a, c);
    if (code < 0 && optind < argc)
        return usage("there are no arguments but options");
    return code;
}

/* ---- signals ---- */

static void gone(void *ctx)
{
    daemon_state *d = ctx;
    runtime_stop(d->env.rt, 0);
}

static void leave(void *ctx)
{
    daemon_state *d = ctx;
    if (atomic_exchange(&d->leaving, true)) { /* asked twice: at once */
        gone(d);
        return;
    }
    LOG(&d->log, DMN, 0, "shutting down");
    process_notify("STOPPING=1");
    pluto_shutdown(d->engine, GRACE_MS, gone, d);
}

static void on_signal(void *ctx, int signo)
{
    daemon_state *d = ctx;
    if (signo == SIGHUP)
        log_reopen(d->env.log);
    else if (signo == SIGTERM || signo == SIGINT || signo == SIGQUIT)
        leave(d);
}

/* ---- start ---- */

static int take_pidfile(daemon_state *d, const char *base)
{
    snprintf(d->pidfile, sizeof(d->pidfile), "%s.pid", base);
    snprintf(d->ctlfile, sizeof(d->ctlfile), "%s.ctl", base);
    status st = pidfile_create(d->pidfile, NULL);
    if (st == ST_OK)
        return 0;
    if (st == ST_EXISTS)
        fprintf(stderr, "pluto: lock file \"%s\" already exists\n", d->pidfile);
    else
        fprintf(stderr, "pluto: lock file \"%s\" could not be made: %s\n", d->pidfile, strerror(errno));
    d->pidfile[0] = 0;
    return st == ST_EXISTS ? EXIT_LOCKED : 1;
}

static bool start(daemon_state *d, const args *a, msgbuf *why)
{
    if (pluto_new(&d->engine, &d->env, &a->opt, why) != ST_OK)
        return false;
    pluto_on_shutdown(d->engine, leave, d);
    env_load_certs(&d->env);
    ctl_server_config cc = {
        .path = d->ctlfile,
        .magic = CTL_MAGIC_WHACK,
        .group = (gid_t)-1,
        .log = d->log,
        .handle = pluto_whack_handle,
        .ctx = d->engine,
    };
    if (ctl_server_new(&d->ctl, d->env.rt, &cc) != ST_OK) {
        msg_set(why, "control socket \"%s\" could not be made: %s", d->ctlfile, strerror(errno));
        return false;
    }
    if (process_signals(d->env.rt, on_signal, d) != ST_OK) {
        msg_set(why, "signals cannot be taken");
        return false;
    }
    return true;
}

static int run(daemon_state *d, const args *a, msgbuf *why)
{
    int code = 1;
    process_block_signals();
    if (env_start(&d->env, &a->env, why) != ST_OK)
        return 1;
    d->log = (log_scope){.bus = d->env.log};
    LOG(&d->log, DMN, 0, "Starting Pluto (strongSwan Version %s THREADS LIBCURL LIBLDAP VENDORID)",
        CYGNET_VERSION);
    if (start(d, a, why)) {
        if (a->nofork) {
            printf("Pluto initialized\n");
            fflush(stdout);
        }
        process_ready();
        process_notify("READY=1");
        code = runtime_run(d->env.rt);
    }
    ctl_server_free(d->ctl);
    pluto_free(d->engine);
    env_stop(&d->env);
    return code;
}

int main(int argc, char **argv)
{
    static args a;
    daemon_state d = {.pidfile = ""};
    msgbuf why;
    arena mem;
    int code;
    a.env = (env_config){.daemon = "pluto", .role = NET_ROLE_IKEV1, .style = LOG_STYLE_PLUTO};
    a.opt.deaf = true;
    msg_clear(&why);
    path_join(path_piddir(), "pluto", a.ctlbase, sizeof(a.ctlbase));
    arena_init(&mem, 1 << 20);
    if (options_expand(&argc, &argv, path_confdir(), &mem, &why) != ST_OK)
        code = usage(why.text);
    else
        code = read_options(argc, argv, &a);
    if (code >= 0) {
        arena_free(&mem);
        return code;
    }
    if (a.interfaces[0])
        a.opt.interfaces = a.interfaces;
    code = take_pidfile(&d, a.ctlbase);
    if (code == 0 && !a.nofork) {
        pidfile_remove(d.pidfile);
        if (process_daemonize() != ST_OK || (code = take_pidfile(&d, a.ctlbase)) != 0)
            code = code ? code : 1;
    }
    if (code == 0) {
        code = run(&d, &a, &why);
        if (why.text[0])
            fprintf(stderr, "pluto: %s\n", why.text);
        pidfile_remove(d.pidfile);
    }
    arena_free(&mem);
    return code;
}
