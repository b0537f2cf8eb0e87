#!/usr/bin/env bash
# For the scripts that measure in the lab's namespaces (demo.sh, robustness.sh, keepalive.sh,
# accuracy.sh, scale.sh, ejection.sh), to be sourced by them: starting and ending what runs in the
# background, flared with a configuration, and leaving nothing behind, also after Ctrl-C. The caller
# has set `bin` and FLARE_LAB_PREFIX, and flare_host where flared does not run on the VM.

: "${bin:?is set by the script that sources this}"
if [ "$(id -u)" != 0 ]; then
	echo "$0 needs root: it makes network namespaces and loads BPF programs" >&2
	exit 1
fi

# What measures and what sleeps instead of working must not wait for what else this machine does;
# together they use a few percent of a CPU. Flare itself runs as it would anywhere.
prompt=(nice -n -10)
if chrt --rr 1 true 2>/dev/null; then prompt=(chrt --rr 1); fi

work=$(mktemp -d)
: "${flare_host:=vm}"
readonly work pins=/sys/fs/bpf/${FLARE_LAB_PREFIX%-}
started=() # what runs in the background, by pid, in the order of starting

on() {
	scripts/lab.sh run "$@"
}

# Ends one process: asks, waits up to 5 s, then insists.
end_process() {
	local pid=$1 try
	kill -TERM "$pid" 2>/dev/null || return 0
	for try in {1..50}; do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	if kill -KILL "$pid" 2>/dev/null; then
		echo "process $pid did not end by itself after $((try / 10)) s" >&2
	fi
	wait "$pid" 2>/dev/null || true
}

# Of a process that has ended: its pid may become another's.
forget() {
	local i
	for i in "${!started[@]}"; do
		[ "${started[i]}" != "$1" ] || unset "started[$i]"
	done
	started=("${started[@]}")
}

end_all() {
	local i
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		end_process "${started[i]}"
	done
	started=()
}

flarectl() {
	on "$flare_host" "$bin/flarectl" --pin-dir "$pins" --socket "$work/flared.sock" "$@"
}

detach() {
	[ -d "$pins" ] || return 0
	flarectl detach --yes >/dev/null || echo "flarectl could not detach; see $pins" >&2
	find "$pins" -depth -type d -empty -delete 2>/dev/null || true
}

clean_up() {
	local status=$?
	trap '' INT TERM
	end_all
	detach
	scripts/lab.sh down
	rm -rf "$work"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start HOST LOG COMMAND...: in the background.
start() {
	local where=$1 log=$2
	shift 2
	scripts/lab.sh run "$where" "$@" >"$work/$log" 2>&1 & # not by on(): its pid would be a shell's
	started+=($!)
}

# attend HOST COMMAND...: until it ends, with its status. In the background, so that a signal is
# handled now and not when it is over.
attend() {
	local status=0 pid
	scripts/lab.sh run "$@" &
	pid=$!
	started+=("$pid")
	wait "$pid" || status=$?
	forget "$pid"
	return "$status"
}

# await WHAT COMMAND...: until it succeeds, 10 s at most.
await() {
	local what=$1 try
	shift
	for try in {1..100}; do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.1
	done
	echo "$what is not ready after $((try / 10)) s" >&2
	tail -n 20 "$work"/*.log >&2
	exit 1
}

# answers ADDRESS PORT: whether the clients can connect.
answers() {
	on client timeout 1 bash -c "</dev/tcp/$1/$2"
}

# start_backends VM CLOUD SLOTS MEAN_MS: flare-backend on both tiers, at an address and port 8080.
start_backends() {
	local vm_endpoint=$1 cloud_endpoint=$2 at_once=$3 service_ms=$4 endpoint
	start vm vm.log "${prompt[@]}" "$bin/flare-backend" --listen "$vm_endpoint" --tier vm \
		--slots "$at_once" --mean-ms "$service_ms"
	start cloud cloud.log "${prompt[@]}" "$bin/flare-backend" --listen "$cloud_endpoint" \
		--tier serverless --slots 0 --mean-ms "$service_ms"
	for endpoint in "$vm_endpoint" "$cloud_endpoint"; do
		endpoint=${endpoint%:8080}
		await "the backend at $endpoint" answers "${endpoint//[\[\]]/}" 8080
	done
}

# Writes flared's configuration; the list of services comes from standard input.
write_flare() {
	{
		printf 'interfaces:\n  - name: eth0\nservices:\n'
		cat
		printf 'agent:\n  control_socket: %s\n  state_dir: %s\n  pin_dir: %s\n' \
			"$work/flared.sock" "$work/state" "$pins"
	} >"$work/flare.yaml"
}

# Whether flared accepts what was written; what it says against it is in refusal.log.
flare_accepts() {
	on "$flare_host" "$bin/flared" --config "$work/flare.yaml" --check >"$work/refusal.log" 2>&1
}

start_flare() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	start "$flare_host" flared.log "$bin/flared" --config "$work/flare.yaml"
	await flared flarectl status
}

# run_load ARGUMENTS...: flare-load from the clients. Status 3 of it, a void run, is for the caller to
# read in the summary.
run_load() {
	local status=0
	attend client "${prompt[@]}" "$bin/flare-load" "$@" || status=$?
	[ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"
}
