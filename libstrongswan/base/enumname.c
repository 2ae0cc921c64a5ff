/* Binary search for the name of a number; the tables are const and sorted by value. */
#include "libstrongswan/base/enumname.h"
#include <stdio.h>
#include <strings.h>

const char *enum_lookup(const enum_names *names, uint32_t value)
{
    size_t low = 0, high = names->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (names->rows[mid].value == value)
            return names->rows[mid].name;
        if (names->rows[mid].value < value)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const char *enum_name(const enum_names *names, uint32_t value, char tmp[ENUM_TEXT_SIZE])
{
    const char *name = enum_lookup(names, value);
    if (name)
        return name;
    snprintf(tmp, ENUM_TEXT_SIZE, "(%u)", (unsigned)value);
    return tmp;
}

int64_t enum_value(const enum_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcasecmp(names->rows[i].name, name) == 0)
            return names->rows[i].value;
    return -1;
}
