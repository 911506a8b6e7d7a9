# SPDX-License-Identifier: BSD-3-Clause
"""wire.py -- packets from the link layer to TCP, with right lengths and checksums.

Pure functions that return bytes, and three small classes: a Host has addresses and counts
its IP identifications, a Path knows how two hosts see each other's frames (MAC addresses,
VLAN tags, a tunnel in between), a Trace gathers frames and knows the exact totals of
every flow in it. Times are integers, microseconds since the epoch.
"""
import collections
import ipaddress
import struct

ETH_IP4, ETH_ARP, ETH_VLAN, ETH_QINQ, ETH_IP6 = 0x0800, 0x0806, 0x8100, 0x88a8, 0x86dd
ICMP, TCP, UDP, GRE, ICMP6 = 1, 6, 17, 47, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

# What a flow probe counts of one packet at one IP header.
Layer = collections.namedtuple('Layer', 'src dst proto sport dport octets flags icmp')


def checksum(data):
    """Internet checksum (RFC 1071). Words of 16 bits mod 65535 are the folded sum."""
    if len(data) & 1:
        data += b'\0'
    folded = int.from_bytes(data, 'big') % 0xffff
    return (0xffff - folded) % 0xffff


def mac(text):
    return bytes.fromhex(text.replace(':', ''))


def packed(addr):
    return ipaddress.ip_address(addr).packed


def pseudo(src, dst, proto, length):
    """Pseudo header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1)."""
    s, d = packed(src), packed(dst)
    if len(s) == 4:
        return s + d + struct.pack('!BBH', 0, proto, length)
    return s + d + struct.pack('!IBBBB', length, 0, 0, 0, proto)


def ethernet(src, dst, kind, payload, vlans=()):
    """VLANS: (ethertype, id), the outermost first. Padded to the minimum of 60 bytes."""
    head = dst + src
    for tag, vid in vlans:
        head += struct.pack('!HH', tag, vid)
    return (head + struct.pack('!H', kind) + payload).ljust(60, b'\0')


def ip4(src, dst, proto, payload, ttl=64, ident=0, tos=0, frag=0x4000):
    """FRAG: the 16 bits of flags and offset; default: do not fragment."""
    head = struct.pack('!BBHHHBBH4s4s', 0x45, tos, 20 + len(payload), ident, frag, ttl,
                       proto, 0, packed(src), packed(dst))
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload


def ip6(src, dst, proto, payload, ttl=64, tos=0, label=0):
    return struct.pack('!IHBB16s16s', 6 << 28 | tos << 20 | label, len(payload), proto, ttl,
                       packed(src), packed(dst)) + payload


def tcp(src, dst, sport, dport, seq, ack, flags, window, options=b'', data=b''):
    options += b'\1' * (-len(options) % 4)
    seg = struct.pack('!HHIIBBHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                      (20 + len(options)) << 2, flags, window, 0, 0) + options + data
    sum_ = checksum(pseudo(src, dst, TCP, len(seg)) + seg)
    return seg[:16] + struct.pack('!H', sum_) + seg[18:]


def udp(src, dst, sport, dport, data):
    seg = struct.pack('!HHHH', sport, dport, 8 + len(data), 0) + data
    sum_ = checksum(pseudo(src, dst, UDP, len(seg)) + seg) or 0xffff
    return seg[:6] + struct.pack('!H', sum_) + seg[8:]


def icmp4(kind, code, rest):
    """REST: everything after the checksum."""
    msg = struct.pack('!BBH', kind, code, 0) + rest
    return msg[:2] + struct.pack('!H', checksum(msg)) + msg[4:]


def icmp6(src, dst, kind, code, rest):
    msg = struct.pack('!BBH', kind, code, 0) + rest
    return msg[:2] + struct.pack('!H', checksum(pseudo(src, dst, ICMP6, len(msg)) + msg)) + msg[4:]


class Host:
    """HOPS routers lie between it and the place of capture."""

    def __init__(self, hwaddr, v4, v6=None, hops=0, ttl=64):
        self.mac = mac(hwaddr)
        self.v4, self.v6 = v4, v6
        self.ttl = ttl - hops
        self.ident = sum(packed(v4)) * 257 & 0xffff

    def next_ident(self):
        self.ident = (self.ident + 1) & 0xffff
        return self.ident


class Path:
    """From host A (direction 0 sends) to B. VERSION is of the inner IP."""

    def __init__(self, a, b, version=4, vlans=(), tunnel=None):
        self.ends = (a, b)
        self.version = version
        self.vlans = tuple(vlans)
        self.tunnel = tunnel

    def addr(self, d):
        return self.ends[d].v4 if self.version == 4 else self.ends[d].v6

    def datagram(self, d, proto, payload, tos=0, ttl=None, frag=0x4000, ident=None):
        src = self.ends[d]
        ttl = src.ttl if ttl is None else ttl
        if self.version == 6:
            label = (packed(self.addr(0))[-1] << 8 | packed(self.addr(1))[-1]) & 0xfffff
            return ip6(self.addr(d), self.addr(1 - d), proto, payload, ttl, tos, label)
        ident = src.next_ident() if ident is None else ident
        return ip4(self.addr(d), self.addr(1 - d), proto, payload, ttl, ident, tos, frag)

    def frame(self, d, packet, group=None):
        """GROUP: the multicast or broadcast MAC address it goes to."""
        kind = ETH_IP4 if packet[0] >> 4 == 4 else ETH_IP6
        return ethernet(self.ends[d].mac, group or self.ends[1 - d].mac, kind, packet, self.vlans)


class Tunnel:
    """What PATH's two routers do to a packet: encapsulate it in GRE or VXLAN."""

    def __init__(self, path, kind, key):
        self.path, self.kind, self.key = path, kind, key

    def wrap(self, d, packet, sport):
        """The outer IP packet and its Layer."""
        a, b = self.path.addr(d), self.path.addr(1 - d)
        if self.kind == 'gre':
            # RFC 2784, 2890: key present
            body = struct.pack('!HHI', 0x2000, ETH_IP4 if packet[0] >> 4 == 4 else ETH_IP6,
                               self.key) + packet
            outer = self.path.datagram(d, GRE, body)
            return outer, Layer(a, b, GRE, 0, 0, len(outer), 0, '')
        # RFC 7348: the whole inner frame; the source port is the entropy of the flow
        ends = (mac('02:00:5e:10:00:01'), mac('02:00:5e:10:00:02'))
        inner = ethernet(ends[d], ends[1 - d], ETH_IP4 if packet[0] >> 4 == 4 else ETH_IP6,
                         packet)
        body = udp(a, b, sport, 4789, struct.pack('!II', 0x08000000, self.key << 8) + inner)
        outer = self.path.datagram(d, UDP, body)
        return outer, Layer(a, b, UDP, sport, 4789, len(outer), 0, '')


class Trace:
    def __init__(self):
        self.packets = []  # (time, number, frame, layers, vlan, application)

    def add(self, t, frame, layers=(), vlan='', app=''):
        self.packets.append((t, len(self.packets), frame, tuple(layers), vlan, app))

    def send(self, t, path, d, proto, payload, sport=0, dport=0, flags=0, icmp='', app='',
             group=None, **ip):
        """One L4 segment over PATH, through its tunnel if it has one."""
        packet = path.datagram(d, proto, payload, **ip)
        self.put(t, path, d, packet, Layer(path.addr(d), path.addr(1 - d), proto, sport,
                                           dport, len(packet), flags, icmp), app, group)

    def put(self, t, path, d, packet, layer, app='', group=None):
        layers = [layer]
        link = path
        if path.tunnel:
            entropy = 49152 + (layer.sport * 31 + layer.dport) % 16384
            packet, outer = path.tunnel.wrap(d, packet, entropy)
            layers.insert(0, outer)
            link = path.tunnel.path
        vlan = '.'.join(str(v) for _, v in link.vlans)
        self.add(t, link.frame(d, packet, group), layers, vlan, app)

    def udp(self, t, path, d, sport, dport, data, app='', group=None, **ip):
        seg = udp(path.addr(d), path.addr(1 - d), sport, dport, data)
        self.send(t, path, d, UDP, seg, sport, dport, app=app, group=group, **ip)

    def fragments(self, t, path, d, sport, dport, data, mtu, gap=40, app=''):
        """A UDP datagram larger than the MTU, in IP fragments."""
        seg = udp(path.addr(d), path.addr(1 - d), sport, dport, data)
        ident = path.ends[d].next_ident()
        room = (mtu - (20 if path.version == 4 else 48)) & ~7
        for off in range(0, len(seg), room):
            part, more = seg[off:off + room], off + room < len(seg)
            if path.version == 4:
                packet = path.datagram(d, UDP, part, frag=more << 13 | off >> 3, ident=ident)
            else:
                head = struct.pack('!BBHI', UDP, 0, off | more, 0x5eed0000 | ident)
                packet = path.datagram(d, 44, head + part)
            # Later fragments belong to the flow of the first.
            self.put(t, path, d, packet, Layer(path.addr(d), path.addr(1 - d), UDP, sport,
                                               dport, len(packet), 0, ''), app)
            t += gap
        return t

    def sorted(self):
        return sorted(self.packets, key=lambda p: p[:2])

    def flows(self, outer=False):
        """Totals per 5-tuple, the sender of the first packet being the source: rows of
        the columns proto src sport dst dport pkts_fwd oct_fwd pkts_rev oct_rev first last
        flags_fwd flags_rev l7 vlan encap icmp."""
        table = {}
        for t, _, _, layers, vlan, app in self.sorted():
            if not layers:
                continue
            at = layers[0] if outer else layers[-1]
            a, b = (at.src, at.sport), (at.dst, at.dport)
            key = (at.proto,) + tuple(sorted((a, b)))
            flow = table.setdefault(key, dict(
                proto=at.proto, src=a, dst=b, pkts=[0, 0], octets=[0, 0], first=t, last=t,
                flags=[0, 0], app=app, vlan=vlan, icmp=set()))
            d = 0 if flow['src'] == a else 1
            flow['pkts'][d] += 1
            flow['octets'][d] += at.octets
            flow['flags'][d] |= at.flags
            flow['last'] = t
            if at.icmp:
                flow['icmp'].add(at.icmp)
        for f in table.values():
            yield (f['proto'], *f['src'], *f['dst'], f['pkts'][0], f['octets'][0],
                   f['pkts'][1], f['octets'][1], '%d.%06d000' % divmod(f['first'], 10**6),
                   '%d.%06d000' % divmod(f['last'], 10**6), '%02x' % f['flags'][0],
                   '%02x' % f['flags'][1], f['app'] or '-', f['vlan'] or '-', '-',
                   ','.join(sorted(f['icmp'])) or '-')


class Conversation:
    """A TCP connection seen next to its client: what the server sends arrives RTT after
    what it answers, acknowledgements of the client leave at once. SELF.T is now."""

    MSS = 1448

    def __init__(self, trace, path, sport, dport, t, rtt, rng, app='', tos=0, mss=None):
        self.trace, self.path, self.ports, self.t = trace, path, (sport, dport), t
        self.rtt, self.app, self.tos = rtt, app, tos
        self.mss = mss or (self.MSS if path.version == 4 else self.MSS - 20)
        self.next = [rng.getrandbits(32), rng.getrandbits(32)]  # next sequence number
        self.stamp = [rng.getrandbits(30), rng.getrandbits(30)]  # timestamps, RFC 7323
        self.echo = [0, 0]
        self.window = [502, 509]
        self.t0 = t

    def segment(self, d, flags, data=b'', seq=None, at=None, syn_options=False):
        at = self.t if at is None else at
        seq = self.next[d] if seq is None else seq
        val = (self.stamp[d] + (at - self.t0) // 1000) & 0xffffffff
        stamp = struct.pack('!BBII', 8, 10, val, self.echo[d])
        if syn_options:
            options = struct.pack('!BBHBB', 2, 4, self.mss + 12, 4, 2) + stamp + b'\1\3\3\7'
        else:
            options = b'\1\1' + stamp
        if flags & RST and not flags & ACK:
            options = b''
        ack = self.next[1 - d] if flags & ACK else 0
        seg = tcp(self.path.addr(d), self.path.addr(1 - d), self.ports[d], self.ports[1 - d],
                  seq, ack, flags, 64240 if flags & SYN else self.window[d], options, data)
        self.trace.send(at, self.path, d, TCP, seg, self.ports[d], self.ports[1 - d], flags,
                        app=self.app, tos=self.tos)
        self.echo[1 - d] = val

    def open(self):
        self.segment(0, SYN, syn_options=True)
        self.next[0] += 1
        self.t += self.rtt
        self.segment(1, SYN | ACK, syn_options=True)
        self.next[1] += 1
        self.t += 35
        self.segment(0, ACK)
        self.t += 90
        return self

    def ack(self, d):
        self.t += self.rtt if d else 28
        self.segment(d, ACK)

    def send(self, d, data, wait=0, gap=110, again=(), late=(), ack=True):
        """DATA in segments, acknowledged every second one and at the end. AGAIN: numbers of
        segments that are sent once more; LATE: numbers that arrive after the next one."""
        self.t += wait + (self.rtt if d else 0)
        parts = [data[i:i + self.mss] for i in range(0, len(data), self.mss)]
        order = list(range(len(parts)))
        for i in late:
            order[i], order[i + 1] = order[i + 1], order[i]
        base = self.next[d]
        for n, i in enumerate(order):
            flags = ACK | (PSH if i == len(parts) - 1 else 0)
            self.segment(d, flags, parts[i], base + i * self.mss)
            self.next[d] = max(self.next[d], base + i * self.mss + len(parts[i]))
            self.t += gap
            if d and n % 2 and n < len(order) - 1:
                self.segment(0, ACK, at=self.t - gap // 2)
        for i in again:
            self.t += 210000  # the retransmission timer
            self.segment(d, ACK | PSH, parts[i], base + i * self.mss)
        if ack:
            self.ack(1 - d)
        self.t += 60
        return self

    def close(self, first=0):
        self.segment(first, FIN | ACK)
        self.next[first] += 1
        self.t += self.rtt if first == 0 else 45
        self.segment(1 - first, FIN | ACK)
        self.next[1 - first] += 1
        self.t += self.rtt if first == 1 else 45
        self.segment(first, ACK)
        self.t += 100
        return self

    def reset(self, d):
        self.segment(d, RST | ACK)
        self.t += 100
        return self
