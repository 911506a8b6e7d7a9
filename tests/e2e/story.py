# SPDX-License-Identifier: BSD-3-Clause
"""Captures that tell a story of users: who logs in and out when, and who talks when.

    s = Story(path)
    s.account(100, 'start', 'bob', 's1', '10.0.0.1')
    s.talk(110, '10.0.0.1', '198.51.100.1')
    s.write()

Times are seconds after BEGIN; what is told may be told in any order."""
import ipaddress
import random

import apps  # of tests/gen
import capfile
import wire

BEGIN = 1700000000
STATUS = dict(start=1, stop=2, interim=3, on=7, off=8)
NAS, SERVER = '192.0.2.1', '192.0.2.10'
MACS = wire.mac('02:00:00:00:00:01'), wire.mac('02:00:00:00:00:02')


def address(text):
    """An address or a prefix as the attribute that gives it to a user."""
    if '/' in text:
        net = ipaddress.ip_network(text)
        kind = 97 if net.prefixlen == 64 else 123  # Framed-, Delegated-IPv6-Prefix
        return kind, bytes([0, net.prefixlen]) + net.network_address.packed
    ip = ipaddress.ip_address(text)
    return (8 if ip.version == 4 else 168), ip.packed


class Story:
    def __init__(self, path):
        self.path, self.packets = path, []
        self.rng, self.ident = random.Random(5), 0

    def datagram(self, t, src, dst, sport, dport, data):
        six = ':' in src
        payload = wire.udp(src, dst, sport, dport, data)
        packet = (wire.ip6 if six else wire.ip4)(src, dst, wire.UDP, payload)
        self.packets.append((t, wire.ethernet(*MACS, 0x86dd if six else 0x0800, packet)))

    def account(self, t, status, user=None, session=None, *addresses, nas=NAS, sport=20001, more=()):
        """An Accounting-Request and its response, a millisecond later."""
        pairs = [(40, STATUS[status]), (4, ipaddress.ip_address(nas).packed), *more]
        pairs += [(kind, value) for kind, value in ((1, user), (44, session)) if value is not None]
        pairs += [address(a) for a in addresses]
        self.ident = (self.ident + 1) % 256
        ask, auth = apps.radius_request(self.rng, 4, self.ident, apps.radius_attributes(*pairs))
        self.datagram(t, nas, SERVER, sport, 1813, ask)
        self.datagram(t + .001, SERVER, nas, 1813, sport, apps.radius_reply(5, self.ident, auth, b''))

    def accept(self, t, user, *addresses, nas=NAS, sport=20000):
        """An Access-Request and its Access-Accept, a millisecond later."""
        self.ident = (self.ident + 1) % 256
        ask, auth = apps.radius_request(self.rng, 1, self.ident, apps.radius_attributes(
            (1, user), (4, ipaddress.ip_address(nas).packed), (31, 'station of ' + user)))
        self.datagram(t - .001, nas, SERVER, sport, 1812, ask)
        reply = apps.radius_attributes(*map(address, addresses))
        self.datagram(t, SERVER, nas, 1812, sport, apps.radius_reply(2, self.ident, auth, reply))

    def talk(self, t, src, dst, sport=4000, dport=9000, size=100, until=None, every=10):
        """A datagram; or, UNTIL, one every so often."""
        while True:
            self.datagram(t, src, dst, sport, dport, bytes(size))
            t += every
            if until is None or t > until:
                return self

    def write(self):
        with open(self.path, 'wb') as f:
            out = capfile.Pcap(f, 262144)
            for t, frame in sorted(self.packets, key=lambda p: p[0]):
                out.write(int((BEGIN + t) * 10**6), frame)
        return self.path
