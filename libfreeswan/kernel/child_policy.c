/* Policies, routes and scripts of a child. A polset is what one child has installed; it is built for the
 * addresses and selectors of the moment, and a failure half way takes back what was done.
 */
#include "libfreeswan/kernel/child_priv.h"
#include <stdatomic.h>
#include <stdlib.h>

/* ---- policies ---- */
static status grow(void **v, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return ST_OK;
    size_t want = *cap ? *cap * 2 : 4;
    void *more = reallocarray(*v, want, size);
    if (!more)
        return ST_NO_MEMORY;
    *v = more;
    *cap = want;
    return ST_OK;
}

static status add_policy(kchild *c, child_polset *set, const kernel_policy *p)
{
    status st = grow((void **)&set->policies, &set->cap_policies, set->n_policies, sizeof *set->policies);

    if (st == ST_OK)
        st = c->env.kernel->ops->add_policy(c->env.kernel, p);
    if (st != ST_OK) {
        LOG(&c->log, KNL, 1, "unable to add policy %s === %s: %s", TS_STR(&p->src), TS_STR(&p->dst),
            status_text(st));
        return st;
    }
    set->policies[set->n_policies++] = *p;
    return ST_OK;
}

static kernel_policy pair_policy(const kchild *c, const traffic_sel *mine, const traffic_sel *theirs,
                                 policy_dir dir)
{
    const conn *cn = c->p.conn;
    bool out = dir == POLICY_OUT;
    kernel_policy p = {.dir = dir,
                       .src = out ? *mine : *theirs,
                       .dst = out ? *theirs : *mine,
                       .mark = out ? cn->mark_out : cn->mark_in,
                       .mark_mask = out ? cn->mark_out_mask : cn->mark_in_mask};

    return p;
}

static void make_ipsec(const kchild *c, kernel_policy *p)
{
    bool out = p->dir == POLICY_OUT;

    p->reqid = c->p.reqid;
    p->mode = c->p.mode;
    p->tun_src = out ? c->p.me.ip : c->p.peer.ip;
    p->tun_dst = out ? c->p.peer.ip : c->p.me.ip;
    child_protos(c, p->protos);
}

static status add_pair(kchild *c, child_polset *set, const traffic_sel *mine, const traffic_sel *theirs,
                       policy_kind kind, bool trap)
{
    for (int dir = POLICY_OUT; dir <= POLICY_FWD; dir++) {
        if (dir == POLICY_FWD && kind == POLICY_IPSEC && c->p.mode != MODE_TUNNEL)
            continue;
        kernel_policy p = pair_policy(c, mine, theirs, (policy_dir)dir);
        p.kind = kind;
        p.trap = trap;
        if (kind == POLICY_IPSEC)
            make_ipsec(c, &p);
        status st = add_policy(c, set, &p);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* Two IPv6 hosts on one link that protect everything between them would protect neighbour discovery too,
 * which only works in the clear: solicitations and advertisements (135, 136) from one to the other pass. */
static status add_neighbour_discovery(kchild *c, child_polset *set, const traffic_sel *mine,
                                      const traffic_sel *theirs)
{
    if (mine->from.family != AF_INET6 || mine->proto || theirs->proto || !ts_is_host(mine, &c->p.me.ip) ||
        !ts_is_host(theirs, &c->p.peer.ip))
        return ST_OK;
    for (uint16_t type = 135; type <= 136; type++) {
        for (int dir = POLICY_OUT; dir <= POLICY_IN; dir++) {
            kernel_policy p = pair_policy(c, mine, theirs, (policy_dir)dir);

            p.kind = POLICY_PASS;
            p.src.proto = p.dst.proto = IPPROTO_ICMPV6;
            p.src.from_port = p.dst.from_port = (uint16_t)(type << 8);
            p.src.to_port = p.dst.to_port = (uint16_t)(type << 8 | 0xff);
            status st = add_policy(c, set, &p);
            if (st != ST_OK)
                return st;
        }
    }
    return ST_OK;
}

/* ---- routes ---- */
/* The address packets of this host should have to fit the selector: the virtual one, else one of ours inside
 * it, best the outer one. */
static bool find_source(const kchild *c, const traffic_sel *mine, ip_addr *src)
{
    host_addr *all = NULL;
    size_t n = 0;
    bool found = false;

    if (!addr_is_any(&c->p.my_sourceip) && ts_covers_addr(mine, &c->p.my_sourceip)) {
        *src = c->p.my_sourceip;
        return true;
    }
    if (ts_covers_addr(mine, &c->p.me.ip)) {
        *src = c->p.me.ip;
        return true;
    }
    if (c->env.host->ops->addrs(c->env.host, &all, &n) != ST_OK)
        return false;
    for (size_t i = 0; i < n && !found; i++) {
        found = ts_covers_addr(mine, &all[i].ip) && !addr_is_loopback(&all[i].ip);
        if (found)
            *src = all[i].ip;
    }
    free(all);
    return found;
}

/* Where the route points: the TUN device of the userland ESP, or the way to the peer. false: no route is
 * needed or possible. */
static bool route_target(const kchild *c, const traffic_sel *mine, const traffic_sel *theirs, host_route *r)
{
    const char *dev = c->env.kernel->ops->route_dev(c->env.kernel);
    bool native = !dev || !dev[0];
    bool has_src = find_source(c, mine, &r->src);

    if (!native) {
        memcpy(r->dev, dev, strnlen(dev, sizeof r->dev - 1));
        return true; /* forwarded packets need it also when no address of ours fits */
    }
    if (!has_src || c->p.mode != MODE_TUNNEL || c->p.peer_vip || ts_is_host(theirs, &c->p.peer.ip))
        return false;
    ip_addr any_src;
    if (c->env.host->ops->route_to(c->env.host, &c->p.peer.ip, &any_src, &r->gateway, r->dev) != ST_OK)
        return false;
    if (r->gateway.family && r->gateway.family != theirs->from.family)
        r->gateway = (ip_addr){0}; /* IPv4 inside IPv6 or the other way round */
    return true;
}

static status add_routes(kchild *c, child_polset *set, const traffic_sel *mine, const traffic_sel *theirs)
{
    enum { MAX_NETS = 64 };
    subnet nets[MAX_NETS];
    host_route r = {0};

    if (!c->env.host || c->p.no_routes || !route_target(c, mine, theirs, &r))
        return ST_OK;
    size_t n = ts_to_subnets(theirs, nets, MAX_NETS);
    for (size_t i = 0; i < n; i++) {
        r.dst = nets[i];
        if (grow((void **)&set->routes, &set->cap_routes, set->n_routes, sizeof *set->routes) != ST_OK)
            return ST_NO_MEMORY;
        status st = c->env.host->ops->add_route(c->env.host, &r);
        if (st != ST_OK) {
            /* not fatal: forwarded packets find their way without it */
            LOG(&c->log, KNL, 1, "unable to install route to %s via %s: %s", SUBNET_STR(&r.dst), r.dev,
                status_text(st));
            continue;
        }
        set->routes[set->n_routes++] = r;
    }
    return ST_OK;
}

/* ---- sets ---- */
void child_polset_remove(kchild *c, child_polset *set)
{
    while (set->n_routes)
        (void)!c->env.host->ops->del_route(c->env.host, &set->routes[--set->n_routes]);
    while (set->n_policies) {
        const kernel_policy *p = &set->policies[--set->n_policies];
        status st = c->env.kernel->ops->del_policy(c->env.kernel, p);
        if (st != ST_OK && st != ST_NOT_FOUND) /* as with SAs: there is no later */
            st = c->env.kernel->ops->del_policy(c->env.kernel, p);
        if (st != ST_OK && st != ST_NOT_FOUND)
            LOG(&c->log, KNL, 1, "unable to delete policy %s === %s: %s", TS_STR(&p->src), TS_STR(&p->dst),
                status_text(st));
    }
    free(set->routes);
    free(set->policies);
    *set = (child_polset){0};
}

status child_polset_build(kchild *c, child_polset *set, policy_kind kind, bool trap)
{
    bool protect = kind == POLICY_IPSEC;
    status st = ST_OK;

    for (size_t i = 0; i < c->n_mine && st == ST_OK; i++) {
        for (size_t j = 0; j < c->n_theirs && st == ST_OK; j++) {
            const traffic_sel *mine = &c->mine[i], *theirs = &c->theirs[j];

            if (mine->from.family != theirs->from.family)
                continue;
            st = add_pair(c, set, mine, theirs, kind, trap);
            if (st == ST_OK && protect)
                st = add_neighbour_discovery(c, set, mine, theirs);
            if (st == ST_OK && (protect || kind != POLICY_PASS))
                st = add_routes(c, set, mine, theirs);
        }
    }
    if (st == ST_OK && !set->n_policies)
        st = ST_INVALID; /* no pair of one family */
    if (st != ST_OK)
        child_polset_remove(c, set);
    return st;
}

status kchild_install_policies(kchild *c)
{
    if (c->live.n_policies)
        return ST_EXISTS;
    if (!c->p.conn->installpolicy)
        return ST_OK;
    return child_polset_build(c, &c->live, POLICY_IPSEC, false);
}

void kchild_remove_policies(kchild *c)
{
    child_polset_remove(c, &c->live);
}

status kchild_route(kchild *c, policy_kind kind)
{
    if (c->traps.n_policies)
        return ST_EXISTS;
    return child_polset_build(c, &c->traps, kind, kind == POLICY_IPSEC);
}

void kchild_unroute(kchild *c)
{
    child_polset_remove(c, &c->traps);
}

/* ---- scripts ---- */
/* The runs of one kchild_script() call; freed by the last one to end. */
typedef struct script_batch {
    atomic_uint left;
    atomic_int exit_status; /* the first that is not 0 */
    updown_done_fn *done;
    void *ctx;
    uint64_t key;
} script_batch;

static void batch_put(script_batch *b, int exit_status)
{
    int none = 0;

    if (exit_status)
        atomic_compare_exchange_strong(&b->exit_status, &none, exit_status);
    if (atomic_fetch_sub(&b->left, 1) != 1)
        return;
    if (b->done)
        b->done(b->ctx, b->key, atomic_load(&b->exit_status));
    free(b);
}

static void run_done(void *ctx, uint64_t key, int exit_status)
{
    batch_put(ctx, exit_status);
}

/* pluto has always run its default script, charon none unless something asks for it. */
static const char *script_of(const kchild *c)
{
    const conn_end *end = child_my_end(c);

    if (end->updown)
        return end->updown;
    return end->firewall || !c->p.auto_down ? updown_default(end->firewall) : NULL;
}

static void fill_vars(const kchild *c, updown_vars *v, char dev[HOST_IFNAME])
{
    const conn *cn = c->p.conn;
    const conn_end *end = child_my_end(c);

    *v = (updown_vars){
        .connection = c->p.name,
        .next_hop = c->p.next_hop,
        .hostaccess = end->hostaccess,
        .firewall = end->firewall,
        .reqid = c->p.reqid,
        .me = c->p.me.ip,
        .peer = c->p.peer.ip,
        .my_id = c->p.my_id,
        .peer_id = c->p.peer_id,
        .peer_ca = c->p.peer_ca,
        .xauth_id = c->p.xauth_id,
        .my_sourceip = c->p.my_sourceip,
        .unique_id = c->p.unique_id,
        .mark_in = cn->mark_in,
        .mark_in_mask = cn->mark_in_mask,
        .mark_out = cn->mark_out,
        .mark_out_mask = cn->mark_out_mask,
        .udp_encap_port = c->p.udp_encap ? c->p.peer.port : 0,
        .pluto_words = !c->p.auto_down,
    };
    /* behind a device of our own, packets come and go through that: the firewall rules of _updown know by its
     * name "ipsec…" that no policy match is possible */
    const char *own = c->env.kernel->ops->route_dev(c->env.kernel);
    dev[0] = 0;
    if (own && own[0])
        v->interface = own;
    else if (c->env.host && c->env.host->ops->is_local(c->env.host, &c->p.me.ip, dev))
        v->interface = dev;
}

static status run_pairs(kchild *c, const char *action, script_batch *b)
{
    char dev[HOST_IFNAME], verb[32];
    updown_vars v;
    status st = ST_OK;

    fill_vars(c, &v, dev);
    for (size_t i = 0; i < c->n_mine; i++) {
        for (size_t j = 0; j < c->n_theirs && st == ST_OK; j++) {
            if (c->mine[i].from.family != c->theirs[j].from.family)
                continue;
            v.my_ts = c->mine[i];
            v.peer_ts = c->theirs[j];
            v.verb = updown_verb(verb, action, ts_is_host(&v.my_ts, &v.me), v.me.family == AF_INET6);
            atomic_fetch_add(&b->left, 1);
            st = c->env.updown->ops->run(c->env.updown, script_of(c), &v, c->log, run_done, b, 0);
            if (st != ST_OK)
                atomic_fetch_sub(&b->left, 1);
        }
    }
    return st;
}

/* Nothing to run: the runner only sends the answer, so that it comes as a job here too. */
static status answer_only(kchild *c, script_batch *b)
{
    atomic_fetch_add(&b->left, 1);
    status st = c->env.updown->ops->run(c->env.updown, NULL, &(updown_vars){.verb = ""}, c->log, run_done, b,
                                        0);
    if (st != ST_OK)
        atomic_fetch_sub(&b->left, 1);
    return st;
}

status kchild_script(kchild *c, const char *action, updown_done_fn *done, void *ctx, uint64_t key)
{
    bool up = strcmp(action, "up") == 0, down = strcmp(action, "down") == 0;
    bool nothing = down && !c->up;
    script_batch *b;

    if (up || down)
        c->up = up;
    if (!c->env.updown) {
        if (done)
            done(ctx, key, 0);
        return ST_OK;
    }
    b = calloc(1, sizeof *b);
    if (!b)
        return ST_NO_MEMORY;
    atomic_init(&b->left, 1);
    b->done = done;
    b->ctx = ctx;
    b->key = key;
    status st = nothing ? answer_only(c, b) : run_pairs(c, action, b);
    if (st != ST_OK)
        LOG(&c->log, CHD, 0, "could not run the %s script: %s", action, status_text(st));
    batch_put(b, st == ST_OK ? 0 : -1);
    return ST_OK;
}

bool kchild_is_up(const kchild *c)
{
    return c->up;
}
