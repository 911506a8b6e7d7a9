# SPDX-License-Identifier: BSD-3-Clause
"""The generator that the other tests trust: the same bytes each time, what it says is in
a capture is what tshark finds, and tshark finds no fault with it."""
import shutil
import subprocess
import sys

import pytest

from conftest import REPO, truth

GENERATOR = REPO / 'tests' / 'gen' / 'traffic.py'


def tshark(capture, wanted, *fields):
    if not shutil.which('tshark'):
        pytest.skip('tshark is not installed')
    args = ['tshark', '-n', '-r', capture, '-Y', wanted, '-T', 'fields']
    for name in ('ip', 'tcp', 'udp'):
        args += ['-o', name + '.check_checksum:TRUE']
    for f in fields:
        args += ['-e', f]
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return p.stdout.decode().splitlines()


@pytest.mark.parametrize('what', ['all', 'many --flows 300', 'synflood --flows 300', 'long'])
def test_same_bytes(what, tmp_path):
    for name in 'ab':
        subprocess.run([sys.executable, GENERATOR, '-o', tmp_path / name, '--what', *what.split()],
                       check=True)
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


def test_size(captures):
    """Small enough to be made at each demo, and of many flows."""
    path = captures()
    assert path.stat().st_size < 300000
    assert 60 <= len(truth(path.with_suffix('.truth'))) <= 100


def test_damaged(tmp_path):
    """The hostile captures too are the same each time."""
    for name in 'ab':
        subprocess.run([sys.executable, GENERATOR.with_name('damage.py'), '-o', tmp_path / name],
                       check=True)
    made = sorted(p.name for p in (tmp_path / 'a').iterdir())
    assert len(made) >= 10
    for name in made:
        assert (tmp_path / 'a' / name).read_bytes() == (tmp_path / 'b' / name).read_bytes()


@pytest.mark.parametrize('what,options', [('all', {}), ('many', dict(flows=500)),
                                          ('synflood', dict(flows=500))])
def test_sound(captures, what, options):
    """Every packet dissects, every checksum is right."""
    bad = tshark(captures(what, **options), '_ws.malformed || ip.checksum.status == 0 || '
                 'tcp.checksum.status == 0 || udp.checksum.status == 0 || '
                 'icmp.checksum.status == 0 || icmpv6.checksum.status == 0',
                 'frame.number', 'frame.protocols')
    assert bad == []


def test_truth(captures):
    """The truth of the outer layer, recounted from tshark's fields: packets and octets
    of each pair of addresses and protocol, both ways together."""
    path = captures()
    found = {}
    for line in tshark(path, 'ip || ipv6', 'ip.src', 'ip.dst', 'ip.proto', 'ip.len', 'ipv6.src',
                       'ipv6.dst', 'ipv6.nxt', 'ipv6.plen', 'ipv6.fraghdr.nxt'):
        f = [x.split(',')[0] for x in line.split('\t')]
        if f[0]:  # its tunnels all run over IPv4
            key, size = (int(f[2]), *sorted(f[0:2])), int(f[3])
        else:
            key, size = (int(f[8] or f[6]), *sorted(f[4:6])), int(f[7]) + 40
        row = found.setdefault(key, [0, 0])
        row[0] += 1
        row[1] += size
    said = {}
    for (proto, a, b), r in truth(path.with_suffix('.outer')).items():
        row = said.setdefault((proto, *sorted((a[0], b[0]))), [0, 0])
        row[0] += r[0] + r[3]
        row[1] += r[1] + r[4]
    assert found == said
