/* The log bus: levels, channels, order from many threads, overflow, sinks. */
#include "libstrongswan/base/log.h"
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/file.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

static const int all_at_1[LG_COUNT] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

typedef struct heard {
    int n;
    char text[4096];
    log_event last;
} heard;

static void hear(void *ctx, const log_event *ev)
{
    heard *h = ctx;
    h->n++;
    h->last = *ev;
    size_t used = strlen(h->text);
    snprintf(h->text + used, sizeof(h->text) - used, "%s|", ev->text);
}

static log_bus *direct_bus(void)
{
    log_bus *bus;
    log_bus_config cfg = {.direct = true};
    assert_int_equal(log_bus_new(&bus, &cfg), ST_OK);
    return bus;
}

static int evaluated(int *n)
{
    return ++*n;
}

static void test_levels_channels_lines(void **state)
{
    log_bus *bus = direct_bus();
    log_scope scope = {.bus = bus, .name = "net-net", .unique = 4, .channel = 9}, silent = {0};
    heard all = {0}, mine = {0};
    int n = 0;
    LOG(&silent, IKE, 0, "%d", evaluated(&n));
    LOG(&scope, IKE, 0, "%d", evaluated(&n));
    assert_int_equal(n, 0); /* nobody listens: not even evaluated */
    uint64_t id = log_listen(bus, 0, all_at_1, hear, &all);
    uint64_t other = log_listen(bus, 8, all_at_1, hear, &mine);
    assert_true(id && other);
    LOG_CODE(&scope, IKE, 1, 208, "one %d", evaluated(&n));
    LOG(&scope, IKE, 2, "%d", evaluated(&n));
    assert_int_equal(n, 1);
    assert_string_equal(all.text, "one 1|");
    assert_int_equal(all.last.code, 208);
    assert_int_equal(all.last.unique, 4);
    assert_int_equal(all.last.channel, 9);
    assert_int_equal(mine.n, 0);
    scope.channel = 8;
    log_set_level(bus, id, LG_IKE, 2);
    LOG(&scope, IKE, 2, "two\nlines\twith \x1b[1m and \x7f\n");
    assert_string_equal(all.text, "one 1|two|lines\twith \\x1b[1m and \\x7f|");
    assert_int_equal(mine.n, 0); /* hears level 1 only */
    LOG(&scope, CHD, 0, "for all");
    assert_int_equal(mine.n, 1);
    log_unlisten(bus, id);
    LOG(&scope, CHD, 0, "for one");
    assert_int_equal(all.n, 4);
    assert_int_equal(mine.n, 2);
    log_unlisten(bus, other);
    assert_false(log_enabled(bus, LG_CHD, 0));
    log_bus_free(bus);
    assert_int_equal(log_group_by_name("ike"), LG_IKE);
    assert_int_equal(log_group_by_name("default"), LG_COUNT);
    assert_int_equal(log_group_by_name("x"), -1);
}

static void test_long_text_and_bug(void **state)
{
    log_bus *bus = direct_bus();
    log_scope scope = {.bus = bus};
    heard h = {0};
    char large[3000];
    memset(large, 'y', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    log_listen(bus, 0, all_at_1, hear, &h);
    LOG(&scope, IKE, 1, "%s", large);
    assert_int_equal(strlen(h.text), sizeof(large));
    h.text[0] = '\0';
    LOG_BUG(&scope, "value %d", 5);
    assert_non_null(strstr(h.text, "BUG: "));
    assert_non_null(strstr(h.text, "value 5"));
    log_bus_free(bus);
}

enum { THREADS = 4, LINES = 5000 };

typedef struct order {
    int last[THREADS];
    int bad, n;
} order;

static void check_order(void *ctx, const log_event *ev)
{
    order *o = ctx;
    if ((int)ev->unique != o->last[ev->thread] + 1)
        o->bad++;
    o->last[ev->thread] = (int)ev->unique;
    o->n++;
}

typedef struct talker {
    log_bus *bus;
    int number;
} talker;

static void *talk(void *arg)
{
    talker *t = arg;
    log_set_thread(t->number);
    for (int i = 1; i <= LINES; i++) {
        log_scope scope = {.bus = t->bus, .unique = (uint64_t)i};
        LOG(&scope, IKE, 1, "line %d of %d", i, t->number);
    }
    return NULL;
}

static void test_order_from_many_threads(void **state)
{
    log_bus *bus;
    log_bus_config cfg = {.queue = THREADS * LINES};
    order o = {{0}, 0, 0};
    talker t[THREADS];
    pthread_t threads[THREADS];
    assert_int_equal(log_bus_new(&bus, &cfg), ST_OK);
    log_listen(bus, 0, all_at_1, check_order, &o);
    for (int i = 0; i < THREADS; i++) {
        t[i] = (talker){bus, i};
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &t[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    log_bus_flush(bus);
    assert_int_equal(o.n, THREADS * LINES);
    assert_int_equal(o.bad, 0);
    log_bus_free(bus);
}

typedef struct stuck {
    atomic_int inside, open;
    heard h;
} stuck;

static void hang(void *ctx, const log_event *ev)
{
    stuck *s = ctx;
    atomic_store(&s->inside, 1);
    while (!atomic_load(&s->open))
        usleep(200);
    hear(&s->h, ev);
}

static void test_overflow_drops_details_first(void **state)
{
    static const int at_2[LG_COUNT] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    log_bus *bus;
    log_bus_config cfg = {.queue = 10};
    stuck s = {0};
    log_scope scope;
    assert_int_equal(log_bus_new(&bus, &cfg), ST_OK);
    scope = (log_scope){.bus = bus};
    log_listen(bus, 0, at_2, hang, &s);
    LOG(&scope, IKE, 1, "first");
    for (int i = 0; i < 20000 && !atomic_load(&s.inside); i++)
        usleep(500);
    for (int i = 0; i < 15; i++)
        LOG(&scope, IKE, 2, "detail");
    for (int i = 0; i < 12; i++)
        LOG(&scope, IKE, 1, "event");
    atomic_store(&s.open, 1);
    log_bus_flush(bus);
    /* 1 + 10 details + 10 events (twice the room) + the note about the 7 that are lost */
    assert_int_equal(s.h.n, 22);
    assert_non_null(strstr(s.h.text, "7 messages dropped"));
    log_bus_free(bus);
}

typedef struct leaver {
    log_bus *bus;
    uint64_t id;
    int n;
} leaver;

static void leave(void *ctx, const log_event *ev)
{
    leaver *l = ctx;
    l->n++;
    log_scope scope = {.bus = l->bus};
    LOG(&scope, IKE, 1, "a listener that logs");
    log_unlisten(l->bus, l->id);
}

static void test_leaving_from_inside(void **state)
{
    log_bus *bus = direct_bus();
    log_scope scope = {.bus = bus};
    leaver l = {.bus = bus};
    l.id = log_listen(bus, 0, all_at_1, leave, &l);
    LOG(&scope, IKE, 1, "x");
    LOG(&scope, IKE, 1, "y");
    assert_int_equal(l.n, 1);
    log_bus_free(bus);
}

static void check_file(const char *path, const char *want)
{
    buf b = {0};
    assert_int_equal(file_read(&b, path, 0), ST_OK);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void test_file_sinks(void **state)
{
    char dir[] = "/tmp/unit-log-XXXXXX", path[64], json[64], moved[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(json, sizeof(json), "%s/json", dir);
    snprintf(moved, sizeof(moved), "%s/log.1", dir);
    log_bus *bus;
    assert_int_equal(log_bus_new(&bus, NULL), ST_OK);
    log_scope scope = {.bus = bus, .name = "home", .unique = 3};
    log_sink_config cfg = {.style = LOG_STYLE_CHARON, .path = path, .ident = "charon"};
    memcpy(cfg.levels, all_at_1, sizeof(all_at_1));
    assert_true(log_sink_file(bus, &cfg));
    cfg.path = json;
    cfg.json = true;
    assert_true(log_sink_file(bus, &cfg));
    cfg.path = "/nonexistent/folder/file";
    assert_int_equal(log_sink_file(bus, &cfg), 0);
    log_set_thread(7);
    LOG(&scope, ENC, 1, "parsed \"it\"\nsecond line");
    log_set_thread(0);
    log_bus_flush(bus);
    check_file(path,
               "00[DMN] opening file /nonexistent/folder/file for logging failed: No such file or directory\n"
               "07[ENC] parsed \"it\"\n07[ENC] second line\n");
    assert_int_equal(rename(path, moved), 0);
    log_reopen(bus);
    LOG(&scope, DMN, 1, "again");
    log_bus_free(bus);
    check_file(path, "00[DMN] again\n");
    buf b = {0};
    assert_int_equal(file_read(&b, json, 0), ST_OK);
    assert_non_null(strstr(
        buf_cstr(&b), "\"daemon\":\"charon\",\"group\":\"ENC\",\"level\":1,\"thread\":7,\"conn\":\"home\","
                      "\"sa\":3,\"text\":\"parsed \\\"it\\\"\"}\n"));
    buf_free(&b);
    unlink(path);
    unlink(json);
    unlink(moved);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_channels_lines),   cmocka_unit_test(test_long_text_and_bug),
        cmocka_unit_test(test_order_from_many_threads), cmocka_unit_test(test_overflow_drops_details_first),
        cmocka_unit_test(test_leaving_from_inside),     cmocka_unit_test(test_file_sinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
