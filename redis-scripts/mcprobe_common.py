# SPDX-License-Identifier: BSD-3-Clause
"""What all apps of this folder share: options, the end, text that is safe to print, units.
Needs nothing but Python; what talks to Redis is in mcprobe_nodes.py."""
import argparse
import math
import os
import re
import signal
import string
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

PORT = 6380     # of a probe; a node's is usually 6379
KEY_PART = 200  # bytes of a name from the wire in a key at most

ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Trouble(Exception):
    """Trouble to be expected. Its text is the one line the user sees; exit status 1."""


@dataclass(frozen=True)
class Address:
    """Of a node or a probe."""
    host: str
    port: int
    path: Optional[str]  # of a unix socket; the others do not count then

    def __str__(self):
        if self.path:
            return 'unix:' + safe(self.path)
        return ('[%s]:%d' if ':' in self.host else '%s:%d') % (safe(self.host), self.port)


def address(text: str) -> Address:
    """HOST:PORT, HOST, [IPV6]:PORT or unix:PATH."""
    if text.startswith('unix:'):
        if len(text) == 5:
            raise argparse.ArgumentTypeError('unix: wants the path of a socket')
        return Address('', 0, text[5:])
    m = re.fullmatch(r'(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:\[\]\s]+))(?::([0-9]{1,5}))?', text)
    port = int(m[3] or PORT) if m else 0
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(
            '%r is no address; HOST:PORT, [IPV6]:PORT or unix:PATH' % text)
    return Address(m[1] or m[2], port, None)


def addresses(text: str) -> List[Address]:
    return [address(part) for part in text.split(',') if part]


def positive(text: str) -> int:
    """Type of options that count."""
    if not re.fullmatch(r'[0-9]{1,9}', text) or int(text) == 0:
        raise argparse.ArgumentTypeError('%r is no number above 0' % text)
    return int(text)


def seconds(text: str) -> float:
    """Type of options that are a time."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 86400 * 366:
        raise argparse.ArgumentTypeError('%r is no time in seconds' % text)
    return value


def options(doc: str) -> argparse.ArgumentParser:
    """A parser with what all apps know. DOC, the app's docstring, is its help: the first
    paragraph above the options, the rest below."""
    head, _, rest = doc.partition('\n\n')
    p = argparse.ArgumentParser(description=head, epilog=rest, allow_abbrev=False,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--redis', type=addresses, action='extend', metavar='ADDRESS,...',
                   help='probes or nodes to ask, HOST:PORT or unix:PATH; may repeat, the answers '
                   'are merged (default 127.0.0.1:%d)' % PORT)
    p.add_argument('--password-file', metavar='FILE', help='password: the first line of FILE')
    return p


def password(path: Optional[str]) -> Optional[str]:
    """The first line of the file, None without one."""
    if path is None:
        return None
    try:
        with open(path, encoding='utf8', errors='surrogateescape') as f:
            return f.readline(4096).rstrip('\r\n')
    except OSError as error:
        raise Trouble('%s: %s' % (safe(path), error.strerror))


def program() -> str:
    return Path(sys.argv[0]).name


def tell(text: str) -> None:
    """A line to the user, apart from the output."""
    print('%s: %s' % (program(), text), file=sys.stderr, flush=True)


def run(main: Callable[[], None]) -> None:
    """Run an app. Ctrl-C, SIGTERM and a reader that had enough (| head) are a good end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.reconfigure(errors='backslashreplace')
    status = 0
    try:
        main()
        if sys.stdout:
            sys.stdout.flush()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except BrokenPipeError:
        pass
    except Trouble as trouble:
        tell(str(trouble))
        status = 1
    except OSError as error:
        tell(one_line(str(error)))
        status = 1
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:  # what could not be written is not tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


# Text

def escape(c: str) -> str:
    n = ord(c)
    if 0xdc80 <= n <= 0xdcff:  # a byte that was not UTF-8
        n -= 0xdc00
    return '\\x%02x' % n if n < 256 else '\\u%04x' % n if n < 65536 else '\\U%08x' % n


def safe(text: str) -> str:
    """TEXT from the wire, fit for a terminal: what is not to be seen, or turns the
    direction of writing, or drives the terminal, becomes \\xNN or \\uNNNN."""
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else escape(c) for c in text)


def one_line(text: str, limit: int = 300) -> str:
    return safe(' '.join(text.split()))[:limit]


def width(c: str) -> int:
    """Columns of a character on a terminal."""
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in 'WF' else 1


def text_width(text: str) -> int:
    return sum(map(width, text))


def clip(text: str, columns: int) -> str:
    """TEXT cut to COLUMNS of a terminal; a cut one ends in +."""
    if text_width(text) <= columns:
        return text
    left = columns - 1
    for i, c in enumerate(text):
        left -= width(c)
        if left < 0:
            return text[:i] + '+'
    return text


def pad(text: str, columns: int, right: bool = False) -> str:
    blanks = ' ' * (columns - text_width(text))
    return blanks + text if right else text + blanks


def human(n: Optional[float]) -> str:
    """1234567 is 1.23M; None is a dash."""
    if n is None:
        return '-'
    for unit in ('', 'k', 'M', 'G', 'T', 'P'):
        if abs(n) < 999.5 or unit == 'P':
            break
        n /= 1000
    if not unit:
        return '%d' % round(n)
    return ('%.2f%s' if abs(n) < 9.995 else '%.1f%s' if abs(n) < 99.95 else '%.0f%s') % (n, unit)


def number(text: Optional[str]) -> Optional[float]:
    """An int where TEXT is one, else a finite float, else None. Never more than a value of
    Redis can be."""
    if text is None or len(text) > 40:
        return None
    if re.fullmatch(r'-?[0-9]+', text):
        return int(text)
    if not re.fullmatch(r'-?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?', text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def is_glob(text: str) -> bool:
    return any(c in text for c in '*?[')


def char_class(glob: str, i: int) -> Tuple[str, int]:
    """The set that begins at GLOB[I], after its bracket, and where it ends. As Redis reads
    it: the end of the pattern ends it, and a range may run backwards."""
    invert = glob.startswith('^', i)
    i += invert
    parts = []
    while i < len(glob) and glob[i] != ']':
        if glob[i] == '\\' and i + 1 < len(glob):
            i += 1
            parts.append(re.escape(glob[i]))
        elif glob.startswith('-', i + 1) and i + 2 < len(glob):
            low, high = sorted((glob[i], glob[i + 2]))
            parts.append('%s-%s' % (re.escape(low), re.escape(high)))
            i += 2
        else:
            parts.append(re.escape(glob[i]))
        i += 1
    if not parts:
        return '.' if invert else '(?!)', i + 1
    return '[%s%s]' % ('^' * invert, ''.join(parts)), i + 1


def glob_parts(glob: str) -> List[List[str]]:
    """What stands between the stars of a pattern of Redis: regular expressions, each of one
    character."""
    parts: List[List[str]] = [[]]
    i = 0
    while i < len(glob):
        c = glob[i]
        i += 1
        if c == '[':
            chars, i = char_class(glob, i)
            parts[-1].append(chars)
        elif c == '*':
            parts.append([])
        elif c == '?':
            parts[-1].append('.')
        else:
            if c == '\\' and i < len(glob):
                c = glob[i]
                i += 1
            parts[-1].append(re.escape(c))
    return parts


def glob_regex(glob: str) -> 're.Pattern[str]':
    """A pattern of Redis as a regular expression to be fullmatch()ed. What stands between two
    stars is taken where it is found first (a look-ahead is not tried again), so a text from
    the wire costs its length for each star, not to the power of them."""
    parts = [''.join(p) for p in glob_parts(glob)]
    out = parts[0]
    for i, part in enumerate(filter(None, parts[1:-1])):
        out += '(?=(?P<p%d>.*?%s))(?P=p%d)' % (i, part, i)
    if len(parts) > 1:
        out += '.*' + parts[-1]
    return re.compile(out, re.S)


# Names

def key_part(name: str) -> str:
    """A name from the wire as keys have it: '%', the characters of patterns, blanks, control
    characters and what is not UTF-8 as %XX; cut at KEY_PART bytes."""
    out, left = [], KEY_PART
    for c in name:
        n = ord(c)
        if 0xdc80 <= n <= 0xdcff:  # a byte that was not UTF-8
            raw = bytes([n - 0xdc00])
        else:
            raw = c.encode('utf8', 'surrogatepass')
        if n >= 0xa0 and not 0xd800 <= n <= 0xdfff or 0x20 < n < 0x7f and c not in '%*?[]\\':
            pieces = [(c, len(raw))]
        else:
            pieces = [('%%%02X' % b, 3) for b in raw]
        for text, size in pieces:
            if size > left:
                return ''.join(out)
            out.append(text)
            left -= size
    return ''.join(out)


def user_key(name: str) -> str:
    """The key of a user. One who calls himself ip.10.0.0.1 does not get at user.ip.10.0.0.1:
    that dot is encoded."""
    part = key_part(name)
    if part.startswith(('ip.', 'net.')):
        part = part.replace('.', '%2E', 1)
    return 'user.' + part


def domain_name(text: str) -> str:
    """A name of the DNS as it is compared: lower case, no dot at its end; the root is ''."""
    text = text.translate(ASCII_LOWER)
    return text[:-1] if text.endswith('.') else text


def domains_above(name: str) -> Iterator[str]:
    """NAME, as domain_name() has it, and the domains it is beneath, down to the root."""
    while name:
        yield name
        name = name.partition('.')[2]
    yield ''
