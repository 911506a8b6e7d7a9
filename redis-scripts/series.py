#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Time series of anything the MicroCloud counts, as CSV, and as a picture.

METRIC is KEY:FIELD, a field of a hash. KEY may be a pattern, then every key it matches
becomes a column; the columns are those there at the start (--long looks again each time).
The first column is the time, in seconds since 1970. An empty cell says that there was no
value: the key is not there, its node is away, or (--rate) it was counted anew.

examples:
  series.py ip.10.0.0.1:bytesSent ip.10.0.0.1:bytesRcvd
  series.py 'probe.*:packets' 'probe.*:drops' --rate --interval 5 -o load.csv
  series.py 'proto.*:bytes' --rate --count 60 -o proto.csv --png proto.png
  series.py 'ip.192.168.*:flowsClient' --long
"""
import argparse
import csv
import os
import shutil
import subprocess
import tempfile
import time
from typing import Dict, List, NamedTuple

from mcprobe_common import (Trouble, is_glob, number, one_line, options, positive, run, safe,
                            seconds, tell)
from mcprobe_nodes import Nodes

COLUMNS_MAX = 1000  # of a CSV
CURVES_MAX = 20     # of a picture, those with the highest peaks


class Metric(NamedTuple):
    key: str  # may be a pattern
    field: str

    def __str__(self):
        return safe('%s:%s' % self)


def metric(text: str) -> Metric:
    """Keys may have colons, fields have none."""
    key, colon, field = text.rpartition(':')
    if not (key and field):
        raise argparse.ArgumentTypeError('%r is no metric; KEY:FIELD' % text)
    return Metric(key, field)


class Sampler:
    """Values of metrics, now and as rates. OK to ask it while nodes are away."""

    def __init__(self, nodes: Nodes, wanted: List[Metric], rate: bool):
        self.nodes, self.wanted, self.rate = nodes, wanted, rate
        self.last: Dict[Metric, float] = {}
        self.time = 0.0
        self.there = None

    def expand(self) -> List[Metric]:
        """The metrics, patterns replaced by the keys they match now."""
        found: Dict[Metric, None] = {}
        for m in self.wanted:
            if not is_glob(m.key):
                found[m] = None
                continue
            keys = self.nodes.scan(m.key)
            have = self.nodes.hashes(keys, [m.field])
            found.update((Metric(k, m.field), None) for k in keys if k in have)
        return list(found)

    def values(self, metrics: List[Metric]) -> Dict[Metric, float]:
        """What there is of METRICS; with --rate the difference per second."""
        hashes = self.nodes.hashes(dict.fromkeys(m.key for m in metrics),
                                   dict.fromkeys(m.field for m in metrics))
        now, there = time.monotonic(), self.nodes.there()
        found = {m: number(hashes.get(m.key, {}).get(m.field)) for m in metrics}
        found = {m: v for m, v in found.items() if v is not None}
        if not self.rate:
            return found
        rates = {}
        if there == self.there and now > self.time:
            rates = {m: round((v - self.last[m]) / (now - self.time), 3)
                     for m, v in found.items() if m in self.last and v >= self.last[m]}
        self.last, self.time, self.there = found, now, there
        return rates


class Wide:
    """A column per metric. Rows go to OUT and, for a picture, to COPY."""

    def __init__(self, sampler: Sampler, out, copy=None):
        self.sampler = sampler
        self.columns = sampler.expand()
        if not self.columns:
            raise Trouble('no key has any of ' + ', '.join(map(str, sampler.wanted)))
        if len(self.columns) > COLUMNS_MAX:
            tell('%d columns; only the first %d' % (len(self.columns), COLUMNS_MAX))
            del self.columns[COLUMNS_MAX:]
        self.start = time.time()
        self.peaks: Dict[int, float] = {}  # by column, for those with any value
        self.out, self.writers = out, [csv.writer(f, lineterminator='\n')
                                       for f in (out, copy) if f]
        self.write(['time', *map(str, self.columns)])

    def write(self, row: List) -> None:
        for writer in self.writers:
            writer.writerow(row)
        self.out.flush()

    def prime(self) -> None:
        """Rates need something before the first row."""
        self.sampler.values(self.columns)

    def sample(self) -> None:
        now, values = time.time(), self.sampler.values(self.columns)
        for i, m in enumerate(self.columns):
            if m in values:
                self.peaks[i] = max(values[m], self.peaks.get(i, values[m]))
        self.write(['%.3f' % now, *(values.get(m, '') for m in self.columns)])


class Long:
    """A row per value: time, key, field, value. New keys appear as they come."""

    def __init__(self, sampler: Sampler, out):
        self.sampler, self.out = sampler, out
        self.writer = csv.writer(out, lineterminator='\n')
        self.writer.writerow(['time', 'key', 'field', 'value'])

    def prime(self) -> None:
        self.sampler.values(self.sampler.expand())

    def sample(self) -> None:
        now, values = time.time(), self.sampler.values(self.sampler.expand())
        for m, value in values.items():
            self.writer.writerow(['%.3f' % now, safe(m.key), safe(m.field), value])
        self.out.flush()


def sample_all(table, args) -> None:
    """A row each interval, kept to the clock however long the answers take, until --count
    or Ctrl-C."""
    try:
        due = time.monotonic()
        if args.rate:
            table.prime()
            due += args.interval
        n = 0
        while n != args.count:
            time.sleep(max(due - time.monotonic(), 0))
            table.sample()
            n += 1
            due = max(due + args.interval, time.monotonic())
    except KeyboardInterrupt:
        if not args.png:
            raise


def quoted(text: str) -> str:
    """A string of gnuplot in which nothing has a meaning."""
    return "'%s'" % text.replace('`', ' ').replace("'", "''")


def plot_script(table: Wide, data: str, rate: bool) -> str:
    peaks, start = table.peaks, table.start
    curves = sorted(sorted(peaks, key=lambda i: -peaks[i])[:CURVES_MAX])
    if len(peaks) > CURVES_MAX:
        tell('%d curves; the picture has the %d highest' % (len(peaks), CURVES_MAX))
    # A gap is a gap: what is not valid does not join its neighbours.
    plots = ['%s using ($1 - %.3f):(valid(%d) ? column(%d) : NaN) '
             'with linespoints pt 7 ps 0.4 title %s'
             % (quoted(data), start, i + 2, i + 2, quoted(str(table.columns[i]))) for i in curves]
    return '\n'.join([
        'set terminal pngcairo noenhanced size 1100,600',
        "set datafile separator ','",
        "set format y '%.1s%c'", "set ylabel %s" % quoted('per second' if rate else ''),
        'set xlabel %s' % quoted(time.strftime('seconds since %F %T', time.localtime(start))),
        'set grid', 'set key outside top center',
        'set yrange [0:*]' if all(p >= 0 for p in peaks.values()) else '',
        'plot ' + ', '.join(plots), ''])


def plot(table: Wide, data: str, path: str, rate: bool) -> None:
    """The picture. gnuplot writes to a pipe, so that no name is part of its program."""
    if not table.peaks:
        raise Trouble('nothing to draw: no value was there')
    script = plot_script(table, data, rate)
    try:
        done = subprocess.run(['gnuplot'], input=script.encode('utf8', 'replace'),
                              capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise Trouble('gnuplot takes longer than a minute')
    if done.returncode or not done.stdout.startswith(b'\x89PNG'):
        raise Trouble('gnuplot: ' + one_line(done.stderr.decode('utf8', 'replace')))
    with open(path, 'wb') as f:
        f.write(done.stdout)


def main() -> None:
    p = options(__doc__)
    p.add_argument('metric', nargs='+', type=metric, metavar='METRIC', help='KEY:FIELD')
    p.add_argument('--interval', type=seconds, default=1, metavar='S',
                   help='seconds between rows (default 1)')
    p.add_argument('--count', type=positive, metavar='N', help='end after N rows')
    p.add_argument('--rate', action='store_true', help='differences per second')
    p.add_argument('--long', action='store_true', help='a row per value: time,key,field,value')
    p.add_argument('-o', '--output', metavar='FILE', help='CSV goes there, not to standard output')
    p.add_argument('--png', metavar='FILE', help='draw the rows at the end, Ctrl-C included')
    args = p.parse_args()
    if args.png and args.long:
        p.error('--png draws columns; it does not go with --long')
    if args.png and not shutil.which('gnuplot'):
        raise Trouble('gnuplot is missing: apt install gnuplot-nox')
    sampler = Sampler(Nodes(args), args.metric, args.rate)
    with open(args.output, 'w', newline='', encoding='utf8') if args.output \
            else os.fdopen(os.dup(1), 'w', newline='', encoding='utf8') as out, \
            tempfile.NamedTemporaryFile('w', suffix='.csv', newline='') as copy:
        table = Long(sampler, out) if args.long else \
            Wide(sampler, out, copy if args.png else None)
        sample_all(table, args)
        if args.png:
            copy.flush()
            plot(table, copy.name, args.png, args.rate)


if __name__ == '__main__':
    run(main)
