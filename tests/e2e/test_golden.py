# SPDX-License-Identifier: BSD-3-Clause
"""The goldens, one test each: see tests/golden/run.py."""
import sys

import pytest

from conftest import PROBE, REPO

sys.path.insert(0, str(REPO / 'tests' / 'golden'))
import run  # noqa: E402


@pytest.mark.parametrize('name', run.CASES)
def test_golden(name):
    diff = run.compare(str(PROBE), name)
    assert not diff, '\n'.join(diff[:60])
