/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for libbpf's <bpf/bpf_helpers.h> where the shipped programs are compiled for user
 * space: the same words, helpers that are plain functions (tests/fuzz/shim). A program that uses a
 * helper which is not here does not compile.
 */
#pragma once

#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val)* name
#define __array(name, val) __typeof__(val)* name[]
#define LIBBPF_PIN_BY_NAME 1

#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#ifndef NULL
#define NULL ((void*)0)
#endif

struct bpf_fib_lookup;
struct bpf_redir_neigh;

/* libbpf has functions of these names, for the other side of a map. */
#define bpf_map_lookup_elem shim_map_lookup_elem
#define bpf_map_update_elem shim_map_update_elem
#define bpf_map_delete_elem shim_map_delete_elem
void* bpf_map_lookup_elem(void* map, const void* key);
long bpf_map_update_elem(void* map, const void* key, const void* value, __u64 flags);
long bpf_map_delete_elem(void* map, const void* key);

__u64 bpf_ktime_get_ns(void);
__u64 bpf_ktime_get_coarse_ns(void);
__u32 bpf_get_smp_processor_id(void);
long bpf_loop(__u32 times, void* step, void* walk, __u64 flags);

/* in C++ a function may not have the name of a struct that has members */
long shim_fib_lookup(void* ctx, struct bpf_fib_lookup* params, int bytes, __u32 flags);
#define bpf_fib_lookup(ctx, params, bytes, flags) shim_fib_lookup(ctx, params, bytes, flags)
long bpf_redirect(__u32 ifindex, __u64 flags);
long bpf_redirect_neigh(__u32 ifindex, struct bpf_redir_neigh* params, int bytes, __u64 flags);
__s64 bpf_csum_diff(__be32* from, __u32 from_bytes, __be32* to, __u32 to_bytes, __wsum seed);

__u64 bpf_xdp_get_buff_len(struct xdp_md* ctx);
long bpf_xdp_load_bytes(struct xdp_md* ctx, __u32 offset, void* to, __u32 bytes);
long bpf_xdp_store_bytes(struct xdp_md* ctx, __u32 offset, void* from, __u32 bytes);
long bpf_xdp_adjust_head(struct xdp_md* ctx, int delta);
long bpf_xdp_adjust_tail(struct xdp_md* ctx, int delta);

long bpf_skb_load_bytes(const void* skb, __u32 offset, void* to, __u32 bytes);
long bpf_skb_store_bytes(struct __sk_buff* skb, __u32 offset, const void* from, __u32 bytes,
                         __u64 flags);
long bpf_skb_pull_data(struct __sk_buff* skb, __u32 bytes);
long bpf_skb_change_tail(struct __sk_buff* skb, __u32 bytes, __u64 flags);
long bpf_skb_adjust_room(struct __sk_buff* skb, int delta, __u32 mode, __u64 flags);
long bpf_skb_vlan_pop(struct __sk_buff* skb);
long bpf_l4_csum_replace(struct __sk_buff* skb, __u32 offset, __u64 from, __u64 to, __u64 flags);
