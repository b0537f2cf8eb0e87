#!/usr/bin/env bash
# Sourced by scripts/accuracy.sh: the workloads, in groups. `many` and `some` are wrk with many and
# some connections.
# shellcheck disable=SC2154,SC2034 # variables of the files that it is sourced with
set -euo pipefail

readonly many=(wrk -t1 -c64 "-d${seconds}s") some=(wrk -t1 -c16 "-d${seconds}s")
readonly post_256k=(-s "$clients/post.lua")
readonly curl=(curl -skf) post_5m=(curl -skf --data-binary "@$work/5m")
# each N COMMAND...: one after the other, each with a connection of its own.
# shellcheck disable=SC2016 # expanded by the inner shell
readonly each=(bash -c 'for ((i = 0; i < $1; i++)); do "${@:2}" >/dev/null || exit; done' each)

# Packets and bytes of the VM's link so far, each as long as it goes through the hooks.
link_figures() {
	local direction=rx
	[ "$1" = in ] || direction=tx
	on vm ip -s -j link show eth0 | jq -r ".[0].stats64.$direction | [.packets, .bytes] | @tsv"
}

# sized in|out SERVICE...: a workload of large bodies, and whether its packets were as long as they
# should be, on average: no longer than a link allows where nobody cuts them up on the way.
sized() {
	local direction=$1 before after operator=-gt
	shift
	read -ra before < <(link_figures "$direction")
	workload "$@"
	read -ra after < <(link_figures "$direction")
	if [ "$offloads" = off ] || [ "$direction $attach" = "in xdp" ]; then operator=-le; fi
	check "  bytes of a packet, on average" \
		$(((after[1] - before[1]) / (after[0] - before[0]))) $operator 1514
}

http_workloads() {
	workload web 0 "HTTP/1.1, wrk, 64 connections" "${many[@]}" "$web/"
	workload web 0 "HTTP/1.1, wrk, 64 KiB answers" "${some[@]}" "$web/64k"
	sized out web 0 "HTTP/1.1, wrk, 1 MiB answers" "${some[@]}" "$web/1m"
	workload web 0 "HTTP/1.0, ab, a connection each" ab -q -n 3000 -c 16 "$web/"
	workload web 0 "HTTP/1.0, ab, kept alive" ab -q -k -n 20000 -c 16 "$web/"
	workload web 0 "HTTP/1.1, hey, 32 connections" hey -n 10000 -c 32 "$web/"
	workload web 0 "HTTP/1.1, curl, 50 on a connection" "${curl[@]}" "$web/?[1-50]"
	workload web 16/4 "HTTP/1.1, wrk, pipelined x4" "${some[@]}" -s "$clients/pipeline.lua" "$web/"
	sized in backend 0 "HTTP/1.1, wrk, POST 256 KiB" "${some[@]}" "${post_256k[@]}" "$backend/"
	workload backend 0 "HTTP/1.1, hey, POST 64 KiB" hey -n 1000 -c 16 -m POST -D "$work/64k" "$backend/"
	workload backend 0 "HTTP/1.1, curl, POST 5 MiB, Expect: 100" \
		"${each[@]}" 20 "${post_5m[@]}" -H "Expect: 100-continue" "$backend/"
	workload backend 0 "HTTP/1.1, curl, 64 MiB up" \
		"${each[@]}" 3 "${curl[@]}" -H "Expect:" --data-binary "@$work/64m" "$backend/"
	workload backend 0 "HTTP/1.1, curl, 64 MiB down" \
		"${each[@]}" 3 "${curl[@]}" "$backend/bytes/67108864"
}

# Session tickets of TLS 1.3 are sent as an answer is, and a request that is still being uploaded
# goes on after them: once a connection and ticket, at most. An interim answer to Expect looks like
# an answer too, on every request.
readonly tickets=2

tls_workloads() {
	workload tls 0 "HTTPS/1.1, wrk, 64 connections (TLS 1.3)" "${many[@]}" "$tls/"
	workload tls 0 "HTTPS/1.1, wrk, 1 MiB answers" "${some[@]}" "$tls/1m"
	workload tls $((16 * tickets)) "HTTPS/1.1, wrk, POST 256 KiB" "${some[@]}" "${post_256k[@]}" "$tls/upload"
	workload tls 0 "HTTPS/1.1, ab, a connection each" ab -q -n 500 -c 8 "$tls/"
	workload tls 0 "HTTPS/1.1, ab, kept alive, TLS 1.2" ab -q -k -f TLS1.2 -n 5000 -c 16 "$tls/"
	workload tls 0 "HTTPS/1.1, ab, POST 256 KiB, TLS 1.2" \
		ab -q -k -f TLS1.2 -n 500 -c 8 -p "$work/256k" "$tls/upload"
	workload tls 0 "HTTPS/1.1, hey, a connection each" hey -n 500 -c 8 -disable-keepalive "$tls/"
	workload tls 0 "HTTPS/1.1, curl, 4 on each of 30, TLS 1.2" \
		"${each[@]}" 30 "${curl[@]}" --tls-max 1.2 "$tls/?[1-4]"
	workload tls 0 "HTTPS/1.1, curl, 4 on each of 30, TLS 1.3" \
		"${each[@]}" 30 "${curl[@]}" --tlsv1.3 "$tls/?[1-4]"
	workload tls $((10 * tickets)) "HTTPS/1.1, curl, POST 5 MiB" \
		"${each[@]}" 10 "${post_5m[@]}" -H "Expect:" "$tls/upload"
	workload tls 0x2 "HTTPS/1.1, curl, POST 5 MiB, Expect: 100" \
		"${each[@]}" 10 "${post_5m[@]}" -H "Expect: 100-continue" "$tls/upload"
}

# Each GET and POST in turn, kept alive. Java offers HTTP/2 to both, node's fetch and python do not.
client_workloads() {
	local library
	for library in http.client requests urllib3; do
		workload backend 0 "HTTP/1.1, python, $library" \
			"$python" "$clients/keepalive.py" $library "$backend/"
		workload tls 0 "HTTPS/1.1, python, $library" \
			"$python" "$clients/keepalive.py" $library "$tls/upload" "$work/cert.pem"
	done
	for library in agent fetch; do
		workload backend 0 "HTTP/1.1, node, $library" node "$clients/keepalive.mjs" $library "$backend/"
		workload tls 0 "HTTPS/1.1, node, $library" env NODE_EXTRA_CA_CERTS="$work/cert.pem" \
			node "$clients/keepalive.mjs" $library "$tls/upload"
	done
	workload backend 0 "HTTP/1.1, java, HttpClient" java "$clients/KeepAlive.java" "$backend/"
	workload tls 0 "HTTPS/1.1, java, HttpClient" \
		java "$clients/KeepAlive.java" "$tls/upload" "$work/cert.pem"
}

# wrk and ab ask the proxy on their own machine; the datapath sees the proxy's connections.
proxy_workloads() {
	workload web 0 "HTTP/1.1, nginx as proxy, wrk" "${many[@]}" "$by_nginx/"
	workload web 0 "HTTP/1.1, nginx as proxy, ab" ab -q -n 3000 -c 16 "$by_nginx/64k"
	workload web 0 "HTTP/1.1, haproxy, wrk" "${many[@]}" "$by_haproxy/"
	workload web 0 "HTTP/1.1, haproxy, ab" ab -q -n 3000 -c 16 "$by_haproxy/64k"
}

h2_workloads() {
	workload h2c 0 "h2c, h2load -m1" h2load -n 10000 -c 32 -m 1 "$h2c/"
	workload h2c 0 "h2c, h2load -m10" h2load -n 20000 -c 32 -m 10 "$h2c/"
	workload h2c 0 "h2c, h2load -m100" h2load -n 20000 -c 32 -m 100 "$h2c/"
	workload h2c 0 "h2c, h2load -m10, 64 KiB answers" h2load -n 2000 -c 16 -m 10 "$h2c/64k"
	workload h2c 0 "h2c, h2load -m10, POST 64 KiB" h2load -n 1000 -c 16 -m 10 -d "$work/64k" "$h2c/upload"
	workload h2c 0 "h2c, nghttp, 10 MiB answers" "${each[@]}" 20 nghttp -n "$h2c/10m"
	workload h2tls - "h2 in TLS, h2load -m1" h2load -n 5000 -c 16 -m 1 "$h2tls/"
	workload h2tls - "h2 in TLS, h2load -m10" h2load -n 10000 -c 16 -m 10 "$h2tls/"
	workload h2tls - "h2 in TLS, curl, 4 on each of 10" "${each[@]}" 10 "${curl[@]}" --http2 "$h2tls/?[1-4]"
}

grpc_workloads() {
	local call=("$python" "$clients/grpc_client.py" "$grpc")
	workload grpc 0 "gRPC, 1 caller on each of 8 connections" "${call[@]}" 8 1 2000 10
	workload grpc 0 "gRPC, 32 callers on 2 connections" "${call[@]}" 2 16 3200 10
	workload grpc 0 "gRPC, 32 callers on 2 connections, 8 KB" "${call[@]}" 2 16 1600 8192
}

# redis-benchmark asks for the configuration first, which its server does not count as SET or GET.
redis_workloads() {
	workload redis 1 "redis-benchmark, SET and GET, 50" redis-benchmark -h "$host" -n 20000 -c 50 -t set,get -q
	workload redis 1 "redis-benchmark, SET of 16 kB, 20" \
		redis-benchmark -h "$host" -n 5000 -c 20 -d 16000 -t set -q
	workload redis 1/16 "redis-benchmark, pipelined x16" redis-benchmark -h "$host" -n 20000 -P 16 -t set -q
}

# loss_workloads in-front|behind PERCENT. Not wrk, which ends amid its requests: one that Flare saw may
# then never come to the server.
loss_workloads() {
	local place=$1 percent=$2 name="$2 % loss ${1/-/ }"
	start_loss "$place" "$percent"
	workload web 0 "$name: HTTP/1.1, hey" hey -n 6400 -c 64 "$web/"
	workload web 0 "$name: HTTP/1.1, hey, 64 KiB" hey -n 1600 -c 16 "$web/64k"
	workload backend 0 "$name: HTTP/1.1, POST 256 KiB" hey -n 480 -c 16 -m POST -D "$work/256k" "$backend/"
	workload tls 0 "$name: HTTPS/1.1, hey, 64 KiB" hey -n 1600 -c 16 "$tls/64k"
	workload h2c 0 "$name: h2c, h2load -m10" h2load -n 5000 -c 16 -m 10 "$h2c/"
	workload grpc 0 "$name: gRPC, 32 on 2" "$python" "$clients/grpc_client.py" "$grpc" 2 16 1600 10
	end_loss
	check "$name: places that lost nothing" "$lossless_places" -eq 0
}

# Whether connections were recognised for what they are: curl and java offer both kinds of HTTP.
class_checks() {
	local service
	for service in web tls backend redis h2c grpc; do
		check "$service: connections taken for h2 in TLS" \
			"$(shown $service '.connections["tls-mux"]')" -eq 0
	done
	if [[ " $* " == *" h2 "* ]]; then
		check "h2tls: connections taken for h2 in TLS" "$(shown h2tls '.connections["tls-mux"]')" -gt 0
	fi
}
