/* stroke: one command for charon, whose answer is printed as it comes. A table says which words there are,
 * what they ask for and which arguments they take. Exit status: 0, what charon says (not 0 when up, down or
 * route failed), or 255 when it could not be asked.
 */
#include "libfreeswan/conf/conn.h"
#include "libfreeswan/wire/control.h"

#include "libstrongswan/base/log.h"
#include "libstrongswan/run/ctlserver.h"
#include "libstrongswan/run/paths.h"
#include "libstrongswan/run/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_TROUBLE = 255 };

typedef enum arg_kind {
    ARG_NONE,
    ARG_NAME,
    ARG_OPT_NAME,
    ARG_UTC,
    ARG_LOGLEVEL,
    ARG_ADD,
    ARG_SRCIP,
    ARG_LEASES
} arg_kind;

typedef struct word_row {
    const char *word;
    ctl_type type;
    arg_kind args;
    uint32_t mask;
    bool all;
    const char *help;
} word_row;

// clang-format off
static const word_row words[] = {
    {"add",             CTL_REQ_ADD_CONN,   ARG_ADD, 0, 0,
     "NAME MY_ID OTHER_ID MY_ADDR OTHER_ADDR MY_NET OTHER_NET: adds a connection"},
    {"delete",          CTL_REQ_DEL_CONN,   ARG_NAME, 0, 0, "NAME: removes it"},
    {"del",             CTL_REQ_DEL_CONN,   ARG_NAME, 0, 0, NULL},
    {"up",              CTL_REQ_INITIATE,   ARG_NAME, 0, 0, "NAME: brings it up"},
    {"down",            CTL_REQ_TERMINATE,  ARG_NAME, 0, 0, "NAME, NAME[n], NAME{n}, [n], {n}, NAME[*], NAME{*}: takes it down"},
    {"down-srcip",      CTL_REQ_DOWN_SRCIP, ARG_SRCIP, 0, 0, "START [END]: takes down whoever has such a virtual address"},
    {"route",           CTL_REQ_ROUTE,      ARG_NAME, 0, 0, "NAME: installs its trap policies"},
    {"unroute",         CTL_REQ_UNROUTE,    ARG_NAME, 0, 0, "NAME: removes them"},
    {"loglevel",        CTL_REQ_LOGLEVEL,   ARG_LOGLEVEL, 0, 0, "any|dmn|mgr|ike|chd|job|cfg|knl|net|enc|lib LEVEL (-1 to 4)"},
    {"status",          CTL_REQ_STATUS,     ARG_OPT_NAME, 0, 0, "[NAME]"},
    {"statusall",       CTL_REQ_STATUS,     ARG_OPT_NAME, 0, 1, "[NAME]"},
    {"leases",          CTL_REQ_LEASES,     ARG_LEASES, 0, 0, "[POOL [ADDRESS]]"},
    {"listalgs",        CTL_REQ_LIST,       ARG_UTC, CTL_LIST_ALGS, 0, NULL},
    {"listpubkeys",     CTL_REQ_LIST,       ARG_UTC, CTL_LIST_PUBKEYS, 0, "[--utc], as the other lists"},
    {"listcerts",       CTL_REQ_LIST,       ARG_UTC, CTL_LIST_CERTS, 0, NULL},
    {"listcacerts",     CTL_REQ_LIST,       ARG_UTC, CTL_LIST_CACERTS, 0, NULL},
    {"listocspcerts",   CTL_REQ_LIST,       ARG_UTC, CTL_LIST_OCSPCERTS, 0, NULL},
    {"listaacerts",     CTL_REQ_LIST,       ARG_UTC, CTL_LIST_AACERTS, 0, NULL},
    {"listacerts",      CTL_REQ_LIST,       ARG_UTC, CTL_LIST_ACERTS, 0, NULL},
    {"listgroups",      CTL_REQ_LIST,       ARG_UTC, CTL_LIST_GROUPS, 0, NULL},
    {"listcainfos",     CTL_REQ_LIST,       ARG_UTC, CTL_LIST_CAINFOS, 0, NULL},
    {"listcrls",        CTL_REQ_LIST,       ARG_UTC, CTL_LIST_CRLS, 0, NULL},
    {"listocsp",        CTL_REQ_LIST,       ARG_UTC, CTL_LIST_OCSP, 0, NULL},
    {"listall",         CTL_REQ_LIST,       ARG_UTC, CTL_LIST_ALL, 0, NULL},
    {"rereadsecrets",   CTL_REQ_REREAD,     ARG_NONE, CTL_REREAD_SECRETS, 0, NULL},
    {"rereadcacerts",   CTL_REQ_REREAD,     ARG_NONE, CTL_REREAD_CACERTS, 0, NULL},
    {"rereadocspcerts", CTL_REQ_REREAD,     ARG_NONE, CTL_REREAD_OCSPCERTS, 0, NULL},
    {"rereadaacerts",   CTL_REQ_REREAD,     ARG_NONE, CTL_REREAD_AACERTS, 0, NULL},
    {"rereadacerts",    CTL_REQ_REREAD,     ARG_NONE, CTL_REREAD_ACERTS, 0, NULL},
    {"rereadcrls",      CTL_REQ_REREAD,     ARG_NONE, CTL_REREAD_CRLS, 0, NULL},
    {"rereadall",       CTL_REQ_REREAD,     ARG_NONE, CTL_REREAD_ALL, 0, NULL},
    {"purgeocsp",       CTL_REQ_PURGE,      ARG_NONE, CTL_PURGE_OCSP, 0, NULL},
    {"purgecrls",       CTL_REQ_PURGE,      ARG_NONE, CTL_PURGE_CRLS, 0, NULL},
    {"purgecerts",      CTL_REQ_PURGE,      ARG_NONE, CTL_PURGE_CERTS, 0, NULL},
    {"purgeike",        CTL_REQ_PURGE,      ARG_NONE, CTL_PURGE_IKE, 0, NULL},
    {"reload-settings", CTL_REQ_RELOAD,     ARG_NONE, 0, 0, "reads strongswan.conf again"},
};
// clang-format on
enum { N_WORDS = sizeof(words) / sizeof(words[0]) };

static int usage(FILE *to, const char *error)
{
    if (error)
        fprintf(to, "Error: %s\n", error);
    fprintf(to, "stroke [OPTIONS] command [ARGUMENTS]\n\nCommands:\n");
    for (size_t i = 0; i < N_WORDS; i++)
        fprintf(to, "    stroke %s%s%s\n", words[i].word, words[i].help ? " " : "",
                words[i].help ? words[i].help : "");
    return error ? EXIT_TROUBLE : 0;
}

/* ---- arguments ---- */

typedef struct request {
    ctl_request r;
    buf conn;
    msgbuf msg;
} request;

/* NAME MY_ID OTHER_ID MY_ADDR OTHER_ADDR MY_NET OTHER_NET [2 words that were never used] */
static status take_conn(request *q, int n, char **a)
{
    conn *c;
    if (n != 7 && n != 9)
        return msg_fail(&q->msg, ST_INVALID,
                        "add needs NAME MY_ID OTHER_ID MY_ADDR OTHER_ADDR MY_NET OTHER_NET");
    status st = conn_new(&c, a[0]);
    if (st)
        return st;
    c->version = CONN_IKEV2;
    c->authby = AUTH_PSK;
    c->autostart = AUTO_ADD;
    st = conn_set_str(c, &c->left.id_text, a[1]);
    if (!st)
        st = conn_set_str(c, &c->right.id_text, a[2]);
    if (!st)
        st = conn_end_set_host(c, &c->left, a[3], &q->msg);
    if (!st)
        st = conn_end_set_host(c, &c->right, a[4], &q->msg);
    if (!st && a[5][0])
        st = conn_end_set_subnets(c, &c->left, a[5], &q->msg);
    if (!st && a[6][0])
        st = conn_end_set_subnets(c, &c->right, a[6], &q->msg);
    if (!st)
        st = conn_resolve(c, &q->msg);
    if (!st)
        st = conn_seal(c, &q->msg);
    if (!st)
        st = conn_encode(c, &q->conn);
    conn_unref(c);
    q->r.conn = buf_span(&q->conn);
    return st;
}

static status take_loglevel(request *q, int n, char **a)
{
    if (n != 2)
        return msg_fail(&q->msg, ST_INVALID, "loglevel needs a type and a level");
    q->r.group = log_group_by_name(a[0]);
    if (q->r.group < 0)
        return msg_fail(&q->msg, ST_INVALID, "invalid type (%.20s)!", a[0]);
    char *end;
    long level = strtol(a[1], &end, 10);
    if (*end || end == a[1] || level < -1 || level > 4)
        return msg_fail(&q->msg, ST_INVALID, "invalid level (%.20s): -1 to 4 is expected", a[1]);
    q->r.level = (int)level;
    return ST_OK;
}

static status take_addresses(request *q, int n, char **a)
{
    if (n < 1 || n > 2)
        return msg_fail(&q->msg, ST_INVALID, "down-srcip needs one address or two");
    status st = addr_from_text(&q->r.from, a[0], &q->msg);
    if (!st && n == 2)
        st = addr_from_text(&q->r.to, a[1], &q->msg);
    return st;
}

static status take_arguments(request *q, const word_row *w, int n, char **a)
{
    static const struct {
        int min, max;
    } counts[] = {
        [ARG_NONE] = {0, 0},     [ARG_NAME] = {1, 1}, [ARG_OPT_NAME] = {0, 1}, [ARG_UTC] = {0, 1},
        [ARG_LOGLEVEL] = {0, 9}, [ARG_ADD] = {0, 99}, [ARG_SRCIP] = {0, 9},    [ARG_LEASES] = {0, 2},
    };
    if (n < counts[w->args].min || n > counts[w->args].max)
        return msg_fail(&q->msg, ST_INVALID, "\"%s\" %s", w->word,
                        w->args == ARG_NAME ? "needs a connection name" : "has too many arguments");
    switch (w->args) {
    case ARG_NONE:
        return ST_OK;
    case ARG_NAME:
    case ARG_OPT_NAME:
        q->r.name = n ? a[0] : NULL;
        return ST_OK;
    case ARG_UTC:
        q->r.utc = n > 0;
        if (n && strcmp(a[0], "--utc") != 0)
            return msg_fail(&q->msg, ST_INVALID, "\"%s\" takes --utc only", w->word);
        return ST_OK;
    case ARG_LOGLEVEL:
        return take_loglevel(q, n, a);
    case ARG_ADD:
        return take_conn(q, n, a);
    case ARG_SRCIP:
        return take_addresses(q, n, a);
    case ARG_LEASES:
        q->r.name = n ? a[0] : NULL;
        return n > 1 ? addr_from_text(&q->r.from, a[1], &q->msg) : ST_OK;
    }
    return ST_OK;
}

/* ---- talking ---- */

static void print_line(void *ctx, int code, span text)
{
    fwrite(text.p ? text.p : (const uint8_t *)"", 1, text.n, stdout);
    putchar('\n');
    fflush(stdout);
}

static size_t ask(void *ctx, span text, bool echo, char *answer, size_t size)
{
    return terminal_ask(text, echo, answer, size);
}

static int talk(request *q)
{
    char path[4096];
    ctl_conn c;
    buf body = {0};
    int code = 0;
    const ctl_reply_ops ops = {print_line, ask, NULL};
    status st = ctl_encode(&q->r, &body, &q->msg);
    if (st) {
        fprintf(stderr, "stroke: %s\n", q->msg.text);
        buf_free(&body);
        return EXIT_TROUBLE;
    }
    path_join(path_piddir(), "charon.ctl", path, sizeof(path));
    if (ctl_connect(&c, path, CTL_MAGIC_STROKE) != ST_OK) {
        fprintf(stderr, "Connect to socket failed: %s: %s\n", path, strerror(errno));
        buf_free(&body);
        return EXIT_TROUBLE;
    }
    st = ctl_send(&c, (uint16_t)q->r.type, buf_span(&body));
    if (!st)
        st = ctl_receive(&c, &ops, 0, &code);
    if (st) {
        fprintf(stderr, "stroke: the connection to charon broke: %s\n",
                st == ST_IO ? strerror(errno) : status_text(st));
        code = EXIT_TROUBLE;
    }
    ctl_close(&c);
    buf_free(&body);
    return code;
}

int main(int argc, char **argv)
{
    request q = {0};
    const word_row *w = NULL;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return usage(argc < 2 ? stderr : stdout, argc < 2 ? "no command" : NULL);
    for (size_t i = 0; i < N_WORDS && !w; i++)
        if (strcmp(words[i].word, argv[1]) == 0)
            w = &words[i];
    if (!w)
        return usage(stderr, "unknown keyword");
    ctl_request_init(&q.r, w->type);
    q.r.mask = w->mask;
    q.r.all = w->all;
    status st = take_arguments(&q, w, argc - 2, argv + 2);
    int code;
    if (st)
        code = usage(stderr, q.msg.text[0] ? q.msg.text : status_text(st));
    else
        code = talk(&q);
    buf_free(&q.conn);
    return code;
}
