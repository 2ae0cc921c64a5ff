/* Names of protocol numbers. A table covers several runs of numbers; unknown ones print as "(n)". */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct enum_name_row {
    uint32_t value;
    const char *name;
} enum_name_row;
typedef struct enum_names {
    const enum_name_row *rows; /* sorted by value */
    size_t n;
} enum_names;

#define ENUM_NAMES(var, ...)                                                                                           \
    static const enum_name_row var##_rows[] = {__VA_ARGS__};                                                           \
    const enum_names var = {var##_rows, sizeof(var##_rows) / sizeof(var##_rows[0])}

#define ENUM_TEXT_SIZE 16
/* The name, or "(n)" written to tmp. Never NULL. */
const char *enum_name(const enum_names *names, uint32_t value, char tmp[ENUM_TEXT_SIZE]);
/* The name or NULL. */
const char *enum_lookup(const enum_names *names, uint32_t value);
/* The number for a name; -1 if there is none. */
int64_t enum_value(const enum_names *names, const char *name);
/* Convenience for log calls: a temporary that lives until the end of the block. */
#define ENUM_STR(names, value) enum_name(&(names), (value), (char[ENUM_TEXT_SIZE]){0})
