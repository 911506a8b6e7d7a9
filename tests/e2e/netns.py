# SPDX-License-Identifier: BSD-3-Clause
"""Two network namespaces joined by veth pairs, for tests of live capture.

    with netns.Rig() as rig:
        probe = rig.popen("probe", ["tcpdump", "-i", rig.capture[0]])
        rig.run("traffic", ["tcpreplay", "-i", rig.send[0], "x.pcap"])

Nothing but the test's own packets is on such a link: no addresses, no IPv6
autoconfiguration, no offloads. Names carry the process id, so runs do not meet. Needs
root; available() says why it cannot be done.
"""
import itertools
import os
import shutil
import subprocess

MTU = 65535
_serial = itertools.count()


def _quiet(argv, **kw):
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw
    )


def _must(argv):
    r = _quiet(argv)
    if r.returncode != 0:
        raise OSError("%s: %s" % (" ".join(argv), r.stdout.strip()))


def available():
    """None, or the reason why there can be no rig."""
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("ip") is None:
        return "needs ip(8) of iproute2"
    try:
        with Rig():
            return None
    except OSError as e:
        return "the kernel refuses: %s" % e


class Rig:
    """SIDES "traffic" and "probe"; pair I is send[I] in the one, capture[I] in the other."""

    def __init__(self, pairs=1):
        tag = "%d.%d" % (os.getpid(), next(_serial))
        self.ns = {"traffic": "mcpt" + tag, "probe": "mcpp" + tag}
        # 15 characters is all an interface's name may have.
        short = "%x" % (os.getpid() & 0xFFFFFF)
        self.send = ["mt%s.%d" % (short, i) for i in range(pairs)]
        self.capture = ["mc%s.%d" % (short, i) for i in range(pairs)]
        self.children = []

    def __enter__(self):
        try:
            for name in self.ns.values():
                _must(["ip", "netns", "add", name])
                self._sysctl(name, "default")
                self._sysctl(name, "all")
            for i in range(len(self.send)):
                self.join(i)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    def _sysctl(self, name, interface):
        """No neighbour discovery, no router solicitation: silence."""
        _quiet(
            ["ip", "netns", "exec", name, "sh", "-c",
             "echo 1 > /proc/sys/net/ipv6/conf/%s/disable_ipv6" % interface]
        )

    def join(self, i=0):
        """Make pair I, again if it was deleted."""
        a, b = self.send[i], self.capture[i]
        sides = ((self.ns["traffic"], a), (self.ns["probe"], b))
        _must(
            ["ip", "link", "add", a, "netns", self.ns["traffic"], "type", "veth",
             "peer", "name", b, "netns", self.ns["probe"]]
        )
        for name, interface in sides:
            self._sysctl(name, interface)
            _quiet(["ip", "-n", name, "link", "set", interface, "mtu", str(MTU)])
            if shutil.which("ethtool"):
                _quiet(
                    ["ip", "netns", "exec", name, "ethtool", "-K", interface,
                     "gro", "off", "gso", "off", "tso", "off", "tx", "off", "rx", "off"]
                )
            _must(["ip", "-n", name, "link", "set", interface, "up"])

    def delete(self, i=0):
        _must(["ip", "-n", self.ns["probe"], "link", "del", self.capture[i]])

    def set_link(self, state, i=0):
        """STATE "up" or "down", of the capturing end."""
        _must(["ip", "-n", self.ns["probe"], "link", "set", self.capture[i], state])

    def ifindex(self, i=0):
        r = self.run("probe", ["cat", "/sys/class/net/%s/ifindex" % self.capture[i]])
        return int(r.stdout)

    def run(self, side, argv, **kw):
        """Run to the end; .stdout holds both streams as text."""
        return _quiet(["ip", "netns", "exec", self.ns[side]] + [str(a) for a in argv], **kw)

    def popen(self, side, argv, **kw):
        """Start; ip(8) execs the program, so .pid is its own. Killed when the rig goes."""
        p = subprocess.Popen(
            ["ip", "netns", "exec", self.ns[side]] + [str(a) for a in argv], **kw
        )
        self.children.append(p)
        return p

    def close(self):
        for p in self.children:
            if p.poll() is None:
                p.kill()
            p.wait()
        self.children = []
        # An interface goes with its namespace, but not at once: delete it by name first.
        for interface in self.send:
            _quiet(["ip", "-n", self.ns["traffic"], "link", "del", interface])
        for name in self.ns.values():
            _quiet(["ip", "netns", "del", name])
