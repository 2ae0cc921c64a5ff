/* `ipsec status --json`: pluto's document (libfreeswan/env/report.h has its shape). The states are copied
 * under the lock; the kernel is asked for byte counts outside.
 */
#include "libfreeswan/env/report.h"
#include "pluto/pluto.h"
#include "pluto/sa/algnames.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include <stdlib.h>
#include <string.h>

#define ESP_INDEX (PROTO_ESP - PROTO_AH)

typedef struct state_copy {
    uint64_t serial, isakmp;
    pconn *c; /* referenced */
    const char *state;
    bool phase1, established, initiator, tunnel;
    endpoint local, remote;
    char remote_id[IDENT_TEXT];
    uint8_t cookies[16];
    uint32_t spi_in, spi_out;
    int64_t since;
    unsigned tries;
    traffic_sel mine, theirs;
} state_copy;

static bool wanted(const pconn *c, const char *only)
{
    return c && (!only || strcmp(c->name, only) == 0 || strcmp(c->c->name, only) == 0);
}

/* lock held */
static void copy_state(const pstate *st, state_copy *v)
{
    const ike *i = st->ike;
    *v = (state_copy){.serial = st->serial,
                      .isakmp = i->st.serial,
                      .c = pconn_ref(st->c),
                      .state = state_name(st->state),
                      .phase1 = st->phase1,
                      .initiator = st->initiator,
                      .local = i->local,
                      .remote = i->remote,
                      .since = st->established_wall,
                      .tries = st->keying_try};
    memcpy(v->cookies, i->cookies, sizeof(v->cookies));
    if (st->phase1) {
        v->established = state_isakmp_established(st->state);
        if (v->established && i->peer_id)
            ident_text(i->peer_id, v->remote_id, sizeof(v->remote_id));
        return;
    }
    const quick *q = container_of(st, const quick, st);
    size_t x = q->spi_in[ESP_INDEX] ? ESP_INDEX : 0;
    v->established = q->established;
    v->tunnel = q->tunnel;
    v->spi_in = q->spi_in[x];
    v->spi_out = q->spi_out[x];
    if (q->established) {
        v->mine = q->my_ts;
        v->theirs = q->peer_ts;
    }
}

static state_copy *collect(pluto *p, const char *only, size_t *n)
{
    ike *i;
    quick *q;
    *n = 0;
    pluto_lock(p);
    size_t max = hashmap_count(p->by_serial);
    state_copy *v = max ? calloc(max, sizeof(*v)) : NULL;
    LIST_EACH(&p->ikes, ike, node, i)
    {
        if (!v)
            break;
        if (!i->phase1_gone && wanted(i->st.c, only) && *n < max)
            copy_state(&i->st, &v[(*n)++]);
        LIST_EACH(&i->quicks, quick, node, q)
        {
            if (wanted(q->st.c, only) && *n < max)
                copy_state(&q->st, &v[(*n)++]);
        }
    }
    pluto_unlock(p);
    return v;
}

/* ---- SAs ---- */

static uint64_t bytes_of(pluto *p, const ip_addr *src, const ip_addr *dst, uint32_t spi)
{
    kernel_sa_id id = {.src = *src, .dst = *dst, .spi = spi, .proto = PROTO_ESP};
    kernel_sa_stats s;
    return spi && p->e->kernel->ops->query_sa(p->e->kernel, &id, &s) == ST_OK ? s.bytes : 0;
}

static json_t *child_new(pluto *p, const state_copy *v)
{
    return report_child_new(&(report_child){
        .conn = v->c->name,
        .state = v->state,
        .mode = v->tunnel ? "tunnel" : "transport",
        .id = v->serial,
        .spi_in = v->spi_in,
        .spi_out = v->spi_out,
        .bytes_in = bytes_of(p, &v->remote.ip, &v->local.ip, v->spi_in),
        .bytes_out = bytes_of(p, &v->local.ip, &v->remote.ip, v->spi_out),
        .established = v->established ? v->since : 0,
        .installed = v->established,
        .mine = &v->mine,
        .theirs = &v->theirs,
        .n_mine = v->established,
        .n_theirs = v->established,
    });
}

static json_t *isakmp_new(const state_copy *v)
{
    json_t *j = json_pack("{s:s, s:I, s:s, s:b, s:b, s:s, s:i, s:s, s:i, s:s, s:i, s:[]}", "conn", v->c->name,
                          "id", (json_int_t)v->isakmp, "state", v->phase1 ? v->state : "gone", "busy", 0,
                          "initiator", v->initiator, "local", ADDR_STR(&v->local.ip), "local_port",
                          (int)v->local.port, "remote", ADDR_STR(&v->remote.ip), "remote_port",
                          (int)v->remote.port, "remote_id", v->remote_id[0] ? v->remote_id : "%any", "tries",
                          (int)v->tries, "children");
    if (j && v->phase1 && v->established)
        json_object_set_new(j, "established", json_integer((json_int_t)v->since));
    return j;
}

/* The quick modes hang under their ISAKMP SA; those whose ISAKMP SA is over, or was not asked for, under one
 * that says so. */
static void tell_states(pluto *p, const state_copy *v, size_t n, json_t *sas)
{
    for (size_t i = 0; i < n; i++) {
        json_t *under = NULL, *one;
        size_t k;
        json_array_foreach(sas, k, one)
        {
            if (json_integer_value(json_object_get(one, "id")) == (json_int_t)v[i].isakmp)
                under = one;
        }
        if (!under) {
            under = isakmp_new(&v[i]);
            json_array_append_new(sas, under);
        }
        if (!v[i].phase1)
            json_array_append_new(json_object_get(under, "children"), child_new(p, &v[i]));
    }
}

/* ---- conns ---- */

static void tell_conn(pluto *p, const pconn *c, const char *only, const state_copy *v, size_t n,
                      json_t *conns)
{
    unsigned up = 0;
    for (size_t i = 0; i < n; i++)
        up += !v[i].phase1 && v[i].established && strcmp(v[i].c->name, c->name) == 0;
    pluto_lock(p);
    bool routed = c->routed;
    pluto_unlock(p);
    report_conn r = {
        .name = c->name,
        .c = c->c,
        .me = c->me.cfg,
        .peer = c->peer.cfg,
        .oriented = c->oriented,
        .routed = routed,
        .my_id = c->me.id,
        .peer_id = c->peer.id,
        .my_cert = c->me.cert,
        .children = up,
        .details = only != NULL,
    };
    json_array_append_new(conns, report_conn_new(p->e, &r));
}

static void tell_counters(pluto *p, json_t *doc)
{
    pluto_stats s;
    json_t *j = json_object_get(doc, "counters");
    pluto_get_stats(p, &s);
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"half_open", s.half_open},     {"packets_in", s.packets_in},      {"packets_bad", s.packets_dropped},
        {"retransmits", s.retransmits}, {"ike_rekeyed", s.isakmp_rekeyed}, {"child_rekeyed", s.quick_rekeyed},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        json_object_set_new(j, all[i].name, json_integer((json_int_t)all[i].value));
}

status pluto_status_json(pluto *p, const char *name, buf *out)
{
    json_t *doc = report_new(p->e, p->e->started_wall_s);
    size_t n = 0;
    if (!doc)
        return ST_NO_MEMORY;
    state_copy *v = collect(p, name, &n);
    tell_states(p, v, n, json_object_get(doc, "sas"));
    pconns l = conns_all(p);
    for (size_t k = 0; k < l.n; k++)
        if (!l.c[k]->instance && (l.c[k]->c->version & CONN_IKEV1) && wanted(l.c[k], name))
            tell_conn(p, l.c[k], name, v, n, json_object_get(doc, "conns"));
    pconns_free(&l);
    for (size_t k = 0; k < n; k++)
        pconn_unref(v[k].c);
    free(v);
    tell_counters(p, doc);
    return report_end(doc, out);
}
