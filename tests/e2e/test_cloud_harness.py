# SPDX-License-Identifier: BSD-3-Clause
"""The judge of the MicroCloud tests judged: its relay, its servers and its sums, with
redis-server and redis-py alone."""
import time
from collections import Counter

import pytest

from cloud import (Listener, Tree, counters, crowd, merged, redis, relay, same, server, totals,
                   wait_until)


def test_server_remembers(server):
    """What it has answered outlives kill -9."""
    s = server()
    c = s.client()
    for n in range(50):
        c.hincrby('ip.10.0.0.%d' % (n % 5), 'bytesSent', n)
        c.hset('ip.10.0.0.1', mapping={'name': 'x', '20.pktsSent': 7, 'firstSeen': 5, 'pktsRcvd': 0})
    want = {'ip.10.0.0.%d' % k: {'bytesSent': sum(range(k, 50, 5))} for k in range(5)}
    want['ip.10.0.0.1']['20.pktsSent'] = 7
    same(totals(c), want)
    s.kill9()
    with pytest.raises(redis.ConnectionError):
        s.client().ping()
    s.restart()
    same(totals(s.client()), want)
    with pytest.raises(AssertionError):
        same(merged(want, want), want)
    assert counters(s.client())['loading'] == 0


def test_server_frozen(server):
    s = server(unix=True, password='x')
    s.stop()
    with pytest.raises(redis.TimeoutError):
        s.client(socket_timeout=.3).ping()
    s.cont()
    assert s.client().ping()


def test_relay(server, relay):
    """What it held back arrives late, when its sender is long gone."""
    s = server()
    r = relay(s.port)
    a, b = (redis.Redis(port=r.port, socket_timeout=.3) for _ in 'ab')
    a.hincrby('k', 'f', 1)
    r.trap(b'EXEC', lambda link: link.stall())
    with a.pipeline() as p, pytest.raises(redis.TimeoutError):
        p.hincrby('k', 'f', 1).execute()
    a.close()
    assert b.hget('k', 'f') == b'1'
    r.caught.release()
    wait_until(lambda: b.hget('k', 'f') == b'2', 3)


def test_relay_loses_answers(server, relay):
    s = server()
    r = relay(s.port)
    a = redis.Redis(port=r.port, socket_timeout=.3)
    a.hincrby('k', 'f', 1)
    r.trap(b'EXEC', lambda link: setattr(link, 'deaf', True))
    with a.pipeline() as p, pytest.raises(redis.TimeoutError):
        p.hincrby('k', 'f', 1).execute()
    assert a.hget('k', 'f') == b'2'
    r.links[-1].cut()


def test_listener(server):
    c = server().client()
    heard = Listener(c, 'flow.*')
    c.publish('flow.new', 'hey')
    c.publish('dns', 'ho')
    time.sleep(.1)
    heard.end()
    assert heard.got == [('flow.new', 'hey')]


def test_crowd(crowd):
    """The capture is what its tests need, and the sums of its records add up."""
    ends = Counter(r['FLOW_END_REASON'] for r in crowd.records)
    assert ends[1] > 500 and ends[3] > 500 and len(crowd.records) == 2400
    hosts = crowd.tree.under('ip.10.')
    assert 200 < len(hosts) <= 300
    for fields in crowd.tree.under('ip.').values():
        assert fields['bytesSent'] >= fields.get('20.bytesSent', 0) >= 0
    sent = sum(f.get('bytesSent', 0) for f in crowd.tree.under('ip.').values())
    assert sent == crowd.summary['flow_bytes'] == sum(f['bytes'] for f in crowd.tree.under('port.').values())
    assert sum(f['flows'] for f in crowd.tree.under('port.').values()) == 2400
    late = [r for r in crowd.records if r['FLOW_END_MICROSECONDS'] - r['FLOW_START_MICROSECONDS'] > 6e6]
    assert len(late) == 20


def test_tree():
    """Worked out by hand."""
    r = {'IP_PROTOCOL_VERSION': 4, 'PROTOCOL': 6, 'IPV4_SRC_ADDR': '10.0.0.1', 'IPV4_DST_ADDR': '10.0.0.2',
         'L4_SRC_PORT': 4000, 'L4_DST_PORT': 80, 'SRC_VLAN': 20, 'IN_PKTS': 3, 'IN_BYTES': 300, 'OUT_PKTS': 0,
         'OUT_BYTES': 0, 'L7_PROTO_NAME': 'HTTP', 'IN_SRC_MAC': '02:00:00:00:00:AA'}
    tree = Tree([r, {**r, 'SRC_VLAN': 0}], named=True)
    assert tree.under('ip.') == {
        'ip.10.0.0.1': {'bytesSent': 600, 'pktsSent': 6, 'flowsClient': 2, '20.bytesSent': 300,
                        '20.pktsSent': 3, '20.flowsClient': 1},
        'ip.10.0.0.2': {'bytesRcvd': 600, 'pktsRcvd': 6, 'flowsServer': 2, '20.bytesRcvd': 300,
                        '20.pktsRcvd': 3, '20.flowsServer': 1}}
    assert tree.under('port.') == {'port.tcp.80': {'bytes': 600, 'pkts': 6, 'flows': 2}}
    assert tree.under('proto.') == {'proto.HTTP': {'bytes': 600, 'pkts': 6, 'flows': 2}}
    assert set(tree.under('mac.')) == {'mac.02:00:00:00:00:aa'}
