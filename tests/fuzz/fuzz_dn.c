/* Distinguished names: DER, and text when it begins with a letter or slash; whatever is a name prints as text
 * that is the same name again, unless the text had to be cut. */
#include "libstrongswan/cred/dn.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool only_text(span der)
{
    dn_ava avas[DN_MAX_AVAS];
    int n = dn_split(der, avas);
    for (int i = 0; i < n; i++)
        if (avas[i].oid.n > 8 || avas[i].tag == 0x1e ||
            avas[i].tag == 0x1c) /* long OIDs and odd strings may not survive */
            return false;
    return n > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span in = span_of(data, size), der = in;
    static char text[1 << 18];
    buf made = {0}, again = {0};
    bool from_text = false;
    if (size && data[0] != 0x30) {
        char *s = span_dup_cstr(in);
        from_text = s && dn_from_text(&made, s, NULL) == ST_OK;
        free(s);
        der = buf_span(&made);
        if (from_text && !dn_valid(der))
            abort();
    }
    dn_text(der, text, sizeof(text));
    if (dn_valid(der) != dn_equal(der, der))
        abort();
    (void)dn_match(der, der);
    if (from_text && only_text(der) && strlen(text) < sizeof(text) - 1) {
        if (dn_from_text(&again, text, NULL) != ST_OK || !dn_equal(der, buf_span(&again)))
            abort();
    }
    buf_free(&made);
    buf_free(&again);
    return 0;
}
