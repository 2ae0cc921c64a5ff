/* Child processes by posix_spawn(): no shell, no code of ours between fork and exec. A child is reaped by its
 * own number through a pidfd (polled on kernels without), so nobody else's children are touched and SIGCHLD
 * is not needed.
 *
 * A child is referenced by the watch or timer that waits for its end and by its time limit. Lines and the end
 * are handed out under the child's own lock, which keeps them in order.
 */
#include "libstrongswan/run/child.h"
#include "libstrongswan/base/refcount.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_OCTETS = 1024, KILL_AFTER_MS = 2000, REAP_POLL_MS = 50 };

typedef struct line_reader {
    int fd; /* -1: none */
    size_t n;
    bool cut; /* the rest of a long line is skipped */
    char line[LINE_MAX_OCTETS + 1];
} line_reader;

struct child {
    refcount refs;
    runtime *rt;
    pid_t pid;
    int pidfd; /* -1: polled */
    bool group, ended, terminated;
    bool waited; /* the watch or timer that waits for the end has its reference */
    timer_id limit, poll;
    pthread_mutex_t lock; /* guards the above and the calls of on_line */
    line_reader out;
    child_spec spec; /* only callbacks, ctx and time limit are used */
};

static void child_unref(child *c)
{
    if (!ref_put(&c->refs))
        return;
    pthread_mutex_destroy(&c->lock);
    if (c->out.fd >= 0)
        close(c->out.fd);
    if (c->pidfd >= 0)
        close(c->pidfd);
    free(c);
}

/* ---- lines ---- */

static void take_octets(line_reader *r, const char *p, size_t n, const child_spec *spec)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n') {
            if (r->n < LINE_MAX_OCTETS)
                r->line[r->n++] = p[i];
            else
                r->cut = true;
            continue;
        }
        r->line[r->n] = '\0';
        spec->on_line(spec->ctx, r->line);
        r->n = 0;
        r->cut = false;
    }
}

/* Reads what is there; false at the end. */
static bool read_lines(line_reader *r, const child_spec *spec)
{
    char chunk[4096];
    for (int round = 0; round < 64; round++) {
        ssize_t n = read(r->fd, chunk, sizeof(chunk));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        take_octets(r, chunk, (size_t)n, spec);
    }
    return true;
}

static void last_line(line_reader *r, const child_spec *spec)
{
    if (r->n || r->cut)
        take_octets(r, "\n", 1, spec);
}

/* ---- spawning ---- */

static bool passed(const int *fds, int fd)
{
    for (; fds && *fds >= 0; fds++)
        if (*fds == fd)
            return true;
    return false;
}

static int add_actions(posix_spawn_file_actions_t *fa, const child_spec *spec, int output)
{
    int err = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
    if (output >= 0) {
        err = err ? err : posix_spawn_file_actions_adddup2(fa, output, 1);
        err = err ? err : posix_spawn_file_actions_adddup2(fa, output, 2);
    }
    int top = 2;
    for (const int *fd = spec->pass_fds; fd && *fd >= 0; fd++) {
        err = err ? err : posix_spawn_file_actions_adddup2(fa, *fd, *fd); /* clears close-on-exec */
        if (*fd > top)
            top = *fd;
    }
    for (int fd = 3; fd < top; fd++)
        if (!passed(spec->pass_fds, fd))
            err = err ? err : posix_spawn_file_actions_addclose(fa, fd);
    return err ? err : posix_spawn_file_actions_addclosefrom_np(fa, top + 1);
}

static int set_attributes(posix_spawnattr_t *attr, bool group)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (group)
        flags |= POSIX_SPAWN_SETPGROUP;
    int err = posix_spawnattr_setsigdefault(attr, &all);
    err = err ? err : posix_spawnattr_setsigmask(attr, &none);
    err = err ? err : posix_spawnattr_setpgroup(attr, 0);
    return err ? err : posix_spawnattr_setflags(attr, flags);
}

/* A time limit ends all that the child started, so it gets a process group. errno tells about ST_IO. */
static status spawn(const child_spec *spec, int output, pid_t *pid)
{
    static const char *const empty[] = {NULL};
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    int err = add_actions(&fa, spec, output);
    err = err ? err : set_attributes(&attr, spec->timeout_ms > 0);
    const char *const *env = spec->envp ? spec->envp : empty;
    err = err ? err
              : posix_spawn(pid, spec->argv[0], &fa, &attr, (char *const *)(uintptr_t)spec->argv,
                            (char *const *)(uintptr_t)env);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    errno = err;
    return err == 0 ? ST_OK : err == ENOMEM ? ST_NO_MEMORY : err == ENOENT ? ST_NOT_FOUND : ST_IO;
}

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Starts with a pipe for the output if somebody wants the lines. */
static status spawn_piped(const child_spec *spec, pid_t *pid, int *out)
{
    int pipes[2] = {-1, -1};
    *out = -1;
    if (spec->on_line && pipe2(pipes, O_CLOEXEC) != 0)
        return ST_IO;
    status st = spawn(spec, pipes[1], pid);
    int saved = errno;
    if (pipes[1] >= 0)
        close(pipes[1]);
    if (st == ST_OK && pipes[0] >= 0)
        fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    else if (pipes[0] >= 0)
        close(pipes[0]);
    errno = saved;
    if (st == ST_OK)
        *out = pipes[0];
    return st;
}

static void kill_child(pid_t pid, bool group, int signo)
{
    if (!group || kill(-pid, signo) != 0)
        kill(pid, signo);
}

/* ---- with a runtime ---- */

static void on_output(void *ctx, int fd, uint32_t events)
{
    child *c = ctx;
    pthread_mutex_lock(&c->lock);
    if (!c->ended && !read_lines(&c->out, &c->spec))
        runtime_unwatch(c->rt, fd);
    pthread_mutex_unlock(&c->lock);
}

/* The child has ended or not; if it has, everything is handed out and the watches go. */
static bool reap(child *c)
{
    int wstatus;
    pthread_mutex_lock(&c->lock);
    if (c->ended) { /* forgotten */
        pthread_mutex_unlock(&c->lock);
        return true;
    }
    pid_t got = waitpid(c->pid, &wstatus, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) {
        pthread_mutex_unlock(&c->lock);
        return false;
    }
    if (got < 0)
        wstatus = 255 << 8; /* somebody else reaped it: how it ended is not known */
    c->ended = true;
    if (c->out.fd >= 0) {
        read_lines(&c->out, &c->spec);
        last_line(&c->out, &c->spec);
    }
    timer_id limit = c->limit;
    pthread_mutex_unlock(&c->lock);
    if (c->out.fd >= 0)
        runtime_unwatch(c->rt, c->out.fd);
    if (runtime_timer_cancel(c->rt, limit))
        child_unref(c);
    if (c->spec.on_exit)
        c->spec.on_exit(c->spec.ctx, wstatus);
    return true;
}

/* The reference of who waits for the end goes once: by the end, or by child_forget(). */
static void stop_waiting(child *c)
{
    pthread_mutex_lock(&c->lock);
    bool was = c->waited;
    c->waited = false;
    pthread_mutex_unlock(&c->lock);
    if (was)
        child_unref(c);
}

static void on_pidfd(void *ctx, int fd, uint32_t events)
{
    child *c = ctx;
    if (reap(c)) {
        runtime_unwatch(c->rt, fd);
        stop_waiting(c);
    }
}

static void on_reap_poll(void *ctx, uint64_t key)
{
    child *c = ctx;
    bool again = false;
    if (!reap(c)) {
        pthread_mutex_lock(&c->lock);
        c->poll = c->ended ? 0 : runtime_timer(c->rt, REAP_POLL_MS, on_reap_poll, c, key);
        again = c->poll != 0;
        pthread_mutex_unlock(&c->lock);
    }
    if (!again)
        stop_waiting(c);
}

static void on_limit(void *ctx, uint64_t key)
{
    child *c = ctx;
    bool again = false;
    pthread_mutex_lock(&c->lock);
    if (!c->ended) { /* not reaped: the number is still the child's */
        kill_child(c->pid, c->group, c->terminated ? SIGKILL : SIGTERM);
        if (!c->terminated) {
            c->terminated = true;
            c->limit = runtime_timer(c->rt, KILL_AFTER_MS, on_limit, c, key);
            again = c->limit != 0;
        }
    }
    pthread_mutex_unlock(&c->lock);
    if (!again)
        child_unref(c);
}

static status wait_for_end(child *c)
{
    c->waited = true;
    if (c->pidfd >= 0 && runtime_watch(c->rt, c->pidfd, EPOLLIN, 0, on_pidfd, c) == ST_OK)
        return ST_OK;
    c->poll = runtime_timer(c->rt, REAP_POLL_MS, on_reap_poll, c, 0);
    return c->poll ? ST_OK : ST_NO_MEMORY;
}

/* Nobody could wait for it: it does not run unwatched. `lock` is held, and left for a moment. */
static void abandon(child *c)
{
    kill_child(c->pid, c->group, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    c->ended = true;
    pthread_mutex_unlock(&c->lock);
    if (c->out.fd >= 0)
        runtime_unwatch(c->rt, c->out.fd);
    if (runtime_timer_cancel(c->rt, c->limit))
        child_unref(c);
    pthread_mutex_lock(&c->lock);
}

static status start(runtime *rt, const child_spec *spec, pid_t *pid, child **out)
{
    child *c = calloc(1, sizeof(*c));
    if (!c)
        return ST_NO_MEMORY;
    ref_init(&c->refs);
    pthread_mutex_init(&c->lock, NULL);
    c->rt = rt;
    c->pidfd = -1;
    c->spec = *spec;
    c->group = spec->timeout_ms > 0;
    status st = spawn_piped(spec, &c->pid, &c->out.fd);
    if (st != ST_OK) {
        int saved = errno;
        child_unref(c);
        errno = saved;
        return st;
    }
    if (pid)
        *pid = c->pid;
    c->pidfd = open_pidfd(c->pid);
    /* the lock keeps the end from being handled before all is set up */
    pthread_mutex_lock(&c->lock);
    if (c->out.fd >= 0 && runtime_watch(rt, c->out.fd, EPOLLIN, 0, on_output, c) != ST_OK)
        close(c->out.fd), c->out.fd = -1; /* it runs, but its words are lost */
    if (spec->timeout_ms > 0) {
        ref_get(&c->refs);
        c->limit = runtime_timer(rt, spec->timeout_ms, on_limit, c, (uint64_t)c->pid);
        if (!c->limit)
            child_unref(c);
    }
    st = wait_for_end(c);
    if (st != ST_OK)
        abandon(c);
    if (st == ST_OK && out) {
        ref_get(&c->refs);
        *out = c;
    }
    pthread_mutex_unlock(&c->lock);
    if (st != ST_OK)
        child_unref(c);
    return st;
}

status child_start(runtime *rt, const child_spec *spec, pid_t *pid)
{
    return start(rt, spec, pid, NULL);
}

status child_start_held(runtime *rt, const child_spec *spec, child **out)
{
    return start(rt, spec, NULL, out);
}

bool child_forget(child *c)
{
    if (!c)
        return false;
    pthread_mutex_lock(&c->lock);
    bool alive = !c->ended;
    c->ended = true; /* callbacks that come too late find nothing to do */
    timer_id limit = c->limit, poll_timer = c->poll;
    pthread_mutex_unlock(&c->lock);
    if (alive) {
        if (c->out.fd >= 0)
            runtime_unwatch(c->rt, c->out.fd);
        if (runtime_timer_cancel(c->rt, limit))
            child_unref(c);
        if (c->pidfd >= 0)
            runtime_unwatch(c->rt, c->pidfd);
        if (!poll_timer || runtime_timer_cancel(c->rt, poll_timer))
            stop_waiting(c);
    }
    child_unref(c);
    return alive;
}

/* ---- without a runtime ---- */

static int64_t now_ms(void)
{
    return clock_mono_ms(&clock_system);
}

/* Polls output and end for at most `ms`; false when the child's end of the output is closed. */
static void wait_some(line_reader *r, int pidfd, bool *open, int64_t ms, const child_spec *spec)
{
    struct pollfd p[2] = {{.fd = *open ? r->fd : -1, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    int limit = ms > INT_MAX ? INT_MAX : (int)ms;
    if (poll(p, 2, limit) > 0 && p[0].revents)
        *open = read_lines(r, spec);
}

status child_run(const child_spec *spec, int *wstatus)
{
    line_reader out = {.fd = -1};
    pid_t pid;
    status st = spawn_piped(spec, &pid, &out.fd);
    if (st != ST_OK)
        return st;
    int pidfd = open_pidfd(pid), ws = 0;
    bool open = out.fd >= 0, terminated = false;
    int64_t limit = spec->timeout_ms > 0 ? now_ms() + spec->timeout_ms : INT64_MAX;
    pid_t got;
    while ((got = waitpid(pid, &ws, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        int64_t left = limit == INT64_MAX ? 60000 : limit - now_ms();
        if (left <= 0) {
            kill_child(pid, true, terminated ? SIGKILL : SIGTERM);
            limit = terminated ? INT64_MAX : now_ms() + KILL_AFTER_MS;
            terminated = true;
            continue;
        }
        wait_some(&out, pidfd, &open, pidfd < 0 && left > REAP_POLL_MS ? REAP_POLL_MS : left, spec);
    }
    if (got < 0)
        ws = 255 << 8;
    if (out.fd >= 0) {
        read_lines(&out, spec);
        last_line(&out, spec);
        close(out.fd);
    }
    if (pidfd >= 0)
        close(pidfd);
    if (spec->on_exit)
        spec->on_exit(spec->ctx, ws);
    if (wstatus)
        *wstatus = ws;
    return ST_OK;
}
