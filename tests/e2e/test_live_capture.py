# SPDX-License-Identifier: BSD-3-Clause
"""The probe on living interfaces: veth pairs in namespaces of the test's own.

Traffic is replayed from captures the test writes, so what must be counted is known
beforehand. Needs root and tcpreplay; where these are missing the tests say so.
"""
import collections
import ipaddress
import json
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import time

import pytest

import netns
from conftest import CORPUS, FOREVER, PROBE, SLOW, Result

TEMPLATE = (
    "%PROTOCOL %IPV4_SRC_ADDR %IPV4_DST_ADDR %IPV6_SRC_ADDR %IPV6_DST_ADDR "
    "%L4_SRC_PORT %L4_DST_PORT %IN_PKTS %IN_BYTES %OUT_PKTS %OUT_BYTES %INPUT_SNMP"
)


def _why_not():
    if shutil.which("tcpreplay") is None:
        return "needs tcpreplay"
    return netns.available()


_reason = _why_not()
pytestmark = pytest.mark.skipif(_reason is not None, reason=str(_reason))


# ---- captures


def frame(src, dst, proto, sport, dport, payload):
    """An Ethernet frame to a station nobody is, so that nobody answers."""
    if proto == 6:
        l4 = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 0x50, 0x10, 1000, 0, 0)
    else:
        l4 = struct.pack(">HHHH", sport, dport, 8 + payload, 0)
    l4 += bytes(payload)
    s, d = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if s.version == 4:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(l4), 1, 0, 64, proto, 0)
        etype = 0x0800
    else:
        ip = struct.pack(">IHBB", 0x60000000, len(l4), proto, 64)
        etype = 0x86DD
    mac = bytes.fromhex("02deadbeef01" "02deadbeef02")
    return mac + struct.pack(">H", etype) + ip + s.packed + d.packed + l4


def write_capture(path, flows, packets, seed=1):
    """A capture of PACKETS packets in FLOWS flows; returns its totals as totals() has them."""
    rng = random.Random(seed)
    out = collections.defaultdict(lambda: [0, 0])
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(packets):
            n = rng.randrange(flows)
            proto = 6 if n % 2 else 17
            if n % 3:
                ends = ["10.%d.%d.%d" % (seed, n >> 8, n & 255), "192.0.2.1"]
            else:
                ends = ["2001:db8:%d::%x" % (seed, n + 1), "2001:db8::1"]
            ports = [20000 + n % 40000, 8000 + n % 7]
            if rng.random() < 0.4:
                ends.reverse()
                ports.reverse()
            data = frame(ends[0], ends[1], proto, ports[0], ports[1], rng.randrange(0, 1200))
            f.write(struct.pack("<IIII", 1700000000, i, len(data), len(data)) + data)
            cell = out[(proto, ends[0], ports[0], ends[1], ports[1])]
            cell[0] += 1
            cell[1] += len(data) - 14
    return dict(out)


def totals(path):
    """Packets and octets by protocol, source and destination: both ways of each record."""
    out = collections.defaultdict(lambda: [0, 0])
    for r in records(path):
        src = r.get("IPV4_SRC_ADDR") or r.get("IPV6_SRC_ADDR")
        dst = r.get("IPV4_DST_ADDR") or r.get("IPV6_DST_ADDR")
        a, b = (src, r.get("L4_SRC_PORT", 0)), (dst, r.get("L4_DST_PORT", 0))
        for way, x, y in (("IN", a, b), ("OUT", b, a)):
            if r.get(way + "_PKTS", 0):
                cell = out[(r["PROTOCOL"],) + x + y]
                cell[0] += r[way + "_PKTS"]
                cell[1] += r[way + "_BYTES"]
    return dict(out)


def records(path):
    try:
        with open(path) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
    except FileNotFoundError:
        return []


def add(*many):
    out = collections.defaultdict(lambda: [0, 0])
    for one in many:
        for key, (packets, octets) in one.items():
            out[key][0] += packets
            out[key][1] += octets
    return dict(out)


def times(one, n):
    return {key: [packets * n, octets * n] for key, (packets, octets) in one.items()}


def packets_in(one):
    return sum(packets for packets, octets in one.values())


# ---- running things


class Running:
    """A probe in the rig, its log and its records."""

    def __init__(self, rig, tmp_path, options, interfaces=None, by=()):
        self.json = tmp_path / "live.json"
        self.logfile = tmp_path / "live.log"
        argv = [*by, str(PROBE)]
        for name in interfaces or rig.capture[:1]:
            argv += ["-i", name]
        argv += ["--json", str(self.json), "-T", TEMPLATE, "--no-dpi"] + options
        with open(self.logfile, "w") as log:
            self.p = rig.popen("probe", argv, stdout=log, stderr=log)
        self.rig = rig
        workers = int(options[options.index("--workers") + 1]) if "--workers" in options else 1
        self._wait_until_it_captures(workers, workers * len(interfaces or [0]))

    def log(self):
        return self.logfile.read_text(errors="replace")

    def _wait_until_it_captures(self, workers, sockets):
        """Its sockets are bound, it is root no more, its threads are there."""
        proc = pathlib.Path("/proc/%d" % self.p.pid)
        end = time.monotonic() + 10 * SLOW
        while time.monotonic() < end:
            assert self.p.poll() is None, "the probe ended at once: " + self.log()
            bound = [
                line for line in (proc / "net" / "packet").read_text().splitlines()[1:]
                if line.split()[5] == "1"
            ]
            status = (proc / "status").read_text()
            uid = int(re.search(r"Uid:\s+(\d+)", status).group(1))
            threads = int(re.search(r"Threads:\s+(\d+)", status).group(1))
            if len(bound) >= sockets and uid != 0 and threads > workers:
                time.sleep(0.1)
                return
            time.sleep(0.02)
        raise AssertionError("does not capture after 10 s: " + self.log())

    def stop(self, within=5.0):
        """SIGTERM; the seconds it took."""
        start = time.monotonic()
        self.p.send_signal(signal.SIGTERM)
        try:
            status = self.p.wait(within * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError("still there %.0f s after SIGTERM: %s" % (within, self.log()))
        took = time.monotonic() - start
        assert status == 0, "ended with %d: %s" % (status, self.log())
        self.summary = Result(status, b"", self.logfile.read_bytes()).summary.check()
        return took


def replay(rig, path, i=0, *options):
    """Send PATH; the number of packets that went out."""
    r = rig.run("traffic", ["tcpreplay", "-i", rig.send[i], *options, path])
    assert r.returncode == 0, r.stdout
    failed = re.search(r"Failed packets:\s+(\d+)", r.stdout)
    assert failed is None or failed.group(1) == "0", r.stdout
    return int(re.search(r"Successful packets:\s+(\d+)", r.stdout).group(1))


def settle():
    """The kernel gives a block of its ring at the latest after 100 ms."""
    time.sleep(0.5)


def read_file(path, tmp_path):
    out = tmp_path / "file.json"
    r = subprocess.run(
        [str(PROBE), "-i", str(path), "--json", str(out), "-T", TEMPLATE, "--no-dpi"] + FOREVER,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )
    assert r.returncode == 0, r.stdout
    return totals(out)


def real_capture(name):
    path = CORPUS / "dev" / name
    if not path.exists():
        pytest.skip("no capture %s at hand (set MCPROBE_CORPUS)" % name)
    return path


# ---- tests


@pytest.mark.parametrize("workers", [1, 2])
def test_same_as_file(tmp_path, workers):
    """What is captured live is what reading the file gives, and what was sent."""
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=300, packets=5000)
    assert read_file(pcap, tmp_path) == sent
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER + ["--workers", str(workers)])
        assert replay(rig, pcap, 0, "--pps=20000") == 5000
        settle()
        probe.stop()
        assert totals(probe.json) == sent


@pytest.mark.parametrize("name", ["ndpi-1kxun.pcap", "zeek-http-qinq-0.pcap", "dsc-dns6.pcap"])
def test_real_capture(tmp_path, name):
    pcap = real_capture(name)
    expected = read_file(pcap, tmp_path)
    assert expected
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER)
        replay(rig, pcap, 0, "--pps=10000")
        settle()
        probe.stop()
        assert totals(probe.json) == expected


def test_filter_and_snaplen(tmp_path):
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=50, packets=1000)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER + ["-f", "ip6 and udp", "-s", "96"])
        replay(rig, pcap, 0, "--pps=20000")
        settle()
        probe.stop()
        assert totals(probe.json) == {
            k: v for k, v in sent.items() if k[0] == 17 and ":" in k[1]
        }


@pytest.mark.parametrize("workers", [1, 2])
def test_every_packet_accounted(tmp_path, workers):
    """At 100 kpps: what was sent is what was counted plus what the kernel says it dropped."""
    pcap = tmp_path / "x.pcap"
    loops = 30
    one = write_capture(pcap, flows=2000, packets=10000)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER + ["--workers", str(workers)])
        sent = replay(rig, pcap, 0, "--preload-pcap", "--loop=%d" % loops, "--pps=100000")
        time.sleep(1.5)
        probe.stop()
        counted = packets_in(totals(probe.json))
        dropped = probe.summary["kernel_drops"]
        print("sent %d, counted %d, dropped by the kernel %d" % (sent, counted, dropped))
        assert sent == loops * 10000
        assert counted + dropped == sent
        assert probe.summary["packets"] == counted
        if dropped == 0:
            assert totals(probe.json) == times(one, loops)


def test_idle_interface_ends_at_once(tmp_path):
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, [])
        time.sleep(1)
        assert probe.stop() < 2 * SLOW
        assert records(probe.json) == []


def test_no_packet_twice(tmp_path):
    """Queues that join the sharing of an interface one by one do not see a packet each."""
    pcap = tmp_path / "x.pcap"
    packets = 100000
    with open(pcap, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(packets):
            data = frame("10.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255), "192.0.2.1", 17, 5000, 6000, 30)
            f.write(struct.pack("<IIII", 1700000000, i, len(data), len(data)) + data)
    with netns.Rig() as rig:
        sender = rig.popen(
            "traffic", ["tcpreplay", "-q", "-i", rig.send[0], "--pps=50000", pcap],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        time.sleep(0.3)
        probe = Running(rig, tmp_path, FOREVER + ["--workers", "4"])
        assert sender.wait(60) == 0
        settle()
        probe.stop()
        counted = totals(probe.json)
        assert len(counted) > 1000
        assert {packets for packets, octets in counted.values()} == {1}


def test_last_packets_count(tmp_path):
    """What was on the wire before the signal is counted, though the kernel still had it."""
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=50, packets=500)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER)
        replay(rig, pcap, 0, "--topspeed")
        assert probe.stop() < 2 * SLOW
        assert totals(probe.json) == sent


def test_timers_run_while_idle(tmp_path):
    """A flow ends by the idle timeout though not a packet more comes."""
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=20, packets=100)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, ["-d", "2", "-t", "60", "-l", "1"])
        replay(rig, pcap, 0, "--topspeed")
        start = time.monotonic()
        while totals(probe.json) != sent and time.monotonic() - start < 10:
            time.sleep(0.05)
        took = time.monotonic() - start
        assert totals(probe.json) == sent
        assert 1.5 < took < 2 + 2 + 1
        probe.stop()
        assert totals(probe.json) == sent


def test_active_timeout_while_idle(tmp_path):
    """A flow that lives on is reported after its lifetime, silent or not."""
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=5, packets=50)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, ["-d", "600", "-t", "2", "-l", "1"])
        replay(rig, pcap, 0, "--topspeed")
        start = time.monotonic()
        while totals(probe.json) != sent and time.monotonic() - start < 10:
            time.sleep(0.05)
        assert time.monotonic() - start < 2 + 2 + 1
        probe.stop()
        assert totals(probe.json) == sent


def test_interface_down_and_up(tmp_path):
    """That is nothing to talk about."""
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=20, packets=200)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER)
        before = probe.log()
        replay(rig, pcap, 0, "--pps=20000")
        settle()
        rig.set_link("down")
        time.sleep(1.5)
        rig.set_link("up")
        time.sleep(0.5)
        replay(rig, pcap, 0, "--pps=20000")
        settle()
        assert probe.log() == before
        probe.stop()
        assert totals(probe.json) == times(sent, 2)


@pytest.mark.parametrize("how", ["deleted", "down, then deleted"])
@pytest.mark.parametrize("workers", [1, 2])
def test_interface_deleted_and_back(tmp_path, how, workers):
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=200, packets=1000)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER + ["--workers", str(workers)])
        replay(rig, pcap, 0, "--pps=20000")
        settle()
        if how != "deleted":
            rig.set_link("down")
            time.sleep(0.5)
        rig.delete()
        time.sleep(3.2)
        log = probe.log()
        told = re.findall(
            r"(?im)^.*%s.*(?:disappear|gone|lost).*$" % re.escape(rig.capture[0]), log
        )
        assert len(told) == 1, log
        rig.join()
        time.sleep(3.5)
        replay(rig, pcap, 0, "--pps=20000")
        settle()
        assert probe.stop() < 2 * SLOW
        assert totals(probe.json) == times(sent, 2), probe.log()
        assert probe.summary["kernel_drops"] == 0
        assert probe.summary["interface_lost"] == workers
        assert probe.summary["interface_back"] == workers


def test_ends_while_interface_is_gone(tmp_path):
    pcap = tmp_path / "x.pcap"
    sent = write_capture(pcap, flows=20, packets=200)
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, FOREVER)
        replay(rig, pcap, 0, "--pps=20000")
        settle()
        rig.delete()
        time.sleep(1.5)
        assert probe.stop() < 2 * SLOW
        assert totals(probe.json) == sent


@pytest.mark.parametrize("workers", [1, 2])
def test_two_interfaces(tmp_path, workers):
    """One probe on both; records say where their packets came in; one lost, one goes on."""
    a, b = tmp_path / "a.pcap", tmp_path / "b.pcap"
    sent_a = write_capture(a, flows=100, packets=2000, seed=1)
    sent_b = write_capture(b, flows=100, packets=3000, seed=2)
    with netns.Rig(pairs=2) as rig:
        probe = Running(
            rig, tmp_path, FOREVER + ["--workers", str(workers)], rig.capture
        )
        index = [rig.ifindex(0), rig.ifindex(1)]
        replay(rig, a, 0, "--pps=20000")
        replay(rig, b, 1, "--pps=20000")
        settle()
        rig.delete(0)
        replay(rig, b, 1, "--pps=20000")
        settle()
        probe.stop()
        assert totals(probe.json) == add(sent_a, sent_b, sent_b)
        came_in = collections.defaultdict(set)
        for r in records(probe.json):
            ends = [r.get(k) for k in r if k.endswith("_ADDR")]
            which = 1 if any(e.startswith(("10.2.", "2001:db8:2:")) for e in ends) else 0
            came_in[which].add(r["INPUT_SNMP"])
        assert came_in == {0: {index[0]}, 1: {index[1]}}


def test_privileges_dropped(tmp_path):
    """Not root, and of all capabilities only the one reopening an interface needs."""
    import pwd

    nobody = pwd.getpwnam("nobody").pw_uid
    with netns.Rig() as rig:
        probe = Running(rig, tmp_path, ["--workers", "2"])
        tasks = sorted(pathlib.Path("/proc/%d/task" % probe.p.pid).iterdir())
        assert len(tasks) >= 3
        for task in tasks:
            status = dict(
                line.split(":", 1) for line in (task / "status").read_text().splitlines()
            )
            assert {int(u) for u in status["Uid"].split()} == {nobody}
            assert 0 not in [int(g) for g in status["Gid"].split()]
            assert status["Groups"].split() in ([], [status["Gid"].split()[0]])
            for kind in ("CapEff", "CapPrm"):
                assert int(status[kind], 16) == 1 << 13, kind  # CAP_NET_RAW
            assert int(status["CapBnd"], 16) & ~(1 << 13) == 0
        probe.stop()


def test_no_such_interface(tmp_path):
    with netns.Rig() as rig:
        r = rig.run("probe", [str(PROBE), "-i", "nosuchif0", "--json", str(tmp_path / "j")], timeout=10)
        assert r.returncode != 0
        assert "nosuchif0" in r.stdout


def test_bad_filter(tmp_path):
    with netns.Rig() as rig:
        r = rig.run("probe", [str(PROBE), "-i", rig.capture[0], "-f", "no such thing"], timeout=10)
        assert r.returncode != 0
        assert "no such thing" in r.stdout
