#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""damage.py -- hostile captures: what traffic.py makes, broken in every way a wire or an
attacker would. The same files each time.

usage: damage.py -o FOLDER [--seed N]

The file NAMES below tell what each holds. Nothing in them may crash, hang or swell a
probe, and it must account for every packet of a file that is whole.
"""
import argparse
import os
import random
import struct

import capfile
import traffic
import wire


def cut(frames, rng):
    """Each kind of packet, cut at every length from 0 to 120."""
    seen = set()
    for t, frame in frames:
        shape = (frame[12:24], len(frame) // 64)
        if shape not in seen and len(seen) < 60:
            seen.add(shape)
            for n in range(min(120, len(frame))):
                yield t, frame[:n]


def flip(frames, rng):
    """Every packet with one to eight bits of its first 80 bytes turned."""
    for t, frame in frames:
        b = bytearray(frame)
        for _ in range(rng.randrange(1, 9)):
            b[rng.randrange(min(80, len(b)))] ^= 1 << rng.randrange(8)
        yield t, bytes(b)


def headers(frames, rng):
    """Every byte of the first 60 in turn set to 0, 1, 0x7f, 0x80, 0xff."""
    for t, frame in frames[::40]:
        for i in range(12, min(60, len(frame))):
            for value in (0, 1, 0x7f, 0x80, 0xff):
                yield t, frame[:i] + bytes([value]) + frame[i + 1:]


def noise(frames, rng):
    """No packets at all: random bytes behind a plausible Ethernet type."""
    for t, frame in frames:
        kind = rng.choice((b'\x08\0', b'\x86\xdd', b'\x81\0', b'\x88\x47', b'\x88\x64', b'\x88\xa8'))
        yield t, frame[:12] + kind + rng.getrandbits(8 * 90).to_bytes(90, 'big')


def nested(frames, rng):
    """Tunnels in tunnels, tags in tags, labels without end."""
    t, frame = frames[-1]
    eth, ip = frame[:12], wire.ip4('192.0.2.1', '192.0.2.2', 17, wire.udp(
        '192.0.2.1', '192.0.2.2', 9, 9, b'inmost'))
    for depth in range(1, 60):
        inner = ip
        for n in range(depth):
            inner = wire.ip4('192.0.2.%d' % (n + 3), '192.0.2.2', (4, 47)[n & 1],
                             (b'' if n % 2 == 0 else b'\0\0\x08\0') + inner)
        yield t, eth + b'\x08\0' + inner
        yield t, eth + (b'\x81\0' + struct.pack('!H', depth)) * depth + b'\x08\0' + ip
        yield t, eth + b'\x88\x47' + struct.pack('!I', depth << 12 | 64) * depth
        chain = b''.join(bytes([0, 0]) + bytes(6) for _ in range(depth))
        yield t, eth + b'\x86\xdd' + wire.ip6('2001:db8::1', '2001:db8::2', 0, chain)


def pieces(frames, rng):
    """Fragments that overlap, repeat, never end, or claim to be beyond 64 KB."""
    t, frame = frames[0]
    for n in range(3000):
        offset = rng.choice((0, 0, 1, 2, 185, 8191, rng.randrange(8192)))
        flags = rng.choice((0x2000, 0)) | offset
        yield t + n * 100, frame[:12] + b'\x08\0' + wire.ip4(
            '192.0.2.%d' % rng.randrange(1, 9), '198.51.100.1', rng.choice((1, 6, 17)),
            rng.getrandbits(8 * 40).to_bytes(40, 'big'), ident=rng.randrange(64), frag=flags)


def backwards(frames, rng):
    """Time runs the wrong way, and jumps by years."""
    for n, (t, frame) in enumerate(frames):
        yield (2 * traffic.START - t if n % 50 else rng.randrange(1 << 32) * 10**6), frame


NAMES = dict(cut=cut, flip=flip, headers=headers, noise=noise, nested=nested, pieces=pieces,
             backwards=backwards)


def broken_files(whole, rng):
    """{name: bytes}: capture files that are not whole."""
    yield 'empty', b''
    yield 'header-cut', whole[:17]
    yield 'magic-only', whole[:4]
    yield 'record-cut', whole[:len(whole) // 2 + 3]
    at = 24 + 16 + struct.unpack('<I', whole[32:36])[0]
    yield 'record-huge', whole[:at + 8] + b'\xff\xff\xff\x7f' * 2 + whole[at + 16:]
    yield 'record-garbage', whole[:2000] + bytes(rng.randrange(256) for _ in range(4000))
    yield 'link-unknown', whole[:20] + struct.pack('<I', 65001) + whole[24:]
    yield 'version', whole[:4] + struct.pack('<HH', 9, 9) + whole[8:]


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('-o', '--output', required=True)
    p.add_argument('--seed', type=int, default=1)
    a = p.parse_args()
    os.makedirs(a.output, exist_ok=True)
    frames = [(x[0], x[2]) for x in traffic.office(a.seed, [
        n for n in traffic.SCENES if n not in traffic.EXTRA]).sorted()]
    for name, make in NAMES.items():
        rng = random.Random('%d %s' % (a.seed, name))
        with open(os.path.join(a.output, name + '.pcap'), 'wb') as out:
            capfile.writer(out, 'pcap').write_all(make(frames, rng))
    whole = os.path.join(a.output, 'whole.pcap')
    with open(whole, 'wb') as out:
        capfile.writer(out, 'pcap').write_all(frames)
    with open(whole, 'rb') as f:
        data = f.read()
    os.remove(whole)
    for name, content in broken_files(data, random.Random(a.seed)):
        with open(os.path.join(a.output, 'broken-%s.pcap' % name), 'wb') as out:
            out.write(content)


if __name__ == '__main__':
    main()
