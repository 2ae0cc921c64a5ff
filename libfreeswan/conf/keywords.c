/* The table of keywords (reference: the manual page made from it) and the look-up in it. Rows are in the
 * order in which the manual shows them: setup, conn, ends, ca; words of other suites that are only mapped
 * stand behind each.
 */
#include "libfreeswan/conf/keywords.h"

// clang-format off
static const kw_word strict_words[] = {{"no", CRL_NO}, {"yes", CRL_YES}, {"ifuri", CRL_IFURI}, {NULL, 0}};
static const kw_word unique_words[] = {{"no", UNIQUE_NO}, {"yes", UNIQUE_REPLACE}, {"replace", UNIQUE_REPLACE},
                                       {"keep", UNIQUE_KEEP}, {"never", UNIQUE_NO}, {NULL, 0}};
static const kw_word type_words[] = {{"tunnel", CONN_TUNNEL}, {"transport", CONN_TRANSPORT}, {"beet", CONN_BEET},
    {"passthrough", CONN_PASS}, {"pass", CONN_PASS}, {"drop", CONN_DROP}, {"reject", CONN_REJECT},
    {"transport_proxy", CONN_TRANSPORT_PROXY}, {NULL, 0}};
static const kw_word auth_words[] = {{"esp", 0}, {"ah", 1}, {NULL, 0}};
static const kw_word action_words[] = {{"none", DPD_NONE}, {"clear", DPD_CLEAR}, {"hold", DPD_HOLD}, {"restart", DPD_RESTART},
    {"trap", DPD_HOLD}, {"start", DPD_RESTART}, {NULL, 0}};
static const kw_word modeconfig_words[] = {{"pull", 0}, {"push", 1}, {NULL, 0}};
static const kw_word xauth_words[] = {{"client", 0}, {"server", 1}, {NULL, 0}};
static const kw_word frag_words[] = {{"no", FRAG_NO}, {"yes", FRAG_YES}, {"accept", FRAG_YES}, {"force", FRAG_FORCE}, {NULL, 0}};
static const kw_word family_words[] = {{"ipv4", 2}, {"v4", 2}, {"inet", 2}, {"ipv6", 10}, {"v6", 10}, {"inet6", 10}, {NULL, 0}};
static const kw_word tunnel_family_words[] = {{"ipv4", 0}, {"v4", 0}, {"inet", 0}, {"ipv6", 1}, {"v6", 1}, {"inet6", 1}, {NULL, 0}};
static const kw_word sendcert_words[] = {{"always", SENDCERT_ALWAYS}, {"yes", SENDCERT_ALWAYS}, {"ifasked", SENDCERT_IFASKED},
    {"never", SENDCERT_NEVER}, {"no", SENDCERT_NEVER}, {"sendifasked", SENDCERT_IFASKED}, {"alwayssend", SENDCERT_ALWAYS},
    {"forcedtype", SENDCERT_ALWAYS}, {NULL, 0}};
_Static_assert(AF_INET == 2 && AF_INET6 == 10, "the numbers of the family words");

#define S(n, t, m, d, doc)        {n, KW_SETUP, t, offsetof(setup, m), sizeof(((setup *)0)->m), NULL, NULL, NULL, NULL, d, doc}
#define SW(n, m, w, d, doc)       {n, KW_SETUP, KW_WORD, offsetof(setup, m), sizeof(((setup *)0)->m), w, NULL, NULL, NULL, d, doc}
#define SC(n, f, v, d, doc)       {n, KW_SETUP, KW_CUSTOM, 0, 0, NULL, f, NULL, v, d, doc}
#define SX(n, t, doc)             {n, KW_SETUP, t, 0, 0, NULL, NULL, NULL, NULL, NULL, doc}
#define C(n, t, m, d, doc)        {n, KW_CONN, t, offsetof(conn, m), sizeof(((conn *)0)->m), NULL, NULL, NULL, NULL, d, doc}
#define CW(n, m, w, d, doc)       {n, KW_CONN, KW_WORD, offsetof(conn, m), sizeof(((conn *)0)->m), w, NULL, NULL, NULL, d, doc}
#define CC(n, f, v, d, doc)       {n, KW_CONN, KW_CUSTOM, 0, 0, NULL, f, NULL, v, d, doc}
#define CX(n, t, doc)             {n, KW_CONN, t, 0, 0, NULL, NULL, NULL, NULL, NULL, doc}
#define E(n, t, m, d, doc)        {n, KW_END, t, offsetof(conn_end, m), sizeof(((conn_end *)0)->m), NULL, NULL, NULL, NULL, d, doc}
#define EW(n, m, w, d, doc)       {n, KW_END, KW_WORD, offsetof(conn_end, m), sizeof(((conn_end *)0)->m), w, NULL, NULL, NULL, d, doc}
#define EC(n, f, v, d, doc)       {n, KW_END, KW_CUSTOM, 0, 0, NULL, f, NULL, v, d, doc}
#define EX(n, t, doc)             {n, KW_END, t, 0, 0, NULL, NULL, NULL, NULL, NULL, doc}
#define A(n, m, d, doc)           {n, KW_CA, KW_STRING, offsetof(ca_section, m), sizeof(((ca_section *)0)->m), NULL, NULL, NULL, NULL, d, doc}
#define ALIAS(n, where, of)       {n, where, KW_IGNORE, 0, 0, NULL, NULL, of, NULL, NULL, NULL}
#define NO_MANUAL "manual keying is not supported: use keyexchange=ikev1 or ikev2"

const keyword keywords[] = {
    /* ---- config setup ---- */
    S("charonstart", KW_BOOL, charonstart, "yes", "start charon, the IKEv2 daemon"),
    S("plutostart", KW_BOOL, plutostart, "yes", "start pluto, the IKEv1 daemon"),
    SC("plutodebug", kw_set_plutodebug, "blank-separated words of none, all, raw, crypt, parsing, emitting, control, lifecycle, klips, "
       "dns, natt, oppo, controlmore, private", "none", "what pluto logs beyond the usual"),
    SC("charondebug", kw_set_charondebug, "comma-separated pairs of dmn, mgr, ike, chd, job, cfg, knl, net, enc or lib and a level "
       "from -1 to 4", "all 1", "what charon logs"),
    S("prepluto", KW_STRING, prepluto, NULL, "shell command run before pluto starts"),
    S("postpluto", KW_STRING, postpluto, NULL, "shell command run after pluto has started"),
    S("plutostderrlog", KW_STRING, plutostderrlog, NULL, "file for pluto's log instead of syslog"),
    S("plutostderrlogtime", KW_BOOL, plutostderrlogtime, "no", "time stamps in that file"),
    SW("uniqueids", uniqueids, unique_words, "yes", "one IKE SA per peer identity: a new one replaces the old (keep: is refused)"),
    S("crlcheckinterval", KW_TIME, crlcheckinterval_s, "0", "how often CRLs are looked after; 0: pluto fetches none"),
    S("cachecrls", KW_BOOL, cachecrls, "no", "write fetched CRLs to ipsec.d/crls"),
    SW("strictcrlpolicy", strictcrl, strict_words, "no", "refuse a peer without fresh revocation data (ifuri: if its certificate "
       "says where they are)"),
    S("nocrsend", KW_BOOL, nocrsend, "no", "send no certificate requests"),
    S("nat_traversal", KW_BOOL, nat_traversal, "no", "NAT traversal for IKEv1 (IKEv2 always has it)"),
    S("keep_alive", KW_TIME, keep_alive_s, "20s", "interval of NAT keep-alive packets"),
    S("force_keepalive", KW_BOOL, force_keepalive, "no", "send them without a NAT, too"),
    SC("virtual_private", kw_set_virtual_private, "comma-separated %v4:net/bits, %v6:net/bits, with ! after the colon to exclude", NULL,
       "networks peers behind a NAT may have (vhost:%priv)"),
    S("pkcs11module", KW_STRING, pkcs11module, NULL, "PKCS #11 library"),
    S("pkcs11initargs", KW_STRING, pkcs11initargs, NULL, "argument of its C_Initialize"),
    S("pkcs11keepstate", KW_BOOL, pkcs11keepstate, "no", "stay logged in to the card"),
    S("pkcs11proxy", KW_BOOL, pkcs11proxy, "no", "allow ipsec scencrypt and scdecrypt"),
    S("interfaces", KW_STRING, interfaces, "%defaultroute", "KLIPS interfaces; read and not used"),
    S("dumpdir", KW_STRING, dumpdir, NULL, "directory of core dumps"),
    SX("overridemtu", KW_IGNORE, "of the KLIPS stack; read and ignored"),
    SX("klipsdebug", KW_IGNORE, "of the KLIPS stack; read and ignored"),
    SX("fragicmp", KW_IGNORE, "of the KLIPS stack; read and ignored"),
    SX("packetdefault", KW_IGNORE, "of the KLIPS stack; read and ignored"),
    SX("hidetos", KW_IGNORE, "of the KLIPS stack; read and ignored"),
    S("myid", KW_STRING, myid, NULL, "the identity %myid stands for"),
    S("syslog", KW_STRING, syslog, NULL, "facility.priority of the log"),
    S("plutoopts", KW_STRING, plutoopts, NULL, "further arguments for pluto"),
    S("plutorestartoncrash", KW_BOOL, plutorestartoncrash, "yes", "restart a daemon that died"),
    SC("pluto", kw_set_pluto_off, "yes or no", "yes", "no: as plutostart=no"),
    SC("disable_port_floating", kw_set_port_floating, "yes or no", "no", "NAT traversal without port 4500"),
    SC("protostack", kw_set_protostack, "auto, netkey, native or xfrm", "auto", "the kernel's IPsec stack"),
    SC("listen", kw_set_listen, "an address", NULL, "the only address the daemons bind to"),
    S("ikeport", KW_U16, ikeport, "500", "UDP port of IKE"),
    S("nat_ikeport", KW_U16, nat_ikeport, "4500", "UDP port of IKE behind NATs"),
    S("secretsfile", KW_STRING, secretsfile, "/etc/ipsec.secrets", "where the secrets are"),
    S("perpeerlog", KW_BOOL, perpeerlog, "no", "a log file for each peer of pluto"),
    S("perpeerlogdir", KW_STRING, perpeerlogdir, "/var/log/pluto/peer", "where these are"),
    S("ocsp_uri", KW_STRING, ocspuri, NULL, "OCSP responder for certificates that name none"),
    S("ddos_ike_threshold", KW_UINT, cookie_threshold, NULL, "half-open IKE SAs beyond which cookies are asked for"),
    ALIAS("ocspuri", KW_SETUP, "ocsp_uri"),
    ALIAS("crl_strict", KW_SETUP, "strictcrlpolicy"),
    ALIAS("logfile", KW_SETUP, "plutostderrlog"),
    ALIAS("logtime", KW_SETUP, "plutostderrlogtime"),
#define SETUP_WARN(n) SX(n, KW_WARN, NULL)
    SETUP_WARN("logappend"), SETUP_WARN("logip"), SETUP_WARN("audit_log"), SETUP_WARN("plutofork"), SETUP_WARN("plutowait"),
    SETUP_WARN("manualstart"), SETUP_WARN("forwardcontrol"), SETUP_WARN("rp_filter"), SETUP_WARN("oe"), SETUP_WARN("force_busy"),
    SETUP_WARN("nhelpers"), SETUP_WARN("seedbits"), SETUP_WARN("secctx_attr_value"), SETUP_WARN("secctx_attr_type"),
    SETUP_WARN("seccomp"), SETUP_WARN("statsbin"), SETUP_WARN("ike_socket_bufsize"), SETUP_WARN("ike_socket_errqueue"),
    SETUP_WARN("xfrmlifetime"), SETUP_WARN("shuntlifetime"), SETUP_WARN("expire_lifetime"), SETUP_WARN("nflog_all"),
    SETUP_WARN("curl_iface"), SETUP_WARN("curl_timeout"), SETUP_WARN("listen_tcp"), SETUP_WARN("listen_udp"),
    SETUP_WARN("ocsp_strict"), SETUP_WARN("ocsp_enable"), SETUP_WARN("ocsp_timeout"), SETUP_WARN("ocsp_trustname"),
    SETUP_WARN("ocsp_method"), SETUP_WARN("ocsp_cache_size"), SETUP_WARN("ocsp_cache_min_age"), SETUP_WARN("ocsp_cache_max_age"),
    SETUP_WARN("ipsecdir"), SETUP_WARN("nssdir"), SETUP_WARN("myvendorid"), SETUP_WARN("ddos_mode"), SETUP_WARN("max_halfopen_ike"),
    SETUP_WARN("drop_oppo_null"), SETUP_WARN("global_redirect"), SETUP_WARN("global_redirect_to"), SETUP_WARN("dnssec_enable"),
    SETUP_WARN("dnssec_rootkey_file"), SETUP_WARN("dnssec_anchors"), SETUP_WARN("firstmsgid"), SETUP_WARN("crashpolicy"),

    /* ---- conn ---- */
    CC("keyexchange", kw_set_keyexchange, "ike, ikev1 or ikev2", "ike", "the protocol, and with it the daemon (ike: IKEv1)"),
    CW("type", type, type_words, "tunnel", "mode of the SAs, or a policy without any"),
    CC("auto", kw_set_auto, "ignore, add, route or start", "ignore", "what happens at start"),
    CX("also", KW_IGNORE, "a section whose keywords are taken over where this one has none"),
    CX("alsoflip", KW_IGNORE, "the same with left and right exchanged"),
    C("pfs", KW_BOOL, pfs, "yes", "perfect forward secrecy for IKEv1's phase 2 (IKEv2: a group in esp=)"),
    C("pfsgroup", KW_STRING, pfsgroup, NULL, "its group; the one of phase 1 without it"),
    C("compress", KW_BOOL, compress, "no", "propose IPComp"),
    CW("auth", auth_ah, auth_words, "esp", "where authentication is done"),
    CC("authby", kw_set_authby, "rsasig, ecdsasig, pubkey, secret (psk), xauthrsasig, xauthpsk, eap, never, or several joined by |",
       "rsasig", "how the peers prove who they are"),
    CC("eap", kw_set_eap, "md5, sim, aka, gtc, mschapv2, tls, ttls, peap, radius, a type number or type-vendor", NULL,
       "EAP method the server proposes"),
    C("eap_identity", KW_STRING, eap_identity, NULL, "EAP identity to send or expect; %identity asks for it"),
    C("aaa_identity", KW_STRING, aaa_identity, NULL, "identity of the AAA server"),
    C("xauth_identity", KW_STRING, xauth_identity, NULL, "XAUTH user name"),
    C("mobike", KW_BOOL, mobike, "yes", "propose MOBIKE"),
    C("forceencaps", KW_BOOL, forceencaps, "no", "UDP encapsulation without a NAT, too"),
    C("ikelifetime", KW_TIME, ikelifetime_s, "3h", "how long an IKE SA lives"),
    C("keylife", KW_TIME, keylife_s, "1h", "how long an IPsec SA lives"),
    C("rekeymargin", KW_TIME, rekeymargin_s, "9m", "how long before its end a new one is made"),
    C("rekeyfuzz", KW_PERCENT, rekeyfuzz_pct, "100%", "by how much that margin is enlarged at random"),
    CC("keyingtries", kw_set_keyingtries, "a number or %forever", "3", "attempts to reach the peer"),
    C("rekey", KW_BOOL, rekey, "yes", "renew SAs at all"),
    C("reauth", KW_BOOL, reauth, "yes", "renew IKE SAs with authentication"),
    C("ike", KW_STRING, ike, NULL, "algorithms of the IKE SA"),
    C("esp", KW_STRING, esp, NULL, "algorithms of the IPsec SAs"),
    CC("dpdaction", kw_set_dpdaction, "none, clear, hold or restart", "none", "what to do about a dead peer"),
    C("dpddelay", KW_TIME, dpddelay_s, "30s", "silence after which it is asked for a sign of life"),
    C("dpdtimeout", KW_TIME, dpdtimeout_s, "150s", "silence after which it is dead (IKEv1)"),
    CW("closeaction", closeaction, action_words, "none", "what to do when the peer closes an SA"),
    CW("modeconfig", modecfg_push, modeconfig_words, "pull", "who starts mode config (IKEv1)"),
    CW("xauth", xauth_server, xauth_words, "client", "our role with authby=xauth…"),
    C("mediation", KW_BOOL, mediation, "no", "a connection to a mediation server"),
    C("mediated_by", KW_STRING, mediated_by, NULL, "the mediation connection the peer is reached through"),
    C("me_peerid", KW_STRING, me_peerid, NULL, "the peer's identity at the mediation server"),
    C("installpolicy", KW_BOOL, installpolicy, "yes", "install kernel policies"),
    C("lifebytes", KW_U64, lifebytes, "0", "octets after which an SA ends"),
    C("marginbytes", KW_U64, marginbytes, "0", "and how many before that a new one is made"),
    C("lifepackets", KW_U64, lifepackets, "0", "packets after which an SA ends"),
    C("marginpackets", KW_U64, marginpackets, "0", "and how many before that a new one is made"),
    C("inactivity", KW_TIME, inactivity_s, "0", "idle time after which an IPsec SA is closed"),
    C("aggressive", KW_BOOL, aggressive, "no", "IKEv1 aggressive mode"),
    C("esn", KW_BOOL, ikev2_esn, "no", "offer extended sequence numbers"),
    C("replay_window", KW_UINT, replay_window, NULL, "packets of the anti-replay window"),
    C("initial_contact", KW_BOOL, initial_contact, "no", "send INITIAL_CONTACT"),
    C("sha2_truncbug", KW_BOOL, sha256_96, "no", "HMAC-SHA2-256 cut to 96 bits, for peers that do so"),
    C("disablearrivalcheck", KW_BOOL, disable_arrival_check, "no", "do not check that packets came through the right SA"),
    CW("fragmentation", fragmentation, frag_words, "yes", "IKE fragmentation"),
    CC("mark", kw_set_mark, "number or number/mask", NULL, "mark of policies and SAs, both directions"),
    CC("mark_in", kw_set_mark_in, "number or number/mask", NULL, "the same inbound"),
    CC("mark_out", kw_set_mark_out, "number or number/mask", NULL, "the same outbound"),
    CC("reqid", kw_set_reqid, "a number from 1 to 4294967294", NULL, "fixed reqid of the policies"),
    CC("failureshunt", kw_set_failureshunt, "none, passthrough, drop or reject", "none",
       "what happens to packets when negotiation failed"),
    C("connalias", KW_STRING, connalias, NULL, "a name several conns share for up and down"),
    CW("connaddrfamily", host_family, family_words, NULL, "address family names are resolved to"),
    CW("tunneladdrfamily", tunnel_v6, tunnel_family_words, NULL, "address family inside the tunnel"),
    CC("modecfgdns", kw_set_dns, "addresses", NULL, "name servers for clients"),
    CC("modecfgwins", kw_set_nbns, "addresses", NULL, "WINS servers for clients"),
    C("modecfgdomains", KW_STRING, domain, NULL, "domain names for clients"),
    C("modecfgbanner", KW_STRING, banner, NULL, "message for clients"),
    CC("ikev2", kw_set_ikev2, "never, no, permit, propose, yes, insist or always", NULL, "Openswan's keyexchange"),
    CC("phase2", kw_set_phase2, "esp, ah or ah+esp", "esp", "Openswan's auth"),
    CC("phase2alg", kw_set_phase2alg, "algorithms", NULL, "Openswan's esp and pfsgroup"),
    CC("ah", kw_set_ah, "algorithms", NULL, "AH with these instead of ESP"),
    CC("modecfgpull", kw_set_modecfgpull, "yes or no", "no", "Openswan's modeconfig"),
    CC("encapsulation", kw_set_encapsulation, "yes, no or auto", "auto", "libreswan's forceencaps"),
    ALIAS("sha256_96", KW_CONN, "sha2_truncbug"), ALIAS("lifetime", KW_CONN, "keylife"), ALIAS("salifetime", KW_CONN, "keylife"), ALIAS("ipsec_lifetime", KW_CONN, "keylife"),
    ALIAS("margintime", KW_CONN, "rekeymargin"), ALIAS("aggrmode", KW_CONN, "aggressive"), ALIAS("ike_frag", KW_CONN, "fragmentation"),
    ALIAS("ike_lifetime", KW_CONN, "ikelifetime"), ALIAS("modecfgdomain", KW_CONN, "modecfgdomains"),
    ALIAS("hostaddrfamily", KW_CONN, "connaddrfamily"), ALIAS("endaddrfamily", KW_CONN, "connaddrfamily"),
    ALIAS("clientaddrfamily", KW_CONN, "tunneladdrfamily"), ALIAS("ikev1_dpdtimeout", KW_CONN, "dpdtimeout"),
    CC("modecfgdns1", kw_set_dns, "an address", NULL, "the first name server"), CC("modecfgdns2", kw_set_dns, "an address", NULL, "the second"),
    CC("modecfgwins1", kw_set_nbns, "an address", NULL, "the first WINS server"), CC("modecfgwins2", kw_set_nbns, "an address", NULL, "the second"),
#define CONN_WARN(n) CX(n, KW_WARN, NULL)
    CONN_WARN("tfc"), CONN_WARN("ikedscp"), CONN_WARN("hw_offload"), CONN_WARN("xauthby"), CONN_WARN("xauthfail"), CONN_WARN("vti_interface"), CONN_WARN("vti_routing"),
    CONN_WARN("vti_shared"), CONN_WARN("ipsec_interface"), CONN_WARN("priority"), CONN_WARN("nic_offload"),
    CONN_WARN("decap_dscp"), CONN_WARN("encap_dscp"), CONN_WARN("nopmtudisc"), CONN_WARN("mtu"), CONN_WARN("metric"),
    CONN_WARN("nflog"), CONN_WARN("narrowing"), CONN_WARN("overlapip"), CONN_WARN("sareftrack"), CONN_WARN("loopback"),
    CONN_WARN("labeled_ipsec"), CONN_WARN("policy_label"), CONN_WARN("sec_label"), CONN_WARN("nm_configured"),
    CONN_WARN("remote_peer_type"), CONN_WARN("cisco_unity"), CONN_WARN("send_vendorid"), CONN_WARN("fake_strongswan"),
    CONN_WARN("nat_keepalive"), CONN_WARN("ms_dh_downgrade"), CONN_WARN("pam_authorize"), CONN_WARN("ppk"),
    CONN_WARN("intermediate"), CONN_WARN("send_redirect"), CONN_WARN("accept_redirect"), CONN_WARN("accept_redirect_to"),
    CONN_WARN("redirect_to"), CONN_WARN("negotiationshunt"), CONN_WARN("retransmit_timeout"), CONN_WARN("retransmit_interval"),
    CONN_WARN("require_id_on_certificate"), CONN_WARN("ikepad"), CONN_WARN("session_resumption"), CONN_WARN("authenticate"),
    CONN_WARN("dns_match_id"), CONN_WARN("enable_tcp"), CONN_WARN("tcp_remoteport"), CONN_WARN("iptfs"), CONN_WARN("nat_ikev1_method"),
    CONN_WARN("ipsec_max_bytes"), CONN_WARN("ipsec_max_packets"), CONN_WARN("debug"), CONN_WARN("esn_policy"), CONN_WARN("share_lease"),
#define MANUAL(n) CX(n, KW_REFUSE, NO_MANUAL)
    MANUAL("spi"), MANUAL("spibase"), MANUAL("espenckey"), MANUAL("espauthkey"), MANUAL("espreplay_window"), MANUAL("ahkey"),
    MANUAL("ahreplay_window"),

    /* ---- left and right ---- */
    EC("", kw_end_host, "an address, a host name, %any, %any6, %defaultroute, %group, or % before an address or name", "%any",
       "the end's address"),
    EC("subnet", kw_end_subnet, "comma-separated subnets, vhost:… or vnet:…", NULL, "networks behind it; without one, the host itself"),
    EC("subnetwithin", kw_end_subnetwithin, "a subnet", NULL, "a network of which the peer may ask for any part"),
    EC("protoport", kw_end_protoport, "protocol or protocol/port", NULL, "restriction to a protocol and a port"),
    EC("sourceip", kw_end_sourceip, "an address, a pool (addr/bits or first-last), %config, %modeconfig or %poolname", NULL,
       "virtual address to use, to ask for, or to hand out"),
    EC("natip", kw_end_natip, "an address or %defaultroute", NULL, "source address behind a NAT in front of ESP"),
    EC("nexthop", kw_end_nexthop, "an address, %defaultroute or %direct", NULL, "next hop; not needed any more"),
    E("firewall", KW_BOOL, firewall, "no", "updown rules by iptables"),
    E("hostaccess", KW_BOOL, hostaccess, "no", "these for the gateway itself, too"),
    E("allowany", KW_BOOL, allow_any, "no", "accept the peer from any address"),
    E("updown", KW_STRING, updown, NULL, "command run when SAs come and go"),
    EC("id", kw_end_id, "an identity", NULL, "identity of the end; without one the certificate's subject or the address"),
    E("id2", KW_STRING, id2_text, NULL, "identity of the second authentication round"),
    EC("rsasigkey", kw_end_rsasigkey, "0s… or 0x… (RFC 2537), %cert or %none", "%cert", "raw RSA public key"),
    E("cert", KW_STRING, cert, NULL, "certificate: a file in ipsec.d/certs, or %smartcard…"),
    E("cert2", KW_STRING, cert2, NULL, "certificate of the second round"),
    EW("sendcert", sendcert, sendcert_words, "ifasked", "when it is sent"),
    E("ca", KW_STRING, ca, NULL, "CA the peer's certificate must come from; %same, %any"),
    E("ca2", KW_STRING, ca2, NULL, "the same for the second round"),
    E("groups", KW_STRING, groups, NULL, "attribute groups, one of which the peer must have"),
    E("certpolicy", KW_STRING, cert_policy, NULL, "OIDs of certificate policies the peer's chain must have"),
    EC("auth", kw_end_auth, "pubkey, rsa, ecdsa, psk, eap, eap-METHOD, xauth", NULL, "how this end authenticates itself (IKEv2)"),
    EC("auth2", kw_end_auth2, "as auth", NULL, "the same in a second round"),
    E("ikeport", KW_U16, ikeport, "500", "UDP port of IKE"),
    E("xauthserver", KW_BOOL, xauth_server, "no", "this end asks for the XAUTH password"),
    E("xauthclient", KW_BOOL, xauth_client, "no", "this end answers it"),
    E("xauthusername", KW_STRING, xauth_username, NULL, "user name of the XAUTH client"),
    EC("modecfgclient", kw_end_modecfgclient, "yes or no", "no", "this end asks for a virtual address"),
    EC("dns", kw_end_dns, "addresses, or %config to ask for them", NULL, "name servers for the other end's clients"),
    EC("addresspool", kw_end_addresspool, "first-last", NULL, "libreswan's sourceip of the other end"),
    ALIAS("subnets", KW_END, "subnet"), ALIAS("xauthname", KW_END, "xauthusername"), ALIAS("username", KW_END, "xauthusername"),
#define END_WARN(n) EX(n, KW_WARN, NULL)
    END_WARN("modecfgserver"), END_WARN("groups2"), END_WARN("rsasigkey2"), END_WARN("certtype"), END_WARN("ckaid"), END_WARN("cat"), END_WARN("pubkey"),
    END_WARN("ecdsakey"), END_WARN("autheap"), END_WARN("vti"), END_WARN("interface_ip"), END_WARN("authby"), END_WARN("sigkey"),
    EX("espspi", KW_REFUSE, NO_MANUAL), EX("ahspi", KW_REFUSE, NO_MANUAL), EX("espenckey", KW_REFUSE, NO_MANUAL),
    EX("espauthkey", KW_REFUSE, NO_MANUAL), EX("ahkey", KW_REFUSE, NO_MANUAL),

    /* ---- ca ---- */
    {"auto", KW_CA, KW_CUSTOM, 0, 0, NULL, kw_set_ca_auto, NULL, "ignore or add", "ignore", "whether the section is loaded"},
    {"also", KW_CA, KW_IGNORE, 0, 0, NULL, NULL, NULL, NULL, NULL, "a ca section whose keywords are taken over"},
    A("cacert", cacert, NULL, "the CA's certificate: a file in ipsec.d/cacerts"),
    A("crluri", crluri, NULL, "where its CRL is"),
    A("crluri2", crluri2, NULL, "a second place"),
    A("ocspuri", ocspuri, NULL, "its OCSP responder"),
    A("ocspuri2", ocspuri2, NULL, "a second one"),
    A("ldaphost", ldaphost, NULL, "host for ldap: addresses without one"),
    A("ldapbase", ldapbase, NULL, "base of searches there"),
    A("certuribase", certuribase, NULL, "where certificates are found by their hash"),
    ALIAS("crluri1", KW_CA, "crluri"), ALIAS("ocspuri1", KW_CA, "ocspuri"),
};
// clang-format on
const size_t keywords_n = sizeof(keywords) / sizeof(keywords[0]);
