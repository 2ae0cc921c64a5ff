/* rtnetlink requests of the host's back end. One request socket behind a lock; a request is a message and its
 * answers. */
#pragma once
#include "libfreeswan/net/host.h"
#include <libmnl/libmnl.h>
#include <pthread.h>

typedef struct rtnl {
    pthread_mutex_t lock; /* leaf: one request at a time */
    struct mnl_socket *nl;
    unsigned seq;
    uint32_t table, prio, mark;
    uint8_t protocol; /* who made a route or rule */
} rtnl;

typedef struct rtnl_link {
    int index;
    bool up, loopback;
    char name[HOST_IFNAME];
} rtnl_link;
typedef struct rtnl_addr {
    ip_addr ip;
    uint8_t bits;
    int index;
    bool usable; /* not tentative, not failed */
} rtnl_addr;
typedef struct rtnl_table { /* what a dump found */
    rtnl_link *links;
    size_t n_links;
    rtnl_addr *addrs;
    size_t n_addrs;
} rtnl_table;
typedef struct rtnl_route {
    ip_addr src, gateway;
    int index;
} rtnl_route;

status rtnl_open(rtnl *r, msgbuf *msg) MUST_CHECK;
void rtnl_close(rtnl *r);
status rtnl_dump(rtnl *r, rtnl_table *out) MUST_CHECK; /* rtnl_table_free() */
void rtnl_table_free(rtnl_table *t);
/* Source, gateway and interface for dst as if our table were empty. */
status rtnl_lookup(rtnl *r, const ip_addr *dst, rtnl_route *out) MUST_CHECK;
/* ST_EXISTS: it was there already. */
status rtnl_addr_change(rtnl *r, bool add, const ip_addr *a, int index) MUST_CHECK;
status rtnl_route_change(rtnl *r, bool add, const host_route *route, int index) MUST_CHECK;
status rtnl_rule_change(rtnl *r, bool add, int family) MUST_CHECK;
/* Removes what an earlier process with our protocol number left: rules and routes of the table. */
void rtnl_remove_leftovers(rtnl *r);
