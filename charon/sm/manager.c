/* Sending and receiving for one IKE_SA.
 *
 * A request of ours: queued tasks become active, each adds its payloads, the message is sealed once and kept;
 * the timer sends the same octets again until the answer comes or the tries are used up. The answer is handed
 * to the active tasks in order. A request of the peer: checked, answered by the functions of its table row,
 * the answer kept for as long as the same request may come again.
 */
#include "charon/sm/manager.h"
#include "libstrongswan/base/hashmap.h"
#include <stdlib.h>

enum { UDP_IPV4 = 20 + 8, UDP_IPV6 = 40 + 8, NON_ESP_MARKER = 4 };

static charon *engine(ike_sa *sa)
{
    return sa->ch;
}

/* ---- queue ---- */
void sm_queue(ike_sa *sa, task *t)
{
    task *i;

    if (!t) {
        LOG(&sa->log, IKE, 1, "out of memory: an exchange is not started");
        return;
    }
    if (list_length(&sa->queued) >= MAX_TASKS) {
        LOG(&sa->log, IKE, 1, "too many exchanges are waiting: one is not started");
        task_free(t);
        return;
    }
    LIST_EACH(&sa->queued, task, node, i)
    {
        if (i->ops->rank > t->ops->rank) {
            list_insert_before(&i->node, &t->node);
            return;
        }
    }
    list_append(&sa->queued, &t->node);
}

static void activate(ike_sa *sa, task *t)
{
    list_remove(&t->node);
    list_append(&sa->active, &t->node);
}

static void activate_handshake(ike_sa *sa, uint8_t exchange)
{
    bool child = false;
    task *t;

    LIST_EACH(&sa->queued, task, node, t)
    {
        if (t->ops->exchange == exchange) {
            activate(sa, t);
        } else if (exchange == IKE_AUTH && task_is_child_create(t) && !child) {
            child = true;
            activate(sa, t);
        }
    }
}

static bool may_run(const ike_sa *sa, const task *t, int64_t now)
{
    ike_state st = ike_sa_state(sa);

    if (t->not_before_ms > now)
        return false;
    if (st == IKE_DELETING || sa->replaced)
        return t->ops->rank == RANK_IKE_DELETE;
    return st != IKE_REKEYING || t->ops->rank <= RANK_CHILD_DELETE || t->ops->rank == RANK_DPD;
}

static void activate_one(ike_sa *sa)
{
    int64_t now = runtime_now_ms(RT(engine(sa)));
    int64_t wait = INT64_MAX;
    task *t;

    LIST_EACH(&sa->queued, task, node, t)
    {
        if (may_run(sa, t, now)) {
            activate(sa, t);
            return;
        }
        if (t->not_before_ms > now && t->not_before_ms - now < wait)
            wait = t->not_before_ms - now;
    }
    if (wait != INT64_MAX)
        ike_sa_timer(sa, T_RETRY, wait);
}

/* ---- sending ---- */
static ikev2_header header(const ike_sa *sa, uint8_t exchange, bool response, uint32_t mid)
{
    return (ikev2_header){
        .spi_i = sa->spi_i,
        .spi_r = sa->spi_r,
        .major = 2,
        .exchange = exchange,
        .flags = (uint8_t)((sa->initiator ? IKEV2_FLAG_INITIATOR : 0) | (response ? IKEV2_FLAG_RESPONSE : 0)),
        .mid = mid,
    };
}

static size_t max_datagram(const ike_sa *sa)
{
    size_t ip = sa->ch->set.fragment_size;

    if (!sa->fragment || !ip)
        return 0;
    return ip - (sa->remote.ip.family == AF_INET6 ? UDP_IPV6 : UDP_IPV4) - (sa->natt ? NON_ESP_MARKER : 0);
}

static void send_packets(ike_sa *sa, const ikev2_packets *p, const endpoint *local, const endpoint *remote,
                         bool natt)
{
    LOG(&sa->log, NET, 1, "sending packet: from %s to %s", ENDPOINT_STR(local), ENDPOINT_STR(remote));
    for (size_t i = 0; i < p->n; i++)
        (void)net_send(engine(sa)->env->net, local, remote, natt, ikev2_packet_at(p, i));
    sa->last_out_ms = runtime_now_ms(RT(engine(sa)));
}

static status clear_packet(const ikev2_header *h, const ikev2_builder *b, ikev2_packets *out)
{
    status st = ikev2_emit(h, b, &out->bytes);

    if (st == ST_OK) {
        out->n = 1;
        out->end[0] = (uint32_t)out->bytes.n;
    }
    return st;
}

static void log_generating(ike_sa *sa, const ikev2_header *h, const ikev2_builder *b)
{
    buf text = {0};
    bool in_clear = h->exchange == IKE_SA_INIT;

    if (!log_enabled(sa->log.bus, LG_ENC, 1))
        return;
    ikev2_builder_summary(h, in_clear ? b : NULL, in_clear ? NULL : b, &text);
    LOG(&sa->log, ENC, 1, "generating %s", buf_cstr(&text));
    buf_free(&text);
}

static status seal(ike_sa *sa, const ikev2_header *h, const ikev2_builder *b, ikev2_packets *out)
{
    ikev2_packets_free(out);
    log_generating(sa, h, b);
    if (h->exchange == IKE_SA_INIT)
        return clear_packet(h, b, out);
    return ikev2_seal(h, NULL, b, &sa->keys.out, max_datagram(sa), out);
}

static int64_t retransmit_wait_ms(const charon *ch, unsigned tries)
{
    double ms = (double)ch->set.retransmit_ms;

    for (unsigned i = 0; i < tries; i++)
        ms *= ch->set.retransmit_base;
    return (int64_t)ms;
}

int64_t sm_patience_ms(const charon *ch)
{
    int64_t all = 0;

    for (unsigned i = 0; i <= ch->set.retransmit_tries; i++)
        all += retransmit_wait_ms(ch, i);
    return all;
}

static void arm_retransmit(ike_sa *sa)
{
    ike_sa_timer(sa, T_RETRANSMIT, retransmit_wait_ms(engine(sa), sa->out.tries));
}

static bool send_request(ike_sa *sa, const ikev2_builder *b)
{
    ikev2_header h = header(sa, sa->out.exchange, false, sa->out.mid);
    status st = seal(sa, &h, b, &sa->out.packets);

    if (st == ST_OK && sa->out.exchange == IKE_SA_INIT) {
        h.spi_r = 0;
        buf_free(&sa->hs->init_request);
        st = buf_copy_of(&sa->hs->init_request, ikev2_packet_at(&sa->out.packets, 0));
    }
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "building the %s request failed: %s",
            ENUM_STR(ikev2_exchange_names, sa->out.exchange), status_text(st));
        return false;
    }
    sa->out.active = true;
    sa->out.tries = 0;
    sa->out.sent_ms = runtime_now_ms(RT(engine(sa)));
    send_packets(sa, &sa->out.packets, &sa->local, &sa->remote, sa->natt);
    arm_retransmit(sa);
    return true;
}

/* Lets the active tasks build; false: the IKE_SA is gone. Tasks that have nothing to do any more are freed.
 */
static bool build_request(ike_sa *sa, ikev2_builder *out)
{
    arena mem;
    xchg x = {.sa = sa, .exchange = sa->out.exchange, .mid = sa->out.mid, .out = out, .mem = &mem};
    verdict v = V_DONE;
    task *t;

    arena_init(&mem, IKEV2_ARENA_LIMIT);
    LIST_EACH(&sa->active, task, node, t)
    {
        v = t->ops->request(t, &x);
        if (v == V_SKIP)
            task_free(t);
        else if (v == V_FAILED || v == V_DESTROY)
            break;
    }
    arena_free(&mem);
    if (v != V_FAILED && v != V_DESTROY)
        return true;
    if (v == V_DESTROY)
        ike_sa_destroy(sa);
    else
        ike_sa_failed(sa, ST_INVALID, x.why);
    return false;
}

void sm_initiate(ike_sa *sa)
{
    while (!sa->out.active) {
        ikev2_builder out = {0};
        bool alive;

        if (list_empty(&sa->active)) {
            switch (ike_sa_state(sa)) {
            case IKE_CREATED:
                if (!sa->initiator)
                    return;
                ike_sa_set_state(sa, IKE_CONNECTING);
                activate_handshake(sa, IKE_SA_INIT);
                break;
            case IKE_CONNECTING:
                if (!sa->initiator || !sa->keys.ready)
                    return;
                activate_handshake(sa, IKE_AUTH);
                break;
            case IKE_DESTROYED:
                return;
            default:
                activate_one(sa);
            }
            if (list_empty(&sa->active))
                return;
        }
        if (ike_sa_state(sa) == IKE_CONNECTING)
            sa->out.exchange = sa->keys.ready ? IKE_AUTH : IKE_SA_INIT;
        else
            sa->out.exchange = container_of(sa->active.next, task, node)->ops->exchange;
        alive = build_request(sa, &out);
        if (alive && !list_empty(&sa->active) && !send_request(sa, &out)) {
            ike_sa_failed(sa, ST_NO_MEMORY, "a message could not be built");
            alive = false;
        }
        ikev2_builder_free(&out);
        if (!alive)
            return;
    }
}

void sm_retransmit(ike_sa *sa)
{
    if (!sa->out.active)
        return;
    if (sa->hs && sa->hs->refusal.text[0]) { /* nobody sent a better answer */
        ike_sa_failed(sa, ST_DENIED, sa->hs->refusal.text);
        return;
    }
    if (sa->out.tries >= engine(sa)->set.retransmit_tries) {
        LOG(&sa->log, IKE, 1, "giving up after %u retransmits", sa->out.tries);
        ike_sa_peer_dead(sa);
        return;
    }
    sa->out.tries++;
    atomic_fetch_add(&engine(sa)->n_retransmits, 1);
    LOG(&sa->log, IKE, 1, "retransmit %u of request with message ID %u", sa->out.tries, sa->out.mid);
    send_packets(sa, &sa->out.packets, &sa->local, &sa->remote, sa->natt);
    arm_retransmit(sa);
}

static void end_request(ike_sa *sa)
{
    sa->out.active = false;
    ike_sa_timer_stop(sa, T_RETRANSMIT);
    ikev2_packets_free(&sa->out.packets);
    if (sa->defrag_out)
        ikev2_defrag_reset(sa->defrag_out);
}

void sm_abandon(ike_sa *sa)
{
    list_node *n;

    end_request(sa);
    while ((n = list_pop(&sa->active)))
        task_free(container_of(n, task, node));
}

void sm_send_last_delete(ike_sa *sa)
{
    if (sa->keys.ready && sa->authenticated)
        sm_send_notify_and_delete(sa, 0);
}

void sm_send_notify_and_delete(ike_sa *sa, uint16_t type)
{
    ikev2_builder out = {0};
    ikev2_header h = header(sa, INFORMATIONAL, false, sa->out.mid + (sa->out.active ? 1 : 0));

    if (type)
        ikev2_add_notify(&out, type, SPAN_NULL);
    ikev2_add_delete_ike(&out);
    if (seal(sa, &h, &out, &sa->out.packets) == ST_OK)
        send_packets(sa, &sa->out.packets, &sa->local, &sa->remote, sa->natt);
    ikev2_builder_free(&out);
}

bool sm_has_child_task(const ike_sa *sa, const conn *c)
{
    const list *lists[2] = {&sa->queued, &sa->active};

    for (int i = 0; i < 2; i++) {
        for (const list_node *n = lists[i]->next; n != lists[i]; n = n->next) {
            const task *t = container_of(n, task, node);
            if (task_is_child_create(t) && task_child_create_cfg(t, NULL)->c == c)
                return true;
        }
    }
    return false;
}

/* ---- answers ---- */
static void send_answer(ike_sa *sa, const xchg *x)
{
    ikev2_header h = header(sa, x->exchange, true, x->mid);
    status st;

    if (x->exchange == IKE_SA_INIT && x->refused)
        h.spi_r = 0;
    st = seal(sa, &h, x->out, &sa->in.packets);
    if (st == ST_OK && x->exchange == IKE_SA_INIT && !x->refused)
        st = buf_copy_of(&sa->hs->init_response, ikev2_packet_at(&sa->in.packets, 0));
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "building the answer failed: %s", status_text(st));
        sa->in.answered = false;
        return;
    }
    sa->in.answered = true;
    send_packets(sa, &sa->in.packets, &x->packet->local, &x->packet->remote, x->packet->natt);
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
        atomic_fetch_add(&engine(sa)->n_failed, 1);
    if (v == V_FAILED || v == V_DESTROY) {
        if (sa->in.answered && x->exchange != IKE_SA_INIT)
            last_words_add(engine(sa)->last_words, ike_sa_own_spi(sa), sa->in.hash, &sa->in.packets,
                           runtime_now_ms(RT(engine(sa))) + sm_patience_ms(engine(sa)));
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
    atomic_fetch_add(&engine(sa)->n_replays, 1);
    send_packets(sa, &sa->in.packets, &p->local, &p->remote, p->natt);
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
    end_request(sa);
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
        atomic_fetch_add(&engine(sa)->n_bad, 1);
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
    atomic_fetch_add(&engine(sa)->n_bad, 1);
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
            atomic_fetch_add(&engine(sa)->n_bad, 1);
            return;
        }
    } else if (st != ST_OK && !clear) { /* outer chain is broken: nobody vouches for it */
        LOG(&sa->log, ENC, 1, "message from %s dropped: %s", ENDPOINT_STR(&p->remote), why.text);
        atomic_fetch_add(&engine(sa)->n_bad, 1);
        return;
    }
    if (!clear)
        follow_peer(sa, p);
    sa->last_in_ms = runtime_now_ms(RT(engine(sa)));
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
