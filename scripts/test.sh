#!/usr/bin/env bash
# Runs the test suites of a build, each program and each suite with its own closing line; fails where
# one fails, or where one ran no test. GoogleTest's results are left in BUILD/reports/tests, for the
# reliability table. Usage: scripts/test.sh BUILD [unit|bpf|e2e]...
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:?usage: scripts/test.sh BUILD [unit|bpf|e2e]...}
shift
[ $# -gt 0 ] || set -- unit bpf e2e

if [ "$(id -u)" != 0 ]; then
	echo "The tests build network namespaces and load BPF programs: run them as root." >&2
	exit 1
fi

# The number in a program's closing line of that word (PASSED, FAILED, SKIPPED); 0 without one.
closing() {
	local number
	number=$(sed -nE "s/^\[  $1 +\] ([0-9]+) tests?.*/\1/p" "$2" | tail -1)
	echo "${number:-0}"
}

run_program() {
	local name=$1 results=$build/reports/tests/$1.json out
	shift
	echo "== $name"
	out=$(mktemp)
	rm -f "$results" # of an earlier run: a program that crashes leaves none
	"$@" --gtest_output="json:$results" 2>&1 | tee "$out" | grep -E '^\[  (FAILED|PASSED|SKIPPED)|: Failure$|tests? ran|^(Expected|  Actual| *Which)' |
		grep -v '^\[  SKIPPED ].*(.* ms)$'
	local status=${PIPESTATUS[0]}
	if [ "$status" != 0 ]; then
		echo "-- the whole output of $name:"
		cat "$out"
	elif ! grep -qE '^\[  PASSED  \] [1-9][0-9]* test' "$out"; then
		echo "$name ran no test" >&2
		status=1
	fi
	passed=$((passed + $(closing PASSED "$out")))
	failed=$((failed + $(closing FAILED "$out")))
	skipped=$((skipped + $(closing SKIPPED "$out")))
	rm -f "$out"
	return "$status"
}

mkdir -p "$build/reports/tests"
broken=0
for suite in "$@"; do
	ran=0 passed=0 failed=0 skipped=0
	for program in "$build"/tests/"$suite"/{,*/,*/*/}*_{test,tests}; do
		[ -x "$program" ] || continue
		ran=$((ran + 1))
		run_program "$(basename "$program")" "$program" || broken=1
	done
	if [ $ran = 0 ]; then
		echo "no test program in $build/tests/$suite" >&2
		broken=1
	fi
	echo "$suite: $passed passed, $failed failed, $skipped skipped, in $ran program$([ "$ran" = 1 ] || echo s)"
done
exit $broken
