# SPDX-License-Identifier: BSD-3-Clause
"""What test_live_capture.py does not do to an interface: what else the probe does while there
is none, an interface that comes and goes all the time, one that is down when it starts."""
import os
import time

import pytest

import netns
from cloud import counters, redis, wait_until
from conftest import FOREVER, PROBE
from test_live_capture import Running, _why_not, replay, settle, times, totals, write_capture

pytestmark = pytest.mark.skipif(_why_not() is not None, reason=str(_why_not()))


@pytest.fixture
def rig():
    with netns.Rig() as rig:
        yield rig


def client(tmp_path):
    return redis.Redis(unix_socket_path=str(tmp_path / 'resp'), decode_responses=True, socket_timeout=20)


def test_gone_and_flapping(rig, tmp_path):
    """While it is gone flows time out and Redis clients are answered. Then it comes and
    goes, three times: each loss is counted, no descriptor stays open, and
    what comes at last is counted as ever."""
    sent = write_capture(tmp_path / 'x.pcap', flows=20, packets=200)
    probe = Running(rig, tmp_path, ['-d', '2', '-t', '600', '-l', '1', '--resp', 'unix:%s' % (tmp_path / 'resp')])
    c = client(tmp_path)

    def counter(name):
        return counters(c).get(name, 0)

    def descriptors():
        return len(os.listdir('/proc/%d/fd' % probe.p.pid))
    open_now = descriptors()
    replay(rig, tmp_path / 'x.pcap', 0, '--pps=5000')
    wait_until(lambda: counter('packets') == 200, 10, 'for the packets')
    rig.delete()
    wait_until(lambda: counter('interface_lost') == 1, 10, 'for the loss')
    # no packets, no interface: time goes on
    wait_until(lambda: totals(probe.json) == sent, 15, 'for the flows to end')
    assert c.exists('ip.192.0.2.1') and counter('interface_back') == 0
    for n in range(1, 4):
        rig.join()
        wait_until(lambda: counter('interface_back') == n, 15, 'for it to be back')
        if n < 3:
            rig.delete()
            wait_until(lambda: counter('interface_lost') == n + 1, 15, 'for the next loss')
    assert descriptors() <= open_now + 1  # ours
    replay(rig, tmp_path / 'x.pcap', 0, '--pps=5000')
    wait_until(lambda: counter('packets') == 400, 10, 'for the packets')
    probe.stop()
    assert totals(probe.json) == times(sent, 2)
    assert probe.summary['interface_lost'] == probe.summary['interface_back'] == 3
    assert probe.summary['kernel_drops'] == 0
    # each is told of, no attempt in between is
    log = probe.log().split('mcprobe: summary')[0]
    assert log.count('is back') == 3 and log.count('trying again') == 3, log


def test_down_at_start(rig):
    """It does not begin with an interface that is down, and says so at once: one that goes
    down later is waited for."""
    rig.set_link('down')
    r = rig.run('probe', [PROBE, '-i', rig.capture[0], '--resp', 'none'], timeout=20)
    assert r.returncode == 1 and 'not up' in r.stdout and rig.capture[0] in r.stdout, r.stdout


def test_back_but_down(rig, tmp_path):
    """What is there again but not up yet is tried again each second, without a word."""
    sent = write_capture(tmp_path / 'x.pcap', flows=20, packets=200)
    probe = Running(rig, tmp_path, FOREVER)
    rig.delete()
    wait_until(lambda: 'trying again' in probe.log(), 10, 'for the loss')
    rig.join()
    rig.set_link('down')
    time.sleep(1.5)
    rig.set_link('up')
    wait_until(lambda: probe.log().count('is back') == 1, 10, 'for it to be back')
    replay(rig, tmp_path / 'x.pcap', 0, '--pps=5000')
    settle()
    probe.stop()
    assert totals(probe.json) == sent and probe.log().count('trying again') == 1
