# SPDX-License-Identifier: BSD-3-Clause
"""The apps of redis-scripts on DNS, HTTP and users: against a node (a real redis-server)
filled here, and against a probe that reads a capture once they listen."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import SLOW, Running, free_port
from scripts_run import app, command, inside, until, ENV, EVIL, FORBIDDEN, Probe, SCRIPTS
from scripts_run import live, node, nodes, probe_server  # noqa: F401 fixtures
import alert_url
import dns_watch
import mcprobe_common as common
import mcprobe_nodes
import who
from scripts_run import redis

APPS = {'alert_url': ['example.com'], 'dns_watch': [], 'dns_stats': [], 'who': ['10.0.0.1']}


def data(w, n):
    """The first N alerts, printed by W."""
    found = [json.loads(x) for x in w.lines(n)]
    return [f['data'] for f in found]


def subscribed(server, channel, n=1):
    until(lambda: dict(server.client.pubsub_numsub(channel))[channel.encode()] >= n)


def heard(listener, n):
    """N messages of a subscription."""
    found = []

    def enough():
        message = listener.get_message(timeout=.1)
        if message and message['type'] in ('message', 'pmessage'):
            found.append(json.loads(message['data']))
        return len(found) >= n
    until(enough)
    return found


class Fed(Probe):
    """A probe that reads a capture from its standard input once feed() is called."""

    def __init__(self, capture):
        self.port = free_port(socket.SOCK_STREAM)
        self.at = '127.0.0.1:%d' % self.port
        self.client = redis.Redis(port=self.port, socket_timeout=5 * SLOW)
        self.packets = capture.read_bytes()
        self.probe = Running(['-i', '-', '--stay', '--resp', self.port], stdin=subprocess.PIPE)
        self.process = self.probe.process
        self.process.stdin.write(self.packets[:24])  # the file's header: it is read before all else
        self.process.stdin.flush()
        until(self.answers)

    def feed(self):
        self.process.stdin.write(self.packets[24:])
        self.process.stdin.close()
        self.probe.settled()


@pytest.fixture
def fed(captures):
    made = Fed(captures('all'))
    yield made
    made.probe.end()


# Names

@pytest.mark.parametrize('name, want', [
    ('www.example.com', 'www.example.com'), ('a*b?c[d]e\\f', 'a%2Ab%3Fc%5Bd%5De%5Cf'),
    ('100% sure\t\r\n', '100%25%20sure%09%0D%0A'), ('nul\0nul\x7f', 'nul%00nul%7F'),
    ('caf\xe9 \u20ac \U0001f600', 'caf\xe9%20\u20ac%20\U0001f600'), ('\udcc3', '%C3'), ('\udce2\udc82', '%E2%82'),
    ('\ud800', '%ED%A0%80'), ('\udcff\udcfe', '%FF%FE'), ('\x85', '%C2%85'), ('\xa0', '\xa0'), ('', ''),
    ('a' * 300, 'a' * 200), ('a' * 198 + ' b', 'a' * 198), ('a' * 197 + ' b', 'a' * 197 + '%20'),
    ('a' * 199 + '\xe9', 'a' * 199), ('a' * 197 + '\x85', 'a' * 197 + '%C2')])
def test_key_part(name, want):
    """As the probe does it."""
    assert common.key_part(name) == want


@pytest.mark.parametrize('name, want', [
    ('alice', 'user.alice'), ('alice.b@example.org', 'user.alice.b@example.org'),
    ('ip.10.0.0.1', 'user.ip%2E10.0.0.1'), ('net.2001:db8::/48', 'user.net%2E2001:db8::/48'), ('ip', 'user.ip'),
    ('ip.', 'user.ip%2E'), ('ip%2E10.0.0.1', 'user.ip%252E10.0.0.1'), ('a b', 'user.a%20b'), ('ipx.y', 'user.ipx.y')])
def test_user_key(name, want):
    assert common.user_key(name) == want


def test_glob_costs():
    """A text from the wire costs its length, not to the power of the stars."""
    began = time.process_time()
    regex = common.glob_regex('*a*a*a*a*a*a*a*a*b')
    assert not regex.fullmatch('a' * 4096) and regex.fullmatch('a' * 4096 + 'b')
    assert time.process_time() - began < 2 * SLOW
    for glob, yes, no in (('*ab*ab', ('abab', 'xababyab'), ('ab', 'aba')), ('a*', ('a', 'a\n'), ('ba',)),
                          ('*a?c*e', ('abce', 'abcabce'), ('abc', 'ace')), ('**', ('', 'x'), ()),
                          ('a*b*', ('ab', 'axbx'), ('a', 'xab'))):
        assert all(common.glob_regex(glob).fullmatch(t) for t in yes), glob
        assert not any(common.glob_regex(glob).fullmatch(t) for t in no), glob


# alert_url.py

@pytest.mark.parametrize('event, want', [
    ({'host': 'WWW.Example.COM.', 'url': '/A?b=C'}, ('www.example.com', 'www.example.com/A?b=C')),
    ({'host': 'example.com:8080', 'url': '/'}, ('example.com', 'example.com/')),
    ({'host': '[2001:DB8::1]:80', 'url': '/x'}, ('2001:db8::1', '2001:db8::1/x')),
    ({'host': 'proxy', 'url': 'http://u:p@Example.com:81?q'}, ('example.com', 'example.com/?q')),
    ({'host': 'x', 'url': 'example.com:443', 'method': 'CONNECT'}, ('example.com', 'example.com/')),
    ({'url': '/x', 'dst': '192.0.2.1'}, ('192.0.2.1', '192.0.2.1/x')),
    ({'host': 'a', 'url': '*', 'method': 'OPTIONS'}, ('a', 'a/*')), ({'host': 'a'}, ('a', 'a/')),
    ({'host': 5, 'url': []}, ('', '/')), ({'host': ']:[', 'url': '/'}, (']:[', ']:[/'))])
def test_requested(event, want):
    assert alert_url.requested(event) == want


@pytest.mark.parametrize('text, yes, no', [
    ('Example.com', ('example.com/', 'www.example.com/x'), ('badexample.com/', 'example.com.org/', 'com/')),
    ('http://example.com', ('a.example.com/',), ('com/',)), ('192.0.2.1', ('192.0.2.1/',), ('2.0.2.1/',)),
    ('*.example.com', ('www.example.com/',), ('example.com/', 'x/www.example.com')),
    ('Example.com/A*', ('example.com/Ab/c?d',), ('example.com/a', 'www.example.com/A')),
    ('*/wp-login.php', ('x/wp-login.php', 'y/b/wp-login.php'), ('x/wp-login.php?a',)),
    ('~/(a|b)\\.exe$', ('x/a.exe', 'y/c/b.exe'), ('x/a.exe?', 'x/c.exe'))])
def test_patterns(text, yes, no):
    urls = alert_url.UrlList([alert_url.pattern(text)])
    for url in yes:
        assert list(urls.find(url.partition('/')[0], url)) == [text], url
    for url in no:
        assert list(urls.find(url.partition('/')[0], url)) == [], url


def request(node, src, url, **more):
    node.client.publish('http', json.dumps({'v': 1, 'src': src, 'dst': '192.0.2.1', 'method': 'GET',
                                            'host': 'www.example.com', 'url': url, 'status': 200, **more}))


def test_alert_url(node, live, tmp_path):
    """Once for each client, or user, and pattern; published as printed."""
    urls = tmp_path / 'urls'
    urls.write_text('# a list\n\nexample.com   # a host\n*/x#y\n')
    listener = node.client.pubsub()
    listener.subscribe('alert.warning')
    w = live('alert_url', node, '--list', urls, '~\\.exe$')
    subscribed(node, 'http')
    for _ in range(3):
        request(node, '10.0.0.1', '/a.exe')
        request(node, '10.0.0.2', '/a')
        request(node, '10.0.0.3', '/a', user='alice')
        request(node, '10.0.0.4', '/b', user='alice')
        request(node, '10.0.0.5', '/b', host='other.example')
    for bad in ('', '[]', '{}', '5', '{"src":5,"host":"example.com","url":"/"}', '[' * 5000, '{"host":{}}'):
        node.client.publish('http', bad)
    request(node, '10.0.0.6', '/x#y', host='z')
    want = [('10.0.0.1', 'example.com'), ('10.0.0.1', '~\\.exe$'), ('10.0.0.2', 'example.com'),
            ('10.0.0.3', 'example.com'), ('10.0.0.6', '*/x#y')]
    got = data(w, 5)
    time.sleep(.2)
    assert [(a['client'], a['list']) for a in data(w, 5)] == want
    assert heard(listener, 5) == got
    assert got[0]['program'] == 'alert_url' and got[0]['v'] == 1 and got[0]['status'] == 200
    assert got[0]['text'] == '10.0.0.1 fetched www.example.com/a.exe' and got[0]['url'] == 'www.example.com/a.exe'
    assert got[3]['text'] == 'alice fetched www.example.com/a' and got[3]['user'] == 'alice'
    done = w.end()
    assert done.status == 0 and done.err == ''
    listener.close()


def test_alert_url_again(node, live):
    """After --quiet."""
    w = live('alert_url', node, 'example.com', '--quiet', .3, '--channel', 'alert.info')
    subscribed(node, 'http')
    request(node, '10.0.0.1', '/')
    w.lines(1)
    time.sleep(.35)
    request(node, '10.0.0.1', '/')
    assert [json.loads(x)['channel'] for x in w.lines(2)] == ['alert.info'] * 2


# dns_watch.py

def asked(node, src, qname, **more):
    node.client.publish('dns', json.dumps({'v': 1, 'src': src, 'dst': '192.0.2.53', 'service': 'dns', 'qname': qname,
                                           'qtype': 'A', 'rcode': 'NOERROR', 'response': '192.0.2.1',
                                           'latencyUs': 10, **more}))


def test_dns_watch(node, live):
    node.client.sadd('watch.dns.clients', '10.0.0.0/24', '2001:DB8:0::5', 'nonsense\x1b')
    node.client.sadd('watch.dns.domains', 'Example.com.', '*.star.example')
    w = live('dns_watch', node)
    subscribed(node, 'dns')
    asked(node, '10.0.0.9', 'other.example')
    asked(node, '10.0.1.9', 'WWW.eXample.com', rcode='NXDOMAIN', response=None)
    asked(node, '10.0.1.9', 'badexample.com')
    asked(node, '10.0.1.9', None)
    asked(node, '2001:db8::5', 'example.com', rcode=None, response=None, user='bob')
    got = data(w, 4)
    asked(node, '10.0.1.9', 'star.example')
    assert data(w, 5)[4]['list'] == '*.star.example'
    assert [(a['client'], a['why'], a['list']) for a in got] == [
        ('10.0.0.9', 'client', '10.0.0.0/24'), ('10.0.1.9', 'domain', 'Example.com.'),
        ('2001:db8::5', 'client', '2001:db8::5'), ('2001:db8::5', 'domain', 'Example.com.')]
    assert [a['text'] for a in got[:3]] == [
        '10.0.0.9 asked for other.example A: 192.0.2.1', '10.0.1.9 asked for WWW.eXample.com A: NXDOMAIN',
        '2001:db8::5 asked for example.com A: no answer']
    assert got[2]['user'] == 'bob' and got[0]['response'] == '192.0.2.1' and got[0]['latencyUs'] == 10
    done = w.end()
    assert done.status == 0 and done.err.count('\n') == 1 and 'nonsense' in done.err and not FORBIDDEN.search(done.err)


def reads(node):
    return node.client.info('commandstats')['cmdstat_smembers']['calls']


def test_dns_watch_sets_change(node, live):
    """Read each second, at once on watch.changed; a set that is none is said once."""
    w = live('dns_watch', node, '--quiet', 60)
    subscribed(node, 'watch.changed')
    asked(node, '10.0.0.1', 'a.example')
    node.client.sadd('watch.dns.domains', 'b.example')
    node.client.publish('watch.changed', '')
    for _ in range(3):
        asked(node, '10.0.0.1', 'x.b.example')
    assert [a['list'] for a in data(w, 1)] == ['b.example']
    node.client.srem('watch.dns.domains', 'b.example')
    node.client.sadd('watch.dns.clients', '10.9.9.9')
    before = reads(node)
    until(lambda: reads(node) >= before + 2)
    asked(node, '10.0.0.2', 'x.b.example')
    asked(node, '10.9.9.9', 'z.example')
    w.lines(2)
    node.client.sadd('watch.dns.domains', '.')
    end = time.monotonic() + 8 * SLOW
    while w.out.count('\n') < 3 and time.monotonic() < end:
        asked(node, '10.0.0.3', 'c.example')
        time.sleep(.05)
    assert [(a['client'], a['list']) for a in data(w, 3)] == [
        ('10.0.0.1', 'b.example'), ('10.9.9.9', '10.9.9.9'), ('10.0.0.3', '.')]
    node.client.delete('watch.dns.domains')
    node.client.delete('watch.dns.clients')
    node.client.set('watch.dns.clients', 'x')
    until(lambda: 'WRONGTYPE' in w.err)
    for bad in ('', '[]', '5', '{"src":[],"qname":{}}', '[' * 5000):
        node.client.publish('dns', bad)
    time.sleep(1.2)
    done = w.end()
    assert done.status == 0 and done.err.count('\n') == 1 and done.out.count('\n') == 3


def test_dns_watch_node_away(nodes, live):
    """What a node had in its sets stays watched."""
    a, b = nodes(2)
    a.client.sadd('watch.dns.domains', 'example.com')
    w = live('dns_watch', '%s,%s' % (a.at, b.at))
    subscribed(b, 'dns')
    a.stop()
    until(lambda: a.at in w.err)
    asked(b, '10.0.0.1', 'example.com')
    assert data(w, 1)[0]['list'] == 'example.com'
    assert w.end().status == 0


# dns_stats.py

def fill_dns(node):
    pipe, minute = node.client.pipeline(), int(time.time()) // 60
    for name, n in (('NOERROR', 90), ('NXDOMAIN', 10)):
        pipe.hset('dns.rcode.' + name, 'queries', n)
    for name, n in (('A', 80), ('AAAA', 30)):
        pipe.hset('dns.qtype.' + name, 'queries', n)
    for kind, names in (('client', ('10.0.0.1', '10.0.0.2')), ('server', ('192.0.2.53',)),
                        ('domain', ('www.example.com', 'a.example', 'gone.example'))):
        for i, name in enumerate(names):
            pipe.hset('dns.%s.%s' % (kind, name), mapping={
                'queries': 110 - 50 * i, 'replies': 100 - 50 * i, 'nxdomain': 10, 'unanswered': 10,
                'latencyUsSum': 1000000, 'latencyUsMax': 90000})
    pipe.zadd('top.dns.domain.%d' % minute, {'www.example.com': 110, 'a.example': 60, 'forgotten.example': 5})
    pipe.execute()


def test_dns_stats(node):
    fill_dns(node)
    text = app('dns_stats', node, '--once').ok()
    lines = [x.split() for x in text.splitlines()]
    assert ' '.join(lines[0]) == 'queries 110 replies 100 unanswered 10 nxdomain 10.0% servfail 0.0% mean 10.0 ms'
    assert lines[3] == ['NOERROR', '90', '90.0%', 'A', '80', '72.7%']
    assert ['www.example.com', '110', '100.0%', '10', '0', '10', '0', '10.0', '90.0'] in lines
    assert 'gone.example' not in text and 'q/s' not in text
    got = json.loads(inside('dns_stats', node, '--once', '--json', '-n', 1).ok())
    assert (got['queries'], got['replies'], got['unanswered'], got['latencyUs']) == (110, 100, 10, 10000)
    assert got['source'] == 'keys' and 'queriesPerSecond' not in got
    assert got['rcode'] == [{'name': 'NOERROR', 'queries': 90}] and got['qtype'] == [{'name': 'A', 'queries': 80}]
    assert [r['name'] for g in ('domain', 'client', 'server') for r in got[g]] == [
        'www.example.com', '10.0.0.1', '192.0.2.53']


def test_dns_stats_nothing(nodes):
    empty, = nodes(1)
    assert 'queries 0' in inside('dns_stats', empty, '--once').ok()
    got = json.loads(inside('dns_stats', empty, '--once', '--json').ok())
    assert got['queries'] == 0 and got['domain'] == [] and 'latencyUs' not in got


def test_dns_stats_rates(node, live):
    fill_dns(node)
    w = live('dns_stats', node, '--json', '--rates', '--interval', .3)
    w.lines(1)
    node.client.hincrby('dns.qtype.AAAA', 'queries', 30000)
    node.client.hset('dns.qtype.MX', 'queries', 3000)      # for the first time
    node.client.hset('dns.qtype.A', 'queries', 7)          # anew
    node.client.hincrby('dns.client.10.0.0.2', 'queries', 30000)

    def moved():
        return [t for t in map(json.loads, w.lines(1)) if t.get('queriesPerSecond')]
    until(lambda: sum(t['queriesPerSecond'] for t in moved()) and any(
        t.get('queriesPerSecond') == 0 for t in map(json.loads, w.lines(2))))
    tables = moved()
    assert tables[0]['qtype'][0]['name'] in ('AAAA', 'MX', 'A') and len(tables) <= 4
    rates = {}
    for t in tables:
        for r in t['qtype']:
            rates[r['name']] = max(rates.get(r['name'], 0), r.get('queriesPerSecond', 0))
    assert rates['AAAA'] > rates['MX'] > rates['A'] > 0
    assert any(t['client'][0]['name'] == '10.0.0.2' for t in tables)
    assert w.end().ok()


def test_dns_stats_screen(node):
    """On a terminal: drawn anew, cut to its width, no other control than that."""
    fill_dns(node)
    node.client.hset(('dns.client.' + EVIL).encode(), 'queries', 1000)
    node.client.hset('dns.client.' + 'x' * 150, 'queries', 1000)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(ENV, COLUMNS='60', LINES='30')
        os.execv(sys.executable, command('dns_stats', node, ['--interval', '.1']))
    text, end = b'', time.monotonic() + 8 * SLOW
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
    screens = text.decode().replace('^C', '').split('\033[H\033[2J')
    assert len(screens) >= 5 and screens[0] == ''
    for screen in screens[1:]:
        rows = screen.replace('\r\n', '\n').rstrip('\n').split('\n')
        assert len(rows) <= 29 and all(len(r) <= 60 for r in rows), rows
        assert not FORBIDDEN.search('\n'.join(rows)) and 'evil' in screen


def test_dns_stats_events(node, live):
    """What is published makes the same figures as keys."""
    w = live('dns_stats', node, '--events', '--json', '--interval', .2)
    subscribed(node, 'dns')
    for i in range(3):
        asked(node, '10.0.0.1', 'WWW.example.com', latencyUs=100 * (i + 1))
    asked(node, '10.0.0.2', 'x.example', rcode='NXDOMAIN', retransmissions=2)
    asked(node, '10.0.0.2', 'x.example', rcode=None, latencyUs=None)
    asked(node, '10.0.0.2', 'x.example', latencyUs=None)  # an answer to nothing
    asked(node, '10.0.0.2', '_x.local', service='mdns')
    for bad in ('', '[]', '5', '{"service":"dns"}', '{"service":"dns","rcode":[],"qname":5,"latencyUs":-1,"src":{}}'):
        node.client.publish('dns', bad)
    got = until(lambda: [t for t in map(json.loads, w.lines(1)) if t['replies'] == 5])[-1]
    assert (got['queries'], got['replies'], got['source']) == (5, 5, 'events')
    www, x = ({k: v for k, v in r.items() if k != 'queriesPerSecond'} for r in got['domain'])
    assert www == {'name': 'www.example.com', 'queries': 3, 'replies': 3, 'noerror': 3, 'latencyUsSum': 600,
                   'latencyUsMax': 300}
    assert x == {'name': 'x.example', 'queries': 2, 'replies': 2, 'noerror': 1, 'nxdomain': 1, 'unanswered': 1,
                 'retransmissions': 2, 'latencyUsSum': 10, 'latencyUsMax': 10}
    assert {r['name']: r['queries'] for r in got['client']} == {'10.0.0.1': 3, '10.0.0.2': 2}
    assert w.end().ok()


# who.py

def fill_users(node):
    pipe = node.client.pipeline()
    pipe.set('user.ip.10.0.0.1', 'alice b')
    pipe.set('user.ip.2001:db8:1::5', 'bob')
    pipe.set('user.net.2001:db8:1::/48', 'carol')
    pipe.set('user.net.2001:db8:1:2::/64', 'alice b')
    pipe.hset('user.alice%20b', mapping={'ip.10.0.0.1': 1700000000, 'net.2001:db8:1:2::/64': 1700000100, 'nas': 'nas1',
                                         'session': 's1', 'calling': '02-00'})
    pipe.hset('user.carol', 'nas', 'nas2')
    pipe.expire('user.carol', 50)
    pipe.expire('user.ip.2001:db8:1::5', 40)
    pipe.hset('ip.10.0.0.1', mapping={'bytesSent': 1000, 'bytesRcvd': 50000})
    pipe.execute()


def test_who(node):
    fill_users(node)
    args = ['10.0.0.1', '2001:DB8:1:2:0::3', '2001:db8:1:3::3', '2001:db8:1::5', '::ffff:10.0.0.1', '10.9.9.9']
    got = [json.loads(x) for x in app('who', node, '--json', *args).ok().splitlines()]
    assert [(r['address'], r['user'], r.get('network')) for r in got] == [
        ('10.0.0.1', 'alice b', None), ('2001:db8:1:2::3', 'alice b', '2001:db8:1:2::/64'),
        ('2001:db8:1:3::3', 'carol', '2001:db8:1::/48'), ('2001:db8:1::5', 'bob', None),
        ('10.0.0.1', 'alice b', None), ('10.9.9.9', None, None)]
    assert got[0] == {'v': 1, 'address': '10.0.0.1', 'user': 'alice b', 'since': 1700000000, 'session': 's1',
                      'nas': 'nas1', 'calling': '02-00', 'bytesSent': 1000, 'bytesRcvd': 50000}
    assert got[1]['since'] == 1700000100
    assert [0 < r.get('leavingSeconds', 99) <= 50 for r in got] == [False, False, True, True, False, False]
    lines = app('who', node, *args).ok().splitlines()
    assert len(lines) == 7 and lines[0].split()[:2] == ['address', 'user']
    assert lines[1].split()[:3] == ['10.0.0.1', 'alice', 'b'] and '1.00k' in lines[1] and lines[4].endswith('leaving')
    assert lines[6].split() == ['10.9.9.9', '-']


def test_who_user(node):
    fill_users(node)
    got = [json.loads(x) for x in inside('who', node, '--json', '--user', 'alice b', '--user', 'carol', '--user',
                                         'x').ok().splitlines()]
    assert [(r.get('address'), r['user'], r.get('session')) for r in got] == [
        ('10.0.0.1', 'alice b', 's1'), ('2001:db8:1:2::/64', 'alice b', 's1'), (None, 'carol', None), (None, 'x', None)]
    assert got[3] == {'v': 1, 'user': 'x', 'known': False} and got[0]['bytesRcvd'] == 50000
    text = inside('who', node, '--user', 'alice b', '--user', EVIL).ok()
    assert not FORBIDDEN.search(text) and text.startswith('no user evil\\x1b') and text.count('\n') == 4


@pytest.mark.parametrize('args', [['x'], ['10.0.0.1/8'], ['fe80::1%eth0'], [], ['--user', '']])
def test_who_bad(args):
    done = inside('who', '127.0.0.1:1', *args)
    assert done.status == 2 and 'error: ' in done.err


def test_who_look_ups():
    keys = mcprobe_nodes.look_ups(who.host('2001:db8:1:2::3'))
    assert len(keys) == 128 and keys[0] == 'user.ip.2001:db8:1:2::3' and 'user.net.2001:db8:1::/48' in keys
    assert keys.index('user.net.2001:db8:1:2::/64') < keys.index('user.net.2001:db8:1::/48')
    assert mcprobe_nodes.look_ups(who.host('10.0.0.1')) == ['user.ip.10.0.0.1']


# A probe

def test_probe_events(fed, live):
    """The apps listen, the probe reads: alerts for what is in the capture, and the same
    figures by events as by keys."""
    urls = live('alert_url', fed, 'www.example.com')
    stats = live('dns_stats', fed, '--events', '--json', '--interval', .3, '-n', 1000)
    follower = live('watch', fed, 'http', 'dns', '--json')
    alerts = live('watch', fed, 'alert', '--json')
    subscribed(fed, 'http', 2)
    subscribed(fed, 'dns', 2)
    subscribed(fed, 'alert')
    fed.feed()
    if not fed.client.exists('dns.rcode.NOERROR'):
        pytest.skip('this probe has no plugins')
    by_keys = json.loads(app('dns_stats', fed, '--once', '--json', '-n', 1000).ok())
    assert by_keys['queries'] > 10 and by_keys['domain'] and by_keys['latencyUs'] > 0
    by_events = until(lambda: [t for t in map(json.loads, stats.lines(1)) if t['replies'] == by_keys['replies']])[-1]

    def plain(got):
        return {g: sorted(({k: v for k, v in r.items() if k != 'queriesPerSecond'} for r in got[g]),
                          key=lambda r: r['name']) for g in ('rcode', 'qtype', 'domain', 'client', 'server')}
    assert plain(by_events) == plain(by_keys)
    events = [json.loads(x) for x in follower.lines(1)]
    fetched = {(e['data'].get('user') or e['data']['src']) for e in events if e['channel'] == 'http'
               and e['data'].get('host') == 'www.example.com'}
    assert fetched
    printed = data(urls, len(fetched))
    assert {a.get('user') or a['client'] for a in printed} == fetched and len(printed) == len(fetched)
    assert [json.loads(x)['data'] for x in alerts.lines(len(printed))] == printed


def test_probe_dns_watch(fed, node, live):
    """The sets of a node, the events of a probe."""
    node.client.sadd('watch.dns.domains', 'example.com')
    w = live('dns_watch', '%s,%s' % (node.at, fed.at))
    follower = live('watch', fed, 'dns', '--filter', 'qname~(^|[.])example[.]com$', '--json')
    subscribed(fed, 'dns', 2)
    fed.feed()
    if not fed.client.exists('dns.rcode.NOERROR'):
        pytest.skip('this probe has no plugins')
    want = [json.loads(x)['data'] for x in follower.lines(2)]
    got = data(w, len(want))
    assert sorted((a['client'], a['qname']) for a in got) == sorted((e['src'], e['qname']) for e in want)
    assert {a['list'] for a in got} == {'example.com'}


def test_probe_who(probe_server):
    """Whom RADIUS named; by the address and by the name the same."""
    users = sorted(k.decode() for k in probe_server.client.keys('user.ip.*'))
    if not users:
        pytest.skip('this probe does not know RADIUS')
    for key in users:
        address, name = key[len('user.ip.'):], probe_server.client.get(key).decode()
        got, = [json.loads(x) for x in inside('who', probe_server, '--json', address).ok().splitlines()]
        assert (got['address'], got['user']) == (address, name) and got['session']
        assert got['bytesSent'] == int(probe_server.client.hget('ip.' + address, 'bytesSent'))
        assert probe_server.client.exists(common.user_key(name))
        by_name = [json.loads(x) for x in inside('who', probe_server, '--json', '--user', name).ok().splitlines()]
        assert {r['user'] for r in by_name} == {name} and by_name[0]['session'] == got['session']
    text = inside('who', probe_server, '203.0.113.250').ok()
    assert text.splitlines()[1].split() == ['203.0.113.250', '-']


# Trouble

@pytest.mark.parametrize('name', APPS)
def test_away_at_start(name):
    done = app(name, '127.0.0.1:1', *APPS[name])
    assert (done.status, done.out) == (1, '')
    assert re.fullmatch(r'%s\.py: no answer: 127\.0\.0\.1:1: .*refused.*\n' % name, done.err)


@pytest.mark.parametrize('name, args', [
    *((n, ['--nonsense']) for n in APPS), *((n, ['--redis', 'a:b:c:d']) for n in APPS), ('alert_url', []),
    ('alert_url', ['--quiet', '0']), ('alert_url', ['~(']), ('alert_url', ['/x']), ('alert_url', ['']),
    ('alert_url', ['--list', '/nonexistent']), ('alert_url', ['x', '--channel', 'http.x']),
    ('dns_watch', ['--channel', 'dns']), ('dns_watch', ['--channel', 'watch.changed']), ('dns_watch', ['x']),
    ('dns_stats', ['-n', '0']), ('dns_stats', ['--interval', 'nan'])])
def test_bad_usage(name, args):
    done = inside(name, '127.0.0.1:1', *args)
    assert done.status == 2 and 'error: ' in done.err and done.out == ''


def test_bad_list(tmp_path):
    (tmp_path / 'urls').write_bytes(b'example.com\n~(\xff\x1b[2J\n')
    done = inside('alert_url', '127.0.0.1:1', '--list', tmp_path / 'urls')
    assert done.status == 2 and 'urls:2: ' in done.err and not FORBIDDEN.search(done.err)


@pytest.mark.parametrize('name', APPS)
def test_help(name):
    text = inside(name, None, '--help').ok()
    assert 'examples:\n' in text and '%s.py' % name in text and '--password-file' in text
    assert os.access(SCRIPTS / (name + '.py'), os.X_OK)


def test_ctrl_c_and_restart(node, live):
    """The server goes and comes back: said once each, and all go on; then they end well."""
    node.client.sadd('watch.dns.domains', 'example.com')
    begun = {'alert_url': live('alert_url', node, 'example.com'), 'dns_watch': live('dns_watch', node),
             'dns_stats': live('dns_stats', node, '--json', '--interval', .2)}
    subscribed(node, 'http')
    subscribed(node, 'dns')
    begun['dns_stats'].lines(1)
    node.stop()
    for w in begun.values():
        until(lambda: node.at in w.err)
    node.start()
    subscribed(node, 'http')
    subscribed(node, 'dns')
    node.client.sadd('watch.dns.domains', 'example.com')
    node.client.publish('watch.changed', '')
    for w in begun.values():
        until(lambda: 'answers again' in w.err)
    request(node, '10.0.0.1', '/')
    asked(node, '10.0.0.1', 'example.com')
    assert data(begun['alert_url'], 1) and data(begun['dns_watch'], 1)
    for w, number in zip(begun.values(), (signal.SIGINT, signal.SIGTERM, signal.SIGINT)):
        done = w.end(number)
        assert done.status == 0 and done.err.count('\n') == 2, done.err


def test_hostile(node, live):
    """Nothing from the wire drives the terminal, or breaks a line."""
    fill_dns(node)
    raw = EVIL.encode() + b'\xff\xfe'
    for key in (b'dns.rcode.', b'dns.qtype.', b'dns.client.', b'dns.server.', b'dns.domain.'):
        node.client.hset(key + raw, mapping={'queries': 500, 'latencyUsMax': raw, 'replies': raw, raw: raw})
    node.client.zadd('top.dns.domain.%d' % (time.time() // 60), {raw: 500})
    node.client.set('user.ip.10.0.0.1', raw)
    node.client.hset(('user.' + common.key_part(raw.decode(errors='surrogateescape'))).encode(), mapping={
        'ip.10.0.0.1': raw, b'ip.' + raw: 5, 'session': raw, 'nas': raw})
    text = [app('dns_stats', node, '--once').ok(), app('dns_stats', node, '--once', '--json').ok(),
            app('who', node, '10.0.0.1').ok(), app('who', node, '10.0.0.1', '--json').ok()]
    urls, names = live('alert_url', node, '*evil*'), live('dns_watch', node)
    node.client.sadd('watch.dns.clients', raw)
    node.client.sadd('watch.dns.domains', b'.', raw)
    subscribed(node, 'http')
    subscribed(node, 'dns')
    node.client.publish('watch.changed', '')
    request(node, EVIL, EVIL, host=EVIL, user=EVIL, status=EVIL, userAgent=EVIL)
    asked(node, EVIL, EVIL, rcode=EVIL, qtype=EVIL, response=[EVIL, 5, None], latencyUs=1 << 60)
    text += ['\n'.join(urls.lines(1)), '\n'.join(names.lines(1))]
    text += [urls.end().err, names.end().err]
    for t in text[:6]:
        assert 'evil' in t, t
    for t in text:
        assert not FORBIDDEN.search(t), repr(t)
    assert [len(t.splitlines()) for t in text[1:6]] == [1, 2, 1, 1, 1]
    assert json.loads(text[5])['data']['text'].startswith('evil\\x1b')
    assert 'latencyUs' not in json.loads(text[5])['data']


def test_dns_watch_module():
    assert dns_watch.words(['a', 5, 'b\n']) == 'a, b' and dns_watch.words(None) == ''
