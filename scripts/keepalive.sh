#!/usr/bin/env bash
# What becomes of connections that carry many requests. Three parts, a table each:
#   lengths  a step from 200 to 520 requests a second against a VM that serves 438, with connections of
#            1 to 1,000 requests and with a pool of 64, which grows with the load or (warm) was open
#            before it, so that no new connection comes: seconds over the objective with `move: none` and
#            `move: close`, for policy cap and for policy formula
#   matrix   real clients whose connections are moved all the time, as a pinned share swings between 0
#            and 0.5: how many connections were told to end, and how many requests failed by it
#   follow   how soon the requests of open connections follow a share that is pinned
# Writes reports/keepalive.json. Ends with status 1 where a bound is broken: a second over the objective
# with cap and `move: close`, a failed request, a client of which no connection was moved (which proves
# nothing), or requests that do not follow.
#
# usage: scripts/keepalive.sh BUILD
#
# Set in the environment, for other runs:
#   FLARE_KEEPALIVE_PARTS     which of "lengths matrix follow"
#   FLARE_KEEPALIVE_LENGTHS   as flare-load names them: "new keep=10 keep=100 keep=1000 pool=64 warm=64"
#   FLARE_KEEPALIVE_COLUMNS   policy and move: "cap-none cap-close formula-none formula-close"
#   FLARE_KEEPALIVE_MODE      users or open
#   FLARE_KEEPALIVE_BEFORE, FLARE_KEEPALIVE_AFTER   seconds around the step (10, 28)
#   FLARE_KEEPALIVE_CLIENTS   of the matrix; all are named in scripts/lib/movers.sh
#   FLARE_KEEPALIVE_SECONDS   of each client and method (5); FLARE_KEEPALIVE_SWING_S of the share (0.5);
#   FLARE_KEEPALIVE_THINK_MS  of each client between two requests (5)
#   FLARE_KEEPALIVE_MOVE      of matrix and follow: close; none is the control, in which nothing moves
#   FLARE_KEEPALIVE_FAULT     1: the VM's servers break off in the middle of each client, a control too:
#                             every client of the matrix must show errors
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/keepalive.sh BUILD}
readonly bin=$build/bin reports=$build/reports
read -ra parts <<<"${FLARE_KEEPALIVE_PARTS:-lengths matrix follow}"
read -ra lengths <<<"${FLARE_KEEPALIVE_LENGTHS:-new keep=10 keep=100 keep=1000 pool=64 warm=64}"
read -ra columns <<<"${FLARE_KEEPALIVE_COLUMNS:-cap-none cap-close formula-none formula-close}"
readonly parts lengths columns
readonly mode=${FLARE_KEEPALIVE_MODE:-users}
readonly before=${FLARE_KEEPALIVE_BEFORE:-10} after=${FLARE_KEEPALIVE_AFTER:-28}
readonly client_seconds=${FLARE_KEEPALIVE_SECONDS:-5} swing_s=${FLARE_KEEPALIVE_SWING_S:-0.5}
readonly think_ms=${FLARE_KEEPALIVE_THINK_MS:-5} follow_s=5
readonly move=${FLARE_KEEPALIVE_MOVE:-close} fault=${FLARE_KEEPALIVE_FAULT:-0}
for part in "${parts[@]}"; do
	if [[ ! $part =~ ^(lengths|matrix|follow)$ ]]; then
		echo "FLARE_KEEPALIVE_PARTS has '$part'; accepted: lengths, matrix, follow" >&2
		exit 2
	fi
done
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-flare-keep-}

# 32 slots of 73 ms: 32 / 0.073 s = 438 requests a second.
readonly slots=32 mean_ms=73 capacity=438 objective_ms=400 lead_in=5
readonly step_from=200 step_to=520
readonly frontend=198.51.100.10:8080 cloud=203.0.113.10:8080

# shellcheck source=scripts/lib/lab_run.sh
. scripts/lib/lab_run.sh
# shellcheck source=scripts/lib/movers.sh
. scripts/lib/movers.sh
read -ra clients <<<"${FLARE_KEEPALIVE_CLIENTS:-${all_clients[*]}}"
readonly clients

# move_key MOVE: the line of configuration; none is the default.
move_key() {
	[ "$1" = none ] || echo "move: $1"
}

# Ends all and forgets what flared knew.
start_over() {
	end_all
	detach
	rm -rf "$work/state"
}

length_rows=() matrix_rows=() follow_rows=()

# one_length LENGTH COLUMN: its figures are in $figures.
one_length() {
	local length=$1 policy=${2%-*} column_move=${2#*-} told="workers: $slots"
	[ "$policy" = cap ] || told="capacity_rps: $capacity"
	write_flare <<-END
		  - name: keep
		    frontend: '$frontend'
		    policy: $policy
		    $told
		    $(move_key "$column_move")
		    formula: {interval: 1s, significance: 3}
		    serverless: [{endpoint: '$cloud'}]
	END
	figures=$(jq -cn --arg connections "$length" --arg policy "$policy" --arg move "$column_move" \
		'{$connections, $policy, $move}')
	if ! flare_accepts; then
		figures=$(jq -c --rawfile why "$work/refusal.log" '. + {state: "refused", $why}' <<<"$figures")
		return
	fi
	start_backends $frontend $cloud $slots $mean_ms
	start_flare
	run_load --rates "$work/rates.csv" --target $frontend --mode "$mode" --connections "$length" \
		--label "$length $2" --quiet --lead-in $lead_in --objective-ms $objective_ms \
		--summary "$work/load.json" >"$work/load.log"
	figures=$(jq -c --slurpfile load "$work/load.json" --argjson moved "$(moved_of keep)" '
		$load[0] as $l | . + {state: "ran", requests: $l.total.requests, spilled: $l.total.serverless,
		failed: $l.total.failed, peak_p95_ms: $l.peak.p95_ms, seconds_p95_over: $l.peak.seconds_p95_over,
		connections_made: $l.run.connections_made, $moved,
		void: ($l.lateness.void or $l.interrupted)}' <<<"$figures")
	start_over
}

# A row a length, a column a policy and move; in it seconds over the objective and connections moved.
part_lengths() {
	local length column figures line row
	{
		echo second,rate
		seq 0 $((before + after - 1)) | awk -v step="$before" -v from=$step_from -v to=$step_to \
			'{ print $1 "," ($1 < step ? from : to) }'
	} >"$work/rates.csv"
	echo "Seconds with P95 over $objective_ms ms of $((before + after)), a step to $step_to RPS at second $before" \
		"(in brackets: connections moved)"
	printf '%-12s' connections
	printf ' %16s' "${columns[@]}"
	printf '  verdict\n'
	for length in "${lengths[@]}"; do
		row=()
		printf '%-12s' "$length"
		for column in "${columns[@]}"; do
			one_length "$length" "$column"
			figures=$(jq -c '. + {bounds: [
				if .state != "ran" then {what: "flared accepts it", holds: false} else
				{what: "the load generator kept its schedule", holds: (.void == false)},
				{what: "no request fails", holds: (.failed == 0)},
				(select(.policy == "cap" and .move == "close") |
					{what: "0 s over the objective", holds: (.seconds_p95_over == 0)})
				end]}' <<<"$figures")
			row+=("$figures")
			printf ' %16s' "$(jq -r 'if .state == "ran" then "\(.seconds_p95_over) (\(.moved | add))"
				else "refused" end' <<<"$figures")"
		done
		line=$(printf '%s\n' "${row[@]}" | jq -rs '[.[] | "\(.policy)-\(.move)" as $column | .bounds[]
			| select(.holds | not) | "\($column): \(.what)"]
			| if length > 0 then "BROKEN: " + join("; ") else "ok" end')
		printf '  %s\n' "$line"
		length_rows+=("${row[@]}")
	done
}

# Starts what matrix and follow measure with; its status is 1 where flared refuses `move`.
start_movers() {
	write_mover_services "$(move_key "$move")"
	if ! flare_accepts; then
		echo "REFUSED by flared: $(tail -n 1 "$work/refusal.log")"
		return 1
	fi
	start_servers
	start_flare
}

part_matrix() {
	local name cell=
	compile_clients "${clients[*]}"
	echo
	echo "Clients whose connections are moved (move: $move), $client_seconds s each, 16 connections," \
		"$think_ms ms of thinking; evictions: by the means of the service"
	if ! start_movers; then
		matrix_rows+=('{"state": "refused", "bounds": [{"what": "flared accepts it", "holds": false}]}')
		return
	fi
	printf '%-19s %-7s %-6s %9s %7s %10s %7s  %s\n' client means method requests errors evictions resets verdict
	for name in "${clients[@]}"; do
		client_is "$name" || { echo "FLARE_KEEPALIVE_CLIENTS has '$name'" >&2 && exit 2; }
		for method in "${methods[@]}"; do
			cell "$name" "$method"
			cell=$(jq -c '. + {state: "ran", bounds: [
				{what: "requests are answered", holds: (.requests > 0)},
				# h2load calls failed, too, what its connections, told to go away, let it send no more
				{what: "no request fails", holds: (if .client == "h2load" then .lost else .errors end == 0)},
				if .means == "none" then {what: "no connection is moved", holds: (.evictions == 0)}
				else {what: "connections are moved", holds: (.evictions > 0)} end]}' <<<"$cell")
			matrix_rows+=("$cell")
			jq -r '[.client, .means, .method, .requests, .errors, .evictions, .moved.reset,
				([.bounds[] | select(.holds | not).what] as $broken | if $broken == [] then "ok"
				else "BROKEN: " + ($broken | join("; ")) end)
				+ (if .errors > 0 then " (" + .first_error[:90] + ")" else "" end)] | @tsv' <<<"$cell" |
				while IFS=$'\t' read -r client means method requests errors evictions resets verdict; do
					printf '%-19s %-7s %-6s %9s %7s %10s %7s  %s\n' "$client" "$means" "$method" \
						"$requests" "$errors" "$evictions" "$resets" "$verdict"
				done
		done
	done
	start_over
}

# one_follow TITLE CONNECTIONS COMMAND...: a client that goes on while the share is pinned to 0.5 and back.
one_follow() {
	local title=$1 load row
	shift
	flarectl share set web 0 >/dev/null
	scripts/lab.sh run client "$@" >"$work/client.json" 2>"$work/client.log" &
	load=$!
	started+=("$load")
	sleep 1.5
	row=$("$python" $movers/follow.py "$work/web-vm.access" "$work/web-cloud.access" $follow_s \
		scripts/lab.sh run vm "$bin/flarectl" --pin-dir "$pins" --socket "$work/flared.sock" share set web)
	wait "$load"
	forget "$load"
	row=$(jq -c --arg client "$title" --slurpfile counted "$work/client.json" '{client: $client} + .
		+ {errors: $counted[0].errors} | . + {bounds: [
		{what: "no request fails", holds: (.errors == 0)},
		{what: "40 % of the requests follow", holds: (.to_40_ms != null)},
		{what: "they come back", holds: (.to_10_ms != null)}]}' <<<"$row")
	follow_rows+=("$row")
	jq -r 'def ms: if . == null then "never" else "\(.) ms" end; def percent: "\(. * 1000 | round / 10) %";
		[.client, .requests, .errors, (.to_40_ms | ms), (.share_out | percent), (.to_10_ms | ms),
		(.share_back | percent), ([.bounds[] | select(.holds | not).what] as $broken
		| if $broken == [] then "ok" else "BROKEN: " + ($broken | join("; ")) end)] | @tsv' <<<"$row" |
		while IFS=$'\t' read -r client requests errors out share_out back share_back verdict; do
			printf '%-29s %9s %7s %10s %9s %10s %9s  %s\n' "$client" "$requests" "$errors" "$out" \
				"$share_out" "$back" "$share_back" "$verdict"
		done
}

part_follow() {
	local seconds=$((2 * follow_s + 3)) url=http://$vm_ip:8080/
	echo
	echo "How soon requests on open connections follow a pinned share (move: $move): 0 to 0.5, and back after" \
		"$follow_s s; shares: over the second half of each"
	if ! start_movers; then
		follow_rows+=('{"state": "refused", "bounds": [{"what": "flared accepts it", "holds": false}]}')
		return
	fi
	printf '%-29s %9s %7s %10s %9s %10s %9s  %s\n' client requests errors "40 % at" share "back at" share verdict
	one_follow "wrk, 64 connections" "$python" $movers/tool.py wrk "$url" GET 64 $seconds 0
	one_follow "python, 64, 50 ms of thinking" "$python" $movers/python_http_client.py "$url" POST 64 $seconds 50
	start_over
}

mkdir -p "$reports"
scripts/lab.sh up
for part in "${parts[@]}"; do
	"part_$part"
done

rows() {
	[ $# = 0 ] || printf '%s\n' "$@"
}
jq -n --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
	--argjson capacity $capacity --argjson objective $objective_ms \
	--slurpfile lengths <(rows "${length_rows[@]}") --slurpfile matrix <(rows "${matrix_rows[@]}") \
	--slurpfile follow <(rows "${follow_rows[@]}") \
	'{target: "keepalive", format: 1, $commit, capacity_rps: $capacity, objective_ms: $objective, $lengths,
	$matrix, $follow}' >"$reports/keepalive.json"
echo "figures: $(realpath "$reports/keepalive.json")"
jq -e '[.lengths[], .matrix[], .follow[]] | length > 0 and all(.bounds | all(.holds))' \
	"$reports/keepalive.json" >/dev/null
