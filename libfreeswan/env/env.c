/* Puts the real environment of a daemon together, step by step in one order and takes it apart in the
 * opposite one. A step that fails undoes those before it by env_stop(), which knows from the members what
 * there is.
 */
#include "libfreeswan/env/env.h"
#include "libfreeswan/env/env_log.h"
#include "libfreeswan/kernel/fake.h"
#include "libstrongswan/run/paths.h"
#include "libstrongswan/run/process.h"
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Marks routes and rules in the kernel as one daemon's (RTA_PROTOCOL, FRA_PROTOCOL). */
enum { ROUTES_OF_CHARON = 99, ROUTES_OF_PLUTO = 112 };

static log_scope scope_of(const env *e)
{
    return (log_scope){.bus = e->log};
}

static bool is_pluto(const env_config *cfg)
{
    return cfg->role == NET_ROLE_IKEV1;
}

static const char *confdir_of(const env_config *cfg)
{
    return cfg->confdir ? cfg->confdir : path_confdir();
}

/* ---- steps ---- each is given what the ones before it have made */

static status start_settings(env *e, const env_config *cfg, msgbuf *msg)
{
    char path[PATH_MAX];
    const char *file = cfg->strongswan_conf ? cfg->strongswan_conf : secure_getenv("STRONGSWAN_CONF");
    if (!file || !file[0])
        file = path_join(confdir_of(cfg), "strongswan.conf", path, sizeof(path));
    return settings_load(&e->settings, file, msg);
}

static status start_runtime(env *e, const env_config *cfg, msgbuf *msg)
{
    int64_t threads = settings_int(e->settings, 0, "%s.threads", e->daemon);
    runtime_config rc = {.workers = threads > 0 && threads <= 1024 ? (unsigned)threads : 0, .log = e->log};
    status st = runtime_new(&e->rt, &rc);
    return st == ST_OK ? ST_OK : msg_fail(msg, st, "unable to start the runtime: %s", status_text(st));
}

static status start_crypto(env *e, const env_config *cfg, msgbuf *msg)
{
    log_scope log = scope_of(e);
    status st = crypto_load(&e->crypto, settings_str(e->settings, NULL, "%s.load", e->daemon), e->settings,
                            &log);
    return st == ST_OK ? ST_OK : msg_fail(msg, st, "unable to load the algorithms: %s", status_text(st));
}

static uint32_t own_mark(const env *e)
{
    return (uint32_t)settings_int(e->settings, ENV_MARK, "%s.mark", e->daemon);
}

static const char *wanted_backend(const env *e)
{
    return settings_str(e->settings, NULL, "%s.kernel", e->daemon);
}

static bool kernel_takes_udp_encap(const env *e, const env_config *cfg)
{
    const char *backend = wanted_backend(e);
    return !cfg->no_kernel && !(backend && strcmp(backend, "esp") == 0) && kernel_has_xfrm();
}

static status start_net(env *e, const env_config *cfg, msgbuf *msg)
{
    net_udp_config nc = {.role = cfg->role,
                         .port = cfg->port,
                         .natt_port = cfg->natt_port,
                         .listen = cfg->listen,
                         .mark = own_mark(e),
                         .udp_encap = kernel_takes_udp_encap(e, cfg),
                         .log = scope_of(e)};
    return net_udp_new(&e->net, e->rt, &nc, msg);
}

static status start_host(env *e, const env_config *cfg, msgbuf *msg)
{
    host_linux_config hc = {
        .table = (uint32_t)settings_int(e->settings, 0, "%s.routing_table", e->daemon),
        .prio = (uint32_t)settings_int(e->settings, 0, "%s.routing_table_prio", e->daemon),
        .mark = own_mark(e),
        .protocol = is_pluto(cfg) ? ROUTES_OF_PLUTO : ROUTES_OF_CHARON,
        .log = scope_of(e)};
    return host_linux_new(&e->host, e->rt, &hc, msg);
}

static status start_kernel(env *e, const env_config *cfg, msgbuf *msg)
{
    kernel_config kc = {.rt = e->rt,
                        .net = e->net,
                        .host = e->host,
                        .crypto = e->crypto,
                        .is_pluto = is_pluto(cfg),
                        .mark = own_mark(e),
                        .backend = wanted_backend(e),
                        .log = scope_of(e)};
    if (!cfg->no_kernel)
        return kernel_new(&e->kernel, &kc, msg);
    status st = kernel_fake_new(&e->kernel, &(kernel_fake_config){.rt = e->rt});
    return st == ST_OK ? ST_OK
                       : msg_fail(msg, st, "unable to make a kernel that does nothing: %s", status_text(st));
}

static status start_updown(env *e, const env_config *cfg, msgbuf *msg)
{
    status st = cfg->no_kernel ? updown_fake_new(&e->updown, e->rt) : updown_new(&e->updown, e->rt);
    return st == ST_OK ? ST_OK
                       : msg_fail(msg, st, "unable to prepare for updown scripts: %s", status_text(st));
}

static status start_cred(env *e, const env_config *cfg, msgbuf *msg)
{
    credstore_config cc = {.confdir = confdir_of(cfg),
                           .secrets = cfg->secrets,
                           .daemon = e->daemon,
                           .clock = &clock_system,
                           .log = scope_of(e)};
    status st = credstore_new(&e->cred, &cc);
    return st == ST_OK ? ST_OK
                       : msg_fail(msg, st, "unable to make the credential store: %s", status_text(st));
}

static status start_keylog(env *e, const env_config *cfg, msgbuf *msg)
{
    const char *path = settings_str(e->settings, NULL, "%s.save_keys", e->daemon);
    log_scope log = scope_of(e);
    (void)cfg;
    return path && path[0] ? keylog_open(&e->save_keys, path, &log, msg) : ST_OK;
}

/* NET_ADMIN: SAs, policies, routes, addresses, TUN. NET_RAW: ping and iptables of updown scripts.
 * NET_BIND_SERVICE: ports that are opened again. */
static status drop_privileges(env *e, const env_config *cfg, msgbuf *msg)
{
    static const int keep[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, -1};
    if (cfg->keep_privileges || geteuid() != 0)
        return ST_OK;
    return process_drop_privileges(keep, 0, 0, msg);
}

status env_start(env *out, const env_config *cfg, msgbuf *msg)
{
    static status (*const steps[])(env * e, const env_config *cfg, msgbuf *msg) = {
        start_settings, env_start_log, start_runtime, start_crypto, start_net,       start_host,
        start_kernel,   start_updown,  start_cred,    start_keylog, drop_privileges,
    };
    env e = {.daemon = cfg->daemon};
    status st = ST_OK;
    msg_clear(msg);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && st == ST_OK; i++)
        st = steps[i](&e, cfg, msg);
    e.started_wall_s = e.rt ? runtime_wall_s(e.rt) : 0;
    if (st != ST_OK)
        env_stop(&e);
    else
        *out = e;
    return st;
}

void env_stop(env *e)
{
    keylog_close(e->save_keys);
    if (e->cred)
        credstore_free(e->cred);
    if (e->updown)
        e->updown->ops->free(e->updown);
    if (e->kernel)
        e->kernel->ops->free(e->kernel);
    if (e->host)
        e->host->ops->free(e->host);
    if (e->net)
        e->net->ops->free(e->net);
    runtime_free(e->rt);
    if (e->crypto)
        crypto_free(e->crypto);
    explain_free(e->explain);
    log_bus_free(e->log);
    settings_free(e->settings);
    *e = (env){.daemon = e->daemon};
}

void env_load_certs(env *e)
{
    static const cert_dir dirs[] = {DIR_CACERTS, DIR_AACERTS, DIR_OCSPCERTS, DIR_ACERTS, DIR_CRLS};
    log_scope log = scope_of(e);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        status st = credstore_load_dir(e->cred, dirs[i]);
        if (st != ST_OK && st != ST_NOT_FOUND)
            LOG(&log, CFG, 1, "loading certificates from '%s' failed: %s", cert_dir_names[dirs[i]],
                status_text(st));
    }
}
