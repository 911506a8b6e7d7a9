#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""soak.py -- the probe under mixed traffic at a steady rate, for hours, while all around it
comes and goes: Redis is killed and started again, collectors (UDP and TCP) are cut, read
slowly and come back, clients ask, subscribers listen, and one of them too slowly.

    soak.py --probe ./mcprobe --hours 0.5

As root the traffic goes over a veth pair in network namespaces of its own, else through a
pipe. A line a minute; at the end the verdict, and status 0 if all of it holds:

    memory        resident size, median of the last quarter after warm-up over that of the
                  first quarter: less than 1 % more
    conservation  packets sent = packets in records + packets in counters of drops, exactly;
                  for each collector, records written = sent + counted as lost; what came of
                  those sent, and no gap in the sequence numbers of a TCP session
    descriptors   no more at the end than after warm-up, by the same medians

Needs python3-redis, redis-server and pytest (whose helpers of tests/e2e it shares)."""
import argparse
import ctypes
import heapq
import json
import multiprocessing
import os
import random
import re
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / 'e2e'), str(HERE / 'gen')]

# What the exporters carry: fixed lengths, so that a collector of few lines can read it.
TEMPLATE = ('%IP_PROTOCOL_VERSION %PROTOCOL %IPV4_SRC_ADDR %IPV4_DST_ADDR %IPV6_SRC_ADDR %IPV6_DST_ADDR '
            '%L4_SRC_PORT %L4_DST_PORT %IN_PKTS %IN_BYTES %OUT_PKTS %OUT_BYTES %FLOW_START_MILLISECONDS '
            '%FLOW_END_MILLISECONDS %FLOW_END_REASON')
CLONE_NEWNET = 0x40000000
WARM = 420  # seconds, or half of a short run


def enter(name):
    """This process, and threads it starts from now on, into the network namespace NAME."""
    fd = os.open('/var/run/netns/' + name, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'setns ' + name)
    os.close(fd)


# ---- traffic


def office_frames(folder, seeds):
    """Frames of the generator's scenes: DNS, HTTP, TLS, RADIUS, fragments, tunnels, ..."""
    frames = []
    for seed in range(seeds):
        path = folder / ('office%d.pcap' % seed)
        subprocess.run([sys.executable, str(HERE / 'gen/traffic.py'), '-o', str(path), '--what', 'all', '--seed',
                        str(seed)], check=True)
        data, at = path.read_bytes(), 24
        while at < len(data):
            size = struct.unpack_from('<I', data, at + 8)[0]
            frames.append(data[at + 16:at + 16 + size])
            at += 16 + size
        path.unlink()
    return frames


def conversations(lanes, seed=1):
    """Frames of short conversations side by side, each from an address of its own: 2^18 of
    them, over and over."""
    import traffic
    import wire
    rng = random.Random(seed)
    quick = {(proto, server, size): traffic.Quick(proto, '198.51.100.%d' % server, size)
             for proto in (wire.TCP, wire.UDP) for server in range(1, 9) for size in (0, 64, 250)}
    serial = 0

    def talk():
        nonlocal serial
        serial = (serial + 1) & 0x3ffff
        client, port, server = (10 << 24) + 1 + serial, rng.randrange(1024, 65536), rng.randrange(1, 9)
        kind = rng.random()
        if kind < .1:  # asked, never answered
            yield quick[wire.TCP, server, 0].frame(client, port, 443, 0, wire.SYN, 1000)
            return
        if kind < .5:
            for n in range(rng.randrange(1, 6)):
                yield quick[wire.UDP, server, (64, 250)[n & 1]].frame(client, port, 5004, n & 1)
            return
        seq = [1000, 5000]
        steps = [(0, 0, wire.SYN), (1, 0, wire.SYN | wire.ACK), (0, 64, wire.PSH | wire.ACK), (1, 250, wire.ACK)]
        steps += [(n & 1, 250, wire.ACK) for n in range(rng.randrange(6))]
        steps += [(0, 0, wire.FIN | wire.ACK), (1, 0, wire.FIN | wire.ACK)] if kind < .9 else []
        for d, size, flags in steps:
            yield quick[wire.TCP, server, size].frame(client, port, 80, d, flags, seq[d], seq[1 - d])
            seq[d] += size + bool(flags & (wire.SYN | wire.FIN))
    due = [(rng.random(), n, talk()) for n in range(lanes)]
    heapq.heapify(due)
    while True:
        when, n, lane = due[0]
        frame = next(lane, None)
        if frame is None:
            heapq.heapreplace(due, (when, n, talk()))
        else:
            heapq.heapreplace(due, (when + rng.random(), n, lane))
            yield frame


def mixture(frames, lanes):
    """One of the office in ten."""
    n, rest = 0, conversations(lanes)
    while True:
        yield frames[n]
        n = (n + 1) % len(frames)
        for _ in range(9):
            yield next(rest)


def send_live(name, interface, frames, lanes, rate, sent, go, stop):
    """The sender's process: RATE packets a second to INTERFACE until STOP; counts in SENT."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    enter(name)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((interface, 0))

    def put(frame):
        while True:
            try:
                s.send(frame)
                return
            except OSError:
                time.sleep(.001)  # no buffers: again
    send(put, frames, lanes, rate, sent, go, stop)


def send_pipe(other, fd, frames, lanes, rate, sent, go, stop):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.close(other)
    out = os.fdopen(fd, 'wb')
    out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))

    def put(frame):
        now = time.time_ns() // 1000
        out.write(struct.pack('<IIII', now // 10**6, now % 10**6, len(frame), len(frame)) + frame)
    send(put, frames, lanes, rate, sent, go, stop, out.flush)
    out.close()


def send(put, frames, lanes, rate, sent, go, stop, flush=lambda: None):
    source, n = mixture(frames, lanes), 0
    go.wait()
    begin = time.monotonic()
    while not stop.is_set():
        now = time.monotonic()
        want = int((now - begin) * rate)
        if want - n > rate:  # held up for a second: do not catch up in a burst
            begin = now - n / rate
            continue
        for frame in (next(source) for _ in range(want - n)):
            put(frame)
            n += 1
        flush()
        sent.value = n
        time.sleep(.005)
    sent.value = n


# ---- collectors


class Ipfix:
    """Counts the data records of flows, and what sequence numbers say is missing."""

    def __init__(self):
        self.length, self.records, self.missing, self.next, self.bad = {}, 0, 0, 0, 0
        self.fields = {}

    def session(self):
        self.next = 0

    def message(self, data):
        version, length, _, sequence, _ = struct.unpack_from('>HHIII', data)
        if version != 10 or length != len(data):
            self.bad += 1
            return
        at, count = 16, 0
        while at + 4 <= length:
            kind, size = struct.unpack_from('>HH', data, at)
            if size < 4 or at + size > length:
                self.bad += 1
                return
            if kind in (2, 3):
                self.templates(data[at + 4:at + size], kind == 3)
            elif kind in self.length:
                flow, n = self.length[kind]
                n = (size - 4) // n if n else self.varying(kind, data[at + 4:at + size])
                count += n
                self.records += n if flow else 0
            else:
                self.bad += 1
            at += size
        self.missing += (sequence - self.next) & 0xffffffff
        self.next = (sequence + count) & 0xffffffff

    def varying(self, kind, data):
        """Options with strings in them."""
        at, n = 0, 0
        fields = self.fields[kind]
        while len(data) - at >= len(fields):
            for f in fields:
                if f == 0xffff:
                    f, at = data[at], at + 1
                    if f == 255:
                        f, at = struct.unpack_from('>H', data, at)[0], at + 2
                at += f
            n += 1
        return n

    def templates(self, data, options):
        at = 0
        while at + 4 <= len(data):
            ident, n = struct.unpack_from('>HH', data, at)
            at += 6 if options else 4
            sizes = []
            for _ in range(n):
                element, size = struct.unpack_from('>HH', data, at)
                at += 8 if element & 0x8000 else 4
                sizes.append(size)
            self.fields[ident] = sizes
            self.length[ident] = (not options, 0 if 0xffff in sizes else sum(sizes))


class UdpCollector(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.ipfix, self.cuts, self.on, self.quit = Ipfix(), 0, True, False
        self.open(0)
        self.port = self.socket.getsockname()[1]
        self.start()

    def open(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(('127.0.0.1', port))

    def run(self):
        while not self.quit:
            if self.on and self.socket is None:
                self.open(self.port)
            if not self.on and self.socket is not None:
                while select.select([self.socket], [], [], 0)[0]:
                    self.ipfix.message(self.socket.recv(65536))
                self.socket.close()
                self.socket = None
                self.cuts += 1
            if self.socket is None:
                time.sleep(.1)
            elif select.select([self.socket], [], [], .1)[0]:
                self.ipfix.message(self.socket.recv(65536))


class TcpCollector(threading.Thread):
    """A connection at a time. SLOW: reads a little now and then."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ipfix, self.cuts, self.on, self.slow, self.quit = Ipfix(), 0, True, False, False
        self.peer, self.buffer = None, b''
        self.listen(0)
        self.port = self.listener.getsockname()[1]
        self.start()

    def listen(self, port):
        self.listener = socket.create_server(('127.0.0.1', port))

    def run(self):
        while not self.quit:
            if self.on and self.listener is None:
                self.listen(self.port)
            if not self.on and self.listener is not None:
                self.listener.close()
                self.listener = None
                self.lose()
                self.cuts += 1
            ends = [s for s in (self.peer or self.listener,) if s]
            if not ends:
                time.sleep(.1)
                continue
            if self.slow:
                time.sleep(.5)
            if not select.select(ends, [], [], .1)[0]:
                continue
            if self.peer is None:
                self.peer, self.buffer = self.listener.accept()[0], b''
                self.ipfix.session()
            else:
                self.take(4096 if self.slow else 1 << 16)

    def lose(self):
        if self.peer:
            self.peer.close()
        self.peer = None

    def take(self, size):
        try:
            data = self.peer.recv(size)
        except OSError:
            data = b''
        if not data:
            self.lose()
        self.buffer += data
        while len(self.buffer) >= 4 and len(self.buffer) >= (n := struct.unpack_from('>H', self.buffer, 2)[0]) > 0:
            self.ipfix.message(self.buffer[:n])
            self.buffer = self.buffer[n:]


# ---- clients


class Clients:
    """Threads that ask, listen, and listen too slowly, until STOP."""

    def __init__(self, connect, port):
        self.connect, self.port, self.stop = connect, port, threading.Event()
        self.asked, self.errors, self.heard, self.cut = 0, [], 0, 0
        self.threads = [threading.Thread(target=self.run, args=(f,), daemon=True)
                        for f in (self.ask, self.listen, self.listen_slowly)]
        for t in self.threads:
            t.start()

    def run(self, what):
        while not self.stop.is_set():
            try:
                what()
            except Exception as e:  # told in the verdict
                if len(self.errors) < 20:
                    self.errors.append('%s: %s: %s' % (what.__name__, type(e).__name__, e))
                self.stop.wait(1)

    def ask(self):
        """A connection of some hundred questions, then another."""
        with self.connect() as c:
            for n in range(200):
                if self.stop.is_set():
                    return
                cursor, keys = c.scan(0, match=('ip.*', 'flow.*', 'dns.*', 'port.*')[n % 4], count=200)
                with c.pipeline(transaction=False) as p:
                    for key in keys[:50]:
                        p.type(key)
                    kinds = p.execute()
                    for key, kind in zip(keys, kinds):
                        p.hgetall(key) if kind == 'hash' else p.exists(key)
                    p.execute()
                c.execute_command('TOP', 'ip', 'bytes', 10)
                c.execute_command('INFO')
                if n % 20 == 0:
                    sum(1 for _ in c.scan_iter(match='ip.10.0.1*', count=1000))
                self.asked += 3 + 2 * len(keys[:50])
                self.stop.wait(.25)

    def listen(self):
        with self.connect() as c:
            pubsub = c.pubsub()
            pubsub.psubscribe('*')
            while not self.stop.is_set():
                if pubsub.get_message(timeout=.2):
                    self.heard += 1
            pubsub.close()

    def listen_slowly(self):
        """Reads less than there is, until it is cut off; then comes back."""
        with socket.create_connection(('127.0.0.1', self.port), 10) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b'PSUBSCRIBE *\r\n')
            while not self.stop.is_set():
                try:
                    data = s.recv(64)
                except OSError:
                    data = b''
                if not data:
                    self.cut += 1
                    return
                self.stop.wait(.5)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)


# ---- the run


class Soak:
    def __init__(self, args, folder):
        self.args, self.folder, self.seconds = args, folder, args.hours * 3600
        self.live = args.live
        self.rig = None
        self.samples, self.failed = [], []
        self.packets = self.records = 0
        self.sent = multiprocessing.Value('Q', 0)
        self.go, self.halt = multiprocessing.Event(), multiprocessing.Event()
        self.interface, self.pipe, self.probe, self.redis, self.sender = '-', None, None, None, None

    def open(self):
        from cloud import RedisServer
        folder = self.folder
        if self.live:
            import netns
            self.rig = netns.Rig().__enter__()
            self.interface = self.rig.capture[0]
        self.start_sender(office_frames(folder, self.args.seeds))
        if self.live:
            enter(self.rig.ns['probe'])
            subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
        threading.excepthook = self.thread_failed
        self.udp, self.tcp = UdpCollector(), TcpCollector()
        # Small files, so that it is back soon.
        self.redis = RedisServer(folder / 'redis', '--auto-aof-rewrite-min-size', '16mb', '--appendfsync', 'everysec')
        self.redis.wait_ready = lambda: None  # later ones are not waited for
        self.start_probe()
        self.send()

    def thread_failed(self, args):
        self.failed.append('%s: %s' % (args.thread.name, args.exc_value))
        sys.__excepthook__(args.exc_type, args.exc_value, args.exc_traceback)

    def start_sender(self, frames):
        """Before anything else is open, because a child holds all of it."""
        if self.live:
            target, first = send_live, (self.rig.ns['traffic'], self.rig.send[0])
        else:
            self.pipe = os.pipe()
            target, first = send_pipe, self.pipe
        self.sender = multiprocessing.Process(target=target, args=first + (
            frames, self.args.lanes, self.args.rate, self.sent, self.go, self.halt), daemon=True)
        self.sender.start()
        if self.pipe:
            os.close(self.pipe[1])

    def start_probe(self):
        from conftest import free_port
        self.port = free_port(socket.SOCK_STREAM)
        a = self.args
        argv = [a.probe, '-i', self.interface, '-T', TEMPLATE, '-V', '10', '-a', '-n', 'udp://127.0.0.1:%d' % self.udp.port,
                '-n', 'tcp://127.0.0.1:%d' % self.tcp.port, '--json', '-', '-M', '16384', '-t', '30', '-d', '5', '-l', '2',
                '--tunnel', '--templ-interval', '10', '--redis', self.redis.address, '--resp', '127.0.0.1:%d' % self.port,
                '--volatile-ttl', '30', '--cloud-interval', '5', '--publish', 'all', '--probe-id', 'soak', '--watch',
                '--workers', '2' if self.live else '1', *a.option]
        self.log = open(self.folder / 'probe.log', 'wb+')
        self.probe = subprocess.Popen([str(x) for x in argv], stdin=self.pipe[0] if self.pipe else subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=self.log)
        if self.pipe:
            os.close(self.pipe[0])
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def client(self):
        import redis
        return redis.Redis(host='127.0.0.1', port=self.port, decode_responses=True, socket_timeout=30)

    def read(self):
        """The records, as they come on standard output."""
        for line in self.probe.stdout:
            r = json.loads(line)
            self.records += 1
            self.packets += r['IN_PKTS'] + r.get('OUT_PKTS', 0)

    def send(self):
        """From the moment on that the probe hears."""
        end = time.monotonic() + 30
        while self.live and not (self.captures() and self.answers()):
            if self.probe.poll() is not None or time.monotonic() > end:
                raise SystemExit('the probe does not start:\n' + (self.folder / 'probe.log').read_text())
            time.sleep(.1)
        if self.live:
            time.sleep(.5)
        self.go.set()
        while self.sent.value < self.args.rate // 10 or not self.answers():
            time.sleep(.05)
        self.clients = Clients(self.client, self.port)

    def captures(self):
        """Its sockets are bound."""
        try:
            lines = Path('/proc/%d/net/packet' % self.probe.pid).read_text().splitlines()[1:]
        except OSError:
            return False
        return len([x for x in lines if x.split()[5] == '1']) >= 2

    def answers(self):
        from cloud import redis
        try:
            with self.client() as c:
                return c.ping()
        except (redis.ConnectionError, OSError):
            return False

    def counters(self):
        from cloud import counters
        with self.client() as c:
            return counters(c)

    def sample(self):
        """(seconds, kB resident, descriptors)"""
        status = Path('/proc/%d/status' % self.probe.pid).read_text()
        return (time.monotonic() - self.begin, int(re.search(r'VmRSS:\s+(\d+)', status)[1]),
                len(os.listdir('/proc/%d/fd' % self.probe.pid)))

    def plan(self):
        """Rounds of trouble: (seconds to the next, what happens)."""
        u = self.args.unit

        def cut(collector):
            before, collector.on = collector.cuts, False
            end = time.monotonic() + 10
            while collector.cuts == before and time.monotonic() < end:
                time.sleep(.01)

        def back():
            self.udp.on = self.tcp.on = True
            self.tcp.slow = False
            if self.redis.process.poll() is not None:
                self.redis.start()

        def slow():
            self.tcp.slow = True

        def kill():
            self.restarts += 1
            self.redis.kill9()
            if self.restarts % 2 == 0:  # and comes back empty
                shutil.rmtree(self.folder / 'redis')
                (self.folder / 'redis').mkdir()
        return ((2 * u, lambda: None), (u, lambda: cut(self.udp)), (u, back), (u, lambda: cut(self.tcp)), (u, back),
                (u, slow), (u, back), (u / 2, kill), (3.5 * u, back))

    def trouble(self, now):
        """The next step of a round that is due. The last is over well before the end, and one
        there is in any case."""
        if now < self.due:
            return
        wait, what = self.steps[self.step]
        calm = max(3 * self.args.unit, 4)
        if self.step == 0 and self.rounds > 0 and now + sum(w for w, _ in self.steps) > self.seconds - calm:
            return
        what()
        self.due = now + wait
        self.step += 1
        if self.step == len(self.steps):
            self.step, self.rounds = 0, self.rounds + 1
            self.seconds = max(self.seconds, now + calm)

    def tell(self):
        from conftest import COUNTERS
        try:
            c = self.counters()
        except Exception as e:
            print('  no answer: %s' % e, flush=True)
            self.failed.append('a question at %d s was not answered' % self.samples[-1][0])
            return
        losses = ' '.join('%s=%d' % (k, c[k]) for k, kind in COUNTERS.items() if kind in ('LOSS', 'DROP') and c.get(k))
        last = self.samples[-1]
        print('%6.1f min  packets %d/%d sent  flows %d  records %d  rss %d kB  fds %d  heard %d  slow cut %d  %s'
              % (last[0] / 60, c['packets'], self.sent.value, c['flows'], c['records'], last[1], last[2],
                 self.clients.heard, self.clients.cut, losses), flush=True)

    def run(self):
        self.begin, self.restarts, self.rounds, self.step, self.due = time.monotonic(), 0, 0, 0, 0
        self.steps = self.plan()
        line = self.args.line
        while (now := time.monotonic() - self.begin) < self.seconds or not self.rounds:
            if self.probe.poll() is not None:
                self.failed.append('the probe ended with status %d' % self.probe.returncode)
                return
            self.trouble(now)
            self.samples.append(self.sample())
            if now >= line:
                self.tell()
                line += self.args.line
            time.sleep(min(1, self.args.unit / 5))

    def finish(self):
        """The probe's Result."""
        from conftest import Result
        self.clients.end()
        self.halt.set()
        self.sender.join(30)
        if self.live:
            time.sleep(2)  # the kernel's ring
            if self.probe.poll() is None:
                self.probe.send_signal(signal.SIGTERM)
        try:
            status = self.probe.wait(60)
        except subprocess.TimeoutExpired:
            self.failed.append('it does not end')
            self.probe.kill()
            status = self.probe.wait()
        self.reader.join(30)
        time.sleep(1)
        for c in (self.udp, self.tcp):
            c.quit = True
            c.join(10)
        self.log.seek(0)
        return Result(status, b'', self.log.read())

    def check(self, what, holds):
        print('%s  %s' % ('ok    ' if holds else 'FAILED', what), flush=True)
        if not holds:
            self.failed.append(what)

    def verdict(self, r):
        from conftest import COUNTERS
        self.check('status %d' % r.status, r.status == 0)
        self.check('no finding of a sanitizer', not re.search('Sanitizer|runtime error', r.text))
        s = r.summary
        drops = {k: s[k] for k, kind in COUNTERS.items()
                 if s[k] and (kind == 'DROP' or k in ('kernel_drops', 'interface_drops', 'packets_lost', 'small_packets'))}
        sent = self.sent.value
        self.check('packets: %d sent = %d in %d records + %d dropped (%s)' % (
            sent, self.packets, self.records, sum(drops.values()),
            ' '.join('%s=%d' % d for d in drops.items())), sent == self.packets + sum(drops.values()))
        self.check('records: %d written = %d counted' % (self.records, s['records']), self.records == s['records'])
        u, t = self.udp.ipfix, self.tcp.ipfix
        told = {kind: (int(sent), int(lost)) for kind, sent, lost in re.findall(
            r'collector (udp|tcp)://\S+: \d+ messages, \d+ octets, (\d+) records sent; \d+ messages not sent, (\d+) rec',
            r.text)}
        for kind, c, x in ('udp', self.udp, u), ('tcp', self.tcp, t):
            sent, lost = told.get(kind, (0, 0))
            # What lay in the kernel when a collector died is beyond the probe's sight.
            self.check('%s collector, cut %d times: %d records come of %d sent, %d lost, together the %d written;'
                       ' %d messages not understood' % (kind, c.cuts, x.records, sent, lost, sent + lost, x.bad),
                       sent + lost == s['records'] and not x.bad and 0 <= sent - x.records <= 2000 * c.cuts)
        self.check('sequence numbers: udp %d missing, and none within the sessions of tcp (%d)' % (u.missing, t.missing),
                   t.missing == 0 and u.records + u.missing >= s['records'])
        self.check('exported %d + lost %d = 2 x %d records; collectors miss %d' % (
            s['export_records'], s['export_lost'], s['records'], 2 * s['records'] - u.records - t.records),
            s['export_records'] + s['export_lost'] == 2 * s['records'])
        self.check('Redis killed %d times; %d keys and %d batches left unwritten' % (
            self.restarts, s['node_keys_left'], s['node_batches_left']), not s['node_keys_left'] + s['node_batches_left'])
        self.check('%d questions, %d events heard, slow subscriber cut off %d times, errors: %s' % (
            self.clients.asked, self.clients.heard, self.clients.cut, self.clients.errors or 'none'),
            self.clients.asked and self.clients.heard and not self.clients.errors)
        self.growth()

    def growth(self):
        # Top lists hold what the last five minutes had: until the sixth they fill.
        warm = min(max(self.args.warmup * self.seconds, WARM), self.seconds / 2)
        after = [x for x in self.samples if x[0] >= warm]
        quarter = len(after) // 4
        first, last = after[:quarter], after[-quarter:]
        if not quarter:
            self.check('samples enough', False)
            return
        a, b = (statistics.median(x[1] for x in part) for part in (first, last))
        self.check('memory after %.1f min of warm-up: %d kB, at the end %d kB: %+.2f %% (limit %g %%); most ever %d kB' % (
            warm / 60, a, b, 100 * (b / a - 1), self.args.drift, max(x[1] for x in self.samples)),
            b <= a * (1 + self.args.drift / 100))
        a, b = (statistics.median(x[2] for x in part) for part in (first, last))
        slack = 0 if self.seconds >= 600 else 4  # clients come and go
        self.check('descriptors: %d, at the end %d; most ever %d' % (a, b, max(x[2] for x in self.samples)), b <= a + slack)

    def end(self):
        for p in (self.probe, self.redis and self.redis.process):
            if p and p.poll() is None:
                p.kill()
                p.wait()
        if self.sender and self.sender.is_alive():
            self.sender.kill()
        if self.rig:
            self.rig.close()


def arguments(argv):
    p = argparse.ArgumentParser(description='Run the probe for hours under mixed traffic and trouble.')
    p.add_argument('--probe', default=os.environ.get('MCPROBE', './mcprobe'), help='the program [./mcprobe]')
    p.add_argument('--hours', type=float, default=1, help='fractions too [1]')
    p.add_argument('--rate', type=int, default=2000, help='packets a second [2000]')
    p.add_argument('--seeds', type=int, default=8, help='different captures of the office [8]')
    p.add_argument('--lanes', type=int, default=500, help='conversations side by side [500]')
    p.add_argument('--unit', type=float, default=15, help='seconds: a round of trouble is 12 of them [15]')
    p.add_argument('--line', type=float, default=60, help='seconds between lines [60]')
    p.add_argument('--warmup', type=float, default=.33, help='part of the time that is warm-up, at least 7 min of a long run [.33]')
    p.add_argument('--drift', type=float, default=1, help='growth of memory allowed, in %% [1]')
    p.add_argument('--pipe', dest='live', action='store_false', default=os.geteuid() == 0,
                   help='through a pipe, though we are root')
    p.add_argument('option', nargs='*', help='more options for the probe, after --')
    return p.parse_args(argv)


def main(argv=None):
    args = arguments(argv)
    args.probe = os.path.abspath(args.probe)
    os.environ['MCPROBE'] = args.probe
    try:
        import cloud  # noqa: F401  skips, by an exception of its own, where there is no Redis
    except BaseException as e:
        print('soak: %s: %s' % (sys.executable, e))
        return 77
    if args.live:
        import netns
        reason = netns.available()
        if reason:
            print('soak: through a pipe: ' + reason)
            args.live = False
    with tempfile.TemporaryDirectory(prefix='mcprobe-soak-') as folder:
        soak = Soak(args, Path(folder))
        try:
            soak.open()
            soak.run()
            result = soak.finish()
            soak.verdict(result)
        finally:
            soak.end()
        if soak.failed:
            print(result.text[-3000:])
    print('soak: ' + ('FAILED: ' + '; '.join(soak.failed) if soak.failed else 'all holds'))
    return 1 if soak.failed else 0


if __name__ == '__main__':
    sys.exit(main())
