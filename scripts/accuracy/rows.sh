#!/usr/bin/env bash
# Sourced by scripts/accuracy.sh: a workload, what was counted of it, and the verdict.
# shellcheck disable=SC2154,SC2034 # variables of the files that it is sourced with
set -euo pipefail

failed=0
rows=()
checks=()

print_head() {
	printf '%-4s %-4s %-44s %9s %9s %6s %10s\n' at GSO workload server datapath off "in flight"
}

# workload SERVICE TOLERANCE NAME COMMAND...: runs the client, and compares what it has added to both
# counts. TOLERANCE is how many requests they may be apart; "N/B": the client sends B at once, which
# the datapath counts as one; "NxB": it is known to count each B times; "-": known not to be counted,
# and only shown.
workload() {
	local service=$1 tolerance=$2 name=$3 before truth_before counted served in_flight problem="" try
	shift 3
	before=$(shown "$service" .tiers.vm.requests)
	truth_before=$(truth "$service")
	on client timeout 60 "$@" >"$work/client.log" 2>&1 ||
		problem="the client ended with status $?: $(tail -1 "$work/client.log")"
	for try in {1..50}; do
		in_flight=$(shown "$service" .tiers.vm.in_flight)
		[ "$in_flight" != 0 ] || break
		sleep 0.1
	done
	counted=$(($(shown "$service" .tiers.vm.requests) - before))
	served=$(($(truth "$service") - truth_before))
	add_row "$name" "$tolerance" "$served" "$counted" "$in_flight" "$problem"
}

# add_row NAME TOLERANCE SERVED COUNTED IN_FLIGHT PROBLEM: prints a row and keeps it for the report.
add_row() {
	local name=$1 tolerance=$2 served=$3 counted=$4 in_flight=$5 problem=$6 expected=$3 off verdict=exact
	case $tolerance in
	*/*)
		expected=$((served / ${tolerance#*/}))
		verdict="batches of ${tolerance#*/}"
		;;
	*x*)
		expected=$((served * ${tolerance#*x}))
		verdict="each counted ${tolerance#*x} times"
		;;
	esac
	tolerance=${tolerance%[/x]*}
	off=$((counted - expected))
	if [ "$served" = 0 ]; then
		problem=${problem:-"the server saw no request"}
	elif [ "$in_flight" != 0 ]; then
		problem=${problem:-"still in flight"}
	fi
	if [ "$tolerance" = - ]; then
		verdict="not counted"
	elif [ "${off#-}" -gt "$tolerance" ]; then
		verdict=WRONG
	elif [ "$off" != 0 ] && [ "$expected" = "$served" ]; then
		verdict="within $tolerance"
	fi
	if [ -n "$problem" ]; then verdict=WRONG; fi
	if [ "$verdict" = WRONG ]; then failed=1; fi
	printf '%-4s %-4s %-44s %9d %9d %6d %10d  %s\n' "$attach" "$offloads" "$name" "$served" \
		"$counted" "$off" "$in_flight" "$verdict${problem:+ ($problem)}"
	rows+=("$(jq -cn --arg attach "$attach" --arg offloads "$offloads" --arg workload "$name" \
		--arg verdict "$verdict" --argjson truth "$served" --argjson counted "$counted" \
		--argjson in_flight "$in_flight" --argjson expected "$expected" \
		'{$attach, $offloads, $workload, $truth, $expected, $counted, $in_flight, $verdict}')")
}

# check NAME FOUND OPERATOR LIMIT: an integer beside the counts that must be so, as `[ ]` compares.
check() {
	local name=$1 found=$2 operator=$3 limit=$4 verdict=ok
	if ! test "$found" "$operator" "$limit"; then
		verdict=WRONG
		failed=1
	fi
	printf '%-4s %-4s %-44s %37s  %s\n' "$attach" "$offloads" "$name" "$found" "$verdict"
	checks+=("$(jq -cn --arg attach "$attach" --arg offloads "$offloads" --arg check "$name" \
		--arg found "$found" --arg wanted "$operator $limit" --arg verdict "$verdict" \
		'{$attach, $offloads, $check, found: ($found | tonumber), $wanted, $verdict}')")
}

# list JSON...: as one array.
list() {
	if [ $# = 0 ]; then echo "[]"; else printf '%s\n' "$@" | jq -s .; fi
}

report() {
	jq -n --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
		--argjson workloads "$(list "${rows[@]}")" --argjson checks "$(list "${checks[@]}")" \
		--argjson gauge "$(list "${gauge_rows[@]}")" --argjson latency "$(list "${latency_rows[@]}")" \
		'{target: "accuracy", format: 1, $commit, $workloads, $checks, $gauge, $latency}' \
		>"$reports/accuracy.json"
}
