# SPDX-License-Identifier: BSD-3-Clause
"""The apps of redis-scripts: against a node (a real redis-server, filled as probes fill it)
and, what both must do alike, against a probe; several nodes."""
import argparse
import json
import os
import pty
import re
import signal
import sys
import time

import pytest

from conftest import SLOW
from scripts_run import app, command, inside, listening, table, until, ENV, EVIL, FORBIDDEN, GNUPLOT, Probe
from scripts_run import live, node, nodes, probe_server, server  # noqa: F401 fixtures
import mcprobe_common as common
import mcprobe_nodes
import series
import watch


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


def test_top_users(node):
    """Users of addresses and of networks, names of the DNS's own keys."""
    c = node.client
    c.zincrby('top.ip.bytes.%d' % (time.time() // 60), 7, '2001:db8::1')
    c.set('user.net.2001:db8::/56', 'berta')
    c.set('dns.cache.10.0.0.30', 'thirty.example')
    c.hset('ip.10.0.0.29', 'name', 'own.example')
    c.set('dns.cache.10.0.0.29', 'other.example')
    rows = {r['ip']: r for r in json.loads(inside('top', node, '--once', '--json', '-n', 40).ok())['rows']}
    assert rows['10.0.0.1']['user'] == 'alice' and rows['2001:db8::1']['user'] == 'berta'
    assert 'user' not in rows['10.0.0.2']
    assert rows['10.0.0.30']['name'] == 'thirty.example' and rows['10.0.0.29']['name'] == 'own.example'
    lines = app('top', node, '--once', '-n', 40).ok().splitlines()
    assert lines[0].split()[-2:] == ['user', 'name']
    assert lines[1].split()[-1] == 'thirty.example' and 'alice' in [x.split()[-1] for x in lines]


def test_top_of_a_probe(captures):
    """What RADIUS and the DNS told a probe is in the table."""
    made = Probe(captures('radius,dns,http'))
    try:
        lines = [x.split() for x in app('top', made, '--once', '-n', 40).ok().splitlines()]
    finally:
        made.probe.end()
    assert lines[0][-2:] == ['user', 'name']
    rows = {x[0]: x[1:] for x in lines[1:]}
    assert rows['192.168.10.11'][-1] == 'jane@example.org'
    assert rows['198.51.100.1'][-1] == 'www.example.com'


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
