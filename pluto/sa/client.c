/* See client.h. The exit code is that of the last line which is neither a comment nor a copy of the log. */
#include "pluto/sa/client.h"
#include "libstrongswan/base/refcount.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct pl_client {
    refcount refs;
    pthread_mutex_t lock; /* leaf: one line at a time */
    pluto_waiter w;
    int exit_code;
};

pl_client *client_new(const pluto_waiter *w)
{
    pl_client *c = w ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        if (w && w->done)
            w->done(w->ctx, RC_INTERNALERR);
        return NULL;
    }
    ref_init(&c->refs);
    pthread_mutex_init(&c->lock, NULL);
    c->w = *w;
    return c;
}

pl_client *client_ref(pl_client *c)
{
    if (c)
        ref_get(&c->refs);
    return c;
}

void client_unref(pl_client *c)
{
    if (!c || !ref_put(&c->refs))
        return;
    if (c->w.done)
        c->w.done(c->w.ctx, c->exit_code);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void client_line(pl_client *c, int code, const char *text)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    if (code == RC_SUCCESS)
        c->exit_code = 0;
    else if (code != RC_COMMENT && code != RC_LOG)
        c->exit_code = code;
    if (c->w.line)
        c->w.line(c->w.ctx, code, text);
    pthread_mutex_unlock(&c->lock);
}

void client_printf(pl_client *c, int code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    if (!c)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    client_line(c, code, text);
}
