# SPDX-License-Identifier: BSD-3-Clause
"""The apps of redis-scripts: against a node (a real redis-server, filled as probes fill it)
and, what both must do alike, against a probe. Server away, restarted meanwhile, hostile."""
import argparse
import contextlib
import csv
import ctypes
import importlib
import io
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from conftest import REPO, SLOW, Running, free_port

redis = pytest.importorskip('redis')
SCRIPTS = REPO / 'redis-scripts'
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
import mcprobe_common as common  # noqa: E402
import mcprobe_nodes  # noqa: E402
import series  # noqa: E402
import watch  # noqa: E402

ENV = {**os.environ, 'PYTHONDONTWRITEBYTECODE': '1', 'PYTHONIOENCODING': 'utf8', 'COLUMNS': '200'}
APPS = {'top': [], 'watch': ['flow'], 'series': ['ip.10.0.0.1:bytesSent'], 'alert_host': ['10.0.0.1']}
EVIL = 'evil\x1b[2J\x1b]0;owned\x07\r\x9b\u202e"\'`id`'
FORBIDDEN = re.compile('[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]')
GNUPLOT = pytest.mark.skipif(not shutil.which('gnuplot'), reason='gnuplot is missing')


def until(what, seconds=8):
    """Wait for WHAT() to be true, and return it."""
    end = time.monotonic() + seconds * SLOW
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(.02)


def die_with_parent():
    """In a child: no server outlives a test run that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Node:
    """A real redis-server."""
    kind = 'node'

    def __init__(self, *args):
        self.port, self.args, self.process = free_port(socket.SOCK_STREAM), args, None
        self.at = '127.0.0.1:%d' % self.port
        self.client = redis.Redis(port=self.port)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--save', '',
             '--appendonly', 'no', *self.args], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd='/', preexec_fn=die_with_parent)
        until(self.answers)

    def answers(self):
        assert self.process.poll() is None, 'redis-server ended'
        try:
            return self.client.ping()
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait()

    def fill(self):
        """Thirty hosts, and one of everything, as DESIGN has it."""
        pipe, minute = self.client.pipeline(), int(time.time()) // 60
        for i in range(1, 31):
            pipe.hset('ip.10.0.0.%d' % i, mapping={
                'bytesSent': 1000 * i, 'bytesRcvd': 50000 * i, 'pktsSent': 100 - i,
                'pktsRcvd': 100 - i, 'flowsClient': i % 7, 'flowsServer': 2,
                'firstSeen': 1700000000, 'lastSeen': 1700000000 + i, '10.bytesSent': 5})
            pipe.zincrby('top.ip.bytes.%d' % (minute - i % 2), 51000 * i, '10.0.0.%d' % i)
            pipe.zincrby('top.ip.flows.%d' % minute, 2 + i % 7, '10.0.0.%d' % i)
        pipe.hset('ip.2001:db8::1', mapping={'bytesSent': 7})
        for name, size in (('TLS', 900), ('DNS', 800), ('Unknown', 70)):
            pipe.hset('proto.' + name, mapping={'bytes': size, 'pkts': 3, 'flows': 1})
            pipe.zincrby('top.proto.bytes.%d' % minute, size, name)
        pipe.hset('port.tcp.443', mapping={'bytes': 900, 'pkts': 3, 'flows': 2})
        pipe.hset('port.udp.53', mapping={'bytes': 1900, 'pkts': 2, 'flows': 9})
        pipe.hset('mac.02:00:5e:00:00:01', mapping={'bytesSent': 4, 'pktsSent': 1})
        pipe.hset('vlan.10', mapping={'bytesSent': 4, 'bytesRcvd': 6})
        pipe.hset('probe.one', mapping={'packets': 5, 'drops': 0, 'version': '1.0'})
        pipe.set('probe.one.seq', '0011223344556677:9')
        pipe.set('user.ip.10.0.0.1', 'alice')
        pipe.sadd('microcloud.nodes', self.at)
        pipe.execute()
        return self


class Probe(Node):
    """A probe that has read a capture and holds."""
    kind = 'probe'

    def __init__(self, capture):
        self.port = free_port(socket.SOCK_STREAM)
        self.at = '127.0.0.1:%d' % self.port
        self.client = redis.Redis(port=self.port)
        self.probe = Running(['-i', capture, '--stay', '--resp', self.port])
        self.process = self.probe.process
        if self.process.poll() is None:
            time.sleep(.2)
        if self.process.poll() == 2 and 'resp' in self.probe.text():
            pytest.skip('this probe does not know --resp')
        until(self.answers)
        until(lambda: self.client.keys('ip.*'))
        self.probe.settled()


@pytest.fixture
def node():
    made = Node().fill()
    yield made
    made.stop()


@pytest.fixture
def nodes():
    """nodes(N, ARG...): empty ones."""
    made = []

    def begin(n, *args):
        made.extend(Node(*args) for _ in range(n))
        return made[-n:]
    yield begin
    for one in made:
        one.stop()


@pytest.fixture(scope='module')
def probe_server(captures):
    made = None
    try:
        made = Probe(captures('all'))
        yield made
    finally:
        if made:
            made.probe.end()


@pytest.fixture(params=['node', 'probe'])
def server(request):
    """Either; nobody is subscribed."""
    made = request.getfixturevalue('node' if request.param == 'node' else 'probe_server')
    until(lambda: made.client.pubsub_numpat() == 0)
    return made


def command(name, server, args):
    at = [] if server is None else ['--redis', server if isinstance(server, str) else server.at]
    return [sys.executable, str(SCRIPTS / (name + '.py')), *at, *map(str, args)]


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        assert 'Traceback' not in err, err

    def ok(self):
        assert self.status == 0, self.err
        assert self.err == ''
        return self.out


def app(name, server, *args, env=ENV):
    """Run to the end."""
    p = subprocess.run(command(name, server, args), capture_output=True, env=env,
                       stdin=subprocess.DEVNULL, timeout=30 * SLOW)
    return Done(p.returncode, p.stdout.decode(), p.stderr.decode())


def inside(name, server, *args):
    """Run to the end in this process: quicker, where the process itself is not the matter."""
    out, err, argv, status = io.StringIO(), io.StringIO(), sys.argv, 0
    sys.argv = command(name, server, args)[1:]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            importlib.import_module(name).main()
    except common.Trouble as trouble:
        status = 1
        err.write('%s.py: %s\n' % (name, trouble))
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = argv
    return Done(status, out.getvalue(), err.getvalue())


class Live:
    """In the background."""

    def __init__(self, name, server, *args):
        self.files = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(command(name, server, args), env=ENV, stdout=self.files[0],
                                        stdin=subprocess.DEVNULL, stderr=self.files[1],
                                        preexec_fn=die_with_parent)

    def read(self, which):
        return os.pread(self.files[which].fileno(), 1 << 24, 0).decode()

    @property
    def out(self):
        return self.read(0)

    @property
    def err(self):
        return self.read(1)

    def lines(self, n):
        """The output, once it has N lines."""
        until(lambda: self.out.count('\n') >= n or self.process.poll() is not None)
        assert self.out.count('\n') >= n, self.err
        return self.out.splitlines()

    def end(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(8 * SLOW)
        return Done(status, self.out, self.err)


@pytest.fixture
def live():
    begun = []

    def begin(*args):
        begun.append(Live(*args))
        return begun[-1]
    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        for f in one.files:
            f.close()


def listening(server, n=1):
    """Until N clients follow a pattern."""
    until(lambda: server.client.pubsub_numpat() >= n)


def table(text):
    """A CSV: its head, its rows."""
    rows = list(csv.reader(io.StringIO(text)))
    assert len({len(r) for r in rows}) == 1, 'ragged'
    return rows[0], rows[1:]


def counts(server, key):
    h = {k.decode(): v for k, v in server.client.hgetall(key).items()}
    return [sum(int(h.get(f, 0)) for f in fields) for fields in (
        ('bytes', 'bytesSent', 'bytesRcvd'), ('pkts', 'pktsSent', 'pktsRcvd'),
        ('flows', 'flowsClient', 'flowsServer'))]


# What is the same on a node and on a probe

@pytest.mark.parametrize('group', ['ip', 'proto', 'port', 'mac', 'vlan'])
@pytest.mark.parametrize('by', ['bytes', 'flows'])
def test_top(server, group, by):
    """The rows are the keys', the first has the most of all there are."""
    got = json.loads(inside('top', server, '--once', '--json', '--group', group, '--by', by, '-n', 5).ok())
    keys = [k.decode() for k in server.client.keys(group + '.*')]
    assert len(got['rows']) == min(5, len(keys)) > 0
    for row in got['rows']:
        assert [row['bytes'], row['packets'], row['flows']] == counts(server, '%s.%s' % (group, row[group]))
    have = [row[by] for row in got['rows']]
    which = 2 if by == 'flows' else 0
    assert have == sorted((counts(server, k)[which] for k in keys), reverse=True)[:5]


def test_series(server):
    keys = sorted(k.decode() for k in server.client.keys('ip.*'))[:3]
    head, rows = table(app('series', server, *(k + ':bytesSent' for k in keys), 'ip.absent:bytesSent',
                           '--count', 2, '--interval', .1).ok())
    assert head == ['time', *(k + ':bytesSent' for k in keys), 'ip.absent:bytesSent']
    for row in rows:
        want = [server.client.hget(k, 'bytesSent') for k in keys]
        assert row[1:] == [(v or b'').decode() for v in want] + ['']
    assert len(rows) == 2 and .05 < float(rows[1][0]) - float(rows[0][0]) < 5 * SLOW


def test_watch(server, live):
    w = live('watch', server, 'flow', 'dns', '--json', '--count', 3)
    listening(server, 2)
    for channel in ('flow.end', 'dns', 'dnsx', 'flow.new', 'flow.end'):
        server.client.publish(channel, json.dumps({'v': 1, 'ts': 1700000000.25, 'on': channel}))
    assert [json.loads(x)['channel'] for x in w.lines(3)] == ['flow.end', 'dns', 'flow.new']
    assert json.loads(w.lines(3)[0])['data'] == {'v': 1, 'ts': 1700000000.25, 'on': 'flow.end'}
    assert w.process.wait(5 * SLOW) == 0


def test_alert_host(server):
    """A host that is there is told of, once; one that is not, is not."""
    host = min(k.decode()[3:] for k in server.client.keys('ip.*.*'))
    listener = server.client.pubsub()
    listener.psubscribe('alert.*')
    listening(server)
    printed = [json.loads(x) for x in app('alert_host', server, host, '203.0.113.222', '--once').ok().splitlines()]
    heard = []
    while message := listener.get_message(timeout=.2):
        heard += [message] * (message['type'] == 'pmessage')
    listener.close()
    assert len(printed) == len(heard) == 1
    assert printed[0]['channel'] == heard[0]['channel'].decode() == 'alert.warning'
    alert = json.loads(heard[0]['data'])
    assert alert == printed[0]['data']
    assert (alert['v'], alert['program'], alert['host'], alert['list']) == (1, 'alert_host', host, host)
    assert host in alert['text']


# top.py

def test_top_table(node):
    lines = app('top', node, '--once', '-n', 3).ok().splitlines()
    assert lines[0].split() == ['ip', 'bytes', 'packets', 'flows', 'c/s']
    assert [x.split() for x in lines[1:]] == [
        ['10.0.0.30', '1.53M', '140', '2/2'], ['10.0.0.29', '1.48M', '142', '1/2'],
        ['10.0.0.28', '1.43M', '144', '0/2']]
    by_packets = json.loads(inside('top', node, '--once', '--json', '--by', 'packets', '-n', 1).ok())
    assert by_packets['rows'][0]['ip'] == '10.0.0.1' and by_packets['by'] == 'packets'


def test_top_without_lists(node):
    """The lists have gone, or are of another time: all keys are looked at."""
    node.client.delete(*node.client.keys('top.*'))
    node.client.zadd('top.proto.bytes.28333333', {'DNS': 5})
    got = json.loads(inside('top', node, '--once', '--json', '-n', 40).ok())
    assert len(got['rows']) == 31
    assert got['rows'][-1] == {'ip': '2001:db8::1', 'bytes': 7, 'packets': 0, 'flows': 0}
    got = json.loads(inside('top', node, '--once', '--json', '--group', 'proto').ok())
    assert [r['proto'] for r in got['rows']] == ['DNS']


def test_top_rates(node, live):
    """Differences between two tables; --rates orders by them."""
    w = live('top', node, '--json', '--rates', '-n', 2, '--interval', .3)
    w.lines(1)
    node.client.hincrby('ip.10.0.0.3', 'bytesRcvd', 30000000)

    def moved():
        tables = [json.loads(x) for x in w.lines(1)]
        assert 'bytesPerSecond' not in tables[0]['rows'][0]
        return [t for t in tables if t['rows'][0].get('bytesPerSecond')]
    rows = until(moved)[0]['rows']
    assert rows[0]['ip'] == '10.0.0.3' and rows[1]['bytesPerSecond'] == 0
    assert w.end().ok()


def test_top_screen(node):
    """On a terminal: drawn anew, cut to its width, no other control than that."""
    node.client.hset('ip.10.0.0.30', mapping={'name': EVIL, 'user': 'x' * 300})
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(ENV, COLUMNS='60', LINES='8')
        os.execv(sys.executable, command('top', node, ['--interval', '.1']))
    text = b''
    end = time.monotonic() + 8 * SLOW
    while text.count(b'\033[H') < 4 and time.monotonic() < end:
        text += os.read(fd, 65536)
    os.kill(pid, signal.SIGINT)
    try:
        while more := os.read(fd, 65536):
            text += more
    except OSError:  # the other side is gone
        pass
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = text.decode().replace('\r\n', '\n').replace('^C', '')
    pages = text.split('\033[H\033[2J')
    assert len(pages) > 3 and pages[0] == ''
    for page in pages[1:]:
        assert not FORBIDDEN.search(page), repr(page)
        lines = page.splitlines()
        assert len(lines) <= 7 and all(len(x) <= 60 for x in lines)
    assert node.at in pages[1] and '10.0.0.30' in pages[1]


# watch.py

EVENT = {'v': 1, 'ts': 1700000000.123456, 'proto': 'udp', 'src': '10.0.0.5', 'sport': 5353,
         'dst': '2001:db8::53', 'dport': 53, 'qname': 'a.example', 'rcode': None, 'answers': 2,
         'ok': True, 'response': ['192.0.2.1', '192.0.2.2'], 'a': {'b': {'c': 'deep'}}, 'x.y': 3,
         'text': 'a,b'}


@pytest.mark.parametrize('filter, holds', [
    ('dport=53', True), ('dport=53.0', True), ('dport=5', False), ('dport!=53', False),
    ('qname=a.example', True), ('qname~^a\\.', True), ('qname~z', False), ('qname!~z', True),
    ('dport>52', True), ('dport>53', False), ('dport>=53', True), ('dport<53', False),
    ('dport<=53', True), ('qname>1', False), ('absent>0', False), ('absent!=x', True),
    ('absent=x', False), ('absent=null', True), ('rcode=null', True), ('qname=null', False),
    ('absent~.', False), ('ok=true', True), ('a.b.c=deep', True), ('a.b=deep', False),
    ('a.b.c.d=deep', False), ('x.y=3', True), ('response=192.0.2.2', True), ('response=x', False),
    ('response!=192.0.2.2', False), ('response~^192', True), ('dport=53,answers>1', True),
    ('dport=53,answers>2', False), ('text=a\\,b', True), ('channel=dns', True), ('channel~^x', False),
    ('qname=', False), ('ts>1700000000.1', True), ('src=10.0.0.5, dst~:', True)])
def test_filter(filter, holds):
    assert watch.passes('dns', EVENT, watch.conditions(filter)) == holds


@pytest.mark.parametrize('filter', ['', ',', 'x', '=x', 'a>x', 'a~(', 'a~*', 'a<'])
def test_bad_filter(filter):
    with pytest.raises(argparse.ArgumentTypeError):
        watch.conditions(filter)


def test_watch_readable(node, live):
    w = live('watch', node, 'dns', 'alert')
    f = live('watch', node, 'dns', '--fields', 'qname,a.b.c,nothing,channel', '--filter', 'dport=53')
    j = live('watch', node, 'dns', '--fields', 'qname,a.b.c,nothing', '--json')
    listening(node, 2)  # different patterns count
    until(lambda: dict(node.client.pubsub_numsub('dns'))[b'dns'] == 3)
    node.client.publish('dns', json.dumps({**EVENT, 'dport': 54, 'IPV4_SRC_ADDR': '10.0.0.5', 'L4_DST_PORT': 54}))
    node.client.publish('dns', json.dumps(EVENT))
    node.client.publish('alert.error', '{"text": "two words", "ts": 1e300, "empty": ""}')
    stamp = time.strftime('%H:%M:%S', time.localtime(1700000000)) + '.123'
    assert [x.replace(':54 ', ':53 ') for x in w.lines(3)[:2]] == [stamp + (
        ' dns udp 10.0.0.5:5353 > [2001:db8::53]:53 qname=a.example answers=2 ok=true '
        'response=["192.0.2.1", "192.0.2.2"] a={"b": {"c": "deep"}} x.y=3 text=a,b')] * 2
    assert re.fullmatch(r'\d\d:\d\d:\d\d\.\d{3} alert.error text="two words" empty=""', w.lines(3)[2])
    assert f.lines(1) == ['qname=a.example a.b.c=deep channel=dns']
    assert json.loads(j.lines(2)[1]) == {'channel': 'dns', 'data': {'qname': 'a.example', 'a.b.c': 'deep'}}


def test_watch_overlap(node, live):
    """An event that several of the names match comes once."""
    w = live('watch', node, 'flow', 'flow.*', 'f*', 'all', 'flow.new', '--json')
    until(lambda: node.client.pubsub_numpat() == 4)
    for channel in ('flow', 'flow.new', 'fx', 'other', 'last'):
        node.client.publish(channel, '{}')
    assert [json.loads(x)['channel'] for x in w.lines(5)] == ['flow', 'flow.new', 'fx', 'other', 'last']


def test_watch_no_event(node, live):
    """What is no JSON object is shown as it is, and has no fields; nothing is too deep."""
    w = live('watch', node, 'dns', '--json')
    f = live('watch', node, 'dns', '--filter', 'a=2', '--json')
    until(lambda: dict(node.client.pubsub_numsub('dns'))[b'dns'] == 2)
    hostile = ['[1]', 'NaN', '{"a":NaN}', '{"a":' * 100000, '[' * 990 + ']' * 990, 'text',
               '{"a":' * 900 + '1' + '}' * 900, '{"a":%s}' % ('9' * 5000), '', '7' * 5000]
    for text in hostile + ['{"a":2}']:
        node.client.publish('dns', text)
    got = [json.loads(x, parse_constant=pytest.fail) for x in w.lines(len(hostile) + 1)]
    assert [g['data'] for g in got[:6]] == hostile[:6]
    assert got[-1]['data'] == {'a': 2}
    assert [json.loads(x)['data'] for x in f.lines(1)] == [{'a': 2}]
    assert w.end().err == ''


def test_watch_timeout(node):
    before = time.monotonic()
    assert app('watch', node, 'dns', '--timeout', .5).ok() == ''
    assert time.monotonic() - before > .5


GLOBS = ['*', 'a*', '?b', '[ab]*', '[^a]*', 'a[', '[a-b]?', '\\*', 'a\\', '[]', 'a.c', '[.]*', '[b-a]', '',
         'x[^]', '**b', '[\\]a]*', '[a-', '[-a]*', '[z-^]*', 'a[^', '[a\\', '[^', '[']


def test_glob(node):
    """As Redis means it."""
    names = ['a', 'ab', 'abc', 'bb', '*', 'a.c', 'axc', '.', 'a[', 'a\\', '^', 'x^', 'xa', 'cb', '-']
    node.client.flushall()
    node.client.mset({n: 1 for n in names})
    for glob in GLOBS:
        want = {k.decode() for k in node.client.keys(glob)}
        assert {n for n in names if common.glob_regex(glob).fullmatch(n)} == want, glob


# series.py

def test_series_rate(node, live, tmp_path):
    """Differences per second; an empty cell where there is none; new keys only in --long."""
    out = tmp_path / 'out.csv'
    w = live('series', node, 'ip.10.0.0.[12]:bytesSent', 'proto.TLS:bytes', 'ip.later:bytesSent', '--rate',
             '--interval', .2, '-o', out)
    stop = time.monotonic() + 2
    long = live('series', node, 'ip.*:pktsSent', '--long', '--interval', .2)
    long.lines(2)
    node.client.hset('ip.new', 'pktsSent', 5)
    while time.monotonic() < stop:
        node.client.hincrby('ip.10.0.0.1', 'bytesSent', 10)
        time.sleep(.01)
    node.client.delete('proto.TLS')
    have = len(out.read_text().splitlines())
    until(lambda: len(out.read_text().splitlines()) > have + 2)
    assert w.end().ok() == ''
    head, rows = table(out.read_text())
    assert head == ['time', 'ip.10.0.0.1:bytesSent', 'ip.10.0.0.2:bytesSent', 'proto.TLS:bytes',
                    'ip.later:bytesSent']
    assert any(float(r[1]) > 0 for r in rows) and all(float(r[2]) == 0 for r in rows)
    assert rows[0][3] == '0.0' and rows[-1][3] == '' and {r[4] for r in rows} == {''}
    head, rows = table(long.end().out)
    assert head == ['time', 'key', 'field', 'value']
    assert 'ip.new' in {r[1] for r in rows} and 'ip.10.0.0.1' in {r[1] for r in rows}
    assert {r[2] for r in rows} == {'pktsSent'}


def test_rates(monkeypatch):
    """Exactly: none at first, after a fall, between different sets of nodes."""
    class Nodes:
        def hashes(self, keys, fields):
            return {'k': {'f': str(answer)}} if answer is not None else {}

        def there(self):
            return there
    clock = iter(range(100, 1000, 4))
    monkeypatch.setattr(series.time, 'monotonic', lambda: next(clock))
    m = series.Metric('k', 'f')
    sampler = series.Sampler(Nodes(), [m], True)
    got = []
    for answer, there in ((10, 1), (30, 1), (30, 1), (5, 1), (6, 1), (None, 1), (8, 1), (10, 1), (90, 2), (92, 2),
                          ('x', 2), ('93.5', 2), ('94.5', 2)):
        got.append(sampler.values([m]).get(m))
    assert got == [None, 5, 0, None, .25, None, None, .5, None, .5, None, None, .25]


def test_series_kinds(node):
    """A pattern takes what has the field; strings, sets and texts are no numbers."""
    head, rows = table(app('series', node, 'probe.*:packets', 'probe.one.seq:x', 'probe.one:version',
                           'microcloud.nodes:x', 'mac.02:00:5e:00:00:01:bytesSent', '--count', 1).ok())
    assert head[1] == 'probe.one:packets'
    assert rows[0][1:] == ['5', '', '1.0', '', '4']
    done = app('series', node, 'nothing.*:bytes')
    assert done.status == 1 and done.out == '' and 'nothing.*:bytes' in done.err


@GNUPLOT
def test_series_png(node, live, tmp_path):
    """A picture at the end, at Ctrl-C too; names mean nothing to gnuplot."""
    trap = tmp_path / 'trap'
    node.client.hset('ip.x`touch %s`\'"; system("touch %s") #' % (trap, trap), 'bytesSent', 5)
    png = tmp_path / "it's a 'picture'.png"
    w = live('series', node, 'ip.*:bytesSent', 'ip.absent:bytesSent', '--interval', .1, '--png', png)
    w.lines(3)
    done = w.end()
    assert done.status == 0 and '20 highest' in done.err
    data = png.read_bytes()
    assert data.startswith(b'\x89PNG\r\n\x1a\n') and data.rstrip().endswith(b'IEND\xaeB`\x82') and len(data) > 3000
    assert not trap.exists()
    done = app('series', node, 'ip.x*:bytesSent', '--count', 2, '--interval', .1, '--png', png)
    assert done.status == 0 and not trap.exists()
    done = app('series', node, 'ip.absent:x', '--count', 1, '--png', tmp_path / 'none')
    assert done.status == 1 and 'nothing to draw' in done.err


def test_series_no_gnuplot(node, tmp_path):
    done = app('series', node, 'a:b', '--png', tmp_path / 'x', env={**ENV, 'PATH': str(tmp_path)})
    assert (done.status, done.out) == (1, '')
    assert done.err == 'series.py: gnuplot is missing: apt install gnuplot-nox\n'


# alert_host.py

def alerts(w, n):
    return [json.loads(x)['data'] for x in w.lines(n)]


def test_alert_events(node, live, tmp_path):
    """By events and by keys, addresses, networks and a file; once per host."""
    hosts = tmp_path / 'hosts'
    hosts.write_text('# a list\n\n198.51.100.0/24  # a net\n2001:DB8:0::7\n')
    node.client.hset('ip.203.0.113.9', 'bytesSent', 5)
    w = live('alert_host', node, '--hosts', hosts, '203.0.113.9', '--interval', .1, '--channel', 'alert.info')
    follower = live('watch', node, 'alert', '--json')
    assert alerts(w, 1)[0]['host'] == '203.0.113.9'
    until(lambda: dict(node.client.pubsub_numsub('flow.new', 'alert')) == {b'flow.new': 1, b'alert': 1})
    for i in range(5):
        node.client.publish('flow.new', json.dumps({'src': '198.51.100.7', 'dst': '10.0.0.1', 'user': 'bob',
                                                    'flow': 'flow.tcp.x'}))
        node.client.publish('flow.end', json.dumps({'src': '10.0.0.1', 'dst': '2001:db8:0:0::7'}))
        node.client.publish('flow.end', json.dumps({'src': '10.0.0.1', 'dst': '10.0.0.2'}))
        node.client.hincrby('ip.203.0.113.9', 'bytesSent', 1)
        node.client.hincrby('ip.198.51.100.7', 'bytesSent', 1)
    for bad in ('', '[]', '{"src":5,"dst":{}}', '{"src":"x"}', '[' * 5000):
        node.client.publish('flow.new', bad)
    node.client.hset('ip.198.51.100.8', 'bytesSent', 1)
    got = alerts(w, 4)
    time.sleep(.5)
    done = w.end()
    assert done.err == '' and done.status == 0
    assert sorted(a['host'] for a in alerts(w, 4)) == ['198.51.100.7', '198.51.100.8', '2001:db8::7', '203.0.113.9']
    by = {a['host']: a for a in got}
    assert by['198.51.100.7']['list'] == '198.51.100.0/24' and by['198.51.100.7']['why'] in ('flow.new', 'poll')
    assert by['2001:db8::7']['text'] == '2001:db8::7 is active: server for 10.0.0.1'
    assert by['198.51.100.8']['why'] == 'poll'
    assert [json.loads(x)['channel'] for x in follower.lines(3)] == ['alert.info'] * len(follower.lines(3))


def test_alert_again(node, live):
    """After --quiet, and only if something happened."""
    w = live('alert_host', node, '10.0.0.0/8', '10.0.0.1', '--interval', .1, '--quiet', .5)
    assert len(alerts(w, 30)) == 30
    time.sleep(.8)
    assert len(w.out.splitlines()) == 30
    node.client.hincrby('ip.10.0.0.4', 'flowsServer', 1)
    assert alerts(w, 31)[30]['host'] == '10.0.0.4'
    time.sleep(.3)
    assert len(w.out.splitlines()) == 31


def test_alert_not_taken(nodes, live):
    """A server that refuses PUBLISH: said so, tried again, nothing printed."""
    refusing, = nodes(1, '--rename-command', 'PUBLISH', '')
    refusing.client.hset('ip.10.0.0.1', 'bytesSent', 1)
    w = live('alert_host', refusing, '10.0.0.1', '--interval', .1)
    until(lambda: 'PUBLISH' in w.err)
    assert w.end().out == ''


# Several nodes

def test_merge(nodes):
    a, b = nodes(2)
    both = '%s,%s' % (a.at, b.at)
    for n, size, first, last in ((a, 10, 5, 7), (b, 30, 3, 6)):
        n.client.hset('ip.10.0.0.1', mapping={'bytesSent': size, 'firstSeen': first, 'lastSeen': last,
                                              'user': '123', 'name': n.at})
        n.client.hset('probe.one', mapping={'packets': 5})
        n.client.hset('http.host.x', mapping={'serviceTimeUsMax': size})
    b.client.hset('ip.10.0.0.2', 'bytesSent', 35)
    got = json.loads(inside('top', both, '--once', '--json').ok())['rows']
    assert [(r['ip'], r['bytes']) for r in got] == [('10.0.0.1', 40), ('10.0.0.2', 35)]
    assert got[0]['user'] == '123' and got[0]['name'] == a.at
    _, rows = table(app('series', a, '--redis', b.at, 'ip.10.0.0.1:firstSeen', 'ip.10.0.0.1:lastSeen',
                        'probe.*:packets', 'http.host.x:serviceTimeUsMax', '--count', 1).ok())
    assert rows[0][1:] == ['3', '7', '5', '30']
    got = inside('top', a.at + ',127.0.0.1:1', '--once', '--json')
    assert got.status == 0 and json.loads(got.out)['rows'][0]['bytes'] == 10
    assert got.err.count('\n') == 1 and '127.0.0.1:1' in got.err


def test_watch_several(nodes, live):
    """Events go to every node; each is shown once, but what happened twice twice."""
    a, b = nodes(2)
    w = live('watch', '%s,%s' % (a.at, b.at), 'dns', '--json')
    listening(a)
    listening(b)
    for text in ('{"n":1}', '{"n":2}', '{"n":2}'):
        a.client.publish('dns', text)
        b.client.publish('dns', text)
    b.client.publish('dns', '{"n":3}')
    a.client.publish('dns', '{"n":4}')
    time.sleep(.3)
    assert sorted(json.loads(x)['data']['n'] for x in w.lines(5)) == [1, 2, 2, 3, 4]


def test_once():
    once = mcprobe_nodes.Once()
    seen = [once.fresh(n, 'c', t) for n, t in ((0, 'x'), (1, 'x'), (0, 'x'), (0, 'x'), (1, 'x'), (1, 'x'), (1, 'x'))]
    assert seen == [True, False, True, True, False, False, True]
    for i in range(mcprobe_nodes.QUEUE_MAX + 50):
        once.fresh(0, 'c', str(i))
    assert len(once.seen) <= mcprobe_nodes.QUEUE_MAX + 1


# Trouble

@pytest.mark.parametrize('name', APPS)
def test_away_at_start(name):
    done = app(name, '127.0.0.1:1', *APPS[name])
    assert (done.status, done.out) == (1, '')
    assert re.fullmatch(r'%s\.py: no answer: 127\.0\.0\.1:1: .*refused.*\n' % name, done.err)
    done = inside(name, 'unix:/nonexistent/socket', *APPS[name])
    assert done.status == 1 and done.err.count('\n') == 1 and '/nonexistent/socket' in done.err


@pytest.mark.parametrize('name', APPS)
@pytest.mark.parametrize('args', [['--nonsense'], ['--redis', 'a:b:c:d'], ['--redis', 'x:99999'],
                                  ['--redis', 'unix:'], ['--once', '--interval', '-1', '--timeout', 'x']])
def test_bad_usage(name, args):
    done = inside(name, None, *args, *APPS[name])
    assert done.status == 2 and 'error: ' in done.err and done.out == ''


@pytest.mark.parametrize('name, args', [
    ('top', ['-n', '0']), ('top', ['--by', 'x']), ('top', ['--group', 'user']), ('top', ['--interval', 'nan']),
    ('watch', []), ('watch', ['dns', '--count', '-1']), ('watch', ['dns', '--timeout', '0']),
    ('series', []), ('series', ['nofield']), ('series', [':x']), ('series', ['x:']),
    ('series', ['a:b', '--long', '--png', 'x']), ('alert_host', []), ('alert_host', ['nonsense']),
    ('alert_host', ['10.0.0.1/33']), ('alert_host', ['--hosts', '/nonexistent'])])
def test_bad_options(name, args):
    done = inside(name, '127.0.0.1:1', *args)
    assert done.status == 2 and 'error: ' in done.err and done.out == ''


def test_bad_hosts_file(tmp_path):
    (tmp_path / 'hosts').write_bytes(b'10.0.0.1\n\xff\x1b[2J\n')
    done = inside('alert_host', '127.0.0.1:1', '--hosts', tmp_path / 'hosts')
    assert done.status == 2 and 'hosts:2: ' in done.err and not FORBIDDEN.search(done.err)


@pytest.mark.parametrize('name', APPS)
def test_help(name):
    """The docstring, with examples that are valid."""
    text = inside(name, None, '--help').ok()
    assert 'examples:\n' in text and '%s.py' % name in text and '--password-file' in text
    assert os.access(SCRIPTS / (name + '.py'), os.X_OK)


def test_password(nodes, tmp_path):
    node, = nodes(1, '--requirepass', 'open sesame')
    right, wrong = tmp_path / 'right', tmp_path / 'wrong'
    right.write_text('open sesame\nsecond line\n')
    wrong.write_text('x\n')
    assert app('top', node, '--once', '--password-file', right).ok()
    for name, args in APPS.items():
        done = inside(name, node, *args)
        assert done.status == 1 and 'uthentication required' in done.err and done.err.count('\n') == 1
    done = inside('top', node, '--password-file', wrong)
    assert done.status == 1 and 'invalid username-password' in done.err
    done = inside('top', node, '--password-file', tmp_path / 'none')
    assert done.status == 1 and 'No such file' in done.err and done.err.count('\n') == 1


def test_unix_socket(nodes, tmp_path):
    path = tmp_path / 'r.sock'
    node, = nodes(1, '--unixsocket', str(path))
    node.fill()
    assert '10.0.0.30' in inside('top', 'unix:%s' % path, '--once').ok()


@pytest.mark.parametrize('answer', [b'HTTP/1.1 400 Bad Request\r\n\r\n', b'*1\r\n*1\r\n:x\r\n', b'\x1b[2J\r\n',
                                    b'-ERR \x1b[2J\x07 no\r\n', b'$-5\r\n', b'', b'\r\n\r\n'])
def test_no_redis(answer):
    """A server that is none: one clean line."""
    def serve():
        try:
            while True:
                peer = listener.accept()[0]
                peer.recv(1000)
                peer.sendall(answer)
                peer.close()
        except OSError:
            pass
    with socket.create_server(('127.0.0.1', 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        done = inside('top', '127.0.0.1:%d' % listener.getsockname()[1], '--once')
        listener.shutdown(socket.SHUT_RDWR)
    assert done.status == 1 and done.err.count('\n') == 1 and not FORBIDDEN.search(done.err)


def test_silent_server(monkeypatch):
    """One that accepts and never answers is away after the timeout."""
    monkeypatch.setattr(mcprobe_nodes, 'TIMEOUT', .3)
    with socket.create_server(('127.0.0.1', 0)) as listener:
        done = inside('watch', '127.0.0.1:%d' % listener.getsockname()[1], 'dns')
    assert done.status == 1 and 'imeout' in done.err and done.err.count('\n') == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c(node, live, number):
    begun = [live(name, node, '--interval', '.1', *args) if name != 'watch' else live(name, node, *args)
             for name, args in APPS.items()]
    until(lambda: dict(node.client.pubsub_numsub('flow', 'flow.new')) == {b'flow': 1, b'flow.new': 1})
    for w in begun:
        if w is not begun[1]:
            w.lines(1)
        done = w.end(number)
        assert done.status == 0 and done.err == ''


@pytest.mark.parametrize('name, args', [('top', ['--interval', '.05']), ('series', ['ip.10.0.0.1:bytesSent',
                                                                                    '--interval', '.05'])])
def test_reader_had_enough(node, name, args):
    p = subprocess.Popen(command(name, node, args), env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.readline()
    p.stdout.close()
    assert p.wait(8 * SLOW) == 0
    assert p.stderr.read() == b''
    p.stderr.close()


def test_full_disk(node):
    with open('/dev/full', 'w') as full:
        p = subprocess.run(command('top', node, ['--once']), env=ENV, stdout=full, stderr=subprocess.PIPE)
    assert p.returncode == 1 and p.stderr.count(b'\n') == 1 and b'No space left' in p.stderr


def test_restart(node, live):
    """The server goes and comes back: said once each, and all go on."""
    begun = {'top': live('top', node, '--json', '--interval', .2),
             'series': live('series', node, 'ip.10.0.0.1:bytesSent', '--rate', '--interval', .2),
             'watch': live('watch', node, 'dns', '--json'),
             'alert_host': live('alert_host', node, '10.0.0.1', '--interval', .2, '--quiet', .1)}
    subscribed = {b'dns': 1, b'flow.new': 1}
    until(lambda: dict(node.client.pubsub_numsub('dns', 'flow.new')) == subscribed)
    begun['top'].lines(2)
    begun['series'].lines(3)
    begun['alert_host'].lines(1)
    node.stop()
    for w in begun.values():
        until(lambda: node.at in w.err)
    rows = begun['top'].out.count('\n'), begun['series'].out.count('\n')
    begun['series'].lines(rows[1] + 2)
    node.start()
    node.fill()
    until(lambda: dict(node.client.pubsub_numsub('dns', 'flow.new')) == subscribed)
    node.client.publish('dns', '{"back":1}')
    node.client.hincrby('ip.10.0.0.1', 'bytesSent', 1)
    for w in begun.values():
        until(lambda: 'answers again' in w.err)
    assert json.loads(begun['watch'].lines(1)[-1])['data'] == {'back': 1}
    begun['alert_host'].lines(2)
    until(lambda: len(json.loads(begun['top'].out.splitlines()[-1])['rows']) == 10)
    until(lambda: begun['series'].out.splitlines()[-1].split(',')[1] == '0.0')
    for w in begun.values():
        done = w.end()
        assert done.status == 0 and done.err.count('\n') == 2, done.err
    _, rows = table(begun['series'].out)
    assert '' in [r[1] for r in rows] and rows[0][1] == '0.0'


def test_hostile_names(node, live):
    """Nothing from the wire drives the terminal."""
    node.client.flushall()
    raw = EVIL.encode() + b'\xff\xfe'
    for prefix in (b'ip.', b'proto.', b'port.'):
        node.client.hset(prefix + raw, mapping={'bytes': 5, 'bytesSent': 5, 'name': raw, 'user': raw, raw: 5})
    node.client.zadd('top.ip.bytes.%d' % (time.time() // 60), {raw: 5})
    w = live('watch', node, 'all')
    j = live('watch', node, 'all', '--json')
    until(lambda: sum(c['psub'] != '0' for c in node.client.client_list()) == 2)
    node.client.publish(raw, raw)
    node.client.publish('dns', json.dumps({'ts': EVIL, 'src': EVIL, 'dst': EVIL, 'proto': EVIL, EVIL: EVIL,
                                           'sport': EVIL, 'list': [EVIL], 'deep': {EVIL: EVIL}}))
    text = [inside('top', node, '--once', '--group', g, *more).ok()
            for g in ('ip', 'proto', 'port') for more in ([], ['--json'])]
    text.append(app('series', node, 'ip.*:bytesSent', '--count', 1).ok())
    assert table(text[-1])[1][0][1] == '5'
    text.append(app('series', node, 'ip.*:bytesSent', '--count', 1, '--long').ok())
    text += ['\n'.join(w.lines(2)), '\n'.join(j.lines(2))]
    for t in text:
        assert 'evil' in t and not FORBIDDEN.search(t), repr(t)
    assert all(len(t.splitlines()) == 2 for t in text if not t.startswith('{"v"'))


def test_no_python_redis(tmp_path):
    (tmp_path / 'redis.py').write_text('raise ImportError("none here")\n')
    done = app('top', None, '--once', env={**ENV, 'PYTHONPATH': str(tmp_path)})
    assert (done.status, done.err) == (1, 'top.py: python3-redis is missing: apt install python3-redis\n')


# Text

@pytest.mark.parametrize('text, want', [
    ('plain', 'plain'), ('naïve 中文', 'naïve 中文'), ('a\x1bb', 'a\\x1bb'), ('\x9b', '\\x9b'), ('\u202e', '\\u202e'),
    ('\udcff', '\\xff'), ('\u2028', '\\u2028'), ('\U000e0001', '\\U000e0001'), ('\n\t', '\\x0a\\x09')])
def test_safe(text, want):
    assert common.safe(text) == want


@pytest.mark.parametrize('n, want', [(None, '-'), (0, '0'), (999, '999'), (1000, '1.00k'), (12345, '12.3k'),
                                     (123456, '123k'), (999600, '1.00M'), (5 * 10**18, '5000P'), (.4, '0')])
def test_human(n, want):
    assert common.human(n) == want


@pytest.mark.parametrize('text, columns, want', [
    ('abc', 3, 'abc'), ('abcd', 3, 'ab+'), ('中文字', 6, '中文字'), ('中文字', 5, '中文+'), ('中文字', 4, '中+'),
    ('e\u0301' * 4, 4, 'e\u0301' * 4), ('', 3, '')])
def test_clip(text, columns, want):
    assert common.clip(text, columns) == want


@pytest.mark.parametrize('text, want', [
    ('5', 5), ('-5', -5), ('1.5', 1.5), ('1e3', 1000.0), ('', None), ('x', None), ('nan', None), ('inf', None),
    ('1e999', None), ('9' * 41, None), ('٣', None), ('0x1', None), ('1_000', None), (' 5', None), (None, None)])
def test_number(text, want):
    assert common.number(text) == want
