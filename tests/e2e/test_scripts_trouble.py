# SPDX-License-Identifier: BSD-3-Clause
"""The apps of redis-scripts in trouble: bad usage, server away, restarted meanwhile, none at
all; hostile names; and what makes text safe."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import SLOW
from scripts_run import app, command, inside, table, until, APPS, ENV, EVIL, FORBIDDEN, SCRIPTS
from scripts_run import live, node, nodes  # noqa: F401 fixtures
import mcprobe_common as common
import mcprobe_nodes


def counts(server, key):
    h = {k.decode(): v for k, v in server.client.hgetall(key).items()}
    return [sum(int(h.get(f, 0)) for f in fields) for fields in (
        ('bytes', 'bytesSent', 'bytesRcvd'), ('pkts', 'pktsSent', 'pktsRcvd'),
        ('flows', 'flowsClient', 'flowsServer'))]


# Trouble

@pytest.mark.parametrize('name', APPS)
def test_away_at_start(name):
    done = app(name, '127.0.0.1:1', *APPS[name])
    assert (done.status, done.out) == (1, '')
    assert re.fullmatch(r'%s\.py: no answer: 127\.0\.0\.1:1: .*refused.*\n' % name, done.err)
    done = inside(name, 'unix:/nonexistent/socket', *APPS[name])
    assert done.status == 1 and done.err.count('\n') == 1 and '/nonexistent/socket' in done.err


@pytest.mark.parametrize('name', APPS)
@pytest.mark.parametrize('args', [['--nonsense'], ['--redis', 'a:b:c:d'], ['--redis', 'x:99999'],
                                  ['--redis', 'unix:'], ['--once', '--interval', '-1', '--timeout', 'x']])
def test_bad_usage(name, args):
    done = inside(name, None, *args, *APPS[name])
    assert done.status == 2 and 'error: ' in done.err and done.out == ''


@pytest.mark.parametrize('name, args', [
    ('top', ['-n', '0']), ('top', ['--by', 'x']), ('top', ['--group', 'user']), ('top', ['--interval', 'nan']),
    ('watch', []), ('watch', ['dns', '--count', '-1']), ('watch', ['dns', '--timeout', '0']),
    ('series', []), ('series', ['nofield']), ('series', [':x']), ('series', ['x:']),
    ('series', ['a:b', '--long', '--png', 'x']), ('alert_host', []), ('alert_host', ['nonsense']),
    ('alert_host', ['10.0.0.1/33']), ('alert_host', ['--hosts', '/nonexistent'])])
def test_bad_options(name, args):
    done = inside(name, '127.0.0.1:1', *args)
    assert done.status == 2 and 'error: ' in done.err and done.out == ''


def test_bad_hosts_file(tmp_path):
    (tmp_path / 'hosts').write_bytes(b'10.0.0.1\n\xff\x1b[2J\n')
    done = inside('alert_host', '127.0.0.1:1', '--hosts', tmp_path / 'hosts')
    assert done.status == 2 and 'hosts:2: ' in done.err and not FORBIDDEN.search(done.err)


@pytest.mark.parametrize('name', APPS)
def test_help(name):
    """The docstring, with examples that are valid."""
    text = inside(name, None, '--help').ok()
    assert 'examples:\n' in text and '%s.py' % name in text and '--password-file' in text
    assert os.access(SCRIPTS / (name + '.py'), os.X_OK)


def test_password(nodes, tmp_path):
    node, = nodes(1, '--requirepass', 'open sesame')
    right, wrong = tmp_path / 'right', tmp_path / 'wrong'
    right.write_text('open sesame\nsecond line\n')
    wrong.write_text('x\n')
    assert app('top', node, '--once', '--password-file', right).ok()
    for name, args in APPS.items():
        done = inside(name, node, *args)
        assert done.status == 1 and 'uthentication required' in done.err and done.err.count('\n') == 1
    done = inside('top', node, '--password-file', wrong)
    assert done.status == 1 and 'invalid username-password' in done.err
    done = inside('top', node, '--password-file', tmp_path / 'none')
    assert done.status == 1 and 'No such file' in done.err and done.err.count('\n') == 1


def test_unix_socket(nodes, tmp_path):
    path = tmp_path / 'r.sock'
    node, = nodes(1, '--unixsocket', str(path))
    node.fill()
    assert '10.0.0.30' in inside('top', 'unix:%s' % path, '--once').ok()


@pytest.mark.parametrize('answer', [b'HTTP/1.1 400 Bad Request\r\n\r\n', b'*1\r\n*1\r\n:x\r\n', b'\x1b[2J\r\n',
                                    b'-ERR \x1b[2J\x07 no\r\n', b'$-5\r\n', b'', b'\r\n\r\n'])
def test_no_redis(answer):
    """A server that is none: one clean line."""
    def serve():
        try:
            while True:
                peer = listener.accept()[0]
                peer.recv(1000)
                peer.sendall(answer)
                peer.close()
        except OSError:
            pass
    with socket.create_server(('127.0.0.1', 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        done = inside('top', '127.0.0.1:%d' % listener.getsockname()[1], '--once')
        listener.shutdown(socket.SHUT_RDWR)
    assert done.status == 1 and done.err.count('\n') == 1 and not FORBIDDEN.search(done.err)


def test_silent_server(monkeypatch):
    """One that accepts and never answers is away after the timeout."""
    monkeypatch.setattr(mcprobe_nodes, 'TIMEOUT', .3)
    with socket.create_server(('127.0.0.1', 0)) as listener:
        done = inside('watch', '127.0.0.1:%d' % listener.getsockname()[1], 'dns')
    assert done.status == 1 and 'imeout' in done.err and done.err.count('\n') == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c(node, live, number):
    begun = [live(name, node, '--interval', '.1', *args) if name != 'watch' else live(name, node, *args)
             for name, args in APPS.items()]
    until(lambda: dict(node.client.pubsub_numsub('flow', 'flow.new')) == {b'flow': 1, b'flow.new': 1})
    for w in begun:
        if w is not begun[1]:
            w.lines(1)
        done = w.end(number)
        assert done.status == 0 and done.err == ''


@pytest.mark.parametrize('name, args', [('top', ['--interval', '.05']), ('series', ['ip.10.0.0.1:bytesSent',
                                                                                    '--interval', '.05'])])
def test_reader_had_enough(node, name, args):
    p = subprocess.Popen(command(name, node, args), env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.readline()
    p.stdout.close()
    assert p.wait(8 * SLOW) == 0
    assert p.stderr.read() == b''
    p.stderr.close()


def test_full_disk(node):
    with open('/dev/full', 'w') as full:
        p = subprocess.run(command('top', node, ['--once']), env=ENV, stdout=full, stderr=subprocess.PIPE)
    assert p.returncode == 1 and p.stderr.count(b'\n') == 1 and b'No space left' in p.stderr


def test_restart(node, live):
    """The server goes and comes back: said once each, and all go on."""
    begun = {'top': live('top', node, '--json', '--interval', .2),
             'series': live('series', node, 'ip.10.0.0.1:bytesSent', '--rate', '--interval', .2),
             'watch': live('watch', node, 'dns', '--json'),
             'alert_host': live('alert_host', node, '10.0.0.1', '--interval', .2, '--quiet', .1)}
    subscribed = {b'dns': 1, b'flow.new': 1}
    until(lambda: dict(node.client.pubsub_numsub('dns', 'flow.new')) == subscribed)
    begun['top'].lines(2)
    begun['series'].lines(3)
    begun['alert_host'].lines(1)
    node.stop()
    for w in begun.values():
        until(lambda: node.at in w.err)
    rows = begun['top'].out.count('\n'), begun['series'].out.count('\n')
    begun['series'].lines(rows[1] + 2)
    node.start()
    node.fill()
    until(lambda: dict(node.client.pubsub_numsub('dns', 'flow.new')) == subscribed)
    node.client.publish('dns', '{"back":1}')
    node.client.hincrby('ip.10.0.0.1', 'bytesSent', 1)
    for w in begun.values():
        until(lambda: 'answers again' in w.err)
    assert json.loads(begun['watch'].lines(1)[-1])['data'] == {'back': 1}
    begun['alert_host'].lines(2)
    until(lambda: len(json.loads(begun['top'].out.splitlines()[-1])['rows']) == 10)
    until(lambda: begun['series'].out.splitlines()[-1].split(',')[1] == '0.0')
    for w in begun.values():
        done = w.end()
        assert done.status == 0 and done.err.count('\n') == 2, done.err
    _, rows = table(begun['series'].out)
    assert '' in [r[1] for r in rows] and rows[0][1] == '0.0'


def test_hostile_names(node, live):
    """Nothing from the wire drives the terminal."""
    node.client.flushall()
    raw = EVIL.encode() + b'\xff\xfe'
    for prefix in (b'ip.', b'proto.', b'port.'):
        node.client.hset(prefix + raw, mapping={'bytes': 5, 'bytesSent': 5, 'name': raw, 'user': raw, raw: 5})
    node.client.zadd('top.ip.bytes.%d' % (time.time() // 60), {raw: 5})
    w = live('watch', node, 'all')
    j = live('watch', node, 'all', '--json')
    until(lambda: sum(c['psub'] != '0' for c in node.client.client_list()) == 2)
    node.client.publish(raw, raw)
    node.client.publish('dns', json.dumps({'ts': EVIL, 'src': EVIL, 'dst': EVIL, 'proto': EVIL, EVIL: EVIL,
                                           'sport': EVIL, 'list': [EVIL], 'deep': {EVIL: EVIL}}))
    text = [inside('top', node, '--once', '--group', g, *more).ok()
            for g in ('ip', 'proto', 'port') for more in ([], ['--json'])]
    text.append(app('series', node, 'ip.*:bytesSent', '--count', 1).ok())
    assert table(text[-1])[1][0][1] == '5'
    text.append(app('series', node, 'ip.*:bytesSent', '--count', 1, '--long').ok())
    text += ['\n'.join(w.lines(2)), '\n'.join(j.lines(2))]
    for t in text:
        assert 'evil' in t and not FORBIDDEN.search(t), repr(t)
    assert all(len(t.splitlines()) == 2 for t in text if not t.startswith('{"v"'))


def test_no_python_redis(tmp_path):
    (tmp_path / 'redis.py').write_text('raise ImportError("none here")\n')
    done = app('top', None, '--once', env={**ENV, 'PYTHONPATH': str(tmp_path)})
    assert (done.status, done.err) == (1, 'top.py: python3-redis is missing: apt install python3-redis\n')


# Text

@pytest.mark.parametrize('text, want', [
    ('plain', 'plain'), ('naïve 中文', 'naïve 中文'), ('a\x1bb', 'a\\x1bb'), ('\x9b', '\\x9b'), ('\u202e', '\\u202e'),
    ('\udcff', '\\xff'), ('\u2028', '\\u2028'), ('\U000e0001', '\\U000e0001'), ('\n\t', '\\x0a\\x09')])
def test_safe(text, want):
    assert common.safe(text) == want


@pytest.mark.parametrize('n, want', [(None, '-'), (0, '0'), (999, '999'), (1000, '1.00k'), (12345, '12.3k'),
                                     (123456, '123k'), (999600, '1.00M'), (5 * 10**18, '5000P'), (.4, '0')])
def test_human(n, want):
    assert common.human(n) == want


@pytest.mark.parametrize('text, columns, want', [
    ('abc', 3, 'abc'), ('abcd', 3, 'ab+'), ('中文字', 6, '中文字'), ('中文字', 5, '中文+'), ('中文字', 4, '中+'),
    ('e\u0301' * 4, 4, 'e\u0301' * 4), ('', 3, '')])
def test_clip(text, columns, want):
    assert common.clip(text, columns) == want


@pytest.mark.parametrize('text, want', [
    ('5', 5), ('-5', -5), ('1.5', 1.5), ('1e3', 1000.0), ('', None), ('x', None), ('nan', None), ('inf', None),
    ('1e999', None), ('9' * 41, None), ('٣', None), ('0x1', None), ('1_000', None), (' 5', None), (None, None)])
def test_number(text, want):
    assert common.number(text) == want
