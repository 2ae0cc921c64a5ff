/* The stroke socket: what `ipsec stroke` and the starter ask the engine for. Each record is one request; it
 * is answered with lines and an exit status. Requests that take time (up, down) keep their client and a
 * channel of the log bus, so that the terminal shows what happens to that IKE_SA, and end it when the engine
 * says so.
 */
#include "charon/plugins/stroke/stroke.h"
#include "charon/sa/ike_sa.h"
#include "libstrongswan/run/paths.h"
#include <stdlib.h>
#include <sys/stat.h>

/* ---- clients that wait ---- */
typedef struct waiting { /* may outlive server and engine: it needs only what they borrow, too */
    runtime *rt;
    log_bus *bus;
    ctl_client *client;
    uint64_t listener;
    status result;
    char why[256];
} waiting;

static void show_line(void *ctx, const log_event *ev)
{
    waiting *w = ctx;

    ctl_line(w->client, 0, "%s", ev->text);
}

static void end_waiting(void *arg)
{
    waiting *w = arg;

    log_bus_flush(w->bus);
    if (w->listener)
        log_unlisten(w->bus, w->listener);
    /* 21, as whack says it: not a conn of this daemon; `ipsec up` asks both */
    bool foreign = w->result == ST_NOT_FOUND || w->result == ST_UNSUPPORTED;
    ctl_done(w->client, w->result == ST_OK ? 0 : foreign ? 21 : 1);
    ctl_unref(w->client);
    free(w);
}

static void operation_done(void *ctx, status result, const char *why)
{
    waiting *w = ctx;

    (void)why;
    w->result = result;
    /* flushing waits for the listeners: not on a worker */
    if (runtime_post_slow(w->rt, end_waiting, end_waiting, w) != ST_OK)
        end_waiting(w);
}

typedef void operation(charon *c, const char *name, const charon_wait *w);

/* `ipsec up` asks both daemons: a conn that is only pluto's is silently left to it. */
static bool is_plutos(stroke_server *s, const char *name)
{
    oriented there;
    bool theirs;

    if (conntab_find(s->ch->conns, name, &there) != ST_OK)
        return false;
    theirs = !(there.c->version & CONN_IKEV2);
    conn_unref(there.c);
    return theirs;
}

static void run_operation(stroke_server *s, ctl_client *client, const ctl_request *r, operation *op)
{
    charon_wait cw = {.done = operation_done};
    int levels[LG_COUNT];
    waiting *w;

    if (is_plutos(s, r->name)) {
        ctl_done(client, 0);
        return;
    }
    cw.ctx = w = r->asynchronous ? NULL : calloc(1, sizeof(*w));
    if (!w) {
        op(s->ch, r->name, NULL);
        ctl_done(client, 0);
        return;
    }
    for (int i = 0; i < LG_COUNT; i++)
        levels[i] = 1;
    w->rt = RT(s->ch);
    w->bus = s->log.bus;
    w->client = ctl_ref(client);
    cw.channel = charon_new_channel(s->ch);
    w->listener = log_listen(s->log.bus, cw.channel, levels, show_line, w);
    op(s->ch, r->name, &cw);
}

/* ---- configuration ---- */
static void answer(ctl_client *client, status st, const msgbuf *why)
{
    if (st != ST_OK)
        ctl_line(client, 0, "%s", why->text[0] ? why->text : status_text(st));
    ctl_done(client, st == ST_OK ? 0 : 1);
}

static void add_conn(stroke_server *s, ctl_client *client, const ctl_request *r, bool replace)
{
    msgbuf why = {0};
    bool routed = false;
    conn *c = NULL;
    status st = conn_decode(&c, r->conn, &why);

    if (st == ST_OK)
        LOG(&s->log, CFG, 1, "received stroke: %s connection '%s'", replace ? "replace" : "add", c->name);
    if (st == ST_OK && replace) {
        msgbuf ignored;
        routed = trap_exists(s->ch, c->name);
        if (charon_del_conn(s->ch, c->name, &ignored) != ST_OK)
            LOG(&s->log, CFG, 2, "%s: it is added", ignored.text);
    }
    if (st == ST_OK)
        st = charon_add_conn(s->ch, c, &why);
    if (st != ST_OK)
        LOG(&s->log, CFG, 1, "connection refused: %s", why.text);
    else if (routed)
        charon_route(s->ch, c->name, NULL);
    conn_unref(c);
    answer(client, st, &why);
}

static void check_conn(stroke_server *s, ctl_client *client, const ctl_request *r)
{
    msgbuf why = {0};
    oriented there;
    conn *c = NULL;
    status st = conn_decode(&c, r->conn, &why);
    bool same = false;

    if (st == ST_OK && conntab_find(s->ch->conns, c->name, &there) == ST_OK) {
        same = conn_equal(there.c, c);
        conn_unref(there.c);
    }
    if (st == ST_OK)
        ctl_line(client, 0, "%s", same ? "same" : "different");
    conn_unref(c);
    answer(client, st, &why);
}

static void add_ca(stroke_server *s, ctl_client *client, const ctl_request *r, bool replace)
{
    msgbuf why = {0}, ignored;
    ca_section *ca = NULL;
    status st = ca_section_decode(&ca, r->ca, &why);

    if (st == ST_OK) {
        LOG(&s->log, CFG, 1, "received stroke: add ca '%s'", ca->name);
        if (replace && charon_del_ca(s->ch, ca->name, &ignored) != ST_OK)
            LOG(&s->log, CFG, 2, "%s: it is added", ignored.text);
        st = charon_add_ca(s->ch, ca, &why);
    }
    ca_section_unref(ca);
    answer(client, st, &why);
}

/* ---- rereading ---- */
static void reread(stroke_server *s, uint32_t mask)
{
    static const struct {
        uint32_t bit;
        cert_dir dir;
        const char *what;
    } dirs[] = {
        {CTL_REREAD_CACERTS, DIR_CACERTS, "ca"},
        {CTL_REREAD_AACERTS, DIR_AACERTS, "aa"},
        {CTL_REREAD_OCSPCERTS, DIR_OCSPCERTS, "ocsp signer"},
        {CTL_REREAD_ACERTS, DIR_ACERTS, "attribute"},
        {CTL_REREAD_CRLS, DIR_CRLS, "crl"},
    };
    credstore *cs = s->ch->env->cred;

    if (mask & CTL_REREAD_SECRETS) {
        LOG(&s->log, CFG, 1, "rereading secrets");
        if (credstore_load_secrets(cs, NULL, NULL) != ST_OK)
            LOG(&s->log, CFG, 1, "rereading secrets failed in parts");
    }
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        if (!(mask & dirs[i].bit))
            continue;
        LOG(&s->log, CFG, 1, "rereading %s certificates", dirs[i].what);
        if (credstore_load_dir(cs, dirs[i].dir) != ST_OK)
            LOG(&s->log, CFG, 1, "rereading %s certificates failed in parts", dirs[i].what);
    }
    cfg_cache_forget(s->ch->cfgs, NULL); /* their certificates may be others now */
}

/* ---- log levels ---- */
static void log_level(stroke_server *s, ctl_client *client, const ctl_request *r)
{
    if (r->level < -1 || r->level > 4) {
        ctl_line(client, 0, "invalid level (%d)!", r->level);
        ctl_done(client, 1);
        return;
    }
    LOG(&s->log, CFG, 1, "received stroke: loglevel %d for %s", r->level,
        r->group == LG_COUNT ? "any" : log_group_names[r->group]);
    for (size_t i = 0; i < s->n_sinks; i++)
        log_set_level(s->log.bus, s->sinks[i], (log_group)r->group, r->level);
    ctl_done(client, 0);
}

/* ---- purging ---- */
static bool collect_childless(void *ctx, const charon_ike_info *i)
{
    buf *names = ctx;

    if (i->state == IKE_ESTABLISHED && i->children == 0)
        buf_printf(names, "[%llu] ", (unsigned long long)i->unique);
    return true;
}

static void purge_ike(stroke_server *s)
{
    buf names = {0};
    span rest, word;
    char name[40];

    charon_each_ike(s->ch, collect_childless, &names);
    rest = buf_span(&names);
    while (span_cut(&rest, ' ', &word)) {
        if (word.n)
            charon_terminate(s->ch, span_cstr(word, name, sizeof(name)), NULL);
    }
    buf_free(&names);
}

static void show_status(stroke_server *s, ctl_client *client, const ctl_request *r)
{
    buf out = {0};

    const char *name = r->name && r->name[0] ? r->name : NULL;
    if (r->json && charon_status_json(s->ch, name, &out) != ST_OK) {
        ctl_line(client, 0, "out of memory");
        ctl_done(client, 1);
        buf_free(&out);
        return;
    }
    if (!r->json)
        charon_status(s->ch, name, r->all, &out);
    ctl_text(client, 0, buf_span(&out));
    buf_free(&out);
    ctl_done(client, 0);
}

static void show_list(stroke_server *s, ctl_client *client, const ctl_request *r)
{
    buf out = {0};

    stroke_list(s->ch, r->mask, r->utc, &out);
    ctl_text(client, 0, buf_span(&out));
    buf_free(&out);
    ctl_done(client, 0);
}

static void show_leases(stroke_server *s, ctl_client *client, const ctl_request *r)
{
    oriented *conns = NULL;
    buf out = {0};
    size_t n = 0;

    if (conntab_list(s->ch->conns, &conns, &n) != ST_OK)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        const char *pool = conns[i].peer->sourceip;
        if (pool && strchr(pool, '/') && (!r->name || !r->name[0] || strcmp(r->name, conns[i].c->name) == 0))
            leases_put(s->ch, conns[i].c->name, pool, r->from.family ? &r->from : NULL, &out);
    }
    conntab_list_free(conns, n);
    if (out.n == 0)
        buf_put_str(&out, "no pools found\n");
    ctl_text(client, 0, buf_span(&out));
    buf_free(&out);
    ctl_done(client, 0);
}

static void down_srcip(stroke_server *s, ctl_client *client, const ctl_request *r)
{
    unsigned n = charon_terminate_vip(s->ch, &r->from, r->to.family ? &r->to : &r->from);

    LOG(&s->log, CFG, 1, "received stroke: terminate by source IP: %u IKE_SAs", n);
    if (n == 0)
        ctl_line(client, 0, "no such SA found");
    ctl_done(client, n ? 0 : 1);
}

static void dispatch(stroke_server *s, ctl_client *client, const ctl_request *r)
{
    msgbuf why = {0};

    switch (r->type) {
    case CTL_REQ_ADD_CONN:
        add_conn(s, client, r, false);
        return;
    case CTL_REQ_REPLACE_CONN:
        add_conn(s, client, r, true);
        return;
    case CTL_REQ_CHECK:
        check_conn(s, client, r);
        return;
    case CTL_REQ_DEL_CONN:
        LOG(&s->log, CFG, 1, "received stroke: delete connection '%s'", r->name);
        answer(client, charon_del_conn(s->ch, r->name, &why), &why);
        return;
    case CTL_REQ_ADD_CA:
        add_ca(s, client, r, false);
        return;
    case CTL_REQ_REPLACE_CA:
        add_ca(s, client, r, true);
        return;
    case CTL_REQ_DEL_CA:
        LOG(&s->log, CFG, 1, "received stroke: delete ca '%s'", r->name);
        answer(client, charon_del_ca(s->ch, r->name, &why), &why);
        return;
    case CTL_REQ_INITIATE:
        LOG(&s->log, CFG, 1, "received stroke: initiate '%s'", r->name);
        run_operation(s, client, r, charon_initiate);
        return;
    case CTL_REQ_TERMINATE:
        LOG(&s->log, CFG, 1, "received stroke: terminate '%s'", r->name);
        run_operation(s, client, r, charon_terminate);
        return;
    case CTL_REQ_ROUTE:
        LOG(&s->log, CFG, 1, "received stroke: route '%s'", r->name);
        run_operation(s, client, r, charon_route);
        return;
    case CTL_REQ_UNROUTE:
        LOG(&s->log, CFG, 1, "received stroke: unroute '%s'", r->name);
        run_operation(s, client, r, charon_unroute);
        return;
    case CTL_REQ_STATUS:
        show_status(s, client, r);
        return;
    case CTL_REQ_LIST:
        show_list(s, client, r);
        return;
    case CTL_REQ_REREAD:
        reread(s, r->mask);
        ctl_done(client, 0);
        return;
    case CTL_REQ_PURGE:
        if (r->mask & CTL_PURGE_IKE)
            purge_ike(s);
        ctl_done(client, 0);
        return;
    case CTL_REQ_CONFIG: /* revocation and uniqueness come with each conn */
        if (r->options.cookie_threshold >= 0)
            atomic_store(&s->ch->set.cookie_threshold, (unsigned)r->options.cookie_threshold);
        ctl_done(client, 0);
        return;
    case CTL_REQ_LEASES:
        show_leases(s, client, r);
        return;
    case CTL_REQ_DOWN_SRCIP:
        down_srcip(s, client, r);
        return;
    case CTL_REQ_LOGLEVEL:
        log_level(s, client, r);
        return;
    default:
        ctl_line(client, 0, "charon does not know the request '%s'", ENUM_STR(ctl_type_names, r->type));
        ctl_done(client, 1);
    }
}

static void handle(void *ctx, ctl_client *client, uint16_t type, span body)
{
    stroke_server *s = ctx;
    ctl_request r;
    msgbuf why = {0};
    arena mem;
    status st;

    arena_init(&mem, CTL_MAX_RECORD);
    st = ctl_decode(&r, type, body, &mem, &why);
    if (st == ST_OK) {
        dispatch(s, client, &r);
    } else {
        LOG(&s->log, CFG, 1, "stroke request refused: %s", why.text);
        answer(client, st, &why);
    }
    arena_free(&mem);
}

status stroke_server_new(stroke_server **out, charon *c, const char *path, const uint64_t *sinks, msgbuf *msg)
{
    stroke_server *s = calloc(1, sizeof(*s));
    char built_in[256];
    ctl_server_config cfg = {.path = path,
                             .magic = CTL_MAGIC_STROKE,
                             .mode = 0770,
                             .group = (gid_t)-1,
                             .handle = handle,
                             .ctx = s};
    status st;

    if (!s)
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    if (!path)
        cfg.path = path_join(path_piddir(), "charon.ctl", built_in, sizeof(built_in));
    s->ch = c;
    s->log = (log_scope){.bus = c->log.bus};
    cfg.log = s->log;
    while (sinks && sinks[s->n_sinks] && s->n_sinks < STROKE_MAX_SINKS) {
        s->sinks[s->n_sinks] = sinks[s->n_sinks];
        s->n_sinks++;
    }
    st = ctl_server_new(&s->ctl, RT(c), &cfg);
    if (st != ST_OK) {
        msg_set(msg, "control socket '%s' could not be opened: %s", cfg.path, status_text(st));
        free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void stroke_server_free(stroke_server *s)
{
    if (!s)
        return;
    ctl_server_free(s->ctl);
    free(s);
}
