/* See engine.h. One function per step of a message's way; the order is in engine_receive() and process(). */
#include "pluto/sm/engine.h"
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sa/spdb.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAGMENT_DATAGRAM = 1240,
    MAX_NOTIFIES = 5, /* of one ISAKMP SA that is not established yet */
    RETRY_DELAY_MS = 20 * 1000
};

verdict sm_fail(msgctx *md, verdict v, uint16_t notify, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(md->why.text, sizeof(md->why.text), fmt, ap);
    va_end(ap);
    md->notify = notify;
    return v;
}

/* ---- sending ---- */

static status send_datagram(void *ctx, span d)
{
    ike *i = ctx;
    pluto *p = i->p;
    pluto_lock(p);
    p->stats.packets_out++;
    endpoint local = i->local, remote = i->remote;
    bool natt = i->natt;
    pluto_unlock(p);
    (void)!net_send(p->e->net, &local, &remote, natt, d); /* not sent is as good as lost on the way */
    return ST_OK;
}

static status send_octets(ike *i, span d)
{
    bool cut = i->peer_frag && i->st.c && i->st.c->c->fragmentation != FRAG_NO;
    if (cut && d.n > FRAGMENT_DATAGRAM)
        return ikev1_fragment_each(d, FRAGMENT_DATAGRAM, 1, send_datagram, i);
    return send_datagram(i, d);
}

status engine_set_hash(ike *i, uint32_t mid, span nonce, ikev1_builder *b)
{
    uint8_t id[4], h[MAX_HASH_BYTES];
    size_t head = IKEV1_GENERIC + i->keys.hash_n;
    set_u32(id, mid);
    if (!ikev1_builder_ok(b) || b->out.n < head)
        return ST_NO_MEMORY;
    span parts[] = {span_of(id, 4), nonce, ikev1_builder_from(b, head)};
    status st = keymat_hash(&i->keys, parts, 3, h);
    if (st == ST_OK)
        ikev1_set_hash(b, span_of(h, i->keys.hash_n));
    return st;
}

status engine_send(ike *i, buf *keep, uint8_t exchange, uint32_t mid, const ikev1_builder *b, iv_chain *iv)
{
    ikev1_header h = {.major = 1, .exchange = exchange, .mid = mid, .flags = iv ? IKEV1_FLAG_ENCRYPTION : 0};
    buf out = {0};
    uint8_t next[MAX_IV_BYTES];
    size_t block = i->keys.block_n, pad = iv ? (block - b->out.n % block) % block : 0;
    memcpy(h.icookie, i->cookies, 8);
    memcpy(h.rcookie, i->cookies + 8, 8);
    status st = ikev1_emit(&h, b, pad, &out);
    if (st == ST_OK && iv) {
        st = keymat_encrypt(&i->keys, iv->iv, out.p + IKEV1_HEADER, out.n - IKEV1_HEADER, next);
        if (st == ST_OK)
            memcpy(iv->iv, next, block);
    }
    if (st == ST_OK)
        st = send_octets(i, buf_span(&out));
    if (st == ST_OK && keep) {
        buf_free(keep);
        *keep = out;
        out = (buf){0};
    }
    buf_free(&out);
    return st;
}

status engine_start_iv(ike *i, uint32_t mid, iv_chain *out)
{
    /* phase 2 chains start at the end of phase 1's */
    if (i->iv.started)
        memcpy(i->keys.iv, i->iv.iv, i->keys.block_n);
    return keymat_start_iv(&i->keys, mid, out);
}

void engine_resend(ike *i, const buf *octets)
{
    pluto *p = i->p;
    if (!octets->n)
        return;
    pluto_lock(p);
    p->stats.retransmits++;
    pluto_unlock(p);
    if (send_octets(i, buf_span(octets)) != ST_OK)
        plog(&i->st, "retransmission could not be sent");
}

uint32_t engine_new_msgid(ike *i)
{
    uint32_t id;
    do {
        id = rng_u32(i->p->e->crypto);
    } while (id == 0 || engine_seen_msgid(i, id));
    return id;
}

bool engine_seen_msgid(ike *i, uint32_t mid)
{
    unsigned n = i->n_seen < PLUTO_SEEN_MSGIDS ? i->n_seen : PLUTO_SEEN_MSGIDS;
    for (unsigned k = 0; k < n; k++) {
        if (i->seen_msgid[k] == mid)
            return true;
    }
    i->seen_msgid[i->n_seen++ % PLUTO_SEEN_MSGIDS] = mid;
    if (i->n_seen == 2 * PLUTO_SEEN_MSGIDS) /* never wraps, never looks empty */
        i->n_seen = PLUTO_SEEN_MSGIDS;
    return false;
}

/* ---- after a message ---- */

/* `sent MR3, ISAKMP SA established` to the log; 1nn or 004 to who waits. */
static void tell_story(pstate *st, const char *story)
{
    bool up = state_isakmp_established(st->state) || state_ipsec_established(st->state);
    if (up)
        plog(st, "%s", story);
    plog_progress(st, up ? RC_SUCCESS : RC_NEW_STATE + (int)st->state, "%s: %s", state_name(st->state),
                  story);
}

void engine_started(pstate *st, pl_state to, const char *story)
{
    st->tries = 0;
    state_change(st, to);
    plog_progress(st, RC_NEW_STATE + (int)to, "%s: %s", state_name(to), story);
    state_arm(st, EVENT_RETRANSMIT, RETRANSMIT_FIRST_MS);
}

static void story_of(const msgctx *md, char *dst, size_t size)
{
    char tail[256] = "";
    if (md->q && state_ipsec_established(md->row->next))
        quick_story(md->q, tail, sizeof(tail));
    snprintf(dst, size, "%s%s", state_story(md->row->next), tail);
}

static status set_hash3(ike *i, uint32_t mid, const quick *q, ikev1_builder *b)
{
    uint8_t id[4], zero = 0, h[MAX_HASH_BYTES];
    set_u32(id, mid);
    span parts[] = {span_of(&zero, 1), span_of(id, 4), buf_span(&q->ni), buf_span(&q->nr)};
    status st = keymat_hash(&i->keys, parts, 4, h);
    if (st == ST_OK)
        ikev1_set_hash(b, span_of(h, i->keys.hash_n));
    return st;
}

static status send_reply(msgctx *md)
{
    ike *i = md->i;
    iv_chain *iv = NULL;
    status st = ST_OK;
    uint32_t mid = md->m.h.mid;
    if (md->row->flags & SMF_REPLY_HASH2)
        st = engine_set_hash(i, mid, buf_span(&md->q->ni), &md->reply);
    else if (md->row->flags & SMF_REPLY_HASH3)
        st = set_hash3(i, mid, md->q, &md->reply);
    if (st != ST_OK)
        return st;
    if (md->q)
        iv = &md->q->iv;
    else if (md->row->flags & SMF_ENCRYPTED || md->st->state == STATE_MAIN_I2)
        iv = &i->iv;
    return engine_send(i, &md->st->tx, md->m.h.exchange, mid, &md->reply, iv);
}

static void arm_after(msgctx *md)
{
    pstate *st = md->st;
    switch (md->row->timer) {
    case EVENT_RETRANSMIT:
        state_arm(st, EVENT_RETRANSMIT, RETRANSMIT_FIRST_MS);
        break;
    case EVENT_SO_DISCARD:
        state_arm(st, EVENT_SO_DISCARD, HALF_OPEN_LIFE_MS);
        break;
    case EVENT_SA_REPLACE:
        state_arm_lifetime(st, st->phase1 ? md->i->life_s : md->q->life_s);
        break;
    default:
        break;
    }
}

static void commit_iv(msgctx *md)
{
    if (md->q)
        md->q->iv = md->iv;
    else if (md->m.h.exchange == ISAKMP_XCHG_IDPROT && (md->row->flags & SMF_ENCRYPTED))
        md->i->iv = md->iv;
}

static void succeed(msgctx *md)
{
    char story[512];
    pstate *st = md->st;
    natt_follow(md);
    if (md->row->next == STATE_NONE) /* informational and configuration exchanges: the handler did it all */
        return;
    commit_iv(md);
    if ((md->row->flags & SMF_REPLY) && send_reply(md) != ST_OK) {
        plog_serious(st, "the answer could not be made or sent");
        if (!st->phase1)
            quick_end(md->q);
        return;
    }
    if (!(md->row->flags & SMF_REPLY))
        buf_reset(&st->tx);
    buf_reset(&st->rx);
    buf_put(&st->rx, md->m.packet);
    st->duplicates = 0;
    st->tries = 0;
    story_of(md, story, sizeof(story));
    state_change(st, md->row->next);
    tell_story(st, story);
    arm_after(md);
    if (md->row->enter)
        md->row->enter(md);
}

/* ---- failures ---- */

static void notify_peer(msgctx *md)
{
    ike *i = md->i;
    bool encrypted = keymat_ready(&i->keys);
    bool phase1 = md->m.h.exchange == ISAKMP_XCHG_IDPROT;
    iv_chain was = i->iv;
    if (!md->notify || (!state_isakmp_established(i->st.state) && i->failures++ >= MAX_NOTIFIES))
        return;
    if (md->st)
        plog(md->st, "sending %snotification %s to %s", encrypted ? "encrypted " : "",
             ENUM_STR(ikev1_notify_names, md->notify), ADDR_PORT(md->from));
    /* the peer's chain has moved on by the message that we refuse */
    if (phase1 && md->iv.started)
        i->iv = md->iv;
    info_send_notify(i, md->notify, phase1 ? IPV1_PROTO_ISAKMP : IPV1_PROTO_ESP, SPAN_NULL, SPAN_NULL);
    i->iv = was;
}

/* A responder whose first message came to nothing has no timer yet: nobody would ever look at it again. */
static void drop_if_fresh(ike *i)
{
    if (!i->st.initiator && i->st.state == STATE_MAIN_R0)
        ike_end_phase1(i);
}

static void fail(msgctx *md, verdict v)
{
    pstate *st = md->st ? md->st : &md->i->st;
    if (md->why.text[0])
        plog_serious(st, "%s", md->why.text);
    if (md->notify)
        plog_progress(st, RC_NOTIFICATION + md->notify, "%s: %s", state_name(st->state),
                      ENUM_STR(ikev1_notify_names, md->notify));
    notify_peer(md);
    if (!md->q)
        drop_if_fresh(md->i);
    if (md->q) {
        if (md->q->established)
            return;
        /* our own offer was answered with nonsense: another try may do better */
        if (md->q->st.initiator)
            state_give_up(&md->q->st, RETRY_DELAY_MS);
        quick_end(md->q);
        return;
    }
    if (!md->st || !st->phase1 || state_isakmp_established(st->state) || v != SM_FATAL)
        return;
    if (st->initiator)
        state_give_up(st, RETRY_DELAY_MS);
    ike_end_phase1(md->i);
}

static void conclude(msgctx *md, verdict v)
{
    switch (v) {
    case SM_OK:
        succeed(md);
        break;
    case SM_IGNORE:
        if (md->why.text[0])
            plog(md->st ? md->st : &md->i->st, "%s", md->why.text);
        drop_if_fresh(md->i);
        break;
    case SM_FAIL:
    case SM_FATAL:
        fail(md, v);
        break;
    }
}

/* ---- receiving ---- */

static bool is_duplicate(const pstate *st, span d)
{
    return st && st->rx.n && span_equal(buf_span(&st->rx), d);
}

static void duplicate(pstate *st, uint8_t exchange)
{
    /* The answer may have been lost; the peer gets it again, a few times. */
    bool answers = !(st->initiator && st->phase1) || st->state == STATE_QUICK_I2;
    if (answers && st->tx.n && st->duplicates < PLUTO_MAX_DUPLICATES) {
        st->duplicates++;
        pdebug(st->ike->p, PLDBG_CONTROL, "duplicate packet: retransmitting our answer for #%llu",
               (unsigned long long)st->serial);
        engine_resend(st->ike, &st->tx);
    } else {
        pdebug(st->ike->p, PLDBG_CONTROL, "discarding duplicate packet (%s); already %s",
               ENUM_STR(ikev1_exchange_names, exchange), state_name(st->state));
    }
}

/* Which state, and which row of the table. */
static const sm_row *select_row(msgctx *md, span d, bool *dup)
{
    ike *i = md->i;
    const ikev1_header *h = &md->m.h;
    uint8_t auth = auth_is_psk(i->auth) ? SMA_PSK : SMA_SIG;
    bool up = state_isakmp_established(i->st.state);
    md->st = &i->st;
    switch (h->exchange) {
    case ISAKMP_XCHG_IDPROT:
        *dup = is_duplicate(&i->st, d);
        return h->mid ? NULL : sm_find(i->st.state, h->exchange, i->st.initiator, auth);
    case ISAKMP_XCHG_QUICK:
        if (!up || h->mid == 0)
            return NULL;
        if ((md->q = quick_by_msgid(i, h->mid)) != NULL) {
            md->st = &md->q->st;
            *dup = is_duplicate(md->st, d);
            return sm_find(md->st->state, h->exchange, md->st->initiator, SMA_ANY);
        }
        return sm_find(STATE_QUICK_R0, h->exchange, false, SMA_ANY);
    case ISAKMP_XCHG_INFO:
        return sm_find(h->flags & IKEV1_FLAG_ENCRYPTION ? STATE_INFO_PROTECTED : STATE_INFO, h->exchange,
                       false, SMA_ANY);
    case ISAKMP_XCHG_MODE_CFG:
        if (i->cfg_rx.n && span_equal(buf_span(&i->cfg_rx), d)) {
            engine_resend(i, &i->cfg_answer);
            return NULL;
        }
        return up && h->mid ? sm_find(STATE_MODE_CFG_R0, h->exchange, false, SMA_ANY) : NULL;
    default:
        return NULL;
    }
}

static status start_iv(msgctx *md)
{
    ike *i = md->i;
    uint8_t x = md->m.h.exchange;
    if (x == ISAKMP_XCHG_IDPROT)
        md->iv = i->iv;
    else if (md->q && md->q->iv.started)
        md->iv = md->q->iv;
    else if (x == ISAKMP_XCHG_MODE_CFG && i->cfg.active && i->cfg.msgid == md->m.h.mid)
        md->iv = i->cfg.iv;
    else
        return engine_start_iv(i, md->m.h.mid, &md->iv);
    return ST_OK;
}

static status decrypt(msgctx *md, span d, span *body)
{
    ike *i = md->i;
    size_t n = d.n - IKEV1_HEADER;
    uint8_t next[MAX_IV_BYTES];
    if (n == 0 || n % i->keys.block_n)
        return msg_fail(&md->why, ST_INVALID,
                        "encrypted message of %zu octets is no multiple of the block size", n);
    uint8_t *plain = arena_alloc(&md->mem, n);
    if (!plain)
        return ST_NO_MEMORY;
    memcpy(plain, d.p + IKEV1_HEADER, n);
    status st = start_iv(md);
    if (st == ST_OK)
        st = keymat_decrypt(&i->keys, md->iv.iv, plain, n, next);
    if (st != ST_OK)
        return msg_fail(&md->why, st, "decryption failed: %s", status_text(st));
    memcpy(md->iv.iv, next, i->keys.block_n);
    md->iv.started = true;
    *body = span_of(plain, n);
    return ST_OK;
}

static verdict malformed(msgctx *md, status st)
{
    msgbuf why = md->why;
    bool first_encrypted = (md->row->flags & SMF_ENCRYPTED) && md->m.h.exchange == ISAKMP_XCHG_IDPROT &&
                           auth_is_psk(md->i->auth);
    if (st == ST_NO_MEMORY)
        return SM_IGNORE;
    /* under an established SA garbage proves nothing: an authenticated complaint about it would be a tool for
     * forgers */
    if (md->m.h.exchange != ISAKMP_XCHG_IDPROT)
        return sm_fail(md, SM_IGNORE, 0, "malformed payload in packet%s%s", why.text[0] ? ": " : "",
                       why.text);
    if (st == ST_UNSUPPORTED && !first_encrypted)
        return sm_fail(md, SM_FAIL, NV1_INVALID_PAYLOAD_TYPE, "%s", why.text);
    return sm_fail(md, SM_FAIL, NV1_PAYLOAD_MALFORMED, "%smalformed payload in packet%s%s",
                   first_encrypted ? "probable authentication failure (mismatch of preshared secrets?): "
                                   : "",
                   why.text[0] ? ": " : "", why.text);
}

/* The proof that goes with every message of phase 2. */
static bool hash_ok(msgctx *md)
{
    ike *i = md->i;
    uint8_t id[4], zero = 0, h[MAX_HASH_BYTES];
    unsigned f = md->row->flags;
    const ikev1_payload *ph = ikev1_find(&md->m, PLV1_HASH);
    span parts[4], got;
    size_t n = 0;
    if (!(f & (SMF_HASH1 | SMF_HASH2 | SMF_HASH3)))
        return true;
    if (!ph || md->m.p[0].type != PLV1_HASH)
        return false;
    got = ph->hash.data;
    set_u32(id, md->m.h.mid);
    if (f & SMF_HASH3)
        parts[n++] = span_of(&zero, 1);
    parts[n++] = span_of(id, 4);
    if (f & (SMF_HASH2 | SMF_HASH3))
        parts[n++] = buf_span(&md->q->ni);
    parts[n++] = f & SMF_HASH3 ? buf_span(&md->q->nr) : md->m.after_hash;
    return keymat_hash(&i->keys, parts, n, h) == ST_OK && secret_equal(got, span_of(h, i->keys.hash_n));
}

static verdict open_message(msgctx *md, span d)
{
    bool encrypted = md->m.h.flags & IKEV1_FLAG_ENCRYPTION;
    status st;
    if (encrypted != ((md->row->flags & SMF_ENCRYPTED) != 0))
        return sm_fail(md, SM_IGNORE, 0, "%s message %s dropped in %s",
                       ENUM_STR(ikev1_exchange_names, md->m.h.exchange),
                       encrypted ? "that is encrypted" : "in clear", state_name(md->st->state));
    if (encrypted) {
        span body;
        if (!keymat_ready(&md->i->keys))
            return SM_IGNORE;
        if ((st = decrypt(md, d, &body)) != ST_OK)
            return malformed(md, st);
        if ((st = ikev1_parse_chain(&md->m, body, true, &md->why)) != ST_OK)
            return malformed(md, st);
    } else if ((st = ikev1_parse(&md->m, d, &md->mem, &md->why)) != ST_OK) {
        return malformed(md, st);
    }
    if (pdebug_on(md->p, PLDBG_PARSING)) {
        buf dump = {0};
        ikev1_dump(&md->m, &dump);
        pdebug(md->p, PLDBG_PARSING, "%s", buf_cstr(&dump));
        buf_free(&dump);
    }
    if (ikev1_check(&md->m, md->row->need, md->row->may, md->row->many, &md->why) != ST_OK)
        return malformed(md, ST_INVALID);
    if (!hash_ok(md))
        return sm_fail(md, SM_IGNORE, 0, "received Hash Payload does not match computed value");
    return SM_OK;
}

/* Error notifies inside other exchanges are told, never obeyed. */
static void tell_notifies(msgctx *md)
{
    if (md->m.h.exchange == ISAKMP_XCHG_INFO)
        return;
    for (size_t k = 0; k < md->m.n; k++) {
        if (md->m.p[k].type == PLV1_N)
            plog_serious(md->st, "ignoring informational payload, type %s",
                         ENUM_STR(ikev1_notify_names, md->m.p[k].notify.type));
    }
}

static void process(msgctx *md, span d)
{
    bool dup = false;
    md->row = select_row(md, d, &dup);
    if (dup) {
        duplicate(md->st, md->m.h.exchange);
        return;
    }
    if (!md->row) {
        pdebug(md->p, PLDBG_CONTROL, "%s message is not welcome in %s: dropped",
               ENUM_STR(ikev1_exchange_names, md->m.h.exchange), state_name(md->st->state));
        if (md->m.h.exchange == ISAKMP_XCHG_AGGR || md->m.h.exchange == ISAKMP_XCHG_NGRP)
            plog(md->st, "%s is not supported: message dropped",
                 ENUM_STR(ikev1_exchange_names, md->m.h.exchange));
        return;
    }
    verdict v = open_message(md, d);
    /* the id is used up only by a message that is authentic */
    if (v == SM_OK && (md->row->flags & SMF_NEW) && engine_seen_msgid(md->i, md->m.h.mid))
        v = sm_fail(md, SM_IGNORE, 0,
                    "Quick Mode message is unacceptable because it uses a previously used Message ID 0x%08x "
                    "(perhaps this is a duplicated packet)",
                    md->m.h.mid);
    if (v == SM_OK) {
        if (md->m.h.exchange != ISAKMP_XCHG_INFO)
            dpd_activity(md->i);
        tell_notifies(md);
        if (md->m.h.flags & IKEV1_FLAG_COMMIT)
            pdebug(md->p, PLDBG_CONTROL, "the Commit flag is ignored");
        v = md->row->handler(md);
    }
    conclude(md, v);
}

static void receive_fragment(ike *i, const packet *pk, span d)
{
    arena mem;
    ikev1_msg m;
    msgbuf why;
    span whole;
    arena_init(&mem, IKEV1_ARENA_LIMIT);
    if (ikev1_parse(&m, d, &mem, &why) == ST_OK && ikev1_is_fragment(&m)) {
        status st = ikev1_defrag_add(&i->defrag, &m.p[0].frag, &whole, &why);
        ikev1_header h;
        if (st == ST_OK && ikev1_parse_header(&h, whole, NULL) == ST_OK && h.next != PLV1_FRAGMENT &&
            memcmp(h.icookie, m.h.icookie, 8) == 0)
            engine_receive(i, pk, whole);
        else if (st != ST_OK && st != ST_NEED_MORE)
            plog(&i->st, "fragment dropped: %s", why.text);
    }
    arena_free(&mem);
}

void engine_receive(ike *i, const packet *pk, span data)
{
    msgctx *md;
    size_t surplus = 0;
    ikev1_header h;
    if (i->phase1_gone || ikev1_parse_header(&h, data, &surplus) != ST_OK)
        return;
    data = span_take(data, data.n - surplus);
    if (h.next == PLV1_FRAGMENT && !(h.flags & IKEV1_FLAG_ENCRYPTION)) {
        receive_fragment(i, pk, data);
        return;
    }
    if (!(md = calloc(1, sizeof(*md))))
        return;
    arena_init(&md->mem, IKEV1_ARENA_LIMIT);
    md->p = i->p;
    md->i = i;
    md->from = &pk->remote;
    md->to = &pk->local;
    md->natt = pk->natt;
    md->m.h = h;
    md->m.packet = data;
    md->m.mem = &md->mem;
    process(md, data);
    ikev1_builder_free(&md->reply);
    arena_free(&md->mem);
    free(md);
}
