#!/usr/bin/env bash
# Requests as the datapath counts them against what the servers themselves have counted: real servers
# and clients in the lab's namespaces, the service on the VM, Flare beside it, nothing spilled. Prints
# a line a workload and writes reports/accuracy.json. Ends with status 1 where a workload that must be
# exact is not, or where a request is still in flight when all are answered.
#
# usage: scripts/accuracy.sh BUILD
#
# Set in the environment: FLARE_ACCURACY_ATTACH ("tc xdp"), FLARE_ACCURACY_SECONDS of each wrk (2).
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/accuracy.sh BUILD}
readonly bin=$build/bin reports=$build/reports
readonly seconds=${FLARE_ACCURACY_SECONDS:-2}
read -ra attaches <<<"${FLARE_ACCURACY_ATTACH:-tc xdp}"
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-flare-acc-}
readonly host=198.51.100.10 web=http://198.51.100.10:8080 tls=https://198.51.100.10:8443

if [ "$(id -u)" != 0 ]; then
	echo "$0: network namespaces and BPF programs need root" >&2
	exit 1
fi

work=$(mktemp -d)
readonly work pins=/sys/fs/bpf/${FLARE_LAB_PREFIX%-}
started=() # by pid

on() {
	scripts/lab.sh run "$@"
}
flarectl() {
	on vm "$bin/flarectl" --pin-dir "$pins" --socket "$work/flared.sock" "$@"
}
start() {
	local where=$1 log=$2
	shift 2
	scripts/lab.sh run "$where" "$@" >"$work/$log" 2>&1 &
	started+=($!)
}
end_all() {
	local pid
	for pid in "${started[@]}"; do
		kill -TERM "$pid" 2>/dev/null || continue
		wait "$pid" 2>/dev/null || true
	done
	started=()
	if [ -d "$pins" ]; then
		flarectl detach --yes >/dev/null || echo "flarectl could not detach; see $pins" >&2
		find "$pins" -depth -type d -empty -delete 2>/dev/null || true
	fi
	scripts/lab.sh down
}
clean_up() {
	local status=$?
	trap '' INT TERM
	end_all
	rm -rf "$work"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

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
listens() {
	on client timeout 1 bash -c "</dev/tcp/$host/$1"
}

# What the servers have counted since they started, and the datapath: services web, tls, backend and
# redis, one for each port. Asked on the VM itself, where no hook sees the question.
truth() {
	case $1 in
	web | tls) wc -l <"$work/$1.access" ;;
	backend) on vm curl -s "http://$host:8081/stats" | jq .requests ;;
	redis) on vm redis-cli -h "$host" info commandstats |
		sed -nE 's/^cmdstat_(set|get):calls=([0-9]+).*/\2/p' | jq -s 'add // 0' ;;
	esac
}
counted() {
	flarectl -o json service show "$1" | jq ".service.tiers.vm.$2"
}

write_files() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$host" -keyout "$work/key.pem" \
		-out "$work/cert.pem" 2>/dev/null
	mkdir "$work/www"
	echo ok >"$work/www/index.html"
	head -c 65536 /dev/zero >"$work/www/64k"
	head -c 1048576 /dev/zero >"$work/www/1m"
	head -c 262144 /dev/zero >"$work/256k"
	head -c 2097152 /dev/zero >"$work/2m"
	chmod 755 "$work" "$work/www"
	cat >"$work/nginx.conf" <<-END
		daemon off;
		pid $work/nginx.pid;
		error_log $work/nginx.log;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			client_body_temp_path $work/body; proxy_temp_path $work/proxy;
			fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
			keepalive_requests 10000000;
			root $work/www;
			server { listen $host:8080; access_log $work/web.access; }
			server {
				listen $host:8443 ssl; access_log $work/tls.access;
				ssl_protocols TLSv1.2 TLSv1.3;
				ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;
			}
		}
	END
	cat >"$work/post.lua" <<-END
		wrk.method = "POST"
		wrk.body = string.rep("x", 262144)
	END
	cat >"$work/keepalive.py" <<-END
		import http.client
		for _ in range(20):
		    to = http.client.HTTPConnection("$host", 8081)
		    for number in range(20):
		        if number % 2:
		            to.request("POST", "/", body=b"x" * 1000)
		        else:
		            to.request("GET", "/")
		        to.getresponse().read()
		    to.close()
	END
}

start_servers() {
	: >"$work/web.access"
	: >"$work/tls.access"
	start vm nginx.out nginx -c "$work/nginx.conf" -e "$work/nginx.log"
	start vm backend.log "$bin/flare-backend" --listen "$host:8081" --tier vm --slots 0 --mean-ms 1
	start vm redis.log redis-server --bind "$host" --protected-mode no --save "" --dir "$work"
}

start_flare() {
	{
		printf 'interfaces:\n  - {name: eth0, mode: %s}\nservices:\n' "$1"
		printf '  - {name: %s, frontend: "%s:%s", policy: observe}\n' \
			web "$host" 8080 tls "$host" 8443 backend "$host" 8081 redis "$host" 6379
		printf 'agent: {control_socket: %s, state_dir: %s, pin_dir: %s}\n' \
			"$work/flared.sock" "$work/state" "$pins"
	} >"$work/flare.yaml"
	start vm flared.log "$bin/flared" --config "$work/flare.yaml"
	await flared flarectl status
}

failed=0
rows=()
# workload SERVICE TOLERANCE NAME COMMAND...: TOLERANCE is how many requests it may be off; "-": it is
# known not to be counted, and only shown.
workload() {
	local service=$1 tolerance=$2 name=$3 before_truth before now_truth now in_flight off verdict=exact try
	shift 3
	before=$(counted "$service" requests)
	before_truth=$(truth "$service")
	on client "$@" >"$work/client.log" 2>&1 ||
		echo "  ($name: the client ended with status $?: $(tail -1 "$work/client.log"))"
	for try in {1..50}; do
		in_flight=$(counted "$service" in_flight)
		[ "$in_flight" != 0 ] || break
		sleep 0.1
	done
	now=$(counted "$service" requests)
	now_truth=$(truth "$service")
	off=$(((now - before) - (now_truth - before_truth)))
	if [ "$tolerance" = - ]; then
		verdict="not counted"
	elif [ "${off#-}" -gt "$tolerance" ] || [ "$in_flight" != 0 ] || [ "$now_truth" = "$before_truth" ]; then
		verdict=WRONG
		failed=1
	elif [ "$off" != 0 ]; then
		verdict="within $tolerance"
	fi
	printf '%-5s %-44s %9d %9d %6d %10d  %s\n' "$attach" "$name" $((now_truth - before_truth)) \
		$((now - before)) "$off" "$in_flight" "$verdict"
	rows+=("$(jq -cn --arg attach "$attach" --arg workload "$name" --arg verdict "$verdict" \
		--argjson truth $((now_truth - before_truth)) --argjson counted $((now - before)) \
		--argjson in_flight "$in_flight" \
		'{$attach, $workload, $truth, $counted, $in_flight, $verdict}')")
}

all_workloads() {
	local many=(wrk -t1 -c64 "-d${seconds}s") some=(wrk -t1 -c16 "-d${seconds}s")
	workload web 0 "HTTP/1.1, wrk, 64 connections" "${many[@]}" $web/
	workload web 0 "HTTP/1.1, wrk, 64 KiB answers" "${some[@]}" $web/64k
	workload web 0 "HTTP/1.1, wrk, 1 MiB answers" "${some[@]}" $web/1m
	workload web 0 "HTTP/1.0, ab, a connection each" ab -q -n 3000 -c 16 $web/
	workload web 0 "HTTP/1.0, ab, kept alive" ab -q -k -n 20000 -c 16 $web/
	workload web 0 "HTTP/1.1, curl, 50 on a connection" curl -s "$web/[1-50]"
	workload backend 0 "HTTP/1.1, python, GET and POST in turn" python3 "$work/keepalive.py"
	workload backend 0 "HTTP/1.1, wrk, POST 256 KiB" "${some[@]}" -s "$work/post.lua" "http://$host:8081/"
	workload backend 0 "HTTP/1.1, curl, POST 2 MiB, Expect: 100" bash -c \
		"for i in {1..20}; do curl -s -o /dev/null -H 'Expect: 100-continue' --data-binary @$work/2m http://$host:8081/; done"
	workload tls 0 "HTTPS/1.1, wrk, 64 connections (TLS 1.3)" "${many[@]}" $tls/
	workload tls 0 "HTTPS/1.1, wrk, 1 MiB answers" "${some[@]}" $tls/1m
	workload tls 0 "HTTPS/1.1, ab, a connection each" ab -q -n 500 -c 8 $tls/
	workload tls 0 "HTTPS/1.1, curl, 4 on each of 30, TLS 1.2" bash -c \
		"for i in {1..30}; do curl -sk --tls-max 1.2 -o /dev/null '$tls/[1-4]'; done"
	workload tls 0 "HTTPS/1.1, curl, 4 on each of 30, TLS 1.3" bash -c \
		"for i in {1..30}; do curl -sk --tlsv1.3 -o /dev/null '$tls/[1-4]'; done"
	workload redis 1 "redis-benchmark, SET and GET, 50" redis-benchmark -h $host -n 20000 -c 50 -t set,get -q
	workload redis 1 "redis-benchmark, SET of 16 kB, 20" redis-benchmark -h $host -n 5000 -c 20 -d 16000 -t set -q
	workload redis - "redis-benchmark, pipelined x16" redis-benchmark -h $host -n 20000 -P 16 -t set -q
	if on router tc qdisc add dev to-vm root netem loss 2% 2>"$work/netem.log"; then
		workload web 0 "2 % loss in front: HTTP/1.1, wrk" "${many[@]}" $web/64k
		workload tls 0 "2 % loss in front: HTTPS/1.1, wrk" "${some[@]}" $tls/64k
		on router tc qdisc del dev to-vm root
		on vm tc qdisc add dev eth0 root netem loss 1%
		workload web 0 "1 % loss behind: HTTP/1.1, wrk" "${many[@]}" $web/64k
		workload backend 0 "1 % loss behind: HTTP/1.1, wrk, POST" "${some[@]}" -s "$work/post.lua" "http://$host:8081/"
		on vm tc qdisc del dev eth0 root
	else
		echo "SKIPPED: workloads under loss, as this kernel has no netem: $(tail -1 "$work/netem.log")"
	fi
}

mkdir -p "$reports"
write_files
printf '%-5s %-44s %9s %9s %6s %10s\n' at workload server datapath off "in flight"
for attach in "${attaches[@]}"; do
	scripts/lab.sh up
	if [ "$attach" = xdp ]; then
		# XDP on veth sees packets before checksums and segments are made
		on router ethtool -K to-vm tx off >/dev/null
	fi
	start_servers
	start_flare "$attach"
	for port in 8080 8443 8081 6379; do
		await "port $port" listens $port
	done
	all_workloads
	end_all
done
printf '%s\n' "${rows[@]}" | jq -s --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
	'{target: "accuracy", format: 1, $commit, workloads: .}' >"$reports/accuracy.json"
echo "figures: $(realpath "$reports/accuracy.json")"
[ "$failed" = 0 ]
