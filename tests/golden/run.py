#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""run.py -- captures of the generator, through the probe, compared with committed text:
one record per line, its fields in alphabetical order, then the exit summary.

usage: run.py [--probe PATH] [--update] [NAME ...]

--update writes the expected files anew: read the difference before it is committed.
"""
import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))

# Nothing here depends on nDPI's version, on the machine or on the time.
KEY = ('%IP_PROTOCOL_VERSION %PROTOCOL %IPV4_SRC_ADDR %IPV4_DST_ADDR %IPV6_SRC_ADDR %IPV6_DST_ADDR '
       '%L4_SRC_PORT %L4_DST_PORT %SRC_VLAN ')
COUNTS = ('%IN_PKTS %IN_BYTES %OUT_PKTS %OUT_BYTES %FLOW_START_MICROSECONDS %FLOW_END_MICROSECONDS '
          '%FLOW_END_REASON ')
DETAIL = ('%TCP_FLAGS %CLIENT_TCP_FLAGS %SERVER_TCP_FLAGS %SRC_TOS %DST_TOS %MIN_TTL %MAX_TTL '
          '%MIN_IP_PKT_LEN %MAX_IP_PKT_LEN %ICMP_TYPE %IN_SRC_MAC %OUT_DST_MAC %SRC_FRAGMENTS '
          '%DST_FRAGMENTS %TCP_WIN_MAX_IN %TCP_WIN_MAX_OUT %RETRANSMITTED_IN_PKTS '
          '%RETRANSMITTED_OUT_PKTS %OOORDER_IN_PKTS %OOORDER_OUT_PKTS %CLIENT_NW_LATENCY_MS '
          '%SERVER_NW_LATENCY_MS %APPL_LATENCY_MS ')
TUNNEL = '%UNTUNNELED_PROTOCOL %UNTUNNELED_IPV4_SRC_ADDR %UNTUNNELED_IPV4_DST_ADDR '

# name: (scenes, template, options)
CASES = {
    'plain': ('all', KEY + COUNTS, []),
    'detail': ('http,ssh,icmp,vlan,frag,retrans,rst,scan', KEY + COUNTS + DETAIL, []),
    'tunnel': ('tunnel', KEY + COUNTS + TUNNEL, ['--tunnel']),
    'outer': ('tunnel', KEY + COUNTS, []),
    'hosts': ('all', KEY + COUNTS, ['-p', '0/0/1/0/0']),
    'uni': ('dns,http', KEY + '%IN_PKTS %IN_BYTES %FLOW_START_MICROSECONDS %FLOW_END_MICROSECONDS '
            '%TCP_FLAGS %FLOW_END_REASON', ['-N', 'uni']),
    'timeouts': ('ssh,radius,long', KEY + COUNTS, ['-t', '7', '-d', '3']),
    'crowded': ('scan,dns', KEY + COUNTS, ['-M', '16']),
    'ids': ('ntp', KEY + COUNTS, ['--json-labels', 'ids']),
}


def actual(probe, name, folder):
    what, template, options = CASES[name]
    capture = os.path.join(folder, name + '.pcap')
    subprocess.run([sys.executable, os.path.join(REPO, 'tests', 'gen', 'traffic.py'), '-o', capture,
                    '--what', what], check=True)
    p = subprocess.run([probe, '-i', capture, '--no-dpi', '--json', '-', '-T', template, *options],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    err = p.stderr.decode('utf8', 'replace')
    if p.returncode:
        sys.exit('%s: status %d: %s' % (name, p.returncode, err[-1000:]))
    lines = [json.dumps(json.loads(line), sort_keys=True) for line in p.stdout.decode().splitlines()]
    # How often threads waited for each other is not part of the answer.
    summary = [' '.join(line.split()) for line in err.split('mcprobe: summary\n')[1].splitlines()]
    return lines + ['-- summary'] + [s for s in summary if not s.startswith('ring_')]


def compare(probe, name, update=False):
    """The difference as lines, none if there is none."""
    path = os.path.join(HERE, name + '.txt')
    with tempfile.TemporaryDirectory() as folder:
        lines = actual(probe, name, folder)
    if update:
        with open(path, 'w') as out:
            out.write('\n'.join(lines) + '\n')
        return []
    with open(path) as f:
        want = f.read().splitlines()
    return list(difflib.unified_diff(want, lines, name + '.txt', 'the probe', lineterm='', n=1))


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--probe', default=os.environ.get('MCPROBE', os.path.join(REPO, 'mcprobe')))
    p.add_argument('--update', action='store_true')
    p.add_argument('names', nargs='*')
    a = p.parse_args()
    bad = 0
    for name in a.names or CASES:
        diff = compare(a.probe, name, a.update)
        if diff:
            bad += 1
            print('\n'.join(diff[:60]))
    print('%d of %d differ' % (bad, len(a.names or CASES)))
    sys.exit(bad > 0)


if __name__ == '__main__':
    main()
