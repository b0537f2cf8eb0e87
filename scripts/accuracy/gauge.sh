#!/usr/bin/env bash
# Sourced by scripts/accuracy.sh: requests in flight, as the datapath shows them, against the
# server's own gauge, while the sustained trace is replayed and nothing is spilled.
#
# Two processes asked one after the other see two moments, and a queue moves fast. So averages over
# time are compared: the server adds its gauge up over time, and each stretch between two readings
# has its exact average; the datapath's is asked some 20 times a second and averaged over the same
# stretch. The last row needs no samples: over the whole run, the sum of all latencies in the
# datapath's histogram is the sum over time of what it held in flight.
# shellcheck disable=SC2154,SC2034 # variables of the files that it is sourced with
set -euo pipefail

gauge_rows=()
# 32 slots of 73 ms are 438 requests a second, as in the demo.
readonly backend_438=("$bin/flare-backend" --tier vm --slots 32 --mean-ms 73)
readonly capacity=438 gauge_port=8090

# What sleeps instead of working, and what measures it, must not wait for what else runs here.
prompt=(nice -n -10)
if chrt --rr 1 true 2>/dev/null; then prompt=(chrt --rr 1); fi

# Until it is ended: both sides' readings, each with its time, as a stream of JSON.
sample_gauge() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	exec scripts/lab.sh run vm "${prompt[@]}" bash -c '
		for ((i = 0; ; i++)); do
			echo "{\"at\": $EPOCHREALTIME, \"datapath\": $("${@:2}")}"
			if [ $((i % 10)) = 0 ]; then
				echo "{\"at\": $EPOCHREALTIME, \"server\": $(curl -s "$1")}"
			fi
			sleep 0.03
		done' sample "http://$host:$gauge_port/stats" \
		"$bin/flarectl" --pin-dir "$pins" --socket "$work/flared.sock" -o json service show gauge
}

gauge() {
	local before after sampler began
	read -r before after <<<"${FLARE_ACCURACY_GAUGE:-20 60}"
	"$bin/flare-trace" --trace tools/traces/twitter_spike_sustained_1s.csv --calm-rps 200 \
		--before "$before" --after "$after" --rates "$work/rates.csv" >/dev/null
	scripts/lab.sh up
	start vm gauge.log "${prompt[@]}" "${backend_438[@]}" --listen "$host:$gauge_port"
	start_counting "${attaches[0]}" gauge $gauge_port
	await_port $gauge_port

	sample_gauge >"$work/samples.json" 2>"$work/sampler.log" &
	sampler=$!
	started+=("$sampler")
	sleep 1 # a reading of both with nothing in flight
	began=$EPOCHREALTIME
	replay "$work/rates.csv" 10 users $gauge_port
	sleep 1
	end_process "$sampler"
	unset 'started[-1]'
	compare_gauges "$began" "$before" "$after"
	tear_down
}

# replay RATES LEAD_IN MODE PORT: each request on a connection of its own.
replay() {
	local load status=0
	# In the background, so that a signal is handled now and not when the run is over.
	scripts/lab.sh run client "${prompt[@]}" "$bin/flare-load" --rates "$1" --lead-in "$2" \
		--target "$host:$4" --mode "$3" --connections new --quiet --timeout-s 30 >"$work/load.log" 2>&1 &
	load=$!
	started+=("$load")
	wait "$load" || status=$?
	unset 'started[-1]'
	# 3: the generator was late, which counts for latencies from the intended start alone.
	if [ "$status" != 0 ] && [ "$status" != 3 ]; then
		echo "flare-load ended with status $status" >&2
		cat "$work/load.log" >&2
		exit 1
	fi
}

# compare_gauges BEGAN BEFORE AFTER: BEGAN is when flare-load was started, 10 s before second 0.
compare_gauges() {
	local row
	mapfile -t gauge_rows < <(jq -cs --argjson began "$1" --argjson before "$2" --argjson after "$3" '
		[.[] | select(.datapath) | {at, n: .datapath.service.tiers.vm.in_flight}] as $samples |
		[.[] | select(.datapath) | .datapath.service.tiers.vm.request.sum_ns] as $sums |
		[.[] | select(.server) | {at, now: .server.now_ns, total: .server.in_flight_ns}] as $readings |
		def nearest($at): $readings | min_by(.at - $at | fabs);
		def mean($from; $to): [$samples[] | select(.at >= $from and .at <= $to)] as $s |
			[range(1; $s | length) as $i |
				($s[$i].at - $s[$i - 1].at) * ($s[$i].n + $s[$i - 1].n) / 2] | add / ($s[-1].at - $s[0].at);
		def row($stretch; $server; $datapath): {$stretch, $server, $datapath,
			off: (($datapath - $server) / $server)} | .verdict = if .off | fabs <= 0.02 then "ok" else "WRONG" end;
		def sampled($stretch; $from; $to): nearest($from) as $a | nearest($to) as $b |
			row($stretch; ($b.total - $a.total) / ($b.now - $a.now); mean($a.at; $b.at));
		($began + 10) as $zero |
		sampled("calm"; $zero; $zero + $before),
		sampled("spike"; $zero + $before; $zero + $before + $after),
		sampled("all"; $began; $zero + $before + $after),
		row("all, request-seconds"; ($readings[-1].total - $readings[0].total) / 1e9;
			($sums[-1] - $sums[0]) / 1e9)' "$work/samples.json")
	echo
	printf '%-28s %12s %12s %8s\n' "in flight, on average" server datapath off
	for row in "${gauge_rows[@]}"; do
		jq -r '[.stretch, .server, .datapath, .off * 100, .verdict] | @tsv' <<<"$row" |
			awk -F'\t' '{ printf "%-28s %12.2f %12.2f %+7.2f %%  %s\n", $1, $2, $3, $4, $5 }'
	done
	# Fewer where a reading was none.
	if [ ${#gauge_rows[@]} != 4 ] || [[ "${gauge_rows[*]}" == *WRONG* ]]; then failed=1; fi
}
