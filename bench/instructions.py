#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""instructions.py -- instructions per packet, counted by callgrind: no clock is involved.

usage: instructions.py [--mcprobe FILE] [--tools DIR] [--out DIR] [--flags TEXT]
                       [--file FILE [--update]] [--adverse [--packets N]]

Each case runs twice over a small capture that is always the same, once of a few packets
and once of many; the difference, by packet, is what a packet costs without start and end.
Two runs differ by about a thousandth (the seed of the hashes is random). With --file the
figures are compared with those recorded there, and more than 5 % above is a failure (exit
status 1). Figures of another compiler, other flags or other libraries are not comparable:
where these differ the reason is printed and the exit status is 77.

--adverse compares adverse workloads with well-formed ones instead. A ratio of
instructions is not one of time, but it does not tremble.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import socket
import subprocess
import sys

import common
from run import ADVERSE

LIMIT = 0.05
FEW = 100
# The C library chooses its functions by CPU: always the plainest.
TUNABLES = ('glibc.cpu.hwcaps=-AVX,-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,'
            '-BMI1,-BMI2,-LZCNT,-MOVBE,-RTM,-SSSE3,-SSE4_1,-SSE4_2,-XSAVEC')
PLAIN = ['--no-dpi', '--plugin', 'none']
NAMES = ['-T', '@DEFAULT@ %L7_PROTO_NAME', '--split', 'none']
TREE = ['--resp', '127.0.0.1:@PORT@']
EXPORT = ['-V', '10', '-n', '@COLLECTOR@']
# Name, workload, packets, options.
CASES = [
    ('flows-mix', 'mix', 20000, PLAIN + EXPORT),
    ('flows-small', 'small', 20000, PLAIN + EXPORT),
    ('flows-pcapng', 'mix.pcapng', 5000, PLAIN + EXPORT),
    ('ndpi-mix', 'mix', 5000, ['--plugin', 'none'] + NAMES + EXPORT),
    ('dns-tree', 'dns', 3000, ['--plugin', 'dns'] + NAMES + TREE + EXPORT),
    ('http-tree', 'http', 5000, ['--plugin', 'http'] + NAMES + TREE + EXPORT),
    ('export-v9', 'syn', 5000, PLAIN + ['-V', '9', '-n', '@COLLECTOR@']),
    ('export-ipfix', 'syn', 5000, PLAIN + EXPORT),
    ('export-json', 'syn', 5000, PLAIN + ['--json', '/dev/null']),
]
ALL_ON = ['--plugin', 'dns', '--plugin', 'http', '--plugin', 'radius'] + NAMES + TREE + EXPORT


class Counter:
    """Runs the probe under callgrind."""

    def __init__(self, args, collector):
        self.args, self.collector, self.captures = args, collector, {}

    def capture(self, workload, packets):
        """Of so many packets, made when first asked for."""
        key = workload, packets
        if key not in self.captures:
            folder = os.path.join(self.args.out, 'of-%d' % packets)
            os.makedirs(folder, exist_ok=True)
            name, _, pcapng = workload.partition('.')
            made = common.Capture(self.args.tools, folder, name, packets)
            self.captures[key] = common.to_pcapng(made) if pcapng else made
        return self.captures[key]

    def run(self, name, capture, options):
        """Instructions of one run."""
        stem = os.path.join(self.args.out, '%s-%d' % (name, capture.packets))
        port = str(common.free_port())
        words = [word.replace('@PORT@', port).replace('@COLLECTOR@', self.collector)
                 for word in options]
        argv = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null',
                self.args.mcprobe, '-i', capture.path, '-M', '16384',
                '--no-sandbox']  # valgrind does not know seccomp()
        env = dict(os.environ, GLIBC_TUNABLES=TUNABLES, OPENSSL_ia32cap='0', LC_ALL='C')
        with open(stem + '.log', 'w+') as log:
            status = subprocess.call(argv + words, env=env,
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            log.seek(0)
            text = log.read()
        found = re.search(r'Collected : (\d+)', text)
        seen = re.search(r'^packets +(\d+)$', text, re.M)
        if status != 0 or not found or not seen or int(seen.group(1)) != capture.packets:
            sys.exit('%s: exit status %d, or not all packets: see %s' % (
                name, status, stem + '.log'))
        return int(found.group(1))

    def case(self, case):
        """Instructions per packet."""
        name, workload, packets, options = case
        few, many = self.capture(workload, FEW), self.capture(workload, packets)
        return (self.run(name, many, options) - self.run(name, few, options)) / (
            many.packets - few.packets)

    def cases(self, cases):
        """All, two at a time."""
        for _, workload, packets, _ in cases:
            self.capture(workload, FEW)
            self.capture(workload, packets)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return dict(zip((case[0] for case in cases), pool.map(self.case, cases)))


def surroundings(args):
    """What figures depend on, name -> value."""
    comment = subprocess.run(['readelf', '-p', '.comment', args.mcprobe], check=True,
                             stdout=subprocess.PIPE, universal_newlines=True).stdout
    compilers = sorted(set(re.findall(r'\] +(\S.*)', comment)))
    linked = subprocess.run(['ldd', args.mcprobe], check=True, stdout=subprocess.PIPE,
                            universal_newlines=True).stdout
    dynamic = subprocess.run(['readelf', '-d', args.mcprobe], check=True,
                             stdout=subprocess.PIPE, universal_newlines=True).stdout
    needed = re.findall(r'NEEDED.*\[(.*)\]', dynamic)  # by itself, not by libraries
    libraries = sorted(os.path.basename(os.path.realpath(path))
                       for name, path in re.findall(r'(\S+) => (/\S+)', linked)
                       if name in needed)
    return {
        'machine': os.uname().machine,
        'compiler': ', '.join(compilers),
        'flags': ' '.join(args.flags.split()),
        'libc': os.confstr('CS_GNU_LIBC_VERSION'),
        'libraries': ' '.join(libraries),
        'valgrind': common.first_line('valgrind', '--version'),
    }


def known(libraries, recorded):
    """Of LIBRARIES those that are of the RECORDED ones, in whatever version: what the
    program links besides since then is a change of its own, and its cost counts."""
    stems = [name.split('.so')[0] for name in recorded.split()]
    return ' '.join(name for name in libraries.split()
                    if name.split('.so')[0] in stems)


def read(path):
    """The recorded surroundings and figures."""
    around, figures = {}, {}
    with open(path) as file:
        for line in file:
            line = line.rstrip('\n')
            if line.startswith('# '):
                name, _, value = line[2:].partition(': ')
                around[name] = value
            elif line:
                name, value = line.split('\t')
                figures[name] = float(value)
    return around, figures


def write(path, around, figures):
    """Record them."""
    with open(path, 'w') as file:
        for name, value in around.items():
            file.write('# %s: %s\n' % (name, value))
        for name, value in figures.items():
            file.write('%s\t%.1f\n' % (name, value))


def compare(figures, recorded):
    """Print both. Exit status."""
    worse = []
    for name, value in figures.items():
        if name not in recorded:
            print('%-14s %10.1f  not recorded: make bench-check UPDATE=1' % (name, value))
            worse.append(name)
            continue
        change = value / recorded[name] - 1
        word = 'ok'
        if change > LIMIT:
            word = 'MORE THAN %.0f %% ABOVE' % (100 * LIMIT)
            worse.append(name)
        elif change < -LIMIT:
            word = 'better: record it by make bench-check UPDATE=1'
        print('%-14s %10.1f  recorded %10.1f  %+6.2f %%  %s' % (
            name, value, recorded[name], 100 * change, word))
    return 1 if worse else 0


def check(args, counter):
    """Against the file, or into it."""
    around = surroundings(args)
    if not args.update and args.file:
        if not os.path.exists(args.file):
            print('skipped: there is no %s' % args.file)
            return 77
        recorded_around, recorded = read(args.file)
        for name, value in around.items():
            if name == 'libraries':
                value = known(value, recorded_around.get(name, ''))
            if recorded_around.get(name) != value:
                print('skipped: recorded with other %s: %s; here: %s' % (
                    name, recorded_around.get(name), value))
                return 77
    figures = counter.cases(CASES)
    if args.file and not args.update:
        return compare(figures, recorded)
    for name, value in figures.items():
        print('%-14s %10.1f' % (name, value))
    if args.file:
        write(args.file, around, figures)
    return 0


def adverse(args, counter):
    """The pairs of run.py, as a table. Exit status."""
    cases = []
    for pair in ADVERSE:
        for workload in pair:
            for kind, options in ('plain', PLAIN + EXPORT), ('all', ALL_ON):
                cases.append(('%s-%s' % (workload, kind), workload, args.packets, options))
    figures = counter.cases(cases)
    print('| adverse | compared with | mcprobe | instructions/packet | of the other | ratio |'
          '\n|---|---|---|---:|---:|---:|')
    worst = 0
    for bad, good in ADVERSE:
        for kind, text in ('plain', '--no-dpi'), ('all', 'all on'):
            one, other = figures['%s-%s' % (bad, kind)], figures['%s-%s' % (good, kind)]
            worst = max(worst, one / other)
            print('| %s | %s | %s | %.0f | %.0f | %.2f |' % (
                bad, good, text, one, other, one / other))
    return 1 if worst > 2 else 0


def main():
    """Exit status 0, 1, or 77: cannot be told here."""
    about, details = __doc__.split('\n\n', 1)
    parser = argparse.ArgumentParser(description=about, epilog=details.split('\n\n', 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--mcprobe', default=os.path.join(common.HERE, '..', 'mcprobe'))
    parser.add_argument('--tools', default=common.HERE)
    parser.add_argument('--out', default=os.path.join(common.HERE, 'out'))
    parser.add_argument('--flags', default='', help='that the compiler was given')
    parser.add_argument('--file', help='the recorded figures')
    parser.add_argument('--update', action='store_true', help='record')
    parser.add_argument('--adverse', action='store_true')
    parser.add_argument('--packets', type=int, default=4000, help='of adverse workloads')
    args = parser.parse_args()
    args.mcprobe = os.path.abspath(args.mcprobe)
    args.out = os.path.join(os.path.abspath(args.out), 'instructions')
    missing = [word for word in ('valgrind', 'readelf', 'ldd') if not shutil.which(word)]
    if missing:
        print('skipped: there is no ' + missing[0])
        sys.exit(77)
    shutil.rmtree(args.out, ignore_errors=True)
    os.makedirs(args.out)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as discard:
        discard.bind(('127.0.0.1', 0))
        counter = Counter(args, '127.0.0.1:%d' % discard.getsockname()[1])
        sys.exit((adverse if args.adverse else check)(args, counter))


if __name__ == '__main__':
    main()
