#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tell of what watched clients ask the DNS, and of who asks for watched domains.

Who and what is watched stands in two sets of the nodes, which may change at any time:
  watch.dns.clients  addresses and networks (10.0.0.5, 192.168.7.0/24, 2001:db8::/32)
  watch.dns.domains  names; each means what is beneath it too, and . everything;
                     *. before a name is allowed and changes nothing
They are read again each second, and at once when something is published on watch.changed.
What a node that is away had in its sets goes on being watched.

An alert is published for each transaction (channel dns: a probe always has it, a node if
the probes run with --publish dns), or with --quiet once per client, name and entry of a set
in so many seconds. What was published is printed, one JSON object per line.

examples:
  redis-cli -p 6379 SADD watch.dns.domains example.com
  redis-cli -p 6379 SADD watch.dns.clients 192.168.7.0/24
  redis-cli -p 6379 PUBLISH watch.changed ''
  dns_watch.py --redis 127.0.0.1:6379 --quiet 60
  dns_watch.py --redis 127.0.0.1:6379,127.0.0.1:6380   sets of a node, events of a probe
  watch.py alert                                       what all such apps say
"""
import argparse
import time
from typing import Any, Dict, FrozenSet, Iterator, List, Tuple

from mcprobe_alerts import Alerts, HostList, event_of, is_beneath, network
from mcprobe_common import domain_name, domains_above, one_line, options, run, seconds, tell
from mcprobe_nodes import Events, Node, Nodes

CLIENTS, DOMAINS, CHANGED = 'watch.dns.clients', 'watch.dns.domains', 'watch.changed'
READ_S = 1       # the sets are read this often
NAME_MAX = 4096  # characters of a name that are looked at
SAID_MAX = 1000  # bad entries that are complained of

Sets = Tuple[FrozenSet[str], FrozenSet[str]]  # clients, domains


class Watched:
    """What the sets say. Changed sets are taken in anew; the same ones cost nothing more."""

    def __init__(self, nodes: Nodes):
        self.nodes = nodes
        self.sets: Dict[Node, Sets] = {}  # by the node that has them
        self.said = set()
        self.clients = HostList([])
        self.domains: Dict[str, str] = {}  # the entry, by its name as compared

    def read(self) -> None:
        before = dict(self.sets)
        for node in self.nodes.nodes:
            answer = node.call(read_sets)
            if answer is not None:
                self.sets[node] = tuple(map(self.members, (CLIENTS, DOMAINS), answer))
        if self.sets != before:
            self.take()

    def members(self, key: str, answer: Any) -> FrozenSet[str]:
        if isinstance(answer, Exception):
            self.complain('%s: %s' % (key, one_line(str(answer))))
            return frozenset()
        return frozenset(answer)

    def complain(self, text: str) -> None:
        if text not in self.said and len(self.said) < SAID_MAX:
            self.said.add(text)
            tell(text)

    def take(self) -> None:
        networks: List[Any] = []
        for text in sorted(set().union(*(clients for clients, _ in self.sets.values()))):
            try:
                networks.append(network(text))
            except argparse.ArgumentTypeError as error:
                self.complain('%s: %s' % (CLIENTS, one_line(str(error))))
        self.clients = HostList(networks)
        self.domains = {named(text): text for text in
                        sorted(set().union(*(domains for _, domains in self.sets.values())))
                        if text.strip()}

    def find(self, client: Any, name: Any) -> Iterator[Tuple[str, str]]:
        """What a transaction is watched for: which set, and its entry there."""
        found = self.clients.find(client)
        if found:
            yield 'client', found[1]
        if not isinstance(name, str) or not name:
            return
        for domain in domains_above(domain_name(name[:NAME_MAX])):
            if domain in self.domains:
                yield 'domain', self.domains[domain]
                return


def named(entry: str) -> str:
    """The name an entry means."""
    name = domain_name(entry.strip())
    return name[2:] if name.startswith('*.') and len(name) > 2 else name


def read_sets(client) -> List[Any]:
    pipe = client.pipeline(transaction=False)
    pipe.smembers(CLIENTS)
    pipe.smembers(DOMAINS)
    return pipe.execute(raise_on_error=False)


def words(value: Any) -> str:
    """A text, or the texts of a list, in a line."""
    if isinstance(value, list):
        return one_line(', '.join(v for v in value if isinstance(v, str)))
    return one_line(value) if isinstance(value, str) else ''


def summary(event: Dict[str, Any]) -> str:
    what = ' '.join(filter(None, (words(event.get('qname')) or 'a name that is none',
                                  words(event.get('qtype')))))
    rcode, response = words(event.get('rcode')), words(event.get('response'))
    how = 'no answer' if not rcode else response if rcode == 'NOERROR' and response else rcode
    return '%s asked for %s: %s' % (words(event.get('src')) or 'somebody', what, how)


class Watcher:
    def __init__(self, nodes: Nodes, args):
        self.watched = Watched(nodes)
        self.alerts = Alerts(nodes, 'dns_watch', args.channel, args.quiet)

    def event(self, text: str) -> None:
        """A transaction."""
        event = event_of(text)
        client, name = event.get('src'), event.get('qname')
        for why, entry in self.watched.find(client, name):
            more = {'why': why, 'list': entry, 'client': client}
            more.update((k, event.get(k)) for k in ('user', 'qname', 'qtype', 'rcode', 'latencyUs',
                                                    'dst', 'service', 'probe'))
            more['response'] = words(event.get('response'))
            self.alerts.tell((str(client), str(name), why, entry), summary(event), more)


def main() -> None:
    p = options(__doc__)
    p.add_argument('--channel', default='alert.warning', metavar='NAME',
                   help='where to publish (default alert.warning)')
    p.add_argument('--quiet', type=seconds, default=0, metavar='S',
                   help='one alert per client, name and entry in S seconds (default: each time)')
    args = p.parse_args()
    if is_beneath(args.channel, 'dns') or is_beneath(args.channel, CHANGED):
        p.error('--channel %s is one this app follows' % args.channel)
    nodes = Nodes(args)
    watcher = Watcher(nodes, args)
    watcher.watched.read()
    events = Events(nodes, ['dns', CHANGED])
    due = time.monotonic() + READ_S
    while True:
        got = events.next(max(due - time.monotonic(), 0))
        changed = got and (got[0] == CHANGED or got[0].startswith(CHANGED + '.'))
        if got and not changed:
            watcher.event(got[1])
        if changed or time.monotonic() >= due:
            watcher.watched.read()
            due = time.monotonic() + READ_S


if __name__ == '__main__':
    run(main)
