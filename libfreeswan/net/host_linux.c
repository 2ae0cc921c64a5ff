/* The host's addresses and routes on Linux. A copy of the kernel's links and addresses is kept for quick
 * questions; an event socket says when it is out of date, and it is read again a moment later, once for many
 * events. What we add (virtual addresses, routes of our table, the rule that leads there) is counted by value
 * and removed at the end; what an earlier process of ours left behind is removed at the start.
 */
#include "libfreeswan/net/rtnl.h"
#include "libstrongswan/base/hashmap.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { SETTLE_MS = 100, MAX_LISTENERS = 8, STATIC_PROTOCOL = 4, EVENT_OCTETS = 32768, EVENT_ROUNDS = 64 };

typedef struct added_ip {
    struct added_ip *next;
    ip_addr ip;
    int index;
    unsigned users;
    bool foreign; /* was there before: stays */
} added_ip;
typedef struct added_route {
    struct added_route *next;
    host_route route;
    unsigned users;
} added_route;

enum { ROUTE_BUCKETS = 1024 };

typedef struct host_linux {
    host base;
    runtime *rt;
    log_scope log;
    rtnl nl;
    struct mnl_socket *events;
    pthread_mutex_t lock; /* guards the fields below; not held while asking the kernel */
    rtnl_table table;
    added_ip *ips;
    added_route *routes[ROUTE_BUCKETS]; /* by destination: a gateway has one for each of its clients */
    timer_id settle;
    bool routes_changed;
    struct {
        void (*fn)(void *ctx);
        void *ctx;
    } listeners[MAX_LISTENERS];
    size_t n_listeners;
    bool rule[2];           /* IPv4, IPv6 */
    pthread_mutex_t change; /* outer lock: one change of what we added at a time */
} host_linux;

static const rtnl_link *link_of(const rtnl_table *t, int index)
{
    for (size_t i = 0; i < t->n_links; i++)
        if (t->links[i].index == index)
            return &t->links[i];
    return NULL;
}

static const rtnl_addr *find_addr(const rtnl_table *t, const ip_addr *a)
{
    for (size_t i = 0; i < t->n_addrs; i++)
        if (addr_equal(&t->addrs[i].ip, a))
            return &t->addrs[i];
    return NULL;
}

static int index_of(const rtnl_table *t, const char *dev)
{
    for (size_t i = 0; dev && i < t->n_links; i++)
        if (strcmp(t->links[i].name, dev) == 0)
            return t->links[i].index;
    return 0;
}

/* Locked. */
static added_ip **find_added_ip(host_linux *h, const ip_addr *a)
{
    added_ip **p = &h->ips;
    while (*p && !addr_equal(&(*p)->ip, a))
        p = &(*p)->next;
    return p;
}

/* ---- questions ---- */

static bool linux_is_local(host *base, const ip_addr *a, char *dev)
{
    host_linux *h = (host_linux *)base;
    pthread_mutex_lock(&h->lock);
    const rtnl_addr *found = find_addr(&h->table, a);
    const rtnl_link *l = found ? link_of(&h->table, found->index) : NULL;
    bool local = l && l->up && found->usable;
    if (local && dev)
        memcpy(dev, l->name, HOST_IFNAME);
    pthread_mutex_unlock(&h->lock);
    return local;
}

static status linux_route_to(host *base, const ip_addr *dst, ip_addr *src, ip_addr *gateway, char *dev)
{
    host_linux *h = (host_linux *)base;
    rtnl_route r = {0};
    status st = rtnl_lookup(&h->nl, dst, &r);
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&h->lock);
    const rtnl_link *l = link_of(&h->table, r.index);
    if (dev)
        memset(dev, 0, HOST_IFNAME);
    if (dev && l)
        memcpy(dev, l->name, HOST_IFNAME);
    for (size_t i = 0; addr_is_any(&r.src) && i < h->table.n_addrs; i++) {
        const rtnl_addr *a = &h->table.addrs[i];
        if (a->index == r.index && a->ip.family == dst->family && a->usable && !*find_added_ip(h, &a->ip))
            r.src = a->ip;
    }
    pthread_mutex_unlock(&h->lock);
    if (src)
        *src = r.src;
    if (gateway)
        *gateway = r.gateway;
    return ST_OK;
}

static status linux_addrs(host *base, host_addr **out, size_t *n)
{
    host_linux *h = (host_linux *)base;
    pthread_mutex_lock(&h->lock);
    host_addr *found = calloc(h->table.n_addrs + 1, sizeof(*found));
    *n = 0;
    for (size_t i = 0; found && i < h->table.n_addrs; i++) {
        const rtnl_addr *a = &h->table.addrs[i];
        const rtnl_link *l = link_of(&h->table, a->index);
        const added_ip *ours = *find_added_ip(h, &a->ip);
        if (!l || !l->up || !a->usable)
            continue;
        host_addr *o = &found[(*n)++];
        *o = (host_addr){.ip = a->ip, .bits = a->bits, .virtual_ip = ours && !ours->foreign};
        memcpy(o->dev, l->name, HOST_IFNAME);
    }
    pthread_mutex_unlock(&h->lock);
    *out = found;
    return found ? ST_OK : ST_NO_MEMORY;
}

/* ---- keeping up to date ---- */

static bool usable_in(const rtnl_table *t, const ip_addr *a)
{
    const rtnl_addr *found = find_addr(t, a);
    return found && found->usable;
}

/* Locked. Says in the log what is new in `now` and what has gone; true if anything is. Our own addresses do
 * not count. */
static bool log_changes(host_linux *h, const rtnl_table *now)
{
    bool changed = false;
    for (size_t i = 0; i < now->n_addrs; i++) {
        const rtnl_link *l = link_of(now, now->addrs[i].index);
        if (!now->addrs[i].usable || usable_in(&h->table, &now->addrs[i].ip) ||
            *find_added_ip(h, &now->addrs[i].ip))
            continue;
        LOG(&h->log, KNL, 1, "%s appeared on %s", ADDR_STR(&now->addrs[i].ip), l ? l->name : "?");
        changed = true;
    }
    for (size_t i = 0; i < h->table.n_addrs; i++) {
        const rtnl_link *l = link_of(&h->table, h->table.addrs[i].index);
        if (!h->table.addrs[i].usable || usable_in(now, &h->table.addrs[i].ip) ||
            *find_added_ip(h, &h->table.addrs[i].ip))
            continue;
        LOG(&h->log, KNL, 1, "%s disappeared from %s", ADDR_STR(&h->table.addrs[i].ip), l ? l->name : "?");
        changed = true;
    }
    for (size_t i = 0; i < now->n_links; i++) {
        const rtnl_link *was = link_of(&h->table, now->links[i].index);
        if ((was && was->up) == now->links[i].up)
            continue;
        LOG(&h->log, KNL, 1, "interface %s %s", now->links[i].name,
            now->links[i].up ? "activated" : "deactivated");
        changed = true;
    }
    return changed;
}

/* changed NULL: our own doing, nothing to tell. */
static status read_table(host_linux *h, bool *changed)
{
    rtnl_table now;
    status st = rtnl_dump(&h->nl, &now);
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&h->lock);
    if (changed)
        *changed = log_changes(h, &now);
    rtnl_table old = h->table;
    h->table = now;
    pthread_mutex_unlock(&h->lock);
    rtnl_table_free(&old);
    return ST_OK;
}

static void on_settled(void *ctx, uint64_t key)
{
    host_linux *h = ctx;
    bool addresses = false;
    pthread_mutex_lock(&h->lock);
    h->settle = 0;
    bool routes = h->routes_changed;
    h->routes_changed = false;
    size_t n = h->n_listeners;
    pthread_mutex_unlock(&h->lock);
    if (read_table(h, &addresses) != ST_OK)
        LOG(&h->log, KNL, 1, "unable to read the interfaces");
    for (size_t i = 0; (addresses || routes) && i < n; i++) /* entries are only added */
        h->listeners[i].fn(h->listeners[i].ctx);
}

static void settle_later(host_linux *h, bool routes)
{
    pthread_mutex_lock(&h->lock);
    h->routes_changed = h->routes_changed || routes;
    if (!h->settle)
        h->settle = runtime_timer(h->rt, SETTLE_MS, on_settled, h, 0);
    pthread_mutex_unlock(&h->lock);
}

typedef struct event_filter {
    host_linux *h;
    bool addresses, routes;
} event_filter;

/* Routes of our table and those the kernel makes beside addresses tell nothing new. */
static bool is_foreign_route(const host_linux *h, const struct nlmsghdr *m)
{
    const struct rtmsg *r = mnl_nlmsg_get_payload(m);
    return !(r->rtm_flags & RTM_F_CLONED) && r->rtm_table != h->nl.table && r->rtm_table != RT_TABLE_LOCAL &&
           r->rtm_protocol != RTPROT_KERNEL;
}

static int on_event(const struct nlmsghdr *m, void *ctx)
{
    event_filter *f = ctx;
    switch (m->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR:
        f->addresses = true;
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        f->routes = f->routes || is_foreign_route(f->h, m);
        break;
    }
    return MNL_CB_OK;
}

static void on_readable(void *ctx, int fd, uint32_t events)
{
    static _Thread_local uint8_t room[EVENT_OCTETS];
    event_filter f = {.h = ctx};
    for (int i = 0; i < EVENT_ROUNDS; i++) {
        ssize_t n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
        if (n <= 0) {
            f.routes = f.routes || (n < 0 && errno == ENOBUFS); /* events were lost */
            break;
        }
        mnl_cb_run(room, (size_t)n, 0, 0, on_event, &f);
    }
    if (f.addresses || f.routes)
        settle_later(f.h, f.routes);
}

static void linux_on_change(host *base, void (*fn)(void *ctx), void *ctx)
{
    host_linux *h = (host_linux *)base;
    pthread_mutex_lock(&h->lock);
    if (!fn) {
        size_t kept = 0;
        for (size_t i = 0; i < h->n_listeners; i++) {
            if (h->listeners[i].ctx != ctx)
                h->listeners[kept++] = h->listeners[i];
        }
        h->n_listeners = kept;
    } else if (h->n_listeners < MAX_LISTENERS) {
        h->listeners[h->n_listeners].fn = fn;
        h->listeners[h->n_listeners].ctx = ctx;
        h->n_listeners++;
    } else {
        LOG_BUG(&h->log, "too many listeners for address changes");
    }
    pthread_mutex_unlock(&h->lock);
}

/* ---- virtual addresses ---- */

static int device_index(host_linux *h, const char *dev)
{
    pthread_mutex_lock(&h->lock);
    int index = index_of(&h->table, dev);
    pthread_mutex_unlock(&h->lock);
    /* a device made a moment ago: its event may not have been read yet */
    return index ? index : (int)if_nametoindex(dev);
}

/* With h->change held: nobody else adds or removes. */
static status install_ip(host_linux *h, const ip_addr *a, const char *dev)
{
    int index = device_index(h, dev);
    added_ip *n = calloc(1, sizeof(*n));
    if (!n)
        return ST_NO_MEMORY;
    *n = (added_ip){.ip = *a, .index = index, .users = 1};
    pthread_mutex_lock(&h->lock);
    const rtnl_addr *there = find_addr(&h->table, a);
    n->foreign = there != NULL;
    n->next = h->ips; /* before the kernel tells us of it */
    h->ips = n;
    pthread_mutex_unlock(&h->lock);
    status st = n->foreign ? ST_OK : index ? rtnl_addr_change(&h->nl, true, a, index) : ST_NOT_FOUND;
    if (st == ST_EXISTS) {
        n->foreign = true;
        st = ST_OK;
    }
    if (st == ST_OK)
        return read_table(h, NULL);
    pthread_mutex_lock(&h->lock);
    *find_added_ip(h, a) = n->next;
    pthread_mutex_unlock(&h->lock);
    free(n);
    return st;
}

static status linux_add_ip(host *base, const ip_addr *a, const char *dev)
{
    host_linux *h = (host_linux *)base;
    status st = ST_OK;
    pthread_mutex_lock(&h->change);
    pthread_mutex_lock(&h->lock);
    added_ip *known = *find_added_ip(h, a);
    if (known)
        known->users++;
    pthread_mutex_unlock(&h->lock);
    if (!known)
        st = install_ip(h, a, dev);
    pthread_mutex_unlock(&h->change);
    return st;
}

static status linux_del_ip(host *base, const ip_addr *a)
{
    host_linux *h = (host_linux *)base;
    status st = ST_OK;
    pthread_mutex_lock(&h->change);
    pthread_mutex_lock(&h->lock);
    added_ip *known = *find_added_ip(h, a);
    bool last = known && --known->users == 0;
    pthread_mutex_unlock(&h->lock);
    if (!known)
        st = ST_NOT_FOUND;
    if (last) {
        if (!known->foreign)
            st = rtnl_addr_change(&h->nl, false, a, known->index);
        status again = read_table(h, NULL);
        st = st == ST_OK || st == ST_NOT_FOUND ? again : st;
        pthread_mutex_lock(&h->lock);
        *find_added_ip(h, a) = known->next;
        pthread_mutex_unlock(&h->lock);
        free(known);
    }
    pthread_mutex_unlock(&h->change);
    return st;
}

/* ---- routes ---- with h->change held */

static bool route_equal(const host_route *a, const host_route *b)
{
    return subnet_equal(&a->dst, &b->dst) && addr_equal(&a->src, &b->src) &&
           addr_equal(&a->gateway, &b->gateway) && strncmp(a->dev, b->dev, HOST_IFNAME) == 0;
}

static size_t route_bucket(const subnet *dst)
{
    uint8_t key[sizeof(dst->ip.b) + 2] = {dst->ip.family, dst->bits};
    memcpy(key + 2, dst->ip.b, sizeof(dst->ip.b));
    return (size_t)(hash_bytes(SPAN_ARRAY(key)) % ROUTE_BUCKETS);
}

static added_route **find_added_route(host_linux *h, const host_route *r)
{
    added_route **p = &h->routes[route_bucket(&r->dst)];
    while (*p && !route_equal(&(*p)->route, r))
        p = &(*p)->next;
    return p;
}

static bool dst_in_use(const host_linux *h, const subnet *dst)
{
    for (const added_route *r = h->routes[route_bucket(dst)]; r; r = r->next)
        if (subnet_equal(&r->route.dst, dst))
            return true;
    return false;
}

static void need_rule(host_linux *h, int family)
{
    bool *there = &h->rule[family == AF_INET6];
    if (*there)
        return;
    status st = rtnl_rule_change(&h->nl, true, family);
    *there = st == ST_OK || st == ST_EXISTS;
    if (!*there)
        LOG(&h->log, KNL, 1, "unable to add the rule for routing table %u: %s", h->nl.table, status_text(st));
}

static status linux_add_route(host *base, const host_route *r)
{
    host_linux *h = (host_linux *)base;
    status st = ST_OK;
    pthread_mutex_lock(&h->change);
    added_route *known = *find_added_route(h, r);
    if (known) {
        known->users++;
    } else if (!(known = calloc(1, sizeof(*known)))) {
        st = ST_NO_MEMORY;
    } else {
        added_route **first = &h->routes[route_bucket(&r->dst)];
        *known = (added_route){.next = *first, .route = *r, .users = 1};
        need_rule(h, r->dst.ip.family);
        st = rtnl_route_change(&h->nl, true, r, device_index(h, r->dev));
        if (st == ST_OK || st == ST_EXISTS) {
            *first = known;
            st = ST_OK;
        } else {
            free(known);
        }
    }
    pthread_mutex_unlock(&h->change);
    return st;
}

static status linux_del_route(host *base, const host_route *r)
{
    host_linux *h = (host_linux *)base;
    status st = ST_NOT_FOUND;
    pthread_mutex_lock(&h->change);
    added_route **at = find_added_route(h, r);
    added_route *known = *at;
    if (known) {
        st = ST_OK;
        if (--known->users == 0) {
            *at = known->next;
            free(known);
            if (!dst_in_use(h, &r->dst)) /* another route to it took our place */
                st = rtnl_route_change(&h->nl, false, r, device_index(h, r->dev));
        }
    }
    pthread_mutex_unlock(&h->change);
    return st;
}

/* ---- life ---- */

static void remove_routes(host_linux *h, added_route **first)
{
    while (*first) {
        added_route *r = *first;
        *first = r->next;
        if (!dst_in_use(h, &r->route.dst) &&
            rtnl_route_change(&h->nl, false, &r->route, device_index(h, r->route.dev)) == ST_IO)
            LOG(&h->log, KNL, 1, "unable to remove the route to %s", SUBNET_STR(&r->route.dst));
        free(r);
    }
}

static void remove_added(host_linux *h)
{
    for (size_t i = 0; i < ROUTE_BUCKETS; i++)
        remove_routes(h, &h->routes[i]);
    while (h->ips) {
        added_ip *a = h->ips;
        h->ips = a->next;
        if (!a->foreign && rtnl_addr_change(&h->nl, false, &a->ip, a->index) == ST_IO)
            LOG(&h->log, KNL, 1, "unable to remove the address %s", ADDR_STR(&a->ip));
        free(a);
    }
    for (int i = 0; i < 2; i++)
        if (h->rule[i] && rtnl_rule_change(&h->nl, false, i ? AF_INET6 : AF_INET) == ST_IO)
            LOG(&h->log, KNL, 1, "unable to remove the rule for routing table %u", h->nl.table);
}

static void linux_free(host *base)
{
    host_linux *h = (host_linux *)base;
    runtime_unwatch(h->rt, mnl_socket_get_fd(h->events));
    runtime_timer_cancel(h->rt, h->settle);
    remove_added(h);
    mnl_socket_close(h->events);
    rtnl_close(&h->nl);
    rtnl_table_free(&h->table);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->change);
    free(h);
}

static const host_ops linux_ops = {
    .is_local = linux_is_local,
    .route_to = linux_route_to,
    .addrs = linux_addrs,
    .add_ip = linux_add_ip,
    .del_ip = linux_del_ip,
    .add_route = linux_add_route,
    .del_route = linux_del_route,
    .on_change = linux_on_change,
    .free = linux_free,
};

static void log_interfaces(const host_linux *h)
{
    LOG(&h->log, KNL, 1, "listening on interfaces:");
    for (size_t i = 0; i < h->table.n_links; i++) {
        const rtnl_link *l = &h->table.links[i];
        if (!l->up || l->loopback)
            continue;
        LOG(&h->log, KNL, 1, "  %s", l->name);
        for (size_t k = 0; k < h->table.n_addrs; k++)
            if (h->table.addrs[k].index == l->index)
                LOG(&h->log, KNL, 1, "    %s", ADDR_STR(&h->table.addrs[k].ip));
    }
}

static status open_events(host_linux *h, msgbuf *msg)
{
    const unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                            RTMGRP_IPV6_ROUTE;
    h->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!h->events || mnl_socket_bind(h->events, groups, MNL_SOCKET_AUTOPID)) {
        status st = msg_fail(msg, ST_IO, "unable to listen for changes of addresses: %s", strerror(errno));
        if (h->events)
            mnl_socket_close(h->events);
        return st;
    }
    return ST_OK;
}

status host_linux_new(host **out, runtime *rt, const host_linux_config *cfg, msgbuf *msg)
{
    host_linux *h = calloc(1, sizeof(*h));
    if (!h)
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    h->base.ops = &linux_ops;
    h->rt = rt;
    h->log = cfg->log;
    h->nl.table = cfg->table ? cfg->table : HOST_TABLE;
    h->nl.prio = cfg->prio ? cfg->prio : HOST_TABLE_PRIO;
    h->nl.mark = cfg->mark;
    h->nl.protocol = cfg->protocol ? cfg->protocol : STATIC_PROTOCOL;
    status st = rtnl_open(&h->nl, msg);
    if (st != ST_OK) {
        free(h);
        return st;
    }
    if ((st = open_events(h, msg)) != ST_OK) {
        rtnl_close(&h->nl);
        free(h);
        return st;
    }
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->change, NULL);
    if (cfg->protocol)
        rtnl_remove_leftovers(&h->nl);
    if ((st = read_table(h, NULL)) == ST_OK)
        st = runtime_watch(rt, mnl_socket_get_fd(h->events), EPOLLIN, 0, on_readable, h);
    if (st != ST_OK) {
        linux_free(&h->base);
        return msg_fail(msg, st, "unable to read the interfaces: %s", status_text(st));
    }
    log_interfaces(h);
    *out = &h->base;
    return ST_OK;
}
