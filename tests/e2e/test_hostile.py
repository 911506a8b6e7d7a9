# SPDX-License-Identifier: BSD-3-Clause
"""Hostile captures: no crash, no hang, bounded memory, an honest exit status, every packet
accounted for, and the same output on a second run."""
import socket
import subprocess
import sys

import pytest

from conftest import CORPUS, REPO, SANITIZED, SLOW, T, account, corpus_files, probe

SECONDS, MEMORY_KB = 5, 256 * 1024
TOO_BAD = 'error message, exit status 1'


def expected():
    """What the corpus says of each of its hostile files."""
    manifest = CORPUS / 'hostile' / 'MANIFEST.tsv'
    if not manifest.exists():
        return {}
    rows = [line.split('\t') for line in manifest.read_text().splitlines()]
    return {r[0]: r[-1] for r in rows[1:]}


EXPECTED = expected()


# Everything that reads payload, and everything that says what it found.
PLUGINS = ['--plugin', 'dns', '--plugin', 'http', '--plugin', 'radius', '--split', 'dns,http,radius',
           '--publish', 'all', '--events', '/dev/null']


@pytest.fixture(scope='session', autouse=True)
def outlets(tmp_path_factory):
    """A collector that is there and never reads, and a RESP port, for which keys are made."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(('127.0.0.1', 0))
        OUTLETS[:] = ['-n', '127.0.0.1:%d' % sink.getsockname()[1],
                      '--resp', 'unix:%s' % (tmp_path_factory.mktemp('hostile') / 'resp')]
        yield


OUTLETS = []


def run(path, *options):
    # All fields; of floods, which are many records, those that packets fill.
    fields = ' @ALL@' if path.stat().st_size < 100000 else \
        ' %DNS_QUERY %HTTP_URL %RADIUS_USER_NAME %L7_PROTO_NAME %L7_INFO %NUM_PKTS_UP_TO_128_BYTES'
    r = probe('-i', path, '--json', '-', '-V', 10, '--ipfix-file', '/dev/null', '-T', T + fields,
              *PLUGINS, *OUTLETS, *options, timeout=SECONDS * 3)
    if r.status == 2 and 'nDPI' in r.text:
        r = probe('-i', path, '--json', '-', '-T', T, *PLUGINS, *OUTLETS, *options, timeout=SECONDS * 3)
    assert 'Sanitizer' not in r.text and 'runtime error' not in r.text, r.text[-3000:]
    assert r.status in (0, 1), 'status %d: %s' % (r.status, r.text[-1500:])
    assert r.seconds < SECONDS * SLOW
    if not SANITIZED:
        assert r.peak_kb < MEMORY_KB
    return r


@pytest.fixture(scope='session')
def damaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp('damaged')
    subprocess.run([sys.executable, REPO / 'tests/gen/damage.py', '-o', folder], check=True)
    return folder


@pytest.mark.parametrize('tunnel', [[], ['--tunnel']], ids=['outer', 'tunnel'])
@pytest.mark.parametrize('name', ['cut', 'flip', 'headers', 'noise', 'nested', 'pieces', 'backwards'])
def test_packets(damaged, name, tunnel):
    r = run(damaged / (name + '.pcap'), *tunnel)
    assert r.status == 0
    assert account(r)['packets'] > 100


@pytest.mark.parametrize('name', ['empty', 'header-cut', 'magic-only', 'version'])
def test_no_file(damaged, name):
    """Not a capture at all: an error, status 1."""
    r = run(damaged / ('broken-%s.pcap' % name))
    assert r.status == 1
    assert 'error' in r.text


@pytest.mark.parametrize('name', ['record-cut', 'record-huge', 'record-garbage'])
def test_broken_file(damaged, name):
    """What stands before the damage counts, and the damage is told."""
    r = run(damaged / ('broken-%s.pcap' % name))
    assert r.summary.check()['packets'] >= 1
    assert r.summary['files_bad'] == 1


def test_unknown_link(damaged):
    r = run(damaged / 'broken-link-unknown.pcap')
    if r.status == 0:
        s = r.summary.check()
        assert s['packets'] == s['drop_link_type']


# With every access checked, only the longer way: --tunnel.
@pytest.mark.parametrize('tunnel', [[], ['--tunnel']][SANITIZED:], ids=['outer', 'tunnel'][SANITIZED:])
@pytest.mark.parametrize('path', corpus_files('hostile'))
def test_corpus(path, tunnel):
    r = run(path, *tunnel)
    if 'mcprobe: summary' in r.text:
        account(r)
    if tunnel and not SANITIZED:
        assert run(path, *tunnel).out == r.out
    if EXPECTED.get(path.name, '').startswith(TOO_BAD):
        assert r.status == 1
        assert 'error' in r.text


@pytest.mark.parametrize('name,flows,packets', [
    ('synth-ts-backward.pcap', 1, 20), ('synth-tcp-flags.pcap', 1, 256), ('synth-udp-len.pcap', 1, 7),
    ('synth-rec-zero.pcap', 1, None), ('synth-rec-truncated.pcap', 1, None)])
def test_told(corpus, name, flows, packets):
    """Files whose flows the corpus tells."""
    r = probe('-i', corpus / 'hostile' / name, '--no-dpi', '--json', '-', '-T', T,
              '-t', 10**9, '-d', 10**9)
    ends = {(x['PROTOCOL'], *sorted([x['L4_SRC_PORT'], x['L4_DST_PORT']])) for x in r.records}
    assert len(ends) == flows
    for x in r.records:
        assert x['FLOW_END_MICROSECONDS'] >= x['FLOW_START_MICROSECONDS']
    if packets:
        assert sum(x['IN_PKTS'] + x['OUT_PKTS'] for x in r.records) == packets
    if name == 'synth-tcp-flags.pcap':
        assert r.records[0]['CLIENT_TCP_FLAGS'] | r.records[0]['SERVER_TCP_FLAGS'] == 0xff
