# SPDX-License-Identifier: BSD-3-Clause
"""What tests of faults use: a probe that reads a pipe the test writes, flow by flow, so that
a fault begins and ends between two flows; and a strict reader of IPFIX messages.

    feed = Feed(serve('-i', '-', ..., stdin=subprocess.PIPE))
    feed.flows(100)     # 100 flows, told to be over
    feed.ended(100)     # wait until the exporters have them
"""
import socket
import struct

from cloud import counters, wait_until

import wire  # of tests/gen

BEGIN = 1700000000
MACS = wire.mac('02:00:00:00:00:01'), wire.mac('02:00:00:00:00:02')
STEP = 10  # seconds of packet time from flows to flows: the idle timeout, and enough
TICK = 0xffffff  # the flow whose packets make time go on; it is the last to end
OPTIONS = ['-d', 2, '-t', 10**6, '-l', 1, '--no-dpi', '--plugin', 'none', '--max-keys', 1000]
TEMPLATE = '%IPV4_SRC_ADDR %IPV4_DST_ADDR %L4_SRC_PORT %L4_DST_PORT %PROTOCOL %IN_PKTS %IN_BYTES'
FLOWS = (257,)  # templates of flows: there is no IPv6
# The same in 150 octets, so that fewer flows fill a queue.
LONG = TEMPLATE + ''.join(' %' + name for name in (
    'OCTET_TOTAL PACKET_TOTAL INITIATOR_OCTETS RESPONDER_OCTETS INITIATOR_PACKETS RESPONDER_PACKETS SYSTEM_INIT_TIME '
    'FLOW_START_MILLISECONDS FLOW_END_MILLISECONDS FLOW_START_MICROSECONDS FLOW_END_MICROSECONDS FLOW_START_SEC '
    'FLOW_END_SEC SRC_TO_DST_AVG_THROUGHPUT SRC_TO_DST_MAX_THROUGHPUT SRC_TO_DST_MIN_THROUGHPUT').split())


def frame(flow):
    """A packet of FLOW."""
    address = socket.inet_ntoa(struct.pack('>I', 0x0a000000 + flow))
    return wire.ethernet(*MACS, 0x0800, wire.ip4(
        address, '192.0.2.1', wire.UDP, wire.udp(address, '192.0.2.1', 40000, 9000, bytes(20))))


def write_flows(path, flows):
    """A capture of a packet of each."""
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, packet in enumerate(map(frame, flows)):
            f.write(struct.pack('<IIII', BEGIN, i, len(packet), len(packet)) + packet)
    return path


class Feed:
    """Writes to PROBE's standard input. Flows have numbers; that of a flow is in its client's
    address."""

    def __init__(self, probe):
        self.probe, self.pipe, self.time, self.sent = probe, probe.process.stdin, BEGIN, 0
        self.pipe.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        self.pipe.flush()
        probe.listening()
        self.frame = frame(0)

    def flows(self, n):
        """N flows of a packet each, and the time in which they end; their numbers."""
        first, head, a, b = self.sent, struct.pack('<II', self.time, 0), self.frame[:26], self.frame[30:]
        size = struct.pack('<II', len(self.frame), len(self.frame))
        head += size
        self.pipe.write(b''.join(head + a + struct.pack('>I', 0x0a000000 + i) + b for i in range(first, first + n)))
        for seconds in range(1, STEP):
            self.pipe.write(struct.pack('<II', self.time + seconds, 0) + size + a +
                            struct.pack('>I', 0x0a000000 + TICK) + b)
        self.pipe.flush()
        self.sent += n
        self.time += STEP
        return set(range(first, first + n))

    def counters(self):
        with self.probe.client() as c:
            return counters(c)

    def ended(self, n=None, seconds=60):
        """Wait until N flows, default all, are with the exporters; the counters."""
        n = self.sent if n is None else n
        wait_until(lambda: self.counters()['records'] >= n, seconds, 'for %d records' % n)
        return self.counters()

    def close(self):
        """The end of the file; the Result."""
        self.pipe.close()
        return self.probe.wait(60).ok()


def number(address):
    """Which flow it is."""
    return struct.unpack('>I', socket.inet_aton(address))[0] - 0x0a000000


class Ipfix:
    """Reads IPFIX messages (NetFlow v9 too), and accepts nothing that is not whole, has no
    template before it, or is not next in the sequence. RECORDS is {flow: times seen}; in a file
    there may be SESSIONS one after another."""

    def __init__(self, sessions=1):
        self.sessions = sessions
        self.templates, self.records, self.next, self.missing, self.told = {}, {}, None, 0, 0

    def stream(self, data, gaps=False):
        """Messages one after another; what is left of the last one."""
        while len(data) >= 16:
            version, length = struct.unpack('>HH', data[:4])
            assert version == 10 and length >= 16, data[:16]
            if length > len(data):
                break
            self.message(data[:length], gaps)
            data = data[length:]
        return data

    def message(self, m, gaps=False):
        """A message; GAPS: datagrams before it may be missing."""
        version = struct.unpack('>H', m[:2])[0]
        assert version in (9, 10), m[:4]
        assert version == 9 or struct.unpack('>H', m[2:4])[0] == len(m)
        sequence = struct.unpack('>I', m[8:12] if version == 10 else m[12:16])[0]
        if sequence == 0 and self.next and self.sessions > 1:
            self.sessions, self.templates, self.next = self.sessions - 1, {}, 0
        if self.next is not None and sequence != self.next:
            assert gaps and sequence > self.next, 'sequence %d, not %d' % (sequence, self.next)
            self.missing += sequence - self.next
        at, n = 16 if version == 10 else 20, 0
        while at < len(m):
            kind, size = struct.unpack('>HH', m[at:at + 4])
            assert 4 < size <= len(m) - at, (kind, size)
            body = m[at + 4:at + size]
            n += self.options(kind, body) if kind in (1, 3) else self.set(version, kind, body)
            at += size
        self.next = sequence + (n if version == 10 else 1)

    def options(self, kind, body):
        """Options templates: the length of a record."""
        while len(body) > 6:
            ident, a, b = struct.unpack('>HHH', body[:6])
            if ident == 0:
                break
            # v9 counts octets of scopes and options, IPFIX fields of both
            count, body = (a + b) // 4 if kind == 1 else a, body[6:]
            self.templates[ident], body = self.fields(count, body)
        return 0

    @staticmethod
    def fields(count, body):
        """[(element, length)] and what follows."""
        found = []
        for _ in range(count):
            element, length = struct.unpack('>HH', body[:4])
            body = body[8 if element & 0x8000 else 4:]
            found.append((element, length))
        return found, body

    def set(self, version, kind, body):
        """A set of templates or of data; how many data records."""
        if kind in (0, 2):
            while len(body) > 4:
                ident, count = struct.unpack('>HH', body[:4])
                self.templates[ident], body = self.fields(count, body[4:])
                self.told += 1
            return 0
        assert kind in self.templates, 'data before its template'
        fields, n = self.templates[kind], 0
        if all(length < 65535 for _, length in fields):  # the short way
            size = sum(length for _, length in fields)
            at = sum(length for element, length in fields[:[e for e, _ in fields].index(8)]) if kind in FLOWS else 0
            for i in range(0, len(body) - size + 1, size):
                n += 1
                if kind in FLOWS:
                    self.flow(body[i + at:i + at + 4])
            return n
        least = sum(1 if length == 65535 else length for _, length in fields)
        while len(body) >= least and (n == 0 or len(body) > 3):
            for element, length in fields:
                if length == 65535:
                    length, body = body[0], body[1:]
                    assert length < 255
                value, body = body[:length], body[length:]
                if element == 8 and kind in FLOWS:
                    self.flow(value)
            n += 1
        return n

    def flow(self, address):
        flow = struct.unpack('>I', address)[0] - 0x0a000000
        self.records[flow] = self.records.get(flow, 0) + 1

    def once(self):
        """The flows seen; none twice."""
        assert set(self.records.values()) <= {1}
        return set(self.records)

