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
#   FLARE_DEMO_CONNECTIONS  new, keep=K or pool=M
#   FLARE_DEMO_FAMILY       4 or 6
#   FLARE_DEMO_BEFORE, FLARE_DEMO_AFTER   seconds around the onset (30, 90)
#   FLARE_DEMO_RUNS         which of "without formula cap"
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/demo.sh BUILD}
readonly bin=$build/bin reports=$build/reports
readonly mode=${FLARE_DEMO_MODE:-users} connections=${FLARE_DEMO_CONNECTIONS:-new}
readonly family=${FLARE_DEMO_FAMILY:-4}
readonly before=${FLARE_DEMO_BEFORE:-30} after=${FLARE_DEMO_AFTER:-90}
read -ra runs <<<"${FLARE_DEMO_RUNS:-without formula cap}"
readonly runs
declare -A labels=([without]="without Flare" [formula]="formula" [cap]="cap")
for name in "${runs[@]}"; do
	if [ -z "${labels[$name]:-}" ]; then
		echo "FLARE_DEMO_RUNS has '$name'; accepted: without, formula, cap" >&2
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

if [ "$(id -u)" != 0 ]; then
	echo "the demo needs root: it makes network namespaces and loads BPF programs" >&2
	exit 1
fi

# What measures and what sleeps instead of working must not wait for what else this machine does;
# together they use a few percent of a CPU. Flare itself runs as it would anywhere.
prompt=(nice -n -10)
if chrt --rr 1 true 2>/dev/null; then prompt=(chrt --rr 1); fi

work=$(mktemp -d)
readonly work pins=/sys/fs/bpf/${FLARE_LAB_PREFIX%-}
started=() # what runs in the background, by pid, in the order of starting

# Ends one process: asks, waits up to 5 s, then insists.
end_process() {
	local pid=$1 try
	kill -TERM "$pid" 2>/dev/null || return 0
	for try in {1..50}; do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	if kill -KILL "$pid" 2>/dev/null; then
		echo "process $pid did not end by itself after $((try / 10)) s" >&2
	fi
	wait "$pid" 2>/dev/null || true
}

end_all() {
	local i
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		end_process "${started[i]}"
	done
	started=()
}

flarectl() {
	scripts/lab.sh run vm "$bin/flarectl" --pin-dir "$pins" --socket "$work/flared.sock" "$@"
}

detach() {
	[ -d "$pins" ] || return 0
	flarectl detach --yes >/dev/null || echo "flarectl could not detach; see $pins" >&2
	find "$pins" -depth -type d -empty -delete 2>/dev/null || true
}

clean_up() {
	local status=$?
	trap '' INT TERM
	end_all
	detach
	scripts/lab.sh down
	rm -rf "$work"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start HOST LOG COMMAND...: in the background.
start() {
	local host=$1 log=$2
	shift 2
	scripts/lab.sh run "$host" "$@" >"$work/$log" 2>&1 &
	started+=($!)
}

# await WHAT COMMAND...: until it succeeds, 10 s at most.
await() {
	local what=$1 try
	shift
	for try in {1..100}; do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.1
	done
	echo "$what is not ready after $((try / 10)) s" >&2
	tail -n 20 "$work"/*.log >&2
	exit 1
}

answers() {
	scripts/lab.sh run client timeout 1 bash -c "</dev/tcp/$1/8080"
}

start_backends() {
	start vm vm.log "${prompt[@]}" "$bin/flare-backend" --listen "$frontend" --tier vm \
		--slots $slots --mean-ms $mean_ms
	start cloud cloud.log "${prompt[@]}" "$bin/flare-backend" --listen "$cloud" --tier serverless \
		--slots 0 --mean-ms $mean_ms
	local endpoint
	for endpoint in "$frontend" "$cloud"; do
		endpoint=${endpoint%:8080}
		await "the backend at $endpoint" answers "${endpoint//[\[\]]/}"
	done
}

# start_flare POLICY: formula is told the capacity, cap the workers and not the capacity.
start_flare() {
	local policy=$1 told
	told="capacity_rps: $capacity"
	[ "$policy" = formula ] || told="workers: $slots"
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	cat >"$work/flare.yaml" <<-END
		interfaces:
		  - name: eth0
		services:
		  - name: demo
		    frontend: '$frontend'
		    policy: $policy
		    $told
		    formula:
		      interval: 1s
		      significance: $significance
		    serverless:
		      - endpoint: '$cloud'
		agent:
		  control_socket: $work/flared.sock
		  state_dir: $work/state
		  pin_dir: $pins
	END
	start vm flared.log "$bin/flared" --config "$work/flare.yaml"
	await flared flarectl status
}

# one_run NAME LABEL: replays the window; its results become $reports/demo-NAME.{json,csv}.
one_run() {
	local name=$1 label=$2 load status=0
	start_backends
	[ "$name" = without ] || start_flare "$name"
	echo
	echo "== $label =="
	# In the background, so that a signal is handled now and not when the run is over.
	scripts/lab.sh run client "${prompt[@]}" "$bin/flare-load" --rates "$work/rates.csv" \
		--target "$frontend" --mode "$mode" --connections "$connections" --label "$label" \
		--objective-ms $objective_ms --summary "$reports/demo-$name.json" \
		--log "$reports/demo-$name.csv" &
	load=$!
	started+=("$load")
	wait "$load" || status=$?
	# 3: the run is void; the report says so.
	[ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"
	unset 'started[-1]'
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
