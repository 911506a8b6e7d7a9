#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The top talkers of a probe or of a MicroCloud, as a table that is drawn anew.

A host's bytes, packets and flows are what the MicroCloud knows of it now (keys that were
not written for five minutes are forgotten); rates are differences between two tables, so
the first one has none. Hosts and protocols are looked for among those of the last minutes'
top lists; ports, MAC addresses and VLANs among all keys.

examples:
  top.py                                     hosts by bytes, of the probe on this machine
  top.py --group proto --interval 5          applications, every five seconds
  top.py --by flows -n 20 --rates            hosts that open most flows just now
  top.py --redis 10.0.0.1:6379,10.0.0.2:6379 the whole MicroCloud on two nodes
  top.py --once --json --group port          one object for a script
"""
import ipaddress
import json
import shutil
import sys
import time
from collections import Counter
from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from mcprobe_common import (clip, human, number, options, pad, positive, run, safe, seconds, tell,
                            text_width)
from mcprobe_nodes import Hash, Nodes, users

USER_NETS = (64, 56, 48)  # prefixes of networks whose user an address has, as the probe asks
RATES = (2, 4, 6)  # columns of rates
MINUTES = 5       # of top lists summed
CANDIDATES = 200  # of each list at least, whose keys are read
NAME = 46         # columns of a name at most
COUNTS = ('bytes', 'packets', 'flows')

# Group -> its top lists. None of them there: all its keys.
GROUPS = {
    'ip': ('ip.bytes', 'ip.flows'),
    'proto': ('proto.bytes', 'proto.flows'),
    'port': (),
    'mac': (),
    'vlan': (),
}
FIELDS = ('bytes', 'pkts', 'flows', 'bytesSent', 'bytesRcvd', 'pktsSent', 'pktsRcvd',
          'flowsClient', 'flowsServer', 'name', 'user')


class Row(NamedTuple):
    """A line of the table. Rates are per second, None where there is nothing to compare."""
    name: str
    bytes: int
    packets: int
    flows: int
    client: Optional[int]  # flows as client and as server, of hosts
    server: Optional[int]
    label: str             # name from DNS
    user: str
    rates: Dict[str, Optional[float]]


def total(fields: Hash, *names: str) -> int:
    return sum(int(number(fields.get(n)) or 0) for n in names)


def make_row(name: str, f: Hash) -> Row:
    sides = 'flowsClient' in f or 'flowsServer' in f
    return Row(name=name,
               bytes=total(f, 'bytes', 'bytesSent', 'bytesRcvd'),
               packets=total(f, 'pkts', 'pktsSent', 'pktsRcvd'),
               flows=total(f, 'flows', 'flowsClient', 'flowsServer'),
               client=total(f, 'flowsClient') if sides else None,
               server=total(f, 'flowsServer') if sides else None,
               label=f.get('name', ''), user=f.get('user', ''),
               rates=dict.fromkeys(COUNTS))


def top_lists(client, metric: str) -> Dict[str, float]:
    """Members of the last minutes' lists of a node with their sums. By the node's clock;
    where nothing is (a probe that stands still at the end of a file), the newest there."""
    now = client.time()[0] // 60
    prefix = 'top.%s.' % metric
    keys = [prefix + str(now - m) for m in range(MINUTES + 1)]
    lists = read_lists(client, keys)
    if not any(lists):
        minutes = (k[len(prefix):] for k in client.scan_iter(match=prefix + '*', count=1000))
        newest = sorted((int(m) for m in minutes if m.isdecimal()), reverse=True)
        lists = read_lists(client, [prefix + str(m) for m in newest[:MINUTES]])
    sums: Dict[str, float] = Counter()
    for members in lists:
        for member, score in members:
            sums[member] += score
    return sums


def read_lists(client, keys: List[str]) -> List[List[Tuple[str, float]]]:
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.zrevrange(key, 0, -1, withscores=True)
    return [a for a in pipe.execute(raise_on_error=False) if isinstance(a, list)]


def candidates_of(nodes: Nodes, metrics: Iterable[str], n: int) -> Set[str]:
    """Members of these top lists that may belong to the top N."""
    found = set()
    for metric in metrics:
        sums: Dict[str, float] = Counter()
        for part in nodes.each(lambda c: top_lists(c, metric)):
            sums.update(part)
        found.update(m for m, _ in sums.most_common(max(CANDIDATES, 5 * n)))
    return found


def candidates(nodes: Nodes, group: str, n: int) -> List[str]:
    """Keys that may belong to the top."""
    found = candidates_of(nodes, GROUPS[group], n)
    if found:
        return ['%s.%s' % (group, member) for member in found]
    return nodes.scan(group + '.*')


class Table:
    """Rows now, and what they were the last time."""

    def __init__(self, nodes: Nodes, args):
        self.nodes, self.args = nodes, args
        self.last: Dict[str, Row] = {}
        self.time = 0.0
        self.there = None

    def read(self) -> List[Row]:
        """The rows to show, largest first."""
        n, group = self.args.n, self.args.group
        keys = candidates(self.nodes, group, n)
        hashes = self.nodes.hashes(keys, FIELDS)
        now, there = time.monotonic(), self.nodes.there()
        rows = {key: make_row(key[len(group) + 1:], f) for key, f in hashes.items()}
        if there == self.there:  # sums of other nodes are not comparable
            for key, row in rows.items():
                self.rate(row, self.last.get(key), now - self.time)
        self.last, self.time, self.there = rows, now, there
        shown = sorted(rows.values(), key=self.order)[:n]
        return self.named(shown) if group == 'ip' else shown

    def named(self, rows: List[Row]) -> List[Row]:
        """Hosts with their users and names, which stand in keys of their own."""
        hosts = {}
        for row in rows:
            try:
                hosts[row.name] = ipaddress.ip_address(row.name)
            except ValueError:
                pass  # ip.other, say
        found = users(self.nodes, list(hosts.values()), USER_NETS)
        names = self.nodes.strings('dns.cache.' + row.name for row in rows if not row.label)
        return [row._replace(
            user=row.user or found.get(hosts.get(row.name), ('', ''))[1],
            label=row.label or names.get('dns.cache.' + row.name, '')) for row in rows]

    def rate(self, row: Row, last: Optional[Row], elapsed: float) -> None:
        for what in COUNTS:
            if last and getattr(row, what) >= getattr(last, what) and elapsed > 0:
                row.rates[what] = (getattr(row, what) - getattr(last, what)) / elapsed

    def order(self, row: Row):
        by = self.args.by
        rate = row.rates[by] or 0 if self.args.rates else 0
        return -rate, -getattr(row, by), row.name


def cells(row: Row) -> List[str]:
    flows = human(row.flows) if row.client is None else \
        '%s/%s' % (human(row.client), human(row.server))
    return [clip(safe(row.name), NAME), human(row.bytes), human(row.rates['bytes']),
            human(row.packets), human(row.rates['packets']), flows, human(row.rates['flows']),
            clip(safe(row.user), NAME), clip(safe(row.label), NAME)]


def lines(rows: List[Row], args) -> List[str]:
    """The table as text; names nobody has are left out."""
    hosts = any(r.client is not None for r in rows)
    heads = [args.group, 'bytes', 'bytes/s', 'packets', 'packets/s',
             'flows c/s' if hosts else 'flows', 'flows/s', 'user', 'name']
    table = [heads] + [cells(r) for r in rows]
    columns = [i for i in range(len(heads)) if i < 7 or any(line[i] for line in table[1:])]
    if args.once:
        columns = [i for i in columns if i not in RATES]
    wide = {i: max(text_width(line[i]) for line in table) for i in columns}
    return ['  '.join(pad(line[i], wide[i], right=0 < i < 7) for i in columns).rstrip()
            for line in table]


def as_json(rows: List[Row], args) -> str:
    out = []
    for r in rows:
        one = {args.group: r.name, 'bytes': r.bytes, 'packets': r.packets, 'flows': r.flows,
               'flowsClient': r.client, 'flowsServer': r.server, 'name': r.label, 'user': r.user}
        one.update((what + 'PerSecond', rate if rate is None else round(rate, 3))
                   for what, rate in r.rates.items())
        out.append({k: v for k, v in one.items() if v not in (None, '')})
    return json.dumps({'v': 1, 'ts': round(time.time(), 3), 'group': args.group, 'by': args.by,
                       'rows': out})


def draw(rows: List[Row], nodes: Nodes, args, first: bool) -> None:
    if args.json:
        print(as_json(rows, args), flush=True)
        return
    screen = sys.stdout.isatty() and not args.once
    text = lines(rows, args)
    if not rows:
        text.append('(nothing yet)')
    if screen:
        size = shutil.get_terminal_size()
        away = ['away: ' + a for a in nodes.away()]
        head = '%s  top %d by %s%s  %s' % (time.strftime('%H:%M:%S'), args.n, args.by,
                                           ' per second' * args.rates,
                                           ', '.join(str(n.where) for n in nodes.nodes))
        text = [clip(line, size.columns) for line in [head, *away, *text][:size.lines - 1]]
        print('\033[H\033[2J' + '\n'.join(text), flush=True)
    else:
        print(('' if first else '\n') + '\n'.join(text), flush=True)


def main() -> None:
    p = options(__doc__)
    p.add_argument('--by', choices=COUNTS, default='bytes', help='what counts (default bytes)')
    p.add_argument('--group', choices=GROUPS, default='ip', help='of what (default ip)')
    p.add_argument('-n', type=positive, default=10, metavar='N', help='rows (default 10)')
    p.add_argument('--rates', action='store_true',
                   help='order by the rate since the last table, not by the total')
    p.add_argument('--interval', type=seconds, default=2, metavar='S',
                   help='seconds between tables (default 2)')
    p.add_argument('--once', action='store_true', help='one table, and end')
    p.add_argument('--json', action='store_true', help='each table as one JSON object on a line')
    args = p.parse_args()
    # On a screen the table itself says who is away.
    screen = sys.stdout and sys.stdout.isatty() and not (args.json or args.once)
    nodes = Nodes(args, say=(lambda text: None) if screen else tell)
    table = Table(nodes, args)
    first = True
    while True:
        began = time.monotonic()
        draw(table.read(), nodes, args, first)
        if args.once:
            return
        first = False
        time.sleep(max(args.interval - (time.monotonic() - began), .05))


if __name__ == '__main__':
    run(main)
