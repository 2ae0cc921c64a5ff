/* The fake kernel looked at from outside: what it holds, what does not belong there, events on demand, and
 * packets between two fakes that arrive only if both ends agree.
 */
#include "libfreeswan/kernel/fake_priv.h"

static fake *self(kernel *k)
{
    return container_of(k, fake, base);
}

/* ---- what it holds ---- */
void kernel_fake_each_sa(kernel *k, bool (*fn)(void *ctx, const fake_sa *sa), void *ctx)
{
    fake *f = self(k);
    fake_entry *e;

    pthread_mutex_lock(&f->lock);
    LIST_EACH(&f->sas, fake_entry, node, e)
    {
        if (!fn(ctx, &e->pub))
            break;
    }
    pthread_mutex_unlock(&f->lock);
}

typedef struct each_policy {
    bool (*fn)(void *ctx, const fake_policy *p);
    void *ctx;
} each_policy;

static bool each_policy_fn(void *ctx, const kernel_policy *now, unsigned users)
{
    const each_policy *each = ctx;

    return each->fn(each->ctx, &(fake_policy){.p = *now, .users = users});
}

void kernel_fake_each_policy(kernel *k, bool (*fn)(void *ctx, const fake_policy *p), void *ctx)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    poltab_each(f->policies, each_policy_fn, &(each_policy){fn, ctx});
    pthread_mutex_unlock(&f->lock);
}

static size_t count_sas(fake *f, bool reserved)
{
    size_t n = 0;
    fake_entry *e;

    pthread_mutex_lock(&f->lock);
    LIST_EACH(&f->sas, fake_entry, node, e)
    n += e->pub.reserved == reserved;
    pthread_mutex_unlock(&f->lock);
    return n;
}

size_t kernel_fake_sas(kernel *k)
{
    return count_sas(self(k), false);
}

size_t kernel_fake_reserved(kernel *k)
{
    return count_sas(self(k), true);
}

size_t kernel_fake_policies(kernel *k)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    size_t n = poltab_count(f->policies);
    pthread_mutex_unlock(&f->lock);
    return n;
}

uint64_t kernel_fake_calls(kernel *k)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    uint64_t n = f->calls;
    pthread_mutex_unlock(&f->lock);
    return n;
}

static void put_sa(buf *out, const fake_sa *s)
{
    buf_printf(out, "%s %s spi %08x %s -> %s reqid %u %s encr %u integ %u%s%s\n",
               s->sa.inbound ? "in " : "out", fake_proto_name(s->sa.id.proto), s->sa.id.spi,
               ADDR_STR(&s->sa.id.src), ADDR_STR(&s->sa.id.dst), s->sa.reqid,
               s->sa.mode == MODE_TUNNEL ? "tunnel"
               : s->sa.mode == MODE_BEET ? "beet"
                                         : "transport",
               s->sa.encr, s->sa.integ, s->sa.udp_encap ? " udp" : "", s->reserved ? " (reserved)" : "");
}

static void put_policy(buf *out, const kernel_policy *p, unsigned users)
{
    static const char *const dirs[] = {"out", "in", "fwd"}, *const kinds[] = {"ipsec", "pass", "drop",
                                                                              "reject"};

    buf_printf(out, "policy %s %s %s === %s prio %u reqid %u%s users %u\n", dirs[p->dir], kinds[p->kind],
               TS_STR(&p->src), TS_STR(&p->dst), p->priority, p->reqid, p->trap ? " trap" : "", users);
}

static bool dump_policy(void *ctx, const kernel_policy *now, unsigned users)
{
    put_policy(ctx, now, users);
    return true;
}

void kernel_fake_dump(kernel *k, buf *out)
{
    fake *f = self(k);
    fake_entry *e;

    pthread_mutex_lock(&f->lock);
    LIST_EACH(&f->sas, fake_entry, node, e)
    put_sa(out, &e->pub);
    poltab_each(f->policies, dump_policy, out);
    pthread_mutex_unlock(&f->lock);
}

/* ---- orphans ---- */
static fake_entry *newest_sa(fake *f, uint32_t reqid, uint8_t proto, bool inbound)
{
    fake_entry *e, *found = NULL;

    LIST_EACH(&f->sas, fake_entry, node, e)
    {
        if (!e->pub.reserved && e->pub.sa.reqid == reqid && e->pub.sa.inbound == inbound &&
            (proto == PROTO_NONE || e->pub.sa.id.proto == proto))
            found = e;
    }
    return found;
}

typedef struct orphan_scan {
    fake *f;
    buf *out;
    size_t n;
    uint32_t reqid; /* looked for by reqid_has_policy */
    bool found;
} orphan_scan;

static bool reqid_has_policy(void *ctx, const kernel_policy *now, unsigned users)
{
    orphan_scan *s = ctx;

    s->found = now->kind == POLICY_IPSEC && now->reqid == s->reqid;
    return !s->found;
}

static void orphan(orphan_scan *s, const char *why)
{
    s->n++;
    if (s->out)
        buf_printf(s->out, "%s: ", why);
}

static bool orphan_policy(void *ctx, const kernel_policy *now, unsigned users)
{
    orphan_scan *s = ctx;
    const char *why = NULL;

    if (!users)
        why = "policy without users";
    else if (now->kind == POLICY_IPSEC && !now->trap &&
             !newest_sa(s->f, now->reqid, PROTO_NONE, now->dir != POLICY_OUT))
        why = "policy without SA";
    if (why) {
        orphan(s, why);
        if (s->out)
            put_policy(s->out, now, users);
    }
    return true;
}

static const char *orphan_sa(orphan_scan *s, const fake_entry *e)
{
    if (e->pub.reserved)
        return "SPI reserved and never used";
    if (!newest_sa(s->f, e->pub.sa.reqid, e->pub.sa.id.proto, !e->pub.sa.inbound))
        return e->pub.sa.inbound ? "inbound SA without outbound" : "outbound SA without inbound";
    s->reqid = e->pub.sa.reqid;
    s->found = false;
    poltab_each(s->f->policies, reqid_has_policy, s);
    return s->found ? NULL : "SA without policy";
}

size_t kernel_fake_orphans(kernel *k, buf *out)
{
    fake *f = self(k);
    orphan_scan scan = {.f = f, .out = out};
    fake_entry *e;

    pthread_mutex_lock(&f->lock);
    LIST_EACH(&f->sas, fake_entry, node, e)
    {
        const char *why = orphan_sa(&scan, e);
        if (why) {
            orphan(&scan, why);
            if (out)
                put_sa(out, &e->pub);
        }
    }
    poltab_each(f->policies, orphan_policy, &scan);
    pthread_mutex_unlock(&f->lock);
    return scan.n;
}

/* ---- policy look-up ---- */
typedef struct policy_search {
    policy_dir dir;
    traffic_sel src, dst; /* of one packet */
    bool found;
    kernel_policy best;
} policy_search;

static traffic_sel packet_ts(const ip_addr *a, uint8_t proto, uint16_t port)
{
    return (traffic_sel){.from = *a, .to = *a, .proto = proto, .from_port = port, .to_port = port};
}

static bool match_policy(void *ctx, const kernel_policy *now, unsigned users)
{
    policy_search *s = ctx;

    if (now->dir == s->dir && ts_contains(&now->src, &s->src) && ts_contains(&now->dst, &s->dst) &&
        (!s->found || now->priority < s->best.priority)) {
        s->best = *now;
        s->found = true;
    }
    return true;
}

static bool find_policy(fake *f, policy_dir dir, const fake_packet *p, kernel_policy *out)
{
    policy_search s = {.dir = dir,
                       .src = packet_ts(&p->src, p->proto, p->sport),
                       .dst = packet_ts(&p->dst, p->proto, p->dport)};

    poltab_each(f->policies, match_policy, &s);
    *out = s.best;
    return s.found;
}

/* ---- events on demand ---- */
bool kernel_fake_acquire(kernel *k, const ip_addr *src, const ip_addr *dst, uint8_t proto, uint16_t sport,
                         uint16_t dport)
{
    fake *f = self(k);
    fake_packet p = {.src = *src, .dst = *dst, .proto = proto, .sport = sport, .dport = dport};
    kernel_policy pol;

    pthread_mutex_lock(&f->lock);
    bool trap = find_policy(f, POLICY_OUT, &p, &pol) && pol.kind == POLICY_IPSEC && pol.trap;
    if (trap) {
        traffic_sel s = packet_ts(src, proto, sport), d = packet_ts(dst, proto, dport);
        kevents_acquire(f->events, pol.reqid, &s, &d);
    }
    pthread_mutex_unlock(&f->lock);
    return trap;
}

static fake_entry *find_spi(fake *f, uint32_t spi)
{
    fake_entry *e;

    LIST_EACH(&f->sas, fake_entry, node, e)
    {
        if (e->pub.sa.id.spi == spi && !e->pub.reserved)
            return e;
    }
    return NULL;
}

bool kernel_fake_expire(kernel *k, uint32_t spi, bool hard)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    fake_entry *e = find_spi(f, spi);
    if (e)
        fake_expire(f, e, hard);
    pthread_mutex_unlock(&f->lock);
    return e != NULL;
}

bool kernel_fake_mapping(kernel *k, uint32_t spi, const endpoint *peer)
{
    fake *f = self(k);

    pthread_mutex_lock(&f->lock);
    fake_entry *e = find_spi(f, spi);
    if (e)
        kevents_mapping(f->events, &e->pub.sa.id, e->pub.sa.reqid, peer);
    pthread_mutex_unlock(&f->lock);
    return e != NULL;
}

/* ---- traffic ---- */
/* Packets and bytes in an SA; limits raise expire. false: it is gone. */
static void count(fake *f, fake_entry *e, size_t bytes)
{
    const kernel_lifetime *l = &e->pub.sa.life;
    kernel_sa_stats *st = &e->pub.stats;

    st->packets++;
    st->bytes += bytes;
    st->use_time_s = runtime_wall_s(f->rt);
    bool soft = (l->soft_bytes && st->bytes >= l->soft_bytes) ||
                (l->soft_packets && st->packets >= l->soft_packets);
    bool hard = (l->hard_bytes && st->bytes >= l->hard_bytes) ||
                (l->hard_packets && st->packets >= l->hard_packets);
    if (hard) {
        fake_expire(f, e, true);
    } else if (soft && !e->soft_done) {
        e->soft_done = true;
        fake_expire(f, e, false);
    }
}

/* Why the receiver's SA is not the mirror of the sender's; NULL if it is. */
static const char *differ(const kernel_sa *o, const kernel_sa *i, bool nat)
{
    if (o->mode != i->mode)
        return "modes";
    if (o->encr != i->encr)
        return "ciphers";
    if (o->integ != i->integ)
        return "integrity algorithms";
    if (!span_equal(o->encr_key, i->encr_key))
        return "cipher keys";
    if (!span_equal(o->integ_key, i->integ_key))
        return "integrity keys";
    if (o->esn != i->esn)
        return "sequence number sizes";
    if (o->udp_encap != i->udp_encap)
        return "UDP encapsulations";
    if (o->ipcomp_bundled != i->ipcomp_bundled)
        return "compressions";
    if (nat)
        return NULL;
    if (!addr_equal(&o->id.src, &i->id.src) || !addr_equal(&o->id.dst, &i->id.dst))
        return "addresses";
    if (o->udp_encap && (o->src_port != i->src_port || o->dst_port != i->dst_port))
        return "UDP ports";
    if (o->mode != MODE_TUNNEL && (!ts_equal(&o->src_ts, &i->src_ts) || !ts_equal(&o->dst_ts, &i->dst_ts)))
        return "SA selectors";
    return NULL;
}

/* The SA at b that answers to this one of a. */
static fake_entry *find_peer_sa(fake *b, const kernel_sa *o, bool nat)
{
    fake_entry *e;

    LIST_EACH(&b->sas, fake_entry, node, e)
    {
        if (!e->pub.reserved && e->pub.sa.inbound && e->pub.sa.id.proto == o->id.proto &&
            e->pub.sa.id.spi == o->id.spi && (nat || addr_equal(&e->pub.sa.id.dst, &o->id.dst)))
            return e;
    }
    return NULL;
}

static fake_fate receive(fake *b, const fake_packet *p, const kernel_policy *out, uint32_t reqid, bool nat,
                         msgbuf *why)
{
    kernel_policy in;

    if (!find_policy(b, POLICY_IN, p, &in)) {
        msg_set(why, "the receiver has no policy for it");
        return FAKE_REFUSED;
    }
    if (in.kind != POLICY_IPSEC || in.reqid != reqid) {
        msg_set(why, "the receiver's policy wants reqid %u, it came with %u", in.reqid, reqid);
        return FAKE_REFUSED;
    }
    if (!nat && (!ts_equal(&in.src, &out->src) || !ts_equal(&in.dst, &out->dst))) {
        msg_set(why, "selectors differ: %s === %s here, %s === %s there", TS_STR(&out->src),
                TS_STR(&out->dst), TS_STR(&in.src), TS_STR(&in.dst));
        return FAKE_LOST;
    }
    return FAKE_DELIVERED;
}

/* Through one SA after the other, outermost last, as the policy's protocols say. */
static fake_fate protect(fake *a, fake *b, const fake_packet *p, const kernel_policy *pol, bool nat,
                         msgbuf *why)
{
    uint32_t reqid = 0;

    for (size_t i = 0; i < sizeof pol->protos && pol->protos[i]; i++) {
        fake_entry *o = newest_sa(a, pol->reqid, pol->protos[i], false);
        if (!o) {
            msg_set(why, "no outbound %s SA with reqid %u", fake_proto_name(pol->protos[i]), pol->reqid);
            return FAKE_NO_SA;
        }
        fake_entry *in = find_peer_sa(b, &o->pub.sa, nat);
        if (!in) {
            msg_set(why, "the receiver has no %s SA with SPI %08x", fake_proto_name(pol->protos[i]),
                    o->pub.sa.id.spi);
            return FAKE_LOST;
        }
        const char *what = differ(&o->pub.sa, &in->pub.sa, nat);
        if (what) {
            msg_set(why, "%s of the two ends differ, SPI %08x", what, o->pub.sa.id.spi);
            return FAKE_LOST;
        }
        reqid = in->pub.sa.reqid;
        count(a, o, p->bytes);
        count(b, in, p->bytes);
    }
    return receive(b, p, pol, reqid, nat, why);
}

static fake_fate send_locked(fake *a, fake *b, const fake_packet *p, bool nat, msgbuf *why)
{
    kernel_policy pol;

    if (!find_policy(a, POLICY_OUT, p, &pol) || pol.kind == POLICY_PASS) {
        if (find_policy(b, POLICY_IN, p, &pol) && pol.kind != POLICY_PASS) {
            msg_set(why, "sent in the clear, but the receiver wants it protected or not at all");
            return FAKE_REFUSED;
        }
        return FAKE_CLEAR;
    }
    if (pol.kind != POLICY_IPSEC) {
        msg_set(why, "the sender's policy drops it");
        return FAKE_DROPPED;
    }
    if (pol.trap) {
        traffic_sel s = packet_ts(&p->src, p->proto, p->sport), d = packet_ts(&p->dst, p->proto, p->dport);
        kevents_acquire(a->events, pol.reqid, &s, &d);
        return FAKE_ACQUIRED;
    }
    return protect(a, b, p, &pol, nat, why);
}

fake_fate kernel_fake_send(kernel *ka, kernel *kb, const fake_packet *p, bool nat, msgbuf *why)
{
    fake *a = self(ka), *b = self(kb), *first = a < b ? a : b, *second = a < b ? b : a;

    msg_clear(why);
    pthread_mutex_lock(&first->lock);
    if (second != first)
        pthread_mutex_lock(&second->lock);
    fake_fate fate = send_locked(a, b, p, nat, why);
    if (second != first)
        pthread_mutex_unlock(&second->lock);
    pthread_mutex_unlock(&first->lock);
    return fate;
}
