# SPDX-License-Identifier: BSD-3-Clause
"""What test_cloud_faults.py does not do to a node: restarted without its data, with so much
that it loads for a while, a replica for a while, its name leading elsewhere, full while
everything else goes on. All at the same time, each with a probe of its own; each probe also
writes its records to a file, which must not suffer.

A capture of eight seconds is read at its pace. Once the node has some of it the probe is
held while the fault is made, so that it cannot be done before.
"""
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from cloud import CROWD, T, RedisServer, crowd, lossless, merged, same, totals, wait_until
from conftest import Running, free_port

WITHOUT_DATA = ['--appendonly', 'no']


class Fault:
    """A node, a probe that writes to it, and what befalls them. NODES: what the probe leads
    to in the end."""

    options = []
    failed = None

    def __init__(self, crowd, folder):
        folder.mkdir()
        self.crowd, self.folder = crowd, folder
        self.server = RedisServer(folder / 'redis', *self.options)
        self.nodes = [self.server]
        self.probe = None

    def begin(self, address, before=()):
        return Running(['-i', self.crowd.path, *CROWD, '--speed', 1, '--no-dpi', '--resp', 'none',
                        '--probe-id', 'p1', '--cloud-interval', 1, '--redis', address, '--json', self.folder / 'json',
                        '-T', T, '--drain-timeout', 40], before=before)

    def written(self):
        """Does the node have sums? The crowd's servers are in all of them."""
        return self.server.client().exists(*['ip.' + a for a in self.crowd.SERVERS]) > 0

    def happens(self):
        """The whole of it; what went wrong is in .failed."""
        try:
            self.probe = self.begin(self.server.address)
            wait_until(self.written, 30, 'for a batch')
            self.probe.signal(signal.SIGSTOP)
            try:
                self.hit()
            finally:
                self.probe.signal(signal.SIGCONT)
            self.mend()
            self.wait()
        except BaseException as e:
            self.failed = e

    def hears(self, word):
        """The probe says WORD of its node."""
        wait_until(lambda: word in self.probe.text(), 30, 'for "%s": %s' % (word, self.probe.text()[-600:]))

    def wait(self):
        self.result = self.probe.wait(75)
        self.left = [totals(s.client()) for s in self.nodes]

    def end(self):
        if self.probe:
            self.probe.end()
        for s in self.nodes:
            s.end()


class Emptied(Fault):
    """kill -9, and it comes back knowing nothing."""

    options = WITHOUT_DATA

    def hit(self):
        self.server.kill9()

    def mend(self):
        self.hears(self.server.address)  # it is gone
        self.server.start()


class Loading(Fault):
    """It comes back at once, but for seconds says only that it is loading."""

    def hit(self):
        c = self.server.client()
        with c.pipeline(transaction=False) as p:
            for n in range(5000):
                p.set('ballast.%d' % n, n)
            p.execute()
        self.server.options += ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024']
        self.server.kill9()
        self.server.start(ready=False)

        def loads():
            try:
                with socket.create_connection(('127.0.0.1', self.server.port), 5) as s:
                    s.settimeout(5)
                    s.sendall(b'PING\r\n')
                    return s.recv(100).startswith(b'-LOADING')
            except OSError:
                return False
        wait_until(loads, 10, 'for it to load')

    def mend(self):
        self.hears('loading')
        self.server.wait_ready()


class Replica(Fault):
    """Somebody makes a replica of it, and thinks better of it."""

    def hit(self):
        self.server.client().execute_command('REPLICAOF', '127.0.0.1', str(free_port(socket.SOCK_STREAM)))

    def mend(self):
        self.hears('replica')
        self.server.client().execute_command('REPLICAOF', 'NO', 'ONE')


class Moved(Fault):
    """The node's name has another address: its service was moved. The old one is gone."""

    def begin(self, address, before=()):
        self.hosts = self.folder / 'hosts'
        self.point('127.0.0.1')
        # no other names are asked for, and nobody outside is asked
        (self.folder / 'resolv.conf').write_text('nameserver 127.0.0.1\n')
        script = 'mount --make-rprivate / && mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && ' \
            'shift 2 && exec "$@"'
        return super().begin('redis.test:%d' % self.server.port, before=[
            'unshare', '-m', 'sh', '-c', script, 'sh', self.hosts, self.folder / 'resolv.conf'])

    def point(self, address):
        # in place: what is mounted is the file, not its name
        with open(self.hosts, 'a+') as f:
            f.truncate(0)
            f.write('127.0.0.1 localhost\n%s redis.test\n' % address)
        self.hosts.chmod(0o644)

    def hit(self):
        self.server.kill9()

    def mend(self):
        self.nodes = [RedisServer(self.folder / 'new', port=self.server.port, host='127.0.0.2')]
        self.point('127.0.0.2')


def why_not(kind):
    if kind is not Moved:
        return None
    if os.geteuid() != 0 or shutil.which('unshare') is None:
        return 'needs root and unshare(1)'
    r = subprocess.run(['unshare', '-m', 'mount', '--make-rprivate', '/'], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return 'no namespaces of mounts here' if r.returncode else None


FAULTS = [Emptied, Loading, Replica, Moved]


@pytest.fixture(scope='module')
def faults(crowd, tmp_path_factory):
    """{kind: Fault}: all have happened and their probes have ended; or a reason why not."""
    folder, found = tmp_path_factory.mktemp('faults'), {}
    try:
        for kind in FAULTS:
            found[kind] = why_not(kind) or kind(crowd, folder / kind.__name__)
        threads = [threading.Thread(target=f.happens) for f in found.values() if isinstance(f, Fault)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        yield found
    finally:
        for f in found.values():
            if isinstance(f, Fault):
                f.end()


def of(faults, kind):
    if isinstance(faults[kind], str):
        pytest.skip(faults[kind])
    if faults[kind].failed:
        raise faults[kind].failed
    return faults[kind]


def unharmed(f):
    """No packet, no key, no record of the file is missing; the Summary."""
    found = lossless(f.result, f.crowd.packets)
    with open(f.folder / 'json', 'rb') as file:
        assert sum(1 for _ in file) == len(f.crowd.records)
    return found


def said(f, text):
    """How often the log says TEXT before the summary."""
    return f.result.text.split('mcprobe: summary')[0].count(text)


def sent(tree):
    return sum(fields.get('bytesSent', 0) for fields in tree.values())


def test_restarted_empty(faults):
    """The sums it had are gone with it, and that is counted; it has all from then on.
    """
    f = of(faults, Emptied)
    found = unharmed(f)
    assert found['node_rollbacks'] >= 1 and found['node_connects'] >= 2
    assert said(f, 'has lost what it had acknowledged') == 1, f.result.text
    want = f.crowd.tree.under('ip.')
    # what it had may have been its heartbeat alone: then no sum is smaller
    assert 0 < sent(f.left[0]) <= sent(want)
    assert all(n <= want[k].get(field, 0) for k, fields in f.left[0].items() for field, n in fields.items())


def test_loading(faults):
    """It is asked again until it has loaded, and then nothing is missing."""
    f = of(faults, Loading)
    found = unharmed(f)
    assert found['node_connects'] >= 2 and found['node_rollbacks'] == 0
    assert said(f, 'loading') >= 1, f.result.text
    same(merged(*f.left), f.crowd.tree.under('ip.'))


def test_replica(faults):
    f = of(faults, Replica)
    found = unharmed(f)
    assert found['node_refused'] >= 1 and found['node_rollbacks'] == 0
    assert said(f, 'replica') >= 1, f.result.text
    same(merged(*f.left), f.crowd.tree.under('ip.'))


def test_name_leads_elsewhere(faults):
    """The name is looked up for each attempt. The new server lacks what the old one had."""
    f = of(faults, Moved)
    found = unharmed(f)
    assert found['node_connects'] >= 2 and found['node_rollbacks'] >= 1
    assert 0 < sent(f.left[0]) < sent(f.crowd.tree.under('ip.'))
