#!/usr/bin/env bash
# Sourced by scripts/accuracy.sh: quantiles of the datapath's histogram against what the server logs
# itself, of exactly the same requests: each level of load has a service, a port and a log of its own.
# shellcheck disable=SC2154,SC2034 # variables of the files that it is sourced with
set -euo pipefail

latency_rows=()

latency() {
	local levels level port=8090 list=() count counts=() counted logged attach=${attaches[0]} offloads=on
	read -ra levels <<<"${FLARE_ACCURACY_LEVELS:-20 50 80 95 110}"
	for level in "${levels[@]}"; do
		list+=("level-$level" $((++port)))
	done
	scripts/lab.sh up
	start_counting "$attach" "${list[@]}"
	echo
	printf '%-8s %9s %9s %10s %10s %8s\n' load requests quantile "server ms" datapath off
	port=8090
	for level in "${levels[@]}"; do
		one_level "$level" $((++port))
	done
	for count in "${counts[@]}"; do
		read -r level counted logged <<<"$count"
		check "$level %: requests in the histogram" "$counted" -eq "$logged"
	done
	tear_down
}

# one_level PERCENT PORT: prints its quantiles, and adds what both sides have counted to `counts`.
one_level() {
	local level=$1 port=$2 log=$work/level-$1.us request quantile second
	for ((second = 0; second < ${FLARE_ACCURACY_LEVEL_S:-20}; second++)); do
		echo "$second,$((capacity * level / 100))"
	done | sed "1i second,rate" >"$work/level.csv"
	start vm level.log "${prompt[@]}" "${backend_438[@]}" --listen "$host:$port" --log "$log"
	await_port "$port"
	replay "$work/level.csv" 0 open "$port"
	end_newest # it writes the rest of its log
	sort -n "$log" >"$log.sorted"
	request=$(shown "level-$level" .tiers.vm.request)
	for quantile in 50 95 99; do
		compare_quantile "$level" $quantile "$log.sorted" "$(jq ".p${quantile}_ns" <<<"$request")"
	done
	counts+=("$level $(jq .count <<<"$request") $(wc -l <"$log")")
}

# compare_quantile LEVEL QUANTILE LOG NS: nearest rank in the sorted log; within 5 % or 0.2 ms.
compare_quantile() {
	local row
	row=$(jq -c -s --argjson level "$1" --argjson quantile "$2" --argjson ns "$4" '
		{level: $level, requests: length, $quantile,
		 server_ms: (.[(length * $quantile / 100 | ceil) - 1] / 1e3), datapath_ms: ($ns / 1e6)} |
		.off = (.datapath_ms - .server_ms) / .server_ms |
		.verdict = if (.off | fabs) <= 0.05 or (.datapath_ms - .server_ms | fabs) <= 0.2
			then "ok" else "WRONG" end' "$3")
	latency_rows+=("$row")
	if [[ $row == *WRONG* ]]; then failed=1; fi
	jq -r '[.level, .requests, .quantile, .server_ms, .datapath_ms, .off * 100, .verdict] | @tsv' <<<"$row" |
		awk -F'\t' '{ printf "%5d %% %10d %9s %10.2f %10.2f %+7.2f %%  %s\n", $1, $2, "P" $3, $4, $5, $6, $7 }'
}
