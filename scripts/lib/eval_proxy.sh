#!/usr/bin/env bash
# The L7 baseline of the evaluation, to be sourced by eval_cell.sh after lab_run.sh: HAProxy on the
# balancer with a weight for each request, and the paper's controller that sets it over the runtime
# socket. Pods come and go over that socket, too.
# shellcheck disable=SC2034,SC2154 # variables of eval_cell.sh and lab_run.sh

write_proxy_config() {
	local pod
	cat <<-END
		global
		    nbthread 1
		    maxconn 8000
		    stats socket $work/haproxy.sock mode 600 level admin
		defaults
		    mode http
		    timeout connect 10s
		    timeout client 60s
		    timeout server 60s
		    timeout queue 60s
		    retries 0
		frontend web
		    bind $vip
		    http-request set-var(txn.share) str(share),map_str_int($work/share.map,0)
		    use_backend sls if { rand(1000000),sub(txn.share) lt 0 }
		    default_backend vms
		backend vms
		    balance random(2)
		    server-template vm $pods_max 127.0.0.1:1 disabled
		backend sls
		    server cloud $cloud
	END
}

# ask_proxy COMMAND: of the runtime socket. HAProxy answers a change with nothing or with a note.
ask_proxy() {
	socat -t 1 - "UNIX-CONNECT:$work/haproxy.sock" <<<"$1" >>"$work/fleet.log"
}

# proxy_add_pod NUMBER ENDPOINT
proxy_add_pod() {
	ask_proxy "set server vms/vm$1 addr ${2%:*} port ${2##*:}"
	ask_proxy "set server vms/vm$1 state ready"
}

proxy_drain_pod() {
	ask_proxy "set server vms/vm$1 state drain"
}

start_proxy() {
	local pod
	echo "share 0" >"$work/share.map"
	write_proxy_config >"$work/haproxy.cfg"
	ip -n "${FLARE_LAB_PREFIX}lb" address add "${vip%:*}/32" dev lo
	start lb haproxy.log "${prompt[@]}" haproxy -db -f "$work/haproxy.cfg"
	await haproxy ask_proxy "show version"
	for ((pod = 1; pod <= start_pods; pod++)); do
		proxy_add_pod "$pod" "$(pod_at "$pod")"
	done
	start lb controller.log "$bin/flare-l7-controller" --socket "$work/haproxy.sock" \
		--map "$work/share.map" --pod-capacity-rps "$pod_told_rps" --lag-s "$lag_s"
	status_command=(tail -n 1 "$work/controller.log")
	await "the controller" grep -q . "$work/controller.log"
}
