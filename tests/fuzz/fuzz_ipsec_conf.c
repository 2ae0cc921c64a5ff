/* ipsec.conf from memory (no includes): must end, must keep its promises about what it hands out, and every
 * conn that was accepted must survive being sent to a daemon. */
#include "libfreeswan/conf/conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config *cfg;
    status st = config_parse(&cfg, (const char *)data, size, "fuzz", NULL);
    if (!cfg)
        return 0;
    if ((st == ST_OK) != (cfg->n_fatal == 0))
        abort();
    for (size_t i = 0; i < cfg->n_conns; i++) {
        buf body = {0};
        conn *copy;
        if (conn_encode(cfg->conns[i], &body) != ST_OK || conn_decode(&copy, buf_span(&body), NULL) != ST_OK)
            abort();
        if (!conn_equal(cfg->conns[i], copy))
            abort();
        conn_unref(copy);
        buf_free(&body);
    }
    config_free(cfg);
    return 0;
}
