/* A daemon's environment starts and stops whole, in a network namespace of our own, and undoes itself when a
 * step fails. */
#include "libfreeswan/env/env.h"
#include "tests/unit/net/netns.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/cygnet-env-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static char *read_file(const char *name)
{
    static char text[65536];
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    return text;
}

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static env_config config(void)
{
    return (env_config){.daemon = "charon",
                        .role = NET_ROLE_OTHER,
                        .confdir = dir,
                        .no_kernel = true,
                        .keep_privileges = true,
                        .no_syslog = true};
}

static void starts_and_stops(void **state)
{
    env e;
    msgbuf msg;
    char conf[512];
    if (!enter_own_netns())
        skip();
    snprintf(conf, sizeof(conf),
             "charon {\n  threads = 3\n  filelog {\n    %s/log {\n      default = 2\n      knl = -1\n    }\n "
             " }\n}\n",
             dir);
    write_file("strongswan.conf", conf);
    env_config cfg = config();
    log_bus *warm = NULL;
    assert_int_equal(log_bus_new(&warm, NULL), ST_OK); /* what is opened once for the process is open now */
    log_bus_free(warm);
    unsigned before = 0;
    for (int round = 0; round < 3; round++) {
        runtime_stats stats;
        if (round == 1)
            before = open_files();
        status st = env_start(&e, &cfg, &msg);
        if (st != ST_OK)
            fail_msg("%s", msg.text);
        runtime_get_stats(e.rt, &stats);
        assert_int_equal(stats.workers, 3);
        assert_int_not_equal(e.sinks[0], 0);
        assert_int_equal(e.sinks[1], 0);
        assert_int_equal(e.net->ops->port(e.net, true), 4500);
        log_scope log = {.bus = e.log};
        LOG(&log, CFG, 2, "loud and clear %d", round);
        LOG(&log, KNL, 1, "not at all");
        LOG(&log, CFG, 3, "too quiet");
        env_set_log_level(&e, LG_CFG, 3);
        LOG(&log, CFG, 3, "now audible");
        env_load_certs(&e);
        env_stop(&e);
        assert_null(e.rt);
    }
    assert_int_equal(open_files(), before);
    const char *text = read_file("log");
    assert_non_null(strstr(text, "loud and clear 2"));
    assert_non_null(strstr(text, "now audible"));
    assert_null(strstr(text, "not at all"));
    assert_null(strstr(text, "too quiet"));
}

static void failures_undo_everything(void **state)
{
    env e;
    msgbuf msg;
    if (!enter_own_netns())
        skip();
    env_config cfg = config();
    write_file("strongswan.conf", "charon {\n");
    unsigned before = open_files();
    assert_int_equal(env_start(&e, &cfg, &msg), ST_INVALID);
    assert_non_null(strstr(msg.text, "strongswan.conf:"));
    write_file("strongswan.conf", "");
    /* the port belongs to somebody who does not share it */
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(4500)};
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(env_start(&e, &cfg, &msg), ST_IO);
    assert_non_null(strstr(msg.text, "4500"));
    close(fd);
    write_file("strongswan.conf", "charon { kernel = nonsense }");
    cfg.no_kernel = false;
    assert_int_equal(env_start(&e, &cfg, &msg), ST_INVALID);
    assert_non_null(strstr(msg.text, "nonsense"));
    assert_int_equal(open_files(), before);
    cfg.no_kernel = true;
    write_file("strongswan.conf", "");
    assert_int_equal(env_start(&e, &cfg, &msg), ST_OK);
    env_stop(&e);
}

static int setup(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_and_stops),
        cmocka_unit_test(failures_undo_everything),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
