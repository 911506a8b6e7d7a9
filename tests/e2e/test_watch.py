# SPDX-License-Identifier: BSD-3-Clause
"""--watch: sets on real Redis nodes, packets through a pipe as they happen, and alerts at
subscribers of a node, of the probe, and in --events."""
import json
import re
import socket
import struct
import subprocess
import time

import pytest

import apps
import wire
from cloud import Listener, Served, counters, info_text, lines_of, redis, server, wait_until
from conftest import SLOW, probe
from scripts_run import live  # noqa: F401 a fixture

RESOLVER, WEB = '192.0.2.53', '192.0.2.80'
MAC = bytes(5)
ALERT = 'alert.warning'


class Piped(Served):
    """A probe that reads what it is told to have seen, now."""

    def __init__(self, *args, **kw):
        self.port_used = 20000
        super().__init__('-i', '-', *args, '--no-dpi', stdin=subprocess.PIPE, **kw)
        self.put(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))

    def put(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def frame(self, src, dst, proto, payload, at=None):
        at = time.time() if at is None else at
        version = wire.ip6 if ':' in src else wire.ip4
        frame = wire.ethernet(MAC + b'\2', MAC + b'\4', 0x86dd if ':' in src else 0x0800,
                              version(src, dst, proto, payload))
        self.put(struct.pack('<IIII', int(at), int(at * 1e6) % 10**6, len(frame), len(frame)) + frame)

    def sport(self):
        self.port_used += 1
        return self.port_used

    def ask(self, client, name, kind='A', rcode=0, answer='198.51.100.1', at=None):
        """A question to the DNS, and its answer."""
        port, server = self.sport(), '2001:db8::53' if ':' in client else RESOLVER
        records = [] if rcode else [apps.dns_record(None, kind, 60, answer)]
        self.frame(client, server, wire.UDP, wire.udp(client, server, port, 53, apps.dns_query(
            port, name, kind)), at)
        self.frame(server, client, wire.UDP, wire.udp(server, client, 53, port, apps.dns_answer(
            port, name, kind, records, rcode)), at)

    def get(self, client, host, target, web=WEB):
        """A request by HTTP, and its response."""
        port, steps = self.sport(), []
        request = apps.http_request('GET', host, target)
        response = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
        steps = [(0, wire.SYN, 0, 0, b''), (1, wire.SYN | wire.ACK, 0, 1, b''), (0, wire.ACK, 1, 1, b''),
                 (0, wire.ACK | wire.PSH, 1, 1, request),
                 (1, wire.ACK | wire.PSH, 1, 1 + len(request), response)]
        for d, flags, seq, ack, data in steps:
            ends = (web, client, 80, port) if d else (client, web, port, 80)
            self.frame(*ends[:2], wire.TCP, wire.tcp(*ends, seq, ack, flags, 65535, data=data))

    def datagram(self, src, dst, port=9999):
        self.frame(src, dst, wire.UDP, wire.udp(src, dst, self.sport(), port, b'x'))

    def number(self, name):
        with self.client() as c:
            return counters(c).get(name, 0)


@pytest.fixture
def piped():
    """piped(ARG...): a Piped probe; ended with the test."""
    begun = []

    def begin(*args, **kw):
        begun.append(Piped(*args, **kw).listening())
        return begun[-1]
    yield begin
    for r in begun:
        r.end()
        r.process.stdin.close()


@pytest.fixture
def listen():
    """listen(CLIENT): alerts published there."""
    begun = []

    def begin(client):
        begun.append(Listener(client, 'alert.*'))
        return begun[-1]
    yield begin
    for one in begun:
        one.end()


def alerts(listener, n, seconds=10):
    """The first N alerts: they come, and none too many."""
    wait_until(lambda: len(listener.on(ALERT)) >= n, seconds, 'for alert %d: %s' % (n, listener.got))
    assert len(listener.on(ALERT)) == n, listener.got
    return [json.loads(x) for x in listener.on(ALERT)]


def quiet(listener, n, seconds=.4):
    """There are no more than N alerts, and none comes."""
    time.sleep(seconds)
    assert len(listener.on(ALERT)) == n, listener.got


def lists(p, name, nodes=1):
    """What each node of probe P has on a list."""
    with p.client() as c:
        found = [int(n) for n in re.findall(r'^%s:(\d+)\r?$' % re.escape(name), info_text(c), re.M)]
    assert len(found) == nodes
    return found


def reads(p, name, *want, seconds=10):
    wait_until(lambda: lists(p, name, len(want)) == list(want), seconds, 'for %s to be read' % name)


def test_everywhere(server, piped, listen, tmp_path):
    """Lists that are there at the start; one alert in three places, and its members."""
    s, events = server(), tmp_path / 'events'
    c = s.client()
    c.sadd('watch.dns.domains', 'Example.com')
    c.sadd('watch.dns.clients', '10.0.0.0/24', '2001:db8:1::/48')
    c.sadd('watch.ip', '198.51.100.7')
    c.sadd('watch.url', 'cdn.example/*.exe')
    p = piped('--watch', '--redis', s.address, '--probe-id', 'gate', '--events', events)
    at_node, at_probe = listen(s.client()), listen(p.client())
    now = time.time()
    p.ask('192.168.1.9', 'www.EXAMPLE.com', at=now)
    p.ask('192.168.1.9', 'www.example.net', at=now)
    a = alerts(at_node, 1)[0]
    assert a == {
        'v': 1, 'probe': 'gate', 'ts': a['ts'], 'proto': 'udp', 'src': '192.168.1.9', 'sport': 20001,
        'dst': RESOLVER, 'dport': 53, 'program': 'watch',
        'text': '192.168.1.9 asked for www.EXAMPLE.com A: 198.51.100.1',
        'set': 'watch.dns.domains', 'list': 'Example.com', 'why': 'domain', 'match': 'www.EXAMPLE.com',
        'client': '192.168.1.9', 'qname': 'www.EXAMPLE.com', 'qtype': 'A', 'rcode': 'NOERROR',
        'latencyUs': 0, 'service': 'dns', 'response': '198.51.100.1'}
    assert abs(a['ts'] - now) < 1e-3
    p.ask('10.0.0.77', 'other.example', rcode=3)
    assert alerts(at_node, 2)[1]['text'] == '10.0.0.77 asked for other.example A: NXDOMAIN'
    p.ask('2001:db8:1::5', 'six.example', 'AAAA', answer='2001:db8::1')
    a = alerts(at_node, 3)[2]
    assert (a['list'], a['why'], a['client']) == ('2001:db8:1::/48', 'client', '2001:db8:1::5')
    p.datagram('198.51.100.7', '192.168.1.9')
    a = alerts(at_node, 4)[3]
    assert (a['set'], a['list'], a['host'], a['peer'], a['why']) == (
        'watch.ip', '198.51.100.7', '198.51.100.7', '192.168.1.9', 'flow.new')
    assert a['text'] == '198.51.100.7 is active: client of 192.168.1.9'
    assert a['flow'].startswith('flow.udp.198.51.100.7.')
    p.get('10.0.0.77', 'CDN.example', '/a/setup.exe')
    a = alerts(at_node, 5)[4]
    assert (a['text'], a['url'], a['list'], a['status']) == (
        '10.0.0.77 fetched cdn.example/a/setup.exe', 'cdn.example/a/setup.exe', 'cdn.example/*.exe', 200)
    p.get('10.0.0.77', 'cdn.example', '/a/setup.txt')
    quiet(at_node, 5)
    assert at_probe.on(ALERT) == at_node.on(ALERT)
    assert p.number('watch_alerts') == 5
    result = p.finish().ok()
    assert [x['data'] for x in lines_of(events)] == [json.loads(x) for x in at_node.on(ALERT)]
    assert result.summary['watch_alerts'] == 5


def test_a_file(server, captures):
    """The lists are there before the first packet, however fast a file is read; the plugins
    run that --watch needs, whatever --plugin names."""
    s = server()
    s.client().sadd('watch.dns.domains', 'example.com')
    r = probe('-i', captures('dns,http'), '--redis', s.address, '--watch', '--plugin', 'radius',
              '--events', '-', '--no-dpi').ok()
    found = [json.loads(x) for x in r.out.decode().splitlines()]
    want = {'www.example.com', 'cdn.example.com', 'no-such-name.example.com'}
    assert {x['channel'] for x in found} == {ALERT}
    assert {x['data']['qname'] for x in found} == want


def test_changes(server, piped, listen):
    """At once after watch.changed; within a second and a half without; SREM, DEL."""
    s = server()
    p = piped('--watch', '--redis', s.address)
    c, heard = s.client(), listen(s.client())
    p.ask('10.0.0.1', 'a.example')
    quiet(heard, 0)
    c.sadd('watch.dns.domains', 'a.example')
    wait_until(lambda: c.publish('watch.changed', '') >= 1)  # the probe has subscribed
    reads(p, 'watch.dns.domains', 1, seconds=.3)
    p.ask('10.0.0.1', 'a.example')
    alerts(heard, 1)
    c.sadd('watch.dns.domains', 'b.example')
    reads(p, 'watch.dns.domains', 2)
    p.ask('10.0.0.1', 'x.b.example')
    alerts(heard, 2)
    c.srem('watch.dns.domains', 'b.example')
    reads(p, 'watch.dns.domains', 1)
    p.ask('10.0.0.1', 'y.b.example')
    quiet(heard, 2)
    # another of the same number is another
    with c.pipeline() as t:
        t.srem('watch.dns.domains', 'a.example').sadd('watch.dns.domains', 'c.example').execute()
    time.sleep(1.3)
    p.ask('10.0.0.1', 'x.c.example')
    alerts(heard, 3)
    c.delete('watch.dns.domains')
    reads(p, 'watch.dns.domains', 0)
    p.ask('10.0.0.1', 'z.c.example')
    quiet(heard, 3)
    # flows are told of from when somebody wants them, and no longer
    c.sadd('watch.ip', '10.9.0.0/16')
    reads(p, 'watch.ip', 1)
    p.datagram('10.9.1.1', '10.0.0.1')
    alerts(heard, 4)
    c.srem('watch.ip', '10.9.0.0/16')
    reads(p, 'watch.ip', 0)
    p.datagram('10.9.1.2', '10.0.0.1')
    quiet(heard, 4)


def test_a_large_set(server, piped, listen):
    """Three hundred thousand names and addresses, in pages; a change of them without a
    change of their number waits for watch.changed."""
    s = server()
    c = s.client()
    for k in range(0, 300000, 50000):
        with c.pipeline(transaction=False) as t:
            t.sadd('watch.dns.domains', *('d%d.example' % i for i in range(k, k + 50000)))
            t.sadd('watch.ip', *('11.%d.%d.%d' % (i >> 16, i >> 8 & 255, i & 255) for i in range(k, k + 50000)))
            t.execute()
    p = piped('--watch', '--redis', s.address)
    heard = listen(s.client())
    reads(p, 'watch.ip', 300000, seconds=10)
    reads(p, 'watch.dns.domains', 300000, seconds=10)
    p.ask('10.0.0.1', 'www.d299999.example')
    alerts(heard, 1)
    p.datagram('11.4.147.223', '10.0.0.1')
    alerts(heard, 2)
    c.srem('watch.dns.domains', 'd7.example')
    c.sadd('watch.dns.domains', 'new.example')
    for _ in range(2):  # what the first time was half read is read the second time
        before = p.number('watch_reads')
        c.publish('watch.changed', '')
        wait_until(lambda: p.number('watch_reads') >= before + 4, 30)
    p.ask('10.0.0.1', 'new.example')
    p.ask('10.0.0.1', 'd7.example')
    assert alerts(heard, 3)[2]['list'] == 'new.example'
    quiet(heard, 3)
    assert p.rss_kb() < 600000 * SLOW


def test_a_node_that_is_away(server, piped, listen):
    """Its lists stay; when it is back, they are what it says."""
    s = server()
    c = s.client()
    c.sadd('watch.dns.domains', 'a.example')
    p = piped('--watch', '--redis', s.address)
    heard = listen(p.client())
    reads(p, 'watch.dns.domains', 1)
    s.kill9()
    time.sleep(1.5)
    p.ask('10.0.0.1', '1.a.example')
    alerts(heard, 1)
    s.start()
    c = s.client()
    assert c.smembers('watch.dns.domains') == {'a.example'}
    p.ask('10.0.0.1', '2.a.example')
    alerts(heard, 2)
    c.sadd('watch.dns.domains', 'b.example')
    reads(p, 'watch.dns.domains', 2, seconds=8)
    p.ask('10.0.0.1', '1.b.example')
    alerts(heard, 3)
    # it hangs, it goes on
    s.stop()
    time.sleep(.5)
    p.ask('10.0.0.1', '2.b.example')
    alerts(heard, 4)
    s.cont()
    c.srem('watch.dns.domains', 'b.example')
    reads(p, 'watch.dns.domains', 1, seconds=8)


def test_two_nodes(server, piped, listen):
    """What is on any of them; an alert on each of them; one that is not there is no reason."""
    a, b = server(), server()
    a.client().sadd('watch.dns.domains', 'a.example', 'both.example')
    b.client().sadd('watch.dns.domains', 'b.example', 'both.example')
    b.client().sadd('watch.url', 'both.example')
    a.client().sadd('watch.url', 'both.example')
    p = piped('--watch', '--redis', '%s,%s' % (a.address, b.address))
    at = [listen(a.client()), listen(b.client())]
    reads(p, 'watch.dns.domains', 2, 2)
    for n, name in enumerate(('a.example', 'x.b.example', 'both.example'), 1):
        p.ask('10.0.0.1', name)
        for heard in at:
            assert alerts(heard, n)[-1]['qname'] == name
    p.get('10.0.0.1', 'both.example', '/')
    alerts(at[0], 4)
    assert p.number('watch_suppressed') == 0
    b.kill9()
    time.sleep(1.2)
    p.ask('10.0.0.1', 'y.b.example')
    alerts(at[0], 5)
    a.client().srem('watch.dns.domains', 'a.example', 'both.example')
    reads(p, 'watch.dns.domains', 0, 2)
    p.ask('10.0.0.1', 'y.both.example')  # B had it, too
    alerts(at[0], 6)
    p.ask('10.0.0.1', 'y.a.example')
    quiet(at[0], 6)


def test_rate(server, piped, listen):
    """The same again is told of after ten seconds of packet time, and counted before."""
    s = server()
    s.client().sadd('watch.dns.domains', 'example.com')
    p = piped('--watch', '--redis', s.address)
    heard, now = listen(s.client()), time.time()
    for n in range(50):
        p.ask('10.0.0.1', 'www.example.com', at=now + n / 100)
    p.ask('10.0.0.2', 'www.example.com', at=now + 1)
    p.ask('10.0.0.1', 'ftp.example.com', at=now + 1)
    alerts(heard, 3)
    wait_until(lambda: p.number('watch_suppressed') == 49)
    p.ask('10.0.0.1', 'www.example.com', at=now + 9.9)
    p.ask('10.0.0.1', 'www.example.com', at=now + 10.1)
    alerts(heard, 4)
    assert p.number('watch_suppressed') == 50 and p.number('watch_alerts') == 4


def test_bad_entries(server, piped, listen):
    """What is not understood, or no set, is said, counted and shown; the rest works."""
    s = server()
    c = s.client()
    c.sadd('watch.ip', 'www.example.com', '10.9.0.1', '300.1.1.1')
    c.sadd('watch.url', '~(', '~ok', 'x' * 2000)
    c.set('watch.dns.clients', 'no set')
    c.sadd('watch.dns.domains', 'a.example')
    p = piped('--watch', '--redis', s.address)
    heard = listen(s.client())
    reads(p, 'watch.ip', 1)
    assert p.number('watch_left_out') == 4
    p.datagram('10.9.0.1', '10.0.0.1')
    p.get('10.0.0.1', 'h', '/ok')
    p.ask('10.0.0.1', 'a.example')
    alerts(heard, 3)
    time.sleep(2.5)
    assert p.number('watch_left_out') == 4  # not each second anew
    with p.client() as client:
        text = info_text(client, 'nodes')
    assert re.search(r'^watch\.left_out:4\r?$', text, re.M)
    assert re.search(r'^watch\.error:watch\.dns\.clients: WRONGTYPE', text, re.M)
    said = p.text()
    assert len(re.findall('watch.ip: 2 entries are left out: .*no address and no network', said)) == 1
    assert len(re.findall('watch.dns.clients: WRONGTYPE', said)) == 1
    c.delete('watch.dns.clients')
    c.sadd('watch.dns.clients', '10.0.0.5')
    reads(p, 'watch.dns.clients', 1, seconds=3)
    wait_until(lambda: 'are read again' in p.text(), 5)
    p.ask('10.0.0.5', 'any.example')
    alerts(heard, 4)


def test_hostile_set(server, piped, listen):
    """Members no reply may hold: the other sets are read all the same, and it is tried again."""
    s = server()
    c = s.client()
    p = piped('--watch', '--redis', s.address)
    heard = listen(s.client())
    wait_until(lambda: c.publish('watch.changed', '') >= 1)
    c.sadd('watch.dns.clients', '10.0.0.5', *('y%d' % i + 'x' * 100000 for i in range(60)))
    c.sadd('watch.dns.domains', 'a.example')
    reads(p, 'watch.dns.domains', 1, seconds=10)
    reads(p, 'watch.dns.clients', 1, seconds=20)  # in smaller pages
    c.sadd('watch.ip', 'z' * (3 << 20), '10.9.0.1')
    c.sadd('watch.url', 'b.example')
    reads(p, 'watch.url', 1, seconds=30)
    wait_until(lambda: 'watch.ip: an answer that is too long' in p.text(), 30)
    p.ask('10.0.0.1', 'a.example')
    p.get('10.0.0.1', 'b.example', '/')
    alerts(heard, 2)
    c.srem('watch.ip', 'z' * (3 << 20))
    reads(p, 'watch.ip', 1, seconds=30)
    assert p.rss_kb() < 300000 * SLOW


DNS_MEMBERS = ('text', 'why', 'list', 'client', 'qname', 'qtype', 'rcode', 'latencyUs', 'dst', 'service',
               'response', 'probe')
URL_MEMBERS = ('text', 'list', 'client', 'url', 'method', 'host', 'status', 'userAgent', 'referer', 'dst', 'probe')


def test_as_the_scripts(server, piped, listen, live, tmp_path):
    """dns_watch.py and alert_url.py say the same of the same lists."""
    s, urls = server(), ['Example.com', '*.ads?.example', 'cdn.example/*.exe', '~/(a|b)\\.php', 'http://x.example:80']
    c = s.client()
    c.sadd('watch.dns.domains', 'Example.com.', '*.example.net')
    c.sadd('watch.dns.clients', '10.0.0.0/30', '10.0.0.77')
    c.sadd('watch.url', *urls)
    p = piped('--watch', '--redis', s.address)
    (tmp_path / 'urls').write_text('\n'.join(urls))
    apps_of = {'dns_watch': live('dns_watch', s.address + ',127.0.0.1:%d' % p.port),
               'alert_url': live('alert_url', '127.0.0.1:%d' % p.port, '--list', tmp_path / 'urls')}
    heard = listen(p.client())
    with p.client() as at:
        for channel in 'dns', 'http':
            wait_until(lambda: dict(at.pubsub_numsub(channel))[channel] >= 1, 10)
    for client, name, rcode in (('10.0.0.1', 'www.example.com', 0), ('10.0.0.77', 'a.b', 3), ('10.0.0.9', 'Q.example.NET', 0),
                                ('10.0.0.9', 'other.example', 0), ('10.0.0.78', 'badexample.com', 2)):
        p.ask(client, name, rcode=rcode)
    for host, target in (('www.example.com:8080', '/'), ('a.ads1.example', '/x?y'), ('ads1.example', '/'),
                         ('CDN.example', '/s/a.exe'), ('cdn.example', '/a.exe?b'), ('h', '/q/b.php'),
                         ('proxy', 'http://u@x.example/z'), ('x.example', '*')):
        p.get('10.0.0.1', host, target)
    time.sleep(1)
    got = [json.loads(x) for x in heard.on(ALERT)]
    for program, members in (('dns_watch', DNS_MEMBERS), ('alert_url', URL_MEMBERS)):
        mine = [a for a in got if a['program'] == 'watch' and (a['set'] == 'watch.url') == (program == 'alert_url')]
        if program == 'alert_url':  # which is silent for longer: once for each pattern
            mine = list({a['list']: a for a in reversed(mine)}.values())
        theirs = [a for a in got if a['program'] == program]
        apart = [sorted(json.dumps([a.get(m) for m in members]) for a in side) for side in (mine, theirs)]
        assert apart[0] == apart[1] and len(theirs) >= 4, program


def commands(client):
    return {k.split('_', 1)[1].lower(): v['calls'] for k, v in client.info('commandstats').items()}


def test_not_asked_for(server, piped, listen):
    """Without --watch no set is read, and none has an effect; with it few questions do."""
    s = server()
    c = s.client()
    c.sadd('watch.dns.domains', 'a.example')
    p = piped('--redis', s.address)
    heard = listen(p.client())
    wait_until(lambda: c.publish('watch.changed', '') >= 1)
    p.ask('10.0.0.1', 'a.example')
    time.sleep(2.5)
    quiet(heard, 0)
    assert not {'smembers', 'sscan', 'scard'} & set(commands(c)), commands(c)
    assert p.number('watch_reads') == 0
    p.finish()
    c.delete('watch.dns.domains')
    p = piped('--redis', s.address, '--watch')
    time.sleep(3)
    got = commands(c)
    assert 2 <= got['scard'] / 4 <= 6 and got.get('sscan', 0) <= 4, got  # empty: once, at the start


def test_password_and_database(server, piped, listen, tmp_path):
    """The connection that reads is let in as the others are."""
    s, secret = server(password='geheim'), tmp_path / 'secret'
    secret.write_text('geheim\n')
    s.client(db=3).sadd('watch.dns.domains', 'a.example')
    s.client().sadd('watch.dns.domains', 'b.example')
    p = piped('--watch', '--redis', s.address, '--redis-password-file', secret, '--redis-db', 3)
    heard = listen(p.client())
    reads(p, 'watch.dns.domains', 1)
    p.ask('10.0.0.1', 'a.example')
    p.ask('10.0.0.1', 'b.example')
    assert [a['list'] for a in alerts(heard, 1)] == ['a.example']
    s.client(db=3).sadd('watch.dns.domains', 'c.example')
    reads(p, 'watch.dns.domains', 2)


def test_subscribers_alone(server, piped, listen):
    """--publish none: nothing for the node, but a subscriber of the probe gets it; nobody
    there, nothing is made."""
    s = server()
    s.client().sadd('watch.dns.domains', 'a.example')
    p = piped('--watch', '--redis', s.address, '--publish', 'none')
    at_node = listen(s.client())
    p.ask('10.0.0.1', '1.a.example')
    quiet(at_node, 0)
    assert p.number('watch_alerts') == 0
    at_probe = listen(p.client())
    p.ask('10.0.0.1', '2.a.example')
    alerts(at_probe, 1)
    quiet(at_node, 0)


@pytest.mark.parametrize('args, said', [
    (['--watch'], '--watch needs the nodes it is about: --redis or --sentinel'),
    (['--redis-user', 'x'], '--redis-user needs the nodes'),
    (['--redis-password-file', '/x'], '--redis-password-file needs the nodes'),
    (['--redis-db', '3'], '--redis-db needs the nodes'),
    (['--watch', '--redis', '127.0.0.1:1', '-p', '1/1/1/0/0'], '--watch needs flows with protocol, addresses and ports'),
    (['--publish', 'flow.ned'], 'unknown channel flow.ned; did you mean flow.new?'),
    (['--publish', 'alert,dsn'], 'unknown channel dsn; did you mean dns?'),
    (['--publish', 'somethingelse'], 'unknown channel somethingelse; there are flow, user, alert'),
    (['--publish', 'alert.'], 'unknown channel alert.'),
    (['--redis', '127.0.0.1:1', '--redis-password-file', '/no/such'], '--redis-password-file /no/such: No such file'),
    (['--resp', '0.0.0.0:7', '--resp-password-file', '/'], '--resp-password-file /: Is a directory'),
])
def test_refused(args, said, captures):
    r = probe('-i', captures('dns'), *args, timeout=20)
    assert said in r.text
    # who cannot read a file at the start ends with 1, as with other files
    assert r.status == (1 if 'password-file /' in said else 2)


@pytest.mark.parametrize('names', ['flow', 'flow.new,flow.end', 'dns,http,radius', 'user', 'user.login',
                                   'alert', 'alert.warning', 'alert.my-own', 'all', 'none', 'alert.a.b'])
def test_channels_that_are(names, captures):
    probe('-i', captures('dns'), '--publish', names, '--check-config').ok()
