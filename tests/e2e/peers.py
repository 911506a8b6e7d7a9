# SPDX-License-Identifier: BSD-3-Clause
"""A client and a real server, each in a network namespace of the test's own, on the two
ends of a link; the probe captures at the server's end and writes to a Redis server.

    with peers.Link(tmp_path) as link:
        link.serve(["nginx", "-c", ...])
        link.probe("--publish", "http")
        link.client(["curl", link.url])
        result = link.finish()
"""
import json
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import netns
from cloud import RedisServer, wait_until
from conftest import PROBE, Result

CLIENT, SERVER = '192.0.2.1', '192.0.2.2'
CLIENT6, SERVER6 = '2001:db8::1', '2001:db8::2'


class Link:
    def __init__(self, folder):
        self.folder = folder
        self.rig = netns.Rig()
        self.interface = None
        self.node = self.process = self.shared = None

    def __enter__(self):
        self.rig.__enter__()
        try:
            self.interface = self.rig.capture[0]
            for side, name, four, six in (('traffic', self.rig.send[0], CLIENT, CLIENT6),
                                          ('probe', self.interface, SERVER, SERVER6)):
                for argv in (['sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/%s/disable_ipv6' % name],
                             ['ip', 'link', 'set', name, 'mtu', '1500'], ['ip', 'link', 'set', 'lo', 'up'],
                             ['ip', 'address', 'add', four + '/24', 'dev', name],
                             ['ip', '-6', 'address', 'add', six + '/64', 'dev', name, 'nodad']):
                    r = self.rig.run(side, argv)
                    assert r.returncode == 0, (argv, r.stdout)
            # A socket in the file system is the same in every network namespace. The probe
            # that is no longer root must come to it.
            self.shared = Path(tempfile.mkdtemp(prefix='mcprobe-'))
            self.shared.chmod(0o755)
            self.node = RedisServer(self.shared / 'node', '--unixsocketperm', '777', unix=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        if self.node:
            self.node.end()
        if self.shared:
            shutil.rmtree(self.shared, ignore_errors=True)
        self.rig.close()

    def client(self, argv, **kw):
        r = self.rig.run('traffic', argv, **kw)
        return r.stdout

    def popen(self, argv):
        return self.rig.popen('traffic', argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)

    def serve(self, argv, ready):
        """Start a server, in the foreground, and wait until READY(), a function, is true."""
        with open(self.folder / 'server.log', 'ab') as log:
            p = self.rig.popen('probe', argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def up():
            assert p.poll() is None, (self.folder / 'server.log').read_text()[-1500:]
            return ready()
        wait_until(up, 15, 'for ' + str(argv[0]))
        return p

    def probe(self, *options):
        self.events = self.folder / 'events'
        self.log = open(self.folder / 'probe.log', 'wb')
        self.process = self.rig.popen(
            'probe', [PROBE, '-i', self.interface, '--no-dpi', '--resp', 'none', '--redis', self.node.address,
                      '--probe-id', 'peer', '--events', self.events, '--cloud-interval', '1', '--volatile-ttl', '600',
                      *options], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        with self.node.client() as c:
            wait_until(lambda: c.exists('probe.peer'), 15, 'for the heartbeat')
        time.sleep(.3)

    def finish(self):
        """End the probe; its summary."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.log.close()
        r = Result(status, b'', (self.folder / 'probe.log').read_bytes())
        return r.ok().summary.check()

    def told(self, channel):
        with open(self.events) as f:
            rows = [json.loads(line) for line in f if line.endswith('\n')]
        return [r['data'] for r in rows if r['channel'] == channel]


def why_not(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            return 'needs ' + tool
    return netns.available()
