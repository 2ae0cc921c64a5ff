/* The virtual host: its addresses, what a daemon adds to them, routes, all counted. */
#include "tests/sim/lib/sim_priv.h"
#include <stdio.h>
#include <stdlib.h>

static sim_hostops *ops_of(host *h)
{
    return container_of(h, sim_hostops, base);
}

static bool h_is_local(host *h, const ip_addr *a, char *dev)
{
    sim_hostops *o = ops_of(h);
    if (sim_has_addr(o->host, a)) {
        if (dev)
            snprintf(dev, HOST_IFNAME, "eth0");
        return true;
    }
    for (int i = 0; i < MAX_VIPS; i++)
        if (o->vips[i].users && addr_equal(&o->vips[i].ip, a)) {
            if (dev)
                snprintf(dev, HOST_IFNAME, "%s", o->vips[i].dev);
            return true;
        }
    return false;
}

/* Everybody is on one link. */
static status h_route_to(host *h, const ip_addr *dst, ip_addr *src, ip_addr *gateway, char *dev)
{
    sim_host *sh = ops_of(h)->host;
    if (sh->unplugged)
        return ST_NOT_FOUND;
    for (size_t i = 0; i < sh->n_addrs; i++) {
        if (sh->addrs[i].family != dst->family)
            continue;
        if (src)
            *src = sh->addrs[i];
        if (gateway)
            *gateway = addr_any(dst->family);
        if (dev)
            snprintf(dev, HOST_IFNAME, "eth0");
        return ST_OK;
    }
    return ST_NOT_FOUND;
}

static status h_addrs(host *h, host_addr **out, size_t *n)
{
    sim_hostops *o = ops_of(h);
    host_addr *all = calloc(SIM_MAX_ADDRS + MAX_VIPS, sizeof(*all));
    if (!all)
        return ST_NO_MEMORY;
    *n = 0;
    for (size_t i = 0; i < o->host->n_addrs; i++) {
        all[*n] = (host_addr){.ip = o->host->addrs[i], .bits = o->host->addrs[i].family == AF_INET ? 24 : 64};
        snprintf(all[(*n)++].dev, HOST_IFNAME, "eth0");
    }
    for (int i = 0; i < MAX_VIPS; i++) {
        if (!o->vips[i].users)
            continue;
        all[*n] = (host_addr){
            .ip = o->vips[i].ip, .bits = o->vips[i].ip.family == AF_INET ? 32 : 128, .virtual_ip = true};
        snprintf(all[(*n)++].dev, HOST_IFNAME, "%s", o->vips[i].dev);
    }
    *out = all;
    return ST_OK;
}

static status h_add_ip(host *h, const ip_addr *a, const char *dev)
{
    sim_hostops *o = ops_of(h);
    counted_ip *room = NULL;
    for (int i = 0; i < MAX_VIPS; i++) {
        if (o->vips[i].users && addr_equal(&o->vips[i].ip, a)) {
            o->vips[i].users++;
            return ST_OK;
        }
        if (!o->vips[i].users && !room)
            room = &o->vips[i];
    }
    if (!room)
        return ST_LIMIT;
    *room = (counted_ip){.ip = *a, .users = 1};
    snprintf(room->dev, sizeof(room->dev), "%s", dev ? dev : "eth0");
    return ST_OK;
}

static status h_del_ip(host *h, const ip_addr *a)
{
    sim_hostops *o = ops_of(h);
    for (int i = 0; i < MAX_VIPS; i++)
        if (o->vips[i].users && addr_equal(&o->vips[i].ip, a)) {
            o->vips[i].users--;
            return ST_OK;
        }
    return ST_NOT_FOUND;
}

static bool same_route(const host_route *a, const host_route *b)
{
    return subnet_equal(&a->dst, &b->dst) && addr_equal(&a->src, &b->src) &&
           addr_equal(&a->gateway, &b->gateway) && strcmp(a->dev, b->dev) == 0;
}

static status h_add_route(host *h, const host_route *r)
{
    sim_hostops *o = ops_of(h);
    int room = -1;
    for (int i = 0; i < MAX_ROUTES; i++) {
        if (o->route_users[i] && same_route(&o->routes[i], r)) {
            o->route_users[i]++;
            return ST_OK;
        }
        if (!o->route_users[i] && room < 0)
            room = i;
    }
    if (room < 0)
        return ST_LIMIT;
    o->routes[room] = *r;
    o->route_users[room] = 1;
    return ST_OK;
}

static status h_del_route(host *h, const host_route *r)
{
    sim_hostops *o = ops_of(h);
    for (int i = 0; i < MAX_ROUTES; i++)
        if (o->route_users[i] && same_route(&o->routes[i], r)) {
            o->route_users[i]--;
            return ST_OK;
        }
    return ST_NOT_FOUND;
}

static void h_on_change(host *h, void (*fn)(void *ctx), void *ctx)
{
    sim_hostops *o = ops_of(h);
    o->changed = fn;
    o->changed_ctx = ctx;
}

/* part of its host */
static void h_free(host *h)
{
    h_on_change(h, NULL, NULL);
}

void sim_ops_init(sim_host *h)
{
    static const host_ops ops = {h_is_local,  h_route_to,  h_addrs,     h_add_ip, h_del_ip,
                                 h_add_route, h_del_route, h_on_change, h_free};
    h->ops.base.ops = &ops;
    h->ops.host = h;
}

static void tell_change(void *arg)
{
    sim_hostops *o = arg;
    if (o->changed)
        o->changed(o->changed_ctx);
}

void sim_move(sim_host *h, const char *addr)
{
    ip_addr a;
    if (addr_from_text(&a, addr, NULL) != ST_OK)
        return;
    h->addrs[0] = a;
    if (runtime_post(h->s->rt, tell_change, NULL, &h->ops) != ST_OK)
        tell_change(&h->ops);
}

size_t sim_host_leftovers(sim_host *h)
{
    size_t n = 0;
    for (int i = 0; i < MAX_VIPS; i++)
        n += h->ops.vips[i].users != 0;
    for (int i = 0; i < MAX_ROUTES; i++)
        n += h->ops.route_users[i] != 0;
    return n;
}
