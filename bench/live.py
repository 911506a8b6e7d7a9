#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""live.py -- how many packets a second the probe takes from an interface without loss.

usage: live.py [--mcprobe FILE] [--tools DIR] [--out DIR] [--packets N]

Two network namespaces of its own, joined by a veth pair; tcpreplay sends the workload mix
on one core, the probe sees it on the other, with nDPI, plugins and key tree. Each step is
faster than the one before, the last is as fast as tcpreplay can. Lost is what the kernel
says it dropped (kernel_drops in the probe's summary) and whatever the probe has not seen
of what was sent. Needs root and tcpreplay.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import common

sys.path.insert(0, os.path.join(common.HERE, '..', 'tests', 'e2e'))
import netns  # noqa: E402

STEPS = (50, 100, 150, 200, 250, 300, 400, 500, None)  # kpps; None: --topspeed
SECONDS = 4  # of each step, about
GOAL = 250  # kpps, or what the generator can
PACKETS = 400000  # in the file that is sent again and again
EXACT = 0.97  # of a step's rate is that rate
STARVED = 100  # kpps: a sender that can do no more says nothing of the probe
DISCARD = ('import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); '
           's.bind(("127.0.0.1", 9)); time.sleep(3600)')  # so that no ICMP comes back


def missing():
    """Why it cannot be done, None: it can."""
    if shutil.which('tcpreplay') is None:
        return 'tcpreplay is not installed'
    return netns.available()


def drained(pid):
    """Wait until the probe has nothing more to do: it uses no more CPU."""
    def ticks():
        with open('/proc/%d/stat' % pid) as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before, still = ticks(), 0
    for _ in range(300):
        time.sleep(0.1)
        now = ticks()
        still = still + 1 if now - before <= 1 else 0
        before = now
        if still >= 5:
            return


def probe(rig, args, core):
    """A probe that listens already."""
    log = os.path.join(args.out, 'live.log')
    with open(log, 'wb') as out:
        child = rig.popen('probe', [
            args.mcprobe, '-i', rig.capture[0], '-M', str(1 << 18), '-V', '10', '-n',
            '127.0.0.1:9', '-T', '@DEFAULT@ %L7_PROTO_NAME', '--plugin', 'dns', '--plugin',
            'http', '--plugin', 'radius', '--split', 'none', '--user', 'root', '--resp',
            '127.0.0.1:%d' % common.free_port()], stdout=out, stderr=out,
                          stdin=subprocess.DEVNULL,
                          preexec_fn=lambda: os.sched_setaffinity(0, core))
    for _ in range(200):
        time.sleep(0.05)
        with open('/proc/%d/net/packet' % child.pid) as file:
            if len(file.readlines()) > 1:  # a packet socket is open
                time.sleep(0.3)
                return child, log
    raise OSError('the probe does not capture: see %s' % log)


def step(args, path, kpps, cores):
    """One rate. The rate reached in kpps, packets sent, seen, dropped; CPU seconds."""
    with netns.Rig() as rig:
        rig.run('probe', ['ip', 'link', 'set', 'lo', 'up'])
        rig.popen('probe', [sys.executable, '-c', DISCARD])
        child, log = probe(rig, args, cores[0])
        sent = kpps * 1000 * SECONDS if kpps else args.packets * 4
        loops = max(1, sent // args.packets)
        speed = ['--pps', str(kpps * 1000)] if kpps else ['--topspeed']
        out = rig.run('traffic', ['tcpreplay', '-q', '-K', '-i', rig.send[0], '--loop',
                                  str(loops)] + speed + [path],
                      preexec_fn=lambda: os.sched_setaffinity(0, cores[1] or cores[0])).stdout
        drained(child.pid)
        child.send_signal(signal.SIGTERM)
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
    rate = re.search(r'([\d.]+) pps', out)
    done = re.search(r'Actual: (\d+) packets', out)
    failed = re.search(r'Failed packets: +(\d+)', out)
    with open(log, errors='replace') as file:
        said = dict(re.findall(r'^(\w+) +(\d+)$', file.read(), re.M))
    if not rate or not done or 'packets' not in said:
        raise OSError('tcpreplay or the probe says nothing: see %s and\n%s' % (log, out))
    sent = int(done.group(1)) - (int(failed.group(1)) if failed else 0)
    return (float(rate.group(1)) / 1000, sent, int(said['packets']),
            int(said.get('kernel_drops', 0)), usage.ru_utime + usage.ru_stime)


def table(args, say):
    """Print the steps and what they say. Goals missed, as text."""
    cores = common.cores()
    packets, args.packets = args.packets, args.packets or PACKETS
    if getattr(args, 'quick', False):
        args.packets //= 20
    capture = common.Capture(args.tools, args.out, 'mix', args.packets)
    say('The workload mix by tcpreplay, nDPI, all plugins and key tree on; sender and probe '
        'on a core each. Goal: ≥ %d kpps without loss, or all the sender can.\n' % GOAL)
    say('| asked, kpps | sent, kpps | packets sent | seen | dropped by the kernel | lost | '
        'probe, CPU us/packet |\n|---:|---:|---:|---:|---:|---:|---:|')
    best, limit, starved = 0, 0, False
    for kpps in STEPS if not getattr(args, 'quick', False) else (50, None):
        if kpps and starved:
            continue
        rate, sent, seen, drops, cpu = step(args, capture.path, kpps, cores)
        lost = max(sent - seen, drops)
        say('| %s | %.0f | %d | %d | %d | %d | %.2f |' % (
            kpps or 'all it can', rate, sent, seen, drops, lost, 1e6 * cpu / max(seen, 1)))
        limit = max(limit, rate)
        starved = kpps and rate < 0.8 * kpps
        if lost == 0:
            best = max(best, rate)
    os.unlink(capture.path)
    args.packets = packets
    good = best >= GOAL * EXACT or best >= limit * EXACT
    if good and limit < STARVED:
        say('\n**No result**: the sender itself did no more than %.0f kpps.' % limit)
        return []
    say('\nWithout loss: %.0f kpps; the sender can %.0f. %s' % (
        best, limit, 'Met.' if good else '**Missed.**'))
    return [] if good else ['live: %.0f kpps without loss' % best]


def main():
    """By itself."""
    about, details = __doc__.split('\n\n', 1)
    parser = argparse.ArgumentParser(description=about, epilog=details.split('\n\n', 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--mcprobe', default=os.path.join(common.HERE, '..', 'mcprobe'))
    parser.add_argument('--tools', default=common.HERE)
    parser.add_argument('--out', default=os.path.join(common.HERE, 'out'))
    parser.add_argument('--packets', type=int)
    args = parser.parse_args()
    args.mcprobe = os.path.abspath(args.mcprobe)
    reason = missing()
    if reason:
        print(reason)
        sys.exit(77)
    os.makedirs(args.out, exist_ok=True)
    table(args, print)


if __name__ == '__main__':
    main()
