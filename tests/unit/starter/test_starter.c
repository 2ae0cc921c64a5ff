/* The starter from end to end, with two daemons that only write down what they are asked: start sequence,
 * what each is told, update, reload, restart of a dead one, stop; and the exit codes of starter, whack,
 * stroke and the ipsec script.
 *
 * The dummy daemons are this program itself under the names pluto and charon.
 */
#include "libfreeswan/conf/conn.h"
#include "libfreeswan/net/net.h"
#include "libfreeswan/wire/control.h"
#include "libstrongswan/run/ctlserver.h"
#include "libstrongswan/run/process.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the dummy daemon ---- */

typedef struct dummy {
    const char *name;
    runtime *rt;
    FILE *log;
    char path[PATH_MAX];
} dummy;

static void note(dummy *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(dummy *d, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    fprintf(d->log, "%s %s\n", d->name, line);
    fflush(d->log);
}

static void answer(dummy *d, ctl_client *c, const ctl_request *r)
{
    if (r->type == CTL_REQ_STATUS) {
        ctl_line(c, 0, "%s is fine", d->name);
        ctl_done(c, 0);
    } else if (r->name && strcmp(r->name, "nosuch") == 0) {
        ctl_line(c, 21, "no connection named \"nosuch\"");
        ctl_done(c, 21);
    } else if (r->name && strcmp(r->name, "broken") == 0) {
        ctl_line(c, 31, "max number of retransmissions");
        ctl_done(c, 31);
    } else {
        ctl_line(c, 4, "done");
        ctl_done(c, 0);
    }
}

static void handle(void *ctx, ctl_client *c, uint16_t type, span body)
{
    dummy *d = ctx;
    ctl_request r;
    arena mem;
    msgbuf msg = {""};
    arena_init(&mem, 0);
    if (ctl_decode(&r, type, body, &mem, &msg) != ST_OK) {
        note(d, "bad request: %s", msg.text);
        ctl_done(c, 1);
    } else {
        const char *name = r.name ? r.name : r.text ? r.text : "";
        conn *cn = NULL;
        if (r.conn.n && conn_decode(&cn, r.conn, &msg) == ST_OK)
            name = cn->name;
        ca_section *ca = NULL;
        if (r.ca.n && ca_section_decode(&ca, r.ca, &msg) == ST_OK)
            name = ca->name;
        if (type != CTL_REQ_CONFIG)
            note(d, "%s %s", ENUM_STR(ctl_type_names, type), name);
        conn_unref(cn);
        ca_section_unref(ca);
        answer(d, c, &r);
    }
    arena_free(&mem);
}

static void on_signal(void *ctx, int signo)
{
    dummy *d = ctx;
    if (signo == SIGTERM)
        runtime_stop(d->rt, 0);
}

static int dummy_main(const char *name, int argc, char **argv)
{
    char pid[PATH_MAX];
    dummy d = {.name = name};
    ctl_server *server;
    const char *dir = getenv("IPSEC_PIDDIR");
    snprintf(d.path, sizeof(d.path), "%s/log", dir);
    d.log = fopen(d.path, "ae");
    if (!d.log)
        return 1;
    char args[2000] = "";
    for (int i = 1; i < argc; i++)
        snprintf(args + strlen(args), sizeof(args) - strlen(args), " %s", argv[i]);
    note(&d, "starts%s, sockets %s", args, getenv(NET_SOCKETS_ENV) ? "inherited" : "none");
    snprintf(pid, sizeof(pid), "%s/%s.pid", dir, name);
    snprintf(d.path, sizeof(d.path), "%s/%s.ctl", dir, name);
    const runtime_config rc = {.workers = 2};
    const ctl_server_config sc = {
        .path = d.path,
        .magic = strcmp(name, "pluto") == 0 ? CTL_MAGIC_WHACK : CTL_MAGIC_STROKE,
        .group = (gid_t)-1,
        .handle = handle,
        .ctx = &d,
    };
    if (pidfile_create(pid, NULL) != ST_OK || runtime_new(&d.rt, &rc) != ST_OK ||
        process_signals(d.rt, on_signal, &d) != ST_OK || ctl_server_new(&server, d.rt, &sc) != ST_OK)
        return 1;
    int code = runtime_run(d.rt);
    ctl_server_free(server);
    pidfile_remove(pid);
    note(&d, "ends");
    return code;
}

/* ---- the test ---- */

static char dir[] = "/tmp/starter-test-XXXXXX";
static char bin[PATH_MAX], top[PATH_MAX], log_path[PATH_MAX];

/* Runs a shell command with the environment of the test; its exit code. Output goes to DIR/out. */
static int run(const char *fmt, ...) PRINTF_LIKE(1, 2);
static int run(const char *fmt, ...)
{
    char command[2 * PATH_MAX], all[3 * PATH_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    snprintf(all, sizeof(all), "cd %s; ( %s ) >out 2>&1", dir, command);
    int st = system(all);
    return WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + st;
}

static char *read_file(const char *name)
{
    static char text[64 * 1024];
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

static void write_conf(const char *more)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/etc/ipsec.conf", dir);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(
        f,
        "config setup\n ikeport=%d\n nat_ikeport=%d\n plutodebug=control\n charondebug=\"ike 2\"\n"
        "ca root\n cacert=root.pem\n auto=add\n"
        "conn old\n left=192.0.2.1\n right=192.0.2.2\n authby=secret\n auto=start\n"
        "conn new\n left=192.0.2.1\n right=192.0.2.2\n keyexchange=ikev2\n authby=secret\n auto=route\n%s",
        20000 + getpid() % 20000, 20001 + getpid() % 20000, more);
    fclose(f);
}

/* The log has this line; waits a little for it. */
static void heard(const char *line)
{
    char whole[600];
    snprintf(whole, sizeof(whole), "%s\n", line);
    for (int i = 0; i < 200; i++) {
        if (strstr(read_file("run/log"), whole))
            return;
        usleep(25 * 1000);
    }
    fail_msg("not heard: %s\n%s", line, read_file("run/log"));
}

static void forget(void)
{
    assert_int_equal(truncate(log_path, 0), 0);
}

static void not_heard(const char *part)
{
    const char *text = read_file("run/log");
    if (strstr(text, part))
        fail_msg("heard: %s\n%s", part, text);
}

static int setup_all(void **state)
{
    char self[PATH_MAX] = "";
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || !mkdtemp(dir))
        return -1;
    snprintf(bin, sizeof(bin), "%s", self);
    for (int i = 0; i < 4; i++)
        *strrchr(bin, '/') = '\0'; /* BUILD/tests/unit/starter/test_starter */
    strcat(bin, "/bin");
    if (!getcwd(top, sizeof(top)))
        return -1;
    snprintf(log_path, sizeof(log_path), "%s/run/log", dir);
    setenv("IPSEC_CONFDIR", "", 1);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/etc", dir);
    setenv("IPSEC_CONFDIR", path, 1);
    snprintf(path, sizeof(path), "%s/run", dir);
    setenv("IPSEC_PIDDIR", path, 1);
    snprintf(path, sizeof(path), "%s/lib", dir);
    setenv("IPSEC_DIR", path, 1);
    unsetenv(NET_SOCKETS_ENV);
    return run("mkdir etc run lib && ln -s %s lib/pluto && ln -s %s lib/charon && cp %s/starter %s/whack "
               "%s/stroke lib/ && "
               "cp %s/conf/ipsec.in ipsec && chmod +x ipsec && touch etc/ipsec.secrets",
               self, self, bin, bin, bin, top);
}

static int remove_all(void **state)
{
    run("./ipsec stop");
    char cmd[PATH_MAX];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

static void nothing_runs(void **state)
{
    assert_int_equal(run("./ipsec status"), 3);
    assert_int_equal(run("./ipsec up old"), 7);
    assert_int_equal(run("./ipsec up"), 2);
    assert_int_equal(run("./ipsec update"), 7);
    assert_int_equal(run("./ipsec reload"), 7);
    assert_int_equal(run("./ipsec stop"), 0);
    assert_non_null(strstr(read_file("out"), "starter is not running"));
    assert_int_equal(run("./ipsec secrets"), 7);
    assert_int_equal(run("./ipsec listcerts"), 7);
    assert_int_equal(run("./ipsec nosuch"), 2);
    assert_non_null(strstr(read_file("out"), "unknown IPsec command 'nosuch'"));
    assert_int_equal(run("./ipsec --nosuch"), 2);
    assert_non_null(strstr(read_file("out"), "unknown option '--nosuch'"));
    assert_int_equal(run("./ipsec"), 0);
    assert_int_equal(run("./ipsec --versioncode"), 0);
    assert_int_equal(run("./ipsec whack --name x --initiate"), 1);
    assert_non_null(strstr(read_file("out"), "whack: Pluto is not running (no \""));
    assert_int_equal(run("./ipsec stroke up x"), 255);
    assert_non_null(strstr(read_file("out"), "Connect to socket failed"));
    assert_int_equal(run("./ipsec stroke nosuch"), 255);
    assert_int_equal(run("./ipsec start --nosuch"), 2);
    assert_non_null(strstr(read_file("out"), "Usage: starter [--nofork]"));
    assert_int_equal(run("./ipsec start --auto-update 0"), 2);
    assert_int_equal(run("./ipsec --directory"), 0);
    assert_non_null(strstr(read_file("out"), "/lib\n"));
}

static void bad_configuration(void **state)
{
    write_conf("config setup\n uniqueids=perhaps\n");
    assert_int_equal(run("./ipsec start"), 2);
    assert_non_null(strstr(read_file("out"), "uniqueids=perhaps: no, yes, replace or keep is expected"));
    assert_non_null(strstr(read_file("out"), "fatal errors in config"));
    assert_int_equal(run("./ipsec checkconf"), 2);
    write_conf("conn odd\n auto=whenever\n");
    assert_int_equal(run("./ipsec checkconf"), 1);
    assert_non_null(strstr(read_file("out"), "auto=whenever"));
}

/* ipsec.conf(5) is made from the table the parser reads. */
static void manual_is_current(void **state)
{
    char build[PATH_MAX];
    snprintf(build, sizeof(build), "%s", bin);
    *strrchr(build, '/') = '\0';
    assert_int_equal(
        run("unset IPSEC_DIR; cd %s && doc/man/make-ipsec-conf %s | cmp - doc/man/ipsec.conf.5", top, build),
        0);
}

static void start_and_feed(void **state)
{
    char pluto[300], charon[300];
    int port = 20000 + getpid() % 20000;
    write_conf("conn odd\n auto=whenever\n"); /* costs only itself */
    assert_int_equal(run("./ipsec start"), 0);
    snprintf(pluto, sizeof(pluto),
             "pluto starts --nofork --debug-control --uniqueids --ikeport=%d, sockets inherited", port);
    snprintf(charon, sizeof(charon),
             "charon starts --use-syslog --port=%d --port-nat-t=%d --debug-ike 2, sockets inherited", port,
             port + 1);
    heard(pluto);
    heard(charon);
    heard("pluto listen ");
    heard("pluto add ca root");
    heard("charon add ca root");
    heard("pluto add connection old");
    heard("charon add connection old");
    heard("pluto initiate old");
    heard("pluto add connection new");
    heard("charon route new");
    not_heard("charon initiate");
    not_heard("pluto route");
    not_heard("odd");
    assert_int_equal(run("./ipsec status"), 0);
    assert_string_equal(read_file("out"), "000 pluto is fine\ncharon is fine\n");
    assert_int_equal(run("./ipsec start"), 0);
    assert_non_null(strstr(read_file("out"), "starter is already running"));
    assert_int_equal(run("./ipsec up old"), 0);
    assert_int_equal(run("./ipsec up nosuch"), 21);
    assert_int_equal(run("./ipsec up broken"), 31);
    assert_int_equal(run("./ipsec down 'new{1}'"), 0);
    heard("pluto terminate new");
    heard("charon terminate new{1}");
    assert_int_equal(run("./ipsec stroke route broken"), 31);
    assert_int_equal(run("./ipsec rereadall"), 0);
    heard("charon reread ");
    assert_int_equal(run("./ipsec listcerts --utc"), 0);
    heard("pluto list ");
}

static void update_sends_differences(void **state)
{
    forget();
    write_conf("conn third\n left=192.0.2.1\n right=192.0.2.3\n authby=secret\n auto=add\n");
    assert_int_equal(run("./ipsec update"), 0);
    heard("charon add connection third");
    heard("pluto add connection third");
    not_heard(" old");
    not_heard(" new");
    forget();
    write_conf("conn third\n left=192.0.2.1\n right=192.0.2.4\n authby=secret\n auto=add\n");
    assert_int_equal(run("./ipsec update"), 0);
    heard("pluto delete connection third");
    heard("pluto add connection third");
    not_heard(" old");
    forget();
    write_conf("conn third\n left=192.0.2.1\n right=192.0.2.4\n authby=secret\n auto=route\n");
    assert_int_equal(run("./ipsec update"), 0);
    heard("pluto route third"); /* and nothing else: a tunnel that is up stays */
    not_heard("connection");
    forget();
    write_conf("conn third\n left=192.0.2.1\n right=192.0.2.4\n authby=secret\n auto=add\n");
    assert_int_equal(run("./ipsec update"), 0);
    heard("pluto unroute third");
    not_heard("connection");
    forget();
    write_conf("conn third\n nosuch=1\n"); /* refused as a whole */
    assert_int_equal(run("./ipsec update"), 0);
    usleep(300 * 1000);
    not_heard("third");
    write_conf("");
    assert_int_equal(run("./ipsec update"), 0);
    heard("charon delete connection third");
    not_heard("add");
}

static void reload_takes_everything_down(void **state)
{
    forget();
    assert_int_equal(run("./ipsec reload"), 0);
    heard("pluto delete connection old");
    heard("pluto delete ca root");
    heard("pluto initiate old");
    heard("charon route new");
}

static void the_dead_are_replaced(void **state)
{
    forget();
    assert_int_equal(run("kill -KILL $(cat run/charon.pid)"), 0);
    usleep(300 * 1000);
    assert_int_equal(run("kill -ALRM $(cat run/starter.pid)"), 0); /* now, not in 5 s */
    heard("charon add connection new");
    assert_non_null(strstr(read_file("run/log"), "charon starts"));
    heard("charon route new");
    not_heard("pluto");
    assert_int_equal(run("./ipsec status"), 0);
}

static void stop_leaves_nothing(void **state)
{
    assert_int_equal(run("./ipsec stop"), 0);
    heard("pluto ends");
    heard("charon ends");
    assert_int_equal(run("ls run"), 0);
    assert_string_equal(read_file("out"), "log\n");
    assert_int_equal(run("./ipsec status"), 3);
    /* plutostart=no: charon alone opens its own sockets */
    forget();
    write_conf("config setup\n plutostart=no\n");
    assert_int_equal(run("./ipsec start"), 0);
    heard("charon add connection new");
    assert_non_null(strstr(read_file("run/log"), "--debug-ike 2, sockets none"));
    not_heard("pluto");
    assert_int_equal(run("./ipsec up new"), 0);
    assert_int_equal(run("./ipsec listcards"), 3);
    assert_int_equal(run("./ipsec stop"), 0);
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    if (strcmp(name, "pluto") == 0 || strcmp(name, "charon") == 0)
        return dummy_main(name, argc, argv);
    if (getuid() != 0) {
        printf("[  SKIPPED ] needs root\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_runs),
        cmocka_unit_test(bad_configuration),
        cmocka_unit_test(manual_is_current),
        cmocka_unit_test(start_and_feed),
        cmocka_unit_test(update_sends_differences),
        cmocka_unit_test(reload_takes_everything_down),
        cmocka_unit_test(the_dead_are_replaced),
        cmocka_unit_test(stop_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup_all, remove_all);
}
