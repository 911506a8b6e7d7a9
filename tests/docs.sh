#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Do the manual pages, the sample configuration and the README say what the program does?
# Run in the build folder, after make. Prints TAP; exit 1 if one of them drifted.
#
# MCPROBE	the program, default ./mcprobe
# MANDIR	where the pages were made, default man

top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
MCPROBE=${MCPROBE:-./mcprobe}
MANDIR=${MANDIR:-man}
page=$MANDIR/mcprobe.8
file=$MANDIR/mcprobe.conf.5
cloud=$MANDIR/mcprobe-cloud.7
sample=$MANDIR/mcprobe.conf.sample
readme=$top/README.md

n=0
status=0

# result COMPLAINTS NAME
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

# Words of standard input, one per line, for which "has WORD" fails.
lacking()
{
	while read -r word; do
		has "$word" || echo "$word"
	done
}

help=$("$MCPROBE" --help) || exit 1
fields=$("$MCPROBE" --fields) || exit 1
options=$(echo "$help" | sed -n 's/^  \(-.,\|   \) --\([a-z0-9-]*\).*/\2/p')
labels=$(echo "$fields" | sed -n 's/^  %\([A-Z0-9_]*\) .*/\1/p')
counters=$(sed -n 's/^COUNTER([A-Z0-9_]*, "\([a-z0-9_]*\)".*/\1/p' "$top/src/counters.def")
macros=$(grep -o '^\.It Cm @[A-Z]*@' "$page" | sed 's/.* //')

# A pattern gone wrong would find nothing, and nothing would have drifted.
few()
{
	[ "$(echo "$2" | wc -l)" -ge "$1" ] || echo "fewer than $1:" $2
}
result "$(few 30 "$options"; few 100 "$labels"; few 40 "$counters"; few 3 "$macros")" \
    "options, fields, counters and macros can be listed"

has() { grep -qE "^\.It (Fl . , )?Fl .-$1( |\$)" "$page"; }
result "$(echo "$options" | lacking)" "every option is in mcprobe.8"

has() { case $1 in fields|version|help) ;; *) grep -q "^\.It Cm $1 " "$file" ;; esac; }
result "$(echo "$options" | lacking)" "every option is in mcprobe.conf.5"

has() { case $1 in fields|version|help) ;; *) grep -qE "^#( ?)$1 " "$sample" ;; esac; }
result "$(echo "$options" | lacking)" "every option is in the sample configuration"

has() { grep -qE "^\.It Li %$1( |\$)" "$page"; }
result "$(echo "$labels" | lacking)" "every field is in mcprobe.8"

has() { grep -q "^\.It Va $1\$" "$page"; }
result "$(echo "$counters" | lacking)" "every counter is in mcprobe.8"

result "$(grep -nE '^@[A-Z_]+@$|@VERSION@' "$page" "$file" "$cloud")" "no list is missing in the pages"

# All defaults of the sample, read as a file, are what the probe has without it.
trap 'rm -f docs.tmp file.pcap' EXIT
sed -n 's/^#\([a-z]\)/\1/p' "$sample" >docs.tmp
result "$("$MCPROBE" -c docs.tmp --check-config 2>&1 | grep -v 'is fine')" \
    "the sample's defaults are accepted"

# The README's options are the program's, configure's or a script's; what others are told
# in a command line of theirs is their own.
has()
{
	echo "$options" | grep -qxe "$1" ||
	    grep -qE "\[${1#enable-}\]|--$1( |=|\])" "$top/configure.ac" "$top/m4/ndpi.m4" \
		"$top/check.sh" "$top/demo.sh"
}
result "$(grep -vE '^    \$ redis-(server|scripts/)' "$readme" |
    grep -oE '(^|[^-a-z0-9])--[a-z][a-z0-9-]+' | sed 's/.*--//' | sort -u |
    lacking)" "every option in README.md exists"

# LABEL stands for any of them.
has() { [ "$1" = LABEL ] || echo "$labels" | grep -qx "$1"; }
result "$(grep -ohE '%[A-Z][A-Z0-9_]+' "$readme" "$page" "$file" | tr -d % | sort -u |
    lacking)" "every field in README.md and the pages exists"

has() { echo "$macros" | grep -qx "$1"; }
result "$(grep -ohE '@[A-Z]+@' "$readme" "$file" | sort -u | lacking)" \
    "every macro in README.md exists"

has() { [ -e "$top/$1" ]; }
result "$(grep -oE '\]\([^)#:]+\)' "$readme" | sed 's/^](//; s/)$//' | sort -u | lacking)" \
    "every file README.md links to exists"

# The tests doc/trust.md names: a promise without one is only a promise.
trust=$top/doc/trust.md
has()
{
	case $1 in
	fuzz_*) [ -e "$top/fuzz/$1.c" ] ;;
	*.py::*) grep -q "^def ${1##*::}(" "$top/tests/e2e/${1%%::*}" ;;
	*) grep -q "^${1##*::}(" "$top/tests/${1%%::*}" ;;
	esac
}
result "$(grep -oE '`([a-z0-9_]+\.(py|c)::[a-z0-9_]+|fuzz_[a-z]+)`' "$trust" | tr -d '`' |
    sort -u | lacking 2>&1)" "every test in doc/trust.md exists"

# The commands themselves, as far as reading them goes: nothing is opened or started.
commands()
{
	sed -n 's/^\.Dl [$#] //p' "$page" "$file" | sed 's/\\(dq/"/g; s/\\-/-/g'
	sed -n '/^```sh/,/^```/p; s/^    \(mcprobe -\)/\1/p' "$readme" |
	    sed 's/  *#.*//; s/^sudo //'
}
: >file.pcap # what has no name of an interface must be there
shown=$(commands | sed -n 's/.*| *\(mcprobe .*\)/\1/; s/ -c FILE//; /^mcprobe /p')
bad=$(echo "$shown" | while read -r line; do
	eval "set -- ${line#mcprobe }"
	"$MCPROBE" "$@" --check-config >docs.tmp 2>&1 ||
	    grep -q 'needs nDPI' docs.tmp || # right, of a probe built without
	    { echo "$line"; cat docs.tmp; }
done)
[ "$(echo "$shown" | wc -l)" -ge 8 ] || bad="too few are found: $shown"
result "$bad" "every command shown is understood"

n=$((n + 1))
if ! command -v mandoc >/dev/null; then
	echo "ok $n - the pages are clean mdoc # SKIP mandoc is not installed"
else
	n=$((n - 1))
	# mandoc.db is the system's business, not the page's
	result "$(mandoc -T lint -W warning "$page" "$file" "$cloud" 2>/dev/null)" \
	    "the pages are clean mdoc"
fi
echo "1..$n"
exit $status
