# SPDX-License-Identifier: BSD-3-Clause
"""Several workers on one file give the records that one gives, in another order."""
import json
import signal

import pytest

from conftest import T, flows, packets_of, probe


def lines(result):
    return sorted(result.ok().out.splitlines())


@pytest.mark.parametrize('workers', [2, 3, 7])
@pytest.mark.parametrize('args', [(), ('--tunnel',), ('-t', '2', '-d', '1'), ('-p', '1/1/1/0/0')],
                         ids=lambda a: ' '.join(a) or 'plain')
def test_same_records(captures, workers, args):
    one = flows(captures('all'), *args)
    many = flows(captures('all'), *args, '--workers', workers)
    assert lines(many) == lines(one)
    assert many.summary.check()['flow_packets'] == one.summary['flow_packets']


def test_same_names(captures):
    """The bytes nDPI reads travel with the packets."""
    template = T + ' %L7_PROTO_NAME %L7_INFO'
    args = ['-i', captures('all'), '--json', '-', '-T', template]
    one, many = probe(*args), probe(*args, '--workers', 2)
    if 'needs nDPI' in one.text:
        pytest.skip('built without nDPI')
    assert lines(many) == lines(one)


def test_load(captures):
    capture = captures('many', flows=20000)
    one, two = flows(capture), flows(capture, '--workers', 2)
    assert lines(two) == lines(one)


def test_stop(captures, start, tmp_path):
    """A signal reaches dealer and workers; what was read is exported."""
    out = tmp_path / 'flows.json'
    p = start('-i', captures('all'), '--workers', 2, '--speed', '0.05', '--no-dpi', '-T', T,
              '--json', out)
    p.settled()
    p.signal(signal.SIGTERM)
    result = p.wait(2).ok()
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert packets_of(records) == result.summary.check()['flow_packets']
