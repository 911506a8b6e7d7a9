#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Build the fuzz targets with clang's libFuzzer and run each for TIME seconds. Called by
# "make fuzz", which passes flags and sources in the environment; everything made is
# under fuzz/out/ in the build folder: obj/, the programs, corpus/TARGET/ which grows from
# run to run, found/ with a file per finding, and logs.
#
#   make fuzz [TIME=60] [TARGETS="decode engine"] [FUZZFLAGS="-max_len=600"]
set -eu

: "${SRC:?is set by make fuzz: the absolute path}" "${SOURCES:?}"
CLANG=${CLANG:-clang}
TIME=${TIME:-60}
TARGETS=${TARGETS:-decode engine capture template config records resp commands glob watch json dns http radius reorder}
SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined'
FLAGS="-std=gnu11 -g -O1 -fno-omit-frame-pointer $SANITIZE ${CPPFLAGS-} ${CFLAGS-}"

command -v "$CLANG" >/dev/null || {
	echo "fuzzing needs clang; without it make check replays seeds and regressions"
	exit 1
}
OUT=$PWD/fuzz/out # absolute: targets may change their folder
mkdir -p "$OUT/obj" "$OUT/found"

# One object per source of the library, instrumented for coverage.
export CLANG FLAGS SRC OUT
for c in $SOURCES; do
	case $c in *.c) echo "$c" ;; esac
done | xargs -P 2 -I{} sh -c '
	o=$OUT/obj/$(basename "{}" .c).o
	# headers are few and this is no daily build: any newer one rebuilds all
	if [ ! -e "$o" ] || [ -n "$(find "$SRC/src" build.h -newer "$o" | head -n 1)" ]; then
		"$CLANG" $FLAGS -fsanitize=fuzzer-no-link -c -o "$o" "$SRC/{}"
	fi'

# As an archive: a target may have its own make of a room.
rm -f "$OUT/library.a"
ar rc "$OUT/library.a" "$OUT"/obj/*.o

# The words of a target: its file in dict/, and names that are rows.
dictionary()
{
	[ ! -e "$SRC/fuzz/dict/$1" ] || cat "$SRC/fuzz/dict/$1"
	case $1 in
	commands)
		sed -n 's/^COMMAND("\([^"]*\)", NULL,.*/"\1 "/p
		    s/^COMMAND("\([^"]*\)", "\([^"]*\)".*/"\1 \2 "/p' "$SRC/src/commands.def" ;;
	config)
		sed -n 's/^OPTION([^,]*, "\([^"]*\)".*/"\1 "/p' "$SRC/src/options.def" ;;
	template)
		sed -n 's/^FIELD(\([A-Z0-9_]*\),.*/"%\1"/p' "$SRC/src/field.def" ;;
	esac
}

status=0
for t in $TARGETS; do
	more=
	! grep -q '"nomem.h"' "$SRC/fuzz/fuzz_$t.c" || more="$SRC/fuzz/nomem.c ${WRAP_FLAGS-}"
	"$CLANG" $FLAGS -fsanitize=fuzzer -o "$OUT/fuzz_$t" \
	    "$SRC/fuzz/fuzz_$t.c" $more "$OUT/library.a" ${LIBS-}
	mkdir -p "$OUT/corpus/$t"
	set -- "$OUT/corpus/$t" "$SRC/fuzz/seeds/$t"
	[ ! -d "$SRC/tests/regress/$t" ] || set -- "$@" "$SRC/tests/regress/$t"
	dictionary "$t" >"$OUT/$t.dict"
	[ ! -s "$OUT/$t.dict" ] || set -- -dict="$OUT/$t.dict" "$@"
	echo "fuzz_$t: $TIME s"
	ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
	    "$OUT/fuzz_$t" -max_total_time="$TIME" -timeout=10 -rss_limit_mb=2048 \
	    -print_final_stats=1 -artifact_prefix="$OUT/found/$t-" ${FUZZFLAGS-} "$@" \
	    2>"$OUT/$t.log" || {
		status=1
		echo "fuzz_$t: found something; input in fuzz/out/found/, log in fuzz/out/$t.log"
		grep -E 'broken:|ERROR:|runtime error|SUMMARY' "$OUT/$t.log" | head -n 5
	}
	sed -n 's/^stat::number_of_executed_units: */    inputs run: /p
	    s/^stat::average_exec_per_sec: */    per second: /p' "$OUT/$t.log"
done
exit $status
