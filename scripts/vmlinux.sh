#!/usr/bin/env bash
# Writes vmlinux/vmlinux.h: the kernel types that the BPF programs name, and what those need, taken
# from this kernel's BTF. Usage: scripts/vmlinux.sh [BTF file]
set -euo pipefail
cd "$(dirname "$0")/.."
btf=${1:-/sys/kernel/btf/vmlinux}
roots="__s32 __s64 __wsum xdp_md __sk_buff bpf_fib_lookup bpf_redir_neigh ethhdr iphdr ipv6hdr tcphdr udphdr icmphdr
       icmp6hdr frag_hdr ipv6_opt_hdr xdp_action bpf_map_type bpf_sock_addr bpf_sock_ops"
bpftool btf dump file "$btf" format c |
	awk -v roots="$roots" -v kernel="$(uname -r)" -f scripts/vmlinux.awk >vmlinux/vmlinux.h.new
mv vmlinux/vmlinux.h.new vmlinux/vmlinux.h
wc -l vmlinux/vmlinux.h
