#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The DNS at a glance: queries per second, codes, types, and who asks whom for what, as
tables that are drawn anew.

The figures are those of the MicroCloud's keys (dns.rcode., dns.qtype., dns.domain.,
dns.client., dns.server.), which forget what was not written for five minutes; rates are
differences between two tables, so the first one has none. Domains are looked for among
those of the last minutes' top list. With --events the transactions that are published are
counted instead (a probe always has them, a node if the probes run with --publish dns):
the figures are then those since the start.

examples:
  dns_stats.py                                 of the probe on this machine
  dns_stats.py --redis 10.0.0.1:6379,10.0.0.2:6379 --rates
  dns_stats.py --once --json -n 100            one object for a script
  dns_stats.py --events --interval 10
"""
import json
import shutil
import sys
import time
from typing import Any, Dict, Iterable, List, Optional

from mcprobe_alerts import event_of
from mcprobe_common import (clip, domain_name, human, key_part, number, options, pad, positive, run,
                            safe, seconds, tell, text_width)
from mcprobe_nodes import Events, Hash, Nodes
from top import candidates_of

NAME = 46          # columns of a name at most
NAMES_MAX = 50000  # of a group that --events remembers

# What is counted of a domain, a client, a server; of a type and a code only the first.
QUERIES, UNANSWERED = 'queries', 'unanswered'
FIELDS = (QUERIES, 'replies', 'noerror', 'nxdomain', 'servfail', UNANSWERED,
          'retransmissions', 'latencyUsSum', 'latencyUsMax')
GROUPS = ('rcode', 'qtype', 'domain', 'client', 'server')
CODES = {'NOERROR': 'noerror', 'NXDOMAIN': 'nxdomain', 'SERVFAIL': 'servfail'}

Figures = Dict[str, Dict[str, int]]  # by name


class Keys:
    """Figures of the keys."""
    label = 'keys'

    def __init__(self, nodes: Nodes, args):
        self.nodes, self.n = nodes, args.n

    def wait(self, span: float) -> None:
        time.sleep(span)

    def there(self):
        return self.nodes.there()

    def read(self) -> Dict[str, Figures]:
        return {group: self.group(group) for group in GROUPS}

    def group(self, group: str) -> Figures:
        prefix = 'dns.%s.' % group
        names = candidates_of(self.nodes, ['dns.domain'], self.n) if group == 'domain' else ()
        keys = [prefix + n for n in names] or self.nodes.scan(prefix + '*')
        return {key[len(prefix):]: figures(fields)
                for key, fields in self.nodes.hashes(keys, FIELDS).items()}


def figures(fields: Hash) -> Dict[str, int]:
    return {f: int(number(fields[f]) or 0) for f in FIELDS if f in fields}


class Published:
    """Figures of the events since the start, made as the keys are."""
    label = 'events'

    def __init__(self, nodes: Nodes, args):
        self.events = Events(nodes, ['dns'])
        self.groups: Dict[str, Figures] = {group: {} for group in GROUPS}

    def wait(self, span: float) -> None:
        end = time.monotonic() + span
        while True:
            got = self.events.next(max(end - time.monotonic(), 0))
            if got:
                self.take(event_of(got[1]))
            if time.monotonic() >= end:
                return

    def there(self):
        return None

    def read(self) -> Dict[str, Figures]:
        return {g: {name: dict(f) for name, f in found.items()} for g, found in self.groups.items()}

    def of(self, group: str, name: Any) -> Dict[str, int]:
        """The figures to add to; those of a name that is none, or one too many, are lost."""
        found = self.groups[group]
        if not isinstance(name, str) or not name:
            return {}
        name = key_part(name)
        if name not in found and len(found) >= NAMES_MAX:
            return {}
        return found.setdefault(name, {})

    def take(self, event: Dict[str, Any]) -> None:
        if event.get('service') != 'dns':
            return
        rcode, latency, name = event.get('rcode'), event.get('latencyUs'), event.get('qname')
        answered = isinstance(rcode, str) and rcode != ''
        asked = not answered or latency is not None  # else it is an answer nobody asked for
        if answered:
            add(self.of('rcode', rcode), {QUERIES: 1})
        if asked:
            add(self.of('qtype', event.get('qtype')), {QUERIES: 1})
        more = {QUERIES: int(asked), 'replies': int(answered), UNANSWERED: int(not answered),
                'retransmissions': whole(event.get('retransmissions')),
                'latencyUsSum': whole(latency)}
        if answered and rcode in CODES:
            more[CODES[rcode]] = 1
        if isinstance(name, str):
            name = '.' if name == '.' else domain_name(name)
        for group, of in (('domain', name), ('client', event.get('src')),
                          ('server', event.get('dst'))):
            to = self.of(group, of)
            add(to, more)
            if latency is not None:
                to['latencyUsMax'] = max(to.get('latencyUsMax', 0), whole(latency))


def whole(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def add(to: Dict[str, int], more: Dict[str, int]) -> None:
    for field, n in more.items():
        if n:
            to[field] = to.get(field, 0) + n


class Row:
    """A line of a table. The rate is per second, None where there is nothing to compare."""

    def __init__(self, name: str, f: Dict[str, int]):
        self.name, self.f = name, f
        self.queries = f.get(QUERIES, 0)
        self.rate: Optional[float] = None

    def get(self, field: str) -> int:
        return self.f.get(field, 0)

    def latency(self) -> Optional[float]:
        """Mean, in microseconds, of what was asked and answered."""
        answered = min(self.get('replies'), self.queries)
        return self.get('latencyUsSum') / answered if answered else None


class Table:
    """All rows now, and what they were the last time."""

    def __init__(self, source, args):
        self.source, self.args = source, args
        self.last: Dict[str, Figures] = {}
        self.time = 0.0
        self.there = None
        self.first = True

    def read(self) -> 'Shown':
        now_figures = self.source.read()
        now, there = time.monotonic(), self.source.there()
        rows = {g: [Row(name, f) for name, f in found.items()] for g, found in now_figures.items()}
        if not self.first and there == self.there:  # sums of other nodes are not comparable
            for group, found in rows.items():
                # A domain that is new here may have been there, below the top.
                rate(found, self.last[group], now - self.time, group != 'domain')
        self.last, self.time, self.there, self.first = now_figures, now, there, False
        return Shown(rows, self.args)


def rate(rows: Iterable[Row], last: Figures, elapsed: float, complete: bool) -> None:
    """What is counted anew, or (of a list that was COMPLETE) for the first time, has happened
    since."""
    for row in rows:
        if elapsed > 0 and (complete or row.name in last):
            before = last.get(row.name, {}).get(QUERIES, 0)
            row.rate = (row.queries - (before if row.queries >= before else 0)) / elapsed


class Shown:
    """Sums, and the largest rows of each group."""

    def __init__(self, rows: Dict[str, List[Row]], args):
        self.queries, self.query_rate = sums(rows['qtype'])
        self.replies, self.reply_rate = sums(rows['rcode'])
        self.codes = {r.name: r.queries for r in rows['rcode']}
        servers = rows['server']
        self.unanswered = sum(r.get(UNANSWERED) for r in servers)
        answered = sum(min(r.get('replies'), r.queries) for r in servers)
        self.latency = sum(r.get('latencyUsSum') for r in servers) / answered if answered else None

        def order(r):
            return -(r.rate or 0) * args.rates, -r.queries, r.name
        self.rows = {g: sorted(found, key=order)[:args.n] for g, found in rows.items()}

    def share(self, group: str, row: Row) -> Optional[float]:
        total = self.replies if group == 'rcode' else self.queries
        return min(row.queries / total, 1) if total else None


def sums(rows: List[Row]):
    rates = [r.rate for r in rows if r.rate is not None]
    return sum(r.queries for r in rows), sum(rates) if rates else None


def percent(share: Optional[float]) -> str:
    return '' if share is None else '%.1f%%' % (100 * share)


def millis(us: Optional[float]) -> str:
    return '-' if us is None else '%.1f' % (us / 1000)


def cells(shown: Shown, group: str, row: Row) -> List[str]:
    text = [clip(safe(row.name), NAME), human(row.queries), human(row.rate),
            percent(shown.share(group, row))]
    if group not in ('rcode', 'qtype'):
        text += [human(row.get('nxdomain')), human(row.get('servfail')), human(row.get(UNANSWERED)),
                 human(row.get('retransmissions')), millis(row.latency()),
                 millis(row.get('latencyUsMax') if row.latency() is not None else None)]
    return text


def block(shown: Shown, group: str, once: bool) -> List[str]:
    """A group's table."""
    heads = [group, 'queries', 'q/s', 'share']
    if group not in ('rcode', 'qtype'):
        heads += ['nxdomain', 'servfail', 'unanswered', 'again', 'ms', 'max ms']
    if group == 'rcode':
        heads[1:3] = ['replies', 'r/s']
    table = [heads] + [cells(shown, group, r) for r in shown.rows[group]]
    columns = [i for i in range(len(heads)) if not (once and i == 2)]
    wide = {i: max(text_width(line[i]) for line in table) for i in columns}
    return ['  '.join(pad(line[i], wide[i], right=i > 0) for i in columns).rstrip()
            for line in table]


def beside(left: List[str], right: List[str]) -> List[str]:
    """Two tables, one beside the other."""
    wide = max(map(text_width, left))
    return [(pad(left[i] if i < len(left) else '', wide) + '    '
             + (right[i] if i < len(right) else '')).rstrip()
            for i in range(max(len(left), len(right)))]


def lines(shown: Shown, once: bool) -> List[str]:
    replies = shown.replies or 1
    words = ['queries %s' % human(shown.queries), 'replies %s' % human(shown.replies),
             'unanswered %s' % human(shown.unanswered),
             'nxdomain %s' % percent(shown.codes.get('NXDOMAIN', 0) / replies),
             'servfail %s' % percent(shown.codes.get('SERVFAIL', 0) / replies),
             'mean %s ms' % millis(shown.latency)]
    if not once:
        words[0] += ' (%s/s)' % human(shown.query_rate)
        words[1] += ' (%s/s)' % human(shown.reply_rate)
    text = ['  '.join(words), '', *beside(block(shown, 'rcode', once), block(shown, 'qtype', once))]
    for group in GROUPS[2:]:
        text += ['', *block(shown, group, once)]
    return text


def row_json(row: Row) -> Dict[str, Any]:
    one = {'name': row.name, **{f: row.f[f] for f in FIELDS if f in row.f}}
    if row.rate is not None:
        one['queriesPerSecond'] = round(row.rate, 3)
    return one


def as_json(shown: Shown, label: str) -> str:
    one: Dict[str, Any] = {'v': 1, 'ts': round(time.time(), 3), 'source': label,
                           'queries': shown.queries, 'replies': shown.replies,
                           'unanswered': shown.unanswered}
    for name, value in (('queriesPerSecond', shown.query_rate),
                        ('repliesPerSecond', shown.reply_rate), ('latencyUs', shown.latency)):
        if value is not None:
            one[name] = round(value, 3)
    for group in GROUPS:
        one[group] = [row_json(r) for r in shown.rows[group]]
    return json.dumps(one)


def draw(shown: Shown, nodes: Nodes, args, label: str, first: bool) -> None:
    if args.json:
        print(as_json(shown, label), flush=True)
        return
    text = lines(shown, args.once and not args.events)
    if sys.stdout.isatty() and not args.once:
        size = shutil.get_terminal_size()
        away = ['away: ' + a for a in nodes.away()]
        head = '%s  dns by %s  %s' % (time.strftime('%H:%M:%S'), label,
                                      ', '.join(str(n.where) for n in nodes.nodes))
        text = [clip(line, size.columns) for line in [head, *away, *text][:size.lines - 1]]
        print('\033[H\033[2J' + '\n'.join(text), flush=True)
    else:
        print(('' if first else '\n') + '\n'.join(text), flush=True)


def main() -> None:
    p = options(__doc__)
    p.add_argument('-n', type=positive, default=5, metavar='N', help='rows of a table (default 5)')
    p.add_argument('--rates', action='store_true',
                   help='order by the rate since the last tables, not by the total')
    p.add_argument('--events', action='store_true', help='count what is published, not the keys')
    p.add_argument('--interval', type=seconds, default=2, metavar='S',
                   help='seconds between tables (default 2)')
    p.add_argument('--once', action='store_true',
                   help='once, and end (with --events: after an interval)')
    p.add_argument('--json', action='store_true', help='each time one JSON object on a line')
    args = p.parse_args()
    # On a screen the tables themselves say who is away.
    screen = sys.stdout and sys.stdout.isatty() and not (args.json or args.once)
    nodes = Nodes(args, say=(lambda text: None) if screen else tell)
    source = Published(nodes, args) if args.events else Keys(nodes, args)
    table = Table(source, args)
    if args.events:
        table.read()
        source.wait(args.interval)
    first = True
    while True:
        began = time.monotonic()
        draw(table.read(), nodes, args, source.label, first)
        if args.once:
            return
        first = False
        source.wait(max(args.interval - (time.monotonic() - began), .05))


if __name__ == '__main__':
    run(main)
