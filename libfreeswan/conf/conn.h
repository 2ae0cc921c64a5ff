/* `struct conn`, `struct ca_section` and `struct setup`: what a configuration says, after parsing, defaults and also=.
 * The same object is made by the ipsec.conf parser and by the whack and stroke command lines, travels in a control record
 * (conn_encode/conn_decode), and is what both daemons keep. Immutable once sealed; reference counted; any thread.
 * All strings are owned by the conn's arena; NULL = not set. Keyword meanings: reference ipsec-conf.md.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libfreeswan/proposal/proposal.h"
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/refcount.h"
#include "libstrongswan/cred/ident.h"

typedef enum conn_version { CONN_IKEV1 = 1, CONN_IKEV2 = 2, CONN_IKE_BOTH = 3 } conn_version;
typedef enum conn_type { CONN_TUNNEL, CONN_TRANSPORT, CONN_BEET, CONN_PASS, CONN_DROP, CONN_REJECT, CONN_TRANSPORT_PROXY } conn_type;
typedef enum conn_auto { AUTO_IGNORE, AUTO_ADD, AUTO_ROUTE, AUTO_START, AUTO_KEEP } conn_auto;
typedef enum dpd_action { DPD_NONE, DPD_CLEAR, DPD_HOLD, DPD_RESTART } dpd_action;
typedef enum sendcert_policy { SENDCERT_ALWAYS, SENDCERT_IFASKED, SENDCERT_NEVER } sendcert_policy;
typedef enum unique_policy { UNIQUE_NO, UNIQUE_REPLACE, UNIQUE_KEEP } unique_policy;
typedef enum crl_policy { CRL_NO, CRL_YES, CRL_IFURI } crl_policy;
enum { /* conn.authby, conn_end.auth: methods allowed, bits */
    AUTH_PSK = 1, AUTH_PUBKEY = 2, AUTH_EAP = 4, AUTH_XAUTH_PSK = 8, AUTH_XAUTH_RSA = 16, AUTH_NEVER = 32, AUTH_RSA_ONLY = 64,
    AUTH_ECDSA_ONLY = 128,
};
typedef enum frag_policy { FRAG_NO, FRAG_YES, FRAG_FORCE } frag_policy;

enum { CONN_MAX_SUBNETS = 64 };

typedef struct conn_end {
    const char *host_text; /* as written: address, name, "%any", "%defaultroute", … */
    ip_addr host;          /* resolved; any = %any */
    bool host_any;         /* any address is acceptable: %any, `%name`, allowany */
    bool host_defaultroute, host_group;
    uint16_t ikeport; /* 0 = 500 */
    const char *nexthop_text;
    ip_addr nexthop;
    const char *id_text;   /* NULL = the certificate's subject or the address */
    const char *id2_text;
    const char *cert, *cert2; /* file or %smartcard */
    const char *ca, *ca2;     /* DN, "%same" or "%any" */
    const char *rsasigkey;    /* 0s…, 0x…, %cert, … */
    const char *groups;
    const char *updown;
    bool firewall, hostaccess, allow_any;
    sendcert_policy sendcert;
    unsigned auth, auth2; /* AUTH_ bits of left/rightauth; 0 = from authby */
    unsigned n_subnets;
    subnet subnets[CONN_MAX_SUBNETS];
    bool subnet_within;     /* leftsubnetwithin: a range to be narrowed */
    bool subnet_dynamic;    /* %dynamic stands in the list beside subnets */
    const char *virt;       /* "vhost:…", "vnet:…" */
    uint8_t proto;          /* leftprotoport */
    uint16_t port;
    bool port_any;          /* %any: one port, chosen by the peer */
    const char *sourceip;   /* as written: address, %config, %modeconfig, %poolname, range */
    const char *natip;      /* source address that a NAT of ours puts in front of ESP */
    const char *cert_policy; /* OIDs, comma-separated */
    const char *xauth_username;
    bool xauth_server, xauth_client;
} conn_end;

typedef struct conn {
    refcount refs;
    arena mem;
    const char *name;
    const char *file; /* where it stands, for messages; NULL for command lines */
    unsigned line;
    conn_version version;
    conn_type type;
    conn_auto autostart;
    unsigned authby; /* AUTH_ bits */
    bool auth_ah;    /* auth=ah: AH around ESP */
    bool ah_only;    /* phase2=ah, ah=...: AH without ESP; auth_ah is set, too */
    conn_end left, right;
    bool pfs, compress, mobike, forceencaps, rekey, reauth, aggressive, modecfg_push, installpolicy, ikev2_esn;
    bool initial_contact, sha256_96, disable_arrival_check, tunnel_v6;
    uint8_t host_family; /* hint for names: AF_INET, AF_INET6, 0 */
    frag_policy fragmentation;
    const char *ike, *esp, *pfsgroup; /* algorithm strings; NULL = defaults */
    int64_t ikelifetime_s, keylife_s, rekeymargin_s;
    unsigned rekeyfuzz_pct;
    unsigned keyingtries; /* 0 = for ever */
    uint64_t lifebytes, marginbytes, lifepackets, marginpackets;
    int64_t inactivity_s;
    dpd_action dpdaction, closeaction;
    int64_t dpddelay_s, dpdtimeout_s;
    bool dpdaction_set;
    const char *eap, *eap_identity, *aaa_identity, *xauth_identity;
    bool xauth_server; /* xauth=server */
    bool mediation;
    const char *mediated_by, *me_peerid;
    uint32_t reqid;
    uint32_t mark_in, mark_in_mask, mark_out, mark_out_mask;
    uint32_t replay_window; /* packets; 0 = default */
    crl_policy strictcrl;   /* copied from config setup */
    unique_policy uniqueids;
    const char *failureshunt; /* none passthrough drop reject */
    const char *connalias;
    const char *dns, *nbns, *domain, *banner; /* modecfgdns1 …: blank-separated */
} conn;

typedef struct ca_section {
    refcount refs;
    arena mem;
    const char *name, *file;
    unsigned line;
    bool autoadd; /* auto=add */
    bool strictcrl;
    const char *cacert, *ldaphost, *ldapbase, *crluri, *crluri2, *ocspuri, *ocspuri2, *certuribase;
} ca_section;

/* `config setup` */
typedef struct setup {
    arena mem;
    bool charonstart, plutostart, cachecrls, nocrsend, nat_traversal, force_keepalive, plutorestartoncrash;
    bool pkcs11keepstate, pkcs11proxy, perpeerlog, plutostderrlogtime, disable_port_floating;
    crl_policy strictcrl;
    unique_policy uniqueids;
    int64_t crlcheckinterval_s, keep_alive_s;
    const char *interfaces, *dumpdir, *plutodebug, *charondebug, *prepluto, *postpluto, *plutostderrlog, *virtual_private;
    const char *pkcs11module, *pkcs11initargs, *myid, *plutoopts, *syslog, *listen, *secretsfile, *perpeerlogdir, *ocspuri;
    uint16_t ikeport, nat_ikeport;
    unsigned cookie_threshold; /* ddos-ike-threshold */
} setup;

/* An empty conn with the defaults of ipsec.conf; the maker fills it and calls conn_seal(). */
status conn_new(conn **out, const char *name) MUST_CHECK;
/* Checks what no single keyword can: both ends any, lifetimes against margins, strings that do not parse (ids,
 * proposals). msg as in "conn 'x': …". */
status conn_seal(conn *c, msgbuf *msg) MUST_CHECK;
conn *conn_ref(conn *c);
void conn_unref(conn *c);
bool conn_equal(const conn *a, const conn *b); /* every field but file and line */
/* Setters for what has a syntax of its own; used by the ipsec.conf parser and the command lines before conn_seal(). */
status conn_set_str(conn *c, const char **field, const char *text) MUST_CHECK; /* copy in the conn's arena */
/* Address, name, %any, %any4, %any6, %defaultroute, %group, %opportunistic, %opportunisticgroup, %<address or name>. */
status conn_end_set_host(conn *c, conn_end *e, const char *text, msgbuf *msg) MUST_CHECK;
/* Comma list (also {a b}), %dynamic, vhost:…, vnet:…; replaces what was there. */
status conn_end_set_subnets(conn *c, conn_end *e, const char *text, msgbuf *msg) MUST_CHECK;
status conn_end_set_protoport(conn_end *e, const char *text, msgbuf *msg) MUST_CHECK;
/* Looks the ends' names up (blocks); an end that allows any peer falls back to %any. ST_NOT_FOUND: msg tells which name. */
status conn_resolve(conn *c, msgbuf *msg) MUST_CHECK;
/* The body of a control record: tagged fields; unknown tags are skipped, a bad length or value is ST_INVALID. */
status conn_encode(const conn *c, buf *out) MUST_CHECK;
status conn_decode(conn **out, span body, msgbuf *msg) MUST_CHECK;

status ca_section_new(ca_section **out, const char *name) MUST_CHECK;
ca_section *ca_section_ref(ca_section *c);
void ca_section_unref(ca_section *c);
bool ca_section_equal(const ca_section *a, const ca_section *b);
status ca_section_encode(const ca_section *c, buf *out) MUST_CHECK;
status ca_section_decode(ca_section **out, span body, msgbuf *msg) MUST_CHECK;
