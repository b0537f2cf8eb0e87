#!/usr/bin/env bash
# The paper's evaluation on one machine: policies under a real spike, several at once in labs of their
# own, so that all of them meet the same moments of this machine; then one page that compares them.
# A run that is there and valid is not made again, so an interrupted evaluation goes on where it was.
#
# usage: scripts/eval.sh BUILD quick|full
#   quick   VM-only, the paper's way, cap: one profile, -30 to +150 s round the onset
#   full    the matrix: see `matrix` below
# Set in the environment:
#   FLARE_EVAL_PROFILES      "bookinfo online_boutique hotel_reservation" (quick: bookinfo)
#   FLARE_EVAL_REPETITIONS   3 (quick: 1)
#   FLARE_EVAL_AFTER         seconds after the onset (150)
#   FLARE_EVAL_CELLS         a pattern: only the cells that it matches, as "*.users.*"
#   FLARE_EVAL_PARALLEL      cells at once (3); 0 runs none, and makes the page of what is there
#   FLARE_EVAL_RESULTS       folder of the results (BUILD/reports/eval or eval-quick)
#   FLARE_EVAL_SIM           tables of flare-sim for the page (BUILD/reports/sim.json where it is)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/eval.sh BUILD quick|full} extent=${2:?quick or full}
readonly bin=$build/bin trace=tools/traces/twitter_spike_sustained_1s.csv
readonly before=30 after=${FLARE_EVAL_AFTER:-150} calm_rps=200 steady_rps=350 lead_in=10
readonly parallel=${FLARE_EVAL_PARALLEL:-3}
case $extent in
quick)
	read -ra profiles <<<"${FLARE_EVAL_PROFILES:-bookinfo}"
	results=${FLARE_EVAL_RESULTS:-$build/reports/eval-quick} repetitions=${FLARE_EVAL_REPETITIONS:-1}
	;;
full)
	read -ra profiles <<<"${FLARE_EVAL_PROFILES:-bookinfo online_boutique hotel_reservation}"
	results=${FLARE_EVAL_RESULTS:-$build/reports/eval} repetitions=${FLARE_EVAL_REPETITIONS:-3}
	;;
*)
	echo "$0: no extent '$extent'; there is: quick, full" >&2
	exit 2
	;;
esac
mkdir -p "$results/rates"
results=$(realpath "$results")
readonly profiles results repetitions pattern=${FLARE_EVAL_CELLS:-*}
readonly prefix=${FLARE_EVAL_PREFIX:-flare-eval}

if [ "$(id -u)" != 0 ]; then
	echo "$0 needs root: it makes network namespaces and loads BPF programs" >&2
	exit 1
fi

# cells PROFILE: those of the matrix, without the profile, the policies of a group together.
cells() {
	local every="vm-only over-provisioned serverless-only l7 l7-lag formula cap" policy
	local spilling="l7-lag formula cap"
	if [ "$extent" = quick ]; then
		for policy in vm-only l7-lag cap; do echo "spike.users.new.warm.$policy"; done
		return
	fi
	for policy in $every; do echo "spike.users.new.warm.$policy"; done
	for policy in $every; do echo "spike.open.new.warm.$policy"; done
	for policy in $spilling; do echo "spike.users.new.cold.$policy"; done
	for policy in $spilling; do echo "spike.open.new.cold.$policy"; done
	for policy in vm-only $spilling; do echo "spike.users.pool=200.warm.$policy"; done
	for policy in vm-only $spilling; do echo "spike.open.pool=200.warm.$policy"; done
	for policy in $spilling; do echo "believed-20-high.users.new.warm.$policy"; done
	for policy in vm-only $spilling; do echo "slow-vms.users.new.warm.$policy"; done
	for policy in $spilling; do echo "steady.users.new.warm.$policy"; done
}

# rates SCENARIO: the file of rates of a scenario.
rates() {
	local file=$results/rates/$1.csv second
	case $1 in
	spike | believed-20-high)
		"$bin/flare-trace" --trace $trace --calm-rps $calm_rps --before $before --after "$after" \
			--rates "$file" --about "$results/rates/trace.json" >/dev/null
		;;
	steady | slow-vms)
		{
			echo second,rate
			for ((second = 0; second < before + after; second++)); do
				echo "$second,$([ "$1" = steady ] && echo $steady_rps || echo $calm_rps)"
			done
		} >"$file"
		;;
	esac
	echo "$file"
}

# missing CELL REPETITION: whether it has no valid run. A void one is made once more.
missing() {
	local run=$results/runs/$1/$2/run.json
	[ ! -s "$run" ] || jq -e .void "$run" >/dev/null
}

write_manifest() {
	local commit dirty=false
	commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
	[ -z "$(git status --porcelain 2>/dev/null)" ] || dirty=true
	# shellcheck disable=SC2016 # jq's variables, not the shell's
	printf '%s\n' "${planned[@]}" | jq -Rn --arg commit "$commit" --argjson dirty $dirty \
		--arg kernel "$(uname -r)" --argjson cpus "$(nproc)" --argjson started "$EPOCHSECONDS" \
		--arg machine "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)" \
		--argjson memory "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" \
		--arg trace $trace --arg sum "$(sha256sum $trace | cut -d' ' -f1)" \
		--argjson calm $calm_rps --argjson repetitions "$repetitions" \
		--slurpfile about "$results/rates/trace.json" '
		{schema: "flare-eval-manifest/1", commit: $commit, dirty: $dirty, kernel: $kernel,
		machine: $machine, cpus: $cpus, memory_mib: $memory, started_unix: $started,
		trace: {file: $trace, sha256: $sum, scale: $about[0].scale, calm_rps: $calm,
			onset_trace_s: $about[0].onset_second},
		repetitions: $repetitions, cells: [inputs],
		ipvs: {run: false, why: "IPVS overflow scheduling (ovf) needs CONFIG_IP_VS, which this kernel lacks"}
		}' >"$results/manifest.json"
}

running=()
# shellcheck disable=SC2317 # called by the trap
end_running() {
	local status=$? pid
	trap '' INT TERM
	for pid in "${running[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
	for pid in "${running[@]}"; do wait "$pid" 2>/dev/null || true; done
	exit "$status"
}
trap end_running EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# all_ready "CELL REPETITION"...: whether each of the running ones is set up, or has ended.
all_ready() {
	local job cell repetition number=0
	for job in "$@"; do
		read -r cell repetition <<<"$job"
		if [ ! -e "$results/runs/$cell/$repetition/ready" ] && kill -0 "${running[number]}" 2>/dev/null; then
			return 1
		fi
		number=$((number + 1))
	done
}

# run_batch "CELL REPETITION"...: at the same time; they wait for each other before second 0.
run_batch() {
	local job cell repetition scenario number=0 hundredths pid failed=0
	rm -f "$results/go"
	for job in "$@"; do
		read -r cell repetition <<<"$job"
		number=$((number + 1))
		IFS=. read -r _ scenario _ <<<"$cell"
		# What boots machines must not wait for what else this machine does.
		FLARE_LAB_PREFIX=$prefix$number- FLARE_EVAL_ONSET=$before FLARE_EVAL_CONCURRENT=$# \
			nice -n -10 scripts/eval_cell.sh "$build" "$cell" "$repetition" "$(rates "$scenario")" "$results/go" \
			"$results/runs/$cell/$repetition" &
		running+=($!)
	done
	until all_ready "$@"; do sleep 0.2; done
	# /proc/uptime is CLOCK_MONOTONIC on a machine that was never suspended.
	read -r hundredths _ </proc/uptime
	echo $((${hundredths/./} * 10000000 + (lead_in + 2) * 1000000000)) >"$results/go.new"
	mv "$results/go.new" "$results/go"
	for pid in "${running[@]}"; do wait "$pid" || failed=1; done
	running=()
	for job in "$@"; do
		read -r cell repetition <<<"$job"
		tell "$cell" "$repetition"
	done
	return $failed
}

# tell CELL REPETITION: a line about a run that is over.
tell() {
	local folder=$results/runs/$1/$2
	if [ ! -s "$folder/run.json" ]; then
		printf '%-48s %s  no result\n' "$1" "$2"
		return
	fi
	jq -r --slurpfile run "$folder/run.json" '
		def ms: if . == null then "never" else "\(. | round) ms" end;
		[(.total.requests), (.total.serverless), (.total.failed), (.peak.p50_ms | ms), (.peak.p95_ms | ms),
		.peak.seconds_p95_over, if $run[0].void then "VOID: " + ($run[0].void_reasons | join("; ")) else "" end]
		| @tsv' "$folder/load.json" |
		while IFS=$'\t' read -r requests spilled failed p50 p95 over void; do
			printf '%-48s %s %7s requests %6s serverless %5s failed  peak P50 %8s  P95 %8s  %3s s over  %s\n' \
				"$1" "$2" "$requests" "$spilled" "$failed" "$p50" "$p95" "$over" "$void"
		done
}

planned=() jobs=() options=()
# All of it is read before it runs: it takes long, in which this file may be edited.
main() {
	for profile in "${profiles[@]}"; do
		while read -r cell; do
			# shellcheck disable=SC2053 # a pattern
			[[ $profile.$cell == $pattern ]] || continue
			planned+=("$profile.$cell")
		done < <(cells)
	done
	if [ ${#planned[@]} = 0 ]; then
		echo "$0: FLARE_EVAL_CELLS has '$pattern', which matches no cell" >&2
		exit 2
	fi
	rates spike >/dev/null
	# making the page again is no evaluation
	if [ "$parallel" != 0 ] || [ ! -s "$results/manifest.json" ]; then write_manifest; fi
	for ((repetition = 1; repetition <= repetitions; repetition++)); do
		for cell in "${planned[@]}"; do
			if missing "$cell" $repetition; then jobs+=("$cell $repetition"); fi
		done
	done
	echo "${#planned[@]} cells, $repetitions repetitions: ${#jobs[@]} runs of $((before + after)) s to make, $parallel at once"
	for ((next = 0; parallel > 0 && next < ${#jobs[@]}; next += parallel)); do
		run_batch "${jobs[@]:next:parallel}" || echo "a run of this batch failed" >&2
	done

	sim=${FLARE_EVAL_SIM:-$build/reports/sim.json}
	[ ! -s "$sim" ] || options+=(--sim "$sim")
	"$bin/flare-eval-report" --results "$results" "${options[@]}" --html "$results/evaluation.html" \
		--json "$results/evaluation.json" --text -
	echo
	echo "page:    $results/evaluation.html"
	echo "figures: $results/evaluation.json"
}

main
exit
