# SPDX-License-Identifier: BSD-3-Clause
"""What tshark says of a capture: DNS and HTTP transactions and the octets of each host,
as an independent judge of what the probe says."""
import shutil
import subprocess
from collections import defaultdict, deque, namedtuple

Query = namedtuple('Query', 'proto client cport server sport ident name kind rcode latency')
Request = namedtuple('Request', 'client cport server sport method host url status latency')


def why_not():
    """None, or the reason why it cannot be asked."""
    return None if shutil.which('tshark') else 'needs tshark'


def fields(capture, names, *options):
    """A list of values per packet and name: a field may stand several times in a packet."""
    argv = ['tshark', '-n', '-r', str(capture), '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a',
            '-E', 'aggregator=\x1e', *options]
    for name in names:
        argv += ['-e', name]
    out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120).stdout
    for line in out.decode('utf8', 'replace').split('\n'):
        if line:
            yield [value.split('\x1e') if value else [] for value in line.split('\t')]


def ends(v):
    """Innermost addresses and ports of a row that begins with ENDS."""
    six = [p for p in v[8][0].split(':') if p in ('ip', 'ipv6')][-1] == 'ipv6'
    src, dst = v[2 * six][-1], v[2 * six + 1][-1]
    ports = v[4:6] if v[4] else v[6:8]
    return (src, int(ports[0][-1])), (dst, int(ports[1][-1]))


ENDS = ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'tcp.srcport', 'tcp.dstport', 'udp.srcport', 'udp.dstport',
        'frame.protocols']


def dns(capture):
    """Every transaction of port 53, an unanswered one and an answer never asked for (CLIENT as if it had
    been) included; LATENCY in seconds, None where there is no pair."""
    names = ENDS + ['frame.time_epoch', 'dns.id', 'dns.flags.response', 'dns.qry.name', 'dns.qry.type', 'dns.flags.rcode']
    done, waiting = [], {}
    for v in fields(capture, names, '-Y', 'dns && !mdns && !llmnr && !icmp && !icmpv6'):
        (a, b), proto = ends(v), 'tcp' if v[4] else 'udp'
        for n, ident in enumerate(v[10]):  # several in a segment
            response = v[11][n] in ('1', 'True')
            name, kind = (v[12] + [''])[n].lower(), int((v[13] + ['0'])[n])
            end = (b, a) if response else (a, b)
            key = (proto, *end[0], *end[1], int(ident, 0), name, kind)
            if not response:
                waiting.setdefault(key, float(v[9][0]))  # asked again: the same transaction
                continue
            asked = waiting.pop(key, None)
            rcode = int(v[14][sum(r in ('1', 'True') for r in v[11][:n])])
            done.append(Query(*key, rcode, asked and float(v[9][0]) - asked))
    return done + [Query(*key, None, None) for key in waiting]


def http(capture):
    """Every request and response, in order of the requests. LATENCY is from the last segment of the request to
    the first of the response, which tshark names where it has put segments together."""
    times = [float(v[0][0]) for v in fields(capture, ['frame.time_epoch'])]
    names = ENDS + ['frame.number', 'http.request.method', 'http.host', 'http.request.uri', 'http.response.code',
                    'tcp.segment']
    done, waiting = [], defaultdict(deque)
    for v in fields(capture, names, '-o', 'tcp.reassemble_out_of_order:TRUE', '-Y',
                    'http && (http.request.method || http.response.code)'):
        (a, b), last = ends(v), int(v[9][0])
        first = int(v[14][0]) if v[14] else last
        for n, method in enumerate(v[10]):
            row = [*a, *b, method, *[(x + [''] * 99)[n] for x in v[11:13]], None, None]
            done.append(row)
            waiting[a, b].append((row, times[last - 1]))
        for status in v[13]:
            if status.startswith('1') and status != '101':
                continue
            if waiting[b, a]:
                row, asked = waiting[b, a].popleft()
                row[7:] = int(status), max(0, times[first - 1] - asked)
            else:
                done.append([*b, *a, None, '', '', int(status), None])
            first = last  # what ends in this segment, but does not come first, begins here
    return [Request(*row) for row in done]


def hosts(capture):
    """{address: [octets sent, received, packets sent, received]} of the outermost IP headers, which have a next
    header the probe counts; octets as IP says."""
    out = defaultdict(lambda: [0, 0, 0, 0])
    for v in fields(capture, ['ip.src', 'ip.dst', 'ip.len', 'ipv6.src', 'ipv6.dst', 'ipv6.plen'], '-Y', 'ip || ipv6'):
        six = not v[0]
        src, dst, octets = (v[3], v[4], 40 + int(v[5][0])) if six else (v[0], v[1], int(v[2][0]))
        out[src[0]][0] += octets
        out[src[0]][2] += 1
        out[dst[0]][1] += octets
        out[dst[0]][3] += 1
    return dict(out)
