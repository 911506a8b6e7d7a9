# SPDX-License-Identifier: BSD-3-Clause
"""What other people's collectors make of our messages: nfcapd, pmacct and Wireshark read
them, and must find the flows of the same run's JSON, to the millisecond."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest

from conftest import SLOW, flows, free_port, probe

DEFAULT = ['-T', '@DEFAULT@']


def need(*tools):
    for tool in tools:
        if shutil.which(tool, path=os.environ['PATH'] + ':/usr/sbin:/sbin') is None:
            pytest.skip(tool + ' is not installed')


def environment():
    return dict(os.environ, TZ='UTC', PATH=os.environ['PATH'] + ':/usr/sbin:/sbin')


def udp_socket(port):
    """(octets waiting, datagrams dropped) of the UDP socket on PORT; None: none there."""
    for table in ('/proc/net/udp', '/proc/net/udp6'):
        for line in Path(table).read_text().splitlines()[1:]:
            word = line.split()
            if int(word[1].rsplit(':', 1)[1], 16) == port:
                return int(word[4].split(':')[1], 16), int(word[-1])
    return None


def until(what, seconds=10):
    end = time.monotonic() + seconds * SLOW
    while not what():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(.02)


class Server:
    """A collector's process on a port of its own, ended by its number."""

    def __init__(self, port, command, log):
        self.port, self.log = port, open(log, 'wb')
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT, env=environment())
        try:
            until(lambda: udp_socket(port) or self.process.poll() is not None)
        except AssertionError:
            self.end()
            raise
        if self.process.poll() is not None:
            self.end()
            pytest.skip(command[0] + ' does not start: ' + Path(log).read_text()[-300:])

    def taken(self):
        """Wait until it has read everything."""
        until(lambda: udp_socket(self.port)[0] == 0)
        time.sleep(.3)
        assert udp_socket(self.port)[1] == 0, 'the collector lost datagrams'

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Nfcapd(Server):
    def __init__(self, folder, port=None):
        need('nfcapd', 'nfdump')
        folder.mkdir()
        self.folder = folder
        port = port or free_port()
        super().__init__(port, ['nfcapd', '-w', str(folder), '-b', '127.0.0.1', '-p', str(port), '-B', '4000000'],
                         str(folder) + '.log')

    def flows(self):
        """What nfdump reads of it, after the end."""
        self.end()
        out = subprocess.run(['nfdump', '-R', str(self.folder), '-q', '-o', 'json'], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()).stdout
        # With -q some versions leave out the brackets.
        return json.loads(b'[%s]' % out.strip().strip(b'[],'))

    def text(self):
        return Path(str(self.folder) + '.log').read_text(errors='replace')

    def check_sequence(self):
        assert 'Sequence Errors: 0' in self.text(), self.text()[-600:]
        assert 'Bad Packets: 0' in self.text()


@pytest.fixture
def nfcapd(tmp_path):
    made = []

    def make(**kw):
        made.append(Nfcapd(tmp_path / ('nf%d' % len(made)), **kw))
        return made[-1]
    yield make
    for server in made:
        server.end()


def source(r):
    return r.get('IPV4_SRC_ADDR') or r['IPV6_SRC_ADDR']


def target(r):
    return r.get('IPV4_DST_ADDR') or r['IPV6_DST_ADDR']


def ms(seconds):
    return round(seconds * 1000)


def ports(proto, a, b):
    """ICMP has none; collectors show its type and code in their place."""
    return (0, 0) if proto in (1, 58) else (a, b)


def from_json(records):
    return sorted((r['PROTOCOL'], source(r), target(r), *ports(r['PROTOCOL'], r['L4_SRC_PORT'], r['L4_DST_PORT']),
                   r['IN_PKTS'], r['IN_BYTES'], r.get('OUT_PKTS', 0), r.get('OUT_BYTES', 0),
                   ms(r['FIRST_SWITCHED']), ms(r['LAST_SWITCHED'])) for r in records)


def from_nfdump(records):
    def when(text):
        return ms(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())

    def one(r):
        proto = int(r['proto'])
        return (proto, r.get('src4_addr') or r['src6_addr'], r.get('dst4_addr') or r['dst6_addr'],
                *ports(proto, r.get('src_port', 0), r.get('dst_port', 0)),
                r['in_packets'], r['in_bytes'], r.get('out_packets', 0), r.get('out_bytes', 0),
                when(r['first']), when(r['last']))
    return sorted(one(r) for r in records)


def close(ours, theirs):
    """The same rows, times within a millisecond."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a[:-2] == b[:-2]
        assert abs(a[-2] - b[-2]) <= 1 and abs(a[-1] - b[-1]) <= 1, (a, b)


@pytest.mark.parametrize('version, biflow', [
    (5, 'uni'), (9, 'uni'), (9, 'ntop'), (10, 'uni'), (10, 'ntop'), (10, 'rfc5103')])
def test_nfcapd(captures, nfcapd, version, biflow):
    server = nfcapd()
    r = flows(captures(), '-V', version, '-N', biflow, '-n', '127.0.0.1:%d' % server.port, template='@DEFAULT@').ok()
    server.taken()
    records = r.records
    if version == 5:
        assert r.summary['export_no_v5'] == sum('IPV6_SRC_ADDR' in x for x in records) > 0
        records = [x for x in records if 'IPV4_SRC_ADDR' in x]
    close(from_json(records), from_nfdump(server.flows()))
    server.check_sequence()
    assert r.summary['export_records'] == len(records)
    assert r.summary['export_errors'] == r.summary['export_lost'] == 0


@pytest.mark.parametrize('version', [5, 9, 10])
def test_sampling(captures, nfcapd, version):
    """nfcapd learns the rate and multiplies by it."""
    server = nfcapd()
    r = flows(captures(), '-V', version, '-N', 'uni', '-S', 10, '-n', '127.0.0.1:%d' % server.port,
              template='@DEFAULT@').ok()
    server.taken()
    ours = [x for x in r.records if version != 5 or 'IPV4_SRC_ADDR' in x]
    theirs = server.flows()
    assert sum(x['in_packets'] for x in theirs) == 10 * sum(x['IN_PKTS'] for x in ours) > 0
    assert sum(x['in_bytes'] for x in theirs) == 10 * sum(x['IN_BYTES'] for x in ours)


def test_late_collector(captures, nfcapd, start, tmp_path):
    """A collector that starts in the middle gets templates and all flows from then on."""
    need('nfcapd')
    port = free_port()
    out = tmp_path / 'json'
    run = start('-i', captures(), '--no-dpi', '--json', out, '--speed', 4, '-t', 2, '-d', 1, '-l', 1,
                '--templ-interval', 2, '-V', 9, '-n', '127.0.0.1:%d' % port, *DEFAULT)
    time.sleep(2)
    server = nfcapd(port=port)
    r = run.wait(60).ok()
    server.taken()
    ours = from_json([json.loads(line) for line in out.read_text().splitlines()])
    theirs = from_nfdump(server.flows())
    assert 0 < len(theirs) <= len(ours)
    assert not Counter(x[:-2] for x in theirs) - Counter(x[:-2] for x in ours)
    # All it had time to hear of: those that ended in the last part of the capture.
    last = max(x[-1] for x in ours)
    want = Counter(x[:-2] for x in ours if x[-1] > last - 2000)
    assert not want - Counter(x[:-2] for x in theirs)
    s = r.summary
    assert s['export_lost'] > 0
    assert s['export_records'] + s['export_lost'] == s['records']


class Receiver:
    """Datagrams as they came, on a port of ours."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.messages, self.last = [], time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            data = self.socket.recv(65536)
            if not data:
                return
            self.messages.append(data)

    def end(self):
        until(lambda: udp_socket(self.port)[0] == 0)
        # An empty datagram ends the thread after all the others.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b'', ('127.0.0.1', self.port))
        self.thread.join(10)
        self.socket.close()
        return self.messages


def write_pcap(path, messages, port):
    """Datagrams in a capture of plain IPv4."""
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for n, m in enumerate(messages):
            ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28 + len(m), n & 0xffff, 0, 64, 17, 0,
                             bytes([127, 0, 0, 1]), bytes([127, 0, 0, 1]))
            packet = ip + struct.pack('>HHHH', 40000, port, 8 + len(m), 0) + m
            f.write(struct.pack('<IIII', 1700000000 + n, 0, len(packet), len(packet)) + packet)


def tshark(path, *fields, decode_as=None):
    """A row of lists per message: the values of FIELDS."""
    command = ['tshark', '-n', '-r', str(path), '-T', 'fields', '-E', 'separator=;', '-E', 'occurrence=a']
    if decode_as:
        command += ['-d', 'udp.port==%d,cflow' % decode_as]
    for f in fields:
        command += ['-e', f]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         env=environment()).stdout.decode()
    return [[cell.split(',') if cell else [] for cell in line.split(';')] for line in out.splitlines()]


def column(rows, n):
    return Counter(x for row in rows for x in row[n])


def check_tshark(path, records, decode_as=None):
    """Wireshark sees the same addresses, ports, octets and packets, and nothing malformed."""
    rows = tshark(path, 'cflow.srcaddr', 'cflow.dstaddr', 'cflow.srcaddrv6', 'cflow.octets', 'cflow.packets',
                  'cflow.srcport', 'cflow.dstport', 'cflow.post_octets', '_ws.malformed', '_ws.expert',
                  decode_as=decode_as)
    assert column(rows, 0) == Counter(r['IPV4_SRC_ADDR'] for r in records if 'IPV4_SRC_ADDR' in r)
    assert column(rows, 1) == Counter(r['IPV4_DST_ADDR'] for r in records if 'IPV4_DST_ADDR' in r)
    assert column(rows, 2) == Counter(r['IPV6_SRC_ADDR'] for r in records if 'IPV6_SRC_ADDR' in r)
    assert column(rows, 3) == Counter(str(r['IN_BYTES']) for r in records)
    assert column(rows, 4) == Counter(str(r['IN_PKTS']) for r in records)
    udp_tcp = [r for r in records if r['PROTOCOL'] not in (1, 58)]
    assert not Counter(str(r['L4_SRC_PORT']) for r in udp_tcp) - column(rows, 5)
    assert not Counter(str(r['L4_DST_PORT']) for r in udp_tcp) - column(rows, 6)
    if records and 'OUT_BYTES' in records[0]:
        assert column(rows, 7) == Counter(str(r['OUT_BYTES']) for r in records)
    for row in rows:
        assert not row[8] and not row[9], row


@pytest.mark.parametrize('version', [5, 9, 10])
def test_tshark(captures, tmp_path, version):
    need('tshark')
    receiver = Receiver()
    r = flows(captures(), '-V', version, '-N', 'uni' if version == 5 else 'ntop',
              '-n', '127.0.0.1:%d' % receiver.port, template='@DEFAULT@').ok()
    messages = receiver.end()
    assert len(messages) == r.summary['export_messages']
    assert sum(map(len, messages)) == r.summary['export_bytes']
    assert max(map(len, messages)) <= 1420
    write_pcap(tmp_path / 'lo.pcap', messages, receiver.port)
    records = [x for x in r.records if version != 5 or 'IPV4_SRC_ADDR' in x]
    check_tshark(tmp_path / 'lo.pcap', records, decode_as=receiver.port)


@pytest.mark.parametrize('version', [9, 10])
def test_tshark_options(captures, tmp_path, version):
    """Names of applications and interfaces, sampling and statistics are readable."""
    need('tshark')
    receiver = Receiver()
    r = probe('-i', captures(), '-V', version, '-n', '127.0.0.1:%d' % receiver.port, *DEFAULT).ok()
    write_pcap(tmp_path / 'lo.pcap', receiver.end(), receiver.port)
    rows = tshark(tmp_path / 'lo.pcap', 'cflow.sampling_interval', 'cflow.sampling_algorithm', 'cflow.octetsexp',
                  'cflow.if_name', 'cflow.appl_name', '_ws.malformed', decode_as=receiver.port)
    assert set(column(rows, 0)) == {'1'}
    assert set(column(rows, 1)) == {'1'}
    assert column(rows, 2)['0'] == 1
    assert set(column(rows, 3)) == {Path(captures()).name[:32]}
    names = column(rows, 4)
    if names:
        assert {'HTTP', 'DNS', 'Unknown'} <= set(names)
    assert not column(rows, 5)
    assert r.summary['templates_sent'] >= 1


@pytest.mark.parametrize('version', [5, 9, 10])
def test_ipfix_file(captures, tmp_path, version):
    need('tshark')
    path = tmp_path / 'flows.ipfix'
    r = flows(captures(), '-V', version, '--ipfix-file', path, template='@DEFAULT@').ok()
    check_tshark(path, r.records)


def test_strings(captures, tmp_path):
    """Strings of their own length, ours and Wireshark's."""
    need('tshark')
    path = tmp_path / 'flows.ipfix'
    r = probe('-i', captures(), '--json', '-', '-V', 10, '--ipfix-file', path,
              '-T', '%IPV4_SRC_ADDR %L7_INFO %IN_PKTS %OUT_PKTS')
    if 'needs nDPI' in r.text:
        pytest.skip('built without nDPI')
    r.ok()
    rows = tshark(path, 'cflow.packets', '_ws.malformed')
    assert column(rows, 0) == Counter(str(x['IN_PKTS']) for x in r.records)
    assert not column(rows, 1)


def test_tcp(captures, tmp_path):
    """A TCP stream is an IPFIX file on its way."""
    need('tshark')
    server = socket.create_server(('127.0.0.1', 0))
    port, got = server.getsockname()[1], []

    def serve():
        peer, _ = server.accept()
        with peer:
            while data := peer.recv(65536):
                got.append(data)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    r = flows(captures(), '-V', 10, '-n', 'tcp://127.0.0.1:%d' % port, template='@DEFAULT@').ok()
    thread.join(10)
    server.close()
    path = tmp_path / 'stream.ipfix'
    path.write_bytes(b''.join(got))
    check_tshark(path, r.records)
    assert r.summary['export_records'] == r.summary['records']
    assert r.summary['export_lost'] == 0


def test_nobody_there(captures):
    """Dead collectors cost nothing but their records, which are counted."""
    udp, tcp = free_port(), free_port(socket.SOCK_STREAM)
    for spec in ('udp://127.0.0.1:%d' % udp, 'tcp://127.0.0.1:%d' % tcp):
        r = flows(captures(), '-V', 10, '-n', spec, template='@DEFAULT@', timeout=30).ok()
        s = r.summary.check()
        assert s['export_records'] == 0
        assert s['export_lost'] == s['records'] > 0
        assert s['export_errors'] > 0
        assert r.text.count('Connection refused') == 1


def test_all_collectors(captures):
    """-a: the same flows for everybody; without it, each message for one."""
    def run(*extra):
        receivers = [Receiver() for _ in range(2)]
        to = [x for rec in receivers for x in ('-n', '127.0.0.1:%d' % rec.port)]
        r = flows(captures('many', flows=1000), '-V', 9, *to, *extra, template='@DEFAULT@').ok()
        return r, [rec.end() for rec in receivers]
    r, both = run('-a')
    assert both[0] == both[1]
    assert r.summary['export_records'] == 2 * r.summary['records']
    r, half = run()
    assert r.summary['export_records'] == r.summary['records']
    for messages in half:
        sequence = [struct.unpack('>I', m[12:16])[0] for m in messages]
        assert sequence == list(range(len(messages)))
    assert min(map(len, half)) * 3 > max(map(len, half))


@pytest.mark.parametrize('version', [5, 9, 10])
def test_same_datagrams(captures, version):
    runs = []
    for _ in range(2):
        receiver = Receiver()
        flows(captures('many', flows=1000), '-V', version, '-t', 3, '-n', '127.0.0.1:%d' % receiver.port,
              template='@DEFAULT@').ok()
        runs.append(receiver.end())
    assert runs[0] == runs[1]


def test_boot_time(captures):
    """unix_secs * 1000 - sysUptime is one and the same in all headers of v9."""
    receiver = Receiver()
    flows(captures(), '-V', 9, '-t', 2, '-d', 1, '-l', 1, '-n', '127.0.0.1:%d' % receiver.port,
          template='@DEFAULT@').ok()
    boots = set()
    for m in receiver.end():
        uptime, seconds = struct.unpack('>II', m[4:12])
        boots.add(seconds * 1000 - uptime)
    assert len(boots) == 1


NFACCTD = """
nfacctd_ip: 127.0.0.1
nfacctd_port: %d
nfacctd_time_new: false
plugins: print
print_output: json
print_output_file: %s
print_output_file_append: true
print_refresh_time: 1
aggregate: src_host,dst_host,src_port,dst_port,proto,timestamp_start,timestamp_end
timestamps_since_epoch: true
"""


@pytest.mark.parametrize('version', [5, 9, 10])
def test_pmacct(captures, tmp_path, version):
    need('nfacctd')
    port, out = free_port(), tmp_path / 'out'
    (tmp_path / 'conf').write_text(NFACCTD % (port, out))
    server = Server(port, ['nfacctd', '-f', str(tmp_path / 'conf')], tmp_path / 'log')
    try:
        # Its plugin takes a while longer than its socket.
        until(lambda: 'Purging cache - END' in (tmp_path / 'log').read_text())
        r = flows(captures(), '-V', version, '-N', 'uni', '-n', '127.0.0.1:%d' % port, template='@DEFAULT@').ok()
        ours = [x for x in r.records if version != 5 or 'IPV4_SRC_ADDR' in x]
        server.taken()

        def theirs():
            return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
        until(lambda: sum(x['packets'] for x in theirs()) >= sum(x['IN_PKTS'] for x in ours), 15)
        rows = theirs()
    finally:
        server.end(signal.SIGINT)

    def number(name):
        # as nfacctd has them built in; /etc/protocols may be missing
        known = {'icmp': 1, 'igmp': 2, 'tcp': 6, 'udp': 17, 'gre': 47, 'ipv6-icmp': 58, 'icmp6': 58}
        return known[name] if name in known else int(name) if name.isdigit() else socket.getprotobyname(name)
    sums = Counter()
    for x in rows:
        proto = number(x['ip_proto'])
        key = (proto, x['ip_src'], x['ip_dst'], *ports(proto, x['port_src'], x['port_dst']))
        sums[key + ('packets',)] += x['packets']
        sums[key + ('bytes',)] += x['bytes']
    want = Counter()
    for x in ours:
        key = (x['PROTOCOL'], source(x), target(x), *ports(x['PROTOCOL'], x['L4_SRC_PORT'], x['L4_DST_PORT']))
        want[key + ('packets',)] += x['IN_PKTS']
        want[key + ('bytes',)] += x['IN_BYTES']
    assert sums == want
    if version == 10:
        # Of v5 and v9 pmacct keeps the seconds only.
        times = Counter((ms(float(x['timestamp_start'])), ms(float(x['timestamp_end']))) for x in rows)
        assert times == Counter((ms(x['FIRST_SWITCHED']), ms(x['LAST_SWITCHED'])) for x in ours)
