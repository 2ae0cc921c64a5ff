/* Reads whole files, see readfile.h. */
#include "libstrongswan/cred/readfile.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static status read_all(int fd, secret *out)
{
    size_t at = 0;
    while (at < out->n) {
        ssize_t r = read(fd, out->p + at, out->n - at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return ST_IO;
        if (r == 0)
            break; /* shorter than it was a moment ago */
        at += (size_t)r;
    }
    out->n = at;
    return ST_OK;
}

status read_file(const char *path, secret *out, struct stat *st, msgbuf *msg)
{
    struct stat local;
    if (!st)
        st = &local;
    *out = (secret){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return msg_fail(msg, errno == ENOENT ? ST_NOT_FOUND : ST_IO, "could not open '%s': %s", path,
                        strerror(errno));
    status s;
    if (fstat(fd, st))
        s = msg_fail(msg, ST_IO, "could not read '%s': %s", path, strerror(errno));
    else if (!S_ISREG(st->st_mode))
        s = msg_fail(msg, ST_INVALID, "'%s' is not a file", path);
    else if (st->st_size > READ_FILE_MAX)
        s = msg_fail(msg, ST_LIMIT, "'%s' is too long", path);
    else if ((s = secret_new(out, (size_t)st->st_size)) == ST_OK && (s = read_all(fd, out)) != ST_OK)
        msg_set(msg, "could not read '%s': %s", path, strerror(errno));
    close(fd);
    if (s != ST_OK)
        secret_free(out);
    return s;
}
