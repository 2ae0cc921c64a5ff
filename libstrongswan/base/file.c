/* Whole small files. Opened non-blocking, so that a FIFO in place of a file cannot hang a daemon. */
#include "libstrongswan/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_LIMIT = 4 << 20, CHUNK = 16 * 1024 };

static status from_errno(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return ST_NOT_FOUND;
    case EACCES:
    case EPERM:
        return ST_DENIED;
    default:
        return ST_IO;
    }
}

static status read_all(int fd, buf *out, size_t limit)
{
    size_t got = 0;
    for (;;) {
        uint8_t *p = buf_reserve(out, CHUNK);
        if (!p)
            return ST_NO_MEMORY;
        ssize_t n = read(fd, p, CHUNK);
        if (n == 0)
            return ST_OK;
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return ST_IO;
        }
        got += (size_t)n;
        if (got > limit)
            return ST_LIMIT;
        out->n += (size_t)n;
    }
}

status file_read(buf *out, const char *path, size_t limit)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return from_errno();
    struct stat sb;
    status st = ST_OK;
    if (fstat(fd, &sb) != 0)
        st = ST_IO;
    else if (!S_ISREG(sb.st_mode))
        st = ST_INVALID;
    else
        st = read_all(fd, out, limit ? limit : DEFAULT_LIMIT);
    int saved = errno;
    close(fd);
    errno = saved;
    return st;
}
