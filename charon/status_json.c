/* `ipsec status --json`: charon's document (libfreeswan/env/report.h has its shape). The SAs are walked
 * first, so that each conn can be told with what it has; a conn without any is in the document, too. An SA
 * that is busy for longer than a moment is told by its head.
 */
#include "charon/engine.h"
#include "charon/sa/ike_sa.h"
#include "libfreeswan/env/report.h"
#include "libstrongswan/base/hashmap.h"
#include <stdlib.h>
#include <time.h>

enum { LOCK_WAIT_MS = 500 };

typedef struct teller {
    charon *ch;
    const char *only; /* NULL: all conns */
    arena mem;        /* its keys */
    hashmap *up;      /* conn -> how many of its children are installed */
    json_t *sas;
} teller;

static bool lock_sa(ike_sa *sa)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += LOCK_WAIT_MS * 1000000L;
    ts.tv_sec += ts.tv_nsec / 1000000000L;
    ts.tv_nsec %= 1000000000L;
    return pthread_mutex_timedlock(&sa->lock, &ts) == 0;
}

/* ms of the runtime's clock to seconds of the wall */
static int64_t wall_of(const charon *ch, int64_t mono_ms)
{
    return mono_ms ? runtime_wall_s(RT(ch)) - (runtime_now_ms(RT(ch)) - mono_ms) / 1000 : 0;
}

static bool wanted(const teller *t, const char *name)
{
    return !t->only || strcmp(t->only, name) == 0;
}

static void count_up(teller *t, const char *name)
{
    uintptr_t n = (uintptr_t)hashmap_get(t->up, span_str(name));
    if (n)
        hashmap_remove(t->up, span_str(name));
    const char *kept = arena_str(&t->mem, span_str(name)); /* the conn may go while we look at others */
    if (kept)
        (void)!hashmap_add(t->up, span_str(kept), (void *)(n + 1)); /* without memory it is told as down */
}

static json_t *child_new(const teller *t, const child_sa *c)
{
    kchild_stats s = {0};
    static const char *const modes[] = {"transport", "tunnel", "beet"};
    (void)kchild_query(c->k, &s);
    return report_child_new(&(report_child){
        .conn = c->cfg->c->name,
        .state = ENUM_STR(child_state_names, c->state),
        .mode = modes[c->mode == MODE_TRANSPORT ? 0
                      : c->mode == MODE_BEET    ? 2
                                                : 1],
        .id = c->reqid,
        .spi_in = c->spi_in,
        .spi_out = c->spi_out,
        .bytes_in = s.bytes_in,
        .bytes_out = s.bytes_out,
        .established = wall_of(t->ch, c->installed_ms),
        .installed = c->state == CHILD_INSTALLED || c->state == CHILD_REKEYING,
        .mine = c->mine,
        .theirs = c->theirs,
        .n_mine = c->n_mine,
        .n_theirs = c->n_theirs,
    });
}

static json_t *head_new(const ike_sa *sa, bool whole)
{
    json_t *j = json_pack("{s:s, s:I, s:s, s:b, s:[]}", "conn", sa->name, "id", (json_int_t)sa->unique,
                          "state", ENUM_STR(ike_state_names, ike_sa_state(sa)), "busy", !whole, "children");
    int64_t since = wall_of(sa->ch, atomic_load(&sa->established_ms));
    if (!j || !whole)
        return j;
    json_object_set_new(j, "initiator", json_boolean(sa->initiator));
    json_object_set_new(j, "spi_i", json_sprintf("%016llx", (unsigned long long)sa->spi_i));
    json_object_set_new(j, "spi_r", json_sprintf("%016llx", (unsigned long long)sa->spi_r));
    json_object_set_new(j, "local", json_string(ADDR_STR(&sa->local.ip)));
    json_object_set_new(j, "local_port", json_integer(sa->local.port));
    json_object_set_new(j, "local_id", json_string(SA_ID(sa->my_id)));
    json_object_set_new(j, "remote", json_string(ADDR_STR(&sa->remote.ip)));
    json_object_set_new(j, "remote_port", json_integer(sa->remote.port));
    json_object_set_new(j, "remote_id", json_string(SA_ID(sa->peer_id)));
    json_object_set_new(j, "tries", json_integer(sa->tries));
    if (ike_sa_state(sa) >= IKE_ESTABLISHED && since)
        json_object_set_new(j, "established", json_integer((json_int_t)since));
    return j;
}

static void tell_sa(teller *t, ike_sa *sa)
{
    child_sa *c;
    bool locked = lock_sa(sa), any;
    json_t *j;

    if (locked && ike_sa_state(sa) == IKE_DESTROYED) {
        pthread_mutex_unlock(&sa->lock);
        return;
    }
    any = wanted(t, sa->name);
    j = head_new(sa, locked);
    if (locked) {
        LIST_EACH(&sa->children, child_sa, node, c)
        {
            if (!wanted(t, c->cfg->c->name))
                continue;
            any = true;
            json_array_append_new(json_object_get(j, "children"), child_new(t, c));
            if (c->state == CHILD_INSTALLED || c->state == CHILD_REKEYING)
                count_up(t, c->cfg->c->name);
        }
        pthread_mutex_unlock(&sa->lock);
    }
    if (any)
        json_array_append_new(t->sas, j);
    else
        json_decref(j);
}

static void tell_conn(const teller *t, const oriented *o, json_t *conns)
{
    peer_cfg *p = NULL;
    if (!(o->c->version & CONN_IKEV2) || o->c->version & CONN_IKEV1 || !wanted(t, o->c->name))
        return;
    if (cfg_cache_get(t->ch->cfgs, o, &p, NULL) != ST_OK)
        p = NULL;
    report_conn r = {
        .name = o->c->name,
        .c = o->c,
        .me = o->me,
        .peer = o->peer,
        .oriented = o->oriented,
        .routed = trap_exists(t->ch, o->c->name),
        .my_id = p ? p->my_id : NULL,
        .peer_id = p ? p->peer_id : NULL,
        .my_cert = p ? p->my_cert : NULL,
        .children = (unsigned)(uintptr_t)hashmap_get(t->up, span_str(o->c->name)),
        .details = t->only != NULL,
    };
    json_array_append_new(conns, report_conn_new(t->ch->env, &r));
    peer_cfg_unref(p);
}

static void tell_counters(charon *ch, json_t *doc)
{
    charon_stats s;
    json_t *j = json_object_get(doc, "counters");
    charon_get_stats(ch, &s);
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"half_open", s.half_open},
        {"packets_in", s.packets_in},
        {"packets_bad", s.packets_bad},
        {"retransmits", s.retransmits},
        {"handshakes_failed", s.handshakes_failed},
        {"ike_established", s.established_initiator + s.established_responder},
        {"child_created", s.child_created},
        {"ike_rekeyed", s.ike_rekeyed},
        {"child_rekeyed", s.child_rekeyed},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        json_object_set_new(j, all[i].name, json_integer((json_int_t)all[i].value));
}

status charon_status_json(charon *c, const char *name, buf *out)
{
    json_t *doc = report_new(c->env, c->started_wall_s);
    teller t = {.ch = c, .only = name, .sas = json_object_get(doc, "sas")};
    oriented *conns = NULL;
    size_t n = 0;

    if (!doc || hashmap_new(&t.up) != ST_OK) {
        json_decref(doc);
        return ST_NO_MEMORY;
    }
    arena_init(&t.mem, 0);
    ike_sa **sas = sa_table_all(c->sas, &n);
    for (size_t i = 0; i < n; i++)
        tell_sa(&t, sas[i]);
    sa_list_free(sas, n);
    if (conntab_list(c->conns, &conns, &n) == ST_OK) {
        for (size_t i = 0; i < n; i++)
            tell_conn(&t, &conns[i], json_object_get(doc, "conns"));
        conntab_list_free(conns, n);
    }
    hashmap_free(t.up);
    arena_free(&t.mem);
    tell_counters(c, doc);
    return report_end(doc, out);
}
