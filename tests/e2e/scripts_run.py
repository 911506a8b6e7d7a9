# SPDX-License-Identifier: BSD-3-Clause
"""The apps of redis-scripts as processes, and the servers they are tested against: a node
(a real redis-server, filled as probes fill it) and a probe. Tests import the fixtures."""
import contextlib
import csv
import ctypes
import importlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import REPO, SLOW, Running, free_port

redis = pytest.importorskip('redis')
SCRIPTS = REPO / 'redis-scripts'
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
import mcprobe_common as common  # noqa: E402

ENV = {**os.environ, 'PYTHONDONTWRITEBYTECODE': '1', 'PYTHONIOENCODING': 'utf8', 'COLUMNS': '200'}
APPS = {'top': [], 'watch': ['flow'], 'series': ['ip.10.0.0.1:bytesSent'], 'alert_host': ['10.0.0.1']}
EVIL = 'evil\x1b[2J\x1b]0;owned\x07\r\x9b\u202e"\'`id`'
FORBIDDEN = re.compile('[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]')
GNUPLOT = pytest.mark.skipif(not shutil.which('gnuplot'), reason='gnuplot is missing')


def until(what, seconds=8):
    """Wait for WHAT() to be true, and return it."""
    end = time.monotonic() + seconds * SLOW
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(.02)


def die_with_parent():
    """In a child: no server outlives a test run that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Node:
    """A real redis-server."""
    kind = 'node'

    def __init__(self, *args):
        self.port, self.args, self.process = free_port(socket.SOCK_STREAM), args, None
        self.at = '127.0.0.1:%d' % self.port
        self.client = redis.Redis(port=self.port)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--save', '',
             '--appendonly', 'no', *self.args], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd='/', preexec_fn=die_with_parent)
        until(self.answers)

    def answers(self):
        assert self.process.poll() is None, 'redis-server ended'
        try:
            return self.client.ping()
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait()

    def fill(self):
        """Thirty hosts, and one of everything, as DESIGN has it."""
        pipe, minute = self.client.pipeline(), int(time.time()) // 60
        for i in range(1, 31):
            pipe.hset('ip.10.0.0.%d' % i, mapping={
                'bytesSent': 1000 * i, 'bytesRcvd': 50000 * i, 'pktsSent': 100 - i,
                'pktsRcvd': 100 - i, 'flowsClient': i % 7, 'flowsServer': 2,
                'firstSeen': 1700000000, 'lastSeen': 1700000000 + i, '10.bytesSent': 5})
            pipe.zincrby('top.ip.bytes.%d' % (minute - i % 2), 51000 * i, '10.0.0.%d' % i)
            pipe.zincrby('top.ip.flows.%d' % minute, 2 + i % 7, '10.0.0.%d' % i)
        pipe.hset('ip.2001:db8::1', mapping={'bytesSent': 7})
        for name, size in (('TLS', 900), ('DNS', 800), ('Unknown', 70)):
            pipe.hset('proto.' + name, mapping={'bytes': size, 'pkts': 3, 'flows': 1})
            pipe.zincrby('top.proto.bytes.%d' % minute, size, name)
        pipe.hset('port.tcp.443', mapping={'bytes': 900, 'pkts': 3, 'flows': 2})
        pipe.hset('port.udp.53', mapping={'bytes': 1900, 'pkts': 2, 'flows': 9})
        pipe.hset('mac.02:00:5e:00:00:01', mapping={'bytesSent': 4, 'pktsSent': 1})
        pipe.hset('vlan.10', mapping={'bytesSent': 4, 'bytesRcvd': 6})
        pipe.hset('probe.one', mapping={'packets': 5, 'drops': 0, 'version': '1.0'})
        pipe.set('probe.one.seq', '0011223344556677:9')
        pipe.set('user.ip.10.0.0.1', 'alice')
        pipe.sadd('microcloud.nodes', self.at)
        pipe.execute()
        return self


class Probe(Node):
    """A probe that has read a capture and holds."""
    kind = 'probe'

    def __init__(self, capture):
        self.port = free_port(socket.SOCK_STREAM)
        self.at = '127.0.0.1:%d' % self.port
        self.client = redis.Redis(port=self.port)
        self.probe = Running(['-i', capture, '--stay', '--resp', self.port])
        self.process = self.probe.process
        if self.process.poll() is None:
            time.sleep(.2)
        if self.process.poll() == 2 and 'resp' in self.probe.text():
            pytest.skip('this probe does not know --resp')
        until(self.answers)
        until(lambda: self.client.keys('ip.*'))
        self.probe.settled()


@pytest.fixture
def node():
    made = Node().fill()
    yield made
    made.stop()


@pytest.fixture
def nodes():
    """nodes(N, ARG...): empty ones."""
    made = []

    def begin(n, *args):
        made.extend(Node(*args) for _ in range(n))
        return made[-n:]
    yield begin
    for one in made:
        one.stop()


@pytest.fixture(scope='module')
def probe_server(captures):
    made = None
    try:
        made = Probe(captures('all'))
        yield made
    finally:
        if made:
            made.probe.end()


@pytest.fixture(params=['node', 'probe'])
def server(request):
    """Either; nobody is subscribed."""
    made = request.getfixturevalue('node' if request.param == 'node' else 'probe_server')
    until(lambda: made.client.pubsub_numpat() == 0)
    return made


def command(name, server, args):
    at = [] if server is None else ['--redis', server if isinstance(server, str) else server.at]
    return [sys.executable, str(SCRIPTS / (name + '.py')), *at, *map(str, args)]


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        assert 'Traceback' not in err, err

    def ok(self):
        assert self.status == 0, self.err
        assert self.err == ''
        return self.out


def app(name, server, *args, env=ENV):
    """Run to the end."""
    p = subprocess.run(command(name, server, args), capture_output=True, env=env,
                       stdin=subprocess.DEVNULL, timeout=30 * SLOW)
    return Done(p.returncode, p.stdout.decode(), p.stderr.decode())


def inside(name, server, *args):
    """Run to the end in this process: quicker, where the process itself is not the matter."""
    out, err, argv, status = io.StringIO(), io.StringIO(), sys.argv, 0
    sys.argv = command(name, server, args)[1:]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            importlib.import_module(name).main()
    except common.Trouble as trouble:
        status = 1
        err.write('%s.py: %s\n' % (name, trouble))
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = argv
    return Done(status, out.getvalue(), err.getvalue())


class Live:
    """In the background."""

    def __init__(self, name, server, *args):
        self.files = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(command(name, server, args), env=ENV, stdout=self.files[0],
                                        stdin=subprocess.DEVNULL, stderr=self.files[1],
                                        preexec_fn=die_with_parent)

    def read(self, which):
        return os.pread(self.files[which].fileno(), 1 << 24, 0).decode()

    @property
    def out(self):
        return self.read(0)

    @property
    def err(self):
        return self.read(1)

    def lines(self, n):
        """The output, once it has N lines."""
        until(lambda: self.out.count('\n') >= n or self.process.poll() is not None)
        assert self.out.count('\n') >= n, self.err
        return self.out.splitlines()

    def end(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(8 * SLOW)
        return Done(status, self.out, self.err)


@pytest.fixture
def live():
    begun = []

    def begin(*args):
        begun.append(Live(*args))
        return begun[-1]
    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        for f in one.files:
            f.close()


def listening(server, n=1):
    """Until N clients follow a pattern."""
    until(lambda: server.client.pubsub_numpat() >= n)


def table(text):
    """A CSV: its head, its rows."""
    rows = list(csv.reader(io.StringIO(text)))
    assert len({len(r) for r in rows}) == 1, 'ragged'
    return rows[0], rows[1:]
