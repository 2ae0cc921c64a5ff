/* Shared by the two halves of settings: the tree and its parser. */
#pragma once
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/settings.h"

enum { SETTINGS_MAX_BYTES = 16 << 20, SETTINGS_MAX_DEPTH = 32, SETTINGS_MAX_INCLUDES = 10, SETTINGS_MAX_WARNINGS = 100 };

typedef struct setting {
    struct setting *next;
    const char *name, *value;
    unsigned file; /* number of the file it was read from */
} setting;

typedef struct section {
    struct section *next;
    const char *name;
    struct section *children;
    setting *keys;
    unsigned file;
} section;

typedef struct warning {
    struct warning *next;
    const char *text;
} warning;

struct settings {
    arena arena;
    section root;
    warning *warnings;
    unsigned warning_count, files;
};

settings *settings_tree_new(void);
section *settings_find_child(const section *in, span name);
setting *settings_find_key(const section *in, span name);
