/* A conn or ca section as it comes over a control socket; what is accepted is encoded again and must stay the
 * same. */
#include "libfreeswan/conf/conn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    conn *c, *again;
    ca_section *ca;
    msgbuf msg;
    buf body = {0};
    if (conn_decode(&c, span_of(data, size), &msg) == ST_OK) {
        if (conn_encode(c, &body) != ST_OK || conn_decode(&again, buf_span(&body), &msg) != ST_OK)
            abort();
        if (!conn_equal(c, again))
            abort();
        conn_unref(again);
        (void)!conn_seal(c, &msg);
        conn_unref(c);
    }
    buf_free(&body);
    if (ca_section_decode(&ca, span_of(data, size), &msg) == ST_OK)
        ca_section_unref(ca);
    return 0;
}
