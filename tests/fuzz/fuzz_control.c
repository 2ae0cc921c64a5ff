/* Control records: two octets of request type, then the body; what is accepted is encoded and accepted again.
 */
#include "libfreeswan/wire/control.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ctl_request r, again;
    arena mem;
    msgbuf msg;
    buf body = {0};
    if (size < 2)
        return 0;
    arena_init(&mem, 1 << 20);
    if (ctl_decode(&r, get_u16(data), span_of(data + 2, size - 2), &mem, &msg) == ST_OK) {
        if (ctl_encode(&r, &body, &msg) != ST_OK)
            abort();
        if (ctl_decode(&again, (uint16_t)r.type, buf_span(&body), &mem, &msg) != ST_OK)
            abort();
    }
    buf_free(&body);
    arena_free(&mem);
    return 0;
}
