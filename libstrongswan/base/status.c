/* Texts of the status values: generated from the one list in status.h. */
#include "libstrongswan/base/status.h"
#include <stddef.h>

const char *status_text(status st)
{
    static const char *const texts[] = {
#define X(name, text) [name] = text,
        STATUS_LIST(X)
#undef X
    };
    if ((unsigned)st >= sizeof(texts) / sizeof(texts[0]) || texts[st] == NULL)
        return "unknown status";
    return texts[st];
}
