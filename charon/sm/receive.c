/* What comes in for one IKE_SA. An answer to our request is handed to the active tasks in order. A request of
 * the peer is decrypted, checked against its row of the state table, answered by the functions of that row;
 * the answer is kept for as long as the same request may come again.
 */
#include "charon/sm/manager.h"
#include "libstrongswan/base/hashmap.h"
#include <stdlib.h>

/* ---- answers ---- */
static void send_answer(ike_sa *sa, const xchg *x)
{
    ikev2_header h = sm_header(sa, x->exchange, true, x->mid);
    status st;

    if (x->exchange == IKE_SA_INIT && x->refused)
        h.spi_r = 0;
    st = sm_seal(sa, &h, x->out, &sa->in.packets);
    if (st == ST_OK && x->exchange == IKE_SA_INIT && !x->refused)
        st = buf_copy_of(&sa->hs->init_response, ikev2_packet_at(&sa->in.packets, 0));
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "building the answer failed: %s", status_text(st));
        sa->in.answered = false;
        return;
    }
    sa->in.answered = true;
    sm_send_packets(sa, &sa->in.packets, &x->packet->local, &x->packet->remote, x->packet->natt);
}

static void answer_with_notify(ike_sa *sa, xchg *x, uint16_t type, span data)
{
    ikev2_builder_reset(x->out);
    ikev2_add_notify(x->out, type, data);
    x->refused = true;
    sa->in.mid = x->mid + 1;
    send_answer(sa, x);
}

static void answer_request(ike_sa *sa, const sm_row *row, xchg *x)
{
    verdict v = V_DONE;

    for (size_t i = 0; i < SM_ANSWERS && row->answers[i] && v == V_DONE; i++)
        v = row->answers[i](x);
    if (!ikev2_builder_ok(x->out)) {
        LOG(&sa->log, IKE, 1, "building the answer failed: %s", status_text(ST_NO_MEMORY));
        v = V_FAILED;
    }
    sa->in.mid = x->mid + 1;
    if (v == V_FAILED || v == V_DESTROY)
        x->refused = x->refused || x->exchange == IKE_SA_INIT;
    send_answer(sa, x);
    if (v == V_FAILED)
        atomic_fetch_add(&sa->ch->n_failed, 1);
    if (v == V_FAILED || v == V_DESTROY) {
        if (sa->in.answered && x->exchange != IKE_SA_INIT)
            last_words_add(sa->ch->last_words, ike_sa_own_spi(sa), sa->in.hash, &sa->in.packets,
                           runtime_now_ms(RT(sa->ch)) + sm_patience_ms(sa->ch));
        ike_sa_destroy(sa);
    }
}

/* ---- receiving ---- */
static void log_parsed(ike_sa *sa, const ikev2_msg *m)
{
    buf text = {0};

    if (!log_enabled(sa->log.bus, LG_ENC, 1))
        return;
    ikev2_summary(m, &text);
    LOG(&sa->log, ENC, 1, "parsed %s", buf_cstr(&text));
    if (log_enabled(sa->log.bus, LG_ENC, 3)) {
        buf_reset(&text);
        ikev2_dump(m, &text);
        LOG(&sa->log, ENC, 3, "%s", buf_cstr(&text));
    }
    buf_free(&text);
}

static void replay_answer(ike_sa *sa, const packet *p, uint64_t hash)
{
    if (!sa->in.answered || hash != sa->in.hash)
        return;
    LOG(&sa->log, IKE, 1, "received retransmit of request with ID %u, retransmitting response",
        sa->in.mid - 1);
    atomic_fetch_add(&sa->ch->n_replays, 1);
    sm_send_packets(sa, &sa->in.packets, &p->local, &p->remote, p->natt);
}

/* Is this the message we may look at now? Nothing here changes the IKE_SA. */
static bool wanted(ike_sa *sa, const packet *p, const ikev2_msg *m, uint64_t hash)
{
    if (ikev2_is_response(&m->h)) {
        if (sa->out.active && m->h.mid == sa->out.mid && m->h.exchange == sa->out.exchange)
            return true;
        LOG(&sa->log, IKE, 2, "response with message ID %u is not expected: ignored", m->h.mid);
        return false;
    }
    if (m->h.mid == sa->in.mid)
        return true;
    if (m->h.mid + 1 == sa->in.mid)
        replay_answer(sa, p, hash);
    else
        LOG(&sa->log, IKE, 1, "received message ID %u, expected %u. Ignored", m->h.mid, sa->in.mid);
    return false;
}

static status open_message(ike_sa *sa, ikev2_msg *m, msgbuf *why)
{
    ikev2_defrag **d = ikev2_is_response(&m->h) ? &sa->defrag_out : &sa->defrag_in;

    if (!sa->keys.ready || !m->sk)
        return msg_fail(why, ST_CRYPTO, "%s",
                        sa->keys.ready ? "it is not encrypted" : "there are no keys yet");
    if (m->sk->type == PLV2_SK)
        return ikev2_open(m, &sa->keys.in, why);
    if (!*d && !(*d = calloc(1, sizeof(**d))))
        return ST_NO_MEMORY;
    return ikev2_open_fragment(*d, m, &sa->keys.in, why);
}

/* A NAT may have given the peer another address or port; before IKE_AUTH the port floats to 4500. */
static void follow_peer(ike_sa *sa, const packet *p)
{
    if (endpoint_equal(&p->remote, &sa->remote) && endpoint_equal(&p->local, &sa->local))
        return;
    if (ike_sa_state(sa) == IKE_CONNECTING || sa->nat_remote) {
        sa->natt = p->natt;
        ike_sa_moved(sa, &p->local, &p->remote);
    }
}

static void received_response(ike_sa *sa, xchg *x)
{
    verdict v = V_DONE;
    task *t;

    LIST_EACH(&sa->active, task, node, t)
    {
        v = t->ops->response(t, x);
        if (v == V_AGAIN || v == V_WAIT || v == V_FAILED || v == V_DESTROY)
            break;
        if (v == V_LATER) {
            list_remove(&t->node);
            sm_queue(sa, t);
        } else if (v != V_MORE) {
            task_free(t);
        }
        if (ike_sa_state(sa) == IKE_DESTROYED)
            return;
    }
    if (v == V_WAIT)
        return;
    sm_end_request(sa);
    if (v == V_AGAIN)
        return;
    sa->out.mid++;
    if (v == V_FAILED)
        ike_sa_failed(sa, ST_DENIED, x->why);
    else if (v == V_DESTROY)
        ike_sa_destroy(sa);
}

static void handle(ike_sa *sa, const sm_row *row, xchg *x)
{
    ikev2_msg *m = (ikev2_msg *)x->in;
    uint8_t rule = row->rule;
    msgbuf why = {0};

    if (rule == RULE_INIT_RESPONSE && !ikev2_find(m, PLV2_SA))
        rule = RULE_INIT_REFUSAL;
    log_parsed(sa, m);
    if (ikev2_check(m, &ikev2_rules[rule], &why) != ST_OK) {
        LOG(&sa->log, ENC, 1, "%s %s refused: %s", ENUM_STR(ikev2_exchange_names, m->h.exchange),
            row->response ? "response" : "request", why.text);
        atomic_fetch_add(&sa->ch->n_bad, 1);
        if (!row->response) {
            answer_with_notify(sa, x, N_INVALID_SYNTAX, SPAN_NULL);
            if (ike_sa_state(sa) <= IKE_CONNECTING)
                ike_sa_destroy(sa);
        } else if (x->exchange != IKE_SA_INIT) {
            ike_sa_failed(sa, ST_INVALID, "the peer's answer is malformed");
        }
        return;
    }
    if (row->response)
        received_response(sa, x);
    else
        answer_request(sa, row, x);
}

static void malformed(ike_sa *sa, xchg *x, status st, const msgbuf *why)
{
    const ikev2_msg *m = x->in;
    uint8_t type = m->critical;

    LOG(&sa->log, ENC, 1, "message is malformed: %s", why->text[0] ? why->text : status_text(st));
    atomic_fetch_add(&sa->ch->n_bad, 1);
    if (ikev2_is_response(&m->h)) {
        if (x->exchange != IKE_SA_INIT)
            ike_sa_failed(sa, ST_INVALID, "the peer's answer is malformed");
        return;
    }
    if (!sm_find_row(m->h.exchange, false, ike_sa_state(sa), sa->initiator))
        return;
    if (st == ST_UNSUPPORTED && type)
        answer_with_notify(sa, x, N_UNSUPPORTED_CRITICAL_PAYLOAD, span_of(&type, 1));
    else
        answer_with_notify(sa, x, N_INVALID_SYNTAX, SPAN_NULL);
    if (ike_sa_state(sa) <= IKE_CONNECTING)
        ike_sa_destroy(sa);
}

static void receive(ike_sa *sa, packet *p, arena *mem)
{
    ikev2_builder out = {0};
    ikev2_msg m = {0};
    msgbuf why = {0};
    xchg x = {.sa = sa, .in = &m, .out = &out, .mem = mem, .packet = p};
    uint64_t hash = hash_bytes(packet_span(p));
    const sm_row *row;
    status st = ikev2_parse(&m, packet_span(p), mem, &why);
    bool clear;

    if (st == ST_NO_MEMORY)
        return;
    clear = m.h.exchange == IKE_SA_INIT;
    x.exchange = m.h.exchange;
    x.mid = m.h.mid;
    if (!wanted(sa, p, &m, hash))
        return;
    row = sm_find_row(m.h.exchange, ikev2_is_response(&m.h), ike_sa_state(sa), sa->initiator);
    if (!row) {
        LOG(&sa->log, IKE, 1, "%s %s is not acceptable in state %s: ignored",
            ENUM_STR(ikev2_exchange_names, m.h.exchange), ikev2_is_response(&m.h) ? "response" : "request",
            ENUM_STR(ike_state_names, ike_sa_state(sa)));
        return;
    }
    if (st == ST_OK && !clear) {
        st = open_message(sa, &m, &why);
        if (st == ST_NEED_MORE)
            goto taken;
        if (st == ST_CRYPTO || st == ST_NO_MEMORY || st == ST_LIMIT ||
            (m.sk && m.sk->type == PLV2_SKF && st != ST_OK)) {
            LOG(&sa->log, ENC, 1, "message from %s dropped: %s", ENDPOINT_STR(&p->remote),
                why.text[0] ? why.text : status_text(st));
            atomic_fetch_add(&sa->ch->n_bad, 1);
            return;
        }
    } else if (st != ST_OK && !clear) { /* outer chain is broken: nobody vouches for it */
        LOG(&sa->log, ENC, 1, "message from %s dropped: %s", ENDPOINT_STR(&p->remote), why.text);
        atomic_fetch_add(&sa->ch->n_bad, 1);
        return;
    }
    if (!clear)
        follow_peer(sa, p);
    sa->last_in_ms = runtime_now_ms(RT(sa->ch));
    if (!row->response)
        sa->in.hash = m.sk && m.sk->type == PLV2_SKF && m.sk->skf.number != 1 ? sa->in.hash : hash;
    if (st != ST_OK)
        malformed(sa, &x, st, &why);
    else
        handle(sa, row, &x);
    ikev2_builder_free(&out);
    if (ike_sa_state(sa) == IKE_DESTROYED)
        return;
    if (sa->hs && ike_sa_state(sa) >= IKE_ESTABLISHED)
        ike_sa_forget_handshake(sa);
    sm_initiate(sa);
    return;
taken:
    if (!row->response && m.sk->skf.number == 1)
        sa->in.hash = hash; /* its retransmission asks for the answer again */
}

void sm_receive(ike_sa *sa, packet *p)
{
    arena mem;

    LOG(&sa->log, NET, 1, "received packet: from %s to %s", ENDPOINT_STR(&p->remote),
        ENDPOINT_STR(&p->local));
    arena_init(&mem, IKEV2_ARENA_LIMIT);
    receive(sa, p, &mem);
    arena_free(&mem);
    packet_free(p);
}
