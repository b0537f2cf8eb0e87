#!/usr/bin/env bash
# What flows notice of flared's end, of other programs and of other maps, in large numbers: 100 kills, 1,000
# replacements of the programs at 300,000 packets a second, starts over another layout that are killed on
# the way, and 1,000 open connections from this layout to the next and back. Each on four paths: IPv4 and
# IPv6, tc and XDP. Prints a table and writes reports/trust/flare-continuity.json in the build folder. Ends
# with status 1 where something was lost, moved or broken: see docs/continuity.md. Needs root.
# Usage: scripts/continuity.sh BUILD [option of flare_e2e_tests]...
#
# Set in the environment:
#   FLARE_KILLS            of flared, on each path (100)
#   FLARE_SWAPS            of the programs, on each path (1000)
#   FLARE_SWAP_RATE        packets a second meanwhile, at most (300000)
#   FLARE_UPGRADE_STEPS    starts that are killed; times to the next layout and back (20)
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:?usage: scripts/continuity.sh BUILD [option of flare_e2e_tests]...}")
shift

if [ "$(id -u)" != 0 ]; then
	echo "This builds network namespaces and loads BPF programs: run it as root." >&2
	exit 1
fi
# shellcheck source=scripts/lib/next_layout.sh
. scripts/lib/next_layout.sh
echo "building a flared with the next layout of the maps"
build_next "$build/next"

mkdir -p "$build/reports/trust"
status=0
FLARE_KILLS=${FLARE_KILLS:-100} FLARE_SWAPS=${FLARE_SWAPS:-1000} FLARE_SWAP_RATE=${FLARE_SWAP_RATE:-300000} \
	FLARE_UPGRADE_STEPS=${FLARE_UPGRADE_STEPS:-20} FLARE_NEXT_FLARED=$build/next/build/bin/flared \
	"$build"/tests/e2e/flare_e2e_tests --gtest_brief=1 \
	--gtest_filter='Paths/Kills.*:Paths/Swaps.*:Paths/Upgrade.*:Paths/NextLayout.*' \
	--gtest_output="json:$build/reports/continuity.json" "$@" || status=1

# What each test is called in the report.
jq '
	{"Kills.LoseNoPacketAndTheStateIsBackInASecond": "kills",
	 "Swaps.OfTheProgramsLoseNoPacket": "swaps",
	 "Upgrade.FromALayoutWithOtherRecordsLosesNoPacket": "layout",
	 "Upgrade.ThatIsKilledAnywhereIsFinishedByTheNextStart": "layout_killed",
	 "Upgrade.FromALayoutThatSaysNothingOfItselfIsRefused": "layout_refused",
	 "NextLayout.AndBackBreaksNoneOfAThousandConnections": "upgrade"} as $names
	| {program: "flare-continuity", timestamp: .timestamp, results: [
		.testsuites[] | (.name | ltrimstr("Paths/")) as $suite
		| .testsuite[] | select(.status == "RUN")
		| (.name / "/") as [$test, $path]
		| {name: "continuity.\($names[$suite + "." + $test]).\($path)",
		   status: (if .failures then "failed" else "passed" end),
		   figures: (del(.name, .value_param, .file, .line, .status, .result, .timestamp, .time, .classname, .failures)
			| map_values(if test("^-?[0-9.]+$") then (tonumber * 100 | round) / 100 else . end))}]}
' "$build/reports/continuity.json" >"$build/reports/trust/flare-continuity.json"

jq -r '.results[] | (.name / ".") as [$_, $what, $path]
	| [$what, $path, .status, (.figures | to_entries | map("\(.key) \(.value)") | join(", "))] | @tsv' \
	"$build/reports/trust/flare-continuity.json" |
	awk -F'\t' 'BEGIN { print "\nwhat            path   result  counted" } { printf "%-15s %-6s %-7s %s\n", $1, $2, $3, $4 }'
exit $status
