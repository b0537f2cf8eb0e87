#!/usr/bin/env bash
# The main job, shown: two minutes around the onset of a real spike, against a VM that serves 438
# requests a second: without Flare, with policy formula, with policy cap. Everything runs in namespaces of its own
# (scripts/lab.sh), and nothing of it stays, also after Ctrl-C, but the results.
#
# usage: scripts/demo.sh BUILD
#
# Set in the environment, for other runs than the shown one:
#   FLARE_DEMO_MODE         users (as many users as the rate, each at most one request a second and
#                           waiting for its answer: the Flare paper's client) or open (Poisson)
#   FLARE_DEMO_CONNECTIONS  new, keep=K, pool=M or warm=M
#   FLARE_DEMO_FAMILY       4 or 6
#   FLARE_DEMO_BEFORE, FLARE_DEMO_AFTER   seconds around the onset (30, 90)
#   FLARE_DEMO_RUNS         which of "without formula cap learned", in that order all but the last;
#                           learned is cap without being told the workers
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/demo.sh BUILD}
readonly bin=$build/bin reports=$build/reports
readonly mode=${FLARE_DEMO_MODE:-users} connections=${FLARE_DEMO_CONNECTIONS:-new}
readonly family=${FLARE_DEMO_FAMILY:-4}
readonly before=${FLARE_DEMO_BEFORE:-30} after=${FLARE_DEMO_AFTER:-90}
read -ra runs <<<"${FLARE_DEMO_RUNS:-without formula cap}"
readonly runs
declare -A labels=([without]="without Flare" [formula]="formula" [cap]="cap" [learned]="cap, learned")
for name in "${runs[@]}"; do
	if [ -z "${labels[$name]:-}" ]; then
		echo "FLARE_DEMO_RUNS has '$name'; accepted: without, formula, cap, learned" >&2
		exit 2
	fi
done
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-flare-demo-}

# 32 slots of 73 ms: 32 / 0.073 s = 438 requests a second.
readonly slots=32 mean_ms=73 capacity=438 objective_ms=400
# Growth of the load counts where it is beyond 3 standard deviations of a count: the growth of a
# count alone has twice the noise of the count, and taken at its word would spill a fifth too much.
readonly significance=3

if [ "$family" = 6 ]; then
	readonly frontend='[2001:db8:2::10]:8080' cloud='[2001:db8:3::10]:8080'
else
	readonly frontend=198.51.100.10:8080 cloud=203.0.113.10:8080
fi

# shellcheck source=scripts/lib/lab_run.sh
. scripts/lib/lab_run.sh

# configure RUN: formula is told the capacity, cap the workers and not the capacity, learned neither.
configure() {
	local policy=$1 told
	case $policy in
	formula) told="capacity_rps: $capacity" ;;
	cap) told="workers: $slots" ;;
	learned) policy=cap told="counting: auto" ;;
	esac
	write_flare <<-END
		  - name: demo
		    frontend: '$frontend'
		    policy: $policy
		    $told
		    formula:
		      interval: 1s
		      significance: $significance
		    serverless:
		      - endpoint: '$cloud'
	END
}

# one_run NAME LABEL: replays the window; its results become $reports/demo-NAME.{json,csv}.
one_run() {
	local name=$1 label=$2
	start_backends "$frontend" "$cloud" $slots $mean_ms
	if [ "$name" != without ]; then
		configure "$name"
		start_flare
	fi
	echo
	echo "== $label =="
	# Of a void run the report says so.
	run_load --rates "$work/rates.csv" --target "$frontend" --mode "$mode" \
		--connections "$connections" --label "$label" --objective-ms $objective_ms \
		--summary "$reports/demo-$name.json" --log "$reports/demo-$name.csv"
	if [ "$name" != without ]; then
		echo
		flarectl service show demo || true
	fi
	end_all
	detach
}

mkdir -p "$reports"
"$bin/flare-trace" --trace tools/traces/twitter_spike_sustained_1s.csv --calm-rps 200 \
	--before "$before" --after "$after" --rates "$work/rates.csv" --about "$work/about.json" \
	>/dev/null
scripts/lab.sh up

echo "A VM serves $capacity requests a second. The load of a real spike comes: about 200 RPS, then 495"
echo "from second $before on. 10 seconds of lead-in, then $((before + after)) s; mode $mode, connections $connections."
summaries=()
for name in "${runs[@]}"; do
	one_run "$name" "${labels[$name]}"
	summaries+=(--run "$reports/demo-$name.json")
done

echo
"$bin/flare-report" "${summaries[@]}" --about "$work/about.json" --capacity $capacity \
	--objective-ms $objective_ms --output "$reports/demo.json" --picture "$reports/demo.svg"
echo
echo "picture: $(realpath "$reports/demo.svg")"
echo "figures: $(realpath "$reports/demo.json")"
