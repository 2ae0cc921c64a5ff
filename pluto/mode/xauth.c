/* XAUTH: the server asks for name and password under the established ISAKMP SA, then tells the outcome. */
#include "libstrongswan/base/text.h"
#include "pluto/mode/cfg.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <stdlib.h>
#include <string.h>

bool xauth_is_about(const ike *i, const ikev1_cfg *cfg)
{
    if (cfg->type == CFGV1_ACK && i->st.state == STATE_XAUTH_R2)
        return true;
    for (size_t k = 0; k < cfg->attrs.n; k++) {
        uint16_t t = WIRE_AT(cfg->attrs, wire_attr, k)->type;
        if (t >= XAUTH_TYPE && t <= XAUTH_ANSWER)
            return true;
    }
    return false;
}

/* ---- server ---- */

void xauth_start_server(ike *i)
{
    wire_attr a[] = {wire_attr_tlv(XAUTH_USER_NAME, SPAN_NULL),
                     wire_attr_tlv(XAUTH_USER_PASSWORD, SPAN_NULL)};
    plog(&i->st, "sending XAUTH request");
    if (cfg_send(i, false, CFGV1_REQUEST, a, 2, STATE_XAUTH_R1) != ST_OK)
        phase15_fail(i, "XAUTH request could not be sent");
}

typedef struct check {
    span password;
    bool ok, found;
    span user;
} check;

static bool compare(void *ctx, ident *const *ids, size_t n_ids, span value)
{
    check *c = ctx;
    c->found = true;
    c->ok = secret_equal(c->password, value);
    return c->ok;
}

static bool credentials_ok(ike *i, span user, span password)
{
    check c = {.password = password, .user = user};
    char quoted[160], name[256];
    ident *id = NULL;
    text_quote(user, quoted, sizeof(quoted));
    if (user.n == 0 || user.n >= sizeof(name) || memchr(user.p, 0, user.n))
        return false;
    /* the name as text: a KEY_ID compares by its octets */
    if (ident_from_wire(&id, ID_KEY_ID, user, NULL) != ST_OK)
        return false;
    const ident *me[] = {id};
    credstore_each_shared(i->p->e->cred, SECRET_XAUTH, me, 1, NULL, 0, compare, &c);
    ident_unref(id);
    if (!c.ok)
        plog(&i->st, c.found ? "xauth user '%s' sent wrong password" : "xauth user '%s' not found", quoted);
    return c.ok;
}

static verdict in_reply(msgctx *md, const ikev1_cfg *cfg)
{
    ike *i = md->i;
    const wire_attr *u = wire_attr_find(&cfg->attrs, XAUTH_USER_NAME),
                    *p = wire_attr_find(&cfg->attrs, XAUTH_USER_PASSWORD);
    const wire_attr *s = wire_attr_find(&cfg->attrs, XAUTH_STATUS);
    plog(md->st, "parsing XAUTH reply");
    if (s && s->tv && s->value == 0)
        plog(md->st, "received FAIL status in XAUTH reply");
    bool ok = u && p && !u->tv && !p->tv && !s && credentials_ok(i, u->data, p->data);
    if (ok) {
        free(i->xauth_user);
        i->xauth_user = span_dup_cstr(u->data);
    }
    i->xauth_failed = !ok;
    plog(md->st, "extended authentication %s", ok ? "was successful" : "failed");
    wire_attr a = wire_attr_tv(XAUTH_STATUS, ok);
    plog(md->st, "sending XAUTH status:");
    if (cfg_send(i, false, CFGV1_SET, &a, 1, STATE_XAUTH_R2) != ST_OK)
        phase15_fail(i, "XAUTH status could not be sent");
    return SM_OK;
}

static verdict in_ack(msgctx *md)
{
    ike *i = md->i;
    plog(md->st, "parsing XAUTH ack");
    cfg_reached(i, STATE_XAUTH_R3);
    if (i->xauth_failed) {
        phase15_fail(i, "extended authentication failed: the ISAKMP SA is deleted");
        return SM_OK;
    }
    i->xauth_done = true;
    phase15_next(i);
    return SM_OK;
}

/* ---- client ---- */

typedef struct own {
    char name[256];
    secret password;
    unsigned n;
} own;

static bool take_own(void *ctx, ident *const *ids, size_t n_ids, span value)
{
    own *o = ctx;
    if (o->n++ > 0)
        return false;
    if (n_ids && ident_data(ids[0]).n < sizeof(o->name))
        span_cstr(ident_data(ids[0]), o->name, sizeof(o->name));
    return secret_copy(&o->password, value) != ST_OK;
}

static bool own_credentials(ike *i, own *o)
{
    const conn *k = i->st.c->c;
    const char *wanted = i->st.c->me.cfg->xauth_username ? i->st.c->me.cfg->xauth_username
                                                         : k->xauth_identity;
    ident *id = NULL;
    *o = (own){0};
    if (wanted && ident_from_wire(&id, ID_KEY_ID, span_str(wanted), NULL) != ST_OK)
        return false;
    const ident *me[] = {id};
    credstore_each_shared(i->p->e->cred, SECRET_XAUTH, me, id ? 1 : 0, NULL, 0, take_own, o);
    ident_unref(id);
    if (o->n > 1)
        plog(&i->st, "found multiple xauth secrets - first selected");
    return o->n > 0 && o->name[0];
}

static verdict in_request(msgctx *md, const ikev1_cfg *cfg)
{
    ike *i = md->i;
    own o;
    wire_attr a[3];
    size_t n = 0;
    const wire_attr *type = wire_attr_find(&cfg->attrs, XAUTH_TYPE);
    bool asks = wire_attr_find(&cfg->attrs, XAUTH_USER_NAME) &&
                wire_attr_find(&cfg->attrs, XAUTH_USER_PASSWORD);
    plog(md->st, "parsing XAUTH request");
    bool generic = !type || (type->tv && type->value == 0);
    bool have = own_credentials(i, &o);
    if (!have)
        plog(md->st, "xauth user credentials not found");
    bool ok = have && asks && generic;
    if (ok) {
        if (type)
            a[n++] = wire_attr_tv(XAUTH_TYPE, 0);
        a[n++] = wire_attr_tlv(XAUTH_USER_NAME, span_str(o.name));
        a[n++] = wire_attr_tlv(XAUTH_USER_PASSWORD, secret_view(&o.password));
    } else {
        a[n++] = wire_attr_tv(XAUTH_STATUS, 0);
    }
    plog(md->st, "sending XAUTH reply");
    status st = cfg_send(i, true, CFGV1_REPLY, a, n, STATE_XAUTH_I1);
    secret_free(&o.password);
    if (st != ST_OK || !ok)
        phase15_fail(i, ok ? "XAUTH reply could not be sent"
                           : "XAUTH cannot be answered: the ISAKMP SA is deleted");
    return SM_OK;
}

static verdict in_set(msgctx *md, const ikev1_cfg *cfg)
{
    ike *i = md->i;
    const wire_attr *s = wire_attr_find(&cfg->attrs, XAUTH_STATUS);
    plog(md->st, "parsing XAUTH status");
    bool ok = s && s->tv && s->value == 1;
    plog(md->st, "extended authentication %s", ok ? "was successful" : "failed");
    plog(md->st, "sending XAUTH ack");
    if (cfg_send(i, true, CFGV1_ACK, NULL, 0, STATE_XAUTH_I2) != ST_OK || !ok) {
        phase15_fail(i, "extended authentication failed: the ISAKMP SA is deleted");
        return SM_OK;
    }
    i->xauth_done = true;
    phase15_next(i);
    return SM_OK;
}

verdict xauth_receive(msgctx *md, const ikev1_cfg *cfg)
{
    ike *i = md->i;
    if (i->xauth == XAUTH_SERVER && cfg->type == CFGV1_REPLY && i->st.state == STATE_XAUTH_R1)
        return in_reply(md, cfg);
    if (i->xauth == XAUTH_CLIENT && cfg->type == CFGV1_REQUEST && !i->xauth_done)
        return in_request(md, cfg);
    if (i->xauth == XAUTH_CLIENT && cfg->type == CFGV1_SET && i->st.state == STATE_XAUTH_I1)
        return in_set(md, cfg);
    if (i->xauth == XAUTH_SERVER && cfg->type == CFGV1_ACK && i->st.state == STATE_XAUTH_R2)
        return in_ack(md);
    return sm_fail(md, SM_IGNORE, 0, "XAUTH message out of turn: ignored");
}
