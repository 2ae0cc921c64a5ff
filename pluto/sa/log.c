/* See log.h. Lines go to the bus and, at once and in order, to the client: the bus delivers later, and a
 * client must have seen everything before it hears that the operation is over.
 */
#include "pluto/sa/log.h"
#include <stdarg.h>
#include <stdio.h>

enum { LINE = 2048 };

static void emit(pluto *p, uint64_t unique, int level, int code, const char *text)
{
    log_scope scope = p->log;
    scope.unique = unique;
    LOG_CODE(&scope, IKE, level, code, "%s", text);
}

PRINTF_LIKE(4, 0)
static void state_line(pstate *st, int level, int code, const char *fmt, va_list ap)
{
    char text[LINE];
    int n = snprintf(text, sizeof(text), "%s: ", st->label);
    if (n > 0 && n < (int)sizeof(text))
        vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    emit(st->ike->p, st->serial, level, code, text);
    client_line(st->client, code, text);
}

void plog(pstate *st, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    state_line(st, 1, RC_LOG, fmt, ap);
    va_end(ap);
}

void plog_serious(pstate *st, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    state_line(st, 0, RC_LOG_SERIOUS, fmt, ap);
    va_end(ap);
}

void plog_code(pstate *st, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    state_line(st, 1, code, fmt, ap);
    va_end(ap);
}

void plog_progress(pstate *st, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    state_line(st, 2, code, fmt, ap);
    va_end(ap);
}

void plog_conn(pconn *c, pl_client *cl, int code, const char *fmt, ...)
{
    char text[LINE];
    va_list ap;
    int n = c->instance ? snprintf(text, sizeof(text), "\"%s\"[%u] %s: ", c->name, c->instance,
                                   ADDR_STR(&c->peer.host))
                        : snprintf(text, sizeof(text), "\"%s\": ", c->name);
    va_start(ap, fmt);
    if (n > 0 && n < (int)sizeof(text))
        vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    va_end(ap);
    emit(c->p, 0, 1, code, text);
    client_line(cl, code, text);
}

void plog_packet(pluto *p, const endpoint *from, const char *fmt, ...)
{
    char text[LINE];
    va_list ap;
    int n = snprintf(text, sizeof(text), "packet from %s: ", ADDR_PORT(from));
    va_start(ap, fmt);
    if (n > 0 && n < (int)sizeof(text))
        vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    va_end(ap);
    emit(p, 0, 1, RC_LOG_SERIOUS, text);
}

void plog_daemon(pluto *p, const char *fmt, ...)
{
    char text[LINE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    emit(p, 0, 1, RC_LOG, text);
}

bool pdebug_on(const pluto *p, unsigned bits)
{
    return (p->debug & bits) != 0;
}

void pdebug(pluto *p, unsigned bits, const char *fmt, ...)
{
    char text[LINE] = "| ";
    va_list ap;
    if (!pdebug_on(p, bits))
        return;
    va_start(ap, fmt);
    vsnprintf(text + 2, sizeof(text) - 2, fmt, ap);
    va_end(ap);
    emit(p, 0, 1, 0, text);
}

char *addr_port_text(const endpoint *e, char *dst, size_t size)
{
    char a[ADDR_TEXT];
    addr_text(&e->ip, a, sizeof(a));
    snprintf(dst, size, e->ip.family == AF_INET6 ? "[%s]:%u" : "%s:%u", a, e->port);
    return dst;
}
