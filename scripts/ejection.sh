#!/usr/bin/env bash
# What becomes of clients when one of a balancer's eight VMs breaks under a steady load: its link dies,
# its server is gone, or it becomes ten times slower; each without active checks, with tcp and with http
# ones. Prints a line a run with its verdict and writes reports/ejection.json. Ends with status 1 where
# a bound is broken.
#
# usage: scripts/ejection.sh BUILD
#
# Set in the environment, for other runs:
#   FLARE_EJECTION_FAULTS   which of "dead refusing slow" (all); none is a control, in which nothing breaks
#   FLARE_EJECTION_CHECKS   "none tcp http"
#   FLARE_EJECTION_BEFORE, FLARE_EJECTION_FAULT, FLARE_EJECTION_AFTER   seconds of a run (5, 8, 22)
#   FLARE_EJECTION_HEALTH   more keys of health, as "passive: off": the control, in which bounds break
# shellcheck disable=SC2016,SC2154 # jq's variables, not the shell's; those of lab_run.sh
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/ejection.sh BUILD}
readonly bin=$build/bin reports=$build/reports flare_host=lb
read -ra faults <<<"${FLARE_EJECTION_FAULTS:-dead refusing slow}"
read -ra checks <<<"${FLARE_EJECTION_CHECKS:-none tcp http}"
readonly faults checks
readonly before=${FLARE_EJECTION_BEFORE:-5} fault_seconds=${FLARE_EJECTION_FAULT:-8}
readonly after=${FLARE_EJECTION_AFTER:-22} more_health=${FLARE_EJECTION_HEALTH:-}
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-flare-eject-} FLARE_LAB_SHAPE=two-arms
# 60 requests a second for each VM, which takes 1,600.
readonly vms=8 rps=480 slots=64 mean_ms=40 slow_factor=10 eject_seconds=4
readonly vip=203.0.113.100:8080 victim=3
for name in "${faults[@]}"; do
	if [[ ! " dead refusing slow none " == *" $name "* ]]; then
		echo "FLARE_EJECTION_FAULTS has '$name'; accepted: dead refusing slow none" >&2
		exit 2
	fi
done

# shellcheck source=scripts/lib/lab_run.sh
. scripts/lib/lab_run.sh

# The address and port of a VM; the lab's networks are numbered.
vm_at() {
	echo "10.20.$(($1 + 2)).10:8080"
}

write_config() {
	local number
	{
		printf 'interfaces: [{match: "to-*"}]\nservices:\n  - name: web\n    frontend: %s\n' $vip
		printf '    placement: balancer\n    policy: observe\n    health: {check: %s, %seject_time: %ss}\n' \
			"$1" "${more_health:+$more_health, }" $eject_seconds
		printf '    vm:\n'
		for ((number = 1; number <= vms; number++)); do
			printf '      - endpoint: %s\n' "$(vm_at $number)"
		done
		printf 'agent: {control_socket: %s, state_dir: %s, pin_dir: %s}\n' \
			"$work/flared.sock" "$work/state" "$pins"
	} >"$work/flare.yaml"
	chmod 600 "$work/flare.yaml"
}

start_vm() {
	start "vm$1" "vm$1.log" "${prompt[@]}" "$bin/flare-backend" --listen "$(vm_at "$1")" --tier vm \
		--slots $slots --mean-ms $mean_ms --seed "$1"
	servers[$1]=${started[-1]}
}

change_speed() {
	on vm$victim curl -sS -o "$work/slow.log" -X PUT "http://$(vm_at $victim)/control?slow=$1"
	grep -q '"slow":' "$work/slow.log"
}

# The link goes down with its addresses in place, but takes its routes along.
break_vm() {
	case $1 in
	dead) ip -n "${FLARE_LAB_PREFIX}vm$victim" link set eth0 down ;;
	refusing)
		end_process "${servers[victim]}"
		forget "${servers[victim]}"
		;;
	slow) change_speed $slow_factor ;;
	esac
}

mend_vm() {
	case $1 in
	dead)
		ip -n "${FLARE_LAB_PREFIX}vm$victim" link set eth0 up
		ip -n "${FLARE_LAB_PREFIX}vm$victim" route add default via "10.20.$((victim + 2)).1"
		;;
	refusing) start_vm $victim ;;
	slow) change_speed 1 ;;
	esac
}

# What flared thinks and the datapath counts, some times a second, each with its moment.
sample() {
	while true; do
		printf '{"t": %s}\n' "$EPOCHREALTIME"
		"$bin/flarectl" --pin-dir "$pins" --socket "$work/flared.sock" -o json backend list
		sleep 0.1
	done
}

# Unix seconds at which flared has put a backend on trial, a JSON list.
trials() {
	local day time
	{ grep 'backend is on trial' "$work/flared.log" || true; } | while read -r day time _; do
		date -d "$day $time" +%s.%N
	done | jq -cs .
}

# What a run is judged by. A sample of the victim is out where the datapath has it other than active; new
# flows between two such samples, with no trial between them, have gone to a backend that was out. The
# first sample and the last are left out: the state is written some milliseconds before the table, and
# looked at some before the counters.
readonly judge='
	def bound($what; $holds): {what: $what, holds: $holds};
	def round2: if . == null then null else . * 100 | round / 100 end;
	[range(0; $samples | length; 2) as $i | $samples[$i] as $at | ($samples[$i + 1] // empty)
		| {t: $at.t, backends: .backends}] as $all
	| [$all[] | {t, one: (.backends[] | select(.backend == $victim))}
		| {t, out: (.one.state != "active"), phase: (.one.health.health // "up"),
			since: (.one.health.since_s), why: (.one.health.reason // ""), new: .one.traffic.flows_new}] as $v
	| [$v[] | select(.t >= $broken and .out)] as $outs
	| ($outs[0] // null) as $first
	| ([$v[] | select(.t >= $mended)] | until(length == 0 or (all(.phase == "up")); .[1:])[0]) as $back
	| [range(2; ($v | length) - 1) | select(. as $i | all($v[$i - 2:$i + 2][]; .out)
		and all($trials[]; . < $v[$i - 1].t or . > $v[$i + 1].t))] as $pairs
	| ($load[0]) as $l | {
		$fault, $checks, requests: $l.total.requests, failed: $l.total.failed, failures: $l.total.failures,
		why: ($first.why // null),
		out_after_s: (if $first then $first.t - ($first.since // 0) - $broken else null end | round2),
		phases: (reduce ($v[] | select(.t >= $broken) | .phase) as $p
			([]; if .[-1] == $p then . else . + [$p] end)),
		looks_while_out: ($pairs | length), new_while_out: ([$pairs[] | $v[.].new - $v[. - 1].new] | add // 0),
		most_out: ([$all[] | [.backends[] | select(.state != "active" or .health.health == "trial")]
			| length] | max),
		others_out: ([$all[].backends[] | select(.backend != $victim and .state != "active") | .backend]
			| unique | length),
		back_after_s: (if $back then $back.t - ($back.since // 0) - $mended else null end | round2),
		lateness_p99_ms: $l.lateness.p99_ms, void: ($l.lateness.void or $l.interrupted)
	} | (if $fault == "slow" then 8 else 5 end) as $soon
	| .bounds = [
		bound("the load generator kept its schedule"; .void | not),
		bound("out within \($soon) s"; .out_after_s != null and .out_after_s <= $soon),
		bound("no new flow goes there while it is out"; .looks_while_out >= 5 and .new_while_out == 0),
		bound("at most half of the tier is out"; .most_out <= $vms / 2),
		bound("no other backend is out"; .others_out == 0),
		if $fault == "slow" then bound("no request fails"; .failed == 0)
		else bound("what fails came before it was out, or in a trial";
			.out_after_s != null and .failed <= $rps / $vms * (.out_after_s + 1) + 20) end,
		bound("back within 20 s"; .back_after_s != null and .back_after_s <= 20)
	]'

rows=()
add_row() {
	rows+=("$1")
	jq -r 'def seconds: if . == null then "-" else "\(.) s" end;
		[.fault, .checks, .requests, .failed, (.out_after_s | seconds), .new_while_out, .most_out,
		(.back_after_s | seconds), if .bounds | all(.holds) then "ok"
		else "BROKEN: " + ([.bounds[] | select(.holds | not).what] | join("; ")) end] | @tsv' <<<"$1" |
		while IFS=$'\t' read -r fault check requests failed out new most back verdict; do
			printf '%-9s %-6s %9s %7s %8s %8s %5s %8s  %s\n' "$fault" "$check" "$requests" "$failed" \
				"$out" "$new" "$most" "$back" "$verdict"
		done
}

# one_run FAULT CHECKS
one_run() {
	local fault=$1 check=$2 load broken mended sampler flared
	write_config "$check"
	start_flare
	flared=${started[-1]}
	await "the VIP" answers "${vip%:*}" "${vip#*:}"
	sample >"$work/samples.json" &
	sampler=$!
	started+=("$sampler")
	start client load.log "${prompt[@]}" "$bin/flare-load" --rates "$work/rates.csv" --target $vip \
		--mode open --quiet --lead-in 2 --timeout-s 3 --label "$fault-$check" \
		--summary "$reports/ejection-$fault-$check.json"
	load=${started[-1]}
	sleep $((before + 2))
	broken=$EPOCHREALTIME
	break_vm "$fault"
	sleep "$fault_seconds"
	mended=$EPOCHREALTIME
	mend_vm "$fault"
	wait "$load" || [ $? = 3 ] || { tail -n 5 "$work/load.log" >&2 && exit 1; }
	forget "$load"
	kill "$sampler"
	wait "$sampler" 2>/dev/null || true
	forget "$sampler"
	# The last document may be cut.
	add_row "$(jq -c . "$work/samples.json" 2>/dev/null | jq -cn --arg fault "$fault" --arg checks "$check" \
		--arg victim "$(vm_at $victim)" --argjson broken "$broken" --argjson mended "$mended" \
		--argjson rps $rps --argjson vms $vms --argjson trials "$(trials)" \
		--slurpfile load "$reports/ejection-$fault-$check.json" \
		"[inputs] as \$samples | $judge")"
	end_process "$flared"
	forget "$flared"
	detach
	rm -rf "$work/state"
}

servers=()
mkdir -p "$reports"
scripts/lab.sh up
{
	echo second,rate
	for ((second = 0; second < before + fault_seconds + after; second++)); do
		echo "$second,$rps"
	done
} >"$work/rates.csv"
for ((number = 1; number <= vms; number++)); do
	start_vm $number
done
printf '%-9s %-6s %9s %7s %8s %8s %5s %8s  %s\n' fault checks requests failed "out in" "new then" most \
	"back in" verdict
for check in "${checks[@]}"; do
	for fault in "${faults[@]}"; do
		one_run "$fault" "$check"
	done
done
echo "new then: new flows that went to the broken VM while it was out; most: of 8 VMs out or on trial at once"

printf '%s\n' "${rows[@]}" | jq -s --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
	--argjson rps $rps --argjson vms $vms \
	'{target: "ejection", format: 1, $commit, rps: $rps, vms: $vms, runs: .}' >"$reports/ejection.json"
echo "figures: $(realpath "$reports/ejection.json")"
jq -e '.runs | length > 0 and all(.bounds | all(.holds))' "$reports/ejection.json" >/dev/null
