#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""seeds.py -- write the inputs the fuzzers start from, seeds/TARGET/*. Small, the same each
time, and committed: make check replays them where there is no Python.

usage: seeds.py [FOLDER]
"""
import io
import os
import random
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tests', 'gen'))
import apps  # noqa: E402
import capfile  # noqa: E402
import wire  # noqa: E402

A, B = '10.0.0.1', '10.0.0.2'
A6, B6 = '2001:db8::1', '2001:db8::2'
M1, M2 = b'\x02\0\0\0\0\1', b'\x02\0\0\0\0\2'
IP4, IP6, VLAN = 0x0800, 0x86dd, 0x8100
TUNNELS, CUT = 0x80, 0x40
# places in fuzz_link[] of fuzz.h
(ETHERNET, RAW12, RAW14, RAW, IPV4, IPV6, SLL, SLL2, NULL, LOOP, RADIOTAP, WLAN, PPP, PPP_HDLC,
 PPP_ETHER, CHDLC, NFLOG, PPI, PRISM, AVS, FRELAY) = range(21)


def eth(kind, payload, vlans=()):
    """Without the padding of wire.ethernet(): seeds are to be small."""
    tags = b''.join(struct.pack('!HH', t, v) for t, v in vlans)
    return M2 + M1 + tags + struct.pack('!H', kind) + payload


def tcp4(flags=0x18, data=b'GET / HTTP/1.1\r\n\r\n', d=0, seq=1, options=b'\2\4\5\xb4\3\3\7'):
    a, b, sport, dport = (B, A, 80, 1234) if d else (A, B, 1234, 80)
    return wire.ip4(a, b, 6, wire.tcp(a, b, sport, dport, seq, 1, flags, 8192, options, data))


def udp4(sport, dport, data, a=A, b=B):
    return wire.ip4(a, b, 17, wire.udp(a, b, sport, dport, data))


def udp6(sport, dport, data):
    return wire.ip6(A6, B6, 17, wire.udp(A6, B6, sport, dport, data))


def snap(kind, payload):
    return b'\xaa\xaa\3\0\0\0' + struct.pack('!H', kind) + payload


def label(n, bottom):
    return struct.pack('!I', n << 12 | bottom << 8 | 64)


def links():
    p = tcp4()
    wlan = b'\x08\x01\0\0' + M1 + M2 + M1 + b'\0\x10' + snap(IP4, p)
    yield 'ethernet-tcp', ETHERNET, eth(IP4, p)
    yield 'ethernet-udp6', ETHERNET, eth(IP6, udp6(5353, 53, b'x' * 12))
    yield 'ethernet-arp', ETHERNET, eth(0x0806, b'\0\1\x08\0\6\4\0\1' + bytes(20))
    yield 'ethernet-cut', ETHERNET | CUT, eth(IP4, p)[:60]
    yield 'vlan', ETHERNET, eth(IP4, p, [(VLAN, 5)])
    yield 'qinq', ETHERNET, eth(IP4, p, [(0x88a8, 5), (VLAN, 6)])
    yield 'llc-snap', ETHERNET, M2 + M1 + struct.pack('!H', 8 + len(p)) + snap(IP4, p)
    yield 'mpls', ETHERNET, eth(0x8847, label(16, 0) + label(17, 1) + p)
    yield 'mpls-no-end', ETHERNET, eth(0x8847, label(16, 0) * 20)
    yield 'pppoe', ETHERNET, eth(0x8864, b'\x11\0\0\1' + struct.pack('!HH', len(p) + 2, 0x21) + p)
    yield 'macinmac', ETHERNET, eth(0x88e7, b'\0\0\0\7' + eth(IP4, p))
    yield 'raw', RAW, p
    yield 'raw6', IPV6, udp6(1, 2, b'')
    yield 'sll', SLL, struct.pack('!HHH8sH', 0, 1, 6, M1, IP4) + p
    yield 'sll2', SLL2, struct.pack('!HHIHBB8s', IP4, 0, 1, 1, 0, 6, M1) + p
    yield 'null', NULL, b'\2\0\0\0' + p
    yield 'loop6', LOOP, b'\0\0\0\x1e' + udp6(1, 2, b'')
    yield 'wlan', WLAN, wlan
    yield 'wlan-qos', WLAN, b'\x88\x01\0\0' + M1 + M2 + M1 + b'\0\x10\0\0' + snap(IP4, p)
    yield 'radiotap', RADIOTAP, b'\0\0\x0a\0\2\0\0\0\0\0' + wlan
    yield 'ppi', PPI, b'\0\0\x08\0\x69\0\0\0' + wlan
    yield 'ppp', PPP, b'\xff\3\0\x21' + p
    yield 'chdlc', CHDLC, b'\x0f\0\x08\0' + p
    yield 'frelay', FRELAY, b'\x18\x41\3\xcc' + p
    tlv = struct.pack('<HH', 4 + len(p), 9) + p
    yield 'nflog', NFLOG, b'\2\0\0\0' + tlv


def headers():
    first = wire.udp(A, B, 1000, 53, b'y' * 24)
    yield 'fragment-first', ETHERNET, eth(IP4, wire.ip4(A, B, 17, first[:16], frag=0x2000, ident=7))
    yield 'fragment-later', ETHERNET, eth(IP4, wire.ip4(A, B, 17, first[16:], frag=2, ident=7))
    chain = bytes([43, 0, 1, 4, 0, 0, 0, 0]) + bytes([44, 0, 4, 0, 0, 0, 0, 0])
    chain += bytes([60, 0, 0, 1, 0, 0, 0, 9]) + bytes([17, 0, 1, 4, 0, 0, 0, 0])
    yield 'ip6-chain', RAW, wire.ip6(A6, B6, 0, chain + wire.udp(A6, B6, 1, 2, b'z'))
    yield 'icmp', RAW, wire.ip4(A, B, 1, wire.icmp4(3, 1, bytes(4) + tcp4()[:28]))
    yield 'icmp6', RAW, wire.ip6(A6, B6, 58, wire.icmp6(A6, B6, 128, 0, b'\0\1\0\2'))
    sctp = struct.pack('!HHII', 5000, 5001, 1, 0) + b'\1\0\0\x14' + bytes(16)
    yield 'sctp', RAW, wire.ip4(A, B, 132, sctp)
    yield 'ah', RAW, wire.ip4(A, B, 51, b'\6\4\0\0\0\0\0\1\0\0\0\1' + bytes(12) + tcp4()[20:])


def tunnels():
    p, inner = tcp4(), eth(IP4, tcp4())
    yield 'ipip', wire.ip4(A, B, 4, p)
    yield '6in4', wire.ip4(A, B, 41, udp6(1, 2, b''))
    yield '4in6', wire.ip6(A6, B6, 4, p)
    yield 'gre', wire.ip4(A, B, 47, b'\0\0\x08\0' + p)
    yield 'gre-all', wire.ip4(A, B, 47, b'\xb0\0\x08\0\0\0\0\0\0\0\0\1\0\0\0\2' + p)
    yield 'gre-ppp', wire.ip4(A, B, 47, struct.pack('!HHHHI', 0x3001, 0x880b, len(p) + 2, 5, 1) +
                              b'\0\x21' + p)
    yield 'nvgre', wire.ip4(A, B, 47, b'\x20\0\x65\x58\0\0\5\0' + inner)
    yield 'erspan2', wire.ip4(A, B, 47, b'\x10\0\x88\xbe\0\0\0\1\x10\5\0\x64\0\0\0\0' + inner)
    yield 'erspan3', wire.ip4(A, B, 47, b'\x10\0\x22\xeb\0\0\0\1\x20\5\0\x64' + bytes(8) + inner)
    yield 'gtpu', udp4(2152, 2152, struct.pack('!BBHI', 0x30, 255, len(p), 7) + p)
    yield 'gtpu-extension', udp4(2152, 2152, struct.pack('!BBHIHBB', 0x34, 255, len(p) + 8, 7, 0,
                                                         0, 0x85) + b'\1\x10\1\0' + p)
    yield 'vxlan', udp4(5000, 4789, b'\x08\0\0\0\0\0\5\0' + inner)
    yield 'vxlan-gpe', udp4(5000, 4790, b'\x0c\0\0\1\0\0\5\0' + p)
    yield 'geneve', udp4(5000, 6081, b'\1\0\x65\x58\0\0\5\0\0\1\2\0' + inner)
    yield 'l2tp', udp4(1701, 1701, struct.pack('!HHH', 2, 5, 6) + b'\xff\3\0\x21' + p)
    yield 'teredo', udp4(3544, 3544, udp6(1, 2, b'q'))
    yield 'teredo-origin', udp4(3544, 3544, b'\0\0' + bytes(6) + udp6(1, 2, b'q'))
    yield 'capwap', udp4(5247, 5247, b'\0\x10\2\0\0\0\0\0' + b'\x08\1\0\0' + M1 + M2 + M1 +
                         b'\0\0' + snap(IP4, p))
    yield 'etherip', wire.ip4(A, B, 97, b'\x30\0' + inner)
    yield 'mpls-ip', wire.ip4(A, B, 137, label(16, 1) + p)
    yield 'mpls-udp', udp4(5000, 6635, label(16, 1) + p)
    yield 'lisp', udp4(5000, 4341, b'\x80\0\0\1\0\0\0\1' + p)
    yield 'tzsp', udp4(5000, 37008, b'\1\0\0\1\1' + inner)
    yield 'pim', wire.ip4(A, B, 103, b'\x21\0\0\0\0\0\0\0' + p)
    yield 'minenc', wire.ip4(A, B, 55, b'\6\x80\0\0\x0a\0\0\5\x0a\0\0\6' + p[20:])
    deep = p
    for _ in range(6):
        deep = wire.ip4(A, B, 4, deep)
    yield 'deep', deep


def decode():
    for name, link, frame in list(links()) + list(headers()):
        yield name, bytes([link]) + frame
    for name, packet in tunnels():
        yield name, bytes([TUNNELS | RAW]) + packet


def engine():
    def script(head, link, *steps):
        return bytes([head, link]) + b''.join(
            struct.pack('!HB', len(f) | bits, dt) + f for f, dt, bits in steps)

    s, sa, a, fa, r = 2, 18, 16, 17, 4
    shake = [(tcp4(s, b''), 0, 0), (tcp4(sa, b'', 1), 1, 0), (tcp4(a, b'', seq=2), 1, 0)]
    close = [(tcp4(fa, b'', seq=30), 2, 0), (tcp4(fa, b'', 1, 2), 2, 0), (tcp4(a, b''), 1, 0)]
    many = [(udp4(1000 + i, 53, b'', a='10.1.%d.1' % (i % 7)), 1, 0) for i in range(80)]
    yield 'connection', script(0, RAW, *shake, (tcp4(), 5, 0), *close)
    yield 'reopened', script(0, RAW, *shake, *close, *shake, (tcp4(r, b''), 1, 0))
    yield 'again', script(0, RAW, *shake, (tcp4(), 1, 0), (tcp4(), 64, 0), (tcp4(seq=99), 70, 0))
    yield 'timeouts', script(0x20, RAW, *[(udp4(1, 2, b'x'), 0x82, 0)] * 16, (tcp4(), 0xa0, 0))
    yield 'backwards', script(0x40, RAW, (udp4(1, 2, b''), 10, 0), (udp4(1, 2, b''), 0xc5, 0),
                              (udp4(2, 1, b'', B, A), 60, 0x8000), (tcp4(), 0xff, 0x4000))
    yield 'crowd', script(0, RAW, *many)
    yield 'crowd-stingy', script(0x18, RAW, *many[:75], (tcp4(), 0xc1, 0), *many[:8])
    yield 'late', script(0xc4, RAW, *shake, (tcp4(), 0xbf, 0), *close)
    yield 'tunnels', script(1, RAW, *[(p, 1, 0) for _, p in list(tunnels())[:6]])


def records():
    small, big = b'\1\5', b'\x08' + b'\xff' * 8

    def direction(addr, n):
        return (addr + b'\x01\xbb' + n + M1 + M2 + n * 3 + b'\0\1\0\2\5\xb4\7\x1b\1' + n +
                b'\7\6\x0a\x1b\xf4\0\0\0' + b'\2\1\0' + b'\0\x28\5\xdc\x40\x40\xb8\0\0')

    def flow(head, proto, n, more=b''):
        addr = bytes(12) + b'\x0a\0\0\1'
        return (bytes([head, 0, proto]) + b'\0\5' + direction(addr, n) + direction(addr, n) +
                b'\0\0\0\2' + n * 4 + more)

    detail = b'\1\6\1\x11' + bytes(16) + b'\0\0\0\7\3' + b'\0\0\x10\0' * 10 + small * 64
    l7 = small + b'\0\7\0\7\0\1\0\0\6\0\1\x10'
    l7 += b'a"\\\n\xc3\xa9\xff\xed\xa0\x80\xf0\x9f\x98\x80' + b'z'
    for name, head in (('v5', 0), ('v9', 1), ('ipfix', 2), ('v9-all', 0x21), ('ipfix-all', 0x22),
                       ('rfc5103-all', 0x26), ('uni-all', 0x2a), ('ntopng', 0x12), ('few', 0x32)):
        yield name, bytes([head, 1]) + flow(0, 6, small) + flow(1, 17, big)
    yield 'detail', bytes([0x22, 0]) + flow(2, 6, small, detail)
    yield 'l7', bytes([0x22, 0]) + flow(4, 6, small, l7)
    yield 'l7-v9', bytes([0x21, 0]) + flow(4, 17, big, l7)


def template():
    for name, head, text in (
            ('default-v9', 10, '@DEFAULT@'), ('default-v5', 9, '@DEFAULT@'),
            ('all-ipfix', 11, '@ALL@'), ('all-rfc5103', 14, '@ALL@'), ('all-uni', 17, '@ALL@'),
            ('ntopng-no-dpi', 1, '@NTOPNG@'), ('mixed', 11, '%IN_BYTES,%octetDeltaCount @default@'),
            ('six', 11, '%IPV6_SRC_ADDR %L7_INFO\t%IN_PKTS'), ('one', 11, '%PROTOCOL'),
            ('uni-none', 17, '%OUT_BYTES'), ('near', 11, '%IN_BITES'), ('macro', 11, '@DEFALT@'),
            ('bare', 11, 'IN_BYTES'), ('long', 11, '%' + 'A' * 300), ('empty', 11, ' ')):
        yield name, bytes([head]) + text.encode()


def config():
    for name, head, text in (
            ('plain', 0, 'flow-version 10\ntemplate-id=300\nidle-timeout  15\n# a remark\n\n'),
            ('quotes', 0, 'flow-templ "%IN_BYTES %IN_PKTS"\nprobe-id \'x-1\'\ntunnel\nno-dpi no\n'),
            ('networks', 0, 'local-networks 10.0.0.0/8,fd00::1/64\naggregation 1/1/1/1/0\n'),
            ('lists', 0, 'n 127.0.0.1:2055\ncollector tcp://h\n-b\n--verbose 2\nspeed 1.5\n'),
            ('nested', 0, 'config f\n'), ('mistake', 0, 'flow-verson 9\n'),
            ('range', 0, 'max-flows 99999999999999999999\n'),
            ('numbers', 0, 'obs-domain 4294967295\nnetflow-engine 255:255\nbiflow rfc5103\nV 10\n'),
            ('line', 1, '-i\nx.pcap\n-V\n10\n-n\nh:1\n-b\n2\n--tunnel\n-L\n10.0.0.0/8'),
            ('line-short', 1, '-5bGb2'), ('line-unknown', 1, '--flow-versio=9'),
            ('line-help', 1, '-h'), ('line-file', 1, 'f'), ('line-missing', 1, '-V')):
        yield name, bytes([head]) + text.encode()


def capture():
    frames = [(1700000000 * 10**6 + i * 1000, eth(IP4, udp4(1000 + i, 53, b'x' * i)))
              for i in range(6)]
    for kind in capfile.FORMATS:
        out = io.BytesIO()
        capfile.writer(out, kind).write_all(frames)
        yield kind, out.getvalue()
        yield kind + '-cut', out.getvalue()[:-9]
    out = io.BytesIO()
    capfile.Pcap(out, 40).write_all(frames)
    yield 'snaplen', out.getvalue()
    head = struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 30, 1)
    yield 'beyond', head + struct.pack('<IIII', 1, 2000000, 50, 20) + bytes(50)
    yield 'huge', head + struct.pack('<IIII', 1, 2, 0x7fffffff, 60) + bytes(50)
    yield 'modified', struct.pack('<IHHiIII', 0xa1b2cd34, 2, 4, 0, 0, 99, 1) + bytes(8) + \
        struct.pack('<IIIHBB', 14, 14, 1, 0, 0, 0) + M1 + M2 + b'\x08\0'
    yield 'nflog-swapped', struct.pack('>IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 99, 239) + \
        struct.pack('>IIII', 1, 2, 12, 12) + b'\2\0\0\0\0\x08\0\x09abcd'
    yield 'gzip', b'\x1f\x8b\x08' + bytes(30)
    yield 'empty', b''


def array(*words):
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)


def resp():
    ping = array(b'PING')
    texts = {
        'ping': ping, 'pipeline': ping * 3 + b'PING\r\n' + array(b'GET', b'k') + b'get k\n',
        'set': array(b'SET', b'k', b''), 'binary': array(b'SET', b'\r\n$1\r\n', bytes(range(20))),
        'nothing': b'*-1\r\n*0\r\n*-10\r\n\r\n  \t\n' + ping, 'empty-name': array(b'') + ping,
        'least': b'*-9223372036854775808\r\n' + ping, 'beyond-least': b'*-9223372036854775809\r\n',
        'count-2g': b'*2147483648\r\n', 'count-many': b'*1048577\r\n', 'count-plus': b'*+1\r\n',
        'count-blank': b'* 1\r\n', 'count-zero': b'*01\r\n', 'count-none': b'*\r\n',
        'bulk-minus': b'*1\r\n$-1\r\n', 'bulk-minus-5': b'*2\r\n$4\r\nECHO\r\n$-5\r\n',
        'bulk-512m': b'*1\r\n$536870913\r\n', 'bulk-long': b'*1\r\n$' + b'9' * 30 + b'\r\n',
        'bulk-u64': b'*1\r\n$18446744073709551620\r\nPING\r\n',
        'bulk-plus': b'*1\r\n$+4\r\nPING\r\n',
        'bulk-zero': b'*1\r\n$04\r\nPING\r\n', 'bulk-text': b'*1\r\n$4x\r\nPING\r\n',
        'bulk-other': b'*1\r\n:1\r\n', 'bulk-inline': b'*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n',
        'bulk-unended': b'*1\r\n$4\r\nPINGxx' + ping, 'bare-lf': b'*1\n$4\nPING\n',
        'cr-alone': b'*1\r$4\r\n', 'half': b'*3\r\n$3\r\nSET\r\n$10\r\nabc',
        'line-long': b'a' * 200, 'count-long': b'*' + b'0' * 100,
        'length-long': b'*1\r\n$' + b'0' * 100,
        'quotes': b'set "a b\\x41\\n\\"" \'c\\\'d\' "" e\r\n', 'quotes-open': b'set "a\r\n',
        'quotes-three': b'set """test-key""" test-value\r\n', 'quotes-glued': b'"a"b\n',
        'nul': b'get a\0b\nPING\n', 'http': b'POST / HTTP/1.1\r\nHost: a\r\n\r\nPING',
        'tls': b'\x16\3\1\2\0\1\0\1\xfc\3\3' + bytes(20), 'replies': b'+OK\r\n:1\r\n-ERR\r\n',
        'many': array(*[b'%d' % i for i in range(40)]),
    }
    for name, text in texts.items():
        yield name, b'\0\7' + text
        if len(text) < 120:
            yield name + '-small', b'\1\3' + text


def commands():
    def send(data, who=0):
        parts = [data[i:i + 255] for i in range(0, len(data), 255)]
        return b''.join(bytes([who, len(p)]) + p for p in parts)

    def do(what, how=0, who=0):
        return bytes([what << 5 | how << 2 | who])

    def say(*lines):
        return b''.join(line.encode() + b'\r\n' for line in lines)

    turn, later, now = do(3), do(6, 5), do(6, 6)

    def read(who=0):
        return do(4, 7, who)

    # one client, cut in two ways
    alone = {
        'keys': ('KEYS *', 'KEYS ip.*', 'KEYS flow.*', 'DBSIZE', 'RANDOMKEY', 'EXISTS ip.10.0.0.1 x',
                 'TYPE ip.10.0.0.1', 'TTL ip.10.0.0.1', 'OBJECT ENCODING ip.10.0.0.1'),
        'scan': ('SCAN 0', 'SCAN 0 MATCH ip.* COUNT 5', 'SCAN 0 TYPE hash COUNT 100', 'SCAN 7',
                 'HSCAN ip.10.0.0.1 0', 'ZSCAN top.ip.bytes.28333333 0 MATCH a*'),
        'hash': ('HGETALL ip.10.0.0.1', 'HGET ip.10.0.0.1 name', 'HMGET ip.10.0.0.1 a name',
                 'HGETALL flow.tcp.10.0.0.1.1000-192.0.2.1.443', 'HRANDFIELD ip.10.0.0.1 -5 WITHVALUES',
                 'HLEN user.jane', 'HKEYS user.jane', 'HVALS user.jane', 'HSTRLEN ip.10.0.0.1 name'),
        'zset': ('ZRANGE top.ip.bytes.28333333 0 -1 WITHSCORES', 'ZCARD top.ip.bytes.28333333',
                 'ZRANGEBYSCORE top.ip.bytes.28333333 -inf (2 LIMIT 1 2', 'ZSCORE top.ip.bytes.28333333 a',
                 'ZREVRANGE top.ip.bytes.28333333 0 1', 'ZRANDMEMBER top.ip.bytes.28333333 3',
                 'ZRANK top.ip.bytes.28333333 a', 'TOP ip bytes 3', 'ZCOUNT top.ip.bytes.28333333 0 1'),
        'multi': ('MULTI', 'KEYS flow.*', 'HGETALL flow.tcp.10.0.0.1.1000-192.0.2.1.443', 'NONSENSE',
                  'EXEC', 'MULTI', 'GET user.net.10.0.0.0/8', 'SCAN 0', 'TOP ip bytes 2', 'EXEC', 'DISCARD'),
        'resp3': ('HELLO 3 SETNAME x', 'HGETALL ip.10.0.0.1', 'INFO', 'ZRANGE top.ip.bytes.28333333 0 1 WITHSCORES',
                  'COMMAND INFO get nothing', 'MEMORY STATS', 'CONFIG GET *', 'HGETALL none', 'LATENCY HISTOGRAM'),
        'server': ('INFO all', 'CLIENT LIST', 'CLIENT INFO', 'COMMAND COUNT', 'COMMAND GETKEYS GET x',
                   'COMMAND DOCS top', 'ACL WHOAMI', 'ACL CAT', 'CLUSTER INFO', 'MEMORY DOCTOR', 'ROLE', 'TIME',
                   'MODULE LIST', 'SELECT 1', 'WAIT 0 0', 'LOLWUT', 'DEBUG SLEEP 0', 'CONFIG SET a b'),
        'who': ('WHO 10.1.2.3', 'WHERE jane', 'WHO fe80::1', 'WHO x', 'WHERE', 'SET a b', 'PING', 'ECHO hi'),
    }
    for name, lines in alone.items():
        yield 'alone-' + name, bytes([8, 3]) + say(*lines)
    yield 'array', bytes([8, 0]) + array(b'MGET', b'user.net.10.0.0.0/8', b'x') + array(b'PING', b'\0\r\n')
    yield 'broken', bytes([8, 9]) + say('PING') + b'*1\r\n+x\r\n'
    hear = send(say('HELLO 3', 'PSUBSCRIBE *', 'SUBSCRIBE dns flow.end', 'PING'))
    yield 'pubsub', b'\0\0' + hear + turn + send(say('PUBLISH dns hello', 'PUBSUB CHANNELS',
        'PUBSUB NUMSUB dns', 'PUBSUB NUMPAT'), 1) + turn + do(5, 5) + do(5, 6) + read() + turn + \
        send(say('UNSUBSCRIBE', 'PUNSUBSCRIBE', 'RESET')) + turn + read() + read(1)
    yield 'monitor', b'\0\0' + send(say('MONITOR'), 2) + turn + send(say('KEYS ip.*', 'GET "a\\x00b"'), 1) + \
        turn + do(7, 0, 1) + turn + read(2) + send(say('CLIENT KILL TYPE normal SKIPME yes'), 3) + turn
    yield 'waits', b'\4\0' + later + send(say('KEYS flow.*', 'PING')) + turn + \
        send(say('MULTI', 'KEYS flow.*', 'SCAN 0', 'EXEC'), 1) + turn + do(7, 4) + turn + now + turn + read(1)
    yield 'churn', b'\0\0' + send(say('SCAN 0 COUNT 3')) + turn + do(5, 2, 1) + do(5, 0, 3) + do(6, 0) + \
        do(6, 3) + do(5, 4, 3) + send(say('SCAN 1 COUNT 3', 'KEYS *')) + turn + read() + turn
    yield 'slow', b'\2\0' + send(say(*['KEYS *', 'COMMAND'] * 9)) + turn + do(4, 2) + turn + read() + turn
    yield 'password', b'\1\0' + send(say('KEYS *', 'AUTH wrong', 'AUTH sesame', 'KEYS *')) + turn + \
        send(say('HELLO 3 AUTH default sesame', 'ACL WHOAMI'), 1) + turn + read() + read(1)
    yield 'quiet', b'\0\0' + send(say('CLIENT REPLY OFF', 'PING', 'SUBSCRIBE a', 'CLIENT REPLY SKIP', 'PING',
        'CLIENT REPLY ON', 'PING', 'QUIT')) + turn + read() + send(say('PING'))
    work = send(say('KEYS *', 'HGETALL ip.10.0.0.1', 'MULTI', 'SCAN 0', 'KEYS flow.*', 'EXEC')) + \
        send(say('PSUBSCRIBE f*', 'SUBSCRIBE dns'), 1) + turn + do(5, 5) + do(5, 6) + do(5, 0) + turn + \
        send(say('ZRANDMEMBER top.ip.bytes.28333333 -3', 'TOP ip bytes 5', 'INFO')) + turn + read() + turn
    for at in 1, 5, 21, 89, 140, 200:
        yield 'no-memory-%d' % at, bytes([0, at]) + work


def dns():
    def name(text):
        return b''.join(bytes([len(x)]) + x for x in text.encode().split(b'.')) + b'\0'

    def message(n, flags, question=b'\3www\7example\3com\0', kind=1, counts=(0, 0), rest=b''):
        return struct.pack('!HHHHHH', n, flags, 1, counts[0], 0, counts[1]) + question + \
            struct.pack('!HH', kind, 1) + rest

    def record(kind, data, ttl=60, owner=b'\xc0\x0c', kin=1):
        return owner + struct.pack('!HHIH', kind, kin, ttl, len(data)) + data

    def packets(head, *list_of, cut=3):
        return bytes([head, cut]) + b''.join(
            struct.pack('!H', len(m) | how << 12) + m for how, m in list_of)

    def stream(*messages):
        return b''.join(struct.pack('!H', len(m)) + m for m in messages)

    opt = b'\0' + struct.pack('!HHIH', 41, 1232, 1 << 24, 0)
    addrs = record(5, b'\3cdn\xc0\x10') + record(1, b'\xc0\0\2\1') + record(1, b'\xc0\0\2\2')
    ask, answer = message(7, 0x100), message(7, 0x8180, counts=(3, 0), rest=addrs)
    six = message(8, 0x8180, kind=28, counts=(1, 1), rest=record(28, bytes(range(16))) + opt)
    loop, ring = b'\xc0\x0c', b'\1a\xc0\x10\1b\xc0\x0c'
    long_name = name('.'.join(['x' * 63] * 3 + ['y' * 61]))
    many = [message(n, 0x100, name('q%d.test' % n)) for n in range(60)]
    yield 'pair', packets(0, (0, ask), (1, answer))
    yield 'again', packets(0, (0, ask), (2, ask), (1, answer), (1, answer), (0, ask))
    yield 'late', packets(0, (0, ask), (2, ask[:4]), (2, b''), (2, b''), (1, answer))
    yield 'unasked', packets(0, (1, six), (1, b'\0\7\x81\x81' + bytes(8)))
    yield 'edns', packets(0, (0, message(8, 0x100, kind=28, counts=(0, 1), rest=opt)), (1, six))
    yield 'many', packets(0, *[(0, m) for m in many])
    yield 'many-split', packets(2, *[(0, m) for m in many[:5]])
    yield 'long', packets(0, *[(0, message(n, 0x100, long_name)) for n in range(20)])
    yield 'too-long', packets(0, (0, message(1, 0x100, b'\1x' + long_name)))
    yield 'loop', packets(0, (0, message(1, 0x100, loop)), (1, message(1, 0x8180, ring)))
    yield 'labels', packets(0, (0, message(1, 0x100, b'\x41ab\0')), (0, message(1, 0, b'\x80\0')))
    yield 'no-question', packets(0, (0, ask), (1, struct.pack('!HHHHHH', 7, 0x8185, 0, 0, 0, 0)))
    yield 'counts', packets(0, (1, struct.pack('!HHHHHH', 7, 0x8180, 65535, 65535, 65535, 65535)))
    yield 'update', packets(0, (0, message(9, 0x2800, kind=6)), (1, message(9, 0xa800, kind=6)))
    yield 'cut', packets(0, (0, ask), (9, answer[:50]), (8, ask[:14]), (0, ask[:11]))
    names = record(15, b'\0\x0a\2mx\xc0\x10') + record(33, bytes(6) + b'\1s\0')
    yield 'names', packets(0, (1, message(3, 0x8180, kind=15, counts=(2, 0), rest=names)))
    group = struct.pack('!HHHHHH', 0, 0x8400, 0, 1, 0, 0)
    group += record(1, b'\xc0\0\2\3', 120, name('pc.local'), 0x8001)
    yield 'mdns', packets(0x14, (0, message(0, 0, name('_ipp._tcp.local'), 12)), (0, group))
    yield 'llmnr', packets(0x18, (0, message(3, 0, name('PC'), 255)))
    queries, answers = stream(*many[:4]), stream(answer, six, answer)
    yield 'tcp', packets(1, (0, queries), (1, answers))
    yield 'tcp-split', packets(3, (0, stream(ask)), (1, stream(answer)), (0, queries))
    yield 'tcp-bytes', packets(1, *[(0, queries[i:i + 1]) for i in range(60)])
    yield 'tcp-gap', packets(1, (1, answers[:30]), (5, answers[50:]), (5, answers))
    yield 'tcp-start', packets(0x21, (1, answers), (0, b'xx'))
    yield 'tcp-cut', packets(1, (9, answers[:60]), (1, answers[80:]))
    yield 'tcp-stream', b'\1\5' + stream(*many[:3]) + stream(b'', b'abc', answer, six)
    large = message(5, 0x8180, counts=(250, 0), rest=record(1, b'\1\2\3\4') * 250)
    yield 'tcp-large', b'\1\x62' + stream(large, answer)


def http():
    def packets(how, *list_of, cut=5):
        out = bytes([how, cut])
        for flags, text, *numbers in list_of:
            data = text.encode('latin1')
            out += struct.pack('!BH', flags, len(data))
            out += b''.join(struct.pack('!H', n) for n in numbers) + data
        return out

    def request(line='GET / HTTP/1.1', *headers):
        return '\r\n'.join((line, 'Host: a.test') + headers + ('', ''))

    def response(status='200 OK', body='hello', *headers):
        return '\r\n'.join(('HTTP/1.1 ' + status, 'Content-Length: %d' % len(body)) + headers
                           + ('', body))

    agent = 'User-Agent: Mozilla/5.0 (Windows NT 10.0)'
    get, ok = request('GET /x?y HTTP/1.1', agent, 'Referer: http://b.test/'), response()
    chunks = ('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'
              'a;b=c\r\n0123456789\r\n0\r\nx: y\r\n\r\n')
    upload = request('POST /up HTTP/1.1', 'Content-Length: 10')
    yield 'pair', packets(0, (0, get), (1, ok))
    yield 'pair-whole', packets(2, (0, get), (1, ok))
    yield 'split', packets(1, (0, get), (1, ok), (0, request()), (0, get), (1, ok + ok))
    yield 'bytes', packets(0, *[(0, c) for c in get], *[(1, c) for c in ok])
    yield 'pipelined', packets(0, (0, get * 3 + 'GE'), (1, ok * 2), (0, get[2:]), (1, ok * 2))
    yield 'pending', packets(0, *[(0, request('GET /%d HTTP/1.1' % n)) for n in range(20)],
                             (1, ok * 19))
    yield 'crowd', packets(0, *[(0, request('GET /' + 'x' * 300 + ' HTTP/1.0', agent))] * 9)
    yield 'chunked', packets(0, (0, get), (1, chunks), (0, get), (1, chunks[:70]), (1, ok))
    yield 'interim', packets(0, (0, upload), (1, 'HTTP/1.1 100 Continue\r\n\r\n'),
                             (0, '0123456789'), (1, ok))
    yield 'early', packets(0, (0, upload), (1, ok), (0, '0123456789' + get), (1, ok))
    yield 'head', packets(0, (0, request('HEAD / HTTP/1.1') + get), (1, ok[:-5] + ok))
    yield 'not-modified', packets(0, (0, get), (1, response('304 Not Modified')[:-5] + ok))
    yield 'connect', packets(0, (0, 'CONNECT a.test:25 HTTP/1.1\r\n\r\n'),
                             (1, 'HTTP/1.0 200 Go\r\n\r\n220 hello'), (0, 'HELO'))
    yield 'upgrade', packets(0, (0, get), (1, 'HTTP/1.1 101 Up\r\n\r\n\x81\2hi'))
    yield 'until-close', packets(4, (0, get), (1, 'HTTP/1.0 200 OK\n\nab'), (9, ok))
    yield 'old', packets(0, (0, 'GET /old\r\n\r\n'), (9, '<html>'))
    yield 'gap-in-body', packets(4, (0, get), (1, response(body='x' * 99)[:60]),
                                 (3, 'x' * 30 + ok, 40))
    yield 'gap', packets(4, (0, get), (1, ok[:30]), (3, 'tail\r\n' + ok, 900), (0, get), (1, ok))
    yield 'gap-at-client', packets(0, (0, upload[:20]), (2, get, 50), (1, ok), (1, ok))
    yield 'start', packets(0, (3, 'rest\n' + ok, 0xffff), (2, 'body' + get, 0xffff), (0, get))
    yield 'cut', packets(0, (0, get), (5, ok[:-5], 5), (4, get[:20], 70), (0, get), (1, ok))
    yield 'garbage', packets(0, (0, 'GET/ HTTP/1.1\r\n\r\n'), (1, ok), (0, '\0\xff\n' + get))
    yield 'others', packets(0, (0, 'OPTIONS * RTSP/1.0\r\n\r\n'), (1, 'SIP/2.0 200 OK\r\n\r\n'),
                            (0, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))
    yield 'lengths', packets(0, (0, get * 3), (1, 'HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n'),
                             (1, 'x'), (8, ''), (9, ''))
    yield 'long', packets(0, (0, request('GET /' + 'x' * 1500 + ' HTTP/1.1',
                                         'Referer: ' + 'r' * 300, 'User-Agent: ' + 'u' * 200)),
                          (1, ok))
    yield 'blanks', packets(0, (0, '\r\n\nget  /a b\tHTTP/1.1 \nHOST : x\nhost:\t y \n z\n:\n\n'),
                            (1, 'HTTP/1.1  204\ncontent-type: a/b;c\n\n'))


def glob():
    for name, pattern, text in (
            ('all', b'*', b'anything'), ('literal', b'ip.10.0.0.1', b'ip.10.0.0.1'),
            ('prefix', b'ip.192.168.*', b'ip.192.168.7.1'), ('inner', b'*a*b*c', b'xxaxxbxxc'),
            ('one', b'h?llo', b'hello'), ('class', b'h[ae]llo', b'hallo'),
            ('not', b'h[^e]llo', b'hallo'), ('range', b'*[a-cx-z]*', b'--b--'),
            ('backwards', b'[z-a]', b'q'), ('open', b'[ab', b'b'), ('empty-class', b'[]a]', b'a]'),
            ('any-class', b'[^]', b'a'), ('dash', b'[a-]', b'^'), ('escape', b'a\\*b\\?', b'a*b?'),
            ('class-escape', b'[\\]\\-]*', b']-'), ('end', b'a\\', b'a\\'),
            ('slow', b'a*' * 30 + b'b', b'a' * 90), ('stars', b'*?' * 30, b'x' * 40),
            ('high', b'[\x80-\xff]*', b'\x90\xc3'), ('nothing', b'', b'')):
        yield name, bytes([len(pattern)]) + pattern + text


def watch():
    def lists(*entries, host='www.example.com', url='/a/b.exe', method='GET'):
        return '\n'.join([*entries, '', method, host, url]).encode('latin1')
    yield 'names', lists('example.com', 'Example.COM.', '*.example.net', '.', ' blank ')
    yield 'nets', lists('10.0.0.5', '10.0.0.0/8', '::/0', '2001:db8::/32', '10.0.0.0/255.0.0.0',
                        '0.0.0.0/0', '1.2.3.4/33', url='\0' * 10 + '\xff\xff\n\0\0\5')
    yield 'globs', lists('*.exe', 'www.*/a/*.exe', 'http://w?w.example.com/*', '[a-z]*/[^x]*', '*/')
    for n, text in enumerate(('(a|b)*\\.exe$', '^www\\b.{1,20}(/\\w+)+', '(?i)EXAMPLE', '(((a*)*)*)*b',
                              '(?P<n>x|)+[]a-c\\d]{2,3}?', '(?=a)', '(a{100}){100}', '[^/]*/\\x61')):
        yield 'search-%d' % n, lists('~' + text)
    yield 'proxy', lists('example.com', host='p', url='http://u:p@example.com:80?x')
    yield 'connect', lists('example.com', host='', url='example.com:443', method='CONNECT')
    yield 'brackets', lists('[::1]:80', '2001:db8::1', 'u@[x', 'a:b', host='[2001:DB8::1]:80', url='*')
    yield 'many', lists(*('x%d.*' % n for n in range(190)), host='x77.y')


def radius():
    def packet(code, n, *attributes, size=None):
        body = b''.join(bytes([kind, len(v) + 2]) + v for kind, v in attributes)
        return struct.pack('!BBH', code, n, size or 20 + len(body)) + bytes([n]) * 16 + body

    def packets(*list_of, split=0):
        return bytes([split]) + b''.join(
            struct.pack('!H', len(m) | how << 12) + m for how, m in list_of)

    def number(n):
        return struct.pack('!I', n)

    def account(n, status, user=b'bob', session=b's1', addr=5, *more):
        return 6, packet(4, n, (1, user), (40, number(status)), (44, session),
                         (4, b'\xc0\0\2\1'), (8, bytes([10, 0, 0, addr])), *more)

    net = b'\0\x38\x20\1\x0d\xb8\0\1\2\xff'
    start, stop, off = account(1, 1), account(2, 2), (6, packet(4, 9, (40, number(8)),
                                                                (4, b'\xc0\0\2\1')))
    ask = packet(1, 3, (1, b'bob'), (2, b'0123456789abcdef'), (31, b'02-01'), (32, b'nas'))
    accept = packet(2, 3, (8, b'\n\0\0\5'), (97, net), (123, net),
                    (168, b'\x20\1' + bytes(13) + b'\1'))
    yield 'access', packets((0, ask), (1, accept), (0, ask), (1, accept))
    yield 'reject', packets((0, ask), (1, packet(3, 3)), (1, packet(11, 4)))
    yield 'session', packets(start, (3, packet(5, 1)), account(3, 3), stop, start)
    yield 'split', packets(start, (3, packet(5, 1)), stop, stop, (3, packet(5, 2)), split=1)
    yield 'adopted', packets((0, ask), (1, accept), start, stop)
    yield 'takeover', packets(start, account(2, 1, b'eve', b's2'), account(3, 2))
    yield 'same-user', packets(start, account(2, 1, b'bob', b's2'), account(3, 2),
                               account(4, 2, b'bob', b's2'))
    yield 'moves', packets(start, account(2, 3, addr=6), account(3, 3, addr=7), stop)
    yield 'reboot', packets(start, account(2, 1, b'eve', b's2', 6), off)
    yield 'late', packets(start, stop, account(3, 1, b'bob', b's1', 5, (41, number(9))))
    yield 'full', packets(*[account(n, 1, b'u%d' % n, b's%d' % n, n) for n in range(1, 24)])
    yield 'figures', packets(account(1, 3, b'bob', b's1', 5, *[
        (kind, number(7)) for kind in (41, 42, 43, 46, 47, 48, 52, 53)]))
    yield '3gpp', packets((0, packet(1, 1, (26, number(10415) + b'\1\5262\x14\x04' b'35'),
                                     (26, number(9) + b'\1\3x'))))
    yield 'coa', packets((0, packet(40, 1)), (1, packet(41, 1)), (0, packet(43, 2)),
                         (1, packet(45, 2)))
    yield 'zeros', packets((0, packet(1, 1, (1, b'a\0b\0'), (44, b''))))
    yield 'long', packets((6, packet(4, 1, (40, number(1)), (8, b'\n\0\0\1'), *[
        (kind, b'x' * 253) for kind in (1, 44, 32, 31, 30)])))
    yield 'cut', packets((8, ask[:40]), (0, ask + b'pad'), (0, packet(1, 1, size=30)))
    for n, bad in enumerate((b'\x2c\0', b'\x2c\1', b'\x2c\x09x', b',', b'\x2a\5\1\2\3',
                             b'\x08\3\1', b'a\4\0\x81', b'\xa8\4\1\2', b'\x1a\3\1',
                             b'\x1a\x08\0\0\x28\xaf\1\x09')):
        yield 'bad-%d' % n, packets((0, packet(1, 1, (1, b'bob'), size=25 + len(bad)) + bad))
    yield 'other', packets((0, b'\x12\x34\1\0\0\1' + bytes(20)), (0, ask))


def reorder():
    """Ways of segments: see fuzz_reorder.c for the bytes."""
    def ops(*o, base=0x10000000, pool=16, keep=0, cut=9):
        return struct.pack('!IBB', base, pool | keep << 5, cut) + b''.join(o)

    def head(side, what, skip=0):
        return bytes((side | what << 1 | skip << 4,))

    def seg(n=100, side=0, what=0, skip=0, fin=0, liar=0, ack=None, got=None, at=None):
        v = n | fin << 15 | (got is not None) << 14 | liar << 13 | (ack is not None) << 12
        place = b'' if at is None else struct.pack('!H', at)
        return (head(side, what, skip) + struct.pack('!H', v) + place +
                (b'' if ack is None else struct.pack('!H', ack)) +
                (b'' if got is None else bytes((got,))))

    def syn(side=0, n=0):
        return seg(n, side, 4)

    def at(place, n=100, **more):
        return seg(n, what=1, at=place, **more)

    both = syn() + syn(1)
    yield 'in-order', ops(both, seg(), seg(200, 1), seg(fin=1), seg(1, 1, fin=1))
    yield 'early', ops(both, at(100), at(300), at(200), at(0), at(400, fin=1))
    yield 'wrap', ops(both, at(100), at(0), at(200, 900), seg(fin=1), base=0xffffff80)
    yield 'liar', ops(both, at(50, 100), at(0, 200, liar=1), at(0, 300, liar=1), seg())
    yield 'again', ops(both, at(0), at(0), at(50), at(99, 1), at(100, 1), seg())
    yield 'acked', ops(both, at(200), seg(10, 1, ack=300), seg(), at(0, 200))
    yield 'late', ops(both, at(200), head(0, 5, 14) + bytes(4), head(0, 7, 15), seg())
    yield 'full', ops(both, *[at(100 + 200 * i) for i in range(10)], at(0), cut=0)
    yield 'no-room', ops(both, *[at(100 + 200 * i) for i in range(4)], at(0), pool=2)
    yield 'none', ops(both, at(100), at(0), at(100), pool=0)
    yield 'large', ops(both, at(1000, 4095), at(0, 4095), seg(4095), cut=200)
    yield 'start', ops(seg(), at(0, 10), seg(50, 1), seg())
    yield 'snap', ops(both, seg(got=2), seg(got=0), at(300, got=3), at(200), at(300), seg())
    yield 'fins', ops(both, at(200, 0, fin=1), at(200, 0, fin=1), at(100, fin=1), at(0), seg())
    yield 'reset', ops(both, at(200), head(0, 5, 1) + struct.pack('!HH', 0, 0), seg())
    yield 'syn-again', ops(syn(0, 50), syn(0, 50), at(200), seg(10, 0, 4, 3), seg())
    yield 'kept', ops(both, at(100), at(0), seg(1, 1), head(0, 6), seg(), keep=1)
    yield 'kept-full', ops(both, *[at(200 * i) for i in range(11)], head(0, 6), keep=1, cut=0)
    yield 'far', ops(both, seg(what=3, n=9) + struct.pack('!I', 0x60000000), seg(), seg())
    yield 'stop', ops(both, at(100), head(0, 7, 7), at(0), seg())


def nomem():
    """What the whole probe reads while its memory ends: a little of everything."""
    rng, frames, user = random.Random(1), [], '10.0.0.7'

    def add(packet, six=False):
        frames.append((1700000000000000 + 50000 * len(frames), eth(IP6 if six else IP4, packet)))

    def tcp(d, seq, ack, flags, data=b'', sport=4000):
        a, b, x, y = (B, user, 80, sport) if d else (user, B, sport, 80)
        add(wire.ip4(a, b, 6, wire.tcp(a, b, x, y, seq, ack, flags, 8192, b'', data)))

    login, _ = apps.radius_request(rng, 4, 1, apps.radius_attributes(
        (1, 'jane'), (40, 1), (44, 's1'), (8, bytes([10, 0, 0, 7])), (4, bytes([10, 0, 0, 9]))))
    add(udp4(1813, 1813, login, '10.0.0.9', B))
    for n in range(6):
        name = 'www%d.example.com' % n
        add(udp4(5000 + n, 53, apps.dns_query(n, name, 'A'), user, B))
        add(udp4(53, 5000 + n, apps.dns_answer(n, name, 'A', [
            apps.dns_record(None, 'A', 60, '192.0.2.%d' % n)]), B, user))
    for n in range(3):
        sport, ask = 4000 + n, apps.http_request('GET', 'www%d.example.com' % n, '/index.html')
        answer = apps.http_response(200, 'OK', 'text/html', b'x' * 300)
        tcp(0, 100, 0, 2, sport=sport)
        tcp(1, 500, 101, 0x12, sport=sport)
        tcp(0, 101, 501, 0x18, ask, sport=sport)
        tcp(1, 601, 101 + len(ask), 0x18, answer[100:], sport=sport)
        tcp(1, 501, 101 + len(ask), 0x18, answer[:100], sport=sport)
        tcp(0, 101 + len(ask), 501 + len(answer), 0x11, sport=sport)
    pieces = udp4(7000, 7001, b'f' * 40, user, B)
    add(pieces[:6] + b'\x20\0' + pieces[8:44])
    add(pieces[:6] + b'\0\3' + pieces[8:20] + pieces[44:])
    for n in range(20):
        add(udp6(8000 + n, 9000, b'y' * n), True)
    out = io.BytesIO()
    capfile.writer(out, 'pcap').write_all(frames)
    yield 'apps.pcap', out.getvalue()


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, 'seeds')
    for make in (decode, engine, records, template, config, capture, resp, dns, http, glob,
                 watch, radius, reorder, commands, nomem):
        folder = os.path.join(top, make.__name__)
        os.makedirs(folder, exist_ok=True)
        for name, data in make():
            with open(os.path.join(folder, name), 'wb') as out:
                out.write(data)


if __name__ == '__main__':
    main()
