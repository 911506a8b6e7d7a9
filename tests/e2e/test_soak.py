# SPDX-License-Identifier: BSD-3-Clause
"""A few seconds of tests/soak.py, so that it does not rot: all its verdicts, but memory that
has not had the time to settle. A sanitized build does not get it: its memory says nothing, and
the rest is in other tests."""
import os
import subprocess
import sys

import pytest

import cloud  # skips where Redis is missing  # noqa: F401
from conftest import PROBE, REPO, SANITIZED, SLOW


def test_soak(tmp_path):
    if SANITIZED:
        pytest.skip('a soak of a sanitized build: make soak by hand')
    r = subprocess.run([sys.executable, str(REPO / 'tests/soak.py'), '--probe', str(PROBE), '--hours', str(10 / 3600),
                        '--unit', '.6', '--line', '3', '--drift', '100', '--rate', '1000', '--seeds', '2',
                        '--', '-d', '1', '-l', '1'],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       timeout=120 * SLOW, env={**os.environ, 'TMPDIR': str(tmp_path)})
    if r.returncode == 77:
        pytest.skip(r.stdout)
    assert r.returncode == 0, r.stdout[-5000:]
    for what in 'packets:', 'udp collector, cut 1 times', 'tcp collector, cut 1 times', 'Redis killed 1 times', 'all holds':
        assert what in r.stdout, r.stdout
