# SPDX-License-Identifier: BSD-3-Clause
"""apps.py -- application messages as their protocols have them. Pure: bytes in and out;
what looks random comes from the caller's generator (random.Random)."""
import hashlib
import hmac
import ipaddress
import struct

QTYPE = dict(A=1, NS=2, CNAME=5, SOA=6, PTR=12, MX=15, TXT=16, AAAA=28, SRV=33, HTTPS=65)


def noise(rng, n):
    return rng.getrandbits(8 * n).to_bytes(n, 'big') if n else b''


# -- DNS, RFC 1035 -----------------------------------------------------------------------

def dns_name(name):
    wire = b''.join(bytes([len(x)]) + x.encode() for x in name.split('.') if x)
    return wire + b'\0'


def dns_rdata(kind, value):
    if kind in ('A', 'AAAA'):
        return ipaddress.ip_address(value).packed
    if kind == 'TXT':
        return b''.join(bytes([len(x)]) + x.encode() for x in value)
    if kind == 'MX':
        return struct.pack('!H', value[0]) + dns_name(value[1])
    if kind == 'SRV':
        return struct.pack('!HHH', 0, 0, value[0]) + dns_name(value[1])
    if kind == 'SOA':
        return dns_name(value) + dns_name('hostmaster.' + value) + struct.pack(
            '!IIIII', 2023111401, 7200, 3600, 1209600, 900)
    return dns_name(value)


def dns_record(name, kind, ttl, value, klass=1):
    data = dns_rdata(kind, value)
    owner = b'\xc0\x0c' if name is None else dns_name(name)  # None: the question's name
    return owner + struct.pack('!HHIH', QTYPE[kind], klass, ttl, len(data)) + data


def dns_query(ident, name, kind, edns=True, klass=1, flags=0x0100):
    question = dns_name(name) + struct.pack('!HH', QTYPE[kind], klass)
    extra = b'\0' + struct.pack('!HHIH', 41, 1232, 0, 0) if edns else b''
    return struct.pack('!HHHHHH', ident, flags, 1, 0, 0, int(edns)) + question + extra


def dns_answer(ident, name, kind, records=(), rcode=0, authority=(), flags=0x8180):
    question = dns_name(name) + struct.pack('!HH', QTYPE[kind], 1)
    return struct.pack('!HHHHHH', ident, flags | rcode, 1, len(records), len(authority),
                       0) + question + b''.join(records) + b''.join(authority)


def dns_tcp(message):
    return struct.pack('!H', len(message)) + message


# -- HTTP/1.1 ----------------------------------------------------------------------------

def http_request(method, host, target, agent='Mozilla/5.0 (X11; Linux x86_64; rv:109.0) '
                 'Gecko/20100101 Firefox/115.0', extra=(), body=b''):
    head = ['%s %s HTTP/1.1' % (method, target), 'Host: ' + host, 'User-Agent: ' + agent,
            'Accept: */*', 'Accept-Language: en-GB,en;q=0.5', 'Connection: keep-alive', *extra]
    if body:
        head.append('Content-Length: %d' % len(body))
    return '\r\n'.join(head).encode() + b'\r\n\r\n' + body


def http_response(status, reason, mime, body, chunked=False, extra=()):
    head = ['HTTP/1.1 %d %s' % (status, reason), 'Date: Tue, 14 Nov 2023 22:13:20 GMT',
            'Server: nginx', 'Content-Type: ' + mime, *extra]
    if chunked:
        head.append('Transfer-Encoding: chunked')
        parts = [body[i:i + 700] for i in range(0, len(body), 700)] + [b'']
        body = b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in parts)
    else:
        head.append('Content-Length: %d' % len(body))
    return '\r\n'.join(head).encode() + b'\r\n\r\n' + body


def page(rng, size):
    """Text of about SIZE bytes."""
    words = 'flow packet probe record template octet counter idle active export'.split()
    text = '<!doctype html>\n<title>a page</title>\n<p>'
    while len(text) < size:
        text += rng.choice(words) + (' ' if rng.random() < .9 else '.\n<p>')
    return text[:size].encode()


# -- TLS, RFC 5246 and 8446 --------------------------------------------------------------

def vec(size, data):
    return len(data).to_bytes(size, 'big') + data


def tls_extension(kind, data):
    return struct.pack('!H', kind) + vec(2, data)


def tls_handshake(kind, body):
    return bytes([kind]) + vec(3, body)


def tls_record(kind, body, version=0x0303):
    return struct.pack('!BH', kind, version) + vec(2, body)


def tls_hello_body(rng, sni, alpn=('h2', 'http/1.1'), tls13=True, extra=b''):
    ciphers = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014]
    if tls13:
        ciphers = [0x1301, 0x1302, 0x1303] + ciphers
    ext = tls_extension(0, vec(2, b'\0' + vec(2, sni.encode())))
    ext += tls_extension(23, b'') + tls_extension(0xff01, b'\0')
    ext += tls_extension(10, vec(2, struct.pack('!HHH', 29, 23, 24)))
    ext += tls_extension(11, vec(1, b'\0'))
    if alpn:
        ext += tls_extension(16, vec(2, b''.join(vec(1, a.encode()) for a in alpn)))
    ext += tls_extension(13, vec(2, struct.pack('!6H', 0x0403, 0x0804, 0x0401, 0x0503,
                                                0x0805, 0x0501)))
    if tls13:
        ext += tls_extension(51, vec(2, struct.pack('!H', 29) + vec(2, noise(rng, 32))))
        ext += tls_extension(43, vec(1, struct.pack('!HH', 0x0304, 0x0303)))
        ext += tls_extension(45, vec(1, b'\1'))
    session = b'' if extra else noise(rng, 32)
    return (struct.pack('!H', 0x0303) + noise(rng, 32) + vec(1, session) +
            vec(2, struct.pack('!%dH' % len(ciphers), *ciphers)) + vec(1, b'\0') +
            vec(2, ext + extra)), session


def tls_client_hello(rng, sni, **kw):
    """The record, and the session id the server must echo."""
    body, session = tls_hello_body(rng, sni, **kw)
    return tls_record(22, tls_handshake(1, body), 0x0301), session


def tls_server_hello(rng, session, tls13, alpn='h2'):
    if tls13:
        ext = tls_extension(43, struct.pack('!H', 0x0304))
        ext += tls_extension(51, struct.pack('!H', 29) + vec(2, noise(rng, 32)))
        cipher = 0x1301
    else:
        ext = tls_extension(0xff01, b'\0') + tls_extension(23, b'')
        ext += tls_extension(16, vec(2, vec(1, alpn.encode()))) if alpn else b''
        cipher, session = 0xc02f, noise(rng, 32)
    body = struct.pack('!H', 0x0303) + noise(rng, 32) + vec(1, session) + struct.pack(
        '!HB', cipher, 0) + vec(2, ext)
    return tls_handshake(2, body)


def der(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x80 + (n.bit_length() + 7) // 8]) + \
        n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag]) + size + body


def certificate(rng, name):
    """A certificate for NAME with every part X.509 asks for; the key and the signature are
    noise."""
    def number(n):
        return der(2, b'\x5a' + noise(rng, n - 1))

    def rdn(oid, text):
        return der(0x31, der(0x30, der(6, oid), der(12, text.encode())))
    rsa_sha256 = der(0x30, der(6, bytes.fromhex('2a864886f70d01010b')), der(5))
    rsa = der(0x30, der(6, bytes.fromhex('2a864886f70d010101')), der(5))
    issuer = der(0x30, rdn(b'\x55\4\x0a', 'Example Trust'), rdn(b'\x55\4\3', 'Example CA 1'))
    dates = der(0x30, der(23, b'231001000000Z'), der(23, b'241001000000Z'))
    key = der(3, b'\0' + der(0x30, number(256), der(2, b'\1\0\1')))
    names = der(0x30, der(0x82, name.encode()))
    ext = der(0xa3, der(0x30, der(0x30, der(6, b'\x55\x1d\x11'), der(4, names))))
    tbs = der(0x30, der(0xa0, der(2, b'\2')), number(16), rsa_sha256, issuer, dates,
              der(0x30, rdn(b'\x55\4\3', name)), der(0x30, rsa, key), ext)
    return der(0x30, tbs, rsa_sha256, der(3, b'\0' + noise(rng, 256)))


def tls12_flight(rng, name):
    """Certificate, ServerKeyExchange, ServerHelloDone."""
    chain = vec(3, vec(3, certificate(rng, name)))
    point = struct.pack('!BH', 3, 29) + vec(1, noise(rng, 32))
    signed = struct.pack('!H', 0x0401) + vec(2, noise(rng, 256))
    return tls_handshake(11, chain) + tls_handshake(12, point + signed) + tls_handshake(14, b'')


# -- QUIC, RFC 9000 ----------------------------------------------------------------------

def quic_varint(n):
    return struct.pack('!H', n | 0x4000)


def quic_long(rng, kind, dcid, scid, size):
    """A version 1 packet with a long header (KIND 0 Initial, 2 Handshake), SIZE bytes;
    what would be encrypted is noise."""
    head = bytes([0xc3 | kind << 4]) + struct.pack('!I', 1) + vec(1, dcid) + vec(1, scid)
    if kind == 0:
        head += b'\0'  # no token
    return head + quic_varint(size - len(head) - 2) + noise(rng, size - len(head) - 2)


def quic_short(rng, dcid, size):
    return bytes([0x40 | rng.getrandbits(5)]) + dcid + noise(rng, size - 1 - len(dcid))


# -- SSH, RFC 4253 and 5656 --------------------------------------------------------------

def ssh_packet(rng, payload):
    pad = 8 - (len(payload) + 5) % 8
    pad += 8 if pad < 4 else 0
    return struct.pack('!IB', len(payload) + pad + 1, pad) + payload + noise(rng, pad)


def ssh_kexinit(rng):
    lists = ['curve25519-sha256,ecdh-sha2-nistp256', 'ssh-ed25519,rsa-sha2-512',
             'chacha20-poly1305@openssh.com,aes128-ctr', 'chacha20-poly1305@openssh.com,aes128-ctr',
             'hmac-sha2-256', 'hmac-sha2-256', 'none', 'none', '', '']
    body = b'\x14' + noise(rng, 16) + b''.join(vec(4, x.encode()) for x in lists)
    return ssh_packet(rng, body + b'\0' + b'\0\0\0\0')


def ssh_ecdh_init(rng):
    return ssh_packet(rng, b'\x1e' + vec(4, noise(rng, 32)))


def ssh_ecdh_reply(rng):
    key = vec(4, b'ssh-ed25519') + vec(4, noise(rng, 32))
    sign = vec(4, b'ssh-ed25519') + vec(4, noise(rng, 64))
    return ssh_packet(rng, b'\x1f' + vec(4, key) + vec(4, noise(rng, 32)) + vec(4, sign)) + \
        ssh_packet(rng, b'\x15')


# -- RADIUS, RFC 2865 and 2866 -----------------------------------------------------------

SECRET = b'not so secret'


def radius_attributes(*pairs):
    out = b''
    for kind, value in pairs:
        if isinstance(value, int):
            value = struct.pack('!I', value)
        elif isinstance(value, str):
            value = value.encode()
        out += bytes([kind, 2 + len(value)]) + value
    return out


def radius_request(rng, code, ident, attributes):
    """The packet and its authenticator."""
    size = 20 + len(attributes)
    head = struct.pack('!BBH', code, ident, size)
    if code == 4:
        auth = hashlib.md5(head + bytes(16) + attributes + SECRET).digest()
    else:
        auth = noise(rng, 16)
    return head + auth + attributes, auth


def radius_reply(code, ident, auth, attributes):
    head = struct.pack('!BBH', code, ident, 20 + len(attributes))
    digest = hashlib.md5(head + auth + attributes + SECRET).digest()
    return head + digest + attributes


def radius_signed(rng, ident, attributes):
    """An Access-Request with a Message-Authenticator (RFC 2869 5.14)."""
    attributes += bytes([80, 18]) + bytes(16)
    packet, auth = radius_request(rng, 1, ident, attributes)
    return packet[:-16] + hmac.new(SECRET, packet, 'md5').digest(), auth


def radius_password(rng, text):
    return noise(rng, 16 * (1 + (len(text) - 1) // 16))


# -- NTP, DHCP ---------------------------------------------------------------------------

def ntp(mode, stratum, t_us, origin=0):
    stamp = ((t_us // 1000000 + 2208988800) << 32) + (t_us % 1000000 << 32) // 1000000
    zero = 0 if mode == 3 else stamp
    return struct.pack('!BBbbIIIQQQQ', 0 << 6 | 4 << 3 | mode, stratum, 6, -20, 0x12, 0x1f,
                       0xc6336401 if mode == 4 else 0, zero and zero - (30 << 32), origin,
                       zero, stamp), stamp


def dhcp(op, xid, kind, hwaddr, yours='0.0.0.0', options=()):
    head = struct.pack('!BBBBIHH', op, 1, 6, 0, xid, 0, 0x8000)
    head += bytes(4) + ipaddress.ip_address(yours).packed + bytes(8)
    head += hwaddr.ljust(16, b'\0') + bytes(192) + bytes.fromhex('63825363')
    body = bytes([53, 1, kind])
    for code, value in options:
        body += bytes([code, len(value)]) + value
    return (head + body + b'\xff').ljust(300, b'\0')
