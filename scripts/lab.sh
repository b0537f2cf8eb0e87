#!/usr/bin/env bash
# The lab: four network namespaces, joined by veth, in which a bare VM stands between its clients
# and a cloud, with Flare on the VM's only interface.
#
#   client 192.0.2.10 ──── router ──── vm 198.51.100.10
#          2001:db8:1::10    │            2001:db8:2::10
#                            └──────── cloud 203.0.113.10
#                                         2001:db8:3::10
#
# Each of client, vm and cloud has one interface, eth0, and its default route through the router,
# which alone forwards. Names of the namespaces begin with FLARE_LAB_PREFIX ("flare-lab-"), so that
# several labs can stand side by side. Commands run inside one with
# `nsenter --net=/run/netns/NAME`, which, unlike `ip netns exec`, leaves /sys/fs/bpf as it is.
#
# FLARE_LAB_SHAPE says another shape, for a balancer: two clients, eight VMs and a cloud, each in a
# network of its own (10.20.N.10, 2001:db8:20:N::10), and the VIP 203.0.113.100 or 2001:db8:3::100.
#   one-arm    the balancer lb is a host as the others, and the router sends it what is for the VIP
#   two-arms   lb is the router itself (interfaces to-client, to-vm1, ...), so between all of them
#   fleet      two-arms with a client, a front service, a chain of services behind, and the cloud; VMs
#              come and go: "add vm3" and "remove vm3" (10.20.103.10)
set -euo pipefail

readonly prefix=${FLARE_LAB_PREFIX:-flare-lab-}
readonly shape=${FLARE_LAB_SHAPE:-receiver}
readonly balanced=(client client2 cloud vm1 vm2 vm3 vm4 vm5 vm6 vm7 vm8)
readonly vip4=203.0.113.100 vip6=2001:db8:3::100
hub=router
case $shape in
receiver) hosts=(client vm cloud) ;;
one-arm) hosts=("${balanced[@]}" lb) ;;
two-arms) hosts=("${balanced[@]}") hub=lb ;;
fleet) hosts=(client front chain cloud) hub=lb ;;
*)
	echo "$0: no shape '$shape'; there is: receiver, one-arm, two-arms, fleet" >&2
	exit 2
	;;
esac
readonly hosts hub

usage() {
	echo "usage: $0 up|down|status|add vmN|remove vmN|run HOST COMMAND..." >&2
	exit 2
}

# The subnet of a host: "<first three IPv4 numbers> <IPv6 prefix>".
subnets_of() {
	local number
	if [[ $shape == fleet && $1 =~ ^vm([0-9]+)$ ]]; then
		number=$((100 + BASH_REMATCH[1]))
		echo "10.20.$number 2001:db8:20:$number:"
	elif [ "$shape" != receiver ]; then
		for number in "${!hosts[@]}"; do
			[ "${hosts[number]}" != "$1" ] || echo "10.20.$number 2001:db8:20:$number:"
		done
	else
		case $1 in
		client) echo "192.0.2 2001:db8:1:" ;;
		vm) echo "198.51.100 2001:db8:2:" ;;
		cloud) echo "203.0.113 2001:db8:3:" ;;
		*) return 1 ;;
		esac
	fi
}

inside() {
	local host=$1
	shift
	nsenter --net="/run/netns/$prefix$host" "$@"
}

# Settings of every namespace: no duplicate address detection (addresses are usable at once), long
# accept queues (a dropped SYN would look like a latency of 1 s), and all ports for clients but
# those that Flare translates to on the VM.
prepare() {
	local host=$1
	ip netns add "$prefix$host"
	inside "$host" sysctl -qw \
		net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.core.somaxconn=65535 net.ipv4.tcp_max_syn_backlog=65535
	inside "$host" ip link set lo up
}

join_to_hub() {
	local host=$1 v4 v6
	read -r v4 v6 < <(subnets_of "$host")
	ip -n "$prefix$host" link add eth0 type veth peer name "to-$host" netns "$prefix$hub"
	ip -n "$prefix$hub" address add "$v4.1/24" dev "to-$host"
	ip -n "$prefix$hub" address add "$v6:1/64" dev "to-$host" nodad
	ip -n "$prefix$host" address add "$v4.10/24" dev eth0
	ip -n "$prefix$host" address add "$v6:10/64" dev eth0 nodad
	ip -n "$prefix$hub" link set "to-$host" up
	ip -n "$prefix$host" link set eth0 up
	ip -n "$prefix$host" route add default via "$v4.1"
	ip -n "$prefix$host" -6 route add default via "$v6:1"
}

# What is for the VIP goes to the balancer, which need not have the address.
route_vip() {
	local v4 v6
	read -r v4 v6 < <(subnets_of lb)
	ip -n "$prefix$hub" route add "$vip4" via "$v4.10"
	ip -n "$prefix$hub" -6 route add "$vip6" via "$v6:10"
}

up() {
	down
	trap 'down' ERR
	local host
	prepare "$hub"
	inside "$hub" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for host in "${hosts[@]}"; do
		prepare "$host"
		join_to_hub "$host"
	done
	[ "$shape" != one-arm ] || route_vip
	inside client sysctl -qw net.ipv4.ip_local_port_range="1024 65535"
	for host in "${hosts[@]}"; do
		await_link "$host"
	done
	trap - ERR
}

# Waits until both ends of a host's link have their carrier, which takes a moment after "up".
await_link() {
	local host=$1 try
	for try in {1..100}; do
		if [[ $(ip -n "$prefix$host" -brief link show eth0) == *" UP "* ]] &&
			[[ $(ip -n "$prefix$hub" -brief link show "to-$host") == *" UP "* ]]; then
			return 0
		fi
		sleep 0.05
	done
	echo "$0: the link of $host is still down after $try tries" >&2
	return 1
}

add_host() {
	prepare "$1"
	join_to_hub "$1"
	await_link "$1"
}

remove_host() {
	[ -e "/run/netns/$prefix$1" ] || return 0
	# Deleting the interface first takes it down at once; a namespace that a process still holds
	# would keep it.
	ip -n "$prefix$1" link delete eth0 2>/dev/null || true
	ip netns delete "$prefix$1"
}

down() {
	local host
	for host in /run/netns/"$prefix"vm*; do
		[ ! -e "$host" ] || remove_host "${host#"/run/netns/$prefix"}"
	done
	for host in "${hosts[@]}" "$hub"; do
		remove_host "$host"
	done
}

status() {
	local host state=0
	for host in "${hosts[@]}" "$hub"; do
		if [ -e "/run/netns/$prefix$host" ]; then
			echo "$prefix$host"
			ip -n "$prefix$host" -brief address | sed 's/^/  /'
		else
			echo "$prefix$host: not there"
			state=1
		fi
	done
	return $state
}

[ $# -ge 1 ] || usage
if [ "$(id -u)" != 0 ]; then
	echo "$0: network namespaces need root" >&2
	exit 1
fi
case $1 in
up) up ;;
down) down ;;
status) status ;;
add | remove)
	if [[ $# != 2 || $shape != fleet || ! $2 =~ ^vm[0-9]+$ || ${2#vm} -gt 150 ]]; then
		echo "$0: $1 takes a VM of the shape fleet, vm0 to vm150" >&2
		exit 2
	fi
	"$1_host" "$2"
	;;
run)
	[ $# -ge 3 ] || usage
	host=$2
	shift 2
	exec nsenter --net="/run/netns/$prefix$host" "$@"
	;;
*) usage ;;
esac
