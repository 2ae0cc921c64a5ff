/* Where things live: the folders chosen when the suite was built, or $IPSEC_CONFDIR, $IPSEC_PIDDIR and
 * $IPSEC_DIR, so that several instances can run on one machine. The environment is not believed by a program
 * that runs with more rights than its caller.
 */
#pragma once
#include <stddef.h>

const char *path_confdir(void);  /* ipsec.conf, ipsec.d, … */
const char *path_piddir(void);   /* pid files, control sockets */
const char *path_ipsecdir(void); /* programs */
/* "DIR/NAME" into dst; returns dst. Cut if it does not fit. */
char *path_join(const char *dir, const char *name, char *dst, size_t size);
