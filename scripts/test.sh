#!/usr/bin/env bash
# Runs the test suites of a build, each program and each suite with its own closing line; fails where
# one fails, or where one ran no test. GoogleTest's results are left in BUILD/reports/tests, for the
# reliability table. Usage: scripts/test.sh BUILD [unit|bpf|e2e|vm|fuzz]...
#
# The order is that of the time they take on two CPUs. e2e waits for most of its time, so vm, the kernel matrix
# (scripts/vmtest.sh) with a third of the packet fixtures, whose guests are interpreted for minutes, runs beside it
# at the lowest priority; then unit and bpf, which compute, beside each other. fuzz gives each fuzz target of
# BUILD-fuzz some seconds (scripts/fuzz.sh). The output of each suite comes in one piece.
#
# Set in the environment:
#   FLARE_TEST_FUZZ_SECONDS   for each fuzz target (8)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:?usage: scripts/test.sh BUILD [unit|bpf|e2e|vm|fuzz]...}
shift
[ $# -gt 0 ] || set -- unit bpf e2e vm fuzz
wanted=" $* "
for suite in "$@"; do
	[[ " unit bpf e2e vm fuzz " == *" $suite "* ]] || {
		echo "no suite '$suite': there are unit, bpf, e2e, vm and fuzz" >&2
		exit 1
	}
done

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

# run_suite NAME: the GoogleTest programs in tests/NAME; fails where one of them does.
run_suite() {
	local suite=$1 ran=0 broken=0 program
	passed=0 failed=0 skipped=0
	for program in "$build"/tests/"$suite"/{,*/,*/*/}*_{test,tests}; do
		[ -x "$program" ] || continue
		ran=$((ran + 1))
		run_program "$(basename "$program")" "$program" || broken=1
	done
	if [ "$ran" = 0 ]; then
		echo "no test program in $build/tests/$suite" >&2
		broken=1
	fi
	echo "$suite: $passed passed, $failed failed, $skipped skipped, in $ran program$([ "$ran" = 1 ] || echo s)"
	return "$broken"
}

# shellcheck disable=SC2317 # called by start
run_matrix() {
	export FLARE_VMTEST_FILTER=${FLARE_VMTEST_FILTER:-*PacketFixtures.*V4Receiver*:*PacketFixtures.*V6Balancer:*Differential.*Agree*}
	FLARE_VMTEST_SECONDS=900 nice -n 19 scripts/vmtest.sh "$build" 2>&1 | sed 's/^vmtest: /vm: /'
}

run_fuzz() {
	if scripts/fuzz.sh "$build-fuzz" "${FLARE_TEST_FUZZ_SECONDS:-8}"; then
		echo "fuzz: no input broke a rule"
	else
		echo "fuzz: FAILED"
		return 1
	fi
}

declare -A beside=() # process groups of the suites that run beside others

# start NAME COMMAND...: a suite whose output comes when it is joined.
start() {
	local name=$1
	shift
	set -m
	"$@" >"$build/reports/$name.out" 2>&1 </dev/null &
	beside[$name]=$!
	set +m
}

# join NAME: waits for that suite, and prints what it said.
join() {
	local status=0
	wait "${beside[$1]}" || status=$?
	unset "beside[$1]"
	cat "$build/reports/$1.out"
	return "$status"
}

# What still runs is told to end, and ends its guest and its namespaces.
# shellcheck disable=SC2317 # called by the trap
leave() {
	local group
	for group in "${beside[@]}"; do
		kill -TERM -- "-$group" && wait "$group"
	done 2>/dev/null
}
trap leave EXIT
trap 'exit 130' INT TERM

has() { [[ $wanted == *" $1 "* ]]; }

mkdir -p "$build/reports/tests"
status=0
! has vm || start vm run_matrix
! has e2e || run_suite e2e || status=1
if has unit && has bpf; then
	start bpf run_suite bpf
	run_suite unit || status=1
	join bpf || status=1
else
	! has unit || run_suite unit || status=1
	! has bpf || run_suite bpf || status=1
fi
! has vm || join vm || status=1
! has fuzz || run_fuzz || status=1
exit "$status"
