# SPDX-License-Identifier: BSD-3-Clause
"""The command line and the configuration file: mistakes end at once with status 2 and the
nearest known name, and everything that says what there is says all of it."""
import re

import pytest

from conftest import OPTIONS, REPO, T, flows, probe


@pytest.mark.parametrize('args,names', [
    (['--colector', '127.0.0.1:2055'], ['colector', '--collector']),
    (['--idle-timeuot', '3'], ['--idle-timeout']),
    (['-T', '%IN_BITES'], ['IN_BITES', 'IN_BYTES']),
    (['-T', '%PROTOCOL %octetDeltaCont'], ['octetDeltaCount']),
    (['-T', '@DEFUALT@'], ['DEFUALT']),
    (['-T', '%FIREWALL_EVENT'], ['FIREWALL_EVENT']),
    (['-V', '7'], ['7']),
    (['-t', '0'], ['lifetime-timeout']),
    (['-t', '12x'], ['12x']),
    (['-d', '-5'], ['idle-timeout']),
    (['-t', '99999999999999999999'], ['lifetime-timeout']),
    (['-p', '1/2/1/1/1'], ['aggregation']),
    (['-L', '10.0.0.0/33'], ['expected networks like', 'not 10.0.0.0/33']),
    (['-G', '--json', '-'], ['--daemon', 'standard output']),
    (['-G', '--ipfix-file', '-'], ['--daemon', 'standard output']),
    (['-N', 'both'], ['both']),
    (['--split', 'dnz'], ['dns']),
    (['--plugin', 'htp'], ['http']),
    (['--plugin', 'dns:poort=1'], ['poort']),
    (['--resp', '66380'], ['66380']),
    (['--redis', 'host:0'], ['host:0']),
    (['--sentinel', 'host:26379'], ['MASTER@']),
    (['--publish', 'flow new?'], ['new?']),
    (['--speed', 'fast'], ['fast']),
    (['--speed', '-1'], ['-1']),
    (['--json-labels', 'numbers'], ['numbers']),
    (['-M', '1'], ['max-flows']),
    (['-U', '2'], ['flow-templ-id']),
    (['stray'], ['stray']),
    (['-T'], ['flow-templ']),
], ids=lambda a: ' '.join(a) if a and a[0][0] == '-' else '')
def test_mistakes(captures, args, names):
    r = probe('-i', captures('dns'), *args)
    assert r.status == 2, r.text
    for name in names:
        assert name in r.text
    assert r.out == b''
    assert len(r.text.splitlines()) <= 5  # not the whole help


@pytest.mark.parametrize('where, status', [
    ('no-such-host.invalid:2055', 1), ('127.0.0.1:99999', 2), ('sctp://127.0.0.1:1', 2),
    ('127.0.0.1:', 2), (':2055', 2), ('[::1:2055', 2), ('[::1]:0', 2)])
def test_bad_collector(captures, where, status):
    r = probe('-i', captures('dns'), '-n', where)
    assert r.status == status
    assert where in r.text or where.split('//')[-1] in r.text


def test_daemon_standard_input():
    r = probe('-G', '-i', '-')
    assert r.status == 2
    assert '--daemon' in r.text and 'standard input' in r.text


def test_no_input():
    r = probe()
    assert r.status == 2
    assert '-i' in r.text or 'interface' in r.text


def test_mistake_is_checked_first(tmp_path):
    """A wrong template is told before any file is touched."""
    out = tmp_path / 'out.json'
    r = probe('-i', tmp_path / 'nothing.pcap', '-T', '%NO_SUCH_FIELD', '--json', out)
    assert r.status == 2
    assert not out.exists()


def test_help():
    r = probe('--help').ok()
    text = r.out.decode()
    for name in OPTIONS:
        assert re.search(r'--%s\b' % name, text), name
    assert all(len(line.rstrip()) <= 100 for line in text.splitlines())
    assert probe('-h').ok().out == r.out


def test_version():
    r = probe('--version').ok()
    assert re.match(r'mcprobe \d+\.\d+', r.out.decode())
    assert probe('-v').ok().out == r.out


def test_fields():
    text = probe('--fields').ok().out.decode()
    labels = set(re.findall(r'^(?:FIELD|INERT)\((\w+)', (REPO / 'src/field.def').read_text(), re.M))
    assert len(labels) > 150
    missing = [x for x in labels if not re.search(r'\b%s\b' % x, text)]
    assert not missing


@pytest.mark.parametrize('version', [5, 9, 10])
def test_dry_run(captures, version, tmp_path):
    """The templates as they would be sent; nothing is written."""
    r = probe('-i', captures('dns'), '--dry-run', '-V', version, '-U', 300, '--json', tmp_path / 'x',
              '-T', '%IPV4_SRC_ADDR %IPV6_SRC_ADDR %IN_BYTES %L4_DST_PORT').ok()
    text = r.out.decode()
    assert 'IN_BYTES' in text
    if version != 5:
        assert '300' in text and '301' in text
    assert not (tmp_path / 'x').exists()


CONFIG = '''# a comment
interface %s

lifetime-timeout 60
idle-timeout 20
flow-version 10
flow-templ %%IN_BYTES %%IN_PKTS
tunnel
no-dpi yes
json %s
'''


def test_config_file(captures, tmp_path):
    """The same long names; the command line goes on top."""
    out, file = tmp_path / 'out.json', tmp_path / 'probe.conf'
    file.write_text(CONFIG % (captures(), out))
    r = probe('-c', file).ok()
    assert r.summary['tunneled'] > 0
    first = out.read_bytes()
    want = probe('-i', captures(), '-t', 60, '-d', 20, '-V', 10, '--no-dpi', '--tunnel', '--json', '-',
                 '-T', '%IN_BYTES %IN_PKTS').ok()
    assert first == want.out


def test_check_config(captures, tmp_path):
    file = tmp_path / 'probe.conf'
    file.write_text(CONFIG % (captures('dns'), tmp_path / 'out.json'))
    probe('--check-config', '-c', file).ok()
    assert not (tmp_path / 'out.json').exists()


@pytest.mark.parametrize('line,name', [
    ('idle-timeuot 4', 'idle-timeout'), ('idle-timeout four', 'four'), ('idle-timeout', 'idle-timeout'),
    ('tunnel perhaps', 'perhaps'), ('flow-templ %IN_BITES', 'IN_BYTES')])
def test_config_mistakes(captures, tmp_path, line, name):
    file = tmp_path / 'probe.conf'
    file.write_text('interface %s\n\n%s\n' % (captures('dns'), line))
    r = probe('--check-config', '-c', file)
    assert r.status == 2, r.text
    assert name in r.text
    if not line.startswith('flow-templ'):
        assert re.search(r'probe\.conf[: ]+(line )?3\b', r.text), r.text


def test_config_missing(tmp_path):
    r = probe('-c', tmp_path / 'nothing.conf')
    assert r.status == 2
    assert 'nothing.conf' in r.text


@pytest.mark.parametrize('macro', ['@DEFAULT@', '@NTOPNG@', '@ALL@'])
def test_macros(captures, macro):
    r = probe('-i', captures('dns,http'), '--json', '-', '-V', 10, '-T', macro)
    if r.status == 2 and 'nDPI' in r.text:
        pytest.skip('built without nDPI')
    r.ok()
    assert all('IN_BYTES' in x and 'PROTOCOL' in x for x in r.records)


def test_labels_both_ways(captures):
    """IANA's names are the same fields, and stand for them in JSON as given or by label."""
    a = flows(captures('dns'), template='%IN_BYTES %IN_PKTS %PROTOCOL').ok()
    b = flows(captures('dns'), template='%octetDeltaCount %packetDeltaCount %protocolIdentifier').ok()
    assert [list(x.values()) for x in a.records] == [list(x.values()) for x in b.records]


def test_json_ids(captures):
    path = captures('http')
    template = '%IN_BYTES %PROTOCOL %CLIENT_TCP_FLAGS'
    labels = flows(path, template=template).ok().records
    ids = flows(path, '--json-labels', 'ids', template=template).ok().records
    assert [list(x.values()) for x in ids] == [list(x.values()) for x in labels]
    assert list(ids[0]) == ['1', '4', '35632.78']


def test_json_and_files_together(captures, tmp_path):
    """Every sink gets every record."""
    r = probe('-i', captures(), '--no-dpi', '-V', 10, '-T', T, '--json', tmp_path / 'j', '--ipfix-file',
              tmp_path / 'i', '-P', tmp_path / 'd').ok()
    assert len((tmp_path / 'j').read_text().splitlines()) == r.summary['records']
    assert (tmp_path / 'i').stat().st_size > 1000
    text = [p.read_text() for p in (tmp_path / 'd').rglob('*') if p.is_file()]
    assert sum(len([x for x in t.splitlines()[1:] if x]) for t in text) == r.summary['records']


def test_unwritable(captures, tmp_path):
    """A file that cannot be made is told at the start; a full disk is counted."""
    r = probe('-i', captures('dns'), '--json', tmp_path / 'no' / 'such' / 'folder')
    assert r.status != 0
    r = probe('-i', captures(), '--no-dpi', '--json', '/dev/full', '-T', T)
    assert r.status in (0, 1)
    assert r.summary['file_errors'] > 0
    r.summary.check()
