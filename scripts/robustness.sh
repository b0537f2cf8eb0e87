#!/usr/bin/env bash
# How soon policy cap reacts and what does not mislead it: a step from 200 to 520 requests a second
# against a VM that serves 438, with the capacity told right, wrong and not at all; a VM that becomes
# twice as slow under a load that does not change; and an hour's worth of requests at 0.8 of the
# capacity, of which under 0.01 % may spill. Prints a line a run with its verdict and writes
# reports/robustness.json. Ends with status 1 where a bound is broken. A run that flared refuses, or in
# which the load generator was late, has proved nothing: that is a broken bound too.
#
# usage: scripts/robustness.sh BUILD
#
# Set in the environment, for other runs:
#   FLARE_ROBUSTNESS_RUNS     which of "step high low workers slow slow-workers stationary" (all)
#   FLARE_ROBUSTNESS_MODES    of the clients, all runs but the last: "users open"
#   FLARE_ROBUSTNESS_BEFORE, FLARE_ROBUSTNESS_AFTER   seconds around the step (15, 40)
#   FLARE_ROBUSTNESS_REQUESTS of the last run (1262520: an hour at 0.8 x 438)
#   FLARE_ROBUSTNESS_SERVICES side by side in the last run (10), each with a server and clients of its own
#   FLARE_ROBUSTNESS_ROUND    seconds (12) after which the clients of the last run are others
#   FLARE_ROBUSTNESS_STATIONARY_MODE   users; open has a floor of 0.0145 %, see docs/reports.md
#   FLARE_ROBUSTNESS_POLICY   cap; observe is the control: it spills nothing, so bounds break
#   FLARE_ROBUSTNESS_SPEND    limits of spending, as "{per_hour: 0}", which makes connections late
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/robustness.sh BUILD}
readonly bin=$build/bin reports=$build/reports
read -ra runs <<<"${FLARE_ROBUSTNESS_RUNS:-step high low workers slow slow-workers stationary}"
read -ra modes <<<"${FLARE_ROBUSTNESS_MODES:-users open}"
readonly runs modes
readonly before=${FLARE_ROBUSTNESS_BEFORE:-15} after=${FLARE_ROBUSTNESS_AFTER:-40}
readonly stationary_requests=${FLARE_ROBUSTNESS_REQUESTS:-1262520}
readonly services=${FLARE_ROBUSTNESS_SERVICES:-10} round_seconds=${FLARE_ROBUSTNESS_ROUND:-12}
readonly stationary_mode=${FLARE_ROBUSTNESS_STATIONARY_MODE:-users}
readonly policy=${FLARE_ROBUSTNESS_POLICY:-cap} spend=${FLARE_ROBUSTNESS_SPEND:-}
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-flare-robust-}

# 32 slots of 73 ms: 32 / 0.073 s = 438 requests a second.
readonly slots=32 mean_ms=73 capacity=438 objective_ms=400 lead_in=10
readonly step_from=200 step_to=520 slow_rps=250 slow_factor=2
readonly frontend=198.51.100.10:8080 cloud=203.0.113.10:8080
declare -A titles=(
	[step]="step, workers told, capacity not told"
	[high]="step, capacity told 20 % too high"
	[low]="step, capacity told 20 % too low"
	[workers]="step, neither workers nor capacity told"
	[slow]="VM $slow_factor x slower, workers told"
	[slow-workers]="VM $slow_factor x slower, workers not told"
	[stationary]="stationary at 0.8 of the capacity"
)
declare -A told=(
	[step]="workers: $slots"
	[high]="workers: $slots, capacity_rps: $((capacity * 12 / 10))"
	[low]="workers: $slots, capacity_rps: $((capacity * 8 / 10))"
	[workers]=""
	[slow]="workers: $slots"
	[slow-workers]=""
	[stationary]="workers: $slots"
)
for name in "${runs[@]}"; do
	if [ -z "${titles[$name]:-}" ]; then
		echo "FLARE_ROBUSTNESS_RUNS has '$name'; accepted: ${!titles[*]}" >&2
		exit 2
	fi
done

# shellcheck source=scripts/lib/lab_run.sh
. scripts/lib/lab_run.sh

# rates SECONDS RPS [SECONDS RPS]...: a file of rates.
rates() {
	local second=0 i
	echo second,rate
	while [ $# -ge 2 ]; do
		for ((i = 0; i < $1; i++)); do
			echo "$((second++)),$2"
		done
		shift 2
	done
}

# service NAME FRONTEND TOLD: a line of configuration, for a service whose VM tier Flare knows so much of.
service() {
	echo "  - {name: $1, frontend: '$2', policy: $policy, ${3:+$3,} ${spend:+spend: $spend,}" \
		"serverless: [{endpoint: '$cloud'}]}"
}

# Slows the VM down in the middle of a run. Asked on the VM itself, where no hook sees the question.
slow_down_later() {
	sleep $((lead_in + before)) &
	# shellcheck disable=SC2064 # this sleep
	trap "kill $!" TERM
	wait $!
	on vm curl -sS -o "$work/slow.log" -X PUT "http://$frontend/control?slow=$slow_factor"
}

# What a run is judged by, a line each: the words say what must be true. Reads the summary of flare-load,
# the datapath's figures and flarectl's memory of spills; a bound is {what, holds}.
# shellcheck disable=SC2016 # jq's variables, not the shell's
readonly judge='
	def bound($what; $holds): {what: $what, holds: $holds};
	($service[0].service) as $s | ($spills[0].events | map(select(.event == "start"))) as $starts
	| ($s.spilled | add) as $spilled | ($s.tiers.vm.requests + $s.tiers.serverless.requests) as $seen
	| ($load[0]) as $l | {
		run: $run, title: $title, mode: $mode, policy: $s.policy, told: $told, state: "ran",
		requests: $l.total.requests, spilled: $l.total.serverless, failed: $l.total.failed,
		peak_p95_ms: $l.peak.p95_ms, seconds_p95_over: $l.peak.seconds_p95_over,
		lateness_p99_ms: $l.lateness.p99_ms, void: ($l.lateness.void or $l.interrupted),
		datapath: {requests: $seen, spilled: $s.spilled, over_cap: $s.over_cap, refused: $s.refused,
			cap: $s.cap, workers: $s.workers, capacity_rps: $s.capacity_rps},
		vm_most_at_once: ($slots + $backend[0].waiting_peak),
		first_spill: ($starts[0] // null | if . then del(.service, .number, .age_ns) else . end)
	} | .bounds = [
		bound("the load generator kept its schedule"; .void | not),
		bound("no request fails"; .failed == 0),
		bound("something spills"; .spilled > 0 and $spilled > 0),
		bound("0 s over the objective"; .seconds_p95_over == 0),
		if $run == "step" then
			bound("0 connections late: none left to the VM with the cap reached";
				.datapath.over_cap == 0 and .datapath.cap > 0 and .datapath.spilled.cap > 0),
			bound("peak P95 at most \($peak_ms) ms"; .peak_p95_ms != null and .peak_p95_ms <= $peak_ms)
		else empty end
	]'

rows=()
# add_row ROW: prints the line of a run and keeps its figures.
add_row() {
	rows+=("$1")
	jq -r 'def ms: if . == null then "-" else "\(. | round) ms" end;
		[.title, .mode, .requests // "-", .spilled // "-", .datapath.over_cap // "-",
		.vm_most_at_once // "-",
		(.peak_p95_ms | ms), .seconds_p95_over // "-",
		if .state != "ran" then "REFUSED by flared"
		elif .bounds | all(.holds) then "ok"
		else "BROKEN: " + ([.bounds[] | select(.holds | not).what] | join("; ")) end] | @tsv' <<<"$1" |
		while IFS=$'\t' read -r title mode requests spilled late at_once peak over verdict; do
			printf '%-41s %-5s %9s %8s %5s %8s %9s %6s  %s\n' "$title" "$mode" "$requests" \
				"$spilled" "$late" "$at_once" "$peak" "$over" "$verdict"
		done
}

# measure NAME MODE: the figures and the verdict of a run that is over.
measure() {
	local name=$1 mode=$2 peak_ms=200
	[ "$mode" = users ] || peak_ms=250
	flarectl -o json service show robust >"$work/service.json"
	flarectl -o json spills --service robust >"$work/spills.json"
	on vm curl -sS "http://$frontend/stats" >"$work/backend.json"
	add_row "$(jq -cn --arg run "$name" --arg title "${titles[$name]}" --arg mode "$mode" \
		--arg told "${told[$name]}" --argjson slots $slots --argjson peak_ms $peak_ms \
		--slurpfile load "$reports/robustness-$name-$mode.json" \
		--slurpfile service "$work/service.json" \
		--slurpfile spills "$work/spills.json" --slurpfile backend "$work/backend.json" "$judge")"
}

# one_run NAME MODE
one_run() {
	local name=$1 mode=$2
	service robust $frontend "${told[$name]}" | write_flare
	if ! flare_accepts; then
		add_row "$(jq -cn --arg run "$name" --arg title "${titles[$name]}" --arg mode "$mode" \
			--arg told "${told[$name]}" --rawfile why "$work/refusal.log" \
			'{$run, $title, $mode, $told, state: "refused", $why,
			bounds: [{what: "flared accepts it", holds: false}]}')"
		return
	fi
	start_backends $frontend $cloud $slots $mean_ms
	start_flare
	if [[ $name == slow* ]]; then
		slow_down_later &
		started+=($!)
	fi
	run_load --rates "$work/rates.csv" --target $frontend --mode "$mode" --label "$name" --quiet \
		--lead-in $lead_in --objective-ms $objective_ms --summary "$reports/robustness-$name-$mode.json" \
		>"$work/load.log"
	if [[ $name == slow* ]] && ! grep -q '"slow":' "$work/slow.log"; then
		echo "the VM was not slowed down" >&2
		exit 1
	fi
	measure "$name" "$mode"
	end_all
	detach
	rm -rf "$work/state" "$work/slow.log"
}

# What the last run is judged by: the sum over its services.
# shellcheck disable=SC2016 # jq's variables, not the shell's
readonly judge_stationary='
	def bound($what; $holds): {what: $what, holds: $holds};
	$list[0].services as $s | ([$s[].spilled[]] | add) as $spilled
	| ([$s[] | .tiers.vm.requests + .tiers.serverless.requests] | add) as $seen | {
		run: "stationary", title: $title, mode: $mode, policy: $s[0].policy, told: $told, state: "ran",
		services: ($s | length), $rounds, requests: ([$loads[].total.requests] | add),
		spilled: ([$loads[].total.serverless] | add), failed: ([$loads[].total.failed] | add),
		peak_p95_ms: ([$loads[].peak.p95_ms] | if any(. == null) then null else max end),
		seconds_p95_over: ([$loads[].peak.seconds_p95_over] | add),
		lateness_p99_ms: ([$loads[].lateness.p99_ms] | max),
		void: any($loads[]; .lateness.void or .interrupted),
		datapath: {requests: $seen, spilled: $spilled, over_cap: ([$s[].over_cap] | add),
			spilled_by_service: [$s[].spilled | add]},
		false_spill: (if $seen > 0 then $spilled / $seen else null end)
	} | .bounds = [
		bound("the load generator kept its schedule"; .void | not),
		bound("no request fails"; .failed == 0),
		bound("every request was seen"; .requests > 0 and .datapath.requests >= .requests),
		bound("under 0.01 % spill"; .false_spill != null and .false_spill < 0.0001)
	]'

# stationary_round ROUND: the clients of all services at once, with seeds of their own.
stationary_round() {
	local i pids=() pid
	for ((i = 0; i < services; i++)); do
		start client "load-$i.log" "${prompt[@]}" "$bin/flare-load" --rates "$work/rates.csv" \
			--target "${frontend%:*}:$((8080 + i))" --mode "$stationary_mode" --quiet --lead-in 1 \
			--seed $(($1 * services + i + 1)) --objective-ms $objective_ms \
			--summary "$work/load-$1-$i.json"
		pids+=("${started[-1]}")
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || [ $? = 3 ] || { tail -n 2 "$work"/load-*.log >&2 && exit 1; }
		forget "$pid"
	done
}

# An hour of requests in minutes: services side by side, each with a VM of the same size, so that a
# moment in which this machine is late weighs no more than it would in the hour. A user keeps to its
# moment in each second, so the same users would be one sample of how they fall: hence the rounds.
stationary_run() {
	local i at rounds=$((stationary_requests / services / round_seconds / (capacity * 8 / 10)))
	[ $rounds -gt 0 ] || rounds=1
	for ((i = 0; i < services; i++)); do
		service "robust-$i" "${frontend%:*}:$((8080 + i))" "${told[stationary]}"
	done | write_flare
	start_backends $frontend $cloud $slots $mean_ms
	for ((i = 1; i < services; i++)); do
		at=${frontend%:*}:$((8080 + i))
		start vm "vm-$i.log" "${prompt[@]}" "$bin/flare-backend" --listen "$at" --slots $slots \
			--mean-ms $mean_ms --seed $((i + 1)) --tier vm
		await "the backend at $at" answers "${frontend%:*}" $((8080 + i))
	done
	start_flare
	for ((i = 0; i < rounds; i++)); do
		stationary_round $i
	done
	flarectl -o json service list >"$work/list.json"
	jq -c 'del(.seconds)' "$work"/load-*-*.json >"$work/loads.json"
	add_row "$(jq -cn --arg title "${titles[stationary]}" --arg mode "$stationary_mode" \
		--arg told "${told[stationary]}" --argjson rounds $rounds --slurpfile list "$work/list.json" \
		--slurpfile loads "$work/loads.json" "$judge_stationary")"
	end_all
	detach
	rm -rf "$work/state"
}

mkdir -p "$reports"
scripts/lab.sh up
printf '%-41s %-5s %9s %8s %5s %8s %9s %6s  %s\n' "run (policy $policy)" mode requests spilled late \
	"at once" "peak P95" "s over" verdict
for name in "${runs[@]}"; do
	case $name in
	stationary)
		rates "$round_seconds" $((capacity * 8 / 10)) >"$work/rates.csv"
		stationary_run
		continue
		;;
	slow*) rates $((before + after)) $slow_rps >"$work/rates.csv" ;;
	*) rates "$before" $step_from "$after" $step_to >"$work/rates.csv" ;;
	esac
	for mode in "${modes[@]}"; do
		one_run "$name" "$mode"
	done
done
echo "late: new connections left to the VM with the cap reached, by the datapath's own count"
echo "at once: the most requests that the VM's server had, working and waiting, by its own count"

printf '%s\n' "${rows[@]}" | jq -s --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
	--argjson capacity $capacity --argjson objective $objective_ms \
	'{target: "robustness", format: 1, $commit, capacity_rps: $capacity, objective_ms: $objective, runs: .}' \
	>"$reports/robustness.json"
echo "figures: $(realpath "$reports/robustness.json")"
jq -e '.runs | length > 0 and all(.bounds | all(.holds))' "$reports/robustness.json" >/dev/null
