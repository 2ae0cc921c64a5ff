/* A live IKEv1 engine under messages of the fuzzer's: in clear before there are keys, then under HASH(1) and
 * the keys of a true ISAKMP SA, so that everything behind decryption is reached: quick mode, informational,
 * mode config.
 *
 * Input: one octet of stage (even: a fresh responder, odd: an ISAKMP SA with an IPsec SA is up), then
 * records: exchange selector, flags (4: the same message ID again, 8 clear, 16 a wrong hash), first payload's
 * type, u16 length, the payload chain. Whatever comes, in the end nothing is left.
 */
#include "libfreeswan/wire/ikev1_payloads.h"
#include "pluto/sa/ike.h"
#include "tests/sim/lib/sim.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_RECORDS = 6, RECORD_HEADER = 5, PATIENCE_MS = 400 * 1000 };

static const uint8_t exchanges[] = {ISAKMP_XCHG_QUICK,  ISAKMP_XCHG_INFO, ISAKMP_XCHG_MODE_CFG,
                                    ISAKMP_XCHG_IDPROT, ISAKMP_XCHG_AGGR, 0};

static void need(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the world ---- */
typedef struct world {
    sim *s;
    sim_host *h[2];
    pluto *c[2];
} world;

static conn *make_conn(void)
{
    conn *c = NULL;

    need(conn_new(&c, "net") == ST_OK);
    c->version = CONN_IKEV1;
    c->authby = AUTH_PSK;
    c->pfs = false; /* a quick mode of few octets gets through */
    need(addr_from_text(&c->left.host, "192.0.2.1", NULL) == ST_OK);
    need(addr_from_text(&c->right.host, "192.0.2.2", NULL) == ST_OK);
    c->left.host_any = c->right.host_any = false;
    c->left.id_text = arena_str(&c->mem, SPAN_LIT("moon.test"));
    c->right.id_text = arena_str(&c->mem, SPAN_LIT("sun.test"));
    c->ike = arena_str(&c->mem, SPAN_LIT("aes128-sha256-ecp256!"));
    c->esp = arena_str(&c->mem, SPAN_LIT("aes128-sha256!"));
    need(subnet_from_text(&c->left.subnets[0], "10.1.0.0/16", NULL) == ST_OK);
    need(subnet_from_text(&c->right.subnets[0], "10.2.0.0/16", NULL) == ST_OK);
    c->left.n_subnets = c->right.n_subnets = 1;
    need(conn_seal(c, NULL) == ST_OK);
    return c;
}

static void begin(world *w)
{
    static const char *const names[] = {"moon", "sun"}, *const addrs[] = {"192.0.2.1", "192.0.2.2"};
    conn *c = make_conn();
    msgbuf why;

    need(sim_new(&w->s, &(sim_config){.seed = 1, .log_level = getenv("FUZZ_LOG") ? 2 : -1}) == ST_OK);
    for (int i = 0; i < 2; i++) {
        need(sim_host_new(&w->h[i], w->s,
                          &(sim_host_config){.name = names[i], .daemon = "pluto", .addrs = addrs[i]}) ==
             ST_OK);
        need(sim_psk(w->h[i], "a secret") == ST_OK);
        need(pluto_new(&w->c[i], sim_env(w->h[i]), &(pluto_options){.nat_traversal = true}, &why) == ST_OK);
        need(pluto_add_conn(w->c[i], c, false, &why) == ST_OK);
    }
    conn_unref(c);
}

static void end(world *w)
{
    for (int i = 0; i < 2; i++) {
        sim_unplug(w->h[i], true); /* nobody hears the goodbyes */
        pluto_free(w->c[i]);
    }
    for (int i = 0; i < 2; i++) {
        kernel *k = sim_env(w->h[i])->kernel;
        need(kernel_fake_sas(k) == 0 && kernel_fake_policies(k) == 0 && kernel_fake_reserved(k) == 0);
    }
    sim_run(w->s, 10);
    sim_free(w->s);
}

/* ---- messages ---- */
typedef struct record {
    uint8_t exchange, flags, first;
    span chain;
} record;

static bool next_record(span *rest, record *r)
{
    size_t n;

    if (rest->n < RECORD_HEADER)
        return false;
    r->exchange = exchanges[rest->p[0] % sizeof(exchanges)];
    r->flags = rest->p[1];
    r->first = rest->p[2];
    n = get_u16(rest->p + 3);
    *rest = span_skip(*rest, RECORD_HEADER);
    r->chain = span_take(*rest, n);
    *rest = span_skip(*rest, n);
    return true;
}

static ike *first_ike(pluto *p)
{
    return list_empty(&p->ikes) ? NULL : container_of(p->ikes.next, ike, node);
}

/* HASH(1) before the chain, padded, encrypted from a fresh IV. */
static void seal(const ike *i, ikev1_header *h, const record *r, buf *out)
{
    uint8_t id[4], hash[MAX_HASH_BYTES], next[MAX_IV_BYTES];
    ikev1_builder b = {0};
    iv_chain iv;

    set_u32(id, h->mid);
    need(keymat_hash(&i->keys, (span[]){SPAN_ARRAY(id), r->chain}, 2, hash) == ST_OK);
    hash[3] ^= r->flags & 16 ? 1 : 0;
    ikev1_add_raw(&b, PLV1_HASH, span_of(hash, i->keys.hash_n));
    buf_patch_u8(&b.out, 0, r->first);
    buf_put(&b.out, r->chain);
    h->flags = IKEV1_FLAG_ENCRYPTION;
    size_t block = i->keys.block_n, pad = (block - b.out.n % block) % block;
    if (ikev1_emit(h, &b, pad, out) == ST_OK && keymat_start_iv(&i->keys, h->mid, &iv) == ST_OK)
        need(keymat_encrypt(&i->keys, iv.iv, out->p + IKEV1_HEADER, out->n - IKEV1_HEADER, next) == ST_OK);
    ikev1_builder_free(&b);
}

/* From moon to sun, with the cookies and keys of moon's ISAKMP SA if it has one. */
static void inject(world *w, const record *r, uint32_t n)
{
    ike *i = first_ike(w->c[0]);
    bool sealed = i && keymat_ready(&i->keys) && !(r->flags & 8);
    ikev1_header h = {.exchange = r->exchange, .mid = sealed ? 0x1000 + (r->flags & 4 ? 0 : n) : 0};
    endpoint from = {.port = IKE_PORT}, to = {.port = IKE_PORT};
    ikev1_builder b = {.first = r->first};
    buf raw = {0};

    need(addr_from_text(&from.ip, "192.0.2.1", NULL) == ST_OK &&
         addr_from_text(&to.ip, "192.0.2.2", NULL) == ST_OK);
    memset(h.icookie, 0x17, 8);
    if (i) {
        memcpy(h.icookie, i->cookies, 8);
        memcpy(h.rcookie, i->cookies + 8, 8);
    }
    buf_put(&b.out, r->chain);
    if (sealed)
        seal(i, &h, r, &raw);
    else
        (void)!ikev1_emit(&h, &b, 0, &raw);
    if (raw.n)
        need(sim_inject(w->s, &from, &to, buf_span(&raw)) == ST_OK);
    ikev1_builder_free(&b);
    buf_free(&raw);
    sim_run(w->s, 100);
}

static bool up(void *ctx)
{
    pluto_stats s;

    pluto_get_stats(ctx, &s);
    return s.isakmp_established == 1 && s.quick_established == 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {.s = NULL};
    span rest = span_of(data, size);
    record r;

    if (size < 1 + RECORD_HEADER)
        return 0;
    rest = span_skip(rest, 1);
    begin(&w);
    if (data[0] & 1) {
        pluto_initiate(w.c[0], "net", true, NULL);
        need(sim_run_until(w.s, 10000, up, w.c[0]));
        sim_run(w.s, 100);
    }
    for (uint32_t n = 0; n < MAX_RECORDS && next_record(&rest, &r); n++)
        inject(&w, &r, n);
    sim_run(w.s, PATIENCE_MS);
    need(!sim_spins(w.s));
    end(&w);
    return 0;
}
