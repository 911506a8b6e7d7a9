# SPDX-License-Identifier: BSD-3-Clause
"""Flows are what they should be: against the generator's truth, and what each option of
the group Flows changes."""
import pytest

from conftest import (FOREVER, T, addresses, flows, octets_of, packets_of, probe, totals, truth)


@pytest.mark.parametrize('what,options', [
    ('all', {}), ('all', dict(seed=7)), ('long', {}), ('many', dict(flows=3000)),
    ('synflood', dict(flows=3000))], ids=str)
def test_truth(captures, what, options):
    path = captures(what, **options)
    inner = totals(flows(path, '--tunnel', *FOREVER).ok().records)
    assert inner == truth(path.with_suffix('.truth'))
    outer = totals(flows(path, *FOREVER).ok().records)
    assert outer == truth(path.with_suffix('.outer'))


def test_timeouts_conserve(captures):
    """However often flows are cut, their totals stay."""
    path = captures('all,long')
    want = truth(path.with_suffix('.truth'))
    for times in (['-t', 120, '-d', 30], ['-t', 5, '-d', 2], ['-t', 1, '-d', 1]):
        r = flows(path, '--tunnel', *times).ok()
        assert totals(r.records) == want
        assert len(r.records) >= len(want)


def test_end_reasons(captures):
    """1 idle, 2 active, 3 FIN or RST, 4 the end."""
    r = flows(captures('all,long')).ok()
    reasons = {x['FLOW_END_REASON'] for x in r.records}
    assert reasons == {1, 2, 3, 4}
    s = r.summary
    for n, name in ((1, 'ended_idle'), (2, 'ended_active'), (3, 'ended_detected'), (4, 'ended_forced')):
        assert s[name] == sum(x['FLOW_END_REASON'] == n for x in r.records), name


def test_active_timeout(captures):
    """A flow of 400 s is reported at least every 120 s, and no record is longer."""
    r = flows(captures('long')).ok()
    stream = [x for x in r.records if 5004 in (x['L4_SRC_PORT'], x['L4_DST_PORT'])]
    assert len(stream) >= 3
    for x in stream:
        assert x['FLOW_END_MICROSECONDS'] - x['FLOW_START_MICROSECONDS'] <= 122 * 10**6
    assert packets_of(stream) == 200


def test_idle_timeout(captures):
    """A pause longer than the idle timeout makes two records."""
    def ssh(*options):
        return [x for x in flows(captures('long'), *options).ok().records
                if 2222 in (x['L4_SRC_PORT'], x['L4_DST_PORT'])]
    assert len(ssh('-t', 10**6, '-d', 30)) >= 2
    assert len(ssh('-t', 10**6, '-d', 10**6)) == 1


def test_max_flows(captures):
    """A table that is too small: the least recently used leave, all packets stay."""
    path = captures('many', flows=5000)
    r = flows(path, '-M', 64).ok()
    s = r.summary.check()
    assert s['ended_lack'] > 0
    assert s['drop_no_room'] == 0
    assert 5 in {x['FLOW_END_REASON'] for x in r.records}
    assert packets_of(r.records) == s['packets'] == 20000
    assert s['flows_max'] <= 64
    # Which flow a packet counts for is the same with any table.
    have, want = totals(r.records), truth(path.with_suffix('.truth'))
    assert {k: v[:2] + v[3:5] for k, v in have.items()} == {k: v[:2] + v[3:5] for k, v in want.items()}


def test_client_is_source(captures):
    """The sender of a SYN is the source of the record, and so is who asks a known port."""
    for r in flows(captures('http,tls,dns,ssh'), *FOREVER).ok().records:
        assert r['L4_DST_PORT'] in (22, 53, 80, 443, 8080), r


@pytest.mark.parametrize('mask,parts', [
    ('1/1/1/1/0', None), ('1/1/1/0/0', ('ports',)), ('1/0/1/0/0', ('ports', 'proto')),
    ('1/1/0/1/0', ('addr',)), ('0/1/1/1/0', ()), ('0/0/0/0/0', ('ports', 'proto', 'addr'))])
def test_aggregation(captures, mask, parts):
    """Key parts that are ignored merge flows; nothing is lost by that."""
    path = captures()
    r = flows(path, '-p', mask, *FOREVER).ok()
    plain = flows(path, *FOREVER).ok()
    assert packets_of(r.records) == packets_of(plain.records)
    assert octets_of(r.records) == octets_of(plain.records)
    if parts is None:
        assert r.out == plain.out
    if parts:
        assert len(r.records) < len(plain.records)
    if parts == ('ports', 'proto', 'addr'):
        assert len(r.records) <= 2  # at most one per IP version


def test_vlans(captures):
    """The outermost VLAN is part of the key and of the record."""
    r = flows(captures('vlan'), *FOREVER).ok()
    assert {x.get('SRC_VLAN') for x in r.records} == {20, 100, 200}


@pytest.mark.parametrize('mode', ['uni', 'ntop', 'rfc5103'])
def test_biflow(captures, mode):
    """However directions are reported, both are."""
    path = captures()
    want = flows(path, *FOREVER).ok()
    template = '%PROTOCOL %IPV4_SRC_ADDR %IPV6_SRC_ADDR %L4_SRC_PORT %L4_DST_PORT %IN_PKTS %IN_BYTES'
    if mode != 'uni':
        template += ' %OUT_PKTS %OUT_BYTES'
    r = flows(path, '-N', mode, *FOREVER, template=template).ok()
    assert sum(x['IN_PKTS'] + x.get('OUT_PKTS', 0) for x in r.records) == packets_of(want.records)
    assert sum(x['IN_BYTES'] + x.get('OUT_BYTES', 0) for x in r.records) == octets_of(want.records)
    if mode == 'uni':
        both = sum(1 for x in want.records if x['IN_PKTS']) + sum(1 for x in want.records if x['OUT_PKTS'])
        assert len(r.records) == both
    else:
        assert len(r.records) == len(want.records)


def test_no_out_fields(captures):
    """A template without OUT_ fields exports each direction as its own record."""
    path = captures('http')
    want = flows(path, *FOREVER).ok()
    r = flows(path, *FOREVER, template='%L4_SRC_PORT %L4_DST_PORT %IN_PKTS %IN_BYTES').ok()
    assert len(r.records) == 2 * len(want.records)
    assert sum(x['IN_PKTS'] for x in r.records) == packets_of(want.records)


def test_min_flow_size(captures):
    """Small TCP flows stay away, and are counted."""
    path = captures()
    r = flows(path, '-z', 1000, *FOREVER).ok()
    s = r.summary.check()
    assert s['records_small'] > 0
    assert all(octets_of([x]) >= 1000 for x in r.records if x['PROTOCOL'] == 6)
    assert any(octets_of([x]) < 1000 for x in r.records if x['PROTOCOL'] == 17)
    assert packets_of(r.records) + s['small_packets'] == s['flow_packets']


def test_account_l2(captures):
    """Octets of whole frames: 14 more for each packet of plain Ethernet, or 60 in all."""
    path = captures('many', flows=60)
    plain, whole = (octets_of(flows(path, *o, *FOREVER).ok().records) for o in ([], ['--account-l2']))
    frames = flows(path, *FOREVER).ok().summary['bytes']
    assert plain < whole == frames


def test_no_swap(captures, tmp_path):
    """Without swap the first packet's sender is the source, even if it is a server."""
    path = captures('rst')
    for r in flows(path, '--no-swap', *FOREVER).ok().records:
        assert addresses(r)[0] == '192.168.10.13'


def test_retransmissions(captures):
    r = flows(captures('retrans'), '--tunnel', *FOREVER, template=T +
              ' %RETRANSMITTED_IN_PKTS %RETRANSMITTED_OUT_PKTS %OOORDER_IN_PKTS %OOORDER_OUT_PKTS').ok()
    by_family = {x['IP_PROTOCOL_VERSION']: x for x in r.records}
    assert by_family[4]['RETRANSMITTED_OUT_PKTS'] == 2
    assert by_family[6]['RETRANSMITTED_IN_PKTS'] == 1
    assert by_family[6]['OOORDER_OUT_PKTS'] == 2


def test_latency(captures):
    """The handshake's two halves: the server is a round trip away, the client is here."""
    r = flows(captures('http'), *FOREVER, template=T +
              ' %CLIENT_NW_LATENCY_MS %SERVER_NW_LATENCY_MS %APPL_LATENCY_MS').ok()
    for x in r.records:
        assert 0 <= x['CLIENT_NW_LATENCY_MS'] < 1
        assert 1 < x['SERVER_NW_LATENCY_MS'] < 61
        assert x['APPL_LATENCY_MS'] > x['SERVER_NW_LATENCY_MS']


def test_applications(captures):
    """nDPI's names, where the build has it."""
    r = probe('-i', captures('dns,http,ssh,ntp,dhcp'), '--json', '-', *FOREVER,
              '-T', T + ' %L7_PROTO_NAME')
    if r.status == 2 and 'nDPI' in r.text:
        pytest.skip('built without nDPI')
    known = {53: 'DNS', 22: 'SSH', 123: 'NTP', 67: 'DHCP'}
    seen = set()
    for x in r.ok().records:
        if x['L4_DST_PORT'] in known:
            assert known[x['L4_DST_PORT']] in x['L7_PROTO_NAME'].split('.'), x
            seen.add(x['L4_DST_PORT'])
    assert seen == set(known)
