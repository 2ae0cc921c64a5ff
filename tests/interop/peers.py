"""Two hosts for interoperability tests: network namespaces joined by a cable, each with an overlay root, its own /etc, /run,
process tree and syslog. One runs the suite from an installed tree, the other Debian's strongSwan with userland ESP
(kernel-libipsec), or both the same program to try the harness itself.

Everything hangs on the runner's private mount namespace and is named after its process: it all goes with the runner."""
import os
import shutil
import socket
import subprocess
import threading
import time

DIRS = ("aacerts", "acerts", "cacerts", "certs", "crls", "ocspcerts", "private", "reqs", "policies")
PEER_PLUGINS = ("aes des sha2 sha1 md5 mgf1 random nonce x509 revocation constraints pubkey pkcs1 pkcs7 pkcs8 pem fips-prf gmp "
                "curve25519 chapoly xcbc cmac hmac kdf ctr ccm gcm openssl drbg attr kernel-libipsec kernel-netlink "
                "socket-default stroke updown eap-identity eap-md5 xauth-generic counters")
PEER_CONF = f"""
charon {{
    load = {PEER_PLUGINS}
    retransmit_timeout = 1.0
    retransmit_tries = 4
    filelog {{
        peer {{ path = /var/log/charon.log
            default = 1
            ike = 2
            cfg = 2
            chd = 2
            flush_line = yes }}
    }}
}}
"""
OUR_CONF = """
charon {
    retransmit_timeout = 1.0
    retransmit_tries = 4
    filelog { /var/log/charon.log { default = 1
            ike = 2
            cfg = 2
            chd = 2
            flush_line = yes } }
}
"""
# where a sanitizer build writes what it found
SANITIZER = ("ASAN_OPTIONS=log_path=/var/log/sanitizer", "UBSAN_OPTIONS=print_stacktrace=1:log_path=/var/log/sanitizer",
             "TSAN_OPTIONS=log_path=/var/log/sanitizer")


def sh(*argv, check=True):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if check and p.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {p.stdout.strip()[-1000:]}")
    return p.stdout


class Host:
    """kind: 'ours' or 'peer'."""

    def __init__(self, tag, base, name, kind, tree, addr, net):
        self.name, self.kind, self.addr, self.net = name, kind, addr, net
        self.net2 = net.rsplit(".", 1)[0] + ".5"
        self.addr6 = addr.replace("192.0.2.", "2001:db8::")
        self.ns = f"{tag}{name}"
        self.dir = os.path.join(base, name)
        self.root = os.path.join(self.dir, "root")
        self.tree = tree
        self.init = None

    def mount(self):
        up, work = os.path.join(self.dir, "up"), os.path.join(self.dir, "work")
        for d in (up, work, self.root):
            os.makedirs(d)
        sh("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={up},workdir={work}", "overlay", self.root)
        for fs, where in (("tmpfs", "run"), ("tmpfs", "dev"), ("tmpfs", "tmp"), ("proc", "proc")):
            if fs == "tmpfs":
                sh("mount", "-t", fs, fs, os.path.join(self.root, where))
        if not os.path.islink(os.path.join(self.root, "var/run")):
            sh("mount", "-t", "tmpfs", "tmpfs", os.path.join(self.root, "var/run"))
        os.makedirs(os.path.join(self.root, "run/lock"), exist_ok=True)
        for dev in ("null", "zero", "full", "random", "urandom", "tty", "net/tun"):
            path = os.path.join(self.root, "dev", dev)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "w").close()
            sh("mount", "--bind", "/dev/" + dev, path)
        if self.kind == "ours":
            for old in ("usr/sbin/ipsec", "usr/lib/ipsec", "etc/strongswan.d"):
                sh("rm", "-rf", os.path.join(self.root, old))
            sh("sh", "-c", f"tar -C {self.tree} -c . | tar -C {self.root} -x --keep-directory-symlink")
        shutil.rmtree(os.path.join(self.root, "etc/ipsec.d"), ignore_errors=True)
        for d in DIRS:
            os.makedirs(os.path.join(self.root, "etc/ipsec.d", d))
        self.write("etc/strongswan.conf", OUR_CONF if self.kind == "ours" else PEER_CONF)
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("etc/resolv.conf", "")
        self.log = open(os.path.join(self.dir, "syslog"), "ab", buffering=0)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(os.path.join(self.root, "dev/log"))
        os.chmod(os.path.join(self.root, "dev/log"), 0o666)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data = self.sock.recv(65536)
            self.log.write(f"{time.time() % 100000:.2f} ".encode() + data.rstrip(b"\0\n").partition(b">")[2] + b"\n")

    def write(self, path, text, mode=0o644):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if os.path.lexists(full):
            os.unlink(full)
        with open(full, "w") as f:
            f.write(text)
        os.chmod(full, mode)

    def start(self):
        """The host's first process: collects orphans, and takes everything along when it ends."""
        self.init = subprocess.Popen(
            ["ip", "netns", "exec", self.ns, "unshare", "-m", "-p", "-u", "--fork", "--kill-child", "sh", "-c",
             f"mount -t proc proc {self.root}/proc; hostname {self.name}; ulimit -n 4096; exec chroot {self.root} "
             "sh -c 'echo up; while read x; do :; done'"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.init.stdout.readline().strip() != "up":
            raise RuntimeError(f"{self.name}: no first process")
        kids = open(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read().split()
        self.pid = int(kids[0])

    def argv(self, command):
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-u", "-r", "-w", "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", *SANITIZER, "sh", "-c", "ulimit -n 4096; " + command]

    def run(self, command, timeout=30):
        """(status, output); 124 when it took too long."""
        p = subprocess.Popen(self.argv(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", start_new_session=True)
        try:
            out, _ = p.communicate(timeout=timeout)
            return p.returncode, out
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            return 124, f"[{command}: stopped after {timeout} s]\n"

    def stop(self):
        if self.init:
            self.init.stdin.close()
            try:
                self.init.wait(5)
            except subprocess.TimeoutExpired:
                self.init.kill()
                self.init.wait()
            self.init = None

    def logs(self):
        """Everything the host wrote: file name -> bytes."""
        out = {}
        for name, path in (("syslog", os.path.join(self.dir, "syslog")), ("charon.log", self.root + "/var/log/charon.log")):
            if os.path.exists(path):
                out[name] = open(path, "rb").read()
        for name in os.listdir(self.root + "/var/log"):
            if name.startswith("sanitizer"):
                out[name] = open(os.path.join(self.root, "var/log", name), "rb").read()
        return out


class Pair:
    """left (10.91.0.1 behind it) and right (10.92.0.1 behind it), both on 192.0.2.0/24."""

    def __init__(self, tag, base, kinds, tree):
        os.makedirs(base)
        self.base = base
        self.left = Host(tag, base, "l", kinds[0], tree, "192.0.2.1", "10.91.0")
        self.right = Host(tag, base, "r", kinds[1], tree, "192.0.2.2", "10.92.0")
        self.hosts = (self.left, self.right)

    def open(self):
        a, b = self.hosts
        for h in self.hosts:
            sh("ip", "netns", "add", h.ns)
        sh("ip", "link", "add", "eth0", "netns", a.ns, "type", "veth", "peer", "name", "eth0", "netns", b.ns)
        for h in self.hosts:
            n = ("ip", "-n", h.ns)
            sh(*n, "addr", "add", h.addr + "/24", "dev", "eth0")
            sh(*n, "addr", "add", h.addr6 + "/64", "dev", "eth0", "nodad")
            sh(*n, "link", "set", "eth0", "up")
            sh(*n, "link", "set", "lo", "up")
            for net in (h.net, h.net2):
                sh(*n, "addr", "add", net + ".1/24", "dev", "lo")
            other = b if h is a else a
            sh(*n, "route", "add", "default", "via", other.addr)
            # what no tunnel takes goes nowhere, so that an answer proves the tunnel
            for net in (other.net, other.net2):
                sh(*n, "route", "add", "blackhole", net + ".0/24")
        for h in self.hosts:
            h.mount()
            h.start()

    def close(self):
        for h in self.hosts:
            h.stop()
            sh("ip", "netns", "del", h.ns, check=False)
            sh("umount", "-R", "-l", h.root, check=False)
            if not os.path.ismount(h.root):  # only what the overlay wrote is left
                shutil.rmtree(os.path.join(h.dir, "up"), ignore_errors=True)
