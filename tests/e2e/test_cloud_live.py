# SPDX-License-Identifier: BSD-3-Clause
"""The MicroCloud on a living interface, after the probe is root no more: a node, the own
port, lives of keys, a node that comes back. In namespaces of the test's own."""
import re
import shutil
import signal
import subprocess
import time

import pytest

import netns
from cloud import wait_until
from conftest import PROBE, SLOW, Result
from test_live_capture import replay, write_capture


def why_not():
    for tool in ('tcpreplay', 'redis-server', 'redis-cli'):
        if shutil.which(tool) is None:
            return 'needs ' + tool
    return netns.available()


_reason = why_not()
pytestmark = pytest.mark.skipif(_reason is not None, reason=str(_reason))


def ask(rig, port, *args):
    r = rig.run('probe', ['redis-cli', '-p', port, '-a', 'secret', '--no-auth-warning', *args])
    return r.stdout.split('\n')[:-1]


def hosts(sent):
    """{address: packets sent} of what write_capture() wrote."""
    out = {}
    for (proto, src, sport, dst, dport), (packets, octets) in sent.items():
        out[src] = out.get(src, 0) + packets
    return out


@pytest.mark.parametrize('workers', [1, 2])
def test_live(tmp_path, workers):
    capture = tmp_path / 'x.pcap'
    sent = hosts(write_capture(capture, flows=100, packets=3000))
    password = tmp_path / 'pw'
    password.write_text('secret\n')
    password.chmod(0o600)
    with netns.Rig() as rig:
        rig.run('probe', ['ip', 'link', 'set', 'lo', 'up'])

        def node():
            p = rig.popen('probe', ['redis-server', '--port', '6379', '--save', '', '--requirepass', 'secret',
                                    '--dir', tmp_path, '--appendonly', 'yes', '--appendfsync', 'always'],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: ask(rig, 6379, 'ping') == ['PONG'], 10)
            return p

        server = node()
        log = open(tmp_path / 'log', 'wb')
        p = rig.popen('probe', [PROBE, '-i', rig.capture[0], '--no-dpi', '-d', '1', '--workers', workers,
                                '--redis', '127.0.0.1:6379', '--redis-password-file', password,
                                '--resp-password-file', password, '--volatile-ttl', '3', '--cloud-interval', '1',
                                '--probe-id', 'live'], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: ask(rig, 6379, 'exists', 'probe.live') == ['1'], 10, 'for the heartbeat')
        wait_until(lambda: ask(rig, 6380, 'ping') == ['PONG'], 10)
        time.sleep(.3)
        assert replay(rig, capture, 0, '--pps=20000') == 3000
        some = sorted(sent, key=lambda a: -sent[a])[:8]

        def everything(port, times):
            """The eight busiest hosts have sent what they have."""
            return all(ask(rig, port, 'hget', 'ip.' + a, 'pktsSent') == [str(times * sent[a])] for a in some)

        def flows():
            return len([k for k in ask(rig, 6380, 'keys', 'flow.*') if k])

        assert flows() > 50
        for port in (6380, 6379):
            wait_until(lambda: everything(port, 1), 4, 'for the sums at %d' % port)
        # What goes on is remembered, by a node that was away as well.
        server.kill()
        server.wait()
        assert replay(rig, capture, 0, '--pps=20000') == 3000
        server = node()
        for port in (6380, 6379):
            wait_until(lambda: everything(port, 2), 8, 'for the sums at %d' % port)
        wait_until(lambda: flows() == 0, 10, 'for the flows to end')
        # Then it is silent, and forgotten.
        for port in (6380, 6379):
            wait_until(lambda: ask(rig, port, 'keys', 'ip.*') in ([], ['']), 12, 'for keys to go at %d' % port)
        before = time.monotonic()
        p.send_signal(signal.SIGTERM)
        assert p.wait(10) == 0
        assert time.monotonic() - before < 2 * SLOW
        found = Result(0, b'', (tmp_path / 'log').read_bytes()).summary.check()
        assert found['packets'] == found['flow_packets'] == 6000
        assert found['node_keys_left'] == found['posts_lost'] == found['kernel_drops'] == 0
        assert found['cloud_keys_expired'] > 50
        assert ask(rig, 6379, 'exists', 'probe.live') == ['0']
        assert not re.search('secret', (tmp_path / 'log').read_text())
