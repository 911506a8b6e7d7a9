# SPDX-License-Identifier: BSD-3-Clause
"""Probes and nodes as the apps ask them: all at once, answers merged, those that are away
skipped until they are back. A key of the MicroCloud lives on one node, so merging is mostly
a union; the same host seen by two probes asked directly is summed."""
import hashlib
import ipaddress
import queue
import threading
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Optional, Tuple

from mcprobe_common import (PORT, Address, Trouble, glob_regex, is_glob, number, one_line,
                            password, tell)

try:
    import redis
except ImportError:
    redis = None

TIMEOUT = 5        # s, of one answer
RETRY = 1          # s until a node that is away is tried again
CHUNK = 500        # keys asked for at a time
SCAN_MAX = 100000  # keys one search returns at most
QUEUE_MAX = 10000  # events not yet taken; then the node waits, and may cut us off
SAME_S = 30        # the same event from another node is no news for this long
PING_S = 10        # a silent subscription is checked this often

# Trees whose counters of several nodes are summed. Of the others (probe., flow., ...) every
# node tells the same: the first answer counts.
SUMMED = ('ip.', 'mac.', 'vlan.', 'proto.', 'port.', 'dns.', 'http.host.', 'user.')
TEXTS = frozenset(('mac', 'name', 'os', 'user', 'nas', 'session', 'calling', 'called'))

Hash = Dict[str, str]

# What an answer may raise: the network, the server's refusal, and a server that is none.
ERRORS = (redis.RedisError if redis else OSError, OSError, ValueError, TypeError, RecursionError)


def merge(into: Hash, more: Hash) -> None:
    """Add the hash of another node: counters are summed, the earliest firstSeen and the
    latest lastSeen and Max stay, so does the first text."""
    for field, text in more.items():
        have = into.get(field)
        a, b = number(have), number(text)
        if have is None:
            into[field] = text
        elif field in TEXTS or a is None or b is None:
            continue
        elif field == 'firstSeen' or field.startswith(('ip.', 'net.')):
            into[field] = str(min(a, b))
        elif field == 'lastSeen' or field.endswith('Max'):
            into[field] = str(max(a, b))
        else:
            into[field] = str(a + b)


class Node:
    """One server. Its answers, or nothing while it is away."""

    def __init__(self, where: Address, secret: Optional[str], say: Callable[[str], None]):
        common = dict(password=secret, socket_timeout=TIMEOUT, decode_responses=True,
                      encoding_errors='surrogateescape')
        if where.path:
            self.client = redis.Redis(unix_socket_path=where.path, **common)
        else:
            self.client = redis.Redis(host=where.host, port=where.port, socket_keepalive=True,
                                      socket_connect_timeout=TIMEOUT, **common)
        self.where, self.say = where, say
        self.trouble = ''   # why it is away; empty: it is not
        self.retry_at = 0.0

    def call(self, ask: Callable[['redis.Redis'], Any]) -> Any:
        """ASK(client), or None if it did not answer."""
        if self.trouble and time.monotonic() < self.retry_at:
            return None
        began = time.monotonic()
        try:
            answer = ask(self.client)
        except ERRORS as error:
            self.lost(error)
            # One that is silent would hold up the others each time: seldom.
            self.retry_at = time.monotonic() + max(RETRY, 2 * (time.monotonic() - began))
            return None
        self.found()
        return answer

    def lost(self, error: BaseException) -> None:
        if not self.trouble:
            self.trouble = one_line(str(error)) or type(error).__name__
            self.say('%s: %s' % (self.where, self.trouble))

    def found(self) -> None:
        if self.trouble:
            self.trouble = ''
            self.say('%s: answers again' % self.where)


class Nodes:
    """All that --redis names. SAY is told when one goes away or comes back."""

    def __init__(self, args, say: Callable[[str], None] = tell):
        if redis is None:
            raise Trouble('python3-redis is missing: apt install python3-redis')
        secret = password(args.password_file)
        where = list(dict.fromkeys(args.redis or [Address('127.0.0.1', PORT, None)]))
        self.quiet = True
        self.say = say
        self.nodes = [Node(w, secret, self.told) for w in where]
        self.connect()

    def told(self, text: str) -> None:
        if not self.quiet:
            self.say(text)

    def connect(self) -> None:
        """Some node must answer at the start."""
        if not any(self.each(lambda c: c.ping())):
            raise Trouble('no answer: ' + '; '.join(
                '%s: %s' % (n.where, n.trouble) for n in self.nodes))
        self.quiet = False
        for n in self.nodes:
            if n.trouble:
                self.say('%s: %s' % (n.where, n.trouble))

    def each(self, ask: Callable[['redis.Redis'], Any]) -> List[Any]:
        """The answers of those that are there."""
        return [a for a in (n.call(ask) for n in self.nodes) if a is not None]

    def there(self) -> FrozenSet[Address]:
        """Who answered last. Sums are comparable only between equal sets."""
        return frozenset(n.where for n in self.nodes if not n.trouble)

    def away(self) -> List[str]:
        return ['%s: %s' % (n.where, n.trouble) for n in self.nodes if n.trouble]

    def scan(self, pattern: str, limit: int = SCAN_MAX) -> List[str]:
        """Keys of PATTERN, in order; LIMIT at most. Never KEYS: a node serves others."""
        found = set()

        def ask(client):
            cursor = 0
            for _ in range(limit):  # a cursor that never ends is no node's
                cursor, keys = client.scan(cursor, match=pattern, count=1000)
                found.update(keys)
                if cursor == 0 or len(found) >= limit:
                    break
            return True
        self.each(ask)
        return sorted(found)[:limit]

    def hashes(self, keys: Iterable[str], fields: Iterable[str] = ()) -> Dict[str, Hash]:
        """Hashes by key, of all FIELDS or these. Absent keys, those of another type and
        absent fields are not in the answer."""
        keys, fields = list(keys), list(fields)
        merged: Dict[str, Hash] = {}

        def ask(client):
            for i in range(0, len(keys), CHUNK):
                chunk = keys[i:i + CHUNK]
                for key, answer in zip(chunk, ask_hashes(client, chunk, fields)):
                    if not answer:
                        continue
                    if key not in merged:
                        merged[key] = answer
                    elif key.startswith(SUMMED):
                        merge(merged[key], answer)
            return True
        self.each(ask)
        return merged

    def strings(self, keys: Iterable[str]) -> Dict[str, str]:
        """Strings by key. Absent keys and those of another type are not in the answer."""
        keys = list(keys)
        found: Dict[str, str] = {}

        def ask(client):
            for i in range(0, len(keys), CHUNK):
                pipe = client.pipeline(transaction=False)
                for key in keys[i:i + CHUNK]:
                    pipe.get(key)
                for key, text in zip(keys[i:], pipe.execute(raise_on_error=False)):
                    if isinstance(text, str):
                        found.setdefault(key, text)
            return True
        self.each(ask)
        return found

    def publish(self, channel: str, text: str) -> bool:
        """Tell all nodes. Did any take it?"""
        return bool(self.each(lambda c: (c.publish(channel, text),)))


def ask_hashes(client, keys: List[str], fields: List[str]) -> List[Hash]:
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.hmget(key, fields) if fields else pipe.hgetall(key)
    answers = []
    for answer in pipe.execute(raise_on_error=False):
        if isinstance(answer, Exception):  # of another type
            answer = {}
        elif fields:
            answer = {f: v for f, v in zip(fields, answer) if v is not None}
        answers.append(answer)
    return answers


ALL_LENGTHS = range(127, 0, -1)


def look_ups(address, lengths: Iterable[int] = ALL_LENGTHS) -> List[str]:
    """The keys that may tell its user, the smallest network first."""
    keys = ['user.ip.%s' % address]
    if address.version == 6:
        keys += ['user.net.%s' % ipaddress.ip_network((address, length), strict=False)
                 for length in lengths]
    return keys


def users(nodes: Nodes, addresses: List,
          lengths: Iterable[int] = ALL_LENGTHS) -> Dict[Any, Tuple[str, str]]:
    """Of each address that has one: what the user's hash calls it, the user. Networks of these
    LENGTHS of prefixes are looked for."""
    keys = {a: look_ups(a, lengths) for a in addresses}
    texts = nodes.strings(dict.fromkeys(k for found in keys.values() for k in found))
    answer = {}
    for a, tried in keys.items():
        for key in tried:
            if key in texts:
                answer[a] = key[len('user.'):], texts[key]
                break
    return answer


class Once:
    """The same event from several nodes is one; twice from one node it is two."""

    def __init__(self):
        self.seen: 'OrderedDict[bytes, Tuple[float, Dict[int, int]]]' = OrderedDict()

    def fresh(self, node: int, channel: str, text: str) -> bool:
        now = time.monotonic()
        while self.seen and (len(self.seen) > QUEUE_MAX
                             or next(iter(self.seen.values()))[0] < now - SAME_S):
            self.seen.popitem(last=False)
        key = hashlib.blake2b((channel + '\0' + text).encode('utf8', 'surrogatepass'),
                              digest_size=16).digest()
        times = self.seen.setdefault(key, (now, {}))[1]
        told = max(times.values(), default=0)
        times[node] = times.get(node, 0) + 1
        return times[node] > told


class Subscription:
    """What names of channels mean: a name covers all beneath it, "all" everything, a
    pattern what it matches."""

    def __init__(self, names: Iterable[str]):
        self.channels: List[str] = []
        self.patterns: List[str] = []
        for name in names:
            if name == 'all':
                self.patterns.append('*')
            elif is_glob(name):
                self.patterns.append(name)
            else:
                self.channels.append(name)
                self.patterns.append(name.replace('\\', '\\\\') + '.*')
        self.regex = [(p, glob_regex(p)) for p in dict.fromkeys(self.patterns)]

    def first(self, channel: str, pattern: Optional[str]) -> bool:
        """A server sends a message once for each subscription that matches: is this the
        first of them?"""
        if channel in self.channels:
            return pattern is None
        return pattern == next((p for p, r in self.regex if r.fullmatch(channel)), pattern)


class Events:
    """What is published on the channels NAMES, at all nodes, each event once. A thread per
    node listens, and subscribes anew where the connection broke."""

    def __init__(self, nodes: Nodes, names: Iterable[str]):
        self.subscription = Subscription(names)
        self.queue: 'queue.Queue[Tuple[int, str, str]]' = queue.Queue(QUEUE_MAX)
        self.once = Once() if len(nodes.nodes) > 1 else None
        for i, node in enumerate(nodes.nodes):
            threading.Thread(target=self.listen, args=(i, node), daemon=True).start()

    def next(self, timeout: Optional[float] = None) -> Optional[Tuple[str, str]]:
        """Channel and text of the next event; None after TIMEOUT seconds without."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                node, channel, text = self.queue.get(
                    timeout=None if end is None else max(end - time.monotonic(), 0))
            except queue.Empty:
                return None
            if self.once is None or self.once.fresh(node, channel, text):
                return channel, text

    def listen(self, i: int, node: Node) -> None:
        while True:
            try:
                self.follow(i, node)
            except ERRORS as error:
                node.lost(error)
            time.sleep(RETRY)

    def follow(self, i: int, node: Node) -> None:
        """Until an error ends it."""
        pubsub = node.client.pubsub()
        checked = time.monotonic()
        try:
            if self.subscription.channels:
                pubsub.subscribe(*self.subscription.channels)
            pubsub.psubscribe(*self.subscription.patterns)
            while True:
                message = pubsub.get_message(timeout=1)
                if message is None:
                    if time.monotonic() - checked > PING_S:
                        node.client.ping()  # on another connection: is it still there?
                        checked = time.monotonic()
                    continue
                node.found()
                if message['type'] in ('message', 'pmessage') and self.subscription.first(
                        message['channel'], message['pattern']):
                    self.queue.put((i, message['channel'], message['data']))
        finally:
            pubsub.close()
