/* One end of the load bench: a real IKEv2 engine on real sockets.
 *
 *   load-node respond  CONFDIR LOCAL                       answers; ends with its standard input
 *   load-node initiate CONFDIR LOCAL REMOTE N PARALLEL     N handshakes, PARALLEL at a time; prints seconds
 * and failures
 *
 * Both: IKE and ESP in $LOAD_IKE and $LOAD_ESP, pre-shared key. The responder has the back end
 * strongswan.conf in CONFDIR names; the initiator none, it only keeps the books.
 */
#include "charon/charon.h"
#include "tests/bench/bench.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

typedef struct load {
    charon *c;
    env e;
    unsigned n;
    atomic_uint begun, up, failed;
} load;

static void add_conn(load *l, const char *name, const char *own, const char *peer, const char *own_net)
{
    conn *c;
    msgbuf msg;
    char id[40];
    bool responder = own_net == NULL;
    MUST(conn_new(&c, name) == ST_OK);
    c->version = CONN_IKEV2;
    c->authby = AUTH_PSK;
    c->uniqueids = UNIQUE_NO;
    c->autostart = AUTO_ADD;
    MUST(conn_set_str(c, &c->ike, getenv("LOAD_IKE")) == ST_OK &&
         conn_set_str(c, &c->esp, getenv("LOAD_ESP")) == ST_OK);
    MUST(conn_end_set_host(c, &c->left, own, &msg) == ST_OK &&
         conn_end_set_host(c, &c->right, peer, &msg) == ST_OK);
    snprintf(id, sizeof id, "@%s", name);
    MUST(conn_set_str(c, &c->left.id_text, responder ? "@r" : id) == ST_OK);
    if (!responder)
        MUST(conn_set_str(c, &c->right.id_text, "@r") == ST_OK);
    MUST(conn_end_set_subnets(c, &c->left, responder ? "10.2.0.0/16" : own_net, &msg) == ST_OK);
    MUST(conn_end_set_subnets(c, &c->right, responder ? "10.1.0.0/16" : "10.2.0.0/16", &msg) == ST_OK);
    if (conn_seal(c, &msg) != ST_OK || charon_add_conn(l->c, c, &msg) != ST_OK) {
        fprintf(stderr, "%s\n", msg.text);
        exit(1);
    }
    conn_unref(c);
}

static void next(load *l);

static void done(void *ctx, status result, const char *why)
{
    load *l = ctx;
    if (result != ST_OK && atomic_fetch_add(&l->failed, 1) == 0)
        fprintf(stderr, "load-node: %s\n", why ? why : status_text(result));
    if (atomic_fetch_add(&l->up, 1) + 1 == l->n)
        runtime_stop(l->e.rt, 0);
    else
        next(l);
}

static void next(load *l)
{
    char name[32];
    unsigned i = atomic_fetch_add(&l->begun, 1);
    if (i >= l->n)
        return;
    snprintf(name, sizeof name, "i%u", i);
    charon_initiate(l->c, name, &(charon_wait){.done = done, .ctx = l});
}

static void *until_eof(void *rt)
{
    char c;
    while (read(0, &c, 1) > 0)
        ;
    runtime_stop(rt, 0);
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static load l;
    msgbuf msg;
    pthread_t thread;
    bool initiate = argc == 7 && argv[1][0] == 'i';
    MUST(argc >= 4 && getenv("LOAD_IKE") && getenv("LOAD_ESP"));
    env_config cfg = {.daemon = "charon", .role = NET_ROLE_ALL, .confdir = argv[2], .no_kernel = initiate};
    if (env_start(&l.e, &cfg, &msg) != ST_OK || charon_new(&l.c, &l.e, &msg) != ST_OK) {
        fprintf(stderr, "%s\n", msg.text);
        return 1;
    }
    MUST(credstore_add_shared(l.e.cred, SECRET_PSK, NULL, 0, SPAN_LIT("what the benches share 0123456")) ==
         ST_OK);
    if (!initiate) {
        add_conn(&l, "all", argv[3], "%any", NULL);
        MUST(pthread_create(&thread, NULL, until_eof, l.e.rt) == 0);
        puts("ready");
        fflush(stdout);
        runtime_run(l.e.rt);
        return 0; /* thousands of SAs go with the process and its namespace */
    }
    l.n = (unsigned)atoi(argv[5]);
    for (unsigned i = 0; i < l.n; i++) {
        char name[32], own_net[32];
        snprintf(name, sizeof name, "i%u", i);
        snprintf(own_net, sizeof own_net, "10.1.%u.%u/32", i / 250, i % 250 + 1);
        add_conn(&l, name, argv[3], argv[4], own_net);
    }
    double start = now();
    for (int i = 0; i < atoi(argv[6]); i++)
        next(&l);
    runtime_run(l.e.rt);
    printf("%.3f %u\n", now() - start, atomic_load(&l.failed));
    fflush(stdout);
    _exit(0); /* no ten thousand Deletes: the responder's state is looked at next */
}
