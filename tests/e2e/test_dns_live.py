# SPDX-License-Identifier: BSD-3-Clause
"""dnsperf against nsd, over UDP and TCP, IPv4 and IPv6, captured live: what the probe
counts is what dnsperf reports."""
import re
import time
from collections import Counter

import pytest

import peers
from cloud import hashes, wait_until
from conftest import SLOW

_reason = peers.why_not('nsd', 'dnsperf', 'redis-server')
pytestmark = pytest.mark.skipif(_reason is not None, reason=str(_reason))

ZONE = '''$ORIGIN example.net.
$TTL 300
@ IN SOA ns1 hostmaster 1 3600 900 86400 300
@ IN NS ns1
ns1 IN A 192.0.2.2
mail IN MX 10 mx1
big IN TXT "%s" "%s" "%s"
''' % (('x' * 200,) * 3) + ''.join('w%d IN A 203.0.113.%d\nw%d IN AAAA 2001:db8:1::%d\n' % (n, n, n, n)
                                  for n in range(1, 41))
CONFIG = '''server:
    ip-address: 0.0.0.0
    ip-address: ::0
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    server-count: 1
    rrl-ratelimit: 0
    verbosity: 1
remote-control:
    control-enable: no
zone:
    name: example.net
    zonefile: zone
'''
# One round of questions; w1 to w40 exist, no1 to no10 do not, and other.org is refused.
QUESTIONS = ['w%d.example.net A' % n for n in range(1, 41)] + ['w%d.example.net AAAA' % n for n in range(1, 21)] + \
    ['no%d.example.net A' % n for n in range(1, 11)] + ['mail.example.net MX', 'big.example.net TXT'] + \
    ['www.other.org A'] * 3


def kept(questions):
    kinds = Counter(q.split()[1] for q in questions)
    gone = sum(q.startswith('no') for q in questions)
    refused = sum('other' in q for q in questions)
    return kinds, {'NOERROR': len(questions) - gone - refused, 'NXDOMAIN': gone, 'REFUSED': refused}


@pytest.fixture
def link(tmp_path):
    with peers.Link(tmp_path) as link:
        (tmp_path / 'zone').write_text(ZONE)
        (tmp_path / 'nsd.conf').write_text(CONFIG.format(folder=tmp_path))
        (tmp_path / 'one').write_text('w1.example.net A\n')

        def ready():
            out = link.client(['dnsperf', '-s', peers.SERVER, '-d', tmp_path / 'one', '-n', '1', '-t', '1'])
            return re.search(r'Queries completed:\s+1 ', out)
        link.serve(['nsd', '-d', '-c', tmp_path / 'nsd.conf'], ready)
        yield link


@pytest.mark.parametrize('mode', ['udp', 'tcp'])
@pytest.mark.parametrize('address', ['4', '6'])
def test_dnsperf(link, tmp_path, mode, address):
    server, client = (peers.SERVER, peers.CLIENT) if address == '4' else (peers.SERVER6, peers.CLIENT6)
    rounds = 40
    (tmp_path / 'questions').write_text('\n'.join(QUESTIONS) + '\n')
    link.probe('--publish', 'dns', '-d', '2', '--dns-timeout', '5')
    out = link.client(['dnsperf', '-s', server, '-d', tmp_path / 'questions', '-n', rounds, '-m', mode, '-c', '5',
                       '-t', '5', '-Q', '8000'])
    said = {name: int(n) for name, n in re.findall(r'(Queries \w+):\s+(\d+)', out)}
    rcodes = {name: int(n) for name, n in re.findall(r'([A-Z]+) (\d+) \(', out)}
    total = rounds * len(QUESTIONS)
    assert said['Queries sent'] == said['Queries completed'] == total and said['Queries lost'] == 0, out
    kinds, codes = kept(QUESTIONS)
    assert rcodes == {code: n * rounds for code, n in codes.items()}
    with link.node.client() as c:
        # In near real time: not at the end of flows, nor when the probe ends.
        wait_until(lambda: int(c.hget('dns.server.' + server, 'queries') or 0) == total, 5)
        keys = {k: {f: int(v) for f, v in h.items()} for tree in ('server', 'client', 'domain', 'qtype', 'rcode')
                for k, h in hashes(c, 'dns.%s.*' % tree).items()}
        of_server, of_client = keys['dns.server.' + server], keys['dns.client.' + client]
        for h in of_server, of_client:
            assert h['queries'] == h['replies'] == total
            assert h['noerror'] == rcodes['NOERROR'] and h['nxdomain'] == rcodes['NXDOMAIN']
            assert 'unanswered' not in h and 'retransmissions' not in h and 'servfail' not in h
        assert {k[10:]: h['queries'] for k, h in keys.items() if k.startswith('dns.rcode.')} == rcodes
        assert {k[10:]: h['queries'] for k, h in keys.items() if k.startswith('dns.qtype.')} == \
            {kind: n * rounds for kind, n in kinds.items()}
        names = Counter(q.split()[0] for q in QUESTIONS)
        assert {k[11:]: h['queries'] for k, h in keys.items() if k.startswith('dns.domain.')} == \
            {name: n * rounds for name, n in names.items()}
        hosts = hashes(c, 'ip.*')
        assert int(hosts['ip.' + client]['dns.queries']) == total
        assert int(hosts['ip.' + client]['dns.nxdomain']) == rcodes['NXDOMAIN']
        assert int(hosts['ip.' + server]['dns.replies']) == total
        assert c.get('dns.cache.203.0.113.7') == 'w7.example.net'
        # What dnsperf has measured on its side of the link cannot be shorter.
        average = float(re.search(r'Average Latency \(s\):\s+([0-9.]+)', out)[1])
        assert 0 < of_server['latencyUsSum'] / total <= average * 1e6 + 1
    summary = link.finish()
    assert summary['kernel_drops'] == summary['posts_lost'] == summary['node_keys_left'] == 0
    assert summary['dns_unasked'] == summary['dns_unanswered'] == summary['dns_malformed'] == 0
    events = link.told('dns')
    assert len(events) == total
    assert Counter(e['rcode'] for e in events) == Counter(rcodes)
    assert Counter((e['qname'], e['qtype']) for e in events) == \
        Counter({tuple(q.split()): n * rounds for q, n in Counter(QUESTIONS).items()})
    assert {(e['src'], e['dst'], e['dport'], e['proto'], e['service']) for e in events} == \
        {(client, server, 53, mode, 'dns')}
    assert all(e['latencyUs'] is not None for e in events)


def test_no_server(link, tmp_path):
    """Nobody answers at another address: each question is unanswered, and told in time."""
    (tmp_path / 'questions').write_text('\n'.join('w%d.example.net A' % n for n in range(1, 21)) + '\n')
    link.rig.run('traffic', ['ip', 'neigh', 'add', '192.0.2.9', 'lladdr', '02:00:00:00:00:09', 'dev',
                             link.rig.send[0]])
    link.probe('--publish', 'dns', '--dns-timeout', '1')
    out = link.client(['dnsperf', '-s', '192.0.2.9', '-d', tmp_path / 'questions', '-n', '1', '-t', '1'])
    assert re.search(r'Queries lost:\s+20 ', out), out
    before = time.monotonic()
    with link.node.client() as c:
        wait_until(lambda: c.hget('dns.server.192.0.2.9', 'unanswered') == '20', 5)
        assert time.monotonic() - before < 4 * SLOW
        assert c.hget('ip.' + peers.CLIENT, 'dns.queries') == '20'
    link.finish()
    assert [e['rcode'] for e in link.told('dns')] == [None] * 20
