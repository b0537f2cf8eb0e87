#!/usr/bin/env bash
# Runs the fuzz targets one after the other (docs/fuzzing.md), each from its corpus in tests/fuzz/corpus,
# and prints what came of it. Usage: scripts/fuzz.sh BUILD SECONDS [TARGET...]
# New inputs are collected in BUILD/corpus/TARGET, those that break a rule in BUILD/crashes. A run of all
# targets leaves its results in FLARE_TRUST_RESULTS (build/reports/trust), for the reliability table.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:?usage: scripts/fuzz.sh BUILD SECONDS [TARGET...]}
seconds=${2:?usage: scripts/fuzz.sh BUILD SECONDS [TARGET...]}
shift 2
results=
if [ $# = 0 ]; then
	results=${FLARE_TRUST_RESULTS:-build/reports/trust}/flare-fuzz.json
	for program in "$build"/tests/fuzz/fuzz_*; do
		[ -x "$program" ] && set -- "$@" "${program##*/fuzz_}"
	done
fi
[ $# -gt 0 ] || {
	echo "no fuzz target in $build/tests/fuzz" >&2
	exit 1
}

crashes=$build/crashes
mkdir -p "$crashes"
export ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-} UBSAN_OPTIONS=print_stacktrace=1

# The last number behind a word of libFuzzer's progress lines, which end with "DONE" or a crash.
last_number() {
	grep -oE "$1:? [0-9]+" "$2" | tail -1 | grep -oE '[0-9]+$' || echo 0
}

# Adds a target to the results: TARGET EXECUTIONS CRASHES EDGES.
entries=
add_result() {
	local status=passed
	[ "$3" = 0 ] && [ "$2" != 0 ] || status=failed
	entries+=${entries:+,}$(printf '\n {"name": "fuzz.%s", "status": "%s", "figures": {"executions": %d, "crashes": %d, "edges": %d}}' \
		"$1" "$status" "$2" "$3" "$4")
}

broken=0
began=$(date -u +%FT%TZ)
printf '%-14s %12s %8s %8s %8s %8s  %s\n' target executions a-second cov ft corpus verdict
for target in "$@"; do
	program=$build/tests/fuzz/fuzz_$target
	corpus=$build/corpus/$target
	kept=tests/fuzz/corpus/$target
	log=$build/fuzz_$target.log
	options=()
	mkdir -p "$corpus"
	[ -f "tests/fuzz/dictionaries/$target" ] && options+=("-dict=tests/fuzz/dictionaries/$target")
	[ -d "$kept" ] || {
		echo "there is no corpus in $kept" >&2
		broken=1
		continue
	}
	"$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 \
		-artifact_prefix="$crashes/$target-" "${options[@]}" "$corpus" "$kept" >"$log" 2>&1
	status=$?
	executed=$(sed -nE 's/^stat::number_of_executed_units: ([0-9]+)/\1/p' "$log")
	verdict=clean
	if [ $status != 0 ]; then
		broken=1
		verdict="BROKEN, $(sed -nE 's/.*Test unit written to //p' "$log" | tail -1)"
	elif [ "${executed:-0}" = 0 ]; then
		broken=1
		verdict="ran nothing"
	fi
	printf '%-14s %12s %8s %8s %8s %8s  %s\n' "$target" "${executed:-0}" \
		"$((${executed:-0} / seconds))" "$(last_number cov "$log")" "$(last_number ft "$log")" \
		"$(last_number corp "$log")" "$verdict"
	add_result "$target" "${executed:-0}" "$((status != 0))" "$(last_number cov "$log")"
	[ $status = 0 ] || grep -vE '^#[0-9]+|^INFO|^stat::|^###|^"' "$log" | head -40
done
if [ -n "$results" ]; then
	mkdir -p "${results%/*}"
	printf '{"program": "flare-fuzz", "timestamp": "%s", "results": [%s\n]}\n' "$began" "$entries" >"$results"
fi
exit $broken
