# SPDX-License-Identifier: BSD-3-Clause
"""Faults of what the probe writes to: collectors that are dead, slow, cut off and back, disks
that are full or read-only, kill -9 in the midst of a write. Each time: the probe goes on,
what is lost is counted, it resumes by itself, and the other outputs know nothing of it.

More such: dead collectors test_collectors.py::test_nobody_there and test_late_collector;
one that takes all, or nothing, at the end test_signals.py::test_tcp_takes_all and
test_second_signal; nodes test_cloud_faults.py; a crash test_supervise.py."""
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from cloud import serve
from cloud import wait_until as wait
import netns
from conftest import SANITIZED, SLOW
from feed import BEGIN, LONG, OPTIONS, TEMPLATE, TICK, Feed, Ipfix, number, write_flows
from test_live_capture import replay
from test_supervise import LIVE, Supervised, child


def wait_until(what, seconds=30, saying=''):
    return wait(what, seconds, saying)


def json_flows(path, torn=False):
    """The flows of a JSON file, each of whose lines is whole, of a TORN one but the last; none twice."""
    text = path.read_text()
    text = text[:text.rfind('\n') + 1] if torn else text
    assert text == '' or text.endswith('\n')
    lines = text.splitlines()
    json.loads('[%s]' % ','.join(lines[-1000:]))
    assert all(line[0] == '{' and line[-1] == '}' for line in lines)
    found = [number(a) for a in re.findall('"IPV4_SRC_ADDR":"([0-9.]+)"', text)]
    assert len(set(found)) == len(found) == len(lines)
    return set(found)


def feed_of(serve, *args, version=10, template=TEMPLATE, **kw):
    return Feed(serve('-i', '-', *OPTIONS, '-V', version, '-T', template, *args, stdin=subprocess.PIPE, **kw))


# ---- collectors


class Udp:
    """A collector on a port that may be given up and taken again."""

    def __init__(self, port=0, size=4 << 20):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        self.socket.bind(('127.0.0.1', port))
        self.port, self.seen = self.socket.getsockname()[1], Ipfix()

    def read(self, gaps=False):
        """All that has come."""
        while select.select([self.socket], [], [], 0)[0]:
            self.seen.message(self.socket.recv(65536), gaps)
        return self.seen

    def close(self):
        self.socket.close()


@pytest.mark.parametrize('version', [9, 10])
def test_udp_dies_and_comes_back(serve, tmp_path, version):
    """What is sent to nobody is lost and counted, to the record; who comes back on that port is
    told the templates before anything else, without a flow having ended, and gets all."""
    first, out = Udp(), tmp_path / 'out.json'
    # templates for no other reason: not for the time, nor for how many messages there were
    feed = feed_of(serve, '-n', '127.0.0.1:%d' % first.port, '--json', out, '--templ-interval', 86400,
                   '-o', 10**6, version=version)
    one = feed.flows(300)
    feed.ended()
    wait_until(lambda: first.read().once() == one)
    first.close()
    two = feed.flows(300)
    feed.ended()
    wait_until(lambda: feed.counters()['export_lost'] == len(two), 30, 'for the loss to be counted')
    again = Udp(first.port)
    # packets of the flow that lives on: time goes on
    wait_until(lambda: feed.flows(0) or again.read().told > 0, 30, 'for templates without flows')
    three = feed.flows(300)
    r = feed.close()
    s = r.summary.check()
    assert again.read().once() == three | {TICK}
    again.close()
    assert s['export_records'] == len(one) + len(three) + 1
    assert s['export_lost'] == len(two) and s['export_errors'] > 0
    assert r.text.count('Connection refused; records for it are lost') == 1
    assert json_flows(out) == one | two | three | {TICK}


@pytest.mark.parametrize('version', [9, 10])
def test_udp_reads_nothing(serve, tmp_path, version):
    """A collector whose socket is full loses datagrams of which no one tells the probe: the
    sequence numbers do, to the last, and the probe does not wait."""
    slow, other, out = Udp(size=4096), Udp(), tmp_path / 'out.json'
    feed = feed_of(serve, '-a', '-n', '127.0.0.1:%d' % slow.port, '-n', '127.0.0.1:%d' % other.port,
                   '--json', out, version=version)
    one = feed.flows(3000)
    feed.ended()
    wait_until(lambda: other.read().once() == one)
    got = slow.read(gaps=True).once()
    assert 0 < len(got) < len(one)
    two = feed.flows(10)
    feed.ended()
    wait_until(lambda: two <= slow.read(gaps=True).once(), 30, 'for the collector to be served again')
    s = feed.close().summary.check()
    assert slow.read(gaps=True).missing > 0
    if version == 10:  # of v9 the datagrams are counted, not the records
        # two of options, of which one may have been lost too
        assert 0 <= slow.seen.missing - (len(one) - len(got)) < 8
    wait_until(lambda: other.read().once() == one | two | {TICK})
    slow.close()
    other.close()
    assert s['export_records'] == 2 * s['records'] and s['export_lost'] == 0
    assert json_flows(out) == one | two | {TICK}


class Tcp:
    """A collector at the other end of connections."""

    def __init__(self, port=0, size=None):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if size:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        self.socket.bind(('127.0.0.1', port))
        self.socket.listen(1)
        self.port, self.peer, self.rest = self.socket.getsockname()[1], None, b''

    def accept(self, seconds=30):
        self.socket.settimeout(seconds * SLOW)
        self.peer = self.socket.accept()[0]
        self.peer.settimeout(30 * SLOW)
        self.rest, self.seen = b'', Ipfix()
        return self

    def read(self):
        """All that has come, of which there is nothing that is no whole message."""
        while select.select([self.peer], [], [], 0)[0]:
            data = self.peer.recv(1 << 20)
            if not data:
                break
            self.rest = self.seen.stream(self.rest + data)
        return self.seen

    def read_all(self):
        """Until the probe closes the connection."""
        while data := self.peer.recv(1 << 20):
            self.rest = self.seen.stream(self.rest + data)
        assert self.rest == b''
        return self.seen

    def widen(self):
        """From now on it reads with more than one hand."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

    def exactly(self, n):
        """The next N octets."""
        data = b''
        while len(data) < n:
            more = self.peer.recv(n - len(data))
            assert more
            data += more
        return data

    def hang_up(self):
        """As who crashes: a reset."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.peer.close()

    def close(self):
        self.socket.close()


def test_tcp_dies_and_comes_back(serve, tmp_path):
    """Records wait for a dead TCP collector: nothing is lost, and the new connection is a session
    of its own, from sequence number 0 and templates on."""
    first, out = Tcp(), tmp_path / 'out.json'
    feed = feed_of(serve, '-n', 'tcp://127.0.0.1:%d' % first.port, '--json', out)
    first.accept()
    one = feed.flows(300)
    feed.ended()
    wait_until(lambda: first.read().once() == one)
    first.close()
    first.peer.close()
    two = feed.flows(300)
    feed.ended()
    again = Tcp(first.port).accept()
    wait_until(lambda: again.read().once() == two)
    three = feed.flows(300)
    s = feed.close().summary.check()
    assert again.read_all().once() == two | three | {TICK}
    again.close()
    assert s['collector_connects'] == 2
    assert s['export_records'] == s['records'] and s['export_lost'] == s['export_errors'] == 0
    assert json_flows(out) == one | two | three | {TICK}


def test_tcp_reads_nothing(serve, tmp_path):
    """What does not fit into its queue is lost and counted, memory does not grow, the others are
    served; when it reads again it gets all that was not lost, in order, and what comes later."""
    slow, out = Tcp(size=4096), tmp_path / 'out.json'
    feed = feed_of(serve, '-n', 'tcp://127.0.0.1:%d' % slow.port, '--json', out, template=LONG)
    slow.accept()
    one = feed.flows(1)
    feed.ended()
    before = feed.probe.rss_kb()
    one |= feed.flows(75000)  # 11 MB: more than its queue, and what the kernel holds
    s = feed.ended()
    assert s['packets'] == s['flow_packets']
    assert s['export_lost'] > 0
    lost = s['export_lost']
    assert SANITIZED or feed.probe.rss_kb() - before < 100 << 10  # flows among it, not messages alone
    held = feed.probe.rss_kb()
    one |= feed.flows(20000)
    s = feed.ended()
    assert s['export_lost'] >= lost + 19000
    assert SANITIZED or feed.probe.rss_kb() - held < 8 << 10
    slow.widen()
    # of those it has not sent yet some may be lost too
    wait_until(lambda: len(slow.read().records) + feed.counters()['export_lost'] == len(one), 60)
    lost = feed.counters()['export_lost']
    two = feed.flows(100)
    wait_until(lambda: two <= slow.read().records.keys())
    r = feed.close()
    s = r.summary.check()
    got = slow.read_all().once()
    slow.close()
    assert got >= two | {TICK} and len(got) == s['records'] - s['export_lost'] == s['export_records']
    assert s['export_lost'] == lost
    assert r.text.count('queue full, records are lost') == 1
    assert json_flows(out) == one | two | {TICK}


def test_tcp_cut_in_mid_message(serve, tmp_path):
    """The next connection begins with templates and a whole message; nothing comes twice, and what
    the kernel had not taken comes then."""
    collector, out = Tcp(size=4096), tmp_path / 'out.json'
    feed = feed_of(serve, '-n', 'tcp://127.0.0.1:%d' % collector.port, '--json', out, template=LONG)
    collector.accept()
    one = feed.flows(40000)  # 6 MB: some of it is with the kernel, some in the queue
    wait_until(lambda: feed.counters()['export_records'] > 5000)
    data = collector.exactly(100000)
    cut = Ipfix()
    assert 0 < len(cut.stream(data)) < 1420  # in mid-message
    collector.hang_up()
    collector.accept().widen()
    assert struct.unpack('>HHII', collector.peer.recv(12, socket.MSG_PEEK))[3] == 0
    feed.ended()
    two = feed.flows(100)
    wait_until(lambda: two <= collector.read().records.keys())
    s = feed.close().summary.check()
    got = collector.read_all().once()
    collector.close()
    assert not got & cut.once()
    assert s['collector_connects'] == 2
    assert s['export_lost'] == 0 and s['export_records'] == s['records']
    # Lost is what the kernel had taken, and the collector not read: no more than its buffers hold.
    gone = s['records'] - len(got) - len(cut.once())
    assert 0 < gone < (8 << 20) / 150
    assert got >= set(sorted(one)[-5000:]) | two | {TICK}
    assert json_flows(out) == one | two | {TICK}


# ---- disks


ROOT = pytest.mark.skipif(os.geteuid() != 0 or subprocess.run(
    ['unshare', '-m', 'true'], stderr=subprocess.DEVNULL).returncode != 0,
    reason='needs root, to mount file systems of its own')


class Disk:
    """A file system of SIZE kB, seen only in a mount namespace of the test's own."""

    def __init__(self, folder, size=512):
        self.folder = folder
        folder.mkdir()
        self.holder = subprocess.Popen(
            ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=%dk,mode=755 none "$0" && echo && exec cat' % size,
             folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b'\n'
        self.path = Path('/proc/%d/root%s' % (self.holder.pid, folder))  # to be seen from outside

    def run(self, *argv):
        subprocess.run(['nsenter', '-m', '-t', str(self.holder.pid), *map(str, argv)], check=True)

    def fill(self):
        """Leave no room; free() ends it."""
        with open(self.path / 'ballast', 'wb', buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass

    def free(self):
        (self.path / 'ballast').unlink()

    def end(self):
        self.holder.kill()
        self.holder.communicate()


@pytest.fixture
def disk(tmp_path):
    d = Disk(tmp_path / 'disk')
    yield d
    d.end()


def inside(disk):
    """How to start a probe that sees DISK; it keeps its process id."""
    return ['nsenter', '-m', '-t', str(disk.holder.pid)]


def dump_flows(folder):
    """The flows of the files --dump-path has completed, of whole lines under their header."""
    found = []
    for path in folder.rglob('flows-*.txt'):
        text = path.read_text()
        assert text.startswith('# IPV4_SRC_ADDR') and text.endswith('\n')
        found += [number(line.split('\t')[0]) for line in text.splitlines()[1:]]
    assert len(set(found)) == len(found)
    return set(found)


def ipfix_flows(path, sessions=1, torn=False):
    """The flows of an IPFIX file: whole messages from its first octet to its last, but for the last
    message of a TORN one."""
    seen = Ipfix(sessions)
    assert seen.stream(path.read_bytes(), gaps=True) == b'' or torn
    seen.once()
    return seen


READ = {'json': json_flows, 'ipfix': lambda path: ipfix_flows(path).once(), 'dump': dump_flows}


def outputs(serve, tmp_path, disk, which, version=10):
    """A feed whose output WHICH is on DISK; and where each is."""
    where = {name: (disk.folder if name in which else tmp_path) / name for name in READ}
    collector = Udp()
    feed = feed_of(serve, '--json', where['json'], '--ipfix-file', where['ipfix'], '-P', where['dump'], '-F', 5,
                   '-n', '127.0.0.1:%d' % collector.port, before=inside(disk), version=version)
    return feed, {name: disk.path / name if name in which else path for name, path in where.items()}, collector


@ROOT
@pytest.mark.parametrize('which', READ)
def test_disk_full(serve, tmp_path, disk, which):
    """What there is no room for is counted, to the record, and said once; the file stays whole,
    and takes what comes when there is room. The other files, and the collector, have all."""
    feed, where, collector = outputs(serve, tmp_path, disk, [which])
    one = feed.flows(500)
    feed.ended()
    wait_until(lambda: READ[which](where[which]) == one)
    disk.fill()
    two = feed.flows(3000)
    feed.ended()
    lost = wait_until(lambda: feed.counters()['file_errors'])
    disk.free()
    three = feed.flows(500)
    r = feed.close()
    s = r.summary.check()
    every = one | two | three | {TICK}
    got = READ[which](where[which])
    assert one | three | {TICK} <= got <= every
    assert s['file_errors'] == len(every - got) >= lost > 0
    assert r.text.count('No space left on device; records for it are lost') == 1
    assert r.text.count('can be written again') == 1
    for name in READ:
        assert name == which or READ[name](where[name]) == every
    assert collector.read().once() == every
    collector.close()
    if which == 'ipfix':  # a reader who begins after the hole needs them
        assert ipfix_flows(where[which]).told > 1


@ROOT
def test_folder_read_only(serve, tmp_path, disk):
    """A folder in which nothing can be made any more: text files are lost until it can, the
    others go on with the files they have, and all of it is said."""
    feed, where, collector = outputs(serve, tmp_path, disk, READ)
    one = feed.flows(300)
    feed.ended()
    wait_until(lambda: dump_flows(where['dump']) == one)
    disk.run('mount', '--bind', disk.folder, disk.folder)
    disk.run('mount', '-o', 'remount,bind,ro', disk.folder)
    feed.probe.signal(signal.SIGHUP)
    feed.probe.until(lambda: 'opened again' in feed.probe.text(), 30)
    two = feed.flows(300)
    feed.ended()
    wait_until(lambda: feed.counters()['file_errors'] == len(two))
    disk.run('umount', disk.folder)
    three = feed.flows(300)
    r = feed.close()
    s = r.summary.check()
    every = one | two | three | {TICK}
    assert s['file_errors'] == len(two)
    assert dump_flows(where['dump']) == every - two
    assert json_flows(where['json']) == READ['ipfix'](where['ipfix']) == collector.read().once() == every
    collector.close()
    assert r.text.count('Read-only file system; going on with the old file') == 2
    assert r.text.count('Read-only file system; records for it are lost') == 1
    assert r.text.count('can be written again') == 1


# ---- kill -9


def tear(path, whole):
    """Half of WHOLE at the end of PATH, as a write leaves it that a crash has cut short."""
    with open(path, 'ab') as f:
        f.write(whole[:len(whole) // 2])


@LIVE
def test_killed_in_mid_write(tmp_path):
    """--supervise: the files are whole up to the last record before the crash, and go on with
    those after it; a configuration file that is bad by then is not asked."""
    config = tmp_path / 'conf'
    config.write_text('publish flow.end\n')
    ipfix, events = tmp_path / 'ipfix', tmp_path / 'events'
    with netns.Rig() as rig:
        p = Supervised(rig, tmp_path, '-c', config, '-d', 1, '-l', 1, '-V', 10, '--ipfix-file', ipfix,
                       '--events', events, '--resp', 'none', '--plugin', 'none')
        one, two = set(range(50)), set(range(50, 100))
        assert replay(rig, write_flows(tmp_path / 'one.pcap', one)) == len(one)
        wait_until(lambda: json_flows(p.json) == ipfix_flows(ipfix).once() == one)
        wait_until(lambda: len(events.read_text().splitlines()) == len(one))
        first = child(p.p.pid)
        os.kill(first, signal.SIGSTOP)
        tear(p.json, p.json.read_bytes().splitlines()[-1])
        tear(events, events.read_bytes().splitlines()[-1])
        tear(ipfix, struct.pack('>HHIII', 10, 1000, BEGIN, 50, 0) + bytes(984))
        config.write_text('no-such-option\n')
        os.kill(first, signal.SIGKILL)
        p.alive(first)
        assert replay(rig, write_flows(tmp_path / 'two.pcap', two)) == len(two)
        wait_until(lambda: json_flows(p.json) == one | two)
        r = p.stop()
    assert json_flows(p.json) == one | two
    seen = ipfix_flows(ipfix, sessions=2)
    assert seen.once() == one | two and seen.told > 1
    assert len([json.loads(line) for line in events.read_text().splitlines()]) == 100
    assert r.summary['restarts'] == 1 and r.summary['file_errors'] == 0
    assert 'no-such-option' not in r.text


def test_killed_and_started_again(serve, tmp_path):
    """Without --supervise: kill -9 leaves files that are whole up to the last write, and nothing that
    hinders the next start: not the pid file, nor the socket of clients, nor a text file begun."""
    pid, dump, path = tmp_path / 'pid', tmp_path / 'dump', tmp_path / 'resp'

    def begin(n):
        return feed_of(serve, '--json', tmp_path / ('json%d' % n), '--ipfix-file', tmp_path / ('ipfix%d' % n),
                       '-P', dump, '-F', 3600, '-g', pid, resp='unix:%s' % path)
    feed = begin(1)
    one = feed.flows(20000)
    feed.ended()
    two = feed.flows(20000)
    feed.ended(30000)
    feed.probe.process.kill()
    feed.probe.process.wait()
    assert pid.exists() and path.exists()
    begun = list(dump.rglob('*.tmp'))
    assert len(begun) == 1 and not list(dump.rglob('*.txt'))
    left = begun[0].read_bytes()
    assert one <= json_flows(tmp_path / 'json1', torn=True) <= one | two
    assert one <= ipfix_flows(tmp_path / 'ipfix1', torn=True).once() <= one | two
    assert left.count(b'\n') > len(one)

    feed = begin(2)
    assert pid.read_text().strip() == str(feed.probe.process.pid)
    one = feed.flows(100)
    feed.ended()
    s = feed.close().summary.check()
    assert s['file_errors'] == 0 and s['records'] == 101
    for name in 'json', 'ipfix':
        assert READ[name](tmp_path / (name + '2')) == one | {TICK}
    assert dump_flows(dump) == one | {TICK}
    assert begun[0].read_bytes() == left and not pid.exists() and not path.exists()
