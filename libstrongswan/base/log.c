/* The log bus. log_emit() formats in the caller, queues one event per line and returns; the bus's thread
 * takes the whole queue at once and hands it to the listeners. Two locks: `lock` guards the queue and is held
 * for moments only; `deliver` is held while listeners run, so that log_unlisten() can promise silence. It is
 * recursive, because listeners may change listeners.
 */
#include "libstrongswan/base/log.h"
#include "libstrongswan/base/log_bus.h"
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DEFAULT_QUEUE = 8192, STACK_TEXT = 1024, MAX_TEXT = 64 * 1024 };

const char *const log_group_names[LG_COUNT] = {"DMN", "MGR", "IKE", "CHD", "JOB",
                                               "CFG", "KNL", "NET", "ENC", "LIB"};

typedef struct event {
    list_node node;
    log_event ev;
    char text[]; /* the line, NUL, the name, NUL */
} event;

typedef struct listener {
    list_node node;
    uint64_t id, channel;
    int levels[LG_COUNT];
    log_listener_fn *fn;
    void *ctx;
    log_hooks hooks;
    bool gone; /* removed while listeners run */
} listener;

struct log_bus {
    atomic_int loudest[LG_COUNT]; /* highest level anybody hears; -1 = nobody */
    bool direct;
    unsigned limit;

    pthread_mutex_t lock; /* guards: */
    pthread_cond_t wake, drained;
    list queue;
    unsigned length;
    uint64_t posted, delivered, dropped;
    bool waiting, stop;
    pthread_t thread;

    pthread_mutex_t deliver; /* guards: */
    list listeners;
    uint64_t next_id;
    unsigned running; /* depth of delivery */
};

static _Thread_local int thread_number;
static _Thread_local log_bus *delivering; /* this thread is inside a listener of it */

void log_set_thread(int number)
{
    thread_number = number;
}

int log_group_by_name(const char *name)
{
    if (strcasecmp(name, "any") == 0 || strcasecmp(name, "default") == 0)
        return LG_COUNT;
    for (int i = 0; i < LG_COUNT; i++)
        if (strcasecmp(name, log_group_names[i]) == 0)
            return i;
    return -1;
}

bool log_enabled(const log_bus *bus, log_group group, int level)
{
    return bus && level <= atomic_load_explicit(&bus->loudest[group], memory_order_relaxed);
}

/* ---- delivery: `deliver` is held ---- */

static void sweep(log_bus *bus)
{
    listener *l;
    LIST_EACH(&bus->listeners, listener, node, l)
    {
        if (!l->gone)
            continue;
        list_remove(&l->node);
        if (l->hooks.destroy)
            l->hooks.destroy(l->ctx);
        free(l);
    }
}

static void find_loudest(log_bus *bus)
{
    for (int g = 0; g < LG_COUNT; g++) {
        int max = -1;
        listener *l;
        LIST_EACH(&bus->listeners, listener, node, l)
        if (!l->gone && l->levels[g] > max)
            max = l->levels[g];
        atomic_store_explicit(&bus->loudest[g], max, memory_order_relaxed);
    }
}

static void deliver_one(log_bus *bus, const log_event *ev)
{
    listener *l;
    LIST_EACH(&bus->listeners, listener, node, l)
    if (!l->gone && (l->channel == 0 || l->channel == ev->channel) && ev->level <= l->levels[ev->group])
        l->fn(l->ctx, ev);
}

static void begin_delivery(log_bus *bus)
{
    pthread_mutex_lock(&bus->deliver);
    bus->running++;
    delivering = bus;
}

static void end_delivery(log_bus *bus)
{
    listener *l;
    LIST_EACH(&bus->listeners, listener, node, l)
    if (!l->gone && l->hooks.flush)
        l->hooks.flush(l->ctx);
    if (--bus->running == 0)
        sweep(bus);
    delivering = NULL;
    pthread_mutex_unlock(&bus->deliver);
}

static int64_t wall_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void report_dropped(log_bus *bus, uint64_t n)
{
    char text[80];
    snprintf(text, sizeof(text), "log queue full, %llu messages dropped", (unsigned long long)n);
    log_event ev = {.wall_ms = wall_ms(), .group = LG_DMN, .level = 1, .text = text};
    deliver_one(bus, &ev);
}

static void deliver_batch(log_bus *bus, list *batch, uint64_t dropped)
{
    begin_delivery(bus);
    event *e;
    LIST_EACH(batch, event, node, e)
    {
        deliver_one(bus, &e->ev);
        free(e);
    }
    if (dropped)
        report_dropped(bus, dropped);
    end_delivery(bus);
}

static void *bus_thread(void *arg)
{
    log_bus *bus = arg;
    pthread_mutex_lock(&bus->lock);
    for (;;) {
        if (list_empty(&bus->queue)) {
            if (bus->stop)
                break;
            bus->waiting = true;
            pthread_cond_wait(&bus->wake, &bus->lock);
            bus->waiting = false;
            continue;
        }
        list batch;
        list_init(&batch);
        list_splice(&batch, &bus->queue);
        uint64_t upto = bus->posted, dropped = bus->dropped;
        bus->length = 0;
        bus->dropped = 0;
        pthread_mutex_unlock(&bus->lock);
        deliver_batch(bus, &batch, dropped);
        pthread_mutex_lock(&bus->lock);
        bus->delivered = upto;
        pthread_cond_broadcast(&bus->drained);
    }
    pthread_mutex_unlock(&bus->lock);
    return NULL;
}

/* ---- making and ending ---- */

static status start_thread(log_bus *bus)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&bus->thread, NULL, bus_thread, bus);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return err ? ST_NO_MEMORY : ST_OK;
}

status log_bus_new(log_bus **out, const log_bus_config *cfg)
{
    log_bus *bus = calloc(1, sizeof(*bus));
    *out = NULL;
    if (!bus)
        return ST_NO_MEMORY;
    for (int g = 0; g < LG_COUNT; g++)
        atomic_init(&bus->loudest[g], -1);
    bus->direct = cfg && cfg->direct;
    bus->limit = cfg && cfg->queue ? cfg->queue : DEFAULT_QUEUE;
    list_init(&bus->queue);
    list_init(&bus->listeners);
    pthread_mutex_init(&bus->lock, NULL);
    pthread_cond_init(&bus->wake, NULL);
    pthread_cond_init(&bus->drained, NULL);
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&bus->deliver, &recursive);
    pthread_mutexattr_destroy(&recursive);
    if (!bus->direct && start_thread(bus) != ST_OK) {
        bus->direct = true; /* no thread to be joined */
        log_bus_free(bus);
        return ST_NO_MEMORY;
    }
    *out = bus;
    return ST_OK;
}

void log_bus_flush(log_bus *bus)
{
    if (!bus || bus->direct || delivering == bus)
        return;
    pthread_mutex_lock(&bus->lock);
    uint64_t upto = bus->posted;
    while (bus->delivered < upto)
        pthread_cond_wait(&bus->drained, &bus->lock);
    pthread_mutex_unlock(&bus->lock);
}

void log_bus_free(log_bus *bus)
{
    if (!bus)
        return;
    if (!bus->direct) {
        pthread_mutex_lock(&bus->lock);
        bus->stop = true;
        pthread_cond_signal(&bus->wake);
        pthread_mutex_unlock(&bus->lock);
        pthread_join(bus->thread, NULL);
    }
    listener *l;
    LIST_EACH(&bus->listeners, listener, node, l)
    l->gone = true;
    sweep(bus);
    pthread_mutex_destroy(&bus->deliver);
    pthread_cond_destroy(&bus->wake);
    pthread_cond_destroy(&bus->drained);
    pthread_mutex_destroy(&bus->lock);
    free(bus);
}

/* ---- listeners ---- */

uint64_t log_listen_hooked(log_bus *bus, uint64_t channel, const int levels[LG_COUNT], log_listener_fn *fn,
                           void *ctx, const log_hooks *hooks)
{
    listener *l = calloc(1, sizeof(*l));
    if (!l)
        return 0;
    memcpy(l->levels, levels, sizeof(l->levels));
    l->channel = channel;
    l->fn = fn;
    l->ctx = ctx;
    if (hooks)
        l->hooks = *hooks;
    pthread_mutex_lock(&bus->deliver);
    uint64_t id = l->id = ++bus->next_id;
    list_append(&bus->listeners, &l->node);
    find_loudest(bus);
    pthread_mutex_unlock(&bus->deliver);
    return id;
}

uint64_t log_listen(log_bus *bus, uint64_t channel, const int levels[LG_COUNT], log_listener_fn *fn,
                    void *ctx)
{
    return log_listen_hooked(bus, channel, levels, fn, ctx, NULL);
}

static listener *find_listener(log_bus *bus, uint64_t id)
{
    listener *l;
    LIST_EACH(&bus->listeners, listener, node, l)
    if (l->id == id && !l->gone)
        return l;
    return NULL;
}

void log_unlisten(log_bus *bus, uint64_t id)
{
    pthread_mutex_lock(&bus->deliver);
    listener *l = find_listener(bus, id);
    if (l) {
        l->gone = true;
        find_loudest(bus);
        if (bus->running == 0)
            sweep(bus);
    }
    pthread_mutex_unlock(&bus->deliver);
}

void log_set_level(log_bus *bus, uint64_t id, log_group group, int level)
{
    pthread_mutex_lock(&bus->deliver);
    listener *l = find_listener(bus, id);
    for (int g = 0; l && g < LG_COUNT; g++)
        if (group == LG_COUNT || g == (int)group)
            l->levels[g] = level;
    find_loudest(bus);
    pthread_mutex_unlock(&bus->deliver);
}

void log_each_hook(log_bus *bus)
{
    pthread_mutex_lock(&bus->deliver);
    listener *l;
    LIST_EACH(&bus->listeners, listener, node, l)
    if (!l->gone && l->hooks.reopen)
        l->hooks.reopen(l->ctx);
    pthread_mutex_unlock(&bus->deliver);
}

/* ---- emitting ---- */

static void post(log_bus *bus, event *e)
{
    pthread_mutex_lock(&bus->lock);
    /* what happened may take twice the room of the details */
    unsigned limit = e->ev.level >= 2 ? bus->limit : bus->limit * 2;
    if (bus->length >= limit) {
        bus->dropped++;
        free(e);
    } else {
        list_append(&bus->queue, &e->node);
        bus->length++;
        bus->posted++;
        if (bus->waiting)
            pthread_cond_signal(&bus->wake);
    }
    pthread_mutex_unlock(&bus->lock);
}

/* Copies a line with control characters escaped; the caller has made four octets for each. */
static size_t put_line(char *dst, const char *line, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            dst[used++] = '\\';
            dst[used++] = 'x';
            dst[used++] = digits[c >> 4];
            dst[used++] = digits[c & 15];
        } else {
            dst[used++] = (char)c;
        }
    }
    dst[used] = '\0';
    return used;
}

static size_t line_room(const char *line, size_t n)
{
    size_t room = n + 1;
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
            room += 3;
    return room;
}

static void emit_line(const log_scope *scope, const log_event *like, const char *line, size_t n)
{
    size_t room = line_room(line, n);
    size_t name = scope->name ? strlen(scope->name) + 1 : 0;
    event *e = malloc(sizeof(*e) + room + name);
    if (!e)
        return;
    e->ev = *like;
    size_t used = put_line(e->text, line, n);
    e->ev.text = e->text;
    e->ev.name = NULL;
    if (name) {
        memcpy(e->text + used + 1, scope->name, name);
        e->ev.name = e->text + used + 1;
    }
    if (!scope->bus->direct) {
        post(scope->bus, e);
        return;
    }
    if (delivering != scope->bus) { /* a listener that logs is not heard: it would hear itself */
        begin_delivery(scope->bus);
        deliver_one(scope->bus, &e->ev);
        end_delivery(scope->bus);
    }
    free(e);
}

static void emit_text(const log_scope *scope, const log_event *like, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        emit_line(scope, like, text, n);
        text += n;
        text += *text == '\n';
    }
}

static void emit_va(const log_scope *scope, log_event *like, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
static void emit_va(const log_scope *scope, log_event *like, const char *fmt, va_list ap)
{
    char small[STACK_TEXT];
    va_list again;
    va_copy(again, ap);
    like->wall_ms = wall_ms();
    like->thread = thread_number;
    like->unique = scope->unique;
    like->channel = scope->channel;
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n >= (int)sizeof(small)) {
        size_t size = n < MAX_TEXT ? (size_t)n + 1 : MAX_TEXT;
        char *large = malloc(size);
        if (large) {
            vsnprintf(large, size, fmt, again);
            emit_text(scope, like, large);
            free(large);
            n = -1;
        }
    }
    if (n >= 0)
        emit_text(scope, like, small);
    va_end(again);
}

void log_emit(const log_scope *scope, log_group group, int level, int code, const char *fmt, ...)
{
    if (!scope->bus)
        return;
    log_event like = {.group = group, .level = level, .code = code};
    va_list ap;
    va_start(ap, fmt);
    emit_va(scope, &like, fmt, ap);
    va_end(ap);
}

void log_bug(const log_scope *scope, const char *file, int line, const char *fmt, ...)
{
    char text[STACK_TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_emit(scope, LG_DMN, 0, 0, "BUG: %s:%d: %s", file, line, text);
}
