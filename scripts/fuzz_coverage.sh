#!/usr/bin/env bash
# Which lines of the datapath's C the corpora in tests/fuzz/corpus reach: prints a table of the files of
# bpf/ and the lines that none reaches, writes reports/trust/flare-fuzz-coverage.json in the build folder,
# and ends with status 1 where they are less than 95 %.
# Usage: scripts/fuzz_coverage.sh BUILD COVERAGE_BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/fuzz_coverage.sh BUILD COVERAGE_BUILD}
coverage=${2:?usage: scripts/fuzz_coverage.sh BUILD COVERAGE_BUILD}
readonly least=95
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

begun=$(date -u +%FT%TZ)
for target in xdp tc; do
	LLVM_PROFILE_FILE=$work/$target.profraw "$coverage/tests/fuzz/fuzz_$target" -runs=0 -max_len=4096 \
		"tests/fuzz/corpus/$target" >"$work/log" 2>&1 || {
		cat "$work/log"
		exit 1
	}
done
llvm-profdata merge -o "$work/all" "$work"/*.profraw
objects=("$coverage/tests/fuzz/fuzz_xdp" -object "$coverage/tests/fuzz/fuzz_tc" "-instr-profile=$work/all")
llvm-cov show "${objects[@]}" -show-instantiations=false bpf/ >"$coverage/lines.txt"
# of each file: name, lines, lines missed
llvm-cov report "${objects[@]}" bpf/ | awk '$8 ~ /^[0-9]+$/ && $8 > 0 { print $1, $8, $9 }' >"$work/files"
awk '
	BEGIN { printf "%-22s %8s %8s %8s\n", "file", "lines", "missed", "reached" }
	{ printf "%-22s %8d %8d %7.1f%%\n", $1, $2, $3, 100 * ($2 - $3) / $2 }' "$work/files"
read -r _ lines missed < <(grep '^TOTAL ' "$work/files")
percent=$(awk -v lines="$lines" -v missed="$missed" 'BEGIN { printf "%.1f", 100 * (lines - missed) / lines }')
status=passed
awk -v percent="$percent" -v least=$least 'BEGIN { exit percent < least }' || status=failed
mkdir -p "$build/reports/trust"
printf '{"program": "flare-fuzz-coverage", "timestamp": "%s", "results": [
 {"name": "coverage.lines", "status": "%s", "figures": {"lines": %d, "missed": %d, "percent": %s}}
]}\n' "$begun" $status "$lines" "$missed" "$percent" >"$build/reports/trust/flare-fuzz-coverage.json"
echo "$percent % of $lines lines are reached, at least $least % wanted: $status. Line by line: $coverage/lines.txt"
[ $status = passed ]
