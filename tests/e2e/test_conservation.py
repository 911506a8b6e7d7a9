# SPDX-License-Identifier: BSD-3-Clause
"""Nothing is lost silently, nothing counts twice, and the output is the same each time:
over our own captures and the corpus. Its hostile part has the same done in test_hostile."""
import pytest

from conftest import FOREVER, account, corpus_files, flows, probe, totals


@pytest.mark.parametrize('options', [[], ['--tunnel'], ['-t', '2', '-d', '1'],
                                     ['-p', '0/1/1/0/0'], ['-M', '16'], ['-S', '3']], ids=str)
@pytest.mark.parametrize('what', ['all', 'long', 'synflood'])
def test_own(captures, what, options):
    account(flows(captures(what, flows=2000), *options).ok())


@pytest.mark.parametrize('path', corpus_files('dev'))
@pytest.mark.parametrize('options', [[], ['--tunnel']], ids=['outer', 'tunnel'])
def test_corpus(path, options):
    account(flows(path, *options).ok())


@pytest.mark.parametrize('path', corpus_files('dev'))
def test_same_output(path, tmp_path):
    """Two runs write the same bytes: JSON and IPFIX file."""
    outputs = []
    for n in '12':
        file = tmp_path / n
        r = probe('-i', path, '--tunnel', '--json', '-', '-V', 10, '--ipfix-file', file,
                  '-T', '@DEFAULT@ %L7_PROTO_NAME %APPL_LATENCY_MS')
        outputs.append((r.status, r.out, file.read_bytes() if file.exists() else None))
    assert outputs[0] == outputs[1]


def test_workers(captures):
    """Several workers count what one counts."""
    path = captures()
    one = totals(flows(path, '--tunnel', *FOREVER).ok().records)
    for n in (2, 4):
        r = flows(path, '--tunnel', '--workers', n, *FOREVER).ok()
        account(r)
        assert totals(r.records) == one
