#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tell who fetches what is on a list of URLs: publishes an alert that anybody may follow.

A PATTERN is
  example.com              a host, and all beneath its name
  *.example.com, ads?.*    a pattern (* ? [a-z]) of the host
  example.com/private/*    with a slash: a pattern of host and path, query included
  ~REGEX                   a regular expression that is found somewhere in host and path
Hosts are compared in lower case and without ports; of a request that names none it is the
server's address. The path is taken as it was sent. A request a proxy is asked for is that
of the URL in it; of CONNECT only the host is known, its path is /.

The list is compared with each request (channel http: a probe always has it, a node if the
probes run with --publish http). A client, that is the user or else the address, is told of
once for each pattern in --quiet seconds. What was published is printed, one JSON object per
line.

FILE of --list has a pattern per line; # begins a comment, at the start or after a blank.

examples:
  alert_url.py malware.example 'cdn.example.net/*.exe'
  alert_url.py --redis 10.0.0.1:6379 --list blocked.txt --quiet 600
  alert_url.py '~/(wp-login|xmlrpc)\\.php'
  watch.py alert                                   what all such apps say
"""
import argparse
import re
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from mcprobe_alerts import Alerts, event_of, is_beneath
from mcprobe_common import (ASCII_LOWER, domain_name, domains_above, glob_regex, is_glob, one_line,
                            options, run, seconds)
from mcprobe_nodes import Events, Nodes

LOOK_MAX = 4096  # characters of a URL that are looked at

ABSOLUTE = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)(.*)', re.S)
AUTHORITY = re.compile(r'(?:\[([^]]*)\]|([^:]*))(?::[0-9]*)?', re.S)


class Pattern(NamedTuple):
    """An entry of the list. With TEST None it is the name of a host."""
    text: str
    test: Optional[Callable[[str, str], Any]]  # of host, and host with path


def pattern(text: str) -> Pattern:
    text = text.strip()
    if text.startswith('~'):
        try:
            regex = re.compile(text[1:])
        except (re.error, RecursionError, OverflowError) as error:
            raise argparse.ArgumentTypeError('%r: %s' % (text, error))
        return Pattern(text, lambda host, url: regex.search(url))
    host, slash, path = re.sub('^https?://', '', text).partition('/')
    if not host:
        raise argparse.ArgumentTypeError('%r names no host' % text)
    host = domain_name(host)
    if not slash and not is_glob(host):
        return Pattern(text, None)
    glob = glob_regex(host + slash + path)
    if slash:
        return Pattern(text, lambda host, url: glob.fullmatch(url))
    return Pattern(text, lambda host, url: glob.fullmatch(host))


def read_list(path: str) -> List[Pattern]:
    found = []
    try:
        with open(path, encoding='utf8', errors='surrogateescape') as f:
            for n, text in enumerate(f, 1):
                text = re.sub(r'(^|\s)#.*', '', text, flags=re.S).strip()
                if text:
                    try:
                        found.append(pattern(text))
                    except argparse.ArgumentTypeError as error:
                        raise argparse.ArgumentTypeError('%s:%d: %s' % (path, n, error))
    except OSError as error:
        raise argparse.ArgumentTypeError('%s: %s' % (path, error.strerror))
    return found


class UrlList:
    """Names of hosts cost a step per label, the others one each."""

    def __init__(self, patterns: List[Pattern]):
        self.hosts: Dict[str, str] = {}
        self.others: List[Pattern] = []
        for p in dict.fromkeys(patterns):
            if p.test is None:
                name = domain_name(re.sub('^https?://', '', p.text))
                self.hosts.setdefault(bare_host(name), p.text)
            else:
                self.others.append(p)

    def find(self, host: str, url: str) -> Iterator[str]:
        """All entries that HOST, or URL, which begins with it, is meant by."""
        for name in domains_above(host):
            if name in self.hosts:
                yield self.hosts[name]
        for p in self.others:
            if p.test(host, url):
                yield p.text


def bare_host(authority: str) -> str:
    """Without user and port, as names are compared."""
    host = authority.rpartition('@')[2]
    m = AUTHORITY.fullmatch(host)
    return domain_name((m[1] or m[2] or '') if m else host)


def requested(event: Dict[str, Any]) -> Tuple[str, str]:
    """Host, and host and path, of a request."""
    def text(name):
        value = event.get(name)
        return value[:LOOK_MAX] if isinstance(value, str) else ''
    host, url = text('host'), text('url')
    m = ABSOLUTE.fullmatch(url)
    if m:
        host, url = m[1] or host, m[2]
    elif text('method') == 'CONNECT':
        host, url = url or host, ''
    host = bare_host(host) or text('dst').translate(ASCII_LOWER)
    return host, host + ('' if url.startswith('/') else '/') + url


class Alerter:
    def __init__(self, nodes: Nodes, urls: UrlList, args):
        self.urls = urls
        self.alerts = Alerts(nodes, 'alert_url', args.channel, args.quiet)

    def event(self, text: str) -> None:
        """A request."""
        event = event_of(text)
        host, url = requested(event)
        if not host:
            return
        client, user = event.get('src'), event.get('user')
        who = user if isinstance(user, str) and user else client
        if not isinstance(who, str):
            return
        more = {'client': client, 'url': url}
        more.update((k, event.get(k)) for k in ('user', 'method', 'host', 'status', 'userAgent',
                                                'referer', 'dst', 'probe'))
        for entry in self.urls.find(host, url):
            self.alerts.tell((who, entry), '%s fetched %s' % (one_line(who, 100), one_line(url)),
                             {'list': entry, **more})


def main() -> None:
    p = options(__doc__)
    p.add_argument('pattern', nargs='*', type=pattern, metavar='PATTERN', help='what to look for')
    p.add_argument('--list', type=read_list, action='extend', default=[], metavar='FILE',
                   help='a list of patterns; may repeat')
    p.add_argument('--channel', default='alert.warning', metavar='NAME',
                   help='where to publish (default alert.warning)')
    p.add_argument('--quiet', type=seconds, default=60, metavar='S',
                   help='one alert per client and pattern in S seconds (default 60)')
    args = p.parse_args()
    if not args.pattern and not args.list:
        p.error('nothing to look for; patterns or --list FILE')
    if is_beneath(args.channel, 'http'):
        p.error('--channel %s would be heard as a request' % args.channel)
    nodes = Nodes(args)
    alerter = Alerter(nodes, UrlList(args.pattern + args.list), args)
    events = Events(nodes, ['http'])
    while True:
        got = events.next()
        if got:
            alerter.event(got[1])


if __name__ == '__main__':
    run(main)
