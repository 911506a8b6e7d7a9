#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""growth.py -- how the cost of a packet grows: with flows, plugins, keys, subscribers.

usage: growth.py [--mcprobe FILE] [--tools DIR] [--out DIR] [--quick] [--rounds N]
                 [--parts flows,plugins,keys,subscribers] [--text FILE] [--plot FILE]

CPU time, user and system, of the whole process on one core; the median of the rounds. The
text gets tables and where they bend, the plot is drawn by gnuplot where there is one.

flows        each of N flows sends one packet, then 2 M packets are of any of them; a run
             without these 2 M is taken off, so that what remains is finding flows
plugins      the workload mix with nDPI and the key tree, one plugin more each time
keys         flows between any two of N hosts, with and without the key tree; what the
             tree takes is told by flow
subscribers  DNS transactions, N clients that listen to each event and read what comes
"""
import argparse
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import threading

import common
from common import Capture, Program

SEEN = r'^packets +(\d+)$'
FLOWS = (1000, 4000, 16000, 64000, 256000, 1000000, 4000000)
PICKS = 2000000
PLUGINS = ('none', 'dns', 'http', 'radius')
KEYS = (1000, 10000, 100000, 1000000)
SUBSCRIBERS = (0, 1, 2, 4, 8, 16, 32, 64)
BEND = 1.3  # a step that costs so many times more than the one before is a bend


class Growth:
    """All parts; each appends its table to TEXT and its curve to CURVES."""

    def __init__(self, args, port):
        self.args, self.to = args, '127.0.0.1:%d' % port
        self.core, self.other = common.cores()
        self.text, self.curves = [], {}

    def say(self, text=''):
        """To the terminal and the file."""
        print(text, flush=True)
        self.text.append(text)

    def median(self, name, capture, options):
        """A Program that has run some rounds over CAPTURE."""
        argv = [self.args.mcprobe, '-i', capture.path, '-V', '10', '-n', self.to]
        program = Program(name, argv + options, SEEN, cores=self.core)
        log = os.path.join(self.args.out, 'growth.log')
        for _ in range(self.args.rounds):
            program.run(log)
            program.check(log, capture.packets)
            if program.trouble:
                sys.exit('%s: %s' % (name, program.trouble))
        return program

    def capture(self, name, packets, size=None):
        """A capture; a fiftieth of it when quick."""
        if self.args.quick:
            packets = max(packets // 50, 1000)
        return Capture(self.args.tools, self.args.out, name, packets, size)

    def bends(self, what, unit, points):
        """Where a curve rises, in words. POINTS: (x, cost)."""
        steps = [(after[0], after[1] / before[1])
                 for before, after in zip(points, points[1:]) if before[1] > 0]
        steep = ['%s (x %.1f)' % (human(x), ratio) for x, ratio in steps if ratio >= BEND]
        self.say('\n%s from %s to %s %s costs %.1f times as much%s' % (
            what, human(points[0][0]), human(points[-1][0]), unit,
            points[-1][1] / points[0][1],
            '; it bends at %s.' % ', '.join(steep) if steep else '; no step bends.'))

    def flows(self):
        """Packets per second against flows alive."""
        self.say('\n## Flows alive\n')
        self.say('--no-dpi, no plugins, IPFIX; 60 octets a packet.\n')
        self.say('| flows | Mpps, packets of known flows | ns each | ns for a new flow, '
                 'exported in the end | peak MB |\n|---:|---:|---:|---:|---:|')
        points = []
        for n in FLOWS if not self.args.quick else (1000, 16000, 64000):
            options = ['--no-dpi', '--plugin', 'none', '-M', str(n + n // 8 + 1024)]
            picks = PICKS // 10 if self.args.quick else PICKS
            runs = []
            for packets in n, n + picks:
                capture = Capture(self.args.tools, self.args.out, 'live', packets, n)
                runs.append(self.median('%d flows' % n, capture, options))
                os.unlink(capture.path)
            once, more = runs
            if once.counters['flows'] != n or more.counters['flows'] != n:
                sys.exit('%d flows were to be made, not %d' % (n, more.counters['flows']))
            each = 1e9 * (more.cpu() - once.cpu()) / picks
            new = '%.0f' % (1e9 * once.cpu() / n) if n >= 250000 else ''
            points.append((n, each))
            self.say('| %s | %.2f | %.0f | %s | %s |' % (
                human(n), 1e3 / each, each, new, common.memory(max(more.rss))))
        self.curves['flows'] = [(x, 1e3 / cost) for x, cost in points]
        self.bends('Finding a packet\'s flow', 'flows', points)
        self.say('A packet touches its bucket, then the cache lines of its record. As long as '
                 'all of them are near the core this is a matter of instructions. It bends '
                 'where buckets and records outgrow one level of cache after the other, and '
                 'their pages the TLB: then each line comes from further away. That a batch '
                 'of 32 is fetched ahead hides a part of it, not all.')

    def plugins(self):
        """Packets per second against plugins."""
        self.say('\n## Plugins\n')
        self.say('Workload mix, nDPI, key tree, L7 names, IPFIX.\n')
        self.say('| plugins | Mpps | us per packet | peak MB |\n|---|---:|---:|---:|')
        capture = self.capture('mix', 1000000)
        points = []
        for n in range(len(PLUGINS)):
            options = ['-M', '262144', '-T', '@DEFAULT@ %L7_PROTO_NAME', '--split', 'none',
                       '--resp', '127.0.0.1:%d' % common.free_port()]
            for name in PLUGINS[1:n + 1] or PLUGINS[:1]:
                options += ['--plugin', name]
            run = self.median('%d plugins' % n, capture, options)
            each = 1e6 * run.cpu() / capture.packets
            points.append((n, each))
            self.say('| %s | %.2f | %.2f | %s |' % (
                ', '.join(PLUGINS[1:n + 1]) or 'none', 1 / each, each,
                common.memory(max(run.rss))))
        os.unlink(capture.path)
        self.curves['plugins'] = [(x, 1 / cost) for x, cost in points]
        self.bends('Going', 'plugins', points)
        self.say('A plugin costs what its own traffic takes: every flow is asked about once '
                 'per plugin, then only those that it took are shown to it. Radius has none '
                 'here, so its step is the price of asking.')

    def keys(self):
        """Cost of the key tree against keys."""
        self.say('\n## Keys\n')
        self.say('--no-dpi, no plugins, IPFIX; flows of four packets between any two of N '
                 'hosts, a key for each host.\n')
        self.say('| hosts | keys | Mpps, tree | Mpps, no tree | us the tree takes per flow | '
                 'peak MB, tree |\n|---:|---:|---:|---:|---:|---:|')
        points, rates = [], []
        for n in KEYS if not self.args.quick else KEYS[:2]:
            capture = self.capture('hosts', 2000000, n)
            options = ['--no-dpi', '--plugin', 'none', '-M', '1048576', '--max-keys',
                       '4194304']
            bare = self.median('%d hosts' % n, capture, options)
            tree = self.median('%d hosts, tree' % n, capture, options + [
                '--resp', '127.0.0.1:%d' % common.free_port()])
            each = 1e6 * (tree.cpu() - bare.cpu()) / tree.counters['flows']
            points.append((n, each))
            rates.append((n, capture.packets / tree.cpu() / 1e6))
            self.say('| %s | %d | %.2f | %.2f | %.2f | %s |' % (
                human(n), tree.counters['cloud_keys_made'], rates[-1][1],
                capture.packets / bare.cpu() / 1e6, each, common.memory(max(tree.rss))))
            os.unlink(capture.path)
        self.curves['keys'] = rates
        self.bends('The tree\'s part of a flow', 'hosts', points)
        self.say('A flow adds to about seven keys, two of them of addresses. With few hosts '
                 'all are in the cache. With many, each of the two is a miss or several, and '
                 'most of them are new: a new key is formatted, allocated, and put into the '
                 'ordered index, which costs more than all additions.')

    def subscribers(self):
        """Cost of events against those who listen."""
        self.say('\n## Subscribers\n')
        self.say('Workload dns, DNS plugin, --no-dpi, key tree; each client has subscribed '
                 'to "dns".\n')
        self.say('| clients | transactions | events read by each | us per transaction | '
                 'Mpps |\n|---:|---:|---:|---:|---:|')
        capture = self.capture('dns', 200000)
        points = []
        for n in SUBSCRIBERS if not self.args.quick else SUBSCRIBERS[:3]:
            cpus, got = [], 0
            for _ in range(self.args.rounds):
                cpu, got = self.listen(capture, n)
                cpus.append(cpu)
            each = 1e6 * statistics.median(cpus) / (capture.packets / 2)
            points.append((n, each))
            self.say('| %d | %d | %s | %.2f | %.2f |' % (
                n, capture.packets // 2, got if n else '', each, 2 / each))
        os.unlink(capture.path)
        self.curves['subscribers'] = [(max(x, 0.5), 2 / cost) for x, cost in points]
        self.bends('Going', 'clients', points)
        if len(points) > 2:
            self.say('An event is formatted once, when there is anybody to hear it: that is '
                     'the step from none to one, %.2f us. Each further client costs a copy '
                     'into its buffer and its share of a write: %.2f us.' % (
                         points[1][1] - points[0][1],
                         (points[-1][1] - points[1][1]) / (points[-1][0] - points[1][0])))

    def listen(self, capture, n):
        """One run with N clients. CPU seconds, and events each of them got."""
        port = common.free_port()
        argv = [self.args.mcprobe, '-i', '-', '-V', '10', '-n', self.to, '-M', '262144',
                '--no-dpi', '--plugin', 'dns', '--split', 'none', '--resp',
                '127.0.0.1:%d' % port]
        with open(os.path.join(self.args.out, 'growth.log'), 'wb') as log, \
                open(capture.path, 'rb') as file:
            child = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=log, stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, self.core))
            child.stdin.write(file.read(24))  # the file's header: the probe begins
            child.stdin.flush()
            clients = Clients(port, n)
            reading = threading.Thread(target=clients.read)
            reading.start()
            shutil.copyfileobj(file, child.stdin, 1 << 20)
            child.stdin.close()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = status
            reading.join()
        if status != 0:
            sys.exit('the probe with %d clients ends with %d' % (n, status))
        return usage.ru_utime + usage.ru_stime, min(clients.events, default=0)

    def plot(self, path):
        """Four curves in one picture."""
        if not shutil.which('gnuplot') or not self.curves:
            print('no plot: gnuplot is missing', file=sys.stderr)
            return
        doubling = ', '.join('%d' % n for n in SUBSCRIBERS[1:])
        axes = {  # title, and how the axis is drawn
            'flows': ('flows alive', ['set logscale x', 'set xrange [500:8e6]']),
            'plugins': ('plugins', ['set xrange [-0.2:3.2]', 'set xtics 1']),
            'keys': ('hosts, a key each', ['set logscale x', 'set xrange [500:2e6]']),
            'subscribers': ('subscribers', ['set logscale x 2', 'set xrange [0.4:80]',
                                            'set xtics ("0" 0.5, %s)' % doubling])}
        script = ['set terminal pngcairo size 900,620 font "sans,10"',
                  'set output "%s"' % path, 'set multiplot layout 2,2',
                  'set grid', 'unset key', 'set yrange [0:*]',
                  'set ylabel "Mpps per core"', 'set format x "%.0s%c"']
        for name, points in self.curves.items():
            title, axis = axes[name]
            script += ['$%s << EOD' % name] + ['%g %g' % point for point in points] + ['EOD']
            script += ['unset logscale x', 'set xtics autofreq'] + axis
            script += ['set xlabel "%s"' % title,
                       'plot $%s with linespoints lw 2 pt 7 lc rgb "#2060a0"' % name]
        script += ['unset multiplot']
        subprocess.run(['gnuplot'], input='\n'.join(script) + '\n', check=True,
                       universal_newlines=True)


class Clients:
    """N connections that have subscribed; read() takes what comes until all are closed."""

    def __init__(self, port, n):
        self.sockets, self.events = [], [0] * n
        for i in range(n):
            peer = connect(port)
            peer.sendall(b'SUBSCRIBE dns\r\n')
            if not peer.recv(200).startswith(b'*3\r\n$9\r\nsubscribe'):
                sys.exit('SUBSCRIBE is not answered')
            peer.setblocking(False)
            self.sockets.append((peer, i))
        if n == 0:
            connect(port).close()  # as far as with clients

    def read(self):
        """In a thread of its own."""
        with selectors.DefaultSelector() as selector:
            for peer, i in self.sockets:
                selector.register(peer, selectors.EVENT_READ, i)
            while selector.get_map():
                for key, _ in selector.select():
                    try:
                        data = key.fileobj.recv(1 << 18)
                    except ConnectionResetError:
                        data = b''
                    self.events[key.data] += data.count(b'\r\nmessage\r\n'[2:])
                    if not data:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()


def connect(port):
    """Until it listens."""
    for _ in range(200):
        try:
            return socket.create_connection(('127.0.0.1', port))
        except OSError:
            threading.Event().wait(0.05)
    sys.exit('the probe does not listen')


def human(n):
    """1000000: 1 M."""
    for size, unit in (1000000, ' M'), (1000, ' k'):
        if n >= size:
            return '%g%s' % (n / size, unit)
    return '%g' % n


def main():
    """All parts."""
    about, details = __doc__.split('\n\n', 1)
    parser = argparse.ArgumentParser(description=about, epilog=details.split('\n\n', 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--mcprobe', default=os.path.join(common.HERE, '..', 'mcprobe'))
    parser.add_argument('--tools', default=common.HERE)
    parser.add_argument('--out', default=os.path.join(common.HERE, 'out'))
    parser.add_argument('--parts', default='flows,plugins,keys,subscribers')
    parser.add_argument('--rounds', type=int)
    parser.add_argument('--quick', action='store_true', help='to see that it runs')
    parser.add_argument('--text', help='write tables and words there')
    parser.add_argument('--plot', help='and the picture there')
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.out, args.mcprobe = os.path.abspath(args.out), os.path.abspath(args.mcprobe)
    os.makedirs(args.out, exist_ok=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as discard:
        discard.bind(('127.0.0.1', 0))
        growth = Growth(args, discard.getsockname()[1])
        growth.say('# Growth\n\n%s\n\n%s' % (common.describe(args.mcprobe),
                                             'The same as a picture: `doc/growth.png`.'))
        for part in args.parts.split(','):
            getattr(growth, part)()
    if args.text:
        with open(args.text, 'w') as file:
            file.write('\n'.join(growth.text) + '\n')
    if args.plot:
        growth.plot(args.plot)


if __name__ == '__main__':
    main()
