# SPDX-License-Identifier: BSD-3-Clause
"""What the apps that tell of something share: lists of hosts, and alerts that are published
and printed, each once in a while."""
import argparse
import ipaddress
import json
import time
from collections import OrderedDict
from typing import Any, Dict, Hashable, List, Optional, Tuple

from mcprobe_nodes import Nodes

ENUMERATE = 1024  # addresses asked for by name; larger networks are searched for
TOLD_MAX = 100000  # remembered at once
TEXT_MAX = 300    # characters of what an alert repeats


def network(text: str):
    """A host of the list."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise argparse.ArgumentTypeError('%r is no address and no network' % text)


class HostList:
    """Which addresses are meant. A look-up costs one step per prefix length in use."""

    def __init__(self, networks: List):
        self.networks = list(dict.fromkeys(networks))
        self.by_length: Dict[Tuple[int, int], Dict[int, str]] = {}  # version, host bits
        for n in self.networks:
            bits = n.max_prefixlen - n.prefixlen
            self.by_length.setdefault((n.version, bits), {})[
                int(n.network_address) >> bits] = str(n if bits else n.network_address)

    def find(self, text: Any) -> Optional[Tuple[str, str]]:
        """The address as keys have it, and its entry of the list. None: not meant."""
        try:
            address = ipaddress.ip_address(text if isinstance(text, str) else '')
        except ValueError:
            return None
        for (version, bits), entries in self.by_length.items():
            if version == address.version and int(address) >> bits in entries:
                return str(address), entries[int(address) >> bits]
        return None

    def keys(self, nodes: Nodes) -> List[str]:
        """Keys of the addresses meant that are or may be there."""
        if sum(n.num_addresses for n in self.networks) <= ENUMERATE:
            return list(dict.fromkeys('ip.%s' % a for n in self.networks for a in n))
        # One search for all: a node walks through every key it has, whatever is looked for.
        return [k for k in nodes.scan('ip.*') if self.find(k[3:])]


class Quiet:
    """What was told of lately. A span of 0: nothing ever was."""

    def __init__(self, span: float):
        self.span = span
        self.told: 'OrderedDict[Hashable, float]' = OrderedDict()

    def is_due(self, what: Hashable) -> bool:
        now = time.monotonic()
        while self.told and next(iter(self.told.values())) <= now - self.span:
            self.told.popitem(last=False)
        return what not in self.told

    def tell(self, what: Hashable) -> None:
        self.told[what] = time.monotonic()
        if len(self.told) > TOLD_MAX:
            self.told.popitem(last=False)


def is_beneath(channel: str, followed: str) -> bool:
    """Would an app that follows FOLLOWED hear what it publishes on CHANNEL itself?"""
    return (channel + '.').startswith(followed + '.')


def event_of(text: str) -> Dict[str, Any]:
    """The object an event is; empty if it is none."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


class Alerts:
    """Published on CHANNEL at all nodes, and printed as a JSON object on a line."""

    def __init__(self, nodes: Nodes, program: str, channel: str, quiet: float):
        self.nodes, self.program, self.channel = nodes, program, channel
        self.quiet = Quiet(quiet)

    def tell(self, what: Hashable, text: str, more: Dict[str, Any]) -> bool:
        """Unless WHAT was told of lately. Of MORE, from the wire, texts are cut, and what is
        neither text nor a usual number, or empty, is left out. False: nobody took it."""
        if not self.quiet.is_due(what):
            return True
        event = {'v': 1, 'ts': round(time.time(), 6), 'program': self.program, 'text': text}
        for name, value in more.items():
            if isinstance(value, str) and value:
                event[name] = value[:TEXT_MAX]
            elif type(value) is int and abs(value) < 1 << 53:
                event[name] = value
        if not self.nodes.publish(self.channel, json.dumps(event)):
            return False
        self.quiet.tell(what)
        print(json.dumps({'channel': self.channel, 'data': event}), flush=True)
        return True
