"""One scenario of the published layout: description.txt test.conf pretest.dat evaltest.dat posttest.dat hosts/NAME/etc.
Parsing of its files, and the steps of a run."""
import os
import re
import shutil
import subprocess
import time

from lab import HOSTS, PLACEHOLDERS, replace_placeholders

FILES = ("description.txt", "test.conf", "pretest.dat", "evaltest.dat", "posttest.dat")


class ScenarioError(Exception):
    pass


def unquote(field):
    """`"a b:\\:c"` -> `a b::c`, the way the published driver's shell sees it."""
    field = field.strip()
    if len(field) >= 2 and field[0] == '"' and field[-1] == '"':
        field = field[1:-1]
    return field.replace("\\:", ":")


def read_dat(path):
    """Lines as lists of fields, split at '::' (an IPv6 address is written with ':\\:')."""
    rows = []
    with open(path, errors="replace") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            rows.append((number, [x for x in line.split("::")]))
    return rows


def read_conf(path):
    values = {}
    with open(path) as f:
        for m in re.finditer(r'^\s*([A-Z0-9_]+)=("([^"]*)"|(\S*))', f.read(), re.M):
            values[m.group(1)] = m.group(3) if m.group(3) is not None else m.group(4)
    return values


class Scenario:
    def __init__(self, suite, name):
        self.suite, self.name = suite, name
        self.dir = os.path.join(suite, name)
        for f in FILES:
            if not os.path.exists(os.path.join(self.dir, f)):
                raise ScenarioError(f"{name}: {f} is missing")
        self.conf = read_conf(os.path.join(self.dir, "test.conf"))

    def prepare(self, build):
        """A copy with the placeholders replaced."""
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(self.dir, build, symlinks=True)
        for top, _, files in os.walk(build):
            for f in files:
                path = os.path.join(top, f)
                data = open(path, "rb").read()
                new = replace_placeholders(data)
                if new != data:
                    open(path, "wb").write(new)
        self.dir = build
        self.pre, self.eval, self.post = (read_dat(os.path.join(build, f + "test.dat")) for f in ("pre", "eval", "post"))

    def host_names(self):
        names = set((self.conf.get("UMLHOSTS") or self.conf.get("VIRTHOSTS") or "").split())
        names |= set(self.conf.get("IPSECHOSTS", "").split())
        names |= {h.split(":")[0] for h in self.conf.get("TCPDUMPHOSTS", "").split()}
        for rows in (self.pre, self.eval, self.post):
            names |= {fields[0].strip() for _, fields in rows}
        unknown = names - set(HOSTS)
        if unknown:
            raise ScenarioError(f"{self.name}: unknown host {', '.join(sorted(unknown))}")
        return sorted(names)


class Run:
    """One execution in an open lab. `results` is the scenario's results folder."""

    def __init__(self, scenario, lab, results, limits):
        self.s, self.lab, self.results = scenario, lab, results
        self.command_s, self.deadline = limits[0], time.time() + limits[1]
        self.failures = []
        os.makedirs(results, exist_ok=True)
        self.console = open(os.path.join(results, "console.log"), "w")

    def say(self, text):
        self.console.write(text.rstrip("\n") + "\n")
        self.console.flush()

    def left(self):
        return max(1, min(self.command_s, self.deadline - time.time()))

    def on(self, host, command):
        if time.time() > self.deadline:
            raise ScenarioError("out of time")
        # a `sleep N` of the scenario counts, what hangs does not
        m = re.search(r"\bsleep\s+(\d+)", command)
        limit = self.left() + (int(m.group(1)) if m else 0)
        began = time.time()
        code, out, err = self.lab.hosts[host].command(command, limit)
        self.say(f"{host}# {command}\n{out}{err}[exit {code}, {time.time() - began:.1f} s]")
        return code, out, err

    def load_config(self, defaults):
        """defaults: the folder with the default files of every host; the scenario's own come on top."""
        for name, host in self.lab.hosts.items():
            for top in (os.path.join(defaults, name), os.path.join(self.s.dir, "hosts", name)):
                if os.path.isdir(top):
                    subprocess.run(["cp", "-a", "--no-preserve=ownership", top + "/.", host.root], check=True)
            host.command("chmod -f 600 /etc/ipsec.secrets; chmod -f -R go-rwx /etc/ipsec.d/private; "
                         "chmod -f +x /etc/init.d/* /etc/*updown* /etc/ipsec.d/*.sh")
            if name == "winnetou":
                code, out, err = host.command("/etc/init.d/winnetou start", self.left())
                if code:
                    raise ScenarioError(f"winnetou: its services did not start: {(out + err).strip()}")

    def start_captures(self):
        for entry in self.s.conf.get("TCPDUMPHOSTS", "").split():
            host, _, iface = entry.partition(":")
            self.lab.hosts[host].capture(iface or "eth0")

    def script(self, rows):
        for _, fields in rows:
            if len(fields) >= 2 and fields[1].strip():
                self.on(fields[0].strip(), unquote("::".join(fields[1:])))

    def grep(self, pattern, text):
        p = subprocess.run(["grep", "-c", "--", pattern], input=text, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, errors="replace", env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
        if p.returncode > 1:
            raise ScenarioError(f"bad pattern '{pattern}': {p.stderr.strip()}")
        return int(p.stdout)

    def check(self, number, fields):
        host, command = fields[0].strip(), unquote(fields[1])
        pattern, wanted = (unquote(fields[2]) if len(fields) > 2 else ""), (fields[3].strip() if len(fields) > 3 else None)
        if command in ("tcpdump", "tcpdumpcount"):
            self.lab.hosts[host].stop_captures()
            _, out, _ = self.on(host, "cat /tmp/tcpdump.log")
            count = self.grep(pattern, out)
            got = str(count) if command == "tcpdumpcount" or (wanted or "").isdigit() else ("YES" if count else "NO")
        elif command == "cmd":
            code, out, _ = self.on(host, pattern)
            got = "YES" if code == 0 else "NO"
        else:
            _, out, _ = self.on(host, command)
            count = self.grep(pattern, out)
            got = str(count) if (wanted or "").isdigit() else ("YES" if count else "NO")
        if wanted is None:
            return
        ok = got == wanted
        self.say(f"  check {number}: '{pattern}' wanted {wanted}, got {got}: {'ok' if ok else 'FAILED'}")
        if not ok:
            self.failures.append(f"evaltest.dat:{number}: {host}: {command}: '{pattern}' wanted {wanted}, got {got}")

    def collect(self):
        """Status, kernel and firewall state, logs and configuration of each host, for a person to look at."""
        wanted = {
            "statusall": "ipsec statusall", "listall": "ipsec listall", "xfrm.policy": "ip -s xfrm policy",
            "xfrm.state": "ip -s xfrm state", "route220": "ip route list table 220; ip -6 route list table 220; ip rule",
            "addr": "ip addr", "iptables": "iptables -v -n -L; ip6tables -v -n -L; iptables -v -n -L -t nat",
            "auth.log": "cat /var/log/auth.log", "daemon.log": "cat /var/log/daemon.log", "tcpdump": "cat /tmp/tcpdump.log",
            "ipsec.conf": "cat /etc/ipsec.conf", "ipsec.secrets": "cat /etc/ipsec.secrets", "strongswan.conf": "cat /etc/strongswan.conf",
            "processes": "ps ax",
        }
        # one process per host: starting processes is dear in a guest
        for name in set(self.s.conf.get("IPSECHOSTS", "").split()) or set(self.lab.hosts):
            script = "; ".join(f"echo '<<<{k}>>>'; {{ {c}; }} 2>&1" for k, c in wanted.items())
            _, out, _ = self.lab.hosts[name].command(script, 20)
            for part in out.split("<<<")[1:]:
                key, _, text = part.partition(">>>\n")
                if text.strip():
                    with open(os.path.join(self.results, f"{name}.{key}"), "w") as f:
                        f.write(text)

    def run(self, defaults):
        try:
            self.load_config(defaults)
            self.start_captures()
            self.script(self.s.pre)
            for number, fields in self.s.eval:
                if len(fields) < 2:
                    raise ScenarioError(f"evaltest.dat:{number}: no command")
                self.check(number, fields)
        except ScenarioError as e:
            self.failures.append(str(e))
        try:
            self.collect()
            self.deadline = time.time() + 30
            self.script(self.s.post)
        except (ScenarioError, subprocess.SubprocessError) as e:
            self.failures.append(str(e))
        return self.failures
