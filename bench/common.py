# SPDX-License-Identifier: BSD-3-Clause
"""common.py -- what the benches share: running a program and counting what it used,
captures, a Redis to write to, what machine this is."""
import ctypes
import datetime
import os
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 300  # seconds for one run
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Children of children come to us when those end, so that their use can be counted."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Program:
    """A command line, what its runs cost, and where to find the number of packets it claims
    to have seen in what it prints (None: it does not say)."""

    def __init__(self, name, argv, packets=None, clean=(), cores=None):
        self.name, self.argv, self.clean, self.cores = name, argv, clean, cores
        self.packets = re.compile(packets, re.M) if packets else None
        self.seconds, self.ratios, self.walls, self.rss = [], [], [], []
        self.trouble = self.remark = None
        self.counters = {}

    def forget(self):
        """As if it had not run."""
        for figures in self.seconds, self.ratios, self.walls, self.rss:
            figures.clear()

    def pin(self):
        """In the child."""
        if self.cores:
            os.sched_setaffinity(0, self.cores)

    def run(self, log):
        """CPU seconds of one run, of it and all its children."""
        for path in self.clean:
            if path.endswith('/'):
                os.makedirs(path, exist_ok=True)
        with open(log, 'wb') as out:
            begun = time.monotonic()
            child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, start_new_session=True,
                                     preexec_fn=self.pin)
            timer = threading.Timer(PATIENCE, os.killpg, (child.pid, signal.SIGKILL))
            timer.start()
            _, status, usage = os.wait4(child.pid, 0)
            self.walls.append(time.monotonic() - begun)
            cpu, rss = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
            while True:  # those it left behind
                try:
                    _, _, usage = os.wait4(-child.pid, 0)
                except ChildProcessError:
                    break
                cpu += usage.ru_utime + usage.ru_stime
                rss += usage.ru_maxrss
            timer.cancel()
            child.returncode = os.waitstatus_to_exitcode(status)
        self.rss.append(rss)
        self.seconds.append(cpu)
        for path in self.clean:
            shutil.rmtree(path) if path.endswith('/') else os.path.exists(path) and os.unlink(path)
        if child.returncode != 0:
            self.trouble = 'exit status %d, see %s' % (child.returncode, os.path.basename(log))
        return cpu

    def check(self, log, packets):
        """Did it see the whole file?"""
        if self.trouble:
            return
        with open(log, errors='replace') as file:
            text = file.read()
        self.counters = {name: int(value) for name, value in
                         re.findall(r'^(\w+) +(\d+)$', text, re.M)}
        if self.packets is None:
            return
        found = self.packets.search(text)
        if not found or int(found.group(1)) != packets:
            self.trouble = 'saw %s of %d packets' % (found and found.group(1), packets)

    def cpu(self):
        """Median."""
        return statistics.median(self.seconds)


class Capture:
    """A file made by workload."""

    def __init__(self, tools, folder, name, packets=None, size=None):
        self.name = name
        self.path = os.path.join(folder, name + '.pcap')
        argv = [os.path.join(tools, 'workload'), name, self.path]
        argv += [str(packets)] if packets else []
        argv += [str(size)] if packets and size else []
        made = subprocess.run(argv, check=True, stdout=subprocess.PIPE,
                              universal_newlines=True).stdout
        self.packets, self.octets = map(
            int, re.search(r'(\d+) packets, (\d+) octets', made).groups())


def to_pcapng(capture):
    """The same packets in a file of the other format, which a library reads for us; the
    capture, of that file now."""
    def block(kind, body):
        size = 12 + len(body)
        return struct.pack('<II', kind, size) + body + struct.pack('<I', size)

    path = capture.path + 'ng'
    with open(capture.path, 'rb') as source, open(path, 'wb') as to:
        link = struct.unpack('<20xI', source.read(24))[0]
        to.write(block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)))
        to.write(block(1, struct.pack('<HHI', link, 0, 0)))
        while head := source.read(16):
            s, us, caplen, length = struct.unpack('<IIII', head)
            ts = s * 1000000 + us
            data = source.read(caplen)
            to.write(block(6, struct.pack('<IIIII', 0, ts >> 32, ts & 0xffffffff, caplen, length) +
                           data + bytes(-caplen % 4)))
    capture.path = path
    return capture


def free_port():
    """A TCP port of the loopback that nobody has."""
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        return taken.getsockname()[1]


class Redis:
    """A real redis-server without persistence, on CORES; None where there is none."""

    def __init__(self, cores=None):
        self.port = free_port()
        self.child = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--save', '',
             '--appendonly', 'no', '--dir', '/', '--loglevel', 'warning'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: cores and os.sched_setaffinity(0, cores))
        for _ in range(100):
            try:
                socket.create_connection(('127.0.0.1', self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        self.end()
        sys.exit('redis-server does not answer')

    def flush(self):
        """Forget everything."""
        with socket.create_connection(('127.0.0.1', self.port)) as peer:
            peer.sendall(b'FLUSHALL\r\n')
            peer.recv(64)

    def end(self):
        """By its id."""
        self.child.terminate()
        self.child.wait()


def spread(values):
    """How far apart the middle eight tenths are, by their median."""
    values = sorted(values)
    cut = len(values) // 10
    middle = values[cut:len(values) - cut]
    return (middle[-1] - middle[0]) / statistics.median(middle)


def memory(kib):
    """MB, or a bound: a child's peak counts from the size of whoever started it."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return '< %d' % (own // 1024 + 1) if kib <= own * 1.1 else '%d' % round(kib / 1024)


def cores():
    """One for what is measured, one for whatever helps (None: there is but one)."""
    have = sorted(os.sched_getaffinity(0))
    return {have[-1]}, {have[0]} if len(have) > 1 else None


def first_line(*argv):
    """Of what a program prints, '' if it is not there."""
    try:
        out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, universal_newlines=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return out.stdout.strip().split('\n')[0]


def package(*names):
    """'name version' of those Debian packages that are installed."""
    found = []
    for name in names:
        line = first_line('dpkg-query', '-W', '-f', '${Package} ${Version}', name)
        if line.startswith(name + ' '):
            found.append(line)
    return found


def describe(mcprobe):
    """Date, machine and versions, a few lines of Markdown."""
    model = ''
    with open('/proc/cpuinfo') as file:
        found = re.search(r'^model name\s*: (.*)', file.read(), re.M)
        model = found.group(1) if found else platform.machine()
    with open('/proc/meminfo') as file:
        total = int(re.search(r'MemTotal: *(\d+)', file.read()).group(1)) // 1024
    version = first_line(mcprobe, '--version')
    revision = first_line('git', '-C', HERE, 'describe', '--always', '--dirty', '--tags')
    if re.match(r'^[\w.-]+$', revision):
        version += ', commit ' + revision
    return '\n'.join([
        '%s. %s, %d cores, %d MB, Linux %s.' % (
            datetime.date.today().isoformat(), model, os.cpu_count(), total,
            platform.release()),
        version + '; built with %s.' % first_line('cc', '--version'),
        'Others: ' + ', '.join(package('libpcap0.8', 'softflowd', 'nfdump', 'pmacct',
                                       'libndpi-bin', 'redis-server', 'tcpreplay')) + '.'])
