/* The checks of a whole conn, which no single keyword can make. */
#include "libfreeswan/conf/conn.h"

#include "libstrongswan/cred/ident.h"

#include <inttypes.h>

static bool is_shunt(const conn *c)
{
    return c->type == CONN_PASS || c->type == CONN_DROP || c->type == CONN_REJECT;
}

static status check_id(const char *keyword, const char *text, msgbuf *msg)
{
    ident *id;
    if (!text || strcmp(text, "%myid") == 0)
        return ST_OK;
    status st = ident_from_text(&id, text, msg);
    if (st)
        msg_prefix(msg, "%s: ", keyword);
    else
        ident_unref(id);
    return st;
}

static status check_ids(const conn *c, msgbuf *msg)
{
    status st = check_id("leftid", c->left.id_text, msg);
    if (!st)
        st = check_id("rightid", c->right.id_text, msg);
    if (!st)
        st = check_id("leftid2", c->left.id2_text, msg);
    if (!st)
        st = check_id("rightid2", c->right.id2_text, msg);
    if (!st)
        st = check_id("me_peerid", c->me_peerid, msg);
    return st;
}

static status check_proposals(const conn *c, msgbuf *msg)
{
    proposals p;
    bool v1 = c->version == CONN_IKEV1;
    status st = c->ike ? proposals_from_text(&p, c->ike, PROTO_IKE, v1, msg) : ST_OK;
    if (st) {
        msg_prefix(msg, "ike=: ");
        return st;
    }
    st = c->esp ? proposals_from_text(&p, c->esp, c->auth_ah ? PROTO_AH : PROTO_ESP, v1, msg) : ST_OK;
    if (st) {
        msg_prefix(msg, "esp=: ");
        return st;
    }
    if (!c->pfsgroup)
        return ST_OK;
    /* a group is a word of the same language: try it in an IKE proposal */
    char text[80];
    if (strpbrk(c->pfsgroup, "-,+;!") || strlen(c->pfsgroup) > 40)
        return msg_fail(msg, ST_INVALID,
                        "pfsgroup=: '%.60s' is not one group (modp2048, ecp256, … is expected)", c->pfsgroup);
    strcpy(text, "aes128-sha1-");
    strcat(text, c->pfsgroup);
    st = proposals_from_text(&p, text, PROTO_IKE, true, msg);
    if (!st && p.p[0].n != 3)
        st = msg_fail(msg, ST_INVALID, "'%s' is not a group (modp2048, ecp256, … is expected)", c->pfsgroup);
    if (st)
        msg_prefix(msg, "pfsgroup=: ");
    return st;
}

static status check_end(const char *side, const conn *c, const conn_end *e, msgbuf *msg)
{
    if (e->sourceip && e->natip)
        return msg_fail(msg, ST_INVALID, "%snatip and %ssourceip cannot be defined at the same time", side,
                        side);
    if (e->firewall && e->updown)
        return msg_fail(msg, ST_INVALID, "cannot have both %sfirewall and %supdown", side, side);
    if (e->virt && !e->host_any && !e->allow_any)
        return msg_fail(msg, ST_INVALID, "%ssubnet=%s needs %s=%%any", side, e->virt, side);
    if (e->virt && (c->version & CONN_IKEV1) == 0)
        return msg_fail(msg, ST_INVALID, "%ssubnet=%s is known to IKEv1 only", side, e->virt);
    for (unsigned i = 1; i < e->n_subnets; i++)
        if (e->subnets[i].ip.family != e->subnets[0].ip.family && c->version == CONN_IKEV1)
            return msg_fail(msg, ST_INVALID, "%ssubnet mixes IPv4 and IPv6, which IKEv1 cannot", side);
    return ST_OK;
}

static status check_lifetimes(const conn *c, msgbuf *msg)
{
    if (!c->rekey)
        return ST_OK;
    if (c->ikelifetime_s && c->rekeymargin_s >= c->ikelifetime_s)
        return msg_fail(msg, ST_INVALID,
                        "rekeymargin (%" PRId64 " s) is not less than ikelifetime (%" PRId64 " s)",
                        c->rekeymargin_s, c->ikelifetime_s);
    if (c->keylife_s && c->rekeymargin_s >= c->keylife_s)
        return msg_fail(msg, ST_INVALID,
                        "rekeymargin (%" PRId64 " s) is not less than keylife (%" PRId64 " s)",
                        c->rekeymargin_s, c->keylife_s);
    if (c->lifebytes && c->marginbytes >= c->lifebytes)
        return msg_fail(msg, ST_INVALID, "marginbytes is not less than lifebytes");
    if (c->lifepackets && c->marginpackets >= c->lifepackets)
        return msg_fail(msg, ST_INVALID, "marginpackets is not less than lifepackets");
    return ST_OK;
}

static status check_whole(const conn *c, msgbuf *msg)
{
    const conn_end *l = &c->left, *r = &c->right;
    bool l_any = l->host_any && !l->host_group, r_any = r->host_any && !r->host_group;
    if (l->host_defaultroute && r->host_defaultroute)
        return msg_fail(msg, ST_INVALID, "left and right are both %%defaultroute");
    if (l_any && r_any && c->version == CONN_IKEV1 && !is_shunt(c))
        return msg_fail(msg, ST_INVALID, "left and right are both %%any: one end must be known");
    if (l->host.family && r->host.family && l->host.family != r->host.family)
        return msg_fail(msg, ST_INVALID, "left and right are addresses of different families");
    if (l->proto != r->proto && c->version == CONN_IKEV1 && (l->proto && r->proto))
        return msg_fail(msg, ST_INVALID, "leftprotoport and rightprotoport must have the same protocol");
    if (!c->authby && !l->auth && !r->auth && !is_shunt(c))
        return msg_fail(msg, ST_INVALID,
                        "no authentication method (authby=rsasig or authby=secret is expected)");
    if (is_shunt(c) && c->version == CONN_IKEV2)
        return msg_fail(msg, ST_INVALID, "type=passthrough, drop and reject need keyexchange=ikev1");
    return ST_OK;
}

status conn_seal(conn *c, msgbuf *msg)
{
    status st = check_whole(c, msg);
    if (!st)
        st = check_end("left", c, &c->left, msg);
    if (!st)
        st = check_end("right", c, &c->right, msg);
    if (!st)
        st = check_lifetimes(c, msg);
    if (!st)
        st = check_ids(c, msg);
    if (!st)
        st = check_proposals(c, msg);
    if (st)
        msg_prefix(msg, "conn '%.100s': ", c->name);
    return st;
}
