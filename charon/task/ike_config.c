/* Virtual addresses: configuration payload, client (leftsourceip=%config) and server (rightsourceip=…).   RFC
 * 7296 2.19, 3.15. The answer comes with the first IKE_AUTH, before the CHILD_SA, whose selectors depend on
 * it.
 */
#include "charon/sa/ike_sa.h"
#include "charon/task/task.h"
#include <stdlib.h>

static bool wants_vip(const ike_sa *sa)
{
    const char *s = sa->cfg->me->sourceip;

    return s && s[0] == '%';
}

/* ---- initiator ---- */
static verdict config_request(task *t, xchg *x)
{
    ike_sa *sa = t->sa;
    bool v6 = sa->remote.ip.family == AF_INET6;
    ikev2_cp_item items[2] = {{.type = v6 ? CPA_IP6_ADDRESS : CPA_IP4_ADDRESS, .value = addr_span(&sa->vip)},
                              {.type = v6 ? CPA_IP6_DNS : CPA_IP4_DNS}};

    if (!wants_vip(sa))
        return V_SKIP;
    ikev2_add_cp(x->out, CP_REQUEST, items, 2);
    return V_DONE;
}

static verdict config_response(task *t, xchg *x)
{
    ike_sa *sa = t->sa;
    const ikev2_payload *p = ikev2_find(x->in, PLV2_CP);
    const ikev2_cp_item *i;
    ip_addr a;
    char dev[HOST_IFNAME] = "";

    if (ike_sa_state(sa) != IKE_ESTABLISHED)
        return V_DONE;
    if (!p || p->cp.type != CP_REPLY ||
        !((i = ikev2_cp_find(&p->cp, CPA_IP4_ADDRESS)) || (i = ikev2_cp_find(&p->cp, CPA_IP6_ADDRESS))) ||
        !(addr_from_bytes(&a, i->value) || addr_from_bytes(&a, span_take(i->value, 16))) || addr_is_any(&a)) {
        LOG(&sa->log, IKE, 1, "the peer gave us no virtual IP");
        return V_DONE;
    }
    LOG(&sa->log, IKE, 1, "installing new virtual IP %s", ADDR_STR(&a));
    sa->vip = a;
    if (sa->ch->set.install_vip && sa->ch->env->host) {
        host *h = sa->ch->env->host;
        if (!h->ops->is_local(h, &sa->local.ip, dev) || h->ops->add_ip(h, &a, dev) != ST_OK)
            LOG(&sa->log, IKE, 1, "virtual IP %s could not be installed", ADDR_STR(&a));
    }
    return V_DONE;
}

static const task_ops config_ops = {"ike_config",   IKE_AUTH,        RANK_CONFIG,
                                    config_request, config_response, NULL};

task *task_ike_config_new(ike_sa *sa)
{
    return task_make(sizeof(task), &config_ops, sa);
}

/* ---- responder ---- */
static size_t add_servers(ike_sa *sa, ikev2_cp_item *items, size_t n, ip_addr *mem, size_t max)
{
    static const struct {
        const char *key;
        bool dns;
    } keys[] = {{"dns1", true}, {"dns2", true}, {"nbns1", false}, {"nbns2", false}};

    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]) && n < max; k++) {
        const char *text = settings_str(sa->ch->env->settings, NULL, "charon.%s", keys[k].key);
        bool v6;
        if (!text || addr_from_text(&mem[n], text, NULL) != ST_OK)
            continue;
        v6 = mem[n].family == AF_INET6;
        items[n].type = keys[k].dns ? (v6 ? CPA_IP6_DNS : CPA_IP4_DNS) : (v6 ? CPA_IP6_NBNS : CPA_IP4_NBNS);
        items[n].value = addr_span(&mem[n]);
        n++;
    }
    return n;
}

verdict ike_config_answer(xchg *x)
{
    ike_sa *sa = x->sa;
    const ikev2_payload *p = ikev2_find(x->in, PLV2_CP);
    const ikev2_cp_item *i;
    const char *pool = sa->cfg->peer->sourceip;
    ip_addr wanted = {0}, given, mem[8];
    ikev2_cp_item items[8];
    uint8_t v6[17];
    status st;

    if (!p || p->cp.type != CP_REQUEST ||
        !((i = ikev2_cp_find(&p->cp, CPA_IP4_ADDRESS)) || (i = ikev2_cp_find(&p->cp, CPA_IP6_ADDRESS))))
        return V_DONE;
    if (!addr_from_bytes(&wanted, i->value))
        (void)addr_from_bytes(&wanted, span_take(i->value, 16));
    LOG(&sa->log, IKE, 1, "peer requested virtual IP %s", addr_is_any(&wanted) ? "%any" : ADDR_STR(&wanted));
    st = pool ? leases_take(sa->ch, pool, sa->peer_id, &wanted, &given) : ST_NOT_FOUND;
    if (st != ST_OK) {
        LOG(&sa->log, IKE, 1, "not assigning a virtual IP to peer");
        if (pool) /* it was to have one: no CHILD_SA without */
            ikev2_add_notify(x->out, N_INTERNAL_ADDRESS_FAILURE, SPAN_NULL);
        return V_DONE;
    }
    LOG(&sa->log, IKE, 1, "assigning virtual IP %s to peer", ADDR_STR(&given));
    sa->peer_vip = given;
    free(sa->vip_pool);
    sa->vip_pool = strdup(pool);
    items[0].type = given.family == AF_INET6 ? CPA_IP6_ADDRESS : CPA_IP4_ADDRESS;
    items[0].value = addr_span(&given);
    if (given.family == AF_INET6) { /* with prefix length */
        memcpy(v6, given.b, 16);
        v6[16] = 128;
        items[0].value = SPAN_ARRAY(v6);
    }
    ikev2_add_cp(x->out, CP_REPLY, items, add_servers(sa, items, 1, mem, 8));
    return V_DONE;
}
