/* The userland ESP as a whole: what it says it can do, how it begins and ends. kernel_esp_new() opens
 * descriptors while the daemon still may, then two threads run until free().
 */
#include "libfreeswan/kernel/esp_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static unsigned esp_features(kernel *k)
{
    return KERNEL_ESP | KERNEL_ESN | KERNEL_TRANSPORT;
}

static bool esp_has_alg(kernel *k, ipsec_proto proto, transform_type type, uint16_t alg, uint16_t key_bits)
{
    const crypto *c = esp_of(k)->crypto;

    if (proto != PROTO_ESP)
        return false;
    if (type == TRANSFORM_ENCR)
        return alg == ENCR_NULL ||
               crypto_has(c, TRANSFORM_ENCR, alg, encr_keymat_bytes((encr_alg)alg, key_bits));
    if (type == TRANSFORM_INTEG)
        return alg == INTEG_NONE || crypto_has(c, TRANSFORM_INTEG, alg, 0);
    return type == TRANSFORM_ESN && (alg == ESN_NO || alg == ESN_YES);
}

static void esp_set_events(kernel *k, const kernel_events *ev)
{
    kevents_set(esp_of(k)->events, ev);
}

static const char *esp_route_dev(kernel *k)
{
    return esp_of(k)->tun_name;
}

static void stop_threads(esp *e)
{
    uint64_t one = 1;

    atomic_store(&e->stop, true);
    if (e->wake >= 0)
        (void)!write(e->wake, &one, sizeof one); /* stays readable: wakes both */
    if (e->out_running)
        pthread_join(e->out_thread, NULL);
    if (e->in_running)
        pthread_join(e->in_thread, NULL);
}

static void log_drops(esp *e)
{
    LOG(&e->log, KNL, 2,
        "userland ESP dropped: %llu by policy, %llu without SA, %llu replayed, %llu not authentic, %llu "
        "malformed",
        (unsigned long long)e->drops_policy, (unsigned long long)e->drops_no_sa,
        (unsigned long long)e->drops_replay, (unsigned long long)e->drops_auth,
        (unsigned long long)e->drops_malformed);
}

static void esp_free(kernel *k)
{
    esp *e = esp_of(k);

    if (e->net)
        e->net->ops->set_esp(e->net, NULL, NULL);
    stop_threads(e);
    log_drops(e);
    esp_guard_free(e->guard);
    kevents_close(e->events);
    esp_out_drop_held(e);
    esp_sad_fini(e);
    esp_spd_fini(e);
    esp_sock_close(e);
    if (e->tun_fd >= 0)
        close(e->tun_fd); /* takes the device and its routes along */
    if (e->wake >= 0)
        close(e->wake);
    free(e->udp_slots);
    free(e->udp_cache);
    pthread_rwlock_destroy(&e->lock);
    pthread_mutex_destroy(&e->held_lock);
    pthread_mutex_destroy(&e->udp_lock);
    free(e);
}

static const kernel_ops esp_ops = {
    .name = "esp",
    .features = esp_features,
    .has_alg = esp_has_alg,
    .set_events = esp_set_events,
    .get_spi = esp_get_spi,
    .add_sa = esp_add_sa,
    .update_sa = esp_update_sa,
    .query_sa = esp_query_sa,
    .del_sa = esp_del_sa,
    .add_policy = esp_add_policy,
    .del_policy = esp_del_policy,
    .query_policy = esp_query_policy,
    .route_dev = esp_route_dev,
    .free = esp_free,
};

static void init_locks(esp *e)
{
    pthread_rwlockattr_t attr;

    /* two busy readers would keep an operation waiting for ever otherwise */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&e->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&e->held_lock, NULL);
    pthread_mutex_init(&e->udp_lock, NULL);
}

static esp *esp_alloc(const kernel_config *cfg)
{
    esp *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->base.ops = &esp_ops;
    e->log = cfg->log;
    e->rt = cfg->rt;
    e->crypto = cfg->crypto;
    e->is_pluto = cfg->is_pluto;
    e->mark = cfg->mark;
    e->mtu = cfg->tun_mtu ? cfg->tun_mtu : ESP_DEFAULT_MTU;
    e->tun_fd = e->raw4 = e->raw6 = e->inject4 = e->inject6 = -1;
    e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    list_init(&e->held);
    init_locks(e);
    return e;
}

static status start(esp *e, const kernel_config *cfg, msgbuf *msg)
{
    const char *name = cfg->tun_name ? cfg->tun_name : cfg->is_pluto ? "ipsec0" : "ipsec1";
    status st;

    e->udp_slots = malloc((size_t)ESP_BATCH * ESP_SLOT);
    e->udp_cache = calloc(1, sizeof *e->udp_cache);
    if (e->wake < 0 || !e->udp_slots || !e->udp_cache || esp_sad_init(e) != ST_OK ||
        esp_spd_init(e) != ST_OK || kevents_new(&e->events, e->rt) != ST_OK)
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    st = esp_tun_open(e, name, e->mtu, msg);
    if (st == ST_OK)
        st = esp_sock_open(e, msg);
    if (st != ST_OK)
        return st;
    e->out_running = pthread_create(&e->out_thread, NULL, esp_out_main, e) == 0;
    e->in_running = pthread_create(&e->in_thread, NULL, esp_in_main, e) == 0;
    if (!e->out_running || !e->in_running)
        return msg_fail(msg, ST_NO_MEMORY, "cannot start the threads of the userland ESP");
    if (cfg->net) {
        e->net = cfg->net;
        e->net->ops->set_esp(e->net, esp_input_udp, e);
    }
    e->guard = esp_guard_new(e);
    return ST_OK;
}

status kernel_esp_new(kernel **out, const kernel_config *cfg, msgbuf *msg)
{
    esp *e = esp_alloc(cfg);

    if (!e)
        return msg_fail(msg, ST_NO_MEMORY, "out of memory");
    status st = start(e, cfg, msg);
    if (st != ST_OK) {
        esp_free(&e->base);
        return st;
    }
    *out = &e->base;
    return ST_OK;
}
