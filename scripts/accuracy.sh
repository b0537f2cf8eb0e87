#!/usr/bin/env bash
# What the datapath measures against what the servers themselves have counted and logged: real
# servers and clients in the lab's namespaces, the service on the VM, Flare beside it, nothing
# spilled. Three parts, each with a table, and build/reports/accuracy.json for all:
#
#   counts   requests, a row a workload; none may be in flight when all are answered
#   gauge    requests in flight over the sustained trace, against the server's own gauge
#   latency  P50, P95 and P99 at five levels of load, against the server's own log
#
# Ends with status 1 where a row says WRONG.
#
# usage: scripts/accuracy.sh BUILD
#
# Set in the environment, for other runs than the whole one:
#   FLARE_ACCURACY_PARTS      "counts gauge latency"
#   FLARE_ACCURACY_ATTACH     "tc xdp"; gauge and latency take the first
#   FLARE_ACCURACY_OFFLOADS   "on off": segmentation offloads of the lab's links
#   FLARE_ACCURACY_GROUPS     of workloads, with offloads on: "http tls client proxy h2 grpc redis loss"
#   FLARE_ACCURACY_GROUPS_OFF the same with offloads off: "http tls h2 loss"
#   FLARE_ACCURACY_SECONDS    of each run of wrk (1)
#   FLARE_ACCURACY_GAUGE      seconds of the trace before and after the spike's onset: "20 60"
#   FLARE_ACCURACY_LEVELS     of load, in % of the capacity: "20 50 80 95 110"
#   FLARE_ACCURACY_LEVEL_S    seconds at each of them (20)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/accuracy.sh BUILD}
readonly bin=$build/bin reports=$build/reports clients=tools/lab/clients
readonly seconds=${FLARE_ACCURACY_SECONDS:-1}
readonly host=198.51.100.10
readonly python=/usr/bin/python3 # Debian's, which has Debian's packages
read -ra parts <<<"${FLARE_ACCURACY_PARTS:-counts gauge latency}"
read -ra attaches <<<"${FLARE_ACCURACY_ATTACH:-tc xdp}"
read -ra offload_passes <<<"${FLARE_ACCURACY_OFFLOADS:-on off}"
read -ra groups_on <<<"${FLARE_ACCURACY_GROUPS:-http tls client proxy h2 grpc redis loss}"
read -ra groups_off <<<"${FLARE_ACCURACY_GROUPS_OFF:-http tls h2 loss}"
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-flare-acc-}

# shellcheck source=scripts/lib/lab_run.sh
source scripts/lib/lab_run.sh
# shellcheck source=scripts/accuracy/lab.sh
source scripts/accuracy/lab.sh
# shellcheck source=scripts/accuracy/servers.sh
source scripts/accuracy/servers.sh
# shellcheck source=scripts/accuracy/rows.sh
source scripts/accuracy/rows.sh
# shellcheck source=scripts/accuracy/workloads.sh
source scripts/accuracy/workloads.sh
# shellcheck source=scripts/accuracy/gauge.sh
source scripts/accuracy/gauge.sh
# shellcheck source=scripts/accuracy/latency.sh
source scripts/accuracy/latency.sh

run_groups() {
	local group
	for group in "$@"; do
		if [ "$group" = loss ]; then
			loss_workloads in-front 2
			loss_workloads behind 1
		else
			"${group}_workloads"
		fi
	done
	class_checks "$@"
}

counts() {
	write_files
	print_head
	for attach in "${attaches[@]}"; do
		for offloads in "${offload_passes[@]}"; do
			scripts/lab.sh up
			set_offloads "$attach" "$offloads"
			start_servers
			start_counting "$attach" "${services[@]}"
			await_servers
			if [ "$offloads" = off ]; then
				run_groups "${groups_off[@]}"
			else
				run_groups "${groups_on[@]}"
			fi
			tear_down
		done
	done
}

mkdir -p "$reports"
for part in "${parts[@]}"; do
	"$part"
done
report
echo "figures: $(realpath "$reports/accuracy.json")"
[ "$failed" = 0 ]
