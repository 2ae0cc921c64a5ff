/* CHILD_SAs. Made when an exchange for it begins (ours or the peer's), installed when both sides agreed,
 * replaced or deleted, freed with its kchild, which takes everything out of the kernel again.
 */
#include "charon/sa/child_sa.h"
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include "libstrongswan/base/hashmap.h"
#include <stdio.h>
#include <stdlib.h>

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
    c->rekey_timer = c->expire_timer = 0;
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
    list_remove(&c->node);
    c->sa->n_children--;
    idx_remove(&c->ch->children, &c->by_serial);
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

/* ---- installation ---- */
static kchild_sa describe(const child_sa *c, const child_keys *k, bool initiator)
{
    const transform *e = proposal_get(&c->prop, TRANSFORM_ENCR), *i = proposal_get(&c->prop, TRANSFORM_INTEG);
    const secret *encr_out = initiator ? &k->encr_i : &k->encr_r,
                 *encr_in = initiator ? &k->encr_r : &k->encr_i;
    const secret *integ_out = initiator ? &k->integ_i : &k->integ_r,
                 *integ_in = initiator ? &k->integ_r : &k->integ_i;
    bool combined = e && encr_is_aead(e->id);

    return (kchild_sa){
        .proto = PROTO_ESP,
        .encr = e ? (encr_alg)e->id : ENCR_UNDEFINED,
        .integ = i && !combined ? (integ_alg)i->id : INTEG_NONE,
        .esn = proposal_has(&c->prop, TRANSFORM_ESN, ESN_YES),
        .peer_spi = c->spi_out,
        .encr_key_in = secret_view(encr_in),
        .integ_key_in = secret_view(integ_in),
        .encr_key_out = secret_view(encr_out),
        .integ_key_out = secret_view(integ_out),
    };
}

/* Two CHILD_SAs for the same traffic between the same hosts, as when both peers begin at once, share
 * policies, and a policy takes SAs of its own reqid only. So they share the reqid, too. */
static void share_reqid(child_sa *c)
{
    char text[CHILD_TS_TEXT];
    buf key = {0};
    uint32_t shared;

    if (!c->reqid_free)
        return;
    child_ts_text(c->mine, c->n_mine, c->theirs, c->n_theirs, text, sizeof(text));
    buf_printf(&key, "%s %s %s %u %d %s", c->cfg->c->name, ADDR_STR(&c->sa->local.ip),
               ADDR_STR(&c->sa->remote.ip), c->sa->natt ? c->sa->remote.port : 0, (int)c->mode, text);
    shared = buf_ok(&key) ? reqids_bind(c->ch->reqids, c->reqid, buf_span(&key)) : c->reqid;
    buf_free(&key);
    c->reqid = shared;
    c->reqid_free = false;
    kchild_set_reqid(c->k, shared);
}

/* Selectors are settled: most SAs have one of each, and there may be ten thousand of them. */
static void shrink_selectors(child_sa *c)
{
    traffic_sel *exact = calloc(c->n_mine + c->n_theirs + 1, sizeof(*exact));

    if (!exact)
        return; /* the large block serves as well */
    memcpy(exact, c->mine, c->n_mine * sizeof(*exact));
    memcpy(exact + c->n_mine, c->theirs, c->n_theirs * sizeof(*exact));
    free(c->mine);
    c->mine = exact;
    c->theirs = exact + c->n_mine;
}

status child_sa_install(child_sa *c, const child_install *in)
{
    child_keys keys;
    kchild_sa sa;
    status st = keymat_child(&c->sa->keys, &c->prop, in->shared, in->ni, in->nr, &keys);

    if (st != ST_OK)
        return st;
    c->initiator = in->initiator;
    share_reqid(c);
    kchild_set_mode(c->k, c->mode);
    kchild_set_endpoints(c->k, &c->sa->local, &c->sa->remote,
                         c->sa->nat_local || c->sa->nat_remote || c->sa->nat_faked);
    if (c->sa->vip.family)
        kchild_set_sourceip(c->k, &c->sa->vip);
    if (c->cpi_in && c->cpi_out)
        kchild_set_ipcomp(c->k, c->cpi_out);
    sa = describe(c, &keys, in->initiator);
    st = kchild_set_ts(c->k, c->mine, c->n_mine, c->theirs, c->n_theirs);
    if (st == ST_OK)
        st = kchild_install_in(c->k, &sa, 1);
    if (st == ST_OK)
        st = kchild_install_out(c->k, &sa, 1);
    if (st == ST_OK)
        st = kchild_install_policies(c->k);
    child_keys_free(&keys);
    if (st != ST_OK) {
        LOG(&c->sa->log, CHD, 0, "unable to install CHILD_SA '%s': %s", c->cfg->c->name, status_text(st));
        return st;
    }
    shrink_selectors(c);
    child_sa_set_state(c, CHILD_INSTALLED);
    c->installed_ms = runtime_now_ms(RT(c->ch));
    if (in->replaces) {
        child_sa_replaced(in->replaces, c);
    } else if (in->collision) {
        LOG(&c->sa->log, CHD, 2, "two new CHILD_SAs for one: the nonces will tell which one stays");
    } else if (kchild_script(c->k, "up", NULL, NULL, 0) != ST_OK) {
        LOG(&c->sa->log, CHD, 1, "could not execute updown script '%s'",
            c->cfg->me->updown ? c->cfg->me->updown : "");
    }
    child_sa_schedule(c);
    atomic_fetch_add(&c->ch->n_child, 1);
    LOG(&c->sa->log, CHD, 0, "CHILD_SA '%s' established successfully", c->cfg->c->name);
    return ST_OK;
}

void child_sa_replaced(child_sa *c, child_sa *successor)
{
    if (!c->rekeyed)
        kchild_take_over(successor->k, c->k);
    c->rekeyed = true;
    child_sa_stop_timers(c);
}

/* ---- lifetimes ---- */
typedef struct child_event {
    charon *ch;
    uint64_t serial;
    bool hard;
} child_event;
static void post_event(charon *ch, uint64_t serial, bool hard);

static void event_mail(ike_sa *sa, void *arg)
{
    child_event e = *(child_event *)arg;
    child_sa *c = ike_sa_child_by_serial(sa, e.serial);

    free(arg);
    if (!c) {
        if (sa->replaced) /* it moved while the mail was under way */
            post_event(e.ch, e.serial, e.hard);
        return;
    }
    if (c->state != CHILD_INSTALLED || c->rekeyed)
        return;
    LOG(&sa->log, KNL, 1, "creating %s job for ESP CHILD_SA 0x%08x (reqid %u)", e.hard ? "delete" : "rekey",
        c->spi_in, c->reqid);
    sm_queue(sa, e.hard ? task_child_delete_new(sa, c->serial) : task_child_rekey_new(sa, c->serial));
    sm_initiate(sa);
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

static void post_event(charon *ch, uint64_t serial, bool hard)
{
    uint64_t v[2] = {serial, 0};
    child_event *e;

    if (!idx_find(&ch->children, hash_serial(serial), owner_of, v) || !(e = malloc(sizeof(*e))))
        return;
    *e = (child_event){ch, serial, hard};
    if (!ike_sa_post_unique(ch, v[1], event_mail, free, e))
        free(e);
}

static void rekey_due(void *ctx, uint64_t key)
{
    post_event(ctx, key, false);
}

static void expire_due(void *ctx, uint64_t key)
{
    post_event(ctx, key, true);
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

typedef struct reqid_search {
    uint32_t reqid, spi;
    uint64_t owner;
} reqid_search;

static bool has_spi(void *ctx, idx_node *n)
{
    reqid_search *s = ctx;
    child_sa *c = container_of(n, child_sa, by_serial);

    if (c->reqid != s->reqid)
        return false;
    s->owner = atomic_load(&c->owner);
    return true;
}

static void post_kernel_event(charon *ch, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer,
                              bool hard)
{
    reqid_search s = {.reqid = reqid, .spi = id->spi};
    kernel_mail *m;

    if (!idx_each(&ch->children, has_spi, &s) || !(m = malloc(sizeof(*m))))
        return;
    *m = (kernel_mail){.id = *id, .hard = hard, .mapping = peer != NULL};
    if (peer)
        m->peer = *peer;
    if (!ike_sa_post_unique(ch, s.owner, kernel_event_mail, free, m))
        free(m);
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
