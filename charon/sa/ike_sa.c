/* The IKE_SA object: memory, mailbox, timers, state. What happens to it in its life is in ike_life.c, what
 * messages do is in charon/sm and charon/task.
 */
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include <stdio.h>
#include <stdlib.h>

// clang-format off
ENUM_NAMES(ike_state_names, {IKE_CREATED, "CREATED"}, {IKE_CONNECTING, "CONNECTING"}, {IKE_ESTABLISHED, "ESTABLISHED"},
           {IKE_REKEYING, "REKEYING"}, {IKE_DELETING, "DELETING"}, {IKE_DESTROYED, "DESTROYED"});
ENUM_NAMES(child_state_names, {CHILD_CREATED, "CREATED"}, {CHILD_ROUTED, "ROUTED"}, {CHILD_INSTALLED, "INSTALLED"},
           {CHILD_REKEYING, "REKEYING"}, {CHILD_DELETING, "DELETING"});
// clang-format on

static void mb_ref(void *owner)
{
    ike_sa_ref(owner);
}

static void mb_unref(void *owner)
{
    ike_sa_unref(owner);
}

static const mailbox_ops mb_ops = {mb_ref, mb_unref};

static status pick_spi(charon *ch, uint64_t *out)
{
    uint8_t b[8];

    for (int i = 0; i < SPI_TRIES; i++) {
        ike_sa *other;
        if (rng_bytes(ch->env->crypto, RNG_WEAK, b, sizeof(b)) != ST_OK)
            return ST_CRYPTO;
        *out = get_u64(b);
        if (*out == 0)
            continue;
        other = sa_table_by_spi(ch->sas, *out);
        if (!other)
            return ST_OK;
        ike_sa_unref(other);
    }
    return ST_LIMIT;
}

status ike_sa_new(ike_sa **out, charon *ch, bool initiator)
{
    ike_sa *sa = calloc(1, sizeof(*sa));
    status st;

    if (!sa)
        return ST_NO_MEMORY;
    st = pick_spi(ch, initiator ? &sa->spi_i : &sa->spi_r);
    sa->hs = calloc(1, sizeof(*sa->hs));
    if (st == ST_OK && !sa->hs)
        st = ST_NO_MEMORY;
    if (st != ST_OK) {
        free(sa->hs);
        free(sa);
        return st;
    }
    ref_init(&sa->refs);
    mailbox_init(&sa->mb, RT(ch), sa, &mb_ops);
    sa->mb.limit = MAIL_LIMIT;
    pthread_mutex_init(&sa->lock, NULL);
    sa->ch = ch;
    sa->initiator = initiator;
    sa->unique = atomic_fetch_add(&ch->next_unique, 1) + 1;
    sa->log = (log_scope){.bus = ch->log.bus, .unique = sa->unique};
    sa->created_ms = runtime_now_ms(RT(ch));
    snprintf(sa->name, sizeof(sa->name), "(unnamed)"); /* until its conn is known */
    list_init(&sa->queued);
    list_init(&sa->active);
    list_init(&sa->children);
    *out = sa;
    return ST_OK;
}

ike_sa *ike_sa_ref(ike_sa *sa)
{
    ref_get(&sa->refs);
    return sa;
}

void ike_sa_forget_handshake(ike_sa *sa)
{
    handshake *hs = sa->hs;

    sa->hs = NULL;
    if (!hs)
        return;
    dh_free(hs->dh);
    buf_free(&hs->init_request);
    buf_free(&hs->init_response);
    ident_unref(hs->asked_ca);
    wipe(hs, sizeof(*hs));
    free(hs);
}

static void free_defrag(ikev2_defrag *d)
{
    if (d)
        ikev2_defrag_reset(d);
    free(d);
}

void ike_sa_unref(ike_sa *sa)
{
    if (!sa || !ref_put(&sa->refs))
        return;
    mailbox_fini(&sa->mb);
    ike_sa_forget_handshake(sa);
    keymat_free(&sa->keys);
    ikev2_packets_free(&sa->out.packets);
    ikev2_packets_free(&sa->in.packets);
    free_defrag(sa->defrag_in);
    free_defrag(sa->defrag_out);
    peer_cfg_unref(sa->cfg);
    ident_unref(sa->my_id);
    ident_unref(sa->peer_id);
    cert_unref(sa->peer_cert);
    free(sa->vip_pool);
    pthread_mutex_destroy(&sa->lock);
    free(sa);
}

uint64_t ike_sa_own_spi(const ike_sa *sa)
{
    return sa->initiator ? sa->spi_i : sa->spi_r;
}

void ike_sa_set_cfg(ike_sa *sa, peer_cfg *cfg)
{
    peer_cfg *old = sa->cfg;

    sa->cfg = peer_cfg_ref(cfg);
    peer_cfg_unref(old);
    snprintf(sa->name, sizeof(sa->name), "%s", cfg->c->name);
    sa->log.name = sa->name;
}

void ike_sa_set_state(ike_sa *sa, ike_state st)
{
    ike_state old = ike_sa_state(sa);

    if (old == st)
        return;
    LOG(&sa->log, IKE, 2, "IKE_SA '%s' state change: %s => %s", sa->name, ENUM_STR(ike_state_names, old),
        ENUM_STR(ike_state_names, st));
    atomic_store_explicit(&sa->state, st, memory_order_release);
    if (sa->counted_half_open && st != IKE_CREATED && st != IKE_CONNECTING) {
        sa->counted_half_open = false;
        atomic_fetch_sub(&sa->ch->half_open, 1);
        sa_table_remove_host(sa->ch->sas, sa);
    }
}

/* In its own mail. Who asked for it closes it; should he not know of it, because our answer was lost and the
 * old IKE_SA with it, it goes by itself. */
static void surplus(ike_sa *sa, void *arg)
{
    (void)arg;
    sa->replaced = true;
    ike_sa_timer(sa, T_EXPIRE, sm_patience_ms(sa->ch));
}

/* What both rekeying made and nobody inherited from. */
static void drop_rekey_result(ike_sa **other)
{
    ike_sa *o = *other;

    *other = NULL;
    if (!o)
        return;
    (void)ike_sa_post(o, surplus, NULL, NULL);
    ike_sa_unref(o);
}

static void engine_may_be_done(charon *ch)
{
    void (*done)(void *ctx) = NULL;
    void *ctx = NULL;

    if (!atomic_load(&ch->closing) || sa_table_count(ch->sas) != 0)
        return;
    pthread_mutex_lock(&ch->close_lock);
    done = ch->close_done;
    ctx = ch->close_ctx;
    ch->close_done = NULL;
    pthread_mutex_unlock(&ch->close_lock);
    if (done)
        done(ctx);
}

void ike_sa_destroy(ike_sa *sa)
{
    charon *ch = sa->ch;
    list_node *n;

    if (ike_sa_state(sa) == IKE_DESTROYED)
        return;
    ike_sa_set_state(sa, IKE_DESTROYED);
    ike_sa_ref(sa);
    sa_table_remove(ch->sas, sa);
    for (int i = 0; i < T_COUNT; i++)
        ike_sa_timer_stop(sa, (ike_timer)i);
    mailbox_close(&sa->mb);
    while ((n = list_pop(&sa->active)) || (n = list_pop(&sa->queued)))
        task_free(container_of(n, task, node));
    while (!list_empty(&sa->children))
        child_sa_free(container_of(sa->children.next, child_sa, node));
    if (!sa->replaced) {
        if (sa->vip.family && ch->set.install_vip && ch->env->host)
            (void)ch->env->host->ops->del_ip(ch->env->host, &sa->vip);
        if (sa->peer_vip.family)
            leases_give_back(ch, sa->vip_pool, &sa->peer_vip);
    }
    drop_rekey_result(&sa->rekey.theirs);
    wait_done(ch, &sa->wait, ST_CLOSED, "%s", sa->end_reason ? sa->end_reason : "IKE_SA closed");
    engine_may_be_done(ch);
    ike_sa_unref(sa);
}

/* ---- mail ---- */
typedef struct sa_mail {
    mail m;
    ike_sa_fn *fn;
    void (*drop)(void *arg);
    void *arg;
} sa_mail;

static void run_mail(void *owner, mail *m)
{
    ike_sa *sa = owner;
    sa_mail *x = container_of(m, sa_mail, m);

    pthread_mutex_lock(&sa->lock);
    if (ike_sa_state(sa) != IKE_DESTROYED)
        x->fn(sa, x->arg);
    else if (x->drop)
        x->drop(x->arg);
    pthread_mutex_unlock(&sa->lock);
    free(x);
}

static void drop_mail(void *owner, mail *m)
{
    sa_mail *x = container_of(m, sa_mail, m);

    (void)owner;
    if (x->drop)
        x->drop(x->arg);
    free(x);
}

bool ike_sa_post(ike_sa *sa, ike_sa_fn *fn, void (*drop)(void *arg), void *arg)
{
    sa_mail *x = malloc(sizeof(*x));

    if (!x)
        return false;
    *x = (sa_mail){.m = {.run = run_mail, .drop = drop_mail}, .fn = fn, .drop = drop, .arg = arg};
    if (mailbox_post(&sa->mb, &x->m) == ST_OK)
        return true;
    free(x);
    return false;
}

bool ike_sa_post_unique(charon *ch, uint64_t unique, ike_sa_fn *fn, void (*drop)(void *arg), void *arg)
{
    ike_sa *sa = sa_table_by_unique(ch->sas, unique);
    bool ok;

    if (!sa)
        return false;
    ok = ike_sa_post(sa, fn, drop, arg);
    ike_sa_unref(sa);
    return ok;
}

/* ---- timers ----
 * The key names the SA, the kind, and a generation, so that a timer that was replaced while its mail was
 * under way is recognised: unique << 16 | kind << 8 | generation. */
enum { TIMER_BUSY_MS = 200 };

static void timer_mail(ike_sa *sa, void *arg)
{
    uintptr_t key = (uintptr_t)arg;
    ike_timer which = (ike_timer)(key >> 8 & 0xff);

    if (which >= T_COUNT || sa->timer_gen[which] != (uint8_t)key)
        return;
    sa->timer[which] = 0;
    ike_sa_on_timer(sa, which);
}

static void timer_due(void *ctx, uint64_t key)
{
    charon *ch = ctx;
    ike_sa *sa = sa_table_by_unique(ch->sas, key >> 16);

    if (!sa)
        return;
    /* too much mail: the SA is busy, its timers must not get lost */
    if (!ike_sa_post(sa, timer_mail, NULL, (void *)(uintptr_t)(key & 0xffff)) &&
        ike_sa_state(sa) != IKE_DESTROYED)
        (void)runtime_timer(RT(ch), TIMER_BUSY_MS, timer_due, ch, key);
    ike_sa_unref(sa);
}

void ike_sa_timer(ike_sa *sa, ike_timer which, int64_t delay_ms)
{
    uint64_t key;

    ike_sa_timer_stop(sa, which);
    key = sa->unique << 16 | (uint64_t)which << 8 | ++sa->timer_gen[which];
    sa->timer_due[which] = runtime_now_ms(RT(sa->ch)) + delay_ms;
    sa->timer[which] = runtime_timer(RT(sa->ch), delay_ms, timer_due, sa->ch, key);
}

void ike_sa_timer_stop(ike_sa *sa, ike_timer which)
{
    if (sa->timer[which])
        runtime_timer_cancel(RT(sa->ch), sa->timer[which]);
    sa->timer[which] = 0;
    sa->timer_gen[which]++;
}

int64_t ike_sa_timer_left(const ike_sa *sa, ike_timer which)
{
    int64_t left;

    if (!sa->timer[which])
        return -1;
    left = sa->timer_due[which] - runtime_now_ms(RT(sa->ch));
    return left > 0 ? left : 0;
}

/* ---- children ---- */
child_sa *ike_sa_child_by_spi_out(ike_sa *sa, uint32_t spi)
{
    child_sa *c;

    LIST_EACH(&sa->children, child_sa, node, c)
    {
        if (c->spi_out == spi && c->spi_out)
            return c;
    }
    return NULL;
}

child_sa *ike_sa_child_by_spi_in(ike_sa *sa, uint32_t spi)
{
    child_sa *c;

    LIST_EACH(&sa->children, child_sa, node, c)
    {
        if (c->spi_in == spi && c->spi_in)
            return c;
    }
    return NULL;
}

child_sa *ike_sa_child_by_serial(ike_sa *sa, uint64_t serial)
{
    child_sa *c;

    LIST_EACH(&sa->children, child_sa, node, c)
    {
        if (c->serial == serial)
            return c;
    }
    return NULL;
}
