# SPDX-License-Identifier: BSD-3-Clause
"""Faults of what the probe lives on: descriptors, memory, file sizes; and of those who tell it
what to do: signals under load, in a storm, with a configuration that has gone bad. Each time:
it goes on (or ends as told, with all flows written), and what is lost is counted.

More such: signals test_signals.py; too many clients test_resp_hostile.py; memory that a
malloc made to fail refuses, tests/t_*.c and fuzz/."""
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from cloud import counters, serve
from conftest import PROBE, SANITIZED, SLOW, T, packets_of, probe
from feed import TICK
from test_faults_output import Tcp, Udp, dump_flows, feed_of, ipfix_flows, json_flows, wait_until

BY_LIMIT = pytest.mark.skipif(SANITIZED, reason='a sanitizer takes all address space there is')


def limit(run, what, value):
    """From now on RUN has only VALUE of WHAT."""
    _, hard = resource.prlimit(run.process.pid, what)
    resource.prlimit(run.process.pid, what, (value, hard))


def files(tmp_path, dump_s=5):
    return ['--json', tmp_path / 'json', '--ipfix-file', tmp_path / 'ipfix', '-P', tmp_path / 'dump', '-F', dump_s]


def whole(tmp_path):
    """The flows in the files, in each the same."""
    found = json_flows(tmp_path / 'json')
    assert ipfix_flows(tmp_path / 'ipfix').once() == found
    assert dump_flows(tmp_path / 'dump') == found
    return found


# ---- signals


def test_term_under_load(serve, tmp_path):
    """SIGTERM while flows come as fast as they can, with clients who ask: all that was read is in
    every output, and it ends in time."""
    collector = Udp(size=64 << 20)
    feed = feed_of(serve, *files(tmp_path), '-n', '127.0.0.1:%d' % collector.port)
    more = threading.Event()

    def pour():
        try:
            while not more.is_set():
                feed.flows(2000)
        except (BrokenPipeError, ValueError):
            pass
    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    try:
        feed.ended(20000)
        feed.probe.signal(signal.SIGTERM)
        r = feed.probe.wait(30).ok()
    finally:
        more.set()
        thread.join(10)
    assert r.seconds < 10 * SLOW  # 2 where nobody else is; test_signals.py has that figure
    s = r.summary.check()
    found = whole(tmp_path)
    assert len(found) == s['records'] == s['flows'] >= 20000
    # packets of a flow each, but for those of the last flow, which is the clock
    assert s['flow_packets'] == s['record_packets']
    assert s['file_errors'] == s['export_lost'] == 0
    assert s['export_records'] == s['records']
    collector.close()


def test_storm_of_hangups(serve, tmp_path):
    """SIGHUP again and again while flows end, and the configuration file goes bad: the probe never
    asks it again, loses nothing, says a line each time and no more."""
    config = tmp_path / 'conf'
    config.write_text('json-labels labels\n')
    feed = feed_of(serve, *files(tmp_path), '-c', config)
    feed.flows(100)
    feed.ended()
    config.write_text('max-flows many\nno-such-option\n')
    sent = 0
    end = time.monotonic() + 1
    while time.monotonic() < end:
        feed.probe.signal(signal.SIGHUP)
        sent += 1
        feed.flows(20)
    feed.ended()
    wait_until(lambda: 'opened again' in feed.probe.text())
    with feed.probe.client() as c:
        assert c.config_get('mcprobe.max-keys') == {'mcprobe.max-keys': '1000'}
    r = feed.close()
    s = r.summary.check()
    assert s['file_errors'] == 0
    assert json_flows(tmp_path / 'json') == dump_flows(tmp_path / 'dump') == set(range(feed.sent)) | {TICK}
    assert ipfix_flows(tmp_path / 'ipfix', sessions=sent + 1).once() == set(range(feed.sent)) | {TICK}
    lines = r.text.split('mcprobe: summary')[0].splitlines()
    assert 0 < sum(line.endswith('files and logs opened again') for line in lines) <= sent
    assert [line for line in lines if not line.endswith(('opened again', 'are answered at ' + feed.probe.resp))] == []


# ---- descriptors


def test_no_descriptors(serve, tmp_path):
    """None is left: who was connected is served, text files are lost and counted, other files and
    the UDP collector go on; a TCP collector and clients are let in when there are some again."""
    udp, tcp = Udp(), Tcp()
    feed = feed_of(serve, *files(tmp_path), '-a', '-n', '127.0.0.1:%d' % udp.port,
                   '-n', 'tcp://127.0.0.1:%d' % tcp.port)
    tcp.accept()
    one = feed.flows(100)
    feed.ended()
    wait_until(lambda: tcp.read().once() == one)
    wait_until(lambda: dump_flows(tmp_path / 'dump') == one)
    pid = feed.probe.process.pid
    before = len(os.listdir('/proc/%d/fd' % pid))
    others = [socket.create_connection(('127.0.0.1', feed.probe.port)) for _ in range(5)]

    def ask(s):
        s.settimeout(30 * SLOW)
        s.sendall(b'PING\r\n')
        return s.recv(64) == b'+PONG\r\n'
    with feed.probe.client() as c:
        assert c.ping() and all(map(ask, others))
        limit(feed.probe, resource.RLIMIT_NOFILE, 3)  # fewer than it has: not one more
        waiting = [socket.create_connection(('127.0.0.1', feed.probe.port)) for _ in range(50)]
        tcp.hang_up()
        feed.probe.signal(signal.SIGHUP)
        feed.probe.until(lambda: 'opened again' in feed.probe.text(), 30)
        two = feed.flows(100)
        wait_until(lambda: counters(c)['records'] >= 200)
        wait_until(lambda: counters(c)['file_errors'] == len(two))
        assert all(map(ask, others))
        cpu = cpu_of(pid)
        time.sleep(.5)
        assert cpu_of(pid) - cpu < .25 * SLOW  # it does not spin on what it cannot accept
        limit(feed.probe, resource.RLIMIT_NOFILE, 1024)
        for s in others:
            s.close()
        assert all(map(ask, waiting))
        for s in waiting:
            s.close()
        tcp.accept()
        three = feed.flows(100)
        wait_until(lambda: counters(c)['records'] >= 300)
        wait_until(lambda: len(os.listdir('/proc/%d/fd' % pid)) <= before + 2)
    wait_until(lambda: tcp.read().once() == two | three)
    r = feed.close()
    s = r.summary.check()
    every = one | two | three | {TICK}
    assert json_flows(tmp_path / 'json') == ipfix_flows(tmp_path / 'ipfix').once() == udp.read().once() == every
    assert tcp.read_all().once() == two | three | {TICK}
    assert dump_flows(tmp_path / 'dump') == every - two
    assert s['file_errors'] == len(two) and s['export_lost'] == 0
    assert r.text.count('Too many open files; going on with the old file') == 2
    udp.close()
    tcp.close()


def cpu_of(pid):
    """Seconds of processor time so far."""
    used = Path('/proc/%d/stat' % pid).read_text().rsplit(')', 1)[1].split()[11:13]
    return sum(map(int, used)) / os.sysconf('SC_CLK_TCK')


# ---- sizes, memory


def test_file_at_its_limit(serve, tmp_path):
    """RLIMIT_FSIZE is like a full disk, not the end: what does not fit is lost and counted."""
    collector = Udp()
    feed = feed_of(serve, *files(tmp_path), '-n', '127.0.0.1:%d' % collector.port)
    one = feed.flows(500)
    feed.ended()
    wait_until(lambda: json_flows(tmp_path / 'json') == one)
    limit(feed.probe, resource.RLIMIT_FSIZE, (tmp_path / 'json').stat().st_size)
    two = feed.flows(200)  # in IPFIX, and in a text file of their own, they are less
    feed.ended()
    wait_until(lambda: feed.counters()['file_errors'] == len(two))
    limit(feed.probe, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    three = feed.flows(200)
    r = feed.close()
    every = one | two | three | {TICK}
    assert json_flows(tmp_path / 'json') == every - two
    assert r.summary.check()['file_errors'] == len(two)
    assert ipfix_flows(tmp_path / 'ipfix').once() == dump_flows(tmp_path / 'dump') == every
    assert collector.read().once() == every
    collector.close()
    assert r.text.count('File too large; records for it are lost') == 1


MB = 1 << 20


@BY_LIMIT
def test_start_with_too_little(captures, tmp_path):
    """However little memory there is at the start, it says that it is too little, or works."""
    capture, seen = captures(), set()
    for size in [*range(16, 24), *range(28, 80, 8), 90, 110, 130, 200]:
        r = subprocess.run(['prlimit', '--as=%d' % (size * MB), PROBE, '-i', capture, '-M', '20000', '-T', '@ALL@',
                            '--json', '/dev/null', '--resp', 'unix:%s' % (tmp_path / 'resp')],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           text=True, timeout=60 * SLOW)
        if r.returncode == 127 and 'shared libraries' in r.stderr:
            continue  # not even the program fits
        assert r.returncode in (0, 1), (size, r.returncode, r.stderr[-500:])
        assert r.returncode == 0 or re.search('memory|cannot be (made|initialised)', r.stderr), (size, r.stderr)
        seen.add(r.returncode)
    assert seen == {0, 1}


@BY_LIMIT
def test_no_more_memory(captures, serve, tmp_path):
    """RLIMIT_AS in the midst of it: the key tree, plugins and nDPI get no more, which is counted;
    all packets are in flows, all flows in the file and sent to the collector; and when there is
    memory again there are new keys and names."""
    collector, out = Udp(size=64 << 20), tmp_path / 'json'
    # one arena: or the worker's has a reserve of 64 MB
    p = serve('-i', '-', '-V', 10, '-T', T + ' %NUM_PKTS_UP_TO_128_BYTES', '--json', out, '--publish', 'all',
              '--cloud-interval', 1, '--max-keys', 10**6, '--plugin', 'dns', '--plugin', 'http', '--plugin', 'radius',
              '-n', '127.0.0.1:%d' % collector.port, stdin=subprocess.PIPE, before=['env', 'MALLOC_ARENA_MAX=1'])
    first, many = captures(), captures('many', flows=20000)
    p.process.stdin.write(first.read_bytes())
    p.process.stdin.flush()
    p.read(602)
    size = int(Path('/proc/%d/statm' % p.process.pid).read_text().split()[0]) * os.sysconf('SC_PAGE_SIZE')
    limit(p, resource.RLIMIT_AS, size)
    p.process.stdin.write(many.read_bytes()[24:])
    p.process.stdin.flush()

    def said():
        """What it logs of itself, which needs no memory."""
        p.signal(signal.SIGUSR1)
        return dict(re.findall(r'\b([a-z_]+) (\d+)', p.text()))
    p.until(lambda: said().get('packets') == str(602 + 4 * 20000) and 'cloud_no_room' in said(), 120)
    with socket.create_connection(('127.0.0.1', p.port)) as s:  # it is there, if only to refuse
        s.settimeout(30 * SLOW)
        s.sendall(b'PING\r\n')
        try:
            assert s.recv(64) in (b'+PONG\r\n', b'')
        except ConnectionResetError:
            pass
    limit(p, resource.RLIMIT_AS, resource.RLIM_INFINITY)
    with p.client() as c:
        before = counters(c)
        assert before['cloud_no_room'] > 0 and before['dpi_capped'] > 0 and before['detail_full'] > 0
        p.process.stdin.write(captures(seed=7).read_bytes()[24:])
        p.process.stdin.flush()
        wait_until(lambda: counters(c)['dpi_flows'] > before['dpi_flows'] + 20)
        wait_until(lambda: counters(c)['cloud_keys_made'] > before['cloud_keys_made'])
    p.process.stdin.close()
    r = p.wait(60).ok()
    s = r.summary.check()
    assert s['records_lost'] == s['drop_no_room'] == s['file_errors'] == s['export_lost'] == 0
    records = [json.loads(line) for line in out.open()]
    assert len(records) == s['records'] == s['export_records']
    assert packets_of(records) == s['flow_packets']
    collector.close()
