/* Identities: first octet = how to read the rest; what was read must print, read back, and equal itself. */
#include "libstrongswan/cred/ident.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void examine(ident *id)
{
    char text[IDENT_TEXT], tiny[9];
    ident *any = ident_any(), *again;
    ident_text(id, text, sizeof(text));
    ident_text(id, tiny, sizeof(tiny));
    ident_text_pluto(id, text, sizeof(text));
    if (!ident_equal(id, id) || !ident_match(id, any) || ident_match(id, id) != ID_MATCH_PERFECT)
        abort();
    (void)ident_has_wildcards(id);
    if (strlen(text) < sizeof(text) - 1 && ident_from_text(&again, text, NULL) == ST_OK) {
        (void)ident_match(id, again);
        (void)ident_equal(again, id);
        ident_unref(again);
    }
    ident_unref(any);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ident *id = NULL;
    msgbuf msg;
    if (size < 1)
        return 0;
    if (data[0] == 't') {
        char *text = span_dup_cstr(span_of(data + 1, size - 1));
        if (text && ident_from_text(&id, text, &msg) != ST_OK && id)
            abort();
        free(text);
    } else if (ident_from_wire(&id, data[0], span_of(data + 1, size - 1), &msg) != ST_OK && id) {
        abort();
    }
    if (id)
        examine(id);
    ident_unref(id);
    return 0;
}
