#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# check.sh -- build mcprobe in every way it is meant to be built, and test each build.
#
# usage: ./check.sh [--quick] [--coverage] [--no-install]
#
#   --quick       gcc build, unit tests and end-to-end tests only
#   --coverage    at the end, which share of src/'s lines the tests run
#   --no-install  never call apt-get; what is missing is skipped
#
# On Debian as root whatever is missing is installed first; with everything there the
# network is not used. Everything happens under build/; build/logs/ keeps what each stage
# printed. The last line is "N passed, N failed, N skipped"; exit status 0: none failed.
set -u -o pipefail
cd "$(dirname "$0")" || exit 1
. tests/setup.sh

TEST_PACKAGES='clang libclang-rt-14-dev libcmocka-dev python3 python3-pytest nfdump pmacct
    tshark tcpreplay iproute2 ethtool procps valgrind git mandoc xz-utils redis-server
    redis-tools python3-redis python3-pytest-xdist gnuplot-nox freeradius freeradius-utils
    dnsperf nsd nginx-light curl apache2-utils openssl util-linux'
# Redis clients of Node.js, from npm's registry; a machine may have npm from elsewhere.
command -v npm >/dev/null || TEST_PACKAGES="$TEST_PACKAGES nodejs npm"
JOBS=2
BESIDE=4 # test files at a time
SRC=$PWD/build/src
LOGS=$PWD/build/logs
PASSED=0 FAILED=0 SKIPPED=0
SKIPS=()
AGAIN=()
quick= coverage= install=yes

for arg; do
	case $arg in
	--quick) quick=yes ;;
	--coverage) coverage=yes ;;
	--no-install) install= ;;
	*) sed -n 's/^# \{0,1\}//; 3,12p' "$0"; exit 2 ;;
	esac
done

# Count what a stage's tests said; its three figures are in P, F, S.
count() { P=$((P + $1)); F=$((F + $2)); S=$((S + $3)); }

# Automake's results in a build folder. A program that prints TAP counts by its lines, any
# other as one test.
count_make()
{
	local trs log ok bad skip result
	for trs in "$1"/tests/*.trs; do
		[ -e "$trs" ] || continue
		log=${trs%.trs}.log
		result=$(sed -n 's/^:test-result: *//p' "$trs" | head -n 1)
		skip=$(grep -ciE '^(not )?ok [0-9]+.*# *skip' "$log")
		ok=$(grep -E '^ok [0-9]+' "$log" | grep -civE '# *skip')
		bad=$(grep -E '^not ok [0-9]+' "$log" | grep -civE '# *skip')
		if [ "$result" = SKIP ] && [ $((ok + bad + skip)) = 0 ]; then
			skip=1
		elif [ "$result" != PASS ] && [ "$result" != SKIP ] && [ "$bad" = 0 ]; then
			bad=1 # it crashed
		elif [ $((ok + bad + skip)) = 0 ]; then
			ok=1
		fi
		count "$ok" "$bad" "$skip"
		[ "$skip" = 0 ] || SKIPS+=("$(basename "$trs" .trs): $(grep -iE '# *skip' "$log" |
		    head -n 3 | tr '\n' ';')")
	done
}

# pytest's, from its JUnit file; and from that of the second run, where there was one.
count_pytest()
{
	[ -e "$1" ] || return
	local line
	while IFS= read -r line; do
		case $line in
		count\ *) count ${line#count } ;;
		again:*) AGAIN+=("${line#again: }") ;;
		*) SKIPS+=("$line") ;;
		esac
	done < <("$PYTHON" - "$1" "${1%.xml}-again.xml" <<-'END'
		import collections, os, sys, xml.etree.ElementTree as tree
		passed = failed = 0
		skips = collections.Counter()
		name = lambda case: '%s.%s' % (case.get('classname'), case.get('name'))
		bad = lambda case: case.find('failure') is not None or case.find('error') is not None
		again = {}
		if os.path.exists(sys.argv[2]):
		    again = {name(case): bad(case) for case in tree.parse(sys.argv[2]).iter('testcase')}
		for case in tree.parse(sys.argv[1]).iter('testcase'):
		    skip = case.find('skipped')
		    if bad(case) and again.get(name(case)) is False:
		        print('again:', name(case))
		        passed += 1
		    elif bad(case):
		        failed += 1
		    elif skip is not None:
		        skips[case.get('classname').split('.')[-1] + ': ' + (skip.get('message') or '')] += 1
		    else:
		        passed += 1
		for text, n in sorted(skips.items()):
		    print('%s%s' % (text.replace('\n', ' '), ' (%d)' % n if n > 1 else ''))
		print('count', passed, failed, sum(skips.values()))
		END
	)
}

# stage NAME COUNTER FUNCTION [ARG...]: COUNTER is a command that counts its tests, or
# "one" where the stage itself is the test.
stage()
{
	local name=$1 counter=$2 log=$LOGS/$1.log status started=$SECONDS
	shift 2
	P=0 F=0 S=0
	printf '%-12s ' "$name"
	("$@") >"$log" 2>&1
	status=$?
	[ "$counter" = one ] || $counter
	if [ $status = 77 ]; then
		count 0 0 1
		SKIPS+=("$name: $(tail -n 1 "$log")")
	elif [ $status != 0 ] && [ $F = 0 ]; then
		F=1
	elif [ $status = 0 ] && [ "$counter" = one ]; then
		P=1
	elif [ $status = 0 ] && [ $((P + F + S)) = 0 ]; then
		F=1
		echo "no test ran" >>"$log"
	fi
	printf '%4d passed, %d failed, %d skipped  (%d s)\n' $P $F $S $((SECONDS - started))
	[ $F = 0 ] || { echo "--- end of $log"; tail -n 40 "$log"; echo "---"; }
	PASSED=$((PASSED + P)) FAILED=$((FAILED + F)) SKIPPED=$((SKIPPED + S))
}

# build DIR CONFIGURE-ARGS...: out of tree; then the unit tests.
build()
{
	local dir=build/$1
	shift
	rm -rf "$dir" && mkdir -p "$dir" && cd "$dir" || return 1
	"$SRC/configure" -q "$@" && make -s -j$JOBS || return 1
	CMOCKA_MESSAGE_OUTPUT=tap make -s -j$JOBS check
}

# tests NAME BUILD PATH...: pytest against a build.
tests()
{
	local name=$1 cache=$PWD/build/cache-$1 beside=
	export MCPROBE=$PWD/build/$2/mcprobe
	shift 2
	rm -rf "build/$name.xml" "build/$name-again.xml" "$cache"
	[ -x "$MCPROBE" ] || { echo "there is no $MCPROBE"; return 1; }
	# Most of them wait more than they work: some files at a time.
	"$PYTHON" -c 'import xdist' 2>/dev/null && beside="-n $BESIDE --dist loadfile"
	"$PYTHON" -m pytest -q -o cache_dir="$cache" -rfE --junitxml="build/$name.xml" \
	    $beside "$@" && return
	# Tests of time disturb each other on a small machine. A few that failed run once
	# more, alone; which is said at the end.
	[ "$(grep -c '^FAILED\|^ERROR' "$LOGS/$name.log")" -le 4 ] || return 1
	echo "once more, alone:"
	"$PYTHON" -m pytest -q -o cache_dir="$cache" --lf --lfnf=none -rfE \
	    --junitxml="build/$name-again.xml" "$@"
}

# Hostile bytes are the sanitized build's, where there will be one.
e2e()
{
	if [ -n "$quick" ]; then
		tests e2e gcc tests/e2e
	else
		tests e2e gcc tests/e2e --ignore=tests/e2e/test_hostile.py
	fi
}

# Hostile bytes and goldens once more, with every access checked.
sanitized()
{
	export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 MCPROBE_SANITIZED=1
	tests sanitized asan tests/e2e/test_hostile.py tests/e2e/test_golden.py \
	    tests/e2e/test_conservation.py tests/e2e/test_flows.py tests/e2e/test_options.py \
	    tests/e2e/test_resp_hostile.py tests/e2e/test_resp_clients.py \
	    tests/e2e/test_overload.py \
	    tests/e2e/test_cloud.py
}

installed()
{
	local top=$PWD/build/installed page
	rm -rf "$top"
	make -s -C build/gcc install DESTDIR="$top" prefix=/usr sysconfdir=/etc || return 1
	find "$top" -type f -printf '%P\n'
	"$top/usr/bin/mcprobe" --version || return 1
	for page in man8/mcprobe.8 man5/mcprobe.conf.5 man7/mcprobe-cloud.7; do
		[ -s "$top/usr/share/man/$page" ] || { echo "$page is missing"; return 1; }
	done
	make -s -C build/gcc uninstall DESTDIR="$top" prefix=/usr sysconfdir=/etc || return 1
	page=$(find "$top" -type f)
	[ -z "$page" ] || { echo "uninstall leaves: $page"; return 1; }
}

manual()
{
	local page pages
	command -v mandoc >/dev/null || { echo "mandoc is missing"; return 77; }
	pages=$(find build/gcc/man "$SRC/man" -name '*.[1-9]' 2>/dev/null)
	[ -n "$pages" ] || { echo "no manual pages"; return 1; }
	for page in $pages; do
		mandoc -T lint -W warning "$page" || return 1
	done
}

distribution()
{
	make -s -C build/gcc -j$JOBS distcheck \
	    DISTCHECK_CONFIGURE_FLAGS="-q CFLAGS=-O0"
}

# Instructions per packet, by callgrind; what cannot be compared here is skipped.
instructions()
{
	make -s -C build/gcc -j$JOBS bench-check || return 1
	! tail -n 1 "$LOGS/instructions.log" | grep -q '^skipped:' || return 77
}

covered()
{
	command -v gcovr >/dev/null || { echo "gcovr is missing"; return 77; }
	# Threads share the counts.
	(build coverage --enable-coverage CFLAGS='-g -O0 -fprofile-update=atomic') || return 1
	tests coverage coverage tests/e2e
	gcovr -r "$SRC" --object-directory build/coverage --filter "$SRC/src/" --print-summary
}

mkdir -p "$LOGS"
for PYTHON in python3 /usr/bin/python3; do
	"$PYTHON" -c 'import pytest' 2>/dev/null && break
done
if [ -n "$install" ]; then
	install_packages $BUILD_PACKAGES $TEST_PACKAGES ${coverage:+gcovr} ||
	    echo "going on without"
	"$PYTHON" -c 'import pytest' 2>/dev/null || PYTHON=/usr/bin/python3
fi

stage sources one copy_sources "$SRC"
stage gcc 'count_make build/gcc' build gcc --enable-werror
stage e2e 'count_pytest build/e2e.xml' e2e
if [ -z "$quick" ]; then
	# The other compiler, its warnings, and every access checked.
	clang=$(command -v clang) || {
		SKIPPED=$((SKIPPED + 1))
		SKIPS+=("clang: not installed; the sanitizers are gcc's")
	}
	stage asan 'count_make build/asan' build asan --enable-sanitizers \
	    ${clang:+--enable-werror} CC="${clang:-gcc}" CFLAGS='-g -O1'
	stage sanitized 'count_pytest build/sanitized.xml' sanitized
	stage no-ndpi 'count_make build/no-ndpi' build no-ndpi --enable-werror --without-ndpi
	stage instructions one instructions
	stage manual one manual
	stage install one installed
	stage distcheck one distribution
fi
if [ -n "$coverage" ]; then
	stage coverage 'count_make build/coverage' covered
	grep -E '^(lines|functions|branches):' "$LOGS/coverage.log"
fi

if [ ${#SKIPS[@]} != 0 ]; then
	echo "skipped:"
	printf '  %s\n' "${SKIPS[@]}"
fi
if [ ${#AGAIN[@]} != 0 ]; then
	echo "passed only when run once more, alone:"
	printf '  %s\n' "${AGAIN[@]}"
fi
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ $FAILED = 0 ]
