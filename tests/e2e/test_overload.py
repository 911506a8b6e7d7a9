# SPDX-License-Identifier: BSD-3-Clause
"""More than there is room for: floods of SYNs, a ring that runs over, subscribers that do
not read, a million keys. The probe keeps to its bounds, counts what it leaves out, and what
was there before is not pushed out.

A thousand clients, and one slow subscriber, are in test_resp_hostile."""
import os
import signal
import socket
import struct
import time

import pytest

import netns
import test_live_capture as live
from cloud import counters, serve, wait_until
from conftest import FOREVER, SANITIZED, SLOW, flows, packets_of

import traffic  # of tests/gen
import wire

ROOM = 2000  # --max-flows
FLOOD = 10 * ROOM
BEGIN, END = 2, 8  # seconds of the flood
SERVER = '198.51.100.1'


# ---- a flood of SYNs


class Flooded:
    """A capture of 300 connections and 300 conversations of UDP, some of which begin amidst
    a flood of SYNs. .known: {(proto, client, port): (packets, octets)} of the former."""

    def __init__(self, path):
        self.path, self.known = path, {}
        quick = {(p, n): traffic.Quick(p, SERVER, n) for p in (wire.TCP, wire.UDP) for n in (0, 64, 250)}
        packets = []
        for i in range(600):
            proto, client, port = (wire.TCP, wire.UDP)[i % 2], (192 << 24) + (168 << 16) + 1 + i, 20000 + i
            begin = (i % 300) * 5000 + (3 * 10**6 if i >= 300 else 0)  # half of them in the flood
            steps = [(0, 0, 0, wire.SYN), (2000, 1, 0, wire.SYN | wire.ACK)] if proto == wire.TCP else []
            steps += [(5000 + n * 700000, n & 1, (64, 250)[n & 1], wire.ACK) for n in range(12)]
            seq, octets = [1000, 5000], 0
            for after, d, size, flags in steps:
                q = quick[proto, size]
                packets.append((begin + after, q.frame(client, port, 443, d, flags, seq[d], seq[1 - d])))
                seq[d] += size + bool(flags & wire.SYN)
                octets += q.total
            self.known[proto, traffic.dotted(client), port] = len(steps), octets
        syn = traffic.Quick(wire.TCP, SERVER, 0)
        for i in range(FLOOD):
            t = BEGIN * 10**6 + i * (END - BEGIN) * 10**6 // FLOOD
            packets.append((t, syn.frame((10 << 24) + i, 1024 + i, 443, 0, wire.SYN, i)))
        # the clock goes on
        packets += [(t * 10**5, quick[wire.UDP, 64].frame((11 << 24), 9999, 53, t & 1)) for t in range(80, 140)]
        packets.sort(key=lambda p: p[0])
        self.packets = len(packets)
        with open(path, 'wb') as f:
            f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for t, frame in packets:
                f.write(struct.pack('<IIII', traffic.START // 10**6 + t // 10**6, t % 10**6, len(frame), len(frame)) + frame)


@pytest.fixture(scope='module')
def flooded(tmp_path_factory):
    return Flooded(tmp_path_factory.mktemp('flood') / 'flood.pcap')


def sorted_out(records):
    """(records by {(proto, client, port)} of what is known, those of the flood)"""
    known, flood = {}, []
    for r in records:
        if r['IPV4_SRC_ADDR'].startswith('192.168.'):
            known.setdefault((r['PROTOCOL'], r['IPV4_SRC_ADDR'], r['L4_SRC_PORT']), []).append(r)
        elif r['IPV4_SRC_ADDR'].startswith('10.'):
            flood.append(r)
    return known, flood


@pytest.mark.parametrize('workers', [1, 2])
def test_syn_flood(flooded, workers):
    """Ten times the table: what is known is counted as if there were no flood, the half-open
    ones go first, and all are exported."""
    r = flows(flooded.path, '-M', ROOM, '--workers', workers).ok()
    s = r.summary.check()
    assert s['packets'] == s['flow_packets'] == packets_of(r.records) == flooded.packets
    assert s['flows_max'] <= ROOM
    known, flood = sorted_out(r.records)
    right = [k for k, want in flooded.known.items() if len(known.get(k, ())) == 1 and want == (
        packets_of(known[k]), known[k][0]['IN_BYTES'] + known[k][0]['OUT_BYTES'])]
    assert len(right) >= .99 * len(flooded.known), '%d of %d' % (len(right), len(flooded.known))
    assert len(known) == len(flooded.known)
    # Each SYN is a record, and those that had to leave say why.
    assert len(flood) == FLOOD and {packets_of([x]) for x in flood} == {1}
    lack = [x for x in flood if x['FLOW_END_REASON'] == 5]
    assert len(lack) >= FLOOD - ROOM
    assert s['ended_lack'] == sum(x['FLOW_END_REASON'] == 5 for x in r.records)
    # None of the others left while there were half-open ones.
    assert len(lack) >= .99 * s['ended_lack']
    assert {x['FLOW_END_REASON'] for x in flood} <= {1, 4, 5}


def test_emergency(flooded, serve):
    """At 90 % timeouts are short, until 70 %: six seconds after the flood there is room again,
    though the idle timeout is 30 s. INFO tells."""
    p = serve('-i', flooded.path, '--no-dpi', '-M', ROOM, '--stay').read(flooded.packets)
    with p.client() as c:
        found = counters(c)
        alive = sum(1 for _ in c.scan_iter(match='flow.*', count=1000))
    assert found['emergencies'] == 1
    assert found['ended_lack'] >= FLOOD - ROOM
    assert .5 * ROOM < alive <= .7 * ROOM + 10
    s = p.finish().ok().summary.check()
    assert s['packets'] == flooded.packets and s['ended_forced'] == alive


def test_no_emergency(flooded):
    """With room enough there is none, and all are as they should be."""
    s = flows(flooded.path, '-M', 2 * FLOOD).ok().summary.check()
    assert s['emergencies'] == s['ended_lack'] == 0


# ---- the kernel's ring runs over


@live.pytestmark
def test_ring_overflow(tmp_path):
    """The probe stands still while more comes than the kernel's 32 MiB hold: what was lost is
    counted, to the packet, and it goes on."""
    many, few = tmp_path / 'many.pcap', tmp_path / 'few.pcap'
    data = live.frame('10.0.0.1', '192.0.2.1', 17, 4000, 5000, 1400)
    for path, n in ((many, 500), (few, 50)):
        with open(path, 'wb') as f:
            f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            f.write((struct.pack('<IIII', 1700000000, 0, len(data), len(data)) + data) * n)
    with netns.Rig() as rig:
        probe = live.Running(rig, tmp_path, FOREVER)
        os.kill(probe.p.pid, signal.SIGSTOP)
        try:
            sent = live.replay(rig, many, 0, '--preload-pcap', '--loop=80', '--topspeed')
        finally:
            os.kill(probe.p.pid, signal.SIGCONT)
        time.sleep(1)
        sent += live.replay(rig, few, 0, '--pps=1000')
        live.settle()
        probe.stop(20)
        counted = live.packets_in(live.totals(probe.json))
    s = probe.summary
    assert sent == 80 * 500 + 50
    assert s['packets'] == counted > 50
    assert s['kernel_drops'] > 1000
    assert counted + s['kernel_drops'] == sent


# ---- subscribers that do not read


def test_many_slow_subscribers(captures, serve):
    """Forty of them, with 8 MB each at most: 256 MB in all at most. All are cut off and
    counted, and who reads gets everything."""
    p = serve('-i', captures('dns'), '--stay', '--no-dpi').listening()
    slow, text, got = [], 'z' * 100000, 0
    with p.client() as c:
        before, cut = p.rss_kb(), counters(c)['resp_cut_off']
        for _ in range(40):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(('127.0.0.1', p.port))
            s.sendall(b'SUBSCRIBE ch\r\n')
            slow.append(s)
        wait_until(lambda: c.pubsub_numsub('ch')[0][1] == 40, 20)
        fast = c.pubsub(ignore_subscribe_messages=True)
        fast.subscribe('ch')
        wait_until(lambda: c.pubsub_numsub('ch')[0][1] == 41, 20)
        most = n = 0
        while n < 400:
            heard = c.publish('ch', text)
            n += 1
            # the answer to SUBSCRIBE was none to be handed on
            while (m := fast.get_message(timeout=10 * SLOW)) is None:
                pass
            got += len(m['data']) == len(text)
            most = max(most, p.rss_kb())
            if heard == 1:
                break
        assert heard == 1 and got == n > 40
        assert counters(c)['resp_cut_off'] == cut + 40
        assert SANITIZED or most - before < (256 + 64) << 10, most - before
        fast.close()
    for s in slow:
        s.close()
    p.finish().ok()


@pytest.mark.skipif(SANITIZED, reason='memory of a sanitized build says nothing')
def test_memory_comes_back(captures, serve):
    """A queue of small pieces, between which others are made that stay, is given back when
    it is gone."""
    p = serve('-i', captures('dns'), '--stay', '--no-dpi').listening()
    with p.client() as c, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(('127.0.0.1', p.port))
        slow.sendall(b'SUBSCRIBE ch\r\n')
        wait_until(lambda: c.pubsub_numsub('ch')[0][1] == 1, 20)
        before = most = p.rss_kb()
        stays, heard, n = c.pubsub(), [1], 0
        while heard[-1] == 1:
            with c.pipeline(transaction=False) as pipe:
                for _ in range(1000):
                    pipe.publish('ch', 'z' * 100)
                heard = pipe.execute()
            most = max(most, p.rss_kb())
            n += 1
            stays.subscribe('stays%d' % n)
        assert most - before > 6 << 10, most - before
        wait_until(lambda: p.rss_kb() - before < (most - before) // 3, 20)
        stays.close()
    p.finish().ok()


# ---- a million keys


KEYS = 100000 if SANITIZED else 1000000


def test_million_keys(tmp_path, serve):
    """As many hosts as --max-keys, and a tenth more, who share ip.other: nothing is missing in
    sum, memory is what README says, and questions are answered."""
    path, half = tmp_path / 'hosts.pcap', KEYS * 11 // 20
    frame = bytearray(live.frame('10.0.0.0', '11.0.0.0', 17, 4000, 5000, 4))
    record = bytearray(struct.pack('<IIII', 1700000000, 0, len(frame), len(frame)) + frame)
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(half):  # each a packet between two who are met only here
            struct.pack_into('>II', record, 16 + 26, (10 << 24) + i, (11 << 24) + i)
            f.write(record)
    p = serve('-i', path, '--stay', '--no-dpi', '-M', 16384, '--max-keys', KEYS, '--plugin', 'none', *FOREVER)
    p.listening()
    with p.client() as c:
        before = p.rss_kb()

        def others():
            host = c.hgetall('ip.other')
            return int(host.get('pktsSent', 0)) + int(host.get('pktsRcvd', 0))
        # It is asked while it reads, too.
        wait_until(lambda: others() == 2 * half - KEYS, 90, 'for the file to be read')
        assert c.dbsize() >= KEYS
        found = counters(c)
        assert found['cloud_other'] > 0 and found['cloud_no_room'] == 0
        late = KEYS * 2 // 5  # one of the last that got a key
        for address in '10.0.0.9', '11.0.1.2', '10.%d.%d.%d' % (late >> 16, late >> 8 & 255, late & 255):
            host = c.hgetall('ip.' + address)
            assert int(host.get('pktsSent', 0)) + int(host.get('pktsRcvd', 0)) == 1, (address, host)
        cursor, seen = 0, set()
        for _ in range(50):
            cursor, keys = c.scan(cursor, match='ip.*', count=1000)
            seen.update(keys)
        assert cursor != 0 and len(seen) > 10000
        assert len(c.keys('ip.10.0.0.*')) == 256
        assert len(c.execute_command('TOP', 'ip', 'bytes', 10)) >= 10
        grown = p.rss_kb() - before
        print('%d keys: %d kB, %d octets each' % (c.dbsize(), grown, (grown << 10) // c.dbsize()))
        assert SANITIZED or grown << 10 < 700 * c.dbsize()
    s = p.finish(30).ok().summary.check()
    assert s['packets'] == half
