/* The daemon's log lines: `"conn" #n: text`, copied to the client that waits for the state. */
#pragma once
#include "pluto/sa/sa.h"

/* what happened (002), what needs attention (003), a state's progress (a code of its own) */
void plog(pstate *st, const char *fmt, ...) PRINTF_LIKE(2, 3);
void plog_serious(pstate *st, const char *fmt, ...) PRINTF_LIKE(2, 3);
void plog_code(pstate *st, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* a step on the way: who waits sees it, the log at level 2 */
void plog_progress(pstate *st, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* `"conn": text`; cl may be NULL */
void plog_conn(pconn *c, pl_client *cl, int code, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* `packet from A:P: text` */
void plog_packet(pluto *p, const endpoint *from, const char *fmt, ...) PRINTF_LIKE(3, 4);
void plog_daemon(pluto *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* `| text`, when one of the bits is set */
void pdebug(pluto *p, unsigned bits, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool pdebug_on(const pluto *p, unsigned bits);
/* "10.0.0.1:500" */
char *addr_port_text(const endpoint *e, char *dst, size_t size);
#define ADDR_PORT(e)    addr_port_text((e), (char[ADDR_TEXT + 8]){0}, ADDR_TEXT + 8)
#define IDENT_PLUTO(id) ident_text_pluto((id), (char[IDENT_TEXT]){0}, IDENT_TEXT)
