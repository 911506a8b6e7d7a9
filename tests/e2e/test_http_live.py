# SPDX-License-Identifier: BSD-3-Clause
"""curl, ab and a client of our own against nginx, captured live: each request is one
event with the status that nginx has logged."""
import json
import re
import sys
from collections import Counter

import pytest

import peers
from cloud import hashes, wait_until

_reason = peers.why_not('nginx', 'curl', 'ab', 'redis-server')
pytestmark = pytest.mark.skipif(_reason is not None, reason=str(_reason))

# The access log is a line of JSON per request: a count that is not ours.
CONFIG = '''daemon off;
worker_processes 1;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    log_format json escape=json '{{"method":"$request_method","host":"$http_host","line":"$request",'
        '"status":$status,"sport":$remote_port,"src":"$remote_addr","agent":"$http_user_agent","sent":$bytes_sent}}';
    access_log {folder}/access.log json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000;
    client_max_body_size 10m;
    default_type text/plain;
    types {{ text/html html; image/png png; }}
    gzip on;
    gzip_min_length 1;
    gzip_types text/plain;
    server {{
        listen 80;
        listen [::]:80;
        listen 3128;
        root {folder}/www;
        location /moved {{ return 301 /index.html; }}
        location /gone {{ return 410; }}
        location /broken {{ return 500; }}
        location /put {{ proxy_pass http://127.0.0.1:81; }}
    }}
    server {{ listen 127.0.0.1:81; access_log off; location / {{ return 201 "taken"; }} }}
}}
'''
PIPELINE = '''import socket, sys
s = socket.create_connection((sys.argv[1], 80), timeout=10)
n = int(sys.argv[2])
want = b''.join(b'%s /p%d HTTP/1.1\\r\\nHost: pipe.example\\r\\n%s\\r\\n' % (
    b'HEAD' if i % 3 == 2 else b'GET', i % 5, b'Connection: close\\r\\n' if i == n - 1 else b'') for i in range(n))
for at in range(0, len(want), 333):
    s.sendall(want[at:at + 333])
got = b''
while True:
    data = s.recv(65536)
    if not data:
        break
    got += data
print(got.count(b'HTTP/1.1 '))
'''

# What CONNECT asks for, whatever it is, is nginx.
PROXY = '''import socket, threading
def copy(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
def serve(c):
    head = b''
    while b'\\r\\n\\r\\n' not in head:
        head += c.recv(4096)
    up = socket.create_connection(('127.0.0.1', 80))
    c.sendall(b'HTTP/1.1 200 Connection established\\r\\n\\r\\n')
    threading.Thread(target=copy, args=(up, c)).start()
    copy(c, up)
with socket.create_server(('', 8888)) as s:
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],)).start()
'''


@pytest.fixture
def link(tmp_path):
    with peers.Link(tmp_path) as link:
        www = tmp_path / 'www'
        www.mkdir()
        (www / 'index.html').write_text('<p>hello')
        (www / 'big').write_bytes(bytes(range(256)) * 8000)
        (www / 'pic.png').write_bytes(b'\x89PNG' + bytes(5000))
        (www / 'words').write_text('flow probe ' * 2000)
        for n in range(4):
            (www / ('p%d' % n)).write_text('x' * (10 + n * 700))
        (tmp_path / 'nginx.conf').write_text(CONFIG.format(folder=tmp_path))
        link.serve(['nginx', '-c', tmp_path / 'nginx.conf', '-p', tmp_path],
                   lambda: 'hello' in link.client(['curl', '-s', '-m', '2', 'http://%s/index.html' % peers.SERVER]))
        (tmp_path / 'access.log').write_text('')
        link.probe('--publish', 'http', '-d', '2')
        yield link


def logged(tmp_path):
    rows = [json.loads(line) for line in (tmp_path / 'access.log').read_text().splitlines()]
    return [dict(e, url=e['line'].split()[1]) for e in rows]


def check(link, tmp_path, total):
    """Events and keys are what nginx's log has, TOTAL requests. Returns the events."""
    wait_until(lambda: len(logged(tmp_path)) == total, 10, 'for nginx to log')
    log = logged(tmp_path)
    hosts = Counter(e['host'].lower().rsplit(':80', 1)[0].replace(':3128', '').strip('[]') for e in log)
    errors = Counter(e['host'].lower() for e in log if e['status'] >= 400)
    errors = Counter({k.strip('[]'): n for k, n in errors.items()})
    with link.node.client() as c:
        def complete():
            return sum(int(h.get('http.requests', 0)) for h in hashes(c, 'ip.*').values()) == total
        # In near real time; the last one of a connection with its response.
        wait_until(complete, 8, 'for %d requests' % total)
        keys = hashes(c, 'http.host.*')
        assert {k[10:]: int(h['requests']) for k, h in keys.items()} == hosts
        assert {k[10:]: int(h['errors']) for k, h in keys.items() if 'errors' in h} == errors
        assert sum(int(h.get('http.errors', 0)) for h in hashes(c, 'ip.*').values()) == sum(errors.values())
    summary = link.finish()
    assert summary['kernel_drops'] == summary['posts_lost'] == summary['node_keys_left'] == 0
    assert summary['http_requests'] == total
    assert summary['http_unanswered'] == summary['http_unasked'] == summary['http_resyncs'] == 0
    events = link.told('http')

    def rows(many):
        return Counter((e['src'], e['sport'], e['method'], e.get('host', ''), e['url'], e['status']) for e in many)
    assert rows(events) == rows(log)
    assert len(events) == total
    for e in events:
        assert e['latencyUs'] is not None and e['dst'] in (peers.SERVER, peers.SERVER6)
    return events


def test_curl(link, tmp_path):
    """One of everything."""
    a, six = 'http://%s' % peers.SERVER, 'http://[%s]' % peers.SERVER6
    runs = [
        [a + '/index.html', a + '/pic.png', a + '/nothing', a + '/moved'],  # one connection
        ['-I', a + '/big'],
        ['--compressed', a + '/words'],  # chunked
        ['-H', 'Host: Six.Example', six + '/big', six + '/gone'],
        ['-H', 'Expect: 100-continue', '--data-binary', '@%s/www/big' % tmp_path, a + '/put'],
        ['-T', str(tmp_path / 'www/pic.png'), a + '/put/file'],
        ['-r', '100-299', a + '/big'],
        ['-A', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)', '-e', 'http://from.example/', a + '/broken'],
        ['-X', 'DELETE', a + '/index.html'],
        ['-0', a + '/index.html'],  # HTTP/1.0
        ['-X', 'OPTIONS', a + '/index.html'],
        ['-x', 'http://%s:3128' % peers.SERVER, 'http://proxied.example/index.html'],
    ]
    for argv in runs:
        out = link.client(['curl', '-s', '-m', '20', '-o', '/dev/null', '-o', '/dev/null', '-o', '/dev/null', '-o',
                           '/dev/null', '-w', '%{http_code} ', *argv])
        assert re.fullmatch(r'(\d{3} )+', out), (argv, out)
    # A page that has not changed.
    out = link.client(['curl', '-s', '-D', '-', '-o', '/dev/null', a + '/index.html'])
    etag = re.search(r'(?i)^etag: (\S+)', out, re.M)[1]
    assert '304' in link.client(['curl', '-s', '-D', '-', '-H', 'If-None-Match: ' + etag, a + '/index.html'])
    wait_until(lambda: any(e['status'] == 304 for e in logged(tmp_path)), 5)
    total = len(logged(tmp_path))
    assert total >= 17
    events = check(link, tmp_path, total)
    assert {e['status'] for e in events} >= {200, 201, 206, 301, 304, 404, 405, 410, 500}
    assert {e['method'] for e in events} >= {'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'}
    big, = [e for e in events if e['method'] == 'POST']
    assert big['reqBytes'] > 2048000 and big['status'] == 201
    assert all(e['respBytes'] > 2048000 for e in events if e['url'] == '/big' and e['method'] == 'GET'
               and e['status'] == 200)
    assert all(e['respBytes'] < 1000 for e in events if e['method'] == 'HEAD')
    words, = [e for e in events if e['url'] == '/words']
    assert words['mime'] == 'text/plain'
    broken, = [e for e in events if e['url'] == '/broken']
    assert broken['referer'] == 'http://from.example/'
    assert [e['mime'] for e in events if e['url'] == '/pic.png'] == ['image/png']


@pytest.mark.parametrize('keep', [[], ['-k']], ids=['close', 'keep-alive'])
def test_ab(link, tmp_path, keep):
    argv = ['ab', '-q', *keep, '-n', '2000', '-c', '16']
    out = link.client([*argv, 'http://%s/p2' % peers.SERVER])
    assert re.search(r'Complete requests:\s+2000\n', out) and re.search(r'Failed requests:\s+0\n', out), out
    out = link.client([*argv, 'http://[%s]/none' % peers.SERVER6])
    assert re.search(r'Non-2xx responses:\s+2000\n', out), out
    events = check(link, tmp_path, 4000)
    assert Counter(e['status'] for e in events) == {200: 2000, 404: 2000}
    connections = {(e['src'], e['sport']) for e in events}
    # a port may be used again: its connection is another flow, but not another pair here
    assert 3500 < len(connections) <= 4000 if not keep else len(connections) < 400


@pytest.mark.parametrize('n', [10, 90])
def test_pipelining(link, tmp_path, n):
    """Requests without waiting for their responses, in pieces that end anywhere."""
    out = link.client([sys.executable, '-c', PIPELINE, peers.SERVER, str(n)])
    assert out.strip() == str(n)
    events = check(link, tmp_path, n)
    assert [e['url'] for e in events] == ['/p%d' % (i % 5) for i in range(n)]
    assert [e['status'] for e in events] == [404 if i % 5 == 4 else 200 for i in range(n)]
    assert [e['method'] for e in events] == ['HEAD' if i % 3 == 2 else 'GET' for i in range(n)]


def test_connect(link, tmp_path):
    """The request to the proxy is an event; what is in the tunnel is the tunnel's."""
    link.serve([sys.executable, '-c', PROXY], lambda: link.rig.run('probe', ['ss', '-Hltn', 'sport', '=', '8888']).stdout)
    out = link.client(['curl', '-s', '-p', '-x', 'http://%s:8888' % peers.SERVER, 'http://inside.example/index.html',
                       'http://inside.example/p1'])
    assert out.startswith('<p>hello')
    assert [e['url'] for e in logged(tmp_path)] == ['/index.html', '/p1']
    link.finish()
    event, = link.told('http')
    assert (event['method'], event['url'], event['host'], event['status']) == \
        ('CONNECT', 'inside.example:80', 'inside.example:80', 200)
    with link.node.client() as c:
        assert list(hashes(c, 'http.host.*')) == ['http.host.inside.example']
