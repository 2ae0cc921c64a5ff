/* The control socket with honest, slow, silent, broken and too many clients. */
#include "libstrongswan/base/buf.h"
#include "libstrongswan/run/ctlserver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { ECHO = 20, MANY = 21, ASK = 22, LATER = 23, FLOOD = 24 };

typedef struct fixture {
    runtime *rt;
    ctl_server *server;
    pthread_t loop;
    char dir[64], path[128];
    _Atomic(ctl_client *) later;
    atomic_int handled, answered, flooded;
} fixture;

static fixture fx;

static void answered(void *ctx, span answer)
{
    ctl_client *c = ctx;
    char text[64];
    ctl_line(c, 7, "answer '%s'", span_cstr(answer, text, sizeof(text)));
    ctl_done(c, answer.n ? 0 : 5);
    ctl_unref(c);
    atomic_fetch_add(&fx.answered, 1);
}

static void handle(void *ctx, ctl_client *c, uint16_t type, span body)
{
    char text[64];
    atomic_fetch_add(&fx.handled, 1);
    switch (type) {
    case ECHO:
        ctl_line(c, 3, "%s", span_cstr(body, text, sizeof(text)));
        ctl_done(c, (int)body.n);
        break;
    case MANY:
        for (int i = 0; i < 20000; i++)
            ctl_line(c, 0, "line %d", i);
        ctl_text(c, 0, SPAN_LIT("one\ntwo\n\nfour\n"));
        ctl_done(c, 0);
        break;
    case ASK:
        ctl_prompt(c, "name", true, answered, ctl_ref(c));
        break;
    case LATER:
        fx.later = ctl_ref(c);
        break;
    case FLOOD:
        for (int i = 0; i < 70; i++) {
            static uint8_t megabyte[1 << 20];
            memset(megabyte, 'x', sizeof(megabyte));
            ctl_text(c, 0, SPAN_ARRAY(megabyte));
        }
        ctl_done(c, 0);
        atomic_store(&fx.flooded, 1);
        break;
    default:
        ctl_done(c, 99);
        break;
    }
}

static void *run_it(void *rt)
{
    runtime_run(rt);
    return NULL;
}

static int setup(void **state)
{
    memset(&fx, 0, sizeof(fx));
    snprintf(fx.dir, sizeof(fx.dir), "/tmp/unit-ctl-XXXXXX");
    if (!mkdtemp(fx.dir))
        return -1;
    snprintf(fx.path, sizeof(fx.path), "%s/t.ctl", fx.dir);
    runtime_config rc = {.workers = 4};
    ctl_server_config cfg = {
        .path = fx.path, .magic = CTL_MAGIC_STROKE, .group = (gid_t)-1, .handle = handle, .ctx = &fx};
    if (runtime_new(&fx.rt, &rc) != ST_OK || ctl_server_new(&fx.server, fx.rt, &cfg) != ST_OK)
        return -1;
    return pthread_create(&fx.loop, NULL, run_it, fx.rt);
}

static int teardown(void **state)
{
    runtime_stop(fx.rt, 0);
    pthread_join(fx.loop, NULL);
    ctl_server_free(fx.server);
    runtime_free(fx.rt);
    int left = access(fx.path, F_OK); /* the server has removed it */
    rmdir(fx.dir);
    return left == 0 ? -1 : 0;
}

typedef struct got {
    int lines, last_code;
    char last[128];
} got;

static void on_line(void *ctx, int code, span text)
{
    got *g = ctx;
    g->lines++;
    g->last_code = code;
    span_cstr(text, g->last, sizeof(g->last));
}

static size_t on_prompt(void *ctx, span text, bool echo, char *answer, size_t size)
{
    assert_true(echo);
    assert_true(span_equal(text, SPAN_LIT("name")));
    memcpy(answer, "secret", 6);
    return 6;
}

static int request(uint16_t type, const char *body, got *g, bool with_prompt)
{
    ctl_conn c;
    int code = -1;
    ctl_reply_ops ops = {on_line, with_prompt ? on_prompt : NULL, g};
    memset(g, 0, sizeof(*g));
    assert_int_equal(ctl_connect(&c, fx.path, CTL_MAGIC_STROKE), ST_OK);
    assert_int_equal(ctl_send(&c, type, span_str(body)), ST_OK);
    assert_int_equal(ctl_receive(&c, &ops, 20000, &code), ST_OK);
    ctl_close(&c);
    return code;
}

static void test_request_and_reply(void **state)
{
    got g;
    struct stat sb;
    assert_int_equal(stat(fx.path, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0600);
    assert_int_equal(request(ECHO, "hello", &g, false), 5);
    assert_int_equal(g.lines, 1);
    assert_int_equal(g.last_code, 3);
    assert_string_equal(g.last, "hello");
    assert_int_equal(request(ECHO, "", &g, false), 0);
    assert_int_equal(g.lines, 1);
    assert_string_equal(g.last, "");
    assert_int_equal(request(MANY, "", &g, false), 0);
    assert_int_equal(g.lines, 20004);
    assert_string_equal(g.last, "four");
    assert_int_equal(request(12345, "", &g, false), 99);
    char *large = malloc(CTL_MAX_RECORD);
    assert_non_null(large);
    memset(large, 'a', CTL_MAX_RECORD);
    large[CTL_MAX_RECORD - CTL_HEADER] = '\0';
    assert_int_equal(request(ECHO, large, &g, false), CTL_MAX_RECORD - CTL_HEADER);
    free(large);
}

static void test_several_requests_on_one_connection(void **state)
{
    ctl_conn c;
    got g = {0};
    ctl_reply_ops ops = {on_line, NULL, &g};
    assert_int_equal(ctl_connect(&c, fx.path, CTL_MAGIC_STROKE), ST_OK);
    /* sent at once, answered one after another */
    for (int i = 0; i < 50; i++)
        assert_int_equal(ctl_send(&c, ECHO, SPAN_LIT("abc")), ST_OK);
    for (int i = 0; i < 50; i++) {
        int code = -1;
        assert_int_equal(ctl_receive(&c, &ops, 20000, &code), ST_OK);
        assert_int_equal(code, 3);
    }
    assert_int_equal(g.lines, 50);
    ctl_close(&c);
}

static void test_prompt(void **state)
{
    got g;
    assert_int_equal(request(ASK, "", &g, true), 0);
    assert_string_equal(g.last, "answer 'secret'");
    assert_int_equal(request(ASK, "", &g, false), 5); /* refused */
    /* a client that goes away instead of answering */
    ctl_conn c;
    assert_int_equal(ctl_connect(&c, fx.path, CTL_MAGIC_STROKE), ST_OK);
    assert_int_equal(ctl_send(&c, ASK, SPAN_NULL), ST_OK);
    struct pollfd p = {.fd = c.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1); /* the question is there */
    ctl_close(&c);
    for (int i = 0; i < 2000 && atomic_load(&fx.answered) < 3; i++)
        usleep(5000);
    assert_int_equal(atomic_load(&fx.answered), 3);
}

static void test_octet_by_octet(void **state)
{
    ctl_conn c;
    buf b = {0};
    got g = {0};
    int code = -1;
    ctl_reply_ops ops = {on_line, NULL, &g};
    buf_put_u32(&b, CTL_HEADER + 3);
    buf_put_u32(&b, CTL_MAGIC_STROKE);
    buf_put_u16(&b, CTL_VERSION);
    buf_put_u16(&b, ECHO);
    buf_put_str(&b, "abc");
    assert_int_equal(ctl_connect(&c, fx.path, CTL_MAGIC_STROKE), ST_OK);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(send(c.fd, b.p + i, 1, 0), 1);
        usleep(500);
    }
    assert_int_equal(ctl_receive(&c, &ops, 20000, &code), ST_OK);
    assert_int_equal(code, 3);
    ctl_close(&c);
    buf_free(&b);
}

/* Sends a header of our choice: one line of explanation, then the end. */
static void refused(uint32_t length, uint32_t magic, uint16_t version)
{
    ctl_conn c;
    uint8_t head[CTL_HEADER];
    got g = {0};
    ctl_reply_ops ops = {on_line, NULL, &g};
    set_u32(head, length);
    set_u32(head + 4, magic);
    set_u16(head + 8, version);
    set_u16(head + 10, ECHO);
    assert_int_equal(ctl_connect(&c, fx.path, CTL_MAGIC_STROKE), ST_OK);
    assert_int_equal(send(c.fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
    assert_int_equal(ctl_receive(&c, &ops, 20000, NULL), ST_CLOSED);
    assert_int_equal(g.lines, 1);
    ctl_close(&c);
}

static void test_broken_records(void **state)
{
    int before = atomic_load(&fx.handled);
    refused(11, CTL_MAGIC_STROKE, CTL_VERSION);
    refused(0, CTL_MAGIC_STROKE, CTL_VERSION);
    refused(CTL_MAX_RECORD + 1, CTL_MAGIC_STROKE, CTL_VERSION);
    refused(UINT32_MAX, CTL_MAGIC_STROKE, CTL_VERSION);
    refused(20, CTL_MAGIC_WHACK, CTL_VERSION);
    refused(20, CTL_MAGIC_STROKE, CTL_VERSION + 1);
    assert_int_equal(atomic_load(&fx.handled), before);
    got g;
    assert_int_equal(request(ECHO, "still", &g, false), 5);
}

static void test_client_that_does_not_read(void **state)
{
    ctl_conn c;
    assert_int_equal(ctl_connect(&c, fx.path, CTL_MAGIC_STROKE), ST_OK);
    assert_int_equal(ctl_send(&c, FLOOD, SPAN_NULL), ST_OK);
    got g;
    for (int i = 0; i < 20; i++)
        assert_int_equal(request(ECHO, "ok", &g, false), 2);
    for (int i = 0; i < 20000 && !atomic_load(&fx.flooded); i++)
        usleep(1000);
    assert_int_equal(atomic_load(&fx.flooded), 1);
    assert_int_equal(ctl_receive(&c, NULL, 30000, NULL), ST_CLOSED);
    ctl_close(&c);
}

static void test_reply_long_after(void **state)
{
    ctl_conn c;
    int code = -1;
    assert_int_equal(ctl_connect(&c, fx.path, CTL_MAGIC_STROKE), ST_OK);
    assert_int_equal(ctl_send(&c, LATER, SPAN_NULL), ST_OK);
    assert_int_equal(ctl_receive(&c, NULL, 200, &code), ST_TIMEOUT);
    assert_non_null(fx.later);
    assert_false(ctl_closed(fx.later));
    ctl_done(fx.later, 4);
    ctl_unref(fx.later);
    assert_int_equal(ctl_receive(&c, NULL, 20000, &code), ST_OK);
    assert_int_equal(code, 4);
    /* and when the client did not wait */
    assert_int_equal(ctl_send(&c, LATER, SPAN_NULL), ST_OK);
    usleep(50000);
    ctl_close(&c);
    for (int i = 0; i < 2000 && !ctl_closed(fx.later); i++)
        usleep(1000);
    assert_true(ctl_closed(fx.later));
    ctl_line(fx.later, 0, "nobody hears this");
    ctl_done(fx.later, 0);
    ctl_unref(fx.later);
}

/* A process that opens as many connections as it may and says nothing. Tells how many through the pipe. */
static pid_t silent_crowd(int want, int *ready)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit rl;
        getrlimit(RLIMIT_NOFILE, &rl);
        rl.rlim_cur = rl.rlim_max;
        setrlimit(RLIMIT_NOFILE, &rl);
        int n = 0;
        ctl_conn c;
        while (n < want && ctl_connect(&c, fx.path, CTL_MAGIC_STROKE) == ST_OK)
            n++;
        ssize_t done = write(pipes[1], &n, sizeof(n));
        (void)done;
        pause();
        _exit(0);
    }
    close(pipes[1]);
    struct pollfd p = {.fd = pipes[0], .events = POLLIN};
    *ready = 0;
    if (poll(&p, 1, 60000) == 1)
        assert_int_equal(read(pipes[0], ready, sizeof(*ready)), sizeof(*ready));
    close(pipes[0]);
    return pid;
}

static void test_crowd_of_silent_clients(void **state)
{
    int ready;
    got g;
    pid_t crowd = silent_crowd(10000, &ready);
    print_message("silent clients: %d\n", ready);
    assert_true(ready >= 900); /* as many as the limits of this machine allow */
    for (int i = 0; i < 20; i++)
        assert_int_equal(request(ECHO, "honest", &g, false), 6);
    kill(crowd, SIGKILL);
    waitpid(crowd, NULL, 0);
    assert_int_equal(request(ECHO, "honest", &g, false), 6);
}

/* ---- time limit, on a clock of our own ---- */

static int64_t fake_now = 1000;
static int64_t fake_mono(void *ctx)
{
    return fake_now;
}

static void settle(runtime *rt)
{
    while (runtime_step(rt))
        continue;
}

static void test_silence_ends(void **state)
{
    const clock_source clock = {fake_mono, fake_mono, NULL};
    runtime_config rc = {.manual = true, .clock = &clock};
    runtime *rt;
    ctl_server *server;
    char path[160];
    snprintf(path, sizeof(path), "%s/other.ctl", fx.dir);
    ctl_server_config cfg = {
        .path = path, .magic = CTL_MAGIC_WHACK, .group = (gid_t)-1, .handle = handle, .ctx = &fx};
    assert_int_equal(runtime_new(&rt, &rc), ST_OK);
    assert_int_equal(ctl_server_new(&server, rt, &cfg), ST_OK);
    ctl_conn quiet, working;
    char c;
    assert_int_equal(ctl_connect(&quiet, path, CTL_MAGIC_WHACK), ST_OK);
    assert_int_equal(ctl_connect(&working, path, CTL_MAGIC_WHACK), ST_OK);
    assert_int_equal(ctl_send(&working, LATER, SPAN_NULL), ST_OK);
    settle(rt);
    assert_int_equal(send(quiet.fd, "\0\0", 2, 0), 2); /* the beginning of a record is not a record */
    settle(rt);
    fake_now += CTL_SILENCE_MS - 1;
    settle(rt);
    assert_int_equal(recv(quiet.fd, &c, 1, MSG_DONTWAIT), -1);
    fake_now += 1;
    settle(rt);
    assert_int_equal(recv(quiet.fd, &c, 1, MSG_DONTWAIT), 0);
    assert_int_equal(recv(working.fd, &c, 1, MSG_DONTWAIT), -1); /* its request is being worked on */
    ctl_done(fx.later, 0);
    ctl_unref(fx.later);
    settle(rt);
    fake_now += CTL_SILENCE_MS;
    settle(rt);
    int code = -1;
    assert_int_equal(ctl_receive(&working, NULL, 1000, &code), ST_OK);
    assert_int_equal(recv(working.fd, &c, 1, MSG_DONTWAIT), 0);
    ctl_close(&quiet);
    ctl_close(&working);
    ctl_server_free(server);
    runtime_free(rt);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_request_and_reply),
        TEST(test_several_requests_on_one_connection),
        TEST(test_prompt),
        TEST(test_octet_by_octet),
        TEST(test_broken_records),
        TEST(test_client_that_does_not_read),
        TEST(test_reply_long_after),
        TEST(test_crowd_of_silent_clients),
        TEST(test_silence_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
