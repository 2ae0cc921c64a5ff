/* Child processes, with and without a runtime; pid files, signals, readiness. */
#include "libstrongswan/run/child.h"
#include "libstrongswan/run/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct seen {
    char text[8192];
    int lines;
    atomic_int exits;
    int wstatus;
} seen;

static void on_line(void *ctx, const char *line)
{
    seen *s = ctx;
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof(s->text) - used, "%s|", line);
    s->lines++;
}

static void on_exit_of(void *ctx, int wstatus)
{
    seen *s = ctx;
    s->wstatus = wstatus;
    atomic_fetch_add(&s->exits, 1);
}

static child_spec shell(const char *const argv[4], seen *s)
{
    memset(s, 0, sizeof(*s));
    return (child_spec){.argv = argv, .on_line = on_line, .on_exit = on_exit_of, .ctx = s};
}

#define SH(script) ((const char *const[4]){"/bin/sh", "-c", script, NULL})

static void test_run_collects_lines(void **state)
{
    seen s;
    int ws;
    child_spec spec = shell(SH("echo one; echo two >&2; printf three; exit 3"), &s);
    assert_int_equal(child_run(&spec, &ws), ST_OK);
    assert_string_equal(s.text, "one|two|three|");
    assert_true(WIFEXITED(ws));
    assert_int_equal(WEXITSTATUS(ws), 3);
    assert_int_equal(atomic_load(&s.exits), 1);
}

static void test_environment_and_descriptors(void **state)
{
    static const char *const env[] = {"ONLY=this one", NULL};
    seen s;
    int extra = open("/dev/null", O_RDONLY), kept[2];
    assert_int_equal(pipe2(kept, O_CLOEXEC), 0);
    int pass[] = {kept[1], -1};
    char script[256];
    setenv("UNWANTED", "yes", 1);
    snprintf(script, sizeof(script),
             "echo \"$ONLY/$UNWANTED\"; [ -e /proc/self/fd/%d ] && echo leaked; echo hello >&%d; cat; trap",
             extra, kept[1]);
    child_spec spec = shell(SH(script), &s);
    spec.envp = env;
    spec.pass_fds = pass;
    assert_int_equal(child_run(&spec, NULL), ST_OK);
    assert_string_equal(s.text, "this one/|");
    char got[16] = "";
    assert_int_equal(read(kept[0], got, sizeof(got) - 1), 6);
    assert_string_equal(got, "hello\n");
    close(extra);
    close(kept[0]);
    close(kept[1]);
}

static void test_long_lines_are_cut(void **state)
{
    seen s;
    child_spec spec = shell(SH("head -c 3000 /dev/zero | tr '\\0' a; echo; echo end"), &s);
    assert_int_equal(child_run(&spec, NULL), ST_OK);
    assert_int_equal(s.lines, 2);
    assert_int_equal(strcspn(s.text, "|"), 1024);
    assert_string_equal(strchr(s.text, '|'), "|end|");
}

static void test_what_cannot_start(void **state)
{
    seen s;
    static const char *const argv[] = {"/nonexistent/program", NULL};
    child_spec spec = {.argv = argv, .ctx = &s};
    assert_int_equal(child_run(&spec, NULL), ST_NOT_FOUND);
}

static void test_time_limit(void **state)
{
    seen s;
    int ws;
    child_spec spec = shell(SH("echo go; sleep 60"), &s);
    spec.timeout_ms = 200;
    assert_int_equal(child_run(&spec, &ws), ST_OK);
    assert_true(WIFSIGNALED(ws));
    assert_int_equal(WTERMSIG(ws), SIGTERM);
    assert_string_equal(s.text, "go|");
    /* one that ignores SIGTERM */
    spec = shell(SH("trap '' TERM; echo go; while :; do sleep 1; done"), &s);
    spec.timeout_ms = 200;
    assert_int_equal(child_run(&spec, &ws), ST_OK);
    assert_true(WIFSIGNALED(ws));
    assert_int_equal(WTERMSIG(ws), SIGKILL);
}

/* ---- with a runtime ---- */

static void *run_it(void *rt)
{
    runtime_run(rt);
    return NULL;
}

static bool reaches(atomic_int *n, int want)
{
    for (int i = 0; i < 60000 && atomic_load(n) < want; i++)
        usleep(500);
    return atomic_load(n) >= want;
}

static void test_many_at_once(void **state)
{
    enum { MANY = 20 };
    runtime *rt;
    runtime_config cfg = {.workers = 8};
    seen *s = calloc(MANY, sizeof(seen));
    pthread_t loop;
    assert_non_null(s);
    assert_int_equal(runtime_new(&rt, &cfg), ST_OK);
    assert_int_equal(pthread_create(&loop, NULL, run_it, rt), 0);
    for (int i = 0; i < MANY; i++) {
        pid_t pid = 0;
        child_spec spec = shell(SH("for i in 1 2 3 4 5; do echo $i; done; exit 7"), &s[i]);
        assert_int_equal(child_start(rt, &spec, &pid), ST_OK);
        assert_true(pid > 0);
    }
    for (int i = 0; i < MANY; i++) {
        assert_true(reaches(&s[i].exits, 1));
        assert_string_equal(s[i].text, "1|2|3|4|5|");
        assert_int_equal(WEXITSTATUS(s[i].wstatus), 7);
    }
    /* a time limit, and a grandchild that keeps the output open */
    child_spec spec = shell(SH("trap '' TERM; echo x; while :; do sleep 1; done"), &s[0]);
    spec.timeout_ms = 200;
    assert_int_equal(child_start(rt, &spec, NULL), ST_OK);
    spec = shell(SH("sleep 3 & echo y"), &s[1]);
    assert_int_equal(child_start(rt, &spec, NULL), ST_OK);
    assert_true(reaches(&s[1].exits, 1));
    assert_string_equal(s[1].text, "y|");
    assert_true(reaches(&s[0].exits, 1));
    assert_int_equal(WTERMSIG(s[0].wstatus), SIGKILL);
    runtime_stop(rt, 0);
    pthread_join(loop, NULL);
    runtime_free(rt);
    free(s);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
    assert_int_equal(errno, ECHILD);
}

static char dir[64], path[96];
static int make_dir(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/unit-process-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/x.pid", dir);
    return 0;
}

static int remove_dir(void **state)
{
    unlink(path);
    return rmdir(dir);
}

static void test_pid_file(void **state)
{
    pid_t other = 0;
    assert_int_equal(pidfile_create(path, &other), ST_OK);
    pidfile_remove(path);
    assert_int_equal(access(path, F_OK), -1);

    pid_t alive = fork();
    if (alive == 0) {
        pause();
        _exit(0);
    }
    FILE *f = fopen(path, "w");
    fprintf(f, "%d\n", (int)alive);
    fclose(f);
    assert_int_equal(pidfile_create(path, &other), ST_EXISTS);
    assert_int_equal(other, alive);
    pidfile_remove(path); /* not ours */
    assert_int_equal(access(path, F_OK), 0);
    kill(alive, SIGKILL);
    waitpid(alive, NULL, 0);
    assert_int_equal(pidfile_create(path, &other), ST_OK); /* of a dead process */
    pidfile_remove(path);

    /* a link is not followed: its target stays as it was */
    char target[96];
    snprintf(target, sizeof(target), "%s/target", dir);
    f = fopen(target, "w");
    fputs("precious", f);
    fclose(f);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(pidfile_create(path, NULL), ST_OK);
    struct stat sb;
    assert_int_equal(lstat(path, &sb), 0);
    assert_true(S_ISREG(sb.st_mode));
    assert_int_equal(stat(target, &sb), 0);
    assert_int_equal(sb.st_size, 8);
    unlink(target);
}

static atomic_int signals[65];
static void on_signal(void *ctx, int signo)
{
    atomic_fetch_add(&signals[signo], 1);
    if (signo == SIGTERM)
        runtime_stop(ctx, 3);
}

static void test_signals_are_jobs(void **state)
{
    pid_t pid = fork(); /* signals of this process stay as they are */
    if (pid == 0) {
        runtime *rt;
        runtime_config cfg = {.workers = 2};
        if (runtime_new(&rt, &cfg) != ST_OK || process_signals(rt, on_signal, rt) != ST_OK)
            _exit(100);
        kill(getpid(), SIGHUP);
        kill(getpid(), SIGPIPE);
        kill(getpid(), SIGTERM);
        int code = runtime_run(rt);
        _exit(code == 3 && atomic_load(&signals[SIGHUP]) == 1 ? 0 : 101);
    }
    int ws;
    assert_int_equal(waitpid(pid, &ws, 0), pid);
    assert_true(WIFEXITED(ws));
    assert_int_equal(WEXITSTATUS(ws), 0);
}

static void test_notify(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    process_notify("READY=1");
    char got[32] = "";
    assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
    assert_string_equal(got, "READY=1");
    unsetenv("NOTIFY_SOCKET");
    process_notify("STOPPING=1");
    assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), -1);
    close(fd);
}

static int daemonized(int code, bool ready)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (process_daemonize() != ST_OK)
            _exit(100);
        if (ready)
            process_ready();
        _exit(code);
    }
    int ws;
    assert_int_equal(waitpid(pid, &ws, 0), pid);
    return WEXITSTATUS(ws);
}

static void test_daemonize(void **state)
{
    assert_int_equal(daemonized(5, true), 0);  /* what comes after readiness is not the parent's business */
    assert_int_equal(daemonized(5, false), 5); /* it ended before */
}

static void test_drop_privileges(void **state)
{
    if (geteuid() != 0)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        static const int none[] = {-1};
        msgbuf msg;
        if (process_drop_privileges(none, 65534, 65534, &msg) != ST_OK)
            _exit(1);
        if (geteuid() != 65534 || getegid() != 65534 || setuid(0) == 0)
            _exit(2);
        _exit(chown("/", 0, 0) == 0 ? 3 : 0);
    }
    int ws;
    assert_int_equal(waitpid(pid, &ws, 0), pid);
    assert_int_equal(WEXITSTATUS(ws), 0);
    pid = fork();
    if (pid == 0) {
        static const int keep[] = {12 /* CAP_NET_ADMIN */, -1};
        msgbuf msg;
        if (process_drop_privileges(keep, 0, 0, &msg) != ST_OK)
            _exit(1);
        int fd = socket(AF_INET, SOCK_DGRAM, 0), mark = 7;
        if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
            _exit(2);
        _exit(chown("/", 12345, 0) == 0 ? 3 : 0); /* root without CAP_CHOWN */
    }
    assert_int_equal(waitpid(pid, &ws, 0), pid);
    assert_int_equal(WEXITSTATUS(ws), 0);
}

#define WITH_DIR(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_collects_lines),
        cmocka_unit_test(test_environment_and_descriptors),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_what_cannot_start),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_many_at_once),
        WITH_DIR(test_pid_file),
        cmocka_unit_test(test_signals_are_jobs),
        WITH_DIR(test_notify),
        cmocka_unit_test(test_daemonize),
        cmocka_unit_test(test_drop_privileges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
