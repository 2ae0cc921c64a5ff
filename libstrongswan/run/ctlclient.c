/* The blocking side of the control socket, for whack, stroke and starter. */
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/run/ctlserver.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024, REPLY_MAX = CTL_MAX_RECORD };

status ctl_connect(ctl_conn *c, const char *path, uint32_t magic)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    *c = (ctl_conn){-1, magic};
    if (n >= sizeof(sun.sun_path)) {
        errno = ENAMETOOLONG;
        return ST_LIMIT;
    }
    memcpy(sun.sun_path, path, n + 1);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return ST_IO;
    while (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
        if (errno == EINTR)
            continue;
        int saved = errno;
        ctl_close(c);
        errno = saved;
        return saved == ENOENT ? ST_NOT_FOUND : saved == EACCES ? ST_DENIED : ST_IO;
    }
    return ST_OK;
}

void ctl_close(ctl_conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static status send_all(int fd, span s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno == EPIPE || errno == ECONNRESET ? ST_CLOSED : ST_IO;
        s = span_skip(s, (size_t)n);
    }
    return ST_OK;
}

status ctl_send(ctl_conn *c, uint16_t type, span body)
{
    uint8_t head[CTL_HEADER];
    if (body.n > CTL_MAX_RECORD - CTL_HEADER)
        return ST_LIMIT;
    set_u32(head, (uint32_t)(CTL_HEADER + body.n));
    set_u32(head + 4, c->magic);
    set_u16(head + 8, CTL_VERSION);
    set_u16(head + 10, type);
    status st = send_all(c->fd, SPAN_ARRAY(head));
    return st == ST_OK ? send_all(c->fd, body) : st;
}

/* until == INT64_MAX: no limit */
static status receive_all(int fd, uint8_t *p, size_t n, int64_t until)
{
    while (n) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int64_t left = until == INT64_MAX ? -1 : until - clock_mono_ms(&clock_system);
        if (until != INT64_MAX && left <= 0)
            return ST_TIMEOUT;
        int ready = poll(&pfd, 1, left < 0 ? -1 : left > INT_MAX ? INT_MAX : (int)left);
        if (ready < 0 && errno != EINTR)
            return ST_IO;
        if (ready <= 0)
            continue;
        ssize_t got = recv(fd, p, n, MSG_DONTWAIT);
        if (got == 0)
            return ST_CLOSED;
        if (got < 0) {
            if (errno == EAGAIN || errno == EINTR)
                continue;
            return errno == ECONNRESET ? ST_CLOSED : ST_IO;
        }
        p += got;
        n -= (size_t)got;
    }
    return ST_OK;
}

static void hand_lines(const ctl_reply_ops *ops, span body)
{
    if (!ops || !ops->line)
        return;
    int code = (int)get_u32(body.p);
    span text = span_skip(body, 4), line;
    if (text.n == 0)
        ops->line(ops->ctx, code, text);
    while (span_cut(&text, '\n', &line))
        ops->line(ops->ctx, code, line);
}

static status answer_prompt(ctl_conn *c, const ctl_reply_ops *ops, span body)
{
    uint8_t reply[ANSWER_MAX + 1] = {0};
    size_t n = 1;
    if (ops && ops->prompt) {
        size_t got = ops->prompt(ops->ctx, span_skip(body, 1), body.p[0] != 0, (char *)reply + 1, ANSWER_MAX);
        reply[0] = 1;
        n += got < ANSWER_MAX ? got : ANSWER_MAX;
    }
    status st = ctl_send(c, CTL_PROMPT, span_of(reply, n));
    wipe(reply, sizeof(reply));
    return st;
}

/* ST_NEED_MORE: it was not the last record */
static status take_reply(ctl_conn *c, const ctl_reply_ops *ops, uint16_t type, span body, int *exit_code)
{
    switch (type) {
    case CTL_LINE:
        if (body.n < 4)
            return ST_INVALID;
        hand_lines(ops, body);
        return ST_NEED_MORE;
    case CTL_PROMPT: {
        if (body.n < 1)
            return ST_INVALID;
        status st = answer_prompt(c, ops, body);
        return st == ST_OK ? ST_NEED_MORE : st;
    }
    case CTL_DONE:
        if (body.n != 4)
            return ST_INVALID;
        if (exit_code)
            *exit_code = (int)get_u32(body.p);
        return ST_OK;
    default:
        return ST_NEED_MORE; /* of a newer server: not for us */
    }
}

status ctl_receive(ctl_conn *c, const ctl_reply_ops *ops, int64_t timeout_ms, int *exit_code)
{
    int64_t until = timeout_ms > 0 ? clock_mono_ms(&clock_system) + timeout_ms : INT64_MAX;
    buf body = {0};
    status st;
    do {
        uint8_t head[CTL_HEADER];
        buf_reset(&body);
        st = receive_all(c->fd, head, sizeof(head), until);
        if (st != ST_OK)
            break;
        uint32_t length = get_u32(head);
        if (get_u32(head + 4) != c->magic || get_u16(head + 8) != CTL_VERSION || length < CTL_HEADER ||
            length > REPLY_MAX) {
            st = ST_INVALID;
            break;
        }
        uint8_t *p = buf_reserve(&body, length - CTL_HEADER);
        st = p ? receive_all(c->fd, p, length - CTL_HEADER, until) : ST_NO_MEMORY;
        if (st == ST_OK)
            st = take_reply(c, ops, get_u16(head + 10), span_of(p, length - CTL_HEADER), exit_code);
    } while (st == ST_NEED_MORE);
    buf_free(&body);
    return st;
}
