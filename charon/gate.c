/* What happens to a packet before an IKE_SA sees it, on the loop thread: header check, look-up by SPI, and
 * for peers that begin: retransmission or new, limits of half-open IKE_SAs, cookies (RFC 7296 2.6). Allocates
 * only for a new IKE_SA.
 */
#include "charon/sa/ike_sa.h"
#include "charon/sm/manager.h"
#include "libstrongswan/base/hashmap.h"

enum { COOKIE_MAC = 32, COOKIE_BYTES = 1 + COOKIE_MAC };

static void drop_packet(void *arg)
{
    packet_free(arg);
}

static void packet_mail(ike_sa *sa, void *arg)
{
    sm_receive(sa, arg);
}

static void deliver(ike_sa *sa, packet *p)
{
    if (!ike_sa_post(sa, packet_mail, drop_packet, p))
        packet_free(p);
    ike_sa_unref(sa);
}

/* A clear answer to an IKE_SA_INIT request that leaves nothing behind. */
static void answer_clear(charon *ch, const packet *p, const ikev2_header *in, uint16_t type, span data)
{
    ikev2_header h = {
        .spi_i = in->spi_i,
        .spi_r = in->spi_r,
        .major = 2,
        .exchange = in->exchange,
        .flags = (uint8_t)(IKEV2_FLAG_RESPONSE |
                           (in->flags & IKEV2_FLAG_INITIATOR ? 0 : IKEV2_FLAG_INITIATOR)),
        .mid = in->mid,
    };
    ikev2_builder b = {0};
    buf out = {0};

    ikev2_add_notify(&b, type, data);
    if (ikev2_emit(&h, &b, &out) == ST_OK)
        (void)net_send(ch->env->net, &p->local, &p->remote, p->natt, buf_span(&out));
    ikev2_builder_free(&b);
    buf_free(&out);
}

/* ---- cookies ---- <version of the secret> | SHA-256(secret | Ni | IPi | port | SPIi) */
static void new_secret_if_due(charon *ch)
{
    int64_t now = runtime_now_ms(RT(ch));
    uint8_t version = ch->cookie[0].version;

    if (now < ch->cookie_until_ms)
        return;
    ch->cookie[1] = ch->cookie[0];
    if (rng_bytes(ch->env->crypto, RNG_STRONG, ch->cookie[0].key, sizeof(ch->cookie[0].key)) == ST_OK)
        ch->cookie[0].version = (uint8_t)(version + 1);
    ch->cookie_until_ms = now + COOKIE_SECRET_MS;
}

static bool make_cookie(charon *ch, const cookie_secret *s, const packet *p, uint64_t spi_i, span ni,
                        uint8_t out[COOKIE_BYTES])
{
    uint8_t b[10];

    set_u64(b, spi_i);
    set_u16(b + 8, p->remote.port);
    out[0] = s->version;
    return hash_once(ch->env->crypto, HASH_SHA2_256,
                     (span[]){SPAN_ARRAY(s->key), ni, addr_span(&p->remote.ip), SPAN_ARRAY(b)}, 4,
                     out + 1) == ST_OK;
}

/* Walks the clear payloads: the nonce, and the cookie, which must come first. false: malformed. */
static bool find_nonce_and_cookie(span packet_, uint8_t first, span *ni, span *cookie)
{
    span rest = span_skip(packet_, IKEV2_HEADER);
    uint8_t type = first;

    *ni = *cookie = SPAN_NULL;
    for (int i = 0; type && i < IKEV2_MAX_PAYLOADS; i++) {
        size_t len = rest.n >= IKEV2_GENERIC ? get_u16(rest.p + 2) : 0;
        span body;
        if (len < IKEV2_GENERIC || len > rest.n)
            return false;
        body = span_of(rest.p + IKEV2_GENERIC, len - IKEV2_GENERIC);
        if (type == PLV2_NONCE && !ni->n)
            *ni = body;
        else if (i == 0 && type == PLV2_NOTIFY && body.n > 4 && body.p[1] == 0 &&
                 get_u16(body.p + 2) == N_COOKIE)
            *cookie = span_skip(body, 4);
        type = rest.p[0];
        rest = span_skip(rest, len);
    }
    return ni->n >= NONCE_MIN && ni->n <= NONCE_MAX;
}

static bool cookie_is_right(charon *ch, const packet *p, const ikev2_header *h)
{
    uint8_t right[COOKIE_BYTES];
    span ni, cookie;

    if (!find_nonce_and_cookie(packet_span(p), h->next, &ni, &cookie))
        return false;
    new_secret_if_due(ch);
    for (int i = 0; i < 2 && cookie.n == COOKIE_BYTES; i++) {
        if (ch->cookie[i].version != cookie.p[0])
            continue;
        if (make_cookie(ch, &ch->cookie[i], p, h->spi_i, ni, right) &&
            secret_equal(cookie, SPAN_ARRAY(right)))
            return true;
    }
    if (make_cookie(ch, &ch->cookie[0], p, h->spi_i, ni, right)) {
        answer_clear(ch, p, h, N_COOKIE, SPAN_ARRAY(right));
        atomic_fetch_add(&ch->n_cookies, 1);
    }
    return false;
}

/* ---- a peer begins ---- */
static ike_sa *new_responder(charon *ch, const packet *p, const ikev2_header *h, uint64_t hash)
{
    ike_sa *sa = NULL;

    if (ike_sa_new(&sa, ch, false) != ST_OK)
        return NULL;
    sa->spi_i = h->spi_i;
    sa->init_hash = hash;
    sa->local = p->local;
    sa->remote = p->remote;
    sa->family = p->remote.ip.family;
    sa->natt = p->natt;
    sa->counted_half_open = true;
    atomic_fetch_add(&ch->half_open, 1);
    sa_table_add(ch->sas, sa);
    sa_table_add_init(ch->sas, sa);
    sa_table_add_host(ch->sas, sa);
    return sa;
}

static void bad(charon *ch, const packet *p, const char *why)
{
    atomic_fetch_add(&ch->n_bad, 1);
    LOG(&ch->log, NET, 1, "packet from %s ignored: %s", ENDPOINT_STR(&p->remote), why);
}

static ike_sa *first_message(charon *ch, const packet *p, const ikev2_header *h)
{
    uint64_t hash = hash_bytes(packet_span(p));
    bool changed;
    ike_sa *sa;

    if (h->exchange != IKE_SA_INIT || ikev2_is_response(h) || !(h->flags & IKEV2_FLAG_INITIATOR) ||
        h->mid != 0 || h->spi_i == 0) {
        bad(ch, p, "its responder SPI is zero, but it is no IKE_SA_INIT request");
        return NULL;
    }
    sa = sa_table_by_init(ch->sas, h->spi_i, &p->remote, hash, &changed);
    if (sa)
        return sa;
    if (atomic_load(&ch->closing))
        return NULL;
    if (ch->set.block_threshold && sa_table_half_open_of(ch->sas, &p->remote.ip) >= ch->set.block_threshold) {
        bad(ch, p, "too many half-open IKE_SAs of this peer");
        return NULL;
    }
    unsigned threshold = atomic_load_explicit(&ch->set.cookie_threshold, memory_order_relaxed);
    if (threshold && atomic_load(&ch->half_open) >= threshold && !cookie_is_right(ch, p, h))
        return NULL;
    return new_responder(ch, p, h, hash);
}

void gate_receive(void *ctx, packet *p)
{
    charon *ch = ctx;
    ikev2_header h = {0};
    status st = ikev2_parse_header(&h, packet_span(p));
    ike_sa *sa = NULL;
    uint64_t own;

    atomic_fetch_add(&ch->n_packets, 1);
    if (st == ST_UNSUPPORTED && h.major > 2) {
        bad(ch, p, "its major version is not supported");
        if (!(h.flags & IKEV2_FLAG_RESPONSE))
            answer_clear(ch, p, &h, N_INVALID_MAJOR_VERSION, SPAN_NULL);
    } else if (st != ST_OK || h.major != 2) {
        bad(ch, p, "its header is malformed");
    } else {
        own = h.flags & IKEV2_FLAG_INITIATOR ? h.spi_r : h.spi_i;
        if (own == 0 || (h.exchange == IKE_SA_INIT && !ikev2_is_response(&h)))
            sa = own == 0 ? first_message(ch, p, &h) : NULL;
        else if (!(sa = sa_table_by_spi(ch->sas, own)) &&
                 !last_words_answer(ch->last_words, own, p, ch->env->net, runtime_now_ms(RT(ch))))
            LOG(&ch->log, MGR, 2, "packet from %s ignored: there is no IKE_SA with SPI %016llx",
                ENDPOINT_STR(&p->remote), (unsigned long long)own);
    }
    if (sa)
        deliver(sa, p);
    else
        packet_free(p);
}
