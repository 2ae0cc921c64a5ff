/* CHILD_SAs. Made when an exchange for it begins (ours or the peer's), installed when both sides agreed,
 * replaced or deleted, freed with its kchild, which takes everything out of the kernel again.
 */
#include "charon/sa/child_sa.h"
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include "libstrongswan/base/hashmap.h"
#include <stdio.h>
#include <stdlib.h>

enum { BUSY_MS = 200 };

static uint64_t hash_serial(uint64_t serial)
{
    uint8_t b[8];

    set_u64(b, serial);
    return hash_bytes(SPAN_ARRAY(b));
}

static kernel_lifetime lifetime_of(const conn *c)
{
    kernel_lifetime l = {0};

    if (c->rekey && c->lifebytes) {
        l.hard_bytes = c->lifebytes;
        l.soft_bytes = c->marginbytes < c->lifebytes ? c->lifebytes - c->marginbytes : 0;
    }
    if (c->rekey && c->lifepackets) {
        l.hard_packets = c->lifepackets;
        l.soft_packets = c->marginpackets < c->lifepackets ? c->lifepackets - c->marginpackets : 0;
    }
    return l;
}

status child_sa_new(child_sa **out, ike_sa *sa, peer_cfg *cfg, uint32_t reqid)
{
    child_sa *c;
    charon *ch = sa->ch;
    char me[IDENT_TEXT] = "", peer[IDENT_TEXT] = "";
    kchild_params p;
    status st;

    if (sa->n_children >= MAX_CHILDREN)
        return ST_LIMIT;
    c = calloc(1, sizeof(*c));
    if (!c || !(c->mine = calloc(2 * MAX_TS, sizeof(*c->mine)))) {
        free(c);
        return ST_NO_MEMORY;
    }
    c->theirs = c->mine + MAX_TS;
    if (sa->my_id)
        ident_text(sa->my_id, me, sizeof(me));
    if (sa->peer_id)
        ident_text(sa->peer_id, peer, sizeof(peer));
    if (cfg->c->reqid)
        c->reqid = cfg->c->reqid;
    else
        c->reqid = reqid ? reqids_ref(ch->reqids, reqid) : trap_reqid(ch, cfg->c->name);
    if (!c->reqid) {
        c->reqid = reqids_get(ch->reqids, SPAN_NULL);
        c->reqid_free = true;
    }
    c->mode = peer_cfg_mode(cfg);
    p = (kchild_params){
        .conn = cfg->c,
        .right_is_me = cfg->right_is_me,
        .me = sa->local,
        .peer = sa->remote,
        .udp_encap = sa->nat_local || sa->nat_remote || sa->nat_faked,
        .mode = c->mode,
        .reqid = c->reqid,
        .unique_id = sa->unique,
        .my_sourceip = sa->vip,
        .peer_vip = sa->peer_vip.family != 0,
        .auto_down = true,
        .life = lifetime_of(cfg->c),
        .my_id = me,
        .peer_id = peer,
    };
    st = c->reqid ? kchild_new(&c->k, &ch->kenv, &p, sa->log) : ST_NO_MEMORY;
    if (st != ST_OK) {
        if (c->reqid && !cfg->c->reqid)
            reqids_put(ch->reqids, c->reqid);
        free(c->mine);
        free(c);
        return st;
    }
    c->ch = ch;
    c->sa = sa;
    c->cfg = peer_cfg_ref(cfg);
    c->serial = atomic_fetch_add(&ch->next_child, 1) + 1;
    c->state = CHILD_CREATED;
    atomic_store(&c->owner, sa->unique);
    idx_insert(&ch->children, &c->by_serial, hash_serial(c->serial));
    list_append(&sa->children, &c->node);
    sa->n_children++;
    *out = c;
    return ST_OK;
}

void child_sa_stop_timers(child_sa *c)
{
    if (c->rekey_timer)
        runtime_timer_cancel(RT(c->ch), c->rekey_timer);
    if (c->expire_timer)
        runtime_timer_cancel(RT(c->ch), c->expire_timer);
    if (c->late_timer)
        runtime_timer_cancel(RT(c->ch), c->late_timer);
    c->rekey_timer = c->expire_timer = c->late_timer = 0;
}

void child_sa_free(child_sa *c)
{
    child_sa *o;

    if (!c)
        return;
    LIST_EACH(&c->sa->children, child_sa, node, o)
    {
        if (o->successor_theirs == c)
            o->successor_theirs = NULL;
    }
    child_sa_stop_timers(c);
    child_sa_predecessor_gone(c);
    list_remove(&c->node);
    c->sa->n_children--;
    idx_remove(&c->ch->children, &c->by_serial);
    child_sa_forget_keys(c);
    kchild_free(c->k);
    if (!c->cfg->c->reqid)
        reqids_put(c->ch->reqids, c->reqid);
    peer_cfg_unref(c->cfg);
    free(c->mine);
    free(c);
}

status child_sa_alloc_spi(child_sa *c)
{
    uint32_t cpi = 0;
    status st = kchild_alloc_spi(c->k, PROTO_ESP, &c->spi_in);

    if (st == ST_OK && c->cfg->c->compress) {
        if (kchild_alloc_spi(c->k, PROTO_IPCOMP, &cpi) == ST_OK)
            c->cpi_in = (uint16_t)cpi;
        else
            LOG(&c->sa->log, CHD, 1, "the kernel has no IPComp: CHILD_SA '%s' is not compressed",
                c->cfg->c->name);
    }
    return st;
}

void child_sa_set_state(child_sa *c, child_state st)
{
    if (c->state == st)
        return;
    LOG(&c->sa->log, CHD, 2, "CHILD_SA '%s' state change: %s => %s", c->cfg->c->name,
        ENUM_STR(child_state_names, c->state), ENUM_STR(child_state_names, st));
    c->state = st;
}

/* ---- lifetimes ---- */
typedef enum event_kind { EVENT_REKEY, EVENT_EXPIRE, EVENT_LATE } event_kind;
typedef struct child_event {
    charon *ch;
    uint64_t serial;
    event_kind kind;
} child_event;
static void post_event(charon *ch, uint64_t serial, event_kind kind);

static void event_mail(ike_sa *sa, void *arg)
{
    child_event e = *(child_event *)arg;
    child_sa *c = ike_sa_child_by_serial(sa, e.serial);
    bool expire = e.kind == EVENT_EXPIRE;

    free(arg);
    if (!c) {
        if (sa->replaced) /* it moved while the mail was under way */
            post_event(e.ch, e.serial, e.kind);
    } else if (e.kind == EVENT_LATE) {
        child_sa_complete(c);
    } else if (c->state == CHILD_INSTALLED ? expire || !c->rekeyed : expire && c->state == CHILD_REKEYING) {
        LOG(&sa->log, KNL, 1, "creating %s job for ESP CHILD_SA 0x%08x (reqid %u)",
            expire ? "delete" : "rekey", c->spi_in, c->reqid);
        sm_queue(sa, expire ? task_child_delete_new(sa, c->serial) : task_child_rekey_new(sa, c->serial));
        sm_initiate(sa);
    }
}

static bool owner_of(void *ctx, idx_node *n)
{
    uint64_t *v = ctx; /* in: serial, out: owner */
    child_sa *c = container_of(n, child_sa, by_serial);

    if (c->serial != v[0])
        return false;
    v[1] = atomic_load(&c->owner);
    return true;
}

static void rekey_due(void *ctx, uint64_t key)
{
    post_event(ctx, key, EVENT_REKEY);
}

static void expire_due(void *ctx, uint64_t key)
{
    post_event(ctx, key, EVENT_EXPIRE);
}

static void late_due(void *ctx, uint64_t key)
{
    post_event(ctx, key, EVENT_LATE);
}

static void post_event(charon *ch, uint64_t serial, event_kind kind)
{
    static timer_fn *const again[] = {rekey_due, expire_due, late_due};
    uint64_t v[2] = {serial, 0};
    child_event *e;

    if (!idx_find(&ch->children, hash_serial(serial), owner_of, v) || !(e = malloc(sizeof(*e))))
        return;
    *e = (child_event){ch, serial, kind};
    if (ike_sa_post_unique(ch, v[1], event_mail, free, e))
        return;
    free(e);
    (void)runtime_timer(RT(ch), BUSY_MS, again[kind], ch, serial); /* its IKE_SA has too much mail just now */
}

void child_sa_wait_for_peer(child_sa *c)
{
    c->late_timer = runtime_timer(RT(c->ch), LATE_MS, late_due, c->ch, c->serial);
}

void child_sa_schedule(child_sa *c)
{
    int64_t soft = peer_cfg_rekey_s(c->cfg, false, charon_random(c->ch));

    if (soft <= 0)
        return;
    c->rekey_due_ms = runtime_now_ms(RT(c->ch)) + soft * 1000;
    c->rekey_timer = runtime_timer(RT(c->ch), soft * 1000, rekey_due, c->ch, c->serial);
    c->expire_timer = runtime_timer(RT(c->ch), c->cfg->c->keylife_s * 1000, expire_due, c->ch, c->serial);
}

/* ---- what the kernel says ---- */
typedef struct kernel_mail {
    kernel_sa_id id;
    endpoint peer;
    bool hard, mapping;
} kernel_mail;

static void kernel_event_mail(ike_sa *sa, void *arg)
{
    kernel_mail *e = arg;
    child_sa *c, *found = NULL;
    bool inbound;

    LIST_EACH(&sa->children, child_sa, node, c)
    {
        if (kchild_owns(c->k, &e->id, &inbound))
            found = c;
    }
    c = found;
    if (c && e->mapping && sa->nat_remote && !endpoint_equal(&sa->remote, &e->peer)) {
        LOG(&sa->log, KNL, 1, "NAT mappings of ESP CHILD_SA with SPI %08x and reqid {%u} changed", c->spi_in,
            c->reqid);
        ike_sa_moved(sa, &sa->local, &e->peer);
    } else if (c && !e->mapping && c->state == CHILD_INSTALLED && !c->rekeyed) {
        LOG(&sa->log, KNL, 1, "creating %s job for ESP CHILD_SA 0x%08x (reqid %u)",
            e->hard ? "delete" : "rekey", e->id.spi, c->reqid);
        sm_queue(sa, e->hard ? task_child_delete_new(sa, c->serial) : task_child_rekey_new(sa, c->serial));
        sm_initiate(sa);
    }
    free(e);
}

enum { MAX_OWNERS = 16 };
typedef struct reqid_search {
    uint32_t reqid;
    uint64_t owners[MAX_OWNERS];
    size_t n;
} reqid_search;

static bool collect_owner(void *ctx, idx_node *n)
{
    reqid_search *s = ctx;
    child_sa *c = container_of(n, child_sa, by_serial);
    uint64_t owner = atomic_load(&c->owner);

    if (c->reqid != s->reqid)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        if (s->owners[i] == owner)
            return false;
    }
    s->owners[s->n++] = owner;
    return s->n == MAX_OWNERS;
}

/* Which IKE_SA of those with this reqid has the SA is found out in their own mail. */
static void post_kernel_event(charon *ch, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer,
                              bool hard)
{
    reqid_search s = {.reqid = reqid};

    idx_each(&ch->children, collect_owner, &s);
    for (size_t i = 0; i < s.n; i++) {
        kernel_mail *m = malloc(sizeof(*m));
        if (!m)
            return;
        *m = (kernel_mail){.id = *id, .hard = hard, .mapping = peer != NULL};
        if (peer)
            m->peer = *peer;
        if (!ike_sa_post_unique(ch, s.owners[i], kernel_event_mail, free, m))
            free(m);
    }
}

void child_sa_on_expire(void *ctx, const kernel_sa_id *id, uint32_t reqid, bool hard)
{
    post_kernel_event(ctx, id, reqid, NULL, hard);
}

void child_sa_on_mapping(void *ctx, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer)
{
    post_kernel_event(ctx, id, reqid, peer, false);
}

/* ---- text ---- */
char *child_ts_text(const traffic_sel *mine, size_t n_mine, const traffic_sel *theirs, size_t n_theirs,
                    char *dst, size_t size)
{
    size_t at = 0;

    dst[0] = 0;
    for (size_t i = 0; i < n_mine + n_theirs && at < size; i++) {
        const traffic_sel *t = i < n_mine ? &mine[i] : &theirs[i - n_mine];
        if (i == n_mine)
            at += (size_t)snprintf(dst + at, size - at, "=== ");
        if (at < size)
            at += (size_t)snprintf(dst + at, size - at, "%s ", TS_STR(t));
    }
    if (at < size && at && dst[at - 1] == ' ')
        dst[at - 1] = 0;
    return dst;
}

void child_sa_put_ts(const child_sa *c, buf *out)
{
    for (size_t i = 0; i < c->n_mine; i++)
        buf_printf(out, "%s ", TS_STR(&c->mine[i]));
    buf_put_str(out, "=== ");
    for (size_t i = 0; i < c->n_theirs; i++)
        buf_printf(out, "%s ", TS_STR(&c->theirs[i]));
}
