#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tell when a host of a list is active: publishes an alert that anybody may follow.

A host is an address or a network (10.0.0.5, 192.168.7.0/24, 2001:db8::/32). It is active
when a flow of it begins or ends (flow.new, flow.end: a probe always has them, a node if
the probes run with --publish flow) and when the counters of its key ip.<address> were
there at the start or have changed since the last look. A host is told of once in --quiet
seconds. What was published is printed, one JSON object per line.

FILE of --hosts has a host per line; what follows a # is a comment.

examples:
  alert_host.py 198.51.100.7 203.0.113.0/24
  alert_host.py --redis 10.0.0.1:6379 --hosts watchlist.txt --quiet 600
  alert_host.py --hosts watchlist.txt --once       who is active now
  watch.py alert                                   what all such apps say
"""
import argparse
import time
from typing import Any, Dict, List

from mcprobe_alerts import Alerts, HostList, event_of, network
from mcprobe_common import human, number, one_line, options, run, seconds
from mcprobe_nodes import Events, Hash, Nodes

COUNTERS = ('bytesSent', 'bytesRcvd', 'pktsSent', 'pktsRcvd', 'flowsClient', 'flowsServer',
            'lastSeen')


def read_hosts(path: str) -> List:
    found = []
    try:
        with open(path, encoding='utf8', errors='surrogateescape') as f:
            for n, text in enumerate(f, 1):
                text = text.partition('#')[0].strip()
                if text:
                    try:
                        found.append(network(text))
                    except argparse.ArgumentTypeError as error:
                        raise argparse.ArgumentTypeError('%s:%d: %s' % (path, n, error))
    except OSError as error:
        raise argparse.ArgumentTypeError('%s: %s' % (path, error.strerror))
    return found


class Alerter:
    def __init__(self, nodes: Nodes, hosts: HostList, args):
        self.nodes, self.hosts, self.args = nodes, hosts, args
        self.alerts = Alerts(nodes, 'alert_host', args.channel, args.quiet)
        self.seen: Dict[str, tuple] = {}  # counters of the last look, by host

    def alert(self, host: str, why: str, text: str, more: Dict[str, Any]) -> bool:
        """Publish, unless the host was told of lately. False: nobody took it."""
        return self.alerts.tell(host, text, {'host': host, 'list': self.hosts.find(host)[1],
                                             'why': why, **more})

    def event(self, channel: str, text: str) -> None:
        """A flow began or ended."""
        flow = event_of(text)
        for mine, other, role in (('src', 'dst', 'client of'), ('dst', 'src', 'server for')):
            found = self.hosts.find(flow.get(mine))
            if found:
                peer = flow.get(other)
                more = {k: flow.get(k) for k in ('flow', 'user', 'probe')}
                self.alert(found[0], channel, '%s is active: %s %s' % (
                    found[0], role, one_line(str(peer), 50)), {'peer': peer, **more})

    def poll(self) -> None:
        """Look at the keys."""
        hashes = self.nodes.hashes(self.hosts.keys(self.nodes), COUNTERS + ('name', 'user'))
        for key, fields in hashes.items():
            host = key[3:]
            now = tuple(fields.get(c) for c in COUNTERS)
            if self.seen.get(host) == now:
                continue
            if self.alert(host, 'poll', summary(host, fields),
                          {k: fields.get(k) for k in ('name', 'user')}):
                self.seen[host] = now
        if self.nodes.away():
            return  # its keys are not gone
        for host in [h for h in self.seen if 'ip.' + h not in hashes]:
            del self.seen[host]


def summary(host: str, fields: Hash) -> str:
    counts = [number(fields.get(c)) for c in COUNTERS]
    return '%s is active: %s bytes sent, %s received, %s flows as client, %s as server' % (
        host, *(human(counts[i] or 0) for i in (0, 1, 4, 5)))


def main() -> None:
    p = options(__doc__)
    p.add_argument('host', nargs='*', type=network, metavar='HOST', help='address or network')
    p.add_argument('--hosts', type=read_hosts, action='extend', default=[], metavar='FILE',
                   help='a list of them; may repeat')
    p.add_argument('--channel', default='alert.warning', metavar='NAME',
                   help='where to publish (default alert.warning)')
    p.add_argument('--quiet', type=seconds, default=60, metavar='S',
                   help='one alert per host in S seconds (default 60)')
    p.add_argument('--interval', type=seconds, default=10, metavar='S',
                   help='look at the keys every S seconds (default 10)')
    p.add_argument('--once', action='store_true', help='look once, and end')
    args = p.parse_args()
    if not args.host and not args.hosts:
        p.error('no host to look for; addresses, networks or --hosts FILE')
    nodes = Nodes(args)
    alerter = Alerter(nodes, HostList(args.host + args.hosts), args)
    alerter.poll()
    if args.once:
        return
    events = Events(nodes, ['flow.new', 'flow.end'])
    due = time.monotonic() + args.interval
    while True:
        got = events.next(max(due - time.monotonic(), 0))
        if got:
            alerter.event(*got)
        if time.monotonic() >= due:
            alerter.poll()
            due = time.monotonic() + args.interval


if __name__ == '__main__':
    run(main)
