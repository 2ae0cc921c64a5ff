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
    if (r->type == CTL_REQ_STATUS && r->json) {
        ctl_line(
            c, 0,
            "{\"daemon\":\"%s\",\"started\":1000,\"now\":2000,\"kernel\":\"fake\","
            "\"counters\":{\"half_open\":3,\"retransmits\":4,\"ike_rekeyed\":5,\"child_rekeyed\":6},"
            "\"auth_failures\":{\"no_secret\":7},\"explain\":[],\"conns\":["
            "{\"name\":\"net\",\"keyexchange\":\"ikev2\",\"auto\":\"add\",\"up\":true,\"routed\":false,"
            "\"oriented\":true,\"children\":1,\"local\":{\"host\":\"192.0.2.1\",\"id\":\"a\",\"auth\":"
            "\"psk\","
            "\"subnets\":[\"10.1.0.0/16\"]},\"remote\":{\"host\":\"192.0.2.2\",\"id\":\"b\",\"auth\":\"psk\","
            "\"subnets\":[]},\"explain\":[{\"time\":0,\"times\":2,\"text\":\"no secret\"}],"
            "\"credentials\":[{\"what\":\"secret\",\"found\":false,\"text\":\"none\"}]},"
            "{\"name\":\"lazy\",\"keyexchange\":\"ikev2\",\"auto\":\"add\",\"up\":false}],"
            "\"sas\":[{\"conn\":\"net\",\"id\":1,\"state\":\"ESTABLISHED\",\"established\":1500,"
            "\"children\":[{\"conn\":\"net\",\"id\":9,\"installed\":true,\"spi_in\":\"01020304\","
            "\"spi_out\":\"05060708\",\"bytes_in\":11,\"bytes_out\":12}]}]}",
            d->name);
        ctl_done(c, 0);
    } else if (r->type == CTL_REQ_STATUS) {
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

static void note_conn(dummy *d, const conn *c)
{
    note(d,
         "%s: v%d type %d auth %x/%d pfs %d rekey %d ike %s life %d %d %d left %s[%s] %u nets %s right %s "
         "any %d virt %s",
         c->name, c->version, c->type, c->authby, c->auth_ah, c->pfs, c->rekey, c->ike ? c->ike : "-",
         (int)c->ikelifetime_s, (int)c->keylife_s, c->dpdaction, c->left.host_text,
         c->left.id_text ? c->left.id_text : "-", c->left.n_subnets,
         c->left.n_subnets ? SUBNET_STR(&c->left.subnets[0]) : "-", c->right.host_text, c->right.host_any,
         c->right.virt ? c->right.virt : "-");
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
        if (cn && strncmp(cn->name, "cli", 3) == 0)
            note_conn(d, cn);
        if (r.mask || r.text || r.utc || r.from.family)
            note(d, "mask %x text %s utc %d from %s data %zu", r.mask, r.text ? r.text : "-", r.utc,
                 ADDR_STR(&r.from), r.data.n);
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
    assert_non_null(
        strstr(read_file("out"), "uniqueids=perhaps: no, yes, replace, keep or never is expected"));
    assert_non_null(strstr(read_file("out"), "fatal errors in config"));
    assert_int_equal(run("./ipsec checkconf"), 2);
    write_conf("conn odd\n auto=whenever\n");
    assert_int_equal(run("./ipsec checkconf"), 1);
    assert_non_null(strstr(read_file("out"), "auto=whenever"));
}

/* The shapes of `checkconf`, `metrics`, `status --json` and `explain`: scripts read them. */
static void checkconf_tells_all(void **state)
{
    const char *text;
    write_conf(
        "conn %default\n authby=secret\n left=127.0.0.1\nconn base\n right=192.0.2.9\n"
        "conn net\n also=base\n keyexchange=ikev2\n leftcert=gone.pem\n ike=3des-md5-modp1024\n auto=add\n"
        "conn twin\n also=net\n leftcert=gone.pem\n auto=add\n");
    assert_int_equal(run("./ipsec checkconf"), 1);
    text = read_file("out");
    assert_non_null(strstr(text, "    right=                   192.0.2.9                        # "));
    assert_non_null(strstr(text, ", also=base\n"));
    assert_non_null(strstr(text, ", %default\n"));
    assert_non_null(strstr(text, "# built-in\n"));
    assert_non_null(strstr(text, "error: conn 'net': leftcert=gone.pem: there is no file "));
    assert_non_null(strstr(text, "weak: modp1024 is within reach of a state\n"));
    assert_non_null(strstr(text, "conn 'twin' is never chosen for a peer that calls: conn 'net' ("));
    assert_int_equal(run("./ipsec checkconf --quiet"), 1);
    assert_null(strstr(read_file("out"), "# built-in"));
    assert_int_equal(run("./ipsec checkconf --json"), 1);
    text = read_file("out");
    assert_non_null(strstr(text, "\"severity\": \"error\""));
    assert_non_null(strstr(text, "\"origin\": \"%default\""));
    assert_non_null(strstr(text, "\"from\": \"base\""));
}

static void both_daemons_report(void **state)
{
    static const char *const lines[] = {
        "ipsec_up{conn=\"net\",daemon=\"charon\"} 1\n",
        "ipsec_up{conn=\"lazy\",daemon=\"pluto\"} 0\n",
        "ipsec_established_timestamp_seconds{conn=\"net\",daemon=\"pluto\",id=\"1\"} 1500\n",
        "ipsec_child_bytes_total{conn=\"net\",daemon=\"charon\",id=\"9\",spi=\"01020304\",dir=\"in\"} 11\n",
        "ipsec_child_bytes_total{conn=\"net\",daemon=\"charon\",id=\"9\",spi=\"05060708\",dir=\"out\"} 12\n",
        "# TYPE ipsec_rekeys counter\n",
        "ipsec_rekeys_total{daemon=\"charon\",kind=\"child\"} 6\n",
        "ipsec_auth_failures_total{daemon=\"pluto\",reason=\"no_secret\"} 7\n",
    };
    assert_int_equal(run("./ipsec metrics"), 0);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(read_file("out"), lines[i]))
            fail_msg("no %s in %s", lines[i], read_file("out"));
    assert_string_equal(read_file("out") + strlen(read_file("out")) - 6, "# EOF\n");
    assert_int_equal(run("./ipsec status --json"), 0);
    assert_non_null(strstr(read_file("out"), "\"daemon\": \"pluto\""));
    assert_non_null(strstr(read_file("out"), "\"daemon\": \"charon\""));
    assert_int_equal(run("./ipsec explain net"), 0);
    assert_non_null(strstr(read_file("out"), "conn 'net' of charon (ikev2, auto=add)\n"));
    assert_non_null(strstr(read_file("out"), "  up: 1 IPsec SA\n"));
    assert_non_null(strstr(read_file("out"), "  no secret (2 times)\n"));
    assert_non_null(strstr(read_file("out"), "  MISSING secret: none\n"));
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

#define ENDS "--host 192.0.2.1 --to --host 192.0.2.2 "

static void whack_describes_conns(void **state)
{
    forget();
    assert_int_equal(run("./ipsec whack --name cli1 --psk --encrypt --tunnel --pfs --host 192.0.2.1 --client "
                         "10.1.0.0/16 --id @me "
                         "--to --host %%any --client vhost:%%no,%%priv --ikelifetime 7200 --ipseclifetime "
                         "1800 --rekeymargin 60 "
                         "--ike aes128-sha1-modp2048 --dpdaction clear --dpddelay 5 --dpdtimeout 20"),
                     0);
    heard("pluto cli1: v1 type 0 auth 1/0 pfs 1 rekey 1 ike aes128-sha1-modp2048 life 7200 1800 1 left "
          "192.0.2.1[@me] 1 nets "
          "10.1.0.0/16 right %any any 1 virt vhost:%no,%priv");
    /* a unique beginning of a name will do; options from a file; --delete with a description takes the old
     * one's place */
    assert_int_equal(run("echo '--rsasig \"--host\" 192.0.2.1 # comment' >opt; "
                         "./ipsec whack --name cli2 --optionsfrom opt --to --host 192.0.2.2 --authent "
                         "--dontrekey --delete --init --async"),
                     0);
    heard("pluto replace connection cli2");
    heard("pluto cli2: v1 type 1 auth 2/1 pfs 0 rekey 0 ike - life 10800 3600 0 left 192.0.2.1[-] 0 nets - "
          "right 192.0.2.2 any 0 "
          "virt -");
    heard("pluto initiate cli2");
    assert_int_equal(run("./ipsec whack --name cli3 --pass " ENDS), 0);
    heard("pluto cli3: v1 type 3 auth 20/0 pfs 0 rekey 1 ike - life 10800 3600 0 left 192.0.2.1[-] 0 nets - "
          "right 192.0.2.2 any 0 "
          "virt -");
    assert_int_equal(run("./ipsec stroke add cli4 @a @b 192.0.2.1 192.0.2.2 10.1.0.0/16 10.2.0.0/16"), 0);
    heard("charon cli4: v2 type 0 auth 1/0 pfs 1 rekey 1 ike - life 10800 3600 0 left 192.0.2.1[@a] 1 nets "
          "10.1.0.0/16 right "
          "192.0.2.2 any 0 virt -");
}

static void whack_requests(void **state)
{
    forget();
    assert_int_equal(run("./ipsec whack --listcerts --listcrls --utc"), 0);
    heard("pluto mask 204 text - utc 1 from %any data 0");
    assert_int_equal(run("./ipsec whack --rereadsecrets --purgeocsp --debug-control --debug-natt"), 0);
    heard("pluto mask 110 text - utc 0 from %any data 0");
    assert_int_equal(run("./ipsec whack --keyid @x --addkey --pubkeyrsa 0x0103aabbcc"), 0);
    heard("pluto mask 0 text @x utc 0 from %any data 5");
    assert_int_equal(run("./ipsec whack --crash 192.0.2.9 --deletestate 7 --myid @me"), 0);
    heard("pluto mask 0 text - utc 0 from 192.0.2.9 data 0");
    heard("pluto mask 0 text @me utc 0 from %any data 0");
    assert_int_equal(run("./ipsec whack --caname c --cacert c.pem --crluri http://x"), 0);
    heard("pluto add ca c");
    assert_int_equal(run("./ipsec whack --caname c --delete"), 0);
    heard("pluto delete ca c");
    assert_int_equal(run("./ipsec scencrypt 0011 --keyid 1:2"), 0);
    heard("pluto mask 0 text 1:2 utc 0 from %any data 4");
    assert_int_equal(run("./ipsec stroke down-srcip 10.0.0.1"), 0);
    heard("charon mask 0 text - utc 0 from 10.0.0.1 data 0");
    assert_int_equal(run("./ipsec stroke loglevel knl 2"), 0);
    assert_int_equal(run("./ipsec stroke loglevel knl 5"), 255);
    assert_int_equal(run("./ipsec stroke loglevel foo 1"), 255);
    assert_non_null(strstr(read_file("out"), "invalid type (foo)!"));
}

static void whack_refuses(void **state)
{
    static const struct {
        const char *args, *why;
    } row[] = {
        {"", "no action specified"},
        {"--initiate", "missing --name"},
        {"--name x --listen", "no reason for --name"},
        {"--name x --name y", "duplicated flag \"name\""},
        {"--name x --initiate --initiate", "duplicated flag \"initiate\""},
        {"--label L --name x --psk --host 192.0.2.1",
         "whack error: L \"x\" connection missing --host on one side of --to"},
        {"--name x --psk --to --host 192.0.2.1", "connection missing --host before --to"},
        {"--name x " ENDS, "must specify one of --rsasig or --psk"},
        {"--name x --psk --pass " ENDS, "shunt connection cannot have authentication"},
        {"--name x --psk --host %%any --to --host %%any", "both %any"},
        {"--name x --psk --ikelifetime 100000 " ENDS, "'100000' is not a number from 0 to 86400"},
        {"--name x --psk --ipseclifetime 1000 " ENDS, "ipseclifetime (1000 s) must be greater"},
        {"--name x --psk --dpdaction hold " ENDS, "dpdaction requires dpddelay"},
        {"--name x --psk --dpdaction hold --dpddelay 9 --dpdtimeout 8 " ENDS, "dpddelay must be less"},
        {"--name x --psk --ike aes1 " ENDS, "ike=: 'aes1'"},
        {"--name x --psk --client 10.0.0.0/8 --clientwithin 10.0.0.0/8 " ENDS,
         "--client conflicts with --clientwithin"},
        {"--name x --psk --host 192.0.2.1 --ipv6 --to --host 192.0.2.2",
         "must stand before the first address"},
        {"--scencrypt 00 --inbase 7", "not a valid base"},
        {"--utc --status", "--utc goes with a list only"},
        {"--oppohere 192.0.2.1", "--oppohere and --oppothere must be used together"},
        {"--pubkeyrsa 0s00", "--pubkeyrsa must be preceded by --keyid"},
        {"--caname x", "missing --cacert"},
        {"--nosuch", "see --help"},
        {"--status foo", "unexpected argument \"foo\""},
        {"--optionsfrom /nonexistent", "No such file"},
        {"--optionsfrom", "needs a file name"},
    };
    forget();
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        char command[600];
        snprintf(command, sizeof(command), "./ipsec whack %s", row[i].args);
        for (char *p = command; (p = strstr(p, "%%")); p++)
            memmove(p, p + 1, strlen(p));
        int code = run("%s", command);
        if (code != 1 || !strstr(read_file("out"), row[i].why))
            fail_msg("%s: %d %s", row[i].args, code, read_file("out"));
    }
    not_heard("connection");
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
        cmocka_unit_test(checkconf_tells_all),
        cmocka_unit_test(start_and_feed),
        cmocka_unit_test(both_daemons_report),
        cmocka_unit_test(whack_describes_conns),
        cmocka_unit_test(whack_requests),
        cmocka_unit_test(whack_refuses),
        cmocka_unit_test(update_sends_differences),
        cmocka_unit_test(reload_takes_everything_down),
        cmocka_unit_test(the_dead_are_replaced),
        cmocka_unit_test(stop_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup_all, remove_all);
}
