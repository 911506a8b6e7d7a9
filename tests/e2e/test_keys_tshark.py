# SPDX-License-Identifier: BSD-3-Clause
"""What stands in a Redis node after a file was read equals what tshark finds in the file:
per host queries, replies, names that do not exist, requests, errors, packets and octets;
per domain and per HTTP host the requests.

While a probe holds at the end of its file (--stay) a request without its response still
waits for it: such are counted when the flow ends."""
import time
from collections import Counter, defaultdict

import pytest

import tshark
from cloud import hashes, lossless, server, serve  # noqa: F401 (fixtures)
from conftest import FOREVER, SLOW

pytestmark = pytest.mark.skipif(tshark.why_not() is not None, reason=str(tshark.why_not()))
IP = ('dns.queries', 'dns.replies', 'dns.nxdomain', 'http.requests', 'http.errors', 'bytesSent', 'bytesRcvd',
      'pktsSent', 'pktsRcvd')
TREES = {'ip.*': IP, 'dns.domain.*': ('queries', 'nxdomain'), 'dns.server.*': ('queries', 'replies', 'nxdomain'),
         'dns.qtype.*': ('queries',), 'dns.rcode.*': ('queries',), 'http.host.*': ('requests', 'errors')}
KINDS = {1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 12: 'PTR', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 43: 'DS',
         46: 'RRSIG', 48: 'DNSKEY', 255: 'ANY'}
RCODES = {0: 'NOERROR', 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 4: 'NOTIMP', 5: 'REFUSED'}


def escaped(name):
    """As part of a key."""
    return ''.join('%%%02X' % ord(c) if c in '*?[]\\%' or ord(c) <= 32 or ord(c) >= 127 else c for c in name)[:200]


def expected(capture):
    """{pattern: {key: {field: number}}} out of what tshark says."""
    out = {tree: defaultdict(Counter) for tree in TREES}
    for q in tshark.dns(capture):
        ip, name = out['ip.*'], 'dns.domain.' + (escaped(q.name.replace('<root>', '')) or '.')
        server, kind = 'dns.server.' + q.server, 'dns.qtype.' + KINDS.get(q.kind, 'TYPE%d' % q.kind)
        if q.rcode is None or q.latency is not None:  # else an answer nobody asked for
            ip['ip.' + q.client]['dns.queries'] += 1
            for tree, key in ('dns.server.*', server), ('dns.domain.*', name), ('dns.qtype.*', kind):
                out[tree][key]['queries'] += 1
        if q.rcode is None:
            continue
        ip['ip.' + q.server]['dns.replies'] += 1
        out['dns.server.*'][server]['replies'] += 1
        out['dns.rcode.*']['dns.rcode.' + RCODES[q.rcode]]['queries'] += 1
        if q.rcode == 3:
            ip['ip.' + q.client]['dns.nxdomain'] += 1
            out['dns.server.*'][server]['nxdomain'] += 1
            out['dns.domain.*'][name]['nxdomain'] += 1
    for r in tshark.http(capture):
        host = r.host.lower() or r.url.partition('://')[2].split('/')[0].lower()
        host = host.rsplit(':', 1)[0] if host.rsplit(':', 1)[-1].isdigit() else host
        error = (r.status or 0) >= 400
        for tree, key, fields in (('ip.*', 'ip.' + r.client, ('http.requests', 'http.errors')),
                                  ('http.host.*', 'http.host.' + escaped(host), ('requests', 'errors'))):
            if tree == 'http.host.*' and not host:
                continue
            out[tree][key][fields[0]] += r.method is not None
            out[tree][key][fields[1]] += error
    for address, numbers in tshark.hosts(capture).items():
        out['ip.*']['ip.' + address].update(dict(zip(IP[5:], numbers)))
    return {tree: {k: +c for k, c in keys.items() if +c} for tree, keys in out.items()}


def read(client, tree):
    keys = {k: {f: int(v[f]) for f in TREES[tree] if int(v.get(f, 0))} for k, v in hashes(client, tree).items()}
    return {k: v for k, v in keys.items() if v}


def differences(got, wanted, but=()):
    """BUT: fields that may be less."""
    out = []
    for tree in TREES:
        for k in sorted({*got[tree], *wanted[tree]}):
            mine, theirs = got[tree].get(k, {}), wanted[tree].get(k, {})
            wrong = [f for f in TREES[tree] if mine.get(f, 0) != theirs.get(f, 0) and not
                     (f in but and mine.get(f, 0) < theirs.get(f, 0))]
            out += ['%s %s: probe %s, tshark %s' % (k, f, mine.get(f), theirs.get(f)) for f in wrong]
    return out


def agree(serve, node, capture, wanted, *options):  # noqa: F811
    """The keys in NODE are right when the file is read and the probe holds, and when it has ended."""
    p = serve('-i', capture, '--stay', '--redis', node.address, '--probe-id', 'k', '--volatile-ttl', 3600,
              '--no-dpi', *FOREVER, *options).listening()
    client, end = node.client(), time.monotonic() + 20 * SLOW
    while True:
        wrong = differences({tree: read(client, tree) for tree in TREES}, wanted,
                            ('dns.queries', 'queries', 'http.requests', 'requests'))
        if not wrong or time.monotonic() > end:
            break
        time.sleep(.1)
    assert not wrong, '%d differ: %s' % (len(wrong), wrong[:4])
    lossless(p.finish())
    wrong = differences({tree: read(client, tree) for tree in TREES}, wanted)
    assert not wrong, '%d differ: %s' % (len(wrong), wrong[:4])


@pytest.mark.parametrize('workers', [1, 2])
def test_generated(serve, server, captures, workers):  # noqa: F811
    path = captures('dns,http,retrans,ntp,frag,vlan,tls')
    wanted = expected(path)
    assert sum(c['dns.queries'] for c in wanted['ip.*'].values()) >= 11
    assert sum(c['dns.nxdomain'] for c in wanted['ip.*'].values()) >= 1
    assert sum(c['http.requests'] for c in wanted['ip.*'].values()) >= 10
    assert sum(c['http.errors'] for c in wanted['ip.*'].values()) >= 1
    agree(serve, server(), path, wanted, '--workers', workers)


@pytest.mark.parametrize('capture', [
    'ipfixprobe-dns.pcap', 'ndpi-dns.pcap', 'dsc-dnso1tcp.pcap', 'dsc-dns6.pcap', 'dnscap-dns.pcap',
    'zeek-dns-two-responses.pcap', 'ipfixprobe-http.pcap', 'zeek-http_206_example_a.pcap',
    'zeek-http_pipelined-requests.pcap', 'zeek-http_get-gzip.pcap', 'ipfixprobe-mixed.pcap', 'ndpi-1kxun.pcap'])
def test_foreign(serve, server, corpus, capture):  # noqa: F811
    path = corpus / 'dev' / capture
    agree(serve, server(), path, expected(path))
