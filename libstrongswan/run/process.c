/* What a daemon does once. The pid file is made under its name with O_EXCL and filled at once; a reader that
 * finds it empty treats it as being made. Signals come through a signalfd that is watched like any
 * descriptor.
 */
#include "libstrongswan/run/process.h"
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- pid file ---- */

/* The pid in the file; 0: none that lives. */
static pid_t living_owner(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid <= 0 || pid > INT32_MAX)
        return 0;
    return kill((pid_t)pid, 0) == 0 || errno == EPERM ? (pid_t)pid : 0;
}

static status write_pid(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    ssize_t done = write(fd, text, (size_t)n);
    return close(fd) == 0 && done == n ? ST_OK : ST_IO;
}

status pidfile_create(const char *path, pid_t *other)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd >= 0) {
            status st = write_pid(fd);
            if (st != ST_OK)
                unlink(path);
            return st;
        }
        if (errno != EEXIST)
            return errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO;
        pid_t pid = living_owner(path);
        if (pid && pid != getpid()) {
            if (other)
                *other = pid;
            return ST_EXISTS;
        }
        /* a link is removed as such; what it points to is left alone */
        if (unlink(path) != 0 && errno != ENOENT)
            return errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO;
    }
    return ST_EXISTS;
}

void pidfile_remove(const char *path)
{
    if (living_owner(path) == getpid())
        unlink(path);
}

/* ---- signals ---- */

typedef struct signals {
    void (*fn)(void *ctx, int signo);
    void *ctx;
} signals;

static void on_signal(void *ctx, int fd, uint32_t events)
{
    signals *s = ctx;
    struct signalfd_siginfo si;
    while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
        s->fn(s->ctx, (int)si.ssi_signo);
}

static void wanted_signals(sigset_t *set)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        sigaddset(set, wanted[i]);
}

void process_block_signals(void)
{
    sigset_t set;
    wanted_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

status process_signals(runtime *rt, void (*fn)(void *ctx, int signo), void *ctx)
{
    static signals s; /* one per process, like the signals themselves */
    sigset_t set;
    wanted_signals(&set);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return ST_IO;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return ST_IO;
    s = (signals){fn, ctx};
    status st = runtime_watch(rt, fd, EPOLLIN, 0, on_signal, &s);
    if (st != ST_OK)
        close(fd);
    return st;
}

/* ---- privileges ---- */

status process_drop_privileges(const int *keep_caps, uid_t uid, gid_t gid, msgbuf *msg)
{
    capng_clear(CAPNG_SELECT_BOTH);
    for (const int *cap = keep_caps; cap && *cap >= 0; cap++) {
        if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, (unsigned)*cap) !=
            0)
            return msg_fail(msg, ST_INVALID, "unknown capability %d", *cap);
    }
    int code;
    /* scripts run by a daemon of another user need the same rights: ambient */
    for (const int *cap = keep_caps; uid && cap && *cap >= 0; cap++)
        capng_update(CAPNG_ADD, CAPNG_INHERITABLE | CAPNG_AMBIENT, (unsigned)*cap);
    if (uid || gid)
        code = capng_change_id(uid ? (int)uid : -1, gid ? (int)gid : -1,
                               CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    else if (geteuid() == 0 && setgroups(0, NULL) != 0)
        return msg_fail(msg, ST_DENIED, "dropping the group list failed: %s", strerror(errno));
    else
        code = capng_apply(CAPNG_SELECT_BOTH);
    if (code >= 0 && uid)
        code = capng_apply(CAPNG_SELECT_AMBIENT);
    if (code < 0)
        return msg_fail(msg, ST_DENIED, "dropping privileges failed (%d): %s", code, strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return msg_fail(msg, ST_DENIED, "no_new_privs failed: %s", strerror(errno));
    return ST_OK;
}

/* ---- readiness ---- */

void process_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof(sun.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(sun.sun_path, path, n);
    if (sun.sun_path[0] == '@')
        sun.sun_path[0] = '\0'; /* abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&sun,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    (void)sent; /* the manager is gone: nothing to be done about it */
    close(fd);
}

static int ready_fd = -1; /* the parent waits at the other end */

/* the parent: until the child is ready or ends */
static void wait_for_child(int fd, pid_t pid)
{
    char c;
    ssize_t n;
    while ((n = read(fd, &c, 1)) < 0 && errno == EINTR)
        continue;
    if (n == 1)
        _exit(0);
    int ws;
    while (waitpid(pid, &ws, 0) < 0 && errno == EINTR)
        continue;
    _exit(WIFEXITED(ws) ? WEXITSTATUS(ws) : 1);
}

status process_daemonize(void)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return ST_IO;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        close(pipes[0]);
        close(pipes[1]);
        return ST_IO;
    }
    if (pid > 0) {
        close(pipes[1]);
        wait_for_child(pipes[0], pid);
    }
    close(pipes[0]);
    ready_fd = pipes[1];
    setsid();
    if (chdir("/") != 0)
        return ST_IO;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0)
        return ST_IO;
    if (null > 2)
        close(null);
    return ST_OK;
}

/* Until now messages of the start went to the terminal; from here on nobody listens there. */
void process_ready(void)
{
    if (ready_fd < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        fflush(NULL);
        dup2(null, 1);
        dup2(null, 2);
        if (null > 2)
            close(null);
    }
    ssize_t n = write(ready_fd, "", 1);
    (void)n;
    close(ready_fd);
    ready_fd = -1;
}
