/* strongswan.conf: sections, `key = value`, `include`, comments; keys are dotted paths ("charon.plugins.sql.database").
 * Immutable once loaded; reloading makes a new object.   Facts: reference strongswan-conf.md
 */
#pragma once
#include "libstrongswan/base/msgbuf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct settings settings;

/* An absent file is an empty one (ST_OK). Errors: ST_INVALID with "FILE:LINE: why" in msg. */
status settings_load(settings **out, const char *path, msgbuf *msg) MUST_CHECK;
/* The same from memory; includes are relative to `dir` (NULL: refused). `name` is for messages. */
status settings_parse(settings **out, const char *text, size_t n, const char *name, const char *dir, msgbuf *msg) MUST_CHECK;
void settings_free(settings *s); /* NULL ok */

/* What is odd but did not keep the file from being read ("FILE:LINE: why"); to be logged once logging works. */
void settings_warnings(const settings *s, void (*fn)(void *ctx, const char *text), void *ctx);

/* Values; s may be NULL (all defaults). A bool that is neither yes nor no and a number out of range give the default; a
 * word where a number belongs is 0, text behind a number is ignored. `key` may contain printf conversions, so that a
 * section name can be put in; a section whose name holds dots (a file name) is found too. */
const char *settings_str(const settings *s, const char *dflt, const char *key, ...) PRINTF_LIKE(3, 4);
int64_t settings_int(const settings *s, int64_t dflt, const char *key, ...) PRINTF_LIKE(3, 4);
double settings_double(const settings *s, double dflt, const char *key, ...) PRINTF_LIKE(3, 4);
bool settings_bool(const settings *s, bool dflt, const char *key, ...) PRINTF_LIKE(3, 4);
/* "30", "30s", "5m", "2h", "1d": seconds */
int64_t settings_time_s(const settings *s, int64_t dflt, const char *key, ...) PRINTF_LIKE(3, 4);
/* Calls fn for each sub-section / each key of a section, in file order, until it returns false. "" is the top. */
void settings_sections(const settings *s, const char *section, bool (*fn)(void *ctx, const char *name), void *ctx);
void settings_keys(const settings *s, const char *section, bool (*fn)(void *ctx, const char *key, const char *value), void *ctx);
