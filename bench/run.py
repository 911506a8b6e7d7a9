#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""run.py -- what a packet costs: mcprobe, its peers and libpcap's bare loop, side by side.

usage: run.py [--mcprobe FILE] [--tools DIR] [--out DIR] [--workloads mix,small,dns]
              [--packets N] [--rounds N] [--only LIST] [--markdown]

Every round runs each program once over the same file, each right after a run of the
floor (bench/floor.c), in an order that turns by one from round to round. A figure is
CPU time, user and system, of the whole process; a ratio is that of a run to the floor
run before it; what is shown are medians over the rounds. CPU time and ratios stand
still on a busy machine where wall time does not, but not always: if the floor itself
varied by more than a quarter there is no result, and the exit status is 3.

Programs that are not installed are left out. Nothing is downloaded or sent beyond the
loopback: records go to a UDP port that is bound and never read.
"""
import argparse
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SPREAD_MAX = 0.25
PATIENCE = 300  # seconds for one run
FLOWS = 1 << 20  # table size, for all that have one: more than any workload keeps alive
IDLE, ACTIVE = 30, 120  # seconds, everybody's timeouts


class Program:
    """One row of the result: a command line, and where to find the number of packets it
    claims to have seen in what it prints (None: it does not say)."""

    def __init__(self, name, argv, packets=None, clean=None):
        self.name, self.argv, self.clean = name, argv, clean
        self.packets = re.compile(packets, re.M) if packets else None
        self.seconds, self.ratios, self.walls, self.rss = [], [], [], []
        self.trouble = self.remark = None

    def run(self, log):
        """CPU seconds of one run."""
        with open(log, 'wb') as out:
            begun = time.monotonic()
            child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT)
            timer = threading.Timer(PATIENCE, child.kill)
            timer.start()
            _, status, usage = os.wait4(child.pid, 0)
            timer.cancel()
            self.walls.append(time.monotonic() - begun)
            child.returncode = os.waitstatus_to_exitcode(status)
        self.rss.append(usage.ru_maxrss)
        if self.clean:
            shutil.rmtree(self.clean, ignore_errors=True)
        if child.returncode != 0:
            self.trouble = 'exit status %d, see %s' % (child.returncode, log)
        return usage.ru_utime + usage.ru_stime

    def check(self, log, packets):
        """Did it see the whole file, and do all the work?"""
        if self.packets is None or self.trouble:
            return
        with open(log, errors='replace') as file:
            text = file.read()
        capped = re.search(r'^dpi_capped +(\d+)$', text, re.M)
        if capped:
            self.remark = ('%s flows were beyond its cap of nDPI states and named by port, '
                           'unseen: not the work of ndpiReader' % capped.group(1))
        found = self.packets.search(text)
        if not found or int(found.group(1)) != packets:
            self.trouble = 'saw %s of %d packets' % (found and found.group(1), packets)


def programs(args, path, port):
    """The rows for the capture PATH."""
    to = '127.0.0.1:%d' % port
    mcprobe = [args.mcprobe, '-i', path, '-M', str(FLOWS), '-d', str(IDLE), '-t', str(ACTIVE),
               '-V', '10']
    seen = r'^packets +(\d+)$'
    dpi = ['-n', to, '-T', '@DEFAULT@ %L7_PROTO_NAME']
    rows = [
        Program('mcprobe --no-dpi, IPFIX', mcprobe + ['--no-dpi', '-n', to], seen),
        Program('mcprobe --no-dpi, JSON', mcprobe + ['--no-dpi', '--json', '/dev/null'], seen),
        Program('mcprobe --no-dpi, IPFIX, 2 workers',
                mcprobe + ['--no-dpi', '-n', to, '--workers', '2'], seen),
        Program('mcprobe with nDPI, IPFIX', mcprobe + dpi, seen),
        Program('mcprobe with nDPI, IPFIX, 2 workers', mcprobe + dpi + ['--workers', '2'], seen),
    ]
    timeouts = ['tcp=%d' % IDLE, 'udp=%d' % IDLE, 'icmp=%d' % IDLE, 'general=%d' % IDLE,
                'tcp.rst=5', 'tcp.fin=5', 'maxlife=%d' % ACTIVE]
    softflowd = ['-r', path, '-a', '-m', str(FLOWS), '-n', to, '-v', '10', '-b',
                 '-p', os.path.join(args.out, 'softflowd.pid'),
                 '-c', 'none']  # with a control socket it may wait for a client forever
    for timeout in timeouts:
        softflowd += ['-t', timeout]
    flows = os.path.join(args.out, 'nfpcapd')
    rows += [
        Program('softflowd, IPFIX', ['softflowd'] + softflowd, r'^Packets processed: (\d+)'),
        Program('nfpcapd, files', ['nfpcapd', '-r', path, '-e', '%d,%d' % (ACTIVE, IDLE),
                                   '-B', str(FLOWS), '-w', flows],
                r'^Total: Processed: (\d+)', clean=flows),
        Program('ndpiReader -q', ['ndpiReader', '-i', path, '-q']),
    ]
    return [row for row in rows if args.only is None or
            any(word in row.name for word in args.only.split(','))]


def installed(rows):
    """Those of ROWS whose program is there."""
    found = []
    for row in rows:
        if shutil.which(row.argv[0]):
            found.append(row)
        else:
            print('%s: not installed, left out' % row.argv[0], file=sys.stderr)
    return found


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


def table(name, octets, packets, floor, rows, markdown):
    """Print the result of one workload."""
    base = statistics.median(floor.seconds)
    size = octets / packets if packets else 0
    print('\n%s: %d packets of %d octets on average, %d rounds; the floor varied by %.0f %%\n'
          % (name, packets, size, len(rows[0].seconds), 100 * spread(floor.seconds)))
    head = ('program', 'CPU s', 'Mpps/core', '% of floor', 'wall s', 'peak MB')
    lines = [(floor.name, '%.3f' % base, '%.2f' % (packets / base / 1e6), '100',
              '%.2f' % statistics.median(floor.walls), memory(max(floor.rss)))]
    for row in rows:
        if row.trouble:
            lines.append((row.name, row.trouble, '', '', '', ''))
            continue
        cpu = statistics.median(row.seconds)
        lines.append((row.name, '%.3f' % cpu, '%.2f' % (packets / cpu / 1e6),
                      '%.1f' % (100 / statistics.median(row.ratios)),
                      '%.2f' % statistics.median(row.walls), memory(max(row.rss))))
    if markdown:
        print('| %s |\n|%s' % (' | '.join(head), '---|' + '---:|' * (len(head) - 1)))
    else:
        lines.insert(0, head)
    for line in lines:
        if markdown:
            print('| %s |' % ' | '.join(line))
        else:
            print(('%-38s' + '%12s' * 5) % line)
    for row in rows:
        if row.remark:
            print('\n%s: %s.' % (row.name, row.remark))
    sys.stdout.flush()


def measure(args, name, port):
    """Make the workload, run everything over it. False: the machine was too restless."""
    path = os.path.join(args.out, name + '.pcap')
    make = [os.path.join(args.tools, 'workload'), name, path]
    made = subprocess.run(make + ([str(args.packets)] if args.packets else []), check=True,
                          stdout=subprocess.PIPE, universal_newlines=True).stdout
    packets, octets = map(int, re.search(r'(\d+) packets, (\d+) octets', made).groups())
    floor = Program('libpcap, pcap_loop', [os.path.join(args.tools, 'floor'), path],
                    r'^(\d+) packets')
    rows = installed(programs(args, path, port))
    log = os.path.join(args.out, 'last.log')
    if not rows:
        sys.exit('run.py: nothing to measure')
    floor.run(log)  # the file is in memory from here on
    floor.rss.clear(), floor.walls.clear()
    for turn in range(args.rounds):
        for i in range(len(rows)):
            row = rows[(i + turn) % len(rows)]
            if row.clean:
                os.makedirs(row.clean, exist_ok=True)
            floor.seconds.append(floor.run(log))
            floor.check(log, packets)
            own = os.path.join(args.out, re.sub(r'\W+', '-', row.name) + '.log')
            row.seconds.append(row.run(own))
            row.ratios.append(row.seconds[-1] / floor.seconds[-1])
            row.check(own, packets)
        print('%s: round %d of %d' % (name, turn + 1, args.rounds), file=sys.stderr)
    if floor.trouble:
        sys.exit('run.py: the floor: ' + floor.trouble)
    table(name, octets, packets, floor, rows, args.markdown)
    if not args.keep:
        os.unlink(path)
    if spread(floor.seconds) > SPREAD_MAX:
        print('\nNo result: the floor varied by more than %.0f %%. Wait for the machine to '
              'calm down,\nor give it more --rounds.' % (100 * SPREAD_MAX))
        return False
    return True


def main():
    """Exit status 0: conclusive; 3: not."""
    about, details = __doc__.split('\n\n', 1)
    parser = argparse.ArgumentParser(description=about, epilog=details.split('\n\n', 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--mcprobe', default=os.path.join(HERE, '..', 'mcprobe'))
    parser.add_argument('--tools', default=HERE, help='where workload and floor are')
    parser.add_argument('--out', default=os.path.join(HERE, 'out'), help='scratch folder')
    parser.add_argument('--workloads', default='mix,small,dns')
    parser.add_argument('--packets', type=int, help='of each workload; default 1 to 2 million')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--only', help='rows whose name has one of these words')
    parser.add_argument('--markdown', action='store_true', help='tables as in results.md')
    parser.add_argument('--keep', action='store_true', help='leave the captures in --out')
    args = parser.parse_args()
    args.out = os.path.abspath(args.out)
    os.makedirs(args.out, exist_ok=True)
    calm = True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as discard:
        discard.bind(('127.0.0.1', 0))
        for name in args.workloads.split(','):
            calm = measure(args, name, discard.getsockname()[1]) and calm
    sys.exit(0 if calm else 3)


if __name__ == '__main__':
    main()
