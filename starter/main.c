/* ipsec starter: reads ipsec.conf, opens the ports, runs pluto and charon, tells them their conns, and stays
 * to restart, update and stop them.
 */
#include "starter/starter.h"

#include "config.h"
#include "libstrongswan/run/child.h"
#include "libstrongswan/run/paths.h"
#include "libstrongswan/run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

enum { RESOLVE_MIN_MS = 10 * 1000, RESOLVE_MAX_MS = 300 * 1000 };

static int usage(void)
{
    fprintf(stderr, "Usage: starter [--nofork] [--auto-update <sec>] [--debug|--debug-more|--debug-all]\n");
    return STARTER_BAD_CONFIG;
}

static bool parse_args(starter *s, int argc, char **argv)
{
    static const struct option options[] = {
        {"nofork", no_argument, NULL, 'n'},
        {"auto-update", required_argument, NULL, 'u'},
        {"debug", no_argument, NULL, 'd'},
        {"debug-more", no_argument, NULL, 'd'},
        {"debug-all", no_argument, NULL, 'd'},
        {"checkconf", no_argument, NULL, 'c'},
        {"keywords", no_argument, NULL, 'k'},
        {"json", no_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},
        {"status", no_argument, NULL, 'S'},
        {"metrics", no_argument, NULL, 'M'},
        {"explain", no_argument, NULL, 'E'},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'n')
            s->nofork = true;
        else if (c == 'd')
            s->debug = true;
        else if (c == 'c')
            s->checkconf = true;
        else if (c == 'k')
            s->keywords = true;
        else if (c == 'j')
            s->json = true;
        else if (c == 'q')
            s->quiet = true;
        else if (c == 'S' || c == 'M' || c == 'E')
            s->report = c == 'S' ? "json" : c == 'M' ? "metrics" : "explain";
        else if (c == 'u')
            s->auto_update_s = (unsigned)strtoul(optarg, NULL, 10);
        if (c == '?' || (c == 'u' && (!s->auto_update_s || s->auto_update_s > 365 * 86400u)))
            return false;
    }
    if (s->checkconf && optind + 1 == argc)
        snprintf(s->conf_path, sizeof(s->conf_path), "%s", argv[optind++]);
    if (s->report && s->report[0] != 'm' && optind + 1 == argc)
        s->about_conn = argv[optind++];
    bool complete = !s->report || s->report[0] != 'e' || s->about_conn;
    return optind == argc && complete;
}

/* ---- before the fork ---- */

/* The pid in a file, if that process lives. */
static pid_t running(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    pid_t pid = n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

/* A daemon somebody else started stays theirs; a file of a dead one is removed. */
static void look_for_others(starter *s)
{
    for (int k = 0; k < DAEMONS; k++) {
        char path[4096];
        daemon_state *d = &s->d[k];
        snprintf(path, sizeof(path), "%s/%s", path_ipsecdir(), d->name);
        if (d->wanted && access(path, X_OK) != 0) {
            say(LOG_WARNING, "%s is not installed -- skipping %s start", path, d->name);
            d->wanted = false;
        }
        snprintf(path, sizeof(path), "%s/%s.pid", path_piddir(), d->name);
        if (running(path)) {
            say(LOG_WARNING, "%s is already running (%s exists) -- skipping %s start", d->name, path,
                d->name);
            d->wanted = false;
        } else {
            (void)unlink(path);
        }
    }
}

/* Without modprobe, or where everything is built in, nothing is lost; the daemons look for themselves. */
static void load_modules(void)
{
    static const char *const tools[] = {"/sbin/modprobe", "/usr/sbin/modprobe"};
    static const char *const env[] = {"PATH=/sbin:/bin:/usr/sbin:/usr/bin", NULL};
    for (size_t i = 0; i < 2; i++) {
        const char *const argv[] = {tools[i],       "-qa",          "af_key", "xfrm_user", "esp4",
                                    "esp6",         "ah4",          "ah6",    "ipcomp",    "ipcomp6",
                                    "xfrm4_tunnel", "xfrm6_tunnel", "tun",    NULL};
        child_spec spec = {.argv = argv, .envp = env, .timeout_ms = 10 * 1000};
        if (access(tools[i], X_OK) == 0) {
            (void)!child_run(&spec, NULL);
            return;
        }
    }
}

/* No ipsec.secrets yet: a key and a self-signed certificate, as ever. */
static void first_secrets(const starter *s)
{
    char secrets[4096], tool[4096], conf[4096], dir[4096];
    int wstatus = 0;
    path_join(path_confdir(), "ipsec.secrets", secrets, sizeof(secrets));
    path_join(path_ipsecdir(), "scepclient", tool, sizeof(tool));
    if (s->cfg->setup.secretsfile || access(secrets, F_OK) == 0 || access(tool, X_OK) != 0)
        return;
    snprintf(conf, sizeof(conf), "IPSEC_CONFDIR=%.4000s", path_confdir());
    snprintf(dir, sizeof(dir), "IPSEC_DIR=%.4000s", path_ipsecdir());
    const char *const argv[] = {tool, "--out", "pkcs1", "--out", "cert-self", "--quiet", NULL};
    const char *const env[] = {"PATH=/sbin:/bin:/usr/sbin:/usr/bin", conf, dir, NULL};
    child_spec spec = {.argv = argv, .envp = env, .timeout_ms = 60 * 1000};
    if (child_run(&spec, &wstatus) != ST_OK || wstatus)
        return;
    mode_t was = umask(0077);
    FILE *f = fopen(secrets, "wxe");
    umask(was);
    if (!f)
        return;
    fprintf(f, "# made by ipsec starter\n\n: RSA myKey.der\n");
    fclose(f);
    say(LOG_NOTICE, "made a private key, a self-signed certificate and %s", secrets);
}

/* ---- events ---- */

static void do_update(starter *s)
{
    config *cfg;
    say(LOG_NOTICE, "updating the configuration");
    process_notify("RELOADING=1");
    status st = starter_load(s, s->cfg, &cfg);
    if (!cfg)
        say(LOG_ERR, "can't reload config file: %s -- keeping old one", status_text(st));
    else if (st || cfg->n_errors) {
        say(LOG_ERR, "can't reload config file due to errors -- keeping old one");
        config_free(cfg);
    } else {
        feed_update(s, cfg);
    }
    process_notify("READY=1");
}

static void do_reload(starter *s)
{
    config *cfg;
    say(LOG_NOTICE, "reloading the configuration");
    process_notify("RELOADING=1");
    status st = starter_load(s, s->cfg, &cfg);
    if (!cfg || st || cfg->n_errors) {
        say(LOG_ERR, "can't reload config file due to errors -- keeping old one");
        config_free(cfg);
        cfg = s->cfg;
    }
    feed_reload(s, cfg);
    process_notify("READY=1");
}

static void reap(starter *s)
{
    int wstatus;
    pid_t pid;
    while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0)
        daemon_reaped(s, pid, wstatus);
}

static void on_signal(starter *s, int signo)
{
    switch (signo) {
    case SIGHUP:
        do_update(s);
        break;
    case SIGUSR1:
        do_reload(s);
        break;
    case SIGCHLD:
        break; /* reap() runs after every event */
    case SIGALRM:
        daemon_restart_due(s, true);
        break;
    default:
        s->stopping = true;
        break;
    }
}

/* Until the earliest of some times (0: none); -1: for ever. */
static int wait_ms(const starter *s, int64_t next_update, int64_t next_resolve)
{
    int64_t now = clock_mono_ms(&clock_system), best = daemon_next_restart(s);
    const int64_t times[] = {next_update, next_resolve};
    for (size_t i = 0; i < 2; i++) {
        int64_t left = times[i] > now ? times[i] - now : 0;
        if (times[i] && (best < 0 || left < best))
            best = left;
    }
    return best > INT32_MAX ? INT32_MAX : (int)best;
}

static bool any_waits(const starter *s)
{
    bool any = false;
    for (size_t i = 0; i < s->cfg->n_conns && !any; i++)
        any = conn_waits(s->cfg->conns[i]);
    return any;
}

static void run(starter *s, int signals)
{
    int64_t period = 1000 * (int64_t)s->auto_update_s, resolve_pause = RESOLVE_MIN_MS;
    int64_t next_update = period ? clock_mono_ms(&clock_system) + period : 0, next_resolve = 0;
    while (!s->stopping) {
        struct pollfd p = {.fd = signals, .events = POLLIN};
        struct signalfd_siginfo info;
        reap(s);
        if (!next_resolve && any_waits(s))
            next_resolve = clock_mono_ms(&clock_system) + resolve_pause;
        (void)poll(&p, 1, wait_ms(s, next_update, next_resolve));
        while (!s->stopping && read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
            on_signal(s, (int)info.ssi_signo);
        reap(s);
        if (s->stopping)
            break;
        daemon_restart_due(s, false);
        int64_t now = clock_mono_ms(&clock_system);
        if (next_update && now >= next_update) {
            do_update(s);
            next_update = now + period;
        }
        if (next_resolve && now >= next_resolve) {
            resolve_pause = feed_resolved(s) ? 2 * resolve_pause : RESOLVE_MIN_MS;
            if (resolve_pause > RESOLVE_MAX_MS)
                resolve_pause = RESOLVE_MAX_MS;
            next_resolve = 0;
        }
    }
}

static int signal_descriptor(void)
{
    sigset_t set;
    sigemptyset(&set);
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGCHLD, SIGALRM};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- all of it ---- */

/* What can be refused is refused here, while somebody reads stderr. */
static int prepare(starter *s, const char *pid_path)
{
    say(LOG_NOTICE, "Starting strongSwan %s IPsec [starter]...", CYGNET_VERSION);
    if (getuid() != 0) {
        say(LOG_ERR, "permission denied (must be superuser)");
        return STARTER_NOT_ROOT;
    }
    if (running(pid_path)) {
        say(LOG_WARNING, "starter is already running (%s exists) -- no fork done", pid_path);
        return -1;
    }
    status st = starter_load(s, NULL, &s->cfg);
    if (st || !s->cfg) {
        say(LOG_ERR, "unable to start strongSwan -- fatal errors in config");
        return STARTER_BAD_CONFIG;
    }
    s->d[PLUTO].wanted = s->cfg->setup.plutostart;
    s->d[CHARON].wanted = s->cfg->setup.charonstart;
    look_for_others(s);
    load_modules();
    first_secrets(s);
    return daemon_prepare_sockets(s) == ST_OK ? STARTER_OK : STARTER_MISSING;
}

static int serve(starter *s, const char *pid_path)
{
    bool any = false;
    int signals = signal_descriptor();
    if (signals < 0 || pidfile_create(pid_path, NULL) != ST_OK) {
        say(LOG_ERR, "cannot write %s: %s", pid_path, strerror(errno));
        return STARTER_MISSING;
    }
    for (int k = 0; k < DAEMONS; k++)
        if (s->d[k].wanted && daemon_start(s, (daemon_kind)k) == ST_OK)
            any = true;
    for (int k = 0; k < DAEMONS; k++)
        feed_all(s, (daemon_kind)k, s->cfg);
    bool wanted = s->d[PLUTO].wanted || s->d[CHARON].wanted;
    for (int k = 0; k < DAEMONS; k++)
        if (any && s->d[k].wanted && !s->d[k].pid)
            daemon_schedule(s, (daemon_kind)k);
    if (any || !wanted) {
        process_ready();
        process_notify("READY=1");
        if (!s->nofork)
            say_background();
        run(s, signals);
    }
    process_notify("STOPPING=1");
    daemon_stop_all(s);
    pidfile_remove(pid_path);
    say(LOG_NOTICE, "ipsec starter stopped");
    return any || !wanted ? STARTER_OK : STARTER_MISSING;
}

int main(int argc, char **argv)
{
    static starter s;
    char pid_path[4096];
    if (!parse_args(&s, argc, argv))
        return usage();
    if (!s.conf_path[0])
        path_join(path_confdir(), "ipsec.conf", s.conf_path, sizeof(s.conf_path));
    if (s.checkconf)
        return check_config(s.conf_path, s.json, s.quiet);
    if (s.report)
        return report(s.report, s.about_conn);
    if (s.keywords)
        return print_keywords();
    say_open(true);
    path_join(path_piddir(), "starter.pid", pid_path, sizeof(pid_path));
    daemon_init(&s);
    int code = prepare(&s, pid_path);
    if (code == STARTER_OK && !s.nofork && process_daemonize() != ST_OK) {
        say(LOG_ERR, "cannot go into the background: %s", strerror(errno));
        code = STARTER_MISSING;
    }
    if (code == STARTER_OK)
        code = serve(&s, pid_path);
    config_free(s.cfg);
    return code < 0 ? STARTER_OK : code;
}
