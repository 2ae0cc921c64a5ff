/* From whack's arguments to requests: the checks that need all of them, and the records' bodies. */
#include "whack/whack.h"

#include "libstrongswan/base/text.h"

#include <inttypes.h>

static status wrong(whack_args *a, const char *text)
{
    return msg_fail(&a->msg, ST_INVALID, "%s", text);
}

static status check_lifetime(whack_args *a, const char *what, int64_t life)
{
    const conn *c = a->c;
    int64_t margin = c->rekeymargin_s * (100 + (int64_t)c->rekeyfuzz_pct) / 100;
    if (!a->dontrekey && margin >= life)
        return msg_fail(&a->msg, ST_INVALID,
                        "%s (%" PRId64 " s) must be greater than rekeymargin*(100+rekeyfuzz)/100 (%" PRId64
                        " s)",
                        what, life, margin);
    return ST_OK;
}

static status check_dpd(whack_args *a)
{
    const conn *c = a->c;
    if (!a->dpd_action && !a->dpd_delay && !a->dpd_timeout)
        return ST_OK;
    if (c->dpdaction == DPD_NONE)
        return ST_OK;
    if (!a->dpd_delay || !a->dpd_timeout || c->dpddelay_s <= 0 || c->dpdtimeout_s <= 0)
        return wrong(a, "dpdaction requires dpddelay and dpdtimeout to be set and greater than zero");
    if (c->dpdtimeout_s <= c->dpddelay_s)
        return wrong(a, "dpddelay must be less than dpdtimeout");
    return ST_OK;
}

static status finish_conn(whack_args *a)
{
    conn *c = a->c;
    if (!a->name)
        return wrong(a, "connection missing --name");
    if (!a->to_seen || !a->host_seen[0] || !a->host_seen[1])
        return wrong(a, "connection missing --host on one side of --to");
    if (!a->shunt && !a->psk && !a->rsasig)
        return wrong(a, "must specify one of --rsasig or --psk for the connection");
    if (a->shunt && (a->psk || a->rsasig || a->encrypt || a->authenticate))
        return wrong(a, "shunt connection cannot have authentication or encryption");
    c->authby = (a->psk ? AUTH_PSK : 0) | (a->rsasig ? AUTH_PUBKEY : 0);
    if (a->shunt)
        c->authby = AUTH_NEVER;
    else
        c->type = a->tunnel ? CONN_TUNNEL : CONN_TRANSPORT;
    c->auth_ah = a->authenticate; /* with --encrypt: AH around ESP */
    c->ah_only = a->authenticate && !a->encrypt;
    c->rekey = !a->dontrekey;
    c->autostart = AUTO_ADD;
    status st = check_lifetime(a, "ikelifetime", c->ikelifetime_s);
    if (!st)
        st = check_lifetime(a, "ipseclifetime", c->keylife_s);
    if (!st)
        st = check_dpd(a);
    if (!st)
        st = conn_set_str(c, &c->name, a->name);
    if (!st)
        st = conn_resolve(c, &a->msg);
    return st ? st : conn_seal(c, &a->msg);
}

static bool needs_name(const whack_args *a)
{
    return a->described || a->wanted[WA_ROUTE] || a->wanted[WA_UNROUTE] || a->wanted[WA_INITIATE] ||
           a->wanted[WA_TERMINATE] || (a->wanted[WA_DELETE] && !a->ca);
}

status whack_finish(whack_args *a)
{
    bool any = a->described || a->ca;
    for (int i = 0; i < WA_COUNT; i++)
        any |= a->wanted[i];
    if (a->keyid && !a->wanted[WA_SCENCRYPT] && !a->wanted[WA_SCDECRYPT])
        any = a->wanted[WA_KEY] = true;
    if (!any)
        return wrong(a, "no action specified; try --help for hints");
    if (needs_name(a) && !a->name)
        return wrong(a, a->described ? "connection missing --name" : "missing --name <connection_name>");
    if (!needs_name(a) && a->name && !a->wanted[WA_STATUS] && !a->wanted[WA_DEBUG])
        return wrong(a, "no reason for --name");
    if (a->wanted[WA_KEY] && !a->keyid)
        return wrong(a, "--pubkeyrsa must be preceded by --keyid");
    if (a->addkey && !a->keyid)
        return wrong(a, "--addkey requires --keyid");
    if (a->wanted[WA_OPPO] && (!a->oppo_here.family || !a->oppo_there.family))
        return wrong(a, "--oppohere and --oppothere must be used together");
    if (a->wanted[WA_SCENCRYPT] && a->wanted[WA_SCDECRYPT])
        return wrong(a, "--scencrypt and --scdecrypt exclude each other");
    if (a->utc && !a->wanted[WA_LIST])
        return wrong(a, "--utc goes with a list only");
    if (a->ca && (!a->ca->name || !a->ca->name[0]))
        return wrong(a, "certification authority missing --caname");
    a->wanted[WA_CA] = a->ca && !(a->wanted[WA_DELETE] && !a->ca->cacert);
    if (a->wanted[WA_CA] && !a->ca->cacert)
        return wrong(a, "certification authority missing --cacert");
    a->wanted[WA_CONN] = a->described;
    return a->described ? finish_conn(a) : ST_OK;
}

/* ---- requests ---- */

static status key_octets(whack_args *a, buf *key)
{
    if (!a->pubkey)
        return ST_OK;
    status st = text_parse_data(key, span_str(a->pubkey));
    if (st)
        msg_set(&a->msg, "--pubkeyrsa: 0x… or 0s… of an RFC 2537 key is expected");
    return st;
}

static ctl_type type_of(whack_args *a, whack_action action)
{
    static const ctl_type types[WA_COUNT] = {
        [WA_DEBUG] = CTL_REQ_DEBUG,
        [WA_MYID] = CTL_REQ_MYID,
        [WA_DELETE] = CTL_REQ_DEL_CONN,
        [WA_CRASH] = CTL_REQ_CRASH,
        [WA_DELETESTATE] = CTL_REQ_DELETESTATE,
        [WA_CONN] = CTL_REQ_ADD_CONN,
        [WA_CA] = CTL_REQ_ADD_CA,
        [WA_KEY] = CTL_REQ_ADD_PUBKEY,
        [WA_REREAD] = CTL_REQ_REREAD,
        [WA_PURGE] = CTL_REQ_PURGE,
        [WA_LISTEN] = CTL_REQ_LISTEN,
        [WA_UNLISTEN] = CTL_REQ_UNLISTEN,
        [WA_LIST] = CTL_REQ_LIST,
        [WA_ROUTE] = CTL_REQ_ROUTE,
        [WA_UNROUTE] = CTL_REQ_UNROUTE,
        [WA_INITIATE] = CTL_REQ_INITIATE,
        [WA_OPPO] = CTL_REQ_OPPO,
        [WA_TERMINATE] = CTL_REQ_TERMINATE,
        [WA_SCENCRYPT] = CTL_REQ_SCENCRYPT,
        [WA_SCDECRYPT] = CTL_REQ_SCDECRYPT,
        [WA_STATUS] = CTL_REQ_STATUS,
        [WA_SHUTDOWN] = CTL_REQ_SHUTDOWN,
    };
    bool replace = a->wanted[WA_DELETE];
    if (action == WA_CONN && replace)
        return CTL_REQ_REPLACE_CONN;
    if (action == WA_CA && replace)
        return CTL_REQ_REPLACE_CA;
    if (action == WA_DELETE && a->ca)
        return CTL_REQ_DEL_CA;
    return types[action];
}

static void fill(const whack_args *a, whack_action action, ctl_request *r)
{
    static const uint32_t none = 0;
    const uint32_t *masks[WA_COUNT] = {
        [WA_LIST] = &a->list,
        [WA_REREAD] = &a->reread,
        [WA_PURGE] = &a->purge,
        [WA_DEBUG] = &a->debug,
    };
    r->mask = masks[action] ? *masks[action] : none;
    r->name = action == WA_DELETE && a->ca ? a->ca->name : a->name;
    r->asynchronous = a->asynchronous && action == WA_INITIATE;
    r->all = a->all_status && action == WA_STATUS;
    r->utc = a->utc && action == WA_LIST;
    r->serial = action == WA_DELETESTATE ? a->deletestate : 0;
    if (action == WA_CRASH)
        r->from = a->crash;
    if (action == WA_OPPO) {
        r->from = a->oppo_here;
        r->to = a->oppo_there;
    }
    if (action == WA_MYID)
        r->text = a->myid;
    if (action == WA_KEY) {
        r->text = a->keyid;
        r->keep = a->addkey;
    }
    if (action == WA_SCENCRYPT || action == WA_SCDECRYPT) {
        r->text = a->keyid;
        r->data = span_str(a->sc_value);
        r->inbase = a->inbase;
        r->outbase = a->outbase;
    }
}

status whack_request(whack_args *a, whack_action action, uint16_t *type, buf *body)
{
    ctl_request r;
    buf part = {0};
    status st = ST_OK;
    ctl_request_init(&r, type_of(a, action));
    fill(a, action, &r);
    if (action == WA_CONN) {
        st = conn_encode(a->c, &part);
        r.conn = buf_span(&part);
    } else if (action == WA_CA) {
        st = ca_section_encode(a->ca, &part);
        r.ca = buf_span(&part);
    } else if (action == WA_KEY) {
        st = key_octets(a, &part);
        r.data = buf_span(&part);
    }
    if (!st)
        st = ctl_encode(&r, body, &a->msg);
    *type = (uint16_t)r.type;
    buf_free(&part);
    return st;
}
