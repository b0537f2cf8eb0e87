#!/usr/bin/env bash
# Sourced by scripts/accuracy.sh, on top of scripts/lib/lab_run.sh: Flare on the VM, offloads, loss.
# shellcheck disable=SC2154,SC2034 # variables of the files that it is sourced with
set -euo pipefail

# Ends what was started last.
end_newest() {
	end_process "${started[-1]}"
	unset 'started[-1]'
}

# Ends all that runs, and takes the namespaces away.
tear_down() {
	end_all
	detach
	scripts/lab.sh down
}

await_port() {
	await "port $1" on client timeout 1 bash -c "</dev/tcp/$host/$1"
}

# start_counting ATTACH [NAME PORT]...: services that are counted and never spilled.
start_counting() {
	local attach=$1
	shift
	{
		printf 'interfaces:\n  - {name: eth0, mode: %s}\nservices:\n' "$attach"
		while [ $# -gt 0 ]; do
			printf '  - {name: %s, frontend: "%s:%s", policy: observe}\n' "$1" "$host" "$2"
			shift 2
		done
		printf 'agent: {control_socket: %s, state_dir: %s, pin_dir: %s}\n' \
			"$work/flared.sock" "$work/state" "$pins"
	} >"$work/flare.yaml"
	start_flare
}

# shown SERVICE FILTER: what flarectl shows of a service.
shown() {
	flarectl -o json service show "$1" | jq -r ".service$2"
}

# set_offloads ATTACH on|off: off, no packet on the path is longer than its link allows. XDP on veth
# needs one thing more: it sees packets before checksums and segments are made.
set_offloads() {
	local attach=$1 offloads=$2 end
	if [ "$offloads" = off ]; then
		for end in client:eth0 router:to-client router:to-vm vm:eth0; do
			on "${end%:*}" ethtool -K "${end#*:}" tso off gso off gro off >/dev/null
		done
	fi
	if [ "$attach" = xdp ]; then
		on router ethtool -K to-vm tx off >/dev/null
	fi
}

# Where packets can be lost, by how Flare sees it. In front: on the way to its ingress hook. Behind:
# what it has let in, after the hook (filters of clsact run after tcx programs, and this one after
# other filters), and answers that have left the VM.
loss_places() {
	case $1 in
	in-front) echo "router to-vm egress" ;;
	behind) printf '%s\n' "vm eth0 ingress" "router to-vm ingress" ;;
	esac
}

# Packets dropped so far by filters at a place's device, in either direction.
dropped_at() {
	on "$1" tc -s -j qdisc show dev "$2" | jq '[.[] | select(.kind == "clsact").drops] | add // 0'
}

# tc leaves folders of its own in the bpffs that it finds, so it finds one that ends with it.
with_own_bpffs() {
	local where=$1
	shift
	on "$where" unshare --mount bash -c 'mount -t bpf bpf /sys/fs/bpf && "$@"' own "$@"
}

# start_loss in-front|behind PERCENT: 1 or 2.
start_loss() {
	local place where device direction
	dropped_before=()
	mapfile -t places < <(loss_places "$1")
	for place in "${places[@]}"; do
		read -r where device direction <<<"$place"
		on "$where" tc qdisc add dev "$device" clsact 2>/dev/null || true # may be there
		dropped_before+=("$(dropped_at "$where" "$device")")
		with_own_bpffs "$where" tc filter add dev "$device" "$direction" pref 60000 \
			bpf direct-action object-file "$bin/loss.bpf.o" section "tc/loss_$2"
	done
}

# Ends it; lossless_places is then at how many places nothing was dropped.
end_loss() {
	local i where device direction
	lossless_places=0
	for i in "${!places[@]}"; do
		read -r where device direction <<<"${places[i]}"
		on "$where" tc filter del dev "$device" "$direction" pref 60000
		if [ "$(dropped_at "$where" "$device")" = "${dropped_before[i]}" ]; then
			lossless_places=$((lossless_places + 1))
		fi
	done
}
