# SPDX-License-Identifier: BSD-3-Clause
"""Users of flows: logins one probe has seen name the flows another one sees; who is known
by an address, who by its network; nodes that are away, deaf or slow; order and time."""
import ipaddress
import time
from collections import Counter

import pytest

from cloud import lines_of, lossless, redis, relay, serve, server, wait_until
from conftest import FOREVER, SLOW, free_port, probe

T = '%IPV4_SRC_ADDR %IPV4_DST_ADDR %IPV6_SRC_ADDR %IPV6_DST_ADDR %L4_SRC_PORT %IN_BYTES %OUT_BYTES'
USER = T + ' %FLOW_USER_NAME'
WHERE = {'192.168.10.11': 'jane@example.org'}


def run(capture, out, *more, t=USER):
    """Records of a run, and its summary."""
    r = probe('-i', capture, '--resp', 'none', '--no-dpi', '--plugin', 'none', '--json', out, '-T', t, *FOREVER, *more)
    summary = lossless(r)
    return lines_of(out), summary, r


def ends(record):
    return [record.get(f) for f in ('IPV4_SRC_ADDR', 'IPV4_DST_ADDR', 'IPV6_SRC_ADDR', 'IPV6_DST_ADDR')
            if record.get(f)]


def user_of(record, users):
    """What FLOW_USER_NAME must be: the client's, else the server's."""
    for address in ends(record):
        if address in users:
            return users[address]
        if ':' in address:
            for bits in (64, 56, 48):
                net = str(ipaddress.ip_network((address, bits), strict=False))
                if net in users:
                    return users[net]
    return None


def plain(records):
    return [{k: v for k, v in r.items() if k != 'FLOW_USER_NAME'} for r in records]


def fill(s, users):
    c = s.client()
    for name, user in users.items():
        c.set(('user.net.' if '/' in name else 'user.ip.') + name, user)
    return c


def test_cross_probe(captures, server, tmp_path):
    """A reads only RADIUS, B only the traffic."""
    s = server()
    probe('-i', captures('radius'), '--resp', 'none', '--redis', s.address, '--probe-id', 'a')
    c = s.client()
    assert c.get('user.ip.192.168.10.11') == WHERE['192.168.10.11']
    records, _, _ = run(captures('dns,http'), tmp_path / 'b', '--redis', s.address, '--probe-id', 'b')
    named = [r for r in records if 'FLOW_USER_NAME' in r]
    assert named
    for r in records:
        assert r.get('FLOW_USER_NAME') == user_of(r, WHERE)


@pytest.mark.parametrize('workers', [1, 2])
def test_all_flows(captures, server, tmp_path, workers):
    """Addresses and networks, both families, clients and servers; the counters of users;
    and records in the order they have without users."""
    s, capture = server(), captures()
    before, _, _ = run(capture, tmp_path / 'none', '--workers', workers, t=T)
    seen = Counter(a for r in before for a in ends(r))
    six = sorted(a for a in seen if ':' in a and not a.startswith(('fe80', 'ff')))
    users = {a: 'user of ' + a for a in sorted(a for a in seen if ':' not in a)[::2]}
    if six:
        users[str(ipaddress.ip_network((six[0], 64), strict=False))] = 'six'
    c = fill(s, users)
    records, summary, _ = run(capture, tmp_path / 'b', '--workers', workers, '--redis', s.address,
                              '--probe-id', 'b', '--user-wait', '10000')
    assert sum('FLOW_USER_NAME' in r for r in records) > 10
    for r in records:
        assert r.get('FLOW_USER_NAME') == user_of(r, users)
    if workers == 1:
        assert plain(records) == before
    assert summary['users_late'] == summary['users_full'] == 0
    sent, top = Counter(), Counter()
    for r in records:
        for i, address in enumerate(ends(r)):
            user = user_of({'IPV6_SRC_ADDR' if ':' in address else 'IPV4_SRC_ADDR': address}, users)
            if user:
                sent[user] += r.get('OUT_BYTES' if i else 'IN_BYTES', 0)
                top[user] += r.get('IN_BYTES', 0) + r.get('OUT_BYTES', 0)
    for user, n in sent.items():
        key = c.hgetall('user.' + user.replace(' ', '%20'))
        assert int(key.get('bytesSent', 0)) == n, user
        l7 = sum(int(v) for k, v in key.items() if k.startswith('l7.'))
        assert l7 == int(key.get('bytesSent', 0)) + int(key.get('bytesRcvd', 0))
    found = Counter()
    for key in c.keys('top.user.bytes.*'):
        for member, score in c.zrange(key, 0, -1, withscores=True):
            found[member.replace('%20', ' ')] += int(score)
    assert found == top


def test_away(captures, tmp_path):
    """No node: records without users, none lost, no waiting for each of them."""
    before, _, _ = run(captures(), tmp_path / 'none', t=T)
    begin = time.monotonic()
    records, _, _ = run_lossy(captures(), tmp_path / 'b', '--redis', '127.0.0.1:%d' % free_port(),
                              '--drain-timeout', '0')
    assert plain(records) == before and not any('FLOW_USER_NAME' in r for r in records)
    assert time.monotonic() - begin < 5 * SLOW


def run_lossy(capture, out, *more):
    """A run whose node does not get everything."""
    r = probe('-i', capture, '--resp', 'none', '--no-dpi', '--plugin', 'none', '--json', out, '-T', USER, *FOREVER, *more)
    return lines_of(out), r.summary, r


def test_deaf(captures, server, tmp_path):
    """A node that takes bytes and says nothing: each record waits --user-wait at most."""
    s = server()
    fill(s, WHERE)
    before, _, _ = run(captures(), tmp_path / 'none', t=T)
    s.stop()
    try:
        begin = time.monotonic()
        records, _, _ = run_lossy(captures(), tmp_path / 'b', '--redis', s.address, '--drain-timeout', '0',
                                  '--user-wait', '200')
        assert time.monotonic() - begin < 6 * SLOW
    finally:
        s.cont()
    assert plain(records) == before


def test_nobody_asks(captures, server, tmp_path):
    """No field, no event: no question."""
    s = server()
    fill(s, WHERE)
    _, summary, _ = run(captures(), tmp_path / 'b', '--redis', s.address, t=T)
    assert summary['reader_asked'] == 0


def test_events(captures, server, tmp_path):
    s = server()
    fill(s, WHERE)
    run(captures('http'), tmp_path / 'b', '--redis', s.address, '--events', tmp_path / 'events',
        '--publish', 'flow.end', t=T)
    events = [e['data'] for e in lines_of(tmp_path / 'events') if e['channel'] == 'flow.end']
    assert any('user' in e for e in events)
    for e in events:
        assert e.get('user') == WHERE.get(e['src'], WHERE.get(e['dst']))


def test_own_sightings(captures, serve):
    """One probe, no node: what it reads itself; TOP."""
    p = serve('-i', captures('radius,dns,http'), '--stay', '--no-dpi', '-T', USER,
              '--plugin', 'radius').listening()
    with p.client() as c:
        user = WHERE['192.168.10.11']
        wait_until(lambda: c.execute_command('WHO', '192.168.10.11') == user, 10)
        wait_until(lambda: int(c.hget('user.' + user, 'bytesSent') or 0) > 0, 10)
        top = c.execute_command('TOP', 'user', 'bytes', 5)
        assert user in top
    p.finish()
