/* whack's command line: one table of options, long ones only, any unique beginning of a name will do. Each
 * option may be given once; those of an end once for each end, `--to` standing between the two.
 */
#include "whack/whack.h"

#include "libfreeswan/conf/keywords.h"
#include "libstrongswan/run/optionsfrom.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef status option_fn(whack_args *a, unsigned value, const char *arg);

typedef struct option_row {
    const char *name;
    option_fn *set;
    unsigned value;
    bool arg, end; /* takes an argument; once per end */
    bool repeat;   /* may be repeated */
} option_row;

/* ---- setters ---- */

static status set_text(whack_args *a, const char **field, const char *arg)
{
    *field = arena_str(&a->mem, span_str(arg));
    return *field ? ST_OK : ST_NO_MEMORY;
}

enum { T_LABEL, T_NAME, T_CTLBASE, T_MYID, T_KEYID, T_PUBKEY };
static status opt_text(whack_args *a, unsigned which, const char *arg)
{
    const char **fields[] = {&a->label, &a->name, &a->ctlbase, &a->myid, &a->keyid, &a->pubkey};
    if (which == T_MYID)
        a->wanted[WA_MYID] = true;
    if (which == T_PUBKEY)
        a->wanted[WA_KEY] = true;
    return set_text(a, fields[which], arg);
}

static status opt_action(whack_args *a, unsigned action, const char *arg)
{
    a->wanted[action] = true;
    return ST_OK;
}

enum { F_HELP, F_VERSION, F_ASYNC, F_UTC, F_ADDKEY, F_STATUS, F_STATUSALL, F_PURGEOCSP };
static status opt_flag(whack_args *a, unsigned which, const char *arg)
{
    switch (which) {
    case F_HELP:
        a->help = true;
        break;
    case F_VERSION:
        a->version = true;
        break;
    case F_ASYNC:
        a->asynchronous = true;
        break;
    case F_UTC:
        a->utc = true;
        break;
    case F_ADDKEY:
        a->addkey = true;
        break;
    case F_PURGEOCSP:
        a->purge |= CTL_PURGE_OCSP;
        a->wanted[WA_PURGE] = true;
        break;
    default:
        a->wanted[WA_STATUS] = true;
        a->all_status = which == F_STATUSALL;
        break;
    }
    return ST_OK;
}

static status opt_list(whack_args *a, unsigned bit, const char *arg)
{
    a->list |= bit;
    a->wanted[WA_LIST] = true;
    return ST_OK;
}

static status opt_reread(whack_args *a, unsigned bit, const char *arg)
{
    a->reread |= bit;
    a->wanted[WA_REREAD] = true;
    return ST_OK;
}

static status opt_debug(whack_args *a, unsigned bits, const char *arg)
{
    a->debug |= bits;
    a->wanted[WA_DEBUG] = true;
    return ST_OK;
}

static status opt_address(whack_args *a, unsigned which, const char *arg)
{
    ip_addr *fields[] = {&a->crash, &a->oppo_here, &a->oppo_there};
    a->wanted[which ? WA_OPPO : WA_CRASH] = true;
    return addr_from_text(fields[which], arg, &a->msg);
}

static status parse_number(whack_args *a, const char *arg, uint64_t max, uint64_t *out)
{
    if (isdigit((unsigned char)arg[0]) && span_to_u64(span_str(arg), max, out))
        return ST_OK;
    return msg_fail(&a->msg, ST_INVALID, "'%.80s' is not a number from 0 to %llu", arg,
                    (unsigned long long)max);
}

static status opt_deletestate(whack_args *a, unsigned unused, const char *arg)
{
    uint64_t v = 0;
    status st = parse_number(a, arg, UINT32_MAX, &v);
    a->deletestate = (uint32_t)v;
    a->wanted[WA_DELETESTATE] = true;
    return st;
}

static status opt_smartcard(whack_args *a, unsigned action, const char *arg)
{
    a->wanted[action] = true;
    return set_text(a, &a->sc_value, arg);
}

static status opt_base(whack_args *a, unsigned out, const char *arg)
{
    static const struct {
        const char *word;
        uint16_t base;
    } words[] = {{"16", 16},   {"hex", 16},   {"64", 64},    {"base64", 64},
                 {"256", 256}, {"text", 256}, {"ascii", 256}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, arg) == 0) {
            *(out ? &a->outbase : &a->inbase) = words[i].base;
            return ST_OK;
        }
    return msg_fail(&a->msg, ST_INVALID,
                    "not a valid base: '%.40s' (16, hex, 64, base64, 256, text or ascii is expected)", arg);
}

/* ---- ends ---- */

static unsigned side(const whack_args *a)
{
    return a->end == &a->c->right;
}

enum { E_ID, E_CERT, E_CA, E_GROUPS, E_UPDOWN };
static status end_text(whack_args *a, unsigned which, const char *arg)
{
    conn_end *e = a->end;
    const char **fields[] = {&e->id_text, &e->cert, &e->ca, &e->groups, &e->updown};
    a->described = true;
    return conn_set_str(a->c, fields[which], arg);
}

/* What ipsec.conf takes for a keyword is taken here, too: one syntax for each value. */
static status end_keyword(whack_args *a, const char *word, const char *arg)
{
    for (size_t i = 0; i < keywords_n; i++) {
        const keyword *k = &keywords[i];
        if (k->where != KW_END || strcmp(k->name, word) != 0)
            continue;
        kw_target t = {.c = a->c, .end = a->end, .mem = &a->c->mem};
        a->described = true;
        return kw_apply(k, &t, arg, &a->msg);
    }
    return ST_NOT_FOUND;
}

enum { K_SENDCERT, K_IKEPORT, K_NEXTHOP, K_SRCIP, K_PROTOPORT };
static status end_value(whack_args *a, unsigned which, const char *arg)
{
    static const char *const words[] = {"sendcert", "ikeport", "nexthop", "sourceip", "protoport"};
    return end_keyword(a, words[which], arg);
}

static status end_host(whack_args *a, unsigned unused, const char *arg)
{
    a->host_seen[side(a)] = true;
    a->described = true;
    return conn_end_set_host(a->c, a->end, arg, &a->msg);
}

static status end_client(whack_args *a, unsigned within, const char *arg)
{
    unsigned s = side(a);
    (within ? a->within_seen : a->client_seen)[s] = true;
    if (a->client_seen[s] && a->within_seen[s])
        return msg_fail(&a->msg, ST_INVALID, "--client conflicts with --clientwithin");
    return end_keyword(a, within ? "subnetwithin" : "subnet", arg);
}

enum { EF_HOSTACCESS, EF_DNSKEY };
static status end_flag(whack_args *a, unsigned which, const char *arg)
{
    a->described = true;
    if (which == EF_HOSTACCESS)
        a->end->hostaccess = true;
    return ST_OK;
}

static status opt_to(whack_args *a, unsigned unused, const char *arg)
{
    if (a->to_seen)
        return msg_fail(&a->msg, ST_INVALID, "only one --to is allowed");
    if (!a->host_seen[0])
        return msg_fail(&a->msg, ST_INVALID, "connection missing --host before --to");
    a->to_seen = true;
    a->described = true;
    a->end = &a->c->right;
    return ST_OK;
}

/* ---- the conn ---- */

enum {
    C_PSK,
    C_RSASIG,
    C_ENCRYPT,
    C_AUTHENTICATE,
    C_COMPRESS,
    C_TUNNEL,
    C_PFS,
    C_NOARRIVAL,
    C_DONTREKEY,
    C_ONTRAFFIC,
    C_AGGRESSIVE,
    C_FORCEENCAPS,
    C_XAUTHSERVER,
    C_MODECFGPUSH,
};
static status conn_flag(whack_args *a, unsigned which, const char *arg)
{
    conn *c = a->c;
    bool *const flags[] = {
        [C_PSK] = &a->psk,
        [C_RSASIG] = &a->rsasig,
        [C_ENCRYPT] = &a->encrypt,
        [C_AUTHENTICATE] = &a->authenticate,
        [C_COMPRESS] = &c->compress,
        [C_TUNNEL] = &a->tunnel,
        [C_PFS] = &c->pfs,
        [C_NOARRIVAL] = &c->disable_arrival_check,
        [C_DONTREKEY] = &a->dontrekey,
        [C_AGGRESSIVE] = &c->aggressive,
        [C_FORCEENCAPS] = &c->forceencaps,
        [C_XAUTHSERVER] = &c->xauth_server,
        [C_MODECFGPUSH] = &c->modecfg_push,
    };
    a->described = true;
    if (which == C_ONTRAFFIC)
        return ST_OK; /* what a conn without another shunt does */
    *flags[which] = true;
    return ST_OK;
}

static status conn_shunt(whack_args *a, unsigned type, const char *arg)
{
    a->described = a->shunt = true;
    a->c->type = (conn_type)type;
    return ST_OK;
}

static status conn_failshunt(whack_args *a, unsigned which, const char *arg)
{
    static const char *const words[] = {"none", "passthrough", "drop", "reject"};
    a->described = true;
    a->c->failureshunt = words[which];
    return ST_OK;
}

enum { N_IKELIFE, N_KEYLIFE, N_MARGIN, N_FUZZ, N_TRIES, N_DPDDELAY, N_DPDTIMEOUT };
static status conn_number(whack_args *a, unsigned which, const char *arg)
{
    uint64_t v = 0, max = which <= N_KEYLIFE ? 86400 : INT32_MAX;
    status st = parse_number(a, arg, max, &v);
    conn *c = a->c;
    a->described = true;
    if (st)
        return st;
    switch (which) {
    case N_IKELIFE:
        c->ikelifetime_s = (int64_t)v;
        break;
    case N_KEYLIFE:
        c->keylife_s = (int64_t)v;
        break;
    case N_MARGIN:
        c->rekeymargin_s = (int64_t)v;
        break;
    case N_FUZZ:
        c->rekeyfuzz_pct = (unsigned)v;
        break;
    case N_TRIES:
        c->keyingtries = (unsigned)v;
        break;
    case N_DPDDELAY:
        c->dpddelay_s = (int64_t)v;
        a->dpd_delay = true;
        break;
    default:
        c->dpdtimeout_s = (int64_t)v;
        a->dpd_timeout = true;
        break;
    }
    return ST_OK;
}

static status conn_dpdaction(whack_args *a, unsigned unused, const char *arg)
{
    kw_target t = {.c = a->c, .mem = &a->c->mem};
    a->described = a->dpd_action = true;
    return kw_set_dpdaction(&t, arg, &a->msg);
}

enum { S_IKE, S_ESP, S_PFSGROUP };
static status conn_text(whack_args *a, unsigned which, const char *arg)
{
    const char **fields[] = {&a->c->ike, &a->c->esp, &a->c->pfsgroup};
    a->described = true;
    return conn_set_str(a->c, fields[which], arg);
}

static status conn_family(whack_args *a, unsigned v6, const char *arg)
{
    if (a->host_seen[0] || a->host_seen[1])
        return msg_fail(&a->msg, ST_INVALID, "--ipv4 and --ipv6 must stand before the first address");
    if (a->family)
        return msg_fail(&a->msg, ST_INVALID, "--ipv4 conflicts with --ipv6");
    a->family = a->c->host_family = v6 ? AF_INET6 : AF_INET;
    return ST_OK;
}

static status conn_tunnel_family(whack_args *a, unsigned v6, const char *arg)
{
    if (a->tunnel_family)
        return msg_fail(&a->msg, ST_INVALID, "--tunnelipv4 conflicts with --tunnelipv6");
    a->tunnel_family = v6 ? AF_INET6 : AF_INET;
    a->c->tunnel_v6 = v6;
    return ST_OK;
}

/* ---- the ca ---- */

enum { CA_NAME, CA_CERT, CA_LDAPHOST, CA_LDAPBASE, CA_CRLURI, CA_CRLURI2, CA_OCSPURI };
static status ca_text(whack_args *a, unsigned which, const char *arg)
{
    if (!a->ca && ca_section_new(&a->ca, "") != ST_OK)
        return ST_NO_MEMORY;
    ca_section *ca = a->ca;
    const char **fields[] = {&ca->name,   &ca->cacert,  &ca->ldaphost, &ca->ldapbase,
                             &ca->crluri, &ca->crluri2, &ca->ocspuri};
    const char *s = arena_str(&ca->mem, span_str(arg));
    if (!s)
        return ST_NO_MEMORY;
    *fields[which] = s;
    return ST_OK;
}

static status ca_strict(whack_args *a, unsigned unused, const char *arg)
{
    if (!a->ca && ca_section_new(&a->ca, "") != ST_OK)
        return ST_NO_MEMORY;
    a->ca->strictcrl = true;
    return ST_OK;
}

// clang-format off
static const option_row rows[] = {
    {"help", opt_flag, F_HELP, 0, 0, 0},              {"version", opt_flag, F_VERSION, 0, 0, 0},
    {"label", opt_text, T_LABEL, 1, 0, 0},            {"ctlbase", opt_text, T_CTLBASE, 1, 0, 0},
    {"name", opt_text, T_NAME, 1, 0, 0},
    {"initiate", opt_action, WA_INITIATE, 0, 0, 0},   {"terminate", opt_action, WA_TERMINATE, 0, 0, 0},
    {"asynchronous", opt_flag, F_ASYNC, 0, 0, 0},     {"route", opt_action, WA_ROUTE, 0, 0, 0},
    {"unroute", opt_action, WA_UNROUTE, 0, 0, 0},     {"delete", opt_action, WA_DELETE, 0, 0, 0},
    {"deletestate", opt_deletestate, 0, 1, 0, 0},     {"crash", opt_address, 0, 1, 0, 0},
    {"listen", opt_action, WA_LISTEN, 0, 0, 0},       {"unlisten", opt_action, WA_UNLISTEN, 0, 0, 0},
    {"oppohere", opt_address, 1, 1, 0, 0},            {"oppothere", opt_address, 2, 1, 0, 0},
    {"keyid", opt_text, T_KEYID, 1, 0, 0},            {"addkey", opt_flag, F_ADDKEY, 0, 0, 0},
    {"pubkeyrsa", opt_text, T_PUBKEY, 1, 0, 0},       {"myid", opt_text, T_MYID, 1, 0, 0},
    {"status", opt_flag, F_STATUS, 0, 0, 0},          {"statusall", opt_flag, F_STATUSALL, 0, 0, 0},
    {"shutdown", opt_action, WA_SHUTDOWN, 0, 0, 0},   {"purgeocsp", opt_flag, F_PURGEOCSP, 0, 0, 0},
    {"rereadsecrets", opt_reread, CTL_REREAD_SECRETS, 0, 0, 0},     {"rereadcacerts", opt_reread, CTL_REREAD_CACERTS, 0, 0, 0},
    {"rereadaacerts", opt_reread, CTL_REREAD_AACERTS, 0, 0, 0},     {"rereadocspcerts", opt_reread, CTL_REREAD_OCSPCERTS, 0, 0, 0},
    {"rereadacerts", opt_reread, CTL_REREAD_ACERTS, 0, 0, 0},       {"rereadcrls", opt_reread, CTL_REREAD_CRLS, 0, 0, 0},
    {"rereadgroups", opt_reread, CTL_REREAD_GROUPS, 0, 0, 0},       {"rereadall", opt_reread, CTL_REREAD_ALL, 0, 0, 0},
    {"utc", opt_flag, F_UTC, 0, 0, 0},
    {"listalgs", opt_list, CTL_LIST_ALGS, 0, 0, 0},                 {"listpubkeys", opt_list, CTL_LIST_PUBKEYS, 0, 0, 0},
    {"listcerts", opt_list, CTL_LIST_CERTS, 0, 0, 0},               {"listcacerts", opt_list, CTL_LIST_CACERTS, 0, 0, 0},
    {"listacerts", opt_list, CTL_LIST_ACERTS, 0, 0, 0},             {"listaacerts", opt_list, CTL_LIST_AACERTS, 0, 0, 0},
    {"listocspcerts", opt_list, CTL_LIST_OCSPCERTS, 0, 0, 0},       {"listgroups", opt_list, CTL_LIST_GROUPS, 0, 0, 0},
    {"listcainfos", opt_list, CTL_LIST_CAINFOS, 0, 0, 0},           {"listcrls", opt_list, CTL_LIST_CRLS, 0, 0, 0},
    {"listocsp", opt_list, CTL_LIST_OCSP, 0, 0, 0},                 {"listcards", opt_list, CTL_LIST_CARDS, 0, 0, 0},
    {"listall", opt_list, CTL_LIST_ALL, 0, 0, 0},
    {"scencrypt", opt_smartcard, WA_SCENCRYPT, 1, 0, 0},            {"scdecrypt", opt_smartcard, WA_SCDECRYPT, 1, 0, 0},
    {"inbase", opt_base, 0, 1, 0, 0},                 {"outbase", opt_base, 1, 1, 0, 0},
    /* ends */
    {"to", opt_to, 0, 0, 0, 1},
    {"host", end_host, 0, 1, 1, 0},                   {"id", end_text, E_ID, 1, 1, 0},
    {"cert", end_text, E_CERT, 1, 1, 0},              {"ca", end_text, E_CA, 1, 1, 0},
    {"groups", end_text, E_GROUPS, 1, 1, 0},          {"updown", end_text, E_UPDOWN, 1, 1, 0},
    {"sendcert", end_value, K_SENDCERT, 1, 1, 0},     {"ikeport", end_value, K_IKEPORT, 1, 1, 0},
    {"nexthop", end_value, K_NEXTHOP, 1, 1, 0},       {"srcip", end_value, K_SRCIP, 1, 1, 0},
    {"client", end_client, 0, 1, 1, 0},               {"clientwithin", end_client, 1, 1, 1, 0},
    {"clientprotoport", end_value, K_PROTOPORT, 1, 1, 0},
    {"dnskeyondemand", end_flag, EF_DNSKEY, 0, 1, 0}, {"hostaccess", end_flag, EF_HOSTACCESS, 0, 1, 0},
    /* the conn */
    {"ipv4", conn_family, 0, 0, 0, 0},                {"ipv6", conn_family, 1, 0, 0, 0},
    {"tunnelipv4", conn_tunnel_family, 0, 0, 0, 0},   {"tunnelipv6", conn_tunnel_family, 1, 0, 0, 0},
    {"psk", conn_flag, C_PSK, 0, 0, 0},               {"rsasig", conn_flag, C_RSASIG, 0, 0, 0},
    {"encrypt", conn_flag, C_ENCRYPT, 0, 0, 0},       {"authenticate", conn_flag, C_AUTHENTICATE, 0, 0, 0},
    {"compress", conn_flag, C_COMPRESS, 0, 0, 0},     {"tunnel", conn_flag, C_TUNNEL, 0, 0, 0},
    {"pfs", conn_flag, C_PFS, 0, 0, 0},               {"disablearrivalcheck", conn_flag, C_NOARRIVAL, 0, 0, 0},
    {"dontrekey", conn_flag, C_DONTREKEY, 0, 0, 0},   {"initiateontraffic", conn_flag, C_ONTRAFFIC, 0, 0, 0},
    {"aggressive", conn_flag, C_AGGRESSIVE, 0, 0, 0}, {"forceencaps", conn_flag, C_FORCEENCAPS, 0, 0, 0},
    {"xauthserver", conn_flag, C_XAUTHSERVER, 0, 0, 0}, {"modecfgpush", conn_flag, C_MODECFGPUSH, 0, 0, 0},
    {"pass", conn_shunt, CONN_PASS, 0, 0, 0},         {"drop", conn_shunt, CONN_DROP, 0, 0, 0},
    {"reject", conn_shunt, CONN_REJECT, 0, 0, 0},
    {"failnone", conn_failshunt, 0, 0, 0, 0},         {"failpass", conn_failshunt, 1, 0, 0, 0},
    {"faildrop", conn_failshunt, 2, 0, 0, 0},         {"failreject", conn_failshunt, 3, 0, 0, 0},
    {"ikelifetime", conn_number, N_IKELIFE, 1, 0, 0}, {"ipseclifetime", conn_number, N_KEYLIFE, 1, 0, 0},
    {"rekeymargin", conn_number, N_MARGIN, 1, 0, 0},  {"rekeywindow", conn_number, N_MARGIN, 1, 0, 0},
    {"rekeyfuzz", conn_number, N_FUZZ, 1, 0, 0},      {"keyingtries", conn_number, N_TRIES, 1, 0, 0},
    {"dpdaction", conn_dpdaction, 0, 1, 0, 0},
    {"dpddelay", conn_number, N_DPDDELAY, 1, 0, 0},   {"dpdtimeout", conn_number, N_DPDTIMEOUT, 1, 0, 0},
    {"ike", conn_text, S_IKE, 1, 0, 0},               {"esp", conn_text, S_ESP, 1, 0, 0},
    {"pfsgroup", conn_text, S_PFSGROUP, 1, 0, 0},
    /* the ca */
    {"caname", ca_text, CA_NAME, 1, 0, 0},            {"cacert", ca_text, CA_CERT, 1, 0, 0},
    {"ldaphost", ca_text, CA_LDAPHOST, 1, 0, 0},      {"ldapbase", ca_text, CA_LDAPBASE, 1, 0, 0},
    {"crluri", ca_text, CA_CRLURI, 1, 0, 0},          {"crluri2", ca_text, CA_CRLURI2, 1, 0, 0},
    {"ocspuri", ca_text, CA_OCSPURI, 1, 0, 0},        {"strictcrlpolicy", ca_strict, 0, 0, 0, 0},
    /* debugging */
    {"debug-none", opt_debug, 0, 0, 0, 1},
    {"debug-all", opt_debug, CTL_DEBUG_ALL, 0, 0, 0},               {"debug-raw", opt_debug, CTL_DEBUG_RAW, 0, 0, 0},
    {"debug-crypt", opt_debug, CTL_DEBUG_CRYPT, 0, 0, 0},           {"debug-parsing", opt_debug, CTL_DEBUG_PARSING, 0, 0, 0},
    {"debug-emitting", opt_debug, CTL_DEBUG_EMITTING, 0, 0, 0},     {"debug-control", opt_debug, CTL_DEBUG_CONTROL, 0, 0, 0},
    {"debug-lifecycle", opt_debug, CTL_DEBUG_LIFECYCLE, 0, 0, 0},   {"debug-klips", opt_debug, CTL_DEBUG_KLIPS, 0, 0, 0},
    {"debug-dns", opt_debug, CTL_DEBUG_DNS, 0, 0, 0},               {"debug-natt", opt_debug, CTL_DEBUG_NATT, 0, 0, 0},
    {"debug-oppo", opt_debug, CTL_DEBUG_OPPO, 0, 0, 0},             {"debug-controlmore", opt_debug, CTL_DEBUG_CONTROLMORE, 0, 0, 0},
    {"debug-private", opt_debug, CTL_DEBUG_PRIVATE, 0, 0, 0},
    {"impair-delay-adns-key-answer", opt_debug, CTL_IMPAIR_DELAY_ADNS_KEY_ANSWER, 0, 0, 0},
    {"impair-delay-adns-txt-answer", opt_debug, CTL_IMPAIR_DELAY_ADNS_TXT_ANSWER, 0, 0, 0},
    {"impair-bust-mi2", opt_debug, CTL_IMPAIR_BUST_MI2, 0, 0, 0},   {"impair-bust-mr2", opt_debug, CTL_IMPAIR_BUST_MR2, 0, 0, 0},
};
// clang-format on
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

void whack_usage(void)
{
    printf("Usage: whack\n");
    for (size_t i = 0; i < N_ROWS; i++)
        printf("  --%s%s\n", rows[i].name, rows[i].arg ? " <value>" : "");
    printf("  --optionsfrom <file>\n"
           "Options of the left end stand before --to, those of the right end behind it, the others "
           "anywhere.\n");
}

status whack_args_init(whack_args *a)
{
    *a = (whack_args){0};
    arena_init(&a->mem, 0);
    status st = conn_new(&a->c, "");
    if (st)
        return st;
    a->c->pfs = false;
    a->c->mobike = false;
    a->end = &a->c->left;
    return ST_OK;
}

void whack_args_free(whack_args *a)
{
    conn_unref(a->c);
    ca_section_unref(a->ca);
    arena_free(&a->mem);
}

static status take_option(whack_args *a, size_t i, bool seen[2][N_ROWS], const char *arg)
{
    const option_row *r = &rows[i];
    bool *before = &seen[r->end ? side(a) : 0][i];
    if (*before && !r->repeat)
        return msg_fail(&a->msg, ST_INVALID, "duplicated flag \"%s\"", r->name);
    *before = true;
    return r->set(a, r->value, arg);
}

status whack_parse(whack_args *a, int argc, char **argv)
{
    struct option options[N_ROWS + 1] = {0};
    bool seen[2][N_ROWS] = {{0}};
    int index, found;
    status st = options_expand(&argc, &argv, NULL, &a->mem, &a->msg);
    if (st)
        return st;
    for (size_t i = 0; i < N_ROWS; i++)
        options[i] = (struct option){rows[i].name, rows[i].arg ? required_argument : no_argument, NULL, 'o'};
    optind = 1;
    while ((found = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (found != 'o')
            return msg_fail(&a->msg, ST_INVALID, "see --help for the options");
        st = take_option(a, (size_t)index, seen, optarg);
        if (st) {
            if (!a->msg.text[0])
                msg_set(&a->msg, "%s", status_text(st));
            if (strncmp(a->msg.text, "duplicated", 10) != 0)
                msg_prefix(&a->msg, "--%s: ", rows[index].name);
            return st;
        }
    }
    if (optind < argc)
        return msg_fail(&a->msg, ST_INVALID, "unexpected argument \"%.80s\"", argv[optind]);
    return ST_OK;
}
