/* What the starter has to say: one line to syslog, and to stderr as long as somebody may be reading there. */
#include "starter/starter.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static bool to_stderr = true;

void say_open(bool on_stderr)
{
    to_stderr = on_stderr;
    openlog("ipsec_starter", LOG_PID, LOG_AUTHPRIV);
}

void say_background(void)
{
    to_stderr = false;
}

void say(int priority, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    syslog(priority, "%s", text);
    if (to_stderr)
        fprintf(stderr, "%s\n", text);
}
