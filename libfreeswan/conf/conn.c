/* Conns: made with the defaults of ipsec.conf by conn_new(), filled by a parser or by conn_decode(), checked
 * once by conn_seal() and then shared read-only. The tables below are the only place where members are
 * listed: encoding, decoding and comparison walk them. A member that is not in a table does not travel.
 */
#include "libfreeswan/conf/conn.h"

#include "libfreeswan/conf/fields.h"

#include <stdlib.h>

enum { CONN_MEM = 256 * 1024, TAG_LEFT = 0x100, TAG_RIGHT = 0x200, TAG_END = 0x300 };

_Static_assert(sizeof(conn_type) == sizeof(uint32_t) && sizeof(unsigned) == sizeof(uint32_t),
               "enums travel as u32");

#define F(tag, kind, type, member, max)                                                                      \
    {                                                                                                        \
        (tag), FIELD_##kind, offsetof(type, member), 0, (max)                                                \
    }
#define ALL_AUTH 0xff

// clang-format off
static const field end_fields[] = {
    F( 1, STR,  conn_end, host_text, 0),          F( 2, ADDR, conn_end, host, 0),
    F( 3, BOOL, conn_end, host_any, 0),           F( 4, BOOL, conn_end, host_defaultroute, 0),
    F( 5, BOOL, conn_end, host_group, 0),         F( 6, U16,  conn_end, ikeport, 0),
    F( 7, STR,  conn_end, nexthop_text, 0),       F( 8, ADDR, conn_end, nexthop, 0),
    F( 9, STR,  conn_end, id_text, 0),            F(10, STR,  conn_end, id2_text, 0),
    F(11, STR,  conn_end, cert, 0),               F(12, STR,  conn_end, cert2, 0),
    F(13, STR,  conn_end, ca, 0),                 F(14, STR,  conn_end, ca2, 0),
    F(15, STR,  conn_end, rsasigkey, 0),          F(16, STR,  conn_end, groups, 0),
    F(17, STR,  conn_end, updown, 0),             F(18, BOOL, conn_end, firewall, 0),
    F(19, BOOL, conn_end, hostaccess, 0),         F(20, BOOL, conn_end, allow_any, 0),
    F(21, U32,  conn_end, sendcert, SENDCERT_NEVER), F(22, U32, conn_end, auth, ALL_AUTH),
    F(23, U32,  conn_end, auth2, ALL_AUTH),
    {24, FIELD_NETS, offsetof(conn_end, subnets), offsetof(conn_end, n_subnets), CONN_MAX_SUBNETS},
    F(25, BOOL, conn_end, subnet_within, 0),      F(26, BOOL, conn_end, subnet_dynamic, 0),
    F(27, STR,  conn_end, virt, 0),               F(28, U8,   conn_end, proto, 0),
    F(29, U16,  conn_end, port, 0),               F(30, BOOL, conn_end, port_any, 0),
    F(31, STR,  conn_end, sourceip, 0),           F(32, STR,  conn_end, natip, 0),
    F(33, STR,  conn_end, cert_policy, 0),        F(34, STR,  conn_end, xauth_username, 0),
    F(35, BOOL, conn_end, xauth_server, 0),       F(36, BOOL, conn_end, xauth_client, 0),
};
static const field conn_fields[] = {
    F( 1, STR,  conn, name, 0),
    F( 3, U32,  conn, version, CONN_IKE_BOTH),    F( 4, U32,  conn, type, CONN_TRANSPORT_PROXY),
    F( 5, U32,  conn, autostart, AUTO_KEEP),      F( 6, U32,  conn, authby, ALL_AUTH),
    F( 7, BOOL, conn, auth_ah, 0),                F( 8, BOOL, conn, pfs, 0),
    F( 9, BOOL, conn, compress, 0),               F(10, BOOL, conn, mobike, 0),
    F(11, BOOL, conn, forceencaps, 0),            F(12, BOOL, conn, rekey, 0),
    F(13, BOOL, conn, reauth, 0),                 F(14, BOOL, conn, aggressive, 0),
    F(15, BOOL, conn, modecfg_push, 0),           F(16, BOOL, conn, installpolicy, 0),
    F(17, BOOL, conn, ikev2_esn, 0),              F(18, BOOL, conn, initial_contact, 0),
    F(19, BOOL, conn, sha256_96, 0),              F(20, BOOL, conn, disable_arrival_check, 0),
    F(21, BOOL, conn, tunnel_v6, 0),              F(22, U8,   conn, host_family, 0),
    F(23, U32,  conn, fragmentation, FRAG_FORCE), F(24, STR,  conn, ike, 0),
    F(25, STR,  conn, esp, 0),                    F(26, STR,  conn, pfsgroup, 0),
    F(27, U64,  conn, ikelifetime_s, 0),          F(28, U64,  conn, keylife_s, 0),
    F(29, U64,  conn, rekeymargin_s, 0),          F(30, U32,  conn, rekeyfuzz_pct, 0),
    F(31, U32,  conn, keyingtries, 0),            F(32, U64,  conn, lifebytes, 0),
    F(33, U64,  conn, marginbytes, 0),            F(34, U64,  conn, lifepackets, 0),
    F(35, U64,  conn, marginpackets, 0),          F(36, U64,  conn, inactivity_s, 0),
    F(37, U32,  conn, dpdaction, DPD_RESTART),    F(38, U32,  conn, closeaction, DPD_RESTART),
    F(39, U64,  conn, dpddelay_s, 0),             F(40, U64,  conn, dpdtimeout_s, 0),
    F(41, BOOL, conn, dpdaction_set, 0),          F(42, STR,  conn, eap, 0),
    F(43, STR,  conn, eap_identity, 0),           F(44, STR,  conn, aaa_identity, 0),
    F(45, STR,  conn, xauth_identity, 0),         F(46, BOOL, conn, xauth_server, 0),
    F(47, BOOL, conn, mediation, 0),              F(48, STR,  conn, mediated_by, 0),
    F(49, STR,  conn, me_peerid, 0),              F(50, U32,  conn, reqid, 0),
    F(51, U32,  conn, mark_in, 0),                F(52, U32,  conn, mark_in_mask, 0),
    F(53, U32,  conn, mark_out, 0),               F(54, U32,  conn, mark_out_mask, 0),
    F(55, U32,  conn, replay_window, 0),          F(56, U32,  conn, strictcrl, CRL_IFURI),
    F(57, U32,  conn, uniqueids, UNIQUE_KEEP),    F(58, STR,  conn, failureshunt, 0),
    F(59, STR,  conn, connalias, 0),              F(60, STR,  conn, dns, 0),
    F(61, STR,  conn, nbns, 0),                   F(62, STR,  conn, domain, 0),
    F(63, STR,  conn, banner, 0),                 F(64, BOOL, conn, ah_only, 0),
};
// clang-format on
#define TABLE(t) (t), sizeof(t) / sizeof((t)[0])

/* ---- life ---- */

static conn *conn_alloc(void)
{
    conn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    ref_init(&c->refs);
    arena_init(&c->mem, CONN_MEM);
    return c;
}

status conn_new(conn **out, const char *name)
{
    conn *c = conn_alloc();
    if (!c)
        return ST_NO_MEMORY;
    c->name = arena_str(&c->mem, span_str(name));
    if (!c->name) {
        conn_unref(c);
        return ST_NO_MEMORY;
    }
    c->version = CONN_IKEV1;
    c->authby = AUTH_PUBKEY;
    c->pfs = c->mobike = c->rekey = c->reauth = c->installpolicy = true;
    c->fragmentation = FRAG_YES;
    c->ikelifetime_s = 3 * 3600;
    c->keylife_s = 3600;
    c->rekeymargin_s = 9 * 60;
    c->rekeyfuzz_pct = 100;
    c->keyingtries = 3;
    c->dpddelay_s = 30;
    c->dpdtimeout_s = 150;
    c->left.host_any = c->right.host_any = true;
    c->left.sendcert = c->right.sendcert = SENDCERT_IFASKED;
    c->uniqueids = UNIQUE_REPLACE;
    *out = c;
    return ST_OK;
}

conn *conn_ref(conn *c)
{
    ref_get(&c->refs);
    return c;
}

void conn_unref(conn *c)
{
    if (c && ref_put(&c->refs)) {
        arena_free(&c->mem);
        free(c);
    }
}

/* ---- on the wire ---- */

status conn_encode(const conn *c, buf *out)
{
    status st = fields_encode(c, TABLE(conn_fields), 0, out);
    if (!st)
        st = fields_encode(&c->left, TABLE(end_fields), TAG_LEFT, out);
    if (!st)
        st = fields_encode(&c->right, TABLE(end_fields), TAG_RIGHT, out);
    return st;
}

static const field *field_by_tag(const field *table, size_t n, unsigned tag)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].tag == tag)
            return &table[i];
    return NULL;
}

static status decode_one(conn *c, uint16_t tag, span value)
{
    void *object = c;
    const field *f;
    if (tag >= TAG_END)
        return ST_OK;
    if (tag < TAG_LEFT) {
        f = field_by_tag(TABLE(conn_fields), tag);
    } else {
        f = field_by_tag(TABLE(end_fields), tag & 0xff);
        object = tag < TAG_RIGHT ? &c->left : &c->right;
    }
    return f ? field_decode(object, f, value, &c->mem) : ST_OK;
}

status conn_decode(conn **out, span body, msgbuf *msg)
{
    uint8_t seen[TAG_END / 8] = {0};
    cursor in = cursor_of(body);
    uint16_t tag;
    span value;
    conn *c = conn_alloc();
    if (!c)
        return ST_NO_MEMORY;
    status st = ST_OK;
    while (!st && fields_next(&in, &tag, &value)) {
        if (tag < TAG_END && seen[tag / 8] & (1 << tag % 8))
            st = msg_fail(msg, ST_INVALID, "field 0x%x appears twice", tag);
        else if ((st = decode_one(c, tag, value)) != ST_OK)
            msg_set(msg, "field 0x%x has a wrong length or value", tag);
        if (tag < TAG_END)
            seen[tag / 8] |= (uint8_t)(1 << tag % 8);
    }
    if (!st && in.failed)
        st = msg_fail(msg, ST_INVALID, "the description of the connection is cut short");
    if (!st && (!c->name || !c->name[0] || !c->version))
        st = msg_fail(msg, ST_INVALID, "the description of the connection has no name or no version");
    if (st)
        conn_unref(c);
    else
        *out = c;
    return st;
}

bool conn_equal(const conn *a, const conn *b)
{
    return fields_equal(a, b, TABLE(conn_fields)) && fields_equal(&a->left, &b->left, TABLE(end_fields)) &&
           fields_equal(&a->right, &b->right, TABLE(end_fields));
}
