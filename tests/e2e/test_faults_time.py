# SPDX-License-Identifier: BSD-3-Clause
"""Time that jumps: the wall clock of a probe that runs live (by shiftclock.c; the machine's
own stays as it is), and packets' times in files."""
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import netns
import test_live_capture
from cloud import counters, redis, wait_until
from conftest import SANITIZED, SLOW, account, flows
from test_live_capture import Running, _why_not, frame, records, replay, times, totals, write_capture

YEAR = 365 * 86400
TEMPLATE = test_live_capture.TEMPLATE + ' %FLOW_START_MILLISECONDS %FLOW_END_MILLISECONDS'
CC = os.environ.get('CC', 'cc')
# Each datagram with its length before it.
SINK = '''
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 2055))
with open(sys.argv[1], "wb", buffering=0) as f:
    while True:
        data = s.recv(65536)
        f.write(struct.pack(">H", len(data)) + data)
'''


@pytest.fixture
def library(tmp_path):
    """shiftclock.so"""
    if SANITIZED:
        pytest.skip('sanitizers have clocks of their own')
    if shutil.which(CC) is None:
        pytest.skip('needs a compiler')
    r = subprocess.run([CC, '-shared', '-fPIC', '-o', tmp_path / 'shiftclock.so', Path(__file__).with_name('shiftclock.c'), '-ldl'],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if 'pcap' in r.stdout and r.returncode:
        pytest.skip("needs libpcap's headers")
    assert r.returncode == 0, r.stdout
    return tmp_path / 'shiftclock.so'


def headers(path):
    """(uptime in ms, time of day in s) of each NetFlow v9 message in the sink's file."""
    data, at, found = path.read_bytes(), 0, []
    while at + 2 <= len(data):
        size = struct.unpack_from('>H', data, at)[0]
        if at + 2 + size > len(data):
            break
        found.append(struct.unpack_from('>II', data, at + 6))
        at += 2 + size
    return found


class Live:
    """A probe on a rig whose clock may be set, a collector, and what was sent so far."""

    def __init__(self, rig, tmp_path, library, workers):
        self.rig, self.shift = rig, tmp_path / 'shift'
        self.shift.write_bytes(bytes(8))
        rig.run('probe', ['ip', 'link', 'set', 'lo', 'up'])
        self.sink = tmp_path / 'sink'
        rig.popen('probe', [sys.executable, '-c', SINK, self.sink])
        wait_until(self.sink.exists, 10, 'for the sink')
        self.pcap = tmp_path / 'x.pcap'
        self.sent = write_capture(self.pcap, flows=20, packets=200)
        self.probe = Running(rig, tmp_path, ['-d', '2', '-t', '600', '-l', '1', '--workers', str(workers), '-n', '127.0.0.1:2055', '-V', '9',
                                             '--templ-interval', '1', '--resp', 'unix:%s' % (tmp_path / 'resp')],
                             by=['env', 'LD_PRELOAD=%s' % library, 'SHIFTCLOCK=%s' % self.shift])
        self.client = redis.Redis(unix_socket_path=str(tmp_path / 'resp'), decode_responses=True, socket_timeout=20)
        self.n = 0

    def set(self, seconds):
        with open(self.shift, 'r+b') as f:
            f.write(struct.pack('=q', seconds * 10**6))

    def play(self):
        replay(self.rig, self.pcap, 0, '--pps=5000')
        self.n += 1
        wait_until(lambda: self.counter('packets') == 200 * self.n, 10, 'for the packets')

    def counter(self, name):
        return counters(self.client).get(name, 0)

    def out(self):
        """Wait until all that was sent is in the file."""
        wait_until(lambda: totals(self.probe.json) == times(self.sent, self.n), 15, 'for %d rounds: %s' % (
            self.n, self.probe.log()[-600:]))

    def goes_on(self, shift):
        """Its clock says SHIFT; all is as before."""
        told = self.counter('templates_sent')
        since = len(headers(self.sink))
        self.play()
        self.out()
        wait_until(lambda: self.counter('templates_sent') > told, 10, 'for templates')
        wait_until(lambda: len(headers(self.sink)) > since, 10, 'for messages')
        now = time.time() + shift
        assert all(abs(at - now) < 60 for _, at in headers(self.sink)[-1:])
        last = records(self.probe.json)[-1]
        assert abs(last['FLOW_START_MILLISECONDS'] / 1000 - now) < 60, last
        assert 0 <= last['FLOW_END_MILLISECONDS'] - last['FLOW_START_MILLISECONDS'] < 60000
        assert 0 < self.client.ttl('ip.192.0.2.1') <= 3600
        assert 0 <= self.client.info()['uptime_in_seconds'] < 300
        assert 0 <= int(self.client.hget('probe.' + self.name(), 'uptime')) < 300

    def name(self):
        return next(k[6:] for k in self.client.keys('probe.*'))


@pytest.mark.skipif(_why_not() is not None, reason=str(_why_not()))
@pytest.mark.parametrize('workers', [2])
def test_wall_clock_jumps(tmp_path, library, workers, monkeypatch):
    """A year back, then two years forwards. The flows of before end each time, later ones by
    their timeouts as ever; messages, templates, times to live and uptimes go on."""
    monkeypatch.setattr(test_live_capture, 'TEMPLATE', TEMPLATE)
    with netns.Rig() as rig:
        live = Live(rig, tmp_path, library, workers)
        live.play()
        live.set(-YEAR)
        live.out()
        live.goes_on(-YEAR)
        live.play()
        live.set(YEAR)
        live.out()
        live.goes_on(YEAR)
        live.probe.stop()
        s = live.probe.summary
        assert s['clock_set_back'] == workers and live.probe.log().count('was set back') == 1
        # a record for each conversation of each round: none was cut, none came twice
        assert s['records'] == s['ended_forced'] + s['ended_idle'] == 4 * len({tuple(sorted((k[1:3], k[3:5]))) for k in live.sent})
        assert s['packets_lost'] == s['records_lost'] == s['kernel_drops'] == s['export_lost'] == 0
        # uptimes never go back, whatever the time of day does
        up = [u for u, _ in headers(live.sink)]
        before = [u for u, at in headers(live.sink) if at < time.time() + YEAR / 2]
        assert before == sorted(before) and before[-1] < 600000, up


# ---- files


BASE = 1700000000
JUMPS = [0, 5, -YEAR, 10, YEAR, 15, -BASE, 2**32 - 1 - BASE, 20]


def jumping_capture(path):
    """Ten packets of each of eight flows in each of JUMPS; each packet's time a little
    before that of the one before. How many packets."""
    n = 0
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for jump in JUMPS:
            for i in range(80):
                data = frame('10.0.0.%d' % (i % 8 + 1), '192.0.2.1', 6 if i & 1 else 17, 20000 + i % 8, 53 + i % 8, 100)
                f.write(struct.pack('<IIII', BASE + jump, 999000 - 1000 * i, len(data), len(data)) + data)
                n += 1
    return n


@pytest.mark.parametrize('more', [[], ['--workers', 2], ['-d', 1, '-t', 1, '--plugin', 'dns', '--plugin', 'http']],
                         ids=['plain', 'two workers', 'short timeouts'])
def test_packet_time_jumps(tmp_path, more):
    """Back and forth by years, to the epoch and to the end of it: each packet is in a
    record, no record ends before it begins, and nobody counts the seconds between. What is
    late by more than the active timeout is counted."""
    packets = jumping_capture(tmp_path / 'jumps.pcap')
    r = flows(tmp_path / 'jumps.pcap', *more, timeout=30).ok()
    assert account(r)['packets'] == packets
    # JUMPS to before the latest time: a year back and what follows, then all but the latest
    late = sum(80 for n, jump in enumerate(JUMPS) if jump < max(JUMPS[:n], default=jump) - 1000)
    assert r.summary['packets_late'] == late > 0
    assert all(x['FLOW_START_MICROSECONDS'] <= x['FLOW_END_MICROSECONDS'] for x in r.records)
    assert r.seconds < 5 * SLOW
