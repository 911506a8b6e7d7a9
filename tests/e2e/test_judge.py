# SPDX-License-Identifier: BSD-3-Clause
"""The corpus' own judge: flows equal an independent decoder's on every capture."""
import re
import subprocess
import sys

from conftest import PROBE, SLOW, probe
import pytest


@pytest.fixture(scope='module')
def verdict(corpus):
    if not (corpus / 'judge.py').exists():
        pytest.skip('no judge in the corpus')
    p = subprocess.run([sys.executable, corpus / 'judge.py', '--probe', PROBE, '--what',
                        'flows,outer,l7'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=300 * SLOW)
    return p.stdout.decode()


@pytest.mark.parametrize('kind', ['flows', 'outer'])
def test_flows(verdict, kind):
    m = re.search(r'^judge: %s (\d+)/(\d+)$' % kind, verdict, re.M)
    assert m and m[1] == m[2] and int(m[2]) > 0, verdict


def test_applications(verdict):
    if probe('--dry-run', '-T', '%L7_PROTO_NAME').status:
        pytest.skip('built without nDPI')
    m = re.search(r'^judge: l7 (\d+)/(\d+) flows agree$', verdict, re.M)
    assert m and int(m[1]) >= .95 * int(m[2]), verdict
