#!/usr/bin/env bash
# Runs the test suites of a build, each program and each suite with its own closing line; fails where
# one fails, or where one ran no test. GoogleTest's results are left in BUILD/reports/tests, for the
# reliability table. Usage: scripts/test.sh BUILD [unit|bpf|e2e|vm|fuzz]...
#
# vm is the kernel matrix (scripts/vmtest.sh) with a third of the packet fixtures, beside the other suites: its
# guests are interpreted for minutes, and those leave a CPU idle most of the time. fuzz gives each fuzz target of
# BUILD-fuzz some seconds (scripts/fuzz.sh).
#
# Set in the environment:
#   FLARE_TEST_FUZZ_SECONDS   for each fuzz target (8)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:?usage: scripts/test.sh BUILD [unit|bpf|e2e]...}
shift
[ $# -gt 0 ] || set -- unit bpf e2e vm fuzz

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

# run_suite NAME: the GoogleTest programs in tests/NAME.
run_suite() {
	local suite=$1 ran=0 program
	passed=0 failed=0 skipped=0
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
}

matrix_pid=''
matrix_log=$build/reports/vmtest.log

start_matrix() {
	export FLARE_VMTEST_FILTER=${FLARE_VMTEST_FILTER:-*PacketFixtures.*V4Receiver*:*PacketFixtures.*V6Balancer:*Differential.*Agree*}
	FLARE_VMTEST_SECONDS=900 nice -n 19 scripts/vmtest.sh "$build" >"$matrix_log" 2>&1 &
	matrix_pid=$!
}

# What the matrix said, once it has come to its end.
finish_matrix() {
	local status=0
	wait "$matrix_pid" || status=$?
	matrix_pid=''
	cat "$matrix_log"
	sed -nE 's/^vmtest: /vm: /p' "$matrix_log"
	[ $status = 0 ] || broken=1
}

# The matrix, told to end, ends its guest.
# shellcheck disable=SC2317 # called by the trap
leave() {
	[ -z "$matrix_pid" ] || { kill -TERM "$matrix_pid" && wait "$matrix_pid"; } 2>/dev/null
}
trap leave EXIT
trap 'exit 130' INT TERM

mkdir -p "$build/reports/tests"
broken=0
[[ " $* " != *" vm "* ]] || start_matrix
for suite in "$@"; do
	case $suite in
	vm) finish_matrix ;;
	fuzz)
		if scripts/fuzz.sh "$build-fuzz" "${FLARE_TEST_FUZZ_SECONDS:-8}"; then
			echo "fuzz: no input broke a rule"
		else
			echo "fuzz: FAILED"
			broken=1
		fi
		;;
	*) run_suite "$suite" ;;
	esac
done
exit $broken
