/* One-line explanations. Everything is written straight into the caller's fixed buffer; a prefix is put
 * together in a temporary of the same size first, because its arguments may point into the text that is
 * there.
 */
#include "libstrongswan/base/msgbuf.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void msg_clear(msgbuf *msg)
{
    if (msg)
        msg->text[0] = '\0';
}

/* through a temporary: the old text may be among the arguments */
static void set_va(msgbuf *msg, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void set_va(msgbuf *msg, const char *fmt, va_list ap)
{
    char tmp[MSGBUF_SIZE];
    if (vsnprintf(tmp, sizeof(tmp), fmt, ap) < 0)
        tmp[0] = '\0';
    memcpy(msg->text, tmp, strlen(tmp) + 1);
}

void msg_set(msgbuf *msg, const char *fmt, ...)
{
    if (!msg)
        return;
    va_list ap;
    va_start(ap, fmt);
    set_va(msg, fmt, ap);
    va_end(ap);
}

void msg_add(msgbuf *msg, const char *fmt, ...)
{
    if (!msg)
        return;
    size_t used = strnlen(msg->text, sizeof(msg->text) - 1);
    char tmp[MSGBUF_SIZE];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    size_t len = strlen(tmp);
    size_t room = sizeof(msg->text) - 1 - used;
    if (len > room)
        len = room;
    memcpy(msg->text + used, tmp, len);
    msg->text[used + len] = '\0';
}

void msg_prefix(msgbuf *msg, const char *fmt, ...)
{
    if (!msg)
        return;
    char tmp[MSGBUF_SIZE];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    size_t head = strlen(tmp);
    size_t tail = strnlen(msg->text, sizeof(msg->text) - 1);
    if (tail > sizeof(tmp) - 1 - head)
        tail = sizeof(tmp) - 1 - head;
    memmove(msg->text + head, msg->text, tail);
    memcpy(msg->text, tmp, head);
    msg->text[head + tail] = '\0';
}

status msg_fail(msgbuf *msg, status st, const char *fmt, ...)
{
    if (msg) {
        va_list ap;
        va_start(ap, fmt);
        set_va(msg, fmt, ap);
        va_end(ap);
    }
    return st;
}
