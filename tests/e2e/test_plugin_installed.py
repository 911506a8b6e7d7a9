# SPDX-License-Identifier: BSD-3-Clause
"""A plugin built outside the tree, against the installed header and nothing else, in the
installed probe: its option, field, counter, event and key."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import capfile  # of tests/gen
import traffic
from cloud import server  # noqa: F401 (a fixture)
from conftest import PROBE

SOURCE = Path(__file__).with_name('finger.c')
CC = os.environ.get('CC', 'cc')


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Where `make install` has put everything."""
    if shutil.which(CC) is None or shutil.which('make') is None:
        pytest.skip('needs a compiler and make')
    if not (PROBE.parent / 'Makefile').exists():
        pytest.skip('the probe is not in the folder it was built in')
    top = tmp_path_factory.mktemp('installed')
    subprocess.run(['make', '-s', '-C', PROBE.parent, 'install', 'DESTDIR=%s' % top, 'prefix=/usr',
                    'sysconfdir=/etc'], check=True, stdout=subprocess.DEVNULL)
    return top / 'usr'


@pytest.fixture(scope='module')
def plugins(installed, tmp_path_factory):
    """A folder away from the tree with finger.so, and other.so for another interface."""
    folder = tmp_path_factory.mktemp('plugins')
    shutil.copy(SOURCE, folder)
    for name, extra in ('finger', []), ('other', ['-DOTHER_ABI']):
        r = subprocess.run([CC, '-std=c11', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-DMC_PLUGIN_SHARED', *extra,
                            '-I', installed / 'include', '-o', name + '.so', 'finger.c'], cwd=folder,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert r.returncode == 0, r.stdout
    (folder / 'finger.c').unlink()
    return folder


@pytest.fixture(scope='module')
def capture(tmp_path_factory):
    o = traffic.Office(3)
    for n, (port, who, size) in enumerate(((79, b'jane', 3000), (79, b'', 900), (79, b'jane', 10), (1079, b'joe', 20))):
        c = o.tcp(o.clients[n % 3], o.servers[n], port, o.at(n)).open()
        for part in who, b'\r\n':
            if part:
                c.send(0, part)
        c.send(1, b'x' * size).close(1)
    path = tmp_path_factory.mktemp('finger') / 'finger.pcap'
    with open(path, 'wb') as f:
        capfile.writer(f, 'pcap', 65535).write_all([(p[0], p[2]) for p in o.trace.sorted()])
    return path


def run(installed, folder, *args):
    return subprocess.run([installed / 'bin/mcprobe', '--no-dpi', '--plugin-dir', folder, *map(str, args)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def test_everything(installed, plugins, capture, server, tmp_path):  # noqa: F811
    node = server()
    r = run(installed, plugins, '-i', capture, '--plugin', 'finger', '--json', '-', '-T', '%L4_DST_PORT @FINGER@',
            '--publish', 'finger', '--events', tmp_path / 'events', '--redis', node.address, '--probe-id', 'x',
            '--ipfix-file', tmp_path / 'flows.ipfix')
    assert r.returncode == 0, r.stderr
    assert re.search(r'^finger_questions +3$', r.stderr, re.M), r.stderr
    records = [json.loads(line) for line in r.stdout.splitlines()]
    assert sorted((x['L4_DST_PORT'], x.get('FINGER_WHO'), x.get('FINGER_ANSWER')) for x in records if
                  x['L4_DST_PORT'] == 79) == [(79, '', 900), (79, 'jane', 10), (79, 'jane', 3000)]
    assert all('FINGER_WHO' not in x for x in records if x['L4_DST_PORT'] != 79)
    events = [json.loads(line) for line in (tmp_path / 'events').read_text().splitlines()]
    assert {e['channel'] for e in events} == {'finger'}
    assert sorted((e['data']['who'], e['data']['answer'], e['data']['dport']) for e in events) == \
        [('', 900, 79), ('jane', 10, 79), ('jane', 3000, 79)]
    with node.client() as c:
        assert c.hgetall('finger.who.jane') == {'questions': '2', 'octets': '3010'}
    assert (tmp_path / 'flows.ipfix').read_bytes().count(b'jane') == 2


def test_option(installed, plugins, capture):
    r = run(installed, plugins, '-i', capture, '--resp', 'none', '--plugin', 'finger:port=1079', '--json', '-', '-T', '%OUT_BYTES %FINGER_WHO')
    assert [json.loads(x).get('FINGER_WHO') for x in r.stdout.splitlines() if 'FINGER' in x] == ['joe']
    r = run(installed, plugins, '-i', capture, '--plugin', 'finger:port=0')
    assert r.returncode != 0 and 'there is no port 0' in r.stderr
    r = run(installed, plugins, '-i', capture, '--plugin', 'finger:prt=1')
    assert r.returncode == 2 and 'port' in r.stderr


def test_listed(installed, plugins):
    r = run(installed, plugins, '--plugin', 'finger', '--fields')
    assert 'FINGER_WHO' in r.stdout and 'who was asked about' in r.stdout


def test_refused(installed, plugins, capture):
    """Built for another interface: the reason is told."""
    r = run(installed, plugins, '-i', capture, '--plugin', 'other')
    assert r.returncode == 2
    assert '999' in r.stderr, r.stderr
