# SPDX-License-Identifier: BSD-3-Clause
"""A plugin that breaks its contract (rogue.c): it is switched off and counted, while the
probe, its flows and the other plugins go on as if it were not there."""
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

import traffic  # of tests/gen
from conftest import COUNTERS, REPO, T, account, probe
from test_live_capture import frame

CC = os.environ.get('CC', 'cc')
PACKETS = 2000
# For each way: is the plugin switched off?
WAYS = {'good': False, 'verdict': True, 'match': True, 'report': True, 'count': True, 'tree': True, 'user': True,
        'timer': False, 'fields': False, 'split': False, 'flood': False}


@pytest.fixture(autouse=True, scope='module')
def its_counters():
    """Known here only: other tests ask for all that are known."""
    own = {'rogue_packets': 'INFO', 'rogue_timers': 'INFO'}
    COUNTERS.update(own)
    yield
    for name in own:
        del COUNTERS[name]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with rogue.so and a capture: DNS of the generator, and what the rogue reads."""
    if shutil.which(CC) is None:
        pytest.skip('needs a compiler')
    folder = tmp_path_factory.mktemp('rogue')
    r = subprocess.run([CC, '-std=c11', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-DMC_PLUGIN_SHARED', '-I',
                        REPO / 'include', '-o', folder / 'rogue.so', Path(__file__).with_name('rogue.c')],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert r.returncode == 0, r.stdout
    write(folder / 'rogue.pcap')
    return folder


def write(path):
    question = b'\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\7example\3net\0\0\1\0\1'
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(PACKETS):
            data = frame('10.0.0.%d' % (i % 50 + 1), '192.0.2.1', 17, 7000 + i % 300, 7777, i % 100 + 1)
            if i % 4 == 0:
                data = frame('10.0.0.%d' % (i % 50 + 1), '192.0.2.53', 17, 8000 + i, 53, len(question))
                data = data[:-len(question)] + question
            at = traffic.START + i * 5000
            f.write(struct.pack('<IIII', at // 10**6, at % 10**6, len(data), len(data)) + data)


def run(folder, tmp_path, how, *more, template=T + ' %ROGUE_NUMBER %ROGUE_ADDR %ROGUE_TEXT'):
    return probe('-i', folder / 'rogue.pcap', '--no-dpi', '--json', '-', '-T', template, '--plugin-dir', folder,
                 '--plugin', 'rogue:how=' + how, '--plugin', 'dns', '--resp', 'unix:%s' % (tmp_path / 'resp'),
                 '--publish', 'dns,rogue', '--events', tmp_path / 'events', '-d', 2,
                 '--ipfix-file', tmp_path / 'ipfix', *more, timeout=60)


def dns_events(path):
    """What the dns plugin has told; all lines are JSON, whatever was in a text."""
    events = [json.loads(line) for line in path.read_text('utf8').splitlines()]
    return sorted(json.dumps(e) for e in events if e['channel'].startswith('dns'))


@pytest.fixture(scope='module')
def plain(folder, tmp_path_factory):
    """A run in which the plugin behaves, and what the other one told."""
    here = tmp_path_factory.mktemp('plain')
    r = run(folder, here, 'good').ok()
    r.events = dns_events(here / 'events')
    assert len(r.events) == r.summary['dns_unanswered'] == PACKETS // 4
    return r


@pytest.mark.parametrize('how', WAYS)
def test_breach(folder, plain, tmp_path, how):
    r = run(folder, tmp_path, how).ok()
    assert 'Sanitizer' not in r.text and 'runtime error' not in r.text, r.text[-2000:]
    s = account(r)
    assert s['packets'] == PACKETS
    assert s['plugin_off'] == WAYS[how] and r.text.count('plugin rogue: switched off') == WAYS[how], dict(s)
    # the other plugin reads and publishes what it ever did
    assert s['dns_unanswered'] == PACKETS // 4 and s['posts_lost'] == 0
    assert dns_events(tmp_path / 'events') == plain.events


@pytest.mark.parametrize('how', ['worker', 'control'])
def test_init_fails(folder, tmp_path, how):
    """It says why, and does not begin to run without what was asked for."""
    r = run(folder, tmp_path, how)
    assert r.status > 0 and 'plugin rogue: told to fail' in r.text, r.text
    assert 'mcprobe: summary' not in r.text and r.seconds < 10
