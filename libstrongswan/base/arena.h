/* Memory that lives and dies together: everything decoded from one packet, one configuration file, one list. Not
 * thread safe; one owner. Pieces are aligned for any type and zeroed. Zero-initialise with arena_init().
 */
#pragma once
#include "libstrongswan/base/span.h"
#include "libstrongswan/base/status.h"

typedef struct arena_block arena_block;
typedef struct arena {
    arena_block *blocks;
    size_t used;  /* bytes handed out */
    size_t limit; /* of bytes handed out; beyond it arena_alloc() returns NULL */
} arena;

void arena_init(arena *a, size_t limit); /* limit 0 = none */
void arena_free(arena *a);               /* everything; the arena may be used again */
void *arena_alloc(arena *a, size_t n);   /* NULL: no memory or limit */
void *arena_array(arena *a, size_t count, size_t size);
char *arena_str(arena *a, span s); /* C string copy; NULL also if s holds a NUL */
bool arena_copy(arena *a, span s, span *out);
char *arena_printf(arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
