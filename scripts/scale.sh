#!/usr/bin/env bash
# flared at the largest size that it takes: 4,096 services of placement balancer with 65,535 backends in
# all (15 VMs and a serverless one each, the last one less) and a million flows in the table. Measures
# the first start, reloads, a restart, the control loop, the sweep, what flared uses while nothing
# happens, and memory; prints a table and writes reports/scale.json. Ends with status 1 where a bound is
# broken.
#
# usage: scripts/scale.sh BUILD
#
# Set in the environment, for other runs:
#   FLARE_SCALE_SERVICES   4096, of 16 backends each
#   FLARE_SCALE_FLOWS      1000000
#   FLARE_SCALE_IDLE       seconds (10) that flared is watched doing nothing
# shellcheck disable=SC2016,SC2154 # jq's variables, not the shell's; those of lab_run.sh
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/scale.sh BUILD}
readonly bin=$build/bin reports=$build/reports
readonly tool=$build/tests/bench/flare_scale
readonly services=${FLARE_SCALE_SERVICES:-4096} flows=${FLARE_SCALE_FLOWS:-1000000}
readonly idle_seconds=${FLARE_SCALE_IDLE:-10}
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-flare-scale-}
# shellcheck source=scripts/lib/lab_run.sh
. scripts/lib/lab_run.sh
readonly socket=$work/flared.sock figures=$work/figures.json

# write_scale [FIRST_WEIGHT]: the configuration. FIRST_WEIGHT is the weight of each service's first VM,
# or, as "one", of the first service's alone (2), so that reloads have something to change.
write_scale() {
	awk -v services="$services" -v first="${1:-1}" -v socket="$socket" -v state="$work/state" \
		-v pins="$pins" 'BEGIN {
		print "interfaces:\n  - name: eth0\nservices:"
		for (s = 0; s < services; s++) {
			high = int(s / 250); low = 1 + s % 250
			printf "  - name: scale-%d\n    frontend: 198.19.%d.%d:80\n", s, high, low
			print "    placement: balancer\n    vm:"
			vms = s == services - 1 ? 14 : 15
			for (b = 0; b < vms; b++) {
				weight = b > 0 ? 1 : first == "one" ? (s == 0 ? 2 : 1) : first
				printf "      - {endpoint: 10.%d.%d.%d:8080, weight: %d}\n", 100 + b, high, low, weight
			}
			printf "    serverless:\n      - {endpoint: 203.0.%d.%d:80}\n", 113 + high, low
		}
		printf "limits: {services: 4096, backends: 65536, flows: 1048576}\n"
		printf "agent: {control_socket: %s, state_dir: %s, pin_dir: %s}\n", socket, state, pins
	}' >"$work/next.yaml"
	chmod 600 "$work/next.yaml"
	mv "$work/next.yaml" "$work/flare.yaml"
}

# add FILTER [JQ ARGUMENTS]...: what FILTER makes of the figures so far.
add() {
	local filter=$1
	shift
	jq -c "$@" "$filter" "$figures" >"$work/added.json"
	mv "$work/added.json" "$figures"
}

# begin: flared, until it serves; sets flared (its pid), start_ms and start_cpu_ms.
begin() {
	local from=$EPOCHREALTIME ready
	start vm flared.log "$bin/flared" --config "$work/flare.yaml"
	flared=${started[-1]}
	ready=$("$tool" await "$socket")
	start_ms=$(jq --argjson from "$from" '(.unix_s - $from) * 1000' <<<"$ready")
	start_cpu_ms=$(worked)
	reloads=0
}

# A reload of what write_scale wrote, as figures reload_NAME_ms and reload_NAME_cpu_ms. flared sees the
# file change, too, and reads it again: that is waited for.
reload() {
	local from ready worked_before
	worked_before=$(worked)
	from=$EPOCHREALTIME
	"$tool" reload "$socket" >"$work/reload.json"
	ready=$EPOCHREALTIME
	jq -e '.ok' "$work/reload.json" >/dev/null || { jq -r . "$work/reload.json" >&2 && exit 1; }
	add ".reload_$1_ms = (\$to - \$from) * 1000 | .reload_$1_cpu_ms = \$cpu" --argjson from "$from" \
		--argjson to "$ready" --argjson cpu $(($(worked) - worked_before))
	reloads=$((reloads + 2))
	"$tool" await "$socket" --reloads $reloads >/dev/null
}

# Milliseconds that flared has worked, to 10 ms.
worked() {
	awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$flared/stat"
}

# CPU of flared while nothing happens, in cpu_share.
watch_idle() {
	local before after
	before=$(worked)
	sleep "$idle_seconds"
	after=$(worked)
	cpu_share=$(awk -v ms=$((after - before)) -v s="$idle_seconds" 'BEGIN { print ms / 1000 / s }')
}

kib() {
	awk -v key="$1:" '$1 == key { print $2 }' "/proc/$flared/status"
}

mkdir -p "$reports"
scripts/lab.sh up
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
echo '{}' >"$figures"

write_scale
begin
add '.first_start_ms = $ms | .first_start_cpu_ms = $cpu' --argjson ms "$start_ms" \
	--argjson cpu "$start_cpu_ms"
"$tool" await "$socket" >/dev/null
watch_idle
add '.idle_cpu = $cpu | .rss_kib = $rss' --argjson cpu "$cpu_share" --argjson rss "$(kib VmRSS)"

write_scale
reload same
write_scale one
reload one
write_scale 2
reload all
add '.peak_rss_kib = $peak' --argjson peak "$(kib VmHWM)"

"$tool" fill "$pins" "$flows" >"$work/fill.json"
add '. + $fill[0]' --slurpfile fill "$work/fill.json"
"$tool" memory "$pins" >"$work/memory.json"
add '. + $memory[0]' --slurpfile memory "$work/memory.json"
watch_idle
add '.full_cpu = $cpu' --argjson cpu "$cpu_share"
end_process "$flared"
forget "$flared"
"$tool" loop "$work/flare.yaml" >"$work/loop.json"
add '. + $loop[0]' --slurpfile loop "$work/loop.json"

begin
add '.restart_ms = $ms | .restart_cpu_ms = $cpu | .restart_rss_kib = $rss' --argjson ms "$start_ms" \
	--argjson cpu "$start_cpu_ms" --argjson rss "$(kib VmRSS)"
grep -q adopted=true "$work/flared.log" || { echo "the restart did not adopt the maps" >&2 && exit 1; }

# A reload holds up the control loop, so it must be done before heartbeat_bound (5 s).
add 'def bound($what; $holds): {what: $what, holds: $holds};
	. + {target: "scale", format: 1, commit: $commit, services: $services, backends: ($services * 16 - 1)}
	| .bounds = [
		bound("the first start takes at most 15 s"; .first_start_ms <= 15000),
		bound("a restart takes at most 10 s"; .restart_ms <= 10000),
		bound("no reload takes 5 s"; [.reload_same_ms, .reload_one_ms, .reload_all_ms] | max < 5000),
		bound("every tier has its table"; .selection_tables == 2 * .services),
		bound("every flow is in the table"; .entries == 2 * .flows),
		bound("the sweep looks at every entry"; .sweep.entries >= .entries),
		bound("a control tick takes at most 250 ms"; .tick.ms <= 250),
		bound("a step of the sweep takes at most 50 ms"; .sweep.step.ms <= 50),
		bound("idle, it uses at most half a CPU"; .idle_cpu <= 0.5 and .full_cpu <= 0.5),
		bound("it takes at most 1 GiB"; .peak_rss_kib <= 1048576)
	]' --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
	--argjson services "$services"
cp "$figures" "$reports/scale.json"

jq -r 'def ms: "\(. * 10 | round / 10) ms";
	def mib: "\(. / 1048576 | round) MiB";
	def each($count): "\(. * 1000 / $count * 10 | round / 10) us";
	def percent: "\(. * 1000 | round / 10) %";
	.services as $s | .backends as $b | .entries as $e
	| ["flared with \($s) services, \($b) backends", "all", "CPU", "a service", "a backend"],
	(def row($what; $wall; $cpu):
			[$what, ($wall | ms), ($cpu | ms), ($wall | each($s)), ($wall | each($b))];
		row("first start"; .first_start_ms; .first_start_cpu_ms),
		row("restart, adopting what is pinned"; .restart_ms; .restart_cpu_ms),
		row("reload: nothing changes"; .reload_same_ms; .reload_same_cpu_ms),
		row("reload: one service changes"; .reload_one_ms; .reload_one_cpu_ms),
		row("reload: a weight in every service"; .reload_all_ms; .reload_all_cpu_ms),
		row("of a start: reading and judging the file"; .read.ms; .read.cpu_ms),
		row("of a start: all of it into adopted maps"; .adopt.ms; .adopt.cpu_ms),
		row("of a reload: the same into the maps again"; .apply_same.ms; .apply_same.cpu_ms)),
	["control tick", (.tick.ms | ms), (.tick.cpu_ms | ms), (.tick.ms | each($s)), "-"],
	["sweep of \($e) entries, in steps", (.sweep.ms | ms), (.sweep.cpu_ms | ms), "-", "-"],
	["a step of it, ten a second", (.sweep.step.ms | ms), (.sweep.step.cpu_ms | ms), "-", "-"],
	["recount of requests, each ten seconds", (.recount.ms | ms), (.recount.cpu_ms | ms), "-", "-"],
	["idle, no flow", "-", (.idle_cpu | percent), "-", "-"],
	["idle, \(.flows) flows", "-", (.full_cpu | percent), "-", "-"],
	["memory of flared", (.rss_kib * 1024 | mib), "-", "-", "-"],
	["memory of flared, the most", (.peak_rss_kib * 1024 | mib), "-", "-", "-"],
	["memory of the maps", (.maps_bytes | mib), "-", "-", "-"],
	["memory of \(.selection_tables) selection tables", (.selection_tables_bytes | mib), "-", "-", "-"]
	| @tsv' "$figures" |
	while IFS=$'\t' read -r what all cpu service backend; do
		printf '%-44s %12s %11s %10s %10s\n' "$what" "$all" "$cpu" "$service" "$backend"
	done
jq -r '.bounds[] | select(.holds | not) | "BROKEN: \(.what)"' "$figures"
echo "figures: $(realpath "$reports/scale.json")"
jq -e '.bounds | all(.holds)' "$figures" >/dev/null
