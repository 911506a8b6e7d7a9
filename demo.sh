#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# demo.sh -- mcprobe at work in two minutes: build it, read a capture, send the flows to a
# real collector, look at them from both sides, and ask a running probe with redis-cli.
#
# usage: ./demo.sh [--no-install]
#
# On Debian as root it installs what it needs first. Everything it makes is in build/demo/
# and a temporary folder that goes at the end. Exit status 0: the collector counted the
# packets and octets as the probe, and the running probe answered.
set -u -o pipefail
cd "$(dirname "$0")" || exit 1
. tests/setup.sh

WORK=$(mktemp -d "${TMPDIR:-/tmp}/mcprobe-demo.XXXXXX") || exit 1
BUILD=$PWD/build/demo
COLLECTOR=
ASKED=
LISTENER=

finish()
{
	local pid
	for pid in $COLLECTOR $ASKED $LISTENER; do
		kill "$pid" 2>/dev/null
	done
	rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT TERM

BOLD= PLAIN=
[ ! -t 1 ] || BOLD=$'\033[1m' PLAIN=$'\033[0m'
title() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN"; }
die() { echo "demo: $*" >&2; exit 1; }

# quiet WHAT COMMAND...: its output only if it fails.
quiet()
{
	local what=$1
	shift
	printf '  %s ... ' "$what"
	if "$@" >"$WORK/log" 2>&1; then
		echo done
	else
		echo failed
		tail -n 25 "$WORK/log"
		exit 1
	fi
}

compile()
(
	rm -rf "$BUILD/obj"
	mkdir -p "$BUILD/obj" && cd "$BUILD/obj" && "$BUILD/src/configure" -q && make -s -j2
)

# Octets that wait in the receive buffer of UDP port $1 on this host; nothing if no
# process has the port.
waiting()
{
	awk -v port="$(printf ':%04X' "$1")" \
	    'index($2, port) == 9 { split($5, q, ":"); print q[2] }' /proc/net/udp
}

# until_true SECONDS COMMAND...
until_true()
{
	local n=$(($1 * 20))
	shift
	until "$@"; do
		n=$((n - 1))
		[ $n -gt 0 ] || return 1
		sleep 0.05
	done
}

listening() { [ -n "$(waiting "$1")" ]; }
drained() { [ "$(waiting "$1")" = 00000000 ]; }

# value NAME: from the probe's summary, 0 if it is not there.
value() { awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }' "$WORK/summary"; }

case ${1-} in
--no-install) ;;
'') install_packages $BUILD_PACKAGES python3 nfdump redis-tools || die "cannot go on without these" ;;
*) sed -n 's/^# \{0,1\}//; 3,10p' "$0"; exit 2 ;;
esac
for tool in python3 nfcapd nfdump redis-cli; do
	command -v $tool >/dev/null || die "$tool is missing"
done

title "1. Build"
quiet "copying the sources to build/demo/src" copy_sources "$BUILD/src"
quiet "configure and make in build/demo/obj" compile
PROBE=$BUILD/obj/mcprobe
"$PROBE" --version || exit 1

title "2. A capture: web, DNS, TLS, SSH, RADIUS, tunnels, a port scan"
python3 tests/gen/traffic.py -o "$WORK/demo.pcap" || exit 1
printf '  %s octets\n' "$(stat -c %s "$WORK/demo.pcap")"

title "3. A collector (nfcapd), and the probe sending it NetFlow v9"
PORT=$(python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])') || exit 1
mkdir "$WORK/flows"
nfcapd -b 127.0.0.1 -p "$PORT" -l "$WORK/flows" >"$WORK/nfcapd.log" 2>&1 &
COLLECTOR=$!
until_true 5 listening "$PORT" || { cat "$WORK/nfcapd.log"; die "nfcapd does not listen"; }

TEMPLATE='@DEFAULT@ %L7_PROTO_NAME %L7_INFO'
printf '  $ mcprobe -i demo.pcap -n 127.0.0.1:%s -V 9 -T "%s" --json flows.json\n' \
    "$PORT" "$TEMPLATE"
"$PROBE" -i "$WORK/demo.pcap" -n "127.0.0.1:$PORT" -V 9 -T "$TEMPLATE" \
    --json "$WORK/flows.json" 2>"$WORK/summary"
status=$?
sed 's/^/  /' "$WORK/summary"
[ $status = 0 ] || die "the probe ended with status $status"

until_true 5 drained "$PORT"
sleep 0.2
kill "$COLLECTOR"
wait "$COLLECTOR" 2>/dev/null
COLLECTOR=

title "4. The collector's view: the largest of the flows nfdump found"
echo "  proto      seconds          source           destination             flags" \
    "     packets out, in        octets out, in"
nfdump -R "$WORK/flows" -q -N -O bytes -c 20 \
    -o 'fmt:%pr %td %sap -> %dap %flg %ipkt %opkt %ibyt %obyt' 2>/dev/null

title "5. The probe's own view: flows as JSON"
python3 - "$WORK/flows.json" "$BOLD" "$PLAIN" <<'END'
import collections, json, sys
flows = [json.loads(line) for line in open(sys.argv[1])]
shown, seen = [], set()
for f in sorted(flows, key=lambda f: -f.get('IN_BYTES', 0) - f.get('OUT_BYTES', 0)):
    name = f.get('L7_PROTO_NAME', 'unknown').split('.')[0]
    if name not in seen and len(shown) < 2:
        seen.add(name)
        shown.append(f)
for f in shown:
    print('  {')
    items = list(f.items())
    for i, (k, v) in enumerate(items):
        print('    %s: %s%s' % (json.dumps(k), json.dumps(v), ',' if i < len(items) - 1 else ''))
    print('  }')
top = collections.Counter()
count = collections.Counter()
for f in flows:
    name = f.get('L7_PROTO_NAME', 'unknown')
    top[name] += f.get('IN_BYTES', 0) + f.get('OUT_BYTES', 0)
    count[name] += 1
print('\n%s6. Top applications%s' % tuple(sys.argv[2:]))
print('  %-28s %6s %10s' % ('application', 'flows', 'octets'))
for name, octets in top.most_common(10):
    print('  %-28s %6d %10d' % (name, count[name], octets))
END

title "7. Do they agree?"
nfdump -R "$WORK/flows" -N -q -I >"$WORK/ident" 2>/dev/null
packets=$(awk '$1 == "Packets:" { print $2 }' "$WORK/ident")
octets=$(awk '$1 == "Bytes:" { print $2 }' "$WORK/ident")
printf '  %-10s %10s packets %12s octets\n' \
    mcprobe "$(value record_packets)" "$(value record_bytes)" \
    nfdump "${packets:-?}" "${octets:-?}"
[ "$packets" = "$(value record_packets)" ] && [ "$octets" = "$(value record_bytes)" ] &&
    [ "$(value packets)" -gt 0 ] || die "the collector's totals are not the probe's"
echo "  yes."

title "8. Ask a running probe: the capture again, at four times its pace"
RESP=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])') || exit 1
# Show a command as typed, run it, show at most $1 lines of its answer.
ask()
{
	local lines=$1
	shift
	printf '\n  $ redis-cli -p %s %s\n' "$RESP" "$*"
	redis-cli --no-raw -p "$RESP" "$@" >"$WORK/answer" || die "redis-cli failed"
	[ -s "$WORK/answer" ] || die "there is no answer"
	sed "s/^/  /; ${lines}q" "$WORK/answer"
	[ "$(wc -l <"$WORK/answer")" -le "$lines" ] || echo "  ..."
}
answers() { [ "$(redis-cli -p "$RESP" ping 2>/dev/null)" = PONG ]; }
has_flow() { [ -n "$(flow_key)" ]; }
flow_key() { redis-cli -p "$RESP" keys 'flow.tcp.192.168.*' | head -n 1; }
finished() { [ "$(redis-cli -p "$RESP" info capture | tr -d '\r' |
    sed -n 's/^packets://p')" = "$(value packets)" ]; }
printf '  $ mcprobe -i demo.pcap --speed 4 --stay --resp %s &\n' "$RESP"
"$PROBE" -i "$WORK/demo.pcap" --speed 4 --stay --resp "$RESP" -L 192.168.0.0/16 \
    2>"$WORK/asked.log" &
ASKED=$!
until_true 10 answers || { cat "$WORK/asked.log"; die "the probe does not answer"; }
printf '  $ redis-cli -p %s subscribe flow.new &\n' "$RESP"
redis-cli -p "$RESP" subscribe flow.new >"$WORK/events" 2>&1 &
LISTENER=$!
until_true 10 has_flow || die "there are no live flows"
ask 40 hgetall "$(flow_key)"
until_true 20 finished || die "the file did not come to its end"
sleep 0.3
ask 8 keys 'ip.192.168.*'
ask 24 hgetall ip.192.168.10.13
ask 10 top ip bytes 5
ask 10 top proto bytes 5
ask 6 --scan --pattern 'flow.udp.*'
printf '\n  what the subscription got, one flow of %s:\n' "$(grep -c '^{' "$WORK/events")"
grep -m 1 '^{' "$WORK/events" | fold -w 76 | sed 's/^/  /'
grep -q '^{.*"flow":"flow\.' "$WORK/events" || die "the subscription got nothing"
kill -TERM "$ASKED"
wait "$ASKED" || { cat "$WORK/asked.log"; die "the probe ended with status $?"; }
ASKED=

title "Where to go next"
cat <<END
  README.md                              what mcprobe is, and the tour
  man $BUILD/obj/man/mcprobe.8
                                         every option
  $PROBE --help
  sudo $PROBE -i eth0 --json - -T "@DEFAULT@ %L7_PROTO_NAME"
                                         the same, live; Ctrl-C ends it and flushes
  $PROBE -i FILE.pcap --stay   and then   redis-cli -p 6380
                                         keys, live flows, TOP, SUBSCRIBE
  man $BUILD/obj/man/mcprobe-cloud.7     every key, channel and command
  redis-scripts/README.md                Python programs: top talkers, alerts, time series
  $PROBE --fields
                                         what can stand in -T
  ./check.sh                             every build and every test
END
