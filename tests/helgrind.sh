#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Run end-to-end tests with several workers, each of which deals, reports and is asked,
# with the probe under helgrind. It knows no atomics: the build tells it (helgrind.h).
# Called by "make helgrind"; everything made is under helgrind/ in the build folder: build/,
# reports/ with a file per process that found something, pytest.log. Some minutes.
#
#   make helgrind [HELGRIND_TESTS="test_workers.py"]
#
# Only what helgrind reports makes it fail.
set -eu

: "${SRC:?is set by make helgrind: the absolute path}"
TESTS=${TESTS:-test_workers.py test_split.py test_watch.py}
OUT=$PWD/helgrind
command -v valgrind >/dev/null || { echo "valgrind is missing"; exit 1; }

mkdir -p "$OUT/build"
rm -rf "$OUT/reports"
mkdir -m 777 "$OUT/reports"
BUILD_SRC=$SRC
if [ -e "$SRC/config.status" ]; then # configured in place: nothing else can be built of it
	BUILD_SRC=$OUT/src
	(cd "$SRC" && . tests/setup.sh && copy_sources "$BUILD_SRC")
fi
cd "$OUT/build"
[ -e Makefile ] || "$BUILD_SRC/configure" -q CFLAGS='-g -O1'
make -s -j2 mcprobe CFLAGS="-g -O1 -include $SRC/tests/helgrind.h"
cat >"$OUT/mcprobe" <<END
#!/bin/sh
exec valgrind -q --tool=helgrind --num-callers=16 --log-file='$OUT/reports/%p' \\
    --suppressions='$SRC/tests/helgrind.supp' '$OUT/build/mcprobe' "\$@" --no-sandbox
END
chmod +x "$OUT/mcprobe"

for PYTHON in python3 /usr/bin/python3; do
	"$PYTHON" -c 'import pytest' 2>/dev/null && break
done
cd "$SRC/tests/e2e"
MCPROBE=$OUT/mcprobe MCPROBE_SANITIZED=1
export MCPROBE MCPROBE_SANITIZED
"$PYTHON" -m pytest -q -p no:cacheprovider -k 'not (test_load or test_a_large_set or test_hostile_set)' $TESTS \
    >"$OUT/pytest.log" 2>&1 || :
grep '^FAILED' "$OUT/pytest.log" || :
tail -n 1 "$OUT/pytest.log"

find "$OUT/reports" -type f -size 0 -delete
set -- "$OUT"/reports/*
if [ -e "$1" ]; then
	cat "$@"
	echo "helgrind found something: $# files in helgrind/reports/"
	exit 1
fi
echo "helgrind found nothing"
