/* One host of the kernel room's integration tests: a real back end, children with keys that both nodes derive
 * from the name of the child, driven by lines on standard input, one answer line each ("ok …" or "error …").
 * kernel_cases.py starts two of these in namespaces and looks at what becomes of packets.
 *
 *   kernel-node BACKEND a|b [pluto]
 */
#include "libfreeswan/kernel/child.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_CHILDREN = 256, MARK = 0x2a };

typedef struct named {
    char name[16];
    kchild *c;
} named;
static struct node {
    bool is_a;
    runtime *rt;
    net *net;
    host *host;
    kernel *kernel;
    crypto *crypto;
    conn *conn;
    kchild_env env;
    log_scope log;
    named children[MAX_CHILDREN];
    pthread_mutex_t lock; /* guards the figures of events */
    unsigned acquires, soft, hard, mappings;
    uint32_t reqid;
    traffic_sel dst;
    endpoint mapped;
} node;

static void on_acquire(void *ctx, uint32_t reqid, const traffic_sel *src, const traffic_sel *dst)
{
    pthread_mutex_lock(&node.lock);
    node.acquires++;
    node.reqid = reqid;
    node.dst = *dst;
    pthread_mutex_unlock(&node.lock);
}

static void on_expire(void *ctx, const kernel_sa_id *id, uint32_t reqid, bool hard)
{
    pthread_mutex_lock(&node.lock);
    node.soft += !hard;
    node.hard += hard;
    pthread_mutex_unlock(&node.lock);
}

static void on_mapping(void *ctx, const kernel_sa_id *id, uint32_t reqid, const endpoint *peer)
{
    pthread_mutex_lock(&node.lock);
    node.mappings++;
    node.mapped = *peer;
    pthread_mutex_unlock(&node.lock);
}

static void *loop(void *arg)
{
    runtime_run(node.rt);
    return NULL;
}

static void die(const char *what, const char *why)
{
    printf("error %s: %s\n", what, why);
    exit(1);
}

static void log_line(void *ctx, const log_event *ev)
{
    fprintf(stderr, "%c %s\n", node.is_a ? 'a' : 'b', ev->text);
}

static pthread_t start(const char *backend, bool pluto)
{
    static const kernel_events events = {NULL, on_acquire, on_expire, on_mapping};
    log_bus *bus;
    int levels[LG_COUNT];
    pthread_t thread;
    msgbuf msg;
    bool native = strcmp(backend, "xfrm") == 0;

    for (int i = 0; i < LG_COUNT; i++)
        levels[i] = getenv("NODE_DEBUG") ? 3 : 0;
    if (log_bus_new(&bus, &(log_bus_config){.direct = true}) != ST_OK ||
        !log_listen(bus, 0, levels, log_line, NULL))
        die("log", "no memory");
    log_scope log = {.bus = bus};
    node.log = log;
    if (runtime_new(&node.rt, &(runtime_config){.workers = 4}) != ST_OK)
        die("runtime", "no memory");
    if (crypto_load(&node.crypto, NULL, NULL, &log) != ST_OK)
        die("crypto", "cannot be loaded");
    if (net_udp_new(&node.net, node.rt,
                    &(net_udp_config){.role = NET_ROLE_ALL, .mark = MARK, .udp_encap = native, .log = log},
                    &msg) != ST_OK ||
        host_linux_new(&node.host, node.rt, &(host_linux_config){.mark = MARK, .log = log}, &msg) != ST_OK ||
        kernel_new(&node.kernel,
                   &(kernel_config){.rt = node.rt,
                                    .net = node.net,
                                    .host = node.host,
                                    .crypto = node.crypto,
                                    .mark = MARK,
                                    .is_pluto = pluto,
                                    .backend = backend,
                                    .log = log},
                   &msg) != ST_OK)
        die("start", msg.text);
    node.kernel->ops->set_events(node.kernel, &events);
    if (conn_new(&node.conn, "lab") != ST_OK)
        die("conn", "no memory");
    node.env = (kchild_env){.kernel = node.kernel, .host = node.host};
    pthread_mutex_init(&node.lock, NULL);
    if (pthread_create(&thread, NULL, loop, NULL))
        die("thread", "cannot start");
    return thread;
}

/* ---- children ---- */
static kchild **slot(const char *name, bool make)
{
    named *empty = NULL;

    for (size_t i = 0; i < MAX_CHILDREN; i++) {
        named *n = &node.children[i];
        if (n->c && strcmp(n->name, name) == 0)
            return &n->c;
        if (!n->c && !empty)
            empty = n;
    }
    if (!make || !empty)
        return NULL;
    snprintf(empty->name, sizeof empty->name, "%s", name);
    return &empty->c;
}

static bool parse_ts(const char *text, traffic_sel *ts)
{
    subnet s;
    char copy[80], *port;

    snprintf(copy, sizeof copy, "%s", text); /* NET or NET@PROTO/PORT */
    port = strchr(copy, '@');
    unsigned proto = 0, number = 0;
    if (port) {
        *port = 0;
        if (sscanf(port + 1, "%u/%u", &proto, &number) != 2)
            return false;
    }
    if (subnet_from_text(&s, copy, NULL) != ST_OK)
        return false;
    *ts = ts_from_subnet(&s, (uint8_t)proto, (uint16_t)number);
    return true;
}

/* new NAME ME PEER tunnel|transport ENCAP(0/1) REQID MYTS PEERTS SOFT_S HARD_S SOFT_PACKETS HARD_PACKETS */
static status cmd_new(char **w)
{
    kchild_params p = {.conn = node.conn, .reqid = (uint32_t)atoi(w[6])};
    traffic_sel mine, theirs;
    kchild **c = slot(w[1], true);

    if (!c || *c || addr_from_text(&p.me.ip, w[2], NULL) != ST_OK ||
        addr_from_text(&p.peer.ip, w[3], NULL) != ST_OK || !parse_ts(w[7], &mine) || !parse_ts(w[8], &theirs))
        return ST_INVALID;
    p.me.port = p.peer.port = 4500;
    p.mode = strcmp(w[4], "tunnel") == 0 ? MODE_TUNNEL : MODE_TRANSPORT;
    p.udp_encap = atoi(w[5]);
    p.right_is_me = !node.is_a;
    p.life = (kernel_lifetime){.soft_s = (uint64_t)atoi(w[9]),
                               .hard_s = (uint64_t)atoi(w[10]),
                               .soft_packets = (uint64_t)atoi(w[11]),
                               .hard_packets = (uint64_t)atoi(w[12])};
    status st = kchild_new(c, &node.env, &p, node.log);
    return st == ST_OK ? kchild_set_ts(*c, &mine, 1, &theirs, 1) : st;
}

/* Octets that both nodes make alike for one name, direction and purpose. */
static span key(uint8_t *at, size_t n, const char *name, bool from_a, char purpose)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(name[i % strlen(name)] * 31 + (int)i * 7 + purpose + (from_a ? 100 : 0));
    return span_of(at, n);
}

/* install NAME in|out|both PROTO ENCR ENCR_KEY_BITS INTEG ESN PEER_SPI [PEER_AH_SPI]; PROTO esp, ah or esp+ah
 */
static status cmd_install(char **w, kchild *c)
{
    static uint8_t keys[8][MAX_KEY_BYTES];
    kchild_sa sa[2];
    size_t n = strcmp(w[3], "esp+ah") == 0 ? 2 : 1;
    const char *dir = w[2];

    for (size_t i = 0; i < n; i++) {
        bool ah = i == 1 || strcmp(w[3], "ah") == 0;
        sa[i] = (kchild_sa){.proto = ah ? PROTO_AH : PROTO_ESP,
                            .encr = ah ? ENCR_UNDEFINED : (encr_alg)atoi(w[4]),
                            .integ = n == 2 && !ah ? INTEG_NONE : (integ_alg)atoi(w[6]),
                            .esn = atoi(w[7]),
                            .peer_spi = (uint32_t)strtoul(w[8 + i], NULL, 0)};
        if (n == 2 && !ah)
            sa[i].integ = INTEG_HMAC_SHA1_96;
        size_t en = ah ? 0 : encr_keymat_bytes(sa[i].encr, (uint16_t)atoi(w[5])),
               in = integ_key_bytes(sa[i].integ);
        sa[i].encr_key_in = key(keys[i * 4], en, w[1], !node.is_a, 'e');
        sa[i].encr_key_out = key(keys[i * 4 + 1], en, w[1], node.is_a, 'e');
        sa[i].integ_key_in = key(keys[i * 4 + 2], in, w[1], !node.is_a, ah ? 'h' : 'i');
        sa[i].integ_key_out = key(keys[i * 4 + 3], in, w[1], node.is_a, ah ? 'h' : 'i');
    }
    status st = strcmp(dir, "out") == 0 ? ST_OK : kchild_install_in(c, sa, n);
    return st == ST_OK && strcmp(dir, "in") != 0 ? kchild_install_out(c, sa, n) : st;
}

static ipsec_proto proto_of(const char *text)
{
    return strcmp(text, "ah") == 0 ? PROTO_AH : strcmp(text, "ipcomp") == 0 ? PROTO_IPCOMP : PROTO_ESP;
}

/* update NAME ME PORT PEER PORT ENCAP */
static status cmd_update(char **w, kchild *c)
{
    endpoint me = {.port = (uint16_t)atoi(w[3])}, peer = {.port = (uint16_t)atoi(w[5])};

    if (addr_from_text(&me.ip, w[2], NULL) != ST_OK || addr_from_text(&peer.ip, w[4], NULL) != ST_OK)
        return ST_INVALID;
    return kchild_update(c, &me, &peer, atoi(w[6]));
}

static status cmd_stats(kchild *c, char *out, size_t size)
{
    kchild_stats s;
    status st = kchild_query(c, &s);

    if (st == ST_OK)
        snprintf(out, size, "in %llu/%llu out %llu/%llu use %lld %lld replay %llu auth %llu",
                 (unsigned long long)s.packets_in, (unsigned long long)s.bytes_in,
                 (unsigned long long)s.packets_out, (unsigned long long)s.bytes_out, (long long)s.use_in_s,
                 (long long)s.use_out_s, (unsigned long long)s.replay_errors,
                 (unsigned long long)s.integrity_failures);
    return st;
}

static void cmd_events(char *out, size_t size)
{
    pthread_mutex_lock(&node.lock);
    snprintf(out, size, "acquire %u soft %u hard %u mapping %u reqid %u dst %s mapped %s", node.acquires,
             node.soft, node.hard, node.mappings, node.reqid,
             node.dst.from.family ? TS_STR(&node.dst) : "none",
             node.mappings ? ENDPOINT_STR(&node.mapped) : "none");
    pthread_mutex_unlock(&node.lock);
}

static status on_child(char **w, kchild **c, char *out, size_t size)
{
    uint32_t spi;
    const char *cmd = w[0];
    status st = ST_OK;

    if (strcmp(cmd, "spi") == 0) {
        st = kchild_alloc_spi(*c, proto_of(w[2]), &spi);
        snprintf(out, size, "%u", spi);
    } else if (strcmp(cmd, "ipcomp") == 0) {
        kchild_set_ipcomp(*c, (uint16_t)atoi(w[2]));
    } else if (strcmp(cmd, "install") == 0) {
        st = cmd_install(w, *c);
    } else if (strcmp(cmd, "policies") == 0) {
        st = kchild_install_policies(*c);
    } else if (strcmp(cmd, "route") == 0) {
        st = kchild_route(*c, (policy_kind)atoi(w[2]));
    } else if (strcmp(cmd, "update") == 0) {
        st = cmd_update(w, *c);
    } else if (strcmp(cmd, "stats") == 0) {
        st = cmd_stats(*c, out, size);
    } else if (strcmp(cmd, "takeover") == 0) {
        kchild **old = slot(w[2], false);
        if (!old)
            return ST_NOT_FOUND;
        kchild_take_over(*c, *old);
    } else if (strcmp(cmd, "free") == 0) {
        kchild_free(*c);
        *c = NULL;
    } else {
        return ST_UNSUPPORTED;
    }
    return st;
}

static status run(char **w, int n, char *out, size_t size)
{
    if (strcmp(w[0], "new") == 0)
        return n == 13 ? cmd_new(w) : ST_INVALID;
    if (strcmp(w[0], "events") == 0) {
        cmd_events(out, size);
        return ST_OK;
    }
    if (strcmp(w[0], "has") == 0) { /* has TYPE ALG */
        bool has = node.kernel->ops->has_alg(node.kernel, PROTO_ESP, (transform_type)atoi(w[1]),
                                             (uint16_t)atoi(w[2]), 0);
        snprintf(out, size, "%d", has);
        return ST_OK;
    }
    kchild **c = n > 1 ? slot(w[1], false) : NULL;
    return c ? on_child(w, c, out, size) : ST_NOT_FOUND;
}

int main(int argc, char **argv)
{
    char line[1024], out[512], *w[16], *save;

    if (argc < 3)
        die("usage", "kernel-node BACKEND a|b [pluto]");
    setvbuf(stdout, NULL, _IOLBF, 0);
    node.is_a = argv[2][0] == 'a';
    pthread_t thread = start(argv[1], argc > 3);
    printf("ok %s %s\n", node.kernel->ops->name, kernel_has_xfrm() ? "native" : "none");
    while (fgets(line, sizeof line, stdin)) {
        int n = 0;
        for (char *t = strtok_r(line, " \n", &save); t && n < 15; t = strtok_r(NULL, " \n", &save))
            w[n++] = t;
        w[n] = NULL;
        for (int i = n; i < 16; i++)
            w[i] = "";
        out[0] = 0;
        status st = n ? run(w, n, out, sizeof out) : ST_INVALID;
        printf("%s %s\n", st == ST_OK ? "ok" : "error", st == ST_OK ? out : status_text(st));
    }
    for (size_t i = 0; i < MAX_CHILDREN; i++)
        kchild_free(node.children[i].c);
    runtime_stop(node.rt, 0);
    pthread_join(thread, NULL);
    node.kernel->ops->free(node.kernel);
    node.net->ops->free(node.net);
    node.host->ops->free(node.host);
    return 0;
}
