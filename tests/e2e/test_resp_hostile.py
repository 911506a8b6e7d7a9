# SPDX-License-Identifier: BSD-3-Clause
"""Hostile clients of the RESP port: bytes that are no protocol, at every split; announcements
without what was announced; crowds; clients that never read. The probe answers as Redis does,
goes on, counts every packet, and does not grow.

What a vector must get is asked of redis-server as well, so that the judge is judged.
"""
import re
import resource
import selectors
import socket
import threading
import time

import pytest

from cloud import RedisServer, Served, Tree, counters, records_of, same, serve, totals, wait_until
from conftest import CORPUS, FOREVER, SANITIZED, SLOW

GROWTH_KB = 400 << 10 if SANITIZED else 64 << 10
FOLDER = CORPUS / 'hostile' / 'resp'
FILES = sorted(FOLDER.glob('*.bin')) if FOLDER.is_dir() else []
files = pytest.mark.parametrize('path', FILES or [pytest.param(None, marks=pytest.mark.skip(
    reason='no corpus of hostile requests beside this tree'))], ids=lambda p: p.stem if p else 'none')


# ---- sockets


def connect(port):
    s = socket.create_connection(('127.0.0.1', port), 10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Talk:
    """Connections side by side: what each was answered, and whether it was closed."""

    def __init__(self, port, n=1):
        self.sockets = [connect(port) for _ in range(n)]
        self.answers = [b''] * n
        self.closed = [False] * n

    def say(self, parts):
        """PARTS[i] to connection i; a server that has closed does not listen."""
        for i, part in enumerate(parts):
            try:
                self.sockets[i].sendall(part)
            except OSError:
                pass

    def hear(self, quiet=.25, seconds=15, until=None):
        """Read until all are closed, nothing came for QUIET seconds, or UNTIL() is true."""
        watch = selectors.DefaultSelector()
        for i, s in enumerate(self.sockets):
            if not self.closed[i]:
                watch.register(s, selectors.EVENT_READ, i)
        end = time.monotonic() + seconds * SLOW
        while watch.get_map() and time.monotonic() < end and not (until and until()):
            ready = watch.select(quiet * SLOW)
            if not ready and not until:
                break
            for key, _ in ready:
                try:
                    data = key.fileobj.recv(1 << 16)
                except OSError:
                    data = b''
                self.answers[key.data] += data
                if not data:
                    self.closed[key.data] = True
                    watch.unregister(key.fileobj)
        watch.close()
        return self

    def end(self):
        for s in self.sockets:
            s.close()


def ask(port, data, **kw):
    """(answer, closed) of one connection that says DATA."""
    t = Talk(port)
    t.say([data])
    t.hear(**kw)
    t.end()
    return t.answers[0], t.closed[0]


def ping(port):
    with connect(port) as s:
        s.settimeout(10 * SLOW)
        s.sendall(b'*1\r\n$4\r\nPING\r\n')
        return s.recv(64) == b'+PONG\r\n'


class Fort:
    """A probe under attack, and what it must still know afterwards."""

    def __init__(self, capture):
        self.records, self.summary = records_of(capture, *FOREVER)
        self.probe = Served('-i', capture, '--stay', '--no-dpi', *FOREVER)
        self.probe.read(self.summary['packets'])
        self.port = self.probe.port

    def holds(self):
        """It answers, has lost no packet, and its sums are right."""
        assert self.probe.process.poll() is None, self.probe.text()[-3000:]
        assert ping(self.port)
        with self.probe.client() as c:
            same(totals(c), Tree(self.records).under('ip.'))
            found = counters(c)
        assert found['packets'] == found['flow_packets'] + sum(
            n for k, n in found.items() if k.startswith('drop_'))
        return found


@pytest.fixture(scope='module')
def fort(captures):
    f = Fort(captures())
    yield f
    f.holds()
    end = f.probe.finish()
    assert end.ok().summary.check()['packets'] == f.summary['packets']
    assert not re.search('Sanitizer|runtime error', end.text), end.text[-2000:]
    f.probe.end()


@pytest.fixture(autouse=True)
def goes_on(fort):
    before = fort.probe.rss_kb()
    yield
    found = fort.holds()
    wait_until(lambda: fort.probe.rss_kb() - before < GROWTH_KB, 5,
               'for memory to come back: %d kB, now %d' % (before, fort.probe.rss_kb()))
    assert found['resp_errors'] >= 0


@pytest.fixture(scope='module', params=['redis', 'probe'])
def target(request, fort, tmp_path_factory):
    """The port of a redis-server, then of the probe."""
    if request.param == 'probe':
        yield fort.port
    else:
        s = RedisServer(tmp_path_factory.mktemp('redis'))
        yield s.port
        s.end()


# ---- the corpus


@files
def test_file(fort, path):
    """Whole, and whole twice on one connection; then cut at every byte: the same answer."""
    data = path.read_bytes()
    answer, closed = ask(fort.port, data)
    assert len(answer) < 64 * len(data) + 4096
    places = range(1, len(data)) if len(data) <= 300 else sorted(
        {*range(1, 60), *range(60, len(data), len(data) // 60), *range(len(data) - 20, len(data))})
    t = Talk(fort.port, len(places))
    t.say([data[:n] for n in places])
    time.sleep(.05)
    t.say([data[n:] for n in places])
    t.hear()
    t.end()
    wrong = [(n, a, c) for n, a, c in zip(places, t.answers, t.closed) if not alike(answer, closed, a, c)]
    assert not wrong, (answer, closed, wrong[:3])


def alike(answer, closed, other, also):
    # A reset may overtake the end of what was said before it.
    return (answer, closed) == (other, also) or closed and also and answer.startswith(other)


@files
def test_file_byte_by_byte(fort, path):
    data = path.read_bytes()[:400]
    answer, closed = ask(fort.port, data)
    t = Talk(fort.port)
    for n in range(len(data)):
        t.say([data[n:n + 1]])
        if n < 60:
            time.sleep(.002)
    t.hear()
    t.end()
    assert alike(answer, closed, t.answers[0], t.closed[0]), (answer, t.answers[0])


@files
def test_file_after_a_question(fort, path):
    """What came before it is answered first, but if it is from a browser, to whom nothing
    is said."""
    answer, _ = ask(fort.port, b'*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n' + path.read_bytes())
    assert answer.startswith(b'$2\r\nhi\r\n') or path.stem == 'http' and answer == b''


# ---- vectors


LONG = b'1' * 70000
BAD_COUNT, BAD_BULK = b'-ERR Protocol error: invalid multibulk length', b'-ERR Protocol error: invalid bulk length'
PONG = b'+PONG'
# What is said, how each line of the answer begins, whether the connection is closed then.
VECTORS = {
    'count 2^31': (b'*2147483648\r\n', [BAD_COUNT], True),
    'count of digits': (b'*' + b'9' * 30 + b'\r\n', [BAD_COUNT], True),
    'count +1': (b'*+1\r\n$4\r\nPING\r\n', [BAD_COUNT], True),
    'count blank': (b'* 1\r\n$4\r\nPING\r\n', [BAD_COUNT], True),
    'count 01': (b'*01\r\n$4\r\nPING\r\n', [BAD_COUNT], True),
    'count x': (b'*x\r\n', [BAD_COUNT], True),
    'count -1': (b'*-1\r\n*1\r\n$4\r\nPING\r\n', [PONG], False),
    'count -10': (b'*-10\r\n*1\r\n$4\r\nPING\r\n', [PONG], False),
    'count 0': (b'*0\r\n*0\r\nPING\r\n', [PONG], False),
    'bulk -1': (b'*1\r\n$-1\r\n', [BAD_BULK], True),
    'bulk -5': (b'*2\r\n$4\r\nPING\r\n$-5\r\n', [BAD_BULK], True),
    'bulk 512 MB': (b'*1\r\n$536870913\r\n', [BAD_BULK], True),
    'bulk of digits': (b'*1\r\n$999999999999999999999999\r\n', [BAD_BULK], True),
    'bulk +4': (b'*1\r\n$+4\r\nPING\r\n', [BAD_BULK], True),
    'bulk 04': (b'*1\r\n$04\r\nPING\r\n', [BAD_BULK], True),
    'bulk x': (b'*1\r\n$4x\r\nPING\r\n', [BAD_BULK], True),
    'no dollar': (b'*1\r\n:1\r\n', [b"-ERR Protocol error: expected '$', got ':'"], True),
    'no dollar later': (b'*2\r\n$4\r\nPING\r\nPING\r\n', [b"-ERR Protocol error: expected '$', got 'P'"], True),
    'long line': (LONG, [b'-ERR Protocol error: too big inline request'], True),
    'long count': (b'*' + LONG, [b'-ERR Protocol error: too big mbulk count string'], True),
    'long bulk': (b'*1\r\n$' + LONG, [b'-ERR Protocol error: too big bulk count string'], True),
    'quote': (b'ECHO "abc\r\n', [b'-ERR Protocol error: unbalanced quotes in request'], True),
    'quote and text': (b'ECHO "abc"d\r\n', [b'-ERR Protocol error: unbalanced quotes in request'], True),
    'quotes': (b'ECHO "a\\x41\\n b" \r\n', [b'$5', b'aA\n b'], False),
    'empty lines': (b'\r\n\r\nPING\r\n', [PONG], False),
    'line feeds': (b'\n\nPING\nECHO x\n', [PONG, b'$1', b'x'], False),
    'nothing': (b'*1\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n', [b"-ERR unknown command ''", PONG], False),
    'unfinished count': (b'*1', [], False),
    'unfinished bulk': (b'*1\r\n$4\r\nPI', [], False),
    'unfinished end': (b'*1\r\n$4\r\nPING', [], False),
    'unknown': (b'*3\r\n$3\r\nfoo\r\n$1\r\na\r\n$1\r\nb\r\n', [b"-ERR unknown command 'foo', with args beginning with: 'a' 'b'"], False),
    'arity': (b'GET\r\nPING\r\n', [b"-ERR wrong number of arguments for 'get' command", PONG], False),
    'lower case': (b'*1\r\n$4\r\npInG\r\n', [PONG], False),
    'pipeline': (b'*1\r\n$4\r\nPING\r\n' * 500, [PONG] * 500, False),
    'after quit': (b'PING\r\nQUIT\r\nPING\r\n', [PONG, b'+OK'], True),
    'zero bytes': (b'*2\r\n$4\r\nECHO\r\n$3\r\n\0\r\0\r\n', [b'$3', b'\0\r\0'], False),
    'post': (b'POST / HTTP/1.1\r\nHost: a\r\n\r\n', [], True),
    'host': (b'PING\r\nHost: localhost\r\nPING\r\n', None, True),
    'get': (b'GET / HTTP/1.1\r\nHost: localhost:6380\r\nAccept: */*\r\n\r\n', None, True),
    'post, array': (b'*1\r\n$4\r\nPOST\r\n', [], True),
}


@pytest.mark.parametrize('name', VECTORS)
def test_vector(target, name):
    said, lines, closes = VECTORS[name]
    answer, closed = ask(target, said)
    got = answer.split(b'\r\n')[:-1]
    assert closed == closes, answer
    if lines is not None:
        assert len(got) == len(lines) and all(g.startswith(w) for g, w in zip(got, lines)), answer


def test_vector_one_at_a_time(fort):
    """Each of the short ones byte by byte: the same."""
    short = {n: v for n, v in VECTORS.items() if len(v[0]) < 200}
    t = Talk(fort.port, len(short))
    for at in range(200):
        t.say([v[0][at:at + 1] for v in short.values()])
        time.sleep(.001)
    t.hear()
    t.end()
    for (name, (_, lines, closes)), answer, closed in zip(short.items(), t.answers, t.closed):
        assert closed == closes, (name, answer)
        if lines:
            assert answer.startswith(lines[0]), (name, answer)


def test_limits(fort):
    """Smaller than Redis': 1,024 arguments, 1 MB each."""
    assert ask(fort.port, b'*1048577\r\n') == (BAD_COUNT + b'\r\n', True)
    assert ask(fort.port, b'*1025\r\n') == (BAD_COUNT + b'\r\n', True)
    assert ask(fort.port, b'*1\r\n$1048577\r\n') == (BAD_BULK + b'\r\n', True)
    text = b'x' * 500000
    answer, closed = ask(fort.port, b'*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n' % (len(text), text))
    assert not closed and answer == b'$%d\r\n%s\r\n' % (len(text), text)
    answer, closed = ask(fort.port, b'*1024\r\n' + b'$6\r\nEXISTS\r\n' + b'$1\r\na\r\n' * 1023)
    assert (answer, closed) == (b':0\r\n', False)


def test_terminators(fort):
    """A bulk string whose end is not one is either taken or an error, never out of step."""
    answer, closed = ask(fort.port, b'*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n')
    assert answer == b'+PONG\r\n+PONG\r\n' or closed and answer.startswith(b'-ERR Protocol error')


PATTERNS = [b'*' * 250, b'a*' * 120, b'*?' * 100 + b'z', b'[' * 200, b'[^' * 100, b'\\' * 201, b'[a-' * 80,
            b'*' * 5000, b'[' + b'a' * 100000, b'flow.' + b'*1' * 100, b'\0*\xff', b'', b'[z-a]*', b'[]*']


@pytest.mark.parametrize('command', ['KEYS', 'SCAN', 'PSUBSCRIBE', 'HSCAN', 'PUBSUB', 'COMMAND'])
def test_patterns(fort, command):
    """No pattern is expensive."""
    for p in PATTERNS:
        args = {'KEYS': [p], 'SCAN': [b'0', b'MATCH', p], 'PSUBSCRIBE': [p], 'PUBSUB': [b'CHANNELS', p],
                'HSCAN': [b'ip.192.168.10.11', b'0', b'MATCH', p],
                'COMMAND': [b'LIST', b'FILTERBY', b'PATTERN', p]}[command]
        args = [command.encode(), *args]
        before = time.monotonic()
        ask(fort.port, b'*%d\r\n' % len(args) + b''.join(b'$%d\r\n%s\r\n' % (len(a), a) for a in args), quiet=.1)
        assert ping(fort.port)
        assert time.monotonic() - before < 3 * SLOW, p


NUMBERS = [b'9223372036854775807', b'-9223372036854775808', b'9223372036854775808', b'-1', b'nan', b'inf', b'1e308',
           b'99999999999999999999999999', b'', b'0x10', b' 1']


def test_numbers(fort):
    """No count makes it allocate or overflow."""
    with fort.probe.client() as c:
        top = next(c.scan_iter(match='top.ip.bytes.*'))
    for n in (x.decode() for x in NUMBERS):
        for command in (['HRANDFIELD', 'ip.192.168.10.11', n], ['HRANDFIELD', 'ip.192.168.10.11', n, 'WITHVALUES'],
                        ['ZRANDMEMBER', top, n, 'WITHSCORES'], ['SRANDMEMBER', 'x', n], ['SCAN', n], ['SCAN', '0', 'COUNT', n],
                        ['ZRANGE', top, n, n], ['ZRANGE', top, '0', n, 'REV'], ['ZRANGE', top, n, n, 'BYSCORE', 'LIMIT', n, n],
                        ['GETRANGE', 'x', n, n], ['TOP', 'ip', 'bytes', n], ['HSCAN', 'ip.192.168.10.11', n, 'COUNT', n],
                        ['SELECT', n], ['HELLO', n], ['CLIENT', 'KILL', 'ID', n], ['SLOWLOG', 'GET', n],
                        ['MEMORY', 'USAGE', top, 'SAMPLES', n], ['CLIENT', 'LIST', 'ID', n], ['WAIT', n, '0']):
            args = [a.encode() for a in command]
            said = b'*%d\r\n' % len(args) + b''.join(b'$%d\r\n%s\r\n' % (len(a), a) for a in args)
            with connect(fort.port) as s:
                s.settimeout(10 * SLOW)
                s.sendall(said + b'*2\r\n$4\r\nECHO\r\n$9\r\nfollowing\r\n')
                got = b''
                while not got.endswith(b'$9\r\nfollowing\r\n'):
                    data = s.recv(1 << 16)
                    assert data, (command, got[-200:])
                    got += data
                    assert len(got) < 4 << 20, command


# ---- crowds


@pytest.fixture
def many_files():
    """Room for the test's own sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    if want < 1200:
        pytest.skip('needs more than %d open files' % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_thousand_clients(fort, many_files):
    """All are served."""
    t = Talk(fort.port, 1000)
    t.say([b'PING\r\nHGET ip.192.168.10.11 bytesSent\r\n'] * 1000)
    t.hear(until=lambda: all(a.count(b'\r\n') >= 3 for a in t.answers))
    assert set(t.answers) == {t.answers[0]} and t.answers[0].startswith(b'+PONG\r\n$')
    assert not any(t.closed)
    assert ping(fort.port)
    t.end()


def test_too_many_clients(fort, many_files):
    """Who comes after the 1,024th is told so; when one goes there is room again."""
    wait_until(lambda: counters_of(fort)['connected_clients'] == 1, 10, 'for the others to go')
    t = Talk(fort.port, 1100)
    t.say([b'PING\r\n'] * 1100)
    t.hear(until=lambda: all(t.answers))
    served = [a for a in t.answers if a == b'+PONG\r\n']
    refused = [a for a in t.answers if a == b'-ERR max number of clients reached\r\n']
    assert 1000 <= len(served) <= 1024 and len(served) + len(refused) == 1100
    t.end()
    wait_until(lambda: counters_of(fort)['connected_clients'] == 1, 10)


def counters_of(fort):
    try:
        with fort.probe.client() as c:
            return counters(c)
    except Exception:
        return {'connected_clients': -1}


def test_half_open(fort, many_files):
    """A thousand who announce 160 kB each, and send a byte: no memory is taken for it."""
    before = fort.probe.rss_kb()
    t = Talk(fort.port, 1000)
    t.say([b'*10\r\n$16384\r\nx'] * 1000)
    time.sleep(.5)
    assert ping(fort.port)
    assert fort.probe.rss_kb() - before < GROWTH_KB
    t.end()


def test_promises(fort, many_files):
    """A thousand who announce the largest request there may be."""
    before = fort.probe.rss_kb()
    t = Talk(fort.port, 1000)
    t.say([b'*1024\r\n$1048576\r\n'] * 1000)
    time.sleep(.5)
    assert ping(fort.port)
    assert fort.probe.rss_kb() - before < GROWTH_KB
    t.end()


def test_request_without_end(fort):
    """One that sends a megabyte of arguments and more is cut off."""
    before = fort.probe.rss_kb()
    s = connect(fort.port)
    s.settimeout(10)
    sent = 0
    try:
        s.sendall(b'*1024\r\n')
        while sent < 64 << 20:
            s.sendall(b'$65536\r\n' + bytes(65536) + b'\r\n')
            sent += 65536
    except OSError:
        pass
    assert sent < 16 << 20
    assert fort.probe.rss_kb() - before < GROWTH_KB
    s.close()


def test_never_reads(fort):
    """Clients who ask for much and read nothing: the probe stops listening to them."""
    before = fort.probe.rss_kb()
    sockets = [connect(fort.port) for _ in range(8)]
    said = b'KEYS *\r\nINFO everything\r\nCOMMAND DOCS\r\n' * 1000
    for s in sockets:
        s.settimeout(.5)
        sent = 0
        try:
            while sent < 64 << 20:
                s.sendall(said)
                sent += len(said)
        except OSError:
            pass
        assert sent < 64 << 20
        assert ping(fort.port)
    assert fort.probe.rss_kb() - before < 300 << 10
    for s in sockets:
        s.close()


def test_slow_reader_gets_all(fort):
    """One who reads slowly gets every answer, in order."""
    s = connect(fort.port)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    n = 3000
    text = b'y' * 1000
    said = b''.join(b'*2\r\n$4\r\nECHO\r\n$%d\r\n%06d%s\r\n' % (len(text) + 6, i, text) for i in range(n))
    threading.Thread(target=send_all, args=(s, said), daemon=True).start()
    got = b''
    s.settimeout(10 * SLOW)
    while len(got) < n * (len(text) + 6 + 9):
        data = s.recv(1 << 15)
        assert data, len(got)
        got += data
        time.sleep(.001)
    assert re.findall(rb'(\d{6})y', got) == [b'%06d' % i for i in range(n)]
    s.close()


def send_all(s, data):
    try:
        s.sendall(data)
    except OSError:
        pass


def test_slow_subscriber(fort):
    """One who does not read what is published is cut off, and counted; others get all."""
    slow = connect(fort.port)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b'SUBSCRIBE ch\r\n')
    fast = Talk(fort.port)
    fast.say([b'SUBSCRIBE ch\r\n'])
    fast.hear()
    start = len(fast.answers[0])
    text = 'z' * 100000
    with fort.probe.client() as c:
        before = counters(c)['resp_cut_off']
        heard = 0
        for n in range(400):
            heard = c.publish('ch', text)
            fast.hear(quiet=.01)
            if heard == 1:
                break
        assert heard == 1 and n > 40
        fast.hear()
        assert counters(c)['resp_cut_off'] == before + 1
    assert (len(fast.answers[0]) - start) // len(text) == n + 1
    slow.close()
    fast.end()


def test_password_limits(captures, serve, tmp_path):
    """Before the password: ten arguments of 16 kB, and answers nobody reads do not grow."""
    (tmp_path / 'pw').write_text('secret')
    p = serve('-i', captures('dns'), '--stay', '--resp-password-file', tmp_path / 'pw').listening()
    for said in (b'*11\r\n', b'*1\r\n$16385\r\n'):
        answer, closed = ask(p.port, said)
        assert closed and answer.startswith(b'-ERR Protocol error: '), answer
    for said in (b'KEYS *', b'HELLO 3', b'SUBSCRIBE x', b'MONITOR', b'INFO', b'CLIENT LIST', b'MULTI', b'COMMAND DOCS',
                 b'CONFIG GET *', b'PUBLISH a b', b'CLIENT KILL TYPE normal'):
        answer, closed = ask(p.port, said + b'\r\n')
        assert answer.startswith(b'-NOAUTH') and answer.count(b'\r\n') == 1, (said, answer)
    assert ask(p.port, b'HELLO 3 AUTH default secret\r\n')[0].startswith(b'%7\r\n')
    before = p.rss_kb()
    s = connect(p.port)
    s.settimeout(1)
    try:
        for _ in range(2000):
            s.sendall(b'KEYS *\r\n' * 1000)
    except OSError:
        pass
    assert p.rss_kb() - before < GROWTH_KB
    with p.client(password='secret') as c:
        assert c.ping()
    s.close()
    p.finish().ok()
