# SPDX-License-Identifier: BSD-3-Clause
"""--split cuts connections into transactions: packets and octets stay, and so do the events,
whatever the network did to the segments: lost, late, twice, in pieces, from the middle on."""
import json
import random
import struct
from collections import Counter

import pytest

import capfile
import wire
from conftest import account, flows, probe, totals

SERVER = '192.0.2.1'
T = ('%IP_PROTOCOL_VERSION %IPV4_SRC_ADDR %IPV4_DST_ADDR %L4_SRC_PORT %L4_DST_PORT %PROTOCOL '
     '%IN_PKTS %IN_BYTES %OUT_PKTS %OUT_BYTES %FLOW_START_MICROSECONDS %FLOW_END_MICROSECONDS '
     '%DNS_QUERY %HTTP_URL')
SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16


def dns(n, name, answer=False, more=b''):
    labels = b''.join(bytes([len(x)]) + x for x in name.split(b'.'))
    return struct.pack('!6H', n, 0x8180 if answer else 0x100, 1, 0, 0, 0) + labels + \
        b'\0\0\1\0\1' + more


def sized(message):
    return struct.pack('!H', len(message)) + message


class Network:
    def __init__(self, seed):
        self.random, self.now, self.frames = random.Random(seed), 1_700_000_000_000_000, []

    def send(self, packet):
        self.now += self.random.choice((100, 100, 1000, 200_000))
        self.frames.append((self.now, b'\2' * 6 + b'\4' * 6 + b'\x08\0' + packet))

    def datagram(self, src, dst, sport, dport, data, piece):
        whole, ident = wire.udp(src, dst, sport, dport, data), self.random.randrange(1, 65536)
        for at in range(0, len(whole), piece):
            more = 0x2000 if at + piece < len(whole) else 0
            self.send(wire.ip4(src, dst, 17, whole[at:at + piece], ident=ident,
                               frag=more | at >> 3))

    def lookups(self):
        """From few ports with few ids: questions repeated, answers lost and in fragments."""
        r = self.random
        for i in range(60):
            client, port, n = '10.0.0.%d' % (1 + i % 5), 4000 + i % 3, r.randrange(1, 6)
            name = b'n%d.test' % (i % 4)
            for _ in range(1 + (r.random() < .3)):
                self.datagram(client, SERVER, port, 53, dns(n, name), 1480)
            if r.random() < .8:
                more = b'x' * r.choice((0, 1500, 3000))
                self.datagram(SERVER, client, 53, port, dns(n, name, True, more), 512)

    def connection(self, port, pairs, middle):
        r, client, cport = self.random, '10.0.1.%d' % self.random.randrange(1, 250), \
            self.random.randrange(2000, 60000)
        seq = [r.randrange(1 << 32), r.randrange(1 << 32)]

        def segment(side, at, flags, data=b''):
            ends = (client, SERVER, cport, port), (SERVER, client, port, cport)
            self.send(wire.ip4(*ends[side][:2], 6, wire.tcp(*ends[side], at, seq[1 - side], flags,
                                                           6000, data=data)))
        if not middle:
            segment(0, seq[0] - 1, SYN)
            segment(1, seq[1] - 1, SYN | ACK)
        segments = []
        for pair in pairs:
            for side, data in enumerate(pair):
                while data:
                    n = r.choice((len(data), 7, 100, 1400))
                    segments.append((side, seq[side], data[:n]))
                    seq[side] += len(data[:n])
                    data = data[n:]
        for i in range(len(segments) - 1):
            if r.random() < .15:
                segments[i:i + 2] = segments[i + 1], segments[i]
            if r.random() < .1:
                segments.insert(i + 2, segments[i])
        for side, at, data in segments:
            if r.random() > .03:
                segment(side, at, PSH | ACK, data)
        end = r.random()
        if end < .5:
            segment(0, seq[0], FIN | ACK)
            segment(1, seq[1], FIN | ACK)
        elif end < .7:
            segment(0, seq[0], RST)

    def connections(self):
        r = self.random
        for i in range(40):
            n, middle = range(r.randrange(1, 6)), i % 4 == 0
            bodies = [b'y' * r.randrange(3000) for _ in n]
            self.connection(80, [(b'GET /%d HTTP/1.1\r\nHost: h\r\n\r\n' % k,
                                  b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(bodies[k]) +
                                  bodies[k]) for k in n], middle)
            self.connection(53, [(sized(dns(k, b'a%d.test' % k)),
                                  sized(dns(k, b'a%d.test' % k, True, b'z' * r.randrange(900))))
                                 for k in n], middle)


@pytest.fixture(scope='module', params=(1, 2, 3))
def capture(request, tmp_path_factory):
    net, path = Network(request.param), tmp_path_factory.mktemp('split') / 'split.pcap'
    net.lookups()
    net.connections()
    with path.open('wb') as out:
        capfile.writer(out, 'pcap').write_all(net.frames)
    return path


def sums(records):
    """Packets and octets of each conversation and direction; records of one answer alone,
    or begun by the server, name the ends the other way round: totals() puts them in order."""
    return {k: v[:2] + v[3:5] for k, v in totals(records).items()}


@pytest.mark.parametrize('options', (['--split', 'dns,http'], ['--split', 'dns'], ['--split', 'http'],
                                     [], ['--workers', '2'], ['-t', '2'], ['-d', '1'], ['-M', '16']), ids=str)
def test_conserved(capture, options):
    whole = flows(capture, '--split', 'none', template=T).ok()
    split = flows(capture, *options, template=T).ok()
    account(split)
    assert len(split.records) > len(whole.records) * 1.5
    assert sums(split.records) == sums(whole.records)


def test_same_events(capture):
    def events(split):
        r = probe('-i', capture, '--events', '-', '--publish', 'dns,http', '--probe-id', 'p',
                  '--no-dpi', '--split', split).ok()
        return Counter(json.dumps(json.loads(line), sort_keys=True) for line in r.out.splitlines())
    assert len(events('none')) > 200
    assert events('none') == events('dns,http')
