#!/usr/bin/env bash
# Runs the test suites of a build, each with its own closing line; fails where one fails, or where
# one ran no test. Usage: scripts/test.sh BUILD [unit|bpf|e2e]...
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:?usage: scripts/test.sh BUILD [unit|bpf|e2e]...}
shift
[ $# -gt 0 ] || set -- unit bpf e2e

if [ "$(id -u)" != 0 ]; then
	echo "The tests build network namespaces and load BPF programs: run them as root." >&2
	exit 1
fi

run_suite() {
	local name=$1 out
	shift
	echo "== $name"
	out=$(mktemp)
	"$@" 2>&1 | tee "$out" | grep -E '^\[  (FAILED|PASSED|SKIPPED)|Failure|tests? ran|^(Expected|  Actual| *Which)' |
		grep -v '^\[  SKIPPED ].*(.* ms)$'
	local status=${PIPESTATUS[0]}
	if [ "$status" != 0 ]; then
		echo "-- the whole output of $name:"
		cat "$out"
	elif ! grep -qE '^\[  PASSED  \] [1-9][0-9]* test' "$out"; then
		echo "$name ran no test" >&2
		status=1
	fi
	rm -f "$out"
	return "$status"
}

failed=0
for suite in "$@"; do
	ran=0
	for program in "$build"/tests/"$suite"/{,*/}*_{test,tests}; do
		[ -x "$program" ] || continue
		ran=1
		run_suite "$(basename "$program")" "$program" || failed=1
	done
	if [ $ran = 0 ]; then
		echo "no test program in $build/tests/$suite" >&2
		failed=1
	fi
done
exit $failed
