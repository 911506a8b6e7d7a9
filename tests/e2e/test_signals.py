# SPDX-License-Identifier: BSD-3-Clause
"""Signals: the end is quick and loses nothing, files move away under it, statistics on
demand, daemon and pid file."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from cloud import counters, serve
from conftest import PROBE, SLOW, T, Result, packets_of, truth

MANY = 100000


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_flush(captures, start, tmp_path, number):
    """100,000 open flows leave with reason 4 within two seconds."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(('127.0.0.1', 0))
    out = tmp_path / 'out.json'
    r = start('-i', captures('many', flows=MANY), '--stay', '--no-dpi', '--json', out, '-T', T,
              '-n', '127.0.0.1:%d' % sink.getsockname()[1])
    r.settled()
    assert r.process.poll() is None
    r.signal(number)
    end = r.wait().ok()
    sink.close()
    assert end.seconds < 2 * SLOW
    s = end.summary.check()
    assert s['packets'] == 4 * MANY
    assert s['ended_forced'] == s['records'] == MANY
    records = [json.loads(line) for line in out.open()]
    assert len(records) == MANY
    assert {x['FLOW_END_REASON'] for x in records} == {4}
    assert packets_of(records) == 4 * MANY


def test_heard_while_busy(captures, serve):
    """While flows come faster than they can be written, clients are answered and the signal is
    heard: control's queue is no reason to look at nothing else."""
    p = serve('-i', captures('many', flows=MANY), '--no-dpi', '-d', 1, '-t', 1, '-T', '@ALL@',
              '--json', '/dev/null')
    seen = [0]
    p.listening()
    with p.client() as c:
        while seen[-1] < MANY:  # a quarter of them
            seen.append(counters(c)['packets'])
    r = p.finish().ok()
    assert MANY <= seen[-1] < 3 * MANY
    assert r.summary.check()['packets'] < 4 * MANY


@pytest.mark.parametrize('stay', [False, True], ids=['end of file', 'signal'])
def test_tcp_takes_all(captures, start, stay):
    """A TCP collector that reads gets every record, be there more than its queue holds."""
    taken = []

    def read():
        peer = listener.accept()[0]
        while data := peer.recv(1 << 20):
            taken.append(len(data))
        peer.close()

    with socket.create_server(('127.0.0.1', 0)) as listener:
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        r = start('-i', captures('many', flows=20000), '--no-dpi', '-V', 10, '-T', '@ALL@',
                  '-n', 'tcp://127.0.0.1:%d' % listener.getsockname()[1],
                  *['--stay'] * stay)
        if stay:
            r.settled()
            r.signal(signal.SIGTERM)
        s = r.wait().ok().summary.check()
        reader.join(10)
    assert s['export_records'] == s['records'] == 20000
    assert s['export_lost'] == s['export_errors'] == 0
    assert sum(taken) == s['export_bytes'] > 8 << 20  # more than twice its queue


def test_stay(captures, start, tmp_path):
    """With --stay open flows stay open; what had ended is written."""
    out = tmp_path / 'out.json'
    r = start('-i', captures(), '--stay', '--no-dpi', '--json', out, '-T', T)
    r.settled()
    r.signal(signal.SIGTERM)
    s = r.wait().ok().summary.check()
    assert s['ended_forced'] > 0 and s['ended_detected'] > 0
    assert packets_of(map(json.loads, out.open())) == s['flow_packets']


def test_while_reading(captures, start, tmp_path):
    """A signal in the midst of a file: what was read is exported."""
    out = tmp_path / 'out.json'
    r = start('-i', captures('many', flows=2000, seconds=60), '--speed', 1, '--no-dpi', '--json', out, '-T', T)
    time.sleep(1)
    r.signal(signal.SIGTERM)
    end = r.wait().ok()
    assert end.seconds < 2 * SLOW
    s = end.summary.check()
    assert 0 < s['packets'] < 8000
    assert packets_of(map(json.loads, out.open())) == s['flow_packets']


def test_silent_pipe(start):
    """Waiting for a pipe that says nothing does not keep it from ending."""
    r = start('-i', '-', stdin=subprocess.PIPE)
    time.sleep(.5)
    r.signal(signal.SIGTERM)
    assert r.wait().seconds < 2 * SLOW


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize('form', ['pcap', 'pcapng'])
def test_pipe_silent_in_a_record(captures, start, tmp_path, form, workers):
    """Nor does one that stops in the midst of a record, whoever reads it."""
    out = tmp_path / 'out.json'
    r = start('-i', '-', '--workers', workers, '--no-dpi', '--json', out, '-T', T,
              stdin=subprocess.PIPE)
    capture = captures(format=form).read_bytes()
    r.process.stdin.write(capture[:len(capture) // 2])
    r.process.stdin.flush()
    time.sleep(1)
    r.signal(signal.SIGTERM)
    end = r.wait().ok()
    assert end.seconds < 2 * SLOW
    s = end.summary.check()
    assert s['packets'] > 0
    assert packets_of(map(json.loads, out.open())) == s['flow_packets']


def test_second_signal(captures, start):
    """A collector that never reads cannot hold it after the second signal."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server.bind(('127.0.0.1', 0))
    server.listen(1)
    r = start('-i', captures('many', flows=MANY), '--stay', '--no-dpi', '-V', 10, '-T', T,
              '-n', 'tcp://127.0.0.1:%d' % server.getsockname()[1])
    r.settled()
    r.signal(signal.SIGTERM)
    time.sleep(.3)
    r.signal(signal.SIGTERM)
    end = r.wait()
    server.close()
    assert end.seconds < .7 * SLOW


def test_statistics(captures, start):
    """SIGUSR1: the counters so far, and it goes on."""
    r = start('-i', captures(), '--stay', '--no-dpi')
    r.settled()
    before = r.text()
    r.signal(signal.SIGUSR1)
    r.until(lambda: len(r.text()) > len(before))
    time.sleep(.1)
    said = r.text()[len(before):]
    assert 'packets' in said and '602' in said
    r.signal(signal.SIGTERM)
    assert r.wait().ok().summary['packets'] == 602


@pytest.mark.parametrize('option', ['--json', '--ipfix-file'])
def test_reopen(captures, start, tmp_path, option):
    """Rename and SIGHUP: what comes later is in a new file, nothing is lost."""
    out, old = tmp_path / 'out', tmp_path / 'old'
    r = start('-i', captures(), '--stay', '--no-dpi', option, out, '-V', 10, '-T', T)
    r.settled()
    out.rename(old)
    r.signal(signal.SIGHUP)
    r.until(out.exists)
    r.signal(signal.SIGTERM)
    s = r.wait().ok().summary.check()
    assert old.stat().st_size > 0 and out.stat().st_size > 0
    if option == '--json':
        records = [json.loads(line) for p in (old, out) for line in p.open()]
        assert len(records) == s['records']
        assert packets_of(records) == s['flow_packets']


def test_many_reopens(captures, start, tmp_path):
    """SIGHUP again and again while flows end, from when its file is there until it ends."""
    out = tmp_path / 'out'
    r = start('-i', captures('many', flows=1000, seconds=2), '--speed', 1, '-d', 1, '--no-dpi', '--json',
              out, '-T', T)
    r.until(out.exists)
    pieces = 0
    while r.process.poll() is None and pieces < 100:
        if out.exists():
            try:
                out.rename(tmp_path / ('piece%d' % pieces))
                pieces += 1
            except FileNotFoundError:
                pass
        if r.process.poll() is None:
            r.signal(signal.SIGHUP)
        time.sleep(.1)
    s = r.wait().ok().summary.check()
    records = [json.loads(line) for p in tmp_path.iterdir() for line in p.open()]
    assert packets_of(records) == s['flow_packets'] == 4000


def test_pid_file(captures, start, tmp_path):
    pid = tmp_path / 'pid'
    r = start('-i', captures('dns'), '--stay', '-g', pid)
    r.until(pid.exists)
    r.until(lambda: pid.read_text().strip() == str(r.process.pid))
    r.signal(signal.SIGTERM)
    r.wait().ok()
    assert not pid.exists()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open('/proc/%d/stat' % pid) as f:
        return f.read().rsplit(')', 1)[1].split()[0] != 'Z'


def test_daemon(captures, start, tmp_path):
    """-G: the command returns, the probe goes on in the background until told to end."""
    pid, out = tmp_path / 'pid', tmp_path / 'out.json'
    r = start('-i', captures('dns'), '--stay', '-G', '-g', pid, '--no-dpi', '--json', out, '-T', T)
    assert isinstance(r.wait(), Result)
    assert r.process.returncode == 0
    end = time.monotonic() + 5 * SLOW
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < end:
        time.sleep(.05)
    number = int(pid.read_text())
    try:
        assert number != r.process.pid and alive(number)
        time.sleep(.5)
        os.kill(number, signal.SIGTERM)
        end = time.monotonic() + 5 * SLOW
        while alive(number) and time.monotonic() < end:
            time.sleep(.05)
        assert not alive(number)
    finally:
        if alive(number):
            os.kill(number, signal.SIGKILL)
    want = truth(captures('dns').with_suffix('.truth'))
    assert packets_of(map(json.loads, out.open())) == sum(x[0] + x[3] for x in want.values())
    assert not pid.exists()


def test_reader_stuck(captures, tmp_path):
    """Nobody reads the pipe the probe writes to: the second signal still ends it."""
    fifo = tmp_path / 'fifo'
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    p = subprocess.Popen([PROBE, '-i', captures('many', flows=20000), '--no-dpi', '--json', fifo],
                         stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        p.send_signal(signal.SIGTERM)
        time.sleep(.3)
        assert p.poll() is None
        p.send_signal(signal.SIGTERM)
        assert p.wait(2) == 1
    finally:
        p.kill()
        os.close(reader)
