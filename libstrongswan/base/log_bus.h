/* Shared by the two halves of the log: the bus and its sinks. */
#pragma once
#include "libstrongswan/base/list.h"
#include "libstrongswan/base/log.h"

/* A listener with an owner: `flush` after each batch of events, `reopen` on log_reopen(), `destroy` when it goes. Each
 * may be NULL. */
typedef struct log_hooks {
    void (*flush)(void *ctx);
    void (*reopen)(void *ctx);
    void (*destroy)(void *ctx);
} log_hooks;

uint64_t log_listen_hooked(log_bus *bus, uint64_t channel, const int levels[LG_COUNT], log_listener_fn *fn, void *ctx,
                           const log_hooks *hooks);
void log_each_hook(log_bus *bus); /* runs every `reopen` */
