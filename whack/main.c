/* whack: tells pluto what to do and prints what it answers, each line with its code of three digits. The exit
 * status is the code of the last line that is not a comment or a copy of the log; 004 makes it 0.
 */
#include "whack/whack.h"

#include "config.h"
#include "libstrongswan/run/ctlserver.h"
#include "libstrongswan/run/paths.h"
#include "libstrongswan/run/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RC_COMMENT = 0, RC_WHACK_PROBLEM = 1, RC_LOG = 2, RC_LOG_SERIOUS = 3, RC_SUCCESS = 4 };

typedef struct outcome {
    int exit_code;
    bool coded; /* a line told it */
} outcome;

static void print_line(void *ctx, int code, span text)
{
    outcome *o = ctx;
    printf("%03d %.*s\n", code, (int)text.n, (const char *)text.p);
    fflush(stdout);
    if (code == RC_COMMENT || code == RC_LOG)
        return;
    o->exit_code = code == RC_SUCCESS ? 0 : code;
    o->coded = true;
}

static size_t ask(void *ctx, span text, bool echo, char *answer, size_t size)
{
    return terminal_ask(text, echo, answer, size);
}

static int complain(const whack_args *a)
{
    fprintf(stderr, "whack error: ");
    if (a->label)
        fprintf(stderr, "%s ", a->label);
    if (a->name)
        fprintf(stderr, "\"%s\" ", a->name);
    fprintf(stderr, "%s\n", a->msg.text);
    return RC_WHACK_PROBLEM;
}

static int cannot_connect(const char *path)
{
    if (errno == EACCES || errno == EPERM)
        fprintf(stderr, "whack: no right to communicate with pluto (access(\"%s\"))\n", path);
    else if (errno == ENOENT || errno == ECONNREFUSED)
        fprintf(stderr, "whack: Pluto is not running (no \"%s\")\n", path);
    else
        fprintf(stderr, "whack: cannot connect to \"%s\": %s\n", path, strerror(errno));
    return RC_WHACK_PROBLEM;
}

static int talk(whack_args *a, ctl_conn *c)
{
    outcome o = {0};
    const ctl_reply_ops ops = {print_line, ask, &o};
    for (int i = 0; i < WA_COUNT; i++) {
        buf body = {0};
        uint16_t type;
        int code = 0;
        /* with a description, --delete means: take the place of the old one */
        bool part_of_add = i == WA_DELETE && (a->wanted[WA_CONN] || a->wanted[WA_CA]);
        if (!a->wanted[i] || part_of_add)
            continue;
        status st = whack_request(a, (whack_action)i, &type, &body);
        if (st) {
            buf_free(&body);
            return complain(a);
        }
        st = ctl_send(c, type, buf_span(&body));
        buf_free(&body);
        o.coded = false;
        if (!st)
            st = ctl_receive(c, &ops, 0, &code);
        if (st && !(st == ST_CLOSED && i == WA_SHUTDOWN)) {
            fprintf(stderr, "whack: the connection to pluto broke: %s\n",
                    st == ST_IO ? strerror(errno) : status_text(st));
            return RC_WHACK_PROBLEM;
        }
        if (!o.coded && code)
            o.exit_code = code;
    }
    return o.exit_code & 0xff ? o.exit_code & 0xff : o.exit_code ? RC_WHACK_PROBLEM : 0;
}

int main(int argc, char **argv)
{
    whack_args a;
    char path[4096];
    ctl_conn c;
    int code;
    if (whack_args_init(&a) != ST_OK) {
        fprintf(stderr, "whack: out of memory\n");
        return RC_WHACK_PROBLEM;
    }
    status st = whack_parse(&a, argc, argv);
    if (st || (!a.help && !a.version && whack_finish(&a) != ST_OK)) {
        code = complain(&a);
    } else if (a.help) {
        whack_usage();
        code = 0;
    } else if (a.version) {
        printf("whack of Cygnet %s\n", CYGNET_VERSION);
        code = 0;
    } else {
        if (a.ctlbase)
            snprintf(path, sizeof(path), "%s.ctl", a.ctlbase);
        else
            path_join(path_piddir(), "pluto.ctl", path, sizeof(path));
        if (ctl_connect(&c, path, CTL_MAGIC_WHACK) != ST_OK) {
            code = cannot_connect(path);
        } else {
            code = talk(&a, &c);
            ctl_close(&c);
        }
    }
    whack_args_free(&a);
    return code;
}
