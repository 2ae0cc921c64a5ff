/* What the tests of this room share: cmocka's includes, short ways to addresses and selectors. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libfreeswan/kernel/kernel.h"

static inline ip_addr ip(const char *text)
{
    ip_addr a;

    assert_int_equal(addr_from_text(&a, text, NULL), ST_OK);
    return a;
}

static inline traffic_sel ts(const char *text)
{
    subnet s;

    assert_int_equal(subnet_from_text(&s, text, NULL), ST_OK);
    return ts_from_subnet(&s, 0, 0);
}

static inline traffic_sel ts_port(const char *text, uint8_t proto, uint16_t port)
{
    subnet s;

    assert_int_equal(subnet_from_text(&s, text, NULL), ST_OK);
    return ts_from_subnet(&s, proto, port);
}

static inline endpoint ep(const char *text, uint16_t port)
{
    return (endpoint){.ip = ip(text), .port = port};
}
