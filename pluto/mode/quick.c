/* Quick mode, what both roles share: identities of clients, the child in the kernel, keys, the story.
 * RFC 2409 5.5, RFC 2407 4.6.2
 */
#include "pluto/mode/quick.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include <stdio.h>
#include <string.h>

#define IDX(proto) ((proto)-PROTO_AH)

/* ---- client identities ---- */

bool quick_ts_from_id(const ikev1_id *id, traffic_sel *out, msgbuf *why)
{
    bool v6 = id->type == ID_IPV6_ADDR || id->type == ID_IPV6_ADDR_SUBNET || id->type == ID_IPV6_ADDR_RANGE;
    bool single = id->type == ID_IPV4_ADDR || id->type == ID_IPV6_ADDR;
    bool range = id->type == ID_IPV4_ADDR_RANGE || id->type == ID_IPV6_ADDR_RANGE;
    size_t n = v6 ? 16 : 4;
    ip_addr a, b;
    if (!v6 && !single && !range && id->type != ID_IPV4_ADDR_SUBNET)
        return msg_set(why, "identity type %s cannot describe a client", ENUM_STR(id_type_names, id->type)),
               false;
    if (id->data.n != (single ? n : 2 * n) || !addr_from_bytes(&a, span_take(id->data, n)))
        return msg_set(why, "client identity of %zu octets", id->data.n), false;
    b = a;
    if (!single && !addr_from_bytes(&b, span_skip(id->data, n)))
        return msg_set(why, "client identity of %zu octets", id->data.n), false;
    if (!single && !range) { /* b is a mask: the ones must come first */
        bool zeros = false;
        subnet s = {.ip = a};
        for (size_t k = 0; k < n * 8; k++) {
            bool bit = b.b[k / 8] >> (7 - k % 8) & 1;
            if (bit && zeros)
                return msg_set(why, "client identity with a mask that has holes"), false;
            zeros |= !bit;
            s.bits = (uint8_t)(s.bits + bit);
            if (!bit)
                s.ip.b[k / 8] &= (uint8_t) ~(1u << (7 - k % 8));
        }
        if (!addr_equal(&s.ip, &a))
            return msg_set(why, "client subnet with host bits set"), false;
        *out = ts_from_subnet(&s, id->proto, id->port);
        return true;
    }
    subnet h = subnet_of_host(&a);
    *out = ts_from_subnet(&h, id->proto, id->port);
    out->to = b;
    if (!ts_valid(out))
        return msg_set(why, "client range that ends before it starts"), false;
    return true;
}

static void add_id(ikev1_builder *b, const traffic_sel *ts, uint8_t proto, uint16_t port)
{
    uint8_t data[32];
    subnet s;
    size_t n = addr_bytes(&ts->from);
    bool v6 = n == 16;
    memcpy(data, ts->from.b, n);
    if (addr_equal(&ts->from, &ts->to)) {
        ikev1_add_id(b, v6 ? ID_IPV6_ADDR : ID_IPV4_ADDR, proto, port, span_of(data, n));
    } else if (ts_to_subnet(ts, &s)) {
        ip_addr mask = subnet_mask(&s);
        memcpy(data + n, mask.b, n);
        ikev1_add_id(b, v6 ? ID_IPV6_ADDR_SUBNET : ID_IPV4_ADDR_SUBNET, proto, port, span_of(data, 2 * n));
    } else {
        memcpy(data + n, ts->to.b, n);
        ikev1_add_id(b, v6 ? ID_IPV6_ADDR_RANGE : ID_IPV4_ADDR_RANGE, proto, port, span_of(data, 2 * n));
    }
}

static uint16_t ts_port(const traffic_sel *ts)
{
    return ts->from_port == ts->to_port ? ts->from_port : 0;
}

void quick_add_ids(quick *q, ikev1_builder *b)
{
    const traffic_sel *first = q->st.initiator ? &q->my_ts : &q->peer_ts,
                      *second = q->st.initiator ? &q->peer_ts : &q->my_ts;
    add_id(b, first, first->proto, ts_port(first));
    add_id(b, second, second->proto, ts_port(second));
}

/* ---- NAT-OA ---- */

void quick_add_natoa(quick *q, ikev1_builder *b)
{
    const ike *i = q->ike;
    if (!q->tunnel && (i->nat & NAT_ME))
        ikev1_add_natoa(b, i->natt_method != NATT_RFC, &i->local.ip);
}

void quick_take_natoa(msgctx *md)
{
    const ikev1_payload *p = ikev1_find(&md->m, PLV1_NAT_OA);
    ip_addr a;
    if (!p || !(md->i->nat & NAT_PEER) || (p->natoa.type != ID_IPV4_ADDR && p->natoa.type != ID_IPV6_ADDR))
        return;
    if (p->natoa.data.n == (p->natoa.type == ID_IPV4_ADDR ? 4u : 16u) && addr_from_bytes(&a, p->natoa.data))
        md->q->nat_oa = a;
}

/* ---- nonce, choice ---- */

verdict quick_take_nonce(msgctx *md, buf *out)
{
    span n = ikev1_find(&md->m, PLV1_NONCE)->nonce.data;
    if (n.n < PLUTO_MIN_NONCE || n.n > PLUTO_MAX_NONCE)
        return sm_fail(md, SM_FAIL, NV1_PAYLOAD_MALFORMED, "nonce of %zu octets: 8 to 256 are allowed", n.n);
    return buf_assign(out, n) == ST_OK ? SM_OK : SM_IGNORE;
}

static uint32_t spi_of(const proposal *p)
{
    return p->spi_n == 4 ? get_u32(p->spi) : p->spi_n == 2 ? get_u16(p->spi) : 0;
}

void quick_remember_choice(quick *q, const ipsec_choice *ch)
{
    const conn *k = q->st.c->c;
    pluto_lock(q->ike->p);
    q->esp = ch->esp;
    q->ah = ch->ah;
    q->ipcomp = ch->ipcomp;
    q->spi_out[IDX(PROTO_ESP)] = ch->esp.proto ? spi_of(&ch->esp) : 0;
    q->spi_out[IDX(PROTO_AH)] = ch->ah.proto ? spi_of(&ch->ah) : 0;
    q->spi_out[IDX(PROTO_IPCOMP)] = ch->ipcomp.proto ? spi_of(&ch->ipcomp) : 0;
    if (!ch->ipcomp.proto)
        q->spi_in[IDX(PROTO_IPCOMP)] = 0;
    q->pfs = ch->group;
    q->life_s = k->keylife_s < ch->life_s ? k->keylife_s : ch->life_s;
    pluto_unlock(q->ike->p);
    if (!ch->ipcomp.proto)
        kchild_drop_spi(q->child, PROTO_IPCOMP);
}

verdict quick_take_ke(msgctx *md, dh_group group)
{
    const ikev1_payload *ke = ikev1_find(&md->m, PLV1_KE);
    quick *q = md->q;
    status st;
    if (!group)
        return ke ? sm_fail(md, SM_FAIL, NV1_INVALID_KEY_INFORMATION, "KE payload without PFS") : SM_OK;
    if (!ke)
        return sm_fail(md, SM_FAIL, NV1_INVALID_KEY_INFORMATION, "PFS without a KE payload");
    if (!q->dh && (st = dh_new(md->p->e->crypto, &q->dh, group)) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "no Diffie-Hellman key of group %u: %s", group,
                       status_text(st));
    if ((st = dh_compute(q->dh, ke->ke.data, &q->gxy)) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_INVALID_KEY_INFORMATION,
                       "the peer's Diffie-Hellman value is not one of group %u", group);
    return SM_OK;
}

/* ---- the child ---- */

static void fill_ids(quick *q, char my_id[IDENT_TEXT], char peer_id[IDENT_TEXT], char ca[IDENT_TEXT],
                     kchild_params *kp)
{
    const ike *i = q->ike;
    const pconn *c = q->st.c;
    kp->my_id = ident_text_pluto(c->me.id, my_id, IDENT_TEXT);
    kp->peer_id = ident_text_pluto(i->peer_id ? i->peer_id : c->peer.id, peer_id, IDENT_TEXT);
    kp->peer_ca = i->peer_cert ? ident_text_pluto(cert_issuer(i->peer_cert), ca, IDENT_TEXT) : "";
    kp->xauth_id = i->xauth_user;
}

static status alloc(quick *q, ipsec_proto proto)
{
    uint32_t spi;
    status st = kchild_alloc_spi(q->child, proto, &spi);
    if (st == ST_OK) {
        pluto_lock(q->ike->p);
        q->spi_in[IDX(proto)] = spi;
        pluto_unlock(q->ike->p);
    }
    return st;
}

status quick_make_child(quick *q, bool with_ipcomp, msgbuf *msg)
{
    ike *i = q->ike;
    pluto *p = i->p;
    const pconn *c = q->st.c;
    char my_id[IDENT_TEXT], peer_id[IDENT_TEXT], ca[IDENT_TEXT];
    kchild_params kp = {
        .conn = c->c,
        .right_is_me = !c->left_is_me,
        .name = c->name,
        .me = i->local,
        .peer = i->remote,
        .udp_encap = q->udp_encap,
        .mode = q->tunnel ? MODE_TUNNEL : MODE_TRANSPORT,
        .reqid = c->reqid ? c->reqid : c->c->reqid,
        .unique_id = q->st.serial,
        .my_sourceip = i->modecfg_client && i->modecfg_done ? i->virtual_ip : c->me.sourceip,
        .next_hop = pconn_nexthop(c),
    };
    if (c->c->lifebytes) {
        kp.life.hard_bytes = c->c->lifebytes;
        kp.life.soft_bytes = c->c->lifebytes > c->c->marginbytes ? c->c->lifebytes - c->c->marginbytes
                                                                 : c->c->lifebytes;
    }
    fill_ids(q, my_id, peer_id, ca, &kp);
    status st = kchild_new(&q->child, &p->kenv, &kp, p->log);
    if (st == ST_OK)
        st = kchild_set_ts(q->child, &q->my_ts, 1, &q->peer_ts, 1);
    if (st == ST_OK && !c->c->ah_only)
        st = alloc(q, PROTO_ESP);
    if (st == ST_OK && c->c->auth_ah)
        st = alloc(q, PROTO_AH);
    if (st == ST_OK && with_ipcomp && c->c->compress && alloc(q, PROTO_IPCOMP) != ST_OK)
        plog(&q->st, "no CPI: going without compression");
    return st == ST_OK ? ST_OK : msg_fail(msg, st, "no SPI from the kernel: %s", status_text(st));
}

/* ---- keys ---- */

typedef struct sa_keys {
    secret in, out;
    kchild_sa sa;
} sa_keys;

static status make_keys(quick *q, const proposal *p, sa_keys *k)
{
    const ike *i = q->ike;
    const transform *e = proposal_get(p, TRANSFORM_ENCR), *h = proposal_get(p, TRANSFORM_INTEG);
    size_t ne = e ? encr_keymat_bytes(e->id, e->key_bits) : 0, nh = h ? integ_key_bytes(h->id) : 0;
    span gxy = secret_view(&q->gxy), ni = buf_span(&q->ni), nr = buf_span(&q->nr);
    uint32_t in = q->spi_in[IDX(p->proto)], out = q->spi_out[IDX(p->proto)];
    if (e && !ne && e->id != ENCR_NULL)
        return ST_UNSUPPORTED;
    status st = keymat_ipsec(&i->keys, gxy, p->proto, in, ni, nr, &k->in, ne + nh);
    if (st == ST_OK)
        st = keymat_ipsec(&i->keys, gxy, p->proto, out, ni, nr, &k->out, ne + nh);
    k->sa = (kchild_sa){
        .proto = p->proto,
        .encr = e ? e->id : ENCR_UNDEFINED,
        .integ = h ? h->id : INTEG_NONE,
        .peer_spi = out,
        .encr_key_in = span_take(secret_view(&k->in), ne),
        .integ_key_in = span_skip(secret_view(&k->in), ne),
        .encr_key_out = span_take(secret_view(&k->out), ne),
        .integ_key_out = span_skip(secret_view(&k->out), ne),
    };
    return st;
}

status quick_install(quick *q, bool inbound, msgbuf *msg)
{
    sa_keys k[2];
    kchild_sa sas[2];
    size_t n = 0;
    memset(k, 0, sizeof(k));
    status st = ST_OK;
    if (q->esp.proto) {
        st = make_keys(q, &q->esp, &k[n]);
        sas[n] = k[n].sa;
        n++;
    }
    if (st == ST_OK && q->ah.proto) {
        st = make_keys(q, &q->ah, &k[n]);
        sas[n] = k[n].sa;
        n++;
    }
    if (st == ST_OK && q->ipcomp.proto)
        kchild_set_ipcomp(q->child, (uint16_t)q->spi_out[IDX(PROTO_IPCOMP)]);
    if (st == ST_OK)
        st = inbound ? kchild_install_in(q->child, sas, n) : kchild_install_out(q->child, sas, n);
    if (st == ST_OK && inbound)
        q->inbound_up = true;
    for (size_t i = 0; i < 2; i++) {
        secret_free(&k[i].in);
        secret_free(&k[i].out);
    }
    return st == ST_OK ? ST_OK
                       : msg_fail(msg, st, "the kernel refuses the %s IPsec SA: %s",
                                  inbound ? "inbound" : "outbound", status_text(st));
}

/* ---- done ---- */

char *quick_story(const quick *q, char *dst, size_t size)
{
    static const struct {
        uint8_t proto;
        const char *name;
    } order[] = {{PROTO_ESP, "ESP"}, {PROTO_AH, "AH"}, {PROTO_IPCOMP, "IPCOMP"}};
    buf b = {0};
    const char *sep = " {";
    for (size_t i = 0; i < 3; i++) {
        uint32_t out = q->spi_out[IDX(order[i].proto)], in = q->spi_in[IDX(order[i].proto)];
        if (out && in) {
            buf_printf(&b, "%s%s=>0x%08x <0x%08x", sep, order[i].name, out, in);
            sep = " ";
        }
    }
    if (q->ike->nat)
        buf_printf(&b, " NATOA=%s", q->nat_oa.family ? ADDR_STR(&q->nat_oa) : "0.0.0.0");
    if (q->ike->dpd.on)
        buf_put_str(&b, " DPD");
    buf_put_str(&b, "}");
    snprintf(dst, size, "%s", buf_cstr(&b));
    buf_free(&b);
    return dst;
}

void quick_established(msgctx *md)
{
    quick *q = md->q;
    ike *i = md->i;
    pluto_lock(md->p);
    q->established = true;
    i->n_larval -= i->n_larval > 0;
    md->p->stats.quick_established++;
    md->p->stats.quick_rekeyed += md->st->replaces != 0;
    pluto_unlock(md->p);
    secret_free(&q->gxy);
    dh_free(q->dh);
    q->dh = NULL;
    state_set_client(&q->st, NULL);
}
