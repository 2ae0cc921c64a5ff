/* The real runner: environment, order within a conn, exit statuses, output. */
#include "kernel_test.h"
#include "libfreeswan/kernel/updown.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static runtime *rt;
static pthread_t loop_thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[65536];
static atomic_uint ended;
static int statuses[64];
static char folder[] = "/tmp/updown.XXXXXX";

static void *loop(void *arg)
{
    runtime_run(rt);
    return NULL;
}

static void on_log(void *ctx, const log_event *ev)
{
    pthread_mutex_lock(&lock);
    strncat(lines, ev->text, sizeof lines - strlen(lines) - 2);
    strcat(lines, "\n");
    pthread_mutex_unlock(&lock);
}

static void on_done(void *ctx, uint64_t key, int exit_status)
{
    statuses[key] = exit_status;
    atomic_fetch_add(&ended, 1);
}

static void wait_for(unsigned n)
{
    for (int i = 0; i < 1000 && atomic_load(&ended) < n; i++)
        usleep(10000);
    assert_int_equal(atomic_load(&ended), n);
}

static updown_vars vars(const char *verb, const char *name)
{
    return (updown_vars){.verb = verb,
                         .connection = name,
                         .interface = "eth0",
                         .hostaccess = true,
                         .reqid = 16384,
                         .me = ip("192.0.2.1"),
                         .peer = ip("192.0.2.2"),
                         .my_id = "C=CH, O=a b, CN=`touch /tmp/oops` \"'$(id)",
                         .peer_id = "@sun",
                         .peer_ca = "",
                         .my_ts = ts("10.1.0.0/16"),
                         .peer_ts = ts_port("10.2.0.7/32", 17, 1701),
                         .my_sourceip = ip("10.3.0.1"),
                         .mark_in = 5};
}

static const char *value(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; *env; env++) {
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    }
    return NULL;
}

static void environment(void **state)
{
    arena mem;
    char verb[32];
    updown_vars v = vars(updown_verb(verb, "up", false, true), "home");
    const char *const *env;

    arena_init(&mem, 0);
    env = updown_env(&mem, &v);
    assert_non_null(env);
    assert_string_equal(value(env, "PLUTO_VERSION"), "1.1");
    assert_string_equal(value(env, "PLUTO_VERB"), "up-client-v6");
    assert_string_equal(value(env, "PLUTO_CONNECTION"), "home");
    assert_string_equal(value(env, "PLUTO_INTERFACE"), "eth0");
    assert_string_equal(value(env, "PLUTO_HOST_ACCESS"), "1");
    assert_string_equal(value(env, "PLUTO_REQID"), "16384");
    assert_string_equal(value(env, "PLUTO_ME"), "192.0.2.1");
    assert_string_equal(value(env, "PLUTO_MY_ID"), v.my_id);
    assert_string_equal(value(env, "PLUTO_MY_CLIENT"), "10.1.0.0/16");
    assert_string_equal(value(env, "PLUTO_MY_CLIENT_NET"), "10.1.0.0");
    assert_string_equal(value(env, "PLUTO_MY_CLIENT_MASK"), "255.255.0.0");
    assert_string_equal(value(env, "PLUTO_MY_PORT"), "0");
    assert_string_equal(value(env, "PLUTO_MY_PROTOCOL"), "0");
    assert_string_equal(value(env, "PLUTO_PEER_CLIENT"), "10.2.0.7/32");
    assert_string_equal(value(env, "PLUTO_PEER_CLIENT_MASK"), "255.255.255.255");
    assert_string_equal(value(env, "PLUTO_PEER_PORT"), "1701");
    assert_string_equal(value(env, "PLUTO_PEER_PROTOCOL"), "17");
    assert_string_equal(value(env, "PLUTO_PEER_CA"), "");
    assert_string_equal(value(env, "PLUTO_MY_SOURCEIP"), "10.3.0.1");
    assert_string_equal(value(env, "PLUTO_MARK_IN"), "5/0xffffffff");
    assert_null(value(env, "PLUTO_MARK_OUT"));
    assert_null(value(env, "PLUTO_NEXT_HOP"));
    assert_null(value(env, "PLUTO_XAUTH_ID"));
    assert_null(value(env, "PLUTO_UDP_ENC"));
    v.interface = NULL;
    v.hostaccess = false;
    v.next_hop = ip("192.0.2.9");
    env = updown_env(&mem, &v);
    assert_string_equal(value(env, "PLUTO_INTERFACE"), "unknown");
    assert_null(value(env, "PLUTO_HOST_ACCESS"));
    assert_string_equal(value(env, "PLUTO_NEXT_HOP"), "192.0.2.9");
    arena_free(&mem);
}

static void scripts(void **state)
{
    updown *u;
    char script[512];
    log_scope log;
    int levels[LG_COUNT];

    for (int i = 0; i < LG_COUNT; i++)
        levels[i] = 1;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(log_bus_new(&log.bus, &(log_bus_config){.direct = true}), ST_OK);
    log = (log_scope){.bus = log.bus};
    log_listen(log.bus, 0, levels, on_log, NULL);
    assert_int_equal(runtime_new(&rt, &(runtime_config){.workers = 4, .log = log.bus}), ST_OK);
    assert_int_equal(updown_new(&u, rt), ST_OK);
    assert_int_equal(pthread_create(&loop_thread, NULL, loop, NULL), 0);

    updown_vars v = vars("up-client", "one"), w = vars("up-host", "two");
    w.pluto_words = true;
    /* the first of a conn is slow: the others wait for it, those of another conn do not */
    snprintf(script, sizeof script, "sleep 0.5; echo 1 >>%s/order; echo \"id is $PLUTO_MY_ID\"", folder);
    assert_int_equal(u->ops->run(u, script, &v, log, on_done, NULL, 1), ST_OK);
    for (unsigned i = 2; i <= 5; i++) {
        snprintf(script, sizeof script, "echo %u >>%s/order; exit %u", i, folder, i);
        assert_int_equal(u->ops->run(u, script, &v, log, on_done, NULL, i), ST_OK);
    }
    snprintf(script, sizeof script, "echo other >>%s/order; echo hello; exit 3", folder);
    assert_int_equal(u->ops->run(u, script, &w, log, on_done, NULL, 6), ST_OK);
    assert_int_equal(u->ops->run(u, NULL, &w, log, on_done, NULL, 7), ST_OK);
    assert_int_equal(u->ops->run(u, "kill -9 $$", &w, log, on_done, NULL, 8), ST_OK);
    wait_for(8);
    for (int i = 2; i <= 5; i++)
        assert_int_equal(statuses[i], i);
    assert_int_equal(statuses[1], 0);
    assert_int_equal(statuses[6], 3);
    assert_int_equal(statuses[7], 0);
    assert_int_equal(statuses[8], -1);

    char path[64], text[200] = "";
    snprintf(path, sizeof path, "%s/order", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_string_equal(text, "other\n1\n2\n3\n4\n5\n");
    pthread_mutex_lock(&lock);
    assert_non_null(strstr(lines, "updown: id is C=CH, O=a b, CN=`touch /tmp/oops` \"'$(id)"));
    assert_non_null(strstr(lines, "up-host output: hello"));
    assert_non_null(strstr(lines, "up-host command exited with status 3"));
    pthread_mutex_unlock(&lock);
    assert_int_not_equal(access("/tmp/oops", F_OK), 0);
    unlink(path);
    rmdir(folder);
    u->ops->free(u);
    runtime_stop(rt, 0);
    pthread_join(loop_thread, NULL);
    runtime_free(rt);
    log_bus_free(log.bus);
}

/* The runtime has stopped: what runs and what waits is let go of, and whoever waits for it hears -1. */
static void dropped(void **state)
{
    updown *u;
    updown_vars v = vars("down-client", "one");

    assert_int_equal(runtime_new(&rt, &(runtime_config){.manual = true}), ST_OK);
    assert_int_equal(updown_new(&u, rt), ST_OK);
    atomic_store(&ended, 0);
    for (unsigned i = 1; i <= 3; i++) {
        statuses[i] = 0;
        assert_int_equal(u->ops->run(u, "sleep 0.1", &v, (log_scope){0}, on_done, NULL, i), ST_OK);
    }
    statuses[4] = 0;
    assert_int_equal(u->ops->run(u, NULL, &v, (log_scope){0}, on_done, NULL, 4), ST_OK);
    assert_int_equal(u->ops->busy(u), 3);
    u->ops->free(u);
    assert_int_equal(atomic_load(&ended), 3);
    runtime_free(rt);
    assert_int_equal(atomic_load(&ended), 4);
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(statuses[i], -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment),
        cmocka_unit_test(scripts),
        cmocka_unit_test(dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
