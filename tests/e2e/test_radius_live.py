# SPDX-License-Identifier: BSD-3-Clause
"""A FreeRADIUS server and radclient, captured as they speak: a user's session from
Access-Request to Stop as events, as keys here and on a real Redis, and on the flow his
address sends meanwhile. All in network namespaces of the test's own, on the standard ports;
the server's configuration is the test's."""
import shutil
import signal
import subprocess

import pytest

import conftest
import netns
from cloud import RedisServer, Served, lines_of, wait_until

for program in ('freeradius', 'radclient'):
    if shutil.which(program, path='/usr/sbin:/usr/bin:/sbin:/bin') is None:
        pytest.skip('needs ' + program, allow_module_level=True)
reason = netns.available()
if reason:
    pytest.skip(reason, allow_module_level=True)

NAS, SERVER, SECRET = '10.99.0.1', '10.99.0.2', 'only for this test'
FREERADIUS = shutil.which('freeradius', path='/usr/sbin:/usr/bin')
SIX = '2001:db8:6::9'
PREFIX, DELEGATED = '2001:db8:5::/64', '2001:db8:50::/56'

CONFIG = '''
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = %(dir)s
localstatedir = %(dir)s
logdir = %(dir)s
run_dir = %(dir)s
pidfile = %(dir)s/radiusd.pid
log {
	destination = files
	file = %(dir)s/radius.log
}
security {
	allow_core_dumps = no
	max_attributes = 200
	reject_delay = 0
	status_server = no
}
client nas {
	ipaddr = %(nas)s
	secret = "%(secret)s"
}
modules {
	pap {
	}
	files {
		usersfile = %(dir)s/users
	}
	always ok {
		rcode = ok
	}
}
server test {
	listen {
		type = auth
		ipaddr = %(server)s
		port = 1812
	}
	listen {
		type = acct
		ipaddr = %(server)s
		port = 1813
	}
	listen {
		type = coa
		ipaddr = %(server)s
		port = 3799
	}
	authorize {
		files
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
	}
	accounting {
		ok
	}
	recv-coa {
		ok
	}
	send-coa {
		ok
	}
}
'''

USERS = '''
bob	Cleartext-Password := "hello"
	Framed-IP-Address = 10.1.0.5,
	Framed-IPv6-Address = %s,
	Framed-IPv6-Prefix = %s,
	Delegated-IPv6-Prefix = %s
''' % (SIX, PREFIX, DELEGATED)


class Net:
    """The NAS's side and the server's, where the probe listens."""

    def __init__(self, rig, folder):
        self.rig, self.folder = rig, folder
        for side, interface, address in (('traffic', rig.send[0], NAS), ('probe', rig.capture[0], SERVER)):
            for argv in (['addr', 'add', address + '/24', 'dev', interface], ['link', 'set', 'lo', 'up']):
                r = rig.run(side, ['ip', *argv])
                assert r.returncode == 0, r.stdout
        rig.run('traffic', ['ip', 'addr', 'add', '10.1.0.5/32', 'dev', rig.send[0]])
        (folder / 'radiusd.conf').write_text(CONFIG % dict(dir=folder, nas=NAS, server=SERVER, secret=SECRET))
        (folder / 'users').write_text(USERS)
        (folder / 'dictionary').write_text('$INCLUDE /usr/share/freeradius/dictionary\n')
        self.log = open(folder / 'freeradius.out', 'wb')
        self.process = rig.popen('probe', [FREERADIUS, '-f', '-d', folder], stdout=self.log,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until(self.ready, 20, 'for freeradius')

    def ready(self):
        said = ''.join(p.read_text(errors='replace') for p in (self.folder / 'radius.log',
                                                               self.folder / 'freeradius.out') if p.exists())
        assert self.process.poll() is None, said[-1500:]
        return 'Ready to process requests' in said

    def say(self, kind, port, *attributes, more=()):
        """radclient: what it was answered."""
        text = ''.join('%s\n' % a for a in attributes)
        r = self.rig.run('traffic', ['radclient', '-x', '-r', 1, '-t', 5, *more, '%s:%d' % (SERVER, port), kind,
                                     SECRET], input=text)
        return r.stdout

    def account(self, status, session='s1', user='bob', *attributes, **kw):
        out = self.say('acct', 1813, 'Acct-Status-Type = ' + status, 'Acct-Session-Id = "%s"' % session,
                       'User-Name = "%s"' % user, 'NAS-IP-Address = ' + NAS, 'Calling-Station-Id = "02-01"',
                       *attributes, **kw)
        assert 'Received Accounting-Response' in out, out


@pytest.fixture
def net(tmp_path):
    folder = tmp_path / 'raddb'
    folder.mkdir(mode=0o700)
    with netns.Rig() as rig:
        n = Net(rig, folder)
        yield n
        n.process.kill()
        n.process.wait()
        n.log.close()


class LiveProbe(Served):
    """mcprobe in the server's namespace; clients reach it by a socket in the file system."""

    def __init__(self, net, *args, resp):
        real, conftest.PROBE = conftest.PROBE, 'ip'  # which execs it: the process is the probe's own
        try:
            super().__init__('netns', 'exec', net.rig.ns['probe'], real, '-i', net.rig.capture[0], '--user', 'root',
                             *args, resp=resp)
        finally:
            conftest.PROBE = real


@pytest.fixture
def live(net, tmp_path):
    s = RedisServer(tmp_path / 'redis', unix=True)
    p = LiveProbe(net, '--no-dpi', '--redis', s.address, '--probe-id', 'live', '--user-grace', '3',
                  '--events', tmp_path / 'events', '--publish', 'radius,user', '-d', '1', '--json', tmp_path / 'flows',
                  '-T', '%IPV4_SRC_ADDR %L4_DST_PORT %IN_PKTS %FLOW_USER_NAME', resp='unix:%s' % (tmp_path / 'resp'))
    try:
        p.listening()
        yield p, s.client(), tmp_path
    finally:
        p.end()
        s.end()


def events_of(folder, channel):
    return [e['data'] for e in lines_of(folder / 'events') if e['channel'] == channel]


def test_session(net, live):
    p, node, folder = live
    with p.client() as own:
        def both(what):
            wait_until(lambda: what(own), 10, 'for the probe')
            wait_until(lambda: what(node), 10, 'for the node')

        # access: the addresses come with the Access-Accept
        out = net.say('auth', 1812, 'User-Name = "bob"', 'User-Password = "hello"', 'NAS-IP-Address = ' + NAS,
                      'Calling-Station-Id = "02-01"')
        assert 'Received Access-Accept' in out, out
        both(lambda c: c.get('user.ip.10.1.0.5') == 'bob')
        both(lambda c: c.get('user.ip.' + SIX) == 'bob' and c.get('user.net.' + PREFIX) == 'bob' and
             c.get('user.net.' + DELEGATED) == 'bob')
        assert sorted(own.execute_command('WHERE', 'bob')) == sorted(['10.1.0.5', SIX, PREFIX, DELEGATED])
        for address in ('10.1.0.5', SIX, '2001:db8:5::77', '2001:db8:50:12::1'):
            assert own.execute_command('WHO', address) == 'bob'
        assert own.execute_command('WHO', '2001:db8:51::1') is None

        # start, interim with gigawords; nothing new is gained
        net.account('Start', 's1', 'bob', 'Framed-IP-Address = 10.1.0.5')
        both(lambda c: c.hget('user.bob', 'session') == 's1')
        net.account('Interim-Update', 's1', 'bob', 'Framed-IP-Address = 10.1.0.5', 'Acct-Input-Octets = 5',
                    'Acct-Input-Gigawords = 1', 'Acct-Output-Octets = 7')
        assert node.hget('user.bob', 'nas') == NAS and node.hget('user.bob', 'calling') == '02-01'
        assert node.ttl('user.bob') == own.ttl('user.bob') == -1

        # his address sends something
        r = net.rig.run('traffic', ['python3', '-c', '''
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.1.0.5", 0))
for i in range(3):
    s.sendto(b"x" * 50, ("%s", 4321))
''' % SERVER])
        assert r.returncode == 0, r.stdout
        wait_until(lambda: [x for x in lines_of(folder / 'flows') if x.get('L4_DST_PORT') == 4321], 20)
        flow = [x for x in lines_of(folder / 'flows') if x.get('L4_DST_PORT') == 4321][0]
        assert flow['FLOW_USER_NAME'] == 'bob' and flow['IN_PKTS'] == 3
        both(lambda c: c.hget('user.bob', 'pktsSent') == '3')

        # another session of his, by another name of station, and its end
        net.account('Start', 's2', 'bob', 'Framed-IP-Address = 10.1.0.6')
        both(lambda c: c.get('user.ip.10.1.0.6') == 'bob')
        net.account('Stop', 's2', 'bob', 'Framed-IP-Address = 10.1.0.6')
        both(lambda c: c.hget('user.bob', 'ip.10.1.0.6') is None)
        assert node.ttl('user.bob') == -1 and 0 <= node.ttl('user.ip.10.1.0.6') <= 3

        # stop
        net.account('Stop', 's1', 'bob', 'Framed-IP-Address = 10.1.0.5', 'Acct-Input-Octets = 10',
                    'Acct-Input-Gigawords = 2', 'Acct-Output-Octets = 20', 'Acct-Session-Time = 33')
        both(lambda c: 0 <= c.ttl('user.bob') <= 3 and 0 <= c.ttl('user.ip.10.1.0.5') <= 3)
        both(lambda c: not c.keys('user.bob') and not c.keys('user.ip.*') and not c.keys('user.net.*'))
        assert own.execute_command('WHO', '10.1.0.5') is None

    p.finish()
    logins = sorted(e['ip'] for e in events_of(folder, 'user.login'))
    assert logins == sorted(['10.1.0.5', SIX, PREFIX, DELEGATED, '10.1.0.6'])
    logouts = events_of(folder, 'user.logout')
    assert sorted(e['ip'] for e in logouts) == logins
    last = [e for e in logouts if e['ip'] == '10.1.0.5'][0]
    assert (last['inOctets'], last['outOctets'], last['seconds']) == (10 + (2 << 32), 20, 33)
    assert (last['user'], last['session'], last['nas'], last['calling']) == ('bob', 's1', NAS, '02-01')
    radius = events_of(folder, 'radius')
    assert [e['code'] for e in radius] == [1, 2] + [4, 5] * 5
    assert all(e['latencyUs'] > 0 for e in radius[1::2])
    assert [e['acctStatus'] for e in radius[2::2]] == ['Start', 'Interim-Update', 'Start', 'Stop', 'Stop']
    assert radius[4]['inOctets'] == 5 + (1 << 32) and radius[4]['outOctets'] == 7
    assert radius[1]['framedIp'] == '10.1.0.5' and radius[1]['framedIp6'] == SIX


def test_repeated(net, live):
    """The server is deaf for a while: what is sent again is an event each, and one login."""
    p, node, folder = live
    net.process.send_signal(signal.SIGSTOP)
    try:
        r = net.rig.popen('traffic', ['radclient', '-x', '-r', '4', '-t', '1', SERVER + ':1813', 'acct', SECRET],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        r.stdin.write(b'Acct-Status-Type = Start\nAcct-Session-Id = "s1"\nUser-Name = "bob"\n'
                      b'Framed-IP-Address = 10.1.0.5\n')
        r.stdin.close()
        wait_until(lambda: len(events_of(folder, 'radius')) >= 2, 10)
        wait_until(lambda: node.get('user.ip.10.1.0.5') == 'bob', 10)
    finally:
        net.process.send_signal(signal.SIGCONT)
    out = r.stdout.read()
    r.stdout.close()
    r.wait()
    assert b'Received Accounting-Response' in out, out
    assert p.finish().summary['radius_repeated'] >= 1
    assert len(events_of(folder, 'user.login')) == 1
    assert len([e for e in events_of(folder, 'radius') if e['code'] == 4]) >= 2


def test_nas_goes(net, live):
    """Accounting-Off ends all that the NAS has; a rejected user has nothing; a Disconnect is an
    event."""
    p, node, folder = live
    net.account('Start', 's1', 'bob', 'Framed-IP-Address = 10.1.0.5')
    net.account('Start', 's2', 'eve', 'Framed-IP-Address = 10.1.0.6', 'Framed-IPv6-Prefix = 2001:db8:7::/64')
    out = net.say('auth', 1812, 'User-Name = "mallory"', 'User-Password = "x"')
    assert 'Received Access-Reject' in out, out
    wait_until(lambda: node.get('user.net.2001:db8:7::/64') == 'eve', 10)
    assert not node.keys('user.mallory')
    net.say('disconnect', 3799, 'User-Name = "bob"', 'Acct-Session-Id = "s1"')
    out = net.say('acct', 1813, 'Acct-Status-Type = Accounting-Off', 'Acct-Session-Id = "0"', 'NAS-IP-Address = ' + NAS)
    assert 'Received Accounting-Response' in out, out
    wait_until(lambda: not node.keys('user.*'), 15, 'for the grace')
    p.finish()
    assert sorted(e['ip'] for e in events_of(folder, 'user.logout')) == ['10.1.0.5', '10.1.0.6', '2001:db8:7::/64']
    codes = [e['code'] for e in events_of(folder, 'radius')]
    assert 3 in codes and 40 in codes
