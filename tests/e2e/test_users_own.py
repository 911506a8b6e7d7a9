# SPDX-License-Identifier: BSD-3-Clause
"""Users that the probe itself sees: with nothing but -T, by packet time however fast the
file is read, kept to the end of connections; what clients are told of them meanwhile."""
import subprocess
import time

import pytest

import apps  # of tests/gen
from cloud import counters, lines_of, redis, relay, serve, server, wait_until
from conftest import FOREVER, free_port, probe, start
from story import BEGIN, Story

T = '%IPV4_SRC_ADDR %IPV6_SRC_ADDR %L4_SRC_PORT %FLOW_START_SEC %FLOW_END_SEC %IN_BYTES %FLOW_USER_NAME'
SERVER = '198.51.100.1'
CLOSE = ['-d', '5', '-t', '3600']  # a pause of more than 5 s makes another flow


def users(path, *more, ports=range(4000, 4100)):
    """(start, user) of the flows of a run, in order of time, without any of the cloud."""
    r = probe('-i', path, '--no-dpi', '--json', '-', '-T', T, *(more or CLOSE)).ok()
    r.summary.check()
    found = [(x['FLOW_START_SEC'] - BEGIN, x.get('FLOW_USER_NAME')) for x in r.records
             if x['L4_SRC_PORT'] in ports]
    return sorted(found, key=lambda x: x[0])


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path / 'story.pcap')


def bob(story, start=100, stop=200, end=500):
    """Bob is there from START to STOP, his address sends each 10 s."""
    story.account(start, 'start', 'bob', 's1', '10.0.0.1')
    story.account(stop, 'stop', 'bob', 's1', '10.0.0.1')
    story.talk(50.5, '10.0.0.1', SERVER, until=end)
    return story.write()


def test_template_alone(story):
    """FLOW_USER_NAME in -T is enough; what was before the login is not his, what is after the
    grace neither."""
    path = bob(story)
    for grace in (60, 15, 1):
        for t, user in users(path, *CLOSE, '--user-grace', grace):
            # after 200 it ends when the next packet comes
            his = 100 <= t < 200 or 200 <= t and t + 10.5 < 200 + grace
            assert user == ('bob' if his else None), (grace, t)
    assert {u for _, u in users(path, *CLOSE, '--plugin', 'none')} == {None}


def test_same_run(story, tmp_path):
    """The same file, the same bytes."""
    path = bob(story)
    outs = {probe('-i', path, '--no-dpi', '--json', '-', '-T', T, *CLOSE).ok().out for _ in range(5)}
    assert len(outs) == 1


@pytest.mark.parametrize('end, there', [(230, True), (300, False)])
def test_grace_of_keys(story, serve, end, there):
    """A file at full speed: what clients see of one who has left depends on packet time."""
    p = serve('-i', bob(story, end=end), '--stay', '--no-dpi', '-T', T, *CLOSE).listening()
    with p.client() as c:
        wait_until(lambda: c.hget('ip.' + SERVER, 'pktsRcvd'), 10)
        time.sleep(.5)
        if there:
            assert c.get('user.ip.10.0.0.1') == 'bob'
            assert 0 < c.ttl('user.ip.10.0.0.1') <= 60 and 0 < c.ttl('user.bob') <= 60
            assert c.execute_command('WHO', '10.0.0.1') == 'bob'
            assert c.execute_command('WHERE', 'bob') == ['10.0.0.1']
            assert int(c.hget('user.bob', 'pktsSent')) > 0
        else:
            assert c.keys('user.*') == []
            assert c.execute_command('WHO', '10.0.0.1') is None
            assert c.execute_command('WHERE', 'bob') == []
    p.finish()


def test_again_within_grace(story, serve):
    story.account(250, 'start', 'bob', 's2', '10.0.0.1')
    p = serve('-i', bob(story), '--stay', '--no-dpi', '-T', T, *CLOSE).listening()
    with p.client() as c:
        wait_until(lambda: c.get('user.ip.10.0.0.1') == 'bob', 10)
        time.sleep(.5)
        assert c.ttl('user.ip.10.0.0.1') == c.ttl('user.bob') == -1
        assert c.hget('user.bob', 'ip.10.0.0.1') == str(BEGIN + 250)
    p.finish()
    assert {u for t, u in users(story.path) if t >= 100} == {'bob'}


def test_takeover(story, tmp_path):
    """At once, with both events; what he says later takes nothing from her."""
    story.account(100, 'start', 'bob', 's1', '10.0.0.1')
    story.account(200, 'start', 'eve', 's2', '10.0.0.1', nas='192.0.2.2')
    story.account(210, 'stop', 'bob', 's1', '10.0.0.1')
    story.account(220, 'stop', 'bob', 'another', '10.0.0.1')
    story.talk(105, '10.0.0.1', SERVER, until=400)
    for t, user in users(story.write()):
        assert user == ('bob' if t < 200 else 'eve'), t
    events = tmp_path / 'events'
    probe('-i', story.path, '--no-dpi', '--events', events, '--publish', 'user').ok()
    told = [(e['channel'], e['data']['user'], round(e['data']['ts'] - BEGIN)) for e in lines_of(events)]
    assert sorted(told, key=lambda e: (e[2], e[0] == 'user.login')) == [
        ('user.login', 'bob', 100), ('user.logout', 'bob', 200), ('user.login', 'eve', 200)]


def test_kept_to_the_end(story):
    """Reports of one connection: none before the login, then him to its end, though he has
    left and the grace has passed; what begins then is nobody's."""
    story.account(100, 'start', 'bob', 's1', '10.0.0.1')
    story.account(200, 'stop', 'bob', 's1', '10.0.0.1')
    story.talk(10, '10.0.0.1', SERVER, until=800)
    story.talk(500, '10.0.0.1', SERVER, sport=4001, until=800)
    found = users(story.write(), '-d', '30', '-t', '60', ports=[4000])
    assert len(found) > 10
    began = [i for i, (_, user) in enumerate(found) if user == 'bob'][0]
    assert 40 <= found[began][0] <= 100
    assert {u for _, u in found[:began]} == {None} and {u for _, u in found[began:]} == {'bob'}
    assert {u for _, u in users(story.path, '-d', '30', '-t', '60', ports=[4001])} == {None}


def test_kept_but_forgotten(story, serve):
    """His connection goes on when he is forgotten: no key of his comes again by that."""
    story.account(100, 'start', 'bob', 's1', '10.0.0.1')
    story.account(200, 'stop', 'bob', 's1', '10.0.0.1')
    story.talk(110, '10.0.0.1', SERVER, until=800)
    p = serve('-i', story.write(), '--stay', '--no-dpi', '-T', T, '-d', '30', '-t', '60').listening()
    with p.client() as c:
        wait_until(lambda: int(c.hget('ip.10.0.0.1', 'pktsSent') or 0) == 70, 10)
        wait_until(lambda: c.keys('user.*') == [], 10)
    p.finish()


def test_kept_but_for_another(story):
    """She has logged in: reports that begin after that are hers."""
    story.account(100, 'start', 'bob', 's1', '10.0.0.1')
    story.account(300, 'start', 'eve', 's2', '10.0.0.1')
    story.talk(110, '10.0.0.1', SERVER, until=800)
    for t, user in users(story.write(), '-d', '30', '-t', '60'):
        assert user == ('eve' if t >= 300 else 'bob'), t


def test_several(story, serve):
    """Sessions and addresses of one user, both families; a stop takes its own only; off takes
    all of its NAS."""
    six = ['2001:db8:0:10::/60', '2001:db8:1::/64', '2001:db8:2::9']
    story.account(100, 'start', 'bob', 's1', '10.0.0.1', *six)
    story.account(101, 'start', 'bob', 's2', '10.0.0.2')
    story.account(102, 'start', 'bob', 's3', '10.0.0.3', nas='192.0.2.2')
    story.account(102, 'start', 'eve', 's4', '10.0.0.4')
    story.account(110, 'stop', 'bob', 's2', '10.0.0.2')
    for i, host in enumerate(['2001:db8:0:1f::1', '2001:db8:1::7', '2001:db8:2::9', '2001:db8:0:20::1',
                              '2001:db8:2::8']):
        story.talk(120, host, '2001:db8:ffff::1', sport=4000 + i)
    story.talk(200, '10.0.0.9', SERVER, sport=5000)
    p = serve('-i', story.write(), '--stay', '--no-dpi', '-T', T, *CLOSE).listening()
    with p.client() as c:
        wait_until(lambda: c.get('user.ip.10.0.0.4') == 'eve', 10)
        wait_until(lambda: c.get('user.ip.10.0.0.2') is None, 10)
        assert sorted(c.execute_command('WHERE', 'bob')) == sorted(['10.0.0.1', '10.0.0.3', *six])
        for address, user in (('10.0.0.1', 'bob'), ('10.0.0.2', None), ('10.0.0.3', 'bob'),
                              ('2001:db8:0:1f::1', 'bob'), ('2001:db8:0:20::1', None),
                              ('2001:db8:1::7', 'bob'), ('2001:db8:2::9', 'bob'), ('2001:db8:2::8', None)):
            assert c.execute_command('WHO', address) == user, address
        assert c.get('user.net.2001:db8:0:10::/60') == 'bob'
        assert c.ttl('user.bob') == -1
    p.finish()
    r = probe('-i', story.path, '--no-dpi', '--json', '-', '-T', T, *CLOSE).ok()
    found = {x['IPV6_SRC_ADDR']: x.get('FLOW_USER_NAME') for x in r.records
             if x.get('IPV6_SRC_ADDR', '').startswith('2001') and x['L4_SRC_PORT'] < 4100}
    assert found == {'2001:db8:0:1f::1': 'bob', '2001:db8:1::7': 'bob', '2001:db8:2::9': 'bob',
                     '2001:db8:0:20::1': None, '2001:db8:2::8': None}
    story.account(250, 'off', more=[(45, 1)])
    story.talk(260, '10.0.0.1', SERVER)
    story.talk(330, '10.0.0.9', SERVER, sport=5000)
    p = serve('-i', story.write(), '--stay', '--no-dpi', '-T', T, *CLOSE).listening()
    with p.client() as c:
        wait_until(lambda: c.get('user.ip.10.0.0.3') == 'bob', 10)
        wait_until(lambda: c.execute_command('WHERE', 'bob') == ['10.0.0.3'], 10)
        wait_until(lambda: sorted(c.keys('user.*')) == ['user.bob', 'user.ip.10.0.0.3'], 10)
    p.finish()


def crowd(story, n=120):
    """Many users of many NASes on a few addresses: each address goes from one to the next,
    now with a stop before, now without, and his stop comes when hers has begun."""
    last = {}
    for i in range(n):
        addr = '10.0.1.%d' % (1 + i % 12)
        t = 100 + i * 5
        user, session = 'u%d' % i, 's%d' % i
        nas = '192.0.2.%d' % (20 + i % 7)
        if addr in last:
            old, when = last[addr], t - 1 if i % 3 else t + 2
            if i % 5:
                story.account(when, 'stop', old[0], old[1], addr, nas=old[2], sport=old[3])
        story.accept(t - .01, user, addr, nas=nas, sport=21000 + i)
        story.account(t, 'start', user, session, addr, nas=nas, sport=22000 + i)
        last[addr] = user, session, nas, 23000 + i
        for k in range(6):
            story.talk(t + 5 + 9 * k, addr, SERVER, sport=4000 + i % 100)
    return story.write(), {addr: v[0] for addr, v in last.items()}


def test_workers(story, serve):
    """Two workers tell of logins and logouts in another order than they came: the end is the
    same."""
    path, expected = crowd(story)
    seen = set()
    for round in range(6):
        p = serve('-i', path, '--stay', '--no-dpi', '--workers', '2', '-T', T, *CLOSE, '--user-grace', '5').listening()
        with p.client() as c:
            wait_until(lambda: counters(c).get('packets', 0) >= len(story.packets), 20)
            wait_until(lambda: len(c.keys('user.ip.*')) == len(expected), 10)
            time.sleep(.3)
            for addr, user in expected.items():
                assert c.get('user.ip.' + addr) == user
                assert c.ttl('user.ip.' + addr) == -1
                assert c.execute_command('WHERE', user) == [addr]
            seen.add(tuple(sorted(k for k in c.keys('user.u*'))))
        p.finish()
    assert seen == {tuple(sorted('user.' + u for u in expected.values()))}

    def owners(workers):
        r = probe('-i', path, '--no-dpi', '--json', '-', '-T', T, *CLOSE, '--workers', workers).ok()
        return {(x['IPV4_SRC_ADDR'], x['L4_SRC_PORT'], x['FLOW_START_SEC']): x.get('FLOW_USER_NAME')
                for x in r.records if 4000 <= x['L4_SRC_PORT'] < 4100}
    one, two = owners(1), owners(2)
    assert one.keys() == two.keys() and len(one) == 720 and None not in one.values()
    # one worker's record may leave before the other tells of the login that came before it
    assert sum(two[k] == one[k] for k in one) > len(one) / 2


def test_cross_probe_grace(story, server, tmp_path):
    """A sees RADIUS only, B the traffic; what A has told ends with the grace on the node."""
    s = server()
    story.account(100, 'start', 'bob', 's1', '10.0.0.1')
    a = story.write()
    traffic = Story(tmp_path / 'traffic.pcap').talk(150, '10.0.0.1', SERVER).write()

    def b(n):
        r = probe('-i', traffic, '--no-dpi', '--plugin', 'none', '--json', '-', '-T', T, *FOREVER,
                  '--redis', s.address, '--probe-id', 'b%d' % n, '--user-wait', '5000').ok()
        return [x.get('FLOW_USER_NAME') for x in r.records]
    assert b(0) == [None]
    probe('-i', a, '--redis', s.address, '--probe-id', 'a', '--user-grace', '2').ok()
    c = s.client()
    assert c.get('user.ip.10.0.0.1') == 'bob' and c.ttl('user.ip.10.0.0.1') == -1
    assert b(1) == ['bob']
    assert int(c.hget('user.bob', 'pktsSent')) == 1
    story.account(200, 'stop', 'bob', 's1', '10.0.0.1')
    story.write()
    probe('-i', a, '--redis', s.address, '--probe-id', 'a', '--user-grace', '2').ok()
    ttl = c.pttl('user.ip.10.0.0.1')
    assert 0 < ttl <= 2000 and 0 < c.pttl('user.bob') <= 2000
    time.sleep(ttl / 1000 + .1)
    assert c.get('user.ip.10.0.0.1') is None
    assert b(2) == [None]
    # the last flow was nobody's: no key is left without a session
    assert c.keys('user.*') == []


def test_taken_over_on_the_node(story, server, start, tmp_path):
    """Two probes see logins: a late stop that A sees does not take the address from the user
    that B saw."""
    s = server()
    c = s.client()
    story.account(100, 'start', 'bob', 's1', '10.0.0.1')
    first = story.write().read_bytes()
    story.account(160, 'stop', 'bob', 's1', '10.0.0.1')
    rest = story.write().read_bytes()[len(first):]
    a = start('-i', '-', '--redis', s.address, '--probe-id', 'a', '--user-grace', '1', stdin=subprocess.PIPE)
    a.process.stdin.write(first)
    a.process.stdin.flush()
    wait_until(lambda: c.get('user.ip.10.0.0.1') == 'bob', 10)
    other = Story(tmp_path / 'other.pcap')
    other.account(150, 'start', 'eve', 's2', '10.0.0.1')
    probe('-i', other.write(), '--redis', s.address, '--probe-id', 'b').ok()
    assert c.get('user.ip.10.0.0.1') == 'eve'
    a.process.stdin.write(rest)
    a.process.stdin.close()
    a.wait()
    wait_until(lambda: not c.exists('user.bob'), 10, 'for the grace')
    time.sleep(1.2)
    assert c.get('user.ip.10.0.0.1') == 'eve' and c.ttl('user.ip.10.0.0.1') == -1
    assert c.hget('user.eve', 'ip.10.0.0.1') == str(BEGIN + 150)


def test_node_away(story):
    """No node: what the probe has seen itself names flows all the same, in time."""
    begin = time.monotonic()
    found = users(bob(story), *CLOSE, '--redis', '127.0.0.1:%d' % free_port(), '--drain-timeout', '0')
    assert time.monotonic() - begin < 10
    assert {u for t, u in found if 100 <= t < 200} == {'bob'}
    assert {u for t, u in found if t < 100} == {None}


def test_counted(story, serve):
    """What a user's flows sent, by protocol too; whose it is stands in ip.<addr>; TOP."""
    p = serve('-i', bob(story, end=150), '--stay', '-T', T, *CLOSE).listening()
    with p.client() as c:
        wait_until(lambda: c.hget('user.bob', 'bytesSent'), 10)
        wait_until(lambda: int(c.hget('user.bob', 'pktsSent')) == 5, 10)
        key = c.hgetall('user.bob')
        assert int(key['bytesSent']) == 5 * 128 and int(key['flowsClient']) == 5
        assert sum(int(v) for k, v in key.items() if k.startswith('l7.')) == 5 * 128
        assert c.hget('ip.10.0.0.1', 'user') == 'bob'
        assert 'user' not in c.hgetall('ip.' + SERVER)
        assert c.execute_command('TOP', 'user', 'bytes', 3)[0] == 'bob'
    p.finish()


def test_names_of_addresses(story, serve):
    """DNS names an address: no key comes of that, but when the address is seen it has its
    name."""
    def asks(t, name, address, ident):
        story.datagram(t, '10.0.0.1', '10.0.0.53', 5000 + ident, 53, apps.dns_query(ident, name, 'A'))
        record = apps.dns_record(None, 'A', 60, address)
        story.datagram(t + .01, '10.0.0.53', '10.0.0.1', 53, 5000 + ident,
                       apps.dns_answer(ident, name, 'A', [record]))
    asks(1, 'seen.example.org', '203.0.113.7', 1)
    asks(2, 'unseen.example.org', '203.0.113.8', 2)
    story.talk(3, '10.0.0.1', '203.0.113.7')
    asks(20, 'other.example.org', '203.0.113.7', 3)
    p = serve('-i', story.write(), '--stay', '--no-dpi', *CLOSE).listening()
    with p.client() as c:
        wait_until(lambda: c.get('dns.cache.203.0.113.8') == 'unseen.example.org', 10)
        wait_until(lambda: c.hget('ip.203.0.113.7', 'name'), 10)
        assert c.exists('ip.203.0.113.8') == 0
        assert c.hget('ip.203.0.113.7', 'name') == c.get('dns.cache.203.0.113.7')
        assert int(c.hget('ip.203.0.113.7', 'pktsRcvd')) == 1
    p.finish()
