#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""run.py -- what a packet costs: mcprobe, its peers and libpcap's bare loop, side by side.

usage: run.py [--mcprobe FILE] [--tools DIR] [--out DIR] [--tables LIST] [--quick]
              [--packets N] [--rounds N] [--only LIST] [--results FILE]

Every round runs each program once over the same file, each right after a run of the
floor (bench/floor.c), in an order that turns by one from round to round. A figure is
CPU time, user and system, of the whole process; a ratio is that of a run to the floor
run before it; what is shown are medians over the rounds. CPU time and ratios stand
still on a busy machine where wall time does not, but not always: if the floor itself
varied by more than a quarter there is no result, and the exit status is 3.

Programs that are not installed are left out. Nothing is downloaded or sent beyond the
loopback: records go to a UDP port that is bound and never read. The last table, live,
needs root: it makes network namespaces of its own.
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import sys

import common
import live
from common import Capture, Program, spread

SPREAD_MAX = 0.25
ENOUGH = 40  # seconds: a program that took so long in all has run often enough
FLOWS = 1 << 20  # table size, for all that have one: more than any workload keeps alive
IDLE, ACTIVE = 30, 120  # seconds, everybody's timeouts
SEEN = r'^packets +(\d+)$'
QUICK = 40  # times fewer packets

# Tables: workload, what it is about.
TABLES = [
    ('mix', 'mix', 'mixed traffic'),
    ('small', 'small', '60 octets over a million flows; memory'),
    ('dns', 'dns', 'DNS transactions'),
    ('http', 'http', 'HTTP keep-alive'),
    ('workers', 'mix', 'one worker and two, not pinned: wall time'),
]
# Adverse workloads, what each is compared with, and how much of the usual packets.
ADVERSE = [('malformed', 'formed'), ('dnsbad', 'dns'), ('httpbad', 'http'),
           ('synflood', 'syn'), ('single', 'ask'), ('collide', 'small')]
ADVERSE_PACKETS = 1000000


class Row(Program):
    """With a goal: KIND 'floor' (percent of it, at least), 'rate' (percent of another row's
    rate), 'wall' (times faster than another row), 'peak' (MB at most)."""

    def __init__(self, name, argv, packets=SEEN, **more):
        self.goals = more.pop('goals', [])
        self.redis = more.pop('redis', None)
        super().__init__(name, argv, packets, **more)

    def goal_text(self):
        """What is wanted."""
        texts = {'floor': '≥ %g %% of the floor', 'rate': '≥ %g %% of "%s"',
                 'wall': '≥ %g x "%s"', 'peak': '≤ %g MB'}
        return '; '.join(texts[kind] % ((want, other) if kind in ('rate', 'wall') else want)
                         for kind, want, other in self.goals)

    def reached(self, rows):
        """For each goal what was reached, and whether it is enough."""
        by_name = {row.name: row for row in rows if row.seconds and not row.trouble}
        found = []
        for kind, want, other in self.goals:
            if kind == 'floor':
                have = 100 / statistics.median(self.ratios)
            elif kind == 'peak':
                have = max(self.rss) / 1024
            elif other not in by_name:
                continue
            elif kind == 'rate':
                have = 100 * (statistics.median(by_name[other].ratios) /
                              statistics.median(self.ratios))
            else:
                have = (statistics.median(by_name[other].walls) /
                        statistics.median(self.walls))
            found.append((have, have <= want if kind == 'peak' else have >= want))
        return found

    def verdict(self, rows):
        """The last column."""
        return '; '.join('%s (%.3g)' % ('met' if good else '**missed**', have)
                         for have, good in self.reached(rows))


class Bench:
    """What all tables have in common."""

    def __init__(self, args, port):
        self.args, self.to = args, '127.0.0.1:%d' % port
        self.core, self.other = common.cores()
        self.calm, self.text = True, []
        self.missed = []

    def say(self, text=''):
        """To the terminal and the results."""
        print(text, flush=True)
        self.text.append(text)

    def log(self, name):
        """Where a program's output goes."""
        return os.path.join(self.args.out, re.sub(r'\W+', '-', name) + '.log')

    def mcprobe(self, path):
        """The part of the command line that never changes."""
        return [self.args.mcprobe, '-i', path, '-M', str(FLOWS), '-d', str(IDLE),
                '-t', str(ACTIVE), '-V', '10', '-n', self.to]

    def plain(self, path):
        """Flows and IPFIX, nothing else."""
        return self.mcprobe(path) + ['--no-dpi', '--plugin', 'none']

    def ndpi(self, path):
        """And names by nDPI."""
        return self.mcprobe(path) + ['--plugin', 'none', '-T', '@DEFAULT@ %L7_PROTO_NAME']

    def cloud(self, path, *plugins):
        """And plugins, and the key tree; nobody asks."""
        argv = self.mcprobe(path) + ['-T', '@DEFAULT@ %L7_PROTO_NAME', '--split', 'none',
                                     '--resp', '127.0.0.1:%d' % common.free_port()]
        for plugin in plugins:
            argv += ['--plugin', plugin]
        return argv

    def peers(self, path, *names):
        """Rows of other programs."""
        timeouts = ['tcp=%d' % IDLE, 'udp=%d' % IDLE, 'icmp=%d' % IDLE, 'general=%d' % IDLE,
                    'tcp.rst=5', 'tcp.fin=5', 'maxlife=%d' % ACTIVE]
        softflowd = ['softflowd', '-r', path, '-a', '-m', str(FLOWS), '-n', self.to,
                     '-v', '10', '-b', '-p', os.path.join(self.args.out, 'softflowd.pid'),
                     '-c', 'none']  # with a control socket it may wait for a client forever
        for timeout in timeouts:
            softflowd += ['-t', timeout]
        flows = os.path.join(self.args.out, 'nfpcapd') + '/'
        config = os.path.join(self.args.out, 'pmacctd.conf')
        with open(config, 'w') as file:
            file.write('daemonize: false\npcap_savefile: %s\nplugins: nfprobe\n'
                       'nfprobe_receiver: %s\nnfprobe_version: 10\nnfprobe_maxflows: %d\n'
                       'nfprobe_timeouts: %s:expint=1\n'
                       'aggregate: src_host,dst_host,src_port,dst_port,proto,tos\n'
                       'plugin_buffer_size: 1024000\nplugin_pipe_size: 102400000\n'
                       % (path, self.to, FLOWS, ':'.join(timeouts)))
        rows = {
            'softflowd': Row('softflowd, IPFIX', softflowd, r'^Packets processed: (\d+)'),
            'nfpcapd': Row('nfpcapd, files', ['nfpcapd', '-r', path, '-e',
                                              '%d,%d' % (ACTIVE, IDLE), '-B', str(FLOWS),
                                              '-w', flows],
                           r'^Total: Processed: (\d+)', clean=(flows,)),
            'pmacctd': Row('pmacctd nfprobe, IPFIX', ['pmacctd', '-f', config], None),
            'ndpiReader': Row('ndpiReader -q', ['ndpiReader', '-i', path, '-q'], None),
        }
        return [rows[name] for name in names]

    def rows(self, table, path, redis):
        """Of one of TABLES."""
        events = os.path.join(self.args.out, 'events.json')
        every = ['softflowd', 'nfpcapd', 'pmacctd', 'ndpiReader']
        if self.args.quick:
            every.remove('pmacctd')
        if table == 'mix':
            rows = [Row('--no-dpi', self.plain(path), goals=[('floor', 60, 0)]),
                    Row('nDPI', self.ndpi(path), goals=[('floor', 16, 0)]),
                    Row('all on', self.cloud(path, 'dns', 'http', 'radius'))]
            if redis:
                rows.append(Row('all on, with Redis',
                                rows[2].argv + ['--redis', '127.0.0.1:%d' % redis.port],
                                goals=[('rate', 75, 'all on')], redis=redis))
        elif table == 'small':
            rows = [Row('--no-dpi', self.plain(path),
                        goals=[('floor', 25, 0), ('peak', 256, 0)]),
                    Row('nDPI, nothing to recognise', self.ndpi(path),
                        goals=[('peak', 600, 0)])]
        elif table == 'dns':
            tree = self.cloud(path, 'dns')
            rows = [Row('--no-dpi', self.plain(path)),
                    Row('DNS plugin, names, tree', tree, goals=[('floor', 10, 0)]),
                    Row('the same, --events to a file',
                        tree + ['--events', events, '--publish', 'dns'], clean=(events,),
                        goals=[('floor', 5, 0)])]
        elif table == 'http':
            tree = self.cloud(path, 'http')
            rows = [Row('--no-dpi', self.plain(path)),
                    Row('HTTP plugin, names, tree', tree, goals=[('floor', 25, 0)]),
                    Row('the same, --events to a file',
                        tree + ['--events', events, '--publish', 'http'], clean=(events,))]
        else:
            return [Row('nDPI, 1 worker', self.ndpi(path)),
                    Row('nDPI, 2 workers', self.ndpi(path) + ['--workers', '2'],
                        goals=[('wall', 1.6, 'nDPI, 1 worker')]),
                    Row('--no-dpi, 1 worker', self.plain(path)),
                    Row('--no-dpi, 2 workers', self.plain(path) + ['--workers', '2'],
                        goals=[('wall', 1.2, '--no-dpi, 1 worker')])]
        for row in rows:
            row.name = 'mcprobe ' + row.name
            row.goals = [(kind, want, 'mcprobe %s' % other) for kind, want, other in row.goals]
        rows += self.peers(path, *every)
        for row in rows:
            row.cores = self.core
        return rows

    def chosen(self, rows):
        """Those of ROWS that were asked for and whose program is there."""
        found = []
        for row in rows:
            if self.args.only and not any(word in row.name
                                          for word in self.args.only.split(',')):
                continue
            if shutil.which(row.argv[0]):
                found.append(row)
            else:
                print('%s: not installed, left out' % row.argv[0], file=sys.stderr)
        return found

    def alternate(self, what, capture, floor, rows):
        """Run ROWS over CAPTURE, each after the FLOOR, in rounds."""
        log = self.log('floor')
        floor.run(log)  # the file is in memory from here on
        floor.forget()
        for turn in range(self.args.rounds):
            for i in range(len(rows)):
                row = rows[(i + turn) % len(rows)]
                if row.trouble or (row.walls and sum(row.walls) > ENOUGH):
                    continue
                if row.redis:
                    row.redis.flush()
                base = floor.run(log)
                floor.check(log, capture.packets)
                row.ratios.append(row.run(self.log(row.name)) / base)
                row.check(self.log(row.name), capture.packets)
            print('%s: round %d of %d' % (what, turn + 1, self.args.rounds),
                  file=sys.stderr)
        if floor.trouble:
            sys.exit('run.py: the floor: ' + floor.trouble)

    def is_calm(self, floor):
        """Say so if it is not."""
        if spread(floor.seconds) <= SPREAD_MAX or self.args.quick:
            return True
        self.calm = False
        self.say('\n**No result**: the floor varied by more than %.0f %%. Wait for the '
                 'machine to calm down, or give it more --rounds.' % (100 * SPREAD_MAX))
        return False

    def show(self, capture, floor, rows):
        """The table."""
        self.say('%d packets of %d octets on average; the floor varied by %.0f %%.' % (
            capture.packets, capture.octets / capture.packets, 100 * spread(floor.seconds)))
        judged = self.is_calm(floor) and not self.args.quick
        self.say('\n| program | CPU s | Mpps/core | % of floor | wall s | peak MB | runs | '
                 'goal | |\n|---|---:|---:|---:|---:|---:|---:|---|---|')
        for row in [floor] + rows:
            if row.trouble:
                self.say('| %s | %s | | | | | | | |' % (row.name, row.trouble))
                continue
            share = 100 / statistics.median(row.ratios) if row.ratios else 100
            self.say('| %s | %.3f | %.2f | %.1f | %.2f | %s | %d | %s | %s |' % (
                row.name, row.cpu(), capture.packets / row.cpu() / 1e6, share,
                statistics.median(row.walls), common.memory(max(row.rss)),
                len(row.seconds), row.goal_text() if row.ratios else '',
                row.verdict(rows) if judged and row.ratios else ''))
            if judged and row.ratios:
                self.missed += ['%s: %s, reached %.3g' % (row.name, row.goal_text(), have)
                                for have, good in row.reached(rows) if not good]
        for row in rows:
            if row.counters.get('dpi_capped'):
                self.say('\n%s: %d of its flows were beyond its cap of nDPI states and named '
                         'by port, unseen.' % (row.name, row.counters['dpi_capped']))

    def floor(self, capture):
        """The 100 %."""
        return Row('libpcap, pcap_loop', [os.path.join(self.args.tools, 'floor'),
                                          capture.path], r'^(\d+) packets', cores=self.core)

    def capture(self, name, packets=None):
        """Made anew."""
        usual = {'mix': 4000000, 'small': 5000000, 'dns': 2000000, 'http': 1000000}
        packets = self.args.packets or packets or usual[name]
        if self.args.quick and not self.args.packets:
            packets //= QUICK
        return Capture(self.args.tools, self.args.out, name, packets)

    def table(self, name, workload, about):
        """One of TABLES from beginning to end."""
        redis = None
        if name == 'mix' and shutil.which('redis-server'):
            redis = common.Redis(self.other)
        try:
            capture = self.capture(workload)
            floor = self.floor(capture)
            rows = self.chosen(self.rows(name, capture.path, redis))
            if rows:
                self.say('\n## %s: %s\n' % (name, about))
                self.alternate(name, capture, floor, rows)
                self.show(capture, floor, rows)
        finally:
            if redis:
                redis.end()
        if not self.args.keep:
            os.unlink(capture.path)

    def pair(self, bad, good):
        """Rates of an adverse workload and of what it is compared with: lines of a table."""
        captures = [self.capture(name, ADVERSE_PACKETS) for name in (bad, good)]
        floors = [self.floor(capture) for capture in captures]
        kinds = [('--no-dpi', self.plain), ('all on', lambda path: self.cloud(
            path, 'dns', 'http', 'radius'))]
        for floor, capture in zip(floors, captures):
            floor.run(self.log('floor'))
        for kind, argv in kinds:
            rows = [Row('%s %s' % (kind, capture.name), argv(capture.path), cores=self.core)
                    for capture in captures]
            for floor in floors:
                floor.forget()
            for _ in range(self.args.rounds):
                for floor, row, capture in zip(floors, rows, captures):
                    floor.run(self.log('floor'))
                    row.run(self.log(row.name))
                    row.check(self.log(row.name), capture.packets)
            rates, flows = [], []
            for row, capture in zip(rows, captures):
                if row.trouble:
                    sys.exit('run.py: %s: %s' % (row.name, row.trouble))
                rates.append(capture.packets / row.cpu() / 1e6)
                flows.append(row.counters['flows'] / capture.packets)
            calm = self.args.quick or max(
                spread(floor.seconds) for floor in floors) <= SPREAD_MAX
            self.calm = self.calm and calm
            share = 100 * rates[0] / rates[1]
            text = 'no result' if not calm else 'met' if share >= 50 else '**missed**'
            if calm and share < 50 and not self.args.quick:
                self.missed.append('adverse, %s, %s: %.0f %% of the rate of %s' %
                                   (kind, bad, share, good))
            self.say('| %s | %s | %s | %.3f | %.3f | %.2f | %.2f | %.0f %% | %s |' % (
                bad, good, kind, *flows, *rates, share, '' if self.args.quick else text))
        for capture in captures:
            os.unlink(capture.path)

    def adverse(self):
        """All pairs."""
        self.say('\n## adverse: traffic that wants to be slow\n')
        self.say('Goal: at least 50 % of the rate of well-formed traffic with as many flows '
                 'per packet.\n')
        self.say('| adverse | compared with | mcprobe | flows/packet | of the other | Mpps '
                 '| of the other | rate | |\n|---|---|---|---:|---:|---:|---:|---:|---|')
        for bad, good in ADVERSE:
            self.pair(bad, good)

    def live(self):
        """What a veth pair carries without loss."""
        self.say('\n## live: over a veth pair\n')
        reason = live.missing()
        if reason:
            self.say('Left out: %s.' % reason)
            return
        self.missed += live.table(self.args, self.say)


def options():
    """The command line."""
    about, details = __doc__.split('\n\n', 1)
    parser = argparse.ArgumentParser(description=about, epilog=details.split('\n\n', 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--mcprobe', default=os.path.join(common.HERE, '..', 'mcprobe'))
    parser.add_argument('--tools', default=common.HERE, help='where workload and floor are')
    parser.add_argument('--out', default=os.path.join(common.HERE, 'out'),
                        help='scratch folder')
    parser.add_argument('--tables', default='mix,small,dns,http,workers,adverse,live')
    parser.add_argument('--quick', action='store_true',
                        help='a fortieth of the packets, 2 rounds, no pmacctd, which sleeps '
                        'at first; goals are not judged: to see that everything runs')
    parser.add_argument('--packets', type=int, help='of each workload')
    parser.add_argument('--rounds', type=int)
    parser.add_argument('--only', help='rows whose name has one of these words')
    parser.add_argument('--results', help='write all tables there, too')
    parser.add_argument('--keep', action='store_true', help='leave the captures in --out')
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.out = os.path.abspath(args.out)
    args.mcprobe = os.path.abspath(args.mcprobe)
    return args


def main():
    """Exit status 0: conclusive; 3: not."""
    args = options()
    os.makedirs(args.out, exist_ok=True)
    common.adopt_orphans()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as discard:
        discard.bind(('127.0.0.1', 0))
        bench = Bench(args, discard.getsockname()[1])
        bench.say('# Results\n\n%s\n\nREADME.md says how these figures come about.%s' % (
            common.describe(args.mcprobe),
            ' Quick: to see that everything runs, too short to judge.' if args.quick else ''))
        for name, workload, about in TABLES:
            if name in args.tables.split(','):
                bench.table(name, workload, about)
        if 'adverse' in args.tables.split(','):
            bench.adverse()
        if 'live' in args.tables.split(','):
            bench.live()
    if not args.quick:
        bench.say('\n## Goals missed\n\n' + ('\n'.join('* ' + line for line in bench.missed)
                                             or 'None of those that were judged.') +
                  ('' if bench.calm else '\n\nTables without a result judge none: see there.'))
    if args.results:
        with open(args.results, 'w') as file:
            file.write('\n'.join(bench.text) + '\n')
    sys.exit(0 if bench.calm else 3)


if __name__ == '__main__':
    main()
