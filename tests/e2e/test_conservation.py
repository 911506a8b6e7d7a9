# SPDX-License-Identifier: BSD-3-Clause
"""Nothing is lost silently, nothing counts twice: over every capture there is, and the
same output each time."""
import pytest

from conftest import FOREVER, corpus_files, flows, octets_of, packets_of, probe

CAPTURES = corpus_files('dev') + corpus_files('hostile')


def account(r, records=True):
    s = r.summary.check()
    if records:
        lost = s['packets_lost'] + s['small_packets']
        assert packets_of(r.records) == s['flow_packets'] - lost
        assert packets_of(r.records) == s['record_packets']
        assert octets_of(r.records) == s['record_bytes']
        assert len(r.records) == s['records']


@pytest.mark.parametrize('options', [[], ['--tunnel'], ['-t', '2', '-d', '1'],
                                     ['-p', '0/1/1/0/0'], ['-M', '16'], ['-S', '3']], ids=str)
@pytest.mark.parametrize('what', ['all', 'long', 'synflood'])
def test_own(captures, what, options):
    account(flows(captures(what, flows=2000), *options).ok())


@pytest.mark.parametrize('path', CAPTURES)
@pytest.mark.parametrize('options', [[], ['--tunnel']], ids=['outer', 'tunnel'])
def test_corpus(path, options):
    r = flows(path, *options)
    assert r.status in (0, 1), r.text[-1000:]
    if r.status == 0 or r.out:
        account(r)


@pytest.mark.parametrize('path', CAPTURES)
def test_same_output(path, tmp_path):
    """Two runs write the same bytes: JSON and IPFIX file."""
    outputs = []
    for n in '12':
        file = tmp_path / n
        r = probe('-i', path, '--tunnel', '--json', '-', '-V', 10, '--ipfix-file', file,
                  '-T', '@DEFAULT@ %L7_PROTO_NAME %APPL_LATENCY_MS')
        outputs.append((r.status, r.out, file.read_bytes() if file.exists() else None))
    assert outputs[0] == outputs[1]


def test_workers(captures):
    """Several workers count what one counts."""
    from conftest import totals
    path = captures()
    one = totals(flows(path, '--tunnel', *FOREVER).ok().records)
    for n in (2, 4):
        r = flows(path, '--tunnel', '--workers', n, *FOREVER).ok()
        account(r)
        assert totals(r.records) == one
