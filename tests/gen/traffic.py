#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""traffic.py -- make a capture of a small office's traffic, and tell what is in it.

usage: traffic.py -o OUT.pcap [--format pcap|pcap-ns|pcap-be|pcapng] [--what LIST]
                  [--seed N] [--flows N] [--packets N] [--seconds N] [--snaplen N]
                  [--truth FILE] [--truth-outer FILE]

LIST names scenes, by commas; all is every scene but long. Two are for load tests and
stand alone:
  many      --flows N conversations (every third TCP) of --packets P each (4), side by
            side within --seconds S (8)
  synflood  --flows N SYNs from as many addresses to one server within 0.4 s

The same arguments make the same bytes everywhere. --truth writes the totals of every
5-tuple as tab separated text: what a probe with --tunnel must count; --truth-outer: what
one without it must count. Python's standard library is enough.
"""
import argparse
import random
import struct
import sys

import apps
import capfile
import wire
from wire import Conversation, Host, Layer, Path, Trace, Tunnel

START = 1700000000 * 10**6  # 2023-11-14 22:13:20 UTC
SECOND, MS = 10**6, 10**3
COLUMNS = ('proto src sport dst dport pkts_fwd oct_fwd pkts_rev oct_rev first last flags_fwd '
           'flags_rev l7 vlan encap icmp')


class Office:
    """The hosts: three clients behind one router, servers beyond it. All addresses are
    from the private and the documentation ranges (RFC 1918, 5737, 3849)."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.trace = Trace()
        self.port = 40000
        gate = '02:00:5e:00:00:01'
        self.clients = [Host('02:00:5e:00:01:%02x' % n, '192.168.10.%d' % n,
                             '2001:db8:10::%x' % n) for n in (11, 12, 13)]
        self.router = Host(gate, '192.168.10.1', '2001:db8:10::1')
        self.resolver = Host('02:00:5e:00:00:53', '192.168.10.53', '2001:db8:10::53')
        self.nas = Host('02:00:5e:00:00:18', '192.168.10.18')
        self.radius = Host('02:00:5e:00:00:19', '192.168.10.19')
        self.servers = [Host(gate, '198.51.100.%d' % n, '2001:db8:aaaa::%x' % n, hops=9)
                        for n in range(1, 20)]
        self.others = [Host(gate, '203.0.113.%d' % n, '2001:db8:bbbb::%x' % n, hops=13)
                       for n in range(1, 20)]

    def at(self, seconds):
        """A moment of the trace, a little off the full figure."""
        return START + int(seconds * SECOND) + self.rng.randrange(900)

    def sport(self):
        """The next ephemeral port."""
        self.port += self.rng.randrange(1, 40)
        return self.port

    def rtt(self, low=4, high=60):
        return self.rng.randrange(low * MS, high * MS)

    def tcp(self, client, server, dport, t, app='', version=4, vlans=(), tunnel=None, **kw):
        path = Path(client, server, version, vlans, tunnel)
        return Conversation(self.trace, path, self.sport(), dport, t, self.rtt(), self.rng,
                            app, **kw)

    def ask(self, t, path, dport, question, answer, app, delay=None, sport=None):
        """A UDP question and, unless None, its answer."""
        sport = sport or self.sport()
        self.trace.udp(t, path, 0, sport, dport, question, app)
        t += delay or self.rng.randrange(300, 30000)
        if answer is not None:
            self.trace.udp(t, path, 1, dport, sport, answer, app)
        return t + self.rng.randrange(200, 900)


def dns(o):
    table = [('www.example.com', 'A', '198.51.100.1'), ('www.example.com', 'AAAA', '2001:db8:aaaa::1'),
             ('mail.example.net', 'MX', (10, 'mx1.example.net')), ('pkg.sample.org', 'A', '198.51.100.5'),
             ('example.org', 'TXT', ('v=spf1 -all', 'a second string')), ('en.wikipedia.org', 'A', '198.51.100.3'),
             ('github.com', 'A', '203.0.113.4'), ('5.100.51.198.in-addr.arpa', 'PTR', 'pkg.sample.org')]
    for n, (name, kind, value) in enumerate(table):
        ident = o.rng.getrandbits(16)
        records = [apps.dns_record(None, kind, 300 + n, value)]
        path = Path(o.clients[n % 3], o.resolver, 6 if n % 4 == 3 else 4)
        o.ask(o.at(.2 + n * .35), path, 53, apps.dns_query(ident, name, kind),
              apps.dns_answer(ident, name, kind, records), 'dns')
    path = Path(o.clients[0], o.resolver)
    # A name behind an alias; one that does not exist; one that is never answered.
    o.ask(o.at(3.3), path, 53, apps.dns_query(7001, 'cdn.example.com', 'A', edns=False),
          apps.dns_answer(7001, 'cdn.example.com', 'A', [
              apps.dns_record(None, 'CNAME', 60, 'edge.example.net'),
              apps.dns_record('edge.example.net', 'A', 20, '203.0.113.9')]), 'dns')
    soa = [apps.dns_record('example.com', 'SOA', 900, 'ns1.example.com')]
    o.ask(o.at(3.6), path, 53, apps.dns_query(7002, 'no-such-name.example.com', 'A'),
          apps.dns_answer(7002, 'no-such-name.example.com', 'A', rcode=3, authority=soa), 'dns')
    lost = apps.dns_query(7003, 'slow.example.org', 'A')
    port = o.sport()
    for again in (3.9, 8.9):
        o.ask(o.at(again), path, 53, lost, None, 'dns', sport=port)
    # Too long for UDP: the truncation bit, then the same question over TCP.
    name = 'big.example.net'
    o.ask(o.at(4.2), path, 53, apps.dns_query(7004, name, 'TXT'),
          apps.dns_answer(7004, name, 'TXT', flags=0x8380), 'dns')
    c = o.tcp(o.clients[0], o.resolver, 53, o.at(4.25), 'dns').open()
    c.send(0, apps.dns_tcp(apps.dns_query(7005, name, 'TXT')))
    text = [apps.dns_record(None, 'TXT', 60, ('%d ' % n + 'x' * 190,)) for n in range(10)]
    c.send(1, apps.dns_tcp(apps.dns_answer(7005, name, 'TXT', text))).close()


def http(o):
    a, b = o.clients[0], o.clients[1]
    c = o.tcp(a, o.servers[0], 80, o.at(1), 'http').open()
    for n, (target, size) in enumerate((('/', 4200), ('/style.css', 1900), ('/logo.svg', 2600))):
        c.send(0, apps.http_request('GET', 'www.example.com', target), wait=n * 40 * MS)
        mime = ('text/html', 'text/css', 'image/svg+xml')[n]
        body = b'<svg xmlns="http://www.w3.org/2000/svg"/>' if n == 2 else apps.page(o.rng, size)
        c.send(1, apps.http_response(200, 'OK', mime, body), wait=3 * MS)
    c.send(0, apps.http_request('GET', 'www.example.com', '/missing?q=1&r=%20'), wait=90 * MS)
    c.send(1, apps.http_response(404, 'Not Found', 'text/html', apps.page(o.rng, 160)))
    c.close()
    c = o.tcp(b, o.servers[1], 80, o.at(2), 'http').open()
    c.send(0, apps.http_request('GET', 'data.example.org', '/report.txt'))
    c.send(1, apps.http_response(200, 'OK', 'text/plain', apps.page(o.rng, 5200), chunked=True),
           wait=45 * MS).close(1)
    c = o.tcp(b, o.servers[2], 8080, o.at(3), 'http').open()
    form = b'user=jane&comment=caf%C3%A9+at+noon'
    c.send(0, apps.http_request('POST', 'forms.example.net:8080', '/comment', body=form, extra=[
        'Content-Type: application/x-www-form-urlencoded', 'Referer: http://forms.example.net/']))
    c.send(1, apps.http_response(303, 'See Other', 'text/html', b'', extra=['Location: /thanks']),
           wait=20 * MS)
    c.send(0, apps.http_request('HEAD', 'forms.example.net:8080', '/thanks', agent='curl/7.88.1'))
    c.send(1, b'HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 420\r\n\r\n').close()
    c = o.tcp(o.clients[2], o.servers[3], 80, o.at(4), 'http', version=6).open()
    c.send(0, apps.http_request('GET', 'pkg.sample.org', '/debian/dists/bookworm/InRelease',
                                agent='Debian APT-HTTP/1.3 (2.6.1)'))
    c.send(1, apps.http_response(200, 'OK', 'text/plain', apps.page(o.rng, 14000))).close()


def tls(o):
    sites = [('www.wikipedia.org', True), ('github.com', True), ('www.example.com', False),
             ('api.example.net', True), ('www.debian.org', False), ('mail.example.org', True)]
    for n, (name, tls13) in enumerate(sites):
        client = o.clients[n % 3]
        c = o.tcp(client, o.others[n], 443, o.at(1.5 + n * .8), 'tls', version=6 if n == 3 else 4)
        c.open()
        hello, session = apps.tls_client_hello(o.rng, name, tls13=tls13)
        c.send(0, hello)
        flight = apps.tls_server_hello(o.rng, session, tls13)
        if tls13:
            c.send(1, apps.tls_record(22, flight) + apps.tls_record(20, b'\1') +
                   apps.tls_record(23, apps.noise(o.rng, 2400 + n * 31)), wait=2 * MS)
            c.send(0, apps.tls_record(20, b'\1') + apps.tls_record(23, apps.noise(o.rng, 74)),
                   ack=False)
        else:
            flight += apps.tls12_flight(o.rng, name)
            c.send(1, apps.tls_record(22, flight), wait=2 * MS)
            keys = apps.tls_handshake(16, apps.vec(1, apps.noise(o.rng, 32)))
            c.send(0, apps.tls_record(22, keys) + apps.tls_record(20, b'\1') +
                   apps.tls_record(22, apps.noise(o.rng, 40)))
            c.send(1, apps.tls_record(20, b'\1') + apps.tls_record(22, apps.noise(o.rng, 40)))
        for size in (3000, 900, 7000)[:1 + n % 3]:
            c.send(0, apps.tls_record(23, apps.noise(o.rng, 300 + o.rng.randrange(200))), wait=30 * MS)
            c.send(1, apps.tls_record(23, apps.noise(o.rng, size)), wait=o.rng.randrange(30 * MS))
        c.close(n % 2)


def quic(o):
    for n, version in enumerate((4, 6)):
        path, port = Path(o.clients[n], o.others[8 + n], version), o.sport()
        t, rtt = o.at(5 + n), o.rtt(5, 30)
        there, here = apps.noise(o.rng, 8), apps.noise(o.rng, 5)
        server = apps.noise(o.rng, 8)

        def put(d, data):
            o.trace.udp(t, path, d, (port, 443)[d], (443, port)[d], data, 'quic')
        put(0, apps.quic_long(o.rng, 0, there, here, 1200))
        t += rtt
        put(1, apps.quic_long(o.rng, 0, here, server, 1200))
        t += 80
        put(1, apps.quic_long(o.rng, 2, here, server, 1020))
        t += 300
        put(0, apps.quic_long(o.rng, 0, server, here, 1200))
        put(0, apps.quic_long(o.rng, 2, server, here, 96))
        for size in (1180, 1180, 640, 44):
            t += rtt // 4
            put(1, apps.quic_short(o.rng, here, size))
            t += 60
            put(0, apps.quic_short(o.rng, server, 41))


def ssh(o):
    c = o.tcp(o.clients[2], o.others[12], 22, o.at(2.2), 'ssh', tos=0x48).open()
    c.send(0, b'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u1\r\n')
    c.send(1, b'SSH-2.0-OpenSSH_8.4p1 Debian-5\r\n')
    c.send(0, apps.ssh_kexinit(o.rng)).send(1, apps.ssh_kexinit(o.rng))
    c.send(0, apps.ssh_ecdh_init(o.rng)).send(1, apps.ssh_ecdh_reply(o.rng), wait=4 * MS)
    c.send(0, apps.ssh_packet(o.rng, b'\x15'))
    for n in range(14):
        c.send(0, apps.noise(o.rng, 36), wait=o.rng.randrange(90 * MS, 400 * MS))
        c.send(1, apps.noise(o.rng, 36 + 28 * (n % 3)))
    c.close()


def icmp(o):
    def echo(path, t, ident, count):
        for seq in range(1, count + 1):
            rest = struct.pack('!HHQ', ident, seq, t) + bytes(range(16, 64))
            for d in (0, 1):
                if path.version == 4:
                    kind = (8, 0)[d]
                    body, proto = wire.icmp4(kind, 0, rest), wire.ICMP
                else:
                    kind = (128, 129)[d]
                    body, proto = wire.icmp6(path.addr(d), path.addr(1 - d), kind, 0, rest), wire.ICMP6
                o.trace.send(t + d * 11300 + seq * 17, path, d, proto, body, icmp='%d/0' % kind)
            t += SECOND
    echo(Path(o.clients[0], o.servers[5]), o.at(1), 4711, 4)
    echo(Path(o.clients[1], o.servers[6], 6), o.at(2), 4712, 3)
    # A datagram to a closed port, and the host's answer that quotes it.
    for version, t in ((4, o.at(3)), (6, o.at(3.2))):
        path, port = Path(o.clients[2], o.servers[7], version), o.sport()
        data = b'anybody there?'
        o.trace.udp(t, path, 0, port, 33434, data)
        quoted = path.datagram(0, wire.UDP, wire.udp(path.addr(0), path.addr(1), port, 33434, data))
        if version == 4:
            body = wire.icmp4(3, 3, bytes(4) + quoted)
            o.trace.send(t + 9000, path, 1, wire.ICMP, body, icmp='3/3', tos=0xc0)
        else:
            body = wire.icmp6(path.addr(1), path.addr(0), 1, 4, bytes(4) + quoted)
            o.trace.send(t + 9000, path, 1, wire.ICMP6, body, icmp='1/4')
    # A traceroute's first step.
    path, port = Path(o.clients[0], o.servers[8]), o.sport()
    seg = wire.udp(path.addr(0), path.addr(1), port, 33435, bytes(32))
    packet = path.datagram(0, wire.UDP, seg, ttl=1)
    t = o.at(4)
    o.trace.put(t, path, 0, packet, Layer(path.addr(0), path.addr(1), wire.UDP, port, 33435,
                                          len(packet), 0, ''))
    back = Path(o.clients[0], o.router)
    o.trace.send(t + 400, back, 1, wire.ICMP, wire.icmp4(11, 0, bytes(4) + packet[:28]),
                 icmp='11/0', tos=0xc0)
    # Neighbour discovery (RFC 4861 4.3, 4.4).
    me, it = o.clients[1], o.router
    there = Path(me, Host('33:33:ff:00:00:01', '224.0.0.1', 'ff02::1:ff00:1'), 6)
    body = wire.icmp6(there.addr(0), there.addr(1), 135, 0, bytes(4) + wire.packed(it.v6) + b'\1\1' + me.mac)
    o.trace.send(o.at(.5), there, 0, wire.ICMP6, body, icmp='135/0', ttl=255)
    path = Path(me, it, 6)
    body = wire.icmp6(path.addr(1), path.addr(0), 136, 0, b'\x60\0\0\0' + wire.packed(it.v6) + b'\2\1' + it.mac)
    o.trace.send(o.at(.51), path, 1, wire.ICMP6, body, icmp='136/0', ttl=255)


def vlan(o):
    tagged = [[(wire.ETH_VLAN, 20)], [(wire.ETH_QINQ, 100), (wire.ETH_VLAN, 30)],
              [(wire.ETH_VLAN, 200), (wire.ETH_VLAN, 31)]]
    for n, tags in enumerate(tagged):
        c = o.tcp(o.clients[n], o.servers[9 + n], 80, o.at(5 + n), 'http', version=(4, 6, 4)[n],
                  vlans=tags, mss=1440 - 40)
        name = 'vlan%d.example.com' % tags[-1][1]
        c.open().send(0, apps.http_request('GET', name, '/'))
        c.send(1, apps.http_response(200, 'OK', 'text/html', apps.page(o.rng, 1700))).close()
        path = Path(o.clients[n], o.resolver, vlans=tags)
        o.ask(o.at(4.9 + n), path, 53, apps.dns_query(8000 + n, name, 'A'),
              apps.dns_answer(8000 + n, name, 'A', [apps.dns_record(None, 'A', 60, '198.51.100.%d' % (10 + n))]),
              'dns')


def radius(o):
    path = Path(o.nas, o.radius)
    nas = [(4, bytes([192, 168, 10, 18])), (32, 'nas1'), (5, 7), (31, '02-00-5E-00-01-0B'),
           (30, '02-00-5E-00-00-18:office')]
    t, port = o.at(1.1), o.sport()
    for ident, user, code in ((1, 'jane@example.org', 2), (2, 'mallory', 3)):
        ask, auth = apps.radius_signed(o.rng, ident, apps.radius_attributes(
            (1, user), (2, apps.radius_password(o.rng, 'secret')), *nas))
        reply = apps.radius_attributes((8, bytes([192, 168, 10, 11])), (27, 3600)) if code == 2 \
            else apps.radius_attributes((18, 'no such user'))
        t = o.ask(t, path, 1812, ask, apps.radius_reply(code, ident, auth, reply), 'radius',
                  sport=port) + 400 * MS
    t, port = o.at(2.3), o.sport()
    for ident, (status, seconds, octets) in enumerate(((1, 0, 0), (3, 10, 43210), (2, 20, 98765))):
        attributes = [(40, status), (1, 'jane@example.org'), (44, '5f3a0001'),
                      (8, bytes([192, 168, 10, 11])), *nas]
        if status != 1:
            attributes += [(46, seconds), (42, octets), (43, octets * 9), (47, octets // 500),
                           (48, octets // 90)]
        ask, auth = apps.radius_request(o.rng, 4, ident, apps.radius_attributes(*attributes))
        o.ask(t, path, 1813, ask, apps.radius_reply(5, ident, auth, b''), 'radius', sport=port)
        t += 10 * SECOND


def ntp(o):
    for n in range(3):
        path = Path(o.clients[n], o.others[14 + n], 6 if n == 2 else 4)
        for t in (o.at(2 + n), o.at(18 + n)):
            ask, stamp = apps.ntp(3, 0, t)
            delay = o.rng.randrange(5 * MS, 25 * MS)
            answer, _ = apps.ntp(4, 2, t + delay // 2, stamp)
            o.ask(t, path, 123, ask, answer, 'ntp', delay, 123)


def dhcp(o):
    everyone = Host('ff:ff:ff:ff:ff:ff', '255.255.255.255')
    me = o.clients[2]
    nobody = Host('02:00:5e:00:01:0d', '0.0.0.0')
    ours, server = wire.packed(me.v4), wire.packed(o.router.v4)
    lease = [(54, server), (51, struct.pack('!I', 7200)), (1, b'\xff\xff\xff\0'), (3, server),
             (6, wire.packed(o.resolver.v4)), (15, b'example.org')]
    name = [(12, b'desk-13'), (55, bytes([1, 3, 6, 15, 42]))]
    t, up, down = o.at(.1), Path(nobody, everyone), Path(o.router, everyone)
    for kind, options in ((1, name), (3, name + [(50, ours), (54, server)])):
        o.trace.udp(t, up, 0, 68, 67, apps.dhcp(1, 0x3903f326, kind, me.mac, options=options), 'dhcp')
        t += 1400
        o.trace.udp(t, down, 0, 67, 68, apps.dhcp(2, 0x3903f326, 2 if kind == 1 else 5, me.mac,
                                                  me.v4, lease), 'dhcp')
        t += 700


def mdns(o):
    group = Host('01:00:5e:00:00:fb', '224.0.0.251', 'ff02::fb')
    group6 = Host('33:33:00:00:00:fb', '224.0.0.251', 'ff02::fb')
    ask = apps.dns_query(0, '_ipp._tcp.local', 'PTR', edns=False, flags=0)
    for version, to in ((4, group), (6, group6)):
        path = Path(o.clients[0], to, version)
        for t in (.8, 1.8):
            o.trace.udp(o.at(t), path, 0, 5353, 5353, ask, 'mdns', ttl=255)
    records = [apps.dns_record('_ipp._tcp.local', 'PTR', 4500, 'printer._ipp._tcp.local'),
               apps.dns_record('printer._ipp._tcp.local', 'SRV', 120, (631, 'printer.local'), 0x8001),
               apps.dns_record('printer.local', 'A', 120, '192.168.10.60', 0x8001)]
    printer = Host('02:00:5e:00:01:60', '192.168.10.60')
    answer = struct.pack('!HHHHHH', 0, 0x8400, 0, len(records), 0, 0) + b''.join(records)
    o.trace.udp(o.at(.86), Path(printer, group), 0, 5353, 5353, answer, 'mdns', ttl=255)


def fragments(o):
    for n, (version, size) in enumerate(((4, 4000), (6, 3000), (4, 1600))):
        path, port = Path(o.clients[n], o.servers[13], version), o.sport()
        t = o.at(6 + n)
        t = o.trace.fragments(t, path, 0, port, 9000 + n, apps.noise(o.rng, size), 1500)
        o.trace.fragments(t + 9000, path, 1, 9000 + n, port, apps.noise(o.rng, size - 90), 1500)


def retransmissions(o):
    c = o.tcp(o.clients[0], o.servers[14], 80, o.at(6), 'http').open()
    c.send(0, apps.http_request('GET', 'lossy.example.com', '/a'))
    c.send(1, apps.http_response(200, 'OK', 'text/html', apps.page(o.rng, 9000)), again=(2, 6))
    c.close()
    c = o.tcp(o.clients[1], o.servers[15], 80, o.at(7), 'http', version=6).open()
    c.send(0, apps.http_request('GET', 'bent.example.com', '/b'), again=(0,))
    c.send(1, apps.http_response(200, 'OK', 'text/html', apps.page(o.rng, 9000)), late=(1, 4)).close()


def resets(o):
    c = o.tcp(o.clients[2], o.servers[16], 5432, o.at(8)).open()
    c.send(0, apps.noise(o.rng, 50), ack=False).reset(1)
    c = o.tcp(o.clients[2], o.servers[17], 25, o.at(8.5))  # nobody answers
    for wait in (0, 1, 3):
        c.t += wait * SECOND
        c.segment(0, wire.SYN, syn_options=True)


def scan(o):
    ports = [21, 22, 23, 25, 53, 80, 110, 135, 139, 143, 443, 445, 1433, 3306, 3389, 5900]
    sport, t = o.sport(), o.at(9)
    for n, port in enumerate(ports):
        c = Conversation(o.trace, Path(o.others[17], o.clients[1]), sport, port, t + n * 3100, 180,
                         o.rng)
        c.segment(0, wire.SYN)
        c.next[0] += 1
        c.t += c.rtt
        if port in (22, 80):
            c.segment(1, wire.SYN | wire.ACK, syn_options=True)
            c.t += 200
            c.segment(0, wire.RST)
        else:
            c.segment(1, wire.RST | wire.ACK, seq=0)


def tunnels(o):
    ends = (Host('02:00:5e:00:00:a1', '192.0.2.1', '2001:db8:cccc::1'),
            Host('02:00:5e:00:00:a2', '192.0.2.2', '2001:db8:cccc::2'))
    for n, (kind, inner) in enumerate((('gre', 4), ('vxlan', 4), ('gre', 6))):
        tunnel = Tunnel(Path(*ends), kind, 4096 + n)
        left = Host('02:00:5e:10:00:01', '10.1.%d.5' % n, '2001:db8:1:%x::5' % n)
        right = Host('02:00:5e:10:00:02', '10.2.%d.6' % n, '2001:db8:2:%x::6' % n)
        c = o.tcp(left, right, 80, o.at(9.5 + n), 'http', version=inner, tunnel=tunnel, mss=1340)
        c.open().send(0, apps.http_request('GET', 'inside.example.org', '/%s' % kind))
        c.send(1, apps.http_response(200, 'OK', 'text/html', apps.page(o.rng, 2500))).close()
        o.ask(o.at(9.4 + n), Path(left, right, inner, tunnel=tunnel), 53,
              apps.dns_query(9000 + n, 'inside.example.org', 'A'),
              apps.dns_answer(9000 + n, 'inside.example.org', 'A',
                              [apps.dns_record(None, 'A', 60, '10.2.%d.6' % n)]), 'dns')


def arp(o):
    for n, (client, other) in enumerate(((o.clients[0], o.router), (o.clients[1], o.resolver))):
        t = o.at(.05 + n)
        ask = struct.pack('!HHBBH6s4s6s4s', 1, wire.ETH_IP4, 6, 4, 1, client.mac,
                          wire.packed(client.v4), bytes(6), wire.packed(other.v4))
        o.trace.add(t, wire.ethernet(client.mac, b'\xff' * 6, wire.ETH_ARP, ask))
        say = struct.pack('!HHBBH6s4s6s4s', 1, wire.ETH_IP4, 6, 4, 2, other.mac,
                          wire.packed(other.v4), client.mac, wire.packed(client.v4))
        o.trace.add(t + 130, wire.ethernet(other.mac, client.mac, wire.ETH_ARP, say))


def long(o):
    """Two conversations that outlive the usual active timeout of 120 s: one that never
    pauses, one with a pause longer than the idle timeout."""
    path, port = Path(o.clients[0], o.others[16]), o.sport()
    for n in range(200):
        o.trace.udp(o.at(n * 2), path, n % 2, (port, 5004)[n % 2], (5004, port)[n % 2],
                    apps.noise(o.rng, 160))
    c = o.tcp(o.clients[1], o.others[15], 2222, o.at(3)).open()
    for n in range(6):
        c.send(0, apps.noise(o.rng, 80), wait=SECOND)
        c.send(1, apps.noise(o.rng, 200))
    c.t += 100 * SECOND
    c.send(0, b'still there').send(1, b'yes').close()


SCENES = dict(dns=dns, http=http, tls=tls, quic=quic, ssh=ssh, icmp=icmp, vlan=vlan, radius=radius,
              ntp=ntp, dhcp=dhcp, mdns=mdns, frag=fragments, retrans=retransmissions, rst=resets,
              scan=scan, tunnel=tunnels, arp=arp, long=long)
EXTRA = ('long',)


# -- load tests: frames from templates, sums by arithmetic ---------------------------------

def fold(n):
    n = (n & 0xffff) + (n >> 16)
    n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


class Quick:
    """Frames of one size between 10.x.y.z addresses and one server, fast to make."""

    def __init__(self, proto, server, size):
        self.proto, self.size = proto, size
        self.server = int.from_bytes(wire.packed(server), 'big')
        self.total = 20 + (20 if proto == wire.TCP else 8) + size
        eth = wire.mac('02:00:5e:00:00:01') + wire.mac('02:00:5e:00:00:02') + b'\x08\0'
        self.head = struct.Struct('!14sBBHHHBBHII')
        self.eth = eth
        self.data = bytes(range(size))
        self.pad = b'\0' * max(0, 60 - 14 - self.total)
        self.ip_sum = 0x4500 + self.total + 0x4000 + (64 << 8 | proto) + \
            (self.server >> 16) + (self.server & 0xffff)
        self.l4_sum = proto + self.total - 20 + (self.server >> 16) + (self.server & 0xffff) + \
            sum(struct.unpack('!%dH' % (size // 2), self.data))
        self.tcp = struct.Struct('!HHIIBBHHH').pack
        self.udp = struct.Struct('!HHHH').pack

    def frame(self, client, cport, sport, d, flags=0, seq=0, ack=0):
        """D 0: from the client. CLIENT is a number; SIZE must be even."""
        addr = (client >> 16) + (client & 0xffff)
        src, dst = (self.server, client) if d else (client, self.server)
        a, b = (sport, cport) if d else (cport, sport)
        head = self.head.pack(self.eth, 0x45, 0, self.total, 0, 0x4000, 64, self.proto,
                              fold(self.ip_sum + addr), src, dst)
        if self.proto == wire.UDP:
            sum_ = fold(self.l4_sum + addr + a + b + 8 + self.size) or 0xffff
            return head + self.udp(a, b, 8 + self.size, sum_) + self.data + self.pad
        sum_ = fold(self.l4_sum + addr + a + b + (seq >> 16) + (seq & 0xffff) + (ack >> 16) +
                    (ack & 0xffff) + (0x5000 | flags) + 64240)
        return head + self.tcp(a, b, seq, ack, 0x50, flags, 64240, sum_, 0) + self.data + self.pad


def dotted(n):
    return '%d.%d.%d.%d' % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)


def stamp(t):
    return '%d.%06d000' % divmod(t, 10**6)


def many(a):
    """Rounds over all flows, so that all of them are alive at once. Yields (time, frame);
    the truth is plain arithmetic."""
    rounds, n = a.packets, a.flows
    step = max(1, a.seconds * SECOND // (rounds * n))
    hello, data = Quick(wire.TCP, '198.51.100.1', 0), Quick(wire.TCP, '198.51.100.1', 32)
    plain = Quick(wire.UDP, '198.51.100.1', 64)
    base, shift = 10 << 24, a.seed & 0xff
    t = START
    for r in range(rounds):
        d = r & 1
        for i in range(n):
            client, port = base + 1 + (i >> 2), 20000 + (i & 3) * 7 + shift
            if i % 3:
                frame = plain.frame(client, port, 7000 + i % 5, d)
            elif r < 2:
                frame = hello.frame(client, port, 80, d, wire.SYN | (wire.ACK if d else 0),
                                    1000 + r, 1001 if d else 0)
            else:
                seq = 1001 + (r - 2) // 2 * 32 + d
                frame = data.frame(client, port, 80, d, wire.ACK | wire.PSH, seq,
                                   1001 + (r - 1) // 2 * 32 + 1 - d)
            yield t, frame
            t += step


def many_truth(a):
    rounds, n = a.packets, a.flows
    step = max(1, a.seconds * SECOND // (rounds * n))
    up, down = (rounds + 1) // 2, rounds // 2
    for i in range(n):
        client, port = (10 << 24) + 1 + (i >> 2), 20000 + (i & 3) * 7 + (a.seed & 0xff)
        first, last = START + i * step, START + ((rounds - 1) * n + i) * step
        if i % 3:
            row = (17, dotted(client), port, '198.51.100.1', 7000 + i % 5, up, up * 92, down,
                   down * 92, '00', '00')
        else:
            row = (6, dotted(client), port, '198.51.100.1', 80, up, 40 + (up - 1) * 72, down,
                   max(0, 40 + (down - 1) * 72), '%02x' % (2 | (0x18 if up > 1 else 0)),
                   '%02x' % ((0x12 if down else 0) | (0x18 if down > 1 else 0)))
        yield (*row[:9], stamp(first), stamp(last), *row[9:], '-', '-', '-', '-')


def synflood(a):
    rng, syn = random.Random(a.seed), Quick(wire.TCP, '198.51.100.7', 0)
    step = 400000 / a.flows
    for i in range(a.flows):
        client = (10 << 24) + (i * 40503 & 0xffffff)  # odd factor: no address twice in 2^24
        yield START + int(i * step), syn.frame(client, rng.randrange(1024, 65536), 443, 0,
                                               wire.SYN, rng.getrandbits(32))


def synflood_truth(a):
    for t, frame in synflood(a):
        client, port = int.from_bytes(frame[26:30], 'big'), int.from_bytes(frame[34:36], 'big')
        yield (6, dotted(client), port, '198.51.100.7', 443, 1, 40, 0, 0, stamp(t), stamp(t),
               '02', '00', '-', '-', '-', '-')


LOAD = dict(many=(many, many_truth), synflood=(synflood, synflood_truth))


def office(seed, names):
    """The trace of these scenes. A scene alone has the same bytes as among others, but
    for its ports and what is random."""
    o = Office(seed)
    for name in names:
        SCENES[name](o)
    return o.trace


def write_truth(path, rows):
    with open(path, 'w') as out:
        out.write('#flows\t' + COLUMNS.replace(' ', '\t') + '\n')
        for row in sorted(rows, key=lambda r: (float(r[9]), *map(str, r[:5]))):
            out.write('\t'.join(map(str, row)) + '\n')


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0], usage=__doc__.split('usage: ')[1])
    p.add_argument('-o', '--output', required=True)
    p.add_argument('--format', choices=capfile.FORMATS, default='pcap')
    p.add_argument('--what', default='all')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--flows', type=int, default=20000)
    p.add_argument('--packets', type=int, default=4)
    p.add_argument('--seconds', type=int, default=8)
    p.add_argument('--snaplen', type=int, default=262144)
    p.add_argument('--truth')
    p.add_argument('--truth-outer')
    a = p.parse_args()
    names = []
    for name in a.what.split(','):
        names += [n for n in SCENES if n not in EXTRA] if name == 'all' else [name]
    bad = [n for n in names if n not in SCENES and n not in LOAD]
    if bad or (len(names) > 1 and set(names) & set(LOAD)):
        p.error('--what: many, synflood, or some of all,' + ','.join(SCENES))
    if a.flows < 1 or a.packets < 1:
        p.error('--flows and --packets start at 1')
    return a, names


def main():
    a, names = arguments()
    truth = (a.truth, a.truth_outer)
    if names[0] in LOAD:
        make, tell = LOAD[names[0]]
        packets = make(a)
        rows = [lambda: tell(a)] * 2
    else:
        trace = office(a.seed, names)
        packets = [(p[0], p[2]) for p in trace.sorted()]
        rows = [lambda: trace.flows(), lambda: trace.flows(outer=True)]
    out = sys.stdout.buffer if a.output == '-' else open(a.output, 'wb')
    capfile.writer(out, a.format, a.snaplen).write_all(packets)
    out.flush()
    for path, row in zip(truth, rows):
        if path:
            write_truth(path, row())


if __name__ == '__main__':
    main()
