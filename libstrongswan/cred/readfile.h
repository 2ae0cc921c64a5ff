/* Whole files of credentials into memory that is wiped when it is freed (file_read() of base is for what is no secret), and
 * with what fstat() says of them. */
#pragma once
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/base/secret.h"
#include <sys/stat.h>

/* At most READ_FILE_MAX octets; only regular files. st (may be NULL) gets what fstat() said. */
enum { READ_FILE_MAX = 64 << 20 };
status read_file(const char *path, secret *out, struct stat *st, msgbuf *msg) MUST_CHECK;
