# SPDX-License-Identifier: BSD-3-Clause
"""What the running probe may do: /proc/PID/status of every thread, live and for files,
started as root and by others.
"""
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

import netns
from conftest import FOREVER, PROBE, SLOW

NET_RAW = 1 << 13
LIVE = pytest.mark.skipif(netns.available() is not None, reason=str(netns.available()))


def threads(pid):
    """A dict of the status of each thread."""
    for task in Path('/proc/%d/task' % pid).iterdir():
        yield dict(line.split(':\t', 1) for line in (task / 'status').read_text().splitlines()
                   if ':\t' in line)


def capabilities(status):
    return {name: int(status['Cap' + name], 16) for name in ('Inh', 'Prm', 'Eff', 'Bnd', 'Amb')}


def live(rig, tmp_path, *options, by=()):
    """A probe that captures in RIG: ready when it answers in its log or has its threads."""
    log = open(tmp_path / 'log', 'w')
    p = rig.popen('probe', [*by, PROBE, '-i', rig.capture[0], '--no-dpi', '--resp', 'none',
                            *options], stdout=log, stderr=log)
    end = time.monotonic() + 10 * SLOW
    while time.monotonic() < end:
        assert p.poll() is None, (tmp_path / 'log').read_text()
        if any(t['Name'] == 'worker/0' for t in threads(p.pid)):
            return p
        time.sleep(.02)
    raise AssertionError('no worker after 10 s: ' + (tmp_path / 'log').read_text())


def sandboxed(log):
    """Has this build the filter? Those with sanitizers or without libseccomp say so."""
    return 'no sandbox: this is a build' not in log


def stop(p):
    p.send_signal(signal.SIGTERM)
    assert p.wait(10 * SLOW) == 0


@LIVE
def test_root_is_given_up_for_good(tmp_path):
    """Every thread: nobody's ids, CAP_NET_RAW alone, an empty bounding set."""
    with netns.Rig() as rig:
        p = live(rig, tmp_path)
        seen = list(threads(p.pid))
        assert len(seen) >= 2
        for status in seen:
            assert status['Uid'].split() == ['65534'] * 4
            assert status['Gid'].split() == ['65534'] * 4
            assert status['Groups'].split() == []
            assert status['NoNewPrivs'] == '1'
            assert capabilities(status) == {'Inh': 0, 'Prm': NET_RAW, 'Eff': NET_RAW, 'Bnd': 0, 'Amb': 0}
        stop(p)


@LIVE
def test_capabilities_of_another_user(tmp_path):
    """Started by nobody with more than it needs, as a service manager may: it keeps
    CAP_NET_RAW and captures."""
    if shutil.which('setpriv') is None:
        pytest.skip('needs setpriv of util-linux')
    with netns.Rig() as rig:
        p = live(rig, tmp_path, by=['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups',
                                    '--inh-caps=+net_raw,+net_admin,+sys_ptrace',
                                    '--ambient-caps=+net_raw,+net_admin,+sys_ptrace'])
        for status in threads(p.pid):
            caps = capabilities(status)
            assert caps['Prm'] == caps['Eff'] == NET_RAW
            assert caps['Inh'] == caps['Amb'] == 0
            assert status['NoNewPrivs'] == '1'
        stop(p)


@LIVE
def test_user_root_stays_root(tmp_path):
    with netns.Rig() as rig:
        p = live(rig, tmp_path, '--user', 'root')
        for status in threads(p.pid):
            assert status['Uid'].split() == ['0'] * 4
            assert status['NoNewPrivs'] == '1'
        stop(p)


def test_files_have_no_new_privileges(start, captures):
    """A run of a file keeps its user's rights, and cannot get others by a program."""
    probe = start('-i', captures('http'), '--no-dpi', '--stay', '--resp', 'none', *FOREVER)
    probe.settled()
    for status in threads(probe.process.pid):
        assert status['Uid'].split() == [str(os.geteuid())] * 4
        assert status['NoNewPrivs'] == '1'
    probe.signal(signal.SIGTERM)
    assert probe.wait().status == 0


@pytest.mark.parametrize('options,mode', [([], '2'), (['--no-sandbox'], '0')])
def test_sandbox_of_files(start, captures, options, mode):
    """Every thread, of two workers and the dealer too, is under the filter, or none."""
    probe = start('-i', captures('http'), '--stay', '--resp', 'none', '--workers', '2', *options, *FOREVER)
    probe.settled()
    if not sandboxed(probe.text()):
        mode = '0'
    seen = list(threads(probe.process.pid))
    assert len(seen) >= 3
    assert {t['Seccomp'] for t in seen} == {mode}
    probe.signal(signal.SIGTERM)
    assert probe.wait().status == 0


@LIVE
@pytest.mark.parametrize('options,mode', [([], '2'), (['--no-sandbox'], '0')])
def test_sandbox_live(tmp_path, options, mode):
    with netns.Rig() as rig:
        p = live(rig, tmp_path, *options)
        if not sandboxed((tmp_path / 'log').read_text()):
            mode = '0'
        assert {t['Seccomp'] for t in threads(p.pid)} == {mode}
        stop(p)
