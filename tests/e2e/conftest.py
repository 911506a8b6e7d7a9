# SPDX-License-Identifier: BSD-3-Clause
"""What all end-to-end tests use: the probe as a process, captures of our own, the corpus.

MCPROBE names the binary (default: ./mcprobe of this tree). MCPROBE_CORPUS names the
corpus of foreign captures (default: ../shared/corpus beside this tree); where it is
missing, tests that need it are skipped. MCPROBE_SANITIZED tells that the binary is
slower and larger than usual."""
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get('MCPROBE', REPO / 'mcprobe'))
CORPUS = Path(os.environ.get('MCPROBE_CORPUS', REPO.parent / 'shared' / 'corpus'))
SANITIZED = bool(os.environ.get('MCPROBE_SANITIZED'))
SLOW = 5 if SANITIZED else 1  # factor on what may take long
OUTPUT_MAX = 256 << 20  # octets a probe may write to a file
FOREVER = ['-t', '1000000000', '-d', '1000000000']
sys.path.insert(0, str(REPO / 'tests' / 'gen'))

# Template of most tests: the whole identity and all counts of a flow.
T = ('%IP_PROTOCOL_VERSION %PROTOCOL %IPV4_SRC_ADDR %IPV4_DST_ADDR %IPV6_SRC_ADDR '
     '%IPV6_DST_ADDR %L4_SRC_PORT %L4_DST_PORT %SRC_VLAN %IN_PKTS %IN_BYTES %OUT_PKTS %OUT_BYTES '
     '%FLOW_START_MICROSECONDS %FLOW_END_MICROSECONDS %CLIENT_TCP_FLAGS %SERVER_TCP_FLAGS '
     '%FLOW_END_REASON')


def rows(path, macro):
    """First two words of each MACRO(...) row of a .def file."""
    return re.findall(r'^%s\(\s*([^,]+),\s*"([^"]+)",\s*(\w+)' % macro,
                      (REPO / 'src' / path).read_text(), re.M)


COUNTERS = {name: kind for _, name, kind in rows('counters.def', 'COUNTER')}
for plugin in 'dns', 'http', 'radius':  # theirs are shown as <plugin>_<name>
    table = re.search(r'struct mc_counter \w+\[\w*\] = \{(.*?)\n\};', (REPO / 'plugins' / (plugin + '.c')).read_text(), re.S)
    COUNTERS.update({plugin + '_' + name: 'INFO' for name in re.findall(r'\{"([a-z0-9_]+)",', table[1])})
OPTIONS = [name for _, name, _ in rows('options.def', 'OPTION')]


class Result:
    """A run of the probe that has ended. STATUS is negative after a signal."""

    def __init__(self, status, out, err, seconds=0, peak_kb=0):
        self.status, self.out, self.err = status, out, err
        self.seconds, self.peak_kb = seconds, peak_kb

    @property
    def text(self):
        return self.err.decode('utf8', 'replace')

    @property
    def summary(self):
        """The exit summary as a dict; missing names are 0."""
        parts = self.text.split('mcprobe: summary\n')
        assert len(parts) == 2, 'one summary expected: ' + self.text[-800:]
        found = {}
        for line in parts[1].splitlines():
            m = re.fullmatch(r'\s*([a-z0-9_]+)\s+(\d+)', line)
            if m:
                assert m[1] in COUNTERS, 'unknown counter ' + line
                assert m[1] not in found, 'twice: ' + line
                found[m[1]] = int(m[2])
        return Summary(found)

    @property
    def records(self):
        return [json.loads(line) for line in self.out.decode().splitlines()]

    def ok(self):
        assert self.status == 0, 'status %d: %s' % (self.status, self.text[-1500:])
        return self


class Summary(dict):
    def __missing__(self, name):
        assert name in COUNTERS, name
        return 0

    def check(self):
        """Nothing is lost silently: what came in is in flows or in a drop_ counter."""
        drops = sum(n for k, n in self.items() if COUNTERS.get(k) == 'DROP')
        assert self['packets'] == self['flow_packets'] + drops, dict(self)
        return self


def packets_of(records):
    return sum(r['IN_PKTS'] + r['OUT_PKTS'] for r in records)


def octets_of(records):
    return sum(r['IN_BYTES'] + r['OUT_BYTES'] for r in records)


def account(r):
    """R's summary adds up, and its records are what the summary says they are."""
    s = r.summary.check()
    assert packets_of(r.records) == s['flow_packets'] - s['packets_lost'] - s['small_packets']
    assert packets_of(r.records) == s['record_packets']
    assert octets_of(r.records) == s['record_bytes']
    assert len(r.records) == s['records']
    return s


def addresses(r):
    six = r['IP_PROTOCOL_VERSION'] == 6
    return (r['IPV6_SRC_ADDR'], r['IPV6_DST_ADDR']) if six else (r['IPV4_SRC_ADDR'], r['IPV4_DST_ADDR'])


def totals(records):
    """{(proto, end, end): [pkts, octets, flags each way, first, last]}, ends in order."""
    table = {}
    for r in records:
        src, dst = addresses(r)
        add(table, r['PROTOCOL'], (src, r['L4_SRC_PORT']), (dst, r['L4_DST_PORT']),
            [r['IN_PKTS'], r['IN_BYTES'], r.get('CLIENT_TCP_FLAGS', 0)],
            [r['OUT_PKTS'], r['OUT_BYTES'], r.get('SERVER_TCP_FLAGS', 0)],
            r['FLOW_START_MICROSECONDS'], r['FLOW_END_MICROSECONDS'])
    return table


def add(table, proto, a, b, there, back, first, last):
    if proto in (1, 58):
        a, b = (a[0], 0), (b[0], 0)
    if b < a:
        a, b, there, back = b, a, back, there
    row = table.setdefault((proto, a, b), [0, 0, 0, 0, 0, 0, first, last])
    for i, side in ((0, there), (3, back)):
        row[i] += side[0]
        row[i + 1] += side[1]
        row[i + 2] |= side[2]
    row[6], row[7] = min(row[6], first), max(row[7], last)


def truth(path):
    """The generator's --truth file in the shape of totals()."""
    table, names = {}, []
    for line in Path(path).read_text().splitlines():
        if line.startswith('#flows'):
            names = line.split('\t')[1:]
            continue
        r = dict(zip(names, line.split('\t')))

        def micros(text):
            seconds, fraction = text.split('.')
            return int(seconds) * 10**6 + int(fraction) // 1000
        add(table, int(r['proto']), (r['src'], int(r['sport'])), (r['dst'], int(r['dport'])),
            [int(r['pkts_fwd']), int(r['oct_fwd']), int(r['flags_fwd'], 16)],
            [int(r['pkts_rev']), int(r['oct_rev']), int(r['flags_rev'], 16)],
            micros(r['first']), micros(r['last']))
    return table


class Running:
    """The probe in the background; ended with the test, whatever happens. BEFORE: a program
    that becomes the probe."""

    def __init__(self, args, stdin=subprocess.DEVNULL, stderr=None, cwd=None, before=()):
        self.log = tempfile.TemporaryFile()
        self.out = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self.process = subprocess.Popen([*before, str(PROBE), *map(str, args)], stdin=stdin,
                                        stdout=self.out, stderr=stderr or self.log, cwd=cwd)

    def text(self):
        return os.pread(self.log.fileno(), 1 << 24, 0).decode('utf8', 'replace')

    def until(self, what, seconds=10):
        """Wait until WHAT(), a function, is true."""
        end = time.monotonic() + seconds * SLOW
        while not what():
            assert self.process.poll() is None, 'it ended: ' + self.text()[-1500:]
            assert time.monotonic() < end, 'waited in vain: ' + self.text()[-1500:]
            time.sleep(.02)

    def settled(self, seconds=.3):
        """Wait until it uses no CPU time any more: the file is read, it holds."""
        stat = Path('/proc/%d/stat' % self.process.pid)

        def used():
            return sum(map(int, stat.read_text().rsplit(')', 1)[1].split()[11:13]))
        last, since, end = -1, time.monotonic(), time.monotonic() + 60 * SLOW
        while time.monotonic() - since < seconds or last < 1:
            assert self.process.poll() is None, 'it ended: ' + self.text()[-1500:]
            assert time.monotonic() < end
            time.sleep(.05)
            now = used()
            if now > last:
                last, since = now, time.monotonic()
            elif last < 1 and time.monotonic() - since > 3 * seconds:
                return

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=10):
        """The Result; SECONDS counts from this call."""
        before = time.monotonic()
        try:
            status = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            pytest.fail('still running after %g s: %s' % (seconds, self.text()[-1500:]))
        out = os.pread(self.out.fileno(), 1 << 30, 0)
        return Result(status, out, self.text().encode(), time.monotonic() - before)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.out.close()


@pytest.fixture
def start():
    """start(ARG...): a Running probe."""
    begun = []

    def begin(*args, **kw):
        begun.append(Running(args, **kw))
        return begun[-1]
    yield begin
    for r in begun:
        r.end()


def limit_output():
    """In the child: a probe that writes without end gets no further than that."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_MAX, OUTPUT_MAX))


def probe(*args, stdin=None, timeout=60, cwd=None):
    """Run the probe to its end, or to SIGKILL after TIMEOUT seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before = time.monotonic()
        p = subprocess.Popen([str(PROBE), *map(str, args)], cwd=cwd, stdout=out, stderr=err,
                             stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                             preexec_fn=limit_output)
        alarm = threading.Timer(timeout * SLOW, p.kill)
        alarm.start()
        if stdin:
            try:
                p.stdin.write(stdin)
                p.stdin.close()
            except BrokenPipeError:
                pass
        _, status, usage = os.wait4(p.pid, 0)
        alarm.cancel()
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Result(p.returncode, out.read(), err.read(), time.monotonic() - before, usage.ru_maxrss)


def flows(capture, *args, template=T, **kw):
    """Run the probe on CAPTURE, JSON to standard output."""
    return probe('-i', capture, '--no-dpi', '--json', '-', '-T', template, *args, **kw)


class Captures:
    """captures(WHAT, ...): a capture of the generator, made once a session. The truth
    files lie beside it: .truth and .outer."""

    def __init__(self, folder):
        self.folder, self.made = folder, {}

    def __call__(self, what='all', format='pcap', **options):
        key = (what, format, *sorted(options.items()))
        if key not in self.made:
            path = self.folder / ('%s-%d.%s' % (what.replace(',', '-'), len(self.made), format))
            extra = [x for k, v in options.items() for x in ('--' + k, str(v))]
            subprocess.run([sys.executable, REPO / 'tests/gen/traffic.py', '-o', path, '--what', what,
                            '--format', format, '--truth', path.with_suffix('.truth'),
                            '--truth-outer', path.with_suffix('.outer'), *extra], check=True)
            self.made[key] = path
        return self.made[key]


@pytest.fixture(scope='session')
def captures(tmp_path_factory):
    return Captures(tmp_path_factory.mktemp('captures'))


def corpus_files(name):
    """The captures of a part of the corpus, as parameters; where it is missing, one that
    is skipped."""
    folder = CORPUS / name
    found = sorted(p for p in folder.glob('*') if p.suffix in ('.pcap', '.pcapng', '.cap')) \
        if folder.is_dir() else []
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(
            reason='no corpus of foreign captures beside this tree'), id=name)]
    return [pytest.param(p, id=p.name) for p in found]


@pytest.fixture(scope='session')
def corpus():
    if not CORPUS.is_dir():
        pytest.skip('no corpus of foreign captures beside this tree')
    return CORPUS


def free_port(kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def pytest_configure(config):
    if not os.access(PROBE, os.X_OK):
        pytest.exit('no probe at %s: build it, or set MCPROBE' % PROBE, 1)
    # No core files from the tests.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
