#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Run the end-to-end tests in which threads meet -- workers, control, nodes and reader,
# Redis clients, signals, plugins; from files and from interfaces -- with a probe built
# with ThreadSanitizer. Called by "make tsan"; everything made is under tsan/ in the build
# folder: build/, reports/ with a file per process that found something, pytest.log.
#
#   make tsan [TSAN_TESTS="test_workers.py test_cloud.py"]
#
# Only what the sanitizer reports makes it fail. The probe is ten times slower with it, and
# tests that fail of that are shown, to be judged: none does on an idle machine.
set -eu

: "${SRC:?is set by make tsan: the absolute path}"
TESTS=${TESTS:-test_workers.py test_signals.py test_split.py test_users.py test_watch.py
    test_cloud.py test_cloud_live.py test_resp_clients.py test_tls.py test_live_capture.py
    test_dns_live.py test_http_live.py test_radius_live.py test_hostile.py
    test_overload.py test_resp_hostile.py}
OUT=$PWD/tsan
CFLAGS='-g -O1 -fsanitize=thread -fno-omit-frame-pointer'
export CFLAGS

mkdir -p "$OUT/build"
rm -rf "$OUT/reports"
mkdir -m 777 "$OUT/reports" # a live probe is nobody when it finds something
BUILD_SRC=$SRC
if [ -e "$SRC/config.status" ]; then # configured in place: nothing else can be built of it
	BUILD_SRC=$OUT/src
	(cd "$SRC" && . tests/setup.sh && copy_sources "$BUILD_SRC")
fi
cd "$OUT/build"
[ -e Makefile ] || "$BUILD_SRC/configure" -q LDFLAGS=-fsanitize=thread
make -s -j2 mcprobe

for PYTHON in python3 /usr/bin/python3; do
	"$PYTHON" -c 'import pytest' 2>/dev/null && break
done
cd "$SRC/tests/e2e"
# Threads are not joined where a second signal ends the probe at once: _exit(2) is meant.
TSAN_OPTIONS="log_path=$OUT/reports/report exitcode=0 report_thread_leaks=0 ${TSAN_OPTIONS-}"
MCPROBE=$OUT/build/mcprobe MCPROBE_SANITIZED=1
export TSAN_OPTIONS MCPROBE MCPROBE_SANITIZED
"$PYTHON" -m pytest -q -p no:cacheprovider -k 'not (test_hostile and test_corpus and pcap)' \
    $TESTS >"$OUT/pytest.log" 2>&1 || :
grep '^FAILED' "$OUT/pytest.log" || :
tail -n 1 "$OUT/pytest.log"

set -- "$OUT"/reports/*
if [ -e "$1" ]; then
	cat "$@"
	echo "ThreadSanitizer found something: $# files in tsan/reports/"
	exit 1
fi
echo "ThreadSanitizer found nothing"
