# SPDX-License-Identifier: BSD-3-Clause
"""HTTP events against tshark: the same requests, in the same order, with the same status
and, to the first segment of the response, the same latency."""
import json
import random
import re
from collections import defaultdict

import pytest

import apps  # of tests/gen
import capfile
import traffic
import tshark
from conftest import probe

pytestmark = pytest.mark.skipif(tshark.why_not() is not None, reason=str(tshark.why_not()))
MS = 1000


def events(capture, *options):
    r = probe('-i', capture, '--no-dpi', '--tunnel', '--publish', 'http', '--events', '-', *options).ok()
    data = [json.loads(line)['data'] for line in r.out.decode().splitlines()]
    return [tshark.Request(e['src'], e['sport'], e['dst'], e['dport'], e.get('method'), e.get('host', ''),
                           e.get('url', ''), e['status'], e['latencyUs'] and e['latencyUs'] / 1e6 or e['latencyUs'])
            for e in data]


def by_connection(requests):
    out = defaultdict(list)
    for r in requests:
        out[r[:4]].append(r[4:])
    return out


def agree(got, expected):
    got, expected = by_connection(got), by_connection(expected)
    assert set(got) == set(expected)
    for connection, rows in expected.items():
        assert [r[:-1] for r in got[connection]] == [r[:-1] for r in rows], connection
        for mine, theirs in zip(got[connection], rows):
            assert (mine[-1] is None) == (theirs[-1] is None), (connection, mine, theirs)
            assert mine[-1] is None or abs(mine[-1] - theirs[-1]) < 2e-6, (connection, mine, theirs)


@pytest.mark.parametrize('what,count', [('http', 8), ('retrans', 2), ('tunnel', 3), ('all', 13)])
def test_generated(captures, what, count):
    path = captures(what)
    expected = tshark.http(path)
    assert len(expected) >= count
    assert any(r.latency for r in expected)
    agree(events(path), expected)


class Web:
    """Connections with what is rare elsewhere."""

    def __init__(self, path):
        self.o = traffic.Office(7)
        self.n = 0
        for scene in (self.pipelined, self.bodies, self.interim, self.heads, self.upload, self.unanswered, self.slow):
            scene(self.open())
        with open(path, 'wb') as f:
            capfile.writer(f, 'pcap', 65535).write_all([(p[0], p[2]) for p in self.o.trace.sorted()])

    def open(self):
        self.n += 1
        return self.o.tcp(self.o.clients[self.n % 3], self.o.servers[self.n], 80, self.o.at(self.n), 'http',
                          version=6 if self.n % 3 == 0 else 4).open()

    def get(self, target, method='GET', **kw):
        return apps.http_request(method, 'web.example.org', target, **kw)

    def page(self, size, status=200, **kw):
        return apps.http_response(status, 'OK', 'text/html', apps.page(self.o.rng, size), **kw)

    def pipelined(self, c):
        """Four requests in one segment, their responses in any cuts."""
        c.send(0, b''.join(self.get('/p%d' % n) for n in range(4)))
        c.send(1, self.page(3000) + self.page(10), wait=30 * MS)
        c.send(1, self.page(5000, chunked=True), wait=20 * MS)
        c.send(1, self.page(70, 404), wait=5 * MS).close()

    def bodies(self, c):
        """A response that begins in the last segment of the one before."""
        for n in range(3):
            c.send(0, self.get('/b%d' % n), wait=5 * MS)
            c.send(1, self.page(4000 + n, chunked=n == 1), wait=17 * MS, gap=3 * MS)
        c.close()

    def interim(self, c):
        c.send(0, self.get('/i', 'POST', extra=['Content-Length: 3000', 'Expect: 100-continue']))
        c.send(1, b'HTTP/1.1 100 Continue\r\n\r\n', wait=3 * MS)
        c.send(0, b'x' * 3000, wait=2 * MS, gap=4 * MS)
        c.send(1, self.page(100, 201), wait=25 * MS).close()

    def heads(self, c):
        c.send(0, self.get('/h', 'HEAD'))
        c.send(1, b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n', wait=9 * MS)
        c.send(0, self.get('/n', extra=['If-None-Match: "1"']))
        c.send(1, b'HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n', wait=8 * MS)
        c.send(0, self.get('/d', 'DELETE'))
        c.send(1, b'HTTP/1.1 204 No Content\r\n\r\n', wait=7 * MS).close()

    def upload(self, c):
        """Latency begins with the last segment of what is sent."""
        c.send(0, self.get('/u', 'PUT', body=b'y' * 20000), gap=2 * MS)
        c.send(1, self.page(20000, 201), wait=40 * MS, gap=2 * MS)
        c.send(0, self.get('/v'))
        c.send(1, self.page(100)).close()

    def unanswered(self, c):
        c.send(0, self.get('/lost')).reset(1)

    def slow(self, c):
        """The head of the response in three parts."""
        c.send(0, self.get('/s'))
        whole = self.page(900)
        for part in whole[:10], whole[10:60], whole[60:]:
            c.send(1, part, wait=50 * MS)
        c.close()


def test_rare(tmp_path):
    path = tmp_path / 'web.pcap'
    Web(path)
    expected = tshark.http(path)
    assert len(expected) == 4 + 3 + 1 + 3 + 2 + 1 + 1
    assert [r.status for r in expected if r.url == '/lost'] == [None]
    slow, = [r for r in expected if r.url == '/s']
    assert slow.latency > .05
    agree(events(path), expected)
    agree(events(path, '--workers', 2), expected)
    # The other way of counting is that of tshark's http.time, which knows no interim responses.
    theirs = {round(float(v[0][0]), 6) for v in tshark.fields(path, ['http.time'], '-Y', 'http.time')}
    whole = {r.latency for r in events(path, '--plugin', 'http:response=whole') if r.latency}
    assert len(whole & theirs) >= 8
    assert max(whole) > max(r.latency or 0 for r in expected)


@pytest.mark.parametrize('capture', ['ipfixprobe-http.pcap', 'zeek-http_pipelined-requests.pcap',
                                     'zeek-http_methods.pcap', 'zeek-http_206_example_a.pcap',
                                     'zeek-tunnels_Teredo.pcap', 'scapy-http_chunk.pcap', 'arkime-http-no-length.pcap',
                                     'zeek-mixed-vlan-mpls.pcap', 'zeek-http_get-gzip.pcap'])
def test_foreign(corpus, capture):
    path = corpus / 'dev' / capture
    expected = tshark.http(path)
    assert len(expected) > 0
    agree(events(path), expected)


def test_holes_in_tunnel(corpus):
    """Full segments lack their last 16 octets, which are in other fragments of the outer packet: the header Host,
    behind them, is found all the same."""
    path = corpus / 'dev' / 'zeek-tunnels_gtp_gtp1_gn_normal_incl_fragmentation.pcap'
    mine, = events(path)
    theirs, = tshark.http(path)
    assert mine[:7] == theirs[:7]
    assert re.search('youtube', mine.host)
    assert mine.status == 206  # what tshark says once the whole body was there: it was not
