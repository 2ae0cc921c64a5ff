/* `ipsec status` and `ipsec statusall`; line shapes: reference outputs.md 2. What is shown is copied under
 * the lock and printed outside, because the kernel is asked for byte counts in between.
 */
#include "pluto/pluto.h"
#include "pluto/sa/algnames.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/spdb.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDX(proto) ((proto)-PROTO_AH)

typedef struct printer {
    pluto *p;
    pluto_line_fn *fn;
    void *ctx;
} printer;

static void line(const printer *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line(const printer *o, const char *fmt, ...)
{
    char text[3072];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    o->fn(o->ctx, text);
}

/* ---- head ---- */

static bool wanted_interface(const pluto *p, const char *dev)
{
    span rest = span_str(p->interfaces ? p->interfaces : ""), word;
    if (!p->interfaces)
        return true;
    while (span_cut(&rest, ' ', &word)) {
        if (span_equal(word, span_str(dev)))
            return true;
    }
    return false;
}

static void head(const printer *o)
{
    static const char *const words[] = {"raw",         "crypt", "parsing", "emitting", "control",
                                        "lifecycle",   "klips", "dns",     "natt",     "oppo",
                                        "controlmore", "",      "private"};
    pluto *p = o->p;
    host_addr *a;
    size_t n;
    char debug[160] = "none";
    if (p->e->host->ops->addrs(p->e->host, &a, &n) == ST_OK) {
        for (size_t k = 0; k < n; k++) {
            if (a[k].virtual_ip || !wanted_interface(p, a[k].dev))
                continue;
            for (int natt = 0; natt <= (int)p->opt.nat_traversal; natt++) {
                endpoint e = {a[k].ip, p->e->net->ops->port(p->e->net, natt)};
                line(o, "interface %s/%s %s", a[k].dev, a[k].dev, ADDR_PORT(&e));
            }
        }
        free(a);
    }
    line(o, "%%myid = %s", p->myid ? p->myid : "(none)");
    size_t used = 0;
    for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
        if (words[k][0] && (p->debug & 1u << k))
            used += (size_t)snprintf(debug + used, sizeof(debug) - used, "%s%s", used ? "+" : "", words[k]);
    }
    line(o, "debug %s", debug);
    /* said only where it is not the native one, so that the usual head keeps its shape */
    if (!(p->kenv.kernel->ops->features(p->kenv.kernel) & KERNEL_NATIVE))
        line(o, "kernel interface: %s", p->kenv.kernel->ops->name);
    line(o, " ");
}

/* ---- conns ---- */

typedef struct conn_view {
    uint64_t isakmp, ipsec, owner;
    routing route;
    char ike_newest[128], esp_newest[190];
} conn_view;

static void esp_text(const quick *q, char *dst, size_t size)
{
    const proposal *p = q->esp.proto ? &q->esp : &q->ah;
    const transform *e = proposal_get(p, TRANSFORM_ENCR), *h = proposal_get(p, TRANSFORM_INTEG);
    const char *auth =
        h ? SHORT_ALG(auth_alg_names, h->id == INTEG_HMAC_SHA2_256_96 ? 252 : ikev1_auth_from(h->id)) : "";
    uint16_t bits = e ? e->key_bits : 0;
    char group[64] = "<N/A>";
    if (e && (e->id == ENCR_3DES || e->id == ENCR_DES || e->id == ENCR_NULL))
        bits = 0;
    if (q->pfs && q->pfs == q->ike->group)
        snprintf(group, sizeof(group), "<Phase1>");
    else if (q->pfs)
        snprintf(group, sizeof(group), "%s", SHORT_ALG(oakley_group_names, q->pfs));
    if (!q->esp.proto)
        snprintf(dst, size, "AH algorithm newest: %s; pfsgroup=%s", auth, group);
    else
        snprintf(dst, size, "ESP algorithm newest: %s_%u-%s; pfsgroup=%s",
                 e ? SHORT_ALG(esp_transform_names, ikev1_esp_from(e->id)) : "NULL", bits, auth, group);
}

static conn_view view_of(pluto *p, const pconn *c)
{
    pluto_lock(p);
    conn_view v = {
        .isakmp = c->newest_isakmp, .ipsec = c->newest_ipsec, .owner = c->eroute_owner, .route = c->route};
    const pstate *i = v.isakmp ? hashmap_get(p->by_serial, span_of(&v.isakmp, sizeof(v.isakmp))) : NULL;
    const pstate *q = v.ipsec ? hashmap_get(p->by_serial, span_of(&v.ipsec, sizeof(v.ipsec))) : NULL;
    if (i && i->phase1)
        oakley_text(i->ike->keys.encr, i->ike->keys.key_bits, i->ike->keys.hash, i->ike->group, v.ike_newest,
                    sizeof(v.ike_newest));
    if (q && !q->phase1)
        esp_text(container_of(q, quick, st), v.esp_newest, sizeof(v.esp_newest));
    pluto_unlock(p);
    return v;
}

static void ike_list(const proposals *l, bool found, char *dst, size_t size)
{
    buf b = {.max = size};
    for (uint8_t i = 0; i < l->n; i++) {
        const proposal *p = &l->p[i];
        for (uint8_t e = 0; e < p->n; e++) {
            for (uint8_t h = 0; h < p->n && p->t[e].type == TRANSFORM_ENCR; h++) {
                for (uint8_t g = 0; g < p->n && p->t[h].type == TRANSFORM_PRF; g++) {
                    if (p->t[g].type != TRANSFORM_DH)
                        continue;
                    hash_alg ha = prf_hash(p->t[h].id);
                    unsigned bits = p->t[e].key_bits;
                    if (found)
                        buf_printf(&b, "%u_%03u-%u_%zu-%u, ", ikev1_encr_from(p->t[e].id),
                                   bits ? bits : encr_default_bits(p->t[e].id), ikev1_hash_from(ha),
                                   hash_bytes_of(ha) * 8, p->t[g].id);
                    else
                        buf_printf(&b, "%u_%03u-%u-%u, ", ikev1_encr_from(p->t[e].id), bits,
                                   ikev1_hash_from(ha), p->t[g].id);
                }
            }
        }
    }
    snprintf(dst, size, "%s", buf_cstr(&b));
    buf_free(&b);
}

static void esp_list(const proposals *l, bool found, char *dst, size_t size)
{
    buf b = {.max = size};
    for (uint8_t i = 0; i < l->n; i++) {
        const proposal *p = &l->p[i];
        for (uint8_t e = 0; e < p->n; e++) {
            if (p->t[e].type != TRANSFORM_ENCR)
                continue;
            if (encr_is_aead(p->t[e].id))
                buf_printf(&b, "%u_%03u-0%s, ", ikev1_esp_from(p->t[e].id), p->t[e].key_bits,
                           found ? "_000" : "");
            for (uint8_t h = 0; h < p->n && !encr_is_aead(p->t[e].id); h++) {
                if (p->t[h].type != TRANSFORM_INTEG)
                    continue;
                if (found)
                    buf_printf(&b, "%u_%03u-%u_%zu, ", ikev1_esp_from(p->t[e].id), p->t[e].key_bits,
                               ikev1_auth_from(p->t[h].id), integ_key_bytes(p->t[h].id) * 8);
                else
                    buf_printf(&b, "%u_%03u-%u, ", ikev1_esp_from(p->t[e].id), p->t[e].key_bits,
                               ikev1_auth_from(p->t[h].id));
            }
        }
    }
    snprintf(dst, size, "%s", buf_cstr(&b));
    buf_free(&b);
}

static unsigned mask_bits(const pconn_end *e)
{
    return e->has_client ? e->client.bits : e->host.family == AF_INET6 ? 128 : 32;
}

static void conn_details(const printer *o, const pconn *c, const char *name, const conn_view *v)
{
    const conn *k = c->c;
    char a[2048];
    if (c->me.ca || c->peer.ca)
        line(o, "%s:   CAs: %s%s%s...%s%s%s", name, c->me.ca ? "'" : "'",
             c->me.ca ? IDENT_PLUTO(c->me.ca) : "%any", "'", "'",
             c->peer.ca ? IDENT_PLUTO(c->peer.ca) : "%any", "'");
    if (c->me.cfg->groups || c->peer.cfg->groups)
        line(o, "%s:   groups: %s", name, c->me.cfg->groups ? c->me.cfg->groups : c->peer.cfg->groups);
    line(o,
         "%s:   ike_life: %llds; ipsec_life: %llds; rekey_margin: %llds; rekey_fuzz: %u%%; keyingtries: %u",
         name, (long long)k->ikelifetime_s, (long long)k->keylife_s, (long long)k->rekeymargin_s,
         k->rekeyfuzz_pct, k->keyingtries);
    if (k->dpdaction != DPD_NONE) {
        static const char *const acts[] = {"none", "clear", "hold", "restart"};
        line(o, "%s:   dpd_action: %s; dpd_delay: %llds; dpd_timeout: %llds;", name, acts[k->dpdaction & 3],
             (long long)k->dpddelay_s, (long long)k->dpdtimeout_s);
    }
    line(o, "%s:   policy: %s; prio: %u,%u; interface: %s; ", name, POLICY_BITS(c), mask_bits(&c->me),
         mask_bits(&c->peer), c->dev);
    line(o, "%s:   newest ISAKMP SA: #%llu; newest IPsec SA: #%llu; ", name, (unsigned long long)v->isakmp,
         (unsigned long long)v->ipsec);
    if (k->ike) {
        ike_list(c->ike, false, a, sizeof(a));
        line(o, "%s:   IKE algorithms wanted: %s%s", name, a, c->ike->strict ? "strict" : "");
        ike_list(c->ike, true, a, sizeof(a));
        line(o, "%s:   IKE algorithms found:  %s", name, a);
    }
    if (v->ike_newest[0])
        line(o, "%s:   IKE algorithm newest: %s", name, v->ike_newest);
    if (k->esp && !k->ah_only) {
        char pfs[40] = "";
        esp_list(c->esp, false, a, sizeof(a));
        if (c->pfs_group)
            snprintf(pfs, sizeof(pfs), "; pfsgroup=%u; ", c->pfs_group);
        line(o, "%s:   ESP algorithms wanted: %s%s%s", name, a, pfs, c->esp->strict ? "strict" : "");
        esp_list(c->esp, true, a, sizeof(a));
        line(o, "%s:   ESP algorithms loaded: %s", name, a);
    }
    if (v->esp_newest[0])
        line(o, "%s:   %s", name, v->esp_newest);
}

static void show_conn(const printer *o, const pconn *c, bool all)
{
    char prefix[CONN_LABEL], topo[TOPO_TEXT];
    conn_view v = view_of(o->p, c);
    if (c->instance)
        snprintf(prefix, sizeof(prefix), "\"%.120s\"[%u]", c->name, c->instance);
    else
        snprintf(prefix, sizeof(prefix), "\"%.120s\"", c->name);
    line(o, "%s: %s; %s; eroute owner: #%llu", prefix, pconn_topology(c, topo, sizeof(topo)),
         routing_text(v.route), (unsigned long long)v.owner);
    if (all)
        conn_details(o, c, prefix, &v);
    else
        line(o, "%s:   newest ISAKMP SA: #%llu; newest IPsec SA: #%llu; ", prefix,
             (unsigned long long)v.isakmp, (unsigned long long)v.ipsec);
}

/* ---- states ---- */

typedef struct said {
    const char *name;
    uint32_t spi;
    ip_addr dst;
    ip_addr src;
    uint8_t proto;
} said;

typedef struct state_view {
    uint64_t serial;
    const pconn *c; /* referenced */
    char text[512];
    bool ipsec, tunnel;
    said ids[6];
    size_t n;
} state_view;

static void put_ids(state_view *v, const quick *q)
{
    static const struct {
        uint8_t proto;
        const char *name;
    } order[] = {{PROTO_AH, "ah"}, {PROTO_ESP, "esp"}, {PROTO_IPCOMP, "comp"}};
    v->tunnel = q->tunnel;
    for (size_t k = 0; k < 3; k++) {
        uint32_t in = q->spi_in[IDX(order[k].proto)], out = q->spi_out[IDX(order[k].proto)];
        if (!in || !out)
            continue;
        v->ids[v->n++] = (said){order[k].name, out, q->ike->remote.ip, q->ike->local.ip, order[k].proto};
        v->ids[v->n++] = (said){order[k].name, in, q->ike->local.ip, q->ike->remote.ip, order[k].proto};
    }
}

/* caller holds the lock */
static void view_state(pluto *p, const pstate *st, bool all, state_view *v)
{
    const pconn *c = st->c;
    const ike *i = st->ike;
    char prefix[CONN_LABEL], flags[160] = "";
    int64_t left = st->event == EVENT_NULL ? -1 : (st->due_ms - runtime_now_ms(p->e->rt)) / 1000;
    if (c->instance)
        snprintf(prefix, sizeof(prefix), "\"%.90s\"[%u] %s", c->name, c->instance,
                 i->remote.port == IKE_PORT ? ADDR_STR(&i->remote.ip) : ADDR_PORT(&i->remote));
    else
        snprintf(prefix, sizeof(prefix), "\"%.120s\"", c->name);
    snprintf(flags, sizeof(flags), "%s%s%s%s",
             st->phase1 && c->newest_isakmp == st->serial ? "; newest ISAKMP" : "",
             !st->phase1 && c->newest_ipsec == st->serial ? "; newest IPSEC" : "",
             !st->phase1 && c->eroute_owner == st->serial ? "; eroute owner" : "",
             all && st->phase1 && i->dpd.on && c->newest_isakmp == st->serial ? "; DPD active" : "");
    v->serial = st->serial;
    v->c = c;
    if (left >= 0)
        snprintf(v->text, sizeof(v->text), "#%llu: %s %s (%s); %s in %llds%s", (unsigned long long)st->serial,
                 prefix, state_name(st->state), state_story(st->state), event_name(st->event),
                 (long long)left, flags);
    else
        snprintf(v->text, sizeof(v->text), "#%llu: %s %s (%s); none in -1s%s", (unsigned long long)st->serial,
                 prefix, state_name(st->state), state_story(st->state), flags);
    if (!st->phase1 && state_ipsec_established(st->state)) {
        v->ipsec = true;
        put_ids(v, container_of(st, const quick, st));
    }
}

static void show_ids(const printer *o, const state_view *v)
{
    pluto *p = o->p;
    kernel *k = p->e->kernel;
    char prefix[CONN_LABEL];
    buf b = {0};
    int64_t wall = runtime_wall_s(p->e->rt);
    buf_printf(&b, "#%llu: %s ", (unsigned long long)v->serial, pconn_prefix(v->c, prefix, sizeof(prefix)));
    for (size_t n = 0; n < v->n; n++) {
        const said *s = &v->ids[n];
        kernel_sa_id id = {.src = s->src, .dst = s->dst, .spi = s->spi, .proto = s->proto};
        kernel_sa_stats stats;
        buf_printf(&b, "%s%s%c%x@%s", n ? " " : "", s->name, s->dst.family == AF_INET6 ? ':' : '.', s->spi,
                   ADDR_STR(&s->dst));
        if (s->proto != PROTO_ESP || k->ops->query_sa(k, &id, &stats) != ST_OK)
            continue;
        buf_printf(&b, " (%llu bytes", (unsigned long long)stats.bytes);
        if (stats.use_time_s)
            buf_printf(&b, ", %llds ago", (long long)(wall > stats.use_time_s ? wall - stats.use_time_s : 0));
        buf_put_str(&b, ")");
    }
    line(o, "%s; %s", buf_cstr(&b), v->tunnel ? "tunnel" : "transport");
    buf_free(&b);
}

static int by_conn(const void *a, const void *b)
{
    const state_view *x = a, *y = b;
    int d = strcmp(x->c->name, y->c->name);
    if (!d)
        d = x->c->instance < y->c->instance ? -1 : x->c->instance > y->c->instance;
    /* newest first, as the IPsec SA stands above its ISAKMP SA */
    return d ? d : (x->serial > y->serial ? -1 : x->serial < y->serial);
}

static bool shown(const pconn *c, const char *name)
{
    return c && (!name || strcmp(c->name, name) == 0 || strcmp(c->c->name, name) == 0);
}

static size_t collect(pluto *p, bool all, const char *name, state_view **out)
{
    size_t n = 0, max;
    ike *i;
    quick *q;
    pluto_lock(p);
    max = hashmap_count(p->by_serial);
    state_view *v = max ? calloc(max, sizeof(*v)) : NULL;
    LIST_EACH(&p->ikes, ike, node, i)
    {
        if (!v)
            break;
        if (!i->phase1_gone && shown(i->st.c, name) && n < max)
            view_state(p, &i->st, all, &v[n++]);
        LIST_EACH(&i->quicks, quick, node, q)
        {
            if (shown(q->st.c, name) && n < max)
                view_state(p, &q->st, all, &v[n++]);
        }
    }
    for (size_t k = 0; k < n; k++)
        pconn_ref((pconn *)v[k].c);
    pluto_unlock(p);
    *out = v;
    return n;
}

static void show_pending(const printer *o, const char *name)
{
    pluto *p = o->p;
    buf b = {0};
    ike *i;
    pending *w;
    pluto_lock(p);
    LIST_EACH(&p->ikes, ike, node, i)
    {
        LIST_EACH(&i->pendings, pending, node, w)
        {
            char prefix[CONN_LABEL];
            if (shown(w->c, name))
                buf_printf(&b, "#%llu: pending Phase 2 for %s replacing #%llu\n",
                           (unsigned long long)i->st.serial, pconn_prefix(w->c, prefix, sizeof(prefix)),
                           (unsigned long long)w->replaces);
        }
    }
    pluto_unlock(p);
    span rest = span_str(buf_cstr(&b)), one;
    while (span_cut(&rest, '\n', &one)) {
        if (one.n)
            line(o, "%.*s", (int)one.n, (const char *)one.p);
    }
    buf_free(&b);
}

void pluto_status(pluto *p, bool all, const char *name, pluto_line_fn *fn, void *ctx)
{
    printer o = {p, fn, ctx};
    state_view *v;
    if (all && !name)
        head(&o);
    pconns l = conns_all(p);
    for (size_t k = 0; k < l.n; k++) {
        if (shown(l.c[k], name))
            show_conn(&o, l.c[k], all);
    }
    pconns_free(&l);
    line(&o, " ");
    size_t n = collect(p, all, name, &v);
    if (n)
        qsort(v, n, sizeof(*v), by_conn);
    for (size_t k = 0; k < n; k++) {
        line(&o, "%s", v[k].text);
        if (v[k].ipsec)
            show_ids(&o, &v[k]);
        pconn_unref((pconn *)v[k].c);
    }
    free(v);
    show_pending(&o, name);
    line(&o, " ");
}

/* ---- for tests and metrics ---- */

void pluto_each_state(pluto *p, void (*fn)(void *ctx, const pluto_state_info *st), void *ctx)
{
    size_t n = 0, max;
    ike *i;
    quick *q;
    pluto_lock(p);
    max = hashmap_count(p->by_serial);
    pluto_state_info *v = max ? calloc(max, sizeof(*v)) : NULL;
    pconn **held = max ? calloc(max, sizeof(*held)) : NULL;
    LIST_EACH(&p->ikes, ike, node, i)
    {
        if (!v || !held)
            break;
        if (!i->phase1_gone && n < max) {
            v[n] = (pluto_state_info){.serial = i->st.serial,
                                      .isakmp = i->st.serial,
                                      .conn = i->st.c ? i->st.c->name : "",
                                      .instance = i->st.c ? i->st.c->instance : 0,
                                      .state = state_name(i->st.state),
                                      .phase1 = true,
                                      .established = state_isakmp_established(i->st.state),
                                      .initiator = i->st.initiator,
                                      .local = i->local};
            v[n].peer = i->remote;
            memcpy(v[n].cookies, i->cookies, 16);
            held[n++] = pconn_ref(i->st.c);
        }
        LIST_EACH(&i->quicks, quick, node, q)
        {
            if (n >= max)
                break;
            uint8_t x = q->spi_in[IDX(PROTO_ESP)] ? IDX(PROTO_ESP) : IDX(PROTO_AH);
            v[n] = (pluto_state_info){.serial = q->st.serial,
                                      .isakmp = i->st.serial,
                                      .conn = q->st.c ? q->st.c->name : "",
                                      .instance = q->st.c ? q->st.c->instance : 0,
                                      .state = state_name(q->st.state),
                                      .established = q->established,
                                      .initiator = q->st.initiator,
                                      .local = i->local,
                                      .spi_in = q->spi_in[x],
                                      .spi_out = q->spi_out[x]};
            v[n].peer = i->remote;
            memcpy(v[n].cookies, i->cookies, 16);
            held[n++] = pconn_ref(q->st.c);
        }
    }
    pluto_unlock(p);
    for (size_t k = 0; k < n; k++) {
        fn(ctx, &v[k]);
        pconn_unref(held[k]);
    }
    free(v);
    free(held);
}
