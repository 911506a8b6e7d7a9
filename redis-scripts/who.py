#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whose an address is, or with --user what addresses a user has. Asks probes and nodes.

An address is its user's by the key user.ip.<address>, else by the smallest network
user.net.<prefix>/<length> around it, as RADIUS gave them out. A line per address (with
--user per address of the user, or one without any): address, user, since when, session,
NAS, station, and the bytes the address sent and received of late. An address nobody has has
a dash. "leaving" says that the session is over and the user will soon be forgotten. Session,
NAS and station are those of the user's latest session.

examples:
  who.py 10.0.0.5 2001:db8:1:2::3
  who.py --user alice@example.org
  who.py --json 10.0.0.5
"""
import argparse
import ipaddress
import json
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple

from mcprobe_common import clip, number, human, options, pad, run, safe, text_width, user_key
from mcprobe_nodes import Hash, Nodes, users

COLUMN = 46  # of a value at most
HEADS = ('address', 'user', 'since', 'session', 'nas', 'calling', 'sent', 'received', '')


def host(text: str):
    """An argument."""
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError('%r is no address' % text)
    if '%' in text:
        raise argparse.ArgumentTypeError('%r has a zone; no key has' % text)
    return (found.version == 6 and found.ipv4_mapped) or found


def user_name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError('an empty name')
    return text


def held(fields: Hash) -> List[str]:
    """The addresses and networks of a user's hash, by the names of their fields."""
    return sorted(f for f in fields if f.startswith(('ip.', 'net.')))


def leaving(nodes: Nodes, keys: List[str]) -> Dict[str, int]:
    """Seconds until they are forgotten, of those of KEYS that are no longer persistent."""
    found: Dict[str, int] = {}

    def ask(client):
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.ttl(key)
        for key, ttl in zip(keys, pipe.execute(raise_on_error=False)):
            if isinstance(ttl, int) and ttl != -2:  # it is there
                found.setdefault(key, ttl)
        return True
    nodes.each(ask)
    return {key: ttl for key, ttl in found.items() if ttl >= 0}


def details(nodes: Nodes, found: List[Tuple[str, Optional[str], str]]) -> Iterator[Dict[str, Any]]:
    """What is known of each: address, user, field of the user's hash."""
    keys = {user: user_key(user) for _, user, _ in found if user is not None}
    hashes = nodes.hashes(dict.fromkeys(keys.values()))
    ends = leaving(nodes, [*hashes, *('user.' + field for _, _, field in found if field)])
    counters = nodes.hashes({'ip.' + a for a, _, _ in found}, ('bytesSent', 'bytesRcvd'))
    for address, user, field in found:
        one = {'address': address or None, 'user': user}
        if user is not None:
            key = keys[user]
            fields = hashes.get(key, {})
            one['network'] = field[4:] if field.startswith('net.') else None
            one['since'] = number(fields.get(field))
            one.update((k, fields.get(k)) for k in ('session', 'nas', 'calling'))
            one['leavingSeconds'] = ends.get('user.' + field, ends.get(key))
        one.update((k, number(v)) for k, v in counters.get('ip.' + address, {}).items())
        yield {k: v for k, v in one.items() if v is not None or k == 'user'}


def of_addresses(nodes: Nodes, addresses: List) -> Iterator[Dict[str, Any]]:
    found = users(nodes, addresses)
    return details(nodes, [(str(a), found[a][1], found[a][0]) if a in found else (str(a), None, '')
                           for a in addresses])


def of_user(nodes: Nodes, user: str) -> Iterator[Dict[str, Any]]:
    """A user's addresses; of one with a hash but without any, what is known besides."""
    fields = nodes.hashes([user_key(user)]).get(user_key(user))
    if fields is None:
        return iter(())
    return details(nodes, [(f.partition('.')[2], user, f) for f in held(fields)]
                   or [('', user, '')])


def when(since: Optional[float]) -> str:
    try:
        return '' if since is None else time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(since))
    except (ValueError, OverflowError, OSError):
        return str(since)


def cells(one: Dict[str, Any]) -> List[str]:
    text = [one.get('address', '-'), '-' if one['user'] is None else one['user'],
            when(one.get('since'))]
    text += [one.get(k, '') for k in ('session', 'nas', 'calling')]
    text += [human(one[k]) if k in one else '' for k in ('bytesSent', 'bytesRcvd')]
    text.append('leaving' if 'leavingSeconds' in one else '')
    return [clip(safe(t), COLUMN) for t in text]


def lines(rows: List[Dict[str, Any]]) -> List[str]:
    """A table; columns nobody has anything in are left out."""
    table = [list(HEADS)] + [cells(r) for r in rows]
    columns = [i for i in range(len(HEADS)) if i < 2 or any(line[i] for line in table[1:])]
    wide = {i: max(text_width(line[i]) for line in table) for i in columns}
    return ['  '.join(pad(line[i], wide[i], right=i in (6, 7)) for i in columns).rstrip()
            for line in table]


def main() -> None:
    p = options(__doc__)
    p.add_argument('address', nargs='*', type=host, metavar='ADDR', help='whose it is')
    p.add_argument('--user', action='append', type=user_name, default=[], metavar='NAME',
                   help='what this user has; may repeat')
    p.add_argument('--json', action='store_true', help='JSON lines')
    args = p.parse_args()
    if not args.address and not args.user:
        p.error('no address and no --user NAME')
    nodes = Nodes(args)
    rows: List[Dict[str, Any]] = list(of_addresses(nodes, args.address)) if args.address else []
    for user in args.user:
        rows += list(of_user(nodes, user)) or [{'user': user, 'known': False}]
    if args.json:
        for r in rows:
            print(json.dumps({'v': 1, **r}))
        return
    for r in rows:
        if 'known' in r:
            print('no user %s' % safe(r['user']))
    rows = [r for r in rows if 'known' not in r]
    if rows:
        print('\n'.join(lines(rows)))


if __name__ == '__main__':
    run(main)
