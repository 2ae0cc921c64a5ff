/* The host's interfaces, addresses and routes, kept up to date by rtnetlink; virtual addresses; routes in
 * table 220. Behind a const table for the simulator. Any thread.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/base/log.h"
#include "libstrongswan/run/runtime.h"

enum { HOST_TABLE = 220, HOST_TABLE_PRIO = 220, HOST_IFNAME = 16 };

typedef struct host host;
typedef struct host_route {
    subnet dst;
    ip_addr src;     /* preferred source; any = none */
    ip_addr gateway; /* any = on link */
    char dev[HOST_IFNAME];
} host_route;
typedef struct host_addr {
    ip_addr ip;
    uint8_t bits;
    char dev[HOST_IFNAME];
    bool virtual_ip; /* added by us */
} host_addr;

typedef struct host_ops {
    /* Is it one of ours (up, not only tentative)? dev (HOST_IFNAME octets, may be NULL) gets the interface.
     */
    bool (*is_local)(host *h, const ip_addr *a, char *dev);
    /* Source address and gateway for a destination, as if table 220 were empty. ST_NOT_FOUND: no route. */
    status (*route_to)(host *h, const ip_addr *dst, ip_addr *src, ip_addr *gateway, char *dev);
    /* All addresses; the caller frees *out. */
    status (*addrs)(host *h, host_addr **out, size_t *n);
    /* Reference counted by value. */
    status (*add_ip)(host *h, const ip_addr *a, const char *dev);
    status (*del_ip)(host *h, const ip_addr *a);
    status (*add_route)(host *h, const host_route *r);
    status (*del_route)(host *h, const host_route *r);
    /* fn runs as a job after addresses or routes changed. NULL: whoever has this ctx hears no more. */
    void (*on_change)(host *h, void (*fn)(void *ctx), void *ctx);
    void (*free)(host *h); /* removes what it added: addresses, routes, the rule */
} host_ops;
struct host {
    const host_ops *ops;
};
/* rtnetlink. table/prio: 0 = 220. mark: `not fwmark` of the rule, so that our own packets avoid the table; 0
 * = none. */
typedef struct host_linux_config {
    uint32_t table, prio, mark;
    uint8_t protocol; /* marks routes and rules as this daemon's, so that leftovers of a crash are found; 0 =
                         4 (static) */
    log_scope log;
} host_linux_config;
status host_linux_new(host **out, runtime *rt, const host_linux_config *cfg, msgbuf *msg) MUST_CHECK;
