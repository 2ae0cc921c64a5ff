#!/usr/bin/python3
"""What becomes of packets: two network namespaces, a kernel-node in each, manual keys.

    kernel_cases.py BACKEND [BUILD] [CASE...]      BACKEND xfrm (needs a kernel with ESP: tests/uml/guest-run), esp (root) or
                                                   mixed (a userland, b the kernel's; guest)

Prints one line a case and ends with 0 if all passed. Namespaces and devices are named klab-PID-*, and removed at the end."""
import os, re, subprocess, sys, time

backend, build = sys.argv[1], os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else 'build')
wanted = sys.argv[3:]
tag = 'klab-%d' % os.getpid()
NS = {'a': tag + '-a', 'b': tag + '-b'}
OUTER = {'a': '192.0.2.1', 'b': '192.0.2.2', 'a2': '192.0.2.11', 'a6': '2001:db8:f::1', 'b6': '2001:db8:f::2'}
INNER = {'a': '10.1.0.1', 'b': '10.2.0.1', 'a6': 'fd01::1', 'b6': 'fd02::1'}
NET = {'a': '10.1.0.0/16', 'b': '10.2.0.0/16', 'a6': 'fd01::/64', 'b6': 'fd02::/64'}
BACKENDS = {'mixed': {'a': 'esp', 'b': 'xfrm'}}  # the userland one against the kernel's
GCM, CBC, SHA1, SHA256 = (20, 128, 0), (12, 128, 2), 2, 12


def sh(cmd, check=True):
    r = subprocess.run(cmd, shell=True, capture_output=True, text=True)
    if check and r.returncode:
        raise RuntimeError('%s: %s' % (cmd, (r.stderr or r.stdout).strip()))
    return r


class Node:
    def __init__(self, side):
        self.side = side
        self.p = subprocess.Popen(['ip', 'netns', 'exec', NS[side], build + '/bin/kernel-node', BACKENDS.get(backend, {}).get(side, backend), side], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, bufsize=1)
        self.hello = self.answer('start')

    def answer(self, what):
        line = self.p.stdout.readline().strip()
        if not line.startswith('ok'):
            raise RuntimeError('%s: %s: %s' % (self.side, what, line or 'node died (%s)' % self.p.poll()))
        return line[3:]

    def __call__(self, *words):
        line = ' '.join(str(w) for w in words)
        self.p.stdin.write(line + '\n')
        return self.answer(line)

    def stats(self, name):
        m = re.match(r'in (\d+)/(\d+) out (\d+)/(\d+) use (\d+) (\d+) replay (\d+) auth (\d+)', self('stats', name))
        return dict(zip(('in', 'bytes_in', 'out', 'bytes_out', 'use_in', 'use_out', 'replay', 'auth'), map(int, m.groups())))

    def events(self):
        w = self('events').split()
        return dict(zip(w[0::2], w[1::2]))

    def close(self):
        self.p.stdin.close()
        return self.p.wait(20)


def netns_up():
    sh('ip netns add %s; ip netns add %s' % (NS['a'], NS['b']))
    sh('ip -n %s link add eth0 type veth peer name eth0 netns %s' % (NS['a'], NS['b']))
    for s in 'ab':
        n = NS[s]
        batch = ['link set lo up', 'link set eth0 up', 'addr add %s/24 dev eth0' % OUTER[s], 'addr add %s/64 dev eth0 nodad' % OUTER[s + '6'],
                 'link add inner type veth peer name inner2', 'link set inner up', 'link set inner2 up',
                 'addr add %s/16 dev inner' % INNER[s], 'addr add %s/64 dev inner nodad' % INNER[s + '6'],
                 # the way there is a default route, protected or not
                 'route add default via %s' % OUTER['b' if s == 'a' else 'a'], 'route add default via %s' % OUTER['b6' if s == 'a' else 'a6']]
        if s == 'a':
            batch.append('addr add %s/24 dev eth0' % OUTER['a2'])
        subprocess.run(['ip', '-n', n, '-batch', '-'], input='\n'.join(batch) + '\n', text=True, check=True)
        sh('ip netns exec %s sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0' % n, False)


def netns_down():
    for s in 'ab':
        sh('ip netns del ' + NS[s], False)


a = b = None


def both(cmd, name, *words):
    a(cmd, name, *words)
    b(cmd, name, *words)


def new(name, mode='tunnel', encap=0, reqid=1, v=('', ''), outer6=False, life=(0, 0, 0, 0), a_ts=None, b_ts=None):
    o, i = ('6' if outer6 else ''), v
    ta = a_ts or (NET['a' + i[0]] if mode == 'tunnel' else OUTER['a' + o])
    tb = b_ts or (NET['b' + i[0]] if mode == 'tunnel' else OUTER['b' + o])
    a('new', name, OUTER['a' + o], OUTER['b' + o], mode, encap, reqid, ta, tb, *life)
    b('new', name, OUTER['b' + o], OUTER['a' + o], mode, encap, reqid, tb, ta, *life)


def up(name, algs=CBC, proto='esp', esn=0, ipcomp=False, **kw):
    new(name, **kw)
    encr, bits, integ = algs
    if ipcomp:
        ca, cb = a('spi', name, 'ipcomp'), b('spi', name, 'ipcomp')
        a('ipcomp', name, cb), b('ipcomp', name, ca)
    protos = proto.split('+')
    sa, sb = [a('spi', name, p) for p in protos], [b('spi', name, p) for p in protos]
    for side, spis in ((b, sa), (a, sb)):  # both can hear before either talks
        side('install', name, 'in', proto, encr, bits, integ, esn, *spis)
        side('policies', name)
    for side, spis in ((b, sa), (a, sb)):
        side('install', name, 'out', proto, encr, bits, integ, esn, *spis)



def down(*names):
    for n in names:
        both('free', n)


def ping(src, dst, count=3, size=56, side='a', wait=2, extra='-i 0.05'):
    r = sh('ip netns exec %s ping -n -q -c %d -s %d -W %d %s -I %s %s' % (NS[side], count, size, wait, extra, src, dst), False)
    m = re.search(r'(\d+) received', r.stdout)
    return int(m.group(1)) if m else 0


def inner_ping(**kw):
    return ping(INNER['a'], INNER['b'], **kw)


def echos(side):
    """Echo requests that reached the host's IPv4."""
    return int(sh('ip netns exec %s cat /proc/net/snmp | grep ^Icmp: | tail -1' % NS[side]).stdout.split()[9])


def need(ok, why):
    if not ok:
        raise AssertionError(why)


def counted(name, n):
    sa, sb = a.stats(name), b.stats(name)
    need(sa['out'] >= n and sb['in'] >= n and sb['out'] >= n and sa['in'] >= n, 'counters: %s %s' % (sa, sb))
    need(sa['auth'] + sb['auth'] + sa['replay'] + sb['replay'] == 0, 'errors: %s %s' % (sa, sb))
    need(all(abs(t - time.time()) < 30 for t in (sa['use_out'], sa['use_in'], sb['use_out'], sb['use_in'])), 'use times %s %s' % (sa, sb))


# ---- the cases ----
def tunnel():
    up('t1')
    need(inner_ping() == 3, 'no answer')
    need(inner_ping(size=1300) == 3, 'no answer to large packets')
    need(inner_ping(size=5000) == 3, 'no answer to fragmented packets')
    counted('t1', 9)
    down('t1')


def tunnel_v6():
    up('v6', v=('6', '6'))
    need(ping(INNER['a6'], INNER['b6']) == 3, 'IPv6 in IPv4')
    up('v66', v=('6', '6'), outer6=True, reqid=2, a_ts='fd01::1/128', b_ts='fd02::1/128')
    need(ping(INNER['a6'], INNER['b6']) == 3, 'IPv6 in IPv6')
    counted('v66', 3)
    up('v46', outer6=True, reqid=3)
    need(inner_ping() == 3, 'IPv4 in IPv6')
    counted('v46', 3)
    down('v6', 'v66', 'v46')


def transport():
    up('tr', mode='transport')
    need(ping(OUTER['a'], OUTER['b']) == 3, 'no answer')
    need(ping(OUTER['a'], OUTER['b'], size=4000) == 3, 'no answer to fragmented packets')
    counted('tr', 6)
    down('tr')
    up('tr6', mode='transport', outer6=True)
    for s in 'ab':  # neighbour discovery must not disappear in the tunnel
        sh('ip -6 -n %s neigh flush dev eth0' % NS[s])
    need(ping(OUTER['a6'], OUTER['b6']) == 3 and ping(OUTER['a6'], OUTER['b6'], size=4000) == 3, 'no answer over IPv6')
    counted('tr6', 6)
    down('tr6')


def udp_encap():
    up('u1', encap=1, algs=GCM)
    need(inner_ping() == 3 and inner_ping(size=1300) == 3, 'no answer')
    counted('u1', 6)
    down('u1')
    up('u2', encap=1, mode='transport')
    need(ping(OUTER['a'], OUTER['b']) == 3, 'no answer in transport mode')
    counted('u2', 3)
    down('u2')


ALGS = [('AES_CBC_128/SHA1', 12, 128, 2), ('AES_CBC_256/SHA2_256', 12, 256, 12), ('AES_CBC_192/SHA2_384', 12, 192, 13),
        ('AES_CBC_128/SHA2_512', 12, 128, 14), ('AES_CBC_128/SHA2_256_96', 12, 128, 1026), ('AES_CBC_128/XCBC', 12, 128, 5),
        ('AES_CBC_128/CMAC', 12, 128, 8), ('3DES/MD5', 3, 192, 1), ('AES_GCM_16_128', 20, 128, 0), ('AES_GCM_16_256', 20, 256, 0),
        ('AES_GCM_12_192', 19, 192, 0), ('AES_GCM_8_128', 18, 128, 0), ('AES_CCM_16_128', 16, 128, 0), ('AES_CCM_12_192', 15, 192, 0),
        ('AES_CCM_8_256', 14, 256, 0), ('AES_CTR_128/SHA1', 13, 128, 2), ('CHACHA20_POLY1305', 28, 256, 0), ('NULL/SHA2_256', 11, 0, 12),
        ('NULL_AES_GMAC', 21, 128, 0), ('CAMELLIA_256/SHA1', 23, 256, 2), ('BLOWFISH_128/SHA1', 7, 128, 2), ('CAST/MD5', 6, 128, 1),
        ('SERPENT_256/SHA1', 1024, 256, 2), ('TWOFISH_256/SHA1', 1025, 256, 2), ('DES/MD5', 2, 64, 1), ('AES_CBC_128/MD5_128', 12, 128, 6),
        ('AES_CBC_128/SHA1_160', 12, 128, 7)]
OPTIONAL = ('BLOWFISH', 'CAST', 'SERPENT', 'TWOFISH', 'DES/')  # may be missing in a crypto library or a kernel


def algorithms():
    tried = 0
    for name, encr, bits, integ in ALGS:
        if a('has', 1, encr) != '1' or a('has', 3, integ) != '1':
            need(name.startswith(OPTIONAL), name + ' is missing')
            continue
        try:
            up('alg', algs=(encr, bits, integ))
        except RuntimeError as e:
            need(name.startswith(OPTIONAL) and 'not supported' in str(e), '%s: %s' % (name, e))
            down('alg')
            continue
        need(inner_ping(count=2) == 2 and inner_ping(count=1, size=1301) == 1, name + ': no answer')
        counted('alg', 3)
        down('alg')
        tried += 1
    return '%d algorithms' % tried


def esn():
    up('e1', esn=1, algs=GCM)
    up('e2', esn=1, reqid=2, v=('6', '6'))
    need(inner_ping(count=20, extra='-i 0.01') == 20, 'GCM with ESN')
    need(ping(INNER['a6'], INNER['b6'], count=20, extra='-i 0.01') == 20, 'HMAC with ESN')
    counted('e1', 20)
    down('e1', 'e2')


def ah():
    up('ah', proto='ah', algs=(0, 0, 12))
    need(inner_ping() == 3, 'tunnel')
    counted('ah', 3)
    down('ah')
    up('aht', proto='ah', algs=(0, 0, 2), mode='transport', reqid=2)
    need(ping(OUTER['a'], OUTER['b']) == 3, 'transport')
    down('aht')
    up('espah', proto='esp+ah', algs=(12, 128, 12), reqid=3)
    need(inner_ping() == 3, 'ESP with AH around it')
    counted('espah', 3)
    down('espah')


def ipcomp():
    up('c1', ipcomp=True)
    need(inner_ping() == 3, 'small packets, not compressed')
    need(inner_ping(size=1300) == 3, 'large packets')
    before = a.stats('c1')['bytes_out']
    need(ping(INNER['a'], INNER['b'], size=1300, extra='-i 0.05 -p 00') == 3, 'zeros')
    need(a.stats('c1')['bytes_out'] - before < 3 * 800, 'nothing was compressed')
    down('c1')


def rekey():
    up('r1', algs=GCM)
    p = subprocess.Popen(['ip', 'netns', 'exec', NS['a'], 'ping', '-n', '-q', '-i', '0.02', '-c', '100', '-I', INNER['a'], INNER['b']],
                         stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    up('r2', algs=GCM)
    a('takeover', 'r2', 'r1')
    b('takeover', 'r2', 'r1')
    time.sleep(0.5)
    down('r1')
    out = p.communicate()[0]
    need('100 received' in out, 'packets lost: ' + out)
    need(a.stats('r2')['out'] > 20 and b.stats('r2')['in'] > 20, 'the new SAs were not used')
    down('r2')


def acquire():
    new('trap', reqid=9)
    a('route', 'trap', 0)
    before = int(a.events()['acquire'])
    p = subprocess.Popen(['ip', 'netns', 'exec', NS['a'], 'ping', '-n', '-q', '-i', '0.5', '-c', '6', '-I', INNER['a'], INNER['b']],
                         stdout=subprocess.PIPE, text=True)
    for _ in range(40):
        time.sleep(0.05)
        ev = a.events()
        if int(ev['acquire']) > before:
            break
    need(int(ev['acquire']) > before and ev['reqid'] == '9' and ev['dst'].startswith(INNER['b']), 'no acquire: %s' % ev)
    up('live', reqid=9)
    out = p.communicate()[0]
    got = int(re.search(r'(\d+) received', out).group(1))
    need(got >= (4 if backend == 'xfrm' else 6), 'only %d answers' % got)  # the userland one keeps the first packet
    down('live', 'trap')


def expire():
    up('x1', life=(1, 3, 0, 0))
    before = a.events()
    need(inner_ping() == 3, 'no answer')
    time.sleep(1.6)
    ev = a.events()
    need(int(ev['soft']) - int(before['soft']) == 2, 'soft: %s' % ev)
    time.sleep(2.5)
    ev = a.events()
    need(int(ev['hard']) - int(before['hard']) == 2, 'hard: %s' % ev)
    need(inner_ping(count=1, wait=1) == 0, 'goes on after the hard limit')
    down('x1')
    up('x2', life=(0, 0, 5, 12), reqid=2)
    before = a.events()
    need(inner_ping(count=20, wait=1, extra='-i 0.02') < 20, 'no end')
    time.sleep(0.3)
    ev = a.events()
    need(int(ev['soft']) > int(before['soft']) and int(ev['hard']) > int(before['hard']), 'by packets: %s %s' % (before, ev))
    down('x2')


def moving():
    up('m1', algs=GCM, encap=1)
    need(inner_ping() == 3, 'no answer')
    sent = a.stats('m1')['out']
    a('update', 'm1', OUTER['a2'], 4500, OUTER['b'], 4500, 1)
    inner_ping(count=2, wait=1)
    for _ in range(40):
        ev = b.events()
        if ev['mapping'] != '0':
            break
        time.sleep(0.05)
    need(ev['mapped'] == OUTER['a2'] + '[4500]', 'no mapping event: %s' % ev)
    b('update', 'm1', OUTER['b'], 4500, OUTER['a2'], 4500, 1)
    need(inner_ping() == 3, 'no answer after the move')
    need(a.stats('m1')['out'] >= sent + 3, 'counters were lost')
    need(b.stats('m1')['replay'] == 0, 'replay state was lost')
    b('update', 'm1', OUTER['b'], 4500, OUTER['a2'], 4500, 0)
    a('update', 'm1', OUTER['a2'], 4500, OUTER['b'], 4500, 0)
    need(inner_ping() == 3, 'no answer without UDP')
    down('m1')


def shunts():
    new('drop', reqid=5)
    a('route', 'drop', 2)
    need(inner_ping(count=1, wait=1) == 0, 'drop does not')
    a('free', 'drop'), b('free', 'drop')
    # a narrow pass policy within a wide tunnel
    up('wide', reqid=6, a_ts='10.0.0.0/8', b_ts='10.0.0.0/8')
    new('pass', reqid=7, a_ts=INNER['a'] + '/32', b_ts='10.2.0.1/32')
    both('route', 'pass', 1)
    before = a.stats('wide')['out']
    need(inner_ping() == 3, 'pass does not')
    need(a.stats('wide')['out'] == before, 'went through the tunnel')
    down('pass')
    need(inner_ping() == 3 and a.stats('wide')['out'] > before, 'tunnel does not take over')
    down('wide')


def ports():
    up('p1', a_ts='10.1.0.1/32@1/0', b_ts='10.2.0.1/32@1/0')
    need(inner_ping() == 3, 'ICMP only')
    counted('p1', 3)
    down('p1')


def wrong_sa_is_refused():
    """Inbound packets of the wrong SA: authentic, but another policy's addresses."""
    up('f1', a_ts='10.1.0.1/32', b_ts='10.2.0.1/32')
    # a sends what b's policy does not allow through this SA
    a('new', 'f2', OUTER['a'], OUTER['b'], 'tunnel', 0, 1, '10.9.0.0/16', '10.2.0.0/16', 0, 0, 0, 0)
    a('policies', 'f2')
    sh('ip -n %s addr add 10.9.0.1/32 dev inner' % NS['a'])
    before = b.stats('f1')['in']
    need(ping('10.9.0.1', INNER['b'], count=2, wait=1) == 0, 'answered')
    rx = echos('b')
    a('free', 'f2')
    sh('ip -n %s addr del 10.9.0.1/32 dev inner' % NS['a'])
    need(inner_ping() == 3, 'the allowed ones do not pass')
    need(b.stats('f1')['in'] >= before + 3 and echos('b') - rx == 3, 'echo requests: %d' % (echos('b') - rx))
    down('f1')


def clear_is_dropped():
    """What should come through a tunnel is not taken without it, whatever lets it through otherwise is."""
    b('new', 'g1', OUTER['b'], OUTER['a'], 'tunnel', 0, 4, NET['b'], NET['a'], 0, 0, 0, 0)
    time.sleep(0.1)
    need(inner_ping() == 3, 'the way is not there before')
    b('route', 'g1', 0)  # b wants protection for these, a knows nothing of it
    time.sleep(0.2)
    rx = echos('b')
    need(inner_ping(count=2, wait=1) == 0, 'taken in the clear')
    need(inner_ping(count=2, wait=1, size=4000) == 0 and echos('b') == rx, 'reached the host')
    need(ping(OUTER['a'], OUTER['b']) == 3 and ping(OUTER['a6'], OUTER['b6']) == 3, 'others are hit too')
    need(ping(INNER['b'], INNER['b'], side='b') == 3, 'loopback is hit')
    b('free', 'g1')
    time.sleep(0.2)
    need(inner_ping() == 3, 'goes on after the policy')
    # host to host: neighbour discovery and IKE ports stay open
    b('new', 'g2', OUTER['b6'], OUTER['a6'], 'transport', 0, 5, OUTER['b6'], OUTER['a6'], 0, 0, 0, 0)
    b('route', 'g2', 0)
    time.sleep(0.2)
    need(ping(OUTER['a6'], OUTER['b6'], count=1, wait=1) == 0, 'IPv6 taken in the clear')
    b('free', 'g2')


def bulk():
    """TCP through the tunnel, both ways: trains, checksums, reordering."""
    up('bk', algs=GCM)
    srv = subprocess.Popen(['ip', 'netns', 'exec', NS['b'], 'iperf3', '-s', '-B', INNER['b']], stdout=subprocess.DEVNULL)
    time.sleep(1)
    try:
        rates = []
        for extra in ('', '-R'):
            r = sh('ip netns exec %s iperf3 -c %s -B %s -t 3 -f m %s' % (NS['a'], INNER['b'], INNER['a'], extra))
            rates.append(int(float(re.search(r'([\d.]+) Mbits/sec\s+receiver', r.stdout).group(1))))
        need(min(rates) > 5, 'hardly anything arrives: %s' % rates)
    finally:
        srv.kill()
        srv.wait()
    s = b.stats('bk')
    need(s['auth'] == 0, 'broken packets: %s' % s)
    down('bk')
    return 'Mbit/s %s, replay drops %d' % (rates, s['replay'])


CASES = [tunnel, tunnel_v6, transport, udp_encap, algorithms, esn, rekey, acquire, expire, moving, shunts, ports, wrong_sa_is_refused, clear_is_dropped, bulk]
if backend == 'xfrm':
    CASES += [ah, ipcomp]


def left_behind(ns):
    """SAs but for the kernel's own placeholders of acquires; policies but for those of sockets."""
    sas = sh('ip -n %s -o xfrm state' % ns, False).stdout.splitlines()
    policies = sh('ip -n %s -o xfrm policy' % ns, False).stdout.splitlines()
    return '\n'.join([x for x in sas if 'spi 0x00000000' not in x] + [x for x in policies if 'dir' in x and 'socket' not in x])


def main():
    global a, b
    failed = 0
    netns_up()
    try:
        a, b = Node('a'), Node('b')
        print('# a: %s, b: %s (back end, does the kernel have its own)' % (a.hello, b.hello))
        for case in CASES:
            if wanted and case.__name__ not in wanted:
                continue
            t = time.time()
            try:
                note = case() or ''
                print('ok     %s %s %s (%.1f s)' % (backend, case.__name__, note, time.time() - t), flush=True)
            except (AssertionError, RuntimeError) as e:
                failed += 1
                print('FAILED %s %s: %s' % (backend, case.__name__, e), flush=True)
                a.close(), b.close()
                a, b = Node('a'), Node('b')
        codes = [a.close(), b.close()]
        left = [sh('ip -n %s route show table 220' % NS[s], False).stdout for s in 'ab']
        if backend == 'xfrm':
            left += [left_behind(NS[s]) for s in 'ab']
        if codes != [0, 0] or any(x.strip() for x in left):
            failed += 1
            print('FAILED %s end: exit codes %s, left behind: %s' % (backend, codes, left))
        else:
            print('ok     %s nothing left behind' % backend)
    finally:
        netns_down()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
