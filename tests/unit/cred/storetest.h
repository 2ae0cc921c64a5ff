/* A store in a temporary folder, with its log caught. */
#pragma once
#include "libstrongswan/cred/credstore.h"
#include "tests/unit/cred/certmaker.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct store_test {
    char dir[64];
    credstore *s;
    log_bus *bus;
    buf log; /* lines, each with a newline */
    int64_t now;
    clock_source clock;
} store_test;

static inline int64_t test_mono(void *ctx)
{
    return 0;
}

static inline int64_t test_wall(void *ctx)
{
    return ((store_test *)ctx)->now;
}

static inline void catch_log(void *ctx, const log_event *ev)
{
    store_test *t = ctx;
    buf_put_str(&t->log, ev->text);
    buf_put_u8(&t->log, '\n');
}

static inline void store_open(store_test *t, const char *daemon)
{
    static const char *const dirs[] = {
        "", "/ipsec.d", "/ipsec.d/cacerts", "/ipsec.d/certs", "/ipsec.d/private", "/ipsec.d/crls"};
    static const int levels[LG_COUNT] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    char path[128];
    memset(t, 0, sizeof(*t));
    t->now = TEST_NOW;
    snprintf(t->dir, sizeof(t->dir), "/tmp/cygnet-cred-%d", (int)getpid());
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", t->dir, dirs[i]);
        mkdir(path, 0700);
    }
    assert_int_equal(log_bus_new(&t->bus, &(log_bus_config){.direct = true}), ST_OK);
    assert_true(log_listen(t->bus, 0, levels, catch_log, t) != 0);
    t->clock = (clock_source){test_mono, test_wall, t};
    credstore_config cfg = {.confdir = t->dir, .daemon = daemon, .clock = &t->clock, .log = {.bus = t->bus}};
    assert_int_equal(credstore_new(&t->s, &cfg), ST_OK);
}

static inline void store_close(store_test *t)
{
    char cmd[128];
    credstore_free(t->s);
    log_bus_free(t->bus);
    buf_free(&t->log);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t->dir);
    assert_int_equal(system(cmd), 0);
}

static inline void put_file(const store_test *t, const char *name, const char *text, mode_t mode)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", t->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static inline bool logged(store_test *t, const char *text)
{
    return strstr(buf_cstr(&t->log), text) != NULL;
}
