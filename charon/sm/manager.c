/* Requests of one IKE_SA: the queue of tasks, sending, retransmission. What comes in is receive.c.
 *
 * A request of ours: queued tasks become active, each adds its payloads, the message is sealed once and kept;
 * the timer sends the same octets again until the answer comes or the tries are used up.
 */
#include "charon/sm/manager.h"
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
ikev2_header sm_header(const ike_sa *sa, uint8_t exchange, bool response, uint32_t mid)
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

void sm_send_packets(ike_sa *sa, const ikev2_packets *p, const endpoint *local, const endpoint *remote,
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

status sm_seal(ike_sa *sa, const ikev2_header *h, const ikev2_builder *b, ikev2_packets *out)
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
    ikev2_header h = sm_header(sa, sa->out.exchange, false, sa->out.mid);
    status st = sm_seal(sa, &h, b, &sa->out.packets);

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
    sm_send_packets(sa, &sa->out.packets, &sa->local, &sa->remote, sa->natt);
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
    sm_send_packets(sa, &sa->out.packets, &sa->local, &sa->remote, sa->natt);
    arm_retransmit(sa);
}

void sm_end_request(ike_sa *sa)
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

    sm_end_request(sa);
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
    ikev2_header h = sm_header(sa, INFORMATIONAL, false, sa->out.mid + (sa->out.active ? 1 : 0));

    if (type)
        ikev2_add_notify(&out, type, SPAN_NULL);
    ikev2_add_delete_ike(&out);
    if (sm_seal(sa, &h, &out, &sa->out.packets) == ST_OK)
        sm_send_packets(sa, &sa->out.packets, &sa->local, &sa->remote, sa->natt);
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
