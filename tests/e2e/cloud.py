# SPDX-License-Identifier: BSD-3-Clause
"""What tests of the MicroCloud use: Redis servers of their own, a relay that holds bytes
back, captures with many hosts, and what the key tree must say, worked out from records.

Everything is on loopback or a socket in the test's folder, and ended by its process id.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter, defaultdict

import pytest

from conftest import SLOW, Result, Running, addresses, free_port, probe

redis = pytest.importorskip('redis', reason='needs python3-redis')
if shutil.which('redis-server') is None:
    pytest.skip('needs redis-server', allow_module_level=True)

import traffic  # of tests/gen
import wire

# A record with all that the key tree knows of its flow.
T = ('%IP_PROTOCOL_VERSION %PROTOCOL %IPV4_SRC_ADDR %IPV4_DST_ADDR %IPV6_SRC_ADDR %IPV6_DST_ADDR '
     '%L4_SRC_PORT %L4_DST_PORT %SRC_VLAN %IN_PKTS %IN_BYTES %OUT_PKTS %OUT_BYTES %IN_SRC_MAC '
     '%OUT_DST_MAC %FLOW_START_MICROSECONDS %FLOW_END_MICROSECONDS %FLOW_END_REASON')
# Fields that are sums; the others of such a hash are times and names.
SUMS = {'bytesSent', 'bytesRcvd', 'pktsSent', 'pktsRcvd', 'flowsClient', 'flowsServer', 'bytes',
        'pkts', 'flows'}
PROTOS = {6: 'tcp', 17: 'udp'}


def wait_until(what, seconds=10, saying=''):
    """Wait until WHAT() is true; what it returned."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, 'waited %g s in vain %s' % (seconds, saying)
        time.sleep(.02)


# ---- Redis servers


class RedisServer:
    """A redis-server whose append-only file is on disk before it answers, so that kill -9
    loses nothing it has acknowledged. OPTIONS are its own, as on its command line."""

    def __init__(self, folder, *options, unix=False, port=None, password=None, start=True, host='127.0.0.1'):
        self.folder, self.options, self.password, self.host = folder, list(options), password, host
        folder.mkdir(parents=True, exist_ok=True)
        self.path = str(folder / 'redis.sock') if unix else None
        self.port = 0 if unix else port or free_port(socket.SOCK_STREAM)
        self.process = None
        self.clients = []
        if start:
            self.start()

    @property
    def address(self):
        """As --redis wants it."""
        return 'unix:' + self.path if self.path else '%s:%d' % (self.host, self.port)

    def start(self, ready=True):
        argv = ['redis-server', '--port', self.port, '--bind', self.host, '--dir', self.folder,
                '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--daemonize', 'no',
                '--logfile', self.folder / 'redis.log']
        if self.path:
            argv += ['--unixsocket', self.path]
        if self.password:
            argv += ['--requirepass', self.password]
        self.process = subprocess.Popen([str(a) for a in argv + self.options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def answers():
            assert self.process.poll() is None, (self.folder / 'redis.log').read_text()[-800:]
            try:
                with self.client() as c:
                    return c.ping()
            except (redis.ConnectionError, redis.BusyLoadingError, redis.TimeoutError):
                return False
        wait_until(answers, 15, 'for redis-server')

    def client(self, **kw):
        """A client with a timeout, so that a test never hangs on a server that does."""
        kw = {'password': self.password, 'decode_responses': True, 'socket_timeout': 20, **kw}
        if self.path:
            return redis.Redis(unix_socket_path=self.path, **kw)
        return redis.Redis(host=self.host, port=self.port, **kw)

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGSTOP: the kernel goes on accepting connections and bytes, nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def cont(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        if self.process.poll() is None:
            self.kill9()
        return self.start()

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill9()


@pytest.fixture
def server(tmp_path):
    """server(OPTION...): a RedisServer; ended with the test."""
    begun = []

    def begin(*options, **kw):
        begun.append(RedisServer(tmp_path / ('redis%d' % len(begun)), *options, **kw))
        return begun[-1]
    yield begin
    for s in begun:
        s.end()


# ---- a relay


class Link:
    """One connection through a relay."""

    def __init__(self, relay, client, upstream):
        self.relay, self.client, self.upstream = relay, client, upstream
        self.held = None  # bytes of the client that wait; None: they pass
        self.deaf = False  # what the server says is thrown away
        self.lock = threading.Lock()
        self.gone = False  # the client has closed its end
        for f in (self.up, self.down):
            threading.Thread(target=f, daemon=True).start()

    def up(self):
        while data := receive(self.client):
            with self.lock:
                self.relay.look(self, data)
                if self.held is not None:
                    self.held += data
                    continue
            send(self.upstream, data)
        with self.lock:
            self.gone = True
            if self.held is None:
                shut(self.upstream, socket.SHUT_WR)

    def down(self):
        while data := receive(self.upstream):
            if not self.deaf:
                send(self.client, data)
        shut(self.client, socket.SHUT_WR)

    def stall(self):
        self.held = b''

    def release(self):
        """Let go what was held, though the client may long be gone."""
        with self.lock:
            data, self.held = self.held, None
            send(self.upstream, data or b'')
            if self.gone:
                shut(self.upstream, socket.SHUT_WR)

    def cut(self):
        """Both ends, at once."""
        for s in (self.client, self.upstream):
            shut(s, socket.SHUT_RDWR)


def receive(s):
    try:
        return s.recv(1 << 16)
    except OSError:
        return b''


def send(s, data):
    try:
        s.sendall(data)
    except OSError:
        pass


def shut(s, how):
    try:
        s.shutdown(how)
    except OSError:
        pass


class Relay:
    """A port that leads to PORT. trap(TEXT, WHAT) does WHAT, a function of a Link, with
    the next connection whose client says TEXT, before the server hears it."""

    def __init__(self, port):
        self.upstream = port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.address = '127.0.0.1:%d' % self.port
        self.links, self.seen = [], Counter()
        self.wanted, self.what, self.caught = None, None, None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            try:
                upstream = socket.create_connection(('127.0.0.1', self.upstream))
            except OSError:
                client.close()
                continue
            for s in (client, upstream):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.links.append(Link(self, client, upstream))

    def look(self, link, data):
        if self.wanted and self.wanted in data:
            self.wanted, self.caught = None, link
            self.what(link)
        elif link.held is None and b'EXEC' in data:
            self.seen[link] += 1

    def trap(self, text, what):
        self.caught, self.what, self.wanted = None, what, text

    def end(self):
        self.listener.close()
        for link in self.links:
            link.cut()
            link.client.close()
            link.upstream.close()


@pytest.fixture
def relay():
    begun = []

    def begin(port):
        begun.append(Relay(port))
        return begun[-1]
    yield begin
    for r in begun:
        r.end()


# ---- the probe as a server


class Served(Running):
    """A probe with a RESP port, in the background."""

    def __init__(self, *args, resp=None, **kw):
        self.port = free_port(socket.SOCK_STREAM)
        self.resp = resp or '127.0.0.1:%d' % self.port
        super().__init__([*args, '--resp', self.resp], **kw)

    def client(self, **kw):
        kw = {'decode_responses': True, 'socket_timeout': 20 * SLOW, **kw}
        if self.resp.startswith('unix:'):
            return redis.Redis(unix_socket_path=self.resp[5:], **kw)
        return redis.Redis(host='127.0.0.1', port=self.port, **kw)

    def listening(self):
        """Wait until it answers."""
        def answers():
            assert self.process.poll() is None, 'it ended: ' + self.text()[-1500:]
            try:
                with self.client() as c:
                    return c.ping()
            except (redis.ConnectionError, redis.AuthenticationError, redis.TimeoutError) as e:
                return isinstance(e, redis.AuthenticationError)
        wait_until(answers, 10, 'for the RESP port')
        return self

    def read(self, packets):
        """Wait until it has read PACKETS packets and the key tree has them too."""
        self.listening()
        with self.client() as c:
            wait_until(lambda: counters(c).get('packets', 0) >= packets, 30, 'for the file to be read')
            last = None
            while True:
                now = counters(c).get('cloud_updates'), c.dbsize()
                if now == last:
                    return self
                last = now
                time.sleep(.25)

    def rss_kb(self):
        with open('/proc/%d/status' % self.process.pid) as f:
            return int(re.search(r'VmRSS:\s+(\d+)', f.read())[1])

    def finish(self, seconds=10):
        """SIGTERM; the Result."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)


@pytest.fixture
def serve():
    """serve(ARG...): a Served probe; ended with the test."""
    begun = []

    def begin(*args, **kw):
        begun.append(Served(*args, **kw))
        return begun[-1]
    yield begin
    for r in begun:
        r.end()


def info_text(client, *section):
    return decoded(client.connection_pool, client, 'INFO', *section)


def decoded(pool, client, *command):
    # The client's own parser of INFO would make numbers of texts; ask below it.
    connection = pool.get_connection('INFO')
    try:
        connection.send_command(*command)
        text = connection.read_response()
        return text.decode() if isinstance(text, bytes) else text
    finally:
        pool.release(connection)


def counters(client):
    """Every `name:number` line of INFO."""
    return {k: int(v) for k, v in re.findall(r'^([a-z0-9_]+):(\d+)\r?$', info_text(client), re.M)}


# ---- what is in a node


def hashes(client, pattern):
    """{key: {field: text}} of all keys that match."""
    keys = sorted(client.scan_iter(match=pattern, count=1000))
    with client.pipeline(transaction=False) as p:
        for key in keys:
            p.hgetall(key)
        return dict(zip(keys, p.execute()))


def totals(client, pattern='ip.*'):
    """{key: {field: number}} of the fields that are sums; those that are 0 left out. A key may have none: a host
    that was only named in a DNS answer."""
    return {key: n for key, n in ((key, sums(fields)) for key, fields in hashes(client, pattern).items()) if n}


def sums(fields):
    return {f: int(v) for f, v in fields.items() if f.split('.')[-1] in SUMS and int(v)}


def merged(*many):
    """The sum of several totals()."""
    out = defaultdict(Counter)
    for one in many:
        for key, fields in one.items():
            out[key].update(fields)
    return {key: dict(fields) for key, fields in out.items()}


def flow_name(r):
    """The flow.* key of a TCP or UDP record."""
    src, dst = addresses(r)
    name = 'flow.%s.%s.%d-%s.%d' % (PROTOS[r['PROTOCOL']], src, r['L4_SRC_PORT'], dst, r['L4_DST_PORT'])
    return name + ('@%d' % r['SRC_VLAN'] if r.get('SRC_VLAN') else '')


class Tree:
    """What the key tree must hold after these RECORDS, one per connection. NAMED: they would
    have a L7_PROTO_NAME if there were one."""

    def __init__(self, records, named=False):
        self.keys, self.named = defaultdict(Counter), named
        for r in records:
            self.feed(r)

    def feed(self, r):
        vlan = r.get('SRC_VLAN') or 0
        src, dst = addresses(r)
        up, down = (r['IN_BYTES'], r['IN_PKTS']), (r['OUT_BYTES'], r['OUT_PKTS'])
        self.side('ip.' + src, vlan, up, down, 'flowsClient')
        self.side('ip.' + dst, vlan, down, up, 'flowsServer')
        for label, there, back, role in (('IN_SRC_MAC', up, down, 'flowsClient'),
                                         ('OUT_DST_MAC', down, up, 'flowsServer')):
            if r.get(label):
                self.side('mac.' + r[label].lower(), vlan, there, back, role)
        if r['PROTOCOL'] in PROTOS:
            self.sum('port.%s.%d' % (PROTOS[r['PROTOCOL']], r['L4_DST_PORT']), up, down)
        if self.named:
            self.sum('proto.' + r.get('L7_PROTO_NAME', 'Unknown'), up, down)

    def side(self, key, vlan, sent, got, role):
        for prefix in [''] + ['%d.' % vlan] * bool(vlan):
            c = self.keys[key]
            c[prefix + 'bytesSent'] += sent[0]
            c[prefix + 'pktsSent'] += sent[1]
            c[prefix + 'bytesRcvd'] += got[0]
            c[prefix + 'pktsRcvd'] += got[1]
            c[prefix + role] += 1

    def sum(self, key, up, down):
        c = self.keys[key]
        c['bytes'] += up[0] + down[0]
        c['pkts'] += up[1] + down[1]
        c['flows'] += 1

    def under(self, prefix):
        return {k: {f: n for f, n in c.items() if n} for k, c in self.keys.items() if k.startswith(prefix)}


def records_of(capture, *args):
    """Records of a run of its own, to the end of CAPTURE, and its summary."""
    r = probe('-i', capture, '--no-dpi', '--json', '-', '-T', T, *args).ok()
    return r.records, r.summary.check()


def same(got, expected):
    """got == expected, with a short account of what is not."""
    wrong = [(k, got.get(k), expected.get(k)) for k in sorted(set(got) | set(expected))
             if got.get(k) != expected.get(k)]
    assert not wrong, '%d of %d keys differ; key, got, expected: %s' % (
        len(wrong), len(expected), '; '.join(map(str, wrong[:4])))


# ---- captures


class Crowd:
    """A capture of many hosts: TCP connections from SYN to FIN, short UDP conversations,
    and a few that go on the whole time, spread over SECONDS. Some are in VLAN 20."""

    SERVERS = ['198.51.100.%d' % n for n in range(1, 7)]

    def __init__(self, path, flows=2400, hosts=300, seconds=8, seed=1):
        self.path, self.seconds = path, seconds
        rng = random.Random(seed)
        quick = {}
        for server in self.SERVERS:
            quick[server] = {(proto, size): traffic.Quick(proto, server, size)
                             for proto in (wire.TCP, wire.UDP) for size in (0, 64, 200, 250)}
        packets = []
        for i in range(flows):
            client = (10 << 24) + (seed << 16) + 1 + int(hosts * rng.random() ** 2)
            port, q = 10000 + i % 50000, quick[rng.choice(self.SERVERS)]
            t = int(rng.random() * (seconds - 1.5) * 1e6)
            if i < 20:
                steps = [(n * 250000, n & 1, wire.UDP, 200, 0) for n in range(seconds * 4 - 2)]
                t = i * 1000
            elif i % 2:
                steps = self.tcp(rng)
            else:
                steps = [(n * 90000, n & 1, wire.UDP, rng.choice((64, 200)), 0)
                         for n in range(rng.randrange(1, 8))]
            self.conversation(packets, t, steps, q, client, port, 5004 + i % 7, i % 8 == 7)
        packets.sort(key=lambda p: p[0])
        self.packets = len(packets)
        with open(path, 'wb') as f:
            f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for t, frame in packets:
                f.write(struct.pack('<IIII', t // 10**6, t % 10**6, len(frame), len(frame)) + frame)

    @staticmethod
    def tcp(rng):
        steps = [(0, 0, wire.TCP, 0, wire.SYN), (9000, 1, wire.TCP, 0, wire.SYN | wire.ACK)]
        t = 18000
        for n in range(rng.randrange(1, 5)):
            steps += [(t, 0, wire.TCP, 64, wire.PSH | wire.ACK), (t + 30000, 1, wire.TCP, 250, wire.ACK)]
            t += rng.randrange(60000, 200000)
        return steps + [(t, 0, wire.TCP, 0, wire.FIN | wire.ACK), (t + 9000, 1, wire.TCP, 0, wire.FIN | wire.ACK)]

    @staticmethod
    def conversation(packets, t, steps, quick, client, port, service, tagged):
        seq = [1000, 5000]
        for after, d, proto, size, flags in steps:
            frame = quick[proto, size].frame(client, port, 80 if proto == wire.TCP else service, d,
                                             flags, seq[d], seq[1 - d])
            seq[d] += size + bool(flags & (wire.SYN | wire.FIN))
            if d:
                frame = frame[6:12] + frame[:6] + frame[12:]
            if tagged:
                frame = frame[:12] + b'\x81\0\0\x14' + frame[12:]
            packets.append((traffic.START + t + after, frame))


# Idle flows end while the file is read; none is cut in two.
CROWD = ['-d', '2', '-t', '1000000000']


_crowds = []  # the one of this session: a fixture that is imported is each module's own


@pytest.fixture(scope='session')
def crowd(tmp_path_factory):
    """A Crowd of 8 s, with .records and .tree of a run without any cloud."""
    if not _crowds:
        c = Crowd(tmp_path_factory.mktemp('crowd') / 'crowd.pcap')
        c.records, c.summary = records_of(c.path, *CROWD)
        assert c.summary['packets'] == c.packets
        c.tree = Tree(c.records)
        _crowds.append(c)
    return _crowds[0]


def lines_of(path):
    """The JSON lines of a file so far."""
    with open(path, 'rb') as f:
        return [json.loads(line) for line in f.read().split(b'\n')[:-1]]


def lossless(result, packets=None):
    """A run that lost nothing, neither packets nor keys."""
    s = result.ok().summary.check()
    assert not re.search('Sanitizer|runtime error', result.text), result.text[-2000:]
    for name in ('packets_lost', 'records_lost', 'posts_lost', 'kernel_drops', 'cloud_no_room',
                 'cloud_other', 'node_keys_left', 'node_batches_left'):
        assert s[name] == 0, '%s %d' % (name, s[name])
    assert packets is None or s['packets'] == packets
    return s


class Listener(threading.Thread):
    """What is published on PATTERNS, from the moment it is made."""

    def __init__(self, client, *patterns):
        super().__init__(daemon=True)
        self.pubsub = client.pubsub(ignore_subscribe_messages=False)
        self.pubsub.psubscribe(*patterns)
        for _ in patterns:
            m = self.pubsub.get_message(timeout=5)
            assert m and m['type'] == 'psubscribe', m
        self.got, self.ended = [], False
        self.start()

    def run(self):
        while not self.ended:
            try:
                m = self.pubsub.get_message(timeout=.05)
            except (redis.ConnectionError, ValueError, OSError):
                return
            if m and m['type'] == 'pmessage':
                self.got.append((m['channel'], m['data']))

    def on(self, channel):
        return [data for c, data in list(self.got) if c == channel]

    def end(self):
        self.ended = True
        self.join(5)
        self.pubsub.close()

