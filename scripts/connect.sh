#!/usr/bin/env bash
# connect() directed, for programs that know nothing of it: curl, python and nginx as a proxy run in a
# cgroup on the clients' host, where flared has no interface, and use a service whose address leads
# nowhere by itself. Checks that connections split as the share says (within 3 sigma; exactly at 0
# and 1), that the cap spills what finds it reached, that no share holds without flared, that nothing
# stays in flight, and that flarectl detach takes all away. Ends with status 1 where one of these
# fails.
#
# usage: scripts/connect.sh BUILD
#
# Set in the environment, for other runs:
#   FLARE_CONNECT_REQUESTS   of each client and share (300), each on a connection of its own
#   FLARE_CONNECT_SHARES     "0 0.3 1"
# shellcheck disable=SC2317 # functions that are called by their names
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:?usage: scripts/connect.sh BUILD}
readonly bin=$build/bin
readonly requests=${FLARE_CONNECT_REQUESTS:-300}
read -ra shares <<<"${FLARE_CONNECT_SHARES:-0 0.3 1}"
readonly shares
readonly service=198.18.0.80 port=80
export FLARE_LAB_PREFIX=${FLARE_LAB_PREFIX:-fcon-}
# shellcheck source=scripts/lib/lab_run.sh
source scripts/lib/lab_run.sh

cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
mounted=
if [ -z "$cgroups" ]; then
	cgroups=$work/cgroup mounted=1
	mkdir "$cgroups"
	mount -t cgroup2 cgroup2 "$cgroups"
fi
readonly cgroup=$cgroups/flare-connect-$$
failed=0 ended=0

leave_cgroups() {
	end_all
	for _ in {1..50}; do
		[ -d "$cgroup" ] || break
		rmdir "$cgroup" 2>/dev/null || sleep 0.1
	done
	[ -z "$mounted" ] || umount "$cgroups"
}
trap 'ended=$?; set +e; leave_cgroups; (exit $ended); clean_up' EXIT

# directed COMMAND...: on the clients' host, in the cgroup.
directed() {
	# shellcheck disable=SC2016
	on client bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' _ "$cgroup" "$@"
}

check() {
	local what=$1
	shift
	if "$@"; then return; fi
	echo "FAILED: $what" >&2
	failed=1
}

# A server that says with one letter which tier it is.
write_server() {
	cat >"$work/server.py" <<'PYTHON'
import http.server, sys

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(sys.argv[3].encode() + b"\n")
    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024

Server((sys.argv[1], int(sys.argv[2])), Answer).serve_forever()
PYTHON
}

write_config() {
	cat >"$work/flare.yaml" <<YAML
interfaces: []
cgroups: [$cgroup]
services:
  - name: web
    frontend: $service:$port
    placement: sender
    policy: cap
    workers: 2
    vm:
      - endpoint: 198.51.100.10:8080
    serverless:
      - endpoint: 203.0.113.10:8080
    spend: {per_second: 100000, burst: 100000, per_hour: 1000000, ramp_instances: 10000}
limits: {services: 8, backends: 64, flows: 1000, embryos: 1000}
agent: {control_socket: $work/flared.sock, state_dir: $work/state, pin_dir: $pins}
YAML
	chmod 600 "$work/flare.yaml"
}

write_nginx() {
	cat >"$work/nginx.conf" <<NGINX
pid $work/nginx.pid;
error_log stderr;
daemon off;
user root;
worker_processes 2;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fastcgi;
	uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
	server {
		listen 127.0.0.1:8000;
		location / { proxy_pass http://$service:$port; }
	}
}
NGINX
}

ask_curl() {
	directed curl -s -H 'Connection: close' "http://$service:$port/?[1-$requests]"
}

ask_python() {
	directed python3 - "$service" "$port" "$requests" <<'PYTHON'
import http.client, sys
for _ in range(int(sys.argv[3])):
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=5)
    connection.request("GET", "/")
    assert connection.sock.getpeername() == (sys.argv[1], int(sys.argv[2]))
    print(connection.getresponse().read().decode(), end="")
    connection.close()
PYTHON
}

# The proxy is in the cgroup, and who asks it is not.
ask_nginx() {
	on client curl -s -H 'Connection: close' "http://127.0.0.1:8000/?[1-$requests]"
}

# within COUNT OF SHARE: no further from the share than 3 sigma.
within() {
	awk -v got="$1" -v of="$2" -v share="$3" 'BEGIN {
		sigma = sqrt(of * share * (1 - share))
		exit !((got - of * share) ^ 2 <= (3 * sigma) ^ 2)
	}'
}

# Whether one more connection is answered by this tier, V or C.
answered_by() {
	[ "$(directed curl -s -m 5 "http://$service:$port/")" = "$1" ]
}

is_not_answered() {
	! directed curl -s -m 5 -o "$work/none" "http://$service:$port/"
}

shows_the_cgroup() {
	flarectl -o json status >"$work/status.json"
	grep -q '"hooks": *10' "$work/status.json"
}

# Whether the service has nothing in flight and no spilled flow open, as flarectl says.
settled() {
	flarectl -o json service show web >"$work/shown.json"
	python3 - "$work/shown.json" <<'PYTHON'
import json, sys
def walk(node):
    for key, value in (node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(key, str) and key.startswith("last_spill"):
            continue
        if isinstance(value, (dict, list)):
            yield from walk(value)
        elif key in ("in_flight", "active"):
            yield key, value
found = list(walk(json.load(open(sys.argv[1]))))
print(found)
sys.exit(not found or any(value for _, value in found))
PYTHON
}

mkdir "$cgroup"
write_server
write_config
write_nginx
scripts/lab.sh up
on client sysctl -qw net.ipv4.ip_local_port_range="30000 65535"
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
start vm vm.log python3 "$work/server.py" 198.51.100.10 8080 V
start cloud cloud.log python3 "$work/server.py" 203.0.113.10 8080 C
await "the VM" answers 198.51.100.10 8080
await "serverless" answers 203.0.113.10 8080
start client flared.log "$bin/flared" --config "$work/flare.yaml"
flared=${started[-1]}
await flared flarectl reload
# shellcheck disable=SC2016
start client nginx.log bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' _ "$cgroup" \
	nginx -p "$work" -c "$work/nginx.conf"
await nginx on client curl -sf -o "$work/none" http://127.0.0.1:8000/
check "flarectl status shows the cgroup" shows_the_cgroup

printf '%-8s %6s %10s %10s %10s\n' client share requests spilled percent
for client in curl python nginx; do
	for share in "${shares[@]}"; do
		flarectl share set web "$share" >/dev/null
		"ask_$client" >"$work/answers" || true
		spilled=$(grep -c C "$work/answers" || true)
		total=$(grep -c '[CV]' "$work/answers" || true)
		printf '%-8s %6s %10s %10s %9.1f%%\n' "$client" "$share" "$total" "$spilled" \
			"$(awk -v a="$spilled" -v b="$total" 'BEGIN { print b ? 100 * a / b : 0 }')"
		check "$client: all answered at share $share" [ "$total" = "$requests" ]
		check "$client: splits as share $share says" within "$spilled" "$total" "$share"
	done
done

echo "the cap: three connections are held, the next one spills"
flarectl share auto web >/dev/null
check "the VM tier has room" answered_by V
start client held.log bash -c "echo \$\$ >$cgroup/cgroup.procs; exec python3 -c \"
import socket, time
held = [socket.create_connection(('$service', $port)) for _ in range(3)]
print('held', flush=True)
time.sleep(60)\""
holder=${started[-1]}
await "who holds them" grep -q held "$work/held.log"
check "the next one spills" answered_by C
kill -KILL "$holder"
wait "$holder" 2>/dev/null || true
forget "$holder"

echo "its holder was killed, and all others have gone: nothing is in flight"
await "the end of all" settled
check "the VM tier has room again" answered_by V

echo "without flared no share holds"
flarectl share set web 1 >/dev/null
check "share 1" answered_by C
kill -KILL "$flared"
wait "$flared" 2>/dev/null || true
forget "$flared"
sleep 6
check "the fallback" answered_by V
start client flared2.log "$bin/flared" --config "$work/flare.yaml"
await flared flarectl reload
check "share 1 again, kept over the restart" answered_by C

echo "flarectl detach leaves nothing there, until the next reload"
flarectl detach --yes >/dev/null
check "detached" is_not_answered
flarectl reload >/dev/null
check "attached by a reload" answered_by C

[ "$failed" = 0 ] && echo "connect(): all as it shall be"
exit "$failed"
