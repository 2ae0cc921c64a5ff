/* whack's requests: each is decoded, dispatched by a table, and answered with lines and an exit code. A
 * request that takes time keeps its client until the last state that works for it is done.
 */
#include "libfreeswan/wire/control.h"
#include "pluto/pluto.h"
#include "pluto/sa/client.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answering ---- */

static void waiter_line(void *ctx, int code, const char *text)
{
    ctl_line(ctx, code, "%s", text);
}

static void waiter_done(void *ctx, int exit_code)
{
    ctl_done(ctx, exit_code);
    ctl_unref(ctx);
}

static pluto_waiter waiter_of(ctl_client *c)
{
    return (pluto_waiter){waiter_line, waiter_done, ctl_ref(c)};
}

static void finish(ctl_client *c, int code, const char *text)
{
    ctl_line(c, code, "%s", text);
    ctl_done(c, code == RC_SUCCESS || code == RC_LOG || code == RC_COMMENT ? 0 : code);
}

static void status_line(void *ctx, const char *text)
{
    ctl_line(ctx, RC_COMMENT, "%s", text);
}

/* ---- requests ---- */

typedef void whack_fn(pluto *p, ctl_client *c, const ctl_request *r);

static void add(pluto *p, ctl_client *c, const ctl_request *r, bool replace)
{
    conn *k;
    msgbuf why;
    char text[320];
    msg_clear(&why);
    if (conn_decode(&k, r->conn, &why) != ST_OK) {
        finish(c, RC_BADWHACKMESSAGE, why.text);
        return;
    }
    status st = pluto_add_conn(p, k, replace, &why);
    snprintf(text, sizeof(text), "added connection description \"%s\"", k->name);
    conn_unref(k);
    if (st == ST_OK)
        finish(c, RC_LOG, text);
    else
        finish(c, st == ST_EXISTS ? RC_DUPNAME : RC_LOG_SERIOUS, why.text[0] ? why.text : status_text(st));
}

static void add_conn(pluto *p, ctl_client *c, const ctl_request *r)
{
    add(p, c, r, false);
}

static void replace_conn(pluto *p, ctl_client *c, const ctl_request *r)
{
    add(p, c, r, true);
}

static void del_conn(pluto *p, ctl_client *c, const ctl_request *r)
{
    char text[320];
    if (pluto_del_conn(p, r->name) == ST_OK) {
        snprintf(text, sizeof(text), "\"%s\": deleting connection", r->name);
        finish(c, RC_LOG, text);
    } else {
        /* deleting what is not there is no failure: starter does it to be sure */
        snprintf(text, sizeof(text), "no connection named \"%s\"", r->name);
        finish(c, RC_UNKNOWN_NAME, text);
    }
}

static void check_conn(pluto *p, ctl_client *c, const ctl_request *r)
{
    conn *k;
    msgbuf why;
    if (conn_decode(&k, r->conn, &why) != ST_OK) {
        finish(c, RC_BADWHACKMESSAGE, why.text);
        return;
    }
    pconns l = conns_by_name(p, k->name, false);
    bool same = l.n > 0 && conn_equal(l.c[0]->c, k);
    pconns_free(&l);
    conn_unref(k);
    finish(c, RC_COMMENT, same ? "same" : "different");
}

static void add_ca(pluto *p, ctl_client *c, const ctl_request *r)
{
    ca_section *s;
    msgbuf why;
    char text[320];
    msg_clear(&why);
    if (ca_section_decode(&s, r->ca, &why) != ST_OK) {
        finish(c, RC_BADWHACKMESSAGE, why.text);
        return;
    }
    if (r->type == CTL_REQ_REPLACE_CA && credstore_del_ca(p->e->cred, s->name) == ST_OK)
        plog_daemon(p, "ca \"%s\" is replaced", s->name);
    ca_info info = {s->name,    s->cacert,  s->ldaphost, s->ldapbase,   s->crluri,
                    s->crluri2, s->ocspuri, s->ocspuri2, s->certuribase};
    status st = credstore_add_ca(p->e->cred, &info, &why);
    snprintf(text, sizeof(text), "added ca description \"%s\"", s->name);
    ca_section_unref(s);
    if (st == ST_OK) {
        plog_daemon(p, "%s", text);
        finish(c, RC_LOG, text);
    } else {
        finish(c, st == ST_EXISTS ? RC_DUPNAME : RC_LOG_SERIOUS, why.text[0] ? why.text : status_text(st));
    }
}

static void del_ca(pluto *p, ctl_client *c, const ctl_request *r)
{
    char text[320];
    bool ok = credstore_del_ca(p->e->cred, r->name) == ST_OK;
    snprintf(text, sizeof(text), ok ? "deleting ca description \"%s\"" : "no ca named \"%s\"", r->name);
    finish(c, ok ? RC_LOG : RC_UNKNOWN_NAME, text);
}

static void initiate(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_waiter w = waiter_of(c);
    pluto_initiate(p, r->name, r->asynchronous, &w);
}

static void terminate(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_waiter w = waiter_of(c);
    pluto_terminate(p, r->name, &w);
}

static void route(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_waiter w = waiter_of(c);
    pluto_route(p, r->name, &w);
}

static void unroute(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_waiter w = waiter_of(c);
    pluto_unroute(p, r->name, &w);
}

static void show_status(pluto *p, ctl_client *c, const ctl_request *r)
{
    buf out = {0};
    if (!r->json) {
        pluto_status(p, r->all, r->name, status_line, c);
    } else if (pluto_status_json(p, r->name, &out) == ST_OK) {
        ctl_text(c, RC_COMMENT, buf_span(&out));
    } else {
        finish(c, RC_INTERNALERR, "no memory");
        buf_free(&out);
        return;
    }
    buf_free(&out);
    ctl_done(c, 0);
}

static void list_things(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_list(p, r->mask, r->utc, status_line, c);
    ctl_done(c, 0);
}

static void listen_request(pluto *p, ctl_client *c, const ctl_request *r);

static void unlisten(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_unlisten(p);
    finish(c, RC_LOG, "no longer listening for IKE messages");
}

static void set_debug(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_set_debug(p, r->name, r->mask);
    ctl_done(c, 0);
}

static void set_options(pluto *p, ctl_client *c, const ctl_request *r)
{
    const ctl_options *o = &r->options;
    pluto_lock(p);
    if (o->strictcrl >= 0)
        p->opt.strictcrl = o->strictcrl;
    if (o->uniqueids >= 0)
        p->opt.uniqueids = o->uniqueids != UNIQUE_NO;
    if (o->nocrsend >= 0)
        p->opt.nocrsend = o->nocrsend;
    if (o->nat_traversal >= 0)
        p->opt.nat_traversal = o->nat_traversal;
    if (o->force_keepalive >= 0)
        p->opt.force_keepalive = o->force_keepalive;
    if (o->keep_alive_s >= 0)
        p->opt.keep_alive_s = o->keep_alive_s;
    pluto_unlock(p);
    ctl_done(c, 0);
}

static void delete_state(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_waiter w = waiter_of(c);
    pluto_delete_state(p, r->serial, &w);
}

static void crash(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_waiter w = waiter_of(c);
    pluto_crash(p, &r->from, &w);
}

static void set_myid(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_set_myid(p, r->text);
    ctl_done(c, 0);
}

static void add_pubkey(pluto *p, ctl_client *c, const ctl_request *r)
{
    ident *id;
    pubkey *k = NULL;
    msgbuf why;
    msg_clear(&why);
    if (ident_from_text(&id, r->text, &why) != ST_OK) {
        finish(c, RC_BADID, why.text);
        return;
    }
    if (r->data.n == 0) {
        ident_unref(id);
        finish(c, RC_NOKEY, "keys are not looked up in the DNS: give one with --pubkeyrsa");
        return;
    }
    status st = pubkey_from_rfc3110(&k, r->data, &why);
    if (st == ST_OK && !r->keep)
        credstore_remove_pubkeys(p->e->cred, id);
    if (st == ST_OK)
        st = credstore_add_pubkey(p->e->cred, id, k);
    pubkey_unref(k);
    ident_unref(id);
    if (st == ST_OK)
        ctl_done(c, 0);
    else
        finish(c, RC_LOG_SERIOUS, why.text[0] ? why.text : status_text(st));
}

static void purge(pluto *p, ctl_client *c, const ctl_request *r)
{
    ctl_done(c, 0);
}

static void shut_down(pluto *p, ctl_client *c, const ctl_request *r)
{
    finish(c, RC_LOG, "shutting down");
    if (p->on_shutdown)
        p->on_shutdown(p->shutdown_ctx);
}

/* ---- files: read by a slow worker, which may ask for pass phrases ---- */

typedef struct reread {
    pluto *p;
    ctl_client *c;
    uint32_t mask;
} reread;

typedef struct question {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool answered;
    char *answer;
    size_t size, n;
} question;

static void on_answer(void *ctx, span answer)
{
    question *q = ctx;
    pthread_mutex_lock(&q->lock);
    q->n = answer.n < q->size ? answer.n : 0;
    if (q->n)
        memcpy(q->answer, answer.p, q->n);
    q->answered = true;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
}

static size_t ask(void *ctx, const char *what, char *answer, size_t size)
{
    question q = {.answer = answer, .size = size};
    pthread_mutex_init(&q.lock, NULL);
    pthread_cond_init(&q.wake, NULL);
    ctl_prompt(ctx, what, false, on_answer, &q);
    pthread_mutex_lock(&q.lock);
    while (!q.answered)
        pthread_cond_wait(&q.wake, &q.lock);
    pthread_mutex_unlock(&q.lock);
    pthread_cond_destroy(&q.wake);
    pthread_mutex_destroy(&q.lock);
    if (q.n < size)
        answer[q.n] = 0;
    return q.n;
}

static void reread_now(void *arg)
{
    reread *r = arg;
    static const struct {
        uint32_t bit;
        cert_dir dir;
    } dirs[] = {{CTL_REREAD_CACERTS, DIR_CACERTS},
                {CTL_REREAD_AACERTS, DIR_AACERTS},
                {CTL_REREAD_OCSPCERTS, DIR_OCSPCERTS},
                {CTL_REREAD_ACERTS, DIR_ACERTS},
                {CTL_REREAD_CRLS, DIR_CRLS}};
    credstore *s = r->p->e->cred;
    for (size_t k = 0; k < sizeof(dirs) / sizeof(dirs[0]); k++) {
        if ((r->mask & dirs[k].bit) && credstore_load_dir(s, dirs[k].dir) != ST_OK)
            ctl_line(r->c, RC_LOG_SERIOUS, "ipsec.d/%s could not be read", cert_dir_names[dirs[k].dir]);
    }
    if ((r->mask & CTL_REREAD_SECRETS) && credstore_load_secrets(s, ask, r->c) != ST_OK)
        ctl_line(r->c, RC_LOG_SERIOUS, "not all secrets could be loaded: see the log");
    ctl_done(r->c, 0);
    ctl_unref(r->c);
    free(r);
}

static void reread_drop(void *arg)
{
    reread *r = arg;
    ctl_unref(r->c);
    free(r);
}

static void reread_files(pluto *p, ctl_client *c, uint32_t mask)
{
    reread *r = calloc(1, sizeof(*r));
    if (r)
        *r = (reread){p, ctl_ref(c), mask};
    if (!r || runtime_post_slow(p->e->rt, reread_now, reread_drop, r) != ST_OK) {
        if (r)
            reread_drop(r);
        finish(c, RC_INTERNALERR, "no memory");
    }
}

static void reread_request(pluto *p, ctl_client *c, const ctl_request *r)
{
    reread_files(p, c, r->mask);
}

static void listen_request(pluto *p, ctl_client *c, const ctl_request *r)
{
    pluto_listen(p);
    ctl_line(c, RC_LOG, "listening for IKE messages");
    reread_files(p, c, CTL_REREAD_SECRETS);
}

/* ---- dispatch ---- */

static const struct {
    ctl_type type;
    whack_fn *fn;
} requests[] = {
    {CTL_REQ_ADD_CONN, add_conn},
    {CTL_REQ_REPLACE_CONN, replace_conn},
    {CTL_REQ_DEL_CONN, del_conn},
    {CTL_REQ_CHECK, check_conn},
    {CTL_REQ_ADD_CA, add_ca},
    {CTL_REQ_REPLACE_CA, add_ca},
    {CTL_REQ_DEL_CA, del_ca},
    {CTL_REQ_INITIATE, initiate},
    {CTL_REQ_TERMINATE, terminate},
    {CTL_REQ_ROUTE, route},
    {CTL_REQ_UNROUTE, unroute},
    {CTL_REQ_STATUS, show_status},
    {CTL_REQ_LIST, list_things},
    {CTL_REQ_REREAD, reread_request},
    {CTL_REQ_PURGE, purge},
    {CTL_REQ_DEBUG, set_debug},
    {CTL_REQ_LISTEN, listen_request},
    {CTL_REQ_UNLISTEN, unlisten},
    {CTL_REQ_SHUTDOWN, shut_down},
    {CTL_REQ_CONFIG, set_options},
    {CTL_REQ_DELETESTATE, delete_state},
    {CTL_REQ_CRASH, crash},
    {CTL_REQ_MYID, set_myid},
    {CTL_REQ_ADD_PUBKEY, add_pubkey},
};

void pluto_whack_handle(void *ctx, ctl_client *client, uint16_t type, span body)
{
    pluto *p = ctx;
    ctl_request r;
    arena mem;
    msgbuf why;
    arena_init(&mem, CTL_MAX_RECORD * 2);
    msg_clear(&why);
    if (ctl_decode(&r, type, body, &mem, &why) != ST_OK) {
        finish(client, RC_BADWHACKMESSAGE, why.text[0] ? why.text : "ignoring message from whack");
        arena_free(&mem);
        return;
    }
    whack_fn *fn = NULL;
    for (size_t k = 0; k < sizeof(requests) / sizeof(requests[0]); k++) {
        if (requests[k].type == r.type)
            fn = requests[k].fn;
    }
    if (fn) {
        fn(p, client, &r);
    } else {
        char text[120];
        snprintf(text, sizeof(text), "pluto does not know how to %s", ENUM_STR(ctl_type_names, r.type));
        finish(client, RC_WHACK_PROBLEM, text);
    }
    arena_free(&mem);
}
