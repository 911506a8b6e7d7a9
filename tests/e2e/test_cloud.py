# SPDX-License-Identifier: BSD-3-Clause
"""The MicroCloud: what the key tree says is what the packets say, on nodes and in the probe;
lives of keys; events; heartbeats; the command channel; and queries by storm."""
import json
import re
import select
import signal
import socket
import threading
import time
from collections import Counter, defaultdict

import pytest

from cloud import (CROWD, Crowd, Listener, Served, T, Tree, counters, crowd, flow_name, lines_of, lossless,
                   merged, records_of, redis, same, serve, server, totals, wait_until)
from conftest import FOREVER, SLOW, addresses, probe


@pytest.fixture(scope='module')
def has_ndpi(captures):
    r = probe('-i', captures('dns'), '--resp', 'none', '-T', '%L7_PROTO_NAME', '--json', '-')
    if 'nDPI' in r.text and r.status == 2:
        pytest.skip('built without nDPI')


def write(capture, where, *more, name='p1', resp='none'):
    """Arguments of a run with a node."""
    return ['-i', capture, '--resp', resp, '--probe-id', name, '--redis', where, *more]


# ---- values


def test_own_tree(captures, serve):
    """--stay: hosts, stations, VLANs and ports of ended and of living flows alike."""
    records, summary = records_of(captures(), *FOREVER)
    want = Tree(records)
    p = serve('-i', captures(), '--stay', '--no-dpi', *FOREVER).read(summary['packets'])
    with p.client() as c:
        for prefix in ('ip.', 'mac.', 'port.'):
            same(totals(c, prefix + '*'), want.under(prefix))
        same(totals(c, 'vlan.*'), vlans(records))
        for key in totals(c):
            times = c.hmget(key, 'firstSeen', 'lastSeen')
            assert 1700000000 <= int(times[0]) <= int(times[1]) <= 1700000100
    lossless(p.finish(), summary['packets'])


def vlans(records):
    """Keys vlan.*: sent is what clients sent, and both flow counters count."""
    out = defaultdict(Counter)
    for r in records:
        if r.get('SRC_VLAN'):
            out['vlan.%d' % r['SRC_VLAN']].update(
                bytesSent=r['IN_BYTES'], pktsSent=r['IN_PKTS'], bytesRcvd=r['OUT_BYTES'],
                pktsRcvd=r['OUT_PKTS'], flowsClient=1, flowsServer=1)
    return {k: {f: n for f, n in c.items() if n} for k, c in out.items()}


@pytest.mark.parametrize('workers', [1, 2])
def test_node_values(captures, server, workers, tmp_path, has_ndpi):
    """A file read to its end, at full speed: names of applications too."""
    s, out = server(), tmp_path / 'out.json'
    r = probe(*write(captures(), s.address, *FOREVER, '--json', out, '-T', T + ' %L7_PROTO_NAME',
                     '--workers', workers))
    records = lines_of(out)
    found = lossless(r)
    assert len(records) == found['records']
    want, c = Tree(records, named=True), s.client()
    for prefix in ('ip.', 'mac.', 'port.', 'proto.'):
        same(totals(c, prefix + '*'), want.under(prefix))
    same(totals(c, 'vlan.*'), vlans(records))
    assert 'proto.DNS' in want.keys and 'proto.HTTP' in want.keys
    for metric, prefix in (('ip', 'ip.'), ('proto', 'proto.')):
        octets = {k[len(prefix):]: f.get('bytes', f.get('bytesSent', 0) + f.get('bytesRcvd', 0))
                  for k, f in want.under(prefix).items()}
        assert summed(c, 'top.%s.bytes.*' % metric) == {k: n for k, n in octets.items() if n}


def summed(client, pattern):
    out = Counter()
    for key in client.keys(pattern):
        assert client.ttl(key) > 0
        for member, score in client.zrange(key, 0, -1, withscores=True):
            out[member] += int(score)
    return dict(out)


def test_unix_socket_and_database(captures, server, tmp_path):
    records, summary = records_of(captures(), *FOREVER)
    s = server(unix=True, password='a b')
    (tmp_path / 'pw').write_text('a b\n')
    lossless(probe(*write(captures(), s.address, '--no-dpi', *FOREVER, '--redis-db', 3,
                          '--redis-password-file', tmp_path / 'pw')), summary['packets'])
    same(totals(s.client(db=3)), Tree(records).under('ip.'))
    assert not s.client().keys('*')


def test_acl_user(captures, server, tmp_path):
    s = server()
    s.client().execute_command('ACL', 'SETUSER', 'probe', 'on', '>pw', '~*', '&*', '+@all', '-@dangerous', '+info',
                               '+role')
    (tmp_path / 'pw').write_text('pw\n')
    records, summary = records_of(captures('dns'), *FOREVER)
    lossless(probe(*write(captures('dns'), s.address, '--no-dpi', *FOREVER, '--redis-user', 'probe',
                          '--redis-password-file', tmp_path / 'pw')), summary['packets'])
    same(totals(s.client()), Tree(records).under('ip.'))


def test_cap(crowd, server):
    """Beyond --max-keys it is ip.other that counts, and nothing is missing in sum."""
    s = server()
    r = probe(*write(crowd.path, s.address, *CROWD, '--no-dpi', '--max-keys', 50))
    assert r.ok().summary.check()['cloud_other'] > 0
    got = totals(s.client())
    assert len(got) <= 51 and 'ip.other' in got
    for field in ('bytesSent', 'pktsRcvd', 'flowsClient'):
        assert sum(f.get(field, 0) for f in got.values()) == \
            sum(f.get(field, 0) for f in crowd.tree.under('ip.').values())


def test_active_timeout_counts_once(captures, server):
    """Flows cut by the active timeout are one connection, their octets all there."""
    whole, summary = records_of(captures('long'), *FOREVER)
    cut, _ = records_of(captures('long'), '-t', 20, '-d', 600)
    assert len(cut) > 3 * len(whole)
    s = server()
    r = probe(*write(captures('long'), s.address, '--no-dpi', '-t', 20, '-d', 600))
    lossless(r, summary['packets'])
    same(totals(s.client()), Tree(whole).under('ip.'))


# ---- lives


class Quiet:
    """A capture in which some hosts fall silent after the first second and others go on."""

    def __init__(self, path, seconds):
        early = Crowd(path.with_suffix('.early'), flows=200, hosts=40, seconds=2, seed=1)
        late = Crowd(path.with_suffix('.late'), flows=200, hosts=40, seconds=seconds, seed=2)
        frames = []
        for n, part in enumerate((early, late)):
            data = part.path.read_bytes()[24:]
            while data:
                sec, usec, size = (int.from_bytes(data[i:i + 4], 'little') for i in (0, 4, 8))
                frames.append((sec, usec, n, data[:16 + size]))
                data = data[16 + size:]
        frames.sort(key=lambda f: f[:3])
        path.write_bytes(early.path.read_bytes()[:24] + b''.join(f[3] for f in frames))
        self.path = path


def test_volatile_keys_vanish(serve, server, tmp_path):
    """Who has been silent for --volatile-ttl is forgotten, on the node and in the probe; who
    goes on is not; what is persistent stays."""
    q, s = Quiet(tmp_path / 'quiet.pcap', 7), server()
    c = s.client()
    p = serve('-i', q.path, '--speed', 1, '--no-dpi', '-d', 1, '--redis', s.address, '--probe-id', 'p1',
              '--volatile-ttl', 2, '--cloud-interval', 1).listening()
    started = time.monotonic()
    with p.client() as own:
        for who in (own, c):
            wait_until(lambda: len(who.keys('ip.10.1.*')) > 20, 5)
        ttls = [c.ttl(k) for k in c.keys('ip.*')]
        assert all(0 < t <= 3 for t in ttls if t != -2)
        assert all(0 <= own.ttl(k) <= 2 for k in own.keys('ip.*'))
        for who in (own, c):
            wait_until(lambda: not who.keys('ip.10.1.*'), 12, 'for silent hosts to go')
        assert time.monotonic() - started < 7 * SLOW
        assert own.keys('ip.10.2.*') and c.keys('ip.10.2.*')
        assert c.ttl('microcloud.nodes') == c.ttl('probe.p1.seq') == -1
    p.wait(30).ok()
    wait_until(lambda: not c.keys('ip.*'), 10, 'for all to go')
    assert sorted(c.keys('*')) == ['microcloud.nodes', 'probe.p1.seq'] or \
        {k.split('.')[0] for k in c.keys('*')} <= {'microcloud', 'probe', 'top'}


def test_time_stands_still(captures, serve):
    """After the end of a file, under --stay, nothing is forgotten."""
    p = serve('-i', captures(), '--stay', '--no-dpi', '--volatile-ttl', 2).read(600)
    with p.client() as c:
        keys = sorted(c.keys('ip.*'))
        time.sleep(3)
        assert sorted(c.keys('ip.*')) == keys and all(c.ttl(k) in (1, 2) for k in keys)


class Monitor(threading.Thread):
    """What a node is told: (command, key), by MONITOR."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(('127.0.0.1', s.port))
        self.socket.sendall(b'MONITOR\r\n')
        assert self.socket.recv(5) == b'+OK\r\n'
        self.seen, self.ended = [], False
        self.start()

    def run(self):
        text = b''
        while not self.ended:
            if not select.select([self.socket], [], [], .1)[0]:
                continue
            data = self.socket.recv(1 << 20)
            if not data:
                break
            lines = (text + data).split(b'\r\n')
            text = lines.pop()
            for line in lines:
                words = re.findall(rb'"((?:[^"\\]|\\.)*)"', line)
                self.seen.append(tuple(w.decode() for w in words[:3]))

    def end(self):
        time.sleep(.2)
        self.ended = True
        self.join()
        self.socket.close()


def test_expire_is_rare(crowd, server, start):
    """EXPIRE with the first write, then at most four times per life of the key; every volatile
    key has one."""
    s = server()
    m = Monitor(s)
    r = start(*write(crowd.path, s.address, *CROWD, '--no-dpi', '--speed', 1, '--cloud-interval', 1,
                     '--volatile-ttl', 8))
    lossless(r.wait(30), crowd.packets)
    m.end()
    commands = Counter(w[0].upper() for w in m.seen)
    expires = Counter(w[1] for w in m.seen if w[0].upper() == 'EXPIRE')
    writes = Counter(w[1] for w in m.seen if w[0].upper() == 'HINCRBY')
    of_keys = {k: n for k, n in expires.items() if k.startswith(('ip.', 'mac.', 'port.'))}
    assert set(of_keys) == set(crowd.tree.keys)
    # 8 seconds are one life: the first, and one per quarter.
    assert max(of_keys.values()) <= 6, Counter(of_keys.values())
    assert sum(of_keys.values()) < sum(writes.values()) / 4
    assert commands['EXPIRE'] < commands['HINCRBY'] / 4
    c = s.client()
    assert all(0 < c.ttl(k) <= 10 for k in c.keys('ip.*'))


def test_key_that_a_node_lost(crowd, server, start):
    """Deleted or made persistent on the node: the next write gives it a life again."""
    s = server()
    c = s.client()
    r = start(*write(crowd.path, s.address, *CROWD, '--no-dpi', '--speed', 1, '--cloud-interval', 1,
                     '--volatile-ttl', 60))
    wait_until(lambda: c.exists('ip.198.51.100.1'), 10)
    c.delete(*c.keys('ip.*'))
    found = lossless(r.wait(30), crowd.packets)
    assert found['node_rearmed'] > 0
    keys = c.keys('ip.*')
    assert len(keys) > 6
    assert not [k for k in keys if c.ttl(k) <= 0]
    assert all(c.hexists(k, 'lastSeen') for k in keys)


def test_long_flow(serve, server, tmp_path):
    """A flow that goes on is seen within --cloud-interval, and counts once."""
    long = Crowd(tmp_path / 'long.pcap', flows=1, hosts=1, seconds=7)
    records, _ = records_of(long.path, *FOREVER)
    s = server()
    c = s.client()
    p = serve('-i', long.path, '--speed', 1, '--no-dpi', *FOREVER, '--redis', s.address,
              '--cloud-interval', 1, '--probe-id', 'p1').listening()
    seen = []
    with p.client() as own:
        while p.process.poll() is None:
            try:
                seen.append((own.hget('ip.10.1.0.1', 'pktsSent') or 0, c.hget('ip.10.1.0.1', 'pktsSent') or 0))
            except redis.ConnectionError:
                break
            time.sleep(.2)
    lossless(p.wait(10), long.packets)
    for who in (0, 1):
        values = [int(x[who]) for x in seen]
        assert values == sorted(values)
        assert len(set(values)) >= 5, values
        early = values[:len(values) // 2]
        assert max(early) > 0
    same(totals(c), Tree(records).under('ip.'))
    assert c.hget('ip.10.1.0.1', 'flowsClient') == '1'


# ---- events


COMMON = {'v', 'probe', 'ts', 'proto', 'src', 'sport', 'dst', 'dport'}


def check_flow_event(data):
    assert COMMON <= set(data), data
    assert data['v'] == 1 and data['probe'] == 'p1'
    assert 1.7e9 <= data['ts'] < 1.7e9 + 100
    assert data['proto'] in ('tcp', 'udp')
    assert data['flow'].startswith('flow.%s.%s.%d-%s.%d' % (
        data['proto'], data['src'], data['sport'], data['dst'], data['dport']))
    assert not [k for k, v in data.items() if v == '']


def test_flow_events(crowd, serve, server, tmp_path):
    """To subscribers of the node, to the file, and to subscribers of the probe."""
    s, events = server(), tmp_path / 'events.json'
    heard = Listener(s.client(), '*')
    p = serve('-i', crowd.path, *CROWD, '--speed', 2, '--no-dpi', '--redis', s.address, '--probe-id', 'p1',
              '--publish', 'flow', '--events', events, '-T', T).listening()
    own = Listener(p.client(), 'flow.*')
    found = lossless(p.wait(30), crowd.packets)
    time.sleep(.3)
    heard.end()
    own.end()
    assert found['events_lost'] == 0
    lines = lines_of(events)
    assert all(set(e) == {'channel', 'data'} for e in lines)
    filed = [(e['channel'], e['data']) for e in lines]
    names = Counter(flow_name(r) for r in crowd.records)
    for channel in ('flow.new', 'flow.end'):
        of_file = [d for c, d in filed if c == channel]
        for d in of_file:
            check_flow_event(d)
        assert Counter(d['flow'] for d in of_file) == names
        node = [json.loads(m) for m in heard.on(channel)]
        assert len(node) == len(of_file) - (found['node_events_lost'] if channel == 'flow.end' else 0) \
            or found['node_events_lost'] > 0
        assert node == of_file or found['node_events_lost'] > 0
        subscribers = [json.loads(m) for m in own.on(channel)]
        # It came a moment after the start.
        assert len(subscribers) > len(of_file) / 2
        assert subscribers == of_file[-len(subscribers):]
    assert {c for c, _ in filed} == {'flow.new', 'flow.end'}
    ends = {d['flow']: d for c, d in filed if c == 'flow.end'}
    for r in crowd.records:
        d = ends[flow_name(r)]
        src, dst = addresses(r)
        assert (d['src'], d['dst'], d['IN_BYTES'], d['OUT_PKTS']) == (src, dst, r['IN_BYTES'], r['OUT_PKTS'])
        assert d.get('vlan') == r.get('SRC_VLAN') or not r.get('SRC_VLAN')


def test_events_are_of_their_keys(crowd, server, start):
    """Who hears flow.end on a node finds the host's key there."""
    s = server()
    missing, seen = [], []
    c = s.client()
    pubsub = s.client().pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe('flow.end')
    r = start(*write(crowd.path, s.address, *CROWD, '--speed', 2, '--no-dpi', '--publish', 'flow.end'))
    while r.process.poll() is None:
        m = pubsub.get_message(timeout=.2)
        if m:
            d = json.loads(m['data'])
            seen.append(d)
            if int(c.hget('ip.' + d['src'], 'bytesSent') or 0) < d['IN_BYTES']:
                missing.append(d)
    lossless(r.wait(5), crowd.packets)
    assert len(seen) > 500 and not missing, missing[:3]


def test_nothing_published_by_default(crowd, server):
    s = server()
    heard = Listener(s.client(), 'flow*', 'dns*', 'http*')
    found = lossless(probe(*write(crowd.path, s.address, *CROWD, '--no-dpi')), crowd.packets)
    time.sleep(.2)
    heard.end()
    assert heard.got == [] and found['events'] == found['node_events'] == 0


def test_relayed(captures, serve, server, tmp_path):
    """What a client says to the probe reaches its subscribers, and, if --publish names the
    channel, nodes and the file."""
    s, events = server(), tmp_path / 'events.json'
    heard = Listener(s.client(), '*')
    p = serve('-i', captures('dns'), '--stay', '--redis', s.address, '--probe-id', 'p1', '--events', events,
              '--publish', 'alert').listening()
    own = Listener(p.client(), '*')
    with p.client() as c:
        c.publish('alert.high', '{"v":1,"text":"look"}')
        c.publish('chat', '{"v":1}')
        c.publish('alert.low', 'not "JSON"')
    wait_until(lambda: heard.on('alert.high'), 5)
    assert heard.on('alert.high') == ['{"v":1,"text":"look"}'] and not heard.on('chat')
    wait_until(lambda: own.on('chat') == ['{"v":1}'], 5)
    heard.end()
    own.end()
    p.finish().ok()
    lines = lines_of(events)
    assert {'channel': 'alert.high', 'data': {'v': 1, 'text': 'look'}} in lines
    assert not [e for e in lines if e['channel'] == 'chat']


# ---- the probe on its nodes


def test_heartbeat(captures, serve, server):
    """While it lives it is on every node; after a clean end it is not."""
    nodes = [server(), server()]
    p = serve('-i', captures('dns'), '--stay', '--redis', ','.join(s.address for s in nodes), '--probe-id', 'me')
    for s in nodes:
        c = s.client()
        wait_until(lambda: c.hget('probe.me', 'packets') not in (None, '0'), 15, 'for the heartbeat')
        h = c.hgetall('probe.me')
        assert {'version', 'interface', 'uptime', 'packets', 'drops', 'flows', 'lag_ms', 'instance',
                'packets_lost', 'node_events_lost', 'cloud_no_room'} <= set(h)
        assert 0 < c.ttl('probe.me') <= 15
        assert re.fullmatch(re.escape(h['instance']) + r':\d+', c.get('probe.me.seq'))
        assert c.ttl('probe.me.seq') == c.ttl('microcloud.nodes') == -1
        assert c.smembers('microcloud.nodes') == {x.address for x in nodes}
    with p.client() as own:
        assert own.exists('probe.me') and own.hget('probe.me', 'version')
    p.finish().ok()
    for s in nodes:
        assert not s.client().exists('probe.me')
        assert s.client().exists('probe.me.seq', 'microcloud.nodes') == 2


def test_heartbeat_of_the_dead(captures, serve, server):
    """After kill -9 it stays until its time runs out; a successor takes the name over."""
    s = server()
    c = s.client()
    args = ['-i', captures('dns'), '--stay', '--redis', s.address, '--probe-id', 'me']
    one = serve(*args)
    wait_until(lambda: c.exists('probe.me'), 10)
    first = c.hget('probe.me', 'instance')
    one.process.kill()
    time.sleep(.3)
    assert 0 < c.ttl('probe.me') <= 15
    c.delete('probe.me')  # as after 15 seconds
    two = serve(*args)
    wait_until(lambda: c.exists('probe.me'), 10)
    assert c.hget('probe.me', 'instance') != first
    two.finish().ok()


def test_command_channel(captures, serve, server):
    s = server()
    heard = Listener(s.client(), 'mcprobe.reply.*')
    both = [serve('-i', captures('dns'), '--stay', '--redis', s.address, '--probe-id', n) for n in ('one', 'two')]
    c = s.client()
    wait_until(lambda: c.pubsub_numsub('mcprobe.cmd.all')[0][1] == 2, 10, 'for both to listen')
    assert c.publish('mcprobe.cmd.one', 'PING') == 1
    wait_until(lambda: heard.on('mcprobe.reply.one'), 5, 'for the answer')
    assert 'PONG' in heard.on('mcprobe.reply.one')[0] and not heard.on('mcprobe.reply.two')
    c.publish('mcprobe.cmd.all', 'info')
    for n in ('one', 'two'):
        wait_until(lambda: any('packets:' in m for m in heard.on('mcprobe.reply.' + n)), 5, 'for INFO of ' + n)
    c.publish('mcprobe.cmd.two', 'ID')
    wait_until(lambda: any(m.strip() == 'two' or 'two' in m.split()[0] for m in heard.on('mcprobe.reply.two')), 5)
    before = len(heard.got)
    for bad in ('', 'NOSUCH thing', 'PING ' + 'x' * 100000, '\r\n*1\r\n', '{"cmd":'):
        c.publish('mcprobe.cmd.one', bad)
    c.publish('mcprobe.cmd.one', 'PING')
    wait_until(lambda: len(heard.got) > before and 'PONG' in heard.got[-1][1], 5)
    # It comes back after its connection was cut.
    c.client_kill_filter(_type='pubsub', skipme=True)
    wait_until(lambda: c.pubsub_numsub('mcprobe.cmd.all')[0][1] == 2, 15, 'for both to listen again')
    heard.end()
    for p in both:
        p.finish().ok()


def test_reading_from_elsewhere(crowd, server, start):
    """What an app reads from several nodes while two probes write adds up at the end."""
    nodes = [server() for _ in '12']
    where = ','.join(s.address for s in nodes)
    both = [start(*write(crowd.path, where, *CROWD, '--no-dpi', '--speed', 4, name=n)) for n in ('a', 'b')]
    while any(r.process.poll() is None for r in both):
        for s in nodes:
            totals(s.client(), 'ip.10.*')
        time.sleep(.2)
    for r in both:
        lossless(r.wait(5), crowd.packets)
    same(merged(*[totals(s.client()) for s in nodes]), merged(*[crowd.tree.under('ip.')] * 2))


# ---- queries by storm


def request(*args):
    args = [a.encode() for a in args]
    return b'*%d\r\n' % len(args) + b''.join(b'$%d\r\n%s\r\n' % (len(a), a) for a in args)


def test_query_storm(captures, tmp_path):
    """Fifty clients ask for live flows and walk over 100,000 of them while files are read at
    full speed: no packet is lost, the questions are answered."""
    capture, times = captures('many', flows=100000), 12
    files = tmp_path / 'files'
    files.write_text('%s\n' % capture * times)
    p = Served('--pcap-file-list', files, '--no-dpi', *FOREVER, '-M', 200000, '--stay')
    answered, wrong, over = Counter(), [], threading.Event()

    def client(n):
        try:
            s = socket.create_connection(('127.0.0.1', p.port), 10)
            s.settimeout(30 * SLOW)
            f = s.makefile('rb')
            i = n * 2000
            while not over.is_set():
                i += 1
                if n % 5:
                    host, port = i % 25000 + 1, 20001 + (i & 3) * 7
                    s.sendall(request('HGETALL', 'flow.udp.10.0.%d.%d.%d-198.51.100.1.%d' % (
                        host >> 8, host & 255, port, 7000 + i % 5)))
                else:
                    s.sendall(request('SCAN', '0', 'MATCH', 'flow.*', 'COUNT', '500'))
                head = f.readline()
                if not head:
                    break
                if head[:1] == b'-':
                    wrong.append(head)
                skip(f, head)
                answered[n % 5 == 0] += 1
        except OSError as e:
            if not over.is_set():
                wrong.append(e)

    def skip(f, head):
        if head[:1] in b'*%':
            for _ in range(int(head[1:]) * (2 if head[:1] == b'%' else 1)):
                skip(f, f.readline())
        elif head[:1] == b'$' and int(head[1:]) >= 0:
            f.read(int(head[1:]) + 2)
    try:
        p.listening()
        threads = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(50)]
        for t in threads:
            t.start()
        with p.client() as c:
            wait_until(lambda: counters(c)['packets'] >= times * 400000, 60, 'for the files to be read')
            time.sleep(1)
            found = counters(c)
            assert len(list(c.scan_iter(match='flow.*', count=1000))) == 100000
        over.set()
        assert not wrong, wrong[:5]
        assert answered[True] > 20 and answered[False] > 200, answered
        assert found['queries'] > 200
        end = p.finish(20)
        summary = lossless(end, times * 400000)
        assert summary['flow_packets'] == times * 400000
        assert summary['queries'] >= found['queries']
    finally:
        over.set()
        p.end()


def test_signal_ends_clients(captures, serve):
    """Clients in all states do not keep it from ending."""
    p = serve('-i', captures('many', flows=20000), '--stay', '--no-dpi').read(80000)
    sockets = []
    for said in (b'', b'*1', b'SUBSCRIBE a\r\n', b'MONITOR\r\n', b'MULTI\r\nPING\r\n', b'KEYS *\r\n' * 50):
        s = socket.create_connection(('127.0.0.1', p.port))
        s.sendall(said)
        sockets.append(s)
    time.sleep(.2)
    p.signal(signal.SIGTERM)
    assert p.wait(5).ok().seconds < 2 * SLOW
    for s in sockets:
        s.close()
