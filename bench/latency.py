#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""latency.py -- how long until what was on the wire can be read from a Redis node.

usage: latency.py [--mcprobe FILE] [--mode file|live] [--rate N] [--seconds N] [--runs N]
                  [--markers N] [--nodes N] [--workers N]

DNS transactions at --rate a second (20000), for --seconds (10): a query, and its answer
200 us later. Among them, --markers times a second (100), one for a name that is asked once
only. Its key dns.domain.<name> is asked for by HGET, again and again, at a redis-server
that was started for this; what is told is the time from its answer's packet to the first
reply that has it. "CPU s" is what probe, nodes and, live, the senders took.

  file   the probe replays a capture at --speed 1. A lone packet, seconds before the
         others, tells at which moment its clock began: when the probe counts it.
  live   over a veth pair in network namespaces of its own (needs root and tcpreplay);
         tcpreplay sends the load, this program the marked transactions.

Python's standard library is enough. Nothing leaves the machine.
"""
import argparse
import ctypes
import multiprocessing
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tests', 'e2e'))
START = 1700000000 * 10**6
LEAD = 3 * 10**6  # us between the lone packet and the others
ANSWER = 200  # us
CLONE_NEWNET = 0x40000000
PATIENCE = 15  # seconds to wait for the last marker


class Resp:
    """A connection that sends commands in a row and reads the replies."""

    def __init__(self, address):
        if isinstance(address, str):
            self.s = socket.socket(socket.AF_UNIX)
            self.s.connect(address)
        else:
            self.s = socket.create_connection(address)
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.s.makefile('rb')

    def ask(self, *commands):
        self.s.sendall(b''.join(
            b'*%d\r\n' % len(c) + b''.join(b'$%d\r\n%s\r\n' % (len(a), a) for a in map(str.encode, c))
            for c in commands))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.file.readline()
        if line[:1] != b'$':
            return line[1:-2]
        n = int(line[1:])
        return None if n < 0 else self.file.read(n + 2)[:-2]


# ---- packets


def name(k):
    return 'm%d.latency.example' % k


def dns(ident, qname, answer):
    wire = b''.join(bytes([len(x)]) + x.encode() for x in qname.split('.')) + b'\0'
    question = wire + struct.pack('!HH', 1, 1)
    if not answer:
        return struct.pack('!HHHHHH', ident, 0x0100, 1, 0, 0, 0) + question
    return struct.pack('!HHHHHH', ident, 0x8180, 1, 1, 0, 0) + question + \
        b'\xc0\x0c' + struct.pack('!HHIHI', 1, 1, 60, 4, 0xc6336407)


def frame(client, port, payload, back):
    """Between 10.0.0.0/8 and a server; checksums are left out, nobody looks at them."""
    ends = [0x0a000000 + client, 0xc6336435]
    ports = [port, 53]
    if back:
        ends.reverse()
        ports.reverse()
    udp = struct.pack('!HHHH', *ports, 8 + len(payload), 0) + payload
    ip = struct.pack('!BBHHHBBHII', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, *ends)
    return bytes.fromhex('02deadbeef0102deadbeef020800') + ip + udp


def pair(client, port, ident, qname):
    return [frame(client, port, dns(ident, qname, back), back) for back in (0, 1)]


def record(t, data):
    return struct.pack('<IIII', t // 10**6, t % 10**6, len(data), len(data)) + data


def write_load(path, a, marked):
    """The capture. MARKED: with the marked transactions, and after a lone packet."""
    ready = [pair(1 + i % 3000, 1024 + i % 60000, i & 0xffff, 'w%d.load.example' % (i % 5000)) for i in range(30000)]
    step, total = 10**6 / a.rate, a.rate * a.seconds
    every = max(1, a.rate // a.markers)
    begin = START + (LEAD if marked else 0)
    out, k, late = [], 0, []
    if marked:
        out.append((START, frame(9000, 9, b'x' * 20, 0)))
    for i in range(total):
        t = begin + int(i * step)
        if marked and i % every == every // 2:
            frames = pair(5000 + k, 2000, k & 0xffff, name(k))
            late.append(t + ANSWER)
            k += 1
        else:
            frames = ready[i % len(ready)]
        out += ((t, frames[0]), (t + ANSWER, frames[1]))
    out.sort(key=lambda p: p[0])
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        f.write(b''.join(record(t, d) for t, d in out))
    return late


# ---- one run


class Nodes:
    """The redis-servers of a run."""

    def __init__(self, folder, n):
        self.paths = [os.path.join(folder, 'node%d' % i) for i in range(n)]
        self.children = [subprocess.Popen(
            ['redis-server', '--port', '0', '--unixsocket', p, '--unixsocketperm', '777', '--save', '', '--appendonly',
             'no', '--dir', folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for p in self.paths]
        self.clients = []
        until(self.connect, 10)

    def connect(self):
        try:
            while len(self.clients) < len(self.paths):
                self.clients.append(Resp(self.paths[len(self.clients)]))
            return True
        except OSError:
            return False

    def have(self, names):
        """Those of NAMES whose key is in one of the nodes."""
        found = set()
        for c in self.clients:
            replies = c.ask(*[('HGET', 'dns.domain.' + n, 'queries') for n in names]) if names else []
            found |= {n for n, r in zip(names, replies) if r}
        return found

    def end(self):
        for p in self.children:
            p.kill()
            p.wait()


def until(what, seconds):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise SystemExit('latency.py: waited in vain')
        time.sleep(.001)


def poll(nodes, due, count):
    """DUE(k): the wall clock of marker K's answer, or what is known of it beforehand.
    {k: wall clock at which it was seen}."""
    seen, waiting, k, last = {}, {}, 0, time.time()
    while len(seen) < count and time.time() < max(last, due(count - 1)) + PATIENCE:
        now = time.time()
        while k < count and due(k) <= now:
            waiting[name(k)] = k
            k += 1
        for n in nodes.have(list(waiting)[:200]):
            seen[waiting.pop(n)] = last = time.time()
        time.sleep(.001)
    return seen


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def command(a, nodes, *more):
    return [a.mcprobe, '--no-dpi', '--redis', ','.join('unix:' + p for p in nodes.paths), '--probe-id', 'latency',
            '--workers', str(a.workers), *more]


def run_file(a, folder, nodes):
    path = os.path.join(folder, 'load.pcap')
    answers = write_load(path, a, True)
    port = free_port()
    child = subprocess.Popen(command(a, nodes, '-i', path, '--speed', '1', '--resp', '127.0.0.1:%d' % port),
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        probe = begun = None
        while begun is None:  # the lone packet
            try:
                probe = probe or Resp(('127.0.0.1', port))
                if b'\npackets:1\r' in probe.ask(('INFO',))[0]:
                    begun = time.time()
            except OSError:
                time.sleep(.0005)
        wall = [begun + (t - START) / 1e6 for t in answers]
        seen = poll(nodes, lambda k: wall[k], len(wall))
        log = child.communicate(timeout=60)[1].decode()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    return wall, seen, log


def socket_in(namespace, interface):
    """A socket that sends frames out of INTERFACE of another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
    there = os.open('/var/run/netns/' + namespace, os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), 'setns')
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((interface, 0))
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)
    return s


def send_markers(s, begin, count, gap, path):
    """In a process of its own; when each answer was sent goes to PATH."""
    times = []
    for k in range(count):
        query, answer = pair(5000 + k, 2000, k & 0xffff, name(k))
        time.sleep(max(0, begin + k * gap - time.time()))
        s.send(query)
        time.sleep(ANSWER / 1e6)
        times.append(time.time())
        s.send(answer)
    with open(path, 'w') as f:
        f.write('\n'.join(map(repr, times)))


def run_live(a, folder, nodes):
    import netns
    path, count = os.path.join(folder, 'load.pcap'), a.markers * a.seconds
    write_load(path, a, False)
    with netns.Rig() as rig:
        err = open(os.path.join(folder, 'log'), 'wb')
        child = rig.popen('probe', command(a, nodes, '-i', rig.capture[0], '--resp', 'none'), stdout=err, stderr=err)
        until(lambda: nodes.clients[0].ask(('EXISTS', 'probe.latency'))[0] == b'1', 20)
        time.sleep(1)
        load = rig.popen('traffic', ['tcpreplay', '-q', '--preload-pcap', '--pps=%d' % (2 * a.rate), '-i', rig.send[0],
                                     path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(1)
        begin, gap, times = time.time() + .2, 1 / a.markers, os.path.join(folder, 'times')
        s = socket_in(rig.ns['traffic'], rig.send[0])
        sender = multiprocessing.Process(target=send_markers, args=(s, begin, count, gap, times))
        sender.start()
        seen = poll(nodes, lambda k: begin + k * gap, count)
        sender.join()
        said = load.communicate(timeout=60)[0]
        child.send_signal(signal.SIGTERM)
        child.wait(30)
        err.close()
    with open(times) as f:
        wall = [float(line) for line in f]
    rate = [line.strip() for line in said.splitlines() if 'Rated' in line]
    return wall, seen, open(os.path.join(folder, 'log')).read() + '\n'.join(rate)


def figure(log, name_):
    return next((int(line.split()[1]) for line in log.splitlines() if line.split()[:1] == [name_]), 0)


def percentile(values, p):
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def main():
    p = argparse.ArgumentParser(usage=__doc__.split('usage: ')[1])
    p.add_argument('--mcprobe', default=os.environ.get('MCPROBE', './mcprobe'))
    p.add_argument('--mode', choices=('file', 'live'), default='file')
    p.add_argument('--rate', type=int, default=20000)
    p.add_argument('--seconds', type=int, default=10)
    p.add_argument('--runs', type=int, default=3)
    p.add_argument('--markers', type=int, default=100)
    p.add_argument('--nodes', type=int, default=1)
    p.add_argument('--workers', type=int, default=1)
    a = p.parse_args()
    if shutil.which('redis-server') is None:
        raise SystemExit('latency.py: needs redis-server')
    print('%d DNS transactions/s, %d s, %s, %d node(s), %d worker(s); load average %s\n' % (
        a.rate, a.seconds, a.mode, a.nodes, a.workers, os.getloadavg()[0]))
    print('| run | seen | p50 ms | p90 ms | p99 ms | max ms | packets | lost | CPU s |')
    print('|---:|---:|---:|---:|---:|---:|---:|---:|---:|')
    for n in range(a.runs):
        folder = tempfile.mkdtemp(prefix='mcprobe-')
        os.chmod(folder, 0o755)
        nodes = None
        try:
            nodes, before = Nodes(folder, a.nodes), os.times()
            wall, seen, log = (run_file if a.mode == 'file' else run_live)(a, folder, nodes)
        finally:
            if nodes:
                nodes.end()
                spent = [x - y for x, y in zip(os.times(), before)]
            shutil.rmtree(folder, ignore_errors=True)
        late = sorted((seen[k] - wall[k]) * 1e3 for k in seen)
        lost = sum(figure(log, x) for x in ('kernel_drops', 'if_drops', 'posts_lost', 'packets_lost', 'node_keys_left'))
        if not late:
            raise SystemExit('latency.py: nothing was seen\n' + log[-1500:])
        print('| %d | %d of %d | %.0f | %.0f | %.0f | %.0f | %d | %d | %.1f |' % (
            n + 1, len(seen), len(wall), *(percentile(late, x) for x in (50, 90, 99, 100)), figure(log, 'packets'), lost,
            spent[2] + spent[3]),
            flush=True)


if __name__ == '__main__':
    main()
