# SPDX-License-Identifier: BSD-3-Clause
"""--supervise: the probe is killed, stopped and stuck, and goes on; and ends when it is
told to. The supervisor with children made to order is tests/t_supervise.c.
"""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

import netns
from conftest import FOREVER, PROBE, REPO, SANITIZED, SLOW, Result, free_port
from test_live_capture import replay, write_capture

# Sanitizers answer most crashes themselves, and exit.
CRASH = signal.SIGKILL if SANITIZED else signal.SIGSEGV
LIVE = pytest.mark.skipif(netns.available() is not None or shutil.which('tcpreplay') is None,
                          reason=str(netns.available() or 'needs tcpreplay'))


def until(what, seconds=10):
    end = time.monotonic() + seconds * SLOW
    while not what():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(.02)


def child(pid):
    """The process that PID has made; None: none now."""
    try:
        found = Path('/proc/%d/task/%d/children' % (pid, pid)).read_text().split()
    except FileNotFoundError:
        return None
    return int(found[0]) if found else None


def gone(pid):
    try:
        return Path('/proc/%d/stat' % pid).read_text().rsplit(')', 1)[1].split()[0] == 'Z'
    except FileNotFoundError:
        return True


def status_of(pid):
    return dict(line.split(':\t', 1) for line in Path('/proc/%d/status' % pid).read_text().splitlines()
                if ':\t' in line)


def captures_now(pid):
    """Its threads run: it has opened everything."""
    try:
        return any((t / 'comm').read_text() == 'worker/0\n'
                   for t in Path('/proc/%d/task' % pid).iterdir())
    except FileNotFoundError:
        return False


class Supervised:
    """A supervised probe in the rig."""

    def __init__(self, rig, tmp_path, *options):
        self.rig, self.json, self.logfile = rig, tmp_path / 'out.json', tmp_path / 'log'
        self.pidfile = tmp_path / 'pid'
        with open(self.logfile, 'w') as log:
            self.p = rig.popen('probe', [
                PROBE, '-i', rig.capture[0], '--supervise', '--no-dpi', '-g', self.pidfile, '--json',
                self.json, '-T', '%IPV4_SRC_ADDR %IN_PKTS %OUT_PKTS', *options], stdout=log, stderr=log)
        self.alive()

    def log(self):
        return self.logfile.read_text()

    def alive(self, old=None, seconds=10):
        """Wait for a child, another than OLD, that captures; its pid."""
        end = time.monotonic() + seconds * SLOW
        while time.monotonic() < end:
            assert self.p.poll() is None, self.log()
            pid = child(self.p.pid)
            if pid not in (None, old) and captures_now(pid):
                return pid
            time.sleep(.01)
        raise AssertionError('no probe after %g s: %s' % (seconds, self.log()))

    def redis(self, *command):
        r = self.rig.run('probe', ['redis-cli', '-p', '6380', *command])
        return r.stdout

    def stop(self, number=signal.SIGTERM):
        old = child(self.p.pid)
        self.p.send_signal(number)
        assert self.p.wait(10 * SLOW) == 0, self.log()
        assert gone(old)
        return Result(0, b'', self.logfile.read_bytes())


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@LIVE
def test_crash_on_a_live_interface(tmp_path):
    """Within a second another captures, answers and exports; records of before stay, and
    the pid file names who takes the signals."""
    pcap = tmp_path / 'x.pcap'
    write_capture(pcap, flows=60, packets=600)
    with netns.Rig() as rig:
        subprocess.run(['ip', '-n', rig.ns['probe'], 'link', 'set', 'lo', 'up'], check=True)
        p = Supervised(rig, tmp_path, '-t', '1', '-d', '1', '-l', '1', '--resp', '6380')
        first = child(p.p.pid)
        until(lambda: p.pidfile.read_text() != '')  # the supervisor hears of it a moment later
        assert int(p.pidfile.read_text()) == p.p.pid
        if os.geteuid() == 0:
            assert status_of(p.p.pid)['Uid'].split()[1] == '0'
            assert status_of(first)['Uid'].split()[1] == '65534'
        assert replay(rig, pcap) == 600
        until(lambda: p.json.exists() and sum(r['IN_PKTS'] + r['OUT_PKTS'] for r in lines(p.json)) == 600)
        before = p.json.read_text()

        start = time.monotonic()
        os.kill(first, CRASH)
        second = p.alive(first)
        took = time.monotonic() - start
        assert took < 1 * SLOW
        assert p.redis('ping') == 'PONG\n'
        assert 'restarts:1' in p.redis('info')
        assert int(p.pidfile.read_text()) == p.p.pid
        if os.geteuid() == 0:
            assert status_of(second)['Uid'].split()[1] == '65534'
        assert replay(rig, pcap) == 600
        until(lambda: sum(r['IN_PKTS'] + r['OUT_PKTS'] for r in lines(p.json)) == 1200)
        assert p.json.read_text().startswith(before)
        r = p.stop()
        assert r.summary.check()['packets'] == 600
        assert r.summary['restarts'] == 1
        assert re.search(r'supervisor: the probe \(process %d\) crashed: signal %d .* after \d+\.\d s; the '
                         r'flows in its table are lost; starting it again' % (first, CRASH), r.text)
        assert not p.pidfile.exists()


@LIVE
def test_export_goes_on(tmp_path):
    """A collector sees the new probe's sequence begin again, with templates first."""
    pcap = tmp_path / 'x.pcap'
    write_capture(pcap, flows=30, packets=300)
    with netns.Rig() as rig:
        subprocess.run(['ip', '-n', rig.ns['probe'], 'link', 'set', 'lo', 'up'], check=True)
        # a socket of that namespace
        code = ('import socket, sys, os\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
                's.bind(("127.0.0.1", 2055))\nprint("ready", flush=True)\nwhile True:\n'
                ' sys.stdout.write(s.recv(65536).hex() + "\\n"); sys.stdout.flush()\n')
        got = tmp_path / 'datagrams'
        with open(got, 'w') as out:
            rig.popen('probe', ['python3', '-c', code], stdout=out)
        until(lambda: 'ready' in got.read_text())
        p = Supervised(rig, tmp_path, '-n', '127.0.0.1:2055', '-t', '1', '-d', '1', '-l', '1', '--resp', 'none')

        def records():
            """Records by session, whose sequence begins with 0; each begins with templates."""
            sessions = []
            for line in got.read_text().splitlines()[1:]:
                d = bytes.fromhex(line)
                count, sequence = struct.unpack('>H', d[2:4])[0], struct.unpack('>I', d[12:16])[0]
                if sequence == 0:
                    assert d[20:22] == b'\0\0', 'a session without templates'
                    sessions.append(0)
                if struct.unpack('>H', d[20:22])[0] > 255:
                    sessions[-1] += count
            return sessions
        assert replay(rig, pcap) == 300
        until(lambda: records() and records()[-1] >= 20)
        os.kill(child(p.p.pid), CRASH)
        until(lambda: 'starting it again' in p.log())
        p.alive()
        assert replay(rig, pcap) == 300
        until(lambda: len(records()) == 2 and records()[-1] >= 20)
        p.stop()


def background(pidfile):
    return int(pidfile.read_text())


def test_daemon(captures, tmp_path):
    """-G leaves when all is open; the pid file is the supervisor's; a crash is survived."""
    port, pidfile = free_port(socket.SOCK_STREAM), tmp_path / 'pid'
    subprocess.run([PROBE, '-i', captures('http'), '--stay', '-G', '-g', pidfile, '--supervise', '--no-dpi',
                    '--resp', str(port), *FOREVER], check=True, timeout=20 * SLOW)
    pid = background(pidfile)

    def ping():
        try:
            with socket.create_connection(('127.0.0.1', port), 1) as s:
                s.sendall(b'PING\r\n')
                return s.recv(64) == b'+PONG\r\n'
        except OSError:
            return False
    try:
        assert ping()
        first = child(pid)
        os.kill(first, CRASH)
        until(lambda: child(pid) not in (None, first) and ping())
        again = subprocess.run([PROBE, '-i', captures('http'), '-g', pidfile, '--resp', 'none'],
                               stderr=subprocess.PIPE, text=True)
        assert again.returncode == 1 and 'another mcprobe holds it' in again.stderr
        second = child(pid)
        os.kill(pid, signal.SIGTERM)
        until(lambda: gone(pid) and gone(second))
        assert not pidfile.exists()
    finally:
        for p in (child(pid) if not gone(pid) else None, pid):
            if p and not gone(p):
                os.kill(p, signal.SIGKILL)


def test_daemon_that_cannot_start(tmp_path):
    r = subprocess.run([PROBE, '-i', tmp_path / 'none.pcap', '--pcap-file-list', tmp_path / 'none', '-G',
                        '--supervise'], stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert r.returncode == 2
    (tmp_path / 'bad.pcap').write_bytes(b'not a capture at all, this')
    r = subprocess.run([PROBE, '-i', tmp_path / 'bad.pcap', '-G', '--supervise'],
                       stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert r.returncode == 1
    assert 'supervisor' not in r.stderr


def test_exit_statuses(captures, tmp_path):
    """The supervisor's is the probe's."""
    for args, status in ((['-i', captures('http')], 0), (['-i', '/dev/null'], 1),
                         (['-i', captures('http'), '-T', '%NO_SUCH'], 2), (['-i', '-'], 2)):
        r = subprocess.run([PROBE, *args, '--supervise', '--resp', 'none'], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60 * SLOW)
        assert r.returncode == status, (args, r.stderr)


def stay(start, captures, *options):
    probe = start('-i', captures('http'), '--stay', '--supervise', '--no-dpi', '--resp', 'none', *options, *FOREVER)
    probe.until(lambda: child(probe.process.pid) and captures_now(child(probe.process.pid)))
    return probe


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_stop_of_both(start, captures, number):
    """A service manager or a terminal sends to both at once: that is one signal."""
    probe = stay(start, captures, '--json', '-', '-T', '%IN_PKTS %OUT_PKTS')
    pids = [child(probe.process.pid), probe.process.pid]
    for pid in pids:
        os.kill(pid, number)
    r = probe.wait().ok()
    assert gone(pids[0])
    assert r.summary.check()['records'] == len(r.records) > 0


def test_second_signal(start, captures):
    """A probe that is stuck does not keep the supervisor."""
    probe = stay(start, captures)
    stuck = child(probe.process.pid)
    os.kill(stuck, signal.SIGSTOP)
    probe.signal(signal.SIGTERM)
    time.sleep(.3)
    assert probe.process.poll() is None
    probe.signal(signal.SIGTERM)
    assert probe.wait(5).status == 1
    assert gone(stuck)


def test_supervisor_killed(start, captures):
    """No probe is left over: it ends in order."""
    probe = stay(start, captures)
    left = child(probe.process.pid)
    probe.signal(signal.SIGKILL)
    until(lambda: gone(left))
    assert 'mcprobe: summary' in probe.text()


def test_hup_and_usr1(start, captures):
    probe = stay(start, captures)
    probe.signal(signal.SIGHUP)
    probe.until(lambda: 'files and logs opened again' in probe.text())
    probe.signal(signal.SIGUSR1)
    probe.until(lambda: 'packets' in probe.text())
    probe.signal(signal.SIGTERM)
    probe.wait().ok()


def test_file_is_read_again(start, captures, tmp_path):
    """A file starts from its beginning, and its records replace those of before."""
    out = tmp_path / 'out.json'
    probe = stay(start, captures, '--json', out, '-T', '%IN_PKTS %OUT_PKTS')
    first = child(probe.process.pid)
    os.kill(first, CRASH)
    probe.until(lambda: child(probe.process.pid) not in (None, first) and captures_now(child(probe.process.pid)))
    probe.signal(signal.SIGTERM)
    r = probe.wait().ok()
    assert len(lines(out)) == r.summary.check()['records'] > 0


@pytest.mark.parametrize('unit', ['mcprobe.service', 'mcprobe@.service'])
def test_unit_files(unit, tmp_path):
    if shutil.which('systemd-analyze') is None:
        pytest.skip('needs systemd-analyze')
    text = (REPO / 'examples' / unit).read_text().replace('/usr/bin/mcprobe', str(PROBE.resolve()))
    path = tmp_path / unit.replace('@.', '@eth0.')
    path.write_text(text)
    r = subprocess.run(['systemd-analyze', 'verify', '--man=no', str(path)], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    told = [line for line in r.stdout.splitlines() if unit.split('.')[0] in line]
    assert r.returncode == 0 and not told, r.stdout
    options = re.findall(r'--?([a-z-]{2,})', re.search('^ExecStart=(.*)', text, re.M)[1])
    known = subprocess.run([PROBE, '--help'], stdout=subprocess.PIPE, text=True).stdout
    assert all('--' + o in known for o in options if o != 'mcprobe')
