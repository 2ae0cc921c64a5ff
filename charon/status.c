/* `ipsec status` and `statusall` in the shape scripts know, and the same facts as structures for tests and
 * metrics. An SA that is busy for longer than a moment is shown by its head only, rather than waited for.
 */
#include "charon/engine.h"
#include "charon/sa/ike_sa.h"
#include <stdlib.h>
#include <time.h>

enum { LOCK_WAIT_MS = 500 };

static bool lock_sa(ike_sa *sa)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += LOCK_WAIT_MS * 1000000L;
    ts.tv_sec += ts.tv_nsec / 1000000000L;
    ts.tv_nsec %= 1000000000L;
    return pthread_mutex_timedlock(&sa->lock, &ts) == 0;
}

/* "47 minutes" */
static void put_duration(buf *out, int64_t s)
{
    const char *unit = "second";

    if (s > 172800) {
        s /= 86400;
        unit = "day";
    } else if (s > 7200) {
        s /= 3600;
        unit = "hour";
    } else if (s > 120) {
        s /= 60;
        unit = "minute";
    }
    buf_printf(out, "%lld %s%s", (long long)s, unit, s == 1 ? "" : "s");
}

static void put_date(buf *out, int64_t wall)
{
    time_t t = (time_t)wall;
    char text[64];
    struct tm tm;

    if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%b %d %H:%M:%S %Y", &tm))
        buf_put_str(out, text);
}

/* ---- parts ---- */
static void put_performance(charon *c, buf *out)
{
    runtime_stats s;

    runtime_get_stats(RT(c), &s);
    buf_put_str(out, "Performance:\n  uptime: ");
    put_duration(out, (runtime_now_ms(RT(c)) - c->started_mono_ms) / 1000);
    buf_put_str(out, ", since ");
    put_date(out, c->started_wall_s);
    buf_printf(out, "\n  worker threads: %u idle of %u, job queue load: %zu, scheduled events: %zu\n", s.idle,
               s.workers, s.queue, s.timers);
    buf_printf(out, "  loaded plugins: %s\n", crypto_loaded_plugins(c->env->crypto));
    buf_printf(out, "  kernel interface: %s\n", c->env->kernel->ops->name);
}

static void put_addresses(charon *c, buf *out)
{
    host_addr *a = NULL;
    size_t n = 0;

    buf_put_str(out, "Listening IP addresses:\n");
    if (c->env->host && c->env->host->ops->addrs(c->env->host, &a, &n) == ST_OK) {
        for (size_t i = 0; i < n; i++) {
            if (!addr_is_loopback(&a[i].ip))
                buf_printf(out, "  %s\n", ADDR_STR(&a[i].ip));
        }
    }
    free(a);
}

static void put_end(buf *out, const ip_addr *a, const ident *id)
{
    buf_printf(out, "%s[%s]", addr_is_any(a) ? "%any" : ADDR_STR(a),
               id               ? IDENT_STR(id)
               : addr_is_any(a) ? "%any"
                                : ADDR_STR(a));
}

static void put_conn(buf *out, const peer_cfg *p)
{
    traffic_sel ts[MAX_TS];
    size_t n = peer_cfg_ts(p, true, NULL, ts, MAX_TS);

    buf_printf(out, "%12s:  ", p->c->name);
    put_end(out, &p->me->host, p->my_id);
    buf_put_str(out, "...");
    put_end(out, &p->peer->host, p->peer_id);
    buf_printf(out, "\n%12s:    ", p->c->name);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s ", TS_STR(&ts[i]));
    buf_put_str(out, "=== ");
    n = peer_cfg_ts(p, false, NULL, ts, MAX_TS);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s ", TS_STR(&ts[i]));
    buf_put_str(out, "\n");
}

static void put_conns(charon *c, const char *name, buf *out)
{
    oriented *conns = NULL;
    size_t n = 0;

    buf_put_str(out, "Connections:\n");
    if (conntab_list(c->conns, &conns, &n) != ST_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        peer_cfg *p = NULL;
        if (!(conns[i].c->version & CONN_IKEV2) || (name && strcmp(name, conns[i].c->name) != 0) ||
            cfg_cache_get(c->cfgs, &conns[i], &p, NULL) != ST_OK)
            continue;
        put_conn(out, p);
        peer_cfg_unref(p);
    }
    conntab_list_free(conns, n);
}

static void put_ike_details(const ike_sa *sa, buf *out)
{
    int64_t rekey = ike_sa_timer_left(sa, T_REKEY), reauth = ike_sa_timer_left(sa, T_REAUTH);

    buf_printf(out, "%12s[%llu]: IKE SPIs: %016llx_i%s %016llx_r%s", sa->name, (unsigned long long)sa->unique,
               (unsigned long long)sa->spi_i, sa->initiator ? "*" : "", (unsigned long long)sa->spi_r,
               sa->initiator ? "" : "*");
    if (rekey >= 0) {
        buf_put_str(out, ", rekeying in ");
        put_duration(out, rekey / 1000);
    }
    if (reauth >= 0) {
        buf_put_str(out, ", reauthentication in ");
        put_duration(out, reauth / 1000);
    }
    if (rekey < 0 && reauth < 0)
        buf_put_str(out, ", rekeying disabled");
    buf_put_str(out, "\n");
}

static void put_ike(const ike_sa *sa, bool all, buf *out)
{
    buf_printf(out, "%12s[%llu]: %s, ", sa->name, (unsigned long long)sa->unique,
               ENUM_STR(ike_state_names, ike_sa_state(sa)));
    buf_printf(out, "%s[%s]...%s[%s]\n", ADDR_STR(&sa->local.ip), SA_ID(sa->my_id), ADDR_STR(&sa->remote.ip),
               SA_ID(sa->peer_id));
    if (all && ike_sa_state(sa) >= IKE_ESTABLISHED)
        put_ike_details(sa, out);
}

/* ---- children ---- */
static const char *mode_name(sa_mode m)
{
    return m == MODE_TRANSPORT ? "TRANSPORT" : m == MODE_BEET ? "BEET" : "TUNNEL";
}

static unsigned integ_bits(uint16_t id)
{
    return (unsigned)integ_key_bytes((integ_alg)id) * 8;
}

static void put_use(buf *out, int64_t when, int64_t now, const char *suffix)
{
    if (when > 0 && when <= now)
        buf_printf(out, "%llds%s", (long long)(now - when), suffix);
    else
        buf_printf(out, "no%s", suffix);
}

static void put_child_algs(charon *ch, child_sa *c, buf *out)
{
    const transform *e = proposal_get(&c->prop, TRANSFORM_ENCR), *i = proposal_get(&c->prop, TRANSFORM_INTEG);
    int64_t wall = runtime_wall_s(RT(ch)), left;
    kchild_stats s = {0};

    buf_printf(out, "%12s{%u}:  ", c->cfg->c->name, c->reqid);
    if (e) {
        buf_put_str(out, ENUM_STR(encr_names, e->id));
        if (e->key_bits)
            buf_printf(out, "-%u", e->key_bits);
    }
    if (i && !(e && encr_is_aead(e->id)))
        buf_printf(out, "/%s-%u", ENUM_STR(integ_names, i->id), integ_bits(i->id));
    if (c->rekey_timer) {
        left = (c->rekey_due_ms - runtime_now_ms(RT(ch))) / 1000;
        buf_put_str(out, ", rekeying in ");
        put_duration(out, left > 0 ? left : 0);
    } else {
        buf_put_str(out, ", rekeying disabled");
    }
    (void)kchild_query(c->k, &s);
    buf_put_str(out, ", last use: ");
    put_use(out, s.use_in_s, wall, "_i ");
    put_use(out, s.use_out_s, wall, "_o ");
    buf_put_str(out, "\n");
}

static void put_child(charon *ch, child_sa *c, bool all, buf *out)
{
    buf_printf(out, "%12s{%u}:  %s, %s", c->cfg->c->name, c->reqid, ENUM_STR(child_state_names, c->state),
               mode_name(c->mode));
    if (c->state == CHILD_INSTALLED) {
        buf_printf(out, ", ESP SPIs: %08x_i %08x_o", c->spi_in, c->spi_out);
        buf_put_str(out, "\n");
        if (all)
            put_child_algs(ch, c, out);
    } else {
        buf_put_str(out, "\n");
    }
    buf_printf(out, "%12s{%u}:   ", c->cfg->c->name, c->reqid);
    child_sa_put_ts(c, out);
    buf_put_str(out, "\n");
}

typedef struct trap_text {
    buf *out;
    const char *name;
    unsigned n;
} trap_text;

static void put_trap(void *ctx, const trap *t)
{
    trap_text *x = ctx;
    const traffic_sel *ts;
    size_t n;

    if (x->name && strcmp(x->name, t->name) != 0)
        return;
    x->n++;
    buf_printf(x->out, "%12s{%u}:  ROUTED, %s\n", t->name, t->reqid, mode_name(kchild_mode(t->child)));
    buf_printf(x->out, "%12s{%u}:   ", t->name, t->reqid);
    n = kchild_ts(t->child, true, &ts);
    for (size_t i = 0; i < n; i++)
        buf_printf(x->out, "%s ", TS_STR(&ts[i]));
    buf_put_str(x->out, "=== ");
    n = kchild_ts(t->child, false, &ts);
    for (size_t i = 0; i < n; i++)
        buf_printf(x->out, "%s ", TS_STR(&ts[i]));
    buf_put_str(x->out, "\n");
}

static bool put_sa(charon *ch, ike_sa *sa, const char *name, bool all, buf *out)
{
    bool shown = !name || strcmp(sa->name, name) == 0, any = shown;
    child_sa *c;

    if (!lock_sa(sa)) {
        if (shown)
            buf_printf(out, "%12s[%llu]: %s, busy\n", sa->name, (unsigned long long)sa->unique,
                       ENUM_STR(ike_state_names, ike_sa_state(sa)));
        return shown;
    }
    if (ike_sa_state(sa) == IKE_DESTROYED) {
        pthread_mutex_unlock(&sa->lock);
        return false;
    }
    if (shown)
        put_ike(sa, all, out);
    LIST_EACH(&sa->children, child_sa, node, c)
    {
        bool mine = shown || strcmp(c->cfg->c->name, name) == 0;
        if (!mine)
            continue;
        if (!any) /* a conn that joined another one's IKE_SA */
            put_ike(sa, all, out);
        any = true;
        put_child(ch, c, all, out);
    }
    pthread_mutex_unlock(&sa->lock);
    return any;
}

void charon_status(charon *c, const char *name, bool all, buf *out)
{
    trap_text traps = {out, name, 0};
    bool any = false;
    size_t n;
    ike_sa **sas;

    if (all) {
        put_performance(c, out);
        put_addresses(c, out);
        put_conns(c, name, out);
    }
    buf_put_str(out, "Security Associations:\n");
    sas = sa_table_all(c->sas, &n);
    for (size_t i = 0; i < n; i++)
        any |= put_sa(c, sas[i], name, all, out);
    sa_list_free(sas, n);
    trap_each(c, put_trap, &traps);
    if (!any && traps.n == 0)
        buf_put_str(out, name ? "  no match\n" : "  none\n");
}

/* ---- structures ---- */
void charon_each_ike(charon *c, bool (*fn)(void *ctx, const charon_ike_info *i), void *ctx)
{
    size_t n;
    ike_sa **sas = sa_table_all(c->sas, &n);
    bool go_on = true;

    for (size_t i = 0; i < n && go_on; i++) {
        ike_sa *sa = sas[i];
        char me[IDENT_TEXT] = "", peer[IDENT_TEXT] = "";
        charon_ike_info info;
        pthread_mutex_lock(&sa->lock);
        if (sa->my_id)
            ident_text(sa->my_id, me, sizeof(me));
        if (sa->peer_id)
            ident_text(sa->peer_id, peer, sizeof(peer));
        info = (charon_ike_info){
            .name = sa->name,
            .unique = sa->unique,
            .state = ike_sa_state(sa),
            .initiator = sa->initiator,
            .spi_i = sa->spi_i,
            .spi_r = sa->spi_r,
            .local = sa->local,
            .remote = sa->remote,
            .my_id = me,
            .peer_id = peer,
            .nat_local = sa->nat_local,
            .nat_remote = sa->nat_remote,
            .fragmentation = sa->fragment,
            .children = sa->n_children,
        };
        pthread_mutex_unlock(&sa->lock);
        if (info.state != IKE_DESTROYED)
            go_on = fn(ctx, &info);
    }
    sa_list_free(sas, n);
}

typedef struct child_walk {
    bool (*fn)(void *ctx, const charon_child_info *i);
    void *ctx;
    bool go_on;
} child_walk;

static void visit_trap(void *ctx, const trap *t)
{
    child_walk *w = ctx;
    charon_child_info i = {
        .name = t->name, .reqid = t->reqid, .state = CHILD_ROUTED, .mode = kchild_mode(t->child)};

    if (w->go_on)
        w->go_on = w->fn(w->ctx, &i);
}

void charon_each_child(charon *c, bool (*fn)(void *ctx, const charon_child_info *i), void *ctx)
{
    child_walk w = {fn, ctx, true};
    size_t n;
    ike_sa **sas = sa_table_all(c->sas, &n);

    for (size_t i = 0; i < n && w.go_on; i++) {
        child_sa *ch;
        pthread_mutex_lock(&sas[i]->lock);
        LIST_EACH(&sas[i]->children, child_sa, node, ch)
        {
            charon_child_info info = {
                .name = ch->cfg->c->name,
                .ike_unique = sas[i]->unique,
                .reqid = ch->reqid,
                .state = ch->state,
                .spi_in = ch->spi_in,
                .spi_out = ch->spi_out,
                .cpi_in = ch->cpi_out ? ch->cpi_in : 0,
                .cpi_out = ch->cpi_out,
                .mode = ch->mode,
                .udp_encap = kchild_udp_encap(ch->k),
                .esn = proposal_has(&ch->prop, TRANSFORM_ESN, ESN_YES),
            };
            if (w.go_on)
                w.go_on = fn(ctx, &info);
        }
        pthread_mutex_unlock(&sas[i]->lock);
    }
    sa_list_free(sas, n);
    trap_each(c, visit_trap, &w);
}

static bool count_ike(void *ctx, const charon_ike_info *i)
{
    ((charon_stats *)ctx)->ike[i->state]++;
    return true;
}

static bool count_child(void *ctx, const charon_child_info *i)
{
    ((charon_stats *)ctx)->child[i->state]++;
    return true;
}

void charon_get_stats(charon *c, charon_stats *out)
{
    *out = (charon_stats){
        .half_open = atomic_load(&c->half_open),
        .cookies_sent = atomic_load(&c->n_cookies),
        .packets_in = atomic_load(&c->n_packets),
        .packets_bad = atomic_load(&c->n_bad),
        .handshakes_failed = atomic_load(&c->n_failed),
        .retransmits = atomic_load(&c->n_retransmits),
        .replays_answered = atomic_load(&c->n_replays),
        .established_initiator = atomic_load(&c->n_est_i),
        .established_responder = atomic_load(&c->n_est_r),
        .child_created = atomic_load(&c->n_child),
        .ike_rekeyed = atomic_load(&c->n_ike_rekeyed),
        .child_rekeyed = atomic_load(&c->n_child_rekeyed),
    };
    charon_each_ike(c, count_ike, out);
    charon_each_child(c, count_child, out);
}
