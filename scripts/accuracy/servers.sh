#!/usr/bin/env bash
# Sourced by scripts/accuracy.sh: the servers on the VM, the proxies in front of the clients, what
# they serve, and what the servers have counted themselves.
# shellcheck disable=SC2154,SC2034 # variables of the files that it is sourced with
set -euo pipefail

# Each service of Flare's, and its port.
readonly services=(web 8080 tls 8443 backend 8081 redis 6379 h2c 8082 h2tls 8444 grpc 8083)
readonly web=http://$host:8080 tls=https://$host:8443 backend=http://$host:8081
readonly h2c=http://$host:8082 h2tls=https://$host:8444 grpc=$host:8083
# Of the proxies, for the clients beside them.
readonly by_nginx=http://127.0.0.1:9080 by_haproxy=http://127.0.0.1:9081
readonly grpc_figures=127.0.0.1:9083

# What the servers have counted since they started: nginx by its access logs, a line a request. Asked
# on the VM itself, where no hook sees the question.
truth() {
	case $1 in
	web | tls | h2c | h2tls) wc -l <"$work/$1.access" ;;
	backend) on vm curl -s "$backend/stats" | jq .requests ;;
	grpc) on vm curl -s "http://$grpc_figures/" | jq .requests ;;
	redis) on vm redis-cli -h "$host" info commandstats |
		sed -nE 's/^cmdstat_(set|get):calls=([0-9]+).*/\2/p' | jq -s 'add // 0' ;;
	esac
}

write_files() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$host" \
		-addext "subjectAltName=IP:$host" -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
	cat "$work/cert.pem" "$work/key.pem" >"$work/both.pem"
	mkdir "$work/www"
	echo ok >"$work/www/index.html"
	head -c 65536 /dev/zero >"$work/www/64k"
	head -c 1048576 /dev/zero >"$work/www/1m"
	head -c 10485760 /dev/zero >"$work/www/10m"
	head -c 65536 /dev/zero >"$work/64k"
	head -c 262144 /dev/zero >"$work/256k"
	head -c 5242880 /dev/zero >"$work/5m"
	head -c 67108864 /dev/zero >"$work/64m"
	chmod 755 "$work" "$work/www"
	write_nginx_conf >"$work/nginx.conf"
	write_proxy_confs
}

nginx_head() {
	cat <<-END
		daemon off;
		pid $work/$1.pid;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			client_body_temp_path $work/$1-body; proxy_temp_path $work/$1-proxy;
			fastcgi_temp_path $work/$1-fastcgi; uwsgi_temp_path $work/$1-uwsgi;
			scgi_temp_path $work/$1-scgi;
			keepalive_requests 10000000;
			client_max_body_size 100m;
	END
}

# nginx reads an upload whole before it asks flare-backend, which it does without leaving the VM.
write_nginx_conf() {
	nginx_head nginx
	cat <<-END
			root $work/www;
			ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;
			ssl_protocols TLSv1.2 TLSv1.3;
			server { listen $host:8080; access_log $work/web.access; }
			server {
				listen $host:8443 ssl; access_log $work/tls.access;
				location /upload { proxy_pass $backend; }
			}
			server {
				listen $host:8082 http2; access_log $work/h2c.access;
				location /upload { proxy_pass $backend; }
			}
			server { listen $host:8444 ssl http2; access_log $work/h2tls.access; }
		}
	END
}

# On the client's side, with connections to the VM that are kept alive.
write_proxy_confs() {
	{
		nginx_head by-nginx
		cat <<-END
				access_log off;
				upstream vm { server $host:8080; keepalive 32; keepalive_requests 10000000; }
				server {
					listen ${by_nginx#http://};
					location / {
						proxy_pass http://vm; proxy_http_version 1.1; proxy_set_header Connection "";
					}
				}
			}
		END
	} >"$work/by-nginx.conf"
	cat >"$work/haproxy.conf" <<-END
		defaults
			mode http
			timeout connect 5s
			timeout client 30s
			timeout server 30s
		listen by_haproxy
			bind ${by_haproxy#http://}
			http-reuse always
			server vm $host:8080
	END
}

start_servers() {
	local name
	for name in web tls h2c h2tls; do
		: >"$work/$name.access"
	done
	start vm nginx.out nginx -c "$work/nginx.conf" -e "$work/nginx.log"
	start vm backend.log "$bin/flare-backend" --listen "$host:8081" --tier vm --slots 0 --mean-ms 1
	start vm redis.log redis-server --bind "$host" --protected-mode no --save "" --dir "$work"
	start vm grpc.log "$python" "$clients/grpc_server.py" "$grpc" "$grpc_figures"
	start client by-nginx.out nginx -c "$work/by-nginx.conf" -e "$work/by-nginx.log"
	start client haproxy.log haproxy -f "$work/haproxy.conf"
}

await_servers() {
	local port
	for port in 8080 8443 8081 6379 8082 8444 8083; do
		await_port $port
	done
	await "nginx as a proxy" on client curl -sf "$by_nginx/"
	await "haproxy" on client curl -sf "$by_haproxy/"
}
