"""Our own scenarios beyond the matrix, as data: a row per scenario says who takes part, what the ipsec.conf files hold, what
is done and what must be seen. make-suite writes them out as folders of the published layout."""

PSK = "0sv+NkxY9LLZvwj4qCC2o/gGrWDF2d21jL"
ADDR = {"moon": "PH_IP_MOON", "sun": "PH_IP_SUN", "carol": "PH_IP_CAROL", "dave": "PH_IP_DAVE", "alice": "PH_IP_ALICE",
        "venus": "PH_IP_VENUS", "bob": "PH_IP_BOB"}
NET = {"moon": "10.1.0.0/16", "sun": "10.2.0.0/16"}
FORWARD = "echo 1 > /proc/sys/net/ipv4/ip_forward"


def ident(host):
    return f"{host}@strongswan.org" if host in ("carol", "dave") else f"@{host}.strongswan.org"


def secrets(host, auth):
    return f": RSA {host}Key.pem\n" if auth == "cert" else f'{ident(host)} : PSK {PSK}\n'


class Conf:
    """An ipsec.conf under construction."""

    def __init__(self, proto, auth, **common):
        base = {"keyexchange": proto, "authby": "secret" if auth == "psk" else "rsasig", "keyingtries": "1",
                "ikelifetime": "60m", "keylife": "20m", "rekeymargin": "3m"}
        base.update(common)
        self.auth = auth
        self.setup = {}
        self.text = "conn %default\n" + self.lines(base)

    @staticmethod
    def lines(values):
        return "".join(f"\t{k.rstrip('_')}={v}\n" for k, v in values.items() if v is not None)

    def conn(self, name, left, right, auto="add", **more):
        """left is us. An end is (host name or address, subnet or None)."""
        values = {}
        for side, (who, net) in (("left", left), ("right", right)):
            known = who in ADDR
            values[side] = ADDR.get(who, who)
            if known:
                values[side + "id"] = ident(who)
            if known and self.auth == "cert" and side == "left":
                values[side + "cert"] = f"{who}Cert.pem"
            if net:
                values[side + "subnet"] = net
        values["auto"] = auto
        values.update(more)
        self.text += f"\nconn {name}\n" + self.lines(values)
        return self

    def __str__(self):
        return "config setup\n" + self.lines(self.setup) + "\n" + self.text


def up_check(proto, host, conn, initiator, mode="TUNNEL"):
    if proto == "ikev1":
        state = "STATE_QUICK_I2" if initiator else "STATE_QUICK_R2"
        return f"{host}::ipsec status::{conn}.*{state}.*IPsec SA established::YES"
    return f"{host}::ipsec status::{conn}.*INSTALLED, {mode}::YES"


def ping(host, to, wanted="YES", count=1):
    return f"{host}::ping -n -c {count} -W 2 {to}::{count} received::{wanted}"


def gateways(proto, authentication, common=None, moon=None, sun=None, **conn):
    """The ipsec.conf of moon and sun for one net-net tunnel."""
    common = common or {}
    return {"moon": Conf(proto, authentication, **common).conn("net-net", ("moon", NET["moon"]), ("sun", NET["sun"]), **{**conn, **(moon or {})}),
            "sun": Conf(proto, authentication, **common).conn("net-net", ("sun", NET["sun"]), ("moon", NET["moon"]), **{**conn, **(sun or {})})}


def scenario(name, what, confs, pre, evals, auth="psk", hosts="alice moon sun bob", capture="sun", secret=None, extra=None):
    ipsec = list(confs)
    start = [f"moon::{FORWARD}", f"sun::{FORWARD}"] if "alice" in hosts or "bob" in hosts else []
    start = [x for x in start if x.split("::")[0] in hosts.split()]
    # the responders first
    start += [f"{h}::ipsec start" for h in reversed(ipsec)] + [f"{ipsec[0]}::sleep 1"]
    return {"name": name, "what": what, "ipsec": ipsec, "confs": {h: str(c) for h, c in confs.items()}, "hosts": hosts,
            "capture": capture, "pre": start + pre, "eval": evals, "post": [f"{h}::ipsec stop" for h in ipsec],
            "secrets": {h: (secret or {}).get(h, secrets(h, auth)) for h in ipsec}, "extra": extra or {}}


UP = ["moon::ipsec up net-net"]


def both_up(proto, mode="TUNNEL"):
    return [up_check(proto, "moon", "net-net", True, mode), up_check(proto, "sun", "net-net", False, mode)]


THROUGH = [ping("alice", "10.2.0.10"), ping("bob", "10.1.0.10")]


def road_warriors(proto, auth):
    confs = {"moon": Conf(proto, auth).conn("rw", ("moon", NET["moon"]), ("%any", None))}
    for h in ("carol", "dave"):
        confs[h] = Conf(proto, auth).conn("home", (h, None), ("moon", NET["moon"]))
    secret = {"moon": f"{ident('moon')} %any : PSK {PSK}\n: PSK {PSK}\n", "carol": f": PSK {PSK}\n", "dave": f": PSK {PSK}\n"} \
        if auth == "psk" else None
    evals = [up_check(proto, h, "home", True) for h in ("carol", "dave")]
    evals += [ping("carol", "10.1.0.10"), ping("dave", "10.1.0.10"), ping("alice", "192.168.0.100"),
              "carol::ipsec down home; sleep 1::no output expected here::NO", up_check(proto, "dave", "home", True),
              ping("dave", "10.1.0.10")]
    return scenario(f"{proto}/rw-{auth}", f"{proto}: two road warriors with {auth} reach the network behind moon at once; one leaves",
                    confs, ["carol::ipsec up home", "dave::ipsec up home"], evals, auth, "alice moon carol dave", "moon", secret)


def rekey_child(proto):
    confs = gateways(proto, "psk", {"keylife": "12s", "rekeymargin": "4s", "rekeyfuzz": "0%", "ikelifetime": "60m"})
    shape = "IPsec SA established" if proto == "ikev1" else "net-net{.*INSTALLED"
    return scenario(f"{proto}/rekey-child", f"{proto}: the IPsec SAs are renewed before they expire, traffic goes on",
                    confs, UP, both_up(proto) + [
                        "moon::ipsec statusall | grep -o 'esp\\.[0-9a-f]*\\|ESP SPIs: [0-9a-f]*' | sort > /tmp/before; cat /tmp/before::[0-9a-f]::YES",
                        ping("alice", "10.2.0.10"), "alice::ping -n -c 30 -i 0.5 10.2.0.10::30 received::YES",
                        "moon::ipsec statusall | grep -o 'esp\\.[0-9a-f]*\\|ESP SPIs: [0-9a-f]*' | sort > /tmp/after; comm -12 /tmp/before /tmp/after::[0-9a-f]::NO",
                        f"moon::ipsec status::{shape}::YES"] + THROUGH)


def rekey_ike(proto):
    common = {"ikelifetime": "12s", "rekeymargin": "4s", "rekeyfuzz": "0%", "keylife": "20m"}
    if proto == "ikev2":
        common["reauth"] = "no"
    confs = gateways(proto, "psk", common)
    return scenario(f"{proto}/rekey-ike", f"{proto}: the IKE SA is renewed, its IPsec SAs live on",
                    confs, UP, both_up(proto) + ["alice::ping -n -c 30 -i 0.5 10.2.0.10::30 received::YES"] + both_up(proto)[:1 if proto == "ikev1" else 2]
                    + ["moon::cat /var/log/" + ("auth.log::initiating Main Mode to replace::YES" if proto == "ikev1" else "daemon.log::IKE_SA .*net-net.* rekeyed\\|rekeyed::YES")])


def trap(proto):
    confs = gateways(proto, "psk", moon={"auto": "route"})
    return scenario(f"{proto}/trap", f"{proto}: auto=route: the first packet brings the tunnel up",
                    confs, ["moon::ipsec status", "alice::ping -n -c 4 -i 0.5 10.2.0.10"], both_up(proto) + THROUGH)


def dpd(proto, action):
    confs = gateways(proto, "psk", {"dpdaction": action, "dpddelay": "2s", "dpdtimeout": "8s", "keyingtries": "%forever"})
    lost = ["sun::iptables -A INPUT -p udp -j DROP; iptables -A INPUT -p 50 -j DROP; iptables -A OUTPUT -p udp -j DROP::output::NO"]
    wait = {"ikev1": "moon::sleep 16::no output expected here::NO", "ikev2": "moon::sleep 22::no output expected here::NO"}[proto]
    gone = ["moon::ipsec status::INSTALLED\\|IPsec SA established::NO"]
    back = ["sun::iptables -F::output::NO"]
    extra = {"moon": {"/etc/strongswan.conf": "charon {\n  retransmit_tries = 3\n  retransmit_timeout = 1.0\n}\n"}}
    if action == "clear":
        after = gone
    elif action == "hold":
        after = gone + back + ["alice::ping -n -c 6 -i 0.5 -W 1 10.2.0.10::received::YES"] + THROUGH[:1]
    else:
        after = back + ["moon::sleep 12::no output expected here::NO"] + THROUGH
    return scenario(f"{proto}/dpd-{action}", f"{proto}: the peer falls silent; dpdaction={action}", confs, UP,
                    both_up(proto) + THROUGH[:1] + lost + [wait] + after, extra=extra)


def mismatch(proto):
    confs = {"moon": Conf(proto, "psk").conn("net-net", ("moon", NET["moon"]), ("sun", NET["sun"]), ike="aes256-sha256-modp2048!",
                                             esp="aes256-sha256!"),
             "sun": Conf(proto, "psk").conn("net-net", ("sun", NET["sun"]), ("moon", NET["moon"]), ike="3des-sha1-modp1536!",
                                            esp="aes256-sha256!")}
    log = "auth.log" if proto == "ikev1" else "daemon.log"
    return scenario(f"{proto}/strict-mismatch", f"{proto}: no algorithm in common: both sides say why, nothing is left", confs, [],
                    ["moon::timeout 8 ipsec up net-net::NO_PROPOSAL_CHOSEN::YES", f"sun::cat /var/log/{log}::explain.*3[dD][eE][sS].*A[eE][sS]\\|explain.*A[eE][sS].*3[dD][eE][sS]::YES",
                     "moon::ipsec status::INSTALLED\\|established::NO", "sun::ipsec status::INSTALLED\\|established::NO"])


def wrong_psk(proto):
    confs = gateways(proto, "psk")
    wanted = "moon::ipsec up net-net::AUTHENTICATION_FAILED\\|AUTH_FAILED::YES" if proto == "ikev2" else \
        "moon::timeout 12 ipsec up net-net::IPsec SA established::NO"
    return scenario(f"{proto}/wrong-psk", f"{proto}: the secrets differ: refused on both sides, with the reason", confs, [],
                    [wanted, "moon::ipsec status::INSTALLED\\|IPsec SA established::NO", "sun::ipsec status::INSTALLED\\|IPsec SA established::NO"],
                    secret={"sun": f'{ident("sun")} : PSK "another secret that is not the same"\n'})


def protoport(proto):
    confs = gateways(proto, "psk", leftprotoport="icmp", rightprotoport="icmp")
    return scenario(f"{proto}/protoport", f"{proto}: the tunnel carries only ICMP", confs, UP,
                    both_up(proto) + THROUGH + ["moon::ipsec status::icmp\\|:1/::YES"])


def firewall(proto):
    confs = gateways(proto, "psk", leftfirewall="yes")
    rules = [f"{h}::iptables -nvL FORWARD::policy match.*ipsec\\|ACCEPT.*10\\.::YES" for h in ("moon", "sun")]
    s = scenario(f"{proto}/firewall", f"{proto}: hosts drop everything; leftfirewall=yes opens what the tunnel carries, and closes it again",
                 confs, UP, both_up(proto) + THROUGH + rules + ["moon::ipsec down net-net; sleep 1; iptables -nL FORWARD::ACCEPT::NO"])
    s["pre"] = ["moon::/etc/init.d/iptables start", "sun::/etc/init.d/iptables start"] + s["pre"]
    s["post"] += ["moon::/etc/init.d/iptables stop", "sun::/etc/init.d/iptables stop"]
    s["uml_only"] = True
    return s


def mixed():
    confs = {}
    for me, peer in (("moon", "sun"), ("sun", "moon")):
        c = Conf("ikev1", "psk").conn("old", (me, NET[me]), (peer, NET[peer]))
        c.conn("new", (me, f"{'10.3.1.0/24' if me == 'moon' else '10.3.2.0/24'}"), (peer, f"{'10.3.2.0/24' if me == 'moon' else '10.3.1.0/24'}"),
               keyexchange="ikev2", authby="rsasig", leftcert=f"{me}Cert.pem")
        confs[me] = c
    extra = [("moon", "10.3.1.1"), ("sun", "10.3.2.1")]
    return scenario("mixed/both-protocols", "One gateway pair runs an IKEv1 tunnel with a pre-shared key and an IKEv2 tunnel with certificates side by side",
                    confs, [f"{h}::ip addr add {a}/32 dev lo" for h, a in extra] + ["moon::ipsec up old", "moon::ipsec up new"],
                    [up_check("ikev1", "moon", "old", True), up_check("ikev2", "moon", "new", True), up_check("ikev1", "sun", "old", False),
                     up_check("ikev2", "sun", "new", False)] + THROUGH + ["moon::ping -n -c 1 -W 2 -I 10.3.1.1 10.3.2.1::1 received::YES",
                     "moon::ipsec down old; sleep 1::no output expected here::NO", up_check("ikev2", "moon", "new", True)],
                    secret={h: secrets(h, "psk") + secrets(h, "cert") for h in ("moon", "sun")})


def restart(proto):
    confs = gateways(proto, "psk", moon={"auto": "start"})
    daemon = "pluto" if proto == "ikev1" else "charon"
    return scenario(f"{proto}/daemon-killed", f"{proto}: {daemon} of moon is killed; starter brings it and its tunnel back", confs, ["moon::sleep 2"],
                    both_up(proto) + THROUGH + [f"moon::pkill -KILL -x {daemon}; sleep 9::no output expected here::NO"]
                    + both_up(proto)[:1] + THROUGH)


def update(proto):
    confs = gateways(proto, "psk")
    return scenario(f"{proto}/update", f"{proto}: ipsec update adds a conn and leaves the other tunnel alone", confs, UP,
                    both_up(proto) + ["moon::ipsec status | grep -o '#[0-9]*: \"net-net\".*QUICK\\|net-net{[0-9]*}' > /tmp/before; cat /tmp/before::net-net::YES",
                                      "moon::printf '\\nconn other\\n\\tleft=192.168.0.1\\n\\tright=192.168.0.99\\n\\tauto=add\\n' >> /etc/ipsec.conf::x::NO",
                                      "moon::ipsec update; sleep 2::no output expected here::NO",
                                      "moon::ipsec status | grep -o '#[0-9]*: \"net-net\".*QUICK\\|net-net{[0-9]*}' | cmp - /tmp/before && echo same::same::YES",
                                      "moon::ipsec statusall::other::YES"] + THROUGH)


def compress(proto):
    confs = gateways(proto, "psk", compress="yes")
    s = scenario(f"{proto}/compress", f"{proto}: IPComp in front of ESP", confs, UP,
                 both_up(proto) + ["alice::ping -n -c 2 -s 1000 -p 00 10.2.0.10::2 received::YES"])
    s["uml_only"] = True
    return s


def ah():
    confs = {}
    for h, p in (("moon", "sun"), ("sun", "moon")):
        confs[h] = Conf("ikev1", "psk", type="transport").conn("net-net", (h, None), (p, None), auth="ah", esp="aes128-sha1")
    s = scenario("ikev1/ah-transport", "ikev1: ESP with authentication by AH, transport mode", confs, UP,
                 ["moon::ipsec status::STATE_QUICK_I2::YES", ping("moon", "PH_IP_SUN"), "sun::tcpdump::AH(spi=::YES"], hosts="moon sun")
    s["uml_only"] = True
    return s


def ah_alone():
    confs = {}
    for h, p in (("moon", "sun"), ("sun", "moon")):
        confs[h] = Conf("ikev1", "psk", type="transport").conn("net-net", (h, None), (p, None), ah="sha1")
    s = scenario("ikev1/ah-alone", "ikev1: AH without ESP, transport mode", confs, UP,
                 ["moon::ipsec status::STATE_QUICK_I2::YES", ping("moon", "PH_IP_SUN"), "sun::tcpdump::AH(spi=::YES", "sun::tcpdump::ESP(spi=::NO"],
                 hosts="moon sun")
    s["uml_only"] = True
    return s


def force_encaps():
    confs = gateways("ikev2", "psk", forceencaps="yes")
    return scenario("ikev2/force-encaps", "ikev2: ESP in UDP without any NAT", confs, UP, both_up("ikev2") + THROUGH + ["sun::tcpdump::UDP-encap: ESP::YES"])


def narrow():
    confs = {"moon": Conf("ikev2", "psk").conn("net-net", ("moon", NET["moon"]), ("sun", "10.0.0.0/8")),
             "sun": Conf("ikev2", "psk").conn("net-net", ("sun", NET["sun"]), ("moon", "10.0.0.0/8"))}
    return scenario("ikev2/narrow", "ikev2: both ends propose more than the other allows; the selectors are narrowed", confs, UP,
                    both_up("ikev2") + ["moon::ipsec status::10.1.0.0/16 === 10.2.0.0/16::YES"] + THROUGH)


def subnets(proto):
    confs = {"moon": Conf(proto, "psk").conn("net-net", ("moon", "10.1.0.0/24,10.1.5.0/24"), ("sun", NET["sun"])),
             "sun": Conf(proto, "psk").conn("net-net", ("sun", NET["sun"]), ("moon", "10.1.0.0/24,10.1.5.0/24"))}
    return scenario(f"{proto}/several-subnets", f"{proto}: two subnets in one conn", confs,
                    ["alice::ip addr add 10.1.5.10/32 dev lo", "moon::ip route add 10.1.5.0/24 via 10.1.0.10"] + UP,
                    [ping("alice", "10.2.0.10"), "alice::ping -n -c 1 -W 2 -I 10.1.5.10 10.2.0.10::1 received::YES", ping("bob", "10.1.5.10")])


def algs(proto, label, ike, esp):
    confs = gateways(proto, "psk", ike=ike + "!", esp=esp + "!")
    return scenario(f"{proto}/alg-{label}", f"{proto}: ike={ike} esp={esp}", confs, UP, both_up(proto) + THROUGH)


ALGS = {
    "ikev2": (("aes256gcm-x25519", "aes256gcm16-prfsha384-curve25519", "aes256gcm16"), ("chacha-x448", "chacha20poly1305-prfsha512-curve448", "chacha20poly1305"),
              ("aes-sha2-ecp256", "aes128-sha256-ecp256", "aes128-sha256-ecp256"), ("3des-sha1", "3des-sha1-modp1536", "3des-sha1"),
              ("ctr-sha512", "aes256ctr-sha512-ecp521", "aes256ctr-sha512"), ("ccm-xcbc", "aes128ccm16-aesxcbc-modp3072", "aes128ccm16")),
    "ikev1": (("3des-md5-1024", "3des-md5-modp1024", "3des-md5"), ("aes256-sha512-4096", "aes256-sha2_512-modp4096", "aes256-sha2_512"),
              ("null", "aes128-sha-modp2048", "null-sha1"), ("aes256gcm", "aes256-sha2_256-ecp256", "aes256gcm16")),
}


def two_behind_nat(proto):
    confs = {"alice": Conf(proto, "psk").conn("net-net", ("alice", None), ("sun", NET["sun"])),
             "venus": Conf(proto, "psk").conn("net-net", ("venus", None), ("sun", NET["sun"])),
             "sun": Conf(proto, "psk").conn("net-net", ("sun", NET["sun"]), ("%any", None), rightsubnetwithin="10.1.0.0/16")}
    for c in confs.values():
        c.setup["nat_traversal"] = "yes"
    secret = {h: f": PSK {PSK}\n" for h in confs}
    s = scenario(f"{proto}/nat-two", f"{proto}: two hosts behind one NAT, both to sun", confs, ["alice::ipsec up net-net", "venus::ipsec up net-net"],
                 [up_check(proto, h, "net-net", True) for h in ("alice", "venus")] + [ping("alice", "10.2.0.10"), ping("venus", "10.2.0.10"),
                  ping("bob", "10.1.0.10"), ping("bob", "10.1.0.20"), "sun::tcpdump::UDP-encap: ESP::YES"], hosts="alice venus moon sun bob", secret=secret)
    s["pre"] = ["moon::iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE", f"moon::{FORWARD}"] + s["pre"]
    return s


def two_conns(label, **second):
    """Two conns of one pair of hosts; `second` is what the later one has of its own."""
    confs = {}
    for me, peer in (("moon", "sun"), ("sun", "moon")):
        c = Conf("ikev2", "psk").conn("net-net", (me, NET[me]), (peer, NET[peer]))
        mine, theirs = ("10.3.1.0/24", "10.3.2.0/24") if me == "moon" else ("10.3.2.0/24", "10.3.1.0/24")
        confs[me] = c.conn("other", (me, mine), (peer, theirs), **second)
    extra = [("moon", "10.3.1.1"), ("sun", "10.3.2.1")]
    return scenario(f"ikev2/two-conns-{label}", "ikev2: two conns of one pair of hosts are up at the same time", confs,
                    [f"{h}::ip addr add {a}/32 dev lo" for h, a in extra] + UP + ["moon::ipsec up other"],
                    both_up("ikev2") + [up_check("ikev2", h, "other", True) for h in ("moon", "sun")] + THROUGH
                    + ["moon::ping -n -c 1 -W 2 -I 10.3.1.1 10.3.2.1::1 received::YES"])


def all_scenarios():
    rows = [two_conns("alike"), two_conns("algorithms", ike="aes256-sha256-modp2048"), mixed(), ah(), ah_alone(), force_encaps(), narrow()]
    for proto in ("ikev1", "ikev2"):
        rows += [road_warriors(proto, "psk"), road_warriors(proto, "cert"), rekey_child(proto), rekey_ike(proto), trap(proto),
                 dpd(proto, "clear"), dpd(proto, "hold"), dpd(proto, "restart"), mismatch(proto), wrong_psk(proto), protoport(proto),
                 firewall(proto), restart(proto), update(proto), compress(proto), subnets(proto), two_behind_nat(proto)]
        rows += [algs(proto, *a) for a in ALGS[proto]]
    return rows
