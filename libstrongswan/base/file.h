/* Reading small files whole: configuration, keys, certificates. */
#pragma once
#include "libstrongswan/base/buf.h"

/* Appends the file to *out; with buf max 0 and `limit` octets at most (0 = 4 MiB). ST_NOT_FOUND: no such file; ST_DENIED,
 * ST_IO: errno tells; ST_LIMIT: larger; ST_INVALID: not a regular file (a directory, a device). Follows symbolic links. */
status file_read(buf *out, const char *path, size_t limit) MUST_CHECK;
