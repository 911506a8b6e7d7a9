# SPDX-License-Identifier: BSD-3-Clause
"""capfile.py -- capture files of Ethernet frames: pcap in its variants, and pcapng."""
import struct

FORMATS = ('pcap', 'pcap-ns', 'pcap-be', 'pcapng')
LINK_ETHERNET = 1
FLUSH = 1 << 20


class Pcap:
    """Classic pcap: microseconds or nanoseconds, either byte order."""

    def __init__(self, out, snaplen, order='<', nanos=False):
        self.out, self.snaplen = out, snaplen
        self.record = struct.Struct(order + 'IIII')
        self.scale = 1000 if nanos else 1
        out.write(struct.pack(order + 'IHHiIII', 0xa1b23c4d if nanos else 0xa1b2c3d4, 2, 4,
                              0, 0, snaplen, LINK_ETHERNET))

    def write(self, t, frame):
        kept = frame[:self.snaplen]
        self.out.write(self.record.pack(t // 1000000, t % 1000000 * self.scale, len(kept),
                                        len(frame)) + kept)

    def write_all(self, packets):
        """Many (t, frame): the short way, for load tests."""
        pack, scale, snap, chunk, size = self.record.pack, self.scale, self.snaplen, [], 0
        for t, frame in packets:
            kept = frame[:snap]
            chunk.append(pack(t // 1000000, t % 1000000 * scale, len(kept), len(frame)))
            chunk.append(kept)
            size += len(kept)
            if size > FLUSH:
                self.out.write(b''.join(chunk))
                chunk, size = [], 0
        self.out.write(b''.join(chunk))


class Pcapng:
    """Section header, one interface, enhanced packet blocks; microseconds."""

    def __init__(self, out, snaplen):
        self.out, self.snaplen = out, snaplen
        self.block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1))
        name = b'gen0'
        options = struct.pack('<HH', 2, len(name)) + name + struct.pack('<HH', 0, 0)
        self.block(1, struct.pack('<HHI', LINK_ETHERNET, 0, snaplen) + options)

    def block(self, kind, body):
        body += b'\0' * (-len(body) % 4)
        size = struct.pack('<I', 12 + len(body))
        self.out.write(struct.pack('<I', kind) + size + body + size)

    def write(self, t, frame):
        kept = frame[:self.snaplen]
        self.block(6, struct.pack('<IIIII', 0, t >> 32, t & 0xffffffff, len(kept),
                                  len(frame)) + kept)

    def write_all(self, packets):
        for t, frame in packets:
            self.write(t, frame)


def writer(out, kind, snaplen=262144):
    if kind == 'pcapng':
        return Pcapng(out, snaplen)
    return Pcap(out, snaplen, '>' if kind == 'pcap-be' else '<', kind == 'pcap-ns')
