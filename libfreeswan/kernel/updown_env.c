/* What an updown script sees: its verb and its environment. Values that come from a peer are only ever here,
 * never in a string that a shell parses.
 */
#include "libfreeswan/kernel/updown.h"
#include "config.h"
#include "libstrongswan/run/paths.h"
#include <pthread.h>
#include <stdio.h>

enum { MAX_VARS = 40 };

const char *updown_verb(char dst[32], const char *action, bool host, bool v6)
{
    snprintf(dst, 32, "%s-%s%s", action, host ? "host" : "client", v6 ? "-v6" : "");
    return dst;
}

static char default_script[4200], firewall_script[4200];

static void find_scripts(void)
{
    snprintf(default_script, sizeof default_script, "%s/_updown", path_ipsecdir());
    snprintf(firewall_script, sizeof firewall_script, "%s/_updown iptables", path_ipsecdir());
}

const char *updown_default(bool firewall)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find_scripts);
    return firewall ? firewall_script : default_script;
}

/* ---- environment ---- */
typedef struct env_writer {
    arena *mem;
    const char **v;
    size_t n;
    bool failed;
} env_writer;

static void put(env_writer *w, const char *name, const char *value)
{
    const char *line = value ? arena_printf(w->mem, "%s=%s", name, value) : NULL;

    if (!value)
        return;
    if (line && w->n < MAX_VARS)
        w->v[w->n++] = line;
    else
        w->failed = true;
}

static void put_number(env_writer *w, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    put(w, name, text);
}

/* PLUTO_MY_CLIENT and its relatives. who: "MY", "PEER" */
static void put_client(env_writer *w, const char *who, const traffic_sel *ts)
{
    struct {
        const char *suffix;
        char text[ADDR_TEXT];
    } vars[5] = {{.suffix = "CLIENT"},
                 {.suffix = "CLIENT_NET"},
                 {.suffix = "CLIENT_MASK"},
                 {.suffix = "PORT"},
                 {.suffix = "PROTOCOL"}};
    subnet around;
    ip_addr mask;

    ts_to_subnet(ts, &around);
    mask = subnet_mask(&around);
    /* always with its length, also for a single host: scripts cut it off */
    snprintf(vars[0].text, ADDR_TEXT, "%s/%u", ADDR_STR(&around.ip), around.bits);
    addr_text(&around.ip, vars[1].text, ADDR_TEXT);
    addr_text(&mask, vars[2].text, ADDR_TEXT);
    snprintf(vars[3].text, ADDR_TEXT, "%u", ts->from_port == ts->to_port ? ts->from_port : 0);
    snprintf(vars[4].text, ADDR_TEXT, "%u", ts->proto);
    for (size_t i = 0; i < 5; i++) {
        char name[32];

        snprintf(name, sizeof name, "PLUTO_%s_%s", who, vars[i].suffix);
        put(w, name, vars[i].text);
    }
}

static void put_addr(env_writer *w, const char *name, const ip_addr *a)
{
    if (!addr_is_any(a))
        put(w, name, ADDR_STR(a));
}

static void put_mark(env_writer *w, const char *name, uint32_t mark, uint32_t mask)
{
    char text[32];

    if (!mark)
        return;
    snprintf(text, sizeof text, "%u/0x%08x", mark, mask ? mask : 0xffffffff);
    put(w, name, text);
}

const char *const *updown_env(arena *mem, const updown_vars *v)
{
    env_writer w = {.mem = mem, .v = arena_array(mem, MAX_VARS + 1, sizeof(char *))};

    if (!w.v)
        return NULL;
    put(&w, "PATH", IPSEC_SBINDIR ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    put(&w, "PLUTO_VERSION", "1.1");
    put(&w, "PLUTO_VERB", v->verb);
    put(&w, "PLUTO_CONNECTION", v->connection);
    put_addr(&w, "PLUTO_NEXT_HOP", &v->next_hop);
    put(&w, "PLUTO_INTERFACE", v->interface && v->interface[0] ? v->interface : "unknown");
    if (v->hostaccess)
        put(&w, "PLUTO_HOST_ACCESS", "1");
    put_number(&w, "PLUTO_REQID", v->reqid);
    put(&w, "PLUTO_ME", ADDR_STR(&v->me));
    put(&w, "PLUTO_MY_ID", v->my_id);
    put_client(&w, "MY", &v->my_ts);
    put(&w, "PLUTO_PEER", ADDR_STR(&v->peer));
    put(&w, "PLUTO_PEER_ID", v->peer_id);
    put_client(&w, "PEER", &v->peer_ts);
    put(&w, "PLUTO_PEER_CA", v->peer_ca);
    put_addr(&w, "PLUTO_MY_SOURCEIP", &v->my_sourceip);
    put(&w, "PLUTO_XAUTH_ID", v->xauth_id);
    if (v->unique_id)
        put_number(&w, "PLUTO_UNIQUEID", v->unique_id);
    put_mark(&w, "PLUTO_MARK_IN", v->mark_in, v->mark_in_mask);
    put_mark(&w, "PLUTO_MARK_OUT", v->mark_out, v->mark_out_mask);
    if (v->udp_encap_port)
        put_number(&w, "PLUTO_UDP_ENC", v->udp_encap_port);
    return w.failed ? NULL : w.v;
}
