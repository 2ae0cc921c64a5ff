/* Putting a negotiated CHILD_SA into the kernel, and putting it in the place of another one.
 *
 * Who answers a rekeying must be able to receive at once, but should not send with the new keys before the
 * peer has them: its outbound SA is installed when the peer deletes the old CHILD_SA, or after LATE_MS.
 * Nothing is lost that way.
 */
#include "charon/sa/child_sa.h"
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include <stdlib.h>

/* Keys of an outbound SA that is still to be installed. */
struct late_keys {
    child_keys keys;
    uint64_t predecessor; /* serial */
};

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
static status share_reqid(child_sa *c)
{
    char text[CHILD_TS_TEXT];
    buf key = {0};
    uint32_t shared;

    if (!c->reqid_free)
        return ST_OK;
    child_ts_text(c->mine, c->n_mine, c->theirs, c->n_theirs, text, sizeof(text));
    buf_printf(&key, "%s %s %s %u %d %s", c->cfg->c->name, ADDR_STR(&c->sa->local.ip),
               ADDR_STR(&c->sa->remote.ip), c->sa->natt ? c->sa->remote.port : 0, (int)c->mode, text);
    shared = buf_ok(&key) ? reqids_bind(c->ch->reqids, c->reqid, buf_span(&key)) : 0;
    buf_free(&key);
    if (!shared)
        return ST_NO_MEMORY;
    c->reqid = shared;
    c->reqid_free = false;
    kchild_set_reqid(c->k, shared);
    return ST_OK;
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

void child_sa_forget_keys(child_sa *c)
{
    if (c->late)
        child_keys_free(&c->late->keys);
    free(c->late);
    c->late = NULL;
}

static status install_out(child_sa *c, const kchild_sa *sa)
{
    status st = kchild_install_out(c->k, sa, 1);

    return st == ST_OK ? kchild_install_policies(c->k) : st;
}

void child_sa_complete(child_sa *c)
{
    child_sa *old;
    kchild_sa sa;
    status st;

    if (!c->late)
        return;
    if (c->late_timer)
        runtime_timer_cancel(RT(c->ch), c->late_timer);
    c->late_timer = 0;
    sa = describe(c, &c->late->keys, false);
    st = install_out(c, &sa);
    old = ike_sa_child_by_serial(c->sa, c->late->predecessor);
    child_sa_forget_keys(c);
    if (st == ST_OK && old) {
        kchild_take_over(c->k, old->k);
    } else if (st != ST_OK) {
        LOG(&c->sa->log, CHD, 0, "unable to install CHILD_SA '%s': %s", c->cfg->c->name, status_text(st));
        sm_queue(c->sa, task_child_delete_new(c->sa, c->serial));
    }
}

void child_sa_predecessor_gone(child_sa *c)
{
    child_sa *o;

    if (ike_sa_state(c->sa) == IKE_DESTROYED)
        return;
    LIST_EACH(&c->sa->children, child_sa, node, o)
    {
        if (o->late && o->late->predecessor == c->serial)
            child_sa_complete(o);
    }
}

/* The answering side of a rekeying. */
static bool wait_for_peer(child_sa *c, const child_install *in, child_keys *keys)
{
    if (in->initiator || !in->replaces || !(c->late = calloc(1, sizeof(*c->late))))
        return false;
    c->late->keys = *keys;
    *keys = (child_keys){0};
    c->late->predecessor = in->replaces->serial;
    child_sa_wait_for_peer(c);
    return true;
}

static void begin_life(child_sa *c, const child_install *in)
{
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
}

status child_sa_install(child_sa *c, const child_install *in)
{
    child_keys keys;
    kchild_sa sa;
    status st = keymat_child(&c->sa->keys, &c->prop, in->shared, in->ni, in->nr, &keys);

    if (st != ST_OK)
        return st;
    c->initiator = in->initiator;
    if ((st = share_reqid(c)) != ST_OK) {
        child_keys_free(&keys);
        LOG(&c->sa->log, CHD, 0, "unable to install CHILD_SA '%s': %s", c->cfg->c->name, status_text(st));
        return st;
    }
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
    if (st == ST_OK && !wait_for_peer(c, in, &keys))
        st = install_out(c, &sa);
    child_keys_free(&keys);
    if (st != ST_OK) {
        LOG(&c->sa->log, CHD, 0, "unable to install CHILD_SA '%s': %s", c->cfg->c->name, status_text(st));
        return st;
    }
    shrink_selectors(c);
    child_sa_set_state(c, CHILD_INSTALLED);
    c->installed_ms = runtime_now_ms(RT(c->ch));
    begin_life(c, in);
    return ST_OK;
}

void child_sa_replaced(child_sa *c, child_sa *successor)
{
    if (!c->rekeyed && !successor->late)
        kchild_take_over(successor->k, c->k);
    c->rekeyed = true;
    if (c->rekey_timer)
        runtime_timer_cancel(RT(c->ch), c->rekey_timer);
    c->rekey_timer = 0; /* should nobody delete it, it goes when it expires */
}
