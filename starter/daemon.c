/* Running the two daemons: command lines from `config setup`, sockets that outlive them, restart with growing
 * pauses.
 *
 * Both ports' sockets are opened here, before either daemon, and inherited by every life of a daemon, so that
 * packets which come while it is away wait in the socket.
 */
#include "starter/starter.h"

#include "libfreeswan/kernel/kernel.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/run/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

enum {
    PAUSE_FIRST_S = 5,
    PAUSE_MAX_S = 60,
    STEADY_MS = 60 * 1000, /* who lived that long starts again with the first pause */
    START_MS = 15 * 1000,
    STOP_MS = 8000, /* `ipsec stop` waits a little longer */
    POLL_US = 20 * 1000,
    MAX_ARGS = 128
};

typedef struct command {
    const char *argv[MAX_ARGS + 1];
    int n;
    arena mem;
} command;

static void arg(command *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void arg(command *c, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    char *copy = arena_str(&c->mem, span_str(text));
    if (copy && c->n < MAX_ARGS)
        c->argv[c->n++] = copy;
}

static void flag(command *c, bool on, const char *name)
{
    if (on)
        arg(c, "--%s", name);
}

static void value(command *c, const char *name, const char *text)
{
    if (!text)
        return;
    arg(c, "--%s", name);
    arg(c, "%s", text);
}

/* Each word of a blank-separated list, with a prefix. */
static void words(command *c, const char *prefix, const char *text)
{
    span rest = span_str(text);
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t' && rest.p[n] != ',')
            n++;
        if (n)
            arg(c, "%s%.*s", prefix, (int)n, (const char *)rest.p);
        rest = span_skip(rest, n + 1);
    }
}

static void pluto_command(const starter *s, command *c)
{
    const setup *o = &s->cfg->setup;
    arg(c, "%s/pluto", path_ipsecdir());
    arg(c, "--nofork");
    flag(c, s->nofork || o->plutostderrlog, "stderrlog");
    words(c, "--debug-", o->plutodebug);
    flag(c, o->uniqueids != UNIQUE_NO, "uniqueids");
    flag(c, o->nocrsend, "nocrsend");
    flag(c, o->strictcrl != CRL_NO, "strictcrlpolicy");
    flag(c, o->cachecrls, "cachecrls");
    if (o->crlcheckinterval_s > 0) {
        arg(c, "--crlcheckinterval");
        arg(c, "%lld", (long long)o->crlcheckinterval_s);
    }
    if (o->ikeport)
        arg(c, "--ikeport=%u", o->ikeport);
    value(c, "secretsfile", o->secretsfile);
    flag(c, o->perpeerlog, "perpeerlog");
    value(c, "perpeerlogbase", o->perpeerlogdir);
    value(c, "pkcs11module", o->pkcs11module);
    value(c, "pkcs11initargs", o->pkcs11initargs);
    flag(c, o->pkcs11keepstate, "pkcs11keepstate");
    flag(c, o->pkcs11proxy, "pkcs11proxy");
    flag(c, o->nat_traversal, "nat_traversal");
    flag(c, o->force_keepalive, "force_keepalive");
    flag(c, o->disable_port_floating, "disable_port_floating");
    if (o->keep_alive_s) {
        arg(c, "--keep_alive");
        arg(c, "%lld", (long long)o->keep_alive_s);
    }
    value(c, "virtual_private", o->virtual_private);
    words(c, "", o->plutoopts);
}

static void charon_command(const starter *s, command *c)
{
    span rest = span_str(s->cfg->setup.charondebug), pair;
    arg(c, "%s/charon", path_ipsecdir());
    flag(c, !s->nofork, "use-syslog");
    if (s->cfg->setup.ikeport)
        arg(c, "--port=%u", s->cfg->setup.ikeport);
    if (s->cfg->setup.nat_ikeport)
        arg(c, "--port-nat-t=%u", s->cfg->setup.nat_ikeport);
    while (span_cut(&rest, ',', &pair)) {
        pair = span_trim(pair);
        size_t n = 0;
        while (n < pair.n && pair.p[n] != ' ' && pair.p[n] != '\t')
            n++;
        span level = span_trim(span_skip(pair, n));
        if (!n)
            continue;
        static const char *const groups[] = {"dmn", "mgr", "ike", "chd", "job",
                                             "cfg", "knl", "net", "enc", "lib"};
        bool all = span_equal_nocase(span_take(pair, n), SPAN_LIT("all"));
        for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
            if (all || span_equal_nocase(span_take(pair, n), span_str(groups[i]))) {
                arg(c, "--debug-%s", groups[i]);
                arg(c, "%.*s", (int)level.n, (const char *)level.p);
            }
    }
}

/* ---- sockets ---- */

void daemon_init(starter *s)
{
    s->d[PLUTO] = (daemon_state){
        .kind = PLUTO, .name = "pluto", .magic = CTL_MAGIC_WHACK, .pause_s = PAUSE_FIRST_S};
    s->d[CHARON] = (daemon_state){
        .kind = CHARON, .name = "charon", .magic = CTL_MAGIC_STROKE, .pause_s = PAUSE_FIRST_S};
}

status daemon_prepare_sockets(starter *s)
{
    const setup *o = &s->cfg->setup;
    msgbuf msg = {""};
    ip_addr listen_on;
    if (!s->d[PLUTO].wanted || !s->d[CHARON].wanted)
        return ST_OK; /* one alone opens its own */
    net_udp_config cfg = {.role = NET_ROLE_ALL,
                          .port = o->ikeport,
                          .natt_port = o->nat_ikeport,
                          .udp_encap = kernel_has_xfrm()};
    if (o->listen && addr_from_text(&listen_on, o->listen, NULL) == ST_OK)
        cfg.listen = &listen_on;
    status st = net_prepare_sockets(&s->d[PLUTO].sockets, &s->d[CHARON].sockets, &cfg, &msg);
    if (st) {
        say(LOG_ERR, "cannot open the IKE ports: %s", msg.text);
        return st;
    }
    s->d[PLUTO].have_sockets = s->d[CHARON].have_sockets = true;
    return ST_OK;
}

/* ---- starting ---- */

static void child_environment(const daemon_state *d)
{
    char text[64];
    if (d->have_sockets) {
        setenv(NET_SOCKETS_ENV, net_sockets_env(&d->sockets, text, sizeof(text)), 1);
        for (int i = 0; i < NET_FDS; i++)
            if (d->sockets.fd[i] >= 0)
                (void)fcntl(d->sockets.fd[i], F_SETFD, 0);
    } else {
        unsetenv(NET_SOCKETS_ENV);
    }
    unsetenv("NOTIFY_SOCKET"); /* readiness is ours to tell */
}

static void child_output(const starter *s, const daemon_state *d)
{
    const char *path = d->kind == PLUTO ? s->cfg->setup.plutostderrlog : NULL;
    int null = open("/dev/null", O_RDWR);
    if (null >= 0)
        (void)dup2(null, 0);
    if (path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
        if (fd >= 0)
            (void)dup2(fd, 2);
    } else if (!s->nofork && null >= 0) {
        (void)dup2(null, 1);
        (void)dup2(null, 2);
    }
    if (null > 2)
        close(null);
}

static pid_t spawn(const starter *s, const daemon_state *d, command *c)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGCHLD, SIGALRM, SIGPIPE};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a ^C at --nofork is the starter's: it stops us in order */
    child_environment(d);
    child_output(s, d);
    execv(c->argv[0], (char *const *)(uintptr_t)c->argv);
    _exit(127);
}

static void run_hook(const char *script, const char *what)
{
    if (!script)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    int wstatus = 0;
    while (pid > 0 && waitpid(pid, &wstatus, 0) < 0 && errno == EINTR)
        ;
    if (pid < 0 || wstatus)
        say(LOG_WARNING, "%s command failed: %s", what, script);
}

static void say_end(const daemon_state *d, int wstatus)
{
    if (WIFSIGNALED(wstatus))
        say(LOG_WARNING, "%s ended by signal %d", d->name, WTERMSIG(wstatus));
    else if (WEXITSTATUS(wstatus))
        say(LOG_WARNING, "%s ended with code %d", d->name, WEXITSTATUS(wstatus));
}

/* Until its control socket answers. */
static status await(starter *s, daemon_state *d)
{
    char path[4096];
    ctl_conn c;
    int wstatus;
    snprintf(path, sizeof(path), "%s/%s.ctl", path_piddir(), d->name);
    int64_t until = clock_mono_ms(&clock_system) + START_MS;
    do {
        if (waitpid(d->pid, &wstatus, WNOHANG) == d->pid) {
            say_end(d, wstatus);
            d->pid = 0;
            return ST_CLOSED;
        }
        if (ctl_connect(&c, path, d->magic) == ST_OK) {
            ctl_close(&c);
            return ST_OK;
        }
        usleep(POLL_US);
    } while (clock_mono_ms(&clock_system) < until);
    return ST_TIMEOUT;
}

void daemon_schedule(starter *s, daemon_kind kind)
{
    daemon_state *d = &s->d[kind];
    int64_t now = clock_mono_ms(&clock_system);
    if (s->stopping || !s->cfg->setup.plutorestartoncrash)
        return;
    if (d->started_ms && now - d->started_ms >= STEADY_MS)
        d->pause_s = PAUSE_FIRST_S;
    d->restart_ms = now + 1000 * (int64_t)d->pause_s;
    say(LOG_WARNING, "%s has died -- restart scheduled (%usec)", d->name, d->pause_s);
    d->pause_s = d->pause_s * 2 > PAUSE_MAX_S ? PAUSE_MAX_S : d->pause_s * 2;
}

status daemon_start(starter *s, daemon_kind kind)
{
    daemon_state *d = &s->d[kind];
    command c = {.n = 0};
    arena_init(&c.mem, 0);
    d->restart_ms = 0;
    if (kind == PLUTO) {
        run_hook(s->cfg->setup.prepluto, "prepluto");
        pluto_command(s, &c);
    } else {
        charon_command(s, &c);
    }
    d->pid = spawn(s, d, &c);
    arena_free(&c.mem);
    if (d->pid < 0) {
        say(LOG_ERR, "cannot start %s: %s", d->name, strerror(errno));
        d->pid = 0;
        return ST_IO;
    }
    d->started_ms = clock_mono_ms(&clock_system);
    status st = await(s, d);
    if (st == ST_OK) {
        say(LOG_NOTICE, "%s (%d) started after %lld ms", d->name, (int)d->pid,
            (long long)(clock_mono_ms(&clock_system) - d->started_ms));
        if (kind == PLUTO)
            run_hook(s->cfg->setup.postpluto, "postpluto");
        return ST_OK;
    }
    say(LOG_ERR, "%s refused to be started", d->name);
    if (d->pid) {
        (void)kill(d->pid, SIGKILL);
        (void)waitpid(d->pid, NULL, 0);
        d->pid = 0;
    }
    return st;
}

/* ---- ending ---- */

/* Waits for those that were told to end; true when all have. */
static bool all_gone(starter *s, bool mine[DAEMONS])
{
    bool gone = true;
    for (int k = 0; k < DAEMONS; k++) {
        daemon_state *d = &s->d[k];
        if (!mine[k] || !d->pid)
            continue;
        if (waitpid(d->pid, NULL, WNOHANG) == d->pid || errno == ECHILD)
            d->pid = 0;
        gone &= d->pid == 0;
    }
    return gone;
}

/* A daemon removes its files itself; one that had to be killed could not. */
static void remove_leftovers(const daemon_state *d)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.pid", path_piddir(), d->name);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/%s.ctl", path_piddir(), d->name);
    (void)unlink(path);
}

static void stop(starter *s, bool mine[DAEMONS])
{
    int64_t until = clock_mono_ms(&clock_system) + STOP_MS;
    for (int k = 0; k < DAEMONS; k++)
        if (mine[k] && s->d[k].pid)
            (void)kill(s->d[k].pid, SIGTERM);
    errno = 0;
    while (!all_gone(s, mine) && clock_mono_ms(&clock_system) < until) {
        usleep(POLL_US);
        errno = 0;
    }
    for (int k = 0; k < DAEMONS; k++) {
        daemon_state *d = &s->d[k];
        if (!mine[k] || !d->pid)
            continue;
        say(LOG_WARNING, "%s does not end: killed", d->name);
        (void)kill(d->pid, SIGKILL);
        (void)waitpid(d->pid, NULL, 0);
        d->pid = 0;
        remove_leftovers(d);
    }
}

void daemon_stop_all(starter *s)
{
    bool all[DAEMONS] = {true, true};
    s->stopping = true;
    stop(s, all);
    for (int k = 0; k < DAEMONS; k++)
        if (s->d[k].have_sockets) {
            net_close_sockets(&s->d[k].sockets);
            s->d[k].have_sockets = false;
        }
}

void daemon_replace(starter *s, daemon_kind kind)
{
    bool mine[DAEMONS] = {false};
    mine[kind] = true;
    stop(s, mine);
    if (daemon_start(s, kind) == ST_OK)
        feed_all(s, kind, s->cfg);
    else
        daemon_schedule(s, kind);
}

void daemon_reaped(starter *s, pid_t pid, int wstatus)
{
    for (int k = 0; k < DAEMONS; k++) {
        daemon_state *d = &s->d[k];
        if (d->pid != pid)
            continue;
        say_end(d, wstatus);
        d->pid = 0;
        remove_leftovers(d);
        daemon_schedule(s, (daemon_kind)k);
    }
}

int64_t daemon_next_restart(const starter *s)
{
    int64_t now = clock_mono_ms(&clock_system), least = -1;
    for (int k = 0; k < DAEMONS; k++) {
        if (!s->d[k].restart_ms)
            continue;
        int64_t left = s->d[k].restart_ms > now ? s->d[k].restart_ms - now : 0;
        least = least < 0 || left < least ? left : least;
    }
    return least;
}

void daemon_restart_due(starter *s, bool now)
{
    for (int k = 0; k < DAEMONS; k++) {
        daemon_state *d = &s->d[k];
        if (!d->restart_ms || d->pid || (!now && d->restart_ms > clock_mono_ms(&clock_system)))
            continue;
        if (daemon_start(s, (daemon_kind)k) == ST_OK)
            feed_all(s, (daemon_kind)k, s->cfg);
        else
            daemon_schedule(s, (daemon_kind)k);
    }
}
