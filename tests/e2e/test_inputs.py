# SPDX-License-Identifier: BSD-3-Clause
"""The same traffic gives the same flows, however it reaches the probe; and the options of
the group Input."""
import json
import os
import pty
import select
import struct
import subprocess
import time

import pytest

from conftest import COUNTERS, FOREVER, PROBE, SLOW, T, flows, packets_of, probe, totals


@pytest.mark.parametrize('format', ['pcap-ns', 'pcap-be', 'pcapng'])
def test_formats(captures, format):
    want = flows(captures(), '--tunnel').ok()
    have = flows(captures(format=format), '--tunnel').ok()
    assert have.out == want.out
    assert len(want.records) > 60


@pytest.mark.parametrize('format', ['pcap', 'pcap-ns', 'pcap-be', 'pcapng'])
def test_stdin(captures, format):
    path = captures(format=format)
    want = flows(path).ok()
    have = flows('-', stdin=path.read_bytes()).ok()
    assert have.out == want.out


def test_slow_pipe(captures, start):
    """A pipe that delivers a few bytes at a time, cut anywhere."""
    path = captures('dns')
    want = totals(flows(path, *FOREVER).ok().records)
    r = start('-i', '-', '--no-dpi', '--json', '-', '-T', T, *FOREVER, stdin=subprocess.PIPE)
    data = path.read_bytes()
    for at in range(0, len(data), 97):
        r.process.stdin.write(data[at:at + 97])
        r.process.stdin.flush()
        if at % 970 == 0:
            time.sleep(.001)
    r.process.stdin.close()
    assert totals(r.wait().ok().records) == want


def split_pcap(path, folder, pieces):
    """PATH, little-endian pcap, in so many files."""
    data = path.read_bytes()
    at, records = 24, []
    while at < len(data):
        size = 16 + struct.unpack_from('<I', data, at + 8)[0]
        records.append(data[at:at + size])
        at += size
    each = len(records) // pieces + 1
    names = []
    for n in range(pieces):
        names.append(folder / ('part%d.pcap' % n))
        names[-1].write_bytes(data[:24] + b''.join(records[n * each:(n + 1) * each]))
    return names


def test_file_list(captures, tmp_path):
    """Several files are one trace: flows go on from one to the next."""
    path = captures()
    parts = split_pcap(path, tmp_path, 3)
    (tmp_path / 'list').write_text(''.join('%s\n' % p for p in parts))
    r = probe('--pcap-file-list', tmp_path / 'list', '--no-dpi', '--json', '-', '-T', T).ok()
    assert r.summary['files'] == 3
    assert r.out == flows(path).ok().out


def test_file_list_missing(captures, tmp_path):
    """A file that is not there: the others are read, the status tells."""
    path = captures('dns')
    (tmp_path / 'list').write_text('%s\n%s\n' % (path, tmp_path / 'nothing.pcap'))
    r = probe('--pcap-file-list', tmp_path / 'list', '--no-dpi', '--json', '-', '-T', T)
    assert r.status == 1
    assert 'nothing.pcap' in r.text
    assert r.summary['files_bad'] == 1
    assert packets_of(r.records) == packets_of(flows(path).ok().records)


def test_file_list_first_missing(captures, tmp_path):
    """The first is opened before anything starts: without it there is no run."""
    (tmp_path / 'list').write_text('%s\n%s\n' % (tmp_path / 'nothing.pcap', captures('dns')))
    r = probe('--pcap-file-list', tmp_path / 'list', '--no-dpi')
    assert r.status == 1
    assert 'nothing.pcap' in r.text


@pytest.mark.parametrize('name', ['nothing.pcap', 'a folder'])
def test_no_such_file(tmp_path, name):
    (tmp_path / 'a folder').mkdir()
    r = probe('-i', tmp_path / name)
    assert r.status == 1
    assert name in r.text


def test_filter(captures):
    path = captures()
    every = flows(path, *FOREVER).ok()
    dns = flows(path, '-f', 'udp port 53', *FOREVER).ok()
    want = [x for x in every.records if x['PROTOCOL'] == 17 and 53 in (x['L4_SRC_PORT'], x['L4_DST_PORT'])
            and 'SRC_VLAN' not in x]
    assert totals(dns.records) == totals(want)
    s = dns.summary.check()
    assert s['packets'] == packets_of(want)


@pytest.mark.parametrize('format', ['pcap', 'pcapng'])
def test_bad_filter(captures, format):
    r = flows(captures(format=format), '-f', 'udp prot 53')
    assert r.status in (1, 2)
    assert 'prot' in r.text or 'filter' in r.text


@pytest.mark.parametrize('n', [1, 2, 7, 100000])
def test_sampling(captures, n):
    """Every Nth packet counts, the others are counted as not sampled."""
    r = flows(captures('many', flows=1000), '-S', n).ok()
    s = r.summary.check()
    assert s['packets'] == 4000
    assert abs(s['flow_packets'] - 4000 // n) <= 1
    assert s['drop_sampled'] == 4000 - s['flow_packets']


def test_snaplen(captures):
    """Truncated packets count with their length on the wire."""
    path = captures('http,tls', snaplen=128)
    want = totals(flows(captures('http,tls'), *FOREVER).ok().records)
    r = flows(path, *FOREVER).ok()
    assert totals(r.records) == want
    assert r.summary['truncated'] > 0
    r = flows(captures('http,tls'), '-s', 128, *FOREVER).ok()
    assert totals(r.records) == want


@pytest.mark.parametrize('speed,low,high', [('1', 1.6, 4), ('4', .35, 2), ('asap', 0, 1)])
def test_speed(captures, speed, low, high):
    """A capture of two seconds at its own pace, four times that, and at once."""
    path = captures('many', flows=50, seconds=2)
    r = probe('-i', path, '--no-dpi', '--speed', speed, '--json', '/dev/null', '-T', T).ok()
    assert low <= r.seconds <= high * SLOW
    assert r.summary.check()['packets'] == 200


def test_progress(captures):
    """A bar on a terminal, nothing elsewhere."""
    path = captures('many', flows=2000, seconds=2)
    try:
        master, slave = pty.openpty()
    except OSError as e:
        pytest.skip('no pseudo-terminal: %s' % e)
    p = subprocess.Popen([PROBE, '-i', path, '--no-dpi', '--progress', '--speed', '2', '--json', '/dev/null'],
                         stdin=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    text = b''
    end = time.monotonic() + 20 * SLOW
    while time.monotonic() < end:
        if select.select([master], [], [], .2)[0]:
            try:
                data = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            text += data
    os.close(master)
    assert p.wait(5) == 0
    assert b'\r' in text.replace(b'\r\n', b'\n') and b'%' in text
    r = flows(path, '--progress').ok()
    assert b'\r' not in r.err


def test_summary_format(captures):
    """A name and a value per line, the two that matter always."""
    for what, least in (('arp', {'packets', 'flow_packets', 'drop_not_ip'}), ('dns', {'packets', 'flow_packets'})):
        r = flows(captures(what)).ok()
        s = r.summary.check()
        assert least <= set(s)
        assert all(n > 0 or name in ('packets', 'flow_packets') for name, n in s.items())
    s = flows(captures()).ok().summary
    assert s['files'] == 1
    assert s['drop_not_ip'] == 4
    assert s['fragments'] == 16
    assert set(COUNTERS.values()) == {'IN', 'FLOW', 'DROP', 'LOSS', 'INFO'}


def test_empty_capture(captures, tmp_path):
    """A capture without packets is no error."""
    path = tmp_path / 'none.pcap'
    path.write_bytes(captures('dns').read_bytes()[:24])
    r = flows(path).ok()
    assert r.out == b''
    s = r.summary.check()
    assert s['packets'] == 0


def test_nothing_on_stdout(captures):
    """Standard output carries only what a "-" asked for."""
    r = probe('-i', captures('dns')).ok()
    assert r.out == b''


@pytest.mark.parametrize('order', ['in', 'out'])
def test_ifindex(captures, order):
    option, field = {'in': ('-u', 'INPUT_SNMP'), 'out': ('-Q', 'OUTPUT_SNMP')}[order]
    r = flows(captures('dns'), option, 4711, template=T + ' %' + field).ok()
    assert {x[field] for x in r.records} == {4711}


def test_pipe_silent(captures, start, tmp_path):
    """What has ended is written, though the pipe says nothing more and stays open."""
    out = tmp_path / 'flows.json'
    data = captures('many', flows=200, seconds=100).read_bytes()
    r = start('-i', '-', '--no-dpi', '-d', '1', '-l', '1', '-T', T, '--json', out,
              stdin=subprocess.PIPE)
    r.process.stdin.write(data)
    r.process.stdin.flush()
    time.sleep(2.5 * SLOW)
    silent = out.read_text().splitlines()
    r.process.stdin.close()
    r.wait().ok()
    records = [json.loads(line) for line in out.read_text().splitlines()]
    ended = [x for x in records if x['FLOW_END_REASON'] != 4]  # 4: only at the end
    assert len(ended) > 100 and len(silent) == len(ended)
