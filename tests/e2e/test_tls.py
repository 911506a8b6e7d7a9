# SPDX-License-Identifier: BSD-3-Clause
"""TLS: clients that ask the probe, Redis nodes and collectors; and certificates that must
be refused: of another authority, for another name, out of date.
"""
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from certificates import Pki
from cloud import lines_of, redis, server, wait_until  # noqa: F401 (server: a fixture)
from conftest import FOREVER, SLOW, free_port, probe


@pytest.fixture(scope='module')
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp('pki') / 'a')


@pytest.fixture(scope='module')
def others(tmp_path_factory):
    """Another authority."""
    return Pki(tmp_path_factory.mktemp('pki') / 'b')


@pytest.fixture(scope='module')
def good(pki):
    return pki.make('good')


@pytest.fixture(scope='module')
def bad(pki, others):
    """What must be refused, and what the log says of it."""
    return {'authority': (others.make('stranger'), 'unable to get local issuer certificate'),
            'name': (pki.make('elsewhere', 'DNS:elsewhere.example,IP:192.0.2.1'), 'mismatch'),
            'expired': (pki.make('old', expired=True), 'expired')}


# ---- clients


def answering(start, captures, good, *options, capture='http'):
    """A probe that answers with TLS on a free port."""
    port = free_port(socket.SOCK_STREAM)
    p = start('-i', captures(capture), '--stay', '--no-dpi', '--resp', port, '--resp-tls',
              ','.join(map(str, [good.cert, good.key, *options])), *FOREVER)
    p.until(lambda: 'clients are answered' in p.text())
    p.settled()
    return p, port


def cli(port, *args, ca=None, cert=None):
    tls = ['--tls', '--cacert', ca] if ca else []
    if cert:
        tls += ['--cert', cert.cert, '--key', cert.key]
    r = subprocess.run(['redis-cli', '-h', 'localhost', '-p', str(port), *map(str, tls), *args],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
    return r.stdout


def client(port, pki, **kw):
    return redis.Redis(host='localhost', port=port, ssl=True, ssl_ca_certs=str(pki.ca), decode_responses=True,
                       socket_timeout=20, **kw)


def test_redis_cli(start, captures, pki, good):
    if 'tls' not in subprocess.run(['redis-cli', '--help'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True).stdout:
        pytest.skip('redis-cli has no TLS')
    p, port = answering(start, captures, good)
    assert cli(port, 'PING', ca=pki.ca) == 'PONG\n'
    assert 'redis_version' in cli(port, 'INFO', ca=pki.ca)
    assert cli(port, '--scan', '--pattern', 'ip.*', ca=pki.ca).count('ip.') > 1
    assert 'PONG' not in cli(port, 'PING')  # in the clear
    p.signal(signal.SIGTERM)
    s = p.wait().ok().summary.check()
    assert s['resp_tls_failed'] >= 1


def test_much_both_ways(start, captures, pki, good):
    """Requests and replies of many records of TLS, pipelined, in pieces; nothing sticks in
    OpenSSL's buffer, where the socket does not tell of it."""
    p, port = answering(start, captures, good)
    with client(port, pki) as c:
        for size in 1, 16383, 16384, 16385, 100000, 900000:
            assert len(c.echo('x' * size)) == size
        pipe = c.pipeline(transaction=False)
        for i in range(5000):
            pipe.echo('%d' % i + 'y' * 50)
        assert pipe.execute() == ['%d' % i + 'y' * 50 for i in range(5000)]
        assert any(k.startswith('ip.') for k in c.keys('*'))
        context = ssl.create_default_context(cafile=str(pki.ca))
        with context.wrap_socket(socket.create_connection(('localhost', port)), server_hostname='localhost') as s:
            s.settimeout(20)
            s.sendall(b'PING\r\n' * 10000)  # 6 records at once, then silence
            got = b''
            while len(got) < 70000:
                more = s.recv(65536)
                assert more
                got += more
            assert got == b'+PONG\r\n' * 10000
            s.sendall(b'QUIT\r\n')
            assert s.recv(100) == b'+OK\r\n' and s.recv(100) == b''


def test_subscriber(start, captures, pki, good):
    p, port = answering(start, captures, good)
    with client(port, pki) as c, client(port, pki) as other:
        sub = c.pubsub(ignore_subscribe_messages=True)
        sub.subscribe('news')
        sub.get_message(timeout=1)
        for i in range(2000):
            other.publish('news', 'z' * 500)
        got = 0
        end = time.monotonic() + 20 * SLOW
        while got < 2000 and time.monotonic() < end:
            got += sub.get_message(timeout=1) is not None
        assert got == 2000


def test_client_certificates(start, captures, pki, good, others):
    """With an authority for clients, who has none of its certificates gets nothing."""
    p, port = answering(start, captures, good, pki.ca)
    mine, foreign = pki.make('client'), others.make('client')
    with client(port, pki, ssl_certfile=str(mine.cert), ssl_keyfile=str(mine.key)) as c:
        assert c.ping()
    for kw in {}, {'ssl_certfile': str(foreign.cert), 'ssl_keyfile': str(foreign.key)}:
        with client(port, pki, **kw) as c:
            with pytest.raises((redis.ConnectionError, ssl.SSLError)):
                c.ping()
    p.signal(signal.SIGTERM)
    assert p.wait().ok().summary['resp_tls_failed'] >= 2  # it tries more than once


def test_hostile_clients(start, captures, pki, good):
    """Garbage, half a handshake, and a client that leaves: others are answered."""
    p, port = answering(start, captures, good)
    halves = []
    for data in b'GET / HTTP/1.1\r\n\r\n', b'\x16\x03\x01\x02\x00' + bytes(40), b'\x16\x03\x01\xff\xff' + bytes(70000), b'':
        s = socket.create_connection(('localhost', port))
        try:
            s.sendall(data)
        except OSError:
            pass
        halves.append(s)
    with client(port, pki) as c:
        assert c.ping()
    for s in halves:
        s.close()
    with client(port, pki) as c:
        assert c.ping()


# ---- nodes


def tls_server(server, cert, pki, *options):
    """A redis-server that has a port with TLS, TLS_PORT, beside the test's own."""
    port = free_port(socket.SOCK_STREAM)
    if 'TLS' not in subprocess.run(['redis-cli', '--help'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True).stdout:
        pytest.skip('redis has no TLS')
    s = server('--tls-port', str(port), '--tls-cert-file', str(cert.cert), '--tls-key-file', str(cert.key),
               '--tls-ca-cert-file', str(pki.ca), *(options or ['--tls-auth-clients', 'no']))
    s.tls_port = port
    return s


@pytest.mark.parametrize('scheme,host', [('tls', 'localhost'), ('rediss', '127.0.0.1')])
def test_node(captures, server, pki, good, tmp_path, scheme, host):
    """A node through TLS has what one in the clear has; so does the read channel's answer."""
    plain, secret = server(), tls_server(server, good, pki)
    address = '%s://%s:%d' % (scheme, host, secret.tls_port)
    out = tmp_path / 'out'
    for to in plain.address, address:
        r = probe('-i', captures('http,dns'), '--resp', 'none', '--no-dpi', '--redis', to, '--tls-ca', pki.ca, *FOREVER)
        assert r.ok().summary['node_keys_left'] == 0
    a, b = plain.client(), secret.client()
    keys = sorted(k for k in a.keys('*') if k.startswith(('ip.', 'mac.', 'port.')))
    assert len(keys) > 5
    assert keys == sorted(k for k in b.keys('*') if k.startswith(('ip.', 'mac.', 'port.')))
    for k in keys:
        assert a.hgetall(k) == b.hgetall(k)
    user = next(k for k in keys if k.startswith('ip.')).split('.', 1)[1]
    b.set('user.ip.' + user, 'jane')
    r = probe('-i', captures('http,dns'), '--resp', 'none', '--no-dpi', '--plugin', 'none', '--redis', address,
              '--tls-ca', pki.ca, '--json', out, '-T', '%IPV4_SRC_ADDR %IPV6_SRC_ADDR %FLOW_USER_NAME',
              '--user-wait', '2000', *FOREVER)
    r.ok()
    assert 'jane' in {x.get('FLOW_USER_NAME') for x in lines_of(out)}


def test_node_wants_a_certificate(captures, server, pki, good):
    s = tls_server(server, good, pki, '--tls-auth-clients', 'yes')
    mine = pki.make('probe')
    args = ['-i', captures('http'), '--resp', 'none', '--no-dpi', '--redis', 'tls://localhost:%d' % s.tls_port,
            '--tls-ca', pki.ca, '--drain-timeout', '2', *FOREVER]
    assert probe(*args).ok().summary['node_keys_left'] > 0
    assert probe(*args, '--tls-cert', mine.cert, '--tls-key', mine.key).ok().summary['node_keys_left'] == 0


@pytest.mark.parametrize('why', ['authority', 'name', 'expired'])
def test_node_refused(start, captures, server, pki, good, bad, why):
    """Said once, tried again: with a good certificate on the same port it is used."""
    cert, text = bad[why]
    s = tls_server(server, cert, pki)
    p = start('-i', captures('http'), '--stay', '--no-dpi', '--resp', 'none', '--redis',
              'tls://localhost:%d' % s.tls_port, '--tls-ca', pki.ca, *FOREVER)
    p.until(lambda: text in p.text())
    time.sleep(2)
    said = [line for line in p.text().splitlines() if text in line]
    assert len(said) == len(set(said)) <= 2, said  # the write channel, and the read channel
    assert all('certificate is refused' in line for line in said)
    assert not s.client().keys('ip.*')
    c = s.client()
    c.execute_command('CONFIG', 'SET', 'tls-cert-file', str(good.cert), 'tls-key-file', str(good.key))
    wait_until(lambda: s.client().keys('ip.*'), 20)
    p.signal(signal.SIGTERM)
    assert p.wait().ok().summary['node_keys_left'] == 0


def test_node_cut(start, captures, server, pki, good):
    """Connections that are cut are made again, and the sums are right."""
    s = tls_server(server, good, pki)
    p = start('-i', captures('http'), '--stay', '--no-dpi', '--resp', 'none', '--redis',
              'tls://localhost:%d' % s.tls_port, '--tls-ca', pki.ca, *FOREVER)
    wait_until(lambda: s.client().keys('ip.*'), 20)
    s.kill9()
    time.sleep(1)
    s.start()
    p.signal(signal.SIGTERM)
    r = p.wait().ok()
    plain = server()
    probe('-i', captures('http'), '--resp', 'none', '--no-dpi', '--redis', plain.address, *FOREVER).ok()
    for k in plain.client().keys('ip.*'):
        assert plain.client().hget(k, 'bytesSent') == s.client().hget(k, 'bytesSent')
    assert r.summary['node_keys_left'] == 0


# ---- collectors


class Collector:
    """An IPFIX collector of Python's ssl: takes connections one after the other, cuts its
    stream into messages by their length. SESSIONS: a list of messages for each."""

    def __init__(self, cert, ca=None, port=0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.load(cert)
        if ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(str(ca))
        self.listener = socket.create_server(('127.0.0.1', port))
        self.port = self.listener.getsockname()[1]
        self.sessions, self.failed, self.current = [], 0, None
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def load(self, cert):
        self.context.load_cert_chain(str(cert.cert), str(cert.key))

    def run(self):
        while not self.over:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            try:
                self.current = self.context.wrap_socket(raw, server_side=True)
            except (ssl.SSLError, OSError):
                self.failed += 1
                continue
            session = []
            self.sessions.append(session)
            try:
                while True:
                    head = self.exactly(16)
                    length = struct.unpack('>HH', head[:4])[1]
                    session.append(head + self.exactly(length - 16))
            except (ssl.SSLError, OSError, EOFError):
                self.current.close()

    def exactly(self, n):
        data = b''
        while len(data) < n:
            more = self.current.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def cut(self):
        """In the middle of whatever."""
        self.current.shutdown(socket.SHUT_RDWR)

    def end(self):
        self.over = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.current is not None:
            self.current.close()


def session_is_whole(session):
    """Messages of IPFIX whose lengths fit, templates first, sequences growing."""
    before = 0
    for i, m in enumerate(session):
        version, length, _, sequence, _ = struct.unpack('>HHIII', m[:16])
        assert version == 10 and length == len(m)
        assert sequence >= before
        before = sequence
        if i == 0:
            assert struct.unpack('>H', m[16:18])[0] == 2, 'a session begins with templates'
    return True


def flows_in(sessions, record):
    """Octets of data sets 257 and 258 by RECORD octets each, padding left out."""
    n = 0
    for s in sessions:
        for m in s:
            at = 16
            while at < len(m):
                set_id, size = struct.unpack('>HH', m[at:at + 4])
                if set_id in (257, 258):  # IPv4, IPv6
                    n += (size - 4) // record
                at += size
    return n


def export(port, pki, *more, host='localhost'):
    return ['--no-dpi', '--resp', 'none', '-V', '10', '-T', '%PROTOCOL %IN_PKTS %OUT_PKTS', '-n',
            'tls://%s:%d' % (host, port), '--tls-ca', pki.ca, *more]


RECORD = 1 + 4 + 4  # octets of a record of that template


@pytest.mark.parametrize('host', ['localhost', '127.0.0.1'])
def test_collector(captures, pki, good, host):
    c = Collector(good)
    try:
        r = probe('-i', captures('http,dns'), *export(c.port, pki, host=host), *FOREVER).ok()
        wait_until(lambda: c.sessions and session_is_whole(c.sessions[0]) and
                   flows_in(c.sessions, RECORD) == r.summary['export_records'])
        assert r.summary['export_records'] == r.summary['records'] > 5
        assert r.summary['export_lost'] == 0
    finally:
        c.end()


def test_collector_wants_a_certificate(captures, pki, good):
    mine = pki.make('exporter')
    c = Collector(good, ca=pki.ca)
    try:
        r = probe('-i', captures('http'), *export(c.port, pki, '--tls-cert', mine.cert, '--tls-key', mine.key), *FOREVER)
        n = r.ok().summary['export_records']
        assert n > 0
        wait_until(lambda: flows_in(c.sessions, RECORD) == n)
    finally:
        c.end()


@pytest.mark.parametrize('why', ['authority', 'name', 'expired'])
def test_collector_refused(start, captures, pki, good, bad, why):
    """Nothing is sent; said once; tried again until the certificate is good."""
    cert, text = bad[why]
    c = Collector(cert)
    try:
        p = start('-i', captures('http'), '--stay', *export(c.port, pki, '-t', '1', '-d', '1'))
        p.until(lambda: c.failed >= 3, 15)
        said = [line for line in p.text().splitlines() if text in line]
        assert len(said) == 1 and 'collector tls://' in said[0] and 'certificate is refused' in said[0], p.text()
        assert all(not s for s in c.sessions)
        c.load(good)
        p.until(lambda: 'is back' in p.text(), 20)
        p.signal(signal.SIGTERM)
        r = p.wait().ok()
        assert r.summary['export_lost'] == 0
        wait_until(lambda: flows_in(c.sessions, RECORD) == r.summary['export_records'] > 0)
    finally:
        c.end()


def test_collector_cut(start, captures, pki, good):
    """Cut and back: a new session, whole, and what had not been taken comes again."""
    c = Collector(good)
    try:
        p = start('-i', captures('many', flows=2000, packets=4, seconds=8), '--stay', '--speed', '1',
                  *export(c.port, pki, '-t', '1', '-d', '1', '-l', '1'))
        p.until(lambda: flows_in(c.sessions, RECORD) > 100, 20)
        c.cut()
        p.until(lambda: len(c.sessions) > 1 and flows_in(c.sessions[1:], RECORD) > 100, 20)
        assert 'is back' in p.text()
        p.signal(signal.SIGTERM)
        r = p.wait().ok()
        assert r.summary['collector_connects'] == 2
        wait_until(lambda: flows_in(c.sessions, RECORD) >= r.summary['export_records'] - 200)
        assert all(session_is_whole(s) for s in c.sessions)
    finally:
        c.end()


def test_collector_of_openssl(captures, pki, good, tmp_path):
    """s_server takes what an IPFIX file of the same run has."""
    if shutil.which('openssl') is None:
        pytest.skip('needs openssl')
    port = free_port(socket.SOCK_STREAM)
    got = tmp_path / 'got'
    with open(got, 'wb') as out:
        s = subprocess.Popen(['openssl', 's_server', '-accept', str(port), '-cert', str(good.cert), '-key', str(good.key),
                              '-quiet', '-naccept', '1'], stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL)
    try:
        r = probe('-i', captures('http'), *export(port, pki), *FOREVER).ok()
        s.wait(10 * SLOW)
        data = got.read_bytes()
        messages = []
        while data:
            length = struct.unpack('>H', data[2:4])[0]
            messages.append(data[:length])
            data = data[length:]
        assert session_is_whole(messages)
        assert flows_in([messages], RECORD) == r.summary['records'] > 0
    finally:
        s.kill()
        s.wait()


# ---- what is wrong from the start


def test_wrong_options(captures, pki, good, others, tmp_path):
    key = others.make('other').key
    (tmp_path / 'empty').write_text('')
    for args, status, text in (
            (['--resp-tls', good.cert], 2, 'CERT,KEY'),
            (['--tls-cert', good.cert], 2, 'need each other'),
            (['--sentinel', 'm@tls://localhost:1'], 2, 'not supported'),
            (['--resp', '6399', '--resp-tls', '%s,%s' % (good.cert, key)], 1, 'key'),
            (['--resp', '6399', '--resp-tls', '%s,%s' % (tmp_path / 'none', good.key)], 1, 'none'),
            (['-n', 'tls://localhost:1', '--tls-ca', tmp_path / 'empty'], 1, 'empty'),
            (['--redis', 'tls://localhost:1', '--tls-ca', tmp_path / 'none'], 1, 'none')):
        r = probe('-i', captures('http'), '--no-dpi', *args)
        assert r.status == status and text in r.text, (args, r.text)
