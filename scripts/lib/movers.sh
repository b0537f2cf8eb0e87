#!/usr/bin/env bash
# shellcheck disable=SC2034
# For keepalive.sh, to be sourced by it: real servers on both tiers, which give the same answers, and
# real clients whose connections are told to end while they use them. The sourcing script sets what is
# asked for here, and reads all_clients, methods and cell.
: "${client_seconds:?}" "${think_ms:?}" "${swing_s:?}" "${fault:?}"

readonly vm_ip=198.51.100.10 cloud_ip=203.0.113.10 movers=tools/lab/movers
# Debian's own, for which its modules are.
readonly python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1 # nothing in the sources

readonly all_clients=(python-requests python-urllib3 python-http.client node-agent node-fetch
	java-httpclient java-urlconnection libcurl-multi go-net/http nginx-upstream haproxy wrk ab hey
	grpcio h2load node-http2)

# Sets command, service and means of a client (Connection: close in an answer, a GOAWAY, or none), and
# methods that it can do.
client_is() {
	local url=http://$vm_ip:8080/
	service=web means=header methods=(GET POST)
	case $1 in
	python-requests) command=("$python" "$movers/python_requests.py" "$url") ;;
	python-urllib3) command=("$python" "$movers/python_urllib3.py" "$url") ;;
	python-http.client) command=("$python" "$movers/python_http_client.py" "$url") ;;
	node-agent) command=(node "$movers/node_agent.mjs" "$url") ;;
	node-fetch) command=(node "$movers/node_fetch.mjs" "$url") ;;
	java-httpclient) command=(java -cp "$work" JavaMover client "$url") ;;
	java-urlconnection) command=(java -cp "$work" JavaMover connection "$url") ;;
	libcurl-multi) command=("$python" "$movers/libcurl_multi.py" "$url") ;;
	go-net/http) command=("$work/go_mover" "$url") ;;
	nginx-upstream) command=("$python" "$movers/python_http_client.py" http://127.0.0.1:8090/) ;;
	haproxy) command=("$python" "$movers/python_http_client.py" http://127.0.0.1:8091/) ;;
	wrk | ab | hey) command=("$python" "$movers/tool.py" "$1" "$url") ;;
	h2load) command=("$python" "$movers/tool.py" h2load "http://$vm_ip:8081/") ;;
	node-http2) command=(node "$movers/node_http2.mjs" "http://$vm_ip:8081/") ;;
	grpcio) command=("$python" "$movers/grpc_unary.py" "http://$vm_ip:8082/") methods=(POST) ;;
	*) return 1 ;;
	esac
	case $1 in
	ab) means=none ;; # HTTP/1.0 is spared
	grpcio) service=grpc means=goaway ;;
	h2load | node-http2) service=h2 means=goaway ;;
	esac
}

# nginx of a tier: HTTP/1.1 at port 8080, cleartext HTTP/2 at 8081, a log of two bytes a request.
write_server() {
	local tier=$1 ip=$2
	cat >"$work/nginx-$tier.conf" <<-END
		daemon off;
		pid $work/nginx-$tier.pid;
		error_log $work/nginx-$tier.log;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			client_body_temp_path $work/body; proxy_temp_path $work/proxy;
			fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
			keepalive_requests 100000000;
			log_format dot .;
			default_type text/plain;
			server {
				listen $ip:8080; access_log $work/web-$tier.access dot;
				location / { return 200 "$(printf 'flare%.0s' {1..40})"; }
			}
			server {
				listen $ip:8081 http2; access_log $work/h2-$tier.access dot;
				location / { return 200 "$(printf 'flare%.0s' {1..40})"; }
			}
		}
	END
}

# Two proxies on the clients' host that keep their connections to the frontend; they ask once only.
write_proxies() {
	cat >"$work/nginx-proxy.conf" <<-END
		daemon off;
		pid $work/nginx-proxy.pid;
		error_log $work/nginx-proxy.log;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			client_body_temp_path $work/body; proxy_temp_path $work/proxy;
			fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
			access_log off;
			keepalive_requests 100000000;
			upstream vm { server $vm_ip:8080 max_fails=0; keepalive 16; keepalive_requests 100000000; }
			server {
				listen 127.0.0.1:8090;
				location / {
					proxy_pass http://vm; proxy_http_version 1.1; proxy_set_header Connection "";
					proxy_next_upstream off;
				}
			}
		}
	END
	cat >"$work/haproxy.cfg" <<-END
		defaults
			mode http
			retries 0
			timeout connect 5s
			timeout client 30s
			timeout server 30s
		frontend proxy
			bind 127.0.0.1:8091
			default_backend vm
		backend vm
			http-reuse always
			server vm $vm_ip:8080
	END
}

# Compiled beforehand: a compiler at work would be measured too. $1: the clients.
compile_clients() {
	if [[ " $1 " == *" java-"* ]]; then javac -d "$work" "$movers/JavaMover.java"; fi
	if [[ " $1 " == *" go-"* ]]; then
		GOCACHE=$work/go GO111MODULE=off go build -o "$work/go_mover" "$movers/go_mover.go"
	fi
}

# start_server TIER IP: its pids go to server_pids, for those who want it gone.
start_server() {
	start "$1" "nginx-$1.out" nginx -c "$work/nginx-$1.conf" -e "$work/nginx-$1.log"
	server_pids=("$!")
	start "$1" "grpc-$1.log" "$python" "$movers/grpc_server.py" "$2:8082"
	server_pids+=("$!")
}

start_servers() {
	local port
	chmod 755 "$work"
	write_server vm $vm_ip
	write_server cloud $cloud_ip
	write_proxies
	start_server cloud $cloud_ip
	start_server vm $vm_ip
	start client nginx-proxy.out nginx -c "$work/nginx-proxy.conf" -e "$work/nginx-proxy.log"
	start client haproxy.out haproxy -db -f "$work/haproxy.cfg"
	for port in 8080 8081 8082; do
		await "the VM's port $port" answers $vm_ip $port
		await "the cloud's port $port" answers $cloud_ip $port
	done
	await "the proxy nginx" answers 127.0.0.1 8090
	await "the proxy haproxy" answers 127.0.0.1 8091
}

# write_mover_services MOVE_KEY: the services of the clients. Only what is pinned decides: the capacity is out of reach, and so is
# what may be spent.
write_mover_services() {
	local name port=8080
	for name in web h2 grpc; do
		cat <<-END
			  - name: $name
			    frontend: '$vm_ip:$port'
			    policy: formula
			    capacity_rps: 1000000
			    $1
			    spend: {per_second: 100000, burst: 100000, per_hour: 100000000, ramp_instances: 0}
			    serverless: [{endpoint: '$cloud_ip:$port'}]
		END
		port=$((port + 1))
	done | write_flare
}

# Connections that were told to end so far, by means, of both tiers.
moved_of() {
	flarectl -o json service show "$1" | jq -c '[.service.tiers[].moved // {}] |
		{header: (map(.header // 0) | add), goaway: (map(.goaway // 0) | add), reset: (map(.reset // 0) | add)}'
}

# Requests that the datapath has seen begin and end without an answer, of both tiers.
abandoned_of() {
	flarectl -o json service show "$1" | jq '[.service.tiers[].abandoned] | add'
}

# The VM's servers stop for a moment, with all their connections: what each client must count as errors.
break_the_vm() {
	kill -TERM "${server_pids[0]}" # nginx: at once
	kill -KILL "${server_pids[1]}"
	wait "${server_pids[@]}" 2>/dev/null || true
	forget "${server_pids[0]}"
	forget "${server_pids[1]}"
	start_server vm $vm_ip
}

# cell CLIENT METHOD: runs it while the pinned share swings; its figures are in $cell.
cell() {
	local name=$1 method=$2 connections=16 load swings=0 moved_before abandoned_before shares=(0 0.5)
	[ "$name" != grpcio ] || connections=32
	client_is "$name"
	flarectl share set $service 0 >/dev/null
	moved_before=$(moved_of $service)
	abandoned_before=$(abandoned_of $service)
	scripts/lab.sh run client "${command[@]}" "$method" $connections "$client_seconds" "$think_ms" \
		>"$work/client.json" 2>"$work/client.log" &
	load=$!
	started+=("$load")
	while kill -0 "$load" 2>/dev/null; do
		sleep "$swing_s"
		swings=$((swings + 1))
		flarectl share set $service "${shares[swings % 2]}" >/dev/null
		if [ "$fault" = 1 ] && [ $swings = 4 ]; then break_the_vm; fi
	done
	wait "$load" || echo "{\"requests\": 0, \"errors\": 1, \"first_error\": \"the client ended with status $?\"}" \
		>"$work/client.json"
	forget "$load"
	cell=$(jq -cn --arg client "$name" --arg means $means --arg method "$method" \
		--argjson before "$moved_before" --argjson after "$(moved_of $service)" \
		--argjson lost "$(($(abandoned_of $service) - abandoned_before))" \
		--slurpfile counted "$work/client.json" '
		($after | with_entries(.value -= $before[.key])) as $moved
		| {$client, $means, $method} + $counted[0] + {$lost, $moved, evictions: ($moved[$means] // ($moved | add))}')
}
