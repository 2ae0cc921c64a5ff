/* A live IKEv2 engine under messages of the fuzzer's: first clear ones, or - the interesting part - messages
 * sealed with the keys of a true IKE_SA, so that everything behind decryption is reached: payload sets,
 * tasks, children, rekeying.
 *
 * Input: one octet of stage (0: a fresh responder, 1: an initiator waits for IKE_SA_INIT's answer, 2:
 * IKE_AUTH is due, 3: an IKE_SA is up), then records: exchange selector, flags (1 response, 2 as if from the
 * initiator, 4 message ID one too high, 8 clear), first payload's type, u16 length, the payload chain.
 * Whatever comes, in the end nothing is left.
 */
#include "charon/sa/ike_sa.h"
#include "tests/sim/lib/sim.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_RECORDS = 6, RECORD_HEADER = 5, PATIENCE_MS = 400 * 1000 };

static const uint8_t exchanges[] = {IKE_SA_INIT,   IKE_AUTH,         CREATE_CHILD_SA,
                                    INFORMATIONAL, IKE_INTERMEDIATE, 0};

static void need(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the world ---- */
typedef struct world {
    sim *s;
    sim_host *h[2];
    charon *c[2];
} world;

static conn *make_conn(void)
{
    conn *c = NULL;

    need(conn_new(&c, "net") == ST_OK);
    c->version = CONN_IKEV2;
    c->authby = AUTH_PSK;
    need(addr_from_text(&c->left.host, "192.0.2.1", NULL) == ST_OK);
    need(addr_from_text(&c->right.host, "192.0.2.2", NULL) == ST_OK);
    c->left.host_any = c->right.host_any = false;
    c->left.id_text = arena_str(&c->mem, SPAN_LIT("moon.test"));
    c->right.id_text = arena_str(&c->mem, SPAN_LIT("sun.test"));
    c->ike = arena_str(&c->mem, SPAN_LIT("aes128gcm16-sha256-curve25519!"));
    c->esp = arena_str(&c->mem, SPAN_LIT("aes128gcm16,aes128gcm16-curve25519!"));
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
                          &(sim_host_config){.name = names[i], .daemon = "charon", .addrs = addrs[i]}) ==
             ST_OK);
        need(sim_psk(w->h[i], "a secret") == ST_OK);
        need(charon_new(&w->c[i], sim_env(w->h[i]), &why) == ST_OK);
        need(charon_add_conn(w->c[i], c, &why) == ST_OK);
    }
    conn_unref(c);
}

static void end(world *w)
{
    for (int i = 0; i < 2; i++) {
        sim_unplug(w->h[i], true); /* nobody hears the goodbyes */
        charon_free(w->c[i]);
    }
    for (int i = 0; i < 2; i++) {
        kernel *k = sim_env(w->h[i])->kernel;
        need(kernel_fake_sas(k) == 0 && kernel_fake_policies(k) == 0 && kernel_fake_reserved(k) == 0);
    }
    sim_run(w->s, 10);
    sim_free(w->s);
}

/* ---- messages ---- */
static ike_sa *first_sa(charon *c)
{
    size_t n;
    ike_sa **all = sa_table_all(c->sas, &n), *sa = n ? ike_sa_ref(all[0]) : NULL;

    sa_list_free(all, n);
    return sa;
}

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

/* From moon to sun, with the SPIs and keys of moon's IKE_SA if it has one. */
static void inject(world *w, const record *r)
{
    ike_sa *sa = first_sa(w->c[0]);
    bool clear = (r->flags & 8) || !sa || !sa->keys.ready;
    bool response = r->flags & 1;
    ikev2_header h = {
        .spi_i = sa ? sa->spi_i : 0x1234,
        .spi_r = sa ? sa->spi_r : 0,
        .major = 2,
        .exchange = r->exchange,
        .flags = (uint8_t)((r->flags & 2 ? 0 : IKEV2_FLAG_INITIATOR) | (response ? IKEV2_FLAG_RESPONSE : 0))};
    endpoint from = {.port = IKE_PORT}, to = {.port = IKE_PORT};
    ikev2_builder b = {.first = r->first};
    ikev2_packets out = {0};
    buf raw = {0};

    need(addr_from_text(&from.ip, "192.0.2.1", NULL) == ST_OK &&
         addr_from_text(&to.ip, "192.0.2.2", NULL) == ST_OK);
    h.mid = (sa ? (response ? sa->in.mid : sa->out.mid) : 0) + (r->flags & 4 ? 1 : 0);
    buf_put(&b.out, r->chain);
    if (clear && ikev2_emit(&h, &b, &raw) == ST_OK)
        need(sim_inject(w->s, &from, &to, buf_span(&raw)) == ST_OK);
    else if (!clear && ikev2_seal(&h, NULL, &b, &sa->keys.out, 0, &out) == ST_OK && out.n)
        need(sim_inject(w->s, &from, &to, ikev2_packet_at(&out, 0)) == ST_OK);
    if (sa && !response && !(r->flags & 4))
        sa->out.mid++; /* the next one is a new request; moon's own engine has nothing more to say */
    ikev2_builder_free(&b);
    ikev2_packets_free(&out);
    buf_free(&raw);
    ike_sa_unref(sa);
    sim_run(w->s, 100);
}

static bool up(void *ctx)
{
    charon_stats s;

    charon_get_stats(ctx, &s);
    return s.ike[IKE_ESTABLISHED] == 1 && s.child[CHILD_INSTALLED] == 1;
}

/* Stage 2: moon's IKE_AUTH and all behind it is lost. */
static void set_stage(world *w, unsigned stage)
{
    if (stage == 0)
        return;
    sim_arm(w->s);
    if (stage == 1)
        sim_fate_of(w->s, 2, SIM_DROP);
    for (unsigned k = 3; stage == 2 && k < 40; k++)
        sim_fate_of(w->s, k, SIM_DROP);
    charon_initiate(w->c[0], "net", NULL);
    if (stage == 3)
        need(sim_run_until(w->s, 10000, up, w->c[0]));
    else
        sim_run(w->s, 200);
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
    set_stage(&w, data[0] % 4);
    for (int i = 0; i < MAX_RECORDS && next_record(&rest, &r); i++)
        inject(&w, &r);
    sim_run(w.s, PATIENCE_MS);
    need(!sim_spins(w.s));
    end(&w);
    return 0;
}
