#!/usr/bin/env bash
# What packaging/flared.service leaves to flared: systemd's own score of it, and whether flared gets by
# with it. A whole life of flared is traced (start, attach, reload, changes, health checks, end): each
# system call must be one that the unit allows, and no memory may be writable and executable.
# Usage: scripts/hardening.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:?usage: scripts/hardening.sh BUILD}")
unit=packaging/flared.service
worst=2.6 # systemd's score: 0 is a service that can do nothing, 10 one that can do all
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The system calls of a filter's words, groups resolved.
expand() {
	local word
	for word in "$@"; do
		case $word in
		@*)
			local inner
			mapfile -t inner < <(systemd-analyze syscall-filter --no-pager "$word" |
				sed -nE 's/^    ([@a-z0-9_-]+)$/\1/p')
			expand "${inner[@]}"
			;;
		*) echo "$word" ;;
		esac
	done
}

# What the SystemCallFilter lines of the unit allow, in the order in which they stand.
allowed() {
	local line
	: >"$work/allowed"
	while read -r line; do
		local words
		read -ra words <<<"${line#\~}"
		expand "${words[@]}" | sort -u >"$work/words"
		if [[ $line == \~* ]]; then
			sort -u "$work/allowed" | comm -23 - "$work/words" >"$work/next"
		else
			sort -u "$work/allowed" "$work/words" >"$work/next"
		fi
		mv "$work/next" "$work/allowed"
	done < <(sed -nE 's/^SystemCallFilter=//p' $unit)
}

# In namespaces of its own (network, mounts): a life of flared under strace.
live() {
	mount -t bpf bpf /sys/fs/bpf
	ip link set lo up
	ip link add hard0 type veth peer name hard1
	ip addr add 192.0.2.1/24 dev hard0
	ip link set hard0 up && ip link set hard1 up
	cat >"$work/flare.yaml" <<-YAML
		interfaces:
		  - {name: hard0, mode: tc}
		services:
		  - name: web
		    frontend: "192.0.2.1:80"
		    policy: formula
		    capacity_rps: 100
		    serverless:
		      - endpoint: "192.0.2.10:80"
		    health: {check: http, path: "/", host: example.test, interval: 500ms, timeout: 400ms}
		agent:
		  control_socket: $work/run/flared.sock
		  state_dir: $work/state
		  pin_dir: /sys/fs/bpf/flare-hardening
	YAML
	chmod 0600 "$work/flare.yaml"
	local ctl=("$build/bin/flarectl" --pin-dir /sys/fs/bpf/flare-hardening --socket "$work/run/flared.sock")
	strace -f -qq -o "$work/trace" "$build/bin/flared" --config "$work/flare.yaml" >"$work/log" 2>&1 &
	for _ in $(seq 200); do
		"${ctl[@]}" reload >/dev/null 2>&1 && break
		sleep 0.1
	done
	"${ctl[@]}" share set web 0.5
	"${ctl[@]}" backend drain web 192.0.2.10:80
	ip link add hard2 type veth peer name hard3 && ip link set hard2 up
	sed -i 's/^services:/  - {name: hard2, mode: xdp}\nservices:/' "$work/flare.yaml"
	"${ctl[@]}" reload
	sleep 2
	"${ctl[@]}" status
	kill -TERM "$(ps -o pid= --ppid $!)"
	wait $!
}

passed() { [ "$1" = 0 ] && echo passed || echo failed; }

if [ "${FLARE_HARDENING_LIVE:-}" ]; then
	work=$FLARE_HARDENING_LIVE
	trap - EXIT
	live
	exit
fi

score=$(systemd-analyze security --offline=true --no-pager $unit | grep -oE 'level for .*: [0-9.]+' | grep -oE '[0-9.]+$')
well_scored=0
awk -v score="$score" -v worst="$worst" 'BEGIN { exit !(score <= worst) }' || well_scored=1
echo "systemd's score of $unit: $score (at most $worst; the lower the better)"

if ! FLARE_HARDENING_LIVE=$work unshare -mn "$0" "$build" >"$work/life" 2>&1; then
	cat "$work/life" "$work/log" >&2
	exit 1
fi
allowed
sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$work/trace" | sort -u >"$work/used"
beyond=$(comm -23 "$work/used" "$work/allowed" | paste -sd' ')
used=$(wc -l <"$work/used")
within=0
if [ -n "$beyond" ]; then
	within=1
	echo "system calls that the unit does not allow: $beyond" >&2
fi
echo "flared used $used of $(wc -l <"$work/allowed") system calls that the unit allows"
both=$(grep -cE 'PROT_(WRITE\|PROT_EXEC|EXEC\|PROT_WRITE)' "$work/trace" || true)
never_both=0
[ "$both" = 0 ] || never_both=1
echo "memory that was writable and executable: $both times"

mkdir -p "$build/reports/trust"
cat >"$build/reports/trust/flare-hardening.json" <<JSON
{"program": "flare-hardening", "timestamp": "$(date -u +%FT%TZ)", "results": [
  {"name": "hardening.score", "status": "$(passed $well_scored)", "figures": {"score": $score, "at_most": $worst}},
  {"name": "hardening.syscalls", "status": "$(passed $within)",
   "figures": {"used": $used, "allowed": $(wc -l <"$work/allowed"), "beyond": $(wc -w <<<"$beyond")}},
  {"name": "hardening.memory", "status": "$(passed $never_both)", "figures": {"writable_and_executable": $both}}
]}
JSON
exit $((well_scored + within + never_both))
