/* Received datagrams as owned objects. */
#include "libfreeswan/net/net.h"
#include <stdlib.h>

status packet_new(packet **out, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    packet *p = malloc(sizeof(*p) + data.n);
    if (!p)
        return ST_NO_MEMORY;
    p->local = *local;
    p->remote = *remote;
    p->natt = natt;
    p->n = data.n;
    if (data.n)
        memcpy(p->data, data.p, data.n);
    *out = p;
    return ST_OK;
}

void packet_free(packet *p)
{
    free(p);
}
