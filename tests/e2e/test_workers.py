# SPDX-License-Identifier: BSD-3-Clause
"""Several workers on one file give the records that one gives, in another order."""
import json
import resource
import signal
import struct
import subprocess

import pytest

from conftest import PROBE, SANITIZED, T, flows, packets_of, probe


def lines(result):
    return sorted(result.ok().out.splitlines())


@pytest.mark.parametrize('workers', [2, 3, 7])
@pytest.mark.parametrize('args', [(), ('--tunnel',), ('-t', '2', '-d', '1'), ('-p', '1/1/1/0/0')],
                         ids=lambda a: ' '.join(a) or 'plain')
def test_same_records(captures, workers, args):
    one = flows(captures('all'), *args)
    many = flows(captures('all'), *args, '--workers', workers)
    assert lines(many) == lines(one)
    assert many.summary.check()['flow_packets'] == one.summary['flow_packets']


def test_same_names(captures):
    """The bytes nDPI reads travel with the packets."""
    template = T + ' %L7_PROTO_NAME %L7_INFO'
    args = ['-i', captures('all'), '--json', '-', '-T', template]
    one, many = probe(*args), probe(*args, '--workers', 2)
    if 'needs nDPI' in one.text:
        pytest.skip('built without nDPI')
    assert lines(many) == lines(one)


def test_longest_packet(tmp_path):
    """A packet handed over by a network card that cuts it up itself (IPv4 total length 0)
    is as long as its frame: 262,144 octets are the most a capture may hold."""
    capture = tmp_path / 'long.pcap'
    frame = (bytes(12) + b'\x08\0' + b'\x45' + bytes(7) + b'\x40\x11\0\0' +
             bytes([10, 0, 0, 1, 10, 0, 0, 2]) + struct.pack('>4H', 1234, 5678, 0, 0))
    frame += bytes(262144 - len(frame))
    capture.write_bytes(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1) +
                        (struct.pack('<4I', 1, 0, len(frame), len(frame)) + frame) * 3)
    r = probe('-i', capture, '-s', 262144, '--workers', 2, '--json', '-',
              '-T', T + ' %L7_PROTO_NAME').ok()
    assert packets_of(r.records) == r.summary.check()['flow_packets'] == 3
    assert r.summary['flow_bytes'] == 3 * (262144 - 14)


def test_load(captures):
    capture = captures('many', flows=20000)
    one, two = flows(capture), flows(capture, '--workers', 2)
    assert lines(two) == lines(one)


def test_stop(captures, start, tmp_path):
    """A signal reaches dealer and workers; what was read is exported."""
    out = tmp_path / 'flows.json'
    p = start('-i', captures('all'), '--workers', 2, '--speed', '0.05', '--no-dpi', '-T', T,
              '--json', out)
    p.settled()
    p.signal(signal.SIGTERM)
    result = p.wait(2).ok()
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert packets_of(records) == result.summary.check()['flow_packets']


@pytest.mark.skipif(SANITIZED, reason='sanitizers need more address space than there is here')
@pytest.mark.parametrize('workers', [2, 3])
def test_no_thread(captures, workers):
    """Room for the stack of one thread, not of the next: it says so and ends."""
    def limit():
        resource.setrlimit(resource.RLIMIT_STACK, (4 << 30, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_AS, (7 << 30, 7 << 30))

    r = subprocess.run([PROBE, '-i', captures('all'), '--no-dpi', '--workers', str(workers)],
                       preexec_fn=limit, timeout=20, capture_output=True)
    assert r.returncode == 1
    assert b'thread cannot be made' in r.stderr
