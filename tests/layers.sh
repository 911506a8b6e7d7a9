#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Who may include whom. Packets flow in -> hold -> out, and a room knows only what lies
# before it; one room each knows a foreign library. Prints TAP; exit 1 if a rule is broken.

cd "$(dirname "$0")/.." || exit 1

any='config counter log clock pool heart'
in='capture block decode frag packet'
hold='flowkey flow flowtable flowtcp flowaccount flowdelta dpi reorder'
out='field template export netflow5 netflow9 ipfix ipfixfile options_data message stream
    wire collector json dump outfile keyname cloud glob resp server client command
    communityid alive event node reader user sighting pattern watch watcher tls'
top='main probe plugin share worker live liveset post intake trace deal loop ring report privs
    sandbox supervise daemon'

n=0
status=0

# result BAD-LINES NAME
result()
{
	n=$((n + 1))
	if [ -z "$1" ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		echo "$1" | sed 's/^/# /'
		status=1
	fi
}

# The files of rooms: room.c, room.h, and their parts room_*.c, room_*.h.
files_of()
{
	for room; do
		for f in src/$room.[ch] src/${room}_*.[ch]; do
			[ -e "$f" ] && echo "$f"
		done
	done
}

# includes "ROOMS" "FORBIDDEN ROOMS": lines of the first that include the second.
includes()
{
	pattern=$(echo $2 | tr ' ' '|')
	grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*\"(src/)?($pattern)(_[a-z0-9_]+)?\.(h|def)\"" \
	    $(files_of $1) /dev/null
}

# only "ROOMS" "PATTERN": lines elsewhere that include what only ROOMS may.
only()
{
	mine=$(files_of $1 | tr '\n' ' ')
	for f in src/*.[ch]; do
		case " $mine" in
		*" $f "*) ;;
		*) grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$2" "$f" /dev/null ;;
		esac
	done
}

for room in $any $in $hold $out $top; do
	[ -n "$(files_of "$room")" ] || missing="$missing $room"
done
result "$missing" "every room has its files"
result "$(ls src/*.[ch] | grep -vxF "$(files_of $any $in $hold $out $top)")" \
    "every file belongs to a room that is listed here"
result "$(includes "$any" "$in $hold $out" | grep '^src/[a-z]*\.h')" \
    "headers that all may include do not bring rooms along"
result "$(includes "$in" "$hold $out")" "in/ rooms know neither hold/ nor out/"
result "$(includes "$hold" "$out")" "hold/ rooms do not know out/"
result "$(only capture 'pcap')" "only capture knows libpcap"
result "$(only dpi '(libndpi/|ndpi)')" "only dpi knows nDPI"
result "$(only 'node reader' 'hiredis')" "only node and reader know hiredis"
result "$(only tls '(openssl/(ssl|err|x509|bio)|event2/bufferevent_ssl)')" "only tls knows TLS"
result "$(only sandbox 'seccomp')" "only sandbox knows libseccomp"
result "$(includes "$any $in $hold $out" "$top")" "no room knows the threads that use it"
result "$(for f in src/*.[ch]; do
	head -n 1 "$f" | grep -qF '/* SPDX-License-Identifier: BSD-3-Clause */' || echo "$f"
done)" "every source names its licence first"
echo "1..$n"
exit $status
