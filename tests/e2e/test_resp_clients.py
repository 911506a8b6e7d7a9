# SPDX-License-Identifier: BSD-3-Clause
"""Redis clients that people have, against the probe: redis-cli in its modes, redis-benchmark,
redis-py, node-redis and ioredis. None of them shows an error, and what they show is what the
packets say."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import struct
import subprocess
import termios
import time
from collections import Counter
from pathlib import Path

import pytest

import netns
from cloud import (Served, T, Tree, counters, flow_name, info_text, lines_of, records_of, redis,
                   same, serve, server, totals, wait_until)
from conftest import COUNTERS, FOREVER, PROBE, SLOW

ERROR = re.compile(r'\bERR\b|(?<!http\.)[Ee]rror|WRONGTYPE|NOAUTH|[Uu]nknown (command|sub)|failed|WARNING|Could not')


class Office:
    """A probe that holds the generator's office, and what must be in it."""

    def __init__(self, capture, folder):
        self.capture = capture
        self.records, self.summary = records_of(capture, *FOREVER)
        self.ended = folder / 'ended.json'
        self.probe = Served('-i', capture, '--stay', '--no-dpi', *FOREVER, '-T', T, '--json', self.ended,
                            '--probe-id', 'office')
        self.probe.read(self.summary['packets'])
        self.port = self.probe.port
        # Those that have ended already are in the file, in the order of the oracle's run.
        gone = Counter(map(str, lines_of(self.ended)))
        self.alive = [r for r in self.records if not gone[str(r)]]
        assert sum(gone.values()) + len(self.alive) == len(self.records)

    def named(self):
        """{key: record} of the TCP and UDP flows that are alive."""
        return {flow_name(r): r for r in self.alive if r['PROTOCOL'] in (6, 17)}


@pytest.fixture(scope='module')
def office(captures, tmp_path_factory):
    o = Office(captures(), tmp_path_factory.mktemp('office'))
    yield o
    o.probe.end()


@pytest.fixture
def client(office):
    with office.probe.client() as c:
        yield c
        assert c.ping()


# ---- redis-cli


def cli(port, *args, stdin=None, timeout=15, fine=True):
    """What redis-cli shows; it must not show an error."""
    r = subprocess.run(['redis-cli', '-p', str(port), *map(str, args)], input=stdin, text=True,
                       stdin=None if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=timeout * SLOW)
    if fine:
        assert r.returncode == 0, r.stdout
        assert not ERROR.search(r.stdout), r.stdout[-800:]
    return r.stdout


class Mode:
    """redis-cli in one of the modes that do not end."""

    def __init__(self, port, *args):
        self.p = subprocess.Popen(['redis-cli', '-p', str(port), *args], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.p.stdout.fileno(), False)
        self.said = ''

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()

    def until(self, pattern, seconds=10):
        def found():
            self.said += (self.p.stdout.read() or b'').decode('utf8', 'replace')
            return re.search(pattern, self.said)
        wait_until(found, seconds, 'for %s in %r' % (pattern, self.said[-500:]))
        assert not ERROR.search(self.said), self.said[-800:]
        return self.said


class Terminal:
    """redis-cli as a person has it, through a pseudo-terminal."""

    def __init__(self, home, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM='xterm', HOME=str(home), REDISCLI_HISTFILE=str(home / 'history'))
            os.execvp('redis-cli', ['redis-cli', *map(str, args)])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 200, 0, 0))
        self.all = ''

    def until(self, pattern, seconds=10):
        """What came until PATTERN did, escape sequences left out."""
        said, end = '', time.monotonic() + seconds * SLOW
        while not re.search(pattern, said):
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], \
                'waited in vain for %s: %r' % (pattern, said[-600:])
            text = os.read(self.fd, 1 << 16).decode('utf8', 'replace')
            self.all += text
            said += re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', text)
        return said

    def type(self, text):
        for c in text:
            os.write(self.fd, c.encode())
            time.sleep(.01)

    def end(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)  # under nohup it ignores SIGHUP
        os.waitpid(self.pid, 0)


def test_cli_plain(office):
    assert cli(office.port, 'ping') == 'PONG\n'
    key = next(iter(office.named()))
    out = cli(office.port, 'hgetall', key).split('\n')
    assert dict(zip(out[::2], out[1::2]))['IN_PKTS'] == str(office.named()[key]['IN_PKTS'])
    assert cli(office.port, stdin='ping\nping hey\nget no-such-key\n').split() == ['PONG', 'hey']
    assert cli(office.port, '-n', 0, '--no-raw', 'exists', key, 'nothing') == '(integer) 1\n'


def test_cli_resp3(office):
    out = cli(office.port, '-3', '--no-raw', 'hgetall', 'ip.192.168.10.11')
    assert re.search(r'^ *1# "\w+" => "', out, re.M), out
    assert 'proto' in cli(office.port, '-3', 'hello')


def test_cli_json(office):
    for key in list(office.named())[:5] + ['ip.192.168.10.11']:
        found = json.loads(cli(office.port, '--json', 'hgetall', key))
        assert isinstance(found, dict) and len(found) >= 5
    assert json.loads(cli(office.port, '--json', 'keys', 'ip.192.168.10.1*'))


def test_cli_scan(office):
    """Each key is told of, also those of live flows."""
    for pattern in ('*', 'ip.*', 'flow.*', 'flow.udp.192.168.*'):
        got = cli(office.port, '--scan', '--pattern', pattern).split('\n')[:-1]
        want = cli(office.port, 'keys', pattern).split('\n')[:-1]
        assert set(got) == set(want) and len(want) == len(set(want)) > 0


@pytest.mark.parametrize('mode', ['--bigkeys', '--memkeys'])
def test_cli_keys_modes(office, client, mode):
    out = cli(office.port, mode)
    assert 'Sampled %d keys' % client.dbsize() in out
    assert re.search(r'Biggest +hash found', out)


def test_cli_stat(office, tmp_path):
    t = Terminal(tmp_path, '-p', office.port, '--stat', '-i', '.3')
    try:
        said = t.until(r'(?m)(^\d+ +[\d.]+[KMG]? +\d+ +\d+ +\d+ \(\+\d+\).*\s+){3}')
    finally:
        t.end()
    assert not ERROR.search(said), said


@pytest.mark.parametrize('args, shows', [
    (['--latency-history', '-i', '.5'], r'(\d+ samples\) -- \d+\.\d+ sec[\s\S]*){2}'),
    (['--latency'], r'min: \d+, max: \d+, avg: [\d.]+ \(\d{2,} samples\)')], ids=['history', 'latency'])
def test_cli_latency(office, tmp_path, args, shows):
    t = Terminal(tmp_path, '-p', office.port, *args)
    try:
        said = t.until(shows)
    finally:
        t.end()
    assert not ERROR.search(said), said


def test_cli_intrinsic_modes_of_a_writer(office):
    """--lru-test and --pipe write, so they are told what they are told."""
    assert 'READONLY' in cli(office.port, 'set', 'a', 'b', fine=False)
    out = cli(office.port, '--pipe', stdin='*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n', fine=False)
    assert 'READONLY' in out and 'errors: 1' in out


def test_cli_monitor(office, client):
    with Mode(office.port, 'monitor') as m:
        m.until(r'^OK')
        client.execute_command('HGET', 'ip.192.168.10.11', 'bytes\nSent')
        said = m.until(r'"bytes\\nSent"')
    assert re.search(r'^\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "HGET" "ip\.192\.168\.10\.11" "bytes\\nSent"$',
                     said, re.M), said


@pytest.mark.parametrize('three', [[], ['-3']], ids=['RESP2', 'RESP3'])
def test_cli_subscribe(office, client, three):
    with Mode(office.port, *three, 'subscribe', 'a', 'b') as one, \
            Mode(office.port, *three, 'psubscribe', 'a*', '[bc]') as two:
        one.until(r'subscribe[\s\S]*\ba\b[\s\S]*subscribe[\s\S]*\bb\b[\s\S]*2')
        two.until(r'psubscribe[\s\S]*psubscribe[\s\S]*2')
        assert client.publish('a', 'hello there') == 2
        assert client.publish('c', 'only you') == 1
        one.until(r'message[\s\S]*a[\s\S]*hello there')
        two.until(r'pmessage[\s\S]*a\*[\s\S]*hello there[\s\S]*only you')
        assert sorted(client.pubsub_channels()) == ['a', 'b']
        assert client.pubsub_numsub('a', 'z') == [('a', 1), ('z', 0)]
        assert client.pubsub_numpat() == 2
    wait_until(lambda: client.pubsub_numpat() == 0, 5)


@pytest.mark.parametrize('three', [[], ['-3']], ids=['RESP2', 'RESP3'])
def test_cli_interactive(office, tmp_path, three):
    t = Terminal(tmp_path, '-p', office.port, *three)
    prompt = r'127\.0\.0\.1:%d> ' % office.port
    try:
        t.until(prompt)
        t.type('ping\r')
        t.until(r'\nPONG\r\n')
        t.type('hgeta\t')
        t.until('(?i)hgetall')
        t.type(' ip.192.168.10.11\r')
        t.until(r'"bytesSent"')
        t.type('help hgetall\r')
        t.until(r'HGETALL key')
        t.type('cli\t\t\t\x15info keyspace\r')
        t.until(r'db0:keys=\d+')
        t.type('multi\r')
        t.until(r'\(TX\)> ')
        t.type('ping\r')
        t.until('QUEUED')
        t.type('exec\r')
        t.until(r'1\) PONG')
        t.type('exit\r')
        assert os.waitpid(t.pid, 0)[1] == 0
        assert not ERROR.search(t.all), t.all[-1000:]
    except BaseException:
        t.end()
        raise
    os.close(t.fd)


def test_cli_rdb_is_refused(office, client, tmp_path):
    r = subprocess.run(['timeout', '10', 'redis-cli', '-p', str(office.port), '--rdb', tmp_path / 'x.rdb'],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert r.returncode not in (0, 124), r.stdout
    assert client.ping()


def test_benchmark(office):
    r = subprocess.run(['redis-benchmark', '-p', str(office.port), '-t', 'ping,get', '-n', '20000', '-P', '4',
                        '-q'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert r.returncode == 0 and not ERROR.search(r.stdout), r.stdout
    for name in ('PING_INLINE', 'PING_MBULK', 'GET'):
        assert re.search(name + r': [\d.]+ requests per second', r.stdout), r.stdout


# ---- redis-py


def test_py_pipelines(client):
    for transaction in (True, False):
        with client.pipeline(transaction=transaction) as p:
            p.ping()
            p.hget('ip.192.168.10.11', 'bytesSent')
            p.exists('no', 'such')
            p.hgetall('no-such')
            pong, octets, none, empty = p.execute()
        assert pong is True and int(octets) > 0 and none == 0 and empty == {}
    with client.pipeline() as p:
        p.watch('ip.192.168.10.11')
        p.multi()
        p.set('a', 'b')
        with pytest.raises(redis.ResponseError, match='(?i)read only|EXECABORT'):
            p.execute()


def test_py_pubsub(client):
    with client.pubsub() as p:
        p.subscribe('one', **{'two': lambda m: None})
        p.psubscribe('t*')
        got = [p.get_message(timeout=5) for _ in '123']
        assert [m['type'] for m in got if m] == ['subscribe', 'subscribe', 'psubscribe']
        client.publish('two', '\0\r\n\xe9')
        client.publish('one', 'x')
        p.ping('there?')
        found = []
        end = time.monotonic() + 5
        while len(found) < 3 and time.monotonic() < end:
            m = p.get_message(timeout=1)
            if m:
                found.append(m['type'])
        assert sorted(found) == ['message', 'pmessage', 'pong']
        p.unsubscribe()
        p.punsubscribe()


def test_py_scans(office, client):
    keys = client.keys('*')
    assert len(keys) == client.dbsize() == len(set(keys))
    for count in (1, 7, 1000):
        assert set(client.scan_iter(count=count)) == set(keys)
    ip = [k for k in keys if k.startswith('ip.')]
    assert set(client.scan_iter(match='ip.*', count=3)) == set(ip)
    assert set(client.scan_iter(match='*.192.168.10.1?', _type='hash')) == \
        {k for k in keys if re.fullmatch(r'.*\.192\.168\.10\.1.', k) and client.type(k) == 'hash'}
    assert not list(client.scan_iter(_type='list'))
    assert {client.type(k) for k in ip} == {'hash'}
    key = 'ip.192.168.10.11'
    assert dict(client.hscan_iter(key)) == client.hgetall(key)
    assert set(dict(client.hscan_iter(key, match='bytes*'))) == {'bytesSent', 'bytesRcvd'}
    top = next(k for k in keys if k.startswith('top.ip.bytes.'))
    assert dict(client.zscan_iter(top)) == dict(client.zrange(top, 0, -1, withscores=True))
    assert client.randomkey() in keys


def test_py_monitor_and_health(office, client):
    with redis.Redis(port=office.port, health_check_interval=1, client_name='me', db=0) as c:
        assert c.ping()
        assert c.client_getname() == 'me'
        assert {'name': 'me'}.items() <= c.client_info().items()
        time.sleep(1.1)
        assert c.ping()
        with c.monitor() as m:
            client.echo('over here')
            wait_until(lambda: 'over here' in m.next_command()['command'], 5)
    assert 'me' not in [x['name'] for x in client.client_list()]


# ---- npm's


NODE = '''
const redis = require('redis'), Redis = require('ioredis');
const port = +process.argv[2], what = process.argv[3];
const fail = (e) => { console.log('FAILED ' + (e && e.stack || e)); process.exit(1); };
process.on('unhandledRejection', fail); process.on('warning', (w) => console.log('WARNED ' + w));
const equal = (a, b, why) => { if (JSON.stringify(a) !== JSON.stringify(b))
    fail(why + ': ' + JSON.stringify(a) + ' is not ' + JSON.stringify(b)); };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function nodeRedis(version) {
  const c = redis.createClient({ socket: { port }, RESP: version, name: 'n' + version, pingInterval: 200 });
  c.on('error', fail);
  await c.connect();
  equal(await c.ping(), 'PONG', 'ping');
  const keys = await c.keys('ip.192.168.*');
  if (!keys.length) fail('no keys');
  const found = [];
  for await (const k of c.scanIterator({ MATCH: 'ip.192.168.*', COUNT: 3 })) found.push(...[].concat(k));
  equal(found.sort(), [...keys].sort(), 'scan');
  const h = await c.hGetAll(keys[0]);
  if (!(+h.bytesSent >= 0) || Object.keys(h).length < 5) fail('hgetall ' + JSON.stringify(h));
  equal(await c.hGet('no', 'such'), null, 'hget');
  equal(await c.exists(keys), keys.length, 'exists');
  equal(await c.multi().ping().type(keys[0]).exec(), ['PONG', 'hash'], 'multi');
  if (!(await c.info()).includes('redis_version')) fail('info');
  const flow = (await c.keys('flow.udp.*'))[0];
  equal(await c.ttl(flow), -1, 'ttl');
  const top = (await c.keys('top.ip.bytes.*'))[0];
  const scores = await c.zRangeWithScores(top, 0, -1);
  if (!scores.length || typeof scores[0].score !== 'number') fail('zrange');
  let refused = ''; try { await c.set('a', 'b'); } catch (e) { refused = e.message; }
  if (!refused.startsWith('READONLY')) fail('set: ' + refused);
  const s = c.duplicate(); s.on('error', fail); await s.connect();
  const got = [];
  await s.subscribe('ch', (m) => got.push('s' + m));
  await s.pSubscribe('c?', (m) => got.push('p' + m));
  equal(await c.publish('ch', 'hey'), 2, 'publish');
  await sleep(500);
  equal(got.sort(), ['phey', 'shey'], 'messages');
  await s.unsubscribe(); await s.pUnsubscribe();
  s.destroy(); await c.close();
}

async function ioRedis(version) {
  const c = new Redis({ port, protocol: version, connectionName: 'io' + version });
  c.on('error', fail);
  equal(await c.ping(), 'PONG', 'ping');
  const keys = await c.keys('ip.192.168.*');
  const h = await c.hgetall(keys[0]);
  if (Object.keys(h).length < 5) fail('hgetall ' + JSON.stringify(h));
  const found = [];
  for await (const some of c.scanStream({ match: 'ip.192.168.*', count: 4 })) found.push(...some);
  equal([...new Set(found)].sort(), keys.sort(), 'scan');
  equal(await c.pipeline().ping().hget('no', 'such').exec(), [[null, 'PONG'], [null, null]], 'pipeline');
  equal(await c.multi().ping().exec(), [[null, 'PONG']], 'multi');
  const s = c.duplicate(); s.on('error', fail);
  const got = [];
  s.on('message', (ch, m) => got.push(m)); s.on('pmessage', (p, ch, m) => got.push(p + m));
  await s.subscribe('ch'); await s.psubscribe('c*');
  equal(await c.publish('ch', 'x'), 2, 'publish');
  await sleep(500);
  equal(got.sort(), ['c*x', 'x'], 'messages');
  const m = await c.monitor();
  const seen = []; m.on('monitor', (t, args) => seen.push(args.join(' ')));
  await c.echo('who listens'); await sleep(300);
  if (!seen.some((t) => /who listens/.test(t))) fail('monitor ' + seen);
  m.disconnect(); await s.quit(); await c.quit();
}
(what === 'redis' ? nodeRedis : ioRedis)(+process.argv[4]).then(() => { console.log('fine'); }, fail);
'''


@pytest.fixture(scope='module')
def npm(tmp_path_factory):
    """A folder with both clients installed."""
    for tool in ('node', 'npm'):
        if shutil.which(tool) is None:
            pytest.skip('needs ' + tool)
    folder = tmp_path_factory.mktemp('npm')
    (folder / 'package.json').write_text('{"private": true}')
    (folder / 'clients.js').write_text(NODE)
    try:
        r = subprocess.run(['npm', 'install', '--no-fund', '--no-audit', '--ignore-scripts', 'redis', 'ioredis'],
                           cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip('npm cannot reach its registry')
    if r.returncode != 0:
        pytest.skip('npm cannot install redis and ioredis: ' + r.stdout[-200:])
    return folder


@pytest.mark.parametrize('what', ['redis', 'ioredis'])
@pytest.mark.parametrize('version', [2, 3], ids=['RESP2', 'RESP3'])
def test_node(office, npm, what, version):
    r = subprocess.run(['node', 'clients.js', str(office.port), what, str(version)], cwd=npm,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=30 * SLOW)
    assert (r.returncode, r.stdout, r.stderr) == (0, 'fine\n', '')


# ---- what they see


def test_live_flows(office, client):
    """Each flow alive is a key with the counters of its record, by either order of ends."""
    want = office.named()
    keys = set(client.keys('flow.*'))
    assert len(keys) == len(office.alive)
    assert {k for k in keys if k.startswith(('flow.tcp.', 'flow.udp.'))} == set(want)
    assert set(client.scan_iter(match='flow.tcp.*', count=2)) == {k for k in want if 'flow.tcp' in k}
    labels = ('IN_BYTES', 'IN_PKTS', 'OUT_BYTES', 'OUT_PKTS', 'L4_SRC_PORT', 'L4_DST_PORT',
              'FLOW_START_MICROSECONDS', 'FLOW_END_MICROSECONDS', 'IPV4_SRC_ADDR', 'IPV6_DST_ADDR')
    for key, r in want.items():
        found = client.hgetall(key)
        got = {f: found.get(f) for f in labels}
        assert got == {f: str(r[f]) if f in r else None for f in labels}, key
        assert client.hget(key, 'IN_BYTES') == str(r['IN_BYTES'])
        assert client.hget(key, 'MAX_IP_PKT_LEN').isdigit()  # not in the template
        assert client.hget(key, 'communityId').startswith('1:')
        assert client.hget(key, 'NO_SUCH') is None
        assert (client.exists(key), client.type(key), client.ttl(key)) == (1, 'hash', -1)
        assert client.hlen(key) == len(found) and client.hkeys(key) == list(found)
        proto, src, dst, end = re.fullmatch(r'(flow\.\w+\.)(.*)-([^@#]*)(.*)', key).groups()
        assert client.hget(proto + dst + '-' + src + end, 'IN_BYTES') == str(r['IN_BYTES'])
    assert client.exists('flow.tcp.192.0.2.1.1-192.0.2.2.2', 'flow.', 'flow.tcp', 'flow.tcp.x.1-y.2') == 0
    assert client.hgetall('flow.udp.192.0.2.1.1-192.0.2.2.2') == {}


def test_hosts(office, client):
    same(totals(client), Tree(office.records).under('ip.'))
    one = client.hgetall('ip.192.168.10.11')
    first = min(r['FLOW_START_MICROSECONDS'] for r in office.records) // 10**6
    assert first <= int(one['firstSeen']) <= int(one['lastSeen']) < first + 60
    assert client.ttl('ip.192.168.10.11') in range(1, 301)
    assert client.pttl('ip.192.168.10.11') <= 300000
    assert client.hmget('ip.192.168.10.11', 'bytesSent', 'nothing') == [one['bytesSent'], None]
    assert client.exists('ip.192.168.10.11', 'ip.192.168.10.11', 'ip.nothing') == 2
    assert client.ttl('ip.nothing') == -2 and client.type('ip.nothing') == 'none'


def test_same_keys_as_a_node(captures, serve, server, office):
    """The example KEYS ip.192.168.* on a node and on its probe."""
    s = server()
    c = s.client()
    p = serve('-i', captures(), '--stay', '--no-dpi', *FOREVER, '--redis', s.address)
    p.read(office.summary['packets'])
    with p.client() as own:
        want = sorted(own.keys('ip.192.168.*'))
        assert len(want) > 5
        wait_until(lambda: sorted(c.keys('ip.192.168.*')) == want, 5, 'for the node')
        wait_until(lambda: totals(c) == totals(own), 5, 'for the sums on the node')
        for pattern in ('mac.*', 'vlan.*', 'port.*', 'top.*', 'ip.*:*'):
            assert sorted(c.keys(pattern)) == sorted(own.keys(pattern)), pattern
        for key in own.keys('top.*'):
            assert c.zrange(key, 0, -1, withscores=True) == own.zrange(key, 0, -1, withscores=True)
        assert not c.keys('flow.*')


def test_top_who_where(office, client):
    tree = Tree(office.records).under('ip.')
    sums = {k[3:]: f.get('bytesSent', 0) + f.get('bytesRcvd', 0) for k, f in tree.items()}
    got = client.execute_command('TOP', 'ip', 'bytes', 5)
    assert got[::2] == sorted(sums, key=lambda a: (-sums[a], a))[:5] or \
        sorted(map(int, got[1::2]), reverse=True) == sorted(sums.values(), reverse=True)[:5]
    assert [int(n) for n in got[1::2]] == sorted(sums.values(), reverse=True)[:5]
    assert len(client.execute_command('TOP', 'ip', 'flows', 3)) == 6
    assert client.execute_command('WHO', '192.168.10.11') == 'jane@example.org'
    assert client.execute_command('WHO', '192.168.10.99') is None
    assert client.execute_command('WHERE', 'nobody') == []
    for bad in (['TOP', 'ip', 'bytes', 'x'], ['TOP', 'ip', 'x', '3'], ['TOP'], ['WHO'], ['WHO', 'x', 'y'],
                ['TOP', 'nothing', 'bytes', '3']):
        with pytest.raises(redis.ResponseError):
            client.execute_command(*bad)


def test_info(office, client):
    """INFO has every counter, and they are those of the summary."""
    found = counters(client)
    assert set(COUNTERS) - set(found) == set()
    for name in ('packets', 'bytes', 'flow_packets', 'flow_bytes', 'flows'):
        assert found[name] == office.summary[name]
    for section in ('server', 'clients', 'memory', 'stats', 'keyspace', 'SERVER'):
        text = info_text(client, section)
        assert text.lower().startswith('# ' + section.lower()), text[:80]
    assert info_text(client, 'no-such') == ''
    assert info_text(client, '') == ''
    everything = client.info()
    assert everything['redis_version'].startswith('7.0.')
    assert everything['loading'] == 0
    assert everything['db0']['keys'] == client.dbsize()
    assert client.info('everything')['packets'] == found['packets']


def test_config_and_command(client):
    assert 'maxmemory' in client.config_get('maxmemory*')
    assert client.config_get('no-such-thing') == {}
    assert client.config_get('databases') == {'databases': '1'}
    assert client.execute_command('COMMAND COUNT') > 150
    known = {c.lower() for c in client.execute_command('COMMAND LIST')}
    assert {'ping', 'hgetall', 'top', 'who', 'where', 'psubscribe'} <= known
    docs = client.execute_command('COMMAND DOCS')
    assert len(docs) // 2 == client.execute_command('COMMAND COUNT')
    assert client.execute_command('COMMAND DOCS', 'no-such') == []


@pytest.mark.parametrize('command', [
    'SET a b', 'DEL ip.192.168.10.11', 'HSET ip.192.168.10.11 bytesSent 0', 'EXPIRE ip.192.168.10.11 1',
    'FLUSHALL', 'INCR a', 'ZADD a 1 b', 'SADD a b', 'RENAME a b', 'HINCRBY ip.192.168.10.11 bytesSent 1'])
def test_writes_are_refused(client, command):
    before = client.hgetall('ip.192.168.10.11')
    with pytest.raises(redis.exceptions.ReadOnlyError):
        client.execute_command(*command.split())
    assert client.hgetall('ip.192.168.10.11') == before


def test_wrong_questions(client):
    """Errors are Redis' own, and the connection goes on."""
    for command, error in (
            ('NOSUCH a b', "unknown command 'NOSUCH', with args beginning with: 'a' 'b'"),
            ('GET', "wrong number of arguments for 'get' command"),
            ('GET a b', "wrong number of arguments for 'get' command"),
            ('GET ip.192.168.10.11', 'WRONGTYPE|Operation against a key holding the wrong kind of value'),
            ('ZRANGE ip.192.168.10.11 0 1', 'wrong kind of value'),
            ('HGET top.ip.bytes.%s x', ''),
            ('SCAN x', 'invalid cursor'),
            ('SCAN 0 COUNT 0', 'syntax error'),
            ('SELECT 1', 'DB index is out of range'),
            ('CLIENT NOSUCH', "(?i)unknown subcommand"),
            ('EVAL return+1 0', '.'),
            ('CLUSTER INFO', 'cluster support disabled'),
            ('HELLO 4', 'NOPROTO|unsupported protocol version')):
        if not error:
            command = command % client.keys('top.ip.bytes.*')[0].split('.')[-1]
            error = 'wrong kind of value'
        with pytest.raises(redis.ResponseError, match=error):
            client.execute_command(*command.split())
    assert client.ping()


def test_commands_of_the_table(client):
    """Each command there is answers something when it gets nothing to work with, and the
    next question gets its own answer."""
    client.ping()
    for name in client.execute_command('COMMAND LIST'):
        if name.lower().split('|')[0] in ('monitor', 'subscribe', 'psubscribe', 'quit', 'reset', 'hello',
                                          'multi', 'sync', 'psync', 'unsubscribe', 'punsubscribe', 'ssubscribe'):
            continue
        for args in ([], ['x'], ['x', 'y'], ['x', '0', '-1'], ['\0', '*' * 300, '9' * 40, '-1']):
            try:
                client.execute_command(*name.split('|'), *args)
            except redis.ResponseError:
                pass
            except (TypeError, ValueError, KeyError, IndexError, AttributeError):
                pass  # of the client's own, which expects what Redis would say to a right question
        if name.lower() == 'client|reply' or name.lower() == 'client':
            client.connection_pool.disconnect()
        assert client.echo(name) == name


# ---- who may


def test_password(captures, serve, tmp_path):
    (tmp_path / 'pw').write_text('correct horse\nsecond line\n')
    p = serve('-i', captures('dns'), '--stay', '--resp-password-file', tmp_path / 'pw').listening()
    with p.client() as c:
        with pytest.raises(redis.AuthenticationError):
            c.keys('*')
    for wrong in ('correct', 'second line', 'correct horse\n', ''):
        with p.client(password=wrong or ' ') as c, pytest.raises(redis.ResponseError):
            c.ping()
    with p.client(password='correct horse') as c:
        wait_until(lambda: c.keys('ip.*'), 10)
    with p.client(username='default', password='correct horse') as c:
        assert c.ping()
    assert cli(p.port, '-a', 'correct horse', '--no-auth-warning', 'ping') == 'PONG\n'
    assert cli(p.port, '-a', 'correct horse', '--no-auth-warning', '-3', 'ping') == 'PONG\n'
    assert 'NOAUTH' in cli(p.port, 'info', fine=False)
    s = p.finish().ok().summary
    assert s['resp_auth_failed'] >= 4


def test_unix_socket(captures, serve, tmp_path):
    path = tmp_path / 'probe.sock'
    p = serve('-i', captures('dns'), '--stay', resp='unix:%s' % path).listening()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    with p.client() as c:
        wait_until(lambda: c.keys('ip.*'), 10)
    r = subprocess.run(['redis-cli', '-s', path, 'ping'], stdout=subprocess.PIPE, text=True)
    assert r.stdout == 'PONG\n'
    p.finish().ok()
    assert not path.exists()


needs_netns = pytest.mark.skipif(netns.available() is not None, reason=str(netns.available()))


@needs_netns
def test_protected_mode(captures, tmp_path):
    """Without a password only this host is let in, wherever it listens."""
    with netns.Rig() as rig:
        port = 6380
        for side, link, addr in (('probe', rig.capture[0], '10.99.0.1/24'), ('traffic', rig.send[0], '10.99.0.2/24')):
            assert rig.run(side, ['ip', 'addr', 'add', addr, 'dev', link]).returncode == 0
        rig.run('probe', ['ip', 'link', 'set', 'lo', 'up'])

        def ask(side, *args):
            return rig.run(side, ['timeout', '5', 'redis-cli', '-h', '127.0.0.1' if side == 'probe' else '10.99.0.1',
                                  '-p', port, *args]).stdout

        def begin(*more):
            log = open(tmp_path / 'log', 'wb')
            p = rig.popen('probe', [PROBE, '-i', captures('dns'), '--stay', '--resp', '0.0.0.0:%d' % port, *more],
                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            wait_until(lambda: re.search('PONG|NOAUTH', ask('probe', 'ping')), 10, (tmp_path / 'log').read_text())
            return p

        p = begin()
        assert 'DENIED' in ask('traffic', 'ping')
        assert ask('probe', 'ping') == 'PONG\n'
        p.send_signal(signal.SIGTERM)
        assert p.wait(10) == 0
        assert re.search(r'resp_rejected +[1-9]', (tmp_path / 'log').read_text())
        (tmp_path / 'pw').write_text('secret\n')
        p = begin('--resp-password-file', str(tmp_path / 'pw'))
        assert 'NOAUTH' in ask('traffic', 'ping')
        assert ask('traffic', '--no-auth-warning', '-a', 'secret', 'ping') == 'PONG\n'
        p.send_signal(signal.SIGTERM)
        assert p.wait(10) == 0


@needs_netns
def test_default_port_twice(captures, tmp_path):
    """With --stay it serves on 6380; a second one says that it cannot, and goes on."""
    with netns.Rig() as rig:
        rig.run('probe', ['ip', 'link', 'set', 'lo', 'up'])
        logs = []

        def begin():
            logs.append(tmp_path / ('log%d' % len(logs)))
            log = open(logs[-1], 'wb')
            return rig.popen('probe', [PROBE, '-i', captures('dns'), '--stay'], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log)
        one = begin()
        wait_until(lambda: 'PONG' in rig.run('probe', ['redis-cli', '-p', '6380', 'ping']).stdout, 10)
        two = begin()
        wait_until(lambda: '6380' in logs[1].read_text(), 10, 'for the warning')
        time.sleep(.5)
        assert one.poll() is None and two.poll() is None
        for p in (one, two):
            p.send_signal(signal.SIGTERM)
            assert p.wait(10) == 0
        assert re.search(r'(?i)6380.*in use', logs[1].read_text())
        assert not re.search(r'(?i)in use', logs[0].read_text())
        # A port that was asked for is another matter.
        begin()
        wait_until(lambda: 'PONG' in rig.run('probe', ['redis-cli', '-p', '6380', 'ping']).stdout, 10)
        r = rig.run('probe', [PROBE, '-i', captures('dns'), '--stay', '--resp', '6380'], timeout=10)
        assert r.returncode > 0 and '6380' in r.stdout


def listens(pid):
    """Does process PID have a TCP socket that listens?"""
    mine = {os.readlink(fd) for fd in Path('/proc/%d/fd' % pid).iterdir()}
    for table in ('tcp', 'tcp6'):
        for line in Path('/proc/%d/net/%s' % (pid, table)).read_text().splitlines()[1:]:
            if line.split()[3] == '0A' and 'socket:[%s]' % line.split()[9] in mine:
                return True
    return False


def test_none_for_a_file(captures, start, serve):
    """A file that is read to its end serves nobody, unless asked to."""
    args = ['-i', captures('many', flows=100, seconds=60), '--speed', 1]
    silent, asked = start(*args), serve(*args).listening()
    time.sleep(.3)
    assert not listens(silent.process.pid)
    assert listens(asked.process.pid)
    for r in (silent, asked):
        r.signal(signal.SIGTERM)
        r.wait().ok()
