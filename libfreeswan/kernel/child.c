/* A negotiated child as both daemons see it: its life, its SAs in both directions, its figures, the table of
 * reqids. A slot per protocol and direction remembers what the kernel has, so that each SA is removed exactly
 * once.
 */
#include "libfreeswan/kernel/child_priv.h"
#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/list.h"
#include <pthread.h>
#include <stdlib.h>

enum { DEFAULT_REPLAY_WINDOW = 64 };

static int slot_of(uint8_t proto)
{
    return proto == PROTO_ESP      ? SLOT_ESP
           : proto == PROTO_AH     ? SLOT_AH
           : proto == PROTO_IPCOMP ? SLOT_IPCOMP
                                   : -1;
}

const conn_end *child_my_end(const kchild *c)
{
    return c->p.right_is_me ? &c->p.conn->right : &c->p.conn->left;
}

/* ---- life ---- */
/* The strings of c->p in one piece of memory: a gateway has thousands of these. */
static bool copy_strings(kchild *c)
{
    const char **fields[] = {&c->p.name, &c->p.my_id, &c->p.peer_id, &c->p.peer_ca, &c->p.xauth_id};
    enum { FIELDS = sizeof fields / sizeof fields[0] };
    size_t n = 0;

    for (size_t i = 0; i < FIELDS; i++)
        n += *fields[i] ? strlen(*fields[i]) + 1 : 0;
    char *old = c->strings, *at = malloc(n + 1);
    if (!at)
        return false;
    c->strings = at;
    for (size_t i = 0; i < FIELDS; i++) {
        if (!*fields[i])
            continue;
        size_t len = strlen(*fields[i]) + 1;
        *fields[i] = memcpy(at, *fields[i], len);
        at += len;
    }
    free(old);
    return true;
}

status kchild_new(kchild **out, const kchild_env *env, const kchild_params *p, log_scope log)
{
    kchild *c = calloc(1, sizeof *c);

    if (!c)
        return ST_NO_MEMORY;
    c->env = *env;
    c->p = *p;
    c->log = log;
    c->p.conn = conn_ref((conn *)(uintptr_t)p->conn);
    if (!c->p.name)
        c->p.name = p->conn->name;
    if (!copy_strings(c)) {
        kchild_free(c);
        return ST_NO_MEMORY;
    }
    *out = c;
    return ST_OK;
}

static void remove_slot(kchild *c, child_slot *slot)
{
    if (slot->state == SLOT_EMPTY)
        return;
    status st = c->env.kernel->ops->del_sa(c->env.kernel, &slot->id);
    /* nobody comes back for what is left behind now: a call that just found no memory gets another chance */
    if (st != ST_OK && st != ST_NOT_FOUND)
        st = c->env.kernel->ops->del_sa(c->env.kernel, &slot->id);
    /* a hard expiry or a larval SA's end may have been first */
    if (st != ST_OK && st != ST_NOT_FOUND)
        LOG(&c->log, KNL, 1, "unable to delete SAD entry with SPI %08x: %s", slot->id.spi, status_text(st));
    slot->state = SLOT_EMPTY;
}

static void remove_slots(kchild *c, child_slot slots[SLOT_COUNT])
{
    for (int i = SLOT_COUNT - 1; i >= 0; i--)
        remove_slot(c, &slots[i]);
}

void kchild_free(kchild *c)
{
    if (!c)
        return;
    if (c->up && c->p.auto_down && kchild_script(c, "down", NULL, NULL, 0) != ST_OK)
        LOG(&c->log, CHD, 0, "could not run the updown script");
    child_polset_remove(c, &c->live);
    child_polset_remove(c, &c->traps);
    remove_slots(c, c->out);
    remove_slots(c, c->in);
    conn_unref((conn *)(uintptr_t)c->p.conn);
    free(c->mine);
    free(c->theirs);
    free(c->strings);
    free(c);
}

/* ---- set-up ---- */
status kchild_alloc_spi(kchild *c, ipsec_proto proto, uint32_t *spi)
{
    int i = slot_of(proto);

    if (i < 0)
        return ST_INVALID;
    child_slot *slot = &c->in[i];
    if (slot->state == SLOT_EMPTY) {
        status st = c->env.kernel->ops->get_spi(c->env.kernel, &c->p.peer.ip, &c->p.me.ip, proto, c->p.reqid,
                                                spi);
        if (st != ST_OK) {
            LOG(&c->log, KNL, 1, "unable to get an SPI from the kernel: %s", status_text(st));
            return st;
        }
        slot->id = (kernel_sa_id){
            .src = c->p.peer.ip, .dst = c->p.me.ip, .spi = *spi, .proto = (uint8_t)proto};
        slot->state = SLOT_RESERVED;
    }
    *spi = slot->id.spi;
    return ST_OK;
}

void kchild_drop_spi(kchild *c, ipsec_proto proto)
{
    int i = slot_of(proto);

    if (i >= 0 && c->in[i].state == SLOT_RESERVED)
        remove_slot(c, &c->in[i]);
}

static status copy_ts(traffic_sel **to, size_t *to_n, const traffic_sel *from, size_t n)
{
    traffic_sel *copy = calloc(n ? n : 1, sizeof *copy);

    if (!copy)
        return ST_NO_MEMORY;
    if (n)
        memcpy(copy, from, n * sizeof *copy);
    free(*to);
    *to = copy;
    *to_n = n;
    return ST_OK;
}

status kchild_set_ts(kchild *c, const traffic_sel *mine, size_t n_mine, const traffic_sel *theirs,
                     size_t n_theirs)
{
    if (copy_ts(&c->mine, &c->n_mine, mine, n_mine) != ST_OK)
        return ST_NO_MEMORY;
    return copy_ts(&c->theirs, &c->n_theirs, theirs, n_theirs);
}

void kchild_set_mode(kchild *c, sa_mode mode)
{
    c->p.mode = mode;
}

void kchild_set_endpoints(kchild *c, const endpoint *me, const endpoint *peer, bool udp_encap)
{
    c->p.me = *me;
    c->p.peer = *peer;
    c->p.udp_encap = udp_encap;
}

void kchild_set_sourceip(kchild *c, const ip_addr *ip)
{
    c->p.my_sourceip = *ip;
}

void kchild_set_log(kchild *c, log_scope log)
{
    if (c)
        c->log = log;
}

void kchild_set_script_ids(kchild *c, const char *my_id, const char *peer_id, const char *peer_ca,
                           const char *xauth_id)
{
    kchild_params before = c->p;
    c->p.my_id = my_id;
    c->p.peer_id = peer_id;
    c->p.peer_ca = peer_ca;
    c->p.xauth_id = xauth_id;
    if (!copy_strings(c)) /* without memory the script misses a variable; the tunnel is worth more */
        c->p = before;
}

void kchild_set_ipcomp(kchild *c, uint16_t peer_cpi)
{
    c->ipcomp = true;
    c->peer_cpi = peer_cpi;
}

void child_protos(const kchild *c, uint8_t protos[3])
{
    size_t n = 0;

    memset(protos, 0, 3);
    if (c->ipcomp)
        protos[n++] = PROTO_IPCOMP;
    for (int i = SLOT_ESP; i <= SLOT_AH; i++) {
        if (c->algs[i].proto)
            protos[n++] = c->algs[i].proto;
    }
    if (n == 0)
        protos[n++] = c->p.conn->auth_ah ? PROTO_AH : PROTO_ESP; /* a trap: nothing negotiated yet */
}

/* All that does not depend on the protocol. The innermost protocol has the mode, the others around it
 * transport. */
static kernel_sa base_sa(const kchild *c, bool inbound, uint8_t proto)
{
    const conn *cn = c->p.conn;
    const endpoint *src = inbound ? &c->p.peer : &c->p.me, *dst = inbound ? &c->p.me : &c->p.peer;
    uint8_t protos[3];
    kernel_sa sa = {
        .id = {.src = src->ip, .dst = dst->ip, .proto = proto}, .inbound = inbound, .reqid = c->p.reqid};

    child_protos(c, protos);
    sa.mode = proto == protos[0] ? c->p.mode : MODE_TRANSPORT;
    sa.life = c->p.life;
    sa.ipcomp_bundled = c->ipcomp && proto != PROTO_IPCOMP;
    if (!inbound) { /* what comes in is marked, if at all, behind the SA: by whoever the policy is for */
        sa.mark = cn->mark_out;
        sa.mark_mask = cn->mark_out_mask;
    }
    if (proto == PROTO_ESP) {
        sa.udp_encap = c->p.udp_encap;
        sa.src_port = src->port;
        sa.dst_port = dst->port;
    }
    if (proto != PROTO_IPCOMP)
        sa.replay_window = cn->replay_window ? cn->replay_window : DEFAULT_REPLAY_WINDOW;
    if (c->p.mode != MODE_TUNNEL && c->n_mine == 1 && c->n_theirs == 1) {
        sa.src_ts = inbound ? c->theirs[0] : c->mine[0];
        sa.dst_ts = inbound ? c->mine[0] : c->theirs[0];
    }
    return sa;
}

static status install_one(kchild *c, kernel_sa *sa, child_slot *slot)
{
    status st = c->env.kernel->ops->add_sa(c->env.kernel, sa);

    if (st != ST_OK) {
        LOG(&c->log, KNL, 1, "unable to add SAD entry with SPI %08x: %s", sa->id.spi, status_text(st));
        return st;
    }
    slot->id = sa->id;
    slot->state = SLOT_INSTALLED;
    return ST_OK;
}

static status install_ipcomp(kchild *c, bool inbound)
{
    kernel_sa sa = base_sa(c, inbound, PROTO_IPCOMP);

    if (inbound && c->in[SLOT_IPCOMP].state != SLOT_RESERVED)
        return ST_INVALID;
    sa.id.spi = inbound ? c->in[SLOT_IPCOMP].id.spi : c->peer_cpi;
    return install_one(c, &sa, inbound ? &c->in[SLOT_IPCOMP] : &c->out[SLOT_IPCOMP]);
}

static status install_sa(kchild *c, bool inbound, const kchild_sa *s)
{
    int i = slot_of(s->proto);
    kernel_sa sa = base_sa(c, inbound, s->proto);

    sa.encr = s->encr;
    sa.integ = s->integ;
    sa.esn = s->esn;
    sa.encr_key = inbound ? s->encr_key_in : s->encr_key_out;
    sa.integ_key = inbound ? s->integ_key_in : s->integ_key_out;
    if (inbound && c->in[i].state != SLOT_RESERVED)
        return ST_INVALID;
    sa.id.spi = inbound ? c->in[i].id.spi : s->peer_spi;
    return install_one(c, &sa, inbound ? &c->in[i] : &c->out[i]);
}

static bool install_wanted(const kchild *c, const kchild_sa *sas, size_t n, bool inbound)
{
    if (n < 1 || n > 2 || kchild_installed(c, inbound))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (slot_of(sas[i].proto) < SLOT_ESP)
            return false;
    }
    return n == 1 || sas[0].proto != sas[1].proto;
}

static void remember_algs(kchild *c, const kchild_sa *sas, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kchild_sa *alg = &c->algs[slot_of(sas[i].proto)];
        *alg = sas[i];
        alg->encr_key_in = alg->integ_key_in = alg->encr_key_out = alg->integ_key_out = SPAN_NULL;
    }
}

static status install(kchild *c, const kchild_sa *sas, size_t n, bool inbound)
{
    status st = ST_OK;

    if (!install_wanted(c, sas, n, inbound))
        return ST_INVALID;
    remember_algs(c, sas, n);
    if (c->ipcomp)
        st = install_ipcomp(c, inbound);
    for (size_t i = 0; i < n && st == ST_OK; i++)
        st = install_sa(c, inbound, &sas[i]);
    if (st != ST_OK)
        remove_slots(c, inbound ? c->in : c->out);
    return st;
}

status kchild_install_in(kchild *c, const kchild_sa *sas, size_t n)
{
    return install(c, sas, n, true);
}

status kchild_install_out(kchild *c, const kchild_sa *sas, size_t n)
{
    return install(c, sas, n, false);
}

/* ---- figures ---- */
static const child_slot *counting_slot(const child_slot slots[SLOT_COUNT])
{
    /* the one that sees every packet; IPComp leaves small ones alone */
    return slots[SLOT_ESP].state == SLOT_INSTALLED  ? &slots[SLOT_ESP]
           : slots[SLOT_AH].state == SLOT_INSTALLED ? &slots[SLOT_AH]
                                                    : NULL;
}

static int64_t policy_use(const kchild *c, policy_dir dir)
{
    int64_t newest = 0, use;

    for (size_t i = 0; i < c->live.n_policies; i++) {
        const kernel_policy *p = &c->live.policies[i];

        if ((p->dir == dir || (dir == POLICY_IN && p->dir == POLICY_FWD)) &&
            c->env.kernel->ops->query_policy(c->env.kernel, p, &use) == ST_OK && use > newest)
            newest = use;
    }
    return newest;
}

static bool query_dir(const kchild *c, bool inbound, kchild_stats *out)
{
    const child_slot *slot = counting_slot(inbound ? c->in : c->out);
    kernel_sa_stats s;

    if (!slot || c->env.kernel->ops->query_sa(c->env.kernel, &slot->id, &s) != ST_OK)
        return false;
    if (!s.use_time_s)
        s.use_time_s = s.packets ? policy_use(c, inbound ? POLICY_IN : POLICY_OUT) : 0;
    *(inbound ? &out->bytes_in : &out->bytes_out) += s.bytes;
    *(inbound ? &out->packets_in : &out->packets_out) += s.packets;
    int64_t *use = inbound ? &out->use_in_s : &out->use_out_s;
    if (s.use_time_s > *use)
        *use = s.use_time_s;
    out->replay_errors += s.replay_errors;
    out->integrity_failures += s.integrity_failures;
    return true;
}

status kchild_query(kchild *c, kchild_stats *out)
{
    *out = c->kept;
    bool in = query_dir(c, true, out), outward = query_dir(c, false, out);

    return in || outward ? ST_OK : ST_NOT_FOUND;
}

/* ---- rekeying ---- */
void kchild_remove_out(kchild *c)
{
    query_dir(c, false, &c->kept);
    remove_slots(c, c->out);
}

void kchild_remove_in(kchild *c)
{
    query_dir(c, true, &c->kept);
    remove_slots(c, c->in);
}

static bool same_ts(const kchild *a, const kchild *b)
{
    if (a->n_mine != b->n_mine || a->n_theirs != b->n_theirs)
        return false;
    for (size_t i = 0; i < a->n_mine; i++) {
        if (!ts_equal(&a->mine[i], &b->mine[i]))
            return false;
    }
    for (size_t i = 0; i < a->n_theirs; i++) {
        if (!ts_equal(&a->theirs[i], &b->theirs[i]))
            return false;
    }
    return true;
}

void kchild_take_over(kchild *next, kchild *old)
{
    if (old->up && !next->up && same_ts(next, old)) {
        next->up = true;
        old->up = false;
    }
    kchild_remove_out(old);
}

/* ---- new addresses ---- */
static status update_slots(kchild *c, child_slot slots[SLOT_COUNT], const endpoint *src, const endpoint *dst,
                           bool udp_encap)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (slots[i].state != SLOT_INSTALLED)
            continue;
        status st = c->env.kernel->ops->update_sa(c->env.kernel, &slots[i].id, src, dst,
                                                  udp_encap && i == SLOT_ESP);
        if (st != ST_OK) {
            LOG(&c->log, KNL, 1, "unable to update SAD entry with SPI %08x: %s", slots[i].id.spi,
                status_text(st));
            return st;
        }
        slots[i].id.src = src->ip;
        slots[i].id.dst = dst->ip;
    }
    return ST_OK;
}

static status rebuild(kchild *c, child_polset *set)
{
    child_polset next = {0};

    if (!set->n_policies)
        return ST_OK;
    /* the new ones first: at no time is there a gap through which packets leave in the clear */
    status st = child_polset_build(c, &next, set->policies[0].kind, set->policies[0].trap);
    if (st != ST_OK)
        return st;
    child_polset_remove(c, set);
    *set = next;
    return ST_OK;
}

status kchild_update(kchild *c, const endpoint *me, const endpoint *peer, bool udp_encap)
{
    bool was_up = c->up;

    if (endpoint_equal(me, &c->p.me) && endpoint_equal(peer, &c->p.peer) && udp_encap == c->p.udp_encap)
        return ST_OK;
    bool moved = !addr_equal(&me->ip, &c->p.me.ip) || !addr_equal(&peer->ip, &c->p.peer.ip);
    status st = update_slots(c, c->in, peer, me, udp_encap);
    if (st == ST_OK)
        st = update_slots(c, c->out, me, peer, udp_encap);
    if (st != ST_OK)
        return st;
    if (was_up && moved && c->p.auto_down)
        st = kchild_script(c, "down", NULL, NULL, 0);
    kchild_set_endpoints(c, me, peer, udp_encap);
    if (moved && st == ST_OK)
        st = rebuild(c, &c->live);
    if (moved && st == ST_OK)
        st = rebuild(c, &c->traps);
    if (was_up && moved && c->p.auto_down && st == ST_OK)
        st = kchild_script(c, "up", NULL, NULL, 0);
    return st;
}

/* ---- what it is ---- */
void kchild_set_reqid(kchild *c, uint32_t reqid)
{
    c->p.reqid = reqid;
}

uint32_t kchild_reqid(const kchild *c)
{
    return c->p.reqid;
}

sa_mode kchild_mode(const kchild *c)
{
    return c->p.mode;
}

bool kchild_udp_encap(const kchild *c)
{
    return c->p.udp_encap;
}

static uint32_t slot_spi(const child_slot slots[SLOT_COUNT], ipsec_proto proto)
{
    int i = slot_of((uint8_t)proto);

    return i >= 0 && slots[i].state != SLOT_EMPTY ? slots[i].id.spi : 0;
}

uint32_t kchild_spi_in(const kchild *c, ipsec_proto proto)
{
    return slot_spi(c->in, proto);
}

uint32_t kchild_spi_out(const kchild *c, ipsec_proto proto)
{
    return slot_spi(c->out, proto);
}

const kchild_sa *kchild_algs(const kchild *c, ipsec_proto proto)
{
    int i = slot_of((uint8_t)proto);

    return i >= SLOT_ESP && c->algs[i].proto ? &c->algs[i] : NULL;
}

size_t kchild_ts(const kchild *c, bool mine, const traffic_sel **out)
{
    *out = mine ? c->mine : c->theirs;
    return mine ? c->n_mine : c->n_theirs;
}

const endpoint *kchild_endpoint(const kchild *c, bool mine)
{
    return mine ? &c->p.me : &c->p.peer;
}

bool kchild_installed(const kchild *c, bool inbound)
{
    return counting_slot(inbound ? c->in : c->out) != NULL;
}

bool kchild_has_policies(const kchild *c)
{
    return c->live.n_policies > 0;
}

bool kchild_owns(const kchild *c, const kernel_sa_id *id, bool *inbound)
{
    int i = slot_of(id->proto);

    if (i < 0)
        return false;
    for (int in = 0; in < 2; in++) {
        const child_slot *s = in ? &c->in[i] : &c->out[i];

        if (s->state == SLOT_INSTALLED && s->id.spi == id->spi && addr_equal(&s->id.dst, &id->dst)) {
            if (inbound)
                *inbound = in;
            return true;
        }
    }
    return false;
}
