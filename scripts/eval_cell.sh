#!/usr/bin/env bash
# One run of the evaluation: a policy under a load, in namespaces of its own: clients, a front service
# where the application has one, the balancer with Flare or HAProxy, pods that an autoscaler starts,
# the services behind, and the serverless tier. Several of them may run at once, each with its own
# FLARE_LAB_PREFIX.
#
# usage: scripts/eval_cell.sh BUILD CELL REPETITION RATES GO OUTPUT
#   CELL     profile.scenario.clients.connections.functions.policy, as scripts/eval.sh lists them
#   RATES    file of rates (flare-trace), shared by all policies
#   GO       file in which CLOCK_MONOTONIC of second 0 will stand, once OUTPUT/ready is there
#   OUTPUT   folder for the results (docs/evaluation/README.md has what is in it)
# Read from the environment: FLARE_EVAL_ONSET (second of the spike's onset, 30), FLARE_EVAL_CONCURRENT.
# shellcheck disable=SC2154 # variables of lab_run.sh and eval_profiles.sh
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/eval_cell.sh BUILD CELL REPETITION RATES GO OUTPUT}
readonly cell=$2 repetition=$3 rates=$4 go=$5 output=$6
readonly bin=$build/bin flare_host=lb
IFS=. read -r profile scenario clients connections functions policy <<<"$cell"
readonly profile scenario clients connections functions policy
readonly onset=${FLARE_EVAL_ONSET:-30} concurrent=${FLARE_EVAL_CONCURRENT:-1}
: "${FLARE_LAB_PREFIX:?is set by scripts/eval.sh}"
export FLARE_LAB_SHAPE=fleet

# A pod has 4 slots of 73 ms: 54.8 requests a second. It is believed to serve 0.92 of that, which
# leaves room to work a queue off; the figures of the cost and of the violations do not depend on it.
readonly vip=203.0.113.100:8080 cloud=10.20.3.10:8080 front=10.20.1.10:8080
readonly pod_slots=4 objective_ms=400 lead_in=10 pods_max=24
readonly calm_pods=8 pod_rps=54.8 late_ms_max=10000
readonly cold_ms=250 cold_sigma=0.4 prewarmed=300
readonly slow_factor=2 slow_from=$onset slow_for=120

# shellcheck source=scripts/lib/lab_run.sh
. scripts/lib/lab_run.sh
# shellcheck source=scripts/lib/eval_profiles.sh
. scripts/lib/eval_profiles.sh
# shellcheck source=scripts/lib/eval_proxy.sh
. scripts/lib/eval_proxy.sh

refuse() {
	echo "$cell: no $1 '$2'; there is: $3" >&2
	exit 2
}
case $scenario in
spike | steady | slow-vms) believed=0.92 ;;
believed-20-high) believed=1.104 ;; # 0.92 x 1.2
*) refuse scenario "$scenario" "spike, steady, slow-vms, believed-20-high" ;;
esac
pod_told_rps=$(jq -n "$pod_rps * $believed * 10 | round / 10")
readonly believed pod_told_rps

start_pods=$calm_pods exported=yes scaling=yes steering=
case $policy in
vm-only) steering=observe exported=no ;;
over-provisioned) steering=observe exported=no start_pods=16 ;;
serverless-only) steering=observe scaling=no ;;
formula | cap) steering=$policy ;;
l7) lag_s=0 ;;
l7-lag) lag_s=5 ;;
*) refuse policy "$policy" "vm-only, over-provisioned, serverless-only, l7, l7-lag, formula, cap" ;;
esac
# In a steady state nothing may change the capacity.
[ "$scenario" != steady ] || scaling=no
readonly start_pods exported scaling steering

case $functions in
warm) instances=(--prewarmed "$prewarmed") ;;
cold) instances=() ;;
*) refuse functions "$functions" "warm, cold" ;;
esac
instances+=(--cold-start-ms "$cold_ms" --cold-sigma "$cold_sigma" --keep-alive-s 300
	--scale-instances 1000 --scale-every-s 10)
readonly instances

# How the front service dials: as the clients do.
case $connections in
new) dialling=new ;;
pool=*) dialling=pool ;;
*) refuse connections "$connections" "new, pool=M" ;;
esac
readonly dialling

pod_at() {
	echo "10.20.$((100 + $1)).10:8080"
}

# serve HOST LOG DIALLING ARGUMENTS...: a service, and how it calls others.
serve() {
	local host=$1 log=$2 how=$3
	shift 3
	start "$host" "$log" "${prompt[@]}" "$bin/flare-backend" --call-connections "$how" "$@"
}

start_chain() {
	local service port mean seed calls
	for service in "${chain_services[@]}"; do
		read -r port mean seed calls <<<"$service"
		# shellcheck disable=SC2086 # several words
		serve chain "chain-$port.log" pool --listen "$chain_address:$port" --tier chain --slots 0 \
			--mean-ms "$mean" --seed "$seed" $calls
	done
}

declare -A pod_pids=()
# start_pod NUMBER: a machine has come, and its pod starts.
start_pod() {
	local endpoint
	endpoint=$(pod_at "$1")
	scripts/lab.sh add "vm$1"
	serve "vm$1" "vm$1.log" pool --listen "$endpoint" --tier vm --slots $pod_slots --mean-ms "$pod_mean_ms" \
		"${pod_calls[@]}"
	pod_pids[$1]=${started[-1]}
}

# What the autoscaler has decided becomes true: namespaces, processes, and the policy is told.
on_event() {
	local event=$1 pod=$2
	case $event in
	pod-starting) start_pod "$pod" ;;
	pod-ready)
		if [ -n "$steering" ]; then
			flarectl backend add web "$(pod_at "$pod")" --workers $pod_slots --capacity-rps "$pod_told_rps" \
				>>"$work/fleet.log" 2>&1
		else
			proxy_add_pod "$pod" "$(pod_at "$pod")"
		fi
		;;
	pod-draining)
		if [ -n "$steering" ]; then
			flarectl backend drain web "$(pod_at "$pod")" >>"$work/fleet.log" 2>&1
		else
			proxy_drain_pod "$pod"
		fi
		;;
	pod-gone)
		if [ -n "$steering" ]; then
			flarectl backend remove web "$(pod_at "$pod")" >>"$work/fleet.log" 2>&1
		fi
		end_process "${pod_pids[$pod]}"
		forget "${pod_pids[$pod]}"
		scripts/lab.sh remove "vm$pod"
		;;
	esac
}

start_steering() {
	local pod
	{
		printf 'interfaces: [{match: "to-*"}]\nservices:\n'
		printf '  - name: web\n    frontend: %s\n    placement: balancer\n    select: least\n' $vip
		printf '    policy: %s\n    spend: {per_second: 2000, burst: 2000}\n' "$steering"
		[[ $connections == new ]] || printf '    move: close\n'
		printf '    vm:\n'
		for ((pod = 1; pod <= start_pods; pod++)); do
			printf '      - {endpoint: "%s", workers: %s, capacity_rps: %s}\n' \
				"$(pod_at $pod)" $pod_slots "$pod_told_rps"
		done
		printf '    serverless: [{endpoint: "%s"}]\n' $cloud
		printf 'agent: {control_socket: %s, state_dir: %s, pin_dir: %s}\n' \
			"$work/flared.sock" "$work/state" "$pins"
	} >"$work/flare.yaml"
	start_flare
	if [ "$policy" = serverless-only ]; then flarectl share set web 1 >>"$work/fleet.log"; fi
	status_command=("$bin/flarectl" --pin-dir "$pins" --socket "$work/flared.sock" -o json
		service show web)
}

start_autoscaler() {
	local options=(--zero-monotonic-ns "$zero_ns" --seed "$repetition" --pods "$start_pods"
		--pods-max "$pods_max" --hold-until-s "$((onset - 30))" --pod-rps "$pod_rps"
		--fleet "$output/fleet.json" --control "$output/control.jsonl")
	[ $exported = yes ] || options+=(--cpu-only)
	[ $scaling = yes ] || options+=(--fixed)
	mkfifo "$work/events"
	exec 3<>"$work/events"
	scripts/lab.sh run lb "$bin/flare-autoscaler" "${options[@]}" -- "${status_command[@]}" \
		>"$work/events" 2>"$work/autoscaler.log" 3>&- &
	autoscaler=$!
	started+=("$autoscaler")
}

# change_speed FACTOR: of all pods that there are.
change_speed() {
	local pod
	for pod in "${!pod_pids[@]}"; do
		on lb curl -sS -o /dev/null -X PUT "http://$(pod_at "$pod")/control?slow=$1"
	done
}

# note_late DUE_NS: by how much a pod was later than the autoscaler said.
note_late() {
	local hundredths late
	read -r hundredths _ </proc/uptime
	late=$(((${hundredths/./} * 10000000 - $1) / 1000000))
	if [ $late -gt $pods_late_ms ]; then pods_late_ms=$late; fi
}

# By /proc/uptime, which is CLOCK_MONOTONIC on a machine that was never suspended.
seconds_since_zero() {
	local hundredths
	read -r hundredths _ </proc/uptime
	echo $(((${hundredths/./} * 10000000 - zero_ns) / 1000000000))
}

# Follows the autoscaler until the load is over.
follow() {
	local event pod due slowed=no now
	while kill -0 "$load" 2>/dev/null; do
		if read -r -t 0.5 -u 3 event pod due; then
			on_event "$event" "$pod"
			[ "$event" != pod-ready ] || note_late "$due"
		fi
		kill -0 "$autoscaler" 2>/dev/null || {
			cat "$work/autoscaler.log" >&2
			exit 1
		}
		[ "$scenario" = slow-vms ] || continue
		now=$(seconds_since_zero)
		if [ $slowed = no ] && [ "$now" -ge "$slow_from" ]; then
			change_speed $slow_factor
			slowed=yes
		elif [ $slowed = yes ] && [ "$now" -ge $((slow_from + slow_for)) ]; then
			change_speed 1
			slowed=over
		fi
	done
}

# keep NAME COMMAND...: its output becomes a file of the results, or none.
keep() {
	local name=$1
	shift
	if "$@" >"$work/kept" 2>>"$work/fleet.log"; then
		mv "$work/kept" "$output/$name"
	else
		reasons+=("$name could not be read")
	fi
}

# Writes what the run was, and why it is void if it is.
write_about() {
	local reason
	if [ $pods_late_ms -gt $late_ms_max ]; then
		reasons+=("a pod was ready $pods_late_ms ms after its time")
	fi
	for reason in "${reasons[@]}"; do
		printf '%s\n' "$reason"
	done | jq -Rn '[inputs]' >"$work/reasons.json"
	# shellcheck disable=SC2016 # jq's variables, not the shell's
	jq -n --arg profile "$profile" --arg scenario "$scenario" --arg clients "$clients" \
		--arg connections "$connections" --arg functions "$functions" --arg policy "$policy" \
		--argjson repetition "$repetition" --argjson onset "$onset" --argjson objective $objective_ms \
		--argjson capacity "$(jq -n "$start_pods * $pod_rps")" \
		--argjson told "$(jq -n "$start_pods * $pod_told_rps")" --argjson started "$started_unix" \
		--argjson concurrent "$concurrent" --argjson load "$(cut -d' ' -f1 /proc/loadavg)" \
		--argjson slow "$slow_json" --argjson late $pods_late_ms --slurpfile reasons "$work/reasons.json" \
		--slurpfile summary "$output/load.json" '
		($reasons[0] + if $summary[0].lateness.void then
			["the load generator was late: p99 \($summary[0].lateness.p99_ms) ms"] else [] end) as $why
		| {schema: "flare-eval-run/1", profile: $profile, scenario: $scenario, clients: $clients,
		connections: $connections, functions: $functions, policy: $policy, repetition: $repetition,
		seed: $repetition, onset_s: $onset, seconds: ($summary[0].seconds | length),
		objective_ms: $objective, capacity_rps: $capacity, capacity_told_rps: $told,
		started_unix: $started, concurrent: $concurrent, load_average: $load, slow: $slow, pods_late_ms: $late,
		void: ($why != []), void_reasons: $why}' >"$output/run.json.new"
	mv "$output/run.json.new" "$output/run.json"
}

# All of it is read before it runs: a run takes minutes, in which this file may be edited.
main() {
	reasons=() pods_late_ms=0
	started_unix=$EPOCHSECONDS
	slow_json=null
	if [ "$scenario" = slow-vms ]; then
		slow_json="{\"from_s\": $slow_from, \"to_s\": $((slow_from + slow_for)), \"factor\": $slow_factor}"
	fi
	mkdir -p "$output"
	rm -f "$output"/*
	scripts/lab.sh up
	start_chain
	serve cloud cloud.log pool --listen $cloud --tier serverless --slots 0 --mean-ms "$pod_mean_ms" \
		"${instances[@]}" "${pod_calls[@]}"
	for ((number = 1; number <= start_pods; number++)); do
		start_pod $number
	done
	status_command=()
	if [ -n "$steering" ]; then start_steering; else start_proxy; fi
	target=$vip
	if [ -n "$front_mean_ms" ]; then
		serve front front.log $dialling --listen $front --tier front --slots 0 --mean-ms "$front_mean_ms" \
			--seed 41 --tier-from $vip "${front_calls[@]}"
		target=$front
	fi
	for endpoint in "$cloud" "$target" "$(pod_at "$start_pods")"; do
		await "$endpoint" answers "${endpoint%:*}" 8080
	done
	touch "$output/ready"
	while [ ! -s "$go" ]; do sleep 0.1; done
	read -r zero_ns <"$go"
	rm "$output/ready"
	start_autoscaler

	scripts/lab.sh run client "${prompt[@]}" "$bin/flare-load" --rates "$rates" --target "$target" \
		--mode "$clients" --connections "$connections" --seed "$repetition" --lead-in $lead_in \
		--zero-monotonic-ns "$zero_ns" --objective-ms $objective_ms --label "$cell" --quiet \
		--summary "$output/load.json" --log "$work/requests.csv" >"$work/load.log" 2>&1 3>&- &
	load=$!
	started+=("$load")
	follow
	status=0
	wait "$load" || status=$?
	forget "$load"
	if [ "$status" != 0 ] && [ "$status" != 3 ]; then
		cat "$work/load.log" >&2
		exit 1
	fi

	if [ -n "$steering" ]; then keep service.json flarectl -o json service show web; fi
	keep serverless.json on lb curl -sS "http://$cloud/stats"
	end_process "$autoscaler"
	forget "$autoscaler"
	[ -s "$output/fleet.json" ] || reasons+=("the autoscaler left no figures")
	if [ "$exported" = no ] || [ "$policy" = over-provisioned ]; then rm -f "$output/control.jsonl"; fi
	zstd -q -f "$work/requests.csv" -o "$output/requests.csv.zst"
	write_about
}

main
exit
