"""The lab: the hosts of the published test bed as network namespaces, each with an overlay root, its own /etc, process
tree, syslog and init. Used by `run` on this machine's kernel and, unchanged, inside a User-Mode Linux guest.

A host = `ip netns` namespace + labinit in its own mount, pid, uts and ipc namespaces, chrooted into an overlay of the
machine's root with the installed tree copied in. Commands enter it with nsenter. Everything is named after the lab's tag
and goes when the lab is closed."""
import os
import shutil
import subprocess
import tempfile
import threading

SWITCHES = {0: ("192.168.0.254/24", "fec0::fe/16"), 1: ("10.1.0.254/16", "fec1::fe/16"), 2: ("10.2.0.254/16", "fec2::fe/16")}
# host -> list of (interface, switch, IPv4, IPv6, MAC, up), default gateway
HOSTS = {
    "moon": ([("eth0", 0, "192.168.0.1/24", "fec0::1/16", "fe:fd:c0:a8:00:01", True),
              ("eth1", 1, "10.1.0.1/16", "fec1::1/16", "fe:fd:0a:01:00:01", True)], "192.168.0.254"),
    "sun": ([("eth0", 0, "192.168.0.2/24", "fec0::2/16", "fe:fd:c0:a8:00:02", True),
             ("eth1", 2, "10.2.0.1/16", "fec2::1/16", "fe:fd:0a:02:00:01", True)], "192.168.0.254"),
    "alice": ([("eth0", 1, "10.1.0.10/16", "fec1::10/16", "fe:fd:0a:01:00:0a", True),
               ("eth1", 0, "192.168.0.50/24", "fec0::5/16", "fe:fd:c0:a8:00:32", False)], "10.1.0.1"),
    "venus": ([("eth0", 1, "10.1.0.20/16", "fec1::20/16", "fe:fd:0a:01:00:14", True)], "10.1.0.1"),
    "bob": ([("eth0", 2, "10.2.0.10/16", "fec2::10/16", "fe:fd:0a:02:00:0a", True)], "10.2.0.1"),
    "carol": ([("eth0", 0, "192.168.0.100/24", "fec0::10/16", "fe:fd:c0:a8:00:64", True)], "192.168.0.254"),
    "dave": ([("eth0", 0, "192.168.0.200/24", "fec0::20/16", "fe:fd:c0:a8:00:c8", True)], "192.168.0.254"),
    "winnetou": ([("eth0", 0, "192.168.0.150/24", "fec0::15/16", "fe:fd:c0:a8:00:96", True)], "192.168.0.254"),
}
EXTRA_NAMES = {"alice1": "192.168.0.50", "moon1": "10.1.0.1", "carol1": "10.3.0.1", "dave1": "10.3.0.2", "sun1": "10.2.0.1",
               "uml0": "192.168.0.254", "uml1": "10.1.0.254", "uml2": "10.2.0.254"}
PLACEHOLDERS = {
    "PH_IP_MOON": "192.168.0.1", "PH_IP6_MOON": "fec0::1", "PH_IP_MOON1": "10.1.0.1", "PH_IP6_MOON1": "fec1::1",
    "PH_IP_SUN": "192.168.0.2", "PH_IP6_SUN": "fec0::2", "PH_IP_SUN1": "10.2.0.1", "PH_IP6_SUN1": "fec2::1",
    "PH_IP_ALICE": "10.1.0.10", "PH_IP6_ALICE": "fec1::10", "PH_IP_ALICE1": "192.168.0.50", "PH_IP6_ALICE1": "fec0::5",
    "PH_IP_VENUS": "10.1.0.20", "PH_IP6_VENUS": "fec1::20", "PH_IP_BOB": "10.2.0.10", "PH_IP6_BOB": "fec2::10",
    "PH_IPV6_BOB": "fec2::10", "PH_IP_CAROL": "192.168.0.100", "PH_IP6_CAROL": "fec0::10", "PH_IP_CAROL1": "10.3.0.1",
    "PH_IP6_CAROL1": "fec3::1", "PH_IP_DAVE": "192.168.0.200", "PH_IP6_DAVE": "fec0::20", "PH_IP_DAVE1": "10.3.0.2",
    "PH_IP6_DAVE1": "fec3::2", "PH_IP_WINNETOU": "192.168.0.150", "PH_IP6_WINNETOU": "fec0::15",
}


def replace_placeholders(data):
    """The longer names first, as PH_IP_MOON is the beginning of PH_IP_MOON1."""
    for name in sorted(PLACEHOLDERS, key=len, reverse=True):
        data = data.replace(name.encode(), PLACEHOLDERS[name].encode())
    return data


def etc_hosts():
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    for host, (ifs, _) in HOSTS.items():
        aliases = " crl.strongswan.org ocsp.strongswan.org ldap.strongswan.org" if host == "winnetou" else ""
        lines.append(f"{ifs[0][2].split('/')[0]} {host}.strongswan.org {host}{aliases}")
        lines.append(f"{ifs[0][3].split('/')[0]} ip6-{host}.strongswan.org ip6-{host}")
    for name, ip in EXTRA_NAMES.items():
        lines.append(f"{ip} {name}.strongswan.org {name}")
    return "\n".join(lines) + "\n"


class CommandError(Exception):
    pass


FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
# as few algorithms as will do: the handshake fits small packets, so it also passes a tunnel whose gateway's firewall drops
# "fragmentation needed"
ALGORITHMS = """KexAlgorithms curve25519-sha256
Ciphers aes128-gcm@openssh.com
"""
SSHD_CONFIG = ALGORITHMS + """HostKey /etc/ssh/lab_key
AuthorizedKeysFile /etc/ssh/lab_key.pub
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
LogLevel ERROR
Subsystem sftp internal-sftp
"""
SSH_CONFIG = "Host *\n" + ALGORITHMS + """HostKeyAlgorithms ssh-ed25519
MACs hmac-sha2-256
    User root
    IdentityFile /etc/ssh/lab_key
    GlobalKnownHostsFile /etc/ssh/lab_known
    UserKnownHostsFile /dev/null
    CheckHostIP no
    BatchMode yes
    ConnectTimeout 10
    LogLevel ERROR
"""


def ssh_keys(folder):
    """One key serves every host of a run, as host key and as root's. Returns the folder of it."""
    if not os.path.exists(os.path.join(folder, "lab_known")):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        new = tempfile.mkdtemp(dir=os.path.dirname(folder))
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", os.path.join(new, "lab_key")])
        with open(os.path.join(new, "lab_key.pub")) as pub, open(os.path.join(new, "lab_known"), "w") as known:
            known.write("* " + pub.read())
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(new, folder)
    return folder


def run(argv, **kw):
    kw.setdefault("check", True)
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **kw)
    except subprocess.CalledProcessError as e:
        raise CommandError(f"{' '.join(argv)}: {e.stdout.strip()}") from e


class Host:
    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.ns = f"{lab.tag}-{name}"
        self.root = os.path.join(lab.base, name, "root")
        self.init = None
        self.captures = {}

    def mount(self, tree):
        up, work = (os.path.join(self.lab.base, self.name, d) for d in ("upper", "work"))
        for d in (up, work, self.root):
            os.makedirs(d)
        run(["mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={up},workdir={work}", "overlay", self.root])
        # tar, because /var/run is a link here and may be a folder there
        run(["sh", "-c", 'tar -C "$1" -cf - . | tar -C "$2" --keep-directory-symlink -xpf -', "sh", tree, self.root])
        etc = os.path.join(self.root, "etc")
        for name in ("ipsec.d", "strongswan.d", "swanctl"):
            shutil.rmtree(os.path.join(etc, name), ignore_errors=True)
        for name in ("aacerts", "acerts", "cacerts", "certs", "crls", "ocspcerts", "private", "reqs", "policies"):
            os.makedirs(os.path.join(etc, "ipsec.d", name), exist_ok=True)
        self.write("/etc/hosts", etc_hosts())
        self.write("/etc/hostname", self.name + "\n")
        self.write("/etc/resolv.conf", "")
        self.write("/etc/nsswitch.conf", "hosts: files\n")
        self.write("/etc/strongswan.conf", "# empty\n")
        self.write("/etc/ipsec.conf", "config setup\n")
        self.write("/etc/ipsec.secrets", "", 0o600)
        os.makedirs(os.path.join(etc, "init.d"), exist_ok=True)
        self.ssh(etc)
        self.init_scripts(etc)
        for log in ("auth.log", "daemon.log", "syslog"):
            self.write("/var/log/" + log, "")
        shutil.copy2(self.lab.labinit, os.path.join(self.root, "labinit"))

    def ssh(self, etc):
        os.makedirs(os.path.join(etc, "ssh"), exist_ok=True)
        self.write("/etc/ssh/sshd_config", SSHD_CONFIG)
        self.write("/etc/ssh/ssh_config", SSH_CONFIG)
        for name, mode in (("lab_key", 0o600), ("lab_key.pub", 0o644), ("lab_known", 0o644)):
            with open(os.path.join(self.lab.keys, name)) as f:
                self.write("/etc/ssh/" + name, f.read(), mode)

    def init_scripts(self, etc):
        """/etc/init.d: the firewall, a net.ethN for each interface, and what winnetou serves."""
        init = os.path.join(etc, "init.d")
        shutil.copy2(os.path.join(FILES, "iptables"), init)
        os.makedirs(os.path.join(etc, "conf.d"), exist_ok=True)
        ifs, gateway = HOSTS[self.name]
        for n, (dev, _, v4, v6, _, _) in enumerate(ifs):
            shutil.copy2(os.path.join(FILES, "net"), os.path.join(init, "net." + dev))
            self.write(f"/etc/conf.d/net.{dev}", f"v4={v4}\nv6={v6}\ngateway={gateway if n == 0 else ''}\n")
        if self.name == "winnetou":
            for name in ("slapd", "winnetou"):
                shutil.copy2(os.path.join(FILES, name), init)

    def write(self, path, text, mode=0o644):
        full = self.root + path
        if os.path.islink(full) or os.path.exists(full):
            os.unlink(full)
        with open(full, "w") as f:
            f.write(text)
        os.chmod(full, mode)

    def start(self):
        self.init = subprocess.Popen(
            ["ip", "netns", "exec", self.ns, "unshare", "-m", "-p", "-u", "-i", "--fork", "--kill-child", "sh", "-c",
             f"hostname {self.name}; exec chroot {self.root} /labinit"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.init.stdout.readline().strip()
        if line != "ready":
            raise CommandError(f"{self.name}: init did not start: {line}")
        threading.Thread(target=self.init.stdout.read, daemon=True).start()
        # the child of unshare is pid 1 of the host
        self.pid = int(open(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read().split()[0])

    def argv(self, command):
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-u", "-i", "-r", "-w", "env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C",
                "TERM=dumb", f"LAB_HOST={self.name}", "sh", "-c", command]

    def command(self, command, timeout=60):
        """(exit status, stdout, stderr); status 124 when it took longer."""
        p = subprocess.Popen(self.argv(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, errors="replace", start_new_session=True)
        try:
            out, err = p.communicate(timeout=timeout)
            return p.returncode, out, err
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            try:
                out, err = p.communicate(timeout=2)
            except subprocess.TimeoutExpired:
                out, err = "", ""
            return 124, out or "", (err or "") + f"\n[stopped after {timeout} s]"

    def capture(self, iface):
        # the captures of several interfaces go into one file, as the published patterns know no interface
        p = subprocess.Popen(self.argv(f"exec tcpdump -l -U -i {iface} not port ssh and not port domain and not arp"
                                       " >> /tmp/tcpdump.log 2>/tmp/tcpdump.{iface}.err"), start_new_session=True)
        for _ in range(100):
            if "listening on" in self.command(f"cat /tmp/tcpdump.{iface}.err")[1]:
                break
        self.captures[iface] = p

    def stop_captures(self):
        if self.captures:
            self.command("sleep 0.3; killall -q tcpdump; sleep 0.2")
        for p in self.captures.values():
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, 9)
        self.captures = {}

    def stop(self):
        if self.init:
            try:
                self.init.stdin.close()
                self.init.wait(5)
            except Exception:
                self.init.kill()
                self.init.wait()
            self.init = None


class Lab:
    def __init__(self, tag, base, tree, build, names, legacy_iptables):
        """build: the build folder, which has labinit and the ssh keys of the run."""
        self.tag, self.base, self.tree, self.labinit = tag, base, tree, os.path.join(build, "bin", "labinit")
        self.keys = ssh_keys(os.path.join(build, "lab-ssh"))
        self.legacy = legacy_iptables
        self.hosts = {n: Host(self, n) for n in names}
        self.switch = f"{tag}-sw"

    def open(self):
        os.makedirs(self.base, exist_ok=True)
        run(["mount", "-t", "tmpfs", "-o", "size=2g", "lab", self.base])
        try:
            for h in self.hosts.values():
                h.mount(self.tree)
                if self.legacy:
                    for v in ("", "6"):
                        for verb in ("", "-save", "-restore"):
                            link = os.path.join(h.root, "usr/sbin", f"ip{v}tables{verb}")
                            if os.path.lexists(link):
                                os.unlink(link)
                            os.symlink(f"/usr/sbin/xtables-legacy-multi", link)
            self.network()
            for h in self.hosts.values():
                h.start()
        except Exception:
            self.close()
            raise
        return self

    def network(self):
        run(["ip", "netns", "add", self.switch])
        for h in self.hosts.values():
            run(["ip", "netns", "add", h.ns])
        batch = {self.switch: ["link set lo up"]}
        for n, (v4, v6) in SWITCHES.items():
            batch[self.switch] += [f"link add br{n} type bridge", f"link set br{n} up", f"addr add {v4} dev br{n}",
                                   f"addr add {v6} dev br{n} nodad"]
        offload = []
        for h in self.hosts.values():
            ifs, gateway = HOSTS[h.name]
            b = batch[h.ns] = ["link set lo up"]
            for i, (dev, sw, v4, v6, mac, up) in enumerate(ifs):
                peer = f"{h.name}{i}"
                batch[self.switch] += [f"link add {peer} type veth peer name {dev} address {mac} netns {h.ns}",
                                       f"link set {peer} master br{sw} up"]
                b += [f"addr add {v4} dev {dev}", f"addr add {v6} dev {dev} nodad"]
                if up:
                    b.append(f"link set {dev} up")
                offload.append((h.ns, dev))
            b.append(f"route add default via {gateway}")
        for ns, lines in batch.items():
            run(["ip", "-n", ns, "-batch", "-"], input="\n".join(lines) + "\n")
        for ns, dev in offload:
            run(["ip", "netns", "exec", ns, "ethtool", "-K", dev, "tx", "off", "tso", "off", "gso", "off", "gro", "off"],
                check=False)

    def close(self):
        for h in self.hosts.values():
            h.stop()
        for h in self.hosts.values():
            run(["umount", "-l", h.root], check=False)
            run(["ip", "netns", "del", h.ns], check=False)
        run(["ip", "netns", "del", self.switch], check=False)
        run(["umount", "-l", self.base], check=False)
        shutil.rmtree(self.base, ignore_errors=True)
