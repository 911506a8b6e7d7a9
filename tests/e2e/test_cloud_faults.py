# SPDX-License-Identifier: BSD-3-Clause
"""Exactly once: whatever happens to the nodes while the probe writes, afterwards every sum
is what the packets say, and no packet was lost for it.

A capture of eight seconds is read at its own pace while its node is killed, frozen, filled
up, locked, or absent. The sums come from a run without any node.
"""
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from cloud import (CROWD, crowd, Listener, lossless, merged, redis, relay, same, server, totals,
                   wait_until)
from conftest import SANITIZED, SLOW, free_port, probe


def arguments(crowd, where, *more, speed=1, name='p1'):
    return ['-i', crowd.path, *CROWD, '--speed', speed, '--no-dpi', '--resp', 'none', '--probe-id', name,
            '--cloud-interval', 1, *where, *more]


def exact(crowd, *clients, times=1):
    """The nodes have what the records say, each key in one place."""
    for prefix in ('ip.', 'mac.', 'port.'):
        parts = [totals(c, prefix + '*') for c in clients]
        assert sum(map(len, parts)) == len(set().union(*parts)), 'a key on two nodes'
        same(merged(*parts), merged(*[crowd.tree.under(prefix)] * times))


# ---- one node


def nothing(s):
    pass


def killed(s):
    """Four times kill -9; it is back in a moment, or after a while."""
    for away in (0, 0, .3, 1.5):
        time.sleep(1)
        s.kill9()
        time.sleep(away)
        s.start()


def frozen(s):
    """Ten seconds, from the midst of the run until after its end."""
    time.sleep(2)
    s.stop()
    time.sleep(10)
    s.cont()


def clients_killed(s):
    rng, c = random.Random(1), s.client()
    for _ in range(30):
        time.sleep(rng.uniform(.02, .4))
        c.client_kill_filter(_type='normal', skipme=True)


def full(s):
    c = s.client()
    time.sleep(2)
    c.config_set('maxmemory', c.info('memory')['used_memory'] // 2)
    time.sleep(3)
    c.config_set('maxmemory', 0)


def locked(s):
    """The password is another for a while."""
    c = s.client()
    time.sleep(2)
    c.config_set('requirepass', 'another')
    c.client_kill_filter(_type='normal', skipme=True)
    time.sleep(2)
    c.config_set('requirepass', s.password)


def absent(s):
    time.sleep(3)
    s.start()


FAULTS = {
    nothing: lambda s: s['node_in_doubt'] == s['node_resent'] == s['node_refused'] == 0,
    killed: lambda s: s['node_connects'] >= 5,
    frozen: lambda s: s['node_in_doubt'] >= 1,
    clients_killed: lambda s: s['node_connects'] > 10,
    full: lambda s: s['node_refused'] >= 1,
    locked: lambda s: s['node_connects'] >= 2,
    absent: lambda s: s['node_in_doubt'] <= 1,
}


@pytest.mark.parametrize('fault', FAULTS, ids=lambda f: f.__name__)
def test_exactly_once(crowd, server, start, tmp_path, fault):
    password = 'a secret' if fault is locked else None
    s = server(password=password, start=fault is not absent)
    (tmp_path / 'password').write_text('a secret\n')
    speed = 2 if fault is nothing else 1
    r = start(*arguments(crowd, ['--redis', s.address], speed=speed), '--drain-timeout', 60,
              *['--redis-password-file', tmp_path / 'password'] * bool(password))
    fault(s)
    end = r.wait(75)
    c = s.client()
    exact(crowd, c)
    found = lossless(end, crowd.packets)
    assert FAULTS[fault](found), dict(found)
    assert found['node_batches'] > 1
    # Both ends agree on how often they agreed.
    assert int(c.get('probe.p1.seq').split(':')[1]) == found['node_batches']


def test_old_connection_speaks_late(crowd, server, relay, start):
    """A batch sits in a buffer on the way; the probe gives that connection up and goes on by
    a new one; then the old batch arrives. It must not count."""
    s = server()
    way = relay(s.port)
    r = start(*arguments(crowd, ['--redis', way.address]))
    time.sleep(2)
    way.trap(b'HINCRBY', lambda link: link.stall())
    wait_until(lambda: way.caught, 5, 'for a batch')
    before = sum(way.seen.values())
    wait_until(lambda: sum(way.seen.values()) > before + 2, 30, 'for a new connection')
    assert len(way.caught.held) > 0
    way.caught.release()
    found = lossless(r.wait(40), crowd.packets)
    assert found['node_in_doubt'] >= 1
    exact(crowd, s.client())


def lost_on_the_way(s, link):
    """The batch does not arrive."""
    link.stall()
    link.cut()


def answer_lost(s, link):
    """The batch arrives, but not its answer."""
    link.deaf = True
    threading.Timer(.1, link.cut).start()


def killed_just_then(s, link):
    """The server is killed while it has the batch: executed or not, who knows."""
    threading.Timer(random.random() * .002, s.restart).start()


CUTS = {
    lost_on_the_way: lambda s: s['node_resent'] >= 3,
    answer_lost: lambda s: s['node_resent'] == 0,
    killed_just_then: lambda s: True,
}


@pytest.mark.parametrize('cut', CUTS, ids=lambda f: f.__name__)
def test_batch_in_doubt(crowd, server, relay, start, cut):
    """The connection breaks while a batch is on its way, again and again."""
    s = server()
    way = relay(s.port)
    r = start(*arguments(crowd, ['--redis', way.address], speed=2))
    for _ in range(3):
        way.trap(b'HINCRBY', lambda link: cut(s, link))
        wait_until(lambda: way.caught, 8, 'for a batch')
        time.sleep(.4)
    found = lossless(r.wait(40), crowd.packets)
    exact(crowd, s.client())
    assert CUTS[cut](found), dict(found)
    assert found['node_in_doubt'] >= (1 if cut is killed_just_then else 3)


def test_frozen_for_ever(crowd, server):
    """The run ends in time and says what it could not leave."""
    s = server()
    s.stop()
    r = probe(*arguments(crowd, ['--redis', s.address], speed='asap'), '--drain-timeout', 3)
    found = r.ok().summary.check()
    assert 3 <= r.seconds < 3 + 3 * SLOW
    assert found['packets'] == crowd.packets
    assert found['packets_lost'] == 0
    assert found['node_keys_left'] >= len(crowd.tree.under('ip.'))
    s.cont()


def test_signal_while_frozen(crowd, server, start):
    """After a signal it waits for two seconds only."""
    s = server()
    r = start(*arguments(crowd, ['--redis', s.address]))
    time.sleep(1.5)
    s.stop()
    time.sleep(1)
    r.signal(signal.SIGTERM)
    end = r.wait(5)
    found = end.ok().summary.check()
    assert found['node_keys_left'] + found['node_batches_left'] > 0
    s.cont()


def test_signal_drains(crowd, server, start):
    """A node that answers gets the rest before the end."""
    s = server()
    r = start(*arguments(crowd, ['--redis', s.address], '--json', '-'))
    time.sleep(2.5)
    r.signal(signal.SIGTERM)
    found = lossless(r.wait(5))
    assert 0 < found['packets'] < crowd.packets
    sent = sum(f.get('bytesSent', 0) for f in totals(s.client()).values())
    assert sent == found['flow_bytes']


# ---- several


def test_two_probes(crowd, server, start):
    s = server()
    both = [start(*arguments(crowd, ['--redis', s.address], speed=2, name=n)) for n in ('p1', 'p2')]
    time.sleep(2)
    s.client().client_kill_filter(_type='normal', skipme=True)
    for r in both:
        lossless(r.wait(30), crowd.packets)
    exact(crowd, s.client(), times=2)


def test_two_probes_of_one_name(crowd, server, start):
    """The second calls itself p1-2, and counts as well."""
    s = server()
    c = s.client()
    one = start(*arguments(crowd, ['--redis', s.address], speed=2))
    wait_until(lambda: c.exists('probe.p1'), 5, 'for the heartbeat')
    two = start(*arguments(crowd, ['--redis', s.address], speed=2))
    wait_until(lambda: c.exists('probe.p1-2'), 5, 'for the second heartbeat')
    for r in (one, two):
        lossless(r.wait(30), crowd.packets)
    exact(crowd, c, times=2)
    assert c.exists('probe.p1.seq', 'probe.p1-2.seq') == 2


def test_three_nodes(crowd, server, start):
    """One is away for a time; what is its own waits, the others go on."""
    nodes = [server() for _ in '123']
    r = start(*arguments(crowd, ['--redis', ','.join(s.address for s in nodes)]))
    time.sleep(2)
    nodes[1].kill9()
    before = sum(f.get('bytesSent', 0) for f in totals(nodes[0].client()).values())
    time.sleep(3)
    after = sum(f.get('bytesSent', 0) for f in totals(nodes[0].client()).values())
    assert after > before
    nodes[1].start()
    lossless(r.wait(40), crowd.packets)
    clients = [s.client() for s in nodes]
    exact(crowd, *clients)
    for c in clients:
        assert len(totals(c)) > len(crowd.tree.under('ip.')) / 6
        assert c.smembers('microcloud.nodes') == {s.address for s in nodes}
        assert c.get('probe.p1.seq')


def test_cluster_is_refused(crowd, server):
    s = server('--cluster-enabled', 'yes', '--cluster-port', str(free_port(socket.SOCK_STREAM)))
    r = probe('-i', crowd.path, '--redis', s.address, '--resp', 'none')
    assert r.status > 0
    assert 'cluster' in r.text.lower() and s.address in r.text
    assert 'mcprobe: summary' not in r.text


@pytest.fixture
def sentinel(tmp_path):
    """sentinel(MASTER): a Sentinel that watches it, and its client."""
    begun = []

    def begin(master):
        port, folder = free_port(socket.SOCK_STREAM), tmp_path / 'sentinel'
        folder.mkdir()
        conf = folder / 'sentinel.conf'
        conf.write_text('port %d\nbind 127.0.0.1\ndir %s\nlogfile %s/log\n'
                        'sentinel monitor cloud 127.0.0.1 %d 1\n'
                        'sentinel down-after-milliseconds cloud 60000\n'
                        % (port, folder, folder, master.port))
        begun.append(subprocess.Popen(['redis-server', str(conf), '--sentinel'], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        c = redis.Redis(port=port, decode_responses=True, socket_timeout=10)

        def knows():
            try:
                found = c.sentinel_slaves('cloud')
            except redis.ConnectionError:
                return False
            return bool(found) and found[0]['master-link-status'] == 'ok'
        wait_until(knows, 20, 'for the Sentinel to know the replica')
        c.address = '127.0.0.1:%d' % port
        return c
    yield begin
    for p in begun:
        p.kill()
        p.wait()


def test_sentinel(crowd, server, sentinel, start):
    """The master changes; the probe asks and writes on where it is now. The probe stands
    still while it happens, so that nothing it was told is safe can be lost by the servers
    themselves: what they copy, they copy late."""
    old = server()
    new = server('--replicaof', '127.0.0.1', str(old.port))
    wait_until(lambda: new.client().info('replication')['master_link_status'] == 'up', 15)
    watch = sentinel(old)
    heard = Listener(watch, '+switch-master')
    r = start(*arguments(crowd, ['--sentinel', 'cloud@' + watch.address]))
    time.sleep(3)
    r.signal(signal.SIGSTOP)
    try:
        a, b = old.client(), new.client()

        def copied():
            one, two = a.info('replication'), b.info('replication')
            return one['master_repl_offset'] == two['slave_repl_offset']
        time.sleep(.3)
        wait_until(copied, 5, 'for the replica')
        assert b.exists('probe.p1.seq')
        watch.execute_command('SENTINEL', 'FAILOVER', 'cloud')

        def told(c, *words):
            """An answer, or None: a Sentinel cuts off a server's clients when its role changes."""
            try:
                return c.execute_command(*words)
            except redis.ConnectionError:
                return None
        wait_until(lambda: (told(b, 'INFO', 'replication') or {}).get('role') == 'master', 20, 'for the fail-over')
        wait_until(lambda: heard.on('+switch-master'), 20, 'for the Sentinel to say so')
        # The Sentinel does this too, eight seconds later.
        wait_until(lambda: told(a, 'REPLICAOF', '127.0.0.1', str(new.port)), 20, 'for the old master')
    finally:
        r.signal(signal.SIGCONT)
        heard.end()
    found = lossless(r.wait(60), crowd.packets)
    assert found['node_connects'] >= 2
    exact(crowd, b)


@pytest.mark.parametrize('why', ['replica', 'password', 'no password', 'rights', 'database', 'full', 'nobody'])
def test_refused_for_ever(crowd, server, tmp_path, why):
    """A node that takes nothing: it is said once, the run ends in time, what is left is
    counted, and no packet is lost."""
    more = []
    (tmp_path / 'pw').write_text('x\n')
    if why == 'replica':
        s = server('--replicaof', '127.0.0.1', str(free_port(socket.SOCK_STREAM)))
    elif 'password' in why:
        s = server(password='another')
        more = ['--redis-password-file', tmp_path / 'pw'] if why == 'password' else []
    elif why == 'nobody':
        s = server(start=False)
    else:
        s = server()
    if why == 'rights':
        s.client().execute_command('ACL', 'SETUSER', 'probe', 'on', '>x', '~*', '&*', '+@all', '-hincrby')
        more = ['--redis-user', 'probe', '--redis-password-file', tmp_path / 'pw']
    elif why == 'database':
        more = ['--redis-db', 99]
    elif why == 'full':
        s.client().config_set('maxmemory', 1000)
    r = probe(*arguments(crowd, ['--redis', s.address], speed='asap'), '--drain-timeout', 1, *more)
    found = r.ok().summary.check()
    assert r.seconds < 1 + 4 * SLOW
    assert found['packets'] == crowd.packets and found['packets_lost'] == found['posts_lost'] == 0
    assert found['node_keys_left'] + found['node_batches_left'] > 0
    said = [line for line in r.text.split('mcprobe: summary')[0].splitlines() if s.address in line]
    assert 1 <= len(said) <= 4, r.text
    if why != 'nobody':
        assert totals(s.client()) == {}


# ---- nodes that are none


class Impostor:
    """A port whose connections get ANSWER, a function of how many bytes came so far, after
    each piece they say."""

    def __init__(self, answer):
        self.answer, self.over = answer, False
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.address = '127.0.0.1:%d' % self.listener.getsockname()[1]
        self.talks = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.over:
            try:
                s = self.listener.accept()[0]
            except OSError:
                return
            self.talks += 1
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        try:
            heard = 0
            while data := s.recv(1 << 16):
                heard += len(data)
                s.sendall(self.answer(heard))
        except OSError:
            pass
        s.close()

    def end(self):
        self.over = True
        self.listener.close()


LIES = {
    'much': lambda n: b'*4294967295\r\n',
    'bulk': lambda n: b'$9223372036854775807\r\n' + b'x' * 65536,
    'nested': lambda n: b'*1\r\n' * 20000,
    'garbage': lambda n: bytes(range(256)) * 64,
    'web': lambda n: b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n',
    'fine': lambda n: b'+OK\r\n' * 50,
    'numbers': lambda n: b':1\r\n' * 50,
    'nothing': lambda n: b'$-1\r\n' * 50,
    'error': lambda n: b'-ERR no\r\n' * 50,
    'no newline': lambda n: b'+' + b'y' * 100000,
    'moved': lambda n: b'-MOVED 1234 127.0.0.1:1\r\n' * 50,
    'no room': lambda n: b'-ERR max number of clients reached\r\n',
    'maps': lambda n: b'%1\r\n+a\r\n>1\r\n_\r\n',
    'silence': lambda n: b'',
}


def test_impostors(crowd, server, start):
    """One node is real; the others answer nonsense. What belongs to the real one is right,
    the run ends in time, and says that there is something left; memory is bounded."""
    s = server()
    liars = [Impostor(answer) for answer in LIES.values()]
    r = start(*arguments(crowd, ['--redis', ','.join([s.address] + [x.address for x in liars])], speed=4),
              '--drain-timeout', 2)
    peak = 0
    before = time.monotonic()
    while r.process.poll() is None and time.monotonic() - before < 60:
        try:
            with open('/proc/%d/status' % r.process.pid) as f:
                peak = max(peak, int(re.search(r'VmRSS:\s+(\d+)', f.read() or 'VmRSS: 0')[1]))
        except (FileNotFoundError, TypeError):
            break
        time.sleep(.05)
    end = r.wait(10)
    found = end.ok().summary.check()
    for x in liars:
        x.end()
    assert time.monotonic() - before < 2 + 8 + 10 * SLOW
    assert found['packets'] == crowd.packets and found['packets_lost'] == 0
    assert found['node_keys_left'] + found['node_batches_left'] > 0
    assert peak < (2048 if SANITIZED else 256) << 10
    assert all(x.talks for x in liars)
    assert len(end.text.splitlines()) < 300  # it does not fill the log
    got = totals(s.client())
    assert got
    want = crowd.tree.under('ip.')
    same(got, {k: want[k] for k in got})
