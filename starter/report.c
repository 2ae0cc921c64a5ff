/* `ipsec status --json`, `ipsec metrics`, `ipsec explain NAME`: each daemon is asked for its JSON document
 * (libfreeswan/env/report.h) over its control socket; the two become one document, or text made from it.
 *
 * Exit codes: 0 done, 1 a daemon that should answer did not, 3 neither runs, 21 no daemon knows the conn.
 */
#include "starter/starter.h"

#include "libstrongswan/run/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 30 * 1000, NOT_RUNNING = 3, UNKNOWN_CONN = 21 };

static const struct {
    const char *name;
    uint32_t magic;
} daemons[] = {{"pluto", CTL_MAGIC_WHACK}, {"charon", CTL_MAGIC_STROKE}};
enum { N_DAEMONS = sizeof(daemons) / sizeof(daemons[0]) };

/* ---- asking ---- */

static void gather(void *ctx, int code, span text)
{
    buf_put(ctx, text);
}

static json_t *ask_daemon(size_t which, const char *name)
{
    char path[4096], file[32];
    ctl_request r;
    ctl_conn c;
    buf body = {0}, answer = {0};
    msgbuf msg = {""};
    int code = 0;
    json_t *doc = NULL;
    const ctl_reply_ops ops = {gather, NULL, &answer};

    ctl_request_init(&r, CTL_REQ_STATUS);
    r.name = name;
    r.json = true;
    snprintf(file, sizeof(file), "%s.ctl", daemons[which].name);
    status st = ctl_encode(&r, &body, &msg);
    if (st) {
        fprintf(stderr, "ipsec: %s\n", msg.text[0] ? msg.text : status_text(st));
    } else if ((st = ctl_connect(&c, path_join(path_piddir(), file, path, sizeof(path)),
                                 daemons[which].magic)) != ST_OK) {
        fprintf(stderr, "ipsec: cannot connect to %s: %s\n", daemons[which].name, strerror(errno));
    } else {
        json_error_t why;
        st = ctl_send(&c, (uint16_t)r.type, buf_span(&body));
        if (!st)
            st = ctl_receive(&c, &ops, ANSWER_MS, &code);
        ctl_close(&c);
        if (st)
            fprintf(stderr, "ipsec: %s did not answer: %s\n", daemons[which].name, status_text(st));
        else if (!(doc = json_loadb(answer.n ? (const char *)answer.p : "", answer.n, 0, &why)))
            fprintf(stderr, "ipsec: what %s answers is no JSON: %s\n", daemons[which].name, why.text);
    }
    buf_free(&body);
    buf_free(&answer);
    return doc;
}

static bool pid_there(const char *daemon)
{
    char path[4096], file[32];
    snprintf(file, sizeof(file), "%s.pid", daemon);
    return access(path_join(path_piddir(), file, path, sizeof(path)), F_OK) == 0;
}

/* {"daemons": [{…}, …]}: those that run. *code: the exit status. */
static json_t *ask_all(const char *name, int *code)
{
    json_t *items = json_array();
    bool any = false;
    *code = 0;
    for (size_t i = 0; i < N_DAEMONS; i++) {
        if (!pid_there(daemons[i].name))
            continue;
        any = true;
        json_t *doc = ask_daemon(i, name);
        if (doc)
            json_array_append_new(items, doc);
        else
            *code = 1;
    }
    if (!any)
        *code = NOT_RUNNING;
    return json_pack("{s:o}", "daemons", items);
}

/* ---- reading the document ---- */

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static int64_t num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool is(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

/* ---- OpenMetrics ---- */

static void put_label(const char *s)
{
    for (; *s; s++) {
        if (*s == '\n')
            fputs("\\n", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else
            putchar(*s);
    }
}

static void put_conn_labels(const json_t *d, const char *about)
{
    fputs("{conn=\"", stdout);
    put_label(about);
    printf("\",daemon=\"%s\"", str(d, "daemon"));
}

/* A metric family: its head, then one function for each daemon's document. */
typedef struct family {
    const char *name, *type, *unit, *help;
    void (*put)(const char *name, const json_t *d);
} family;

static void put_running(const char *name, const json_t *d)
{
    printf("%s{daemon=\"%s\"} 1\n", name, str(d, "daemon"));
}

static void put_started(const char *name, const json_t *d)
{
    printf("%s{daemon=\"%s\"} %" PRId64 "\n", name, str(d, "daemon"), num(d, "started"));
}

static void put_up(const char *name, const json_t *d)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(d, "conns"), i, c)
    {
        fputs(name, stdout);
        put_conn_labels(d, str(c, "name"));
        printf("} %d\n", is(c, "up"));
    }
}

static void with_name(const char *name, const json_t *d,
                      void (*line)(const char *, const json_t *, const json_t *))
{
    size_t i, k;
    json_t *sa, *child;
    json_array_foreach(json_object_get(d, "sas"), i, sa)
    {
        json_array_foreach(json_object_get(sa, "children"), k, child)
        {
            if (is(child, "installed"))
                line(name, d, child);
        }
    }
}

static void bytes_line(const char *name, const json_t *d, const json_t *child)
{
    static const char *const dirs[][2] = {{"in", "bytes_in"}, {"out", "bytes_out"}};
    for (size_t i = 0; i < 2; i++) {
        printf("%s_total", name);
        put_conn_labels(d, str(child, "conn"));
        printf(",id=\"%" PRId64 "\",spi=\"%s\",dir=\"%s\"} %" PRId64 "\n", num(child, "id"),
               str(child, i ? "spi_out" : "spi_in"), dirs[i][0], num(child, dirs[i][1]));
    }
}

static void put_bytes(const char *name, const json_t *d)
{
    with_name(name, d, bytes_line);
}

static void put_established(const char *name, const json_t *d)
{
    size_t i;
    json_t *sa;
    json_array_foreach(json_object_get(d, "sas"), i, sa)
    {
        if (!num(sa, "established"))
            continue;
        printf("%s", name);
        put_conn_labels(d, str(sa, "conn"));
        printf(",id=\"%" PRId64 "\"} %" PRId64 "\n", num(sa, "id"), num(sa, "established"));
    }
}

static void put_rekeys(const char *name, const json_t *d)
{
    const json_t *c = json_object_get(d, "counters");
    printf("%s_total{daemon=\"%s\",kind=\"ike\"} %" PRId64 "\n", name, str(d, "daemon"),
           num(c, "ike_rekeyed"));
    printf("%s_total{daemon=\"%s\",kind=\"child\"} %" PRId64 "\n", name, str(d, "daemon"),
           num(c, "child_rekeyed"));
}

static void put_failures(const char *name, const json_t *d)
{
    const char *reason;
    json_t *n;
    json_object_foreach(json_object_get(d, "auth_failures"), reason, n)
    {
        printf("%s_total{daemon=\"%s\",reason=\"%s\"} %" PRId64 "\n", name, str(d, "daemon"), reason,
               (int64_t)json_integer_value(n));
    }
}

static void put_half_open(const char *name, const json_t *d)
{
    printf("%s{daemon=\"%s\"} %" PRId64 "\n", name, str(d, "daemon"),
           num(json_object_get(d, "counters"), "half_open"));
}

static void put_retransmits(const char *name, const json_t *d)
{
    printf("%s_total{daemon=\"%s\"} %" PRId64 "\n", name, str(d, "daemon"),
           num(json_object_get(d, "counters"), "retransmits"));
}

// clang-format off
static const family families[] = {
    {"ipsec_daemon_running", "gauge", NULL, "The daemon answers.", put_running},
    {"ipsec_daemon_start_timestamp_seconds", "gauge", "seconds", "When the daemon was started.", put_started},
    {"ipsec_up", "gauge", NULL, "The conn has an IPsec SA; 0 for a conn that is loaded and down.", put_up},
    {"ipsec_established_timestamp_seconds", "gauge", "seconds", "When the IKE SA was established.", put_established},
    {"ipsec_child_bytes", "counter", "bytes", "Octets through an IPsec SA.", put_bytes},
    {"ipsec_rekeys", "counter", NULL, "SAs that took the place of an older one.", put_rekeys},
    {"ipsec_auth_failures", "counter", NULL, "Authentications that failed.", put_failures},
    {"ipsec_half_open", "gauge", NULL, "IKE SAs of peers that are not authenticated yet.", put_half_open},
    {"ipsec_retransmits", "counter", NULL, "IKE messages sent again.", put_retransmits},
};
// clang-format on

static void print_metrics(const json_t *doc)
{
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        const family *m = &families[f];
        size_t i;
        json_t *d;
        printf("# TYPE %s %s\n", m->name, m->type);
        if (m->unit)
            printf("# UNIT %s %s\n", m->name, m->unit);
        printf("# HELP %s %s\n", m->name, m->help);
        json_array_foreach(json_object_get(doc, "daemons"), i, d)
        {
            m->put(m->name, d);
        }
    }
    puts("# EOF");
}

/* ---- explain ---- */

static void print_time(int64_t when)
{
    time_t t = (time_t)when;
    struct tm tm;
    char text[64] = "";
    if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm))
        printf("%s", text);
}

static void print_lines(const json_t *c)
{
    size_t i;
    json_t *l;
    if (json_array_size(json_object_get(c, "explain")) == 0) {
        puts("  no failure is on record");
        return;
    }
    puts("  what was said last about it:");
    json_array_foreach(json_object_get(c, "explain"), i, l)
    {
        fputs("    ", stdout);
        print_time(num(l, "time"));
        printf("  %s", str(l, "text"));
        if (num(l, "times") > 1)
            printf(" (%" PRId64 " times)", num(l, "times"));
        putchar('\n');
    }
}

/* The SA of the conn that is under way; NULL. */
static const json_t *sa_of(const json_t *d, const char *about)
{
    size_t i;
    json_t *sa;
    json_array_foreach(json_object_get(d, "sas"), i, sa)
    {
        if (strcmp(str(sa, "conn"), about) == 0)
            return sa;
    }
    return NULL;
}

static bool any_host(const json_t *c)
{
    const char *host = str(json_object_get(c, "remote"), "host");
    return strcmp(host, "%any") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* One sentence: why it is not up now. */
static void print_state(const json_t *d, const json_t *c)
{
    const json_t *sa = sa_of(d, str(c, "name"));
    if (is(c, "up")) {
        printf("  up: %" PRId64 " IPsec SA%s\n", num(c, "children"), num(c, "children") == 1 ? "" : "s");
        return;
    }
    if (!is(c, "oriented"))
        puts("  down: neither end is an address of this host");
    else if (sa && num(sa, "established"))
        printf("  down: the IKE SA (%s) is up with %s, but it has no IPsec SA\n", str(sa, "state"),
               str(sa, "remote"));
    else if (sa)
        printf("  down: it is being negotiated with %s (%s)\n", str(sa, "remote"), str(sa, "state"));
    else if (any_host(c))
        puts("  down: it waits for a peer; we do not know where to call");
    else if (is(c, "routed"))
        puts("  down: it is routed and waits for traffic");
    else if (strcmp(str(c, "auto"), "add") == 0)
        printf("  down: auto=add, so it waits for the peer or for `ipsec up %s`\n", str(c, "name"));
    else
        puts("  down: it was started and has ended, or was taken down");
}

static void print_end(const char *what, const json_t *e)
{
    size_t i;
    json_t *one;
    printf("  %s %s[%s], authentication %s, networks", what, str(e, "host"), str(e, "id"), str(e, "auth"));
    if (json_array_size(json_object_get(e, "subnets")) == 0)
        fputs(" the host itself", stdout);
    json_array_foreach(json_object_get(e, "subnets"), i, one)
    {
        printf(" %s", json_string_value(one));
    }
    putchar('\n');
}

static void print_conn(const json_t *d, const json_t *c)
{
    size_t i;
    json_t *k;
    printf("conn '%s' of %s (%s, auto=%s)\n", str(c, "name"), str(d, "daemon"), str(c, "keyexchange"),
           str(c, "auto"));
    print_end("local ", json_object_get(c, "local"));
    print_end("remote", json_object_get(c, "remote"));
    print_state(d, c);
    print_lines(c);
    json_array_foreach(json_object_get(c, "credentials"), i, k)
    {
        printf("  %s%s: %s\n", is(k, "found") ? "" : "MISSING ", str(k, "what"), str(k, "text"));
    }
}

static size_t print_explanation(const json_t *doc)
{
    size_t i, k, n = 0;
    json_t *d, *c;
    json_array_foreach(json_object_get(doc, "daemons"), i, d)
    {
        json_array_foreach(json_object_get(d, "conns"), k, c)
        {
            print_conn(d, c);
            n++;
        }
    }
    json_array_foreach(json_object_get(doc, "daemons"), i, d)
    {
        if (n && json_array_size(json_object_get(d, "explain"))) {
            printf("%s, about peers that fitted no conn:\n", str(d, "daemon"));
            print_lines(d);
        }
    }
    return n;
}

int report(const char *what, const char *name)
{
    int code;
    json_t *doc = ask_all(name, &code);
    if (!doc) {
        fprintf(stderr, "ipsec: out of memory\n");
        return 1;
    }
    if (strcmp(what, "metrics") == 0) {
        print_metrics(doc);
    } else if (strcmp(what, "json") == 0) {
        json_dumpf(doc, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (print_explanation(doc) == 0 && code == 0) {
        fprintf(stderr, "ipsec: no daemon has a conn '%s'\n", name);
        code = UNKNOWN_CONN;
    } else if (code == NOT_RUNNING) {
        fprintf(stderr, "ipsec: neither pluto nor charon runs\n");
    }
    json_decref(doc);
    if (fflush(stdout) != 0)
        code = 1;
    return code;
}
