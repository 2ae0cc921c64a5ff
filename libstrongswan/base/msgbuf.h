/* The explanation that goes with a refusal: one line of text for a person. The caller owns the buffer, usually on
 * its stack; every function that takes a `msgbuf *` accepts NULL. Text is cut, never overrun, and always terminated.
 */
#pragma once
#include "libstrongswan/base/status.h"

#define MSGBUF_SIZE 512

typedef struct msgbuf {
    char text[MSGBUF_SIZE];
} msgbuf;

void msg_clear(msgbuf *msg);
/* Replaces the text. */
void msg_set(msgbuf *msg, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends to the text. */
void msg_add(msgbuf *msg, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts "fmt" before the text that is there, as in "conn 'x': ". */
void msg_prefix(msgbuf *msg, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* For `return msg_fail(msg, ST_INVALID, "…", …)`: sets the text and returns st. */
status msg_fail(msgbuf *msg, status st, const char *fmt, ...) PRINTF_LIKE(3, 4);
