"""OpenIKED and libreswan as peers. Both need a kernel with ESP of its own, so these cases run in a guest with one:
tests/interop/run --kernel uml. Their Debian packages are only unpacked (tests/setup does it, into build/peers), never installed:
libreswan and strongSwan have programs of the same names."""
import os
import re
import shutil
import time

from peers import Host, Pair, sh

PSK = "an interoperable secret of some length"
NAMES = {"iked": "openiked", "swan": "libreswan"}


class Iked(Host):
    """OpenIKED 7.2: IKEv2 only."""

    def prepare(self):
        for line in ("passwd:_iked:x:4601:4601::/var/empty:/usr/sbin/nologin", "group:_iked:x:4601:"):
            name, _, text = line.partition(":")
            with open(os.path.join(self.root, "etc", name), "a") as f:
                f.write(text + "\n")
        for d in ("var/empty", "var/lib/openiked/empty", "etc/iked/ca", "etc/iked/certs", "etc/iked/crls", "etc/iked/private",
                  "etc/iked/pubkeys/fqdn", "etc/iked/pubkeys/ipv4"):
            os.makedirs(os.path.join(self.root, d), exist_ok=True)
        sh("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.root + "/etc/iked/private/local.key")
        os.chmod(self.root + "/etc/iked/private/local.key", 0o600)

    def configure(self, case, other, pki):
        auth = f'psk "{PSK}"'
        me, them = f"{self.name}.test", f"{other.name}.test"
        if case.auth == "rsa":
            auth, me, them = "rsa", "sun.test", "moon.test"
            for src, dst in (("cacerts/rootCert.pem", "ca/ca.crt"), ("certs/sunCert.pem", "certs/sun.crt"),
                             ("private/sunKey.pem", "private/local.key")):
                shutil.copy(os.path.join(pki, "ipsec.d", src), self.root + "/etc/iked/" + dst)
        mode = "active" if case.starter == "peer" else "passive"
        self.write("etc/iked.conf", f"""ikev2 "net" {mode} esp from {self.net}.0/24 to {other.net}.0/24 \\
    local {self.addr} peer {other.addr} \\
    ikesa auth hmac-sha2-256 enc aes-128 prf hmac-sha2-256 group modp2048 \\
    childsa auth hmac-sha1 enc aes-128 \\
    srcid {me} dstid {them} \\
    {auth}
""", 0o600)

    def begin(self, case):  # an active policy begins by itself
        # it drops SAs made before it has read all of its configuration
        return ("iked -dvv > /var/log/charon.log 2>&1 & for i in $(seq 100); do "
                "grep -q 'config_getstatic: no stickyaddress' /var/log/charon.log && exit 0; sleep 0.2; done; exit 1"), None

    status, up, delete = "ikectl show sa", r"(?s)iked_activesas:.*ESTABLISHED", "ikectl reset sa"


class Libreswan(Host):
    """libreswan 4.10: both versions."""

    def prepare(self):
        os.makedirs(self.root + "/var/lib/ipsec/nss", exist_ok=True)
        os.makedirs(self.root + "/run/pluto", exist_ok=True)
        os.makedirs(self.root + "/var/run/pluto", exist_ok=True)

    def configure(self, case, other, _):
        me, them = (f"@{self.name}.test", f"@{other.name}.test") if case.version == "ikev2" else (self.addr, other.addr)
        ike = "aes128-sha2_256;modp2048" if case.version == "ikev2" else "aes128-sha1;modp2048"
        esp = "aes128-sha2_256" if case.version == "ikev2" else "aes128-sha1"
        self.write("etc/ipsec.conf", f"""config setup
    logfile=/var/log/charon.log
    plutodebug=none
    dnssec-enable=no
    ikev1-policy=accept
conn net
    keyexchange=ike
    ikev2={"insist" if case.version == "ikev2" else "no"}
    ike={ike}
    esp={esp}
    pfs=no
    authby=secret
    left={self.addr}
    leftid={me}
    leftsubnet={self.net}.0/24
    right={other.addr}
    rightid={them}
    rightsubnet={other.net}.0/24
    auto=add
""")
        self.write("etc/ipsec.secrets", f'{me} {them} : PSK "{PSK}"\n', 0o600)

    def begin(self, case):
        start = ("ipsec initnss && /usr/libexec/ipsec/pluto --config /etc/ipsec.conf && "
                 "sleep 1; ipsec whack --listen; ipsec auto --add net")
        return start, "timeout 25 ipsec auto --up net" if case.starter == "peer" else None

    status, delete = "ipsec whack --trafficstatus", "ipsec auto --down net"
    up = r'"net"'


class Case:
    """program: 'iked' or 'swan'; the rest is what write_config() wants to know."""

    def __init__(self, program, version, auth, starter, deleter):
        self.program, self.version, self.auth, self.starter, self.deleter = program, version, auth, starter, deleter
        self.suite = ("aes128-sha256-modp2048!", "aes128-sha256!") if version == "ikev2" else ("aes128-sha1-modp2048!", "aes128-sha1!")
        if program == "iked":  # its PF_KEY on Linux has no HMAC-SHA-256
            self.suite = (self.suite[0], "aes128-sha1!")
        self.both, self.ours, self.peer, self.more_conns, self.lifetimes = ({} for _ in range(5))
        self.v6 = self.vip = self.xauth = self.keys = False
        self.fails = self.certs = None
        self.fragment = 0
        self.name = f"{NAMES[program]}-{version}-{auth}-by-{starter}-delete-{deleter}"


def all_cases():
    for starter in ("ours", "peer"):
        other = "peer" if starter == "ours" else "ours"
        for auth in ("psk", "rsa"):
            yield Case("iked", "ikev2", auth, starter, other)
        for version in ("ikev2", "ikev1"):
            yield Case("swan", version, "psk", starter, other)
            yield Case("swan", version, "psk", starter, starter)


class ForeignPair(Pair):
    """Ours on the left, the other's program on the right."""

    def __init__(self, tag, base, case, tree, packages):
        super().__init__(tag, base, ("ours", "peer"), tree)
        kind = {"iked": Iked, "swan": Libreswan}[case.program]
        self.right = kind(tag, base, "r", case.program, tree, "192.0.2.2", "10.92.0")
        self.right.package = os.path.join(packages, NAMES[case.program])
        self.hosts = (self.left, self.right)
        for h, role in zip(self.hosts, ("ours", "peer")):
            h.role, h.trace = role, []

    def open(self):
        super().open()
        peer = self.right
        sh("sh", "-c", f"tar -C {peer.package} -c . | tar -C {peer.root} -x --keep-directory-symlink")
        peer.prepare()
        # its way into the tunnel is its policy, not a route; what comes back in the clear is dropped by the policy of ours
        for net in (self.left.net, self.left.net2):
            sh("ip", "-n", peer.ns, "route", "del", "blackhole", net + ".0/24")


def attempt(pair, case, opts, run):
    """Why it failed, or None. run: the module with the checks the strongSwan cases have, too."""
    ours, peer = pair.hosts
    pair.open()
    run.write_config(pair, case, opts.pki)
    peer.configure(case, ours, opts.pki)
    run.expect(ours, "ipsec start", 30)
    run.wait_started(ours)
    run.no_pings(pair, "before there is a tunnel")
    start, up = peer.begin(case)
    run.expect(peer, start, 40)
    if case.starter == "ours":
        time.sleep(1)
        run.expect(ours, "ipsec up net", 40)
    elif up:
        run.expect(peer, up, 40)
    run.wait_for(ours, "ipsec status", run.up_pattern(ours, case), 20)
    run.wait_for(peer, peer.status, peer.up, 10)
    run.pings(pair, case)
    out = run.expect(peer, "ip -s xfrm state")
    if len(re.findall(r"[1-9]\d*\(packets\)", out)) < 2:
        raise run.Failed("the peer's kernel has not used both SAs")
    up = run.expect(ours, "ipsec status")
    first = re.search(r"net\{(\d+)\}: +INSTALLED|#(\d+): .*IPsec SA established", up)
    first = first.group(1) or first.group(2)
    if case.deleter == "ours":
        run.expect(ours, "ipsec down net")
    else:
        run.expect(peer, peer.delete)
    # both programs begin again what they have begun once: then it is a new one
    again = case.starter == "peer" and case.deleter == "ours"
    sa = r"INSTALLED|IPsec SA established"
    if again:
        sa = rf"net{{{first}}}: +INSTALLED" if case.version == "ikev2" else rf"#{first}: .*IPsec SA established"
    run.wait_for(ours, "ipsec status", sa, 10, present=False)
    if case.deleter == "ours" and not again:
        run.wait_for(peer, peer.status, peer.up, 10, present=False)
        run.no_pings(pair, "after the tunnel was deleted")
    run.expect(ours, "ipsec stop", 30)


def run_case(case, number, opts, run):
    t0 = time.time()
    pair = ForeignPair(f"{os.environ['INTEROP_TAG']}{number}", os.path.join(opts.tmp, f"f{number}"), case, opts.tree, opts.packages)
    why = None
    try:
        try:
            attempt(pair, case, opts, run)
        except (run.Failed, RuntimeError) as e:
            why = str(e)
        except Exception as e:  # a bug of the harness is a failure too
            why = f"{type(e).__name__}: {e}"
        if why or opts.keep:
            for h in pair.hosts:
                if h.init:
                    for command in ("ip -s xfrm state", "ip xfrm policy", getattr(h, "status", "ipsec statusall")):
                        h.trace.append(f"$ {command}\n{h.run(command, 10)[1]}")
            run.keep(pair, case, opts, why or "passed")
        return why, time.time() - t0
    finally:
        pair.close()
