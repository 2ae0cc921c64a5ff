/* Mode Config, and what it shares with XAUTH: sending and receiving of transactions, the order of things
 * between phase 1 and the first quick mode.
 */
#include "pluto/mode/cfg.h"
#include "libstrongswan/base/text.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/leases.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sa/spdb.h"
#include <string.h>

/* ---- transactions ---- */

static void on_timeout(void *ctx, uint64_t key);

static void arm(ike *i, int64_t delay_ms)
{
    if (i->phase15_timer)
        runtime_timer_cancel(i->p->e->rt, i->phase15_timer);
    i->phase15_timer = runtime_timer(i->p->e->rt, delay_ms, on_timeout, i->p, i->st.serial);
}

status cfg_send(ike *i, bool answer, uint8_t type, const wire_attr *attrs, size_t n, pl_state to)
{
    ikev1_builder b = {0};
    cfg_transaction *t = &i->cfg;
    status st = ST_OK;
    if (!answer) {
        *t = (cfg_transaction){.active = true, .ours = true, .msgid = engine_new_msgid(i)};
        st = engine_start_iv(i, t->msgid, &t->iv);
    }
    ikev1_add_hash_room(&b, i->keys.hash_n);
    ikev1_add_cfg(&b, type, t->id, attrs, n);
    if (st == ST_OK)
        st = engine_set_hash(i, t->msgid, SPAN_NULL, &b);
    if (st == ST_OK)
        st = engine_send(i, answer ? &i->cfg_answer : &i->cfg_tx, ISAKMP_XCHG_MODE_CFG, t->msgid, &b, &t->iv);
    ikev1_builder_free(&b);
    if (st != ST_OK)
        return st;
    arm(i, answer ? CFG_TIMEOUT_MS : RETRANSMIT_FIRST_MS);
    cfg_reached(i, to);
    return ST_OK;
}

void cfg_reached(ike *i, pl_state to)
{
    state_change(&i->st, to);
    plog(&i->st, "%s", state_story(to));
    plog_progress(&i->st, RC_NEW_STATE + (int)to, "%s: %s", state_name(to), state_story(to));
}

static void timeout_mail(ike *i, ike_args *a)
{
    i->phase15_timer = 0;
    if (i->phase1_gone || (ike_ready(i) && !i->cfg.active))
        return;
    if (i->cfg.active && i->cfg.ours && i->cfg.tries < RETRANSMIT_MAX) {
        i->cfg.tries++;
        engine_resend(i, &i->cfg_tx);
        arm(i, (int64_t)RETRANSMIT_FIRST_MS << i->cfg.tries);
        return;
    }
    phase15_fail(i, "the configuration exchange was not finished in time");
}

static void on_timeout(void *ctx, uint64_t key)
{
    ike *i = ike_by_serial(ctx, key);
    ike_args a = {0};
    if (!i)
        return;
    if (ike_post(i, timeout_mail, &a) == ST_LIMIT)
        runtime_timer(i->p->e->rt, 1000, on_timeout, i->p, key);
    ike_unref(i);
}

void phase15_fail(ike *i, const char *why)
{
    plog_serious(&i->st, "%s", why);
    i->deleting = true;
    info_send_delete_isakmp(i);
    state_give_up(&i->st, i->p->xauth_retry_ms);
    ike_end_phase1(i);
}

/* ---- Mode Config ---- */

static bool wants_virtual_ip(const pconn *c)
{
    static const char *const words[] = {"%modeconfig", "%modecfg", "%config", "%cfg", "%config4", "%config6"};
    const char *s = c->me.cfg->sourceip;
    for (size_t k = 0; s && k < sizeof(words) / sizeof(words[0]); k++) {
        if (strcmp(s, words[k]) == 0)
            return true;
    }
    return false;
}

static void done(ike *i)
{
    if (i->phase15_timer)
        runtime_timer_cancel(i->p->e->rt, i->phase15_timer);
    i->phase15_timer = 0;
    i->cfg.active = false;
    ike_unpend(i);
    if (ike_ready(i))
        state_set_client(&i->st, NULL);
}

static void send_request(ike *i)
{
    wire_attr a[] = {wire_attr_tlv(1, SPAN_NULL), wire_attr_tlv(2, SPAN_NULL), wire_attr_tlv(3, SPAN_NULL),
                     wire_attr_tlv(4, SPAN_NULL)};
    plog(&i->st, "sending ModeCfg request");
    if (cfg_send(i, false, CFGV1_REQUEST, a, 4, STATE_MODE_CFG_I1) != ST_OK)
        phase15_fail(i, "ModeCfg request could not be sent");
}

/* The instance of a road warrior becomes the one of its virtual address. */
static void narrow_instance(ike *i)
{
    pconn *c = i->st.c, *t = c->parent;
    subnet vip = subnet_of_host(&i->virtual_ip);
    instance_of of = {.peer = i->remote,
                      .peer_id = i->peer_id,
                      .peer_client = &vip,
                      .proto = c->peer.proto,
                      .peer_port = c->peer.port};
    if (!t || c->peer.has_client)
        return;
    pconn_ref(t);
    state_set_conn(&i->st, t);
    pconn *inst = pconn_instantiate(t, &of);
    if (inst) {
        state_set_conn(&i->st, inst);
        pluto_lock(i->p);
        inst->newest_isakmp = i->st.serial;
        pluto_unlock(i->p);
    }
    pconn_unref(inst);
    pconn_unref(t);
}

/* What the server gives: the address of rightsourceip, DNS and NBNS servers. */
static size_t reply_attrs(ike *i, wire_attr *a, uint8_t room[CFG_MAX_ATTRS][16], bool ack)
{
    const pconn *c = i->st.c;
    size_t n = 0;
    static const uint8_t host_mask[4] = {255, 255, 255, 255}, no_mask[4] = {0};
    ip_addr ip;
    status st = pluto_lease_get(i->p, &c->peer, i->peer_id, &ip);
    if (st != ST_OK) {
        plog(&i->st, "explain: \"%s\" has no address to give: %s", c->name,
             st == ST_NOT_FOUND ? "rightsourceip is not set" : "all of rightsourceip are in use");
        return 0;
    }
    bool v6 = ip.family == AF_INET6;
    memcpy(room[n], ip.b, 16);
    a[n] = wire_attr_tlv(v6 ? 8 : 1, span_of(room[n], v6 ? 16 : 4));
    n++;
    if (!v6) {
        bool whole = c->me.has_client && c->me.client.bits == 0;
        a[n++] = wire_attr_tlv(2, whole ? SPAN_ARRAY(no_mask) : SPAN_ARRAY(host_mask));
    }
    const struct {
        const char *list;
        uint16_t v4, v6;
    } servers[] = {{c->c->dns, 3, 10}, {c->c->nbns, 4, 11}};
    for (size_t k = 0; k < 2; k++) {
        span rest = span_str(servers[k].list ? servers[k].list : ""), word;
        while (n < CFG_MAX_ATTRS && span_cut(&rest, ' ', &word)) {
            char text[ADDR_TEXT];
            ip_addr s;
            if (!word.n || addr_from_text(&s, span_cstr(word, text, sizeof(text)), NULL) != ST_OK)
                continue;
            memcpy(room[n], s.b, 16);
            a[n] = wire_attr_tlv(s.family == AF_INET6 ? servers[k].v6 : servers[k].v4,
                                 span_of(room[n], addr_bytes(&s)));
            n++;
        }
    }
    if (!ack)
        plog(&i->st, "assigning virtual IP source address %s", ADDR_STR(&ip));
    i->virtual_ip = ip;
    narrow_instance(i);
    return n;
}

static void push(ike *i)
{
    wire_attr a[CFG_MAX_ATTRS];
    uint8_t room[CFG_MAX_ATTRS][16];
    size_t n = reply_attrs(i, a, room, false);
    if (n == 0)
        return;
    plog(&i->st, "sending ModeCfg set");
    if (cfg_send(i, false, CFGV1_SET, a, n, STATE_MODE_CFG_R3) != ST_OK)
        phase15_fail(i, "ModeCfg set could not be sent");
}

static bool take_address(ike *i, const ikev1_cfg *cfg)
{
    const wire_attr *a = wire_attr_find(&cfg->attrs, 1);
    host *h = i->p->e->host;
    ip_addr ip;
    if (!a)
        a = wire_attr_find(&cfg->attrs, 8);
    if (!a || a->tv || !addr_from_bytes(&ip, a->data) || addr_is_any(&ip) || addr_is_multicast(&ip))
        return false;
    if (!addr_is_any(&i->virtual_ip) && !addr_equal(&i->virtual_ip, &ip))
        plog(&i->st, "replacing virtual IP source address %s by %s", ADDR_STR(&i->virtual_ip), ADDR_STR(&ip));
    else
        plog(&i->st, "setting virtual IP source address to %s", ADDR_STR(&ip));
    i->virtual_ip = ip;
    if (!h->ops->is_local(h, &ip, NULL)) {
        if (h->ops->add_ip(h, &ip, i->st.c->dev) == ST_OK)
            i->virtual_ip_installed = true;
        else
            plog_serious(&i->st, "virtual IP %s could not be installed", ADDR_STR(&ip));
    }
    return true;
}

static verdict in_reply(msgctx *md, const ikev1_cfg *cfg)
{
    ike *i = md->i;
    plog(md->st, "parsing ModeCfg reply");
    if (!take_address(i, cfg)) {
        phase15_fail(i, "ModeCfg reply without a usable address");
        return SM_OK;
    }
    i->modecfg_done = true;
    state_arm_lifetime(md->st, i->life_s);
    cfg_reached(i, STATE_MODE_CFG_I2);
    done(i);
    return SM_OK;
}

static verdict in_set(msgctx *md, const ikev1_cfg *cfg)
{
    ike *i = md->i;
    wire_attr ack[CFG_MAX_ATTRS];
    size_t n = 0;
    plog(md->st, "parsing ModeCfg set");
    if (!wants_virtual_ip(i->st.c) || !take_address(i, cfg))
        return sm_fail(md, SM_IGNORE, 0, "ModeCfg set ignored: %s",
                       wants_virtual_ip(i->st.c) ? "no usable address"
                                                 : "we did not ask for one (leftsourceip=%config)");
    for (size_t k = 0; k < cfg->attrs.n && n < CFG_MAX_ATTRS; k++) {
        uint16_t type = WIRE_AT(cfg->attrs, wire_attr, k)->type;
        if ((type >= 1 && type <= 4) || type == 7 || (type >= 8 && type <= 11) || type == UNITY_BANNER)
            ack[n++] = wire_attr_tlv(type, SPAN_NULL);
    }
    i->modecfg_client = i->modecfg_done = true;
    plog(md->st, "sending ModeCfg ack");
    if (cfg_send(i, true, CFGV1_ACK, ack, n, STATE_MODE_CFG_I3) != ST_OK)
        return SM_IGNORE;
    done(i);
    return SM_OK;
}

static verdict in_request(msgctx *md, const ikev1_cfg *cfg)
{
    ike *i = md->i;
    wire_attr a[CFG_MAX_ATTRS];
    uint8_t room[CFG_MAX_ATTRS][16];
    plog(md->st, "parsing ModeCfg request");
    size_t n = reply_attrs(i, a, room, false);
    plog(md->st, "sending ModeCfg reply");
    if (cfg_send(i, true, CFGV1_REPLY, a, n, STATE_MODE_CFG_R1) != ST_OK)
        return SM_IGNORE;
    done(i);
    return SM_OK;
}

static verdict in_ack(msgctx *md)
{
    plog(md->st, "parsing ModeCfg ack");
    state_arm_lifetime(md->st, md->i->life_s);
    cfg_reached(md->i, STATE_MODE_CFG_R4);
    done(md->i);
    return SM_OK;
}

/* ---- the order of things ---- */

void phase15_next(ike *i)
{
    const pconn *c = i->st.c;
    i->cfg.active = false;
    if (wants_virtual_ip(c)) {
        i->modecfg_client = true;
        if (!c->c->modecfg_push)
            send_request(i);
        return;
    }
    if (c->c->modecfg_push && !addr_is_any(&c->peer.sourceip)) {
        push(i);
        return;
    }
    done(i);
}

void phase15_start(ike *i)
{
    bool rekeyed = i->st.replaces != 0;
    bool client_auth = i->auth == OAKLEY_XAUTH_INIT_PSK || i->auth == OAKLEY_XAUTH_INIT_RSA;
    if (auth_is_xauth(i->auth))
        i->xauth = client_auth == i->st.initiator ? XAUTH_CLIENT : XAUTH_SERVER;
    if (i->xauth == XAUTH_NONE_ROLE && !wants_virtual_ip(i->st.c) &&
        !(i->st.c->c->modecfg_push && !addr_is_any(&i->st.c->peer.sourceip))) {
        if (!rekeyed)
            i->virtual_ip = addr_any(0);
        return;
    }
    arm(i, CFG_TIMEOUT_MS);
    if (i->xauth == XAUTH_SERVER)
        xauth_start_server(i);
    else if (i->xauth == XAUTH_NONE_ROLE)
        phase15_next(i);
    else
        state_change(&i->st, STATE_XAUTH_I0);
}

/* ---- receiving ---- */

static bool begins(const ikev1_cfg *cfg)
{
    return cfg->type == CFGV1_REQUEST || cfg->type == CFGV1_SET;
}

verdict cfg_receive(msgctx *md)
{
    ike *i = md->i;
    const ikev1_cfg *cfg = &ikev1_find(&md->m, PLV1_ATTR)->cfg;
    bool current = i->cfg.active && i->cfg.msgid == md->m.h.mid;
    if (begins(cfg)) {
        if (current || engine_seen_msgid(i, md->m.h.mid))
            return SM_IGNORE;
        /* a client that goes on has seen the status: its ack was lost */
        if (i->st.state == STATE_XAUTH_R2 && !i->xauth_failed && !xauth_is_about(i, cfg)) {
            i->xauth_done = true;
            cfg_reached(i, STATE_XAUTH_R3);
        }
        if (i->xauth != XAUTH_NONE_ROLE && !i->xauth_done && !xauth_is_about(i, cfg))
            return sm_fail(md, SM_IGNORE, 0, "ModeCfg before XAUTH: ignored");
        /* should it come again, our answer was lost: the engine sends that again */
        buf_reset(&i->cfg_answer);
        if (buf_assign(&i->cfg_rx, md->m.packet) != ST_OK)
            return SM_IGNORE;
        i->cfg = (cfg_transaction){.active = true, .msgid = md->m.h.mid, .id = cfg->id, .iv = md->iv};
    } else if (!current || !i->cfg.ours || cfg->id != i->cfg.id) {
        return sm_fail(md, SM_IGNORE, 0, "configuration answer that nobody asked for: ignored");
    } else {
        i->cfg.iv = md->iv;
    }
    if (xauth_is_about(i, cfg))
        return xauth_receive(md, cfg);
    switch (cfg->type) {
    case CFGV1_REQUEST:
        return in_request(md, cfg);
    case CFGV1_REPLY:
        return i->st.state == STATE_MODE_CFG_I1 ? in_reply(md, cfg) : SM_IGNORE;
    case CFGV1_SET:
        return in_set(md, cfg);
    case CFGV1_ACK:
        return i->st.state == STATE_MODE_CFG_R3 ? in_ack(md) : SM_IGNORE;
    default:
        return sm_fail(md, SM_IGNORE, 0, "configuration message of type %u ignored", cfg->type);
    }
}
