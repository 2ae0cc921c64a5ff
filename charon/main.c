/* charon, the IKEv2 daemon: options, start, signals, end. The engine is charon/charon.h.
 *
 * Start: options -> pid file -> env_start() (settings, log, descriptors, kernel, privileges) -> engine ->
 * credentials -> control socket -> ready. TERM and INT say goodbye to the peers and then leave; HUP opens log
 * files again.
 */
#include "charon/charon.h"
#include "config.h"
#include "libstrongswan/base/arena.h"
#include "libstrongswan/run/optionsfrom.h"
#include "libstrongswan/run/paths.h"
#include "libstrongswan/run/process.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

enum { EXIT_INIT = 255, GRACE_MS = 5000, OPT_DEBUG = 1000 };

static const char usage_text[] =
    "Usage: charon\n"
    "         [--help]\n"
    "         [--version]\n"
    "         [--use-syslog]\n"
    "         [--debug-<type> <level>]\n"
    "           <type>:  log context type (dmn|mgr|ike|chd|job|cfg|knl|net|enc|lib)\n"
    "           <level>: log verbosity (-1 = silent, 0 = audit, 1 = control,\n"
    "                                    2 = controlmore, 3 = raw, 4 = private)\n"
    "         [--port <port>] [--port-nat-t <port>]\n"
    "         [--noklips]\n"
    "         [--optionsfrom <file>]\n";

typedef struct daemon_state {
    env env;
    charon *engine;
    stroke_server *stroke;
    log_scope log;
    char pidfile[256];
    bool leaving;
} daemon_state;

/* ---- options ---- */
static bool to_number(const char *text, long min, long max, long *out)
{
    char *end;

    errno = 0;
    *out = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == 0 && *out >= min && *out <= max;
}

static int usage(const char *complaint)
{
    if (complaint)
        fprintf(stderr, "charon: %s\n", complaint);
    fputs(usage_text, complaint ? stderr : stdout);
    return complaint ? 1 : 0;
}

/* -1: go on; else the exit status */
static int read_options(int argc, char **argv, env_config *cfg, int levels[LG_COUNT])
{
    static struct option options[8 + LG_COUNT];
    static char names[LG_COUNT][16];
    size_t n = 0;
    long v;
    int c;

    options[n++] = (struct option){"help", no_argument, NULL, 'h'};
    options[n++] = (struct option){"version", no_argument, NULL, 'v'};
    options[n++] = (struct option){"use-syslog", no_argument, NULL, 'l'};
    options[n++] = (struct option){"port", required_argument, NULL, 'p'};
    options[n++] = (struct option){"port-nat-t", required_argument, NULL, 'n'};
    options[n++] = (struct option){"noklips", no_argument, NULL, 'k'};
    for (int i = 0; i < LG_COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "debug-%s", log_group_names[i]);
        for (char *p = names[i]; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        options[n++] = (struct option){names[i], required_argument, NULL, OPT_DEBUG + i};
    }
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'h':
            return usage(NULL);
        case 'v':
            printf("Linux strongSwan %s\n", CYGNET_VERSION);
            return 0;
        case 'l':
            cfg->log_console = false;
            break;
        case 'k':
            cfg->no_kernel = true;
            break;
        case 'p':
        case 'n':
            if (!to_number(optarg, 1, 65535, &v))
                return usage("a port is a number from 1 to 65535");
            *(c == 'p' ? &cfg->port : &cfg->natt_port) = (uint16_t)v;
            break;
        default:
            if (c < OPT_DEBUG)
                return usage("unknown option");
            if (!to_number(optarg, -1, 4, &v))
                return usage("a log level is a number from -1 to 4");
            levels[c - OPT_DEBUG] = (int)v;
        }
    }
    return optind < argc ? usage("there are no arguments but options") : -1;
}

/* ---- signals ---- */
static void gone(void *ctx)
{
    daemon_state *d = ctx;

    runtime_stop(d->env.rt, 0);
}

static void on_signal(void *ctx, int signo)
{
    daemon_state *d = ctx;

    switch (signo) {
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        LOG(&d->log, DMN, 1, "signal of type %s received. Shutting down",
            signo == SIGINT    ? "SIGINT"
            : signo == SIGTERM ? "SIGTERM"
                               : "SIGQUIT");
        if (d->leaving) { /* asked twice: at once */
            runtime_stop(d->env.rt, 0);
            break;
        }
        d->leaving = true;
        process_notify("STOPPING=1");
        charon_shutdown(d->engine, GRACE_MS, gone, d);
        break;
    case SIGHUP:
        LOG(&d->log, DMN, 1, "signal of type SIGHUP received. Log files are opened again");
        log_reopen(d->env.log);
        break;
    default:
        break;
    }
}

/* Before any thread is made, so that all of them leave signals to process_signals(). */
static void block_signals(void)
{
    static const int ours[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        sigaddset(&set, ours[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* ---- start ---- */
static bool take_pidfile(daemon_state *d)
{
    msgbuf why;
    status st;

    path_join(path_piddir(), "charon.pid", d->pidfile, sizeof(d->pidfile));
    st = pidfile_create(d->pidfile, NULL);
    if (st == ST_OK)
        return true;
    openlog("charon", LOG_PID,
            LOG_DAEMON); /* there is no log yet: a second daemon must not touch the sockets */
    if (st == ST_EXISTS)
        msg_set(&why, "charon already running (\"%s\" exists)", d->pidfile);
    else
        msg_set(&why, "pid file '%s' could not be made: %s", d->pidfile, status_text(st));
    syslog(LOG_INFO, "00[DMN] %s", why.text);
    printf("00[DMN] %s\n", why.text);
    return false;
}

static bool start(daemon_state *d, msgbuf *why)
{
    LOG(&d->log, DMN, 1, "starting charon (strongSwan Version %s)", CYGNET_VERSION);
    if (charon_new(&d->engine, &d->env, why) != ST_OK)
        return false;
    env_load_certs(&d->env);
    if (credstore_load_secrets(d->env.cred, NULL, NULL) != ST_OK)
        LOG(&d->log, CFG, 1, "not all secrets could be loaded");
    if (stroke_server_new(&d->stroke, d->engine, NULL, d->env.sinks, why) != ST_OK)
        return false;
    if (process_signals(d->env.rt, on_signal, d) != ST_OK) {
        msg_set(why, "signals cannot be taken");
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    int levels[LG_COUNT], code;
    env_config cfg = {.daemon = "charon",
                      .role = NET_ROLE_OTHER,
                      .style = LOG_STYLE_CHARON,
                      .log_levels = levels,
                      .log_console = true};
    daemon_state d = {.leaving = false};
    msgbuf why = {0};
    arena mem;

    for (int i = 0; i < LG_COUNT; i++)
        levels[i] = 1;
    arena_init(&mem, 1 << 20);
    if (options_expand(&argc, &argv, path_confdir(), &mem, &why) != ST_OK) {
        code = usage(why.text);
        arena_free(&mem);
        return code;
    }
    code = read_options(argc, argv, &cfg, levels);
    if (code >= 0) {
        arena_free(&mem);
        return code;
    }
    block_signals();
    if (!take_pidfile(&d)) {
        arena_free(&mem);
        return EXIT_INIT;
    }
    if (env_start(&d.env, &cfg, &why) != ST_OK) {
        fprintf(stderr, "charon: %s\ninitialization failed - aborting charon\n", why.text);
        pidfile_remove(d.pidfile);
        arena_free(&mem);
        return EXIT_INIT;
    }
    d.log = (log_scope){.bus = d.env.log};
    if (start(&d, &why)) {
        process_ready();
        process_notify("READY=1");
        code = runtime_run(d.env.rt);
    } else {
        if (why.text[0])
            LOG(&d.log, DMN, 1, "%s", why.text);
        LOG(&d.log, DMN, 1, "initialization failed - aborting charon");
        code = EXIT_INIT;
    }
    stroke_server_free(d.stroke);
    charon_free(d.engine);
    pidfile_remove(d.pidfile);
    env_stop(&d.env);
    arena_free(&mem);
    return code;
}
