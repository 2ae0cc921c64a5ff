/* Control-socket server. All reading, writing and accepting is done without blocking on the loop thread; a
 * complete record becomes a job. Handlers only append to a client's output, under the client's lock, and arm
 * EPOLLOUT, so many short lines leave in few system calls.
 *
 * A client is *silent* from the moment it may speak (accepted, request finished) until its next record is
 * complete. The silent ones are on a list, oldest first: the time limit and making room both take from its
 * head. While a request is worked on the socket is not read, but for the answer to a prompt.
 *
 * Locks: server's `lock` (the lists) and client's `lock` are never held together.
 */
#include "libstrongswan/run/ctlserver.h"
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/base/secret.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 64, READ_CHUNK = 4096, TEXT_RECORD = 256 * 1024, SPARE_FDS = 64 };

struct ctl_server {
    runtime *rt;
    ctl_server_config cfg;
    char *path;
    int fd;
    size_t max_clients;
    atomic_size_t pending; /* octets of incomplete records */
    pthread_mutex_t lock;  /* guards: */
    list silent, busy;
    size_t clients;
    timer_id timer;
};

struct ctl_client {
    refcount refs;
    ctl_server *server;
    runtime *rt;
    int fd;
    list_node node;   /* server's lock */
    bool listed;      /* server's lock */
    int64_t since_ms; /* server's lock: silent since */

    buf in; /* loop thread only; wiped, may hold pass phrases */

    pthread_mutex_t lock; /* guards: */
    buf out;
    size_t sent; /* of out */
    bool closed, working, closing;
    void (*answer)(void *ctx, span answer);
    void *answer_ctx;
};

/* ---- references and lists ---- */

ctl_client *ctl_ref(ctl_client *c)
{
    ref_get(&c->refs);
    return c;
}

void ctl_unref(ctl_client *c)
{
    if (!ref_put(&c->refs))
        return;
    wipe(c->in.p, c->in.cap);
    buf_free(&c->in);
    buf_free(&c->out);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool ctl_closed(const ctl_client *c)
{
    ctl_client *m = (ctl_client *)(uintptr_t)c;
    pthread_mutex_lock(&m->lock);
    bool closed = m->closed;
    pthread_mutex_unlock(&m->lock);
    return closed;
}

/* Puts it on the list it belongs to now. */
static void set_silent(ctl_client *c, bool silent)
{
    ctl_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    if (c->listed) {
        list_remove(&c->node);
        c->since_ms = runtime_now_ms(c->rt);
        list_append(silent ? &s->silent : &s->busy, &c->node);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- closing: no lock is held; any thread ---- */

typedef struct answer_job {
    void (*fn)(void *ctx, span answer);
    void *ctx;
    size_t n;
    uint8_t data[];
} answer_job;

static void answer_run(void *arg)
{
    answer_job *a = arg;
    a->fn(a->ctx, span_of(a->data, a->n));
    wipe(a->data, a->n);
    free(a);
}

static void give_answer(runtime *rt, void (*fn)(void *, span), void *ctx, span answer)
{
    if (!fn)
        return;
    answer_job *a = malloc(sizeof(*a) + answer.n);
    if (a) {
        *a = (answer_job){.fn = fn, .ctx = ctx, .n = answer.n};
        if (answer.n)
            memcpy(a->data, answer.p, answer.n);
        /* dropped at the end of the runtime: the asker hears a refusal all the same */
        if (runtime_post(rt, answer_run, answer_run, a) == ST_OK)
            return;
        wipe(a->data, a->n);
        free(a);
    }
    fn(ctx, SPAN_NULL);
}

static void client_close(ctl_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool before = c->closed;
    c->closed = true;
    void (*answer)(void *, span) = c->answer;
    c->answer = NULL;
    pthread_mutex_unlock(&c->lock);
    if (before)
        return;
    runtime_unwatch(c->rt, c->fd);
    pthread_mutex_lock(&c->lock);
    close(c->fd);
    c->fd = -1;
    buf_free(&c->out);
    pthread_mutex_unlock(&c->lock);
    ctl_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    list_remove(&c->node);
    c->listed = false;
    s->clients--;
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_sub(&s->pending, c->in.n);
    c->in.n = 0;
    give_answer(c->rt, answer, c->answer_ctx, SPAN_NULL);
    ctl_unref(c);
}

/* The longest silent client with a reference for the caller; NULL if none is silent since `before_ms` or
 * earlier. */
static ctl_client *oldest_silent(ctl_server *s, int64_t before_ms)
{
    ctl_client *c = NULL;
    pthread_mutex_lock(&s->lock);
    if (!list_empty(&s->silent)) {
        c = container_of(s->silent.next, ctl_client, node);
        if (c->since_ms > before_ms)
            c = NULL;
        else
            ctl_ref(c);
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

static bool close_oldest(ctl_server *s, int64_t before_ms)
{
    ctl_client *c = oldest_silent(s, before_ms);
    if (!c)
        return false;
    client_close(c);
    ctl_unref(c);
    return true;
}

static void on_silence(void *ctx, uint64_t key);

/* One timer for all: due when the oldest silent client is. */
static void arm_silence(ctl_server *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->timer && !list_empty(&s->silent)) {
        int64_t since = container_of(s->silent.next, ctl_client, node)->since_ms;
        s->timer = runtime_timer(s->rt, since + CTL_SILENCE_MS - runtime_now_ms(s->rt), on_silence, s, 0);
    }
    pthread_mutex_unlock(&s->lock);
}

static void on_silence(void *ctx, uint64_t key)
{
    ctl_server *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->timer = 0;
    pthread_mutex_unlock(&s->lock);
    while (close_oldest(s, runtime_now_ms(s->rt) - CTL_SILENCE_MS))
        continue;
    arm_silence(s);
}

/* ---- output ---- */

/* c->lock is held */
static void arm_client(ctl_client *c)
{
    uint32_t events = 0;
    if (c->closed)
        return;
    if (c->sent < c->out.n)
        events |= EPOLLOUT;
    if ((!c->working || c->answer) && !c->closing)
        events |= EPOLLIN;
    if (runtime_watch_change(c->rt, c->fd, events) != ST_OK)
        c->closing = true;
}

/* c->lock is held */
static void put_record(ctl_client *c, uint16_t type, span head, span body)
{
    if (c->closed || c->closing)
        return;
    if (c->sent && c->sent == c->out.n)
        c->out.n = c->sent = 0;
    bool idle = c->sent == c->out.n;
    buf_put_u32(&c->out, (uint32_t)(CTL_HEADER + head.n + body.n));
    buf_put_u32(&c->out, c->server->cfg.magic);
    buf_put_u16(&c->out, CTL_VERSION);
    buf_put_u16(&c->out, type);
    buf_put(&c->out, head);
    buf_put(&c->out, body);
    if (!buf_ok(&c->out)) {
        /* it does not read what it asked for: hung up on, here only as far as the loop thread needs to hear
         * of it */
        c->closing = true;
        buf_free(&c->out);
        c->sent = 0;
        shutdown(c->fd, SHUT_RDWR);
        return;
    }
    if (idle)
        arm_client(c);
}

static void send_record(ctl_client *c, uint16_t type, span head, span body)
{
    pthread_mutex_lock(&c->lock);
    put_record(c, type, head, body);
    pthread_mutex_unlock(&c->lock);
}

/* Whole lines as long as they fit one record. */
void ctl_text(ctl_client *c, int code, span text)
{
    uint8_t head[4];
    set_u32(head, (uint32_t)code);
    while (text.n) {
        size_t n = text.n;
        if (n > TEXT_RECORD) {
            const uint8_t *end = memrchr(text.p, '\n', TEXT_RECORD);
            n = end ? (size_t)(end - text.p) + 1 : TEXT_RECORD;
        }
        send_record(c, CTL_LINE, SPAN_ARRAY(head), span_take(text, n));
        text = span_skip(text, n);
    }
}

void ctl_line(ctl_client *c, int code, const char *fmt, ...)
{
    char small[512];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    uint8_t head[4];
    set_u32(head, (uint32_t)code);
    if (n >= (int)sizeof(small)) {
        char *large = malloc((size_t)n + 1);
        if (large) {
            vsnprintf(large, (size_t)n + 1, fmt, again);
            ctl_text(c, code, span_of(large, (size_t)n));
            free(large);
        }
    } else if (n >= 0) {
        send_record(c, CTL_LINE, SPAN_ARRAY(head), span_of(small, (size_t)n)); /* an empty line is one too */
    }
    va_end(again);
}

void ctl_prompt(ctl_client *c, const char *text, bool echo, void (*fn)(void *ctx, span answer), void *ctx)
{
    uint8_t head[1] = {echo};
    pthread_mutex_lock(&c->lock);
    bool ask = !c->closed && !c->closing && !c->answer;
    if (ask) {
        c->answer = fn;
        c->answer_ctx = ctx;
        put_record(c, CTL_PROMPT, SPAN_ARRAY(head), span_str(text));
        arm_client(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (!ask)
        give_answer(c->rt, fn, ctx, SPAN_NULL);
}

void ctl_done(ctl_client *c, int exit_code)
{
    uint8_t body[4];
    set_u32(body, (uint32_t)exit_code);
    pthread_mutex_lock(&c->lock);
    bool live = !c->closed;
    c->working = false;
    put_record(c, CTL_DONE, SPAN_NULL, SPAN_ARRAY(body));
    arm_client(c);
    pthread_mutex_unlock(&c->lock);
    if (live) {
        set_silent(c, true);
        arm_silence(c->server);
    }
}

/* loop thread; false: the connection is broken or finished */
static bool write_out(ctl_client *c)
{
    bool good = true;
    pthread_mutex_lock(&c->lock);
    while (c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            good = errno == EAGAIN || errno == EWOULDBLOCK;
            break;
        }
        c->sent += (size_t)n;
    }
    if (c->sent == c->out.n) {
        buf_free(&c->out);
        c->sent = 0;
        good = good && !c->closing;
    }
    arm_client(c);
    pthread_mutex_unlock(&c->lock);
    return good;
}

/* ---- input: loop thread ---- */

typedef struct request {
    ctl_client *client;
    uint16_t type;
    size_t n;
    uint8_t body[];
} request;

static void request_free(void *arg)
{
    request *r = arg;
    wipe(r->body, r->n);
    ctl_unref(r->client);
    free(r);
}

static void request_run(void *arg)
{
    request *r = arg;
    ctl_server *s = r->client->server;
    s->cfg.handle(s->cfg.ctx, r->client, r->type, span_of(r->body, r->n));
    request_free(r);
}

/* Says why and hangs up as soon as that is sent. */
static void refuse(ctl_client *c, const char *why)
{
    LOG(&c->server->cfg.log, CFG, 1, "control socket %s: %s, client disconnected", c->server->path, why);
    ctl_line(c, 0, "%s", why);
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    arm_client(c);
    pthread_mutex_unlock(&c->lock);
}

static bool start_request(ctl_client *c, uint16_t type, span body)
{
    request *r = malloc(sizeof(*r) + body.n);
    if (!r)
        return false;
    *r = (request){.client = ctl_ref(c), .type = type, .n = body.n};
    if (body.n)
        memcpy(r->body, body.p, body.n);
    pthread_mutex_lock(&c->lock);
    c->working = true;
    arm_client(c);
    pthread_mutex_unlock(&c->lock);
    set_silent(c, false);
    if (runtime_post(c->rt, request_run, request_free, r) == ST_OK)
        return true;
    request_free(r);
    return false;
}

static void take_answer(ctl_client *c, span body)
{
    pthread_mutex_lock(&c->lock);
    void (*fn)(void *, span) = c->answer;
    c->answer = NULL;
    arm_client(c);
    pthread_mutex_unlock(&c->lock);
    bool given = body.n > 0 && body.p[0] == 1;
    give_answer(c->rt, fn, c->answer_ctx, given ? span_skip(body, 1) : SPAN_NULL);
}

static void forget_input(ctl_client *c, size_t n)
{
    wipe(c->in.p, n);
    memmove(c->in.p, c->in.p + n, c->in.n - n);
    c->in.n -= n;
    wipe(c->in.p + c->in.n, n);
    atomic_fetch_sub(&c->server->pending, n);
}

/* May the client speak now, and if so, is it for an answer? */
static bool expects(ctl_client *c, bool *answer)
{
    pthread_mutex_lock(&c->lock);
    *answer = c->answer != NULL;
    bool yes = !c->closed && !c->closing && (!c->working || *answer);
    pthread_mutex_unlock(&c->lock);
    return yes;
}

/* Takes the records that are complete; false: hang up now. */
static bool take_records(ctl_client *c)
{
    bool answer;
    while (expects(c, &answer) && c->in.n >= CTL_HEADER) {
        uint32_t length = get_u32(c->in.p);
        if (get_u32(c->in.p + 4) != c->server->cfg.magic) {
            refuse(c, "this is not the socket for such records (wrong magic number)");
            return true;
        }
        if (get_u16(c->in.p + 8) != CTL_VERSION) {
            refuse(c, "record of another version");
            return true;
        }
        if (length < CTL_HEADER || length > CTL_MAX_RECORD) {
            refuse(c, "record of impossible length");
            return true;
        }
        if (c->in.n < length)
            return true;
        uint16_t type = get_u16(c->in.p + 10);
        span body = span_of(c->in.p + CTL_HEADER, length - CTL_HEADER);
        bool good = true;
        if (answer && type == CTL_PROMPT)
            take_answer(c, body);
        else if (answer)
            refuse(c, "an answer was expected");
        else
            good = start_request(c, type, body);
        forget_input(c, length);
        if (!good)
            return false;
    }
    return true;
}

/* room for what the record still lacks, wiping what realloc() would leave behind */
static bool input_room(ctl_client *c, size_t n)
{
    if (c->in.cap - c->in.n >= n)
        return true;
    size_t cap = c->in.cap ? c->in.cap : READ_CHUNK;
    while (cap - c->in.n < n)
        cap *= 2;
    uint8_t *p = malloc(cap);
    if (!p)
        return false;
    if (c->in.n)
        memcpy(p, c->in.p, c->in.n);
    wipe(c->in.p, c->in.n);
    free(c->in.p);
    c->in.p = p;
    c->in.cap = cap;
    return true;
}

/* false: hang up */
static bool read_in(ctl_client *c)
{
    bool answer;
    while (expects(c, &answer)) {
        if (!input_room(c, READ_CHUNK))
            return false;
        ssize_t n = recv(c->fd, c->in.p + c->in.n, READ_CHUNK, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        c->in.n += (size_t)n;
        if (atomic_fetch_add(&c->server->pending, (size_t)n) + (size_t)n > CTL_MAX_PENDING)
            return false;
        if (!take_records(c))
            return false;
    }
    return true;
}

static void on_client(void *ctx, int fd, uint32_t events)
{
    ctl_client *c = ctx;
    bool good = true, answer;
    ctl_ref(c);
    if (events & EPOLLOUT)
        good = write_out(c);
    /* what was read before, while the client had to wait */
    if (good && c->in.n)
        good = take_records(c);
    if (good && (events & EPOLLIN))
        good = read_in(c);
    else if (events & (EPOLLHUP | EPOLLERR))
        good = false;
    if (good && (events & (EPOLLHUP | EPOLLERR)) && !expects(c, &answer))
        good = false;
    if (!good)
        client_close(c);
    ctl_unref(c);
}

/* ---- accepting: loop thread ---- */

static void add_client(ctl_server *s, int fd)
{
    ctl_client *c = calloc(1, sizeof(*c));
    if (!c) {
        close(fd);
        return;
    }
    ref_init(&c->refs);
    pthread_mutex_init(&c->lock, NULL);
    c->server = s;
    c->rt = s->rt;
    c->fd = fd;
    c->out.max = CTL_MAX_OUTPUT;
    pthread_mutex_lock(&s->lock);
    list_append(&s->silent, &c->node);
    c->listed = true;
    c->since_ms = runtime_now_ms(s->rt);
    s->clients++;
    size_t n = s->clients;
    pthread_mutex_unlock(&s->lock);
    if (runtime_watch(s->rt, fd, EPOLLIN, WATCH_INLINE, on_client, c) != ST_OK)
        client_close(c);
    else if (n > s->max_clients)
        close_oldest(s, INT64_MAX);
}

static void on_accept(void *ctx, int fd, uint32_t events)
{
    ctl_server *s = ctx;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0)
            add_client(s, client);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!close_oldest(s, INT64_MAX))
                break; /* level-triggered: tried again when something else was closed */
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
    arm_silence(s);
}

/* ---- life ---- */

/* Bound under another name first, so that the socket never stands there with other rights than it is to have.
 */
static status bind_socket(ctl_server *s)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char tmp[sizeof(sun.sun_path)];
    int n = snprintf(tmp, sizeof(tmp), "%s.new", s->path);
    if (n < 0 || (size_t)n >= sizeof(tmp))
        return ST_LIMIT;
    memcpy(sun.sun_path, tmp, (size_t)n + 1);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return ST_IO;
    unlink(tmp);
    if (bind(s->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
        return errno == EACCES ? ST_DENIED : ST_IO;
    bool owner = s->cfg.group == (gid_t)-1 || chown(tmp, (uid_t)-1, s->cfg.group) == 0;
    if (!owner || chmod(tmp, s->cfg.mode ? s->cfg.mode : 0600) != 0 || listen(s->fd, SOMAXCONN) != 0 ||
        rename(tmp, s->path) != 0) {
        int saved = errno;
        unlink(tmp);
        errno = saved;
        return ST_IO;
    }
    return ST_OK;
}

/* A thousand descriptors are the default; many clients need more. Half of what there is belongs to the rest.
 */
static size_t client_limit(void)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
        return CTL_MAX_CLIENTS / 8;
    rlim_t want = 2 * CTL_MAX_CLIENTS + SPARE_FDS;
    if (rl.rlim_cur < want) {
        rl.rlim_cur = rl.rlim_max < want ? rl.rlim_max : want;
        setrlimit(RLIMIT_NOFILE, &rl);
        getrlimit(RLIMIT_NOFILE, &rl);
    }
    return rl.rlim_cur / 2 < CTL_MAX_CLIENTS ? (size_t)(rl.rlim_cur / 2) : CTL_MAX_CLIENTS;
}

status ctl_server_new(ctl_server **out, runtime *rt, const ctl_server_config *cfg)
{
    *out = NULL;
    ctl_server *s = calloc(1, sizeof(*s));
    if (!s)
        return ST_NO_MEMORY;
    s->rt = rt;
    s->cfg = *cfg;
    s->fd = -1;
    s->max_clients = client_limit();
    list_init(&s->silent);
    list_init(&s->busy);
    pthread_mutex_init(&s->lock, NULL);
    char *path = strdup(cfg->path);
    s->path = path;
    status st = path ? bind_socket(s) : ST_NO_MEMORY;
    if (st == ST_OK)
        st = runtime_watch(rt, s->fd, EPOLLIN, WATCH_INLINE, on_accept, s);
    if (st == ST_OK) {
        *out = s;
        return ST_OK;
    }
    int saved = errno;
    if (s->fd >= 0)
        close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
    errno = saved;
    return st;
}

static void close_all(ctl_server *s, list *of)
{
    for (;;) {
        ctl_client *c = NULL;
        pthread_mutex_lock(&s->lock);
        if (!list_empty(of))
            c = ctl_ref(container_of(of->next, ctl_client, node));
        pthread_mutex_unlock(&s->lock);
        if (!c)
            return;
        client_close(c);
        ctl_unref(c);
    }
}

void ctl_server_free(ctl_server *s)
{
    if (!s)
        return;
    runtime_unwatch(s->rt, s->fd);
    close(s->fd);
    unlink(s->path);
    runtime_timer_cancel(s->rt, s->timer);
    close_all(s, &s->silent);
    close_all(s, &s->busy);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}
