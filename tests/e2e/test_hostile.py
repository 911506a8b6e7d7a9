# SPDX-License-Identifier: BSD-3-Clause
"""Hostile captures: no crash, no hang, bounded memory, an honest exit status, every packet
accounted for, and the same output on a second run."""
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import netns
from cloud import wait_until
from conftest import (CORPUS, PROBE, REPO, SANITIZED, SLOW, T, Result, account, corpus_files,
                      probe)

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


SOME_FIELDS = ' %DNS_QUERY %HTTP_URL %RADIUS_USER_NAME %L7_PROTO_NAME %L7_INFO %NUM_PKTS_UP_TO_128_BYTES'


def run(path, *options):
    # All fields; of floods, which are many records, those that packets fill.
    fields = ' @ALL@' if path.stat().st_size < 100000 else SOME_FIELDS
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


def everything():
    """The options of run(), for many files at once."""
    return ['-T', T + SOME_FIELDS, '-V', 10, '--ipfix-file', '/dev/null', '--tunnel', *PLUGINS, *OUTLETS]


def listed(tmp_path):
    """All of the hostile corpus, as --pcap-file-list."""
    files = [p.values[0] for p in corpus_files('hostile')]
    if files == [None]:
        pytest.skip('no corpus of foreign captures beside this tree')
    names = tmp_path / 'files'
    names.write_text(''.join('%s\n' % p for p in files))
    return files, names


def test_corpus_workers(tmp_path):
    """One file after the other, dealt to two workers: what is broken in one harms none."""
    files, names = listed(tmp_path)
    r = probe('--pcap-file-list', names, '--workers', 2, '--json', '-', *everything(), timeout=300 * SLOW)
    assert 'Sanitizer' not in r.text and 'runtime error' not in r.text, r.text[-3000:]
    assert r.status in (0, 1), 'status %d: %s' % (r.status, r.text[-1500:])
    s = account(r)
    assert s['files'] + s['files_bad'] >= len(files)
    if not SANITIZED:
        assert r.peak_kb < 2 * MEMORY_KB  # of two workers


# Frames of captures onto an interface, whatever their link type says: all bytes are bytes.
SENDER = r"""
import itertools, socket, struct, sys, time
def frames(d):
    if d[:4] == b'\n\r\r\n':
        at, order = 0, '<'
        while at + 12 <= len(d):
            if d[at:at + 4] == b'\n\r\r\n':
                order = '<' if d[at + 8:at + 12] == b'\x4d\x3c\x2b\x1a' else '>'
            kind, size = struct.unpack_from(order + 'II', d, at)
            if size < 12:
                return
            if kind == 6:
                n, = struct.unpack_from(order + 'I', d[at:at + 28].ljust(28, b'\0'), 20)
                yield d[at + 28:min(at + 28 + n, at + size)]
            at += size
        return
    order = '<' if d[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    at = 24
    while at + 16 <= len(d):
        n, = struct.unpack_from(order + 'I', d, at + 8)
        yield d[at + 16:at + 16 + n]
        at += 16 + n
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
sent = 0
for path in open(sys.argv[2]).read().splitlines():
    for frame in itertools.islice(frames(open(path, 'rb').read()), 500):  # of floods, their beginning
        if 14 <= len(frame) <= 65535:
            try:
                s.send(frame)
            except OSError:  # no room just now, or one no interface sends
                continue
            sent += 1
            if sent % 100 == 0:
                time.sleep(.002)
print(sent)
"""


@pytest.mark.skipif(netns.available() is not None, reason=str(netns.available()))
def test_corpus_live(tmp_path):
    """The same frames from an interface, by two workers; clients are answered meanwhile."""
    _, names = listed(tmp_path)
    log, records = tmp_path / 'log', tmp_path / 'json'
    shared = Path(tempfile.mkdtemp(prefix='mcprobe-'))
    shared.chmod(0o777)
    try:
        with netns.Rig() as rig, open(log, 'w') as err:
            resp = shared / 'resp'
            p = rig.popen('probe', [PROBE, '-i', rig.capture[0], '--workers', 2, '--json', records,
                                    *everything()[:-1], 'unix:%s' % resp], stdout=err, stderr=err)
            wait_until(resp.exists, 60, saying=log.read_text)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(60 * SLOW)
                client.connect(str(resp))
                r = rig.run('traffic', [sys.executable, '-c', SENDER, rig.send[0], names],
                            timeout=300 * SLOW)
                assert r.stdout.strip().isdigit() and int(r.stdout) > 5000, r.stdout
                client.sendall(b'KEYS *\r\nPING\r\n')
                got = b''
                while not got.endswith(b'+PONG\r\n'):
                    part = client.recv(1 << 20)
                    assert part, 'it hung up: ' + log.read_text()[-3000:]
                    got += part
            p.send_signal(signal.SIGTERM)
            status = p.wait(120 * SLOW)
        r = Result(status, records.read_bytes(), log.read_bytes())
        assert 'Sanitizer' not in r.text and 'runtime error' not in r.text, r.text[-3000:]
        assert status == 0, r.text[-1500:]
        assert account(r)['packets'] > 100  # it may end before it has read all
    finally:
        shutil.rmtree(shared)
