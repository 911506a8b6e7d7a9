#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Follow what happens: the events a probe publishes, or what --publish sent to nodes.

CHANNEL is flow, dns, http, radius, user, alert, ...; a name covers all beneath it (flow is
flow.new and flow.end), all is everything, and a pattern is what it matches (alert.*).

A filter is one condition or several, all of which must hold, by commas:
  field=value  field!=value  field~regex  field!~regex  field>n  field>=n  field<n  field<=n
A field within a field is written with a dot. One that is unknown equals null. Of a list one
member must match. A comma that belongs to a value is written \\, and channel is a field too.

examples:
  watch.py dns                                        every DNS transaction, readable
  watch.py dns --filter 'rcode=NXDOMAIN,qtype=A'      names that do not exist
  watch.py http --filter 'status>=500' --fields src,method,host,url,status
  watch.py flow user 'alert.*' --json > events.json   as JSON lines
  watch.py alert --count 1 --timeout 60               wait for an alert, a minute at most
"""
import argparse
import json
import operator
import re
import time
from datetime import datetime
from typing import Any, Callable, Dict, List, Optional

from mcprobe_common import number, options, positive, run, safe, seconds
from mcprobe_nodes import Events, Nodes

VALUE = 300  # characters of a value in a readable line

# Members of an event that a readable line shows at its head, or not at all.
COMMON = ('v', 'probe', 'ts')
HEAD = COMMON + ('src', 'sport', 'dst', 'dport', 'proto', 'IPV4_SRC_ADDR', 'IPV4_DST_ADDR',
                 'IPV6_SRC_ADDR', 'IPV6_DST_ADDR', 'L4_SRC_PORT', 'L4_DST_PORT', 'PROTOCOL')

COMPARE = {'>': operator.gt, '>=': operator.ge, '<': operator.lt, '<=': operator.le}
CONDITION = re.compile(r'([^=!~<>]+)(!=|!~|>=|<=|=|~|>|<)(.*)', re.S)

Test = Callable[[Any], bool]


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def look(event: Dict[str, Any], field: str) -> Any:
    """The value of FIELD, whose dots are of its name or lead into objects. None: unknown."""
    if field in event:
        return event[field]
    head, dot, rest = field.partition('.')
    inner = event.get(head) if dot else None
    return look(inner, rest) if isinstance(inner, dict) else None


def equal(a: str, b: str) -> bool:
    """As texts, or as numbers: 53 is 53.0."""
    return a == b or (number(a) is not None and number(a) == number(b))


def test_of(sign: str, wanted: str) -> Test:
    """What a value must pass."""
    if sign in ('=', '!='):
        return lambda v: equal(text_of(v), wanted)
    if sign in ('~', '!~'):
        try:
            regex = re.compile(wanted)
        except (re.error, RecursionError, OverflowError) as error:
            raise argparse.ArgumentTypeError('%r: %s' % (wanted, error))
        return lambda v: v is not None and regex.search(text_of(v)) is not None
    limit = number(wanted)
    if limit is None:
        raise argparse.ArgumentTypeError('%s wants a number, not %r' % (sign, wanted))

    def compare(v):
        n = number(text_of(v))
        return n is not None and COMPARE[sign](n, limit)
    return compare


def condition(text: str) -> Test:
    """One of a filter, as a function of an event."""
    m = CONDITION.fullmatch(text)
    if not m:
        raise argparse.ArgumentTypeError(
            '%r is no condition; field=value, field>number, ...' % text)
    field, sign, wanted = m[1].strip(), m[2], m[3]
    test, negate = test_of(sign, wanted), sign.startswith('!')

    def holds(event):
        value = look(event, field)
        if isinstance(value, list) and value:
            return any(map(test, value)) != negate
        return test(value) != negate
    return holds


def conditions(text: str) -> List[Test]:
    """A whole filter."""
    parts = re.findall(r'(?:\\,|[^,])+', text)
    if not parts:
        raise argparse.ArgumentTypeError('an empty filter')
    return [condition(p.replace('\\,', ',')) for p in parts]


def names(text: str) -> List[str]:
    return [f for f in text.split(',') if f]


def no_constant(text: str):
    raise ValueError(text + ' is not JSON')


def parse(text: str) -> Any:
    """The object an event is; anything else stays text."""
    try:
        event = json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return text
    return event if isinstance(event, dict) else text


def clock(event: Dict[str, Any]) -> str:
    """The event's time, or else now."""
    ts = event.get('ts')
    try:
        when = datetime.fromtimestamp(ts)
    except (TypeError, ValueError, OverflowError, OSError):
        when = datetime.now()
    return when.strftime('%H:%M:%S.') + '%03d' % (when.microsecond // 1000)


def end_point(address: Any, port: Any) -> str:
    address = safe(text_of(address))
    if port is None:
        return address
    return ('[%s]:%s' if ':' in address else '%s:%s') % (address, safe(text_of(port)))


def shown(value: Any) -> str:
    text = safe(text_of(value))
    if len(text) > VALUE:
        text = text[:VALUE] + '...'
    if isinstance(value, str) and (not text or re.search(r'[\s"=]', text)):
        return '"%s"' % text.replace('"', '\\"')
    return text


def readable(channel: str, event: Any) -> str:
    """Time, channel, who to whom, and the rest as field=value; what is null is left out."""
    if not isinstance(event, dict):
        return '%s %s %s' % (clock({}), safe(channel), shown(event))
    words = [clock(event), safe(channel)]
    if event.get('src') is not None and event.get('dst') is not None:
        if event.get('proto') is not None:
            words.append(safe(text_of(event['proto'])))
        words += [end_point(event['src'], event.get('sport')), '>',
                  end_point(event['dst'], event.get('dport'))]
        left = HEAD
    else:
        left = COMMON
    words += ['%s=%s' % (safe(k), shown(v)) for k, v in event.items()
              if k not in left and v is not None]
    return ' '.join(words)


def chosen(event: Dict[str, Any], fields: List[str], channel: str) -> Dict[str, Any]:
    """The part of EVENT that --fields wants, by the names it wants them."""
    everything = {'channel': channel, **event}
    found = ((f, look(everything, f)) for f in fields)
    return {f: v for f, v in found if v is not None}


def line(channel: str, event: Any, fields: Optional[List[str]], as_json: bool) -> Optional[str]:
    if fields and isinstance(event, dict):
        event = chosen(event, fields, channel)
        if not as_json:
            return ' '.join('%s=%s' % (safe(k), shown(v)) for k, v in event.items()) or None
    if as_json:
        return json.dumps({'channel': channel, 'data': event})
    return readable(channel, event)


def passes(channel: str, event: Any, tests: List[Test]) -> bool:
    if not isinstance(event, dict):
        event = {}
    return all(test({'channel': channel, **event}) for test in tests)


def render(channel: str, text: str, args) -> Optional[str]:
    """The line to print of an event, None: nothing of it is wanted."""
    try:
        event = parse(text)
        if not passes(channel, event, args.filter):
            return None
        return line(channel, event, args.fields, args.json)
    except RecursionError:  # nested deeper than anybody's event
        return line(channel, text, None, args.json)


def main() -> None:
    p = options(__doc__)
    p.add_argument('channel', nargs='+', metavar='CHANNEL', help='what to follow')
    p.add_argument('--filter', type=conditions, action='extend', default=[], metavar='EXPR',
                   help='only events of which this is true')
    p.add_argument('--fields', type=names, metavar='A,B,C', help='only these fields')
    p.add_argument('--json', action='store_true',
                   help='JSON lines, {"channel":...,"data":{...}}')
    p.add_argument('--count', type=positive, metavar='N', help='end after N events')
    p.add_argument('--timeout', type=seconds, metavar='S', help='end after S seconds')
    args = p.parse_args()
    end = time.monotonic() + args.timeout if args.timeout else None
    events = Events(Nodes(args), args.channel)
    printed = 0
    while printed != args.count:
        got = events.next(None if end is None else max(end - time.monotonic(), 0))
        if got is None:
            return
        out = render(*got, args)
        if out is not None:
            print(out, flush=True)
            printed += 1
        if end is not None and time.monotonic() >= end:
            return


if __name__ == '__main__':
    run(main)
